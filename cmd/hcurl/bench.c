/* The request that goes ahead tells who is asked in the end (redirects, --resolve, proxies) and
 * with which bytes: those that were traced of its last hop. */
#include "bench.h"

#include "app/hterm.h"
#include "base/hfile.h"
#include "base/hmem.h"
#include "base/hstr.h"
#include "bench_report.h"
#include "event/hsignal.h"
#include "event/htimer.h"
#include "status.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define SPARE_FILES 64 /* beside the connections */

// clang-format off
const hopt_t bench_rows[] = {
    HOPT_GROUP("Load run"),
    HOPT_FLAG(0, "bench", bench_options_t, bench,
              "send the request again and again, and tell how fast the answers come"),
    HOPT_FLAG(0, "bench-json", bench_options_t, json, "the same, and report as one JSON object"),
    HOPT_UINT(0, "count", bench_options_t, count, 1, UINT64_MAX,
              "requests in all; without --bench: make each transfer N times", .arg_name = "N"),
    HOPT_UINT(0, "concurrency", bench_options_t, concurrency, 1, BENCH_CONCURRENCY_MAX,
              "connections of a load run (10)", .arg_name = "N"),
    HOPT_SPAN(0, "duration", bench_options_t, duration_ms,
              "time of a load run (10s, unless there is a --count)", .arg_name = "TIME"),
    HOPT_UINT(0, "threads", bench_options_t, threads, 1, BENCH_THREADS_MAX,
              "threads of a load run (1)", .arg_name = "N"),
    HOPT_END,
};
// clang-format on

typedef struct bench_s {
    const bench_options_t *options;
    const bench_job_t *job;
    hbytes_t *error;
    int status; /* of the request that goes ahead */
    /* What it told. */
    hbytes_t request; /* the last head; the body follows it */
    char *url, *method;
    bool https, tunnel;
    haddr_t addr;
    htls_ctx_t *tls;
    char host[HENDPOINT_HOST_SIZE]; /* of the URL */
    uint16_t port;
    load_t *load;
    unsigned seconds; /* that were told */
    uint64_t responses;
} bench_t;

bool bench_wanted(const bench_options_t *options)
{
    return options->bench || options->json;
}

static int say(bench_t *b, int status, const char *text)
{
    hbytes_clear(b->error);
    hbytes_append_str(b->error, text);
    return status;
}

/* ---- the body -------------------------------------------------------------------------------- */

/* All of it into memory: it is sent again and again, by several threads. */
static int read_body(bench_t *b, http_source_t *source, hbytes_t *body)
{
    int64_t length = source ? http_source_length(source) : 0;
    ssize_t n = 1;

    if (length < 0)
        return say(b, STATUS_USAGE, "a load run needs a body of known length: a file, not a pipe");
    if (length > (int64_t)BENCH_BODY_MAX)
        return say(b, STATUS_USAGE, "the body is too large for a load run");
    if (length == 0)
        return 0;
    if (hbytes_reserve(body, (size_t)length) < 0)
        return say(b, STATUS_MEMORY, status_words(STATUS_MEMORY));
    while (body->len < (size_t)length && n > 0) {
        n = http_source_read(source, body->data + body->len, (size_t)length - body->len);
        if (n > 0)
            body->len += (size_t)n;
    }
    if (body->len < (size_t)length)
        return say(b, STATUS_READ, n < 0 ? herr_str((int)n) : "the body is shorter than it was");
    return 0;
}

/* ---- the request that goes ahead ------------------------------------------------------------- */

static void on_head(http_transfer_t *transfer, http_hop_e hop,
                    const http_exchange_response_t *response, void *userdata)
{
    bench_t *b = userdata;
    hio_t *io = http_transfer_io(transfer);

    (void)response;
    b->tunnel |= hop == HTTP_HOP_CONNECT;
    if (hop != HTTP_HOP_FINAL && hop != HTTP_HOP_INTERIM)
        hbytes_clear(&b->request); /* another one follows */
    if (io && hio_peeraddr(io))
        haddr_set(&b->addr, hio_peeraddr(io), hio_peeraddr_len(io));
}

