/* Is it there, which ports, its name: what a host goes through until it is reported. */
#include "scan_int.h"

#include "base/hmem.h"
#include "base/htime.h"

#include <string.h>

/* On the local link an answer takes a ms, or some dozens from a radio that sleeps: it is not waited
 * for as long as for one from far away. */
#define NEIGHBOUR_RTT_US 50000
#define SHOWN_MAX 25 /* ports of one state but open, per level of -v */

void scan__finish_host(scan_t *s, host_t *host)
{
    hlist_remove(&host->wait);
    if (scan__begin_os(s, host) || scan__begin_trace(s, host))
        return;
    if (s->map)
        host_map_remove(s->map, host);
    host->stage = STAGE_DONE;
    host->engine = NULL;
    host->done_us = htime_monotonic_us();
    host->result.end = time(NULL);
    scan__keep_done(s, host);
}

engine_t *scan__engine_of(const scan_t *s, const host_t *host)
{
    if (host->stage == STAGE_PING)
        return s->engines[host->path.is_neighbour ? PACE_NEIGHBOURS : PACE_PINGS];
    return s->engines[host->stage == STAGE_UDP ? PACE_UDP : PACE_TCP];
}

const port_set_t *scan__ports_of(const scan_t *s, const host_t *host)
{
    if (host->stage == STAGE_PING)
        return &s->plan.ping_ports;
    return host->stage == STAGE_UDP ? &s->plan.ports.udp : &s->plan.ports.tcp;
}

/* ---- its name -------------------------------------------------------------------------------- */

void scan__ask_name(scan_t *s, const struct sockaddr *addr, hdns_name_cb cb, void *arg,
                    hdns_query_t **query, uint64_t *asked_us)
{
    hdns_stats_t before, after;
    uint64_t now = htime_monotonic_us();

    *asked_us = 0;
    hdns_stats(s->dns, &before);
    if (hdns_reverse(s->dns, addr, cb, arg, query) < 0)
        *query = NULL;
    hdns_stats(s->dns, &after);
    if (after.hosts_hits > before.hosts_hits)
        return; /* /etc/hosts knows it */
    *asked_us = now;
    name_wait_asked(&s->names, now);
}

void scan__name_ended(scan_t *s, int err, uint64_t asked_us)
{
    if (asked_us > 0 && (err == 0 || err == HERR_RESOLVE))
        name_wait_answered(&s->names, asked_us, htime_monotonic_us());
}

static void on_name(hdns_query_t *query, int err, const char *name, void *arg)
{
    host_t *host = arg;
    scan_t *s = host->scan;

    (void)query;
    host->query = NULL;
    if (err == 0)
        host->result.name = hmem_strdup(name); /* without memory: without a name */
    scan__name_ended(s, err, host->asked_us);
    scan__schedule(s);
}

static void ask_name(scan_t *s, host_t *host)
{
    if (s->dns && host->query == NULL && host->result.name == NULL)
        scan__ask_name(s, &host->result.addr.u.sa, on_name, host, &host->query, &host->asked_us);
}

/* ---- is it there? ---------------------------------------------------------------------------- */

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

void scan__limit_host(const scan_t *s, host_t *host)
{
    uint64_t limit_us = s->plan.paces[PACE_TCP].host_timeout_us;

    if (limit_us > 0)
        engine_host_until(host->engine, host->begin_us + limit_us);
}

static void begin_stage(scan_t *s, host_t *host, host_stage_e stage, uint32_t probes)
{
    uint64_t rtt_us = host->result.srtt_us;
    int err = host_set_probes(host, probes);

    if (stage == STAGE_PING && host->path.is_neighbour)
        rtt_us = NEIGHBOUR_RTT_US;
    host->stage = stage;
    if (err == 0)
        err = engine_host_add(scan__engine_of(s, host), probes, rtt_us, host, htime_monotonic_us(),
                              &host->engine);
    if (err == 0) {
        scan__limit_host(s, host);
        scan__resume_probes(s, host);
    }
    if (err < 0) {
        scan__out_of_memory(s);
        scan__finish_host(s, host);
    }
}

void scan__look_up(scan_t *s, host_result_t *result)
{
    if (result->has_mac)
        result->vendor = vendors_find(&s->vendors, result->mac);
    for (size_t i = 0; i < result->port_count; i++) {
        port_result_t *port = &result->ports[i];

        port->usual = names_of(s->plan.names, port->protocol == IPPROTO_UDP ? PORTS_UDP : PORTS_TCP,
                               port->number);
    }
}

static void host_is_down(scan_t *s, host_t *host, reason_e reason)
{
    host->result.state = HOST_DOWN;
    host->result.reason = (uint8_t)reason;
    scan__finish_host(s, host);
}

