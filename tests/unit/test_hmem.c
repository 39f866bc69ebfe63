/* One thread. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "oom.h"

static void zeroed_memory_is_zero_with_any_allocator(void **state)
{
    static const char zeros[100];
    oom_t oom;
    char *p;

    (void)state;
    p = hmem_zalloc(sizeof(zeros));
    assert_memory_equal(p, zeros, sizeof(zeros));
    hmem_free(p);
    oom_begin(&oom, 0, false);
    p = hmem_alloc(sizeof(zeros));
    memset(p, 0xaa, sizeof(zeros));
    hmem_free(p);
    p = hmem_zalloc(sizeof(zeros));
    assert_memory_equal(p, zeros, sizeof(zeros));
    hmem_free(p);
    p = hmem_array(10, 10);
    assert_memory_equal(p, zeros, sizeof(zeros));
    hmem_free(p);
    oom_end();
    assert_int_equal(oom.count, 3);
    assert_int_equal(oom.live, 0);
}

static void nothing_is_still_a_pointer(void **state)
{
    void *a = hmem_alloc(0), *b = hmem_zalloc(0), *c = hmem_array(0, 8), *d = hmem_array(8, 0);

    (void)state;
    assert_non_null(a);
    assert_non_null(b);
    assert_non_null(c);
    assert_non_null(d);
    a = hmem_realloc(a, 0);
    assert_non_null(a);
    hmem_free(a);
    hmem_free(b);
    hmem_free(c);
    hmem_free(d);
    hmem_free(NULL);
}

static void a_line_begins_within_what_is_allocated_for_it(void **state)
{
    char memory[2 * HMEM_LINE];

    (void)state;
    for (size_t skew = 0; skew < HMEM_LINE; skew++) {
        char *line = hmem_at_line(memory + skew);

        assert_int_equal((uintptr_t)line % HMEM_LINE, 0);
        assert_in_range(line - (memory + skew), 0, HMEM_LINE - 1);
    }
}

static void array_refuses_a_size_that_overflows(void **state)
{
    (void)state;
    assert_null(hmem_array(SIZE_MAX / 8 + 1, 8));
    assert_null(hmem_array(2, SIZE_MAX / 2 + 1));
}

static void realloc_keeps_the_content_and_takes_null(void **state)
{
    char *p = hmem_realloc(NULL, 4);

    (void)state;
    memcpy(p, "abc", 4);
    p = hmem_realloc(p, 100000);
    assert_string_equal(p, "abc");
    hmem_free(p);
}

static void a_copy_of_a_string_is_terminated(void **state)
{
    char *copy = hmem_strdup("hello"), *empty = hmem_strdup("");
    char *part = hmem_strndup("hello", 4), *nothing = hmem_strndup(NULL, 0);

    (void)state;
    assert_string_equal(copy, "hello");
    assert_string_equal(empty, "");
    assert_string_equal(part, "hell");
    assert_string_equal(nothing, "");
    hmem_free(part);
    hmem_free(nothing);
    hmem_free(copy);
    hmem_free(empty);
}

static int use_everything(void *arg)
{
    void *blocks[5] = {NULL};
    void *grown;
    int err = -ENOMEM;

    (void)arg;
    if (!(blocks[0] = hmem_alloc(10)) || !(blocks[1] = hmem_zalloc(10)) ||
        !(blocks[2] = hmem_array(2, 10)) || !(blocks[3] = hmem_strdup("x")) ||
        !(blocks[4] = hmem_realloc(NULL, 5)))
        goto cleanup;
    grown = hmem_realloc(blocks[4], 50);
    if (!grown)
        goto cleanup;
    blocks[4] = grown;
    err = 0;
cleanup:
    for (size_t i = 0; i < 5; i++)
        hmem_free(blocks[i]);
    return err;
}

static void every_function_fails_when_out_of_memory(void **state)
{
    (void)state;
    oom_run(use_everything, NULL);
    assert_int_equal(oom_run_pass(use_everything, NULL, false), 6);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(zeroed_memory_is_zero_with_any_allocator),
        cmocka_unit_test(nothing_is_still_a_pointer),
        cmocka_unit_test(a_line_begins_within_what_is_allocated_for_it),
        cmocka_unit_test(array_refuses_a_size_that_overflows),
        cmocka_unit_test(realloc_keeps_the_content_and_takes_null),
        cmocka_unit_test(a_copy_of_a_string_is_terminated),
        cmocka_unit_test(every_function_fails_when_out_of_memory),
    };

    return cmocka_run_group_tests_name("hmem", tests, NULL, NULL);
}
