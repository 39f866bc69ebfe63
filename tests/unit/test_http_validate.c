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
#include "codec/http_validate.h"

#define MODIFIED 784111777 /* Sun, 06 Nov 1994 08:49:37 GMT */
#define NOW (MODIFIED + 1000)
#define SAME "Sun, 06 Nov 1994 08:49:37 GMT"
#define EARLIER "Sun, 06 Nov 1994 08:49:36 GMT"
#define LATER "Sun, 06 Nov 1994 08:49:38 GMT"

static const http_validators_t strong = {true, {HTTP_SPAN("a"), false}, true, MODIFIED};
static const http_validators_t weak = {true, {HTTP_SPAN("a"), true}, true, MODIFIED};
static const http_validators_t absent = {0};

/* The fields as name and value, NULL at the end. */
static http_conditions_t conditions(const char *const *fields)
{
    http_conditions_t c = {0};

    for (size_t i = 0; fields[i]; i += 2)
        assert_true(http_conditions_add(&c, http_span(fields[i]), http_span(fields[i + 1])));
    return c;
}

#define FIELDS(...) ((const char *const[]){__VA_ARGS__, NULL})

static void gives(int expected, const http_validators_t *v, bool reading, const char *const *fields)
{
    http_conditions_t c = conditions(fields);

    assert_int_equal(http_conditions_check(&c, v, reading, NOW), expected);
}

static void tags_are_read(void **state)
{
    http_etag_t etag;

    (void)state;
    assert_int_equal(http_etag_parse(HTTP_SPAN("W/\"a\\b,c\""), &etag), 0);
    assert_true(etag.weak && http_span_ieq(etag.opaque, "a\\b,c"));
    assert_int_equal(http_etag_parse(HTTP_SPAN("\"\""), &etag), 0);
    assert_true(!etag.weak && etag.opaque.len == 0 && etag.opaque.data);
    assert_int_equal(http_etag_parse(HTTP_SPAN("\"\xc3\xa4\""), &etag), 0);
}

static void other_texts_are_no_tags(void **state)
{
    static const char *const bad[] = {"",   "a",       "\"a",    "w/\"a\"", "W/a",
                                      "W/", "\"a b\"", "\"a\"b", "'a'",     "\"a\" ",
                                      "*",  "W",       "W\"a\"", "\"",      "\"\n\""};
    char longest[HTTP_ETAG_MAX + 4];
    http_etag_t etag;

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(http_etag_parse(http_span(bad[i]), &etag), HERR_SYNTAX);
    memset(longest, 'x', sizeof(longest));
    longest[0] = longest[HTTP_ETAG_MAX + 1] = '"';
    assert_int_equal(http_etag_parse((http_span_t){longest, HTTP_ETAG_MAX + 2}, &etag), 0);
    longest[HTTP_ETAG_MAX + 1] = 'x';
    longest[HTTP_ETAG_MAX + 2] = '"';
    assert_int_equal(http_etag_parse((http_span_t){longest, HTTP_ETAG_MAX + 3}, &etag),
                     HERR_SYNTAX);
}

/* The table of RFC 9110 section 8.8.3.2. */
static void tags_compare_as_the_rfc_says(void **state)
{
    const http_etag_t w1 = {HTTP_SPAN("1"), true}, w2 = {HTTP_SPAN("2"), true};
    const http_etag_t s1 = {HTTP_SPAN("1"), false}, none = {0};

    (void)state;
    assert_true(!http_etag_strong_eq(&w1, &w1) && http_etag_weak_eq(&w1, &w1));
    assert_true(!http_etag_strong_eq(&w1, &w2) && !http_etag_weak_eq(&w1, &w2));
    assert_true(!http_etag_strong_eq(&w1, &s1) && http_etag_weak_eq(&w1, &s1));
    assert_true(http_etag_strong_eq(&s1, &s1) && http_etag_weak_eq(&s1, &s1));
    assert_false(http_etag_weak_eq(&none, &none));
}

static void tags_are_written(void **state)
{
    char buf[8];
    const http_etag_t bad = {HTTP_SPAN("a\"b"), false}, wide = {HTTP_SPAN("abcdefgh"), false};

    (void)state;
    assert_int_equal(http_etag_write(&weak.etag, buf, sizeof(buf)), 5);
    assert_string_equal(buf, "W/\"a\"");
    assert_int_equal(http_etag_write(&weak.etag, buf, 5), -ENOBUFS);
    assert_int_equal(http_etag_write(&bad, buf, sizeof(buf)), -EINVAL);
    assert_int_equal(http_etag_write(&wide, buf, sizeof(buf)), -ENOBUFS);
    assert_int_equal(http_etag_write(&absent.etag, buf, sizeof(buf)), -EINVAL);
}

