/* One thread. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/hhistogram.h"

#include <stdlib.h>
#include <string.h>

#define MANY 10000

static hhistogram_t *new_histogram(void)
{
    hhistogram_t *h = calloc(1, sizeof(*h));

    assert_non_null(h);
    return h;
}

static void an_empty_one_tells_nothing(void **state)
{
    hhistogram_t *h = new_histogram();

    (void)state;
    assert_int_equal(h->count, 0);
    assert_int_equal(hhistogram_percentile(h, 0), 0);
    assert_int_equal(hhistogram_percentile(h, 50), 0);
    assert_int_equal(hhistogram_percentile(h, 100), 0);
    assert_int_equal(hhistogram_up_to(h, 1000), 0);
    assert_true(hhistogram_mean(h) == 0);
    free(h);
}

static void small_numbers_are_exact(void **state)
{
    hhistogram_t *h = new_histogram();

    (void)state;
    for (uint64_t value = 1; value <= 200; value++)
        hhistogram_add(h, value);
    assert_int_equal(h->count, 200);
    assert_int_equal(h->min, 1);
    assert_int_equal(h->max, 200);
    assert_int_equal(hhistogram_percentile(h, 0), 1);
    assert_int_equal(hhistogram_percentile(h, 50), 100);
    assert_int_equal(hhistogram_percentile(h, 75), 150);
    assert_int_equal(hhistogram_percentile(h, 99), 198);
    assert_int_equal(hhistogram_percentile(h, 99.9), 200);
    assert_int_equal(hhistogram_percentile(h, 100), 200);
    assert_int_equal(hhistogram_up_to(h, 0), 0);
    assert_int_equal(hhistogram_up_to(h, 17), 17);
    assert_true(hhistogram_mean(h) == 100.5);
    free(h);
}

/* Alone in it, with a larger one, a number is told as it is or less than 1/128 higher. */
static void assert_exact_enough(uint64_t value)
{
    hhistogram_t *h = new_histogram();
    uint64_t told;

    hhistogram_add(h, value);
    hhistogram_add(h, HHISTOGRAM_VALUE_MAX);
    told = hhistogram_percentile(h, 50);
    assert_true(told >= value);
    assert_true(told - value <= value / 128);
    assert_true(hhistogram_up_to(h, value) >= 1);
    assert_true(value == 0 || hhistogram_up_to(h, value - value / 64 - 1) == 0);
    free(h);
}

static void every_size_is_told_to_a_hundredth(void **state)
{
    (void)state;
    assert_exact_enough(0);
    for (unsigned bit = 0; bit < HHISTOGRAM_BITS; bit++) {
        uint64_t value = (uint64_t)1 << bit;

        assert_exact_enough(value - 1);
        assert_exact_enough(value);
        assert_exact_enough(value + value / 3);
    }
}

static void what_is_too_large_is_counted_last(void **state)
{
    hhistogram_t *h = new_histogram();

    (void)state;
    hhistogram_add(h, 5);
    hhistogram_add(h, UINT64_MAX / 4);
    assert_int_equal(h->max, UINT64_MAX / 4);
    assert_int_equal(hhistogram_percentile(h, 50), 5);
    assert_int_equal(hhistogram_percentile(h, 100), UINT64_MAX / 4);
    assert_int_equal(hhistogram_up_to(h, UINT64_MAX), 2);
    free(h);
}

static int compare(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return x < y ? -1 : x > y;
}

static void percentiles_are_those_of_the_sorted_numbers(void **state)
{
    uint64_t *values = calloc(MANY, sizeof(*values)), seed = 88172645463325252ULL;
    hhistogram_t *h = new_histogram();

    (void)state;
    assert_non_null(values);
    for (size_t i = 0; i < MANY; i++) {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        values[i] = seed >> (28 + seed % 36);
        hhistogram_add(h, values[i]);
    }
    qsort(values, MANY, sizeof(*values), compare);
    for (size_t i = 1; i <= 100; i++) {
        uint64_t told = hhistogram_percentile(h, (double)i), true_one = values[i * MANY / 100 - 1];

        assert_true(told >= true_one);
        assert_true(told - true_one <= true_one / 128);
    }
    free(h);
    free(values);
}

static void two_are_one_after_a_merge(void **state)
{
    hhistogram_t *all = new_histogram(), *odd = new_histogram(), *even = new_histogram();

    (void)state;
    for (uint64_t value = 10; value < MANY; value++) {
        hhistogram_add(all, value * value);
        hhistogram_add(value % 2 ? odd : even, value * value);
    }
    hhistogram_merge(odd, even);
    assert_memory_equal(odd, all, sizeof(*all));
    memset(even, 0, sizeof(*even));
    hhistogram_merge(odd, even);
    assert_memory_equal(odd, all, sizeof(*all));
    hhistogram_merge(even, all);
    assert_memory_equal(even, all, sizeof(*all));
    free(all);
    free(odd);
    free(even);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_one_tells_nothing),
        cmocka_unit_test(small_numbers_are_exact),
        cmocka_unit_test(every_size_is_told_to_a_hundredth),
        cmocka_unit_test(what_is_too_large_is_counted_last),
        cmocka_unit_test(percentiles_are_those_of_the_sorted_numbers),
        cmocka_unit_test(two_are_one_after_a_merge),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
