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
#include "codec/http_alternative.h"
#include "codec/http_date.h"

#define NOW 1000000

/* All that a field says, as text: "h2 host:port age persist|...", and "!" for what is wrong. */
static const char *read_all(const char *value, size_t len)
{
    static const char *const names[] = {"?", "h1", "h2", "h3"};
    static char text[1024];
    char *copy = malloc(len ? len : 1);
    http_span_t rest = {copy, len};
    http_alternative_t a;
    size_t n = 0;
    int result;

    assert_non_null(copy);
    memcpy(copy, value, len);
    text[0] = '\0';
    while ((result = http_alternative_next(&rest, NOW, &a)) > 0)
        n += (size_t)snprintf(text + n, sizeof(text) - n, "%s %s:%d %ld %d|", names[a.to.alpn],
                              a.to.host, a.to.port, (long)(a.expires_s - NOW), a.persist);
    if (result < 0)
        snprintf(text + n, sizeof(text) - n, "!");
    free(copy);
    return text;
}

static void says(const char *value, const char *expected)
{
    assert_string_equal(read_all(value, strlen(value)), expected);
}

static void fields_are_read(void **state)
{
    (void)state;
    says("h2=\":443\"", "h2 :443 86400 0|");
    says("h2=\"Ex.org.:443\"; ma=60", "h2 ex.org:443 60 0|");
    says("h1=\":1\"; ma = \"180\" ; persist=1, h3=\"[::1]:2\";persist=2",
         "h1 :1 180 1|h3 ::1:2 86400 0|");
    says("http/1.1=\"a:1\", http%2F1.1=\"b:2\", spdy=\"c:3\"",
         "h1 a:1 86400 0|h1 b:2 86400 0|? c:3 86400 0|");
    says(", h2=\":443\", ,", "h2 :443 86400 0|");
    says("h2=\":443\"; ma=180;", "h2 :443 180 0|");
    says("h2=\":443\"; x=y; ma=a; ma=7", "h2 :443 7 0|");
    says("", "");
}

static void what_is_wrong_ends_it(void **state)
{
    static const char *const values[] = {"h2",
                                         "h2=",
                                         "h2=:443",
                                         "h2=\"\"",
                                         "h2=\"443\"",
                                         "h2=\"a:\"",
                                         "h2=\"a:-1\"",
                                         "h2=\"a:65536\"",
                                         "h2=\"a:443",
                                         "h2=\"a:443,; ma=\"1\"",
                                         "h2=\":4\" x",
                                         "h2=\":4\" =1",
                                         "h2=\":4\"; ma=,",
                                         "h2=\"::1:4\"",
                                         "h2=\"[::1:4\"",
                                         "h2=\"a b:1\"",
                                         "h2=\"a:18446744073709551614\"",
                                         "h2=\"a/b:1\"",
                                         "h2=\"[]:1\""};

    (void)state;
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++)
        says(values[i], "!");
    says("h2=\":443\", h3=\":x\", h1=\":1\"", "h2 :443 86400 0|!");
}

static void an_end_is_within_the_calendar(void **state)
{
    http_span_t rest = HTTP_SPAN("h2=\":443\"; ma=999999999999999999");
    http_alternative_t a;

    (void)state;
    assert_int_equal(http_alternative_next(&rest, NOW, &a), 1);
    assert_true(a.expires_s == HTTP_DATE_MAX);
}

static void a_part_of_a_field_is_read_in_bounds(void **state)
{
    static const char value[] = "h1=\"a.b:1\"; ma = \"18\" ; persist=1, h3=\"[::1]:2\"";

    (void)state;
    for (size_t len = 0; len < sizeof(value); len++)
        read_all(value, len);
}

static void clear_is_told(void **state)
{
    (void)state;
    assert_true(http_alternative_is_clear(HTTP_SPAN("clear")));
    assert_true(http_alternative_is_clear(HTTP_SPAN(" Clear ; ma=1")));
    assert_false(http_alternative_is_clear(HTTP_SPAN("clear=\":1\"")));
    assert_false(http_alternative_is_clear(HTTP_SPAN("")));
}

