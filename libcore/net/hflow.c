/* A flow is waiting (no upstream yet), joined, or closed: out of the tables, and freed when its
 * upstream is gone.
 *
 * buckets is a hash of the flows; recent has them by when something moved last, oldest first: the
 * head is the next to be idle or evicted, so one timer serves all. A prepared flow has an upstream
 * and no client, and is in no table. hflows_t is freed when the socket is gone (or let go) and no
 * flow is left; hold keeps it while callbacks of the program run. */
#include "hflow_int.h"

#include "../base/hmem.h"

#include <assert.h>
#include <string.h>
#include <sys/random.h>

#define BUCKETS_MIN 64
#define BUCKETS_MAX 65536

/* ---- the life of all ------------------------------------------------------------------------- */

static void release(hflows_t *flows)
{
    assert(flows->held > 0);
    if (--flows->held > 0 || flows->side.io)
        return;
    htimer_del(flows->timer);
    if (flows->options.freed)
        flows->options.freed(flows->options.arg);
    hmem_free(flows);
}

/* ---- the tables ------------------------------------------------------------------------------ */

static uint32_t hash_bytes(uint32_t hash, const void *data, size_t len)
{
    const unsigned char *bytes = data;

    for (size_t i = 0; i < len; i++)
        hash = (hash ^ bytes[i]) * 16777619u;
    return hash;
}

static hlist_t *bucket_of(hflows_t *flows, const hflow_route_t *route)
{
    uint32_t hash = 2166136261u ^ flows->seed;

    hash = hash_bytes(hash, &route->client.u, route->client.len);
    hash = hash_bytes(hash, route->source.control, route->source.len);
    return &flows->buckets[(hash ^ hash >> 16) & (flows->bucket_n - 1)];
}

static bool is_route(const hflow_t *flow, const hflow_route_t *route)
{
    return flow->route.client.len == route->client.len &&
           flow->route.source.len == route->source.len &&
           memcmp(&flow->route.client.u, &route->client.u, route->client.len) == 0 &&
           memcmp(flow->route.source.control, route->source.control, route->source.len) == 0;
}

static hflow_t *find_flow(hflows_t *flows, const hflow_route_t *route)
{
    hlist_t *head = bucket_of(flows, route), *pos, *tmp;

    HLIST_FOREACH (pos, tmp, head) {
        hflow_t *flow = HLIST_ENTRY(pos, hflow_t, bucket);

        if (is_route(flow, route))
            return flow;
    }
    return NULL;
}

static void link_flow(hflow_t *flow)
{
    hflows_t *flows = flow->flows;

    hlist_push_back(bucket_of(flows, &flow->route), &flow->bucket);
    hlist_push_back(&flows->recent, &flow->recent);
    flow->moved_us = hloop_now_us(flows->loop);
    flows->stats.flows++;
}

static void unlink_flow(hflow_t *flow)
{
    if (!hlist_linked(&flow->recent))
        return;
    hlist_remove(&flow->bucket);
    hlist_remove(&flow->recent);
    flow->flows->stats.flows--;
}

static hflow_t *oldest(hflows_t *flows)
{
    return hlist_empty(&flows->recent) ? NULL : HLIST_ENTRY(flows->recent.next, hflow_t, recent);
}

/* ---- the end of a flow ----------------------------------------------------------------------- */

void hflow__free(hflow_t *flow)
{
    hflows_t *flows = flow->flows;

    hflow__drop_waiting(flow);
    hmem_free(flow);
    release(flows);
}

/* Freed here, or when the upstream is gone, or by open_flow, in which it may happen. */
void hflow__end(hflow_t *flow, hflow_end_e end, int err)
{
    const hflows_options_t *options = &flow->flows->options;
    bool open = hlist_linked(&flow->recent);

    if (flow->closed)
        return;
    flow->closed = true;
    unlink_flow(flow);
    hflow__drop_waiting(flow);
    if (flow->flows->prepared == flow)
        flow->flows->prepared = NULL;
    if (flow->side.io && err)
        hio_abort(flow->side.io, err);
    else if (flow->side.io)
        hio_close(flow->side.io);
    if (open && options->closed)
        options->closed(flow, end, err, options->arg);
    if (!flow->side.io && !flow->opening)
        hflow__free(flow);
}

