/* The ways of asking: connect calls with echoes beside them, and packets of our own. */
#include "scan_int.h"

#include "base/htime.h"

#include <stdio.h>
#include <string.h>

static const char *why_unsent(const sockaddr_u *addr, int err)
{
    bool needs_zone = addr->sa.sa_family == AF_INET6 && addr->sin6.sin6_scope_id == 0 &&
                      IN6_IS_ADDR_LINKLOCAL(&addr->sin6.sin6_addr);

    if (err == -EINVAL && needs_zone)
        return "its interface has to be said: ADDRESS%NAME, or -e";
    if (err == -ENETUNREACH)
        return "there is no route to it (one through an interface that is down counts for none)";
    if (err == -EMSGSIZE)
        return "packets with this data are longer than its network takes";
    return err == -ENETDOWN ? "the interface that leads there is down" : herr_str(err);
}

static void tell_unsent(scan_t *s, host_t *host, int err)
{
    const sockaddr_u *addr = &host->result.addr.u;
    char ip[HADDR_FORMAT_SIZE];

    if (err == -ENOMEM)
        scan__out_of_memory(s);
    if (err != -EPERM && err != -EACCES) /* a filter of ours may forbid a single port */
        host->result.is_unasked = true;
    if (err == -ENOMEM || s->warned_unreachable)
        return;
    s->warned_unreachable = true;
    view_clear(s->view);
    fprintf(stderr, "hnmap: cannot send to %s: %s; not told again\n",
            haddr_ip(&addr->sa, ip, sizeof(ip)), why_unsent(addr, err));
}

/* A host that is asked whether it is there has said so. */
static void host_answered(scan_t *s, host_t *host, uint8_t reason, uint8_t ttl)
{
    host->result.state = HOST_UP;
    host->result.reason = reason;
    host->result.ttl = ttl;
    engine_host_end(scan__engine_of(s, host), host->engine);
}

static bool is_by_connect(const scan_t *s, const host_t *host)
{
    return s->raw == NULL || (host->stage == STAGE_PORTS && s->plan.by_connect);
}

/* ---- by connect ------------------------------------------------------------------------------ */

/* What only the far end can have said tells of the way; the rest, this machine may have said. */
static bool is_answer(int err)
{
    return err == 0 || err == -ECONNREFUSED;
}

/* With --discovery-ignore-rst a refusal may be a firewall's. */
static bool shows_host(const scan_t *s, int err)
{
    return err == 0 || (is_answer(err) && !s->plan.options->packet.ignore_rst);
}

static void port_is_open(scan_t *s, const host_t *host, uint32_t probe)
{
    char ip[HADDR_FORMAT_SIZE];

    s->open_count++;
    view_say(s->view, "Discovered open port %u/%s on %s",
             port_set_at(scan__ports_of(s, host), probe), host->stage == STAGE_UDP ? "udp" : "tcp",
             haddr_ip(&host->result.addr.u.sa, ip, sizeof(ip)));
}

static void take_connect(scan_t *s, host_t *host, uint32_t probe, int err)
{
    probe_t *p = &host->probes[probe];

    host_take_connect(p, err);
    if (p->reason == REASON_LOCAL_ERROR)
        tell_unsent(s, host, err);
    if (host->stage == STAGE_PING && shows_host(s, err))
        host_answered(s, host, p->reason, 0);
    else if (host->stage == STAGE_PORTS && err == 0)
        port_is_open(s, host, probe);
}

static void trace_connect(scan_t *s, const host_t *host, uint32_t probe, int err)
{
    haddr_t addr = host->result.addr;

    haddr_set_port(&addr.u.sa, port_set_at(scan__ports_of(s, host), probe));
    scan__trace_connect(s, &addr.u.sa, err);
}

static void end_connect(scan_t *s, host_t *host, uint32_t probe, int err, uint64_t now)
{
    engine_t *engine = scan__engine_of(s, host);

    host->probes[probe].number = CONNECT_NONE;
    trace_connect(s, host, probe, err);
    if (err == -ETIMEDOUT) /* the kernel is more patient than the engine: no news */
        return;
    if (is_answer(err)) /* an earlier try has no socket any more */
        engine_answer(engine, host->engine, probe, (int)engine_tries(host->engine, probe) - 1,
                      err != 0, now);
    else
        engine_settle(engine, host->engine, probe, now);
    take_connect(s, host, probe, err);
}

static void on_connect(void *context, void *host, uint32_t probe, int err)
{
    end_connect(context, host, probe, err, htime_monotonic_us());
}

static void on_connect_ready(void *context)
{
    scan_t *s = context;

    for (int i = 0; i < PLAN_PACES; i++)
        engine_ready(s->engines[i]);
    scan__pump(s);
}

