/* A timer's life, all but the waiting for its deadline, which is htimer_heap.c's. Timers live in a
 * slab. Adding many is bound by memory, so a timer has what nearly all need, and two share a cache
 * line: its loop is found by the slab, and what is rarely set stands in the slab's note beside it.
 */
#include "../base/hmem.h"
#include "htimer_int.h"

#define MATCH_BITS 13
#define MATCH_MASK ((1u << MATCH_BITS) - 1)
#define SET_BACK_MAX 4320 /* minutes: so far back may the wall clock be set */
#define STALE_MIN 1024    /* below this sweeping is not worth it */

/* All 0 for a timer with an interval, normal priority, and an id that nobody has asked for. */
typedef union note_s {
    struct {
        int8_t priority : 4;
        uint8_t month : 4; /* of a cron-like timer: 1 to 12, or 15 for any */
        uint8_t has_id : 1;
        uint8_t match : 7; /* the bits above those of hperiod_t.match */
    };
    uint16_t bits;
} note_t;

_Static_assert(sizeof(note_t) == sizeof(uint16_t), "a note is the slab's");

static inline hloop_t *loop_of(const htimers_t *timers)
{
    return HLIST_ENTRY(timers, hloop_t, timers);
}

static inline note_t note_of(const htimer_t *timer)
{
    return (note_t){.bits = hslab_note(chunk_of(timer), slot_of(timer))};
}

static void set_note(htimer_t *timer, note_t note)
{
    hslab_set_note(chunk_of(timer), slot_of(timer), note.bits);
}

static inline void lower_fresh_min(htimers_t *timers, uint64_t deadline_ns)
{
    if (deadline_ns < timers->fresh_min)
        timers->fresh_min = deadline_ns;
}

/* The timer is armed; the entry that it may have is not heeded any more. */
static inline void make_fresh(htimers_t *timers, htimer_t *timer)
{
    hslab_mark(chunk_of(timer), slot_of(timer));
    lower_fresh_min(timers, deadline_of(timer));
}

static inline void count_stale(htimers_t *timers)
{
    timers->stale++;
    if (timers->stale > STALE_MIN && timers->stale / 3 > timers->heap.n - timers->stale)
        htimer__sweep(timers);
}

/* ---- firing ---------------------------------------------------------------------------------- */

/* It has no entry that is heeded. */
static void free_timer(htimer_t *timer)
{
    set_stamp(timer, STAMP_FREE);
    hslab_free_slot(chunk_of(timer), slot_of(timer));
}

static int8_t field(uint32_t value, uint32_t any)
{
    return value == any ? -1 : (int8_t)value;
}

/* The first minute that the pattern matches after a time; -1: none. */
static time_t cron_next(hperiod_t period, note_t note, time_t after)
{
    return htime_cron_next(after, field(period.minute, 63), field(period.hour, 31),
                           field(period.day, 0), field(period.week, 7), field(note.month, 15));
}

/* Of the two clocks the wall clock is read first here, and last in to_wait_for: so a timer whose
 * clocks agree never looks early. */
static void aim_at(htimer_t *timer, time_t match)
{
    uint64_t real_ns = htime_real_ns();
    note_t note = note_of(timer);

    timer->period.match = (uint32_t)(match / 60) & MATCH_MASK;
    note.match = (uint32_t)(match / 60) >> MATCH_BITS & 127;
    set_note(timer, note);
    set_stamp(timer, stamp_of(htime_monotonic_ns() + (uint64_t)match * HTIME_NS_PER_S - real_ns));
}

/* The match that a cron-like timer waits for still; -1: it has come. While it waited the wall clock
 * may have been set, or drifted from the monotonic one: what it showed at the deadline tells,
 * whenever the callback runs. */
static time_t to_wait_for(const htimer_t *timer, note_t note, uint64_t deadline_ns)
{
    uint64_t late_ns = htime_monotonic_ns() - deadline_ns;
    time_t minute = (time_t)((htime_real_ns() - late_ns) / HTIME_NS_PER_S / 60);
    uint32_t awaited = (uint32_t)note.match << MATCH_BITS | timer->period.match;
    uint32_t ahead = (awaited - (uint32_t)minute) & ((128u << MATCH_BITS) - 1);
    time_t match = (minute + ahead) * 60;
    bool is_ahead = ahead > 0 && ahead <= SET_BACK_MAX;

    return is_ahead && cron_next(timer->period, note, match - 1) == match ? match : -1;
}

