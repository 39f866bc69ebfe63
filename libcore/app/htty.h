/* htty: a terminal that gives each key at once, and back as it was however the process ends: by
 * htty_leave, exit, or a signal that nobody else handles.
 *
 * A handler of signals has to find it, so a process has at most one at a time. */
#ifndef HNET_APP_HTTY_H
#define HNET_APP_HTTY_H

#include <stdbool.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Switches the terminal at fd: keys are not echoed, Ctrl-C and the like still send signals. `hello`
 * is written to it now, `farewell` at the end (NULL: nothing); farewell is borrowed until then. 0;
 * -errno (-ENOTTY: no terminal); -EBUSY when one is switched already; -EAGAIN when the process is
 * in the background: the terminal is not its own then. */
int htty_enter(int fd, const char *hello, const char *farewell);

/* Lines come as before, but of what is typed nothing is shown except their ends; what was typed and
 * not read yet is dropped. Errors as of htty_enter, in whose place it is. */
int htty_hide(int fd);

/* Back as it was. Left alone if the process is in the background by now. Without htty_enter or
 * htty_hide nothing happens. */
void htty_leave(void);

/* Whether the process may use the terminal at fd: it is in the foreground, or the terminal is not
 * the one that controls it. */
bool htty_is_foreground(int fd);

#ifdef __cplusplus
}
#endif

#endif
