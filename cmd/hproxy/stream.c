/* A stream: one accepted connection, and the one to its target.
 *
 *     HEADER -> TLS -> REACH (reach.h) -> RELAY        FORWARD: in the hands of forward.c
 *
 * Until RELAY there is one hio, the client's, and whatever ends the stream closes it at once. In
 * REACH it is not read; that its connection breaks is noticed all the same. In
 * RELAY the two hio end each other (net/hrelay); the first that tells a cause tells that of the
 * stream, and the stream ends when both are gone. */
#include "kinds.h"
#include "reach.h"
#include "watch.h"

#include "base/hmem.h"
#include "event/hio_ops.h"
#include "event/htimer.h"
#include "net/hproxy_header.h"
#include "net/hrelay.h"

#include <stdio.h>
#include <string.h>

#define WHY_SIZE REACH_WHY_SIZE

typedef enum {
    STREAM_HEADER,
    STREAM_TLS,
    STREAM_REACH,
    STREAM_RELAY,
    STREAM_FORWARD
} stream_state_e;

typedef struct stream_s {
    session_t session; /* first: a stream is found from it */
    hlist_t link;      /* in the service, but for STREAM_FORWARD */
    watched_t watched; /* in STREAM_REACH */
    stream_state_e state;
    session_end_e end; /* as it will be told; SESSION_DONE: no cause yet */
    hio_t *client;
    hio_t *upstream;
    reach_t reach;
    haddr_t *destination; /* what the client connected to, for a PROXY header; NULL: not needed */
    htimer_t *lifetime;
    int err; /* the cause in RELAY */
    bool tls;
} stream_t;

static const service_settings_t *settings_of(const stream_t *stream)
{
    return stream->session.service->settings;
}

/* Datagrams have no end of data: their silence is it. */
static uint32_t idle_ms_of(const stream_t *stream)
{
    const htarget_t *target = stream->session.target;
    bool datagrams = target && hendpoint_socktype(htarget_endpoint(target)) == SOCK_DGRAM;

    return settings_of(stream)->idle_ms
               ?: (datagrams ? SETTINGS_DATAGRAM_IDLE_MS : SETTINGS_IDLE_MS);
}

/* ---- the end --------------------------------------------------------------------------------- */

static void free_stream(stream_t *stream)
{
    hlist_remove(&stream->link);
    watch_end(&stream->watched);
    reach_cancel(&stream->reach);
    htimer_del(stream->lifetime);
    hmem_free(stream->destination);
    hmem_free(stream);
}

static void let_go(hio_t *io)
{
    hio_setcb_connect(io, NULL);
    hio_setcb_close(io, NULL);
    hevent_set_userdata(io, NULL);
}

/* Without waiting; a TLS client is told that it is the end. */
static void drop_client(stream_t *stream)
{
    hio_t *io = stream->client;

    stream->client = NULL;
    if (!io)
        return;
    if (stream->state == STREAM_HEADER) {
        hproxy_header_cancel(io);
        return;
    }
    let_go(io);
    if (stream->state > STREAM_TLS && htls_is_tls(io))
        hio_close(io);
    else
        hio_abort(io, 0);
}

static void end(stream_t *stream, session_end_e how, const char *why)
{
    drop_client(stream);
    session_end(&stream->session, how, why);
    free_stream(stream);
}

static void end_because(stream_t *stream, int err)
{
    end(stream, SESSION_NO_RESOURCES, herr_str(err));
}

/* ---- relay ----------------------------------------------------------------------------------- */

/* Who began it, and why. */
static void explain(const stream_t *stream, char *why, size_t size)
{
    const session_t *session = &stream->session;
    const char *target = session->target        ? htarget_address(session->target)
                         : session->destination ? session->destination
                                                : "";

    switch (stream->end) {
    case SESSION_CLIENT_ERROR:
        snprintf(why, size, "the client's connection: %s", herr_str(stream->err));
        break;
    case SESSION_TARGET_ERROR:
        snprintf(why, size, "the connection to %s: %s", target, herr_str(stream->err));
        break;
    case SESSION_IDLE:
        snprintf(why, size, "nobody has said anything for %u ms", idle_ms_of(stream));
        break;
    case SESSION_EXPIRED:
        snprintf(why, size, "it has lasted %u ms", settings_of(stream)->lifetime_ms);
        break;
    case SESSION_NO_RESOURCES:
        snprintf(why, size, "%s", herr_str(stream->err));
        break;
    default:
        why[0] = '\0';
    }
}

