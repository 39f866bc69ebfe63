/* master: what a generation of workers is made of, for app/hmaster. */
#ifndef HPROXY_MASTER_H
#define HPROXY_MASTER_H

#include "app/hmaster.h"
#include "hproxy.h"

#define SLOTS_MAX HTARGET_SHARE_WORKERS_MAX

/* What an end point of the settings is for; service NULL: the status listener. */
typedef struct way_s {
    const service_settings_t *service;
    const listen_settings_t *listen;
} way_t;

typedef struct generation_s {
    settings_t *settings;
    hlogs_t logs;
    hlisteners_want_t *wanted;
    way_t *ways; /* of each, by its tag */
    size_t way_count;
} generation_t;

typedef struct master_s {
    int argc;
    char *const *argv;
    settings_t *first;       /* those that the start is with, until they are taken */
    htls_ctx_t *self_signed; /* the same for all generations; NULL: none yet */
    stats_shared_t *stats;
    htarget_share_t *targets;
} master_t;

/* Serves until it is stopped, or does what -s asks for: the exit status. The settings are its own
 * from here on. */
int master_serve(int argc, char *const argv[], settings_t *settings, htitle_t *title);

/* Tries everything out but listening, for -t. 0, or a negative error and lines. */
int master_test(settings_t *settings, hbytes_t *errors);

/* tls.c: makes the contexts of all services. *self_signed (NULL in the beginning) is kept from one
 * generation to the next. 0, or a negative error and a line. */
int tls_make(settings_t *settings, htls_ctx_t **self_signed, hbytes_t *errors);

/* announce.c: tells where it serves what. */
void announce(void *master, const hmaster_generation_t *generation);

/* What a socket is for: of one that systemd has opened its name tells, unless there is one service
 * alone. NULL: nothing. */
const way_t *master_way(const generation_t *generation, const hlisteners_item_t *item);

/* worker.c: the body of a worker process: its exit status. */
int worker_main(const hmaster_worker_t *worker, void *master);

/* worker.c: whether a lane can be made of the settings: with a loop that never runs. 0, or a
 * negative error and lines. */
int worker_try(const generation_t *generation, hbytes_t *errors);

#endif
