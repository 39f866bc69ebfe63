#include "session.h"

#include "base/hlist.h"
#include "base/hmem.h"
#include "base/htime.h"
#include "codec/telnet.h"
#include "dump.h"
#include "input.h"
#include "net/hcarry.h"
#include "net/hrate.h"
#include "net/htls.h"
#include "output.h"

#include <stdio.h>
#include <string.h>

#define GRACE_MS 250
#define TELNET_PIECE 1024

typedef struct peer_s {
    hlist_t link;
    session_t *session;
    hio_t *io;
    bool ended; /* it sends no more */
    telnet_t telnet;
} peer_t;

struct session_s {
    input_t input;
    hnc_t *hnc;
    session_idle_cb idle_cb;
    session_moved_cb moved_cb; /* NULL: none */
    void *arg;
    hlist_t peers;
    size_t count;
    uint32_t receive_limit; /* -W: so many reads are left; 0: no limit */
    output_t output;
    pump_t pump; /* for one stream at a time; many peers share the loop's buffer */
    bool paced;  /* peers wait for the interval to pass */
    bool finishing;
    htimer_t *pace;
    htimer_t *grace;
    hrate_t *send_rate; /* --rate, all peers together; NULL: none */
    hrate_t *receive_rate;
    uint64_t moved_ns; /* when data last moved */
};

static peer_t *peer_of(hlist_t *node)
{
    return HLIST_ENTRY(node, peer_t, link);
}

static void touch(session_t *s)
{
    s->moved_ns = htime_monotonic_ns();
}

static void moved(session_t *s, bool received)
{
    touch(s);
    if (s->moved_cb)
        s->moved_cb(s, received, s->arg);
}

/* Every conversation ends now, whatever is still to be sent. What was received is
 * written to stdout. */
static void give_up(session_t *s)
{
    hlist_t *node, *tmp;

    HLIST_FOREACH (node, tmp, &s->peers)
        hio_abort(peer_of(node)->io, 0);
    session_finish(s);
}

/* ---- from the peers to stdout ---------------------------------------------------------------- */

static void update_reading(session_t *s)
{
    bool on = !s->output.full && !s->paced;
    hlist_t *node, *tmp;

    HLIST_FOREACH (node, tmp, &s->peers) {
        peer_t *peer = peer_of(node);

        if (peer->io == s->pump.source)
            pump_hold(&s->pump, !on);
        else if (on && !peer->ended)
            hio_read(peer->io);
        else
            hio_read_stop(peer->io);
    }
}

static void on_paced(htimer_t *timer)
{
    session_t *s = hevent_userdata(timer);

    s->pace = NULL;
    s->paced = false;
    update_reading(s);
}

static void pace(session_t *s)
{
    if (s->hnc->options.interval_ms == 0 || s->pace)
        return;
    s->pace = htimer_add(s->hnc->loop, on_paced, s->hnc->options.interval_ms, 1);
    if (!s->pace)
        return;
    hevent_set_userdata(s->pace, s);
    s->paced = true;
    update_reading(s);
}

static bool received(session_t *s, const void *data, size_t len)
{
    moved(s, true);
    dump_data(s->hnc->dump, DUMP_RECEIVED, data, len);
    pace(s);
    return s->output.io && !s->hnc->options.send_only;
}

/* -W: that was the last one. */
static void count_received(session_t *s)
{
    if (s->receive_limit > 0 && --s->receive_limit == 0)
        give_up(s);
}

void session_input(session_t *s, const void *data, size_t len)
{
    if (s->finishing)
        return;
    if (received(s, data, len) && output_received(&s->output, data, len))
        update_reading(s);
    count_received(s);
}

/* -t: answers the commands among the data and takes them out. What is left lies at the start. */
static size_t strip_telnet(peer_t *peer, char *data, size_t len)
{
    char answers[TELNET_ANSWERS_SIZE(TELNET_PIECE)];
    size_t left = 0;

    for (size_t at = 0; at < len; at += TELNET_PIECE) {
        size_t piece = len - at < TELNET_PIECE ? len - at : TELNET_PIECE;
        size_t answers_len = 0;
        size_t n = telnet_receive(&peer->telnet, data + at, piece, answers, &answers_len);

        memmove(data + left, data + at, n);
        left += n;
        if (answers_len > 0)
            hio_write(peer->io, answers, answers_len);
    }
    return left;
}

/* Straight from the buffer, where nothing is to be added. */
static void show_received(session_t *s, pump_buffer_t *buffer, const char *data, size_t len)
{
    if (output_is_plain(&s->output))
        pump_write(buffer, s->output.io, data, len);
    else if (output_received(&s->output, data, len))
        update_reading(s);
}

