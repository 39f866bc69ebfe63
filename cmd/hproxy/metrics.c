/* /metrics: each table is one family after the other, as Prometheus wants them. The targets are
 * gone through once, into a buffer for each family. */
#include "admin_int.h"
#include "service.h"

#include "base/hmem.h"
#include "base/hversion.h"
#include "session.h"

_Static_assert(SESSION_ENDS <= STATS_ENDS_MAX, "each end is counted");

/* ---- services -------------------------------------------------------------------------------- */

static void write_begun(prometheus_text_t *p, const stats_sum_t *sum)
{
    prometheus_text_label(p, "listener", sum->name);
    prometheus_text_uint(p, sum->begun);
}

static void write_open(prometheus_text_t *p, const stats_sum_t *sum)
{
    prometheus_text_label(p, "listener", sum->name);
    prometheus_text_uint(p, sum->open);
}

static void write_ends(prometheus_text_t *p, const stats_sum_t *sum)
{
    for (int end = 0; end < SESSION_ENDS; end++) {
        prometheus_text_label(p, "listener", sum->name);
        prometheus_text_label(p, "end", session_end_name((session_end_e)end));
        prometheus_text_uint(p, sum->ends[end]);
    }
}

static void write_bytes(prometheus_text_t *p, const stats_sum_t *sum)
{
    prometheus_text_label(p, "listener", sum->name);
    prometheus_text_label(p, "direction", "to_target");
    prometheus_text_uint(p, sum->sent_bytes);
    prometheus_text_label(p, "listener", sum->name);
    prometheus_text_label(p, "direction", "to_client");
    prometheus_text_uint(p, sum->received_bytes);
}

static void write_durations(prometheus_text_t *p, const stats_sum_t *sum)
{
    prometheus_text_label(p, "listener", sum->name);
    prometheus_text_histogram(p, stats_duration_bounds, sum->durations, sum->duration_us, 6);
}

static void write_connects(prometheus_text_t *p, const stats_sum_t *sum)
{
    prometheus_text_label(p, "listener", sum->name);
    prometheus_text_histogram(p, stats_connect_bounds, sum->connects, sum->connect_us, 6);
}

static const struct {
    const char *name, *type, *help;
    void (*write)(prometheus_text_t *p, const stats_sum_t *sum);
} service_families[] = {
    {"hproxy_connections_total", "counter",
     "Connections and flows of datagrams that came to a listener.", write_begun},
    {"hproxy_connections_open", "gauge", "Those of them that are open.", write_open},
    {"hproxy_connections_ended_total", "counter", "How they ended.", write_ends},
    {"hproxy_bytes_total", "counter", "Bytes that went through.", write_bytes},
    {"hproxy_connection_duration_seconds", "histogram", "How long they lasted.", write_durations},
    {"hproxy_connect_duration_seconds", "histogram",
     "From the arrival of a client to the connection to its target.", write_connects},
};

static void write_services(prometheus_text_t *p, const lane_t *lane)
{
    for (size_t f = 0; f < sizeof(service_families) / sizeof(service_families[0]); f++) {
        stats_sum_t sum;

        prometheus_text_family(p, service_families[f].name, service_families[f].type,
                               service_families[f].help);
        for (size_t i = 0; i <= STATS_SERVICES_MAX; i++) {
            if (stats_read(lane->env->stats, i, &sum))
                service_families[f].write(p, &sum);
        }
    }
}

/* ---- targets --------------------------------------------------------------------------------- */

static uint64_t is_up(const htarget_info_t *info)
{
    return info->state == HTARGET_UP;
}

static uint64_t active_of(const htarget_info_t *info)
{
    return info->active;
}

static uint64_t connections_of(const htarget_info_t *info)
{
    return info->connections;
}

static uint64_t failures_of(const htarget_info_t *info)
{
    return info->failures;
}

static uint64_t ejections_of(const htarget_info_t *info)
{
    return info->ejections;
}

static uint64_t sent_to(const htarget_info_t *info)
{
    return info->to_bytes;
}

static uint64_t received_from(const htarget_info_t *info)
{
    return info->from_bytes;
}

static uint64_t checks_of(const htarget_info_t *info)
{
    return info->checks;
}

static uint64_t check_failures_of(const htarget_info_t *info)
{
    return info->check_failures;
}

static uint64_t weight_of(const htarget_info_t *info)
{
    return info->weight;
}

