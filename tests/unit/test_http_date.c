/* One thread. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "base/herr.h"
#include "codec/http_date.h"

#define NOW 1795000000 /* November 2026 */
#define EXAMPLE 784111777

/* On a copy that is no byte longer. */
static int parse(const char *text, size_t len, bool cookie, int64_t *time_s)
{
    char *copy = malloc(len ? len : 1);
    http_span_t span = {copy, len};
    int err;

    assert_non_null(copy);
    memcpy(copy, text, len);
    err = cookie ? http_date_parse_cookie(span, time_s) : http_date_parse(span, NOW, time_s);
    free(copy);
    return err;
}

static int64_t date(const char *text)
{
    int64_t time_s = 0;

    assert_int_equal(parse(text, strlen(text), false, &time_s), 0);
    return time_s;
}

static int64_t cookie_date(const char *text)
{
    int64_t time_s = 0;

    assert_int_equal(parse(text, strlen(text), true, &time_s), 0);
    return time_s;
}

static void refused(const char *text, bool cookie)
{
    int64_t time_s = 42;

    assert_int_equal(parse(text, strlen(text), cookie, &time_s), HERR_SYNTAX);
    assert_int_equal(time_s, 42);
}

static void the_three_formats_mean_the_same(void **state)
{
    (void)state;
    assert_int_equal(date("Sun, 06 Nov 1994 08:49:37 GMT"), EXAMPLE);
    assert_int_equal(date("Sunday, 06-Nov-94 08:49:37 GMT"), EXAMPLE);
    assert_int_equal(date("Sun Nov  6 08:49:37 1994"), EXAMPLE);
    assert_int_equal(date("Wed Nov 16 08:49:37 1994"), EXAMPLE + 10 * 86400);
}

static void an_unfinished_date_is_none(void **state)
{
    static const char *const dates[] = {"Sun, 06 Nov 1994 08:49:37 GMT",
                                        "Sunday, 06-Nov-94 08:49:37 GMT",
                                        "Sun Nov  6 08:49:37 1994"};
    int64_t time_s;

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        for (size_t len = 0; len < strlen(dates[i]); len++)
            assert_int_equal(parse(dates[i], len, false, &time_s), HERR_SYNTAX);
    }
}

static void other_texts_are_refused(void **state)
{
    (void)state;
    refused("Sun, 06 Nov 1994 08:49:37 UTC", false);
    refused("Sun, 6 Nov 1994 08:49:37 GMT", false);
    refused("Sun, 06 Nov 1994 08:49:37 GMT ", false);
    refused("Sux, 06 Nov 1994 08:49:37 GMT", false);
    refused("Sun, 06 Nox 1994 08:49:37 GMT", false);
    refused("Sun, 06 Nov 1994 24:00:00 GMT", false);
    refused("Sun, 06 Nov 1994 08:60:00 GMT", false);
    refused("Sun, 06 Nov 1994 08:49:61 GMT", false);
    refused("Sun, 29 Feb 1900 08:49:37 GMT", false);
    refused("Sun, 31 Apr 2026 08:49:37 GMT", false);
    refused("Sun, 00 Apr 2026 08:49:37 GMT", false);
    refused("Sunda, 06-Nov-94 08:49:37 GMT", false);
    refused("784111777", false);
    assert_int_equal(date("Tue, 29 Feb 2000 00:00:00 GMT"), 951782400);
    assert_int_equal(date("Sat, 31 Dec 2016 23:59:60 GMT"), 1483228799);
}

static void two_digits_are_the_nearest_year(void **state)
{
    int64_t time_s = 0;

    (void)state;
    assert_int_equal(date("Thursday, 01-Jan-70 00:00:00 GMT"), 3155760000); /* 2070 */
    assert_int_equal(date("Thursday, 01-Jan-76 00:00:00 GMT"), 3345062400); /* 2076 */
    assert_int_equal(date("Saturday, 01-Jan-77 00:00:00 GMT"), 220924800);
    assert_int_equal(date("Friday, 01-Jan-27 00:00:00 GMT"), 1798761600);
    assert_int_equal(
        http_date_parse(HTTP_SPAN("Friday, 01-Jan-10 00:00:00 GMT"), 3471292800, &time_s),
        0);                               /* asked in 2080 */
    assert_int_equal(time_s, 4417977600); /* 2110 */
}

