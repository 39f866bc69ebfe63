#include "hproxy_server_int.h"

#include "../base/hmem.h"
#include "../base/htime.h"
#include "../codec/http_rest.h"
#include "hdigest.h"
#include "hrelay.h"

#include <stdio.h>
#include <string.h>

#define ANSWER_SIZE 4096
#define METHODS "CONNECT, DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT"
#define FIELD_NAME "Proxy-Authenticate: "

static void answer(hproxy__session_t *s, int status, bool keep, const char *extra)
{
    char buf[ANSWER_SIZE];
    ssize_t len =
        http_answer_compose(status, keep, extra, http_status_text(status), buf, sizeof(buf));

    if (len > 0)
        hio_write(s->pub.io, buf, (size_t)len);
}

static void refuse_status(hproxy__session_t *s, int status, int err)
{
    answer(s, status, false, NULL);
    hproxy__end(s, err, http_status_text(status));
}

/* ---- log-in ---------------------------------------------------------------------------------- */

static uint64_t now_s(void)
{
    return htime_monotonic_ns() / 1000000000U;
}

/* One field line for a challenge; it is left out where it cannot be made. */
static size_t put_challenge(char *buf, size_t size, const http_challenge_t *challenge)
{
    size_t name = sizeof(FIELD_NAME) - 1;
    ssize_t len;

    if (size < name + 3)
        return 0;
    len = http_challenge_compose(challenge, buf + name, size - name - 2);
    if (len < 0)
        return 0;
    memcpy(buf, FIELD_NAME, name);
    memcpy(buf + name + len, "\r\n", 3);
    return name + (size_t)len + 2;
}

/* Clients take the first that they know (RFC 7616 section 3.7), so the strongest comes first. But
 * ncat takes the first Digest and gives up when it is not MD5: where Basic is good enough, MD5 is,
 * too. Without OpenSSL there is Basic alone. */
static void challenge(hproxy__session_t *s, bool keep, bool stale)
{
    const hproxy_server_t *server = s->pub.server;
    const http_auth_hasher_t hasher = hdigest_hasher();
    http_challenge_t c = {.scheme = HTTP_AUTH_DIGEST, .stale = stale, .qop = true};
    char fields[ANSWER_SIZE / 2] = "";
    size_t len = 0;

    memcpy(c.realm, server->realm, strlen(server->realm) + 1);
    if (!husers_has_hashes(server->options.users) &&
        http_auth_nonce(http_span(server->secret), now_s(), &hasher, c.nonce, sizeof(c.nonce)) >
            0) {
        c.hash = server->options.no_basic ? HTTP_AUTH_SHA256 : HTTP_AUTH_MD5;
        len += put_challenge(fields, sizeof(fields), &c);
        c.hash = server->options.no_basic ? HTTP_AUTH_MD5 : HTTP_AUTH_SHA256;
        len += put_challenge(fields + len, sizeof(fields) - len, &c);
    }
    c.scheme = HTTP_AUTH_BASIC;
    if (!server->options.no_basic)
        put_challenge(fields + len, sizeof(fields) - len, &c);
    answer(s, 407, keep, fields);
}

/* http_auth_verdict_e, or an error. Whoever is not there has a password that nobody knows. */
static int check_digest(hproxy__session_t *s, const http_request_t *request,
                        const http_credentials_t *credentials)
{
    const hproxy_server_t *server = s->pub.server;
    const husers_user_t *user = husers_find(server->options.users, credentials->user);
    const http_auth_server_t auth = {hdigest_hasher(), http_span(server->secret), server->realm,
                                     false};
    const http_auth_t right = {.user = credentials->user,
                               .password = user ? user->secret : server->secret,
                               .method = request->method,
                               .uri = request->target};
    int verdict = http_auth_verify(&auth, credentials, &right, now_s());

    return user && user->kind == HUSERS_PLAIN ? verdict : HTTP_AUTH_REFUSED;
}

