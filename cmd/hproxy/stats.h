/* stats: counters of services, in memory that all worker processes share. They only grow, over
 * crashes and reloads (a service is found again by its name); what is open now is kept for each
 * worker on its own: with it goes what it had. (Those of targets are in net/htarget_share.) */
#ifndef HPROXY_STATS_H
#define HPROXY_STATS_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#define STATS_SERVICES_MAX 512 /* names, old ones too */
#define STATS_NAME_SIZE 64
#define STATS_ENDS_MAX 16
#define STATS_BUCKETS 16 /* of durations */

typedef struct stats_shared_s stats_shared_t;
typedef struct stats_s stats_t; /* of one service, for one worker */

/* Bytes of shared, zeroed memory that are needed. */
size_t stats_shared_size(void);

/* The counters of a service (shared NULL: they count for nobody); those of an unknown name when there are too many (one for the rest).
 * slot: the worker's. Freed by stats_close. NULL: out of memory. */
stats_t *stats_open(stats_shared_t *shared, const char *name, unsigned slot);
void stats_close(stats_t *stats);

/* The worker of this slot has ended: nothing of it is open any more. Any process. */
void stats_forget(stats_shared_t *shared, unsigned slot);

void stats_begin(stats_t *stats); /* one more is open */
typedef struct stats_session_s {
    int end; /* session_end_e */
    uint64_t sent_bytes, received_bytes;
    uint64_t connect_us; /* 0: never connected */
    uint64_t duration_us;
} stats_session_t;
void stats_end(stats_t *stats, const stats_session_t *session);

#endif
