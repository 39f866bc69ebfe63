#include "http_head.h"

#include "../base/herr.h"
#include "http_chars.h"
#include "http_names.h"

#include <string.h>
#include <strings.h>

#define STATUS_MIN 100
#define STATUS_DIGITS 3
#define VERSION_LEN 8        /* "HTTP/1.1" */
#define LENGTH_DIGITS_MAX 18 /* of a number that fits an int64_t in any case */

http_span_t http_span(const char *text)
{
    return (http_span_t){text ? text : "", text ? strlen(text) : 0};
}

bool http_span_ieq(http_span_t span, const char *text)
{
    return span.len == strlen(text) && strncasecmp(span.data, text, span.len) == 0;
}

ssize_t http_line_end(const char *data, size_t len, size_t size_max, http_find_cb find)
{
    size_t left = len < size_max ? len : size_max;
    bool empty = left > 0 && http_chars_has(&http_not_line, *data);
    const char *at = empty ? data : find(data, data + left, &http_not_line);
    size_t n = (size_t)(at - data);

    if (n + 1 > size_max)
        return HERR_FRAME_SIZE;
    if (n == len)
        return 0;
    if (*at == '\n')
        return (ssize_t)n + 1;
    if (*at != '\r')
        return HERR_PROTOCOL;
    if (n + 2 > size_max)
        return HERR_FRAME_SIZE;
    if (n + 1 == len)
        return 0;
    return at[1] == '\n' ? (ssize_t)n + 2 : HERR_PROTOCOL;
}

ssize_t http_head_end(http_scan_t *scan, const void *data, size_t len)
{
    http_find_cb find = http_find_best();
    const char *text = data;

    for (;;) {
        size_t left = HTTP_HEAD_MAX - scan->line;
        ssize_t n = http_line_end(text + scan->line, len - scan->line,
                                  left < HTTP_LINE_MAX ? left : HTTP_LINE_MAX, find);

        if (n <= 0)
            return n;
        if (n == 1 || (n == 2 && text[scan->line] == '\r'))
            return (ssize_t)scan->line + n;
        if (++scan->lines > 1 + HTTP_FIELDS_MAX)
            return HERR_FRAME_SIZE;
        scan->line += (size_t)n;
    }
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

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t';
}

http_span_t http_trim(http_span_t span)
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
    http_field_e field;

    if (!http_line_next(rest, &line) || line.len == 0)
        return 0;
    return http_field_cut(line, name, value, &field) < 0 ? HERR_PROTOCOL : 1;
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

bool http_list_next(http_span_t *rest, http_span_t *element)
{
    while (rest->len > 0) {
        const char *comma = memchr(rest->data, ',', rest->len);
        size_t len = comma ? (size_t)(comma - rest->data) : rest->len;

        *element = http_trim((http_span_t){rest->data, len});
        len += comma != NULL;
        rest->data += len;
        rest->len -= len;
        if (element->len > 0)
            return true;
    }
    return false;
}

bool http_list_has(http_span_t list, const char *token)
{
    http_span_t element;

    while (http_list_next(&list, &element)) {
        if (http_span_ieq(element, token))
            return true;
    }
    return false;
}

bool http_field_has(http_span_t fields, const char *name, const char *token)
{
    http_span_t found, value;

    while (http_field_next(&fields, &found, &value) > 0) {
        if (http_span_ieq(found, name) && http_list_has(value, token))
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
        if (!is_digit(value.data[i]))
            return HERR_PROTOCOL;
        n = n * 10 + (value.data[i] - '0');
    }
    if (*length >= 0 && *length != n)
        return HERR_PROTOCOL;
    *length = n;
    return 0;
}

/* An empty element is no number, here: nobody who means well sends it. */
int http_length_add(http_span_t value, int64_t *length)
{
    const char *comma;

    while (value.len > 0 && (comma = memchr(value.data, ',', value.len))) {
        size_t len = (size_t)(comma - value.data);

        if (parse_length(http_trim((http_span_t){value.data, len}), length) < 0)
            return HERR_PROTOCOL;
        value.data += len + 1;
        value.len -= len + 1;
    }
    return parse_length(http_trim(value), length);
}

int http_coding_add(http_span_t value, bool *chunked)
{
    http_span_t coding;

    if (!http_list_next(&value, &coding))
        return HERR_PROTOCOL;
    do {
        if (*chunked)
            return HERR_PROTOCOL;
        if (!http_span_ieq(coding, "chunked"))
            return HERR_UNSUPPORTED;
        *chunked = true;
    } while (http_list_next(&value, &coding));
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
            err = http_length_add(value, length);
        } else if (http_span_ieq(name, "Transfer-Encoding")) {
            err = http_coding_add(value, chunked);
        }
        if (err < 0)
            return err;
    }
    if (err < 0)
        return err;
    return *chunked && *length >= 0 ? HERR_PROTOCOL : 0;
}

