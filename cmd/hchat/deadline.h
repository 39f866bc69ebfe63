/* deadline: many time limits of one length: they stand in the order in which they end, and one
 * timer waits for the first. To set one again costs a move in a list. */
#ifndef HNET_HCHAT_DEADLINE_H
#define HNET_HCHAT_DEADLINE_H

#include "base/hlist.h"
#include "event/htimer.h"

/* Part of what it is for. Zeroed: not set. */
typedef struct deadline_s {
    hlist_t link;
    uint64_t at_us;
} deadline_t;

typedef void (*deadline_cb)(deadline_t *deadline);

typedef struct deadlines_s {
    hloop_t *loop;
    uint32_t limit_ms; /* 0: none are ever due */
    deadline_cb on_due;
    hlist_t list;
    htimer_t *timer; /* runs while the list is not empty, maybe for one that was moved since */
} deadlines_t;

void deadlines_init(deadlines_t *all, hloop_t *loop, uint32_t limit_ms, deadline_cb on_due);

/* Before the loop is freed. */
void deadlines_deinit(deadlines_t *all);

/* on_due(deadline) comes after the limit, and it is not set any more then. Sets it again if it was
 * set. Without memory for the timer it may be late: until another one is set. */
void deadline_set(deadlines_t *all, deadline_t *deadline);

/* Legal for one that is not set. */
void deadline_clear(deadline_t *deadline);

#endif
