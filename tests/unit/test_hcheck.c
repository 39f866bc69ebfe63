/* One thread. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "loop_test.h"
#include "net/hcheck.h"
#include "oom.h"

#define SEEN_SIZE 1024

/* A server on the test's loop that says the same to everyone, and what came of the checks. */
typedef struct world_s {
    hloop_t *loop;
    hio_t *listener, *datagrams;
    haddr_t addr;
    const char *banner; /* said at once */
    const char *answer; /* said when something has come */
    size_t answer_len;
    bool in_pieces, hangs_up;
    htls_ctx_t *tls; /* the server's */
    char seen[SEEN_SIZE];
    size_t seen_len;
    hcheck_options_t options;
    hcheck_t *check;
    int calls, err, status;
    char why[HCHECK_WHY_SIZE];
} world_t;

/* ---- the server ------------------------------------------------------------------------------ */

static void say(world_t *w, hio_t *io, const char *text, size_t len)
{
    size_t step = w->in_pieces ? 1 : len;

    for (size_t at = 0; at < len; at += step)
        hio_write(io, text + at, step);
    if (w->hangs_up)
        hio_close(io);
}

static void on_server_read(hio_t *io, void *buf, int len)
{
    world_t *w = hevent_userdata(io);
    size_t room = SEEN_SIZE - 1 - w->seen_len;
    size_t n = (size_t)len < room ? (size_t)len : room;

    memcpy(w->seen + w->seen_len, buf, n);
    w->seen_len += n;
    if (w->answer)
        say(w, io, w->answer, w->answer_len);
}

static void on_accept(hio_t *io)
{
    world_t *w = hevent_userdata(io);

    hevent_set_userdata(io, w);
    hio_setcb_read(io, on_server_read);
    if (w->tls)
        htls_server(io, w->tls);
    hio_read(io);
    if (w->banner || w->hangs_up)
        say(w, io, w->banner ? w->banner : "", w->banner ? strlen(w->banner) : 0);
}

static bool begin(world_t *w, int type)
{
    const hloop_options_t options = {.flags = HLOOP_FLAG_RUN_ONCE, .poller = test_poller};
    struct sockaddr_in addr;
    hio_t *io;
    int fd;

    memset(w, 0, sizeof(*w));
    w->loop = hloop_new_with(&options);
    if (!w->loop)
        return false;
    fd = bound_socket(type | SOCK_NONBLOCK, &addr);
    w->options = (hcheck_options_t){.kind = HCHECK_CONNECT, .interval_ms = 20, .timeout_ms = 5000};
    assert_int_equal(haddr_set(&w->addr, (struct sockaddr *)&addr, sizeof(addr)), 0);
    io = hio_get(w->loop, fd);
    if (!io) {
        close(fd);
        return false;
    }
    hevent_set_userdata(io, w);
    if (type == SOCK_DGRAM) {
        w->options.datagram = true;
        w->datagrams = io;
        hio_setcb_read(io, on_server_read);
        return hio_read(io) == 0;
    }
    w->listener = io;
    hio_setcb_accept(io, on_accept);
    return hio_accept(io) == 0;
}

static void end(world_t *w)
{
    hcheck_free(w->check);
    htls_ctx_free(w->tls);
    htls_ctx_free(w->options.tls);
    hloop_free(&w->loop);
}

/* ---- the check ------------------------------------------------------------------------------- */

static void on_check(hcheck_t *check, const hcheck_result_t *result, void *arg)
{
    world_t *w = arg;

    assert_ptr_equal(check, w->check);
    assert_true((result->err == 0) == (result->why[0] == '\0'));
    w->calls++;
    w->err = result->err;
    w->status = result->status;
    snprintf(w->why, sizeof(w->why), "%s", result->why);
}

static void start(world_t *w)
{
    assert_int_equal(hcheck_new(w->loop, &w->addr, &w->options, on_check, w, &w->check), 0);
    assert_int_equal(w->calls, 0);
}

static void run(world_t *w)
{
    int calls = w->calls;

    RUN_UNTIL(w->loop, w->calls > calls);
}

/* One check with these settings; the check is freed. */
static void check_once(world_t *w)
{
    w->seen_len = 0;
    memset(w->seen, 0, sizeof(w->seen));
    w->calls = 0;
    start(w);
    run(w);
    hcheck_free(w->check);
    w->check = NULL;
}

