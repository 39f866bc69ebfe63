#include "http_head.h"

#include "../base/herr.h"

#include <string.h>
#include <strings.h>

#define LENGTH_DIGITS_MAX 18 /* of a number that fits an int64_t in any case */

http_span_t http_span(const char *text)
{
    return (http_span_t){text ? text : "", text ? strlen(text) : 0};
}

bool http_span_ieq(http_span_t span, const char *text)
{
    return span.len == strlen(text) && strncasecmp(span.data, text, span.len) == 0;
}

/* Bytes of a head: no control character but those that end a line, and the tab. */
static bool is_head_byte(unsigned char c)
{
    return (c >= ' ' && c != 0x7f) || c == '\t' || c == '\r' || c == '\n';
}

/* Takes the line end at data[at] into account: the length of the head, 0 if it goes on. */
static ssize_t end_line(http_scan_t *scan, const char *data, size_t at)
{
    bool empty = at == scan->line || (at == scan->line + 1 && data[scan->line] == '\r');

    if (empty)
        return (ssize_t)at + 1;
    if (++scan->lines > 1 + HTTP_FIELDS_MAX)
        return HERR_FRAME_SIZE;
    scan->line = at + 1;
    return 0;
}

ssize_t http_head_end(http_scan_t *scan, const void *data, size_t len)
{
    const char *text = data;

    for (size_t i = scan->scanned; i < len; i++) {
        ssize_t end = 0;

        if (i >= HTTP_HEAD_MAX || i - scan->line >= HTTP_LINE_MAX)
            return HERR_FRAME_SIZE;
        if (!is_head_byte((unsigned char)text[i]))
            return HERR_PROTOCOL;
        if (i > 0 && text[i - 1] == '\r' && text[i] != '\n')
            return HERR_PROTOCOL;
        if (text[i] == '\n')
            end = end_line(scan, text, i);
        if (end != 0)
            return end;
        scan->scanned = i + 1;
    }
    return 0;
}

/* Each line may end with LF alone. */
size_t http_head_need(const http_scan_t *scan, const void *data, size_t len)
{
    const char *text = data;
    bool line_is_empty = len == scan->line || (len == scan->line + 1 && text[scan->line] == '\r');

    return line_is_empty ? 1 : 2;
}

bool http_line_next(http_span_t *rest, http_span_t *line)
{
    const char *end = rest->len ? memchr(rest->data, '\n', rest->len) : NULL;
    size_t len;

    if (!end)
        return false;
    len = (size_t)(end - rest->data);
    *line = (http_span_t){rest->data, len > 0 && end[-1] == '\r' ? len - 1 : len};
    rest->data += len + 1;
    rest->len -= len + 1;
    return true;
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t';
}

static http_span_t trim(http_span_t span)
{
    while (span.len > 0 && is_space(span.data[0])) {
        span.data++;
        span.len--;
    }
    while (span.len > 0 && is_space(span.data[span.len - 1]))
        span.len--;
    return span;
}

int http_field_next(http_span_t *rest, http_span_t *name, http_span_t *value)
{
    http_span_t line;
    const char *colon;

    if (!http_line_next(rest, &line) || line.len == 0)
        return 0;
    colon = memchr(line.data, ':', line.len);
    if (!colon)
        return HERR_PROTOCOL;
    *name = (http_span_t){line.data, (size_t)(colon - line.data)};
    *value = trim((http_span_t){colon + 1, line.len - name->len - 1});
    return http_is_token(*name) ? 1 : HERR_PROTOCOL;
}

bool http_field_find(http_span_t fields, const char *name, http_span_t *value)
{
    http_span_t found;

    while (http_field_next(&fields, &found, value) > 0) {
        if (http_span_ieq(found, name))
            return true;
    }
    return false;
}

static bool list_has(http_span_t list, const char *token)
{
    while (list.len > 0) {
        const char *comma = memchr(list.data, ',', list.len);
        size_t len = comma ? (size_t)(comma - list.data) : list.len;

        if (http_span_ieq(trim((http_span_t){list.data, len}), token))
            return true;
        len += comma != NULL;
        list.data += len;
        list.len -= len;
    }
    return false;
}

bool http_field_has(http_span_t fields, const char *name, const char *token)
{
    http_span_t found, value;

    while (http_field_next(&fields, &found, &value) > 0) {
        if (http_span_ieq(found, name) && list_has(value, token))
            return true;
    }
    return false;
}

static int parse_length(http_span_t value, int64_t *length)
{
    int64_t n = 0;

    if (value.len == 0 || value.len > LENGTH_DIGITS_MAX)
        return HERR_PROTOCOL;
    for (size_t i = 0; i < value.len; i++) {
        if (value.data[i] < '0' || value.data[i] > '9')
            return HERR_PROTOCOL;
        n = n * 10 + (value.data[i] - '0');
    }
    if (*length >= 0 && *length != n)
        return HERR_PROTOCOL;
    *length = n;
    return 0;
}

/* A message with both, or with two lengths, is how requests are smuggled past a proxy. */
int http_body_length(http_span_t fields, bool *chunked, int64_t *length)
{
    http_span_t name, value;
    int err;

    *chunked = false;
    *length = -1;
    while ((err = http_field_next(&fields, &name, &value)) > 0) {
        if (http_span_ieq(name, "Content-Length")) {
            err = parse_length(value, length);
        } else if (http_span_ieq(name, "Transfer-Encoding")) {
            err = *chunked ? HERR_PROTOCOL : http_span_ieq(value, "chunked") ? 0 : HERR_UNSUPPORTED;
            *chunked = true;
        }
        if (err < 0)
            return err;
    }
    if (err < 0)
        return err;
    return *chunked && *length >= 0 ? HERR_PROTOCOL : 0;
}

static bool is_token_byte(unsigned char c)
{
    if ((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'))
        return true;
    return c != '\0' && strchr("!#$%&'*+-.^_`|~", c) != NULL;
}

bool http_is_token(http_span_t span)
{
    for (size_t i = 0; i < span.len; i++) {
        if (!is_token_byte((unsigned char)span.data[i]))
            return false;
    }
    return span.len > 0;
}
