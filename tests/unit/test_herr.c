/* One thread. */
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/herr.h"

static void system_errors_have_their_text_and_name(void **state)
{
    (void)state;
    assert_string_equal(herr_str(-ECONNREFUSED), "Connection refused");
    assert_string_equal(herr_name(-ECONNREFUSED), "ECONNREFUSED");
    assert_string_equal(herr_str(-ENOMEM), "Cannot allocate memory");
    assert_string_equal(herr_name(-ENOMEM), "ENOMEM");
}

static void own_errors_have_a_text_and_a_name_each(void **state)
{
    (void)state;
    for (int err = HERR_PIN; err <= HERR_CLOSED; err++) {
        assert_string_not_equal(herr_str(err), "Unknown error");
        assert_memory_equal(herr_name(err), "HERR_", 5);
        for (int other = err + 1; other <= HERR_CLOSED; other++) {
            assert_string_not_equal(herr_str(err), herr_str(other));
            assert_string_not_equal(herr_name(err), herr_name(other));
        }
    }
    assert_string_equal(herr_name(HERR_FRAME_SIZE), "HERR_FRAME_SIZE");
}

static void zero_is_success(void **state)
{
    (void)state;
    assert_string_equal(herr_str(0), "Success");
    assert_string_equal(herr_name(0), "HERR_OK");
}

static void what_is_no_error_code_is_unknown(void **state)
{
    const int codes[] = {1,     ECONNREFUSED, -4000,   -4095,  -4096,
                         -5000, HERR_PIN - 1, INT_MIN, INT_MAX};

    (void)state;
    for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
        assert_string_equal(herr_str(codes[i]), "Unknown error");
        assert_string_equal(herr_name(codes[i]), "UNKNOWN");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(system_errors_have_their_text_and_name),
        cmocka_unit_test(own_errors_have_a_text_and_a_name_each),
        cmocka_unit_test(zero_is_success),
        cmocka_unit_test(what_is_no_error_code_is_unknown),
    };

    return cmocka_run_group_tests_name("herr", tests, NULL, NULL);
}
