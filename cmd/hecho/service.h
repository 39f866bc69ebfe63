/* service: the process that was started, from its end points to its end: it serves by itself, or is
 * the master of workers that do.
 *
 * The sockets are opened once, by that process. A master keeps them open and never accepts, so that
 * nothing is lost while a worker is replaced. */
#ifndef HNET_HECHO_SERVICE_H
#define HNET_HECHO_SERVICE_H

#include "app/hstart.h"
#include "event/hloop.h"
#include "net/hendpoint.h"
#include "net/hsocket.h"
#include "server.h"

typedef struct listener_s {
    hendpoint_t endpoint;
    hsocket_path_t path;
    int fd;
    hio_handle_t handle; /* in the process that serves */
} listener_t;

typedef struct service_s {
    const hecho_options_t *options;
    htitle_t *title; /* NULL: ps shows the command line */
    hreport_t report;
    hmain_t *app;
    hloop_t *loop;
    listener_t *listeners;
    size_t listeners_n;
    counts_t *counts; /* of each serving process */
    size_t counts_n;
    server_t server; /* unless this process is the master */
    char *chargen;
    unsigned stop_ticks;
    struct hworkers_s *workers;
    const char *step;          /* what is being done: it follows "cannot" when it fails */
    char why[HSTART_WHY_SIZE]; /* it failed, when an error's text does not tell enough */
    bool is_announced;         /* from then on the log gets what happens */
    char early_note[128];      /* from the loop that is being opened */
    uint64_t noted_ns;         /* the last line that the loop had logged */
} service_t;

/* service.c: the sum of all processes, into the log. */
void service_report_totals(const service_t *service);

/* service.c: opens the log file anew. */
void service_reload(service_t *service);

/* service.c: makes service->loop and calls run. Its result, or a negative error. */
int service_with_loop(service_t *service, int index, int (*run)(service_t *service, int index));

/* service.c: why the step failed with err: valid until the next call, and while service is. */
const char *service_why(const service_t *service, int err);

/* service.c: when nothing but serving is left to do: drops privileges, tells the addresses and that
 * the server runs. 0, or SERVICE_TOLD after a message. */
#define SERVICE_TOLD 1
int service_ready(service_t *service);

/* service.c: watches the signals of the process that was started. */
typedef void (*service_signal_cb)(hmain_t *app, void *service);
int service_watch(service_t *service, service_signal_cb stop, service_signal_cb reload);

/* server.c: serves in this process with the counts of this index, until it is stopped or the last
 * socket has failed. */
int server_start(service_t *service, int index);
int server_run(service_t *service);
void server_stop(service_t *service);

/* server.c: when the loop is gone; legal if server_start was not called. */
void server_end(service_t *service);

/* workers.c: the master's part of service_with_loop. */
int workers_run(service_t *service, int index);

#endif
