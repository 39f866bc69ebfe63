/* One thread. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "proxy_fixture.h"

/* ---- HTTP ------------------------------------------------------------------------------------ */

static void connect_asks_for_the_name(void **state)
{
    static const step_t steps[] = {
        {.until = "\r\n\r\n",
         SAY("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nX: y\r\n\r\nhello")}};
    world_t w;
    result_t r;

    (void)state;
    begin(&w, "");
    dial_to(&w, "nx.test", steps, 1, &r);
    expect_hello(&w, &r);
    assert_non_null(strstr(w.all, "CONNECT nx.test:25 HTTP/1.1\r\n"));
    assert_null(strstr(w.all, "Authorization"));
    assert_int_equal(w.server.asked, 0);
    end(&w);
}

static void a_login_is_sent_when_it_is_asked_for(void **state)
{
    static const step_t stays[] = {
        {.until = "\r\n\r\n",
         SAY("HTTP/1.1 407 No\r\nProxy-Authenticate: Basic realm=\"x\"\r\n"
             "Content-Length: 5\r\n\r\nsorry")},
        {.until = "\r\n\r\n", SAY("HTTP/1.1 200 OK\r\n\r\nhello")}};
    static const step_t closes[] = {
        {.until = "\r\n\r\n",
         SAY("HTTP/1.0 407 No\r\nProxy-Authenticate: Basic realm=\"x\"\r\n\r\nsorry"),
         .close = true},
        {.until = "\r\n\r\n", SAY("HTTP/1.0 200 OK\r\n\r\nhello")}};
    world_t w;
    result_t r;

    (void)state;
    begin(&w, "http://me:secret@");
    dial_to(&w, "example.com", stays, 2, &r);
    expect_hello(&w, &r);
    assert_int_equal(w.connections, 1);
    assert_non_null(strstr(w.all, "Proxy-Authorization: Basic bWU6c2VjcmV0\r\n"));
    dial_to(&w, "example.com", closes, 2, &r);
    expect_hello(&w, &r);
    assert_int_equal(w.connections, 2);
    end(&w);
}

/* RFC 7617 section 2: the name of a user may be empty, as that of a token is. */
static void a_login_may_be_a_password_alone(void **state)
{
    static const step_t steps[] = {
        {.until = "\r\n\r\n",
         SAY("HTTP/1.1 407 No\r\nProxy-Authenticate: Basic realm=\"x\"\r\n"
             "Content-Length: 0\r\n\r\n")},
        {.until = "\r\n\r\n", SAY("HTTP/1.1 200 OK\r\n\r\nhello")}};
    world_t w;
    result_t r;

    (void)state;
    begin(&w, "http://:secret@");
    dial_to(&w, "example.com", steps, 2, &r);
    expect_hello(&w, &r);
    assert_non_null(strstr(w.all, "Proxy-Authorization: Basic OnNlY3JldA==\r\n"));
    end(&w);
}

static void digest_is_preferred(void **state)
{
    static const step_t steps[] = {
        {.until = "\r\n\r\n",
         SAY("HTTP/1.1 407 No\r\nProxy-Authenticate: Basic realm=\"x\"\r\nProxy-Authenticate: "
             "Digest realm=\"x\", nonce=\"abc\", qop=\"auth\", algorithm=SHA-256\r\n"
             "Content-Length: 0\r\n\r\n")},
        {.until = "\r\n\r\n",
         SAY("HTTP/1.1 407 Old\r\nProxy-Authenticate: Digest realm=\"x\", nonce=\"def\", "
             "qop=\"auth\", stale=true\r\nContent-Length: 0\r\n\r\n")},
        {.until = "\r\n\r\n", SAY("HTTP/1.1 200 OK\r\n\r\nhello")}};
    world_t w;
    result_t r;

    (void)state;
    begin(&w, "http://me:secret@");
    dial_to(&w, "example.com", steps, 3, &r);
    expect_hello(&w, &r);
    assert_int_equal(w.connections, 1);
    assert_non_null(strstr(w.all, "Proxy-Authorization: Digest "));
    assert_non_null(strstr(w.all, "nonce=\"abc\""));
    assert_non_null(strstr(w.all, "nonce=\"def\""));
    assert_null(strstr(w.all, "Basic"));
    end(&w);
}

