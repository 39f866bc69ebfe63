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
#include "base/hurl.h"
#include "oom.h"

/* On a copy that is no byte longer. */
static int parse(hurl_t *url, const char *text, const hurl_t *base, unsigned flags)
{
    size_t len = strlen(text);
    char *copy = malloc(len ? len : 1);
    int err;

    assert_non_null(copy);
    memcpy(copy, text, len);
    err = hurl_parse(url, copy, len, base, flags);
    free(copy);
    return err;
}

/* Rows of text and what it is written as; NULL: it is refused. */
typedef struct row_s {
    const char *text, *expected;
} row_t;

static void check_row(const row_t *row, const hurl_t *base, unsigned flags)
{
    hurl_t url;
    int err = parse(&url, row->text, base, flags);

    if (err != 0)
        assert_null(url.text);
    if ((err == 0) != (row->expected != NULL))
        print_error("%s\n", row->text);
    if (row->expected)
        assert_int_equal(err, 0);
    else
        assert_true(err == HERR_SYNTAX || err == HERR_RANGE);
    if (row->expected)
        assert_string_equal(url.text, row->expected);
    hurl_deinit(&url);
}

static void check_rows(const row_t *rows, size_t count, const char *base_text, unsigned flags)
{
    hurl_t base;

    if (base_text)
        assert_int_equal(parse(&base, base_text, NULL, 0), 0);
    for (size_t i = 0; i < count; i++)
        check_row(&rows[i], base_text ? &base : NULL, flags);
    if (base_text)
        hurl_deinit(&base);
}

#define CHECK_ROWS(rows, base, flags) check_rows(rows, sizeof(rows) / sizeof(rows[0]), base, flags)

static void part_is(hurl_part_t part, const char *expected)
{
    assert_int_equal(part.data != NULL, expected != NULL);
    if (expected) {
        assert_int_equal(part.len, strlen(expected));
        assert_memory_equal(part.data, expected, part.len);
    }
}

static void a_url_has_parts(void **state)
{
    hurl_t url;

    (void)state;
    assert_int_equal(parse(&url, "HTTPS://us:pa%20@Ex.ORG:8443/a/b?q=1#f", NULL, 0), 0);
    part_is(url.scheme, "https");
    part_is(url.user, "us");
    part_is(url.password, "pa%20");
    part_is(url.host, "ex.org");
    part_is(url.path, "/a/b");
    part_is(url.query, "q=1");
    part_is(url.fragment, "f");
    assert_true(url.port == 8443 && url.host_kind == HURL_HOST_NAME && !url.local);
    hurl_deinit(&url);
    hurl_deinit(&url);

    assert_int_equal(parse(&url, "http://[::1]", NULL, 0), 0);
    part_is(url.user, NULL);
    part_is(url.host, "::1");
    part_is(url.path, "/");
    part_is(url.query, NULL);
    assert_true(url.port == 80 && url.host_kind == HURL_HOST_IPV6);
    hurl_deinit(&url);

    assert_int_equal(parse(&url, "mailto:a@b?", NULL, 0), 0);
    part_is(url.host, NULL);
    part_is(url.path, "a@b");
    part_is(url.query, "");
    assert_true(url.port == 0 && url.host_kind == HURL_HOST_NONE && url.local);
    hurl_deinit(&url);
}

