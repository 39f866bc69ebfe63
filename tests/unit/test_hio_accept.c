/* One thread. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "loop_test.h"

#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#define CONNECTIONS 50

/* System calls (test_hio_accept.wrap), while they are counted. */
static int system_calls;
static bool counting;

int __real_accept4(int fd, struct sockaddr *addr, socklen_t *len, int flags);
int __wrap_accept4(int fd, struct sockaddr *addr, socklen_t *len, int flags);
int __real_epoll_ctl(int fd, int op, int target, struct epoll_event *event);
int __wrap_epoll_ctl(int fd, int op, int target, struct epoll_event *event);
int __real_setsockopt(int fd, int level, int name, const void *value, socklen_t len);
int __wrap_setsockopt(int fd, int level, int name, const void *value, socklen_t len);
int __real_getsockopt(int fd, int level, int name, void *value, socklen_t *len);
int __wrap_getsockopt(int fd, int level, int name, void *value, socklen_t *len);
int __real_getsockname(int fd, struct sockaddr *addr, socklen_t *len);
int __wrap_getsockname(int fd, struct sockaddr *addr, socklen_t *len);
int __real_getpeername(int fd, struct sockaddr *addr, socklen_t *len);
int __wrap_getpeername(int fd, struct sockaddr *addr, socklen_t *len);
int __real_fcntl(int fd, int command, ...);
int __wrap_fcntl(int fd, int command, ...);
int __real_ioctl(int fd, unsigned long request, ...);
int __wrap_ioctl(int fd, unsigned long request, ...);
int __real_fstat(int fd, struct stat *st);
int __wrap_fstat(int fd, struct stat *st);

int __wrap_accept4(int fd, struct sockaddr *addr, socklen_t *len, int flags)
{
    system_calls += counting;
    return __real_accept4(fd, addr, len, flags);
}

int __wrap_epoll_ctl(int fd, int op, int target, struct epoll_event *event)
{
    system_calls += counting;
    return __real_epoll_ctl(fd, op, target, event);
}

int __wrap_setsockopt(int fd, int level, int name, const void *value, socklen_t len)
{
    system_calls += counting;
    return __real_setsockopt(fd, level, name, value, len);
}

int __wrap_getsockopt(int fd, int level, int name, void *value, socklen_t *len)
{
    system_calls += counting;
    return __real_getsockopt(fd, level, name, value, len);
}

int __wrap_getsockname(int fd, struct sockaddr *addr, socklen_t *len)
{
    system_calls += counting;
    return __real_getsockname(fd, addr, len);
}

int __wrap_getpeername(int fd, struct sockaddr *addr, socklen_t *len)
{
    system_calls += counting;
    return __real_getpeername(fd, addr, len);
}

int __wrap_fcntl(int fd, int command, ...)
{
    va_list args;
    long arg;

    va_start(args, command);
    arg = va_arg(args, long);
    va_end(args);
    system_calls += counting;
    return __real_fcntl(fd, command, arg);
}

int __wrap_ioctl(int fd, unsigned long request, ...)
{
    va_list args;
    void *arg;

    va_start(args, request);
    arg = va_arg(args, void *);
    va_end(args);
    system_calls += counting;
    return __real_ioctl(fd, request, arg);
}

int __wrap_fstat(int fd, struct stat *st)
{
    system_calls += counting;
    return __real_fstat(fd, st);
}

/* ---- accepting ------------------------------------------------------------------------------ */

static hio_t *accepted[CONNECTIONS];
static int accepted_n;

static void on_accept(hio_t *io)
{
    if (accepted_n < CONNECTIONS)
        accepted[accepted_n] = io;
    accepted_n++;
    hio_read(io);
}

static int setup(void **state)
{
    accepted_n = 0;
    return loop_test_setup(state);
}

static hio_t *listen_on(hloop_t *loop, struct sockaddr_in *addr)
{
    hio_t *io = haccept(loop, bound_socket(SOCK_STREAM | SOCK_NONBLOCK, addr), on_accept);

    assert_non_null(io);
    return io;
}

