/* One thread. */
#include "base/hlib.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
/* cmocka wants the three above before it */
#include <cmocka.h>
#include <math.h>

typedef struct math_lib_s {
    HLIB_FUNCTION(cbrt);
    HLIB_FUNCTION(floor);
} math_lib_t;

static const hlib_symbol_t symbols[] = {
    HLIB_SYMBOL(math_lib_t, cbrt),
    HLIB_SYMBOL(math_lib_t, floor),
};

static void test_functions_of_a_library_are_called_through_the_table(void **state)
{
    static const char *const files[] = {"libm.so.6", NULL};
    math_lib_t math = {0};
    hlib_t lib = {files, symbols, 2, &math, PTHREAD_MUTEX_INITIALIZER, 0, ""};

    (void)state;
    assert_int_equal(hlib_load(&lib), 0);
    assert_int_equal(hlib_load(&lib), 0);
    assert_string_equal(hlib_error(&lib), "");
    assert_true(math.floor(math.cbrt(27.5)) == 3.0);
}

static void test_a_missing_file_is_named_and_stays_missing(void **state)
{
    static const char *const files[] = {"libnowhere.so.7", NULL};
    math_lib_t math = {0};
    hlib_t lib = {files, symbols, 2, &math, PTHREAD_MUTEX_INITIALIZER, 0, ""};

    (void)state;
    assert_int_equal(hlib_load(&lib), HERR_UNSUPPORTED);
    assert_non_null(strstr(hlib_error(&lib), "libnowhere.so.7"));
    assert_int_equal(hlib_load(&lib), HERR_UNSUPPORTED);
}

static void test_a_missing_symbol_is_named(void **state)
{
    static const char *const files[] = {"libm.so.6", NULL};
    static const hlib_symbol_t wrong[] = {{"no_such_function", 0}};
    math_lib_t math = {0};
    hlib_t lib = {files, wrong, 1, &math, PTHREAD_MUTEX_INITIALIZER, 0, ""};

    (void)state;
    assert_int_equal(hlib_load(&lib), HERR_UNSUPPORTED);
    assert_non_null(strstr(hlib_error(&lib), "no_such_function"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_functions_of_a_library_are_called_through_the_table),
        cmocka_unit_test(test_a_missing_file_is_named_and_stays_missing),
        cmocka_unit_test(test_a_missing_symbol_is_named),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
