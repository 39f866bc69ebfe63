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
#include "base/hnetrc.h"

/* NULL: the entry has none. */
static void finds(const char *text, const char *host, const char *user, const char *login,
                  const char *password)
{
    hnetrc_t found;

    assert_int_equal(hnetrc_find(text, strlen(text), host, user, &found), 1);
    assert_int_equal(found.has_login, login != NULL);
    assert_int_equal(found.has_password, password != NULL);
    assert_string_equal(found.login, login ? login : "");
    assert_string_equal(found.password, password ? password : "");
}

static void finds_nothing(const char *text, const char *host, const char *user, int result)
{
    hnetrc_t found;

    assert_int_equal(hnetrc_find(text, strlen(text), host, user, &found), result);
    assert_false(found.has_login || found.has_password);
    assert_string_equal(found.login, "");
    assert_string_equal(found.password, "");
}

#define TWO                                                                                        \
    "machine a.test login ann password one\r\n"                                                    \
    "MACHINE b.test\n\tLogin bob\n\tPassword two\n\taccount login\n"

static void the_entry_of_the_host_counts(void **state)
{
    (void)state;
    finds(TWO, "a.test", NULL, "ann", "one");
    finds(TWO, "A.TEST", "", "ann", "one");
    finds(TWO, "b.test", NULL, "bob", "two");
    finds_nothing(TWO, "c.test", NULL, 0);
    finds_nothing("", "a", NULL, 0);
    finds(TWO "default login any password thing", "c.test", NULL, "any", "thing");
    finds("machine a password x", "a", NULL, NULL, "x");
    finds("machine a login x", "a", NULL, "x", NULL);
    finds("machine a machine a account z machine a login x", "a", NULL, "x", NULL);
}

#define USERS                                                                                      \
    "machine a login ann password one machine a login bob machine a login bob password two "       \
    "machine a password three"

static void a_user_chooses_among_the_entries(void **state)
{
    (void)state;
    finds(USERS, "a", "bob", "bob", "two");
    finds(USERS, "a", "ann", "ann", "one");
    finds(USERS, "a", "eve", "eve", "three");
    finds(USERS, "a", NULL, "ann", "one");
    finds_nothing("machine a login ann password one", "a", "Ann", 0);
}

static void quoted_words_may_hold_anything(void **state)
{
    (void)state;
    finds("machine a login \"my name\" password \"a\\\"b\\\\\\n\\t\\r\\x#\"", "a", NULL, "my name",
          "a\"b\\\n\t\rx#");
    finds("machine \"a\" login \"machine\" password \"\"", "a", NULL, "machine", "");
    finds("\"machine\" b machine a login x", "a", NULL, "x", NULL);
    finds_nothing("machine a login \"x", "a", NULL, HERR_SYNTAX);
    finds_nothing("machine a login \"x\\", "a", NULL, HERR_SYNTAX);
    finds_nothing("\"", "a", NULL, HERR_SYNTAX);
    finds("machine a login x machine b password \"", "a", NULL, "x", NULL);
}

static void comments_and_macros_are_skipped(void **state)
{
    (void)state;
    finds("# machine a login no\n  #more\nmachine a # login yes\nlogin x#y password #z\n", "a",
          NULL, "x#y", "#z");
    finds("macdef init\nmachine a login no\nend\n\nmachine a login yes\n", "a", NULL, "yes", NULL);
    finds("macdef init\r\nmachine a login no\r\n\r\nmachine a login yes\r\n", "a", NULL, "yes",
          NULL);
    finds_nothing("macdef init\nmachine a login no", "a", NULL, 0);
    finds_nothing("machine a macdef x\nlogin y\n\nlogin z", "a", NULL, 0);
}

static void words_that_mean_nothing_are_skipped(void **state)
{
    (void)state;
    finds("what is machine a this login x or password y", "a", NULL, "x", "y");
    finds("machine a login login password password", "a", NULL, "login", "password");
    finds_nothing("machine", "a", NULL, 0);
    finds_nothing("machine a login", "a", NULL, 0);
    finds_nothing("login x password y machine b", "a", NULL, 0);
}

static void values_have_an_end(void **state)
{
    char text[HNETRC_VALUE_SIZE + 64] = "machine a login ";
    size_t at = strlen(text);
    hnetrc_t found;

    (void)state;
    memset(text + at, 'x', HNETRC_VALUE_SIZE);
    assert_int_equal(hnetrc_find(text, at + HNETRC_VALUE_SIZE - 1, "a", NULL, &found), 1);
    assert_int_equal(strlen(found.login), HNETRC_VALUE_SIZE - 1);
    assert_int_equal(hnetrc_find(text, at + HNETRC_VALUE_SIZE, "a", NULL, &found), HERR_SYNTAX);
    text[at] = '\0';
    assert_int_equal(hnetrc_find(text, at + 1, "a", NULL, &found), HERR_SYNTAX);
    memset(text, 'u', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    assert_int_equal(hnetrc_find("machine a password x", 20, "a", text, &found), HERR_SYNTAX);
}

/* Cut anywhere, the text is read to its new end and no further. */
static void every_truncation_is_read(void **state)
{
    static const char text[] = TWO "macdef m\nx\n\ndefault login \"a\\nb\" password \"c\" # d\n";

    (void)state;
    for (size_t len = 0; len < sizeof(text); len++) {
        char *copy = malloc(len ? len : 1);
        hnetrc_t found;

        assert_non_null(copy);
        memcpy(copy, text, len);
        assert_true(hnetrc_find(copy, len, "b.test", NULL, &found) <= 1);
        assert_true(hnetrc_find(copy, len, "z", "u", &found) <= 1);
        free(copy);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_entry_of_the_host_counts),
        cmocka_unit_test(a_user_chooses_among_the_entries),
        cmocka_unit_test(quoted_words_may_hold_anything),
        cmocka_unit_test(comments_and_macros_are_skipped),
        cmocka_unit_test(words_that_mean_nothing_are_skipped),
        cmocka_unit_test(values_have_an_end),
        cmocka_unit_test(every_truncation_is_read),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
