/* http_exchange: one request to a server and its response; http_peer: a server, and the connections
 * to it that are kept for the next request. Which version of HTTP carries them is not seen here.
 *
 * This is what a proxy needs, and what a client with redirects, cookies and credentials stands on:
 * nothing is decoded, followed or tried again here, but for one thing. A kept connection may have
 * been closed by the server in the meantime: a request without a body, of a method that may be
 * repeated (RFC 9110 section 9.2.2), is then sent once more on a new one.
 *
 * All calls belong to the loop's thread. Callbacks never run inside a call, but for on_begin. */
#ifndef HNET_PROTO_HTTP_EXCHANGE_H
#define HNET_PROTO_HTTP_EXCHANGE_H

#include "../codec/http1.h"
#include "../net/hdial.h"

#ifdef __cplusplus
extern "C" {
#endif

#define HTTP_EXCHANGE_ERROR_SIZE HDIAL_ERROR_SIZE
#define HTTP_PEER_NO_LIMIT UINT32_MAX
#define HTTP_BODY_NONE (-2)
#define HTTP_BODY_UNKNOWN (-1)

typedef struct http_peer_s http_peer_t;
typedef struct http_exchange_s http_exchange_t;

/* ---- the server ------------------------------------------------------------------------------ */

/* 0 in a number: the value given here. */
typedef struct http_peer_options_s {
    hendpoint_t to;
    hdial_options_t dial;   /* copied; what it points at lives as long as the peer */
    http1_options_t limits; /* of responses */
    uint32_t fields_max;    /* 100 */
    uint32_t idle_max;      /* 32 connections are kept */
    uint32_t idle_ms;       /* 60,000 each */
    uint32_t conns_max;     /* none; further exchanges wait, in the order of their start */
    uint32_t response_ms;   /* 60,000: from the end of the request to the head of the response, and
                               for each read of its body; HTTP_PEER_NO_LIMIT */
    uint32_t send_ms;       /* 60,000 for each write of the request; HTTP_PEER_NO_LIMIT */
    bool no_reuse;          /* a connection for each exchange */
    uint64_t *connections;  /* counts them, and so numbers them; NULL: nobody asks */
} http_peer_options_t;

/* 0 and *peer, or -ENOMEM. */
int http_peer_new(hloop_t *loop, const http_peer_options_t *options, http_peer_t **peer);

/* Closes kept connections; exchanges that are under way end with -ECANCELED, inside this call.
 * Before hloop_free, not from its exchanges' callbacks. NULL is legal. */
void http_peer_free(http_peer_t *peer);

uint32_t http_peer_open(const http_peer_t *peer);   /* connections, those being made too */
uint32_t http_peer_idle(const http_peer_t *peer);   /* of these: kept */
uint32_t http_peer_active(const http_peer_t *peer); /* exchanges, those that wait too */

/* ---- the exchange ---------------------------------------------------------------------------- */

/* Borrowed during http_exchange_start. */
typedef struct http_exchange_request_s {
    http_span_t method;
    http_span_t target; /* as it goes into the request line */
    /* All fields but those of the framing: Content-Length, Transfer-Encoding, Connection. Host is
     * the caller's to send. */
    const http_field_t *fields;
    size_t field_count;
    int64_t body_length;   /* of what http_exchange_write will give; HTTP_BODY_UNKNOWN: chunks;
                            HTTP_BODY_NONE: no body, and nothing is said of it */
    bool expects_continue; /* sends Expect; the body waits for 100, at most 1 s */
    bool upgrade; /* Connection: Upgrade, for the Upgrade among the fields; CONNECT needs none.
                     Without it a 101 is HERR_PROTOCOL */
    bool http10;  /* a request of HTTP/1.0 */
    bool close;   /* Connection: close */
    bool framed;  /* the fields have those of the framing, too, each in its place: nothing is added.
                     body_length still says how the body is sent, and expects_continue whether it
                     waits */
    bool raw;     /* on_body gets chunks as they come over the wire */
    bool insists; /* a response below 300 that is whole before the body is does not end it: the rest
                     is sent, too, as long as the server listens */
    /* For a connection that has to be made, in the place of the peer's; lives until on_close. The
     * arg of its head_cb is the exchange. NULL: the peer's. */
    const hdial_connect_options_t *connect;
    uint32_t continue_ms; /* waits so long for the 100; 0: 1,000 */
} http_exchange_request_t;

/* The head of a response; spans are valid during the callback. */
typedef struct http_exchange_response_s {
    int status;
    int version; /* 9, 10, 11 */
    http_span_t reason;
    const http_field_t *fields; /* all that came */
    size_t field_count;
    int64_t content_length; /* what the field says, also where no body follows; -1: nothing */
    bool has_body;          /* false for HEAD, 204, 304 */
    bool keep_alive;        /* the connection may serve further exchanges */
    http_span_t head;       /* as it came */
} http_exchange_response_t;

/* All but on_close may be NULL. */
typedef struct http_exchange_callbacks_s {
    /* It has its connection, and its head leaves now; again, if it is sent once more. The only one
     * that may run inside http_exchange_start. */
    void (*on_begin)(http_exchange_t *exchange, void *userdata);
    void (*on_interim)(http_exchange_t *exchange, const http_exchange_response_t *response,
                       void *userdata); /* 1xx but 101; past 100 of them: HERR_PROTOCOL */
    void (*on_head)(http_exchange_t *exchange, const http_exchange_response_t *response,
                    void *userdata);
    /* A piece of the body, valid during the call. After 101, or 2xx to CONNECT: of the tunnel. */
    void (*on_body)(http_exchange_t *exchange, http_span_t data, void *userdata);
    /* Behind a body in chunks; valid during the call. */
    void (*on_trailers)(http_exchange_t *exchange, const http_field_t *fields, size_t count,
                        void *userdata);
    /* The response is whole (of a tunnel: the server sends no more). */
    void (*on_body_end)(http_exchange_t *exchange, void *userdata);
    /* After http_exchange_resume, before anything else comes: what the program keeps of a piece
     * that it could not take. It may pause again. */
    void (*on_resumed)(http_exchange_t *exchange, void *userdata);
    /* The request may go on: there is room again; or, for the first time, the body may be written
     * (the connection stands, 100 has come). */
    void (*on_drained)(http_exchange_t *exchange, void *userdata);
    /* Over, and freed behind this callback: 0, the response is whole (the request may not be, if
     * the server answered before: it did not want the rest); or why not, and http_exchange_error
     * says more. */
    void (*on_close)(http_exchange_t *exchange, int err, void *userdata);
} http_exchange_callbacks_t;

/* Begins; callbacks is borrowed until on_close. 0 and *exchange, -EINVAL (what no request may
 * have), -ENOBUFS (the head is longer than 1 MiB), -ENOMEM. */
int http_exchange_start(http_peer_t *peer, const http_exchange_request_t *request,
                        const http_exchange_callbacks_t *callbacks, void *userdata,
                        http_exchange_t **exchange);

/* The body of the request: legal at once, what cannot leave yet is kept (64 KiB; more is
 * HERR_QUEUE_FULL and nothing is kept: ask http_exchange_is_full). 0, HERR_CLOSED. A body that ends
 * short of what was announced, or goes beyond, aborts. */
int http_exchange_write(http_exchange_t *exchange, const void *data, size_t len);
int http_exchange_end(http_exchange_t *exchange);
bool http_exchange_is_full(http_exchange_t *exchange);

/* Back-pressure: no on_body between the two. */
void http_exchange_pause(http_exchange_t *exchange);
void http_exchange_resume(http_exchange_t *exchange);

/* Ends it: on_close with err follows. */
void http_exchange_abort(http_exchange_t *exchange, int err);

/* One line: "connect to 127.0.0.1 port 81: Connection refused", "the response is malformed: a chunk
 * has no size"; "" without an error. Until on_close has returned. */
const char *http_exchange_error(const http_exchange_t *exchange);

/* The step that failed while connecting; HDIAL_STEP_DONE behind that. */
hdial_step_e http_exchange_step(const http_exchange_t *exchange);

/* Whether a byte has come of a response, be it a 1xx. */
bool http_exchange_has_begun(const http_exchange_t *exchange);

/* After an error in the head of the response: whether it began as one of HTTP/1 does; and its lines
 * before the one that is wrong, empty if there are none. Until on_close has returned. */
bool http_exchange_is_http(const http_exchange_t *exchange);

/* After HERR_FRAME_SIZE: whether it was the whole head, not one line or the number of fields. */
bool http_exchange_head_is_full(const http_exchange_t *exchange);
http_span_t http_exchange_broken_head(const http_exchange_t *exchange);

/* The head of the request as it is sent. */
http_span_t http_exchange_head(const http_exchange_t *exchange);

/* The number of its connection (http_peer_options_t); 0 while there is none. */
uint64_t http_exchange_connection(const http_exchange_t *exchange);

/* Microseconds of the monotonic clock; 0: not yet, or not needed. */
typedef struct http_exchange_times_s {
    uint64_t started_us, resolved_us, connected_us, tls_us, sent_us, first_byte_us;
    bool reused;
} http_exchange_times_t;
void http_exchange_times(const http_exchange_t *exchange, http_exchange_times_t *times);

/* The connection below, to ask about; NULL while there is none. */
hio_t *http_exchange_io(const http_exchange_t *exchange);
void *http_exchange_userdata(const http_exchange_t *exchange);

#ifdef __cplusplus
}
#endif

#endif
