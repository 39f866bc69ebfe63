/* One thread. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/herr.h"
#include "codec/unpack.h"

#include <errno.h>
#include <limits.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define RESULTS_MAX 64

/* Frame lengths in order, and at the end what came after the last whole one: 0 or an error. */
typedef struct results_s {
    size_t count;
    int64_t result[RESULTS_MAX];
} results_t;

/* As a reader would call it, on a copy that is no byte longer: a sanitizer sees one
 * read too many. */
static int64_t next_of_copy(const unpack_setting_t *s, unpack_scan_t *scan, const char *data,
                            size_t len)
{
    char *copy = malloc(len ? len : 1);
    int64_t result;

    assert_non_null(copy);
    memcpy(copy, data, len);
    result = unpack_next(s, scan, copy, len);
    free(copy);
    if (result == 0) {
        assert_true(unpack_need(scan) > len);
        assert_true(unpack_need(scan) <=
                    (s->package_max_length ? s->package_max_length : DEFAULT_PACKAGE_MAX_LENGTH));
    }
    return result;
}

/* The stream arrives in pieces of `piece` bytes, after a first one of `first` bytes. A patient
 * reader does not ask before there is what unpack_need said. */
static results_t read_stream(const unpack_setting_t *s, const char *data, size_t len, size_t first,
                             size_t piece, bool patient)
{
    results_t r = {.count = 0};
    unpack_scan_t scan = {0};
    size_t start = 0, have = first < len ? first : len;
    int64_t last = 0;

    assert_int_equal(unpack_check(s), 0);
    for (;;) {
        if (!patient || have == len || have - start >= unpack_need(&scan)) {
            while ((last = next_of_copy(s, &scan, data + start, have - start)) > 0) {
                assert_true(r.count < RESULTS_MAX - 1);
                assert_true((size_t)last <= have - start);
                r.result[r.count++] = last;
                start += (size_t)last;
            }
        }
        if (last < 0 || have == len)
            break;
        have = len - have < piece ? len : have + piece;
    }
    r.result[r.count++] = last;
    return r;
}

static void assert_same(const results_t *a, const results_t *b)
{
    assert_int_equal(a->count, b->count);
    for (size_t i = 0; i < a->count; i++)
        assert_int_equal(a->result[i], b->result[i]);
}

/* The stream gives the same frames whole, cut once at every offset, byte by byte, and to a reader
 * that waits for what it is told to. */
static results_t read_every_way(const unpack_setting_t *s, const char *data, size_t len)
{
    results_t whole = read_stream(s, data, len, len, len, false), other;

    for (size_t cut = 0; cut <= len; cut++) {
        other = read_stream(s, data, len, cut, len, false);
        assert_same(&whole, &other);
        other = read_stream(s, data, len, cut, len, true);
        assert_same(&whole, &other);
    }
    for (size_t piece = 1; piece <= 3; piece++) {
        other = read_stream(s, data, len, 0, piece, false);
        assert_same(&whole, &other);
        other = read_stream(s, data, len, 0, piece, true);
        assert_same(&whole, &other);
    }
    return whole;
}

/* expected ends with the 0 or the error. */
static void assert_frames(const unpack_setting_t *s, const char *data, size_t len,
                          const int64_t *expected, size_t count)
{
    results_t r = read_every_way(s, data, len);

    assert_int_equal(r.count, count);
    for (size_t i = 0; i < count; i++)
        assert_int_equal(r.result[i], expected[i]);
}

#define ASSERT_FRAMES(s, data, len, ...)                                                           \
    assert_frames((s), (data), (len), (const int64_t[]){__VA_ARGS__},                              \
                  COUNT(((const int64_t[]){__VA_ARGS__})))

static unpack_setting_t delimited(const char *delimiter, size_t bytes, unsigned max)
{
    unpack_setting_t s = {.mode = UNPACK_BY_DELIMITER, .package_max_length = max};

    memcpy(s.delimiter, delimiter, bytes);
    s.delimiter_bytes = (unsigned short)bytes;
    return s;
}

static unpack_setting_t by_field(unsigned short offset, unsigned short bytes, unsigned short body,
                                 unpack_coding_e coding)
{
    unpack_setting_t s = {.mode = UNPACK_BY_LENGTH_FIELD,
                          .body_offset = body,
                          .length_field_offset = offset,
                          .length_field_bytes = bytes,
                          .length_field_coding = coding};

    return s;
}

