#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "dns_fixture.h"
#include "loop_test.h"
#include "net/hdial.h"
#include "oom.h"

#define STEPS_MAX 6
#define REQUEST_MAX 4096

/* What the proxy waits for (text in what has come, or a number of bytes), and what it says then. */
typedef struct step_s {
    const char *until;
    size_t bytes;
    const void *reply;
    size_t reply_len;
    bool close;
} step_t;

/* Text behind which the target's first bytes come at once. */
#define SAY(text) .reply = (text), .reply_len = sizeof(text) - 1

typedef struct world_s {
    hloop_t *loop;
    hio_t *listener;
    htls_ctx_t *server_tls, *client_tls;
    uint16_t port;
    hproxy_t proxies[3];
    hdial_options_t options;
    dns_server_t server;
    hdns_t *dns;
    const step_t *steps;
    size_t step, step_count;
    char got[REQUEST_MAX];
    size_t len;
    char all[4 * REQUEST_MAX]; /* every request, one after another */
    size_t all_len;
    int connections;
} world_t;

typedef struct result_s {
    int calls, err;
    hdial_step_e step;
    hio_t *io;
    char error[HDIAL_ERROR_SIZE];
    hdial_times_t times;
} result_t;

static void on_dial(hdial_t *dial, hio_t *io, int err, void *arg)
{
    result_t *r = arg;

    r->calls++;
    r->err = err;
    r->io = io;
    r->step = hdial_step(dial);
    snprintf(r->error, sizeof(r->error), "%s", hdial_error(dial));
    hdial_times(dial, &r->times);
    assert_true((err == 0) == (io != NULL));
}

/* ---- the proxy ------------------------------------------------------------------------------- */

static void proxy_on_read(hio_t *io, void *buf, int len)
{
    world_t *w = hevent_userdata(io);

    assert_true(w->len + (size_t)len < sizeof(w->got));
    memcpy(w->got + w->len, buf, (size_t)len);
    w->len += (size_t)len;
    w->got[w->len] = '\0';
    while (w->step < w->step_count) {
        const step_t *step = &w->steps[w->step];

        if (step->until ? !strstr(w->got, step->until) : w->len < step->bytes)
            return;
        memcpy(w->all + w->all_len, w->got, w->len);
        w->all_len += w->len;
        w->len = 0;
        w->got[0] = '\0';
        w->step++;
        hio_write(io, step->reply, step->reply_len);
        if (step->close)
            hio_close(io);
        if (step->close)
            return;
    }
}

static void proxy_on_accept(hio_t *io)
{
    world_t *w = hevent_userdata(io);

    w->connections++;
    w->len = 0;
    if (w->server_tls)
        htls_server(io, w->server_tls);
    hio_setcb_read(io, proxy_on_read);
    hio_read(io);
}

static void begin(world_t *w, const char *proxy)
{
    hdns_options_t options = {.hosts_file = "", .no_search = true};
    struct sockaddr_in addr;
    char text[300];

    memset(w, 0, sizeof(*w));
    w->loop = new_loop();
    assert_true(dns_start(&w->server, w->loop));
    options.servers = w->server.servers;
    assert_int_equal(hdns_new(w->loop, &options, &w->dns), 0);
    w->listener = hio_get(w->loop, bound_socket(SOCK_STREAM | SOCK_NONBLOCK, &addr));
    w->port = ntohs(addr.sin_port);
    hevent_set_userdata(w->listener, w);
    hio_setcb_accept(w->listener, proxy_on_accept);
    assert_int_equal(hio_accept(w->listener), 0);
    snprintf(text, sizeof(text), "%s127.0.0.1:%u", proxy, w->port);
    assert_int_equal(hproxy_parse(&w->proxies[0], text, HPROXY_HTTP, NULL, 0), 0);
    w->options.dns = w->dns;
    w->options.proxies = w->proxies;
    w->options.proxy_count = 1;
}

static void end(world_t *w)
{
    hdns_free(w->dns);
    hloop_free(&w->loop);
    htls_ctx_free(w->server_tls);
    htls_ctx_free(w->client_tls);
}