static void evict_oldest(hflows_t *flows)
{
    hflow_t *flow = oldest(flows);

    if (!flow)
        return;
    flows->stats.evicted++;
    hflow__end(flow, HFLOW_EVICTED, 0);
}

bool hflow_make_room(hflow_t *flow)
{
    hflows_t *flows = flow->flows;
    hlist_t *pos, *tmp;

    HLIST_FOREACH (pos, tmp, &flows->recent) {
        hflow_t *other = HLIST_ENTRY(pos, hflow_t, recent);

        if (other == flow || !other->side.io)
            continue;
        flows->stats.evicted++;
        hflow__end(other, HFLOW_EVICTED, 0);
        return true;
    }
    return false;
}

static void end_all(hflows_t *flows, hflow_end_e end, int err)
{
    flows->held++;
    flows->listening = false;
    while (!hlist_empty(&flows->recent))
        hflow__end(oldest(flows), end, err);
    if (flows->prepared)
        hflow__end(flows->prepared, end, err);
    release(flows);
}

static bool wait_for_idle(hflows_t *flows);

static void on_timer(htimer_t *timer)
{
    hflows_t *flows = hevent_userdata(timer);
    uint64_t idle_us = (uint64_t)flows->options.idle_ms * 1000;
    uint64_t now_us = hloop_now_us(flows->loop);
    hflow_t *flow;

    flows->timer = NULL; /* its one call is this */
    flows->held++;
    while ((flow = oldest(flows)) && now_us - flow->moved_us >= idle_us)
        hflow__end(flow, HFLOW_IDLE, 0);
    if (flow && !wait_for_idle(flows))
        evict_oldest(flows); /* no memory: the next flow that comes tries again */
    release(flows);
}

/* Until the flow that was silent longest has to go; never early. There is one. */
static uint32_t idle_left_ms(hflows_t *flows)
{
    uint64_t silent_us = hloop_now_us(flows->loop) - oldest(flows)->moved_us;
    uint64_t silent_ms = silent_us / 1000; /* rounded down */

    return silent_ms < flows->options.idle_ms ? flows->options.idle_ms - (uint32_t)silent_ms : 1;
}

/* False: out of memory. */
static bool wait_for_idle(hflows_t *flows)
{
    if (flows->timer)
        return true;
    flows->timer = htimer_add(flows->loop, on_timer, idle_left_ms(flows), 1);
    if (!flows->timer)
        return false;
    hevent_set_userdata(flows->timer, flows);
    return true;
}

/* ---- the beginning of a flow ----------------------------------------------------------------- */

static bool is_for_want_of_room(int err)
{
    return err == -EMFILE || err == -ENFILE || err == -ENOMEM || err == -ENOBUFS;
}

/* A flow that nobody knows yet. */
static hflow_t *new_flow(hflows_t *flows)
{
    hflow_t *flow = hmem_zalloc(sizeof(*flow));

    if (!flow)
        return NULL;
    flow->flows = flows;
    flows->held++;
    return flow;
}

/* The program is asked for what one without an upstream leads to. 0: it is open. */
static int ask_for_upstream(hflow_t *flow)
{
    int err = -ENOMEM;

    flow->opening = true;
    if (wait_for_idle(flow->flows))
        err = flow->side.io ? 0 : flow->flows->options.open(flow, flow->flows->options.arg);
    flow->opening = false;
    return err;
}

