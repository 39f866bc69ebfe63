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

#include "net/haccess.h"
#include "oom.h"

#include <unistd.h>

static haccess_t *new_access(void)
{
    haccess_t *access;

    assert_int_equal(haccess_new(&access), 0);
    return access;
}

static void add(haccess_t *access, haccess_verdict_e verdict, const char *text)
{
    char error[HACCESS_ERROR_SIZE] = "";

    if (haccess_add(access, verdict, text, error, sizeof(error)) != 0)
        fail_msg("%s", error);
}

static bool may(const haccess_t *access, const char *ip)
{
    haddr_t addr;

    assert_int_equal(haddr_parse(&addr, ip, 4711), 0);
    return haccess_check(access, &addr.u.sa);
}

/* A list that allows this text alone. */
static void allows(const char *text, const char *inside, const char *outside)
{
    haccess_t *access = new_access();

    add(access, HACCESS_ALLOW, text);
    if (inside)
        assert_true(may(access, inside));
    if (outside)
        assert_false(may(access, outside));
    haccess_free(access);
}

static void without_a_list_everyone_may_come(void **state)
{
    haccess_t *access = new_access();

    (void)state;
    assert_true(may(NULL, "192.0.2.1"));
    assert_true(may(access, "192.0.2.1"));
    assert_int_equal(haccess_count(access), 0);
    haccess_free(access);
    haccess_free(NULL);
}

static void addresses_and_blocks_are_matched(void **state)
{
    (void)state;
    allows("192.0.2.1", "192.0.2.1", "192.0.2.2");
    allows("192.0.2.0/24", "192.0.2.0", "192.0.3.0");
    allows("192.0.2.77/24", "192.0.2.255", "192.0.1.255");
    allows("192.0.2.1/31", "192.0.2.0", "192.0.2.2");
    allows("0.0.0.0/0", "255.255.255.255", "::1");
    allows("::/0", "2001:db8::1", "127.0.0.1");
    allows("2001:db8::/33", "2001:db8:7fff::1", "2001:db8:8000::1");
    allows("2001:db8::1", "2001:db8::1", "2001:db8::2");
    allows("::ffff:192.0.2.0/120", "192.0.2.9", "192.0.3.9");
    allows("192.0.2.1", "::ffff:192.0.2.1", "::ffff:192.0.2.2");
    allows("192.0.2.1, 192.0.2.3,,\t192.0.2.5", "192.0.2.5", "192.0.2.2");
}

static void octets_may_be_ranges(void **state)
{
    (void)state;
    allows("10.0.0-255.1-254", "10.0.255.254", "10.0.255.255");
    allows("10.*.-.5-", "10.200.3.255", "10.200.3.4");
    allows("10.-1.0.0", "10.1.0.0", "10.2.0.0");
    allows("10.0.*.*", "::ffff:10.0.9.9", "::10.0.9.9");
    allows("10.0.0-3.7/24", "10.0.3.200", "10.0.4.7");
    allows("10.0.4-5.7/22", "10.0.7.9", "10.0.8.7");
    allows("10.0.0.1-2/0", "1.2.3.4", NULL);
}

static void names_are_resolved_when_they_are_added(void **state)
{
    (void)state;
    allows("localhost", "127.0.0.1", "192.0.2.1");
    allows("localhost/8", "127.255.0.1", "128.0.0.1");
}

static void who_is_denied_is_denied_even_if_allowed(void **state)
{
    haccess_t *access = new_access();

    (void)state;
    add(access, HACCESS_DENY, "192.0.2.7");
    assert_false(may(access, "192.0.2.7"));
    assert_true(may(access, "192.0.2.8"));
    add(access, HACCESS_ALLOW, "192.0.2.0/24");
    assert_false(may(access, "192.0.2.7"));
    assert_true(may(access, "192.0.2.8"));
    assert_false(may(access, "198.51.100.1"));
    haccess_free(access);
}

