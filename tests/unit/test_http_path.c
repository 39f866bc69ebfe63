/* One thread. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/herr.h"
#include "codec/http_path.h"

#include <errno.h>

#define LENGTH(a) (sizeof(a) / sizeof((a)[0]))

/* Into memory of just the size that it needs; the same in place. */
static ssize_t decode_n(const char *text, size_t len, char *result, size_t size)
{
    char *dst = malloc(len + 1), *own = malloc(len + 1);
    ssize_t n, again;

    assert_non_null(dst);
    assert_non_null(own);
    memcpy(own, text, len);
    n = http_path_decode(dst, len + 1, (http_span_t){text, len});
    again = http_path_decode(own, len + 1, (http_span_t){own, len});
    assert_int_equal(n, again);
    if (n >= 0) {
        assert_memory_equal(dst, own, (size_t)n + 1);
        assert_int_equal(strlen(dst), n);
        assert_true((size_t)n < size);
        memcpy(result, dst, (size_t)n + 1);
    }
    free(dst);
    free(own);
    return n;
}

static void decodes(const char *text, const char *expected)
{
    char result[10000];

    assert_int_equal(decode_n(text, strlen(text), result, sizeof(result)), strlen(expected));
    assert_string_equal(result, expected);
}

static void is_refused(const char *text, ssize_t err)
{
    char result[10000];

    assert_int_equal(decode_n(text, strlen(text), result, sizeof(result)), err);
}

static void paths_lose_their_dots_and_double_slashes(void **state)
{
    static const char *const paths[][2] = {
        {"/", "/"},
        {"//", "/"},
        {"////", "/"},
        {"/a", "/a"},
        {"/a/", "/a/"},
        {"//a", "/a"},
        {"/a//b", "/a/b"},
        {"//etc/hostname", "/etc/hostname"},
        {"/a/.", "/a/"},
        {"/./a", "/a"},
        {"/.", "/"},
        {"/a/..", "/"},
        {"/a/../", "/"},
        {"/a/../b", "/b"},
        {"/a/b/..", "/a/"},
        {"/a/b/../../c", "/c"},
        {"/a//../b", "/b"},
        {"/a/./../b/", "/b/"},
        {"/...", "/..."},
        {"/..a", "/..a"},
        {"/a../b", "/a../b"},
        {"/.a/.b", "/.a/.b"},
        {"/a/..../b", "/a/..../b"},
        {"/a+b", "/a+b"},
        {"/a\\..\\b", "/a\\..\\b"},
        {"/a;x/../b", "/b"},
    };

    (void)state;
    for (size_t i = 0; i < LENGTH(paths); i++)
        decodes(paths[i][0], paths[i][1]);
}

static void escapes_mean_what_they_stand_for(void **state)
{
    (void)state;
    decodes("/%61%2Fb", "/a/b");
    decodes("/a%2fb", "/a/b");
    decodes("/%2e%2e%2e", "/...");
    decodes("/a/%2e%2e/b", "/b");
    decodes("/a/.%2e/b", "/b");
    decodes("/a%2f%2e%2e%2fb", "/b");
    decodes("/a/%2e", "/a/");
    decodes("/%252e%252e/a", "/%2e%2e/a");
    decodes("/%2f%2f/etc", "/etc");
    decodes("/%20%3F%23", "/ ?#");
    decodes("/%c3%a9", "/\xc3\xa9");
    decodes("/\xff", "/\xff");
}

static void no_way_leads_out_of_the_root(void **state)
{
    static const char *const paths[] = {
        "/..",        "/../",           "/../etc",   "/a/../..",         "/a/../../etc",
        "/./..",      "//..",           "/..%2f",    "/..%2fetc",        "/%2e%2e/etc",
        "/%2e%2e%2f", "/.%2e/etc",      "/%2E./etc", "/a/%2e%2e/%2e%2e", "/%2f..",
        "/../a",      "/a/b/../../../", "/%2e%2e",   "/.//../x",         "/x/..//..",
    };

    (void)state;
    for (size_t i = 0; i < LENGTH(paths); i++)
        is_refused(paths[i], HERR_RANGE);
}

static void what_is_no_path_is_refused(void **state)
{
    static const char *const paths[] = {"",     "a",       "*",    "%2Fa",  "/%",   "/%4",
                                        "/%zz", "/%4g",    "/a%",  "/%%41", "/%00", "/a%00b",
                                        "/%2",  "/%u0041", "/% 1", "/%-1",  "?",    "http://a/"};
    char result[16];

    (void)state;
    for (size_t i = 0; i < LENGTH(paths); i++)
        is_refused(paths[i], HERR_SYNTAX);
    assert_int_equal(decode_n("/a\0b", 4, result, sizeof(result)), HERR_SYNTAX);
}

static void every_escape_is_its_byte(void **state)
{
    (void)state;
    for (unsigned c = 1; c < 256; c++) {
        char upper[8], lower[8], expected[8] = {'/', 'x', (char)c, 'y', 0};

        if (c == '/')
            memcpy(expected, "/x/y", 5);
        snprintf(upper, sizeof(upper), "/x%%%02Xy", c);
        snprintf(lower, sizeof(lower), "/x%%%02xy", c);
        decodes(upper, expected);
        decodes(lower, expected);
    }
}

