/* One thread. */
#include "../../cmd/hcurl/variable.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "oom.h"

static char dir[] = "/tmp/test_hcurl_variable.XXXXXX";
static char path[64];

static int setup(void **state)
{
    FILE *file;

    (void)state;
    if (mkdtemp(dir) == NULL)
        return -1;
    snprintf(path, sizeof(path), "%s/file", dir);
    file = fopen(path, "w");
    if (file == NULL)
        return -1;
    fwrite("0123\0"
           "56789 \n",
           1, 12, file);
    return fclose(file);
}

static int teardown(void **state)
{
    (void)state;
    unlink(path);
    return rmdir(dir);
}

static variables_t vars;

/* Sets one; whether it warned. */
static bool set(const char *text, int status)
{
    hbytes_t why = {0};
    int got = variable_set(&vars, text, &why);
    bool said = why.len > 0;

    if (got != status)
        fail_msg("%s: %d, not %d: %s", text, got, status, said ? why.data : "");
    hbytes_deinit(&why);
    return said;
}

static void expect_expanded(const char *text, const char *expected)
{
    hbytes_t out = {0}, why = {0};
    int status = variable_expand(&vars, text, &out, &why);

    if (status != 0)
        fail_msg("%s: %d %s", text, status, why.len > 0 ? why.data : "");
    assert_string_equal(out.len > 0 ? out.data : "", expected);
    hbytes_deinit(&out);
    hbytes_deinit(&why);
}

static void expect_refused(const char *text, const char *part)
{
    hbytes_t out = {0}, why = {0};

    assert_int_equal(variable_expand(&vars, text, &out, &why), HERR_SYNTAX);
    assert_non_null(why.data);
    if (strstr(why.data, part) == NULL)
        fail_msg("\"%s\" is not in: %s", part, why.data);
    hbytes_deinit(&out);
    hbytes_deinit(&why);
}

static void a_variable_has_a_text(void **state)
{
    (void)state;
    assert_false(set("one=1=1", 0));
    assert_false(set("two_2=", 0));
    expect_expanded("{{one}}", "1=1");
    expect_expanded("<{{two_2}}>{{none}}{{one}}", "<>1=1");
    assert_false(set("one=again", 0));
    expect_expanded("{{one}}{{one}}", "againagain");
    variables_deinit(&vars);
}

static void a_variable_is_imported(void **state)
{
    (void)state;
    setenv("HCURL_TEST", "from outside", 1);
    setenv("HCURL_EMPTY", "", 1);
    unsetenv("HCURL_NONE");
    assert_false(set("%HCURL_TEST", 0));
    assert_false(set("%HCURL_EMPTY=default", 0));
    assert_false(set("%HCURL_NONE=default", 0));
    expect_expanded("{{HCURL_TEST}},{{HCURL_EMPTY}},{{HCURL_NONE}}", "from outside,,default");
    assert_true(set("%HCURL_NONE", HERR_SYNTAX));
    variables_deinit(&vars);
}

static void a_variable_is_read_from_a_file(void **state)
{
    char text[128];

    (void)state;
    snprintf(text, sizeof(text), "a@%s", path);
    assert_false(set(text, 0));
    expect_expanded("{{a:trim:json}}", "0123\\u000056789");
    expect_expanded("{{a:url}}", "0123%0056789%20%0A");
    snprintf(text, sizeof(text), "b[1-3]@%s", path);
    assert_false(set(text, 0));
    expect_expanded("{{b}}", "123");
    snprintf(text, sizeof(text), "b[5-]@%s", path);
    assert_false(set(text, 0));
    expect_expanded("{{b:trim}}", "56789");
    snprintf(text, sizeof(text), "b[12-]@%s", path);
    assert_false(set(text, 0));
    expect_expanded("{{b}}", "");
    assert_true(set("b@/nowhere/file", -ENOENT));
    variables_deinit(&vars);
}

static void a_range_takes_a_part_of_a_text(void **state)
{
    (void)state;
    set("a[5-9]=0123456789abcdef", 0);
    expect_expanded("{{a}}", "56789");
    set("a[10-30]=0123456789abcdef", 0);
    expect_expanded("{{a}}", "abcdef");
    set("a[16-]=0123456789abcdef", 0);
    expect_expanded("{{a}}", "");
    set("a[0-0]=x", 0);
    expect_expanded("{{a}}", "x");
    assert_true(set("a[2-1]=x", HERR_SYNTAX));
    assert_true(set("a[1]=x", HERR_SYNTAX));
    assert_true(set("a[1-2=x", HERR_SYNTAX));
    assert_true(set("a[1-99999999999999999999]=x", HERR_SYNTAX));
    variables_deinit(&vars);
}