/* Nine in the model. Here it is the accept itself and the poller's, and one
 * accept more at the end that finds nobody. */
static void an_accept_costs_two_system_calls(void **state)
{
    hloop_t *loop = new_loop();
    struct sockaddr_in addr;
    int fds[CONNECTIONS], most;

    (void)state;
    listen_on(loop, &addr);
    settle(loop);
    for (int i = 0; i < CONNECTIONS; i++)
        fds[i] = plain_connect(&addr);
    system_calls = 0;
    counting = true;
    RUN_UNTIL(loop, accepted_n == CONNECTIONS);
    settle(loop); /* tells the poller */
    counting = false;
    most = strcmp(test_poller, "epoll") == 0 ? 2 * CONNECTIONS + 2 : CONNECTIONS + 2;
    assert_true(system_calls >= CONNECTIONS);
    assert_true(system_calls <= most);
    hloop_free(&loop);
    for (int i = 0; i < CONNECTIONS; i++)
        close(fds[i]);
}

static void addresses_are_looked_up_when_asked_for_and_once(void **state)
{
    hloop_t *loop = new_loop();
    struct sockaddr_in addr, own;
    socklen_t len = sizeof(own);
    int fd;

    (void)state;
    listen_on(loop, &addr);
    fd = plain_connect(&addr);
    RUN_UNTIL(loop, accepted_n == 1);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&own, &len), 0);
    system_calls = 0;
    counting = true;
    for (int i = 0; i < 3; i++) {
        assert_memory_equal(hio_peeraddr(accepted[0]), &own, sizeof(own));
        assert_memory_equal(hio_localaddr(accepted[0]), &addr, sizeof(addr));
    }
    counting = false;
    assert_int_equal(system_calls, 2);
    hloop_free(&loop);
    close(fd);
}

static void on_accept_close(hio_t *io)
{
    hio_t *listener = hevent_userdata(io);

    on_accept(io);
    hio_close(listener);
}

static void a_listener_may_close_while_accepting(void **state)
{
    hloop_t *loop = new_loop();
    struct sockaddr_in addr;
    hio_t *listener = listen_on(loop, &addr);
    int fds[5];

    (void)state;
    hio_setcb_accept(listener, on_accept_close);
    hevent_set_userdata(listener, listener); /* accepted ones inherit it */
    for (int i = 0; i < 5; i++)
        fds[i] = plain_connect(&addr);
    RUN_UNTIL(loop, accepted_n == 1);
    settle(loop);
    assert_int_equal(accepted_n, 1);
    assert_int_equal(hloop_nios(loop), 1);
    hloop_free(&loop);
    for (int i = 0; i < 5; i++)
        close(fds[i]);
}

static void a_listener_that_stops_reading_accepts_later(void **state)
{
    hloop_t *loop = new_loop();
    struct sockaddr_in addr;
    hio_t *listener = listen_on(loop, &addr);
    int fd;

    (void)state;
    hio_read_stop(listener);
    fd = plain_connect(&addr);
    settle(loop);
    assert_int_equal(accepted_n, 0);
    hio_read(listener);
    RUN_UNTIL(loop, accepted_n == 1);
    hloop_free(&loop);
    close(fd);
}

static void those_who_wait_are_accepted_before_a_listener_closes(void **state)
{
    hloop_t *loop = new_loop();
    struct sockaddr_in addr;
    hio_t *listener = listen_on(loop, &addr);
    int fds[CONNECTIONS];

    (void)state;
    settle(loop);
    for (int i = 0; i < CONNECTIONS; i++)
        fds[i] = plain_connect(&addr);
    hio_accept_waiting(listener);
    assert_int_equal(accepted_n, CONNECTIONS);
    hio_accept_waiting(accepted[0]); /* no listener */
    hio_close(listener);
    hio_accept_waiting(listener);
    settle(loop);
    assert_int_equal(hloop_nios(loop), CONNECTIONS);
    hloop_free(&loop);
    for (int i = 0; i < CONNECTIONS; i++)
        close(fds[i]);
}