static void settings_of_known_protocols_are_usable(void **state)
{
    const unpack_setting_t mqtt = {
        .mode = UNPACK_BY_LENGTH_FIELD,
        .package_max_length = DEFAULT_PACKAGE_MAX_LENGTH,
        .body_offset = 2,
        .length_field_offset = 1,
        .length_field_bytes = 1,
        .length_field_coding = ENCODE_BY_VARINT,
    };
    unpack_setting_t s;

    (void)state;
    assert_int_equal(unpack_check(&mqtt), 0);
    s = delimited("\r\n", 2, DEFAULT_PACKAGE_MAX_LENGTH);
    assert_int_equal(unpack_check(&s), 0);
    s = by_field(1, 4, 5, ENCODE_BY_BIG_ENDIAN);
    assert_int_equal(unpack_check(&s), 0);
    s = (unpack_setting_t){.mode = UNPACK_BY_FIXED_LENGTH, .fixed_length = 1};
    assert_int_equal(unpack_check(&s), 0);
    s = (unpack_setting_t){.mode = UNPACK_MODE_NONE};
    assert_int_equal(unpack_check(&s), 0);
}

static void settings_that_cannot_work_are_refused(void **state)
{
    unpack_setting_t wrong[] = {
        {.mode = (unpack_mode_e)4},
        {.mode = UNPACK_BY_FIXED_LENGTH, .fixed_length = 0},
        {.mode = UNPACK_BY_FIXED_LENGTH, .fixed_length = 11, .package_max_length = 10},
        {.mode = UNPACK_BY_FIXED_LENGTH, .fixed_length = DEFAULT_PACKAGE_MAX_LENGTH + 1},
        {.mode = UNPACK_BY_DELIMITER, .delimiter_bytes = 0},
        {.mode = UNPACK_BY_DELIMITER, .delimiter_bytes = 9},
        {.mode = UNPACK_BY_DELIMITER, .delimiter_bytes = 2, .package_max_length = 1},
        by_field(0, 0, 4, ENCODE_BY_BIG_ENDIAN),
        by_field(0, 9, 9, ENCODE_BY_BIG_ENDIAN),
        by_field(1, 4, 4, ENCODE_BY_BIG_ENDIAN),
        by_field(65535, 8, 65535, ENCODE_BY_BIG_ENDIAN),
        by_field(0, 4, 4, (unpack_coding_e)0),
        by_field(0, 4, 4, (unpack_coding_e)1),
        by_field(0, 0, 4, ENCODE_BY_VARINT),
        by_field(0, 4, 11, ENCODE_BY_LITTEL_ENDIAN),
    };

    (void)state;
    wrong[COUNT(wrong) - 1].package_max_length = 10;
    for (size_t i = 0; i < COUNT(wrong); i++)
        assert_int_equal(unpack_check(&wrong[i]), -EINVAL);
}

static void without_a_mode_bytes_pass_as_they_come(void **state)
{
    const unpack_setting_t s = {.mode = UNPACK_MODE_NONE};
    unpack_scan_t scan = {0};

    (void)state;
    assert_int_equal(unpack_next(&s, &scan, "abc", 3), 3);
    assert_int_equal(unpack_next(&s, &scan, NULL, 0), 0);
    assert_int_equal(unpack_need(&scan), 1);
}

static void fixed_frames_are_equally_long(void **state)
{
    unpack_setting_t s = {.mode = UNPACK_BY_FIXED_LENGTH, .fixed_length = 4};

    (void)state;
    ASSERT_FRAMES(&s, "aaaabbbbcc", 10, 4, 4, 0);
    ASSERT_FRAMES(&s, "", 0, 0);
    s.fixed_length = 1;
    ASSERT_FRAMES(&s, "abc", 3, 1, 1, 1, 0);
    s.fixed_length = s.package_max_length = 10;
    ASSERT_FRAMES(&s, "aaaabbbbcc", 10, 10, 0);
}

