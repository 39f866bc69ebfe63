#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "event/hidle.h"
#include "loop_test.h"
#include "oom.h"

#define MANY 100000

/* What fired, in order: the user data. */
static int fired[64];
static int fired_n;

static void on_fire(htimer_t *timer)
{
    if (fired_n < (int)ARRAY_LENGTH(fired))
        fired[fired_n] = (int)(intptr_t)hevent_userdata(timer);
    fired_n++;
}

static int setup(void **state)
{
    fired_n = 0;
    return loop_test_setup(state);
}

static htimer_t *add(hloop_t *loop, uint32_t timeout_ms, uint32_t repeat, int name)
{
    htimer_t *timer = htimer_add(loop, on_fire, timeout_ms, repeat);

    assert_non_null(timer);
    hevent_set_userdata(timer, (intptr_t)name);
    return timer;
}

static void pause_ms(uint64_t ms)
{
    uint64_t until = htime_monotonic_ns() + ms * HTIME_NS_PER_MS;

    while (htime_monotonic_ns() < until)
        ;
}

/* ---- never early ----------------------------------------------------------------------------- */

typedef struct lateness_s {
    uint64_t due_ns;
    bool fired;
    bool early;
    uint32_t timeout_ms;
} lateness_t;

static void on_check(htimer_t *timer)
{
    lateness_t *lateness = hevent_userdata(timer);

    lateness->fired = true;
    lateness->early = htime_monotonic_ns() < lateness->due_ns;
}

/* Adds a timer and notes when it may fire, by a clock read before the call. */
static void add_checked(hloop_t *loop, lateness_t *lateness, uint32_t timeout_ms)
{
    uint64_t now_ns = htime_monotonic_ns();
    htimer_t *timer = htimer_add(loop, on_check, timeout_ms, 1);

    assert_non_null(timer);
    hevent_set_userdata(timer, lateness);
    *lateness = (lateness_t){.due_ns = now_ns + timeout_ms * HTIME_NS_PER_MS};
}

/* Named fault: 1 s timers up to 60 ms early. */
static void a_timer_is_never_early(void **state)
{
    hloop_t *loop = new_loop();
    lateness_t lateness[6];

    (void)state;
    for (uint32_t i = 0; i < ARRAY_LENGTH(lateness); i++)
        add_checked(loop, &lateness[i], i * i);
    for (size_t i = 0; i < ARRAY_LENGTH(lateness); i++) {
        RUN_UNTIL(loop, lateness[i].fired);
        assert_false(lateness[i].early);
    }
    hloop_free(&loop);
}

static void a_timer_added_long_before_the_run_is_not_early(void **state)
{
    hloop_t *loop = new_loop();
    lateness_t first, second;

    (void)state;
    add_checked(loop, &first, 1);
    pause_ms(20);
    add_checked(loop, &second, 10);
    RUN_UNTIL(loop, first.fired && second.fired);
    assert_false(first.early);
    assert_false(second.early);
    hloop_free(&loop);
}

static void on_sleepy(htimer_t *timer)
{
    pause_ms(30);
    add_checked(hevent_loop(timer), hevent_userdata(timer), 10);
}

static void a_timer_added_by_a_callback_that_ran_long_is_not_early(void **state)
{
    hloop_t *loop = new_loop();
    lateness_t lateness[3] = {0};

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(lateness); i++)
        hevent_set_userdata(htimer_add(loop, on_sleepy, 1, 1), &lateness[i]);
    RUN_UNTIL(loop, lateness[0].fired && lateness[1].fired && lateness[2].fired);
    for (size_t i = 0; i < ARRAY_LENGTH(lateness); i++)
        assert_false(lateness[i].early);
    hloop_free(&loop);
}

static void on_sleepy_post(hevent_t *ev)
{
    pause_ms(30);
    add_checked(ev->loop, ev->userdata, 10);
}

