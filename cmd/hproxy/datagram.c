/* Datagrams: each client is a flow (net/hflow) and a session, from its first datagram on until it
 * was idle. Its target may take datagrams or be a stream.
 *
 * That a datagram socket is connected says nothing of its target: the first answer does, or the
 * refusal that comes back. */
#include "kinds.h"
#include "reach.h"

#include "base/hmem.h"
#include "event/htimer.h"
#include "net/hflow.h"

#include <stdio.h>

#define HURRY_PART 5

typedef struct datagrams_s {
    hlist_t sockets;
    size_t waiting_bytes; /* of all of them */
} datagrams_t;

/* One that clients send to; freed when the last of its upstreams is gone. */
typedef struct socket_s {
    hlist_t link; /* not linked: datagrams_free was there */
    service_t *service;
    hio_t *io; /* NULL: closed */
    hflows_t *flows;
} socket_t;

typedef struct talk_s {
    session_t session; /* first: a talk is found from it */
    reach_t reach;
    hflow_t *flow;
    htimer_t *lifetime; /* NULL: none */
    htimer_t *retry;    /* likewise */
    bool has_tried;
    session_end_e end; /* why hflow_close was called, ... */
    const char *why;   /* valid during that call */
} talk_t;

static void measure(session_t *session)
{
    hflow_stats_t stats;

    hflow_stats(((const talk_t *)session)->flow, &stats);
    session->sent_bytes = stats.sent_bytes;
    session->received_bytes = stats.received_bytes;
}

/* ---- the end --------------------------------------------------------------------------------- */

static void end_flow(talk_t *talk, session_end_e end, const char *why)
{
    talk->end = end;
    talk->why = why;
    hflow_close(talk->flow, 0);
}

static void end_because(talk_t *talk, int err)
{
    end_flow(talk, SESSION_NO_RESOURCES, herr_str(err));
}

/* A refusal is the target's failure; whatever else comes of the network may not be. */
static void end_by_upstream(talk_t *talk, int err)
{
    session_t *session = &talk->session;
    char why[REACH_WHY_SIZE];

    if (err == 0 || err == HERR_TRUNCATED) {
        session_end(session, SESSION_DONE, "");
        return;
    }
    if (session->target && err == -ECONNREFUSED)
        htarget_failed(session->target, err);
    snprintf(why, sizeof(why), "%s: %s", session->target ? htarget_address(session->target) : "",
             herr_str(err));
    session_end(session, SESSION_TARGET_ERROR, why);
}

static void on_closed(hflow_t *flow, hflow_end_e end, int err, void *arg)
{
    talk_t *talk = hflow_userdata(flow);

    (void)arg;
    htimer_del(talk->lifetime);
    htimer_del(talk->retry);
    reach_cancel(&talk->reach);
    measure(&talk->session);
    switch (end) {
    case HFLOW_CLOSED:
        session_end(&talk->session, talk->end, talk->why);
        break;
    case HFLOW_UPSTREAM:
        end_by_upstream(talk, err);
        break;
    case HFLOW_IDLE:
        session_end(&talk->session, SESSION_IDLE, "");
        break;
    case HFLOW_EVICTED:
        session_end(&talk->session, SESSION_LIMITED, "made room: it was silent longest");
        break;
    case HFLOW_SOCKET:
        session_end(&talk->session, SESSION_STOPPED, err ? herr_str(err) : "");
        break;
    }
    hmem_free(talk);
}

/* ---- the way to a target --------------------------------------------------------------------- */

static bool is_datagram(const hio_t *io)
{
    return (hio_type(io) & HIO_TYPE_SOCK_DGRAM) != 0;
}

static void on_answered(hflow_t *flow, void *arg)
{
    talk_t *talk = hflow_userdata(flow);

    (void)arg;
    if (talk->session.target && is_datagram(hflow_upstream(flow)))
        htarget_connected(talk->session.target);
}

/* The service's limits of bytes count; each flow's own would need two more of them. */
static int set_rates(const service_t *service, hio_t *upstream)
{
    uint64_t own = service->settings->limit_rate;
    hrate_t *rate = own ? hrate_new(hevent_loop(upstream), own, 0) : NULL;
    int err = 0;

    if (own && !rate)
        return -errno;
    if (rate || service->rate_out)
        err = hio_set_read_rate(upstream, rate ? rate : service->rate_out);
    if (!err && service->rate_in)
        err = hio_set_write_rate(upstream, service->rate_in);
    hrate_free(rate);
    return err;
}

static void on_retry(htimer_t *timer)
{
    talk_t *talk = hevent_userdata(timer);

    talk->retry = NULL; /* frees itself */
    reach_again(&talk->reach);
}

/* Once, for want of descriptors: in the place of another one, which is free when this iteration of
 * the loop has ended. */
static bool tries_again(talk_t *talk)
{
    if (talk->has_tried || !hflow_make_room(talk->flow))
        return false;
    talk->has_tried = true;
    talk->retry = htimer_add(talk->session.service->lane->loop, on_retry, 1, 1);
    if (talk->retry)
        hevent_set_userdata(talk->retry, talk);
    return talk->retry != NULL;
}

static void on_reached(reach_t *reach, hio_t *io, session_end_e end, const char *why)
{
    talk_t *talk = HLIST_ENTRY(reach, talk_t, reach);
    int err;

    if (!io && end == SESSION_NO_RESOURCES && tries_again(talk))
        return;
    if (!io) {
        end_flow(talk, end, why);
        return;
    }
    if (!is_datagram(io))
        htarget_connected(talk->session.target);
    err = set_rates(talk->session.service, io);
    if (!err)
        err = hflow_join(talk->flow, io);
    if (!err)
        return;
    hio_abort(io, err);
    end_because(talk, err);
}

