/* hmaster's own: what its files share. */
#ifndef HNET_APP_HMASTER_INT_H
#define HNET_APP_HMASTER_INT_H

#include "hmaster.h"

#include <stdatomic.h>

#include "../event/htimer.h"
#include "../net/hworkers.h"

#define HMASTER__NO_SLOT (-1)
#define HMASTER__FILES_MAX 2 /* logs of a plan */

typedef struct generation_s {
    struct generation_s *next; /* an older one */
    hmaster_t *master;
    hmaster_generation_t shown;
    hmaster_plan_t plan;
    hlisteners_set_t listeners;
    hworkers_t *workers;
    int shelf[2]; /* a pair of sockets: the master lays log files down, workers see them; or -1 */
    int *slots;   /* of each worker; HMASTER__NO_SLOT while it does not live */
    bool gone;    /* its last worker has ended */
} generation_t;

struct hmaster_s {
    const hmaster_options_t *options;
    hmain_options_t main; /* workers become another user, the master does not */
    char *pid_file;
    hmain_t *app;
    hloop_t *loop;
    hlisteners_t *listeners;
    generation_t *current; /* the newest; older ones behind it are draining */
    uint64_t numbers;
    htimer_t *rotate_timer;
    pid_t pid;
    bool slots[HMASTER_SLOTS_MAX]; /* those that are taken */
    size_t slots_taken;
    _Atomic bool *stopping; /* in memory that all processes see: not a reload, the end is near */

    const generation_t *own;        /* in a worker */
    int spares[HMASTER__FILES_MAX]; /* ... descriptors for new log files when there are no more */
    size_t spare_count;
    void (*drain)(void *arg);
    void *drain_arg;
};

/* hmaster_generation.c: one without workers, whose sockets are neither committed nor undone; or
 * NULL and lines in errors. */
generation_t *hmaster__make(hmaster_t *master, hbytes_t *errors);

/* Starts its workers. 0 or a negative error. */
int hmaster__start(generation_t *g);

/* Its workers, if there are still some, are killed. */
void hmaster__free(generation_t *g);

/* Ends the oldest ones until there is room for one more with so many workers: reloads may come
 * faster than connections end. */
void hmaster__make_room(hmaster_t *master, int workers);

uint32_t hmaster__stop_ms(const hmaster_plan_t *plan);

/* hmaster_logs.c: opens the log files of all generations anew, for their workers, too. */
void hmaster__reopen_logs(hmaster_t *master);

/* ... In a worker: those that were, if there are any. */
void hmaster__take_logs(hmaster_t *master);

/* ... After each change of the plan: moves them when that is due, if that is wanted. */
void hmaster__watch_logs(hmaster_t *master);

static inline const hlogfile_t *hmaster__log(const hmaster_t *master)
{
    return master->current->plan.log;
}

#endif
