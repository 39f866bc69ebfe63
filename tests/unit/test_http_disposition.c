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
#include "codec/http_disposition.h"
#include "oom.h"

static int parse(const char *text, size_t len, http_disposition_t *d)
{
    char *copy = malloc(len ? len : 1);
    int err;

    assert_non_null(copy);
    memcpy(copy, text, len);
    err = http_disposition_parse((http_span_t){copy, len}, d);
    free(copy);
    return err;
}

/* NULL: it has none. */
static void gives(const char *text, const char *name, const char *filename)
{
    http_disposition_t d;

    assert_int_equal(parse(text, strlen(text), &d), 0);
    assert_int_equal(d.has_name, name != NULL);
    assert_int_equal(d.has_filename, filename != NULL);
    assert_string_equal(d.name, name ? name : "");
    assert_string_equal(d.filename, filename ? filename : "");
}

static void names_of_answers(void **state)
{
    (void)state;
    gives("attachment", NULL, NULL);
    gives("Attachment; filename=a.txt", NULL, "a.txt");
    gives("inline ; FILENAME = \"a \\\"b\\\".txt\" ;", NULL, "a \"b\".txt");
    gives("attachment; filename=\"e.txt\"; filename*=UTF-8''%e2%82%ac.txt", NULL,
          "\xe2\x82\xac.txt");
    gives("attachment; filename*=utf-8'en'%E2%82%AC; filename=\"e\"", NULL, "\xe2\x82\xac");
    gives("attachment; filename*=ISO-8859-1''%e4", NULL, "\xc3\xa4");
    gives("attachment; filename=\"\xe4\"", NULL, "\xc3\xa4");
    gives("attachment; filename=\"\xc3\xa4\"", NULL, "\xc3\xa4");
    gives("attachment; filename=a; filename=b; x=y", NULL, "a");
}

static void an_extended_name_that_cannot_be_read_is_absent(void **state)
{
    (void)state;
    gives("attachment; filename*=UTF-8''%ff; filename=a", NULL, "a");
    gives("attachment; filename*=UTF-8''%zz", NULL, NULL);
    gives("attachment; filename*=KOI8-R''a", NULL, NULL);
    gives("attachment; filename*=UTF-8'a", NULL, NULL);
    gives("attachment; filename*=UTF-8''a%00b; filename=a", NULL, "a");
}

static void names_of_forms(void **state)
{
    (void)state;
    gives("form-data; name=\"f\"; filename=\"\"", "f", "");
    gives("form-data; name=\"a;b\"", "a;b", NULL);
    gives("form-data;name=f;filename=\"a%22b\"", "f", "a%22b");
}

static void other_texts_are_refused(void **state)
{
    static const char *const bad[] = {"",
                                      ";",
                                      "a b",
                                      "a; filename",
                                      "a; filename=",
                                      "a; filename=\"x",
                                      "a; filename=\"\x01\"",
                                      "a; filename=a b",
                                      "a, b"};
    static char longest[HTTP_DISPOSITION_NAME_SIZE + 16] = "a; name=";
    char many[8 + 4 * (HTTP_DISPOSITION_PARAMS_MAX + 1)] = "a";
    http_disposition_t d;

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(parse(bad[i], strlen(bad[i]), &d), HERR_SYNTAX);
    memset(longest + 8, 'x', sizeof(longest) - 8);
    assert_int_equal(parse(longest, 8 + HTTP_DISPOSITION_NAME_SIZE - 1, &d), 0);
    assert_int_equal(parse(longest, 8 + HTTP_DISPOSITION_NAME_SIZE, &d), HERR_FRAME_SIZE);
    for (size_t i = 0; i <= HTTP_DISPOSITION_PARAMS_MAX; i++)
        memcpy(many + 1 + 4 * i, ";x=y", 4);
    assert_int_equal(parse(many, 1 + 4 * HTTP_DISPOSITION_PARAMS_MAX, &d), 0);
    assert_int_equal(parse(many, 5 + 4 * HTTP_DISPOSITION_PARAMS_MAX, &d), HERR_FRAME_SIZE);
}

