/* How far a scan is. */
#include "scan_int.h"

#include "base/htime.h"

#include <inttypes.h>
#include <stdio.h>

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

/* Between rounds, and behind the last one. */
static void write_note(const scan_t *s, char *note, size_t size)
{
    uint64_t now = htime_monotonic_us();
    uint64_t left = s->next_us > now ? (s->next_us - now + 999999) / 1000000 : 0;
    time_t when = time(NULL) + (time_t)left;
    char text[16] = "";
    then_counts_t counts;
    struct tm parts;

    if (s->waits_for_commands) {
        then_counts(s->then, &counts);
        snprintf(note, size, "Commands: %zu running, for %zu hosts to come", counts.running,
                 counts.waiting);
        return;
    }
    if (localtime_r(&when, &parts))
        strftime(text, sizeof(text), "%H:%M:%S", &parts);
    snprintf(note, size, "Round %" PRIu64 " at %s, in %" PRIu64 ":%02" PRIu64,
             s->plan.run.round + 1, text, left / 60, left % 60);
}

void scan__progress(void *context, progress_t *progress)
{
    const scan_t *s = context;
    const run_t *run = &s->plan.run;
    uint64_t sent = 0;
    double done = (double)run->total;
    hlist_t *pos, *next;

    *progress = (progress_t){
        .elapsed_us = htime_monotonic_us() - s->begin_us,
        .stage = "scan",
        .hosts_done = run->total,
        .up = run->up,
    };
    if (!s->is_open || s->waits_for_commands) {
        write_note(s, progress->note, sizeof(progress->note));
        return;
    }
    for (int i = 0; i < PLAN_PACES; i++) {
        engine_stats_t stats;

        engine_stats(s->engines[i], &stats);
        sent += stats.sent;
    }
    progress->stage = stage_name(s);
    progress->hosts = s->plan.cursor.count;
    progress->active = s->host_count;
    progress->open = s->open_count;
    HLIST_FOREACH (pos, next, &s->hosts) {
        const host_t *host = HLIST_ENTRY(pos, host_t, node);

        done += share_of_host(s, host);
        progress->up += host->result.state == HOST_UP;
    }
    progress->share = progress->hosts > 0 ? done / (double)progress->hosts : 1;
    if (progress->elapsed_us > 0)
        progress->rate = (double)sent * 1e6 / (double)progress->elapsed_us;
}

/* ---- -d ------------------------------------------------------------------------------------- */

void scan__tell_inside(scan_t *s)
{
    static const char *const names[PLAN_PACES] = {
        [PACE_NEIGHBOURS] = "ARP and NDP", [PACE_PINGS] = "Pings",      [PACE_TCP] = "TCP ports",
        [PACE_UDP] = "UDP ports",          [PACE_OS] = "System probes", [PACE_TRACE] = "Traceroute",
    };

    if (s->plan.run.debug == 0 || s->plan.run.lists_only)
        return;
    for (int i = 0; i < PLAN_PACES; i++) {
        engine_stats_t stats;
        char line[256];

        engine_stats(s->engines[i], &stats);
        if (stats.sent == 0)
            continue;
        snprintf(line, sizeof(line),
                 "%s: %" PRIu64 " probes sent, %" PRIu64 " of them again; %" PRIu64
                 " have an answer, %" PRIu64
                 " were lost (loss is about %.1f%%); at the end %.0f at a time, "
                 "%.0f a second\n",
                 names[i], stats.sent, stats.repeated, stats.answered, stats.lost, stats.loss * 100,
                 stats.window, stats.rate);
        scan__heard(s, output_line(s->output, &s->plan.run, line));
    }
}
