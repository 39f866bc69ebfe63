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
#include "codec/http_range.h"

static int parse(const char *text, http_range_spec_t *specs)
{
    size_t len = strlen(text);
    char *copy = malloc(len ? len : 1);
    int n;

    assert_non_null(copy);
    memcpy(copy, text, len);
    n = http_range_parse((http_span_t){copy, len}, specs);
    free(copy);
    return n;
}

/* What is asked for of a thing of size bytes, as "0-4 8-9"; "all" or "none". */
static void gives(const char *text, int64_t size, const char *expected)
{
    http_range_t ranges[HTTP_RANGES_MAX];
    int n = parse(text, ranges);
    char got[1024] = "";
    size_t len = 0;

    assert_true(n > 0);
    n = http_range_resolve(ranges, (size_t)n, size, ranges);
    for (int i = 0; i < n; i++)
        len += (size_t)snprintf(got + len, sizeof(got) - len, "%s%lld-%lld", i ? " " : "",
                                (long long)ranges[i].first, (long long)ranges[i].last);
    assert_string_equal(n == HERR_RANGE ? "none" : n == 0 ? "all" : got, expected);
}

static void ranges_are_cut_to_the_size(void **state)
{
    (void)state;
    gives("bytes=0-499", 10000, "0-499");
    gives("bytes=9500-", 10000, "9500-9999");
    gives("bytes=-500", 10000, "9500-9999");
    gives("Bytes=9500-20000", 10000, "9500-9999");
    gives("bytes=0-0", 10000, "0-0");
    gives("bytes=0-0,-1", 10000, "0-0 9999-9999");
    gives("bytes= 0-0 , ,\t500-600", 10000, "0-0 500-600");
    gives("bytes=-20000", 10000, "all");
    gives("bytes=0-", 10000, "all");
    gives("bytes=1-99999999999999999999999999", 10000, "1-9999");
    gives("bytes=500-600,601-999", 10000, "500-999");
}

static void what_lies_behind_the_end_is_not_satisfied(void **state)
{
    (void)state;
    gives("bytes=10000-", 10000, "none");
    gives("bytes=-0", 10000, "none");
    gives("bytes=99999999999999999999999999-", INT64_C(1000000000000000000), "none");
    gives("bytes=10000-,5-6", 10000, "5-6");
    gives("bytes=0-", 0, "none");
    gives("bytes=-5", 0, "all");
}

static void near_ranges_are_one_and_the_order_stays(void **state)
{
    (void)state;
    gives("bytes=5000-5001,0-10", 10000, "5000-5001 0-10");
    gives("bytes=5000-5001,0-10,5010-5011", 10000, "5000-5011 0-10");
    gives("bytes=0-100,50-200,9000-,150-300", 10000, "0-300 9000-9999");
    gives("bytes=0-10,91-95", 10000, "0-10 91-95");
    gives("bytes=0-10,90-95", 10000, "0-95");
    gives("bytes=1000-1001,3000-3001,5000-5001,900-4990", 10000, "900-5001");
    gives("bytes=0-4999,5000-", 10000, "all");
    gives("bytes=1000-1010,2000-2010,3000-3010,2005-3005", 10000, "1000-1010 2000-3010");
}

static void other_texts_are_no_ranges(void **state)
{
    static const char *const bad[] = {
        "",           "bytes",   "bytes=",      "bytes=-",    "bytes=a-b",  "bytes=5-4",
        "bytes =0-1", "bytes=1", "bytes=0-1,x", "bytes=0 -1", "bytes=0-1;", "bytes=--1",
        "bytes=+1-2", "=0-1",    "bytes=0x1-2", "bytes=,"};
    http_range_spec_t specs[HTTP_RANGES_MAX];
    char many[8 * (HTTP_RANGES_MAX + 2)] = "bytes=0-0";

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(parse(bad[i], specs), HERR_SYNTAX);
    assert_int_equal(parse("lines=0-1", specs), HERR_UNSUPPORTED);
    for (int i = 1; i < HTTP_RANGES_MAX; i++)
        memcpy(many + strlen(many), ",0-0", 5);
    assert_int_equal(parse(many, specs), HTTP_RANGES_MAX);
    memcpy(many + strlen(many), ",0-0", 5);
    assert_int_equal(parse(many, specs), HERR_FRAME_SIZE);
}

