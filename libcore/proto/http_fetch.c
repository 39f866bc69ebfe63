/* The response is kept as text, one NUL behind the other: reason, URL, then name and value of each
 * field; what points into it is made when all is there, for it may move until then. */
#include "http_fetch.h"

#include "../base/hmem.h"
#include "../base/hstr.h"

#include <string.h>

typedef struct fetch_s {
    const http_fetch_options_t *options;
    http_fetched_t *got;
    hloop_t *loop;
    http_client_t *client;
    http_source_t *source;
    size_t body_max;
    int err;
} fetch_t;

static int error_of(http_fault_e fault)
{
    switch (fault) {
    case HTTP_FAULT_NONE:
        return 0;
    case HTTP_FAULT_URL:
        return HERR_SYNTAX;
    case HTTP_FAULT_SCHEME:
    case HTTP_FAULT_CODING:
        return HERR_UNSUPPORTED;
    case HTTP_FAULT_RESOLVE:
    case HTTP_FAULT_RESOLVE_PROXY:
        return HERR_RESOLVE;
    case HTTP_FAULT_CONNECT:
        return -ECONNREFUSED;
    case HTTP_FAULT_PROXY:
        return HERR_PROXY;
    case HTTP_FAULT_CERTIFICATE:
    case HTTP_FAULT_PIN:
        return HERR_CERTIFICATE;
    case HTTP_FAULT_TLS:
    case HTTP_FAULT_CA_FILE:
    case HTTP_FAULT_CLIENT_CERT:
    case HTTP_FAULT_CIPHERS:
    case HTTP_FAULT_CRL:
        return HERR_TLS;
    case HTTP_FAULT_PARTIAL:
    case HTTP_FAULT_EMPTY:
        return HERR_TRUNCATED;
    case HTTP_FAULT_SEND:
    case HTTP_FAULT_RECEIVE:
        return -ECONNRESET;
    case HTTP_FAULT_REDIRECTS:
        return -ELOOP;
    case HTTP_FAULT_SIZE:
        return -EFBIG;
    case HTTP_FAULT_TIMEOUT:
        return -ETIMEDOUT;
    case HTTP_FAULT_MEMORY:
        return -ENOMEM;
    case HTTP_FAULT_USAGE:
        return -EINVAL;
    default:
        return HERR_PROTOCOL;
    }
}

/* ---- what comes ------------------------------------------------------------------------------ */

static int keep(hbytes_t *memory, http_span_t text)
{
    int err = hbytes_append(memory, text.data, text.len);

    return err == 0 ? hbytes_append_char(memory, '\0') : err;
}

static void on_head(http_transfer_t *transfer, http_hop_e hop,
                    const http_exchange_response_t *response, void *userdata)
{
    fetch_t *fetch = userdata;
    hbytes_t *memory = &fetch->got->head_memory;
    http_transfer_info_t info;
    int err;

    if (hop != HTTP_HOP_FINAL)
        return;
    http_transfer_info(transfer, &info);
    fetch->got->status = response->status;
    fetch->got->field_count = 0;
    hbytes_clear(memory);
    err = keep(memory, response->reason);
    if (err == 0)
        err = keep(memory, http_span(info.url));
    for (size_t i = 0; i < response->field_count && err == 0; i++) {
        err = keep(memory, response->fields[i].name);
        if (err == 0)
            err = keep(memory, response->fields[i].value);
        if (err == 0)
            fetch->got->field_count++;
    }
    if (err < 0)
        http_transfer_abort(transfer, HTTP_FAULT_MEMORY, NULL);
}

static int on_body(http_transfer_t *transfer, http_span_t data, void *userdata)
{
    fetch_t *fetch = userdata;
    hbytes_t *body = &fetch->got->body_memory;

    if (data.len > fetch->body_max - body->len) {
        http_transfer_abort(transfer, HTTP_FAULT_SIZE, "the response is too large");
        return 0;
    }
    if (hbytes_append(body, data.data, data.len) < 0)
        http_transfer_abort(transfer, HTTP_FAULT_MEMORY, NULL);
    return 0;
}

static void on_close(http_transfer_t *transfer, http_fault_e fault, void *userdata)
{
    fetch_t *fetch = userdata;

    fetch->got->fault = fault;
    fetch->err = error_of(fault);
    hstr_copy(fetch->got->error, sizeof(fetch->got->error), http_transfer_error(transfer));
    hloop_stop(fetch->loop);
}

