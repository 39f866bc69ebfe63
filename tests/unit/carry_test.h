/* For the tests of hcarry: from -> to -> peer, driven one iteration at a time, and counted. */
#ifndef HNET_TESTS_CARRY_TEST_H
#define HNET_TESTS_CARRY_TEST_H

#include "loop_test.h"
#include "net/hcarry.h"

#include <netinet/tcp.h>

#define SIZE ((size_t)3 << 20)

/* The system call of the test can be made to fail. */
static struct {
    int err;        /* what every second call fails with; 0: none does */
    bool always;    /* not only every second */
    size_t at_most; /* bytes it moves; 0: as asked */
    int n;          /* calls */
} fault;

/* Counts a call; true: errno is set, and it fails. */
static inline bool call_fails(void)
{
    fault.n++;
    errno = fault.err;
    return fault.err && (fault.always || fault.n % 2);
}

static inline size_t call_len(size_t len)
{
    return fault.at_most && len > fault.at_most ? fault.at_most : len;
}

/* What sockets are said to have, whatever is usual on this machine (--wrap=getsockopt). */
static const char *congestion;

int __real_getsockopt(int fd, int level, int name, void *value, socklen_t *len);
int __wrap_getsockopt(int fd, int level, int name, void *value, socklen_t *len);

int __wrap_getsockopt(int fd, int level, int name, void *value, socklen_t *len)
{
    if (level != IPPROTO_TCP || name != TCP_CONGESTION)
        return __real_getsockopt(fd, level, name, value, len);
    snprintf(value, *len, "%s", congestion);
    return 0;
}

static hloop_t *loop;
static seen_t source, target;
static int feeder; /* the other end of the source, unless that is a file */
static int peer;
static char *received;
static size_t received_n;
static size_t carried;
static int calls, failure;

static inline int carry_setup(void **state)
{
    loop_test_setup(state);
    memset(&fault, 0, sizeof(fault));
    congestion = "cubic";
    loop = new_loop();
    feeder = -1;
    received = malloc(SIZE + 1);
    received_n = carried = 0;
    calls = failure = 0;
    return 0;
}

static inline void on_carried(hio_t *from, hio_t *to, ssize_t n)
{
    calls++;
    if (n > 0)
        carried += (size_t)n;
    if (n < 0) {
        failure = (int)n;
        hcarry_stop(from);
    } else if (hio_write_above_high(to)) {
        hio_read_stop(from);
    }
}

static inline void on_drained(hio_t *to)
{
    seen_on_drained(to);
    if (source.io)
        hio_read(source.io);
}

static inline hio_t *stream_target(void)
{
    hio_t *to = observed_tcp(loop, &target, &peer);

    fcntl(hio_fd(to), F_SETFL, O_RDWR | O_NONBLOCK); /* as sockets of the library are */
    small_buffers(hio_fd(to));
    small_buffers(peer);
    hio_setcb_drained(to, on_drained);
    return to;
}

static inline void start(hio_t *from, hio_t *to)
{
    assert_int_equal(hcarry_start(from, to, on_carried), 0);
    assert_int_equal(hio_read(from), 0);
}

/* One iteration, and what came to the peer. */
static inline void go_on(bool *eof)
{
    ssize_t n;

    hloop_wakeup(loop);
    assert_int_equal(hloop_run(loop), 0);
    n = plain_drain(peer, received + received_n, SIZE + 1 - received_n, eof);
    if (n > 0)
        received_n += (size_t)n;
}

static inline void receive(size_t size)
{
    bool eof = false;

    while (received_n < size && !eof)
        go_on(&eof);
    assert_int_equal(received_n, size);
    for (size_t i = 0; i < size; i++) {
        if (received[i] != pattern(i))
            fail_msg("byte %zu differs", i);
    }
}

static inline void end(void)
{
    hloop_free(&loop);
    close(peer);
    if (feeder >= 0)
        close(feeder);
    free(received);
}

#endif
