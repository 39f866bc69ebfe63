/* loop_test: each test of the event layer runs once on every poller.
 *
 *     int main(void) { return run_on_each_poller("hio_tcp", tests, ARRAY_LENGTH(tests)); }
 *
 * A loop of new_loop makes one iteration a run; RUN_UNTIL goes on until a condition holds. A test
 * that hangs is ended by SIGALRM. Include it after cmocka.h. */
#ifndef HNET_TESTS_LOOP_TEST_H
#define HNET_TESTS_LOOP_TEST_H

#include "base/hmem.h"
#include "base/htime.h"
#include "event/hio.h"
#include "event/htimer.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define TEST_LIMIT_S 120 /* a slow machine with sanitizers, and others that use it */
#define ARRAY_LENGTH(a) (sizeof(a) / sizeof((a)[0]))

/* The poller of the running group. */
static const char *test_poller;

static inline hloop_t *new_loop_with(int flags)
{
    hloop_options_t options = {.flags = flags, .poller = test_poller};
    hloop_t *loop = hloop_new_with(&options);
    hloop_stats_t stats;

    assert_non_null(loop);
    hloop_stats(loop, &stats);
    assert_string_equal(stats.poller, test_poller);
    return loop;
}

static inline hloop_t *new_loop(void)
{
    return new_loop_with(HLOOP_FLAG_RUN_ONCE);
}

#define RUN_UNTIL(loop, condition)                                                                 \
    do {                                                                                           \
        while (!(condition))                                                                       \
            assert_int_equal(hloop_run(loop), 0);                                                  \
    } while (0)

/* Iterations that do not wait: what must not happen has its chance. */
static inline void settle(hloop_t *loop)
{
    for (int i = 0; i < 10; i++) {
        hloop_wakeup(loop);
        assert_int_equal(hloop_run(loop), 0);
    }
}

static inline uint64_t events_of_settling(hloop_t *loop)
{
    hloop_stats_t before, after;

    hloop_stats(loop, &before);
    settle(loop);
    hloop_stats(loop, &after);
    return after.events - before.events;
}

/* How often the loop turns within this time, when nothing is there to be done. */
static inline uint64_t turns_within(hloop_t *loop, uint32_t ms)
{
    uint64_t end_ns = htime_monotonic_ns() + ms * HTIME_NS_PER_MS;
    hloop_stats_t before, after;

    hloop_stats(loop, &before);
    assert_non_null(htimer_add(loop, (htimer_cb)htimer_del, ms, 1));
    while (htime_monotonic_ns() < end_ns)
        assert_int_equal(hloop_run(loop), 0);
    hloop_stats(loop, &after);
    return after.iterations - before.iterations;
}

static inline uint64_t now_ms(void)
{
    return htime_monotonic_ns() / HTIME_NS_PER_MS;
}

/* ---- plain sockets, the peers of what is tested ---------------------------------------------- */

static inline void loopback(struct sockaddr_in *addr)
{
    memset(addr, 0, sizeof(*addr));
    addr->sin_family = AF_INET;
    addr->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
}

/* A socket bound to a free port of loopback; listening if it is a stream. */
static inline int bound_socket(int type, struct sockaddr_in *addr)
{
    int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);
    socklen_t len = sizeof(*addr);

    loopback(addr);
    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (struct sockaddr *)addr, len), 0);
    if ((type & ~SOCK_NONBLOCK) == SOCK_STREAM)
        assert_int_equal(listen(fd, 1024), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)addr, &len), 0);
    return fd;
}

static inline int plain_connect(const struct sockaddr_in *addr)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_true(fd >= 0);
    assert_int_equal(connect(fd, (const struct sockaddr *)addr, sizeof(*addr)), 0);
    return fd;
}

/* Two ends of a TCP connection. */
static inline void tcp_pair(int fds[2])
{
    struct sockaddr_in addr;
    int listener = bound_socket(SOCK_STREAM, &addr);

    fds[0] = plain_connect(&addr);
    fds[1] = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    assert_true(fds[1] >= 0);
    close(listener);
}

