/* One thread. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "event/hio_ops.h"
#include "hrelay_fixture.h"
#include "net/hframe.h"

/* ---- data and ends --------------------------------------------------------------------------- */

static void bytes_go_both_ways_and_are_counted(void **state)
{
    hrelay_stats_t stats;
    world_t w;

    (void)state;
    begin(&w);
    assert_int_equal(hio_relay(w.io[0], w.io[1]), 0);
    assert_ptr_equal(hio_get_upstream(w.io[0]), w.io[1]);
    assert_ptr_equal(hio_get_upstream(w.io[1]), w.io[0]);
    send_through(&w, 0, 100000, false);
    send_through(&w, 1, 33, false);
    assert_int_equal(hrelay_stats(w.io[0], &stats), 0);
    assert_int_equal(stats.sent_bytes, 100000);
    assert_int_equal(stats.received_bytes, 33);
    assert_int_equal(hrelay_stats(w.io[1], &stats), 0);
    assert_int_equal(stats.sent_bytes, 33);
    assert_int_equal(stats.received_bytes, 100000);
    end(&w);
    assert_int_equal(w.stats[0].sent_bytes, 100000);
}

static void half_close_does_not_lose_the_reply(void **state)
{
    world_t w;

    (void)state;
    for (int from = 0; from < 2; from++) {
        begin(&w);
        assert_int_equal(hio_relay(w.io[0], w.io[1]), 0);
        send_through(&w, from, 1000, true);
        fixture_settle(w.loop);
        assert_int_equal(w.closes[0] + w.closes[1], 0);
        send_through(&w, 1 - from, 5000000, true);
        fixture_run(w.loop, both_closed, &w);
        assert_int_equal(w.error[0], 0);
        assert_int_equal(w.error[1], 0);
        assert_int_equal(w.stats[from].received_bytes, 5000000);
        end(&w);
    }
}

static void what_is_queued_is_sent_before_the_end(void **state)
{
    pump_t out = {.size = 3000000, .at_once = CHUNK, .end = true};
    pump_t in = {.size = 3000000, .at_once = CHUNK, .end = true};
    world_t w;

    (void)state;
    begin(&w);
    hio_set_watermarks(w.io[1], 1 << 20, 8 << 20, 16 << 20);
    assert_int_equal(hio_relay(w.io[0], w.io[1]), 0);
    out.fd = w.peer[0];
    in.fd = w.peer[1];
    while (!out.ended) { /* all of it is in the relay or in the kernel before anything is read */
        pump_out(&out);
        assert_int_equal(hloop_run(w.loop), 0);
    }
    fixture_settle(w.loop);
    run_pumps(&w, &out, &in);
    assert_true(in.ended);
    assert_int_equal(in.done, in.size);
    end(&w);
}

static void a_slow_reader_bounds_the_memory(void **state)
{
    time_t limit = time(NULL) + 2 * FIXTURE_LIMIT_S;
    const size_t size = 64 << 20;
    pump_t out = {.size = size, .at_once = CHUNK, .end = true};
    pump_t in = {.size = size, .at_once = CHUNK, .end = true};
    size_t largest = 0;
    bool was_full = false; /* before that the reader does not even begin */
    world_t w;

    (void)state;
    begin(&w);
    assert_int_equal(hio_relay(w.io[0], w.io[1]), 0);
    out.fd = w.peer[0];
    in.fd = w.peer[1];
    for (unsigned i = 0; !in.ended && in.error == 0; i++) {
        if (time(NULL) > limit)
            fail_msg("%zu of %zu bytes came", in.done, in.size);
        for (int n = 0; n < 8; n++)
            pump_out(&out);
        for (int n = 0; n < 8 && i % 2 == 0 && was_full && !in.ended; n++)
            pump_in(&in);
        assert_int_equal(hloop_run(w.loop), 0);
        if (w.closes[1])
            continue;
        if (hio_write_bufsize(w.io[1]) > largest)
            largest = hio_write_bufsize(w.io[1]);
        was_full = was_full || hio_write_above_high(w.io[1]);
    }
    assert_int_equal(in.error, 0);
    assert_int_equal(in.done, size);
    assert_true(was_full);
    assert_true(largest <= (1 << 20) + CHUNK);
    end(&w);
}

/* ---- closes and errors ----------------------------------------------------------------------- */

