/* One thread. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "carry_test.h"
#include "event/hio_ops.h"

/* ---- the system calls that can be made to fail (test_hcarry_pipe.wrap) ----------------------- */

static bool is_remote; /* the peer is said to be elsewhere */

ssize_t __real_splice(int from, off_t *off_from, int to, off_t *off_to, size_t len, unsigned flags);
ssize_t __wrap_splice(int from, off_t *off_from, int to, off_t *off_to, size_t len, unsigned flags);
int __real_getpeername(int fd, struct sockaddr *addr, socklen_t *len);
int __wrap_getpeername(int fd, struct sockaddr *addr, socklen_t *len);

/* NOLINTNEXTLINE(readability-function-size): the system call's signature */
ssize_t __wrap_splice(int from, off_t *off_from, int to, off_t *off_to, size_t len, unsigned flags)
{
    return call_fails() ? -1 : __real_splice(from, off_from, to, off_to, call_len(len), flags);
}

int __wrap_getpeername(int fd, struct sockaddr *addr, socklen_t *len)
{
    int rc = __real_getpeername(fd, addr, len);

    if (rc == 0 && is_remote)
        ((struct sockaddr_in *)addr)->sin_addr.s_addr = htonl(0xc0000201); /* 192.0.2.1 */
    return rc;
}

static int setup(void **state)
{
    is_remote = false;
    return carry_setup(state);
}

/* ---- from a pipe ----------------------------------------------------------------------------- */

static hio_t *pipe_source(void)
{
    int fds[2];

    assert_int_equal(pipe2(fds, O_NONBLOCK | O_CLOEXEC), 0);
    feeder = fds[1];
    return observe(hio_get(loop, fds[0]), &source);
}

/* Writes the pattern to the pipe, piece by piece, and reads it at the other end. */
static void pipe_through(size_t size, size_t piece)
{
    char *data = new_pattern(size);
    size_t written = 0;
    bool eof = false;

    while (received_n < size && !eof) {
        size_t n = size - written < piece ? size - written : piece;
        ssize_t rc = written < size ? write(feeder, data + written, n) : 0;

        written += rc > 0 ? (size_t)rc : 0;
        go_on(&eof);
    }
    free(data);
    receive(size);
}

static void a_pipe_that_brings_much_is_moved_by_the_kernel(void **state)
{
    hio_t *to = stream_target(), *from = pipe_source();
    hloop_stats_t before, after;

    (void)state;
    assert_true(hcarry_is_kernel(from, to));
    hloop_stats(loop, &before);
    start(from, to);
    pipe_through(SIZE, SIZE);
    assert_true(fault.n > 10);
    assert_int_equal(source.reads, 0);
    assert_int_equal(carried, SIZE);
    hloop_stats(loop, &after);
    assert_int_equal(after.read_bytes - before.read_bytes, SIZE);
    assert_int_equal(after.write_bytes - before.write_bytes, SIZE);
    close(feeder);
    feeder = -1;
    RUN_UNTIL(loop, source.closes == 1);
    assert_int_equal(source.error, 0);
    end();
}

static void little_from_a_pipe_is_copied(void **state)
{
    (void)state;
    start(pipe_source(), stream_target());
    pipe_through(10000, 100);
    assert_int_equal(fault.n, 0);
    assert_int_equal(source.reads, 0);
    assert_int_equal(carried, 10000);
    end();
}

static void little_behind_much_is_copied_again(void **state)
{
    int n;

    (void)state;
    start(pipe_source(), stream_target());
    pipe_through(100000, 50000);
    n = fault.n;
    assert_true(n > 0);
    for (int i = 0; i < 10; i++) {
        assert_int_equal(write(feeder, "little", 6), 6);
        while (carried < 100000 + (size_t)(i + 1) * 6)
            settle(loop);
    }
    assert_true(fault.n <= n + 1);
    end();
}

