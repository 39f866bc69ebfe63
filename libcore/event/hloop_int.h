/* The loop's inside, for the files of event/ only. */
#ifndef HNET_EVENT_HLOOP_INT_H
#define HNET_EVENT_HLOOP_INT_H

#include "../base/hheap.h"
#include "../base/hlist.h"
#include "../base/hslab.h"
#include "../base/htime.h"
#include "hio_ops.h"
#include "hpost_int.h"
#include "htimer.h"
#include "poller.h"

#include <stdatomic.h>

#define HLOOP_READ_SIZE (64 * 1024)
#define HLOOP_FDS_MAX (1 << 24)
#define HLOOP_CLOCK_READS 8  /* so many uses of a callback read the clock each */
#define HLOOP_CLOCK_USES 256 /* from then on one read serves so many */

typedef struct hready_s {
    hio_t *io;
    int events;
} hready_t;

/* Names a connection for other threads: a slot is reused, its generation never. */
typedef struct hslot_s {
    hio_t *io;
    uint32_t generation;
    uint32_t next_free;
} hslot_t;

typedef struct htimers_s {
    hslab_t slab;       /* a timer that is marked there is fresh: it has no entry in the heap yet */
    hheap_t heap;       /* entries may be stale: see htimer_heap.c */
    uint64_t fresh_min; /* no deadline of a fresh one is below; UINT64_MAX: there is none */
    size_t due_n;
    hheap_entry_t *due; /* of this iteration, in firing order; as much room again behind due_cap */
    size_t due_cap;
    size_t stale;
    uint32_t order; /* of the last entry */
} htimers_t;

struct hloop_s {
    /* Touched by every iteration: after a system call each further cache line is felt. */
    uint64_t now_ns;
    uint64_t clock_until; /* once now_ns is there, the clock is read again */
    uint32_t clock_reads; /* since the running callback began */
    bool clock_due;       /* nobody has asked for the time in this iteration */
    bool closing_down;
    bool idles_running;
    bool signals_running;
    uint32_t priorities; /* bit p: some event has priority p - 5 */
    uint32_t always_n;   /* hio of always, with an interest */
    hready_t *ready;
    uint32_t ready_n;
    uint32_t ready_cap;
    const hpoller_t *poller;
    void *poller_ctx;
    hlist_t work;   /* hio with something to do at the end of the iteration */
    hio_t *current; /* the hio whose callbacks run: it cannot leave the loop now */
    char *read_buf; /* within read_memory, which is the allocation */
    size_t read_size;
    _Atomic uintptr_t thread; /* hloop__this_thread of the run, 0 when not running */
    atomic_bool stop;
    int flags;
    int signal_port;
    hlist_t idles;
    hpost_batch_t post_batch; /* what this iteration runs of the posts */
    hloop_stats_t stats;
    htimers_t timers;
    hpost_queue_t posts;

    hio_t **fds; /* by descriptor */
    size_t fds_cap;
    hslot_t *slots;
    uint32_t slots_cap;
    uint32_t slots_free; /* head of the free list, UINT32_MAX: none */
    hlist_t free_ios;    /* oldest first: memory is reused as late as possible */
    hlist_t always;      /* hio that cannot be polled and are always ready */
    hlist_t signals;
    hlist_t children;
    char *read_memory;
    char *file_buf; /* for files that the kernel cannot send; made when first needed */
    hio_t *wake_io;
    int wake_fd;
    int spare_fd; /* given up to shed a connection when descriptors run out */
    struct hdatagram_batch_s *datagrams;
    /* The hio whose accept callback runs, and where it came from: a peer that has gone already has
     * no address any more. */
    hio_t *accepted;
    struct sockaddr_storage accepted_from;
    socklen_t accepted_from_len;
    uint32_t internal_ios; /* hio of the loop itself: they keep no loop running */
    long tid;
    hlog_t *log;
    void *userdata;
    uint64_t event_count;
};

/* Doubles the room for reports. False: no memory. */
bool hloop__grow_ready(hloop_t *loop);

/* Backends report readiness with this. A report for a closed hio is dropped later. Without memory
 * it is dropped too: level-triggered, it is made again, and those that fit make room. */
static inline void hloop__ready(hloop_t *loop, hio_t *io, int events)
{
    if (__builtin_expect(loop->ready_n == loop->ready_cap, 0) && !hloop__grow_ready(loop))
        return;
    loop->ready[loop->ready_n++] = (hready_t){io, events};
}

