/* One thread. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "event/hio_ops.h"
#include "hio_fixture.h"

static uint64_t start_ns;

static int setup(void **state)
{
    hio_setup(state);
    start_ns = htime_monotonic_ns();
    return 0;
}

static bool passed_ms(uint64_t ms)
{
    return htime_monotonic_ns() - start_ns >= ms * HTIME_NS_PER_MS;
}

static void on_tick(htimer_t *timer)
{
    (void)timer;
}

/* The loop goes on for so long, whatever else happens. */
static void run_for(uint64_t ms)
{
    htimer_t *timer = htimer_add(loop, on_tick, 1, INFINITE);
    uint64_t until = htime_monotonic_ns() + ms * HTIME_NS_PER_MS;

    assert_non_null(timer);
    while (htime_monotonic_ns() < until)
        assert_int_equal(hloop_run(loop), 0);
    htimer_del(timer);
}

static void busy(uint64_t ms)
{
    uint64_t until = htime_monotonic_ns() + ms * HTIME_NS_PER_MS;

    while (htime_monotonic_ns() < until)
        ;
}

/* ---- each limit ends a connection that is quiet, and not before its time --------------------- */

static void a_quiet_connection_ends_by_its_keepalive(void **state)
{
    (void)state;
    hio_set_keepalive_timeout(io, 40);
    RUN_UNTIL(loop, seen.closes == 1); /* reading or not */
    assert_true(passed_ms(40));
    assert_int_equal(seen.error, -ETIMEDOUT);
    assert_int_equal(hloop_ntimers(loop), 0);
    hio_finish();
}

static void reading_keeps_it_alive(void **state)
{
    (void)state;
    hio_read(io);
    hio_set_keepalive_timeout(io, 60);
    for (int i = 1; i <= 4; i++) {
        run_for(20);
        assert_int_equal(write(peer, "x", 1), 1);
        start_ns = htime_monotonic_ns();
        while (seen.reads < i && seen.closes == 0)
            assert_int_equal(hloop_run(loop), 0);
        if (seen.closes)
            break; /* this machine was too slow: the limit was right */
    }
    RUN_UNTIL(loop, seen.closes == 1);
    assert_true(passed_ms(60) || seen.reads < 4);
    hio_finish();
}

static void writing_keeps_it_alive(void **state)
{
    (void)state;
    hio_set_keepalive_timeout(io, 50);
    for (int i = 0; i < 5; i++) {
        if (seen.closes)
            break; /* this machine was too slow: the limit was right */
        start_ns = htime_monotonic_ns();
        assert_int_equal(hio_write(io, "x", 1), 1);
        run_for(10);
    }
    RUN_UNTIL(loop, seen.closes == 1);
    assert_true(passed_ms(50));
    hio_finish();
}

static uint64_t read_ns;

static void on_slow_read(hio_t *self, void *buf, int len)
{
    seen_on_read(self, buf, len);
    busy(30);
    read_ns = htime_monotonic_ns();
    hio_write(self, "x", 1); /* activity at the end of a long callback */
}

static void activity_after_a_long_callback_counts_from_then(void **state)
{
    (void)state;
    hio_setcb_read(io, on_slow_read);
    hio_set_keepalive_timeout(io, 40);
    hio_read(io);
    assert_int_equal(write(peer, "x", 1), 1);
    RUN_UNTIL(loop, seen.closes == 1);
    if (seen.reads == 1)
        assert_true(htime_monotonic_ns() - read_ns >= 40 * HTIME_NS_PER_MS);
    hio_finish();
}

static void nothing_read_while_reading_is_a_timeout(void **state)
{
    (void)state;
    hio_set_read_timeout(io, 40);
    run_for(80);
    assert_int_equal(seen.closes, 0); /* nobody reads */
    start_ns = htime_monotonic_ns();
    hio_read(io);
    RUN_UNTIL(loop, seen.closes == 1);
    assert_true(passed_ms(40));
    assert_int_equal(seen.error, -ETIMEDOUT);
    hio_finish();
}

static void nothing_sent_while_queued_is_a_timeout(void **state)
{
    (void)state;
    hio_set_write_timeout(io, 40);
    run_for(80);
    assert_int_equal(seen.closes, 0); /* nothing is queued */
    start_ns = htime_monotonic_ns();
    assert_int_equal(hio_write(io, data, BIG), BIG);
    RUN_UNTIL(loop, seen.closes == 1);
    assert_true(passed_ms(40));
    assert_int_equal(seen.error, -ETIMEDOUT);
    hio_finish();
}

static void a_limit_can_be_taken_back(void **state)
{
    (void)state;
    hio_read(io);
    hio_set_read_timeout(io, 20);
    hio_set_keepalive_timeout(io, 20);
    hio_set_write_timeout(io, 20);
    hio_set_read_timeout(io, 0);
    hio_set_keepalive_timeout(io, 0);
    hio_set_write_timeout(io, -1);
    run_for(60);
    assert_int_equal(seen.closes, 0);
    assert_int_equal(hloop_ntimers(loop), 0);
    hio_finish();
}

