/* One thread. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "hproxy_fixture.h"
#include "oom.h"

#include "codec/http_head.h"

static void socks4_clients_get_through(void **state)
{
    lab_t lab;

    (void)state;
    lab_open(&lab);
    say_socks(&lab, BYTES("\4\1PAme\0early"));
    hear(&lab, 8);
    assert_memory_equal(lab.heard, "\0\x5a", 2);
    assert_memory_equal(lab.heard + 4, "\x7f\0\0\1", 4);
    lab.heard_len = 0;
    tunnel_stands(&lab);
    lab_close(&lab);
}

static void socks4a_clients_get_through(void **state)
{
    lab_t lab;

    (void)state;
    lab_open(&lab);
    say_socks(&lab, BYTES("\4\1P\0\0\0\1\0localhost\0early"));
    hear(&lab, 8);
    assert_memory_equal(lab.heard, "\0\x5a", 2);
    lab.heard_len = 0;
    tunnel_stands(&lab);
    lab_close(&lab);
}

static void socks5_clients_get_through(void **state)
{
    lab_t lab;

    (void)state;
    lab_open(&lab);
    say_socks(&lab, BYTES("\5\1\0\5\1\0\1APearly"));
    hear(&lab, 12);
    assert_memory_equal(lab.heard, "\5\0\5\0\0\1\x7f\0\0\1", 10);
    lab.heard_len = 0;
    tunnel_stands(&lab);
    lab_close(&lab);
}

static void http_clients_get_through(void **state)
{
    lab_t lab;

    (void)state;
    lab_open(&lab);
    say_http(&lab, "CONNECT 127.0.0.1:@ HTTP/1.1\r\nHost: 127.0.0.1:@\r\n\r\nearly");
    hears(&lab, BYTES(ESTABLISHED));
    tunnel_stands(&lab);
    lab_close(&lab);
}

static void a_request_may_come_byte_by_byte(void **state)
{
    char said[256];
    lab_t lab;
    int len;

    (void)state;
    lab_open(&lab);
    len = snprintf(said, sizeof(said), "CONNECT 127.0.0.1:%u HTTP/1.0\r\n\r\nearly",
                   ntohs(lab.addr.sin_port));
    for (int i = 0; i < len; i++) {
        say(&lab, said + i, 1);
        hloop_wakeup(lab.loop);
        assert_int_equal(hloop_run(lab.loop), 0);
    }
    hears(&lab, BYTES(ESTABLISHED));
    tunnel_stands(&lab);
    lab_close(&lab);
}

/* What a client hears when the verdict is err, or, with 0, when nobody listens. */
static void fails_with(int verdict, const char *request, size_t len, bool socks, const char *answer,
                       size_t answer_len, const char *why)
{
    lab_t lab;

    lab_open(&lab);
    lab.verdict = verdict;
    close(lab.listener);
    lab.listener = -1;
    if (socks)
        say_socks(&lab, request, len);
    else
        say_http(&lab, request);
    hears_the_end(&lab);
    assert_true(lab.heard_len >= answer_len);
    assert_memory_equal(lab.heard, answer, answer_len);
    close(lab.client);
    RUN_UNTIL(lab.loop, lab.ends > 0);
    assert_int_equal(lab.ends, 1);
    assert_int_equal(lab.err, verdict ? verdict : -ECONNREFUSED);
    assert_non_null(strstr(lab.text, why));
    lab.client = -1;
    lab_close(&lab);
}

static void each_failure_has_its_answer(void **state)
{
    static const struct {
        int verdict, socks5, status;
    } cases[] = {{0, 5, 502},
                 {-EACCES, 2, 403},
                 {-ETIMEDOUT, 6, 504},
                 {-ENETUNREACH, 3, 502},
                 {-EHOSTUNREACH, 4, 502},
                 {HERR_RESOLVE, 4, 502},
                 {-ENOMEM, 1, 503},
                 {HERR_PROXY, 1, 502}};
    char socks5[] = "\5\0\5\0\0\1\0\0\0\0\0\0", http[32];

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        socks5[3] = (char)cases[i].socks5;
        snprintf(http, sizeof(http), "HTTP/1.1 %d ", cases[i].status);
        fails_with(cases[i].verdict, BYTES("\5\1\0\5\1\0\1AP"), true, socks5, 12,
                   "socks5 CONNECT from 127.0.0.1:");
        fails_with(cases[i].verdict, BYTES("\4\1PA\0"), true, "\0\x5b\0\0\0\0\0\0", 8, "socks4 ");
        fails_with(cases[i].verdict, "GET http://127.0.0.1:@/ HTTP/1.0\r\n\r\n", 0, false, http,
                   strlen(http), "http GET from 127.0.0.1:");
    }
}