static void dial_to(world_t *w, const char *host, const step_t *steps, size_t count, result_t *r)
{
    hendpoint_t to;

    memset(r, 0, sizeof(*r));
    w->steps = steps;
    w->step_count = count;
    w->step = 0;
    w->all_len = 0;
    w->connections = 0;
    memset(w->all, 0, sizeof(w->all));
    assert_int_equal(hendpoint_set(&to, HENDPOINT_TCP, host, 25), 0);
    assert_int_equal(hdial_start(w->loop, &to, &w->options, on_dial, r, NULL), 0);
    RUN_UNTIL(w->loop, r->calls > 0);
}

/* The dial must succeed, and "hello" is what the target said first. */
static void expect_hello(world_t *w, result_t *r)
{
    seen_t seen;

    if (r->err)
        fail_msg("%s", r->error);
    assert_int_equal(r->step, HDIAL_STEP_DONE);
    assert_true(r->times.proxied_us > 0);
    observe(r->io, &seen);
    settle(w->loop); /* nothing is read before it is asked for */
    assert_int_equal(seen.got, 0);
    hio_read(r->io);
    RUN_UNTIL(w->loop, seen.got >= 5);
    assert_string_equal(seen.first, "hello");
    hio_close(r->io);
    RUN_UNTIL(w->loop, seen.closes == 1);
}

static void expect_failure(world_t *w, result_t *r, int err, const char *words)
{
    char line[600];

    snprintf(line, sizeof(line), "proxy 127.0.0.1:%u: %s", w->port, words);
    assert_string_equal(r->error, line);
    assert_int_equal(r->err, err);
    assert_int_equal(r->step, HDIAL_STEP_PROXY);
    settle(w->loop);
    assert_int_equal(r->calls, 1);
}

/* ---- HTTP ------------------------------------------------------------------------------------ */

static void connect_asks_for_the_name(void **state)
{
    static const step_t steps[] = {
        {.until = "\r\n\r\n",
         SAY("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nX: y\r\n\r\nhello")}};
    world_t w;
    result_t r;

    (void)state;
    begin(&w, "");
    dial_to(&w, "nx.test", steps, 1, &r);
    expect_hello(&w, &r);
    assert_non_null(strstr(w.all, "CONNECT nx.test:25 HTTP/1.1\r\n"));
    assert_null(strstr(w.all, "Authorization"));
    assert_int_equal(w.server.asked, 0);
    end(&w);
}

static void a_login_is_sent_when_it_is_asked_for(void **state)
{
    static const step_t stays[] = {
        {.until = "\r\n\r\n",
         SAY("HTTP/1.1 407 No\r\nProxy-Authenticate: Basic realm=\"x\"\r\n"
             "Content-Length: 5\r\n\r\nsorry")},
        {.until = "\r\n\r\n", SAY("HTTP/1.1 200 OK\r\n\r\nhello")}};
    static const step_t closes[] = {
        {.until = "\r\n\r\n",
         SAY("HTTP/1.0 407 No\r\nProxy-Authenticate: Basic realm=\"x\"\r\n\r\nsorry"),
         .close = true},
        {.until = "\r\n\r\n", SAY("HTTP/1.0 200 OK\r\n\r\nhello")}};
    world_t w;
    result_t r;

    (void)state;
    begin(&w, "http://me:secret@");
    dial_to(&w, "example.com", stays, 2, &r);
    expect_hello(&w, &r);
    assert_int_equal(w.connections, 1);
    assert_non_null(strstr(w.all, "Proxy-Authorization: Basic bWU6c2VjcmV0\r\n"));
    dial_to(&w, "example.com", closes, 2, &r);
    expect_hello(&w, &r);
    assert_int_equal(w.connections, 2);
    end(&w);
}

static void digest_is_preferred(void **state)
{
    static const step_t steps[] = {
        {.until = "\r\n\r\n",
         SAY("HTTP/1.1 407 No\r\nProxy-Authenticate: Basic realm=\"x\"\r\nProxy-Authenticate: "
             "Digest realm=\"x\", nonce=\"abc\", qop=\"auth\", algorithm=SHA-256\r\n"
             "Content-Length: 0\r\n\r\n")},
        {.until = "\r\n\r\n",
         SAY("HTTP/1.1 407 Old\r\nProxy-Authenticate: Digest realm=\"x\", nonce=\"def\", "
             "qop=\"auth\", stale=true\r\nContent-Length: 0\r\n\r\n")},
        {.until = "\r\n\r\n", SAY("HTTP/1.1 200 OK\r\n\r\nhello")}};
    world_t w;
    result_t r;

    (void)state;
    begin(&w, "http://me:secret@");
    dial_to(&w, "example.com", steps, 3, &r);
    expect_hello(&w, &r);
    assert_int_equal(w.connections, 1);
    assert_non_null(strstr(w.all, "Proxy-Authorization: Digest "));
    assert_non_null(strstr(w.all, "nonce=\"abc\""));
    assert_non_null(strstr(w.all, "nonce=\"def\""));
    assert_null(strstr(w.all, "Basic"));
    end(&w);
}

