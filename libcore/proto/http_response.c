#include "http_server_int.h"

#include "../base/hmem.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define PRINTF_MAX 1024
#define HTTP_BIT(field) (UINT64_C(1) << HTTP_FIELD_##field)

/* ---- status and fields ----------------------------------------------------------------------- */

void http_response_status(http_stream_t *stream, int status)
{
    if (!stream->started)
        stream->status = status;
}

int http_response_get_status(const http_stream_t *stream)
{
    return stream->status;
}

bool http_response_started(const http_stream_t *stream)
{
    return stream->started;
}

/* The line of a field in the block: from its name to behind its end. */
static bool find_line(const http_stream_t *stream, const char *name, size_t len, http_span_t *line,
                      http_span_t *value)
{
    http_span_t rest = {stream->fields.data, stream->fields.len};
    http_span_t text;

    while (http_line_next(&rest, &text)) {
        if (text.len <= len || text.data[len] != ':' || strncasecmp(text.data, name, len) != 0)
            continue;
        *line = (http_span_t){text.data, (size_t)(rest.data - text.data)};
        *value = (http_span_t){text.data + len + 2, text.len - len - 2};
        return true;
    }
    return false;
}

http_span_t http_response_get(const http_stream_t *stream, const char *name)
{
    http_span_t line, value;

    if (find_line(stream, name, strlen(name), &line, &value))
        return value;
    return (http_span_t){NULL, 0};
}

static void remove_lines(http_stream_t *stream, http_span_t name)
{
    http_span_t line, value;

    while (find_line(stream, name.data, name.len, &line, &value)) {
        size_t at = (size_t)(line.data - stream->fields.data);

        memmove(stream->fields.data + at, line.data + line.len, stream->fields.len - at - line.len);
        stream->fields.len -= line.len;
    }
}

static bool is_servers_own(http_field_e field)
{
    return field == HTTP_FIELD_CONTENT_LENGTH || field == HTTP_FIELD_TRANSFER_ENCODING ||
           field == HTTP_FIELD_CONNECTION || field == HTTP_FIELD_KEEP_ALIVE;
}

static bool is_clean(http_span_t value)
{
    return http_find_best()(value.data, value.data + value.len, &http_not_line) ==
           value.data + value.len;
}

static int check(const http_stream_t *stream, http_span_t name, http_field_e field)
{
    if (!stream->conn || stream->started)
        return HERR_CLOSED;
    return is_servers_own(field) || !http_is_token(name) ? -EINVAL : 0;
}

static int append(http_stream_t *stream, http_span_t name, http_span_t value, http_field_e field)
{
    hbytes_t *fields = &stream->fields;
    int err = value.len > 0 && !is_clean(value) ? -EINVAL
                                                : hbytes_reserve(fields, name.len + value.len + 4);

    if (err < 0)
        return err;
    /* There is room: none of these fails. */
    hbytes_append(fields, name.data, name.len);
    hbytes_append(fields, ": ", 2);
    if (value.len > 0)
        hbytes_append(fields, value.data, value.len);
    hbytes_append(fields, "\r\n", 2);
    stream->present |= UINT64_C(1) << field;
    return 0;
}

int http_response_add(http_stream_t *stream, http_span_t name, http_span_t value)
{
    http_field_e field = http_field_of(name);
    int err = check(stream, name, field);

    return err < 0 ? err : append(stream, name, value, field);
}

int http_response_set(http_stream_t *stream, http_span_t name, http_span_t value)
{
    http_field_e field = http_field_of(name);
    int err = check(stream, name, field);

    if (err == 0 && value.len > 0 && !is_clean(value))
        err = -EINVAL;
    if (err == 0)
        err = hbytes_reserve(&stream->fields, name.len + value.len + 4);
    if (err < 0)
        return err;
    if (stream->present & UINT64_C(1) << field)
        remove_lines(stream, name);
    return append(stream, name, value, field);
}

int http_response__add_lines(http_stream_t *stream, http_span_t lines, uint64_t present)
{
    http_span_t line, name, value;
    http_field_e field;
    int err = 0;

    if (!stream->conn || stream->started)
        return HERR_CLOSED;
    if (!(stream->present & present)) {
        stream->present |= present;
        return hbytes_append(&stream->fields, lines.data, lines.len);
    }
    while (err == 0 && http_line_next(&lines, &line)) {
        if (http_field_cut(line, &name, &value, &field) == 0 &&
            !(stream->present & UINT64_C(1) << field))
            err = append(stream, name, value, field);
    }
    return err;
}

