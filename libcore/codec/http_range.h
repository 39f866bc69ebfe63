/* http_range: parts of a representation (RFC 9110 section 14): what a client asks for with Range,
 * what a server gives with Content-Range. Bytes are the only unit. */
#ifndef HNET_CODEC_HTTP_RANGE_H
#define HNET_CODEC_HTTP_RANGE_H

#include "http_validate.h"

#ifdef __cplusplus
extern "C" {
#endif

#define HTTP_RANGES_MAX 64 /* in one field; more of them are no request that means well */
#define HTTP_RANGE_GAP 80  /* bytes between two ranges that are sent rather than a new part */
#define HTTP_CONTENT_RANGE_SIZE 80 /* with a NUL */

/* Bytes first to last, both included, 0 <= first <= last. */
typedef struct http_range_s {
    int64_t first, last;
} http_range_t;

/* What a Range asks for: first to last; to the end if last is -1; if first is -1, the last `last`
 * bytes. */
typedef http_range_t http_range_spec_t;

/* Reads the value of Range. The number of specs, at most HTTP_RANGES_MAX; HERR_UNSUPPORTED (another
 * unit), HERR_SYNTAX or HERR_FRAME_SIZE (too many): the field is to be ignored. Numbers past 10^18
 * count as that. */
int http_range_parse(http_span_t value, http_range_spec_t *specs);

/* Makes ranges of specs for a representation of size bytes. What overlaps or lies closer than
 * HTTP_RANGE_GAP becomes one range, at the place of the first of them; else the order stays. ranges
 * has room for count of them, and may be specs. Returns how many there are; 0: all bytes are wanted
 * or there is nothing to cut, send the whole; HERR_RANGE: none can be satisfied. */
int http_range_resolve(const http_range_spec_t *specs, size_t count, int64_t size,
                       http_range_t *ranges);

typedef struct http_ranges_s {
    http_range_t list[HTTP_RANGES_MAX];
    size_t count;
} http_ranges_t;

/* What to answer to a GET whose conditions are met (http_conditions_check gave 0) and that would be
 * 200: 200; 206 with these ranges, more than one is multipart/byteranges; or 416, with a Content-
 * Range of first -1. range is the value of Range, data NULL without. */
int http_range_decide(http_span_t range, const http_conditions_t *conditions,
                      const http_validators_t *validators, int64_t size, int64_t now_s,
                      http_ranges_t *ranges);

/* Writes the value of Range ("bytes=0-99,-5") and a NUL. The length, -ENOBUFS, or -EINVAL for a
 * spec that is none. */
ssize_t http_range_write(const http_range_spec_t *specs, size_t count, char *buf, size_t size);

typedef struct http_content_range_s {
    int64_t first, last; /* first -1: "*", the answer is 416 */
    int64_t size;        /* -1: unknown, "*" */
} http_content_range_t;

/* Reads the value of Content-Range. 0, HERR_UNSUPPORTED (another unit) or HERR_SYNTAX (also a range
 * that does not fit the size). */
int http_content_range_parse(http_span_t value, http_content_range_t *range);

/* Writes it and a NUL; HTTP_CONTENT_RANGE_SIZE is enough. The length, -ENOBUFS or -EINVAL. */
ssize_t http_content_range_write(const http_content_range_t *range, char *buf, size_t size);

#ifdef __cplusplus
}
#endif

#endif
