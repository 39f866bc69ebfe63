/* States:  (hreconnect: waiting, trying) -> greeting -> ready -> (gone)
 * Greeting: AUTH and SELECT, where the URL asks for them, and a PING go out together; their answers
 * are counted. A connection counts as good, so that the delays begin anew, when it has lasted for
 * one heartbeat: one that is refused again and again is tried less and less often. */
#include "redis_conn_int.h"

#include "../base/hmem.h"
#include "../base/hstr.h"

#include <stdio.h>
#include <string.h>

#define JITTER_PERCENT 20
#define GREETING_MAX 3 /* commands */
#define WHY_SIZE (HDIAL_ERROR_SIZE)
#define TOLD_MAX 200 /* bytes of a server's own words */

typedef enum { STEP_AUTH, STEP_SELECT, STEP_PING } step_e;

struct redis_conn_s {
    redis_pubsub_options_t options;
    redis_url_t url;
    redis_conn_callbacks_t callbacks;
    hreconnect_t *reconnect;
    redis_reader_t *reader; /* while there is a connection */
    step_e steps[GREETING_MAX];
    size_t step_count, answered; /* ready when they are equal */
    char why[WHY_SIZE];          /* it was ended by us; "": not */
};

/* ---- what the server refuses ----------------------------------------------------------------- */

static const char *in_words(const char *code, bool auth)
{
    static const struct {
        const char *code, *words;
    } known[] = {
        {"NOAUTH", "a password is needed"},
        {"WRONGPASS", "the user or the password is wrong"},
        {"NOPERM", "this user may not do that"},
        {"LOADING", "the server still loads its data"},
        {"MASTERDOWN", "the server has lost its master"},
        {"DENIED", "the server is protected: it takes no connections from other machines"}};

    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        if (strcmp(code, known[i].code) == 0)
            return known[i].words;
    }
    return auth ? "the password was refused, the server may have none" : NULL;
}

/* An answer to AUTH may quote what was sent: of that only its first word is told. */
static void tell_error(redis_conn_t *conn, const redis_reply_t *error, bool auth)
{
    const char *space = memchr(error->text, ' ', error->len);
    size_t code_len = space ? (size_t)(space - error->text) : error->len;
    size_t told_len = error->len < TOLD_MAX ? error->len : TOLD_MAX;
    char code[32], told[4 * TOLD_MAX + 1];
    const char *words;

    hstr_escape(code, sizeof(code), error->text, code_len);
    words = in_words(code, auth);
    if (words) {
        snprintf(conn->why, sizeof(conn->why), "%s (%s)", words, code);
        return;
    }
    hstr_escape(told, sizeof(told), error->text, told_len);
    snprintf(conn->why, sizeof(conn->why), "%s", told);
}

static void give_up(redis_conn_t *conn, int err, const char *why)
{
    hio_t *io = hreconnect_io(conn->reconnect);

    if (why && !conn->why[0])
        hstr_copy(conn->why, sizeof(conn->why), why);
    if (io)
        hio_abort(io, err);
}

void redis__conn_refused(redis_conn_t *conn, const redis_reply_t *error)
{
    if (!conn->why[0])
        tell_error(conn, error, false);
    give_up(conn, HERR_PROTOCOL, NULL);
}

void redis__conn_end(redis_conn_t *conn, int err)
{
    give_up(conn, err, herr_str(err));
}

/* ---- the greeting ---------------------------------------------------------------------------- */

static int add_step(redis_conn_t *conn, hbytes_t *out, step_e step, const hbuf_t *words,
                    size_t count)
{
    conn->steps[conn->step_count++] = step;
    return redis_command(out, words, count);
}

static hbuf_t word(const char *text)
{
    return (hbuf_t){(char *)text, strlen(text)};
}

static int greet(redis_conn_t *conn, hio_t *io)
{
    const redis_url_t *url = &conn->url;
    const hbuf_t auth[] = {word("AUTH"), word(url->user), word(url->password)};
    const hbuf_t auth_default[] = {word("AUTH"), word(url->password)};
    const hbuf_t ping = word("PING");
    char number[16];
    hbytes_t out = {0};
    int err = 0;

    conn->step_count = conn->answered = 0;
    snprintf(number, sizeof(number), "%u", url->database);
    if (url->user[0])
        err = add_step(conn, &out, STEP_AUTH, auth, 3);
    else if (url->password[0])
        err = add_step(conn, &out, STEP_AUTH, auth_default, 2);
    if (err == 0 && url->database != 0)
        err = add_step(conn, &out, STEP_SELECT, (hbuf_t[]){word("SELECT"), word(number)}, 2);
    if (err == 0)
        err = add_step(conn, &out, STEP_PING, &ping, 1);
    if (err == 0)
        err = hio_write(io, out.data, out.len);
    if (out.data)
        explicit_bzero(out.data, out.len);
    hbytes_deinit(&out);
    return err;
}

static void on_heartbeat(hio_t *io)
{
    static const char ping[] = "*1\r\n$4\r\nPING\r\n";
    redis_conn_t *conn = hreconnect_userdata(hio_context(io));

    hreconnect_settled(conn->reconnect);
    hio_write(io, ping, sizeof(ping) - 1);
}

static void take_answer(redis_conn_t *conn, const redis_reply_t *reply)
{
    step_e step = conn->steps[conn->answered];
    const char *wanted = step == STEP_PING ? "PONG" : "OK";
    hio_t *io = hreconnect_io(conn->reconnect);

    if (reply->type == REDIS_ERROR) {
        tell_error(conn, reply, step == STEP_AUTH);
        give_up(conn, HERR_PROTOCOL, NULL);
    } else if (!redis_reply_is(reply, REDIS_STATUS, wanted)) {
        give_up(conn, HERR_PROTOCOL, "what answers is no Redis server");
    } else if (++conn->answered == conn->step_count) {
        hio_set_read_timeout(io, 0);
        hio_set_heartbeat(io, conn->options.ping_ms, on_heartbeat);
        conn->callbacks.ready(conn, conn->callbacks.arg);
    }
}

