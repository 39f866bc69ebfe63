/* One thread. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "event/hio_ops.h"
#include "hframe_fixture.h"
#include "oom.h"

/* ---- frames ---------------------------------------------------------------------------------- */

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

            begin_frames(&w, cases[c].setting);
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
    begin_frames(&w, &counted);
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
    begin_frames(&w, &lines);
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
    begin_frames(&w, &triples);
    w.on_piece = write_behind;
    send_text(&w, "abcdefghij");
    expect_log(&w, "abc|def|ghi|");
    send_text(&w, "klm");
    expect_log(&w, "abc|def|ghi|jkl|");
    end(&w);
}

/* ---- callbacks that interfere ---------------------------------------------------------------- */

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
    begin_frames(&w, &lines);
    w.on_piece = stop_it;
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
        begin_frames(&w, &lines);
        w.on_piece = then_triples;
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
        begin_frames(&w, &lines);
        w.on_piece = then_raw;
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
    begin_frames(&w, &lines);
    w.on_piece = stop_it;
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
    begin_frames(&w, &lines);
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
        begin_frames(&w, &lines);
        w.on_piece = then_other;
        if (held)
            send_and_read(&w, "o", 1);
        send_text(&w, held ? "ne\ntwo\nabc" : "one\ntwo\nabc");
        expect_log(&w, held ? "one\n|other:two\nabc|" : "one\n|other:two\nabc|");
        end(&w);
    }
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
    };

    return cmocka_run_group_tests_name("hframe", tests, NULL, NULL);
}