static void host_is_up(scan_t *s, host_t *host, reason_e reason)
{
    host->result.state = HOST_UP;
    host->result.reason = (uint8_t)reason;
    host->stage = STAGE_WAIT;
    host->wait_us = htime_monotonic_us();
    hlist_push_back(&s->waiting, &host->wait);
    scan__look_up(s, &host->result);
    ask_name(s, host);
    if (!s->plan.run.pings_only)
        return;
    scan__finish_host(s, host);
}

static void on_pinged(void *context, engine_host_t *engine_host)
{
    scan_t *s = context;
    host_t *host = engine_host_user(engine_host);

    take_rtt(scan__engine_of(s, host), host);
    scan__cancel_probes(s, host);
    host->engine = NULL;
    /* A neighbour is asked again, for its link address may be another one. */
    if (host->result.state == HOST_UP || scan__resume_up(s, host))
        host_is_up(s, host, host->result.reason);
    else
        host_is_down(s, host, REASON_NO_RESPONSE);
}

/* Packets of our own need the link address of a neighbour. */
static bool needs_neighbour(const scan_t *s, const host_t *host)
{
    const plan_t *plan = &s->plan;

    return host->path.is_neighbour && !plan->run.pings_only &&
           (plan->ports.udp.count > 0 || plan->scan->type != SCAN_CONNECT ||
            plan->options->os.wanted);
}

void scan__begin_host(scan_t *s, host_t *host)
{
    bool is_local;

    host->result.start = time(NULL);
    host->begin_us = htime_monotonic_us();
    if (scan__resume_host(s, host)) {
        if (host->result.state == HOST_UP || s->plan.options->names == NAMES_ALWAYS)
            ask_name(s, host);
        scan__ask_hop_names(s, host);
        return;
    }
    if (s->plan.options->names == NAMES_ALWAYS || s->plan.run.lists_only)
        ask_name(s, host);
    if (s->plan.run.lists_only) {
        host->result.reason = REASON_USER_SET;
        scan__finish_host(s, host);
        return;
    }
    if (!scan__find_path(s, host)) {
        host_is_down(s, host, REASON_NO_RESPONSE);
        return;
    }
    is_local = local_has(s->local, &host->result.addr.u.sa);
    /* Where a link address is needed, asking for it is the way to find out, whatever -P says. */
    if (is_local && (s->plan.options->pings & PING_NONE) == 0)
        host_is_up(s, host, REASON_LOCALHOST);
    else if (s->plan.options->pings & PING_NONE && (is_local || !needs_neighbour(s, host)))
        host_is_up(s, host, REASON_USER_SET);
    else if (!host->path.is_neighbour && scan__resume_up(s, host))
        host_is_up(s, host, host->result.reason);
    else
        begin_stage(s, host, STAGE_PING, scan__ping_count(s, host));
}

/* ---- its ports ------------------------------------------------------------------------------- */

void scan__begin_ports(scan_t *s, host_t *host)
{
    hlist_remove(&host->wait);
    host->begin_us += htime_monotonic_us() - host->wait_us;
    s->scanning++;
    if (s->plan.ports.tcp.count > 0)
        begin_stage(s, host, STAGE_PORTS, s->plan.ports.tcp.count);
    else
        begin_stage(s, host, STAGE_UDP, s->plan.ports.udp.count);
    if (host->stage == STAGE_DONE)
        s->scanning--;
}

/* Adds the outcomes of the stage that is over. What had no answer is left out if it was not asked
 * often enough, since the scan was interrupted. */
static int collect(const scan_t *s, host_t *host, bool is_whole)
{
    const port_set_t *ports = scan__ports_of(s, host);
    bool is_udp = host->stage == STAGE_UDP;
    port_state_e udp_silence =
        s->plan.options->timing.defeat_icmp_limit ? PORT_CLOSED_FILTERED : PORT_OPEN_FILTERED;
    port_result_t *all =
        hmem_realloc(host->outcomes, (host->outcome_count + host->probe_count) * sizeof(*all));

    if (all == NULL)
        return -ENOMEM;
    host->outcomes = all;
    for (uint32_t i = 0; i < host->probe_count; i++) {
        const probe_t *p = &host->probes[i];
        bool is_silent = p->state == PORT_UNKNOWN;

        if (is_silent && !is_whole)
            continue;
        all[host->outcome_count++] = (port_result_t){
            .number = port_set_at(ports, i),
            .protocol = is_udp ? IPPROTO_UDP : IPPROTO_TCP,
            .state = !is_silent ? p->state
                     : is_udp   ? udp_silence
                                : s->plan.scan->at_silence,
            .reason = is_silent ? REASON_NO_RESPONSE : p->reason,
            .ttl = p->ttl,
        };
    }
    return 0;
}

