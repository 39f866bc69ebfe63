/* The talk with one proxy. Bytes are read only as far as the proxy's answer surely goes (the codecs
 * tell how far): what the other side sends behind it stays in the socket, or in TLS, for whoever
 * reads next.
 *
 * A proxy that wants a user and a password says so first (407); it is then asked again, on the same
 * connection if that stays, else on a new one. Challenges are kept by proxy, because a new
 * connection begins with the first of the chain again. */
#include "hdial_int.h"

#include "../base/hbuf.h"
#include "../base/hmem.h"
#include "../base/hstr.h"
#include "../codec/http_auth.h"
#include "../codec/http_connect.h"
#include "../codec/socks.h"
#include "hdigest.h"

#include <stdio.h>
#include <string.h>

#define LINE_SIZE 200
#define SKIP_MAX 65536 /* of a body; past it a new connection is cheaper */
#define TRIES_MAX 3    /* without, with, and with a nonce that is not stale */
#define HEADS_MAX 8    /* 1xx in front of the answer */
#define READ_SIZE SOCKS_MESSAGE_SIZE

/* What a proxy of the chain has asked for. */
struct hdial_login_s {
    http_challenge_t challenge;
    uint32_t count; /* answers to it */
    unsigned tries;
};

struct hdial_talk_s {
    enum { TALK_SOCKS, TALK_HEAD, TALK_BODY } state;
    char host[HENDPOINT_HOST_SIZE]; /* where the proxy shall connect to */
    uint16_t port;
    hdns_query_t *query;
    socks_client_t socks;
    hbytes_t head;
    http_scan_t scan;
    unsigned heads;
    int64_t skip;
    bool second; /* it was asked before, on this connection */
    char buf[READ_SIZE + 1];
};

int hdial__proxy_hop(const hproxy_t *proxy, hendpoint_t *hop)
{
    if (strncmp(proxy->host, "unix:", 5) == 0)
        return hendpoint_set(hop, HENDPOINT_UNIX, proxy->host + 5, 0);
    return hendpoint_set(hop, HENDPOINT_TCP, proxy->host, proxy->port);
}

static const hproxy_t *current(const hdial_t *dial)
{
    return &dial->options.proxies[dial->proxy];
}

static bool is_http(const hproxy_t *proxy)
{
    return proxy->type == HPROXY_HTTP || proxy->type == HPROXY_HTTPS;
}

static const hdial_connect_options_t *how(const hdial_t *dial)
{
    static const hdial_connect_options_t defaults;

    return dial->options.connect ? dial->options.connect : &defaults;
}

/* Who we are to an http proxy. */
static http_auth_t login_of(const hdial_t *dial)
{
    const hdial_connect_options_t *o = how(dial);
    const hproxy_t *proxy = current(dial);

    if (o->user)
        return (http_auth_t){.user = o->user, .password = o->password ? o->password : ""};
    return (http_auth_t){.user = proxy->user, .password = proxy->password};
}

static bool has_login(const hdial_t *dial)
{
    http_auth_t auth = login_of(dial);

    return auth.user[0] != '\0' || auth.password[0] != '\0';
}

/* Room for the credentials: a byte becomes two, or four thirds. */
static size_t value_size(const hdial_t *dial)
{
    http_auth_t auth = login_of(dial);

    return HTTP_AUTH_VALUE_SIZE + 3 * (strlen(auth.user) + strlen(auth.password));
}

/* ---- the end of a talk ----------------------------------------------------------------------- */

static void end_talk(hdial_t *dial)
{
    hdial_talk_t *talk = dial->talk;

    dial->talk = NULL;
    if (!talk)
        return;
    hdns_cancel(talk->query);
    hbytes_deinit(&talk->head);
    hmem_free(talk);
}

static void fail(hdial_t *dial, int err, const char *why)
{
    char text[HPROXY_HOST_SIZE + 32];
    const char *name = hproxy_format(current(dial), text, sizeof(text));
    const char *mark = strstr(name, "://");

    dial->step = HDIAL_STEP_PROXY;
    dial->error_len = 0;
    hdial__say(dial, "proxy %s: %s", mark ? mark + 3 : name, why);
    hdial__fail(dial, err);
}

