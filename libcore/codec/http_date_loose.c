/* Dates as people write them: a name, a number or a time at once, in any order. */
#include "http_date.h"

#include "../base/herr.h"

#include <string.h>
#include <strings.h>

#define UNKNOWN (-1)
#define NAME_MAX_LEN 12
#define YEAR_MIN 1583 /* the first whole one of this calendar */
#define ZONE_DIGITS_MAX 1400
#define PARTS_MAX 6 /* what comes behind so many is not read */

typedef struct loose_s {
    const char *begin, *at, *end;
    int week_day, month, day, year, hour, minute, second;
    int zone_min; /* to be added; meaningful if has_zone */
    bool has_zone, year_next;
} loose_t;

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool same(const char *name, const char *text, size_t len)
{
    return strlen(name) == len && strncasecmp(name, text, len) == 0;
}

/* ---- names ----------------------------------------------------------------------------------- */

static int find_name(const char *const *names, int count, const char *text, size_t len)
{
    for (int i = 0; i < count; i++) {
        if (same(names[i], text, len))
            return i;
    }
    return UNKNOWN;
}

static int week_day_of(const char *text, size_t len)
{
    static const char *const names[] = {"Mon",      "Tue",    "Wed",      "Thu",     "Fri",
                                        "Sat",      "Sun",    "Monday",   "Tuesday", "Wednesday",
                                        "Thursday", "Friday", "Saturday", "Sunday"};

    return find_name(names, 14, text, len);
}

