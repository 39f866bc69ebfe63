/* One thread. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "hproxy_fixture.h"

#include "codec/http_auth.h"
#include "codec/http_connect.h"
#include "net/hdigest.h"

static const hproxy_server_options_t with_login = {.user = "user", .password = "secret"};

static void socks5_users_log_in(void **state)
{
    lab_t lab;

    (void)state;
    lab_open_with(&lab, with_login);
    say_socks(&lab, BYTES("\5\2\0\2\1\4user\6secret\5\1\0\1A"));
    say_socks(&lab, BYTES("Pearly"));
    hear(&lab, 14);
    assert_memory_equal(lab.heard, "\5\2\1\0\5\0\0\1", 8);
    lab.heard_len = 0;
    tunnel_stands(&lab);
    assert_string_equal(lab.user, "user");
    lab_close(&lab);
    lab_open_with(&lab, with_login);
    say_socks(&lab, BYTES("\5\2\0\2\1\4user\6Secret"));
    hears_the_end(&lab);
    assert_memory_equal(lab.heard, "\5\2\1\1", 4);
    lab_close(&lab);
    lab_open_with(&lab, with_login);
    say_socks(&lab, BYTES("\4\1PAuser\0"));
    hears_the_end(&lab);
    assert_memory_equal(lab.heard, "\0\x5d", 2);
    lab_close(&lab);
}

static void http_users_log_in_with_basic(void **state)
{
    lab_t lab;

    (void)state;
    lab_open_with(&lab, with_login);
    say_http(&lab, "CONNECT 127.0.0.1:@ HTTP/1.0\r\n"
                   "Proxy-Authorization: Basic dXNlcjpzZWNyZXQ=\r\n\r\nearly");
    hears(&lab, BYTES(ESTABLISHED));
    tunnel_stands(&lab);
    lab_close(&lab);
    lab_open_with(&lab, with_login);
    say_http(&lab, "CONNECT 127.0.0.1:@ HTTP/1.0\r\n"
                   "Proxy-Authorization: Basic dXNlcjpzZWNyZXR=\r\n\r\n");
    hears_the_end(&lab);
    assert_memory_equal(lab.heard, "HTTP/1.1 407 ", 13);
    assert_non_null(strstr(lab.heard, "Connection: close"));
    lab_close(&lab);
}

/* A hash that takes its time. */
static husers_t *slow_users(void)
{
    static const char text[] = "user:$6$rounds=500000$salt$no\n";
    char path[] = "/tmp/hnet-login-XXXXXX";
    int fd = mkstemp(path);
    husers_t *users;

    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, sizeof(text) - 1), sizeof(text) - 1);
    close(fd);
    assert_int_equal(husers_new(&users), 0);
    assert_int_equal(husers_add_file(users, path, NULL), 0);
    unlink(path);
    return users;
}

/* Nobody waits for the hash. Other pollers do not tell. */
static void who_leaves_while_a_password_is_looked_at_has_gone(void **state)
{
    husers_t *users;
    lab_t lab;

    (void)state;
    if (strcmp(test_poller, "epoll") != 0)
        skip();
    users = slow_users();
    lab_open_with(&lab, (hproxy_server_options_t){.users = users});
    say_socks(&lab, BYTES("\5\1\2"));
    hear(&lab, 2);
    say_socks(&lab, BYTES("\1\4user\6secret"));
    settle(lab.loop);
    assert_int_equal(lab.ends, 0);
    plain_reset(lab.client);
    settle(lab.loop);
    assert_int_equal(lab.ends, 1);
    assert_int_equal(lab.stage, HPROXY_STAGE_LOGIN);
    assert_int_equal(lab.err, -ECONNRESET);
    assert_non_null(strstr(lab.text, "the client has gone without logging in"));
    lab.client = -1;
    lab_close(&lab);
    husers_free(users);
}

