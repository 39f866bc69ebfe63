/* session: the conversation between stdin and stdout and one or more connections ("peers").
 *
 *   stdin -> every peer    each peer -> stdout
 *
 * Rules for the ends:
 *   stdin ends      the peers are still heard; -N and -q shut down the sending side, -q leaves some
 *                   time later, --send-only leaves once all is sent;
 *   a peer ends     stdin is at its end too: that conversation is over. Stdin is a file: the rest
 *                   of it is sent, for the peer may have closed one direction only. Stdin is a
 *                   terminal: over at once. Stdin is a pipe: nobody can tell whether the peer is
 *                   gone or still listens, so it is over once nothing has moved for GRACE_MS (most
 *                   often: at once);
 *   stdout breaks   everything is over.
 * What was read is always sent before a connection is closed. */
#ifndef HNC_SESSION_H
#define HNC_SESSION_H

#include "hnc.h"

typedef struct session_s session_t;

/* The last peer is gone: err is what hio_error tells of it. Runs in its close callback. */
typedef void (*session_idle_cb)(session_t *session, int err, void *arg);

/* Data has come from a peer (received), or is about to be sent. */
typedef void (*session_moved_cb)(session_t *session, bool received, void *arg);

/* NULL once a message is printed. Stdin is not touched before the first peer is there. */
session_t *session_new(hnc_t *hnc, session_idle_cb idle_cb, void *arg);

/* With the arg of session_new; NULL: none. */
void session_setcb_moved(session_t *session, session_moved_cb cb);

/* Takes over a connected hio, with its callbacks and user data. On an error it is closed. */
void session_add(session_t *session, hio_t *io);

/* How many peers there are. */
size_t session_count(const session_t *session);

/* Something that was read from a peer before session_add. */
void session_input(session_t *session, const void *data, size_t len);

/* Whether stdin may still have something to send, or is not asked at all: a connection that ended
 * is worth another one. */
bool session_wants_more(const session_t *session);

/* Writes what is left to stdout, then stops the loop. */
void session_finish(session_t *session);

/* After hloop_free. NULL is legal. */
void session_free(session_t *session);

#endif
