/* Steps of a dial: resolve and connect (hdial_connect.c), each proxy (hdial_proxy.c), the PROXY
 * header, TLS. The connection's callbacks belong to the dial until it is handed over. Whatever ends
 * the dial frees it: after a call that may do so nothing of it is touched. */
#include "hdial_int.h"

#include "../base/hmem.h"
#include "../base/hstr.h"
#include "../codec/proxy_protocol.h"

#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define REST_MS (INFINITE - 1)
#define TALK_MAX_MS (INT_MAX / 2)

void hdial__set_timer(hdial_t *dial, hdial_timer_e what, int timeout_ms)
{
    dial->timer_for = what;
    if (dial->timer)
        htimer_reset(dial->timer, what == HDIAL_TIMER_REST ? REST_MS : (uint32_t)timeout_ms);
}

int hdial__talk_timeout(const hdial_t *dial, int usual_ms)
{
    int timeout_ms = dial->options.talk_timeout_ms;

    if (timeout_ms < 0)
        return TALK_MAX_MS;
    return timeout_ms ? timeout_ms : usual_ms;
}

bool hdial__say(hdial_t *dial, const char *format, ...)
{
    size_t room = sizeof(dial->error) - dial->error_len;
    va_list args;
    int n;

    va_start(args, format);
    n = vsnprintf(dial->error + dial->error_len, room, format, args);
    va_end(args);
    if (n < 0 || (size_t)n >= room) {
        dial->error[dial->error_len] = '\0';
        return false;
    }
    dial->error_len += (size_t)n;
    return true;
}

const char *hdial__name(const hendpoint_t *ep, char *buf, size_t size)
{
    if (hendpoint_is_unix(ep))
        return hendpoint_format(ep, buf, size);
    snprintf(buf, size, "%s port %u", ep->host[0] ? ep->host : "this host", (unsigned)ep->port);
    return buf;
}

uint64_t hdial__elapsed_us(const hdial_t *dial)
{
    uint64_t us = hloop_now_hrtime(dial->loop) - dial->start_us;

    return us ? us : 1;
}

int hdial__need_dns(hdial_t *dial)
{
    int err;

    if (dial->dns)
        return 0;
    err = hdns_new(dial->loop, NULL, &dial->dns);
    dial->own_dns = err == 0;
    return err;
}

/* ---- the end --------------------------------------------------------------------------------- */

static void drop_io(hdial_t *dial)
{
    hio_t *io = dial->io;

    dial->io = NULL;
    if (!io)
        return;
    hio_setcb_connect(io, NULL);
    hio_setcb_read(io, NULL);
    hio_setcb_close(io, NULL);
    hio_abort(io, 0);
}

static void free_dial(hdial_t *dial)
{
    hdial__connect_deinit(dial);
    hdial__proxy_deinit(dial);
    drop_io(dial);
    if (dial->own_dns)
        hdns_free(dial->dns);
    htls_ctx_free(dial->options.tls);
    htls_ctx_free(dial->options.proxy_tls);
    htimer_del(dial->total);
    htimer_del(dial->timer);
    hmem_free(dial);
}

static void end(hdial_t *dial, hio_t *io, int err)
{
    dial->done = true;
    hdial__connect_deinit(dial); /* before the callback: nothing may call back beside it */
    hdial__proxy_deinit(dial);
    drop_io(dial);
    htimer_del(dial->total);
    htimer_del(dial->timer);
    dial->total = NULL;
    dial->timer = NULL;
    dial->cb(dial, io, err, dial->arg);
    free_dial(dial);
}

void hdial__fail(hdial_t *dial, int err)
{
    end(dial, NULL, err);
}

static void succeed(hdial_t *dial)
{
    hio_t *io = dial->io;

    dial->io = NULL;
    dial->step = HDIAL_STEP_DONE;
    hio_setcb_connect(io, NULL);
    hio_setcb_close(io, NULL);
    hio_setcb_read(io, NULL);
    hevent_set_userdata(io, NULL);
    end(dial, io, 0);
}

static void fail_because(hdial_t *dial, int err)
{
    dial->error_len = 0;
    hdial__say(dial, "%s", herr_str(err));
    hdial__fail(dial, err);
}

/* ---- the PROXY header ------------------------------------------------------------------------ */

static void copy_address(struct sockaddr_storage *to, const struct sockaddr *from, socklen_t len)
{
    memset(to, 0, sizeof(*to));
    memcpy(to, from, len < sizeof(*to) ? len : sizeof(*to));
}

/* The header's address: what the program says, with the connection's port if it has none. */
static void set_address(struct sockaddr_storage *to, const haddr_t *said,
                        const struct sockaddr *own)
{
    const struct sockaddr *from = said ? &said->u.sa : own;
    int port = haddr_port(from);

    copy_address(to, from, haddr_len(from));
    if (port == 0)
        haddr_set_port((struct sockaddr *)to, (uint16_t)haddr_port(own));
}