static void if_none_match_saves_the_body(void **state)
{
    (void)state;
    gives(304, &strong, true, FIELDS("If-None-Match", "\"a\""));
    gives(304, &weak, true, FIELDS("if-none-match", "\"b\" , W/\"a\""));
    gives(304, &strong, true, FIELDS("If-None-Match", "*"));
    gives(412, &strong, false, FIELDS("If-None-Match", "*"));
    gives(0, &absent, false, FIELDS("If-None-Match", "*"));
    gives(0, &strong, true, FIELDS("If-None-Match", "\"b\""));
    gives(0, &strong, true, FIELDS("If-None-Match", "a"));
    gives(0, &strong, true, FIELDS("If-None-Match", ""));
    gives(304, &strong, true, FIELDS("If-None-Match", "\"b\"", "If-None-Match", "\"a\""));
    /* It goes before the date. */
    gives(0, &strong, true, FIELDS("If-None-Match", "\"b\"", "If-Modified-Since", SAME));
}

static void if_match_saves_from_overwriting(void **state)
{
    (void)state;
    gives(0, &strong, false, FIELDS("If-Match", "\"a\""));
    gives(0, &strong, false, FIELDS("If-Match", "*"));
    gives(412, &absent, false, FIELDS("If-Match", "*"));
    gives(412, &weak, false, FIELDS("If-Match", "\"a\""));
    gives(412, &strong, false, FIELDS("If-Match", "W/\"a\""));
    gives(412, &strong, true, FIELDS("If-Match", "\"b\""));
    gives(412, &strong, true, FIELDS("If-Match", ""));
    gives(0, &strong, true, FIELDS("If-Match", "\"a\"", "If-Unmodified-Since", EARLIER));
    gives(304, &strong, true, FIELDS("If-Match", "\"a\"", "If-None-Match", "\"a\""));
}

static void dates_decide_without_tags(void **state)
{
    (void)state;
    gives(304, &strong, true, FIELDS("If-Modified-Since", SAME));
    gives(304, &strong, true, FIELDS("If-Modified-Since", LATER));
    gives(0, &strong, true, FIELDS("If-Modified-Since", EARLIER));
    gives(0, &strong, false, FIELDS("If-Modified-Since", SAME));
    gives(0, &absent, true, FIELDS("If-Modified-Since", SAME));
    gives(0, &strong, true, FIELDS("If-Modified-Since", "yesterday"));
    gives(0, &strong, true, FIELDS("If-Modified-Since", SAME, "If-Modified-Since", SAME));
    gives(0, &strong, false, FIELDS("If-Unmodified-Since", SAME));
    gives(412, &strong, true, FIELDS("If-Unmodified-Since", EARLIER));
    gives(0, &absent, true, FIELDS("If-Unmodified-Since", EARLIER));
    gives(0, &strong, true, FIELDS("If-Unmodified-Since", "never"));
}

static void more_lines_than_the_maximum_match_nothing(void **state)
{
    http_conditions_t c = {0};

    (void)state;
    for (size_t i = 0; i < HTTP_CONDITION_LINES_MAX; i++)
        http_conditions_add(&c, HTTP_SPAN("If-None-Match"), HTTP_SPAN("\"b\""));
    http_conditions_add(&c, HTTP_SPAN("If-None-Match"), HTTP_SPAN("\"a\""));
    assert_int_equal(http_conditions_check(&c, &strong, true, NOW), 0);
    assert_false(http_conditions_add(&c, HTTP_SPAN("Range"), HTTP_SPAN("bytes=0-")));
}

static bool ranges(const http_validators_t *v, int64_t now_s, const char *value)
{
    http_conditions_t c = conditions(FIELDS("If-Range", value));

    return http_if_range(&c, v, now_s);
}

static void if_range_takes_strong_validators_only(void **state)
{
    const http_conditions_t none = {0};

    (void)state;
    assert_true(http_if_range(&none, &strong, NOW));
    assert_true(ranges(&strong, NOW, "\"a\""));
    assert_false(ranges(&strong, NOW, "\"b\""));
    assert_false(ranges(&strong, NOW, "W/\"a\""));
    assert_false(ranges(&weak, NOW, "\"a\""));
    assert_true(ranges(&strong, NOW, SAME));
    assert_false(ranges(&strong, MODIFIED, SAME));
    assert_false(ranges(&strong, NOW, LATER));
    assert_false(ranges(&strong, NOW, "*"));
    assert_false(ranges(&absent, NOW, SAME));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tags_are_read),
        cmocka_unit_test(other_texts_are_no_tags),
        cmocka_unit_test(tags_compare_as_the_rfc_says),
        cmocka_unit_test(tags_are_written),
        cmocka_unit_test(if_none_match_saves_the_body),
        cmocka_unit_test(if_match_saves_from_overwriting),
        cmocka_unit_test(dates_decide_without_tags),
        cmocka_unit_test(more_lines_than_the_maximum_match_nothing),
        cmocka_unit_test(if_range_takes_strong_validators_only),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
