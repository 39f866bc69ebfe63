/* One flow: what waits, what is sent both ways, and its side of the relay. */
#include "hflow_int.h"

#include "../base/hmem.h"
#include "hframe.h"

#include <string.h>

void hflow__touch(hflow_t *flow)
{
    if (!hlist_linked(&flow->recent))
        return;
    flow->moved_us = hloop_now_us(flow->flows->loop);
    hlist_remove(&flow->recent);
    hlist_push_back(&flow->flows->recent, &flow->recent);
}

/* ---- counting -------------------------------------------------------------------------------- */

static void count_sent(hflow_t *flow, size_t len)
{
    hflow_stats_t *both[] = {&flow->stats, &flow->flows->stats.all};

    for (size_t i = 0; i < 2; i++) {
        both[i]->sent++;
        both[i]->sent_bytes += len;
    }
}

static void count_received(hflow_t *flow, size_t len)
{
    hflow_stats_t *both[] = {&flow->stats, &flow->flows->stats.all};

    for (size_t i = 0; i < 2; i++) {
        both[i]->received++;
        both[i]->received_bytes += len;
    }
}

static void count_dropped(hflow_t *flow)
{
    flow->stats.dropped++;
    flow->flows->stats.all.dropped++;
}

/* ---- what waits ------------------------------------------------------------------------------ */

static size_t memory_of(size_t len)
{
    return sizeof(hflow_waiting_t) + len;
}

/* The first one goes. */
static void free_waiting(hflow_t *flow)
{
    hflow_waiting_t *waiting = flow->waiting;

    flow->waiting = waiting->next;
    *flow->flows->options.waiting_bytes -= memory_of(waiting->len);
    hmem_free(waiting);
}

void hflow__drop_waiting(hflow_t *flow)
{
    while (flow->waiting) {
        free_waiting(flow);
        count_dropped(flow);
    }
}

static bool has_room(const hflow_t *flow, size_t len)
{
    const hflows_options_t *options = &flow->flows->options;

    return flow->waiting_n < options->waiting && flow->waiting_bytes + len <= options->queue_max &&
           *options->waiting_bytes + memory_of(len) <= options->waiting_max;
}

static void wait_for_upstream(hflow_t *flow, const void *buf, size_t len)
{
    hflow_waiting_t *waiting = has_room(flow, len) ? hmem_alloc(memory_of(len)) : NULL;

    if (!waiting) {
        count_dropped(flow);
        return;
    }
    waiting->next = NULL;
    waiting->len = len;
    memcpy(waiting->data, buf, len);
    if (!flow->waiting)
        flow->waiting_end = &flow->waiting;
    *flow->waiting_end = waiting;
    flow->waiting_end = &waiting->next;
    flow->waiting_n++;
    flow->waiting_bytes += len;
    *flow->flows->options.waiting_bytes += memory_of(len);
}

/* ---- from the client to the upstream --------------------------------------------------------- */

static int write_upstream(hflow_t *flow, const void *buf, size_t len)
{
    hio_t *upstream = flow->side.io;
    int n = HERR_QUEUE_FULL;

    if (hio_write_bufsize(upstream) == 0 ||
        hio_write_bufsize(upstream) + len <= flow->flows->options.queue_max)
        n = hio_write(upstream, buf, len);
    if (n < 0)
        count_dropped(flow);
    else
        count_sent(flow, len);
    return n;
}

static void send_waiting(hflow_t *flow)
{
    hio_cork(flow->side.io);
    while (flow->waiting) {
        write_upstream(flow, flow->waiting->data, flow->waiting->len);
        free_waiting(flow);
    }
    flow->waiting_n = 0;
    flow->waiting_bytes = 0;
    hio_uncork(flow->side.io);
}

/* What a datagram socket says of one that was sent before: nobody is there. */
static bool is_about_upstream(int err)
{
    return err == -ECONNREFUSED || err == -EHOSTUNREACH || err == -ENETUNREACH;
}

int hflow__write(hflow_t *flow, const void *buf, size_t len)
{
    int n;

    if (!flow->side.io) {
        wait_for_upstream(flow, buf, len);
        return 0;
    }
    n = write_upstream(flow, buf, len);
    return is_about_upstream(n) ? n : 0;
}

/* ---- from the upstream to the client --------------------------------------------------------- */

static bool is_stream(const hio_t *io)
{
    return !(hio_type(io) & HIO_TYPE_SOCK_DGRAM);
}

