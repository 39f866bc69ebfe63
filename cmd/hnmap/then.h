/* then: --then. A command for each host, or for each of its open ports: some at a time, while the
 * scan goes on. Their output is held until they end, so that it does not mix. */
#ifndef HNMAP_THEN_H
#define HNMAP_THEN_H

#include "event/hloop.h"
#include "result.h"

#include <stdbool.h>

#define THEN_JOBS_MAX 1024
#define THEN_JOBS_USUAL_MAX 16 /* of as many as there are processors */
#define THEN_QUEUE_MAX 64      /* hosts that wait for their commands */

typedef struct then_s then_t;

typedef struct then_options_s {
    const char *command; /* then_text_check takes it */
    unsigned jobs;       /* commands at the same time; 0: as many as there are processors */
    int output;          /* where their standard output goes; 1 or 2 */
    /* Before something is written to a terminal. */
    void (*before)(void *context);
    /* A command has ended: there may be room for a host, or nothing left to wait for. */
    void (*changed)(void *context);
    void *context;
} then_options_t;

typedef struct then_counts_s {
    uint64_t run, failed;    /* commands that have ended; of them not with status 0 */
    size_t running, waiting; /* commands; hosts */
} then_counts_t;

/* options are copied, what they point to is not. 0 or -ENOMEM. */
int then_new(hloop_t *loop, const then_options_t *options, then_t **then);
/* Commands that run are killed. NULL is legal. */
void then_free(then_t *then);

/* Whether a host has a place in the queue. */
bool then_has_room(const then_t *then);

/* Begins the commands of a host, now or in its turn; one without an open port has none where they
 * are for ports. What it needs is copied. 0 or -ENOMEM. */
int then_host(then_t *then, const host_result_t *host);

bool then_is_idle(const then_t *then);

/* Ends the commands that run, and what they have started: by SIGTERM, and a while later by SIGKILL.
 * Those that wait are not begun. `changed` tells when all have ended. */
void then_stop(then_t *then);

void then_counts(const then_t *then, then_counts_t *counts);

#endif
