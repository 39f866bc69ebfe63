/* One thread. */
/* What peers send that is not just one coding, whole and well: the tests of http_decoder.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "http_coding_fixture.h"

static const char sentence[] = "to be coded, to be sent, to be decoded, and to be read by somebody";

static void encode(http_coding_e coding, const char *text, hbytes_t *out)
{
    coding_encode(coding, HTTP_CODING_LEVEL_DEFAULT, http_span(text), 1000, 1000, out);
}

static void expect_text(const hbytes_t *got, const char *text)
{
    assert_int_equal(got->len, strlen(text));
    if (got->len > 0)
        assert_memory_equal(got->data, text, got->len);
}

/* Cut into two at every byte, and into single bytes, with much and with little room. */
static void decodes(const char *codings, http_span_t coded, const char *text)
{
    for (size_t cut = 0; cut <= coded.len; cut++) {
        for (size_t room = 1; room < 3000; room += 999) {
            hbytes_t back = {0};
            size_t left = 0;
            http_coding_t *c;

            assert_int_equal(http_decoder_new(http_span(codings), &c), 0);
            coding_feed(c, (http_span_t){coded.data, cut}, HTTP_CODING_RUN, room, &back, &left);
            assert_int_equal(left, 0);
            assert_int_equal(coding_feed(c, (http_span_t){coded.data + cut, coded.len - cut},
                                         HTTP_CODING_FINISH, room, &back, &left),
                             HTTP_CODING_END);
            assert_false(http_coding_trailing(c));
            expect_text(&back, text);
            http_coding_free(c);
            hbytes_deinit(&back);
        }
    }
}

static int decode_err(const char *codings, http_span_t coded)
{
    hbytes_t back = {0};
    int whole = coding_decode(codings, coded, coded.len + 1, 100, &back);

    assert_int_equal(coding_decode(codings, coded, 1, 100, &back), whole);
    hbytes_deinit(&back);
    return whole;
}

/* ---- one coding ------------------------------------------------------------------------------ */

static void test_it_may_be_cut_anywhere(void **state)
{
    (void)state;
    FOR_EACH_CODING(coding)
    {
        hbytes_t coded = {0};

        encode(coding, sentence, &coded);
        decodes(http_coding_name(coding), coding_span(&coded), sentence);
        hbytes_clear(&coded);
        encode(coding, "", &coded);
        decodes(http_coding_name(coding), coding_span(&coded), "");
        hbytes_deinit(&coded);
    }
}

static void test_every_truncation_is_told(void **state)
{
    (void)state;
    FOR_EACH_CODING(coding)
    {
        const char *name = http_coding_name(coding);
        hbytes_t coded = {0};

        encode(coding, sentence, &coded);
        assert_int_equal(decode_err(name, (http_span_t){NULL, 0}), HTTP_CODING_END);
        for (size_t len = 1; len < coded.len; len++)
            assert_int_equal(decode_err(name, (http_span_t){coded.data, len}), HERR_TRUNCATED);
        hbytes_deinit(&coded);
    }
}

/* Every bit, turned. gzip has a checksum: it ends well with the same text only (bits that fill up a
 * byte mean nothing). */
static void test_damage_is_told(void **state)
{
    (void)state;
    FOR_EACH_CODING(coding)
    {
        size_t past_head = coding == HTTP_CODING_GZIP ? 10 : 0;
        hbytes_t coded = {0}, back = {0};

        encode(coding, sentence, &coded);
        for (size_t bit = past_head * 8; bit < coded.len * 8; bit++) {
            int err;

            coded.data[bit / 8] ^= (char)(1 << bit % 8);
            err = decode_err(http_coding_name(coding), coding_span(&coded));
            assert_true(err == HTTP_CODING_END || err == HERR_PROTOCOL || err == HERR_TRUNCATED ||
                        err == HERR_UNSUPPORTED);
            hbytes_clear(&back);
            err = coding_decode(http_coding_name(coding), coding_span(&coded), 7, 7, &back);
            if (err == HTTP_CODING_END && coding == HTTP_CODING_GZIP)
                expect_text(&back, sentence);
            coded.data[bit / 8] ^= (char)(1 << bit % 8);
        }
        hbytes_deinit(&coded);
        hbytes_deinit(&back);
    }
}

