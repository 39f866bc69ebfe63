#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "loop_test.h"

#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/uio.h>

/* ---- the system calls that can be made to fail (test_hio_fault.wrap) ------------------------- */

enum { RECV, SEND, SENDMSG, READ, WRITEV, ACCEPT, WAIT, CTL, RECVMMSG, SENDMMSG, CALLS };

static struct {
    int err;        /* what it fails with; 0: it does not */
    int every;      /* the call out of so many that fails; 1: each */
    int after;      /* so many succeed first */
    size_t at_most; /* bytes it moves; 0: as asked */
    int n;
} faults[CALLS];
static bool faults_on;

static bool fails(int call)
{
    if (!faults_on || faults[call].err == 0)
        return false;
    if (faults[call].after > 0) {
        faults[call].after--;
        return false;
    }
    if (++faults[call].n % faults[call].every != 0)
        return false;
    errno = faults[call].err;
    return true;
}

static size_t shortened(int call, size_t len)
{
    size_t most = faults[call].at_most;

    return faults_on && most && len > most ? most : len;
}

ssize_t __real_recv(int fd, void *buf, size_t len, int flags);
ssize_t __wrap_recv(int fd, void *buf, size_t len, int flags);
ssize_t __real_send(int fd, const void *buf, size_t len, int flags);
ssize_t __wrap_send(int fd, const void *buf, size_t len, int flags);
ssize_t __real_sendmsg(int fd, const struct msghdr *msg, int flags);
ssize_t __wrap_sendmsg(int fd, const struct msghdr *msg, int flags);
ssize_t __real_read(int fd, void *buf, size_t len);
ssize_t __wrap_read(int fd, void *buf, size_t len);
ssize_t __real_writev(int fd, const struct iovec *iov, int n);
ssize_t __wrap_writev(int fd, const struct iovec *iov, int n);
int __real_accept4(int fd, struct sockaddr *addr, socklen_t *len, int flags);
int __wrap_accept4(int fd, struct sockaddr *addr, socklen_t *len, int flags);
int __real_epoll_wait(int fd, struct epoll_event *events, int max, int timeout_ms);
int __wrap_epoll_wait(int fd, struct epoll_event *events, int max, int timeout_ms);
int __real_epoll_ctl(int fd, int op, int target, struct epoll_event *event);
int __wrap_epoll_ctl(int fd, int op, int target, struct epoll_event *event);
int __real_recvmmsg(int fd, struct mmsghdr *msgs, unsigned n, int flags, struct timespec *ts);
int __wrap_recvmmsg(int fd, struct mmsghdr *msgs, unsigned n, int flags, struct timespec *ts);
int __real_sendmmsg(int fd, struct mmsghdr *msgs, unsigned n, int flags);
int __wrap_sendmmsg(int fd, struct mmsghdr *msgs, unsigned n, int flags);

ssize_t __wrap_recv(int fd, void *buf, size_t len, int flags)
{
    return fails(RECV) ? -1 : __real_recv(fd, buf, shortened(RECV, len), flags);
}

ssize_t __wrap_send(int fd, const void *buf, size_t len, int flags)
{
    return fails(SEND) ? -1 : __real_send(fd, buf, shortened(SEND, len), flags);
}

ssize_t __wrap_sendmsg(int fd, const struct msghdr *msg, int flags)
{
    struct iovec first = msg->msg_iov[0];

    if (fails(SENDMSG))
        return -1;
    if (!faults_on || !faults[SENDMSG].at_most)
        return __real_sendmsg(fd, msg, flags);
    return __real_send(fd, first.iov_base, shortened(SENDMSG, first.iov_len), flags);
}

ssize_t __wrap_read(int fd, void *buf, size_t len)
{
    return fails(READ) ? -1 : __real_read(fd, buf, len == 8 ? len : shortened(READ, len));
}

ssize_t __wrap_writev(int fd, const struct iovec *iov, int n)
{
    struct iovec first = iov[0];

    if (fails(WRITEV))
        return -1;
    if (!faults_on || !faults[WRITEV].at_most)
        return __real_writev(fd, iov, n);
    first.iov_len = shortened(WRITEV, first.iov_len);
    return __real_writev(fd, &first, 1);
}

