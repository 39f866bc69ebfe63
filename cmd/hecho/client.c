/* Two bounds hold for every client: the queue of answers (reading stops above QUEUE_HIGH and goes
 * on below QUEUE_LOW), and in line mode `held`, which has at most one line and one read. */
#include "client.h"

#include "base/hmem.h"
#include "net/haddr.h"

#include <string.h>

#define QUEUE_LOW ((size_t)64 * 1024)
#define QUEUE_HIGH ((size_t)256 * 1024)
#define QUEUE_MAX ((size_t)16 * 1024 * 1024)
#define IGNORED_MAX ((uint32_t)4 * 1024 * 1024) /* behind a line that is too long */
#define IGNORED_MS 2000

typedef struct client_s {
    hlist_t link;
    hio_t *io;
    server_t *server;
    uint64_t started_us;
    uint64_t bytes_in;
    uint64_t bytes_out; /* queued ones too */
    const char *cause;  /* of a close that hio_error cannot know */
    hbytes_t held;      /* line mode: not answered yet */
    bool bounded;       /* the queue's marks are set: only a client that is slow needs them */
    bool at_eof;
    uint32_t ignored; /* bytes */
} client_t;

/* What differs between the ways to answer. NULL: nothing special. */
typedef struct behaviour_s {
    hread_cb on_read;
    hio_event_cb on_start;
    hio_event_cb on_drained;
    hio_event_cb on_eof; /* NULL: the hio closes when all is sent */
    hwrite_cb on_written;
} behaviour_t;

static const behaviour_t *behaviour_of(const server_t *server);

static client_t *client_of(hio_t *io)
{
    return hevent_userdata(io);
}

/* ---- writing --------------------------------------------------------------------------------- */

static void take_counts(client_t *client, hio_t *io, int rc)
{
    if (rc > 0) {
        client->bytes_out += (uint64_t)rc;
        count_add(&client->server->counts->bytes_out, (uint64_t)rc);
    } else if (rc < 0 && rc != HERR_CLOSED) {
        hio_abort(io, rc); /* an answer with a hole is worse than none */
    }
}

static void bound_queue(client_t *client, hio_t *io)
{
    int err;

    if (client->bounded)
        return;
    err = hio_set_watermarks(io, QUEUE_LOW, QUEUE_HIGH, QUEUE_MAX);
    if (!err)
        err = hio_setcb_drained(io, behaviour_of(client->server)->on_drained);
    if (err)
        hio_abort(io, err);
    client->bounded = true;
}

static void answer(hio_t *io, const hbuf_t *spans, int n)
{
    client_t *client = client_of(io);

    take_counts(client, io, hio_writev(io, spans, n));
    if (hio_write_bufsize(io) > 0)
        bound_queue(client, io);
}

static void took(hio_t *io, int len)
{
    client_t *client = client_of(io);

    client->bytes_in += (uint64_t)len;
    count_add(&client->server->counts->bytes_in, (uint64_t)len);
}

/* ---- echo, rot13, discard -------------------------------------------------------------------- */

static void on_echo_read(hio_t *io, void *buf, int len)
{
    hbuf_t span = {buf, (size_t)len};

    took(io, len);
    answer(io, &span, 1);
    if (hio_write_above_high(io))
        hio_read_stop(io);
}

static void on_rot13_read(hio_t *io, void *buf, int len)
{
    answer_rot13(buf, (size_t)len);
    on_echo_read(io, buf, len);
}

static void on_echo_drained(hio_t *io)
{
    hio_read(io);
}

static void on_discard_read(hio_t *io, void *buf, int len)
{
    (void)buf;
    took(io, len);
}

/* ---- chargen --------------------------------------------------------------------------------- */

/* One block at a time: the next when a part of it has left, at most QUEUE_HIGH ahead. */
static void chargen_next(hio_t *io)
{
    client_t *client = client_of(io);

    if (client->server->stopping || hio_write_above_high(io))
        return;
    take_counts(client, io,
                hio_write_nocopy(io, client->server->chargen, CHARGEN_BLOCK, NULL, NULL));
}

static void on_chargen_start(hio_t *io)
{
    bound_queue(client_of(io), io);
    chargen_next(io);
}

static void on_chargen_written(hio_t *io, const void *buf, int len)
{
    (void)buf;
    (void)len;
    chargen_next(io);
}

/* The client has no more to say, but listens (RFC 864: until the calling user ends it). */
static void on_chargen_eof(hio_t *io)
{
    client_of(io)->at_eof = true;
}

/* ---- lines ----------------------------------------------------------------------------------- */

