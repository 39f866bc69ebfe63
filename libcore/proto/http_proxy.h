/* http_proxy: answers requests with the responses of other servers: a reverse proxy.
 *
 * What counts for one connection only is not passed on (RFC 9110 section 7.6.1), framing is made
 * anew on each side (RFC 9112 sections 6 and 7), so that both sides of a request cannot be read
 * differently. Bodies are passed on as they come, no faster than the other side takes them. An
 * Upgrade (WebSocket) that the server accepts becomes a tunnel.
 * A Location that leads to the server behind is made one that leads here.
 *
 * Of several servers each gets the next request in turn. One that cannot be connected to is left
 * out for 10 s, and the request goes to the next. */
#ifndef HNET_PROTO_HTTP_PROXY_H
#define HNET_PROTO_HTTP_PROXY_H

#include "../net/haccess.h"
#include "http_exchange.h"
#include "http_server.h"

#ifdef __cplusplus
extern "C" {
#endif

#define HTTP_PROXY_TARGETS_MAX 64
#define HTTP_PROXY_ERROR_SIZE 256

typedef struct http_proxy_s http_proxy_t;

/* All zero but targets is legal; 0 in a number: the value given here. Strings are copied. */
typedef struct http_proxy_options_s {
    /* "http://host:port/path", "https://...", "unix:/path". With a path (of the first one) it takes
     * the place of prefix in the request's path; without one the path is passed on as it came. */
    const char *const *targets;
    size_t target_count;
    const char *prefix;
    bool keep_host;           /* Host as the client said it; else the target's */
    bool anonymous;           /* no X-Forwarded-For and the like: for a forward proxy */
    const haccess_t *trusted; /* clients whose X-Forwarded-For and the like are kept; NULL: nobody.
                                 Borrowed */
    htls_ctx_t *tls;          /* for https; NULL: htls's defaults, which verify */
    hdns_t *dns;              /* borrowed; NULL: one for each dial */
    const char *via;          /* our name in Via; NULL: "hnet" */
    uint32_t connect_ms;      /* 10,000 */
    uint32_t response_ms;     /* 60,000 */
    uint32_t send_ms;         /* 60,000 */
    uint32_t idle_max;        /* 32 connections to each are kept */
    /* Why a request got a 502 or 504, for the log. */
    void (*on_failure)(http_stream_t *stream, const char *why, void *arg);
    void *arg;
} http_proxy_options_t;

/* 0 and *proxy; HERR_SYNTAX, HERR_UNSUPPORTED (a scheme), -EINVAL (no target, or too many),
 * -ENOMEM, errors of htls_ctx_new; then error (may be NULL) is one line. For one loop's thread. */
int http_proxy_new(hloop_t *loop, const http_proxy_options_t *options, http_proxy_t **proxy,
                   char *error, size_t error_size);

/* Behind the server whose requests it answers: none may be under way. NULL is legal. */
void http_proxy_free(http_proxy_t *proxy);

/* Requests that are under way. */
uint32_t http_proxy_active(const http_proxy_t *proxy);

/* The http_handler_cb: userdata is the http_proxy_t. */
void http_proxy_handle(http_stream_t *stream, void *proxy);

#ifdef __cplusplus
}
#endif

#endif
