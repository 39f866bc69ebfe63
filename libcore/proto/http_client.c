/* Clients, and the servers they know. One that is known and not in use goes when there are too
 * many of them, the one that was asked longest ago first. */
#include "http_client_int.h"

#include "../base/hmem.h"

/* ---- TLS ------------------------------------------------------------------------------------- */

static int make_tls(http_client_t *client, bool proxy, htls_ctx_t **ctx, http_fault_e *fault,
                    hbytes_t *error)
{
    const http_client_options_t *o = &client->options;
    char why[HTTP_CLIENT_ERROR_SIZE] = "";
    int err;

    *fault = HTTP_FAULT_TLS;
    if (o->tls_cb) {
        err = o->tls_cb(proxy, ctx, fault, why, sizeof(why), o->tls_arg);
    } else {
        htls_options_t options = {.alpn = "http/1.1"};

        err = htls_ctx_new(&options, ctx, why, sizeof(why));
    }
    if (err < 0)
        hbytes_append_str(error, why[0] ? why : herr_str(err));
    return err;
}

/* The context for the server, or for the proxy on the way to it. */
static int need_tls(http_client_t *client, bool proxy, htls_ctx_t **ctx, http_fault_e *fault,
                    hbytes_t *error)
{
    htls_ctx_t **made = proxy ? &client->proxy_tls : &client->tls;
    htls_ctx_t *given = proxy ? client->options.dial.proxy_tls : client->options.dial.tls;
    int err = 0;

    if (!given && !*made)
        err = make_tls(client, proxy, made, fault, error);
    *ctx = given ? given : *made;
    return err;
}

static int set_tls(http_client_t *client, const http_route_t *route, hdial_options_t *dial,
                   http_fault_e *fault, hbytes_t *error)
{
    bool by_proxy = route->proxy_count > 0 && route->proxies[0].type == HPROXY_HTTPS;
    int err = 0;

    if (route->proxy_count > 1)
        by_proxy |= route->proxies[1].type == HPROXY_HTTPS;
    dial->tls = NULL;
    if (route->tls)
        err = need_tls(client, route->forward, &dial->tls, fault, error);
    if (err == 0 && by_proxy)
        err = need_tls(client, true, &dial->proxy_tls, fault, error);
    return err;
}

/* ---- servers --------------------------------------------------------------------------------- */

/* With its NUL: no two lists of texts give the same bytes. */
static int add_text(hbytes_t *key, const char *text)
{
    return hbytes_append(key, text ? text : "", text ? strlen(text) + 1 : 1);
}

static int add_proxy(hbytes_t *key, const hproxy_t *proxy)
{
    int err = hbytes_printf(key, "%d:%u ", (int)proxy->type, proxy->port);

    if (err == 0)
        err = add_text(key, proxy->host);
    if (err == 0)
        err = add_text(key, proxy->user);
    return err == 0 ? add_text(key, proxy->password) : err;
}

/* All that makes connections differ: one that is kept must not serve what was to go another way, or
 * as somebody else. A tunnel belongs to whom the proxy has let in. */
static int make_key(const http_route_t *r, const http_login_t *proxy_login, hbytes_t *key)
{
    bool asks = r->tunnel && proxy_login->user;
    const char *texts[] = {r->to.host, r->to.path, r->tls_name, asks ? proxy_login->user : NULL,
                           asks ? proxy_login->password : NULL};
    int err = hbytes_printf(key, "%d%d%d%d:%u ", r->forward, r->tls, r->tunnel, asks, r->to.port);

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]) && err == 0; i++)
        err = add_text(key, texts[i]);
    for (size_t i = 0; i < r->proxy_count && err == 0; i++)
        err = add_proxy(key, &r->proxies[i]);
    return err;
}

static void origin_free(http_origin_t *origin)
{
    origin->client->origin_count--;
    hlist_remove(&origin->link);
    http_peer_free(origin->peer);
    hmem_free(origin);
}

static void make_room(http_client_t *client)
{
    hlist_t *node = client->origins.prev, *before;

    for (; node != &client->origins && client->origin_count >= HTTP_CLIENT_ORIGINS_MAX;
         node = before) {
        http_origin_t *origin = HLIST_ENTRY(node, http_origin_t, link);

        before = node->prev;
        if (origin->users == 0)
            origin_free(origin);
    }
}

