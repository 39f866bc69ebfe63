/* One thread. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "net/hproxy.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static const char *formatted(const char *text, hproxy_type_e fallback)
{
    static char buf[HPROXY_HOST_SIZE + 32];
    char error[200];
    hproxy_t proxy;

    assert_int_equal(hproxy_parse(&proxy, text, fallback, error, sizeof(error)), 0);
    return hproxy_format(&proxy, buf, sizeof(buf));
}

static void each_type_has_its_port(void **state)
{
    (void)state;
    assert_string_equal(formatted("http://h", HPROXY_SOCKS5), "http://h:3128");
    assert_string_equal(formatted("HTTPS://h", HPROXY_SOCKS5), "https://h:443");
    assert_string_equal(formatted("socks://h", HPROXY_SOCKS5), "socks4://h:1080");
    assert_string_equal(formatted("socks4a://h:81/", HPROXY_SOCKS5), "socks4a://h:81");
    assert_string_equal(formatted("socks5h://[::1]", HPROXY_HTTP), "socks5h://[::1]:1080");
    assert_string_equal(formatted("[::1]:8080", HPROXY_HTTP), "http://[::1]:8080");
    assert_string_equal(formatted("h:99", HPROXY_SOCKS5), "socks5://h:99");
    assert_string_equal(formatted("socks5://unix:/run/p@q", HPROXY_HTTP), "socks5://unix:/run/p@q");
}

static void secrets_are_unescaped_and_never_printed(void **state)
{
    char buf[300];
    hproxy_t proxy;

    (void)state;
    assert_int_equal(hproxy_parse(&proxy, "http://a%40b:p%3Aw:x%25@h:1", HPROXY_HTTP, NULL, 0), 0);
    assert_string_equal(proxy.user, "a@b");
    assert_string_equal(proxy.password, "p:w:x%");
    assert_string_equal(hproxy_format(&proxy, buf, sizeof(buf)), "http://h:1");
    assert_int_equal(hproxy_parse(&proxy, "me@h", HPROXY_SOCKS5, NULL, 0), 0);
    assert_string_equal(proxy.user, "me");
    assert_string_equal(proxy.password, "");
    assert_int_equal(hproxy_parse(&proxy, "u:a@b@h", HPROXY_SOCKS5, NULL, 0), 0);
    assert_string_equal(proxy.password, "a@b");
}

static void bad_text_is_refused_without_showing_the_password(void **state)
{
    static const struct {
        const char *text;
        int err;
    } bad[] = {
        {"", HERR_SYNTAX},
        {"ftp://h", HERR_UNSUPPORTED},
        {"http://", HERR_SYNTAX},
        {"u:secret@", HERR_SYNTAX},
        {"u:secret@:80", HERR_SYNTAX},
        {"u:secret%zz@h", HERR_SYNTAX},
        {"u:secret%0@h", HERR_SYNTAX},
        {"u:secret%\x14\x11@h", HERR_SYNTAX}, /* digits but for one bit */
        {"u:secret%00@h", HERR_SYNTAX},
        {"u:secret@h:70000", HERR_RANGE},
        {"u:secret@h:0", HERR_RANGE},
        {"u:secret@h:nosuchport", HERR_SYNTAX},
        {"u:secret://@h:1", HERR_SYNTAX},
        {"http://[::1", HERR_SYNTAX},
        {"http://::1", HERR_SYNTAX},
        {"http://*:80", HERR_SYNTAX},
        {"http://a b", HERR_SYNTAX},
        {"http://unix:", HERR_SYNTAX},
    };
    hproxy_t proxy;
    char error[200];

    (void)state;
    for (size_t i = 0; i < COUNT(bad); i++) {
        int err = hproxy_parse(&proxy, bad[i].text, HPROXY_HTTP, error, sizeof(error));

        if (err != bad[i].err)
            fail_msg("\"%s\" gives %d", bad[i].text, err);
        assert_true(error[0] != '\0');
        assert_null(strstr(error, "secret"));
        assert_string_equal(proxy.password, "");
    }
}

static void what_is_too_long_is_refused(void **state)
{
    char text[HPROXY_SECRET_SIZE + 600], error[200];
    hproxy_t proxy;

    (void)state;
    memset(text, 'a', sizeof(text));
    memcpy(text + HPROXY_SECRET_SIZE - 1, "@h", 3);
    assert_int_equal(hproxy_parse(&proxy, text, HPROXY_HTTP, error, sizeof(error)), 0);
    assert_int_equal(strlen(proxy.user), HPROXY_SECRET_SIZE - 1);
    memset(text, 'a', sizeof(text));
    memcpy(text + HPROXY_SECRET_SIZE, "@h", 3);
    assert_int_equal(hproxy_parse(&proxy, text, HPROXY_HTTP, error, sizeof(error)), HERR_RANGE);
    memset(text, 'a', sizeof(text));
    text[sizeof(text) - 1] = '\0';
    assert_int_equal(hproxy_parse(&proxy, text, HPROXY_HTTP, error, sizeof(error)), HERR_RANGE);
}