static void a_reset_on_one_side_resets_the_other(void **state)
{
    world_t w;

    (void)state;
    for (int i = 0; i < 2; i++) {
        begin(&w);
        assert_int_equal(hio_relay(w.io[0], w.io[1]), 0);
        send_through(&w, 0, 1000, false);
        fixture_reset(w.peer[i]);
        w.peer[i] = -1;
        fixture_run(w.loop, both_closed, &w);
        assert_int_equal(w.error[i], -ECONNRESET);
        assert_int_equal(w.error[1 - i], -ECONNRESET);
        assert_true(is_reset(w.peer[1 - i]));
        end(&w);
    }
}

static void a_reset_behind_an_end_of_data_is_passed_on(void **state)
{
    world_t w;

    (void)state;
    begin(&w);
    assert_int_equal(hio_relay(w.io[0], w.io[1]), 0);
    send_through(&w, 0, 1000, true);
    fixture_reset(w.peer[1]);
    w.peer[1] = -1;
    fixture_run(w.loop, both_closed, &w);
    assert_int_equal(w.error[1], -ECONNRESET);
    assert_true(is_reset(w.peer[0]));
    end(&w);
}

/* Each has sent what the other no longer takes: nobody waits for what cannot come. */
static void when_neither_takes_any_more_both_close_at_once(void **state)
{
    static char data[CHUNK];
    world_t w;

    (void)state;
    begin(&w);
    for (int i = 0; i < 2; i++)
        fixture_send(w.peer[i], data, sizeof(data));
    for (int i = 0; i < 2; i++) {
        fixture_reset(w.peer[i]);
        w.peer[i] = -1;
        hio_set_close_timeout(w.io[i], 0); /* not by the time that a paused reader gets */
    }
    assert_int_equal(hio_relay(w.io[0], w.io[1]), 0);
    fixture_run(w.loop, both_closed, &w);
    end(&w);
}

static bool io1_is_gone(void *arg)
{
    return ((world_t *)arg)->closes[1] > 0;
}

static void a_reply_survives_that_its_sender_takes_no_more(void **state)
{
    pump_t out = {.size = 3000000, .at_once = CHUNK};
    pump_t in = {.size = 3000000, .at_once = CHUNK, .end = true};
    hrelay_stats_t stats = {0};
    world_t w;

    (void)state;
    begin(&w);
    hio_set_watermarks(w.io[0], 1 << 20, 8 << 20, 16 << 20);
    assert_int_equal(hio_relay(w.io[0], w.io[1]), 0);
    out.fd = w.peer[1];
    in.fd = w.peer[0];
    while (stats.received_bytes < out.size) {
        pump_out(&out);
        assert_int_equal(hloop_run(w.loop), 0);
        assert_int_equal(hrelay_stats(w.io[0], &stats), 0);
    }
    close(w.peer[1]);
    w.peer[1] = -1;
    fixture_settle(w.loop);
    for (int i = 0; i < 3 && w.closes[1] == 0; i++) {
        fixture_send(w.peer[0], "more", 4);
        fixture_settle(w.loop);
    }
    fixture_run(w.loop, io1_is_gone, &w);
    assert_int_equal(w.error[1], -EPIPE);
    run_pumps(&w, &out, &in);
    assert_int_equal(in.error, 0);
    assert_int_equal(in.done, in.size);
    end(&w);
}

static void closing_one_side_sends_the_rest_and_closes_the_other(void **state)
{
    pump_t out = {.size = 500000, .at_once = CHUNK};
    pump_t in = {.size = 500000, .at_once = CHUNK, .end = true};
    hrelay_stats_t stats = {0};
    world_t w;

    (void)state;
    begin(&w);
    assert_int_equal(hio_relay(w.io[0], w.io[1]), 0);
    out.fd = w.peer[0];
    in.fd = w.peer[1];
    while (stats.sent_bytes < out.size) {
        pump_out(&out);
        assert_int_equal(hloop_run(w.loop), 0);
        assert_int_equal(hrelay_stats(w.io[0], &stats), 0);
    }
    hio_close(w.io[0]);
    run_pumps(&w, &out, &in);
    fixture_run(w.loop, both_closed, &w);
    assert_int_equal(in.done, in.size);
    assert_int_equal(w.error[0], 0);
    assert_int_equal(w.error[1], 0);
    assert_ptr_equal(w.upstream_at_close[0], w.io[1]);
    assert_null(w.upstream_at_close[1]);
    end(&w);
}

