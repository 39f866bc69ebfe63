/* Timers with a cron-like pattern. The tests alone move the clocks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "htimer_fixture.h"

#include <time.h>

#define MIDNIGHT_2024_02_29 1709164800 /* UTC */

#define MIDNIGHT (MIDNIGHT_2024_02_29 * (int64_t)HTIME_NS_PER_S)
#define MS ((int64_t)HTIME_NS_PER_MS)
#define SECOND ((int64_t)HTIME_NS_PER_S)
#define MINUTE (60 * SECOND)
#define HOUR (60 * MINUTE)
#define DAY (24 * HOUR)

static int64_t monotonic_ns, wall_ns;

/* In place of the C library's. */
int clock_gettime(clockid_t clock, struct timespec *ts)
{
    int64_t ns = clock == CLOCK_REALTIME ? wall_ns : monotonic_ns;

    ts->tv_sec = ns / SECOND;
    ts->tv_nsec = ns % SECOND;
    return 0;
}

static void pass(hloop_t *loop, int64_t ns)
{
    monotonic_ns += ns;
    wall_ns += ns;
    settle(loop);
}

/* A second before midnight. */
static hloop_t *new_evening(void)
{
    monotonic_ns = HOUR;
    wall_ns = MIDNIGHT - SECOND;
    fired_n = 0;
    return new_loop();
}

static int cron_setup(void **state)
{
    setenv("TZ", "UTC", 1);
    tzset();
    return setup(state);
}

/* -1: every one. */
static htimer_t *at(hloop_t *loop, int8_t minute, int8_t hour)
{
    htimer_t *timer = htimer_add_period(loop, on_fire, minute, hour, -1, -1, -1, INFINITE);

    assert_non_null(timer);
    return timer;
}

static void a_time_that_never_comes_is_refused(void **state)
{
    hloop_t *loop = new_evening();

    (void)state;
    assert_null(htimer_add_period(loop, on_fire, 0, 0, 30, -1, 2, 1));
    assert_int_equal(hloop_ntimers(loop), 0);
    hloop_free(&loop);
}

/* Every value that a field can be given. */
static void a_field_is_taken_in_its_range_alone(void **state)
{
    static const int8_t first[] = {0, 0, 1, 0, 1}, last[] = {59, 23, 31, 6, 12};
    hloop_t *loop = new_evening();

    (void)state;
    for (int field = 0; field < 5; field++) {
        for (int value = INT8_MIN; value <= INT8_MAX; value++) {
            bool is_good = value == -1 || (value >= first[field] && value <= last[field]);
            int8_t f[5] = {-1, -1, -1, -1, -1};
            htimer_t *timer;

            f[field] = (int8_t)value;
            timer = htimer_add_period(loop, on_fire, f[0], f[1], f[2], f[3], f[4], 1);
            assert_int_equal(timer != NULL, is_good);
            htimer_del(timer);
        }
    }
    assert_int_equal(hloop_ntimers(loop), 0);
    hloop_free(&loop);
}

/* Midnight begins the 29th of February 2024, a Thursday. */
static void a_pattern_fires_when_its_time_comes(void **state)
{
    static const struct {
        int8_t minute, hour, day, week, month;
        int64_t after; /* midnight */
    } patterns[] = {
        {-1, -1, -1, -1, -1, 0},
        {0, -1, -1, -1, -1, 0},
        {-1, 0, -1, -1, -1, 0},
        {-1, -1, 29, -1, -1, 0},
        {-1, -1, -1, 4, -1, 0},
        {-1, -1, -1, -1, 2, 0},
        {0, 0, 29, 4, 2, 0},
        {0, 0, -1, 0, -1, 3 * DAY},
        {59, -1, -1, -1, -1, 59 * MINUTE},
        {0, 0, -1, 6, -1, 2 * DAY},
        {0, 23, -1, -1, -1, 23 * HOUR},
        {0, 0, 31, -1, -1, 31 * DAY},
        {0, 0, 1, -1, 12, 276 * DAY},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(patterns); i++) {
        hloop_t *loop = new_evening();
        htimer_t *timer =
            htimer_add_period(loop, on_fire, patterns[i].minute, patterns[i].hour, patterns[i].day,
                              patterns[i].week, patterns[i].month, 1);

        assert_non_null(timer);
        assert_int_equal(hevent_type(timer), HEVENT_TYPE_PERIOD);
        htimer_reset(timer, 1); /* no effect */
        pass(loop, SECOND + patterns[i].after - MS);
        assert_int_equal(fired_n, 0);
        pass(loop, MS);
        assert_int_equal(fired_n, 1);
        assert_int_equal(hloop_ntimers(loop), 0);
        hloop_free(&loop);
    }
}