/* The first cause counts: what it makes of the other side says nothing. */
static void set_cause(stream_t *stream, bool client, int err)
{
    if (stream->end != SESSION_DONE || err == 0 || err == HERR_TRUNCATED)
        return;
    stream->err = err;
    if (err == -ECANCELED)
        stream->end = SESSION_STOPPED;
    else if (client && err == -ETIMEDOUT)
        stream->end = SESSION_IDLE; /* the limit is the client's hio's */
    else
        stream->end = client ? SESSION_CLIENT_ERROR : SESSION_TARGET_ERROR;
}

static void side_closed(stream_t *stream)
{
    char why[WHY_SIZE];

    if (stream->client || stream->upstream)
        return;
    explain(stream, why, sizeof(why));
    end(stream, stream->end, why);
}

static void on_client_close(hio_t *io)
{
    stream_t *stream = hevent_userdata(io);
    hrelay_stats_t stats;

    hrelay_stats(io, &stats);
    stream->session.sent_bytes = stats.sent_bytes;
    stream->session.received_bytes = stats.received_bytes;
    set_cause(stream, true, hio_error(io));
    stream->client = NULL;
    side_closed(stream);
}

static void on_upstream_close(hio_t *io)
{
    stream_t *stream = hevent_userdata(io);
    hrelay_stats_t stats;

    hrelay_stats(io, &stats);
    stream->session.sent_bytes = stats.received_bytes;
    stream->session.received_bytes = stats.sent_bytes;
    set_cause(stream, false, hio_error(io));
    stream->upstream = NULL;
    side_closed(stream);
}

static void on_lifetime(htimer_t *timer)
{
    stream_t *stream = hevent_userdata(timer);

    stream->lifetime = NULL; /* frees itself */
    if (stream->end == SESSION_DONE)
        stream->end = SESSION_EXPIRED;
    if (stream->client)
        hio_abort(stream->client, -ETIMEDOUT);
    else if (stream->upstream)
        hio_abort(stream->upstream, -ETIMEDOUT);
}

/* Reading from one side by the connection's own rate, writing to the other by that of all; where
 * only one of them is wanted reading is enough. */
static int limit_direction(const stream_t *stream, hio_t *from, hio_t *to, hrate_t *all)
{
    uint64_t own = settings_of(stream)->limit_rate;
    hrate_t *rate;
    int err;

    if (own == 0)
        return all ? hio_set_read_rate(from, all) : 0;
    rate = hrate_new(hevent_loop(from), own, 0);
    if (!rate)
        return -errno;
    err = hio_set_read_rate(from, rate);
    hrate_free(rate);
    if (!err && all)
        err = hio_set_write_rate(to, all);
    return err;
}

static void measure(session_t *session)
{
    const stream_t *stream = (const stream_t *)session;
    hrelay_stats_t stats;

    if (stream->client && hrelay_stats(stream->client, &stats) == 0) {
        session->sent_bytes = stats.sent_bytes;
        session->received_bytes = stats.received_bytes;
    } else if (stream->upstream && hrelay_stats(stream->upstream, &stats) == 0) {
        session->sent_bytes = stats.received_bytes;
        session->received_bytes = stats.sent_bytes;
    }
}

static int set_limits(stream_t *stream)
{
    const service_t *service = stream->session.service;
    uint32_t lifetime_ms = service->settings->lifetime_ms;
    uint32_t idle_ms = idle_ms_of(stream);
    int err = limit_direction(stream, stream->client, stream->upstream, service->rate_in);

    if (!err)
        err = limit_direction(stream, stream->upstream, stream->client, service->rate_out);
    if (err)
        return err;
    hio_set_keepalive_timeout(stream->client, (int)idle_ms);
    if (lifetime_ms == 0)
        return 0;
    stream->lifetime = htimer_add(service->lane->loop, on_lifetime, lifetime_ms, 1);
    if (!stream->lifetime)
        return -ENOMEM;
    hevent_set_userdata(stream->lifetime, stream);
    return 0;
}

/* They close each other from here on: an error of ours is that of one of them. */
static void begin_relay(stream_t *stream)
{
    int err;

    stream->state = STREAM_RELAY;
    watch_end(&stream->watched);
    stream->session.measure = measure;
    hevent_set_userdata(stream->client, stream);
    hevent_set_userdata(stream->upstream, stream);
    hio_setcb_close(stream->client, on_client_close);
    hio_setcb_close(stream->upstream, on_upstream_close);
    hio_set_unshared(stream->client); /* a worker forks nobody */
    hio_set_unshared(stream->upstream);
    err = set_limits(stream);
    if (!err)
        return;
    stream->end = SESSION_NO_RESOURCES;
    stream->err = err;
    hio_abort(stream->client, err);
}