int __wrap_accept4(int fd, struct sockaddr *addr, socklen_t *len, int flags)
{
    return fails(ACCEPT) ? -1 : __real_accept4(fd, addr, len, flags);
}

int __wrap_epoll_wait(int fd, struct epoll_event *events, int max, int timeout_ms)
{
    return fails(WAIT) ? -1 : __real_epoll_wait(fd, events, max, timeout_ms);
}

int __wrap_epoll_ctl(int fd, int op, int target, struct epoll_event *event)
{
    return fails(CTL) ? -1 : __real_epoll_ctl(fd, op, target, event);
}

int __wrap_recvmmsg(int fd, struct mmsghdr *msgs, unsigned n, int flags, struct timespec *ts)
{
    return fails(RECVMMSG) ? -1 : __real_recvmmsg(fd, msgs, n, flags, ts);
}

int __wrap_sendmmsg(int fd, struct mmsghdr *msgs, unsigned n, int flags)
{
    return fails(SENDMMSG) ? -1
                           : __real_sendmmsg(fd, msgs, (unsigned)shortened(SENDMMSG, n), flags);
}

/* ---- an echo, all of it on one loop ---------------------------------------------------------- */

static hloop_t *loop;
static struct sockaddr_in addr;
static seen_t seen, served;
static int accepted_n;
static hio_t *listener;

static void on_echo(hio_t *io, void *buf, int len)
{
    hio_write(io, buf, (size_t)len); /* the close callback tells if that fails */
}

static void on_accept(hio_t *io)
{
    accepted_n++;
    observe(io, &served);
    hio_setcb_read(io, on_echo);
    hio_read(io);
}

static int setup(void **state)
{
    loop_test_setup(state);
    memset(faults, 0, sizeof(faults));
    faults_on = false;
    accepted_n = 0;
    memset(&served, 0, sizeof(served));
    loop = new_loop();
    listener = haccept(loop, bound_socket(SOCK_STREAM | SOCK_NONBLOCK, &addr), on_accept);
    return 0;
}

static void set_fault(int call, int err, int every)
{
    faults[call].err = err;
    faults[call].every = every;
    faults[call].n = 0;
    faults_on = true;
}

static void finish(void)
{
    faults_on = false;
    hloop_free(&loop);
}

static hio_t *start_client(void)
{
    hio_t *io = observed_client(loop, &seen, &addr, sizeof(addr));

    assert_int_equal(hio_connect(io), 0);
    hio_read(io);
    return io;
}

/* Sends size bytes in pieces of all kinds and wants them back unharmed. */
static void assert_echo_works(size_t size)
{
    char *data = new_pattern(size);
    hio_t *io = start_client();

    for (size_t at = 0, len = 1; at < size; at += len, len = len * 5 % 4099 + 1) {
        hbuf_t halves[2];

        if (len > size - at)
            len = size - at;
        halves[0] = (hbuf_t){data + at, len / 2};
        halves[1] = (hbuf_t){data + at + len / 2, len - len / 2};
        assert_int_equal(hio_writev(io, halves, 2), len);
        if (at % 3 == 0)
            assert_int_equal(hloop_run(loop), 0);
    }
    RUN_UNTIL(loop, seen.got == size || seen.closes);
    assert_int_equal(seen.closes, 0);
    assert_int_equal(seen.got, size);
    assert_false(seen.mangled);
    hio_close(io);
    RUN_UNTIL(loop, seen.closes == 1 && served.closes == 1);
    assert_int_equal(seen.error, 0);
    assert_int_equal(served.error, 0);
    free(data);
}

static void assert_echo_survives(int err)
{
    static const int calls[] = {RECV, SEND, SENDMSG, ACCEPT, READ};

    for (int every = 2; every <= 3; every++) {
        for (size_t i = 0; i < ARRAY_LENGTH(calls); i++)
            set_fault(calls[i], err, every);
        assert_echo_works(100000);
    }
}

