/* One thread. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/herr.h"
#include "oom.h"
#include "proto/http_altsvc.h"

#define NOW 1548369261 /* 24 January 2019, 22:34:21 */
#define ANY (~0U)

static http_altsvc_t *altsvc;

static int setup(void **state)
{
    (void)state;
    return http_altsvc_new(&altsvc);
}

static int teardown(void **state)
{
    (void)state;
    http_altsvc_free(altsvc);
    return 0;
}

static int set(http_alpn_e alpn, const char *host, uint16_t port, const char *value)
{
    return http_altsvc_set(altsvc, alpn, host, port, http_span(value), NOW);
}

static void keeps(const char *expected)
{
    hbytes_t text = {0};
    const char *lines;

    assert_int_equal(http_altsvc_write(altsvc, NOW, &text), 0);
    for (lines = text.data; *lines == '#'; lines = strchr(lines, '\n') + 1)
        ;
    assert_string_equal(lines, expected);
    hbytes_deinit(&text);
}

static void alternatives_are_remembered(void **state)
{
    (void)state;
    assert_int_equal(set(HTTP_ALPN_H1, "Ex.org.", 443, "h2=\"a.ex.org:443\"; ma=120"), 1);
    assert_int_equal(set(HTTP_ALPN_H1, "2.ex.org", 1, "h3=\":8080\", h9=\":1\", h2=\"b:2\""), 2);
    assert_int_equal(set(HTTP_ALPN_H2, "::1", 443, "h2=\"[::2]:443\"; persist=1"), 1);
    keeps("h1 ex.org 443 h2 a.ex.org 443 \"20190124 22:36:21\" 0 0\n"
          "h1 2.ex.org 1 h3 2.ex.org 8080 \"20190125 22:34:21\" 0 0\n"
          "h1 2.ex.org 1 h2 b 2 \"20190125 22:34:21\" 0 0\n"
          "h2 [::1] 443 h2 [::2] 443 \"20190125 22:34:21\" 1 0\n");
}

static void they_are_replaced_and_forgotten(void **state)
{
    (void)state;
    assert_int_equal(set(HTTP_ALPN_H1, "ex.org", 443, "h2=\":1\", h3=\":2\""), 2);
    assert_int_equal(set(HTTP_ALPN_H2, "ex.org", 443, "h3=\":3\""), 1);
    assert_int_equal(set(HTTP_ALPN_H1, "ex.org", 443, "h6=\":4\", x"), 0);
    assert_int_equal(http_altsvc_count(altsvc), 3);
    assert_int_equal(set(HTTP_ALPN_H1, "ex.org", 443, "h3=\":5\""), 1);
    assert_int_equal(http_altsvc_count(altsvc), 2);
    assert_int_equal(set(HTTP_ALPN_H1, "ex.org", 444, "clear"), 0);
    assert_int_equal(http_altsvc_count(altsvc), 2);
    assert_int_equal(set(HTTP_ALPN_H1, "ex.org", 443, "clear;"), 0);
    keeps("h2 ex.org 443 h3 ex.org 3 \"20190125 22:34:21\" 0 0\n");
    assert_int_equal(set(HTTP_ALPN_NONE, "ex.org", 443, "h3=\":5\""), -EINVAL);
    assert_int_equal(set(HTTP_ALPN_H1, "", 443, "h3=\":5\""), -EINVAL);
}

static void they_are_found(void **state)
{
    const http_alternative_t *found;

    (void)state;
    assert_int_equal(set(HTTP_ALPN_H1, "ex.org", 443, "h3=\":1\"; ma=10, h2=\":2\"; ma=20"), 2);
    found = http_altsvc_find(altsvc, HTTP_ALPN_H1, "EX.org.", 443, ANY, NOW);
    assert_non_null(found);
    assert_int_equal(found->to.port, 1);
    found = http_altsvc_find(altsvc, HTTP_ALPN_H1, "ex.org", 443, 1U << HTTP_ALPN_H2, NOW);
    assert_non_null(found);
    assert_int_equal(found->to.port, 2);
    found = http_altsvc_find(altsvc, HTTP_ALPN_H1, "ex.org", 443, ANY, NOW + 10);
    assert_non_null(found);
    assert_int_equal(found->to.port, 2);
    assert_null(http_altsvc_find(altsvc, HTTP_ALPN_H1, "ex.org", 443, ANY, NOW + 20));
    assert_null(http_altsvc_find(altsvc, HTTP_ALPN_H1, "ex.org", 444, ANY, NOW));
    assert_null(http_altsvc_find(altsvc, HTTP_ALPN_H2, "ex.org", 443, ANY, NOW));
    assert_null(http_altsvc_find(altsvc, HTTP_ALPN_H1, "ex", 443, ANY, NOW));
    assert_null(http_altsvc_find(altsvc, HTTP_ALPN_H1, "", 443, ANY, NOW));
}

