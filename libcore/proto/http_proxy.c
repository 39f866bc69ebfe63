#include "http_proxy_int.h"

#include "../base/hmem.h"
#include "../base/hurl.h"

#include <stdio.h>
#include <string.h>

#define FIELDS_EXTRA 8 /* beside those of the request */

/* A request on its way; it lives until both sides are over. */
typedef struct call_s {
    http_proxy_t *proxy;
    http_stream_t *stream;     /* NULL: over */
    http_exchange_t *exchange; /* NULL: over */
    http_proxy_target_t *target;
    size_t tries;
    bool ended; /* the request, or what the client sends into a tunnel */
} call_t;

static void release(call_t *call)
{
    if (!call->stream && !call->exchange)
        hmem_free(call);
}

/* ---- failures -------------------------------------------------------------------------------- */

static void fail(call_t *call, int status, const char *why)
{
    http_proxy_t *proxy = call->proxy;

    if (!call->stream)
        return;
    if (proxy->on_failure)
        proxy->on_failure(call->stream, why, proxy->arg);
    http_response_error(call->stream, status,
                        status == 504 ? "the server behind this one did not answer in time"
                                      : "the server behind this one could not be asked");
}

static int begin(call_t *call);

/* Nothing of the request has left: another target may do. */
static bool try_next(call_t *call)
{
    http_proxy_t *proxy = call->proxy;

    call->target->down_until_us =
        hloop_now_hrtime(proxy->loop) + (uint64_t)HTTP_PROXY_DOWN_MS * 1000;
    return call->stream && call->tries < proxy->target_count && begin(call) == 0;
}

/* ---- the server's side ----------------------------------------------------------------------- */

static void on_interim(http_exchange_t *exchange, const http_exchange_response_t *response,
                       void *userdata)
{
    call_t *call = userdata;

    (void)exchange;
    if (call->stream)
        http_proxy__interim(call->proxy, call->target, call->stream, response);
}

static void on_head(http_exchange_t *exchange, const http_exchange_response_t *response,
                    void *userdata)
{
    call_t *call = userdata;
    int err;

    if (!call->stream)
        return;
    err = http_proxy__response(call->proxy, call->target, call->stream, response);
    if (err == 0)
        err = http_response_start(call->stream, response->content_length);
    if (err < 0)
        http_exchange_abort(exchange, err);
    else if (response->status == 101)
        http_stream_resume(call->stream); /* a tunnel from now on */
}

static void on_response_body(http_exchange_t *exchange, http_span_t data, void *userdata)
{
    call_t *call = userdata;

    if (!call->stream)
        return;
    http_response_write(call->stream, data.data, data.len);
    if (http_response_is_full(call->stream))
        http_exchange_pause(exchange);
}

static void on_response_end(http_exchange_t *exchange, void *userdata)
{
    call_t *call = userdata;

    (void)exchange;
    if (call->stream)
        http_response_end(call->stream);
}

static void on_ready(http_exchange_t *exchange, void *userdata)
{
    call_t *call = userdata;

    (void)exchange;
    if (call->stream)
        http_stream_resume(call->stream);
}

static void on_exchange_close(http_exchange_t *exchange, int err, void *userdata)
{
    call_t *call = userdata;
    bool never_sent = http_exchange_step(exchange) != HDIAL_STEP_DONE;

    call->exchange = NULL;
    if (err != 0 && never_sent && err != -ECANCELED && try_next(call))
        return;
    if (err != 0 && call->stream) {
        if (http_response_started(call->stream))
            http_stream_abort(call->stream, err);
        else
            fail(call, err == -ETIMEDOUT ? 504 : 502, http_exchange_error(exchange));
    }
    release(call);
}

static const http_exchange_callbacks_t exchange_callbacks = {
    .on_interim = on_interim,
    .on_head = on_head,
    .on_body = on_response_body,
    .on_body_end = on_response_end,
    .on_drained = on_ready,
    .on_close = on_exchange_close,
};

/* ---- the client's side ----------------------------------------------------------------------- */

static void on_request_body(http_stream_t *stream, http_span_t data, void *userdata)
{
    call_t *call = userdata;
    int err;

    if (!call->exchange)
        return;
    err = http_exchange_write(call->exchange, data.data, data.len);
    if (err < 0 && err != HERR_CLOSED)
        http_exchange_abort(call->exchange, err);
    else if (http_exchange_is_full(call->exchange))
        http_stream_pause(stream);
}

static void on_request_end(http_stream_t *stream, void *userdata)
{
    call_t *call = userdata;

    (void)stream;
    call->ended = true;
    if (call->exchange)
        http_exchange_end(call->exchange);
}

