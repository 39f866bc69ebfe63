/* Timers live in a slab, their deadlines in a 4-ary heap. A heap entry is only a hint: it
 * says that the timer in this slot, if it still bears the entry's order, is due no earlier
 * than the entry's key.
 *   - deleting frees the slot and leaves the entry, which is dropped when it surfaces;
 *   - re-arming for later only stores the deadline: the entry is put right when it surfaces;
 *   - re-arming for earlier adds an entry, and the old one becomes stale.
 * Entries that went stale are swept out once they are three times as many as the live ones.
 * New entries wait unsorted behind the heap until the loop is about to wait: what is deleted or due
 * before that never costs a comparison. */
#include "htimer.h"

#include "../base/hmem.h"
#include "hloop_int.h"

#include <string.h>

/* htimer_t.state. */
enum { TIMER_FREE, TIMER_ARMED, TIMER_DUE, TIMER_RUNNING };

/* The slab's tag of a timer: which entry for it is to be heeded. Deleting an armed timer only takes
 * the tag away and touches no memory of the timer, whose state then stays as it was. */
enum { TAG_NONE, TAG_ARMED_MIN }; /* from there on: the order that the live entry bears */

#define STALE_MIN 1024       /* below this sweeping is not worth it */
#define POPS_BEFORE_SWEEP 64 /* so many due ones are popped one by one */
#define SAMPLE 128           /* entries that are looked at to guess how many are due */
#define PREFETCH_AHEAD 16