static int month_of(const char *text, size_t len)
{
    static const char *const names[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                        "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

    return find_name(names, 12, text, len);
}

/* RFC 822 section 5 and names that are in use: minutes west of UTC. */
static bool zone_of(const char *text, size_t len, int *west)
{
    static const struct {
        const char *name;
        int west;
    } zones[] = {
        {"GMT", 0},     {"UT", 0},      {"UTC", 0},     {"Z", 0},      {"WET", 0},
        {"BST", -60},   {"WEST", -60},  {"CET", -60},   {"MET", -60},  {"MEWT", -60},
        {"CEST", -120}, {"MEST", -120}, {"MESZ", -120}, {"FWT", -60},  {"FST", -120},
        {"EET", -120},  {"WAST", -420}, {"WADT", -480}, {"CCT", -480}, {"JST", -540},
        {"EAST", -600}, {"EADT", -660}, {"GST", -600},  {"NZT", -720}, {"NZST", -720},
        {"NZDT", -780}, {"IDLE", -720}, {"WAT", 60},    {"AST", 240},  {"ADT", 180},
        {"EST", 300},   {"EDT", 240},   {"CST", 360},   {"CDT", 300},  {"MST", 420},
        {"MDT", 360},   {"PST", 480},   {"PDT", 420},   {"YST", 540},  {"YDT", 480},
        {"HST", 600},   {"HDT", 540},   {"CAT", 600},   {"AHST", 600}, {"NT", 660},
        {"IDLW", 720},
    };
    char letter = text[0];

    for (size_t i = 0; i < sizeof(zones) / sizeof(zones[0]); i++) {
        if (strlen(zones[i].name) == len && memcmp(zones[i].name, text, len) == 0) {
            *west = zones[i].west;
            return true;
        }
    }
    if (len != 1 || letter < 'A' || letter > 'Z' || letter == 'J')
        return false;
    /* The military ones: A to M are east of it, without J, N to Y west. */
    if (letter <= 'M')
        *west = -60 * (letter - 'A' + (letter < 'J')); /* K is 10 */
    else
        *west = 60 * (letter - 'M');
    return true;
}

static bool read_name(loose_t *d)
{
    const char *text = d->at;
    size_t len;

    while (d->at < d->end && is_letter(*d->at))
        d->at++;
    len = (size_t)(d->at - text);
    if (len >= NAME_MAX_LEN)
        return false;
    if (d->week_day == UNKNOWN && (d->week_day = week_day_of(text, len)) != UNKNOWN)
        return true;
    if (d->month == UNKNOWN && (d->month = month_of(text, len)) != UNKNOWN)
        return true;
    if (d->has_zone)
        return false;
    d->has_zone = zone_of(text, len, &d->zone_min);
    return d->has_zone;
}

/* ---- numbers --------------------------------------------------------------------------------- */

static bool read_two(const char **at, const char *end, int max, int *value)
{
    const char *p = *at;

    if (p == end || !is_digit(*p))
        return false;
    *value = *p++ - '0';
    if (p < end && is_digit(*p))
        *value = *value * 10 + (*p++ - '0');
    *at = p;
    return *value <= max;
}

/* "08:49" or "08:49:37". */
static bool read_time(loose_t *d)
{
    const char *p = d->at;
    int hour, minute, second = 0;

    if (!read_two(&p, d->end, 23, &hour) || p == d->end || *p++ != ':' ||
        !read_two(&p, d->end, 59, &minute))
        return false;
    if (p + 1 < d->end && *p == ':' && is_digit(p[1])) {
        p++;
        if (!read_two(&p, d->end, 60, &second))
            return false;
    }
    d->hour = hour;
    d->minute = minute;
    d->second = second;
    d->at = p;
    return true;
}

/* A day of the month if it can be one, then a year, and a day behind that. */
static bool take_number(loose_t *d, int value)
{
    if (!d->year_next && d->day == UNKNOWN) {
        d->year_next = true;
        if (value > 0 && value < 32) {
            d->day = value;
            return true;
        }
    }
    if (!d->year_next || d->year != UNKNOWN)
        return false;
    d->year = value;
    if (value < 100)
        d->year += value > 70 ? 1900 : 2000;
    d->year_next = d->day != UNKNOWN;
    return true;
}

/* "+0200" behind its sign. */
static bool is_zone(const loose_t *d, const char *text, int digits, int value)
{
    return !d->has_zone && digits == 4 && value <= ZONE_DIGITS_MAX && text > d->begin &&
           (text[-1] == '+' || text[-1] == '-');
}

static bool read_number(loose_t *d)
{
    const char *text = d->at;
    int value = 0, digits;

    if (d->second == UNKNOWN && read_time(d))
        return true;
    for (; d->at < d->end && is_digit(*d->at); d->at++) {
        if (d->at - text == 8)
            return false;
        value = value * 10 + (*d->at - '0');
    }
    digits = (int)(d->at - text);
    if (is_zone(d, text, digits, value)) {
        d->has_zone = true;
        d->zone_min = (value / 100 * 60 + value % 100) * (text[-1] == '+' ? -1 : 1);
        return true;
    }
    if (digits == 8 && d->year == UNKNOWN && d->month == UNKNOWN && d->day == UNKNOWN) {
        d->year = value / 10000;
        d->month = value / 100 % 100 - 1;
        d->day = value % 100;
        return true;
    }
    return take_number(d, value);
}

/* ---- all of it ------------------------------------------------------------------------------- */

static bool is_date(const loose_t *d)
{
    return d->day >= 1 && d->day <= 31 && d->month >= 0 && d->month <= 11 && d->year >= YEAR_MIN;
}

/* Days since the epoch: years that begin in March, so that a leap day is their last. */
static int64_t days_of(int64_t year, int month, int day)
{
    int64_t y = month < 2 ? year - 1 : year;
    int64_t in_year = (153 * ((month + 10) % 12) + 2) / 5 + day - 1;

    return y * 365 + y / 4 - y / 100 + y / 400 + in_year - 719468;
}

int http_date_parse_loose(http_span_t text, int64_t *time_s)
{
    loose_t d = {.begin = text.data,
                 .at = text.data,
                 .end = text.data + text.len,
                 .week_day = UNKNOWN,
                 .month = UNKNOWN,
                 .day = UNKNOWN,
                 .year = UNKNOWN,
                 .second = UNKNOWN};

    for (int parts = 0; d.at < d.end && parts < PARTS_MAX;) {
        bool word = is_letter(*d.at) || is_digit(*d.at);

        if (!word)
            d.at++;
        else if (!(is_letter(*d.at) ? read_name(&d) : read_number(&d)))
            return HERR_SYNTAX;
        parts += word;
    }
    if (!is_date(&d))
        return HERR_SYNTAX;
    if (d.second == UNKNOWN)
        d.second = 0;
    *time_s = ((days_of(d.year, d.month, d.day) * 24 + d.hour) * 60 + d.minute + d.zone_min) * 60 +
              d.second;
    return 0;
}
