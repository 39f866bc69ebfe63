#include "http1_int.h"

#include "../base/herr.h"
#include "http_chars.h"

#include <string.h>

void http1__rewind(http1_parser_t *p)
{
    p->line = 0;
    p->field_count = 0;
    p->started = p->state == HTTP1_IN_TRAILERS;
}

static int bad_request(http1_parser_t *p, const char *reason)
{
    return http1__fail(p, HERR_PROTOCOL, 400, reason);
}

/* What http_line_end refused. left: so many bytes of all lines there could have been. */
static int bad_line(http1_parser_t *p, int error, size_t left)
{
    if (error != HERR_FRAME_SIZE)
        return bad_request(p, "a control character");
    if (left < p->line_max) {
        p->full = p->state == HTTP1_IN_HEAD;
        return http1__fail(p, error, 431,
                           p->full ? "the head is too long" : "the trailers are too long");
    }
    return p->started ? http1__fail(p, error, 431, "a field is too long")
                      : http1__fail(p, error, 414, "the first line is too long");
}

/* scheme://host..., without a user (RFC 9110 section 4.2.4) */
static bool is_absolute(http_span_t target)
{
    const char *colon = memchr(target.data, ':', target.len);
    const char *end = target.data + target.len;
    const char *host, *host_end;

    if (!colon || colon == target.data || end - colon <= 3 || memcmp(colon, "://", 3) != 0)
        return false;
    for (const char *c = target.data; c < colon; c++) {
        bool is_letter = (*c | 0x20) >= 'a' && (*c | 0x20) <= 'z';

        if (!is_letter && (c == target.data || !((*c >= '0' && *c <= '9') || strchr("+-.", *c))))
            return false;
    }
    host = host_end = colon + 3;
    while (host_end < end && *host_end != '/' && *host_end != '?')
        host_end++;
    return host_end > host && *host != ':' &&
           http_is_authority((http_span_t){host, (size_t)(host_end - host)}, false);
}

/* RFC 9112 section 3.2 */
static bool find_form(http1_message_t *m)
{
    if (m->method == HTTP_METHOD_CONNECT) {
        m->target_form = HTTP1_TARGET_AUTHORITY;
        return http_is_authority(m->target, true);
    }
    if (m->target.data[0] == '/') {
        m->target_form = HTTP1_TARGET_ORIGIN;
        return true;
    }
    if (m->method == HTTP_METHOD_OPTIONS && m->target.len == 1 && m->target.data[0] == '*') {
        m->target_form = HTTP1_TARGET_ASTERISK;
        return true;
    }
    m->target_form = HTTP1_TARGET_ABSOLUTE;
    return is_absolute(m->target);
}

/* "GET /path", and nothing else. */
static bool is_old_request(const http1_parser_t *p, http1_message_t *m, http_span_t line,
                           const http_chars_t *not_target)
{
    const char *end = line.data + line.len;

    if (!p->options->http09 || line.len < 5 || memcmp(line.data, "GET /", 5) != 0)
        return false;
    m->method_name = (http_span_t){line.data, 3};
    m->target = (http_span_t){line.data + 4, line.len - 4};
    return p->find(m->target.data, end, not_target) == end;
}

static int read_request_line(http1_parser_t *p, http1_message_t *m, http_span_t line)
{
    const http_chars_t *not_target = p->options->lenient ? &http_not_any_target : &http_not_target;
    int status;

    m->major = 1;
    if (is_old_request(p, m, line, not_target)) {
        m->major = 0;
        m->minor = 9;
    } else {
        status =
            http_request_line(line, not_target, p->find, &m->method_name, &m->target, &m->minor);
        if (status == 505)
            return http1__fail(p, HERR_UNSUPPORTED, status, "not a version 1 of HTTP");
        if (status != 0)
            return bad_request(p, "the request line is malformed");
    }
    m->method = http_method_of(m->method_name);
    return find_form(m) ? 0 : bad_request(p, "the target is none for this method");
}

static int read_first_line(http1_parser_t *p, http1_message_t *m, http_span_t line)
{
    if (p->kind == HTTP1_REQUESTS)
        return read_request_line(p, m, line);
    m->major = 1;
    if (http_status_line(line, &m->minor, &m->status, &m->reason) < 0)
        return bad_request(p, "the status line is malformed");
    return 0;
}

/* A name of any characters, and spaces that do not belong before the colon. */
static int cut_leniently(http_span_t line, http_field_t *field)
{
    const char *colon = memchr(line.data, ':', line.len);

    if (!colon)
        return HERR_PROTOCOL;
    field->name = http_trim((http_span_t){line.data, (size_t)(colon - line.data)});
    field->id = http_field_of(field->name);
    field->value = http_trim((http_span_t){colon + 1, (size_t)(line.data + line.len - colon) - 1});
    return field->name.data == line.data ? 0 : HERR_PROTOCOL;
}

