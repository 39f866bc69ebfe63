/* What is found out goes into the file, twice a second: of hosts under way what their probes have
 * shown, of those that are done all. */
#include "resume_int.h"

#include "base/htime.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static bool is_keeping(const scan_t *s)
{
    const resume_t *resume = s->resume;

    /* A host may be done because the scan has failed: that is not what is known of it. */
    return resume && resume->is_begun && !resume->is_stopped && !resume->is_broken &&
           s->status == 0;
}

/* Nothing more is kept; the scan goes on. */
static void give_up(scan_t *s, int err)
{
    resume_t *resume = s->resume;

    resume->is_broken = true;
    fprintf(stderr,
            "hnmap: --resume '%s': %s: nothing more is kept in it, and the scan goes on; what it "
            "has is good, up to host %" PRIu64 " of %" PRIu64 "\n",
            resume->path, herr_str(err), resume->position, s->plan.cursor.count);
}

static void add(scan_t *s, const resume_record_t *record)
{
    int err = resume_record_write(&s->resume->pending, record);

    if (err == -ENOBUFS) /* there is more known of a host than a record takes */
        err = -EFBIG;
    if (err < 0)
        give_up(s, err);
}

static void write_pending(scan_t *s)
{
    resume_t *resume = s->resume;
    int err;

    if (resume->pending.len == 0 || resume->is_broken)
        return;
    err = resume_file_append(resume->file, &resume->pending);
    hbytes_clear(&resume->pending);
    if (err < 0)
        give_up(s, err);
}

static void write_if_much(scan_t *s)
{
    if (s->resume->pending.len > RESUME_PENDING_MAX)
        write_pending(s);
}

/* ---- a host under way ------------------------------------------------------------------------ */

static void add_up(scan_t *s, host_t *host)
{
    const host_result_t *result = &host->result;
    resume_record_t record = {.kind = RESUME_UP, .position = host->position};
    resume_up_t *up = &record.up;

    *up = (resume_up_t){.start = (uint64_t)result->start,
                        .reason = result->reason,
                        .ttl = result->ttl,
                        .has_mac = result->has_mac,
                        .ping_kind = (uint8_t)host->ping.kind,
                        .ping_flags = host->ping.flags,
                        .ping_port = host->ping.port};
    memcpy(up->mac, result->mac, sizeof(up->mac));
    add(s, &record);
    host->is_up_kept = true;
}

/* Runs of outcomes, made of single ones. */
typedef struct gather_s {
    hbytes_t runs;
    resume_run_t run; /* count 0: none yet */
    int error;
} gather_t;

static void end_run(gather_t *g)
{
    if (g->run.count > 0 && g->error == 0)
        g->error = resume_run_write(&g->runs, &g->run);
    g->run.count = 0;
}

static void gather(gather_t *g, uint32_t i, uint8_t state, uint8_t reason, uint8_t ttl)
{
    resume_run_t *run = &g->run;

    if (run->count > 0 && run->first + run->count == i && run->state == state &&
        run->reason == reason && run->ttl == ttl) {
        run->count++;
        return;
    }
    end_run(g);
    *run = (resume_run_t){.first = i, .count = 1, .state = state, .reason = reason, .ttl = ttl};
}

static resume_rtt_t rtt_of(const scan_t *s, const host_t *host)
{
    const host_result_t *result = &host->result;
    resume_rtt_t rtt = {result->srtt_us, result->rttvar_us, result->timeout_us};
    engine_rtt_t now = {0};

    if (host->engine)
        engine_host_rtt(scan__engine_of(s, host), host->engine, &now);
    if (now.srtt_us > 0)
        rtt = (resume_rtt_t){now.srtt_us, now.rttvar_us, now.timeout_us};
    return rtt;
}

static void add_runs(scan_t *s, const host_t *host, gather_t *g, bool is_udp, bool is_whole)
{
    resume_record_t record = {.kind = RESUME_PROBES, .position = host->position};

    end_run(g);
    record.probes = (resume_probes_t){.is_udp = is_udp,
                                      .is_whole = is_whole,
                                      .rtt = rtt_of(s, host),
                                      .runs = g->runs.data,
                                      .runs_len = g->runs.len};
    if (g->error < 0)
        give_up(s, g->error);
    else if (g->runs.len > 0)
        add(s, &record);
    hbytes_deinit(&g->runs);
}

/* What has been answered since the last time. What our own side could not send is asked again. */
static void add_probes(scan_t *s, host_t *host)
{
    gather_t g = {0};

    for (uint32_t i = 0; i < host->probe_count; i++) {
        probe_t *p = &host->probes[i];

        if (p->is_kept || p->state == PORT_UNKNOWN || p->reason == REASON_LOCAL_ERROR)
            continue;
        p->is_kept = true;
        gather(&g, i, p->state, p->reason, p->ttl);
    }
    add_runs(s, host, &g, host->stage == STAGE_UDP, false);
}

