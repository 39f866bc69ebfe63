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

#include "../../cmd/hcurl/request.h"
#include "hcurl_line.h"
#include "oom.h"

#include <fcntl.h>
#include <unistd.h>

typedef struct asked_s {
    line_t line;
    request_options_t options;
} asked_t;

static void parse(asked_t *asked, const char *text)
{
    const request_options_t defaults = REQUEST_OPTIONS_DEFAULT;

    asked->options = defaults;
    line_parse(&asked->line, request_rows, &asked->options, text);
}

static void drop(asked_t *asked)
{
    request_options_deinit(&asked->options);
    line_drop(&asked->line, request_rows, &asked->options);
}

static http_transfer_options_t transfer_of(asked_t *asked, const char *text)
{
    http_transfer_options_t transfer;
    hbytes_t error = {0};

    memset(&transfer, 0, sizeof(transfer));
    parse(asked, text);
    assert_int_equal(asked->line.result, 0);
    assert_int_equal(request_apply(&asked->options, &transfer, &error), 0);
    hbytes_deinit(&error);
    return transfer;
}

static void refuses(const char *text, int result, const char *says)
{
    asked_t asked;

    parse(&asked, text);
    assert_int_equal(asked.line.result, result);
    assert_non_null(asked.line.message.data);
    assert_non_null(strstr(asked.line.message.data, says));
    drop(&asked);
}

/* ---- fields ---------------------------------------------------------------------------------- */

/* "name=value;" for each; "name-;" for one that is taken away. */
static void expect_fields(const request_fields_t *fields, const char *expected)
{
    hbytes_t all = {0};

    assert_int_equal(hbytes_append_str(&all, ""), 0);
    for (size_t i = 0; i < fields->count; i++) {
        const http_extra_t *field = &fields->items[i];

        assert_int_equal(hbytes_printf(&all, "%s%s%s;", field->name, field->value ? "=" : "-",
                                       field->value ? field->value : ""),
                         0);
    }
    assert_string_equal(all.data ? all.data : "", expected);
    hbytes_deinit(&all);
}

static void fields_are_sent_emptied_and_taken_away(void **state)
{
    asked_t asked;

    (void)state;
    parse(&asked,
          "-H|A: b|-H|C:d|-H|E:|-H|F;|-H|G:   |-H|H : i |-H|J;k|-H|L;m:n|-H|:|-H|;|-H|O: p;");
    assert_int_equal(asked.line.result, 0);
    expect_fields(&asked.options.fields, "A=b;C=d;E-;F=;G-;H=i ;L;m=n;O=p;;");
    drop(&asked);
}

static void what_is_no_field_is_warned_of(void **state)
{
    request_fields_t fields = {NULL, 0, 0};
    hbytes_t why = {0};

    (void)state;
    assert_int_equal(request_fields_add(&fields, "nothing", &why), 0);
    assert_non_null(strstr(why.data, "nothing"));
    assert_int_equal(fields.count, 0);
    hbytes_deinit(&why);
}

static void a_file_has_one_a_line(void **state)
{
    static const char text[] = "A: b\r\n# no\n\n  C: d\nnone\nE;\nF:\nG: h";
    char name[] = "@/tmp/test_hcurl_requestXXXXXX";
    request_fields_t fields = {NULL, 0, 0};
    hbytes_t why = {0};
    int fd = mkstemp(name + 1);

    (void)state;
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, sizeof(text) - 1), sizeof(text) - 1);
    close(fd);
    assert_int_equal(request_fields_add(&fields, name, &why), 0);
    expect_fields(&fields, "A=b;C=d;E=;F-;G=h;");
    request_fields_deinit(&fields);
    unlink(name + 1);
    assert_int_equal(request_fields_add(&fields, name, &why), -ENOENT);
    hbytes_deinit(&why);
}

static void fields_have_an_end(void **state)
{
    request_fields_t fields = {NULL, 0, 0};
    hbytes_t why = {0};

    (void)state;
    for (int i = 0; i < REQUEST_FIELDS_MAX; i++)
        assert_int_equal(request_fields_add(&fields, "A: b", &why), 0);
    assert_int_equal(request_fields_add(&fields, "A: b", &why), -ENOBUFS);
    request_fields_deinit(&fields);
    hbytes_deinit(&why);
}

