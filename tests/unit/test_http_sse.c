/* One thread. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "http_fixture.h"

#include "oom.h"
#include "proto/http_sse.h"

#define BIG 8192
#define CLIENTS 3

static web_t web;
static http_sse_t *client; /* the last one */
static http_sse_group_t *group;
static http_sse_options_t options;
static int start_error;
static int closed, close_error;

static void on_sse_close(http_sse_t *sse, int err, void *userdata)
{
    assert_ptr_equal(http_sse_userdata(sse), userdata);
    closed++;
    close_error = err;
    if (client == sse)
        client = NULL;
}

static void on_request(http_stream_t *stream, void *userdata)
{
    (void)userdata;
    if (http_span_ieq(http_sse_last_id(stream), "over")) {
        http_sse_refuse(stream);
        return;
    }
    options.on_close = on_sse_close;
    options.userdata = &web;
    start_error = http_sse_start(stream, &options, &client);
    if (start_error == 0 && group)
        assert_int_equal(http_sse_group_add(group, client), 0);
}

static int setup(void **state)
{
    loop_test_setup(state);
    memset(&options, 0, sizeof(options));
    start_error = closed = close_error = 0;
    client = NULL;
    group = NULL;
    web_open(&web, (http_server_options_t){.handler = on_request});
    return 0;
}

static int begin(const char *method)
{
    int fd = web_client(&web);
    char text[128];

    snprintf(text, sizeof(text), "%s / HTTP/1.1\r\nHost: a\r\n\r\n", method);
    web_say_text(fd, text);
    return fd;
}

static void until_heard(int fd, const char *text)
{
    WEB_UNTIL(&web, fd, strstr(web.heard, text));
}

static void say(const char *name, const char *id, const char *data)
{
    sse_event_t event = {.name = name, .id = id, .data = http_span(data)};

    assert_int_equal(http_sse_send(client, &event), 0);
}

static void events_arrive_and_the_stream_ends(void **state)
{
    int fd = begin("GET");

    (void)state;
    until_heard(fd, "\r\n\r\n"); /* the head does not wait for the first event */
    assert_non_null(strstr(web.heard, "HTTP/1.1 200 OK\r\n"));
    assert_non_null(strstr(web.heard, "Content-Type: text/event-stream\r\n"));
    assert_non_null(strstr(web.heard, "Cache-Control: no-store\r\n"));
    assert_non_null(strstr(web.heard, "X-Accel-Buffering: no\r\n"));
    say("n", "1", "a\nb");
    until_heard(fd, "id: 1\nevent: n\ndata: a\ndata: b\n\n");
    assert_int_equal(http_sse_send(client, &(sse_event_t){.name = "x"}), -EINVAL);
    say(NULL, NULL, "last");
    http_sse_close(client);
    assert_int_equal(http_sse_send(client, &(sse_event_t){.data = HTTP_SPAN("no")}), HERR_CLOSED);
    http_sse_close(client);
    until_heard(fd, "\r\n0\r\n\r\n");
    assert_non_null(strstr(web.heard, "data: last\n\n"));
    assert_null(strstr(web.heard, "no\n"));
    WEB_UNTIL(&web, fd, closed == 1);
    assert_int_equal(close_error, 0);
    close(fd);
    web_close(&web);
}

static void a_quiet_stream_has_a_heartbeat(void **state)
{
    int fd;

    (void)state;
    options.heartbeat_ms = 5;
    fd = begin("GET");
    WEB_UNTIL(&web, fd, web_count(&web, ":\n\n") >= 3);
    assert_int_equal(closed, 0);
    close(fd);
    WEB_UNTIL(&web, -1, closed == 1);
    assert_int_not_equal(close_error, 0);
    web_close(&web);
}

static void a_head_request_gets_the_head(void **state)
{
    int fd = begin("HEAD");

    (void)state;
    until_heard(fd, "\r\n\r\n");
    assert_non_null(strstr(web.heard, "Content-Type: text/event-stream\r\n"));
    assert_int_equal(start_error, HERR_CLOSED);
    assert_null(client);
    close(fd);
    web_close(&web);
    assert_int_equal(closed, 0);
}

static void a_client_can_be_told_not_to_come_back(void **state)
{
    (void)state;
    web_ask(&web, "GET / HTTP/1.1\r\nHost: a\r\nLast-Event-ID: over\r\nConnection: close\r\n\r\n");
    assert_non_null(strstr(web.heard, "HTTP/1.1 204 "));
    assert_null(client);
    web_close(&web);
}

/* An event of BIG bytes that says which one it is. */
static int send_big(int number)
{
    static char text[BIG];
    char id[16];

    memset(text, 'x', sizeof(text));
    snprintf(id, sizeof(id), "%d", number);
    return http_sse_send(client, &(sse_event_t){.id = id, .data = {text, sizeof(text)}});
}

static void a_client_that_is_too_slow_is_cut_off(void **state)
{
    int fd = begin("GET"), small = 4096, sent = 0, err = 0;

    (void)state;
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
    until_heard(fd, "\r\n\r\n");
    while (client && err == 0 && sent < 100000) {
        err = send_big(++sent);
        hloop_wakeup(web.loop);
        hloop_run(web.loop);
    }
    assert_int_equal(err, HERR_QUEUE_FULL);
    /* What waits beside the kernel's buffers is bounded. */
    assert_true(sent < 2000);
    WEB_UNTIL(&web, -1, closed == 1);
    assert_int_equal(close_error, HERR_QUEUE_FULL);
    close(fd);
    web_close(&web);
}