static void a_timer_added_by_a_long_post_is_not_early(void **state)
{
    hloop_t *loop = new_loop();
    lateness_t lateness = {0};
    hevent_t ev = {.cb = on_sleepy_post, .userdata = &lateness};

    (void)state;
    assert_int_equal(hloop_post_event(loop, &ev), 0);
    RUN_UNTIL(loop, lateness.fired);
    assert_false(lateness.early);
    hloop_free(&loop);
}

static void on_sleepy_idle(hidle_t *idle)
{
    pause_ms(30);
    add_checked(hevent_loop(idle), hevent_userdata(idle), 10);
}

static void a_timer_added_by_a_long_idle_is_not_early(void **state)
{
    hloop_t *loop = new_loop();
    lateness_t lateness = {0};

    (void)state;
    hevent_set_userdata(hidle_add(loop, on_sleepy_idle, 1), &lateness);
    RUN_UNTIL(loop, lateness.fired);
    assert_false(lateness.early);
    hloop_free(&loop);
}

static void on_twice_sleepy(htimer_t *timer)
{
    lateness_t *lateness = hevent_userdata(timer);

    add_checked(hevent_loop(timer), &lateness[0], 10);
    pause_ms(30);
    hloop_update_time(hevent_loop(timer));
    add_checked(hevent_loop(timer), &lateness[1], 10);
}

static void update_time_serves_a_callback_that_adds_twice(void **state)
{
    hloop_t *loop = new_loop();
    lateness_t lateness[2] = {0};

    (void)state;
    hevent_set_userdata(htimer_add(loop, on_twice_sleepy, 1, 1), lateness);
    RUN_UNTIL(loop, lateness[0].fired && lateness[1].fired);
    assert_false(lateness[0].early);
    assert_false(lateness[1].early);
    hloop_free(&loop);
}

/* ---- order ----------------------------------------------------------------------------------- */

static void on_add_many(htimer_t *timer)
{
    /* One clock read serves all adds of a callback, so these deadlines are equal. */
    for (int n = 0; n < 50; n++)
        add(hevent_loop(timer), 5, 1, n);
}

static void equal_deadlines_fire_in_the_order_they_were_added(void **state)
{
    hloop_t *loop = new_loop();

    (void)state;
    assert_non_null(htimer_add(loop, on_add_many, 0, 1));
    RUN_UNTIL(loop, fired_n == 50);
    for (int i = 0; i < 50; i++)
        assert_int_equal(fired[i], i);
    hloop_free(&loop);
}

static htimer_t *trio[3];

static void on_add_trio(htimer_t *timer)
{
    hloop_t *loop = hevent_loop(timer);

    for (int i = 0; i < 3; i++)
        trio[i] = add(loop, 5, 1, i);
    htimer_reset(trio[0], 5); /* the same deadline, but last now */
}

static void a_reset_timer_is_the_last_of_equal_ones(void **state)
{
    hloop_t *loop = new_loop();

    (void)state;
    assert_non_null(htimer_add(loop, on_add_trio, 0, 1));
    RUN_UNTIL(loop, fired_n == 3);
    assert_int_equal(fired[0], 1);
    assert_int_equal(fired[1], 2);
    assert_int_equal(fired[2], 0);
    hloop_free(&loop);
}

static uint64_t last_deadline_order;
static bool out_of_order;

static void on_fire_in_order(htimer_t *timer)
{
    uint64_t order = (uint64_t)(uintptr_t)hevent_userdata(timer);

    out_of_order |= order < last_deadline_order;
    last_deadline_order = order;
    fired_n++;
}

/* Each fifth is deleted, each fifth re-armed to and fro, half of those deleted too. */
static void on_add_very_many(htimer_t *adder)
{
    for (uint32_t i = 0; i < 5000; i++) {
        uint32_t timeout_ms = i * 7919 % 16;
        htimer_t *timer = htimer_add(hevent_loop(adder), on_fire_in_order, timeout_ms, 1);

        hevent_set_userdata(timer, ((uintptr_t)timeout_ms << 32) + i);
        if (i % 5 == 1) {
            htimer_reset(timer, timeout_ms + 1000);
            htimer_reset(timer, timeout_ms ? timeout_ms : 1);
            hevent_set_userdata(timer, ((uintptr_t)(timeout_ms ? timeout_ms : 1) << 32) + i);
        }
        if (i % 5 == 0 || i % 10 == 6)
            htimer_del(timer);
    }
    pause_ms(20);
}

