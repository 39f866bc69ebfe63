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
#include "codec/http_sts.h"

/* In memory of its own length, so that a sanitizer sees who reads behind it. */
static int parse_copy(const char *text, size_t len, http_sts_policy_t *policy)
{
    char *copy = malloc(len ? len : 1);
    int result;

    assert_non_null(copy);
    memcpy(copy, text, len);
    result = http_sts_parse((http_span_t){copy, len}, policy);
    free(copy);
    return result;
}

static void says(const char *value, int64_t max_age_s, bool subdomains)
{
    http_sts_policy_t policy;

    assert_int_equal(parse_copy(value, strlen(value), &policy), 0);
    assert_true(policy.max_age_s == max_age_s);
    assert_int_equal(policy.subdomains, subdomains);
}

static void fields_are_read(void **state)
{
    (void)state;
    says("max-age=31536000", 31536000, false);
    says("max-age=\"31536000\"", 31536000, false);
    says("MAX-AGE=1 ; IncludeSubDomains", 1, true);
    says("includesubdomains;max-age = 5;", 5, true);
    says(" ; ;max-age=0;; preload; x=y; z=\"a;b\"", 0, false);
    says("max-age=9223372036854775807", INT64_MAX, false);
    says("max-age=9223372036854775808", INT64_MAX, false);
    says("max-age=99999999999999999999999999", INT64_MAX, false);
    says("max-age=1; include; includeSubDomains=yes", 1, true);
}

static void wrong_fields_are_ignored(void **state)
{
    static const char *const values[] = {"",
                                         ";",
                                         "includeSubDomains",
                                         "max-age",
                                         "max-age=",
                                         "max-age=\"\"",
                                         "max-age=-1",
                                         "max-age=1x",
                                         "max-age=\"31536",
                                         "max-age=1 2",
                                         "max-age=1, max-age=2",
                                         "max-age=1; max-age=1",
                                         "max-age=1; includeSubDomains; includeSubDomains",
                                         "max-age=1; =",
                                         "max-age=1; a b",
                                         "max=1"};
    http_sts_policy_t policy;

    (void)state;
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++)
        assert_int_equal(parse_copy(values[i], strlen(values[i]), &policy), HERR_SYNTAX);
}

static void a_part_of_a_field_is_read_in_bounds(void **state)
{
    static const char value[] = "max-age=\"31536000\" ; includeSubDomains; x=\"\\\"\"";
    http_sts_policy_t policy;

    (void)state;
    for (size_t len = 0; len < sizeof(value); len++) {
        int result = parse_copy(value, len, &policy);

        assert_true(result == 0 || result == HERR_SYNTAX);
    }
}

static void a_line(const char *line, const char *name, bool subdomains, int64_t expires_s)
{
    http_sts_host_t host;
    char buf[HTTP_STS_LINE_SIZE];

    assert_int_equal(http_sts_line_parse(http_span(line), &host), 0);
    assert_string_equal(host.name, name);
    assert_int_equal(host.subdomains, subdomains);
    assert_true(host.expires_s == expires_s);
    assert_int_equal(http_sts_line_write(&host, buf, sizeof(buf)), strlen(line));
    assert_string_equal(buf, line);
    assert_int_equal(http_sts_line_write(&host, buf, strlen(line)), -ENOBUFS);
}

static void lines_are_read_and_written(void **state)
{
    http_sts_host_t host;
    char buf[HTTP_STS_LINE_SIZE];

    (void)state;
    a_line("ex.org \"19941106 08:49:37\"", "ex.org", false, 784111777);
    a_line(".ex.org \"19941106 08:49:37\"", "ex.org", true, 784111777);
    a_line(".new.example \"unlimited\"", "new.example", true, HTTP_STS_UNLIMITED);
    assert_int_equal(http_sts_line_parse(http_span("  A.Ex.org. \"unlimited\" "), &host), 0);
    assert_string_equal(host.name, "a.ex.org");
    host.expires_s = INT64_C(253402300800); /* the year 10000 has no date of that form */
    assert_true(http_sts_line_write(&host, buf, sizeof(buf)) > 0);
    assert_string_equal(buf, "a.ex.org \"unlimited\"");
}

static void other_lines_are_none(void **state)
{
    static const char *const lines[] = {"",
                                        "#",
                                        "# ex.org \"unlimited\"",
                                        "ex.org",
                                        "ex.org unlimited",
                                        "ex.org \"unlimited",
                                        "ex.org \"Unlimited\"",
                                        "ex.org  \"unlimited\"",
                                        "ex.org \"unlimited\" x",
                                        "ex.org \"\"",
                                        "ex.org \"19941306 08:49:37\"",
                                        "ex.org \"1994-11-06 08:49:37\"",
                                        ". \"unlimited\"",
                                        "..org \"unlimited\"",
                                        "e/x \"unlimited\"",
                                        "\"unlimited\""};
    http_sts_host_t host;

    (void)state;
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
        assert_int_equal(http_sts_line_parse(http_span(lines[i]), &host), HERR_SYNTAX);
}

static void names_have_an_end(void **state)
{
    char name[HTTP_STS_HOST_SIZE + 1], host[HTTP_STS_HOST_SIZE];

    (void)state;
    memset(name, 'a', sizeof(name));
    assert_int_equal(http_sts_name((http_span_t){name, HTTP_STS_HOST_SIZE - 1}, host), 0);
    assert_int_equal(strlen(host), HTTP_STS_HOST_SIZE - 1);
    assert_int_equal(http_sts_name((http_span_t){name, HTTP_STS_HOST_SIZE}, host), -EINVAL);
    assert_int_equal(http_sts_name(HTTP_SPAN(""), host), -EINVAL);
    assert_int_equal(http_sts_name(HTTP_SPAN("."), host), -EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fields_are_read),
        cmocka_unit_test(wrong_fields_are_ignored),
        cmocka_unit_test(a_part_of_a_field_is_read_in_bounds),
        cmocka_unit_test(lines_are_read_and_written),
        cmocka_unit_test(other_lines_are_none),
        cmocka_unit_test(names_have_an_end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
