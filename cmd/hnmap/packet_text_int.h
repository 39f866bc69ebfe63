/* packet_text_int: what the files of packet_text share. */
#ifndef HNMAP_PACKET_TEXT_INT_H
#define HNMAP_PACKET_TEXT_INT_H

#include "packet_text.h"

/* Each writer: 0 or -ENOMEM. */

/* "ttl=64 id=1 iplen=44 ", "hopl=64 flow=0 payloadlen=24" */
int packet_text__header(hbytes_t *out, const packet_t *packet);
/* "ICMP [192.0.2.2 > 192.0.2.1 Port 53 unreachable (type=3/code=3) ] IP [ttl=64 id=1 iplen=56 ]" */
int packet_text__icmp(hbytes_t *out, const packet_t *packet);

/* Of size bytes, the most significant one first. */
uint32_t packet_text__number(const uint8_t *at, size_t size);
const char *packet_text__address(const packet_addr_t *addr, char text[INET6_ADDRSTRLEN]);

#endif