/* Of probes that time out the sockets stay, for a late answer, as long as there are others. */
static bool has_made_room(scan_t *s, const host_t *host)
{
    engine_rtt_t rtt;

    engine_host_rtt(scan__engine_of(s, host), host->engine, &rtt);
    return connect_make_room(s->connects, rtt.timeout_us);
}

static engine_sent_e send_connect(scan_t *s, host_t *host, uint32_t probe)
{
    probe_t *p = &host->probes[probe];
    haddr_t addr = host->result.addr;
    uint64_t begin = htime_monotonic_us();
    int err = 0, status;
    bool is_known = connect_has_ended(s->connects, p->number, &err) && err != -ETIMEDOUT;

    connect_cancel(s->connects, p->number);
    p->number = CONNECT_NONE;
    if (is_known) { /* the try before: we were too busy to read it */
        take_connect(s, host, probe, err);
        return ENGINE_ANSWERED;
    }
    haddr_set_port(&addr.u.sa, port_set_at(scan__ports_of(s, host), probe));
    status = connect_start(s->connects, &addr.u.sa, host, probe, &p->number, &err);
    if (status == -EAGAIN && has_made_room(s, host))
        status = connect_start(s->connects, &addr.u.sa, host, probe, &p->number, &err);
    if (status == -EAGAIN)
        return ENGINE_BUSY;
    if (status == 0) {
        scan__trace_connect(s, &addr.u.sa, -EINPROGRESS);
        return ENGINE_SENT;
    }
    if (status == 1 && err == -ENETUNREACH) /* this machine says so, and not a router */
        tell_unsent(s, host, err);
    end_connect(s, host, probe, err,
                engine_now(scan__engine_of(s, host)) + htime_monotonic_us() - begin);
    return ENGINE_SENT;
}

void scan__cancel_probes(scan_t *s, host_t *host)
{
    for (uint32_t i = 0; i < host->probe_count && is_by_connect(s, host); i++) {
        connect_cancel(s->connects, host->probes[i].number);
        host->probes[i].number = CONNECT_NONE;
    }
}

/* ---- by ping socket -------------------------------------------------------------------------- */

/* Behind the ports that are asked by connect. */
static bool is_echo(const scan_t *s, const host_t *host, uint32_t probe)
{
    return s->ping && host->stage == STAGE_PING && probe == s->plan.ping_ports.count;
}

/* A link-local address is another host on another link. */
static bool is_same_link(const sockaddr_u *a, const sockaddr_u *b)
{
    return a->sa.sa_family != AF_INET6 || a->sin6.sin6_scope_id == 0 ||
           b->sin6.sin6_scope_id == 0 || a->sin6.sin6_scope_id == b->sin6.sin6_scope_id;
}

static void take_echo(scan_t *s, host_t *host, const ping_answer_t *answer)
{
    engine_t *engine = scan__engine_of(s, host);
    uint32_t probe = s->plan.ping_ports.count;
    reason_e reason = REASON_ECHO_REPLY;

    if (answer->is_error)
        reason = raw_error_reason(answer->host.u.sa.sa_family == AF_INET6, answer->error_type,
                                  answer->error_code);
    if (reason == REASON_UNKNOWN || answer->try >= engine_tries(host->engine, probe))
        return;
    if (!answer->is_from_host) /* a router, or this machine: it is not there */
        engine_settle(engine, host->engine, probe, answer->time_us);
    else if (engine_answer(engine, host->engine, probe, (int)answer->try, answer->is_error,
                           answer->time_us))
        host_answered(s, host, (uint8_t)reason, answer->ttl);
}

static void on_echo(void *context, const ping_answer_t *answer)
{
    scan_t *s = context;
    packet_addr_t addr = packet_addr(&answer->host.u.sa);
    host_t *next;

    if (!answer->is_error)
        scan__trace_echo(s, &answer->host.u.sa, false, answer->try);
    for (host_t *host = host_map_find(s->map, &addr, NULL); host; host = next) {
        next = host_map_find(s->map, &addr, host);
        if (host->stage == STAGE_PING && host->engine &&
            is_same_link(&host->result.addr.u, &answer->host.u))
            take_echo(s, host, answer);
    }
    scan__schedule(s);
}

static engine_sent_e send_echo(scan_t *s, host_t *host, unsigned try)
{
    int err = ping_send(s->ping, &host->result.addr.u.sa, try);

    if (err == -EAGAIN)
        return ENGINE_BUSY;
    if (err == 0) {
        scan__trace_echo(s, &host->result.addr.u.sa, true, try);
        return ENGINE_SENT;
    }
    if (err != -EACCES) /* a broadcast address: nobody in particular */
        tell_unsent(s, host, err);
    return ENGINE_ANSWERED;
}

/* ---- raw ------------------------------------------------------------------------------------- */

static const raw_probe_t neighbour_probe = {.kind = RAW_NEIGHBOUR};