struct htimer_s {
    HEVENT_FIELDS
    uint64_t deadline; /* ns, monotonic */
    uint32_t order;    /* of the last arming: breaks ties between equal deadlines */
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

static inline uint32_t slot_of(const htimer_t *timer)
{
    return (uint32_t)timer->event_id;
}

static inline uint32_t *tag_of(const htimer_t *timer)
{
    return &hslab_chunk_of(timer, sizeof(*timer))->tags[hslab_slot_of(timer, sizeof(*timer))];
}

static inline bool is_live(const htimers_t *timers, const hheap_entry_t *entry)
{
    return *hslab_tag(&timers->slab, entry->slot) == entry->order;
}

static inline uint32_t next_order(htimers_t *timers)
{
    if (__builtin_expect(++timers->order < TAG_ARMED_MIN, 0))
        timers->order = TAG_ARMED_MIN;
    return timers->order;
}

/* Invariant: the heap has room for an entry of every timer and all stale ones, so that a timer
 * whose entry was taken out can always be put back. This makes room for one more. */
static inline int make_room(htimers_t *timers)
{
    size_t need = timers->slab.used + timers->stale + 1;

    if (__builtin_expect(timers->heap.cap >= need, 1))
        return 0;
    return hheap_reserve(&timers->heap, need - timers->heap.n);
}

static inline hheap_entry_t entry_of(htimer_t *timer)
{
    *tag_of(timer) = timer->order;
    timer->state = TIMER_ARMED;
    return (hheap_entry_t){timer->deadline, timer->order, slot_of(timer)};
}

static inline void push_entry(htimers_t *timers, htimer_t *timer)
{
    timers->heap.entries[timers->heap.n + timers->fresh++] = entry_of(timer);
    if (timer->deadline < timers->fresh_min)
        timers->fresh_min = timer->deadline;
}

/* Makes all entries part of the heap, in whatever order they lie. */
static void rebuild(htimers_t *timers, size_t n)
{
    timers->heap.n = n;
    timers->fresh = 0;
    timers->fresh_min = UINT64_MAX;
    hheap_rebuild(&timers->heap);
}

/* The fresh entries become part of the heap. */
static void settle(htimers_t *timers)
{
    hheap_t *heap = &timers->heap;
    size_t end = heap->n + timers->fresh;

    if (timers->fresh > heap->n) {
        rebuild(timers, end);
        return;
    }
    for (size_t i = heap->n; i < end; i++) {
        if (is_live(timers, &heap->entries[i]))
            hheap_push(heap, heap->entries[i]);
        else
            timers->stale--;
    }
    timers->fresh = 0;
    timers->fresh_min = UINT64_MAX;
}

/* Keeps only live entries, each with its true key. Linear. */
static void sweep(htimers_t *timers)
{
    hheap_t *heap = &timers->heap;
    size_t kept = 0;

    for (size_t i = 0; i < heap->n + timers->fresh; i++) {
        hheap_entry_t entry = heap->entries[i];
        const htimer_t *timer;

        if (!is_live(timers, &entry))
            continue;
        timer = timer_at(timers, entry.slot);
        *hslab_tag(&timers->slab, entry.slot) = timer->order;
        heap->entries[kept++] = (hheap_entry_t){timer->deadline, timer->order, entry.slot};
    }
    timers->stale = 0;
    rebuild(timers, kept);
}

static inline void count_stale(htimers_t *timers)
{
    timers->stale++;
    if (timers->stale > STALE_MIN &&
        timers->stale / 3 > timers->heap.n + timers->fresh - timers->stale)
        sweep(timers);
}

/* ---- due ------------------------------------------------------------------------------------- */

static bool reserve_due(htimers_t *timers, size_t n)
{
    size_t cap = timers->due_cap ? timers->due_cap : 64;
    hheap_entry_t *due;

    if (n <= timers->due_cap)
        return true;
    while (cap < n)
        cap *= 2;
    due = hmem_realloc(timers->due, cap * sizeof(*due));
    if (!due)
        return false;
    timers->due = due;
    timers->due_cap = cap;
    return true;
}

static inline void make_due(htimers_t *timers, htimer_t *timer, hheap_entry_t entry)
{
    *hslab_tag(&timers->slab, entry.slot) = TAG_NONE;
    timer->state = TIMER_DUE;
    timers->due[timers->due_n++] = entry;
}

/* What the entry on top of the heap turns out to be. There is room for one more due. */
static void take_top(htimers_t *timers)
{
    hheap_entry_t entry = hheap_pop(&timers->heap);
    htimer_t *timer = timer_at(timers, entry.slot);

    if (!is_live(timers, &entry)) {
        timers->stale--;
    } else if (timer->order != entry.order) {
        hheap_push(&timers->heap, entry_of(timer)); /* it was re-armed for later */
    } else {
        make_due(timers, timer, entry);
    }
}

/* Many are due: one pass over the heap takes them all, a radix sort puts them in order. False:
 * there is no memory for that. */
static bool take_many(htimers_t *timers, uint64_t now_ns)
{
    hheap_t *heap = &timers->heap;
    size_t n = heap->n + timers->fresh, kept = 0, first = timers->due_n;

    if (!reserve_due(timers, timers->due_n + 2 * n))
        return false;
    for (size_t i = 0; i < n; i++) {
        hheap_entry_t entry = heap->entries[i];
        htimer_t *timer;

        if (i + PREFETCH_AHEAD < n && is_live(timers, &heap->entries[i + PREFETCH_AHEAD]))
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
        entry.key = timer->deadline;
        entry.order = timer->order;
        if (entry.key > now_ns) {
            *hslab_tag(&timers->slab, entry.slot) = entry.order;
            heap->entries[kept++] = entry;
        } else {
            make_due(timers, timer, entry);
        }
    }
    rebuild(timers, kept);
    hheap_sort(timers->due + first, timers->due + timers->due_n, timers->due_n - first);
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

void htimer__collect(hloop_t *loop)
{
    htimers_t *timers = &loop->timers;
    size_t pops_max = POPS_BEFORE_SWEEP + timers->heap.n / 64;

    timers->due_n = 0;
    if (timers->fresh > SAMPLE && timers->fresh > timers->heap.n / 8 &&
        timers->fresh_min <= loop->now_ns && take_many(timers, loop->now_ns))
        return;
    settle(timers);
    for (size_t pops = 0; timers->heap.n > 0 && hheap_top(&timers->heap)->key <= loop->now_ns;
         pops++) {
        if (pops == POPS_BEFORE_SWEEP && timers->heap.n > SAMPLE &&
            are_many_due(timers, loop->now_ns))
            pops_max = pops;
        if (pops == pops_max && take_many(timers, loop->now_ns))
            return;
        if (!reserve_due(timers, timers->due_n + 1))
            return; /* the rest comes with the next iteration */
        take_top(timers);
    }
}

int64_t htimer__wait_ns(hloop_t *loop)
{
    htimers_t *timers = &loop->timers;
    uint64_t now_ns, key;

    if (timers->fresh > 0 && timers->fresh_min <= hloop__now(loop))
        return 0;
    settle(timers);
    while (timers->heap.n > 0 && !is_live(timers, hheap_top(&timers->heap))) {
        hheap_pop(&timers->heap); /* no wake-up for a timer that was deleted */
        timers->stale--;
    }
    if (timers->heap.n == 0)
        return -1;
    key = hheap_top(&timers->heap)->key;
    now_ns = hloop__now(loop);
    return key > now_ns ? (int64_t)(key - now_ns) : 0;
}

/* ---- firing ---------------------------------------------------------------------------------- */

static void free_timer(hloop_t *loop, htimer_t *timer)
{
    timer->state = TIMER_FREE;
    hslab_free(&loop->timers.slab, slot_of(timer));
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

/* The one before plus the interval, so that a repeating timer does not drift. */
static bool next_deadline(hloop_t *loop, htimer_t *timer)
{
    uint64_t interval_ns = timer->interval_ms * HTIME_NS_PER_MS;

    if (timer->event_type == HEVENT_TYPE_PERIOD)
        return next_period(timer);
    timer->deadline += interval_ns;
    if (timer->deadline <= loop->now_ns)
        timer->deadline = loop->now_ns + interval_ns;
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
        push_entry(timers, timer);
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
        free_timer(loop, timer);
        return;
    }
    timer->order = next_order(timers);
    push_entry(timers, timer);
}

void htimer__run(hloop_t *loop, int priority)
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
            push_entry(timers, timer);
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

static inline htimer_t *new_timer(hloop_t *loop, htimer_cb cb, hevent_type_e type, uint32_t repeat)
{
    htimers_t *timers = &loop->timers;
    htimer_t *timer;
    uint32_t slot;

    if (make_room(timers) < 0 || !reserve_due(timers, 1))
        return NULL;
    timer = hslab_alloc(&timers->slab, &slot);
    if (!timer)
        return NULL;
    timer->loop = loop;
    timer->event_type = type;
    timer->priority = HEVENT_NORMAL_PRIORITY;
    timer->detail = 0;
    timer->order = next_order(timers);
    timer->event_id = (uint64_t)timer->order << 32 | slot;
    timer->cb = (hevent_cb)cb;
    timer->userdata = NULL;
    timer->repeat = repeat ? repeat : 1;
    return timer;
}

htimer_t *htimer_add(hloop_t *loop, htimer_cb cb, uint32_t timeout_ms, uint32_t repeat)
{
    htimer_t *timer = new_timer(loop, cb, HEVENT_TYPE_TIMEOUT, repeat);

    if (!timer)
        return NULL;
    timer->interval_ms = timeout_ms;
    timer->deadline = hloop__now(loop) + timeout_ms * HTIME_NS_PER_MS;
    push_entry(&loop->timers, timer);
    return timer;
}

/* NOLINTNEXTLINE(readability-function-size): libhv's signature */
htimer_t *htimer_add_period(hloop_t *loop, htimer_cb cb, int8_t minute, int8_t hour, int8_t day,
                            int8_t week, int8_t month, uint32_t repeat)
{
    htimer_t *timer = new_timer(loop, cb, HEVENT_TYPE_PERIOD, repeat);

    if (!timer)
        return NULL;
    timer->minute = minute;
    timer->hour = hour;
    timer->day = day;
    timer->week = week;
    timer->detail = (uint16_t)(uint8_t)month;
    if (!next_period(timer)) {
        free_timer(loop, timer);
        return NULL;
    }
    push_entry(&loop->timers, timer);
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
    if (chunk->tags[slot] >= TAG_ARMED_MIN) {
        chunk->tags[slot] = TAG_NONE;
        hslab_free_slot(chunk, slot);
        count_stale((htimers_t *)((char *)chunk->slab - offsetof(htimers_t, slab)));
    } else if (timer->state == TIMER_DUE || timer->state == TIMER_RUNNING) {
        free_timer(timer->loop, timer);
    }
}

/* It was not armed, or the new deadline is before the old one. */
static __attribute__((noinline)) void rearm_entry(htimers_t *timers, htimer_t *timer)
{
    bool armed = timer->state == TIMER_ARMED;

    if (armed && make_room(timers) < 0) {
        sweep(timers); /* rather a pass over the heap than a timer that fires late */
        return;
    }
    push_entry(timers, timer);
    if (armed)
        count_stale(timers);
}

static inline void rearm(htimer_t *timer, uint64_t deadline_ns)
{
    htimers_t *timers = &timer->loop->timers;
    bool stays = timer->state == TIMER_ARMED && deadline_ns >= timer->deadline;

    timer->deadline = deadline_ns;
    timer->order = next_order(timers);
    if (!stays)
        rearm_entry(timers, timer);
}

void htimer__rearm_at(htimer_t *timer, uint64_t deadline_ns)
{
    rearm(timer, deadline_ns);
}

void htimer_reset(htimer_t *timer, uint32_t timeout_ms)
{
    if (timer->event_type != HEVENT_TYPE_TIMEOUT)
        return;
    if (timeout_ms)
        timer->interval_ms = timeout_ms;
    rearm(timer, hloop__now(timer->loop) + timer->interval_ms * HTIME_NS_PER_MS);
}
