/* The way to a host: the probe that it answered is sent with a rising number of hops that it may
 * go; whoever it ends at says so. An engine sends them, as everything else: a probe is a hop here.
 * How far it is, is guessed from the host's answers, and the hops up to there are asked together.
 *
 * Hosts behind one router share the way to it. So a first host goes ahead for each gateway of ours,
 * and of those after it only the end is asked, as long as that is told by a router that is known at
 * this place. */
#include "scan_int.h"

#include "base/hmem.h"
#include "base/htime.h"

#include <stdlib.h>
#include <string.h>

#define TRACE_ACTIVE_MAX 64 /* hosts at the same time */
#define TRACE_PATHS_MAX 64  /* ways that are remembered */
#define TRACE_ROUTERS_MAX 1024
#define TRACE_FAR 8         /* hops that are asked first if nothing tells how many there are */
#define TRACE_MORE 5        /* and further ones */
#define TRACE_SILENT_MAX 10 /* hops in a row, behind which nothing is expected any more */

typedef struct place_s {
    packet_addr_t addr; /* family 0: nobody said anything */
    uint32_t rtt_us;
} place_t;

struct walk_s {
    raw_probe_t probe;
    uint8_t first, last; /* the hops that the engine asks now */
    uint8_t low, high;   /* that have been asked */
    uint8_t end;         /* where the host itself is; 0: not known */
    place_t places[RAW_TRACE_HOPS + 1];
    uint64_t sent_us[RAW_TRACE_HOPS + 1][PLAN_TRACE_TRIES];
};

/* The routers of a way that was gone. */
typedef struct path_s {
    const raw_link_t *link;
    const raw_hop_t *gateway;
    bool is_pending; /* the first host behind this gateway is on its way */
    uint8_t count;
    place_t places[RAW_TRACE_HOPS + 1];
} path_t;

typedef struct router_s {
    scan_t *scan;
    packet_addr_t addr;
    hdns_query_t *query; /* NULL: none is under way */
    uint64_t asked_us;   /* see scan__ask_name */
    char *name;
} router_t;

struct trace_s {
    size_t waiting, active;
    path_t paths[TRACE_PATHS_MAX];
    size_t path_count;
    router_t *routers[TRACE_ROUTERS_MAX];
    size_t router_count;
};

/* ---- ways that are known --------------------------------------------------------------------- */

static bool is_same_gateway(const path_t *path, const host_t *host)
{
    return path->link == host->path.link && path->gateway == host->path.hop;
}

/* Any way over the host's gateway; NULL: none is known. */
static path_t *find_path(trace_t *trace, const host_t *host)
{
    for (size_t i = 0; i < trace->path_count; i++)
        if (is_same_gateway(&trace->paths[i], host))
            return &trace->paths[i];
    return NULL;
}

static path_t *add_path(trace_t *trace, const host_t *host)
{
    path_t *path;

    if (trace->path_count == TRACE_PATHS_MAX)
        return NULL;
    path = &trace->paths[trace->path_count++];
    *path = (path_t){.link = host->path.link, .gateway = host->path.hop};
    return path;
}

/* A way over the host's gateway that has this router at this place. */
static const path_t *find_path_over(const trace_t *trace, const host_t *host, uint8_t hop)
{
    const packet_addr_t *addr = &host->walk->places[hop].addr;

    for (size_t i = 0; i < trace->path_count && addr->family != 0; i++) {
        const path_t *path = &trace->paths[i];

        if (is_same_gateway(path, host) && path->count >= hop &&
            packet_addr_equal(&path->places[hop].addr, addr))
            return path;
    }
    return NULL;
}

