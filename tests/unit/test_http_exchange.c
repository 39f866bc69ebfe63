#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

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
    bool pause_at_head;
} lab_t;

static void on_interim(http_exchange_t *exchange, const http_exchange_response_t *response,
                       void *userdata)
{
    (void)exchange;
    (void)response;
    ((lab_t *)userdata)->interims++;
}

static void on_head(http_exchange_t *exchange, const http_exchange_response_t *response,
                    void *userdata)
{
    lab_t *lab = userdata;

    lab->heads++;
    lab->status = response->status;
    lab->content_length = response->content_length;
    if (lab->pause_at_head)
        http_exchange_pause(exchange);
}

static void on_body(http_exchange_t *exchange, http_span_t data, void *userdata)
{
    lab_t *lab = userdata;

    (void)exchange;
    assert_true(lab->body_len + data.len < sizeof(lab->body));
    memcpy(lab->body + lab->body_len, data.data, data.len);
    lab->body_len += data.len;
    lab->body[lab->body_len] = '\0';
}

static void on_body_end(http_exchange_t *exchange, void *userdata)
{
    (void)exchange;
    ((lab_t *)userdata)->ends++;
}

static void on_drained(http_exchange_t *exchange, void *userdata)
{
    (void)exchange;
    ((lab_t *)userdata)->drains++;
}

static void on_close(http_exchange_t *exchange, int err, void *userdata)
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

static void lab_open(lab_t *lab, http_peer_options_t options)
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

static void lab_close(lab_t *lab)
{
    http_peer_free(lab->peer);
    hloop_free(&lab->loop);
    if (lab->fd >= 0)
        close(lab->fd);
    if (lab->listener >= 0)
        close(lab->listener);
}

static http_exchange_request_t request_of(const char *method, int64_t body_length)
{
    static const http_field_t fields[] = {{HTTP_SPAN("Host"), HTTP_SPAN("a"), HTTP_FIELD_HOST}};

    return (http_exchange_request_t){.method = http_span(method),
                                     .target = HTTP_SPAN("/x"),
                                     .fields = fields,
                                     .field_count = 1,
                                     .body_length = body_length};
}

static void start(lab_t *lab, const http_exchange_request_t *request)
{
    lab->heads = lab->interims = lab->ends = lab->closes = lab->status = lab->err = 0;
    lab->body_len = 0;
    lab->body[0] = '\0';
    assert_int_equal(http_exchange_start(lab->peer, request, &callbacks, lab, &lab->exchange), 0);
}

static void start_get(lab_t *lab)
{
    http_exchange_request_t request = request_of("GET", HTTP_BODY_NONE);

    start(lab, &request);
}

static bool is_ready(int fd)
{
    struct pollfd poll_fd = {.fd = fd, .events = POLLIN};

    return poll(&poll_fd, 1, 0) > 0;
}

static void accept_one(lab_t *lab)
{
    if (lab->fd >= 0)
        close(lab->fd);
    RUN_UNTIL(lab->loop, is_ready(lab->listener));
    lab->fd = accept4(lab->listener, NULL, NULL, SOCK_CLOEXEC);
    assert_true(lab->fd >= 0);
}

/* What the server hears is this and nothing more. */
static void hears(lab_t *lab, const char *text)
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

static void says(const lab_t *lab, const char *text)
{
    assert_int_equal(send(lab->fd, text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text));
}

/* ---- responses ------------------------------------------------------------------------------- */

static void responses_are_read_whatever_their_framing(void **state)
{
    static const struct {
        const char *text;
        int status;
        const char *body;
        bool closes;
    } cases[] = {
        {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", 200, "hello", false},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n",
         200, "hello", false},
        {"HTTP/1.0 200 OK\r\n\r\nhello", 200, "hello", true},
        {"HTTP/1.1 204 No Content\r\n\r\n", 204, "", false},
        {"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", 304, "", false},
        {"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 404 Not Found\r\n"
         "Content-Length: 0\r\n\r\n",
         404, "", false},
    };
    lab_t lab;

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        size_t len = strlen(cases[i].text);

        lab_open(&lab, (http_peer_options_t){0});
        for (size_t cut = 0; cut <= len; cut++) {
            start_get(&lab);
            if (cut == 0 || cases[i].closes)
                accept_one(&lab);
            hears(&lab, GET_HEAD);
            assert_int_equal(send(lab.fd, cases[i].text, cut, 0), (ssize_t)cut);
            settle(lab.loop);
            assert_int_equal(send(lab.fd, cases[i].text + cut, len - cut, 0), (ssize_t)(len - cut));
            if (cases[i].closes)
                shutdown(lab.fd, SHUT_WR);
            RUN_UNTIL(lab.loop, lab.closes > 0);
            assert_int_equal(lab.err, 0);
            assert_int_equal(lab.status, cases[i].status);
            assert_string_equal(lab.body, cases[i].body);
            assert_int_equal(lab.heads + lab.ends, 2);
            assert_int_equal(http_peer_idle(lab.peer), cases[i].closes ? 0 : 1);
        }
        lab_close(&lab);
    }
}

