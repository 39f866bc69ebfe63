/* One thread. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "http_program.h"

/* ---- time limits ----------------------------------------------------------------------------- */

static void a_head_that_does_not_come_in_time_is_refused(void **state)
{
    http_server_options_t o = options();
    web_t web;
    int fd;

    (void)state;
    o.head_ms = 250; /* what was said is read within it */
    web_open(&web, o);
    fd = web_client(&web);
    web_say_text(fd, "GET /hello HT");
    web_until_end(&web, fd);
    assert_int_equal(memcmp(web.heard, "HTTP/1.1 408 ", 13), 0);
    close(fd);
    web_forget(&web);
    fd = web_client(&web); /* without a byte: no answer either */
    web_until_end(&web, fd);
    assert_int_equal(web.heard_len, 0);
    close(fd);
    web_close(&web);
}

static void an_idle_connection_is_closed(void **state)
{
    http_server_options_t o = options();
    web_t web;
    int fd;

    (void)state;
    o.keepalive_ms = 250;
    web_open(&web, o);
    fd = web_client(&web);
    web_say_text(fd, GET("/hello"));
    web_until_end(&web, fd);
    assert_int_equal(web_count(&web, "HTTP/1.1 "), 1);
    close(fd);
    web_close(&web);
}

static void a_body_that_drips_is_cut_off(void **state)
{
    http_server_options_t o = options();
    web_t web;
    int fd;

    (void)state;
    o.body_ms = 100;
    o.rate_min = 1000000;
    web_open(&web, o);
    fd = web_client(&web);
    web_say_text(fd, "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n");
    while (!web.ended) {
        send(fd, "x", 1, MSG_NOSIGNAL);
        web_turn(&web, fd);
    }
    assert_int_equal(memcmp(web.heard, "HTTP/1.1 408 ", 13), 0);
    close(fd);
    web_close(&web);
}

static void who_does_not_read_is_cut_off(void **state)
{
    http_server_options_t o = options();
    web_t web;
    int fd;

    (void)state;
    o.send_ms = 50;
    web_open(&web, o);
    fd = web_client(&web);
    small_buffers(fd);
    web_say_text(fd, GET("/big"));
    RUN_UNTIL(web.loop, web.closed > 0);
    assert_int_equal(web.close_error, -ETIMEDOUT);
    close(fd);
    web_close(&web);
}

static void a_response_that_takes_its_time_is_waited_for(void **state)
{
    http_server_options_t o = options();
    web_t web;
    int fd;

    (void)state;
    o.send_ms = o.body_ms = o.keepalive_ms = 20;
    web_open(&web, o);
    fd = web_client(&web);
    web_say_text(fd, GET("/later"));
    WEB_UNTIL(&web, fd, web.stream);
    http_response_start(web.stream, -1);
    http_response_write(web.stream, "a", 1);
    for (uint64_t until = now_ms() + 200; now_ms() < until;)
        web_turn(&web, fd);
    assert_int_equal(web.closed, 0);
    http_response_end(web.stream);
    WEB_UNTIL(&web, fd, heard(&web, "0\r\n\r\n"));
    close(fd);
    web_close(&web);
}

/* ---- the end --------------------------------------------------------------------------------- */

static void on_drained(http_server_t *server, void *arg)
{
    (void)server;
    (*(int *)arg)++;
}

static void draining_lets_requests_finish(void **state)
{
    int drained = 0, fd, idle;
    web_t web;

    (void)state;
    web_open(&web, options());
    idle = web_client(&web);
    web_say_text(idle, GET("/hello"));
    WEB_UNTIL(&web, idle, web.handled == 1);
    fd = web_client(&web);
    web_say_text(fd, GET("/later"));
    WEB_UNTIL(&web, fd, web.stream);
    http_server_drain(web.server, 10000, on_drained, &drained);
    settle(web.loop);
    assert_int_equal(drained, 0);
    web_forget(&web);
    web_say_text(idle, GET("/hello")); /* was on its way */
    web_until_end(&web, idle);
    assert_true(heard(&web, "Connection: close"));
    web_forget(&web);
    http_response_send(web.stream, "late", 4);
    web_until_end(&web, fd);
    assert_true(heard(&web, "\r\n\r\nlate"));
    RUN_UNTIL(web.loop, drained == 1);
    close(fd);
    close(idle);
    web_close(&web);
}