static void join(stream_t *stream, hio_t *upstream)
{
    int err = hio_relay(stream->client, upstream);

    if (err) {
        hio_abort(upstream, 0);
        end_because(stream, err);
        return;
    }
    hmem_free(stream->destination);
    stream->destination = NULL;
    stream->upstream = upstream;
    begin_relay(stream);
}

/* ---- targets --------------------------------------------------------------------------------- */

/* Before there was anything to relay. */
static void end_with_client(stream_t *stream)
{
    char why[WHY_SIZE];

    stream->err = hio_error(stream->client);
    stream->end = stream->err == -ECANCELED ? SESSION_STOPPED : SESSION_CLIENT_ERROR;
    explain(stream, why, sizeof(why));
    end(stream, stream->end, why);
}

static void on_client_gone(hio_t *io)
{
    end_with_client(hevent_userdata(io));
}

static void on_reached(reach_t *reach, hio_t *io, session_end_e how, const char *why)
{
    stream_t *stream = HLIST_ENTRY(reach, stream_t, reach);

    if (!io) {
        end(stream, how, why);
        return;
    }
    htarget_connected(stream->session.target);
    if (!hio_is_closed(stream->client)) {
        join(stream, io);
        return;
    }
    hio_abort(io, 0);
    end_with_client(stream);
}

/* What the client connected to, for the target's PROXY header. */
static int find_destination(stream_t *stream)
{
    const struct sockaddr *local;

    if (stream->destination)
        return 0;
    local = hio_localaddr(stream->client);
    stream->destination = local ? hmem_zalloc(sizeof(haddr_t)) : NULL;
    if (!stream->destination)
        return -ENOMEM;
    haddr_set(stream->destination, local, haddr_len(local));
    haddr_unmap(stream->destination);
    return 0;
}

/* Behind TLS what waits need not be the client's own words. */
static bool has_spoken(const stream_t *stream)
{
    return !stream->tls && hsocket_has_input(hio_fd(stream->client));
}

static void reach_target(stream_t *stream)
{
    int err = settings_of(stream)->send_proxy ? find_destination(stream) : 0;

    if (err) {
        end_because(stream, err);
        return;
    }
    hevent_set_userdata(stream->client, stream);
    hio_setcb_close(stream->client, on_client_gone);
    watch_begin(stream->session.service, &stream->watched, stream->client);
    reach_start(&stream->reach, &stream->session, stream->destination, has_spoken(stream),
                on_reached);
}

/* ---- the client ------------------------------------------------------------------------------ */

static void lead_on(stream_t *stream)
{
    struct forward_s *forward = stream->session.service->forward;

    if (!forward) {
        reach_target(stream);
        return;
    }
    stream->state = STREAM_FORWARD;
    hlist_remove(&stream->link);
    let_go(stream->client);
    forward_accept(forward, &stream->session, stream->client);
}

static void on_tls_close(hio_t *io)
{
    stream_t *stream = hevent_userdata(io);
    int err = hio_error(io);
    char words[HTLS_ERROR_SIZE], why[HTLS_ERROR_SIZE + 32];

    htls_error(io, words, sizeof(words));
    if (!words[0] && err == 0)
        snprintf(words, sizeof(words), "the connection ended");
    snprintf(why, sizeof(why), "TLS handshake: %s", words[0] ? words : herr_str(err));
    stream->client = NULL;
    end(stream, session_end_of_request(err), why);
}

static void on_tls_done(hio_t *io)
{
    stream_t *stream = hevent_userdata(io);

    let_go(io);
    lead_on(stream);
}

static void start_tls(stream_t *stream)
{
    const service_t *service = stream->session.service;
    hio_t *io = stream->client;
    int err;

    if (!stream->tls) {
        lead_on(stream);
        return;
    }
    stream->state = STREAM_TLS;
    hevent_set_userdata(io, stream);
    hio_setcb_connect(io, on_tls_done);
    hio_setcb_close(io, on_tls_close);
    hio_set_connect_timeout(io, (int)service->settings->handshake_ms ?: SETTINGS_HANDSHAKE_MS);
    err = htls_server(io, service->tls);
    if (err)
        end_because(stream, err);
}

