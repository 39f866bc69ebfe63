#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "http_fixture.h"

#define GET(path) "GET " path " HTTP/1.1\r\nHost: a\r\n\r\n"
#define GET_LAST(path) "GET " path " HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
#define BIG_LEN ((size_t)8 << 20)

/* ---- the program that is served -------------------------------------------------------------- */

static web_t *web_of(http_stream_t *stream)
{
    return http_server_userdata(http_stream_server(stream));
}

static void count_body(http_stream_t *stream, http_span_t data, void *userdata)
{
    (void)userdata;
    web_of(stream)->body_len += data.len;
}

static void count_end(http_stream_t *stream, void *userdata)
{
    char text[64];

    (void)userdata;
    web_of(stream)->body_ends++;
    snprintf(text, sizeof(text), "%zu bytes", web_of(stream)->body_len);
    http_response_send(stream, text, strlen(text));
}

static void on_close(http_stream_t *stream, int err, void *userdata)
{
    web_t *web = userdata;

    web->closed++;
    web->close_error = err;
    if (web->stream == stream)
        web->stream = NULL;
}

static const http_stream_callbacks_t watching = {.on_close = on_close};
static const http_stream_callbacks_t counting = {
    .on_body = count_body, .on_body_end = count_end, .on_close = on_close};

static void serve_hello(http_stream_t *stream)
{
    http_response_set(stream, HTTP_SPAN("Content-Type"), HTTP_SPAN("text/plain"));
    http_response_send(stream, "hello\n", 6);
}

static void echo(http_stream_t *stream, http_span_t body, void *userdata)
{
    (void)userdata;
    http_response_send(stream, body.data, body.len);
}

static void serve_echo(http_stream_t *stream)
{
    assert_int_equal(http_stream_collect(stream, 0, echo, NULL), 0);
}

static void serve_pieces(http_stream_t *stream)
{
    assert_int_equal(http_response_start(stream, -1), 0);
    http_response_write(stream, "one,", 4);
    http_response_write(stream, "two,", 4);
    http_response_write(stream, "three", 5);
    http_response_end(stream);
}

static void serve_later(http_stream_t *stream)
{
    http_stream_set_callbacks(stream, &watching, web_of(stream));
    web_of(stream)->stream = stream;
}

static void serve_count(http_stream_t *stream)
{
    http_stream_set_callbacks(stream, &counting, web_of(stream));
    web_of(stream)->stream = stream;
}

static void fill(http_stream_t *stream, void *userdata)
{
    web_t *web = userdata;
    char data[4096];

    while (web->body_len < BIG_LEN && !http_response_is_full(stream)) {
        for (size_t i = 0; i < sizeof(data); i++)
            data[i] = pattern(web->body_len + i);
        assert_int_equal(http_response_write(stream, data, sizeof(data)), 0);
        web->body_len += sizeof(data);
    }
    if (web->body_len == BIG_LEN)
        http_response_end(stream);
}

static void serve_big(http_stream_t *stream)
{
    static const http_stream_callbacks_t filling = {.on_drained = fill, .on_close = on_close};

    http_stream_set_callbacks(stream, &filling, web_of(stream));
    http_response_start(stream, (int64_t)BIG_LEN);
    fill(stream, web_of(stream));
}

static void serve_fields(http_stream_t *stream)
{
    assert_int_equal(http_response_add(stream, HTTP_SPAN("X-A"), HTTP_SPAN("1")), 0);
    assert_int_equal(http_response_add(stream, HTTP_SPAN("x-a"), HTTP_SPAN("2")), 0);
    assert_int_equal(http_response_set(stream, HTTP_SPAN("X-B"), HTTP_SPAN("1")), 0);
    assert_int_equal(http_response_set(stream, HTTP_SPAN("x-b"), HTTP_SPAN("3")), 0);
    assert_int_equal(http_response_set(stream, HTTP_SPAN("X-C"), HTTP_SPAN("gone")), 0);
    assert_int_equal(http_response_remove(stream, HTTP_SPAN("x-c")), 0);
    assert_int_equal(http_response_set(stream, HTTP_SPAN("X-D"), HTTP_SPAN("a\r\nX-E: b")),
                     -EINVAL);
    assert_int_equal(http_response_set(stream, HTTP_SPAN("X D"), HTTP_SPAN("a")), -EINVAL);
    assert_int_equal(http_response_set(stream, HTTP_SPAN("Content-Length"), HTTP_SPAN("9")),
                     -EINVAL);
    assert_int_equal(http_response_set(stream, HTTP_SPAN("Server"), HTTP_SPAN("mine")), 0);
    http_response_status(stream, 201);
    http_response_send(stream, "", 0);
    assert_int_equal(http_response_set(stream, HTTP_SPAN("X-F"), HTTP_SPAN("late")), HERR_CLOSED);
    assert_int_equal(http_response_send(stream, "again", 5), HERR_CLOSED);
}

static void serve_query(http_stream_t *stream)
{
    char value[32];
    ssize_t len = http_request_query(stream, "q", value, sizeof(value));

    if (len < 0)
        http_response_error(stream, 400, "q is missing");
    else
        http_response_send(stream, value, (size_t)len);
}

static void serve_switch(http_stream_t *stream)
{
    http_stream_set_callbacks(stream, &counting, web_of(stream));
    web_of(stream)->stream = stream;
    http_response_status(stream, 101);
    http_response_set(stream, HTTP_SPAN("Upgrade"), HTTP_SPAN("test"));
    http_response_start(stream, -1);
}

static void program(http_stream_t *stream, void *userdata)
{
    static const struct {
        const char *path;
        void (*serve)(http_stream_t *stream);
    } routes[] = {
        {"/hello", serve_hello},   {"/echo", serve_echo},   {"/pieces", serve_pieces},
        {"/later", serve_later},   {"/count", serve_count}, {"/big", serve_big},
        {"/fields", serve_fields}, {"/query", serve_query}, {"/switch", serve_switch},
    };
    const http_request_t *request = http_stream_request(stream);

    ((web_t *)userdata)->handled++;
    for (size_t i = 0; i < ARRAY_LENGTH(routes); i++) {
        if (strcmp(request->path.data, routes[i].path) == 0) {
            routes[i].serve(stream);
            return;
        }
    }
    http_response_error(stream, 404, NULL);
}

static http_server_options_t options(void)
{
    return (http_server_options_t){.handler = program, .name = "test"};
}

static bool heard(const web_t *web, const char *text)
{
    return memmem(web->heard, web->heard_len, text, strlen(text)) != NULL;
}

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
        cmocka_unit_test(a_client_that_goes_is_told),
        cmocka_unit_test(a_half_closed_client_gets_its_response),
        cmocka_unit_test(an_aborted_response_is_truncated),
        cmocka_unit_test(a_tunnel_carries_bytes_both_ways),
        cmocka_unit_test(a_head_that_does_not_come_in_time_is_refused),
        cmocka_unit_test(an_idle_connection_is_closed),
        cmocka_unit_test(a_body_that_drips_is_cut_off),
        cmocka_unit_test(who_does_not_read_is_cut_off),
        cmocka_unit_test(a_response_that_takes_its_time_is_waited_for),
        cmocka_unit_test(draining_lets_requests_finish),
        cmocka_unit_test(draining_ends_in_time),
        cmocka_unit_test(more_connections_than_allowed_are_closed),
        cmocka_unit_test(a_proxy_says_who_comes),
    };

    return run_on_each_poller("http_server", tests, ARRAY_LENGTH(tests));
}
