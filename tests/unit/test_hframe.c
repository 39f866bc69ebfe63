#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/hbuf.h"
#include "event/hio_ops.h"
#include "net/hframe.h"
#include "net_fixture.h"
#include "oom.h"

/* One connection: io on the loop, the peer a plain socket. What the read callback gets is written down
 * as "piece|piece|". */
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

static void on_read(hio_t *io, void *buf, int len)
{
    world_t *w = hevent_userdata(io);

    w->pieces++;
    w->last = buf;
    assert_int_equal(hbytes_append(&w->log, buf, (size_t)len), 0);
    assert_int_equal(hbytes_append_char(&w->log, '|'), 0);
    if (w->on_piece)
        w->on_piece(w, buf, len);
}

static void on_close(hio_t *io)
{
    world_t *w = hevent_userdata(io);

    w->closes++;
    w->error = hio_error(io);
    w->io = NULL;
}

static void begin(world_t *w)
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

static void end(world_t *w)
{
    hloop_free(&w->loop);
    assert_int_equal(w->closes, 1);
    if (w->peer >= 0)
        close(w->peer);
    hbytes_deinit(&w->log);
}

static bool log_is_long_enough(void *arg)
{
    world_t *w = arg;

    return w->log.len >= w->expected || w->closes > 0;
}

static bool is_closed(void *arg)
{
    return ((world_t *)arg)->closes > 0;
}

/* Runs until the log has grown to the text, and checks that it does not grow past it. */
static void expect_log(world_t *w, const char *text)
{
    w->expected = strlen(text);
    fixture_run(w->loop, log_is_long_enough, w);
    fixture_settle(w->loop);
    assert_string_equal(w->log.data ? w->log.data : "", text);
}

static void send_text(world_t *w, const char *text)
{
    fixture_send(w->peer, text, strlen(text));
}

static uint64_t bytes_read(world_t *w)
{
    hloop_stats_t stats;

    hloop_stats(w->loop, &stats);
    return stats.read_bytes;
}

typedef struct read_goal_s {
    world_t *w;
    uint64_t bytes;
} read_goal_t;

static bool has_read(void *arg)
{
    read_goal_t *goal = arg;

    return bytes_read(goal->w) >= goal->bytes || goal->w->closes > 0;
}

/* Sends data and waits until it was read as one piece. */
static void send_and_read(world_t *w, const void *data, size_t len)
{
    read_goal_t goal = {w, bytes_read(w) + len};

    fixture_send(w->peer, data, len);
    fixture_run(w->loop, has_read, &goal);
}

/* ---- frames -------------------------------------------------------------------------------------- */

static void frames_come_whole_wherever_the_stream_is_split(void **state)
{
    static const struct {
        const unpack_setting_t *setting;
        const char *stream;
        size_t len;
        const char *log;
    } cases[] = {
        {&lines, "one\n\ntwo\nthree\n", 15, "one\n|\n|two\n|three\n|"},
        {&triples, "abcdefghi", 9, "abc|def|ghi|"},
        {&counted, "\0\3abc\0\0\0\5defgh", 14, NULL},
    };

    (void)state;
    for (size_t c = 0; c < sizeof(cases) / sizeof(cases[0]); c++) {
        for (size_t cut = 0; cut <= cases[c].len; cut++) {
            world_t w;

            begin(&w);
            assert_int_equal(hio_set_unpack(w.io, cases[c].setting), 0);
            hio_read(w.io);
            if (cut > 0)
                send_and_read(&w, cases[c].stream, cut);
            if (cut < cases[c].len)
                send_and_read(&w, cases[c].stream + cut, cases[c].len - cut);
            if (cases[c].log) {
                expect_log(&w, cases[c].log);
            } else {
                fixture_settle(w.loop);
                assert_int_equal(w.log.len, 17);
                assert_memory_equal(w.log.data, "\0\3abc|\0\0|\0\5defgh|", 17);
            }
            end(&w);
        }
    }
}

static void frames_come_whole_when_bytes_arrive_one_by_one(void **state)
{
    static const char stream[] = "\0\3abc\0\0\0\5defgh";
    world_t w;

    (void)state;
    begin(&w);
    assert_int_equal(hio_set_unpack(w.io, &counted), 0);
    hio_read(w.io);
    for (size_t i = 0; i + 1 < sizeof(stream); i++)
        send_and_read(&w, stream + i, 1);
    assert_int_equal(w.pieces, 3);
    assert_memory_equal(w.log.data, "\0\3abc|\0\0|\0\5defgh|", 17);
    end(&w);
}

