/* packet_text: a packet in one line, as --packet-trace tells it, worded as nmap's. Pure. */
#ifndef HNMAP_PACKET_TEXT_H
#define HNMAP_PACKET_TEXT_H

#include "base/hbuf.h"
#include "codec/packet.h"

/* "TCP 192.0.2.1:40000 > 192.0.2.2:22 S ttl=64 id=1 iplen=44  seq=7 win=1024 <mss 1460>", without a
 * newline, of any bytes: what cannot be read is told as such. 0 or -ENOMEM. */
int packet_text(hbytes_t *out, packet_link_e link, const void *data, size_t len);

#endif
