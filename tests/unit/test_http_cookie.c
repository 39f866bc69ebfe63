/* One thread. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/herr.h"
#include "codec/http_cookie.h"

#define NOW 1000000
#define DATE "Thu, 15 Jan 1970 00:00:00 GMT" /* 1209600 */

static const http_cookie_site_t www = {"www.ex.org", false, true, HTTP_SPAN("/a/b")};
static const http_cookie_site_t plain = {"www.ex.org", false, false, HTTP_SPAN("/a/b")};

static http_cookie_t parse(const char *text)
{
    http_cookie_t cookie;

    assert_int_equal(http_set_cookie_parse(http_span(text), NOW, &cookie), 0);
    return cookie;
}

static void span_is(http_span_t span, const char *text)
{
    assert_int_equal(span.len, strlen(text));
    assert_memory_equal(span.data, text, span.len);
}

static void pair_is(const char *text, const char *name, const char *value)
{
    http_cookie_t cookie = parse(text);

    span_is(cookie.name, name);
    span_is(cookie.value, value);
}

static void names_and_values(void **state)
{
    (void)state;
    pair_is("a=b", "a", "b");
    pair_is(" a = b c ; x", "a", "b c");
    pair_is("a=b=c", "a", "b=c");
    pair_is("a=", "a", "");
    pair_is("=b", "", "b");
    pair_is("b", "", "b");
    pair_is("a=\"b c\";", "a", "\"b c\"");
}

static void attributes(void **state)
{
    http_cookie_t c = parse("a=b; Domain=.Ex.ORG; PATH=/x; secure; HttpOnly; SameSite=strict; z=1");

    (void)state;
    assert_string_equal(c.domain, "ex.org");
    span_is(c.path, "/x");
    assert_true(c.secure && c.http_only && !c.persistent);
    assert_int_equal(c.same_site, HTTP_SAME_SITE_STRICT);
    assert_int_equal(parse("a=b; SameSite=None").same_site, HTTP_SAME_SITE_NONE);
    assert_int_equal(parse("a=b; SameSite=Lax").same_site, HTTP_SAME_SITE_LAX);
    assert_int_equal(parse("a=b; SameSite=x").same_site, HTTP_SAME_SITE_DEFAULT);
    assert_int_equal(parse("a=b; Path=/x; Path=y").path.len, 0);
}

static void times(void **state)
{
    (void)state;
    assert_int_equal(parse("a=b; Expires=" DATE).expires_s, 1209600);
    assert_int_equal(parse("a=b; Max-Age=60; Expires=" DATE).expires_s, NOW + 60);
    assert_int_equal(parse("a=b; Max-Age=0").expires_s, INT64_MIN);
    assert_int_equal(parse("a=b; Max-Age=-5").expires_s, INT64_MIN);
    assert_false(parse("a=b; Max-Age=6x; Expires=never; Max-Age=").persistent);
    assert_int_equal(parse("a=b; Max-Age=99999999999999999999999").expires_s,
                     NOW + HTTP_COOKIE_AGE_MAX_S);
    assert_int_equal(parse("a=b; Expires=Fri, 31 Dec 9999 23:59:59 GMT").expires_s,
                     NOW + HTTP_COOKIE_AGE_MAX_S);
}

static void what_is_no_cookie(void **state)
{
    static const char *const bad[] = {"", ";", "=", " = ; Path=/", "a=\x01", "a=b; x=\x7f", "a\nb"};
    static char longest[HTTP_COOKIE_PAIR_MAX + 2];
    http_cookie_t c;

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(http_set_cookie_parse(http_span(bad[i]), NOW, &c), HERR_SYNTAX);
    assert_int_equal(http_set_cookie_parse((http_span_t){"a=b\0", 4}, NOW, &c), HERR_SYNTAX);
    memset(longest, 'x', sizeof(longest));
    longest[1] = '=';
    assert_int_equal(
        http_set_cookie_parse((http_span_t){longest, HTTP_COOKIE_PAIR_MAX + 1}, NOW, &c), 0);
    assert_int_equal(
        http_set_cookie_parse((http_span_t){longest, HTTP_COOKIE_PAIR_MAX + 2}, NOW, &c),
        HERR_FRAME_SIZE);
}

