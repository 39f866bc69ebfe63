/* One thread. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "oom.h"
#include "proxy_fixture.h"

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

static void tls_goes_through_an_https_proxy(void **state)
{
    static const step_t steps[] = {
        {.until = "\r\n\r\n", SAY("HTTP/1.1 200 OK\r\n\r\n"), .tls = true},
        {.until = "hi", SAY("hello")}};
    world_t w;
    result_t r;
    seen_t seen;

    (void)state;
    begin(&w, "https://");
    w.server_tls = new_tls(true);
    w.client_tls = new_tls(false);
    w.options.proxy_tls = w.options.tls = w.client_tls;
    dial_to(&w, "example.com", steps, 2, &r);
    if (r.err)
        fail_msg("%s", r.error);
    assert_true(r.times.tls_us >= r.times.proxied_us);
    observe(r.io, &seen);
    hio_read(r.io);
    hio_write(r.io, "hi", 2);
    RUN_UNTIL(w.loop, seen.got == 5);
    assert_string_equal(seen.first, "hello");
    hio_close(r.io);
    RUN_UNTIL(w.loop, seen.closes == 1);
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

static void without_a_host_the_certificate_is_to_be_this_machines(void **state)
{
    static const step_t steps[] = {{.bytes = 0, SAY("hello")}};
    world_t w;
    result_t r;
    hendpoint_t to;
    htls_info_t info;

    (void)state;
    begin(&w, "");
    w.server_tls = new_tls(true);
    w.client_tls = new_tls(false);
    w.options.proxy_count = 0;
    w.options.tls = w.client_tls;
    w.steps = steps;
    w.step_count = 1;
    memset(&r, 0, sizeof(r));
    hendpoint_set(&to, HENDPOINT_TLS, "", w.port);
    assert_int_equal(hdial_start(w.loop, &to, &w.options, on_dial, &r, NULL), 0);
    RUN_UNTIL(w.loop, r.calls > 0);
    if (r.err)
        fail_msg("%s", r.error);
    assert_int_equal(htls_info(r.io, &info), 0);
    assert_string_equal(info.server_name, "localhost");
    hio_abort(r.io, 0);
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
    w->options.timeout_ms = oom_limit_ms(150); /* the proxy may want memory, and has none */
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
        cmocka_unit_test(proxies_are_chained),
        cmocka_unit_test(an_https_proxy_is_spoken_to_over_tls),
        cmocka_unit_test(tls_goes_through_an_https_proxy),
        cmocka_unit_test(tls_follows_the_connection),
        cmocka_unit_test(without_a_host_the_certificate_is_to_be_this_machines),
        cmocka_unit_test(a_peer_without_tls_is_told),
        cmocka_unit_test(a_proxy_that_is_not_there_is_a_matter_of_connecting),
        cmocka_unit_test(a_cancelled_talk_is_silent),
        cmocka_unit_test(every_allocation_may_fail),
    };

    return run_on_each_poller("hdial_chain", tests, ARRAY_LENGTH(tests));
}