static void delimited_frames_end_with_their_delimiter(void **state)
{
    unpack_setting_t s = delimited("\n", 1, 0);

    (void)state;
    ASSERT_FRAMES(&s, "a\n\nbcd\ne", 8, 2, 1, 4, 0);
    s = delimited("\r\n", 2, 0);
    ASSERT_FRAMES(&s, "USER x\r\n\r\n\n\r\r\nQUIT\r", 19, 8, 2, 4, 0);
    s = delimited("\0", 1, 0);
    ASSERT_FRAMES(&s, "a\0b\0", 4, 2, 2, 0);
    s = delimited("12345678", 8, 0);
    ASSERT_FRAMES(&s, "1234567123456781234567812345678", 31, 15, 8, 8, 0);
    s = delimited("\r\n\r\n", 4, 0);
    ASSERT_FRAMES(&s, "a\r\n\r\r\n\r\n\r\n\r\n\r\n", 14, 8, 4, 0);
}

static void a_delimiter_that_overlaps_itself_is_found_first(void **state)
{
    unpack_setting_t s = delimited("aa", 2, 0);

    (void)state;
    ASSERT_FRAMES(&s, "aaaaa", 5, 2, 2, 0);
    ASSERT_FRAMES(&s, "baaab", 5, 3, 0);
    s = delimited("aab", 3, 0);
    ASSERT_FRAMES(&s, "aaaabaab", 8, 5, 3, 0);
    s = delimited("abab", 4, 0);
    ASSERT_FRAMES(&s, "aababababab", 11, 5, 4, 0);
}

static void a_delimiters_last_byte_may_come_often_without_it(void **state)
{
    char data[200];
    unpack_setting_t s = delimited("\r\n", 2, 0);

    (void)state;
    for (size_t n = 0; n < 60; n++) {
        memset(data, '\n', sizeof(data));
        data[n] = '\r';
        ASSERT_FRAMES(&s, data, n + 2, (int64_t)n + 2, 0);
        ASSERT_FRAMES(&s, data, n + 1, 0);
        data[n + 40] = '\r';
        ASSERT_FRAMES(&s, data, n + 43, (int64_t)n + 2, 40, 0);
    }
    s = delimited("aba", 3, 0);
    for (size_t n = 1; n < 60; n++) {
        memset(data, 'a', sizeof(data));
        data[n] = 'b';
        ASSERT_FRAMES(&s, data, n + 2, (int64_t)n + 2, 0);
    }
}

static void a_delimited_frame_may_be_as_long_as_the_maximum(void **state)
{
    char data[64];

    (void)state;
    for (size_t bytes = 1; bytes <= 8; bytes++) {
        unpack_setting_t s = delimited("\r\n\r\n\r\n\r\n", bytes, 20);

        memset(data, 'x', sizeof(data));
        memcpy(data + 20 - bytes, s.delimiter, bytes);
        ASSERT_FRAMES(&s, data, 20, 20, 0);
        memset(data, 'x', sizeof(data));
        memcpy(data + 21 - bytes, s.delimiter, bytes);
        ASSERT_FRAMES(&s, data, 19, 0);
        ASSERT_FRAMES(&s, data, 20, HERR_FRAME_SIZE);
        ASSERT_FRAMES(&s, data, 40, HERR_FRAME_SIZE);
    }
}

static void a_frame_without_delimiter_ends_at_two_mebibytes(void **state)
{
    char *data = calloc(1, DEFAULT_PACKAGE_MAX_LENGTH);
    unpack_setting_t s = delimited("\n", 1, 0);
    unpack_scan_t scan = {0};

    (void)state;
    assert_non_null(data);
    assert_int_equal(unpack_next(&s, &scan, data, DEFAULT_PACKAGE_MAX_LENGTH - 1), 0);
    assert_int_equal(unpack_next(&s, &scan, data, DEFAULT_PACKAGE_MAX_LENGTH), HERR_FRAME_SIZE);
    assert_int_equal(unpack_next(&s, &scan, data, DEFAULT_PACKAGE_MAX_LENGTH), HERR_FRAME_SIZE);
    free(data);
}

