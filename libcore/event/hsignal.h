/* hsignal: UNIX signals as loop events. The handler only sets a bit and wakes the loop.
 * Several loops may watch one signal: each gets it. Signals that come faster than the loop
 * runs are merged. */
#ifndef HNET_EVENT_HSIGNAL_H
#define HNET_EVENT_HSIGNAL_H

#include "hloop.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct hevent_s hsignal_t;
typedef void (*hsignal_cb)(hsignal_t *sig);

/* Calls cb in the loop each time signo arrives. hsignal_signo tells which. The first watcher of a
 * signal installs a handler, the last one restores what was there. NULL: out of memory, no such
 * signal, or SIGKILL/SIGSTOP (errno tells). */
hsignal_t *hsignal_add(hloop_t *loop, hsignal_cb cb, int signo);

/* Legal in any callback, its own too; not twice. NULL is legal. */
void hsignal_del(hsignal_t *sig);

int hsignal_signo(const hsignal_t *sig);

/* In a child that was just forked: its parent's watchers count for nothing here, so every watched
 * signal gets back the handling that it had before. Without it a child would swallow a SIGTERM that
 * its parent watches. Call it first, with signals blocked since before the fork; the parent's loops
 * must not be used in the child, nor freed. */
void hsignal_after_fork(void);

#ifdef __cplusplus
}
#endif

#endif
