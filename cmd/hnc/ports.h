/* ports: the list of ports that a client tries. */
#ifndef HNC_PORTS_H
#define HNC_PORTS_H

#include "hnc.h"

#define PORTS_MAX ((size_t)1 << 20)

typedef struct ports_s {
    uint16_t *items;
    size_t count;
} ports_t;

/* Adds a port, a service or a range. 0, or an exit status once a message is printed. */
int ports_add(ports_t *ports, const options_t *o, const char *text);

/* Into random order (-r). */
void ports_shuffle(ports_t *ports);

void ports_deinit(ports_t *ports);

#endif