/* What was searched is overwritten with delimiters: they are not seen. */
static void no_byte_is_searched_twice(void **state)
{
    char data[200];

    (void)state;
    for (size_t bytes = 1; bytes <= 8; bytes++) {
        unpack_setting_t s = delimited("********", bytes, 0);
        unpack_scan_t scan = {0};

        memset(data, 'x', sizeof(data));
        assert_int_equal(unpack_next(&s, &scan, data, 100), 0);
        assert_int_equal(unpack_need(&scan), 101);
        memset(data, '*', 100);
        data[99] = 'x';
        assert_int_equal(unpack_next(&s, &scan, data, 150), 0);
        memset(data + 150, '*', bytes);
        assert_int_equal(unpack_next(&s, &scan, data, 200), 150 + (int64_t)bytes);
        assert_int_equal(scan.scanned, 0);
    }
}

static void put_field(char *at, size_t bytes, bool big, uint64_t value)
{
    for (size_t i = 0; i < bytes; i++)
        at[big ? bytes - 1 - i : i] = (char)(value >> (8 * i));
}

static void length_fields_of_every_width_and_order_are_read(void **state)
{
    char data[100];

    (void)state;
    for (unsigned short bytes = 1; bytes <= 8; bytes++) {
        for (int big = 0; big < 2; big++) {
            for (unsigned short gap = 0; gap < 3; gap++) {
                unpack_setting_t s = by_field(gap, bytes, (unsigned short)(2 * gap + bytes),
                                              big ? ENCODE_BY_BIG_ENDIAN : ENCODE_BY_LITTEL_ENDIAN);
                int64_t head = s.body_offset;

                memset(data, 0xff, sizeof(data));
                put_field(data + gap, bytes, big, 7);
                put_field(data + head + 7 + gap, bytes, big, 0);
                ASSERT_FRAMES(&s, data, (size_t)(2 * head + 7), head + 7, head, 0);
                ASSERT_FRAMES(&s, data, (size_t)(2 * head + 6), head + 7, 0);
            }
        }
    }
}

static void a_field_may_count_the_head_too(void **state)
{
    unpack_setting_t s = by_field(2, 2, 6, ENCODE_BY_BIG_ENDIAN);

    (void)state;
    s.length_adjustment = -6;
    ASSERT_FRAMES(&s, "xx\0\x08xx12xx\0\x06xx", 14, 8, 6, 0);
    ASSERT_FRAMES(&s, "xx\0\x05xx12", 8, HERR_FRAME);
    ASSERT_FRAMES(&s, "xx\0\0", 4, HERR_FRAME);
    s.length_adjustment = 3; /* a trailer that it does not count */
    ASSERT_FRAMES(&s, "xx\0\x01xx1ttt", 10, 10, 0);
    s.length_adjustment = SHRT_MIN;
    ASSERT_FRAMES(&s, "xx\x7f\xffxx", 6, HERR_FRAME);
    ASSERT_FRAMES(&s, "xx\x80\0xx", 6, 6, 0);
}

static void a_frame_by_field_may_be_as_long_as_the_maximum(void **state)
{
    static char data[70000];
    unpack_setting_t s = by_field(0, 4, 4, ENCODE_BY_BIG_ENDIAN);
    unpack_scan_t scan = {0};

    (void)state;
    s.package_max_length = 20;
    ASSERT_FRAMES(&s, "\0\0\0\x10xxxxxxxxxxxxxxxx", 20, 20, 0);
    ASSERT_FRAMES(&s, "\0\0\0\x11xxxxxxxxxxxxxxxx", 20, HERR_FRAME_SIZE);
    ASSERT_FRAMES(&s, "\0\0\0\x11", 4, HERR_FRAME_SIZE);
    s.package_max_length = 0;
    put_field(data, 4, true, DEFAULT_PACKAGE_MAX_LENGTH - 4);
    assert_int_equal(unpack_next(&s, &scan, data, sizeof(data)), 0);
    assert_int_equal(unpack_need(&scan), DEFAULT_PACKAGE_MAX_LENGTH);
    scan = (unpack_scan_t){0};
    put_field(data, 4, true, DEFAULT_PACKAGE_MAX_LENGTH - 3);
    assert_int_equal(unpack_next(&s, &scan, data, sizeof(data)), HERR_FRAME_SIZE);
    s.package_max_length = UINT_MAX;
    s.length_adjustment = SHRT_MAX;
    put_field(data, 4, true, UINT_MAX - 4 - SHRT_MAX);
    assert_int_equal(unpack_next(&s, &scan, data, sizeof(data)), 0);
    assert_int_equal(unpack_need(&scan), UINT_MAX);
    scan = (unpack_scan_t){0};
    put_field(data, 4, true, UINT_MAX - 3 - SHRT_MAX);
    assert_int_equal(unpack_next(&s, &scan, data, sizeof(data)), HERR_FRAME_SIZE);
}