void scan__keep_ports(scan_t *s, host_t *host)
{
    const uint32_t tcp_count = s->plan.ports.tcp.count;
    gather_t g[RESUME_STAGES] = {0};

    if (!is_keeping(s) || host->outcome_count == 0)
        return;
    for (size_t i = 0; i < host->outcome_count; i++) {
        const port_result_t *port = &host->outcomes[i];
        bool is_udp = port->protocol == IPPROTO_UDP;

        gather(&g[is_udp], (uint32_t)i - (is_udp ? tcp_count : 0), port->state, port->reason,
               port->ttl);
    }
    if (!host->is_up_kept)
        add_up(s, host);
    for (int i = 0; i < RESUME_STAGES; i++)
        add_runs(s, host, &g[i], i == 1, true);
    write_if_much(s);
}

static void add_host(scan_t *s, host_t *host)
{
    bool is_in_ports = host->stage == STAGE_PORTS || host->stage == STAGE_UDP;

    if (host->stage == STAGE_PING || host->stage == STAGE_DONE)
        return;
    if (!host->is_up_kept)
        add_up(s, host);
    if (is_in_ports)
        add_probes(s, host);
}

/* ---- a host that is done --------------------------------------------------------------------- */

void scan__keep_done(scan_t *s, host_t *host)
{
    resume_record_t record = {.kind = RESUME_DONE, .position = host->position};

    if (!is_keeping(s))
        return;
    record.done = host->result;
    add(s, &record);
    resume__forget(s->resume, host->position);
    write_if_much(s);
}

void scan__keep_told(scan_t *s, const host_t *host)
{
    resume_record_t record = {.kind = RESUME_TOLD, .position = host->position};
    const host_result_t *result = &host->result;

    if (!is_keeping(s))
        return;
    record.told.name = result->name;
    for (size_t i = 0; i < result->hop_count && i < RESUME_HOPS_MAX; i++)
        record.told.hop_names[record.told.hop_count++] = result->hops[i].name;
    add(s, &record);
    resume__forget(s->resume, host->position);
    s->resume->position = host->position + 1;
    write_if_much(s);
}

/* ---- the file -------------------------------------------------------------------------------- */

static void add_elapsed(scan_t *s)
{
    resume_record_t record = {.kind = RESUME_ELAPSED};

    record.elapsed_us = s->resume->elapsed_us + htime_monotonic_us() - s->begin_us;
    add(s, &record);
}

void resume__flush(scan_t *s)
{
    hlist_t *pos, *next;

    HLIST_FOREACH (pos, next, &s->hosts) {
        if (!is_keeping(s))
            break;
        add_host(s, HLIST_ENTRY(pos, host_t, node));
        write_if_much(s);
    }
    if (s->resume->pending.len > 0 && is_keeping(s))
        add_elapsed(s);
    write_pending(s);
}

static void on_timer(htimer_t *timer)
{
    resume__flush(hevent_userdata(timer));
}

void resume__begin_keeping(scan_t *s)
{
    resume_t *resume = s->resume;

    resume->timer = htimer_add(s->loop, on_timer, RESUME_FLUSH_MS, UINT32_MAX);
    if (resume->timer)
        hevent_set_userdata(resume->timer, s);
    else
        give_up(s, -ENOMEM);
    resume->is_begun = true;
}

int resume__write_begin(scan_t *s, const uint32_t facts[RESUME_FACTS])
{
    const options_t *o = s->plan.options;
    resume_t *resume = s->resume;
    resume_record_t record = {.kind = RESUME_BEGIN};
    hbytes_t words = {.size_max = RESUME_WORDS_MAX};
    int err = 0;

    for (int i = 1; i < o->argc && err == 0; i++)
        err = hbytes_append(&words, o->argv[i], strlen(o->argv[i]) + 1);
    record.begin = (resume_begin_t){.seed = s->plan.seed,
                                    .start = (uint64_t)time(NULL),
                                    .words = words.data,
                                    .words_len = words.len};
    memcpy(record.begin.facts, facts, sizeof(record.begin.facts));
    if (err == 0)
        err = resume_record_write(&resume->pending, &record);
    if (err == 0)
        err = resume_file_append(resume->file, &resume->pending);
    resume->has_begin = err == 0;
    hbytes_clear(&resume->pending);
    hbytes_deinit(&words);
    if (err < 0)
        fprintf(stderr, "hnmap: --resume '%s': cannot keep the scan in it: %s\n", resume->path,
                err == -ENOBUFS ? "the command line is too long" : herr_str(err));
    return err < 0 ? 1 : 0;
}
