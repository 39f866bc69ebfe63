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
#include "proto/http_hsts.h"

#define NOW 1700000000 /* 14 November 2023, 22:13:20 */

static http_hsts_t *hsts;

static int setup(void **state)
{
    (void)state;
    return http_hsts_new(&hsts);
}

static int teardown(void **state)
{
    (void)state;
    http_hsts_free(hsts);
    return 0;
}

static int set(const char *host, const char *value)
{
    return http_hsts_set(hsts, host, http_span(value), NOW);
}

static bool match(const char *host)
{
    return http_hsts_match(hsts, host, NOW);
}

static void keeps(const char *expected)
{
    hbytes_t text = {0};
    const char *lines;

    assert_int_equal(http_hsts_write(hsts, NOW, &text), 0);
    for (lines = text.data; *lines == '#'; lines = strchr(lines, '\n') + 1)
        ;
    assert_string_equal(lines, expected);
    hbytes_deinit(&text);
}

static void a_host_is_remembered(void **state)
{
    (void)state;
    assert_false(match("ex.org"));
    assert_int_equal(set("Ex.org.", "max-age=10"), 0);
    assert_true(match("ex.org"));
    assert_true(match("EX.ORG."));
    assert_false(match("a.ex.org"));
    assert_false(match("org"));
    assert_false(match("xex.org"));
    assert_true(http_hsts_match(hsts, "ex.org", NOW + 9));
    assert_false(http_hsts_match(hsts, "ex.org", NOW + 10));
    assert_int_equal(http_hsts_count(hsts), 0);
}

static void so_are_those_below_it(void **state)
{
    (void)state;
    assert_int_equal(set("ex.org", "max-age=10; includeSubDomains"), 0);
    assert_int_equal(set("b.ex.org", "max-age=10"), 0);
    assert_true(match("a.ex.org"));
    assert_true(match("a.b.ex.org"));
    assert_false(match("exx.org"));
    assert_int_equal(set("ex.org", "max-age=10"), 0);
    assert_false(match("a.ex.org"));
    assert_true(match("b.ex.org"));
    assert_false(match("a.b.ex.org"));
}

static void a_host_is_forgotten(void **state)
{
    uint64_t changes;

    (void)state;
    assert_int_equal(set("ex.org", "max-age=10; includeSubDomains"), 0);
    assert_int_equal(set("a.ex.org", "max-age=10"), 0);
    changes = http_hsts_changes(hsts);
    assert_int_equal(set("a.ex.org", "max-age=0"), 0);
    assert_true(http_hsts_changes(hsts) > changes);
    assert_int_equal(http_hsts_count(hsts), 1);
    assert_true(match("a.ex.org"));
    assert_int_equal(set("b.ex.org", "max-age=0"), 0);
    assert_int_equal(http_hsts_count(hsts), 1);
}

static void others_are_ignored(void **state)
{
    (void)state;
    assert_int_equal(set("127.0.0.1", "max-age=10"), -EINVAL);
    assert_int_equal(set("::1", "max-age=10"), -EINVAL);
    assert_int_equal(set("", "max-age=10"), -EINVAL);
    assert_int_equal(set("ex.org", "includeSubDomains"), HERR_SYNTAX);
    assert_int_equal(http_hsts_count(hsts), 0);
    assert_false(match("127.0.0.1"));
    assert_false(match(""));
}

static void files_are_read_and_written(void **state)
{
    static const char text[] = "# a comment\n\n"
                               ".readfrom.example \"20241001 04:47:41\"\r\n"
                               "old.example \"20161001 04:47:41\"\n"
                               "\t.new.example \"unlimited\"\n"
                               "new.example \"20241001 04:47:41\"\n"
                               "rubbish\n"
                               "last.example \"20241001 04:47:41\"";

    (void)state;
    assert_int_equal(http_hsts_read(hsts, http_span(text), NOW), 4);
    assert_true(match("a.readfrom.example"));
    assert_false(match("old.example"));
    assert_true(match("a.new.example"));
    assert_int_equal(set("last.example", "max-age=9223372036854775807"), 0);
    assert_int_equal(set("ex.org", "max-age=400"), 0);
    keeps(".readfrom.example \"20241001 04:47:41\"\n"
          ".new.example \"unlimited\"\n"
          "last.example \"unlimited\"\n"
          "ex.org \"20231114 22:20:00\"\n");
}

static void the_oldest_make_room(void **state)
{
    char host[32];

    (void)state;
    for (int i = 0; i <= HTTP_HSTS_MAX; i++) {
        snprintf(host, sizeof(host), "h%d.example", i);
        assert_int_equal(set(host, "max-age=10"), 0);
    }
    assert_int_equal(http_hsts_count(hsts), HTTP_HSTS_MAX);
    assert_false(match("h0.example"));
    assert_true(match("h1.example"));
    assert_true(match(host));
}

static void a_store_is_loaded_and_saved(void **state)
{
    char dir[] = "/tmp/test_hsts.XXXXXX", path[64];

    (void)state;
    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof(path), "%s/hsts", dir);
    assert_int_equal(http_hsts_load(hsts, path, NOW), -ENOENT);
    assert_int_equal(set("ex.org", "max-age=400"), 0);
    assert_int_equal(http_hsts_save(hsts, path, NOW), 0);
    http_hsts_free(hsts);
    assert_int_equal(http_hsts_new(&hsts), 0);
    assert_int_equal(http_hsts_load(hsts, path, NOW), 1);
    keeps("ex.org \"20231114 22:20:00\"\n");
    unlink(path);
    rmdir(dir);
}

static int scenario(void *arg)
{
    http_hsts_t *filled;
    hbytes_t text = {0};
    int err = http_hsts_new(&filled);

    (void)arg;
    if (err < 0)
        return err;
    err = http_hsts_set(filled, "ex.org", HTTP_SPAN("max-age=1"), NOW);
    if (err == 0)
        err = (int)http_hsts_read(filled, HTTP_SPAN("a.example \"unlimited\"\n"), NOW);
    if (err > 0)
        err = http_hsts_write(filled, NOW, &text);
    http_hsts_free(filled);
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
        IN_A_STORE(a_host_is_remembered),        IN_A_STORE(so_are_those_below_it),
        IN_A_STORE(a_host_is_forgotten),         IN_A_STORE(others_are_ignored),
        IN_A_STORE(files_are_read_and_written),  IN_A_STORE(the_oldest_make_room),
        IN_A_STORE(a_store_is_loaded_and_saved), cmocka_unit_test(out_of_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
