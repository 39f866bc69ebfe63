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

#include <pthread.h>
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
    hheap_t heap;       /* entries may be stale: see htimer.c */
    uint64_t fresh_min; /* no deadline of a fresh one is below; UINT64_MAX: there is none */
    hheap_entry_t *due; /* of this iteration, in firing order; as much room again behind due_cap */
    size_t due_n;
    size_t due_cap;
    size_t stale;
    uint32_t order; /* of the last entry */
} htimers_t;

struct hloop_s {
    /* hot: touched by every event */
    uint64_t now_ns;
    uint64_t clock_until; /* once now_ns is there, the clock is read again */
    uint32_t clock_reads; /* since the running callback began */
    bool closing_down;
    bool idles_running;
    bool signals_running;
    uint32_t priorities; /* bit p: some event has priority p - 5 */
    hready_t *ready;
    size_t ready_n;
    size_t ready_cap;
    char *read_buf; /* within read_memory, which is the allocation */
    char *read_memory;
    size_t read_size;
    char *file_buf; /* for files that the kernel cannot send; made when first needed */
    hlist_t work;   /* hio with something to do at the end of the iteration */
    hio_t *current; /* the hio whose callbacks run: it cannot leave the loop now */
    hloop_stats_t stats;
    htimers_t timers;

    const hpoller_t *poller;
    void *poller_ctx;
    hio_t **fds; /* by descriptor */
    size_t fds_cap;
    hslot_t *slots;
    uint32_t slots_cap;
    uint32_t slots_free; /* head of the free list, UINT32_MAX: none */
    hlist_t free_ios;    /* oldest first: memory is reused as late as possible */
    hlist_t always;      /* hio that cannot be polled and are always ready */
    uint32_t always_n;   /* of them, with an interest */
    hlist_t idles;
    hlist_t signals;
    hlist_t children;
    int signal_port;
    hpost_queue_t posts;
    hpost_batch_t post_batch; /* what this iteration runs of them */
    hio_t *wake_io;
    int wake_fd;
    int spare_fd; /* given up to shed a connection when descriptors run out */
    struct hdatagram_batch_s *datagrams;
    /* The hio whose accept callback runs, and where it came from: a peer that has gone already has
     * no address any more. */
    hio_t *accepted;
    struct sockaddr_storage accepted_from;
    socklen_t accepted_from_len;

    int flags;
    uint32_t internal_ios;    /* hio of the loop itself: they keep no loop running */
    _Atomic uintptr_t thread; /* pthread_self() of the run, 0 when not running */
    atomic_bool stop;
    long tid;
    hlog_t *log;
    void *userdata;
    uint64_t event_count;
};

/* Backends report readiness with this. A report for a closed hio is dropped later. */
void hloop__ready(hloop_t *loop, hio_t *io, int events);

/* Puts the hio on the work list; bits is a set of HIO_WORK_*. */
void hloop__add_work(hloop_t *loop, hio_t *io, unsigned bits);

/* Whether the caller runs in another thread than the loop does. */
static inline bool hloop__is_foreign(hloop_t *loop)
{
    uintptr_t thread = atomic_load_explicit(&loop->thread, memory_order_relaxed);

    return thread != 0 && thread != (uintptr_t)pthread_self();
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

/* htimer.c */
int htimer__loop_init(hloop_t *loop);
void htimer__loop_deinit(hloop_t *loop);
void htimer__collect(hloop_t *loop);                          /* what is due now */
void htimer__run(hloop_t *loop, int priority);                /* of what was collected */
void htimer__put_back(hloop_t *loop);                         /* what no priority has run */
int64_t htimer__wait_ns(hloop_t *loop);                       /* until the next; -1: none */
void htimer__rearm_at(htimer_t *timer, uint64_t deadline_ns); /* no clock, for activity time-outs */

/* hidle.c, hsignal.c, hchild.c */
bool hidle__run(hloop_t *loop);
void hidle__loop_deinit(hloop_t *loop);
void hsignal__run(hloop_t *loop, int priority);
bool hsignal__is_pending(const hloop_t *loop); /* one came since they ran last */
void hsignal__put_back(hloop_t *loop);
void hsignal__loop_deinit(hloop_t *loop);
void hchild__loop_deinit(hloop_t *loop);

#endif
