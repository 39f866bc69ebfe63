/* Which timers are due. Their deadlines lie in a 4-ary heap. A timer that is added is only marked
 * in the slab as fresh. Before the loop waits, the fresh ones that are still there get an entry in
 * the heap, or are fired right away: what is deleted or re-armed before that never costs a
 * comparison.
 *
 * A heap entry is only a hint: it says that the timer in this slot, if its tag is still the entry's
 * order, is due no earlier than the entry's key.
 *   - deleting frees the slot and leaves the entry, which is dropped when it surfaces;
 *   - re-arming for later only stores the deadline: the entry is put right when it surfaces;
 *   - re-arming for earlier makes the timer fresh again, and the entry becomes stale.
 * Entries that went stale are swept out once they are three times as many as the live ones. */
#include "../base/hmem.h"
#include "htimer_int.h"

#define DUE_CAP_MIN 64
#define POPS_BEFORE_SWEEP 64 /* so many due ones are popped one by one */
#define SAMPLE 128           /* entries that are looked at to guess how many are due */

static inline bool is_live(const htimers_t *timers, const hheap_entry_t *entry)
{
    return *hslab_tag(&timers->slab, entry->slot) == entry->order;
}

static inline uint32_t next_order(htimers_t *timers)
{
    if (__builtin_expect(++timers->order < TAG_ENTRY_MIN, 0))
        timers->order = TAG_ENTRY_MIN;
    return timers->order;
}

int htimer__make_room(htimers_t *timers, size_t n)
{
    size_t need = (size_t)timers->slab.taken + timers->stale + n;

    return need <= timers->heap.cap ? 0 : hheap_reserve(&timers->heap, need - timers->heap.n);
}

/* The entry, which is the one of its timer from now on. */
static inline hheap_entry_t heeded(htimers_t *timers, hheap_entry_t entry)
{
    *hslab_tag(&timers->slab, entry.slot) = entry.order;
    return entry;
}

/* An entry with the true key in place of one that the timer has outlived. */
static inline hheap_entry_t renewed(htimers_t *timers, const htimer_t *timer, uint32_t slot)
{
    return heeded(timers, (hheap_entry_t){deadline_of(timer), next_order(timers), slot});
}

void htimer__sweep(htimers_t *timers)
{
    hheap_t *heap = &timers->heap;
    size_t kept = 0;

    for (size_t i = 0; i < heap->n; i++) {
        uint32_t slot = heap->entries[i].slot;

        if (is_live(timers, &heap->entries[i]))
            heap->entries[kept++] = renewed(timers, timer_at(timers, slot), slot);
    }
    timers->stale = 0;
    heap->n = kept;
    hheap_rebuild(heap);
}

/* ---- due ------------------------------------------------------------------------------------- */

bool htimer__reserve_due(htimers_t *timers, size_t n)
{
    size_t cap = timers->due_cap ? timers->due_cap : DUE_CAP_MIN;
    hheap_entry_t *due;

    if (n <= timers->due_cap)
        return true;
    while (cap < n)
        cap *= 2;
    due = hmem_realloc(timers->due, 2 * cap * sizeof(*due));
    if (!due)
        return false;
    timers->due = due;
    timers->due_cap = cap;
    return true;
}

/* There is room for it. The entry's key is the deadline, which the timer does not bear then. */
static inline void make_due(htimers_t *timers, htimer_t *timer, hheap_entry_t entry)
{
    *hslab_tag(&timers->slab, entry.slot) = TAG_NONE;
    timers->due[timers->due_n++] = (hheap_entry_t){deadline_of(timer), entry.order, entry.slot};
    set_stamp(timer, STAMP_DUE);
}

/* The entries behind the heap, up to n, become part of it. */
static void settle(hheap_t *heap, size_t n)
{
    if (n - heap->n > heap->n) {
        heap->n = n;
        hheap_rebuild(heap);
    }
    while (heap->n < n)
        hheap_push(heap, heap->entries[heap->n]);
}

