/* hstart: how each command gets its event loop, and what it tells its user when there is none. */
#ifndef HNET_APP_HSTART_H
#define HNET_APP_HSTART_H

#include "../event/hloop.h"

#ifdef __cplusplus
extern "C" {
#endif

#define HSTART_WHY_SIZE 256

/* hloop_new_with; NULL when that fails (errno tells), and then why holds the reason: of a poller
 * that HNET_POLLER names and this build does not have, the variable, its value and the values that
 * are possible; the error's text otherwise. The value is as it was found: why is to be escaped like
 * all that comes from outside, and is cut to size bytes, of which HSTART_WHY_SIZE are plenty. */
hloop_t *hstart_loop(const hloop_options_t *options, char *why, size_t size);

#ifdef __cplusplus
}
#endif

#endif