static void a_limit_can_be_changed(void **state)
{
    (void)state;
    hio_set_keepalive_timeout(io, 3600000);
    hio_set_keepalive_timeout(io, 20);
    start_ns = htime_monotonic_ns();
    RUN_UNTIL(loop, seen.closes == 1);
    hio_finish();
}

/* ---- heartbeats ------------------------------------------------------------------------------ */

static int beats;

static void send_beat(hio_t *self)
{
    beats++;
    hio_write(self, "?", 1);
}

static void a_peer_that_answers_no_heartbeat_is_given_up(void **state)
{
    (void)state;
    beats = 0;
    hio_read(io);
    hio_set_heartbeat(io, 15, send_beat);
    RUN_UNTIL(loop, seen.closes == 1);
    assert_int_equal(seen.error, HERR_HEARTBEAT);
    assert_int_equal(beats, 3);
    assert_true(passed_ms(45));
    hio_finish();
}

/* Answers ten heartbeats; false if the hio was closed meanwhile. */
static bool answer_ten(void)
{
    beats = 0;
    hio_read(io);
    hio_set_heartbeat(io, 5, send_beat);
    while (beats < 10 && seen.closes == 0) {
        char buf[16];
        bool eof;

        if (plain_drain(peer, buf, sizeof(buf), &eof) > 0)
            assert_int_equal(write(peer, "!", 1), 1);
        assert_int_equal(hloop_run(loop), 0);
    }
    return seen.closes == 0;
}

/* A machine that sleeps for three intervals is right to give up, but not time and again. */
static void a_peer_that_answers_is_kept(void **state)
{
    for (int tries = 1; !answer_ten(); tries++) {
        assert_true(tries < 1000);
        hio_finish();
        setup(state);
    }
    hio_set_heartbeat(io, 0, NULL);
    run_for(30);
    assert_int_equal(beats, 10);
    assert_int_equal(seen.closes, 0);
    assert_int_equal(hloop_ntimers(loop), 0);
    hio_finish();
}

/* Only what was read counts as an answer, not that somebody began to read. */
static void starting_to_read_is_no_answer(void **state)
{
    (void)state;
    beats = 0;
    hio_set_heartbeat(io, 10, send_beat);
    while (seen.closes == 0) {
        hio_read_stop(io);
        hio_read(io);
        assert_int_equal(hloop_run(loop), 0);
        assert_true(beats <= 3);
    }
    assert_int_equal(seen.error, HERR_HEARTBEAT);
    hio_finish();
}

static void close_in_beat(hio_t *self)
{
    beats++;
    hio_close(self);
}

static void a_heartbeat_may_close(void **state)
{
    (void)state;
    beats = 0;
    hio_set_heartbeat(io, 5, close_in_beat);
    RUN_UNTIL(loop, seen.closes == 1);
    assert_int_equal(seen.error, 0);
    run_for(20);
    assert_int_equal(beats, 1);
    hio_finish();
}

/* ---- gates: what a rate limit holds back is not the peer's fault ----------------------------- */

static bool gate_is_open;

static size_t gate_allow(hio_t *self, void *ctx, size_t want)
{
    (void)self;
    (void)ctx;
    return gate_is_open ? want : 0;
}

static void gate_passed(hio_t *self, void *ctx, size_t n)
{
    (void)self;
    (void)ctx;
    (void)n;
}

static const hio_gate_t gate = {gate_allow, gate_passed, NULL};

static void what_a_gate_holds_back_is_no_timeout(void **state)
{
    (void)state;
    gate_is_open = false;
    assert_int_equal(hio_set_gate(io, HV_READ, &gate, NULL), 0);
    assert_int_equal(hio_set_gate(io, HV_WRITE, &gate, NULL), 0);
    hio_read(io);
    assert_int_equal(hio_write(io, "x", 1), 1);
    assert_int_equal(write(peer, "x", 1), 1);
    settle(loop); /* there is something to read, and that is seen */
    hio_set_read_timeout(io, 20);
    hio_set_write_timeout(io, 20);
    run_for(70);
    assert_int_equal(seen.closes + seen.reads + seen.writes, 0);
    gate_is_open = true;
    start_ns = htime_monotonic_ns();
    hio_gate_open(io, HV_WRITE);
    hio_gate_open(io, HV_READ);
    RUN_UNTIL(loop, (seen.reads == 1 && seen.writes == 1) || seen.closes == 1);
    assert_true(seen.closes == 0 || passed_ms(20));
    hio_finish();
}

#define TEST(f) cmocka_unit_test_setup(f, setup)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_quiet_connection_ends_by_its_keepalive),
        TEST(reading_keeps_it_alive),
        TEST(writing_keeps_it_alive),
        TEST(activity_after_a_long_callback_counts_from_then),
        TEST(nothing_read_while_reading_is_a_timeout),
        TEST(nothing_sent_while_queued_is_a_timeout),
        TEST(a_limit_can_be_taken_back),
        TEST(a_limit_can_be_changed),
        TEST(a_peer_that_answers_no_heartbeat_is_given_up),
        TEST(a_peer_that_answers_is_kept),
        TEST(starting_to_read_is_no_answer),
        TEST(a_heartbeat_may_close),
        TEST(what_a_gate_holds_back_is_no_timeout),
    };

    return run_on_each_poller("hio time limits", tests, ARRAY_LENGTH(tests));
}
