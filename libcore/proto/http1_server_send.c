/* Responses of HTTP/1: heads, the framing of bodies (RFC 9112 section 6), and the way to the
 * socket with as few system calls as there are pieces that have to be apart. */
#include "http1_server_int.h"

#include "../codec/http1_write.h"
#include "../event/hio_ops.h"

#include <string.h>

#define JOIN_MAX 4096
#define SPANS_MAX 5 /* head, size of the chunk, data, its end, the last chunk */

/* What goes out in one write. */
typedef struct pieces_s {
    hbuf_t spans[SPANS_MAX];
    int count;
    size_t len;
} pieces_t;

static void add(pieces_t *pieces, const void *data, size_t len)
{
    if (len == 0)
        return;
    pieces->spans[pieces->count++] = (hbuf_t){(char *)data, len};
    pieces->len += len;
}

/* ---- heads ----------------------------------------------------------------------------------- */

static bool is_tunnel(const http_stream_t *stream)
{
    return stream->status == 101 ||
           (stream->request.method == HTTP_METHOD_CONNECT && stream->status / 100 == 2);
}

static bool lives_on(const http1_conn_t *c, const http_stream_t *stream)
{
    const http_server_t *server = c->base.server;
    uint64_t discard_max = server->options.discard_max;

    if (stream->last || server->draining || c->eof ||
        c->base.requests >= server->options.keepalive_requests)
        return false;
    if (stream->body_done)
        return true;
    if (stream->request.expects_continue && !stream->continued)
        return false; /* it may send the body or not: nobody knows what comes */
    return http_stream__wants_body(stream) ||
           stream->request.content_length <= (int64_t)discard_max;
}

static void write_framing(http1_conn_t *c, http_stream_t *stream, http1_writer_t *w)
{
    int minor = stream->request.version == 11 ? 1 : 0;

    c->chunked = false;
    if (stream->status == 204 || stream->status == 304 || stream->status < 200 || stream->tunnel)
        return;
    if (stream->length >= 0) {
        http1_write_number(w, HTTP_SPAN("Content-Length"), (uint64_t)stream->length);
    } else if (minor == 1) {
        http1_write_raw(w, HTTP_SPAN("Transfer-Encoding: chunked\r\n"));
        c->chunked = !stream->bodiless;
    } else if (!stream->bodiless) {
        stream->last = true;
    }
}

static void write_connection(http1_conn_t *c, http_stream_t *stream, http1_writer_t *w)
{
    if (stream->status == 101) {
        http1_write_raw(w, HTTP_SPAN("Connection: Upgrade\r\n"));
        return;
    }
    if (stream->tunnel)
        return;
    stream->last = !lives_on(c, stream);
    if (stream->last)
        http1_write_raw(w, HTTP_SPAN("Connection: close\r\n"));
    else if (stream->request.version < 11)
        http1_write_raw(w, HTTP_SPAN("Connection: keep-alive\r\n"));
}

/* Date and Server, unless the program has set them. */
static void write_fixed(http_stream_t *stream, http1_writer_t *w)
{
    uint64_t own = UINT64_C(1) << HTTP_FIELD_DATE | UINT64_C(1) << HTTP_FIELD_SERVER;
    http_span_t fixed = http_server__fixed(stream->server), line;

    if (!(stream->present & own)) {
        http1_write_raw(w, fixed);
        return;
    }
    while (http_line_next(&fixed, &line)) {
        http_field_e field = *line.data == 'D' ? HTTP_FIELD_DATE : HTTP_FIELD_SERVER;

        if (stream->present & UINT64_C(1) << field)
            continue;
        http1_write_raw(w, line);
        http1_write_raw(w, HTTP_SPAN("\r\n"));
    }
}

/* The length of the head in the server's scratch. */
static ssize_t write_head(http1_conn_t *c, http_stream_t *stream)
{
    http1_writer_t w;

    if (stream->request.version == 9) { /* it has none */
        stream->last = true;
        return 0;
    }
    stream->tunnel = is_tunnel(stream);
    if (stream->tunnel) /* what comes now is not the body that the request had */
        stream->body_done = stream->end_told = stream->last = false;
    http1_write_begin(&w, c->base.server->out, HTTP_OUT_SIZE);
    http1_write_status(&w, 1, stream->status, HTTP_SPAN(""));
    write_fixed(stream, &w);
    http1_write_raw(&w, (http_span_t){stream->fields.data, stream->fields.len});
    write_framing(c, stream, &w);
    write_connection(c, stream, &w);
    return http1_write_end(&w);
}

/* ---- sending --------------------------------------------------------------------------------- */

static int write_pieces(http1_conn_t *c, const pieces_t *pieces)
{
    int n;

    if (pieces->len == 0)
        return 0;
    n = pieces->count == 1 ? hio_write(c->base.io, pieces->spans[0].base, pieces->len)
                           : hio_writev(c->base.io, pieces->spans, pieces->count);
    if (n < 0)
        return n;
    c->base.written += pieces->len;
    return 0;
}

static void give_back(const http_out_t *out)
{
    if (out->free_cb)
        out->free_cb((void *)out->data, out->free_arg);
    if (out->file && out->file->release)
        out->file->release(out->file->arg);
}

/* Bytes that are not copied, or a part of a file; they have been given back on an error. */
static int write_borrowed(http1_conn_t *c, const http_out_t *out)
{
    const http_file_part_t *file = out->file;
    int err = file ? hio_write_file(c->base.io, file->fd, file->offset, file->len, file->release,
                                    file->arg)
                   : hio_write_nocopy(c->base.io, out->data, out->len, out->free_cb, out->free_arg);

    if (err < 0) {
        give_back(out);
        return err;
    }
    c->base.written += file ? (uint64_t)file->len : out->len;
    return 0;
}

