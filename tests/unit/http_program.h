/* http_program: what the tests of the HTTP server serve. Include it after cmocka.h. */
#ifndef HNET_TESTS_HTTP_PROGRAM_H
#define HNET_TESTS_HTTP_PROGRAM_H

#include "http_fixture.h"

#define GET(path) "GET " path " HTTP/1.1\r\nHost: a\r\n\r\n"
#define GET_LAST(path) "GET " path " HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
#define BIG_LEN ((size_t)8 << 20)

/* ---- the program that is served -------------------------------------------------------------- */

static inline web_t *web_of(http_stream_t *stream)
{
    return http_server_userdata(http_stream_server(stream));
}

static inline void count_body(http_stream_t *stream, http_span_t data, void *userdata)
{
    (void)userdata;
    web_of(stream)->body_len += data.len;
}

static inline void count_end(http_stream_t *stream, void *userdata)
{
    char text[64];

    (void)userdata;
    web_of(stream)->body_ends++;
    snprintf(text, sizeof(text), "%zu bytes", web_of(stream)->body_len);
    http_response_send(stream, text, strlen(text));
}

static inline void on_close(http_stream_t *stream, int err, void *userdata)
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

static inline void serve_hello(http_stream_t *stream)
{
    http_response_set(stream, HTTP_SPAN("Content-Type"), HTTP_SPAN("text/plain"));
    http_response_send(stream, "hello\n", 6);
}

static inline void echo(http_stream_t *stream, http_span_t body, void *userdata)
{
    (void)userdata;
    http_response_send(stream, body.data, body.len);
}

static inline void serve_echo(http_stream_t *stream)
{
    assert_int_equal(http_stream_collect(stream, 0, echo, NULL), 0);
}

static inline void serve_pieces(http_stream_t *stream)
{
    assert_int_equal(http_response_start(stream, -1), 0);
    http_response_write(stream, "one,", 4);
    http_response_write(stream, "two,", 4);
    http_response_write(stream, "three", 5);
    http_response_end(stream);
}

static inline void serve_later(http_stream_t *stream)
{
    http_stream_set_callbacks(stream, &watching, web_of(stream));
    web_of(stream)->stream = stream;
}

static inline void serve_count(http_stream_t *stream)
{
    http_stream_set_callbacks(stream, &counting, web_of(stream));
    web_of(stream)->stream = stream;
}

static inline void fill(http_stream_t *stream, void *userdata)
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

static inline void serve_big(http_stream_t *stream)
{
    static const http_stream_callbacks_t filling = {.on_drained = fill, .on_close = on_close};

    http_stream_set_callbacks(stream, &filling, web_of(stream));
    http_response_start(stream, (int64_t)BIG_LEN);
    fill(stream, web_of(stream));
}

static inline void serve_fields(http_stream_t *stream)
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

static inline void serve_query(http_stream_t *stream)
{
    char value[32];
    ssize_t len = http_request_query(stream, "q", value, sizeof(value));

    if (len < 0)
        http_response_error(stream, 400, "q is missing");
    else
        http_response_send(stream, value, (size_t)len);
}

static inline void serve_switch(http_stream_t *stream)
{
    http_stream_set_callbacks(stream, &counting, web_of(stream));
    web_of(stream)->stream = stream;
    http_response_status(stream, 101);
    http_response_set(stream, HTTP_SPAN("Upgrade"), HTTP_SPAN("test"));
    http_response_start(stream, -1);
}

static inline void program(http_stream_t *stream, void *userdata)
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

static inline http_server_options_t options(void)
{
    return (http_server_options_t){.handler = program, .name = "test"};
}

static inline bool heard(const web_t *web, const char *text)
{
    return memmem(web->heard, web->heard_len, text, strlen(text)) != NULL;
}

#endif
