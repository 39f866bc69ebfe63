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
#include "oom.h"
#include "proto/http_override.h"

static http_override_t *table(void)
{
    http_override_t *o = NULL;

    assert_int_equal(http_override_new(&o), 0);
    return o;
}

/* The addresses of host:port in one text: "192.0.2.1:80 [::1]:80 "; "": none are given. */
static void expect(const http_override_t *o, const char *host, uint16_t port, const char *text)
{
    const haddr_t *addrs = NULL;
    size_t count = http_override_addrs(o, host, port, &addrs);
    char all[512] = "", one[HADDR_FORMAT_SIZE];
    size_t len = 0;

    for (size_t i = 0; i < count; i++)
        len += (size_t)snprintf(all + len, sizeof(all) - len, "%s ",
                                haddr_format(&addrs[i].u.sa, addrs[i].len, one, sizeof(one)));
    assert_string_equal(all, text);
}

static void addresses_are_given_by_host_and_port(void **state)
{
    http_override_t *o = table();

    (void)state;
    assert_int_equal(http_override_resolve(o, "Example.com:80:192.0.2.1,[2001:db8::1],::1", NULL),
                     0);
    assert_int_equal(http_override_resolve(o, "+[::1]:81:127.0.0.1", NULL), 0);
    expect(o, "example.COM", 80, "192.0.2.1:80 [2001:db8::1]:80 [::1]:80 ");
    expect(o, "example.com", 81, "");
    expect(o, "www.example.com", 80, "");
    expect(o, "::1", 81, "127.0.0.1:81 ");
    http_override_free(o);
}

static void a_star_is_all_that_have_no_entry(void **state)
{
    http_override_t *o = table();

    (void)state;
    assert_int_equal(http_override_resolve(o, "*:80:192.0.2.1", NULL), 0);
    assert_int_equal(http_override_resolve(o, "a:80:192.0.2.2", NULL), 0);
    expect(o, "a", 80, "192.0.2.2:80 ");
    expect(o, "b", 80, "192.0.2.1:80 ");
    expect(o, "b", 443, "");
    http_override_free(o);
}

static void an_entry_is_replaced_and_taken_away(void **state)
{
    http_override_t *o = table();

    (void)state;
    assert_int_equal(http_override_resolve(o, "a:80:192.0.2.1", NULL), 0);
    assert_int_equal(http_override_resolve(o, "b:80:192.0.2.9", NULL), 0);
    assert_int_equal(http_override_resolve(o, "A:80:192.0.2.2", NULL), 0);
    expect(o, "a", 80, "192.0.2.2:80 ");
    assert_int_equal(http_override_resolve(o, "-a:80", NULL), 0);
    assert_int_equal(http_override_resolve(o, "-a:80", NULL), 0);
    expect(o, "a", 80, "");
    expect(o, "b", 80, "192.0.2.9:80 ");
    http_override_free(o);
}

static void what_is_no_entry_is_refused(void **state)
{
    static const char *const resolves[] = {
        "",
        ":",
        "a",
        "a:",
        "a:80",
        "a:80:",
        ":80:::1",
        "a:x:1.2.3.4",
        "a:80:b",
        "a:80:[::1",
        "[::1:80:1.2.3.4",
        "[]:80:::",
        "-a",
        "-a:80:::1",
        "+",
        "a:80:1.2.3.4,,::1",
    };
    static const char *const connects[] = {
        "", "a", "a:1", "a:b:c:d", "a:1:b:2:3", "[a:1:b:2", "a:1:[b:2", "a:1:b:x", "[]:1:b:2"};
    static const char *const ranges[] = {"a:0:::1", "a:65536:::1"};
    http_override_t *o = table();
    hbytes_t why = {0};

    (void)state;
    for (size_t i = 0; i < sizeof(resolves) / sizeof(resolves[0]); i++) {
        hbytes_clear(&why);
        assert_int_equal(http_override_resolve(o, resolves[i], &why), HERR_SYNTAX);
        assert_true(why.len > 0);
    }
    for (size_t i = 0; i < sizeof(connects) / sizeof(connects[0]); i++)
        assert_int_equal(http_override_connect(o, connects[i], NULL), HERR_SYNTAX);
    for (size_t i = 0; i < 2; i++)
        assert_int_equal(http_override_resolve(o, ranges[i], NULL), HERR_RANGE);
    assert_int_equal(http_override_connect(o, "a:70000:b:1", &why), HERR_RANGE);
    hbytes_deinit(&why);
    http_override_free(o);
}

