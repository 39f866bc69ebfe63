/* http_connect: the HTTP/1 that a proxy and its client speak before they are out of the way:
 * CONNECT (RFC 9110 section 9.3.6) and requests with a whole URL (RFC 9112 section 3.2.2). Client
 * and server side; pure: heads come in whole (http_head_end) and go out into the caller's buffer.
 */
#ifndef HNET_CODEC_HTTP_CONNECT_H
#define HNET_CODEC_HTTP_CONNECT_H

#include "http_names.h"

#ifdef __cplusplus
extern "C" {
#endif

#define HTTP_HOST_SIZE 256
#define HTTP_AUTHORITY_SIZE 264 /* "[host]:65535" and a NUL */

/* "host:port" or "[v6]:port", as CONNECT and Digest want it. Returns the length or -ENOBUFS. */
ssize_t http_authority(const char *host, uint16_t port, char *buf, size_t size);

/* ---- client ---------------------------------------------------------------------------------- */

/* Sent in this order: Host, Proxy-Authorization, User-Agent, Proxy-Connection, and the fields. */
typedef struct http_connect_s {
    const char *host;
    uint16_t port;
    const char *user_agent;    /* NULL: none */
    const char *authorization; /* value of Proxy-Authorization (http_auth_answer); NULL: none */
    bool keep_alive;           /* "Proxy-Connection: Keep-Alive" */
    bool http10;
    const http_extra_t *fields;
    size_t field_count;
} http_connect_t;

/* Writes the CONNECT request and a NUL. Returns its length, or -EINVAL (a host, agent, name or
 * value that would break the head), -ENOBUFS. */
ssize_t http_connect_compose(const http_connect_t *request, char *buf, size_t size);

typedef struct http_answer_s {
    int status;          /* 100..999 */
    http_span_t line;    /* "407 Proxy Authentication Required", for messages */
    http_span_t fields;  /* for http_field_next and http_auth_choose */
    int64_t body_length; /* bytes to skip before the next answer; -1: up to the end, or chunked */
    bool keep_alive;     /* the connection takes another request once the body is skipped */
} http_answer_t;

/* Reads a whole head, len being what http_head_end gave. 0 or HERR_PROTOCOL. A 2xx means that the
 * tunnel stands and begins behind the head, whatever the fields say; a 1xx is followed by another
 * head (body_length 0, keep_alive). */
int http_answer_parse(http_answer_t *answer, const void *head, size_t len);

/* ---- server ---------------------------------------------------------------------------------- */

typedef struct http_request_s {
    http_span_t method;
    http_span_t target; /* as it was sent: the uri of Digest */
    http_span_t fields;
    bool connect;              /* CONNECT; otherwise the target was http://host[:port]/... */
    char host[HTTP_HOST_SIZE]; /* without brackets */
    uint16_t port;
    http_span_t path;    /* with its query; "/" or "*" if there is none */
    int64_t body_length; /* 0: there is no body; of one in chunks, too */
    bool chunked;        /* there is one in chunks */
    int minor;           /* HTTP/1.minor */
    int forwards;        /* OPTIONS and TRACE: through how many proxies it may still go
                            (Max-Forwards); 0: the one that has it answers. -1: through all */
} http_request_t;

/* Reads a whole head. 0; or the status to answer with, positive: 400 (broken), 501 (another scheme
 * than http, an unknown transfer coding), 505 (not HTTP/1.x). method and target are set as far as
 * they are there. */
int http_request_parse(http_request_t *request, const void *head, size_t len);

/* Writes the head that the origin server gets for a request with a whole URL: origin form, the
 * client's version, Host from the target, "Connection: close", a Via, one Content-Length of several
 * that agree, one less of Max-Forwards where it counts, and without the fields that end here (RFC
 * 9110 section 7.6.1). Returns its length or -ENOBUFS (HTTP_FORWARD_SIZE of the head is enough),
 * HERR_PROTOCOL. */
ssize_t http_request_forward(const http_request_t *request, char *buf, size_t size);
#define HTTP_FORWARD_SIZE(head_len) ((head_len) + HTTP_AUTHORITY_SIZE + 128 + 2 * HTTP_FIELDS_MAX)

/* Writes a whole answer with a small text body. A 2xx has no body: the tunnel begins behind it.
 * Others close the connection unless keep is set. extra (NULL: none) is whole field lines, CR LF
 * each. Returns its length or -ENOBUFS. */
ssize_t http_answer_compose(int status, bool keep, const char *extra, const char *text, char *buf,
                            size_t size);

#ifdef __cplusplus
}
#endif

#endif