/* Never was one: the program said no, or gave it up at once. */
static void take_back(hflow_t *flow)
{
    bool joined = flow->side.io != NULL;

    if (!flow->closed) {
        unlink_flow(flow);
        if (joined)
            hrelay__detach(flow->side.io);
        joined = false;
    }
    if (!joined)
        hflow__free(flow);
}

static hflow_t *take_prepared(hflows_t *flows)
{
    hflow_t *flow = flows->prepared;

    flows->prepared = NULL;
    return flow ? flow : new_flow(flows);
}

static hflow_t *open_flow(hflows_t *flows, const hflow_route_t *route)
{
    hflow_t *flow;
    int err = -ENOMEM;

    if (flows->stats.flows >= flows->options.flows_max)
        evict_oldest(flows);
    if (!flows->listening || !hio_is_opened(flows->side.io))
        return NULL;
    flow = take_prepared(flows);
    if (flow) {
        flow->route = *route;
        link_flow(flow);
        err = ask_for_upstream(flow);
        if (!err && !flow->closed) {
            flows->stats.opened++;
            return flow;
        }
        take_back(flow);
    }
    if (is_for_want_of_room(err))
        evict_oldest(flows);
    return NULL;
}

/* Who sent the datagram that is being read. Only the bytes that name him: padding would tell two
 * equal addresses apart. */
static bool get_route(hio_t *io, hflow_route_t *route)
{
    const struct sockaddr *sa = hio_peeraddr(io);
    socklen_t len = hio_peeraddr_len(io);

    memset(route, 0, sizeof(*route));
    if (!sa)
        return false; /* out of memory */
    hio_source(io, &route->source);
    if (sa->sa_family == AF_UNSPEC || len <= sizeof(sa->sa_family))
        return true;
    return haddr_set(&route->client, sa, len) == 0;
}

/* One whose upstream is closing already has no use for it. */
static hflow_t *flow_for(hflows_t *flows, const hflow_route_t *route)
{
    hflow_t *flow = find_flow(flows, route);

    if (flow && flow->side.io && hio_is_closed(flow->side.io)) {
        hflow__end(flow, HFLOW_UPSTREAM, hio_error(flow->side.io));
        flow = NULL;
    }
    return flow ? flow : open_flow(flows, route);
}

static void server_write(hrelay_side_t *side, const void *buf, size_t len)
{
    hflows_t *flows = (hflows_t *)side;
    hflow_t *flow = NULL;
    hflow_route_t route;
    int err;

    flows->held++;
    if (get_route(side->io, &route))
        flow = flow_for(flows, &route);
    if (!flow) {
        flows->stats.all.dropped++;
        release(flows);
        return;
    }
    hflow__touch(flow);
    err = hflow__write(flow, buf, len);
    if (err)
        hflow__end(flow, HFLOW_UPSTREAM, err);
    release(flows);
}

/* ---- as sides of a relay --------------------------------------------------------------------- */

static hio_t *server_upstream(const hrelay_side_t *side)
{
    hflows_t *flows = (hflows_t *)side;
    hflow_t *flow = NULL;
    hflow_route_t route;

    if (get_route(side->io, &route))
        flow = find_flow(flows, &route);
    if (!flow)
        flow = flows->prepared;
    return flow ? flow->side.io : NULL;
}

static void server_gone(hrelay_side_t *side)
{
    hflows_t *flows = (hflows_t *)side;
    int err = hio_error(side->io);

    flows->held++;
    side->io = NULL;
    end_all(flows, HFLOW_SOCKET, err);
    release(flows);
}

static void server_stats(const hrelay_side_t *side, hrelay_stats_t *stats)
{
    const hflows_stats_t *all = &((const hflows_t *)side)->stats;

    *stats = (hrelay_stats_t){.sent_bytes = all->all.sent_bytes,
                              .received_bytes = all->all.received_bytes,
                              .dropped = all->all.dropped,
                              .clients = all->flows};
}

static const hrelay_kind_t server_kind = {server_upstream, server_write, server_gone, server_stats};

