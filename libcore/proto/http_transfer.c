/* The life of a transfer: hops, each an exchange, until a response is the last one.
 *
 *     start -> hop: route, head, exchange -> judge its response -> follow, answer, or deliver
 *           -> close */
#include "http_client_int.h"

#include "../base/hmem.h"
#include "../base/htime.h"

#include <stdarg.h>

#define US_PER_MS 1000
#define MS_PER_S 1000

static int begin_hop(http_transfer_t *t);

/* ---- telling --------------------------------------------------------------------------------- */

uint64_t http_transfer__now_us(const http_transfer_t *t)
{
    return htime_monotonic_us() - t->started_us;
}

void http_transfer__fail(http_transfer_t *t, http_fault_e fault, const char *format, ...)
{
    va_list ap;

    if (t->fault != HTTP_FAULT_NONE)
        return;
    t->fault = fault;
    va_start(ap, format);
    hbytes_clear(&t->error);
    hbytes_vprintf(&t->error, format, ap);
    va_end(ap);
}

void http_transfer__trace(http_transfer_t *t, http_trace_e kind, const void *data, size_t len)
{
    if (t->callbacks->on_trace && len > 0)
        t->callbacks->on_trace(t, kind, (http_span_t){data, len}, t->userdata);
}

void http_transfer__info(http_transfer_t *t, const char *format, ...)
{
    hbytes_t text = {0};
    va_list ap;

    if (!t->callbacks->on_trace)
        return;
    va_start(ap, format);
    if (hbytes_vprintf(&text, format, ap) == 0)
        http_transfer__trace(t, HTTP_TRACE_INFO, text.data, text.len);
    va_end(ap);
    hbytes_deinit(&text);
}

/* ---- the end --------------------------------------------------------------------------------- */

static void leave_body(http_transfer_t *t)
{
    if (t->options.body)
        http_source_set_ready(t->options.body, NULL, NULL);
    t->options.body = NULL;
}

static void transfer_free(http_transfer_t *t)
{
    hlist_remove(&t->link);
    http_client__leave(t->origin);
    htimer_del(t->close_timer);
    htimer_del(t->total_timer);
    htimer_del(t->speed_timer);
    hrate_free(t->receive_rate);
    hrate_free(t->send_rate);
    http_coding_free(t->decoder);
    leave_body(t);
    hurl_deinit(&t->moved);
    hmem_free(t->referer);
    hmem_free(t->user);
    hmem_free(t->password);
    hmem_free(t->source_buf);
    hmem_free(t->decoded);
    hmem_free(t->location);
    hmem_free(t->content_type);
    hmem_free(t->redirect_url);
    hbytes_deinit(&t->early);
    hbytes_deinit(&t->kept);
    hbytes_deinit(&t->error);
    hmem_free(t);
}

static void finish(http_transfer_t *t)
{
    t->closing = true;
    t->info.total_us = http_transfer__now_us(t);
    leave_body(t); /* the program may free it in the callback */
    t->callbacks->on_close(t, t->fault, t->userdata);
    transfer_free(t);
}

static void on_close_timer(htimer_t *timer)
{
    http_transfer_t *t = hevent_userdata(timer);

    t->close_timer = NULL;
    finish(t);
}

/* For one that did not begin. 0, or -ENOMEM. */
static int finish_later(http_transfer_t *t)
{
    t->close_timer = htimer_add(t->client->loop, on_close_timer, 1, 1);
    if (!t->close_timer)
        return -ENOMEM;
    hevent_set_userdata(t->close_timer, t);
    return 0;
}

/* One without an exchange waits for its end already. */
static void end_now(http_transfer_t *t)
{
    if (t->exchange)
        http_exchange_abort(t->exchange, -ECANCELED);
}

void http_transfer__cancel(http_transfer_t *t)
{
    http_transfer__fail(t, HTTP_FAULT_CANCELLED, "cancelled");
    if (!t->exchange)
        finish(t);
}

/* ---- limits of time -------------------------------------------------------------------------- */