/* Puts the hio on the work list; bits is a set of HIO_WORK_*. */
void hloop__add_work(hloop_t *loop, hio_t *io, unsigned bits);

extern _Thread_local const char hloop__thread_mark;

/* Tells threads apart as pthread_self does, without a call: each write asks. */
static inline uintptr_t hloop__this_thread(void)
{
    return (uintptr_t)&hloop__thread_mark;
}

/* Whether the caller runs in another thread than the loop does. */
static inline bool hloop__is_foreign(hloop_t *loop)
{
    uintptr_t thread = atomic_load_explicit(&loop->thread, memory_order_relaxed);

    return thread != 0 && thread != hloop__this_thread();
}

/* hloop.c: brings now_ns up to date. */
void hloop__read_clock(hloop_t *loop);

static inline bool hloop__is_clock_good(const hloop_t *loop)
{
    return loop->now_ns < loop->clock_until;
}

/* The clock for timers. A read costs 20 ns, adding a timer 4: a callback that makes few calls has
 * the clock read by each, as it may work for long in between; one that makes many has it read by
 * some. Each use finds it 1 ns later, so that equal time-outs have deadlines in the order of the
 * calls; no use takes less, so it does not run ahead. */
static inline uint64_t hloop__now(hloop_t *loop)
{
    if (__builtin_expect(!hloop__is_clock_good(loop), 0))
        hloop__read_clock(loop);
    return loop->now_ns++;
}

/* Before each callback of the program: it may run long before it asks for a timer. */
static inline void hloop__enter(hloop_t *loop)
{
    loop->clock_until = 0;
    loop->clock_reads = 0;
}

/* After each callback: it may have run long since. The loop itself never does. */
static inline void hloop__leave(hloop_t *loop)
{
    loop->clock_until = 0;
    loop->clock_reads = HLOOP_CLOCK_READS;
}

static inline uint32_t hloop__priority_bit(int priority)
{
    return 1u << (priority - HEVENT_LOWEST_PRIORITY);
}

/* hevent.c: to -5..5. */
int8_t hevent__clamp(int priority);

/* htimer.c, htimer_heap.c */
int htimer__loop_init(hloop_t *loop);
void htimer__loop_deinit(hloop_t *loop);
void htimer__collect_some(hloop_t *loop);
void htimer__run_due(hloop_t *loop, int priority);
int64_t htimer__wait_for_some(hloop_t *loop);
void htimer__put_back(hloop_t *loop);                         /* what no priority has run */
void htimer__rearm_at(htimer_t *timer, uint64_t deadline_ns); /* no clock, for activity time-outs */
hloop_t *htimer__loop(const htimer_t *timer);
hevent_type_e htimer__type(const htimer_t *timer);
uint64_t htimer__id(htimer_t *timer);
int htimer__priority(const htimer_t *timer);
void htimer__set_priority(htimer_t *timer, int8_t priority);

/* False: there may be some, and all of them deleted since. */
static inline bool htimer__are_none(const hloop_t *loop)
{
    return loop->timers.heap.n == 0 && loop->timers.fresh_min == UINT64_MAX;
}

/* What is due now. */
static inline void htimer__collect(hloop_t *loop)
{
    loop->timers.due_n = 0;
    if (!htimer__are_none(loop))
        htimer__collect_some(loop);
}

/* Runs what was collected. */
static inline void htimer__run(hloop_t *loop, int priority)
{
    if (loop->timers.due_n > 0)
        htimer__run_due(loop, priority);
}

/* Until the next is due; -1: none. */
static inline int64_t htimer__wait_ns(hloop_t *loop)
{
    return htimer__are_none(loop) ? -1 : htimer__wait_for_some(loop);
}

/* hidle.c, hsignal.c, hchild.c */
bool hidle__run(hloop_t *loop);
void hidle__loop_deinit(hloop_t *loop);
bool hsignal__is_port_pending(int port);
void hsignal__run_watchers(hloop_t *loop, int priority);
void hsignal__put_back(hloop_t *loop);
void hsignal__loop_deinit(hloop_t *loop);
void hchild__loop_deinit(hloop_t *loop);

static inline bool hsignal__are_none(const hloop_t *loop)
{
    return loop->signal_port < 0;
}

/* Whether one came since they ran last. */
static inline bool hsignal__is_pending(const hloop_t *loop)
{
    return !hsignal__are_none(loop) && hsignal__is_port_pending(loop->signal_port);
}

static inline void hsignal__run(hloop_t *loop, int priority)
{
    if (!hsignal__are_none(loop))
        hsignal__run_watchers(loop, priority);
}

#endif
