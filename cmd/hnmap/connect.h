/* connect: probes by the connect call, which needs no privileges: many at the same time, none of
 * them waited for. */
#ifndef HNMAP_CONNECT_H
#define HNMAP_CONNECT_H

#include "event/hloop.h"
#include "net/haddr.h"

#include <stdbool.h>
#include <stdint.h>

#define CONNECT_SOCKETS_MAX 16384
#define CONNECT_AGAIN_US 1000000 /* the kernel sends its SYN again after it: RFC 6298 section 2.1 */
#define CONNECT_NONE 0u          /* no probe has this number */

typedef struct connect_s connect_t;

/* A probe has ended: err 0, it was accepted; -ECONNREFUSED, the port said no; another negative
 * errno says why it could not be asked (-EHOSTUNREACH, -EACCES ...). What the kernel gives up by
 * itself comes as -ETIMEDOUT. Its number is free then; may start and cancel others. */
typedef void (*connect_cb)(void *context, void *host, uint32_t probe, int err);
/* Runs behind the answers of one turn of the loop, and when there is room again. */
typedef void (*connect_ready_cb)(void *context);

typedef struct connect_options_s {
    unsigned sockets_max;  /* at the same time, 0: CONNECT_SOCKETS_MAX; the limit of open files is
                              raised for them, and where it cannot be they are fewer */
    const haddr_t *source; /* address (and port) to send from; NULL: the kernel's choice */
    const char *interface; /* NULL: the kernel's choice */
} connect_options_t;

/* 0 and *connects; -ENOMEM, -EMFILE (not one socket could be open). options are copied but for the
 * strings they point to. */
int connect_new(hloop_t *loop, const connect_options_t *options, connect_cb cb,
                connect_ready_cb ready, void *context, connect_t **connects);
void connect_free(connect_t *connects); /* no callbacks; NULL is legal */

/* Asks an address with its port. Returns 0 when it is under way, and *number; -EAGAIN: no room now,
 * ready tells when; 1: this machine knows already, *err says what as the callback would; 2: the
 * other one has said so already. */
int connect_start(connect_t *connects, const struct sockaddr *addr, void *host, uint32_t probe,
                  uint32_t *number, int *err);

/* Whether a probe has ended, of which the callback was not told yet: *err says how. The number
 * stays its own until it is cancelled. */
bool connect_has_ended(const connect_t *connects, uint32_t number, int *err);

/* Gives up all that were asked more than age_us ago and are not answered: who asked waits no more.
 * Their callbacks run, with -ETIMEDOUT. True: there is room now. */
bool connect_make_room(connect_t *connects, uint64_t age_us);

/* Gives a probe up: no callback. A number that is CONNECT_NONE is legal, one that has ended is
 * not. */
void connect_cancel(connect_t *connects, uint32_t number);

/* How many there may be at the same time, after looking at the limits of the system. */
unsigned connect_room(const connect_t *connects);

#endif
