/* dial: the client. Ports are tried one after another, each on the addresses of the host in turn
 * until one answers; what follows a connection (nothing, a probe, a program, a session) ends before
 * the next port is tried. */
#include "base/hmem.h"
#include "dump.h"
#include "event/htimer.h"
#include "exec.h"
#include "net/hlisten.h"
#include "net/hresolve.h"
#include "ports.h"
#include "session.h"
#include "terminal.h"

#include <netdb.h>
#include <stdio.h>
#include <string.h>

#define PROBE_MS 3000 /* a UDP port that has not refused for so long counts as open */
#define LABEL_SIZE 320

typedef struct dial_s {
    hnc_t *hnc;
    session_t *session;
    ports_t ports;
    size_t port_index;
    hresolve_t found;
    size_t addr_index;
    hsocket_options_t socket;
    haddr_t source;
    hsocket_path_t path; /* where a UNIX datagram client receives */
    bool connected;
    bool unproven; /* success is still to be reported, once it is known */
    unsigned probes_left;
    htimer_t *timer;
} dial_t;

static void dial_on(dial_t *d);

/* ---- messages -------------------------------------------------------------------------------- */

/* "localhost (127.0.0.1)", or only what was asked for when that is the address. */
static const char *label(const dial_t *d, char *buf, size_t size)
{
    char ip[HADDR_FORMAT_SIZE];
    const char *host = d->hnc->options.host;

    haddr_ip(&d->found.addrs[d->addr_index].u.sa, ip, sizeof(ip));
    if (strcmp(host, ip) == 0)
        snprintf(buf, size, "%s", host);
    else
        snprintf(buf, size, "%s (%s)", host, ip);
    return buf;
}

static void report_failure(const dial_t *d, int err)
{
    const options_t *o = &d->hnc->options;
    char name[LABEL_SIZE];

    if (o->unix_path) {
        hnc_say("%s: %s", o->host, herr_str(err));
        return;
    }
    if (o->zero_io && !o->verbose && err != -ENOMEM && err != -EMFILE && err != -ENFILE)
        return; /* closed is an answer; that it could not be tried is none */
    label(d, name, sizeof(name));
    if (err == -ETIMEDOUT)
        hnc_say("connect to %s port %u (%s) timed out: %s", name, d->ports.items[d->port_index],
                hnc_proto(o), herr_str(-EINPROGRESS));
    else
        hnc_say("connect to %s port %u (%s) failed: %s", name, d->ports.items[d->port_index],
                hnc_proto(o), herr_str(err));
}

static void report_success(const dial_t *d)
{
    const options_t *o = &d->hnc->options;
    struct servent *service = NULL;
    char name[LABEL_SIZE];
    unsigned port;

    if (!o->verbose || o->unix_path)
        return;
    port = d->ports.items[d->port_index];
    if (!o->numeric)
        service = getservbyport(htons((uint16_t)port), hnc_proto(o));
    hnc_note(d->hnc, "Connection to %s %u port [%s/%s] succeeded!", label(d, name, sizeof(name)),
             port, hnc_proto(o), service ? service->s_name : "*");
}

static void report_bound(const dial_t *d, hio_t *io)
{
    const options_t *o = &d->hnc->options;
    char name[HADDR_FORMAT_SIZE];
    haddr_t local;

    if (o->unix_path && o->udp && o->verbose && hsocket_local(hio_fd(io), &local) == 0)
        hnc_note(d->hnc, "Bound on %s", haddr_ip(&local.u.sa, name, sizeof(name)));
}

/* ---- from one attempt to the next ------------------------------------------------------------ */

static void finish(dial_t *d)
{
    if (d->session)
        session_finish(d->session);
    else
        hloop_stop(d->hnc->loop);
}

static void on_interval(htimer_t *timer)
{
    dial_t *d = hevent_userdata(timer);

    d->timer = NULL;
    dial_on(d);
}

/* False: a timer goes on later. */
static bool next_port(dial_t *d)
{
    uint32_t interval_ms = d->hnc->options.interval_ms;

    d->addr_index = 0;
    d->port_index++;
    if (interval_ms == 0 || d->port_index >= d->ports.count)
        return true;
    d->timer = htimer_add(d->hnc->loop, on_interval, interval_ms, 1);
    if (d->timer)
        hevent_set_userdata(d->timer, d);
    return d->timer == NULL;
}

static bool next_address(dial_t *d, int err)
{
    report_failure(d, err);
    if (++d->addr_index < d->found.count)
        return true;
    return next_port(d);
}

/* ---- UDP, with -v: is somebody there? -------------------------------------------------------- */

/* How long a port has to refuse before it counts as open. */
static uint32_t probe_time_ms(const options_t *o)
{
    if (o->wait_ms == HNC_NO_TIME)
        return PROBE_MS;
    return o->wait_ms > 0 ? o->wait_ms : 1;
}

