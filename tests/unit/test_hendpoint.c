/* One thread. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "net/hendpoint.h"

typedef struct case_s {
    const char *text;
    hendpoint_scheme_e scheme;
    const char *host;
    int port;
    const char *formatted;
} case_t;

static void every_form_of_the_grammar_is_understood(void **state)
{
    static const case_t cases[] = {
        {"80", HENDPOINT_TCP, "127.0.0.1", 80, "127.0.0.1:80"},
        {"0", HENDPOINT_TCP, "127.0.0.1", 0, "127.0.0.1:0"},
        {":80", HENDPOINT_TCP, "", 80, ":80"},
        {"*:80", HENDPOINT_TCP, "", 80, ":80"},
        {"example.com:80", HENDPOINT_TCP, "example.com", 80, "example.com:80"},
        {"example.com:http", HENDPOINT_TCP, "example.com", 80, "example.com:80"},
        {"10.0.0.1:65535", HENDPOINT_TCP, "10.0.0.1", 65535, "10.0.0.1:65535"},
        {"[::1]:80", HENDPOINT_TCP, "::1", 80, "[::1]:80"},
        {"[fe80::1%eth9]:80", HENDPOINT_TCP, "fe80::1%eth9", 80, "[fe80::1%eth9]:80"},
        {"tcp://80", HENDPOINT_TCP, "127.0.0.1", 80, "127.0.0.1:80"},
        {"TCP://:80", HENDPOINT_TCP, "", 80, ":80"},
        {"udp://:7", HENDPOINT_UDP, "", 7, "udp://:7"},
        {"udp://unix:7", HENDPOINT_UDP, "unix", 7, "udp://unix:7"},
        {"udp://h:domain", HENDPOINT_UDP, "h", 53, "udp://h:53"},
        {"tls://[::1]:443", HENDPOINT_TLS, "::1", 443, "tls://[::1]:443"},
        {"tls://443", HENDPOINT_TLS, "127.0.0.1", 443, "tls://127.0.0.1:443"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char buf[HENDPOINT_FORMAT_SIZE], error[128];
        hendpoint_t ep, again;

        assert_int_equal(hendpoint_parse(&ep, cases[i].text, error, sizeof(error)), 0);
        assert_int_equal(ep.scheme, cases[i].scheme);
        assert_string_equal(ep.host, cases[i].host);
        assert_int_equal(ep.port, cases[i].port);
        assert_string_equal(error, "");
        assert_false(hendpoint_is_unix(&ep));
        assert_string_equal(hendpoint_format(&ep, buf, sizeof(buf)), cases[i].formatted);
        assert_int_equal(hendpoint_parse(&again, buf, NULL, 0), 0);
        assert_memory_equal(&again, &ep, sizeof(ep));
    }
}

static void unix_names_are_taken_as_they_are(void **state)
{
    static const char *const texts[] = {"unix:/run/a b://c", "unix:@name", "unix:./relative",
                                        "unixgram:/run/x", "unixgram:@y"};

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        char buf[HENDPOINT_FORMAT_SIZE];
        hendpoint_t ep;

        assert_int_equal(hendpoint_parse(&ep, texts[i], NULL, 0), 0);
        assert_true(hendpoint_is_unix(&ep));
        assert_string_equal(ep.path, strchr(texts[i], ':') + 1);
        assert_string_equal(hendpoint_format(&ep, buf, sizeof(buf)), texts[i]);
        assert_int_equal(hendpoint_socktype(&ep), i < 3 ? SOCK_STREAM : SOCK_DGRAM);
    }
}

static void assert_error(const char *text, int err, const char *message)
{
    static const hendpoint_t zero;
    char error[160];
    hendpoint_t ep;

    assert_int_equal(hendpoint_parse(&ep, text, error, sizeof(error)), err);
    assert_string_equal(error, message);
    assert_memory_equal(&ep, &zero, sizeof(ep));
    assert_int_equal(hendpoint_parse(&ep, text, NULL, 0), err);
}

static void an_error_says_what_is_wrong_and_quotes_it(void **state)
{
    (void)state;
    assert_error("", HERR_SYNTAX, "empty end point: \"\"");
    assert_error("tcp://", HERR_SYNTAX, "empty end point: \"\"");
    assert_error("70000", HERR_RANGE, "port out of range: \"70000\"");
    assert_error("h:70000", HERR_RANGE, "port out of range: \"70000\"");
    assert_error("h:80-90", HERR_SYNTAX, "one port is needed, not a range: \"80-90\"");
    assert_error("h:", HERR_SYNTAX, "empty port: \"\"");
    assert_error("[::1]:", HERR_SYNTAX, "empty port: \"\"");
    assert_error("h:no-such", HERR_SYNTAX, "no such port or service: \"no-such\"");
    assert_error("h", HERR_SYNTAX, "no port: \"h\"");
    assert_error("[::1]", HERR_SYNTAX, "no port: \"[::1]\"");
    assert_error("[::1:80", HERR_SYNTAX, "no closing bracket: \"[::1:80\"");
    assert_error("[::1]80", HERR_SYNTAX, "no port: \"[::1]80\"");
    assert_error("[host]:80", HERR_SYNTAX, "not an IPv6 address: \"[host]\"");
    assert_error("[]:80", HERR_SYNTAX, "not an IPv6 address: \"[]\"");
    assert_error("[fe80::1%]:80", HERR_SYNTAX, "not an IPv6 address: \"[fe80::1%]\"");
    assert_error("::1:80", HERR_SYNTAX,
                 "an IPv6 address needs brackets, [ADDRESS]:PORT: \"::1:80\"");
    assert_error("a b:80", HERR_SYNTAX, "no such host name is possible: \"a b\"");
    assert_error("h/x:80", HERR_SYNTAX, "no such host name is possible: \"h/x\"");
    assert_error("http://h:80", HERR_SYNTAX, "unknown scheme: \"http\"");
    assert_error("://h:80", HERR_SYNTAX, "unknown scheme: \"\"");
    assert_error("tcp://h:80/path", HERR_SYNTAX, "no such port or service: \"80/path\"");
    assert_error("udp://unix:/tmp/x", HERR_SYNTAX,
                 "a UNIX socket has no scheme in front of it, say: \"unixgram:/tmp/x\"");
    assert_error("TCP://unix:@x", HERR_SYNTAX,
                 "a UNIX socket has no scheme in front of it, say: \"unix:@x\"");
    assert_error("tcp://unixgram:./x", HERR_SYNTAX,
                 "a UNIX socket has no scheme in front of it, say: \"unixgram:./x\"");
    assert_error("udp://unix:x", HERR_SYNTAX, "no such port or service: \"x\"");
    assert_error("unix:", HERR_SYNTAX, "UNIX socket without a name: \"\"");
    assert_error("unix:@", HERR_SYNTAX, "UNIX socket without a name: \"@\"");
}

static void names_that_are_too_long_are_refused(void **state)
{
    char text[HENDPOINT_HOST_SIZE + 16];
    hendpoint_t ep;

    (void)state;
    memset(text, 'h', sizeof(text));
    memcpy(text + 255, ":80", 4);
    assert_int_equal(hendpoint_parse(&ep, text, NULL, 0), 0);
    text[255] = 'h';
    memcpy(text + 256, ":80", 4);
    assert_int_equal(hendpoint_parse(&ep, text, NULL, 0), -ENAMETOOLONG);
    memcpy(text, "unix:", 5);
    text[5 + 107] = '\0';
    assert_int_equal(hendpoint_parse(&ep, text, NULL, 0), 0);
    text[5 + 107] = 'h';
    text[5 + 108] = '\0';
    assert_int_equal(hendpoint_parse(&ep, text, NULL, 0), -ENAMETOOLONG);
}

static void parts_make_an_end_point(void **state)
{
    char buf[HENDPOINT_FORMAT_SIZE];
    hendpoint_t ep;

    (void)state;
    assert_int_equal(hendpoint_set(&ep, HENDPOINT_UDP, "::1", 53), 0);
    assert_string_equal(hendpoint_format(&ep, buf, sizeof(buf)), "udp://[::1]:53");
    assert_int_equal(hendpoint_set(&ep, HENDPOINT_TCP, NULL, 80), 0);
    assert_string_equal(hendpoint_format(&ep, buf, sizeof(buf)), ":80");
    assert_int_equal(hendpoint_set(&ep, HENDPOINT_UNIXGRAM, "@x", -1), 0);
    assert_string_equal(hendpoint_format(&ep, buf, sizeof(buf)), "unixgram:@x");
    assert_int_equal(hendpoint_set(&ep, HENDPOINT_TCP, "h", 65536), HERR_RANGE);
    assert_int_equal(hendpoint_set(&ep, HENDPOINT_TCP, "h", -1), HERR_RANGE);
    assert_int_equal(hendpoint_set(&ep, HENDPOINT_UNIX, "", 0), -EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_form_of_the_grammar_is_understood),
        cmocka_unit_test(unix_names_are_taken_as_they_are),
        cmocka_unit_test(an_error_says_what_is_wrong_and_quotes_it),
        cmocka_unit_test(names_that_are_too_long_are_refused),
        cmocka_unit_test(parts_make_an_end_point),
    };

    return cmocka_run_group_tests_name("hendpoint", tests, NULL, NULL);
}
