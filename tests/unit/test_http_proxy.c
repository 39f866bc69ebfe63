/* One thread. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "http_fixture.h"

#include "base/hlist.h"
#include "proto/http_proxy.h"

#define BODY_LEN ((size_t)24 << 20) /* more than the kernel keeps for four sockets */

/* A proxy between a plain client and a plain server. */
typedef struct lab_s {
    web_t web;
    http_proxy_t *proxy;
    struct sockaddr_in addr;
    int listener, client, server;
    char heard[65536]; /* by the server */
    size_t heard_len;
    char why[HTTP_PROXY_ERROR_SIZE];
    int failures;
} lab_t;

static void handle(http_stream_t *stream, void *userdata)
{
    web_t *web = userdata;

    web->handled++;
    http_proxy_handle(stream, HLIST_ENTRY(web, lab_t, web)->proxy);
}

static void on_failure(http_stream_t *stream, const char *why, void *arg)
{
    lab_t *lab = arg;

    (void)stream;
    lab->failures++;
    snprintf(lab->why, sizeof(lab->why), "%s", why);
}

/* path stands behind the target's address. */
static void lab_open(lab_t *lab, const char *path, http_proxy_options_t options)
{
    char url[128], other[64];
    const char *targets[] = {url, other};
    http_server_options_t server_options = {.handler = handle};
    int closed;
    struct sockaddr_in nobody;

    memset(lab, 0, sizeof(*lab));
    server_options.limits.body_max = HTTP1_UNLIMITED;
    web_open(&lab->web, server_options);
    lab->listener = bound_socket(SOCK_STREAM, &lab->addr);
    lab->client = web_client(&lab->web);
    lab->server = -1;
    closed = bound_socket(SOCK_STREAM, &nobody);
    close(closed);
    snprintf(url, sizeof(url), "http://127.0.0.1:%d%s", ntohs(lab->addr.sin_port), path);
    snprintf(other, sizeof(other), "http://127.0.0.1:%d", ntohs(nobody.sin_port));
    if (options.target_count == 0)
        options.target_count = 1;
    options.targets = targets;
    options.on_failure = on_failure;
    options.arg = lab;
    assert_int_equal(http_proxy_new(lab->web.loop, &options, &lab->proxy, NULL, 0), 0);
}

static void lab_close(lab_t *lab)
{
    http_server_free(lab->web.server);
    lab->web.server = NULL;
    http_proxy_free(lab->proxy);
    web_close(&lab->web);
    close(lab->client);
    if (lab->server >= 0)
        close(lab->server);
    if (lab->listener >= 0)
        close(lab->listener);
}

static bool is_ready(int fd)
{
    struct pollfd poll_fd = {.fd = fd, .events = POLLIN};

    return poll(&poll_fd, 1, 0) > 0;
}

static void accept_server(lab_t *lab)
{
    WEB_UNTIL(&lab->web, lab->client, is_ready(lab->listener));
    if (lab->server >= 0)
        close(lab->server);
    lab->server = accept4(lab->listener, NULL, NULL, SOCK_CLOEXEC);
    assert_true(lab->server >= 0);
    lab->heard_len = 0;
}

static bool server_hears(lab_t *lab, const char *text)
{
    ssize_t n = recv(lab->server, lab->heard + lab->heard_len,
                     sizeof(lab->heard) - 1 - lab->heard_len, MSG_DONTWAIT);

    if (n > 0)
        lab->heard_len += (size_t)n;
    lab->heard[lab->heard_len] = '\0';
    return strstr(lab->heard, text) != NULL;
}

#define SERVER_UNTIL(lab, text) WEB_UNTIL(&(lab)->web, (lab)->client, server_hears((lab), (text)))

static bool client_has(lab_t *lab, const char *text)
{
    return memmem(lab->web.heard, lab->web.heard_len, text, strlen(text)) != NULL;
}

#define CLIENT_UNTIL(lab, text) WEB_UNTIL(&(lab)->web, (lab)->client, client_has((lab), (text)))

static void server_says(const lab_t *lab, const char *text)
{
    web_say_text(lab->server, text);
}

/* ---- what goes on ---------------------------------------------------------------------------- */