static void end_probe(dial_t *d)
{
    htimer_del(d->timer);
    d->timer = NULL;
}

static void session_succeeded(dial_t *d)
{
    d->unproven = false;
    end_probe(d);
    report_success(d);
}

static void on_silence(htimer_t *timer)
{
    dial_t *d = hevent_userdata(timer);

    d->timer = NULL;
    session_succeeded(d);
}

/* Nothing is sent but what the user sends, so its first datagram is the question. */
static void on_session_moved(session_t *session, bool received, void *arg)
{
    dial_t *d = arg;

    (void)session;
    if (!d->unproven)
        return;
    if (received) {
        session_succeeded(d);
    } else if (!d->timer) {
        d->timer = htimer_add(d->hnc->loop, on_silence, probe_time_ms(&d->hnc->options), 1);
        if (d->timer)
            hevent_set_userdata(d->timer, d);
    }
}

static void on_session_idle(session_t *session, int err, void *arg)
{
    dial_t *d = arg;

    (void)session;
    if (d->unproven && err == -ECONNREFUSED) {
        d->hnc->status = 1;
        report_failure(d, err);
    } else if (d->unproven && d->timer && err == -ETIMEDOUT) {
        report_success(d);
    }
    d->unproven = false;
    end_probe(d);
    if (next_port(d))
        dial_on(d);
}

/* ---- one attempt ----------------------------------------------------------------------------- */

/* Of an attempt that failed, and of one that was only to see whether it works. */
static void on_closed(hio_t *io)
{
    dial_t *d = hevent_userdata(io);
    int err = hio_error(io);
    bool go_on;

    end_probe(d);
    if (err == -ECANCELED)
        return;
    if (d->connected && err != 0)
        d->hnc->status = 1; /* a probe was refused */
    go_on = d->connected ? next_port(d) : next_address(d, err);
    if (go_on)
        dial_on(d);
}

static void probe_succeeded(dial_t *d, hio_t *io)
{
    end_probe(d);
    d->hnc->status = 0;
    report_success(d);
    hio_close(io);
}

static void on_probe_answer(hio_t *io, void *buf, int len)
{
    (void)buf;
    (void)len;
    probe_succeeded(hevent_userdata(io), io);
}

static bool send_probe(hio_t *io)
{
    int rc = hio_write(io, "X", 1);

    if (rc < 0)
        hio_abort(io, rc);
    return rc >= 0;
}

static void on_probe_timer(htimer_t *timer)
{
    hio_t *io = hevent_userdata(timer);
    dial_t *d = hevent_userdata(io);

    if (send_probe(io) && --d->probes_left == 0)
        probe_succeeded(d, io);
}

/* UDP knows no connection: a port that is closed shows itself by refusing, an open one does not. */
static void probe(dial_t *d, hio_t *io)
{
    uint32_t wait_ms = probe_time_ms(&d->hnc->options);
    uint32_t period_ms = wait_ms < 1000 ? wait_ms : 1000;

    d->probes_left = wait_ms / period_ms;
    hio_setcb_read(io, on_probe_answer);
    hio_read(io);
    d->timer = htimer_add(d->hnc->loop, on_probe_timer, period_ms, INFINITE);
    if (!d->timer) {
        hio_abort(io, -ENOMEM);
        return;
    }
    hevent_set_userdata(d->timer, io);
    if (send_probe(io))
        send_probe(io);
}

/* A port of this machine that nobody listens on can be the very port that the kernel chose for the
 * client: TCP then connects the socket to itself. */
static bool is_own_address(hio_t *io)
{
    const struct sockaddr *local = hio_localaddr(io), *peer = hio_peeraddr(io);

    return hio_type(io) == HIO_TYPE_TCP && local && peer && haddr_equal(local, peer);
}