static void expect(world_t *w, int err, const char *why)
{
    check_once(w);
    if (err != w->err || strstr(w->why, why) == NULL)
        print_error("%s, not %s: %s\n", herr_name(w->err), why, w->why);
    assert_int_equal(w->err, err);
    assert_non_null(strstr(w->why, why));
}

/* ---- tests ----------------------------------------------------------------------------------- */

static void connecting_again_and_again(void **state)
{
    char text[HADDR_FORMAT_SIZE];
    world_t w;

    (void)state;
    assert_true(begin(&w, SOCK_STREAM));
    start(&w);
    for (int i = 0; i < 3; i++) {
        run(&w);
        assert_int_equal(w.err, 0);
    }
    hio_close(w.listener);
    RUN_UNTIL(w.loop, w.err != 0);
    assert_int_equal(w.err, -ECONNREFUSED);
    haddr_ip(&w.addr.u.sa, text, sizeof(text));
    assert_non_null(strstr(w.why, text));
    assert_non_null(strstr(w.why, "Connection refused"));
    end(&w);
}

static void another_port_is_asked(void **state)
{
    world_t w;

    (void)state;
    assert_true(begin(&w, SOCK_STREAM));
    w.options.port = (uint16_t)haddr_port(&w.addr.u.sa);
    haddr_set_port(&w.addr.u.sa, 1);
    expect(&w, 0, "");
    end(&w);
}

static void what_is_expected_comes_or_not(void **state)
{
    static char flood[HCHECK_REPLY_MAX + 100];
    world_t w;

    (void)state;
    assert_true(begin(&w, SOCK_STREAM));
    w.options.kind = HCHECK_TALK;
    expect(&w, 0, ""); /* nothing to say, nothing to wait for */
    w.options.expect = "ready";
    w.options.expect_len = 5;
    w.banner = "220 mail.test ready\r\n";
    w.in_pieces = true;
    expect(&w, 0, "");
    w.banner = "220 busy\r\n";
    w.hangs_up = true;
    expect(&w, HERR_TRUNCATED, "closed without a reply");
    w.hangs_up = false;
    w.options.timeout_ms = 50;
    do /* until this machine is quick enough to connect within it */
        check_once(&w);
    while (strstr(w.why, "connect to "));
    assert_int_equal(w.err, -ETIMEDOUT);
    assert_string_equal(w.why, "no reply within 0.05 s");
    w.options.timeout_ms = 5000;
    w.in_pieces = false;
    memset(flood, 'x', sizeof(flood) - 1);
    memcpy(flood + HCHECK_REPLY_MAX - 5, "ready", 5);
    w.banner = flood;
    expect(&w, 0, "");
    memcpy(flood + HCHECK_REPLY_MAX - 5, "xready", 6);
    expect(&w, HERR_PROTOCOL, "not what is expected");
    w.banner = NULL;
    w.options.send = "PING\r\n";
    w.options.send_len = 6;
    w.answer = "+ready\0ready";
    w.answer_len = 12;
    w.options.expect = "\0ready";
    w.options.expect_len = 6;
    expect(&w, 0, "");
    assert_string_equal(w.seen, "PING\r\n");
    w.options.expect = NULL; /* said, and that is all */
    expect(&w, 0, "");
    end(&w);
}

static void an_http_status_is_well_or_not(void **state)
{
    static const struct {
        const char *answer;
        int first, last, err, status;
        const char *why;
    } rows[] = {
        {"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", 0, 0, 0, 200, ""},
        {"HTTP/1.1 204 No\r\n\r\n", 0, 0, 0, 204, ""},
        {"HTTP/1.0 301 M\r\nLocation: /\r\n\r\n", 0, 0, 0, 301, ""},
        {"HTTP/1.1 100 Go on\r\n\r\nHTTP/1.1 200 OK\r\n\r\n", 0, 0, 0, 200, ""},
        {"HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n", 0, 0, HERR_PROTOCOL, 503,
         "HTTP status 503"},
        {"HTTP/1.1 503 No\r\n\r\n", 503, 503, 0, 503, ""},
        {"HTTP/1.1 200 OK\r\n\r\n", 204, 204, HERR_PROTOCOL, 200, "HTTP status 200"},
        {"SSH-2.0-OpenSSH_9\r\n", 0, 0, HERR_PROTOCOL, 0, ""},
    };
    world_t w;

    (void)state;
    assert_true(begin(&w, SOCK_STREAM));
    w.options.kind = HCHECK_HTTP;
    for (size_t i = 0; i < 2 * ARRAY_LENGTH(rows); i++) {
        size_t row = i / 2;

        w.in_pieces = i % 2;
        w.answer = rows[row].answer;
        w.answer_len = strlen(w.answer);
        w.options.http_first = rows[row].first;
        w.options.http_last = rows[row].last;
        expect(&w, rows[row].err, rows[row].why);
        assert_int_equal(w.status, rows[row].status);
    }
    end(&w);
}

