/* proxy: "/path/ => URL": requests that another server answers; several lines with the same path
 * share them. And forward_proxy: requests for any server. */
#include "base/hmem.h"
#include "net/hdns.h"
#include "net/hproxy.h"
#include "proto/http_forward.h"
#include "proto/http_proxy.h"
#include "site.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#define PREFIX_SIZE 4096
#define ITEM_SIZE 512 /* more than a line of the file */

/* The servers behind one path. */
typedef struct backend_s {
    struct backend_s *next;
    const rule_t *rule; /* the first one with this path */
    http_proxy_t *proxy;
} backend_t;

typedef struct backends_s {
    site_host_t *host;
    hdns_t *dns;
    backend_t *list; /* the longest path first */
    http_forward_t *forward;
} backends_t;

static void on_failure(http_stream_t *stream, const char *why, void *arg)
{
    const backends_t *backends = arg;
    http_span_t target = http_stream_request(stream)->target;

    hlogfile_say(backends->host->site->env.log, HLOG_WARN, "proxy: %.*s: %s",
                 target.len < 200 ? (int)target.len : 200, target.data, why);
}

static void free_backends(void *object)
{
    backends_t *backends = object;

    while (backends->list) {
        backend_t *backend = backends->list;

        backends->list = backend->next;
        http_proxy_free(backend->proxy);
        hmem_free(backend);
    }
    http_forward_free(backends->forward);
    hdns_free(backends->dns);
}

static bool on_request(http_stream_t *stream, void *userdata)
{
    const backends_t *backends = userdata;
    http_span_t path = site_path(backends->host, stream), rest;

    for (const backend_t *b = path.data ? backends->list : NULL; b; b = b->next) {
        if (!rule_matches(b->rule, path, &rest))
            continue;
        http_proxy_handle(stream, b->proxy);
        return true;
    }
    return false;
}

/* ---- servers behind a path ------------------------------------------------------------------- */

static bool is_first(const rule_t *rules, const rule_t *rule)
{
    while (rules != rule && strcmp(rules->from, rule->from) != 0)
        rules = rules->next;
    return rules == rule;
}

static size_t gather(const rule_t *rule, const char **targets)
{
    size_t count = 0;

    for (const rule_t *r = rule; r && count < HTTP_PROXY_TARGETS_MAX; r = r->next) {
        if (strcmp(r->from, rule->from) == 0)
            targets[count++] = r->to;
    }
    return count;
}

/* The target that the words are about. */
static const char *culprit(const rule_t *rule, const char *why)
{
    const char *to = rule->to;

    for (const rule_t *r = rule->next; r; r = r->next) {
        if (strcmp(r->from, rule->from) == 0 && strstr(why, r->to))
            to = r->to;
    }
    return to;
}

static void insert(backends_t *backends, backend_t *backend)
{
    size_t len = strlen(backend->rule->from);
    backend_t **at = &backends->list;

    while (*at && strlen((*at)->rule->from) >= len)
        at = &(*at)->next;
    backend->next = *at;
    *at = backend;
}

static int add_backend(backends_t *backends, const rule_t *rule)
{
    const site_settings_t *s = backends->host->settings;
    site_t *site = backends->host->site;
    const char *targets[HTTP_PROXY_TARGETS_MAX];
    char prefix[PREFIX_SIZE], why[HTTP_PROXY_ERROR_SIZE] = "";
    http_proxy_options_t options = {.targets = targets,
                                    .target_count = gather(rule, targets),
                                    .prefix = prefix,
                                    .dns = backends->dns,
                                    .via = "hhttpd",
                                    .connect_ms = s->proxy_connect_ms,
                                    .response_ms = s->proxy_read_ms,
                                    .send_ms = s->proxy_write_ms,
                                    .on_failure = on_failure,
                                    .arg = backends};
    backend_t *backend = hmem_zalloc(sizeof(*backend));
    int err;

    if (!backend)
        return -ENOMEM;
    snprintf(prefix, sizeof(prefix), "%s%s", s->base_url ? s->base_url : "", rule->from);
    backend->rule = rule;
    err = http_proxy_new(site->loop, &options, &backend->proxy, why, sizeof(why));
    if (err) {
        hmem_free(backend);
        return site_fail(site, err, culprit(rule, why), "proxy %s: %s", rule->from,
                         why[0] ? why : herr_str(err));
    }
    insert(backends, backend);
    return 0;
}

/* ---- for any server -------------------------------------------------------------------------- */

/* "*" is any text. */
static bool fits(const char *pattern, const char *host)
{
    const char *star = NULL, *from = host;

    while (*host) {
        if (*pattern == '*') {
            star = pattern++;
            from = host;
        } else if (tolower((unsigned char)*pattern) == tolower((unsigned char)*host)) {
            pattern++;
            host++;
        } else if (star) {
            pattern = star + 1;
            host = ++from;
        } else {
            return false;
        }
    }
    return pattern[strspn(pattern, "*")] == '\0';
}

/* Items as in NO_PROXY, where a star in front stands for whole labels; and with stars elsewhere. */
static bool is_listed(const char *list, const char *host, uint16_t port)
{
    static const char separators[] = ",; \t";
    char item[ITEM_SIZE];

    for (size_t len; *list; list += len + strspn(list + len, separators)) {
        len = strcspn(list, separators);
        snprintf(item, sizeof(item), "%.*s", (int)len, list);
        if (len > 0 && (hproxy_is_excluded(item + (item[0] == '*' && len > 1), host, port) ||
                        (strchr(item + 1, '*') && fits(item, host))))
            return true;
    }
    return false;
}

static bool may_go(http_stream_t *stream, const char *host, uint16_t port, void *arg)
{
    const backends_t *backends = arg;
    const site_settings_t *s = backends->host->settings;

    (void)stream;
    if (s->no_proxies && is_listed(s->no_proxies, host, port))
        return false;
    return !s->trust_proxies || is_listed(s->trust_proxies, host, port);
}

static bool on_forward(http_stream_t *stream, void *userdata)
{
    const backends_t *backends = userdata;

    if (!http_forward_wants(stream))
        return false;
    http_forward_handle(stream, backends->forward);
    return true;
}

static int add_forward(backends_t *backends)
{
    const site_settings_t *s = backends->host->settings;
    http_forward_options_t options = {.allow = may_go,
                                      .on_failure = on_failure,
                                      .arg = backends,
                                      .dns = backends->dns,
                                      .via = "hhttpd",
                                      .connect_ms = s->proxy_connect_ms,
                                      .response_ms = s->proxy_read_ms,
                                      .send_ms = s->proxy_write_ms};
    int err = http_forward_new(backends->host->site->loop, &options, &backends->forward);

    return err ? err : http_router_use(backends->host->router, "/", on_forward, backends);
}

/* ---- the feature ----------------------------------------------------------------------------- */

int proxy_install(site_host_t *host)
{
    const site_settings_t *s = host->settings;
    backends_t *backends;
    int err;

    if (!s->proxies && !s->forward_proxy)
        return 0;
    backends = site_keep(host->site, sizeof(*backends));
    if (!backends)
        return -ENOMEM;
    backends->host = host;
    err = hdns_new(host->site->loop, NULL, &backends->dns);
    if (!err)
        err = site_on_free(host->site, free_backends, backends);
    if (!err && s->forward_proxy)
        err = add_forward(backends);
    for (const rule_t *rule = s->proxies; !err && rule; rule = rule->next) {
        if (is_first(s->proxies, rule))
            err = add_backend(backends, rule);
    }
    return err || !s->proxies ? err : site_use(host, "/", on_request, backends);
}
