/* Connections to a server: those that are kept, and who gets the next one. */
#include "http_exchange_int.h"

#include "../base/hmem.h"
#include "../base/htime.h"

#define US_PER_MS 1000

/* ---- kept connections ------------------------------------------------------------------------ */

static void on_timer(htimer_t *timer);

/* Without memory for a timer the next one that is kept brings it. */
static void arm(http_peer_t *peer)
{
    http_link_t *oldest;
    uint64_t now_us = hloop_now_hrtime(peer->loop), at_us;

    if (peer->timer || hlist_empty(&peer->idle))
        return;
    oldest = HLIST_ENTRY(peer->idle.prev, http_link_t, link);
    at_us = oldest->idle_since_us + (uint64_t)peer->options.idle_ms * US_PER_MS;
    peer->timer = htimer_add(peer->loop, on_timer,
                             at_us > now_us ? (uint32_t)((at_us - now_us) / US_PER_MS) + 1 : 1, 1);
    if (peer->timer)
        hevent_set_userdata(peer->timer, peer);
}

static void drop_idle(http_link_t *conn)
{
    hio_t *io = conn->io;

    http_peer__remove(conn);
    hio_close(io);
}

static void on_timer(htimer_t *timer)
{
    http_peer_t *peer = hevent_userdata(timer);
    uint64_t now_us = hloop_now_hrtime(peer->loop);

    peer->timer = NULL;
    while (!hlist_empty(&peer->idle)) {
        http_link_t *oldest = HLIST_ENTRY(peer->idle.prev, http_link_t, link);

        if (now_us < oldest->idle_since_us + (uint64_t)peer->options.idle_ms * US_PER_MS)
            break;
        drop_idle(oldest);
    }
    arm(peer);
}

void http_peer__give_back(http_link_t *conn)
{
    http_peer_t *peer = conn->peer;

    if (conn->last || conn->eof || peer->closing || peer->options.no_reuse ||
        peer->idle_count >= peer->options.idle_max) {
        drop_idle(conn);
    } else {
        hlist_remove(&conn->link);
        hlist_push_front(&peer->idle, &conn->link);
        peer->busy_count--;
        peer->idle_count++;
        conn->idle_since_us = hloop_now_hrtime(peer->loop);
        hio_set_read_timeout(conn->io, 0);
        hio_read(conn->io);
        arm(peer);
    }
    http_peer__next(peer);
}

void http_peer__remove(http_link_t *conn)
{
    hio_t *io = conn->io;

    if (conn->exchange || conn->idle_since_us == 0)
        conn->peer->busy_count--;
    else
        conn->peer->idle_count--;
    hlist_remove(&conn->link);
    http1_deinit(&conn->parser);
    hio_setcb_read(io, NULL);
    hio_setcb_close(io, NULL);
    hio_setcb_eof(io, NULL);
    hio_setcb_drained(io, NULL);
    hmem_free(conn);
}

/* ---- new connections ------------------------------------------------------------------------- */

static void on_dialled(hdial_t *dial, hio_t *io, int err, void *arg)
{
    http_exchange_t *exchange = arg;
    http_peer_t *peer = exchange->peer;
    uint64_t began_us = exchange->times.started_us;
    hdial_times_t times;
    http_link_t *conn;

    exchange->dial = NULL;
    peer->dialling--;
    hdial_times(dial, &times);
    exchange->times.resolved_us = times.resolved_us ? began_us + times.resolved_us : 0;
    exchange->times.connected_us = times.connected_us ? began_us + times.connected_us : 0;
    exchange->times.tls_us = times.tls_us ? began_us + times.tls_us : 0;
    exchange->step = hdial_step(dial);
    conn = io && exchange->err == 0 ? http1_client__new(peer, io) : NULL;
    if (!io) {
        http_exchange__explain(exchange, err, "%s", hdial_error(dial));
    } else if (exchange->err != 0) { /* aborted while the dial went on */
        hio_abort(io, exchange->err);
    } else if (!conn) {
        hio_abort(io, -ENOMEM);
        http_exchange__explain(exchange, -ENOMEM, "%s", herr_str(-ENOMEM));
    }
    if (!conn) {
        http_peer__next(peer);
        http_exchange__finish(exchange, exchange->err); /* last: the peer may go with it */
        return;
    }
    http1_client__begin(conn, exchange);
}

static void on_proxy_head(hdial_t *dial, size_t proxy, http_span_t head, int status, void *arg)
{
    http_exchange_t *exchange = arg;

    exchange->dial_tells = true;
    exchange->connect->head_cb(dial, proxy, head, status, arg);
    exchange->dial_tells = false;
}

static void on_attempt(hdial_t *dial, const haddr_t *addr, int err, void *arg)
{
    http_exchange_t *exchange = arg;
    const hdial_options_t *options = &exchange->peer->options.dial;

    exchange->dial_tells = true;
    (err ? options->attempt_cb : options->trying_cb)(dial, addr, err, arg);
    exchange->dial_tells = false;
}

