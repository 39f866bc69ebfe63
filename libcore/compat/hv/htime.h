/* Dates and clocks under libhv's names. */
#ifndef HV_HTIME_H
#define HV_HTIME_H

#include "../../base/htime.h"
#include "hplatform.h"

#ifdef __cplusplus
extern "C" {
#endif

#define SECONDS_PER_MINUTE 60
#define SECONDS_PER_HOUR 3600
#define SECONDS_PER_DAY 86400
#define SECONDS_PER_WEEK 604800

#define DATE_FMT_BUFLEN 16
#define TIME_FMT_BUFLEN 16
#define DATETIME_FMT_BUFLEN 30
#define GMTIME_FMT_BUFLEN 30

typedef struct datetime_s {
    int year;
    int month; /* 1-12 */
    int day;
    int hour;
    int min;
    int sec;
    int ms;
} datetime_t;

/* Local time. */
datetime_t datetime_now(void);
datetime_t datetime_localtime(time_t seconds);
time_t datetime_mktime(datetime_t *dt);

/* "2026-11-20 16:45:01" into buf of DATETIME_FMT_BUFLEN bytes; the date and the time of day alone;
 * "Fri, 20 Nov 2026 16:45:01 GMT" into buf of GMTIME_FMT_BUFLEN bytes. They return buf. */
char *datetime_fmt(datetime_t *dt, char *buf);
char *date_fmt(datetime_t *dt, char *buf);
char *time_fmt(datetime_t *dt, char *buf);
char *gmtime_fmt(time_t time, char *buf);

/* Clocks: ms since some moment; us of a clock that only goes forward; since the epoch. */
unsigned int gettick_ms(void);
unsigned long long gethrtime_us(void);
unsigned long long gettimeofday_ms(void);
unsigned long long gettimeofday_us(void);

#ifdef __cplusplus
}
#endif

#endif
