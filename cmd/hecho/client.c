#include "client.h"

#include "lines.h"
#include "net/haddr.h"

#define QUEUE_LOW ((size_t)64 * 1024)
#define QUEUE_HIGH ((size_t)256 * 1024)
#define QUEUE_MAX ((size_t)16 * 1024 * 1024)

/* What differs between the ways to answer. NULL: nothing special. */
typedef struct behaviour_s {
    hread_cb on_read;
    hio_event_cb on_start;
    hio_event_cb on_drained;
    hio_event_cb on_eof; /* NULL: the hio closes when all is sent */
    hwrite_cb on_written;
} behaviour_t;

static const behaviour_t *behaviour_of(const server_t *server);

/* ---- writing --------------------------------------------------------------------------------- */

static void take_counts(hio_t *io, int rc)
{
    if (rc > 0) {
        client_of(io)->bytes_out += (uint64_t)rc;
        count_add(&client_server(io)->counts->bytes_out, (uint64_t)rc);
    } else if (rc < 0 && rc != HERR_CLOSED) {
        hio_abort(io, rc); /* an answer with a hole is worse than none */
    }
}

static void bound_queue(hio_t *io)
{
    int err;

    if (client_of(io)->bounded)
        return;
    err = hio_set_watermarks(io, QUEUE_LOW, QUEUE_HIGH, QUEUE_MAX);
    if (!err)
        err = hio_setcb_drained(io, behaviour_of(client_server(io))->on_drained);
    if (err)
        hio_abort(io, err);
    client_of(io)->bounded = true;
}

void client_answer(hio_t *io, const hbuf_t *spans, int n)
{
    take_counts(io, hio_writev(io, spans, n));
    if (hio_write_bufsize(io) > 0)
        bound_queue(io);
}

void client_took(hio_t *io, int len)
{
    client_of(io)->bytes_in += (uint64_t)len;
    count_add(&client_server(io)->counts->bytes_in, (uint64_t)len);
}

/* ---- echo, rot13, discard -------------------------------------------------------------------- */

static void on_echo_read(hio_t *io, void *buf, int len)
{
    hbuf_t span = {buf, (size_t)len};

    client_took(io, len);
    client_answer(io, &span, 1);
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
    client_took(io, len);
    client_of(io)->active = true;
}

/* ---- chargen --------------------------------------------------------------------------------- */

/* One block at a time: the next when a part of it has left, at most QUEUE_HIGH ahead. */
static void chargen_next(hio_t *io)
{
    const server_t *server = client_server(io);

    if (!server->stopping && !hio_write_above_high(io))
        take_counts(io, hio_write_nocopy(io, server->chargen, CHARGEN_BLOCK, NULL, NULL));
}

static void on_chargen_start(hio_t *io)
{
    bound_queue(io);
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
    (void)io;
}

static const behaviour_t behaviours[] = {
    [ANSWER_ECHO] = {.on_read = on_echo_read, .on_drained = on_echo_drained},
    [ANSWER_ROT13] = {.on_read = on_rot13_read, .on_drained = on_echo_drained},
    [ANSWER_LINES] = {.on_read = lines_on_read,
                      .on_drained = lines_on_drained,
                      .on_eof = lines_on_eof},
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

static const char *cause_of(hio_t *io)
{
    static const char *const causes[] = {
        [CLIENT_CAUSE_ERROR] = NULL,
        [CLIENT_CAUSE_LINE] = "line too long",
        [CLIENT_CAUSE_STOPPED] = "stopped",
        [CLIENT_CAUSE_FORCED] = "stopped, answers lost",
    };
    const client_t *client = client_of(io);
    int err = hio_error(io);

    if (causes[client->cause])
        return causes[client->cause];
    if (err == -ETIMEDOUT && client_server(io)->options->idle_ms > 0)
        return "idle";
    return err ? herr_str(err) : "end of data";
}

static void report_end(const server_t *server, hio_t *io)
{
    const client_t *client = client_of(io);
    char peer[HADDR_FORMAT_SIZE];
    report_closed_t closed = {
        .peer = peer_of(io, peer, sizeof(peer)),
        .cause = cause_of(io),
        .bytes_in = client->bytes_in,
        .bytes_out = client->bytes_out,
        .duration_us = hloop_now_hrtime(server->loop) - client->started_us,
    };

    report_closed(server->report, &closed);
}

static void free_client(server_t *server, client_t *client)
{
    if (!client)
        return;
    lines_free(client->lines);
    hslab_free(&server->slab, client->slot);
}

static void on_close(hio_t *io)
{
    client_t *client = client_of(io);
    server_t *server = client_server(io);

    if (server->options->verbose > 0)
        report_end(server, io);
    count_add(&server->counts->open, (uint64_t)-1);
    hlist_remove(&client->link);
    free_client(server, client);
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

static client_t *new_client(server_t *server)
{
    uint32_t slot;
    client_t *client = hslab_alloc(&server->slab, &slot);

    if (!client)
        return NULL;
    *client = (client_t){.slot = slot};
    if (server->options->answer != ANSWER_LINES)
        return client;
    client->lines = lines_new();
    if (client->lines)
        return client;
    free_client(server, client);
    return NULL;
}

static int set_callbacks(const server_t *server, hio_t *io)
{
    const behaviour_t *behaviour = behaviour_of(server);
    int err = 0;

    if (behaviour->on_eof)
        err = hio_setcb_eof(io, behaviour->on_eof);
    if (err)
        return err;
    hio_setcb_read(io, behaviour->on_read);
    hio_setcb_write(io, behaviour->on_written);
    hio_setcb_close(io, on_close);
    if (server->options->idle_ms > 0)
        hio_set_keepalive_timeout(io, (int)server->options->idle_ms);
    return 0;
}

/* 0, or the connection is closed. */
static int make(server_t *server, hio_t *io)
{
    client_t *client = new_client(server);
    int err = client ? set_callbacks(server, io) : -ENOMEM;

    if (err) {
        free_client(server, client);
        hio_abort(io, err);
        return err;
    }
    client->io = io;
    client->started_us = hloop_now_hrtime(server->loop);
    hlist_push_back(&server->clients, &client->link);
    hevent_set_userdata(io, client);
    server->alive++;
    return 0;
}

/* Counts itself before it looks, so that two processes cannot both take the last place. */
void client_accept(hio_t *io)
{
    server_t *server = client_server(io);
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

void client_init_all(server_t *server)
{
    hlist_init(&server->clients);
    hslab_init(&server->slab, sizeof(client_t));
}

void client_deinit_all(server_t *server)
{
    hslab_deinit(&server->slab);
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

        bool busy = client->active || hio_write_bufsize(client->io) > 0;

        client->active = false;
        if (busy && !force)
            continue;
        if (client->cause == CLIENT_CAUSE_ERROR)
            client->cause = force ? CLIENT_CAUSE_FORCED : CLIENT_CAUSE_STOPPED;
        if (force)
            hio_abort(client->io, -ECANCELED);
        else
            hio_close(client->io);
    }
}
