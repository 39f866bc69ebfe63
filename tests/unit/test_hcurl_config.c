/* One thread. */
#include "../../cmd/hcurl/config.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/hmem.h"
#include "oom.h"

#define TEXT_SIZE 1024

/* ---- lines ---- */

/* The single line of a text. */
static void expect_line(const char *text, const char *option, const char *value, bool warns)
{
    char copy[TEXT_SIZE];
    char *at = copy;
    unsigned number = 0;
    config_line_t line;

    snprintf(copy, sizeof(copy), "%s", text);
    if (!config_next(&at, &number, &line))
        fail_msg("nothing in \"%s\"", text);
    assert_string_equal(line.option, option);
    if (value == NULL)
        assert_null(line.value);
    else
        assert_string_equal(line.value, value);
    if (warns != (line.warning != NULL))
        fail_msg("\"%s\": %s", text, warns ? "no warning" : line.warning);
    assert_false(config_next(&at, &number, &line));
}

static void a_value_stands_behind_blanks_an_equals_sign_or_a_colon(void **state)
{
    static const char *const texts[] = {"url x",          "url=x",     "url:x",
                                        "url = x",        "url : x\n", "\turl\t=\tx\r\n",
                                        "  url x # that", "url == x"};

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        expect_line(texts[i], "url", "x", false);
}

static void behind_dashes_a_separator_belongs_to_the_word(void **state)
{
    (void)state;
    expect_line("-o=x", "-o=x", NULL, false);
    expect_line("--url=x:y", "--url=x:y", NULL, false);
    expect_line("--url :x", "--url", ":x", false);
    expect_line("-sS", "-sS", NULL, false);
}

static void quotes_keep_blanks_and_escapes(void **state)
{
    (void)state;
    expect_line("a \"b c\"", "a", "b c", false);
    expect_line("a=\"\\t\\n\\r\\v\\\\\\\"\\q\"", "a", "\t\n\r\v\\\"q", false);
    expect_line("a \"\"", "a", "", false);
    expect_line("a \"open", "a", "open", false);
    expect_line("a \"open\\", "a", "open", false);
    expect_line("a \"b\" c", "a", "b", false);
    expect_line("a \"#\" # c", "a", "#", false);
}

static void what_looks_like_a_mistake_is_warned_of(void **state)
{
    (void)state;
    expect_line("a b c", "a", "b", true);
    expect_line("a 'b'", "a", "'b'", true);
    expect_line("a b \r", "a", "b", false);
    expect_line("a b#c", "a", "b#c", false);
}

static void nothing_behind_an_option_is_no_value(void **state)
{
    static const char *const texts[] = {"silent", "silent\r\n", "silent =", "silent :  \n",
                                        "silent \t"};

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        expect_line(texts[i], "silent", NULL, false);
}

static void empty_lines_and_comments_only_count(void **state)
{
    char text[] = "\n# a\n \t\r\n  # b\nurl x\n\nverbose";
    char *at = text;
    unsigned number = 0;
    config_line_t line;

    (void)state;
    assert_true(config_next(&at, &number, &line));
    assert_int_equal(line.number, 5);
    assert_string_equal(line.option, "url");
    assert_true(config_next(&at, &number, &line));
    assert_int_equal(line.number, 7);
    assert_string_equal(line.option, "verbose");
    assert_false(config_next(&at, &number, &line));
}

/* ---- the file that nobody names ---- */

static char dir[] = "/tmp/test_hcurl_config.XXXXXX";

static void make(const char *name)
{
    char path[TEXT_SIZE];
    int fd;

    snprintf(path, sizeof(path), "%s/%s", dir, name);
    fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    close(fd);
}

static void drop(const char *name)
{
    char path[TEXT_SIZE];

    snprintf(path, sizeof(path), "%s/%s", dir, name);
    assert_int_equal(remove(path), 0);
}

static void expect_found(const char *name)
{
    char *path = config_find("hcurl");

    if (name == NULL) {
        assert_null(path);
        return;
    }
    assert_non_null(path);
    assert_string_equal(path + strlen(dir) + 1, name);
    hmem_free(path);
}

static void the_first_of_the_files_is_found(void **state)
{
    /* The last ones first: each hides those before it. */
    static const char *const names[] = {"home/.config/hcurlrc", "hcurl/.config/hcurlrc",
                                        "home/.hcurlrc", "xdg/hcurlrc", "hcurl/.hcurlrc"};
    static const char *const folders[] = {"home", "home/.config", "hcurl", "hcurl/.config", "xdg"};
    static const char *const variables[] = {
        "HOME", "home", "HCURL_HOME", "hcurl", "XDG_CONFIG_HOME", "xdg"};
    char path[TEXT_SIZE];

    (void)state;
    assert_non_null(mkdtemp(dir));
    for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++) {
        snprintf(path, sizeof(path), "%s/%s", dir, folders[i]);
        assert_int_equal(mkdir(path, 0700), 0);
    }
    for (size_t i = 0; i < sizeof(variables) / sizeof(variables[0]); i += 2) {
        snprintf(path, sizeof(path), "%s/%s", dir, variables[i + 1]);
        setenv(variables[i], path, 1);
    }
    expect_found(NULL);
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        make(names[i]);
        expect_found(names[i]);
    }
    assert_null(config_find("curl"));
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        drop(names[i]);
    for (size_t i = sizeof(folders) / sizeof(folders[0]); i-- > 0;)
        drop(folders[i]);
    rmdir(dir);
}

static void by_curls_name_its_files_are_found(void **state)
{
    char *path;

    (void)state;
    memcpy(dir + strlen(dir) - 6, "XXXXXX", 6);
    assert_non_null(mkdtemp(dir));
    setenv("HOME", "/nonexistent", 1);
    setenv("HCURL_HOME", dir, 1);
    setenv("CURL_HOME", dir, 1);
    make(".hcurlrc");
    assert_null(config_find("curl"));
    make(".curlrc");
    path = config_find("curl");
    assert_non_null(path);
    assert_string_equal(path + strlen(dir), "/.curlrc");
    hmem_free(path);
    drop(".hcurlrc");
    drop(".curlrc");
    unsetenv("CURL_HOME");
    rmdir(dir);
}

static int find_with_a_file(void *arg)
{
    char *path = config_find("hcurl");

    (void)arg;
    if (path == NULL)
        return -ENOMEM;
    hmem_free(path);
    return 0;
}

static void out_of_memory_finds_nothing(void **state)
{
    (void)state;
    memcpy(dir + strlen(dir) - 6, "XXXXXX", 6);
    assert_non_null(mkdtemp(dir));
    make(".hcurlrc");
    setenv("HOME", dir, 1);
    unsetenv("HCURL_HOME");
    unsetenv("XDG_CONFIG_HOME");
    oom_run(find_with_a_file, NULL);
    drop(".hcurlrc");
    rmdir(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_value_stands_behind_blanks_an_equals_sign_or_a_colon),
        cmocka_unit_test(behind_dashes_a_separator_belongs_to_the_word),
        cmocka_unit_test(quotes_keep_blanks_and_escapes),
        cmocka_unit_test(what_looks_like_a_mistake_is_warned_of),
        cmocka_unit_test(nothing_behind_an_option_is_no_value),
        cmocka_unit_test(empty_lines_and_comments_only_count),
        cmocka_unit_test(the_first_of_the_files_is_found),
        cmocka_unit_test(by_curls_name_its_files_are_found),
        cmocka_unit_test(out_of_memory_finds_nothing),
    };

    return cmocka_run_group_tests_name("hcurl_config", tests, NULL, NULL);
}
