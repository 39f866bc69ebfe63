/* totals: what the hosts of a report sum up to, in bounded memory. */
#ifndef HNMAP_TOTALS_H
#define HNMAP_TOTALS_H

#include "result.h"

/* Different open ports that are counted one by one: the first ones met, which those that many hosts
 * have are among. */
#define TOTALS_PORTS_MAX 128

typedef struct totals_port_s {
    uint16_t number;
    uint8_t protocol;
    uint64_t hosts;    /* that have it open */
    const char *usual; /* borrowed from the ports, which got it from the table of names */
} totals_port_t;

typedef struct totals_s {
    uint64_t states[PORT_STATES];
    totals_port_t ports[TOTALS_PORTS_MAX];
    size_t port_count;
} totals_t;

void totals_add(totals_t *totals, const host_result_t *host);

/* The open port that most hosts have, after `count` others in `taken`: the caller adds it there to
 * get the next. NULL: there is none left. Of those alike, the smaller number. */
const totals_port_t *totals_most(const totals_t *totals, const totals_port_t *const *taken,
                                 size_t count);

#endif
