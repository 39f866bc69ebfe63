#include "dial_int.h"

#include "dump.h"
#include "fdpass.h"
#include "probe.h"
#include "tls.h"

static void end_proof(dial_t *d)
{
    htimer_del(d->timer);
    d->timer = NULL;
}

static void session_succeeded(dial_t *d)
{
    d->unproven = false;
    end_proof(d);
    dial__report_success(d);
}

static void on_silence(htimer_t *timer)
{
    dial_t *d = hevent_userdata(timer);

    d->timer = NULL;
    session_succeeded(d);
}

/* UDP with -v: nothing is sent but what the user sends, so its first datagram is the question. */
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

    if (d->unproven && err == -ECONNREFUSED) {
        d->hnc->status = 1;
        dial__report_failure(d, &d->addr, err);
    } else if (d->unproven && d->timer && err == -ETIMEDOUT) {
        dial__report_success(d);
    }
    d->unproven = false;
    end_proof(d);
    if (d->retry.reconnect && session_wants_more(session))
        dial__try_again(d, err ? herr_str(err) : "The connection has ended");
    else
        dial__next_port(d);
}

static void on_probed(int err, void *arg)
{
    dial_t *d = arg;

    if (err == 0) {
        d->hnc->status = 0;
        dial__report_success(d);
    } else {
        d->hnc->status = 1;
    }
    dial__next_port(d);
}

static void on_looked(hio_t *io)
{
    dial__next_port(hevent_userdata(io));
}

/* -z: the connection itself was the answer. */
static void look(dial_t *d, hio_t *io)
{
    hevent_set_userdata(io, d);
    hio_setcb_close(io, on_looked);
    hio_close(io);
}

static void on_exec_ended(exec_t *exec, int status, void *arg)
{
    dial_t *d = arg;

    (void)exec;
    d->hnc->status = status;
    dial__finish(d);
}

/* -e, -c: the process becomes the program, unless hnc stays between them. */
static void run_program(dial_t *d, hio_t *io)
{
    if (!exec_stays_between(d->hnc, io)) {
        d->hnc->status = exec_replace(d->hnc, hio_fd(io));
        hio_close(io);
        dial__finish(d);
        return;
    }
    d->exec = exec_new(d->hnc, on_exec_ended, d);
    if (!d->exec)
        hio_close(io);
    if (!d->exec || exec_start(d->exec, io, NULL) != 0)
        on_exec_ended(d->exec, 1, d);
}

/* The connection is somebody else's now: a close that lingers would shut it down and read it. */
static void pass_on(dial_t *d, hio_t *io)
{
    if (htls_is_tls(io)) { /* that of an https proxy: without it the descriptor is of no use */
        hnc_say("-F: the connection is inside the TLS of a proxy");
        d->hnc->status = 1;
    } else {
        d->hnc->status = fdpass_send(hio_fd(io));
    }
    hio_abort(io, 0);
    dial__finish(d);
}

static bool send_preamble(dial_t *d, hio_t *io)
{
    const options_t *o = &d->hnc->options;
    int rc = o->preamble_len > 0 ? hio_write(io, o->preamble, o->preamble_len) : 0;

    if (rc < 0)
        hnc_say("preamble: %s", herr_str(rc));
    return rc >= 0;
}

void dial__use(dial_t *d, hio_t *io)
{
    const options_t *o = &d->hnc->options;

    retry_connected(&d->retry);
    if (o->udp && o->zero_io && o->verbose) {
        if (probe_start(d->hnc, io, on_probed, d) != 0)
            dial__next_port(d);
        return;
    }
    d->hnc->status = 0;
    d->unproven = o->udp && o->verbose && !o->unix_path;
    if (!d->unproven)
        dial__report_success(d);
    dial__report_bound(d, io);
    if (d->tls)
        tls_report(d->hnc, io);
    if (o->zero_io) {
        look(d, io);
    } else if (options_exec(o)) {
        run_program(d, io);
    } else if (o->pass_fd) {
        pass_on(d, io);
    } else if (send_preamble(d, io)) {
        session_add(d->session, io);
    } else {
        d->hnc->status = 1;
        hio_close(io);
        dial__finish(d);
    }
}

int dial__make_session(dial_t *d)
{
    const options_t *o = &d->hnc->options;

    if (o->zero_io || o->pass_fd || options_exec(o))
        return 0;
    if (dump_open(&d->hnc->dump, o) != 0)
        return 1;
    d->session = session_new(d->hnc, on_session_idle, d);
    if (!d->session)
        return 1;
    session_setcb_moved(d->session, on_session_moved);
    return 0;
}