static size_t shown_max(const scan_t *s)
{
    const run_t *run = &s->plan.run;

    return run->debug > 0 ? SIZE_MAX : (size_t)SHOWN_MAX * (size_t)(1 + run->verbose);
}

/* A UDP port that was silent may answer to a question of -sV. */
static void keep_silent(const scan_t *s, host_t *host)
{
    for (size_t i = 0; s->plan.run.has_versions && i < host->outcome_count; i++)
        host->outcomes[i].is_kept = host->outcomes[i].protocol == IPPROTO_UDP &&
                                    host->outcomes[i].state == PORT_OPEN_FILTERED;
}

static int divide(scan_t *s, host_t *host)
{
    int err;

    keep_silent(s, host);
    err = host_result_divide(&host->result, host->outcomes, host->outcome_count, shown_max(s),
                             s->plan.run.open_only);

    scan__look_up(s, &host->result);
    return err;
}

static void free_probes(host_t *host)
{
    hmem_free(host->probes);
    hmem_free(host->outcomes);
    host->probes = NULL;
    host->outcomes = NULL;
    host->probe_count = 0;
    host->outcome_count = 0;
}

/* ---- its services ---------------------------------------------------------------------------- */

void scan__end_services(scan_t *s, host_t *host)
{
    service_cancel(host->services);
    host->services = NULL;
    htimer_del(host->deadline);
    host->deadline = NULL;
    s->looking--;
    if (host_result_fold(&host->result, shown_max(s)) < 0)
        scan__out_of_memory(s);
    scan__finish_host(s, host);
}

void scan__on_services(void *context, void *user)
{
    host_t *host = user;

    host->services = NULL;
    scan__end_services(context, host);
    scan__schedule(context);
}

static void on_deadline(htimer_t *timer)
{
    host_t *host = hevent_userdata(timer);

    host->deadline = NULL;
    host->result.timed_out = true;
    host->result.has_ports = false; /* as when the ports had not ended */
    scan__end_services(host->scan, host);
    scan__schedule(host->scan);
}

/* False: it has no service to look at. */
static bool begin_services(scan_t *s, host_t *host)
{
    uint64_t limit_us = s->plan.paces[PACE_TCP].host_timeout_us;
    uint64_t used_us = htime_monotonic_us() - host->begin_us;
    uint64_t left_ms = limit_us > used_us ? (limit_us - used_us) / 1000 : 0;

    if (s->services == NULL || !service_is_wanted(s->services, &host->result))
        return false;
    if (limit_us > 0) {
        host->deadline = htimer_add(s->loop, on_deadline, (uint32_t)left_ms + 1, 1);
        if (host->deadline)
            hevent_set_userdata(host->deadline, host);
    }
    if ((limit_us > 0 && host->deadline == NULL) ||
        service_run_add(s->services, &host->result, host, &host->services) < 0) {
        scan__out_of_memory(s);
        return false;
    }
    if (s->map)
        host_map_remove(s->map, host);
    host->engine = NULL;
    host->stage = STAGE_SERVICE;
    s->looking++;
    return true;
}

/* ---- the end of its ports -------------------------------------------------------------------- */

void scan__end_ports(scan_t *s, host_t *host, bool is_whole)
{
    bool is_timed_out = host->engine && engine_host_timed_out(host->engine);
    int err = 0;

    scan__cancel_probes(s, host);
    if (host->engine)
        take_rtt(scan__engine_of(s, host), host);
    if (is_timed_out)
        host->result.timed_out = true;
    else
        err = collect(s, host, is_whole);
    if (err == 0 && !is_timed_out && is_whole && host->stage == STAGE_PORTS &&
        s->plan.ports.udp.count > 0) {
        scan__keep_ports(s, host);
        begin_stage(s, host, STAGE_UDP, s->plan.ports.udp.count);
        if (host->stage == STAGE_UDP)
            return;
    }
    if (err == 0 && !is_timed_out) {
        scan__warn_ports(s, host);
        err = divide(s, host);
    }
    if (err < 0)
        scan__out_of_memory(s);
    s->scanning--;
    scan__schedule(s); /* another one may wait for its place */
    if (err < 0 || is_timed_out || !is_whole || !begin_services(s, host))
        scan__finish_host(s, host);
    if (host->stage != STAGE_DONE)
        scan__keep_ports(s, host);
    free_probes(host);
}

static void on_scanned(void *context, engine_host_t *engine_host)
{
    scan__end_ports(context, engine_host_user(engine_host), true);
}

const engine_method_t scan__ping_method = {scan__send, on_pinged};
const engine_method_t scan__port_method = {scan__send, on_scanned};