static void on_peer_data(hio_t *io, void *buf, int n)
{
    peer_t *peer = hevent_userdata(io);
    session_t *s = peer->session;
    size_t len = (size_t)n;
    pump_buffer_t *buffer;

    if (s->hnc->options.telnet)
        len = strip_telnet(peer, buf, len);
    if (len == 0 && n > 0)
        return;
    if (io != s->pump.source) {
        session_input(s, buf, len);
        return;
    }
    buffer = pump_take(&s->pump);
    if (received(s, buf, len))
        show_received(s, buffer, buf, len);
    pump_taken(buffer);
    count_received(s);
}

/* What is sent may be shown: then stdout has to take it, too. */
static void release_input(session_t *s)
{
    if (!output_shows_sent(&s->output) || !s->output.full)
        input_hold(&s->input, false);
}

static void on_output_drained(output_t *output)
{
    session_t *s = HLIST_ENTRY(output, session_t, output);

    update_reading(s);
    if (output_shows_sent(&s->output) && !hlist_empty(&s->peers))
        input_hold(&s->input, false); /* otherwise it was not stdout that it waited for */
}

static void on_output_closed(output_t *output)
{
    give_up(HLIST_ENTRY(output, session_t, output));
}

/* ---- from stdin to the peers ----------------------------------------------------------------- */

/* That a datagram was refused means that its receiver is gone; with -k the next one may come. */
static void send_datagram(session_t *s, hio_t *io, const char *data, size_t len)
{
    int rc = hio_write(io, data, len);
    bool refused = rc == -ECONNREFUSED || rc == -ENOENT;

    if (hio_write_above_high(io))
        input_hold(&s->input, true);
    if (rc >= 0 || rc == HERR_CLOSED || (refused && s->hnc->options.keep_open))
        return;
    if (refused) {
        hio_abort(io, rc);
        return;
    }
    hnc_say("send %zu bytes: %s", len, herr_str(rc));
    s->hnc->status = 1;
}

static void on_input_data(input_t *input, pump_buffer_t *buffer, const char *data, size_t len)
{
    session_t *s = HLIST_ENTRY(input, session_t, input);
    hlist_t *node, *tmp;

    moved(s, false);
    dump_data(s->hnc->dump, DUMP_SENT, data, len);
    if (output_sent(&s->output, data, len))
        input_hold(&s->input, true);
    HLIST_FOREACH (node, tmp, &s->peers) {
        hio_t *io = peer_of(node)->io;

        if (s->hnc->options.udp)
            send_datagram(s, io, data, len);
        else
            pump_write(buffer, io, data, len);
    }
}

static void on_peer_drained(hio_t *io)
{
    peer_t *peer = hevent_userdata(io);

    release_input(peer->session);
}

static void on_carried(hio_t *from, hio_t *to, ssize_t n)
{
    session_t *s = HLIST_ENTRY((input_t *)hevent_userdata(from), session_t, input);

    if (n > 0)
        moved(s, false);
    if (n < 0)
        hcarry_stop(from); /* nobody takes it: read and dropped until the peer is closed */
    else if (hio_write_above_high(to))
        input_hold(&s->input, true);
}

/* Where nothing looks at the bytes of a file or a pipe and there is one peer to send them to, the
 * kernel moves them by itself. */
static void carry_input(session_t *s, hio_t *peer)
{
    const options_t *o = &s->hnc->options;
    hio_t *input = s->input.io;

    if (input && !o->udp && !o->crlf && !o->telnet && !o->keep_open && o->interval_ms == 0 &&
        !s->hnc->dump && !output_shows_sent(&s->output) && hcarry_is_kernel(input, peer))
        (void)hcarry_start(input, peer, on_carried); /* else they are read as usual */
}

/* Stdin is at its end: what that means for a peer. */
static void finish_sending(session_t *s, peer_t *peer)
{
    const options_t *o = &s->hnc->options;

    if (peer->ended || o->send_only || (o->udp && o->quit_s == 0))
        hio_close(peer->io);
    else if (o->shutdown)
        hio_shutdown(peer->io);
}

static void on_input_ended(input_t *input)
{
    session_t *s = HLIST_ENTRY(input, session_t, input);
    hlist_t *node, *tmp;

    HLIST_FOREACH (node, tmp, &s->peers)
        finish_sending(s, peer_of(node));
}

static void on_quit(htimer_t *timer)
{
    give_up(hevent_userdata(timer));
}