/* Without the reset the port would be taken for a minute. */
static void refuse_itself(hio_t *io)
{
    struct linger at_once = {.l_onoff = 1, .l_linger = 0};

    setsockopt(hio_fd(io), SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
    hio_abort(io, -ECONNREFUSED);
}

static void on_connected(hio_t *io)
{
    dial_t *d = hevent_userdata(io);
    const options_t *o = &d->hnc->options;

    if (is_own_address(io)) {
        refuse_itself(io);
        return;
    }
    d->connected = true;
    if (o->udp && o->zero_io && o->verbose) {
        probe(d, io);
        return;
    }
    d->hnc->status = 0;
    d->unproven = o->udp && o->verbose && !o->unix_path;
    if (!d->unproven)
        report_success(d);
    report_bound(d, io);
    if (o->zero_io) {
        hio_close(io);
    } else if (options_exec(o)) {
        d->hnc->status = exec_replace(d->hnc, hio_fd(io));
        hio_close(io);
    } else {
        session_add(d->session, io);
    }
}

static int connect_timeout_ms(const options_t *o)
{
    uint32_t wait_ms = o->wait_ms < o->connect_wait_ms ? o->wait_ms : o->connect_wait_ms;

    if (wait_ms == HNC_NO_TIME)
        return 0;
    return wait_ms == 0 ? 1 : wait_ms > INT32_MAX ? INT32_MAX : (int)wait_ms;
}

/* Without -s the source address has to be of the peer's family. */
static void adapt_source(dial_t *d, const haddr_t *addr)
{
    uint16_t port = (uint16_t)haddr_port(&d->source.u.sa);

    if (d->socket.source && !d->hnc->options.source_addr)
        haddr_any(&d->source, addr->u.sa.sa_family, port);
}

static int report_source(const dial_t *d, int err)
{
    const options_t *o = &d->hnc->options;

    hnc_say("bind to %s%s%s failed: %s", o->source_addr ? o->source_addr : "port ",
            o->source_addr && o->source_port ? " port " : "", o->source_port ? o->source_port : "",
            herr_str(err));
    return err;
}

/* 0: on the way, the callbacks go on; else the error. */
static int start(dial_t *d)
{
    const options_t *o = &d->hnc->options;
    haddr_t addr = d->found.addrs[d->addr_index];
    hio_t *io = NULL;
    int err;

    if (!o->unix_path)
        haddr_set_port(&addr.u.sa, d->ports.items[d->port_index]);
    adapt_source(d, &addr);
    d->connected = false;
    err = hlisten_client(d->hnc->loop, &addr, o->udp ? SOCK_DGRAM : SOCK_STREAM, &d->socket, &io);
    if (err)
        return err;
    if (d->socket.source && o->source_addr)
        hsocket_path_remember(&d->path, &d->source);
    hevent_set_userdata(io, d);
    hio_setcb_connect(io, on_connected);
    hio_setcb_close(io, on_closed);
    hio_set_connect_timeout(io, connect_timeout_ms(o));
    err = hio_connect(io);
    if (err) {
        hio_setcb_close(io, NULL);
        hio_abort(io, err);
    }
    return err;
}

static bool is_bind_error(const dial_t *d, int err)
{
    return d->socket.source && (d->hnc->options.source_addr || d->hnc->options.source_port) &&
           (err == -EADDRINUSE || err == -EADDRNOTAVAIL || err == -EACCES);
}

/* Until something is on the way, or nothing is left to try. */
static void dial_on(dial_t *d)
{
    while (d->port_index < d->ports.count) {
        int err = start(d);

        if (err == 0)
            return;
        if (is_bind_error(d, err)) {
            report_source(d, err);
            break;
        }
        if (!next_address(d, err))
            return;
    }
    finish(d);
}

/* ---- what to try ----------------------------------------------------------------------------- */

static int find_host(dial_t *d)
{
    const options_t *o = &d->hnc->options;
    hresolve_hints_t hints = {.family = o->family, .numeric = o->numeric};
    haddr_t path;
    int err;

    hints.socktype = o->udp ? SOCK_DGRAM : SOCK_STREAM;
    if (!o->unix_path) {
        err = hresolve(o->host, 0, &hints, &d->found);
        if (err)
            hnc_say("getaddrinfo for host \"%s\" port %s: %s", o->host, o->ports[0],
                    hresolve_error(&d->found, err));
        return err ? 1 : 0;
    }
    err = haddr_unix(&path, o->host);
    if (err == 0)
        d->found.addrs = hmem_array(1, sizeof(haddr_t));
    if (err || !d->found.addrs) {
        hnc_say("%s: %s", o->host, herr_str(err ? err : -ENOMEM));
        return 1;
    }
    d->found.addrs[0] = path;
    d->found.count = 1;
    if (o->source_addr)
        hnc_watch_signals(d->hnc);
    d->ports.count = 1; /* one round, and no look at the ports */
    return 0;
}

static int prepare(dial_t *d)
{
    const options_t *o = &d->hnc->options;

    for (size_t i = 0; i < o->port_count; i++) {
        if (ports_add(&d->ports, o, o->ports[i]) != 0)
            return 1;
    }
    if (o->random)
        ports_shuffle(&d->ports);
    if (find_host(d) != 0 || hnc_socket_options(o, &d->socket, &d->source) != 0)
        return 1;
    if (o->zero_io || options_exec(o))
        return 0;
    if (dump_open(&d->hnc->dump, o) != 0)
        return 1;
    d->session = session_new(d->hnc, on_session_idle, d);
    if (!d->session)
        return 1;
    session_setcb_moved(d->session, on_session_moved);
    return 0;
}

int dial_run(hnc_t *hnc)
{
    dial_t d = {.hnc = hnc};

    hnc->status = 1;
    if (prepare(&d) == 0) {
        dial_on(&d);
        hloop_run(hnc->loop);
    }
    terminal_close(hnc);
    hloop_free(&hnc->loop);
    hsocket_path_remove(&d.path);
    session_free(d.session);
    hresolve_free(&d.found);
    ports_deinit(&d.ports);
    return hnc->status;
}
