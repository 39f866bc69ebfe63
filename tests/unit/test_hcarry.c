/* One thread. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "carry_test.h"
#include "net/hrate.h"
#include "oom.h"

#include <sys/sendfile.h>

/* ---- the system call that can be made to fail (test_hcarry.wrap) ----------------------------- */

ssize_t __real_sendfile(int to, int from, off_t *offset, size_t len);
ssize_t __wrap_sendfile(int to, int from, off_t *offset, size_t len);

ssize_t __wrap_sendfile(int to, int from, off_t *offset, size_t len)
{
    return call_fails() ? -1 : __real_sendfile(to, from, offset, call_len(len));
}

/* ---- a file, by the kernel ------------------------------------------------------------------- */

/* A file of the pattern. */
static hio_t *file_source(size_t size)
{
    char path[] = "/tmp/hcarry-XXXXXX";
    char *data = new_pattern(size);
    int fd = mkstemp(path);

    assert_true(fd >= 0);
    unlink(path);
    assert_int_equal(write(fd, data, size), size);
    lseek(fd, 0, SEEK_SET);
    free(data);
    return observe(hio_get(loop, fd), &source);
}

static void a_file_arrives_whole_past_the_read_callback(void **state)
{
    static const size_t sizes[] = {0, 1, 65537, SIZE};

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(sizes); i++) {
        hio_t *to = stream_target(), *from = file_source(sizes[i]);
        hloop_stats_t before, after;

        hloop_stats(loop, &before);
        carried = received_n = 0;
        assert_true(hcarry_is_kernel(from, to));
        start(from, to);
        receive(sizes[i]);
        RUN_UNTIL(loop, source.closes == 1);
        assert_int_equal(source.error, 0);
        assert_int_equal(source.reads, 0);
        assert_int_equal(carried, sizes[i]);
        hloop_stats(loop, &after);
        assert_int_equal(after.read_bytes - before.read_bytes, sizes[i]);
        assert_int_equal(after.write_bytes - before.write_bytes, sizes[i]);
        hio_close(to);
        RUN_UNTIL(loop, target.closes == 1);
        assert_int_equal(target.error, 0);
        assert_int_equal(target.wrote, sizes[i]);
        if (i + 1 < ARRAY_LENGTH(sizes))
            close(peer);
    }
    end();
}

static void what_the_call_refuses_for_now_is_tried_again(void **state)
{
    static const int errors[] = {EAGAIN, EINTR};

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(errors); i++) {
        hio_t *to = stream_target();

        received_n = 0;
        fault.err = errors[i];
        fault.at_most = 1000;
        start(file_source(100000), to);
        receive(100000);
        RUN_UNTIL(loop, source.closes == 1);
        assert_int_equal(source.reads, 0);
        hio_close(to);
        RUN_UNTIL(loop, target.closes == 1);
        if (i + 1 < ARRAY_LENGTH(errors))
            close(peer);
    }
    end();
}

static void a_file_that_the_kernel_refuses_goes_to_the_read_callback(void **state)
{
    (void)state;
    fault.err = EINVAL;
    fault.always = true;
    start(file_source(SIZE), stream_target());
    RUN_UNTIL(loop, source.closes == 1);
    assert_int_equal(source.got, SIZE);
    assert_false(source.mangled);
    assert_int_equal(fault.n, 1);
    assert_int_equal(carried, 0);
    end();
}

static void a_peer_that_is_gone_fails_the_carry_and_closes(void **state)
{
    bool eof;

    (void)state;
    start(file_source(SIZE), stream_target());
    hio_read(target.io);
    while (received_n == 0)
        go_on(&eof);
    plain_reset(peer);
    peer = -1;
    RUN_UNTIL(loop, target.closes == 1 && source.closes == 1);
    assert_true(target.error == -ECONNRESET || target.error == -EPIPE);
    assert_int_equal(source.error, 0);
    end();
}

static void a_broken_pipe_is_an_error_of_the_target(void **state)
{
    (void)state;
    fault.err = EPIPE;
    fault.always = true;
    start(file_source(SIZE), stream_target());
    RUN_UNTIL(loop, target.closes == 1 && source.closes == 1);
    assert_int_equal(failure, -EPIPE);
    assert_int_equal(target.error, -EPIPE);
    assert_int_equal(source.got, SIZE);
    end();
}

static void a_peer_that_takes_nothing_meets_the_write_time_limit(void **state)
{
    (void)state;
    start(file_source(SIZE), stream_target());
    hio_set_write_timeout(target.io, 50);
    RUN_UNTIL(loop, target.closes == 1);
    assert_int_equal(target.error, -ETIMEDOUT);
    assert_int_equal(hio_write_bufsize(source.io), 0);
    assert_true(carried < SIZE);
    end();
}

