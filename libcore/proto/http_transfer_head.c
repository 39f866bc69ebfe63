/* The head of a request. The fields stand in the order in which curl sends them, for servers and
 * people that compare; the program's take the place of the client's own. */
#include "http_client_int.h"

#include "../base/hmem.h"
#include "../base/hstr.h"
#include "../codec/http_connect.h"
#include "../codec/http_date.h"
#include "http_cookie_jar.h"

#include <assert.h>
#include <stdio.h>

#define HEAD_OWN_MAX 32 /* fields of the client's own */

typedef struct head_s {
    http_transfer_t *t;
    hbytes_t target;
    http_field_t *fields;
    size_t count, size_max;
    char *owned[HEAD_OWN_MAX]; /* values that were made */
    size_t owned_count;
    bool chunked, expects;
    bool only_end; /* there is no body, but the program says that it comes in chunks */
    bool te;
    int err;
} head_t;

/* ---- fields ---------------------------------------------------------------------------------- */

static void add_span(head_t *h, const char *name, http_span_t value)
{
    http_span_t key = http_span(name);

    if (h->err < 0)
        return;
    if (h->count == h->size_max) {
        h->err = -ENOBUFS;
        return;
    }
    h->fields[h->count++] = (http_field_t){key, value, http_field_of(key)};
}

static void add(head_t *h, const char *name, const char *value)
{
    add_span(h, name, http_span(value));
}

/* Keeps what fields point into until the head is sent: the same bytes, "" for none. */
static http_span_t own(head_t *h, hbytes_t *text)
{
    http_span_t span = {text->data ? text->data : "", text->len};

    assert(h->owned_count < HEAD_OWN_MAX);
    h->owned[h->owned_count++] = hbytes_take(text, NULL);
    return span;
}

/* A value that was made for this; none if it is empty. */
static void add_made(head_t *h, const char *name, hbytes_t *value)
{
    if (value->len > 0)
        add_span(h, name, own(h, value));
}

static void add_format(head_t *h, const char *name, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
static void add_format(head_t *h, const char *name, const char *format, ...)
{
    hbytes_t value = {0};
    va_list ap;
    int err;

    va_start(ap, format);
    err = hbytes_vprintf(&value, format, ap);
    va_end(ap);
    if (err < 0)
        h->err = err;
    add_made(h, name, &value);
    hbytes_deinit(&value);
}

static const http_extra_t *find_extra(const http_extra_t *extras, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++) {
        if (hstr_ieq(extras[i].name, name))
            return &extras[i];
    }
    return NULL;
}

const http_extra_t *http_transfer__extra(const http_transfer_t *t, const char *name)
{
    return find_extra(t->options.fields, t->options.field_count, name);
}

static bool has_extra(const head_t *h, const char *name)
{
    return http_transfer__extra(h->t, name) != NULL;
}

/* ---- whose host is it ------------------------------------------------------------------------ */

bool http_transfer__is_trusted(const http_transfer_t *t)
{
    const hurl_t *first = t->options.url;

    return t->options.login_anywhere || t->url == first ||
           (http_client__same_host(t->url, first) && t->url->port == t->home_port &&
            http_client__is_secure(t->url) == t->home_secure);
}

/* HTTP/1.0: asked for, or what was answered to this transfer, or on this connection. */
static bool is_old(const http_transfer_t *t)
{
    return t->options.version == 10 || (t->options.version == 0 && (t->old || t->origin->old));
}

/* ---- each field in its turn ------------------------------------------------------------------ */

static void add_host(head_t *h)
{
    const http_transfer_t *t = h->t;
    const http_extra_t *extra = http_transfer__extra(t, "Host");
    const hurl_t *url = t->url;
    bool brackets = url->host_kind == HURL_HOST_IPV6;
    int len = (int)url->host.len;

    if (extra && (http_transfer__is_trusted(t) || http_client__same_host(url, t->options.url))) {
        if (extra->value)
            add(h, "Host", extra->value);
        return;
    }
    if (url->port == hurl_default_port(url->scheme.data, url->scheme.len))
        add_format(h, "Host", brackets ? "[%.*s]" : "%.*s", len, url->host.data);
    else
        add_format(h, "Host", brackets ? "[%.*s]:%d" : "%.*s:%d", len, url->host.data, url->port);
}