static void eagain_is_waited_out(void **state)
{
    (void)state;
    assert_echo_survives(EAGAIN);
    finish();
}

static void eintr_is_tried_again(void **state)
{
    (void)state;
    assert_echo_survives(EINTR);
    finish();
}

static void reads_and_writes_of_one_byte_are_put_together(void **state)
{
    (void)state;
    faults_on = true;
    faults[RECV].at_most = 1;
    assert_echo_works(5000);
    faults[RECV].at_most = 0;
    faults[SEND].at_most = faults[SENDMSG].at_most = 1;
    assert_echo_works(5000);
    faults[RECV].at_most = 7;
    faults[SEND].at_most = faults[SENDMSG].at_most = 3;
    set_fault(SENDMSG, EAGAIN, 2);
    assert_echo_works(5000);
    finish();
}

static void pipes_survive_the_same(void **state)
{
    char *data = new_pattern(20000);
    hio_t *ends[2];
    seen_t out;

    (void)state;
    for (int round = 0; round < 3; round++) {
        memset(faults, 0, sizeof(faults));
        faults[READ].at_most = faults[WRITEV].at_most = round == 2 ? 1 : 100;
        set_fault(READ, round == 0 ? EAGAIN : EINTR, 3);
        set_fault(WRITEV, round == 0 ? EAGAIN : EINTR, 3);
        assert_int_equal(hio_create_pipe(loop, ends), 0);
        observe(ends[0], &seen);
        observe(ends[1], &out);
        hio_read(ends[0]);
        assert_int_equal(hio_write(ends[1], data, 20000), 20000);
        hio_close(ends[1]);
        RUN_UNTIL(loop, seen.closes == 1 && out.closes == 1);
        assert_int_equal(seen.got, 20000);
        assert_false(seen.mangled);
        assert_int_equal(seen.error + out.error, 0);
    }
    finish();
    free(data);
}

static void datagrams_survive_the_same(void **state)
{
    static const int errs[] = {EAGAIN, EINTR};
    struct sockaddr_in own;
    hio_t *io = observe(hio_get(loop, bound_socket(SOCK_DGRAM, &own)), &seen);
    int fd = bound_socket(SOCK_DGRAM, &(struct sockaddr_in){0});
    char byte;

    (void)state;
    hio_setcb_read(io, on_echo);
    hio_read(io);
    for (size_t i = 0; i < ARRAY_LENGTH(errs); i++) {
        set_fault(RECVMMSG, errs[i], 2);
        set_fault(SENDMMSG, errs[i], 2);
        set_fault(SENDMSG, errs[i], 2);
        faults[SENDMMSG].at_most = 1; /* it takes one of many */
        for (int j = 0; j < 10; j++)
            assert_int_equal(sendto(fd, "x", 1, 0, (struct sockaddr *)&own, sizeof(own)), 1);
        for (int j = 0; j < 10;) {
            hloop_wakeup(loop);
            assert_int_equal(hloop_run(loop), 0);
            faults_on = false;
            if (recv(fd, &byte, 1, MSG_DONTWAIT) == 1)
                j++;
            faults_on = true;
        }
    }
    set_fault(SENDMSG, ENOBUFS, 1); /* a direct send tells its error, and nothing else happens */
    assert_int_equal(hio_sendto(io, "x", 1, (struct sockaddr *)&own, sizeof(own)), -ENOBUFS);
    settle(loop);
    assert_int_equal(seen.closes, 0);
    finish();
    close(fd);
}

/* ---- errors that end a connection tell their cause ------------------------------------------- */

static void a_read_that_fails_tells_why(void **state)
{
    static const int errs[] = {ENOMEM, ENOBUFS, ETIMEDOUT, EHOSTUNREACH, ECONNRESET};

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(errs); i++) {
        hio_t *io = start_client();

        RUN_UNTIL(loop, accepted_n == (int)i + 1 && seen.connects == 1);
        set_fault(RECV, errs[i], 1);
        hio_write(io, "x", 1);
        RUN_UNTIL(loop, served.closes == 1);
        assert_int_equal(served.error, -errs[i]);
        faults_on = false;
        hio_close(io);
        RUN_UNTIL(loop, seen.closes == 1);
    }
    finish();
}