static void test_an_error_stays(void **state)
{
    hbytes_t back = {0};
    http_coding_t *c;
    size_t left;

    (void)state;
    FOR_EACH_CODING(coding)
    {
        assert_int_equal(http_decoder_new(http_span(http_coding_name(coding)), &c), 0);
        assert_int_equal(
            coding_feed(c, HTTP_SPAN("\xff\xff\xff\xff\xff\xff"), HTTP_CODING_RUN, 9, &back, &left),
            HERR_PROTOCOL);
        assert_int_equal(coding_feed(c, HTTP_SPAN(""), HTTP_CODING_FINISH, 9, &back, &left),
                         HERR_PROTOCOL);
        http_coding_free(c);
    }
    hbytes_deinit(&back);
}

/* ---- what comes behind ----------------------------------------------------------------------- */

static void test_members_and_frames_follow_each_other(void **state)
{
    static const http_coding_e codings[] = {HTTP_CODING_GZIP, HTTP_CODING_ZSTD};

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        const char *name = http_coding_name(codings[i]);
        hbytes_t coded = {0};
        size_t first;

        if (!coding_has(codings[i]))
            continue;
        encode(codings[i], "one, ", &coded);
        first = coded.len;
        encode(codings[i], "", &coded);
        encode(codings[i], "two", &coded);
        decodes(name, coding_span(&coded), "one, two");
        for (size_t len = first + 1; len < coded.len; len++) {
            int err = decode_err(name, (http_span_t){coded.data, len});

            assert_true(err == HERR_TRUNCATED || err == HTTP_CODING_END);
        }
        assert_int_equal(decode_err(name, (http_span_t){coded.data, first + 1}), HERR_TRUNCATED);
        hbytes_deinit(&coded);
    }
}

/* RFC 8878 section 3.1.2 */
static void test_frames_to_be_skipped_are_skipped(void **state)
{
    static const char skipped[] = "\x5a\x2a\x4d\x18\x03\0\0\0abc";
    hbytes_t coded = {0};

    (void)state;
    if (!coding_has(HTTP_CODING_ZSTD))
        skip();
    hbytes_append(&coded, skipped, sizeof(skipped) - 1);
    encode(HTTP_CODING_ZSTD, "text", &coded);
    hbytes_append(&coded, skipped, sizeof(skipped) - 1);
    decodes("zstd", coding_span(&coded), "text");
    hbytes_deinit(&coded);
}

static void test_what_is_behind_the_end_is_left(void **state)
{
    static const char *const behind[] = {"garbage", "\0\0\0\0\0", "\x1f garbage", "(\xb5 garbage"};

    (void)state;
    FOR_EACH_CODING(coding)
    {
        for (size_t i = 0; i < 4; i++) {
            hbytes_t coded = {0}, back = {0};
            http_coding_t *c;
            size_t left;

            encode(coding, sentence, &coded);
            hbytes_append(&coded, behind[i], 5);
            assert_int_equal(http_decoder_new(http_span(http_coding_name(coding)), &c), 0);
            assert_int_equal(coding_feed(c, coding_span(&coded), HTTP_CODING_RUN, 10, &back, &left),
                             HTTP_CODING_END);
            assert_int_equal(left, 5);
            assert_true(http_coding_trailing(c));
            expect_text(&back, sentence);
            assert_int_equal(
                coding_feed(c, HTTP_SPAN("and more"), HTTP_CODING_FINISH, 10, &back, &left),
                HTTP_CODING_END);
            http_coding_free(c);

            hbytes_clear(&back);
            assert_int_equal(
                coding_decode(http_coding_name(coding), coding_span(&coded), 1, 10, &back),
                HTTP_CODING_END);
            expect_text(&back, sentence);
            hbytes_deinit(&coded);
            hbytes_deinit(&back);
        }
    }
}

