#include "hproxy_server_int.h"

#include "../base/hmem.h"
#include "../base/hstr.h"
#include "../event/hio_ops.h"
#include "hdigest.h"
#include "hhost.h"
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
    hlogin_cancel(s->job);
    hdial_cancel(s->dial);
    hproxy__udp_free(s->udp);
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
    hproxy_session_t *p = &s->pub;
    int len;

    if (s->method[0])
        len = snprintf(s->text, sizeof(s->text), "%s %s from %s to %s: ", p->protocol, s->method,
                       s->peer, hendpoint_format(&p->to, to, sizeof(to)));
    else
        len = snprintf(s->text, sizeof(s->text),
                       "%s client %s: ", *p->protocol ? p->protocol : "proxy", s->peer);
    p->why = s->text + len; /* there is room for all of that */
    hstr_copy(s->text + len, sizeof(s->text) - (size_t)len, why);
}

/* hio_close lingers, so that the answer arrives. */
void hproxy__end(hproxy__session_t *s, int err, const char *why)
{
    s->err = err;
    say(s, why);
    s->state = HPROXY_ENDED;
    hlogin_cancel(s->job);
    s->job = NULL;
    hdial_cancel(s->dial);
    s->dial = NULL;
    hproxy__udp_free(s->udp);
    s->udp = NULL;
    htimer_del(s->timer);
    s->timer = NULL;
    hio_close(s->pub.io);
}

void hproxy__refuse(hproxy__session_t *s, int err, const char *why)
{
    if (s->dialect)
        s->dialect->refuse(s, err, s->state <= HPROXY_LOGIN && !s->method[0]);
    hproxy__end(s, err, why);
}

static void on_timeout(htimer_t *timer)
{
    hproxy__session_t *s = hevent_userdata(timer);

    s->timer = NULL;
    hproxy__refuse(s, -ETIMEDOUT, "no request within the time limit");
}

/* A client that was asked for a password may leave by a reset, as what it had sent was not read. */
static void say_gone(hproxy__session_t *s, int err)
{
    bool login = s->pub.stage == HPROXY_STAGE_LOGIN;
    char why[128];

    if (login && err)
        snprintf(why, sizeof(why), "the client has gone without logging in: %s", herr_str(err));
    else if (login)
        hstr_copy(why, sizeof(why), "the client has gone without logging in");
    else
        hstr_copy(why, sizeof(why), err ? herr_str(err) : "the client has gone");
    say(s, why);
}

