/* The way to a URL's server: through which proxies, to which addresses, with TLS or without. */
#include "http_client_int.h"

#include "../base/hstr.h"
#include "http_override.h"

#include <stdio.h>
#include <strings.h>

/* Of an http proxy in the environment that has none, as curl reads it. */
#define ENVIRONMENT_PORT 1080

bool http_client__is_secure(const hurl_t *url)
{
    return url->scheme.len == 5 && memcmp(url->scheme.data, "https", 5) == 0;
}

static bool same_part(hurl_part_t a, hurl_part_t b)
{
    return a.len == b.len && (a.len == 0 || strncasecmp(a.data, b.data, a.len) == 0);
}

bool http_client__same_host(const hurl_t *a, const hurl_t *b)
{
    return same_part(a->host, b->host) && same_part(a->zone, b->zone);
}

static bool is_http(hproxy_type_e type)
{
    return type == HPROXY_HTTP || type == HPROXY_HTTPS;
}

static int set_host(http_route_t *r, const hurl_t *url, http_fault_e *fault, hbytes_t *error)
{
    size_t len = url->host.len + (url->zone.data ? 1 + url->zone.len : 0);

    *fault = HTTP_FAULT_URL;
    if (url->host.len == 0 || len >= sizeof(r->to.host)) {
        hbytes_printf(error, "the URL has %s", url->host.len == 0 ? "no host" : "too long a host");
        return HERR_RANGE;
    }
    memcpy(r->to.host, url->host.data, url->host.len);
    if (url->zone.data)
        snprintf(r->to.host + url->host.len, sizeof(r->to.host) - url->host.len, "%%%.*s",
                 (int)url->zone.len, url->zone.data);
    r->to.port = (uint16_t)url->port;
    r->tls = http_client__is_secure(url);
    memcpy(r->tls_name, url->host.data, url->host.len);
    return 0;
}

static void set_addrs(const http_client_t *client, http_route_t *r, const char *host, uint16_t port)
{
    r->addr_count = http_override_addrs(client->options.overrides, host, port, &r->addrs);
}

/* Where the program sends it instead; whether it does. */
static bool override(const http_client_t *client, http_route_t *r)
{
    char host[HTTP_OVERRIDE_HOST_SIZE];
    uint16_t port;
    bool other =
        http_override_target(client->options.overrides, r->to.host, r->to.port, host, &port) > 0;

    other = other && (port != r->to.port || !hstr_ieq(host, r->to.host));
    if (other) {
        hstr_copy(r->to.host, sizeof(r->to.host), host);
        r->to.port = port;
    }
    set_addrs(client, r, r->to.host, r->to.port);
    return other;
}

/* The proxy for the URL's host, wherever that is sent to: 1, 0 for none, or an error. */
static int find_proxy(const http_client_t *client, const http_route_t *r, const hurl_t *url,
                      hproxy_t *proxy, hbytes_t *error)
{
    const http_client_options_t *o = &client->options;
    char why[HTTP_CLIENT_ERROR_SIZE] = "";
    int found;

    if (o->no_proxy && hproxy_is_excluded(o->no_proxy, r->tls_name, (uint16_t)url->port))
        return 0;
    if (o->proxy) {
        *proxy = *o->proxy;
        return 1;
    }
    if (!o->proxy_env)
        return 0;
    found = hproxy_from_env(proxy, r->tls ? "https" : "http", o->no_proxy ? NULL : r->tls_name,
                            (uint16_t)url->port, why, sizeof(why));
    if (found < 0)
        hbytes_append_str(error, why);
    else if (found > 0 && proxy->any_port && proxy->type == HPROXY_HTTP)
        proxy->port = ENVIRONMENT_PORT;
    return found;
}

/* A UNIX path is written as a host. */
static void go_to_proxy(const http_client_t *client, http_route_t *r, const hproxy_t *proxy)
{
    r->to = (hendpoint_t){.port = proxy->port};
    if (hstr_starts(proxy->host, "unix:")) {
        r->to.scheme = HENDPOINT_UNIX;
        hstr_copy(r->to.path, sizeof(r->to.path), proxy->host + 5);
    } else {
        hstr_copy(r->to.host, sizeof(r->to.host), proxy->host);
    }
    r->tls = proxy->type == HPROXY_HTTPS;
    hstr_copy(r->tls_name, sizeof(r->tls_name), r->to.host);
    r->forward = true;
    set_addrs(client, r, proxy->host, proxy->port);
}

/* Addresses that were given are for the first hop. A SOCKS proxy that is told numbers is told the
 * given ones. */
static void go_through_proxies(const http_client_t *client, http_route_t *r)
{
    const hproxy_t *last = &r->proxies[r->proxy_count - 1];

    if (r->addr_count > 0 && (last->type == HPROXY_SOCKS4 || last->type == HPROXY_SOCKS5))
        haddr_ip(&r->addrs[0].u.sa, r->to.host, sizeof(r->to.host));
    set_addrs(client, r, r->proxies[0].host, r->proxies[0].port);
}

static int use_proxy(const http_client_t *client, http_route_t *r, const hurl_t *url,
                     bool overridden, hbytes_t *error)
{
    const hproxy_t *pre_proxy = client->options.pre_proxy;
    hproxy_t proxy;
    int found = find_proxy(client, r, url, &proxy, error);

    if (found < 0)
        return found;
    if (pre_proxy)
        r->proxies[r->proxy_count++] = *pre_proxy;
    if (found > 0 && is_http(proxy.type)) {
        r->http = proxy;
        if (!r->tls && !client->options.proxy_tunnel && !overridden) {
            go_to_proxy(client, r, &proxy);
            found = 0;
        }
        r->tunnel = found > 0;
    }
    if (found > 0)
        r->proxies[r->proxy_count++] = proxy;
    if (r->proxy_count > 0 && !r->forward)
        go_through_proxies(client, r);
    else if (r->proxy_count > 0)
        set_addrs(client, r, r->proxies[0].host, r->proxies[0].port);
    return 0;
}

int http_client__route(http_client_t *client, const hurl_t *url, http_route_t *route,
                       http_fault_e *fault, hbytes_t *error)
{
    int err;

    *route = (http_route_t){0};
    err = set_host(route, url, fault, error);
    if (err < 0)
        return err;
    if (client->options.unix_path) {
        route->to.scheme = HENDPOINT_UNIX;
        hstr_copy(route->to.path, sizeof(route->to.path), client->options.unix_path);
        return 0;
    }
    err = use_proxy(client, route, url, override(client, route), error);
    *fault = err == HERR_UNSUPPORTED ? HTTP_FAULT_CONNECT : HTTP_FAULT_RESOLVE_PROXY;
    return err;
}