static void a_client_that_catches_up_has_all_in_order(void **state)
{
    int fd, sent = 0;
    const char *at;

    (void)state;
    options.queue_max = (size_t)BIG * 20;
    options.heartbeat_ms = 1;
    fd = begin("GET");
    until_heard(fd, "\r\n\r\n");
    /* Until the connection is full, and then some. */
    while (hio_write_bufsize(http_stream_io(web.stream)) <= 65536)
        assert_int_equal(send_big(++sent), 0);
    for (int i = 0; i < 10; i++)
        assert_int_equal(send_big(++sent), 0);
    WEB_UNTIL(&web, fd, web_count(&web, "\n\n") >= sent && web.heard_len > (size_t)sent * BIG);
    at = web.heard;
    for (int i = 1; i <= sent; i++) {
        char id[32];

        snprintf(id, sizeof(id), "id: %d\n", i);
        at = strstr(at, id);
        assert_non_null(at);
    }
    assert_int_equal(closed, 0);
    close(fd);
    web_close(&web);
    assert_int_equal(closed, 1);
}

/* What the kernel takes would not fit into what the test hears. */
static void keep_stream(http_stream_t *stream, void *userdata)
{
    int small = 4096;

    setsockopt(hio_fd(http_stream_io(stream)), SOL_SOCKET, SO_SNDBUF, &small, sizeof(small));
    on_request(stream, userdata);
    web.stream = stream;
}

static int setup_keeping(void **state)
{
    setup(state);
    web_close(&web);
    web_open(&web, (http_server_options_t){.handler = keep_stream});
    return 0;
}

static void a_group_hears_the_same(void **state)
{
    int fds[CLIENTS];

    (void)state;
    group = http_sse_group_new();
    assert_non_null(group);
    for (int i = 0; i < CLIENTS; i++) {
        fds[i] = begin("GET");
        web_forget(&web);
        until_heard(fds[i], "\r\n\r\n");
    }
    assert_int_equal(http_sse_group_count(group), CLIENTS);
    assert_int_equal(http_sse_group_add(group, client), -EEXIST);
    assert_int_equal(http_sse_group_send(group, &(sse_event_t){.name = "\n"}), -EINVAL);
    assert_int_equal(http_sse_group_send(group, &(sse_event_t){.data = HTTP_SPAN("all")}), 0);
    for (int i = 0; i < CLIENTS; i++) {
        web_forget(&web);
        until_heard(fds[i], "data: all\n\n");
    }
    close(fds[0]);
    /* One who reads no more is told from one who only sends no more by what is written. */
    while (closed == 0) {
        assert_int_equal(http_sse_group_send(group, &(sse_event_t){.data = HTTP_SPAN("x")}), 0);
        web_turn(&web, -1);
    }
    assert_int_equal(http_sse_group_count(group), CLIENTS - 1);
    http_sse_group_close(group);
    for (int i = 1; i < CLIENTS; i++) {
        web_forget(&web);
        until_heard(fds[i], "0\r\n\r\n");
        close(fds[i]);
    }
    WEB_UNTIL(&web, -1, closed == CLIENTS);
    assert_int_equal(http_sse_group_count(group), 0);
    http_sse_group_free(group);
    web_close(&web);
}

static void a_group_may_go_before_its_clients(void **state)
{
    int fd;

    (void)state;
    group = http_sse_group_new();
    fd = begin("GET");
    until_heard(fd, "\r\n\r\n");
    http_sse_group_free(group);
    say(NULL, NULL, "still");
    until_heard(fd, "data: still\n\n");
    close(fd);
    web_close(&web);
    assert_int_equal(closed, 1);
}

/* ---- without memory -------------------------------------------------------------------------- */

static long fail_at;
static bool has_failed;

static void on_request_failing(http_stream_t *stream, void *userdata)
{
    oom_t oom;
    int err = 0;

    oom_begin(&oom, fail_at, false);
    on_request(stream, userdata);
    if (start_error == 0)
        err = http_sse_send(client, &(sse_event_t){.id = "1", .data = HTTP_SPAN("x")});
    oom_end();
    has_failed = oom.count >= fail_at;
    assert_true(start_error == 0 || start_error == -ENOMEM);
    assert_true(err == 0 || has_failed);
}

/* The client gets the event, a 503, or loses the connection: it does not wait for nothing. */
static void a_client_hears_when_there_is_no_memory(void **state)
{
    (void)state;
    web_close(&web);
    has_failed = true;
    for (fail_at = 1; has_failed; fail_at++) {
        int fd;

        web_open(&web, (http_server_options_t){.handler = on_request_failing});
        start_error = closed = 0;
        client = NULL;
        fd = begin("GET");
        WEB_UNTIL(&web, fd,
                  web.ended || strstr(web.heard, "data: x\n\n") || strstr(web.heard, " 503 "));
        close(fd);
        web_close(&web);
        assert_int_equal(closed, start_error == 0);
    }
    assert_true(fail_at > 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(events_arrive_and_the_stream_ends, setup),
        cmocka_unit_test_setup(a_quiet_stream_has_a_heartbeat, setup),
        cmocka_unit_test_setup(a_head_request_gets_the_head, setup),
        cmocka_unit_test_setup(a_client_can_be_told_not_to_come_back, setup),
        cmocka_unit_test_setup(a_client_that_is_too_slow_is_cut_off, setup),
        cmocka_unit_test_setup(a_client_that_catches_up_has_all_in_order, setup_keeping),
        cmocka_unit_test_setup(a_group_hears_the_same, setup),
        cmocka_unit_test_setup(a_group_may_go_before_its_clients, setup),
        cmocka_unit_test_setup(a_client_hears_when_there_is_no_memory, setup),
    };

    return run_on_each_poller("http_sse", tests, ARRAY_LENGTH(tests));
}