static void a_frame_larger_than_the_read_buffer_is_put_together(void **state)
{
    const size_t size = 1000 * 1000;
    char *stream = malloc(2 * size + 1);
    size_t sent = 0;
    world_t w;

    (void)state;
    begin(&w);
    assert_int_equal(hio_set_unpack(w.io, &lines), 0);
    hio_read(w.io);
    for (size_t i = 0; i < 2 * size; i++)
        stream[i] = (char)('a' + i % 23);
    stream[size - 1] = '\n';
    stream[2 * size - 1] = '\n';
    for (time_t limit = time(NULL) + FIXTURE_LIMIT_S; w.pieces < 2 && time(NULL) < limit;) {
        ssize_t n = send(w.peer, stream + sent, 2 * size - sent, MSG_NOSIGNAL | MSG_DONTWAIT);

        if (n > 0)
            sent += (size_t)n;
        assert_int_equal(hloop_run(w.loop), 0);
    }
    assert_int_equal(w.pieces, 2);
    assert_int_equal(w.log.len, 2 * size + 2);
    assert_memory_equal(w.log.data, stream, size);
    assert_memory_equal(w.log.data + size + 1, stream + size, size);
    free(stream);
    end(&w);
}

static void whole_frames_need_no_memory_and_are_delivered_in_place(void **state)
{
    oom_t oom;
    world_t w;
    const char *first, *held;
    long live, count;

    (void)state;
    oom_begin(&oom, 0, false);
    begin(&w);
    assert_int_equal(hbytes_reserve(&w.log, 1000), 0);
    assert_int_equal(hio_set_unpack(w.io, &lines), 0);
    hio_read(w.io);
    send_and_read(&w, "warm up\n", 8);
    first = w.last;
    live = oom.live;
    count = oom.count;
    send_and_read(&w, "again\nand again\n", 16);
    assert_int_equal(oom.count, count);
    assert_ptr_equal(w.last, first + 6);
    send_and_read(&w, "part", 4);
    assert_true(oom.live > live);
    send_and_read(&w, " of a line\n", 11);
    held = w.last;
    assert_ptr_not_equal(held, first);
    assert_int_equal(oom.live, live);
    assert_string_equal(w.log.data, "warm up\n|again\n|and again\n|part of a line\n|");
    end(&w);
    oom_end();
    assert_int_equal(oom.live, 0);
}

static void write_behind(world_t *w, char *buf, int len)
{
    (void)w;
    buf[len] = '\0';
}

static void a_callback_may_write_the_byte_behind_its_frame(void **state)
{
    world_t w;

    (void)state;
    begin(&w);
    w.on_piece = write_behind;
    assert_int_equal(hio_set_unpack(w.io, &triples), 0);
    hio_read(w.io);
    send_text(&w, "abcdefghij");
    expect_log(&w, "abc|def|ghi|");
    send_text(&w, "klm");
    expect_log(&w, "abc|def|ghi|jkl|");
    end(&w);
}

/* ---- callbacks that interfere ---------------------------------------------------------------------- */

static void close_it(world_t *w, char *buf, int len)
{
    (void)buf;
    (void)len;
    hio_close(w->io);
}

static void abort_it(world_t *w, char *buf, int len)
{
    (void)buf;
    (void)len;
    hio_abort(w->io, -EPROTO);
}

static void no_use_after_free_when_a_read_callback_closes_inside_delimiter_framing(void **state)
{
    void (*const ways[])(world_t *, char *, int) = {close_it, abort_it};

    (void)state;
    for (int way = 0; way < 2; way++) {
        for (int held = 0; held < 2; held++) {
            world_t w;

            begin(&w);
            w.on_piece = ways[way];
            assert_int_equal(hio_set_unpack(w.io, &lines), 0);
            hio_read(w.io);
            if (held)
                send_and_read(&w, "o", 1);
            send_text(&w, held ? "ne\ntwo\nthree\nrest" : "one\ntwo\nthree\nrest");
            fixture_run(w.loop, is_closed, &w);
            assert_string_equal(w.log.data, "one\n|");
            assert_int_equal(w.error, way == 0 ? 0 : -EPROTO);
            end(&w);
        }
    }
}

static void stop_it(world_t *w, char *buf, int len)
{
    (void)buf;
    (void)len;
    hio_read_stop(w->io);
}

