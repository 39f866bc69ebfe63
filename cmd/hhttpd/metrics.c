#include "metrics.h"

#include "base/hmem.h"
#include "base/htime.h"
#include "base/hversion.h"
#include "codec/prometheus_text.h"
#include "event/htimer.h"
#include "site.h"

/* Microseconds. */
static const prometheus_text_bound_t bounds[METRICS_BUCKETS] = {
    {100, "0.0001"}, {250, "0.00025"}, {500, "0.0005"},  {1000, "0.001"},  {2500, "0.0025"},
    {5000, "0.005"}, {10000, "0.01"},  {25000, "0.025"}, {50000, "0.05"},  {100000, "0.1"},
    {500000, "0.5"}, {1000000, "1"},   {5000000, "5"},   {30000000, "30"}, {UINT64_MAX, "+Inf"},
};

struct metrics_s {
    site_t *site;
    metrics_shared_t *shared;
    metrics_loop_t *loop;                           /* NULL: there were too many */
    htimer_t *timer;                                /* NULL: nothing has happened */
    http_server_stats_t told;                       /* what is in the shared counts of it */
    uint64_t buckets[METRICS_BUCKETS], duration_us; /* since then */
};

/* ---- adding up ------------------------------------------------------------------------------- */

static void add(_Atomic uint64_t *total, uint64_t now, uint64_t told)
{
    if (now != told)
        atomic_fetch_add_explicit(total, now - told, memory_order_relaxed);
}

static void publish_durations(metrics_t *m)
{
    for (size_t i = 0; i < METRICS_BUCKETS; i++) {
        add(&m->shared->counts.buckets[i], m->buckets[i], 0);
        m->buckets[i] = 0;
    }
    add(&m->shared->counts.duration_us, m->duration_us, 0);
    m->duration_us = 0;
}

static void publish(metrics_t *m)
{
    metrics_counts_t *counts = &m->shared->counts;
    http_server_stats_t now;

    http_server_stats(m->site->server, &now);
    add(&counts->accepted, now.accepted, m->told.accepted);
    add(&counts->refused, now.refused, m->told.refused);
    add(&counts->bytes_in, now.bytes_in, m->told.bytes_in);
    add(&counts->bytes_out, now.bytes_out, m->told.bytes_out);
    add(&counts->timeouts, now.timeouts, m->told.timeouts);
    for (size_t i = 0; i < METRICS_CLASSES; i++)
        add(&counts->by_class[i], now.by_class[i], m->told.by_class[i]);
    m->told = now;
    publish_durations(m);
    if (m->loop) {
        atomic_store_explicit(&m->loop->open, now.open, memory_order_relaxed);
        atomic_store_explicit(&m->loop->active, now.active, memory_order_relaxed);
    }
}

/* An idle loop is not woken. */
static void on_timer(htimer_t *timer)
{
    metrics_t *m = hevent_userdata(timer);

    m->timer = NULL;
    publish(m);
    if (m->told.open > 0)
        metrics_wake(m);
}

void metrics_wake(metrics_t *m)
{
    if (!m || m->timer)
        return;
    m->timer = htimer_add(m->site->loop, on_timer, METRICS_MS, 1);
    if (m->timer)
        hevent_set_userdata(m->timer, m);
}

void metrics_count(metrics_t *m, const http_stream_t *stream)
{
    http_stream_stats_t stats;

    if (!m)
        return;
    http_stream_stats(stream, &stats);
    if (stats.status == 0)
        return;
    m->buckets[prometheus_text_bucket(bounds, stats.duration_us)]++;
    m->duration_us += stats.duration_us;
    metrics_wake(m);
}

/* ---- the loops ------------------------------------------------------------------------------- */

#define OWNER_BITS 16 /* the thread */

static metrics_loop_t *take_loop(metrics_shared_t *shared, const site_env_t *env)
{
    uint64_t owner = ((uint64_t)env->slot + 1) << OWNER_BITS | (uint64_t)env->thread;

    for (size_t i = 0; i < METRICS_LOOPS_MAX; i++) {
        uint64_t nobody = 0;

        if (atomic_compare_exchange_strong(&shared->loops[i].owner, &nobody, owner))
            return &shared->loops[i];
    }
    return NULL;
}

static void release_loop(metrics_loop_t *loop)
{
    atomic_store(&loop->open, 0);
    atomic_store(&loop->active, 0);
    atomic_store(&loop->owner, 0);
}

void metrics_forget(metrics_shared_t *shared, int slot)
{
    for (size_t i = 0; i < METRICS_LOOPS_MAX; i++) {
        uint64_t owner = atomic_load(&shared->loops[i].owner);

        if (owner >> OWNER_BITS == (uint64_t)slot + 1)
            release_loop(&shared->loops[i]);
    }
}

/* ---- the page -------------------------------------------------------------------------------- */

static void write_one(prometheus_text_t *p, const char *name, const char *type, const char *help,
                      uint64_t value)
{
    prometheus_text_family(p, name, type, help);
    prometheus_text_uint(p, value);
}