static void broken_responses_are_told_apart(void **state)
{
    static const struct {
        const char *text;
        int err;
        const char *error;
    } cases[] = {
        {"nonsense\r\n\r\n", HERR_PROTOCOL, "the response is malformed: "},
        {"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", HERR_PROTOCOL,
         "the response is malformed: "},
        {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhe", HERR_TRUNCATED,
         "the response ended too early"},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n", HERR_TRUNCATED,
         "the response ended too early"},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhello", HERR_PROTOCOL,
         "the response is malformed: a chunk is longer than its size"},
        {"", HERR_TRUNCATED, "the connection ended without a response"},
    };
    lab_t lab;

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        lab_open(&lab, (http_peer_options_t){0});
        start_get(&lab);
        accept_one(&lab);
        hears(&lab, GET_HEAD);
        says(&lab, cases[i].text);
        shutdown(lab.fd, SHUT_WR);
        RUN_UNTIL(lab.loop, lab.closes > 0);
        assert_int_equal(lab.err, cases[i].err);
        assert_int_equal(strncmp(lab.error, cases[i].error, strlen(cases[i].error)), 0);
        assert_int_equal(http_peer_open(lab.peer), 0);
        lab_close(&lab);
    }
}

static void nobody_listening_is_an_error_with_its_reason(void **state)
{
    lab_t lab;

    (void)state;
    lab_open(&lab, (http_peer_options_t){0});
    close(lab.listener);
    lab.listener = -1;
    start_get(&lab);
    RUN_UNTIL(lab.loop, lab.closes > 0);
    assert_int_equal(lab.err, -ECONNREFUSED);
    assert_non_null(strstr(lab.error, "Connection refused"));
    lab_close(&lab);
}

static void silence_meets_a_time_limit(void **state)
{
    lab_t lab;

    (void)state;
    lab_open(&lab, (http_peer_options_t){.response_ms = 50});
    start_get(&lab);
    accept_one(&lab);
    RUN_UNTIL(lab.loop, lab.closes > 0);
    assert_int_equal(lab.err, -ETIMEDOUT);
    assert_string_equal(lab.error, "no response in time");
    lab_close(&lab);
}

/* ---- connections ----------------------------------------------------------------------------- */

static void answer(lab_t *lab, const char *body)
{
    char text[256];

    hears(lab, GET_HEAD);
    snprintf(text, sizeof(text), "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n%s", strlen(body),
             body);
    says(lab, text);
    RUN_UNTIL(lab->loop, lab->closes > 0);
    assert_int_equal(lab->err, 0);
    assert_string_equal(lab->body, body);
}

static void a_connection_is_used_again(void **state)
{
    lab_t lab;

    (void)state;
    lab_open(&lab, (http_peer_options_t){0});
    start_get(&lab);
    accept_one(&lab);
    answer(&lab, "one");
    assert_false(lab.reused);
    start_get(&lab);
    answer(&lab, "two");
    assert_true(lab.reused);
    assert_false(is_ready(lab.listener));
    lab_close(&lab);
}

static void a_stale_one_is_replaced(void **state)
{
    lab_t lab;

    (void)state;
    lab_open(&lab, (http_peer_options_t){0});
    start_get(&lab);
    accept_one(&lab);
    answer(&lab, "one");
    start_get(&lab);
    hears(&lab, GET_HEAD); /* and the server closes instead of answering */
    accept_one(&lab);
    answer(&lab, "two");
    assert_int_equal(lab.closes, 1);
    lab_close(&lab);
}

static void a_request_that_may_have_had_effects_is_not_repeated(void **state)
{
    http_exchange_request_t request = request_of("POST", 0);
    lab_t lab;

    (void)state;
    lab_open(&lab, (http_peer_options_t){0});
    start_get(&lab);
    accept_one(&lab);
    answer(&lab, "one");
    start(&lab, &request);
    http_exchange_end(lab.exchange);
    hears(&lab, "POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n");
    close(lab.fd);
    lab.fd = -1;
    RUN_UNTIL(lab.loop, lab.closes > 0);
    assert_true(lab.err < 0);
    assert_false(is_ready(lab.listener));
    lab_close(&lab);
}

