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
#include "codec/http_head.h"

/* On a copy that is no byte longer. */
static ssize_t end_of(http_scan_t *scan, const char *data, size_t len)
{
    char *copy = malloc(len ? len : 1);
    ssize_t end;

    assert_non_null(copy);
    memcpy(copy, data, len);
    end = http_head_end(scan, copy, len);
    if (end == 0) {
        size_t need = http_head_need(scan, copy, len);

        assert_true(need == 1 || need == 2);
    }
    free(copy);
    return end;
}

/* Cut everywhere, with bytes behind it, the result is the same; and a reader who takes what is
 * needed ends exactly at the end. */
static void ends_at(const char *text, size_t len, ssize_t end)
{
    http_scan_t exact = {0};
    size_t have = 0;

    for (size_t cut = 0; cut <= len; cut++) {
        http_scan_t scan = {0};
        ssize_t got = end_of(&scan, text, cut);

        if (end > 0)
            assert_int_equal(got, cut < (size_t)end ? 0 : end);
        if (got == 0)
            got = end_of(&scan, text, len);
        assert_int_equal(got, end);
    }
    while (end > 0 && end_of(&exact, text, have) == 0)
        have += http_head_need(&exact, text, have);
    if (end > 0)
        assert_int_equal(have, end);
}

#define ENDS_AT(text, end) ends_at(text, sizeof(text) - 1, end)

static void a_head_ends_with_its_empty_line(void **state)
{
    (void)state;
    ENDS_AT("GET / HTTP/1.1\r\nHost: x\r\n\r\nbody", 27);
    ENDS_AT("GET / HTTP/1.1\r\n\r\n\r\n", 18);
    ENDS_AT("GET / HTTP/1.1\nHost: x\n\nbody", 24);
    ENDS_AT("A\r\nB: c\n\r\nbody", 10);
    ENDS_AT("A\n\n", 3);
    ENDS_AT("\r\n", 2);
    ENDS_AT("GET / HTTP/1.1\r\nHost: x\r\n", 0);
    ENDS_AT("", 0);
}

static void bytes_that_no_head_has_are_found_out(void **state)
{
    (void)state;
    ENDS_AT("A\0B", HERR_PROTOCOL);
    ENDS_AT("A\rB\r\n\r\n", HERR_PROTOCOL);
    ENDS_AT("A\r\r\n", HERR_PROTOCOL);
    ENDS_AT("A: \x1b[2J", HERR_PROTOCOL);
    ENDS_AT("\x16\x03\x01", HERR_PROTOCOL);
}

/* A line of n bytes, its end included. */
static size_t add_line(char *head, size_t n)
{
    memset(head, 'a', n);
    head[1] = ':';
    head[n - 2] = '\r';
    head[n - 1] = '\n';
    return n;
}

static void lines_heads_and_fields_have_a_maximum(void **state)
{
    char *head = malloc(2 * HTTP_HEAD_MAX);
    http_scan_t scan = {0};
    size_t len;

    (void)state;
    assert_non_null(head);
    len = add_line(head, HTTP_LINE_MAX);
    assert_int_equal(end_of(&scan, head, len), 0);
    memset(head, 'a', HTTP_LINE_MAX + 1);
    memset(&scan, 0, sizeof(scan));
    assert_int_equal(end_of(&scan, head, HTTP_LINE_MAX - 1), 0);
    assert_int_equal(end_of(&scan, head, HTTP_LINE_MAX), HERR_FRAME_SIZE);

    for (len = 0; len < HTTP_HEAD_MAX;)
        len += add_line(head + len, HTTP_LINE_MAX);
    memcpy(head + HTTP_HEAD_MAX - 4, "\r\n\r\n", 4);
    memset(&scan, 0, sizeof(scan));
    assert_int_equal(end_of(&scan, head, HTTP_HEAD_MAX), HTTP_HEAD_MAX);
    memcpy(head + HTTP_HEAD_MAX - 4, "aa\r\n\r\n", 6);
    memset(&scan, 0, sizeof(scan));
    assert_int_equal(end_of(&scan, head, HTTP_HEAD_MAX + 2), HERR_FRAME_SIZE);

    for (len = 0; len < (1 + HTTP_FIELDS_MAX) * 5;)
        len += add_line(head + len, 5);
    memset(&scan, 0, sizeof(scan));
    assert_int_equal(end_of(&scan, head, len), 0);
    len += add_line(head + len, 5);
    assert_int_equal(end_of(&scan, head, len), HERR_FRAME_SIZE);
    free(head);
}

static void fields_are_cut_into_name_and_value(void **state)
{
    http_span_t fields = HTTP_SPAN("Host: x \r\nEmpty:\r\nT:\t a b \t\r\n\r\nbehind: 1\r\n");
    http_span_t name, value;

    (void)state;
    assert_int_equal(http_field_next(&fields, &name, &value), 1);
    assert_true(http_span_ieq(name, "hOST") && http_span_ieq(value, "x"));
    assert_int_equal(http_field_next(&fields, &name, &value), 1);
    assert_true(http_span_ieq(name, "empty") && value.len == 0);
    assert_int_equal(http_field_next(&fields, &name, &value), 1);
    assert_true(http_span_ieq(value, "a b"));
    assert_int_equal(http_field_next(&fields, &name, &value), 0);
}

static void lines_that_are_no_fields_are_refused(void **state)
{
    static const char *const lines[] = {"no colon\r\n",   ": nameless\r\n", "Host : x\r\n",
                                        " folded: x\r\n", "a b: c\r\n",     "\xc3\xa4: x\r\n"};

    (void)state;
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        http_span_t fields = http_span(lines[i]), name, value;

        assert_int_equal(http_field_next(&fields, &name, &value), HERR_PROTOCOL);
    }
}

