/* http_server: serves HTTP on one loop. Connections come from a listener (http_server_accept is
 * what its accept callback calls), requests go to one handler, which may be a router's.
 *
 *     http_server_new(loop, &options, &server);
 *     http_server_listen(server, &listen_options, NULL);
 *     hloop_run(loop);
 *
 * Time limits end what does not move: see the options. A connection without a request costs no
 * buffer. For several threads or processes make one server in each. */
#ifndef HNET_PROTO_HTTP_SERVER_H
#define HNET_PROTO_HTTP_SERVER_H

#include "../codec/http1.h"
#include "../net/hlisten.h"
#include "../net/htls.h"
#include "http_stream.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef void (*http_handler_cb)(http_stream_t *stream, void *userdata);

/* Fills in the response of http_response_error and of what the server refuses by itself; ends with
 * http_response_send. NULL: one line of plain text. */
typedef void (*http_error_cb)(http_stream_t *stream, int status, const char *detail,
                              void *userdata);

/* 0 in a number: the value given here. */
typedef struct http_server_options_s {
    http_handler_cb handler;
    http_error_cb on_error;
    /* A response is over, or its client has gone: for the log. The request may be asked for the
     * last time. Also for requests that were refused before a handler saw them. */
    void (*on_done)(http_stream_t *stream, int err, void *userdata);
    void *userdata;

    http1_options_t limits;
    uint32_t fields_max; /* 100: 431 */
    const char *name;    /* the Server field; NULL: none. Borrowed */
    htls_ctx_t *tls;     /* NULL: plain; referenced */
    bool proxy_protocol; /* every connection begins with a PROXY header, version 1 or 2 */

    uint32_t head_ms;            /* 10,000: from the first byte (of a connection: its accept) */
    uint32_t keepalive_ms;       /* 75,000: between two requests */
    uint32_t keepalive_requests; /* 1,000 on one connection */
    uint32_t body_ms;     /* 60,000: within each, rate_min is kept, or the client is cut off */
    uint32_t send_ms;     /* 60,000: likewise */
    uint32_t rate_min;    /* 100 bytes/s */
    uint32_t conns_max;   /* none; further ones are closed at once */
    uint64_t discard_max; /* 256 KiB of a body that nobody wants are read */
    uint64_t limit_rate;  /* none: bytes/s of each connection's sending */
} http_server_options_t;

typedef struct http_server_stats_s {
    uint64_t accepted, refused; /* connections; refused: past conns_max */
    uint64_t requests;
    uint64_t bytes_in, bytes_out;
    uint64_t by_class[6]; /* responses: [2] is 2xx */
    uint64_t timeouts;
    uint32_t open;
    uint32_t active; /* with a request that is not over */
} http_server_stats_t;

/* 0 and *server, -EINVAL (no handler), -ENOMEM. Options are copied. */
int http_server_new(hloop_t *loop, const http_server_options_t *options, http_server_t **server);

/* Aborts what is open and frees; no callback but on_done and on_close comes any more. Before
 * hloop_free. Not from a callback of its streams. NULL is legal. */
void http_server_free(http_server_t *server);

/* Listens with this server; several times for several addresses. The listener (*io, may be NULL)
 * belongs to the loop. Errors of hlisten_open. */
int http_server_listen(http_server_t *server, const hlisten_options_t *options, hio_t **io);

/* The same with a listening descriptor; closed on an error too. */
int http_server_attach(http_server_t *server, int fd, hio_t **io);

/* Serves an accepted connection. It is the server's from now on. tls: this context instead of the
 * options' one; NULL: that one. peer: the client's address, of a PROXY header say; NULL: the
 * socket's. */
void http_server_accept(http_server_t *server, hio_t *io, htls_ctx_t *tls, const haddr_t *peer);

/* Closes the listeners, answers what has been asked with Connection: close, closes connections that
 * have been idle for 1 s, and calls done (may be NULL) when none is left; after timeout_ms (0: the
 * keep-alive time) the rest is cut off. Again: only a shorter time-out counts. */
void http_server_drain(http_server_t *server, uint32_t timeout_ms,
                       void (*done)(http_server_t *server, void *arg), void *arg);

/* New settings for requests to come; those of connections that are open stay. Not from a handler,
 * whose request lies in what is made anew. As new. */
int http_server_set_options(http_server_t *server, const http_server_options_t *options);

void http_server_stats(const http_server_t *server, http_server_stats_t *stats);
hloop_t *http_server_loop(const http_server_t *server);
void *http_server_userdata(const http_server_t *server);

#ifdef __cplusplus
}
#endif

#endif
