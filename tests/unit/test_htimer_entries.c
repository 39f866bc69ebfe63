/* One thread. */
/* The heap behind the timers, seen from inside: what deleted and re-armed timers leave there. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "event/hloop_int.h"

#include "oom.h"

#define LONG_MS 3600000u

/* Timers of which the loop has taken notice have an entry each. */
static void go_round(hloop_t *loop)
{
    assert_int_equal(hloop_wakeup(loop), 0);
    assert_int_equal(hloop_run(loop), 0);
}

static void never(htimer_t *timer)
{
    (void)timer;
    fail_msg("a timer of an hour has fired");
}

/* What lives and dies within one callback costs the heap nothing. */
static void a_timer_deleted_before_the_loop_waits_leaves_no_entry(void **state)
{
    hloop_t *loop = hloop_new(HLOOP_FLAG_RUN_ONCE);

    (void)state;
    for (int i = 0; i < 200000; i++)
        htimer_del(htimer_add(loop, never, LONG_MS, 1));
    assert_int_equal(loop->timers.stale, 0);
    assert_true(loop->timers.heap.cap < 1024);
    go_round(loop);
    assert_int_equal(loop->timers.heap.n, 0);
    assert_int_equal(hloop_ntimers(loop), 0);
    hloop_free(&loop);
}

/* A time-out for each request, cancelled by its reply, for ever: memory must not grow. */
static void deleted_timers_leave_no_entries_for_ever(void **state)
{
    hloop_t *loop = hloop_new(HLOOP_FLAG_RUN_ONCE);
    htimer_t *kept[100];

    (void)state;
    for (int i = 0; i < 100; i++)
        kept[i] = htimer_add(loop, never, LONG_MS, 1);
    for (int i = 0; i < 20000; i++) {
        htimer_t *timer = htimer_add(loop, never, LONG_MS, 1);

        go_round(loop);
        htimer_del(timer);
    }
    assert_true(loop->timers.heap.n < 4096);
    assert_true(loop->timers.heap.cap < 8192);
    for (int i = 0; i < 100; i++)
        htimer_del(kept[i]);
    assert_int_equal(hloop_ntimers(loop), 0);
    hloop_free(&loop);
}

static void re_arming_for_later_adds_no_entry(void **state)
{
    hloop_t *loop = hloop_new(HLOOP_FLAG_RUN_ONCE);
    htimer_t *timer = htimer_add(loop, never, LONG_MS, 1);

    (void)state;
    for (uint32_t i = 0; i < 100000; i++) {
        htimer_reset(timer, LONG_MS + i);
        if (i % 1000 == 0)
            go_round(loop);
    }
    assert_int_equal(loop->timers.heap.n, 1);
    assert_int_equal(loop->timers.stale, 0);
    hloop_free(&loop);
}

static void re_arming_for_earlier_leaves_no_entries_for_ever(void **state)
{
    hloop_t *loop = hloop_new(HLOOP_FLAG_RUN_ONCE);
    htimer_t *timer = htimer_add(loop, never, 3 * LONG_MS, 1);

    (void)state;
    for (uint32_t i = 0; i < 20000; i++) {
        htimer_reset(timer, 3 * LONG_MS - 10 * i);
        htimer_reset(timer, 3 * LONG_MS - 10 * i - 5);
        go_round(loop);
    }
    assert_true(loop->timers.heap.n < 4096);
    assert_int_equal(hloop_ntimers(loop), 1);
    hloop_free(&loop);
}

static bool fired;

static void on_fire(htimer_t *timer)
{
    (void)timer;
    fired = true;
}

/* Timers that the loop knows are re-armed for earlier, each needing room for one more entry. */
static int rearm_for_earlier(void *arg)
{
    hloop_t *loop = hloop_new(HLOOP_FLAG_RUN_ONCE);
    htimer_t *timers[200] = {NULL};
    int rc = loop ? 0 : -errno;

    (void)arg;
    for (int i = 0; loop && i < 200 && rc == 0; i++) {
        timers[i] = htimer_add(loop, on_fire, LONG_MS, 1);
        rc = timers[i] ? 0 : -ENOMEM;
    }
    if (rc == 0)
        go_round(loop);
    fired = rc != 0;
    for (int round = 1; round <= 10 && rc == 0; round++) {
        for (int i = 0; i < 200; i++)
            htimer_reset(timers[i], LONG_MS - (uint32_t)round * 1000);
        go_round(loop);
    }
    if (rc == 0)
        htimer_reset(timers[100], 1);
    while (!fired)
        assert_int_equal(hloop_run(loop), 0);
    hloop_free(&loop);
    return rc;
}

static void without_memory_a_timer_re_armed_for_earlier_still_fires(void **state)
{
    (void)state;
    oom_run(rearm_for_earlier, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_timer_deleted_before_the_loop_waits_leaves_no_entry),
        cmocka_unit_test(deleted_timers_leave_no_entries_for_ever),
        cmocka_unit_test(re_arming_for_later_adds_no_entry),
        cmocka_unit_test(re_arming_for_earlier_leaves_no_entries_for_ever),
        cmocka_unit_test(without_memory_a_timer_re_armed_for_earlier_still_fires),
    };

    return cmocka_run_group_tests_name("htimer_entries", tests, NULL, NULL);
}