/* RFC 9110 section 7.6.2. Nothing is reflected: that would show what browsers hide. */
static void answer_as_the_last(hproxy__session_t *s, const http_request_t *request)
{
    static const char can[] = "Allow: " METHODS "\r\n";
    static const char options[] = "HTTP/1.1 204 No Content\r\n"
                                  "Allow: " METHODS "\r\n"
                                  "Connection: close\r\n"
                                  "\r\n";

    if (http_span_ieq(request->method, "OPTIONS"))
        hio_write(s->pub.io, options, sizeof(options) - 1);
    else
        answer(s, 405, false, can);
    hproxy__end(s, HERR_UNSUPPORTED, "answered by the proxy: Max-Forwards is 0");
}

static void proceed(hproxy__session_t *s, const http_request_t *request)
{
    if (request->forwards == 0) {
        answer_as_the_last(s, request);
        return;
    }
    hproxy__request(s, request->host, request->port, request->method);
}

static void input(hproxy__session_t *s);

/* The client may try again on this connection, unless a body stands in the way or it has tried
 * often enough. */
static void ask_again(hproxy__session_t *s, const http_request_t *request, bool stale)
{
    bool keep = request->minor > 0 || http_field_has(request->fields, "Connection", "keep-alive") ||
                http_field_has(request->fields, "Proxy-Connection", "keep-alive");

    keep = keep && request->body_length == 0 && !request->chunked &&
           ++s->tries < HPROXY_SERVER_TRIES_MAX &&
           !http_field_has(request->fields, "Connection", "close");
    challenge(s, keep, stale);
    if (!keep) {
        hproxy__end(s, -EACCES, "user or password not accepted");
        return;
    }
    hbytes_consume(&s->in, s->head_len);
    s->head_len = 0;
    s->scan = (http_scan_t){0};
    if (s->in.len > 0)
        input(s);
}

static void on_login(hproxy__session_t *s, hlogin_verdict_e verdict)
{
    http_request_t request;

    if (http_request_parse(&request, s->in.data, s->head_len) != 0)
        refuse_status(s, 400, HERR_PROTOCOL);
    else if (verdict == HLOGIN_GRANTED)
        proceed(s, &request);
    else if (verdict == HLOGIN_BUSY)
        refuse_status(s, 503, -EBUSY);
    else
        ask_again(s, &request, false);
}

static void log_in(hproxy__session_t *s, const http_request_t *request)
{
    http_credentials_t credentials;
    http_span_t value;
    int verdict;

    s->pub.stage = HPROXY_STAGE_LOGIN;
    if (!http_field_find(request->fields, "Proxy-Authorization", &value) ||
        http_credentials_parse(&credentials, value) < 0) {
        ask_again(s, request, false);
        return;
    }
    if (credentials.scheme == HTTP_AUTH_BASIC && !s->pub.server->options.no_basic) {
        hproxy__login(s, credentials.user, credentials.password);
        explicit_bzero(&credentials, sizeof(credentials));
        return;
    }
    verdict = credentials.scheme == HTTP_AUTH_DIGEST ? check_digest(s, request, &credentials)
                                                     : HTTP_AUTH_REFUSED;
    if (verdict == HTTP_AUTH_ACCEPTED) {
        memcpy(s->user, credentials.user, sizeof(s->user));
        proceed(s, request);
    } else {
        ask_again(s, request, verdict == HTTP_AUTH_STALE);
    }
}

/* ---- the dialect ----------------------------------------------------------------------------- */

/* How much of the body is here, and what is still to come; HERR_PROTOCOL. */
static ssize_t take_body(const hproxy__session_t *s, const http_request_t *request,
                         http_rest_t *rest)
{
    *rest = request->chunked ? http_rest_chunks() : http_rest_length(request->body_length);
    return http_rest_take(rest, s->in.data + s->head_len, s->in.len - s->head_len);
}