static void what_is_written_is_read(void **state)
{
    char buf[HTTP_DATE_SIZE], expected[HTTP_DATE_SIZE];
    const int64_t step = 86400 * 13 + 12345;

    (void)state;
    assert_string_equal(http_date_format(EXAMPLE, buf), "Sun, 06 Nov 1994 08:49:37 GMT");
    assert_string_equal(http_date_format(INT64_MAX, buf), "Fri, 31 Dec 9999 23:59:59 GMT");
    assert_string_equal(http_date_format(INT64_MIN, buf), "Sat, 01 Jan 0000 00:00:00 GMT");
    for (int64_t t = HTTP_DATE_MIN; t <= HTTP_DATE_MAX; t += step) {
        time_t c_time = (time_t)t;
        struct tm tm;

        assert_non_null(gmtime_r(&c_time, &tm));
        assert_true(strftime(expected, sizeof(expected), "%a, %d %b ", &tm) > 0);
        assert_memory_equal(http_date_format(t, buf), expected, 12);
        assert_int_equal(date(buf), t);
    }
}

static void dates_of_cookies_are_found_anyhow(void **state)
{
    (void)state;
    assert_int_equal(cookie_date("Sun, 06 Nov 1994 08:49:37 GMT"), EXAMPLE);
    assert_int_equal(cookie_date("Sunday, 06-Nov-94 08:49:37 GMT"), EXAMPLE);
    assert_int_equal(cookie_date("Sun Nov  6 08:49:37 1994"), EXAMPLE);
    assert_int_equal(cookie_date("08:49:37 6 november 94"), EXAMPLE);
    assert_int_equal(cookie_date("Sun, 06-Nov-1994 8:49:37 +0100"), EXAMPLE);
    assert_int_equal(cookie_date("6th nov 1994 08:49:37pm"), EXAMPLE);
    assert_int_equal(cookie_date("Thu, 01 Jan 1970 00:00:00 GMT"), 0);
    assert_int_equal(cookie_date("1 Jan 69 0:0:0"), 3124224000);
    refused("", true);
    refused("Sun, 06 Nov 1994", true);
    refused("06 Nov 08:49:37", true);
    refused("Nov 1994 08:49:37", true);
    refused("06 1994 08:49:37", true);
    refused("06 Nov 1600 08:49:37", true);
    refused("06 Nov 1994 08:49:60", true);
    refused("06 Nov 1994 24:49:30", true);
    refused("31 Nov 1994 08:49:30", true);
    refused("06 Nov 19940 08:49:30", true);
}

static void written_for_a_log(int64_t time_s, int zone_min, const char *expected)
{
    char *buf = malloc(HTTP_DATE_LOG_SIZE);

    assert_non_null(buf);
    assert_string_equal(http_date_format_log(time_s, zone_min, buf), expected);
    free(buf);
}

static void dates_of_logs_are_local(void **state)
{
    (void)state;
    written_for_a_log(EXAMPLE, 0, "06/Nov/1994:08:49:37 +0000");
    written_for_a_log(EXAMPLE, 60, "06/Nov/1994:09:49:37 +0100");
    written_for_a_log(EXAMPLE, -9 * 60 - 30, "05/Nov/1994:23:19:37 -0930");
    written_for_a_log(EXAMPLE, 345, "06/Nov/1994:14:34:37 +0545");
    written_for_a_log(0, 0, "01/Jan/1970:00:00:00 +0000");
    written_for_a_log(-1, 100000, "01/Jan/1970:23:58:59 +2359");
    written_for_a_log(INT64_MAX, 60, "31/Dec/9999:23:59:59 +0100");
    written_for_a_log(INT64_MIN, -60, "01/Jan/0000:00:00:00 -0100");
}

static void stamps_are_written_and_read(void **state)
{
    static const char *const wrong[] = {"",
                                        "19941106 08:49:3",
                                        "19941106 08:49:377",
                                        "19941306 08:49:37",
                                        "19941131 08:49:37",
                                        "19941106T08:49:37",
                                        "1994110608:49:37 ",
                                        "19941106 08:49:60",
                                        "19941100 08:49:37"};
    char buf[HTTP_DATE_STAMP_SIZE];
    int64_t time_s = -1;

    (void)state;
    assert_string_equal(http_date_format_stamp(EXAMPLE, buf), "19941106 08:49:37");
    assert_int_equal(http_date_parse_stamp(http_span(buf), &time_s), 0);
    assert_int_equal(time_s, EXAMPLE);
    assert_string_equal(http_date_format_stamp(INT64_MAX, buf), "99991231 23:59:59");
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        assert_int_equal(http_date_parse_stamp(http_span(wrong[i]), &time_s), HERR_SYNTAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_three_formats_mean_the_same),
        cmocka_unit_test(an_unfinished_date_is_none),
        cmocka_unit_test(other_texts_are_refused),
        cmocka_unit_test(two_digits_are_the_nearest_year),
        cmocka_unit_test(what_is_written_is_read),
        cmocka_unit_test(dates_of_cookies_are_found_anyhow),
        cmocka_unit_test(dates_of_logs_are_local),
        cmocka_unit_test(stamps_are_written_and_read),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
