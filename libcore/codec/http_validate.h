/* http_validate: entity tags (RFC 9110 section 8.8.3) and conditional requests (section 13). Pure:
 * the caller brings the fields, and what is known of the resource. */
#ifndef HNET_CODEC_HTTP_VALIDATE_H
#define HNET_CODEC_HTTP_VALIDATE_H

#include "http_head.h"

#ifdef __cplusplus
extern "C" {
#endif

#define HTTP_ETAG_MAX 256           /* characters between the quotes */
#define HTTP_CONDITION_LINES_MAX 4  /* of If-Match, of If-None-Match */
#define HTTP_CONDITION_TAGS_MAX 128 /* in one line that are looked at */

typedef struct http_etag_s {
    http_span_t opaque; /* without quotes; data NULL: there is none */
    bool weak;
} http_etag_t;

/* Reads one tag that fills the text: "x" or W/"x". 0 or HERR_SYNTAX. */
int http_etag_parse(http_span_t text, http_etag_t *etag);

/* Cuts the next tag off a list. 1, 0 at the end, HERR_SYNTAX. */
int http_etag_next(http_span_t *rest, http_etag_t *etag);

/* Section 8.8.3.2: equal, and for the strong comparison neither of them weak. */
bool http_etag_strong_eq(const http_etag_t *a, const http_etag_t *b);
bool http_etag_weak_eq(const http_etag_t *a, const http_etag_t *b);

/* Writes the tag with its quotes, and a NUL. The length, -ENOBUFS, or -EINVAL for characters that
 * no tag has. */
ssize_t http_etag_write(const http_etag_t *etag, char *buf, size_t size);

/* What the server knows of the resource. */
typedef struct http_validators_s {
    bool exists;      /* there is a representation: what "*" asks for */
    http_etag_t etag; /* zeroed: it has none */
    bool dated;
    int64_t modified_s; /* if dated: Last-Modified, seconds since the epoch */
} http_validators_t;

/* The fields of a request; zeroed: none. They point into the request. */
typedef struct http_conditions_s {
    http_span_t if_match[HTTP_CONDITION_LINES_MAX];
    http_span_t if_none_match[HTTP_CONDITION_LINES_MAX];
    size_t if_match_count, if_none_match_count;
    http_span_t if_modified_since, if_unmodified_since, if_range; /* data NULL: absent */
} http_conditions_t;

/* Takes a field if it is one of the five, and returns whether it is. A tag list may come in several
 * lines; those past HTTP_CONDITION_LINES_MAX are taken for lists of foreign tags. */
bool http_conditions_add(http_conditions_t *conditions, http_span_t name, http_span_t value);

/* Evaluates them in the order of section 13.2.2: 0 to go on (If-Range is http_range_decide's), 304
 * or 412. reading: the method is GET or HEAD. now_s is for dates with two digits. A list that is
 * malformed matches nothing, a date that is malformed is as absent. To be asked only if the
 * answer without conditions would be 2xx or 412. */
int http_conditions_check(const http_conditions_t *conditions, const http_validators_t *validators,
                          bool reading, int64_t now_s);

/* Section 13.1.5: whether Range is to be obeyed as far as If-Range is concerned; true without one.
 * Takes a date only when a second is over since then: later changes would look the same. */
bool http_if_range(const http_conditions_t *conditions, const http_validators_t *validators,
                   int64_t now_s);

#ifdef __cplusplus
}
#endif

#endif
