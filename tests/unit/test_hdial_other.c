/* One thread. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "hdial_fixture.h"
#include "oom.h"

static void unix_names_are_dialled_too(void **state)
{
    struct sockaddr_un sun = {.sun_family = AF_UNIX};
    world_t w;
    result_t r;
    char text[64];
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    (void)state;
    begin(&w);
    snprintf(text, sizeof(text), "unix:@hnet-dial-%d", (int)getpid());
    snprintf(sun.sun_path + 1, sizeof(sun.sun_path) - 1, "%s", text + 6);
    assert_int_equal(bind(fd, (struct sockaddr *)&sun,
                          (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(text + 5))),
                     0);
    assert_int_equal(listen(fd, 4), 0);
    dial_text(&w, text, &r);
    assert_int_equal(r.err, 0);
    assert_string_equal(r.addr, text);
    close(fd);
    dial_text(&w, text, &r);
    assert_int_equal(r.err, -ECONNREFUSED);
    dial_text(&w, "unix:/nowhere/at/all", &r);
    assert_int_equal(r.err, -ENOENT);
    assert_string_equal(r.error, "connect to unix:/nowhere/at/all: No such file or directory");
    end(&w);
}

static void a_unix_socket_with_a_full_backlog_is_waited_for(void **state)
{
    world_t w;
    result_t r;
    haddr_t addr;
    char text[64];
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int filler = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    hendpoint_t to;

    (void)state;
    begin(&w);
    snprintf(text, sizeof(text), "unix:@hnet-full-%d", (int)getpid());
    assert_int_equal(haddr_unix(&addr, text + 5), 0);
    assert_int_equal(bind(fd, &addr.u.sa, addr.len), 0);
    assert_int_equal(listen(fd, 0), 0);
    assert_int_equal(connect(filler, &addr.u.sa, addr.len), 0);
    memset(&r, 0, sizeof(r));
    hendpoint_parse(&to, text, NULL, 0);
    assert_int_equal(hdial_start(w.loop, &to, &w.options, on_dial, &r, NULL), 0);
    for (int i = 0; i < 5; i++) {
        settle(w.loop);
        hloop_run(w.loop);
    }
    assert_int_equal(r.calls, 0);
    close(accept(fd, NULL, NULL));
    RUN_UNTIL(w.loop, r.calls > 0);
    assert_int_equal(r.err, 0);
    hio_close(r.io);
    w.options.address_timeout_ms = 30;
    dial_text(&w, text, &r);
    assert_int_equal(r.err, -ETIMEDOUT);
    close(filler);
    close(fd);
    end(&w);
}

static void a_connection_to_itself_is_refused(void **state)
{
    world_t w;
    result_t r;
    haddr_t source;

    (void)state;
    begin(&w);
    close(w.v4);
    haddr_loopback(&source, AF_INET, w.port);
    w.options.socket.source = &source;
    dial_to(&w, "127.0.0.1", &r);
    assert_int_equal(r.err, -ECONNREFUSED);
    assert_int_equal(r.attempts, 1);
    w.v4 = bind_to(AF_INET, w.port);
    assert_true(w.v4 >= 0); /* it is free again at once */
    end(&w);
}

static void datagrams_are_dialled_too(void **state)
{
    struct sockaddr_in addr;
    world_t w;
    result_t r;
    char text[64];
    int fd = bound_socket(SOCK_DGRAM, &addr);

    (void)state;
    begin(&w);
    snprintf(text, sizeof(text), "udp://v4.test:%u", ntohs(addr.sin_port));
    dial_text(&w, text, &r);
    assert_int_equal(r.err, 0);
    close(fd);
    end(&w);
}

static void a_proxy_header_goes_first(void **state)
{
    world_t w;
    result_t r;
    haddr_t source, destination;
    char got[128] = "";
    int peer;

    (void)state;
    begin(&w);
    assert_int_equal(listen(w.v4, 16), 0);
    haddr_parse(&source, "192.0.2.1", 1000);
    haddr_parse(&destination, "192.0.2.2", 2000);
    w.options.proxy_protocol = 1;
    w.options.proxy_source = &source;
    w.options.proxy_destination = &destination;
    dial_to(&w, "127.0.0.1", &r);
    peer = accept(w.v4, NULL, NULL);
    assert_true(read(peer, got, sizeof(got) - 1) > 0);
    assert_string_equal(got, "PROXY TCP4 192.0.2.1 192.0.2.2 1000 2000\r\n");
    close(peer);
    end(&w);
}