/* What Digest signs: the path, also where a proxy gets the whole URL. */
static const char *login_uri(const head_t *h)
{
    const char *mark =
        h->t->origin->route.forward && !h->t->options.target ? strstr(h->target.data, "://") : NULL;
    const char *path = mark ? strchr(mark + 3, '/') : NULL;

    return path ? path : h->target.data;
}

static void add_login(head_t *h, bool proxy, const char *name)
{
    hbytes_t value = {0};
    int err = http_transfer__authorize(h->t, proxy, login_uri(h), &value);

    if (err < 0)
        h->err = err;
    else if (value.len > 0)
        add_made(h, name, &value);
    hbytes_deinit(&value);
}

static bool has_proxy_extra(const head_t *h, const char *name)
{
    const http_transfer_options_t *o = &h->t->options;

    return find_extra(o->proxy_fields, o->proxy_field_count, name) || has_extra(h, name);
}

static void add_proxy_authorization(head_t *h)
{
    if (h->t->origin->route.forward && !has_proxy_extra(h, "Proxy-Authorization"))
        add_login(h, true, "Proxy-Authorization");
}

/* The signature, and what it needs. */
static void add_signature(head_t *h)
{
    hbytes_t lines = {0};
    http_span_t rest, line, name, value, host = {0};
    http_field_e id;

    if (h->count > 0 && h->fields[0].id == HTTP_FIELD_HOST && !has_extra(h, "Host"))
        host = h->fields[0].value;
    h->err = http_transfer__sign(h->t, host, &lines);
    rest = own(h, &lines);
    while (h->err == 0 && http_line_next(&rest, &line)) {
        if (http_field_cut(line, &name, &value, &id) < 0)
            continue;
        add_span(h, "", value);
        if (h->err < 0)
            break;
        h->fields[h->count - 1].name = name;
        h->fields[h->count - 1].id = id;
    }
    hbytes_deinit(&lines);
}

static void add_authorization(head_t *h)
{
    const http_transfer_t *t = h->t;

    if (has_extra(h, "Authorization"))
        return;
    if (t->options.sigv4 && t->login.user && http_transfer__is_trusted(t))
        add_signature(h);
    else
        add_login(h, false, "Authorization");
}

/* Of a download, or of what an upload goes on with. */
static void add_range(head_t *h)
{
    const http_transfer_options_t *o = &h->t->options;
    bool upload = h->t->kind == HTTP_KIND_PUT || h->t->kind == HTTP_KIND_POST;

    if (upload && o->resume_from > 0 && !has_extra(h, "Content-Range")) {
        int64_t length = o->body ? http_source_length(o->body) : -1;

        if (length > 0)
            add_format(h, "Content-Range", "bytes %lld-%lld/%lld", (long long)o->resume_from,
                       (long long)length - 1, (long long)length);
    } else if (upload && o->range && !o->form && !has_extra(h, "Content-Range")) {
        add_format(h, "Content-Range", "bytes %s/%lld", o->range, (long long)h->t->body_length);
    } else if (!upload && !has_extra(h, "Range")) {
        if (o->range)
            add_format(h, "Range", "bytes=%s", o->range);
        else if (o->resume_from > 0)
            add_format(h, "Range", "bytes=%lld-", (long long)o->resume_from);
    }
}

static void add_user_agent(head_t *h)
{
    const char *agent = h->t->options.user_agent;

    if (agent && agent[0] && !has_extra(h, "User-Agent"))
        add(h, "User-Agent", agent);
}

static void add_accept(head_t *h)
{
    if (!has_extra(h, "Accept"))
        add(h, "Accept", "*/*");
}

static void add_te(head_t *h)
{
    h->te = h->t->options.transfer_encoding && !has_extra(h, "TE");
    if (h->te)
        add(h, "TE", "gzip");
}

