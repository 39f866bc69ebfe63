#include "hpost_int.h"

#include "../base/hmem.h"
#include "../base/htime.h"

#include <errno.h>
#include <sched.h>
#include <string.h>
#include <time.h>

/* The lock is free in a moment, unless its owner was interrupted; sched_yield does not let that one
 * run if its priority is lower. */
#define SPINS_MAX 100
#define YIELDS_MAX 1000
#define NAP_NS 50000

#define STREAM_MIN 4
#define STREAM_MAX 64 /* so many take as long to run as the pause lasts */
#define PAUSE_NS 250

#define LINE_POSTS (64 / sizeof(void *))

#define RUNS_SHIFT 16
#define POSTS_MASK ((1u << RUNS_SHIFT) - 1)

_Static_assert(HPOST_BLOCK_SIZE <= POSTS_MASK, "both numbers fit");

typedef struct hpost_block_s {
    _Atomic(struct hpost_block_s *) next;
    _Atomic uint32_t filled; /* posts, and how many runs they make: both at once */
    hpost_run_t runs[HPOST_BLOCK_SIZE];
    void *userdata[HPOST_BLOCK_SIZE];
} hpost_block_t;

/* ---- the processor --------------------------------------------------------------------------- */

static inline void relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

/* A hint: this processor is about to write there. Without it the line comes only with the write,
 * and the next atomic operation waits for it. (The builtin asks for no more than to read, unless it
 * is told of a processor that has prefetchw; those that have not ignore it.) */
static inline void ask_for_line(void *address)
{
#if defined(__x86_64__)
    __asm__ volatile("prefetchw %0" : : "m"(*(char *)address));
#else
    __builtin_prefetch(address, 1);
#endif
}

/* ---- the lock -------------------------------------------------------------------------------- */

static __attribute__((noinline)) void wait_for_lock(hpost_queue_t *queue)
{
    const struct timespec nap = {0, NAP_NS};

    for (int i = 0; atomic_load_explicit(&queue->locked, memory_order_relaxed) ||
                    atomic_exchange_explicit(&queue->locked, true, memory_order_acquire);
         i++) {
        if (i >= SPINS_MAX + YIELDS_MAX)
            nanosleep(&nap, NULL);
        else if (i >= SPINS_MAX)
            sched_yield();
    }
}

/* A mutex costs three times as much where nobody has to wait for it, and that is nearly always. */
static inline void lock(hpost_queue_t *queue)
{
    if (atomic_exchange_explicit(&queue->locked, true, memory_order_acquire))
        wait_for_lock(queue);
}

static inline void unlock(hpost_queue_t *queue)
{
    atomic_store_explicit(&queue->locked, false, memory_order_release);
}

/* ---- blocks ---------------------------------------------------------------------------------- */

static hpost_block_t *new_block(hpost_queue_t *queue)
{
    hpost_block_t *block = atomic_exchange(&queue->spare, NULL);

    if (!block)
        block = hmem_alloc(sizeof(*block));
    if (!block)
        return NULL;
    atomic_init(&block->next, NULL);
    atomic_init(&block->filled, 0);
    return block;
}

int hpost_init(hpost_queue_t *queue)
{
    memset(queue, 0, sizeof(*queue));
    queue->first = queue->last = new_block(queue);
    return queue->first ? 0 : -ENOMEM;
}

void hpost_deinit(hpost_queue_t *queue)
{
    hpost_block_t *block, *next;

    for (block = queue->first; block; block = next) {
        next = atomic_load(&block->next);
        hmem_free(block);
    }
    hmem_free(atomic_load(&queue->spare));
    memset(queue, 0, sizeof(*queue));
}

/* ---- producers ------------------------------------------------------------------------------- */

static inline bool is_same(const hpost_kind_t *a, const hpost_kind_t *b)
{
    return a->cb == b->cb && a->event_type == b->event_type && a->priority == b->priority;
}

