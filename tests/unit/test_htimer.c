/* One thread. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "event/hidle.h"
#include "event/hloop_int.h"
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

/* Adds a timer and notes when it may fire: not within its time of this moment. */
static void add_checked_since(hloop_t *loop, lateness_t *lateness, uint32_t timeout_ms,
                              uint64_t now_ns)
{
    htimer_t *timer = htimer_add(loop, on_check, timeout_ms, 1);

    assert_non_null(timer);
    hevent_set_userdata(timer, lateness);
    *lateness = (lateness_t){.due_ns = now_ns + timeout_ms * HTIME_NS_PER_MS};
}

static void add_checked(hloop_t *loop, lateness_t *lateness, uint32_t timeout_ms)
{
    add_checked_since(loop, lateness, timeout_ms, htime_monotonic_ns());
}

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

/* Nobody moves the deadline of a long one to where others are. */
static void timers_of_1_s_are_not_60_ms_early(void **state)
{
    static const uint32_t delays_ms[] = {1000, 1100, 1017};
    enum { ROUNDS = 4, N = ARRAY_LENGTH(delays_ms) };
    hloop_t *loop = new_loop();
    lateness_t lateness[ROUNDS * N];

    (void)state;
    for (int i = 0; i < ROUNDS * N; i++) {
        add_checked(loop, &lateness[i], delays_ms[i % N]);
        if (i % N == N - 1)
            pause_ms(17);
    }
    for (int i = 0; i < ROUNDS * N; i++) {
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

#define FEW HLOOP_CLOCK_READS
#define MANY (4 * HLOOP_CLOCK_USES)

/* As many calls as htimer.h promises to be exact, with work in between. */
static void on_sleepy_again_and_again(htimer_t *timer)
{
    lateness_t *lateness = hevent_userdata(timer);

    for (int i = 0; i < FEW; i++) {
        add_checked(hevent_loop(timer), &lateness[i], 60);
        pause_ms(5);
    }
}

static void a_callback_that_adds_works_and_adds_again_needs_not_update_the_time(void **state)
{
    hloop_t *loop = new_loop();
    lateness_t lateness[FEW] = {0};

    (void)state;
    hevent_set_userdata(htimer_add(loop, on_sleepy_again_and_again, 1, 1), lateness);
    for (int i = 0; i < FEW; i++) {
        RUN_UNTIL(loop, lateness[i].fired);
        assert_false(lateness[i].early);
    }
    hloop_free(&loop);
}

static void on_reset_twice(htimer_t *timer)
{
    lateness_t *lateness = hevent_userdata(timer);
    htimer_t *checked;

    checked = htimer_add(hevent_loop(timer), on_check, 10, 1);
    hevent_set_userdata(checked, lateness);
    pause_ms(30);
    lateness->due_ns = htime_monotonic_ns() + 10 * HTIME_NS_PER_MS;
    htimer_reset(checked, 10);
}

static void a_callback_that_works_before_it_re_arms_needs_not_update_the_time(void **state)
{
    hloop_t *loop = new_loop();
    lateness_t lateness = {0};

    (void)state;
    hevent_set_userdata(htimer_add(loop, on_reset_twice, 1, 1), &lateness);
    RUN_UNTIL(loop, lateness.fired);
    assert_false(lateness.early);
    hloop_free(&loop);
}

static void on_post_ask_and_work(hevent_t *ev)
{
    hloop_now_us(ev->loop);
    pause_ms(30);
    add_checked(ev->loop, ev->userdata, 40);
}

static void on_post_update_and_work(hevent_t *ev)
{
    hloop_update_time(ev->loop);
    pause_ms(30);
    add_checked(ev->loop, ev->userdata, 40);
}

/* No timer has had the clock read before. */
static void a_callback_that_knows_the_time_and_works_adds_timers_that_are_not_early(void **state)
{
    hevent_cb callbacks[] = {on_post_ask_and_work, on_post_update_and_work};

    (void)state;
    for (size_t i = 0; i < sizeof(callbacks) / sizeof(callbacks[0]); i++) {
        lateness_t lateness = {0};
        hevent_t ev = {.cb = callbacks[i], .userdata = &lateness};
        hloop_t *loop = new_loop();

        hloop_post_event(loop, &ev);
        RUN_UNTIL(loop, lateness.fired);
        assert_false(lateness.early);
        hloop_free(&loop);
    }
}

static void use_clock(hloop_t *loop, int times)
{
    for (int i = 0; i < times; i++)
        htimer_del(htimer_add(loop, on_check, 10, 1));
}

/* The clock is read in one of the calls behind the pause, and not again in the last one. */
static void on_many_calls(htimer_t *timer)
{
    uint64_t now_ns;

    use_clock(hevent_loop(timer), MANY);
    pause_ms(30);
    now_ns = htime_monotonic_ns();
    use_clock(hevent_loop(timer), HLOOP_CLOCK_USES);
    add_checked_since(hevent_loop(timer), hevent_userdata(timer), 40, now_ns);
}

static void on_many_calls_and_update(htimer_t *timer)
{
    uint64_t now_ns;

    use_clock(hevent_loop(timer), MANY);
    pause_ms(30);
    now_ns = htime_monotonic_ns();
    hloop_update_time(hevent_loop(timer));
    add_checked_since(hevent_loop(timer), hevent_userdata(timer), 40, now_ns);
}

static void a_callback_of_many_calls_reads_the_clock_now_and_then_and_when_told(void **state)
{
    hloop_t *loop = new_loop();
    lateness_t lateness[2] = {0};

    (void)state;
    hevent_set_userdata(htimer_add(loop, on_many_calls, 1, 1), &lateness[0]);
    hevent_set_userdata(htimer_add(loop, on_many_calls_and_update, 1, 1), &lateness[1]);
    for (int i = 0; i < 2; i++) {
        RUN_UNTIL(loop, lateness[i].fired);
        assert_false(lateness[i].early);
    }
    hloop_free(&loop);
}

static bool clock_ran_ahead;

static void on_add_in_a_hurry(htimer_t *timer)
{
    hloop_t *loop = hevent_loop(timer);

    for (int i = 0; i < 100 * HLOOP_CLOCK_USES; i++) {
        htimer_del(htimer_add(loop, on_fire, 10, 1));
        clock_ran_ahead |= loop->now_ns > htime_monotonic_ns();
    }
    fired_n = 1;
}

/* Each use finds the clock of the loop 1 ns later: that is never faster than time. */
static void the_clock_of_the_loop_does_not_run_ahead(void **state)
{
    hloop_t *loop = new_loop();

    (void)state;
    clock_ran_ahead = false;
    assert_non_null(htimer_add(loop, on_add_in_a_hurry, 0, 1));
    RUN_UNTIL(loop, fired_n == 1);
    assert_false(clock_ran_ahead);
    hloop_free(&loop);
}

/* Works for 2 ms between two looks at the loop's time, then has itself called again. */
static void on_post_look(hevent_t *ev)
{
    uint64_t *seen_us = ev->userdata;

    seen_us[fired_n] = hloop_now_us(ev->loop);
    pause_ms(2);
    assert_int_equal(hloop_now_us(ev->loop), seen_us[fired_n]);
    if (++fired_n < 2)
        hloop_post_event(ev->loop, ev);
}

/* Without timers nobody but these callbacks asks for the time. */
static void the_time_is_that_of_the_iteration(void **state)
{
    uint64_t seen_us[2] = {0};
    hevent_t ev = {.cb = on_post_look, .userdata = seen_us};
    hloop_t *loop = new_loop();
    uint64_t begin_us = htime_monotonic_us();

    (void)state;
    hloop_post_event(loop, &ev);
    RUN_UNTIL(loop, fired_n == 2);
    assert_true(seen_us[0] >= begin_us);
    assert_true(seen_us[1] >= seen_us[0] + 2000);
    hloop_free(&loop);
}

/* ---- order ----------------------------------------------------------------------------------- */

static void on_add_many(htimer_t *timer)
{
    for (int n = 0; n < 50; n++)
        add(hevent_loop(timer), 5, 1, n);
}

static void equal_time_outs_fire_in_the_order_they_were_added(void **state)
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
    htimer_reset(trio[0], 5); /* the same time-out, but last now */
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

static uint64_t latest_deadline_ns;
static bool out_of_order;

static void on_fire_in_order(htimer_t *timer)
{
    uint64_t deadline_ns = (uint64_t)(uintptr_t)hevent_userdata(timer);

    out_of_order |= deadline_ns < latest_deadline_ns;
    latest_deadline_ns = deadline_ns;
    fired_n++;
}

/* After a call: the deadline that it has set, known by the clock that it has used. */
static void note_deadline(htimer_t *timer, uint32_t timeout_ms)
{
    uint64_t used_ns = hevent_loop(timer)->now_ns - 1;

    hevent_set_userdata(timer, (uintptr_t)(used_ns + timeout_ms * HTIME_NS_PER_MS));
}

/* Each fifth is deleted, each fifth re-armed to and fro, half of those deleted too. */
static void on_add_very_many(htimer_t *adder)
{
    for (uint32_t i = 0; i < 5000; i++) {
        uint32_t timeout_ms = i * 7919 % 16;
        htimer_t *timer = htimer_add(hevent_loop(adder), on_fire_in_order, timeout_ms, 1);

        note_deadline(timer, timeout_ms);
        if (i % 5 == 1) {
            htimer_reset(timer, timeout_ms + 1000);
            htimer_reset(timer, timeout_ms ? timeout_ms : 1);
            note_deadline(timer, timeout_ms ? timeout_ms : 1);
        }
        if (i % 5 == 0 || i % 10 == 6)
            htimer_del(timer);
    }
}

static void on_add_very_many_and_wait(htimer_t *adder)
{
    on_add_very_many(adder);
    pause_ms(20);
}

static void begin_order(void)
{
    latest_deadline_ns = 0;
    out_of_order = false;
}

/* Those never see the heap. */
static void many_that_are_due_before_the_loop_waits_fire_in_order(void **state)
{
    hloop_t *loop = new_loop();

    (void)state;
    begin_order();
    assert_non_null(htimer_add(loop, on_add_very_many_and_wait, 0, 1));
    RUN_UNTIL(loop, fired_n > 0);
    assert_int_equal(fired_n, 3500);
    settle(loop);
    assert_int_equal(fired_n, 3500);
    assert_false(out_of_order);
    assert_int_equal(hloop_ntimers(loop), 0);
    hloop_free(&loop);
}

/* First in the heap among others, then due at once, more than are popped one by one. What is added
 * at last is due with them, and has its place among them. */
static void many_that_become_due_at_once_fire_in_order(void **state)
{
    hloop_t *loop = new_loop();

    (void)state;
    begin_order();
    for (uint32_t i = 0; i < 1000; i++) {
        htimer_t *timer = htimer_add(loop, on_fire_in_order, 3600000 + i * 7919 % 16, 1);

        if (i == 500)
            settle(loop);
        if (i % 2 == 1) {
            htimer_reset(timer, 30 + i * 7919 % 16);
            note_deadline(timer, 30 + i * 7919 % 16);
        }
    }
    settle(loop);
    pause_ms(50);
    for (uint32_t i = 0; i < 11; i++)
        note_deadline(htimer_add(loop, on_fire_in_order, i / 10 * 20, 1), i / 10 * 20);
    RUN_UNTIL(loop, fired_n >= 511);
    assert_int_equal(fired_n, 511);
    assert_false(out_of_order);
    assert_int_equal(hloop_ntimers(loop), 500);
    hloop_free(&loop);
}

/* Repeating ones that are late begin their interval anew, in the order in which they fire. */
static void repeating_ones_that_are_late_keep_their_order(void **state)
{
    hloop_t *loop = new_loop();
    htimer_t *timers[20];

    (void)state;
    for (int i = 0; i < 20; i++)
        timers[i] = add(loop, 30, 2, i);
    for (int i = 20; i-- > 0;)
        htimer_reset(timers[i], 30);
    pause_ms(100);
    RUN_UNTIL(loop, fired_n >= 20);
    pause_ms(60);
    RUN_UNTIL(loop, fired_n >= 40);
    for (int i = 0; i < 20; i++)
        assert_int_equal(fired[20 + i], 19 - i);
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
        TEST(timers_of_1_s_are_not_60_ms_early),
        TEST(a_timer_added_long_before_the_run_is_not_early),
        TEST(a_timer_added_by_a_callback_that_ran_long_is_not_early),
        TEST(a_timer_added_by_a_long_post_is_not_early),
        TEST(a_timer_added_by_a_long_idle_is_not_early),
        TEST(a_callback_that_adds_works_and_adds_again_needs_not_update_the_time),
        TEST(a_callback_that_works_before_it_re_arms_needs_not_update_the_time),
        TEST(a_callback_that_knows_the_time_and_works_adds_timers_that_are_not_early),
        TEST(a_callback_of_many_calls_reads_the_clock_now_and_then_and_when_told),
        TEST(the_clock_of_the_loop_does_not_run_ahead),
        TEST(the_time_is_that_of_the_iteration),
        TEST(equal_time_outs_fire_in_the_order_they_were_added),
        TEST(a_reset_timer_is_the_last_of_equal_ones),
        TEST(many_that_are_due_before_the_loop_waits_fire_in_order),
        TEST(many_that_become_due_at_once_fire_in_order),
        TEST(repeating_ones_that_are_late_keep_their_order),
        TEST(higher_priorities_fire_first),
        TEST(a_due_timer_whose_priority_changes_still_fires),
    };

    return run_on_each_poller("htimer: in time, in order", tests, ARRAY_LENGTH(tests));
}
