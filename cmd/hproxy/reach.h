/* reach: the way of a session to one of its service's targets: picks one, dials it, and the next
 * one if that fails. */
#ifndef HPROXY_REACH_H
#define HPROXY_REACH_H

#include "session.h"

#include "net/hdial.h"

#define REACH_WHY_SIZE (HDIAL_ERROR_SIZE + HTARGET_NAME_SIZE)

typedef struct reach_s reach_t;

/* Once: io stands, and session->target is the one that it leads to; whether it lives is not told to
 * it yet (htarget_connected). Or io NULL, and how and why the session ends. */
typedef void (*reach_cb)(reach_t *reach, hio_t *io, session_end_e end, const char *why);

/* Embedded, all zero in the beginning. Its members are private. */
struct reach_s {
    session_t *session;
    reach_cb done;
    const haddr_t *destination;
    bool speaks_first;
    htarget_tried_t tried;
    htargets_wait_t wait;
    hdial_t *dial;
};

/* Starts; done may run inside. destination: what the client has connected to, for a PROXY header;
 * it lives until done. NULL: that is not wanted. speaks_first: there are bytes for the target that
 * are sent as soon as it is reached. */
void reach_start(reach_t *reach, session_t *session, const haddr_t *destination, bool speaks_first,
                 reach_cb done);

/* After SESSION_NO_RESOURCES, when there is room again: dials that target once more; as
 * reach_start. */
void reach_again(reach_t *reach);

/* Gives up, without done. Legal at any time but from a callback of a dial. */
void reach_cancel(reach_t *reach);

/* Whether an error is for want of our own: not the target's fault. */
bool reach_is_shortage(int err);

#endif
