/* HTTP/1 connections of the server (RFC 9112). One request is worked on at a time:
 *
 *     reading a head -> the handler -> (reading its body) -> (waiting for the response) -> next
 *
 * What has come behind a request that is not over is held, at most HTTP1_HELD_MAX bytes of it, and
 * then nothing is read. A stream is over when its body and its response are, and the client has
 * taken all but HTTP1_QUEUED_MAX bytes of what was sent: so a client that reads slowly gets no
 * further answers queued.
 *
 * process() is where requests are read; whatever happens elsewhere that lets a connection go on
 * only asks the loop to call resume(). So no callback of a stream is called from inside
 * a call of the program. */
#include "http1_server_int.h"

#include "../base/hmem.h"
#include "../event/hio_ops.h"

#include <sys/socket.h>

/* ---- the state of reading -------------------------------------------------------------------- */

static http1_conn_t *conn_of(http_conn_t *conn)
{
    return (http1_conn_t *)conn;
}

/* Whether the stream lets nothing more be read now. */
static bool is_stuck(const http1_conn_t *c)
{
    const http_stream_t *stream = c->stream;

    if (c->closing)
        return true;
    if (!stream)
        return false;
    if (stream->tunnel)
        return stream->paused;
    if (stream->body_done)
        return true;
    return stream->paused && !stream->ended;
}

static size_t held_len(const http1_conn_t *c)
{
    return c->held ? c->held->len : 0;
}

static void read_or_pause(http1_conn_t *c)
{
    bool full = held_len(c) >= HTTP1_HELD_MAX;

    if (c->closing || c->eof)
        return;
    if (full || (is_stuck(c) && held_len(c) > 0))
        hio_read_stop(c->base.io);
    else
        hio_read(c->base.io);
}

static void set_wait(http1_conn_t *c)
{
    const http_stream_t *stream = c->stream;
    http_conn_t *conn = &c->base;

    if (c->closing)
        http_conn__wait(conn, HTTP_WAIT_NONE, false);
    else if (!stream && (conn->requests == 0 || http1_in_message(&c->parser)))
        http_conn__wait(conn, HTTP_WAIT_HEAD, false);
    else if (!stream)
        http_conn__wait(conn, HTTP_WAIT_KEEPALIVE, true);
    else if (hio_write_bufsize(conn->io) > 0)
        http_conn__wait(conn, HTTP_WAIT_SEND, false);
    else if (!stream->body_done && (!stream->tunnel || stream->ended) && !is_stuck(c))
        http_conn__wait(conn, HTTP_WAIT_BODY, false); /* also of the half that a tunnel is then */
    else
        http_conn__wait(conn, HTTP_WAIT_NONE, false);
}

/* ---- the end of streams and connections ------------------------------------------------------ */

static void finish(http1_conn_t *c, int err)
{
    http_stream_t *stream = c->stream;

    c->stream = NULL;
    c->chunked = false;
    http_stream__finish(stream, err);
}

static void close_after(http1_conn_t *c)
{
    c->closing = true;
    hio_close(c->base.io);
}

static void gone(http_conn_t *conn, int err)
{
    http1_conn_t *c = conn_of(conn);

    hio_setcb_read(conn->io, NULL);
    hio_setcb_close(conn->io, NULL);
    hio_setcb_write(conn->io, NULL);
    http1_server__correct_counts(c);
    if (c->watched) {
        hio_setcb_eof(conn->io, NULL);
        hio_setcb_drained(conn->io, NULL);
    }
    if (c->stream) {
        bool whole = err == 0 && c->stream->ended && c->stream->body_done;

        finish(c, whole ? 0 : err != 0 ? err : HERR_CLOSED);
    }
    http1_deinit(&c->parser);
    if (c->held)
        hbytes_deinit(c->held);
    hmem_free(c->held);
    http_conn__remove(conn);
    hmem_free(c);
}

static void on_close(hio_t *io)
{
    gone(hevent_userdata(io), hio_error(io));
}

/* A client that waits for 100 and gets another answer may keep its body to itself; and who says of
 * a tunnel that it is the last has no use for what comes. */
static bool awaits_client(const http_stream_t *stream)
{
    if (stream->body_done)
        return false;
    return !stream->last ||
           !(stream->tunnel || (stream->request.expects_continue && !stream->continued));
}