static void the_request_is_one(void **state)
{
    char host[HADDR_FORMAT_SIZE], wanted[SEEN_SIZE];
    world_t w;

    (void)state;
    assert_true(begin(&w, SOCK_STREAM));
    w.options.kind = HCHECK_HTTP;
    w.answer = "HTTP/1.1 200 OK\r\n\r\n";
    w.answer_len = strlen(w.answer);
    expect(&w, 0, "");
    haddr_format(&w.addr.u.sa, w.addr.len, host, sizeof(host));
    snprintf(wanted, sizeof(wanted),
             "GET / HTTP/1.1\r\nHost: %s\r\nUser-Agent: hnet-check\r\nAccept: */*\r\n"
             "Connection: close\r\n\r\n",
             host);
    assert_string_equal(w.seen, wanted);
    w.options.http_path = "/health?full=1";
    w.options.http_host = "app.test";
    expect(&w, 0, "");
    assert_non_null(strstr(w.seen, "GET /health?full=1 HTTP/1.1\r\nHost: app.test\r\n"));
    end(&w);
}

static void a_proxy_header_says_that_it_is_the_proxy(void **state)
{
    static const char v2[] = "\r\n\r\n\0\r\nQUIT\n\x20\0\0\0";
    world_t w;

    (void)state;
    assert_true(begin(&w, SOCK_STREAM));
    w.options.kind = HCHECK_TALK;
    w.options.send = "x";
    w.options.send_len = 1;
    w.options.expect = "y";
    w.options.expect_len = 1;
    w.answer = "y";
    w.answer_len = 1;
    w.options.proxy_protocol = 1;
    expect(&w, 0, "");
    assert_memory_equal(w.seen, "PROXY UNKNOWN\r\n", 15);
    w.options.proxy_protocol = 2;
    expect(&w, 0, "");
    assert_memory_equal(w.seen, v2, 16);
    end(&w);
}

static void datagrams_are_answered_or_refused(void **state)
{
    world_t w;

    (void)state;
    assert_true(begin(&w, SOCK_DGRAM));
    w.options.timeout_ms = 50;
    expect(&w, 0, ""); /* an empty one; silence is no refusal */
    w.options.kind = HCHECK_TALK;
    w.options.send = "ping";
    w.options.send_len = 4;
    expect(&w, 0, "");
    assert_string_equal(w.seen, "ping");
    w.options.expect = "pong";
    w.options.expect_len = 4;
    expect(&w, -ETIMEDOUT, "no reply within");
    w.options.timeout_ms = 5000;
    w.answer = "a pong";
    w.answer_len = 6;
    expect(&w, 0, "");
    w.answer = "ping";
    w.answer_len = 4;
    expect(&w, HERR_PROTOCOL, "not what is expected");
    hio_close(w.datagrams);
    settle(w.loop);
    expect(&w, -ECONNREFUSED, "Connection refused");
    w.options.expect = NULL;
    expect(&w, -ECONNREFUSED, "Connection refused");
    w.options.kind = HCHECK_CONNECT;
    expect(&w, -ECONNREFUSED, "Connection refused");
    end(&w);
}

static void unix_sockets_are_addresses_too(void **state)
{
    char path[64];
    world_t w;
    hio_t *io;
    int fd;

    (void)state;
    assert_true(begin(&w, SOCK_STREAM));
    snprintf(path, sizeof(path), "@hnet-check-%d", (int)getpid());
    assert_int_equal(haddr_unix(&w.addr, path), 0);
    expect(&w, -ECONNREFUSED, path);
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    assert_int_equal(bind(fd, &w.addr.u.sa, w.addr.len), 0);
    assert_int_equal(listen(fd, 8), 0);
    io = hio_get(w.loop, fd);
    hevent_set_userdata(io, &w);
    hio_setcb_accept(io, on_accept);
    hio_accept(io);
    w.options.kind = HCHECK_HTTP;
    w.answer = "HTTP/1.1 200 OK\r\n\r\n";
    w.answer_len = strlen(w.answer);
    expect(&w, 0, "");
    assert_non_null(strstr(w.seen, "Host: localhost\r\n"));
    end(&w);
}

