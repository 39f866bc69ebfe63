#include "view.h"

#include "app/hterm.h"
#include "base/hbase64.h"
#include "base/herr.h"
#include "base/hjson.h"
#include "base/hmem.h"
#include "base/hstr.h"
#include "base/htime.h"

#include <string.h>

#define LINE_BYTES 16
#define LINE_SIZE 192 /* of hex, with a time, an offset of 64 bits and colour */

static const char *const direction_names[] = {[DUMP_SENT] = "sent", [DUMP_RECEIVED] = "received"};

/* "2026-11-20T17:45:01.123+0100 ", or "" where none is wanted. */
static const char *prefix(const view_t *view, uint64_t now_ms, char text[HTIME_ISO_SIZE + 1])
{
    text[0] = '\0';
    if (view->timestamps) {
        size_t len = strlen(htime_iso_local(now_ms, text, HTIME_ISO_SIZE));

        text[len] = ' ';
        text[len + 1] = '\0';
    }
    return text;
}

/* ---- hex ------------------------------------------------------------------------------------- */

static char *put_text(char *to, const char *text)
{
    size_t len = strlen(text);

    memcpy(to, text, len);
    return to + len;
}

static char *put_hex(char *to, uint64_t value, int digits)
{
    for (int shift = 4 * (digits - 1); shift >= 0; shift -= 4)
        *to++ = "0123456789abcdef"[value >> shift & 15];
    return to;
}

static char *put_bytes(char *to, const unsigned char *data, size_t len)
{
    for (size_t i = 0; i < LINE_BYTES; i++) {
        *to++ = ' ';
        if (i < len)
            to = put_hex(to, data[i], 2);
        else
            to = put_text(to, "  ");
    }
    to = put_text(to, "  |");
    for (size_t i = 0; i < len; i++)
        *to++ = data[i] >= ' ' && data[i] <= '~' ? (char)data[i] : '.';
    return put_text(to, "|");
}

static int add_hex(view_t *view, dump_direction_e direction, const hbuf_t *chunk, uint64_t now_ms,
                   hbytes_t *out)
{
    const unsigned char *data = (const unsigned char *)chunk->base;
    hterm_style_e style = direction == DUMP_SENT ? HTERM_GREEN : HTERM_CYAN;
    char time[HTIME_ISO_SIZE + 1];
    int err;

    prefix(view, now_ms, time);
    err = hbytes_reserve(out, (chunk->len / LINE_BYTES + 1) * LINE_SIZE);
    for (size_t i = 0; err == 0 && i < chunk->len; i += LINE_BYTES) {
        size_t n = chunk->len - i < LINE_BYTES ? chunk->len - i : LINE_BYTES;
        uint64_t offset = view->offset[direction] + i;
        char line[LINE_SIZE], *to = put_text(line, time);

        to = put_text(to, hterm_style(view->color, style));
        to = put_text(to, direction == DUMP_SENT ? "> " : "< ");
        to = put_hex(to, offset, offset >> 32 ? 16 : 8);
        *to++ = ' ';
        to = put_bytes(to, data + i, n);
        to = put_text(to, hterm_style(view->color, HTERM_PLAIN));
        *to++ = '\n';
        err = hbytes_append(out, line, (size_t)(to - line));
    }
    view->offset[direction] += chunk->len;
    return err;
}

/* ---- JSON ------------------------------------------------------------------------------------ */

static int add_base64(hjson_t *j, const hbuf_t *chunk)
{
    size_t size = HBASE64_ENCODED_SIZE(chunk->len);
    char *text = hmem_alloc(size);
    ssize_t len;

    if (!text)
        return -ENOMEM;
    len = hbase64_encode(HBASE64_STANDARD, chunk->base, chunk->len, text, size);
    hjson_bytes(j, text, len > 0 ? (size_t)len : 0);
    hjson_add_string(j, "encoding", "base64");
    hmem_free(text);
    return 0;
}

static int add_json(dump_direction_e direction, const hbuf_t *chunk, uint64_t now_ms, hbytes_t *out)
{
    char time[HTIME_ISO_SIZE];
    hjson_t j;
    int err = 0, json_err;

    hjson_init(&j, out);
    hjson_open_object(&j);
    hjson_add_string(&j, "time", htime_iso_utc(now_ms, time, sizeof(time)));
    hjson_add_string(&j, "direction", direction_names[direction]);
    hjson_add_uint(&j, "length", chunk->len);
    hjson_key(&j, "data");
    if (hstr_is_utf8(chunk->base, chunk->len))
        hjson_bytes(&j, chunk->base, chunk->len);
    else
        err = add_base64(&j, chunk);
    hjson_close(&j);
    json_err = hjson_finish(&j);
    if (err == 0)
        err = json_err;
    return err == 0 ? hbytes_append_char(out, '\n') : err;
}

/* ---- as it is -------------------------------------------------------------------------------- */

static int add_raw(view_t *view, const hbuf_t *chunk, uint64_t now_ms, hbytes_t *out)
{
    char time[HTIME_ISO_SIZE + 1];
    int err = 0;

    if (!view->timestamps)
        return hbytes_append(out, chunk->base, chunk->len);
    prefix(view, now_ms, time);
    if (view->datagrams && view->in_line) {
        err = hbytes_append_char(out, '\n');
        view->in_line = false;
    }
    for (size_t at = 0; err == 0 && at < chunk->len;) {
        const char *lf = memchr(chunk->base + at, '\n', chunk->len - at);
        size_t end = lf ? (size_t)(lf - chunk->base) + 1 : chunk->len;

        if (!view->in_line)
            err = hbytes_append_str(out, time);
        if (err == 0)
            err = hbytes_append(out, chunk->base + at, end - at);
        view->in_line = !lf;
        at = end;
    }
    return err;
}

int view_format(view_t *view, dump_direction_e direction, const hbuf_t *chunk, uint64_t now_ms,
                hbytes_t *out)
{
    size_t before = out->len;
    int err = 0;

    switch (view->style) {
    case VIEW_RAW:
        err = add_raw(view, chunk, now_ms, out);
        break;
    case VIEW_HEX:
        err = add_hex(view, direction, chunk, now_ms, out);
        break;
    case VIEW_JSON:
        err = add_json(direction, chunk, now_ms, out);
        break;
    }
    if (err < 0)
        out->len = before;
    return err;
}
