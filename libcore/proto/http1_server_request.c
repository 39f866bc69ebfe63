#include "http1_server_int.h"

#include "../base/hmem.h"
#include "../codec/http_path.h"

#include <string.h>

/* "http://host/path?query" (RFC 9112 section 3.2.2): its host goes before Host. */
static http_span_t cut_absolute(http_span_t target, http_span_t *authority)
{
    const char *end = target.data + target.len;
    const char *host = memchr(target.data, ':', target.len);
    const char *path;

    host += 3; /* the parser has seen "://" */
    path = host;
    while (path < end && *path != '/' && *path != '?')
        path++;
    *authority = (http_span_t){host, (size_t)(path - host)};
    return (http_span_t){path, (size_t)(end - path)};
}

static int decode(http1_conn_t *c, http_stream_t *stream, http_span_t path)
{
    http_server_t *server = c->base.server;
    ssize_t len =
        http_path_decode(server->path, server->path_size, path.len > 0 ? path : HTTP_SPAN("/"));

    if (len < 0)
        return len == -ENOBUFS ? 414 : 400;
    stream->request.path = (http_span_t){server->path, (size_t)len};
    stream->path_size = (size_t)len + 1;
    return 0;
}

static void set_literal_path(http1_conn_t *c, http_stream_t *stream, http_span_t path)
{
    memcpy(c->base.server->path, path.data, path.len);
    c->base.server->path[path.len] = '\0';
    stream->request.path = (http_span_t){c->base.server->path, path.len};
    stream->path_size = path.len + 1;
}

static int set_target(http1_conn_t *c, http_stream_t *stream, const http1_message_t *m)
{
    http_request_t *request = &stream->request;
    http_span_t target = m->target, path;

    switch (m->target_form) {
    case HTTP1_TARGET_ASTERISK:
        set_literal_path(c, stream, HTTP_SPAN("*"));
        return 0;
    case HTTP1_TARGET_AUTHORITY:
        request->authority = m->target;
        set_literal_path(c, stream, HTTP_SPAN(""));
        return 0;
    case HTTP1_TARGET_ABSOLUTE:
        target = cut_absolute(target, &request->authority);
        break;
    case HTTP1_TARGET_ORIGIN:
        break;
    }
    http_path_split(target, &path, &request->query);
    return decode(c, stream, path);
}

int http1_server__request(http1_conn_t *c, http_stream_t *stream)
{
    const http1_message_t *m = &c->base.server->message;
    const http_field_t *host = http1_field(m, HTTP_FIELD_HOST);
    http_request_t *request = &stream->request;

    request->method = m->method;
    request->method_name = m->method_name;
    request->version = m->major * 10 + m->minor;
    request->secure = c->base.secure;
    request->expects_continue = m->expect_continue;
    request->wants_upgrade = m->upgrade;
    request->authority = host ? host->value : HTTP_SPAN("");
    request->target = m->target;
    request->query = (http_span_t){NULL, 0};
    request->fields = m->fields;
    request->field_count = m->field_count;
    request->content_length = m->framing == HTTP1_LENGTH    ? m->content_length
                              : m->framing == HTTP1_CHUNKED ? -1
                                                            : 0;
    stream->body_done = request->content_length == 0;
    stream->last = !m->keep_alive;
    return set_target(c, stream, m);
}

/* ---- keeping --------------------------------------------------------------------------------- */

static void rebase(http_span_t *span, http_span_t from, char *to)
{
    if (span->data && span->data >= from.data && span->data <= from.data + from.len)
        span->data = to + (span->data - from.data);
}

int http1_server__keep(http1_conn_t *c, http_stream_t *stream)
{
    http_server_t *server = c->base.server;
    http_request_t *r = &stream->request;
    http_span_t head = server->message.head, path = {server->path, stream->path_size};
    size_t fields_size = r->field_count * sizeof(http_field_t);
    http_field_t *fields;
    char *text;

    if (stream->memory)
        return 0;
    stream->memory = hmem_alloc(fields_size + head.len + stream->path_size + 1);
    if (!stream->memory)
        return -ENOMEM;
    fields = (http_field_t *)(void *)stream->memory;
    text = stream->memory + fields_size;
    memcpy(text, head.data, head.len);
    if (path.len > 0)
        memcpy(text + head.len, path.data, path.len);
    for (size_t i = 0; i < r->field_count; i++) {
        fields[i] = r->fields[i];
        rebase(&fields[i].name, head, text);
        rebase(&fields[i].value, head, text);
    }
    r->fields = fields;
    rebase(&r->method_name, head, text);
    rebase(&r->target, head, text);
    rebase(&r->query, head, text);
    rebase(&r->authority, head, text);
    rebase(&r->path, path, text + head.len);
    for (size_t i = 0; i < r->param_count; i++)
        rebase(&r->params[i].value, path, text + head.len);
    return 0;
}