static void a_write_that_fails_tells_why(void **state)
{
    static const int errs[] = {ENOMEM, ENOBUFS, ETIMEDOUT, EHOSTUNREACH, ECONNRESET, EPIPE};

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(errs); i++) {
        hio_t *io = start_client();

        RUN_UNTIL(loop, seen.connects == 1);
        set_fault(SEND, errs[i], 1);
        assert_int_equal(hio_write(io, "x", 1), -errs[i]);
        assert_int_equal(hio_write(io, "x", 1), HERR_CLOSED);
        if (errs[i] == ECONNRESET || errs[i] == EPIPE)
            hio_close(io); /* else what the peer still sends is waited for */
        RUN_UNTIL(loop, seen.closes == 1);
        assert_int_equal(seen.error, -errs[i]);
        faults_on = false;
    }
    finish();
}

static void a_queued_write_that_fails_tells_why(void **state)
{
    hio_t *io = start_client();

    (void)state;
    RUN_UNTIL(loop, seen.connects == 1);
    set_fault(SEND, EAGAIN, 1);
    assert_int_equal(hio_write(io, "x", 1), 1);
    set_fault(SEND, EHOSTUNREACH, 1);
    RUN_UNTIL(loop, seen.closes == 1);
    assert_int_equal(seen.error, -EHOSTUNREACH);
    finish();
}

static void a_poller_that_refuses_a_descriptor_closes_it(void **state)
{
    int fds[2];
    hio_t *io;

    (void)state;
    if (strcmp(test_poller, "epoll") == 0) {
        settle(loop);
        tcp_pair(fds);
        io = observe(hio_get(loop, fds[0]), &seen);
        set_fault(CTL, ENOSPC, 1);
        hio_read(io);
        RUN_UNTIL(loop, seen.closes == 1);
        assert_int_equal(seen.error, -ENOSPC);
        close(fds[1]);
    }
    finish();
}

static void a_wait_that_fails_ends_the_run(void **state)
{
    (void)state;
    if (strcmp(test_poller, "epoll") == 0) {
        set_fault(WAIT, EBADF, 1);
        assert_int_equal(hloop_run(loop), -EBADF);
        set_fault(WAIT, EINTR, 2);
        assert_echo_works(1000);
    }
    finish();
}

static void on_post(hevent_t *ev)
{
    ++*(int *)hevent_userdata(ev);
}

/* They are collected before the wait: the next run runs them, or the loop frees their messages. */
static void a_wait_that_fails_loses_no_post(void **state)
{
    int run_n = 0;
    hevent_t ev = {.cb = on_post, .userdata = &run_n};

    (void)state;
    if (strcmp(test_poller, "epoll") == 0) {
        settle(loop);
        assert_int_equal(hloop_post_event(loop, &ev), 0);
        set_fault(WAIT, EBADF, 1);
        assert_int_equal(hloop_run(loop), -EBADF);
        assert_int_equal(run_n, 0);
        faults_on = false;
        RUN_UNTIL(loop, run_n == 1); /* nothing else is ready: it alone keeps the loop awake */
        set_fault(WAIT, EINTR, 2);
        assert_echo_works(1000);
        assert_int_equal(hio_handle_close((hio_handle_t){loop, 0}, NULL, NULL), 0);
        set_fault(WAIT, EBADF, 1);
        assert_int_equal(hloop_run(loop), -EBADF);
    }
    finish();
}

/* ---- signals that interrupt the wait --------------------------------------------------------- */

static void on_nothing(int signo)
{
    (void)signo;
}

static pthread_t main_thread;

static void *pester(void *arg)
{
    for (int i = 0; i < 50; i++) {
        struct timespec ts = {0, 500000};

        nanosleep(&ts, NULL);
        pthread_kill(main_thread, SIGUSR2);
    }
    hloop_wakeup(arg);
    return NULL;
}

