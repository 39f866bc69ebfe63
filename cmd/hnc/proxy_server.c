#include "proxy_server.h"

#include "base/hmem.h"
#include "net/hproxy_server.h"
#include "proxy.h"

#include <stdlib.h>

struct proxy_server_s {
    hnc_t *hnc;
    hproxy_server_t *server;
    size_t relays;
};

static void on_relay_closed(hio_t *io)
{
    proxy_server_t *proxy = hevent_userdata(io);

    if (hio_error(io) != -ECANCELED) /* else it is gone */
        proxy->relays--;
}

static void on_session(const hproxy_session_t *session, hio_t *upstream, int err, const char *text,
                       void *arg)
{
    proxy_server_t *proxy = arg;
    uint32_t idle_ms = proxy->hnc->options.idle_ms;

    if (err) {
        hnc_note(proxy->hnc, "%s", text);
        return;
    }
    if (proxy->hnc->options.verbose > 1)
        hnc_note(proxy->hnc, "%s", text);
    proxy->relays++;
    hevent_set_userdata(session->io, proxy);
    hio_setcb_close(session->io, on_relay_closed);
    if (idle_ms == HNC_NO_TIME)
        return;
    idle_ms = idle_ms == 0 ? 1 : idle_ms > INT32_MAX ? INT32_MAX : idle_ms;
    hio_set_keepalive_timeout(session->io, (int)idle_ms);
    hio_set_keepalive_timeout(upstream, (int)idle_ms);
}

/* What is spoken, and who may come. */
static int set_access(hproxy_server_options_t *server, hproxy_t *auth, const options_t *o)
{
    static const int kinds[] = {
        [HPROXY_HTTP] = HPROXY_SERVE_HTTP,     [HPROXY_HTTPS] = HPROXY_SERVE_HTTP,
        [HPROXY_SOCKS4] = HPROXY_SERVE_SOCKS4, [HPROXY_SOCKS4A] = HPROXY_SERVE_SOCKS4,
        [HPROXY_SOCKS5] = HPROXY_SERVE_SOCKS5, [HPROXY_SOCKS5H] = HPROXY_SERVE_SOCKS5,
    };
    const char *text = o->proxy_auth ? o->proxy_auth : getenv("NCAT_PROXY_AUTH");
    hproxy_type_e type;

    if (!proxy_find_type(o->proxy_type, &type))
        return HNC_USAGE;
    server->serve = kinds[type];
    if (!text)
        return 0;
    if (server->serve == HPROXY_SERVE_SOCKS4) {
        hnc_say("SOCKS4 has no passwords: cannot use --proxy-auth with it and -l");
        return HNC_USAGE;
    }
    if (proxy_take_auth(auth, text) != 0)
        return HNC_USAGE;
    server->user = auth->user;
    server->password = auth->password;
    return 0;
}

int proxy_server_new(hnc_t *hnc, proxy_server_t **out)
{
    const options_t *o = &hnc->options;
    proxy_server_t *proxy = hmem_zalloc(sizeof(*proxy));
    hproxy_server_options_t server = {.session = on_session, .arg = proxy};
    hproxy_t auth = {0};
    int status = set_access(&server, &auth, o);
    int err = -ENOMEM;

    server.dial.family = o->family;
    server.dial.numeric = o->numeric;
    if (status == 0 && proxy)
        err = hproxy_server_new(hnc->loop, &server, &proxy->server);
    if (status == 0 && err) {
        hnc_say("proxy: %s", herr_str(err));
        status = HNC_FAILED;
    }
    if (status != 0) {
        hmem_free(proxy);
        return status;
    }
    proxy->hnc = hnc;
    *out = proxy;
    return 0;
}

void proxy_server_add(proxy_server_t *proxy, hio_t *io)
{
    int err = hproxy_server_accept(proxy->server, io);

    if (err) {
        hnc_note(proxy->hnc, "New connection denied: %s", herr_str(err));
        hio_abort(io, err);
    }
}

size_t proxy_server_count(const proxy_server_t *proxy)
{
    return proxy->relays + hproxy_server_pending(proxy->server);
}

void proxy_server_free(proxy_server_t *proxy)
{
    if (!proxy)
        return;
    hproxy_server_free(proxy->server);
    hmem_free(proxy);
}