static void truncated_anywhere(void **state)
{
    static const char text[] =
        "form-data; name=\"f\"; filename=\"a\\\"b\"; filename*=UTF-8''%c3%a4";
    http_disposition_t d;

    (void)state;
    for (size_t len = 0; len < sizeof(text); len++) {
        int err = parse(text, len, &d);

        assert_true(err == 0 || err == HERR_SYNTAX);
    }
}

static void safe(const char *text, const char *expected)
{
    char buf[HTTP_FILENAME_SIZE];
    ssize_t len = http_safe_filename(text, buf);

    if (!expected) {
        assert_int_equal(len, HERR_SYNTAX);
        return;
    }
    assert_int_equal(len, strlen(expected));
    assert_string_equal(buf, expected);
}

static void only_safe_names_are_opened(void **state)
{
    static char wide[400];
    char buf[HTTP_FILENAME_SIZE];

    (void)state;
    safe("a.txt", "a.txt");
    safe("/etc/passwd", "passwd");
    safe("..\\..\\C:x", "C_x");
    safe("../", NULL);
    safe("", NULL);
    safe(".", NULL);
    safe("..", NULL);
    safe("...", "_");
    safe(".bashrc", "_bashrc");
    safe("-rf", "_rf");
    safe("a\n\x1b[2J\x7f"
         "b",
         "a__[2J_b");
    safe("\xc3\xa4\xff.txt", "\xc3\xa4_.txt");
    safe("a. . ", "a");
    memset(wide, 'x', sizeof(wide) - 1);
    assert_int_equal(http_safe_filename(wide, buf), HTTP_FILENAME_SIZE - 1);
    memcpy(wide + HTTP_FILENAME_SIZE - 2, "\xc3\xa4", 2);
    assert_int_equal(http_safe_filename(wide, buf), HTTP_FILENAME_SIZE - 2);
}

static void written_as(const char *type, const char *name, const char *filename,
                       const char *expected)
{
    char buf[128];

    assert_int_equal(http_disposition_write(type, name, filename, buf, sizeof(buf)),
                     strlen(expected));
    assert_string_equal(buf, expected);
    for (size_t size = 0; size <= strlen(expected); size++)
        assert_int_equal(http_disposition_write(type, name, filename, buf, size), -ENOBUFS);
}

static void they_are_written(void **state)
{
    char buf[64];

    (void)state;
    written_as("inline", NULL, NULL, "inline");
    written_as("attachment", NULL, "a b.txt", "attachment; filename=\"a b.txt\"");
    written_as("attachment", NULL, "\xe2\x82\xac\"%",
               "attachment; filename=\"___\"; filename*=UTF-8''%E2%82%AC%22%25");
    written_as("form-data", "f", NULL, "form-data; name=\"f\"");
    written_as("form-data", "f\"\r\n", "\xc3\xa4\\",
               "form-data; name=\"f%22%0D%0A\"; filename=\"\xc3\xa4\\\"");
    assert_int_equal(http_disposition_write("a b", NULL, NULL, buf, sizeof(buf)), -EINVAL);
    assert_int_equal(http_disposition_write("a", NULL, "\xff", buf, sizeof(buf)), -EINVAL);
    assert_int_equal(http_disposition_write("a", NULL, "b\r\nc", buf, sizeof(buf)), -EINVAL);
}

static int write_one(void *arg)
{
    char buf[128];
    ssize_t len = http_disposition_write("attachment", NULL, "\xc3\xa4", buf, sizeof(buf));

    (void)arg;
    return len < 0 ? (int)len : 0;
}

static void memory_may_run_out(void **state)
{
    (void)state;
    oom_run(write_one, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_of_answers),
        cmocka_unit_test(an_extended_name_that_cannot_be_read_is_absent),
        cmocka_unit_test(names_of_forms),
        cmocka_unit_test(other_texts_are_refused),
        cmocka_unit_test(truncated_anywhere),
        cmocka_unit_test(only_safe_names_are_opened),
        cmocka_unit_test(they_are_written),
        cmocka_unit_test(memory_may_run_out),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