/* ---- the rest -------------------------------------------------------------------------------- */

static void defaults_are_those_of_curl(void **state)
{
    asked_t asked;
    http_transfer_options_t t = transfer_of(&asked, "");

    (void)state;
    assert_string_equal(t.user_agent, REQUEST_USER_AGENT);
    assert_false(t.follow || t.raw || t.no_body);
    assert_null(t.method);
    assert_null(t.accept_encoding);
    assert_int_equal(t.redirects_max, HTTP_CLIENT_REDIRECTS_MAX);
    assert_int_equal(t.schemes, HTTP_SCHEME_HTTP | HTTP_SCHEME_HTTPS);
    drop(&asked);
}

static void a_request_is_what_was_said(void **state)
{
    asked_t asked;
    http_transfer_options_t t = transfer_of(
        &asked, "-X|PUT|-A|''|-e|http://a/;auto|-r|0-9|-0|--compressed|--raw|-m|2.5|"
                "--limit-rate|1k|--max-filesize|2M|--request-target|*|--max-redirs|0|-L");

    (void)state;
    assert_string_equal(t.method, "PUT");
    assert_null(t.user_agent);
    assert_string_equal(t.referer, "http://a/");
    assert_true(t.auto_referer && t.raw && t.follow && !t.follow_obey);
    assert_string_equal(t.range, "0-9");
    assert_int_equal(t.version, 10);
    assert_string_equal(t.accept_encoding, "");
    assert_int_equal(t.total_ms, 2500);
    assert_int_equal(t.receive_rate, 1024);
    assert_int_equal(t.size_max, 2 << 20);
    assert_string_equal(t.target, "*");
    assert_int_equal(t.redirects_max, HTTP_CLIENT_NO_REDIRECTS);
    drop(&asked);
}

static void redirects_are_followed_in_three_ways(void **state)
{
    asked_t asked;
    http_transfer_options_t t = transfer_of(&asked, "--follow|--post301|--post303");

    (void)state;
    assert_true(t.follow && t.follow_obey && !t.login_anywhere);
    assert_int_equal(t.keep_post, HTTP_KEEP_POST_301 | HTTP_KEEP_POST_303);
    drop(&asked);
    t = transfer_of(&asked, "--location-trusted|--max-redirs|-1");
    assert_true(t.follow && t.login_anywhere);
    assert_int_equal(t.redirects_max, -1);
    drop(&asked);
    t = transfer_of(&asked, "-L|--no-location");
    assert_false(t.follow);
    drop(&asked);
}

static void a_slow_transfer_has_two_numbers(void **state)
{
    asked_t asked;
    http_transfer_options_t t = transfer_of(&asked, "-Y|100");

    (void)state;
    assert_int_equal(t.low_speed, 100);
    assert_int_equal(t.low_speed_s, 30);
    drop(&asked);
    t = transfer_of(&asked, "-y|7");
    assert_int_equal(t.low_speed, 1);
    assert_int_equal(t.low_speed_s, 7);
    drop(&asked);
}

static void times_are_dates_or_files(void **state)
{
    asked_t asked;
    http_transfer_options_t t = transfer_of(&asked, "-z|Sun, 06 Nov 1994 08:49:37 GMT");

    (void)state;
    assert_int_equal(t.condition, HTTP_IF_MODIFIED_SINCE);
    assert_int_equal(t.condition_s, 784111777);
    drop(&asked);
    t = transfer_of(&asked, "-z|-20110623 12:34:56");
    assert_int_equal(t.condition, HTTP_IF_UNMODIFIED_SINCE);
    assert_int_equal(t.condition_s, 1308832496);
    drop(&asked);
    t = transfer_of(&asked, "-z|/");
    assert_int_equal(t.condition, HTTP_IF_MODIFIED_SINCE);
    drop(&asked);
    t = transfer_of(&asked, "-z|no such thing");
    assert_int_equal(t.condition, HTTP_CONDITION_NONE);
    drop(&asked);
    t = transfer_of(&asked, "-z|=Sun, 06 Nov 1994 08:49:37 GMT");
    assert_int_equal(t.condition, HTTP_CONDITION_NONE);
    expect_fields(&asked.options.fields, "Last-Modified=Sun, 06 Nov 1994 08:49:37 GMT;");
    drop(&asked);
}