static void requests_and_responses_go_through(void **state)
{
    char host[64];
    lab_t lab;

    (void)state;
    lab_open(&lab, "", (http_proxy_options_t){.via = "me"});
    web_say_text(lab.client, "GET /a%2Fb/../c?x=1 HTTP/1.1\r\nHost: front\r\nX-A: 1\r\n"
                             "Connection: keep-alive, X-Mine\r\nX-Mine: 1\r\nTE: trailers\r\n"
                             "Keep-Alive: 5\r\nProxy-Connection: close\r\nX-Forwarded-For: evil\r\n"
                             "Via: 1.0 before\r\n\r\n");
    accept_server(&lab);
    SERVER_UNTIL(&lab, "\r\n\r\n");
    snprintf(host, sizeof(host), "Host: 127.0.0.1:%d\r\n", ntohs(lab.addr.sin_port));
    assert_int_equal(strncmp(lab.heard, "GET /a%2Fb/../c?x=1 HTTP/1.1\r\n", 30), 0);
    assert_non_null(strstr(lab.heard, host));
    assert_non_null(strstr(lab.heard, "X-A: 1\r\n"));
    assert_null(strcasestr(lab.heard, "X-Mine"));
    assert_null(strstr(lab.heard, "TE:"));
    assert_null(strcasestr(lab.heard, "Keep-Alive"));
    assert_null(strcasestr(lab.heard, "Proxy-"));
    assert_null(strstr(lab.heard, "evil"));
    assert_non_null(strstr(lab.heard, "X-Forwarded-For: 127.0.0.1\r\n"));
    assert_non_null(strstr(lab.heard, "X-Forwarded-Proto: http\r\n"));
    assert_non_null(strstr(lab.heard, "X-Forwarded-Host: front\r\n"));
    assert_non_null(strstr(lab.heard, "Via: 1.0 before, 1.1 me\r\n"));
    server_says(&lab, "HTTP/1.1 201 Made\r\nX-B: 2\r\nServer: back\r\nConnection: X-Hop\r\n"
                      "X-Hop: 1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n");
    CLIENT_UNTIL(&lab, "0\r\n\r\n");
    assert_int_equal(strncmp(lab.web.heard, "HTTP/1.1 201 Created\r\n", 22), 0);
    assert_true(client_has(&lab, "X-B: 2\r\n"));
    assert_true(client_has(&lab, "Server: back\r\n"));
    assert_false(client_has(&lab, "X-Hop"));
    assert_true(client_has(&lab, "\r\n\r\n3\r\nabc\r\n0\r\n\r\n"));
    lab_close(&lab);
}

static void the_path_of_the_target_takes_the_prefix_place(void **state)
{
    lab_t lab;

    (void)state;
    lab_open(&lab, "/new/", (http_proxy_options_t){.prefix = "/old/"});
    web_say_text(lab.client, "GET /old/a%20b?q=%41 HTTP/1.1\r\nHost: front\r\n\r\n");
    accept_server(&lab);
    SERVER_UNTIL(&lab, "\r\n\r\n");
    assert_int_equal(strncmp(lab.heard, "GET /new/a%20b?q=%41 HTTP/1.1\r\n", 31), 0);
    lab_close(&lab);
}

static void host_is_kept_if_asked(void **state)
{
    lab_t lab;

    (void)state;
    lab_open(&lab, "", (http_proxy_options_t){.keep_host = true});
    web_say_text(lab.client, "GET / HTTP/1.1\r\nHost: front\r\n\r\n");
    accept_server(&lab);
    SERVER_UNTIL(&lab, "Host: front\r\n");
    lab_close(&lab);
}

static void the_framing_is_made_anew(void **state)
{
    lab_t lab;

    (void)state;
    lab_open(&lab, "", (http_proxy_options_t){0});
    web_say_text(lab.client, "POST / HTTP/1.1\r\nHost: front\r\nTransfer-Encoding: chunked\r\n\r\n"
                             "2;ext=1\r\nab\r\n1\r\nc\r\n0\r\nX-Trailer: 1\r\n\r\n");
    accept_server(&lab);
    SERVER_UNTIL(&lab, "0\r\n\r\n");
    assert_non_null(strstr(lab.heard, "Transfer-Encoding: chunked\r\n"));
    assert_null(strstr(lab.heard, "ext"));
    assert_null(strstr(lab.heard, "X-Trailer"));
    server_says(&lab, "HTTP/1.0 200 OK\r\n\r\nuntil the end");
    shutdown(lab.server, SHUT_WR);
    CLIENT_UNTIL(&lab, "0\r\n\r\n");
    assert_true(client_has(&lab, "Transfer-Encoding: chunked\r\n"));
    lab_close(&lab);
}

