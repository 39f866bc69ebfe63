/* The inside of the reverse proxy. */
#ifndef HNET_PROTO_HTTP_PROXY_INT_H
#define HNET_PROTO_HTTP_PROXY_INT_H

#include "http_proxy.h"

#define HTTP_PROXY_DOWN_MS 10000
#define HTTP_PROXY_HOST_SIZE (HENDPOINT_HOST_SIZE + 8)

typedef struct http_proxy_target_s {
    http_peer_t *peer;
    char host[HTTP_PROXY_HOST_SIZE]; /* as Host has it */
    bool secure;                     /* https */
    uint64_t down_until_us;
} http_proxy_target_t;

struct http_proxy_s {
    hloop_t *loop;
    http_proxy_target_t targets[HTTP_PROXY_TARGETS_MAX];
    size_t target_count;
    size_t next;
    char *path; /* NULL: that of the request */
    char *prefix;
    char *via;
    htls_ctx_t *tls;
    bool keep_host;
    bool anonymous;
    const haccess_t *trusted;
    void (*on_failure)(http_stream_t *stream, const char *why, void *arg);
    void *arg;
};

/* ---- http_proxy_head.c ----------------------------------------------------------------------- */

#define HTTP_PROXY_TEXT_SIZE 24576

/* The request for a target; what it points at lies in fields and text. */
typedef struct http_proxy_head_s {
    http_exchange_request_t request;
    http_field_t *fields; /* fields_max of them */
    size_t fields_max;
    char text[HTTP_PROXY_TEXT_SIZE];
    size_t text_len;
} http_proxy_head_t;

/* How many proxies an OPTIONS may go through (Max-Forwards, RFC 9110 section 7.6.2); -1: any. */
int http_proxy__forwards_left(const http_stream_t *stream);

/* 0, or the status to answer with. */
int http_proxy__request(const http_proxy_t *proxy, const http_proxy_target_t *target,
                        http_stream_t *stream, http_proxy_head_t *head);

/* Sets status and fields of the target's response. 0 or the errors of http_response_add, and then
 * none are left. */
int http_proxy__response(const http_proxy_t *proxy, const http_proxy_target_t *target,
                         http_stream_t *stream, const http_exchange_response_t *response);

/* Passes a 1xx on. */
void http_proxy__interim(const http_proxy_t *proxy, const http_proxy_target_t *target,
                         http_stream_t *stream, const http_exchange_response_t *response);

#endif
