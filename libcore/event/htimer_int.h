/* What a timer is, for htimer.c and htimer_heap.c only. */
#ifndef HNET_EVENT_HTIMER_INT_H
#define HNET_EVENT_HTIMER_INT_H

#include "hloop_int.h"

/* The slab's tag of a timer: which entry for it is to be heeded. Deleting an armed timer only takes
 * the tag away and touches no memory of the timer, whose stamp then stays as it was. */
enum { TAG_NONE, TAG_ENTRY_MIN }; /* from there on: the order that the live entry bears */

/* A timer that is armed bears twice its deadline, plus 1; from STAMP_MIN on it is not armed. */
#define STAMP_DUE UINT64_MAX
#define STAMP_RUNNING (UINT64_MAX - 2)
#define STAMP_FREE (UINT64_MAX - 4)
#define STAMP_MIN STAMP_FREE

#define HTIMER_PREFETCH_AHEAD 16

/* Of a cron-like timer. All bits of a field: it matches anything; but day: 0. */
typedef struct hperiod_s {
    uint32_t minute : 6, hour : 5, day : 5, week : 3;
    uint32_t match : 13; /* waited for: the low bits of the minutes since the epoch */
} hperiod_t;

struct __attribute__((aligned(32))) htimer_s {
    uint64_t stamp; /* see set_stamp */
    uint32_t repeat;
    union {
        uint32_t interval_ms;
        hperiod_t period;
    };
    hevent_cb cb __attribute__((aligned(8)));
    void *userdata __attribute__((aligned(8)));
};

_Static_assert(sizeof(void *) == 8 || __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
               "the stamp is odd where an event has the low bits of its loop's address");
_Static_assert(sizeof(struct htimer_s) == 32, "two timers share a cache line");
_Static_assert(offsetof(struct htimer_s, cb) == offsetof(hevent_t, cb), "as in any event");
_Static_assert(offsetof(struct htimer_s, userdata) == offsetof(hevent_t, userdata),
               "as in any event");

/* Another thread may ask for the timer's loop: see hevent.c. */
static inline void set_stamp(htimer_t *timer, uint64_t stamp)
{
    __atomic_store_n(&timer->stamp, stamp, __ATOMIC_RELAXED);
}

static inline uint64_t stamp_of(uint64_t deadline_ns)
{
    return deadline_ns << 1 | 1;
}

/* ns, monotonic. The timer is armed. */
static inline uint64_t deadline_of(const htimer_t *timer)
{
    return timer->stamp >> 1;
}

static inline hslab_chunk_t *chunk_of(const htimer_t *timer)
{
    return hslab_chunk_of(timer, sizeof(*timer));
}

static inline uint32_t slot_of(const htimer_t *timer)
{
    return hslab_slot_of(timer, sizeof(*timer));
}

static inline htimers_t *timers_of(const htimer_t *timer)
{
    return HLIST_ENTRY(chunk_of(timer)->slab, htimers_t, slab);
}

static inline htimer_t *timer_at(const htimers_t *timers, uint32_t slot)
{
    return hslab_get(&timers->slab, slot);
}

/* htimer_heap.c */

/* Invariant: the heap has room for an entry of every slot that is taken and all stale ones, so that
 * no timer is ever left without. This makes room for n more. 0 or -ENOMEM. */
int htimer__make_room(htimers_t *timers, size_t n);

/* Room for n due ones. False: no memory. */
bool htimer__reserve_due(htimers_t *timers, size_t n);

/* Keeps only live entries, each with its true key. Linear. */
void htimer__sweep(htimers_t *timers);

#endif