static void what_cannot_be_is_refused_at_once(void **state)
{
    world_t w;
    result_t r = {0};
    hendpoint_t to;
    hproxy_t proxy;

    (void)state;
    begin(&w);
    hendpoint_parse(&to, "tls://h:1", NULL, 0);
    assert_int_equal(hdial_start(w.loop, &to, NULL, on_dial, &r, NULL), -EINVAL);
    hproxy_parse(&proxy, "h", HPROXY_HTTP, NULL, 0);
    w.options.proxies = &proxy;
    w.options.proxy_count = 1;
    hendpoint_parse(&to, "udp://h:1", NULL, 0);
    assert_int_equal(hdial_start(w.loop, &to, &w.options, on_dial, &r, NULL), -EINVAL);
    hendpoint_parse(&to, "unix:/x", NULL, 0);
    assert_int_equal(hdial_start(w.loop, &to, &w.options, on_dial, &r, NULL), -EINVAL);
    settle(w.loop);
    assert_int_equal(r.calls, 0);
    end(&w);
}

static void a_cancelled_dial_is_silent_in_every_state(void **state)
{
    static const char *const hosts[] = {"127.0.0.1", "both.test", "silent.test", "slow6.test"};
    hloop_stats_t before, after;
    world_t w;
    result_t r;
    hdial_t *dial;

    (void)state;
    begin(&w);
    make_silent(&w, w.v4);
    make_silent(&w, w.v6);
    w.options.attempt_delay_ms = 1;
    settle(w.loop);
    for (size_t i = 0; i < ARRAY_LENGTH(hosts); i++) {
        for (int steps = 0; steps < 6; steps++) {
            start(&w, hosts[i], &r, &dial);
            for (int k = 0; k < steps; k++) {
                hloop_wakeup(w.loop);
                hloop_run(w.loop);
            }
            assert_int_equal(r.calls, 0);
            hdial_cancel(dial);
            settle(w.loop);
            assert_int_equal(r.calls, 0);
        }
    }
    hdial_cancel(NULL);
    hdns_free(w.dns);
    w.dns = NULL;
    settle(w.loop);
    hloop_stats(w.loop, &after);
    assert_int_equal(after.timers, 0);
    (void)before;
    end(&w);
}

/* ---- out of memory --------------------------------------------------------------------------- */

static int oom_scenario(void *arg)
{
    world_t *w = arg;
    hloop_options_t loop_options = {.flags = HLOOP_FLAG_RUN_ONCE, .poller = test_poller};
    hloop_t *loop = hloop_new_with(&loop_options);
    hdial_options_t options = {.attempt_delay_ms = 5};
    hendpoint_t to;
    result_t r = {0};
    int err = loop ? 0 : -ENOMEM;

    hendpoint_set(&to, HENDPOINT_TCP, "localhost", w->port);
    if (!err)
        err = hdial_start(loop, &to, &options, on_dial, &r, NULL);
    while (!err && r.calls == 0)
        hloop_run(loop);
    if (!err)
        err = r.err;
    if (loop)
        hloop_free(&loop);
    return err;
}

static void every_allocation_may_fail(void **state)
{
    world_t w;

    (void)state;
    begin(&w);
    assert_int_equal(listen(w.v4, 1000), 0);
    oom_run(oom_scenario, &w);
    end(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(unix_names_are_dialled_too),
        cmocka_unit_test(a_unix_socket_with_a_full_backlog_is_waited_for),
        cmocka_unit_test(a_connection_to_itself_is_refused),
        cmocka_unit_test(datagrams_are_dialled_too),
        cmocka_unit_test(a_proxy_header_goes_first),
        cmocka_unit_test(what_cannot_be_is_refused_at_once),
        cmocka_unit_test(a_cancelled_dial_is_silent_in_every_state),
        cmocka_unit_test(every_allocation_may_fail),
    };

    return run_on_each_poller("hdial_other", tests, ARRAY_LENGTH(tests));
}
