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
#include "proto/http_forward.h"

/* A proxy for any server, a plain client, and a plain server. */
typedef struct lab_s {
    web_t web;
    http_forward_t *forward;
    struct sockaddr_in addr;
    int listener, client, server;
    char host[256]; /* as the rules see it */
    int port;
    bool refuses;
} lab_t;

static void handle(http_stream_t *stream, void *userdata)
{
    assert_true(http_forward_wants(stream));
    http_forward_handle(stream, HLIST_ENTRY(userdata, lab_t, web)->forward);
}

static bool allow(http_stream_t *stream, const char *host, uint16_t port, void *arg)
{
    lab_t *lab = arg;

    (void)stream;
    snprintf(lab->host, sizeof(lab->host), "%s", host);
    lab->port = port;
    return !lab->refuses;
}

static void lab_open(lab_t *lab)
{
    http_forward_options_t options = {.allow = allow, .arg = lab, .connect_ms = 5000};

    memset(lab, 0, sizeof(*lab));
    web_open(&lab->web, (http_server_options_t){.handler = handle});
    assert_int_equal(http_forward_new(lab->web.loop, &options, &lab->forward), 0);
    lab->listener = bound_socket(SOCK_STREAM | SOCK_NONBLOCK, &lab->addr);
    lab->client = web_client(&lab->web);
    lab->server = -1;
}

static void lab_close(lab_t *lab)
{
    http_server_free(lab->web.server);
    lab->web.server = NULL;
    http_forward_free(lab->forward);
    web_close(&lab->web);
    close(lab->client);
    close(lab->listener);
    if (lab->server >= 0)
        close(lab->server);
}

