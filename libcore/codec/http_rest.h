/* http_rest: where the body of a message ends that is passed on as it is, kept in one word, so that
 * whoever passes it on needs no memory for that. */
#ifndef HNET_CODEC_HTTP_REST_H
#define HNET_CODEC_HTTP_REST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

#define HTTP_REST_STATE_BITS 4
#define HTTP_REST_LENGTH_MAX (INTPTR_MAX >> HTTP_REST_STATE_BITS) /* of a body, of a chunk */

/* What is still to come; 0: nothing. */
typedef uintptr_t http_rest_t;

/* A body of so many bytes, at most HTTP_REST_LENGTH_MAX. */
http_rest_t http_rest_length(int64_t length);

/* A body in chunks, with its trailers (RFC 9112 section 7.1). */
http_rest_t http_rest_chunks(void);

/* How many bytes of data belong to the body: less than len only at its end. HERR_PROTOCOL: these
 * are no chunks; nothing of data should be passed on. */
ssize_t http_rest_take(http_rest_t *rest, const void *data, size_t len);

#ifdef __cplusplus
}
#endif

#endif
