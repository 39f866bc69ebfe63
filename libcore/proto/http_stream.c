#include "http_server_int.h"

#include "../base/hmem.h"
#include "../base/hstr.h"
#include "../base/hurl.h"

#include <string.h>

/* ---- the stock of streams -------------------------------------------------------------------- */

static const http_stream_callbacks_t no_callbacks;

static http_stream_t *take_stream(http_server_t *server)
{
    hlist_t *node = hlist_pop_front(&server->stock);
    http_stream_t *stream;
    hbytes_t fields;

    if (!node) {
        stream = hmem_alloc(sizeof(*stream));
        if (stream)
            memset(stream, 0, sizeof(*stream));
        return stream;
    }
    server->stock_count--;
    stream = HLIST_ENTRY(node, http_stream_t, link);
    fields = stream->fields;
    memset(stream, 0, offsetof(http_stream_t, user) + 1);
    stream->fields = fields;
    hbytes_clear(&stream->fields);
    return stream;
}

http_stream_t *http_stream__new(http_server_t *server, http_conn_t *conn, const http_wire_t *wire)
{
    http_stream_t *stream = take_stream(server);

    if (!stream)
        return NULL;
    stream->server = server;
    stream->conn = conn;
    stream->wire = wire;
    stream->callbacks = &no_callbacks;
    stream->status = 200;
    stream->length = -1;
    stream->fields.size_max = HTTP_RESPONSE_HEAD_MAX;
    stream->started_us = hloop_now_hrtime(server->loop);
    server->stats.active++;
    return stream;
}

void http_stream__free(http_stream_t *stream)
{
    hbytes_deinit(&stream->fields);
    hmem_free(stream);
}

static void free_collect(http_stream_t *stream)
{
    if (!stream->collect)
        return;
    hbytes_deinit(&stream->collect->body);
    hmem_free(stream->collect);
    stream->collect = NULL;
}

static void release(http_stream_t *stream)
{
    http_server_t *server = stream->server;

    free_collect(stream);
    hmem_free(stream->memory);
    stream->memory = NULL;
    if (server->stock_count >= HTTP_STOCK_MAX || stream->fields.cap > HTTP_FIELDS_KEPT) {
        http_stream__free(stream);
        return;
    }
    server->stock_count++;
    hlist_push_front(&server->stock, &stream->link);
}

static void count(http_server_t *server, const http_stream_t *stream)
{
    int class = stream->status / 100;

    server->stats.active--;
    if (stream->started && class > 0 && class < 6)
        server->stats.by_class[class]++;
}

void http_stream__finish(http_stream_t *stream, int err)
{
    http_server_t *server = stream->server;

    if (stream->failed && stream->error != 0)
        err = stream->error;
    http_response__set_coding(stream, NULL);
    count(server, stream);
    if (server->options.on_done)
        server->options.on_done(stream, err, server->options.userdata);
    if (stream->callbacks->on_close)
        stream->callbacks->on_close(stream, err, stream->userdata);
    release(stream);
}

void http_stream__handle(http_stream_t *stream)
{
    http_server_t *server = stream->server;

    server->stats.requests++;
    stream->in_handler = true;
    server->options.handler(stream, server->options.userdata);
    stream->in_handler = false;
    stream->handled = true;
}

/* ---- asking ---------------------------------------------------------------------------------- */

const http_request_t *http_stream_request(const http_stream_t *stream)
{
    return &stream->request;
}

http_span_t http_request_field(const http_stream_t *stream, http_field_e field)
{
    return http_field_value(stream->request.fields, stream->request.field_count, field);
}

http_span_t http_request_find(const http_stream_t *stream, const char *name)
{
    return http_field_named(stream->request.fields, stream->request.field_count, name);
}

static bool span_is(http_span_t span, const char *text, size_t len)
{
    return span.len == len && memcmp(span.data, text, len) == 0;
}

http_span_t http_request_param(const http_stream_t *stream, const char *name)
{
    size_t len = strlen(name);

    for (size_t i = 0; i < stream->request.param_count; i++) {
        if (span_is(stream->request.params[i].name, name, len))
            return stream->request.params[i].value;
    }
    return (http_span_t){NULL, 0};
}

static ssize_t decode_text(hurl_part_t text, char *buf, size_t size)
{
    ssize_t len = size > 0 ? hurl_decode(buf, size - 1, text.data, text.len, true) : -ENOBUFS;

    if (len >= 0)
        buf[len] = '\0';
    return len;
}

ssize_t http_request_query(const http_stream_t *stream, const char *name, char *buf, size_t size)
{
    hurl_part_t rest = {stream->request.query.data, stream->request.query.len};
    hurl_part_t key, value;
    char decoded[256];
    size_t len = strlen(name);

    while (hurl_query_next(&rest, &key, &value)) {
        ssize_t n = key.len < sizeof(decoded)
                        ? hurl_decode(decoded, sizeof(decoded), key.data, key.len, true)
                        : -1;

        if (n < 0 || (size_t)n != len || memcmp(decoded, name, len) != 0)
            continue;
        return decode_text(value, buf, size);
    }
    return -ENOENT;
}

