/* One thread. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "hio_fixture.h"

#include <sys/stat.h>

/* ---- the one close callback ------------------------------------------------------------------ */

static void close_calls_back_once_and_not_from_inside(void **state)
{
    (void)state;
    hio_read(io);
    assert_int_equal(hio_close(io), 0);
    assert_int_equal(seen.closes, 0);
    assert_true(hio_is_closed(io));
    assert_false(hio_is_opened(io));
    for (int i = 0; i < 3; i++)
        assert_int_equal(hio_close(io), 0);
    RUN_UNTIL(loop, seen.closes == 1);
    settle(loop);
    assert_int_equal(seen.closes, 1);
    assert_int_equal(seen.error, 0);
    assert_int_equal(hloop_nios(loop), 0);
    hio_finish();
}

static void on_close_again(hio_t *self)
{
    seen_on_close(self);
    assert_int_equal(hio_close(self), 0);
    assert_int_equal(hio_abort(self, -EIO), 0);
    assert_int_equal(hio_write(self, "x", 1), HERR_CLOSED);
    assert_int_equal(hio_read(self), HERR_CLOSED);
    assert_int_equal(hio_connect(self), HERR_CLOSED);
    assert_int_equal(hio_accept(self), HERR_CLOSED);
    assert_int_equal(hio_detach(self), HERR_CLOSED);
    hio_set_keepalive_timeout(self, 1);
    hio_set_heartbeat(self, 1, NULL);
    hio_cork(self);
    assert_int_equal(((struct sockaddr_in *)hio_peeraddr(self))->sin_family, AF_INET);
}

static void the_close_callback_may_do_anything_to_the_dead(void **state)
{
    (void)state;
    hio_setcb_close(io, on_close_again);
    hio_close(io);
    RUN_UNTIL(loop, seen.closes == 1);
    settle(loop);
    assert_int_equal(seen.closes, 1);
    assert_int_equal(hloop_ntimers(loop), 0);
    hio_finish();
}

static void on_read_close(hio_t *self, void *buf, int len)
{
    seen_on_read(self, buf, len);
    hio_close(self);
    assert_int_equal(seen.closes, 0);
}

static void closing_in_the_read_callback_ends_the_reading(void **state)
{
    (void)state;
    hio_setcb_read(io, on_read_close);
    hio_set_readbuf(io, data, 10);
    hio_read(io);
    assert_int_equal(write(peer, "0123456789012345678901234567890", 31), 31);
    RUN_UNTIL(loop, seen.closes == 1);
    assert_int_equal(seen.reads, 1);
    hio_finish();
}

static void on_write_close(hio_t *self, const void *buf, int len)
{
    seen_on_write(self, buf, len);
    hio_close(self);
}

static void closing_in_the_write_callback(void **state)
{
    (void)state;
    hio_setcb_write(io, on_write_close);
    hio_write(io, data, 10);
    RUN_UNTIL(loop, seen.closes == 1);
    assert_int_equal(seen.writes, 1);
    hio_finish();
}

static void what_was_sent_is_told_before_the_close(void **state)
{
    (void)state;
    hio_write(io, data, 10);
    hio_close(io);
    RUN_UNTIL(loop, seen.closes == 1);
    assert_int_equal(seen.wrote, 10);
    hio_finish();
}

/* ---- what is queued -------------------------------------------------------------------------- */

static void close_sends_what_is_queued(void **state)
{
    (void)state;
    hio_read(io);
    assert_int_equal(hio_write(io, data, BIG), BIG);
    assert_true(hio_write_bufsize(io) > 0);
    hio_close(io);
    hio_close(io); /* changes nothing */
    assert_int_equal(hio_write(io, data, 1), HERR_CLOSED);
    settle(loop);
    assert_int_equal(seen.closes, 0);
    assert_int_equal(peer_takes_all(), BIG);
    RUN_UNTIL(loop, seen.closes == 1);
    assert_int_equal(seen.error, 0);
    assert_int_equal(seen.wrote, BIG);
    assert_int_equal(hloop_ntimers(loop), 0);
    hio_finish();
}