int http_max_forwards(http_span_t value)
{
    int64_t left = 0;

    if (value.len == 0)
        return -1;
    for (size_t i = 0; i < value.len; i++) {
        if (!is_digit(value.data[i]))
            return -1;
        if (left < HTTP_FORWARDS_MAX)
            left = left * 10 + (value.data[i] - '0');
    }
    return left < HTTP_FORWARDS_MAX ? (int)left : HTTP_FORWARDS_MAX;
}

static const char *skip(http_span_t span, const http_chars_t *set)
{
    return http_find_near(span.data, span.data + span.len, set);
}

bool http_is_token(http_span_t span)
{
    return span.len > 0 && skip(span, &http_not_token) == span.data + span.len;
}

/* A name, or an address in brackets (RFC 3986 section 3.2.2); the rest is cut off behind it. */
static bool cut_host(http_span_t *rest)
{
    const char *end;

    if (rest->len > 0 && rest->data[0] == '[') {
        end = memchr(rest->data, ']', rest->len);
        if (!end || end - rest->data < 3)
            return false;
        for (const char *p = rest->data + 1; p < end; p++) {
            if (!is_digit(*p) && *p != ':' && *p != '.' &&
                !((*p | 0x20) >= 'a' && (*p | 0x20) <= 'f'))
                return false;
        }
        end++;
    } else {
        end = skip(*rest, &http_not_name);
    }
    rest->len -= (size_t)(end - rest->data);
    rest->data = end;
    return true;
}

bool http_is_authority(http_span_t span, bool with_port)
{
    http_span_t rest = span;

    if (!cut_host(&rest) || (with_port && (rest.len == span.len || rest.len < 2)))
        return false;
    if (rest.len == 0)
        return true;
    for (size_t i = 1; i < rest.len; i++) {
        if (!is_digit(rest.data[i]))
            return false;
    }
    return rest.data[0] == ':';
}

/* "HTTP/1.x" at the start of the text: x, or -1. */
static int minor_version(http_span_t text)
{
    if (text.len < VERSION_LEN || memcmp(text.data, "HTTP/1.", VERSION_LEN - 1) != 0)
        return -1;
    return is_digit(text.data[VERSION_LEN - 1]) ? text.data[VERSION_LEN - 1] - '0' : -1;
}

/* Of another version than 1.x, which is a different answer from text that is no version. */
static bool is_other_version(http_span_t text)
{
    return text.len == VERSION_LEN && memcmp(text.data, "HTTP/", 5) == 0 &&
           is_digit(text.data[5]) && text.data[6] == '.' && is_digit(text.data[7]);
}

int http_request_line(http_span_t line, const http_chars_t *not_target, http_find_cb find,
                      http_span_t *method, http_span_t *target, int *minor)
{
    const char *end = line.data + line.len;
    const char *first = skip(line, &http_not_token);
    const char *second;
    http_span_t version;

    *method = (http_span_t){line.data, (size_t)(first - line.data)};
    if (method->len == 0 || first == end || *first != ' ')
        return 400;
    second = find(first + 1, end, not_target);
    *target = (http_span_t){first + 1, (size_t)(second - first) - 1};
    if (target->len == 0 || second == end || *second != ' ')
        return 400;
    version = (http_span_t){second + 1, (size_t)(end - second) - 1};
    *minor = minor_version(version);
    if (*minor >= 0 && version.len == VERSION_LEN)
        return 0;
    return is_other_version(version) ? 505 : 400;
}

int http_status_line(http_span_t line, int *minor, int *status, http_span_t *reason)
{
    const char *digits = line.data + VERSION_LEN + 1;
    size_t len = VERSION_LEN + 1 + STATUS_DIGITS;

    *minor = minor_version(line);
    if (*minor < 0 || line.len < len || digits[-1] != ' ')
        return HERR_PROTOCOL;
    *status = 0;
    for (int i = 0; i < STATUS_DIGITS; i++) {
        if (!is_digit(digits[i]))
            return HERR_PROTOCOL;
        *status = *status * 10 + (digits[i] - '0');
    }
    if (*status < STATUS_MIN || (line.len > len && line.data[len] != ' '))
        return HERR_PROTOCOL;
    len += line.len > len;
    *reason = (http_span_t){line.data + len, line.len - len};
    return 0;
}