static void a_length_that_would_overflow_is_too_long(void **state)
{
    const uint64_t lengths[] = {UINT64_MAX,     UINT64_MAX - 15, (uint64_t)INT64_MAX + 1, INT64_MAX,
                                INT64_MAX - 40, 0x100008001ULL,  0x100008000ULL};
    const short adjustments[] = {0, SHRT_MAX, SHRT_MIN, -16};
    char data[16] = {0};

    (void)state;
    for (size_t i = 0; i < COUNT(lengths); i++) {
        for (size_t a = 0; a < COUNT(adjustments); a++) {
            unpack_setting_t s = by_field(4, 8, 16, ENCODE_BY_LITTLE_ENDIAN);

            s.length_adjustment = adjustments[a];
            put_field(data + 4, 8, false, lengths[i]);
            ASSERT_FRAMES(&s, data, sizeof(data), HERR_FRAME_SIZE);
            s.package_max_length = UINT_MAX;
            ASSERT_FRAMES(&s, data, sizeof(data), HERR_FRAME_SIZE);
        }
    }
}

static size_t put_varint(char *at, uint64_t value)
{
    size_t n = 0;

    for (; value >= 0x80; value >>= 7)
        at[n++] = (char)(value | 0x80);
    at[n++] = (char)value;
    return n;
}

static void a_varint_moves_the_body(void **state)
{
    const uint64_t lengths[] = {0, 1, 126, 127, 128, 129, 300};
    char data[700];

    (void)state;
    for (size_t i = 0; i < COUNT(lengths); i++) {
        for (unsigned short bytes = 1; bytes <= 4; bytes++) {
            unpack_setting_t s = by_field(1, bytes, (unsigned short)(1 + bytes), ENCODE_BY_VARINT);
            size_t n, len;

            memset(data, 0xff, sizeof(data));
            n = put_varint(data + 1, lengths[i]);
            len = 1 + n + lengths[i];
            put_varint(data + len + 1, 3);
            ASSERT_FRAMES(&s, data, len + 5, (int64_t)len, 5, 0);
            ASSERT_FRAMES(&s, data, len - 1, 0);
        }
    }
}