/* What a program may say of the request, and is told of it. */

typedef struct heads_s {
    result_t result; /* first: it is the argument of the dial */
    char text[2048];
} heads_t;

static void on_head(hdial_t *dial, size_t proxy, http_span_t head, int status, void *arg)
{
    heads_t *heads = arg;
    size_t len = strlen(heads->text);

    assert_non_null(dial);
    assert_int_equal(proxy, 0);
    snprintf(heads->text + len, sizeof(heads->text) - len, "%d:%.*s", status, (int)head.len,
             head.data);
}

static void the_program_says_how_to_ask_and_is_told(void **state)
{
    static const step_t steps[] = {
        {.until = "\r\n\r\n",
         SAY("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nX: y\r\n\r\nhello")}};
    static const http_extra_t fields[] = {{"X-One", "1"}, {"Host", NULL}};
    const hdial_connect_options_t connect = {.http10 = true,
                                             .keep_alive = true,
                                             .user_agent = "me/1",
                                             .fields = fields,
                                             .field_count = 2,
                                             .user = "you",
                                             .password = "public",
                                             .logins = HDIAL_PROXY_BASIC_UNASKED,
                                             .head_cb = on_head};
    heads_t heads = {.text = ""};
    world_t w;

    (void)state;
    begin(&w, "http://me:secret@");
    w.options.connect = &connect;
    dial_to(&w, "example.com", steps, 1, &heads.result);
    expect_hello(&w, &heads.result);
    assert_string_equal(heads.text, "0:CONNECT example.com:25 HTTP/1.0\r\n"
                                    "Proxy-Authorization: Basic eW91OnB1YmxpYw==\r\n"
                                    "User-Agent: me/1\r\n"
                                    "Proxy-Connection: Keep-Alive\r\n"
                                    "X-One: 1\r\n\r\n"
                                    "100:HTTP/1.1 100 Continue\r\n\r\n"
                                    "200:HTTP/1.1 200 OK\r\nX: y\r\n\r\n");
    end(&w);
}

static void only_the_ways_to_log_in_that_are_wanted_are_used(void **state)
{
    static const step_t basic[] = {
        {.until = "\r\n\r\n",
         SAY("HTTP/1.1 407 No\r\nProxy-Authenticate: Basic realm=\"x\"\r\n"
             "Content-Length: 0\r\n\r\n")}};
    static const step_t both[] = {
        {.until = "\r\n\r\n",
         SAY("HTTP/1.1 407 No\r\nProxy-Authenticate: Basic realm=\"x\"\r\n"
             "Proxy-Authenticate: Digest realm=\"x\", nonce=\"n\"\r\n"
             "Content-Length: 0\r\n\r\n")},
        {.until = "\r\n\r\n", SAY("HTTP/1.1 200 OK\r\n\r\nhello")}};
    hdial_connect_options_t connect = {.logins = HDIAL_PROXY_BASIC_UNASKED};
    world_t w;
    result_t r;

    (void)state;
    begin(&w, "http://me:secret@");
    w.options.connect = &connect;
    dial_to(&w, "example.com", basic, 1, &r); /* it was sent, and refused */
    expect_failure(&w, &r, HERR_PROXY, "407 No");
    assert_non_null(strstr(w.all, "Basic bWU6c2VjcmV0"));
    end(&w);
    begin(&w, "http://me:secret@");
    w.options.connect = &connect;
    connect.logins = HDIAL_PROXY_DIGEST;
    dial_to(&w, "example.com", basic, 1, &r);
    expect_failure(&w, &r, HERR_PROXY, "407 No");
    dial_to(&w, "example.com", both, 2, &r);
    expect_hello(&w, &r);
    assert_null(strstr(w.all, "Basic"));
    assert_non_null(strstr(w.all, "Digest username=\"me\""));
    end(&w);
}

