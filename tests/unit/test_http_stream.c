/* One thread. */
/* What may happen to one stream: coders, tunnels, expectations, and calls at odd moments. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "http_fixture.h"

#include "proto/http_stream_int.h"

#define GET(path) "GET " path " HTTP/1.1\r\nHost: a\r\n\r\n"
#define GET_LAST(path) "GET " path " HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
#define FILE_LEN (512 * 1024)

static web_t *web_of(http_stream_t *stream)
{
    return http_server_userdata(http_stream_server(stream));
}

static bool heard(const web_t *web, const char *text)
{
    return memmem(web->heard, web->heard_len, text, strlen(text)) != NULL;
}

/* ---- the program that is served -------------------------------------------------------------- */

static void count_body(http_stream_t *stream, http_span_t data, void *userdata)
{
    (void)stream;
    ((web_t *)userdata)->body_len += data.len;
}

static void count_end(http_stream_t *stream, void *userdata)
{
    (void)stream;
    ((web_t *)userdata)->body_ends++;
}

static void on_close(http_stream_t *stream, int err, void *userdata)
{
    web_t *web = userdata;

    (void)stream;
    web->closed++;
    web->close_error = err;
    web->stream = NULL;
}

static const http_stream_callbacks_t counting = {
    .on_body = count_body, .on_body_end = count_end, .on_close = on_close};

/* A file that no coder makes shorter. */
static int noise_file(void)
{
    char path[] = "/tmp/test_http_stream.XXXXXX";
    uint32_t *words = malloc(FILE_LEN), x = 1;
    int fd = mkstemp(path);

    assert_non_null(words);
    assert_true(fd >= 0);
    unlink(path);
    for (size_t i = 0; i < FILE_LEN / sizeof(*words); i++) {
        x ^= x << 13;
        x ^= x >> 17;
        x ^= x << 5;
        words[i] = x;
    }
    assert_int_equal(write(fd, words, FILE_LEN), FILE_LEN);
    free(words);
    return fd;
}

static void close_file(void *arg)
{
    close((int)(intptr_t)arg);
}

static void set_coder(http_stream_t *stream, void *arg)
{
    http_coding_t *coding;

    (void)arg;
    assert_int_equal(http_encoder_new(HTTP_CODING_GZIP, 1, FILE_LEN, &coding), 0);
    http_response__set_coding(stream, coding);
}

static void serve_coded(http_stream_t *stream)
{
    int fd = noise_file();
    http_file_part_t part = {
        .fd = fd, .len = FILE_LEN, .release = close_file, .arg = (void *)(intptr_t)fd};

    assert_int_equal(http_stream_add_hook(stream, set_coder, NULL), 0);
    assert_int_equal(http_response_send_file(stream, &part), 0);
}

static void serve_drain(http_stream_t *stream)
{
    http_server_drain(web_of(stream)->server, 0, NULL, NULL);
    assert_int_equal(http_response_send(stream, "draining", 8), 0);
}

static void keep(http_stream_t *stream)
{
    http_stream_set_callbacks(stream, &counting, web_of(stream));
    web_of(stream)->stream = stream;
}

static void serve_switch(http_stream_t *stream)
{
    keep(stream);
    http_response_status(stream, 101);
    http_response_set(stream, HTTP_SPAN("Upgrade"), HTTP_SPAN("test"));
    http_response_start(stream, -1);
}

static void program(http_stream_t *stream, void *userdata)
{
    const http_request_t *request = http_stream_request(stream);

    ((web_t *)userdata)->handled++;
    if (request->method == HTTP_METHOD_CONNECT || strcmp(request->path.data, "/later") == 0)
        keep(stream);
    else if (strcmp(request->path.data, "/coded") == 0)
        serve_coded(stream);
    else if (strcmp(request->path.data, "/drain") == 0)
        serve_drain(stream);
    else if (strcmp(request->path.data, "/switch") == 0)
        serve_switch(stream);
    else
        http_response_send(stream, "hello", 5);
}

static http_server_options_t options(void)
{
    return (http_server_options_t){.handler = program};
}

/* ---- coders ---------------------------------------------------------------------------------- */

static void a_coded_file_is_whole_whatever_follows(void **state)
{
    web_t web;
    int fd;

    (void)state;
    web_open(&web, options());
    fd = web_client(&web);
    web_say_text(fd, GET("/coded") GET_LAST("/hello"));
    web_until_end(&web, fd);
    assert_true(heard(&web, "\r\n0\r\n\r\nHTTP/1.1 200 OK\r\n"));
    assert_true(web.heard_len > FILE_LEN);
    close(fd);
    web_close(&web);
}

/* ---- tunnels --------------------------------------------------------------------------------- */

