/* One thread. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "http_client_fixture.h"

#include "proto/http_override.h"

#include "base/herr.h"
#include "proto/http_source.h"

/* ---- redirects ------------------------------------------------------------------------------- */

static void redirects_change_the_method_as_custom_says(void **state)
{
    static const struct {
        int status;
        unsigned keep;
        const char *method, *then;
    } cases[] = {
        {301, 0, NULL, "GET "},
        {302, 0, NULL, "GET "},
        {303, 0, NULL, "GET "},
        {307, 0, NULL, "POST "},
        {308, 0, NULL, "POST "},
        {301, HTTP_KEEP_POST_301, NULL, "POST "},
        {302, HTTP_KEEP_POST_302, NULL, "POST "},
        {303, HTTP_KEEP_POST_303, NULL, "POST "},
        {302, 0, "PATCH", "PATCH "},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        http_source_t *body = source_of("x=1");
        char heard[HEARD_SIZE], text[256];
        bool posts = cases[i].then[0] == 'P' && cases[i].then[1] == 'O';
        lab_t lab;

        lab_open(&lab, (http_client_options_t){0});
        start(&lab, "/one",
              (http_transfer_options_t){.body = body,
                                        .follow = true,
                                        .method = cases[i].method,
                                        .keep_post = cases[i].keep});
        accept_one(&lab);
        hear(&lab, "x=1", heard);
        snprintf(text, sizeof(text),
                 "HTTP/1.1 %d Moved\r\nLocation: ../two?a=b c\r\nContent-Length: 4\r\n\r\nbody",
                 cases[i].status);
        says(&lab, text);
        hear(&lab, posts ? "x=1" : "\r\n\r\n", heard);
        assert_memory_equal(heard, cases[i].then, strlen(cases[i].then));
        assert_non_null(strstr(heard, " /two?a=b+c HTTP/1.1\r\n"));
        assert_int_equal(strstr(heard, "Content-Length") != NULL, posts);
        says(&lab, OK("2\r\n\r\nok"));
        ends(&lab);
        assert_string_equal(lab.body, "ok");
        assert_int_equal(lab.info.redirects, 1);
        http_source_free(body);
        lab_close(&lab);
    }
}

static void a_redirect_that_is_not_followed_is_told(void **state)
{
    lab_t lab;

    (void)state;
    lab_open(&lab, (http_client_options_t){0});
    start(&lab, "/one", (http_transfer_options_t){0});
    accept_one(&lab);
    hears(&lab, "GET /one HTTP/1.1\r\nHost: 127.0.0.1:PORT\r\nAccept: */*\r\n\r\n");
    says(&lab, "HTTP/1.1 302 Found\r\nLocation: http://a/b\r\nContent-Length: 4\r\n\r\nbody");
    ends(&lab);
    assert_string_equal(lab.redirect_url, "http://a/b");
    assert_string_equal(lab.body, "body");
    lab_close(&lab);
}

static void redirects_have_a_limit(void **state)
{
    lab_t lab;

    (void)state;
    lab_open(&lab, (http_client_options_t){0});
    start(&lab, "/", (http_transfer_options_t){.follow = true, .redirects_max = 2});
    accept_one(&lab);
    for (int i = 0; i < 3; i++) {
        hears(&lab, "GET / HTTP/1.1\r\nHost: 127.0.0.1:PORT\r\nAccept: */*\r\n\r\n");
        says(&lab, "HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Length: 0\r\n\r\n");
    }
    ends(&lab);
    assert_int_equal(lab.fault, HTTP_FAULT_REDIRECTS);
    assert_int_equal(lab.info.redirects, 2);
    lab_close(&lab);
}

