/* One thread. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "proto/http_public_suffix.h"

static bool is_public(const char *domain)
{
    return http_public_suffix(domain, NULL);
}

static void names_of_one_label_are(void **state)
{
    (void)state;
    assert_true(is_public("com"));
    assert_true(is_public("com."));
    assert_true(is_public("nowhere"));
    assert_true(is_public(""));
    assert_true(is_public("."));
    assert_false(is_public("example.com"));
    assert_false(is_public("example.com."));
    assert_false(is_public("localhost"));
}

static void the_list_knows_more(void **state)
{
    (void)state;
    if (!http_public_suffix_has_list())
        skip();
    assert_true(is_public("co.uk"));
    assert_true(is_public("co.uk."));
    assert_true(is_public("github.io"));
    assert_false(is_public("example.co.uk"));
    assert_true(is_public("example.ck"));
    assert_false(is_public("www.ck"));
}

static void what_is_too_long_is(void **state)
{
    char name[300];

    (void)state;
    memset(name, 'a', sizeof(name));
    name[1] = '.';
    name[sizeof(name) - 1] = '\0';
    assert_true(is_public(name));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_of_one_label_are),
        cmocka_unit_test(the_list_knows_more),
        cmocka_unit_test(what_is_too_long_is),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