static void a_hostile_text_is_shown_safely(void **state)
{
    http_override_t *o = table();
    hbytes_t why = {0};

    (void)state;
    assert_int_equal(http_override_resolve(o, "a\x1b[31m:\n", &why), HERR_SYNTAX);
    assert_null(strchr(why.data, 0x1b));
    assert_null(strchr(why.data, '\n'));
    hbytes_deinit(&why);
    http_override_free(o);
}

static void expect_target(const http_override_t *o, const char *host, uint16_t port,
                          const char *to_host, uint16_t to_port)
{
    char got[HTTP_OVERRIDE_HOST_SIZE] = "";
    uint16_t got_port = 0;

    assert_int_equal(http_override_target(o, host, port, got, &got_port), to_host != NULL);
    assert_string_equal(got, to_host ? to_host : "");
    assert_int_equal(got_port, to_port);
}

static void requests_go_over_other_connections(void **state)
{
    http_override_t *o = table();

    (void)state;
    expect_target(NULL, "a", 80, NULL, 0);
    expect_target(o, "a", 80, NULL, 0);
    assert_int_equal(http_override_connect(o, "a:80:b:81", NULL), 0);
    assert_int_equal(http_override_connect(o, "a:80:c:82", NULL), 0);
    assert_int_equal(http_override_connect(o, "[::1]::[::2]:", NULL), 0);
    assert_int_equal(http_override_connect(o, "d:::", NULL), 0);
    assert_int_equal(http_override_connect(o, ":443::8443", NULL), 0);
    assert_int_equal(http_override_connect(o, "::e", NULL), 0);
    expect_target(o, "A", 80, "b", 81);
    expect_target(o, "::1", 7, "::2", 7);
    expect_target(o, "d", 443, "d", 8443);
    expect_target(o, "d", 80, "e", 80);
    http_override_free(o);
}

static void tables_have_an_end(void **state)
{
    http_override_t *o = table();
    char text[64];

    (void)state;
    for (int i = 0; i < HTTP_OVERRIDE_MAX; i++)
        assert_int_equal(http_override_connect(o, "a:1:b:2", NULL), 0);
    assert_int_equal(http_override_connect(o, "a:1:b:2", NULL), -ENOBUFS);
    snprintf(text, sizeof(text), "h:%d:::1", 80);
    assert_int_equal(http_override_resolve(o, text, NULL), 0);
    http_override_free(o);
}

static int scenario(void *arg)
{
    http_override_t *o;
    int err = http_override_new(&o);

    (void)arg;
    if (err)
        return err;
    for (int i = 1; !err && i < 8; i++) {
        char text[64];

        snprintf(text, sizeof(text), "h:%d:127.0.0.1,::1", i);
        err = http_override_resolve(o, text, NULL);
        if (!err)
            err = http_override_connect(o, "a:80:b:81", NULL);
    }
    http_override_free(o);
    return err;
}

static void memory_that_fails_is_told(void **state)
{
    (void)state;
    oom_run(scenario, NULL);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_are_given_by_host_and_port),
        cmocka_unit_test(a_star_is_all_that_have_no_entry),
        cmocka_unit_test(an_entry_is_replaced_and_taken_away),
        cmocka_unit_test(what_is_no_entry_is_refused),
        cmocka_unit_test(a_hostile_text_is_shown_safely),
        cmocka_unit_test(requests_go_over_other_connections),
        cmocka_unit_test(tables_have_an_end),
        cmocka_unit_test(memory_that_fails_is_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
