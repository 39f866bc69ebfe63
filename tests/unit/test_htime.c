/* One thread. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/herr.h"
#include "base/htime.h"

#define ANY (-1)
#define BERLIN "CET-1CEST,M3.5.0,M10.5.0/3"

static void use_zone(const char *zone)
{
    assert_int_equal(setenv("TZ", zone, 1), 0);
    tzset();
}

/* "2026-11-20 16:45:01" in local time; is_dst as in struct tm, -1 to let the C library say. */
static time_t at(const char *text, int is_dst)
{
    struct tm tm = {.tm_isdst = is_dst};

    assert_int_equal(sscanf(text, "%d-%d-%d %d:%d:%d", &tm.tm_year, &tm.tm_mon, &tm.tm_mday,
                            &tm.tm_hour, &tm.tm_min, &tm.tm_sec),
                     6);
    tm.tm_year -= 1900;
    tm.tm_mon -= 1;
    return mktime(&tm);
}

static void the_monotonic_clock_never_goes_back(void **state)
{
    uint64_t last = htime_monotonic_ns();

    (void)state;
    for (int i = 0; i < 10000; i++) {
        uint64_t now = htime_monotonic_ns();

        assert_true(now >= last);
        last = now;
    }
}

static void the_real_clock_agrees_with_the_system(void **state)
{
    time_t before = time(NULL);
    uint64_t ns = htime_real_ns(), ms = htime_real_ms();
    time_t after = time(NULL);

    (void)state;
    assert_in_range(ns / HTIME_NS_PER_S, before - 1, after + 1);
    assert_in_range(ms / 1000, before - 1, after + 1);
}

static void iso_times_are_utc_or_carry_their_offset(void **state)
{
    char buf[HTIME_ISO_SIZE];

    (void)state;
    use_zone(BERLIN);
    assert_string_equal(htime_iso_utc(0, buf, sizeof(buf)), "1970-01-01T00:00:00.000Z");
    assert_string_equal(htime_iso_utc(951782399007, buf, sizeof(buf)), "2000-02-28T23:59:59.007Z");
    assert_string_equal(htime_iso_local(1794588301123, buf, sizeof(buf)),
                        "2026-11-13T17:45:01.123+0100");
    assert_string_equal(htime_iso_local(1783957501000, buf, sizeof(buf)),
                        "2026-07-13T17:45:01.000+0200");
    use_zone("NST3:30");
    assert_string_equal(htime_iso_local(0, buf, sizeof(buf)), "1969-12-31T20:30:00.000-0330");
}

static void iso_times_fit_at_the_end_of_time(void **state)
{
    char buf[HTIME_ISO_SIZE], small[11];

    (void)state;
    use_zone("UTC0");
    assert_string_equal(htime_iso_utc(UINT64_MAX, buf, sizeof(buf)), "9999-12-31T23:59:59.999Z");
    assert_string_equal(htime_iso_local(UINT64_MAX, buf, sizeof(buf)),
                        "9999-12-31T23:59:59.999+0000");
    assert_string_equal(htime_iso_utc(0, small, sizeof(small)), "1970-01-01");
    assert_ptr_equal(htime_iso_utc(0, small, 0), small);
    assert_string_equal(small, "1970-01-01");
}

static void iso_times_fit_in_a_zone_that_is_past_year_9999(void **state)
{
    char buf[HTIME_ISO_SIZE];

    (void)state;
    use_zone("XXX-14");
    assert_string_equal(htime_iso_local(UINT64_MAX, buf, sizeof(buf)),
                        "10000-01-01T13:59:59.999+1400");
}

static void a_span_is_read_in_every_unit(void **state)
{
    static const struct {
        const char *text;
        uint32_t ms;
    } spans[] = {{"250ms", 250},
                 {"3s", 3000},
                 {"1.5s", 1500},
                 {"2m", 120000},
                 {"1h", 3600000},
                 {"1d", 86400000},
                 {"0", 0},
                 {"7", 7000},
                 {"0.25", 250},
                 {"1.5m", 90000},
                 {"0.5d", 43200000},
                 {"1.001", 1001},
                 {"0.0001", 1}, /* rounded up: never early */
                 {"1.2345s", 1235},
                 {"0.1234567891234s", 124},
                 {"000000000000000000000000001", 1000},
                 {"4294967294ms", UINT32_MAX - 1},
                 {"4294967.294", UINT32_MAX - 1}};
    uint32_t ms;

    (void)state;
    for (size_t i = 0; i < sizeof(spans) / sizeof(spans[0]); i++) {
        assert_int_equal(htime_parse_span_ms(spans[i].text, &ms), 0);
        assert_int_equal(ms, spans[i].ms);
    }
}