/* From the first proxy on, over a new connection to the address that is known to work. */
static void connect_again(hdial_t *dial)
{
    dial->io = NULL;
    hdial__set_timer(dial, HDIAL_TIMER_REST, 0);
    end_talk(dial);
    dial->proxy = dial->secured = 0;
    hdial__connect_again(dial);
}

static void on_close(hio_t *io)
{
    hdial_t *dial = hevent_userdata(io);
    const hdial_talk_t *talk = dial->talk;
    int err = hio_error(io);

    dial->io = NULL;
    if (talk && talk->second && talk->head.len == 0) /* it said that it would stay, and left */
        connect_again(dial);
    else
        fail(dial, err ? err : HERR_PROXY,
             err ? herr_str(err) : "it closed the connection without an answer");
}

void hdial__proxy_timed_out(hdial_t *dial)
{
    fail(dial, -ETIMEDOUT,
         dial->talk && dial->talk->query ? "the target's name was not resolved in time"
                                         : "no answer in time");
}

/* The connection is as it was before. */
static void let_go(hdial_t *dial)
{
    hio_read_stop(dial->io);
    hio_set_readbuf(dial->io, NULL, 0);
    hio_setcb_read(dial->io, NULL);
    hio_setcb_close(dial->io, NULL);
    hdial__set_timer(dial, HDIAL_TIMER_REST, 0);
    end_talk(dial);
}

static void succeed(hdial_t *dial)
{
    let_go(dial);
    dial->proxy++;
    if (dial->proxy == dial->options.proxy_count)
        dial->times.proxied_us = hdial__elapsed_us(dial);
    hdial__proceed(dial);
}

/* ---- SOCKS ----------------------------------------------------------------------------------- */

/* No byte more is read. Needs no memory: the hio has its extension since it was made. */
static void set_need(hdial_t *dial, size_t need)
{
    hio_set_readbuf(dial->io, dial->talk->buf, need < READ_SIZE ? need : READ_SIZE);
}

/* Sends what is due and says how much may come. */
static int socks_next(hdial_t *dial)
{
    const void *data;
    size_t len = socks_client_output(&dial->talk->socks, &data);
    int err = len > 0 ? hio_write(dial->io, data, len) : 0;

    set_need(dial, socks_client_need(&dial->talk->socks));
    return err < 0 ? err : 0;
}

static void socks_feed(hdial_t *dial, const char *data, size_t len)
{
    socks_client_t *socks = &dial->talk->socks;
    ssize_t n = socks_client_feed(socks, data, len);
    char why[SOCKS_ERROR_SIZE];
    int err = 0;

    if (n < 0) {
        hstr_copy(why, sizeof(why), socks_client_error(socks));
        fail(dial, HERR_PROXY, why);
        return;
    }
    if (socks_client_is_done(socks)) {
        succeed(dial);
        return;
    }
    err = socks_next(dial);
    if (err)
        fail(dial, err, herr_str(err));
}

static int socks_start(hdial_t *dial)
{
    static const socks_version_e versions[] = {[HPROXY_SOCKS4] = SOCKS_VERSION_4,
                                               [HPROXY_SOCKS4A] = SOCKS_VERSION_4A,
                                               [HPROXY_SOCKS5] = SOCKS_VERSION_5,
                                               [HPROXY_SOCKS5H] = SOCKS_VERSION_5};
    hdial_talk_t *talk = dial->talk;
    const hproxy_t *proxy = current(dial);
    int err = socks_client_init(&talk->socks, versions[proxy->type], talk->host, talk->port,
                                proxy->user, proxy->password);

    talk->state = TALK_SOCKS;
    return err ? err : socks_next(dial);
}

/* ---- HTTP ------------------------------------------------------------------------------------ */

/* The value of Proxy-Authorization for what this proxy has asked for. 0, or an error. */
static int answer_challenge(hdial_t *dial, const char *target, char *value, size_t size)
{
    hdial_login_t *login = dial->logins[dial->proxy];
    const http_auth_hasher_t hasher = hdigest_hasher();
    char cnonce[HDIGEST_NONCE_SIZE];
    http_auth_t auth = login_of(dial);
    int err = hdigest_cnonce(cnonce);
    ssize_t len;

    if (err)
        return err;
    auth.method = HTTP_SPAN("CONNECT");
    auth.uri = http_span(target);
    auth.cnonce = cnonce;
    auth.count = ++login->count;
    len = http_auth_answer(&login->challenge, &auth, &hasher, value, size);
    return len < 0 ? (int)len : 0;
}