static void frames_behind_a_stop_are_kept_and_come_when_reading_starts_again(void **state)
{
    world_t w;

    (void)state;
    begin(&w);
    w.on_piece = stop_it;
    assert_int_equal(hio_set_unpack(w.io, &lines), 0);
    hio_read(w.io);
    send_text(&w, "one\ntwo\nthree\nfo");
    expect_log(&w, "one\n|");
    hio_read(w.io);
    assert_string_equal(w.log.data, "one\n|"); /* never from inside hio_read */
    expect_log(&w, "one\n|two\n|");
    w.on_piece = NULL;
    hio_read(w.io);
    expect_log(&w, "one\n|two\n|three\n|");
    send_text(&w, "ur\n");
    expect_log(&w, "one\n|two\n|three\n|four\n|");
    end(&w);
}

static void then_triples(world_t *w, char *buf, int len)
{
    (void)buf;
    (void)len;
    if (w->pieces == 2)
        assert_int_equal(hio_set_unpack(w->io, &triples), 0);
}

static void then_raw(world_t *w, char *buf, int len)
{
    (void)buf;
    (void)len;
    if (w->pieces == 2)
        hio_unset_unpack(w->io);
}

static void framing_can_be_changed_in_the_middle_of_a_batch(void **state)
{
    world_t w;

    (void)state;
    for (int held = 0; held < 2; held++) {
        begin(&w);
        w.on_piece = then_triples;
        assert_int_equal(hio_set_unpack(w.io, &lines), 0);
        hio_read(w.io);
        if (held)
            send_and_read(&w, "o", 1);
        send_text(&w, held ? "ne\ntwo\nabcdef\ng" : "one\ntwo\nabcdef\ng");
        expect_log(&w, "one\n|two\n|abc|def|");
        send_text(&w, "h");
        expect_log(&w, "one\n|two\n|abc|def|\ngh|");
        end(&w);
    }
}

static void framing_can_be_removed_in_the_middle_of_a_batch(void **state)
{
    world_t w;

    (void)state;
    for (int held = 0; held < 2; held++) {
        begin(&w);
        w.on_piece = then_raw;
        assert_int_equal(hio_set_unpack(w.io, &lines), 0);
        hio_read(w.io);
        if (held)
            send_and_read(&w, "o", 1);
        send_text(&w, held ? "ne\ntwo\nabc\ndef" : "one\ntwo\nabc\ndef");
        expect_log(&w, "one\n|two\n|abc\ndef|");
        send_text(&w, "gh\n");
        expect_log(&w, "one\n|two\n|abc\ndef|gh\n|");
        end(&w);
    }
}

static void removed_while_stopped_what_is_held_still_comes(void **state)
{
    world_t w;

    (void)state;
    begin(&w);
    w.on_piece = stop_it;
    assert_int_equal(hio_set_unpack(w.io, &lines), 0);
    hio_read(w.io);
    send_text(&w, "one\ntwo\nabc");
    expect_log(&w, "one\n|");
    hio_unset_unpack(w.io);
    hio_read(w.io);
    expect_log(&w, "one\n|two\nabc|");
    end(&w);
}

static void changed_from_outside_the_rest_is_cut_by_the_new_rule(void **state)
{
    world_t w;

    (void)state;
    begin(&w);
    assert_int_equal(hio_set_unpack(w.io, &lines), 0);
    hio_read(w.io);
    send_and_read(&w, "abcde", 5);
    assert_int_equal(w.pieces, 0);
    assert_int_equal(hio_set_unpack(w.io, &triples), 0);
    assert_int_equal(w.pieces, 0); /* never from inside */
    expect_log(&w, "abc|");
    hio_unset_unpack(w.io);
    expect_log(&w, "abc|de|");
    end(&w);
}

/* Another layer's filter: it marks what it gets. */
static void other_input(hio_t *io, void *ctx, char *buf, size_t len)
{
    world_t *w = ctx;

    (void)io;
    assert_int_equal(hbytes_append_str(&w->log, "other:"), 0);
    assert_int_equal(hbytes_append(&w->log, buf, len), 0);
    assert_int_equal(hbytes_append_char(&w->log, '|'), 0);
}

static const hio_filter_t other_filter = {.input = other_input};

static void then_other(world_t *w, char *buf, int len)
{
    (void)buf;
    (void)len;
    assert_int_equal(hio_set_filter(w->io, &other_filter, w), 0);
}

