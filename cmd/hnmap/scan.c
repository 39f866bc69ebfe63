/* The stages of a host: is it there, which ports, its name, the report. Hosts are made as there is
 * room for them, so that memory is bounded however large the targets are, and reported in the order
 * of the targets. Two engines decide what is sent when; after every turn of the loop that brought
 * answers, and when they ask for it, pump lets them go on. */
#include "scan.h"

#include "base/hmem.h"
#include "base/htime.h"
#include "connect.h"
#include "event/hsignal.h"
#include "event/htimer.h"
#include "host.h"
#include "lookup.h"
#include "output.h"
#include "plan.h"

#include <inttypes.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#define HOSTS_MAX 4096                  /* that are scanned, or wait to be reported */
#define PROBES_MEMORY ((size_t)8 << 20) /* for the ports of all of them */
#define NAME_WAIT_US 800000             /* for a name, once the rest of a host is known */
#define SHOWN_MAX 25                    /* ports of one state but open, per level of -v */
#define SIGNALS 2

typedef struct scan_s {
    plan_t plan;
    hloop_t *loop;
    connect_t *connects;
    engine_t *pings, *ports;
    hdns_t *dns; /* NULL: no names */
    local_t *local;
    output_t *output;
    htimer_t *timer;
    hsignal_t *signals[SIGNALS];
    hlist_t hosts; /* in order */
    size_t host_count, scanning;
    bool exhausted; /* no target is left */
    bool interrupted;
    bool warned_unreachable;
    int status;
} scan_t;

static void out_of_memory(scan_t *s)
{
    if (s->status == 0)
        fprintf(stderr, "hnmap: %s\n", herr_str(-ENOMEM));
    s->status = 1;
}

static void finish_host(host_t *host)
{
    host->stage = STAGE_DONE;
    host->engine = NULL;
    host->done_us = htime_monotonic_us();
    host->result.end = time(NULL);
}

/* ---- names ----------------------------------------------------------------------------------- */

static void pump(scan_t *s);

static void on_name(hdns_query_t *query, int err, const char *name, void *arg)
{
    host_t *host = arg;

    (void)query;
    host->query = NULL;
    if (err == 0)
        host->result.name = hmem_strdup(name); /* without memory: without a name */
    pump(host->scan);
}

static void ask_name(scan_t *s, host_t *host)
{
    if (s->dns == NULL || host->query || host->result.name)
        return;
    /* An error is memory: the report goes without the name. */
    if (hdns_reverse(s->dns, &host->result.addr.u.sa, on_name, host, &host->query) < 0)
        host->query = NULL;
}

/* ---- probes ---------------------------------------------------------------------------------- */

static uint16_t port_of(const scan_t *s, const host_t *host, uint32_t probe)
{
    const port_set_t *set = host->stage == STAGE_PING ? &s->plan.ping_ports : &s->plan.ports.tcp;

    return port_set_at(set, probe);
}

/* A host is there as soon as it has said anything, though it be no. */
static bool is_sign_of_life(const probe_t *probe)
{
    return probe->state == PORT_OPEN || probe->state == PORT_CLOSED;
}

static void warn_unreachable(scan_t *s, const host_t *host, int err)
{
    char ip[HADDR_FORMAT_SIZE];

    if (s->warned_unreachable)
        return;
    s->warned_unreachable = true;
    fprintf(stderr, "hnmap: cannot send to %s: %s\n",
            haddr_ip(&host->result.addr.u.sa, ip, sizeof(ip)), herr_str(err));
}

static void take_answer(scan_t *s, host_t *host, uint32_t probe, int err)
{
    probe_t *p = &host->probes[probe];

    p->number = CONNECT_NONE;
    host_take_connect(p, err);
    if (p->reason == REASON_LOCAL_ERROR || p->reason == REASON_NET_UNREACH)
        warn_unreachable(s, host, err);
    if (host->stage != STAGE_PING || !is_sign_of_life(p))
        return;
    host->result.state = HOST_UP;
    host->result.reason = p->reason;
    engine_host_end(s->pings, host->engine);
}

