/* The parser looks for one mark, CR LF "--" boundary. The body begins as if CR LF had been seen, so
 * that the first boundary needs no rule of its own. What of a mark was matched is held back, and is
 * data after all when the next byte does not go on with it: the mark itself says what it was. No
 * boundary has a CR in it, so that a mark can begin anew only at its first byte.
 *
 * PREAMBLE -> LINE -> HEAD -> BODY -> LINE -> ... -> END */
#include "multipart.h"

#include "../base/herr.h"
#include "http_text_int.h"

#include <string.h>

/* ---- the boundary ---------------------------------------------------------------------------- */

/* More than RFC 2046 allows, as clients send it, but nothing that ends a line, and no space at its
 * end. */
static bool is_boundary(http_span_t text)
{
    if (text.len == 0 || text.len > MULTIPART_BOUNDARY_MAX || text.data[text.len - 1] == ' ')
        return false;
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] < ' ' || text.data[i] > '~' || text.data[i] == '"' || text.data[i] == '\\')
            return false;
    }
    return true;
}

int multipart_boundary(http_span_t value, http_span_t *boundary)
{
    http_param_t param;
    http_span_t type, subtype;

    if (!http_text__token(&value, &type) || value.len == 0 || value.data[0] != '/')
        return HERR_UNSUPPORTED;
    http_text__advance(&value, 1);
    if (!http_span_ieq(type, "multipart") || !http_text__token(&value, &subtype))
        return HERR_UNSUPPORTED;
    while (http_text__char(&value, ';')) {
        if (http_text__param(&value, &param) <= 0)
            continue;
        if (http_span_ieq(param.name, "boundary")) {
            *boundary = param.value;
            return is_boundary(param.value) ? 0 : HERR_SYNTAX;
        }
    }
    return HERR_SYNTAX;
}

int multipart_init(multipart_t *m, http_span_t boundary, const multipart_callbacks_t *callbacks,
                   void *arg)
{
    memset(m, 0, sizeof(*m));
    m->callbacks = *callbacks;
    m->arg = arg;
    m->head_max = MULTIPART_HEAD_MAX;
    m->parts_max = MULTIPART_PARTS_MAX;
    if (!is_boundary(boundary)) {
        m->err = HERR_SYNTAX;
        return m->err;
    }
    memcpy(m->mark, "\r\n--", 4);
    memcpy(m->mark + 4, boundary.data, boundary.len);
    m->mark_len = 4 + boundary.len;
    m->matched = m->implied = 2;
    return 0;
}

void multipart_deinit(multipart_t *m)
{
    hbytes_deinit(&m->head);
}

/* ---- the states: each takes some of the bytes and says how many, or an error ------------------
 * */

static int deliver(multipart_t *m, const char *data, size_t len)
{
    if (len == 0)
        return 0;
    if (m->state == MULTIPART_PREAMBLE) {
        m->dropped += len;
        return m->dropped > MULTIPART_PREAMBLE_MAX ? HERR_FRAME_SIZE : 0;
    }
    return m->callbacks.data ? m->callbacks.data(data, len, m->arg) : 0;
}

static int end_part(multipart_t *m)
{
    bool in_part = m->state == MULTIPART_BODY;

    m->state = MULTIPART_LINE;
    m->matched = m->implied = 0;
    m->line_len = 0;
    return in_part && m->callbacks.end ? m->callbacks.end(m->arg) : 0;
}

/* Goes on with a mark that has begun. */
static ssize_t match(multipart_t *m, const char *data, size_t len)
{
    size_t n = 0;
    int err;

    while (n < len && m->matched < m->mark_len && data[n] == m->mark[m->matched]) {
        n++;
        m->matched++;
    }
    if (m->matched == m->mark_len) {
        err = end_part(m);
        return err < 0 ? err : (ssize_t)n;
    }
    if (n == len)
        return (ssize_t)n;
    err = deliver(m, m->mark + m->implied, m->matched - m->implied);
    m->matched = m->implied = 0;
    return err < 0 ? err : (ssize_t)n;
}

/* Bytes up to where a mark may begin. */
static ssize_t take_body(multipart_t *m, const char *data, size_t len)
{
    const char *cr;
    size_t n;
    int err;

    if (m->matched > 0)
        return match(m, data, len);
    cr = memchr(data, '\r', len);
    n = cr ? (size_t)(cr - data) : len;
    err = deliver(m, data, n);
    m->matched = cr != NULL;
    return err < 0 ? err : (ssize_t)(n + (cr != NULL));
}

