#include "service.h"

#include "base/hmem.h"
#include "base/hstr.h"
#include "base/htime.h"
#include "net/hlisten.h"

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define NOTE_INTERVAL_NS HTIME_NS_PER_S

/* ---- counts ---------------------------------------------------------------------------------- */

void service_report_totals(const service_t *service)
{
    report_totals_t totals = {0};

    for (size_t i = 0; i < service->counts_n; i++) {
        const counts_t *counts = &service->counts[i];

        totals.connections += count_get(&counts->connections);
        totals.open += count_get(&counts->open);
        totals.refused += count_get(&counts->refused);
        totals.shed += count_get(&counts->shed);
        totals.datagrams += count_get(&counts->datagrams);
        totals.dropped += count_get(&counts->dropped);
        totals.bytes_in += count_get(&counts->bytes_in);
        totals.bytes_out += count_get(&counts->bytes_out);
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

/* ---- the loop and its signals ------------------------------------------------------------ */

static void update_shed(const service_t *service)
{
    hloop_stats_t stats;

    if (!service->loop || !service->server.counts)
        return;
    hloop_stats(service->loop, &stats);
    atomic_store_explicit(&service->server.counts->shed, stats.accept_shed, memory_order_relaxed);
}

/* The loop tells of connections that it sheds; in a storm of them one line a second is enough. What
 * it tells while it is opened is of use when it opens: otherwise the error says it all. */
static void on_loop_log(hlog_level_e level, const char *text, size_t len, void *userdata)
{
    service_t *service = userdata;
    uint64_t now_ns = htime_monotonic_ns();

    (void)level;
    (void)len;
    if (!service->loop) {
        hstr_copy(service->early_note, sizeof(service->early_note), text);
        return;
    }
    update_shed(service);
    if (service->noted_ns && now_ns - service->noted_ns < NOTE_INTERVAL_NS)
        return;
    service->noted_ns = now_ns;
    hreport_note(&service->report, "warning", "%s", text);
}

int service_with_loop(service_t *service, int index, int (*run)(service_t *service, int index))
{
    hlog_t *log = hlog_new(HLOG_WARN, on_loop_log, service);
    hloop_options_t options = {.log = log};
    int err = -ENOMEM;

    service->step = "open the event loop";
    service->why[0] = '\0';
    service->early_note[0] = '\0';
    if (log) {
        service->loop = hstart_loop(&options, service->why, sizeof(service->why));
        err = service->loop ? 0 : -errno;
    }
    if (!err && service->early_note[0])
        hreport_note(&service->report, "warning", "%s", service->early_note);
    if (!err)
        err = run(service, index);
    service->server.stopping = true; /* what the loop still closes is no failure */
    if (service->loop)
        hloop_free(&service->loop);
    server_end(service);
    hlog_free(log);
    return err;
}

const char *service_why(const service_t *service, int err)
{
    return service->why[0] ? service->why : herr_str(err);
}

void service_reload(service_t *service)
{
    int err = hreport_reopen(&service->report);

    if (err)
        hreport_note(&service->report, "error", "cannot open %s anew: %s",
                     service->options->log_file, herr_str(err));
}

/* When the terminal hangs up, a server that nobody could find any more ends. */
static bool is_reloadable(const hecho_options_t *options)
{
    return options->log_file || options->main.pid_file || options->main.daemon ||
           options->main.action != HMAIN_NONE;
}

static void on_stop(hmain_t *app, void *userdata)
{
    (void)app;
    server_stop(userdata);
}

static void on_reload(hmain_t *app, void *userdata)
{
    (void)app;
    service_reload(userdata);
}

static void on_user(hmain_t *app, void *userdata)
{
    (void)app;
    service_report_totals(userdata);
}

int service_watch(service_t *service, service_signal_cb stop, service_signal_cb reload)
{
    hmain_callbacks_t callbacks = {.on_stop = stop, .on_user = on_user, .userdata = service};

    service->step = "watch signals";
    if (is_reloadable(service->options))
        callbacks.on_reload = reload;
    return hmain_watch(service->app, service->loop, &callbacks);
}

static int run_single(service_t *service, int index)
{
    int err = server_start(service, index);

    if (!err)
        err = service_watch(service, on_stop, on_reload);
    if (!err)
        err = service_ready(service);
    if (!err)
        err = server_run(service);
    hmain_unwatch(service->app);
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
        hreport_say("hecho", "%s", herr_str(-ENOMEM));
        return 1;
    }
    for (size_t i = 0; i < endpoints->count; i++) {
        listener_t *listener = &service->listeners[i];

        listener->fd = -1;
        service->listeners_n++;
        if (hendpoint_parse(&listener->endpoint, endpoints->items[i], why, sizeof(why)) < 0) {
            hreport_say("hecho", "%s", why);
            return 2;
        }
        if (listener->endpoint.scheme == HENDPOINT_TLS) {
            hreport_say("hecho", "%s: TLS end points are not supported", endpoints->items[i]);
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
            hreport_say("hecho", "cannot listen on %s: %s",
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

        hsocket_local(listener->fd >= 0 ? listener->fd : hio_fd(hio_from_handle(listener->handle)),
                      &addr);
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
        hreport_say("hecho", "%s", herr_str(err));
        return 1;
    }
    err = hreport_open(&service->report, "hecho", log_file,
                       service->options->log_format == REPORT_JSON);
    if (err) {
        hreport_say("hecho", "cannot open %s: %s", log_file, herr_str(err));
        return 1;
    }
    return open_all(service);
}

int service_ready(service_t *service)
{
    if (hmain_drop(service->app) != 0)
        return SERVICE_TOLD;
    announce(service);
    service->is_announced = true;
    return hmain_ready(service->app) == 0 ? 0 : SERVICE_TOLD;
}

static int serve(service_t *service)
{
    int err = service_with_loop(service, 0, service->options->workers ? workers_run : run_single);

    if (service->is_announced)
        service_report_totals(service);
    if (err < 0 && service->is_announced)
        hreport_note(&service->report, "error", "cannot %s: %s", service->step,
                     service_why(service, err));
    else if (err < 0)
        hreport_say("hecho", "cannot %s: %s", service->step, service_why(service, err));
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
    hreport_close(&service->report);
    if (service->counts)
        munmap(service->counts, service->counts_n * sizeof(counts_t));
    hmem_free(service->chargen);
    hmem_free(service->listeners);
}

int hecho_serve(const hecho_options_t *options, const hopt_list_t *endpoints, htitle_t *title)
{
    service_t service = {.options = options, .title = title, .report = {.fd = -1}};
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