/* All that can be decoded here. */
static void add_all_codings(head_t *h)
{
    static const http_coding_e order[] = {HTTP_CODING_DEFLATE, HTTP_CODING_GZIP, HTTP_CODING_BR,
                                          HTTP_CODING_ZSTD};
    unsigned available = http_coding_available(HTTP_CODING_ALL);
    hbytes_t value = {0};

    for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++) {
        if (available & HTTP_CODING_BIT(order[i]))
            hbytes_printf(&value, "%s%s", value.len > 0 ? ", " : "", http_coding_name(order[i]));
    }
    add_made(h, "Accept-Encoding", &value);
    hbytes_deinit(&value);
}

static void add_accept_encoding(head_t *h)
{
    const char *codings = h->t->options.accept_encoding;

    if (!codings || has_extra(h, "Accept-Encoding"))
        return;
    if (codings[0])
        add(h, "Accept-Encoding", codings);
    else
        add_all_codings(h);
}

static void add_referer(head_t *h)
{
    if (h->t->referer && h->t->referer[0] && !has_extra(h, "Referer"))
        add(h, "Referer", h->t->referer);
}

static void add_proxy_connection(head_t *h)
{
    if (h->t->origin->route.forward && !has_proxy_extra(h, "Proxy-Connection"))
        add(h, "Proxy-Connection", "Keep-Alive");
}

static void add_transfer_encoding(head_t *h)
{
    const http_extra_t *extra = http_transfer__extra(h->t, "Transfer-Encoding");
    bool has_body = h->t->body_length != HTTP_BODY_NONE;

    if (extra) {
        h->chunked = extra->value && hstr_ieq(extra->value, "chunked");
        h->only_end = h->chunked && !has_body;
        h->chunked = h->chunked && has_body;
    } else if (has_body && h->t->body_length == HTTP_BODY_UNKNOWN) {
        h->chunked = true;
        add(h, "Transfer-Encoding", "chunked");
    }
    if (h->chunked && is_old(h->t)) {
        http_transfer__fail(h->t, HTTP_FAULT_UPLOAD,
                            "the length of the body is not known, and HTTP/1.0 needs it");
        h->err = -EINVAL;
    }
}

static void add_cookies(head_t *h)
{
    const http_transfer_t *t = h->t;
    bool own = t->options.cookies && !has_extra(h, "Cookie") && http_transfer__is_trusted(t);
    hbytes_t value = {0};
    int full = t->options.jar ? http_transfer__read_jar(t, &value) : 0;

    if (own && full == 0)
        full = hbytes_printf(&value, "%s%s", value.len > 0 ? "; " : "", t->options.cookies);
    if (full < 0)
        h->err = full;
    if (value.len > 0)
        add_made(h, "Cookie", &value);
    hbytes_deinit(&value);
}

static void add_condition(head_t *h)
{
    const http_transfer_options_t *o = &h->t->options;
    const char *name =
        o->condition == HTTP_IF_UNMODIFIED_SINCE ? "If-Unmodified-Since" : "If-Modified-Since";
    char date[HTTP_DATE_SIZE];

    if (o->condition == HTTP_CONDITION_NONE || has_extra(h, name))
        return;
    add_format(h, name, "%s", http_date_format(o->condition_s, date));
}

/* What the program says. Host was sent, Connection comes last, and secrets stay at home. */
static bool is_sent_elsewhere(const head_t *h, const char *name)
{
    if (hstr_ieq(name, "Host") || hstr_ieq(name, "Connection"))
        return true;
    if (hstr_ieq(name, "Content-Length") && h->t->probe)
        return true;
    if (hstr_ieq(name, "Content-Type") && h->t->options.content_type && !h->t->body_dropped &&
        h->t->options.form)
        return true;
    return (hstr_ieq(name, "Authorization") || hstr_ieq(name, "Cookie")) &&
           !http_transfer__is_trusted(h->t);
}

static void add_extras(head_t *h, const http_extra_t *extras, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (extras[i].value && !is_sent_elsewhere(h, extras[i].name))
            add(h, extras[i].name, extras[i].value);
    }
}

