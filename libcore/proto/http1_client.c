/* HTTP/1 connections of the client (RFC 9112). After anything that was not as it should be a
 * connection is closed rather than used again. */
#include "http_exchange_int.h"

#include "../base/hmem.h"
#include "../base/hstr.h"
#include "../base/htime.h"
#include "../codec/http1_write.h"

/* ---- the end of an exchange ------------------------------------------------------------------ */

static void fail(http_link_t *conn, int err, const char *reason)
{
    if (conn->exchange)
        http_exchange__explain(conn->exchange, err, "the response is malformed: %s", reason);
    hio_abort(conn->io, err);
}

/* The response is there. */
static void complete(http_link_t *conn)
{
    http_exchange_t *exchange = conn->exchange;

    if (!exchange->ended || !exchange->released) /* the server did not want all of the request */
        conn->last = true;
    exchange->conn = NULL;
    conn->exchange = NULL;
    http_peer__give_back(conn); /* first: on_close may want it again */
    http_exchange__finish(exchange, 0);
}

/* Who takes a body with a 2xx may still read it: what is missing would not be noticed. */
static bool owes_body(const http_exchange_t *exchange)
{
    return exchange->insists && exchange->taken && exchange->released && !exchange->ended &&
           !exchange->conn->eof;
}

static bool is_complete(const http_exchange_t *exchange)
{
    return exchange->whole && exchange->err == 0 && (!exchange->tunnel || exchange->shut) &&
           !owes_body(exchange);
}

/* A kept connection that was closed before the server saw the request (RFC 9112 section 9.3.1). Who
 * is silent has seen it. */
static bool was_stale(const http_link_t *conn, const http_exchange_t *exchange, int err)
{
    if (err == -ETIMEDOUT || err == -ENOMEM)
        return false;
    return conn->exchanges > 1 && !exchange->begun && exchange->repeatable && !exchange->repeated &&
           exchange->err == 0;
}

static void explain_close(const hio_t *io, http_exchange_t *exchange, int err)
{
    char why[HTLS_ERROR_SIZE] = "";

    if (err == HERR_TLS)
        htls_error(io, why, sizeof(why)); /* the server's alert */
    if (why[0] == '\0' && err != HERR_TRUNCATED)
        hstr_copy(why, sizeof(why), herr_str(err));
    if (err == -ETIMEDOUT)
        http_exchange__explain(exchange, err, "no response in time");
    else
        http_exchange__explain(exchange, err, "the %s%s%s",
                               exchange->has_head ? "response ended too early"
                                                  : "connection ended without a response",
                               why[0] ? ": " : "", why);
}

static void on_close(hio_t *io)
{
    http_link_t *conn = hevent_userdata(io);
    http_exchange_t *exchange = conn->exchange;
    http_peer_t *peer = conn->peer;
    int err = hio_error(io) != 0 ? hio_error(io) : HERR_TRUNCATED;
    bool stale = exchange && was_stale(conn, exchange, err);

    http_peer__remove(conn);
    if (stale) {
        exchange->conn = NULL;
        exchange->repeated = true;
        htimer_del(exchange->timer); /* for a 100 on that connection */
        exchange->timer = NULL;
        err = http_peer__assign(exchange);
        if (err == 0)
            return;
    }
    if (exchange)
        exchange->conn = NULL;
    http_peer__next(peer);
    if (exchange) { /* last: the peer may go with it */
        explain_close(io, exchange, err);
        http_exchange__finish(exchange, exchange->err);
    }
}

/* ---- responses ------------------------------------------------------------------------------- */

http_exchange_response_t http1_client__response(const http1_message_t *m)
{
    return (http_exchange_response_t){
        .status = m->status,
        .version = m->major * 10 + m->minor,
        .reason = m->reason,
        .fields = m->fields,
        .field_count = m->field_count,
        .content_length = m->framing == HTTP1_CHUNKED ? -1 : m->content_length,
        .has_body = m->framing != HTTP1_NO_BODY,
        .keep_alive = m->keep_alive,
        .head = m->head,
    };
}

static bool opens_tunnel(const http_exchange_t *exchange, int status)
{
    return status == 101 || (exchange->method == HTTP_METHOD_CONNECT && status / 100 == 2);
}

static void release_body(http_exchange_t *exchange);

static void on_interim(http_link_t *conn, const http_exchange_response_t *response)
{
    http_exchange_t *exchange = conn->exchange;

    if (exchange->interims++ == HTTP_EXCHANGE_INTERIM_MAX) {
        fail(conn, HERR_PROTOCOL, "too many responses 1xx");
        return;
    }
    if (exchange->callbacks->on_interim)
        exchange->callbacks->on_interim(exchange, response, exchange->userdata);
    if (response->status == 100)
        release_body(exchange);
}

