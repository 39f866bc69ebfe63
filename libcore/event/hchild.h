/* hchild: the end of a child process as a loop event, through a pidfd: no SIGCHLD, no race with
 * other code that waits for its own children. */
#ifndef HNET_EVENT_HCHILD_H
#define HNET_EVENT_HCHILD_H

#include "hloop.h"

#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct hchild_s hchild_t;
typedef void (*hchild_cb)(hchild_t *child);

/* Calls cb once when the child has ended and was reaped, then frees the watch. NULL: out of memory,
 * not a child (errno tells). */
hchild_t *hchild_add(hloop_t *loop, pid_t pid, hchild_cb cb, void *userdata);

/* Stops watching: the child is left running and not reaped. Legal in any callback.
 * NULL is legal. */
void hchild_del(hchild_t *child);

pid_t hchild_pid(const hchild_t *child);

/* As waitpid gives it: WIFEXITED() and the like apply. -1, to which none of them does, when
 * somebody else has reaped the child. */
int hchild_status(const hchild_t *child);

/* Sends a signal to exactly this process, never to a later one with its number. 0 or -errno. */
int hchild_kill(const hchild_t *child, int signo);

#ifdef __cplusplus
}
#endif

#endif
