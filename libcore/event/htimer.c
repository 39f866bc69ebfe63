/* Timers live in a slab, their deadlines in a 4-ary heap. A timer that is added is only marked in
 * the slab as fresh. Before the loop waits, the fresh ones that are still there get an entry in the
 * heap, or are fired right away: what is deleted or re-armed before that never costs a comparison.
 *
 * A heap entry is only a hint: it says that the timer in this slot, if its tag is still the entry's
 * order, is due no earlier than the entry's key.
 *   - deleting frees the slot and leaves the entry, which is dropped when it surfaces;
 *   - re-arming for later only stores the deadline: the entry is put right when it surfaces;
 *   - re-arming for earlier makes the timer fresh again, and the entry becomes stale.
 * Entries that went stale are swept out once they are three times as many as the live ones. */
#include "htimer.h"

#include "../base/hmem.h"
#include "hloop_int.h"

#include <string.h>

/* htimer_t.state. */
enum { TIMER_FREE, TIMER_ARMED, TIMER_DUE, TIMER_RUNNING };

/* The slab's tag of a timer: which entry for it is to be heeded. Deleting an armed timer only takes
 * the tag away and touches no memory of the timer, whose state then stays as it was. */
enum { TAG_NONE, TAG_ENTRY_MIN }; /* from there on: the order that the live entry bears */

#define STALE_MIN 1024 /* below this sweeping is not worth it */
#define DUE_CAP_MIN 64
#define POPS_BEFORE_SWEEP 64 /* so many due ones are popped one by one */
#define SAMPLE 128           /* entries that are looked at to guess how many are due */
#define PREFETCH_AHEAD 16

/* A cache line, as the slab aligns it. */
struct __attribute__((aligned(64))) htimer_s {
    HEVENT_FIELDS
    uint64_t deadline; /* ns, monotonic */
    uint32_t repeat;
    union {
        uint32_t interval_ms;
        struct {
            int8_t minute, hour, day, week;
        };
    };
};

_Static_assert(sizeof(struct htimer_s) == 64, "a timer is one cache line");

static inline htimer_t *timer_at(const htimers_t *timers, uint32_t slot)
{
    return hslab_get(&timers->slab, slot);
}

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

/* Invariant: the heap has room for an entry of every slot that is taken and all stale ones, so that
 * no timer is ever left without. This makes room for n more. */
static int make_room(htimers_t *timers, size_t n)
{
    size_t need = (size_t)timers->slab.taken + timers->stale + n;

    return need <= timers->heap.cap ? 0 : hheap_reserve(&timers->heap, need - timers->heap.n);
}

static inline void note_fresh(htimers_t *timers, uint64_t deadline_ns)
{
    if (deadline_ns < timers->fresh_min)
        timers->fresh_min = deadline_ns;
}

/* The timer is armed; the entry that it may have is not heeded any more. */
static void make_fresh(htimers_t *timers, htimer_t *timer)
{
    timer->state = TIMER_ARMED;
    hslab_mark(hslab_chunk_of(timer, sizeof(*timer)), hslab_slot_of(timer, sizeof(*timer)));
    note_fresh(timers, timer->deadline);
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
    return heeded(timers, (hheap_entry_t){timer->deadline, next_order(timers), slot});
}

/* Keeps only live entries, each with its true key. Linear. */
static void sweep(htimers_t *timers)
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

static inline void count_stale(htimers_t *timers)
{
    timers->stale++;
    if (timers->stale > STALE_MIN && timers->stale / 3 > timers->heap.n - timers->stale)
        sweep(timers);
}

/* ---- due ------------------------------------------------------------------------------------- */

static bool reserve_due(htimers_t *timers, size_t n)
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

