/* http_log: lines of an access log, in the formats that log analysers read. Whatever a client sent,
 * an entry is one line of printable ASCII: all else, quotes and backslashes are \xHH, and so is a
 * space where it would make another column. JSON has its own escapes and leaves UTF-8 as it is. */
#ifndef HNET_CODEC_HTTP_LOG_H
#define HNET_CODEC_HTTP_LOG_H

#include "../base/hbuf.h"
#include "http_head.h"

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define HTTP_LOG_FIELD_MAX 8192 /* bytes of a span; the rest is cut off */

typedef enum http_log_e {
    HTTP_LOG_COMMON,   /* NCSA: client - user [date] "request" status bytes */
    HTTP_LOG_COMBINED, /* the same, "referer" "user agent" */
    HTTP_LOG_JSON      /* an object: all there is */
} http_log_e;

/* A request that is over. Spans are borrowed; an empty one is left out, or "-". */
typedef struct http_log_s {
    http_span_t client;                  /* address, without port */
    http_span_t user;                    /* who logged in */
    http_span_t method, target, version; /* version: "HTTP/1.1"; all empty: no request was read */
    http_span_t host;                    /* that was asked for */
    http_span_t referer, user_agent;
    http_span_t request_id;
    http_span_t upstream; /* whom it was passed on to */
    int64_t time_ms;      /* since the epoch; when the request came */
    int zone_min;         /* local time, minutes east of UTC; within 24 hours; not in JSON */
    uint64_t duration_us; /* until the answer was sent */
    uint64_t bytes;       /* of the answer's body */
    int status;
} http_log_t;

/* The format of a name: "common", "combined", "json"; -ENOENT. */
int http_log_find(const char *name);

/* Appends one line, its \n included. 0, or -ENOMEM or -ENOBUFS: out is then as it was. */
int http_log_write(http_log_e format, const http_log_t *entry, hbytes_t *out);

#ifdef __cplusplus
}
#endif

#endif
