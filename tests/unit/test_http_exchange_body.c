/* One thread. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "http_exchange_fixture.h"

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

static void a_pause_at_the_last_byte_ends_with_the_exchange(void **state)
{
    lab_t lab;

    (void)state;
    lab_open(&lab, (http_peer_options_t){0});
    start_get(&lab);
    lab.pause_at_body = true;
    accept_one(&lab);
    hears(&lab, GET_HEAD);
    says(&lab, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
    RUN_UNTIL(lab.loop, lab.body_len == 5);
    settle(lab.loop);
    assert_int_equal(lab.closes, 0);
    http_exchange_resume(lab.exchange);
    RUN_UNTIL(lab.loop, lab.closes > 0);
    assert_int_equal(lab.ends, 1);
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

static void forget_waiting(const lab_t *lab)
{
    while (is_ready(lab->listener))
        close(accept4(lab->listener, NULL, NULL, SOCK_CLOEXEC));
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
    forget_waiting(&lab); /* what was dialled may have come */
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
        cmocka_unit_test(bodies_are_sent),
        cmocka_unit_test(a_body_of_another_length_is_an_error),
        cmocka_unit_test(the_body_waits_for_one_hundred),
        cmocka_unit_test(a_connection_whose_body_was_kept_back_is_not_used_again),
        cmocka_unit_test(a_pause_holds_the_body_back),
        cmocka_unit_test(a_pause_at_the_last_byte_ends_with_the_exchange),
        cmocka_unit_test(a_tunnel_carries_bytes_both_ways),
        cmocka_unit_test(an_abort_is_told_later),
        cmocka_unit_test(what_is_under_way_ends_with_its_peer),
        cmocka_unit_test(what_no_request_may_have_is_refused),
    };

    return run_on_each_poller("http_exchange_body", tests, ARRAY_LENGTH(tests));
}