static void a_close_that_cannot_send_ends_by_its_timeout(void **state)
{
    uint64_t start = now_ms();

    (void)state;
    hio_set_close_timeout(io, 50);
    hio_write(io, data, BIG);
    hio_close(io);
    RUN_UNTIL(loop, seen.closes == 1);
    assert_int_equal(seen.error, -ETIMEDOUT);
    assert_true(now_ms() - start >= 49);
    hio_finish();
}

static void a_peer_that_does_not_read_finds_the_last_word(void **state)
{
    static const char word[] = "\nbye\n";
    size_t got;

    (void)state;
    hio_set_close_timeout(io, 50);
    assert_int_equal(hio_set_last_word(io, word), 0);
    hio_write(io, data, BIG);
    hio_close(io);
    RUN_UNTIL(loop, hio_write_bufsize(io) == 0);
    got = plain_receive(peer, data, BIG); /* to the end */
    assert_true(got > strlen(word) && got < BIG);
    assert_memory_equal(data + got - strlen(word), word, strlen(word));
    RUN_UNTIL(loop, seen.closes == 1);
    assert_int_equal(seen.error, -ETIMEDOUT);
    hio_finish();
}

static void abort_drops_what_is_queued_and_tells_the_cause(void **state)
{
    (void)state;
    hio_write(io, data, BIG);
    hio_abort(io, -EPROTO);
    assert_int_equal(seen.closes, 0);
    hio_abort(io, -EIO); /* the first cause counts */
    RUN_UNTIL(loop, seen.closes == 1);
    assert_int_equal(seen.error, -EPROTO);
    hio_finish();
}

static void abort_ends_a_close_that_waits(void **state)
{
    (void)state;
    hio_write(io, data, BIG);
    hio_close(io);
    settle(loop);
    assert_int_equal(seen.closes, 0);
    hio_abort(io, -EINTR);
    RUN_UNTIL(loop, seen.closes == 1);
    assert_int_equal(seen.error, -EINTR);
    hio_finish();
}

static void reset_shows_as_a_reset(void **state)
{
    char byte;

    (void)state;
    hio_reset(io);
    RUN_UNTIL(loop, seen.closes == 1);
    assert_int_equal(recv(peer, &byte, 1, 0), -1);
    assert_int_equal(errno, ECONNRESET);
    hio_finish();
}

/* ---- the peer's end of data ------------------------------------------------------------------ */

static void an_end_of_data_closes_without_an_error(void **state)
{
    (void)state;
    hio_read(io);
    assert_int_equal(write(peer, data, 100), 100);
    close(peer);
    peer = -1;
    RUN_UNTIL(loop, seen.closes == 1);
    assert_int_equal(seen.error, 0);
    assert_int_equal(seen.got, 100);
    assert_int_equal(seen.reads, 1); /* no callback of zero bytes */
    hio_finish();
}

static void an_end_of_data_drops_nothing_that_is_queued(void **state)
{
    (void)state;
    hio_read(io);
    assert_int_equal(hio_write(io, data, BIG), BIG);
    assert_int_equal(shutdown(peer, SHUT_WR), 0);
    settle(loop);
    assert_int_equal(seen.closes, 0);
    assert_int_equal(peer_takes_all(), BIG);
    RUN_UNTIL(loop, seen.closes == 1);
    assert_int_equal(seen.error, 0);
    hio_finish();
}