static void overlapping_blocks_become_one(void **state)
{
    haccess_t *access = new_access();

    (void)state;
    add(access, HACCESS_ALLOW, "10.0.0.0/8 10.1.2.3 10.9.0.0/16 10.0.0.0/30 11.0.0.0/32 10.1.2.3");
    assert_int_equal(haccess_count(access), 2);
    assert_true(may(access, "10.255.255.255"));
    assert_true(may(access, "11.0.0.0"));
    assert_false(may(access, "11.0.0.1"));
    haccess_free(access);
}

/* Every look-up against the plain truth. */
static void many_blocks_are_searched_right(void **state)
{
    haccess_t *access = new_access();
    char text[64];

    (void)state;
    for (int i = 0; i < 256; i += 3) {
        snprintf(text, sizeof(text), "10.0.%d.%d/%d", i, (i * 7) & 0xf0, 28);
        add(access, HACCESS_ALLOW, text);
    }
    for (int i = 0; i < 256; i++) {
        for (int j = 0; j < 256; j += 5) {
            snprintf(text, sizeof(text), "10.0.%d.%d", i, j);
            assert_int_equal(may(access, text), i % 3 == 0 && (j & 0xf0) == ((i * 7) & 0xf0));
        }
    }
    haccess_free(access);
}

static void what_is_no_rule_is_refused(void **state)
{
    static const struct {
        const char *text;
        int err;
    } cases[] = {
        {"", HERR_SYNTAX},
        {" , ", HERR_SYNTAX},
        {"10.0.0", HERR_SYNTAX},
        {"10.0.0.256", HERR_SYNTAX},
        {"10.0.0.9-1", HERR_SYNTAX},
        {"10.0.0.1-256", HERR_SYNTAX},
        {"10..0.1", HERR_SYNTAX},
        {"1.2.3.4.5", HERR_SYNTAX},
        {"10.0.0.1/33", HERR_RANGE},
        {"10.0.0.*/33", HERR_RANGE},
        {"::1/129", HERR_RANGE},
        {"10.0.0.1/", HERR_SYNTAX},
        {"10.0.0.1/x", HERR_SYNTAX},
        {"/8", HERR_SYNTAX},
        {"::ffff:1.2.3.4/64", HERR_RANGE},
        {"10.0.0.**", HERR_SYNTAX},
        {"10.0.0.1--2", HERR_SYNTAX},
    };
    char error[HACCESS_ERROR_SIZE];

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        haccess_t *access = new_access();

        error[0] = '\0';
        assert_int_equal(haccess_add(access, HACCESS_DENY, cases[i].text, error, sizeof(error)),
                         cases[i].err);
        assert_true(error[0] != '\0');
        assert_int_equal(haccess_add(access, HACCESS_DENY, cases[i].text, NULL, 0), cases[i].err);
        assert_int_equal(haccess_count(access), 0);
        haccess_free(access);
    }
}

/* A file that holds this; the caller unlinks it. */
static void write_file(char *path, const char *text)
{
    int fd = mkstemp(path);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    close(fd);
}

static void files_have_comments_and_lists(void **state)
{
    char path[] = "/tmp/haccess-XXXXXX", error[HACCESS_ERROR_SIZE] = "";
    haccess_t *access = new_access();

    (void)state;
    write_file(path, "# comment 9.9.9.9\n10.0.0.1 10.0.0.2\t#10.0.0.3\n\n10.0.1,3.5,7-8\r\n::1");
    assert_int_equal(haccess_add_file(access, HACCESS_ALLOW, path, error, sizeof(error)), 0);
    assert_true(may(access, "10.0.0.1") && may(access, "10.0.0.2") && may(access, "::1"));
    assert_true(may(access, "10.0.3.8") && may(access, "10.0.1.5"));
    assert_false(may(access, "10.0.0.3") || may(access, "9.9.9.9") || may(access, "10.0.2.5"));
    haccess_free(access);
    unlink(path);
}

