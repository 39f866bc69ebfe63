/* ports: which ports are scanned. nmap's -p grammar:
 *
 *     22,80-90,-100,60000-,-    numbers and ranges; an open end is 1 or 65535
 *     http,ssh*,?tp             services by name, with wildcards
 *     [1-1024],[http*]          only those of the range that are known: ranked or named
 *     U:53,161,T:80             protocols, until the next one; without: all that are scanned */
#ifndef HNMAP_PORTS_H
#define HNMAP_PORTS_H

#include "names.h"
#include "port_set.h"

#include <stdbool.h>
#include <stddef.h>

#define PORTS_FAST 100     /* -F */
#define PORTS_DEFAULT 1000 /* without -p, per protocol */
#define PORTS_ERROR_SIZE 256

typedef struct ports_s {
    port_set_t tcp, udp;  /* empty for a protocol that is not scanned */
    bool repeated;        /* a port was named twice: nmap warns */
    unsigned not_scanned; /* protocols (PORTS_TCP, PORTS_UDP) named though they are not scanned */
} ports_t;

/* Reads -p or --exclude-ports; protocols: those that are scanned. 0; HERR_SYNTAX, HERR_RANGE or
 * HERR_UNSUPPORTED (S:, P:), and error says which part is wrong; -ENOMEM. */
int ports_parse(ports_t *ports, const char *text, unsigned protocols, names_t *names, char *error,
                size_t error_size);

/* The n most popular ports of each protocol, or fewer if there are not so many, of those in within
 * (NULL: of all) that are not in excluded (may be NULL). */
void ports_top(ports_t *ports, unsigned n, unsigned protocols, const ports_t *within,
               const ports_t *excluded);

/* Takes out what --exclude-ports names. */
void ports_remove(ports_t *ports, const ports_t *excluded);

#endif
