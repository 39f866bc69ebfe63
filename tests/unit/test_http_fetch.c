#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "loop_test.h"
#include "oom.h"

#include "proto/http_fetch.h"

#include <pthread.h>

#define HEARD_SIZE 65536
#define OK_HEAD "HTTP/1.1 200 OK\r\nConnection: close\r\n"

/* A server in a thread: it answers each connection's request with the same bytes, and closes. */
typedef struct site_s {
    pthread_t thread;
    int listener;
    struct sockaddr_in addr;
    const char *response; /* NULL: closes without one */
    const char *second;   /* from the second connection on; NULL: the same */
    bool silent;          /* says nothing until the client has gone */
    int count;
    char heard[HEARD_SIZE];
    size_t heard_len;
    char url[64];
} site_t;

static size_t body_length(const char *heard)
{
    const char *at = strstr(heard, "Content-Length: ");

    return at ? (size_t)strtoul(at + 16, NULL, 10) : 0;
}

/* A whole request. */
static void hear(site_t *site, int fd)
{
    const char *end = NULL;
    ssize_t n;

    site->heard_len = 0;
    site->heard[0] = '\0';
    while (!end || site->heard_len < (size_t)(end + 4 - site->heard) + body_length(site->heard)) {
        n = recv(fd, site->heard + site->heard_len, HEARD_SIZE - 1 - site->heard_len, 0);
        if (n <= 0)
            return;
        site->heard_len += (size_t)n;
        site->heard[site->heard_len] = '\0';
        end = strstr(site->heard, "\r\n\r\n");
    }
}

static void *serve(void *arg)
{
    site_t *site = arg;
    char byte;
    int fd;

    while ((fd = accept(site->listener, NULL, NULL)) >= 0) {
        const char *response = site->count > 0 && site->second ? site->second : site->response;

        hear(site, fd);
        site->count++;
        if (site->silent)
            (void)!recv(fd, &byte, 1, 0);
        else if (response)
            send(fd, response, strlen(response), MSG_NOSIGNAL);
        close(fd);
    }
    return NULL;
}

static void site_open(site_t *site, const char *response)
{
    memset(site, 0, sizeof(*site));
    site->response = response;
    site->listener = bound_socket(SOCK_STREAM, &site->addr);
    assert_int_equal(listen(site->listener, 16), 0);
    snprintf(site->url, sizeof(site->url), "http://127.0.0.1:%d/a", ntohs(site->addr.sin_port));
    assert_int_equal(pthread_create(&site->thread, NULL, serve, site), 0);
}

static void site_close(site_t *site)
{
    shutdown(site->listener, SHUT_RDWR); /* accept returns */
    pthread_join(site->thread, NULL);
    close(site->listener);
}

static void a_response_is_there_as_a_whole(void **state)
{
    http_fetched_t got;
    site_t site;

    (void)state;
    site_open(&site, OK_HEAD "X-One: 1\r\nx-two: a b\r\nContent-Length: 5\r\n\r\nhello");
    assert_int_equal(http_fetch(site.url, NULL, &got), 0);
    assert_int_equal(got.status, 200);
    assert_string_equal(got.reason, "OK");
    assert_string_equal(got.url, site.url);
    assert_string_equal(got.body, "hello");
    assert_int_equal(got.body_len, 5);
    assert_int_equal(got.field_count, 4);
    assert_string_equal(http_fetched_field(&got, "x-one"), "1");
    assert_string_equal(http_fetched_field(&got, "X-Two"), "a b");
    assert_null(http_fetched_field(&got, "X-Three"));
    assert_string_equal(got.error, "");
    http_fetched_deinit(&got);
    http_fetched_deinit(&got);
    site_close(&site);
    assert_memory_equal(site.heard, "GET /a HTTP/1.1\r\n", 17);
}

static void an_empty_response_is_empty_text(void **state)
{
    http_fetched_t got;
    site_t site;

    (void)state;
    site_open(&site, "HTTP/1.1 404 \r\nContent-Length: 0\r\n\r\n");
    assert_int_equal(http_fetch(site.url, NULL, &got), 0);
    assert_int_equal(got.status, 404);
    assert_string_equal(got.reason, "");
    assert_string_equal(got.body, "");
    http_fetched_deinit(&got);
    site_close(&site);
}

static void a_body_fields_and_credentials_are_sent(void **state)
{
    static const http_extra_t fields[] = {{"X-Mine", "yes"}};
    http_fetch_options_t options = {.body = "a=1",
                                    .content_type = "text/plain",
                                    .fields = fields,
                                    .field_count = 1,
                                    .login = {.user = "me", .password = "pw"}};
    http_fetched_t got;
    site_t site;

    (void)state;
    site_open(&site, OK_HEAD "\r\nok");
    assert_int_equal(http_fetch(site.url, &options, &got), 0);
    assert_string_equal(got.body, "ok");
    http_fetched_deinit(&got);
    site_close(&site);
    assert_memory_equal(site.heard, "POST /a HTTP/1.1\r\n", 18);
    assert_non_null(strstr(site.heard, "\r\nX-Mine: yes\r\n"));
    assert_non_null(strstr(site.heard, "\r\nContent-Type: text/plain\r\n"));
    assert_non_null(strstr(site.heard, "\r\nAuthorization: Basic bWU6cHc=\r\n"));
    assert_non_null(strstr(site.heard, "\r\n\r\na=1"));
}