static void on_head(http_link_t *conn, const http1_message_t *m)
{
    http_exchange_t *exchange = conn->exchange;
    http_exchange_response_t response = http1_client__response(m);

    if (m->status / 100 == 1 && m->status != 101) {
        on_interim(conn, &response);
        return;
    }
    if (m->status == 101 && !exchange->upgrade) {
        fail(conn, HERR_PROTOCOL, "a 101 that nobody asked for");
        return;
    }
    if (exchange->times.first_byte_us == 0)
        exchange->times.first_byte_us = htime_monotonic_us();
    exchange->has_head = true;
    exchange->taken = m->status < 300;
    conn->last |= !m->keep_alive;
    exchange->tunnel = opens_tunnel(exchange, m->status);
    if (exchange->tunnel) {
        conn->last = true;
        hio_set_read_timeout(conn->io, 0);
    }
    if (exchange->callbacks->on_head)
        exchange->callbacks->on_head(exchange, &response, exchange->userdata);
}

static void on_body(http_link_t *conn, http_span_t data)
{
    http_exchange_t *exchange = conn->exchange;

    if (exchange->callbacks->on_body)
        exchange->callbacks->on_body(exchange, data, exchange->userdata);
}

static void on_trailers(http_link_t *conn, const http1_message_t *m)
{
    http_exchange_t *exchange = conn->exchange;

    if (exchange->callbacks->on_trailers)
        exchange->callbacks->on_trailers(exchange, m->fields, m->field_count, exchange->userdata);
}

static void on_end(http_link_t *conn)
{
    http_exchange_t *exchange = conn->exchange;

    exchange->whole = true;
    if (exchange->callbacks->on_body_end)
        exchange->callbacks->on_body_end(exchange, exchange->userdata);
}

static void handle(http_link_t *conn, int event)
{
    http1_message_t *m = &conn->peer->message;

    switch (event) {
    case HTTP1_HEAD:
        on_head(conn, m);
        break;
    case HTTP1_BODY:
        if (!conn->exchange->raw)
            on_body(conn, m->body);
        break;
    case HTTP1_END:
        if (conn->exchange->has_head) /* else of a 1xx */
            on_end(conn);
        break;
    case HTTP1_TRAILERS:
        on_trailers(conn, m);
        break;
    case HTTP1_DONE:
        break;
    default:
        fail(conn, event, http1_reason(&conn->parser));
    }
}

static bool goes_on(const http_link_t *conn)
{
    const http_exchange_t *exchange = conn->exchange;

    return exchange->err == 0 && !exchange->whole && !exchange->paused && hio_is_opened(conn->io);
}

static void process(http_link_t *conn, http_span_t *rest)
{
    http_exchange_t *exchange = conn->exchange;

    conn->busy = true;
    while (goes_on(conn)) {
        http_span_t came;
        const char *from;
        bool in_body;
        int event;

        if (exchange->tunnel) {
            http_span_t data = *rest;

            rest->len = 0;
            if (data.len == 0)
                break;
            on_body(conn, data);
            continue;
        }
        came = *rest;
        from = rest->data;
        in_body = exchange->has_head;
        event = http1_parse(&conn->parser, rest, &conn->peer->message);
        if (event < 0 && !in_body)
            http1_client__keep_lines(conn, came);
        if (exchange->raw && in_body && rest->data > from)
            on_body(conn, (http_span_t){from, (size_t)(rest->data - from)});
        if (event == HTTP1_MORE)
            break;
        handle(conn, event);
    }
    conn->busy = false;
}

/* ---- input ----------------------------------------------------------------------------------- */

static void hold(http_link_t *conn, http_span_t rest)
{
    if (rest.len > 0 && hbytes_append(&conn->exchange->held, rest.data, rest.len) < 0)
        hio_abort(conn->io, -ENOMEM);
}

/* Bytes behind the response, which nobody has asked for: a connection not to be trusted. */
static void look_behind(http_link_t *conn, http_span_t rest)
{
    conn->last |= rest.len > 0;
}

static void check_eof(http_link_t *conn)
{
    http_exchange_t *exchange = conn->exchange;
    http_span_t nothing = {"", 0};
    int err;

    if (!conn->eof || exchange->held.len > 0 || !goes_on(conn))
        return;
    err = hio_error(conn->io);
    if (exchange->tunnel) {
        on_end(conn);
        return;
    }
    if (!exchange->begun) {
        hio_abort(conn->io, err != 0 ? err : HERR_TRUNCATED);
        return;
    }
    if (err == 0)
        err = http1_eof(&conn->parser);
    if (err == 0)
        process(conn, &nothing);
    if (!exchange->has_head) {
        http1_client__keep_lines(conn, nothing);
        err = HERR_TRUNCATED; /* also when a 1xx was all that came */
    }
    if (err != 0) {
        explain_close(conn->io, exchange, HERR_TRUNCATED);
        hio_abort(conn->io, HERR_TRUNCATED);
    }
}

