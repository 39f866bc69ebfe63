#include "hpost_int.h"

#include "../base/hmem.h"

#include <errno.h>
#include <string.h>

#define MASK (HPOST_RING_SIZE - 1)
#define CACHE_LINE 64
#define PREFETCH_AHEAD 16u /* slots: their lines are in the consumer's cache */
#define TELL_EVERY 64u     /* slots that the consumer empties before it tells producers */
#define BLOCK_EVENTS 256u
#define SPINS_MAX 1000 /* looks at a slot that is being filled */

typedef struct hpost_slot_s {
    _Atomic uint32_t filled; /* position + 1 of what is in it */
    hevent_t event;
    char pad[CACHE_LINE - sizeof(uint64_t) - sizeof(hevent_t)];
} hpost_slot_t;

typedef struct hpost_ring_s {
    void *memory; /* the allocation, before alignment */
    char pad[CACHE_LINE - sizeof(void *)];
    hpost_slot_t slots[HPOST_RING_SIZE];
} hpost_ring_t;

_Static_assert(sizeof(hpost_slot_t) == CACHE_LINE, "no two slots share a cache line");

typedef struct hpost_block_s {
    struct hpost_block_s *next;
    uint32_t n;
    hevent_t events[BLOCK_EVENTS];
} hpost_block_t;

void hpost_init(hpost_queue_t *queue)
{
    memset(queue, 0, sizeof(*queue));
    pthread_mutex_init(&queue->mutex, NULL);
}

void hpost_deinit(hpost_queue_t *queue)
{
    hpost_ring_t *ring = atomic_load(&queue->ring);
    hevent_t ev;

    while (hpost_pop(queue, &ev))
        ;
    if (ring)
        hmem_free(ring->memory);
    pthread_mutex_destroy(&queue->mutex);
    hpost_init(queue);
}

/* The first post makes the ring; of two first ones the later frees its own. */
static hpost_ring_t *make_ring(hpost_queue_t *queue)
{
    hpost_ring_t *ring, *none = NULL;
    void *memory = hmem_alloc(sizeof(*ring) + CACHE_LINE - 1);

    if (!memory)
        return NULL;
    ring = (hpost_ring_t *)((char *)memory + (-(uintptr_t)memory & (CACHE_LINE - 1)));
    ring->memory = memory;
    for (uint32_t i = 0; i < HPOST_RING_SIZE; i++)
        atomic_init(&ring->slots[i].filled, 0);
    if (atomic_compare_exchange_strong(&queue->ring, &none, ring))
        return ring;
    hmem_free(memory);
    return none;
}

static bool push_ring(hpost_queue_t *queue, hpost_ring_t *ring, const hevent_t *ev)
{
    uint32_t position = atomic_load_explicit(&queue->tail, memory_order_relaxed);
    hpost_slot_t *slot;

    do {
        uint32_t emptied = atomic_load_explicit(&queue->emptied, memory_order_acquire);

        if ((int32_t)(position - emptied) >= (int32_t)HPOST_RING_SIZE)
            return false;
    } while (!atomic_compare_exchange_weak(&queue->tail, &position, position + 1));
    __builtin_prefetch(&ring->slots[(position + PREFETCH_AHEAD) & MASK], 1);
    slot = &ring->slots[position & MASK];
    slot->event = *ev;
    atomic_store_explicit(&slot->filled, position + 1, memory_order_release);
    return true;
}

/* The last block, or a new one when it is full. */
static hpost_block_t *block_with_room(hpost_queue_t *queue)
{
    hpost_block_t *block = queue->last;

    if (block && block->n < BLOCK_EVENTS)
        return block;
    block = hmem_alloc(sizeof(*block));
    if (!block)
        return NULL;
    block->next = NULL;
    block->n = 0;
    if (queue->last)
        queue->last->next = block;
    else
        queue->first = block;
    queue->last = block;
    return block;
}

static bool push_overflow(hpost_queue_t *queue, const hevent_t *ev)
{
    hpost_block_t *block;

    pthread_mutex_lock(&queue->mutex);
    block = block_with_room(queue);
    if (block) {
        block->events[block->n++] = *ev;
        atomic_store(&queue->overflowing, true); /* ordered before the look at asleep */
    }
    pthread_mutex_unlock(&queue->mutex);
    return block != NULL;
}

