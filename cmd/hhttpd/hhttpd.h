/* hhttpd: what its files share.
 *
 *     hhttpd.c      main: documentation, what -t and -s do
 *     settings.c    what it was told to do; options.c conf.c values.c
 *     log.c         messages, files of lines, their rotation
 *     listeners.c   the sockets, held by the master
 *     tls.c         certificates
 *     master.c      the process that was started: generations of workers, reload
 *     worker.c      a worker process: shut in, one or more loops, draining
 *     trial.c       settings are tried out before workers live by them
 *     seal.c        how it is shut in: chroot, user, sandbox
 *     site.c        what one loop serves: hosts, routes, files; features plug in here
 *     access_log.c  a line for each request
 *     metrics.c     counters, of all workers together
 *     auth.c        passwords; auth_users.c whose
 *     upload.c      files that clients store
 *     cors.c        pages of other origins
 *
 * A generation is one set of settings with the workers that live by it. A reload makes a new one;
 * the old one answers what it has been asked and goes. */
#ifndef HNET_HHTTPD_HHTTPD_H
#define HNET_HHTTPD_HHTTPD_H

#include "app/hmain.h"
#include "app/htitle.h"
#include "listeners.h"
#include "log.h"
#include "metrics.h"
#include "net/htls.h"
#include "net/hworkers.h"
#include "settings.h"

#include <signal.h>
#include <stdatomic.h>
#include <sys/types.h>

#define HHTTPD_SERVER "hhttpd"
#define STOP_MS 5000       /* what requests get when the server is stopped */
#define GENERATIONS_MAX 64 /* that are draining; the oldest is ended for one more */

/* In memory that all processes see. */
typedef struct shared_s {
    _Atomic bool stopping; /* not a reload: the end is near */
    _Atomic uint64_t generation;
    metrics_shared_t metrics;
} shared_t;

typedef struct master_s master_t;

typedef struct generation_s {
    struct generation_s *next; /* an older one */
    master_t *master;
    uint64_t number;
    settings_t *settings;
    log_t log;
    listen_set_t listens;
    htls_ctx_t *tls; /* NULL: plain */
    hworkers_t *workers;
} generation_t;

struct master_s {
    int argc;
    char *const *argv;
    htitle_t *title;
    hmain_options_t options; /* of hmain: workers become another user, the master does not */
    char *pid_file;
    hmain_t *app;
    hloop_t *loop;
    listeners_t listeners;
    generation_t *current; /* the newest; older ones behind it are draining */
    shared_t *shared;
    pid_t pid;
};

/* master.c: serves until it is stopped; the exit status. The settings are its own from here on. */
int master_serve(int argc, char *const argv[], settings_t *settings, htitle_t *title);

/* master.c: tries everything out but listening, for -t. 0, or a negative error and lines. */
int master_test(settings_t *settings, hbytes_t *errors);

/* worker.c: the body of a worker process: its exit status. */
int worker_main(int index, void *generation);

/* worker.c: the signals that wait until it handles them. */
sigset_t worker_signals(void);

/* seal.c: shuts this process, a child of parent, in as the settings say; before it has threads. 0,
 * or a negative error and words. */
int seal_process(const generation_t *generation, pid_t parent, hbytes_t *why);

/* trial.c: whether a site can be made of the settings by what workers become. 0, or a negative
 * error and lines. While there is one thread. */
int trial_run(const generation_t *generation, hbytes_t *errors);

/* tls.c: the context of the settings, NULL if TLS is not spoken. previous may be NULL; of it a
 * self-signed certificate is kept. 0, or a negative error and a line. */
int tls_make(const settings_t *settings, const generation_t *previous, htls_ctx_t **ctx,
             hbytes_t *errors);

/* auth.c: warns if passwords go over a network as they are. */
void auth_warn(const generation_t *generation);

#endif
