/* hpost: the queue by which other threads hand events to a loop: many producers, one consumer.
 *
 * Posts lie in blocks, one behind the other. Producers fill the last block in turns, under a lock
 * that is held for a few stores; the consumer follows without it and runs posts where they lie.
 *
 * What such a queue costs are the cache lines that go from one processor to the other. So a post is
 * its userdata, eight to a line; what else belongs to it is said once for all in a row that have it
 * in common. Apart from that the consumer takes one line whenever it looks for posts. */
#ifndef HNET_EVENT_HPOST_INT_H
#define HNET_EVENT_HPOST_INT_H

#include "hevent.h"

#include <stdatomic.h>
#include <stdbool.h>

#define HPOST_BLOCK_SIZE 1024u /* posts; no batch has more */

struct hpost_block_s;

/* What of an event goes to the other side beside its userdata. */
typedef struct hpost_kind_s {
    hevent_cb cb;
    hevent_type_e event_type;
    int8_t priority;
} hpost_kind_t;

/* Posts of one kind, from start to where the next run starts. */
typedef struct hpost_run_s {
    hpost_kind_t kind;
    uint32_t start;
} hpost_run_t;

/* The posts from start to end - 1. The first run may have begun before, and may end with it. */
typedef struct hpost_batch_s {
    void *const *userdata;
    const hpost_run_t *runs;
    uint32_t runs_n; /* 0: no posts */
    uint32_t start;
    uint32_t end;
} hpost_batch_t;

/* Apart by cache lines: what the consumer writes, and what producers do. */
typedef struct hpost_queue_s {
    _Atomic(struct hpost_block_s *) spare; /* one that is empty again */
    struct hpost_block_s *first;           /* the one that is being emptied */
    uint32_t taken;                        /* posts of it */
    uint32_t taken_run;                    /* the run of the last one taken */
    char pad1[64];
    atomic_bool locked;         /* by a producer, or by the consumer to fall asleep */
    atomic_bool asleep;         /* the consumer waits, or is about to; set under the lock */
    struct hpost_block_s *last; /* the one that is being filled */
    char pad2[64];
} hpost_queue_t;

/* 0 or -ENOMEM. */
int hpost_init(hpost_queue_t *queue);
void hpost_deinit(hpost_queue_t *queue);

/* Any thread. 1: queued, and the consumer must be woken; 0: queued; -ENOMEM. */
int hpost_push(hpost_queue_t *queue, hpost_kind_t kind, void *userdata);

/* The consumer: the oldest posts, as many as are there and lie in one block. The batch is valid
 * until the next call. */
hpost_batch_t hpost_take(hpost_queue_t *queue);

/* The consumer, before it looks again: waits a quarter of a microsecond if the batch was a piece of
 * a stream. A look takes the line that is being filled from the producer, and what it costs to get
 * it back is shared by the posts between two looks. Nothing waits behind single posts, or behind
 * batches that took as long to run. */
void hpost_pause(const hpost_batch_t *batch);

bool hpost_is_empty(const hpost_queue_t *queue);

/* Where a batch's run ends: its index is below runs_n. */
static inline uint32_t hpost_run_end(const hpost_batch_t *batch, uint32_t index)
{
    return index + 1 < batch->runs_n ? batch->runs[index + 1].start : batch->end;
}

/* The consumer is about to wait: false, and it must not, if something was posted meanwhile. */
bool hpost_sleep(hpost_queue_t *queue);

/* After a wait that hpost_sleep allowed: whether something was posted meanwhile. */
static inline bool hpost_awake(hpost_queue_t *queue)
{
    if (!atomic_load_explicit(&queue->asleep, memory_order_acquire))
        return true;
    atomic_store_explicit(&queue->asleep, false, memory_order_relaxed);
    return false;
}

#endif
