#include "reach.h"

static void pick(reach_t *reach);
static int dial(reach_t *reach);

static const service_settings_t *settings_of(const reach_t *reach)
{
    return reach->session->service->settings;
}

bool reach_is_shortage(int err)
{
    return err == -EMFILE || err == -ENFILE || err == -ENOMEM || err == -ENOBUFS;
}

static void fail(reach_t *reach, session_end_e end, const char *why)
{
    reach->done(reach, NULL, end, why);
}

static bool may_retry(const reach_t *reach)
{
    return reach->tried.count <= settings_of(reach)->retries;
}

static void forget_target(reach_t *reach)
{
    htarget_release(reach->session->target, 0, 0);
    reach->session->target = NULL;
}

/* The next one, if there is one; why it was not this one is told in any case. */
static void dial_failed(reach_t *reach, int err, const char *why)
{
    session_t *session = reach->session;
    htarget_t *target;

    if (reach_is_shortage(err)) { /* another one would not help */
        fail(reach, SESSION_NO_RESOURCES, why);
        return;
    }
    if (err != -EADDRNOTAVAIL) /* it is we who have no more ports */
        htarget_failed(session->target, err);
    if (!may_retry(reach) ||
        htargets_pick(session->service->targets, &session->client, &reach->tried, &target) != 0) {
        fail(reach, SESSION_CONNECT_FAILED, why);
        return;
    }
    hlogfile_say(session->service->lane->env->log, HLOG_INFO, "%s: %s: the next target is %s",
                 settings_of(reach)->name, why, htarget_name(target));
    forget_target(reach);
    session->target = target;
    reach_again(reach);
}

static void on_dialled(hdial_t *dialled, hio_t *io, int err, void *arg)
{
    reach_t *reach = arg;

    reach->dial = NULL;
    if (err) {
        dial_failed(reach, err, hdial_error(dialled));
        return;
    }
    reach->session->connected_us = hloop_now_us(reach->session->service->lane->loop);
    reach->done(reach, io, SESSION_DONE, "");
}

/* One address: the limit of the connection's own time is all that is needed. */
static int dial(reach_t *reach)
{
    const session_t *session = reach->session;
    const service_settings_t *s = settings_of(reach);
    const hendpoint_t *to = htarget_endpoint(session->target);
    hdial_options_t options = {
        .timeout_ms = -1,
        .address_timeout_ms = s->connect_ms ?: SETTINGS_CONNECT_MS,
        .talk_timeout_ms = s->handshake_ms ?: SETTINGS_HANDSHAKE_MS,
        .attempt_delay_ms = -1,
        .addrs = htarget_addr(session->target),
        .addr_count = 1,
    };

    options.socket.speaks_first = reach->speaks_first;
    if (session->service->source.len > 0)
        options.socket.source = &session->service->source;
    if (to->scheme == HENDPOINT_TLS) {
        options.tls = session->service->target_tls;
        options.tls_name =
            s->target_tls.name ? s->target_tls.name : htarget_tls_name(session->target);
    }
    if (s->send_proxy && hendpoint_socktype(to) == SOCK_STREAM) {
        options.proxy_protocol = s->send_proxy;
        options.proxy_source = &session->client;
        options.proxy_destination = reach->destination;
    }
    return hdial_start(session->service->lane->loop, to, &options, on_dialled, reach, &reach->dial);
}

void reach_again(reach_t *reach)
{
    int err = dial(reach);

    if (err)
        fail(reach, SESSION_NO_RESOURCES, herr_str(err));
}

static void on_waited(htargets_wait_t *wait, int err, void *arg)
{
    (void)wait;
    if (err)
        fail(arg, SESSION_STOPPED, "");
    else
        pick(arg);
}

static void pick(reach_t *reach)
{
    session_t *session = reach->session;
    htargets_t *targets = session->service->targets;
    char why[HTARGETS_WHY_SIZE];
    int err = htargets_pick(targets, &session->client, &reach->tried, &session->target);

    if (err == -EAGAIN) {
        htargets_wait(targets, &reach->wait, on_waited, reach);
        return;
    }
    if (err) {
        session->target = NULL;
        fail(reach, SESSION_NO_TARGET, htargets_why(targets, why, sizeof(why)));
        return;
    }
    reach_again(reach);
}

void reach_start(reach_t *reach, session_t *session, const haddr_t *destination, bool speaks_first,
                 reach_cb done)
{
    reach->session = session;
    reach->destination = destination;
    reach->speaks_first = speaks_first;
    reach->done = done;
    pick(reach);
}

void reach_cancel(reach_t *reach)
{
    htargets_wait_cancel(&reach->wait);
    hdial_cancel(reach->dial);
    reach->dial = NULL;
}