/* ---- the beginning --------------------------------------------------------------------------- */

static void on_lifetime(htimer_t *timer)
{
    talk_t *talk = hevent_userdata(timer);

    talk->lifetime = NULL; /* frees itself */
    end_flow(talk, SESSION_EXPIRED, "");
}

/* 0 or -ENOMEM. */
static int limit_lifetime(talk_t *talk)
{
    const service_t *service = talk->session.service;

    if (service->settings->lifetime_ms == 0)
        return 0;
    talk->lifetime =
        htimer_add(service->lane->loop, on_lifetime, service->settings->lifetime_ms, 1);
    if (!talk->lifetime)
        return -ENOMEM;
    hevent_set_userdata(talk->lifetime, talk);
    return 0;
}

/* A flow that is refused costs nothing more: its next datagram asks again. */
static int on_open(hflow_t *flow, void *arg)
{
    socket_t *socket = arg;
    service_t *service = socket->service;
    talk_t *talk = hmem_zalloc(sizeof(*talk));
    int err;

    if (!talk)
        return -ENOMEM;
    talk->flow = flow;
    talk->end = SESSION_STOPPED;
    talk->why = "";
    talk->session.measure = measure;
    talk->session.datagrams = true;
    hflow_set_userdata(flow, talk);
    talk->session.client = *hflow_client(flow);
    haddr_unmap(&talk->session.client);
    talk->session.protocol = hio_type(socket->io) == HIO_TYPE_UDP ? "udp" : "unixgram";
    err = session_begin(&talk->session, service);
    if (err) {
        hmem_free(talk);
        return err;
    }
    err = limit_lifetime(talk);
    if (err)
        end_because(talk, err);
    else
        reach_start(&talk->reach, &talk->session, NULL, true, on_reached);
    return 0;
}

static void on_socket_closed(hio_t *io)
{
    socket_t *socket = hevent_userdata(io);

    hlogfile_say(socket->service->lane->env->log, HLOG_ERROR, "%s: datagrams: %s",
                 socket->service->settings->name, herr_str(hio_error(io)));
    socket->io = NULL;
}

static void on_freed(void *arg)
{
    socket_t *socket = arg;

    hlist_remove(&socket->link);
    hmem_free(socket);
}

static uint32_t idle_ms_of(const service_t *service)
{
    return service->settings->idle_ms ? service->settings->idle_ms : SETTINGS_DATAGRAM_IDLE_MS;
}

static int serve(service_t *service, socket_t *socket)
{
    const service_settings_t *s = service->settings;
    const hflows_options_t options = {
        .idle_ms = idle_ms_of(service),
        .flows_max = s->flows_max ? s->flows_max : SETTINGS_FLOWS_MAX,
        .waiting_bytes = &service->datagrams->waiting_bytes,
        .open = on_open,
        .answered = on_answered,
        .closed = on_closed,
        .freed = on_freed,
        .arg = socket,
    };

    socket->service = service;
    hevent_set_userdata(socket->io, socket);
    hio_setcb_close(socket->io, on_socket_closed);
    return hflows_new(socket->io, &options, &socket->flows);
}

static datagrams_t *datagrams_of(service_t *service)
{
    if (service->datagrams)
        return service->datagrams;
    service->datagrams = hmem_zalloc(sizeof(*service->datagrams));
    if (!service->datagrams)
        return NULL;
    hlist_init(&service->datagrams->sockets);
    return service->datagrams;
}

int datagrams_listen(service_t *service, hio_t *io)
{
    datagrams_t *datagrams = datagrams_of(service);
    socket_t *socket = datagrams ? hmem_zalloc(sizeof(*socket)) : NULL;
    int err = -ENOMEM;

    if (socket) {
        socket->io = io;
        err = serve(service, socket);
    }
    if (!err) {
        hlist_push_back(&datagrams->sockets, &socket->link);
        return 0;
    }
    hio_setcb_close(io, NULL);
    hio_abort(io, err);
    hmem_free(socket);
    return err;
}

/* ---- the end of all -------------------------------------------------------------------------- */

/* The next generation of workers reads the same sockets: what comes is for it from now on. Answers
 * of targets still leave. */
void datagrams_stop(datagrams_t *datagrams)
{
    hlist_t *node, *next;

    if (!datagrams)
        return;
    HLIST_FOREACH (node, next, &datagrams->sockets) {
        socket_t *socket = HLIST_ENTRY(node, socket_t, link);

        if (socket->io)
            hio_read_stop(socket->io);
    }
}

void datagrams_hurry(datagrams_t *datagrams, uint32_t timeout_ms)
{
    hlist_t *node, *next;

    if (!datagrams)
        return;
    HLIST_FOREACH (node, next, &datagrams->sockets) {
        const socket_t *socket = HLIST_ENTRY(node, socket_t, link);
        uint32_t idle_ms = idle_ms_of(socket->service);

        if (timeout_ms / HURRY_PART < idle_ms)
            idle_ms = timeout_ms / HURRY_PART + 1;
        hflows_set_idle(socket->flows, idle_ms);
    }
}

void datagrams_free(datagrams_t *datagrams)
{
    hlist_t *node;

    if (!datagrams)
        return;
    while ((node = hlist_pop_front(&datagrams->sockets)) != NULL) {
        socket_t *socket = HLIST_ENTRY(node, socket_t, link);
        hio_t *io = socket->io;

        hflows_free(socket->flows); /* and the socket with it, now or later */
        if (!io)
            continue;
        hio_setcb_close(io, NULL);
        hio_abort(io, 0);
    }
    hmem_free(datagrams);
}
