/* One thread. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "http_client_fixture.h"
#include "oom.h"

#include "base/herr.h"
#include "proto/http_source.h"

/* ---- requests -------------------------------------------------------------------------------- */

static void fields_stand_in_their_order(void **state)
{
    static const http_extra_t fields[] = {
        {"X-One", "1"}, {"Accept", NULL}, {"X-Empty", ""}, {"Connection", "close"}};
    lab_t lab;

    (void)state;
    lab_open(&lab, (http_client_options_t){0});
    start(&lab, "/a%20b?q=1#part",
          (http_transfer_options_t){.user_agent = "test/1",
                                    .fields = fields,
                                    .field_count = 4,
                                    .referer = "http://from/",
                                    .range = "0-4",
                                    .accept_encoding = "gzip",
                                    .cookies = "a=b",
                                    .login = {.user = "joe", .password = "pw"}});
    accept_one(&lab);
    hears(&lab, "GET /a%20b?q=1 HTTP/1.1\r\nHost: 127.0.0.1:PORT\r\n"
                "Authorization: Basic am9lOnB3\r\nRange: bytes=0-4\r\nUser-Agent: test/1\r\n"
                "Accept-Encoding: gzip\r\nReferer: http://from/\r\nCookie: a=b\r\n"
                "X-One: 1\r\nX-Empty:\r\nConnection: close\r\n\r\n");
    says(&lab, "HTTP/1.1 206 Partial\r\nContent-Length: 5\r\n\r\nhello");
    ends(&lab);
    assert_int_equal(lab.fault, HTTP_FAULT_NONE);
    assert_string_equal(lab.body, "hello");
    assert_int_equal(lab.info.status, 206);
    assert_int_equal(lab.info.downloaded, 5);
    lab_close(&lab);
}

static void long_cookies_are_not_left_out(void **state)
{
    static char cookies[20000], heard[HEARD_SIZE];
    lab_t lab;

    (void)state;
    memset(cookies, 'c', sizeof(cookies) - 1);
    lab_open(&lab, (http_client_options_t){0});
    start(&lab, "/", (http_transfer_options_t){.cookies = cookies});
    accept_one(&lab);
    hear(&lab, "\r\n\r\n", heard);
    assert_non_null(strstr(heard, "Cookie: cccc"));
    says(&lab, OK("2\r\n\r\nok"));
    ends(&lab);
    assert_int_equal(lab.fault, HTTP_FAULT_NONE);
    lab_close(&lab);
}

static void a_field_with_a_line_end_is_refused(void **state)
{
    static const http_extra_t fields[] = {{"X-One", "1\r\nX-Two: 2"}};
    lab_t lab;

    (void)state;
    lab_open(&lab, (http_client_options_t){0});
    start(&lab, "/", (http_transfer_options_t){.fields = fields, .field_count = 1});
    ends(&lab);
    assert_int_equal(lab.fault, HTTP_FAULT_USAGE);
    lab_close(&lab);
}

static void a_connection_is_kept_for_the_next_transfer(void **state)
{
    lab_t lab;

    (void)state;
    lab_open(&lab, (http_client_options_t){0});
    for (int i = 0; i < 3; i++) {
        start(&lab, "/", (http_transfer_options_t){0});
        if (i == 0)
            accept_one(&lab);
        hears(&lab, "GET / HTTP/1.1\r\nHost: 127.0.0.1:PORT\r\nAccept: */*\r\n\r\n");
        says(&lab, OK("2\r\n\r\nok"));
        ends(&lab);
        assert_int_equal(lab.info.connects, i == 0);
        assert_int_equal(lab.info.connection_id, 0);
    }
    lab_close(&lab);
}

static void a_kept_connection_that_was_closed_is_replaced(void **state)
{
    static const char *const hello = "hello";
    char heard[HEARD_SIZE];
    http_source_t *body = NULL;
    lab_t lab;

    (void)state;
    assert_int_equal(http_source_memory(hello, 5, &body), 0);
    lab_open(&lab, (http_client_options_t){0});
    start(&lab, "/", (http_transfer_options_t){0});
    accept_one(&lab);
    hear(&lab, "\r\n\r\n", heard);
    says(&lab, OK("2\r\n\r\nok"));
    ends(&lab);
    start(&lab, "/", (http_transfer_options_t){.body = body});
    hear(&lab, "hello", heard);
    accept_one(&lab); /* closes the one before */
    hear(&lab, "hello", heard);
    says(&lab, OK("2\r\n\r\nok"));
    ends(&lab);
    assert_int_equal(lab.fault, HTTP_FAULT_NONE);
    assert_int_equal(lab.info.connects, 1);
    http_source_free(body);
    lab_close(&lab);
}