static const struct {
    const char *name, *type, *help;
    uint64_t (*value)(const htarget_info_t *info);
} target_families[] = {
    {"hproxy_target_up", "gauge", "1: it gets connections; 0: down, ejected or draining.", is_up},
    {"hproxy_target_connections_open", "gauge", "Connections to it.", active_of},
    {"hproxy_target_connections_total", "counter", "Connections that were led to it.",
     connections_of},
    {"hproxy_target_failures_total", "counter", "Those of them that could not be made.",
     failures_of},
    {"hproxy_target_ejections_total", "counter", "How often it was left out for its failures.",
     ejections_of},
    {"hproxy_target_sent_bytes_total", "counter", "Bytes sent to it.", sent_to},
    {"hproxy_target_received_bytes_total", "counter", "Bytes that came from it.", received_from},
    {"hproxy_target_checks_total", "counter", "Health checks of it.", checks_of},
    {"hproxy_target_check_failures_total", "counter", "Those of them that failed.",
     check_failures_of},
    {"hproxy_target_weight", "gauge", "Its share of the connections.", weight_of},
};
#define TARGET_FAMILIES (sizeof(target_families) / sizeof(target_families[0]))

typedef struct target_writer_s {
    prometheus_text_t families[TARGET_FAMILIES];
    hbytes_t out[TARGET_FAMILIES];
    const char *listener;
} target_writer_t;

static void write_target(const htarget_info_t *info, void *arg)
{
    target_writer_t *w = arg;

    for (size_t f = 0; f < TARGET_FAMILIES; f++) {
        prometheus_text_label(&w->families[f], "listener", w->listener);
        prometheus_text_label(&w->families[f], "target", info->name);
        prometheus_text_label(&w->families[f], "address", info->address);
        prometheus_text_uint(&w->families[f], target_families[f].value(info));
    }
}

static int write_targets(hbytes_t *out, const lane_t *lane)
{
    target_writer_t w = {.listener = NULL};
    int err = 0;

    for (size_t f = 0; f < TARGET_FAMILIES; f++) {
        prometheus_text_init(&w.families[f], &w.out[f]);
        prometheus_text_family(&w.families[f], target_families[f].name, target_families[f].type,
                               target_families[f].help);
    }
    for (const service_t *s = lane->services; s; s = s->next) {
        w.listener = s->settings->name;
        if (s->targets)
            htargets_each(s->targets, write_target, &w);
    }
    for (size_t f = 0; f < TARGET_FAMILIES; f++) {
        err = err ? err : prometheus_text_finish(&w.families[f]);
        err = err ? err : hbytes_append(out, w.out[f].data, w.out[f].len);
        hbytes_deinit(&w.out[f]);
    }
    return err;
}

/* ---- the page -------------------------------------------------------------------------------- */

static void write_usable(prometheus_text_t *p, const lane_t *lane)
{
    prometheus_text_family(p, "hproxy_targets_usable", "gauge", "Targets that get connections.");
    for (const service_t *s = lane->services; s; s = s->next) {
        if (!s->targets)
            continue;
        prometheus_text_label(p, "listener", s->settings->name);
        prometheus_text_uint(p, htargets_usable(s->targets));
    }
}

static void write_process(prometheus_text_t *p, const env_t *env)
{
    prometheus_text_family(p, "hproxy_workers", "gauge", "Worker processes of this configuration.");
    prometheus_text_uint(p, env->worker_count);
    prometheus_text_family(p, "hproxy_generation", "gauge", "Configurations that were in force.");
    prometheus_text_uint(p, env->generation);
    prometheus_text_family(p, "process_start_time_seconds", "gauge",
                           "When the proxy was started (Unix time).");
    prometheus_text_fixed(p, stats_started_ms(env->stats), 3);
    prometheus_text_family(p, "hproxy_build_info", "gauge", "The version of the proxy.");
    prometheus_text_label(p, "version", HNET_VERSION);
    prometheus_text_uint(p, 1);
}

int metrics_write(lane_t *lane, hbytes_t *out)
{
    prometheus_text_t p;
    int err;

    lane_publish(lane);
    prometheus_text_init(&p, out);
    write_services(&p, lane);
    write_usable(&p, lane);
    err = prometheus_text_finish(&p);
    if (!err)
        err = write_targets(out, lane);
    if (err)
        return err;
    prometheus_text_init(&p, out);
    write_process(&p, lane->env);
    return prometheus_text_finish(&p);
}