/* Sections 5.4.1 and 5.4.2 of RFC 3986; the last of them as browsers read it. */
static void references_as_in_the_rfc(void **state)
{
    static const row_t rows[] = {
        {"g:h", "g:h"},
        {"g", "http://a/b/c/g"},
        {"./g", "http://a/b/c/g"},
        {"g/", "http://a/b/c/g/"},
        {"/g", "http://a/g"},
        {"//g", "http://g/"},
        {"?y", "http://a/b/c/d;p?y"},
        {"g?y", "http://a/b/c/g?y"},
        {"#s", "http://a/b/c/d;p?q#s"},
        {"g#s", "http://a/b/c/g#s"},
        {"g?y#s", "http://a/b/c/g?y#s"},
        {";x", "http://a/b/c/;x"},
        {"g;x?y#s", "http://a/b/c/g;x?y#s"},
        {"", "http://a/b/c/d;p?q"},
        {".", "http://a/b/c/"},
        {"./", "http://a/b/c/"},
        {"..", "http://a/b/"},
        {"../", "http://a/b/"},
        {"../g", "http://a/b/g"},
        {"../..", "http://a/"},
        {"../../g", "http://a/g"},
        {"../../../g", "http://a/g"},
        {"/./g", "http://a/g"},
        {"/../g", "http://a/g"},
        {"g.", "http://a/b/c/g."},
        {"..g", "http://a/b/c/..g"},
        {"./../g", "http://a/b/g"},
        {"g/./h", "http://a/b/c/g/h"},
        {"g/../h", "http://a/b/c/h"},
        {"g;x=1/../y", "http://a/b/c/y"},
        {"g?y/../x", "http://a/b/c/g?y/../x"},
        {"g#s/../x", "http://a/b/c/g#s/../x"},
        {"http:g", "http://a/b/c/g"},
        {"https:g", "https://g/"},
        {"\\g", "http://a/g"},
        {"\\\\g\\h", "http://g/h"},
        {"///g", "http://g/"},
        {"//", NULL},
    };

    (void)state;
    CHECK_ROWS(rows, "http://a/b/c/d;p?q", 0);
}

static void hierarchies_of_any_scheme(void **state)
{
    static const row_t rows[] = {
        {"../g", "x://h/g"}, {"\\g", "x://h/a/\\g"}, {"//", "x://"},         {"//i", "x://i"},
        {"?", "x://h/a/b?"}, {"x:g", "x:g"},         {"/..//p", "x://h//p"},
    };
    static const row_t local[] = {{"#f", "mailto:a#f"}, {"g", NULL}, {"?q", NULL}, {"//h", NULL}};
    static const row_t file[] = {{"c", "file:///a/c"},
                                 {"/c", "file:///c"},
                                 {"//h/c", "file://h/c"},
                                 {"file:c", "file:///a/c"}};

    (void)state;
    CHECK_ROWS(rows, "x://h/a/b", 0);
    CHECK_ROWS(local, "mailto:a", 0);
    CHECK_ROWS(file, "file:///a/b", 0);
}

static void as_browsers_write_it(void **state)
{
    static const row_t rows[] = {
        {"  http://a/ \n", "http://a/"},
        {"ht\ntp://a/\tb", "http://a/b"},
        {"http:a", "http://a/"},
        {"http:////a\\b", "http://a/b"},
        {"http://a:80/", "http://a/"},
        {"http://a:0443/", "http://a:443/"},
        {"https://a:443", "https://a/"},
        {"http://a:/", "http://a/"},
        {"http://a:65535/", "http://a:65535/"},
        {"http://a:65536/", NULL},
        {"http://a:9999999999999999999/", NULL},
        {"http://a:x/", NULL},
        {"http://a/%2e/b/%2E./c", "http://a/c"},
        {"http://a/b/..", "http://a/"},
        {"http://a/...", "http://a/..."},
        {"http://a//b//../c", "http://a//b/c"},
        {"http://a/\xc3\xa4 \"<>`{}|", "http://a/%C3%A4%20%22%3C%3E%60%7B%7D|"},
        {"http://a/?' \xc3\xa4#`", "http://a/?%27%20%C3%A4#%60"},
        {"http://a/%zz", "http://a/%zz"},
        {"http://u@v:p@w@a/", "http://u%40v:p%40w@a/"},
        {"http://@a/", "http://a/"},
        {"http://:@a/", "http://a/"},
        {"http://:p@a/", "http://:p@a/"},
        {"http://a b/", NULL},
        {"http://a%20b/", NULL},
        {"http://a%00b/", NULL},
        {"http://a%zz/", NULL},
        {"http://%41.EX/", "http://a.ex/"},
        {"http://", NULL},
        {"http:///", NULL},
        {"http://:80/", NULL},
        {"http://u@/", NULL},
        {"http://a<b/", NULL},
        {"//a", NULL},
        {"a", NULL},
        {"", NULL},
        {"1x://a", NULL},
        {"file:///etc/../x", "file:///x"},
        {"file:/etc", "file:///etc"},
        {"file://localhost/etc", "file:///etc"},
        {"file://h:80/", NULL},
        {"a:/.//b", "a:/.//b"},
        {"a:/..//b", "a:/.//b"},
        {"data:a b/../c", "data:a b/../c"},
        {"x://A b", NULL},
        {"x://A%20\xc3\xa4", "x://A%20%C3%A4"},
    };

    (void)state;
    CHECK_ROWS(rows, NULL, 0);
}