/* Addresses of two families say nothing together: the header then names none. */
static int send_header(hdial_t *dial)
{
    const hdial_options_t *o = &dial->options;
    proxy_header_t header = {.version = o->proxy_protocol, .local = o->proxy_local};
    char text[PROXY_HEADER_MAX];
    const struct sockaddr *source = hio_localaddr(dial->io);
    const struct sockaddr *destination = hio_peeraddr(dial->io);
    ssize_t len;
    int err;

    if (!source || !destination)
        return -ENOMEM;
    header.datagram = hendpoint_socktype(&dial->to) == SOCK_DGRAM;
    set_address(&header.source, o->proxy_source, source);
    set_address(&header.destination, o->proxy_destination, destination);
    if (o->proxy_local || header.source.ss_family != header.destination.ss_family) {
        memset(&header.source, 0, sizeof(header.source));
        memset(&header.destination, 0, sizeof(header.destination));
    }
    len = proxy_compose(&header, false, text, sizeof(text));
    if (len < 0)
        return (int)len;
    err = hio_write(dial->io, text, (size_t)len);
    return err < 0 ? err : 0;
}

/* ---- TLS ------------------------------------------------------------------------------------- */

static void fail_tls(hdial_t *dial, int err)
{
    char why[HTLS_ERROR_SIZE] = "";

    if (dial->io && htls_is_tls(dial->io))
        htls_error(dial->io, why, sizeof(why));
    dial->io = NULL; /* it is closed, or closing by itself */
    dial->step = dial->proxy < dial->options.proxy_count ? HDIAL_STEP_PROXY : HDIAL_STEP_TLS;
    dial->error_len = 0;
    hdial__say(dial, "TLS with %s: %s", dial->tls_with, why[0] ? why : herr_str(err));
    hdial__fail(dial, err);
}

static void on_tls_close(hio_t *io)
{
    int err = hio_error(io);

    fail_tls(hevent_userdata(io), err ? err : HERR_TRUNCATED);
}

static void on_tls_connect(hio_t *io)
{
    hdial_t *dial = hevent_userdata(io);

    hdial__set_timer(dial, HDIAL_TIMER_REST, 0);
    if (dial->proxy == dial->options.proxy_count) {
        dial->tls_done = true;
        dial->times.tls_us = hdial__elapsed_us(dial);
    }
    hdial__proceed(dial);
}

void hdial__tls(hdial_t *dial, htls_ctx_t *ctx, const char *name, const char *with)
{
    int timeout_ms = hdial__talk_timeout(dial, HTLS_HANDSHAKE_TIMEOUT_MS);
    int err;

    dial->tls_with = with;
    hio_setcb_connect(dial->io, on_tls_connect);
    hio_setcb_close(dial->io, on_tls_close);
    hio_set_connect_timeout(dial->io, timeout_ms);
    err = htls_client(dial->io, ctx, name);
    if (err)
        fail_because(dial, err);
    else
        hdial__set_timer(dial, HDIAL_TIMER_TLS, timeout_ms + 1000);
}

/* Who the certificate has to be for: an end point without a host is this machine, not anybody. */
static const char *peer_name(const hdial_t *dial)
{
    if (hendpoint_is_unix(&dial->to) || dial->to.host[0])
        return dial->to.host;
    return "localhost";
}

static void start_tls(hdial_t *dial)
{
    const char *wanted = dial->options.tls_name ? dial->options.tls_name : peer_name(dial);
    char name[HENDPOINT_HOST_SIZE];
    size_t len = hstr_copy(name, sizeof(name), wanted);

    dial->step = HDIAL_STEP_TLS;
    if (len > 0 && len < sizeof(name) && name[len - 1] == '.')
        name[len - 1] = '\0';        /* RFC 6066 section 3: without it */
    name[strcspn(name, "%")] = '\0'; /* a zone is nothing to the peer */
    hdial__tls(dial, dial->options.tls, name[0] ? name : NULL,
               hendpoint_is_unix(&dial->to) ? dial->to.path : peer_name(dial));
}

/* ---- the steps ------------------------------------------------------------------------------- */

void hdial__proceed(hdial_t *dial)
{
    int err = 0;

    if (dial->proxy < dial->options.proxy_count) {
        dial->step = HDIAL_STEP_PROXY;
        hdial__proxy_start(dial);
        return;
    }
    if (dial->options.proxy_protocol && !dial->header_sent) {
        dial->header_sent = true;
        err = send_header(dial);
    }
    if (err)
        fail_because(dial, err);
    else if (dial->options.tls && !dial->tls_done)
        start_tls(dial);
    else
        succeed(dial);
}

static void time_out_tls(hdial_t *dial)
{
    hio_t *io = dial->io;

    hio_setcb_close(io, NULL);
    hio_setcb_connect(io, NULL);
    hio_abort(io, -ETIMEDOUT);
    dial->io = NULL;
    fail_tls(dial, -ETIMEDOUT);
}