static void bytes_that_nobody_asked_for_end_a_connection(void **state)
{
    lab_t lab;

    (void)state;
    lab_open(&lab, (http_peer_options_t){0});
    start_get(&lab);
    accept_one(&lab);
    hears(&lab, GET_HEAD);
    says(&lab, "HTTP/1.1 204 No Content\r\n\r\nHTTP/1.1 200 OK\r\n");
    RUN_UNTIL(lab.loop, lab.closes > 0);
    assert_int_equal(lab.status, 204);
    RUN_UNTIL(lab.loop, http_peer_open(lab.peer) == 0);
    start_get(&lab);
    accept_one(&lab);
    answer(&lab, "two");
    says(&lab, "poison");
    RUN_UNTIL(lab.loop, http_peer_open(lab.peer) == 0);
    lab_close(&lab);
}

static void more_than_allowed_wait_their_turn(void **state)
{
    lab_t lab, second;
    http_exchange_request_t request = request_of("GET", HTTP_BODY_NONE);

    (void)state;
    memset(&second, 0, sizeof(second));
    lab_open(&lab, (http_peer_options_t){.conns_max = 1});
    start_get(&lab);
    assert_int_equal(http_exchange_start(lab.peer, &request, &callbacks, &second, &second.exchange),
                     0);
    accept_one(&lab);
    assert_int_equal(http_peer_active(lab.peer), 2);
    answer(&lab, "one");
    hears(&lab, GET_HEAD);
    says(&lab, "HTTP/1.1 204 No Content\r\n\r\n");
    RUN_UNTIL(lab.loop, second.closes > 0);
    assert_int_equal(second.err, 0);
    assert_int_equal(second.status, 204);
    lab_close(&lab);
}

static void one_that_is_given_up_while_it_waits_takes_no_turn(void **state)
{
    lab_t lab, second;
    http_exchange_request_t request = request_of("GET", HTTP_BODY_NONE);

    (void)state;
    memset(&second, 0, sizeof(second));
    lab_open(&lab, (http_peer_options_t){.conns_max = 1});
    start_get(&lab);
    assert_int_equal(http_exchange_start(lab.peer, &request, &callbacks, &second, &second.exchange),
                     0);
    accept_one(&lab);
    hears(&lab, GET_HEAD);
    http_exchange_abort(lab.exchange, -ECANCELED);
    http_exchange_abort(second.exchange, -ECANCELED);
    RUN_UNTIL(lab.loop, lab.closes > 0 && second.closes > 0);
    assert_int_equal(second.err, -ECANCELED);
    assert_false(is_ready(lab.listener));
    assert_int_equal(http_peer_open(lab.peer), 0);
    lab_close(&lab);
}

static void one_that_is_slow_is_not_asked_again(void **state)
{
    lab_t lab;

    (void)state;
    lab_open(&lab, (http_peer_options_t){.response_ms = 250});
    start_get(&lab);
    accept_one(&lab);
    answer(&lab, "one");
    start_get(&lab);
    hears(&lab, GET_HEAD); /* and says nothing */
    RUN_UNTIL(lab.loop, lab.closes > 0);
    assert_int_equal(lab.err, -ETIMEDOUT);
    assert_false(is_ready(lab.listener));
    lab_close(&lab);
}

static void kept_ones_are_closed_in_time(void **state)
{
    lab_t lab;

    (void)state;
    lab_open(&lab, (http_peer_options_t){.idle_ms = 20});
    start_get(&lab);
    accept_one(&lab);
    answer(&lab, "one");
    assert_int_equal(http_peer_idle(lab.peer), 1);
    RUN_UNTIL(lab.loop, http_peer_open(lab.peer) == 0);
    lab_close(&lab);
}

/* ---- bodies ---------------------------------------------------------------------------------- */