const haddr_t *http_stream_peer(http_stream_t *stream)
{
    static const haddr_t nobody;
    http_conn_t *conn = stream->conn;
    haddr_t *peer;

    if (!conn)
        return &nobody;
    if (conn->peer)
        return conn->peer;
    peer = hmem_zalloc(sizeof(*peer));
    if (!peer)
        return &nobody;
    peer->len = sizeof(peer->u);
    if (getpeername(hio_fd(conn->io), &peer->u.sa, &peer->len) < 0)
        peer->len = 0;
    else
        haddr_unmap(peer);
    conn->peer = peer;
    return peer;
}

const haddr_t *http_stream_local(http_stream_t *stream)
{
    haddr_t *local = &stream->local;

    memset(local, 0, sizeof(*local));
    local->len = sizeof(local->u);
    if (!stream->conn || getsockname(hio_fd(stream->conn->io), &local->u.sa, &local->len) < 0)
        local->len = 0;
    else
        haddr_unmap(local);
    return local;
}

http_server_t *http_stream_server(const http_stream_t *stream)
{
    return stream->server;
}

hloop_t *http_stream_loop(const http_stream_t *stream)
{
    return stream->server->loop;
}

hio_t *http_stream_io(const http_stream_t *stream)
{
    return stream->conn ? stream->conn->io : NULL;
}

void http_stream_stats(const http_stream_t *stream, http_stream_stats_t *stats)
{
    *stats = (http_stream_stats_t){
        .status = stream->started ? stream->status : 0,
        .bytes_sent = stream->sent,
        .body_bytes = stream->body_bytes,
        .started_us = stream->started_us,
        .duration_us = hloop_now_hrtime(stream->server->loop) - stream->started_us,
    };
}

void http_stream_set_user(http_stream_t *stream, http_span_t user)
{
    size_t len = user.len < HTTP_USER_SIZE ? user.len : HTTP_USER_SIZE - 1;

    if (len > 0)
        memcpy(stream->user, user.data, len);
    stream->user[len] = '\0';
}

const char *http_stream_user(const http_stream_t *stream)
{
    return stream->user;
}

/* ---- the body of the request ----------------------------------------------------------------- */

void http_stream_set_callbacks(http_stream_t *stream, const http_stream_callbacks_t *callbacks,
                               void *userdata)
{
    stream->callbacks = callbacks ? callbacks : &no_callbacks;
    stream->userdata = userdata;
    if (!stream->in_handler && stream->conn)
        stream->wire->body_changed(stream);
}

void *http_stream_userdata(const http_stream_t *stream)
{
    return stream->userdata;
}

bool http_stream__wants_body(const http_stream_t *stream)
{
    return stream->callbacks->on_body || stream->collect;
}

void http_stream_pause(http_stream_t *stream)
{
    if (stream->paused)
        return;
    stream->paused = true;
    if (stream->conn)
        stream->wire->body_changed(stream);
}

void http_stream_resume(http_stream_t *stream)
{
    if (!stream->paused)
        return;
    stream->paused = false;
    if (stream->conn)
        stream->wire->body_changed(stream);
}

void http_stream_set_body_max(http_stream_t *stream, uint64_t size_max)
{
    stream->body_max = size_max;
}

static void finish_collect(http_stream_t *stream)
{
    http_collect_t collect = *stream->collect;

    hmem_free(stream->collect);
    stream->collect = NULL;
    stream->end_told = true;
    collect.cb(stream, (http_span_t){collect.body.data ? collect.body.data : "", collect.body.len},
               collect.userdata);
    hbytes_deinit(&collect.body);
}

int http_stream_collect(http_stream_t *stream, size_t size_max, http_body_cb cb, void *userdata)
{
    http_collect_t *collect = hmem_zalloc(sizeof(*collect));

    if (!collect)
        return -ENOMEM;
    *collect = (http_collect_t){.cb = cb, .userdata = userdata};
    stream->collect = collect;
    if (size_max > 0)
        stream->body_max = size_max;
    if (stream->body_done)
        finish_collect(stream);
    else if (!stream->in_handler && stream->conn)
        stream->wire->body_changed(stream);
    return 0;
}

static void collect_more(http_stream_t *stream, http_span_t data)
{
    if (hbytes_append(&stream->collect->body, data.data, data.len) == 0)
        return;
    free_collect(stream);
    if (http_response_error(stream, 503, "out of memory") < 0)
        http_stream_abort(stream, -ENOMEM);
}

void http_stream__body(http_stream_t *stream, http_span_t data)
{
    stream->body_bytes += (int64_t)data.len;
    if (stream->collect)
        collect_more(stream, data);
    else if (stream->callbacks->on_body && !stream->failed)
        stream->callbacks->on_body(stream, data, stream->userdata);
}

void http_stream__body_end(http_stream_t *stream)
{
    stream->body_done = true;
    if (stream->end_told)
        return;
    stream->end_told = true;
    if (stream->collect)
        finish_collect(stream);
    else if (stream->callbacks->on_body_end && !stream->failed)
        stream->callbacks->on_body_end(stream, stream->userdata);
}

void http_stream__drained(http_stream_t *stream)
{
    if (stream->coded.coding && http_response__pump(stream) < 0)
        return;
    if (!stream->filling || stream->wire->is_full(stream) || stream->coded.file.len > 0)
        return;
    stream->filling = false;
    if (stream->callbacks->on_drained && !stream->failed)
        stream->callbacks->on_drained(stream, stream->userdata);
}

void http_stream_abort(http_stream_t *stream, int err)
{
    if (stream->failed || !stream->conn)
        return;
    stream->failed = true;
    stream->error = err;
    stream->wire->give_up(stream, err);
}
