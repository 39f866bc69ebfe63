#include "hproxy_server_int.h"

#include "../base/hmem.h"
#include "../base/hstr.h"
#include "hdigest.h"
#include "hrelay.h"

#include <stdio.h>
#include <string.h>

#define SOCKS4_FIRST_BYTE 4
#define SOCKS5_FIRST_BYTE 5
#define IN_MAX (2 * (size_t)HTTP_HEAD_MAX) /* a head, and a read behind it */
#define DEFAULT_REALM "hnet"

static void free_session(hproxy__session_t *s)
{
    hlist_remove(&s->node);
    s->pub.server->count--;
    htimer_del(s->timer);
    hdial_cancel(s->dial);
    hbytes_deinit(&s->in);
    hmem_free(s);
}

/* The hio's callbacks are the program's again. */
static void let_go(hio_t *io)
{
    hio_setcb_read(io, NULL);
    hio_setcb_close(io, NULL);
    hio_set_context(io, NULL);
}

/* "socks5 CONNECT from 127.0.0.1:4711 to example.com:80: why", as far as it is known. */
static void say(hproxy__session_t *s, const char *why)
{
    char to[HENDPOINT_FORMAT_SIZE];
    const hproxy_session_t *p = &s->pub;

    if (s->method[0])
        snprintf(s->text, sizeof(s->text), "%s %s from %s to %s: %s", p->protocol, s->method,
                 s->peer, hendpoint_format(&p->to, to, sizeof(to)), why);
    else
        snprintf(s->text, sizeof(s->text), "%s client %s: %s", *p->protocol ? p->protocol : "proxy",
                 s->peer, why);
}

/* hio_close lingers, so that the answer arrives. */
void hproxy__end(hproxy__session_t *s, int err, const char *why)
{
    s->err = err;
    say(s, why);
    s->state = HPROXY_ENDED;
    hdial_cancel(s->dial);
    s->dial = NULL;
    htimer_del(s->timer);
    s->timer = NULL;
    hio_close(s->pub.io);
}

void hproxy__refuse(hproxy__session_t *s, int err, const char *why)
{
    if (s->dialect)
        s->dialect->refuse(s, err, s->state == HPROXY_NEGOTIATE && !s->method[0]);
    hproxy__end(s, err, why);
}

static void on_timeout(htimer_t *timer)
{
    hproxy__session_t *s = hevent_userdata(timer);

    s->timer = NULL;
    hproxy__refuse(s, -ETIMEDOUT, "no request within the time limit");
}

static void on_close(hio_t *io)
{
    hproxy__session_t *s = hio_context(io);
    hproxy_server_t *server = s->pub.server;

    if (s->state != HPROXY_ENDED) {
        s->err = hio_error(io) ? hio_error(io) : HERR_TRUNCATED;
        say(s, hio_error(io) ? herr_str(s->err) : "the client has gone");
    }
    hio_set_context(io, NULL);
    hio_setcb_close(io, NULL);
    if (server->options.session)
        server->options.session(&s->pub, NULL, s->err, s->text, server->options.arg);
    free_session(s);
}

/* ---- the request ----------------------------------------------------------------------------- */

/* By the first byte; SOCKS alone has its own words for what it does not know. */
static const hproxy__dialect_t *find_dialect(const hproxy_server_t *server, uint8_t first)
{
    int serve = server->options.serve;

    if ((first == SOCKS4_FIRST_BYTE && serve & HPROXY_SERVE_SOCKS4) ||
        (first == SOCKS5_FIRST_BYTE && serve & HPROXY_SERVE_SOCKS5))
        return &hproxy__socks;
    return serve & HPROXY_SERVE_HTTP ? &hproxy__http : &hproxy__socks;
}

static void on_read(hio_t *io, void *buf, int len)
{
    hproxy__session_t *s = hio_context(io);

    if (hbytes_append(&s->in, buf, (size_t)len) < 0) {
        hproxy__refuse(s, -ENOMEM, herr_str(-ENOMEM));
        return;
    }
    if (s->state != HPROXY_NEGOTIATE)
        return;
    if (!s->dialect)
        s->dialect = find_dialect(s->pub.server, (uint8_t)s->in.data[0]);
    s->dialect->input(s);
}

/* Both are joined: the session is over. */
static void start_relay(hproxy__session_t *s, hio_t *upstream)
{
    hproxy_server_t *server = s->pub.server;

    say(s, "connected");
    if (server->options.session)
        server->options.session(&s->pub, upstream, 0, s->text, server->options.arg);
    free_session(s);
}

static void on_dialed(hdial_t *dial, hio_t *io, int err, void *arg)
{
    hproxy__session_t *s = arg;
    hio_t *client = s->pub.io;

    s->dial = NULL;
    if (err < 0) {
        hproxy__refuse(s, err, hdial_error(dial));
        return;
    }
    let_go(client);
    err = s->dialect->join(s, io);
    if (err == 0) {
        start_relay(s, io);
        return;
    }
    /* There is no memory for the relay: it ends as it would have ended then. */
    hio_set_context(client, s);
    hio_setcb_close(client, on_close);
    hio_abort(io, err);
    hproxy__end(s, err, herr_str(err));
}

