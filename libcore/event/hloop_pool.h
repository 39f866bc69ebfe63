/* hloop_pool: N loops, each run by a thread of its own. */
#ifndef HNET_EVENT_HLOOP_POOL_H
#define HNET_EVENT_HLOOP_POOL_H

#include "hloop.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct hloop_pool_s hloop_pool_t;

#define HLOOP_POOL_THREADS_MAX 1024

/* In the loop's thread, before and after its run. A negative result of start ends the
 * pool's start. */
typedef int (*hloop_pool_start_cb)(hloop_t *loop, unsigned index, void *userdata);
typedef void (*hloop_pool_stop_cb)(hloop_t *loop, unsigned index, void *userdata);

typedef struct hloop_pool_options_s {
    unsigned threads;     /* 0: one per processor this process may use */
    hloop_options_t loop; /* for every loop; the flags are not used */
    const char *name;     /* of the threads, "name-0" ...; cut to 15 bytes; NULL: "loop" */
    hloop_pool_start_cb on_start;
    hloop_pool_stop_cb on_stop;
    void *userdata;
} hloop_pool_options_t;

/* Makes the loops; no thread runs yet. NULL options: defaults. NULL: out of memory or descriptors,
 * or options that cannot be (errno tells). */
hloop_pool_t *hloop_pool_new(const hloop_pool_options_t *options);

/* Starts the threads and waits until every on_start has returned. 0, -EALREADY, the error of
 * the system, or the first negative result of on_start; then all threads have ended again. */
int hloop_pool_start(hloop_pool_t *pool);

unsigned hloop_pool_size(const hloop_pool_t *pool);
hloop_t *hloop_pool_loop(const hloop_pool_t *pool, unsigned index); /* NULL: no such index */

/* The next loop in turn, and the one with the fewest I/O objects (the next in turn among equals).
 * Any thread. */
hloop_t *hloop_pool_next(hloop_pool_t *pool);
hloop_t *hloop_pool_least(hloop_pool_t *pool);

/* Tells all loops to stop: any thread. */
void hloop_pool_stop(hloop_pool_t *pool);

/* Waits until all threads have ended: not from one of them. */
void hloop_pool_join(hloop_pool_t *pool);

/* Stops, joins and frees the loops: what is alive on them is closed, and the close callbacks run in
 * this thread. Sets *pool to NULL. */
void hloop_pool_free(hloop_pool_t **pool);

/* How many processors this process may use, at least 1. */
unsigned hloop_pool_cpu_count(void);

#ifdef __cplusplus
}
#endif

#endif