static void a_refusal_shows_the_status_line(void **state)
{
    static const step_t no_user[] = {
        {.until = "\r\n\r\n",
         SAY("HTTP/1.1 407 Proxy Authentication Required\r\n"
             "Proxy-Authenticate: Basic realm=\"x\"\r\nContent-Length: 0\r\n\r\n")}};
    static const step_t wrong[] = {
        {.until = "\r\n\r\n",
         SAY("HTTP/1.1 407 First\r\nProxy-Authenticate: Basic realm=\"x\"\r\n"
             "Content-Length: 0\r\n\r\n")},
        {.until = "\r\n\r\n",
         SAY("HTTP/1.1 407 Wrong\r\nProxy-Authenticate: Basic realm=\"x\"\r\n"
             "Content-Length: 0\r\n\r\n")}};
    static const step_t forbidden[] = {
        {.until = "\r\n\r\n", SAY("HTTP/1.1 403 \x1b[31mForbidden\r\n\r\n")}};
    world_t w;
    result_t r;

    (void)state;
    begin(&w, "");
    dial_to(&w, "example.com", no_user, 1, &r);
    expect_failure(&w, &r, HERR_PROXY, "407 Proxy Authentication Required");
    end(&w);
    begin(&w, "http://me:secret@");
    dial_to(&w, "example.com", wrong, 2, &r);
    expect_failure(&w, &r, HERR_PROXY, "407 Wrong");
    dial_to(&w, "example.com", forbidden, 1, &r);
    assert_int_equal(r.err, HERR_PROTOCOL);
    assert_null(strchr(r.error, 0x1b));
    end(&w);
}

static void what_is_no_answer_is_told(void **state)
{
    static char long_line[70000];
    const step_t nonsense[] = {{.until = "\r\n\r\n", SAY("SSH-2.0-OpenSSH\r\n\r\n")}};
    const step_t half[] = {{.until = "\r\n\r\n", SAY("HTTP/1.1 2"), .close = true}};
    const step_t two_lengths[] = {
        {.until = "\r\n\r\n",
         SAY("HTTP/1.1 407 No\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n")}};
    const step_t nothing[] = {{.until = "\r\n\r\n", SAY(""), .close = true}};
    const step_t megabyte[] = {
        {.until = "\r\n\r\n", .reply = long_line, .reply_len = sizeof(long_line)}};
    world_t w;
    result_t r;

    (void)state;
    memset(long_line, 'a', sizeof(long_line));
    begin(&w, "");
    dial_to(&w, "example.com", nonsense, 1, &r);
    expect_failure(&w, &r, HERR_PROTOCOL, "its answer is not HTTP");
    dial_to(&w, "example.com", half, 1, &r);
    expect_failure(&w, &r, HERR_PROXY, "it closed the connection without an answer");
    dial_to(&w, "example.com", two_lengths, 1, &r);
    expect_failure(&w, &r, HERR_PROXY, "its answer has no one length");
    dial_to(&w, "example.com", nothing, 1, &r);
    expect_failure(&w, &r, HERR_PROXY, "it closed the connection without an answer");
    dial_to(&w, "example.com", megabyte, 1, &r);
    expect_failure(&w, &r, HERR_PROXY, "the head of its answer is too long");
    w.options.timeout_ms = 400;
    dial_to(&w, "example.com", NULL, 0, &r);
    expect_failure(&w, &r, -ETIMEDOUT, "no answer in time");
    end(&w);
}

/* ---- SOCKS ----------------------------------------------------------------------------------- */

static const step_t granted_5[] = {{.bytes = 3, SAY("\5\0")},
                                   {.bytes = 10, SAY("\5\0\0\1\1\2\3\4\0\7hello")}};

static void socks5_is_given_numbers_or_names(void **state)
{
    static const char number[] = "\5\1\0\5\1\0\1\177\0\0\1\0\31";
    static const char name[] = "\5\1\0\5\1\0\3\7nx.test\0\31";
    world_t w;
    result_t r;

    (void)state;
    begin(&w, "socks5://");
    dial_to(&w, "both.test", granted_5, 2, &r);
    expect_hello(&w, &r);
    assert_memory_equal(w.all, number, sizeof(number) - 1);
    dial_to(&w, "nx.test", granted_5, 2, &r);
    expect_failure(&w, &r, HERR_RESOLVE, "cannot resolve nx.test for it: no such name");
    dial_to(&w, "127.0.0.1", granted_5, 2, &r);
    expect_hello(&w, &r);
    end(&w);
    begin(&w, "socks5h://");
    dial_to(&w, "nx.test", granted_5, 2, &r);
    expect_hello(&w, &r);
    assert_memory_equal(w.all, name, sizeof(name) - 1);
    end(&w);
}

