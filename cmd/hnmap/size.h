/* size: how large a scan is, before it begins: of how many addresses, at most how many packets, and
 * about how long it takes. Pure. */
#ifndef HNMAP_SIZE_H
#define HNMAP_SIZE_H

#include "base/hbuf.h"
#include "engine.h"
#include "targets.h"

#define SIZE_QUIET_MAX 65536 /* addresses: a private network of that size is nothing to speak of */

/* Probes that each host gets at one pace; count 0: none. */
typedef struct size_probes_s {
    uint64_t count;
    const engine_options_t *pace;
    uint64_t hosts_max; /* that get them at the same time */
} size_probes_t;

typedef struct size_question_s {
    uint64_t addresses;            /* UINT64_MAX: as many, or more */
    bool is_private;               /* all of them, as far as is known */
    const char *what;              /* is counted: "packets" */
    size_probes_t pings, tcp, udp; /* pings go to all addresses, the others to hosts that are up:
                                      to all where there are no pings */
} size_question_t;

typedef struct size_answer_s {
    double probes;           /* at most */
    double fewest_s, most_s; /* about: nobody is up; everybody is, and silent */
} size_answer_t;

void size_estimate(const size_question_t *question, size_answer_t *answer);

/* "131,072 addresses: at most 2.7 million packets, about 14 s if no host is up, about 9 h if all
 * are". 0 or -ENOMEM. */
int size_write(hbytes_t *out, const size_question_t *question);

/* No network of somebody else's: loopback, link-local, private use (RFC 1918, RFC 4193), shared
 * (RFC 6598), and what is routed nowhere, for benchmarks and examples (RFC 2544, 5737, 3849,
 * 9637). */
bool size_is_private(const struct sockaddr *address);

/* What is left of a walk: how many addresses, and whether all of them are private. What is left out
 * is not counted; more than SIZE_QUIET_MAX are not looked at one by one: is_private then is
 * true, and lists of octets count what is left out of them (see targets_count). */
uint64_t size_of_walk(const targets_cursor_t *cursor, bool *is_private);

#endif
