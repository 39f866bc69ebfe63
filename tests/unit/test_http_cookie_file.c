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
#include "codec/http_cookie_file.h"

static void span_is(http_span_t span, const char *text)
{
    assert_int_equal(span.len, strlen(text));
    assert_memory_equal(span.data, text, span.len);
}

/* In memory of its own length, so that a sanitizer sees who reads behind it. */
static int parse_copy(const char *text, size_t len, http_cookie_t *cookie)
{
    char *copy = malloc(len ? len : 1);
    int result;

    assert_non_null(copy);
    memcpy(copy, text, len);
    result = http_cookie_line_parse((http_span_t){copy, len}, cookie);
    free(copy);
    return result;
}

static http_cookie_t parsed(const char *line)
{
    http_cookie_t c;

    assert_int_equal(http_cookie_line_parse(http_span(line), &c), 0);
    return c;
}

static void a_line_has_seven_fields(void **state)
{
    http_cookie_t c = parsed(".Ex.org\tTRUE\t/a/\tTRUE\t1800000000\tname\ta value=");

    (void)state;
    assert_string_equal(c.domain, "ex.org");
    assert_false(c.host_only);
    span_is(c.path, "/a");
    assert_true(c.secure);
    assert_true(c.persistent);
    assert_int_equal(c.expires_s, 1800000000);
    span_is(c.name, "name");
    span_is(c.value, "a value=");
    assert_false(c.http_only);

    c = parsed("#HttpOnly_ex.org\tfalse\t/\tfalse\t0\tn\tv");
    assert_true(c.http_only);
    assert_true(c.host_only);
    assert_false(c.secure);
    assert_false(c.persistent);
}

static void some_fields_may_be_missing(void **state)
{
    (void)state;
    span_is(parsed("ex.org\tTRUE\tFALSE\t0\tn\tv").path, "/");
    assert_true(parsed("ex.org\tTRUE\tTRUE\t0\tn\tv").secure);
    span_is(parsed("ex.org\tTRUE\t\tFALSE\t0\tn\tv").path, "/");
    span_is(parsed("ex.org\tTRUE\t/\tFALSE\t0\tn").value, "");
    span_is(parsed("ex.org\tTRUE\t/\tFALSE\t0\tn\t").value, "");
    span_is(parsed("ex.org\tTRUE\t\"/q/\"\tFALSE\t0\tn\tv").path, "/q");
    assert_int_equal(parsed("ex.org\tTRUE\t/\tFALSE\t12.5\tn\tv").expires_s, 12);
}

static void other_lines_are_none(void **state)
{
    static const char *const lines[] = {"",
                                        "#",
                                        "# ex.org\tTRUE\t/\tFALSE\t0\tn\tv",
                                        "#HttpOnly_",
                                        "#HttpOnly_#ex.org\tTRUE\t/\tFALSE\t0\tn\tv",
                                        "ex.org",
                                        "ex.org\tTRUE\t/\tFALSE\t0",
                                        "ex.org\tTRUE\t/\tFALSE\t0\tn\tv\tw",
                                        "ex.org\tTRUE\t/\tFALSE\t0\t\tn\tv",
                                        "ex.org\tTRUE\t/\tFALSE\t0\t\tv",
                                        "ex.org\tTRUE\t/\tFALSE\tnever\tn\tv",
                                        "ex.org\tTRUE\t/\tFALSE\t\tn\tv",
                                        "ex.org\tTRUE\t/\tFALSE\t-1\tn\tv",
                                        "ex.org\tTRUE\t/\tFALSE\t9999999999999999999999\tn\tv",
                                        "ex.org\tTRUE\t/\tFALSE\t0\tn\x01\tv",
                                        "ex.org\tTRUE\t/\tFALSE\t0\tn\tv\x7f",
                                        "ex.org\r\tTRUE\t/\tFALSE\t0\tn\tv",
                                        "\tTRUE\t/\tFALSE\t0\tn\tv",
                                        ".\tTRUE\t/\tFALSE\t0\tn\tv"};
    http_cookie_t c;

    (void)state;
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
        assert_int_equal(http_cookie_line_parse(http_span(lines[i]), &c), HERR_SYNTAX);
}

