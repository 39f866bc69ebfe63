/* hframe_fixture: one framed connection whose pieces are written down. Include it
 * after cmocka.h. */
#ifndef HNET_TESTS_HFRAME_FIXTURE_H
#define HNET_TESTS_HFRAME_FIXTURE_H

#include "base/hbuf.h"
#include "net/hframe.h"
#include "net_fixture.h"

/* One connection: io on the loop, the peer a plain socket. What the read callback gets is written
 * down as "piece|piece|". */
typedef struct world_s {
    hloop_t *loop;
    hio_t *io;
    int peer;
    hbytes_t log;
    unsigned pieces;
    unsigned closes;
    int error;
    size_t expected; /* length of the log to wait for */
    const char *last;
    void (*on_piece)(struct world_s *w, char *buf, int len);
} world_t;

static const unpack_setting_t lines = {
    .mode = UNPACK_BY_DELIMITER, .delimiter = {'\n'}, .delimiter_bytes = 1};
static const unpack_setting_t triples = {.mode = UNPACK_BY_FIXED_LENGTH, .fixed_length = 3};
static const unpack_setting_t counted = {.mode = UNPACK_BY_LENGTH_FIELD,
                                         .body_offset = 2,
                                         .length_field_offset = 0,
                                         .length_field_bytes = 2,
                                         .length_field_coding = ENCODE_BY_BIG_ENDIAN};

static inline void on_read(hio_t *io, void *buf, int len)
{
    world_t *w = hevent_userdata(io);

    w->pieces++;
    w->last = buf;
    assert_int_equal(hbytes_append(&w->log, buf, (size_t)len), 0);
    assert_int_equal(hbytes_append_char(&w->log, '|'), 0);
    if (w->on_piece)
        w->on_piece(w, buf, len);
}

static inline void on_close(hio_t *io)
{
    world_t *w = hevent_userdata(io);

    w->closes++;
    w->error = hio_error(io);
    w->io = NULL;
}

static inline void begin(world_t *w)
{
    int fds[2];

    memset(w, 0, sizeof(*w));
    w->loop = fixture_loop();
    assert_non_null(w->loop);
    fixture_tcp_pair(fds);
    w->peer = fds[1];
    w->io = hio_get(w->loop, fds[0]);
    assert_non_null(w->io);
    hevent_set_userdata(w->io, w);
    hio_setcb_read(w->io, on_read);
    hio_setcb_close(w->io, on_close);
}

/* The same, and frames are read from it. */
static inline void begin_frames(world_t *w, const unpack_setting_t *setting)
{
    begin(w);
    assert_int_equal(hio_set_unpack(w->io, setting), 0);
    hio_read(w->io);
}

static inline void end(world_t *w)
{
    hloop_free(&w->loop);
    assert_int_equal(w->closes, 1);
    if (w->peer >= 0)
        close(w->peer);
    hbytes_deinit(&w->log);
}

static inline bool log_is_long_enough(void *arg)
{
    world_t *w = arg;

    return w->log.len >= w->expected || w->closes > 0;
}

static inline bool is_closed(void *arg)
{
    return ((world_t *)arg)->closes > 0;
}

/* Runs until the log has grown to the text, and checks that it does not grow past it. */
static inline void expect_log(world_t *w, const char *text)
{
    w->expected = strlen(text);
    fixture_run(w->loop, log_is_long_enough, w);
    fixture_settle(w->loop);
    assert_string_equal(w->log.data ? w->log.data : "", text);
}

static inline void send_text(world_t *w, const char *text)
{
    fixture_send(w->peer, text, strlen(text));
}

static inline uint64_t bytes_read(world_t *w)
{
    hloop_stats_t stats;

    hloop_stats(w->loop, &stats);
    return stats.read_bytes;
}

typedef struct read_goal_s {
    world_t *w;
    uint64_t bytes;
} read_goal_t;

static inline bool has_read(void *arg)
{
    read_goal_t *goal = arg;

    return bytes_read(goal->w) >= goal->bytes || goal->w->closes > 0;
}

/* Sends data and waits until it was read as one piece. */
static inline void send_and_read(world_t *w, const void *data, size_t len)
{
    read_goal_t goal = {w, bytes_read(w) + len};

    fixture_send(w->peer, data, len);
    fixture_run(w->loop, has_read, &goal);
}

#endif