static void redirects_are_followed_unless_told_not_to(void **state)
{
    http_fetch_options_t options = {.no_follow = true};
    http_fetched_t got;
    site_t site;

    (void)state;
    site_open(&site, "HTTP/1.1 302 Found\r\nLocation: /b\r\nConnection: close\r\n\r\nnot this");
    site.second = OK_HEAD "\r\nthis";
    assert_int_equal(http_fetch(site.url, NULL, &got), 0);
    assert_int_equal(got.status, 200);
    assert_string_equal(got.body, "this");
    assert_string_equal(got.url + strlen(got.url) - 2, "/b");
    http_fetched_deinit(&got);
    site_close(&site);

    site_open(&site, "HTTP/1.1 302 Found\r\nLocation: /b\r\nConnection: close\r\n\r\nnot this");
    assert_int_equal(http_fetch(site.url, &options, &got), 0);
    assert_int_equal(got.status, 302);
    assert_string_equal(got.body, "not this");
    assert_string_equal(http_fetched_field(&got, "Location"), "/b");
    http_fetched_deinit(&got);
    site_close(&site);
}

static void assert_fails(const char *url, const http_fetch_options_t *options, int err)
{
    http_fetched_t got;

    assert_int_equal(http_fetch(url, options, &got), err);
    assert_int_not_equal(got.fault, HTTP_FAULT_NONE);
    assert_string_not_equal(got.error, "");
    assert_non_null(got.body);
    assert_non_null(got.reason);
    http_fetched_deinit(&got);
}

static void faults_have_a_number_and_a_line(void **state)
{
    http_fetch_options_t hasty = {.timeout_ms = 50}, small = {.body_max = 4};
    site_t site;
    char url[64];

    (void)state;
    assert_fails("http://[", NULL, HERR_SYNTAX);
    assert_fails("gopher://127.0.0.1/", NULL, HERR_UNSUPPORTED);
    assert_fails("http://does-not-exist.invalid:1/", NULL, HERR_RESOLVE);
    site_open(&site, OK_HEAD "Content-Length: 9\r\n\r\nhello");
    assert_fails(site.url, NULL, HERR_TRUNCATED);
    assert_fails(site.url, &small, -EFBIG);
    site_close(&site);
    snprintf(url, sizeof(url), "%s", site.url);
    assert_fails(url, NULL, -ECONNREFUSED);
    site_open(&site, NULL);
    assert_fails(site.url, NULL, HERR_TRUNCATED);
    site_close(&site);
    site_open(&site, "NO/1.1 200\r\n\r\n");
    assert_fails(site.url, NULL, HERR_PROTOCOL);
    site_close(&site);
    site_open(&site, NULL);
    site.silent = true;
    assert_fails(site.url, &hasty, -ETIMEDOUT);
    site_close(&site);
}

static void what_came_before_an_error_is_kept(void **state)
{
    http_fetched_t got;
    site_t site;

    (void)state;
    site_open(&site, OK_HEAD "X-One: 1\r\nContent-Length: 9\r\n\r\nhello");
    assert_int_equal(http_fetch(site.url, NULL, &got), HERR_TRUNCATED);
    assert_int_equal(got.status, 200);
    assert_string_equal(got.body, "hello");
    assert_string_equal(http_fetched_field(&got, "X-One"), "1");
    http_fetched_deinit(&got);
    site_close(&site);
}

static int fetch_scenario(void *arg)
{
    site_t *site = arg;
    http_fetch_options_t options = {.body = "x", .login = {.user = "a", .password = "b"}};
    http_fetched_t got;
    int err = http_fetch(site->url, &options, &got);

    if (err == 0)
        assert_string_equal(got.body, "hello");
    http_fetched_deinit(&got);
    return err;
}

static void memory_runs_out(void **state)
{
    site_t site;

    (void)state;
    site_open(&site, OK_HEAD "X-One: 1\r\nContent-Length: 5\r\n\r\nhello");
    oom_run(fetch_scenario, &site);
    site_close(&site);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_response_is_there_as_a_whole),
        cmocka_unit_test(an_empty_response_is_empty_text),
        cmocka_unit_test(a_body_fields_and_credentials_are_sent),
        cmocka_unit_test(redirects_are_followed_unless_told_not_to),
        cmocka_unit_test(faults_have_a_number_and_a_line),
        cmocka_unit_test(what_came_before_an_error_is_kept),
        cmocka_unit_test(memory_runs_out),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
