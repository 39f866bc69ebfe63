/* One thread. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "event/hio_ops.h"
#include "loop_test.h"

/* The others cannot tell. */
static bool poller_tells(void)
{
    return strcmp(test_poller, "epoll") == 0;
}

static hio_t *watched_unix(hloop_t *loop, seen_t *seen, int *peer)
{
    int fds[2];
    hio_t *io;

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
    *peer = fds[1];
    io = observe(hio_get(loop, fds[0]), seen);
    hio_watch_hangup(io);
    return io;
}

/* A loop that watches is woken by nothing until it reads: the one byte that came. */
static void expect_quiet_until_read(hloop_t *loop, uint64_t idle, hio_t *io, const seen_t *seen)
{
    settle(loop);
    assert_int_equal(events_of_settling(loop), idle);
    assert_int_equal(seen->closes, 0);
    hio_read(io);
    RUN_UNTIL(loop, seen->closes > 0);
    assert_int_equal(seen->got, 1);
}

static void a_reset_closes_what_is_not_read(void **state)
{
    hloop_t *loop = new_loop();
    seen_t seen;
    int peer;
    hio_t *io = observed_tcp(loop, &seen, &peer);

    (void)state;
    hio_watch_hangup(io);
    settle(loop);
    assert_int_equal(write(peer, "x", 1), 1);
    settle(loop);
    assert_int_equal(seen.closes, 0);
    plain_reset(peer);
    if (poller_tells())
        RUN_UNTIL(loop, seen.closes > 0);
    settle(loop);
    assert_int_equal(seen.closes, poller_tells());
    assert_int_equal(seen.error, poller_tells() ? -ECONNRESET : 0);
    assert_int_equal(seen.got, 0);
    hloop_free(&loop);
}

/* Its data is read, and then its end. */
static void an_end_of_data_closes_nothing(void **state)
{
    hloop_t *loop = new_loop();
    uint64_t idle = events_of_settling(loop);
    char data = pattern(0);
    seen_t seen;
    int peer;
    hio_t *io = observed_tcp(loop, &seen, &peer);

    (void)state;
    hio_watch_hangup(io);
    assert_int_equal(write(peer, &data, 1), 1);
    shutdown(peer, SHUT_WR);
    expect_quiet_until_read(loop, idle, io, &seen);
    assert_int_equal(seen.error, 0);
    hloop_free(&loop);
    close(peer);
}

static void a_unix_peer_that_has_left_nothing_closes(void **state)
{
    hloop_t *loop = new_loop();
    seen_t seen;
    int peer;

    (void)state;
    watched_unix(loop, &seen, &peer);
    shutdown(peer, SHUT_WR);
    settle(loop);
    assert_int_equal(seen.closes, 0);
    close(peer);
    if (poller_tells())
        RUN_UNTIL(loop, seen.closes > 0);
    settle(loop);
    assert_int_equal(seen.error, poller_tells() ? -EPIPE : 0);
    hloop_free(&loop);
}

static void what_a_unix_peer_has_left_is_read(void **state)
{
    hloop_t *loop = new_loop();
    uint64_t idle = events_of_settling(loop);
    char data = pattern(0);
    seen_t seen;
    int peer;
    hio_t *io = watched_unix(loop, &seen, &peer);

    (void)state;
    assert_int_equal(write(peer, &data, 1), 1);
    close(peer);
    expect_quiet_until_read(loop, idle, io, &seen);
    hloop_free(&loop);
}

static hio_t *stopped;

static void on_read_watch_other(hio_t *io, void *buf, int len)
{
    seen_on_read(io, buf, len);
    hio_read_stop(stopped);
    hio_watch_hangup(stopped);
}

/* It was told to be readable before it was watched, and has ended its side only. */
static void what_is_told_late_is_no_hangup(void **state)
{
    hloop_t *loop = new_loop();
    seen_t seen[2];
    int peer[2];
    hio_t *io = observed_tcp(loop, &seen[0], &peer[0]);

    (void)state;
    stopped = observed_tcp(loop, &seen[1], &peer[1]);
    hio_setcb_read(io, on_read_watch_other);
    hio_read(io);
    hio_read(stopped);
    settle(loop);
    assert_int_equal(write(peer[0], "x", 1), 1);
    shutdown(peer[1], SHUT_WR);
    RUN_UNTIL(loop, seen[0].reads > 0);
    settle(loop);
    assert_int_equal(seen[1].closes, 0);
    hio_read(stopped);
    RUN_UNTIL(loop, seen[1].closes > 0);
    assert_int_equal(seen[1].error, 0);
    hloop_free(&loop);
    close(peer[0]);
    close(peer[1]);
}

/* What came before a reset is told by reading, as without a watch. */
static void reading_ends_the_watch(void **state)
{
    hloop_t *loop = new_loop();
    seen_t seen;
    int peer;
    hio_t *io = observed_tcp(loop, &seen, &peer);

    (void)state;
    hio_watch_hangup(io);
    settle(loop);
    hio_read(io);
    hio_watch_hangup(io);
    settle(loop);
    hio_read_stop(io);
    settle(loop);
    plain_reset(peer);
    settle(loop);
    assert_int_equal(seen.closes, 0);
    hio_watch_hangup(io);
    hio_close(io);
    hio_watch_hangup(io);
    RUN_UNTIL(loop, seen.closes > 0);
    hloop_free(&loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_reset_closes_what_is_not_read),
        cmocka_unit_test(an_end_of_data_closes_nothing),
        cmocka_unit_test(a_unix_peer_that_has_left_nothing_closes),
        cmocka_unit_test(what_a_unix_peer_has_left_is_read),
        cmocka_unit_test(what_is_told_late_is_no_hangup),
        cmocka_unit_test(reading_ends_the_watch),
    };

    return run_on_each_poller("hio_hangup", tests, ARRAY_LENGTH(tests));
}
