/* States of a check:
 *   waiting (timer) -> dialling (hdial has the time limit) -> talking (timer) -> waiting ...
 * The timer exists as long as the check and is only re-armed; it sleeps while hdial works. */
#include "hcheck.h"

#include "../base/hbuf.h"
#include "../base/hmem.h"
#include "../base/hrandom.h"
#include "../base/hstr.h"
#include "../codec/http1.h"
#include "../codec/http1_write.h"
#include "../event/htimer.h"
#include "hdial.h"

#include <stdio.h>
#include <string.h>

#define FIRST_MS 1
#define REST_MS (INFINITE - 1)
#define JITTER_PERCENT_MAX 50
#define US_PER_MS 1000U
#define STATUS_MIN 100
#define STATUS_MAX 999

typedef enum { CHECK_WAITING, CHECK_DIALLING, CHECK_TALKING } check_state_e;

struct hcheck_s {
    hloop_t *loop;
    hcheck_options_t options; /* with defaults filled in */
    haddr_t addr;
    hendpoint_t endpoint;
    hcheck_cb cb;
    void *arg;
    check_state_e state;
    htimer_t *timer;
    hdial_t *dial;
    hio_t *io;
    uint64_t random, start_us;
    char *request; /* HTTP */
    size_t request_len;
    http1_parser_t parser;
    hbytes_t reply; /* what has come of a talk */
};

static const http1_options_t http_options = {
    .head_max = HCHECK_HEAD_MAX, .lenient = true, .any_coding = true};

static bool is_datagram(const hcheck_t *check)
{
    return hendpoint_socktype(&check->endpoint) == SOCK_DGRAM;
}

/* ---- the end of one check -------------------------------------------------------------------- */

static uint64_t elapsed_us(const hcheck_t *check)
{
    return hloop_now_hrtime(check->loop) - check->start_us;
}

static void drop_io(hcheck_t *check)
{
    hio_t *io = check->io;

    check->io = NULL;
    if (!io)
        return;
    hio_setcb_read(io, NULL);
    hio_setcb_close(io, NULL);
    hio_close(io);
}

/* From the start of one to the start of the next. */
static uint32_t next_ms(hcheck_t *check)
{
    uint64_t interval_ms = check->options.interval_ms;
    uint64_t span = interval_ms * check->options.jitter_percent / 100;
    uint64_t passed_ms = elapsed_us(check) / US_PER_MS;

    interval_ms += hrandom_next(&check->random) % (2 * span + 1);
    interval_ms -= span;
    return interval_ms > passed_ms ? (uint32_t)(interval_ms - passed_ms) : 1;
}

/* The callback may free the check: it comes last. */
static void finish(hcheck_t *check, const hcheck_result_t *result)
{
    hcheck_result_t told = *result;

    told.elapsed_us = elapsed_us(check);
    drop_io(check);
    http1_deinit(&check->parser);
    hbytes_deinit(&check->reply);
    check->state = CHECK_WAITING;
    htimer_reset(check->timer, next_ms(check));
    check->cb(check, &told, check->arg);
}

static void finish_with(hcheck_t *check, int err, const char *why)
{
    finish(check, &(hcheck_result_t){.err = err, .why = why});
}

/* ---- the talk -------------------------------------------------------------------------------- */

static void on_status(hcheck_t *check, int status)
{
    const hcheck_options_t *o = &check->options;
    hcheck_result_t result = {.status = status, .why = ""};
    char why[HCHECK_WHY_SIZE];

    if (status < o->http_first || status > o->http_last) {
        snprintf(why, sizeof(why), "HTTP status %d", status);
        result.err = HERR_PROTOCOL;
        result.why = why;
    }
    finish(check, &result);
}

static void on_http(hio_t *io, void *buf, int len)
{
    hcheck_t *check = hevent_userdata(io);
    http_span_t rest = {buf, (size_t)len};
    http_field_t fields[HTTP1_FIELDS_MAX];
    http1_message_t message;
    int event;

    http1_message_init(&message, fields, HTTP1_FIELDS_MAX);
    while ((event = http1_parse(&check->parser, &rest, &message)) > 0) {
        if (event == HTTP1_HEAD && (message.status >= 200 || message.status == 101)) {
            on_status(check, message.status);
            return;
        }
    }
    if (event < 0)
        finish_with(check, event, http1_reason(&check->parser));
}

