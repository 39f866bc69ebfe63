/* One thread. */
#include "codec/json_pretty.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "oom.h"

static const json_pretty_styles_t marks = {
    .key = "<k>", .string = "<s>", .number = "<n>", .word = "<w>", .off = "</>"};

typedef struct example_s {
    const char *in, *out;
} example_t;

static const example_t examples[] = {
    {"", ""},
    {"{}", "{}\n"},
    {"[ ]", "[]\n"},
    {"{\"a\":1}", "{\n  \"a\": 1\n}\n"},
    {"{ \"a\" : [ 1 , -2.5e+3 ] , \"b\":{\"c\":null}}",
     "{\n  \"a\": [\n    1,\n    -2.5e+3\n  ],\n  \"b\": {\n    \"c\": null\n  }\n}\n"},
    {"[true,false,null,\"x\"]", "[\n  true,\n  false,\n  null,\n  \"x\"\n]\n"},
    {"[[],{}]", "[\n  [],\n  {}\n]\n"},
    {"\"a\\\"]b\\\\\"", "\"a\\\"]b\\\\\"\n"},
    {"[\"{ , : }\"]", "[\n  \"{ , : }\"\n]\n"},
    {"42\n", "42\n"},
    {"{}\n{}\n", "{}\n{}\n"}, /* one value a line */
    {"{}{}", "{}\n{}\n"},
    {"\r\n {}", "\r\n {}\n"},
    {"1 2", "1 2\n"},
    /* It is not JSON, or no longer. */
    {"<html> <p>", "<html> <p>"},
    {"nothing  here", "nothing  here"},
    {"hello\n", "hello\n"},
    {"  plain", "  plain"},
    {"[hello  world]", "[hello  world]"},
    {"[1,]", "[\n  1,\n  ]"},
    {"{1 : 2}", "{1 : 2}"},
    {"{\"a\" 1}", "{\n  \"a\" 1}"},
    {"{\"a\":}", "{\n  \"a\": }"},
    {"[1}  x", "[\n  1}  x"},
    {"[1 2]", "[\n  1 2]"},
    {"[ true  falsch ]", "[\n  true falsch ]"},
    {"]", "]"},
    {",", ","},
    {"truth", "truth"},
    /* It ends too early. */
    {"{\"a\":[1", "{\n  \"a\": [\n    1\n"},
    {"\"abc", "\"abc\n"},
    {"tr", "tr\n"},
};

static void lay_out(const char *in, size_t len, size_t first, hbytes_t *out)
{
    json_pretty_t p;

    json_pretty_init(&p, NULL);
    assert_int_equal(json_pretty_feed(&p, in, first, out), 0);
    assert_int_equal(json_pretty_feed(&p, in + first, len - first, out), 0);
    assert_int_equal(json_pretty_end(&p, out), 0);
}

static void json_is_laid_out_wherever_it_is_split(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(examples) / sizeof(examples[0]); i++) {
        size_t len = strlen(examples[i].in);

        for (size_t first = 0; first <= len; first++) {
            hbytes_t out = {0};

            lay_out(examples[i].in, len, first, &out);
            assert_string_equal(out.data != NULL ? out.data : "", examples[i].out);
            hbytes_deinit(&out);
        }
    }
}

static void styled(const char *in, const char *expected)
{
    hbytes_t out = {0};
    json_pretty_t p;

    json_pretty_init(&p, &marks);
    for (const char *c = in; *c != '\0'; c++)
        assert_int_equal(json_pretty_feed(&p, c, 1, &out), 0);
    assert_int_equal(json_pretty_end(&p, &out), 0);
    assert_string_equal(out.data, expected);
    hbytes_deinit(&out);
}

static void tokens_have_their_styles(void **state)
{
    (void)state;
    styled("{\"a\":\"b\"}", "{\n  <k>\"a\"</>: <s>\"b\"</>\n}\n");
    styled("[1,true]", "[\n  <n>1</>,\n  <w>true</>\n]\n");
    styled("12", "<n>12</>\n");
    styled("nix da", "<w>n</>ix da"); /* nothing stays switched on */
    styled("\"a", "<s>\"a</>\n");
}

static void too_deep_passes_as_it_is(void **state)
{
    char in[JSON_PRETTY_DEPTH_MAX + 10];
    hbytes_t out = {0};

    (void)state;
    memset(in, '[', sizeof(in));
    lay_out(in, sizeof(in), 0, &out);
    assert_string_equal(out.data + out.len - 11, "[[[[[[[[[[[");
    assert_int_not_equal(out.data[out.len - 12], '[');
    hbytes_deinit(&out);
}

static void a_full_buffer_is_an_error(void **state)
{
    json_pretty_t p;
    hbytes_t out;

    (void)state;
    hbytes_init(&out, 16);
    json_pretty_init(&p, NULL);
    assert_int_equal(json_pretty_feed(&p, "[1,2,3,4,5,6]", 13, &out), -ENOBUFS);
    hbytes_deinit(&out);
}

static int without_memory(void *arg)
{
    hbytes_t out = {0};
    json_pretty_t p;
    int status;

    (void)arg;
    json_pretty_init(&p, &marks);
    status = json_pretty_feed(&p, "{\"a\":[1,2,3]}", 13, &out);
    if (status == 0)
        status = json_pretty_end(&p, &out);
    hbytes_deinit(&out);
    return status;
}

static void memory_runs_out(void **state)
{
    (void)state;
    oom_run(without_memory, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(json_is_laid_out_wherever_it_is_split),
        cmocka_unit_test(tokens_have_their_styles),
        cmocka_unit_test(too_deep_passes_as_it_is),
        cmocka_unit_test(a_full_buffer_is_an_error),
        cmocka_unit_test(memory_runs_out),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