static void a_refusal_shows_the_status_line(void **state)
{
    static const step_t no_user[] = {
        {.until = "\r\n\r\n",
         SAY("HTTP/1.1 407 Proxy Authentication Required\r\n"
             "Proxy-Authenticate: Basic realm=\"x\"\r\nContent-Length: 0\r\n\r\n")}};
    static const step_t wrong[] = {
        {.until = "\r\n\r\n",
         SAY("HTTP/1.1 407 First\r\nProxy-Authenticate: Basic realm=\"x\"\r\n"
             "Content-Length: 0\r\n\r\n")},
        {.until = "\r\n\r\n",
         SAY("HTTP/1.1 407 Wrong\r\nProxy-Authenticate: Basic realm=\"x\"\r\n"
             "Content-Length: 0\r\n\r\n")}};
    static const step_t forbidden[] = {
        {.until = "\r\n\r\n", SAY("HTTP/1.1 403 \x1b[31mForbidden\r\n\r\n")}};
    world_t w;
    result_t r;

    (void)state;
    begin(&w, "");
    dial_to(&w, "example.com", no_user, 1, &r);
    expect_failure(&w, &r, HERR_PROXY, "407 Proxy Authentication Required");
    end(&w);
    begin(&w, "http://me:secret@");
    dial_to(&w, "example.com", wrong, 2, &r);
    expect_failure(&w, &r, HERR_PROXY, "407 Wrong");
    dial_to(&w, "example.com", forbidden, 1, &r);
    assert_int_equal(r.err, HERR_PROXY);
    assert_null(strchr(r.error, 0x1b));
    end(&w);
}

static void what_is_no_answer_is_told(void **state)
{
    static char long_line[70000];
    const step_t nonsense[] = {{.until = "\r\n\r\n", SAY("SSH-2.0-OpenSSH\r\n\r\n")}};
    const step_t half[] = {{.until = "\r\n\r\n", SAY("HTTP/1.1 2"), .close = true}};
    const step_t nothing[] = {{.until = "\r\n\r\n", SAY(""), .close = true}};
    const step_t megabyte[] = {
        {.until = "\r\n\r\n", .reply = long_line, .reply_len = sizeof(long_line)}};
    world_t w;
    result_t r;

    (void)state;
    memset(long_line, 'a', sizeof(long_line));
    begin(&w, "");
    dial_to(&w, "example.com", nonsense, 1, &r);
    expect_failure(&w, &r, HERR_PROXY, "its answer is not HTTP");
    dial_to(&w, "example.com", half, 1, &r);
    expect_failure(&w, &r, HERR_PROXY, "it closed the connection without an answer");
    dial_to(&w, "example.com", nothing, 1, &r);
    expect_failure(&w, &r, HERR_PROXY, "it closed the connection without an answer");
    dial_to(&w, "example.com", megabyte, 1, &r);
    expect_failure(&w, &r, HERR_PROXY, "the head of its answer is too long");
    w.options.timeout_ms = 60;
    dial_to(&w, "example.com", NULL, 0, &r);
    expect_failure(&w, &r, -ETIMEDOUT, "no answer in time");
    end(&w);
}

/* ---- SOCKS ----------------------------------------------------------------------------------- */

static const step_t granted_5[] = {{.bytes = 3, SAY("\5\0")},
                                   {.bytes = 10, SAY("\5\0\0\1\1\2\3\4\0\7hello")}};

