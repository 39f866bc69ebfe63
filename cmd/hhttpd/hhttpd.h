/* hhttpd: what its files share.
 *
 *     hhttpd.c      main: documentation, what -t and -s do
 *     settings.c    what it was told to do; options.c conf.c values.c
 *     tls.c         certificates
 *     master.c      the process that was started (app/hmaster): what a generation is made of
 *     announce.c    where it is served
 *     worker.c      a worker process: shut in, one or more loops, draining
 *     trial.c       settings are tried out before workers live by them
 *     seal.c        how it is shut in: chroot, user, sandbox
 *     site.c        what one loop serves: hosts, routes, files; features plug in here
 *     access_log.c  a line for each request
 *     metrics.c     counters, of all workers together
 *     auth.c        passwords (net/husers)
 *     upload.c      files that clients store
 *     cors.c        pages of other origins
 *
 * A generation is one set of settings with the workers that live by it. A reload makes a new one;
 * the old one answers what it has been asked and goes. */
#ifndef HNET_HHTTPD_HHTTPD_H
#define HNET_HHTTPD_HHTTPD_H

#include "app/hmaster.h"
#include "metrics.h"
#include "net/htls.h"
#include "settings.h"

#include <sys/types.h>

#define HHTTPD_SERVER "hhttpd"
#define HHTTPD_NAME "hhttpd" /* of messages */

/* What the workers of one generation live by. */
typedef struct generation_s {
    settings_t *settings;
    hlogs_t logs;
    htls_ctx_t *tls; /* NULL: plain */
    hlisteners_want_t *wanted;
    size_t wanted_count;
} generation_t;

typedef struct master_s {
    int argc;
    char *const *argv;
    settings_t *first;       /* those that the start is with, until they are taken */
    htls_ctx_t *self_signed; /* kept for the next generation; NULL: none */
    metrics_shared_t *metrics;
} master_t;

/* master.c: serves until it is stopped; the exit status. The settings are its own from here on. */
int master_serve(int argc, char *const argv[], settings_t *settings, htitle_t *title);

/* master.c: tries everything out but listening, for -t. 0, or a negative error and lines. */
int master_test(settings_t *settings, hbytes_t *errors);

/* announce.c: tells where it is served, and shows the QR code. */
void announce(void *master, const hmaster_generation_t *generation);

/* announce.c: whether the end point speaks TLS. */
bool listen_is_tls(const hlisteners_item_t *item);

/* worker.c: the body of a worker process: its exit status. */
int worker_main(const hmaster_worker_t *worker, void *master);

/* seal.c: shuts this process, a child of parent, in as the settings say; before it has threads. 0,
 * or a negative error and words. */
int seal_process(const generation_t *generation, pid_t parent, hbytes_t *why);

/* trial.c: whether a site can be made of the settings by what workers become. 0, or a negative
 * error and lines. While there is one thread. */
int trial_run(const generation_t *generation, hbytes_t *errors);

/* tls.c: the context of the settings, NULL if TLS is not spoken. *kept (NULL in the beginning) is a
 * self-signed certificate, which stays the same. 0, or a negative error and a line. */
int tls_make(const settings_t *settings, htls_ctx_t **kept, htls_ctx_t **ctx, hbytes_t *errors);

/* auth.c: warns if passwords go over a network as they are. */
void auth_warn(const generation_t *generation, const hlisteners_set_t *listeners);

#endif