/* "--" ends it all, spaces and CR LF begin a part. */
static ssize_t take_line(multipart_t *m, const char *data)
{
    char c = data[0];

    if (m->line_len == 0 && (c == ' ' || c == '\t')) {
        if (++m->dropped > MULTIPART_PREAMBLE_MAX)
            return HERR_FRAME_SIZE;
        return 1;
    }
    m->line[m->line_len++] = c;
    if (m->line_len == 1)
        return c == '-' || c == '\r' ? 1 : HERR_PROTOCOL;
    if (memcmp(m->line, "--", 2) == 0) {
        m->state = MULTIPART_END;
        return 1;
    }
    if (memcmp(m->line, "\r\n", 2) != 0)
        return HERR_PROTOCOL;
    if (++m->parts > m->parts_max)
        return HERR_FRAME_SIZE;
    m->state = MULTIPART_HEAD;
    memset(&m->scan, 0, sizeof(m->scan));
    hbytes_clear(&m->head);
    return 1;
}

/* The fields are read as http_field_next reads them: one that is none is found here. */
static int begin_part(multipart_t *m)
{
    http_span_t fields = {m->head.data, m->head.len}, name, value;
    size_t count = 0;
    int got;

    while ((got = http_field_next(&fields, &name, &value)) > 0) {
        if (++count > MULTIPART_FIELDS_MAX)
            return HERR_FRAME_SIZE;
    }
    if (got < 0)
        return got;
    m->state = MULTIPART_BODY;
    m->matched = m->implied = 2; /* the line end of the head is that of a boundary, too */
    fields = (http_span_t){m->head.data, m->head.len};
    return m->callbacks.part ? m->callbacks.part(fields, m->arg) : 0;
}

/* A byte more than the head is never copied: its end is looked for after each line feed. */
static ssize_t take_head(multipart_t *m, const char *data, size_t len)
{
    const char *lf = memchr(data, '\n', len);
    size_t n = lf ? (size_t)(lf - data) + 1 : len;
    ssize_t end;
    int err;

    if (n > m->head_max - (m->head.len < m->head_max ? m->head.len : m->head_max))
        return HERR_FRAME_SIZE;
    err = hbytes_append(&m->head, data, n);
    if (err < 0)
        return err;
    end = http_head_end(&m->scan, m->head.data, m->head.len);
    if (end < 0)
        return end;
    if (end > 0)
        err = begin_part(m);
    return err < 0 ? err : (ssize_t)n;
}

static ssize_t take(multipart_t *m, const char *data, size_t len)
{
    switch (m->state) {
    case MULTIPART_PREAMBLE:
    case MULTIPART_BODY:
        return take_body(m, data, len);
    case MULTIPART_LINE:
        return take_line(m, data);
    case MULTIPART_HEAD:
        return take_head(m, data, len);
    case MULTIPART_END:
        break;
    }
    return (ssize_t)len;
}

int multipart_feed(multipart_t *m, const void *data, size_t len)
{
    const char *at = data, *end = at + len;

    while (m->err == 0 && at < end) {
        ssize_t n = take(m, at, (size_t)(end - at));

        if (n < 0)
            m->err = (int)n;
        else
            at += n;
    }
    return m->err;
}

int multipart_finish(const multipart_t *m)
{
    if (m->err < 0)
        return m->err;
    return m->state == MULTIPART_END ? 0 : HERR_TRUNCATED;
}

/* ---- writing --------------------------------------------------------------------------------- */

static void put_span(http_writer_t *w, http_span_t text)
{
    http_text__put_bytes(w, text.data, text.len);
}

ssize_t multipart_write_head(http_span_t boundary, bool first, http_span_t fields, char *buf,
                             size_t size)
{
    http_writer_t w = {.buf = buf, .size = size};

    if (!is_boundary(boundary))
        return -EINVAL;
    http_text__put(&w, first ? "--" : "\r\n--");
    put_span(&w, boundary);
    http_text__put(&w, "\r\n");
    put_span(&w, fields);
    http_text__put(&w, "\r\n");
    return http_text__written(&w);
}

ssize_t multipart_write_end(http_span_t boundary, char *buf, size_t size)
{
    http_writer_t w = {.buf = buf, .size = size};

    if (!is_boundary(boundary))
        return -EINVAL;
    http_text__put(&w, "\r\n--");
    put_span(&w, boundary);
    http_text__put(&w, "--\r\n");
    return http_text__written(&w);
}