static int make_peer(http_origin_t *origin, http_fault_e *fault, hbytes_t *error)
{
    http_client_t *client = origin->client;
    const http_client_options_t *o = &client->options;
    const http_route_t *r = &origin->route;
    http_peer_options_t peer = {
        .to = r->to,
        .dial = o->dial,
        .limits = o->limits,
        .fields_max = o->fields_max ? o->fields_max : 5000,
        .idle_max = o->idle_max,
        .idle_ms = o->idle_ms,
        .conns_max = o->conns_max,
        .response_ms = o->silence_ms ? o->silence_ms : HTTP_PEER_NO_LIMIT,
        .send_ms = o->silence_ms ? o->silence_ms : HTTP_PEER_NO_LIMIT,
        .no_reuse = o->no_reuse,
        .connections = &client->connections,
    };
    int err;

    peer.dial.proxies = r->proxies;
    peer.dial.proxy_count = r->proxy_count;
    peer.dial.addrs = r->addrs;
    peer.dial.addr_count = r->addr_count;
    peer.dial.tls_name = r->tls_name;
    peer.dial.attempt_cb = http_transfer__attempt; /* all exchanges of it are transfers' */
    peer.dial.trying_cb = http_transfer__attempt;
    peer.limits.any_coding = true;
    err = set_tls(client, r, &peer.dial, fault, error);
    if (err == 0) {
        *fault = HTTP_FAULT_MEMORY;
        err = http_peer_new(client->loop, &peer, &origin->peer);
    }
    return err;
}

static http_origin_t *find_origin(http_client_t *client, const hbytes_t *key)
{
    hlist_t *node, *next;

    HLIST_FOREACH (node, next, &client->origins) {
        http_origin_t *origin = HLIST_ENTRY(node, http_origin_t, link);

        if (origin->key_len == key->len && memcmp(origin->key, key->data, key->len) == 0)
            return origin;
    }
    return NULL;
}

/* One that is in no list yet. */
static int origin_new(http_client_t *client, const http_route_t *route, const hbytes_t *key,
                      http_origin_t **origin, http_fault_e *fault, hbytes_t *error)
{
    http_origin_t *o = hmem_zalloc(sizeof(*o) + key->len);
    int err;

    *fault = HTTP_FAULT_MEMORY;
    if (!o)
        return -ENOMEM;
    memcpy(o->key, key->data, key->len);
    o->key_len = key->len;
    o->client = client;
    o->route = *route;
    err = make_peer(o, fault, error);
    if (err < 0)
        hmem_free(o);
    else
        *origin = o;
    return err;
}

int http_client__origin(http_client_t *client, const http_route_t *route,
                        const http_login_t *proxy_login, http_origin_t **origin,
                        http_fault_e *fault, hbytes_t *error)
{
    hbytes_t key = {0};
    http_origin_t *o = NULL;
    int err = make_key(route, proxy_login, &key);

    *fault = HTTP_FAULT_MEMORY;
    if (err == 0)
        o = find_origin(client, &key);
    if (o) {
        hlist_remove(&o->link);
    } else if (err == 0) {
        make_room(client);
        err = origin_new(client, route, &key, &o, fault, error);
        client->origin_count += err == 0;
    }
    hbytes_deinit(&key);
    if (!o)
        return err;
    hlist_push_front(&client->origins, &o->link);
    o->users++;
    *origin = o;
    return 0;
}

void http_client__leave(http_origin_t *origin)
{
    if (origin)
        origin->users--;
}

/* ---- public ---------------------------------------------------------------------------------- */

static int copy_options(http_client_t *c, const http_client_options_t *options)
{
    c->options = *options;
    if (options->proxy) {
        c->proxy = *options->proxy;
        c->options.proxy = &c->proxy;
    }
    if (options->pre_proxy) {
        c->pre_proxy = *options->pre_proxy;
        c->options.pre_proxy = &c->pre_proxy;
    }
    c->no_proxy = options->no_proxy ? hmem_strdup(options->no_proxy) : NULL;
    c->unix_path = options->unix_path ? hmem_strdup(options->unix_path) : NULL;
    if ((options->no_proxy && !c->no_proxy) || (options->unix_path && !c->unix_path))
        return -ENOMEM;
    c->options.no_proxy = c->no_proxy;
    c->options.unix_path = c->unix_path;
    if (options->unix_path && strlen(options->unix_path) >= HENDPOINT_PATH_SIZE)
        return -ENAMETOOLONG;
    return 0;
}

int http_client_new(hloop_t *loop, const http_client_options_t *options, http_client_t **client)
{
    http_client_t *c = hmem_zalloc(sizeof(*c));
    int err;

    if (!c)
        return -ENOMEM;
    c->loop = loop;
    hlist_init(&c->origins);
    hlist_init(&c->transfers);
    err = copy_options(c, options);
    if (err < 0) {
        http_client_free(c);
        return err;
    }
    *client = c;
    return 0;
}

void http_client_free(http_client_t *client)
{
    hlist_t *node, *next;

    if (!client)
        return;
    client->closing = true;
    HLIST_FOREACH (node, next, &client->transfers)
        http_transfer__cancel(HLIST_ENTRY(node, http_transfer_t, link));
    while (!hlist_empty(&client->origins))
        origin_free(HLIST_ENTRY(client->origins.next, http_origin_t, link));
    htls_ctx_free(client->tls);
    htls_ctx_free(client->proxy_tls);
    hmem_free(client->no_proxy);
    hmem_free(client->unix_path);
    hmem_free(client);
}
