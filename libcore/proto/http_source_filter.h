/* http_source_filter: a source that is made of another one, piece by piece: an encoding, other line
 * ends. */
#ifndef HNET_PROTO_HTTP_SOURCE_FILTER_H
#define HNET_PROTO_HTTP_SOURCE_FILTER_H

#include "http_source.h"

#ifdef __cplusplus
extern "C" {
#endif

#define HTTP_FILTER_IN 4096                  /* bytes that are converted at once, at most */
#define HTTP_FILTER_OUT (4 * HTTP_FILTER_IN) /* what may come of them */
#define HTTP_FILTER_STATE 16

typedef struct http_filter_s {
    /* Writes what becomes of the first bytes of in to out (HTTP_FILTER_OUT bytes): how many were
     * written, and *len is how many were taken: fewer than there were if it has to see what
     * follows, and then it is called again with them and more; with end nothing follows and all
     * have to be taken. Or a negative error, which ends the source. state: HTTP_FILTER_STATE bytes
     * of its own, zero at the start. */
    ssize_t (*convert)(void *state, const char *in, size_t *len, bool end, char *out);
} http_filter_t;

/* inner is owned if it returns 0; filter is borrowed. length: of what comes out, or
 * HTTP_BODY_UNKNOWN. Can be rewound if inner can. 0, -ENOMEM. */
int http_source_filter(http_source_t *inner, const http_filter_t *filter, int64_t length,
                       http_source_t **source);

/* A line feed without a carriage return before it gets one. As http_source_filter. */
int http_source_crlf(http_source_t *inner, http_source_t **source);

#ifdef __cplusplus
}
#endif

#endif
