#include "http_validate.h"

#include "../base/herr.h"
#include "http_date.h"
#include "http_text_int.h"

#include <string.h>

/* ---- tags ------------------------------------------------------------------------------------ */

static bool is_tag_char(char c)
{
    unsigned char u = (unsigned char)c;

    return u == '!' || (u >= '#' && u != 0x7f);
}

/* A tag at the front; a backslash in it means nothing special. */
static bool take_tag(http_span_t *rest, http_etag_t *etag)
{
    size_t n = 0;

    etag->weak = rest->len >= 2 && rest->data[0] == 'W' && rest->data[1] == '/';
    http_text__advance(rest, etag->weak ? 2 : 0);
    if (rest->len == 0 || rest->data[0] != '"')
        return false;
    http_text__advance(rest, 1);
    while (n < rest->len && is_tag_char(rest->data[n]))
        n++;
    if (n == rest->len || rest->data[n] != '"' || n > HTTP_ETAG_MAX)
        return false;
    etag->opaque = (http_span_t){rest->data, n};
    http_text__advance(rest, n + 1);
    return true;
}

int http_etag_parse(http_span_t text, http_etag_t *etag)
{
    return take_tag(&text, etag) && text.len == 0 ? 0 : HERR_SYNTAX;
}

int http_etag_next(http_span_t *rest, http_etag_t *etag)
{
    while (rest->len > 0 && http_text__char(rest, ','))
        ;
    if (rest->len == 0)
        return 0;
    if (!take_tag(rest, etag))
        return HERR_SYNTAX;
    http_text__spaces(rest);
    return rest->len == 0 || rest->data[0] == ',' ? 1 : HERR_SYNTAX;
}

bool http_etag_weak_eq(const http_etag_t *a, const http_etag_t *b)
{
    return a->opaque.data && b->opaque.data && a->opaque.len == b->opaque.len &&
           memcmp(a->opaque.data, b->opaque.data, a->opaque.len) == 0;
}

bool http_etag_strong_eq(const http_etag_t *a, const http_etag_t *b)
{
    return !a->weak && !b->weak && http_etag_weak_eq(a, b);
}

ssize_t http_etag_write(const http_etag_t *etag, char *buf, size_t size)
{
    http_writer_t w = {.buf = buf, .size = size};

    if (!etag->opaque.data || etag->opaque.len > HTTP_ETAG_MAX)
        return -EINVAL;
    for (size_t i = 0; i < etag->opaque.len; i++) {
        if (!is_tag_char(etag->opaque.data[i]))
            return -EINVAL;
    }
    http_text__put(&w, etag->weak ? "W/\"" : "\"");
    http_text__put_bytes(&w, etag->opaque.data, etag->opaque.len);
    http_text__put(&w, "\"");
    return http_text__written(&w);
}

/* ---- conditions ------------------------------------------------------------------------------ */

/* A line that has no room still counts: the request has the condition. */
static void add_line(http_span_t *lines, size_t *count, http_span_t value)
{
    if (*count < HTTP_CONDITION_LINES_MAX)
        lines[(*count)++] = value;
}

/* A field that may come once and comes twice is no date and no tag. */
static void set_once(http_span_t *field, http_span_t value)
{
    *field = field->data ? HTTP_SPAN("") : value;
}

bool http_conditions_add(http_conditions_t *conditions, http_span_t name, http_span_t value)
{
    if (http_span_ieq(name, "If-None-Match"))
        add_line(conditions->if_none_match, &conditions->if_none_match_count, value);
    else if (http_span_ieq(name, "If-Match"))
        add_line(conditions->if_match, &conditions->if_match_count, value);
    else if (http_span_ieq(name, "If-Modified-Since"))
        set_once(&conditions->if_modified_since, value);
    else if (http_span_ieq(name, "If-Unmodified-Since"))
        set_once(&conditions->if_unmodified_since, value);
    else if (http_span_ieq(name, "If-Range"))
        set_once(&conditions->if_range, value);
    else
        return false;
    return true;
}

typedef bool (*etag_eq_cb)(const http_etag_t *a, const http_etag_t *b);

static bool line_matches(http_span_t line, const http_validators_t *v, etag_eq_cb eq)
{
    http_etag_t etag;

    for (size_t i = 0; i < HTTP_CONDITION_TAGS_MAX && http_etag_next(&line, &etag) > 0; i++) {
        if (eq(&etag, &v->etag))
            return true;
    }
    return false;
}

static bool any_matches(const http_span_t *lines, size_t count, const http_validators_t *v,
                        etag_eq_cb eq)
{
    if (count == 1 && http_span_ieq(lines[0], "*"))
        return v->exists;
    for (size_t i = 0; i < count; i++) {
        if (line_matches(lines[i], v, eq))
            return true;
    }
    return false;
}

/* Whether there is such a condition, and a date to hold against it. */
static bool has_date(http_span_t field, const http_validators_t *v, int64_t now_s, int64_t *time_s)
{
    return v->exists && v->dated && field.data && http_date_parse(field, now_s, time_s) == 0;
}

int http_conditions_check(const http_conditions_t *conditions, const http_validators_t *validators,
                          bool reading, int64_t now_s)
{
    const http_conditions_t *c = conditions;
    int64_t since_s;

    if (c->if_match_count > 0) {
        if (!any_matches(c->if_match, c->if_match_count, validators, http_etag_strong_eq))
            return 412;
    } else if (has_date(c->if_unmodified_since, validators, now_s, &since_s) &&
               validators->modified_s > since_s) {
        return 412;
    }
    if (c->if_none_match_count > 0) {
        if (any_matches(c->if_none_match, c->if_none_match_count, validators, http_etag_weak_eq))
            return reading ? 304 : 412;
    } else if (reading && has_date(c->if_modified_since, validators, now_s, &since_s) &&
               validators->modified_s <= since_s) {
        return 304;
    }
    return 0;
}

bool http_if_range(const http_conditions_t *conditions, const http_validators_t *validators,
                   int64_t now_s)
{
    http_span_t value = conditions->if_range;
    http_etag_t etag;
    int64_t time_s;

    if (!value.data)
        return true;
    if (http_etag_parse(value, &etag) == 0)
        return http_etag_strong_eq(&etag, &validators->etag);
    return has_date(value, validators, now_s, &time_s) && time_s == validators->modified_s &&
           time_s < now_s;
}
