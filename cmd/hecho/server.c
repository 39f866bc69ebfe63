/* The sockets are opened once, by the process that was started. With workers it is the master: it
 * keeps them open and never accepts, so that nothing is lost while a worker is replaced. */
#include "server.h"

#include "app/hworkers.h"
#include "base/hmem.h"
#include "client.h"
#include "datagram.h"
#include "event/hsignal.h"
#include "event/htimer.h"
#include "net/hlisten.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define STOP_TICK_MS 100
#define STOP_TICKS_MAX 50
#define SHED_NOTE_US 1000000 /* at most one line in that time */

typedef struct listener_s {
    hendpoint_t endpoint;
    hsocket_path_t path;
    int fd;
    hio_t *io; /* in the process that serves */
} listener_t;

typedef struct service_s {
    const hecho_options_t *options;
    report_t report;
    hmain_t *app;
    hloop_t *loop;
    listener_t *listeners;
    size_t listeners_n;
    counts_t *counts; /* of each serving process */
    size_t counts_n;
    server_t server; /* unless this process is the master */
    char *chargen;
    unsigned stop_ticks;
    hworkers_t *workers;
    uint64_t shed_noted_us;
} service_t;

/* ---- counts ---------------------------------------------------------------------------------- */

static uint64_t get(const _Atomic uint64_t *count)
{
    return atomic_load_explicit(count, memory_order_relaxed);
}

uint64_t server_open_count(const server_t *server)
{
    uint64_t open = 0;

    for (size_t i = 0; i < server->all_n; i++)
        open += get(&server->all[i].open);
    return open;
}

static void report_totals(const service_t *service)
{
    report_totals_t totals = {0};

    for (size_t i = 0; i < service->counts_n; i++) {
        const counts_t *counts = &service->counts[i];

        totals.connections += get(&counts->connections);
        totals.open += get(&counts->open);
        totals.refused += get(&counts->refused);
        totals.shed += get(&counts->shed);
        totals.datagrams += get(&counts->datagrams);
        totals.dropped += get(&counts->dropped);
        totals.bytes_in += get(&counts->bytes_in);
        totals.bytes_out += get(&counts->bytes_out);
    }
    report_summary(&service->report, &totals);
}