static void tls_is_spoken(void **state)
{
    const htls_options_t server = {.server = true, .self_signed = true};
    const htls_options_t client = {.insecure = true};
    char error[HTLS_ERROR_SIZE];
    world_t w;

    (void)state;
    assert_true(begin(&w, SOCK_STREAM));
    assert_int_equal(htls_ctx_new(&server, &w.tls, error, sizeof(error)), 0);
    assert_int_equal(htls_ctx_new(&client, &w.options.tls, error, sizeof(error)), 0);
    w.options.kind = HCHECK_TLS;
    expect(&w, 0, "");
    w.options.kind = HCHECK_HTTP;
    w.answer = "HTTP/1.1 200 OK\r\n\r\n";
    w.answer_len = strlen(w.answer);
    w.options.tls_name = "app.test";
    expect(&w, 0, "");
    assert_non_null(strstr(w.seen, "Host: app.test\r\n"));
    htls_ctx_free(w.tls);
    w.tls = NULL;
    w.options.kind = HCHECK_TLS;
    expect(&w, HERR_TLS, "TLS with 127.0.0.1: ");
    end(&w);
}

static void what_cannot_be_is_refused(void **state)
{
    static const hcheck_options_t bad[] = {
        {0},
        {.kind = HCHECK_HTTP + 1},
        {.kind = HCHECK_TLS},
        {.kind = HCHECK_CONNECT, .jitter_percent = 51},
        {.kind = HCHECK_CONNECT, .interval_ms = UINT32_MAX},
        {.kind = HCHECK_CONNECT, .timeout_ms = UINT32_MAX},
        {.kind = HCHECK_CONNECT, .proxy_protocol = 3},
        {.kind = HCHECK_HTTP, .http_path = "health"},
        {.kind = HCHECK_HTTP, .http_path = "/a b"},
        {.kind = HCHECK_HTTP, .http_path = "/\r\nX: y"},
        {.kind = HCHECK_HTTP, .http_host = "a\r\nX: y"},
        {.kind = HCHECK_HTTP, .http_first = 300, .http_last = 200},
        {.kind = HCHECK_HTTP, .http_first = 1, .http_last = 200},
        {.kind = HCHECK_TALK, .send = "x", .send_len = HCHECK_SEND_MAX + 1},
        {.kind = HCHECK_TALK, .expect = "x", .expect_len = HCHECK_REPLY_MAX + 1},
    };
    static const hcheck_options_t requests[] = {
        {.kind = HCHECK_HTTP, .http_path = "here"},      {.kind = HCHECK_HTTP, .http_path = "/a b"},
        {.kind = HCHECK_HTTP, .http_path = "/a\r\nb"},   {.kind = HCHECK_HTTP, .http_host = "a b"},
        {.kind = HCHECK_HTTP, .http_host = "a\r\nb: c"},
    };
    static const hcheck_options_t http = {.kind = HCHECK_HTTP, .datagram = true};
    static const hcheck_options_t header = {
        .kind = HCHECK_TALK, .datagram = true, .proxy_protocol = 2};
    haddr_t vsock;
    world_t w;

    (void)state;
    assert_true(begin(&w, SOCK_STREAM));
    for (size_t i = 0; i < ARRAY_LENGTH(bad); i++)
        assert_int_equal(hcheck_new(w.loop, &w.addr, &bad[i], on_check, &w, &w.check), -EINVAL);
    for (size_t i = 0; i < ARRAY_LENGTH(requests); i++) {
        assert_false(hcheck_is_valid(&requests[i]));
        assert_int_equal(hcheck_new(w.loop, &w.addr, &requests[i], on_check, &w, &w.check),
                         -EINVAL);
    }
    assert_int_equal(hcheck_new(w.loop, &w.addr, &http, on_check, &w, &w.check), -EINVAL);
    assert_int_equal(hcheck_new(w.loop, &w.addr, &header, on_check, &w, &w.check), -EINVAL);
    assert_false(hcheck_is_valid(&http));
    assert_true(hcheck_is_valid(&w.options));
    haddr_vsock(&vsock, 2, 80);
    assert_int_equal(hcheck_new(w.loop, &vsock, &w.options, on_check, &w, &w.check), -EINVAL);
    end(&w);
}