/* What was sent before the client can know: to close on it would reset the connection, and the
 * client might never read why. */
static void on_rest_read(hio_t *io, void *buf, int len)
{
    client_t *client = client_of(io);

    on_discard_read(io, buf, len);
    client->ignored += (uint32_t)len;
    if (client->ignored > IGNORED_MAX)
        hio_close(io);
}

static void close_too_long(hio_t *io)
{
    static const char text[] = "hecho: line too long\n";
    hbuf_t span = {(char *)text, sizeof(text) - 1};

    client_of(io)->cause = "line too long";
    answer(io, &span, 1);
    hbytes_deinit(&client_of(io)->held);
    hio_shutdown(io);
    hio_set_read_timeout(io, IGNORED_MS);
    hio_setcb_read(io, on_rest_read);
    hio_read(io);
}

/* Prefix, what is held and this; nothing is held afterwards. */
static void answer_line(hio_t *io, const char *data, size_t len)
{
    client_t *client = client_of(io);
    hbuf_t spans[] = {
        {(char *)client->server->options->prefix, client->server->prefix_len},
        {client->held.data, client->held.len},
        {(char *)data, len},
    };

    answer(io, spans, 3);
    hbytes_clear(&client->held);
}

/* Answers whole lines until the queue is full; returns how many bytes were used. */
static size_t answer_batch(hio_t *io, const char *data, size_t len)
{
    const client_t *client = client_of(io);
    size_t used = 0;

    hio_cork(io);
    while (used < len && hio_is_opened(io) && !hio_write_above_high(io)) {
        const char *end = memchr(data + used, '\n', len - used);
        size_t line_len = (end ? (size_t)(end - data) : len) - used;

        if (client->held.len + line_len > CLIENT_LINE_MAX) {
            close_too_long(io);
            return len;
        }
        if (!end)
            break;
        answer_line(io, data + used, line_len + 1);
        used += line_len + 1;
    }
    hio_uncork(io);
    return used;
}

static void answer_lines(hio_t *io, const char *data, size_t len)
{
    client_t *client = client_of(io);
    size_t used, total = 0;
    int err;

    do {
        used = answer_batch(io, data + total, len - total);
        total += used;
    } while (used > 0 && total < len && !hio_write_above_high(io));
    err = hbytes_append(&client->held, data + total, len - total);
    if (err)
        hio_abort(io, err);
    else if (hio_write_above_high(io))
        hio_read_stop(io);
}

/* A last line without its end is answered too. */
static void finish_lines(hio_t *io)
{
    client_t *client = client_of(io);

    if (client->held.len > 0 && !client->server->stopping)
        answer_line(io, NULL, 0);
    hio_close(io);
}

static void on_lines_read(hio_t *io, void *buf, int len)
{
    took(io, len);
    answer_lines(io, buf, (size_t)len);
    if (client_of(io)->held.len == 0)
        hbytes_deinit(&client_of(io)->held); /* an idle client holds no memory */
}

static void on_lines_drained(hio_t *io)
{
    client_t *client = client_of(io);
    hbytes_t held = client->held;

    if (client->server->stopping)
        return;
    memset(&client->held, 0, sizeof(client->held));
    if (held.len > 0)
        answer_lines(io, held.data, held.len);
    hbytes_deinit(&held);
    if (hio_write_above_high(io))
        return;
    if (client->at_eof)
        finish_lines(io);
    else
        hio_read(io);
}

static void on_lines_eof(hio_t *io)
{
    client_of(io)->at_eof = true;
    if (!hio_write_above_high(io))
        finish_lines(io);
}

static const behaviour_t behaviours[] = {
    [ANSWER_ECHO] = {.on_read = on_echo_read, .on_drained = on_echo_drained},
    [ANSWER_ROT13] = {.on_read = on_rot13_read, .on_drained = on_echo_drained},
    [ANSWER_LINES] = {.on_read = on_lines_read,
                      .on_drained = on_lines_drained,
                      .on_eof = on_lines_eof},
    [ANSWER_DISCARD] = {.on_read = on_discard_read},
    [ANSWER_CHARGEN] = {.on_read = on_discard_read,
                        .on_start = on_chargen_start,
                        .on_eof = on_chargen_eof,
                        .on_written = on_chargen_written},
};

static const behaviour_t *behaviour_of(const server_t *server)
{
    return &behaviours[server->options->answer];
}

/* ---- coming and going ------------------------------------------------------------------------ */

static const char *peer_of(hio_t *io, char *buf, size_t size)
{
    return haddr_format(hio_peeraddr(io), hio_peeraddr_len(io), buf, size);
}