static int ask_policy(hproxy__session_t *s)
{
    const hproxy_server_options_t *options = &s->pub.server->options;

    return options->policy ? options->policy(&s->pub, options->arg) : 0;
}

static int dial(hproxy__session_t *s)
{
    hproxy_server_t *server = s->pub.server;
    hdial_options_t options = server->options.dial;
    int err = 0;

    if (!options.dns && !server->dns)
        err = hdns_new(server->loop, NULL, &server->dns);
    if (!options.dns)
        options.dns = server->dns;
    return err < 0 ? err : hdial_start(server->loop, &s->pub.to, &options, on_dialed, s, &s->dial);
}

void hproxy__request(hproxy__session_t *s, const char *host, uint16_t port, http_span_t method)
{
    size_t len = method.len < sizeof(s->method) ? method.len : sizeof(s->method) - 1;
    int err;

    hio_read_stop(s->pub.io);
    htimer_del(s->timer);
    s->timer = NULL;
    s->state = HPROXY_DIAL;
    memcpy(s->method, method.data, len);
    s->method[len] = '\0';
    err = hendpoint_set(&s->pub.to, HENDPOINT_TCP, host, port);
    if (err < 0 || port == 0) {
        hproxy__refuse(s, err < 0 ? err : HERR_RANGE, "impossible address");
        return;
    }
    err = ask_policy(s);
    if (err < 0) {
        hproxy__refuse(s, err, err == -EACCES ? "forbidden" : herr_str(err));
        return;
    }
    err = dial(s);
    if (err < 0)
        hproxy__refuse(s, err, herr_str(err));
}

/* ---- public ---------------------------------------------------------------------------------- */

static int copy_options(hproxy_server_t *server, const hproxy_server_options_t *options)
{
    hproxy_server_options_t *own = &server->options;
    const char *password = options->password ? options->password : "";

    *own = *options;
    if (own->serve == 0)
        own->serve = HPROXY_SERVE_ALL;
    if (own->timeout_ms == 0)
        own->timeout_ms = HPROXY_SERVER_TIMEOUT_MS;
    if (!options->user)
        return 0;
    if (strchr(options->user, ':') || strlen(options->user) >= HPROXY_SERVER_USER_SIZE ||
        strlen(password) >= HPROXY_SERVER_USER_SIZE)
        return -EINVAL;
    server->user = hmem_strdup(options->user);
    server->password = hmem_strdup(password);
    server->realm = hmem_strdup(options->realm ? options->realm : DEFAULT_REALM);
    if (!server->user || !server->password || !server->realm)
        return -ENOMEM;
    if (strlen(server->realm) >= HTTP_AUTH_TEXT_SIZE)
        return -EINVAL;
    return hdigest_cnonce(server->secret);
}

int hproxy_server_new(hloop_t *loop, const hproxy_server_options_t *options,
                      hproxy_server_t **server)
{
    hproxy_server_t *made = hmem_zalloc(sizeof(*made));
    int err;

    *server = NULL;
    if (!made)
        return -ENOMEM;
    made->loop = loop;
    hlist_init(&made->sessions);
    err = copy_options(made, options);
    if (err < 0) {
        hproxy_server_free(made);
        return err;
    }
    *server = made;
    return 0;
}

int hproxy_server_accept(hproxy_server_t *server, hio_t *io)
{
    int timeout_ms = server->options.timeout_ms;
    hproxy__session_t *s;

    if (server->count >= HPROXY_SERVER_CLIENTS_MAX)
        return -EMFILE;
    s = hmem_zalloc(sizeof(*s));
    if (!s)
        return -ENOMEM;
    s->pub = (hproxy_session_t){server, io, "", s->user, s->method, {0}};
    hbytes_init(&s->in, IN_MAX);
    hlist_push_back(&server->sessions, &s->node);
    server->count++;
    if (timeout_ms > 0)
        s->timer = htimer_add(server->loop, on_timeout, (uint32_t)timeout_ms, 1);
    if (s->timer)
        hevent_set_userdata(s->timer, s);
    if ((timeout_ms > 0 && !s->timer) || hio_set_context(io, s) < 0) {
        free_session(s);
        return -ENOMEM;
    }
    if (hio_read(io) < 0) {
        hio_set_context(io, NULL);
        free_session(s);
        return HERR_CLOSED;
    }
    if (hio_peeraddr(io))
        haddr_format(hio_peeraddr(io), hio_peeraddr_len(io), s->peer, sizeof(s->peer));
    hio_setcb_read(io, on_read);
    hio_setcb_close(io, on_close);
    return 0;
}

void hproxy_server_free(hproxy_server_t *server)
{
    if (!server)
        return;
    while (!hlist_empty(&server->sessions)) {
        hproxy__session_t *s = HLIST_ENTRY(server->sessions.next, hproxy__session_t, node);

        let_go(s->pub.io);
        hio_abort(s->pub.io, -ECANCELED);
        free_session(s);
    }
    hdns_free(server->dns);
    hmem_free(server->user);
    hmem_free(server->password);
    hmem_free(server->realm);
    hmem_free(server);
}

size_t hproxy_server_pending(const hproxy_server_t *server)
{
    return server->count;
}