static void on_total(htimer_t *timer)
{
    http_transfer_t *t = hevent_userdata(timer);

    t->total_timer = NULL;
    http_transfer__fail(t, HTTP_FAULT_TIMEOUT,
                        "the time of %u ms is over, with %llu bytes received", t->options.total_ms,
                        (unsigned long long)t->info.downloaded);
    end_now(t);
}

static void on_speed(htimer_t *timer)
{
    http_transfer_t *t = hevent_userdata(timer);
    uint64_t bytes = t->info.downloaded + t->info.uploaded, since = bytes - t->speed_bytes;

    t->speed_bytes = bytes;
    t->slow_s = since < t->options.low_speed && !t->paused ? t->slow_s + 1 : 0;
    if (t->slow_s < t->options.low_speed_s)
        return;
    http_transfer__fail(t, HTTP_FAULT_TIMEOUT,
                        "slower than %u bytes a second for the last %u seconds",
                        t->options.low_speed, t->options.low_speed_s);
    end_now(t);
}

static int add_timer(http_transfer_t *t, htimer_t **timer, htimer_cb cb, uint32_t ms,
                     uint32_t times)
{
    *timer = htimer_add(t->client->loop, cb, ms, times);
    if (!*timer)
        return -ENOMEM;
    hevent_set_userdata(*timer, t);
    return 0;
}

static int set_limits(http_transfer_t *t)
{
    const http_transfer_options_t *o = &t->options;
    int err = 0;

    if (o->total_ms > 0)
        err = add_timer(t, &t->total_timer, on_total, o->total_ms, 1);
    if (err == 0 && o->low_speed > 0 && o->low_speed_s > 0)
        err = add_timer(t, &t->speed_timer, on_speed, MS_PER_S, INFINITE);
    if (err == 0 && o->receive_rate > 0) {
        t->receive_rate = hrate_new(t->client->loop, o->receive_rate, 0);
        err = t->receive_rate ? 0 : -ENOMEM;
    }
    if (err == 0 && o->send_rate > 0) {
        t->send_rate = hrate_new(t->client->loop, o->send_rate, 0);
        err = t->send_rate ? 0 : -ENOMEM;
    }
    return err;
}

/* ---- the exchange ---------------------------------------------------------------------------- */

static void on_begin(http_exchange_t *exchange, void *userdata)
{
    http_transfer_t *t = userdata;
    hio_t *io = http_exchange_io(exchange);
    http_span_t head = http_exchange_head(exchange);
    http_exchange_times_t times;

    t->exchange = exchange; /* a kept connection begins inside http_exchange_start */
    t->info.connection_id = http_exchange_connection(exchange);
    http_exchange_times(exchange, &times);
    http_transfer__note_addresses(t, io);
    if (times.reused) {
        http_transfer__info(t, "Reusing the connection to %s, #%llu", t->origin->route.to.host,
                            (unsigned long long)t->info.connection_id);
    } else {
        t->info.connects++;
        http_transfer__info(t, "Connected to %s (%s) port %u, #%llu", t->origin->route.to.host,
                            t->info.remote_ip, t->info.remote_port,
                            (unsigned long long)t->info.connection_id);
    }
    hio_set_read_rate(io, t->receive_rate);
    hio_set_write_rate(io, t->send_rate);
    t->info.sending_us = http_transfer__now_us(t);
    t->info.request_bytes += head.len;
    http_transfer__trace(t, HTTP_TRACE_HEAD_OUT, head.data, head.len);
    http_transfer__trace(t, HTTP_TRACE_DATA_OUT, t->early.data, t->early.len);
    hbytes_deinit(&t->early);
    t->begun = true;
}

static void tell_head(http_transfer_t *t, const http_exchange_response_t *response)
{
    t->info.head_bytes += response->head.len;
    t->info.version = response->version;
    http_transfer__trace(t, HTTP_TRACE_HEAD_IN, response->head.data, response->head.len);
    if (t->callbacks->on_head)
        t->callbacks->on_head(t, t->hop, response, t->userdata);
}