static int on_body(http_transfer_t *transfer, http_span_t data, void *userdata)
{
    (void)transfer;
    (void)data;
    (void)userdata;
    return 0;
}

static void on_trace(http_transfer_t *transfer, http_trace_e kind, http_span_t data, void *userdata)
{
    bench_t *b = userdata;

    if (kind == HTTP_TRACE_HEAD_OUT && hbytes_append(&b->request, data.data, data.len) < 0)
        http_transfer_abort(transfer, HTTP_FAULT_MEMORY, NULL);
}

/* The last request. */
static http_fault_e take_info(bench_t *b, const http_transfer_info_t *info)
{
    hurl_t url;
    int err = hurl_parse(&url, info->url, strlen(info->url), NULL, 0);

    if (err == 0) {
        snprintf(b->host, sizeof(b->host), "%.*s", (int)url.host.len, url.host.data);
        b->port = (uint16_t)url.port;
    }
    hurl_deinit(&url);
    b->url = hmem_strdup(info->url);
    b->method = hmem_strdup(info->method);
    b->https = strcmp(info->scheme, "https") == 0;
    return err < 0 || !b->url || !b->method ? HTTP_FAULT_MEMORY : HTTP_FAULT_NONE;
}

static void on_close(http_transfer_t *transfer, http_fault_e fault, void *userdata)
{
    bench_t *b = userdata;
    http_transfer_info_t info;

    http_transfer_info(transfer, &info);
    if (fault == HTTP_FAULT_NONE)
        fault = take_info(b, &info);
    b->status = status_of_fault(fault);
    if (b->status != 0)
        say(b, b->status, http_transfer_error(transfer));
    if (b->status != 0 && b->error->len == 0)
        say(b, b->status, status_words(b->status));
    hloop_stop(b->job->loop);
}

static int go_ahead(bench_t *b, http_source_t *body)
{
    static const http_transfer_callbacks_t callbacks = {
        .on_head = on_head, .on_body = on_body, .on_trace = on_trace, .on_close = on_close};
    http_transfer_options_t options = *b->job->transfer;
    http_transfer_t *transfer;
    int err;

    options.body = body;
    options.expect = -1;
    err = http_transfer_start(b->job->client, &options, &callbacks, b, &transfer);
    if (err == 0)
        err = hloop_run(b->job->loop);
    if (err < 0)
        return say(b, err == -ENOMEM ? STATUS_MEMORY : STATUS_ARGUMENT, herr_str(err));
    return b->status;
}

/* ---- the load run ---------------------------------------------------------------------------- */

/* What cannot be seen in the connection: a proxy that is not spoken to in HTTP. */
static bool through_socks(const bench_t *b)
{
    const http_client_options_t *connect = b->job->connect;
    hproxy_t proxy;

    if (connect->pre_proxy)
        return true;
    if (connect->proxy)
        return connect->proxy->type != HPROXY_HTTP;
    return connect->proxy_env && !connect->unix_path &&
           hproxy_from_env(&proxy, b->https ? "https" : "http", b->host, b->port, NULL, 0) > 0 &&
           proxy.type != HPROXY_HTTP;
}

/* Whether the bytes mean the same when they are sent again, to that address; the body, which a
 * redirect may have dropped, is put behind them. */
static int complete(bench_t *b, const hbytes_t *body)
{
    http_span_t head = {b->request.data, b->request.len}, value = {NULL, 0}, line;

    if (b->tunnel || through_socks(b))
        return say(b, STATUS_USAGE, "a load run does not go through a tunnel");
    http_line_next(&head, &line);
    if (http_field_find(head, "Authorization", &value) && value.len > 6 &&
        http_span_ieq((http_span_t){value.data, 6}, "Digest"))
        return say(b, STATUS_USAGE, "a load run cannot answer a challenge for each request");
    if (http_field_find(head, "Transfer-Encoding", &value))
        return say(b, STATUS_USAGE, "a load run sends no chunks");
    if (http_field_find(head, "Content-Length", &value) &&
        hbytes_append(&b->request, body->data, body->len) < 0)
        return say(b, STATUS_MEMORY, status_words(STATUS_MEMORY));
    return 0;
}

