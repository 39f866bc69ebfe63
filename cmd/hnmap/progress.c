/* How far a scan is. */
#include "scan_int.h"

#include "base/htime.h"

static const char *stage_name(const scan_t *s)
{
    static const struct {
        scan_type_e type;
        const char *name;
    } names[] = {{SCAN_CONNECT, "Connect Scan"}, {SCAN_SYN, "SYN Stealth Scan"},
                 {SCAN_ACK, "ACK Scan"},         {SCAN_FIN, "FIN Scan"},
                 {SCAN_NULL, "NULL Scan"},       {SCAN_XMAS, "XMAS Scan"},
                 {SCAN_MAIMON, "Maimon Scan"}};

    if (s->plan.run.lists_only)
        return "List Scan";
    if (s->scanning == 0)
        return s->looking > 0 ? "Service scan" : s->guessing > 0 ? "OS Scan" : "Ping Scan";
    if (s->plan.ports.tcp.count == 0)
        return "UDP Scan";
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (names[i].type == s->plan.scan->type)
            return names[i].name;
    return "Port Scan";
}

static double share_of(const engine_t *engine)
{
    engine_stats_t stats;

    engine_stats(engine, &stats);
    return stats.probes > 0 ? stats.work / (double)stats.probes : 0;
}

/* A host counts by its stages: found, TCP, UDP; within one, as all that are in it. */
static double share_of_host(const scan_t *s, const host_t *host)
{
    bool has_tcp = s->plan.ports.tcp.count > 0, has_udp = s->plan.ports.udp.count > 0;
    double parts = s->plan.run.pings_only ? 1 : has_tcp + has_udp;

    switch (host->stage) {
    case STAGE_PING:
        return s->plan.run.pings_only ? share_of(scan__engine_of(s, host)) : 0;
    case STAGE_PORTS:
        return share_of(s->engines[PACE_TCP]) / parts;
    case STAGE_UDP:
        return (has_tcp + share_of(s->engines[PACE_UDP])) / parts;
    default:
        return host->stage >= STAGE_SERVICE ? 1 : 0;
    }
}

void scan__progress(void *context, progress_t *progress)
{
    const scan_t *s = context;
    const run_t *run = &s->plan.run;
    uint64_t sent = 0;
    double done = (double)run->total;
    hlist_t *pos, *next;

    for (int i = 0; i < PLAN_PACES; i++) {
        engine_stats_t stats;

        engine_stats(s->engines[i], &stats);
        sent += stats.sent;
    }
    *progress = (progress_t){
        .elapsed_us = htime_monotonic_us() - s->begin_us,
        .stage = stage_name(s),
        .hosts = s->plan.cursor.count,
        .hosts_done = run->total,
        .up = run->up,
        .active = s->host_count,
        .open = s->open_count,
    };
    HLIST_FOREACH (pos, next, &s->hosts) {
        const host_t *host = HLIST_ENTRY(pos, host_t, node);

        done += share_of_host(s, host);
        progress->up += host->result.state == HOST_UP;
    }
    progress->share = progress->hosts > 0 ? done / (double)progress->hosts : 1;
    if (progress->elapsed_us > 0)
        progress->rate = (double)sent * 1e6 / (double)progress->elapsed_us;
}
