/* One thread. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "dns_fixture.h"
#include "loop_test.h"
#include "net/hreconnect.h"
#include "oom.h"

typedef struct world_s {
    hloop_t *loop;
    dns_server_t server;
    hdns_t *dns;
    int listener;
    struct sockaddr_in addr;
    hdial_options_t dial;
    hreconnect_options_t options;
    hreconnect_t *rc;
    int connects, gones, attempts;
    char error[HDIAL_ERROR_SIZE];
} world_t;

static void on_connect(hreconnect_t *rc, hio_t *io)
{
    world_t *w = hreconnect_userdata(rc);

    assert_ptr_equal(hreconnect_io(rc), io);
    w->connects++;
    hio_read(io);
}

static void on_gone(hreconnect_t *rc, int err, int64_t next_delay_ms)
{
    world_t *w = hreconnect_userdata(rc);

    assert_true(err <= 0);
    assert_true(next_delay_ms >= 0);
    w->gones++;
    snprintf(w->error, sizeof(w->error), "%s", hreconnect_error(rc));
}

static void on_attempt(hdial_t *dial, const haddr_t *addr, int err, void *arg)
{
    world_t *w = hreconnect_userdata(arg);

    (void)dial;
    assert_true(addr->len > 0 && err < 0);
    w->attempts++;
}

static void begin(world_t *w)
{
    hdns_options_t options = {.hosts_file = "", .no_search = true, .no_cache = true};

    memset(w, 0, sizeof(*w));
    w->loop = new_loop();
    assert_true(dns_start(&w->server, w->loop));
    options.servers = w->server.servers;
    assert_int_equal(hdns_new(w->loop, &options, &w->dns), 0);
    w->listener = bound_socket(SOCK_STREAM, &w->addr);
    w->dial = (hdial_options_t){.dns = w->dns, .family = AF_INET, .attempt_cb = on_attempt};
    w->options = (hreconnect_options_t){
        .setting = {.min_delay = 1, .max_delay = 5, .delay_policy = 2, .max_retry_cnt = INFINITE},
        .on_connect = on_connect,
        .on_gone = on_gone,
        .userdata = w};
}

static void start(world_t *w, const char *host)
{
    hendpoint_t to;

    assert_int_equal(hendpoint_set(&to, HENDPOINT_TCP, host, ntohs(w->addr.sin_port)), 0);
    w->rc = hreconnect_new_dial(w->loop, &to, &w->dial, &w->options);
    assert_non_null(w->rc);
    assert_int_equal(hreconnect_start(w->rc), 0);
}

static void end(world_t *w)
{
    hreconnect_free(w->rc);
    hdns_free(w->dns);
    hloop_free(&w->loop);
    if (w->listener >= 0)
        close(w->listener);
}

static void the_name_is_looked_up_at_each_try(void **state)
{
    world_t w;

    (void)state;
    begin(&w);
    start(&w, "v4.test");
    for (int i = 1; i <= 3; i++) {
        RUN_UNTIL(w.loop, w.connects == i);
        close(accept(w.listener, NULL, NULL));
        RUN_UNTIL(w.loop, w.gones == i);
        assert_string_equal(w.error, "the connection was closed");
    }
    assert_true(w.server.asked_a >= 3);
    end(&w);
}

static void a_try_that_failed_has_the_words_of_the_dial(void **state)
{
    world_t w;

    (void)state;
    begin(&w);
    start(&w, "nx.test");
    RUN_UNTIL(w.loop, w.gones == 2);
    assert_string_equal(w.error, "cannot resolve nx.test: no such name");
    hreconnect_free(w.rc);
    close(w.listener);
    w.listener = -1;
    start(&w, "127.0.0.1");
    RUN_UNTIL(w.loop, w.gones == 4);
    assert_int_equal(w.attempts, 2);
    assert_non_null(strstr(w.error, "Connection refused (127.0.0.1)"));
    end(&w);
}

static void stopped_it_is_silent_in_every_state(void **state)
{
    static const char *const hosts[] = {"v4.test", "silent.test", "127.0.0.1"};
    world_t w;

    (void)state;
    begin(&w);
    for (size_t i = 0; i < ARRAY_LENGTH(hosts); i++) {
        start(&w, hosts[i]);
        for (int steps = 0; steps < 8; steps++) {
            for (int k = 0; k < steps; k++) {
                hloop_wakeup(w.loop);
                hloop_run(w.loop);
            }
            hreconnect_stop(w.rc);
            w.connects = w.gones = 0;
            settle(w.loop);
            assert_int_equal(w.connects + w.gones, 0);
            assert_int_equal(hreconnect_start(w.rc), 0);
        }
        hreconnect_free(w.rc);
    }
    w.rc = NULL;
    end(&w);
}

static void bad_arguments_are_refused(void **state)
{
    world_t w;
    hendpoint_t to;

    (void)state;
    begin(&w);
    hendpoint_parse(&to, "udp://127.0.0.1:1", NULL, 0);
    assert_null(hreconnect_new_dial(w.loop, &to, NULL, &w.options));
    assert_int_equal(errno, EINVAL);
    end(&w);
}

static int oom_scenario(void *arg)
{
    world_t *w = arg;
    hloop_options_t loop_options = {.flags = HLOOP_FLAG_RUN_ONCE, .poller = test_poller};
    hendpoint_t to;
    int err = -ENOMEM;

    w->loop = hloop_new_with(&loop_options);
    if (!w->loop)
        return -ENOMEM;
    w->connects = w->gones = 0;
    hendpoint_set(&to, HENDPOINT_TCP, "127.0.0.1", ntohs(w->addr.sin_port));
    w->rc = hreconnect_new_dial(w->loop, &to, NULL, &w->options);
    if (w->rc)
        err = hreconnect_start(w->rc);
    while (!err && w->connects == 0 && w->gones < 3)
        hloop_run(w->loop);
    if (!err && w->connects == 0)
        err = -ENOMEM;
    hreconnect_free(w->rc);
    w->rc = NULL;
    hloop_free(&w->loop);
    return err;
}

static void every_allocation_may_fail(void **state)
{
    world_t w;
    hloop_t *loop;

    (void)state;
    begin(&w);
    loop = w.loop;
    oom_run(oom_scenario, &w);
    w.loop = loop;
    end(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_name_is_looked_up_at_each_try),
        cmocka_unit_test(a_try_that_failed_has_the_words_of_the_dial),
        cmocka_unit_test(stopped_it_is_silent_in_every_state),
        cmocka_unit_test(bad_arguments_are_refused),
        cmocka_unit_test(every_allocation_may_fail),
    };

    return run_on_each_poller("hreconnect_dial", tests, ARRAY_LENGTH(tests));
}