static void the_end_of_a_tunnel_is_told_when_it_comes(void **state)
{
    web_t web;
    int fd;

    (void)state;
    web_open(&web, options());
    fd = web_client(&web);
    web_say_text(fd, "GET /switch HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: test\r\n"
                     "\r\nraw");
    WEB_UNTIL(&web, fd, web.body_len == 3);
    assert_int_equal(web.body_ends, 0);
    shutdown(fd, SHUT_WR);
    WEB_UNTIL(&web, fd, web.body_ends == 1);
    assert_int_equal(web.closed, 0);
    assert_int_equal(http_response_write(web.stream, "back", 4), 0);
    http_response_end(web.stream);
    web_until_end(&web, fd);
    assert_true(heard(&web, "\r\n\r\nback"));
    assert_int_equal(web.close_error, 0);
    close(fd);
    web_close(&web);
}

static void a_tunnel_outlives_the_end_of_one_side(void **state)
{
    web_t web;
    int fd;

    (void)state;
    web_open(&web, options());
    fd = web_client(&web);
    web_say_text(fd, "CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n");
    WEB_UNTIL(&web, fd, web.stream);
    assert_int_equal(http_response_start(web.stream, -1), 0);
    assert_int_equal(http_response_end(web.stream), 0);
    web_until_end(&web, fd);
    assert_int_equal(web.closed, 0);
    web_say_text(fd, "more");
    RUN_UNTIL(web.loop, web.body_len == 4);
    close(fd);
    RUN_UNTIL(web.loop, web.closed == 1);
    assert_int_equal(web.close_error, 0);
    web_close(&web);
}

static void a_tunnel_can_be_ended_for_both_sides(void **state)
{
    web_t web;
    int fd;

    (void)state;
    web_open(&web, options());
    fd = web_client(&web);
    web_say_text(fd, "CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n");
    WEB_UNTIL(&web, fd, web.stream);
    http_response_start(web.stream, -1);
    http_response_write(web.stream, "bye", 3);
    http_response_end(web.stream);
    http_response_last(web.stream);
    web_until_end(&web, fd);
    RUN_UNTIL(web.loop, web.closed == 1);
    assert_int_equal(web.close_error, 0);
    assert_true(heard(&web, "\r\n\r\nbye"));
    close(fd);
    web_close(&web);
}

static void half_a_tunnel_that_is_silent_ends(void **state)
{
    http_server_options_t o = options();
    web_t web;
    int fd;

    (void)state;
    o.body_ms = 50;
    web_open(&web, o);
    fd = web_client(&web);
    web_say_text(fd, "CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n");
    WEB_UNTIL(&web, fd, web.stream);
    http_response_start(web.stream, -1);
    http_response_end(web.stream);
    RUN_UNTIL(web.loop, web.closed == 1);
    assert_int_equal(web.close_error, -ETIMEDOUT);
    close(fd);
    web_close(&web);
}

/* ---- odd moments ----------------------------------------------------------------------------- */

static void a_body_that_was_not_asked_for_is_not_waited_for(void **state)
{
    http_server_options_t o = options();
    web_t web;

    (void)state;
    o.body_ms = 1000;
    web_open(&web, o);
    web_ask(&web, "POST /hello HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n"
                  "Expect: 100-continue\r\n\r\n");
    assert_true(heard(&web, "Connection: close\r\n"));
    assert_int_equal(web.done, 1);
    assert_int_equal(web.done_error, 0);
    web_close(&web);
}

/* Without a length the end of the connection would look like that of the response. */
static void an_end_that_is_none_is_seen(void **state)
{
    web_t web;
    int fd;

    (void)state;
    web_open(&web, options());
    fd = web_client(&web);
    web_say_text(fd, "GET /later HTTP/1.0\r\n\r\n");
    WEB_UNTIL(&web, fd, web.stream);
    http_response_start(web.stream, -1);
    http_response_write(web.stream, "half", 4);
    WEB_UNTIL(&web, fd, heard(&web, "half"));
    http_stream_abort(web.stream, -EPROTO);
    web_until_end(&web, fd);
    assert_true(web.reset);
    assert_int_equal(web.close_error, -EPROTO);
    close(fd);
    web_close(&web);
}

/* The connection had been idle for longer than a server that drains lets it. */
static void who_starts_a_drain_is_answered(void **state)
{
    web_t web;
    int fd;

    (void)state;
    web_open(&web, options());
    fd = web_client(&web);
    web_say_text(fd, GET("/hello"));
    for (uint64_t until = now_ms() + 1100; now_ms() < until;)
        web_turn(&web, fd);
    web_forget(&web);
    web_say_text(fd, GET("/drain"));
    web_until_end(&web, fd);
    assert_true(heard(&web, "\r\n\r\ndraining"));
    close(fd);
    web_close(&web);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_coded_file_is_whole_whatever_follows),
        cmocka_unit_test(the_end_of_a_tunnel_is_told_when_it_comes),
        cmocka_unit_test(a_tunnel_outlives_the_end_of_one_side),
        cmocka_unit_test(a_tunnel_can_be_ended_for_both_sides),
        cmocka_unit_test(half_a_tunnel_that_is_silent_ends),
        cmocka_unit_test(a_body_that_was_not_asked_for_is_not_waited_for),
        cmocka_unit_test(an_end_that_is_none_is_seen),
        cmocka_unit_test(who_starts_a_drain_is_answered),
    };

    return run_on_each_poller("http_stream", tests, ARRAY_LENGTH(tests));
}