static void socks5_is_given_numbers_or_names(void **state)
{
    static const char number[] = "\5\1\0\5\1\0\1\177\0\0\1\0\31";
    static const char name[] = "\5\1\0\5\1\0\3\7nx.test\0\31";
    world_t w;
    result_t r;

    (void)state;
    begin(&w, "socks5://");
    dial_to(&w, "both.test", granted_5, 2, &r);
    expect_hello(&w, &r);
    assert_memory_equal(w.all, number, sizeof(number) - 1);
    dial_to(&w, "nx.test", granted_5, 2, &r);
    expect_failure(&w, &r, HERR_RESOLVE, "cannot resolve nx.test for it: no such name");
    dial_to(&w, "127.0.0.1", granted_5, 2, &r);
    expect_hello(&w, &r);
    end(&w);
    begin(&w, "socks5h://");
    dial_to(&w, "nx.test", granted_5, 2, &r);
    expect_hello(&w, &r);
    assert_memory_equal(w.all, name, sizeof(name) - 1);
    end(&w);
}

static void socks5_logs_in(void **state)
{
    static const step_t steps[] = {{.bytes = 4, SAY("\5\2")},
                                   {.bytes = 11, SAY("\1\0")},
                                   {.bytes = 10, SAY("\5\0\0\1\1\2\3\4\0\7hello")}};
    static const step_t wrong[] = {{.bytes = 4, SAY("\5\2")}, {.bytes = 11, SAY("\1\1")}};
    world_t w;
    result_t r;

    (void)state;
    begin(&w, "socks5://me:secret@");
    dial_to(&w, "127.0.0.1", steps, 3, &r);
    expect_hello(&w, &r);
    assert_memory_equal(w.all + 4, "\1\2me\6secret", 11);
    dial_to(&w, "127.0.0.1", wrong, 2, &r);
    assert_int_equal(r.err, HERR_PROXY);
    assert_null(strstr(r.error, "secret"));
    end(&w);
}

static void socks4_and_4a_are_spoken(void **state)
{
    static const step_t granted[] = {{.bytes = 9, SAY("\0\132\0\0\0\0\0\0hello")}};
    static const step_t refused[] = {{.bytes = 9, SAY("\0\133\0\0\0\0\0\0")}};
    world_t w;
    result_t r;

    (void)state;
    begin(&w, "socks4://");
    dial_to(&w, "both.test", granted, 1, &r);
    expect_hello(&w, &r);
    assert_memory_equal(w.all, "\4\1\0\31\177\0\0\1\0", 9);
    dial_to(&w, "127.0.0.1", refused, 1, &r);
    assert_int_equal(r.err, HERR_PROXY);
    dial_to(&w, "::1", granted, 1, &r);
    assert_true(r.err < 0);
    end(&w);
    begin(&w, "socks4a://");
    dial_to(&w, "nx.test", granted, 1, &r);
    expect_hello(&w, &r);
    assert_memory_equal(w.all, "\4\1\0\31\0\0\0\1\0nx.test\0", 17);
    end(&w);
}

static void socks5_tells_the_reason(void **state)
{
    static const step_t refused[] = {{.bytes = 3, SAY("\5\0")},
                                     {.bytes = 10, SAY("\5\5\0\1\0\0\0\0\0\0")}};
    world_t w;
    result_t r;

    (void)state;
    begin(&w, "socks5://");
    dial_to(&w, "127.0.0.1", refused, 2, &r);
    expect_failure(&w, &r, HERR_PROXY, "connection refused");
    end(&w);
}

/* ---- chains and TLS -------------------------------------------------------------------------- */

static void proxies_are_chained(void **state)
{
    static const step_t steps[] = {{.bytes = 3, SAY("\5\0")},
                                   {.bytes = 10, SAY("\5\0\0\1\1\2\3\4\0\7")},
                                   {.until = "\r\n\r\n", SAY("HTTP/1.1 200 OK\r\n\r\n")},
                                   {.bytes = 9, SAY("\0\132\0\0\0\0\0\0hello")}};
    world_t w;
    result_t r;

    (void)state;
    begin(&w, "socks5h://");
    hproxy_parse(&w.proxies[1], "http://second:8080", HPROXY_HTTP, NULL, 0);
    hproxy_parse(&w.proxies[2], "socks4a://third:1080", HPROXY_HTTP, NULL, 0);
    w.options.proxy_count = 3;
    dial_to(&w, "target.test", steps, 4, &r);
    expect_hello(&w, &r);
    assert_memory_equal(w.all + 3, "\5\1\0\3\6second\37\220", 13);
    assert_non_null(strstr(w.all + 16, "CONNECT third:1080 "));
    end(&w);
}

