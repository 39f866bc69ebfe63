/* One thread. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "codec/http_chars.h"

#define TEXT_MAX 100 /* three steps of the widest implementation, and a rest */

static bool is_alnum(int c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_one_of(int c, const char *text)
{
    return c != 0 && c < 0x80 && strchr(text, c);
}

static bool not_line(int c)
{
    return (c < ' ' && c != '\t') || c == 0x7f;
}

static bool not_token(int c)
{
    return !is_alnum(c) && !is_one_of(c, "!#$%&'*+-.^_`|~");
}

static bool not_target(int c)
{
    return c <= ' ' || c >= 0x7f || is_one_of(c, "\"<>#");
}

static bool not_any_target(int c)
{
    return c <= ' ' || c == 0x7f;
}

static bool not_name(int c)
{
    return !is_alnum(c) && !is_one_of(c, "-._~%!$&'()*+,;=");
}

static const struct {
    const http_chars_t *set;
    bool (*has)(int c);
} sets[] = {{&http_not_line, not_line},
            {&http_not_token, not_token},
            {&http_not_target, not_target},
            {&http_not_any_target, not_any_target},
            {&http_not_name, not_name}};

#define SETS (sizeof(sets) / sizeof(sets[0]))

/* Every byte, at every place of a text of every length, which ends where its memory does. */
static void find_everywhere(http_find_cb find, size_t which, size_t len)
{
    char *text = malloc(len ? len : 1);

    assert_non_null(text);
    memset(text, 'a', len);
    assert_ptr_equal(find(text, text + len, sets[which].set), text + len);
    for (size_t at = 0; at < len; at++) {
        for (int c = 0; c < 256; c++) {
            text[at] = (char)c;
            assert_ptr_equal(find(text, text + len, sets[which].set),
                             text + (sets[which].has(c) ? at : len));
        }
        text[at] = 'a';
    }
    free(text);
}

static void every_implementation_follows_the_grammar(void **state)
{
    int tested = 0;

    (void)state;
    for (int i = 0; i < HTTP_FIND_COUNT; i++) {
        http_find_cb find = http_find_of((http_find_e)i);

        if (!find)
            continue;
        tested++;
        for (size_t which = 0; which < SETS; which++) {
            for (size_t len = 0; len <= TEXT_MAX; len++)
                find_everywhere(find, which, len);
        }
    }
    assert_true(tested > 0);
}

static void the_first_of_many_is_found(void **state)
{
    char text[TEXT_MAX];

    (void)state;
    memset(text, '\r', sizeof(text));
    for (size_t at = 0; at < sizeof(text); at++) {
        for (int i = 0; i < HTTP_FIND_COUNT; i++) {
            http_find_cb find = http_find_of((http_find_e)i);

            if (find)
                assert_ptr_equal(find(text, text + sizeof(text), &http_not_line), text + at);
        }
        text[at] = 'a';
    }
}

static void the_best_is_one_of_them(void **state)
{
    http_find_cb best = http_find_best();
    bool found = false;

    (void)state;
    for (int i = 0; i < HTTP_FIND_COUNT; i++)
        found |= http_find_of((http_find_e)i) == best;
    assert_true(best && found);
    assert_non_null(http_find_of(HTTP_FIND_PLAIN));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_implementation_follows_the_grammar),
        cmocka_unit_test(the_first_of_many_is_found),
        cmocka_unit_test(the_best_is_one_of_them),
    };

    return cmocka_run_group_tests_name("http_chars", tests, NULL, NULL);
}
