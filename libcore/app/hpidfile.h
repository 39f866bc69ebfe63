/* hpidfile: one instance of a server at a time, and who it is. The file holds the process number as
 * text for people and scripts; the truth is the lock that the server holds on it, which the kernel
 * drops when the process ends, however it ends. So a file left behind is known to be stale. */
#ifndef HNET_APP_HPIDFILE_H
#define HNET_APP_HPIDFILE_H

#include <errno.h>
#include <stdint.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct hpidfile_s hpidfile_t;

/* In place of a number: the process has none here, because it is of another PID namespace. */
#define HPIDFILE_ELSEWHERE (-EXDEV)

/* Creates or takes over the file, locks it and writes the number of this process; mode 0644. 0 and
 * *file; -EEXIST when another process holds it (*holder is then as from hpidfile_holder); -EINVAL
 * when something is there that is no pid file, which stays untouched; -ENOMEM or the error of the
 * system. A forked child does not hold the lock. The process must not open and close the path by
 * itself: the kernel would drop the lock. */
int hpidfile_open(const char *path, hpidfile_t **file, pid_t *holder);

/* Removes the file, if this process opened it and the path still names it, and frees. NULL is
 * legal. */
void hpidfile_close(hpidfile_t *file);

/* The process that holds the file at path: its number; HPIDFILE_ELSEWHERE; 0 if none does (no file,
 * or a stale one); -EINVAL when something is there that is no pid file; or a negative error, such
 * as -ENOENT when there is no such folder. */
pid_t hpidfile_holder(const char *path);

/* Sends a signal to the holder, and with timeout_ms > 0 waits that long for its end. The holder's
 * number; 0 if there is none; HPIDFILE_ELSEWHERE; -ETIMEDOUT if it lives on; or a negative error.
 * The signal cannot reach another process that got the number meanwhile. *pid is as from
 * hpidfile_holder in any case. */
int hpidfile_signal(const char *path, int signo, uint32_t timeout_ms, pid_t *pid);

#ifdef __cplusplus
}
#endif

#endif