static raw_probe_t probe_of(const scan_t *s, const host_t *host, uint32_t probe)
{
    raw_probe_t asked = {.kind = RAW_UDP};

    if (host->stage == STAGE_PING)
        return host->path.is_neighbour ? neighbour_probe : s->plan.pings[probe];
    if (host->stage == STAGE_PORTS) {
        asked.kind = RAW_TCP;
        asked.flags = s->plan.scan->flags;
    }
    asked.port = port_set_at(scan__ports_of(s, host), probe);
    return asked;
}

uint32_t scan__ping_count(const scan_t *s, const host_t *host)
{
    if (s->raw == NULL)
        return s->plan.ping_ports.count + (s->ping != NULL);
    return host->path.is_neighbour ? 1 : (uint32_t)s->plan.ping_count;
}

/* Another probe may have asked the same port before, to find out whether the host is there: a reset
 * that says that it answers an ACK says nothing about a SYN. */
static bool is_answer_to(const raw_answer_t *answer, const raw_probe_t *probe)
{
    if (answer->probe.kind != probe->kind || (answer->probe.flags & ~probe->flags) != 0)
        return false;
    return answer->probe.hops == probe->hops && answer->probe.port == probe->port;
}

/* Such an address is another host on another link. */
static bool is_link_local(const packet_addr_t *addr)
{
    return addr->family == AF_INET6 && IN6_IS_ADDR_LINKLOCAL(&addr->v6);
}

/* The number of the probe that an answer is to; negative: none of this host's. */
static int64_t number_of(const scan_t *s, const host_t *host, const raw_answer_t *answer)
{
    uint32_t first = 0, end = host->probe_count;

    if (host->engine == NULL || is_by_connect(s, host) ||
        (is_link_local(&answer->host) && host->path.link != answer->link))
        return -1;
    if (host->stage != STAGE_PING) {
        int index = port_set_index(scan__ports_of(s, host), answer->probe.port);

        if (index < 0)
            return -1;
        first = (uint32_t)index;
        end = first + 1;
    }
    for (uint32_t i = first; i < end; i++) {
        raw_probe_t probe = probe_of(s, host, i);

        if (is_answer_to(answer, &probe))
            return i;
    }
    return -1;
}

static void take_ping(scan_t *s, host_t *host, const raw_answer_t *answer)
{
    if (answer->is_error && !answer->is_from_host)
        return; /* a router says that it is not there */
    if (answer->tcp_flags & PACKET_RST && s->plan.options->packet.ignore_rst)
        return;
    if (answer->mac) {
        host->path.has_mac = host->result.has_mac = true;
        memcpy(host->path.mac, answer->mac, PACKET_MAC_SIZE);
        memcpy(host->result.mac, answer->mac, PACKET_MAC_SIZE);
    }
    host_answered(s, host, answer->reason, answer->ttl);
}

static port_state_e state_of(const scan_t *s, const raw_answer_t *answer)
{
    if (answer->probe.kind == RAW_UDP && answer->reason == REASON_PORT_UNREACH &&
        answer->is_from_host)
        return PORT_CLOSED;
    if (answer->is_error)
        return PORT_FILTERED;
    return answer->tcp_flags & PACKET_RST ? (port_state_e)s->plan.scan->at_reset : PORT_OPEN;
}

static void take_port(scan_t *s, host_t *host, uint32_t number, const raw_answer_t *answer)
{
    probe_t *p = &host->probes[number];

    p->reason = answer->reason;
    p->ttl = answer->ttl;
    p->state = (uint8_t)state_of(s, answer);
    if (p->state == PORT_OPEN)
        port_is_open(s, host, number);
}

static void on_answer(void *context, const raw_answer_t *answer)
{
    scan_t *s = context;
    host_t *next;

    for (host_t *host = host_map_find(s->map, &answer->host, NULL); host; host = next) {
        int64_t number = number_of(s, host, answer);
        bool is_limited = answer->is_error || answer->tcp_flags & PACKET_RST;

        next = host_map_find(s->map, &answer->host, host);
        if (answer->probe.hops > 0 || host->stage == STAGE_TRACE) {
            scan__take_hop(s, host, answer);
            continue;
        }
        if (host->stage == STAGE_OS) {
            if (!is_link_local(&answer->host) || host->path.link == answer->link)
                scan__take_sign(s, host, answer);
            continue;
        }
        if (number < 0)
            continue;
        if (!engine_answer(scan__engine_of(s, host), host->engine, (uint32_t)number, answer->try,
                           is_limited, answer->time_us))
            continue;
        if (host->stage == STAGE_PING) {
            host->ping = probe_of(s, host, (uint32_t)number);
            take_ping(s, host, answer);
        } else {
            take_port(s, host, (uint32_t)number, answer);
        }
    }
    scan__schedule(s);
}