static void lists_are_searched_in_every_line(void **state)
{
    http_span_t fields = HTTP_SPAN("Connection: TE , \r\nconnection:,Close\r\n\r\n"), value;

    (void)state;
    assert_true(http_field_has(fields, "Connection", "te"));
    assert_true(http_field_has(fields, "Connection", "close"));
    assert_false(http_field_has(fields, "Connection", "clos"));
    assert_false(http_field_has(fields, "TE", "te"));
    assert_true(http_field_find(fields, "CONNECTION", &value));
    assert_int_equal(value.len, 4);
    assert_false(http_field_find(fields, "Host", &value));
}

static void body_is(const char *fields, int err, bool chunked, int64_t length)
{
    bool got_chunked;
    int64_t got;

    assert_int_equal(http_body_length(http_span(fields), &got_chunked, &got), err);
    if (err == 0) {
        assert_int_equal(got_chunked, chunked);
        assert_int_equal(got, length);
    }
}

static void a_body_has_one_length(void **state)
{
    (void)state;
    body_is("\r\n", 0, false, -1);
    body_is("Content-Length: 0\r\n", 0, false, 0);
    body_is("Content-Length: 007\r\nContent-Length: 7\r\n", 0, false, 7);
    body_is("Content-Length: 999999999999999999\r\n", 0, false, 999999999999999999);
    body_is("Transfer-Encoding: Chunked\r\n", 0, true, -1);
    body_is("Content-Length: 7\r\nContent-Length: 8\r\n", HERR_PROTOCOL, false, 0);
    body_is("Content-Length: 7 , 7\r\nContent-Length: 07\r\n", 0, false, 7);
    body_is("Content-Length: 7, 8\r\n", HERR_PROTOCOL, false, 0);
    body_is("Content-Length: 7,\r\n", HERR_PROTOCOL, false, 0);
    body_is("Content-Length: ,7\r\n", HERR_PROTOCOL, false, 0);
    body_is("Content-Length: -1\r\n", HERR_PROTOCOL, false, 0);
    body_is("Content-Length: 1000000000000000000\r\n", HERR_PROTOCOL, false, 0);
    body_is("Content-Length:\r\n", HERR_PROTOCOL, false, 0);
    body_is("Content-Length: 7\r\nTransfer-Encoding: chunked\r\n", HERR_PROTOCOL, false, 0);
    body_is("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", HERR_PROTOCOL, false,
            0);
    body_is("Transfer-Encoding: gzip, chunked\r\n", HERR_UNSUPPORTED, false, 0);
    body_is("Transfer-Encoding: , chunked ,\r\n", 0, true, -1);
    body_is("Transfer-Encoding: chunked, chunked\r\n", HERR_PROTOCOL, false, 0);
    body_is("Transfer-Encoding: chunked\r\nTransfer-Encoding: gzip\r\n", HERR_PROTOCOL, false, 0);
    body_is("Transfer-Encoding:\r\n", HERR_PROTOCOL, false, 0);
    body_is("Transfer-Encoding: chunked;q=1\r\n", HERR_UNSUPPORTED, false, 0);
}

static void authorities_are_told_from_other_text(void **state)
{
    static const char *const good[] = {"",      "h",       "h:",      "h:80", "127.0.0.1:8080",
                                       "[::1]", "[::1]:1", "a-b.c_d", "%41",  "[::ffff:1.2.3.4]"};
    static const char *const bad[] = {"u@h", "h:8o", "[::1",   "[]",       "[::1]x", "h/",
                                      "a b", "h:-1", "h:80:8", "\xc3\xa4", "a\"b",   "[g::1]"};

    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
        assert_true(http_is_authority(http_span(good[i]), false));
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_false(http_is_authority(http_span(bad[i]), false));
    assert_true(http_is_authority(HTTP_SPAN("[::1]:1"), true));
    assert_true(http_is_authority(HTTP_SPAN("h:80"), true));
    assert_false(http_is_authority(HTTP_SPAN("h"), true));
    assert_false(http_is_authority(HTTP_SPAN("h:"), true));
    assert_false(http_is_authority(HTTP_SPAN(":80"), true));
}

static void statuses_have_a_text(void **state)
{
    (void)state;
    assert_string_equal(http_status_text(100), "Continue");
    assert_string_equal(http_status_text(200), "OK");
    assert_string_equal(http_status_text(304), "Not Modified");
    assert_string_equal(http_status_text(431), "Request Header Fields Too Large");
    assert_string_equal(http_status_text(511), "Network Authentication Required");
    assert_string_equal(http_status_text(306), "Unknown");
    assert_string_equal(http_status_text(512), "Unknown");
    assert_string_equal(http_status_text(600), "Unknown");
    assert_string_equal(http_status_text(99), "Unknown");
    assert_string_equal(http_status_text(-1), "Unknown");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_head_ends_with_its_empty_line),
        cmocka_unit_test(bytes_that_no_head_has_are_found_out),
        cmocka_unit_test(lines_heads_and_fields_have_a_maximum),
        cmocka_unit_test(fields_are_cut_into_name_and_value),
        cmocka_unit_test(lines_that_are_no_fields_are_refused),
        cmocka_unit_test(lists_are_searched_in_every_line),
        cmocka_unit_test(a_body_has_one_length),
        cmocka_unit_test(authorities_are_told_from_other_text),
        cmocka_unit_test(statuses_have_a_text),
    };

    return cmocka_run_group_tests_name("http_head", tests, NULL, NULL);
}
