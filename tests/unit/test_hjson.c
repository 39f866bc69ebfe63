/* One thread. */
#include "base/hjson.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "oom.h"

static hbytes_t out;
static hjson_t j;

static int begin(void **state)
{
    (void)state;
    hbytes_clear(&out);
    hjson_init(&j, &out);
    return 0;
}

static int end(void **state)
{
    (void)state;
    hbytes_deinit(&out);
    memset(&out, 0, sizeof(out));
    return 0;
}

static void expect(const char *text)
{
    assert_int_equal(hjson_finish(&j), 0);
    assert_int_equal(out.len, strlen(text));
    assert_string_equal(out.data, text);
}

static void expect_quoted(const char *bytes, size_t len, const char *text)
{
    begin(NULL);
    hjson_bytes(&j, bytes, len);
    expect(text);
}

static void nested_values_get_their_commas(void **state)
{
    (void)state;
    hjson_open_object(&j);
    hjson_key(&j, "a");
    hjson_open_array(&j);
    hjson_int(&j, 1);
    hjson_open_object(&j);
    hjson_close(&j);
    hjson_open_array(&j);
    hjson_close(&j);
    hjson_null(&j);
    hjson_close(&j);
    hjson_add_bool(&j, "b", true);
    hjson_add_string(&j, "c \"q\"", NULL);
    hjson_add_uint(&j, "d", 7);
    hjson_close(&j);
    expect("{\"a\":[1,{},[],null],\"b\":true,\"c \\\"q\\\"\":null,\"d\":7}");
}

static void numbers_are_exact_to_64_bits(void **state)
{
    (void)state;
    hjson_open_array(&j);
    hjson_int(&j, INT64_MIN);
    hjson_int(&j, INT64_MAX);
    hjson_uint(&j, UINT64_MAX);
    hjson_fixed(&j, 1234567, 6);
    hjson_fixed(&j, -5, 3);
    hjson_fixed(&j, INT64_MIN, 0);
    hjson_fixed(&j, 7, 18);
    hjson_close(&j);
    expect("[-9223372036854775808,9223372036854775807,18446744073709551615,1.234567,-0.005,"
           "-9223372036854775808,0.000000000000000007]");
}

static void control_characters_are_escaped(void **state)
{
    (void)state;
    expect_quoted("a\"b\\c/\b\f\n\r\t\x01\x1f\x7f", 14,
                  "\"a\\\"b\\\\c/\\b\\f\\n\\r\\t\\u0001\\u001f\x7f\"");
    expect_quoted("\0x", 2, "\"\\u0000x\"");
    expect_quoted("", 0, "\"\"");
}

static void valid_utf8_stays_as_it_is(void **state)
{
    const char *const texts[] = {"\xc2\x80",         "\xdf\xbf",         "\xe0\xa0\x80",
                                 "\xed\x9f\xbf",     "\xee\x80\x80",     "\xef\xbf\xbf",
                                 "\xf0\x90\x80\x80", "\xf4\x8f\xbf\xbf", "z\xc3\xbcrich"};
    char quoted[32];

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        snprintf(quoted, sizeof(quoted), "\"%s\"", texts[i]);
        expect_quoted(texts[i], strlen(texts[i]), quoted);
    }
}

static void invalid_utf8_becomes_the_replacement_character(void **state)
{
    (void)state;
    expect_quoted("a\x80z", 3, "\"a\\ufffdz\"");
    expect_quoted("\xc0\xaf", 2, "\"\\ufffd\\ufffd\"");            /* overlong */
    expect_quoted("\xe0\x9f\xbf", 3, "\"\\ufffd\\ufffd\\ufffd\""); /* overlong */
    expect_quoted("\xed\xa0\x80", 3, "\"\\ufffd\\ufffd\\ufffd\""); /* surrogate */
    expect_quoted("\xf4\x90\x80\x80", 4, "\"\\ufffd\\ufffd\\ufffd\\ufffd\"");
    expect_quoted("\xf8", 1, "\"\\ufffd\"");
    expect_quoted("\xe2\x82", 2, "\"\\ufffd\""); /* cut: one for the whole beginning */
    expect_quoted("\xf0\x9f\x98x", 4, "\"\\ufffdx\"");
    expect_quoted("\xe2\"", 2, "\"\\ufffd\\\"\"");
}

static void calls_that_make_no_json_are_an_error(void **state)
{
    (void)state;
    assert_int_equal(hjson_finish(&j), -EINVAL);
    begin(NULL);
    hjson_open_array(&j);
    assert_int_equal(hjson_finish(&j), -EINVAL);
    begin(NULL);
    hjson_close(&j);
    assert_int_equal(hjson_finish(&j), -EINVAL);
    begin(NULL);
    hjson_key(&j, "a");
    assert_int_equal(hjson_finish(&j), -EINVAL);
    begin(NULL);
    hjson_open_object(&j);
    hjson_int(&j, 1);
    assert_int_equal(hjson_finish(&j), -EINVAL);
    begin(NULL);
    hjson_open_object(&j);
    hjson_key(&j, "a");
    hjson_close(&j);
    assert_int_equal(hjson_finish(&j), -EINVAL);
    begin(NULL);
    hjson_int(&j, 1);
    hjson_int(&j, 2);
    assert_int_equal(hjson_finish(&j), -EINVAL);
}

static void depth_has_a_limit(void **state)
{
    (void)state;
    for (int i = 0; i < HJSON_DEPTH_MAX; i++)
        hjson_open_array(&j);
    for (int i = 0; i < HJSON_DEPTH_MAX; i++)
        hjson_close(&j);
    assert_int_equal(hjson_finish(&j), 0);
    begin(NULL);
    for (int i = 0; i <= HJSON_DEPTH_MAX; i++)
        hjson_open_object(&j);
    assert_int_equal(hjson_finish(&j), -EINVAL);
}

static int write_some(void *arg)
{
    hbytes_t buffer = {0};
    hjson_t writer;
    int status;

    (void)arg;
    hjson_init(&writer, &buffer);
    hjson_open_array(&writer);
    for (int i = 0; i < 200; i++)
        hjson_string(&writer, "some text that makes the buffer grow\x80");
    hjson_fixed(&writer, 1, 2);
    hjson_close(&writer);
    status = hjson_finish(&writer);
    hbytes_deinit(&buffer);
    return status;
}

static void out_of_memory_is_an_error_at_every_allocation(void **state)
{
    (void)state;
    oom_run(write_some, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(nested_values_get_their_commas, begin, end),
        cmocka_unit_test_setup_teardown(numbers_are_exact_to_64_bits, begin, end),
        cmocka_unit_test_setup_teardown(control_characters_are_escaped, begin, end),
        cmocka_unit_test_setup_teardown(valid_utf8_stays_as_it_is, begin, end),
        cmocka_unit_test_setup_teardown(invalid_utf8_becomes_the_replacement_character, begin, end),
        cmocka_unit_test_setup_teardown(calls_that_make_no_json_are_an_error, begin, end),
        cmocka_unit_test_setup_teardown(depth_has_a_limit, begin, end),
        cmocka_unit_test(out_of_memory_is_an_error_at_every_allocation),
    };

    return cmocka_run_group_tests_name("hjson", tests, NULL, NULL);
}