static void on_room(http_stream_t *stream, void *userdata)
{
    call_t *call = userdata;

    (void)stream;
    if (call->exchange)
        http_exchange_resume(call->exchange);
}

static void on_stream_close(http_stream_t *stream, int err, void *userdata)
{
    call_t *call = userdata;

    (void)stream;
    call->stream = NULL;
    if (call->exchange && (err != 0 || !call->ended)) /* the server itself may have answered */
        http_exchange_abort(call->exchange, -ECANCELED);
    release(call);
}

static const http_stream_callbacks_t stream_callbacks = {
    .on_body = on_request_body,
    .on_body_end = on_request_end,
    .on_drained = on_room,
    .on_close = on_stream_close,
};

/* ---- beginning ------------------------------------------------------------------------------- */

/* The next in turn that is not down; the next one if all are. */
static http_proxy_target_t *choose(http_proxy_t *proxy)
{
    uint64_t now_us = hloop_now_hrtime(proxy->loop);
    http_proxy_target_t *first = &proxy->targets[proxy->next % proxy->target_count];

    for (size_t i = 0; i < proxy->target_count; i++) {
        http_proxy_target_t *target = &proxy->targets[proxy->next++ % proxy->target_count];

        if (target->down_until_us <= now_us)
            return target;
    }
    proxy->next++;
    return first;
}

/* 0, or why not: a status to answer with, or a negative error. */
static int begin(call_t *call)
{
    const http_request_t *request = http_stream_request(call->stream);
    size_t fields_max = request->field_count + FIELDS_EXTRA;
    http_proxy_head_t *head = hmem_alloc(sizeof(*head));
    int err;

    if (!head)
        return -ENOMEM;
    head->fields_max = fields_max;
    head->fields = hmem_array(fields_max, sizeof(*head->fields));
    call->target = choose(call->proxy);
    call->tries++;
    err =
        head->fields ? http_proxy__request(call->proxy, call->target, call->stream, head) : -ENOMEM;
    if (err == 0)
        err = http_exchange_start(call->target->peer, &head->request, &exchange_callbacks, call,
                                  &call->exchange);
    hmem_free(head->fields);
    hmem_free(head);
    return err;
}

void http_proxy_handle(http_stream_t *stream, void *userdata)
{
    call_t *call = hmem_zalloc(sizeof(*call));
    int err;

    if (!call) {
        http_response_error(stream, 503, NULL);
        return;
    }
    call->proxy = userdata;
    call->stream = stream;
    if (http_stream_request(stream)->method == HTTP_METHOD_TRACE ||
        http_stream_request(stream)->method == HTTP_METHOD_CONNECT) {
        hmem_free(call);
        http_response_error(stream, 405, NULL);
        return;
    }
    if (http_proxy__forwards_left(stream) == 0) {
        hmem_free(call);
        http_response_status(stream, 204);
        http_response_send(stream, "", 0);
        return;
    }
    http_stream_set_callbacks(stream, &stream_callbacks, call);
    http_stream_pause(stream); /* until the connection stands */
    err = begin(call);
    if (err > 0)
        http_response_error(stream, err, NULL);
    else if (err < 0)
        fail(call, 502, herr_str(err));
}

/* ---- targets --------------------------------------------------------------------------------- */

static int set_host(http_proxy_target_t *target, const hurl_t *url, int port)
{
    bool v6 = url->host_kind == HURL_HOST_IPV6;
    int standard = hurl_default_port(url->scheme.data, url->scheme.len);
    char suffix[8] = "";
    int n;

    if (port != standard)
        snprintf(suffix, sizeof(suffix), ":%d", port);
    n = snprintf(target->host, sizeof(target->host), "%s%.*s%s%s", v6 ? "[" : "",
                 (int)url->host.len, url->host.data, v6 ? "]" : "", suffix);
    return n < 0 || (size_t)n >= sizeof(target->host) ? HERR_RANGE : 0;
}

static int parse_url(const char *text, hurl_t *url, hendpoint_t *to, http_proxy_target_t *target)
{
    char host[HENDPOINT_HOST_SIZE];
    int err = hurl_parse(url, text, strlen(text), NULL, HURL_GUESS);
    bool secure;

    if (err < 0)
        return err;
    secure = url->scheme.len == 5 && memcmp(url->scheme.data, "https", 5) == 0;
    if (!secure && !(url->scheme.len == 4 && memcmp(url->scheme.data, "http", 4) == 0))
        return HERR_UNSUPPORTED;
    if (url->host.len == 0 || url->host.len >= sizeof(host) || url->user.data)
        return HERR_SYNTAX;
    memcpy(host, url->host.data, url->host.len);
    host[url->host.len] = '\0';
    target->secure = secure;
    err = hendpoint_set(to, secure ? HENDPOINT_TLS : HENDPOINT_TCP, host, url->port);
    return err < 0 ? err : set_host(target, url, url->port);
}