static void without_a_resolver_only_the_proxy_may_look_names_up(void **state)
{
    world_t w;
    result_t r;

    (void)state;
    begin(&w, "socks5://");
    w.options.numeric = true;
    dial_to(&w, "both.test", granted_5, 2, &r);
    assert_int_equal(r.err, HERR_RESOLVE);
    assert_int_equal(w.server.asked, 0);
    end(&w);
    begin(&w, "socks5h://");
    w.options.numeric = true;
    dial_to(&w, "nx.test", granted_5, 2, &r);
    expect_hello(&w, &r);
    end(&w);
}

static void socks5_logs_in(void **state)
{
    static const step_t steps[] = {{.bytes = 4, SAY("\5\2")},
                                   {.bytes = 11, SAY("\1\0")},
                                   {.bytes = 10, SAY("\5\0\0\1\1\2\3\4\0\7hello")}};
    static const step_t wrong[] = {{.bytes = 4, SAY("\5\2")}, {.bytes = 11, SAY("\1\1")}};
    world_t w;
    result_t r;

    (void)state;
    begin(&w, "socks5://me:secret@");
    dial_to(&w, "127.0.0.1", steps, 3, &r);
    expect_hello(&w, &r);
    assert_memory_equal(w.all + 4, "\1\2me\6secret", 11);
    dial_to(&w, "127.0.0.1", wrong, 2, &r);
    assert_int_equal(r.err, HERR_PROXY);
    assert_null(strstr(r.error, "secret"));
    end(&w);
}

static void socks4_and_4a_are_spoken(void **state)
{
    static const step_t granted[] = {{.bytes = 9, SAY("\0\132\0\0\0\0\0\0hello")}};
    static const step_t refused[] = {{.bytes = 9, SAY("\0\133\0\0\0\0\0\0")}};
    world_t w;
    result_t r;

    (void)state;
    begin(&w, "socks4://");
    dial_to(&w, "both.test", granted, 1, &r);
    expect_hello(&w, &r);
    assert_memory_equal(w.all, "\4\1\0\31\177\0\0\1\0", 9);
    dial_to(&w, "127.0.0.1", refused, 1, &r);
    assert_int_equal(r.err, HERR_PROXY);
    dial_to(&w, "::1", granted, 1, &r);
    assert_true(r.err < 0);
    end(&w);
    begin(&w, "socks4a://");
    dial_to(&w, "nx.test", granted, 1, &r);
    expect_hello(&w, &r);
    assert_memory_equal(w.all, "\4\1\0\31\0\0\0\1\0nx.test\0", 17);
    end(&w);
}

static void socks5_tells_the_reason(void **state)
{
    static const step_t refused[] = {{.bytes = 3, SAY("\5\0")},
                                     {.bytes = 10, SAY("\5\5\0\1\0\0\0\0\0\0")}};
    world_t w;
    result_t r;

    (void)state;
    begin(&w, "socks5://");
    dial_to(&w, "127.0.0.1", refused, 2, &r);
    expect_failure(&w, &r, HERR_PROXY, "connection refused");
    end(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(connect_asks_for_the_name),
        cmocka_unit_test(a_login_is_sent_when_it_is_asked_for),
        cmocka_unit_test(a_login_may_be_a_password_alone),
        cmocka_unit_test(digest_is_preferred),
        cmocka_unit_test(the_program_says_how_to_ask_and_is_told),
        cmocka_unit_test(only_the_ways_to_log_in_that_are_wanted_are_used),
        cmocka_unit_test(a_refusal_shows_the_status_line),
        cmocka_unit_test(what_is_no_answer_is_told),
        cmocka_unit_test(socks5_is_given_numbers_or_names),
        cmocka_unit_test(without_a_resolver_only_the_proxy_may_look_names_up),
        cmocka_unit_test(socks5_logs_in),
        cmocka_unit_test(socks4_and_4a_are_spoken),
        cmocka_unit_test(socks5_tells_the_reason),
    };

    return run_on_each_poller("hdial_proxy", tests, ARRAY_LENGTH(tests));
}
