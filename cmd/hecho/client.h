/* client: stream connections. What is read is answered; a client that does not take its answers is
 * not read any more until it does. */
#ifndef HNET_HECHO_CLIENT_H
#define HNET_HECHO_CLIENT_H

#include "server.h"

typedef struct lines_s lines_t;

/* Why it closed, if hio_error does not know. */
typedef enum {
    CLIENT_CAUSE_ERROR = 0,
    CLIENT_CAUSE_LINE,
    CLIENT_CAUSE_STOPPED,
    CLIENT_CAUSE_FORCED
} client_cause_e;

/* Small: there may be very many, and most of them idle. */
typedef struct client_s {
    hlist_t link;
    hio_t *io;
    lines_t *lines; /* with --prefix */
    uint64_t started_us;
    uint64_t bytes_in;
    uint64_t bytes_out; /* queued ones too */
    uint8_t cause;      /* client_cause_e */
    bool bounded;       /* the marks of the queue are set: only a slow client needs them */
    bool active;        /* while stopping: it has sent something since the last look */
    uint32_t slot;      /* in server_t.slab */
} client_t;

static inline client_t *client_of(hio_t *io)
{
    return hevent_userdata(io);
}

static inline server_t *client_server(hio_t *io)
{
    return hloop_userdata(hevent_loop(io));
}

/* Counts what was read. */
void client_took(hio_t *io, int len);

/* Sends and counts; a connection that cannot is closed. Above the high mark (hio_write_above_high)
 * the caller stops reading. */
void client_answer(hio_t *io, const hbuf_t *spans, int n);

/* The accept callback; the user data of the loop is the server. */
void client_accept(hio_t *io);

/* Before the first client; and after the last, which is when the loop is gone. */
void client_init_all(server_t *server);
void client_deinit_all(server_t *server);

/* Every client is told that nothing more comes, and what it still sends is ignored. */
void client_stop_all(server_t *server);

/* Closes those that have got everything and send nothing any more, as they should when they see our
 * end of data: to close on what they send would reset the connection, and they might lose answers.
 * With force, closes all. */
void client_close_all(server_t *server, bool force);

#endif