/* What is borrowed between what is copied. */
static int write_apart(http1_conn_t *c, const http_out_t *out, const pieces_t *before,
                       const pieces_t *behind)
{
    hio_t *io = c->base.io;
    int err;

    hio_cork(io);
    err = write_pieces(c, before);
    if (err == 0)
        err = write_borrowed(c, out);
    else
        give_back(out);
    if (err == 0)
        err = write_pieces(c, behind);
    if (!c->corked)
        hio_uncork(io);
    return err;
}

/* A short body moves behind its head: one span is a cheaper system call than two. */
static bool join(http1_conn_t *c, const http_out_t *out, pieces_t *before)
{
    size_t head = before->len;

    if (before->count != 1 || before->spans[0].base != c->base.server->out || out->len > JOIN_MAX ||
        head + out->len > HTTP_OUT_SIZE)
        return false;
    memcpy(c->base.server->out + head, out->data, out->len);
    before->spans[0].len = before->len = head + out->len;
    return true;
}

static int write_together(http1_conn_t *c, const http_out_t *out, pieces_t *before,
                          const pieces_t *behind)
{
    int err;

    if (out->len > 0 && !join(c, out, before))
        add(before, out->data, out->len);
    for (int i = 0; i < behind->count; i++)
        add(before, behind->spans[i].base, behind->spans[i].len);
    err = write_pieces(c, before);
    if (out->free_cb)
        out->free_cb((void *)out->data, out->free_arg);
    return err;
}

static int broken(http1_conn_t *c, int err)
{
    hio_abort(c->base.io, err);
    return err;
}

int http1_server__send(http_stream_t *stream, const http_out_t *out)
{
    http1_conn_t *c = http1_conn_of(stream);
    size_t len = out->file ? (size_t)out->file->len : out->len;
    pieces_t before = {0}, behind = {0};
    char prefix[HTTP1_CHUNK_PREFIX_SIZE];
    ssize_t head = out->head ? write_head(c, stream) : 0;
    int err;

    if (head < 0) {
        give_back(out);
        return broken(c, (int)head);
    }
    add(&before, c->base.server->out, (size_t)head);
    if (c->chunked && len > 0) {
        add(&before, prefix, http1_chunk_prefix(prefix, len));
        add(&behind, HTTP1_CHUNK_SUFFIX.data, HTTP1_CHUNK_SUFFIX.len);
    }
    if (c->chunked && out->end)
        add(&behind, HTTP1_CHUNK_LAST.data, HTTP1_CHUNK_LAST.len);
    stream->sent += (int64_t)len;
    if (out->file || (out->free_cb && len > HTTP1_COPY_MAX))
        err = write_apart(c, out, &before, &behind);
    else
        err = write_together(c, out, &before, &behind);
    if (err < 0)
        return broken(c, err);
    if (stream->tunnel && out->end)
        hio_shutdown(c->base.io);
    http1_server__resume_later(c);
    return 0;
}

int http1_server__interim(http_stream_t *stream, int status)
{
    http1_conn_t *c = http1_conn_of(stream);
    http1_writer_t w;
    pieces_t pieces = {0};
    ssize_t len;
    int err;

    if (stream->request.version < 11)
        return 0; /* RFC 9110 section 15.2 */
    http1_write_begin(&w, c->base.server->out, HTTP_OUT_SIZE);
    http1_write_status(&w, 1, status, HTTP_SPAN(""));
    if (status != 100)
        http1_write_raw(&w, (http_span_t){stream->fields.data, stream->fields.len});
    len = http1_write_end(&w);
    if (len < 0)
        return (int)len;
    stream->continued |= status == 100;
    add(&pieces, c->base.server->out, (size_t)len);
    err = write_pieces(c, &pieces);
    return err < 0 ? broken(c, err) : 0;
}

/* Where the end of the connection is that of the body, another one has to look different. */
static bool ends_with_connection(const http1_conn_t *c, const http_stream_t *stream)
{
    return stream->started && !stream->ended && !stream->bodiless && !stream->tunnel &&
           stream->length < 0 && !c->chunked;
}

void http1_server__give_up(http_stream_t *stream, int err)
{
    http1_conn_t *c = http1_conn_of(stream);

    if (ends_with_connection(c, stream))
        hio_reset(c->base.io); /* on_close tells err all the same */
    else
        hio_abort(c->base.io, err);
}

/* ---- room ------------------------------------------------------------------------------------ */

void http1_server__go_on_later(http_stream_t *stream)
{
    http1_conn_t *c = http1_conn_of(stream);
    int err = http1_server__watch(c);

    if (err < 0)
        hio_abort(c->base.io, err);
    else
        hio_await_writable(c->base.io);
}

bool http1_server__is_full(const http_stream_t *stream)
{
    http1_conn_t *c = http1_conn_of(stream);

    if (hio_write_bufsize(c->base.io) <= HTTP1_QUEUED_MAX || http1_server__watch(c) < 0)
        return false;
    hio_await_writable(c->base.io);
    return true;
}

/* ---- what has left --------------------------------------------------------------------------- */

void http1_server__on_written(hio_t *io, const void *buf, int len)
{
    http1_conn_t *c = hevent_userdata(io);

    (void)buf;
    c->left += (uint64_t)len;
}

void http1_server__correct_counts(http1_conn_t *c)
{
    uint64_t lost = c->base.written - c->left;

    if (!c->watched)
        return;
    c->base.written = c->left;
    if (c->stream)
        c->stream->sent -= (int64_t)lost < c->stream->sent ? (int64_t)lost : c->stream->sent;
}