/* The answer to the 407 that is in lab->heard. */
static void answer_digest(lab_t *lab, char *value)
{
    http_auth_hasher_t hasher = hdigest_hasher();
    char target[HTTP_AUTHORITY_SIZE];
    http_auth_t auth = {.user = "user",
                        .password = "secret",
                        .method = HTTP_SPAN("CONNECT"),
                        .cnonce = "abc",
                        .count = 1};
    http_challenge_t challenge;
    http_answer_t answer;

    assert_int_equal(http_answer_parse(&answer, lab->heard, lab->heard_len), 0);
    assert_int_equal(answer.status, 407);
    assert_true(answer.keep_alive);
    assert_int_equal(
        http_auth_choose(answer.fields, "Proxy-Authenticate", HTTP_AUTH_ANY, &challenge), 0);
    assert_int_equal(challenge.scheme, HTTP_AUTH_DIGEST);
    http_authority("127.0.0.1", ntohs(lab->addr.sin_port), target, sizeof(target));
    auth.uri = http_span(target);
    assert_true(http_auth_answer(&challenge, &auth, &hasher, value, HTTP_AUTH_VALUE_SIZE) > 0);
}

static bool has_whole_answer(lab_t *lab)
{
    lab->heard[lab->heard_len] = '\0';
    return strstr(lab->heard, "Required\n") != NULL;
}

static void http_users_log_in_with_digest_on_the_same_connection(void **state)
{
    char value[HTTP_AUTH_VALUE_SIZE], request[TEXT_SIZE];
    lab_t lab;

    (void)state;
    lab_open_with(&lab, with_login);
    say_http(&lab, "CONNECT 127.0.0.1:@ HTTP/1.1\r\nHost: h\r\n\r\n");
    while (!has_whole_answer(&lab))
        hear(&lab, lab.heard_len + 1);
    answer_digest(&lab, value);
    lab.heard_len = 0;
    snprintf(request, sizeof(request),
             "CONNECT 127.0.0.1:@ HTTP/1.1\r\nHost: h\r\nProxy-Authorization: %s\r\n\r\nearly",
             value);
    say_http(&lab, request);
    hears(&lab, BYTES(ESTABLISHED));
    tunnel_stands(&lab);
    assert_string_equal(lab.user, "user");
    lab_close(&lab);
}

static void nobody_may_try_for_ever(void **state)
{
    int answers = 0;
    lab_t lab;

    (void)state;
    lab_open_with(&lab, with_login);
    for (int i = 0; i < HPROXY_SERVER_TRIES_MAX; i++)
        say_http(&lab, "CONNECT 127.0.0.1:@ HTTP/1.1\r\nHost: h\r\n\r\n");
    hears_the_end(&lab);
    for (const char *at = lab.heard; (at = strstr(at, "HTTP/1.1 407 ")) != NULL; at++)
        answers++;
    assert_int_equal(answers, HPROXY_SERVER_TRIES_MAX);
    assert_non_null(strstr(lab.heard, "Connection: close"));
    lab_close(&lab);
}

static void options_are_checked(void **state)
{
    hloop_t *loop = new_loop();
    hproxy_server_t *server;
    char many[300];

    (void)state;
    memset(many, 'a', sizeof(many));
    many[299] = '\0';
    assert_int_equal(hproxy_server_new(loop, &(hproxy_server_options_t){.user = "a:b"}, &server),
                     -EINVAL);
    assert_int_equal(hproxy_server_new(loop, &(hproxy_server_options_t){.user = many}, &server),
                     -EINVAL);
    assert_null(server);
    hproxy_server_free(NULL);
    hloop_free(&loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(socks5_users_log_in),
        cmocka_unit_test(who_leaves_while_a_password_is_looked_at_has_gone),
        cmocka_unit_test(http_users_log_in_with_basic),
        cmocka_unit_test(http_users_log_in_with_digest_on_the_same_connection),
        cmocka_unit_test(nobody_may_try_for_ever),
        cmocka_unit_test(options_are_checked),
    };

    return run_on_each_poller("hproxy_server_login", tests, ARRAY_LENGTH(tests));
}