static void on_reply(hio_t *io, void *buf, int len)
{
    hcheck_t *check = hevent_userdata(io);
    const hcheck_options_t *o = &check->options;
    size_t room = HCHECK_REPLY_MAX - check->reply.len;
    int err = hbytes_append(&check->reply, buf, (size_t)len < room ? (size_t)len : room);

    if (err)
        finish_with(check, err, herr_str(err));
    else if (o->expect_len == 0 || /* any datagram will do */
             (check->reply.len > 0 &&
              memmem(check->reply.data, check->reply.len, o->expect, o->expect_len)))
        finish_with(check, 0, "");
    else if (is_datagram(check) || check->reply.len == HCHECK_REPLY_MAX)
        finish_with(check, HERR_PROTOCOL, "the reply is not what is expected");
}

static void on_close(hio_t *io)
{
    hcheck_t *check = hevent_userdata(io);
    int err = hio_error(io);

    check->io = NULL;
    finish_with(check, err ? err : HERR_TRUNCATED,
                err ? herr_str(err) : "the connection was closed without a reply");
}

static bool waits_for_reply(const hcheck_t *check)
{
    const hcheck_options_t *o = &check->options;

    return is_datagram(check) || o->kind == HCHECK_HTTP ||
           (o->kind == HCHECK_TALK && o->expect_len > 0);
}

/* What is left of the time limit; a datagram's silence is no failure by itself. */
static uint32_t talk_ms(const hcheck_t *check)
{
    uint64_t passed_ms = elapsed_us(check) / US_PER_MS;
    uint32_t timeout_ms = check->options.timeout_ms;

    if (is_datagram(check) && check->options.expect_len == 0 && timeout_ms > HCHECK_DATAGRAM_MS)
        timeout_ms = HCHECK_DATAGRAM_MS;
    return timeout_ms > passed_ms ? (uint32_t)(timeout_ms - passed_ms) : 1;
}

static void talk(hcheck_t *check)
{
    const hcheck_options_t *o = &check->options;
    bool http = o->kind == HCHECK_HTTP;
    const void *data = http ? check->request : o->send;
    size_t len = http ? check->request_len : o->kind == HCHECK_TALK ? o->send_len : 0;
    int err = 0;

    check->state = CHECK_TALKING;
    htimer_reset(check->timer, talk_ms(check));
    if (http) {
        http1_init(&check->parser, HTTP1_RESPONSES, &http_options);
        http1_answer_to(&check->parser, HTTP_METHOD_GET);
    }
    hevent_set_userdata(check->io, check);
    hio_setcb_read(check->io, http ? on_http : on_reply);
    hio_setcb_close(check->io, on_close);
    if (len > 0 || is_datagram(check))
        err = hio_write(check->io, data, len);
    if (err >= 0 && waits_for_reply(check))
        err = hio_read(check->io);
    if (err < 0)
        finish_with(check, err, herr_str(err));
    else if (!waits_for_reply(check))
        finish_with(check, 0, "");
}

static void on_dial(hdial_t *dial, hio_t *io, int err, void *arg)
{
    hcheck_t *check = arg;

    check->dial = NULL;
    check->io = io;
    if (err)
        finish_with(check, err, hdial_error(dial));
    else
        talk(check);
}

/* ---- one check ------------------------------------------------------------------------------- */

static void begin(hcheck_t *check)
{
    const hcheck_options_t *o = &check->options;
    int timeout_ms = (int)o->timeout_ms;
    hdial_options_t dial = {.timeout_ms = timeout_ms,
                            .address_timeout_ms = timeout_ms,
                            .talk_timeout_ms = timeout_ms,
                            .addrs = &check->addr,
                            .addr_count = 1,
                            .proxy_protocol = o->proxy_protocol,
                            .proxy_local = true,
                            .tls = o->tls,
                            .tls_name = o->tls_name ? o->tls_name : ""};
    int err;

    check->start_us = hloop_now_hrtime(check->loop);
    check->state = CHECK_DIALLING;
    htimer_reset(check->timer, REST_MS);
    err = hdial_start(check->loop, &check->endpoint, &dial, on_dial, check, &check->dial);
    if (err)
        finish_with(check, err, herr_str(err));
}