static void head_keeps_its_length(void **state)
{
    lab_t lab;

    (void)state;
    lab_open(&lab, "", (http_proxy_options_t){0});
    web_say_text(lab.client, "HEAD / HTTP/1.1\r\nHost: front\r\n\r\n");
    accept_server(&lab);
    SERVER_UNTIL(&lab, "\r\n\r\n");
    server_says(&lab, "HTTP/1.1 200 OK\r\nContent-Length: 1234\r\n\r\n");
    CLIENT_UNTIL(&lab, "\r\n\r\n");
    assert_true(client_has(&lab, "Content-Length: 1234\r\n"));
    lab_close(&lab);
}

static void hints_are_passed_on(void **state)
{
    lab_t lab;

    (void)state;
    lab_open(&lab, "", (http_proxy_options_t){0});
    web_say_text(lab.client, "GET / HTTP/1.1\r\nHost: front\r\n\r\n");
    accept_server(&lab);
    SERVER_UNTIL(&lab, "\r\n\r\n");
    server_says(&lab, "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"
                      "HTTP/1.1 204 No Content\r\nX-End: 1\r\n\r\n");
    CLIENT_UNTIL(&lab, "X-End");
    assert_int_equal(strncmp(lab.web.heard, "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n", 37), 0);
    assert_int_equal(web_count(&lab.web, "Link"), 1);
    lab_close(&lab);
}

static void a_websocket_gets_its_tunnel(void **state)
{
    lab_t lab;

    (void)state;
    lab_open(&lab, "", (http_proxy_options_t){0});
    web_say_text(lab.client, "GET /ws HTTP/1.1\r\nHost: front\r\nConnection: Upgrade\r\n"
                             "Upgrade: websocket\r\n\r\n");
    accept_server(&lab);
    SERVER_UNTIL(&lab, "\r\n\r\n");
    assert_non_null(strstr(lab.heard, "Connection: Upgrade\r\n"));
    assert_non_null(strstr(lab.heard, "Upgrade: websocket\r\n"));
    server_says(&lab, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n"
                      "Upgrade: websocket\r\n\r\nfrom the server");
    CLIENT_UNTIL(&lab, "from the server");
    assert_true(client_has(&lab, "Upgrade: websocket\r\n"));
    web_say_text(lab.client, "from the client");
    SERVER_UNTIL(&lab, "from the client");
    shutdown(lab.server, SHUT_WR);
    web_until_end(&lab.web, lab.client);
    shutdown(lab.client, SHUT_WR);
    RUN_UNTIL(lab.web.loop, lab.web.done == 1);
    assert_int_equal(lab.web.done_error, 0);
    lab_close(&lab);
}

/* Several fields are one list; the last of them is what the nearest proxy has added. */
static void lists_in_several_fields_are_kept(void **state)
{
    haccess_t *trusted = NULL;
    lab_t lab;

    (void)state;
    assert_int_equal(haccess_new(&trusted), 0);
    assert_int_equal(haccess_add(trusted, HACCESS_ALLOW, "127.0.0.1", NULL, 0), 0);
    lab_open(&lab, "", (http_proxy_options_t){.via = "me", .trusted = trusted});
    web_say_text(lab.client, "GET / HTTP/1.1\r\nHost: front\r\nVia: 1.0 a\r\nVia: 1.1 b\r\n"
                             "X-Forwarded-For: 192.0.2.1\r\nX-Forwarded-For: 192.0.2.2\r\n\r\n");
    accept_server(&lab);
    SERVER_UNTIL(&lab, "\r\n\r\n");
    assert_non_null(strstr(lab.heard, "Via: 1.0 a, 1.1 b, 1.1 me\r\n"));
    assert_non_null(strstr(lab.heard, "X-Forwarded-For: 192.0.2.1, 192.0.2.2, 127.0.0.1\r\n"));
    lab_close(&lab);
    haccess_free(trusted);
}