/* Closes with a reset instead of an end of data. */
static inline void plain_reset(int fd)
{
    struct linger linger = {1, 0};

    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)), 0);
    close(fd);
}

/* Makes the kernel hold little, so that a big write has to be queued. */
static inline void small_buffers(int fd)
{
    int size = 65536;

    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size)), 0);
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size)), 0);
}

static inline bool is_between(int fd, const struct sockaddr_in *from, const struct sockaddr_in *to)
{
    struct sockaddr_in ends[2];
    socklen_t len[2] = {sizeof(ends[0]), sizeof(ends[1])};

    return getsockname(fd, (struct sockaddr *)&ends[0], &len[0]) == 0 &&
           getpeername(fd, (struct sockaddr *)&ends[1], &len[1]) == 0 &&
           memcmp(&ends[0], from, sizeof(*from)) == 0 && memcmp(&ends[1], to, sizeof(*to)) == 0;
}

/* The other end of a connection, in this process, has buffers of a few hundred KiB, however large
 * the kernel would let them grow. */
static inline void bound_other_end(int fd)
{
    struct sockaddr_in from, to;
    socklen_t len = sizeof(from);
    int other = 0, size = 1 << 18;

    assert_int_equal(getsockname(fd, (struct sockaddr *)&to, &len), 0);
    assert_int_equal(getpeername(fd, (struct sockaddr *)&from, &len), 0);
    while (other < 1024 && !is_between(other, &from, &to))
        other++;
    assert_int_equal(setsockopt(other, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size)), 0);
    assert_int_equal(setsockopt(other, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size)), 0);
}

/* Waits for len bytes; how many came before the end. MSG_WAITALL may do with less. */
static inline size_t plain_receive(int fd, char *buf, size_t len)
{
    size_t got = 0;
    ssize_t n = 0;

    while (got < len && (n = recv(fd, buf + got, len - got, 0)) > 0)
        got += (size_t)n;
    return got;
}

/* Everything that is there without waiting; -1 at a reset. *eof tells the end of data. */
static inline ssize_t plain_drain(int fd, char *buf, size_t size, bool *eof)
{
    size_t got = 0;
    ssize_t n = 0;

    *eof = false;
    while (got < size && (n = recv(fd, buf + got, size - got, MSG_DONTWAIT)) > 0)
        got += (size_t)n;
    if (n == 0 && got < size)
        *eof = true;
    return n < 0 && errno != EAGAIN ? -1 : (ssize_t)got;
}

/* Byte i of a pattern in which a piece that is lost or swapped shows. */
static inline char pattern(size_t i)
{
    return (char)(i * 31 + (i >> 8) * 7 + (i >> 16));
}

static inline char *new_pattern(size_t len)
{
    char *data = malloc(len ? len : 1);

    assert_non_null(data);
    for (size_t i = 0; i < len; i++)
        data[i] = pattern(i);
    return data;
}

/* ---- an hio under observation ---------------------------------------------------------------- */

/* What has happened to one hio; found through its user data. */
typedef struct seen_s {
    int connects, reads, writes, drained, eofs, closes;
    int error;    /* at the close */
    size_t got;   /* bytes */
    size_t wrote; /* told to the write callback */
    bool mangled; /* what came is not the pattern */
    char first[64];
    hio_t *io;
} seen_t;

static inline void seen_on_connect(hio_t *io)
{
    ((seen_t *)hevent_userdata(io))->connects++;
}

static inline void seen_on_read(hio_t *io, void *buf, int len)
{
    seen_t *seen = hevent_userdata(io);
    const char *data = buf;

    seen->reads++;
    for (int i = 0; i < len; i++) {
        seen->mangled |= data[i] != pattern(seen->got);
        if (seen->got < sizeof(seen->first) - 1)
            seen->first[seen->got] = data[i];
        seen->got++;
    }
}