/* No timer is fresh any more: those that are due by now are taken, the others get an entry. */
static void collect_fresh(htimers_t *timers, uint64_t now_ns)
{
    hheap_t *heap = &timers->heap;
    size_t n = heap->n;
    hslab_word_t word;

    if (timers->fresh_min == UINT64_MAX)
        return;
    if (timers->fresh_min > now_ns || !htimer__reserve_due(timers, hslab_marked(&timers->slab)))
        now_ns = 0; /* no due ones; without memory they go by way of the heap, which has room */
    timers->fresh_min = UINT64_MAX;
    while (hslab_take_marked(&timers->slab, &word)) {
        for (; word.slots; word.slots &= word.slots - 1) {
            uint32_t bit = (uint32_t)__builtin_ctzll(word.slots);
            htimer_t *timer = (htimer_t *)word.objects + bit;
            hheap_entry_t entry = {deadline_of(timer), next_order(timers), word.first + bit};

            if (entry.key <= now_ns)
                make_due(timers, timer, entry);
            else
                heap->entries[n++] = heeded(timers, entry);
        }
    }
    settle(heap, n);
}

/* What the entry on top of the heap turns out to be. There is room for one more due. */
static void take_top(htimers_t *timers)
{
    hheap_entry_t entry = hheap_pop(&timers->heap);
    htimer_t *timer = timer_at(timers, entry.slot);

    if (!is_live(timers, &entry))
        timers->stale--;
    else if (deadline_of(timer) != entry.key) /* it was re-armed for later */
        hheap_push(&timers->heap, renewed(timers, timer, entry.slot));
    else
        make_due(timers, timer, entry);
}

/* Many are due: one pass over the heap takes them all. False: there is no memory for that. */
static bool take_many(htimers_t *timers, uint64_t now_ns)
{
    hheap_t *heap = &timers->heap;
    size_t kept = 0;

    if (!htimer__reserve_due(timers, timers->due_n + heap->n))
        return false;
    for (size_t i = 0; i < heap->n; i++) {
        hheap_entry_t entry = heap->entries[i];
        htimer_t *timer;

        if (i + HTIMER_PREFETCH_AHEAD < heap->n &&
            is_live(timers, &heap->entries[i + HTIMER_PREFETCH_AHEAD]))
            __builtin_prefetch(timer_at(timers, heap->entries[i + HTIMER_PREFETCH_AHEAD].slot), 1);
        if (entry.key > now_ns) {
            heap->entries[kept++] = entry;
            continue;
        }
        if (!is_live(timers, &entry)) {
            timers->stale--;
            continue;
        }
        timer = timer_at(timers, entry.slot);
        if (deadline_of(timer) > now_ns)
            heap->entries[kept++] = renewed(timers, timer, entry.slot);
        else
            make_due(timers, timer, entry);
    }
    heap->n = kept;
    hheap_rebuild(heap);
    return true;
}

/* Whether it looks as if more than one entry in 32 were due: then popping them costs more than a
 * pass over all. */
static bool are_many_due(const htimers_t *timers, uint64_t now_ns)
{
    size_t due = 0;

    for (size_t i = 0; i < SAMPLE; i++)
        due += timers->heap.entries[i * (timers->heap.n / SAMPLE)].key <= now_ns;
    return due > SAMPLE / 32;
}

static void collect_from_heap(htimers_t *timers, uint64_t now_ns)
{
    const hheap_t *heap = &timers->heap;
    size_t pops_max = POPS_BEFORE_SWEEP + heap->n / 64;

    for (size_t pops = 0; heap->n > 0 && hheap_top(heap)->key <= now_ns; pops++) {
        if (pops == POPS_BEFORE_SWEEP && heap->n > SAMPLE && are_many_due(timers, now_ns))
            pops_max = pops;
        if (pops == pops_max && take_many(timers, now_ns))
            return;
        if (!htimer__reserve_due(timers, timers->due_n + 1))
            return; /* the rest comes with the next iteration */
        take_top(timers);
    }
}

void htimer__collect_some(hloop_t *loop)
{
    htimers_t *timers = &loop->timers;

    hloop__read_clock(loop);
    collect_fresh(timers, loop->now_ns);
    collect_from_heap(timers, loop->now_ns);
    hheap_sort(timers->due, timers->due + timers->due_cap, timers->due_n);
}

int64_t htimer__wait_for_some(hloop_t *loop)
{
    htimers_t *timers = &loop->timers;
    const hheap_t *heap = &timers->heap;
    uint64_t now_ns = hloop__now(loop);

    if (timers->fresh_min <= now_ns)
        return 0; /* a fresh one that is due by then never gets into the heap */
    collect_fresh(timers, now_ns);
    while (heap->n > 0 && !is_live(timers, hheap_top(heap))) {
        hheap_pop(&timers->heap); /* no wake-up for a timer that was deleted */
        timers->stale--;
    }
    if (heap->n == 0)
        return -1;
    return hheap_top(heap)->key > now_ns ? (int64_t)(hheap_top(heap)->key - now_ns) : 0;
}