static void a_domain_has_an_end(void **state)
{
    static const char rest[] = "\tTRUE\t/\tFALSE\t0\tn\tv";
    char line[HTTP_COOKIE_DOMAIN_SIZE + 64];
    http_cookie_t c;

    (void)state;
    memset(line, 'a', sizeof(line));
    memcpy(line + HTTP_COOKIE_DOMAIN_SIZE - 1, rest, sizeof(rest));
    assert_int_equal(http_cookie_line_parse(http_span(line), &c), 0);
    line[HTTP_COOKIE_DOMAIN_SIZE - 1] = 'a';
    memcpy(line + HTTP_COOKIE_DOMAIN_SIZE, rest, sizeof(rest));
    assert_int_equal(http_cookie_line_parse(http_span(line), &c), HERR_SYNTAX);
}

static void a_part_of_a_line_is_none_or_another(void **state)
{
    static const char line[] = "#HttpOnly_.ex.org\tTRUE\t/a\tTRUE\t1800000000\tname\tvalue";
    size_t shortest = strlen("#HttpOnly_.ex.org\tTRUE\t/a\tTRUE\t1800000000\tn");
    http_cookie_t c;

    (void)state;
    for (size_t len = 0; len <= sizeof(line); len++) {
        bool whole = len >= shortest && len < sizeof(line); /* its NUL is no text */

        assert_int_equal(parse_copy(line, len, &c), whole ? 0 : HERR_SYNTAX);
    }
}

static void written(const char *line)
{
    http_cookie_t c = parsed(line);
    size_t size = strlen(line) + 1;
    char *buf = malloc(size);

    assert_non_null(buf);
    assert_int_equal(http_cookie_line_write(&c, buf, size), size - 1);
    assert_string_equal(buf, line);
    for (size_t i = 0; i < size; i++)
        assert_int_equal(http_cookie_line_write(&c, buf, i), -ENOBUFS);
    free(buf);
}

static void what_is_written_is_read_again(void **state)
{
    http_cookie_t c = parsed("ex.org\tTRUE\t/\tFALSE\t0\tn\tv");
    char buf[64];

    (void)state;
    written("#HttpOnly_.ex.org\tTRUE\t/a\tTRUE\t1800000000\tname\tvalue");
    written("ex.org\tFALSE\t/\tFALSE\t0\tn\t");
    c.persistent = true;
    c.expires_s = INT64_MIN; /* 0 would make it last */
    assert_true(http_cookie_line_write(&c, buf, sizeof(buf)) > 0);
    assert_string_equal(buf, ".ex.org\tTRUE\t/\tFALSE\t1\tn\tv");
}

static void what_would_not_be_read_is_not_written(void **state)
{
    http_cookie_t good = parsed("ex.org\tTRUE\t/\tFALSE\t0\tn\tv"), c = good;
    char buf[64];

    (void)state;
    c.name = HTTP_SPAN("");
    assert_int_equal(http_cookie_line_write(&c, buf, sizeof(buf)), -EINVAL);
    c = good;
    c.value = HTTP_SPAN("a\tb");
    assert_int_equal(http_cookie_line_write(&c, buf, sizeof(buf)), -EINVAL);
    c = good;
    c.path = HTTP_SPAN("/\n");
    assert_int_equal(http_cookie_line_write(&c, buf, sizeof(buf)), -EINVAL);
    c = good;
    c.domain[0] = '#';
    assert_int_equal(http_cookie_line_write(&c, buf, sizeof(buf)), -EINVAL);
    c.domain[0] = '\0';
    assert_int_equal(http_cookie_line_write(&c, buf, sizeof(buf)), -EINVAL);
}

static void paths_are_plain(void **state)
{
    static const char *const paths[][2] = {
        {"", "/"},      {"/", "/"},  {"/a", "/a"},  {"/a/", "/a"},  {"a", "/"}, {"\"/a/\"", "/a"},
        {"\"/a", "/a"}, {"\"", "/"}, {"\"\"", "/"}, {"/a//", "/a"}, {"//", "/"}};

    (void)state;
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++)
        span_is(http_cookie_plain_path(http_span(paths[i][0])), paths[i][1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_has_seven_fields),
        cmocka_unit_test(some_fields_may_be_missing),
        cmocka_unit_test(other_lines_are_none),
        cmocka_unit_test(a_domain_has_an_end),
        cmocka_unit_test(a_part_of_a_line_is_none_or_another),
        cmocka_unit_test(what_is_written_is_read_again),
        cmocka_unit_test(what_would_not_be_read_is_not_written),
        cmocka_unit_test(paths_are_plain),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