static bool is_over(const http_stream_t *stream)
{
    return stream->ended && stream->coded.file.len == 0 && !awaits_client(stream);
}

static void uncork(http1_conn_t *c)
{
    if (!c->corked)
        return;
    c->corked = false;
    hio_uncork(c->base.io);
}

/* Whether a further answer may be queued; also within a batch of requests, whose answers could be
 * many and long. */
static bool has_room(http1_conn_t *c)
{
    hio_t *io = c->base.io;

    if (hio_write_bufsize(io) <= HTTP1_QUEUED_MAX)
        return true;
    uncork(c);
    if (hio_write_bufsize(io) <= HTTP1_QUEUED_MAX || http1_server__watch(c) < 0)
        return true;
    hio_await_writable(io);
    return false;
}

/* Ends the stream if it is over. False while there is one. */
static bool settle(http1_conn_t *c)
{
    http_stream_t *stream = c->stream;
    bool last;

    if (!stream)
        return true;
    if (!is_over(stream) || stream->failed)
        return false;
    if (!has_room(c))
        return false;
    last = stream->last || stream->tunnel;
    finish(c, 0);
    if (last)
        close_after(c);
    return true;
}

/* ---- reading requests ------------------------------------------------------------------------ */

static http_stream_t *new_stream(http1_conn_t *c);

static bool is_ignored(const http_stream_t *stream)
{
    return stream->handled && !http_stream__wants_body(stream);
}

/* What cannot be read on: an answer that says why, if there is room for one, and the end. */
static void refuse(http1_conn_t *c, int err)
{
    http_stream_t *stream = c->stream ? c->stream : new_stream(c);
    const char *reason = http1_reason(&c->parser);

    if (!stream) {
        hio_abort(c->base.io, -ENOMEM);
        return;
    }
    stream->last = true;
    stream->body_done = true;
    if (err == HERR_FRAME_SIZE && is_ignored(stream))
        return; /* a long body that nobody wants: the response comes, then the end */
    if (!stream->started) {
        http_response_error(stream, http1_status(&c->parser), reason[0] ? reason : NULL);
    } else if (!stream->ended) {
        stream->error = err;
        stream->failed = true;
        hio_abort(c->base.io, err);
    }
}

static void refuse_request(http_stream_t *stream, int status)
{
    stream->last = true;
    stream->body_done = true;
    http_response_error(stream, status,
                        status == 414 ? "the path is too long" : "the path is malformed");
}

/* Tells the client that waits for it to send the body. */
static void send_continue(http1_conn_t *c)
{
    http_stream_t *stream = c->stream;

    if (stream && stream->request.expects_continue && !stream->continued && !stream->started &&
        !stream->body_done && !stream->paused && http_stream__wants_body(stream))
        http1_server__interim(stream, 100);
}

static void set_body_max(http1_conn_t *c)
{
    http_stream_t *stream = c->stream;
    const http_server_options_t *o = &c->base.server->options;

    if (!stream || stream->body_done || stream->tunnel)
        return;
    if (!http_stream__wants_body(stream) && !stream->paused)
        http1_set_body_max(&c->parser, o->discard_max);
    else if (stream->body_max > 0)
        http1_set_body_max(&c->parser, stream->body_max);
}

static const http_wire_t wire;

static http_stream_t *new_stream(http1_conn_t *c)
{
    c->stream = http_stream__new(c->base.server, &c->base, &wire);
    if (c->stream) {
        c->stream->request = (http_request_t){.version = 11, .secure = c->base.secure};
        c->stream->request.authority = c->stream->request.target = c->stream->request.path =
            c->stream->request.method_name = HTTP_SPAN("");
    }
    return c->stream;
}

static void on_head(http1_conn_t *c, bool more)
{
    http_stream_t *stream = new_stream(c);
    int status;

    if (!stream) {
        hio_abort(c->base.io, -ENOMEM);
        return;
    }
    c->base.requests++;
    status = http1_server__request(c, stream);
    stream->continued = more; /* who sends the body already does not wait */
    if (status != 0) {
        refuse_request(stream, status);
    } else {
        http_stream__handle(stream);
        if (c->stream->body_done && !stream->ended)
            http_stream__body_end(stream);
    }
    if (settle(c))
        return;
    if (http1_server__keep(c, stream) < 0 || http1_server__watch(c) < 0) {
        http_stream_abort(stream, -ENOMEM);
        return;
    }
    set_body_max(c);
    send_continue(c);
}

