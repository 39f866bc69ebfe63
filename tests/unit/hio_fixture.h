/* An observed hio at one end of a TCP connection, a plain socket at the other, and kernel buffers
 * so small that a big write is queued. Include it after cmocka.h; a test that begins with hio_setup
 * ends with hio_finish. */
#ifndef HNET_TESTS_HIO_FIXTURE_H
#define HNET_TESTS_HIO_FIXTURE_H

#include "loop_test.h"

#define MIB (1u << 20)
#define BIG (4u << 20)

static hloop_t *loop;
static seen_t seen;
static hio_t *io;
static int peer; /* -1: closed */
static char *data;

static inline int hio_setup(void **state)
{
    loop_test_setup(state);
    loop = new_loop();
    io = observed_tcp(loop, &seen, &peer);
    small_buffers(hio_fd(io));
    small_buffers(peer);
    data = new_pattern(BIG);
    return 0;
}

static inline void hio_finish(void)
{
    hloop_free(&loop);
    if (peer >= 0)
        close(peer);
    free(data);
}

/* Takes what the peer has got and compares it with the pattern; true at the end of data. */
static inline bool peer_takes(size_t *got)
{
    static char buf[65536];
    bool eof = false;
    ssize_t n = plain_drain(peer, buf, sizeof(buf), &eof);

    assert_true(n >= 0);
    for (ssize_t i = 0; i < n; i++)
        assert_int_equal(buf[i], pattern(*got + (size_t)i));
    *got += (size_t)n;
    return eof;
}

/* An iteration that does not wait. */
static inline void run_once(void)
{
    hloop_wakeup(loop);
    assert_int_equal(hloop_run(loop), 0);
}

/* Lets the peer take everything up to the end of data; how much that was. */
static inline size_t peer_takes_all(void)
{
    size_t got = 0;

    while (!peer_takes(&got))
        run_once();
    return got;
}

#define RUN_UNTIL_PEER_HAS(size)                                                                   \
    for (size_t got_ = 0; got_ < (size);) {                                                        \
        peer_takes(&got_);                                                                         \
        run_once();                                                                                \
    }

#endif