int http_response_printf(http_stream_t *stream, const char *name, const char *format, ...)
{
    char value[PRINTF_MAX];
    va_list ap;
    int len;

    va_start(ap, format);
    len = vsnprintf(value, sizeof(value), format, ap);
    va_end(ap);
    if (len < 0)
        return -EINVAL;
    if ((size_t)len >= sizeof(value))
        return -ENOBUFS;
    return http_response_set(stream, http_span(name), (http_span_t){value, (size_t)len});
}

int http_response_remove(http_stream_t *stream, http_span_t name)
{
    http_field_e field = http_field_of(name);
    int err = check(stream, name, field);

    if (err < 0)
        return err;
    if (stream->present & UINT64_C(1) << field)
        remove_lines(stream, name);
    if (field != HTTP_FIELD_OTHER)
        stream->present &= ~(UINT64_C(1) << field);
    return 0;
}

int http_stream_add_hook(http_stream_t *stream, http_hook_cb hook, void *arg)
{
    if (stream->hook_count == HTTP_HOOKS_MAX)
        return -ENOBUFS;
    stream->hooks[stream->hook_count++] = (http_hook_t){hook, arg};
    return 0;
}

/* ---- sending --------------------------------------------------------------------------------- */

static bool has_no_body(const http_stream_t *stream)
{
    return stream->request.method == HTTP_METHOD_HEAD || stream->status == 204 ||
           stream->status == 304;
}

static void give_back(const http_out_t *out)
{
    if (out->free_cb)
        out->free_cb((void *)out->data, out->free_arg);
    if (out->file && out->file->release)
        out->file->release(out->file->arg);
}

static int emit(http_stream_t *stream, const http_out_t *out)
{
    return stream->coded.coding ? http_response__send_coded(stream, out)
                                : stream->wire->send(stream, out);
}

/* The head is about to be made; length: of the body, -1: not known yet. */
static int begin(http_stream_t *stream, int64_t length)
{
    if (!stream->conn || stream->failed || stream->started)
        return HERR_CLOSED;
    stream->length = length;
    for (int i = 0; i < stream->hook_count; i++)
        stream->hooks[i].cb(stream, stream->hooks[i].arg);
    stream->started = true;
    stream->bodiless = has_no_body(stream);
    return 0;
}

/* Fewer or more than announced: what has left cannot be taken back. */
static int too_long(http_stream_t *stream)
{
    http_stream_abort(stream, -EOVERFLOW);
    return -EOVERFLOW;
}

static int put(http_stream_t *stream, http_out_t *out)
{
    int64_t len = out->file ? out->file->len : (int64_t)out->len;

    if (!stream->conn || stream->failed || stream->ended || !stream->started) {
        give_back(out);
        return HERR_CLOSED;
    }
    stream->written += len;
    if (stream->length >= 0 && stream->written > stream->length) {
        give_back(out);
        return too_long(stream);
    }
    if (stream->bodiless) {
        give_back(out);
        *out = (http_out_t){.head = out->head, .end = out->end};
    }
    if (!out->head && !out->end && len == 0) {
        give_back(out);
        return 0;
    }
    if (out->end)
        stream->ended = true;
    return emit(stream, out);
}

static int send_whole(http_stream_t *stream, http_out_t *out)
{
    int err = begin(stream, (int64_t)out->len);

    if (err < 0) {
        give_back(out);
        return err;
    }
    return put(stream, out);
}

int http_response_send(http_stream_t *stream, const void *body, size_t len)
{
    http_out_t out = {.head = true, .data = body, .len = len, .end = true};

    return send_whole(stream, &out);
}

static void keep(void *buf, void *arg)
{
    (void)buf;
    (void)arg;
}

int http_response_send_nocopy(http_stream_t *stream, const void *body, size_t len,
                              hio_free_cb free_cb, void *arg)
{
    http_out_t out = {.head = true,
                      .data = body,
                      .len = len,
                      .end = true,
                      .free_cb = free_cb ? free_cb : keep,
                      .free_arg = arg};

    return send_whole(stream, &out);
}

