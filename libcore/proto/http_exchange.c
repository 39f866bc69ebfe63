#include "http_exchange_int.h"

#include "../base/hmem.h"
#include "../base/htime.h"
#include "../codec/http1_write.h"

#include <stdio.h>

/* ---- the head of the request ----------------------------------------------------------------- */

static bool is_of_framing(http_field_e field)
{
    return field == HTTP_FIELD_CONTENT_LENGTH || field == HTTP_FIELD_TRANSFER_ENCODING ||
           field == HTTP_FIELD_CONNECTION || field == HTTP_FIELD_EXPECT;
}

static void write_connection(http1_writer_t *w, const http_exchange_request_t *request)
{
    if (request->upgrade)
        http1_write_raw(w, HTTP_SPAN("Connection: Upgrade\r\n"));
    else if (request->close)
        http1_write_raw(w, HTTP_SPAN("Connection: close\r\n"));
    else if (request->http10)
        http1_write_raw(w, HTTP_SPAN("Connection: keep-alive\r\n"));
}

static ssize_t write_head(const http_exchange_request_t *request, char *buf, size_t size)
{
    http1_writer_t w;

    http1_write_begin(&w, buf, size);
    http1_write_request(&w, request->http10 ? 0 : 1, request->method, request->target);
    for (size_t i = 0; i < request->field_count; i++) {
        if (request->framed || !is_of_framing(request->fields[i].id))
            http1_write_field(&w, request->fields[i].name, request->fields[i].value);
    }
    if (request->framed)
        return http1_write_end(&w);
    if (request->body_length >= 0)
        http1_write_number(&w, HTTP_SPAN("Content-Length"), (uint64_t)request->body_length);
    else if (request->body_length == HTTP_BODY_UNKNOWN)
        http1_write_raw(&w, HTTP_SPAN("Transfer-Encoding: chunked\r\n"));
    if (request->expects_continue)
        http1_write_raw(&w, HTTP_SPAN("Expect: 100-continue\r\n"));
    write_connection(&w, request);
    return http1_write_end(&w);
}

/* Enough for it. */
static size_t head_size(const http_exchange_request_t *request)
{
    size_t size = HTTP_EXCHANGE_FRAMING_SIZE + request->method.len + request->target.len;

    for (size_t i = 0; i < request->field_count; i++)
        size += request->fields[i].name.len + request->fields[i].value.len + 4;
    return size;
}

static int make_head(http_exchange_t *exchange, const http_exchange_request_t *request)
{
    size_t size = head_size(request);
    char *buf = size <= HTTP_EXCHANGE_HEAD_MAX ? hmem_alloc(size) : NULL;
    ssize_t len = buf ? write_head(request, buf, size) : -ENOMEM;

    if (size > HTTP_EXCHANGE_HEAD_MAX)
        return -ENOBUFS;
    if (len < 0) {
        hmem_free(buf);
        return (int)len;
    }
    exchange->head = buf;
    exchange->head_len = (size_t)len;
    return 0;
}

/* RFC 9110 section 9.2.2. */
static bool is_idempotent(http_method_e method)
{
    switch (method) {
    case HTTP_METHOD_GET:
    case HTTP_METHOD_HEAD:
    case HTTP_METHOD_PUT:
    case HTTP_METHOD_DELETE:
    case HTTP_METHOD_OPTIONS:
    case HTTP_METHOD_TRACE:
        return true;
    default:
        return false;
    }
}

/* ---- the end --------------------------------------------------------------------------------- */

void http_exchange__explain(http_exchange_t *exchange, int err, const char *format, ...)
{
    va_list ap;

    if (exchange->err != 0)
        return;
    exchange->err = err;
    va_start(ap, format);
    vsnprintf(exchange->error, sizeof(exchange->error), format, ap);
    va_end(ap);
}

void http_exchange__finish(http_exchange_t *exchange, int err)
{
    hlist_remove(&exchange->link);
    if (exchange->dial) {
        exchange->peer->dialling--;
        hdial_cancel(exchange->dial);
    }
    htimer_del(exchange->timer);
    if (err != 0)
        http_exchange__explain(exchange, err, "%s", herr_str(err));
    exchange->callbacks->on_close(exchange, err, exchange->userdata);
    hbytes_deinit(&exchange->early);
    hbytes_deinit(&exchange->held);
    hbytes_deinit(&exchange->broken);
    hmem_free(exchange->head);
    hmem_free(exchange);
}

static void on_abort(htimer_t *timer)
{
    http_exchange_t *exchange = hevent_userdata(timer);
    http_peer_t *peer = exchange->peer;

    exchange->timer = NULL;
    http_peer__next(peer);
    http_exchange__finish(exchange, exchange->err); /* last: the peer may go with it */
}

void http_exchange_abort(http_exchange_t *exchange, int err)
{
    http_exchange__explain(exchange, err, "%s", herr_str(err));
    if (exchange->conn) {
        hio_abort(exchange->conn->io, err);
        return;
    }
    if (exchange->dial && !exchange->dial_tells) { /* else it goes on until then */
        hdial_cancel(exchange->dial);
        exchange->dial = NULL;
        exchange->peer->dialling--;
    }
    hlist_remove(&exchange->link); /* it takes no turn any more */
    hlist_push_back(&exchange->peer->active, &exchange->link);
    htimer_del(exchange->timer);
    exchange->timer = htimer_add(exchange->peer->loop, on_abort, 1, 1);
    if (exchange->timer)
        hevent_set_userdata(exchange->timer, exchange);
    /* Without memory it ends with its peer. */
}