int hpost_push(hpost_queue_t *queue, const hevent_t *ev)
{
    hpost_ring_t *ring = atomic_load_explicit(&queue->ring, memory_order_acquire);

    if (!ring)
        ring = make_ring(queue);
    if (!ring)
        return -ENOMEM;
    if (atomic_load_explicit(&queue->overflowing, memory_order_acquire) ||
        !push_ring(queue, ring, ev)) {
        if (!push_overflow(queue, ev))
            return -ENOMEM;
    }
    return atomic_load(&queue->asleep) && atomic_exchange(&queue->asleep, false);
}

static inline void tell_emptied(hpost_queue_t *queue)
{
    atomic_store_explicit(&queue->emptied, queue->head, memory_order_release);
}

static bool pop_ring(hpost_queue_t *queue, hevent_t *ev)
{
    hpost_ring_t *ring = atomic_load_explicit(&queue->ring, memory_order_acquire);
    hpost_slot_t *slot;

    if (!ring)
        return false;
    slot = &ring->slots[queue->head & MASK];
    if (atomic_load(&slot->filled) != queue->head + 1) {
        tell_emptied(queue);
        return false;
    }
    *ev = slot->event;
    if (++queue->head % TELL_EVERY == 0)
        tell_emptied(queue);
    return true;
}

/* Takes all blocks. Who posted to them may have posted to the ring before, also since the consumer
 * found it empty: those slots come first. What comes into the ring from now on comes after. */
static bool take_overflow(hpost_queue_t *queue)
{
    if (!atomic_load(&queue->overflowing))
        return false;
    pthread_mutex_lock(&queue->mutex);
    queue->draining = queue->first;
    queue->first = queue->last = NULL;
    queue->drained = 0;
    queue->drain_after = atomic_load(&queue->tail);
    atomic_store(&queue->overflowing, false);
    pthread_mutex_unlock(&queue->mutex);
    return true;
}

static void pop_block(hpost_queue_t *queue, hevent_t *ev)
{
    hpost_block_t *block = queue->draining;

    *ev = block->events[queue->drained++];
    if (queue->drained < block->n)
        return;
    queue->draining = block->next;
    queue->drained = 0;
    hmem_free(block);
}

bool hpost_pop(hpost_queue_t *queue, hevent_t *ev)
{
    if (!queue->draining) {
        if (pop_ring(queue, ev))
            return true;
        if (queue->head != atomic_load(&queue->tail))
            return false; /* a producer is about to fill the slot: hpost_is_coming */
        if (!take_overflow(queue))
            return false;
    }
    if ((int32_t)(queue->drain_after - queue->head) > 0)
        return pop_ring(queue, ev);
    pop_block(queue, ev);
    return true;
}

bool hpost_is_empty(const hpost_queue_t *queue)
{
    const hpost_ring_t *ring = atomic_load(&queue->ring);

    if (queue->draining && (int32_t)(queue->drain_after - queue->head) <= 0)
        return false;
    if (queue->head != atomic_load(&queue->tail))
        return atomic_load(&ring->slots[queue->head & MASK].filled) != queue->head + 1;
    return !atomic_load(&queue->overflowing);
}

/* A producer claims a slot and then looks at asleep; here asleep is set and then the claims are
 * looked at. So one sees the other: a slot that is claimed later comes with a wake-up; one that was
 * claimed before is seen here, and is most likely filled in a moment. */
bool hpost_sleep(hpost_queue_t *queue)
{
    atomic_store(&queue->asleep, true);
    for (int i = 0; i < SPINS_MAX && hpost_is_empty(queue); i++) {
        if (!hpost_is_coming(queue))
            return true;
    }
    if (hpost_is_empty(queue))
        return true;
    atomic_store_explicit(&queue->asleep, false, memory_order_relaxed);
    return false;
}

bool hpost_is_coming(const hpost_queue_t *queue)
{
    return queue->head != atomic_load(&queue->tail);
}

void hpost_awake(hpost_queue_t *queue)
{
    if (atomic_load_explicit(&queue->asleep, memory_order_relaxed))
        atomic_store_explicit(&queue->asleep, false, memory_order_relaxed);
}