/* The end that session_admit has told already. */
static void refused(stream_t *stream)
{
    drop_client(stream);
    free_stream(stream);
}

/* A proxy that speaks for itself (LOCAL), or knows no addresses, is the client. */
static int take_header(stream_t *stream, const proxy_header_t *header)
{
    session_t *session = &stream->session;
    const struct sockaddr *from = (const struct sockaddr *)&header->source;
    const struct sockaddr *to = (const struct sockaddr *)&header->destination;

    if (header->local || from->sa_family == AF_UNSPEC)
        return 0;
    stream->destination = hmem_zalloc(sizeof(haddr_t));
    if (!stream->destination)
        return -ENOMEM;
    haddr_set(stream->destination, to, haddr_len(to));
    session->peer = session->client;
    haddr_set(&session->client, from, haddr_len(from));
    haddr_unmap(&session->client);
    return 0;
}

static void on_header(hio_t *io, const proxy_header_t *header, const char *words, void *arg)
{
    stream_t *stream = arg;
    int err = hio_error(io);
    char why[PROXY_ERROR_SIZE + 64];

    if (!header) {
        stream->client = NULL;
        snprintf(why, sizeof(why), "PROXY header: %s", words);
        end(stream, session_end_of_request(err), why);
        return;
    }
    stream->state = STREAM_REACH; /* the hio is ours again */
    err = take_header(stream, header);
    if (err)
        end_because(stream, err);
    else if (session_admit(&stream->session) != 0)
        refused(stream);
    else
        start_tls(stream);
}

static void read_header(stream_t *stream)
{
    int err;

    if (!stream->session.expects_header) {
        start_tls(stream);
        return;
    }
    err = hproxy_header_read(stream->client,
                             settings_of(stream)->handshake_ms ?: SETTINGS_HANDSHAKE_MS, on_header,
                             stream);
    if (err)
        end_because(stream, err);
    else
        stream->state = STREAM_HEADER;
}

static int set_client(stream_t *stream, const service_t *service, hio_t *io, bool tls)
{
    session_t *session = &stream->session;
    const struct sockaddr *peer = hio_peeraddr(io);

    if (!peer)
        return -ENOMEM;
    haddr_set(&session->client, peer, hio_peeraddr_len(io));
    haddr_unmap(&session->client);
    session->protocol = tls ? "tls" : hio_type(io) == HIO_TYPE_UNIX_STREAM ? "unix" : "tcp";
    session->expects_header =
        service->settings->accept_proxy && haccess_check(service->trusted, &session->client.u.sa);
    stream->client = io;
    stream->tls = tls;
    stream->state = STREAM_REACH;
    return 0;
}

void stream_accept(service_t *service, hio_t *io, bool tls)
{
    stream_t *stream = hmem_zalloc(sizeof(*stream));

    if (!stream || set_client(stream, service, io, tls) != 0) {
        hmem_free(stream);
        hio_abort(io, -ENOMEM);
        return;
    }
    if (session_begin(&stream->session, service) != 0) {
        refused(stream);
        return;
    }
    hlist_push_back(&service->streams, &stream->link);
    read_header(stream);
}

/* ---- from and to others ---------------------------------------------------------------------- */

void stream_end(session_t *session, session_end_e how, const char *why)
{
    stream_t *stream = (stream_t *)session;

    stream->client = NULL;
    end(stream, how, why);
}

void stream_joined(session_t *session, hio_t *client, hio_t *target)
{
    stream_t *stream = (stream_t *)session;

    stream->client = client;
    stream->upstream = target;
    if (session->connected_us == 0)
        session->connected_us = hloop_now_us(session->service->lane->loop);
    hlist_push_back(&session->service->streams, &stream->link);
    begin_relay(stream);
}

/* What is under way is lost: a client must not take it for the whole. */
static void reset_side(hio_t *io)
{
    if (!io)
        return;
    let_go(io);
    hio_reset(io);
}

static void stop(stream_t *stream)
{
    if (stream->state == STREAM_RELAY) {
        measure(&stream->session);
        reset_side(stream->client);
        reset_side(stream->upstream);
        stream->client = stream->upstream = NULL;
    }
    end(stream, SESSION_STOPPED, "");
}

void stream_end_all(service_t *service)
{
    hlist_t *node;

    while ((node = hlist_pop_front(&service->streams)) != NULL)
        stop(HLIST_ENTRY(node, stream_t, link));
}
