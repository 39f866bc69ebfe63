/* htimer_fixture: timers that note what fired. Include it after cmocka.h. */
#ifndef HNET_TESTS_HTIMER_FIXTURE_H
#define HNET_TESTS_HTIMER_FIXTURE_H

#include "loop_test.h"

/* What fired, in order: the user data. */
static int fired[64];
static int fired_n;

static inline void on_fire(htimer_t *timer)
{
    if (fired_n < (int)ARRAY_LENGTH(fired))
        fired[fired_n] = (int)(intptr_t)hevent_userdata(timer);
    fired_n++;
}

static inline int setup(void **state)
{
    fired_n = 0;
    return loop_test_setup(state);
}

static inline htimer_t *add(hloop_t *loop, uint32_t timeout_ms, uint32_t repeat, int name)
{
    htimer_t *timer = htimer_add(loop, on_fire, timeout_ms, repeat);

    assert_non_null(timer);
    hevent_set_userdata(timer, (intptr_t)name);
    return timer;
}

static inline void pause_ms(uint64_t ms)
{
    uint64_t until = htime_monotonic_ns() + ms * HTIME_NS_PER_MS;

    while (htime_monotonic_ns() < until)
        ;
}

#endif
