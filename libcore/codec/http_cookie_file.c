#include "http_cookie_file.h"

#include "../base/herr.h"
#include "http_text_int.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define HTTP_ONLY "#HttpOnly_"
#define EXPIRES_SIZE 24 /* an int64_t and a NUL */

enum { DOMAIN, TAIL, PATH, SECURE, EXPIRES, NAME, VALUE, FIELDS };

http_span_t http_cookie_plain_path(http_span_t path)
{
    if (path.len > 0 && path.data[0] == '"') {
        http_text__advance(&path, 1);
        path.len -= path.len > 0 && path.data[path.len - 1] == '"';
    }
    if (path.len == 0 || path.data[0] != '/')
        return HTTP_SPAN("/");
    while (path.len > 1 && path.data[path.len - 1] == '/')
        path.len--;
    return path;
}

static bool has_controls(http_span_t text)
{
    for (size_t i = 0; i < text.len; i++) {
        if ((unsigned char)text.data[i] < ' ' || text.data[i] == 0x7f)
            return true;
    }
    return false;
}

/* ---- reading --------------------------------------------------------------------------------- */

static bool is_truth(http_span_t text)
{
    return http_span_ieq(text, "TRUE") || http_span_ieq(text, "FALSE");
}

/* False if there are too many or too few of them. */
static bool split(http_span_t line, http_span_t fields[FIELDS])
{
    size_t n = 0;

    for (;;) {
        const char *tab = line.len ? memchr(line.data, '\t', line.len) : NULL;
        http_span_t field = {line.data, tab ? (size_t)(tab - line.data) : line.len};

        if (n == PATH && is_truth(field))
            fields[n++] = HTTP_SPAN("/");
        if (n == FIELDS)
            return false;
        fields[n++] = field;
        if (!tab)
            break;
        http_text__advance(&line, field.len + 1);
    }
    if (n == VALUE)
        fields[n++] = HTTP_SPAN("");
    return n == FIELDS;
}

static bool read_domain(http_span_t text, http_cookie_t *cookie)
{
    if (text.len > 0 && text.data[0] == '.')
        http_text__advance(&text, 1);
    if (text.len == 0 || text.len >= sizeof(cookie->domain))
        return false;
    cookie->domain_said = text;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.data[i];

        cookie->domain[i] = (char)(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
    }
    cookie->domain[text.len] = '\0';
    return true;
}

/* Some programs write a fraction behind it: that does not count. */
static bool read_expires(http_span_t text, http_cookie_t *cookie)
{
    if (http_text__number(&text, &cookie->expires_s) <= 0)
        return false;
    cookie->persistent = cookie->expires_s > 0;
    return true;
}

int http_cookie_line_parse(http_span_t line, http_cookie_t *cookie)
{
    http_span_t fields[FIELDS];
    const size_t mark = sizeof(HTTP_ONLY) - 1;

    memset(cookie, 0, sizeof(*cookie));
    if (line.len >= mark && memcmp(line.data, HTTP_ONLY, mark) == 0) {
        http_text__advance(&line, mark);
        cookie->http_only = true;
    }
    if (line.len == 0 || line.data[0] == '#' || !split(line, fields))
        return HERR_SYNTAX;
    for (size_t i = 0; i < FIELDS; i++) {
        if (has_controls(fields[i]))
            return HERR_SYNTAX;
    }
    if (!read_domain(fields[DOMAIN], cookie) || !read_expires(fields[EXPIRES], cookie) ||
        fields[NAME].len == 0)
        return HERR_SYNTAX;
    cookie->host_only = !http_span_ieq(fields[TAIL], "TRUE");
    cookie->path = http_cookie_plain_path(fields[PATH]);
    cookie->secure = http_span_ieq(fields[SECURE], "TRUE");
    cookie->name = fields[NAME];
    cookie->value = fields[VALUE];
    return 0;
}

/* ---- writing --------------------------------------------------------------------------------- */

static void put_field(http_writer_t *w, http_span_t text)
{
    http_text__put(w, "\t");
    http_text__put_bytes(w, text.data, text.len);
}

/* The domain stands first, where some characters mean something else. */
static bool is_writable(const http_cookie_t *c)
{
    return c->name.len > 0 && c->domain[0] && !strchr("#.", c->domain[0]) &&
           !has_controls(http_span(c->domain)) && !has_controls(c->path) &&
           !has_controls(c->name) && !has_controls(c->value);
}

ssize_t http_cookie_line_write(const http_cookie_t *cookie, char *buf, size_t size)
{
    http_writer_t w = {.buf = buf, .size = size};
    int64_t end = cookie->expires_s > 0 ? cookie->expires_s : 1;
    char expires[EXPIRES_SIZE];

    if (!is_writable(cookie))
        return -EINVAL;
    snprintf(expires, sizeof(expires), "%" PRId64, cookie->persistent ? end : 0);
    http_text__put(&w, cookie->http_only ? HTTP_ONLY : "");
    http_text__put(&w, cookie->host_only ? "" : ".");
    if (http_span_ieq(cookie->domain_said, cookie->domain))
        http_text__put_bytes(&w, cookie->domain_said.data, cookie->domain_said.len);
    else
        http_text__put(&w, cookie->domain);
    put_field(&w, http_span(cookie->host_only ? "FALSE" : "TRUE"));
    put_field(&w, cookie->path.len > 0 ? cookie->path : HTTP_SPAN("/"));
    put_field(&w, http_span(cookie->secure ? "TRUE" : "FALSE"));
    put_field(&w, http_span(expires));
    put_field(&w, cookie->name);
    put_field(&w, cookie->value);
    return http_text__written(&w);
}
