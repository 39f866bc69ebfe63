/* redirect: rules that send a client elsewhere, and rules that serve another path instead. */
#include "base/hmem.h"
#include "codec/http_path.h"
#include "site.h"

#include <string.h>

#define PATH_ROOM (HTTP1_LINE_MAX * 3) /* every byte of a path encoded */

/* The first rule that fits the request, and what is left of its path. */
static const rule_t *find_rule(const rule_t *rules, const site_host_t *host,
                               const http_stream_t *stream, http_span_t *rest)
{
    http_span_t path = site_path(host, stream);

    for (const rule_t *rule = path.data ? rules : NULL; rule; rule = rule->next) {
        if (rule_matches(rule, path, rest))
            return rule;
    }
    return NULL;
}

/* "/old/ => /new/" keeps what is behind "/old/"; "/old/ => /new" does not. */
static bool keeps_rest(const rule_t *rule)
{
    size_t len = strlen(rule->to);

    return len > 0 && rule->to[len - 1] == '/';
}

static int make_location(const rule_t *rule, const http_stream_t *stream, http_span_t rest,
                         hbytes_t *to)
{
    http_span_t query = http_stream_request(stream)->query;
    char encoded[PATH_ROOM];
    ssize_t len = 0;
    int err = hbytes_append_str(to, rule->to);

    if (!err && keeps_rest(rule))
        len = http_path_encode(encoded, sizeof(encoded), rest);
    if (!err && len < 0)
        err = (int)len;
    if (!err && len > 0)
        err = hbytes_append(to, encoded, (size_t)len);
    if (!err && query.data && !strchr(rule->to, '?'))
        err = hbytes_append_char(to, '?');
    if (!err && query.data && !strchr(rule->to, '?'))
        err = hbytes_append(to, query.data, query.len);
    return err;
}

static bool on_redirect(http_stream_t *stream, void *userdata)
{
    const site_host_t *host = userdata;
    http_span_t rest;
    const rule_t *rule = find_rule(host->settings->redirects, host, stream, &rest);
    hbytes_t to = {0};

    if (!rule)
        return false;
    if (make_location(rule, stream, rest, &to) == 0)
        http_response_redirect(stream, rule->status, (http_span_t){to.data, to.len});
    else
        http_response_error(stream, 500, NULL);
    hbytes_deinit(&to);
    return true;
}

static bool on_rewrite(http_stream_t *stream, void *userdata)
{
    site_host_t *host = userdata;
    http_span_t rest;
    const rule_t *rule = find_rule(host->settings->rewrites, host, stream, &rest);
    hbytes_t to = {0};
    int err;

    if (!rule)
        return false;
    err = hbytes_append_str(&to, rule->to);
    if (!err && keeps_rest(rule))
        err = hbytes_append(&to, rest.data, rest.len);
    if (err)
        http_response_error(stream, 500, NULL);
    else if (!auth_refuses(host, stream, (http_span_t){to.data, to.len}))
        site_serve_path(host, stream, (http_span_t){to.data, to.len});
    hbytes_deinit(&to);
    return true;
}

int redirect_install(site_host_t *host)
{
    return host->settings->redirects ? site_use(host, "/", on_redirect, host) : 0;
}

int rewrite_install(site_host_t *host)
{
    return host->settings->rewrites ? site_use(host, "/", on_rewrite, host) : 0;
}