/* A way is worth to be kept if it ends at a router that none ends at or goes over. */
static void remember(trace_t *trace, const host_t *host)
{
    const walk_t *walk = host->walk;
    path_t *path = find_path(trace, host);
    uint8_t count = walk->end > 0 ? (uint8_t)(walk->end - 1) : walk->high;

    while (count > 0 && walk->places[count].addr.family == 0)
        count--;
    if (path && path->is_pending)
        path->is_pending = false;
    else if (count > 0 && find_path_over(trace, host, count) == NULL)
        path = add_path(trace, host);
    else
        return;
    if (path == NULL)
        return;
    path->count = count;
    memcpy(path->places, walk->places, sizeof(path->places));
}

/* ---- names of routers ------------------------------------------------------------------------ */

static router_t *find_router(const trace_t *trace, const struct sockaddr *addr)
{
    const packet_addr_t wanted = packet_addr(addr);

    for (size_t i = 0; i < trace->router_count; i++)
        if (packet_addr_equal(&trace->routers[i]->addr, &wanted))
            return trace->routers[i];
    return NULL;
}

static void on_router_name(hdns_query_t *query, int err, const char *name, void *arg)
{
    router_t *router = arg;

    (void)query;
    router->query = NULL;
    scan__name_ended(router->scan, err, router->asked_us);
    if (err == 0)
        router->name = hmem_strdup(name); /* without memory: without a name */
    scan__schedule(router->scan);
}

static void ask_router_name(scan_t *s, const struct sockaddr *addr)
{
    trace_t *trace = s->trace;
    router_t *router;

    if (s->dns == NULL || trace->router_count == TRACE_ROUTERS_MAX || find_router(trace, addr))
        return;
    router = hmem_zalloc(sizeof(*router));
    if (router == NULL)
        return; /* the report goes without the name */
    *router = (router_t){.scan = s, .addr = packet_addr(addr)};
    trace->routers[trace->router_count++] = router;
    scan__ask_name(s, addr, on_router_name, router, &router->query, &router->asked_us);
}

void scan__ask_hop_names(scan_t *s, const host_t *host)
{
    const host_result_t *result = &host->result;

    for (size_t i = 0; i < result->hop_count && s->trace; i++)
        if (!haddr_equal(&result->hops[i].addr.u.sa, &result->addr.u.sa))
            ask_router_name(s, &result->hops[i].addr.u.sa);
}

static const char *name_of_hop(const host_t *host, const hop_t *hop, const router_t *router)
{
    if (haddr_equal(&hop->addr.u.sa, &host->result.addr.u.sa))
        return host->result.name;
    return router ? router->name : NULL;
}

bool scan__name_hops(const scan_t *s, host_t *host)
{
    bool is_named = true;

    for (size_t i = 0; i < host->result.hop_count && s->trace; i++) {
        hop_t *hop = &host->result.hops[i];
        const router_t *router = find_router(s->trace, &hop->addr.u.sa);
        const char *name = name_of_hop(host, hop, router);

        if (name && hop->name == NULL)
            hop->name = hmem_strdup(name);
        is_named = is_named && !(router && router->query);
    }
    return is_named;
}

/* ---- what is asked --------------------------------------------------------------------------- */

static bool is_reset(uint8_t reason)
{
    return reason == REASON_RESET || reason == REASON_REFUSED;
}

/* A TCP port that answered; one that is closed keeps nothing of it. 0: none. */
static uint16_t answered_port(const host_result_t *host, uint8_t *ttl)
{
    const port_result_t *found = NULL;

    for (size_t i = 0; i < host->port_count; i++) {
        const port_result_t *port = &host->ports[i];

        if (port->protocol != IPPROTO_TCP ||
            (!is_reset(port->reason) && port->reason != REASON_SYN_ACK))
            continue;
        if (found == NULL || (is_reset(port->reason) && !is_reset(found->reason)))
            found = port;
    }
    if (found && found->ttl > 0)
        *ttl = found->ttl;
    if (found && is_reset(found->reason))
        return found->number;
    for (size_t i = 0; i < host->group_count; i++)
        if (host->groups[i].protocol == IPPROTO_TCP && is_reset(host->groups[i].reason))
            return (uint16_t)strtoul(host->groups[i].ports, NULL, 10);
    return found ? found->number : 0;
}