static htls_ctx_t *new_tls(bool server)
{
    htls_options_t options = {.server = server, .self_signed = server, .insecure = !server};
    htls_ctx_t *ctx;
    char error[HTLS_ERROR_SIZE];

    if (htls_ctx_new(&options, &ctx, error, sizeof(error)) != 0)
        fail_msg("%s", error);
    return ctx;
}

static void an_https_proxy_is_spoken_to_over_tls(void **state)
{
    static const step_t steps[] = {{.until = "\r\n\r\n", SAY("HTTP/1.1 200 OK\r\n\r\nhello")}};
    world_t w;
    result_t r;

    (void)state;
    begin(&w, "https://");
    w.server_tls = new_tls(true);
    w.client_tls = new_tls(false);
    w.options.proxy_tls = w.client_tls;
    dial_to(&w, "example.com", steps, 1, &r);
    expect_hello(&w, &r);
    w.options.proxy_tls = NULL; /* the certificate is nobody's */
    dial_to(&w, "example.com", steps, 1, &r);
    assert_int_equal(r.err, HERR_CERTIFICATE);
    assert_int_equal(r.step, HDIAL_STEP_PROXY);
    assert_memory_equal(r.error, "TLS with 127.0.0.1: ", 20);
    end(&w);
}

static void tls_follows_the_connection(void **state)
{
    static const step_t steps[] = {{.bytes = 0, SAY("hello")}};
    world_t w;
    result_t r;
    seen_t seen;
    hendpoint_t to;

    (void)state;
    begin(&w, "");
    w.server_tls = new_tls(true);
    w.client_tls = new_tls(false);
    w.options.proxy_count = 0;
    w.options.tls = w.client_tls;
    memset(&r, 0, sizeof(r));
    hendpoint_set(&to, HENDPOINT_TLS, "127.0.0.1", w.port);
    w.steps = steps;
    w.step_count = 1;
    assert_int_equal(hdial_start(w.loop, &to, &w.options, on_dial, &r, NULL), 0);
    RUN_UNTIL(w.loop, r.calls > 0);
    if (r.err)
        fail_msg("%s", r.error);
    assert_true(r.times.tls_us > 0);
    observe(r.io, &seen);
    hio_read(r.io);
    hio_write(r.io, "x", 1);
    RUN_UNTIL(w.loop, seen.got == 5);
    hio_close(r.io);
    RUN_UNTIL(w.loop, seen.closes == 1);
    assert_int_equal(seen.connects, 0);
    end(&w);
}

static void a_peer_without_tls_is_told(void **state)
{
    static const step_t steps[] = {{.bytes = 1, SAY("220 mail.example ESMTP\r\n")}};
    world_t w;
    result_t r;
    hendpoint_t to;

    (void)state;
    begin(&w, "");
    w.client_tls = new_tls(false);
    w.options.proxy_count = 0;
    w.options.tls = w.client_tls;
    w.steps = steps;
    w.step_count = 1;
    memset(&r, 0, sizeof(r));
    hendpoint_set(&to, HENDPOINT_TLS, "127.0.0.1", w.port);
    assert_int_equal(hdial_start(w.loop, &to, &w.options, on_dial, &r, NULL), 0);
    RUN_UNTIL(w.loop, r.calls > 0);
    assert_int_equal(r.step, HDIAL_STEP_TLS);
    assert_memory_equal(r.error, "TLS with 127.0.0.1: ", 20);
    assert_true(strlen(r.error) > 25);
    end(&w);
}

/* ---- the end --------------------------------------------------------------------------------- */

static void a_proxy_that_is_not_there_is_a_matter_of_connecting(void **state)
{
    world_t w;
    result_t r;
    char line[200];

    (void)state;
    begin(&w, "socks5://");
    hio_close(w.listener);
    settle(w.loop);
    dial_to(&w, "127.0.0.1", NULL, 0, &r);
    assert_int_equal(r.err, -ECONNREFUSED);
    assert_int_equal(r.step, HDIAL_STEP_CONNECT);
    snprintf(line, sizeof(line),
             "connect to proxy 127.0.0.1 port %u: Connection refused (127.0.0.1)", w.port);
    assert_string_equal(r.error, line);
    end(&w);
}