/* 414: it is the first line that is too long, that is the URL. */
static int head_status(const hproxy__session_t *s, int err)
{
    size_t len = s->in.len < HTTP_LINE_MAX ? s->in.len : HTTP_LINE_MAX;

    if (err != HERR_FRAME_SIZE)
        return 400;
    return memchr(s->in.data, '\n', len) ? 431 : 414;
}

static void input(hproxy__session_t *s)
{
    ssize_t end = http_head_end(&s->scan, s->in.data, s->in.len);
    http_request_t request;
    http_rest_t rest;
    int status;

    s->pub.protocol = "http";
    if (end == 0)
        return;
    if (end < 0) {
        refuse_status(s, head_status(s, (int)end), (int)end);
        return;
    }
    s->head_len = (size_t)end;
    status = http_request_parse(&request, s->in.data, s->head_len);
    if (status == 0 && request.body_length > HTTP_REST_LENGTH_MAX)
        status = 413;
    if (status == 0 && !request.connect && take_body(s, &request, &rest) < 0)
        status = 400;
    if (status != 0)
        refuse_status(s, status, HERR_PROTOCOL);
    else if (s->pub.server->login)
        log_in(s, &request);
    else
        proceed(s, &request);
}

static int status_of(int err, bool early)
{
    switch (err) {
    case HERR_SYNTAX:
    case HERR_RANGE:
        return 400;
    case -EACCES:
    case -EPERM:
        return 403;
    case -ETIMEDOUT:
        return early ? 408 : 504;
    case -ENOMEM:
    case -EMFILE:
    case -ENFILE:
        return 503;
    default:
        return 502;
    }
}

static void refuse(hproxy__session_t *s, int err, bool early)
{
    answer(s, status_of(err, early), false, NULL);
}

/* What goes on from the client of a request that was forwarded: its body and not a byte more, for
 * the next request could be meant for somebody else. How much of it is still to come is the hio's
 * context, so that there is nothing to free and the close callback is the program's. */
static void forward_body(hio_t *io, void *buf, int len)
{
    http_rest_t rest = (http_rest_t)hio_context(io);
    ssize_t n = http_rest_take(&rest, buf, (size_t)len);

    if (n < 0) {
        hio_abort(io, (int)n);
        return;
    }
    if (n == 0)
        return;
    hio_set_context(io, (void *)rest);
    hio_write_upstream(io, buf, (int)n);
}

static int forward(hproxy__session_t *s, const http_request_t *request, hio_t *upstream)
{
    size_t size = HTTP_FORWARD_SIZE(s->head_len);
    http_rest_t rest;
    ssize_t here = take_body(s, request, &rest);
    char *head = here < 0 ? NULL : hmem_alloc(size);
    ssize_t len;
    int err;

    if (!head)
        return here < 0 ? (int)here : -ENOMEM;
    len = http_request_forward(request, head, size);
    err = len < 0 ? (int)len : hio_setup_upstream(s->pub.io, upstream);
    if (err == 0)
        err = hio_set_context(s->pub.io, (void *)rest);
    if (err == 0) {
        hio_setcb_read(s->pub.io, forward_body);
        hio_setcb_read(upstream, hio_write_upstream);
        hio_read_upstream(s->pub.io);
        hio_write_upstream(s->pub.io, head, (int)len);
        hio_write_upstream(s->pub.io, s->in.data + s->head_len, (int)here);
    }
    hmem_free(head);
    return err;
}

static int join(hproxy__session_t *s, hio_t *upstream)
{
    http_request_t request;
    int err;

    if (http_request_parse(&request, s->in.data, s->head_len) != 0)
        return HERR_PROTOCOL;
    if (!request.connect)
        return forward(s, &request, upstream);
    answer(s, 200, true, NULL);
    err = hio_relay(s->pub.io, upstream);
    if (err == 0)
        hio_write_upstream(s->pub.io, s->in.data + s->head_len, (int)(s->in.len - s->head_len));
    return err;
}

const hproxy__dialect_t hproxy__http = {input, on_login, refuse, join, NULL};
