/* One thread. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "http_program.h"

/* ---- responses ------------------------------------------------------------------------------- */

static void a_request_is_answered(void **state)
{
    web_t web;

    (void)state;
    web_open(&web, options());
    web_ask(&web, GET_LAST("/hello"));
    assert_int_equal(memcmp(web.heard, "HTTP/1.1 200 OK\r\nDate: ", 23), 0);
    assert_true(heard(&web, "\r\nServer: test\r\nContent-Type: text/plain\r\nContent-Length: 6\r\n"
                            "Connection: close\r\n\r\nhello\n"));
    assert_int_equal(web.done, 1);
    assert_int_equal(web.done_error, 0);
    assert_int_equal(web.done_status, 200);
    assert_int_equal(web.done_bytes, 6);
    assert_string_equal(web.done_target, "/hello");
    web_close(&web);
}

static void a_request_may_come_in_any_pieces(void **state)
{
    static const char text[] =
        "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nabcde"
        "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
        "3\r\nfgh\r\n2;x\r\nij\r\n0\r\nT: 1\r\n\r\n" GET_LAST("/hello");
    size_t len = sizeof(text) - 1;
    web_t web;

    (void)state;
    web_open(&web, options());
    for (size_t cut = 0; cut <= len; cut++) {
        int fd = web_client(&web);

        web_forget(&web);
        web_say(fd, text, cut);
        web_turn(&web, fd);
        web_say(fd, text + cut, len - cut);
        web_until_end(&web, fd);
        assert_true(heard(&web, "\r\n\r\nabcdeHTTP/1.1 200"));
        assert_true(heard(&web, "\r\n\r\nfghijHTTP/1.1 200"));
        assert_true(heard(&web, "\r\n\r\nhello\n"));
        close(fd);
    }
    web_close(&web);
}

static void responses_in_pieces_are_chunked(void **state)
{
    web_t web;

    (void)state;
    web_open(&web, options());
    web_ask(&web, GET_LAST("/pieces"));
    assert_true(heard(&web, "Transfer-Encoding: chunked\r\n"));
    assert_false(heard(&web, "Content-Length"));
    assert_true(heard(&web, "\r\n\r\n4\r\none,\r\n4\r\ntwo,\r\n5\r\nthree\r\n0\r\n\r\n"));
    assert_int_equal(web.done_bytes, 13);

    web_ask(&web, "GET /pieces HTTP/1.0\r\n\r\n");
    assert_false(heard(&web, "chunked"));
    assert_true(heard(&web, "\r\n\r\none,two,three"));
    web_close(&web);
}

