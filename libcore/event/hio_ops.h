/* hio_ops: what lies below and beside an hio, for libcore's own layers. Three hooks, each a table
 * with a context, so that the hot path of a plain socket pays one pointer test each:
 *   transport  how bytes get to and from the descriptor (plain, TLS);
 *   filter     what becomes of bytes that are read, before the read callback (framing), or in its
 *              stead (relay);
 *   gate       how many bytes may pass now (rate limits). */
#ifndef HNET_EVENT_HIO_OPS_H
#define HNET_EVENT_HIO_OPS_H

#include "hio.h"

#include <sys/uio.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct hio_transport_s {
    const char *name;
    /* Before the first byte; 0 when done, -EAGAIN to be called again on readiness (see
     * hio_transport_want), else the cause of the close. NULL: nothing to do. */
    int (*handshake)(hio_t *io, void *ctx);
    /* Bytes, 0 at the end of data, -EAGAIN, or the cause of the close. HERR_TRUNCATED is an end of
     * data too, and the cause of the close that comes one day: the peer may still read. */
    ssize_t (*read)(hio_t *io, void *ctx, void *buf, size_t len);
    ssize_t (*write)(hio_t *io, void *ctx, const struct iovec *iov, int n);
    /* Whether read may give data without the descriptor being readable, asked after a read that
     * filled its buffer. NULL: never. */
    bool (*pending)(hio_t *io, void *ctx);
    /* Ends the sending side: 0, -EAGAIN (called again when writable), or an error. */
    int (*shutdown)(hio_t *io, void *ctx);
    /* The hio is gone, its close callback has run; free the context. May be NULL. */
    void (*free)(hio_t *io, void *ctx);
} hio_transport_t;

/* Replaces the transport; before reading starts. A transport with a handshake holds back the
 * connect callback, reading and writing until it is done; on an hio that is open it begins at the
 * end of the iteration, unless hio_connect is called before, and the connect timeout runs. 0,
 * HERR_CLOSED, or -ENOMEM; on an error nothing has changed. */
int hio_set_transport(hio_t *io, const hio_transport_t *transport, void *ctx);

/* The same, but the transport that was there is not freed: it belongs to the new one, which reads
 * and writes through it. */
int hio_wrap_transport(hio_t *io, const hio_transport_t *transport, void *ctx);

const hio_transport_t *hio_transport(const hio_t *io); /* NULL: plain */
void *hio_transport_ctx(const hio_t *io);

/* Which readiness a handshake, read or write that returned -EAGAIN needs, when not the usual one:
 * only that is waited for, then both reading and writing are tried again. */
void hio_transport_want(hio_t *io, int events);

typedef struct hio_filter_s {
    /* Bytes that were read; valid during the call. The filter calls hio_deliver for
     * what is ready. */
    void (*input)(hio_t *io, void *ctx, char *buf, size_t len);
    /* Reading was started again: deliver what was held back. Called from the loop. May be NULL. */
    void (*resume)(hio_t *io, void *ctx);
    /* The peer's end of data, before the EOF callback or the close. May be NULL. */
    void (*eof)(hio_t *io, void *ctx);
    void (*free)(hio_t *io, void *ctx);
    /* Instead of a read: moves up to max bytes to where they are to go. How many, 0 at the end of
     * data, -EAGAIN, the cause of the close, or -ENOTSUP: read as usual this time. May be NULL. */
    ssize_t (*move)(hio_t *io, void *ctx, size_t max);
} hio_filter_t;

#define HIO_MOVE_MAX ((size_t)1024 * 1024) /* bytes that one call moves */

/* Installs a filter, freeing the one before; NULL removes it. 0 or -ENOMEM. */
int hio_set_filter(hio_t *io, const hio_filter_t *filter, void *ctx);
const hio_filter_t *hio_filter(const hio_t *io);
void *hio_filter_ctx(const hio_t *io);

/* As hio_get, for a socket that was made just now, close-on-exec, non-blocking and (TCP) with
 * TCP_NODELAY as it is to be: nothing is asked. NULL: out of memory. */
hio_t *hio_of_socket(hloop_t *loop, int fd, hio_type_e type);

/* The descriptor is passed on to nobody, and the process does not fork while it is open (the child
 * would keep the poller informed of it): an accepted socket, or one of hio_of_socket, need not be
 * taken from the poller before it is closed. No effect on any other. */
void hio_set_unshared(hio_t *io);

/* An accepted connection whose first bytes may have come already, while it was not read: they are
 * read without asking the poller once reading starts. No effect on any other. */
void hio_expect_bytes(hio_t *io);

/* An open stream socket, while it is not read, closes as soon as its connection breaks, with that
 * cause (-EPIPE: the peer has closed both ways), and not only when reading or writing meets it. An
 * end of data, or a peer that has gone and left data, is not that: both are read. Ends when
 * reading starts, or with hio_detach. No effect where the poller does not tell (all but epoll), on
 * any other kind, and while reading. */
void hio_watch_hangup(hio_t *io);

/* Calls the read callback; false when reading was stopped or the hio closed in it:
 * deliver no more. */
bool hio_deliver(hio_t *io, char *buf, size_t len);
bool hio_is_reading(const hio_t *io);

/* For move: the buffer that a read of io fills, with its size; what is in it is valid until the
 * next read of any hio of the loop. NULL: out of memory. */
char *hio_read_buffer(hio_t *io, size_t *size);

/* For move: reads into a buffer of its own. As a transport's read. */
ssize_t hio_read_some(hio_t *io, void *buf, size_t len);

/* For move: sends up to max bytes of a plain file or a pipe to a stream, in the kernel alone. How
 * many, 0 at their end, -EAGAIN: none now (when `to` takes no more, hio_await_writable was called
 * for it), -ENOTSUP: read as usual, which also tells errors of the source; else what `to` says to
 * the write, as with hio_write. SIGPIPE has to be ignored. */
ssize_t hio_send_from(hio_t *from, hio_t *to, size_t max);

/* Whether that is possible: between such two without a transport, `to` being non-blocking. */
bool hio_can_send_from(const hio_t *from, const hio_t *to);

/* How many bytes a write may have now without being refused for the length of the queue. */
size_t hio_write_room(const hio_t *io);

/* For whoever has bytes for io that it cannot take now: io counts as above its high watermark until
 * it can be written to and nothing is queued; then the drained callback runs. */
void hio_await_writable(hio_t *io);

/* Calls cb from the loop at the end of the iteration: for what must not happen inside the call that
 * caused it. Once, however often it is asked for until then (the last cb counts), and not if the
 * hio is closed before. 0, HERR_CLOSED, -ENOMEM. */
int hio_defer(hio_t *io, hio_event_cb cb);

typedef struct hio_gate_s {
    /* How many of `want` bytes may pass now; 0 stops this direction until hio_gate_open. */
    size_t (*allow)(hio_t *io, void *ctx, size_t want);
    /* This many passed. */
    void (*passed)(hio_t *io, void *ctx, size_t n);
    void (*free)(hio_t *io, void *ctx);
} hio_gate_t;

/* One gate per direction (HV_READ or HV_WRITE); NULL removes it. 0 or -ENOMEM. */
int hio_set_gate(hio_t *io, int direction, const hio_gate_t *gate, void *ctx);
void hio_gate_open(hio_t *io, int direction);

#ifdef __cplusplus
}
#endif

#endif
