#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "event/hidle.h"
#include "htimer_fixture.h"

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
    };

    return run_on_each_poller("htimer: in time, in order", tests, ARRAY_LENGTH(tests));
}
