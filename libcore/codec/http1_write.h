/* http1_write: writes heads of HTTP/1 messages, and the framing of chunks, into the caller's buffer
 * (RFC 9112). What would be read as something else is refused: CR, LF, NUL and other control
 * characters in a value, a name or method that is no token, a space in a target.
 *
 *     http1_write_begin(&writer, buf, size);
 *     http1_write_status(&writer, 1, 200, HTTP_SPAN(""));
 *     http1_write_field(&writer, HTTP_SPAN("Content-Type"), HTTP_SPAN("text/plain"));
 *     http1_write_number(&writer, HTTP_SPAN("Content-Length"), 5);
 *     len = http1_write_end(&writer);
 *
 * An error is kept until http1_write_end tells it; nothing is written after it. */
#ifndef HNET_CODEC_HTTP1_WRITE_H
#define HNET_CODEC_HTTP1_WRITE_H

#include "http_head.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Its members are private. */
typedef struct http1_writer_s {
    char *buf;
    size_t size, len;
    int error;
} http1_writer_t;

/* buf is borrowed until http1_write_end. */
void http1_write_begin(http1_writer_t *writer, char *buf, size_t size);

/* The first line of a request, of HTTP/1.minor. The target is not checked for its form. */
void http1_write_request(http1_writer_t *writer, int minor, http_span_t method, http_span_t target);

/* The first line of a response. An empty reason: the usual one. status is 100..999. */
void http1_write_status(http1_writer_t *writer, int minor, int status, http_span_t reason);

/* One field. */
void http1_write_field(http1_writer_t *writer, http_span_t name, http_span_t value);
void http1_write_number(http1_writer_t *writer, http_span_t name, uint64_t value);

/* Bytes as they are: field lines that were written before, say. */
void http1_write_raw(http1_writer_t *writer, http_span_t bytes);

/* The empty line. Returns the length of it all; -ENOBUFS, or -EINVAL for what was refused. */
ssize_t http1_write_end(http1_writer_t *writer);

/* ---- chunks: the prefix, the data from where it lies, the suffix ----------------------------- */

#define HTTP1_CHUNK_PREFIX_SIZE 18
#define HTTP1_CHUNK_SUFFIX HTTP_SPAN("\r\n")
#define HTTP1_CHUNK_LAST HTTP_SPAN("0\r\n\r\n") /* without trailers */

/* What goes before len bytes of data, more than 0: a chunk of 0 would be the last one. Returns its
 * length, at most HTTP1_CHUNK_PREFIX_SIZE; no NUL is added. */
size_t http1_chunk_prefix(char *buf, uint64_t len);

/* The last chunk, to be followed by the trailers (http1_write_field) and http1_write_end. */
void http1_write_trailers(http1_writer_t *writer);

#ifdef __cplusplus
}
#endif

#endif
