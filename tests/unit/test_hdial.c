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

typedef struct world_s {
    hloop_t *loop;
    dns_server_t server;
    hdns_t *dns;
    hdial_options_t options;
    int v4, v6; /* listeners of one port */
    uint16_t port;
    int full[64]; /* connections that fill a backlog */
    size_t full_count;
    char text[64];
} world_t;

typedef struct result_s {
    int calls, err, attempts;
    hdial_step_e step;
    hio_t *io;
    char error[HDIAL_ERROR_SIZE];
    char addr[HADDR_FORMAT_SIZE];
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
    haddr_format(&hdial_addr(dial)->u.sa, hdial_addr(dial)->len, r->addr, sizeof(r->addr));
    hdial_times(dial, &r->times);
    assert_true((err == 0) == (io != NULL));
    assert_true((r->step == HDIAL_STEP_DONE) == (err == 0));
}

static void on_attempt(hdial_t *dial, const haddr_t *addr, int err, void *arg)
{
    result_t *r = arg;

    (void)dial;
    assert_true(addr->len > 0);
    assert_true(err < 0);
    r->attempts++;
}

/* ---- listeners ------------------------------------------------------------------------------- */

static int bind_to(int family, uint16_t port)
{
    haddr_t addr;
    int one = 1;
    int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    haddr_loopback(&addr, family, port);
    assert_true(fd >= 0);
    if (family == AF_INET6)
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one));
    if (bind(fd, &addr.u.sa, addr.len) == 0)
        return fd;
    close(fd);
    return -1;
}

static uint16_t port_of(int fd)
{
    sockaddr_u u;
    socklen_t len = sizeof(u);

    assert_int_equal(getsockname(fd, &u.sa, &len), 0);
    return (uint16_t)haddr_port(&u.sa);
}

/* One port on both loopback addresses, listening on neither yet. */
static void bind_both(world_t *w)
{
    do {
        w->v4 = bind_to(AF_INET, 0);
        w->port = port_of(w->v4);
        w->v6 = bind_to(AF_INET6, w->port);
        if (w->v6 < 0)
            close(w->v4);
    } while (w->v6 < 0);
}

