/* strange: what a network answers that is too good to be true: every port of a host is open, every
 * address of a range is there. A firewall, a tarpit or a router then answers in the place of
 * others. Each is told once. Pure. */
#ifndef HNMAP_STRANGE_H
#define HNMAP_STRANGE_H

#include "base/hbuf.h"
#include "result.h"

#define STRANGE_PORTS 50 /* so many at least, all open for the same reason */
/* So many addresses at least, one behind the other, all up for the same reason. Networks of IPv4
 * can be that full, but not with one link address; those of IPv6 never are. */
#define STRANGE_NEIGHBOURS 64
#define STRANGE_HOSTS 256

/* All zero before the first host. */
typedef struct strange_s {
    uint64_t open_hosts; /* all of whose ports were open, but for the first one */
    bool told_ports, told_hosts;
    /* Of the hosts in a row: */
    uint64_t row;
    haddr_t first;
    bool has_mac;
    uint8_t mac[6], reason, ttl;
    haddr_t router;
} strange_t;

/* The outcomes of a host that was scanned (any order). 0; 1: out has a line to be told, without its
 * newline; -ENOMEM. */
int strange_ports(strange_t *strange, const haddr_t *addr, const port_result_t *outcomes,
                  size_t count, hbytes_t *out);

/* A host that is over, in the order of the reports. router: who leads to it; NULL: nobody, or not
 * known. Likewise. */
int strange_host(strange_t *strange, const host_result_t *host, const haddr_t *router,
                 hbytes_t *out);

/* Behind the last host: what was not told each time. Likewise. */
int strange_end(const strange_t *strange, hbytes_t *out);

#endif