static void on_timer(htimer_t *timer)
{
    *(bool *)hevent_userdata(timer) = true;
}

static void an_interrupted_wait_goes_on(void **state)
{
    struct sigaction action = {.sa_handler = on_nothing};
    uint64_t start = htime_monotonic_ns();
    bool fired = false;
    pthread_t thread;

    (void)state;
    main_thread = pthread_self();
    sigaction(SIGUSR2, &action, NULL);
    hevent_set_userdata(htimer_add(loop, on_timer, 20, 1), &fired);
    assert_int_equal(pthread_create(&thread, NULL, pester, loop), 0);
    RUN_UNTIL(loop, fired);
    assert_true(htime_monotonic_ns() - start >= 20 * HTIME_NS_PER_MS);
    pthread_join(thread, NULL);
    signal(SIGUSR2, SIG_DFL);
    finish();
}

/* ---- accepting in need ----------------------------------------------------------------------- */

static void connections_lost_before_the_accept_are_passed_over(void **state)
{
    static const int errs[] = {ECONNABORTED, EPROTO, EPERM, EINTR, ENETDOWN};

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(errs); i++) {
        set_fault(ACCEPT, errs[i], 2);
        assert_echo_works(100);
    }
    finish();
}

static void no_busy_loop_on_emfile(void **state)
{
    enum { N = 20 };
    struct rlimit old, few;
    hloop_stats_t stats;
    int fds[N], highest, room = 3;

    (void)state;
    for (int i = 0; i < N; i++)
        fds[i] = plain_connect(&addr);
    highest = open("/dev/null", O_RDONLY);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
    few = old;
    few.rlim_cur = (rlim_t)(highest + room);
    close(highest);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
    assert_true(turns_within(loop, 50) <= 10);
    hloop_stats(loop, &stats);
    assert_int_equal(accepted_n, room);
    assert_int_equal(stats.accept_shed, N - room);
    for (int i = room; i < N; i++) {
        char byte;

        assert_int_equal(recv(fds[i], &byte, 1, 0), 0); /* told, not left hanging */
    }
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
    assert_echo_works(100); /* and it goes on */
    finish();
    for (int i = 0; i < N; i++)
        close(fds[i]);
}

static void no_busy_loop_on_emfile_without_a_spare_descriptor(void **state)
{
    int fd = plain_connect(&addr);

    (void)state;
    set_fault(ACCEPT, EMFILE, 1);
    settle(loop);
    assert_true(turns_within(loop, 50) <= 5);
    faults_on = false;
    RUN_UNTIL(loop, accepted_n == 1);
    finish();
    close(fd);
}

static void an_accept_that_cannot_work_closes_the_listener(void **state)
{
    int fd = plain_connect(&addr);

    (void)state;
    observe(listener, &seen);
    set_fault(ACCEPT, EINVAL, 1);
    RUN_UNTIL(loop, seen.closes == 1);
    assert_int_equal(seen.error, -EINVAL);
    finish();
    close(fd);
}

#define TEST(f) cmocka_unit_test_setup(f, setup)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(eagain_is_waited_out),
        TEST(eintr_is_tried_again),
        TEST(reads_and_writes_of_one_byte_are_put_together),
        TEST(pipes_survive_the_same),
        TEST(datagrams_survive_the_same),
        TEST(a_read_that_fails_tells_why),
        TEST(a_write_that_fails_tells_why),
        TEST(a_queued_write_that_fails_tells_why),
        TEST(a_poller_that_refuses_a_descriptor_closes_it),
        TEST(a_wait_that_fails_ends_the_run),
        TEST(a_wait_that_fails_loses_no_post),
        TEST(an_interrupted_wait_goes_on),
        TEST(connections_lost_before_the_accept_are_passed_over),
        TEST(no_busy_loop_on_emfile),
        TEST(no_busy_loop_on_emfile_without_a_spare_descriptor),
        TEST(an_accept_that_cannot_work_closes_the_listener),
    };

    return run_on_each_poller("hio in need", tests, ARRAY_LENGTH(tests));
}
