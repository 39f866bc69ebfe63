/* One thread. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/herr.h"
#include "codec/http_connect.h"

static void assert_span(http_span_t span, const char *text)
{
    assert_int_equal(span.len, strlen(text));
    assert_memory_equal(span.data, text, span.len);
}

static void a_connect_request_is_composed(void **state)
{
    char buf[512];
    http_connect_t request = {.host = "example.com", .port = 443};
    ssize_t len = http_connect_compose(&request, buf, sizeof(buf));

    (void)state;
    assert_string_equal(buf, "CONNECT example.com:443 HTTP/1.1\r\n"
                             "Host: example.com:443\r\n\r\n");
    assert_int_equal(len, strlen(buf));
    assert_int_equal(http_connect_compose(&request, buf, (size_t)len), -ENOBUFS);
    assert_int_equal(http_connect_compose(&request, buf, (size_t)len + 1), len);
    request = (http_connect_t){"2001:db8::1", 22, "hnc/1", "Basic dTpw", .keep_alive = true};
    http_connect_compose(&request, buf, sizeof(buf));
    assert_string_equal(buf, "CONNECT [2001:db8::1]:22 HTTP/1.1\r\n"
                             "Host: [2001:db8::1]:22\r\n"
                             "Proxy-Authorization: Basic dTpw\r\n"
                             "User-Agent: hnc/1\r\n"
                             "Proxy-Connection: Keep-Alive\r\n\r\n");
}

static void fields_of_the_program_are_in_the_place_of_own_ones(void **state)
{
    static const http_extra_t fields[] = {
        {"X-One", "1"}, {"user-agent", NULL}, {"proxy-connection", "close"}, {"X-Empty", ""}};
    http_connect_t request = {"h", 1, "hnc/1", NULL, true, true, fields, 4};
    char buf[512];
    ssize_t len = http_connect_compose(&request, buf, sizeof(buf));

    (void)state;
    assert_string_equal(buf, "CONNECT h:1 HTTP/1.0\r\n"
                             "Host: h:1\r\n"
                             "X-One: 1\r\n"
                             "proxy-connection: close\r\n"
                             "X-Empty:\r\n\r\n");
    for (size_t size = 0; size <= (size_t)len; size++)
        assert_int_equal(http_connect_compose(&request, buf, size), -ENOBUFS);
    assert_int_equal(http_connect_compose(&request, buf, (size_t)len + 1), len);
}

static void what_would_break_the_request_is_refused(void **state)
{
    static const char *const hosts[] = {"", "a b", "a\r\nX: y", "a/b", "a:b", "u@h", "[::1]", "a?"};
    char buf[512];

    (void)state;
    for (size_t i = 0; i < sizeof(hosts) / sizeof(hosts[0]); i++)
        assert_int_equal(
            http_connect_compose(&(http_connect_t){.host = hosts[i], .port = 1}, buf, sizeof(buf)),
            -EINVAL);
    assert_int_equal(
        http_connect_compose(&(http_connect_t){.host = "h", .port = 1, .user_agent = "a\r\nb"}, buf,
                             512),
        -EINVAL);
    assert_int_equal(
        http_connect_compose(&(http_connect_t){.host = "h", .port = 1, .authorization = "a\nb"},
                             buf, 512),
        -EINVAL);
    assert_int_equal(http_connect_compose(&(http_connect_t){.host = "h",
                                                            .port = 1,
                                                            .fields = &(http_extra_t){"a b", "c"},
                                                            .field_count = 1},
                                          buf, 512),
                     -EINVAL);
}

static http_answer_t answer_of(const char *head, int err)
{
    http_answer_t answer;

    assert_int_equal(http_answer_parse(&answer, head, strlen(head)), err);
    return answer;
}

static void answers_are_understood(void **state)
{
    http_answer_t answer = answer_of("HTTP/1.1 200 Connection established\r\n\r\n", 0);
    http_span_t value;

    (void)state;
    assert_int_equal(answer.status, 200);
    assert_span(answer.line, "200 Connection established");
    answer = answer_of("HTTP/1.0 200\r\n\r\n", 0);
    assert_span(answer.line, "200");
    answer = answer_of("HTTP/1.1 407 No\r\nProxy-Authenticate: Basic realm=\"x\"\r\n"
                       "Content-Length: 12\r\n\r\n",
                       0);
    assert_true(answer.keep_alive);
    assert_int_equal(answer.body_length, 12);
    assert_true(http_field_find(answer.fields, "Proxy-Authenticate", &value));
    answer = answer_of("HTTP/1.1 100 Continue\r\n\r\n", 0);
    assert_true(answer.keep_alive && answer.body_length == 0);
}

static void a_connection_is_kept_only_when_its_answer_ends(void **state)
{
    (void)state;
    assert_false(answer_of("HTTP/1.1 407 N\r\n\r\n", 0).keep_alive);
    assert_false(answer_of("HTTP/1.1 407 N\r\nTransfer-Encoding: chunked\r\n\r\n", 0).keep_alive);
    assert_false(answer_of("HTTP/1.1 407 N\r\nContent-Length: x\r\n\r\n", 0).keep_alive);
    assert_false(answer_of("HTTP/1.0 407 N\r\nContent-Length: 0\r\n\r\n", 0).keep_alive);
    assert_true(answer_of("HTTP/1.0 407 N\r\nContent-Length: 0\r\n"
                          "Proxy-Connection: Keep-Alive\r\n\r\n",
                          0)
                    .keep_alive);
    assert_false(answer_of("HTTP/1.1 407 N\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", 0)
                     .keep_alive);
}

static void nonsense_is_no_answer(void **state)
{
    static const char *const heads[] = {
        "\r\n",
        "SSH-2.0-OpenSSH\r\n\r\n",
        "HTTP/2 200 OK\r\n\r\n",
        "HTTP/1.1\r\n\r\n",
        "HTTP/1.1 20\r\n\r\n",
        "HTTP/1.1 2000 OK\r\n\r\n",
        "HTTP/1.1 099 OK\r\n\r\n",
        "HTTP/1.1  200 OK\r\n\r\n",
        "HTTP/1.1 200 OK\r\nno field\r\n\r\n",
        "HTTP/1.x 200 OK\r\n\r\n",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(heads) / sizeof(heads[0]); i++)
        answer_of(heads[i], HERR_PROTOCOL);
}

static http_request_t request_of(const char *head, int status)
{
    http_request_t request;

    assert_int_equal(http_request_parse(&request, head, strlen(head)), status);
    return request;
}

static void connect_requests_are_understood(void **state)
{
    http_request_t r = request_of("CONNECT example.com:443 HTTP/1.1\r\nHost: e\r\n\r\n", 0);

    (void)state;
    assert_true(r.connect);
    assert_string_equal(r.host, "example.com");
    assert_int_equal(r.port, 443);
    assert_span(r.target, "example.com:443");
    r = request_of("CONNECT [2001:db8::1]:22 HTTP/1.0\r\n\r\n", 0);
    assert_string_equal(r.host, "2001:db8::1");
    assert_int_equal(r.port, 22);
}

static void requests_with_a_whole_url_are_understood(void **state)
{
    http_request_t r = request_of("GET http://example.com:8080/a?b HTTP/1.1\r\nHost: x\r\n\r\n", 0);

    (void)state;
    assert_false(r.connect);
    assert_string_equal(r.host, "example.com");
    assert_int_equal(r.port, 8080);
    assert_span(r.path, "/a?b");
    r = request_of("GET HTTP://[::1] HTTP/1.0\r\n\r\n", 0);
    assert_string_equal(r.host, "::1");
    assert_int_equal(r.port, 80);
    assert_span(r.path, "/");
    r = request_of("OPTIONS http://h HTTP/1.0\r\n\r\n", 0);
    assert_span(r.path, "*");
    r = request_of("POST http://h/ HTTP/1.0\r\nContent-Length: 5\r\n\r\n", 0);
    assert_int_equal(r.body_length, 5);
}

static void broken_requests_have_a_status(void **state)
{
    static const struct {
        const char *head;
        int status;
    } cases[] = {
        {"\r\n", 400},
        {"CONNECT\r\n\r\n", 400},
        {"CONNECT h:1\r\n\r\n", 400},
        {"CONNECT h HTTP/1.0\r\n\r\n", 400},
        {"CONNECT h: HTTP/1.0\r\n\r\n", 400},
        {"CONNECT h:0 HTTP/1.0\r\n\r\n", 400},
        {"CONNECT h:65536 HTTP/1.0\r\n\r\n", 400},
        {"CONNECT h:80x HTTP/1.0\r\n\r\n", 400},
        {"CONNECT :80 HTTP/1.0\r\n\r\n", 400},
        {"CONNECT ::1:80 HTTP/1.0\r\n\r\n", 400},
        {"CONNECT [h]:80 HTTP/1.0\r\n\r\n", 400},
        {"CONNECT [::1:80 HTTP/1.0\r\n\r\n", 400},
        {"CONNECT u@h:80 HTTP/1.0\r\n\r\n", 400},
        {"CONNECT  h:80 HTTP/1.0\r\n\r\n", 400},
        {"CONNECT h:80  HTTP/1.0\r\n\r\n", 400},
        {"CONNECT h:80 HTTP/2.0\r\n\r\n", 505},
        {"CONNECT h:80 HTTP/1.10\r\n\r\n", 400},
        {"CONNECT h:80 HTTP/1.1\r\n\r\n", 400},
        {"CONNECT h:80 HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", 400},
        {"CONNECT h:80 HTTP/1.0\r\nContent-Length: 1\r\n\r\n", 400},
        {"CONNECT h:80 HTTP/1.0\r\nbroken\r\n\r\n", 400},
        {"connect h:80 HTTP/1.0\r\n\r\n", 501},
        {"GET / HTTP/1.0\r\n\r\n", 400},
        {"GET h HTTP/1.0\r\n\r\n", 400},
        {"GET 192.0.2.1:80 HTTP/1.0\r\n\r\n", 400},
        {"GET https://h/ HTTP/1.0\r\n\r\n", 501},
        {"GET ftp://h/ HTTP/1.0\r\n\r\n", 501},
        {"GET http://h:0/ HTTP/1.0\r\n\r\n", 400},
        {"GET http:// HTTP/1.0\r\n\r\n", 400},
        {"GET http://h/#f HTTP/1.0\r\n\r\n", 400},
        {"G(T http://h/ HTTP/1.0\r\n\r\n", 400},
        {"POST http://h/ HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", 400},
        {"CONNECT h:1 HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n", 400},
        {"POST http://h/ HTTP/1.0\r\nContent-Length: 1\r\nConnection: content-length\r\n\r\n", 400},
        {"POST http://h/ HTTP/1.0\r\nTransfer-Encoding: gzip\r\n\r\n", 501},
        {"POST http://h/ HTTP/1.0\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", 400},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        request_of(cases[i].head, cases[i].status);
}

static void a_long_host_name_is_refused(void **state)
{
    char head[600] = "CONNECT ";

    (void)state;
    memset(head + 8, 'h', 255);
    strncpy(head + 8 + 255, ":80 HTTP/1.0\r\n\r\n", 64);
    request_of(head, 0);
    memset(head + 8, 'h', 256);
    strncpy(head + 8 + 256, ":80 HTTP/1.0\r\n\r\n", 64);
    request_of(head, 400);
}

static void a_request_is_forwarded_without_what_ends_here(void **state)
{
    static const char head[] = "GET http://example.com:80?q HTTP/1.1\r\n"
                               "Host: elsewhere\r\n"
                               "User-Agent: x\r\n"
                               "Proxy-Authorization: Basic dTpw\r\n"
                               "Connection: keep-alive, X-Secret\r\n"
                               "X-Secret: 1\r\n"
                               "Proxy-Connection: keep-alive\r\n"
                               "Content-Length:3\n"
                               "\r\n";
    char buf[HTTP_FORWARD_SIZE(sizeof(head))];
    http_request_t r = request_of(head, 0);
    ssize_t len = http_request_forward(&r, buf, sizeof(buf));

    (void)state;
    assert_span((http_span_t){buf, (size_t)len}, "GET /?q HTTP/1.1\r\n"
                                                 "Host: example.com\r\n"
                                                 "User-Agent: x\r\n"
                                                 "Content-Length: 3\r\n"
                                                 "Via: 1.1 hnet\r\n"
                                                 "Connection: close\r\n\r\n");
    for (size_t size = 0; size < (size_t)len; size++)
        assert_int_equal(http_request_forward(&r, buf, size), -ENOBUFS);
    r = request_of("HEAD http://[::1]:81/ HTTP/1.0\r\n\r\n", 0);
    len = http_request_forward(&r, buf, sizeof(buf));
    assert_span((http_span_t){buf, (size_t)len},
                "HEAD / HTTP/1.0\r\nHost: [::1]:81\r\nVia: 1.0 hnet\r\nConnection: close\r\n\r\n");
}

static void lengths_that_agree_are_forwarded_as_one(void **state)
{
    static const char *const fields[] = {
        "Content-Length: 3\r\nContent-Length: 3\r\n",
        "content-length: 3, 3\r\n",
        "Content-Length: 003\r\n",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
        char head[128], buf[HTTP_FORWARD_SIZE(sizeof(head))];
        http_request_t r;
        ssize_t len;

        snprintf(head, sizeof(head), "PUT http://a/ HTTP/1.1\r\nHost: a\r\n%s\r\n", fields[i]);
        r = request_of(head, 0);
        len = http_request_forward(&r, buf, sizeof(buf));
        assert_span((http_span_t){buf, (size_t)len},
                    "PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n"
                    "Via: 1.1 hnet\r\nConnection: close\r\n\r\n");
    }
}

/* RFC 9110 section 7.6.2. */
static void the_way_of_options_and_trace_is_counted(void **state)
{
    static const struct {
        const char *method, *value, *forwarded;
        int left;
    } cases[] = {
        {"OPTIONS", "5", "4", 5},
        {"TRACE", "010", "9", 10},
        {"OPTIONS", "0", "", 0},
        {"OPTIONS", "1\r\nMax-Forwards: 7", "0", 1},
        {"TRACE", "99999999999999999999999", "999999999", 1000000000},
        {"OPTIONS", "x", "x", -1},
        {"OPTIONS", "-1", "-1", -1},
        {"OPTIONS", "", "", -1},
        {"GET", "5", "5", -1},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char head[256], buf[HTTP_FORWARD_SIZE(sizeof(head))];
        http_span_t rest, line, value = {"", 0};
        http_request_t r;
        ssize_t len;

        snprintf(head, sizeof(head), "%s http://a/ HTTP/1.1\r\nHost: a\r\nMax-Forwards: %s\r\n\r\n",
                 cases[i].method, cases[i].value);
        r = request_of(head, 0);
        assert_int_equal(r.forwards, cases[i].left);
        if (r.forwards == 0)
            continue;
        len = http_request_forward(&r, buf, sizeof(buf));
        rest = (http_span_t){buf, (size_t)len};
        assert_true(http_line_next(&rest, &line));
        assert_true(http_field_find(rest, "Max-Forwards", &value));
        assert_span(value, cases[i].forwarded);
        for (size_t size = 0; size < (size_t)len; size++)
            assert_int_equal(http_request_forward(&r, buf, size), -ENOBUFS);
    }
}