static void files_are_read_and_written(void **state)
{
    static const char text[] =
        "h2 example.com 443 h3 shiny.example.com 8443 \"20191231 00:00:00\" 0 0\n"
        "h2 expired.com 443 h3 shiny.example.com 8443 \"20190122 00:00:00\" 0 0\n"
        "# a comment\n"
        "  h1 example.com 443 h3 shiny.example.com 8443 \"20221231 00:00:01\" 1 0\r\n"
        "bad example.com 443 h3 shiny.example.com 8443 \"20191231 00:00:00\" 0 0\n"
        "rubbish\n"
        "h1 last.com 1 h3 last.com 2 \"20221231 00:00:01\" 0 0";

    (void)state;
    assert_int_equal(http_altsvc_read(altsvc, http_span(text), NOW), 3);
    keeps("h2 example.com 443 h3 shiny.example.com 8443 \"20191231 00:00:00\" 0 0\n"
          "h1 example.com 443 h3 shiny.example.com 8443 \"20221231 00:00:01\" 1 0\n"
          "h1 last.com 1 h3 last.com 2 \"20221231 00:00:01\" 0 0\n");
}

static void the_oldest_make_room(void **state)
{
    char host[32];

    (void)state;
    for (int i = 0; i <= HTTP_ALTSVC_MAX; i++) {
        snprintf(host, sizeof(host), "h%d.example", i);
        assert_int_equal(set(HTTP_ALPN_H1, host, 443, "h2=\":443\""), 1);
    }
    assert_int_equal(http_altsvc_count(altsvc), HTTP_ALTSVC_MAX);
    assert_null(http_altsvc_find(altsvc, HTTP_ALPN_H1, "h0.example", 443, ANY, NOW));
    assert_non_null(http_altsvc_find(altsvc, HTTP_ALPN_H1, "h1.example", 443, ANY, NOW));
}

static void a_store_is_loaded_and_saved(void **state)
{
    char dir[] = "/tmp/test_altsvc.XXXXXX", path[64];

    (void)state;
    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof(path), "%s/altsvc", dir);
    assert_int_equal(http_altsvc_load(altsvc, path, NOW), -ENOENT);
    assert_int_equal(set(HTTP_ALPN_H1, "ex.org", 443, "h2=\":443\""), 1);
    assert_int_equal(http_altsvc_save(altsvc, path, NOW), 0);
    http_altsvc_free(altsvc);
    assert_int_equal(http_altsvc_new(&altsvc), 0);
    assert_int_equal(http_altsvc_load(altsvc, path, NOW), 1);
    keeps("h1 ex.org 443 h2 ex.org 443 \"20190125 22:34:21\" 0 0\n");
    unlink(path);
    rmdir(dir);
}

static int scenario(void *arg)
{
    http_altsvc_t *filled;
    hbytes_t text = {0};
    int err = http_altsvc_new(&filled);

    (void)arg;
    if (err < 0)
        return err;
    err =
        http_altsvc_set(filled, HTTP_ALPN_H1, "ex.org", 1, HTTP_SPAN("h2=\":1\", h3=\":2\""), NOW);
    if (err > 0)
        err = (int)http_altsvc_read(filled, HTTP_SPAN("h1 a 1 h3 b 2 \"20221231 00:00:01\" 0 0\n"),
                                    NOW);
    if (err > 0)
        err = http_altsvc_write(filled, NOW, &text);
    http_altsvc_free(filled);
    hbytes_deinit(&text);
    return err;
}

static void out_of_memory(void **state)
{
    (void)state;
    oom_run(scenario, NULL);
}

#define IN_A_STORE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_A_STORE(alternatives_are_remembered),
        IN_A_STORE(they_are_replaced_and_forgotten),
        IN_A_STORE(they_are_found),
        IN_A_STORE(files_are_read_and_written),
        IN_A_STORE(the_oldest_make_room),
        IN_A_STORE(a_store_is_loaded_and_saved),
        cmocka_unit_test(out_of_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