static void on_interim(http_exchange_t *exchange, const http_exchange_response_t *response,
                       void *userdata)
{
    http_transfer_t *t = userdata;

    (void)exchange;
    t->hop = HTTP_HOP_INTERIM;
    tell_head(t, response);
}

/* What the program needs no more of does not hold up the next request. */
static void move_on(http_transfer_t *t)
{
    t->moving_on = true;
    http_exchange_abort(t->exchange, -ECANCELED);
}

/* One whose connection is not kept is asked as anew. */
static void note_version(http_transfer_t *t, const http_exchange_response_t *response)
{
    bool kept = false;

    for (size_t i = 0; i < response->field_count; i++)
        kept |= response->fields[i].id == HTTP_FIELD_CONNECTION &&
                http_list_has(response->fields[i].value, "keep-alive");
    t->old |= response->version == 10;
    t->origin->old = response->version == 10 && kept;
}

static void on_head(http_exchange_t *exchange, const http_exchange_response_t *response,
                    void *userdata)
{
    http_transfer_t *t = userdata;

    (void)exchange;
    t->has_head = true;
    t->repeated = false;
    t->info.status = response->status;
    note_version(t, response);
    http_transfer__note_times(t);
    t->hop = http_transfer__judge(t, response);
    if (t->hop_count > 0)
        t->hops[t->hop_count - 1].status = response->status;
    tell_head(t, response);
    if (t->fault != HTTP_FAULT_NONE)
        http_exchange_abort(t->exchange, -ECANCELED);
    else if (t->hop == HTTP_HOP_FINAL && t->options.no_body && response->has_body)
        move_on(t); /* the method is none that would have kept the body away */
    else if (t->hop == HTTP_HOP_FINAL)
        http_transfer__begin_body(t, response);
    else if (!response->keep_alive)
        move_on(t); /* its body is of no use, and neither is the connection */
}

static void on_body(http_exchange_t *exchange, http_span_t data, void *userdata)
{
    http_transfer_t *t = userdata;

    (void)exchange;
    if (t->fault != HTTP_FAULT_NONE)
        return;
    http_transfer__trace(t, HTTP_TRACE_DATA_IN, data.data, data.len);
    if (t->hop == HTTP_HOP_FINAL)
        http_transfer__take_body(t, data);
    if (t->hop == HTTP_HOP_FINAL && !t->ignore_body)
        return;
    t->dropped += data.len;
    if (t->dropped > HTTP_CLIENT_DROP_MAX)
        move_on(t);
}

static void on_trailers(http_exchange_t *exchange, const http_field_t *fields, size_t count,
                        void *userdata)
{
    http_transfer_t *t = userdata;

    (void)exchange;
    if (t->hop == HTTP_HOP_FINAL && t->callbacks->on_trailers)
        t->callbacks->on_trailers(t, fields, count, t->userdata);
}

static void on_body_end(http_exchange_t *exchange, void *userdata)
{
    http_transfer_t *t = userdata;

    (void)exchange;
    if (t->hop == HTTP_HOP_FINAL && t->fault == HTTP_FAULT_NONE)
        http_transfer__end_body(t);
}

static void on_resumed(http_exchange_t *exchange, void *userdata)
{
    (void)exchange;
    http_transfer__take_kept(userdata);
}

static void on_drained(http_exchange_t *exchange, void *userdata)
{
    (void)exchange;
    http_transfer__pump(userdata);
}

/* The next hop, if there is one. */
static bool go_on(http_transfer_t *t)
{
    if (t->fault != HTTP_FAULT_NONE || t->hop == HTTP_HOP_FINAL || t->hop == HTTP_HOP_INTERIM)
        return false;
    if (t->hop == HTTP_HOP_REDIRECT) {
        t->info.redirect_us = http_transfer__now_us(t);
        if (http_transfer__move(t) < 0)
            return false;
    }
    return begin_hop(t) == 0;
}

/* A kept connection that ended before anything came: the server had closed it, as likely as not
 * before it saw the request. Once more then, as all clients do; a body has to be there again. */