/* More are due than are popped one by one: the radix sort's way. The order is known by the timeout,
 * then by the order of adding, as all are added by one clock. */
static void many_that_are_due_at_once_fire_in_order(void **state)
{
    hloop_t *loop = new_loop();

    (void)state;
    last_deadline_order = 0;
    out_of_order = false;
    assert_non_null(htimer_add(loop, on_add_very_many, 0, 1));
    RUN_UNTIL(loop, fired_n > 0);
    assert_int_equal(fired_n, 3500);
    settle(loop);
    assert_int_equal(fired_n, 3500);
    assert_false(out_of_order);
    assert_int_equal(hloop_ntimers(loop), 0);
    hloop_free(&loop);
}

static void higher_priorities_fire_first(void **state)
{
    hloop_t *loop = new_loop();

    (void)state;
    for (int priority = HEVENT_LOWEST_PRIORITY; priority <= HEVENT_HIGHEST_PRIORITY; priority++)
        hevent_set_priority(add(loop, 1, 1, priority), priority);
    pause_ms(5);
    RUN_UNTIL(loop, fired_n == 11);
    for (int i = 0; i < 11; i++)
        assert_int_equal(fired[i], HEVENT_HIGHEST_PRIORITY - i);
    hloop_free(&loop);
}

static htimer_t *victim;

static void on_promote(htimer_t *timer)
{
    on_fire(timer);
    hevent_set_priority(victim, HEVENT_HIGHEST_PRIORITY);
}

/* Its turn in this iteration has passed already: it must fire in the next. */
static void a_due_timer_whose_priority_changes_still_fires(void **state)
{
    hloop_t *loop = new_loop();

    (void)state;
    assert_non_null(htimer_add(loop, on_promote, 1, 1));
    victim = add(loop, 1, 1, 7);
    pause_ms(5);
    RUN_UNTIL(loop, fired_n == 2);
    assert_int_equal(fired[1], 7);
    hloop_free(&loop);
}

/* ---- in callbacks ---------------------------------------------------------------------------- */

static void on_rearm_once(htimer_t *timer)
{
    on_fire(timer);
    if (fired_n == 1)
        htimer_reset(timer, 1);
}

static void a_one_shot_rearmed_in_its_callback_fires_once_more(void **state)
{
    hloop_t *loop = new_loop();

    (void)state;
    assert_non_null(htimer_add(loop, on_rearm_once, 1, 1));
    RUN_UNTIL(loop, hloop_ntimers(loop) == 0);
    assert_int_equal(fired_n, 2);
    hloop_free(&loop);
}

static void on_delete_self(htimer_t *timer)
{
    on_fire(timer);
    htimer_del(timer);
}

static void a_timer_may_delete_itself(void **state)
{
    hloop_t *loop = new_loop();

    (void)state;
    assert_non_null(htimer_add(loop, on_delete_self, 1, INFINITE));
    RUN_UNTIL(loop, fired_n == 1);
    settle(loop);
    assert_int_equal(fired_n, 1);
    assert_int_equal(hloop_ntimers(loop), 0);
    hloop_free(&loop);
}

static void on_replace_self(htimer_t *timer)
{
    on_fire(timer);
    htimer_del(timer);
    add(hevent_loop(timer), 1, 1, 9);
}

/* The new one gets the memory of the old one while its callback runs. */
static void a_timer_may_replace_itself(void **state)
{
    hloop_t *loop = new_loop();

    (void)state;
    assert_non_null(htimer_add(loop, on_replace_self, 1, 1));
    RUN_UNTIL(loop, fired_n == 2);
    assert_int_equal(fired[1], 9);
    assert_int_equal(hloop_ntimers(loop), 0);
    hloop_free(&loop);
}

static void on_delete_victim(htimer_t *timer)
{
    on_fire(timer);
    htimer_del(victim);
    victim = NULL;
}

