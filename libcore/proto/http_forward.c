#include "http_forward_int.h"

#include "../base/hmem.h"
#include "../base/hurl.h"
#include "../net/hhost.h"

#include <stdio.h>
#include <string.h>

#define ORIGIN_SIZE (HENDPOINT_HOST_SIZE + 16)

/* A server that was asked, and its kept connections. */
typedef struct origin_s {
    hlist_t link;
    http_proxy_t *proxy;
    char url[ORIGIN_SIZE];
} origin_t;

/* ---- origins --------------------------------------------------------------------------------- */

static void free_origin(http_forward_t *forward, origin_t *origin)
{
    hlist_remove(&origin->link);
    forward->origin_count--;
    http_proxy_free(origin->proxy);
    hmem_free(origin);
}

/* The one that was not asked for longest and has nothing to do. */
static void make_room(http_forward_t *forward)
{
    for (hlist_t *node = forward->origins.prev; node != &forward->origins; node = node->prev) {
        origin_t *origin = HLIST_ENTRY(node, origin_t, link);

        if (http_proxy_active(origin->proxy) == 0) {
            free_origin(forward, origin);
            return;
        }
    }
}

static origin_t *find_origin(http_forward_t *forward, const char *url)
{
    hlist_t *node, *next;

    HLIST_FOREACH (node, next, &forward->origins) {
        origin_t *origin = HLIST_ENTRY(node, origin_t, link);

        if (strcmp(origin->url, url) != 0)
            continue;
        if (forward->origins.next != node) {
            hlist_remove(node);
            hlist_push_front(&forward->origins, node);
        }
        return origin;
    }
    return NULL;
}

static int add_origin(http_forward_t *forward, const char *url, origin_t **out)
{
    const http_forward_options_t *o = &forward->options;
    http_proxy_options_t options = {.targets = &url,
                                    .target_count = 1,
                                    .anonymous = true,
                                    .dns = o->dns,
                                    .via = o->via,
                                    .connect_ms = o->connect_ms,
                                    .response_ms = o->response_ms,
                                    .send_ms = o->send_ms,
                                    .on_failure = o->on_failure,
                                    .arg = o->arg};
    origin_t *origin;
    int err;

    if (forward->origin_count >= HTTP_FORWARD_ORIGINS_MAX)
        make_room(forward);
    if (forward->origin_count >= HTTP_FORWARD_ORIGINS_MAX)
        return -EBUSY;
    origin = hmem_zalloc(sizeof(*origin));
    if (!origin)
        return -ENOMEM;
    snprintf(origin->url, sizeof(origin->url), "%s", url);
    err = http_proxy_new(forward->loop, &options, &origin->proxy, NULL, 0);
    if (err < 0) {
        hmem_free(origin);
        return err;
    }
    hlist_push_front(&forward->origins, &origin->link);
    forward->origin_count++;
    *out = origin;
    return 0;
}

static void ask_origin(http_forward_t *forward, http_stream_t *stream, const hurl_t *url)
{
    char text[ORIGIN_SIZE];
    bool v6 = url->host_kind == HURL_HOST_IPV6;
    origin_t *origin;
    int n = snprintf(text, sizeof(text), "http://%s%.*s%s:%d", v6 ? "[" : "", (int)url->host.len,
                     url->host.data, v6 ? "]" : "", url->port);
    int err = 0;

    if (n < 0 || (size_t)n >= sizeof(text)) {
        http_response_error(stream, 400, "the host name is too long");
        return;
    }
    origin = find_origin(forward, text);
    if (!origin)
        err = add_origin(forward, text, &origin);
    if (err < 0)
        http_response_error(stream, 503, "too much is asked for at a time");
    else
        http_proxy_handle(stream, origin->proxy);
}

/* ---- requests -------------------------------------------------------------------------------- */

bool http_forward_wants(const http_stream_t *stream)
{
    const http_request_t *request = http_stream_request(stream);

    if (request->method == HTTP_METHOD_CONNECT)
        return true;
    return request->target.len > 0 && request->target.data[0] != '/' &&
           request->target.data[0] != '*';
}

static bool may_go(http_forward_t *forward, http_stream_t *stream, const char *host, uint16_t port)
{
    const http_forward_options_t *o = &forward->options;

    if (!o->allow || o->allow(stream, host, port, o->arg))
        return true;
    http_response_error(stream, 403, "this proxy does not go there");
    return false;
}

/* The host as rules name it. */
static int copy_host(const hurl_t *url, char host[HHOST_SIZE])
{
    if (url->host.len == 0 || url->host.len >= HHOST_SIZE)
        return HERR_SYNTAX;
    memcpy(host, url->host.data, url->host.len);
    host[url->host.len] = '\0';
    return hhost_plain(host, host);
}

static void connect_to(http_forward_t *forward, http_stream_t *stream)
{
    http_span_t authority = http_stream_request(stream)->authority;
    char text[ORIGIN_SIZE], host[HHOST_SIZE];
    hendpoint_t to;
    hurl_t url = {0};
    int len = snprintf(text, sizeof(text), "http://%.*s/", (int)authority.len, authority.data);
    int err = len < 0 || (size_t)len >= sizeof(text) ? HERR_RANGE
                                                     : hurl_parse(&url, text, (size_t)len, NULL, 0);

    if (err == 0)
        err = url.port > 0 ? copy_host(&url, host) : HERR_SYNTAX;
    if (err == 0)
        err = hendpoint_set(&to, HENDPOINT_TCP, host, url.port);
    if (err < 0)
        http_response_error(stream, 400, "CONNECT needs host:port");
    else if (may_go(forward, stream, host, (uint16_t)url.port))
        http_tunnel__start(forward, stream, &to);
    hurl_deinit(&url);
}

static void ask_url(http_forward_t *forward, http_stream_t *stream)
{
    http_span_t target = http_stream_request(stream)->target;
    char host[HHOST_SIZE];
    hurl_t url = {0};
    int err = hurl_parse(&url, target.data, target.len, NULL, 0);
    bool is_http = err == 0 && url.scheme.len == 4 && memcmp(url.scheme.data, "http", 4) == 0;

    if (!is_http || url.user.data || copy_host(&url, host) != 0)
        http_response_error(stream, 400, "this proxy takes http:// URLs, and CONNECT for others");
    else if (may_go(forward, stream, host, (uint16_t)url.port))
        ask_origin(forward, stream, &url);
    hurl_deinit(&url);
}

void http_forward_handle(http_stream_t *stream, void *userdata)
{
    if (http_stream_request(stream)->method == HTTP_METHOD_CONNECT)
        connect_to(userdata, stream);
    else
        ask_url(userdata, stream);
}

/* ---- making ---------------------------------------------------------------------------------- */

int http_forward_new(hloop_t *loop, const http_forward_options_t *options, http_forward_t **forward)
{
    http_forward_t *f = hmem_zalloc(sizeof(*f));

    if (!f)
        return -ENOMEM;
    f->loop = loop;
    f->options = *options;
    if (f->options.connect_ms == 0)
        f->options.connect_ms = 10000;
    if (f->options.tunnel_ms == 0)
        f->options.tunnel_ms = 600000;
    hlist_init(&f->origins);
    hlist_init(&f->tunnels);
    *forward = f;
    return 0;
}

void http_forward_free(http_forward_t *forward)
{
    if (!forward)
        return;
    http_tunnel__free_all(forward);
    while (!hlist_empty(&forward->origins))
        free_origin(forward, HLIST_ENTRY(forward->origins.next, origin_t, link));
    hmem_free(forward);
}