static void another_filter_set_in_a_callback_gets_the_rest(void **state)
{
    world_t w;

    (void)state;
    for (int held = 0; held < 2; held++) {
        begin(&w);
        w.on_piece = then_other;
        assert_int_equal(hio_set_unpack(w.io, &lines), 0);
        hio_read(w.io);
        if (held)
            send_and_read(&w, "o", 1);
        send_text(&w, held ? "ne\ntwo\nabc" : "one\ntwo\nabc");
        expect_log(&w, held ? "one\n|other:two\nabc|" : "one\n|other:two\nabc|");
        end(&w);
    }
}

/* ---- pieces asked for ------------------------------------------------------------------------------ */

static void one_shot_reads_give_one_piece_and_keep_the_rest(void **state)
{
    world_t w;

    (void)state;
    begin(&w);
    assert_int_equal(hio_readline(w.io), 0);
    fixture_send(w.peer, "one\ntwo\n12345text\0tail", 22);
    expect_log(&w, "one\n|");
    assert_int_equal(hio_readline(w.io), 0);
    assert_int_equal(w.pieces, 1); /* never from inside */
    expect_log(&w, "one\n|two\n|");
    assert_int_equal(hio_readbytes(w.io, 5), 0);
    expect_log(&w, "one\n|two\n|12345|");
    assert_int_equal(hio_readstring(w.io), 0);
    w.expected = w.log.len + 6;
    fixture_run(w.loop, log_is_long_enough, &w);
    assert_memory_equal(w.log.data + 16, "text\0|", 6);
    assert_false(hio_is_reading(w.io));
    hio_read(w.io);
    w.expected = w.log.len + 5;
    fixture_run(w.loop, log_is_long_enough, &w);
    assert_memory_equal(w.log.data + 22, "tail|", 5);
    send_text(&w, "more");
    w.expected = w.log.len + 5;
    fixture_run(w.loop, log_is_long_enough, &w);
    assert_memory_equal(w.log.data + 27, "more|", 5);
    end(&w);
}

static void a_piece_may_come_in_parts(void **state)
{
    world_t w;

    (void)state;
    begin(&w);
    assert_int_equal(hio_readbytes(w.io, 10), 0);
    send_and_read(&w, "0123", 4);
    send_and_read(&w, "45", 2);
    assert_int_equal(w.pieces, 0);
    send_text(&w, "6789abc");
    expect_log(&w, "0123456789|");
    end(&w);
}

static void next_line(world_t *w, char *buf, int len)
{
    (void)buf;
    (void)len;
    assert_int_equal(hio_readline(w->io), 0);
}

static void a_callback_can_ask_for_the_next_piece(void **state)
{
    world_t w;

    (void)state;
    begin(&w);
    w.on_piece = next_line;
    assert_int_equal(hio_readline(w.io), 0);
    send_text(&w, "one\ntwo\nthree\nfo");
    expect_log(&w, "one\n|two\n|three\n|");
    send_text(&w, "ur\n");
    expect_log(&w, "one\n|two\n|three\n|four\n|");
    end(&w);
}

static void then_body(world_t *w, char *buf, int len)
{
    (void)buf;
    (void)len;
    if (w->pieces == 2)
        assert_int_equal(hio_readbytes(w->io, 4), 0);
    else if (w->pieces == 1)
        assert_int_equal(hio_readline(w->io), 0);
}

static void a_piece_goes_before_the_framing_once(void **state)
{
    world_t w;

    (void)state;
    begin(&w);
    w.on_piece = then_body;
    assert_int_equal(hio_set_unpack(w.io, &triples), 0);
    assert_int_equal(hio_readline(w.io), 0);
    send_text(&w, "head\nhead2\nbodyabcdef");
    expect_log(&w, "head\n|head2\n|body|");
    w.on_piece = NULL;
    hio_read(w.io);
    expect_log(&w, "head\n|head2\n|body|abc|def|");
    end(&w);
}

static void asked_from_outside_a_piece_is_cut_out_of_what_is_held(void **state)
{
    world_t w;

    (void)state;
    begin(&w);
    assert_int_equal(hio_set_unpack(w.io, &lines), 0);
    hio_read(w.io);
    send_and_read(&w, "abcde", 5);
    assert_int_equal(hio_readbytes(w.io, 2), 0);
    assert_int_equal(w.pieces, 0);
    expect_log(&w, "ab|");
    assert_false(hio_is_reading(w.io));
    hio_read(w.io);
    send_text(&w, "f\n");
    expect_log(&w, "ab|cdef\n|");
    end(&w);
}