static void close_both(hio_t *io, void *buf, int len)
{
    hio_t *upstream = hio_get_upstream(io);

    hio_write_upstream(io, buf, len);
    hio_close(io);
    hio_abort(upstream, -EPROTO);
    hio_write_upstream(io, buf, len);
    hio_close_upstream(io);
    hio_read_upstream(io);
}

static void close_upstream(hio_t *io, void *buf, int len)
{
    hio_close_upstream(io);
    hio_write_upstream(io, buf, len);
}

static void abort_self(hio_t *io, void *buf, int len)
{
    hio_write_upstream(io, buf, len);
    hio_abort(io, -EPROTO);
}

static void callbacks_may_close_either_side(void **state)
{
    const hread_cb ways[] = {close_both, close_upstream, abort_self};
    world_t w;

    (void)state;
    for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
        begin(&w);
        assert_int_equal(hio_setup_upstream(w.io[0], w.io[1]), 0);
        hio_setcb_read(w.io[0], ways[i]);
        hio_setcb_read(w.io[1], ways[i]);
        hio_read_upstream(w.io[0]);
        fixture_send(w.peer[0], "x", 1);
        fixture_send(w.peer[1], "y", 1);
        fixture_run(w.loop, both_closed, &w);
        end(&w);
    }
}

static void a_write_that_the_queue_refuses_aborts_both(void **state)
{
    char *block = calloc(1, 1 << 20);
    world_t w;

    (void)state;
    begin(&w);
    assert_int_equal(hio_set_watermarks(w.io[1], 1, 2, 1 << 20), 0);
    assert_int_equal(hio_setup_upstream(w.io[0], w.io[1]), 0);
    for (int i = 0; i < 64 && !hio_is_closed(w.io[0]); i++)
        hio_write_upstream(w.io[0], block, 1 << 20);
    fixture_run(w.loop, both_closed, &w);
    assert_int_equal(w.error[0], HERR_QUEUE_FULL);
    assert_int_equal(w.error[1], HERR_QUEUE_FULL);
    free(block);
    end(&w);
}

static void count_tick(htimer_t *timer)
{
    ++*(uint64_t *)hevent_userdata(timer);
}

/* Until it is another program a child that was forked has all descriptors. Nothing happens in the
 * loop then but that its timer ticks. */
static void what_is_closed_is_not_heard_of_while_a_child_has_it(void **state)
{
    uint64_t ticks = 0, ticks_before;
    hloop_stats_t before, after;
    int copy, fds[2];
    world_t w = {0};

    (void)state;
    w.loop = hloop_new(HLOOP_FLAG_RUN_ONCE);
    hevent_set_userdata(htimer_add(w.loop, count_tick, 5, INFINITE), &ticks);
    for (int i = 0; i < 2; i++) {
        fixture_tcp_pair(fds);
        take(&w, i, hio_of_socket(w.loop, fds[0], HIO_TYPE_TCP));
        w.peer[i] = fds[1];
    }
    assert_int_equal(hio_relay(w.io[0], w.io[1]), 0);
    send_through(&w, 0, 33, false);
    copy = dup(hio_fd(w.io[0]));
    hio_abort(w.io[0], 0);
    fixture_run(w.loop, both_closed, &w);
    assert_int_equal(write(w.peer[0], "x", 1), 1);
    hloop_stats(w.loop, &before);
    ticks_before = ticks;
    fixture_settle(w.loop);
    hloop_stats(w.loop, &after);
    assert_int_equal(after.events - before.events, ticks - ticks_before);
    close(copy);
    end(&w);
}

static void only_two_that_are_free_can_be_joined(void **state)
{
    hrelay_stats_t stats;
    world_t w, other;

    (void)state;
    begin(&w);
    begin(&other);
    assert_null(hio_get_upstream(w.io[0]));
    assert_int_equal(hrelay_stats(w.io[0], &stats), -ENOENT);
    hio_read_upstream(w.io[0]);
    hio_close_upstream(w.io[0]);
    hio_write_upstream(w.io[0], &stats, 1);
    assert_int_equal(hio_setup_upstream(w.io[0], w.io[0]), -EINVAL);
    assert_int_equal(hio_setup_upstream(w.io[0], other.io[0]), -EINVAL);
    assert_int_equal(hio_setup_upstream(w.io[0], w.io[1]), 0);
    assert_int_equal(hio_setup_upstream(w.io[1], w.io[0]), -EINVAL);
    assert_ptr_equal(hio_get_upstream(w.io[0]), w.io[1]);
    hio_abort(other.io[0], 0);
    assert_int_equal(hio_setup_upstream(other.io[1], other.io[0]), HERR_CLOSED);
    assert_null(hio_get_upstream(other.io[1]));
    hio_setcb_close(other.io[0], NULL);
    hio_setcb_close(other.io[1], NULL);
    other.io[0] = other.io[1] = NULL;
    end(&other);
    end(&w);
}