static int make_counts(service_t *service)
{
    void *memory;

    service->counts_n = service->options->workers ? service->options->workers : 1;
    memory = mmap(NULL, service->counts_n * sizeof(counts_t), PROT_READ | PROT_WRITE,
                  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
        return -errno;
    service->counts = memory;
    return 0;
}

/* ---- stopping -------------------------------------------------------------------------------- */

static void stop_if_empty(const server_t *server)
{
    if (server->stopping && server->alive == 0)
        hloop_stop(server->loop);
}

void server_release(server_t *server)
{
    server->alive--;
    stop_if_empty(server);
}

static void on_stop_tick(htimer_t *timer)
{
    service_t *service = hevent_userdata(timer);

    service->stop_ticks++;
    client_close_all(&service->server, service->stop_ticks >= STOP_TICKS_MAX);
}

static void stop_serving(service_t *service)
{
    server_t *server = &service->server;
    htimer_t *timer = htimer_add(service->loop, on_stop_tick, STOP_TICK_MS, INFINITE);

    server->stopping = true;
    if (timer)
        hevent_set_userdata(timer, service);
    for (size_t i = 0; i < service->listeners_n; i++) {
        hio_set_close_timeout(service->listeners[i].io, STOP_TICK_MS * STOP_TICKS_MAX);
        hio_close(service->listeners[i].io);
    }
    client_stop_all(server);
    if (!timer)
        client_close_all(server, true);
    stop_if_empty(server);
}

/* ---- serving on a loop ----------------------------------------------------------------------- */

static void on_listener_close(hio_t *io)
{
    server_t *server = hevent_userdata(io);

    if (!server->stopping)
        report_note(server->report, "error", "a listening socket failed: %s",
                    herr_str(hio_error(io)));
    server_release(server);
}

static int serve_listener(server_t *server, listener_t *listener)
{
    int err = hlisten_attach(server->loop, listener->fd, client_accept, &listener->io);

    listener->fd = -1;
    if (err)
        return err;
    if (hio_type(listener->io) & HIO_TYPE_SOCK_DGRAM)
        return datagram_serve(server, listener->io);
    hevent_set_userdata(listener->io, server);
    hio_setcb_close(listener->io, on_listener_close);
    server->alive++;
    return 0;
}

static int serve_all(service_t *service, int index)
{
    const hecho_options_t *options = service->options;
    server_t *server = &service->server;
    int err = 0;

    *server = (server_t){.options = options,
                         .report = &service->report,
                         .loop = service->loop,
                         .counts = &service->counts[index],
                         .all = service->counts,
                         .all_n = service->counts_n,
                         .prefix_len = options->prefix ? strlen(options->prefix) : 0,
                         .chargen = service->chargen};
    hlist_init(&server->clients);
    for (size_t i = 0; i < service->listeners_n && err == 0; i++)
        err = serve_listener(server, &service->listeners[i]);
    return err;
}

/* The loop tells when a connection is shed; in a storm of them one line a second is enough. */
static void on_loop_log(hlog_level_e level, const char *text, size_t len, void *userdata)
{
    service_t *service = userdata;
    uint64_t now_us = hloop_now_hrtime(service->loop);

    (void)level;
    (void)len;
    if (service->shed_noted_us && now_us - service->shed_noted_us < SHED_NOTE_US)
        return;
    service->shed_noted_us = now_us;
    report_note(&service->report, "warning", "%s", text);
}

/* A loop of this process, and what run does with it. */
static int with_loop(service_t *service, int index, int (*run)(service_t *service, int index))
{
    hlog_t *log = hlog_new(HLOG_WARN, on_loop_log, service);
    hloop_options_t options = {.log = log};
    int err = -ENOMEM;

    if (log) {
        service->loop = hloop_new_with(&options);
        err = service->loop ? run(service, index) : -errno;
    }
    if (service->loop)
        hloop_free(&service->loop);
    hlog_free(log);
    return err;
}

/* ---- reload ---------------------------------------------------------------------------------- */

static void reload(service_t *service)
{
    int err = report_reopen(&service->report);

    if (err)
        report_note(&service->report, "error", "cannot open %s anew: %s",
                    service->options->log_file, herr_str(err));
}

/* When the terminal hangs up, a server that nobody could find any more ends. */
static bool is_reloadable(const hecho_options_t *options)
{
    return options->log_file || options->main.pid_file || options->main.daemon ||
           options->main.action != HMAIN_NONE;
}

/* ---- one process ----------------------------------------------------------------------------- */

static void on_stop(hmain_t *app, void *userdata)
{
    (void)app;
    stop_serving(userdata);
}

static void on_reload(hmain_t *app, void *userdata)
{
    (void)app;
    reload(userdata);
}

static void on_user(hmain_t *app, void *userdata)
{
    (void)app;
    report_totals(userdata);
}

static int watch(service_t *service, void (*stop)(hmain_t *app, void *userdata),
                 void (*hang_up)(hmain_t *app, void *userdata))
{
    hmain_callbacks_t callbacks = {.on_stop = stop, .on_user = on_user, .userdata = service};

    if (is_reloadable(service->options))
        callbacks.on_reload = hang_up;
    return hmain_watch(service->app, service->loop, &callbacks);
}

static int run_single(service_t *service, int index)
{
    int err = serve_all(service, index);

    if (!err)
        err = watch(service, on_stop, on_reload);
    if (!err)
        err = hloop_run(service->loop);
    hmain_unwatch(service->app);
    service->server.stopping = true;
    return err;
}

/* ---- a worker process ------------------------------------------------------------------------ */

static void on_worker_term(hsignal_t *signal)
{
    service_t *service = hevent_userdata(signal);

    if (!service->server.stopping)
        stop_serving(service);
}

static void on_worker_hangup(hsignal_t *signal)
{
    reload(hevent_userdata(signal));
}

static int watch_worker(service_t *service)
{
    hsignal_t *term = hsignal_add(service->loop, on_worker_term, SIGTERM);
    hsignal_t *hangup = hsignal_add(service->loop, on_worker_hangup, SIGHUP);

    if (!term || !hangup)
        return -errno;
    hevent_set_userdata(term, service);
    hevent_set_userdata(hangup, service);
    return 0;
}

static int run_worker(service_t *service, int index)
{
    int err = watch_worker(service);

    if (!err)
        err = serve_all(service, index);
    if (!err)
        err = hloop_run(service->loop);
    service->server.stopping = true;
    return err;
}

/* A terminal sends its signals to the whole group: a worker listens to its master alone. */
static int worker_main(int index, void *userdata)
{
    service_t *service = userdata;
    int err;

    signal(SIGINT, SIG_IGN);
    signal(SIGUSR1, SIG_IGN);
    service->loop = NULL;
    err = with_loop(service, index, run_worker);
    if (err)
        report_note(&service->report, "error", "worker %d: %s", index, herr_str(err));
    return err ? 1 : 0;
}

/* ---- the master ------------------------------------------------------------------------------ */

static void on_master_stop(hmain_t *app, void *userdata)
{
    service_t *service = userdata;

    (void)app;
    hworkers_stop(service->workers);
}

static void on_master_reload(hmain_t *app, void *userdata)
{
    service_t *service = userdata;

    (void)app;
    reload(service);
    hworkers_signal(service->workers, SIGHUP);
}

static void report_worker_end(service_t *service, const hworkers_info_t *info)
{
    if (info->delay_ms == HWORKERS_NO_RESTART)
        return;
    if (WIFSIGNALED(info->status))
        report_note(&service->report, "worker", "worker %d (pid %ld) was killed by signal %d",
                    info->index, (long)info->pid, WTERMSIG(info->status));
    else
        report_note(&service->report, "worker", "worker %d (pid %ld) ended with status %d",
                    info->index, (long)info->pid, WEXITSTATUS(info->status));
}

static void on_worker_event(hworkers_t *workers, const hworkers_info_t *info, void *userdata)
{
    service_t *service = userdata;

    (void)workers;
    switch (info->event) {
    case HWORKERS_STARTED:
        if (service->options->verbose > 0)
            report_note(&service->report, "worker", "worker %d started (pid %ld)", info->index,
                        (long)info->pid);
        break;
    case HWORKERS_ENDED:
        atomic_store(&service->counts[info->index].open, 0); /* the kernel has closed them */
        report_worker_end(service, info);
        break;
    case HWORKERS_FAILED:
        report_note(&service->report, "error", "cannot start worker %d: %s", info->index,
                    herr_str(info->status));
        break;
    case HWORKERS_KILLED:
        report_note(&service->report, "warning", "worker %d (pid %ld) did not stop and was killed",
                    info->index, (long)info->pid);
        break;
    case HWORKERS_STOPPED:
        hloop_stop(service->loop);
        break;
    }
}

static int run_master(service_t *service, int index)
{
    hworkers_options_t options = {.count = (int)service->options->workers,
                                  .run = worker_main,
                                  .on_event = on_worker_event,
                                  .userdata = service};
    int err = hworkers_new(service->loop, &options, &service->workers);

    (void)index;
    if (!err)
        err = watch(service, on_master_stop, on_master_reload);
    if (!err)
        err = hloop_run(service->loop);
    hmain_unwatch(service->app);
    hworkers_free(service->workers);
    return err;
}

/* ---- opening --------------------------------------------------------------------------------- */

static int parse_all(service_t *service, const hopt_list_t *endpoints)
{
    char why[HENDPOINT_FORMAT_SIZE + 64];

    if (endpoints->count == 0)
        return 0; /* -s stop and the like */
    service->listeners = hmem_array(endpoints->count, sizeof(*service->listeners));
    if (!service->listeners) {
        fprintf(stderr, "hecho: %s\n", herr_str(-ENOMEM));
        return 1;
    }
    for (size_t i = 0; i < endpoints->count; i++) {
        listener_t *listener = &service->listeners[i];

        listener->fd = -1;
        service->listeners_n++;
        if (hendpoint_parse(&listener->endpoint, endpoints->items[i], why, sizeof(why)) < 0) {
            fprintf(stderr, "hecho: %s\n", why);
            return 2;
        }
        if (listener->endpoint.scheme == HENDPOINT_TLS) {
            fprintf(stderr, "hecho: %s: TLS end points are not supported\n", endpoints->items[i]);
            return 2;
        }
    }
    return 0;
}

static int open_all(service_t *service)
{
    char text[HENDPOINT_FORMAT_SIZE];

    for (size_t i = 0; i < service->listeners_n; i++) {
        listener_t *listener = &service->listeners[i];
        hlisten_options_t options = {.endpoint = listener->endpoint};

        listener->fd = hlisten_socket(&options, &listener->path);
        if (listener->fd < 0) {
            fprintf(stderr, "hecho: cannot listen on %s: %s\n",
                    hendpoint_format(&listener->endpoint, text, sizeof(text)),
                    herr_str(listener->fd));
            return 1;
        }
    }
    return 0;
}

static void announce(const service_t *service)
{
    char address[HADDR_FORMAT_SIZE], text[HADDR_FORMAT_SIZE + 16];

    for (size_t i = 0; i < service->listeners_n; i++) {
        const listener_t *listener = &service->listeners[i];
        hendpoint_scheme_e scheme = listener->endpoint.scheme;
        haddr_t addr = {0};

        hsocket_local(listener->fd, &addr);
        haddr_format(&addr.u.sa, addr.len, address, sizeof(address));
        if (scheme == HENDPOINT_UDP)
            snprintf(text, sizeof(text), "udp://%s", address);
        else if (scheme == HENDPOINT_UNIXGRAM)
            snprintf(text, sizeof(text), "unixgram:%s", address + strlen("unix:"));
        else
            snprintf(text, sizeof(text), "%s", address);
        report_listening(&service->report, text);
    }
}

static int make_chargen(service_t *service)
{
    if (service->options->answer != ANSWER_CHARGEN)
        return 0;
    service->chargen = hmem_alloc(CHARGEN_BLOCK);
    if (!service->chargen)
        return -ENOMEM;
    answer_chargen(service->chargen, CHARGEN_BLOCK);
    return 0;
}

static int prepare(service_t *service)
{
    const char *log_file = service->options->log_file;
    int err = make_counts(service);

    if (!err)
        err = make_chargen(service);
    if (err) {
        fprintf(stderr, "hecho: %s\n", herr_str(err));
        return 1;
    }
    err = report_open(&service->report, log_file, (report_format_e)service->options->log_format);
    if (err) {
        fprintf(stderr, "hecho: cannot open %s: %s\n", log_file, herr_str(err));
        return 1;
    }
    return open_all(service);
}

static int serve(service_t *service)
{
    int err;

    announce(service);
    if (hmain_ready(service->app) != 0)
        return 1;
    err = with_loop(service, 0, service->options->workers ? run_master : run_single);
    report_totals(service);
    if (err)
        report_note(&service->report, "error", "%s", herr_str(err));
    return err ? 1 : 0;
}

static void clean_up(service_t *service)
{
    for (size_t i = 0; i < service->listeners_n; i++) {
        listener_t *listener = &service->listeners[i];

        if (listener->fd >= 0)
            close(listener->fd);
        hsocket_path_remove(&listener->path);
    }
    report_close(&service->report);
    if (service->counts)
        munmap(service->counts, service->counts_n * sizeof(counts_t));
    hmem_free(service->chargen);
    hmem_free(service->listeners);
}

int hecho_serve(const hecho_options_t *options, const hopt_list_t *endpoints)
{
    service_t service = {.options = options, .report = {.fd = -1}};
    int status = parse_all(&service, endpoints);

    if (status == 0)
        status = hmain_begin("hecho", &options->main, &service.app);
    if (status == HMAIN_RUN) {
        status = prepare(&service);
        if (status == 0)
            status = serve(&service);
        status = hmain_end(service.app, status);
    }
    clean_up(&service);
    return status;
}
