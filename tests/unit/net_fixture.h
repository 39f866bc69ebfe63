/* net_fixture: a loop under the test's control, and plain sockets to be the peers of its
 * connections. Include it after cmocka.h. */
#ifndef HNET_TESTS_NET_FIXTURE_H
#define HNET_TESTS_NET_FIXTURE_H

#include "event/hio.h"
#include "event/htimer.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define FIXTURE_LIMIT_S 100 /* a hang fails the test after this */

typedef bool (*fixture_done_cb)(void *arg);

static inline void fixture_on_tick(htimer_t *timer)
{
    (void)timer;
}

/* A loop of which each hloop_run is one iteration; a tick keeps it from waiting for ever. NULL:
 * out of memory. */
static inline hloop_t *fixture_loop(void)
{
    hloop_t *loop = hloop_new(HLOOP_FLAG_RUN_ONCE);

    if (loop && !htimer_add(loop, fixture_on_tick, 5, INFINITE))
        hloop_free(&loop);
    return loop;
}

/* Iterates until done(arg). */
static inline void fixture_run(hloop_t *loop, fixture_done_cb done, void *arg)
{
    time_t limit = time(NULL) + FIXTURE_LIMIT_S;

    while (!done(arg)) {
        assert_int_equal(hloop_run(loop), 0);
        if (time(NULL) > limit)
            fail_msg("nothing more happens");
    }
}

/* A few iterations: what must not happen has had its chance. */
static inline void fixture_settle(hloop_t *loop)
{
    for (int i = 0; i < 8; i++)
        assert_int_equal(hloop_run(loop), 0);
}

static inline int fixture_listen(struct sockaddr_in *addr)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    socklen_t len = sizeof(*addr);

    memset(addr, 0, sizeof(*addr));
    addr->sin_family = AF_INET;
    addr->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (struct sockaddr *)addr, sizeof(*addr)), 0);
    assert_int_equal(listen(fd, 16), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)addr, &len), 0);
    return fd;
}

/* Two ends of a TCP connection over loopback, both non-blocking; for small writes to
 * leave at once. */
static inline void fixture_tcp_pair(int fds[2])
{
    struct sockaddr_in addr;
    int listener = fixture_listen(&addr);
    int one = 1;

    fds[0] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fds[0] >= 0);
    assert_int_equal(connect(fds[0], (struct sockaddr *)&addr, sizeof(addr)), 0);
    fds[1] = accept(listener, NULL, NULL);
    assert_true(fds[1] >= 0);
    close(listener);
    for (int i = 0; i < 2; i++) {
        setsockopt(fds[i], IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
        fcntl(fds[i], F_SETFL, fcntl(fds[i], F_GETFL) | O_NONBLOCK);
    }
}

/* Closing this descriptor resets the connection. */
static inline void fixture_reset(int fd)
{
    struct linger linger = {1, 0};

    setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
    close(fd);
}

static inline void fixture_send(int fd, const void *data, size_t len)
{
    assert_int_equal(send(fd, data, len, MSG_NOSIGNAL), (ssize_t)len);
}

#endif