static engine_t *engine_of(scan_t *s, const host_t *host)
{
    return host->stage == STAGE_PING ? s->pings : s->ports;
}

/* What only the far end can have said tells of the way; the rest, this machine may have said. */
static bool is_answer(int err)
{
    return err == 0 || err == -ECONNREFUSED || err == -ECONNRESET;
}

static void on_connect(void *context, void *arg, uint32_t probe, int err)
{
    scan_t *s = context;
    host_t *host = arg;
    engine_t *engine = engine_of(s, host);
    uint64_t now = htime_monotonic_us();

    host->probes[probe].number = CONNECT_NONE;
    if (err == -ETIMEDOUT) /* the kernel is more patient than the engine: no news */
        return;
    if (is_answer(err)) /* an earlier try has no socket any more */
        engine_answer(engine, host->engine, probe, (int)engine_tries(host->engine, probe) - 1,
                      err != 0, now);
    else
        engine_settle(engine, host->engine, probe, now);
    take_answer(s, host, probe, err);
}

static void on_ready(void *context)
{
    scan_t *s = context;

    engine_ready(s->pings);
    engine_ready(s->ports);
    pump(s);
}

static engine_sent_e send_probe(void *context, engine_host_t *engine_host, uint32_t probe,
                                unsigned try)
{
    scan_t *s = context;
    host_t *host = engine_host_user(engine_host);
    haddr_t addr = host->result.addr;
    probe_t *p = &host->probes[probe];
    uint64_t begin = htime_monotonic_us();
    int err = 0, status;

    (void)try;
    connect_cancel(s->connects, p->number);
    p->number = CONNECT_NONE;
    haddr_set_port(&addr.u.sa, port_of(s, host, probe));
    status = connect_start(s->connects, &addr.u.sa, host, probe, &p->number, &err);
    if (status == -EAGAIN)
        return ENGINE_BUSY;
    if (status == 0)
        return ENGINE_SENT;
    if (host->result.srtt_us == 0 && is_answer(err))
        host->result.srtt_us = htime_monotonic_us() - begin;
    take_answer(s, host, probe, err);
    return ENGINE_ANSWERED;
}

static void cancel_probes(scan_t *s, host_t *host)
{
    for (uint32_t i = 0; i < host->probe_count; i++) {
        connect_cancel(s->connects, host->probes[i].number);
        host->probes[i].number = CONNECT_NONE;
    }
}

/* ---- stages ---------------------------------------------------------------------------------- */

static void take_rtt(const engine_t *engine, host_t *host)
{
    engine_rtt_t rtt;

    engine_host_rtt(engine, host->engine, &rtt);
    if (rtt.srtt_us == 0)
        return;
    host->result.srtt_us = rtt.srtt_us;
    host->result.rttvar_us = rtt.rttvar_us;
    host->result.timeout_us = rtt.timeout_us;
}

static void host_is_up(scan_t *s, host_t *host, reason_e reason)
{
    host->result.state = HOST_UP;
    host->result.reason = (uint8_t)reason;
    host->stage = STAGE_WAIT;
    ask_name(s, host);
    if (s->plan.run.pings_only)
        finish_host(host);
}

static void on_pinged(void *context, engine_host_t *engine_host)
{
    scan_t *s = context;
    host_t *host = engine_host_user(engine_host);

    take_rtt(s->pings, host);
    cancel_probes(s, host);
    host->engine = NULL;
    if (host->result.state == HOST_UP) {
        host_is_up(s, host, host->result.reason);
        return;
    }
    host->result.state = HOST_DOWN;
    host->result.reason = REASON_NO_RESPONSE;
    finish_host(host);
}

/* The outcomes that are known, in the order of the ports; without an answer from all of them when
 * the scan was interrupted, they are left out. */
