/* dial: the client. Ports are tried one after another; what follows a connection (nothing, a probe,
 * a program, a session) ends before the next port is tried.
 *
 *     look the host up (once) -> for each port: hdial -> use -> (again: --wait, --reconnect) */
#include "dial_int.h"

#include "base/hmem.h"
#include "terminal.h"
#include "tls.h"
#include "vsock.h"

#include <string.h>

/* ---- from one attempt to the next ------------------------------------------------------------ */

void dial__finish(dial_t *d)
{
    if (d->session)
        session_finish(d->session);
    else
        hloop_stop(d->hnc->loop);
}

static void on_timer(htimer_t *timer)
{
    dial_t *d = hevent_userdata(timer);

    d->timer = NULL;
    dial__go_on(d);
}

static void dial_in(dial_t *d, uint32_t delay_ms)
{
    d->timer = htimer_add(d->hnc->loop, on_timer, delay_ms > 0 ? delay_ms : 1, 1);
    if (d->timer)
        hevent_set_userdata(d->timer, d);
    else
        dial__go_on(d);
}

void dial__next_port(dial_t *d)
{
    uint32_t interval_ms = d->hnc->options.interval_ms;

    d->port_index++;
    if (interval_ms == 0 || d->port_index >= d->ports.count)
        dial__go_on(d);
    else
        dial_in(d, interval_ms);
}

/* The same port again, if the options say so, else the next one. */
void dial__try_again(dial_t *d, const char *why)
{
    int64_t delay_ms = retry_delay_ms(&d->retry);

    if (delay_ms < 0) {
        if (retry_is_over(&d->retry))
            hnc_say("%s; no answer within %g s", why, (double)d->hnc->options.port_wait_ms / 1000);
        dial__next_port(d);
        return;
    }
    if (d->retry.reconnect)
        hnc_note(d->hnc, "%s; next attempt in %g s", why, (double)delay_ms / 1000);
    dial_in(d, (uint32_t)delay_ms);
}

/* ---- one attempt ----------------------------------------------------------------------------- */

static void on_attempt(hdial_t *dial, const haddr_t *addr, int err, void *arg)
{
    dial_t *d = arg;

    (void)dial;
    if (dial__is_bind_error(d, err))
        dial__report_source(d, err);
    else if (d->proxies.count == 0)
        dial__report_failure(d, addr, err);
}

/* What on_attempt has not told. */
static void report_dial(const dial_t *d, int err)
{
    bool told = hdial_step(d->dial) == HDIAL_STEP_CONNECT && d->proxies.count == 0;

    if (hdial_step(d->dial) == HDIAL_STEP_RESOLVE && d->proxies.count == 0)
        dial__report_unresolved(d, err, hdial_error(d->dial));
    else if (!told && !dial__is_quiet(d, err))
        hnc_say("%s", hdial_error(d->dial));
}

static void on_dialled(hdial_t *dial, hio_t *io, int err, void *arg)
{
    dial_t *d = arg;

    if (err == 0) {
        d->dial = NULL;
        d->addr = *hdial_addr(dial);
        if (d->socket.source && d->hnc->options.source_addr)
            hsocket_path_remember(&d->path, &d->source);
        dial__use(d, io);
        return;
    }
    report_dial(d, err);
    d->dial = NULL;
    if (dial__is_bind_error(d, err))
        dial__finish(d);
    else
        dial__try_again(d, hdial_error(dial));
}

static int connect_timeout_ms(const dial_t *d)
{
    uint32_t wait_ms = d->hnc->options.wait_ms;
    int left_ms = retry_time_left_ms(&d->retry);

    if (wait_ms != HNC_NO_TIME && (int64_t)wait_ms < left_ms)
        left_ms = wait_ms > 0 ? (int)wait_ms : 1;
    return left_ms == INT32_MAX ? 0 : left_ms;
}

static int make_endpoint(const dial_t *d, hendpoint_t *to)
{
    const options_t *o = &d->hnc->options;
    hendpoint_scheme_e scheme = o->udp ? HENDPOINT_UDP : HENDPOINT_TCP;

    if (o->unix_path)
        scheme = o->udp ? HENDPOINT_UNIXGRAM : HENDPOINT_UNIX;
    return hendpoint_set(to, scheme, d->target[0] ? d->target : o->host, (int)dial__port(d));
}

static int start(dial_t *d)
{
    const options_t *o = &d->hnc->options;
    hdial_options_t options = {
        .dns = d->dns,
        .family = o->family,
        .numeric = o->numeric && d->proxies.count == 0,
        .timeout_ms = -1,
        .address_timeout_ms = connect_timeout_ms(d),
        .attempt_delay_ms = d->socket.source ? -1 : 0,
        .socket = d->socket,
        .addrs = d->addrs,
        .addr_count = d->addr_count,
        .proxies = d->proxies.items,
        .proxy_count = d->proxies.count,
        .proxy_protocol = o->listen ? 0 : (int)o->proxy_protocol,
        .proxy_tls = d->proxy_tls,
        .tls = d->tls,
        .tls_name = tls_name(o),
        .attempt_cb = on_attempt,
    };
    hendpoint_t to;
    int err = make_endpoint(d, &to);

    for (size_t i = 0; i < d->addr_count; i++)
        haddr_set_port(&d->addrs[i].u.sa, (uint16_t)dial__port(d));
    return err ? err : hdial_start(d->hnc->loop, &to, &options, on_dialled, d, &d->dial);
}

