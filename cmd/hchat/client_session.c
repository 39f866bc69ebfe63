#include "client_session.h"

#include "app/hsecret.h"
#include "base/hstr.h"
#include "command.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#define GREETING_MS 2000 /* without one it goes on */
#define PARTIAL_MS 200   /* a line that does not end is shown */
#define QUIT_MS 2000     /* for the server to close, at a terminal */
#define QUIT_PIPE_MS 60000
#define DELAY_MIN_MS 1000
#define DELAY_MAX_MS 30000
#define JITTER_PERCENT 20

/* One that runs goes on. NULL: no memory. */
static htimer_t *start_timer(session_t *s, htimer_t **timer, htimer_cb cb, uint32_t ms)
{
    if (!*timer) {
        *timer = htimer_add(s->loop, cb, ms, 1);
        if (*timer)
            hevent_set_userdata(*timer, s);
    }
    return *timer;
}

static void stop_timer(htimer_t **timer)
{
    htimer_del(*timer);
    *timer = NULL;
}

/* ---- what we say ----------------------------------------------------------------------------- */

static void say(session_t *s, const char *prefix, const char *text, size_t len)
{
    const hbuf_t parts[] = {
        {(char *)prefix, strlen(prefix)}, {(char *)text, len}, {(char *)"\n", 1}};
    int rc = s->io ? hio_writev(s->io, parts, 3) : HERR_CLOSED;

    if (rc == HERR_CLOSED)
        view_say(s->view, "hchat: not connected: that was not sent");
    else if (rc < 0)
        view_say(s->view, "hchat: not sent: %s", herr_str(rc));
    else if (hio_write_above_high(s->io))
        input_hold(s->input, true);
}

static void greet(session_t *s)
{
    stop_timer(&s->greeting);
    if (s->greeted)
        return;
    s->greeted = true;
    if (s->nick[0])
        say(s, "/nick ", s->nick, strlen(s->nick));
    if (s->room[0])
        say(s, "/join ", s->room, strlen(s->room));
    input_hold(s->input, false);
}

static void on_quit_time(htimer_t *timer)
{
    session_t *s = hevent_userdata(timer);

    s->quit = NULL;
    view_say(s->view, "hchat: the server does not close the connection");
    s->ended_cb(s, 1);
}

void session_quit(session_t *s, const char *words, size_t len)
{
    const hbuf_t parts[] = {{(char *)words, len}, {(char *)"\n", 1}};

    if (s->quitting || s->stopped)
        return;
    s->quitting = true;
    if (!s->io) {
        s->ended_cb(s, 0);
        return;
    }
    hio_writev(s->io, parts, 2);
    hio_shutdown(s->io);
    if (!start_timer(s, &s->quit, on_quit_time, s->input->line ? QUIT_MS : QUIT_PIPE_MS))
        s->ended_cb(s, 1);
}

/* What is told again after the connection was lost. */
static void remember(session_t *s, const command_t *command)
{
    char *to = command->kind == COMMAND_NICK ? s->nick : s->room;
    size_t len = command->kind == COMMAND_LEAVE ? 0 : command->text.len;

    if (len >= CLIENT_NAME_MAX || (len == 0 && command->kind != COMMAND_LEAVE))
        return;
    memcpy(to, command->text.base, len);
    to[len] = '\0';
}

void session_say(session_t *s, const char *text, size_t len)
{
    command_t command = command_parse(text, len);

    if (command.kind == COMMAND_QUIT) {
        session_quit(s, text, len);
        return;
    }
    if (command.kind == COMMAND_NICK || command.kind == COMMAND_JOIN ||
        command.kind == COMMAND_LEAVE)
        remember(s, &command);
    say(s, "", text, len);
}

/* ---- what the server says -------------------------------------------------------------------- */