static void bodies_are_sent(void **state)
{
    http_exchange_request_t request = request_of("POST", 10);
    lab_t lab;

    (void)state;
    lab_open(&lab, (http_peer_options_t){0});
    start(&lab, &request);
    assert_int_equal(http_exchange_write(lab.exchange, "01234", 5), 0); /* before it stands */
    accept_one(&lab);
    RUN_UNTIL(lab.loop, lab.drains > 0);
    assert_int_equal(http_exchange_write(lab.exchange, "56789", 5), 0);
    assert_int_equal(http_exchange_end(lab.exchange), 0);
    hears(&lab, "POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n0123456789");
    says(&lab, "HTTP/1.1 204 No Content\r\n\r\n");
    RUN_UNTIL(lab.loop, lab.closes > 0);
    assert_int_equal(lab.err, 0);
    assert_int_equal(http_peer_idle(lab.peer), 1);

    request.body_length = HTTP_BODY_UNKNOWN;
    start(&lab, &request);
    http_exchange_write(lab.exchange, "abc", 3);
    http_exchange_write(lab.exchange, "de", 2);
    http_exchange_end(lab.exchange);
    hears(&lab, "POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
                "3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n");
    says(&lab, "HTTP/1.1 204 No Content\r\n\r\n");
    RUN_UNTIL(lab.loop, lab.closes > 0);
    assert_int_equal(lab.err, 0);
    lab_close(&lab);
}

static void a_body_of_another_length_is_an_error(void **state)
{
    http_exchange_request_t request = request_of("POST", 3);
    lab_t lab;

    (void)state;
    lab_open(&lab, (http_peer_options_t){0});
    start(&lab, &request);
    accept_one(&lab);
    assert_int_equal(http_exchange_write(lab.exchange, "abcd", 4), -EPROTO);
    assert_int_equal(lab.closes, 0); /* never from inside */
    RUN_UNTIL(lab.loop, lab.closes > 0);
    assert_int_equal(lab.err, -EPROTO);
    lab_close(&lab);
}

static void the_body_waits_for_one_hundred(void **state)
{
    http_exchange_request_t request = request_of("POST", 3);
    lab_t lab;

    (void)state;
    request.expects_continue = true;
    lab_open(&lab, (http_peer_options_t){0});
    start(&lab, &request);
    http_exchange_write(lab.exchange, "abc", 3);
    http_exchange_end(lab.exchange);
    accept_one(&lab);
    hears(&lab, "POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n");
    says(&lab, "HTTP/1.1 100 Continue\r\n\r\n");
    hears(&lab, "abc");
    says(&lab, "HTTP/1.1 204 No Content\r\n\r\n");
    RUN_UNTIL(lab.loop, lab.closes > 0);
    assert_int_equal(lab.err, 0);
    assert_int_equal(lab.interims, 1);
    lab_close(&lab);
}

/* The server has answered without the body, and may still take what comes next for it. */
static void a_connection_whose_body_was_kept_back_is_not_used_again(void **state)
{
    http_exchange_request_t request = request_of("POST", 3);
    lab_t lab;

    (void)state;
    request.expects_continue = true;
    lab_open(&lab, (http_peer_options_t){0});
    start(&lab, &request);
    http_exchange_write(lab.exchange, "abc", 3);
    http_exchange_end(lab.exchange);
    accept_one(&lab);
    hears(&lab, "POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n");
    says(&lab, "HTTP/1.1 417 Expectation Failed\r\nContent-Length: 0\r\n\r\n");
    RUN_UNTIL(lab.loop, lab.closes > 0);
    assert_int_equal(lab.err, 0);
    assert_int_equal(lab.status, 417);
    assert_int_equal(http_peer_open(lab.peer), 0);
    lab_close(&lab);
}

