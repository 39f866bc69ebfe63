/* http_compress: codes a response on the fly, if its client takes that and it is worth it. */
#ifndef HNET_PROTO_HTTP_COMPRESS_H
#define HNET_PROTO_HTTP_COMPRESS_H

#include "http_coding.h"
#include "http_stream.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Zeroed: the values given here. */
typedef struct http_compress_options_s {
    unsigned codings;    /* of these, HTTP_CODING_BIT; 0: br, zstd and gzip */
    uint32_t length_min; /* 1,024 bytes and more, or an unknown number */
    int level;           /* 0: HTTP_CODING_LEVEL_DEFAULT */
} http_compress_options_t;

/* Adds a hook that decides when the head is made: by Accept-Encoding, the status (200 and others
 * with a whole body; never 206), the type (http_mime_is_compressible), the length, and unless there
 * is a Content-Encoding or "Cache-Control: no-transform". Sets Content-Encoding, takes away
 * Accept-Ranges, makes the ETag a weak one (RFC 9110 section 8.8.3.3), and adds Vary also where
 * this client gets it as it is. options (NULL: zeroed) is borrowed until then. Without the library
 * or memory for a coding it is sent as it is. 0 or -ENOBUFS (http_stream_add_hook). */
int http_compress(http_stream_t *stream, const http_compress_options_t *options);

#ifdef __cplusplus
}
#endif

#endif