static void on_input_settled(input_t *input)
{
    session_t *s = HLIST_ENTRY(input, session_t, input);
    int quit_s = s->hnc->options.quit_s;
    htimer_t *timer;

    touch(s);
    if (quit_s <= 0)
        return;
    timer = htimer_add(s->hnc->loop, on_quit, (uint32_t)quit_s * 1000, 1);
    if (timer)
        hevent_set_userdata(timer, s);
    else
        give_up(s);
}

/* ---- the peers' ends ------------------------------------------------------------------------- */

static void close_ended(session_t *s)
{
    hlist_t *node, *tmp;

    HLIST_FOREACH (node, tmp, &s->peers) {
        if (peer_of(node)->ended)
            hio_close(peer_of(node)->io);
    }
}

static void on_grace(htimer_t *timer);

static bool is_sending(session_t *s)
{
    hlist_t *node, *tmp;

    HLIST_FOREACH (node, tmp, &s->peers) {
        if (hio_write_bufsize(peer_of(node)->io) > 0)
            return true;
    }
    return false;
}

/* Stdin is a pipe and a peer has ended: waits until nothing moves. */
static void check_grace(session_t *s)
{
    uint64_t quiet_ns = htime_monotonic_ns() - s->moved_ns;
    uint64_t wait_ms = GRACE_MS;

    if (s->grace)
        return;
    if (!is_sending(s) && input_is_quiet(&s->input)) {
        if (quiet_ns >= GRACE_MS * HTIME_NS_PER_MS) {
            close_ended(s);
            return;
        }
        wait_ms -= quiet_ns / HTIME_NS_PER_MS;
    }
    s->grace = htimer_add(s->hnc->loop, on_grace, (uint32_t)wait_ms, 1);
    if (s->grace)
        hevent_set_userdata(s->grace, s);
    else
        close_ended(s);
}

static void on_grace(htimer_t *timer)
{
    session_t *s = hevent_userdata(timer);

    s->grace = NULL;
    check_grace(s);
}

static void on_peer_eof(hio_t *io)
{
    peer_t *peer = hevent_userdata(io);
    session_t *s = peer->session;

    peer->ended = true;
    if (io == s->pump.source)
        pump_stop(&s->pump);
    if (s->input.ended || input_kind(&s->input) == INPUT_TERMINAL)
        hio_close(io);
    else if (input_kind(&s->input) == INPUT_PIPE)
        check_grace(s);
}

/* A server has many peers, whose faults are their own. */
static void fail(session_t *s, const char *what, const char *why)
{
    if (options_serve_many(&s->hnc->options)) {
        hnc_note(s->hnc, "%s: %s", what, why);
        return;
    }
    hnc_say("%s: %s", what, why);
    s->hnc->status = 1;
}

/* Whether something may be missing of what came: with TLS a stream has an end of its own. */
static bool is_cut_off(const options_t *o, int err, bool ended)
{
    if (err == HERR_TRUNCATED && o->tls_ignore_eof)
        return false;
    return err <= HERR_CLOSED || (err != 0 && err != -ETIMEDOUT && !ended);
}

static void report_end(session_t *s, hio_t *io, int err, bool ended)
{
    const options_t *o = &s->hnc->options;
    char why[HTLS_ERROR_SIZE];

    if (err == -ENOMEM && s->hnc->status == 0) { /* ours, not the peer's: what it sent is lost */
        hnc_say("connection: %s", herr_str(err));
        s->hnc->status = 1;
    } else if (err == -ETIMEDOUT && o->idle_ms != HNC_NO_TIME) {
        snprintf(why, sizeof(why), "expired (%u ms)", o->idle_ms);
        fail(s, "idle timeout", why);
    } else if (o->ssl && is_cut_off(o, err, ended)) {
        htls_error(io, why, sizeof(why));
        fail(s, "TLS", why[0] ? why : herr_str(err));
    } else if (err != 0 && err != -ETIMEDOUT && o->verbose > 1) {
        hnc_say("%s", herr_str(err));
    }
}

static void on_peer_closed(hio_t *io)
{
    peer_t *peer = hevent_userdata(io);
    session_t *s = peer->session;
    int err = hio_error(io);
    bool ended = peer->ended;

    if (io == s->pump.source)
        pump_stop(&s->pump);
    hlist_remove(&peer->link);
    s->count--;
    hmem_free(peer);
    if (s->finishing || err == -ECANCELED)
        return;
    report_end(s, io, err, ended);
    if (hlist_empty(&s->peers)) {
        input_hold(&s->input, true);
        s->idle_cb(s, err, s->arg);
    }
}