static int find_tls(bench_t *b)
{
    const http_client_options_t *connect = b->job->connect;
    char why[HTTP_CLIENT_ERROR_SIZE] = "";
    http_fault_e fault = HTTP_FAULT_TLS;
    int err = 0;

    if (connect->tls_cb)
        err = connect->tls_cb(false, &b->tls, &fault, why, sizeof(why), connect->tls_arg);
    else if (connect->dial.tls)
        b->tls = htls_ctx_ref(connect->dial.tls);
    else
        err = htls_ctx_new(&(htls_options_t){0}, &b->tls, why, sizeof(why));
    return err < 0 ? say(b, status_of_fault(fault), why[0] ? why : herr_str(err)) : 0;
}

static void fill(const bench_t *b, load_options_t *load)
{
    const bench_options_t *options = b->options;
    const http_client_options_t *connect = b->job->connect;
    uint32_t limit_ms = b->job->transfer->total_ms;

    *load = (load_options_t){
        .dial = connect->dial,
        .request = {b->request.data, b->request.len},
        .method = http_method_of(http_span(b->method)),
        .count = options->count,
        .concurrency = options->concurrency ?: BENCH_CONCURRENCY,
        .threads = options->threads ?: 1,
        .timeout_ms = limit_ms ?: BENCH_TIMEOUT_MS,
        .duration_ms = options->duration_ms,
    };
    if (options->count == 0)
        load->duration_ms = options->duration_ms ?: BENCH_DURATION_MS;
    load->dial.dns = NULL; /* of another loop */
    load->dial.tls = b->tls;
    load->dial.tls_name = b->host;
    if (connect->unix_path) {
        hendpoint_set(&load->to, HENDPOINT_UNIX, connect->unix_path, 0);
        return;
    }
    load->to.scheme = b->tls ? HENDPOINT_TLS : HENDPOINT_TCP;
    load->to.port = (uint16_t)haddr_port(&b->addr.u.sa);
    hstr_copy(load->to.host, sizeof(load->to.host), b->host);
    load->dial.addrs = &b->addr;
    load->dial.addr_count = 1;
}

/* As many descriptors as there are connections, if the system lets us. */
static void allow_files(uint32_t count)
{
    struct rlimit limit;
    rlim_t wanted = (rlim_t)count + SPARE_FILES;

    if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur >= wanted)
        return;
    limit.rlim_cur = limit.rlim_max < wanted ? limit.rlim_max : wanted;
    setrlimit(RLIMIT_NOFILE, &limit);
}

static void on_done(hevent_t *ev)
{
    hloop_stop(hevent_loop(ev));
}

/* A line that is drawn again and again, on a terminal. */
static void on_second(htimer_t *timer)
{
    bench_t *b = hevent_userdata(timer);
    uint64_t responses = load_responses(b->load);

    fprintf(stderr, "\r%u s  %llu responses, %llu/s\033[K", ++b->seconds,
            (unsigned long long)responses, (unsigned long long)(responses - b->responses));
    b->responses = responses;
}

static void clear_line(const bench_t *b)
{
    if (b->seconds > 0)
        fputs("\r\033[K", stderr);
}

static void on_signal(hsignal_t *sig)
{
    bench_t *b = hevent_userdata(sig);

    load_stop(b->load);
}