static void answers_are_composed(void **state)
{
    char buf[256];

    (void)state;
    http_answer_compose(200, false, NULL, "", buf, sizeof(buf));
    assert_string_equal(buf, "HTTP/1.1 200 Connection established\r\n\r\n");
    http_answer_compose(502, false, NULL, "no", buf, sizeof(buf));
    assert_string_equal(buf, "HTTP/1.1 502 Bad Gateway\r\nContent-Type: text/plain\r\n"
                             "Content-Length: 3\r\nConnection: close\r\n\r\nno\n");
    http_answer_compose(407, true, "A: b\r\n", "no", buf, sizeof(buf));
    assert_string_equal(buf, "HTTP/1.1 407 Proxy Authentication Required\r\nA: b\r\n"
                             "Content-Type: text/plain\r\nContent-Length: 3\r\n\r\nno\n");
    assert_int_equal(http_answer_compose(502, false, NULL, "no", buf, 20), -ENOBUFS);
    assert_string_equal(http_status_text(999), "Unknown");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_connect_request_is_composed),
        cmocka_unit_test(fields_of_the_program_are_in_the_place_of_own_ones),
        cmocka_unit_test(what_would_break_the_request_is_refused),
        cmocka_unit_test(answers_are_understood),
        cmocka_unit_test(a_connection_is_kept_only_when_its_answer_ends),
        cmocka_unit_test(nonsense_is_no_answer),
        cmocka_unit_test(connect_requests_are_understood),
        cmocka_unit_test(requests_with_a_whole_url_are_understood),
        cmocka_unit_test(broken_requests_have_a_status),
        cmocka_unit_test(a_long_host_name_is_refused),
        cmocka_unit_test(a_request_is_forwarded_without_what_ends_here),
        cmocka_unit_test(lengths_that_agree_are_forwarded_as_one),
        cmocka_unit_test(the_way_of_options_and_trace_is_counted),
        cmocka_unit_test(answers_are_composed),
    };

    return cmocka_run_group_tests_name("http_connect", tests, NULL, NULL);
}