static int read_field(http1_parser_t *p, http1_message_t *m, http_span_t line)
{
    http_field_t *field = &m->fields[p->field_count];

    if (p->field_count >= m->fields_max)
        return http1__fail(p, HERR_FRAME_SIZE, 431, "too many fields");
    if (http_field_cut(line, &field->name, &field->value, &field->id) < 0 &&
        (!http1__is_lenient_response(p) || cut_leniently(line, field) < 0))
        return bad_request(p, line.data[0] == ' ' || line.data[0] == '\t' ? "a folded line"
                                                                          : "a malformed field");
    if (!(m->present & UINT64_C(1) << field->id)) {
        m->present |= UINT64_C(1) << field->id;
        m->known[field->id] = (uint16_t)p->field_count;
    }
    p->field_count++;
    return 0;
}

/* Whether the line that ends before text.data[at] goes on behind it (RFC 9112 section 5.2): then it
 * is made one. 0, HTTP1__AGAIN if it was, HTTP1__FOLDED if it must be, -EAGAIN if it cannot be told
 * before there are more bytes. */
static int unfold(const http1_parser_t *p, http_span_t text, bool own, size_t at)
{
    char *end;

    if (at == text.len)
        return at < p->lines_max ? -EAGAIN : 0;
    if (text.data[at] != ' ' && text.data[at] != '\t')
        return 0;
    if (!own)
        return HTTP1__FOLDED;
    end = (char *)text.data + at;
    end[-1] = ' ';
    if (end[-2] == '\r')
        end[-2] = ' ';
    return HTTP1__AGAIN;
}

/* Where a message of HTTP/0.9 may come: 1 if it is one, 0 if not, -EAGAIN if it may be. */
static int is_old_response(const http1_parser_t *p, http_span_t text)
{
    size_t len = text.len < 5 ? text.len : 5;

    if (p->kind != HTTP1_RESPONSES || !p->options->http09 || p->started)
        return 0;
    if (memcmp(text.data, "HTTP/", len) != 0)
        return 1;
    return len < 5 ? -EAGAIN : 0;
}

static void begin(http1_message_t *m)
{
    m->field_count = 0;
    m->present = 0;
}

/* One line, n bytes with its end. 0; or a result of http1__read_lines. */
static int read_line(http1_parser_t *p, http1_message_t *m, http_span_t text, bool own, size_t n)
{
    const char *at = text.data + p->line;
    http_span_t line = {at, n - 1 - (n > 1 && at[n - 2] == '\r')};
    int err;

    if (p->state == HTTP1_IN_TRAILERS && line.len == n - 1 && !http1__is_lenient_response(p))
        return bad_request(p, "LF without CR in chunked framing");
    if (line.len == 0) {
        if (p->started)
            return HTTP1__WHOLE;
        if ((p->kind == HTTP1_REQUESTS || p->options->lenient) &&
            p->empty_lines++ < HTTP1_EMPTY_LINES_MAX)
            return HTTP1__EMPTY;
        return bad_request(p, "no first line");
    }
    if (!p->started) {
        err = read_first_line(p, m, line);
        p->started = err == 0;
        return err == 0 && m->major == 0 ? HTTP1__WHOLE : err;
    }
    if (http1__is_lenient_response(p) && (err = unfold(p, text, own, p->line + n)) != 0)
        return err;
    return read_field(p, m, line);
}

int http1__read_lines(http1_parser_t *p, http1_message_t *m, http_span_t text, bool own,
                      size_t *end)
{
    int old = is_old_response(p, text);

    if (old != 0)
        return old > 0 ? HTTP1__OLD : 0;
    if (p->line == 0)
        begin(m);
    for (;;) {
        size_t left = p->lines_max - p->line;
        ssize_t n = http_line_end(text.data + p->line, text.len - p->line,
                                  left < p->line_max ? left : p->line_max, p->find);
        int result;

        if (n <= 0)
            return n == 0 ? 0 : bad_line(p, (int)n, left);
        result = read_line(p, m, text, own, (size_t)n);
        if (result == HTTP1__AGAIN)
            continue;
        if (result == HTTP1__FOLDED || result < 0)
            return result == -EAGAIN ? 0 : result;
        *end = p->line + (size_t)n;
        m->field_count = p->field_count;
        if (result != 0)
            return result;
        p->line = (uint32_t)*end;
    }
}
