/* host_map: the hosts that are being scanned, by address. */
#ifndef HNMAP_HOST_MAP_H
#define HNMAP_HOST_MAP_H

#include "codec/packet.h"
#include "host.h"

typedef struct host_map_s host_map_t;

host_map_t *host_map_new(void); /* NULL when out of memory */
void host_map_free(host_map_t *map);

/* A host's address may be there more than once, for targets may be named twice. 0 or -ENOMEM. */
int host_map_add(host_map_t *map, host_t *host);
void host_map_remove(host_map_t *map, host_t *host); /* legal for one that is not there */

/* The first of those with this address behind `after` (NULL: of all); NULL: no other one. */
host_t *host_map_find(const host_map_t *map, const packet_addr_t *addr, const host_t *after);

#endif