/* There is room for it. */
static inline void make_due(htimers_t *timers, htimer_t *timer, hheap_entry_t entry)
{
    *hslab_tag(&timers->slab, entry.slot) = TAG_NONE;
    timer->state = TIMER_DUE;
    timers->due[timers->due_n++] = (hheap_entry_t){timer->deadline, entry.order, entry.slot};
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
    if (timers->fresh_min > now_ns || !reserve_due(timers, hslab_marked(&timers->slab)))
        now_ns = 0; /* no due ones; without memory they go by way of the heap, which has room */
    timers->fresh_min = UINT64_MAX;
    while (hslab_take_marked(&timers->slab, &word)) {
        for (; word.slots; word.slots &= word.slots - 1) {
            uint32_t bit = (uint32_t)__builtin_ctzll(word.slots);
            htimer_t *timer = (htimer_t *)word.objects + bit;
            hheap_entry_t entry = {timer->deadline, next_order(timers), word.first + bit};

            if (timer->deadline <= now_ns)
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
    else if (timer->deadline != entry.key) /* it was re-armed for later */
        hheap_push(&timers->heap, renewed(timers, timer, entry.slot));
    else
        make_due(timers, timer, entry);
}

/* Many are due: one pass over the heap takes them all. False: there is no memory for that. */
static bool take_many(htimers_t *timers, uint64_t now_ns)
{
    hheap_t *heap = &timers->heap;
    size_t kept = 0;

    if (!reserve_due(timers, timers->due_n + heap->n))
        return false;
    for (size_t i = 0; i < heap->n; i++) {
        hheap_entry_t entry = heap->entries[i];
        htimer_t *timer;

        if (i + PREFETCH_AHEAD < heap->n && is_live(timers, &heap->entries[i + PREFETCH_AHEAD]))
            __builtin_prefetch(timer_at(timers, heap->entries[i + PREFETCH_AHEAD].slot), 1);
        if (entry.key > now_ns) {
            heap->entries[kept++] = entry;
            continue;
        }
        if (!is_live(timers, &entry)) {
            timers->stale--;
            continue;
        }
        timer = timer_at(timers, entry.slot);
        if (timer->deadline > now_ns)
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
        if (!reserve_due(timers, timers->due_n + 1))
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

/* ---- firing ---------------------------------------------------------------------------------- */

/* It has no entry that is heeded. */
static void free_timer(htimer_t *timer)
{
    timer->state = TIMER_FREE;
    hslab_free_slot(hslab_chunk_of(timer, sizeof(*timer)), hslab_slot_of(timer, sizeof(*timer)));
}

static bool next_period(htimer_t *timer)
{
    uint64_t real_ns = htime_real_ns();
    time_t next = htime_cron_next((time_t)(real_ns / HTIME_NS_PER_S), timer->minute, timer->hour,
                                  timer->day, timer->week, (int8_t)timer->detail);

    if (next == (time_t)-1)
        return false;
    timer->deadline = htime_monotonic_ns() + ((uint64_t)next * HTIME_NS_PER_S - real_ns);
    return true;
}

/* The one before plus the interval, so that a repeating timer does not drift. Those that are late
 * begin anew 1 ns apart: that keeps their order. */
static bool next_deadline(hloop_t *loop, htimer_t *timer)
{
    uint64_t interval_ns = timer->interval_ms * HTIME_NS_PER_MS;

    if (timer->event_type == HEVENT_TYPE_PERIOD)
        return next_period(timer);
    timer->deadline += interval_ns;
    if (timer->deadline <= loop->now_ns)
        timer->deadline = loop->now_ns++ + interval_ns;
    return true;
}

/* The two clocks may have drifted apart while a cron-like timer waited. */
static bool is_early(const htimer_t *timer)
{
    time_t now;

    if (timer->event_type != HEVENT_TYPE_PERIOD)
        return false;
    now = (time_t)(htime_real_ns() / HTIME_NS_PER_S);
    return htime_cron_next(now - 60, timer->minute, timer->hour, timer->day, timer->week,
                           (int8_t)timer->detail) > now;
}

static void fire(hloop_t *loop, htimer_t *timer)
{
    htimers_t *timers = &loop->timers;

    if (is_early(timer) && next_period(timer)) {
        make_fresh(timers, timer);
        return;
    }
    timer->state = TIMER_RUNNING;
    if (timer->repeat != INFINITE && timer->repeat > 0) /* 0: re-armed in its last callback */
        timer->repeat--;
    loop->stats.events++;
    hloop__enter(loop);
    timer->cb((hevent_t *)timer);
    hloop__leave(loop);
    if (timer->state != TIMER_RUNNING)
        return; /* deleted or re-armed by its callback */
    if (timer->repeat == 0 || !next_deadline(loop, timer)) {
        free_timer(timer);
        return;
    }
    make_fresh(timers, timer);
}

void htimer__run_due(hloop_t *loop, int priority)
{
    htimers_t *timers = &loop->timers;

    for (size_t i = 0; i < timers->due_n; i++) {
        hheap_entry_t entry = timers->due[i];
        htimer_t *timer = timer_at(timers, entry.slot);

        if (i + PREFETCH_AHEAD < timers->due_n)
            __builtin_prefetch(timer_at(timers, timers->due[i + PREFETCH_AHEAD].slot), 1);
        if (timer->state == TIMER_DUE && timer->priority == priority)
            fire(loop, timer);
    }
}

/* A callback gave them a priority whose turn had passed: they run in the next iteration. */
void htimer__put_back(hloop_t *loop)
{
    htimers_t *timers = &loop->timers;

    for (size_t i = 0; i < timers->due_n; i++) {
        htimer_t *timer = timer_at(timers, timers->due[i].slot);

        if (timer->state == TIMER_DUE)
            make_fresh(timers, timer);
    }
    timers->due_n = 0;
}

/* ---- public ---------------------------------------------------------------------------------- */

int htimer__loop_init(hloop_t *loop)
{
    hslab_init(&loop->timers.slab, sizeof(htimer_t));
    loop->timers.fresh_min = UINT64_MAX;
    return 0;
}

void htimer__loop_deinit(hloop_t *loop)
{
    hslab_deinit(&loop->timers.slab);
    hheap_deinit(&loop->timers.heap);
    hmem_free(loop->timers.due);
}

/* Makes sure of a run of slots, and of room for what their timers need later. */
static bool get_slots(htimers_t *timers)
{
    return timers->slab.run.slots || (make_room(timers, HSLAB_WORD_SLOTS) == 0 &&
                                      reserve_due(timers, 1) && hslab_refill(&timers->slab) == 0);
}

/* There is a slot. The timer is fresh, but for its deadline. */
static inline htimer_t *new_timer(hloop_t *loop, htimer_cb cb, hevent_type_e type, uint32_t repeat)
{
    uint64_t now_ns = hloop__now(loop);
    htimer_t *timer = hslab_take(&loop->timers.slab, sizeof(*timer));

    timer->loop = loop;
    timer->event_type = type;
    timer->priority = HEVENT_NORMAL_PRIORITY;
    timer->state = TIMER_ARMED;
    timer->detail = 0;
    timer->event_id = now_ns; /* no two uses find the same */
    timer->cb = (hevent_cb)cb;
    timer->userdata = NULL;
    timer->deadline = now_ns;
    timer->repeat = repeat; /* 0 is as good as 1: what has been called is not called again */
    return timer;
}

static inline htimer_t *add(hloop_t *loop, htimer_cb cb, uint32_t timeout_ms, uint32_t repeat)
{
    htimer_t *timer = new_timer(loop, cb, HEVENT_TYPE_TIMEOUT, repeat);

    timer->interval_ms = timeout_ms;
    timer->deadline += timeout_ms * HTIME_NS_PER_MS;
    note_fresh(&loop->timers, timer->deadline);
    return timer;
}

/* The same after what is rarely to be done before: apart, so that the usual way saves no
 * registers. */
static __attribute__((noinline)) htimer_t *add_prepared(hloop_t *loop, htimer_cb cb,
                                                        uint32_t timeout_ms, uint32_t repeat)
{
    return get_slots(&loop->timers) ? add(loop, cb, timeout_ms, repeat) : NULL;
}

htimer_t *htimer_add(hloop_t *loop, htimer_cb cb, uint32_t timeout_ms, uint32_t repeat)
{
    if (__builtin_expect(!loop->timers.slab.run.slots || !hloop__is_clock_good(loop), 0))
        return add_prepared(loop, cb, timeout_ms, repeat);
    return add(loop, cb, timeout_ms, repeat);
}

/* NOLINTNEXTLINE(readability-function-size): libhv's signature */
htimer_t *htimer_add_period(hloop_t *loop, htimer_cb cb, int8_t minute, int8_t hour, int8_t day,
                            int8_t week, int8_t month, uint32_t repeat)
{
    htimer_t *timer;

    if (!get_slots(&loop->timers))
        return NULL;
    timer = new_timer(loop, cb, HEVENT_TYPE_PERIOD, repeat);
    timer->minute = minute;
    timer->hour = hour;
    timer->day = day;
    timer->week = week;
    timer->detail = (uint16_t)(uint8_t)month;
    if (!next_period(timer)) {
        free_timer(timer);
        return NULL;
    }
    note_fresh(&loop->timers, timer->deadline);
    return timer;
}

void htimer_del(htimer_t *timer)
{
    hslab_chunk_t *chunk;
    uint32_t slot;

    if (!timer)
        return;
    chunk = hslab_chunk_of(timer, sizeof(*timer));
    slot = hslab_slot_of(timer, sizeof(*timer));
    if (hslab_is_marked(chunk, slot)) {
        hslab_free_slot(chunk, slot);
    } else if (chunk->tags[slot] >= TAG_ENTRY_MIN) {
        chunk->tags[slot] = TAG_NONE;
        hslab_free_slot(chunk, slot);
        count_stale((htimers_t *)((char *)chunk->slab - offsetof(htimers_t, slab)));
    } else if (timer->state == TIMER_DUE || timer->state == TIMER_RUNNING) {
        free_timer(timer);
    }
}

/* It was not armed, or the new deadline is before the old one. */
static __attribute__((noinline)) void rearm_fresh(htimers_t *timers, htimer_t *timer)
{
    hslab_chunk_t *chunk = hslab_chunk_of(timer, sizeof(*timer));
    uint32_t slot = hslab_slot_of(timer, sizeof(*timer));

    if (timer->state == TIMER_ARMED && !hslab_is_marked(chunk, slot)) {
        if (make_room(timers, 1) < 0) {
            sweep(timers); /* rather a pass over the heap than a timer that fires late */
            return;
        }
        chunk->tags[slot] = TAG_NONE;
        count_stale(timers);
    }
    make_fresh(timers, timer);
}

static inline void rearm(htimer_t *timer, uint64_t deadline_ns)
{
    htimers_t *timers = &timer->loop->timers;
    bool stays = timer->state == TIMER_ARMED && deadline_ns >= timer->deadline;

    timer->deadline = deadline_ns;
    if (!stays)
        rearm_fresh(timers, timer);
}

void htimer__rearm_at(htimer_t *timer, uint64_t deadline_ns)
{
    rearm(timer, deadline_ns);
}

static inline void reset(htimer_t *timer)
{
    rearm(timer, hloop__now(timer->loop) + timer->interval_ms * HTIME_NS_PER_MS);
}

/* Apart for the same reason as add_prepared. */
static __attribute__((noinline)) void reset_by_new_clock(htimer_t *timer)
{
    reset(timer);
}

void htimer_reset(htimer_t *timer, uint32_t timeout_ms)
{
    if (timer->event_type != HEVENT_TYPE_TIMEOUT)
        return;
    if (timeout_ms)
        timer->interval_ms = timeout_ms;
    if (__builtin_expect(hloop__is_clock_good(timer->loop), 1))
        reset(timer);
    else
        reset_by_new_clock(timer);
}
