#include "http_server_int.h"

#include "../base/hmem.h"
#include "../codec/http_date.h"
#include "../net/hproxy_header.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define PATH_EXTRA 1 /* the NUL */

/* ---- options --------------------------------------------------------------------------------- */

static void set_number(uint32_t *value, uint32_t otherwise)
{
    if (*value == 0)
        *value = otherwise;
}

static void set_defaults(http_server_options_t *o)
{
    set_number(&o->head_ms, 10000);
    set_number(&o->keepalive_ms, 75000);
    set_number(&o->keepalive_requests, 1000);
    set_number(&o->body_ms, 60000);
    set_number(&o->send_ms, 60000);
    set_number(&o->rate_min, 100);
    set_number(&o->fields_max, HTTP1_FIELDS_MAX);
    if (o->discard_max == 0)
        o->discard_max = 256 * 1024;
}

static size_t line_max(const http_server_options_t *o)
{
    return o->limits.line_max > 0 ? o->limits.line_max : HTTP1_LINE_MAX;
}

/* Room for what a request and a response need while they are worked on. */
static int make_scratch(http_server_t *server, const http_server_options_t *o)
{
    size_t path_size = line_max(o) + PATH_EXTRA;
    http_field_t *fields = hmem_array(o->fields_max, sizeof(*fields));
    char *path = hmem_alloc(path_size);

    if (!fields || !path) {
        hmem_free(fields);
        hmem_free(path);
        return -ENOMEM;
    }
    hmem_free(server->fields);
    hmem_free(server->path);
    server->fields = fields;
    server->path = path;
    server->path_size = path_size;
    http1_message_init(&server->message, fields, o->fields_max);
    return 0;
}

int http_server_set_options(http_server_t *server, const http_server_options_t *options)
{
    http_server_options_t o = *options;
    int err;

    if (!o.handler)
        return -EINVAL;
    set_defaults(&o);
    err = make_scratch(server, &o);
    if (err < 0)
        return err;
    if (o.tls)
        htls_ctx_ref(o.tls);
    htls_ctx_free(server->options.tls);
    server->options = o;
    server->limits_ms[HTTP_WAIT_HEAD] = o.head_ms;
    server->limits_ms[HTTP_WAIT_KEEPALIVE] = o.keepalive_ms;
    server->limits_ms[HTTP_WAIT_BODY] = o.body_ms;
    server->limits_ms[HTTP_WAIT_SEND] = o.send_ms;
    server->fixed_len = 0;
    return 0;
}

/* ---- making ---------------------------------------------------------------------------------- */

int http_server_new(hloop_t *loop, const http_server_options_t *options, http_server_t **server)
{
    http_server_t *s = hmem_zalloc(sizeof(*s));
    int err;

    if (!s)
        return -ENOMEM;
    s->loop = loop;
    hlist_init(&s->stock);
    for (int i = 0; i < HTTP_WAIT_COUNT; i++)
        hlist_init(&s->waits[i]);
    hlist_init(&s->conns);
    hlist_init(&s->entrants);
    s->out = hmem_alloc(HTTP_OUT_SIZE);
    err = s->out ? http_server_set_options(s, options) : -ENOMEM;
    if (err < 0) {
        http_server_free(s);
        return err;
    }
    *server = s;
    return 0;
}

static void free_stock(http_server_t *server)
{
    hlist_t *node;

    while ((node = hlist_pop_front(&server->stock)) != NULL)
        http_stream__free(HLIST_ENTRY(node, http_stream_t, link));
}

/* Whose PROXY header is being read. */
typedef struct entrant_s {
    hlist_t link; /* server->entrants */
    http_server_t *server;
    hio_t *io;
    htls_ctx_t *tls;
} entrant_t;

static void remove_entrant(entrant_t *entrant)
{
    hlist_remove(&entrant->link);
    entrant->server->entrant_count--;
    htls_ctx_free(entrant->tls);
    hmem_free(entrant);
}

static void close_entrants(http_server_t *server)
{
    while (!hlist_empty(&server->entrants)) {
        entrant_t *entrant = HLIST_ENTRY(server->entrants.next, entrant_t, link);

        hproxy_header_cancel(entrant->io);
        remove_entrant(entrant);
    }
}

/* A connection that lives on behind the server must not find it. */
static void close_connections(http_server_t *server)
{
    close_entrants(server);
    while (!hlist_empty(&server->conns)) {
        http_conn_t *conn = HLIST_ENTRY(server->conns.next, http_conn_t, all);
        hio_t *io = conn->io;

        conn->ops->gone(conn, -ECANCELED);
        hio_abort(io, -ECANCELED);
    }
}