static void time_out(hcheck_t *check)
{
    char why[HCHECK_WHY_SIZE];

    if (is_datagram(check) && check->options.expect_len == 0) {
        finish_with(check, 0, "");
        return;
    }
    snprintf(why, sizeof(why), "no reply within %g s", check->options.timeout_ms / 1000.0);
    finish_with(check, -ETIMEDOUT, why);
}

static void on_timer(htimer_t *timer)
{
    hcheck_t *check = hevent_userdata(timer);

    switch (check->state) {
    case CHECK_WAITING:
        begin(check);
        break;
    case CHECK_TALKING:
        time_out(check);
        break;
    case CHECK_DIALLING:
        break;
    }
}

/* ---- making ---------------------------------------------------------------------------------- */

static int set_endpoint(hcheck_t *check)
{
    bool datagram = check->options.datagram;
    char host[HADDR_FORMAT_SIZE];
    const struct sockaddr *sa = &check->addr.u.sa;

    haddr_ip(sa, host, sizeof(host));
    switch (sa->sa_family) {
    case AF_INET:
    case AF_INET6:
        if (check->options.port)
            haddr_set_port(&check->addr.u.sa, check->options.port);
        return hendpoint_set(&check->endpoint, datagram ? HENDPOINT_UDP : HENDPOINT_TCP, host,
                             haddr_port(sa));
    case AF_UNIX:
        return hendpoint_set(&check->endpoint, datagram ? HENDPOINT_UNIXGRAM : HENDPOINT_UNIX, host,
                             0);
    default:
        return -EINVAL;
    }
}

static void set_defaults(hcheck_options_t *o)
{
    if (o->interval_ms == 0)
        o->interval_ms = HCHECK_INTERVAL_MS;
    if (o->timeout_ms == 0)
        o->timeout_ms = HCHECK_TIMEOUT_MS;
    if (o->jitter_percent == 0)
        o->jitter_percent = HCHECK_JITTER_PERCENT;
    if (o->http_first == 0 && o->http_last == 0) {
        o->http_first = 200;
        o->http_last = 399;
    }
    if (!o->expect || o->kind != HCHECK_TALK)
        o->expect_len = 0;
    if (!o->send)
        o->send_len = 0;
    if (!o->http_path)
        o->http_path = "/";
}

/* Its length, or a negative error: a path or host that cannot stand in a request. */
static ssize_t write_request(const hcheck_options_t *o, const char *host, char *text, size_t size)
{
    http1_writer_t writer;

    if (!http_is_authority(http_span(host), false))
        return HERR_SYNTAX;
    http1_write_begin(&writer, text, size);
    http1_write_request(&writer, 1, HTTP_SPAN("GET"), http_span(o->http_path));
    http1_write_field(&writer, HTTP_SPAN("Host"), http_span(host));
    http1_write_field(&writer, HTTP_SPAN("User-Agent"), HTTP_SPAN("hnet-check"));
    http1_write_field(&writer, HTTP_SPAN("Accept"), HTTP_SPAN("*/*"));
    http1_write_field(&writer, HTTP_SPAN("Connection"), HTTP_SPAN("close"));
    return http1_write_end(&writer);
}

/* With the longest host that get_host could put in the place of one that is not given. */
static bool is_request(const hcheck_options_t *o)
{
    char text[HCHECK_SEND_MAX], longest[HENDPOINT_FORMAT_SIZE];
    const char *host = o->http_host && o->http_host[0] ? o->http_host : longest;

    memset(longest, 'x', sizeof(longest) - 1);
    longest[sizeof(longest) - 1] = '\0';
    return strlen(host) < sizeof(longest) && write_request(o, host, text, sizeof(text)) >= 0;
}