/* A head that is just short enough to be read, and too long to be passed on with its spaces. */
static void what_cannot_be_passed_on_leaves_nothing_in_the_error(void **state)
{
    size_t len = 0, size = HTTP1_HEAD_MAX;
    char *text = malloc(size + 1);
    lab_t lab;

    (void)state;
    assert_non_null(text);
    lab_open(&lab, "", (http_proxy_options_t){0});
    web_say_text(lab.client, "GET / HTTP/1.1\r\nHost: front\r\n\r\n");
    accept_server(&lab);
    SERVER_UNTIL(&lab, "\r\n\r\n");
    len += (size_t)snprintf(text, size, "HTTP/1.1 200 OK\r\n");
    for (int i = 0; i < 99; i++)
        len += (size_t)snprintf(text + len, size - len, "X-A%02d:%0*d\r\n", i,
                                i < 98 ? 320 : (int)(size - len - 10), 0);
    assert_int_equal(len + 2, size);
    snprintf(text + len, 3, "\r\n");
    server_says(&lab, text);
    CLIENT_UNTIL(&lab, "HTTP/1.1 502 ");
    assert_false(client_has(&lab, "X-A"));
    free(text);
    lab_close(&lab);
}

/* RFC 9110 section 7.6.2. */
static void the_last_one_answers_options_itself(void **state)
{
    lab_t lab;

    (void)state;
    lab_open(&lab, "", (http_proxy_options_t){0});
    web_say_text(lab.client, "OPTIONS /a HTTP/1.1\r\nHost: front\r\nMax-Forwards: 0\r\n\r\n"
                             "OPTIONS /b HTTP/1.1\r\nHost: front\r\nMax-Forwards: 10\r\n\r\n");
    accept_server(&lab);
    SERVER_UNTIL(&lab, "\r\n\r\n");
    assert_non_null(strstr(lab.heard, "OPTIONS /b "));
    assert_non_null(strstr(lab.heard, "Max-Forwards: 9\r\n"));
    assert_null(strstr(lab.heard, "OPTIONS /a "));
    CLIENT_UNTIL(&lab, "HTTP/1.1 204 ");
    lab_close(&lab);
}

static void a_broken_body_ends_the_request_behind(void **state)
{
    lab_t lab;

    (void)state;
    lab_open(&lab, "", (http_proxy_options_t){0});
    web_say_text(lab.client, "POST / HTTP/1.1\r\nHost: front\r\nTransfer-Encoding: chunked\r\n\r\n"
                             "3\r\nabc\r\n");
    accept_server(&lab);
    SERVER_UNTIL(&lab, "abc");
    web_say_text(lab.client, "nonsense\r\n");
    CLIENT_UNTIL(&lab, "HTTP/1.1 400 ");
    while (http_proxy_active(lab.proxy) > 0)
        web_turn(&lab.web, lab.client);
    lab_close(&lab);
}

/* ---- flow ------------------------------------------------------------------------------------ */

static void a_slow_client_slows_the_server_down(void **state)
{
    char *data = new_pattern(BODY_LEN), *got = malloc(BODY_LEN + 4096);
    size_t sent = 0, len = 0;
    char *body;
    lab_t lab;

    (void)state;
    lab_open(&lab, "", (http_proxy_options_t){0});
    small_buffers(lab.client);
    web_say_text(lab.client, "GET / HTTP/1.1\r\nHost: front\r\nConnection: close\r\n\r\n");
    accept_server(&lab);
    SERVER_UNTIL(&lab, "\r\n\r\n");
    small_buffers(lab.server);
    bound_other_end(lab.client);
    bound_other_end(lab.server);
    server_says(&lab, "HTTP/1.1 200 OK\r\nContent-Length: 25165824\r\n\r\n");
    for (int quiet = 0; quiet < 50;) { /* until nobody takes any more */
        ssize_t n = send(lab.server, data + sent, BODY_LEN - sent, MSG_DONTWAIT | MSG_NOSIGNAL);

        sent += n > 0 ? (size_t)n : 0;
        quiet = n > 0 ? 0 : quiet + 1;
        hloop_wakeup(lab.web.loop);
        assert_int_equal(hloop_run(lab.web.loop), 0);
    }
    assert_true(sent < BODY_LEN);
    for (bool eof = false; !eof;) {
        ssize_t n = send(lab.server, data + sent, BODY_LEN - sent, MSG_DONTWAIT | MSG_NOSIGNAL);

        sent += n > 0 ? (size_t)n : 0;
        hloop_wakeup(lab.web.loop);
        assert_int_equal(hloop_run(lab.web.loop), 0);
        n = plain_drain(lab.client, got + len, BODY_LEN + 4096 - len, &eof);
        assert_true(n >= 0);
        len += (size_t)n;
    }
    body = memmem(got, len, "\r\n\r\n", 4);
    assert_non_null(body);
    assert_int_equal(got + len - (body + 4), BODY_LEN);
    assert_memory_equal(body + 4, data, BODY_LEN);
    free(data);
    free(got);
    lab_close(&lab);
}

