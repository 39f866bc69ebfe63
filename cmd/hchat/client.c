/* States: connecting (hreconnect) -> connected -> greeted -> quitting -> done.
 *
 * A server greets ("* you are guest1 in lobby"), or asks for a password first; only then does it
 * hear --nick and --join, and what is piped in. At a server that does not greet, that takes a
 * moment. */
#include "client.h"

#include "app/hsecret.h"
#include "app/hterm.h"
#include "base/hlist.h"
#include "base/hstr.h"
#include "client_input.h"
#include "client_view.h"
#include "command.h"
#include "event/hsignal.h"
#include "net/hreconnect.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#define GREETING_MS 2000 /* without one it goes on */
#define PARTIAL_MS 200   /* a line that does not end is shown */
#define QUIT_MS 2000     /* for the server to close, at a terminal */
#define QUIT_PIPE_MS 60000
#define DELAY_MIN_MS 1000
#define DELAY_MAX_MS 30000
#define JITTER_PERCENT 20
#define PASSWORD_SIZE 512

typedef struct client_s {
    const client_options_t *options;
    hloop_t *loop;
    view_t view;
    input_t input;
    words_t words;
    hreconnect_t *rc;
    hio_t *io; /* connected */
    line_t cut;
    htimer_t *greeting, *partial, *quit;
    bool greeted, password_sent, quitting, done;
    bool asked; /* for a password, and not greeted since */
    bool heard; /* anything of this server */
    bool lost;  /* lines that came too fast for it */
    int status;
    int signo; /* that ended it; 0: none */
    char nick[CLIENT_NAME_MAX], room[CLIENT_NAME_MAX];
    char password[PASSWORD_SIZE];
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

/* One that runs goes on. NULL: no memory. */
static htimer_t *start_timer(client_t *c, htimer_t **timer, htimer_cb cb, uint32_t ms)
{
    if (!*timer) {
        *timer = htimer_add(c->loop, cb, ms, 1);
        if (*timer)
            hevent_set_userdata(*timer, c);
    }
    return *timer;
}

static void stop_timer(htimer_t **timer)
{
    htimer_del(*timer);
    *timer = NULL;
}

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
    hreconnect_stop(c->rc);
    c->io = NULL;
    stop_timer(&c->greeting);
    stop_timer(&c->partial);
    stop_timer(&c->quit);
    c->view.line = NULL;
    err = input_close(&c->input);
    if (err < 0)
        view_say(&c->view, "hchat: history is not saved: %s", herr_str(err));
    if (c->view.out)
        hio_close(c->view.out);
    else
        hloop_stop(c->loop);
}

static void on_quit_time(htimer_t *timer)
{
    client_t *c = hevent_userdata(timer);

    c->quit = NULL;
    view_say(&c->view, "hchat: the server does not close the connection");
    finish(c, 1);
}

/* Says so to the server, which then closes. */
static void quit(client_t *c, const char *words, size_t len)
{
    const hbuf_t parts[] = {{(char *)words, len}, {(char *)"\n", 1}};

    if (c->quitting || c->done)
        return;
    c->quitting = true;
    if (!c->io) {
        finish(c, 0);
        return;
    }
    hio_writev(c->io, parts, 2);
    hio_shutdown(c->io);
    if (!start_timer(c, &c->quit, on_quit_time, c->input.line ? QUIT_MS : QUIT_PIPE_MS))
        finish(c, 1);
}

/* ---- what we say ----------------------------------------------------------------------------- */

static void say(client_t *c, const char *prefix, const char *text, size_t len)
{
    const hbuf_t parts[] = {
        {(char *)prefix, strlen(prefix)}, {(char *)text, len}, {(char *)"\n", 1}};
    int rc = c->io ? hio_writev(c->io, parts, 3) : HERR_CLOSED;

    if (rc == HERR_CLOSED)
        view_say(&c->view, "hchat: not connected: that was not sent");
    else if (rc < 0)
        view_say(&c->view, "hchat: not sent: %s", herr_str(rc));
    else if (hio_write_above_high(c->io))
        input_hold(&c->input, true);
}

