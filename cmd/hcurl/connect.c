#include "connect.h"

#include "base/hmem.h"
#include "base/hstr.h"
#include "net/hresolve.h"
#include "status.h"

#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define HTTP_PROXY_PORT 1080 /* where -x has none */
#define BUFFER_SIZE 1024

/* ---- proxies --------------------------------------------------------------------------------- */

static bool is_http(hproxy_type_e type)
{
    return type == HPROXY_HTTP || type == HPROXY_HTTPS;
}

/* The text as hproxy takes it: a path is none of a proxy's, but for a UNIX socket's, which is
 * written as one of localhost. */
static int rewrite_proxy(const char *text, hproxy_type_e type, hbytes_t *out)
{
    static const char local[] = "localhost/";
    const char *mark = strstr(text, "://");
    const char *rest = mark ? mark + 3 : text;
    size_t authority = strcspn(rest, "/?#");
    const char *host = rest;

    for (size_t i = 0; i < authority; i++) {
        if (rest[i] == '@')
            host = rest + i + 1;
    }
    if (hstr_starts(host, "unix:"))
        return hbytes_append_str(out, text);
    if ((mark || !is_http(type)) && hstr_starts(host, local) && host[sizeof(local) - 1]) {
        int err = hbytes_append(out, text, (size_t)(rest - text)); /* it has no user */

        return err ? err : hbytes_printf(out, "unix:%s", host + sizeof(local) - 2);
    }
    return hbytes_append(out, text, (size_t)(rest + authority - text));
}

static int parse_proxy(const char *text, hproxy_type_e type, hproxy_t *proxy, hbytes_t *error)
{
    char why[BUFFER_SIZE];
    hbytes_t plain = {0};
    int err = rewrite_proxy(text, type, &plain);

    if (!err)
        err = hproxy_parse(proxy, plain.data ? plain.data : "", type, why, sizeof(why));
    hbytes_deinit(&plain);
    if (err == -ENOMEM)
        return STATUS_MEMORY;
    if (err) {
        hbytes_printf(error, "unsupported proxy: %s", why);
        return err == HERR_UNSUPPORTED ? STATUS_CONNECT : STATUS_RESOLVE_PROXY;
    }
    if (proxy->any_port && proxy->type == HPROXY_HTTP)
        proxy->port = HTTP_PROXY_PORT;
    return STATUS_OK;
}

/* A login in the proxy's own text goes before that of -U. An HTTP proxy gets it by the transfer. */
static int add_login(hproxy_t *proxy, const login_pair_t *user, hbytes_t *error)
{
    const char *password = user->password ? user->password : "";

    if (is_http(proxy->type) || proxy->user[0] || proxy->password[0] || !user->user)
        return STATUS_OK;
    if (hstr_copy(proxy->user, sizeof(proxy->user), user->user) < sizeof(proxy->user) &&
        hstr_copy(proxy->password, sizeof(proxy->password), password) < sizeof(proxy->password))
        return STATUS_OK;
    hbytes_append_str(error, "the user or the password is too long for a SOCKS proxy");
    return STATUS_PROXY;
}

static int apply_proxies(const connect_options_t *o, const login_pair_t *user, connect_t *c,
                         http_client_options_t *client, hbytes_t *error)
{
    bool has_proxy = o->proxy && o->proxy[0], has_pre = o->pre_proxy && o->pre_proxy[0];
    int status = STATUS_OK;

    client->proxy_env = !o->proxy && !o->pre_proxy;
    client->proxy_tunnel = o->tunnel;
    client->proxy_http10 = o->proxy_http10;
    client->no_proxy = o->no_proxy;
    if (!client->no_proxy)
        client->no_proxy = getenv("no_proxy");
    if (!client->no_proxy)
        client->no_proxy = getenv("NO_PROXY");
    if (has_proxy)
        status = parse_proxy(o->proxy, o->proxy_type, &c->proxy, error);
    if (!status && has_pre)
        status = parse_proxy(o->pre_proxy, HPROXY_SOCKS4, &c->pre_proxy, error);
    if (status)
        return status;
    if (has_pre && (is_http(c->pre_proxy.type) || (has_proxy && !is_http(c->proxy.type)))) {
        hbytes_append_str(error, is_http(c->pre_proxy.type)
                                     ? "--preproxy is for a SOCKS proxy"
                                     : "a SOCKS proxy behind another one is not supported");
        return STATUS_RESOLVE_PROXY;
    }
    if (has_proxy) {
        status = add_login(&c->proxy, user, error);
        client->proxy = &c->proxy;
    }
    if (has_pre)
        client->pre_proxy = &c->pre_proxy;
    return status;
}