static void a_due_timer_deleted_by_another_does_not_fire(void **state)
{
    hloop_t *loop = new_loop();

    (void)state;
    assert_non_null(htimer_add(loop, on_delete_victim, 1, 1));
    victim = add(loop, 1, INFINITE, 7);
    pause_ms(5);
    RUN_UNTIL(loop, fired_n == 1);
    settle(loop);
    assert_int_equal(fired_n, 1);
    assert_int_equal(hloop_ntimers(loop), 0);
    hloop_free(&loop);
}

static void on_reset_victim(htimer_t *timer)
{
    on_fire(timer);
    htimer_reset(victim, 20);
}

static void a_due_timer_reset_by_another_fires_later(void **state)
{
    hloop_t *loop = new_loop();
    uint64_t start;

    (void)state;
    assert_non_null(htimer_add(loop, on_reset_victim, 1, 1));
    victim = add(loop, 1, 1, 7);
    pause_ms(5);
    RUN_UNTIL(loop, fired_n == 1);
    start = htime_monotonic_ns();
    settle(loop);
    if (htime_monotonic_ns() - start < 15 * HTIME_NS_PER_MS)
        assert_int_equal(fired_n, 1);
    RUN_UNTIL(loop, fired_n == 2);
    hloop_free(&loop);
}

static void del_of_nothing_is_legal(void **state)
{
    (void)state;
    htimer_del(NULL);
}

/* The loop sleeps through the time at which a deleted timer would have fired. */
static void a_deleted_timer_wakes_nobody(void **state)
{
    hloop_t *loop = new_loop();

    (void)state;
    settle(loop);
    htimer_del(add(loop, 5, 1, 1));
    add(loop, 40, 1, 2);
    assert_int_equal(hloop_run(loop), 0);
    assert_int_equal(fired_n, 1);
    hloop_free(&loop);
}

/* ---- repeating ------------------------------------------------------------------------------- */

static void a_timer_repeats_as_often_as_asked(void **state)
{
    hloop_t *loop = new_loop();

    (void)state;
    add(loop, 1, 5, 1);
    add(loop, 1, 1, 2);
    RUN_UNTIL(loop, hloop_ntimers(loop) == 0);
    assert_int_equal(fired_n, 6);
    hloop_free(&loop);
}

static uint64_t first_ns, latest_ns;

static void on_tick(htimer_t *timer)
{
    (void)timer;
    latest_ns = htime_monotonic_ns();
    if (fired_n++ == 0)
        first_ns = latest_ns;
    pause_ms(1); /* would add up if the next interval began only now */
}

/* The n-th call comes no earlier than n intervals after the start, however late each was.
 * Drifting would show as a lower bound that is passed by a millisecond each time; that is what
 * is compared. */
static void a_repeating_timer_does_not_drift(void **state)
{
    hloop_t *loop = new_loop();
    uint64_t start = htime_monotonic_ns();

    (void)state;
    assert_non_null(htimer_add(loop, on_tick, 4, INFINITE));
    for (int tries = 0; tries < 20; tries++) {
        uint64_t late_ns;

        fired_n = 0;
        RUN_UNTIL(loop, fired_n == 10);
        assert_true(latest_ns >= start + 40 * HTIME_NS_PER_MS);
        late_ns = latest_ns - first_ns - 36 * HTIME_NS_PER_MS;
        if ((int64_t)late_ns < 5 * (int64_t)HTIME_NS_PER_MS)
            break; /* 9 callbacks of 1 ms have not added up */
        assert_true(tries < 19);
    }
    hloop_free(&loop);
}

static void on_hold_up(htimer_t *timer)
{
    on_fire(timer);
    if (fired_n == 1)
        pause_ms(50);
}

static void a_loop_held_up_does_not_make_up_for_missed_calls(void **state)
{
    hloop_t *loop = new_loop();

    (void)state;
    assert_non_null(htimer_add(loop, on_hold_up, 5, INFINITE));
    RUN_UNTIL(loop, fired_n == 1);
    hloop_wakeup(loop);
    assert_int_equal(hloop_run(loop), 0); /* the one that is late */
    hloop_wakeup(loop);
    assert_int_equal(hloop_run(loop), 0);
    assert_true(fired_n <= 3);
    hloop_free(&loop);
}