/* Every truncation is read, too, and nothing behind it. */
static void truncated_anywhere(void **state)
{
    static const char text[] = "a=b; Max-Age=5; Expires=" DATE "; Domain=.ex.org; SameSite=None";

    (void)state;
    for (size_t len = 1; len < sizeof(text); len++) {
        char *copy = malloc(len);
        http_cookie_t c;

        assert_non_null(copy);
        memcpy(copy, text, len);
        assert_int_equal(http_set_cookie_parse((http_span_t){copy, len}, NOW, &c), 0);
        free(copy);
    }
}

static bool is_public(const char *domain, void *arg)
{
    return !strchr(domain, '.') || strcmp(domain, arg) == 0;
}

static int accept_from(const http_cookie_site_t *site, const char *text)
{
    http_cookie_t c = parse(text);

    return http_cookie_accept(&c, site, is_public, (void *)"co.uk");
}

static void who_may_set_it(void **state)
{
    const http_cookie_site_t uk = {"co.uk", false, true, HTTP_SPAN("/")};
    const http_cookie_site_t address = {"1.2.3.4", true, true, HTTP_SPAN("/")};

    (void)state;
    assert_int_equal(accept_from(&www, "a=b"), 0);
    assert_int_equal(accept_from(&www, "a=b; Domain=ex.org"), 0);
    assert_int_equal(accept_from(&www, "a=b; Domain=www.ex.org"), 0);
    assert_int_equal(accept_from(&www, "a=b; Domain=x.www.ex.org"), -EACCES);
    assert_int_equal(accept_from(&www, "a=b; Domain=w.ex.org"), -EACCES);
    assert_int_equal(accept_from(&www, "a=b; Domain=org"), -EACCES);
    assert_int_equal(accept_from(&uk, "a=b; Domain=co.uk"), 0);
    assert_int_equal(accept_from(&address, "a=b; Domain=3.4"), -EACCES);
    assert_int_equal(accept_from(&address, "a=b; Domain=1.2.3.4"), 0);
    assert_int_equal(accept_from(&plain, "a=b; Secure"), -EACCES);
}

static void prefixes_are_promises(void **state)
{
    (void)state;
    assert_int_equal(accept_from(&www, "__Secure-a=b"), -EACCES);
    assert_int_equal(accept_from(&www, "__Secure-a=b; Secure"), 0);
    assert_int_equal(accept_from(&www, "__secure-a=b"), -EACCES);
    assert_int_equal(accept_from(&www, "__Host-a=b; Secure; Path=/"), 0);
    assert_int_equal(accept_from(&www, "__Host-a=b; Secure"), -EACCES);
    assert_int_equal(accept_from(&www, "__Host-a=b; Path=/"), -EACCES);
    assert_int_equal(accept_from(&www, "__Host-a=b; Secure; Path=/; Domain=www.ex.org"), -EACCES);
    assert_int_equal(accept_from(&www, "=__Host-a=b; Secure; Path=/"), -EACCES);
    assert_int_equal(accept_from(&www, "__Secure-a; Secure"), -EACCES);
}

static bool goes_to(const char *text, http_cookie_site_t site, int64_t now_s)
{
    http_cookie_t c = parse(text);

    assert_int_equal(http_cookie_accept(&c, &www, NULL, NULL), 0);
    return http_cookie_matches(&c, &site, now_s);
}

