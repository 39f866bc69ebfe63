/* earlier: what a report of an earlier scan says, nmap's XML (ours or its own) or our JSON. */
#ifndef HNMAP_EARLIER_H
#define HNMAP_EARLIER_H

#include "result.h"

#define EARLIER_FILE_MAX ((size_t)1 << 28) /* bytes of a report */
#define EARLIER_HOSTS_MAX ((size_t)1 << 20)
#define EARLIER_PORTS_MAX ((size_t)1 << 17) /* of a host, shown one by one */
#define EARLIER_GROUPS_MAX 64               /* of a host */
#define EARLIER_ROUNDS_MAX 10 /* that a host is remembered for, though it is not asked any more */

#define EARLIER_CONFIDENCE_GUESS 3 /* the number of a port is all that its service is known by */

typedef struct earlier_port_s {
    uint16_t number;
    uint8_t protocol, state;
    char *service; /* as earlier_service has it: what was found to answer; NULL: not asked */
} earlier_port_t;

typedef struct earlier_group_s {
    uint8_t protocol, state;
    char *ports; /* "1-21,23" */
} earlier_group_t;

typedef struct earlier_host_s {
    haddr_t addr;
    bool has_addr;
    uint8_t missed; /* rounds that have not asked for it, the one that runs included */
    uint8_t state;  /* host_state_e */
    earlier_port_t *ports;
    size_t port_count;
    earlier_group_t *groups;
    size_t group_count;
} earlier_host_t;

typedef struct earlier_s {
    earlier_host_t *hosts; /* by their addresses */
    size_t count;
} earlier_t;

/* Reads a report; which of the two it is tells its first byte. 0; or negative, and *why tells: it
 * cannot be read, or is none. *earlier is empty then. earlier_free in every case. */
int earlier_read(earlier_t *earlier, const char *path, hbytes_t *why);
/* The same of a text. */
int earlier_parse(earlier_t *earlier, const char *text, size_t len, hbytes_t *why);
void earlier_free(earlier_t *earlier);

/* NULL: the report says nothing of it. */
const earlier_host_t *earlier_find(const earlier_t *earlier, const haddr_t *addr);

/* What it says of a port; NULL: nothing. */
const earlier_port_t *earlier_port(const earlier_host_t *host, const port_result_t *port);

/* "ssl/http nginx 1.22.1 (Debian)": what two scans are compared by. 0 or -ENOMEM. */
int earlier_service(hbytes_t *out, const service_t *service);

/* Sets states[number] for each port of "1-21,23" (0 to 65535). 0 or HERR_SYNTAX. */
int earlier_ranges(uint8_t *states, const char *ranges, uint8_t state);

/* ---- of rounds of scans, in earlier_keep.c ---- */

/* Puts what is known of a host now in the place of what was, or, where that was nothing and it is
 * up, into `added`. What could not be found out this time (its ports once it is down, or timed out)
 * stays as it was. 0; -ENOMEM: as before. */
int earlier_keep(earlier_t *earlier, earlier_t *added, const host_result_t *host);
/* At the end of a round: the hosts of `added` are moved. is_whole: those that earlier_keep was
 * not called for in some rounds are forgotten (a name may have many addresses, or none for a
 * while). 0; -ENOMEM: some of those added are forgotten. */
int earlier_merge(earlier_t *earlier, earlier_t *added, bool is_whole);

/* ---- for the readers ------------------------------------------------------------------------- */

/* Each adds one, zeroed, at the end; NULL: out of memory, or too many of them. */
earlier_host_t *earlier__add_host(earlier_t *earlier);
earlier_port_t *earlier__add_port(earlier_host_t *host);
earlier_group_t *earlier__add_group(earlier_host_t *host);
void earlier__free_host(earlier_host_t *host); /* what it owns */
void earlier__sort(earlier_t *earlier);
/* PORT_UNKNOWN, HOST_UNKNOWN and 0 for other words. */
port_state_e earlier__port_state(const char *word);
host_state_e earlier__host_state(const char *word);
uint8_t earlier__protocol(const char *word);

int earlier__parse_xml(earlier_t *earlier, const char *text, size_t len, hbytes_t *why);
int earlier__parse_json(earlier_t *earlier, const char *text, size_t len, hbytes_t *why);

#endif
