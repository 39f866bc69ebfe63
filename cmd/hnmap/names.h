/* names: what a port is called. A small table of our own for services that the system's table lacks
 * or names oddly, then the system's (getservent, which follows nsswitch.conf). That is read as a
 * whole at the first question, and not before. */
#ifndef HNMAP_NAMES_H
#define HNMAP_NAMES_H

#include "port_set.h"

#include <stdbool.h>
#include <stdint.h>

/* Protocols, as bits. */
#define PORTS_TCP 1u
#define PORTS_UDP 2u

#define NAMES_SYSTEM_MAX 131072 /* entries of the system's table that are read */

typedef struct names_s names_t;

/* NULL when out of memory. */
names_t *names_new(void);
void names_free(names_t *names);

/* The name of a port, NULL if it has none; valid as long as names. protocol is one of the bits.
 * When there is no memory for the system's table it is taken as empty. */
const char *names_of(names_t *names, unsigned protocol, uint16_t port);

/* Adds the ports whose name is pattern, in which * stands for any text and ? for any character;
 * case does not count. Aliases of the system's table are names, too. Returns how many there are. */
unsigned names_match(names_t *names, unsigned protocol, const char *pattern, port_set_t *set);

#endif
