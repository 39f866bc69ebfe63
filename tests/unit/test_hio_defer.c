/* One thread. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "loop_test.h"

#include "event/hio_ops.h"

static int first_calls, second_calls;

static void second(hio_t *io)
{
    (void)io;
    second_calls++;
}

static void first(hio_t *io)
{
    first_calls++;
    if (first_calls == 1)
        assert_int_equal(hio_defer(io, second), 0);
    assert_int_equal(second_calls, 0);
}

static void it_comes_once_and_never_from_inside(void **state)
{
    hloop_t *loop = new_loop();
    seen_t seen;
    int peer;
    hio_t *io = observed_tcp(loop, &seen, &peer);

    (void)state;
    first_calls = second_calls = 0;
    assert_int_equal(hio_defer(io, second), 0);
    assert_int_equal(hio_defer(io, first), 0); /* takes its place */
    assert_int_equal(first_calls + second_calls, 0);
    RUN_UNTIL(loop, second_calls == 1);
    assert_int_equal(first_calls, 1);
    settle(loop);
    assert_int_equal(first_calls, 1);
    assert_int_equal(second_calls, 1);
    close(peer);
    hloop_free(&loop);
}

static uint64_t iterations[3];
static int links;

static void link_of_chain(hio_t *io)
{
    hloop_stats_t stats;

    hloop_stats(hevent_loop(io), &stats);
    iterations[links++] = stats.iterations;
    if (links < 3)
        assert_int_equal(hio_defer(io, link_of_chain), 0);
}

/* One more turn costs no look at the poller; those who come again and again do not keep others from
 * theirs. */
static void what_it_asks_for_comes_in_the_same_iteration_once(void **state)
{
    hloop_t *loop = new_loop();
    seen_t seen;
    int peer;
    hio_t *io = observed_tcp(loop, &seen, &peer);

    (void)state;
    links = 0;
    assert_int_equal(hio_defer(io, link_of_chain), 0);
    RUN_UNTIL(loop, links == 3);
    assert_int_equal(iterations[1], iterations[0]);
    assert_int_equal(iterations[2], iterations[0] + 1);
    close(peer);
    hloop_free(&loop);
}

static void a_closed_one_does_not_call(void **state)
{
    hloop_t *loop = new_loop();
    seen_t seen;
    int peer;
    hio_t *io = observed_tcp(loop, &seen, &peer);

    (void)state;
    first_calls = second_calls = 0;
    assert_int_equal(hio_defer(io, second), 0);
    hio_abort(io, -EPERM);
    assert_int_equal(hio_defer(io, second), HERR_CLOSED);
    RUN_UNTIL(loop, seen.closes == 1);
    settle(loop);
    assert_int_equal(second_calls, 0);
    close(peer);
    hloop_free(&loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_comes_once_and_never_from_inside),
        cmocka_unit_test(what_it_asks_for_comes_in_the_same_iteration_once),
        cmocka_unit_test(a_closed_one_does_not_call),
    };

    return run_on_each_poller("hio_defer", tests, ARRAY_LENGTH(tests));
}
