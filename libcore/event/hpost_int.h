/* hpost: the queue by which other threads hand events to a loop: many producers, one consumer.
 *
 * A ring of sequenced slots carries posts without locks or allocation. When it is full, posts
 * go to an overflow list until the consumer has emptied both, so that the posts of one thread
 * stay in order. */
#ifndef HNET_EVENT_HPOST_INT_H
#define HNET_EVENT_HPOST_INT_H

#include "hevent.h"

#include <stdatomic.h>
#include <stdbool.h>

#define HPOST_RING_SIZE 4096u

struct hpost_slot_s;
struct hpost_node_s;

typedef struct hpost_queue_s {
    _Atomic(struct hpost_slot_s *) ring;     /* made by the first post */
    _Atomic uint32_t tail;                   /* next slot to fill */
    char pad[56];                            /* the consumer's line apart from the producers' */
    uint32_t head;                           /* next slot to empty */
    _Atomic(struct hpost_node_s *) overflow; /* newest first */
    struct hpost_node_s *draining;           /* taken from overflow, oldest first */
    atomic_bool asleep;                      /* the consumer waits, or is about to */
} hpost_queue_t;

void hpost_init(hpost_queue_t *queue);
void hpost_deinit(hpost_queue_t *queue);

/* Any thread. 1: queued, and the consumer must be woken; 0: queued; -ENOMEM. */
int hpost_push(hpost_queue_t *queue, const hevent_t *ev);

/* The consumer: the oldest event into *ev, false if there is none. */
bool hpost_pop(hpost_queue_t *queue, hevent_t *ev);
bool hpost_is_empty(const hpost_queue_t *queue);

/* The consumer is about to wait: false, and it must not, if something was posted meanwhile. */
bool hpost_sleep(hpost_queue_t *queue);
void hpost_awake(hpost_queue_t *queue);

#endif