static void await_head(hdial_t *dial)
{
    hdial_talk_t *talk = dial->talk;

    talk->state = TALK_HEAD;
    talk->scan = (http_scan_t){0};
    hbytes_clear(&talk->head);
    set_need(dial, http_head_need(&talk->scan, "", 0));
}

/* With the credentials that are due: 1, 0 if there are none, or an error. */
static int authorize(hdial_t *dial, char *value, size_t size)
{
    const hdial_talk_t *talk = dial->talk;
    const http_auth_t auth = login_of(dial);
    char target[HTTP_AUTHORITY_SIZE];
    ssize_t len = http_authority(talk->host, talk->port, target, sizeof(target));
    int err = len < 0 ? (int)len : 0;

    if (err)
        return err;
    if (dial->logins[dial->proxy])
        err = answer_challenge(dial, target, value, size);
    else if (!has_login(dial) || !(how(dial)->logins & HDIAL_PROXY_BASIC_UNASKED))
        return 0;
    else if ((len = http_auth_answer(NULL, &auth, NULL, value, size)) < 0)
        err = (int)len;
    return err ? err : 1;
}

static int send_request(hdial_t *dial, const char *authorization)
{
    const hdial_talk_t *talk = dial->talk;
    const hdial_connect_options_t *o = how(dial);
    const http_connect_t request = {.host = talk->host,
                                    .port = talk->port,
                                    .user_agent = o->user_agent,
                                    .authorization = authorization,
                                    .keep_alive = o->keep_alive,
                                    .http10 = o->http10,
                                    .fields = o->fields,
                                    .field_count = o->field_count};
    char *text = hmem_alloc(HTTP_HEAD_MAX);
    ssize_t len = text ? http_connect_compose(&request, text, HTTP_HEAD_MAX) : -ENOMEM;
    int err = len < 0 ? (int)len : 0;

    if (!err && o->head_cb)
        o->head_cb(dial, dial->proxy, (http_span_t){text, (size_t)len}, 0, dial->arg);
    if (!err)
        err = hio_write(dial->io, text, (size_t)len);
    hmem_free(text);
    return err < 0 ? err : 0;
}

static int http_request(hdial_t *dial)
{
    size_t size = value_size(dial);
    char *value = hmem_alloc(size);
    int due = value ? authorize(dial, value, size) : -ENOMEM;
    int err = due < 0 ? due : send_request(dial, due ? value : NULL);

    if (due >= 0)
        await_head(dial);
    hmem_free(value);
    return err;
}

static void fail_with_line(hdial_t *dial, const http_answer_t *answer)
{
    char line[LINE_SIZE];

    hstr_escape(line, sizeof(line), answer->line.data, answer->line.len);
    fail(dial, HERR_PROXY, line);
}

/* What a 407 may be answered with. */
static unsigned schemes_of(unsigned logins)
{
    unsigned schemes = 0;

    if (!logins)
        return HTTP_AUTH_ANY;
    if (logins & HDIAL_PROXY_BASIC)
        schemes |= 1U << HTTP_AUTH_BASIC;
    if (logins & HDIAL_PROXY_DIGEST)
        schemes |= 1U << HTTP_AUTH_DIGEST;
    return schemes;
}

/* Whether there is something to answer to a 407 with that was not refused before; 1, 0, -ENOMEM. */
static int take_challenge(hdial_t *dial, const http_answer_t *answer)
{
    hdial_login_t *login = dial->logins[dial->proxy];
    bool again = login != NULL;
    unsigned schemes = schemes_of(how(dial)->logins);

    if (!has_login(dial) || !schemes)
        return 0;
    if (!login)
        login = dial->logins[dial->proxy] = hmem_zalloc(sizeof(*login));
    if (!login)
        return -ENOMEM;
    login->count = 0;
    if (++login->tries >= TRIES_MAX ||
        http_auth_choose(answer->fields, "Proxy-Authenticate", schemes, &login->challenge) != 0)
        return 0;
    return !again || login->challenge.stale;
}

