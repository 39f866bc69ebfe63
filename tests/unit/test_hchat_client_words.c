/* One thread. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../../cmd/hchat/client_words.h"

/* Nothing lies behind the line. */
static void learn(words_t *words, const char *line)
{
    size_t len = strlen(line);
    char *copy = malloc(len ? len : 1);

    assert_non_null(copy);
    memcpy(copy, line, len);
    words_learn(words, copy, len);
    free(copy);
}

static void names_are_those_that_were_seen_last(void **state)
{
    static const char *const lines[] = {
        "<bob> hi",
        "<ann -> me> hi",
        "* eve has joined lobby",
        "* x is now Bill",
        "<bob> again",
        "[12:34] <stan> hi",
        "<noend",
        "<",
        "*",
        "* ",
        "",
        "* is now ",
        "<a\033b> x",
        "[12:34] ",
        "* in lobby (1): x",
    };
    static const char *const wanted[] = {"stan", "bob", "Bill", "eve", "ann", NULL};
    static words_t words;

    (void)state;
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
        learn(&words, lines[i]);
    for (size_t i = 0; wanted[i]; i++)
        assert_string_equal(words_find(&words, "", i), wanted[i]);
    assert_null(words_find(&words, "", 5));
    assert_string_equal(words_find(&words, "B", 1), "Bill");
    assert_null(words_find(&words, "bo", 1));
}

static void names_are_bounded(void **state)
{
    static words_t words;
    char line[64];

    (void)state;
    for (int i = 0; i < 3 * WORDS_NAMES_MAX; i++) {
        snprintf(line, sizeof(line), "<n%d> hi", i);
        learn(&words, line);
    }
    assert_string_equal(words_find(&words, "n", 0), "n191");
    assert_string_equal(words_find(&words, "n", WORDS_NAMES_MAX - 1), "n128");
    assert_null(words_find(&words, "n", WORDS_NAMES_MAX));
}

static void commands_are_known(void **state)
{
    static words_t words;

    (void)state;
    assert_string_equal(words_find(&words, "/NI", 0), "/nick");
    assert_null(words_find(&words, "/ni", 1));
    assert_null(words_find(&words, "/nothing", 0));
    assert_non_null(words_find(&words, "/", 5));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_those_that_were_seen_last),
        cmocka_unit_test(names_are_bounded),
        cmocka_unit_test(commands_are_known),
    };

    return cmocka_run_group_tests_name("hchat_client_words", tests, NULL, NULL);
}
