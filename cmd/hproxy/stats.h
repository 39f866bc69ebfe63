/* stats: counters of services, in memory that all worker processes share. They only grow, over
 * crashes and reloads (a service is found again by its name); what is open now is kept for each
 * worker on its own: with it goes what it had. (Those of targets are in net/htarget_share.) */
#ifndef HPROXY_STATS_H
#define HPROXY_STATS_H

#include "codec/prometheus_text.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define STATS_SERVICES_MAX 512 /* names, old ones too */
#define STATS_NAME_SIZE 320    /* longer ones are cut: those of end points are not */
#define STATS_ENDS_MAX 16
#define STATS_BUCKETS 16    /* of durations */
#define STATS_SLOTS_MAX 128 /* workers whose open sessions are counted */

typedef struct stats_shared_s stats_shared_t;
typedef struct stats_s stats_t; /* of one service, for one worker */

/* Bytes of shared, zeroed memory that are needed. */
size_t stats_shared_size(void);

/* The counters of a service (shared NULL: they count for nobody); those of the name "others" when
 * there are too many names. slot: the worker's. Freed by stats_close, after the last session has
 * ended. NULL: out of memory. */
stats_t *stats_open(stats_shared_t *shared, const char *name, unsigned slot);
void stats_close(stats_t *stats);

/* The worker of this slot has ended: nothing of it is open any more. Any process. */
void stats_forget(stats_shared_t *shared, unsigned slot);

void stats_begin(stats_t *stats); /* one more is open */
void stats_count(stats_t *stats, uint64_t sent_bytes, uint64_t received_bytes);
typedef struct stats_session_s {
    int end;                             /* session_end_e */
    uint64_t sent_bytes, received_bytes; /* that stats_count was not told of */
    bool connected;                      /* after connect_us; else it never was */
    uint64_t connect_us;
    uint64_t duration_us;
} stats_session_t;
void stats_end(stats_t *stats, const stats_session_t *session);

/* ---- reading --------------------------------------------------------------------------------- */

/* Of durations of sessions, and of connecting: microseconds. */
extern const prometheus_text_bound_t stats_duration_bounds[STATS_BUCKETS];
extern const prometheus_text_bound_t stats_connect_bounds[STATS_BUCKETS];

/* What all workers have counted. */
typedef struct stats_sum_s {
    char name[STATS_NAME_SIZE]; /* cut, if it is longer */
    uint64_t begun, ends[STATS_ENDS_MAX];
    uint64_t open;
    uint64_t sent_bytes, received_bytes;
    uint64_t durations[STATS_BUCKETS], duration_us; /* of those that are over */
    uint64_t connects[STATS_BUCKETS], connect_us;   /* of those that were connected */
} stats_sum_t;

/* That of one service. Without shared memory it is this worker's own. */
void stats_sum(const stats_t *stats, stats_sum_t *sum);

/* That of service i, 0..STATS_SERVICES_MAX. False: there is none of that number. */
bool stats_read(const stats_shared_t *shared, size_t i, stats_sum_t *sum);

/* When the memory was used first, ms since the epoch. */
uint64_t stats_started_ms(const stats_shared_t *shared);

#endif
