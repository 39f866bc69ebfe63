/* The inside of exchanges and the connections that they use. */
#ifndef HNET_PROTO_HTTP_EXCHANGE_INT_H
#define HNET_PROTO_HTTP_EXCHANGE_INT_H

#include "../base/hlist.h"
#include "../event/hio_ops.h"
#include "../event/htimer.h"
#include "http_exchange.h"

#define HTTP_EXCHANGE_HEAD_MAX 1048576
#define HTTP_EXCHANGE_FRAMING_SIZE                                                                 \
    256                                /* of a head: the first line but for method and target, and
                                          what is added */
#define HTTP_EXCHANGE_EARLY_MAX 65536  /* body that is kept before it can leave */
#define HTTP_EXCHANGE_QUEUED_MAX 65536 /* above it the program is asked to wait */
#define HTTP_EXCHANGE_CONTINUE_MS 1000
#define HTTP_EXCHANGE_INTERIM_MAX 100 /* responses 1xx to one request */

/* A connection to the server. */
typedef struct http_link_s {
    hlist_t link; /* peer->idle, peer->busy */
    http_peer_t *peer;
    hio_t *io;
    http_exchange_t *exchange; /* NULL: kept for the next one */
    http1_parser_t parser;
    uint64_t idle_since_us;
    uint64_t id;
    uint32_t exchanges; /* that have used it */
    bool last;          /* no further exchange */
    bool busy;          /* its input is being worked on */
    bool eof;
} http_link_t;

struct http_peer_s {
    hloop_t *loop;
    http_peer_options_t options;
    hlist_t idle; /* the one that was used last first */
    hlist_t busy;
    hlist_t active;  /* exchanges with a connection, or dialling */
    hlist_t waiting; /* exchanges without */
    uint32_t idle_count, busy_count, dialling;
    htimer_t *timer; /* for the oldest idle one */
    http_field_t *fields;
    http1_message_t message;
    bool closing;
};

struct http_exchange_s {
    hlist_t link;
    http_peer_t *peer;
    http_link_t *conn; /* NULL: none yet */
    hdial_t *dial;     /* NULL: not dialling */
    bool dial_tells;   /* it runs a callback, and must not be cancelled there */
    htimer_t *timer;   /* for 100, or for an abort without a connection */
    const http_exchange_callbacks_t *callbacks;
    void *userdata;
    const hdial_connect_options_t *connect; /* NULL: the peer's */
    hdial_connect_options_t dial_connect;   /* the same, with a head_cb of our own */

    char *head; /* of the request */
    size_t head_len;
    http_method_e method;
    int64_t body_length;
    int64_t written;
    hbytes_t early; /* of the body, framed */
    bool repeatable;
    bool repeated;
    bool chunked;
    bool upgrade; /* a 101 may come */
    bool insists; /* on sending all of the body, unless it is refused */
    bool expects; /* a 100 before the body */
    uint32_t continue_ms;
    bool raw;      /* the body's chunks are not taken apart */
    bool released; /* the body may leave on this connection */
    bool ready;    /* which is to be told to the program */
    bool ended;    /* so is what the program gives */
    bool filling;  /* the program waits for on_drained */

    hbytes_t broken;   /* lines of a head that is malformed behind them */
    bool is_http;      /* the first line was one */
    bool is_full;      /* the head was longer than head_max */
    hbytes_t held;     /* input behind a pause */
    bool begun;        /* something of a response has come */
    uint32_t interims; /* responses 1xx that have come */
    bool has_head;
    bool taken; /* the request: the status is below 300 */
    bool whole; /* the response */
    bool tunnel;
    bool shut; /* the program sends no more into it */
    bool paused;
    bool resumed; /* which is to be told to the program */

    int err;
    hdial_step_e step;
    http_exchange_times_t times;
    char error[HTTP_EXCHANGE_ERROR_SIZE];
};

/* ---- http_peer.c ----------------------------------------------------------------------------- */

/* Finds a connection for it, makes one, or has it wait. 0 or a negative error. */
int http_peer__assign(http_exchange_t *exchange);

/* A connection is free: kept, or closed. */
void http_peer__give_back(http_link_t *conn);

/* It is gone. */
void http_peer__remove(http_link_t *conn);

/* Something has become free: those that wait have their turn. */
void http_peer__next(http_peer_t *peer);

/* ---- http1_client.c -------------------------------------------------------------------------- */

/* Sets up a connected hio. NULL: out of memory. */
http_link_t *http1_client__new(http_peer_t *peer, hio_t *io);

/* The response that a message is; spans are the message's. */
http_exchange_response_t http1_client__response(const http1_message_t *m);

/* Sends the head of the exchange on it. */
void http1_client__begin(http_link_t *conn, http_exchange_t *exchange);

/* Bytes of the body, framed. */
int http1_client__send(http_exchange_t *exchange, const void *data, size_t len, bool end);

/* Goes on with input that was held, from the loop. */
void http1_client__resume_later(http_link_t *conn);

/* ---- http1_broken.c -------------------------------------------------------------------------- */

/* Keeps the lines of a head before the one that is wrong, for people. came is all of it, unless the
 * parser has collected it. */
void http1_client__keep_lines(http_link_t *conn, http_span_t came);

/* ---- http_exchange.c ------------------------------------------------------------------------- */

/* Tells on_close and frees. From the loop only. */
void http_exchange__finish(http_exchange_t *exchange, int err);

/* Says why it fails, once. */
void http_exchange__explain(http_exchange_t *exchange, int err, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