/* How far away it may be; 0: that is not known, or further than is asked. */
static uint8_t guess_hops(uint8_t ttl)
{
    uint8_t hops = os_hops(ttl);

    return hops <= RAW_TRACE_HOPS ? hops : 0;
}

static uint8_t choose_probe(const scan_t *s, const host_t *host, raw_probe_t *probe)
{
    uint8_t ttl = host->result.ttl;
    uint16_t port = answered_port(&host->result, &ttl);

    *probe = (raw_probe_t){.kind = RAW_ECHO};
    if (port > 0)
        *probe = (raw_probe_t){.kind = RAW_TCP,
                               .flags = s->plan.by_connect ? PACKET_SYN : s->plan.scan->flags,
                               .port = port};
    else if (host->ping.kind == RAW_TCP)
        *probe = host->ping;
    return guess_hops(ttl);
}

static bool is_settled(const walk_t *walk, uint8_t hop)
{
    return walk->places[hop].addr.family != 0 || (walk->end > 0 && hop >= walk->end);
}

static bool is_whole(const walk_t *walk)
{
    for (uint8_t hop = 1; hop <= walk->end; hop++)
        if (!is_settled(walk, hop))
            return false;
    return walk->end > 0;
}

/* False without memory. */
static bool ask(scan_t *s, host_t *host, uint8_t first, uint8_t last)
{
    walk_t *walk = host->walk;

    walk->first = first;
    walk->last = last;
    walk->low = walk->low == 0 || first < walk->low ? first : walk->low;
    walk->high = last > walk->high ? last : walk->high;
    if (engine_host_add(s->engines[PACE_TRACE], (uint32_t)(last - first + 1), host->result.srtt_us,
                        host, htime_monotonic_us(), &host->engine) == 0) {
        scan__limit_host(s, host);
        return true;
    }
    host->engine = NULL;
    scan__out_of_memory(s);
    return false;
}

static engine_sent_e send_hop(void *context, engine_host_t *engine_host, uint32_t number,
                              unsigned try)
{
    scan_t *s = context;
    host_t *host = engine_host_user(engine_host);
    walk_t *walk = host->walk;
    uint8_t hop = (uint8_t)(walk->first + number);
    raw_probe_t probe = walk->probe;
    uint64_t now = htime_monotonic_us();
    int err;

    if (is_settled(walk, hop))
        return ENGINE_ANSWERED;
    probe.hops = hop;
    err = raw_send(s->raw, &host->path, &probe, try, now);
    if (err == -EAGAIN)
        return ENGINE_BUSY;
    walk->sent_us[hop][try % PLAN_TRACE_TRIES] = now;
    return err == 0 ? ENGINE_SENT : ENGINE_ANSWERED;
}

/* ---- what is answered ------------------------------------------------------------------------ */

static void copy_places(walk_t *walk, const path_t *path, uint8_t end)
{
    for (uint8_t hop = 1; hop < end; hop++)
        if (walk->places[hop].addr.family == 0)
            walk->places[hop] = path->places[hop];
    walk->low = 1;
}

static void take_place(scan_t *s, host_t *host, const raw_answer_t *answer)
{
    walk_t *walk = host->walk;
    uint8_t hop = answer->probe.hops;
    uint64_t sent_us = walk->sent_us[hop][answer->try % PLAN_TRACE_TRIES];
    const path_t *path;

    walk->places[hop].addr = answer->from;
    if (answer->time_us > sent_us)
        walk->places[hop].rtt_us = (uint32_t)(answer->time_us - sent_us);
    /* Who says that it cannot be reached knows of nothing behind himself. */
    if ((answer->is_from_host || answer->reason != REASON_TIME_EXCEEDED) &&
        (walk->end == 0 || hop < walk->end))
        walk->end = hop;
    path = find_path_over(s->trace, host, hop);
    if (path && walk->low > 1 && !path->is_pending)
        copy_places(walk, path, hop);
    if (is_whole(walk))
        engine_host_end(s->engines[PACE_TRACE], host->engine);
    for (uint8_t other = walk->first; other <= walk->last; other++)
        if (is_settled(walk, other))
            engine_settle(s->engines[PACE_TRACE], host->engine, (uint32_t)(other - walk->first),
                          answer->time_us);
}