static void a_pattern_repeats_as_often_as_asked(void **state)
{
    hloop_t *loop = new_evening();

    (void)state;
    assert_non_null(htimer_add_period(loop, on_fire, -1, -1, -1, -1, -1, 3));
    pass(loop, SECOND);
    for (int i = 1; i <= 3; i++) {
        assert_int_equal(fired_n, i);
        pass(loop, MINUTE);
    }
    assert_int_equal(fired_n, 3);
    assert_int_equal(hloop_ntimers(loop), 0);
    hloop_free(&loop);
}

/* What was called before is not called again, what is still to come is not called early. */
static void a_clock_that_is_set_back_makes_a_pattern_wait(void **state)
{
    static const struct {
        int8_t minute, hour;
        int64_t back;
    } cases[] = {
        {-1, -1, MS},          {-1, -1, 30 * SECOND}, {-1, -1, 59 * SECOND},
        {-1, -1, 90 * SECOND}, {0, -1, 20 * MINUTE},  {0, -1, 59 * MINUTE},
        {0, -1, 100 * MINUTE}, {0, 0, 20 * HOUR},     {0, 0, 60 * HOUR},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        hloop_t *loop = new_evening();

        at(loop, cases[i].minute, cases[i].hour);
        settle(loop);
        wall_ns -= cases[i].back;
        pass(loop, SECOND);
        assert_int_equal(fired_n, 0);
        pass(loop, cases[i].back - MS);
        assert_int_equal(fired_n, 0);
        pass(loop, MS);
        assert_int_equal(fired_n, 1);
        pass(loop, MINUTE - MS);
        assert_int_equal(fired_n, 1);
        hloop_free(&loop);
    }
}

/* It has missed its minute, which is noticed at the old deadline, and is called all the same. */
static void a_clock_that_is_set_forward_loses_no_call(void **state)
{
    static const struct {
        int8_t minute, hour;
        int64_t forward;
    } cases[] = {
        {-1, -1, MS},          {-1, -1, 50 * SECOND}, {-1, -1, 90 * SECOND}, {0, -1, 40 * MINUTE},
        {0, -1, 100 * MINUTE}, {0, 0, 20 * HOUR},     {0, 0, 60 * HOUR},     {0, 12, 100 * HOUR},
        {0, 12, 3653 * DAY},   {-1, -1, 4 * DAY},     {-1, -1, 20000 * DAY}, {0, -1, 4 * DAY},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        hloop_t *loop = new_evening();

        at(loop, cases[i].minute, cases[i].hour);
        settle(loop);
        wall_ns += cases[i].forward;
        pass(loop, cases[i].hour == 12 ? 12 * HOUR + SECOND : SECOND);
        assert_int_equal(fired_n, 1);
        hloop_free(&loop);
    }
}

static void a_loop_that_is_held_up_loses_no_call(void **state)
{
    static const int64_t times[] = {30 * SECOND, 5 * MINUTE, 30 * HOUR, 70 * HOUR};

    (void)state;
    for (size_t i = 0; i < 2 * ARRAY_LENGTH(times); i++) {
        hloop_t *loop = new_evening();

        i % 2 ? at(loop, 0, 0) : at(loop, -1, -1);
        settle(loop);
        pass(loop, SECOND + times[i / 2]);
        assert_int_equal(fired_n, 1);
        pass(loop, i % 2 ? DAY : MINUTE);
        assert_int_equal(fired_n, 2);
        hloop_free(&loop);
    }
}

#define TEST(f) cmocka_unit_test_setup(f, cron_setup)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_time_that_never_comes_is_refused),
        TEST(a_field_is_taken_in_its_range_alone),
        TEST(a_pattern_fires_when_its_time_comes),
        TEST(a_pattern_repeats_as_often_as_asked),
        TEST(a_clock_that_is_set_back_makes_a_pattern_wait),
        TEST(a_clock_that_is_set_forward_loses_no_call),
        TEST(a_loop_that_is_held_up_loses_no_call),
    };

    return run_on_each_poller("htimer: cron-like", tests, ARRAY_LENGTH(tests));
}