static void go_on(http_link_t *conn, http_span_t rest)
{
    if (!conn->exchange->whole) {
        hold(conn, rest);
        check_eof(conn);
    } else {
        look_behind(conn, rest);
    }
    if (is_complete(conn->exchange)) {
        complete(conn);
        return;
    }
    if (conn->exchange->paused)
        hio_read_stop(conn->io);
    else
        hio_read(conn->io);
}

/* A kept connection that ends: no exchange may find it any more. */
static void drop_unused(http_link_t *conn, int err)
{
    http_peer_t *peer = conn->peer;
    hio_t *io = conn->io;

    http_peer__remove(conn);
    if (err == 0)
        hio_close(io);
    else
        hio_abort(io, err);
    http_peer__next(peer);
}

static void on_read(hio_t *io, void *buf, int len)
{
    http_link_t *conn = hevent_userdata(io);
    http_span_t rest = {buf, (size_t)len};

    if (!conn->exchange) { /* nobody has asked */
        drop_unused(conn, HERR_PROTOCOL);
        return;
    }
    conn->exchange->begun = true;
    if (conn->exchange->held.len == 0)
        process(conn, &rest);
    go_on(conn, rest);
}

static void on_eof(hio_t *io)
{
    http_link_t *conn = hevent_userdata(io);

    conn->eof = true;
    conn->last = true;
    if (!conn->exchange)
        drop_unused(conn, 0);
    else
        go_on(conn, (http_span_t){"", 0});
}

static void tell_drained(http_exchange_t *exchange)
{
    exchange->filling = false;
    exchange->ready = false;
    if (exchange->callbacks->on_drained && exchange->err == 0 && exchange->released &&
        (!exchange->ended || exchange->tunnel))
        exchange->callbacks->on_drained(exchange, exchange->userdata);
}

static void tell_resumed(http_link_t *conn)
{
    http_exchange_t *exchange = conn->exchange;

    exchange->resumed = false;
    if (!exchange->callbacks->on_resumed || exchange->paused || exchange->err != 0)
        return;
    conn->busy = true;
    exchange->callbacks->on_resumed(exchange, exchange->userdata);
    conn->busy = false;
}

static void resume(hio_t *io)
{
    http_link_t *conn = hevent_userdata(io);
    hbytes_t held;
    http_span_t rest;

    if (conn->exchange && conn->exchange->ready)
        tell_drained(conn->exchange);
    if (conn->exchange && conn->exchange->resumed)
        tell_resumed(conn);
    if (!conn->exchange || (!goes_on(conn) && !is_complete(conn->exchange)))
        return;
    held = conn->exchange->held;
    conn->exchange->held = (hbytes_t){0};
    rest = (http_span_t){held.data ? held.data : "", held.len};
    process(conn, &rest); /* also without a byte: the end of the body may be all that is left */
    go_on(conn, rest);
    hbytes_deinit(&held);
}

void http1_client__resume_later(http_link_t *conn)
{
    int err = hio_defer(conn->io, resume);

    if (err < 0)
        hio_abort(conn->io, err);
}

/* ---- requests -------------------------------------------------------------------------------- */

static void set_limits(http_link_t *conn)
{
    const http_exchange_t *exchange = conn->exchange;

    /* While the request is on its way the server owes nothing. */
    if (exchange->ended && !exchange->tunnel)
        hio_set_read_timeout(conn->io, (int)conn->peer->options.response_ms);
}

static int write_framed(http_exchange_t *exchange, const void *data, size_t len, bool end)
{
    hio_t *io = exchange->conn->io;
    char prefix[HTTP1_CHUNK_PREFIX_SIZE];
    hbuf_t spans[3];
    int n = 0;

    if (exchange->chunked && !exchange->tunnel && len > 0)
        spans[n++] = (hbuf_t){prefix, http1_chunk_prefix(prefix, len)};
    if (len > 0)
        spans[n++] = (hbuf_t){(char *)data, len};
    if (exchange->chunked && !exchange->tunnel && len > 0)
        spans[n++] = (hbuf_t){(char *)HTTP1_CHUNK_SUFFIX.data, HTTP1_CHUNK_SUFFIX.len};
    else if (exchange->chunked && end)
        spans[n++] = (hbuf_t){(char *)HTTP1_CHUNK_LAST.data, HTTP1_CHUNK_LAST.len};
    n = n > 0 ? hio_writev(io, spans, n) : 0;
    return n < 0 ? n : 0;
}