static void a_blocked_file_costs_no_turn_of_the_loop(void **state)
{
    hloop_stats_t before, after;

    (void)state;
    start(file_source(SIZE), stream_target());
    RUN_UNTIL(loop, hio_write_above_high(target.io) && !hio_is_closed(target.io));
    settle(loop);
    hloop_stats(loop, &before);
    settle(loop);
    hloop_stats(loop, &after);
    assert_true(after.iterations - before.iterations <= 10);
    assert_int_equal(after.write_bytes, before.write_bytes);
    receive(SIZE);
    assert_true(target.drained > 0);
    end();
}

static void a_rate_of_either_side_limits_what_the_kernel_moves(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        hrate_t *rate = hrate_new(loop, 10000000, 20000);
        uint64_t start_ms = now_ms();
        hio_t *to = stream_target(), *from = file_source(300000);

        received_n = 0;
        assert_int_equal(i ? hio_set_write_rate(to, rate) : hio_set_read_rate(from, rate), 0);
        start(from, to);
        receive(300000);
        RUN_UNTIL(loop, source.closes == 1);
        assert_int_equal(source.reads, 0);
        assert_true(now_ms() - start_ms >= 27); /* 280,000 B behind the burst, at 10 MB/s */
        hio_close(to);
        RUN_UNTIL(loop, target.closes == 1);
        hrate_free(rate);
        if (i == 0)
            close(peer);
    }
    end();
}

static void what_is_queued_before_goes_before(void **state)
{
    char *data = new_pattern(SIZE);
    hio_t *to = stream_target(), *from = file_source(SIZE);
    size_t head = 2000000;

    (void)state;
    assert_int_equal(hio_write(to, data, head), head);
    assert_true(hio_write_bufsize(to) > 0);
    lseek(hio_fd(from), (off_t)head, SEEK_SET);
    start(from, to);
    receive(SIZE);
    assert_int_equal(carried, SIZE - head);
    free(data);
    end();
}

/* ---- a socket, by a buffer ------------------------------------------------------------------- */

static hio_t *socket_source(void)
{
    hio_t *from = observed_tcp(loop, &source, &feeder);

    fcntl(feeder, F_SETFL, O_RDWR | O_NONBLOCK);
    return from;
}

static size_t feed(const char *data, size_t from, size_t to)
{
    ssize_t n = from < to ? send(feeder, data + from, to - from, MSG_NOSIGNAL) : 0;

    return n > 0 ? (size_t)n : 0;
}

/* Feeds size bytes of the pattern and reads them at the other end. */
static void pass(size_t size)
{
    char *data = new_pattern(size);
    size_t fed = 0;
    bool eof = false;

    while (received_n < size && !eof) {
        fed += feed(data, fed, size);
        go_on(&eof);
    }
    free(data);
    receive(size);
}

static void a_stream_arrives_whole_past_the_read_callback(void **state)
{
    hio_t *to = stream_target(), *from = socket_source();

    (void)state;
    assert_false(hcarry_is_kernel(from, to));
    start(from, to);
    pass(SIZE);
    assert_int_equal(carried, SIZE);
    assert_int_equal(source.reads, 0);
    assert_true(target.drained > 0);
    shutdown(feeder, SHUT_WR);
    RUN_UNTIL(loop, source.closes == 1);
    assert_int_equal(source.error, 0);
    end();
}

static void a_buffer_exists_only_while_bytes_are_in_it(void **state)
{
    char *data = new_pattern(SIZE);
    oom_t count;
    long idle;
    size_t fed = 0;

    (void)state;
    oom_begin(&count, 0, false);
    start(socket_source(), stream_target());
    pass(1000);
    settle(loop);
    idle = count.live;
    received_n = 0;
    while (!hio_write_above_high(target.io)) {
        fed += feed(data, fed, SIZE);
        settle(loop);
    }
    fed += feed(data, fed, SIZE);
    settle(loop);
    assert_int_equal(count.live, idle + 2); /* the buffer, and its place in the queue */
    assert_true(hio_write_bufsize(target.io) <= 1 << 20);
    receive(fed);
    settle(loop);
    assert_int_equal(count.live, idle);
    end();
    oom_end();
    free(data);
}

static void a_small_queue_is_never_overrun(void **state)
{
    char *data = new_pattern(SIZE);
    hio_t *to = stream_target(), *from = socket_source();
    size_t head = 5000;

    (void)state;
    assert_int_equal(hio_set_max_write_bufsize(to, (uint32_t)head), 0);
    hio_cork(to);
    assert_int_equal(hio_write(to, data, head), head); /* the queue is full before */
    assert_true(feed(data, head, SIZE) > head);
    free(data);
    start(from, to);
    while (received_n < SIZE / 4 && failure == 0) {
        bool eof = false;

        go_on(&eof);
        assert_true(hio_write_bufsize(to) <= head);
    }
    assert_int_equal(failure, 0);
    receive(received_n);
    end();
}