/* The deadline before plus the interval, so that a repeating timer does not drift. Those that are
 * late begin anew 1 ns apart: that keeps their order. */
static bool next_deadline(hloop_t *loop, htimer_t *timer, note_t note, uint64_t deadline_ns)
{
    uint64_t interval_ns = timer->interval_ms * HTIME_NS_PER_MS;

    if (note.month) {
        time_t match = cron_next(timer->period, note, (time_t)(htime_real_ns() / HTIME_NS_PER_S));

        if (match != (time_t)-1)
            aim_at(timer, match);
        return match != (time_t)-1;
    }
    deadline_ns += interval_ns;
    if (deadline_ns <= loop->now_ns)
        deadline_ns = loop->now_ns++ + interval_ns;
    set_stamp(timer, stamp_of(deadline_ns));
    return true;
}

static void fire(hloop_t *loop, htimer_t *timer, note_t note, uint64_t deadline_ns)
{
    htimers_t *timers = &loop->timers;

    if (note.month) {
        time_t match = to_wait_for(timer, note, deadline_ns);

        if (match != (time_t)-1) {
            aim_at(timer, match);
            make_fresh(timers, timer);
            return;
        }
    }
    set_stamp(timer, STAMP_RUNNING);
    if (timer->repeat != INFINITE && timer->repeat > 0) /* 0: re-armed in its last callback */
        timer->repeat--;
    loop->stats.events++;
    hloop__enter(loop);
    timer->cb((hevent_t *)timer);
    hloop__leave(loop);
    if (timer->stamp != STAMP_RUNNING)
        return; /* deleted or re-armed by its callback */
    if (timer->repeat == 0 || !next_deadline(loop, timer, note, deadline_ns)) {
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
        note_t note;

        if (i + HTIMER_PREFETCH_AHEAD < timers->due_n)
            __builtin_prefetch(timer_at(timers, timers->due[i + HTIMER_PREFETCH_AHEAD].slot), 1);
        if (timer->stamp != STAMP_DUE)
            continue;
        note = note_of(timer);
        if (note.priority == priority)
            fire(loop, timer, note, entry.key);
    }
}