/* ---- addresses ------------------------------------------------------------------------------- */

static int apply_overrides(const connect_options_t *o, connect_t *c, http_client_options_t *client,
                           hbytes_t *error)
{
    int err = 0;

    if (o->resolve.count == 0 && o->connect_to.count == 0)
        return STATUS_OK;
    err = http_override_new(&c->overrides);
    /* An empty one is a variable of a script that was not set: nothing. */
    for (size_t i = 0; !err && i < o->resolve.count; i++)
        err = o->resolve.items[i][0] == '\0'
                  ? 0
                  : http_override_resolve(c->overrides, o->resolve.items[i], error);
    for (size_t i = 0; !err && i < o->connect_to.count; i++)
        err = o->connect_to.items[i][0] == '\0'
                  ? 0
                  : http_override_connect(c->overrides, o->connect_to.items[i], error);
    client->overrides = c->overrides;
    if (err && error->len == 0)
        hbytes_append_str(error, herr_str(err));
    return !err ? STATUS_OK : err == -ENOMEM ? STATUS_MEMORY : STATUS_OPTION_SYNTAX;
}

static int apply_unix(const connect_options_t *o, connect_t *c, http_client_options_t *client)
{
    size_t len;

    if (!o->unix_path)
        return STATUS_OK;
    len = strlen(o->unix_path);
    c->unix_path = hmem_alloc(len + 2);
    if (!c->unix_path)
        return STATUS_MEMORY;
    c->unix_path[0] = '@';
    memcpy(c->unix_path + o->unix_abstract, o->unix_path, len + 1);
    client->unix_path = c->unix_path;
    return STATUS_OK;
}

/* ---- where from ------------------------------------------------------------------------------ */

static int no_interface(const char *name, hbytes_t *error)
{
    char safe[BUFFER_SIZE];

    hstr_escape(safe, sizeof(safe), name, strlen(name));
    hbytes_printf(error, "'%s' is neither an interface nor an address of this machine", safe);
    return STATUS_INTERFACE;
}

static int set_source(const connect_options_t *o, const char *host, connect_t *c, hbytes_t *error)
{
    const hresolve_hints_t hints = {.family = o->family};
    hresolve_t found = {NULL, 0, 0};
    int status = STATUS_OK;

    if (haddr_parse(&c->source, host, 0) == 0)
        return STATUS_OK;
    if (hresolve(host, 0, &hints, &found) == 0 && found.count > 0)
        c->source = found.addrs[0];
    else
        status = no_interface(host, error);
    hresolve_free(&found);
    return status;
}

/* "NAME", "if!NAME", "host!NAME" or "ifhost!NAME!HOST". */
static int apply_interface(const connect_options_t *o, connect_t *c, hbytes_t *error)
{
    const char *text = o->interface, *host = NULL, *name = NULL;
    size_t len;

    if (!text)
        return STATUS_OK;
    if (hstr_starts(text, "if!")) {
        name = text + 3;
    } else if (hstr_starts(text, "host!")) {
        host = text + 5;
    } else if (hstr_starts(text, "ifhost!")) {
        name = text + 7;
        host = strchr(name, '!');
        host = host ? host + 1 : "";
    } else if (if_nametoindex(text)) {
        name = text;
    } else {
        host = text;
    }
    len = name ? strcspn(name, "!") : 0;
    if ((name && (len == 0 || len >= IF_NAMESIZE)) || (host && !host[0]))
        return no_interface(text, error);
    if (name) {
        c->interface = hmem_strdup(name);
        if (!c->interface)
            return STATUS_MEMORY;
        c->interface[len] = '\0';
        if (!if_nametoindex(c->interface))
            return no_interface(text, error);
    }
    return host ? set_source(o, host, c, error) : STATUS_OK;
}

