#include "http_sts.h"

#include "../base/herr.h"
#include "http_date.h"
#include "http_text_int.h"

#include <string.h>

#define UNLIMITED "unlimited"

/* ---- the field ------------------------------------------------------------------------------- */

/* Digits; what is too large for a number is as large as can be. */
static bool read_age(http_span_t text, int64_t *age_s)
{
    *age_s = 0;
    for (size_t i = 0; i < text.len; i++) {
        int digit = text.data[i] - '0';

        if (digit < 0 || digit > 9)
            return false;
        *age_s =
            *age_s > (HTTP_STS_AGE_MAX_S - digit) / 10 ? HTTP_STS_AGE_MAX_S : *age_s * 10 + digit;
    }
    return text.len > 0;
}

/* A directive with or without a value; a param whose value is NULL has none. */
static bool read_directive(http_span_t *rest, http_param_t *directive)
{
    int found = http_text__param(rest, directive);

    if (found == 0) {
        directive->value = (http_span_t){NULL, 0};
        return http_text__token(rest, &directive->name);
    }
    return found > 0;
}

int http_sts_parse(http_span_t value, http_sts_policy_t *policy)
{
    bool has_age = false;
    http_param_t d;

    *policy = (http_sts_policy_t){0};
    for (;;) {
        while (http_text__char(&value, ';'))
            ;
        if (value.len == 0)
            return has_age ? 0 : HERR_SYNTAX;
        if (!read_directive(&value, &d))
            return HERR_SYNTAX;
        if (http_span_ieq(d.name, "max-age")) {
            if (has_age || !d.value.data || !read_age(d.value, &policy->max_age_s))
                return HERR_SYNTAX;
            has_age = true;
        } else if (http_span_ieq(d.name, "includeSubDomains")) {
            if (policy->subdomains)
                return HERR_SYNTAX;
            policy->subdomains = true;
        }
        http_text__spaces(&value);
        if (value.len > 0 && value.data[0] != ';')
            return HERR_SYNTAX;
    }
}

/* ---- lines of the file ----------------------------------------------------------------------- */

int http_sts_name(http_span_t name, char host[HTTP_STS_HOST_SIZE])
{
    if (name.len > 0 && name.data[name.len - 1] == '.')
        name.len--;
    if (name.len == 0 || name.len >= HTTP_STS_HOST_SIZE || name.data[0] == '.')
        return -EINVAL;
    for (size_t i = 0; i < name.len; i++) {
        char c = name.data[i];

        if (http_chars_has(&http_not_name, c))
            return -EINVAL;
        host[i] = (char)(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
    }
    host[name.len] = '\0';
    return 0;
}

static int read_end(http_span_t text, int64_t *expires_s)
{
    if (text.len == sizeof(UNLIMITED) - 1 && memcmp(text.data, UNLIMITED, text.len) == 0) {
        *expires_s = HTTP_STS_UNLIMITED;
        return 0;
    }
    return http_date_parse_stamp(text, expires_s);
}

int http_sts_line_parse(http_span_t line, http_sts_host_t *host)
{
    http_span_t rest = http_trim(line), name, end;
    const char *space = rest.len ? memchr(rest.data, ' ', rest.len) : NULL;

    *host = (http_sts_host_t){.subdomains = rest.len > 0 && rest.data[0] == '.'};
    if (!space || rest.data[0] == '#')
        return HERR_SYNTAX;
    name =
        (http_span_t){rest.data + host->subdomains, (size_t)(space - rest.data) - host->subdomains};
    http_text__advance(&rest, (size_t)(space - rest.data) + 1);
    if (http_sts_name(name, host->name) < 0 || !http_text__quoted(&rest, &end) || rest.len > 0)
        return HERR_SYNTAX;
    return read_end(end, &host->expires_s);
}

ssize_t http_sts_line_write(const http_sts_host_t *host, char *buf, size_t size)
{
    http_writer_t w = {.buf = buf, .size = size};
    char stamp[HTTP_DATE_STAMP_SIZE];

    http_text__put(&w, host->subdomains ? "." : "");
    http_text__put(&w, host->name);
    http_text__put(&w, " \"");
    http_text__put(&w, host->expires_s > HTTP_DATE_MAX
                           ? UNLIMITED
                           : http_date_format_stamp(host->expires_s, stamp));
    http_text__put(&w, "\"");
    return http_text__written(&w);
}
