/* One thread. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "hio_fixture.h"
#include "oom.h"

#include <linux/sockios.h>
#include <sys/ioctl.h>

#define SHORT_MS 60

static int unacknowledged(void)
{
    int n = -1;

    assert_int_equal(ioctl(hio_fd(io), SIOCOUTQ, &n), 0);
    return n;
}

static int unread(void)
{
    int n = -1;

    assert_int_equal(ioctl(hio_fd(io), FIONREAD, &n), 0);
    return n;
}

/* As much as the kernel takes from the peer now. False: the connection is reset. */
static bool peer_sends(void)
{
    ssize_t n;

    do {
        n = send(peer, data, MIB, MSG_DONTWAIT | MSG_NOSIGNAL);
    } while (n > 0);
    return errno == EAGAIN;
}

/* Writes until the kernel takes no more, and that bit is sent whole later. */
static size_t fill(void)
{
    size_t sent = 0;

    while (hio_write_is_complete(io)) {
        assert_int_equal(hio_write(io, data + sent, 10000), 10000);
        sent += 10000;
    }
    return sent;
}

/* As settle, however slow: a linger without input for the time of a tick would end. */
static void settle_with_input(void)
{
    for (int i = 0; i < 10; i++) {
        assert_true(peer_sends());
        run_once();
    }
}

/* ---- what was sent arrives ------------------------------------------------------------------- */

static void a_reply_arrives_whole_though_the_peer_is_still_sending(void **state)
{
    size_t got = 0;
    bool eof = false;

    (void)state;
    assert_int_equal(hio_write(io, data, BIG), BIG);
    assert_true(peer_sends());
    hio_close(io);
    while (!eof) {
        assert_true(peer_sends());
        eof = peer_takes(&got);
        run_once();
    }
    assert_int_equal(got, BIG);
    close(peer);
    peer = -1;
    RUN_UNTIL(loop, seen.closes == 1);
    assert_int_equal(seen.error, 0);
    assert_int_equal(hloop_ntimers(loop), 0);
    hio_finish();
}

static void on_read_refuse(hio_t *self, void *buf, int len)
{
    (void)buf;
    (void)len;
    hio_write(self, data, 100);
    hio_close(self);
}

/* Nothing is unread when the program closes: what the peer is about to send makes the harm. */
static void a_reply_arrives_though_the_peer_sends_after_the_close(void **state)
{
    size_t sent = fill(), got = 0;

    (void)state;
    while (!hio_write_is_complete(io)) {
        char byte;

        assert_int_equal(recv(peer, &byte, 1, MSG_DONTWAIT), 1);
        assert_int_equal(byte, pattern(got++));
        run_once();
    }
    assert_true(unacknowledged() > 0);
    hio_close(io);
    settle(loop);
    for (int i = 0; i < 3; i++) {
        assert_true(peer_sends());
        settle(loop);
    }
    while (!peer_takes(&got))
        run_once();
    assert_int_equal(got, sent);
    close(peer);
    peer = -1;
    RUN_UNTIL(loop, seen.closes == 1);
    hio_finish();
}

static void a_refusal_reaches_a_peer_that_sends_on(void **state)
{
    size_t got = 0;

    (void)state;
    hio_set_readbuf(io, data + MIB, 1000);
    hio_setcb_read(io, on_read_refuse);
    hio_read(io);
    assert_true(peer_sends());
    for (int i = 0; i < 20; i++) {
        run_once();
        assert_true(peer_sends());
    }
    while (!peer_takes(&got))
        run_once();
    assert_int_equal(got, 100);
    hio_finish();
}

/* ---- and nobody waits for ever --------------------------------------------------------------- */

static void a_peer_that_has_all_and_sends_nothing_is_not_waited_for(void **state)
{
    size_t got = 0;

    (void)state;
    assert_int_equal(send(peer, data, 1000, 0), 1000);
    assert_int_equal(hio_write(io, data, 100), 100);
    hio_close(io);
    RUN_UNTIL_PEER_HAS(100);
    RUN_UNTIL(loop, seen.closes == 1);
    assert_int_equal(seen.error, 0);
    while (!peer_takes(&got))
        run_once();
    hio_finish();
}

static void a_close_costs_no_iteration_when_all_has_arrived(void **state)
{
    (void)state;
    assert_int_equal(hio_write(io, data, 100), 100);
    RUN_UNTIL_PEER_HAS(100);
    while (unacknowledged() > 0)
        run_once();
    hio_close(io);
    run_once();
    assert_int_equal(seen.closes, 1);
    hio_finish();
}

static void a_peer_that_was_told_nothing_is_not_waited_for(void **state)
{
    (void)state;
    assert_true(peer_sends());
    hio_close(io);
    run_once();
    assert_int_equal(seen.closes, 1);
    hio_finish();
}

static void the_close_timeout_ends_it(void **state)
{
    uint64_t start = now_ms();

    (void)state;
    hio_set_close_timeout(io, SHORT_MS);
    assert_int_equal(hio_write(io, data, 100), 100);
    assert_true(peer_sends());
    hio_close(io);
    while (seen.closes == 0) {
        assert_true(peer_sends());
        run_once();
    }
    assert_true(now_ms() - start >= SHORT_MS - 1);
    assert_int_equal(seen.error, 0);
    hio_finish();
}

/* Neither takes what was sent nor ends. */
static void a_peer_that_is_stuck_is_given_up(void **state)
{
    (void)state;
    (void)fill();
    while (!hio_write_is_complete(io)) {
        char byte;

        assert_int_equal(recv(peer, &byte, 1, MSG_DONTWAIT), 1);
        run_once();
    }
    assert_true(peer_sends());
    hio_set_close_timeout(io, 0);
    hio_close(io);
    RUN_UNTIL(loop, seen.closes == 1);
    assert_int_equal(seen.error, 0);
    hio_finish();
}

