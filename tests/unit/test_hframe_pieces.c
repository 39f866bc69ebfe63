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

/* ---- pieces asked for ------------------------------------------------------------------------ */

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
    begin_frames(&w, &lines);
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

/* ---- ends and errors ------------------------------------------------------------------------- */

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
    begin_frames(&w, &varint);
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

/* ---- out of memory --------------------------------------------------------------------------- */

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

    return cmocka_run_group_tests_name("hframe_pieces", tests, NULL, NULL);
}
