/* One thread. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "hio_fixture.h"

/* ---- the queue ------------------------------------------------------------------------------- */

static void a_small_write_goes_out_at_once(void **state)
{
    struct pollfd readable = {.fd = peer, .events = POLLIN};

    (void)state;
    assert_int_equal(hio_write(io, data, 100), 100);
    assert_int_equal(hio_write_bufsize(io), 0);
    assert_true(hio_write_is_complete(io));
    assert_int_equal(seen.writes, 0); /* never from inside hio_write */
    assert_int_equal(poll(&readable, 1, 10000), 1);
    RUN_UNTIL(loop, seen.writes == 1);
    assert_int_equal(seen.wrote, 100);
    hio_finish();
}

static void what_the_kernel_does_not_take_is_queued_and_sent_in_order(void **state)
{
    (void)state;
    for (size_t at = 0, len = 1; at < BIG; at += len, len = len * 7 % 100003 + 1) {
        if (len > BIG - at)
            len = BIG - at;
        assert_int_equal(hio_write(io, data + at, len), len);
    }
    assert_true(hio_write_bufsize(io) > 0);
    RUN_UNTIL_PEER_HAS(BIG);
    RUN_UNTIL(loop, seen.wrote == BIG);
    assert_int_equal(hio_write_bufsize(io), 0);
    hio_finish();
}

static void spans_are_sent_as_one(void **state)
{
    hbuf_t spans[100];
    size_t at = 0;

    (void)state;
    for (size_t i = 0; i < 100; i++) { /* more than one system call takes; empty ones too */
        spans[i] = (hbuf_t){data + at, i % 3 * 1000};
        at += spans[i].len;
    }
    assert_int_equal(hio_writev(io, spans, 5), 4000);
    assert_int_equal(hio_writev(io, spans + 5, 95), at - 4000);
    assert_int_equal(hio_writev(io, spans, 0), 0);
    assert_int_equal(hio_writev(io, spans, -1), -EINVAL);
    assert_int_equal(hio_write(io, data, 0), 0);
    RUN_UNTIL_PEER_HAS(at);
    hio_finish();
}

static int depth, deepest, rewrites;

static void on_write_again(hio_t *self, const void *buf, int len)
{
    seen_on_write(self, buf, len);
    deepest = ++depth > deepest ? depth : deepest;
    if (++rewrites < 1000)
        assert_int_equal(hio_write(self, "x", 1), 1);
    depth--;
}

static void on_peer_bytes(hio_t *self, void *buf, int len)
{
    (void)self;
    (void)buf;
    (void)len;
}

static void a_write_callback_that_writes_does_not_recurse(void **state)
{
    (void)state;
    depth = deepest = rewrites = 0;
    assert_non_null(hread(loop, peer, NULL, 0, on_peer_bytes));
    hio_setcb_write(io, on_write_again);
    assert_int_equal(hio_write(io, "x", 1), 1);
    RUN_UNTIL(loop, rewrites == 1000);
    assert_int_equal(deepest, 1);
    peer = -1; /* the loop owns it */
    hio_finish();
}

/* ---- limits ---------------------------------------------------------------------------------- */

static void drained_comes_once_the_queue_has_fallen(void **state)
{
    size_t got = 0;

    (void)state;
    assert_int_equal(hio_setcb_drained(io, seen_on_drained), 0);
    assert_int_equal(hio_set_watermarks(io, 10000, 500000, BIG), 0);
    assert_int_equal(hio_write(io, data, 400000), 400000);
    assert_false(hio_write_above_high(io));
    assert_int_equal(hio_write(io, data + 400000, 600000), 600000);
    assert_true(hio_write_above_high(io));
    while (hio_write_bufsize(io) > 10000) {
        assert_int_equal(seen.drained, 0);
        assert_true(hio_write_above_high(io));
        peer_takes(&got);
        hloop_wakeup(loop);
        assert_int_equal(hloop_run(loop), 0);
    }
    assert_false(hio_write_above_high(io));
    RUN_UNTIL(loop, seen.drained == 1);
    while (got < 1000000) {
        peer_takes(&got);
        hloop_wakeup(loop);
        hloop_run(loop);
    }
    assert_int_equal(seen.drained, 1);
    hio_finish();
}

static void limits_that_contradict_are_refused(void **state)
{
    (void)state;
    assert_int_equal(hio_set_watermarks(io, 2, 1, 3), -EINVAL);
    assert_int_equal(hio_set_watermarks(io, 1, 3, 2), -EINVAL);
    assert_int_equal(hio_set_watermarks(io, 0, 0, 0), 0);
    assert_int_equal(hio_set_max_write_bufsize(io, 100), 0);
    assert_int_equal(hio_write(io, data, 101), HERR_QUEUE_FULL);
    hio_finish();
}