static void reset_without_an_interval_keeps_it(void **state)
{
    hloop_t *loop = new_loop();
    htimer_t *timer = add(loop, 3600000, 1, 1);

    (void)state;
    htimer_reset(timer, 0);
    settle(loop);
    assert_int_equal(fired_n, 0);
    htimer_reset(timer, 1);
    RUN_UNTIL(loop, fired_n == 1);
    hloop_free(&loop);
}

static void a_very_far_timer_does_not_fire(void **state)
{
    hloop_t *loop = new_loop();

    (void)state;
    add(loop, UINT32_MAX - 1, 1, 1);
    add(loop, UINT32_MAX, INFINITE, 2);
    add(loop, 2, 1, 3);
    RUN_UNTIL(loop, fired_n > 0);
    settle(loop);
    assert_int_equal(fired_n, 1);
    assert_int_equal(fired[0], 3);
    hloop_free(&loop);
}

/* ---- cron-like ------------------------------------------------------------------------------- */

static void a_pattern_out_of_range_is_refused(void **state)
{
    static const int8_t bad[][5] = {
        {60, -1, -1, -1, -1}, {-2, -1, -1, -1, -1}, {-1, 24, -1, -1, -1},
        {-1, -1, 0, -1, -1},  {-1, -1, 32, -1, -1}, {-1, -1, -1, 7, -1},
        {-1, -1, -1, -1, 0},  {-1, -1, -1, -1, 13}, {0, 0, 30, -1, 2}};
    hloop_t *loop = new_loop();

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(bad); i++)
        assert_null(htimer_add_period(loop, on_fire, bad[i][0], bad[i][1], bad[i][2], bad[i][3],
                                      bad[i][4], 1));
    assert_int_equal(hloop_ntimers(loop), 0);
    hloop_free(&loop);
}

static void a_pattern_that_comes_is_taken(void **state)
{
    hloop_t *loop = new_loop();
    htimer_t *timer = htimer_add_period(loop, on_fire, -1, -1, -1, -1, -1, INFINITE);

    (void)state;
    assert_non_null(timer);
    assert_int_equal(hevent_type(timer), HEVENT_TYPE_PERIOD);
    assert_non_null(htimer_add_period(loop, on_fire, 59, 23, 31, -1, 12, 1));
    assert_non_null(htimer_add_period(loop, on_fire, 0, 0, -1, 6, -1, 1));
    htimer_reset(timer, 1); /* no effect */
    assert_int_equal(hloop_ntimers(loop), 3);
    settle(loop);
    hloop_free(&loop);
}

/* ---- many ------------------------------------------------------------------------------------ */

typedef struct model_s {
    htimer_t *timer;
    uint64_t due_ns; /* by a clock read before the call */
    bool alive;
} model_t;

static model_t model[2000];
static bool model_early, model_dead;

static void on_model(htimer_t *timer)
{
    model_t *entry = hevent_userdata(timer);

    model_dead |= !entry->alive || entry->timer != timer;
    model_early |= htime_monotonic_ns() < entry->due_ns;
    entry->alive = false;
    entry->timer = NULL;
    fired_n++;
}

static void act_on(hloop_t *loop, model_t *entry, unsigned what)
{
    uint32_t timeout_ms = what / 8 % 40;
    uint64_t now_ns = htime_monotonic_ns();

    if (!entry->alive) {
        entry->timer = htimer_add(loop, on_model, timeout_ms, 1);
        assert_non_null(entry->timer);
        hevent_set_userdata(entry->timer, entry);
        entry->alive = true;
        entry->due_ns = now_ns + timeout_ms * HTIME_NS_PER_MS;
    } else if (what % 8 < 3) {
        htimer_del(entry->timer);
        entry->alive = false;
        entry->timer = NULL;
    } else {
        htimer_reset(entry->timer, timeout_ms + 1);
        entry->due_ns = now_ns + (timeout_ms + 1) * HTIME_NS_PER_MS;
    }
}