static void on_body(http1_conn_t *c, http_span_t data)
{
    http_stream_t *stream = c->stream;

    stream->continued = true;
    if (!stream->ended)
        http_stream__body(stream, data);
}

static void on_end(http1_conn_t *c)
{
    http_stream_t *stream = c->stream;

    if (!stream || stream->body_done)
        return;
    stream->body_done = true;
    if (!stream->ended)
        http_stream__body_end(stream);
}

static void handle(http1_conn_t *c, int event, bool more)
{
    http1_message_t *m = &c->base.server->message;

    switch (event) {
    case HTTP1_HEAD:
        on_head(c, more);
        break;
    case HTTP1_BODY:
        on_body(c, m->body);
        break;
    case HTTP1_END:
        on_end(c);
        break;
    case HTTP1_DONE: /* bytes behind the last request are not looked at */
    case HTTP1_TRAILERS:
        break;
    default:
        refuse(c, event);
    }
}

/* All of it goes to the stream. */
static void pass_tunnel(http1_conn_t *c, http_span_t *rest)
{
    http_span_t data = *rest;

    rest->len = 0;
    http_stream__body(c->stream, data);
}

static bool is_alive(const http1_conn_t *c)
{
    return !c->closing && hio_is_opened(c->base.io) && !(c->stream && c->stream->failed);
}

static void process(http1_conn_t *c, http_span_t *rest)
{
    http_server_t *server = c->base.server;

    c->busy = true;
    while (is_alive(c) && !is_stuck(c)) {
        int event;

        if (c->stream && c->stream->tunnel) {
            if (rest->len == 0)
                break;
            pass_tunnel(c, rest);
            continue;
        }
        event = http1_parse(&c->parser, rest, &server->message);
        if (event == HTTP1_MORE)
            break;
        if (event == HTTP1_HEAD && rest->len > 0 && !c->corked) {
            c->corked = true; /* responses to requests that come together leave together */
            hio_cork(c->base.io);
        }
        handle(c, event, rest->len > 0);
        settle(c);
        if (event == HTTP1_DONE)
            break;
    }
    uncork(c);
    c->busy = false;
}

/* ---- input ----------------------------------------------------------------------------------- */

static void hold(http1_conn_t *c, http_span_t rest)
{
    if (rest.len == 0 || !is_alive(c))
        return;
    if (!c->held)
        c->held = hmem_zalloc(sizeof(*c->held));
    if (!c->held || hbytes_append(c->held, rest.data, rest.len) < 0)
        hio_abort(c->base.io, -ENOMEM);
}

static void go_on(http1_conn_t *c)
{
    read_or_pause(c);
    set_wait(c);
}

static void on_read(hio_t *io, void *buf, int len)
{
    http1_conn_t *c = hevent_userdata(io);
    http_span_t rest = {buf, (size_t)len};

    c->base.received += (uint64_t)len;
    if (held_len(c) == 0)
        process(c, &rest);
    hold(c, rest);
    go_on(c);
}

static void process_held(http1_conn_t *c)
{
    hbytes_t *held = c->held;
    http_span_t rest = HTTP_SPAN("");

    if (is_stuck(c))
        return;
    if (!held) {
        process(c, &rest); /* the end of a request without a body may not have been told yet */
        return;
    }
    c->held = NULL;
    rest = (http_span_t){held->data, held->len};
    process(c, &rest);
    hold(c, rest);
    hbytes_deinit(held);
    hmem_free(held);
}

static void check_eof(http1_conn_t *c)
{
    http_stream_t *stream = c->stream;

    if (!c->eof || c->closing || held_len(c) > 0)
        return;
    if (!stream) {
        close_after(c);
    } else if (stream->tunnel && !stream->body_done) {
        c->busy = true;
        http_stream__body_end(stream);
        c->busy = false;
        settle(c);
    } else if (!stream->body_done) {
        http1_eof(&c->parser);
        c->busy = true;
        refuse(c, HERR_TRUNCATED);
        c->busy = false;
        settle(c);
    }
}

