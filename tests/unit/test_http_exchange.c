/* One thread. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "http_exchange_fixture.h"

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
    };

    return run_on_each_poller("http_exchange", tests, ARRAY_LENGTH(tests));
}
