/* What went wrong, in the terms that programs decide by. */
#include "http_client_int.h"

/* SOCKS or CONNECT. */
static http_fault_e fault_of_proxy(const http_transfer_t *t, int err)
{
    if (!t->origin->route.tunnel)
        return HTTP_FAULT_PROXY;
    if (err == HERR_PROTOCOL)
        return HTTP_FAULT_REPLY;
    return err == HERR_PROXY && t->info.connect_status > 0 ? HTTP_FAULT_CONNECT
                                                           : HTTP_FAULT_RECEIVE;
}

/* An address needs no resolving: one of the family that is not wanted is one that no connection
 * leads to. */
static http_fault_e fault_of_resolving(const http_route_t *route)
{
    haddr_t addr;

    if (route->forward || route->proxy_count > 0)
        return HTTP_FAULT_RESOLVE_PROXY;
    return haddr_parse(&addr, route->to.host, route->to.port) == 0 ? HTTP_FAULT_CONNECT
                                                                   : HTTP_FAULT_RESOLVE;
}

/* The step of the dial that failed. */
static http_fault_e fault_of_dial(const http_transfer_t *t, int err)
{
    switch (err) {
    case -ETIMEDOUT:
        return HTTP_FAULT_TIMEOUT;
    case HERR_CERTIFICATE:
        return HTTP_FAULT_CERTIFICATE;
    case HERR_PIN:
        return HTTP_FAULT_PIN;
    case HERR_TLS:
        return HTTP_FAULT_TLS;
    default:
        break;
    }
    switch (http_exchange_step(t->exchange)) {
    case HDIAL_STEP_RESOLVE:
        return fault_of_resolving(&t->origin->route);
    case HDIAL_STEP_CONNECT:
        return HTTP_FAULT_CONNECT;
    case HDIAL_STEP_PROXY:
        return fault_of_proxy(t, err);
    default:
        return HTTP_FAULT_TLS;
    }
}

static http_fault_e fault_of_head(const http_transfer_t *t, int err)
{
    bool is_http = http_exchange_is_http(t->exchange);
    http_exchange_times_t times;

    http_exchange_times(t->exchange, &times);
    switch (err) {
    case HERR_PROTOCOL:
        /* Who has spoken HTTP before errs in it; a proxy with its tunnel is somebody else. */
        return is_http || times.reused || (t->info.head_bytes > 0 && t->info.connect_status == 0)
                   ? HTTP_FAULT_REPLY
                   : HTTP_FAULT_VERSION;
    case HERR_UNSUPPORTED:
        return is_http ? HTTP_FAULT_CODING : HTTP_FAULT_VERSION;
    case HERR_FRAME_SIZE:
        return http_exchange_head_is_full(t->exchange) ? HTTP_FAULT_RECEIVE : HTTP_FAULT_TOO_LARGE;
    case HERR_TRUNCATED:
        return is_http ? HTTP_FAULT_PARTIAL : HTTP_FAULT_EMPTY;
    case -EPIPE:
        return HTTP_FAULT_SEND;
    default:
        return HTTP_FAULT_RECEIVE;
    }
}

static http_fault_e fault_of_body(int err)
{
    return err == HERR_TRUNCATED ? HTTP_FAULT_PARTIAL : HTTP_FAULT_RECEIVE;
}

static bool is_line(const char *text)
{
    for (; *text; text++) {
        if (((unsigned char)*text < ' ' && *text != '\t') || *text == 0x7f)
            return false;
    }
    return true;
}

static bool blame_field(http_transfer_t *t, const http_extra_t *field)
{
    bool named = http_is_token(http_span(field->name));

    if (named && (!field->value || is_line(field->value)))
        return false;
    http_transfer__fail(t, HTTP_FAULT_USAGE,
                        named ? "the header %.100s has a line end or another control character in "
                                "its value"
                              : "the header name \"%.100s\" has characters that no name may have",
                        field->name);
    return true;
}

void http_transfer__blame(http_transfer_t *t)
{
    const http_transfer_options_t *o = &t->options;
    const char *agent = o->user_agent;

    for (size_t i = 0; i < o->field_count; i++) {
        if (blame_field(t, &o->fields[i]))
            return;
    }
    for (size_t i = 0; i < o->proxy_field_count; i++) {
        if (blame_field(t, &o->proxy_fields[i]))
            return;
    }
    if (!http_is_token(http_span(t->method)))
        http_transfer__fail(t, HTTP_FAULT_USAGE, "\"%.100s\" is no method", t->method);
    else if (agent && !is_line(agent))
        http_transfer__fail(t, HTTP_FAULT_USAGE, "the user agent has control characters in it");
    else
        http_transfer__fail(t, HTTP_FAULT_USAGE,
                            "the target, the referer, the range or a cookie has characters that "
                            "cannot be sent");
}

void http_transfer__explain(http_transfer_t *t, int err)
{
    const char *text = http_exchange_error(t->exchange);
    http_fault_e fault;

    if (t->fault != HTTP_FAULT_NONE) /* that is why it ended */
        return;
    t->info.error = err;
    if (err == -ENOMEM)
        fault = HTTP_FAULT_MEMORY;
    else if (http_exchange_step(t->exchange) != HDIAL_STEP_DONE)
        fault = fault_of_dial(t, err);
    else if (err == -ETIMEDOUT)
        fault = HTTP_FAULT_TIMEOUT;
    else
        fault = t->has_head ? fault_of_body(err) : fault_of_head(t, err);
    if (fault == HTTP_FAULT_CONNECT && http_exchange_step(t->exchange) == HDIAL_STEP_PROXY)
        http_transfer__fail(t, fault, "CONNECT tunnel failed, response %d", t->info.connect_status);
    else if (fault == HTTP_FAULT_PARTIAL && t->info.download_total >= 0)
        http_transfer__fail(t, fault, "%s: %llu of %lld bytes have come", text,
                            (unsigned long long)t->info.downloaded,
                            (long long)t->info.download_total);
    else
        http_transfer__fail(t, fault, "%s", text);
}