static bool are_valid(const hcheck_options_t *o)
{
    if (o->kind <= HCHECK_NONE || o->kind > HCHECK_HTTP || (o->kind == HCHECK_TLS && !o->tls))
        return false;
    if (o->datagram && (o->tls || o->kind == HCHECK_HTTP || o->proxy_protocol))
        return false;
    if (o->interval_ms > INT32_MAX || o->timeout_ms > INT32_MAX ||
        o->jitter_percent > JITTER_PERCENT_MAX)
        return false;
    if (o->send_len > HCHECK_SEND_MAX || o->expect_len > HCHECK_REPLY_MAX)
        return false;
    if (o->proxy_protocol < 0 || o->proxy_protocol > 2 || o->http_path[0] != '/')
        return false;
    if (o->kind == HCHECK_HTTP && !is_request(o))
        return false;
    return o->http_first >= STATUS_MIN && o->http_first <= o->http_last &&
           o->http_last <= STATUS_MAX;
}

/* Host: what is said, or the name that the certificate is for, or the address itself. */
static void get_host(const hcheck_t *check, char *buf, size_t size)
{
    const hcheck_options_t *o = &check->options;
    const hendpoint_t *ep = &check->endpoint;

    if (o->http_host && o->http_host[0])
        hstr_copy(buf, size, o->http_host);
    else if (o->tls_name && o->tls_name[0])
        hstr_copy(buf, size, o->tls_name);
    else if (hendpoint_is_unix(ep))
        hstr_copy(buf, size, "localhost");
    else
        hendpoint_format(ep, buf, size);
}

static int make_request(hcheck_t *check)
{
    char text[HCHECK_SEND_MAX], host[HENDPOINT_FORMAT_SIZE];
    ssize_t len;

    if (check->options.kind != HCHECK_HTTP)
        return 0;
    get_host(check, host, sizeof(host));
    len = write_request(&check->options, host, text, sizeof(text));
    if (len < 0)
        return -EINVAL;
    check->request = hmem_strndup(text, (size_t)len);
    check->request_len = (size_t)len;
    return check->request ? 0 : -ENOMEM;
}

int hcheck_new(hloop_t *loop, const haddr_t *addr, const hcheck_options_t *options, hcheck_cb cb,
               void *arg, hcheck_t **out)
{
    hcheck_t *check = hmem_zalloc(sizeof(*check));
    int err;

    if (!check)
        return -ENOMEM;
    check->loop = loop;
    check->options = *options;
    if (check->options.tls)
        htls_ctx_ref(check->options.tls);
    check->addr = *addr;
    check->cb = cb;
    check->arg = arg;
    check->random = hrandom_seed();
    hbytes_init(&check->reply, HCHECK_REPLY_MAX);
    set_defaults(&check->options);
    err = are_valid(&check->options) ? set_endpoint(check) : -EINVAL;
    if (!err)
        err = make_request(check);
    if (!err) {
        check->timer = htimer_add(loop, on_timer, FIRST_MS, INFINITE);
        err = check->timer ? 0 : -ENOMEM;
    }
    if (err) {
        hcheck_free(check);
        return err;
    }
    hevent_set_userdata(check->timer, check);
    *out = check;
    return 0;
}

bool hcheck_is_valid(const hcheck_options_t *options)
{
    hcheck_options_t filled = *options;

    set_defaults(&filled);
    return are_valid(&filled);
}

void hcheck_free(hcheck_t *check)
{
    if (!check)
        return;
    hdial_cancel(check->dial);
    drop_io(check);
    htimer_del(check->timer);
    htls_ctx_free(check->options.tls);
    http1_deinit(&check->parser);
    hbytes_deinit(&check->reply);
    hmem_free(check->request);
    hmem_free(check);
}

int hcheck_parse_status(const char *text, int *first, int *last)
{
    uint64_t low, high;
    char number[8];
    size_t len = strcspn(text, "-");
    int err;

    if (text[0] >= '1' && text[0] <= '9' && hstr_ieq(text + 1, "xx")) {
        *first = (text[0] - '0') * 100;
        *last = *first + 99;
        return 0;
    }
    if (len >= sizeof(number))
        return HERR_SYNTAX;
    hstr_copy(number, len + 1, text);
    err = hstr_parse_u64(number, STATUS_MIN, STATUS_MAX, &low);
    high = low;
    if (!err && text[len] == '-')
        err = hstr_parse_u64(text + len + 1, STATUS_MIN, STATUS_MAX, &high);
    if (!err && high < low)
        err = HERR_RANGE;
    if (err)
        return err;
    *first = (int)low;
    *last = (int)high;
    return 0;
}
