/* metrics: counters of all workers together, for Prometheus (--metrics).
 *
 * They are in memory that all processes share, and only grow, whatever becomes of the workers. Each
 * loop adds what is new every METRICS_MS while it has connections, and before it answers itself; so
 * a request costs nothing there. What is open now is kept for each loop on its own: with it goes
 * what it had. */
#ifndef HNET_HHTTPD_METRICS_H
#define HNET_HHTTPD_METRICS_H

#include <stdatomic.h>
#include <stdint.h>

#define METRICS_MS 1000
#define METRICS_LOOPS_MAX 1024 /* whose open connections are counted */
#define METRICS_BUCKETS 15     /* of durations; the last one is for all that is longer */
#define METRICS_CLASSES 6      /* of status: [2] is 2xx */

/* Since the server was started. */
typedef struct metrics_counts_s {
    _Atomic uint64_t accepted, refused, bytes_in, bytes_out, timeouts;
    _Atomic uint64_t by_class[METRICS_CLASSES];
    _Atomic uint64_t buckets[METRICS_BUCKETS];
    _Atomic uint64_t duration_us;
} metrics_counts_t;

typedef struct metrics_loop_s {
    _Atomic uint64_t owner; /* 0: nobody's */
    _Atomic uint64_t open, active;
} metrics_loop_t;

/* In the memory of all processes; zeroed in the beginning. */
typedef struct metrics_shared_s {
    _Atomic uint64_t started_ms; /* real time */
    metrics_counts_t counts;
    metrics_loop_t loops[METRICS_LOOPS_MAX];
} metrics_shared_t;

/* In the master: the worker of this slot has ended, and with it what it had open if it crashed. */
void metrics_forget(metrics_shared_t *shared, int slot);

struct site_host_s;
struct http_stream_s;
typedef struct metrics_s metrics_t; /* of a loop */

int metrics_install(struct site_host_s *host);

/* All of these: metrics may be NULL. */
void metrics_wake(metrics_t *metrics);    /* there is a new connection */
void metrics_publish(metrics_t *metrics); /* before the server is freed */
void metrics_count(metrics_t *metrics, const struct http_stream_s *stream); /* a request is over */

#endif