static void on_timer(htimer_t *timer)
{
    hdial_t *dial = hevent_userdata(timer);

    switch (dial->timer_for) {
    case HDIAL_TIMER_BEGIN:
        hdial__set_timer(dial, HDIAL_TIMER_REST, 0);
        hdial__connect(dial);
        break;
    case HDIAL_TIMER_NAMES:
    case HDIAL_TIMER_ATTEMPT:
        hdial__connect_timer(dial);
        break;
    case HDIAL_TIMER_PROXY:
        hdial__proxy_timed_out(dial);
        break;
    case HDIAL_TIMER_TLS:
        time_out_tls(dial);
        break;
    case HDIAL_TIMER_REST:
        break;
    }
}

static void on_total(htimer_t *timer)
{
    hdial_t *dial = hevent_userdata(timer);

    dial->total = NULL; /* frees itself */
    if (!dial->io)
        hdial__connect_timed_out(dial);
    else if (dial->step == HDIAL_STEP_TLS)
        time_out_tls(dial);
    else
        hdial__proxy_timed_out(dial);
}

/* ---- the beginning --------------------------------------------------------------------------- */

static bool is_valid(const hendpoint_t *to, const hdial_options_t *o)
{
    bool stream = hendpoint_socktype(to) == SOCK_STREAM;

    if (to->scheme == HENDPOINT_TLS && !o->tls)
        return false;
    if (!stream && (o->tls || o->proxy_count > 0))
        return false;
    if (o->proxy_count > HPROXY_CHAIN_MAX || (hendpoint_is_unix(to) && o->proxy_count > 0))
        return false;
    for (size_t i = 1; i < o->proxy_count; i++) {
        if (strncmp(o->proxies[i].host, "unix:", 5) == 0)
            return false; /* no proxy reaches it */
    }
    return o->proxy_protocol >= 0 && o->proxy_protocol <= 2 && (!o->addr_count || o->addrs);
}

static int limit_time(hdial_t *dial)
{
    int timeout_ms = dial->options.timeout_ms;

    if (timeout_ms < 0)
        return 0;
    dial->total =
        htimer_add(dial->loop, on_total, (uint32_t)(timeout_ms ? timeout_ms : HDIAL_TIMEOUT_MS), 1);
    if (!dial->total)
        return -ENOMEM;
    hevent_set_userdata(dial->total, dial);
    return 0;
}

/* One address, and nothing behind the connection, is tried at once and needs no timer. All else,
 * and what fails at once, begins in the loop: nothing is told from inside hdial_start. */
static int begin(hdial_t *dial)
{
    int err = limit_time(dial);

    if (err || hdial__connect_at_once(dial))
        return err;
    dial->timer_for = HDIAL_TIMER_BEGIN;
    dial->timer = htimer_add(dial->loop, on_timer, 0, INFINITE);
    if (!dial->timer)
        return -ENOMEM;
    hevent_set_userdata(dial->timer, dial);
    return 0;
}

int hdial_start(hloop_t *loop, const hendpoint_t *to, const hdial_options_t *options, hdial_cb cb,
                void *arg, hdial_t **out)
{
    static const hdial_options_t defaults;
    hdial_t *dial;
    int err = 0;

    if (!options)
        options = &defaults;
    if (!is_valid(to, options))
        return -EINVAL;
    dial = hmem_zalloc(sizeof(*dial));
    if (!dial)
        return -ENOMEM;
    dial->loop = loop;
    dial->to = dial->hop = *to;
    dial->options = *options;
    if (dial->options.tls)
        htls_ctx_ref(dial->options.tls);
    if (dial->options.proxy_tls)
        htls_ctx_ref(dial->options.proxy_tls);
    dial->dns = options->dns;
    dial->cb = cb;
    dial->arg = arg;
    dial->start_us = hloop_now_hrtime(loop);
    hlist_init(&dial->attempts);
    if (options->proxy_count)
        err = hdial__proxy_hop(&options->proxies[0], &dial->hop);
    if (!err)
        err = begin(dial);
    if (err) {
        free_dial(dial);
        return err;
    }
    if (out)
        *out = dial;
    return 0;
}

void hdial_cancel(hdial_t *dial)
{
    if (dial)
        free_dial(dial);
}

const char *hdial_error(const hdial_t *dial)
{
    return dial->error;
}

int hdial_proxy_status(const hdial_t *dial)
{
    return dial->proxy_status;
}

hdial_step_e hdial_step(const hdial_t *dial)
{
    return dial->step;
}

const haddr_t *hdial_addr(const hdial_t *dial)
{
    return &dial->addr;
}

void hdial_times(const hdial_t *dial, hdial_times_t *times)
{
    *times = dial->times;
}