/* Every text of up to five parts out of these: the result has no dots, and is what it becomes. */
static void results_are_their_own_results(void **state)
{
    static const char *const parts[] = {"/", ".", "..", "a", "%2f", "%2e", "%"};
    char text[64], result[64], again[64];

    (void)state;
    for (unsigned n = 0; n < 16807; n++) {
        size_t len = 1;
        ssize_t rc;

        text[0] = '/';
        for (unsigned i = 0, k = n; i < 5; i++, k /= 7)
            len += (size_t)snprintf(text + len, sizeof(text) - len, "%s", parts[k % 7]);
        rc = decode_n(text, len, result, sizeof(result));
        if (rc < 0) {
            assert_true(rc == HERR_SYNTAX || rc == HERR_RANGE);
            continue;
        }
        assert_null(strstr(result, "//"));
        assert_null(strstr(result, "/./"));
        assert_null(strstr(result, "/../"));
        if (!strchr(result, '%')) {
            assert_int_equal(decode_n(result, (size_t)rc, again, sizeof(again)), rc);
            assert_string_equal(result, again);
        }
    }
}

static void a_long_path_needs_its_room(void **state)
{
    static char text[9001], dst[9002];

    (void)state;
    memset(text, 'a', sizeof(text));
    text[0] = '/';
    assert_int_equal(http_path_decode(dst, 9001, (http_span_t){text, 9001}), -ENOBUFS);
    assert_int_equal(http_path_decode(dst, 9002, (http_span_t){text, 9001}), 9001);
    for (size_t i = 1; i + 3 <= 9000; i += 3)
        memcpy(text + i, "../", 3);
    assert_int_equal(http_path_decode(dst, 9002, (http_span_t){text, 9001}), HERR_RANGE);
    for (size_t i = 0; i + 4 <= 9000; i += 4)
        memcpy(text + i, i < 4500 ? "/a/b" : "/../", 4);
    assert_true(http_path_decode(dst, 9002, (http_span_t){text, 9001}) > 0);
}

static void splits(const char *target, const char *path, const char *query)
{
    http_span_t p, q;

    http_path_split(http_span(target), &p, &q);
    assert_int_equal(p.len, strlen(path));
    assert_memory_equal(p.data, path, p.len);
    assert_int_equal(q.data != NULL, query != NULL);
    assert_int_equal(q.len, query ? strlen(query) : 0);
    if (query)
        assert_memory_equal(q.data, query, q.len);
}

static void the_query_begins_at_the_first_question_mark(void **state)
{
    (void)state;
    splits("/a", "/a", NULL);
    splits("/a?", "/a", "");
    splits("/a?b", "/a", "b");
    splits("/a?b?c", "/a", "b?c");
    splits("/a?b#c", "/a", "b");
    splits("/a#c?b", "/a", NULL);
    splits("/a%3Fb?c", "/a%3Fb", "c");
    splits("?b", "", "b");
    splits("", "", NULL);
    splits("*", "*", NULL);
}

static void encoding_is_undone_by_decoding(void **state)
{
    char all[256] = "/", text[1024], back[1024];
    size_t n = 1;
    ssize_t len;

    (void)state;
    for (unsigned c = 1; c < 256; c++) {
        if (c != '/')
            all[n++] = (char)c;
    }
    len = http_path_encode(text, sizeof(text), (http_span_t){all, n});
    assert_true(len > 0);
    assert_int_equal(strlen(text), len);
    for (ssize_t i = 0; i < len; i++)
        assert_true(text[i] == '%' || strchr("-._~!$&'()*+,;=:@/", text[i]) ||
                    (text[i] >= '0' && text[i] <= '9') || (text[i] >= 'a' && text[i] <= 'z') ||
                    (text[i] >= 'A' && text[i] <= 'Z'));
    assert_int_equal(http_path_decode(back, sizeof(back), (http_span_t){text, (size_t)len}), n);
    assert_memory_equal(back, all, n);
    for (size_t size = 0; size <= (size_t)len; size++)
        assert_int_equal(http_path_encode(text, size, (http_span_t){all, n}), -ENOBUFS);
    assert_int_equal(http_path_encode(text, (size_t)len + 1, (http_span_t){all, n}), len);
    assert_int_equal(http_path_encode(text, 1, (http_span_t){NULL, 0}), 0);
    assert_int_equal(http_path_encode(text, sizeof(text), HTTP_SPAN("/a b\"%?")), 15);
    assert_string_equal(text, "/a%20b%22%25%3F");
}

static void dots_hide(void **state)
{
    (void)state;
    assert_true(http_path_is_hidden(HTTP_SPAN("/.git/config")));
    assert_true(http_path_is_hidden(HTTP_SPAN("/a/.hidden")));
    assert_true(http_path_is_hidden(HTTP_SPAN("/...")));
    assert_false(http_path_is_hidden(HTTP_SPAN("/a.b/c.")));
    assert_false(http_path_is_hidden(HTTP_SPAN("/")));
    assert_false(http_path_is_hidden(HTTP_SPAN("")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(paths_lose_their_dots_and_double_slashes),
        cmocka_unit_test(escapes_mean_what_they_stand_for),
        cmocka_unit_test(no_way_leads_out_of_the_root),
        cmocka_unit_test(what_is_no_path_is_refused),
        cmocka_unit_test(every_escape_is_its_byte),
        cmocka_unit_test(results_are_their_own_results),
        cmocka_unit_test(a_long_path_needs_its_room),
        cmocka_unit_test(the_query_begins_at_the_first_question_mark),
        cmocka_unit_test(encoding_is_undone_by_decoding),
        cmocka_unit_test(dots_hide),
    };

    return cmocka_run_group_tests_name("http_path", tests, NULL, NULL);
}