static bool was_stale(http_transfer_t *t, int err)
{
    http_exchange_times_t times;

    http_exchange_times(t->exchange, &times);
    if (http_exchange_has_begun(t->exchange) || t->repeated || !times.reused ||
        t->fault != HTTP_FAULT_NONE || http_exchange_step(t->exchange) != HDIAL_STEP_DONE)
        return false;
    if (err != HERR_TRUNCATED && err != -ECONNRESET && err != -EPIPE)
        return false;
    if (t->options.body && !t->body_dropped && http_source_rewind(t->options.body) < 0)
        return false;
    t->repeated = true;
    t->hop = HTTP_HOP_AGAIN;
    http_transfer__info(t, "The kept connection was closed: once more, on a new one");
    return true;
}

/* What there is of a head that was wrong is told as it came. */
static void end_badly(http_transfer_t *t, int err)
{
    http_span_t head = http_exchange_broken_head(t->exchange);
    http_exchange_response_t response = {.head = head, .content_length = -1};
    http_span_t rest = head, line;
    int minor;

    if (http_line_next(&rest, &line) && t->fault == HTTP_FAULT_NONE &&
        http_status_line(line, &minor, &response.status, &response.reason) == 0) {
        response.version = 10 + minor;
        t->info.status = response.status;
        t->hop = HTTP_HOP_BROKEN;
        tell_head(t, &response);
    }
    http_transfer__explain(t, err);
}

static void on_exchange_close(http_exchange_t *exchange, int err, void *userdata)
{
    http_transfer_t *t = userdata;

    t->exchange = exchange;
    http_transfer__note_times(t);
    if (t->hop_count > 0)
        t->hops[t->hop_count - 1].ended_us = http_transfer__now_us(t);
    if (err != 0 && !t->moving_on && !was_stale(t, err))
        end_badly(t, err);
    t->exchange = NULL;
    http_client__leave(t->origin);
    t->origin = NULL;
    if (!go_on(t))
        finish(t);
}

static const http_exchange_callbacks_t exchange_callbacks = {
    .on_begin = on_begin,
    .on_interim = on_interim,
    .on_head = on_head,
    .on_body = on_body,
    .on_trailers = on_trailers,
    .on_body_end = on_body_end,
    .on_resumed = on_resumed,
    .on_drained = on_drained,
    .on_close = on_exchange_close,
};

/* ---- hops ------------------------------------------------------------------------------------ */

/* The credentials for its proxy: those that came with its address, else the transfer's. They live
 * as long as both. */
static http_login_t proxy_login_of(const http_transfer_t *t, const http_route_t *route)
{
    http_login_t login = t->options.proxy_login;

    if ((route->forward || route->tunnel) && (route->http.user[0] || route->http.password[0])) {
        login.user = route->http.user;
        login.password = route->http.password;
    }
    return login;
}

static int reach_server(http_transfer_t *t)
{
    http_fault_e fault = HTTP_FAULT_MEMORY;
    http_route_t route;
    http_login_t login;
    hbytes_t why = {0};
    int err = http_client__route(t->client, t->url, &route, &fault, &why);

    if (err == 0) {
        login = proxy_login_of(t, &route);
        err = http_client__origin(t->client, &route, &login, &t->origin, &fault, &why);
    }
    if (err == 0) {
        t->info.through_proxy = route.forward || route.tunnel;
        t->proxy_login = proxy_login_of(t, &t->origin->route);
    } else {
        http_transfer__fail(t, fault, "%s", why.len > 0 ? why.data : herr_str(err));
    }
    hbytes_deinit(&why);
    return err;
}

