/* probe: is a UDP port open? UDP knows no connection: a port that is closed shows itself by
 * refusing, an open one by an answer, or by not refusing for a while. */
#ifndef HNC_PROBE_H
#define HNC_PROBE_H

#include "event/htimer.h"
#include "hnc.h"

typedef struct probe_s probe_t;

/* err 0: open; else why not. The hio is closed. */
typedef void (*probe_cb)(int err, void *arg);

/* Takes over a connected datagram hio, sends to it, and tells. 0, or -ENOMEM and the hio is closed
 * without a callback. */
int probe_start(hnc_t *hnc, hio_t *io, probe_cb cb, void *arg);

/* How long a port has to refuse before it counts as open, ms. */
uint32_t probe_time_ms(const options_t *o);

#endif