/* Where all of it is, now that it moves no more. */
static int point(http_fetched_t *got)
{
    const char *at = got->head_memory.data;

    got->body = got->body_memory.data ? got->body_memory.data : "";
    got->body_len = got->body_memory.len;
    got->reason = at ? at : "";
    got->url = at ? at + strlen(at) + 1 : "";
    if (got->field_count == 0)
        return 0;
    got->fields = hmem_array(got->field_count, sizeof(*got->fields));
    if (!got->fields) {
        got->field_count = 0;
        return -ENOMEM;
    }
    at = got->url + strlen(got->url) + 1;
    for (size_t i = 0; i < got->field_count; i++) {
        got->fields[i].name = at;
        at += strlen(at) + 1;
        got->fields[i].value = at;
        at += strlen(at) + 1;
    }
    return 0;
}

/* ---- what is asked --------------------------------------------------------------------------- */

static int make_tls(bool proxy, htls_ctx_t **ctx, http_fault_e *fault, char *error,
                    size_t error_size, void *arg)
{
    const fetch_t *fetch = arg;
    htls_options_t options = {.alpn = "http/1.1"};

    (void)fault;
    if (!proxy) {
        options.insecure = fetch->options->insecure;
        options.ca_file = fetch->options->ca_file;
    }
    return htls_ctx_new(&options, ctx, error, error_size);
}

static int make_client(fetch_t *fetch)
{
    http_client_options_t options = {
        .proxy_env = true,
        .unix_path = fetch->options->unix_path,
        .tls_cb = make_tls,
        .tls_arg = fetch,
    };

    fetch->loop = hloop_new(0);
    if (!fetch->loop)
        return errno ? -errno : -ENOMEM;
    return http_client_new(fetch->loop, &options, &fetch->client);
}

static int run(fetch_t *fetch, const hurl_t *url)
{
    static const http_transfer_callbacks_t callbacks = {
        .on_head = on_head, .on_body = on_body, .on_close = on_close};
    const http_fetch_options_t *o = fetch->options;
    http_transfer_options_t options = {
        .url = url,
        .method = o->method,
        .fields = o->fields,
        .field_count = o->field_count,
        .user_agent = "hnet",
        .body = fetch->source,
        .content_type = o->content_type,
        .login = o->login,
        .follow = !o->no_follow,
        .accept_encoding = "",
        .total_ms = o->timeout_ms ? o->timeout_ms : HTTP_FETCH_TIMEOUT_MS,
    };
    http_transfer_t *transfer;
    int err;

    err = http_transfer_start(fetch->client, &options, &callbacks, fetch, &transfer);
    if (err == 0)
        err = hloop_run(fetch->loop);
    return err < 0 ? err : fetch->err;
}

static int make_source(fetch_t *fetch)
{
    const http_fetch_options_t *o = fetch->options;
    size_t len = o->body_len;

    if (!o->body)
        return 0;
    if (len == 0)
        len = strlen(o->body);
    return http_source_memory(o->body, len, &fetch->source);
}

/* ---- public ---------------------------------------------------------------------------------- */

int http_fetch(const char *url, const http_fetch_options_t *options, http_fetched_t *got)
{
    static const http_fetch_options_t defaults;
    fetch_t fetch = {.options = options ? options : &defaults, .got = got};
    hurl_t parsed;
    int err, pointed;

    memset(got, 0, sizeof(*got));
    fetch.body_max = fetch.options->body_max ? fetch.options->body_max : HTTP_FETCH_BODY_MAX;
    err = hurl_parse(&parsed, url, strlen(url), NULL, HURL_GUESS);
    if (err < 0 && err != -ENOMEM)
        got->fault = HTTP_FAULT_URL;
    if (err == 0)
        err = make_source(&fetch);
    if (err == 0)
        err = make_client(&fetch);
    if (err == 0)
        err = run(&fetch, &parsed);
    http_client_free(fetch.client);
    if (fetch.loop)
        hloop_free(&fetch.loop);
    http_source_free(fetch.source);
    hurl_deinit(&parsed);
    pointed = point(got);
    if (err == 0)
        err = pointed;
    if (err < 0 && got->fault == HTTP_FAULT_NONE)
        got->fault = err == -ENOMEM ? HTTP_FAULT_MEMORY : HTTP_FAULT_USAGE;
    if (err < 0 && got->error[0] == '\0')
        hstr_copy(got->error, sizeof(got->error),
                  got->fault == HTTP_FAULT_URL ? "that is no URL" : herr_str(err));
    return err;
}

void http_fetched_deinit(http_fetched_t *got)
{
    hbytes_deinit(&got->head_memory);
    hbytes_deinit(&got->body_memory);
    hmem_free(got->fields);
    memset(got, 0, sizeof(*got));
}

const char *http_fetched_field(const http_fetched_t *got, const char *name)
{
    for (size_t i = 0; i < got->field_count; i++)
        if (hstr_ieq(got->fields[i].name, name))
            return got->fields[i].value;
    return NULL;
}