static void a_cancelled_talk_is_silent(void **state)
{
    static const step_t steps[] = {
        {.until = "\r\n\r\n",
         SAY("HTTP/1.1 407 No\r\nProxy-Authenticate: Basic realm=\"x\"\r\n"
             "Content-Length: 5\r\n\r\nsorr")}};
    world_t w;
    result_t r = {0};
    hendpoint_t to;
    hdial_t *dial;

    (void)state;
    begin(&w, "http://me:secret@");
    w.steps = steps;
    w.step_count = 1;
    hendpoint_set(&to, HENDPOINT_TCP, "example.com", 25);
    for (int rounds = 0; rounds < 30; rounds++) {
        w.step = 0;
        assert_int_equal(hdial_start(w.loop, &to, &w.options, on_dial, &r, &dial), 0);
        for (int i = 0; i < rounds; i++) {
            hloop_wakeup(w.loop);
            hloop_run(w.loop);
        }
        hdial_cancel(dial);
        settle(w.loop);
    }
    assert_int_equal(r.calls, 0);
    end(&w);
}

static int oom_scenario(void *arg)
{
    static const step_t steps[] = {
        {.bytes = 3, SAY("\5\0")},
        {.bytes = 10, SAY("\5\0\0\1\1\2\3\4\0\7")},
        {.until = "\r\n\r\n",
         SAY("HTTP/1.1 407 No\r\nProxy-Authenticate: Basic realm=\"x\"\r\n"
             "Content-Length: 5\r\n\r\nsorry")},
        {.until = "\r\n\r\n", SAY("HTTP/1.1 200 OK\r\n\r\n")}};
    world_t *w = arg;
    hloop_options_t loop_options = {.flags = HLOOP_FLAG_RUN_ONCE, .poller = test_poller};
    hendpoint_t to;
    result_t r = {0};
    int err = 0;

    memset(w, 0, sizeof(*w));
    w->loop = hloop_new_with(&loop_options);
    if (!w->loop)
        return -ENOMEM;
    hproxy_parse(&w->proxies[1], "http://a:b@second:1", HPROXY_HTTP, NULL, 0);
    w->options.proxies = w->proxies;
    w->options.proxy_count = 2;
    w->options.timeout_ms = 150; /* the proxy may want memory, and has none */
    w->steps = steps;
    w->step_count = 4;
    {
        struct sockaddr_in addr;
        char text[64];
        int fd = bound_socket(SOCK_STREAM | SOCK_NONBLOCK, &addr);

        w->listener = hio_get(w->loop, fd);
        if (!w->listener)
            close(fd);
        snprintf(text, sizeof(text), "socks5h://127.0.0.1:%u", ntohs(addr.sin_port));
        hproxy_parse(&w->proxies[0], text, HPROXY_HTTP, NULL, 0);
    }
    if (w->listener) {
        hevent_set_userdata(w->listener, w);
        hio_setcb_accept(w->listener, proxy_on_accept);
        err = hio_accept(w->listener);
    } else {
        err = -ENOMEM;
    }
    hendpoint_set(&to, HENDPOINT_TCP, "127.0.0.1", 25);
    if (!err)
        err = hdial_start(w->loop, &to, &w->options, on_dial, &r, NULL);
    while (!err && r.calls == 0)
        hloop_run(w->loop);
    hloop_free(&w->loop);
    return err || r.err ? -ENOMEM : 0;
}

static void every_allocation_may_fail(void **state)
{
    world_t w;

    (void)state;
    oom_run(oom_scenario, &w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(connect_asks_for_the_name),
        cmocka_unit_test(a_login_is_sent_when_it_is_asked_for),
        cmocka_unit_test(digest_is_preferred),
        cmocka_unit_test(a_refusal_shows_the_status_line),
        cmocka_unit_test(what_is_no_answer_is_told),
        cmocka_unit_test(socks5_is_given_numbers_or_names),
        cmocka_unit_test(socks5_logs_in),
        cmocka_unit_test(socks4_and_4a_are_spoken),
        cmocka_unit_test(socks5_tells_the_reason),
        cmocka_unit_test(proxies_are_chained),
        cmocka_unit_test(an_https_proxy_is_spoken_to_over_tls),
        cmocka_unit_test(tls_follows_the_connection),
        cmocka_unit_test(a_peer_without_tls_is_told),
        cmocka_unit_test(a_proxy_that_is_not_there_is_a_matter_of_connecting),
        cmocka_unit_test(a_cancelled_talk_is_silent),
        cmocka_unit_test(every_allocation_may_fail),
    };

    return run_on_each_poller("hdial_proxy", tests, ARRAY_LENGTH(tests));
}
