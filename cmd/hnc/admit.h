/* admit: what a connection has to pass before it is served: the limit of -m, --allow and --deny,
 * the PROXY header of --proxy-protocol, the TLS handshake of --ssl. One that does not is closed,
 * with -v a line says why, and the server goes on. */
#ifndef HNC_ADMIT_H
#define HNC_ADMIT_H

#include "hnc.h"

typedef struct admit_s admit_t;

/* io may be served: it is open, does not read and has no callbacks. peer tells who is behind it:
 * its own address, or the one of the PROXY header. */
typedef void (*admit_passed_cb)(hio_t *io, const haddr_t *peer, void *arg);

/* One was refused after admit_start had returned. */
typedef void (*admit_refused_cb)(void *arg);

typedef struct admit_callbacks_s {
    admit_passed_cb passed_cb;
    admit_refused_cb refused_cb;
    void *arg;
} admit_callbacks_t;

/* 0 and *admit, or an exit status once a message is printed. */
int admit_new(hnc_t *hnc, const admit_callbacks_t *callbacks, admit_t **admit);

/* Takes over an accepted hio; served: how many are served now. True: passed_cb has run or will,
 * unless refused_cb does; false: it was refused at once. */
bool admit_start(admit_t *admit, hio_t *io, size_t served);

/* The lists alone, for who sends datagrams: whether this one may; with -v a line says why not. */
bool admit_allows(const admit_t *admit, const struct sockaddr *peer);

/* After hloop_free. NULL is legal. */
void admit_free(admit_t *admit);

#endif
