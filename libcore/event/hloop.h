/* hloop: the event loop. One loop belongs to one thread: the one in hloop_run. Only the functions
 * marked "any thread" may be called from elsewhere.
 *
 * One iteration: wait for readiness or the nearest timer, then run by priority what is due: timers,
 * signals, posts, I/O. Callbacks that must not run inside the call that caused them (write done,
 * close) run at the end of the iteration. */
#ifndef HNET_EVENT_HLOOP_H
#define HNET_EVENT_HLOOP_H

#include "../base/herr.h"
#include "../base/hlog.h"
#include "hevent.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define HLOOP_FLAG_RUN_ONCE 0x00000001  /* hloop_run returns after one iteration */
#define HLOOP_FLAG_AUTO_FREE 0x00000002 /* hloop_run frees the loop when it returns */
#define HLOOP_FLAG_QUIT_WHEN_NO_ACTIVE_EVENTS 0x00000004 /* ... returns when nothing is left */

typedef enum { HLOOP_STATUS_STOP, HLOOP_STATUS_RUNNING } hloop_status_e;

typedef struct hloop_options_s {
    int flags;
    const char *poller; /* a hloop_poller_name; NULL: what HNET_POLLER says, or the best */
    size_t read_size;   /* bytes of the shared read buffer; 0: 64 KiB */
    hlog_t *log;        /* borrowed; NULL: silent */
} hloop_options_t;

typedef struct hloop_stats_s {
    uint64_t iterations;
    uint64_t events;        /* callbacks run for readiness, timers, posts and signals */
    uint64_t posts;         /* posted events run */
    uint64_t posts_dropped; /* messages for connections that were gone */
    uint64_t accepts;
    uint64_t accept_shed; /* connections closed for want of descriptors */
    uint64_t read_bytes;
    uint64_t write_bytes;
    uint32_t ios; /* now alive */
    uint32_t timers;
    uint32_t idles;
    const char *poller;
} hloop_stats_t;

/* A loop with the HLOOP_FLAG_* flags; NULL when out of memory or descriptors (errno tells). */
hloop_t *hloop_new(int flags);

/* The same with options (NULL: defaults). A poller that the kernel refuses falls back to epoll,
 * then poll; an unknown name gives NULL and errno EINVAL. */
hloop_t *hloop_new_with(const hloop_options_t *options);

/* The i-th poller that is built in: "epoll", "poll", "select", "io_uring" in order of preference,
 * where io_uring comes last as it is only used when asked for. NULL past the last. */
const char *hloop_poller_name(unsigned i);

/* Closes everything that is still alive (close callbacks run with -ECANCELED), frees the loop and
 * sets *loop to NULL. Not from inside hloop_run; not while another thread may still post. */
void hloop_free(hloop_t **loop);

/* Runs until hloop_stop. 0, or a negative error of the poller. A stop that came before the run is
 * not lost: the run returns at once. */
int hloop_run(hloop_t *loop);

/* Ends the run after the callbacks of this iteration. Any thread. 0 or -EINVAL. */
int hloop_stop(hloop_t *loop);

/* Makes a waiting loop go round once. Any thread. */
int hloop_wakeup(hloop_t *loop);

hloop_status_e hloop_status(const hloop_t *loop);

/* Puts the event into the loop's queue: callback, userdata, type and priority. The callback runs in
 * the loop's thread with a copy, which is valid during the callback only; ev->loop and ev->event_id
 * are set there. Any thread, but not a signal handler; posts of one thread run in order. 0 or
 * -ENOMEM. */
int hloop_post_event(hloop_t *loop, const hevent_t *ev);

/* Time: whole seconds and ms since the epoch; us of the monotonic clock as of this iteration, which
 * is when somebody in it, a timer too, first needed the time. From the loop's thread. */
uint64_t hloop_now(const hloop_t *loop);
uint64_t hloop_now_ms(const hloop_t *loop);
uint64_t hloop_now_us(const hloop_t *loop);
uint64_t hloop_now_hrtime(const hloop_t *loop);

/* Reads the clock again: for a callback that works long. Timers need it only where a callback adds
 * or re-arms more than 8 of them: see htimer.h. */
void hloop_update_time(hloop_t *loop);

/* Fills in the counters. From the loop's thread. */
void hloop_stats(const hloop_t *loop, hloop_stats_t *stats);

/* Numbers that libhv's programs ask for: process id, thread id of the run, objects alive.
 * hloop_nios from any thread: to find the loop with the fewest. */
long hloop_pid(const hloop_t *loop);
long hloop_tid(const hloop_t *loop);
uint64_t hloop_count(const hloop_t *loop);
uint32_t hloop_nios(const hloop_t *loop);
uint32_t hloop_ntimers(const hloop_t *loop);
uint32_t hloop_nidles(const hloop_t *loop);

void hloop_set_userdata(hloop_t *loop, void *userdata);
void *hloop_userdata(const hloop_t *loop);
hlog_t *hloop_log(const hloop_t *loop);

#ifdef __cplusplus
}
#endif

#endif
