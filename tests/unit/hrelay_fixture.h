/* hrelay_fixture: two connections to be joined, and peers that pump patterned bytes through them.
 * Include it after cmocka.h. */
#ifndef HNET_TESTS_HRELAY_FIXTURE_H
#define HNET_TESTS_HRELAY_FIXTURE_H

#include "net/hrelay.h"
#include "net_fixture.h"

#include <poll.h>

#define CHUNK (64 * 1024)

/* peer[0] <-> io[0] <relay> io[1] <-> peer[1] */
typedef struct world_s {
    hloop_t *loop;
    hio_t *io[2];
    int peer[2];
    unsigned closes[2];
    int error[2];
    hrelay_stats_t stats[2]; /* as the close callbacks saw them */
    hio_t *upstream_at_close[2];
} world_t;

static inline void on_close(hio_t *io)
{
    world_t *w = hevent_userdata(io);
    int i = w->io[1] == io;

    w->closes[i]++;
    w->error[i] = hio_error(io);
    assert_int_equal(hrelay_stats(io, &w->stats[i]), 0);
    w->upstream_at_close[i] = hio_get_upstream(io);
}

static inline void take(world_t *w, int i, hio_t *io)
{
    assert_non_null(io);
    w->io[i] = io;
    hevent_set_userdata(io, w);
    hio_setcb_close(io, on_close);
}

static inline void begin_loop(world_t *w)
{
    memset(w, 0, sizeof(*w));
    w->peer[0] = w->peer[1] = -1;
    w->loop = fixture_loop();
    assert_non_null(w->loop);
}

static inline void begin(world_t *w)
{
    begin_loop(w);
    for (int i = 0; i < 2; i++) {
        int fds[2];

        fixture_tcp_pair(fds);
        take(w, i, hio_get(w->loop, fds[0]));
        w->peer[i] = fds[1];
    }
}

static inline void end(world_t *w)
{
    hloop_free(&w->loop);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(w->closes[i], w->io[i] ? 1 : 0);
        if (w->peer[i] >= 0)
            close(w->peer[i]);
    }
}

static inline bool both_closed(void *arg)
{
    world_t *w = arg;

    return w->closes[0] > 0 && w->closes[1] > 0;
}

/* Bytes of a stream that differ with their place in it. */
static inline char byte_at(size_t at)
{
    return (char)(at * 31 + at / 251);
}

/* A plain peer that sends size bytes and then, if asked to, ends its data, or reads to the end. */
typedef struct pump_s {
    int fd;
    size_t size;
    size_t done;
    size_t at_once; /* bytes an iteration */
    bool end;       /* shut down after the last */
    bool ended;     /* all was sent and shut down; or the end was read */
    int error;
} pump_t;

static inline void pump_out(pump_t *pump)
{
    char buf[CHUNK];
    size_t n = pump->size - pump->done;
    ssize_t sent;

    if (n > pump->at_once)
        n = pump->at_once;
    for (size_t i = 0; i < n; i++)
        buf[i] = byte_at(pump->done + i);
    sent = n > 0 ? send(pump->fd, buf, n, MSG_NOSIGNAL | MSG_DONTWAIT) : 0;
    if (sent > 0)
        pump->done += (size_t)sent;
    if (sent < 0 && errno != EAGAIN)
        pump->error = errno;
    if (pump->done == pump->size && !pump->ended) {
        pump->ended = true;
        if (pump->end)
            shutdown(pump->fd, SHUT_WR);
    }
}

static inline void pump_in(pump_t *pump)
{
    char buf[CHUNK];
    ssize_t n = recv(pump->fd, buf, pump->at_once, MSG_DONTWAIT);

    if (n == 0)
        pump->ended = true;
    if (n < 0 && errno != EAGAIN)
        pump->error = errno;
    for (ssize_t i = 0; i < n; i++) {
        if (buf[i] != byte_at(pump->done + (size_t)i))
            fail_msg("byte %zu differs", pump->done + (size_t)i);
    }
    if (n > 0)
        pump->done += (size_t)n;
}

/* Iterates until all of both pumps is through, or one fails. */
static inline void run_pumps(world_t *w, pump_t *out, pump_t *in)
{
    time_t limit = time(NULL) + FIXTURE_LIMIT_S;

    while (!in->error && (in->done < in->size || (in->end && !in->ended))) {
        if (!out->error)
            pump_out(out);
        pump_in(in);
        assert_int_equal(hloop_run(w->loop), 0);
        if (time(NULL) > limit)
            fail_msg("%zu of %zu bytes came", in->done, in->size);
    }
}

static inline void send_through(world_t *w, int from, size_t size, bool and_end)
{
    pump_t out = {.fd = w->peer[from], .size = size, .at_once = CHUNK, .end = and_end};
    pump_t in = {.fd = w->peer[1 - from], .size = size, .at_once = CHUNK, .end = and_end};

    run_pumps(w, &out, &in);
    assert_int_equal(in.error, 0);
    assert_int_equal(in.done, size);
}

/* What comes next, and may be on its way. */
static inline bool is_reset(int fd)
{
    struct pollfd one = {.fd = fd, .events = POLLIN};
    char byte;

    return poll(&one, 1, FIXTURE_LIMIT_S * 1000) > 0 && recv(fd, &byte, 1, MSG_DONTWAIT) < 0 &&
           errno == ECONNRESET;
}

#endif