static void close_listeners(http_server_t *server)
{
    for (int i = 0; i < server->listener_count; i++) {
        hio_setcb_close(server->listeners[i], NULL);
        hio_close(server->listeners[i]);
    }
    server->listener_count = 0;
}

void http_server_free(http_server_t *server)
{
    if (!server)
        return;
    server->drained = NULL;
    close_listeners(server);
    close_connections(server);
    htimer_del(server->timer);
    htimer_del(server->drain_timer);
    free_stock(server);
    htls_ctx_free(server->options.tls);
    hmem_free(server->fields);
    hmem_free(server->path);
    hmem_free(server->out);
    hmem_free(server);
}

/* ---- connections ----------------------------------------------------------------------------- */

static int limit_rate(http_server_t *server, hio_t *io)
{
    uint64_t rate = server->options.limit_rate;
    hrate_t *limit;
    int err;

    if (rate == 0)
        return 0;
    limit = hrate_new(server->loop, rate, 0);
    if (!limit)
        return -ENOMEM;
    err = hio_set_write_rate(io, limit);
    hrate_free(limit); /* the hio keeps it */
    return err;
}

static void begin(http_server_t *server, hio_t *io, htls_ctx_t *tls, const haddr_t *peer)
{
    int err = tls ? htls_server(io, tls) : 0;

    if (err == 0)
        err = limit_rate(server, io);
    if (err == 0)
        err = http1_server__start(server, io, tls != NULL, peer);
    if (err < 0)
        hio_abort(io, err);
    else
        server->stats.accepted++;
}

static void on_header(hio_t *io, const proxy_header_t *header, const char *why, void *arg)
{
    entrant_t *entrant = arg;
    haddr_t peer = {0};

    (void)why;
    if (!header) {
        entrant->server->stats.refused++;
    } else if (header->local || header->source.ss_family == AF_UNSPEC) {
        begin(entrant->server, io, entrant->tls, NULL);
    } else {
        const struct sockaddr *source = (const struct sockaddr *)&header->source;

        haddr_set(&peer, source, haddr_len(source));
        begin(entrant->server, io, entrant->tls, &peer);
    }
    remove_entrant(entrant);
}

static void await_header(http_server_t *server, hio_t *io, htls_ctx_t *tls)
{
    entrant_t *entrant = hmem_zalloc(sizeof(*entrant));
    int err = entrant ? hproxy_header_read(io, 0, on_header, entrant) : -ENOMEM;

    if (err < 0) {
        hmem_free(entrant);
        hio_abort(io, err);
        return;
    }
    *entrant = (entrant_t){.server = server, .io = io, .tls = tls ? htls_ctx_ref(tls) : NULL};
    hlist_push_back(&server->entrants, &entrant->link);
    server->entrant_count++;
}

void http_server_accept(http_server_t *server, hio_t *io, htls_ctx_t *tls, const haddr_t *peer)
{
    const http_server_options_t *o = &server->options;

    tls = tls ? tls : o->tls;
    if (server->draining ||
        (o->conns_max > 0 && server->stats.open + server->entrant_count >= o->conns_max)) {
        server->stats.refused++;
        hio_close(io);
    } else if (o->proxy_protocol && !peer) {
        await_header(server, io, tls);
    } else {
        begin(server, io, tls, peer);
    }
}

static void on_accept(hio_t *io)
{
    http_server_accept(hevent_userdata(io), io, NULL, NULL);
}

/* Closed by somebody else: not to be closed again. */
static void on_listener_closed(hio_t *io)
{
    http_server_t *server = hevent_userdata(io);

    for (int i = 0; i < server->listener_count; i++) {
        if (server->listeners[i] == io)
            server->listeners[i--] = server->listeners[--server->listener_count];
    }
}

static void add_listener(http_server_t *server, hio_t *io, hio_t **out)
{
    hevent_set_userdata(io, server);
    hio_setcb_close(io, on_listener_closed);
    server->listeners[server->listener_count++] = io;
    if (out)
        *out = io;
}

int http_server_listen(http_server_t *server, const hlisten_options_t *options, hio_t **io)
{
    hio_t *listener;
    int err = server->listener_count < HTTP_LISTENERS_MAX
                  ? hlisten_open(server->loop, options, on_accept, &listener)
                  : -ENOBUFS;

    if (err < 0)
        return err;
    add_listener(server, listener, io);
    return 0;
}