static void add_custom(head_t *h)
{
    const http_transfer_options_t *o = &h->t->options;

    add_extras(h, o->fields, o->field_count);
    if (h->t->origin->route.forward)
        add_extras(h, o->proxy_fields, o->proxy_field_count);
}

static void add_expect(head_t *h)
{
    const http_extra_t *extra = http_transfer__extra(h->t, "Expect");
    const http_transfer_t *t = h->t;
    int64_t length = t->body_length;

    if (extra) {
        h->expects = extra->value && hstr_ieq(extra->value, "100-continue");
        return;
    }
    if (t->no_expect || t->options.expect < 0 || is_old(t))
        return;
    if (t->options.expect > 0 || length > HTTP_CLIENT_EXPECT_MIN || length < 0) {
        h->expects = true;
        add(h, "Expect", "100-continue");
    }
}

static void add_content(head_t *h)
{
    const http_transfer_t *t = h->t;
    bool form = t->options.form;

    if (t->body_length == HTTP_BODY_NONE)
        return;
    if (!h->chunked && (t->probe || !has_extra(h, "Content-Length")))
        add_format(h, "Content-Length", "%lld", (long long)t->body_length);
    if (t->options.content_type && !(form && t->probe) && (form || !has_extra(h, "Content-Type")))
        add(h, "Content-Type", t->options.content_type);
    add_expect(h);
}

static void add_connection(head_t *h)
{
    const http_transfer_options_t *o = &h->t->options;
    bool first = true;

    for (size_t i = 0; i < o->field_count; i++) {
        if (!hstr_ieq(o->fields[i].name, "Connection") || !o->fields[i].value ||
            !o->fields[i].value[0])
            continue;
        if (first && h->te)
            add_format(h, "Connection", "%s, TE", o->fields[i].value);
        else
            add(h, "Connection", o->fields[i].value);
        first = false;
    }
    if (first && h->te)
        add(h, "Connection", "TE");
}

static void (*const steps[])(head_t *h) = {
    add_host,
    add_proxy_authorization,
    add_authorization,
    add_range,
    add_user_agent,
    add_accept,
    add_te,
    add_accept_encoding,
    add_referer,
    add_proxy_connection,
    add_transfer_encoding,
    add_cookies,
    add_condition,
    add_custom,
    add_content,
    add_connection,
};

/* ---- the first line -------------------------------------------------------------------------- */

static int set_method(http_transfer_t *t)
{
    static const char *const names[] = {"GET", "HEAD", "POST", "PUT"};
    const char *name = t->custom_method ? t->options.method : names[t->kind];

    hstr_copy(t->method, sizeof(t->method), name);
    if (strlen(name) < sizeof(t->method))
        return 0;
    http_transfer__fail(t, HTTP_FAULT_USAGE, "the method is longer than %d characters",
                        HTTP_CLIENT_METHOD_SIZE - 1);
    return HERR_RANGE;
}

int http_transfer__write_url(const hurl_t *url, hbytes_t *out)
{
    bool brackets = url->host_kind == HURL_HOST_IPV6;
    int err =
        hbytes_printf(out, "%.*s://%s%.*s%s", (int)url->scheme.len, url->scheme.data,
                      brackets ? "[" : "", (int)url->host.len, url->host.data, brackets ? "]" : "");

    if (err == 0 && url->port != hurl_default_port(url->scheme.data, url->scheme.len))
        err = hbytes_printf(out, ":%d", url->port);
    if (err == 0)
        err = hbytes_append(out, url->path.data, url->path.len);
    if (err == 0 && url->query.data)
        err = hbytes_printf(out, "?%.*s", (int)url->query.len, url->query.data);
    return err;
}

static int make_target(head_t *h)
{
    const http_transfer_t *t = h->t;
    const hurl_t *url = t->url;
    int err;

    if (t->options.target)
        return hbytes_append_str(&h->target, t->options.target);
    if (t->origin->route.forward)
        return http_transfer__write_url(url, &h->target);
    err = hbytes_append(&h->target, url->path.data, url->path.len);
    if (err == 0 && url->query.data)
        err = hbytes_printf(&h->target, "?%.*s", (int)url->query.len, url->query.data);
    return err;
}