static void a_hundred_thousand_random_changes_agree_with_a_model(void **state)
{
    hloop_t *loop = new_loop();
    size_t alive = 0;
    unsigned seed = 1;

    (void)state;
    memset(model, 0, sizeof(model));
    model_early = model_dead = false;
    for (int i = 0; i < MANY; i++) {
        act_on(loop, &model[rand_r(&seed) % ARRAY_LENGTH(model)], (unsigned)rand_r(&seed));
        if (i % 500 == 0) {
            hloop_wakeup(loop);
            assert_int_equal(hloop_run(loop), 0);
        }
    }
    for (size_t i = 0; i < ARRAY_LENGTH(model); i++)
        alive += model[i].alive;
    assert_int_equal(hloop_ntimers(loop), alive);
    RUN_UNTIL(loop, hloop_ntimers(loop) == 0);
    for (size_t i = 0; i < ARRAY_LENGTH(model); i++)
        assert_false(model[i].alive);
    assert_false(model_early);
    assert_false(model_dead);
    hloop_free(&loop);
}

/* ---- out of memory --------------------------------------------------------------------------- */

static int timers_with_little_memory(void *arg)
{
    hloop_t *loop = hloop_new_with(&(hloop_options_t){HLOOP_FLAG_RUN_ONCE, test_poller, 0, NULL});
    int rc = loop ? 0 : -errno, added = 0;

    (void)arg;
    fired_n = 0;
    for (; loop && rc == 0 && added < 100; added++) {
        htimer_t *timer = htimer_add(loop, on_fire, 0, 1);

        if (!timer)
            rc = -ENOMEM;
        else
            htimer_reset(timer, added % 2 ? 0 : 1);
        if (!timer)
            break;
    }
    while (loop && fired_n < added) /* what was added fires, out of memory or not */
        assert_int_equal(hloop_run(loop), 0);
    hloop_free(&loop);
    return rc;
}

static void out_of_memory_loses_no_timer(void **state)
{
    (void)state;
    oom_run(timers_with_little_memory, NULL);
}

#define TEST(f) cmocka_unit_test_setup(f, setup)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_timer_is_never_early),
        TEST(a_timer_added_long_before_the_run_is_not_early),
        TEST(a_timer_added_by_a_callback_that_ran_long_is_not_early),
        TEST(a_timer_added_by_a_long_post_is_not_early),
        TEST(a_timer_added_by_a_long_idle_is_not_early),
        TEST(update_time_serves_a_callback_that_adds_twice),
        TEST(equal_deadlines_fire_in_the_order_they_were_added),
        TEST(a_reset_timer_is_the_last_of_equal_ones),
        TEST(many_that_are_due_at_once_fire_in_order),
        TEST(higher_priorities_fire_first),
        TEST(a_due_timer_whose_priority_changes_still_fires),
        TEST(a_one_shot_rearmed_in_its_callback_fires_once_more),
        TEST(a_timer_may_delete_itself),
        TEST(a_timer_may_replace_itself),
        TEST(a_due_timer_deleted_by_another_does_not_fire),
        TEST(a_due_timer_reset_by_another_fires_later),
        TEST(del_of_nothing_is_legal),
        TEST(a_deleted_timer_wakes_nobody),
        TEST(a_timer_repeats_as_often_as_asked),
        TEST(a_repeating_timer_does_not_drift),
        TEST(a_loop_held_up_does_not_make_up_for_missed_calls),
        TEST(reset_without_an_interval_keeps_it),
        TEST(a_very_far_timer_does_not_fire),
        TEST(a_pattern_out_of_range_is_refused),
        TEST(a_pattern_that_comes_is_taken),
        TEST(a_hundred_thousand_random_changes_agree_with_a_model),
        TEST(out_of_memory_loses_no_timer),
    };

    return run_on_each_poller("htimer", tests, ARRAY_LENGTH(tests));
}