/* A coder takes the response apart: the head, what comes of the file as the client takes it, the
 * end. */
static int send_coded_file(http_stream_t *stream, const http_file_part_t *part)
{
    http_out_t head = {.head = true}, file = {.file = part};
    int err = put(stream, &head);

    if (err == 0)
        err = put(stream, &file);
    else
        give_back(&file);
    return err == 0 ? http_response_end(stream) : err;
}

int http_response_send_file(http_stream_t *stream, const http_file_part_t *part)
{
    http_out_t out = {.head = true, .file = part, .end = true};
    int err = begin(stream, part->len);

    if (err < 0) {
        give_back(&out);
        return err;
    }
    return stream->coded.coding ? send_coded_file(stream, part) : put(stream, &out);
}

int http_response_start(http_stream_t *stream, int64_t length)
{
    http_out_t out = {.head = true};
    int err = begin(stream, length);

    return err < 0 ? err : put(stream, &out);
}

int http_response_write(http_stream_t *stream, const void *data, size_t len)
{
    http_out_t out = {.data = data, .len = len};

    return put(stream, &out);
}

int http_response_write_nocopy(http_stream_t *stream, const void *data, size_t len,
                               hio_free_cb free_cb, void *arg)
{
    http_out_t out = {
        .data = data, .len = len, .free_cb = free_cb ? free_cb : keep, .free_arg = arg};

    return put(stream, &out);
}

int http_response_write_file(http_stream_t *stream, const http_file_part_t *part)
{
    http_out_t out = {.file = part};

    return put(stream, &out);
}

int http_response_end(http_stream_t *stream)
{
    http_out_t out = {.end = true};

    if (stream->started && !stream->ended && !stream->bodiless && stream->length >= 0 &&
        stream->written < stream->length) {
        http_stream_abort(stream, HERR_TRUNCATED);
        return HERR_TRUNCATED;
    }
    return put(stream, &out);
}

bool http_response_is_full(const http_stream_t *stream)
{
    bool full = stream->conn && (stream->coded.file.len > 0 || stream->wire->is_full(stream));

    if (full)
        ((http_stream_t *)stream)->filling = true;
    return full;
}

int http_response_interim(http_stream_t *stream, int status)
{
    if (!stream->conn || stream->started || stream->failed)
        return HERR_CLOSED;
    return stream->wire->interim(stream, status);
}

void http_response_last(http_stream_t *stream)
{
    stream->last = true;
    if (stream->ended && stream->conn)
        stream->wire->body_changed(stream);
}

/* ---- usual answers --------------------------------------------------------------------------- */

/* What was said of a body that is not sent now. */
static void forget_content(http_stream_t *stream)
{
    static const http_field_e fields[] = {
        HTTP_FIELD_CONTENT_TYPE, HTTP_FIELD_CONTENT_ENCODING, HTTP_FIELD_CONTENT_DISPOSITION,
        HTTP_FIELD_ETAG,         HTTP_FIELD_LAST_MODIFIED,    HTTP_FIELD_CACHE_CONTROL,
    };

    for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
        http_response_remove(stream, http_field_name(fields[i]));
}

static int plain_error(http_stream_t *stream, int status, const char *detail)
{
    char text[512];
    int len = snprintf(text, sizeof(text), "%d %s%s%s\n", status, http_status_text(status),
                       detail ? ": " : "", detail ? detail : "");

    http_response_set(stream, HTTP_SPAN("Content-Type"), HTTP_SPAN("text/plain; charset=utf-8"));
    return http_response_send(stream, text,
                              (size_t)len < sizeof(text) ? (size_t)len : sizeof(text) - 1);
}

int http_response_error(http_stream_t *stream, int status, const char *detail)
{
    const http_server_options_t *options = &stream->server->options;

    if (!stream->conn || stream->started || stream->failed)
        return HERR_CLOSED;
    forget_content(stream);
    stream->status = status;
    if (!options->on_error || stream->in_error)
        return plain_error(stream, status, detail);
    stream->in_error = true;
    options->on_error(stream, status, detail, options->userdata);
    return 0;
}

int http_response_redirect(http_stream_t *stream, int status, http_span_t location)
{
    int err = http_response_set(stream, HTTP_SPAN("Location"), location);

    return err < 0 ? err : http_response_error(stream, status, NULL);
}