/* ---- bodies ---------------------------------------------------------------------------------- */

static void a_body_is_posted(void **state)
{
    http_source_t *body = source_of("hello");
    char heard[HEARD_SIZE];
    lab_t lab;

    (void)state;
    lab_open(&lab, (http_client_options_t){0});
    start(&lab, "/", (http_transfer_options_t){.body = body, .content_type = "text/plain"});
    accept_one(&lab);
    hear(&lab, "hello", heard);
    assert_non_null(strstr(heard, "POST / HTTP/1.1\r\n"));
    assert_non_null(strstr(heard, "\r\nContent-Length: 5\r\nContent-Type: text/plain\r\n\r\n"));
    says(&lab, OK("0\r\n\r\n"));
    ends(&lab);
    assert_int_equal(lab.fault, HTTP_FAULT_NONE);
    assert_int_equal(lab.info.uploaded, 5);
    http_source_free(body);
    lab_close(&lab);
}

static void a_body_waits_for_100_and_is_sent_without_after_417(void **state)
{
    http_source_t *body = source_of("hello");
    char heard[HEARD_SIZE];
    lab_t lab;

    (void)state;
    lab_open(&lab, (http_client_options_t){0});
    start(&lab, "/", (http_transfer_options_t){.body = body, .expect = 1, .expect_ms = 60000});
    accept_one(&lab);
    hear(&lab, "Expect: 100-continue\r\n\r\n", heard);
    says(&lab, "HTTP/1.1 417 No\r\nContent-Length: 0\r\n\r\n");
    accept_one(&lab);
    hear(&lab, "hello", heard);
    assert_null(strstr(heard, "Expect"));
    says(&lab, OK("0\r\n\r\n"));
    ends(&lab);
    assert_int_equal(lab.hops[0], HTTP_HOP_AGAIN);
    assert_int_equal(lab.hops[1], HTTP_HOP_FINAL);
    http_source_free(body);
    lab_close(&lab);
}

/* ---- faults ---------------------------------------------------------------------------------- */

static void faults_are_told_apart(void **state)
{
    static const struct {
        const char *text;
        bool closes;
        http_fault_e fault;
    } cases[] = {
        {"", true, HTTP_FAULT_EMPTY},
        {"nonsense\r\n\r\n", true, HTTP_FAULT_VERSION},
        {"HTTP/1.2 200 OK\r\n\r\n", false, HTTP_FAULT_VERSION},
        {"HTTP/1.1 200 OK\r\nnonsense\r\n\r\n", true, HTTP_FAULT_REPLY},
        {"HTTP/1.1 200 OK\r\nLocation: a\r\nLocation: b\r\n\r\n", true, HTTP_FAULT_REPLY},
        {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n", true, HTTP_FAULT_PARTIAL},
        {"HTTP/1.1 100 Continue\r\n\r\n", true, HTTP_FAULT_EMPTY},
        {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhe", true, HTTP_FAULT_PARTIAL},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhe", true, HTTP_FAULT_PARTIAL},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nZ\r\n", false, HTTP_FAULT_RECEIVE},
        {"HTTP/1.1 404 No\r\nContent-Length: 2\r\n\r\nno", false, HTTP_FAULT_STATUS},
        {"HTTP/1.1 200 OK\r\nContent-Length: 200\r\n\r\n", false, HTTP_FAULT_SIZE},
        {"HTTP/1.1 200 OK\r\n\r\n0123456789012345678901234567890123456789", false, HTTP_FAULT_SIZE},
        {"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 5\r\n\r\nhello", false,
         HTTP_FAULT_CODING},
        {"HTTP/1.1 200 OK\r\nContent-Encoding: rot13\r\nContent-Length: 5\r\n\r\nhello", false,
         HTTP_FAULT_CODING},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", false, HTTP_FAULT_CODING},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char heard[HEARD_SIZE];
        lab_t lab;

        lab_open(&lab, (http_client_options_t){0});
        start(&lab, "/",
              (http_transfer_options_t){
                  .fail_on_status = true, .size_max = 32, .accept_encoding = ""});
        accept_one(&lab);
        hear(&lab, "\r\n\r\n", heard);
        says(&lab, cases[i].text);
        if (cases[i].closes)
            shutdown(lab.fd, SHUT_WR);
        ends(&lab);
        assert_int_equal(lab.fault, cases[i].fault);
        assert_true(strlen(lab.error) > 0);
        lab_close(&lab);
    }
}

static void nobody_there_is_a_connect_fault(void **state)
{
    lab_t lab;

    (void)state;
    lab_open(&lab, (http_client_options_t){0});
    close(lab.listener);
    start(&lab, "/", (http_transfer_options_t){0});
    ends(&lab);
    assert_int_equal(lab.fault, HTTP_FAULT_CONNECT);
    lab.listener = dup(0);
    lab_close(&lab);
}

static void what_the_program_refuses_ends_the_transfer(void **state)
{
    char heard[HEARD_SIZE];
    lab_t lab;

    (void)state;
    lab_open(&lab, (http_client_options_t){0});
    lab.refuse = -ENOSPC;
    start(&lab, "/", (http_transfer_options_t){0});
    accept_one(&lab);
    hear(&lab, "\r\n\r\n", heard);
    says(&lab, OK("2\r\n\r\nok"));
    ends(&lab);
    assert_int_equal(lab.fault, HTTP_FAULT_WRITE);
    assert_non_null(strstr(lab.error, "No space left"));
    lab_close(&lab);
}

static void times_are_limited(void **state)
{
    static const http_transfer_options_t cases[] = {{.total_ms = 50},
                                                    {.low_speed = 10, .low_speed_s = 1}};

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        lab_t lab;

        lab_open(&lab, (http_client_options_t){0});
        start(&lab, "/", cases[i]);
        accept_one(&lab);
        ends(&lab);
        assert_int_equal(lab.fault, HTTP_FAULT_TIMEOUT);
        lab_close(&lab);
    }
}