static int dial(http_exchange_t *exchange)
{
    http_peer_t *peer = exchange->peer;
    hdial_options_t options = peer->options.dial;
    int err;

    if (!exchange->connect)
        exchange->connect = options.connect;
    if (exchange->connect) {
        exchange->dial_connect = *exchange->connect;
        if (exchange->connect->head_cb)
            exchange->dial_connect.head_cb = on_proxy_head;
        options.connect = &exchange->dial_connect;
    }
    if (options.attempt_cb)
        options.attempt_cb = on_attempt;
    if (options.trying_cb)
        options.trying_cb = on_attempt;
    err =
        hdial_start(peer->loop, &peer->options.to, &options, on_dialled, exchange, &exchange->dial);
    if (err == 0)
        peer->dialling++;
    return err;
}

static bool may_dial(const http_peer_t *peer)
{
    return peer->options.conns_max == 0 || http_peer_open(peer) < peer->options.conns_max;
}

int http_peer__assign(http_exchange_t *exchange)
{
    http_peer_t *peer = exchange->peer;

    hlist_remove(&exchange->link);
    /* One that is repeated does so because a kept connection was none. */
    if (!exchange->repeated && !hlist_empty(&peer->idle)) {
        http_link_t *conn = HLIST_ENTRY(peer->idle.next, http_link_t, link);

        hlist_remove(&conn->link);
        hlist_push_back(&peer->busy, &conn->link);
        hlist_push_back(&peer->active, &exchange->link);
        peer->idle_count--;
        peer->busy_count++;
        conn->idle_since_us = 0;
        http1_client__begin(conn, exchange);
        return 0;
    }
    if (!may_dial(peer)) {
        hlist_push_back(&peer->waiting, &exchange->link);
        return 0;
    }
    hlist_push_back(&peer->active, &exchange->link);
    return dial(exchange);
}

void http_peer__next(http_peer_t *peer)
{
    while (!peer->closing && !hlist_empty(&peer->waiting) &&
           (!hlist_empty(&peer->idle) || may_dial(peer))) {
        http_exchange_t *exchange = HLIST_ENTRY(peer->waiting.next, http_exchange_t, link);
        int err = http_peer__assign(exchange);
        bool last = hlist_empty(&peer->waiting);

        if (err == 0)
            continue;
        http_exchange__explain(exchange, err, "%s", herr_str(err));
        http_exchange__finish(exchange, err);
        if (last) /* the peer may have gone with it */
            return;
    }
}

/* ---- public ---------------------------------------------------------------------------------- */

static void set_number(uint32_t *value, uint32_t otherwise)
{
    if (*value == 0)
        *value = otherwise;
}

/* To hio no limit is 0. */
static void set_limit(uint32_t *value, uint32_t otherwise)
{
    set_number(value, otherwise);
    if (*value == HTTP_PEER_NO_LIMIT)
        *value = 0;
}

int http_peer_new(hloop_t *loop, const http_peer_options_t *options, http_peer_t **peer)
{
    http_peer_t *p = hmem_zalloc(sizeof(*p));

    if (!p)
        return -ENOMEM;
    p->loop = loop;
    p->options = *options;
    set_number(&p->options.fields_max, HTTP1_FIELDS_MAX);
    set_number(&p->options.idle_max, 32);
    set_number(&p->options.idle_ms, 60000);
    set_limit(&p->options.response_ms, 60000);
    set_limit(&p->options.send_ms, 60000);
    p->fields = hmem_array(p->options.fields_max, sizeof(*p->fields));
    if (!p->fields) {
        hmem_free(p);
        return -ENOMEM;
    }
    http1_message_init(&p->message, p->fields, p->options.fields_max);
    hlist_init(&p->idle);
    hlist_init(&p->busy);
    hlist_init(&p->active);
    hlist_init(&p->waiting);
    *peer = p;
    return 0;
}

static void cancel_all(hlist_t *list)
{
    while (!hlist_empty(list)) {
        http_exchange_t *exchange = HLIST_ENTRY(list->next, http_exchange_t, link);
        http_link_t *conn = exchange->conn;

        if (conn) {
            hio_t *io = conn->io;

            http_peer__remove(conn);
            exchange->conn = NULL;
            hio_abort(io, -ECANCELED);
        }
        http_exchange__finish(exchange, -ECANCELED);
    }
}

void http_peer_free(http_peer_t *peer)
{
    if (!peer)
        return;
    peer->closing = true;
    cancel_all(&peer->waiting);
    cancel_all(&peer->active);
    while (!hlist_empty(&peer->idle))
        drop_idle(HLIST_ENTRY(peer->idle.next, http_link_t, link));
    htimer_del(peer->timer);
    hmem_free(peer->fields);
    hmem_free(peer);
}

uint32_t http_peer_open(const http_peer_t *peer)
{
    return peer->idle_count + peer->busy_count + peer->dialling;
}

uint32_t http_peer_idle(const http_peer_t *peer)
{
    return peer->idle_count;
}

uint32_t http_peer_active(const http_peer_t *peer)
{
    uint32_t count = 0;
    hlist_t *node, *next;

    HLIST_FOREACH (node, next, &peer->active)
        count++;
    HLIST_FOREACH (node, next, &peer->waiting)
        count++;
    return count;
}