static void a_half_close_does_not_lose_the_reply(void **state)
{
    (void)state;
    assert_int_equal(hio_setcb_eof(io, seen_on_eof), 0);
    hio_read(io);
    assert_int_equal(write(peer, data, 10), 10);
    assert_int_equal(shutdown(peer, SHUT_WR), 0);
    RUN_UNTIL(loop, seen.eofs == 1);
    assert_int_equal(seen.got, 10);
    settle(loop);
    assert_int_equal(seen.eofs, 1);
    assert_int_equal(seen.closes, 0);
    assert_int_equal(hio_read(io), 0); /* nothing more comes, and no second EOF */
    settle(loop);
    assert_int_equal(seen.eofs, 1);
    assert_int_equal(hio_write(io, data, BIG), BIG);
    hio_close(io);
    assert_int_equal(peer_takes_all(), BIG);
    RUN_UNTIL(loop, seen.closes == 1);
    assert_int_equal(seen.error, 0);
    hio_finish();
}

/* It is waited for as any other, though its end is there to be told again and again. */
static void a_half_closed_peer_that_stalls_costs_no_turn_of_the_loop(void **state)
{
    (void)state;
    assert_int_equal(hio_setcb_eof(io, seen_on_eof), 0);
    hio_read(io);
    assert_int_equal(shutdown(peer, SHUT_WR), 0);
    RUN_UNTIL(loop, seen.eofs == 1);
    assert_int_equal(hio_write(io, data, BIG), BIG);
    assert_true(hio_write_bufsize(io) > 0);
    settle(loop);
    assert_true(turns_within(loop, 30) <= 5);
    hio_close(io);
    assert_int_equal(peer_takes_all(), BIG);
    RUN_UNTIL(loop, seen.closes == 1);
    assert_int_equal(seen.error, 0);
    hio_finish();
}

/* ---- resets in each state -------------------------------------------------------------------- */

static void a_reset_while_reading(void **state)
{
    (void)state;
    hio_read(io);
    settle(loop);
    plain_reset(peer);
    peer = -1;
    RUN_UNTIL(loop, seen.closes == 1);
    assert_int_equal(seen.error, -ECONNRESET);
    hio_finish();
}

static void a_reset_while_sending(void **state)
{
    (void)state;
    hio_write(io, data, BIG);
    settle(loop);
    plain_reset(peer);
    peer = -1;
    RUN_UNTIL(loop, seen.closes == 1);
    assert_int_equal(seen.error, -ECONNRESET);
    hio_finish();
}

static void a_reset_while_reading_and_sending(void **state)
{
    (void)state;
    hio_read(io);
    hio_write(io, data, BIG);
    settle(loop);
    plain_reset(peer);
    peer = -1;
    RUN_UNTIL(loop, seen.closes == 1);
    assert_int_equal(seen.error, -ECONNRESET);
    hio_finish();
}

static void a_reset_while_closing(void **state)
{
    (void)state;
    hio_write(io, data, BIG);
    hio_close(io);
    settle(loop);
    plain_reset(peer);
    peer = -1;
    RUN_UNTIL(loop, seen.closes == 1);
    assert_int_equal(seen.error, -ECONNRESET);
    hio_finish();
}

static void a_reset_after_our_shutdown(void **state)
{
    (void)state;
    hio_read(io);
    hio_shutdown(io);
    settle(loop);
    plain_reset(peer);
    peer = -1;
    RUN_UNTIL(loop, seen.closes == 1);
    assert_int_equal(seen.error, -ECONNRESET);
    hio_finish();
}

static void a_write_after_a_reset_tells_the_cause_and_closes(void **state)
{
    int rc;

    (void)state;
    plain_reset(peer);
    peer = -1;
    rc = hio_write(io, data, 10);
    assert_true(rc == -ECONNRESET || rc == -EPIPE);
    assert_int_equal(seen.closes, 0);
    RUN_UNTIL(loop, seen.closes == 1);
    assert_int_equal(seen.error, rc);
    hio_finish();
}

/* The peer has answered and gone: the write fails, but the answer is read first. */
static void what_the_peer_sent_before_it_went_is_read(void **state)
{
    int fds[2];
    seen_t local;
    hio_t *pair;

    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    pair = observe(hio_get(loop, fds[0]), &local);
    hio_read(pair);
    assert_int_equal(write(fds[1], data, 50), 50);
    close(fds[1]);
    assert_int_equal(hio_write(pair, data, 10), -EPIPE);
    assert_int_equal(hio_write(pair, data, 10), HERR_CLOSED);
    RUN_UNTIL(loop, local.closes == 1);
    assert_int_equal(local.got, 50);
    assert_int_equal(local.error, -EPIPE);
    hio_finish();
}

