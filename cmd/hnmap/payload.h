/* payload: what to say on a UDP port so that the service that is usual there answers. Written from
 * the protocols' own documents; where nothing is known an empty datagram goes. */
#ifndef HNMAP_PAYLOAD_H
#define HNMAP_PAYLOAD_H

#include <stddef.h>
#include <stdint.h>

#define PAYLOAD_MAX 1200

/* The payload for a port, at most PAYLOAD_MAX bytes, static storage; *len 0 and a pointer that is
 * not NULL: none. A service that takes what it is sent for a command that changes something is not
 * spoken to. */
const void *payload_of(uint16_t port, size_t *len);

#endif