static void test_deflate_without_its_wrapper_is_read(void **state)
{
    hbytes_t coded = {0};

    (void)state;
    if (!coding_has(HTTP_CODING_DEFLATE))
        skip();
    encode(HTTP_CODING_DEFLATE, sentence, &coded);
    decodes("deflate", (http_span_t){coded.data + 2, coded.len - 6}, sentence);
    decodes("deflate", (http_span_t){"\x03\0", 2}, "");
    decodes("deflate", HTTP_SPAN("\x01\x02\0\xfd\xffok"), "ok");
    for (size_t len = 1; len < coded.len - 6; len++)
        assert_int_equal(decode_err("deflate", (http_span_t){coded.data + 2, len}), HERR_TRUNCATED);
    /* A dictionary that nobody has told us. */
    assert_int_equal(decode_err("deflate", HTTP_SPAN("\x78\xbb\x12\x34\x56\x78")),
                     HERR_UNSUPPORTED);
    hbytes_deinit(&coded);
}

/* ---- bounds ---------------------------------------------------------------------------------- */

/* RFC 8878 section 3.1.1.1.2: a window of 2^(10 + exponent) bytes; a block of one byte. */
static int zstd_window(int log)
{
    char frame[] = "\x28\xb5\x2f\xfd\0\0\x09\0\0a";

    frame[5] = (char)((log - 10) << 3);
    return decode_err("zstd", (http_span_t){frame, sizeof(frame) - 1});
}

static void test_a_large_window_is_refused(void **state)
{
    (void)state;
    if (coding_has(HTTP_CODING_ZSTD)) {
        assert_int_equal(zstd_window(10), HTTP_CODING_END);
        assert_int_equal(zstd_window(HTTP_CODING_ZSTD_WINDOW_LOG_MAX), HTTP_CODING_END);
        assert_int_equal(zstd_window(HTTP_CODING_ZSTD_WINDOW_LOG_MAX + 1), HERR_UNSUPPORTED);
        assert_int_equal(zstd_window(31), HERR_UNSUPPORTED);
    }
    /* The mark of brotli's large window, one of 2^28 bytes. */
    if (coding_has(HTTP_CODING_BR))
        assert_int_equal(decode_err("br", HTTP_SPAN("\x11\x1c\x03\0\0\0\0\0")), HERR_PROTOCOL);
}

/* The windows that we ask receivers to have are ones that they must have. */
static void test_our_windows_are_ones_that_all_have(void **state)
{
    (void)state;
    if (!coding_has(HTTP_CODING_ZSTD))
        skip();
    for (int level = 1; level <= 19; level++) {
        hbytes_t coded = {0};
        http_coding_t *c;
        size_t left;

        assert_int_equal(http_encoder_new(HTTP_CODING_ZSTD, level, 1ULL << 40, &c), 0);
        coding_feed(c, http_span(sentence), HTTP_CODING_FLUSH, 1000, &coded, &left);
        http_coding_free(c);
        assert_int_equal(coded.data[4] & 0x20, 0); /* the window is told, not the size */
        assert_true(10 + ((uint8_t)coded.data[5] >> 3) <= HTTP_CODING_ZSTD_WINDOW_LOG_MAX);
        hbytes_deinit(&coded);
    }
}

#define BOMB_SIZE ((size_t)64 << 20)

static void make_bomb(http_coding_e coding, hbytes_t *out)
{
    static const char zeros[65536];
    http_coding_t *c;
    size_t left;

    assert_int_equal(http_encoder_new(coding, 6, BOMB_SIZE, &c), 0);
    for (size_t at = 0; at < BOMB_SIZE; at += sizeof(zeros))
        coding_feed(c, (http_span_t){zeros, sizeof(zeros)}, HTTP_CODING_RUN, 65536, out, &left);
    assert_int_equal(coding_feed(c, (http_span_t){NULL, 0}, HTTP_CODING_FINISH, 65536, out, &left),
                     HTTP_CODING_END);
    http_coding_free(c);
}