/* Nobody is kept waiting for a socket that takes all there is. */
static void an_empty_pipe_is_not_a_full_socket(void **state)
{
    hio_t *to = stream_target(), *from = pipe_source();

    (void)state;
    start(from, to);
    pipe_through(50000, 50000);
    fault.err = EAGAIN;
    fault.always = true;
    assert_int_equal(hio_send_from(from, to, 1000), -EAGAIN);
    assert_false(hio_write_above_high(to));
    assert_int_equal(write(feeder, "x", 1), 1);
    assert_int_equal(hio_send_from(from, to, 1000), -EAGAIN);
    assert_true(hio_write_above_high(to));
    end();
}

static void what_the_kernel_refuses_of_a_pipe_for_now_is_tried_again(void **state)
{
    static const int errors[] = {EAGAIN, EINTR};

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(errors); i++) {
        hio_t *to = stream_target();

        received_n = 0;
        fault.err = errors[i];
        fault.at_most = 20000;
        start(pipe_source(), to);
        pipe_through(SIZE, SIZE);
        close(feeder);
        RUN_UNTIL(loop, source.closes == 1);
        assert_int_equal(source.reads, 0);
        hio_close(to);
        RUN_UNTIL(loop, target.closes == 1);
        if (i + 1 < ARRAY_LENGTH(errors))
            close(peer);
    }
    feeder = -1;
    end();
}

static void a_pipe_that_the_kernel_refuses_goes_to_the_read_callback(void **state)
{
    char *data = new_pattern(50000);

    (void)state;
    fault.err = EINVAL;
    fault.always = true;
    start(pipe_source(), stream_target());
    assert_int_equal(write(feeder, data, 50000), 50000);
    while (carried < 50000)
        settle(loop);
    assert_int_equal(write(feeder, data, 50000), 50000);
    RUN_UNTIL(loop, source.got == 50000);
    assert_false(source.mangled);
    assert_int_equal(fault.n, 1);
    free(data);
    end();
}

/* What leaves the machine is not: there it is the network that sets the pace. */
static void to_a_paced_socket_of_the_same_machine_all_is_copied(void **state)
{
    hio_t *to = stream_target(), *from = pipe_source();

    (void)state;
    congestion = "bbr";
    assert_false(hcarry_is_kernel(from, to));
    start(from, to);
    pipe_through(SIZE, SIZE);
    assert_int_equal(fault.n, 0);
    assert_int_equal(carried, SIZE);
    is_remote = true;
    assert_true(hcarry_is_kernel(from, to));
    end();
}

/* The kernel would raise it, and a program that relays does not expect that. */
static void where_sigpipe_is_not_ignored_all_is_copied(void **state)
{
    hio_t *to = stream_target(), *from = pipe_source();

    (void)state;
    signal(SIGPIPE, SIG_DFL);
    assert_false(hcarry_is_kernel(from, to));
    start(from, to);
    signal(SIGPIPE, SIG_IGN);
    pipe_through(SIZE, SIZE);
    assert_int_equal(fault.n, 0);
    end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_pipe_that_brings_much_is_moved_by_the_kernel, setup),
        cmocka_unit_test_setup(little_from_a_pipe_is_copied, setup),
        cmocka_unit_test_setup(little_behind_much_is_copied_again, setup),
        cmocka_unit_test_setup(an_empty_pipe_is_not_a_full_socket, setup),
        cmocka_unit_test_setup(what_the_kernel_refuses_of_a_pipe_for_now_is_tried_again, setup),
        cmocka_unit_test_setup(a_pipe_that_the_kernel_refuses_goes_to_the_read_callback, setup),
        cmocka_unit_test_setup(where_sigpipe_is_not_ignored_all_is_copied, setup),
        cmocka_unit_test_setup(to_a_paced_socket_of_the_same_machine_all_is_copied, setup),
    };

    return run_on_each_poller("hcarry_pipe", tests, ARRAY_LENGTH(tests));
}