/* ---- the program ----------------------------------------------------------------------------- */

static void an_abort_comes_from_the_loop(void **state)
{
    lab_t lab;

    (void)state;
    lab_open(&lab, (http_client_options_t){0});
    start(&lab, "/", (http_transfer_options_t){0});
    http_transfer_abort(lab.transfer, HTTP_FAULT_WRITE, "no more");
    assert_int_equal(lab.closes, 0);
    ends(&lab);
    assert_int_equal(lab.fault, HTTP_FAULT_WRITE);
    assert_string_equal(lab.error, "no more");
    lab_close(&lab);
}

static void a_client_that_goes_ends_its_transfers(void **state)
{
    lab_t lab;

    (void)state;
    lab_open(&lab, (http_client_options_t){0});
    start(&lab, "/", (http_transfer_options_t){0});
    settle(lab.loop);
    http_client_free(lab.client);
    lab.client = NULL;
    assert_int_equal(lab.closes, 1);
    assert_int_equal(lab.fault, HTTP_FAULT_CANCELLED);
    lab_close(&lab);
}

static void nothing_comes_while_it_is_paused(void **state)
{
    char heard[HEARD_SIZE];
    lab_t lab;

    (void)state;
    lab_open(&lab, (http_client_options_t){0});
    start(&lab, "/", (http_transfer_options_t){0});
    accept_one(&lab);
    hear(&lab, "\r\n\r\n", heard);
    http_transfer_pause(lab.transfer);
    says(&lab, OK("2\r\n\r\nok"));
    settle(lab.loop);
    assert_int_equal(lab.body_len, 0);
    http_transfer_resume(lab.transfer);
    ends(&lab);
    assert_string_equal(lab.body, "ok");
    lab_close(&lab);
}

/* ---- kept connections ------------------------------------------------------------------------ */

static void get_through_tunnel(lab_t *lab, const char *user, bool opens)
{
    http_transfer_options_t options = {.proxy_login = {.user = user, .password = "p"}};
    char heard[HEARD_SIZE];
    int fd;

    start(lab, "http://a.test/", options);
    settle(lab->loop);
    fd = accept4(lab->listener, NULL, NULL, SOCK_CLOEXEC);
    assert_int_equal(fd >= 0, opens);
    if (opens) {
        if (lab->fd >= 0)
            close(lab->fd);
        lab->fd = fd;
        hear(lab, "\r\n\r\n", heard);
        assert_non_null(strstr(heard, "CONNECT a.test:80 HTTP/1.1\r\n"));
        assert_non_null(strstr(heard, "Proxy-Authorization: Basic "));
        says(lab, "HTTP/1.1 200 OK\r\n\r\n");
    }
    hear(lab, "\r\n\r\n", heard);
    assert_memory_equal(heard, "GET / HTTP/1.1\r\n", 16);
    says(lab, OK("2\r\n\r\nok"));
    ends(lab);
    assert_int_equal(lab->fault, HTTP_FAULT_NONE);
    assert_int_equal(lab->info.connects, opens ? 1 : 0);
}