static void a_line(const char *line)
{
    http_alternative_t a;
    char buf[HTTP_ALTERNATIVE_LINE_SIZE];

    assert_int_equal(http_alternative_line_parse(http_span(line), &a), 0);
    assert_int_equal(http_alternative_line_write(&a, buf, sizeof(buf)), strlen(line));
    assert_string_equal(buf, line);
    assert_int_equal(http_alternative_line_write(&a, buf, strlen(line)), -ENOBUFS);
}

static void lines_are_read_and_written(void **state)
{
    http_alternative_t a;

    (void)state;
    a_line("h2 ex.com 443 h3 shiny.ex.com 8443 \"20191231 00:00:00\" 0 0");
    a_line("h1 [::1] 80 h2 [2001:db8::1] 8443 \"20191231 00:00:00\" 1 0");
    assert_int_equal(http_alternative_line_parse(
                         HTTP_SPAN("\t h1 Ex.com. 1 h3 s 65535 \"19941106 08:49:37\" 1 0 "), &a),
                     0);
    assert_string_equal(a.from.host, "ex.com");
    assert_int_equal(a.from.alpn, HTTP_ALPN_H1);
    assert_int_equal(a.from.port, 1);
    assert_string_equal(a.to.host, "s");
    assert_int_equal(a.to.port, 65535);
    assert_true(a.expires_s == 784111777);
    assert_true(a.persist);
}

static void other_lines_are_none(void **state)
{
    static const char *const lines[] = {"",
                                        "# h1 a 1 h3 s 2 \"19941106 08:49:37\" 0 0",
                                        "bad a 1 h3 s 2 \"19941106 08:49:37\" 0 0",
                                        "h1 a 1 h9 s 2 \"19941106 08:49:37\" 0 0",
                                        "h1 a 1 h3 s 70000 \"19941106 08:49:37\" 0 0",
                                        "h1 a b h3 s 2 \"19941106 08:49:37\" 0 0",
                                        "h1 a 1 h3 s 2 19941106 08:49:37 0 0",
                                        "h1 a 1 h3 s 2 \"unlimited\" 0 0",
                                        "h1 a 1 h3 s 2 \"19941106 08:49:37\"",
                                        "h1 a 1 h3 s 2 \"19941106 08:49:37\" 2 0",
                                        "h1 a 1 h3 s 2 \"19941106 08:49:37\" 1 1",
                                        "h1 a 1 h3 s 2 \"19941106 08:49:37\" 1 0 1",
                                        "h1 a/b 1 h3 s 2 \"19941106 08:49:37\" 1 0",
                                        "h1  a 1 h3 s 2 \"19941106 08:49:37\" 1 0",
                                        "rubbish"};
    http_alternative_t a;

    (void)state;
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
        assert_int_equal(http_alternative_line_parse(http_span(lines[i]), &a), HERR_SYNTAX);
}

static void the_longest_line_has_room(void **state)
{
    http_alternative_t a = {.from = {.alpn = HTTP_ALPN_H1, .port = 65535}, .expires_s = INT64_MAX};
    char buf[HTTP_ALTERNATIVE_LINE_SIZE];

    (void)state;
    memset(a.from.host, ':', sizeof(a.from.host) - 1);
    a.to = a.from;
    assert_true(http_alternative_line_write(&a, buf, sizeof(buf)) > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fields_are_read),
        cmocka_unit_test(what_is_wrong_ends_it),
        cmocka_unit_test(an_end_is_within_the_calendar),
        cmocka_unit_test(a_part_of_a_field_is_read_in_bounds),
        cmocka_unit_test(clear_is_told),
        cmocka_unit_test(lines_are_read_and_written),
        cmocka_unit_test(other_lines_are_none),
        cmocka_unit_test(the_longest_line_has_room),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
