/* One thread. */
/* URLs as curl reads them: HURL_AS_GIVEN. */
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

#define LINE (HURL_AS_GIVEN | HURL_GUESS)
#define REDIRECT (HURL_AS_GIVEN | HURL_LOCATION)

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

/* Rows of text and what it is written as; NULL: it is refused, and said why. */
typedef struct row_s {
    const char *text, *expected;
} row_t;

static void check_row(const row_t *row, const hurl_t *base, unsigned flags)
{
    hurl_t url, again;
    int err = parse(&url, row->text, base, flags);

    if ((err == 0) != (row->expected != NULL))
        print_error("%s\n", row->text);
    if (row->expected) {
        assert_int_equal(err, 0);
        assert_string_equal(url.text, row->expected);
        assert_null(url.fault);
        assert_int_equal(parse(&again, url.text, NULL, flags & ~(unsigned)HURL_GUESS), 0);
        assert_string_equal(again.text, url.text);
        hurl_deinit(&again);
    } else {
        assert_true(err == HERR_SYNTAX || err == HERR_RANGE);
        assert_null(url.text);
        assert_non_null(url.fault);
    }
    hurl_deinit(&url);
}

static void check_rows(const row_t *rows, size_t count, const char *base_text, unsigned flags)
{
    hurl_t base;

    if (base_text)
        assert_int_equal(parse(&base, base_text, NULL, HURL_AS_GIVEN), 0);
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

static void what_was_given_stays(void **state)
{
    static const row_t rows[] = {
        {"http://h/a?b#c", "http://h/a?b#c"},
        {"HTTP://H/A?B#C", "http://H/A?B#C"},
        {"http://h", "http://h/"},
        {"http://h?", "http://h/?"},
        {"http://h#", "http://h/#"},
        {"http://h?a", "http://h/?a"},
        {"http://h/?'\"<>`{}|\\^\xc3\xa4%zz", "http://h/?'\"<>`{}|\\^\xc3\xa4%zz"},
        {"http://h/'\"<>`{}|\\^%zz%2", "http://h/'\"<>`{}|\\^%zz%2"},
        {"http://h/\xc3\xa4%c3%a4%7e", "http://h/\xc3\xa4%c3%a4%7e"},
        {"http://h/?%c3", "http://h/?%c3"},
        {"http://h//", "http://h//"},
        {"http://h///a", "http://h///a"},
        {"http://h/a\\..\\b", "http://h/a\\..\\b"},
        {"http://h:80/", "http://h:80/"},
        {"http://h:00080/", "http://h:80/"},
        {"http://h:/", "http://h/"},
        {"http://h:0/", "http://h:0/"},
        {"http://u:p@h", "http://u:p@h/"},
        {"http://@h/", "http://@h/"},
        {"http://u:@h/", "http://u:@h/"},
        {"http://:p@h/", "http://:p@h/"},
        {"http://u%20:%3a@h/", "http://u%20:%3a@h/"},
        {"http://u:p:q@h/", "http://u:p:q@h/"},
        {"http:/h/a", "http://h/a"},
        {"http:///h/a", "http://h/a"},
        {"tp://h/a", "tp://h/a"},
        {"a+b-.1://h", "a+b-.1://h/"},
        {"file:///etc/x", "file:///etc/x"},
        {"file:/etc/x", "file:///etc/x"},
        {"file://localhost/x", "file:///x"},
        {"http://-a_b/", "http://-a_b/"},
    };

    (void)state;
    CHECK_ROWS(rows, NULL, HURL_AS_GIVEN);
    CHECK_ROWS(rows, NULL, LINE);
}

static void what_is_no_url_is_refused(void **state)
{
    static const row_t rows[] = {
        {"", NULL},
        {" ", NULL},
        {" http://h/", NULL},
        {"http://h/ ", NULL},
        {"http://h/a b", NULL},
        {"http://h/\n", NULL},
        {"http://h/\x7f", NULL},
        {"http://", NULL},
        {"http:///", NULL},
        {"http:////h/", NULL},
        {"http://?a", NULL},
        {"http://u@/", NULL},
        {"http://u@v@h/", NULL},
        {"http://h:65536/", NULL},
        {"http://h:-1/", NULL},
        {"http://h:8x/", NULL},
        {"http://h:8\\/", NULL},
        {"http://h\\a/", NULL},
        {"http://a{b/", NULL},
        {"http://a,b/", NULL},
        {"http://a%b/", NULL},
        {"http://a%0ab/", NULL},
        {"http://a%2fb/", NULL},
        {"http://./", NULL},
        {"http://a../", NULL},
        {"http://[::1/", NULL},
        {"http://[::1]x/", NULL},
        {"http://[]/", NULL},
        {"http://[::g]/", NULL},
        {"http://[v1.a::b]/", NULL},
        {"http://[fe80::1%]/", NULL},
        {"http://[fe80::1%25]/", NULL},
        {"http://[fe80::1%25a/b]/", NULL},
        {"http://[fe80::1%250123456789abcdef]/", NULL},
        {"http://::1/", NULL},
        {"1h://h/", NULL},
        {"file://h/x", NULL},
        {"file:/", NULL},
    };

    (void)state;
    CHECK_ROWS(rows, NULL, HURL_AS_GIVEN);
    CHECK_ROWS(rows, NULL, LINE);
}

static void a_scheme_is_guessed_if_that_is_wanted(void **state)
{
    static const row_t guessed[] = {
        {"h", "http://h/"},
        {"localhost:8080/x", "http://localhost:8080/x"},
        {"u:p@h/x?y", "http://u:p@h/x?y"},
        {"[::1]:80", "http://[::1]:80/"},
        {"ftp.h/x", "ftp://ftp.h/x"},
        {"FTP.h/x", "ftp://FTP.h/x"},
        {"u:p@ftp.h", "ftp://u:p@ftp.h/"},
        {"ftp.u:p@h", "http://ftp.u:p@h/"},
        {"dict.h", "dict://dict.h/"},
        {"ldap.h", "ldap://ldap.h/"},
        {"imap.h", "imap://imap.h/"},
        {"smtp.h", "smtp://smtp.h/"},
        {"pop3.h", "pop3://pop3.h/"},
        {"ftp", "http://ftp/"},
        {"mailto:x", NULL}, /* a host and a bad port */
        {"h:", NULL},
        {"/x", NULL},
    };
    static const row_t not_guessed[] = {
        {"h", NULL},
        {"h:80/", "h:80/"},
        {"mailto:x", "mailto:x"},
        {"http:h", NULL},
    };

    (void)state;
    CHECK_ROWS(guessed, NULL, LINE);
    CHECK_ROWS(not_guessed, NULL, HURL_AS_GIVEN);
}

static void dot_segments_go_unless_the_path_stays(void **state)
{
    static const row_t gone[] = {
        {"http://h/a/../b", "http://h/b"},
        {"http://h/a/./b/.", "http://h/a/b/"},
        {"http://h/../..", "http://h/"},
        {"http://h/a/%2e%2E/b", "http://h/b"},
        {"http://h/a/..b/...", "http://h/a/..b/..."},
        {"http://h//../a", "http://h/a"},
        {"http://h/a?b/../c", "http://h/a?b/../c"},
        {"http://h/a%2f..%2fb", "http://h/a%2f..%2fb"},
    };
    static const row_t kept[] = {
        {"http://h/a/../b", "http://h/a/../b"},
        {"http://h/../..", "http://h/../.."},
        {"http://h/%2e%2e", "http://h/%2e%2e"},
        {"http://h", "http://h/"},
    };

    (void)state;
    CHECK_ROWS(gone, NULL, HURL_AS_GIVEN);
    CHECK_ROWS(kept, NULL, HURL_AS_GIVEN | HURL_PATH_AS_IS);
}

static void addresses_are_written_in_one_form(void **state)
{
    static const row_t rows[] = {
        {"0", "http://0.0.0.0/"},
        {"07.1", "http://7.0.0.1/"},
        {"0x7f.1", "http://127.0.0.1/"},
        {"0X7F.1", "http://127.0.0.1/"},
        {"127.1.", "http://127.0.0.1/"},
        {"127.0.0.%31", "http://127.0.0.1/"},
        {"4294967295", "http://255.255.255.255/"},
        {"4294967296", "http://4294967296/"},
        {"127.1.1.256", "http://127.1.1.256/"},
        {"256.1", "http://256.1/"},
        {"1.2.3.4.5", "http://1.2.3.4.5/"},
        {"0x", "http://0x/"},
        {"08", "http://08/"},
        {"127.0x.1", "http://127.0x.1/"},
        {"127.1.a", "http://127.1.a/"},
        {"127.1..", NULL},
        {"[0:0:0:0:0:0:0:1]", "http://[::1]/"},
        {"[::FFFF:127.0.0.1]", "http://[::ffff:127.0.0.1]/"},
        {"[%3A%3A1]", "http://[::1]/"},
        {"[fe80::1%25eth0]:81/x", "http://[fe80::1%25eth0]:81/x"},
        {"[fe80::1%eth0]", "http://[fe80::1%25eth0]/"},
        {"[::1%252]", "http://[::1%252]/"},
    };

    (void)state;
    CHECK_ROWS(rows, NULL, LINE);
}

static void a_redirect_is_written_properly(void **state)
{
    static const row_t rows[] = {
        {"http://g/a b?c d#e f", "http://g/a%20b?c+d#e%20f"},
        {"http://g/\xc3\xa4?\xc3\xa4%c3", "http://g/%C3%A4?%C3%A4%C3"},
        {"x y", "http://u:p@h/a/x%20y"},
        {"?x y#z z", "http://u:p@h/a/b?x+y#z+z"},
        {"/x\ty", "http://u:p@h/x%09y"},
        {"//g/x", "http://g/x"},
        {"///g/x", "http://g/x"},
        {"?x", "http://u:p@h/a/b?x"},
        {"#x", "http://u:p@h/a/b?q#x"},
        {"", "http://u:p@h/a/b?q"},
        {"../x", "http://u:p@h/x"},
        {"../../x", "http://u:p@h/x"},
        {"x?y#z", "http://u:p@h/a/x?y#z"},
        {"x:y", "x:y"},
        {"mailto:a@b", "mailto:a@b"},
        {"http:x", NULL},
        {"http:/x", "http://x/"},
        {"gopher://g/x", "gopher://g/x"},
        {"http://g:x/", NULL},
        {"http:////g/", NULL},
        {"http://g\n/", NULL},
        {"\\\\g", "http://u:p@h/a/\\\\g"},
        {"https://u:p@g", "https://u:p@g/"},
    };
    static const row_t as_is[] = {
        {"../x", "http://h/x"},
        {"http://h/x/../y", "http://h/x/../y"},
    };
    static const row_t short_base[] = {{"x", "http://h/x"}, {"?x", "http://h/?x"}};

    (void)state;
    CHECK_ROWS(rows, "http://u:p@h/a/b?q#f", REDIRECT);
    CHECK_ROWS(as_is, "http://h/a/b", REDIRECT | HURL_PATH_AS_IS);
    CHECK_ROWS(short_base, "http://h", REDIRECT);
}

static void a_url_has_parts(void **state)
{
    hurl_t url;

    (void)state;
    assert_int_equal(parse(&url, "Us:pa%20@Ex.ORG:8443/a/b?q=1#f", NULL, LINE), 0);
    part_is(url.scheme, "http");
    part_is(url.user, "Us");
    part_is(url.password, "pa%20");
    part_is(url.host, "Ex.ORG");
    part_is(url.zone, NULL);
    part_is(url.path, "/a/b");
    part_is(url.query, "q=1");
    part_is(url.fragment, "f");
    assert_true(url.port == 8443 && url.host_kind == HURL_HOST_NAME && !url.local);
    hurl_deinit(&url);

    assert_int_equal(parse(&url, "https://@[fe80::1%25eth0]?", NULL, LINE), 0);
    part_is(url.user, "");
    part_is(url.password, NULL);
    part_is(url.host, "fe80::1");
    part_is(url.zone, "eth0");
    part_is(url.path, "/");
    part_is(url.query, "");
    assert_true(url.port == 443 && url.host_kind == HURL_HOST_IPV6);
    hurl_deinit(&url);

    assert_int_equal(parse(&url, "https://[::1]:8", NULL, LINE), 0);
    part_is(url.host, "::1");
    part_is(url.zone, NULL);
    hurl_deinit(&url);
}

static void a_path_is_asked_for_in_ascii(void **state)
{
    hurl_t url, moved;

    (void)state;
    assert_int_equal(parse(&url, "h/\xc3\xa4/%c3%zz?%c3#f", NULL, LINE), 0);
    assert_string_equal(url.text, "http://h/\xc3\xa4/%c3%zz?%c3#f");
    assert_int_equal(url.len, strlen(url.text));
    part_is(url.path, "/%C3%A4/%C3%zz");
    part_is(url.query, "%c3");
    part_is(hurl_shown_path(&url), "/\xc3\xa4/%c3%zz");
    assert_int_equal(parse(&moved, "x", &url, REDIRECT), 0);
    assert_string_equal(moved.text, "http://h/%C3%A4/x");
    part_is(hurl_shown_path(&moved), "/%C3%A4/x");
    hurl_deinit(&moved);
    hurl_deinit(&url);
}

static void a_name_in_another_script_has_an_ascii_form(void **state)
{
    hurl_t url, moved;
    int err = parse(&url,
                    "b\xc3\xbc"
                    "cher.example/\xc3\xbc?x",
                    NULL, LINE);

    (void)state;
    if (err == HERR_UNSUPPORTED)
        skip();
    assert_int_equal(err, 0);
    assert_string_equal(url.text, "http://b\xc3\xbc"
                                  "cher.example/\xc3\xbc?x");
    assert_int_equal(url.len, strlen(url.text));
    part_is(url.host, "xn--bcher-kva.example");
    part_is(url.path, "/%C3%BC");
    part_is(url.query, "x");
    assert_int_equal(parse(&moved, "/y", &url, REDIRECT), 0);
    part_is(moved.host, "xn--bcher-kva.example");
    assert_string_equal(moved.text, "http://b\xc3\xbc"
                                    "cher.example/y");
    hurl_deinit(&moved);
    hurl_deinit(&url);
}

static void lengths_are_limited(void **state)
{
    char text[HURL_LEN_MAX + 2];
    hurl_t url;

    (void)state;
    memset(text, 'a', sizeof(text));
    assert_int_equal(hurl_parse(&url, text, sizeof(text), NULL, LINE), HERR_RANGE);
    assert_non_null(url.fault);
    assert_int_equal(hurl_parse(&url, text, HURL_HOST_MAX + 1, NULL, LINE), HERR_RANGE);
    assert_int_equal(hurl_parse(&url, text, 2000, NULL, LINE), HERR_RANGE);
    assert_int_equal(hurl_parse(&url, text, HURL_HOST_MAX, NULL, LINE), 0);
    hurl_deinit(&url);
}

static int parse_all(void *arg)
{
    static const char *const texts[] = {"u:p@[fe80::1%25e]:8/a/../b?c#d", "h", "file:/x"};
    hurl_t base = {0}, url = {0};
    int err = 0;

    (void)arg;
    for (size_t i = 0; err == 0 && i < sizeof(texts) / sizeof(texts[0]); i++) {
        err = hurl_parse(&base, texts[i], strlen(texts[i]), NULL, LINE);
        if (err == 0)
            err = hurl_parse(&url, "x y?z z#", 8, &base, REDIRECT);
        hurl_deinit(&url);
        hurl_deinit(&base);
    }
    return err;
}

static void memory_may_run_out(void **state)
{
    (void)state;
    oom_run(parse_all, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_given_stays),
        cmocka_unit_test(what_is_no_url_is_refused),
        cmocka_unit_test(a_scheme_is_guessed_if_that_is_wanted),
        cmocka_unit_test(dot_segments_go_unless_the_path_stays),
        cmocka_unit_test(addresses_are_written_in_one_form),
        cmocka_unit_test(a_redirect_is_written_properly),
        cmocka_unit_test(a_url_has_parts),
        cmocka_unit_test(a_path_is_asked_for_in_ascii),
        cmocka_unit_test(a_name_in_another_script_has_an_ascii_form),
        cmocka_unit_test(lengths_are_limited),
        cmocka_unit_test(memory_may_run_out),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
