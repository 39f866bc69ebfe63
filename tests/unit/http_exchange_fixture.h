/* http_exchange_fixture: exchanges with a server that is a plain socket. Include it after
 * cmocka.h. */
#ifndef HNET_TESTS_HTTP_EXCHANGE_FIXTURE_H
#define HNET_TESTS_HTTP_EXCHANGE_FIXTURE_H

#include "loop_test.h"

#include "proto/http_exchange.h"

#define GET_HEAD "GET /x HTTP/1.1\r\nHost: a\r\n\r\n"

/* A server that is a plain socket, and what has happened to one exchange. */
typedef struct lab_s {
    hloop_t *loop;
    http_peer_t *peer;
    struct sockaddr_in addr;
    int listener;
    int fd; /* the connection that was accepted last */
    http_exchange_t *exchange;
    int heads, interims, ends, closes, drains;
    int status, err;
    int64_t content_length;
    char body[65536];
    size_t body_len;
    char error[HTTP_EXCHANGE_ERROR_SIZE];
    bool reused;
    bool pause_at_head, pause_at_body;
} lab_t;

static inline void on_interim(http_exchange_t *exchange, const http_exchange_response_t *response,
                              void *userdata)
{
    (void)exchange;
    (void)response;
    ((lab_t *)userdata)->interims++;
}

static inline void on_head(http_exchange_t *exchange, const http_exchange_response_t *response,
                           void *userdata)
{
    lab_t *lab = userdata;

    lab->heads++;
    lab->status = response->status;
    lab->content_length = response->content_length;
    if (lab->pause_at_head)
        http_exchange_pause(exchange);
}

static inline void on_body(http_exchange_t *exchange, http_span_t data, void *userdata)
{
    lab_t *lab = userdata;

    if (lab->pause_at_body)
        http_exchange_pause(exchange);
    assert_true(lab->body_len + data.len < sizeof(lab->body));
    memcpy(lab->body + lab->body_len, data.data, data.len);
    lab->body_len += data.len;
    lab->body[lab->body_len] = '\0';
}

static inline void on_body_end(http_exchange_t *exchange, void *userdata)
{
    (void)exchange;
    ((lab_t *)userdata)->ends++;
}

static inline void on_drained(http_exchange_t *exchange, void *userdata)
{
    (void)exchange;
    ((lab_t *)userdata)->drains++;
}

static inline void on_close(http_exchange_t *exchange, int err, void *userdata)
{
    lab_t *lab = userdata;
    http_exchange_times_t times;

    http_exchange_times(exchange, &times);
    lab->reused = times.reused;
    lab->closes++;
    lab->err = err;
    lab->exchange = NULL;
    snprintf(lab->error, sizeof(lab->error), "%s", http_exchange_error(exchange));
}

static const http_exchange_callbacks_t callbacks = {.on_interim = on_interim,
                                                    .on_head = on_head,
                                                    .on_body = on_body,
                                                    .on_body_end = on_body_end,
                                                    .on_drained = on_drained,
                                                    .on_close = on_close};

static inline void lab_open(lab_t *lab, http_peer_options_t options)
{
    char to[64], why[256];

    memset(lab, 0, sizeof(*lab));
    lab->loop = new_loop();
    lab->fd = -1;
    lab->listener = bound_socket(SOCK_STREAM, &lab->addr);
    snprintf(to, sizeof(to), "127.0.0.1:%d", ntohs(lab->addr.sin_port));
    assert_int_equal(hendpoint_parse(&options.to, to, why, sizeof(why)), 0);
    assert_int_equal(http_peer_new(lab->loop, &options, &lab->peer), 0);
}

static inline void lab_close(lab_t *lab)
{
    http_peer_free(lab->peer);
    hloop_free(&lab->loop);
    if (lab->fd >= 0)
        close(lab->fd);
    if (lab->listener >= 0)
        close(lab->listener);
}

static inline http_exchange_request_t request_of(const char *method, int64_t body_length)
{
    static const http_field_t fields[] = {{HTTP_SPAN("Host"), HTTP_SPAN("a"), HTTP_FIELD_HOST}};

    return (http_exchange_request_t){.method = http_span(method),
                                     .target = HTTP_SPAN("/x"),
                                     .fields = fields,
                                     .field_count = 1,
                                     .body_length = body_length};
}

static inline void start(lab_t *lab, const http_exchange_request_t *request)
{
    lab->heads = lab->interims = lab->ends = lab->closes = lab->status = lab->err = 0;
    lab->body_len = 0;
    lab->body[0] = '\0';
    assert_int_equal(http_exchange_start(lab->peer, request, &callbacks, lab, &lab->exchange), 0);
}

static inline void start_get(lab_t *lab)
{
    http_exchange_request_t request = request_of("GET", HTTP_BODY_NONE);

    start(lab, &request);
}

static inline bool is_ready(int fd)
{
    struct pollfd poll_fd = {.fd = fd, .events = POLLIN};

    return poll(&poll_fd, 1, 0) > 0;
}

static inline void accept_one(lab_t *lab)
{
    const int one = 1;

    if (lab->fd >= 0)
        close(lab->fd);
    RUN_UNTIL(lab->loop, is_ready(lab->listener));
    lab->fd = accept4(lab->listener, NULL, NULL, SOCK_CLOEXEC);
    assert_true(lab->fd >= 0);
    /* A second piece waits for no acknowledgement of the first, which comes late. */
    setsockopt(lab->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
}

/* What the server hears is this and nothing more. */
static inline void hears(lab_t *lab, const char *text)
{
    char heard[4096];
    size_t len = 0;

    while (len < strlen(text)) {
        ssize_t n = recv(lab->fd, heard + len, sizeof(heard) - len, MSG_DONTWAIT);

        assert_true(n > 0 || errno == EAGAIN);
        len += n > 0 ? (size_t)n : 0;
        hloop_wakeup(lab->loop);
        assert_int_equal(hloop_run(lab->loop), 0);
    }
    assert_int_equal(len, strlen(text));
    assert_memory_equal(heard, text, len);
}

static inline void says(const lab_t *lab, const char *text)
{
    assert_int_equal(send(lab->fd, text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text));
}

#endif