/* The host of the first URL, and that of the redirect. */
static void secrets_follow(const char *from, const char *to, bool expected)
{
    http_transfer_options_t options = {
        .follow = true, .cookies = "a=b", .login = {.user = "u", .password = "p"}};
    int port;
    http_override_t *overrides;
    char heard[HEARD_SIZE], text[256];
    lab_t lab;

    lab_open(&lab, (http_client_options_t){0});
    http_client_free(lab.client);
    port = ntohs(lab.addr.sin_port);
    assert_int_equal(http_override_new(&overrides), 0);
    snprintf(text, sizeof(text), "*:%d:127.0.0.1", port);
    assert_int_equal(http_override_resolve(overrides, text, NULL), 0);
    assert_int_equal(
        http_client_new(lab.loop, &(http_client_options_t){.overrides = overrides}, &lab.client),
        0);
    snprintf(text, sizeof(text), "http://%s:%d/", from, port);
    start(&lab, text, options);
    accept_one(&lab);
    hear(&lab, "\r\n\r\n", heard);
    snprintf(text, sizeof(text),
             "HTTP/1.1 302 Found\r\nLocation: http://%s:%d/b\r\nConnection: close\r\n\r\n", to,
             port);
    says(&lab, text);
    accept_one(&lab);
    hear(&lab, "\r\n\r\n", heard);
    assert_int_equal(strstr(heard, "Authorization") != NULL, expected);
    assert_int_equal(strstr(heard, "Cookie") != NULL, expected);
    says(&lab, OK("2\r\n\r\nok"));
    ends(&lab);
    lab_close(&lab);
    http_override_free(overrides);
}

static void a_host_is_the_same_in_any_case(void **state)
{
    (void)state;
    secrets_follow("A.test", "a.TEST", true);
    secrets_follow("a.test", "a.tes", false);
    secrets_follow("a.test", "b.a.test", false);
    secrets_follow("[fe80::1%25a]", "[fe80::1%25a]", true);
    secrets_follow("[fe80::1%25a]", "[fe80::1%25b]", false);
}

static void secrets_do_not_follow_to_another_host(void **state)
{
    static const http_extra_t fields[] = {
        {"Authorization", "secret"}, {"Cookie", "secret"}, {"X-Open", "y"}};
    static const bool anywhere[] = {false, true};

    (void)state;
    for (int i = 0; i < 2; i++) {
        char heard[HEARD_SIZE], text[256];
        lab_t lab;

        lab_open(&lab, (http_client_options_t){0});
        start(
            &lab, "/",
            (http_transfer_options_t){
                .follow = true, .fields = fields, .field_count = 3, .login_anywhere = anywhere[i]});
        accept_one(&lab);
        hear(&lab, "\r\n\r\n", heard);
        assert_non_null(strstr(heard, "secret"));
        snprintf(text, sizeof(text),
                 "HTTP/1.1 302 Found\r\nLocation: http://localhost:%d/\r\n"
                 "Content-Length: 0\r\n\r\n",
                 ntohs(lab.addr.sin_port));
        says(&lab, text);
        accept_one(&lab);
        hear(&lab, "\r\n\r\n", heard);
        assert_int_equal(strstr(heard, "secret") != NULL, anywhere[i]);
        assert_non_null(strstr(heard, "X-Open: y"));
        says(&lab, OK("0\r\n\r\n"));
        ends(&lab);
        lab_close(&lab);
    }
}

static void only_schemes_that_are_allowed_are_followed(void **state)
{
    lab_t lab;

    (void)state;
    lab_open(&lab, (http_client_options_t){0});
    start(&lab, "ftp://127.0.0.1/x", (http_transfer_options_t){0});
    ends(&lab);
    assert_int_equal(lab.fault, HTTP_FAULT_SCHEME);
    start(&lab, "/",
          (http_transfer_options_t){.follow = true, .redirect_schemes = HTTP_SCHEME_HTTPS});
    accept_one(&lab);
    hears(&lab, "GET / HTTP/1.1\r\nHost: 127.0.0.1:PORT\r\nAccept: */*\r\n\r\n");
    says(&lab, "HTTP/1.1 302 Found\r\nLocation: http://a/\r\nContent-Length: 0\r\n\r\n");
    ends(&lab);
    assert_int_equal(lab.fault, HTTP_FAULT_SCHEME);
    lab_close(&lab);
}

/* ---- credentials ----------------------------------------------------------------------------- */