static void on_greeting_time(htimer_t *timer)
{
    session_t *s = hevent_userdata(timer);

    s->greeting = NULL;
    greet(s);
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
    session_t *s = hevent_userdata(timer);

    s->partial = NULL;
    if (s->cut.held.len == 0 || s->cut.given)
        return;
    view_begin(s->view, s->cut.held.data, s->cut.held.len);
    if (!s->password_sent && asks_secret(s->cut.held.data, s->cut.held.len))
        input_secret(s->input, true);
}

static bool begins(const char *text, size_t len, const char *with)
{
    size_t n = strlen(with);

    return len >= n && memcmp(text, with, n) == 0;
}

static void take_line(session_t *s, const char *text, size_t len)
{
    hreconnect_settled(s->rc);
    input_secret(s->input, false);
    words_learn(s->words, text, len);
    view_line(s->view, text, len);
    s->lost |= begins(text, len, "* you write too fast");
    if (!begins(text, len, "* you are "))
        return;
    s->asked = false;
    greet(s);
}

/* A line has begun: a question, or something that is still under way. Who types the password has
 * time to do so. */
static void take_beginning(session_t *s)
{
    static const char question[] = "password: ";
    bool asks;

    if (s->cut.held.len == 0 || s->cut.given || s->cut.skipping)
        return;
    asks = s->cut.held.len == sizeof(question) - 1 &&
           memcmp(s->cut.held.data, question, sizeof(question) - 1) == 0;
    s->asked |= asks;
    if (asks && !s->password_sent && !s->greeted) {
        stop_timer(&s->greeting);
        s->password_sent = s->password[0] != '\0';
        if (s->password_sent)
            say(s, "", s->password, strlen(s->password));
        else
            input_hold(s->input, false);
    }
    start_timer(s, &s->partial, on_partial, PARTIAL_MS);
}

static void on_read(hio_t *io, void *buf, int len)
{
    session_t *s = hevent_userdata(io);
    hbuf_t data = {buf, (size_t)len}, text;
    int rc = LINE_NONE;

    s->heard = true;
    while (!s->stopped && (rc = line_next(&s->cut, CLIENT_LINE_MAX, &data, &text)) > 0) {
        if (rc == LINE_WHOLE)
            take_line(s, text.base, text.len);
        else if (rc == LINE_LONG)
            view_say(s->view, "hchat: a line of more than 64 KiB is not shown");
        else
            break;
    }
    if (s->stopped)
        return;
    stop_timer(&s->partial);
    take_beginning(s);
    if (rc != LINE_NONE)
        hio_abort(io, rc < 0 ? rc : -EMSGSIZE);
    else if (s->view->out && hio_write_above_high(s->view->out))
        hio_read_stop(io);
}

void session_read_on(session_t *s)
{
    if (s->io)
        hio_read(s->io);
}

/* ---- the connection -------------------------------------------------------------------------- */

static void on_sent(hio_t *io)
{
    session_t *s = hevent_userdata(io);

    if (s->greeted)
        input_hold(s->input, false);
}

static void on_connect(hreconnect_t *rc, hio_t *io)
{
    session_t *s = hreconnect_userdata(rc);

    s->io = io;
    s->greeted = s->password_sent = s->asked = s->heard = false;
    hevent_set_userdata(io, s);
    hio_setcb_read(io, on_read);
    if (hio_setcb_drained(io, on_sent) < 0 || hio_read(io) < 0)
        hio_abort(io, -ENOMEM);
    else if (!s->nick[0] && !s->room[0] && !s->password[0])
        greet(s);
    else if (!start_timer(s, &s->greeting, on_greeting_time, GREETING_MS))
        greet(s);
}

/* The server has closed the connection, as it was told to. What a pipe said to one that asked for a
 * password nobody has heard; nor has one that says nothing at all, as where TLS is spoken; and not
 * all, who was too fast. */