static int check_room(const http_exchange_t *exchange, size_t len)
{
    size_t queued = exchange->conn && exchange->released ? hio_write_bufsize(exchange->conn->io)
                                                         : exchange->early.len;

    return len > HTTP_EXCHANGE_EARLY_MAX && queued > 0 ? HERR_QUEUE_FULL : 0;
}

int http1_client__send(http_exchange_t *exchange, const void *data, size_t len, bool end)
{
    int err = check_room(exchange, len);

    if (err < 0)
        return err;
    if (!exchange->conn || !exchange->released) {
        err = len > 0 ? hbytes_append(&exchange->early, data, len) : 0;
        return err == -ENOBUFS ? HERR_QUEUE_FULL : err;
    }
    err = write_framed(exchange, data, len, end);
    if (err == 0 && end) {
        exchange->ended = true;
        exchange->times.sent_us = htime_monotonic_us();
        set_limits(exchange->conn);
        if (exchange->whole)
            http1_client__resume_later(exchange->conn);
    }
    return err;
}

/* What was given before it could leave, and room for more. */
static void send_early(http_exchange_t *exchange)
{
    hbytes_t early = exchange->early;
    int err = 0;

    exchange->early = (hbytes_t){.size_max = HTTP_EXCHANGE_EARLY_MAX};
    if (early.len > 0 || exchange->ended)
        err = write_framed(exchange, early.data, early.len, false);
    if (err == 0 && exchange->ended && exchange->chunked)
        err = write_framed(exchange, NULL, 0, true);
    hbytes_deinit(&early);
    if (err < 0)
        hio_abort(exchange->conn->io, err);
    if (exchange->ended && exchange->times.sent_us == 0)
        exchange->times.sent_us = htime_monotonic_us();
    set_limits(exchange->conn);
}

static void on_drained(hio_t *io)
{
    http_link_t *conn = hevent_userdata(io);

    if (conn->exchange && conn->exchange->filling)
        tell_drained(conn->exchange);
}

/* The body may leave from now on. */
static void release_body(http_exchange_t *exchange)
{
    htimer_del(exchange->timer);
    exchange->timer = NULL;
    if (exchange->released)
        return;
    exchange->released = true;
    send_early(exchange);
    if (!exchange->ended) {
        exchange->ready = true;
        http1_client__resume_later(exchange->conn);
    }
}

static void on_no_continue(htimer_t *timer)
{
    http_exchange_t *exchange = hevent_userdata(timer);

    exchange->timer = NULL;
    release_body(exchange);
}

static void await_continue(http_exchange_t *exchange)
{
    exchange->timer = htimer_add(exchange->peer->loop, on_no_continue, exchange->continue_ms, 1);
    if (exchange->timer)
        hevent_set_userdata(exchange->timer, exchange);
    else
        release_body(exchange);
}

void http1_client__begin(http_link_t *conn, http_exchange_t *exchange)
{
    int err;

    conn->exchange = exchange;
    conn->exchanges++;
    exchange->conn = conn;
    exchange->released = false;
    exchange->step = HDIAL_STEP_DONE;
    exchange->times.reused = conn->exchanges > 1;
    http1_answer_to(&conn->parser, exchange->method);
    if (exchange->callbacks->on_begin)
        exchange->callbacks->on_begin(exchange, exchange->userdata);
    hio_cork(conn->io); /* what of the body is there leaves with the head */
    err = hio_write(conn->io, exchange->head, exchange->head_len);
    if (err < 0) {
        hio_abort(conn->io, err);
        return;
    }
    if (exchange->expects)
        await_continue(exchange);
    else
        release_body(exchange);
    hio_uncork(conn->io);
    hio_read(conn->io);
}

http_link_t *http1_client__new(http_peer_t *peer, hio_t *io)
{
    http_link_t *conn = hmem_zalloc(sizeof(*conn));
    int err;

    if (!conn)
        return NULL;
    conn->peer = peer;
    conn->io = io;
    err = hio_setcb_eof(io, on_eof);
    if (err == 0)
        err = hio_setcb_drained(io, on_drained);
    if (err < 0) {
        hmem_free(conn);
        return NULL;
    }
    if (peer->options.connections)
        conn->id = (*peer->options.connections)++;
    http1_init(&conn->parser, HTTP1_RESPONSES, &peer->options.limits);
    hio_set_write_timeout(io, (int)peer->options.send_ms);
    hevent_set_userdata(io, conn);
    hio_setcb_read(io, on_read);
    hio_setcb_close(io, on_close);
    hlist_push_back(&peer->busy, &conn->link);
    peer->busy_count++;
    return conn;
}
