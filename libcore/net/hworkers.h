/* hworkers: a master process that keeps N worker processes alive, on the master's event loop. A
 * worker that ends is started again after a delay, which doubles from one short life to the next
 * and is set back by a long one. Workers never outlive their master. */
#ifndef HNET_NET_HWORKERS_H
#define HNET_NET_HWORKERS_H

#include <signal.h>
#include <stdint.h>
#include <sys/types.h>

#include "../event/hloop.h"

#ifdef __cplusplus
extern "C" {
#endif

#define HWORKERS_MAX 1024

typedef struct hworkers_s hworkers_t;

/* The body of a worker, in a process of its own; what it returns is the exit status. It starts with
 * the signal handling that the master had before its loop watched any, so one that comes before it
 * handles them may be its end: see held. It inherits descriptors that are open; it makes a loop of
 * its own and must not touch the master's. index counts from 0. It is killed when the master's
 * thread ends; but the kernel forgets that when the worker changes its user, so the master should
 * do that before. */
typedef int (*hworkers_run_cb)(int index, void *userdata);

typedef enum hworkers_event_e {
    HWORKERS_STARTED, /* pid */
    HWORKERS_ENDED,   /* pid, status as of waitpid, delay_ms until it is started again */
    HWORKERS_FAILED,  /* could not be started: status is a negative error; delay_ms */
    HWORKERS_KILLED,  /* pid: it did not stop within the grace time */
    HWORKERS_STOPPED  /* after hworkers_stop: the last one has ended */
} hworkers_event_e;

#define HWORKERS_NO_RESTART UINT32_MAX /* delay_ms of one that is not started again */
#define HWORKERS_NO_LIMIT UINT32_MAX

typedef struct hworkers_info_s {
    hworkers_event_e event;
    int index;
    pid_t pid;
    int status;
    uint32_t delay_ms;
} hworkers_info_t;

/* In the master's loop, and for the first start inside hworkers_new. hworkers_free is not
 * allowed. */
typedef void (*hworkers_event_cb)(hworkers_t *workers, const hworkers_info_t *info, void *userdata);

/* 0 in a number means the value given here. */
typedef struct hworkers_options_s {
    int count;
    hworkers_run_cb run;
    hworkers_event_cb on_event;                  /* or NULL */
    void (*on_start)(int index, void *userdata); /* or NULL: in the master, before each worker is
                                                    made; HWORKERS_STARTED or _FAILED follows */
    void *userdata;
    bool once;             /* a worker that has ended, or cannot be started, is left so */
    uint32_t delay_min_ms; /* 100 */
    uint32_t delay_max_ms; /* 10,000 */
    uint32_t healthy_ms;   /* 10,000: a life that sets the delay back */
    uint32_t grace_ms;     /* 10,000: from SIGTERM to SIGKILL; HWORKERS_NO_LIMIT: never */
    sigset_t held;         /* wait in a worker until it unblocks them, once it handles them */
} hworkers_options_t;

/* Starts the workers. 0 and *workers; -EINVAL for a count outside 1 to HWORKERS_MAX; -ENOMEM. A
 * worker that cannot be started now is tried again: see on_event. Only the calling thread may
 * exist, and it has to be the one that runs the loop. */
int hworkers_new(hloop_t *loop, const hworkers_options_t *options, hworkers_t **workers);

/* Kills (SIGKILL) and reaps what still runs, and frees. Before hloop_free; not in a worker. NULL is
 * legal. */
void hworkers_free(hworkers_t *workers);

/* Sends SIGTERM to all, SIGKILL after the grace time, and starts none again. HWORKERS_STOPPED comes
 * when all have ended, never from inside this call. */
void hworkers_stop(hworkers_t *workers);

/* Sends a signal to every worker that runs: SIGHUP to reload. How many got it. */
int hworkers_signal(hworkers_t *workers, int signo);

/* More workers are started, superfluous ones (highest index first) are told to stop. 0 or the
 * errors of hworkers_new; -ECANCELED after hworkers_stop. */
int hworkers_resize(hworkers_t *workers, int count);

int hworkers_count(const hworkers_t *workers);   /* wanted */
int hworkers_running(const hworkers_t *workers); /* alive, those that are stopping too */

/* The process of a worker; 0 while it does not run. */
pid_t hworkers_pid(const hworkers_t *workers, int index);

#ifdef __cplusplus
}
#endif

#endif
