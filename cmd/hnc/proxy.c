#include "proxy.h"

#include "app/hsecret.h"
#include "base/hstr.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool proxy_find_type(const char *word, hproxy_type_e *type)
{
    static const struct {
        const char *word;
        hproxy_type_e type;
    } types[] = {
        {"4", HPROXY_SOCKS4},        {"4a", HPROXY_SOCKS4A},      {"5", HPROXY_SOCKS5H},
        {"connect", HPROXY_HTTP},    {"http", HPROXY_HTTP},       {"https", HPROXY_HTTPS},
        {"socks4", HPROXY_SOCKS4A},  {"socks4a", HPROXY_SOCKS4A}, {"socks5", HPROXY_SOCKS5H},
        {"socks5h", HPROXY_SOCKS5H},
    };

    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        if (hstr_ieq(word, types[i].word)) {
            *type = types[i].type;
            return true;
        }
    }
    hnc_say("unknown kind of proxy: \"%s\"; there are http, https, socks4, socks4a and socks5",
            word);
    return false;
}

static int add(proxy_chain_t *chain, const char *text, hproxy_type_e type)
{
    char why[256];

    if (chain->count == HPROXY_CHAIN_MAX) {
        hnc_say("more than %d proxies", HPROXY_CHAIN_MAX);
        return HNC_USAGE;
    }
    if (hproxy_parse(&chain->items[chain->count], text, type, why, sizeof(why)) != 0) {
        hnc_say("%s", why);
        return HNC_USAGE;
    }
    chain->count++;
    return 0;
}

int proxy_take_auth(hproxy_t *proxy, const char *auth)
{
    size_t len = strcspn(auth, ":");

    if (len >= sizeof(proxy->user) ||
        (auth[len] == ':' && strlen(auth + len + 1) >= sizeof(proxy->password))) {
        hnc_say("proxy user or password is longer than %zu bytes", sizeof(proxy->user) - 1);
        return HNC_USAGE;
    }
    memcpy(proxy->user, auth, len);
    proxy->user[len] = '\0';
    if (auth[len] == ':')
        hstr_copy(proxy->password, sizeof(proxy->password), auth + len + 1);
    return 0;
}

/* -P USER asks for the password on the terminal, as nc does. */
static int ask_password(hproxy_t *proxy, const char *user)
{
    char prompt[HPROXY_HOST_SIZE + HPROXY_SECRET_SIZE + 32];
    int err;

    if (proxy_take_auth(proxy, user) != 0)
        return HNC_USAGE;
    if (proxy->password[0] != '\0')
        return 0;
    snprintf(prompt, sizeof(prompt), "Proxy password for %s@%s: ", proxy->user, proxy->host);
    err = hsecret_read(prompt, proxy->password, sizeof(proxy->password));
    if (err < 0)
        hnc_say("proxy password: %s", herr_str(err));
    return err < 0 ? HNC_FAILED : 0;
}

/* Who we are to the last proxy that was named without a user of its own. */
static int authenticate(proxy_chain_t *chain, const options_t *o)
{
    hproxy_t *last = &chain->items[chain->count - 1];
    const char *auth = o->proxy_auth ? o->proxy_auth : getenv("NCAT_PROXY_AUTH");

    if (last->user[0] != '\0')
        return 0;
    if (o->proxy_user)
        return ask_password(last, o->proxy_user);
    return auth ? proxy_take_auth(last, auth) : 0;
}

static int add_named(proxy_chain_t *chain, const options_t *o)
{
    const hopt_list_t *lists[] = {&o->nc_proxies, &o->ncat_proxies};
    const hproxy_type_e fallbacks[] = {HPROXY_SOCKS5H, HPROXY_HTTP};
    hproxy_type_e type = HPROXY_HTTP;

    if (o->proxy_type)
        (void)proxy_find_type(o->proxy_type, &type); /* it was looked at before */
    for (size_t i = 0; i < 2; i++) {
        for (size_t n = 0; n < lists[i]->count; n++) {
            const char *text = lists[i]->items[n];

            if (strcmp(text, "none") != 0 &&
                add(chain, text, o->proxy_type ? type : fallbacks[i]) != 0)
                return HNC_USAGE;
        }
    }
    return 0;
}

static int add_from_environment(proxy_chain_t *chain, const char *host, uint16_t port)
{
    char why[256];
    int rc = hproxy_from_env(&chain->items[0], NULL, host, port, why, sizeof(why));

    if (rc < 0) {
        hnc_say("ALL_PROXY: %s", why);
        return HNC_FAILED;
    }
    chain->count = (size_t)rc;
    return 0;
}

int proxy_chain_make(proxy_chain_t *chain, const options_t *o, const char *host, uint16_t port)
{
    bool named = o->nc_proxies.count + o->ncat_proxies.count > 0;
    hproxy_type_e type;
    haddr_t number;
    int status;

    memset(chain, 0, sizeof(*chain));
    if (o->proxy_type && !proxy_find_type(o->proxy_type, &type)) /* as nc: without a proxy, too */
        return HNC_USAGE;
    if (o->unix_path || o->udp)
        return 0;
    status = named ? add_named(chain, o) : add_from_environment(chain, host, port);
    if (status != 0 || chain->count == 0)
        return status;
    if (o->proxy_dns == PROXY_DNS_NONE && haddr_parse(&number, host, 0) != 0) {
        hnc_say("--proxy-dns=none: not an address: \"%s\"", host);
        return HNC_USAGE;
    }
    return authenticate(chain, o);
}

bool proxy_takes_ipv4_only(const proxy_chain_t *chain)
{
    return chain->count > 0 && (chain->items[chain->count - 1].type == HPROXY_SOCKS4 ||
                                chain->items[chain->count - 1].type == HPROXY_SOCKS4A);
}