static void greet(client_t *c)
{
    stop_timer(&c->greeting);
    if (c->greeted)
        return;
    c->greeted = true;
    if (c->nick[0])
        say(c, "/nick ", c->nick, strlen(c->nick));
    if (c->room[0])
        say(c, "/join ", c->room, strlen(c->room));
    input_hold(&c->input, false);
}

/* What is told again after the connection was lost. */
static void remember(client_t *c, const command_t *command)
{
    char *to = command->kind == COMMAND_NICK ? c->nick : c->room;
    size_t len = command->kind == COMMAND_LEAVE ? 0 : command->text.len;

    if (len >= CLIENT_NAME_MAX || (len == 0 && command->kind != COMMAND_LEAVE))
        return;
    memcpy(to, command->text.base, len);
    to[len] = '\0';
}

static void on_input(input_t *input, const char *text, size_t len)
{
    client_t *c = HLIST_ENTRY(input, client_t, input);
    command_t command = command_parse(text, len);

    if (c->quitting || c->done || len == 0)
        return;
    if (len > CLIENT_LINE_MAX) {
        input->long_cb(input);
        return;
    }
    if (command.kind == COMMAND_QUIT) {
        quit(c, text, len);
        return;
    }
    if (command.kind == COMMAND_NICK || command.kind == COMMAND_JOIN ||
        command.kind == COMMAND_LEAVE)
        remember(c, &command);
    say(c, "", text, len);
}

static void on_input_long(input_t *input)
{
    client_t *c = HLIST_ENTRY(input, client_t, input);

    view_say(&c->view, "hchat: a line of more than 64 KiB is not sent");
}

static void on_input_ended(input_t *input)
{
    quit(HLIST_ENTRY(input, client_t, input), "/quit", 5);
}

/* ---- what the server says -------------------------------------------------------------------- */

static void on_greeting_time(htimer_t *timer)
{
    client_t *c = hevent_userdata(timer);

    c->greeting = NULL;
    greet(c);
}

/* Whether a line that has no end for a while asks for something that nobody else should see. */
static bool asks_secret(const char *text, size_t len)
{
    static const char end[] = "password: ";
    size_t n = sizeof(end) - 1;

    return len >= n && strncasecmp(text + len - n, end, n) == 0;
}

static void on_partial(htimer_t *timer)
{
    client_t *c = hevent_userdata(timer);

    c->partial = NULL;
    if (c->cut.held.len == 0 || c->cut.given)
        return;
    view_begin(&c->view, c->cut.held.data, c->cut.held.len);
    if (!c->password_sent && asks_secret(c->cut.held.data, c->cut.held.len))
        input_secret(&c->input, true);
}

static bool begins(const char *text, size_t len, const char *with)
{
    size_t n = strlen(with);

    return len >= n && memcmp(text, with, n) == 0;
}

static void take_line(client_t *c, const char *text, size_t len)
{
    hreconnect_settled(c->rc);
    input_secret(&c->input, false);
    words_learn(&c->words, text, len);
    view_line(&c->view, text, len);
    c->lost |= begins(text, len, "* you write too fast");
    if (!begins(text, len, "* you are "))
        return;
    c->asked = false;
    greet(c);
}

/* A line has begun: a question, or something that is still under way. Who types the password has
 * time to do so. */
static void take_beginning(client_t *c)
{
    static const char question[] = "password: ";
    bool asks;

    if (c->cut.held.len == 0 || c->cut.given || c->cut.skipping)
        return;
    asks = c->cut.held.len == sizeof(question) - 1 &&
           memcmp(c->cut.held.data, question, sizeof(question) - 1) == 0;
    c->asked |= asks;
    if (asks && !c->password_sent && !c->greeted) {
        stop_timer(&c->greeting);
        c->password_sent = c->password[0] != '\0';
        if (c->password_sent)
            say(c, "", c->password, strlen(c->password));
        else
            input_hold(&c->input, false);
    }
    start_timer(c, &c->partial, on_partial, PARTIAL_MS);
}