static int divide(scan_t *s, host_t *host, bool is_whole)
{
    size_t shown_max =
        s->plan.run.debug > 0 ? SIZE_MAX : (size_t)SHOWN_MAX * (size_t)(1 + s->plan.run.verbose);
    port_result_t *outcomes = hmem_alloc(host->probe_count * sizeof(*outcomes));
    size_t count = 0;
    int err;

    if (outcomes == NULL)
        return -ENOMEM;
    for (uint32_t i = 0; i < host->probe_count; i++) {
        const probe_t *p = &host->probes[i];

        if (p->state == PORT_UNKNOWN && !is_whole)
            continue;
        outcomes[count++] = (port_result_t){
            .number = port_of(s, host, i),
            .protocol = IPPROTO_TCP,
            .state = p->state == PORT_UNKNOWN ? PORT_FILTERED : p->state,
            .reason = p->state == PORT_UNKNOWN ? REASON_NO_RESPONSE : p->reason,
            .ttl = p->ttl,
        };
    }
    err = host_result_divide(&host->result, outcomes, count, shown_max, s->plan.run.open_only);
    hmem_free(outcomes);
    for (size_t i = 0; i < host->result.port_count; i++)
        host->result.ports[i].usual =
            names_of(s->plan.names, PORTS_TCP, host->result.ports[i].number);
    return err;
}

static void end_ports(scan_t *s, host_t *host, bool is_whole)
{
    cancel_probes(s, host);
    if (host->engine)
        take_rtt(s->ports, host);
    if (host->engine && engine_host_timed_out(host->engine))
        host->result.timed_out = true;
    else if (divide(s, host, is_whole) < 0)
        out_of_memory(s);
    hmem_free(host->probes);
    host->probes = NULL;
    host->probe_count = 0;
    s->scanning--;
    finish_host(host);
}

static void on_scanned(void *context, engine_host_t *engine_host)
{
    end_ports(context, engine_host_user(engine_host), true);
}

static const engine_method_t ping_method = {send_probe, on_pinged};
static const engine_method_t port_method = {send_probe, on_scanned};

static void begin_stage(scan_t *s, host_t *host, host_stage_e stage, uint32_t probes)
{
    engine_t *engine = stage == STAGE_PING ? s->pings : s->ports;
    int err = host_set_probes(host, probes);

    host->stage = stage;
    if (err == 0)
        err = engine_host_add(engine, probes, host->result.srtt_us, host, htime_monotonic_us(),
                              &host->engine);
    if (err < 0) {
        out_of_memory(s);
        finish_host(host);
    } else if (stage == STAGE_PORTS) {
        s->scanning++;
    }
}

/* What comes first for a host. */
static void begin_host(scan_t *s, host_t *host)
{
    host->result.start = time(NULL);
    if (s->plan.options->names == NAMES_ALWAYS || s->plan.run.lists_only)
        ask_name(s, host);
    if (s->plan.run.lists_only) {
        host->result.reason = REASON_USER_SET;
        finish_host(host);
    } else if (s->plan.options->pings & PING_NONE) {
        host_is_up(s, host, REASON_USER_SET);
    } else if (local_has(s->local, &host->result.addr.u.sa)) {
        host_is_up(s, host, REASON_LOCALHOST);
    } else {
        begin_stage(s, host, STAGE_PING, s->plan.ping_ports.count);
    }
}

/* ---- the flow -------------------------------------------------------------------------------- */

/* More hosts while there is room. True: something was begun. */
static bool feed(scan_t *s)
{
    bool is_fed = false;
    target_t target;

    while (!s->exhausted && s->host_count < HOSTS_MAX && s->status == 0) {
        host_t *host = NULL;

        if (!targets_next(&s->plan.cursor, &target)) {
            s->exhausted = true;
            break;
        }
        host = host_new(&target);
        if (host == NULL) {
            out_of_memory(s);
            break;
        }
        host->scan = s;
        hlist_push_back(&s->hosts, &host->node);
        s->host_count++;
        begin_host(s, host);
        is_fed = true;
    }
    return is_fed;
}