static void write_classes(prometheus_text_t *p, const metrics_counts_t *counts)
{
    char code[] = "?xx";

    prometheus_text_family(p, "hhttpd_requests_total", "counter",
                           "Requests that were answered, by status.");
    for (size_t i = 1; i < METRICS_CLASSES; i++) {
        code[0] = (char)('0' + i);
        prometheus_text_label(p, "code", code);
        prometheus_text_uint(p, atomic_load(&counts->by_class[i]));
    }
}

static void write_durations(prometheus_text_t *p, const metrics_counts_t *counts)
{
    uint64_t buckets[METRICS_BUCKETS];

    for (size_t i = 0; i < METRICS_BUCKETS; i++)
        buckets[i] = atomic_load(&counts->buckets[i]);
    prometheus_text_family(p, "hhttpd_request_duration_seconds", "histogram",
                           "From the head of a request to the end of its response.");
    prometheus_text_histogram(p, bounds, buckets, atomic_load(&counts->duration_us), 6);
}

static void write_loops(prometheus_text_t *p, const metrics_shared_t *shared)
{
    uint64_t open = 0, active = 0, loops = 0;

    for (size_t i = 0; i < METRICS_LOOPS_MAX; i++) {
        loops += atomic_load(&shared->loops[i].owner) != 0;
        open += atomic_load(&shared->loops[i].open);
        active += atomic_load(&shared->loops[i].active);
    }
    write_one(p, "hhttpd_connections_open", "gauge", "Connections that are open.", open);
    write_one(p, "hhttpd_requests_active", "gauge", "Requests that are being answered.", active);
    write_one(p, "hhttpd_loops", "gauge", "Event loops of all workers.", loops);
}

static void write_all(prometheus_text_t *p, const metrics_t *m)
{
    const metrics_counts_t *counts = &m->shared->counts;

    write_classes(p, counts);
    write_durations(p, counts);
    write_one(p, "hhttpd_connections_accepted_total", "counter", "Connections accepted.",
              atomic_load(&counts->accepted));
    write_one(p, "hhttpd_connections_refused_total", "counter",
              "Connections closed at once: there were too many.", atomic_load(&counts->refused));
    write_one(p, "hhttpd_timeouts_total", "counter",
              "Connections ended because nothing moved for too long.",
              atomic_load(&counts->timeouts));
    write_one(p, "hhttpd_received_bytes_total", "counter", "Bytes received from clients.",
              atomic_load(&counts->bytes_in));
    write_one(p, "hhttpd_sent_bytes_total", "counter", "Bytes sent to clients.",
              atomic_load(&counts->bytes_out));
    write_loops(p, m->shared);
    write_one(p, "hhttpd_generation", "gauge", "Configurations that were in force.",
              m->site->env.generation);
    prometheus_text_family(p, "process_start_time_seconds", "gauge",
                           "When the server was started (Unix time).");
    prometheus_text_fixed(p, atomic_load(&m->shared->started_ms), 3);
    prometheus_text_family(p, "hhttpd_build_info", "gauge", "The version of the server.");
    prometheus_text_label(p, "version", HNET_VERSION);
    prometheus_text_uint(p, 1);
}

/* Half a page would be one that lacks counters. */
static void on_metrics(http_stream_t *stream, void *userdata)
{
    metrics_t *m = userdata;
    prometheus_text_t p;
    hbytes_t out = {0};

    publish(m);
    prometheus_text_init(&p, &out);
    write_all(&p, m);
    if (prometheus_text_finish(&p) != 0) {
        http_response_error(stream, 503, NULL);
    } else {
        http_response_set(stream, HTTP_SPAN("Content-Type"),
                          HTTP_SPAN(PROMETHEUS_TEXT_CONTENT_TYPE));
        http_response_set(stream, HTTP_SPAN("Cache-Control"), HTTP_SPAN("no-store"));
        http_response_send(stream, out.data, out.len);
    }
    hbytes_deinit(&out);
}

/* ---- the feature ----------------------------------------------------------------------------- */

/* The server has gone already, and has told: see site_free. */
static void free_metrics(void *object)
{
    metrics_t *m = object;

    htimer_del(m->timer);
    if (m->loop)
        release_loop(m->loop);
}

void metrics_publish(metrics_t *m)
{
    if (m && m->shared && m->site->server)
        publish(m);
}

static int make(site_t *site)
{
    metrics_t *m = site_keep(site, sizeof(*m));
    uint64_t never = 0;
    int err;

    if (!m)
        return -ENOMEM;
    m->site = site;
    err = site_on_free(site, free_metrics, m);
    if (err)
        return err;
    if (site->env.metrics) {
        m->shared = site->env.metrics;
        m->loop = take_loop(m->shared, &site->env);
        atomic_compare_exchange_strong(&m->shared->started_ms, &never, htime_real_ms());
    }
    site->metrics = m;
    return 0;
}

/* The first host that wants them makes them, for all. */
int metrics_install(site_host_t *host)
{
    int err = 0;

    if (!host->settings->metrics)
        return 0;
    if (!host->site->metrics)
        err = make(host->site);
    return err ? err
               : site_route(host, "GET", host->settings->metrics, on_metrics, host->site->metrics);
}
