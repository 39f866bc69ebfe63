/* port_set: ports of one protocol, each at most once. A value of 8.3 KiB, all zero: empty. */
#ifndef HNMAP_PORT_SET_H
#define HNMAP_PORT_SET_H

#include "base/hbuf.h"

#include <stdbool.h>
#include <stdint.h>

#define PORT_COUNT 65536
#define PORT_SET_WORDS (PORT_COUNT / 64)
#define PORT_SET_BLOCK 1024 /* ports that are counted together */
#define PORT_SET_BLOCKS (PORT_COUNT / PORT_SET_BLOCK)

typedef struct port_set_s {
    uint64_t words[PORT_SET_WORDS];
    uint16_t in_block[PORT_SET_BLOCKS]; /* how many of them are in each block */
    uint32_t count;                     /* in all, 0..65536 */
} port_set_t;

/* Adds first..last; false when at least one of them was there already. */
bool port_set_add(port_set_t *set, uint16_t first, uint16_t last);

/* Takes out, or adds, what is in another set. */
void port_set_remove(port_set_t *set, const port_set_t *other);
void port_set_join(port_set_t *set, const port_set_t *other);

bool port_set_has(const port_set_t *set, uint16_t port);

/* The lowest port that is not below from; -1 if there is none. A walk:
 * for (int port = port_set_next(set, 0); port >= 0; port = port_set_next(set, port + 1)) */
int port_set_next(const port_set_t *set, int from);

/* The port with an index below count, in ascending order; within 64 + 16 steps. */
uint16_t port_set_at(const port_set_t *set, uint32_t index);

/* The index of a port that is in the set; -1: it is not. */
int port_set_index(const port_set_t *set, uint16_t port);

/* Appends "1-10,22", as -oX and -oG have it; nothing for an empty set. 0, -ENOMEM. */
int port_set_format(const port_set_t *set, hbytes_t *out);

#endif