/* All of it comes, as much at a time as there is room. */
static void test_a_bomb_is_given_out_in_pieces(void **state)
{
    static char buf[65536];

    (void)state;
    FOR_EACH_CODING(coding)
    {
        hbytes_t bomb = {0};
        http_coding_t *c;
        http_span_t in;
        size_t made = 0;
        int step = HTTP_CODING_AGAIN;

        make_bomb(coding, &bomb);
        assert_true(bomb.len < BOMB_SIZE / 900);
        in = coding_span(&bomb);
        assert_int_equal(http_decoder_new(http_span(http_coding_name(coding)), &c), 0);
        while (step == HTTP_CODING_AGAIN) {
            hbuf_t out = {buf, sizeof(buf)};

            step = http_coding_step(c, &in, &out, HTTP_CODING_FINISH);
            made += sizeof(buf) - out.len;
        }
        assert_int_equal(step, HTTP_CODING_END);
        assert_int_equal(made, BOMB_SIZE);
        http_coding_free(c);
        hbytes_deinit(&bomb);
    }
}

/* Zeros are an endless row of nothing to one who skips them: what one layer makes for the next one
 * is bounded, too, though nothing ever comes out. */
static void test_a_call_works_only_so_long(void **state)
{
    static const char skipped[] = "\x50\x2a\x4d\x18\0\0\0\x7f"; /* about 2 GiB to be skipped */
    static char buf[100];
    hbytes_t bomb = {0}, head = {0};
    http_coding_t *c;
    http_span_t in;
    size_t calls = 0;
    int step = HTTP_CODING_AGAIN;

    (void)state;
    if (!coding_has(HTTP_CODING_ZSTD) || !coding_has(HTTP_CODING_GZIP))
        skip();
    coding_encode(HTTP_CODING_GZIP, 6, (http_span_t){skipped, 8}, 8, 100, &head);
    make_bomb(HTTP_CODING_GZIP, &bomb);
    hbytes_append(&head, bomb.data, bomb.len); /* another member */
    in = coding_span(&head);
    assert_int_equal(http_decoder_new(HTTP_SPAN("zstd, gzip"), &c), 0);
    while (step == HTTP_CODING_AGAIN) {
        hbuf_t out = {buf, sizeof(buf)};

        step = http_coding_step(c, &in, &out, HTTP_CODING_RUN);
        assert_int_equal(out.len, sizeof(buf));
        calls++;
    }
    assert_int_equal(step, HTTP_CODING_MORE);
    assert_in_range(calls, 60, 70);
    http_coding_free(c);
    hbytes_deinit(&bomb);
    hbytes_deinit(&head);
}

/* ---- stacks ---------------------------------------------------------------------------------- */

/* Puts codings on in the order of the list. */
static void stack(const char *list, const char *text, hbytes_t *out)
{
    http_span_t rest = http_span(list), name;
    hbytes_t from = {0};

    hbytes_append_str(out, text);
    while (http_list_next(&rest, &name)) {
        hbytes_t swap = from;
        int coding = http_coding_find(name);

        from = *out;
        *out = swap;
        hbytes_clear(out);
        assert_true(coding >= 0);
        if (coding == HTTP_CODING_IDENTITY)
            hbytes_append(out, from.data, from.len);
        else
            coding_encode((http_coding_e)coding, 5, coding_span(&from), 50, 50, out);
    }
    hbytes_deinit(&from);
}

