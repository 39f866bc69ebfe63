/* htime: clocks and civil time. */
#ifndef HNET_BASE_HTIME_H
#define HNET_BASE_HTIME_H

#include <stddef.h>
#include <stdint.h>
#include <time.h>

#ifdef __cplusplus
extern "C" {
#endif

#define HTIME_NS_PER_MS 1000000ULL
#define HTIME_NS_PER_S 1000000000ULL

/* CLOCK_MONOTONIC in ns, and in us. */
uint64_t htime_monotonic_ns(void);
uint64_t htime_monotonic_us(void);

/* CLOCK_REALTIME in ns since the epoch, and in ms. */
uint64_t htime_real_ns(void);
uint64_t htime_real_ms(void);

/* "2026-11-20T16:45:01.123Z" (UTC) of real time in ms, into buf; HTIME_ISO_SIZE bytes are enough.
 * Returns buf. A time past the year 9999 is written as its last moment. */
#define HTIME_ISO_SIZE 32
const char *htime_iso_utc(uint64_t real_ms, char *buf, size_t size);

/* As htime_iso_utc in local time with the offset: "2026-11-20T17:45:01.123+0100". */
const char *htime_iso_local(uint64_t real_ms, char *buf, size_t size);

/* Parses a time span: "250ms", "3s", "1.5s", "2m", "1h", "1d"; a bare number is in seconds
 * (may have a fraction). Writes ms, rounded up. 0, HERR_SYNTAX, or HERR_RANGE when above
 * UINT32_MAX - 1 ms. */
int htime_parse_span_ms(const char *text, uint32_t *ms);

/* The next moment strictly after `after` (seconds since the epoch, local time) that matches a
 * cron-like pattern; -1 in a field matches anything. minute 0-59, hour 0-23, day 1-31, week 0-6
 * (0 is Sunday), month 1-12. day and week must both match. A local time that daylight
 * saving skips does not match on that day, one that it repeats matches twice. Returns -1 if none
 * comes within 8 years or a field is out of range. */
time_t htime_cron_next(time_t after, int minute, int hour, int day, int week, int month);

#ifdef __cplusplus
}
#endif

#endif