/* ---- sending --------------------------------------------------------------------------------- */

static void set_body_length(http_transfer_t *t)
{
    const http_source_t *body = t->options.body;

    t->probe = http_transfer__needs_probe(t);
    if (!body || t->body_dropped || t->kind == HTTP_KIND_GET || t->kind == HTTP_KIND_HEAD)
        t->body_length = HTTP_BODY_NONE;
    else if (t->probe)
        t->body_length = 0;
    else
        t->body_length = http_source_length(body);
    if (t->body_length > 0 && t->options.resume_from > 0)
        t->body_length -=
            t->options.resume_from < t->body_length ? t->options.resume_from : t->body_length;
    t->info.upload_total = t->body_length >= 0 ? t->body_length : -1;
}

/* Of a body that is not chunked because the program says so, and says its length. */
static int64_t said_length(const http_transfer_t *t)
{
    const http_extra_t *extra = http_transfer__extra(t, "Content-Length");
    uint64_t length;

    if (!extra || !extra->value || hstr_parse_u64(extra->value, 0, INT64_MAX, &length) < 0)
        return HTTP_BODY_UNKNOWN;
    return (int64_t)length;
}

static int start(head_t *h, const http_exchange_callbacks_t *callbacks)
{
    http_transfer_t *t = h->t;
    http_exchange_request_t request = {
        .method = http_span(t->method),
        .target = {h->target.data, h->target.len},
        .fields = h->fields,
        .field_count = h->count,
        .body_length = t->body_length,
        .expects_continue = h->expects,
        .http10 = is_old(t),
        .framed = true,
        .raw = t->options.raw,
        .insists = true,
        .connect = http_transfer__connect(t),
        .continue_ms = t->options.expect_ms,
    };
    const http_extra_t *connection = http_transfer__extra(t, "Connection");
    int err;

    if (h->chunked || h->only_end)
        request.body_length = HTTP_BODY_UNKNOWN;
    else if (t->body_length == HTTP_BODY_UNKNOWN)
        request.body_length = said_length(t);
    request.upgrade =
        connection && connection->value && http_list_has(http_span(connection->value), "upgrade");
    err = http_exchange_start(t->origin->peer, &request, callbacks, t, &t->exchange);
    if (err == -EINVAL)
        http_transfer__blame(t);
    else if (err == -ENOBUFS)
        http_transfer__fail(t, HTTP_FAULT_TOO_LARGE, "the head of the request is too large");
    t->expects = h->expects;
    t->chunked = h->chunked;
    if (err == 0 && h->only_end)
        err = http_exchange_end(t->exchange);
    else if (err == 0 && !h->expects)
        http_transfer__pump(t); /* what is there leaves with the head */
    return err;
}

static int make_head(head_t *h, const http_exchange_callbacks_t *callbacks)
{
    const http_transfer_options_t *o = &h->t->options;

    h->size_max = HEAD_OWN_MAX + o->field_count + o->proxy_field_count;
    h->fields = hmem_array(h->size_max, sizeof(*h->fields));
    if (!h->fields)
        return -ENOMEM;
    set_body_length(h->t);
    h->err = set_method(h->t);
    if (h->err == 0)
        h->err = make_target(h);
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]) && h->err == 0; i++)
        steps[i](h);
    return h->err < 0 ? h->err : start(h, callbacks);
}

int http_transfer__send_head(http_transfer_t *t, const http_exchange_callbacks_t *callbacks)
{
    head_t h = {.t = t};
    int err = http_transfer__rewind(t);

    if (err == 0)
        err = make_head(&h, callbacks);
    if (err < 0)
        http_transfer__fail(t, HTTP_FAULT_MEMORY, "%s", herr_str(err));
    for (size_t i = 0; i < h.owned_count; i++)
        hmem_free(h.owned[i]);
    hbytes_deinit(&h.target);
    hmem_free(h.fields);
    return err;
}