static void on_close(hio_t *io)
{
    hproxy__session_t *s = hio_context(io);
    hproxy_server_t *server = s->pub.server;

    s->pub.has_left |= s->state != HPROXY_ENDED;
    if (s->state == HPROXY_UDP) {
        s->err = hio_error(io);
        say(s, s->err ? herr_str(s->err) : "done");
    } else if (s->state != HPROXY_ENDED) {
        s->err = hio_error(io) ? hio_error(io) : HERR_TRUNCATED;
        say_gone(s, hio_error(io));
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

    if (s->state == HPROXY_UDP)
        return; /* it has nothing to say there */
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

static void on_login(hlogin_verdict_e verdict, void *arg)
{
    hproxy__session_t *s = arg;

    s->job = NULL;
    s->state = HPROXY_NEGOTIATE;
    hio_read(s->pub.io);
    if (verdict != HLOGIN_GRANTED)
        s->user[0] = '\0';
    s->dialect->login(s, verdict);
}

void hproxy__login(hproxy__session_t *s, const char *user, const char *password)
{
    hlogin_verdict_e verdict;

    hstr_copy(s->user, sizeof(s->user), user);
    s->pub.stage = HPROXY_STAGE_LOGIN;
    verdict = hlogin_check(s->pub.server->login, user, password, on_login, s, &s->job);
    if (verdict != HLOGIN_LATER) {
        on_login(verdict, s);
        return;
    }
    s->state = HPROXY_LOGIN;
    hio_read_stop(s->pub.io);
    hio_watch_hangup(s->pub.io);
}

/* Both are joined: the session is over. */
static void start_relay(hproxy__session_t *s, hio_t *upstream)
{
    hproxy_server_t *server = s->pub.server;

    s->pub.stage = HPROXY_STAGE_RELAY;
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
        if (err == -EACCES && s->refused_address)
            s->pub.stage = HPROXY_STAGE_RULES;
        hproxy__refuse(s, err, hdial_error(dial));
        return;
    }
    let_go(client);
    err = s->dialect->join(s, io);
    if (err == 0) {
        start_relay(s, io);
        return;
    }
    /* The client has gone, or there is no memory: it ends as it would have ended then. */
    s->pub.has_left = err != -ENOMEM;
    if (s->pub.has_left && hio_error(client))
        err = hio_error(client);
    hio_set_context(client, s);
    hio_setcb_close(client, on_close);
    hio_abort(io, err);
    hproxy__end(s, err, err == HERR_CLOSED ? "the client has gone" : herr_str(err));
}

/* A request for the proxy itself would come back to it, again and again. */
static bool is_itself(const hproxy__session_t *s, const haddr_t *addr)
{
    const struct sockaddr *sa = hio_localaddr(s->pub.io);
    haddr_t own, to = *addr;

    if (!sa || haddr_set(&own, sa, haddr_len(sa)) != 0)
        return false;
    haddr_unmap(&own);
    haddr_unmap(&to);
    if (haddr_is_any(&to.u.sa))
        haddr_loopback(&to, to.u.sa.sa_family, (uint16_t)haddr_port(&addr->u.sa));
    return haddr_equal(&to.u.sa, &own.u.sa);
}

bool hproxy__may_go(const hproxy__session_t *s, const char *host, const haddr_t *addr)
{
    const hdestination_t *list = s->pub.server->options.destinations;
    const struct sockaddr *client = s->pub.client.len > 0 ? &s->pub.client.u.sa : NULL;

    return !list || hdestination_check_addr(list, host, &addr->u.sa, client);
}

static bool on_addr(hdial_t *dial, const haddr_t *addr, void *arg)
{
    hproxy__session_t *s = arg;
    bool may_go = hproxy__may_go(s, s->pub.to.host, addr) && !is_itself(s, addr);

    (void)dial;
    s->refused_address |= !may_go;
    return may_go;
}

static int ask_policy(hproxy__session_t *s)
{
    const hproxy_server_options_t *o = &s->pub.server->options;
    int err = o->policy ? o->policy(&s->pub, o->arg) : 0;
    hdestination_e verdict;

    if (err < 0 || s->state == HPROXY_UDP)
        return err;
    verdict = hdestination_check_host(o->destinations, s->pub.to.host, s->pub.to.port);
    if (verdict == HDESTINATION_DENIED)
        return -EACCES;
    return verdict == HDESTINATION_DEPENDS && o->dial.proxy_count > 0 ? -EACCES : 0;
}

int hproxy__need_dns(hproxy_server_t *server, hdns_t **dns)
{
    int err = 0;

    if (!server->options.dial.dns && !server->dns)
        err = hdns_new(server->loop, NULL, &server->dns);
    *dns = server->options.dial.dns ? server->options.dial.dns : server->dns;
    return err;
}

static int dial(hproxy__session_t *s)
{
    hproxy_server_t *server = s->pub.server;
    hdial_options_t options = server->options.dial;
    int err = hproxy__need_dns(server, &options.dns);

    options.addr_cb = on_addr;
    return err < 0 ? err : hdial_start(server->loop, &s->pub.to, &options, on_dialed, s, &s->dial);
}

/* Who is known by another name is not asked: what the rules see is what is dialled. */
static int set_target(hproxy__session_t *s, const char *host, uint16_t port, http_span_t method)
{
    size_t len = method.len < sizeof(s->method) ? method.len : sizeof(s->method) - 1;
    char plain[HHOST_SIZE] = "";
    int err, plain_err = hhost_plain(host, plain);

    memcpy(s->method, method.data, len);
    s->method[len] = '\0';
    err = hendpoint_set(&s->pub.to, HENDPOINT_TCP, plain_err == 0 ? plain : host, port);
    return err < 0 ? err : plain_err;
}

static void stop_hearing(hproxy__session_t *s)
{
    hio_read_stop(s->pub.io);
    hio_watch_hangup(s->pub.io);
    htimer_del(s->timer);
    s->timer = NULL;
}

void hproxy__request(hproxy__session_t *s, const char *host, uint16_t port, http_span_t method)
{
    int err = set_target(s, host, port, method);

    stop_hearing(s);
    s->state = HPROXY_DIAL;
    if (err < 0 || port == 0) {
        hproxy__refuse(s, err < 0 ? err : HERR_RANGE, "impossible address");
        return;
    }
    s->pub.stage = HPROXY_STAGE_RULES;
    err = ask_policy(s);
    if (err < 0) {
        hproxy__refuse(s, err, err == -EACCES ? "forbidden" : herr_str(err));
        return;
    }
    s->pub.stage = HPROXY_STAGE_DIAL;
    err = dial(s);
    if (err < 0)
        hproxy__refuse(s, err, herr_str(err));
}

/* The connection lives as long as the association, and says no more. */
void hproxy__associate(hproxy__session_t *s, const char *host, uint16_t port)
{
    haddr_t bound;
    int err = set_target(s, host, port, HTTP_SPAN("UDP ASSOCIATE"));

    htimer_del(s->timer);
    s->timer = NULL;
    s->state = HPROXY_UDP;
    s->pub.stage = HPROXY_STAGE_RULES;
    if (err == 0)
        err = ask_policy(s);
    if (err == 0) {
        s->pub.stage = HPROXY_STAGE_RELAY;
        err = hproxy__udp_start(s, &bound);
    }
    if (err == 0)
        err = s->dialect->associated(s, &bound);
    if (err < 0)
        hproxy__refuse(s, err, err == -EACCES ? "forbidden" : herr_str(err));
}

/* ---- public ---------------------------------------------------------------------------------- */

static int add_own_user(hproxy_server_t *server, const char *user, const char *password)
{
    int err;

    if (strchr(user, ':') || strlen(user) >= HPROXY_SERVER_USER_SIZE ||
        strlen(password) >= HPROXY_SERVER_USER_SIZE)
        return -EINVAL;
    err = husers_new(&server->own_users);
    if (!err)
        err = husers_add(server->own_users, user, password, NULL);
    server->options.users = server->own_users;
    return err == HERR_SYNTAX ? -EINVAL : err; /* an empty name */
}

static int set_login(hproxy_server_t *server, const hproxy_server_options_t *options)
{
    hproxy_server_options_t *own = &server->options;
    int err = 0;

    if (!own->users && options->user)
        err = add_own_user(server, options->user, options->password ? options->password : "");
    if (err || !own->users)
        return err;
    if (own->no_basic && husers_has_hashes(own->users))
        return -EINVAL;
    server->realm = hmem_strdup(options->realm ? options->realm : DEFAULT_REALM);
    if (!server->realm)
        return -ENOMEM;
    if (strlen(server->realm) >= HTTP_AUTH_TEXT_SIZE)
        return -EINVAL;
    err = hlogin_new(server->loop, own->users, &server->login);
    return err ? err : hdigest_cnonce(server->secret);
}

static int copy_options(hproxy_server_t *server, const hproxy_server_options_t *options)
{
    hproxy_server_options_t *own = &server->options;

    *own = *options;
    if (own->serve == 0)
        own->serve = HPROXY_SERVE_ALL;
    if (own->timeout_ms == 0)
        own->timeout_ms = HPROXY_SERVER_TIMEOUT_MS;
    if (own->udp_idle_ms == 0)
        own->udp_idle_ms = HPROXY_UDP_IDLE_MS;
    if (own->dial.proxy_count > 0)
        own->serve &= ~HPROXY_SERVE_UDP;
    return set_login(server, options);
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

static void set_client(hproxy__session_t *s, const haddr_t *client)
{
    const struct sockaddr *sa = hio_peeraddr(s->pub.io);

    if (client)
        s->pub.client = *client;
    else if (sa)
        (void)haddr_set(&s->pub.client, sa, haddr_len(sa));
    if (s->pub.client.len > 0)
        haddr_format(&s->pub.client.u.sa, s->pub.client.len, s->peer, sizeof(s->peer));
    haddr_unmap(&s->pub.client);
    if (s->pub.client.u.sa.sa_family != AF_INET && s->pub.client.u.sa.sa_family != AF_INET6)
        s->pub.client = (haddr_t){.len = 0};
}

int hproxy_server_accept(hproxy_server_t *server, hio_t *io)
{
    return hproxy_server_accept_from(server, io, NULL);
}

int hproxy_server_accept_from(hproxy_server_t *server, hio_t *io, const haddr_t *client)
{
    int timeout_ms = server->options.timeout_ms;
    hproxy__session_t *s;

    if (server->count >= HPROXY_SERVER_CLIENTS_MAX)
        return -EMFILE;
    s = hmem_zalloc(sizeof(*s));
    if (!s)
        return -ENOMEM;
    s->pub = (hproxy_session_t){.server = server,
                                .io = io,
                                .protocol = "",
                                .user = s->user,
                                .method = s->method,
                                .why = ""};
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
    set_client(s, client);
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
    hlogin_free(server->login);
    husers_free(server->own_users);
    hdns_free(server->dns);
    hmem_free(server->realm);
    hmem_free(server);
}

size_t hproxy_server_pending(const hproxy_server_t *server)
{
    return server->count;
}
