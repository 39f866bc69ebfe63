/* One thread. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/herr.h"
#include "net/htos.h"

static void words_and_numbers_are_known(void **state)
{
    (void)state;
    assert_int_equal(htos_parse("lowdelay"), 0x10);
    assert_int_equal(htos_parse("EF"), 0xb8);
    assert_int_equal(htos_parse("af21"), 0x48);
    assert_int_equal(htos_parse("CS7"), 0xe0);
    assert_int_equal(htos_parse("LE"), 0x04);
    assert_int_equal(htos_parse("VOICE-ADMIT"), 0xb0);
    assert_int_equal(htos_parse("CE"), 3);
    assert_int_equal(htos_parse("ECT0"), 2);
    assert_int_equal(htos_parse("ECT1"), 1);
    assert_int_equal(htos_parse("MINCOST"), 2);
    assert_int_equal(htos_parse("0"), 0);
    assert_int_equal(htos_parse("255"), 255);
    assert_int_equal(htos_parse("0x10"), 16);
}

static void anything_else_is_refused(void **state)
{
    (void)state;
    assert_int_equal(htos_parse("256"), HERR_RANGE);
    assert_int_equal(htos_parse("0x100"), HERR_RANGE);
    assert_int_equal(htos_parse(""), HERR_SYNTAX);
    assert_int_equal(htos_parse("-1"), HERR_SYNTAX);
    assert_int_equal(htos_parse("0x"), HERR_SYNTAX);
    assert_int_equal(htos_parse("fast"), HERR_SYNTAX);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_and_numbers_are_known),
        cmocka_unit_test(anything_else_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