/* ---- ends and errors --------------------------------------------------------------------------------- */

static void too_long_a_frame_closes_with_frame_size(void **state)
{
    unpack_setting_t short_lines = lines, short_counted = counted;
    world_t w;

    (void)state;
    short_lines.package_max_length = 8;
    short_counted.package_max_length = 8;
    for (int i = 0; i < 3; i++) {
        begin(&w);
        if (i == 2) {
            assert_int_equal(hio_set_max_read_bufsize(w.io, 8), 0);
            assert_int_equal(hio_readline(w.io), 0);
        } else {
            assert_int_equal(hio_set_unpack(w.io, i == 0 ? &short_lines : &short_counted), 0);
            hio_read(w.io);
        }
        fixture_send(w.peer, i == 1 ? "\1\0" : "123456789", i == 1 ? 2 : 9);
        fixture_run(w.loop, is_closed, &w);
        assert_int_equal(w.error, HERR_FRAME_SIZE);
        assert_int_equal(w.pieces, 0);
        end(&w);
    }
}

static void an_impossible_frame_closes_with_frame_error(void **state)
{
    unpack_setting_t varint = {.mode = UNPACK_BY_LENGTH_FIELD,
                               .body_offset = 1,
                               .length_field_bytes = 1,
                               .length_field_coding = ENCODE_BY_VARINT};
    world_t w;

    (void)state;
    begin(&w);
    assert_int_equal(hio_set_unpack(w.io, &varint), 0);
    hio_read(w.io);
    send_text(&w, "\3abc\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff");
    fixture_run(w.loop, is_closed, &w);
    assert_int_equal(w.error, HERR_FRAME);
    assert_string_equal(w.log.data, "\3abc|");
    end(&w);
}

static void eof_drops_an_incomplete_frame_and_is_no_error(void **state)
{
    world_t w;

    (void)state;
    for (int i = 0; i < 2; i++) {
        begin(&w);
        if (i == 0) {
            assert_int_equal(hio_set_unpack(w.io, &lines), 0);
            hio_read(w.io);
            send_text(&w, "one\ntw");
        } else {
            assert_int_equal(hio_readbytes(w.io, 4), 0);
            send_text(&w, "one");
        }
        close(w.peer);
        w.peer = -1;
        fixture_run(w.loop, is_closed, &w);
        assert_string_equal(w.log.data ? w.log.data : "", i == 0 ? "one\n|" : "");
        assert_int_equal(w.error, 0);
        end(&w);
    }
}

static void pieces_held_at_eof_are_still_delivered(void **state)
{
    world_t w;

    (void)state;
    begin(&w);
    assert_int_equal(hio_readline(w.io), 0);
    send_text(&w, "one\ntwo\nthree\n");
    expect_log(&w, "one\n|");
    close(w.peer);
    w.peer = -1;
    fixture_settle(w.loop);
    assert_int_equal(hio_readline(w.io), 0);
    expect_log(&w, "one\n|two\n|");
    w.on_piece = next_line;
    assert_int_equal(hio_readline(w.io), 0);
    fixture_run(w.loop, is_closed, &w);
    assert_string_equal(w.log.data, "one\n|two\n|three\n|");
    assert_int_equal(w.error, 0);
    end(&w);
}

static void bad_arguments_are_refused_and_change_nothing(void **state)
{
    unpack_setting_t bad = lines;
    world_t w;
    hio_t *datagram;

    (void)state;
    begin(&w);
    bad.delimiter_bytes = 9;
    assert_int_equal(hio_set_unpack(w.io, &triples), 0);
    assert_int_equal(hio_set_unpack(w.io, &bad), -EINVAL);
    assert_int_equal(hio_readbytes(w.io, 0), -EINVAL);
    assert_int_equal(hio_readbytes(w.io, (1 << 21) + 1), -EINVAL);
    assert_int_equal(hio_set_max_read_bufsize(w.io, 0), -EINVAL);
    hio_read(w.io);
    send_text(&w, "abcd");
    expect_log(&w, "abc|");
    datagram = hio_get(w.loop, socket(AF_INET, SOCK_DGRAM, 0));
    assert_int_equal(hio_set_unpack(datagram, &lines), -EINVAL);
    assert_int_equal(hio_readline(datagram), -EINVAL);
    hio_abort(w.io, 0);
    assert_int_equal(hio_set_unpack(w.io, &lines), HERR_CLOSED);
    assert_int_equal(hio_readline(w.io), HERR_CLOSED);
    end(&w);
}