static void what_is_no_variable_is_left_out_with_a_warning(void **state)
{
    char longest[VARIABLE_NAME_MAX + 4];

    (void)state;
    assert_true(set("", 0));
    assert_true(set("=x", 0));
    assert_true(set("a", 0));
    assert_true(set("a.b=x", 0));
    assert_true(set("a[x]=x", 0));
    memset(longest, 'n', sizeof(longest));
    memcpy(longest + VARIABLE_NAME_MAX, "=x", 3);
    assert_false(set(longest, 0));
    memcpy(longest + VARIABLE_NAME_MAX, "n=x", 4);
    assert_true(set(longest, 0));
    assert_int_equal(vars.count, 1);
    variables_deinit(&vars);
}

static void functions_run_from_left_to_right(void **state)
{
    (void)state;
    set("a= \t\"x\" ", 0);
    set("e=", 0);
    set("w=d2hpdGU=", 0);
    expect_expanded("{{a:trim}}", "\"x\"");
    expect_expanded("{{a:trim:json}}", "\\\"x\\\"");
    expect_expanded("{{a:trim:json:url}}", "%5C%22x%5C%22");
    expect_expanded("{{a:trim:b64}}", "Ingi");
    expect_expanded("{{a:b64:64dec:trim}}", "\"x\"");
    expect_expanded("{{w:64dec}}", "white");
    expect_expanded("{{a:64dec}}", "[64dec-fail]");
    expect_expanded("<{{e:b64:json:url:trim:64dec}}{{none:url}}>", "<>");
    expect_refused("{{a:super}}", "super");
    expect_refused("{{a:trim,url}}", "trim,url");
    expect_refused("{{a:}}", "unknown function ''");
    variables_deinit(&vars);
}

static void what_is_no_name_stays(void **state)
{
    static const char *const texts[] = {"{{}}", "{{not.good}}", "{{a", "{{a b}}", "{a}", "}}", ""};

    (void)state;
    set("a=1", 0);
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        expect_expanded(texts[i], texts[i]);
    expect_expanded("\\{{a}}{{a}}", "{{a}}1");
    expect_expanded("1{{a}}2{{broken", "112{{broken");
    expect_expanded("\\{{", "{{");
    variables_deinit(&vars);
}

static void a_nul_is_no_part_of_a_value(void **state)
{
    char text[128];

    (void)state;
    snprintf(text, sizeof(text), "a@%s", path);
    set(text, 0);
    expect_refused("{{a}}", "NUL");
    variables_deinit(&vars);
}

static int set_and_expand(void *arg)
{
    hbytes_t out = {0}, why = {0};
    char text[128];
    int status;

    (void)arg;
    snprintf(text, sizeof(text), "a[5-]@%s", path);
    status = variable_set(&vars, text, &why);
    if (status == 0)
        status = variable_set(&vars, "a=b c", &why);
    if (status == 0)
        status = variable_expand(&vars, "<{{a:trim:json:url:b64:64dec}}>", &out, &why);
    if (status == 0)
        assert_string_equal(out.data, "<b%20c>");
    hbytes_deinit(&out);
    hbytes_deinit(&why);
    variables_deinit(&vars);
    return status;
}

static void out_of_memory_is_an_error_at_every_allocation(void **state)
{
    (void)state;
    oom_run(set_and_expand, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_variable_has_a_text),
        cmocka_unit_test(a_variable_is_imported),
        cmocka_unit_test(a_variable_is_read_from_a_file),
        cmocka_unit_test(a_range_takes_a_part_of_a_text),
        cmocka_unit_test(what_is_no_variable_is_left_out_with_a_warning),
        cmocka_unit_test(functions_run_from_left_to_right),
        cmocka_unit_test(what_is_no_name_stays),
        cmocka_unit_test(a_nul_is_no_part_of_a_value),
        cmocka_unit_test(out_of_memory_is_an_error_at_every_allocation),
    };

    return cmocka_run_group_tests_name("hcurl_variable", tests, setup, teardown);
}