/* ---- all of them ----------------------------------------------------------------------------- */

static size_t bucket_count(uint32_t flows_max)
{
    size_t n = BUCKETS_MIN;

    while (n < BUCKETS_MAX && n * 4 < flows_max)
        n *= 2;
    return n;
}

static void set_defaults(hflows_options_t *options)
{
    if (options->idle_ms == 0)
        options->idle_ms = HFLOW_IDLE_MS;
    if (options->flows_max == 0)
        options->flows_max = HFLOW_FLOWS_MAX;
    if (options->waiting == 0)
        options->waiting = HFLOW_WAITING_MAX;
    if (options->queue_max == 0)
        options->queue_max = HFLOW_QUEUE_MAX;
    if (options->waiting_max == 0)
        options->waiting_max = HFLOW_WAITING_BYTES_MAX;
}

/* Without listening yet. */
static hflows_t *make_flows(hloop_t *loop, const hflows_options_t *options)
{
    size_t n = bucket_count(options->flows_max ? options->flows_max : HFLOW_FLOWS_MAX);
    hflows_t *flows = hmem_zalloc(sizeof(*flows) + n * sizeof(flows->buckets[0]));

    if (!flows)
        return NULL;
    flows->side.kind = &server_kind;
    flows->loop = loop;
    flows->options = *options;
    set_defaults(&flows->options);
    if (!options->waiting_bytes)
        flows->options.waiting_bytes = &flows->waiting_bytes;
    flows->listening = true;
    hlist_init(&flows->recent);
    flows->bucket_n = n;
    for (size_t i = 0; i < n; i++)
        hlist_init(&flows->buckets[i]);
    if (getrandom(&flows->seed, sizeof(flows->seed), GRND_NONBLOCK) != sizeof(flows->seed))
        flows->seed = (uint32_t)hloop_now_us(loop);
    return flows;
}

int hflows_new(hio_t *io, const hflows_options_t *options, hflows_t **out)
{
    hflows_t *flows;
    int err;

    if (!(hio_type(io) & HIO_TYPE_SOCK_DGRAM) || !options->open)
        return -EINVAL;
    flows = make_flows(hevent_loop(io), options);
    if (!flows)
        return -ENOMEM;
    err = hrelay__attach(io, &flows->side);
    if (!err && (err = hio_read(io)) != 0)
        hrelay__detach(io);
    if (err) {
        hmem_free(flows);
        return err;
    }
    hio_setcb_read(io, hio_write_upstream);
    hio_setcb_drained(io, hflow__drained); /* cannot fail: the filter has made room for it */
    if (out)
        *out = flows;
    return 0;
}

int hflows__prepare(hflows_t *flows, hio_t *upstream)
{
    hflow_t *flow = flows->prepared ? NULL : new_flow(flows);
    int err;

    if (!flow)
        return flows->prepared ? -EINVAL : -ENOMEM;
    err = hflow_join(flow, upstream);
    if (err)
        hflow__free(flow);
    else
        flows->prepared = flow;
    return err;
}

void hflows_stop_listening(hflows_t *flows)
{
    flows->listening = false;
}

void hflows_set_idle(hflows_t *flows, uint32_t idle_ms)
{
    flows->options.idle_ms = idle_ms ? idle_ms : HFLOW_IDLE_MS;
    if (flows->timer && !hlist_empty(&flows->recent))
        htimer_reset(flows->timer, idle_left_ms(flows));
}

void hflows_free(hflows_t *flows)
{
    hio_t *io = flows ? flows->side.io : NULL;

    if (!flows)
        return;
    flows->held++;
    if (io) {
        hio_read_stop(io);
        hio_setcb_drained(io, NULL);
        hrelay__detach(io);
    }
    end_all(flows, HFLOW_CLOSED, 0);
    release(flows);
}

void hflows_stats(const hflows_t *flows, hflows_stats_t *stats)
{
    *stats = flows->stats;
}