static void accepted_sockets_are_ready_to_use(void **state)
{
    hloop_t *loop = new_loop();
    struct sockaddr_in addr;
    int one = 0, fd;
    socklen_t len = sizeof(one);

    (void)state;
    listen_on(loop, &addr);
    fd = plain_connect(&addr);
    RUN_UNTIL(loop, accepted_n == 1);
    assert_int_equal(hio_type(accepted[0]), HIO_TYPE_TCP);
    assert_int_equal(getsockopt(hio_fd(accepted[0]), IPPROTO_TCP, TCP_NODELAY, &one, &len), 0);
    assert_true(one != 0);
    assert_true(fcntl(hio_fd(accepted[0]), F_GETFD) & FD_CLOEXEC);
    assert_true(fcntl(hio_fd(accepted[0]), F_GETFL) & O_NONBLOCK);
    hloop_free(&loop);
    close(fd);
}

static int reads_n;

static void on_read_close(hio_t *io, void *buf, int len)
{
    (void)buf;
    reads_n += len == 1;
    hio_close(io);
}

static void on_accept_read(hio_t *io)
{
    on_accept(io);
    hio_setcb_read(io, on_read_close);
}

/* A connection of one message: the accept, and one more at the end that finds nobody. */
static void first_bytes_are_read_without_the_poller(void **state)
{
    hloop_t *loop = new_loop();
    struct sockaddr_in addr;
    int fds[CONNECTIONS], second = 1;
    int listener = bound_socket(SOCK_STREAM | SOCK_NONBLOCK, &addr);

    (void)state;
    reads_n = 0;
    assert_int_equal(setsockopt(listener, IPPROTO_TCP, TCP_DEFER_ACCEPT, &second, sizeof(second)),
                     0);
    assert_non_null(haccept(loop, listener, on_accept_read));
    settle(loop);
    for (int i = 0; i < CONNECTIONS; i++) {
        fds[i] = plain_connect(&addr);
        assert_int_equal(write(fds[i], "x", 1), 1);
    }
    system_calls = 0;
    counting = true;
    RUN_UNTIL(loop, reads_n == CONNECTIONS);
    settle(loop);
    counting = false;
    assert_int_equal(accepted_n, CONNECTIONS);
    assert_true(system_calls <= CONNECTIONS + 2);
    hloop_free(&loop);
    for (int i = 0; i < CONNECTIONS; i++)
        close(fds[i]);
}

/* Who says nothing is accepted too, a second later, and waits for its bytes as others do. */
static void a_silent_connection_is_accepted_in_the_end(void **state)
{
    hloop_t *loop = new_loop();
    struct sockaddr_in addr;
    int listener = bound_socket(SOCK_STREAM | SOCK_NONBLOCK, &addr), second = 1, fd;

    (void)state;
    reads_n = 0;
    assert_int_equal(setsockopt(listener, IPPROTO_TCP, TCP_DEFER_ACCEPT, &second, sizeof(second)),
                     0);
    assert_non_null(haccept(loop, listener, on_accept_read));
    fd = plain_connect(&addr);
    RUN_UNTIL(loop, accepted_n == 1);
    settle(loop);
    assert_int_equal(reads_n, 0);
    assert_int_equal(write(fd, "x", 1), 1);
    RUN_UNTIL(loop, reads_n == 1);
    hloop_free(&loop);
    close(fd);
}

#define TEST(f) cmocka_unit_test_setup(f, setup)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_accept_costs_two_system_calls),
        TEST(addresses_are_looked_up_when_asked_for_and_once),
        TEST(a_listener_may_close_while_accepting),
        TEST(a_listener_that_stops_reading_accepts_later),
        TEST(those_who_wait_are_accepted_before_a_listener_closes),
        TEST(accepted_sockets_are_ready_to_use),
        TEST(first_bytes_are_read_without_the_poller),
        TEST(a_silent_connection_is_accepted_in_the_end),
    };

    return run_on_each_poller("hio accepting", tests, ARRAY_LENGTH(tests));
}
