/* The inside of a server and its connections, for the files of the server only. */
#ifndef HNET_PROTO_HTTP_SERVER_INT_H
#define HNET_PROTO_HTTP_SERVER_INT_H

#include "../event/htimer.h"
#include "../net/hrate.h"
#include "http_stream_int.h"

#define HTTP_STOCK_MAX 64     /* streams kept for reuse */
#define HTTP_FIELDS_KEPT 4096 /* bytes of response fields kept with each */
#define HTTP_LISTENERS_MAX 64
#define HTTP_DRAIN_IDLE_MS 1000
#define HTTP_FIXED_SIZE 160 /* Date and Server */
#define HTTP_OUT_SIZE (HTTP_RESPONSE_HEAD_MAX + 1024)

/* What a connection is waiting for; each has a list, the one that has waited longest first. */
typedef enum http_wait_e {
    HTTP_WAIT_NONE, /* the program's turn */
    HTTP_WAIT_HEAD,
    HTTP_WAIT_KEEPALIVE,
    HTTP_WAIT_BODY, /* these two: within each period some bytes have to move */
    HTTP_WAIT_SEND,
    HTTP_WAIT_COUNT
} http_wait_e;

/* What every version's connection begins with. */
struct http_conn_s {
    hlist_t link; /* server->waits[wait] */
    hlist_t all;  /* server->conns */
    http_server_t *server;
    hio_t *io;
    haddr_t *peer; /* NULL: not asked for yet */
    uint64_t since_us;
    uint64_t moved;   /* bytes, at since_us */
    uint64_t written; /* bytes given to the hio */
    uint64_t received;
    const struct http_conn_ops_s *ops;
    uint32_t requests;
    uint8_t wait; /* http_wait_e */
    bool secure;
};

/* What a version of HTTP is to the server. */
typedef struct http_conn_ops_s {
    void (*timeout)(http_conn_t *conn, http_wait_e wait); /* has to end it */
    void (*gone)(http_conn_t *conn, int err); /* ends its streams and frees it, at once */
} http_conn_ops_t;

struct http_server_s {
    hloop_t *loop;
    http_server_options_t options;
    http_server_stats_t stats;
    hlist_t waits[HTTP_WAIT_COUNT];
    uint32_t limits_ms[HTTP_WAIT_COUNT];
    htimer_t *timer;   /* NULL: nothing waits */
    uint64_t timer_us; /* when it fires */
    hlist_t stock;     /* streams */
    uint32_t stock_count;
    hio_t *listeners[HTTP_LISTENERS_MAX];
    int listener_count;
    bool draining;
    uint64_t drain_us; /* when the timer is due, at the latest */
    htimer_t *drain_timer;
    void (*drained)(http_server_t *server, void *arg);
    void *drained_arg;

    /* For the request that is being read, and the head that is being written. */
    http1_message_t message;
    http_field_t *fields;
    size_t fields_max;
    char *path;
    size_t path_size;
    char *out;
    char fixed[HTTP_FIXED_SIZE];
    size_t fixed_len;
    uint64_t fixed_s; /* of which second */

    hlist_t conns;
    hlist_t entrants; /* whose PROXY header is being read */
    uint32_t entrant_count;
};

/* ---- http_server.c --------------------------------------------------------------------------- */

/* Date and Server lines as of now; without those that the response has itself. */
http_span_t http_server__fixed(http_server_t *server);

/* One connection less. */
void http_server__conn_gone(http_server_t *server);

/* ---- http_conn.c ----------------------------------------------------------------------------- */

/* Says what a connection waits for from now on. refresh: the period starts again, if it is the same
 * as before. */
void http_conn__wait(http_conn_t *conn, http_wait_e wait, bool refresh);

/* Ends what has waited for too long. */
void http_conn__check(http_server_t *server);

/* Bytes that have left for the kernel. */
uint64_t http_conn__sent(const http_conn_t *conn);

/* The connection is gone. */
void http_conn__remove(http_conn_t *conn);

/* ---- http1_server.c -------------------------------------------------------------------------- */

/* Serves HTTP/1 on it. peer: the client's address; NULL: the socket's. 0, or -ENOMEM and nothing
 * has changed. */
int http1_server__start(http_server_t *server, hio_t *io, bool secure, const haddr_t *peer);

#endif