static void a_slow_server_slows_the_client_down(void **state)
{
    char *data = new_pattern(BODY_LEN), *got = malloc(BODY_LEN + 4096);
    size_t sent = 0, len = 0;
    char *body = NULL;
    lab_t lab;

    (void)state;
    lab_open(&lab, "", (http_proxy_options_t){0});
    small_buffers(lab.client);
    web_say_text(lab.client, "PUT / HTTP/1.1\r\nHost: front\r\nContent-Length: 25165824\r\n\r\n");
    accept_server(&lab);
    small_buffers(lab.server);
    bound_other_end(lab.client);
    bound_other_end(lab.server);
    for (int quiet = 0; quiet < 50;) {
        ssize_t n = send(lab.client, data + sent, BODY_LEN - sent, MSG_DONTWAIT | MSG_NOSIGNAL);

        sent += n > 0 ? (size_t)n : 0;
        quiet = n > 0 ? 0 : quiet + 1;
        hloop_wakeup(lab.web.loop);
        assert_int_equal(hloop_run(lab.web.loop), 0);
    }
    assert_true(sent < BODY_LEN);
    while (!body || got + len < body + 4 + BODY_LEN) {
        bool eof;
        ssize_t n = send(lab.client, data + sent, BODY_LEN - sent, MSG_DONTWAIT | MSG_NOSIGNAL);

        sent += n > 0 ? (size_t)n : 0;
        hloop_wakeup(lab.web.loop);
        assert_int_equal(hloop_run(lab.web.loop), 0);
        n = plain_drain(lab.server, got + len, BODY_LEN + 4096 - len, &eof);
        assert_true(n >= 0 && !eof);
        len += (size_t)n;
        body = memmem(got, len < 4096 ? len : 4096, "\r\n\r\n", 4);
    }
    assert_memory_equal(body + 4, data, BODY_LEN);
    server_says(&lab, "HTTP/1.1 204 No Content\r\n\r\n");
    CLIENT_UNTIL(&lab, "204 No Content");
    free(data);
    free(got);
    lab_close(&lab);
}

/* ---- failures -------------------------------------------------------------------------------- */

static void failures_have_their_status(void **state)
{
    static const struct {
        const char *response;
        const char *status;
        const char *why;
    } cases[] = {
        {"nonsense\r\n\r\n", "502", "the response is malformed"},
        {"", "502", "the connection ended without a response"},
        {"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", "502",
         "the response is malformed"},
        {NULL, "504", "no response in time"},
    };
    lab_t lab;

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        lab_open(&lab, "", (http_proxy_options_t){.response_ms = cases[i].response ? 100000 : 100});
        web_say_text(lab.client, "GET / HTTP/1.1\r\nHost: front\r\n\r\n");
        accept_server(&lab);
        SERVER_UNTIL(&lab, "\r\n\r\n");
        if (cases[i].response) {
            server_says(&lab, cases[i].response);
            shutdown(lab.server, SHUT_WR);
        }
        CLIENT_UNTIL(&lab, "\r\n\r\n");
        assert_int_equal(strncmp(lab.web.heard + 9, cases[i].status, 3), 0);
        assert_int_equal(strncmp(lab.why, cases[i].why, strlen(cases[i].why)), 0);
        assert_int_equal(lab.failures, 1);
        lab_close(&lab);
    }
}

static void nobody_behind_is_a_bad_gateway(void **state)
{
    lab_t lab;

    (void)state;
    lab_open(&lab, "", (http_proxy_options_t){0});
    close(lab.listener);
    lab.listener = -1;
    web_say_text(lab.client, "POST / HTTP/1.1\r\nHost: front\r\nContent-Length: 3\r\n\r\nabc");
    CLIENT_UNTIL(&lab, "502 Bad Gateway");
    assert_non_null(strstr(lab.why, "Connection refused"));
    lab_close(&lab);
}