static size_t scanning_max(const scan_t *s)
{
    size_t max = PROBES_MEMORY / (s->plan.ports.tcp.count * (sizeof(probe_t) + 1));

    return max > 0 ? max : 1;
}

/* Hosts that wait come to the ports in their order. */
static bool promote(scan_t *s)
{
    size_t max = scanning_max(s);
    hlist_t *pos, *next;
    bool is_fed = false;

    if (s->scanning >= max)
        return false;
    HLIST_FOREACH (pos, next, &s->hosts) {
        host_t *host = HLIST_ENTRY(pos, host_t, node);

        if (host->stage != STAGE_WAIT)
            continue;
        if (s->scanning >= max)
            break;
        begin_stage(s, host, STAGE_PORTS, s->plan.ports.tcp.count);
        is_fed = true;
    }
    return is_fed;
}

static void count_host(run_t *run, const host_result_t *host)
{
    run->total++;
    run->up += host->state == HOST_UP;
    run->down += host->state != HOST_UP;
}

/* Reports what is done, in order. Returns when it wants to be called again for a name that is
 * waited for; UINT64_MAX: never; 0: at once, for there is room now. */
static uint64_t report(scan_t *s, uint64_t now)
{
    size_t reported = 0;

    while (!hlist_empty(&s->hosts)) {
        host_t *host = HLIST_ENTRY(s->hosts.next, host_t, node);

        if (host->stage != STAGE_DONE)
            break;
        if (host->query && now < host->done_us + NAME_WAIT_US && !s->interrupted)
            return reported > 0 ? 0 : host->done_us + NAME_WAIT_US;
        count_host(&s->plan.run, &host->result);
        if (output_host(s->output, &s->plan.run, &host->result) < 0)
            s->status = 1;
        host_free(host);
        s->host_count--;
        reported++;
    }
    return reported > 0 && !s->exhausted ? 0 : UINT64_MAX;
}

