/* broker: --broker and --chat: what one client sends goes to all the others, what stdin brings to
 * everybody; nothing goes to stdout.
 *
 * Everybody's queue is bounded. While a client's is full the others are not read, for PATIENCE_MS
 * at most: a client that has not taken what is queued by then is dropped with a word, so that files
 * can be passed on at the pace of their receiver, and nobody holds up the others.
 *
 * --chat puts "<user4> " in front of every line, tells who comes and goes, and escapes what would
 * command a terminal. A line is passed on once it is whole, so that no client can begin one in
 * somebody else's name. */
#ifndef HNC_BROKER_H
#define HNC_BROKER_H

#include "hnc.h"

typedef struct broker_s broker_t;

/* NULL once a message is printed. Stdin is not touched before the first client is there. */
broker_t *broker_new(hnc_t *hnc);

/* Takes over a connected hio, with its callbacks and user data. On an error it is closed. */
void broker_add(broker_t *broker, hio_t *io);

/* How many clients there are. */
size_t broker_count(const broker_t *broker);

/* After hloop_free. NULL is legal. */
void broker_free(broker_t *broker);

#endif
