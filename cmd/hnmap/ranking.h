/* ranking: which ports are worth asking first. Our own judgement of what is found on networks of
 * today; not a measurement, and not taken from any other scanner's list. */
#ifndef HNMAP_RANKING_H
#define HNMAP_RANKING_H

#include <stddef.h>
#include <stdint.h>

/* The ranked ports of PORTS_TCP or PORTS_UDP, the most popular one first; each at most once. */
const uint16_t *ranking_ports(unsigned protocol, size_t *count);

#endif