/* It is refused, and nothing else. */
static void a_queued_write_past_16_mib_does_not_close_the_connection(void **state)
{
    size_t queued;
    int rc, n = 0;

    (void)state;
    while ((rc = hio_write(io, data, BIG)) == (int)BIG)
        n++;
    assert_int_equal(rc, HERR_QUEUE_FULL);
    assert_true(n >= 3); /* 16 MiB by default */
    queued = hio_write_bufsize(io);
    assert_true(queued <= 16 * MIB && queued > 12 * MIB);
    settle(loop);
    assert_int_equal(seen.closes, 0);
    assert_true(hio_is_opened(io));
    for (size_t total = 0; total < n * (size_t)BIG;) {
        char buf[65536];
        bool eof;
        ssize_t got = plain_drain(peer, buf, sizeof(buf), &eof);

        assert_true(got >= 0 && !eof);
        for (ssize_t i = 0; i < got; i += 97)
            assert_int_equal(buf[i], pattern((total + (size_t)i) % BIG));
        total += (size_t)got;
        hloop_wakeup(loop);
        assert_int_equal(hloop_run(loop), 0);
    }
    assert_int_equal(hio_write(io, data, 10), 10); /* and it goes on */
    hio_finish();
}

/* ---- cork ------------------------------------------------------------------------------------ */

static void corked_pieces_leave_together(void **state)
{
    char buf[64];
    bool eof;

    (void)state;
    hio_cork(io);
    assert_int_equal(hio_write(io, data, 10), 10);
    assert_int_equal(hio_write(io, data + 10, 10), 10);
    assert_int_equal(hio_write_bufsize(io), 20);
    assert_int_equal(plain_drain(peer, buf, sizeof(buf), &eof), 0);
    hio_uncork(io);
    assert_int_equal(hio_write_bufsize(io), 0);
    hio_uncork(io);
    RUN_UNTIL_PEER_HAS(20);
    hio_finish();
}

static void a_cork_is_pulled_at_the_end_of_the_iteration(void **state)
{
    (void)state;
    hio_cork(io);
    assert_int_equal(hio_write(io, data, 30), 30);
    RUN_UNTIL_PEER_HAS(30);
    assert_int_equal(hio_write(io, "more", 4), 4);
    assert_int_equal(hio_write_bufsize(io), 0); /* uncorked for good */
    hio_finish();
}

static void closing_pulls_the_cork(void **state)
{
    size_t got = 0;

    (void)state;
    hio_cork(io);
    assert_int_equal(hio_write(io, data, 30), 30);
    hio_close(io);
    RUN_UNTIL(loop, seen.closes == 1);
    while (!peer_takes(&got))
        ;
    assert_int_equal(got, 30);
    hio_finish();
}

/* ---- without copying ------------------------------------------------------------------------- */

static int frees;

static void on_free(void *buf, void *arg)
{
    assert_ptr_equal(buf, data);
    assert_ptr_equal(arg, &frees);
    frees++;
}

static void a_borrowed_buffer_is_freed_once_when_it_was_sent(void **state)
{
    (void)state;
    frees = 0;
    assert_int_equal(hio_write_nocopy(io, data, BIG, on_free, &frees), BIG);
    assert_true(hio_write_bufsize(io) > 0);
    assert_int_equal(frees, 0);
    RUN_UNTIL_PEER_HAS(BIG);
    RUN_UNTIL(loop, frees == 1);
    settle(loop);
    assert_int_equal(frees, 1);
    hio_finish();
}

static void a_borrowed_buffer_sent_at_once_is_freed_at_once(void **state)
{
    (void)state;
    frees = 0;
    assert_int_equal(hio_write_nocopy(io, data, 100, on_free, &frees), 100);
    assert_int_equal(frees, 1);
    assert_int_equal(hio_write_nocopy(io, data, 0, on_free, &frees), 0);
    assert_int_equal(frees, 2);
    assert_int_equal(hio_write_nocopy(io, data + 100, 10, NULL, NULL), 10);
    RUN_UNTIL_PEER_HAS(110);
    hio_finish();
}

static void a_borrowed_buffer_is_freed_once_when_the_hio_closes(void **state)
{
    (void)state;
    frees = 0;
    assert_int_equal(hio_write_nocopy(io, data, BIG, on_free, &frees), BIG);
    hio_abort(io, -EIO);
    RUN_UNTIL(loop, seen.closes == 1);
    assert_int_equal(frees, 1);
    assert_int_equal(seen.error, -EIO);
    hio_finish();
}

static void a_borrowed_buffer_is_freed_once_when_the_peer_resets(void **state)
{
    (void)state;
    frees = 0;
    assert_int_equal(hio_write_nocopy(io, data, BIG, on_free, &frees), BIG);
    plain_reset(peer);
    peer = -1;
    RUN_UNTIL(loop, seen.closes == 1);
    assert_int_equal(frees, 1);
    assert_int_equal(seen.error, -ECONNRESET);
    hio_finish();
}