static void broken_requests_are_answered(void **state)
{
    static const struct {
        const char *said, *heard;
        size_t len, heard_len;
    } cases[] = {
        {"GET / HTTP/1.0\r\n\r\n", "HTTP/1.1 400 ", 18, 13},
        {"GET ftp://h/ HTTP/1.0\r\n\r\n", "HTTP/1.1 501 ", 25, 13},
        {"\x16\x03\x01\0", "HTTP/1.1 400 ", 4, 13},
        {"\5\1\1", "\5\xff", 3, 2},
        {"\5\1\0\5\2\0\1\1\1\1\1\0\1", "\5\0\5\7\0\1", 13, 6},
        {"CONNECT h:0 HTTP/1.0\r\n\r\n", "HTTP/1.1 400 ", 24, 13},
        {"POST http://h/ HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nx",
         "HTTP/1.1 400 ", 65, 13},
        {"\5\1\0\5\1\0\1\1\1\1\1\0\0", "\5\0\5\1\0\1", 13, 6},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        lab_t lab;

        lab_open(&lab);
        say(&lab, cases[i].said, cases[i].len);
        hears_the_end(&lab);
        assert_memory_equal(lab.heard, cases[i].heard, cases[i].heard_len);
        lab_close(&lab);
    }
}

/* The first line of a request that has no end, and one behind it. */
static void a_line_without_an_end_is_refused(void **state)
{
    static const char *const begins[] = {"", "CONNECT h:80 HTTP/1.0\r\n"};
    static const char *const statuses[] = {"HTTP/1.1 414 ", "HTTP/1.1 431 "};
    char *head = malloc(70000);
    lab_t lab;

    (void)state;
    for (int i = 0; i < 2; i++) {
        lab_open(&lab);
        memset(head, 'a', 70000);
        memcpy(head, begins[i], strlen(begins[i]));
        assert_true(send(lab.client, head, 70000, MSG_DONTWAIT) > HTTP_LINE_MAX);
        hears_the_end(&lab);
        assert_memory_equal(lab.heard, statuses[i], 13);
        lab_close(&lab);
    }
    free(head);
}

static void only_what_is_served_is_spoken(void **state)
{
    lab_t lab;

    (void)state;
    lab_open_with(&lab, (hproxy_server_options_t){.serve = HPROXY_SERVE_SOCKS5});
    say(&lab, "\4\1", 2);
    hears_the_end(&lab);
    assert_int_equal(lab.heard_len, 0);
    lab_close(&lab);
    lab_open_with(&lab, (hproxy_server_options_t){.serve = HPROXY_SERVE_HTTP});
    say(&lab, "\5\1\0", 3);
    hears_the_end(&lab);
    assert_memory_equal(lab.heard, "HTTP/1.1 400 ", 13);
    lab_close(&lab);
}

static void who_says_nothing_is_sent_away(void **state)
{
    lab_t lab;

    (void)state;
    lab_open_with(&lab, (hproxy_server_options_t){.timeout_ms = 30});
    hears_the_end(&lab);
    assert_int_equal(lab.heard_len, 0);
    lab_close(&lab);
    lab_open_with(&lab, (hproxy_server_options_t){.timeout_ms = 400});
    say(&lab, "GET ", 4);
    hears_the_end(&lab);
    assert_memory_equal(lab.heard, "HTTP/1.1 408 ", 13);
    close(lab.client);
    RUN_UNTIL(lab.loop, lab.ends);
    assert_int_equal(lab.err, -ETIMEDOUT);
    lab.client = -1;
    lab_close(&lab);
}

static void who_goes_before_the_request_is_told(void **state)
{
    lab_t lab;

    (void)state;
    lab_open(&lab);
    say(&lab, "\5\1", 2);
    close(lab.client);
    RUN_UNTIL(lab.loop, lab.ends);
    assert_int_equal(lab.err, HERR_TRUNCATED);
    assert_non_null(strstr(lab.text, "socks5 client 127.0.0.1:"));
    lab.client = -1;
    lab_close(&lab);
}

