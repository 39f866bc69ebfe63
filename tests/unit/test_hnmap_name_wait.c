/* One thread. */
/* How long names are waited for. */
#include "../../cmd/hnmap/name_wait.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define SECOND 1000000u
#define BEGIN (50ull * SECOND)

static void a_dead_server_costs_a_second_in_all(void **state)
{
    name_wait_t wait = {0};
    uint64_t until;

    (void)state;
    name_wait_asked(&wait, BEGIN);
    until = name_wait_until(&wait);
    assert_in_range(until, BEGIN + SECOND / 2, BEGIN + SECOND);
    for (unsigned i = 1; i < 100; i++) {
        name_wait_asked(&wait, BEGIN + i * SECOND / 3);
        assert_int_equal(name_wait_until(&wait), until);
    }
}

static void a_server_that_answers_is_waited_for(void **state)
{
    name_wait_t wait = {0};

    (void)state;
    name_wait_asked(&wait, BEGIN);
    name_wait_asked(&wait, BEGIN + 10);
    name_wait_answered(&wait, BEGIN, BEGIN + 3 * SECOND / 4);
    assert_in_range(name_wait_until(&wait), BEGIN + 3 * SECOND, BEGIN + 4 * SECOND);
    name_wait_answered(&wait, BEGIN + 10, BEGIN + 4 * SECOND); /* it got slower */
    assert_true(name_wait_until(&wait) >= BEGIN + 12 * SECOND);
}

static void one_that_is_late_is_believed(void **state)
{
    name_wait_t wait = {0};

    (void)state;
    name_wait_asked(&wait, BEGIN);
    name_wait_answered(&wait, BEGIN, BEGIN + 2 * SECOND);
    name_wait_asked(&wait, BEGIN + 60 * SECOND); /* it owes since then, not since a minute */
    assert_true(name_wait_until(&wait) >= BEGIN + 64 * SECOND);
}

static void one_that_dies_costs_one_wait(void **state)
{
    name_wait_t wait = {0};
    uint64_t until;

    (void)state;
    name_wait_asked(&wait, BEGIN);
    name_wait_answered(&wait, BEGIN, BEGIN + 1000);
    name_wait_asked(&wait, BEGIN + 2000);
    until = name_wait_until(&wait);
    assert_in_range(until, BEGIN + SECOND, BEGIN + 2 * SECOND);
    for (unsigned i = 1; i < 100; i++) {
        name_wait_asked(&wait, BEGIN + i * SECOND);
        assert_int_equal(name_wait_until(&wait), until);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_dead_server_costs_a_second_in_all),
        cmocka_unit_test(a_server_that_answers_is_waited_for),
        cmocka_unit_test(one_that_is_late_is_believed),
        cmocka_unit_test(one_that_dies_costs_one_wait),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