static void resume(hio_t *io)
{
    http1_conn_t *c = hevent_userdata(io);

    if (!is_alive(c))
        return;
    set_body_max(c);
    send_continue(c);
    settle(c);
    process_held(c);
    check_eof(c);
    go_on(c);
}

static void on_eof(hio_t *io)
{
    http1_conn_t *c = hevent_userdata(io);

    c->eof = true;
    resume(io);
}

static void on_drained(hio_t *io)
{
    http1_conn_t *c = hevent_userdata(io);

    if (c->stream && !c->stream->failed)
        http_stream__drained(c->stream);
    resume(io);
}

void http1_server__resume_later(http1_conn_t *c)
{
    int err = c->busy ? 0 : hio_defer(c->base.io, resume);

    if (err < 0)
        hio_abort(c->base.io, err);
}

int http1_server__watch(http1_conn_t *c)
{
    int err = c->watched ? 0 : hio_setcb_eof(c->base.io, on_eof);

    if (err < 0 || c->watched)
        return err;
    err = hio_setcb_drained(c->base.io, on_drained);
    if (err < 0)
        return err;
    c->watched = true;
    c->left = http_conn__sent(&c->base);
    hio_setcb_write(c->base.io, http1_server__on_written);
    return 0;
}

/* ---- time limits ----------------------------------------------------------------------------- */

/* With a reset: what the kernel has taken, megabytes maybe, would stay there as long as the client
 * keeps its window shut. */
static void cut_off(http_conn_t *conn)
{
    const struct linger at_once = {.l_onoff = 1};

    setsockopt(hio_fd(conn->io), SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
    hio_abort(conn->io, -ETIMEDOUT);
}

static void timeout(http_conn_t *conn, http_wait_e wait)
{
    http1_conn_t *c = conn_of(conn);
    http_stream_t *stream = c->stream;

    if (c->busy) /* a handler has changed the limits; go_on() follows */
        return;
    if (wait == HTTP_WAIT_SEND && hio_write_bufsize(conn->io) == 0) {
        set_wait(c); /* the program has written nothing more */
        return;
    }
    if (wait == HTTP_WAIT_KEEPALIVE || (wait == HTTP_WAIT_HEAD && conn->received == 0)) {
        close_after(c);
        return;
    }
    if (wait == HTTP_WAIT_SEND || (stream && stream->started)) {
        cut_off(conn);
        return;
    }
    if (!stream)
        stream = new_stream(c);
    if (!stream) {
        hio_abort(conn->io, -ENOMEM);
        return;
    }
    c->busy = true;
    stream->last = stream->body_done = true;
    http_response_error(stream, 408, "the request did not come in time");
    c->busy = false;
    settle(c);
    set_wait(c);
}

/* ---- what streams need ----------------------------------------------------------------------- */

static void body_changed(http_stream_t *stream)
{
    http1_server__resume_later(http1_conn_of(stream));
}

static const http_wire_t wire = {
    .send = http1_server__send,
    .interim = http1_server__interim,
    .body_changed = body_changed,
    .is_full = http1_server__is_full,
    .go_on_later = http1_server__go_on_later,
    .give_up = http1_server__give_up,
};

static const http_conn_ops_t ops = {.timeout = timeout, .gone = gone};

int http1_server__start(http_server_t *server, hio_t *io, bool secure, const haddr_t *peer)
{
    http1_conn_t *c = hmem_zalloc(sizeof(*c));

    if (!c)
        return -ENOMEM;
    c->base = (http_conn_t){.server = server, .io = io, .ops = &ops, .secure = secure};
    if (peer) {
        c->base.peer = hmem_alloc(sizeof(*peer));
        if (!c->base.peer) {
            hmem_free(c);
            return -ENOMEM;
        }
        *c->base.peer = *peer;
    }
    http1_init(&c->parser, HTTP1_REQUESTS, &server->options.limits);
    hlist_push_back(&server->conns, &c->base.all);
    server->stats.open++;
    hevent_set_userdata(io, c);
    hio_setcb_read(io, on_read);
    hio_setcb_close(io, on_close);
    hio_read(io);
    set_wait(c);
    return 0;
}