static int need_tls(http_proxy_t *proxy, char *error, size_t error_size)
{
    htls_options_t options = {.alpn = "http/1.1"};

    return proxy->tls ? 0 : htls_ctx_new(&options, &proxy->tls, error, error_size);
}

static int keep_path(http_proxy_t *proxy, const hurl_t *url, const char *text)
{
    const char *path = strstr(text, "://");

    path = strchr(path ? path + 3 : text, '/');
    if (!path || url->path.len == 0 ||
        proxy->target_count > 0) /* nothing behind the host: the request's path stays */
        return 0;
    proxy->path = hmem_strndup(url->path.data, url->path.len);
    return proxy->path ? 0 : -ENOMEM;
}

static int add_target(http_proxy_t *proxy, const http_proxy_options_t *o, const char *text,
                      char *error, size_t error_size)
{
    http_proxy_target_t *target = &proxy->targets[proxy->target_count];
    http_peer_options_t options = {.response_ms = o->response_ms,
                                   .send_ms = o->send_ms,
                                   .idle_max = o->idle_max,
                                   .limits.body_max = HTTP1_UNLIMITED};
    hurl_t url = {0};
    int err;

    if (strncmp(text, "unix:", 5) == 0) {
        snprintf(target->host, sizeof(target->host), "localhost");
        err = hendpoint_parse(&options.to, text, error, error_size);
    } else {
        err = parse_url(text, &url, &options.to, target);
        if (err == 0)
            err = keep_path(proxy, &url, text);
        if (err < 0 && error)
            snprintf(error, error_size, "not an http or https URL: \"%.150s\"", text);
    }
    hurl_deinit(&url);
    if (err == 0 && options.to.scheme == HENDPOINT_TLS)
        err = need_tls(proxy, error, error_size);
    if (err < 0)
        return err;
    options.dial = (hdial_options_t){.dns = o->dns,
                                     .tls = options.to.scheme == HENDPOINT_TLS ? proxy->tls : NULL,
                                     .timeout_ms = o->connect_ms > 0 ? (int)o->connect_ms : 10000};
    err = http_peer_new(proxy->loop, &options, &target->peer);
    if (err == 0)
        proxy->target_count++;
    return err;
}

static int copy_text(char **to, const char *from)
{
    *to = from ? hmem_strdup(from) : NULL;
    return from && !*to ? -ENOMEM : 0;
}

int http_proxy_new(hloop_t *loop, const http_proxy_options_t *options, http_proxy_t **proxy,
                   char *error, size_t error_size)
{
    http_proxy_t *p;
    int err = 0;

    if (error && error_size > 0)
        error[0] = '\0';
    if (options->target_count == 0 || options->target_count > HTTP_PROXY_TARGETS_MAX)
        return -EINVAL;
    p = hmem_zalloc(sizeof(*p));
    if (!p)
        return -ENOMEM;
    p->loop = loop;
    p->keep_host = options->keep_host;
    p->anonymous = options->anonymous;
    p->trusted = options->trusted;
    p->on_failure = options->on_failure;
    p->arg = options->arg;
    p->tls = options->tls ? htls_ctx_ref(options->tls) : NULL;
    err = copy_text(&p->prefix, options->prefix);
    if (err == 0)
        err = copy_text(&p->via, options->via ? options->via : "hnet");
    for (size_t i = 0; err == 0 && i < options->target_count; i++)
        err = add_target(p, options, options->targets[i], error, error_size);
    if (err < 0) {
        http_proxy_free(p);
        return err;
    }
    *proxy = p;
    return 0;
}

void http_proxy_free(http_proxy_t *proxy)
{
    if (!proxy)
        return;
    for (size_t i = 0; i < proxy->target_count; i++)
        http_peer_free(proxy->targets[i].peer);
    htls_ctx_free(proxy->tls);
    hmem_free(proxy->path);
    hmem_free(proxy->prefix);
    hmem_free(proxy->via);
    hmem_free(proxy);
}

uint32_t http_proxy_active(const http_proxy_t *proxy)
{
    uint32_t count = 0;

    for (size_t i = 0; i < proxy->target_count; i++)
        count += http_peer_active(proxy->targets[i].peer);
    return count;
}