/* Corked: what is read in one batch leaves in one. */
static void answer(hflow_t *flow, const char *buf, size_t len)
{
    const haddr_t *client = &flow->route.client;
    hio_t *io = flow->flows->side.io;
    int n = HERR_CLOSED;

    if (io && client->len > 0) {
        hio_cork(io);
        n = hio_answer(io, buf, len, &client->u.sa, client->len, &flow->route.source);
    }
    if (n < 0)
        count_dropped(flow);
    else
        count_received(flow, len);
}

static void tell_first(hflow_t *flow)
{
    const hflows_options_t *options = &flow->flows->options;

    if (flow->answered)
        return;
    flow->answered = true;
    if (options->answered && !flow->closed)
        options->answered(flow, options->arg);
}

static void flow_write(hrelay_side_t *side, const void *buf, size_t len)
{
    hflow_t *flow = (hflow_t *)side;
    const char *bytes = buf;
    size_t most = is_stream(side->io) ? HFLOW_DATAGRAM_MAX : len;

    hflow__touch(flow);
    tell_first(flow);
    do {
        size_t n = len < most ? len : most;

        answer(flow, bytes, n);
        bytes += n;
        len -= n;
    } while (len > 0);
    if (is_stream(side->io) && flow->flows->side.io && hio_write_above_high(flow->flows->side.io)) {
        flow->paused = true;
        hio_read_stop(side->io);
    }
}

void hflow__drained(hio_t *io)
{
    hrelay_side_t *side = hrelay__side(io);
    hlist_t *pos, *tmp, *head = side ? &((hflows_t *)side)->recent : NULL;

    if (!head)
        return;
    HLIST_FOREACH (pos, tmp, head) {
        hflow_t *flow = HLIST_ENTRY(pos, hflow_t, recent);

        if (!flow->paused)
            continue;
        flow->paused = false;
        if (flow->side.io)
            hio_read(flow->side.io);
    }
}

/* ---- as a side of a relay -------------------------------------------------------------------- */

static hio_t *flow_upstream(const hrelay_side_t *side)
{
    return ((const hflow_t *)side)->flows->side.io;
}

static void flow_gone(hrelay_side_t *side)
{
    hflow_t *flow = (hflow_t *)side;
    int err = hio_error(side->io);

    side->io = NULL;
    if (flow->closed)
        hflow__free(flow);
    else
        hflow__end(flow, HFLOW_UPSTREAM, err);
}

/* Those of all flows, as every side of a relay tells. */
static void flow_side_stats(const hrelay_side_t *side, hrelay_stats_t *stats)
{
    const hflows_stats_t *now = &((const hflow_t *)side)->flows->stats;

    *stats = (hrelay_stats_t){.sent_bytes = now->all.received_bytes,
                              .received_bytes = now->all.sent_bytes,
                              .dropped = now->all.dropped,
                              .clients = now->flows};
}

static const hrelay_kind_t flow_kind = {flow_upstream, flow_write, flow_gone, flow_side_stats};

/* ---- flows ----------------------------------------------------------------------------------- */

int hflow_join(hflow_t *flow, hio_t *upstream)
{
    int err;

    if (flow->closed)
        return HERR_CLOSED;
    if (flow->side.io || hevent_loop(upstream) != flow->flows->loop)
        return -EINVAL;
    flow->side.kind = &flow_kind;
    err = hrelay__attach(upstream, &flow->side);
    if (!err && (err = hio_read(upstream)) != 0)
        hrelay__detach(upstream);
    if (err)
        return err;
    hio_setcb_read(upstream, hio_write_upstream);
    hflow__touch(flow);
    send_waiting(flow);
    hio_unset_unpack(upstream);
    return 0;
}

void hflow_close(hflow_t *flow, int err)
{
    hflow__end(flow, HFLOW_CLOSED, err);
}

const haddr_t *hflow_client(const hflow_t *flow)
{
    return &flow->route.client;
}

hflows_t *hflow_flows(const hflow_t *flow)
{
    return flow->flows;
}

hio_t *hflow_upstream(const hflow_t *flow)
{
    return flow->side.io;
}

void hflow_set_userdata(hflow_t *flow, void *userdata)
{
    flow->userdata = userdata;
}

void *hflow_userdata(const hflow_t *flow)
{
    return flow->userdata;
}

void hflow_stats(const hflow_t *flow, hflow_stats_t *stats)
{
    *stats = flow->stats;
}