/* ---- the connection -------------------------------------------------------------------------- */

/* To a PING: "+PONG", or to one that subscribes ["pong", ""]. */
static bool is_pong(const redis_reply_t *reply)
{
    if (reply->type == REDIS_ARRAY)
        return reply->count == 2 && redis_reply_is(reply->items[0], REDIS_STRING, "pong");
    return redis_reply_is(reply, REDIS_STATUS, "PONG");
}

static int on_reply(const redis_reply_t *reply, void *arg)
{
    redis_conn_t *conn = arg;

    if (conn->answered < conn->step_count)
        take_answer(conn, reply);
    else if (!is_pong(reply))
        conn->callbacks.reply(conn, reply, conn->callbacks.arg);
    return conn->why[0] ? HERR_CLOSED : 0;
}

static void on_read(hio_t *io, void *buf, int len)
{
    redis_conn_t *conn = hreconnect_userdata(hio_context(io));
    int err;

    if (conn->why[0])
        return;
    err = redis_reader_feed(conn->reader, buf, (size_t)len, on_reply, conn);
    if (err < 0)
        give_up(conn, err, redis_reader_error(conn->reader));
}

static void on_drained(hio_t *io)
{
    redis_conn_t *conn = hreconnect_userdata(hio_context(io));

    conn->callbacks.drained(conn, conn->callbacks.arg);
}

static void on_connect(hreconnect_t *rc, hio_t *io)
{
    redis_conn_t *conn = hreconnect_userdata(rc);
    int err;

    conn->why[0] = '\0';
    conn->step_count = conn->answered = 0;
    err = redis_reader_new(&conn->reader);
    if (err == 0)
        err = hio_setcb_drained(io, on_drained);
    if (err == 0) {
        hio_setcb_read(io, on_read);
        hio_set_read_timeout(io, conn->options.timeout_ms);
        hio_set_close_timeout(io, conn->options.timeout_ms);
        err = hio_read(io);
    }
    if (err == 0)
        err = greet(conn, io);
    if (err < 0)
        hio_abort(io, err);
}

static void on_gone(hreconnect_t *rc, int err, int64_t next_delay_ms)
{
    redis_conn_t *conn = hreconnect_userdata(rc);
    const char *why = conn->why[0] ? conn->why : hreconnect_error(rc);

    (void)next_delay_ms;
    if (!conn->why[0] && conn->reader && (err == -ETIMEDOUT || err == HERR_HEARTBEAT))
        why = "the server does not answer";
    redis_reader_free(conn->reader);
    conn->reader = NULL;
    conn->step_count = conn->answered = 0;
    conn->callbacks.lost(conn, why, conn->callbacks.arg);
    conn->why[0] = '\0';
}

int redis__conn_new(hloop_t *loop, const redis_pubsub_options_t *options, htls_ctx_t *tls,
                    const redis_conn_callbacks_t *callbacks, redis_conn_t **out)
{
    const hdial_options_t dial = {
        .dns = options->dns, .timeout_ms = options->timeout_ms, .tls = tls};
    const hreconnect_options_t again = {
        .setting = {.min_delay = (uint32_t)options->delay_min_ms,
                    .max_delay = (uint32_t)options->delay_max_ms,
                    .delay_policy = 2,
                    .max_retry_cnt = INFINITE},
        .jitter_percent = JITTER_PERCENT,
        .settled_by_program = true,
        .on_connect = on_connect,
        .on_gone = on_gone,
    };
    redis_conn_t *conn = hmem_zalloc(sizeof(*conn));
    hreconnect_options_t mine = again;
    int err = -ENOMEM;

    if (!conn)
        return err;
    conn->options = *options;
    conn->url = *options->url;
    conn->callbacks = *callbacks;
    mine.userdata = conn;
    conn->reconnect = hreconnect_new_dial(loop, &conn->url.endpoint, &dial, &mine);
    if (conn->reconnect)
        err = hreconnect_start(conn->reconnect);
    if (err < 0) {
        redis__conn_free(conn);
        return err;
    }
    *out = conn;
    return 0;
}

/* What is queued still leaves; nothing of that calls back. */
static void let_go(hio_t *io)
{
    hio_setcb_read(io, NULL);
    hio_setcb_drained(io, NULL);
    hio_set_heartbeat(io, 0, NULL);
}

void redis__conn_free(redis_conn_t *conn)
{
    if (!conn)
        return;
    if (conn->reconnect && hreconnect_io(conn->reconnect))
        let_go(hreconnect_io(conn->reconnect));
    hreconnect_free(conn->reconnect);
    redis_reader_free(conn->reader);
    explicit_bzero(conn, sizeof(*conn));
    hmem_free(conn);
}

bool redis__conn_is_ready(const redis_conn_t *conn)
{
    return hreconnect_io(conn->reconnect) && !conn->why[0] && conn->step_count > 0 &&
           conn->answered == conn->step_count;
}

bool redis__conn_is_full(const redis_conn_t *conn)
{
    hio_t *io = hreconnect_io(conn->reconnect);

    return io && hio_write_above_high(io);
}

int redis__conn_send(redis_conn_t *conn, const hbytes_t *command)
{
    hio_t *io = hreconnect_io(conn->reconnect);
    int rc = io ? hio_write(io, command->data, command->len) : HERR_CLOSED;

    return rc < 0 ? rc : 0;
}