static void count_eof(hio_t *io)
{
    unsigned *eofs = hevent_userdata(io);

    ++*eofs;
}

static bool is_counted(void *arg)
{
    return *(unsigned *)arg > 0;
}

static void a_join_that_fails_leaves_the_callbacks_to_the_program(void **state)
{
    unsigned eofs = 0;
    world_t w;

    (void)state;
    begin(&w);
    hio_setcb_close(w.io[0], NULL);
    hio_setcb_close(w.io[1], NULL);
    hevent_set_userdata(w.io[0], &eofs);
    hio_setcb_eof(w.io[0], count_eof);
    hio_read(w.io[0]);
    hio_abort(w.io[1], 0);
    assert_int_equal(hio_setup_upstream(w.io[0], w.io[1]), HERR_CLOSED);
    shutdown(w.peer[0], SHUT_WR);
    fixture_run(w.loop, is_counted, &eofs);
    assert_true(hio_is_opened(w.io[0]));
    w.io[0] = w.io[1] = NULL;
    end(&w);
}

/* ---- with framing ---------------------------------------------------------------------------- */

static void relay_rest(hio_t *io, void *buf, int len)
{
    world_t *w = hevent_userdata(io);

    assert_int_equal(len, 5);
    assert_memory_equal(buf, "head\n", 5);
    assert_int_equal(hio_relay(io, w->io[1]), 0);
}

typedef struct text_goal_s {
    int fd;
    const char *text;
} text_goal_t;

static bool has_come(void *arg)
{
    text_goal_t *goal = arg;
    char buf[64];
    ssize_t n = recv(goal->fd, buf, sizeof(buf), MSG_DONTWAIT | MSG_PEEK);

    return n == (ssize_t)strlen(goal->text) && memcmp(buf, goal->text, (size_t)n) == 0;
}

static void a_head_is_read_in_lines_and_the_rest_is_relayed(void **state)
{
    text_goal_t goal = {.text = "body\nbody"};
    world_t w;

    (void)state;
    begin(&w);
    hio_setcb_read(w.io[0], relay_rest);
    assert_int_equal(hio_readline(w.io[0]), 0);
    fixture_send(w.peer[0], "head\nbody\nbody", 14);
    goal.fd = w.peer[1];
    fixture_run(w.loop, has_come, &goal);
    goal.text = "body\nbodymore";
    fixture_send(w.peer[0], "more", 4);
    fixture_run(w.loop, has_come, &goal);
    end(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_go_both_ways_and_are_counted),
        cmocka_unit_test(half_close_does_not_lose_the_reply),
        cmocka_unit_test(what_is_queued_is_sent_before_the_end),
        cmocka_unit_test(a_slow_reader_bounds_the_memory),
        cmocka_unit_test(a_reset_on_one_side_resets_the_other),
        cmocka_unit_test(a_reset_behind_an_end_of_data_is_passed_on),
        cmocka_unit_test(when_neither_takes_any_more_both_close_at_once),
        cmocka_unit_test(a_reply_survives_that_its_sender_takes_no_more),
        cmocka_unit_test(closing_one_side_sends_the_rest_and_closes_the_other),
        cmocka_unit_test(callbacks_may_close_either_side),
        cmocka_unit_test(a_write_that_the_queue_refuses_aborts_both),
        cmocka_unit_test(what_is_closed_is_not_heard_of_while_a_child_has_it),
        cmocka_unit_test(only_two_that_are_free_can_be_joined),
        cmocka_unit_test(a_join_that_fails_leaves_the_callbacks_to_the_program),
        cmocka_unit_test(a_head_is_read_in_lines_and_the_rest_is_relayed),
    };

    return cmocka_run_group_tests_name("hrelay", tests, NULL, NULL);
}
