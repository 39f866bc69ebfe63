/* Timers with a cron-like pattern, by a wall clock that the tests set. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "htimer_fixture.h"

#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define MIDNIGHT_2024_02_29 1709164800 /* UTC */

static int64_t wall_offset_ns; /* of the wall clock alone */
static int64_t held_up_ns;     /* of all clocks */

/* In place of the C library's. */
int clock_gettime(clockid_t clock, struct timespec *ts)
{
    int64_t ns;

    if (syscall(SYS_clock_gettime, clock, ts) != 0)
        return -1;
    ns = ts->tv_sec * (int64_t)HTIME_NS_PER_S + ts->tv_nsec + held_up_ns;
    if (clock == CLOCK_REALTIME)
        ns += wall_offset_ns;
    ts->tv_sec = ns / (int64_t)HTIME_NS_PER_S;
    ts->tv_nsec = ns % (int64_t)HTIME_NS_PER_S;
    return 0;
}

/* The wall clock shows this second, but for some ms. */
static void set_wall_clock(time_t second, int64_t ms_before)
{
    wall_offset_ns +=
        ((int64_t)second * 1000 - ms_before) * (int64_t)HTIME_NS_PER_MS - (int64_t)htime_real_ns();
}

static int cron_setup(void **state)
{
    setenv("TZ", "UTC", 1);
    tzset();
    set_wall_clock(MIDNIGHT_2024_02_29, 100);
    return setup(state);
}

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

/* Minute, hour, day, week day and month of the 29th of February 2024, a Thursday. */
static void a_pattern_fires_when_its_time_comes(void **state)
{
    static const int8_t patterns[][5] = {
        {-1, -1, -1, -1, -1}, {0, -1, -1, -1, -1}, {-1, 0, -1, -1, -1},
        {-1, -1, 29, -1, -1}, {-1, -1, -1, 4, -1}, {0, 0, 29, 4, 2},
    };
    hloop_t *loop = new_loop();

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(patterns); i++)
        assert_non_null(htimer_add_period(loop, on_fire, patterns[i][0], patterns[i][1],
                                          patterns[i][2], patterns[i][3], patterns[i][4], 1));
    assert_int_equal(hloop_ntimers(loop), 6);
    RUN_UNTIL(loop, hloop_ntimers(loop) == 0);
    assert_int_equal(fired_n, 6);
    assert_true(htime_real_ns() >= MIDNIGHT_2024_02_29 * HTIME_NS_PER_S);
    hloop_free(&loop);
}

static void a_pattern_of_another_time_does_not_fire(void **state)
{
    static const int8_t patterns[][5] = {{1, -1, -1, -1, -1},
                                         {-1, 1, -1, -1, -1},
                                         {-1, -1, 1, -1, -1},
                                         {-1, -1, -1, 5, -1},
                                         {-1, -1, -1, -1, 3}};
    hloop_t *loop = new_loop();

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(patterns); i++)
        assert_non_null(htimer_add_period(loop, on_fire, patterns[i][0], patterns[i][1],
                                          patterns[i][2], patterns[i][3], patterns[i][4], 1));
    add(loop, 200, 1, 1);
    RUN_UNTIL(loop, fired_n > 0);
    settle(loop);
    assert_int_equal(fired_n, 1);
    assert_int_equal(fired[0], 1);
    hloop_free(&loop);
}

static void on_minute(htimer_t *timer)
{
    assert_int_equal(hevent_type(timer), HEVENT_TYPE_PERIOD);
    on_fire(timer);
    set_wall_clock(MIDNIGHT_2024_02_29 + fired_n * 60, 20);
}

static void a_pattern_repeats_as_often_as_asked(void **state)
{
    hloop_t *loop = new_loop();

    (void)state;
    assert_non_null(htimer_add_period(loop, on_minute, -1, -1, -1, -1, -1, 3));
    RUN_UNTIL(loop, hloop_ntimers(loop) == 0);
    assert_int_equal(fired_n, 3);
    hloop_free(&loop);
}

static htimer_t *at_midnight(hloop_t *loop, bool every_minute)
{
    int8_t at = every_minute ? -1 : 0;
    htimer_t *timer = htimer_add_period(loop, on_fire, at, at, -1, -1, -1, INFINITE);

    assert_non_null(timer);
    return timer;
}

/* The wall clock is set back while the timer waits: its minute comes later, and only once. */
static void a_pattern_waits_for_a_clock_that_was_set_back(void **state)
{
    (void)state;
    for (int every_minute = 0; every_minute < 2; every_minute++) {
        hloop_t *loop = new_loop();

        fired_n = 0;
        set_wall_clock(MIDNIGHT_2024_02_29, 100);
        at_midnight(loop, every_minute);
        settle(loop);
        set_wall_clock(MIDNIGHT_2024_02_29, 250);
        RUN_UNTIL(loop, fired_n > 0);
        assert_true(htime_real_ns() >= MIDNIGHT_2024_02_29 * HTIME_NS_PER_S);
        add(loop, 50, 1, 1);
        RUN_UNTIL(loop, fired_n == 2);
        assert_int_equal(fired[1], 1);
        hloop_free(&loop);
    }
}

/* And set forward: it has missed its minute, and is called all the same. */
static void a_pattern_is_not_lost_when_the_clock_is_set_forward(void **state)
{
    hloop_t *loop = new_loop();

    (void)state;
    at_midnight(loop, false);
    settle(loop);
    set_wall_clock(MIDNIGHT_2024_02_29 + 2 * 3600, 0);
    RUN_UNTIL(loop, fired_n == 1);
    hloop_free(&loop);
}

/* The program does something else for more than the minute that matches. */
static void a_pattern_is_not_lost_when_the_loop_is_held_up(void **state)
{
    hloop_t *loop = new_loop();

    (void)state;
    at_midnight(loop, false);
    settle(loop);
    held_up_ns += 300 * HTIME_NS_PER_S;
    RUN_UNTIL(loop, fired_n == 1);
    settle(loop);
    assert_int_equal(fired_n, 1);
    hloop_free(&loop);
}

#define TEST(f) cmocka_unit_test_setup(f, cron_setup)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_pattern_out_of_range_is_refused),
        TEST(a_pattern_that_comes_is_taken),
        TEST(a_pattern_fires_when_its_time_comes),
        TEST(a_pattern_of_another_time_does_not_fire),
        TEST(a_pattern_repeats_as_often_as_asked),
        TEST(a_pattern_waits_for_a_clock_that_was_set_back),
        TEST(a_pattern_is_not_lost_when_the_clock_is_set_forward),
        TEST(a_pattern_is_not_lost_when_the_loop_is_held_up),
    };

    return run_on_each_poller("htimer: cron-like", tests, ARRAY_LENGTH(tests));
}
