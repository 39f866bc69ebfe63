/* One thread. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../../cmd/hcurl/glob.h"
#include "base/herr.h"
#include "oom.h"

/* What a pattern stands for, in lines. */
static void stands_for(const char *pattern, const char *expected)
{
    hbytes_t lines = {0};
    glob_fault_t fault;
    glob_set_t *glob;
    uint64_t count = 0;

    assert_int_equal(glob_new(pattern, &glob, &fault), 0);
    while (glob_next(glob, &lines) == 1) {
        hbytes_append_char(&lines, '\n');
        count++;
    }
    assert_string_equal(lines.data, expected);
    assert_true(count == glob_count(glob));
    hbytes_deinit(&lines);
    glob_free(glob);
}

static void a_pattern_stands_for_many(void **state)
{
    (void)state;
    stands_for("http://h/", "http://h/\n");
    stands_for("{a,bc,}", "a\nbc\n\n");
    stands_for("{a}", "a\n");
    stands_for("{,}", "\n\n");
    stands_for("x{a,b}y{c,d}z", "xaycz\nxaydz\nxbycz\nxbydz\n");
    stands_for("[1-3]", "1\n2\n3\n");
    stands_for("[08-11]", "08\n09\n10\n11\n");
    stands_for("[0-10:5]", "0\n5\n10\n");
    stands_for("[1-10:4]", "1\n5\n9\n");
    stands_for("[a-c][1-2]", "a1\na2\nb1\nb2\nc1\nc2\n");
    stands_for("[a-g:3]", "a\nd\ng\n");
    stands_for("[A-C]", "A\nB\nC\n");
    stands_for("[5-5]", "5\n");
    stands_for("[1- 2]", "1\n2\n");
    stands_for("{<n>a,b}", "a\nb\n");
    stands_for("[<n>1-2]", "1\n2\n");
    stands_for("{<>a,b}", "<>a\nb\n");
}

static void what_is_escaped_or_an_address_is_itself(void **state)
{
    (void)state;
    stands_for("\\{a\\}\\[1\\]", "{a}[1]\n");
    stands_for("a\\b", "a\\b\n");
    stands_for("a\\", "a\\\n");
    stands_for("{a\\,b,c\\}}", "a,b\nc}\n");
    stands_for("http://[::1]:80/[1-2]", "http://[::1]:80/1\nhttp://[::1]:80/2\n");
    stands_for("[fe80::1%25eth0]", "[fe80::1%25eth0]\n");
    stands_for("a[]b", "a[]b\n");
}

static void refused(const char *pattern, const char *text, size_t position)
{
    glob_fault_t fault;
    glob_set_t *glob;
    int err = glob_new(pattern, &glob, &fault);

    if (err != HERR_SYNTAX)
        print_error("%s\n", pattern);
    assert_int_equal(err, HERR_SYNTAX);
    assert_null(glob);
    assert_string_equal(fault.text, text);
    assert_int_equal(fault.position, position);
}

static void mistakes_are_told_where_they_are(void **state)
{
    (void)state;
    refused("http://h/[2-1]", "bad range", 15);
    refused("a[", "bad range specification", 3);
    refused("[1]", "bad range", 3);
    refused("[1-", "bad range", 4);
    refused("[1-2", "bad range", 5);
    refused("[1-2:]", "bad range", 6);
    refused("[1-2:0]", "bad range", 8);
    refused("[1-2:2]", "bad range", 8);
    refused("[1-1:2]", "bad range", 8);
    refused("[1-2:1", "bad range", 7);
    refused("[a-1]", "bad range", 6);
    refused("[c-a]", "bad range", 6);
    refused("[A-z]", "bad range", 6);
    refused("[a-c:0]", "bad range", 8);
    refused("[a-c:9]", "bad range", 8);
    refused("[a-", "bad range", 2);
    refused("[ab]", "bad range", 2);
    refused("[99999999999999999999-1]", "bad range", 2);
    refused("[0-9223372036854775807]", "range end/step overflow", 24);
    refused("[1-4000000000][1-4000000000]", "range overflow", 29);
    refused("{a", "unmatched brace", 3);
    refused("{}", "empty string within braces", 2);
    refused("{a{", "nested brace", 3);
    refused("{a[", "nested brace", 3);
    refused("{a]", "unexpected close bracket", 3);
    refused("a}", "unmatched close brace/bracket", 2);
    refused("a]", "unmatched close brace/bracket", 2);
    refused("{<n>a}{<n>b}", "Duplicate glob name", 10);
}