static void a_tunnel_is_only_for_whom_the_proxy_has_let_in(void **state)
{
    hproxy_t proxy = {.type = HPROXY_HTTP, .host = "127.0.0.1"};
    lab_t lab;

    (void)state;
    lab_open(&lab, (http_client_options_t){0});
    proxy.port = ntohs(lab.addr.sin_port);
    http_client_free(lab.client);
    assert_int_equal(
        http_client_new(lab.loop, &(http_client_options_t){.proxy = &proxy, .proxy_tunnel = true},
                        &lab.client),
        0);
    get_through_tunnel(&lab, "a", true);
    get_through_tunnel(&lab, "a", false);
    get_through_tunnel(&lab, "b", true);
    lab_close(&lab);
}

/* ---- out of memory --------------------------------------------------------------------------- */

static int one_redirect(void *arg)
{
    char heard[HEARD_SIZE];
    http_client_options_t none = {0};
    http_transfer_options_t options = {.follow = true, .auto_referer = true};
    lab_t lab = {.fd = -1};
    char text[128];
    int err;

    (void)arg;
    lab.loop = hloop_new(HLOOP_FLAG_RUN_ONCE);
    if (!lab.loop)
        return -ENOMEM;
    lab.listener = bound_socket(SOCK_STREAM | SOCK_NONBLOCK, &lab.addr);
    snprintf(text, sizeof(text), "http://127.0.0.1:%d/", ntohs(lab.addr.sin_port));
    err = http_client_new(lab.loop, &none, &lab.client);
    if (err == 0)
        err = hurl_parse(&lab.url, text, strlen(text), NULL, HURL_AS_GIVEN);
    options.url = &lab.url;
    if (err == 0)
        err = http_transfer_start(lab.client, &options, &callbacks, &lab, &lab.transfer);
    for (int step = 0; err == 0 && lab.closes == 0;) {
        int fd = accept4(lab.listener, NULL, NULL, SOCK_CLOEXEC);

        if (fd >= 0)
            lab.fd = fd;
        if (lab.fd >= 0 && recv(lab.fd, heard, sizeof(heard), MSG_DONTWAIT) > 0)
            says(&lab, step++ == 0
                           ? "HTTP/1.1 302 Found\r\nLocation: /2\r\nContent-Length: 0\r\n\r\n"
                           : OK("2\r\n\r\nok"));
        hloop_wakeup(lab.loop);
        if (hloop_run(lab.loop) < 0)
            break;
    }
    if (err == 0 && lab.closes > 0 && lab.fault != HTTP_FAULT_NONE)
        err = -ENOMEM;
    lab_close(&lab);
    return err;
}

static void without_memory_it_ends_with_an_error(void **state)
{
    (void)state;
    oom_run(one_redirect, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fields_stand_in_their_order),
        cmocka_unit_test(long_cookies_are_not_left_out),
        cmocka_unit_test(a_field_with_a_line_end_is_refused),
        cmocka_unit_test(a_connection_is_kept_for_the_next_transfer),
        cmocka_unit_test(a_kept_connection_that_was_closed_is_replaced),
        cmocka_unit_test(a_body_is_posted),
        cmocka_unit_test(a_body_waits_for_100_and_is_sent_without_after_417),
        cmocka_unit_test(faults_are_told_apart),
        cmocka_unit_test(nobody_there_is_a_connect_fault),
        cmocka_unit_test(what_the_program_refuses_ends_the_transfer),
        cmocka_unit_test(times_are_limited),
        cmocka_unit_test(an_abort_comes_from_the_loop),
        cmocka_unit_test(a_client_that_goes_ends_its_transfers),
        cmocka_unit_test(nothing_comes_while_it_is_paused),
        cmocka_unit_test(a_tunnel_is_only_for_whom_the_proxy_has_let_in),
        cmocka_unit_test(without_memory_it_ends_with_an_error),
    };

    return run_on_each_poller("http_client", tests, ARRAY_LENGTH(tests));
}
