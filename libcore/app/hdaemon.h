/* hdaemon: to the background, in a session of its own, without losing what goes wrong at the start:
 * the invoking process waits until the daemon says that it is ready, and ends with its status. */
#ifndef HNET_APP_HDAEMON_H
#define HNET_APP_HDAEMON_H

#ifdef __cplusplus
extern "C" {
#endif

typedef struct hdaemon_s {
    int ready_fd; /* -1: the invoking process has been told */
} hdaemon_t;

#define HDAEMON_CHILD (-1)

/* Forks twice. In the daemon it returns HDAEMON_CHILD: stdin is /dev/null, stdout and stderr are
 * still those of the invoking process, so that errors are seen; the working directory stays. In the
 * invoking process it returns when the daemon is ready (0), has failed (its exit status), or has
 * ended without a word (1). A negative error if it could not fork. Only one thread may exist. */
int hdaemon_start(hdaemon_t *daemon);

/* Tells the invoking process: started. stdout and stderr become /dev/null. 0 or -errno. */
int hdaemon_ready(hdaemon_t *daemon);

/* Tells it the exit status of a start that failed; does nothing after hdaemon_ready. */
void hdaemon_fail(hdaemon_t *daemon, int status);

#ifdef __cplusplus
}
#endif

#endif
