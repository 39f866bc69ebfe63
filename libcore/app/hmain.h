/* hmain: what the main of every server does around its loop: -s start|stop|restart|status|reload|
 * reopen, going to the background, the pid file, signals, the user it runs as.
 *
 *     status = hmain_begin("hecho", &opts.main, &app); -s done, or pid file held
 *     if (status != HMAIN_RUN)
 *         return status;
 *     ... listen; on a fault print it and   return hmain_end(app, 1);
 *     status = hmain_ready(app);                         user dropped, invoking terminal told
 *     hmain_watch(app, loop, &callbacks);                SIGTERM, SIGHUP, SIGUSR1 ...
 *     hloop_run(loop);
 *     hmain_unwatch(app);
 *     return hmain_end(app, 0);
 *
 * Messages go to stderr as "hecho: ...", the answers of -s to stdout. */
#ifndef HNET_APP_HMAIN_H
#define HNET_APP_HMAIN_H

#include <stdbool.h>
#include <stdint.h>

#include "../event/hloop.h"
#include "hopt.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum hmain_action_e {
    HMAIN_NONE = 0,
    HMAIN_START,
    HMAIN_STOP,
    HMAIN_RESTART,
    HMAIN_STATUS,
    HMAIN_RELOAD,
    HMAIN_REOPEN /* SIGUSR1 */
} hmain_action_e;

/* Zero-initialised is: run in the foreground, without a pid file. */
typedef struct hmain_options_s {
    int action; /* hmain_action_e */
    bool daemon;
    const char *pid_file; /* NULL: /run/NAME.pid for root, else $XDG_RUNTIME_DIR/NAME.pid */
    const char *user;
    const char *group;
    uint32_t stop_timeout_ms; /* 0: HMAIN_STOP_TIMEOUT_MS */
} hmain_options_t;

#define HMAIN_STOP_TIMEOUT_MS 10000

/* Rows for HOPT_INCLUDE(hmain_rows, opts_t, main, hmain_options_t). */
extern const hopt_t hmain_rows[];

/* The same with -s reopen, for those that take SIGUSR1 for their log files (hmaster). */
extern const hopt_t hmain_log_rows[];

typedef struct hmain_s hmain_t;

/* Does what -s asks for. HMAIN_RUN: *app is set and the server has to run (after start and restart
 * too, once the names of the user and the group are known to exist). Otherwise the exit status of
 * the process, *app is NULL: 0 done; 1 failed; status gives 0 when it runs and 3 when not, as
 * service managers expect. A pid file is held when -d, -s or --pid-file was given. name and options
 * are borrowed until hmain_end. SIGPIPE is ignored from here on, and SIGHUP and SIGUSR1 wait until
 * hmain_watch or hmain_end: a reload during the start is no end. Those that stop do not: there is
 * nothing to finish yet, and a start that hangs has to be stoppable. */
#define HMAIN_RUN (-1)
int hmain_begin(const char *name, const hmain_options_t *options, hmain_t **app);

/* When everything is bound: becomes the user asked for. For servers that tell the terminal more
 * between this and hmain_ready, which does it otherwise. 0, or an exit status for hmain_end after a
 * message. */
int hmain_drop(hmain_t *app);

/* Does hmain_drop, and tells the invoking process of a daemon that it runs. The signals that stop,
 * unless they are watched already, wait from here on as the others do. A master has to watch before
 * it makes workers: they would inherit the waiting. 0, or an exit status for hmain_end after a
 * message. */
int hmain_ready(hmain_t *app);

/* Called in the loop.
 *   on_stop    SIGTERM, SIGINT or SIGQUIT (NULL: hloop_stop); a second one stops the loop at once
 *   on_reload  SIGHUP (NULL: as on_stop, since the terminal went away; a daemon ignores it)
 *   on_user    SIGUSR1 (NULL: not watched) */
typedef struct hmain_callbacks_s {
    void (*on_stop)(hmain_t *app, void *userdata);
    void (*on_reload)(hmain_t *app, void *userdata);
    void (*on_user)(hmain_t *app, void *userdata);
    void *userdata;
} hmain_callbacks_t;

/* callbacks are copied. 0 or a negative error. The watches end with hmain_unwatch, which has to
 * come before hloop_free. A forked worker may watch too, on its own loop: what its master watched
 * is forgotten there. */
int hmain_watch(hmain_t *app, hloop_t *loop, const hmain_callbacks_t *callbacks);
void hmain_unwatch(hmain_t *app);

hloop_t *hmain_loop(const hmain_t *app); /* the watched one, or NULL */

/* Removes the pid file, tells a waiting invoking process of a failed start, frees. What signals
 * still wait are forgotten: it ends as status says. Returns status. In a forked worker it only
 * frees. */
int hmain_end(hmain_t *app, int status);

#ifdef __cplusplus
}
#endif

#endif