static void ranges_and_resumes_are_checked(void **state)
{
    asked_t asked;

    (void)state;
    parse(&asked, "-r|5");
    assert_int_equal(asked.line.result, 0);
    assert_string_equal(asked.options.range, "5-");
    drop(&asked);
    parse(&asked, "-r|bytes=0-5");
    assert_int_equal(asked.line.result, 0);
    assert_string_equal(asked.options.range, "bytes=0-5");
    drop(&asked);
    parse(&asked, "-C|-");
    assert_true(asked.options.resume && asked.options.resume_from_file);
    drop(&asked);
    parse(&asked, "-C|4294967296");
    assert_true(asked.options.resume && !asked.options.resume_from_file);
    assert_true(asked.options.resume_from == 4294967296);
    drop(&asked);
    refuses("-C|x", HERR_SYNTAX, "-C");
    refuses("-C|-1", HERR_SYNTAX, "-1");
}

static void protocols_are_a_set(void **state)
{
    static const struct {
        const char *text;
        unsigned schemes;
    } rows[] = {{"=https", HTTP_SCHEME_HTTPS},       {"-http", HTTP_SCHEME_HTTPS},
                {"-all,https", HTTP_SCHEME_HTTPS},   {"=ftp,http", HTTP_SCHEME_HTTP},
                {"all,-https", HTTP_SCHEME_HTTP},    {"HTTPS", 3},
                {"=http,,=https", HTTP_SCHEME_HTTPS}};
    asked_t asked;

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char text[64];
        http_transfer_options_t t;

        snprintf(text, sizeof(text), "--proto|%s|--proto-redir|=http", rows[i].text);
        t = transfer_of(&asked, text);
        assert_int_equal(t.schemes, rows[i].schemes);
        assert_int_equal(t.redirect_schemes, HTTP_SCHEME_HTTP);
        drop(&asked);
    }
    refuses("--proto|=ftp", HERR_SYNTAX, "--proto");
    refuses("--proto|-all", HERR_SYNTAX, "http");
}

static void mistakes_name_the_option(void **state)
{
    static const char *const rows[][2] = {
        {"-m|x", "-m"},   {"--max-redirs|-2", "--max-redirs"},
        {"-Y|1.5", "-Y"}, {"--limit-rate|fast", "--limit-rate"},
        {"-y|", "-y"},    {"--max-filesize|1x", "--max-filesize"},
        {"-X|''", "-X"},  {"-r|''", "-r"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        asked_t asked;

        parse(&asked, rows[i][0]);
        assert_true(asked.line.result < 0);
        assert_non_null(strstr(asked.line.message.data, rows[i][1]));
        drop(&asked);
    }
}

/* ---- memory ---------------------------------------------------------------------------------- */

static int scenario(void *arg)
{
    asked_t asked;
    int result;

    (void)arg;
    parse(&asked, "-H|A: b|-H|C;|-e|x;auto|-r|5|-z|=Sun, 06 Nov 1994 08:49:37 GMT");
    result = asked.line.result;
    drop(&asked);
    return result;
}

static void memory_that_fails_is_told(void **state)
{
    (void)state;
    oom_run(scenario, NULL);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(fields_are_sent_emptied_and_taken_away),
        cmocka_unit_test(what_is_no_field_is_warned_of),
        cmocka_unit_test(a_file_has_one_a_line),
        cmocka_unit_test(fields_have_an_end),
        cmocka_unit_test(defaults_are_those_of_curl),
        cmocka_unit_test(a_request_is_what_was_said),
        cmocka_unit_test(redirects_are_followed_in_three_ways),
        cmocka_unit_test(a_slow_transfer_has_two_numbers),
        cmocka_unit_test(times_are_dates_or_files),
        cmocka_unit_test(ranges_and_resumes_are_checked),
        cmocka_unit_test(protocols_are_a_set),
        cmocka_unit_test(mistakes_name_the_option),
        cmocka_unit_test(memory_that_fails_is_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