static void an_error_of_the_target_is_told(void **state)
{
    hio_t *to = stream_target(), *from = socket_source();

    (void)state;
    assert_int_equal(hio_shutdown(to), 0);
    start(from, to);
    assert_int_equal(send(feeder, "x", 1, 0), 1);
    RUN_UNTIL(loop, failure != 0);
    assert_int_equal(failure, HERR_CLOSED);
    assert_true(hio_is_opened(from) && hio_is_opened(to));
    end();
}

static bool got_pattern(size_t n)
{
    return source.got == n;
}

static void another_read_callback_gets_the_bytes(void **state)
{
    hio_t *from = socket_source();

    (void)state;
    hio_setcb_read(from, NULL);
    start(from, stream_target());
    hio_setcb_read(from, seen_on_read);
    assert_int_equal(send(feeder, (char[]){pattern(0)}, 1, 0), 1);
    RUN_UNTIL(loop, got_pattern(1));
    assert_int_equal(calls, 0);
    end();
}

static void after_the_stop_bytes_go_to_the_read_callback(void **state)
{
    hio_t *from = socket_source();

    (void)state;
    hcarry_stop(from);
    start(from, stream_target());
    hcarry_stop(from);
    hcarry_stop(from);
    assert_int_equal(send(feeder, (char[]){pattern(0)}, 1, 0), 1);
    RUN_UNTIL(loop, got_pattern(1));
    end();
}

static void bytes_for_a_target_that_is_gone_go_to_the_read_callback(void **state)
{
    hio_t *to = stream_target();

    (void)state;
    start(socket_source(), to);
    hio_close(to);
    RUN_UNTIL(loop, target.closes == 1);
    assert_int_equal(send(feeder, (char[]){pattern(0)}, 1, 0), 1);
    RUN_UNTIL(loop, got_pattern(1));
    end();
}

static void abort_both(hio_t *from, hio_t *to, ssize_t n)
{
    (void)n;
    hio_abort(to, -EPROTO);
    hcarry_stop(from);
    hio_abort(from, -EPROTO);
}

static void the_callback_may_close_both(void **state)
{
    hio_t *from = socket_source();

    (void)state;
    assert_int_equal(hcarry_start(from, stream_target(), abort_both), 0);
    hio_read(from);
    assert_int_equal(send(feeder, "x", 1, 0), 1);
    RUN_UNTIL(loop, source.closes == 1 && target.closes == 1);
    assert_int_equal(source.error, -EPROTO);
    end();
}

static void datagrams_are_not_carried(void **state)
{
    struct sockaddr_in addr;
    hio_t *to = stream_target();
    hio_t *udp = observe(hio_get(loop, bound_socket(SOCK_DGRAM, &addr)), &source);

    (void)state;
    assert_int_equal(hcarry_start(udp, to, on_carried), -ENOTSUP);
    assert_int_equal(hcarry_start(to, udp, on_carried), -ENOTSUP);
    end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_file_arrives_whole_past_the_read_callback, carry_setup),
        cmocka_unit_test_setup(what_the_call_refuses_for_now_is_tried_again, carry_setup),
        cmocka_unit_test_setup(a_file_that_the_kernel_refuses_goes_to_the_read_callback,
                               carry_setup),
        cmocka_unit_test_setup(a_peer_that_is_gone_fails_the_carry_and_closes, carry_setup),
        cmocka_unit_test_setup(a_broken_pipe_is_an_error_of_the_target, carry_setup),
        cmocka_unit_test_setup(a_peer_that_takes_nothing_meets_the_write_time_limit, carry_setup),
        cmocka_unit_test_setup(a_blocked_file_costs_no_turn_of_the_loop, carry_setup),
        cmocka_unit_test_setup(a_rate_of_either_side_limits_what_the_kernel_moves, carry_setup),
        cmocka_unit_test_setup(what_is_queued_before_goes_before, carry_setup),
        cmocka_unit_test_setup(a_stream_arrives_whole_past_the_read_callback, carry_setup),
        cmocka_unit_test_setup(a_buffer_exists_only_while_bytes_are_in_it, carry_setup),
        cmocka_unit_test_setup(a_small_queue_is_never_overrun, carry_setup),
        cmocka_unit_test_setup(an_error_of_the_target_is_told, carry_setup),
        cmocka_unit_test_setup(another_read_callback_gets_the_bytes, carry_setup),
        cmocka_unit_test_setup(after_the_stop_bytes_go_to_the_read_callback, carry_setup),
        cmocka_unit_test_setup(bytes_for_a_target_that_is_gone_go_to_the_read_callback,
                               carry_setup),
        cmocka_unit_test_setup(the_callback_may_close_both, carry_setup),
        cmocka_unit_test_setup(datagrams_are_not_carried, carry_setup),
    };

    return run_on_each_poller("hcarry", tests, ARRAY_LENGTH(tests));
}