static void a_flood_is_not_read_for_ever(void **state)
{
    size_t sent = 0;
    ssize_t n = 0;

    (void)state;
    assert_int_equal(hio_write(io, data, 100), 100);
    assert_int_equal(send(peer, data, 1000, 0), 1000);
    hio_close(io);
    for (int idle = 0; idle < 1000 && seen.closes == 0; idle = n > 0 ? 0 : idle + 1) {
        n = send(peer, data, MIB, MSG_DONTWAIT | MSG_NOSIGNAL);
        sent += n > 0 ? (size_t)n : 0;
        assert_true(sent < 20u * MIB);
        run_once();
    }
    assert_true(sent >= 16u * MIB);
    RUN_UNTIL(loop, seen.closes == 1); /* what was sent has arrived long since */
    hio_finish();
}

static void what_came_while_the_loop_was_held_up_counts(void **state)
{
    (void)state;
    assert_int_equal(hio_write(io, data, 100), 100);
    assert_true(peer_sends());
    hio_close(io);
    while (unread() > 0)
        run_once();
    usleep(60000); /* longer than a tick, which still has what came before it */
    run_once();
    assert_int_equal(seen.closes, 0);
    assert_true(peer_sends());
    usleep(60000);
    run_once();
    assert_int_equal(seen.closes, 0);
    assert_int_equal(shutdown(peer, SHUT_WR), 0);
    RUN_UNTIL(loop, seen.closes == 1);
    assert_int_equal(seen.error, 0);
    hio_finish();
}

static void a_reset_meanwhile_is_the_cause(void **state)
{
    (void)state;
    assert_int_equal(hio_write(io, data, 100), 100);
    assert_true(peer_sends());
    hio_close(io);
    settle_with_input();
    assert_int_equal(seen.closes, 0);
    plain_reset(peer);
    peer = -1;
    RUN_UNTIL(loop, seen.closes == 1);
    assert_int_equal(seen.error, -ECONNRESET);
    hio_finish();
}

static void an_abort_ends_it_at_once(void **state)
{
    (void)state;
    assert_int_equal(hio_write(io, data, 100), 100);
    assert_true(peer_sends());
    hio_close(io);
    hio_close(io);
    assert_true(hio_is_closed(io));
    assert_int_equal(hio_write(io, data, 1), HERR_CLOSED);
    assert_int_equal(hio_read(io), HERR_CLOSED);
    assert_int_equal(hio_shutdown(io), HERR_CLOSED);
    settle_with_input();
    assert_int_equal(seen.closes, 0);
    hio_abort(io, -EINTR);
    run_once();
    assert_int_equal(seen.closes, 1);
    assert_int_equal(seen.error, -EINTR);
    assert_int_equal(hloop_ntimers(loop), 0);
    hio_finish();
}

static void the_end_of_the_loop_ends_it(void **state)
{
    (void)state;
    assert_int_equal(hio_write(io, data, 100), 100);
    assert_true(peer_sends());
    hio_close(io);
    hloop_free(&loop);
    assert_int_equal(seen.closes, 1);
    hio_finish();
}

/* Without memory for a timer it closes at once, as if there were nothing to wait for. */
static int close_while_the_peer_sends(void *arg)
{
    hloop_options_t options = {.flags = HLOOP_FLAG_RUN_ONCE, .poller = test_poller};
    hloop_t *own = hloop_new_with(&options);
    seen_t own_seen = {0};
    hio_t *own_io;
    int fds[2];

    (void)arg;
    if (!own)
        return -ENOMEM;
    tcp_pair(fds);
    own_io = hio_get(own, fds[0]);
    if (!own_io) {
        close(fds[0]);
        close(fds[1]);
        hloop_free(&own);
        return -ENOMEM;
    }
    observe(own_io, &own_seen);
    assert_int_equal(hio_write(own_io, "reply", 5), 5);
    assert_int_equal(send(fds[1], "request", 7, 0), 7);
    hio_close(own_io);
    close(fds[1]);
    while (own_seen.closes == 0)
        assert_int_equal(hloop_run(own), 0);
    hloop_free(&own);
    return 0;
}

static void out_of_memory_closes_at_once(void **state)
{
    (void)state;
    oom_run(close_while_the_peer_sends, NULL);
}

#define TEST(f) cmocka_unit_test_setup(f, hio_setup)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_reply_arrives_whole_though_the_peer_is_still_sending),
        TEST(a_reply_arrives_though_the_peer_sends_after_the_close),
        TEST(a_refusal_reaches_a_peer_that_sends_on),
        TEST(a_peer_that_has_all_and_sends_nothing_is_not_waited_for),
        TEST(a_close_costs_no_iteration_when_all_has_arrived),
        TEST(a_peer_that_was_told_nothing_is_not_waited_for),
        TEST(the_close_timeout_ends_it),
        TEST(a_peer_that_is_stuck_is_given_up),
        TEST(a_flood_is_not_read_for_ever),
        TEST(what_came_while_the_loop_was_held_up_counts),
        TEST(a_reset_meanwhile_is_the_cause),
        TEST(an_abort_ends_it_at_once),
        TEST(the_end_of_the_loop_ends_it),
        cmocka_unit_test(out_of_memory_closes_at_once),
    };

    return run_on_each_poller("hio lingering", tests, ARRAY_LENGTH(tests));
}
