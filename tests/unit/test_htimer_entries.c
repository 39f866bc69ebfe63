/* The heap behind the timers, seen from inside: what deleted and re-armed timers leave there. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "event/hloop_int.h"

#define LONG_MS 3600000u

static size_t entries(const hloop_t *loop)
{
    return loop->timers.heap.n + loop->timers.fresh;
}

static void never(htimer_t *timer)
{
    (void)timer;
    fail_msg("a timer of an hour has fired");
}

/* A time-out for each request, cancelled by its reply, for ever: memory must not grow. */
static void deleted_timers_leave_no_entries_for_ever(void **state)
{
    hloop_t *loop = hloop_new(0);
    htimer_t *kept[100];

    (void)state;
    for (int i = 0; i < 100; i++)
        kept[i] = htimer_add(loop, never, LONG_MS, 1);
    for (int i = 0; i < 200000; i++)
        htimer_del(htimer_add(loop, never, LONG_MS, 1));
    assert_true(entries(loop) < 4096);
    assert_true(loop->timers.heap.cap < 8192);
    for (int i = 0; i < 100; i++)
        htimer_del(kept[i]);
    assert_int_equal(loop->timers.slab.used, 0);
    hloop_free(&loop);
}

static void re_arming_for_later_adds_no_entry(void **state)
{
    hloop_t *loop = hloop_new(0);
    htimer_t *timer = htimer_add(loop, never, LONG_MS, 1);

    (void)state;
    for (uint32_t i = 0; i < 100000; i++)
        htimer_reset(timer, LONG_MS + i);
    assert_int_equal(entries(loop), 1);
    hloop_free(&loop);
}

static void re_arming_for_earlier_leaves_no_entries_for_ever(void **state)
{
    hloop_t *loop = hloop_new(0);
    htimer_t *timer = htimer_add(loop, never, 2 * LONG_MS, 1);

    (void)state;
    for (uint32_t i = 0; i < 100000; i++)
        htimer_reset(timer, 2 * LONG_MS - 10 * i);
    assert_true(entries(loop) < 4096);
    hloop_free(&loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(deleted_timers_leave_no_entries_for_ever),
        cmocka_unit_test(re_arming_for_later_adds_no_entry),
        cmocka_unit_test(re_arming_for_earlier_leaves_no_entries_for_ever),
    };

    return cmocka_run_group_tests_name("htimer_entries", tests, NULL, NULL);
}