/* The attempt on the current port, or the end if there is none. */
void dial__go_on(dial_t *d)
{
    int err = 0;

    if (d->port_index < d->ports.count)
        err = start(d);
    if (err)
        hnc_say("%s: %s", d->hnc->options.host, herr_str(err));
    if (err || d->port_index >= d->ports.count)
        dial__finish(d);
}

/* ---- what to try ----------------------------------------------------------------------------- */

static int keep_addresses(dial_t *d, const haddr_t *addrs, size_t count)
{
    d->addrs = hmem_array(count, sizeof(*addrs));
    if (!d->addrs)
        return -ENOMEM;
    memcpy(d->addrs, addrs, count * sizeof(*addrs));
    d->addr_count = count;
    return 0;
}

static void on_resolved(hdns_query_t *query, int err, const haddr_t *addrs, size_t count, void *arg)
{
    dial_t *d = arg;

    if (err == 0 && d->proxies.count > 0)
        haddr_ip(&addrs[0].u.sa, d->target, sizeof(d->target));
    else if (err == 0)
        err = keep_addresses(d, addrs, count);
    else if (d->proxies.count > 0 && d->hnc->options.proxy_dns == PROXY_DNS_BOTH)
        err = 0; /* the proxy may know it */
    if (err == 0) {
        dial__go_on(d);
        return;
    }
    dial__report_unresolved(d, err, hdns_error(query));
    dial__finish(d);
}

/* Several ports of one host ask for its name once; a proxy gets an address if --proxy-dns says
 * so. */
static bool resolves_first(const dial_t *d)
{
    int how = d->hnc->options.proxy_dns;

    if (d->proxies.count == 0)
        return d->dns && d->ports.count > 1;
    return how == PROXY_DNS_LOCAL || how == PROXY_DNS_BOTH;
}

static void begin(dial_t *d)
{
    const options_t *o = &d->hnc->options;
    int family = proxy_takes_ipv4_only(&d->proxies) ? AF_INET : o->family;
    int err = 0;

    if ((!o->numeric && !o->vsock) || d->proxies.count > 0)
        err = hdns_new(d->hnc->loop, NULL, &d->dns);
    if (err == 0 && resolves_first(d))
        err = hdns_resolve(d->dns, o->host, family, on_resolved, d, NULL);
    else if (err == 0)
        dial__go_on(d);
    if (err) {
        hnc_say("%s: %s", o->host, herr_str(err));
        dial__finish(d);
    }
}

/* Its address is known, and no proxy leads there. */
static int use_vsock(dial_t *d)
{
    d->addrs = hmem_array(1, sizeof(*d->addrs));
    if (!d->addrs) {
        hnc_say("%s", herr_str(-ENOMEM));
        return HNC_FAILED;
    }
    d->addr_count = 1;
    return vsock_address(d->hnc->options.host, 0, d->addrs);
}

static int prepare_target(dial_t *d)
{
    const options_t *o = &d->hnc->options;
    int status = 0;

    if (o->unix_path) {
        if (o->source_addr)
            hnc_watch_signals(d->hnc);
        d->ports.count = 1; /* one round, and no look at the ports */
        return 0;
    }
    for (size_t i = 0; i < o->port_count && status == 0; i++)
        status = ports_add(&d->ports, o, o->ports[i]);
    if (status != 0)
        return status;
    if (o->random)
        ports_shuffle(&d->ports);
    if (o->vsock)
        return use_vsock(d);
    return proxy_chain_make(&d->proxies, o, o->host, (uint16_t)dial__port(d));
}

static int prepare(dial_t *d)
{
    const options_t *o = &d->hnc->options;

    int status = prepare_target(d);

    if (status == 0)
        status = hnc_socket_options(o, &d->socket, &d->source);
    if (status == 0)
        status = retry_init(&d->retry, o);
    if (status == 0)
        status = tls_context(d->hnc, &d->tls);
    if (status == 0)
        status = tls_proxy_context(o, &d->proxy_tls);
    return status == 0 ? dial__make_session(d) : status;
}

int dial_run(hnc_t *hnc)
{
    dial_t d = {.hnc = hnc};

    hnc->status = prepare(&d);
    if (hnc->status == 0) {
        hnc->status = HNC_FAILED;
        begin(&d);
        hloop_run(hnc->loop);
    }
    hdial_cancel(d.dial);
    hdns_free(d.dns);
    terminal_close(hnc);
    hloop_free(&hnc->loop);
    hsocket_path_remove(&d.path);
    session_free(d.session);
    exec_free(d.exec);
    htls_ctx_free(d.tls);
    htls_ctx_free(d.proxy_tls);
    hmem_free(d.addrs);
    ports_deinit(&d.ports);
    return hnc->status;
}
