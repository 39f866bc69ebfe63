/* http_stream: one request and its response. Which version of HTTP carries them, and what else goes
 * over the connection at the same time, is not seen from here.
 *
 *     static void hello(http_stream_t *stream, void *userdata)
 *     {
 *         http_response_set(stream, HTTP_SPAN("Content-Type"), HTTP_SPAN("text/plain"));
 *         http_response_send(stream, "hello\n", 6);
 *     }
 *
 * A handler gets the stream as soon as the head of the request is there. It answers at once, or
 * later: the stream lives until its close callback has run, which comes exactly once, never from
 * inside a call, and after which the pointer is dead. Responses leave in the order of the
 * requests, whoever is ready first.
 *
 * Who does not ask for the body gets a response that does not wait for it: what is short is read
 * and dropped, what is long ends the connection behind the response.
 *
 * Calls on a stream whose client has gone are legal until the close callback and do nothing:
 * they return HERR_CLOSED. All belong to the loop's thread. */
#ifndef HNET_PROTO_HTTP_STREAM_H
#define HNET_PROTO_HTTP_STREAM_H

#include "../codec/http_names.h"
#include "../event/hio.h"
#include "../net/haddr.h"

#ifdef __cplusplus
extern "C" {
#endif

#define HTTP_PARAMS_MAX 16           /* of a route */
#define HTTP_HOOKS_MAX 8             /* of a stream */
#define HTTP_RESPONSE_HEAD_MAX 32768 /* bytes of fields */

typedef struct http_stream_s http_stream_t;
typedef struct http_server_s http_server_t;

/* ---- the request ----------------------------------------------------------------------------- */

typedef struct http_param_s {
    http_span_t name, value;
} http_param_t;

/* Stays where it is while the stream lives, but spans may point elsewhere from one callback to the
 * next: ask again rather than keep a span. */
typedef struct http_request_s {
    http_method_e method;
    http_span_t method_name;
    int version;           /* 9, 10, 11 or 20: HTTP/2 */
    bool secure;           /* over TLS */
    bool expects_continue; /* the client waits for 100; asking for the body sends it */
    bool wants_upgrade;    /* there is an Upgrade that counts */
    http_span_t authority; /* "host:port" as the client said it; "" if it did not (HTTP/1.0) */
    http_span_t target;    /* as it came, for logs and proxies */
    http_span_t path;  /* http_path_decode; a NUL is behind it. "*" for OPTIONS *, "" for CONNECT */
    http_span_t query; /* behind the "?", as it came; data NULL: there is none */
    const http_field_t *fields;
    size_t field_count;
    int64_t content_length; /* of the body; 0: no body, -1: not known before its end */
    http_param_t params[HTTP_PARAMS_MAX]; /* of the route: decoded parts of the path */
    size_t param_count;
} http_request_t;

const http_request_t *http_stream_request(const http_stream_t *stream);

/* The value of the first field of this name; data NULL: there is none. */
http_span_t http_request_field(const http_stream_t *stream, http_field_e field);
http_span_t http_request_find(const http_stream_t *stream, const char *name);

/* A parameter of the route (":name", "*rest"); data NULL: there is none. */
http_span_t http_request_param(const http_stream_t *stream, const char *name);

/* The first parameter of this name in the query, decoded into buf with a NUL: its length; -ENOENT,
 * -ENOBUFS, HERR_SYNTAX (a "%" without digits). */
ssize_t http_request_query(const http_stream_t *stream, const char *name, char *buf, size_t size);

/* The client's address (of a PROXY header before the socket's), and the one it came to. */
const haddr_t *http_stream_peer(http_stream_t *stream);
const haddr_t *http_stream_local(http_stream_t *stream);

http_server_t *http_stream_server(const http_stream_t *stream);
hloop_t *http_stream_loop(const http_stream_t *stream);

/* The connection below, to ask about (TLS, address): not to read, write or close. */
hio_t *http_stream_io(const http_stream_t *stream);

/* ---- callbacks and the body of the request --------------------------------------------------- */

/* All may be NULL. */
typedef struct http_stream_callbacks_s {
    /* A piece of the body; valid during the call. After a CONNECT or an upgrade that was accepted:
     * of the tunnel. */
    void (*on_body)(http_stream_t *stream, http_span_t data, void *userdata);
    /* The body is whole. Of a tunnel, once it stands: the client sends no more. */
    void (*on_body_end)(http_stream_t *stream, void *userdata);
    /* After http_response_is_full: go on. */
    void (*on_drained)(http_stream_t *stream, void *userdata);
    /* The stream is over: 0, the response has been handed to the kernel; else the cause: the client
     * has gone, a time limit, http_stream_abort. Not for calls on the stream. */
    void (*on_close)(http_stream_t *stream, int err, void *userdata);
} http_stream_callbacks_t;

/* Who wants the body sets on_body in the handler, or pauses there. callbacks is borrowed. */
void http_stream_set_callbacks(http_stream_t *stream, const http_stream_callbacks_t *callbacks,
                               void *userdata);
void *http_stream_userdata(const http_stream_t *stream);

/* Back-pressure: no on_body between the two; the client is not read any more. */
void http_stream_pause(http_stream_t *stream);
void http_stream_resume(http_stream_t *stream);

/* Reads the whole body into memory, then calls cb with it (valid during the call), at once when
 * there is none. A body of more than size_max bytes (0: the server's limit) is answered with 413
 * and cb does not come. 0 or -ENOMEM. The close callback may be set before or in cb. */
typedef void (*http_body_cb)(http_stream_t *stream, http_span_t body, void *userdata);
int http_stream_collect(http_stream_t *stream, size_t size_max, http_body_cb cb, void *userdata);

/* Another limit for the body than the server's, bytes; in the handler, before the body is read. */
void http_stream_set_body_max(http_stream_t *stream, uint64_t size_max);

/* ---- the response ---------------------------------------------------------------------------- */

/* 200 unless said otherwise. */
void http_response_status(http_stream_t *stream, int status);
int http_response_get_status(const http_stream_t *stream);

/* A field: in the place of those of this name, behind them, or none at all. Content-Length,
 * Transfer-Encoding, Connection, Date and Server are the server's own; Date and Server may be set.
 * 0, -EINVAL (CR, LF, NUL, no token; nothing changed), -ENOBUFS past HTTP_RESPONSE_HEAD_MAX,
 * -ENOMEM, HERR_CLOSED (also after the head has left). */
int http_response_set(http_stream_t *stream, http_span_t name, http_span_t value);
int http_response_add(http_stream_t *stream, http_span_t name, http_span_t value);
int http_response_printf(http_stream_t *stream, const char *name, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
int http_response_remove(http_stream_t *stream, http_span_t name);

/* What was set, the first of its name; data NULL: nothing. Until the next change. */
http_span_t http_response_get(const http_stream_t *stream, const char *name);

/* Called once, just before the head is made, in the order that they were set: may change status and
 * fields, and set a coder. 0 or -ENOBUFS past HTTP_HOOKS_MAX. */
typedef void (*http_hook_cb)(http_stream_t *stream, void *arg);
int http_stream_add_hook(http_stream_t *stream, http_hook_cb hook, void *arg);

/* The whole response: head, body, end. HEAD and 204, 304 get no body, but its length. The bytes are
 * copied where the kernel does not take them. 0 or an error, and then the stream is being closed
 * (on_close tells). */
int http_response_send(http_stream_t *stream, const void *body, size_t len);

/* The same with borrowed bytes: free_cb(body, arg) once they are not needed any more, also on
 * errors. */
int http_response_send_nocopy(http_stream_t *stream, const void *body, size_t len,
                              hio_free_cb free_cb, void *arg);

/* An error, or any other status, with a page about it: the server's error page, with detail as one
 * more sentence (may be NULL). */
int http_response_error(http_stream_t *stream, int status, const char *detail);

/* 301, 302, 303, 307 or 308 to a URL or an encoded path. */
int http_response_redirect(http_stream_t *stream, int status, http_span_t location);

/* In pieces: the head, with length bytes of body to follow (-1: as many as come; HTTP/1.1 sends
 * chunks, HTTP/1.0 closes); pieces; the end. Fewer or more bytes than announced are an error of
 * the program: the client sees a truncated response. */
int http_response_start(http_stream_t *stream, int64_t length);
int http_response_write(http_stream_t *stream, const void *data, size_t len);
int http_response_write_nocopy(http_stream_t *stream, const void *data, size_t len,
                               hio_free_cb free_cb, void *arg);

/* len bytes of a plain file, from offset on; release(arg) once the file is not needed any more,
 * also on errors. Sent by the kernel where it can (hio_write_file); goes through a coder if there
 * is one. */
typedef struct http_file_part_s {
    int fd;
    int64_t offset, len;
    void (*release)(void *arg);
    void *arg;
} http_file_part_t;
int http_response_write_file(http_stream_t *stream, const http_file_part_t *part);

/* The whole response, its head in the same packets as the file. */
int http_response_send_file(http_stream_t *stream, const http_file_part_t *part);

int http_response_end(http_stream_t *stream);

/* Whether to pause: the client takes the response slower than it is written. on_drained follows. */
bool http_response_is_full(const http_stream_t *stream);

/* 1xx ahead of the response: 100, or 103 with the fields that are set now. */
int http_response_interim(http_stream_t *stream, int status);

/* Whether the head has been made: status and fields are final. */
bool http_response_started(const http_stream_t *stream);

/* The connection ends behind this response (HTTP/2: goes away after its streams). A tunnel that
 * has been ended goes on in the other direction, unless this is said too. */
void http_response_last(http_stream_t *stream);

/* Gives up: a client that has got a part of the response sees it truncated. on_close with err. */
void http_stream_abort(http_stream_t *stream, int err);

/* ---- for the access log ---------------------------------------------------------------------- */

typedef struct http_stream_stats_s {
    int status;          /* 0: no response was begun */
    int64_t bytes_sent;  /* of the body, as coded */
    int64_t body_bytes;  /* of the request */
    uint64_t started_us; /* monotonic: when the head had been read */
    uint64_t duration_us;
} http_stream_stats_t;
void http_stream_stats(const http_stream_t *stream, http_stream_stats_t *stats);

/* Any name that a handler has found out, for the log; copied, cut at 63 bytes. */
void http_stream_set_user(http_stream_t *stream, http_span_t user);
const char *http_stream_user(const http_stream_t *stream); /* "": nobody */

#ifdef __cplusplus
}
#endif

#endif
