#include "htime.h"

#include "herr.h"
#include "hstr.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define YEAR_9999_LAST_MS 253402300799999ULL
#define CRON_HORIZON_S ((time_t)8 * 366 * 86400)
#define FRACTION_ONE 1000000000ULL

typedef struct cron_s {
    int minute, hour, day, week, month;
} cron_t;

static uint64_t clock_ns(clockid_t clock)
{
    struct timespec ts;

    clock_gettime(clock, &ts);
    return (uint64_t)ts.tv_sec * HTIME_NS_PER_S + (uint64_t)ts.tv_nsec;
}

/* "2026-11-20T16:45:01.123" and the zone behind it. */
static const char *format_iso(const struct tm *tm, uint64_t ms, const char *zone, char *buf,
                              size_t size)
{
    char date[HTIME_ISO_SIZE];

    if (size == 0)
        return buf;
    if (strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%S", tm) == 0)
        date[0] = '\0';
    snprintf(buf, size, "%s.%03u%s", date, (unsigned)(ms % 1000), zone);
    return buf;
}

static time_t seconds_of(uint64_t *real_ms)
{
    if (*real_ms > YEAR_9999_LAST_MS) /* keeps four digits for the year */
        *real_ms = YEAR_9999_LAST_MS;
    return (time_t)(*real_ms / 1000);
}

/* The unit of a span in ms; 0 if there is none of that name. */
static uint64_t unit_ms(const char *unit)
{
    static const struct {
        const char *name;
        uint64_t ms;
    } units[] = {{"", 1000}, {"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}, {"d", 86400000}};

    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        if (strcmp(unit, units[i].name) == 0)
            return units[i].ms;
    }
    return 0;
}

static bool field_valid(int value, int min, int max)
{
    return value == -1 || (value >= min && value <= max);
}

static bool cron_valid(const cron_t *c)
{
    return field_valid(c->minute, 0, 59) && field_valid(c->hour, 0, 23) &&
           field_valid(c->day, 1, 31) && field_valid(c->week, 0, 6) && field_valid(c->month, 1, 12);
}

static bool matches(int field, int value)
{
    return field == -1 || field == value;
}

/* Midnight of the day or the month after tm's. Where daylight saving skips that midnight a C
 * library may answer with a moment before it, even before `now` (glibc does not): one then goes on
 * by the hour. */
static time_t next_midnight(const struct tm *tm, time_t now, bool month)
{
    struct tm midnight = {.tm_year = tm->tm_year,
                          .tm_mon = month ? tm->tm_mon + 1 : tm->tm_mon,
                          .tm_mday = month ? 1 : tm->tm_mday + 1,
                          .tm_isdst = -1};
    time_t t = mktime(&midnight);

    return t > now ? t : now + (60 - tm->tm_min) * 60;
}

/* 0 if the minute that starts at t matches, else how to go on: a later moment before which nothing
 * matches. -1 when t is no time at all. */
static time_t cron_skip(const cron_t *c, time_t t)
{
    struct tm tm;

    if (!localtime_r(&t, &tm))
        return -1;
    if (!matches(c->month, tm.tm_mon + 1))
        return next_midnight(&tm, t, true);
    if (!matches(c->day, tm.tm_mday) || !matches(c->week, tm.tm_wday))
        return next_midnight(&tm, t, false);
    if (!matches(c->hour, tm.tm_hour))
        return t + (60 - tm.tm_min) * 60;
    if (!matches(c->minute, tm.tm_min))
        return t + 60;
    return 0;
}

uint64_t htime_monotonic_ns(void)
{
    return clock_ns(CLOCK_MONOTONIC);
}

uint64_t htime_monotonic_us(void)
{
    return clock_ns(CLOCK_MONOTONIC) / 1000;
}

uint64_t htime_real_ns(void)
{
    return clock_ns(CLOCK_REALTIME);
}

uint64_t htime_real_ms(void)
{
    return clock_ns(CLOCK_REALTIME) / HTIME_NS_PER_MS;
}

const char *htime_iso_utc(uint64_t real_ms, char *buf, size_t size)
{
    time_t t = seconds_of(&real_ms);
    struct tm tm = {0};

    gmtime_r(&t, &tm);
    return format_iso(&tm, real_ms, "Z", buf, size);
}

const char *htime_iso_local(uint64_t real_ms, char *buf, size_t size)
{
    time_t t = seconds_of(&real_ms);
    struct tm tm = {0};
    char zone[sizeof("+0000")];

    localtime_r(&t, &tm);
    if (strftime(zone, sizeof(zone), "%z", &tm) == 0)
        zone[0] = '\0';
    return format_iso(&tm, real_ms, zone, buf, size);
}

int htime_parse_span_ms(const char *text, uint32_t *ms)
{
    uint64_t whole, unit, total;
    uint32_t fraction;
    int err = hstr_read_decimal(&text, &whole, &fraction);

    unit = err == HERR_SYNTAX ? 0 : unit_ms(text);
    if (unit == 0)
        return HERR_SYNTAX;
    if (err || whole > UINT32_MAX)
        return HERR_RANGE;
    total = whole * unit + (fraction * unit + FRACTION_ONE - 1) / FRACTION_ONE;
    if (total > UINT32_MAX - 1)
        return HERR_RANGE;
    *ms = (uint32_t)total;
    return 0;
}

time_t htime_cron_next(time_t after, int minute, int hour, int day, int week, int month)
{
    const cron_t cron = {minute, hour, day, week, month};
    time_t end, t, next;
    struct tm tm;

    if (after < 0 || !cron_valid(&cron) || !localtime_r(&after, &tm) ||
        __builtin_add_overflow(after, CRON_HORIZON_S, &end))
        return -1;
    for (t = after - tm.tm_sec + 60; t <= end; t = next) {
        next = cron_skip(&cron, t);
        if (next <= 0)
            return next == 0 ? t : -1;
    }
    return -1;
}