/* False: the block is full. */
static inline bool append(hpost_block_t *block, hpost_kind_t kind, void *userdata)
{
    uint32_t filled = atomic_load_explicit(&block->filled, memory_order_relaxed);
    uint32_t n = filled & POSTS_MASK, runs_n = filled >> RUNS_SHIFT;

    if (n == HPOST_BLOCK_SIZE)
        return false;
    if (runs_n == 0 || !is_same(&block->runs[runs_n - 1].kind, &kind))
        block->runs[runs_n++] = (hpost_run_t){kind, n};
    if (n % LINE_POSTS == 0 && n + LINE_POSTS < HPOST_BLOCK_SIZE)
        ask_for_line(&block->userdata[n + LINE_POSTS]);
    block->userdata[n++] = userdata;
    atomic_store_explicit(&block->filled, runs_n << RUNS_SHIFT | n, memory_order_release);
    return true;
}

static __attribute__((noinline)) int append_block(hpost_queue_t *queue, hpost_kind_t kind,
                                                  void *userdata)
{
    hpost_block_t *block = new_block(queue);

    if (!block)
        return -ENOMEM;
    append(block, kind, userdata);
    atomic_store_explicit(&queue->last->next, block, memory_order_release);
    queue->last = block;
    return 0;
}

int hpost_push(hpost_queue_t *queue, hpost_kind_t kind, void *userdata)
{
    int rc = 0;

    lock(queue);
    if (!append(queue->last, kind, userdata))
        rc = append_block(queue, kind, userdata);
    if (rc == 0 && atomic_load_explicit(&queue->asleep, memory_order_relaxed)) {
        atomic_store_explicit(&queue->asleep, false, memory_order_release);
        rc = 1;
    }
    unlock(queue);
    return rc;
}

/* ---- the consumer ---------------------------------------------------------------------------- */

/* The first block was taken whole: on to the next one, if there is one already. */
static void leave_block(hpost_queue_t *queue)
{
    hpost_block_t *block = queue->first;
    hpost_block_t *next = atomic_load_explicit(&block->next, memory_order_acquire);

    if (!next)
        return;
    queue->first = next;
    queue->taken = 0;
    queue->taken_run = 0;
    hmem_free(atomic_exchange(&queue->spare, block));
}

hpost_batch_t hpost_take(hpost_queue_t *queue)
{
    hpost_batch_t batch = {0};
    uint32_t filled;

    if (queue->taken == HPOST_BLOCK_SIZE)
        leave_block(queue);
    filled = atomic_load_explicit(&queue->first->filled, memory_order_acquire);
    if ((filled & POSTS_MASK) == queue->taken)
        return batch;
    batch.userdata = queue->first->userdata;
    batch.runs = queue->first->runs + queue->taken_run;
    batch.runs_n = (filled >> RUNS_SHIFT) - queue->taken_run;
    batch.start = queue->taken;
    batch.end = filled & POSTS_MASK;
    queue->taken_run += batch.runs_n - 1;
    queue->taken = batch.end;
    return batch;
}

void hpost_pause(const hpost_batch_t *batch)
{
    uint32_t n = batch->end - batch->start;
    uint64_t end_ns;

    if (n < STREAM_MIN || n >= STREAM_MAX)
        return;
    end_ns = htime_monotonic_ns() + PAUSE_NS;
    do
        relax();
    while (htime_monotonic_ns() < end_ns);
}

bool hpost_is_empty(const hpost_queue_t *queue)
{
    const hpost_block_t *block = queue->first;

    if (queue->taken == HPOST_BLOCK_SIZE)
        return !atomic_load_explicit(&block->next, memory_order_relaxed);
    return (atomic_load_explicit(&block->filled, memory_order_relaxed) & POSTS_MASK) ==
           queue->taken;
}

/* A producer posts and looks at asleep, both under the lock: so it has either posted before this,
 * and is seen here, or it comes after, and sees that there is somebody to wake. */
bool hpost_sleep(hpost_queue_t *queue)
{
    bool is_empty = hpost_is_empty(queue);

    if (!is_empty)
        return false;
    lock(queue);
    is_empty = hpost_is_empty(queue);
    atomic_store_explicit(&queue->asleep, is_empty, memory_order_relaxed);
    unlock(queue);
    return is_empty;
}
