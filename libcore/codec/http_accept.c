#include "http_accept.h"

#include "../base/herr.h"
#include "../base/hstr.h"
#include "http_text_int.h"

#include <string.h>
#include <strings.h>

#define IDENTITY_QUALITY 1 /* acceptable, but anything that is named is better */
#define FIT_TYPE 1000      /* above any number of parameters */
#define FIT_SUBTYPE 2000

/* One element of the field: what it names, its parameters without q, and q. */
typedef struct element_s {
    http_span_t name;
    http_span_t params;
    int quality;
} element_t;

static bool span_eq(http_span_t a, http_span_t b)
{
    return a.len == b.len && strncasecmp(a.data, b.data, a.len) == 0;
}

/* "0.75" as 750. Section 12.4.2: three digits at most, and 1 is the largest. */
static bool read_quality(http_span_t text, int *quality)
{
    int scale = HTTP_QUALITY_MAX / 10;

    if (text.len == 0 || text.len > 5 || (text.data[0] != '0' && text.data[0] != '1') ||
        (text.len > 1 && text.data[1] != '.'))
        return false;
    *quality = text.data[0] == '1' ? HTTP_QUALITY_MAX : 0;
    for (size_t i = 2; i < text.len; i++) {
        if (text.data[i] < '0' || text.data[i] > '9')
            return false;
        *quality += (text.data[i] - '0') * scale;
        scale /= 10;
    }
    return *quality <= HTTP_QUALITY_MAX;
}

/* Takes "; name=value" off the front; semicolons with nothing between them are allowed. 1, 0,
 * HERR_SYNTAX. */
static int take_param(http_span_t *rest, http_param_t *param)
{
    bool found = false;

    while (http_text__char(rest, ';'))
        found = true;
    if (!found || rest->len == 0)
        return rest->len == 0 ? 0 : HERR_SYNTAX;
    return http_text__param(rest, param) > 0 ? 1 : HERR_SYNTAX;
}

/* What comes behind q belongs to no type (section 12.5.1), and is passed over. */
static bool read_element(http_span_t text, element_t *element)
{
    size_t n = 0;
    http_span_t rest;
    http_param_t param;
    int got;

    while (n < text.len && text.data[n] != ';' && text.data[n] != ' ' && text.data[n] != '\t')
        n++;
    rest = (http_span_t){text.data + n, text.len - n};
    *element = (element_t){{text.data, n}, {rest.data, rest.len}, HTTP_QUALITY_MAX};
    for (;;) {
        http_span_t before = rest;

        got = take_param(&rest, &param);
        if (got <= 0)
            return got == 0 && n > 0;
        if (http_span_ieq(param.name, "q")) {
            element->params.len -= before.len;
            return read_quality(param.value, &element->quality);
        }
    }
}

/* ---- how closely an element fits an offer: 0 if not at all ------------------------------------
 * */

static bool has_param(http_span_t params, const http_param_t *wanted)
{
    http_param_t param;

    while (take_param(&params, &param) > 0) {
        if (span_eq(param.name, wanted->name) && span_eq(param.value, wanted->value))
            return true;
    }
    return false;
}

static int fit_type(const element_t *e, const char *offer)
{
    size_t len = strcspn(offer, "; \t"), type_len = strcspn(offer, "/;");
    http_span_t offer_params = http_span(offer + len), params = e->params;
    http_param_t param;
    int fit;

    if (http_span_ieq(e->name, "*/*"))
        fit = 1;
    else if (span_eq(e->name, (http_span_t){offer, len}))
        fit = FIT_SUBTYPE;
    else if (e->name.len == type_len + 2 && memcmp(e->name.data + type_len, "/*", 2) == 0 &&
             strncasecmp(e->name.data, offer, type_len) == 0)
        fit = FIT_TYPE;
    else
        return 0;
    while (take_param(&params, &param) > 0) {
        if (!has_param(offer_params, &param))
            return 0;
        fit++;
    }
    return fit;
}

static http_span_t plain_coding(http_span_t name)
{
    bool old = http_span_ieq(name, "x-gzip") || http_span_ieq(name, "x-compress");

    return old ? (http_span_t){name.data + 2, name.len - 2} : name;
}

static int fit_coding(const element_t *e, const char *offer)
{
    if (http_span_ieq(e->name, "*"))
        return 1;
    return span_eq(plain_coding(e->name), plain_coding(http_span(offer))) ? 2 : 0;
}

/* Whether one is the front of the other, up to a hyphen. */
static bool is_prefix(http_span_t prefix, http_span_t tag)
{
    return prefix.len <= tag.len && strncasecmp(prefix.data, tag.data, prefix.len) == 0 &&
           (prefix.len == tag.len || tag.data[prefix.len] == '-');
}

static int fit_language(const element_t *e, const char *offer)
{
    http_span_t tag = http_span(offer);

    if (http_span_ieq(e->name, "*"))
        return 1;
    if (is_prefix(e->name, tag))
        return FIT_TYPE + (int)(e->name.len < FIT_TYPE ? e->name.len : FIT_TYPE);
    return is_prefix(tag, e->name) ? 2 : 0;
}

static int fit(http_accept_e what, const element_t *e, const char *offer)
{
    switch (what) {
    case HTTP_ACCEPT_TYPE:
        return fit_type(e, offer);
    case HTTP_ACCEPT_CODING:
        return fit_coding(e, offer);
    case HTTP_ACCEPT_LANGUAGE:
        return fit_language(e, offer);
    }
    return 0;
}

int http_accept_quality(http_accept_e what, http_span_t field, const char *offer)
{
    bool identity = what == HTTP_ACCEPT_CODING && hstr_ieq(offer, "identity");
    int best = 0, quality = identity ? IDENTITY_QUALITY : 0;
    http_span_t text;
    element_t element;

    if (!field.data)
        return identity || what != HTTP_ACCEPT_CODING ? HTTP_QUALITY_MAX : 0;
    for (size_t i = 0; i < HTTP_ACCEPT_ELEMENTS_MAX && http_text__element(&field, &text); i++) {
        int closeness = read_element(text, &element) ? fit(what, &element, offer) : 0;

        if (closeness > best || (closeness > 0 && closeness == best && element.quality > quality)) {
            best = closeness;
            quality = element.quality;
        }
    }
    return quality;
}

int http_accept_choose(http_accept_e what, http_span_t field, const char *const *offers,
                       size_t count)
{
    int chosen = -ENOENT, best = 0;

    for (size_t i = 0; i < count; i++) {
        int quality = http_accept_quality(what, field, offers[i]);

        if (quality > best) {
            best = quality;
            chosen = (int)i;
        }
    }
    return chosen;
}
