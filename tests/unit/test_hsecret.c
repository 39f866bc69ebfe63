/* One thread. */
/* Passwords kept in files and variables. What is typed: tests/cmd/test_hnc_password.py */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "app/hsecret.h"

#define SIZE 16

static char path[] = "/tmp/hsecret-XXXXXX";

static void write_file(const void *data, size_t len)
{
    FILE *file = fopen(path, "w");

    assert_non_null(file);
    assert_int_equal(fwrite(data, 1, len, file), len);
    assert_int_equal(fclose(file), 0);
}

static int from(const char *source, char *buf, char *why)
{
    memset(buf, 'x', SIZE);
    why[0] = '\0';
    return hsecret_from(source, buf, SIZE, why, 128);
}

static void is(const char *source, const char *password)
{
    char buf[SIZE], why[128];

    assert_int_equal(from(source, buf, why), strlen(password));
    assert_string_equal(buf, password);
    assert_string_equal(why, "");
    for (size_t i = strlen(password); i < SIZE; i++) /* nor is what came behind it left */
        assert_int_equal(buf[i], 0);
}

static void fails(const char *source, int err, const char *says)
{
    char buf[SIZE], why[128];

    assert_int_equal(from(source, buf, why), err);
    if (!strstr(why, says) || strchr(why, '\n'))
        fail_msg("\"%s\" instead of \"%s\"", why, says);
    for (size_t i = 0; i < SIZE; i++)
        assert_int_equal(buf[i], 0);
}

static void the_first_line_of_a_file_counts(void **state)
{
    static const struct {
        const char *text, *password;
    } cases[] = {
        {"secret", "secret"},
        {"secret\n", "secret"},
        {"secret\r\n", "secret"},
        {"secret\nsecond\n", "secret"},
        {" a b \n", " a b "},
        {"a\r", "a\r"},
        {"123456789012345", "123456789012345"},
        {"123456789012345\nmore", "123456789012345"},
    };
    char source[64];

    (void)state;
    snprintf(source, sizeof(source), "file:%s", path);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        write_file(cases[i].text, strlen(cases[i].text));
        is(source, cases[i].password);
    }
}

static void a_file_that_is_no_good_is_named(void **state)
{
    char source[64];

    (void)state;
    snprintf(source, sizeof(source), "file:%s", path);
    write_file("", 0);
    fails(source, -ENODATA, "no password in it");
    write_file("\nsecret\n", 8);
    fails(source, -ENODATA, path);
    write_file("1234567890123456", 16);
    fails(source, -EMSGSIZE, "too long");
    write_file("1234567890123456\n", 17);
    fails(source, -EMSGSIZE, path);
    fails("file:/nonexistent/x", -ENOENT, "file:/nonexistent/x: No such file or directory");
    fails("file:/", -EISDIR, "file:/: Is a directory");
}

static void a_variable_counts_as_it_is(void **state)
{
    (void)state;
    setenv("HSECRET", "two words\n", 1);
    is("env:HSECRET", "two words\n");
    setenv("HSECRET", "", 1);
    fails("env:HSECRET", -ENODATA, "env:HSECRET: no password in it");
    setenv("HSECRET", "1234567890123456", 1);
    fails("env:HSECRET", -EMSGSIZE, "too long");
    unsetenv("HSECRET");
    fails("env:HSECRET", -ENOENT, "env:HSECRET: there is no such variable");
}

static void what_is_no_source_may_be_the_password(void **state)
{
    static const char *const sources[] = {"", "secret", "pass:secret", "file:", "env:", "FILE:x"};
    char buf[SIZE], why[128];

    (void)state;
    for (size_t i = 0; i < sizeof(sources) / sizeof(sources[0]); i++) {
        assert_false(hsecret_is_source(sources[i]));
        assert_int_equal(from(sources[i], buf, why), HERR_SYNTAX);
        assert_null(strstr(why, "secret"));
    }
    assert_true(hsecret_is_source("file:x"));
    assert_true(hsecret_is_source("env:x"));
}

static int make_file(void **state)
{
    int fd = mkstemp(path);

    (void)state;
    return fd < 0 || close(fd) != 0;
}

static int remove_file(void **state)
{
    (void)state;
    return unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_line_of_a_file_counts),
        cmocka_unit_test(a_file_that_is_no_good_is_named),
        cmocka_unit_test(a_variable_counts_as_it_is),
        cmocka_unit_test(what_is_no_source_may_be_the_password),
    };

    return cmocka_run_group_tests_name("hsecret", tests, make_file, remove_file);
}
