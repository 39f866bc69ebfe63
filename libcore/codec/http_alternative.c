#include "http_alternative.h"

#include "../base/herr.h"
#include "http_date.h"
#include "http_text_int.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define NUMBER_SIZE 8 /* a port and a NUL */

static http_alpn_e alpn_of(http_span_t id)
{
    static const struct {
        const char *id;
        http_alpn_e alpn;
    } known[] = {{"h1", HTTP_ALPN_H1},
                 {"h2", HTTP_ALPN_H2},
                 {"h3", HTTP_ALPN_H3},
                 {"http/1.1", HTTP_ALPN_H1},
                 {"http%2F1.1", HTTP_ALPN_H1}};

    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        if (id.len == strlen(known[i].id) && memcmp(id.data, known[i].id, id.len) == 0)
            return known[i].alpn;
    }
    return HTTP_ALPN_NONE;
}

static bool read_port(http_span_t text, uint16_t *port)
{
    int64_t value;

    if (http_text__number(&text, &value) <= 0 || text.len > 0 || value > UINT16_MAX)
        return false;
    *port = (uint16_t)value;
    return true;
}

/* Only an address of IPv6 has brackets, and colons in them. */
static bool is_host_char(char c, bool v6)
{
    return v6 ? strchr("0123456789abcdefABCDEF:.%", c) && c : !http_chars_has(&http_not_name, c);
}

int http_alternative_host(http_span_t name, char host[HTTP_ALTERNATIVE_HOST_SIZE])
{
    bool brackets = name.len > 2 && name.data[0] == '[' && name.data[name.len - 1] == ']';
    bool v6 = name.len > 0 && memchr(name.data, ':', name.len);

    if (brackets)
        name = (http_span_t){name.data + 1, name.len - 2};
    else if (name.len > 0 && name.data[name.len - 1] == '.')
        name.len--;
    if (name.len == 0 || name.len >= HTTP_ALTERNATIVE_HOST_SIZE)
        return -EINVAL;
    for (size_t i = 0; i < name.len; i++) {
        char c = name.data[i];

        if (!is_host_char(c, v6))
            return -EINVAL;
        host[i] = (char)(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
    }
    host[name.len] = '\0';
    return 0;
}

/* ---- the field ------------------------------------------------------------------------------- */

bool http_alternative_is_clear(http_span_t value)
{
    const char *end = value.len ? memchr(value.data, ';', value.len) : NULL;

    if (end)
        value.len = (size_t)(end - value.data);
    return http_span_ieq(http_trim(value), "clear");
}

/* "host:port", or ":port" for the origin's host. */
static bool read_authority(http_span_t text, http_place_t *place)
{
    size_t n = text.len;

    while (n > 0 && text.data[n - 1] != ':')
        n--;
    if (n == 0 || !read_port((http_span_t){text.data + n, text.len - n}, &place->port))
        return false;
    place->host[0] = '\0';
    text.len = n - 1;
    if (text.len > 0 && text.data[0] != '[' && memchr(text.data, ':', text.len))
        return false;
    return text.len == 0 || http_alternative_host(text, place->host) == 0;
}

/* The values are numbers; of what is none only the rest counts. */
static bool read_params(http_span_t *rest, int64_t now_s, http_alternative_t *alternative)
{
    int64_t age_s = HTTP_ALTERNATIVE_AGE_S, number;
    http_param_t param;

    while (http_text__char(rest, ';')) {
        int found = http_text__param(rest, &param);

        if (found < 0 || (found == 0 && rest->len > 0 && !strchr(",;", rest->data[0])))
            return false;
        if (found == 0 || http_text__number(&param.value, &number) <= 0 || param.value.len > 0)
            continue;
        if (http_span_ieq(param.name, "ma"))
            age_s = number;
        else if (http_span_ieq(param.name, "persist"))
            alternative->persist = number == 1;
    }
    alternative->expires_s = age_s < HTTP_DATE_MAX - now_s ? now_s + age_s : HTTP_DATE_MAX;
    return rest->len == 0 || rest->data[0] == ',';
}

int http_alternative_next(http_span_t *rest, int64_t now_s, http_alternative_t *alternative)
{
    const char *equals;
    http_span_t id, authority;

    memset(alternative, 0, sizeof(*alternative));
    while (http_text__char(rest, ','))
        ;
    if (rest->len == 0)
        return 0;
    equals = memchr(rest->data, '=', rest->len);
    if (!equals)
        return HERR_SYNTAX;
    id = http_trim((http_span_t){rest->data, (size_t)(equals - rest->data)});
    http_text__advance(rest, (size_t)(equals - rest->data) + 1);
    alternative->to.alpn = alpn_of(id);
    if (!http_text__quoted(rest, &authority) || !read_authority(authority, &alternative->to) ||
        !read_params(rest, now_s, alternative))
        return HERR_SYNTAX;
    return 1;
}

/* ---- lines of the file ----------------------------------------------------------------------- */

/* What stands before the next space, which is taken, too. */
static http_span_t take_word(http_span_t *rest)
{
    const char *space = rest->len ? memchr(rest->data, ' ', rest->len) : NULL;
    http_span_t word = {rest->data, space ? (size_t)(space - rest->data) : rest->len};

    if (rest->len > 0)
        http_text__advance(rest, word.len + (space != NULL));
    return word;
}

static bool read_place(http_span_t *rest, http_place_t *place)
{
    http_span_t alpn = take_word(rest), host = take_word(rest), port = take_word(rest);

    place->alpn = alpn_of(alpn);
    return place->alpn != HTTP_ALPN_NONE && http_alternative_host(host, place->host) == 0 &&
           read_port(port, &place->port);
}

int http_alternative_line_parse(http_span_t line, http_alternative_t *alternative)
{
    http_span_t rest = http_trim(line), end, persist;

    memset(alternative, 0, sizeof(*alternative));
    if (!read_place(&rest, &alternative->from) || !read_place(&rest, &alternative->to) ||
        !http_text__quoted(&rest, &end) ||
        http_date_parse_stamp(end, &alternative->expires_s) < 0 || rest.len == 0)
        return HERR_SYNTAX;
    http_text__advance(&rest, 1);
    persist = take_word(&rest);
    if (persist.len != 1 || !strchr("01", persist.data[0]) || rest.len != 1 || rest.data[0] != '0')
        return HERR_SYNTAX;
    alternative->persist = persist.data[0] == '1';
    return 0;
}

static void put_place(http_writer_t *w, const http_place_t *place)
{
    static const char *const ids[] = {"", "h1 ", "h2 ", "h3 "};
    bool v6 = strchr(place->host, ':') != NULL;
    char port[NUMBER_SIZE];

    snprintf(port, sizeof(port), "%" PRIu16 " ", place->port);
    http_text__put(w, ids[place->alpn]);
    http_text__put(w, v6 ? "[" : "");
    http_text__put(w, place->host);
    http_text__put(w, v6 ? "] " : " ");
    http_text__put(w, port);
}

ssize_t http_alternative_line_write(const http_alternative_t *alternative, char *buf, size_t size)
{
    http_writer_t w = {.buf = buf, .size = size};
    char stamp[HTTP_DATE_STAMP_SIZE];

    put_place(&w, &alternative->from);
    put_place(&w, &alternative->to);
    http_text__put(&w, "\"");
    http_text__put(&w, http_date_format_stamp(alternative->expires_s, stamp));
    http_text__put(&w, alternative->persist ? "\" 1 0" : "\" 0 0");
    return http_text__written(&w);
}