static void a_pause_holds_the_body_back(void **state)
{
    lab_t lab;

    (void)state;
    lab_open(&lab, (http_peer_options_t){0});
    start_get(&lab);
    lab.pause_at_head = true;
    accept_one(&lab);
    hears(&lab, GET_HEAD);
    says(&lab, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
    RUN_UNTIL(lab.loop, lab.heads > 0);
    settle(lab.loop);
    assert_int_equal(lab.body_len, 0);
    http_exchange_resume(lab.exchange);
    assert_int_equal(lab.body_len, 0); /* never from inside */
    RUN_UNTIL(lab.loop, lab.closes > 0);
    assert_string_equal(lab.body, "hello");
    assert_int_equal(lab.err, 0);
    lab_close(&lab);
}

static void a_tunnel_carries_bytes_both_ways(void **state)
{
    http_exchange_request_t request = request_of("CONNECT", HTTP_BODY_NONE);
    lab_t lab;

    (void)state;
    request.target = HTTP_SPAN("b:1");
    lab_open(&lab, (http_peer_options_t){0});
    start(&lab, &request);
    accept_one(&lab);
    hears(&lab, "CONNECT b:1 HTTP/1.1\r\nHost: a\r\n\r\n");
    says(&lab, "HTTP/1.1 200 OK\r\n\r\nraw");
    RUN_UNTIL(lab.loop, lab.body_len == 3);
    assert_int_equal(http_exchange_write(lab.exchange, "back", 4), 0);
    hears(&lab, "back");
    shutdown(lab.fd, SHUT_WR);
    RUN_UNTIL(lab.loop, lab.ends == 1);
    http_exchange_end(lab.exchange);
    RUN_UNTIL(lab.loop, lab.closes == 1);
    assert_int_equal(lab.err, 0);
    assert_int_equal(http_peer_open(lab.peer), 0);
    lab_close(&lab);
}

static void an_abort_is_told_later(void **state)
{
    lab_t lab;

    (void)state;
    lab_open(&lab, (http_peer_options_t){0});
    start_get(&lab); /* while it dials */
    http_exchange_abort(lab.exchange, -EPERM);
    assert_int_equal(lab.closes, 0);
    RUN_UNTIL(lab.loop, lab.closes > 0);
    assert_int_equal(lab.err, -EPERM);
    start_get(&lab);
    accept_one(&lab);
    hears(&lab, GET_HEAD);
    http_exchange_abort(lab.exchange, -EPERM);
    assert_int_equal(lab.closes, 0);
    RUN_UNTIL(lab.loop, lab.closes > 0);
    assert_int_equal(lab.err, -EPERM);
    lab_close(&lab);
}

static void what_is_under_way_ends_with_its_peer(void **state)
{
    lab_t lab;

    (void)state;
    lab_open(&lab, (http_peer_options_t){0});
    start_get(&lab);
    accept_one(&lab);
    hears(&lab, GET_HEAD);
    http_peer_free(lab.peer);
    lab.peer = NULL;
    assert_int_equal(lab.closes, 1);
    assert_int_equal(lab.err, -ECANCELED);
    lab_close(&lab);
}

static void what_no_request_may_have_is_refused(void **state)
{
    http_exchange_request_t request = request_of("GET", HTTP_BODY_NONE);
    http_field_t field = {HTTP_SPAN("X"), HTTP_SPAN("a\r\nY: b"), HTTP_FIELD_OTHER};
    http_exchange_t *exchange;
    lab_t lab;

    (void)state;
    lab_open(&lab, (http_peer_options_t){0});
    request.fields = &field;
    assert_int_equal(http_exchange_start(lab.peer, &request, &callbacks, &lab, &exchange), -EINVAL);
    request = request_of("GET", HTTP_BODY_NONE);
    request.target = HTTP_SPAN("/a b");
    assert_int_equal(http_exchange_start(lab.peer, &request, &callbacks, &lab, &exchange), -EINVAL);
    assert_int_equal(http_peer_active(lab.peer), 0);
    lab_close(&lab);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(responses_are_read_whatever_their_framing),
        cmocka_unit_test(broken_responses_are_told_apart),
        cmocka_unit_test(nobody_listening_is_an_error_with_its_reason),
        cmocka_unit_test(silence_meets_a_time_limit),
        cmocka_unit_test(a_connection_is_used_again),
        cmocka_unit_test(a_stale_one_is_replaced),
        cmocka_unit_test(a_request_that_may_have_had_effects_is_not_repeated),
        cmocka_unit_test(bytes_that_nobody_asked_for_end_a_connection),
        cmocka_unit_test(more_than_allowed_wait_their_turn),
        cmocka_unit_test(one_that_is_given_up_while_it_waits_takes_no_turn),
        cmocka_unit_test(one_that_is_slow_is_not_asked_again),
        cmocka_unit_test(kept_ones_are_closed_in_time),
        cmocka_unit_test(bodies_are_sent),
        cmocka_unit_test(a_body_of_another_length_is_an_error),
        cmocka_unit_test(the_body_waits_for_one_hundred),
        cmocka_unit_test(a_connection_whose_body_was_kept_back_is_not_used_again),
        cmocka_unit_test(a_pause_holds_the_body_back),
        cmocka_unit_test(a_tunnel_carries_bytes_both_ways),
        cmocka_unit_test(an_abort_is_told_later),
        cmocka_unit_test(what_is_under_way_ends_with_its_peer),
        cmocka_unit_test(what_no_request_may_have_is_refused),
    };

    return run_on_each_poller("http_exchange", tests, ARRAY_LENGTH(tests));
}