static const char *cause_of(const client_t *client, const hio_t *io)
{
    int err = hio_error(io);

    if (client->cause)
        return client->cause;
    if (err == -ETIMEDOUT && client->server->options->idle_ms > 0)
        return "idle";
    return err ? herr_str(err) : "end of data";
}

static void report_end(client_t *client, hio_t *io)
{
    char peer[HADDR_FORMAT_SIZE];
    report_closed_t closed = {
        .peer = peer_of(io, peer, sizeof(peer)),
        .cause = cause_of(client, io),
        .bytes_in = client->bytes_in,
        .bytes_out = client->bytes_out,
        .duration_us = hloop_now_hrtime(client->server->loop) - client->started_us,
    };

    report_closed(client->server->report, &closed);
}

static void on_close(hio_t *io)
{
    client_t *client = client_of(io);
    server_t *server = client->server;

    if (server->options->verbose > 0)
        report_end(client, io);
    count_add(&server->counts->open, (uint64_t)-1);
    hlist_remove(&client->link);
    hbytes_deinit(&client->held);
    hmem_free(client);
    server_release(server);
}

static bool is_full(const server_t *server)
{
    uint32_t max = server->options->max_conns;

    return max > 0 && server_open_count(server) > max;
}

static void refuse(server_t *server, hio_t *io)
{
    char peer[HADDR_FORMAT_SIZE];

    count_add(&server->counts->open, (uint64_t)-1);
    count_add(&server->counts->refused, 1);
    if (server->options->verbose > 0)
        report_refused(server->report, peer_of(io, peer, sizeof(peer)), server_open_count(server));
    hio_close(io);
}

static void report_start(const server_t *server, hio_t *io)
{
    char peer[HADDR_FORMAT_SIZE], local[HADDR_FORMAT_SIZE];

    report_connect(server->report, peer_of(io, peer, sizeof(peer)),
                   haddr_format(hio_localaddr(io), 0, local, sizeof(local)));
}

static int set_up(server_t *server, hio_t *io)
{
    const behaviour_t *behaviour = behaviour_of(server);
    int err = 0;

    hio_setcb_read(io, behaviour->on_read);
    hio_setcb_write(io, behaviour->on_written);
    if (behaviour->on_eof)
        err = hio_setcb_eof(io, behaviour->on_eof);
    if (server->options->idle_ms > 0)
        hio_set_keepalive_timeout(io, (int)server->options->idle_ms);
    return err;
}

/* 0, or the connection is closed. */
static int make(server_t *server, hio_t *io)
{
    client_t *client = hmem_zalloc(sizeof(*client));
    int err = client ? set_up(server, io) : -ENOMEM;

    if (err) {
        hmem_free(client);
        hio_setcb_read(io, NULL);
        hio_abort(io, err);
        return err;
    }
    client->io = io;
    client->server = server;
    client->started_us = hloop_now_hrtime(server->loop);
    hlist_push_back(&server->clients, &client->link);
    hevent_set_userdata(io, client);
    hio_setcb_close(io, on_close);
    server->alive++;
    return 0;
}

/* Counts itself before it looks, so that two processes cannot both take the last place. */
void client_accept(hio_t *io)
{
    server_t *server = hevent_userdata(io);
    const behaviour_t *behaviour = behaviour_of(server);

    count_add(&server->counts->open, 1);
    if (is_full(server)) {
        refuse(server, io);
        return;
    }
    if (make(server, io) < 0) {
        count_add(&server->counts->open, (uint64_t)-1);
        count_add(&server->counts->refused, 1);
        return;
    }
    count_add(&server->counts->connections, 1);
    if (server->options->verbose > 0)
        report_start(server, io);
    hio_read(io);
    if (behaviour->on_start)
        behaviour->on_start(io);
}

void client_stop_all(server_t *server)
{
    hlist_t *node, *next;

    HLIST_FOREACH (node, next, &server->clients) {
        client_t *client = HLIST_ENTRY(node, client_t, link);

        hio_setcb_read(client->io, on_discard_read);
        hio_shutdown(client->io);
        hio_read(client->io);
    }
}

void client_close_all(server_t *server, bool force)
{
    hlist_t *node, *next;

    HLIST_FOREACH (node, next, &server->clients) {
        client_t *client = HLIST_ENTRY(node, client_t, link);

        if (!force && hio_write_bufsize(client->io) > 0)
            continue;
        if (!client->cause)
            client->cause = force ? "stopped, answers lost" : "stopped";
        if (force)
            hio_abort(client->io, -ECANCELED);
        else
            hio_close(client->io);
    }
}