static void on_read(hio_t *io, void *buf, int len)
{
    client_t *c = hevent_userdata(io);
    hbuf_t data = {buf, (size_t)len}, text;
    int rc = LINE_NONE;

    c->heard = true;
    while (!c->done && (rc = line_next(&c->cut, CLIENT_LINE_MAX, &data, &text)) > 0) {
        if (rc == LINE_WHOLE)
            take_line(c, text.base, text.len);
        else if (rc == LINE_LONG)
            view_say(&c->view, "hchat: a line of more than 64 KiB is not shown");
        else
            break;
    }
    if (c->done)
        return;
    stop_timer(&c->partial);
    take_beginning(c);
    if (rc != LINE_NONE)
        hio_abort(io, rc < 0 ? rc : -EMSGSIZE);
    else if (c->view.out && hio_write_above_high(c->view.out))
        hio_read_stop(io);
}

static void on_sent(hio_t *io)
{
    client_t *c = hevent_userdata(io);

    if (c->greeted)
        input_hold(&c->input, false);
}

/* ---- the connection -------------------------------------------------------------------------- */

static void on_connect(hreconnect_t *rc, hio_t *io)
{
    client_t *c = hreconnect_userdata(rc);

    c->io = io;
    c->greeted = c->password_sent = c->asked = c->heard = false;
    hevent_set_userdata(io, c);
    hio_setcb_read(io, on_read);
    if (hio_setcb_drained(io, on_sent) < 0 || hio_read(io) < 0)
        hio_abort(io, -ENOMEM);
    else if (!c->nick[0] && !c->room[0] && !c->password[0])
        greet(c);
    else if (!start_timer(c, &c->greeting, on_greeting_time, GREETING_MS))
        greet(c);
}

/* The server has closed the connection, as it was told to. What a pipe said to one that asked for a
 * password nobody has heard; nor has one that says nothing at all, as where TLS is spoken; and not
 * all, who was too fast. */
static void has_quit(client_t *c)
{
    const char *why = NULL;

    if (c->asked)
        why = "the server wants a password (--password), and has not let us in";
    else if (!c->heard)
        why = "the server has closed the connection without a word";
    else if (c->lost)
        why = "the server has not passed on all lines: they came too fast (--rate, --burst)";
    if (c->input.line)
        why = NULL;
    if (why)
        view_say(&c->view, "hchat: %s", why);
    finish(c, why ? 1 : 0);
}

static void on_gone(hreconnect_t *rc, int err, int64_t next_ms)
{
    client_t *c = hreconnect_userdata(rc);
    const char *why = err ? hreconnect_error(rc) : "the server has closed the connection";

    c->io = NULL;
    stop_timer(&c->greeting);
    stop_timer(&c->partial);
    if (c->cut.held.len > 0 && !c->cut.given)
        view_begin(&c->view, c->cut.held.data, c->cut.held.len);
    view_end(&c->view);
    line_deinit(&c->cut);
    c->cut = (line_t){0};
    input_secret(&c->input, false);
    input_hold(&c->input, true);
    if (c->quitting && (err == 0 || err == HERR_TRUNCATED)) {
        has_quit(c);
    } else if (next_ms < 0 || c->quitting) {
        view_say(&c->view, "hchat: %s", why);
        finish(c, 1);
    } else {
        view_say(&c->view, "hchat: %s; again in %lld.%lld s", why, (long long)next_ms / 1000,
                 (long long)next_ms % 1000 / 100);
    }
}