static void leave_and_connect_again(hdial_t *dial)
{
    hio_t *io = dial->io;

    let_go(dial);
    hio_abort(io, 0);
    connect_again(dial);
}

/* What is left of a refusal's body; behind it the request once more, with the login. */
static void skip_body(hdial_t *dial, int64_t left)
{
    int err = 0;

    dial->talk->state = TALK_BODY;
    dial->talk->skip = left;
    if (left > 0) {
        set_need(dial, (size_t)left);
    } else {
        dial->talk->second = true;
        err = http_request(dial);
    }
    if (err && dial->talk->second && err != -ENOMEM)
        leave_and_connect_again(dial);
    else if (err)
        fail(dial, err, herr_str(err));
}

static void on_407(hdial_t *dial, const http_answer_t *answer)
{
    int usable = take_challenge(dial, answer);

    if (usable < 0)
        fail(dial, usable, herr_str(usable));
    else if (!usable)
        fail_with_line(dial, answer);
    else if (!answer->keep_alive || answer->body_length < 0 || answer->body_length > SKIP_MAX)
        leave_and_connect_again(dial);
    else
        skip_body(dial, answer->body_length);
}

static void on_answer(hdial_t *dial, size_t len)
{
    hdial_talk_t *talk = dial->talk;
    http_answer_t answer;
    int64_t length;
    bool chunked;

    if (http_answer_parse(&answer, talk->head.data, len) != 0) {
        fail(dial, HERR_PROTOCOL, "its answer is not HTTP");
        return;
    }
    if (answer.status >= 300 &&
        http_body_length(answer.fields, &chunked, &length) == HERR_PROTOCOL) {
        fail(dial, HERR_PROXY, "its answer has no one length");
        return;
    }
    dial->proxy_status = answer.status;
    if (how(dial)->head_cb)
        how(dial)->head_cb(dial, dial->proxy, (http_span_t){talk->head.data, len}, answer.status,
                           dial->arg);
    if (answer.status < 200 && ++talk->heads < HEADS_MAX) {
        await_head(dial);
    } else if (answer.status >= 200 && answer.status < 300) {
        succeed(dial);
    } else if (answer.status == 407) {
        on_407(dial, &answer);
    } else {
        fail_with_line(dial, &answer);
    }
}

static void head_feed(hdial_t *dial, const char *data, size_t len)
{
    hdial_talk_t *talk = dial->talk;
    ssize_t n = hbytes_append(&talk->head, data, len);

    if (n == 0)
        n = http_head_end(&talk->scan, talk->head.data, talk->head.len);
    if (n > 0)
        on_answer(dial, (size_t)n);
    else if (n == 0)
        set_need(dial, http_head_need(&talk->scan, talk->head.data, talk->head.len));
    else if (n == -ENOMEM)
        fail(dial, -ENOMEM, herr_str(-ENOMEM));
    else
        fail(dial, n == HERR_PROTOCOL ? HERR_PROTOCOL : HERR_PROXY,
             n == HERR_PROTOCOL ? "its answer is not HTTP" : "the head of its answer is too long");
}

/* ---- the talk -------------------------------------------------------------------------------- */

static void on_read(hio_t *io, void *buf, int len)
{
    hdial_t *dial = hevent_userdata(io);

    switch (dial->talk->state) {
    case TALK_SOCKS:
        socks_feed(dial, buf, (size_t)len);
        break;
    case TALK_HEAD:
        head_feed(dial, buf, (size_t)len);
        break;
    case TALK_BODY:
        skip_body(dial, dial->talk->skip - len);
        break;
    }
}

static void start_talk(hdial_t *dial)
{
    hdial_talk_t *talk = dial->talk;
    char why[SOCKS_ERROR_SIZE] = "";
    int err = is_http(current(dial)) ? http_request(dial) : socks_start(dial);

    if (err) {
        if (!is_http(current(dial)))
            hstr_copy(why, sizeof(why), socks_client_error(&talk->socks));
        fail(dial, err, why[0] ? why : herr_str(err));
        return;
    }
    hdial__set_timer(dial, HDIAL_TIMER_PROXY, hdial__talk_timeout(dial, HDIAL_PROXY_TIMEOUT_MS));
    hio_setcb_read(dial->io, on_read);
    hio_read(dial->io);
}