static void a_refused_borrowed_buffer_stays_the_callers(void **state)
{
    (void)state;
    frees = 0;
    hio_set_watermarks(io, 1, 1, 1);
    assert_int_equal(hio_write_nocopy(io, data, BIG, on_free, &frees), HERR_QUEUE_FULL);
    hio_close(io);
    assert_int_equal(hio_write_nocopy(io, data, 1, on_free, &frees), HERR_CLOSED);
    RUN_UNTIL(loop, seen.closes == 1);
    assert_int_equal(frees, 0);
    hio_finish();
}

static void copied_and_borrowed_pieces_keep_their_order(void **state)
{
    (void)state;
    frees = 0;
    for (size_t at = 0; at < BIG; at += BIG / 64) {
        if (at / (BIG / 64) % 2)
            assert_int_equal(hio_write_nocopy(io, data + at, BIG / 64, NULL, NULL), BIG / 64);
        else
            assert_int_equal(hio_write(io, data + at, BIG / 64), BIG / 64);
    }
    RUN_UNTIL_PEER_HAS(BIG);
    hio_finish();
}

static void on_free_write(void *buf, void *arg)
{
    (void)buf;
    frees++;
    hio_write(arg, "after", 5); /* the hio may be closed already */
}

static void a_free_callback_may_write(void **state)
{
    (void)state;
    frees = 0;
    for (int i = 0; i < 3; i++)
        assert_int_equal(hio_write_nocopy(io, data, BIG, on_free_write, io), BIG);
    plain_reset(peer);
    peer = -1;
    RUN_UNTIL(loop, seen.closes == 1);
    assert_int_equal(frees, 3);
    hio_finish();
}

/* ---- shutting down one side ------------------------------------------------------------------ */

static void shutdown_comes_after_what_is_queued(void **state)
{
    size_t got = 0;

    (void)state;
    hio_read(io);
    assert_int_equal(hio_write(io, data, BIG), BIG);
    assert_int_equal(hio_shutdown(io), 0);
    assert_int_equal(hio_shutdown(io), 0); /* twice is legal */
    assert_int_equal(hio_write(io, "x", 1), HERR_CLOSED);
    while (!peer_takes(&got)) {
        hloop_wakeup(loop);
        assert_int_equal(hloop_run(loop), 0);
    }
    assert_int_equal(got, BIG);
    assert_int_equal(seen.closes, 0);
    assert_int_equal(write(peer, data, 7), 7); /* the other side still talks */
    RUN_UNTIL(loop, seen.got == 7);
    hio_close(io);
    RUN_UNTIL(loop, seen.closes == 1);
    assert_int_equal(hio_shutdown(io), HERR_CLOSED);
    hio_finish();
}

#define TEST(f) cmocka_unit_test_setup(f, hio_setup)

/* Sending broke while the program paused reading for a slow receiver of its own: it may read on
 * later, but a pause that never ends is ended by the close timeout. */
static void what_the_peer_sent_before_it_went_survives_a_pause(void **state)
{
    (void)state;
    for (int reads_on = 0; reads_on < 2; reads_on++) {
        int fds[2];
        seen_t local;
        hio_t *pair;

        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
        pair = observe(hio_get(loop, fds[0]), &local);
        hio_set_close_timeout(pair, reads_on ? 100000 : 50);
        hio_read(pair);
        hio_read_stop(pair);
        assert_int_equal(write(fds[1], data, 50), 50);
        close(fds[1]);
        assert_int_equal(hio_write(pair, data, 10), -EPIPE);
        if (reads_on) {
            settle(loop);
            assert_int_equal(local.closes, 0);
            hio_read(pair);
        }
        RUN_UNTIL(loop, local.closes == 1);
        assert_int_equal(local.got, reads_on ? 50 : 0);
        assert_int_equal(local.error, -EPIPE);
    }
    hio_finish();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_the_peer_sent_before_it_went_survives_a_pause),
        TEST(a_small_write_goes_out_at_once),
        TEST(what_the_kernel_does_not_take_is_queued_and_sent_in_order),
        TEST(spans_are_sent_as_one),
        TEST(a_write_callback_that_writes_does_not_recurse),
        TEST(drained_comes_once_the_queue_has_fallen),
        TEST(limits_that_contradict_are_refused),
        TEST(a_queued_write_past_16_mib_does_not_close_the_connection),
        TEST(corked_pieces_leave_together),
        TEST(a_cork_is_pulled_at_the_end_of_the_iteration),
        TEST(closing_pulls_the_cork),
        TEST(a_borrowed_buffer_is_freed_once_when_it_was_sent),
        TEST(a_borrowed_buffer_sent_at_once_is_freed_at_once),
        TEST(a_borrowed_buffer_is_freed_once_when_the_hio_closes),
        TEST(a_borrowed_buffer_is_freed_once_when_the_peer_resets),
        TEST(a_refused_borrowed_buffer_stays_the_callers),
        TEST(copied_and_borrowed_pieces_keep_their_order),
        TEST(a_free_callback_may_write),
        TEST(shutdown_comes_after_what_is_queued),
    };

    return run_on_each_poller("hio writing", tests, ARRAY_LENGTH(tests));
}