static void who_gets_it(void **state)
{
    const http_cookie_site_t other = {"x.ex.org", false, true, HTTP_SPAN("/a")};
    const http_cookie_site_t root = {"www.ex.org", false, true, HTTP_SPAN("")};

    (void)state;
    assert_true(goes_to("a=b", www, NOW));
    assert_true(goes_to("a=b", plain, NOW));
    assert_false(goes_to("a=b", other, NOW));
    assert_true(goes_to("a=b; Domain=ex.org", other, NOW));
    assert_false(goes_to("a=b; Secure", plain, NOW));
    assert_true(goes_to("a=b; Max-Age=5", www, NOW + 4));
    assert_false(goes_to("a=b; Max-Age=5", www, NOW + 5));
    assert_false(goes_to("a=b; Max-Age=0", www, NOW));
    assert_false(goes_to("a=b", root, NOW));
    assert_true(goes_to("a=b; Path=/", root, NOW));
    assert_false(http_cookie_path_match(HTTP_SPAN("/ab"), HTTP_SPAN("/a")));
    assert_true(http_cookie_path_match(HTTP_SPAN("/a/b"), HTTP_SPAN("/a")));
    assert_true(http_cookie_path_match(HTTP_SPAN("/a/b"), HTTP_SPAN("/a/")));
    span_is(http_cookie_default_path(HTTP_SPAN("/a/b")), "/a");
    span_is(http_cookie_default_path(HTTP_SPAN("/a")), "/");
    span_is(http_cookie_default_path(HTTP_SPAN("x/y")), "/");
    span_is(http_cookie_default_path(HTTP_SPAN("")), "/");
}

static void requests_are_read_and_written(void **state)
{
    http_span_t rest = HTTP_SPAN(" a=b;; c ; =d;e=\"f\""), name, value;
    http_cookie_t cookies[4];
    char buf[64];
    size_t n = 0;

    (void)state;
    memset(cookies, 0, sizeof(cookies));
    while (http_cookie_next(&rest, &name, &value)) {
        assert_true(n < 4);
        cookies[n].name = name;
        cookies[n++].value = value;
    }
    assert_int_equal(http_cookie_write(cookies, n, buf, sizeof(buf)), 16);
    assert_string_equal(buf, "a=b; c; d; e=\"f\"");
}

static void servers_write_them(void **state)
{
    http_cookie_t c = parse("a=b; Domain=ex.org; Path=/x; Secure; HttpOnly; SameSite=Lax");
    char buf[160];

    (void)state;
    c.persistent = true;
    c.expires_s = 1209600;
    assert_true(http_set_cookie_write(&c, buf, sizeof(buf)) > 0);
    assert_string_equal(buf, "a=b; Expires=" DATE
                             "; Domain=ex.org; Path=/x; Secure; HttpOnly; SameSite=Lax");
    for (size_t size = 0; size <= strlen(buf); size++) {
        char small[160];

        assert_int_equal(http_set_cookie_write(&c, small, size), -ENOBUFS);
    }
    c.value = HTTP_SPAN("b;c");
    assert_int_equal(http_set_cookie_write(&c, buf, sizeof(buf)), -EINVAL);
    assert_int_equal(http_cookie_write(&c, 1, buf, sizeof(buf)), -EINVAL);
    c.value = HTTP_SPAN("b\r\nc");
    assert_int_equal(http_set_cookie_write(&c, buf, sizeof(buf)), -EINVAL);
    c.value = HTTP_SPAN("b");
    c.name = HTTP_SPAN("a b");
    assert_int_equal(http_set_cookie_write(&c, buf, sizeof(buf)), -EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_and_values),
        cmocka_unit_test(attributes),
        cmocka_unit_test(times),
        cmocka_unit_test(what_is_no_cookie),
        cmocka_unit_test(truncated_anywhere),
        cmocka_unit_test(who_may_set_it),
        cmocka_unit_test(prefixes_are_promises),
        cmocka_unit_test(who_gets_it),
        cmocka_unit_test(requests_are_read_and_written),
        cmocka_unit_test(servers_write_them),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