/* Takes no connection and refuses none. */
static void make_silent(world_t *w, int fd)
{
    sockaddr_u u;
    socklen_t len = sizeof(u);

    assert_int_equal(listen(fd, 0), 0);
    assert_int_equal(getsockname(fd, &u.sa, &len), 0);
    for (int i = 0; i < 4; i++) {
        int filler = socket(u.sa.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

        connect(filler, &u.sa, len);
        w->full[w->full_count++] = filler;
    }
}

static void begin(world_t *w)
{
    hdns_options_t options = {.hosts_file = "", .timeout_ms = 5000};

    memset(w, 0, sizeof(*w));
    w->loop = new_loop();
    assert_true(dns_start(&w->server, w->loop));
    options.servers = w->server.servers;
    options.no_search = true;
    assert_int_equal(hdns_new(w->loop, &options, &w->dns), 0);
    w->options.dns = w->dns;
    w->options.attempt_cb = on_attempt;
    bind_both(w);
}

static void end(world_t *w)
{
    hdns_free(w->dns);
    hloop_free(&w->loop);
    close(w->v4);
    close(w->v6);
    for (size_t i = 0; i < w->full_count; i++)
        close(w->full[i]);
}

static void start(world_t *w, const char *host, result_t *r, hdial_t **dial)
{
    hendpoint_t to;

    memset(r, 0, sizeof(*r));
    assert_int_equal(hendpoint_set(&to, HENDPOINT_TCP, host, w->port), 0);
    assert_int_equal(hdial_start(w->loop, &to, &w->options, on_dial, r, dial), 0);
    assert_int_equal(r->calls, 0);
}

static void dial_to(world_t *w, const char *host, result_t *r)
{
    start(w, host, r, NULL);
    RUN_UNTIL(w->loop, r->calls > 0);
    if (r->io)
        hio_close(r->io);
    settle(w->loop);
    assert_int_equal(r->calls, 1);
}

static void dial_text(world_t *w, const char *text, result_t *r)
{
    hendpoint_t to;

    memset(r, 0, sizeof(*r));
    assert_int_equal(hendpoint_parse(&to, text, NULL, 0), 0);
    assert_int_equal(hdial_start(w->loop, &to, &w->options, on_dial, r, NULL), 0);
    RUN_UNTIL(w->loop, r->calls > 0);
    if (r->io)
        hio_close(r->io);
    settle(w->loop);
}

static const char *with_port(world_t *w, const char *ip)
{
    snprintf(w->text, sizeof(w->text), "%s:%u", ip, (unsigned)w->port);
    return w->text;
}

/* ---- tests ----------------------------------------------------------------------------------- */

static void numbers_connect_without_a_resolver(void **state)
{
    world_t w;
    result_t r;

    (void)state;
    begin(&w);
    assert_int_equal(listen(w.v4, 16), 0);
    dial_to(&w, "127.0.0.1", &r);
    assert_int_equal(r.err, 0);
    assert_string_equal(r.addr, with_port(&w, "127.0.0.1"));
    assert_true(r.times.connected_us > 0);
    dial_to(&w, "", &r);
    assert_int_equal(r.err, 0);
    w.options.numeric = true;
    dial_to(&w, "127.0.0.1", &r);
    assert_int_equal(r.err, 0);
    dial_to(&w, "v4.test", &r);
    assert_int_equal(r.err, HERR_RESOLVE);
    assert_int_equal(r.step, HDIAL_STEP_RESOLVE);
    assert_string_equal(r.error, "cannot resolve v4.test: not an address in numbers");
    assert_int_equal(w.server.asked, 0);
    end(&w);
}

static void the_connection_works_and_is_the_callers(void **state)
{
    world_t w;
    result_t r;
    seen_t seen;
    int peer;

    (void)state;
    begin(&w);
    assert_int_equal(listen(w.v4, 16), 0);
    start(&w, "v4.test", &r, NULL);
    RUN_UNTIL(w.loop, r.calls > 0);
    assert_int_equal(r.err, 0);
    observe(r.io, &seen);
    hio_read(r.io);
    peer = accept(w.v4, NULL, NULL);
    assert_int_equal(write(peer, "x", 1), 1);
    RUN_UNTIL(w.loop, seen.got == 1);
    close(peer);
    RUN_UNTIL(w.loop, seen.closes == 1);
    assert_int_equal(seen.connects, 0);
    assert_int_equal(seen.error, 0);
    end(&w);
}

static void ipv6_comes_first(void **state)
{
    world_t w;
    result_t r;

    (void)state;
    begin(&w);
    assert_int_equal(listen(w.v4, 16), 0);
    assert_int_equal(listen(w.v6, 16), 0);
    dial_to(&w, "both.test", &r);
    assert_int_equal(r.err, 0);
    assert_string_equal(r.addr, with_port(&w, "[::1]"));
    assert_int_equal(w.server.asked_a, 1);
    assert_int_equal(w.server.asked_aaaa, 1);
    w.options.family = AF_INET;
    dial_to(&w, "both.test", &r);
    assert_string_equal(r.addr, with_port(&w, "127.0.0.1"));
    end(&w);
}

static void a_refused_address_leads_to_the_next_at_once(void **state)
{
    world_t w;
    result_t r;

    (void)state;
    begin(&w);
    w.options.attempt_delay_ms = 20000; /* longer than the test may take */
    assert_int_equal(listen(w.v4, 16), 0);
    dial_to(&w, "both.test", &r);
    assert_int_equal(r.err, 0);
    assert_string_equal(r.addr, with_port(&w, "127.0.0.1"));
    assert_int_equal(r.attempts, 1);
    assert_string_equal(r.error, "");
    end(&w);
}

static void a_silent_address_does_not_keep_the_next_from_being_tried(void **state)
{
    world_t w;
    result_t r;

    (void)state;
    begin(&w);
    w.options.attempt_delay_ms = 20;
    make_silent(&w, w.v6);
    assert_int_equal(listen(w.v4, 16), 0);
    dial_to(&w, "both.test", &r);
    assert_int_equal(r.err, 0);
    assert_string_equal(r.addr, with_port(&w, "127.0.0.1"));
    assert_int_equal(r.attempts, 0);
    end(&w);
}

static void one_after_another_when_asked_for(void **state)
{
    world_t w;
    result_t r;

    (void)state;
    begin(&w);
    w.options.attempt_delay_ms = -1;
    w.options.address_timeout_ms = 60;
    make_silent(&w, w.v6);
    assert_int_equal(listen(w.v4, 16), 0);
    dial_to(&w, "both.test", &r);
    assert_int_equal(r.err, 0);
    assert_int_equal(r.attempts, 1);
    end(&w);
}

static void ipv4_does_not_wait_long_for_the_ipv6_answer(void **state)
{
    world_t w;
    result_t r;

    (void)state;
    begin(&w);
    assert_int_equal(listen(w.v4, 16), 0);
    dial_to(&w, "slow6.test", &r);
    assert_int_equal(r.err, 0);
    assert_string_equal(r.addr, with_port(&w, "127.0.0.1"));
    assert_true(r.times.resolved_us >= HDIAL_RESOLUTION_DELAY_MS * 1000);
    end(&w);
}

static void every_address_is_told_with_its_reason(void **state)
{
    world_t w;
    result_t r;
    char expected[200];

    (void)state;
    begin(&w);
    dial_to(&w, "both.test", &r);
    assert_int_equal(r.err, -ECONNREFUSED);
    assert_int_equal(r.step, HDIAL_STEP_CONNECT);
    assert_int_equal(r.attempts, 2);
    snprintf(expected, sizeof(expected),
             "connect to both.test port %u: Connection refused (::1), "
             "Connection refused (127.0.0.1)",
             w.port);
    assert_string_equal(r.error, expected);
    end(&w);
}

static void very_many_addresses_still_make_one_line(void **state)
{
    world_t w;
    result_t r;

    (void)state;
    begin(&w);
    w.options.family = AF_INET;
    dial_to(&w, "many.test", &r);
    assert_int_equal(r.err, -ECONNREFUSED);
    assert_int_equal(r.attempts, 64);
    assert_non_null(strstr(r.error, ") and "));
    assert_string_equal(r.error + strlen(r.error) - 5, " more");
    end(&w);
}

static void what_does_not_resolve_says_why(void **state)
{
    world_t w;
    result_t r;

    (void)state;
    begin(&w);
    dial_to(&w, "nx.test", &r);
    assert_int_equal(r.err, HERR_RESOLVE);
    assert_int_equal(r.step, HDIAL_STEP_RESOLVE);
    assert_string_equal(r.error, "cannot resolve nx.test: no such name");
    dial_to(&w, "a..b", &r);
    assert_int_equal(r.err, HERR_SYNTAX);
    w.options.timeout_ms = 40;
    dial_to(&w, "silent.test", &r);
    assert_int_equal(r.err, -ETIMEDOUT);
    assert_int_equal(r.step, HDIAL_STEP_RESOLVE);
    assert_string_equal(r.error, "cannot resolve silent.test: no answer in time");
    end(&w);
}

static void the_whole_time_limit_names_who_has_not_answered(void **state)
{
    world_t w;
    result_t r;
    char expected[200];

    (void)state;
    begin(&w);
    w.options.timeout_ms = 120;
    w.options.attempt_delay_ms = 10;
    make_silent(&w, w.v6);
    dial_to(&w, "both.test", &r);
    assert_int_equal(r.err, -ETIMEDOUT);
    snprintf(expected, sizeof(expected),
             "connect to both.test port %u: Connection refused (127.0.0.1), "
             "Connection timed out (::1)",
             w.port);
    assert_string_equal(r.error, expected);
    end(&w);
}

static void the_source_address_decides_the_family(void **state)
{
    world_t w;
    result_t r;
    haddr_t source;

    (void)state;
    begin(&w);
    assert_int_equal(listen(w.v4, 16), 0);
    assert_int_equal(listen(w.v6, 16), 0);
    haddr_parse(&source, "127.0.0.7", 0);
    w.options.socket.source = &source;
    dial_to(&w, "both.test", &r);
    assert_int_equal(r.err, 0);
    assert_int_equal(w.server.asked_aaaa, 0);
    dial_to(&w, "::1", &r);
    assert_int_equal(r.err, HERR_RESOLVE);
    end(&w);
}

static void addresses_that_are_given_are_tried_in_their_order(void **state)
{
    world_t w;
    result_t r;
    haddr_t addrs[2];

    (void)state;
    begin(&w);
    assert_int_equal(listen(w.v6, 16), 0);
    haddr_loopback(&addrs[0], AF_INET, w.port);
    haddr_loopback(&addrs[1], AF_INET6, w.port);
    w.options.addrs = addrs;
    w.options.addr_count = 2;
    dial_to(&w, "whatever", &r);
    assert_int_equal(r.err, 0);
    assert_int_equal(r.attempts, 1);
    assert_string_equal(r.addr, with_port(&w, "[::1]"));
    assert_int_equal(w.server.asked, 0);
    end(&w);
}

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
        cmocka_unit_test(numbers_connect_without_a_resolver),
        cmocka_unit_test(the_connection_works_and_is_the_callers),
        cmocka_unit_test(ipv6_comes_first),
        cmocka_unit_test(a_refused_address_leads_to_the_next_at_once),
        cmocka_unit_test(a_silent_address_does_not_keep_the_next_from_being_tried),
        cmocka_unit_test(one_after_another_when_asked_for),
        cmocka_unit_test(ipv4_does_not_wait_long_for_the_ipv6_answer),
        cmocka_unit_test(every_address_is_told_with_its_reason),
        cmocka_unit_test(very_many_addresses_still_make_one_line),
        cmocka_unit_test(what_does_not_resolve_says_why),
        cmocka_unit_test(the_whole_time_limit_names_who_has_not_answered),
        cmocka_unit_test(the_source_address_decides_the_family),
        cmocka_unit_test(addresses_that_are_given_are_tried_in_their_order),
        cmocka_unit_test(unix_names_are_dialled_too),
        cmocka_unit_test(datagrams_are_dialled_too),
        cmocka_unit_test(a_proxy_header_goes_first),
        cmocka_unit_test(what_cannot_be_is_refused_at_once),
        cmocka_unit_test(a_cancelled_dial_is_silent_in_every_state),
        cmocka_unit_test(every_allocation_may_fail),
    };

    return run_on_each_poller("hdial", tests, ARRAY_LENGTH(tests));
}
