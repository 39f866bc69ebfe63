/* hpost: the queue by which other threads hand events to a loop: many producers, one consumer.
 *
 * A ring carries posts without locks or allocation. When the consumer is behind by the whole ring,
 * posts go to blocks under a mutex until it has taken those, so that the posts of one thread stay
 * in order. */
#ifndef HNET_EVENT_HPOST_INT_H
#define HNET_EVENT_HPOST_INT_H

#include "hevent.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#define HPOST_RING_SIZE 4096u

struct hpost_ring_s;
struct hpost_block_s;

/* Apart by cache lines: what all read and few write, what producers write, what the consumer. */
typedef struct hpost_queue_s {
    _Atomic(struct hpost_ring_s *) ring; /* made by the first post */
    atomic_bool overflowing;             /* there are blocks; set and cleared under the mutex */
    atomic_bool asleep;                  /* the consumer waits, or is about to */
    char pad1[64];
    _Atomic uint32_t tail; /* next slot to fill */
    char pad2[64];
    _Atomic uint32_t emptied; /* slots before this one are free again: head, told now and then */
    char pad3[64];
    uint32_t head;                  /* next slot to empty */
    uint32_t drain_after;           /* slots before this one come before what is drained */
    struct hpost_block_s *draining; /* taken from the overflow, oldest first */
    uint32_t drained;               /* of the first block */
    char pad4[64];
    pthread_mutex_t mutex; /* of the two */
    struct hpost_block_s *first;
    struct hpost_block_s *last;
} hpost_queue_t;

void hpost_init(hpost_queue_t *queue);
void hpost_deinit(hpost_queue_t *queue);

/* Any thread. 1: queued, and the consumer must be woken; 0: queued; -ENOMEM. */
int hpost_push(hpost_queue_t *queue, const hevent_t *ev);

/* The consumer: the oldest event into *ev, false if there is none. */
bool hpost_pop(hpost_queue_t *queue, hevent_t *ev);
bool hpost_is_empty(const hpost_queue_t *queue);

/* The consumer is about to wait: false, and it must not, if something was posted meanwhile. When it
 * is true and hpost_is_coming too, a producer was interrupted within its post, which may come
 * without a wake-up: the consumer may only nap. */
#define HPOST_NAP_NS 1000000
bool hpost_sleep(hpost_queue_t *queue);
bool hpost_is_coming(const hpost_queue_t *queue);
void hpost_awake(hpost_queue_t *queue);

#endif