static void addresses_in_all_their_forms(void **state)
{
    static const row_t rows[] = {
        {"http://127.1/", "http://127.0.0.1/"},
        {"http://0x7f.1/", "http://127.0.0.1/"},
        {"http://017700000001", "http://127.0.0.1/"},
        {"http://2130706433", "http://127.0.0.1/"},
        {"http://0xFFFFFFFF", "http://255.255.255.255/"},
        {"http://4294967296", NULL},
        {"http://256.1", NULL},
        {"http://1.2.3.4.5", NULL},
        {"http://1.2.3.4.", "http://1.2.3.4/"},
        {"http://1..2", NULL},
        {"http://1.2.3.08", NULL},
        {"http://a.1", NULL},
        {"http://a.0x1", NULL},
        {"http://1.a", "http://1.a/"},
        {"http://0x", "http://0.0.0.0/"},
        {"http://99999999999999999999999", NULL},
        {"http://[1:0:0:2:0:0:0:3]", "http://[1:0:0:2::3]/"},
        {"http://[0:0:0:0:0:0:0:0]", "http://[::]/"},
        {"http://[1:0:2:3:4:5:6:7]", "http://[1:0:2:3:4:5:6:7]/"},
        {"http://[2001:DB8::1]:80", "http://[2001:db8::1]/"},
        {"http://[::ffff:1.2.3.4]:8080", "http://[::ffff:102:304]:8080/"},
        {"http://[fe80::1%25eth0]", NULL},
        {"http://[::1", NULL},
        {"http://[::1]x", NULL},
        {"http://[]", NULL},
        {"http://::1", NULL},
        {"x://[::1]", "x://[::1]"},
        {"x://1", "x://1"},
    };

    (void)state;
    CHECK_ROWS(rows, NULL, 0);
}

static void names_in_other_scripts(void **state)
{
#if HNET_WITH_IDN
    static const row_t rows[] = {
        {"http://B\xc3\xbc"
         "cher.example/",
         "http://xn--bcher-kva.example/"},
        {"http://b%C3%BCcher.example/", "http://xn--bcher-kva.example/"},
        {"http://fa\xc3\x9f.de/", "http://xn--fa-hia.de/"},
        {"http://\xef\xbc\x91.2.3.4/", "http://1.2.3.4/"},
        {"http://\xff\xfe/", NULL},
        {"http://a\xe2\x80\xae/", NULL},
    };

    (void)state;
    CHECK_ROWS(rows, NULL, 0);
#else
    hurl_t url;

    (void)state;
    assert_int_equal(parse(&url,
                           "http://b\xc3\xbc"
                           "cher/",
                           NULL, 0),
                     HERR_UNSUPPORTED);
#endif
}

static void strict_takes_what_the_rfc_allows(void **state)
{
    static const row_t rows[] = {
        {"http://a/%41?b#c", "http://a/%41?b#c"},
        {"http://a/ b", NULL},
        {" http://a/", NULL},
        {"http:\\\\a", NULL},
        {"http://a/%4", NULL},
        {"http://a/%zz", NULL},
        {"http://a/\xc3\xa4", NULL},
        {"http://a/{", NULL},
    };

    (void)state;
    CHECK_ROWS(rows, NULL, HURL_STRICT);
}

static void people_leave_http_out(void **state)
{
    static const row_t rows[] = {
        {"localhost:8080/echo", "http://localhost:8080/echo"},
        {"127.0.0.1", "http://127.0.0.1/"},
        {"ex.org?a://b", "http://ex.org/?a://b"},
        {"HTTPS://a", "https://a/"},
        {"user:pw@h/", "http://user:pw@h/"},
        {"[::1]:80", "http://[::1]/"},
        {"", NULL},
        {"ftp://h", "ftp://h/"},
    };

    (void)state;
    CHECK_ROWS(rows, NULL, HURL_GUESS);
}