static void a_span_that_is_none_is_refused(void **state)
{
    const char *wrong[] = {"",
                           "s",
                           "-1",
                           "+1",
                           " 1",
                           "1 ",
                           "1.",
                           ".5",
                           "1.s",
                           "1x",
                           "1S",
                           "1sec",
                           "1mm",
                           "1.2.3",
                           "0x10",
                           "1e3",
                           "99999999999999999999x"};
    const char *large[] = {"4294967295ms",          "4294968",
                           "4294967.295",           "50d",
                           "99999999999999999999d", "18446744073709551616ms"};
    uint32_t ms = 77;

    (void)state;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        assert_int_equal(htime_parse_span_ms(wrong[i], &ms), HERR_SYNTAX);
    for (size_t i = 0; i < sizeof(large) / sizeof(large[0]); i++)
        assert_int_equal(htime_parse_span_ms(large[i], &ms), HERR_RANGE);
    assert_int_equal(ms, 77);
}

static void cron_finds_the_next_match_of_each_field(void **state)
{
    time_t now;

    (void)state;
    use_zone("UTC0");
    now = at("2026-11-20 16:45:01", -1); /* a Friday */
    assert_int_equal(htime_cron_next(now, ANY, ANY, ANY, ANY, ANY), at("2026-11-20 16:46:00", -1));
    assert_int_equal(htime_cron_next(now, 30, ANY, ANY, ANY, ANY), at("2026-11-20 17:30:00", -1));
    assert_int_equal(htime_cron_next(now, 50, ANY, ANY, ANY, ANY), at("2026-11-20 16:50:00", -1));
    assert_int_equal(htime_cron_next(now, 0, 9, ANY, ANY, ANY), at("2026-11-21 09:00:00", -1));
    assert_int_equal(htime_cron_next(now, ANY, 9, ANY, ANY, ANY), at("2026-11-21 09:00:00", -1));
    assert_int_equal(htime_cron_next(now, 0, 0, 1, ANY, ANY), at("2026-12-01 00:00:00", -1));
    assert_int_equal(htime_cron_next(now, 0, 0, ANY, 0, ANY), at("2026-11-22 00:00:00", -1));
    assert_int_equal(htime_cron_next(now, 0, 0, ANY, 5, ANY), at("2026-11-27 00:00:00", -1));
    assert_int_equal(htime_cron_next(now, 0, 0, 1, ANY, 1), at("2027-01-01 00:00:00", -1));
    assert_int_equal(htime_cron_next(now, 59, 23, 31, ANY, 12), at("2026-12-31 23:59:00", -1));
    assert_int_equal(htime_cron_next(now, 0, 12, 13, 5, ANY), at("2027-08-13 12:00:00", -1));
}

static void cron_is_strictly_after(void **state)
{
    (void)state;
    use_zone("UTC0");
    assert_int_equal(htime_cron_next(at("2026-11-20 16:44:59", -1), 45, ANY, ANY, ANY, ANY),
                     at("2026-11-20 16:45:00", -1));
    assert_int_equal(htime_cron_next(at("2026-11-20 16:45:00", -1), 45, ANY, ANY, ANY, ANY),
                     at("2026-11-20 17:45:00", -1));
    assert_int_equal(htime_cron_next(at("2026-12-31 23:59:59", -1), ANY, ANY, ANY, ANY, ANY),
                     at("2027-01-01 00:00:00", -1));
}

static void cron_knows_leap_days_and_days_that_never_come(void **state)
{
    (void)state;
    use_zone("UTC0");
    assert_int_equal(htime_cron_next(at("2026-11-20 16:45:01", -1), 0, 0, 29, ANY, 2),
                     at("2028-02-29 00:00:00", -1));
    assert_int_equal(htime_cron_next(at("2096-02-29 00:00:00", -1), 0, 0, 29, ANY, 2),
                     at("2104-02-29 00:00:00", -1));
    assert_int_equal(htime_cron_next(at("2026-11-20 16:45:01", -1), 0, 0, 31, ANY, 4), -1);
    assert_int_equal(htime_cron_next(at("2026-11-20 16:45:01", -1), 0, 0, 30, ANY, 2), -1);
}

static void cron_refuses_a_field_out_of_range(void **state)
{
    const int fields[][5] = {{60, ANY, ANY, ANY, ANY}, {-2, ANY, ANY, ANY, ANY},
                             {ANY, 24, ANY, ANY, ANY}, {ANY, ANY, 0, ANY, ANY},
                             {ANY, ANY, 32, ANY, ANY}, {ANY, ANY, ANY, 7, ANY},
                             {ANY, ANY, ANY, ANY, 0},  {ANY, ANY, ANY, ANY, 13}};

    (void)state;
    for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
        const int *f = fields[i];

        assert_int_equal(htime_cron_next(1000000, f[0], f[1], f[2], f[3], f[4]), -1);
    }
    assert_int_equal(htime_cron_next(-1, ANY, ANY, ANY, ANY, ANY), -1);
    assert_int_equal(htime_cron_next(INT64_MAX, ANY, ANY, ANY, ANY, ANY), -1);
}