static void draining_waits_for_no_request_that_never_began(void **state)
{
    int drained = 0, fd;
    web_t web;
    http_server_stats_t stats = {0};

    (void)state;
    web_open(&web, options());
    fd = web_client(&web);
    while (stats.open == 0) {
        hloop_wakeup(web.loop);
        assert_int_equal(hloop_run(web.loop), 0);
        http_server_stats(web.server, &stats);
    }
    http_server_drain(web.server, 1000000, on_drained, &drained);
    RUN_UNTIL(web.loop, drained == 1); /* or the test's own limit ends it */
    close(fd);
    web_close(&web);
}

static void draining_ends_in_time(void **state)
{
    int drained = 0, fd;
    web_t web;

    (void)state;
    web_open(&web, options());
    fd = web_client(&web);
    web_say_text(fd, GET("/later"));
    WEB_UNTIL(&web, fd, web.stream);
    http_server_drain(web.server, 50, on_drained, &drained);
    RUN_UNTIL(web.loop, drained == 1);
    assert_int_equal(web.closed, 1);
    assert_int_equal(web.close_error, -ECANCELED);
    close(fd);
    web_close(&web);
}

static void more_connections_than_allowed_are_closed(void **state)
{
    http_server_options_t o = options();
    http_server_stats_t stats;
    web_t web;
    int first, second;

    (void)state;
    o.conns_max = 1;
    web_open(&web, o);
    first = web_client(&web);
    web_say_text(first, GET("/hello"));
    WEB_UNTIL(&web, first, web.handled == 1);
    second = web_client(&web);
    web_forget(&web);
    web_until_end(&web, second);
    assert_int_equal(web.heard_len, 0);
    http_server_stats(web.server, &stats);
    assert_int_equal(stats.accepted, 1);
    assert_int_equal(stats.refused, 1);
    assert_int_equal(stats.open, 1);
    assert_int_equal(stats.by_class[2], 1);
    close(first);
    close(second);
    web_close(&web);
}

static void tell_peer(http_stream_t *stream, void *userdata)
{
    const haddr_t *peer = http_stream_peer(stream);
    char text[HADDR_FORMAT_SIZE];

    (void)userdata;
    haddr_format(&peer->u.sa, peer->len, text, sizeof(text));
    http_response_send(stream, text, strlen(text));
}

static void a_proxy_says_who_comes(void **state)
{
    http_server_options_t o = {.handler = tell_peer, .proxy_protocol = true};
    web_t web;
    int fd;

    (void)state;
    web_open(&web, o);
    web_ask(&web, "PROXY TCP4 192.0.2.7 192.0.2.1 4567 80\r\n" GET_LAST("/"));
    assert_true(heard(&web, "\r\n\r\n192.0.2.7:4567"));
    web_ask(&web, "PROXY UNKNOWN\r\n" GET_LAST("/"));
    assert_true(heard(&web, "\r\n\r\n127.0.0.1:"));
    web_ask(&web, GET_LAST("/")); /* none at all */
    assert_int_equal(web.heard_len, 0);
    fd = web_client(&web);
    web_say_text(fd, "PROXY TCP4");
    settle(web.loop);
    web_close(&web); /* in the middle of it */
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_head_that_does_not_come_in_time_is_refused),
        cmocka_unit_test(an_idle_connection_is_closed),
        cmocka_unit_test(a_body_that_drips_is_cut_off),
        cmocka_unit_test(who_does_not_read_is_cut_off),
        cmocka_unit_test(a_response_that_takes_its_time_is_waited_for),
        cmocka_unit_test(draining_lets_requests_finish),
        cmocka_unit_test(draining_waits_for_no_request_that_never_began),
        cmocka_unit_test(draining_ends_in_time),
        cmocka_unit_test(more_connections_than_allowed_are_closed),
        cmocka_unit_test(a_proxy_says_who_comes),
    };

    return run_on_each_poller("http_server_limits", tests, ARRAY_LENGTH(tests));
}
