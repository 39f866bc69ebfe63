/* The inside of an hserver, for hserver.c and hserver_processes.c. */
#ifndef HNET_NET_HSERVER_INT_H
#define HNET_NET_HSERVER_INT_H

#include "hserver.h"

#include "../base/hlist.h"

#include <pthread.h>
#include <stdatomic.h>

typedef struct server_worker_s {
    hserver_t *server;
    int index;
    int fd; /* its listening socket until it is given to a loop; -1: none */
    /* HSERVER_PROCESSES, in the parent */
    pid_t pid; /* 0: ended */
    int status;
    /* HSERVER_ACCEPTOR: connections on their way to the worker */
    hloop_t *loop;
    pthread_mutex_t lock;
    hlist_t arriving; /* of handover_t, under lock */
    atomic_uint arriving_n;
} server_worker_t;

struct hserver_s {
    hserver_options_t options;
    haddr_t addr;
    hsocket_path_t path;
    int shared_fd; /* -1: each worker has its own */
    server_worker_t *workers;
    unsigned count;
    unsigned turn;
    atomic_uint running; /* workers */

    pthread_mutex_t lock;
    hloop_t *loop; /* under lock: what hserver_stop stops, while it runs */
    bool stop;     /* under lock */
};

/* Makes the loop that hserver_stop ends. *out is NULL when the server was stopped already. */
int hserver__make_loop(hserver_t *server, hloop_t **out);

/* Frees it; hserver_stop does nothing from now on. */
void hserver__free_loop(hserver_t *server, hloop_t *loop);

/* on_start, then listening: in the worker's thread. */
int hserver__start_worker(server_worker_t *worker, hloop_t *loop);

int hserver__call_start(hserver_t *server, hloop_t *loop, int index);
void hserver__call_stop(hserver_t *server, hloop_t *loop, int index);

/* Closes the listening sockets that no loop has taken. */
void hserver__close_sockets(hserver_t *server);

int hserver__run_processes(hserver_t *server);

#endif