static uint64_t sooner(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static void on_timer(htimer_t *timer)
{
    scan_t *s = hevent_userdata(timer);

    s->timer = NULL;
    pump(s);
}

static void arm(scan_t *s, uint64_t when)
{
    uint64_t now = htime_monotonic_us();
    uint64_t ms = when > now ? (when - now + 999) / 1000 : 0;

    htimer_del(s->timer);
    s->timer = NULL;
    if (when == UINT64_MAX)
        return;
    ms = ms < 1 ? 1 : ms > INT_MAX ? INT_MAX : ms;
    s->timer = htimer_add(s->loop, on_timer, (uint32_t)ms, 1);
    if (s->timer)
        hevent_set_userdata(s->timer, s);
    else
        out_of_memory(s);
}

static void pump(scan_t *s)
{
    uint64_t when;

    do {
        bool is_fed = feed(s);
        uint64_t now = htime_monotonic_us();

        when = engine_run(s->pings, now);
        is_fed = promote(s) || is_fed;
        when = sooner(when, engine_run(s->ports, htime_monotonic_us()));
        when = sooner(when, report(s, htime_monotonic_us()));
        if (is_fed)
            when = sooner(when, now);
    } while (when == 0 && s->status == 0);
    if (s->status != 0 || (s->exhausted && hlist_empty(&s->hosts)))
        hloop_stop(s->loop);
    else
        arm(s, when);
}

/* ---- the run --------------------------------------------------------------------------------- */

/* What was found is reported, and nothing more is asked. */
static void stop_early(scan_t *s)
{
    hlist_t *pos, *next;

    s->interrupted = true;
    HLIST_FOREACH (pos, next, &s->hosts) {
        host_t *host = HLIST_ENTRY(pos, host_t, node);

        if (host->stage == STAGE_PORTS)
            end_ports(s, host, false);
        else if (host->stage == STAGE_WAIT)
            finish_host(host);
        if (host->stage == STAGE_DONE && s->status == 0) {
            count_host(&s->plan.run, &host->result);
            output_host(s->output, &s->plan.run, &host->result);
        }
    }
    s->plan.run.error = "interrupted";
}

static void on_signal(hsignal_t *sig)
{
    scan_t *s = hevent_userdata(sig);

    s->status = 128 + hsignal_signo(sig);
    hloop_stop(s->loop);
}

static int watch_signals(scan_t *s)
{
    static const int numbers[SIGNALS] = {SIGINT, SIGTERM};

    for (size_t i = 0; i < SIGNALS; i++) {
        s->signals[i] = hsignal_add(s->loop, on_signal, numbers[i]);
        if (s->signals[i] == NULL)
            return -ENOMEM;
        hevent_set_userdata(s->signals[i], s);
    }
    return 0;
}

static int prepare(scan_t *s)
{
    const plan_t *plan = &s->plan;
    const connect_options_t how = {
        .sockets_max = plan->options->timing.window_max,
        .source = plan->source.len > 0 ? &plan->source : NULL,
        .interface = plan->options->interface,
    };
    int err = connect_new(s->loop, &how, on_connect, on_ready, s, &s->connects);

    if (err == 0)
        err = engine_new(&plan->ping_pace, &ping_method, s, &s->pings);
    if (err == 0)
        err = engine_new(&plan->port_pace, &port_method, s, &s->ports);
    if (err == 0 && plan->options->names != NAMES_NEVER)
        err = lookup_new(s->loop, plan->options, &s->dns);
    if (err == 0)
        err = watch_signals(s);
    s->local = local_new();
    if (err == 0 && s->local == NULL)
        err = -ENOMEM;
    if (err < 0)
        fprintf(stderr, "hnmap: cannot begin: %s\n", herr_str(err));
    return err < 0 ? 1 : 0;
}

static void run(scan_t *s)
{
    run_t *run = &s->plan.run;
    uint64_t begin = htime_monotonic_us();

    run->start = time(NULL);
    if (output_begin(s->output, run) < 0)
        s->status = 1;
    pump(s);
    if (s->status == 0 && !(s->exhausted && hlist_empty(&s->hosts)))
        hloop_run(s->loop);
    if (s->status > 128) {
        int status = s->status;

        s->status = 0;
        stop_early(s);
        s->status = status;
    }
    run->end = time(NULL);
    run->elapsed_s = (double)(htime_monotonic_us() - begin) / 1e6;
    if (s->status == 1 && run->error == NULL)
        run->error = "failed";
    if (output_end(s->output, run) < 0 && s->status == 0)
        s->status = 1;
}

static void free_scan(scan_t *s)
{
    hlist_t *pos, *next;

    HLIST_FOREACH (pos, next, &s->hosts)
        host_free(HLIST_ENTRY(pos, host_t, node));
    engine_free(s->pings);
    engine_free(s->ports);
    connect_free(s->connects);
    hdns_free(s->dns);
    local_free(s->local);
    htimer_del(s->timer);
    for (size_t i = 0; i < SIGNALS; i++)
        hsignal_del(s->signals[i]);
    output_free(s->output);
    plan_free(&s->plan);
    hloop_free(&s->loop);
}

int scan(const options_t *options)
{
    scan_t s = {.loop = hloop_new(0)};

    hlist_init(&s.hosts);
    if (s.loop == NULL) {
        fprintf(stderr, "hnmap: cannot open the event loop: %s\n", strerror(errno));
        return 1;
    }
    s.status = plan_make(&s.plan, options, s.loop);
    if (s.status == 0)
        s.status = output_open(&options->output, &s.output);
    if (s.status == 0)
        s.status = prepare(&s);
    if (s.status == 0)
        run(&s);
    free_scan(&s);
    return s.status;
}