static void exceptions_cover_names_addresses_and_blocks(void **state)
{
    static const struct {
        const char *list, *host;
        uint16_t port;
        bool covered;
    } rows[] = {
        {NULL, "h", 80, false},
        {"", "h", 80, false},
        {"*", "h", 80, true},
        {"example.com", "example.com", 80, true},
        {"example.com", "EXAMPLE.com.", 80, true},
        {"example.com", "www.example.com", 80, true},
        {".example.com", "example.com", 80, true},
        {"*.example.com", "www.example.com", 80, true},
        {"example.com", "badexample.com", 80, false},
        {"example.com", "example.com.evil", 80, false},
        {"a, b,c", "b", 80, true},
        {"a,,b c", "c", 80, true},
        {"h:8080", "h", 8080, true},
        {"h:8080", "h", 80, false},
        {"h:", "h", 80, false},
        {"10.0.0.0/8", "10.1.2.3", 80, true},
        {"10.0.0.0/8", "11.1.2.3", 80, false},
        {"10.0.0.0/9", "10.128.0.1", 80, false},
        {"0.0.0.0/0", "8.8.8.8", 80, true},
        {"10.0.0.0/33", "10.0.0.0", 80, false},
        {"127.0.0.1", "127.0.0.1", 80, true},
        {"127.0.0.1:81", "127.0.0.1", 80, false},
        {"7.0.0.1", "127.0.0.1", 80, false},
        {"::1", "0:0::1", 80, true},
        {"[::1]:80", "::1", 80, true},
        {"[::1]:81", "::1", 80, false},
        {"[fe80::]/10", "fe80::1%lo", 80, true},
        {"2001:db8::/32", "2001:db8:1::1", 80, true},
        {"2001:db8::/32", "2001:db9::", 80, false},
        {"::/0", "1.2.3.4", 80, false},
        {"[", "h", 80, false},
        {"]:", "h", 80, false},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        if (hproxy_is_excluded(rows[i].list, rows[i].host, rows[i].port) != rows[i].covered)
            fail_msg("row %zu: \"%s\" and %s", i, rows[i].list, rows[i].host);
    }
}

static int clear_variables(void **state)
{
    static const char *const names[] = {"http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY",
                                        "ALL_PROXY",  "all_proxy",  "NO_PROXY",    "no_proxy"};

    (void)state;
    for (size_t i = 0; i < COUNT(names); i++)
        unsetenv(names[i]);
    return 0;
}

static void the_environment_is_asked_in_order(void **state)
{
    hproxy_t proxy;
    char error[200];

    (void)state;
    assert_int_equal(hproxy_from_env(&proxy, "http", "h", 80, error, sizeof(error)), 0);
    setenv("HTTP_PROXY", "evil", 1);
    assert_int_equal(hproxy_from_env(&proxy, "http", "h", 80, error, sizeof(error)), 0);
    setenv("all_proxy", "socks5://small", 1);
    assert_int_equal(hproxy_from_env(&proxy, NULL, "h", 80, error, sizeof(error)), 1);
    assert_string_equal(proxy.host, "small");
    setenv("ALL_PROXY", "big", 1);
    assert_int_equal(hproxy_from_env(&proxy, "", "h", 80, error, sizeof(error)), 1);
    assert_string_equal(proxy.host, "big");
    assert_int_equal(proxy.type, HPROXY_HTTP);
    setenv("HTTPS_PROXY", "upper", 1);
    assert_int_equal(hproxy_from_env(&proxy, "https", "h", 80, error, sizeof(error)), 1);
    assert_string_equal(proxy.host, "upper");
    setenv("https_proxy", "lower", 1);
    assert_int_equal(hproxy_from_env(&proxy, "HTTPS", "h", 80, error, sizeof(error)), 1);
    assert_string_equal(proxy.host, "lower");
    setenv("no_proxy", "h", 1);
    assert_int_equal(hproxy_from_env(&proxy, "https", "h", 80, error, sizeof(error)), 0);
    setenv("NO_PROXY", "other", 1);
    assert_int_equal(hproxy_from_env(&proxy, "https", "h", 80, error, sizeof(error)), 1);
    setenv("https_proxy", "gopher://x", 1);
    assert_int_equal(hproxy_from_env(&proxy, "https", "h", 80, error, sizeof(error)),
                     HERR_UNSUPPORTED);
    assert_string_equal(error, "unknown type of proxy: \"gopher\"");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_type_has_its_port),
        cmocka_unit_test(secrets_are_unescaped_and_never_printed),
        cmocka_unit_test(bad_text_is_refused_without_showing_the_password),
        cmocka_unit_test(what_is_too_long_is_refused),
        cmocka_unit_test(exceptions_cover_names_addresses_and_blocks),
        cmocka_unit_test_setup_teardown(the_environment_is_asked_in_order, clear_variables,
                                        clear_variables),
    };

    return cmocka_run_group_tests_name("hproxy", tests, NULL, NULL);
}
