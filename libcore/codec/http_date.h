/* http_date: the dates of HTTP (RFC 9110 section 5.6.7), of cookies (RFC 6265bis section 5.1.1) and
 * of access logs.
 * No locale, no time zone, nothing global. Times are seconds since the epoch, UTC. */
#ifndef HNET_CODEC_HTTP_DATE_H
#define HNET_CODEC_HTTP_DATE_H

#include "http_head.h"

#ifdef __cplusplus
extern "C" {
#endif

#define HTTP_DATE_SIZE 30              /* with a NUL */
#define HTTP_DATE_MIN (-62167219200LL) /* the first second of the year 0 */
#define HTTP_DATE_MAX 253402300799LL   /* the last one of 9999 */

/* Writes "Sun, 06 Nov 1994 08:49:37 GMT" and a NUL into buf of HTTP_DATE_SIZE bytes, and returns
 * it. A time outside of HTTP_DATE_MIN and HTTP_DATE_MAX is written as the nearer one of them. */
const char *http_date_format(int64_t time_s, char *buf);

#define HTTP_DATE_LOG_SIZE 27 /* with a NUL */

/* Writes "06/Nov/1994:09:49:37 +0100" and a NUL into buf of HTTP_DATE_LOG_SIZE bytes, and returns
 * it: the local time of a place zone_min minutes east of UTC, at most a day less a minute. */
const char *http_date_format_log(int64_t time_s, int zone_min, char *buf);

#define HTTP_DATE_STAMP_SIZE 18 /* with a NUL */

/* Writes "19941106 08:49:37" (UTC) and a NUL into buf of HTTP_DATE_STAMP_SIZE bytes, and returns
 * it; as http_date_format. Reading it: 0, or HERR_SYNTAX. */
const char *http_date_format_stamp(int64_t time_s, char *buf);
int http_date_parse_stamp(http_span_t text, int64_t *time_s);

/* Reads IMF-fixdate, RFC 850 and asctime dates, exactly as they are written there; the name of the
 * day is not compared to the date. now_s decides which century RFC 850 means: a date more than 50
 * years ahead is a past one. A leap second counts as the second before it. 0, or HERR_SYNTAX (no
 * such day, too); *time_s is written on success only. */
int http_date_parse(http_span_t text, int64_t now_s, int64_t *time_s);

/* Reads the date of a cookie's Expires: anything that holds time, day, month and year. 0, or
 * HERR_SYNTAX; *time_s is written on success only. */
int http_date_parse_cookie(http_span_t text, int64_t *time_s);

/* Reads a date that a person has written, as curl_getdate(3) of curl does: the names of a month and
 * a day, numbers and a time in any order, "20260911" too; names of zones in capitals or "+0200",
 * UTC without one. 0, or HERR_SYNTAX; *time_s is written on success only. */
int http_date_parse_loose(http_span_t text, int64_t *time_s);

#ifdef __cplusplus
}
#endif

#endif