/* ---- requests with a whole URL --------------------------------------------------------------- */

static void a_request_is_forwarded_with_its_body_and_no_more(void **state)
{
    char expected[TEXT_SIZE];
    lab_t lab;
    int len;

    (void)state;
    lab_open(&lab);
    say_http(&lab, "POST http://127.0.0.1:@/a HTTP/1.1\r\nHost: x\r\n"
                   "Proxy-Connection: keep-alive\r\nContent-Length: 10\r\n\r\n01234");
    len = snprintf(expected, sizeof(expected),
                   "POST /a HTTP/1.1\r\nHost: 127.0.0.1:%u\r\nContent-Length: 10\r\n"
                   "Via: 1.1 hnet\r\nConnection: close\r\n\r\n01234",
                   ntohs(lab.addr.sin_port));
    upstream_gets(&lab, expected, (size_t)len);
    say(&lab, "567", 3);
    upstream_gets(&lab, "567", 3);
    say(&lab, "89GET http://other/ HTTP/1.1\r\n\r\n", 32);
    upstream_gets(&lab, "89", 2);
    settle(lab.loop);
    assert_int_equal(recv(lab.upstream, expected, 1, MSG_DONTWAIT), -1);
    assert_int_equal(send(lab.upstream, "HTTP/1.1 204 No\r\n\r\n", 19, MSG_NOSIGNAL), 19);
    close(lab.upstream);
    lab.upstream = -1;
    hears_the_end(&lab);
    assert_string_equal(lab.heard, "HTTP/1.1 204 No\r\n\r\n");
    lab_close(&lab);
}

static void a_body_in_chunks_is_passed_on_and_no_more(void **state)
{
    char expected[TEXT_SIZE];
    lab_t lab;
    int len;

    (void)state;
    lab_open(&lab);
    say_http(&lab, "POST http://127.0.0.1:@/a HTTP/1.1\r\nHost: x\r\n"
                   "Transfer-Encoding: chunked\r\n\r\n5\r\n012");
    len = snprintf(expected, sizeof(expected),
                   "POST /a HTTP/1.1\r\nHost: 127.0.0.1:%u\r\nTransfer-Encoding: chunked\r\n"
                   "Via: 1.1 hnet\r\nConnection: close\r\n\r\n5\r\n012",
                   ntohs(lab.addr.sin_port));
    upstream_gets(&lab, expected, (size_t)len);
    say(&lab, "34\r\n0\r\n\r\nGET http://other/ HTTP/1.1\r\n\r\n", 39);
    upstream_gets(&lab, "34\r\n0\r\n\r\n", 9);
    settle(lab.loop);
    assert_int_equal(recv(lab.upstream, expected, 1, MSG_DONTWAIT), -1);
    lab_close(&lab);
    /* What cannot be a chunk ends both. */
    lab_open(&lab);
    say_http(&lab, "POST http://127.0.0.1:@/a HTTP/1.1\r\nHost: x\r\n"
                   "Transfer-Encoding: chunked\r\n\r\n");
    len = snprintf(expected, sizeof(expected),
                   "POST /a HTTP/1.1\r\nHost: 127.0.0.1:%u\r\nTransfer-Encoding: chunked\r\n"
                   "Via: 1.1 hnet\r\nConnection: close\r\n\r\n",
                   ntohs(lab.addr.sin_port));
    upstream_gets(&lab, expected, (size_t)len);
    say(&lab, "no chunk", 8);
    while (recv(lab.upstream, expected, 1, MSG_DONTWAIT) < 0 && errno == EAGAIN)
        settle(lab.loop);
    lab_close(&lab);
}

static void a_pipelined_request_goes_nowhere(void **state)
{
    char expected[TEXT_SIZE];
    lab_t lab;
    int len;

    (void)state;
    lab_open(&lab);
    say_http(&lab, "GET http://127.0.0.1:@/ HTTP/1.0\r\n\r\nGET http://other/ HTTP/1.0\r\n"
                   "Proxy-Authorization: Basic secret\r\n\r\n");
    len = snprintf(expected, sizeof(expected),
                   "GET / HTTP/1.0\r\nHost: 127.0.0.1:%u\r\n"
                   "Via: 1.0 hnet\r\nConnection: close\r\n\r\n",
                   ntohs(lab.addr.sin_port));
    upstream_gets(&lab, expected, (size_t)len);
    settle(lab.loop);
    assert_int_equal(recv(lab.upstream, expected, 1, MSG_DONTWAIT), -1);
    lab_close(&lab);
}