/* A callback gave them a priority whose turn had passed: they run in the next iteration. */
void htimer__put_back(hloop_t *loop)
{
    htimers_t *timers = &loop->timers;

    for (size_t i = 0; i < timers->due_n; i++) {
        htimer_t *timer = timer_at(timers, timers->due[i].slot);

        if (timer->stamp != STAMP_DUE)
            continue;
        set_stamp(timer, stamp_of(timers->due[i].key));
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
    return timers->slab.run.slots ||
           (htimer__make_room(timers, HSLAB_WORD_SLOTS) == 0 && htimer__reserve_due(timers, 1) &&
            hslab_refill(&timers->slab) == 0);
}

/* There is a slot. The timer is fresh, but for its deadline. */
static inline htimer_t *new_timer(hloop_t *loop, htimer_cb cb, uint32_t repeat)
{
    htimer_t *timer = hslab_take(&loop->timers.slab, sizeof(*timer));

    timer->cb = (hevent_cb)cb;
    timer->userdata = NULL;
    timer->repeat = repeat; /* 0 is as good as 1: what has been called is not called again */
    return timer;
}

static inline htimer_t *add(hloop_t *loop, htimer_cb cb, uint32_t timeout_ms, uint32_t repeat)
{
    uint64_t deadline_ns = hloop__now(loop) + timeout_ms * HTIME_NS_PER_MS;
    htimer_t *timer = new_timer(loop, cb, repeat);

    set_stamp(timer, stamp_of(deadline_ns));
    timer->interval_ms = timeout_ms;
    lower_fresh_min(&loop->timers, deadline_ns);
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
    time_t now = (time_t)(htime_real_ns() / HTIME_NS_PER_S);
    time_t match = htime_cron_next(now, minute, hour, day, week, month);
    htimer_t *timer;

    if (match == (time_t)-1 || !get_slots(&loop->timers))
        return NULL;
    timer = new_timer(loop, cb, repeat);
    timer->period = (hperiod_t){.minute = (uint8_t)minute & 63,
                                .hour = (uint8_t)hour & 31,
                                .day = day == -1 ? 0 : (uint8_t)day & 31,
                                .week = (uint8_t)week & 7};
    set_note(timer, (note_t){.month = (uint8_t)month & 15});
    aim_at(timer, match);
    lower_fresh_min(&loop->timers, deadline_of(timer));
    return timer;
}

void htimer_del(htimer_t *timer)
{
    hslab_chunk_t *chunk;
    uint32_t slot;

    if (!timer)
        return;
    chunk = chunk_of(timer);
    slot = slot_of(timer);
    if (hslab_is_marked(chunk, slot)) {
        hslab_free_slot(chunk, slot);
    } else if (chunk->tags[slot] >= TAG_ENTRY_MIN) {
        chunk->tags[slot] = TAG_NONE;
        hslab_free_slot(chunk, slot);
        count_stale(timers_of(timer));
    } else if (timer->stamp == STAMP_DUE || timer->stamp == STAMP_RUNNING) {
        free_timer(timer);
    }
}

/* It was not armed, or the new deadline, which it bears already, is before the old one. */
static __attribute__((noinline)) void rearm_fresh(htimer_t *timer, bool was_armed)
{
    htimers_t *timers = timers_of(timer);
    hslab_chunk_t *chunk = chunk_of(timer);
    uint32_t slot = slot_of(timer);

    if (was_armed && !hslab_is_marked(chunk, slot)) {
        if (htimer__make_room(timers, 1) < 0) {
            htimer__sweep(timers); /* rather a pass over the heap than a timer that fires late */
            return;
        }
        chunk->tags[slot] = TAG_NONE;
        count_stale(timers);
    }
    make_fresh(timers, timer);
}

static inline void rearm(htimer_t *timer, uint64_t deadline_ns)
{
    uint64_t before = timer->stamp;

    set_stamp(timer, stamp_of(deadline_ns));
    if (timer->stamp < before)
        rearm_fresh(timer, before < STAMP_MIN);
}

void htimer__rearm_at(htimer_t *timer, uint64_t deadline_ns)
{
    rearm(timer, deadline_ns);
}

static inline void reset(hloop_t *loop, htimer_t *timer)
{
    rearm(timer, hloop__now(loop) + timer->interval_ms * HTIME_NS_PER_MS);
}

/* Apart for the same reason as add_prepared. */
static __attribute__((noinline)) void reset_by_new_clock(hloop_t *loop, htimer_t *timer)
{
    reset(loop, timer);
}

void htimer_reset(htimer_t *timer, uint32_t timeout_ms)
{
    htimers_t *timers = timers_of(timer);
    hloop_t *loop = loop_of(timers);

    if (note_of(timer).month)
        return;
    if (timeout_ms)
        timer->interval_ms = timeout_ms;
    if (__builtin_expect(hloop__is_clock_good(loop), 1))
        reset(loop, timer);
    else
        reset_by_new_clock(loop, timer);
}

/* ---- as events ------------------------------------------------------------------------------- */

hloop_t *htimer__loop(const htimer_t *timer)
{
    return loop_of(timers_of(timer));
}

hevent_type_e htimer__type(const htimer_t *timer)
{
    return note_of(timer).month ? HEVENT_TYPE_PERIOD : HEVENT_TYPE_TIMEOUT;
}

/* Few programs ask: so it is made then. */
uint64_t htimer__id(htimer_t *timer)
{
    uint64_t *id = hslab_number(chunk_of(timer), slot_of(timer));
    note_t note = note_of(timer);

    if (!note.has_id) {
        note.has_id = 1;
        set_note(timer, note);
        *id = ++loop_of(timers_of(timer))->event_count;
    }
    return *id;
}

int htimer__priority(const htimer_t *timer)
{
    return note_of(timer).priority;
}

void htimer__set_priority(htimer_t *timer, int8_t priority)
{
    note_t note = note_of(timer);

    note.priority = priority;
    set_note(timer, note);
}
