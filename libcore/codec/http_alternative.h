/* http_alternative: Alt-Svc (RFC 7838), as a field and as a line of curl's file:
 *
 *     h1 example.com 443 h3 other.example.com 8443 "20271120 12:00:00" 0 0
 *
 * These are: protocol, host and port of the origin; of the alternative; its end (UTC); persist;
 * priority (always 0). */
#ifndef HNET_CODEC_HTTP_ALTERNATIVE_H
#define HNET_CODEC_HTTP_ALTERNATIVE_H

#include "http_head.h"

#ifdef __cplusplus
extern "C" {
#endif

#define HTTP_ALTERNATIVE_HOST_SIZE 256 /* with a NUL */
#define HTTP_ALTERNATIVE_LINE_SIZE 576 /* that of any two hosts, with a NUL */
#define HTTP_ALTERNATIVE_AGE_S 86400   /* without ma */

typedef enum http_alpn_e {
    HTTP_ALPN_NONE, /* a protocol that is not known here */
    HTTP_ALPN_H1,
    HTTP_ALPN_H2,
    HTTP_ALPN_H3
} http_alpn_e;

/* An origin, or an alternative. */
typedef struct http_place_s {
    http_alpn_e alpn;
    char host[HTTP_ALTERNATIVE_HOST_SIZE]; /* lower case; no brackets, no dot at its end */
    uint16_t port;
} http_place_t;

typedef struct http_alternative_s {
    http_place_t from, to;
    int64_t expires_s;
    bool persist; /* survives a change of the network */
} http_alternative_t;

/* Whether the field says "clear": nothing is valid any more. */
bool http_alternative_is_clear(http_span_t value);

/* Cuts the next one off the value of the field (section 3): to, expires_s and persist; an empty
 * host is the origin's. 1; 0 at the end; HERR_SYNTAX: the rest is worth nothing. */
int http_alternative_next(http_span_t *rest, int64_t now_s, http_alternative_t *alternative);

/* Copies a host as it is kept. 0; -EINVAL for an empty one, one that is too long or has characters
 * that no host has. */
int http_alternative_host(http_span_t name, char host[HTTP_ALTERNATIVE_HOST_SIZE]);

/* Reads a line without its end. 0 or HERR_SYNTAX (a comment, or protocols that are not known). */
int http_alternative_line_parse(http_span_t line, http_alternative_t *alternative);

/* Writes it, without an end of line, and a NUL. The length or -ENOBUFS. */
ssize_t http_alternative_line_write(const http_alternative_t *alternative, char *buf, size_t size);

#ifdef __cplusplus
}
#endif

#endif