static void head_and_empty_ones_have_no_body(void **state)
{
    web_t web;

    (void)state;
    web_open(&web, options());
    web_ask(&web, "HEAD /hello HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    assert_true(heard(&web, "Content-Length: 6\r\n"));
    assert_false(heard(&web, "hello"));
    web_ask(&web, "HEAD /pieces HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    assert_false(heard(&web, "one"));
    assert_false(heard(&web, "\r\n0\r\n"));
    web_close(&web);
}

static void fields_are_set_and_refused(void **state)
{
    web_t web;

    (void)state;
    web_open(&web, options());
    web_ask(&web, GET_LAST("/fields"));
    assert_int_equal(memcmp(web.heard, "HTTP/1.1 201 Created\r\n", 22), 0);
    assert_true(heard(&web, "X-A: 1\r\nx-a: 2\r\n"));
    assert_true(heard(&web, "x-b: 3\r\n"));
    assert_false(heard(&web, "X-B: 1"));
    assert_false(heard(&web, "gone"));
    assert_false(heard(&web, "X-E"));
    assert_true(heard(&web, "Server: mine\r\n"));
    assert_false(heard(&web, "Server: test"));
    assert_int_equal(web_count(&web, "Date:"), 1);
    assert_false(heard(&web, "again"));
    web_close(&web);
}

static void the_query_is_decoded(void **state)
{
    web_t web;

    (void)state;
    web_open(&web, options());
    web_ask(&web, GET_LAST("/query?a=1&q=x%20y+z&q=2"));
    assert_true(heard(&web, "\r\n\r\nx y z"));
    web_ask(&web, GET_LAST("/query?a=1"));
    assert_true(heard(&web, "400 Bad Request: q is missing"));
    web_close(&web);
}

/* ---- keep-alive and pipelining --------------------------------------------------------------- */

static void requests_that_come_together_are_answered_in_order(void **state)
{
    web_t web;
    int fd;

    (void)state;
    web_open(&web, options());
    fd = web_client(&web);
    web_say_text(fd, GET("/hello") GET("/nothing") GET("/pieces") GET_LAST("/hello"));
    web_until_end(&web, fd);
    assert_int_equal(web.handled, 4);
    assert_int_equal(web_count(&web, "HTTP/1.1 "), 4);
    assert_true(strstr(web.heard, "hello\nHTTP/1.1 404") != NULL);
    assert_true(strstr(web.heard, "three\r\n0\r\n\r\nHTTP/1.1 200") != NULL);
    close(fd);
    web_close(&web);
}

static void what_is_answered_late_does_not_let_others_pass(void **state)
{
    web_t web;
    int fd;

    (void)state;
    web_open(&web, options());
    fd = web_client(&web);
    web_say_text(fd, GET("/later") GET_LAST("/hello"));
    WEB_UNTIL(&web, fd, web.stream);
    settle(web.loop);
    assert_int_equal(web.handled, 1);
    assert_string_equal(http_stream_request(web.stream)->target.data[0] == '/' ? "ok" : "", "ok");
    assert_int_equal(http_stream_request(web.stream)->target.len, 6);
    assert_string_equal(http_stream_request(web.stream)->path.data, "/later");
    assert_true(http_request_field(web.stream, HTTP_FIELD_HOST).len == 1);
    http_response_send(web.stream, "late", 4);
    assert_int_equal(web.closed, 0); /* never from inside */
    web_until_end(&web, fd);
    assert_int_equal(web.closed, 1);
    assert_int_equal(web.close_error, 0);
    assert_true(strstr(web.heard, "\r\n\r\nlateHTTP/1.1 200 OK") != NULL);
    close(fd);
    web_close(&web);
}

static void a_connection_ends_after_its_requests(void **state)
{
    http_server_options_t o = options();
    web_t web;
    int fd;

    (void)state;
    o.keepalive_requests = 2;
    web_open(&web, o);
    fd = web_client(&web);
    web_say_text(fd, GET("/hello") GET("/hello") GET("/hello"));
    web_until_end(&web, fd);
    assert_int_equal(web.handled, 2);
    assert_int_equal(web_count(&web, "Connection: close"), 1);
    close(fd);
    web_close(&web);
}

static void http10_is_kept_alive_only_if_it_asks(void **state)
{
    web_t web;
    int fd;

    (void)state;
    web_open(&web, options());
    web_ask(&web, "GET /hello HTTP/1.0\r\n\r\n");
    assert_true(heard(&web, "Connection: close"));
    web_forget(&web);
    fd = web_client(&web);
    web_say_text(fd, "GET /hello HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    WEB_UNTIL(&web, fd, web.heard_len > 0 && heard(&web, "hello\n"));
    assert_true(heard(&web, "Connection: keep-alive\r\n"));
    assert_false(web.ended);
    close(fd);
    web_close(&web);
}

/* ---- bodies ---------------------------------------------------------------------------------- */

static void bodies_are_passed_on_and_paused(void **state)
{
    http_server_options_t o = options();
    char *data = new_pattern(200000);
    web_t web;
    int fd;

    (void)state;
    web_open(&web, o);
    fd = web_client(&web);
    web_say_text(fd, "POST /count HTTP/1.1\r\nHost: a\r\nContent-Length: 200000\r\n"
                     "Connection: close\r\n\r\n");
    WEB_UNTIL(&web, fd, web.stream);
    http_stream_pause(web.stream);
    web_say(fd, data, 100000);
    settle(web.loop);
    assert_int_equal(web.body_len, 0);
    http_stream_resume(web.stream);
    WEB_UNTIL(&web, fd, web.body_len == 100000);
    web_say(fd, data, 100000);
    web_until_end(&web, fd);
    assert_int_equal(web.body_ends, 1);
    assert_true(heard(&web, "200000 bytes"));
    close(fd);
    free(data);
    web_close(&web);
}

static void one_hundred_is_sent_when_the_body_is_wanted(void **state)
{
    web_t web;
    int fd;

    (void)state;
    web_open(&web, options());
    fd = web_client(&web);
    web_say_text(fd, "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n"
                     "Expect: 100-continue\r\n\r\n");
    WEB_UNTIL(&web, fd, heard(&web, "HTTP/1.1 100 Continue\r\n\r\n"));
    web_say_text(fd, "abc");
    WEB_UNTIL(&web, fd, heard(&web, "\r\n\r\nabc"));
    close(fd);

    web_forget(&web);
    fd = web_client(&web); /* an answer without it: nobody knows whether the body comes */
    web_say_text(fd, "POST /hello HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n"
                     "Expect: 100-continue\r\n\r\n");
    WEB_UNTIL(&web, fd, heard(&web, "hello\n"));
    assert_true(heard(&web, "Connection: close"));
    assert_false(heard(&web, "100 Continue"));
    close(fd);
    web_close(&web);
}

static void a_body_past_the_limit_is_refused(void **state)
{
    http_server_options_t o = options();
    web_t web;

    (void)state;
    o.limits.body_max = 10;
    web_open(&web, o);
    web_ask(&web, "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 11\r\n\r\nabc");
    assert_int_equal(memcmp(web.heard, "HTTP/1.1 413 ", 13), 0);
    assert_true(heard(&web, "Connection: close"));
    web_ask(&web, "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
                  "9\r\n123456789\r\n9\r\n123456789\r\n0\r\n\r\n");
    assert_int_equal(memcmp(web.heard, "HTTP/1.1 413 ", 13), 0);
    web_close(&web);
}

static void a_body_that_nobody_wants_is_read_if_it_is_short(void **state)
{
    http_server_options_t o = options();
    web_t web;
    int fd;

    (void)state;
    o.discard_max = 100;
    web_open(&web, o);
    fd = web_client(&web);
    web_say_text(
        fd, "POST /hello HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc" GET_LAST("/hello"));
    web_until_end(&web, fd);
    assert_int_equal(web.handled, 2);
    close(fd);
    web_ask(&web, "POST /hello HTTP/1.1\r\nHost: a\r\nContent-Length: 101\r\n\r\nabc");
    assert_true(heard(&web, "Connection: close"));
    assert_true(heard(&web, "hello\n"));
    web_close(&web);
}

/* ---- what is refused ------------------------------------------------------------------------- */

static void what_cannot_be_read_is_refused_and_closed(void **state)
{
    static const struct {
        const char *text;
        const char *status;
    } cases[] = {
        {"GET / HTTP/1.1\r\n\r\n", "400"},
        {"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", "400"},
        {"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
         "400"},
        {"GET /%00 HTTP/1.1\r\nHost: a\r\n\r\n", "400"},
        {"GET /..%2f..%2fetc/passwd HTTP/1.1\r\nHost: a\r\n\r\n", "400"},
        {"GET /a%2 HTTP/1.1\r\nHost: a\r\n\r\n", "400"},
        {"GET / HTTP/2.0\r\nHost: a\r\n\r\n", "505"},
        {"nonsense\r\n\r\n", "400"},
    };
    web_t web;

    (void)state;
    web_open(&web, options());
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        web_ask(&web, cases[i].text);
        assert_int_equal(memcmp(web.heard, "HTTP/1.1 ", 9), 0);
        assert_int_equal(memcmp(web.heard + 9, cases[i].status, 3), 0);
        assert_true(heard(&web, "Connection: close\r\n"));
        assert_int_equal(web.done, (int)i + 1);
    }
    assert_int_equal(web.handled, 0);
    web_close(&web);
}

static void a_line_that_is_too_long_has_its_own_status(void **state)
{
    char *text = malloc(10000);
    web_t web;

    (void)state;
    web_open(&web, options());
    snprintf(text, 10000, "GET /%09000d HTTP/1.1\r\nHost: a\r\n\r\n", 0);
    web_ask(&web, text);
    assert_int_equal(memcmp(web.heard, "HTTP/1.1 414 ", 13), 0);
    snprintf(text, 10000, "GET / HTTP/1.1\r\nHost: a\r\nX: %09000d\r\n\r\n", 0);
    web_ask(&web, text);
    assert_int_equal(memcmp(web.heard, "HTTP/1.1 431 ", 13), 0);
    free(text);
    web_close(&web);
}

/* ---- flow ------------------------------------------------------------------------------------ */

static void a_slow_reader_gets_all_of_it_and_costs_little(void **state)
{
    char *want = new_pattern(BIG_LEN), *got = malloc(BIG_LEN + 4096);
    size_t len = 0, written_at_first;
    char *body;
    web_t web;
    int fd;

    (void)state;
    web_open(&web, options());
    fd = web_client(&web);
    small_buffers(fd);
    web_say_text(fd, GET_LAST("/big"));
    RUN_UNTIL(web.loop, web.body_len > 0);
    settle(web.loop);
    written_at_first = web.body_len;
    assert_true(written_at_first < BIG_LEN); /* the rest waits for the client */
    while (!web.ended) {
        bool eof;
        ssize_t n;

        hloop_wakeup(web.loop);
        assert_int_equal(hloop_run(web.loop), 0);
        n = plain_drain(fd, got + len, BIG_LEN + 4096 - len, &eof);
        assert_true(n >= 0);
        len += (size_t)n;
        web.ended = eof;
    }
    body = memmem(got, len, "\r\n\r\n", 4);
    assert_non_null(body);
    assert_int_equal(got + len - (body + 4), BIG_LEN);
    assert_memory_equal(body + 4, want, BIG_LEN);
    close(fd);
    free(want);
    free(got);
    web_close(&web);
}

static void what_the_client_did_not_get_is_not_counted(void **state)
{
    http_server_stats_t stats;
    web_t web;
    int fd;

    (void)state;
    web_open(&web, options());
    fd = web_client(&web);
    small_buffers(fd);
    web_say_text(fd, GET("/big"));
    RUN_UNTIL(web.loop, web.body_len > 0);
    settle(web.loop);
    plain_reset(fd);
    RUN_UNTIL(web.loop, web.closed > 0);
    assert_true(web.done_bytes < (int64_t)web.body_len); /* a part of it was still queued */
    http_server_stats(web.server, &stats);
    assert_true(stats.bytes_out < web.body_len);
    web_close(&web);
}

static void a_client_that_goes_is_told(void **state)
{
    web_t web;
    int fd;

    (void)state;
    web_open(&web, options());
    fd = web_client(&web);
    web_say_text(fd, GET("/later"));
    WEB_UNTIL(&web, fd, web.stream);
    plain_reset(fd);
    RUN_UNTIL(web.loop, web.closed > 0);
    assert_int_equal(web.close_error, -ECONNRESET);
    assert_int_equal(web.done, 1);
    assert_int_equal(web.done_status, 0);
    web_close(&web);
}

static void a_half_closed_client_gets_its_response(void **state)
{
    web_t web;
    int fd;

    (void)state;
    web_open(&web, options());
    fd = web_client(&web);
    web_say_text(fd, GET("/later"));
    shutdown(fd, SHUT_WR);
    WEB_UNTIL(&web, fd, web.stream);
    settle(web.loop);
    http_response_send(web.stream, "late", 4);
    web_until_end(&web, fd);
    assert_true(heard(&web, "\r\n\r\nlate"));
    assert_int_equal(web.close_error, 0);
    close(fd);
    web_close(&web);
}

static void an_aborted_response_is_truncated(void **state)
{
    web_t web;
    int fd;

    (void)state;
    web_open(&web, options());
    fd = web_client(&web);
    web_say_text(fd, GET("/later"));
    WEB_UNTIL(&web, fd, web.stream);
    http_response_start(web.stream, 10);
    http_response_write(web.stream, "half", 4);
    assert_int_equal(http_response_end(web.stream), HERR_TRUNCATED);
    assert_int_equal(http_response_write(web.stream, "more", 4), HERR_CLOSED);
    WEB_UNTIL(&web, fd, web.closed > 0);
    assert_int_equal(web.close_error, HERR_TRUNCATED);
    close(fd);
    web_close(&web);
}

static void a_tunnel_carries_bytes_both_ways(void **state)
{
    web_t web;
    int fd;

    (void)state;
    web_open(&web, options());
    fd = web_client(&web);
    web_say_text(fd, "GET /switch HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: test\r\n"
                     "\r\nraw\r\n");
    WEB_UNTIL(&web, fd, web.body_len == 5);
    assert_true(heard(&web, "101 Switching Protocols\r\n"));
    assert_true(heard(&web, "Connection: Upgrade\r\n"));
    assert_false(heard(&web, "chunked"));
    http_response_write(web.stream, "back", 4);
    WEB_UNTIL(&web, fd, heard(&web, "\r\n\r\nback"));
    shutdown(fd, SHUT_WR);
    WEB_UNTIL(&web, fd, web.body_ends == 1);
    http_response_end(web.stream);
    web_until_end(&web, fd);
    assert_int_equal(web.closed, 1);
    assert_int_equal(web.close_error, 0);
    close(fd);
    web_close(&web);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_is_answered),
        cmocka_unit_test(a_request_may_come_in_any_pieces),
        cmocka_unit_test(responses_in_pieces_are_chunked),
        cmocka_unit_test(head_and_empty_ones_have_no_body),
        cmocka_unit_test(fields_are_set_and_refused),
        cmocka_unit_test(the_query_is_decoded),
        cmocka_unit_test(requests_that_come_together_are_answered_in_order),
        cmocka_unit_test(what_is_answered_late_does_not_let_others_pass),
        cmocka_unit_test(a_connection_ends_after_its_requests),
        cmocka_unit_test(http10_is_kept_alive_only_if_it_asks),
        cmocka_unit_test(bodies_are_passed_on_and_paused),
        cmocka_unit_test(one_hundred_is_sent_when_the_body_is_wanted),
        cmocka_unit_test(a_body_past_the_limit_is_refused),
        cmocka_unit_test(a_body_that_nobody_wants_is_read_if_it_is_short),
        cmocka_unit_test(what_cannot_be_read_is_refused_and_closed),
        cmocka_unit_test(a_line_that_is_too_long_has_its_own_status),
        cmocka_unit_test(a_slow_reader_gets_all_of_it_and_costs_little),
        cmocka_unit_test(what_the_client_did_not_get_is_not_counted),
        cmocka_unit_test(a_client_that_goes_is_told),
        cmocka_unit_test(a_half_closed_client_gets_its_response),
        cmocka_unit_test(an_aborted_response_is_truncated),
        cmocka_unit_test(a_tunnel_carries_bytes_both_ways),
    };

    return run_on_each_poller("http_server", tests, ARRAY_LENGTH(tests));
}