int http_server_attach(http_server_t *server, int fd, hio_t **io)
{
    hio_t *listener;
    int err;

    if (server->listener_count >= HTTP_LISTENERS_MAX) {
        close(fd);
        return -ENOBUFS;
    }
    err = hlisten_attach(server->loop, fd, on_accept, &listener);
    if (err < 0)
        return err;
    add_listener(server, listener, io);
    return 0;
}

/* ---- the end --------------------------------------------------------------------------------- */

static void tell_drained(http_server_t *server)
{
    void (*drained)(http_server_t *, void *) = server->drained;

    server->drained = NULL;
    if (drained)
        drained(server, server->drained_arg);
}

void http_server__conn_gone(http_server_t *server)
{
    if (!server->draining || server->stats.open > 0)
        return;
    if (server->drain_timer)
        htimer_reset(server->drain_timer, 1);
    else
        tell_drained(server);
}

static void on_drain_timer(htimer_t *timer)
{
    http_server_t *server = hevent_userdata(timer);
    void (*drained)(http_server_t *, void *) = server->drained;

    server->drain_timer = NULL;
    server->drained = NULL; /* not from inside the last connection's end */
    close_connections(server);
    server->drained = drained;
    tell_drained(server);
}

/* Without memory to wait, now; but streams that are at work end from the loop. */
static void drain_at_once(http_server_t *server)
{
    hlist_t *node, *next;

    close_entrants(server);
    HLIST_FOREACH (node, next, &server->conns)
        hio_abort(HLIST_ENTRY(node, http_conn_t, all)->io, -ENOMEM);
    if (server->stats.open == 0)
        tell_drained(server);
}

/* One that has not sent a byte, as browsers open them ahead, is as idle as one between two
 * requests. */
static void count_as_idle(http_server_t *server)
{
    hlist_t *node, *next;

    HLIST_FOREACH (node, next, &server->conns) {
        http_conn_t *conn = HLIST_ENTRY(node, http_conn_t, all);

        if (conn->wait == HTTP_WAIT_HEAD && conn->received == 0)
            http_conn__wait(conn, HTTP_WAIT_KEEPALIVE, true);
    }
}

void http_server_drain(http_server_t *server, uint32_t timeout_ms,
                       void (*done)(http_server_t *server, void *arg), void *arg)
{
    uint64_t due_us;

    timeout_ms = timeout_ms > 0 ? timeout_ms : server->options.keepalive_ms;
    due_us = hloop_now_hrtime(server->loop) + (uint64_t)timeout_ms * 1000;
    if (server->draining) {
        if (server->drain_timer && server->stats.open > 0 && due_us < server->drain_us) {
            server->drain_us = due_us;
            htimer_reset(server->drain_timer, timeout_ms);
        }
        return;
    }
    server->draining = true;
    server->drain_us = due_us;
    server->drained = done;
    server->drained_arg = arg;
    close_listeners(server);
    count_as_idle(server);
    if (server->stats.open == 0)
        timeout_ms = 1;
    server->drain_timer = htimer_add(server->loop, on_drain_timer, timeout_ms, 1);
    if (!server->drain_timer) {
        drain_at_once(server);
        return;
    }
    hevent_set_userdata(server->drain_timer, server);
    http_conn__check(server);
}

/* ---- asking ---------------------------------------------------------------------------------- */

http_span_t http_server__fixed(http_server_t *server)
{
    const char *name = server->options.name;
    uint64_t now_s = hloop_now(server->loop);
    char date[HTTP_DATE_SIZE];
    int len;

    if (server->fixed_len == 0 || server->fixed_s != now_s) {
        len = snprintf(server->fixed, sizeof(server->fixed), "Date: %s\r\n%s%.100s%s",
                       http_date_format((int64_t)now_s, date), name ? "Server: " : "",
                       name ? name : "", name ? "\r\n" : "");
        server->fixed_len = len > 0 ? (size_t)len : 0;
        server->fixed_s = now_s;
    }
    return (http_span_t){server->fixed, server->fixed_len};
}

void http_server_stats(const http_server_t *server, http_server_stats_t *stats)
{
    hlist_t *node, *next;

    *stats = server->stats;
    HLIST_FOREACH (node, next, &server->conns) {
        const http_conn_t *conn = HLIST_ENTRY(node, http_conn_t, all);

        stats->bytes_in += conn->received;
        stats->bytes_out += conn->written;
    }
}

hloop_t *http_server_loop(const http_server_t *server)
{
    return server->loop;
}

void *http_server_userdata(const http_server_t *server)
{
    return server->options.userdata;
}
