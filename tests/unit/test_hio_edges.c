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

#define SMALL 100 /* bytes of a read */
#define MUCH 20000

static hloop_t *loop;
static seen_t seen;
static int peer;
static hio_t *io;
static char small[SMALL];

/* Its poller has been told that it is read. */
static int setup(void **state)
{
    loop_test_setup(state);
    loop = new_loop();
    io = observed_tcp(loop, &seen, &peer);
    hio_read_edges(io);
    hio_read(io);
    settle(loop);
    return 0;
}

static int teardown(void **state)
{
    hloop_free(&loop);
    close(peer);
    return loop_test_teardown(state);
}

static void say(size_t len)
{
    char *data = new_pattern(seen.got + len);

    assert_int_equal(send(peer, data + seen.got, len, 0), len);
    free(data);
}

static void each_message_is_told(void **state)
{
    (void)state;
    for (size_t i = 1; i <= 5; i++) {
        say(10);
        RUN_UNTIL(loop, seen.got == i * 10);
    }
    assert_false(seen.mangled);
}

static void an_end_behind_bytes_is_met(void **state)
{
    (void)state;
    hio_setcb_eof(io, seen_on_eof);
    say(10);
    shutdown(peer, SHUT_WR);
    RUN_UNTIL(loop, seen.eofs == 1);
    assert_int_equal(seen.got, 10);
    settle(loop);
    assert_int_equal(seen.eofs, 1);
    hio_close(io);
    RUN_UNTIL(loop, seen.closes == 1);
}

static void a_break_is_met(void **state)
{
    (void)state;
    plain_reset(peer);
    peer = -1;
    RUN_UNTIL(loop, seen.closes == 1);
    assert_int_equal(seen.error, -ECONNRESET);
}

/* A read stops at the mark, and what is behind it is told of no more. */
static void bytes_behind_urgent_ones_are_read(void **state)
{
    (void)state;
    assert_int_equal(send(peer, "abc", 3, 0), 3);
    assert_int_equal(send(peer, "!", 1, MSG_OOB), 1);
    assert_int_equal(send(peer, "def", 3, 0), 3);
    RUN_UNTIL(loop, seen.got == 6);
    assert_string_equal(seen.first, "abcdef");
}

static void more_than_a_turn_reads_is_read_whole(void **state)
{
    (void)state;
    assert_int_equal(hio_set_readbuf(io, small, sizeof(small)), 0);
    say(MUCH);
    RUN_UNTIL(loop, seen.got == MUCH);
    assert_false(seen.mangled);
}

static void go_on(hio_t *paused)
{
    assert_int_equal(hio_read(paused), 0);
}

static void pause_in_read(hio_t *reading, void *buf, int len)
{
    seen_on_read(reading, buf, len);
    assert_int_equal(hio_read_stop(reading), 0);
    assert_int_equal(hio_defer(reading, go_on), 0);
}

/* The poller does not get to know of a pause that ends before it is asked. */
static void a_short_pause_loses_nothing(void **state)
{
    (void)state;
    assert_int_equal(hio_set_readbuf(io, small, sizeof(small)), 0);
    hio_setcb_read(io, pause_in_read);
    say(MUCH);
    RUN_UNTIL(loop, seen.got == MUCH);
    assert_false(seen.mangled);
}

static void a_long_pause_loses_nothing(void **state)
{
    (void)state;
    hio_read_stop(io);
    settle(loop);
    say(10);
    settle(loop);
    assert_int_equal(seen.got, 0);
    hio_read(io);
    RUN_UNTIL(loop, seen.got == 10);
}

static int byte_reads;

static ssize_t read_byte(hio_t *from, void *ctx, void *buf, size_t len)
{
    ssize_t n = recv(hio_fd(from), buf, len > 0 ? 1 : 0, MSG_DONTWAIT);

    (void)ctx;
    byte_reads++;
    return n < 0 ? -errno : n;
}

static const hio_transport_t byte_transport = {.read = read_byte};

/* A transport says nothing of what it leaves in the socket, nor is it asked again and again. */
static void a_transport_ends_it(void **state)
{
    (void)state;
    assert_int_equal(hio_set_transport(io, &byte_transport, NULL), 0);
    say(10);
    RUN_UNTIL(loop, seen.got == 10);
    settle(loop);
    byte_reads = 0;
    settle(loop);
    assert_int_equal(byte_reads, 0);
    assert_int_equal(hio_set_transport(io, NULL, NULL), 0);
}

/* All of what comes is read, more than one turn reads: a close before would be a reset. */
static void a_lingering_close_meets_what_comes(void **state)
{
    char *data = new_pattern(MUCH), *got = malloc(MUCH);
    int error = -1;
    socklen_t len = sizeof(error);

    (void)state;
    assert_int_equal(hio_write(io, data, MUCH), MUCH);
    say(10);
    hio_close(io);
    for (int i = 0; i < 5; i++)
        assert_int_equal(send(peer, data, MUCH, MSG_DONTWAIT), MUCH);
    shutdown(peer, SHUT_WR);
    RUN_UNTIL(loop, seen.closes == 1);
    assert_int_equal(plain_receive(peer, got, MUCH), MUCH);
    assert_memory_equal(got, data, MUCH);
    assert_int_equal(getsockopt(peer, SOL_SOCKET, SO_ERROR, &error, &len), 0);
    assert_int_equal(error, 0);
    free(data);
    free(got);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(each_message_is_told),
        TEST(an_end_behind_bytes_is_met),
        TEST(a_break_is_met),
        TEST(bytes_behind_urgent_ones_are_read),
        TEST(more_than_a_turn_reads_is_read_whole),
        TEST(a_short_pause_loses_nothing),
        TEST(a_long_pause_loses_nothing),
        TEST(a_transport_ends_it),
        TEST(a_lingering_close_meets_what_comes),
    };

    return run_on_each_poller("hio edges", tests, ARRAY_LENGTH(tests));
}