static void the_answer_follows_the_request(void **state)
{
    const http_validators_t v = {true, {HTTP_SPAN("a"), false}, false, 0};
    http_conditions_t c = {0};
    http_ranges_t r;

    (void)state;
    assert_int_equal(http_range_decide((http_span_t){0}, &c, &v, 100, 0, &r), 200);
    assert_int_equal(http_range_decide(HTTP_SPAN("bytes=1-2"), &c, &v, 100, 0, &r), 206);
    assert_true(r.count == 1 && r.list[0].first == 1 && r.list[0].last == 2);
    assert_int_equal(http_range_decide(HTTP_SPAN("bytes=100-"), &c, &v, 100, 0, &r), 416);
    assert_int_equal(r.count, 0);
    assert_int_equal(http_range_decide(HTTP_SPAN("bytes=x"), &c, &v, 100, 0, &r), 200);
    assert_int_equal(http_range_decide(HTTP_SPAN("pages=1-2"), &c, &v, 100, 0, &r), 200);
    assert_int_equal(http_range_decide(HTTP_SPAN("bytes=0-"), &c, &v, 100, 0, &r), 200);
    http_conditions_add(&c, HTTP_SPAN("If-Range"), HTTP_SPAN("\"b\""));
    assert_int_equal(http_range_decide(HTTP_SPAN("bytes=1-2"), &c, &v, 100, 0, &r), 200);
    c.if_range = HTTP_SPAN("\"a\"");
    assert_int_equal(http_range_decide(HTTP_SPAN("bytes=1-2"), &c, &v, 100, 0, &r), 206);
}

static void requests_are_written(void **state)
{
    const http_range_spec_t specs[] = {{0, 99}, {200, -1}, {-1, 5}};
    const http_range_spec_t bad[] = {{-1, -1}, {5, 4}, {-2, 5}};
    char buf[24];

    (void)state;
    assert_int_equal(http_range_write(specs, 3, buf, sizeof(buf)), 18);
    assert_string_equal(buf, "bytes=0-99,200-,-5");
    assert_int_equal(http_range_write(specs, 3, buf, 19), 18);
    assert_int_equal(http_range_write(specs, 3, buf, 18), -ENOBUFS);
    assert_int_equal(http_range_write(specs, 0, buf, sizeof(buf)), -EINVAL);
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(http_range_write(&bad[i], 1, buf, sizeof(buf)), -EINVAL);
}

static int content(const char *text, http_content_range_t *range)
{
    return http_content_range_parse(http_span(text), range);
}

static void content_ranges_are_read_and_written(void **state)
{
    static const char *const good[] = {"bytes 0-499/1234", "bytes 42-1233/*", "bytes */1234",
                                       "bytes 5-5/6"};
    static const char *const bad[] = {"bytes 0-1234/1234",
                                      "bytes 5-4/10",
                                      "bytes */*",
                                      "bytes 0-4",
                                      "bytes=0-4/5",
                                      "bytes 0-4/5 ",
                                      "bytes -4/5",
                                      "bytes 4-/5",
                                      "",
                                      "bytes",
                                      "bytes 0-4/9999999999999999999"};
    char buf[HTTP_CONTENT_RANGE_SIZE];
    http_content_range_t range;

    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        assert_int_equal(content(good[i], &range), 0);
        assert_int_equal(http_content_range_write(&range, buf, sizeof(buf)), strlen(good[i]));
        assert_string_equal(buf, good[i]);
        assert_int_equal(http_content_range_write(&range, buf, strlen(good[i])), -ENOBUFS);
        for (size_t len = 0; good[i][len - !!len] != '/'; len++)
            assert_true(http_content_range_parse((http_span_t){good[i], len}, &range) < 0);
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(content(bad[i], &range), HERR_SYNTAX);
    assert_int_equal(content("lines 0-4/5", &range), HERR_UNSUPPORTED);
    range = (http_content_range_t){0, INT64_MAX - 1, INT64_MAX};
    assert_true(http_content_range_write(&range, buf, sizeof(buf)) > 0);
    range = (http_content_range_t){4, 5, 5};
    assert_int_equal(http_content_range_write(&range, buf, sizeof(buf)), -EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ranges_are_cut_to_the_size),
        cmocka_unit_test(what_lies_behind_the_end_is_not_satisfied),
        cmocka_unit_test(near_ranges_are_one_and_the_order_stays),
        cmocka_unit_test(other_texts_are_no_ranges),
        cmocka_unit_test(the_answer_follows_the_request),
        cmocka_unit_test(requests_are_written),
        cmocka_unit_test(content_ranges_are_read_and_written),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