static void cron_passes_through_daylight_saving(void **state)
{
    time_t first, second;

    (void)state;
    use_zone(BERLIN);
    /* 2027-03-28 02:00 -> 03:00: 02:30 does not exist on that day. */
    assert_int_equal(htime_cron_next(at("2027-03-28 01:59:00", -1), 30, 2, ANY, ANY, ANY),
                     at("2027-03-29 02:30:00", -1));
    assert_int_equal(htime_cron_next(at("2027-03-28 01:59:00", -1), 0, ANY, ANY, ANY, ANY),
                     at("2027-03-28 03:00:00", -1));
    /* 2026-10-25 03:00 -> 02:00: 02:30 comes twice. */
    first = htime_cron_next(at("2026-10-25 01:00:00", -1), 30, 2, ANY, ANY, ANY);
    second = htime_cron_next(first, 30, 2, ANY, ANY, ANY);
    assert_int_equal(first, at("2026-10-25 02:30:00", 1));
    assert_int_equal(second, first + 3600);
    assert_int_equal(htime_cron_next(second, 30, 2, ANY, ANY, ANY), at("2026-10-26 02:30:00", -1));
}

static void cron_finds_a_day_without_a_midnight(void **state)
{
    time_t noon, late;

    (void)state;
    /* As Brazil had it: on 2026-10-18 00:00 -> 01:00. */
    use_zone("BRT3BRST,M10.3.0/0,M2.3.0/0");
    noon = at("2026-10-17 12:00:00", -1);
    late = at("2026-10-17 23:30:00", -1);
    assert_int_equal(htime_cron_next(noon, 10, 1, ANY, 0, ANY), at("2026-10-18 01:10:00", -1));
    assert_int_equal(htime_cron_next(late, ANY, ANY, 18, ANY, ANY), at("2026-10-18 01:00:00", -1));
    assert_int_equal(htime_cron_next(late, 0, 0, ANY, ANY, ANY), at("2026-10-19 00:00:00", -1));
}

/* Against the plainest way: try minute after minute. */
static void cron_agrees_with_trying_every_minute(void **state)
{
    const char *zones[] = {"UTC0", BERLIN, "LHST-10:30LHDT-11,M10.1.0,M4.1.0"};
    uint32_t random = 1;

    (void)state;
    for (int round = 0; round < 60; round++) {
        int f[5] = {ANY, ANY, ANY, ANY, ANY};
        time_t after, t;
        struct tm tm;

        use_zone(zones[round % 3]);
        for (int i = 0; i < 4; i++) {
            random = random * 1664525 + 1013904223;
            if (random >> 31)
                f[i] = (int)(random >> 20 & 1023) % (i == 0 ? 60 : i == 1 ? 24 : i == 2 ? 28 : 7);
        }
        f[2] += f[2] != ANY;
        random = random * 1664525 + 1013904223;
        after = 1790000000 + (time_t)(random % 15000000);
        for (t = after - after % 60 + 60;; t += 60) {
            assert_non_null(localtime_r(&t, &tm));
            if ((f[0] == ANY || f[0] == tm.tm_min) && (f[1] == ANY || f[1] == tm.tm_hour) &&
                (f[2] == ANY || f[2] == tm.tm_mday) && (f[3] == ANY || f[3] == tm.tm_wday))
                break;
        }
        assert_int_equal(htime_cron_next(after, f[0], f[1], f[2], f[3], f[4]), t);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_monotonic_clock_never_goes_back),
        cmocka_unit_test(the_real_clock_agrees_with_the_system),
        cmocka_unit_test(iso_times_are_utc_or_carry_their_offset),
        cmocka_unit_test(iso_times_fit_at_the_end_of_time),
        cmocka_unit_test(iso_times_fit_in_a_zone_that_is_past_year_9999),
        cmocka_unit_test(a_span_is_read_in_every_unit),
        cmocka_unit_test(a_span_that_is_none_is_refused),
        cmocka_unit_test(cron_finds_the_next_match_of_each_field),
        cmocka_unit_test(cron_is_strictly_after),
        cmocka_unit_test(cron_knows_leap_days_and_days_that_never_come),
        cmocka_unit_test(cron_refuses_a_field_out_of_range),
        cmocka_unit_test(cron_passes_through_daylight_saving),
        cmocka_unit_test(cron_finds_a_day_without_a_midnight),
        cmocka_unit_test(cron_agrees_with_trying_every_minute),
    };

    return cmocka_run_group_tests_name("htime", tests, NULL, NULL);
}