static void the_cause_of_a_broken_write_outlives_a_close(void **state)
{
    int fds[2];
    seen_t local;
    hio_t *pair;

    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    pair = observe(hio_get(loop, fds[0]), &local);
    hio_read(pair);
    close(fds[1]);
    assert_int_equal(hio_write(pair, data, 10), -EPIPE);
    hio_close(pair);
    RUN_UNTIL(loop, local.closes == 1);
    assert_int_equal(local.error, -EPIPE);
    hio_finish();
}

static void on_accept_nothing(hio_t *accepted)
{
    hio_read(accepted);
}

static void closing_while_connecting_and_while_accepting(void **state)
{
    struct sockaddr_in addr;
    int listener = bound_socket(SOCK_STREAM | SOCK_NONBLOCK, &addr);
    hio_t *listening, *connecting;
    seen_t seen_listening, seen_connecting;

    (void)state;
    listening = observe(hio_get(loop, listener), &seen_listening);
    hio_setcb_accept(listening, on_accept_nothing);
    assert_int_equal(hio_accept(listening), 0);
    connecting = observed_client(loop, &seen_connecting, &addr, sizeof(addr));
    assert_int_equal(hio_connect(connecting), 0);
    hio_close(connecting);
    hio_close(listening);
    RUN_UNTIL(loop, seen_listening.closes == 1 && seen_connecting.closes == 1);
    assert_int_equal(seen_connecting.connects, 0);
    assert_int_equal(seen_connecting.error, 0);
    assert_int_equal(hloop_ntimers(loop), 0);
    hio_finish();
}

/* ---- others ---------------------------------------------------------------------------------- */

static hio_t *victim;

static void on_read_kill_other(hio_t *self, void *buf, int len)
{
    seen_on_read(self, buf, len);
    hio_abort(victim, -ECANCELED);
}

/* Both are ready in one iteration; whichever comes first closes the other. */
static void an_hio_closed_by_another_gets_nothing_more(void **state)
{
    seen_t seen_other;
    int other_peer;
    hio_t *other = observed_tcp(loop, &seen_other, &other_peer);

    (void)state;
    hio_setcb_read(io, on_read_kill_other);
    hio_setcb_read(other, seen_on_read);
    victim = other;
    hio_read(io);
    hio_read(other);
    settle(loop);
    assert_int_equal(write(peer, data, 1), 1);
    assert_int_equal(write(other_peer, data, 1), 1);
    RUN_UNTIL(loop, seen_other.closes == 1);
    assert_true(seen_other.reads <= 1);
    assert_int_equal(seen_other.error, -ECANCELED);
    close(other_peer);
    hio_finish();
}

/* Ten connections are ready at once. The first callback closes the other nine and opens as many new
 * sockets, which the kernel may give the old numbers: none of these hears of the old readiness. */
#define MANY 10
static hio_t *crowd[MANY];
static seen_t crowd_seen[MANY], fresh_seen[MANY];
static int fresh_peer[MANY];
static int crowd_reads, fresh_n;

static void on_crowd_close(hio_t *self)
{
    seen_on_close(self);
    if (fresh_n < MANY) {
        hio_t *fresh = observed_tcp(loop, &fresh_seen[fresh_n], &fresh_peer[fresh_n]);

        hio_read(fresh);
        fresh_n++;
    }
}

static void on_crowd_read(hio_t *self, void *buf, int len)
{
    seen_on_read(self, buf, len);
    crowd_reads++;
    for (int i = 0; i < MANY; i++) {
        if (crowd[i] != self)
            hio_abort(crowd[i], 0);
    }
}