static void digest_is_answered_and_the_body_is_not_sent_before(void **state)
{
    http_source_t *body = source_of("hello");
    char heard[HEARD_SIZE];
    lab_t lab;

    (void)state;
    lab_open(&lab, (http_client_options_t){0});
    start(&lab, "/x",
          (http_transfer_options_t){
              .body = body,
              .login = {.user = "joe", .password = "pw", .schemes = HTTP_LOGIN_DIGEST}});
    accept_one(&lab);
    hear(&lab, "Content-Length: 0\r\n\r\n", heard);
    assert_null(strstr(heard, "Authorization"));
    says(&lab, "HTTP/1.1 401 No\r\nWWW-Authenticate: Digest realm=\"r\", nonce=\"n\", "
               "qop=\"auth\"\r\nContent-Length: 2\r\n\r\nno");
    hear(&lab, "hello", heard);
    assert_non_null(strstr(heard, "Authorization: Digest username=\"joe\""));
    assert_non_null(strstr(heard, "uri=\"/x\""));
    says(&lab, OK("2\r\n\r\nok"));
    ends(&lab);
    assert_string_equal(lab.body, "ok");
    assert_int_equal(lab.hops[0], HTTP_HOP_CHALLENGE);
    http_source_free(body);
    lab_close(&lab);
}

static void a_wrong_password_ends_with_the_401(void **state)
{
    static const unsigned schemes[] = {HTTP_LOGIN_BASIC, HTTP_LOGIN_DIGEST, HTTP_LOGIN_ANY};
    char heard[HEARD_SIZE];
    lab_t lab;

    (void)state;
    for (int i = 0; i < 3; i++) {
        lab_open(&lab, (http_client_options_t){0});
        start(&lab, "/",
              (http_transfer_options_t){
                  .login = {.user = "joe", .password = "pw", .schemes = schemes[i]}});
        accept_one(&lab);
        for (int request = 0; request < (i == 0 ? 1 : 2); request++) {
            hear(&lab, "\r\n\r\n", heard);
            says(&lab, "HTTP/1.1 401 No\r\nWWW-Authenticate: Basic realm=\"r\"\r\n"
                       "WWW-Authenticate: Digest realm=\"r\", nonce=\"n\"\r\n"
                       "Content-Length: 2\r\n\r\nno");
        }
        assert_int_equal(strstr(heard, "Digest") != NULL, i > 0);
        ends(&lab);
        assert_int_equal(lab.fault, HTTP_FAULT_NONE);
        assert_int_equal(lab.status, 401);
        assert_string_equal(lab.body, "no");
        lab_close(&lab);
    }
}

static void credentials_of_the_url_are_decoded(void **state)
{
    char heard[HEARD_SIZE], text[128];
    lab_t lab;

    (void)state;
    lab_open(&lab, (http_client_options_t){0});
    snprintf(text, sizeof(text), "http://j%%6fe:p%%77@127.0.0.1:%d/", ntohs(lab.addr.sin_port));
    start(&lab, text, (http_transfer_options_t){0});
    accept_one(&lab);
    hear(&lab, "\r\n\r\n", heard);
    assert_non_null(strstr(heard, "Authorization: Basic am9lOnB3\r\n"));
    says(&lab, OK("0\r\n\r\n"));
    ends(&lab);
    lab_close(&lab);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(redirects_change_the_method_as_custom_says),
        cmocka_unit_test(a_redirect_that_is_not_followed_is_told),
        cmocka_unit_test(redirects_have_a_limit),
        cmocka_unit_test(secrets_do_not_follow_to_another_host),
        cmocka_unit_test(a_host_is_the_same_in_any_case),
        cmocka_unit_test(only_schemes_that_are_allowed_are_followed),
        cmocka_unit_test(digest_is_answered_and_the_body_is_not_sent_before),
        cmocka_unit_test(a_wrong_password_ends_with_the_401),
        cmocka_unit_test(credentials_of_the_url_are_decoded),
    };

    return run_on_each_poller("http_client_hops", tests, ARRAY_LENGTH(tests));
}