static void one_that_is_down_is_left_out(void **state)
{
    lab_t lab;

    (void)state;
    lab_open(&lab, "", (http_proxy_options_t){.target_count = 2});
    for (int i = 0; i < 4; i++) {
        web_forget(&lab.web);
        web_say_text(lab.client, "GET / HTTP/1.1\r\nHost: front\r\n\r\n");
        if (i == 0)
            accept_server(&lab);
        lab.heard_len = 0;
        SERVER_UNTIL(&lab, "\r\n\r\n");
        server_says(&lab, "HTTP/1.1 204 No Content\r\n\r\n");
        CLIENT_UNTIL(&lab, "204 No Content");
    }
    assert_int_equal(lab.failures, 0);
    lab_close(&lab);
}

static void a_response_that_breaks_off_does_so_for_the_client(void **state)
{
    lab_t lab;

    (void)state;
    lab_open(&lab, "", (http_proxy_options_t){0});
    web_say_text(lab.client, "GET / HTTP/1.1\r\nHost: front\r\n\r\n");
    accept_server(&lab);
    SERVER_UNTIL(&lab, "\r\n\r\n");
    server_says(&lab, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n");
    CLIENT_UNTIL(&lab, "abc");
    close(lab.server);
    lab.server = -1;
    web_until_end(&lab.web, lab.client);
    assert_false(client_has(&lab, "0\r\n\r\n"));
    assert_true(lab.web.done_error < 0);
    lab_close(&lab);
}

static void a_client_that_goes_ends_the_request(void **state)
{
    char byte;
    lab_t lab;

    (void)state;
    lab_open(&lab, "", (http_proxy_options_t){0});
    web_say_text(lab.client, "GET / HTTP/1.1\r\nHost: front\r\n\r\n");
    accept_server(&lab);
    SERVER_UNTIL(&lab, "\r\n\r\n");
    plain_reset(lab.client);
    RUN_UNTIL(lab.web.loop, lab.web.done == 1);
    while (!is_ready(lab.server))
        settle(lab.web.loop);
    assert_true(recv(lab.server, &byte, 1, MSG_DONTWAIT) <= 0 && errno != EAGAIN);
    lab.client = web_client(&lab.web);
    lab_close(&lab);
}

static void targets_that_are_none_are_refused(void **state)
{
    static const char *const bad[] = {"ftp://a/", "http://", "http://u:p@a/", "://", "unix:"};
    hloop_t *loop = new_loop();
    http_proxy_t *proxy = NULL;
    char why[256];

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(bad); i++) {
        http_proxy_options_t options = {.targets = &bad[i], .target_count = 1};

        assert_true(http_proxy_new(loop, &options, &proxy, why, sizeof(why)) < 0);
        assert_true(why[0] != '\0');
    }
    hloop_free(&loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests_and_responses_go_through),
        cmocka_unit_test(the_path_of_the_target_takes_the_prefix_place),
        cmocka_unit_test(host_is_kept_if_asked),
        cmocka_unit_test(the_framing_is_made_anew),
        cmocka_unit_test(head_keeps_its_length),
        cmocka_unit_test(hints_are_passed_on),
        cmocka_unit_test(a_websocket_gets_its_tunnel),
        cmocka_unit_test(lists_in_several_fields_are_kept),
        cmocka_unit_test(what_cannot_be_passed_on_leaves_nothing_in_the_error),
        cmocka_unit_test(the_last_one_answers_options_itself),
        cmocka_unit_test(a_broken_body_ends_the_request_behind),
        cmocka_unit_test(a_slow_client_slows_the_server_down),
        cmocka_unit_test(a_slow_server_slows_the_client_down),
        cmocka_unit_test(failures_have_their_status),
        cmocka_unit_test(nobody_behind_is_a_bad_gateway),
        cmocka_unit_test(one_that_is_down_is_left_out),
        cmocka_unit_test(a_response_that_breaks_off_does_so_for_the_client),
        cmocka_unit_test(a_client_that_goes_ends_the_request),
        cmocka_unit_test(targets_that_are_none_are_refused),
    };

    return run_on_each_poller("http_proxy", tests, ARRAY_LENGTH(tests));
}