/* IPv4 before IPv6: more proxies can reach it. */
static void on_addrs(hdns_query_t *query, int err, const haddr_t *addrs, size_t count, void *arg)
{
    hdial_t *dial = arg;
    const haddr_t *chosen = addrs;
    char why[HDIAL_ERROR_SIZE / 2];

    dial->talk->query = NULL;
    if (err) {
        snprintf(why, sizeof(why), "cannot resolve %s for it: %s", dial->talk->host,
                 hdns_error(query));
        fail(dial, err, why);
        return;
    }
    for (size_t i = 0; i < count && chosen->u.sa.sa_family != AF_INET; i++)
        chosen = addrs[i].u.sa.sa_family == AF_INET ? &addrs[i] : chosen;
    haddr_ip(&chosen->u.sa, dial->talk->host, sizeof(dial->talk->host));
    start_talk(dial);
}

/* Old SOCKS and those that shall not see names get numbers. */
static bool needs_number(const hdial_t *dial)
{
    hproxy_type_e type = current(dial)->type;
    haddr_t addr;

    return (type == HPROXY_SOCKS4 || type == HPROXY_SOCKS5) &&
           haddr_parse(&addr, dial->talk->host, 0) != 0;
}

static int resolve(hdial_t *dial)
{
    bool only_v4 = current(dial)->type == HPROXY_SOCKS4;
    int err = dial->options.numeric ? HERR_RESOLVE : hdial__need_dns(dial);

    return err ? err
               : hdns_resolve(dial->dns, dial->talk->host, only_v4 ? AF_INET : dial->options.family,
                              on_addrs, dial, &dial->talk->query);
}

static int new_talk(hdial_t *dial)
{
    bool last = dial->proxy + 1 == dial->options.proxy_count;
    const hproxy_t *next = last ? NULL : &dial->options.proxies[dial->proxy + 1];
    const char *host = last ? dial->to.host : next->host;
    hdial_talk_t *talk = hmem_zalloc(sizeof(*talk));

    if (!talk)
        return -ENOMEM;
    hbytes_init(&talk->head, HTTP_HEAD_MAX + 1);
    hstr_copy(talk->host, sizeof(talk->host), host[0] ? host : "localhost");
    talk->port = last ? dial->to.port : next->port;
    dial->talk = talk;
    return 0;
}

/* https: TLS with the proxy comes first, and then this function again. */
static void start_tls(hdial_t *dial)
{
    static const htls_options_t defaults;
    const char *host = current(dial)->host;
    char why[HTLS_ERROR_SIZE];
    int err = 0;

    if (!dial->options.proxy_tls)
        err = htls_ctx_new(&defaults, &dial->own_tls, why, sizeof(why));
    if (err)
        fail(dial, err, why);
    else
        hdial__tls(dial, dial->own_tls ? dial->own_tls : dial->options.proxy_tls, host, host);
}

void hdial__proxy_start(hdial_t *dial)
{
    int err;

    if (current(dial)->type == HPROXY_HTTPS && dial->secured <= dial->proxy) {
        dial->secured = dial->proxy + 1;
        start_tls(dial);
        return;
    }
    hevent_set_userdata(dial->io, dial);
    hio_setcb_connect(dial->io, NULL);
    hio_setcb_close(dial->io, on_close);
    err = new_talk(dial);
    if (!err && needs_number(dial)) {
        err = resolve(dial);
        if (!err)
            return;
    }
    if (err)
        fail(dial, err, herr_str(err));
    else
        start_talk(dial);
}

void hdial__proxy_deinit(hdial_t *dial)
{
    end_talk(dial);
    for (size_t i = 0; i < HPROXY_CHAIN_MAX; i++) {
        hmem_free(dial->logins[i]);
        dial->logins[i] = NULL;
    }
    htls_ctx_free(dial->own_tls);
    dial->own_tls = NULL;
}
