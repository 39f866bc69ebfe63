#include "client.h"

#include "app/hterm.h"
#include "base/hlist.h"
#include "client_input.h"
#include "client_session.h"
#include "client_view.h"
#include "event/hsignal.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

typedef struct client_s {
    const client_options_t *options;
    hloop_t *loop;
    view_t view;
    input_t input;
    words_t words;
    session_t session;
    bool done;
    int status;
    int signo; /* that ended it; 0: none */
} client_t;

const hopt_t client_rows[] = {
    HOPT_GROUP("Client"),
    HOPT_STRING(0, "connect", client_options_t, connect, "be a client of the server at ENDPOINT",
                .arg_name = "ENDPOINT", .filled = true),
    HOPT_STRING(0, "nick", client_options_t, nick, "be called NAME", .arg_name = "NAME",
                .filled = true),
    HOPT_STRING(0, "join", client_options_t, join, "go to the room NAME", .arg_name = "NAME",
                .filled = true),
    HOPT_FLAG(0, "reconnect", client_options_t, reconnect,
              "connect again when the connection is lost, and go back to the same room"),
    HOPT_FLAG(0, "tls", client_options_t, tls, "use TLS, as tls:// end points do"),
    HOPT_STRING(0, "tls-ca", client_options_t, tls_ca,
                "trust the certificates in FILE (PEM) instead of the system's", .arg_name = "FILE",
                .filled = true),
    HOPT_STRING(0, "tls-name", client_options_t, tls_name,
                "the server's certificate has to be made for NAME", .arg_name = "NAME",
                .filled = true),
    HOPT_FLAG(0, "insecure", client_options_t, insecure, "take any certificate"),
    HOPT_ENUM(0, "color", client_options_t, color, hterm_color_names,
              "colour names: auto (at a terminal), always or never", .arg_name = "WHEN"),
    HOPT_FLAG(0, "no-history", client_options_t, no_history,
              "do not keep what is typed for the next time"),
    HOPT_END,
};

/* ---- the end --------------------------------------------------------------------------------- */

/* What was received is still written to stdout; then the loop ends. */
static void finish(client_t *c, int status)
{
    int err;

    if (c->done)
        return;
    c->done = true;
    c->status = status;
    view_end(&c->view);
    session_stop(&c->session);
    c->view.line = NULL;
    err = input_close(&c->input);
    if (err < 0)
        view_say(&c->view, "hchat: history is not saved: %s", herr_str(err));
    if (c->view.out)
        hio_close(c->view.out);
    else
        hloop_stop(c->loop);
}

/* ---- the server, stdin, stdout and signals --------------------------------------------------- */

static void on_session_ended(session_t *session, int status)
{
    finish(HLIST_ENTRY(session, client_t, session), status);
}

static void on_input(input_t *input, const char *text, size_t len)
{
    client_t *c = HLIST_ENTRY(input, client_t, input);

    if (c->session.quitting || c->done || len == 0)
        return;
    if (len > CLIENT_LINE_MAX)
        input->long_cb(input);
    else
        session_say(&c->session, text, len);
}

static void on_input_long(input_t *input)
{
    client_t *c = HLIST_ENTRY(input, client_t, input);

    view_say(&c->view, "hchat: a line of more than 64 KiB is not sent");
}

static void on_input_ended(input_t *input)
{
    client_t *c = HLIST_ENTRY(input, client_t, input);

    session_quit(&c->session, "/quit", 5);
}

static void on_signal(hsignal_t *sig)
{
    client_t *c = hevent_userdata(sig);

    if (c->signo)
        finish(c, 1);
    c->signo = hsignal_signo(sig);
    session_quit(&c->session, "/quit", 5);
}

static void watch_signals(client_t *c)
{
    static const int signals[] = {SIGINT, SIGTERM, SIGHUP};

    for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++) {
        hsignal_t *sig = hsignal_add(c->loop, on_signal, signals[i]);

        if (sig)
            hevent_set_userdata(sig, c);
    }
}

static void on_output_drained(hio_t *io)
{
    client_t *c = hevent_userdata(io);

    session_read_on(&c->session);
}

/* A reader that has gone away wants no more. */
static void on_output_closed(hio_t *io)
{
    client_t *c = hevent_userdata(io);
    int err = hio_error(io);

    c->view.out = NULL;
    if (err == -ECANCELED)
        return;
    if (err != 0 && err != -EPIPE)
        view_say(&c->view, "hchat: stdout: %s", herr_str(err));
    if (err != 0)
        c->status = 1;
    if (c->done)
        hloop_stop(c->loop);
    else
        finish(c, c->status);
}

static int open_output(client_t *c)
{
    hio_t *out = hio_get(c->loop, STDOUT_FILENO);

    if (!out || hio_setcb_drained(out, on_output_drained) < 0) {
        fprintf(stderr, "hchat: stdout: %s\n", strerror(errno));
        return 1;
    }
    hevent_set_userdata(out, c);
    hio_setcb_close(out, on_output_closed);
    c->view.out = out;
    c->view.color = hterm_use_color(STDOUT_FILENO, (hterm_color_e)c->options->color);
    c->view.timestamps = c->options->timestamps;
    return 0;
}

static int open_input(client_t *c)
{
    char why[512];
    int err;

    c->input.line_cb = on_input;
    c->input.ended_cb = on_input_ended;
    c->input.long_cb = on_input_long;
    c->input.words = &c->words;
    c->input.rate = c->options->rate;
    c->input.burst = c->options->burst;
    err = input_open(&c->input, c->loop, c->view.out, !c->options->no_history, why, sizeof(why));
    c->view.line = c->input.line;
    if (why[0])
        view_say(&c->view, "hchat: %s", why);
    input_hold(&c->input, true);
    return err < 0 ? 1 : 0;
}

/* ---- the whole ------------------------------------------------------------------------------- */

static int run(client_t *c, const hendpoint_t *to)
{
    int status;

    watch_signals(c);
    status = session_open(&c->session, c->loop, to);
    if (status == 0)
        status = open_output(c);
    if (status == 0)
        status = open_input(c);
    if (status) {
        input_close(&c->input);
        return status;
    }
    hloop_run(c->loop);
    return c->status;
}

int client_main(const client_options_t *options, const hendpoint_t *endpoint)
{
    client_t c = {
        .options = options,
        .session = {
            .ended_cb = on_session_ended, .view = &c.view, .input = &c.input, .words = &c.words}};
    int status = session_init(&c.session, options);

    if (status)
        return status;
    signal(SIGPIPE, SIG_IGN);
    c.loop = hloop_new(0);
    if (!c.loop) {
        fprintf(stderr, "hchat: %s\n", strerror(errno));
        return 1;
    }
    status = run(&c, endpoint);
    session_deinit(&c.session);
    hloop_free(&c.loop);
    view_deinit(&c.view);
    if (c.signo) {
        signal(c.signo, SIG_DFL);
        raise(c.signo);
    }
    return status;
}