static void files_that_are_wrong_say_where(void **state)
{
    char path[] = "/tmp/haccess-XXXXXX", error[HACCESS_ERROR_SIZE] = "", expected[128];
    haccess_t *access = new_access();

    (void)state;
    write_file(path, "10.0.0.1\n# 1\n 10.0.0.999 # 2\n");
    assert_int_equal(haccess_add_file(access, HACCESS_ALLOW, path, error, sizeof(error)),
                     HERR_SYNTAX);
    snprintf(expected, sizeof(expected), "%s:3: not an address: \"10.0.0.999\"", path);
    assert_string_equal(error, expected);
    unlink(path);
    assert_int_equal(haccess_add_file(access, HACCESS_ALLOW, path, error, sizeof(error)), -ENOENT);
    assert_non_null(strstr(error, "No such file"));
    assert_true(haccess_add_file(access, HACCESS_ALLOW, "/", NULL, 0) < 0);
    haccess_free(access);
}

static void an_empty_file_of_the_allowed_allows_nobody(void **state)
{
    char path[] = "/tmp/haccess-XXXXXX";
    haccess_t *access = new_access();

    (void)state;
    write_file(path, "# nobody yet\n");
    assert_int_equal(haccess_add_file(access, HACCESS_ALLOW, path, NULL, 0), 0);
    assert_false(may(access, "127.0.0.1"));
    haccess_free(access);
    access = new_access();
    assert_int_equal(haccess_add_file(access, HACCESS_DENY, path, NULL, 0), 0);
    assert_true(may(access, "127.0.0.1"));
    haccess_free(access);
    unlink(path);
}

static void unix_sockets_may_always_come(void **state)
{
    haccess_t *access = new_access();
    haddr_t addr;

    (void)state;
    add(access, HACCESS_ALLOW, "192.0.2.1");
    assert_int_equal(haddr_unix(&addr, "/x"), 0);
    assert_true(haccess_check(access, &addr.u.sa));
    haccess_free(access);
}

static void there_is_a_maximum_of_rules(void **state)
{
    haccess_t *access = new_access();
    char text[64];
    int err = 0;

    (void)state;
    for (int i = 0; err == 0 && i <= HACCESS_RULES_MAX; i += 1024) {
        static char many[1024 * 20];
        size_t len = 0;

        for (int j = i; j < i + 1024; j++)
            len += (size_t)snprintf(many + len, sizeof(many) - len, "10.%d.%d.%d ", j >> 15,
                                    j >> 7 & 255, 2 * j & 255);
        err = haccess_add(access, HACCESS_DENY, many, text, sizeof(text));
    }
    assert_int_equal(err, -ENOBUFS);
    assert_int_equal(haccess_count(access), HACCESS_RULES_MAX);
    haccess_free(access);
}

static int scenario(void *arg)
{
    haccess_t *access;
    int err = haccess_new(&access);

    (void)arg;
    if (err < 0)
        return err;
    for (int i = 0; err == 0 && i < 40; i++) {
        char text[64];

        snprintf(text, sizeof(text), "10.0.%d.1 10.%d.0-1.*", i * 2, i);
        err = haccess_add(access, HACCESS_ALLOW, text, NULL, 0);
    }
    if (err == 0)
        err = haccess_add(access, HACCESS_DENY, "localhost", NULL, 0);
    if (err == 0)
        assert_true(may(access, "10.0.78.1"));
    haccess_free(access);
    return err;
}

static void memory_may_end_at_any_time(void **state)
{
    (void)state;
    oom_run(scenario, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_a_list_everyone_may_come),
        cmocka_unit_test(addresses_and_blocks_are_matched),
        cmocka_unit_test(octets_may_be_ranges),
        cmocka_unit_test(names_are_resolved_when_they_are_added),
        cmocka_unit_test(who_is_denied_is_denied_even_if_allowed),
        cmocka_unit_test(overlapping_blocks_become_one),
        cmocka_unit_test(many_blocks_are_searched_right),
        cmocka_unit_test(what_is_no_rule_is_refused),
        cmocka_unit_test(files_have_comments_and_lists),
        cmocka_unit_test(files_that_are_wrong_say_where),
        cmocka_unit_test(an_empty_file_of_the_allowed_allows_nobody),
        cmocka_unit_test(unix_sockets_may_always_come),
        cmocka_unit_test(there_is_a_maximum_of_rules),
        cmocka_unit_test(memory_may_end_at_any_time),
    };

    return cmocka_run_group_tests_name("haccess", tests, NULL, NULL);
}