static int run(bench_t *b, const load_options_t *options)
{
    hsignal_t *signals[2] = {NULL, NULL};
    htimer_t *second = NULL;
    int err;

    allow_files(options->concurrency);
    err = load_new(options, &b->load);
    if (err < 0)
        return err;
    signals[0] = hsignal_add(b->job->loop, on_signal, SIGINT);
    signals[1] = hsignal_add(b->job->loop, on_signal, SIGTERM);
    for (int i = 0; i < 2; i++)
        if (signals[i])
            hevent_set_userdata(signals[i], b);
    if (b->job->progress && hterm_is_tty(STDERR_FILENO))
        second = htimer_add(b->job->loop, on_second, 1000, INFINITE);
    if (second)
        hevent_set_userdata(second, b);
    err = load_start(b->load, b->job->loop, on_done, b);
    if (err == 0)
        err = hloop_run(b->job->loop);
    htimer_del(second);
    clear_line(b);
    hsignal_del(signals[0]);
    hsignal_del(signals[1]);
    return err;
}

/* ---- what it came to ------------------------------------------------------------------------- */

static int status_of(const load_result_t *result)
{
    static const int statuses[LOAD_FAULT_COUNT] = {
        [LOAD_FAULT_CONNECT] = STATUS_CONNECT, [LOAD_FAULT_TLS] = STATUS_TLS,
        [LOAD_FAULT_EMPTY] = STATUS_EMPTY,     [LOAD_FAULT_PARTIAL] = STATUS_PARTIAL,
        [LOAD_FAULT_RESET] = STATUS_RECEIVE,   [LOAD_FAULT_TIMEOUT] = STATUS_TIMEOUT,
        [LOAD_FAULT_REPLY] = STATUS_REPLY,     [LOAD_FAULT_OTHER] = STATUS_MEMORY,
    };
    int most = 0;

    for (int i = 1; i < LOAD_FAULT_COUNT; i++)
        if (result->faults[i] > result->faults[most])
            most = i;
    return result->faults[most] > 0 ? statuses[most] : 0;
}

static int report(bench_t *b, const load_options_t *options)
{
    bench_facts_t facts = {
        .method = b->method,
        .url = b->url,
        .concurrency = options->concurrency,
        .threads =
            options->threads < options->concurrency ? options->threads : options->concurrency,
        .result = load_result(b->load),
    };
    int status = status_of(facts.result), err = 0;
    hbytes_t text = {0};

    if (b->options->json)
        err = bench_report_json(&facts, &text);
    else
        bench_report_text(&facts, &text);
    if (err == 0)
        err = hfile_write_all(b->job->out, text.data, text.len);
    hbytes_deinit(&text);
    if (err < 0)
        return say(b, STATUS_WRITE, herr_str(err));
    return status ? say(b, status, "not every request had its response") : 0;
}

static int load(bench_t *b, const hbytes_t *body)
{
    load_options_t options;
    int status = complete(b, body), err;

    if (status == 0 && b->https)
        status = find_tls(b);
    if (status)
        return status;
    fill(b, &options);
    err = run(b, &options);
    if (err < 0)
        return say(b, err == -ENOMEM ? STATUS_MEMORY : STATUS_CONNECT, herr_str(err));
    return report(b, &options);
}

int bench_run(const bench_options_t *options, const bench_job_t *job, hbytes_t *error)
{
    bench_t b = {.options = options, .job = job, .error = error};
    http_source_t *source = NULL;
    hbytes_t body = {0};
    int status = read_body(&b, job->transfer->body, &body);

    if (status == 0 && job->transfer->body && http_source_memory(body.data, body.len, &source) < 0)
        status = say(&b, STATUS_MEMORY, status_words(STATUS_MEMORY));
    if (status == 0)
        status = go_ahead(&b, source);
    if (status == 0)
        status = load(&b, &body);
    load_free(b.load);
    htls_ctx_free(b.tls);
    http_source_free(source);
    hbytes_deinit(&body);
    hbytes_deinit(&b.request);
    hmem_free(b.url);
    hmem_free(b.method);
    return status;
}