static void a_varint_has_at_most_64_bits_in_10_bytes(void **state)
{
    unpack_setting_t s = by_field(0, 1, 1, ENCODE_BY_VARINT);

    (void)state;
    ASSERT_FRAMES(&s, "\x80\x80\x80\x80\x80\x80\x80\x80\x80", 9, 0);
    ASSERT_FRAMES(&s, "\x82\x80\x80\x80\x80\x80\x80\x80\x80\0xx", 12, 12, 0); /* long for 2 */
    ASSERT_FRAMES(&s, "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 10, HERR_FRAME_SIZE);
    ASSERT_FRAMES(&s, "\x80\x80\x80\x80\x80\x80\x80\x80\x80\x02", 10, HERR_FRAME);
    ASSERT_FRAMES(&s, "\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80", 10, HERR_FRAME);
    ASSERT_FRAMES(&s, "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", 11, HERR_FRAME);
    s.package_max_length = 5; /* the maximum is reached before the fault */
    ASSERT_FRAMES(&s, "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", 11, HERR_FRAME_SIZE);
    ASSERT_FRAMES(&s, "\x80\x80\x80\x80\0", 5, 5, 0);
    ASSERT_FRAMES(&s, "\x81\x80\x80\x80\0x", 6, HERR_FRAME_SIZE);
}

static void the_need_is_the_whole_frame_once_its_length_is_known(void **state)
{
    const char mqtt_data[] = {0x30, (char)0x80, 0x02};
    unpack_setting_t s = by_field(2, 4, 6, ENCODE_BY_BIG_ENDIAN);
    unpack_scan_t scan = {0};

    (void)state;
    assert_int_equal(unpack_need(&scan), 1);
    assert_int_equal(unpack_next(&s, &scan, "x", 1), 0);
    assert_int_equal(unpack_need(&scan), 6);
    assert_int_equal(unpack_next(&s, &scan, "xx\0\0\x10", 5), 0);
    assert_int_equal(unpack_need(&scan), 6);
    assert_int_equal(unpack_next(&s, &scan, "xx\0\0\x10\x01", 6), 0);
    assert_int_equal(unpack_need(&scan), 6 + 0x1001);
    assert_int_equal(unpack_next(&s, &scan, NULL, 0x1006), 0); /* nothing is looked at before */
    s = by_field(1, 1, 2, ENCODE_BY_VARINT);
    scan = (unpack_scan_t){0};
    for (size_t len = 1; len < 3; len++) {
        assert_int_equal(unpack_next(&s, &scan, mqtt_data, len), 0);
        assert_int_equal(unpack_need(&scan), len + 1);
    }
    assert_int_equal(unpack_next(&s, &scan, mqtt_data, 3), 0);
    assert_int_equal(unpack_need(&scan), 3 + 256);
    s = (unpack_setting_t){.mode = UNPACK_BY_FIXED_LENGTH, .fixed_length = 9};
    scan = (unpack_scan_t){0};
    assert_int_equal(unpack_next(&s, &scan, "x", 1), 0);
    assert_int_equal(unpack_need(&scan), 9);
}

/* The plainest way to the same answers, for a stream that is there as a whole. */
static int64_t plain_delimited(const unpack_setting_t *s, const char *data, size_t len)
{
    for (size_t end = s->delimiter_bytes; end <= len && end <= s->package_max_length; end++) {
        if (memcmp(data + end - s->delimiter_bytes, s->delimiter, s->delimiter_bytes) == 0)
            return (int64_t)end;
    }
    return len >= s->package_max_length ? HERR_FRAME_SIZE : 0;
}

static void random_streams_agree_with_a_plain_search(void **state)
{
    uint32_t random = 7;
    char data[40];

    (void)state;
    for (int round = 0; round < 3000; round++) {
        unpack_setting_t s;
        results_t r;
        size_t len, start = 0;

        for (size_t i = 0; i < sizeof(data); i++) {
            random = random * 1664525 + 1013904223;
            data[i] = "abb"[random >> 16 & 1];
        }
        len = random >> 8 & 31;
        s = delimited(data + 32, 1 + (random >> 13 & 3), 4 + (random >> 15 & 31));
        r = read_every_way(&s, data, len);
        for (size_t i = 0; i < r.count; i++) {
            assert_int_equal(r.result[i], plain_delimited(&s, data + start, len - start));
            start += r.result[i] > 0 ? (size_t)r.result[i] : 0;
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(settings_of_known_protocols_are_usable),
        cmocka_unit_test(settings_that_cannot_work_are_refused),
        cmocka_unit_test(without_a_mode_bytes_pass_as_they_come),
        cmocka_unit_test(fixed_frames_are_equally_long),
        cmocka_unit_test(delimited_frames_end_with_their_delimiter),
        cmocka_unit_test(a_delimiter_that_overlaps_itself_is_found_first),
        cmocka_unit_test(a_delimiters_last_byte_may_come_often_without_it),
        cmocka_unit_test(a_delimited_frame_may_be_as_long_as_the_maximum),
        cmocka_unit_test(a_frame_without_delimiter_ends_at_two_mebibytes),
        cmocka_unit_test(no_byte_is_searched_twice),
        cmocka_unit_test(length_fields_of_every_width_and_order_are_read),
        cmocka_unit_test(a_field_may_count_the_head_too),
        cmocka_unit_test(a_frame_by_field_may_be_as_long_as_the_maximum),
        cmocka_unit_test(a_length_that_would_overflow_is_too_long),
        cmocka_unit_test(a_varint_moves_the_body),
        cmocka_unit_test(a_varint_has_at_most_64_bits_in_10_bytes),
        cmocka_unit_test(the_need_is_the_whole_frame_once_its_length_is_known),
        cmocka_unit_test(random_streams_agree_with_a_plain_search),
    };

    return cmocka_run_group_tests_name("unpack", tests, NULL, NULL);
}
