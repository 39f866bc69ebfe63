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
#include "codec/http_date.h"

#define NONE INT64_MIN

static void reads(const char *text, int64_t expected)
{
    int64_t time_s = NONE;
    int err = http_date_parse_loose(http_span(text), &time_s);

    assert_int_equal(err, expected == NONE ? HERR_SYNTAX : 0);
    assert_true(time_s == expected);
}

static void dates_of_http_are_read(void **state)
{
    (void)state;
    reads("Sun, 06 Nov 1994 08:49:37 GMT", 784111777);
    reads("Sunday, 06-Nov-94 08:49:37 GMT", 784111777);
    reads("Sun Nov  6 08:49:37 1994", 784111777);
    reads("Thu, 01-Jan-1970 00:59:59 GMT", 3599);
    reads("Sun, 06 Nov 3144 08:49:37 GMT", 37074617377);
    reads("Sun, 06 Nov 1800 08:49:37 GMT", -5337933023);
    reads("Thu, 01-Jan-1583 00:00:00 GMT", -12212553600);
}

static void the_order_is_free(void **state)
{
    (void)state;
    reads("1994 Nov 6 08:49:37", 784111777);
    reads("GMT 08:49:37 06-Nov-94 Sunday", 784111777);
    reads("94 6 Nov 08:49:37", 784111777);
    reads("Sun/Nov/6/94/GMT", 784080000);
    reads("1994.Nov.6", 784080000);
    reads("06-Nov-94", 784080000);
    reads("\"Thu 22:50:12 Apr 18 2007 GMT\"", 1176936612);
    reads("15-Sat, Apr-17 21:01:22 GMT", 1492290082);
    reads("15 17 Apr 21:01:22", 1492290082);
    reads("20110623 12:34:56", 1308832496);
    reads("20110623 1:3", 1308790980);
    reads("Sun Nov 6 8:9:37 1994", 784109377);
    reads("Sat, 15-Apr-17 21:01:22 GMT BLAH", 1492290082);
}

static void zones_are_names_letters_or_numbers(void **state)
{
    (void)state;
    reads("Sun, 06 Nov 1994 08:49:37 CET", 784108177);
    reads("06 Nov 1994 08:49:37 EST", 784129777);
    reads("Sun, 12 Sep 2004 15:05:58 -0700", 1095026758);
    reads("20040911 +0200", 1094853600);
    reads("Sun, 06 Nov 1994 08:49:37 +0545", 784091077);
    reads("06 Nov 1994 08:49:37 A", 784108177);
    reads("06 Nov 1994 08:49:37 I", 784079377);
    reads("06 Nov 1994 08:49:37 K", 784075777);
    reads("06 Nov 1994 08:49:37 M", 784068577);
    reads("06 Nov 1994 08:49:37 N", 784115377);
    reads("06 Nov 1994 08:49:37 Y", 784154977);
    reads("06 Nov 1994 08:49:37 Z", 784111777);
    reads("06 Nov 1994 08:49:37 J", NONE);
    reads("Sun, 06 Nov 1994 08:49:37 cet", NONE);
}

static void what_is_no_date_is_refused(void **state)
{
    static const char *const texts[] = {
        "",
        "IAintNoDateFool",
        "Sun Nov  6 008:09:37 1994",
        "BillyWonka  , 18-Apr-07 22:50:12 GMT",
        "Partyday, 18- April-07 22:50:12",
        "Wednes, 1-Januar-2003 00:00:00 GMT",
        "Sat, 15-Apr-17 21:01:22 11:22:33",
        "Sat, 15-Apr-17 ::00 21:01:22",
        "Sat, 15-Apr-17 91:22:33 21:01:22",
        "2017 April 15 21:01:22",
        "Thu, 999999999999-Aug-2007 20:49:07 GMT",
        "Thu, 12-Aug-2007 20:61:99999999999 GMT",
        "20110023 12:34:56",
        "20110632 12:34:56",
        "20111323 12:34:56",
        "20110623 12:34:79",
        "Wed, 31 Dec 2008 23:59:61 GMT",
        "Wed, 31 Dec 2008 24:00:00 GMT",
        "Thu, 01-Jan-1499 00:00:00 GMT",
        "32 Jan 2024",
        "01-13-2024",
        "1994-11-06T08:49:37Z",
        "Nov 1994",
        "6 Nov",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        reads(texts[i], NONE);
    reads("Wed, 31 Dec 2008 23:59:60 GMT", 1230768000);
    reads("31 Apr 2024 12:00:00 GMT", 1714564800);
}

static void every_truncation_is_read(void **state)
{
    static const char text[] = "Sun, 12 Sep 2004 15:05:58 -0700";

    (void)state;
    for (size_t len = 0; len < sizeof(text); len++) {
        char *copy = malloc(len ? len : 1);
        int64_t time_s;

        assert_non_null(copy);
        memcpy(copy, text, len);
        assert_true(http_date_parse_loose((http_span_t){copy, len}, &time_s) <= 0);
        free(copy);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(dates_of_http_are_read),
        cmocka_unit_test(the_order_is_free),
        cmocka_unit_test(zones_are_names_letters_or_numbers),
        cmocka_unit_test(what_is_no_date_is_refused),
        cmocka_unit_test(every_truncation_is_read),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