void scan__take_hop(scan_t *s, host_t *host, const raw_answer_t *answer)
{
    const walk_t *walk = host->walk;
    uint8_t hop = answer->probe.hops;

    if (host->stage != STAGE_TRACE || host->engine == NULL ||
        answer->probe.kind != walk->probe.kind || answer->probe.port != walk->probe.port ||
        hop < walk->first || hop > walk->last)
        return;
    if (engine_answer(s->engines[PACE_TRACE], host->engine, (uint32_t)(hop - walk->first),
                      answer->try, answer->is_error, answer->time_us))
        take_place(s, host, answer);
}

/* ---- a host ---------------------------------------------------------------------------------- */

static int write_hops(host_result_t *result, const walk_t *walk, unsigned ifindex)
{
    uint8_t count = walk->end > 0 ? walk->end : walk->high;

    result->trace_protocol = IPPROTO_TCP;
    if (walk->probe.kind == RAW_ECHO)
        result->trace_protocol =
            result->addr.u.sa.sa_family == AF_INET6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP;
    result->trace_port = walk->probe.port;
    result->hops = hmem_zalloc(count * sizeof(*result->hops));
    if (result->hops == NULL)
        return -ENOMEM;
    for (uint8_t hop = 1; hop <= count; hop++) {
        const place_t *place = &walk->places[hop];

        if (place->addr.family == 0)
            continue;
        result->hops[result->hop_count++] = (hop_t){.ttl = hop, .rtt_us = place->rtt_us};
        hop_t *last = &result->hops[result->hop_count - 1];

        last->addr.len =
            packet_addr_to(&place->addr, 0, ifindex, (struct sockaddr_storage *)&last->addr.u);
    }
    result->hops_asked = count;
    return 0;
}

void scan__end_trace(scan_t *s, host_t *host)
{
    host_result_t *result = &host->result;

    if (host->stage == STAGE_TRACE_WAIT) {
        s->trace->waiting--;
        scan__finish_host(s, host);
        return;
    }
    s->trace->active--;
    remember(s->trace, host);
    if (s->trace->waiting > 0)
        scan__schedule(s); /* for this one, perhaps */
    if (write_hops(result, host->walk, 0) < 0)
        scan__out_of_memory(s);
    if (result->os && host->walk->end > 0) { /* better than what a TTL says */
        result->os->has_distance = true;
        result->os->distance = host->walk->end;
    }
    scan__ask_hop_names(s, host);
    hmem_free(host->walk);
    host->walk = NULL;
    scan__finish_host(s, host);
}

static bool is_silent_behind(const walk_t *walk)
{
    for (uint8_t hop = walk->high; hop > 0 && walk->high - hop < TRACE_SILENT_MAX; hop--)
        if (walk->places[hop].addr.family != 0)
            return false;
    return walk->high >= TRACE_SILENT_MAX;
}

/* The engine has asked for all it was to: further on, nearer, or that was all. */
static void on_traced(void *context, engine_host_t *engine_host)
{
    scan_t *s = context;
    host_t *host = engine_host_user(engine_host);
    walk_t *walk = host->walk;
    bool is_timed_out = engine_host_timed_out(engine_host);
    bool is_asked = false;

    host->engine = NULL;
    if (!is_timed_out && walk->end == 0 && walk->high < RAW_TRACE_HOPS && !is_silent_behind(walk)) {
        unsigned last = walk->high + TRACE_MORE;

        is_asked = ask(s, host, (uint8_t)(walk->high + 1),
                       (uint8_t)(last < RAW_TRACE_HOPS ? last : RAW_TRACE_HOPS));
    } else if (!is_timed_out && walk->low > 1) {
        is_asked = ask(s, host, 1, (uint8_t)(walk->low - 1));
    }
    if (!is_asked)
        scan__end_trace(s, host);
}

