/* hserver: the three patterns of a server with several workers, as one call.
 *
 *   HSERVER_PROCESSES  each worker is a process that accepts;
 *   HSERVER_THREADS    each worker is a thread that accepts;
 *   HSERVER_ACCEPTOR   one thread accepts and hands each connection to a worker thread;
 *   HSERVER_SINGLE     no workers: the calling thread accepts and serves.
 *
 * Accepting workers have a socket each on one port (SO_REUSEPORT: the kernel spreads connections by
 * hash), or share one listener (shared_listener; always so for UNIX paths).
 *
 * The calling thread runs a loop of its own, the main loop: it supervises, or accepts. Signals are
 * watched there. Every worker has its own loop; a connection's callbacks all run in its worker. */
#ifndef HNET_NET_HSERVER_H
#define HNET_NET_HSERVER_H

#include "hlisten.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct hserver_s hserver_t;

typedef enum {
    HSERVER_SINGLE = 0,
    HSERVER_PROCESSES,
    HSERVER_THREADS,
    HSERVER_ACCEPTOR
} hserver_mode_e;

typedef enum { HSERVER_ROUND_ROBIN = 0, HSERVER_LEAST_CONNECTIONS } hserver_balance_e;

#define HSERVER_MAIN (-1)
#define HSERVER_WORKERS_MAX 1024

/* index is HSERVER_MAIN for the main loop, else the worker, 0.. . In HSERVER_SINGLE both are told
 * of the one loop. */
typedef int (*hserver_start_cb)(hserver_t *server, hloop_t *loop, int index);
typedef void (*hserver_stop_cb)(hserver_t *server, hloop_t *loop, int index);

typedef struct hserver_options_s {
    hserver_mode_e mode;
    unsigned workers;          /* 0: one per processor this process may use */
    hserver_balance_e balance; /* HSERVER_ACCEPTOR only */
    bool shared_listener;      /* one listening socket for all workers */
    hlisten_options_t listen;  /* copied; what it points at must live until hserver_free */
    hloop_options_t loop;      /* for every loop */
    hserver_start_cb on_start; /* before the loop runs, in its thread; may add timers, signals; a
                                  negative result ends the server with it. May be NULL */
    hserver_stop_cb on_stop;   /* after the loop ran, in its thread. May be NULL */
    haccept_cb on_accept; /* in the worker; for a datagram socket once, with the socket's hio */
    int stop_timeout_ms;  /* processes that do not stop are killed after it; 0: 5,000 */
    void *userdata;
} hserver_options_t;

/* Opens the listening socket(s), so that all errors of that kind come here. 0 and *server, or a
 * negative error; a datagram end point in HSERVER_ACCEPTOR gives -EINVAL. Make it before any other
 * thread when the mode is HSERVER_PROCESSES. */
int hserver_new(const hserver_options_t *options, hserver_t **server);

/* Serves until hserver_stop, until an error, or until the last worker has ended; once for each
 * server. Connections that are still open then are closed with -ECANCELED: by their own process, or
 * in this thread when the workers' threads have ended. Returns 0 or a negative error.
 *
 * A worker process does not return from this call: once it was told to stop (hserver_stop of its
 * own, the end of the run, SIGTERM) and on_stop has run, it ends with status 0, or 1 after an
 * error. One that has ended is not started again (net/hworkers.h does that).
 *
 * Worker processes do not outlive the thread that called this: the kernel kills them (SIGKILL) when
 * it ends, with the parent or by itself. It forgets to when a worker changes its user or group (do
 * that before, in the parent); such a worker stops as by hserver_stop when the parent is gone. */
int hserver_run(hserver_t *server);

/* Ends the run of all workers; of a worker process, only itself. Any thread, any callback, also
 * before the run. */
void hserver_stop(hserver_t *server);

/* Closes the listening sockets and removes a UNIX path. NULL is legal. */
void hserver_free(hserver_t *server);

/* That of the options, for on_start and on_stop; a connection's own user data begins
 * as the same. */
void *hserver_userdata(const hserver_t *server);
unsigned hserver_workers(const hserver_t *server);

/* The address that is listened on, with the port that the kernel chose. */
const haddr_t *hserver_addr(const hserver_t *server);

/* The process of a worker, 0 when it has ended or is none; and its wait status once
 * it has ended. */
pid_t hserver_worker_pid(const hserver_t *server, int index);
int hserver_worker_status(const hserver_t *server, int index);

#ifdef __cplusplus
}
#endif

#endif