static void there_are_bounds(void **state)
{
    char pattern[3 * 300 + 1];
    hbytes_t words = {0};
    glob_fault_t fault;
    glob_set_t *glob;

    (void)state;
    for (size_t i = 0; i < 300; i++)
        memcpy(pattern + 3 * i, "{a}", 4);
    refused(pattern, "too many {} sets", 1 + 2 * 256);
    pattern[3 * GLOB_PARTS_MAX] = '\0';
    assert_int_equal(glob_new(pattern, &glob, &fault), 0);
    glob_free(glob);

    hbytes_append_char(&words, '{');
    for (size_t i = 1; i < GLOB_WORDS_MAX; i++)
        hbytes_append_char(&words, ',');
    hbytes_append_char(&words, '}');
    assert_int_equal(glob_new(words.data, &glob, &fault), 0);
    assert_int_equal(glob_count(glob), GLOB_WORDS_MAX);
    glob_free(glob);
    words.data[words.len - 1] = ',';
    hbytes_append_char(&words, '}');
    refused(words.data, "range overflow", 0);
    hbytes_deinit(&words);
}

/* A list of them would not fit into any memory. */
static void texts_are_made_when_they_are_asked_for(void **state)
{
    hbytes_t text = {0};
    glob_fault_t fault;
    glob_set_t *glob;

    (void)state;
    assert_int_equal(glob_new("x[1-1000000000][1-1000000000]", &glob, &fault), 0);
    assert_true(glob_count(glob) == UINT64_C(1000000000000000000));
    for (int i = 0; i < 1000; i++) {
        hbytes_clear(&text);
        assert_int_equal(glob_next(glob, &text), 1);
    }
    assert_string_equal(text.data, "x11000");
    hbytes_deinit(&text);
    glob_free(glob);
}

static void names_follow_the_pattern(void **state)
{
    static const char *const rows[][2] = {
        {"#1-#2", "b-07"},  {"#3", "#3"},    {"#0", "#0"},          {"#", "#"},
        {"#<n>.x", "07.x"}, {"#1#1", "bb"},  {"#12", "#12"},        {"#<>", "#<>"},
        {"#<n", "#<n"},     {"#<up>", "u1"}, {"a#1\\#2", "ab\\07"},
    };
    glob_set_t *glob, *uploads;
    hbytes_t text = {0};
    glob_fault_t fault;

    (void)state;
    assert_int_equal(glob_new("h/{a,b}[<n>06-07]", &glob, &fault), 0);
    assert_int_equal(glob_new("{<up>u1,u2}", &uploads, &fault), 0);
    for (int i = 0; i < 4; i++)
        assert_int_equal(glob_next(glob, &text), 1);
    assert_int_equal(glob_next(uploads, &text), 1);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        hbytes_clear(&text);
        assert_int_equal(glob_expand(glob, uploads, rows[i][0], &text, &fault), 0);
        assert_string_equal(text.data, rows[i][1]);
    }
    hbytes_clear(&text);
    assert_int_equal(glob_expand(NULL, uploads, "#1#<up>", &text, &fault), 0);
    assert_string_equal(text.data, "#1u1");
    assert_int_equal(glob_expand(glob, NULL, "a#<none>", &text, &fault), HERR_SYNTAX);
    assert_string_equal(fault.text, "no glob exists with this name");
    assert_int_equal(fault.position, 8);
    hbytes_deinit(&text);
    glob_free(uploads);
    glob_free(glob);
}

static void a_caret_points_at_the_mistake(void **state)
{
    char pattern[1000] = "";
    hbytes_t text = {0};
    glob_fault_t fault;
    glob_set_t *glob;

    (void)state;
    assert_int_equal(glob_new("h/[2-1]", &glob, &fault), HERR_SYNTAX);
    assert_int_equal(glob_explain(&fault, "h/[2-1]", &text), 0);
    assert_string_equal(text.data, "bad range in position 8:\nh/[2-1]\n       ^");
    hbytes_clear(&text);
    memset(pattern, 'a', sizeof(pattern) - 1);
    assert_int_equal(glob_explain(&fault, pattern, &text), 0);
    assert_int_equal(text.len, GLOB_EXPLAIN_MAX);
    hbytes_deinit(&text);
}

static int make_all(void *arg)
{
    hbytes_t text = {0};
    glob_fault_t fault;
    glob_set_t *glob = NULL;
    int err = glob_new("http://[::1]/{a,b}[1-2]{<n>c}", &glob, &fault);

    (void)arg;
    while (err == 0 && (err = glob_next(glob, &text)) == 1)
        err = glob_expand(glob, NULL, "#1-#<n>", &text, &fault);
    hbytes_deinit(&text);
    glob_free(glob);
    return err;
}

static void memory_may_run_out(void **state)
{
    (void)state;
    oom_run(make_all, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_pattern_stands_for_many),
        cmocka_unit_test(what_is_escaped_or_an_address_is_itself),
        cmocka_unit_test(mistakes_are_told_where_they_are),
        cmocka_unit_test(there_are_bounds),
        cmocka_unit_test(texts_are_made_when_they_are_asked_for),
        cmocka_unit_test(names_follow_the_pattern),
        cmocka_unit_test(a_caret_points_at_the_mistake),
        cmocka_unit_test(memory_may_run_out),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