/* The first port of the range that is free now: others follow, from it on. */
static int apply_port(const connect_options_t *o, connect_t *c, hbytes_t *error)
{
    int err = -EADDRINUSE;

    if (o->port_first == 0)
        return STATUS_OK;
    if (c->source.len == 0)
        haddr_any(&c->source, o->family == AF_INET6 ? AF_INET6 : AF_INET, 0);
    for (unsigned port = o->port_first; port <= o->port_last; port++) {
        int fd;

        haddr_set_port(&c->source.u.sa, (uint16_t)port);
        fd = hsocket_open(c->source.u.sa.sa_family, SOCK_STREAM, NULL);
        err = fd < 0 ? fd : hsocket_bind(fd, &c->source, NULL);
        if (fd >= 0)
            close(fd);
        if (!err)
            return STATUS_OK;
    }
    hbytes_printf(error, "no port from %u to %u can be used: %s", o->port_first, o->port_last,
                  herr_str(err));
    return STATUS_INTERFACE;
}

/* ---- the dial -------------------------------------------------------------------------------- */

static void apply_socket(const connect_options_t *o, connect_t *c, hsocket_options_t *s)
{
    s->delay = o->delay;
    s->fast_open = o->fast_open;
    if (!o->no_keepalive) {
        s->keepalive_s = (int)(o->keepalive_s ? o->keepalive_s : CONNECT_KEEPALIVE_S);
        s->keepalive_every_s = s->keepalive_s;
        s->keepalive_count =
            (int)(o->keepalive_count ? o->keepalive_count : CONNECT_KEEPALIVE_COUNT);
    }
    s->tos = o->tos > 0 ? o->tos : 0;
    s->interface = c->interface;
    s->source = c->source.len ? &c->source : NULL;
}

static int apply_haproxy(const connect_options_t *o, connect_t *c, hdial_options_t *dial,
                         hbytes_t *error)
{
    if (!o->haproxy && !o->haproxy_ip)
        return STATUS_OK;
    dial->proxy_protocol = 1;
    if (!o->haproxy_ip)
        return STATUS_OK;
    if (haddr_parse(&c->haproxy_source, o->haproxy_ip, 0) != 0) {
        hbytes_append_str(error, "--haproxy-clientip is not an address");
        return STATUS_ARGUMENT;
    }
    dial->proxy_source = dial->proxy_destination = &c->haproxy_source;
    return STATUS_OK;
}

static int apply_dns(const connect_options_t *o, hloop_t *loop, connect_t *c, hdial_options_t *dial)
{
    const hdns_options_t options = {.servers = o->dns_servers};

    if (!o->dns_servers)
        return STATUS_OK;
    if (hdns_new(loop, &options, &c->dns) != 0)
        return STATUS_MEMORY;
    dial->dns = c->dns;
    return STATUS_OK;
}

static void apply_times(const connect_options_t *o, hdial_options_t *dial)
{
    uint32_t ms = o->connect_ms ? o->connect_ms : CONNECT_TIMEOUT_MS;

    dial->timeout_ms = ms > INT32_MAX ? INT32_MAX : (int)ms;
    dial->address_timeout_ms = dial->timeout_ms;
    dial->talk_timeout_ms = -1;
    dial->attempt_delay_ms = o->eyeballs_ms ? (int)o->eyeballs_ms : 1;
}

int connect_apply(const connect_options_t *options, const login_pair_t *proxy_user, hloop_t *loop,
                  connect_t *connect, http_client_options_t *client, hbytes_t *error)
{
    int status = apply_proxies(options, proxy_user, connect, client, error);

    if (!status)
        status = apply_overrides(options, connect, client, error);
    if (!status)
        status = apply_unix(options, connect, client);
    if (!status)
        status = apply_interface(options, connect, error);
    if (!status)
        status = apply_port(options, connect, error);
    if (!status)
        status = apply_haproxy(options, connect, &client->dial, error);
    if (!status)
        status = apply_dns(options, loop, connect, &client->dial);
    client->dial.family = options->family;
    client->dial.port_last = options->port_last;
    apply_times(options, &client->dial);
    apply_socket(options, connect, &client->dial.socket);
    return status;
}

void connect_free(connect_t *connect)
{
    http_override_free(connect->overrides);
    hmem_free(connect->interface);
    hmem_free(connect->unix_path);
    hdns_free(connect->dns);
    *connect = (connect_t){.dns = NULL};
}

void connect_apply_transfer(const connect_options_t *options, http_transfer_options_t *transfer)
{
    transfer->proxy_fields = options->fields.items;
    transfer->proxy_field_count = options->fields.count;
}