/* ---- out of memory ----------------------------------------------------------------------------------- */

typedef struct oom_world_s {
    unsigned pieces;
    bool closed;
    int error;
} oom_world_t;

static void oom_on_read(hio_t *io, void *buf, int len)
{
    oom_world_t *o = hevent_userdata(io);

    (void)buf;
    (void)len;
    if (++o->pieces == 1)
        hio_readline(io);
    else
        hio_read(io);
}

static void oom_on_close(hio_t *io)
{
    oom_world_t *o = hevent_userdata(io);

    o->closed = true;
    o->error = hio_error(io);
}

static int oom_drive(hloop_t *loop, hio_t *io, int peer, oom_world_t *o)
{
    static const char *const parts[] = {"abc", "def\ngh", "i\njkl"};
    int err = hio_set_unpack(io, &lines);

    if (err == 0)
        err = hio_read(io);
    for (size_t i = 0; i < 3 && err == 0 && !o->closed; i++) {
        if (send(peer, parts[i], strlen(parts[i]), MSG_NOSIGNAL) < 0)
            break;
        for (int n = 0; n < 4 && err == 0; n++)
            err = hloop_run(loop);
    }
    if (err == 0 && !o->closed && o->pieces != 2)
        err = -ENOMEM; /* a loop without memory for what is ready does not get on */
    return o->closed ? o->error : err;
}

static int oom_scenario(void *arg)
{
    hloop_t *loop = fixture_loop();
    oom_world_t o = {0};
    int fds[2], err = -ENOMEM;
    hio_t *io;

    (void)arg;
    if (!loop)
        return -ENOMEM;
    fixture_tcp_pair(fds);
    io = hio_get(loop, fds[0]);
    if (io) {
        hevent_set_userdata(io, &o);
        hio_setcb_read(io, oom_on_read);
        hio_setcb_close(io, oom_on_close);
        err = oom_drive(loop, io, fds[1], &o);
    } else {
        close(fds[0]);
    }
    hloop_free(&loop);
    close(fds[1]);
    return err;
}

static void out_of_memory_is_an_error_and_leaks_nothing(void **state)
{
    (void)state;
    oom_run(oom_scenario, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(frames_come_whole_wherever_the_stream_is_split),
        cmocka_unit_test(frames_come_whole_when_bytes_arrive_one_by_one),
        cmocka_unit_test(a_frame_larger_than_the_read_buffer_is_put_together),
        cmocka_unit_test(whole_frames_need_no_memory_and_are_delivered_in_place),
        cmocka_unit_test(a_callback_may_write_the_byte_behind_its_frame),
        cmocka_unit_test(no_use_after_free_when_a_read_callback_closes_inside_delimiter_framing),
        cmocka_unit_test(frames_behind_a_stop_are_kept_and_come_when_reading_starts_again),
        cmocka_unit_test(framing_can_be_changed_in_the_middle_of_a_batch),
        cmocka_unit_test(framing_can_be_removed_in_the_middle_of_a_batch),
        cmocka_unit_test(removed_while_stopped_what_is_held_still_comes),
        cmocka_unit_test(changed_from_outside_the_rest_is_cut_by_the_new_rule),
        cmocka_unit_test(another_filter_set_in_a_callback_gets_the_rest),
        cmocka_unit_test(one_shot_reads_give_one_piece_and_keep_the_rest),
        cmocka_unit_test(a_piece_may_come_in_parts),
        cmocka_unit_test(a_callback_can_ask_for_the_next_piece),
        cmocka_unit_test(a_piece_goes_before_the_framing_once),
        cmocka_unit_test(asked_from_outside_a_piece_is_cut_out_of_what_is_held),
        cmocka_unit_test(too_long_a_frame_closes_with_frame_size),
        cmocka_unit_test(an_impossible_frame_closes_with_frame_error),
        cmocka_unit_test(eof_drops_an_incomplete_frame_and_is_no_error),
        cmocka_unit_test(pieces_held_at_eof_are_still_delivered),
        cmocka_unit_test(bad_arguments_are_refused_and_change_nothing),
        cmocka_unit_test(out_of_memory_is_an_error_and_leaks_nothing),
    };

    return cmocka_run_group_tests_name("hframe", tests, NULL, NULL);
}