/* ---- ends ------------------------------------------------------------------------------------ */

static void a_server_may_be_freed_at_any_time(void **state)
{
    static const char said[] = "\5\1\0\5\1\0\1AP";
    lab_t lab;

    (void)state;
    for (size_t len = 0; len < sizeof(said); len++) {
        lab_open(&lab);
        if (len > 0)
            say_socks(&lab, said, len);
        for (int i = 0; i < 3; i++) {
            hloop_wakeup(lab.loop);
            assert_int_equal(hloop_run(lab.loop), 0);
        }
        assert_true(lab.ends > 0 || hproxy_server_pending(lab.server) == 1);
        lab_close(&lab);
    }
}

static void on_scenario_end(const hproxy_session_t *session, hio_t *upstream, int err,
                            const char *text, void *arg)
{
    int *result = arg;

    (void)session;
    (void)upstream;
    (void)text;
    *result = err ? err : 1;
}

/* One request, by SOCKS5 or (arg) HTTP, until its session has ended. Every session has its end,
 * also without memory: else this hangs. */
static int serve_one(hloop_t *loop, int fd, hproxy_server_t **server)
{
    hproxy_server_options_t options = {
        .user = "user", .password = "secret", .session = on_scenario_end};
    int result = 0, err;
    hio_t *io;

    options.arg = &result;
    err = hproxy_server_new(loop, &options, server);
    io = err == 0 ? hio_get(loop, fd) : NULL;
    if (!io) {
        close(fd);
        return -ENOMEM;
    }
    err = hproxy_server_accept(*server, io);
    while (err == 0 && result == 0)
        err = hloop_run(loop);
    return result == 1 ? 0 : -ENOMEM;
}

static int scenario(void *arg)
{
    hloop_options_t loop_options = {.flags = HLOOP_FLAG_RUN_ONCE, .poller = test_poller};
    hloop_t *loop = hloop_new_with(&loop_options);
    hproxy_server_t *server = NULL;
    struct sockaddr_in addr;
    char said[256] = "\5\1\2\1\4user\6secret\5\1\0\1";
    int listener, fds[2], err, len = 26;

    if (!loop)
        return -ENOMEM;
    listener = bound_socket(SOCK_STREAM, &addr);
    tcp_pair(fds);
    memcpy(said + 20, &addr.sin_addr, 4);
    memcpy(said + 24, &addr.sin_port, 2);
    if (arg)
        len = snprintf(said, sizeof(said),
                       "POST http://127.0.0.1:%u/ HTTP/1.0\r\nContent-Length: 2\r\n"
                       "Proxy-Authorization: Basic dXNlcjpzZWNyZXQ=\r\n\r\n1",
                       ntohs(addr.sin_port));
    assert_int_equal(send(fds[1], said, (size_t)len, MSG_NOSIGNAL), len);
    err = serve_one(loop, fds[0], &server);
    hproxy_server_free(server);
    hloop_free(&loop);
    close(fds[1]);
    close(listener);
    return err;
}

static void memory_may_end_at_any_time(void **state)
{
    bool http = true;

    (void)state;
    oom_run(scenario, NULL);
    oom_run(scenario, &http);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(socks4_clients_get_through),
        cmocka_unit_test(socks4a_clients_get_through),
        cmocka_unit_test(socks5_clients_get_through),
        cmocka_unit_test(http_clients_get_through),
        cmocka_unit_test(a_request_may_come_byte_by_byte),
        cmocka_unit_test(each_failure_has_its_answer),
        cmocka_unit_test(broken_requests_are_answered),
        cmocka_unit_test(a_line_without_an_end_is_refused),
        cmocka_unit_test(only_what_is_served_is_spoken),
        cmocka_unit_test(who_says_nothing_is_sent_away),
        cmocka_unit_test(who_goes_before_the_request_is_told),
        cmocka_unit_test(a_request_is_forwarded_with_its_body_and_no_more),
        cmocka_unit_test(a_body_in_chunks_is_passed_on_and_no_more),
        cmocka_unit_test(a_pipelined_request_goes_nowhere),
        cmocka_unit_test(a_server_may_be_freed_at_any_time),
        cmocka_unit_test(memory_may_end_at_any_time),
    };

    return run_on_each_poller("hproxy_server", tests, ARRAY_LENGTH(tests));
}