static int make_tls(const client_options_t *o, const hendpoint_t *to, htls_ctx_t **tls)
{
    const htls_options_t trust = {.ca_file = o->tls_ca, .insecure = o->insecure};
    char error[HTLS_ERROR_SIZE];

    *tls = NULL;
    if (!o->tls && to->scheme != HENDPOINT_TLS) {
        if (!o->tls_ca && !o->tls_name && !o->insecure)
            return 0;
        fprintf(stderr, "hchat: --tls-ca, --tls-name and --insecure need --tls\n");
        return 2;
    }
    if (htls_ctx_new(&trust, tls, error, sizeof(error)) == 0)
        return 0;
    fprintf(stderr, "hchat: %s\n", error);
    return 1;
}

static int make_connection(client_t *c, const hendpoint_t *to)
{
    const client_options_t *o = c->options;
    hdial_options_t dial = {.tls_name = o->tls_name};
    hreconnect_options_t again = {.setting = {.min_delay = DELAY_MIN_MS,
                                              .max_delay = DELAY_MAX_MS,
                                              .delay_policy = 2,
                                              .max_retry_cnt = o->reconnect ? INFINITE : 0},
                                  .jitter_percent = JITTER_PERCENT,
                                  .settled_by_program = true,
                                  .on_connect = on_connect,
                                  .on_gone = on_gone,
                                  .userdata = c};
    int status = make_tls(o, to, &dial.tls);

    if (status)
        return status;
    if (hendpoint_socktype(to) != SOCK_STREAM) {
        fprintf(stderr, "hchat: a client of datagrams is of no use here\n");
        return 2;
    }
    c->rc = hreconnect_new_dial(c->loop, to, &dial, &again);
    htls_ctx_free(dial.tls);
    if (!c->rc || hreconnect_start(c->rc) < 0) {
        fprintf(stderr, "hchat: %s\n", herr_str(-ENOMEM));
        return 1;
    }
    return 0;
}

/* ---- stdin, stdout and signals --------------------------------------------------------------- */

static void on_signal(hsignal_t *sig)
{
    client_t *c = hevent_userdata(sig);

    if (c->signo)
        finish(c, 1);
    c->signo = hsignal_signo(sig);
    quit(c, "/quit", 5);
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

    if (c->io)
        hio_read(c->io);
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

static int take_options(client_t *c, const client_options_t *o)
{
    char why[256];

    c->options = o;
    if ((o->nick && hstr_copy(c->nick, sizeof(c->nick), o->nick) >= sizeof(c->nick)) ||
        (o->join && hstr_copy(c->room, sizeof(c->room), o->join) >= sizeof(c->room))) {
        fprintf(stderr, "hchat: that is too long for a name\n");
        return 2;
    }
    if (strpbrk(c->nick, "\r\n") || strpbrk(c->room, "\r\n")) {
        fprintf(stderr, "hchat: a name is one line\n");
        return 2;
    }
    if (!o->password ||
        hsecret_from(o->password, c->password, sizeof(c->password), why, sizeof(why)) >= 0)
        return 0;
    fprintf(stderr, "hchat: --password: %s\n", why);
    return hsecret_is_source(o->password) ? 1 : 2;
}

static int run(client_t *c, const hendpoint_t *to)
{
    int status;

    watch_signals(c);
    status = make_connection(c, to);
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
    client_t c = {0};
    int status = take_options(&c, options);

    if (status)
        return status;
    signal(SIGPIPE, SIG_IGN);
    c.loop = hloop_new(0);
    if (!c.loop) {
        fprintf(stderr, "hchat: %s\n", strerror(errno));
        return 1;
    }
    status = run(&c, endpoint);
    hreconnect_free(c.rc);
    hloop_free(&c.loop);
    view_deinit(&c.view);
    explicit_bzero(c.password, sizeof(c.password));
    if (c.signo) {
        signal(c.signo, SIG_DFL);
        raise(c.signo);
    }
    return status;
}