/* ---- for dial and listen --------------------------------------------------------------------- */

static int make_rates(session_t *s)
{
    uint64_t rate = s->hnc->options.rate;

    if (rate == 0)
        return 0;
    s->send_rate = hrate_new(s->hnc->loop, rate, 0);
    s->receive_rate = hrate_new(s->hnc->loop, rate, 0);
    if (s->send_rate && s->receive_rate)
        return 0;
    hnc_say("--rate: %s", herr_str(-ENOMEM));
    return 1;
}

session_t *session_new(hnc_t *hnc, session_idle_cb idle_cb, void *arg)
{
    session_t *s = hmem_zalloc(sizeof(*s));

    if (!s) {
        hnc_say("%s", herr_str(-ENOMEM));
        return NULL;
    }
    s->hnc = hnc;
    s->idle_cb = idle_cb;
    s->receive_limit = hnc->options.receive_limit;
    s->arg = arg;
    hlist_init(&s->peers);
    pump_init(&s->pump, hnc->options.ssl ? PUMP_TLS_SIZE : PUMP_SIZE, 0, NULL, NULL);
    input_init(&s->input, hnc);
    s->input.data_cb = on_input_data;
    s->input.ended_cb = on_input_ended;
    s->input.settled_cb = on_input_settled;
    s->output.drained_cb = on_output_drained;
    s->output.closed_cb = on_output_closed;
    if (make_rates(s) != 0 || output_open(&s->output, hnc) != 0) {
        session_free(s);
        return NULL;
    }
    return s;
}

void session_setcb_moved(session_t *s, session_moved_cb cb)
{
    s->moved_cb = cb;
}

/* 0: it may be idle for ever. */
static int idle_time_ms(const options_t *o)
{
    uint32_t idle_ms = o->wait_ms < o->idle_ms ? o->wait_ms : o->idle_ms;

    if (idle_ms == HNC_NO_TIME)
        return 0;
    return idle_ms == 0 ? 1 : idle_ms > INT32_MAX ? INT32_MAX : (int)idle_ms;
}

static int prepare_peer(peer_t *peer)
{
    const options_t *o = &peer->session->hnc->options;
    int err = o->udp ? 0 : hio_setcb_eof(peer->io, on_peer_eof);

    if (err == 0)
        err = hio_setcb_drained(peer->io, on_peer_drained);
    if (err == 0)
        err = hio_set_read_rate(peer->io, peer->session->receive_rate);
    if (err == 0)
        err = hio_set_write_rate(peer->io, peer->session->send_rate);
    if (err < 0)
        return err;
    hevent_set_userdata(peer->io, peer);
    hio_setcb_connect(peer->io, NULL);
    hio_setcb_read(peer->io, on_peer_data);
    hio_setcb_close(peer->io, on_peer_closed);
    hio_set_close_timeout(peer->io, 0);
    hio_set_keepalive_timeout(peer->io, idle_time_ms(o));
    return 0;
}

void session_add(session_t *s, hio_t *io)
{
    peer_t *peer = hmem_zalloc(sizeof(*peer));
    int err = -ENOMEM;

    if (peer) {
        peer->session = s;
        peer->io = io;
        err = prepare_peer(peer);
    }
    if (err < 0) {
        hnc_say("%s", herr_str(err));
        hmem_free(peer);
        hio_abort(io, err);
        s->hnc->status = 1;
        if (hlist_empty(&s->peers))
            s->idle_cb(s, err, s->arg);
        return;
    }
    hlist_push_back(&s->peers, &peer->link);
    s->count++;
    touch(s);
    if (s->hnc->options.udp || s->hnc->options.keep_open)
        hio_read(io);
    else if (pump_start(&s->pump, io) < 0)
        hio_abort(io, -ENOMEM);
    input_hold(&s->input, false);
    input_open(&s->input);
    carry_input(s, io);
    if (s->input.ended)
        finish_sending(s, peer);
}

bool session_wants_more(const session_t *s)
{
    return !s->input.ended || s->hnc->options.no_stdin || s->hnc->options.recv_only;
}

size_t session_count(const session_t *s)
{
    return s->count;
}

void session_finish(session_t *s)
{
    s->finishing = true;
    input_close(&s->input);
    if (!output_close(&s->output))
        hloop_stop(s->hnc->loop);
}

void session_free(session_t *s)
{
    if (!s)
        return;
    hrate_free(s->send_rate);
    hrate_free(s->receive_rate);
    output_deinit(&s->output);
    input_deinit(&s->input);
    pump_deinit(&s->pump);
    hmem_free(s);
}
