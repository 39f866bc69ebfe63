#include "hpost_int.h"

#include "../base/hmem.h"

#include <errno.h>
#include <string.h>

#define MASK (HPOST_RING_SIZE - 1)

/* sequence == position: free for the producer of that position; position + 1: filled. */
typedef struct hpost_slot_s {
    _Atomic uint32_t sequence;
    hevent_t event;
} hpost_slot_t;

/* after: what the ring held when this was posted comes before it, what came into it
 * later, after it. */
typedef struct hpost_node_s {
    struct hpost_node_s *next;
    uint32_t after;
    hevent_t event;
} hpost_node_t;

void hpost_init(hpost_queue_t *queue)
{
    memset(queue, 0, sizeof(*queue));
}

void hpost_deinit(hpost_queue_t *queue)
{
    hevent_t ev;

    while (hpost_pop(queue, &ev))
        ;
    hmem_free(atomic_load(&queue->ring));
    hpost_init(queue);
}

/* The first post makes the ring; of two first ones the later frees its own. */
static hpost_slot_t *get_ring(hpost_queue_t *queue)
{
    hpost_slot_t *ring = atomic_load_explicit(&queue->ring, memory_order_acquire);
    hpost_slot_t *none = NULL;

    if (ring)
        return ring;
    ring = hmem_alloc(HPOST_RING_SIZE * sizeof(*ring));
    if (!ring)
        return NULL;
    for (uint32_t i = 0; i < HPOST_RING_SIZE; i++)
        atomic_init(&ring[i].sequence, i);
    if (atomic_compare_exchange_strong(&queue->ring, &none, ring))
        return ring;
    hmem_free(ring);
    return none;
}

static bool push_ring(hpost_queue_t *queue, hpost_slot_t *ring, const hevent_t *ev)
{
    uint32_t position = atomic_load_explicit(&queue->tail, memory_order_relaxed);

    for (;;) {
        hpost_slot_t *slot = &ring[position & MASK];
        uint32_t sequence = atomic_load_explicit(&slot->sequence, memory_order_acquire);

        if ((int32_t)(sequence - position) < 0)
            return false; /* full: the consumer has not been here for a whole round */
        if (sequence != position) {
            position = atomic_load_explicit(&queue->tail, memory_order_relaxed);
        } else if (atomic_compare_exchange_weak_explicit(&queue->tail, &position, position + 1,
                                                         memory_order_relaxed,
                                                         memory_order_relaxed)) {
            slot->event = *ev;
            atomic_store(&slot->sequence, position + 1); /* ordered before the look at asleep */
            return true;
        }
    }
}

static bool push_overflow(hpost_queue_t *queue, const hevent_t *ev)
{
    hpost_node_t *node = hmem_alloc(sizeof(*node));

    if (!node)
        return false;
    node->event = *ev;
    node->after = atomic_load(&queue->tail);
    node->next = atomic_load_explicit(&queue->overflow, memory_order_relaxed);
    while (!atomic_compare_exchange_weak(&queue->overflow, &node->next, node))
        ;
    return true;
}

int hpost_push(hpost_queue_t *queue, const hevent_t *ev)
{
    hpost_slot_t *ring = get_ring(queue);

    if (!ring)
        return -ENOMEM;
    if (atomic_load_explicit(&queue->overflow, memory_order_acquire) ||
        !push_ring(queue, ring, ev)) {
        if (!push_overflow(queue, ev))
            return -ENOMEM;
    }
    return atomic_load(&queue->asleep) && atomic_exchange(&queue->asleep, false);
}

static bool pop_ring(hpost_queue_t *queue, hevent_t *ev)
{
    hpost_slot_t *ring = atomic_load_explicit(&queue->ring, memory_order_acquire);
    hpost_slot_t *slot;

    if (!ring)
        return false;
    slot = &ring[queue->head & MASK];
    if (atomic_load(&slot->sequence) != queue->head + 1)
        return false;
    *ev = slot->event;
    atomic_store_explicit(&slot->sequence, queue->head + HPOST_RING_SIZE, memory_order_release);
    queue->head++;
    return true;
}

/* Takes the whole overflow list and turns it round: oldest first. */
static void take_overflow(hpost_queue_t *queue)
{
    hpost_node_t *node = atomic_exchange(&queue->overflow, NULL);

    while (node) {
        hpost_node_t *next = node->next;

        node->next = queue->draining;
        queue->draining = node;
        node = next;
    }
}

bool hpost_pop(hpost_queue_t *queue, hevent_t *ev)
{
    hpost_node_t *node = queue->draining;

    if (!node) {
        if (pop_ring(queue, ev))
            return true;
        if (queue->head != atomic_load(&queue->tail))
            return false; /* a producer is about to fill the slot and will wake us if we sleep */
        take_overflow(queue);
        node = queue->draining;
        if (!node)
            return false;
    }
    /* Between the looks at the ring and at the overflow, the ring may have been filled again. */
    if ((int32_t)(node->after - queue->head) > 0)
        return pop_ring(queue, ev);
    queue->draining = node->next;
    *ev = node->event;
    hmem_free(node);
    return true;
}

bool hpost_is_empty(const hpost_queue_t *queue)
{
    hpost_slot_t *ring = atomic_load(&queue->ring);

    if (queue->draining && (int32_t)(queue->draining->after - queue->head) <= 0)
        return false;
    if (queue->head != atomic_load(&queue->tail))
        return atomic_load(&ring[queue->head & MASK].sequence) != queue->head + 1;
    return !atomic_load(&queue->overflow);
}

bool hpost_sleep(hpost_queue_t *queue)
{
    atomic_store(&queue->asleep, true);
    if (hpost_is_empty(queue))
        return true;
    atomic_store(&queue->asleep, false);
    return false;
}

void hpost_awake(hpost_queue_t *queue)
{
    atomic_store_explicit(&queue->asleep, false, memory_order_relaxed);
}
