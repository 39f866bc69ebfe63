#include "hproxy_server_int.h"

#include "../base/hstr.h"
#include "hrelay.h"

#include <string.h>

static int send_output(hproxy__session_t *s)
{
    const void *data;
    size_t len = socks_server_output(&s->socks, &data);
    int sent = len > 0 ? hio_write(s->pub.io, data, len) : 0;

    return sent < 0 ? sent : 0;
}

static void begin(hproxy__session_t *s)
{
    const hproxy_server_t *server = s->pub.server;
    int serve = server->options.serve, allowed = 0;

    if (serve & HPROXY_SERVE_SOCKS4)
        allowed |= SOCKS_SERVER_ALLOW_4;
    if (serve & HPROXY_SERVE_SOCKS5)
        allowed |= SOCKS_SERVER_ALLOW_5;
    if (serve & HPROXY_SERVE_UDP)
        allowed |= SOCKS_SERVER_ALLOW_UDP;
    socks_server_init(&s->socks, allowed, server->login != NULL);
}

static const char *protocol_name(socks_version_e version)
{
    switch (version) {
    case SOCKS_VERSION_4:
        return "socks4";
    case SOCKS_VERSION_4A:
        return "socks4a";
    case SOCKS_VERSION_5:
        return "socks5";
    }
    return "socks";
}

/* Takes what has come, up to a log-in or a request; false when it can no longer be told. */
static bool feed(hproxy__session_t *s, ssize_t *taken)
{
    do {
        *taken = socks_server_feed(&s->socks, s->in.data, s->in.len);
        if (*taken > 0)
            hbytes_consume(&s->in, (size_t)*taken);
        if (s->socks.version)
            s->pub.protocol = protocol_name(s->socks.version);
        if (send_output(s) < 0)
            return false;
    } while (*taken > 0 && s->in.len > 0 && socks_server_need(&s->socks) > 0);
    return true;
}

static void on_login(hproxy__session_t *s, hlogin_verdict_e verdict);

static void input(hproxy__session_t *s)
{
    ssize_t taken;

    if (s->pub.protocol[0] == '\0') {
        begin(s);
        s->pub.protocol = "socks";
    }
    if (!feed(s, &taken))
        return;
    if (s->socks.state == SOCKS_SERVER_FAILED)
        hproxy__end(s, taken < 0 ? (int)taken : -EACCES, socks_server_error(&s->socks));
    else if (s->socks.state == SOCKS_SERVER_LOGIN && s->socks.version == SOCKS_VERSION_5)
        hproxy__login(s, s->socks.user, s->socks.password);
    else if (s->socks.state == SOCKS_SERVER_LOGIN)
        on_login(s, HLOGIN_REFUSED); /* SOCKS4 has no password that could be right */
    else if (s->socks.state == SOCKS_SERVER_REQUEST && s->socks.command == SOCKS_COMMAND_CONNECT)
        hproxy__request(s, s->socks.host, s->socks.port, HTTP_SPAN("CONNECT"));
    else if (s->socks.state == SOCKS_SERVER_REQUEST)
        hproxy__associate(s, s->socks.host, s->socks.port);
}

static void on_login(hproxy__session_t *s, hlogin_verdict_e verdict)
{
    s->pub.stage = HPROXY_STAGE_LOGIN;
    socks_server_login(&s->socks, verdict == HLOGIN_GRANTED);
    explicit_bzero(s->socks.password, sizeof(s->socks.password));
    if (send_output(s) < 0)
        return;
    if (verdict == HLOGIN_GRANTED)
        input(s);
    else
        hproxy__end(s, verdict == HLOGIN_BUSY ? -EBUSY : -EACCES, socks_server_error(&s->socks));
}

static socks_reply_e reply_of(int err)
{
    switch (err) {
    case -EACCES:
    case -EPERM:
        return SOCKS_REPLY_NOT_ALLOWED;
    case -ENETUNREACH:
        return SOCKS_REPLY_NET_UNREACHABLE;
    case -EHOSTUNREACH:
    case HERR_RESOLVE:
    case HERR_SYNTAX: /* no such host can be */
        return SOCKS_REPLY_HOST_UNREACHABLE;
    case -ECONNREFUSED:
        return SOCKS_REPLY_REFUSED;
    case -ETIMEDOUT:
        return SOCKS_REPLY_TTL_EXPIRED;
    default:
        return SOCKS_REPLY_FAILURE;
    }
}

static void refuse(hproxy__session_t *s, int err, bool early)
{
    if (early || s->socks.state != SOCKS_SERVER_REQUEST)
        return;
    socks_server_reply(&s->socks, reply_of(err), NULL, 0);
    send_output(s);
}

static int join(hproxy__session_t *s, hio_t *upstream)
{
    const struct sockaddr *local = hio_localaddr(upstream);
    char ip[HADDR_FORMAT_SIZE] = "";
    int err;

    if (local && (local->sa_family == AF_INET || local->sa_family == AF_INET6))
        haddr_ip(local, ip, sizeof(ip));
    socks_server_reply(&s->socks, SOCKS_REPLY_GRANTED, ip[0] ? ip : NULL,
                       ip[0] ? (uint16_t)haddr_port(local) : 0);
    err = send_output(s);
    if (err == 0)
        err = hio_relay(s->pub.io, upstream);
    if (err == 0)
        hio_write_upstream(s->pub.io, s->in.data, (int)s->in.len);
    return err;
}

static int associated(hproxy__session_t *s, const haddr_t *bound)
{
    char ip[HADDR_FORMAT_SIZE];

    haddr_ip(&bound->u.sa, ip, sizeof(ip));
    socks_server_reply(&s->socks, SOCKS_REPLY_GRANTED, ip, (uint16_t)haddr_port(&bound->u.sa));
    return send_output(s);
}

const hproxy__dialect_t hproxy__socks = {input, on_login, refuse, join, associated};