const engine_method_t scan__trace_method = {send_hop, on_traced};

/* True: it is under way; false: it has to wait for the first one behind its gateway, or there is no
 * memory. */
static bool begin_walk(scan_t *s, host_t *host)
{
    path_t *path = find_path(s->trace, host);
    uint8_t guess, first = 1;

    if (path && path->is_pending)
        return false;
    host->walk = hmem_zalloc(sizeof(*host->walk));
    if (host->walk == NULL) {
        scan__out_of_memory(s);
        return false;
    }
    guess = choose_probe(s, host, &host->walk->probe);
    if (path && path->count > 0) {
        host->walk->places[1] = path->places[1]; /* the gateway is the same */
        first = guess > 2 ? (uint8_t)(guess - 1) : 1;
    } else if (path == NULL && (path = add_path(s->trace, host)) != NULL) {
        path->is_pending = true;
    }
    s->trace->waiting--;
    s->trace->active++;
    host->stage = STAGE_TRACE;
    if (!ask(s, host, first, guess > 0 ? guess : TRACE_FAR))
        scan__end_trace(s, host);
    return true;
}

bool scan__promote_traces(scan_t *s)
{
    hlist_t *pos, *next;
    bool is_fed = false;

    if (s->trace == NULL || s->trace->waiting == 0 || s->trace->active >= TRACE_ACTIVE_MAX)
        return false;
    HLIST_FOREACH (pos, next, &s->hosts) {
        host_t *host = HLIST_ENTRY(pos, host_t, node);

        if (s->trace->active >= TRACE_ACTIVE_MAX)
            break;
        if (host->stage == STAGE_TRACE_WAIT)
            is_fed = begin_walk(s, host) || is_fed;
    }
    return is_fed;
}

/* On our own link nothing is between us. */
static int write_neighbour(host_result_t *result)
{
    result->hops = hmem_zalloc(sizeof(*result->hops));
    if (result->hops == NULL)
        return -ENOMEM;
    result->hops[0] = (hop_t){.ttl = 1, .rtt_us = result->srtt_us, .addr = result->addr};
    result->hop_count = result->hops_asked = 1;
    return 0;
}

bool scan__begin_trace(scan_t *s, host_t *host)
{
    if (s->trace == NULL || host->is_traced || host->result.state != HOST_UP ||
        host->result.timed_out || host->path.is_local || s->interrupted || s->status != 0)
        return false;
    host->is_traced = true;
    if (host->path.is_neighbour) {
        if (write_neighbour(&host->result) < 0)
            scan__out_of_memory(s);
        return false;
    }
    host_map_remove(s->map, host); /* it may have left it, or not */
    if (host_map_add(s->map, host) < 0) {
        scan__out_of_memory(s);
        return false;
    }
    host->stage = STAGE_TRACE_WAIT;
    host->engine = NULL;
    s->trace->waiting++;
    return true;
}

int scan__open_trace(scan_t *s)
{
    s->trace = hmem_zalloc(sizeof(*s->trace));
    return s->trace ? 0 : -ENOMEM;
}

void scan__close_trace(scan_t *s)
{
    for (size_t i = 0; s->trace && i < s->trace->router_count; i++) {
        router_t *router = s->trace->routers[i];

        if (router->query)
            hdns_cancel(router->query);
        hmem_free(router->name);
        hmem_free(router);
    }
    hmem_free(s->trace);
    s->trace = NULL;
}
