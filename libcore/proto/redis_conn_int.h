/* redis_conn: a connection to a Redis server that comes back by itself, for the modules of this
 * layer. Ready is one that has taken the password and answered a PING; from then on it is pinged,
 * and one that is silent is given up. */
#ifndef HNET_PROTO_REDIS_CONN_INT_H
#define HNET_PROTO_REDIS_CONN_INT_H

#include "../net/hreconnect.h"
#include "redis_pubsub.h"

typedef struct redis_conn_s redis_conn_t;

/* Only ready and lost of these may come without a reply before. None of them may free. */
typedef struct redis_conn_callbacks_s {
    void (*ready)(redis_conn_t *conn, void *arg);
    void (*reply)(redis_conn_t *conn, const redis_reply_t *reply, void *arg); /* no PONG */
    void (*drained)(redis_conn_t *conn, void *arg); /* redis__conn_is_full no longer */
    /* It ended, or could not be made: why is one line, without the server's name. */
    void (*lost)(redis_conn_t *conn, const char *why, void *arg);
    void *arg;
} redis_conn_callbacks_t;

/* options: those of redis_pubsub_new, without zeros; tls: NULL for a plain connection. 0, -ENOMEM,
 * HERR_UNSUPPORTED. */
int redis__conn_new(hloop_t *loop, const redis_pubsub_options_t *options, htls_ctx_t *tls,
                    const redis_conn_callbacks_t *callbacks, redis_conn_t **conn);
void redis__conn_free(redis_conn_t *conn);

bool redis__conn_is_ready(const redis_conn_t *conn);
bool redis__conn_is_full(const redis_conn_t *conn); /* it is to send more than it should hold */

/* Sends a command as redis_command formats it. 0 or as hio_write. */
int redis__conn_send(redis_conn_t *conn, const hbytes_t *command);

/* Ends it with an error that the server has told; it is made again later. */
void redis__conn_refused(redis_conn_t *conn, const redis_reply_t *error);

/* Ends it with an error of ours; likewise. */
void redis__conn_end(redis_conn_t *conn, int err);

#endif
