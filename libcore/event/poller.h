/* poller: what a backend must do. To add one: write poll_<name>.c with such a table and name it in
 * the list of poller.c; every loop test then runs on it.
 *
 * A backend reports readiness, level-triggered: a descriptor that stays ready is reported by every
 * wait. One that completes reads by itself would report HV_READ with the data at hand through the
 * hio's transport, so the loop needs no other door. */
#ifndef HNET_EVENT_POLLER_H
#define HNET_EVENT_POLLER_H

#include "hio.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct hpoller_s {
    const char *name;
    /* Makes loop->poller_ctx. 0, or a negative error: the loop tries the next backend. */
    int (*init)(hloop_t *loop);
    void (*deinit)(hloop_t *loop);
    /* The interest of io->fd changes from old to events (HV_READ | HV_WRITE; 0: forget it now,
     * the descriptor is about to be closed; other bits alone: nothing, but it is not forgotten,
     * where tells_broken is set). 0; -EPERM: always ready, cannot be polled; another error. */
    int (*update)(hloop_t *loop, hio_t *io, int old, int events);
    /* Waits at most timeout_ns (negative: for ever, 0: not at all) and calls hloop__ready for what
     * is ready. An interrupted wait is 0. */
    int (*wait)(hloop_t *loop, int64_t timeout_ns);
    /* A descriptor that broke or was hung up is reported with both, whatever is wanted of it, and
     * one that did not with no more than that. */
    bool tells_broken;
    /* A descriptor that nobody else has is forgotten when it is closed. */
    bool forgets_closed;
} hpoller_t;

/* The backend of a name; NULL if there is none. */
const hpoller_t *hpoller_find(const char *name);

/* The i-th backend in order of preference, NULL at the end. */
const hpoller_t *hpoller_at(unsigned i);

#ifdef __cplusplus
}
#endif

#endif