static void test_codings_over_codings(void **state)
{
    static const char *const lists[] = {"",
                                        "identity",
                                        "gzip, br",
                                        "br, gzip",
                                        "x-gzip,zstd , deflate,",
                                        "identity, gzip, identity",
                                        "gzip, gzip, gzip, gzip, gzip",
                                        "zstd, br, deflate, gzip, br"};

    (void)state;
    if (http_coding_available(HTTP_CODING_ALL) != HTTP_CODING_ALL)
        skip();
    for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
        hbytes_t coded = {0};

        stack(lists[i], sentence, &coded);
        decodes(lists[i], coding_span(&coded), sentence);
        for (size_t len = 1; *lists[i] && i > 1 && len < coded.len; len++)
            assert_int_equal(decode_err(lists[i], (http_span_t){coded.data, len}), HERR_TRUNCATED);
        hbytes_deinit(&coded);
    }
}

/* The checksum of gzip is read though br had its end long before. */
static void test_the_outer_end_is_looked_at(void **state)
{
    hbytes_t coded = {0};

    (void)state;
    if (!coding_has(HTTP_CODING_BR) || !coding_has(HTTP_CODING_GZIP))
        skip();
    stack("br, gzip", sentence, &coded);
    coded.data[coded.len - 6] ^= 1;
    assert_int_equal(decode_err("br, gzip", coding_span(&coded)), HERR_PROTOCOL);
    hbytes_deinit(&coded);
}

static void test_what_is_behind_an_inner_end(void **state)
{
    hbytes_t inner = {0}, coded = {0}, back = {0};
    http_coding_t *c;

    (void)state;
    if (!coding_has(HTTP_CODING_BR) || !coding_has(HTTP_CODING_GZIP))
        skip();
    encode(HTTP_CODING_BR, sentence, &inner);
    hbytes_append_str(&inner, "garbage");
    coding_encode(HTTP_CODING_GZIP, 6, coding_span(&inner), 1000, 1000, &coded);
    assert_int_equal(http_decoder_new(HTTP_SPAN("br, gzip"), &c), 0);
    assert_int_equal(coding_run(c, coding_span(&coded), 3, 5, &back), HTTP_CODING_END);
    assert_true(http_coding_trailing(c));
    expect_text(&back, sentence);
    http_coding_free(c);
    hbytes_deinit(&inner);
    hbytes_deinit(&coded);
    hbytes_deinit(&back);
}

static void test_lists_that_are_refused(void **state)
{
    http_coding_t *c;

    (void)state;
    assert_int_equal(http_decoder_new(HTTP_SPAN("compress"), &c), HERR_UNSUPPORTED);
    assert_null(c);
    assert_int_equal(http_decoder_new(HTTP_SPAN("gzip deflate"), &c), HERR_SYNTAX);
    assert_int_equal(http_decoder_new(HTTP_SPAN("identity, aes128gcm"), &c), HERR_UNSUPPORTED);
    if (coding_has(HTTP_CODING_BR))
        assert_int_equal(http_decoder_new(HTTP_SPAN("br,br,br,br,br,br"), &c), HERR_RANGE);
    http_coding_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_it_may_be_cut_anywhere),
        cmocka_unit_test(test_every_truncation_is_told),
        cmocka_unit_test(test_damage_is_told),
        cmocka_unit_test(test_an_error_stays),
        cmocka_unit_test(test_members_and_frames_follow_each_other),
        cmocka_unit_test(test_frames_to_be_skipped_are_skipped),
        cmocka_unit_test(test_what_is_behind_the_end_is_left),
        cmocka_unit_test(test_deflate_without_its_wrapper_is_read),
        cmocka_unit_test(test_a_large_window_is_refused),
        cmocka_unit_test(test_our_windows_are_ones_that_all_have),
        cmocka_unit_test(test_a_bomb_is_given_out_in_pieces),
        cmocka_unit_test(test_a_call_works_only_so_long),
        cmocka_unit_test(test_codings_over_codings),
        cmocka_unit_test(test_the_outer_end_is_looked_at),
        cmocka_unit_test(test_what_is_behind_an_inner_end),
        cmocka_unit_test(test_lists_that_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