static int begin_hop(http_transfer_t *t)
{
    int err;

    t->has_head = t->moving_on = t->ignore_body = t->patient = t->begun = t->keeps = false;
    hbytes_clear(&t->early);
    hbytes_clear(&t->kept);
    t->hop = HTTP_HOP_FINAL;
    t->dropped = t->info.downloaded = t->info.uploaded = 0;
    t->info.download_total = t->info.upload_total = -1;
    t->info.requests++;
    t->speed_bytes = 0;
    if (t->hop_count < HTTP_TRANSFER_HOPS_MAX)
        t->hops[t->hop_count++] = (http_hop_times_t){.started_us = http_transfer__now_us(t)};
    err = http_transfer__secure(t);
    t->info.url = t->url->text;
    t->info.scheme = http_client__is_secure(t->url) ? "https" : "http";
    if (err < 0 || http_transfer__find_login(t) < 0 || reach_server(t) < 0 ||
        http_transfer__send_head(t, &exchange_callbacks) < 0)
        return -EINVAL;
    if (t->fault != HTTP_FAULT_NONE) /* aborted by what was told of the hop */
        http_exchange_abort(t->exchange, -ECANCELED);
    else if (t->paused)
        http_exchange_pause(t->exchange);
    return 0;
}

/* ---- public ---------------------------------------------------------------------------------- */

static bool allows(unsigned schemes, const hurl_t *url)
{
    unsigned all = HTTP_SCHEME_HTTP | HTTP_SCHEME_HTTPS;
    unsigned which = 0;

    if (url->scheme.len == 4 && memcmp(url->scheme.data, "http", 4) == 0)
        which = HTTP_SCHEME_HTTP;
    else if (http_client__is_secure(url))
        which = HTTP_SCHEME_HTTPS;
    return which & (schemes ? schemes : all);
}

bool http_transfer__allows(http_transfer_t *t, unsigned schemes, const hurl_t *url)
{
    if (allows(schemes, url))
        return true;
    http_transfer__fail(t, HTTP_FAULT_SCHEME, "the protocol \"%.*s\" is not supported%s",
                        (int)url->scheme.len, url->scheme.data, allows(0, url) ? " here" : "");
    return false;
}

static void set_method(http_transfer_t *t)
{
    const http_transfer_options_t *o = &t->options;

    t->kind = o->no_body          ? HTTP_KIND_HEAD
              : o->put && o->body ? HTTP_KIND_PUT
              : o->body           ? HTTP_KIND_POST
                                  : HTTP_KIND_GET;
    t->custom_method = o->method != NULL;
}

int http_transfer_start(http_client_t *client, const http_transfer_options_t *options,
                        const http_transfer_callbacks_t *callbacks, void *userdata,
                        http_transfer_t **transfer)
{
    http_transfer_t *t = client->closing ? NULL : hmem_zalloc(sizeof(*t));

    if (!t)
        return client->closing ? HERR_CLOSED : -ENOMEM;
    t->client = client;
    t->options = *options;
    t->callbacks = callbacks;
    t->userdata = userdata;
    t->url = options->url;
    t->home_port = options->url->port;
    t->home_secure = http_client__is_secure(options->url);
    t->started_us = htime_monotonic_us();
    t->info.id = client->transfer_count++;
    hlist_push_back(&client->transfers, &t->link);
    if (options->referer && !(t->referer = hmem_strdup(options->referer)))
        goto no_memory;
    if (set_limits(t) < 0)
        goto no_memory;
    set_method(t);
    if ((!http_transfer__allows(t, options->schemes, t->url) || begin_hop(t) < 0) &&
        finish_later(t) < 0)
        goto no_memory;
    *transfer = t;
    return 0;
no_memory:
    transfer_free(t);
    return -ENOMEM;
}

void http_transfer_pause(http_transfer_t *transfer)
{
    transfer->paused = true;
    if (transfer->exchange)
        http_exchange_pause(transfer->exchange);
}

void http_transfer_resume(http_transfer_t *transfer)
{
    transfer->paused = false;
    if (transfer->exchange)
        http_exchange_resume(transfer->exchange);
}

void http_transfer_abort(http_transfer_t *transfer, http_fault_e fault, const char *reason)
{
    if (transfer->closing)
        return;
    http_transfer__fail(transfer, fault, "%s", reason ? reason : "stopped");
    end_now(transfer);
}