static inline void seen_on_write(hio_t *io, const void *buf, int len)
{
    seen_t *seen = hevent_userdata(io);

    assert_null(buf);
    assert_true(len > 0);
    seen->writes++;
    seen->wrote += (size_t)len;
}

static inline void seen_on_drained(hio_t *io)
{
    ((seen_t *)hevent_userdata(io))->drained++;
}

static inline void seen_on_eof(hio_t *io)
{
    ((seen_t *)hevent_userdata(io))->eofs++;
}

static inline void seen_on_close(hio_t *io)
{
    seen_t *seen = hevent_userdata(io);

    seen->closes++;
    seen->error = hio_error(io);
    seen->io = NULL;
}

/* Sets all callbacks but the one for EOF. */
static inline hio_t *observe(hio_t *io, seen_t *seen)
{
    assert_non_null(io);
    memset(seen, 0, sizeof(*seen));
    seen->io = io;
    hevent_set_userdata(io, seen);
    hio_setcb_connect(io, seen_on_connect);
    hio_setcb_read(io, seen_on_read);
    hio_setcb_write(io, seen_on_write);
    hio_setcb_drained(io, seen_on_drained);
    hio_setcb_close(io, seen_on_close);
    return io;
}

/* An observed hio over one end of a TCP connection; *peer is the plain other end. */
static inline hio_t *observed_tcp(hloop_t *loop, seen_t *seen, int *peer)
{
    int fds[2];

    tcp_pair(fds);
    *peer = fds[1];
    return observe(hio_get(loop, fds[0]), seen);
}

/* An observed hio that is about to connect. */
static inline hio_t *observed_client(hloop_t *loop, seen_t *seen, const void *addr, size_t len)
{
    const struct sockaddr *to = addr;
    int fd = socket(to->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    hio_t *io = observe(hio_get(loop, fd), seen);

    assert_int_equal(hio_set_peeraddr(io, to, (int)len), 0);
    return io;
}

/* ---- running --------------------------------------------------------------------------------- */

static inline int loop_test_setup(void **state)
{
    (void)state;
    alarm(TEST_LIMIT_S);
    signal(SIGPIPE, SIG_IGN);
    return 0;
}

static inline int loop_test_teardown(void **state)
{
    (void)state;
    alarm(0);
    return 0;
}

static inline void loop_test_refused(void **state)
{
    (void)state;
    print_message("the kernel refuses the poller %s\n", test_poller);
    skip();
}

static inline bool poller_works(const char *name)
{
    hloop_options_t options = {.poller = name};
    hloop_t *loop = hloop_new_with(&options);
    hloop_stats_t stats;
    bool works;

    if (!loop)
        return false;
    hloop_stats(loop, &stats);
    works = strcmp(stats.poller, name) == 0;
    hloop_free(&loop);
    return works;
}

static inline int run_on_each_poller(const char *group, const struct CMUnitTest *tests, size_t n)
{
    static const char *const pollers[] = {"epoll", "poll", "select", "io_uring"};
    const struct CMUnitTest refused[] = {cmocka_unit_test(loop_test_refused)};
    struct CMUnitTest *watched = calloc(n, sizeof(*watched));
    int failed = 0;

    if (!watched)
        return 1;
    for (size_t i = 0; i < n; i++) {
        watched[i] = tests[i];
        watched[i].setup_func = tests[i].setup_func ? tests[i].setup_func : loop_test_setup;
        if (!tests[i].teardown_func)
            watched[i].teardown_func = loop_test_teardown;
    }
    cmocka_set_test_filter(getenv("TEST_FILTER"));
    for (size_t i = 0; i < ARRAY_LENGTH(pollers); i++) {
        char name[64];

        test_poller = pollers[i];
        snprintf(name, sizeof(name), "%s on %s", group, test_poller);
        if (poller_works(test_poller))
            failed += _cmocka_run_group_tests(name, watched, n, NULL, NULL);
        else
            failed += _cmocka_run_group_tests(name, refused, 1, NULL, NULL);
    }
    free(watched);
    return failed;
}

#endif