static bool has_server(lab_t *lab)
{
    if (lab->server < 0)
        lab->server = accept4(lab->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    return lab->server >= 0;
}

static bool heard(const lab_t *lab, const char *text)
{
    return memmem(lab->web.heard, lab->web.heard_len, text, strlen(text)) != NULL;
}

/* Until the server has got this, or the end if it is "". */
static void server_hears(lab_t *lab, const char *text)
{
    char buf[4096];
    size_t len = 0;
    ssize_t n = -1;

    do {
        web_turn(&lab->web, lab->client);
        n = recv(lab->server, buf + len, sizeof(buf) - 1 - len, MSG_DONTWAIT);
        len += n > 0 ? (size_t)n : 0;
        buf[len] = '\0';
    } while (text[0] ? !strstr(buf, text) : n != 0);
}

/* The client asks: a request line with the server's port behind it, and the rest. */
static void ask(lab_t *lab, const char *begin, const char *rest)
{
    char text[512];

    snprintf(text, sizeof(text), "%s%d%s", begin, ntohs(lab->addr.sin_port), rest);
    web_say_text(lab->client, text);
}

static void open_tunnel(lab_t *lab)
{
    ask(lab, "CONNECT 127.0.0.1:", " HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n");
    WEB_UNTIL(&lab->web, lab->client, heard(lab, "HTTP/1.1 200 ") && has_server(lab));
}

/* ---- tunnels --------------------------------------------------------------------------------- */

static void the_server_may_answer_behind_the_end_of_the_client(void **state)
{
    lab_t lab;

    (void)state;
    lab_open(&lab);
    open_tunnel(&lab);
    web_say_text(lab.client, "question");
    server_hears(&lab, "question");
    shutdown(lab.client, SHUT_WR);
    server_hears(&lab, "");
    web_say_text(lab.server, "answer");
    shutdown(lab.server, SHUT_WR);
    web_until_end(&lab.web, lab.client);
    assert_true(heard(&lab, "answer"));
    RUN_UNTIL(lab.web.loop, lab.web.done == 1);
    assert_int_equal(lab.web.done_error, 0);
    lab_close(&lab);
}

static void the_client_may_go_on_behind_the_end_of_the_server(void **state)
{
    lab_t lab;

    (void)state;
    lab_open(&lab);
    open_tunnel(&lab);
    shutdown(lab.server, SHUT_WR);
    web_until_end(&lab.web, lab.client);
    web_say_text(lab.client, "more");
    server_hears(&lab, "more");
    shutdown(lab.client, SHUT_WR);
    server_hears(&lab, "");
    lab_close(&lab);
}

static void a_server_that_is_gone_ends_the_tunnel(void **state)
{
    lab_t lab;

    (void)state;
    lab_open(&lab);
    open_tunnel(&lab);
    plain_reset(lab.server);
    lab.server = -1;
    web_until_end(&lab.web, lab.client);
    RUN_UNTIL(lab.web.loop, lab.web.done == 1);
    lab_close(&lab);
}

/* ---- rules ----------------------------------------------------------------------------------- */

static void rules_see_the_host_that_will_be_asked(void **state)
{
    static const struct {
        const char *request;
        const char *host; /* NULL: refused as malformed */
        int port;
    } cases[] = {
        {"CONNECT EXAMPLE.Test:81 HTTP/1.1\r\nHost: other\r\n\r\n", "example.test", 81},
        {"CONNECT [::1]:81 HTTP/1.1\r\nHost: other\r\n\r\n", "::1", 81},
        {"GET http://EXAMPLE.Test/ HTTP/1.1\r\nHost: other\r\n\r\n", "example.test", 80},
        {"GET http://[::1]:81/ HTTP/1.1\r\nHost: other\r\n\r\n", "::1", 81},
        {"GET http://127.1:81/ HTTP/1.1\r\nHost: other\r\n\r\n", "127.0.0.1", 81},
        {"GET http://2130706433/ HTTP/1.1\r\nHost: other\r\n\r\n", "127.0.0.1", 80},
        {"GET http://0x7f.1/ HTTP/1.1\r\nHost: other\r\n\r\n", "127.0.0.1", 80},
        {"GET http://%31.2.3.4/ HTTP/1.1\r\nHost: other\r\n\r\n", "1.2.3.4", 80},
        {"GET https://example.test/ HTTP/1.1\r\nHost: other\r\n\r\n", NULL, 0},
        {"GET http://me@example.test/ HTTP/1.1\r\nHost: other\r\n\r\n", NULL, 0},
        {"CONNECT unix:/tmp/x HTTP/1.1\r\nHost: other\r\n\r\n", NULL, 0},
        {"CONNECT example.test:0 HTTP/1.1\r\nHost: other\r\n\r\n", NULL, 0},
    };
    lab_t lab;

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        lab_open(&lab);
        lab.refuses = true;
        web_say_text(lab.client, cases[i].request);
        WEB_UNTIL(&lab.web, lab.client, heard(&lab, "\r\n\r\n"));
        assert_true(heard(&lab, cases[i].host ? "HTTP/1.1 403 " : "HTTP/1.1 400 "));
        assert_string_equal(lab.host, cases[i].host ? cases[i].host : "");
        assert_int_equal(lab.port, cases[i].port);
        lab_close(&lab);
    }
}

/* ---- whole URLs ------------------------------------------------------------------------------ */

static void a_url_is_asked_where_it_says(void **state)
{
    lab_t lab;

    (void)state;
    lab_open(&lab);
    ask(&lab, "GET http://127.0.0.1:",
        "/a?b HTTP/1.1\r\nHost: other\r\nProxy-Authorization: Basic x\r\n\r\n");
    WEB_UNTIL(&lab.web, lab.client, has_server(&lab));
    server_hears(&lab, "GET /a?b HTTP/1.1\r\nHost: 127.0.0.1:");
    web_say_text(lab.server, "HTTP/1.1 204 No Content\r\n\r\n");
    WEB_UNTIL(&lab.web, lab.client, heard(&lab, "HTTP/1.1 204 "));
    lab_close(&lab);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_server_may_answer_behind_the_end_of_the_client),
        cmocka_unit_test(the_client_may_go_on_behind_the_end_of_the_server),
        cmocka_unit_test(a_server_that_is_gone_ends_the_tunnel),
        cmocka_unit_test(rules_see_the_host_that_will_be_asked),
        cmocka_unit_test(a_url_is_asked_where_it_says),
    };

    return run_on_each_poller("http_forward", tests, ARRAY_LENGTH(tests));
}
