/* http_forward: a forward proxy on the server of HTTP: CONNECT makes a tunnel (RFC 9110 section
 * 9.3.6), a request with a whole http:// URL (RFC 9112 section 3.2.2) is asked there. Where it may
 * go is the program's to say. */
#ifndef HNET_PROTO_HTTP_FORWARD_H
#define HNET_PROTO_HTTP_FORWARD_H

#include "http_proxy.h"

#ifdef __cplusplus
extern "C" {
#endif

#define HTTP_FORWARD_ORIGINS_MAX 64 /* whose connections are kept */

typedef struct http_forward_s http_forward_t;

/* 0 in a number: the value given here. */
typedef struct http_forward_options_s {
    /* Whether a client may go there: a name, or an address without brackets, in its one plain
     * spelling: "127.0.0.1" also for 127.1, 0x7f000001, [::ffff:127.0.0.1] and 0.0.0.0. What a name
     * resolves to is not looked at. NULL: anywhere. */
    bool (*allow)(http_stream_t *stream, const char *host, uint16_t port, void *arg);
    /* Why a request got a 502 or 504, for the log. */
    void (*on_failure)(http_stream_t *stream, const char *why, void *arg);
    void *arg;
    hdns_t *dns;          /* borrowed; NULL: one for each dial */
    const char *via;      /* borrowed; as http_proxy_options_t has it */
    uint32_t connect_ms;  /* 10,000 */
    uint32_t response_ms; /* 60,000 */
    uint32_t send_ms;     /* 60,000 */
    uint32_t tunnel_ms;   /* 600,000 without a byte either way end a tunnel */
} http_forward_options_t;

/* 0 and *forward, or -ENOMEM. For one loop's thread. */
int http_forward_new(hloop_t *loop, const http_forward_options_t *options,
                     http_forward_t **forward);

/* Behind the server whose requests it answers. NULL is legal. */
void http_forward_free(http_forward_t *forward);

/* Whether the request is one for a proxy. */
bool http_forward_wants(const http_stream_t *stream);

/* Answers such a request: 403 where it may not go, 502 and 504 where it cannot. */
void http_forward_handle(http_stream_t *stream, void *forward);

#ifdef __cplusplus
}
#endif

#endif
