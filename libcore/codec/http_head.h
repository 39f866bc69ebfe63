/* http_head: where the head of an HTTP/1 message ends, and what its lines say (RFC 9112 sections 2
 * to 5). Zero-copy: the caller collects the bytes, spans point into them. Shared by the proxy
 * codecs (http_connect, http_auth) and http1.
 *
 * A line ends with CR LF or, as section 2.2 permits, LF alone; a CR elsewhere, a NUL, a folded line
 * and a space before a colon are errors. */
#ifndef HNET_CODEC_HTTP_HEAD_H
#define HNET_CODEC_HTTP_HEAD_H

#include "http_chars.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

#define HTTP_HEAD_MAX 65536 /* the whole head */
#define HTTP_LINE_MAX 32768 /* one line, its end included */
#define HTTP_FIELDS_MAX 128

/* Bytes that belong to somebody else. */
typedef struct http_span_s {
    const char *data;
    size_t len;
} http_span_t;

#define HTTP_SPAN(literal) ((http_span_t){(literal), sizeof(literal) - 1})
http_span_t http_span(const char *text); /* of a string; NULL: empty */

http_span_t http_trim(http_span_t span); /* without spaces and tabs at its ends */

bool http_span_ieq(http_span_t span, const char *text); /* ASCII case ignored */

/* What is known of a head that is not yet whole; zeroed before the first call. */
typedef struct http_scan_s {
    size_t line;  /* where the line that is being read begins */
    size_t lines; /* so many are whole */
} http_scan_t;

/* The length of the head that begins at data, with its empty line, once it is whole; 0 when it is
 * not: call again with the same bytes and more. HERR_FRAME_SIZE past a maximum, HERR_PROTOCOL for
 * bytes that no head has; said as soon as they are seen. */
ssize_t http_head_end(http_scan_t *scan, const void *data, size_t len);

/* After http_head_end gave 0 for len bytes: how many more may be read without reading behind the
 * head, 1 or 2. One who can keep what is behind it reads more at a time. */
size_t http_head_need(const http_scan_t *scan, const void *data, size_t len);

/* The length, its end included, of the line that begins at data; 0 while it is not whole.
 * HERR_FRAME_SIZE when it does not end within size_max bytes, HERR_PROTOCOL at a byte that no line
 * has. What is said depends on the bytes alone, never on how many of them are there. find:
 * http_find_best(), asked for once. */
ssize_t http_line_end(const char *data, size_t len, size_t size_max, http_find_cb find);

/* A request line without its end (RFC 9112 section 3): one space between each two parts, no byte of
 * not_target (which has the space) in the target; minor is that of HTTP/1.minor. 0; or the status
 * to answer with, 400 or 505. Spans are set as far as they are there. */
int http_request_line(http_span_t line, const http_chars_t *not_target, http_find_cb find,
                      http_span_t *method, http_span_t *target, int *minor);

/* A status line without its end (section 4): "HTTP/1.1 200 OK", status is 100..999. The reason may
 * be missing, and its space with it, as many servers send it. 0 or HERR_PROTOCOL. */
int http_status_line(http_span_t line, int *minor, int *status, http_span_t *reason);

/* Cuts the next line, without its end, off the front of *rest. False when there is none. */
bool http_line_next(http_span_t *rest, http_span_t *line);

/* The same for a field: name, and value without the space around it. 1, 0 at the end (the empty
 * line), HERR_PROTOCOL for a line that is no field. */
int http_field_next(http_span_t *rest, http_span_t *name, http_span_t *value);

/* The first field of this name. */
bool http_field_find(http_span_t fields, const char *name, http_span_t *value);

/* Cuts the next element, without the space around it, off a list ("close, TE"); empty ones are left
 * out. False when there is none. */
bool http_list_next(http_span_t *rest, http_span_t *element);

/* Whether a list names the token. */
bool http_list_has(http_span_t list, const char *token);

/* Whether a field that is a list ("close, TE") names the token, in any of its lines. */
bool http_field_has(http_span_t fields, const char *name, const char *token);

/* Adds the value of one Content-Length to what the others said (-1: there was none). A list of
 * equal numbers is one of them (RFC 9110 section 8.6). 0; or HERR_PROTOCOL for no number, one of
 * more than 18 digits, or two that differ. */
int http_length_add(http_span_t value, int64_t *length);

/* Adds the value of one Transfer-Encoding. 0; HERR_UNSUPPORTED for another coding than chunked, or
 * HERR_PROTOCOL for no coding, or one behind chunked. */
int http_coding_add(http_span_t value, bool *chunked);

/* How the body is delimited by Transfer-Encoding and Content-Length (RFC 9112 section 6). *length
 * is -1 without a Content-Length. 0, HERR_PROTOCOL (both, two that differ, no number), or
 * HERR_UNSUPPORTED (another transfer coding than chunked). */
int http_body_length(http_span_t fields, bool *chunked, int64_t *length);

/* How often a request may still be passed on, by the value of Max-Forwards (RFC 9110 section
 * 7.6.2); more than HTTP_FORWARDS_MAX is that many. -1: no number, which is nobody's limit. */
int http_max_forwards(http_span_t value);
#define HTTP_FORWARDS_MAX 1000000000

bool http_is_token(http_span_t span); /* RFC 9110 section 5.6.2 */

/* host[:port] or [v6][:port], without a user in front (RFC 9112 section 3.2); with_port: the port
 * must be there, and the host not empty. */
bool http_is_authority(http_span_t span, bool with_port);

/* "Not Found"; "Unknown" for a status that is in no RFC. Static storage. */
const char *http_status_text(int status);

#ifdef __cplusplus
}
#endif

#endif
