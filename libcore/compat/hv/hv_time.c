#include "htime.h"

#include "../../base/hstr.h"

void hv_sleep_us(uint64_t us)
{
    struct timespec left = {.tv_sec = (time_t)(us / 1000000),
                            .tv_nsec = (long)(us % 1000000 * 1000)};

    while (nanosleep(&left, &left) != 0 && errno == EINTR)
        ;
}

static datetime_t from_tm(const struct tm *tm, int ms)
{
    return (datetime_t){.year = tm->tm_year + 1900,
                        .month = tm->tm_mon + 1,
                        .day = tm->tm_mday,
                        .hour = tm->tm_hour,
                        .min = tm->tm_min,
                        .sec = tm->tm_sec,
                        .ms = ms};
}

datetime_t datetime_localtime(time_t seconds)
{
    struct tm tm = {0};

    localtime_r(&seconds, &tm);
    return from_tm(&tm, 0);
}

datetime_t datetime_now(void)
{
    uint64_t now_ms = htime_real_ms();
    datetime_t dt = datetime_localtime((time_t)(now_ms / 1000));

    dt.ms = (int)(now_ms % 1000);
    return dt;
}

time_t datetime_mktime(datetime_t *dt)
{
    struct tm tm = {.tm_year = dt->year - 1900,
                    .tm_mon = dt->month - 1,
                    .tm_mday = dt->day,
                    .tm_hour = dt->hour,
                    .tm_min = dt->min,
                    .tm_sec = dt->sec,
                    .tm_isdst = -1};

    return mktime(&tm);
}

char *datetime_fmt(datetime_t *dt, char *buf)
{
    snprintf(buf, DATETIME_FMT_BUFLEN, "%04d-%02d-%02d %02d:%02d:%02d", dt->year, dt->month,
             dt->day, dt->hour, dt->min, dt->sec);
    return buf;
}

char *date_fmt(datetime_t *dt, char *buf)
{
    snprintf(buf, DATE_FMT_BUFLEN, "%04d-%02d-%02d", dt->year, dt->month, dt->day);
    return buf;
}

char *time_fmt(datetime_t *dt, char *buf)
{
    snprintf(buf, TIME_FMT_BUFLEN, "%02d:%02d:%02d", dt->hour, dt->min, dt->sec);
    return buf;
}

/* Not strftime: the names must not follow the locale. */
char *gmtime_fmt(time_t time, char *buf)
{
    static const char days[7][4] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    static const char months[12][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                       "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    struct tm tm = {0};
    char text[96];

    gmtime_r(&time, &tm);
    snprintf(text, sizeof(text), "%s, %02d %s %04d %02d:%02d:%02d GMT", days[tm.tm_wday],
             tm.tm_mday, months[tm.tm_mon], tm.tm_year + 1900, tm.tm_hour, tm.tm_min, tm.tm_sec);
    hstr_copy(buf, GMTIME_FMT_BUFLEN, text);
    return buf;
}

unsigned int gettick_ms(void)
{
    return (unsigned int)(htime_monotonic_ns() / HTIME_NS_PER_MS);
}

unsigned long long gethrtime_us(void)
{
    return htime_monotonic_us();
}

unsigned long long gettimeofday_ms(void)
{
    return htime_real_ms();
}

unsigned long long gettimeofday_us(void)
{
    return htime_real_ns() / 1000;
}