/* ---- public ---------------------------------------------------------------------------------- */

int http_exchange_start(http_peer_t *peer, const http_exchange_request_t *request,
                        const http_exchange_callbacks_t *callbacks, void *userdata,
                        http_exchange_t **exchange)
{
    http_exchange_t *e = hmem_zalloc(sizeof(*e));
    int err;

    if (!e)
        return -ENOMEM;
    e->peer = peer;
    e->callbacks = callbacks;
    e->userdata = userdata;
    e->method = http_method_of(request->method);
    e->body_length = request->body_length;
    e->chunked = request->body_length == HTTP_BODY_UNKNOWN;
    e->ended = request->body_length == HTTP_BODY_NONE || request->body_length == 0;
    e->upgrade = request->upgrade;
    e->connect = request->connect;
    e->expects = request->expects_continue && !e->ended;
    e->raw = request->raw;
    e->insists = request->insists;
    e->continue_ms = request->continue_ms ? request->continue_ms : HTTP_EXCHANGE_CONTINUE_MS;
    e->repeatable = is_idempotent(e->method) && request->body_length != HTTP_BODY_UNKNOWN &&
                    request->body_length <= 0;
    e->early.size_max = HTTP_EXCHANGE_EARLY_MAX;
    e->times.started_us = htime_monotonic_us();
    err = make_head(e, request);
    if (err == 0)
        err = http_peer__assign(e);
    if (err < 0) {
        hlist_remove(&e->link);
        hmem_free(e->head);
        hmem_free(e);
        return err;
    }
    *exchange = e;
    return 0;
}

static int check_length(http_exchange_t *exchange, size_t len, bool end)
{
    int64_t announced = exchange->body_length, written = exchange->written + (int64_t)len;

    if (announced < 0 || (written <= announced && (!end || written == announced)))
        return 0;
    http_exchange_abort(exchange, -EPROTO);
    return -EPROTO;
}

int http_exchange_write(http_exchange_t *exchange, const void *data, size_t len)
{
    int err;

    if (exchange->err != 0 || (exchange->ended && !exchange->tunnel))
        return HERR_CLOSED;
    err = exchange->tunnel ? 0 : check_length(exchange, len, false);
    if (err < 0 || len == 0)
        return err;
    err = http1_client__send(exchange, data, len, false);
    if (err == 0)
        exchange->written += (int64_t)len;
    return err;
}

static int end_tunnel(http_exchange_t *exchange)
{
    if (!exchange->conn)
        return HERR_CLOSED;
    exchange->shut = true;
    http1_client__resume_later(exchange->conn);
    return hio_shutdown(exchange->conn->io);
}

int http_exchange_end(http_exchange_t *exchange)
{
    int err;

    if (exchange->err != 0)
        return HERR_CLOSED;
    if (exchange->tunnel)
        return end_tunnel(exchange);
    if (exchange->ended)
        return 0;
    err = check_length(exchange, 0, true);
    if (err == 0)
        err = http1_client__send(exchange, NULL, 0, true);
    if (err == 0)
        exchange->ended = true;
    return err;
}

bool http_exchange_is_full(http_exchange_t *exchange)
{
    bool full;

    if (exchange->err != 0)
        return false;
    if (!exchange->conn || !exchange->released) {
        full = exchange->early.len > HTTP_EXCHANGE_EARLY_MAX / 2;
    } else {
        full = hio_write_bufsize(exchange->conn->io) > HTTP_EXCHANGE_QUEUED_MAX;
        if (full)
            hio_await_writable(exchange->conn->io);
    }
    exchange->filling |= full;
    return full;
}

void http_exchange_pause(http_exchange_t *exchange)
{
    exchange->paused = true;
    if (exchange->conn && !exchange->conn->busy)
        hio_read_stop(exchange->conn->io);
}

void http_exchange_resume(http_exchange_t *exchange)
{
    if (!exchange->paused)
        return;
    exchange->paused = false;
    if (!exchange->conn || exchange->conn->busy)
        return;
    exchange->resumed = true;
    http1_client__resume_later(exchange->conn);
}

const char *http_exchange_error(const http_exchange_t *exchange)
{
    return exchange->error;
}

hdial_step_e http_exchange_step(const http_exchange_t *exchange)
{
    return exchange->step;
}

bool http_exchange_has_begun(const http_exchange_t *exchange)
{
    return exchange->begun;
}

bool http_exchange_head_is_full(const http_exchange_t *exchange)
{
    return exchange->is_full;
}

bool http_exchange_is_http(const http_exchange_t *exchange)
{
    return exchange->is_http;
}

http_span_t http_exchange_broken_head(const http_exchange_t *exchange)
{
    return (http_span_t){exchange->broken.data, exchange->broken.len};
}

http_span_t http_exchange_head(const http_exchange_t *exchange)
{
    return (http_span_t){exchange->head, exchange->head_len};
}

uint64_t http_exchange_connection(const http_exchange_t *exchange)
{
    return exchange->conn ? exchange->conn->id : 0;
}

void http_exchange_times(const http_exchange_t *exchange, http_exchange_times_t *times)
{
    *times = exchange->times;
}

hio_t *http_exchange_io(const http_exchange_t *exchange)
{
    return exchange->conn ? exchange->conn->io : NULL;
}

void *http_exchange_userdata(const http_exchange_t *exchange)
{
    return exchange->userdata;
}
