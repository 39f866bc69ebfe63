#include "http_text_int.h"

#include "../base/herr.h"

#include <string.h>

#define NUMBER_DIGITS_MAX 18 /* fits an int64_t in any case */

void http_text__advance(http_span_t *rest, size_t n)
{
    rest->data += n;
    rest->len -= n;
}

void http_text__spaces(http_span_t *rest)
{
    while (rest->len > 0 && (rest->data[0] == ' ' || rest->data[0] == '\t'))
        http_text__advance(rest, 1);
}

bool http_text__char(http_span_t *rest, char c)
{
    http_text__spaces(rest);
    if (rest->len == 0 || rest->data[0] != c)
        return false;
    http_text__advance(rest, 1);
    http_text__spaces(rest);
    return true;
}

bool http_text__token(http_span_t *rest, http_span_t *token)
{
    size_t n = 0;

    while (n < rest->len && http_is_token((http_span_t){rest->data + n, 1}))
        n++;
    *token = (http_span_t){rest->data, n};
    http_text__advance(rest, n);
    return n > 0;
}

/* How long the quoted string at the front is, with its quotes; 0 if it does not end. */
static size_t quoted_len(http_span_t text)
{
    size_t n = 1;

    while (n < text.len && text.data[n] != '"')
        n += text.data[n] == '\\' ? 2 : 1;
    return n < text.len ? n + 1 : 0;
}

bool http_text__quoted(http_span_t *rest, http_span_t *value)
{
    size_t n = rest->len > 0 && rest->data[0] == '"' ? quoted_len(*rest) : 0;

    if (n == 0)
        return false;
    *value = (http_span_t){rest->data + 1, n - 2};
    http_text__advance(rest, n);
    return true;
}

int http_text__param(http_span_t *rest, http_param_t *param)
{
    http_span_t at = *rest;

    if (!http_text__token(&at, &param->name) || !http_text__char(&at, '='))
        return 0;
    if (!http_text__quoted(&at, &param->value) && !http_text__token(&at, &param->value))
        return HERR_SYNTAX;
    *rest = at;
    return 1;
}

int http_text__number(http_span_t *rest, int64_t *value)
{
    size_t n = 0;

    for (*value = 0; n < rest->len && rest->data[n] >= '0' && rest->data[n] <= '9'; n++) {
        if (n == NUMBER_DIGITS_MAX)
            return HERR_RANGE;
        *value = *value * 10 + (rest->data[n] - '0');
    }
    http_text__advance(rest, n);
    return n > 0;
}

bool http_text__element(http_span_t *rest, http_span_t *element)
{
    size_t n = 0;

    while (rest->len > 0 && http_text__char(rest, ','))
        ;
    while (n < rest->len && rest->data[n] != ',') {
        http_span_t at = {rest->data + n, rest->len - n};
        size_t quoted = at.data[0] == '"' ? quoted_len(at) : 1;

        n += quoted > 0 ? quoted : at.len;
    }
    *element = (http_span_t){rest->data, n};
    http_text__advance(rest, n);
    while (element->len > 0 && strchr(" \t", element->data[element->len - 1]))
        element->len--;
    return element->len > 0;
}

bool http_text__unescape(http_span_t value, char *text, size_t size)
{
    size_t n = 0;

    for (size_t i = 0; i < value.len; i++) {
        char c = value.data[i];

        if (c == '\\' && i + 1 < value.len)
            c = value.data[++i];
        if (n + 1 >= size || (unsigned char)c < ' ' || c == 0x7f)
            return false;
        text[n++] = c;
    }
    text[n] = '\0';
    return true;
}

void http_text__put_bytes(http_writer_t *w, const char *data, size_t len)
{
    if (w->full || w->size == 0 || len >= w->size - w->len) {
        w->full = true;
        return;
    }
    memcpy(w->buf + w->len, data, len);
    w->len += len;
    w->buf[w->len] = '\0';
}

void http_text__put(http_writer_t *w, const char *text)
{
    http_text__put_bytes(w, text, strlen(text));
}

void http_text__put_quoted(http_writer_t *w, const char *text, size_t len)
{
    http_text__put(w, "\"");
    for (size_t i = 0; i < len; i++) {
        if (text[i] == '"' || text[i] == '\\')
            http_text__put(w, "\\");
        http_text__put_bytes(w, text + i, 1);
    }
    http_text__put(w, "\"");
}

ssize_t http_text__written(const http_writer_t *w)
{
    return w->full || w->size == 0 ? -ENOBUFS : (ssize_t)w->len;
}
