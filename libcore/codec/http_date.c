#include "http_date.h"

#include "../base/herr.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#define DAY_S 86400
#define DAYS_OF_400_YEARS 146097
#define DAYS_TO_EPOCH 719468 /* from 1 March of the year 0 */
#define NAME_LEN 3
#define ZONE_MAX (24 * 60 - 1) /* minutes */

static const char day_names[] = "SunMonTueWedThuFriSat";
static const char month_names[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
static const char *const long_days[] = {"Sunday",   "Monday", "Tuesday", "Wednesday",
                                        "Thursday", "Friday", "Saturday"};

typedef struct moment_s {
    int64_t year;
    int month; /* 1-12 */
    int day, hour, minute, second;
} moment_t;

/* ---- the calendar ---------------------------------------------------------------------------- */

static int64_t floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

/* Years that begin in March have the odd day at their end, and months a regular pattern. */
static int64_t days_since_epoch(int64_t year, int month, int day)
{
    int64_t y = year - (month <= 2);
    int64_t era = floor_div(y, 400);
    int64_t year_of_era = y - era * 400;
    int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;

    return era * DAYS_OF_400_YEARS + day_of_era - DAYS_TO_EPOCH;
}

static moment_t civil(int64_t time_s)
{
    int64_t days = floor_div(time_s, DAY_S);
    int left = (int)(time_s - days * DAY_S);
    int64_t z = days + DAYS_TO_EPOCH;
    int64_t era = floor_div(z, DAYS_OF_400_YEARS);
    int64_t day = z - era * DAYS_OF_400_YEARS;
    int64_t year = (day - day / 1460 + day / 36524 - day / 146096) / 365;
    int day_of_year = (int)(day - (365 * year + year / 4 - year / 100));
    int month = (5 * day_of_year + 2) / 153;

    return (moment_t){.year = year + era * 400 + (month >= 10),
                      .month = month < 10 ? month + 3 : month - 9,
                      .day = day_of_year - (153 * month + 2) / 5 + 1,
                      .hour = left / 3600,
                      .minute = left / 60 % 60,
                      .second = left % 60};
}

static bool is_leap(int64_t year)
{
    return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

static int days_in_month(int64_t year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};

    return days[month - 1] + (month == 2 && is_leap(year));
}

static int to_seconds(const moment_t *m, int second_max, int64_t *time_s)
{
    int second = m->second < 60 ? m->second : 59;

    if (m->month < 1 || m->month > 12 || m->day < 1 || m->day > days_in_month(m->year, m->month) ||
        m->hour > 23 || m->minute > 59 || m->second > second_max)
        return HERR_SYNTAX;
    *time_s = days_since_epoch(m->year, m->month, m->day) * DAY_S + m->hour * 3600 +
              m->minute * 60 + second;
    return 0;
}

/* ---- by the letter --------------------------------------------------------------------------- */

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Where the name of three letters stands in the list, from 1 on; 0 if it does not. */
static int name_index(const char *names, const char *name)
{
    for (int i = 0; names[(size_t)i * NAME_LEN]; i++) {
        if (strncasecmp(names + (size_t)i * NAME_LEN, name, NAME_LEN) == 0)
            return i + 1;
    }
    return 0;
}

/* Exactly n digits of text. */
static bool read_number(const char *text, int n, int *value)
{
    *value = 0;
    for (int i = 0; i < n; i++) {
        if (!is_digit(text[i]))
            return false;
        *value = *value * 10 + (text[i] - '0');
    }
    return true;
}

/* Reads text to a pattern of its length: a is a letter of a day's name, b of a month's, D m H N S
 * Y are digits of day, month, hour, minute ..., d is a digit or a space of the day; all else stands
 * for itself. */
static bool read_pattern(const char *text, const char *pattern, moment_t *m)
{
    int year = 0;

    for (size_t i = 0, n; pattern[i]; i += n) {
        const char *p = pattern + i, *t = text + i;
        bool good = false;

        for (n = 1; p[n] == p[0] && strchr("abDmHNSY", p[0]); n++)
            ;
        switch (p[0]) {
        case 'a':
            good = name_index(day_names, t) > 0;
            break;
        case 'b':
            good = (m->month = name_index(month_names, t)) > 0;
            break;
        case 'D':
            good = read_number(t, (int)n, &m->day);
            break;
        case 'm':
            good = read_number(t, (int)n, &m->month);
            break;
        case 'd':
            n = 2;
            good = t[0] == ' ' ? read_number(t + 1, 1, &m->day) : read_number(t, 2, &m->day);
            break;
        case 'H':
            good = read_number(t, (int)n, &m->hour);
            break;
        case 'N':
            good = read_number(t, (int)n, &m->minute);
            break;
        case 'S':
            good = read_number(t, (int)n, &m->second);
            break;
        case 'Y':
            good = read_number(t, (int)n, &year);
            break;
        default:
            good = p[0] == t[0];
            break;
        }
        if (!good)
            return false;
    }
    m->year = year;
    return true;
}

static bool reads_as(http_span_t text, const char *pattern, moment_t *m)
{
    return text.len == strlen(pattern) && read_pattern(text.data, pattern, m);
}

/* "Sunday, 06-Nov-94 08:49:37 GMT" */
static bool reads_as_rfc850(http_span_t text, int64_t now_s, moment_t *m)
{
    const char *comma = text.len ? memchr(text.data, ',', text.len) : NULL;
    http_span_t name = {text.data, comma ? (size_t)(comma - text.data) : 0};
    moment_t now = civil(now_s);
    bool named = false;

    for (size_t i = 0; i < sizeof(long_days) / sizeof(long_days[0]); i++)
        named |= http_span_ieq(name, long_days[i]);
    if (!named ||
        !reads_as((http_span_t){comma, text.len - name.len}, ", DD-bbb-YY HH:NN:SS GMT", m))
        return false;
    m->year += floor_div(now.year, 100) * 100;
    if (m->year > now.year + 50)
        m->year -= 100;
    if (m->year <= now.year - 50)
        m->year += 100;
    return true;
}

static int64_t within_calendar(int64_t time_s)
{
    time_s = time_s < HTTP_DATE_MIN ? HTTP_DATE_MIN : time_s;
    return time_s > HTTP_DATE_MAX ? HTTP_DATE_MAX : time_s;
}

const char *http_date_format(int64_t time_s, char *buf)
{
    moment_t m;
    int week;

    time_s = within_calendar(time_s);
    m = civil(time_s);
    week = (int)((floor_div(time_s, DAY_S) % 7 + 7 + 4) % 7); /* the epoch was a Thursday */
    snprintf(buf, HTTP_DATE_SIZE, "%.3s, %02u %.3s %04u %02u:%02u:%02u GMT",
             day_names + (size_t)week * NAME_LEN, (unsigned)m.day % 100,
             month_names + (size_t)(m.month - 1) * NAME_LEN, (unsigned)m.year % 10000,
             (unsigned)m.hour % 100, (unsigned)m.minute % 100, (unsigned)m.second % 100);
    return buf;
}

const char *http_date_format_log(int64_t time_s, int zone_min, char *buf)
{
    moment_t m;
    unsigned offset;

    zone_min = zone_min < -ZONE_MAX ? -ZONE_MAX : zone_min;
    zone_min = zone_min > ZONE_MAX ? ZONE_MAX : zone_min;
    offset = (unsigned)(zone_min < 0 ? -zone_min : zone_min);
    m = civil(within_calendar(within_calendar(time_s) + (int64_t)zone_min * 60));
    snprintf(buf, HTTP_DATE_LOG_SIZE, "%02u/%.3s/%04u:%02u:%02u:%02u %c%02u%02u",
             (unsigned)m.day % 100, month_names + (size_t)(m.month - 1) * NAME_LEN,
             (unsigned)m.year % 10000, (unsigned)m.hour % 100, (unsigned)m.minute % 100,
             (unsigned)m.second % 100, zone_min < 0 ? '-' : '+', offset / 60 % 100, offset % 60);
    return buf;
}

const char *http_date_format_stamp(int64_t time_s, char *buf)
{
    moment_t m = civil(within_calendar(time_s));

    snprintf(buf, HTTP_DATE_STAMP_SIZE, "%04u%02u%02u %02u:%02u:%02u", (unsigned)m.year % 10000,
             (unsigned)m.month % 100, (unsigned)m.day % 100, (unsigned)m.hour % 100,
             (unsigned)m.minute % 100, (unsigned)m.second % 100);
    return buf;
}

int http_date_parse_stamp(http_span_t text, int64_t *time_s)
{
    moment_t m = {0};

    return reads_as(text, "YYYYmmDD HH:NN:SS", &m) ? to_seconds(&m, 59, time_s) : HERR_SYNTAX;
}

int http_date_parse(http_span_t text, int64_t now_s, int64_t *time_s)
{
    moment_t m = {0};

    if (!reads_as(text, "aaa, DD bbb YYYY HH:NN:SS GMT", &m) &&
        !reads_as(text, "aaa bbb dd HH:NN:SS YYYY", &m) && !reads_as_rfc850(text, now_s, &m))
        return HERR_SYNTAX;
    return to_seconds(&m, 60, time_s);
}

/* ---- cookies --------------------------------------------------------------------------------- */

static bool is_delimiter(char c)
{
    return c == '\t' || (c >= 0x20 && c <= 0x2f) || (c >= 0x3b && c <= 0x40) ||
           (c >= 0x5b && c <= 0x60) || (c >= 0x7b && c <= 0x7e);
}

/* min..max digits at the front and then no digit; how many there are, or 0. */
static size_t leading_number(http_span_t text, size_t min, size_t max, int *value)
{
    size_t n = 0;

    while (n < text.len && is_digit(text.data[n]))
        n++;
    return n >= min && n <= max && read_number(text.data, (int)n, value) ? n : 0;
}

/* H:M:S, each of one or two digits. */
static bool take_time(http_span_t token, moment_t *m)
{
    int *const parts[] = {&m->hour, &m->minute, &m->second};
    moment_t before = *m;

    for (size_t i = 0; i < 3; i++) {
        size_t n = leading_number(token, 1, 2, parts[i]);
        bool colon = n > 0 && n < token.len && token.data[n] == ':';

        if (n == 0 || (i < 2 && !colon)) {
            *m = before;
            return false;
        }
        n += i < 2;
        token = (http_span_t){token.data + n, token.len - n};
    }
    return true;
}

typedef struct found_s {
    bool time, day, month, year;
} found_t;

/* The order of the tests is that of the RFC: what was found first stays. */
static void take_token(http_span_t token, moment_t *m, found_t *found)
{
    int year;

    if (!found->time && take_time(token, m)) {
        found->time = true;
    } else if (!found->day && leading_number(token, 1, 2, &m->day) > 0) {
        found->day = true;
    } else if (!found->month && token.len >= NAME_LEN && name_index(month_names, token.data) > 0) {
        m->month = name_index(month_names, token.data);
        found->month = true;
    } else if (!found->year && leading_number(token, 2, 4, &year) > 0) {
        m->year = year;
        found->year = true;
    }
}

int http_date_parse_cookie(http_span_t text, int64_t *time_s)
{
    moment_t m = {0};
    found_t found = {0};

    for (size_t i = 0, end; i < text.len; i = end + 1) {
        for (end = i; end < text.len && !is_delimiter(text.data[end]); end++)
            ;
        take_token((http_span_t){text.data + i, end - i}, &m, &found);
    }
    if (m.year >= 70 && m.year <= 99)
        m.year += 1900;
    else if (m.year < 70)
        m.year += 2000;
    if (!found.time || !found.day || !found.month || !found.year || m.year < 1601)
        return HERR_SYNTAX;
    return to_seconds(&m, 59, time_s);
}