static engine_sent_e send_raw(scan_t *s, host_t *host, uint32_t number, unsigned try)
{
    const raw_probe_t probe = probe_of(s, host, number);
    int err = raw_send(s->raw, &host->path, &probe, try, htime_monotonic_us());

    if (err == 0)
        return ENGINE_SENT;
    if (err == -EAGAIN)
        return ENGINE_BUSY;
    tell_unsent(s, host, err);
    host->probes[number].state = PORT_FILTERED;
    host->probes[number].reason = err == -EHOSTUNREACH ? REASON_HOST_UNREACH : REASON_LOCAL_ERROR;
    return ENGINE_ANSWERED;
}

bool scan__find_path(scan_t *s, host_t *host)
{
    int err;

    if (s->map == NULL)
        return true;
    host->path.destination = packet_addr(&host->result.addr.u.sa);
    err = s->raw ? raw_route(s->raw, &host->result.addr.u.sa, &host->path) : 0;
    if (err == 0)
        err = host_map_add(s->map, host);
    if (err < 0)
        tell_unsent(s, host, err);
    return err == 0;
}

/* ---- both ------------------------------------------------------------------------------------ */

engine_sent_e scan__send(void *context, engine_host_t *engine_host, uint32_t probe, unsigned try)
{
    scan_t *s = context;
    host_t *host = engine_host_user(engine_host);

    if (is_echo(s, host, probe))
        return send_echo(s, host, try);
    return is_by_connect(s, host) ? send_connect(s, host, probe) : send_raw(s, host, probe, try);
}

#define MANY 50000 /* probes: plain receive calls take longer for those than opening a ring */

static bool is_large(const plan_t *plan)
{
    uint64_t ports = (uint64_t)plan->ports.tcp.count + plan->ports.udp.count;

    return targets_count(plan->targets) > MANY / (plan->run.pings_only ? 1 : ports);
}

static int open_raw(scan_t *s)
{
    const plan_t *plan = &s->plan;
    const packet_options_t *packet = &plan->options->packet;
    const packet_addr_t source = packet_addr(&plan->source.u.sa);
    const raw_options_t how = {
        .interface = plan->options->interface,
        .source = plan->options->source ? &source : NULL,
        .source_port = plan->options->source_port,
        .has_protocols = (plan->options->pings & PING_PROTOCOL) != 0,
        .has_many = is_large(plan),
        .seed = plan->seed,
        .by_ip = packet->by_ip == 1 || packet->no_arp_ping,
        .ttl = (uint8_t)packet->ttl,
        .data =
            plan->has_data ? (const uint8_t *)(plan->data.len > 0 ? plan->data.data : "") : NULL,
        .data_len = plan->data.len,
        .on_packet = plan->options->output.packets ? scan__on_packet : NULL,
    };
    int err = raw_new(s->loop, &how, on_answer, s, &s->raw);

    if (err == 0)
        s->map = host_map_new();
    return err == 0 && s->map == NULL ? -ENOMEM : err;
}

static int open_ping(scan_t *s)
{
    const plan_t *plan = &s->plan;
    const ping_options_t how = {
        .family = plan->options->target.family,
        .source = plan->options->source ? &plan->source : NULL,
        .interface = plan->options->interface,
        .ttl = (uint8_t)plan->options->packet.ttl,
        .data = (const uint8_t *)plan->data.data,
        .data_len = plan->data.len,
        .seed = plan->seed,
    };
    int err = ping_new(s->loop, &how, on_echo, s, &s->ping);

    if (err == 0)
        s->map = host_map_new();
    return err == 0 && s->map == NULL ? -ENOMEM : err;
}

static int open_connects(scan_t *s)
{
    const plan_t *plan = &s->plan;
    const connect_options_t how = {
        .sockets_max = plan->options->timing.window_max,
        .source = plan->source.len > 0 ? &plan->source : NULL,
        .interface = plan->options->interface,
    };
    int err = connect_new(s->loop, &how, on_connect, on_connect_ready, s, &s->connects);

    if (err == 0)
        scan__warn_sockets(s, how.sockets_max ? how.sockets_max : CONNECT_SOCKETS_MAX);
    return err;
}

int scan__open_probes(scan_t *s)
{
    int err;

    if (s->plan.run.lists_only)
        return 0;
    err = s->plan.is_raw ? open_raw(s) : 0;
    if (err == 0 && s->plan.by_ping)
        err = open_ping(s);
    if (err == 0 && s->plan.by_connect)
        err = open_connects(s);
    if (err == 0 && s->plan.options->traceroute)
        err = scan__open_trace(s);
    if (err < 0)
        fprintf(stderr, "hnmap: cannot open what the scan needs: %s\n", herr_str(err));
    return err < 0 ? 1 : 0;
}