static void a_url_has_a_maximum(void **state)
{
    static char text[HURL_LEN_MAX + 2] = "http://a/";
    hurl_t url;

    (void)state;
    memset(text + 9, ' ', sizeof(text) - 9);
    text[9] = 'x';
    text[HURL_LEN_MAX] = 'y';
    assert_int_equal(hurl_parse(&url, text, HURL_LEN_MAX + 1, NULL, 0), HERR_RANGE);
    text[HURL_LEN_MAX - 1] = 'y';
    assert_int_equal(hurl_parse(&url, text, HURL_LEN_MAX, NULL, 0), 0);
    hurl_deinit(&url);
    memset(text + 7, 'h', 300);
    assert_int_equal(hurl_parse(&url, text, 7 + HURL_HOST_MAX + 1, NULL, 0), HERR_RANGE);
    assert_int_equal(hurl_parse(&url, text, 7 + HURL_HOST_MAX, NULL, 0), 0);
    hurl_deinit(&url);
}

static void percents_come_and_go(void **state)
{
    char buf[32];
    hbytes_t out = {0};

    (void)state;
    assert_int_equal(hurl_decode(buf, sizeof(buf), "a%2Fb+%c3%A4%00", 15, false), 7);
    assert_memory_equal(buf, "a/b+\xc3\xa4", 7);
    assert_int_equal(hurl_decode(buf, sizeof(buf), "a+b", 3, true), 3);
    assert_memory_equal(buf, "a b", 3);
    assert_int_equal(hurl_decode(buf, sizeof(buf), "%4", 2, false), HERR_SYNTAX);
    assert_int_equal(hurl_decode(buf, sizeof(buf), "%", 1, false), HERR_SYNTAX);
    assert_int_equal(hurl_decode(buf, sizeof(buf), "%4g", 3, false), HERR_SYNTAX);
    assert_int_equal(hurl_decode(buf, 2, "abc", 3, false), -ENOBUFS);
    assert_int_equal(hurl_encode(&out, "a/b ~\xc3\0", 7), 0);
    assert_string_equal(out.data, "a%2Fb%20~%C3%00");
    hbytes_deinit(&out);
}

static void a_form_is_cut(void **state)
{
    hurl_part_t rest = {"a=1&&b&=2&c=", 12}, name, value;

    (void)state;
    assert_true(hurl_query_next(&rest, &name, &value));
    part_is(name, "a");
    part_is(value, "1");
    assert_true(hurl_query_next(&rest, &name, &value));
    part_is(name, "b");
    part_is(value, NULL);
    assert_true(hurl_query_next(&rest, &name, &value));
    part_is(name, "");
    part_is(value, "2");
    assert_true(hurl_query_next(&rest, &name, &value));
    part_is(name, "c");
    part_is(value, "");
    assert_false(hurl_query_next(&rest, &name, &value));
}

static int resolve_one(void *arg)
{
    hurl_t base = {0}, url = {0};
    int err = parse(&base, "http://u:p@h:81/a/b?q", NULL, 0);

    (void)arg;
    if (err == 0)
        err = parse(&url, "../c/d?e#f", &base, 0);
    hurl_deinit(&url);
    hurl_deinit(&base);
    return err;
}

static void memory_may_run_out(void **state)
{
    (void)state;
    oom_run(resolve_one, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_url_has_parts),
        cmocka_unit_test(references_as_in_the_rfc),
        cmocka_unit_test(hierarchies_of_any_scheme),
        cmocka_unit_test(as_browsers_write_it),
        cmocka_unit_test(addresses_in_all_their_forms),
        cmocka_unit_test(names_in_other_scripts),
        cmocka_unit_test(strict_takes_what_the_rfc_allows),
        cmocka_unit_test(people_leave_http_out),
        cmocka_unit_test(a_url_has_a_maximum),
        cmocka_unit_test(percents_come_and_go),
        cmocka_unit_test(a_form_is_cut),
        cmocka_unit_test(memory_may_run_out),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