static void a_reused_descriptor_hears_nothing_of_the_old_one(void **state)
{
    int peers[MANY], closes = 0;

    (void)state;
    crowd_reads = fresh_n = 0;
    for (int i = 0; i < MANY; i++) {
        crowd[i] = observed_tcp(loop, &crowd_seen[i], &peers[i]);
        hio_setcb_read(crowd[i], on_crowd_read);
        hio_setcb_close(crowd[i], on_crowd_close);
        hio_read(crowd[i]);
    }
    settle(loop);
    for (int i = 0; i < MANY; i++)
        assert_int_equal(write(peers[i], data, 1), 1);
    RUN_UNTIL(loop, fresh_n == MANY - 1);
    settle(loop);
    assert_int_equal(crowd_reads, 1);
    for (int i = 0; i < MANY; i++)
        closes += crowd_seen[i].closes;
    assert_int_equal(closes, MANY - 1);
    for (int i = 0; i < fresh_n; i++) {
        assert_int_equal(fresh_seen[i].reads + fresh_seen[i].closes, 0);
        assert_int_equal(write(fresh_peer[i], data, 5), 5);
        RUN_UNTIL(loop, fresh_seen[i].got == 5);
        close(fresh_peer[i]);
    }
    fresh_n = MANY; /* the loop's end opens no more */
    for (int i = 0; i < MANY; i++)
        close(peers[i]);
    hio_finish();
}

static void standard_descriptors_leave_no_hole(void **state)
{
    int saved = dup(STDIN_FILENO), fds[2];
    struct stat st, null;
    seen_t local;
    hio_t *in;

    (void)state;
    assert_int_equal(pipe(fds), 0);
    assert_int_equal(dup2(fds[0], STDIN_FILENO), STDIN_FILENO);
    in = observe(hio_get(loop, STDIN_FILENO), &local);
    hio_read(in);
    close(fds[0]);
    close(fds[1]);
    RUN_UNTIL(loop, local.closes == 1);
    assert_int_equal(fstat(STDIN_FILENO, &st), 0);
    assert_int_equal(stat("/dev/null", &null), 0);
    assert_int_equal(st.st_rdev, null.st_rdev);
    dup2(saved, STDIN_FILENO);
    close(saved);
    hio_finish();
}

#define TEST(f) cmocka_unit_test_setup(f, hio_setup)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(close_calls_back_once_and_not_from_inside),
        TEST(the_close_callback_may_do_anything_to_the_dead),
        TEST(closing_in_the_read_callback_ends_the_reading),
        TEST(closing_in_the_write_callback),
        TEST(what_was_sent_is_told_before_the_close),
        TEST(close_sends_what_is_queued),
        TEST(a_close_that_cannot_send_ends_by_its_timeout),
        TEST(a_peer_that_does_not_read_finds_the_last_word),
        TEST(abort_drops_what_is_queued_and_tells_the_cause),
        TEST(abort_ends_a_close_that_waits),
        TEST(reset_shows_as_a_reset),
        TEST(an_end_of_data_closes_without_an_error),
        TEST(an_end_of_data_drops_nothing_that_is_queued),
        TEST(a_half_close_does_not_lose_the_reply),
        TEST(a_half_closed_peer_that_stalls_costs_no_turn_of_the_loop),
        TEST(a_reset_while_reading),
        TEST(a_reset_while_sending),
        TEST(a_reset_while_reading_and_sending),
        TEST(a_reset_while_closing),
        TEST(a_reset_after_our_shutdown),
        TEST(a_write_after_a_reset_tells_the_cause_and_closes),
        TEST(what_the_peer_sent_before_it_went_is_read),
        TEST(the_cause_of_a_broken_write_outlives_a_close),
        TEST(closing_while_connecting_and_while_accepting),
        TEST(an_hio_closed_by_another_gets_nothing_more),
        TEST(a_reused_descriptor_hears_nothing_of_the_old_one),
        TEST(standard_descriptors_leave_no_hole),
    };

    return run_on_each_poller("hio closing", tests, ARRAY_LENGTH(tests));
}