static void statuses_are_parsed(void **state)
{
    static const struct {
        const char *text;
        int err, first, last;
    } rows[] = {
        {"200", 0, 200, 200},           {"2xx", 0, 200, 299},
        {"5XX", 0, 500, 599},           {"200-399", 0, 200, 399},
        {"100-999", 0, 100, 999},       {"", HERR_SYNTAX, 0, 0},
        {"0xx", HERR_SYNTAX, 0, 0},     {"2x", HERR_SYNTAX, 0, 0},
        {"200-", HERR_SYNTAX, 0, 0},    {"-200", HERR_SYNTAX, 0, 0},
        {"99", HERR_RANGE, 0, 0},       {"1000", HERR_RANGE, 0, 0},
        {"300-200", HERR_RANGE, 0, 0},  {"99999999999999", HERR_SYNTAX, 0, 0},
        {"200,204", HERR_SYNTAX, 0, 0},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        int first = 0, last = 0;

        assert_int_equal(hcheck_parse_status(rows[i].text, &first, &last), rows[i].err);
        assert_int_equal(first, rows[i].first);
        assert_int_equal(last, rows[i].last);
    }
}

static void on_check_free(hcheck_t *check, const hcheck_result_t *result, void *arg)
{
    world_t *w = arg;

    (void)result;
    w->calls++;
    hcheck_free(check);
}

static void it_may_be_freed_at_any_time(void **state)
{
    world_t w;

    (void)state;
    assert_true(begin(&w, SOCK_STREAM));
    assert_int_equal(hcheck_new(w.loop, &w.addr, &w.options, on_check_free, &w, &w.check), 0);
    run(&w);
    settle(w.loop);
    assert_int_equal(w.calls, 1);
    w.check = NULL;
    w.options.kind = HCHECK_HTTP; /* that is never answered */
    for (int iterations = 0; iterations < 12; iterations++) {
        w.calls = 0;
        start(&w);
        for (int i = 0; i < iterations; i++) {
            hloop_wakeup(w.loop);
            hloop_run(w.loop);
        }
        hcheck_free(w.check);
    }
    w.check = NULL;
    end(&w);
}

static void on_check_oom(hcheck_t *check, const hcheck_result_t *result, void *arg)
{
    world_t *w = arg;

    (void)check;
    w->calls++;
    w->err = result->err;
}

/* A check that fails for memory is one that failed; the next one comes all the same. */
static int one_check(void *arg)
{
    world_t w;
    int err;

    (void)arg;
    if (!begin(&w, SOCK_STREAM)) {
        hloop_free(&w.loop);
        return -ENOMEM;
    }
    w.options.kind = HCHECK_HTTP;
    w.options.timeout_ms = (uint32_t)oom_limit_ms(200);
    w.answer = "HTTP/1.1 200 OK\r\n\r\n";
    w.answer_len = strlen(w.answer);
    err = hcheck_new(w.loop, &w.addr, &w.options, on_check_oom, &w, &w.check);
    if (!err) {
        RUN_UNTIL(w.loop, w.calls > 0);
        err = w.err ? -ENOMEM : 0;
    }
    end(&w);
    return err;
}

static void every_allocation_may_fail(void **state)
{
    (void)state;
    if (strcmp(test_poller, "epoll") != 0)
        skip();
    assert_true(oom_run_pass(one_check, NULL, false) > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(connecting_again_and_again),
        cmocka_unit_test(another_port_is_asked),
        cmocka_unit_test(what_is_expected_comes_or_not),
        cmocka_unit_test(an_http_status_is_well_or_not),
        cmocka_unit_test(the_request_is_one),
        cmocka_unit_test(a_proxy_header_says_that_it_is_the_proxy),
        cmocka_unit_test(datagrams_are_answered_or_refused),
        cmocka_unit_test(unix_sockets_are_addresses_too),
        cmocka_unit_test(tls_is_spoken),
        cmocka_unit_test(what_cannot_be_is_refused),
        cmocka_unit_test(statuses_are_parsed),
        cmocka_unit_test(it_may_be_freed_at_any_time),
        cmocka_unit_test(every_allocation_may_fail),
    };

    return run_on_each_poller("hcheck", tests, ARRAY_LENGTH(tests));
}