static void has_quit(session_t *s)
{
    const char *why = NULL;

    if (s->asked)
        why = "the server wants a password (--password), and has not let us in";
    else if (!s->heard)
        why = "the server has closed the connection without a word";
    else if (s->lost)
        why = "the server has not passed on all lines: they came too fast (--rate, --burst)";
    if (s->input->line)
        why = NULL;
    if (why)
        view_say(s->view, "hchat: %s", why);
    s->ended_cb(s, why ? 1 : 0);
}

static void on_gone(hreconnect_t *rc, int err, int64_t next_ms)
{
    session_t *s = hreconnect_userdata(rc);
    const char *why = err ? hreconnect_error(rc) : "the server has closed the connection";

    s->io = NULL;
    stop_timer(&s->greeting);
    stop_timer(&s->partial);
    if (s->cut.held.len > 0 && !s->cut.given)
        view_begin(s->view, s->cut.held.data, s->cut.held.len);
    view_end(s->view);
    line_deinit(&s->cut);
    s->cut = (line_t){0};
    input_secret(s->input, false);
    input_hold(s->input, true);
    if (s->quitting && (err == 0 || err == HERR_TRUNCATED)) {
        has_quit(s);
    } else if (next_ms < 0 || s->quitting) {
        view_say(s->view, "hchat: %s", why);
        s->ended_cb(s, 1);
    } else {
        view_say(s->view, "hchat: %s; again in %lld.%lld s", why, (long long)next_ms / 1000,
                 (long long)next_ms % 1000 / 100);
    }
}

int session_init(session_t *s, const client_options_t *o)
{
    char why[256];

    s->options = o;
    if ((o->nick && hstr_copy(s->nick, sizeof(s->nick), o->nick) >= sizeof(s->nick)) ||
        (o->join && hstr_copy(s->room, sizeof(s->room), o->join) >= sizeof(s->room))) {
        fprintf(stderr, "hchat: that is too long for a name\n");
        return 2;
    }
    if (strpbrk(s->nick, "\r\n") || strpbrk(s->room, "\r\n")) {
        fprintf(stderr, "hchat: a name is one line\n");
        return 2;
    }
    if (!o->password ||
        hsecret_from(o->password, s->password, sizeof(s->password), why, sizeof(why)) >= 0)
        return 0;
    fprintf(stderr, "hchat: --password: %s\n", why);
    return hsecret_is_source(o->password) ? 1 : 2;
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

int session_open(session_t *s, hloop_t *loop, const hendpoint_t *to)
{
    const client_options_t *o = s->options;
    hdial_options_t dial = {.tls_name = o->tls_name};
    hreconnect_options_t again = {.setting = {.min_delay = DELAY_MIN_MS,
                                              .max_delay = DELAY_MAX_MS,
                                              .delay_policy = 2,
                                              .max_retry_cnt = o->reconnect ? INFINITE : 0},
                                  .jitter_percent = JITTER_PERCENT,
                                  .settled_by_program = true,
                                  .on_connect = on_connect,
                                  .on_gone = on_gone,
                                  .userdata = s};
    int status = make_tls(o, to, &dial.tls);

    s->loop = loop;
    if (status)
        return status;
    if (hendpoint_socktype(to) != SOCK_STREAM) {
        fprintf(stderr, "hchat: a client of datagrams is of no use here\n");
        return 2;
    }
    s->rc = hreconnect_new_dial(s->loop, to, &dial, &again);
    htls_ctx_free(dial.tls);
    if (!s->rc || hreconnect_start(s->rc) < 0) {
        fprintf(stderr, "hchat: %s\n", herr_str(-ENOMEM));
        return 1;
    }
    return 0;
}

void session_stop(session_t *s)
{
    s->stopped = true;
    hreconnect_stop(s->rc);
    s->io = NULL;
    stop_timer(&s->greeting);
    stop_timer(&s->partial);
    stop_timer(&s->quit);
}

void session_deinit(session_t *s)
{
    hreconnect_free(s->rc);
    line_deinit(&s->cut);
    explicit_bzero(s->password, sizeof(s->password));
}
