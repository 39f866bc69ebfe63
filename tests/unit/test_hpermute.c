/* One thread. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/hpermute.h"

static void each_number_comes_once(uint64_t n, uint64_t seed)
{
    unsigned char *seen = calloc(n, 1);
    hpermute_t permute;

    hpermute_init(&permute, n, seed);
    for (uint64_t i = 0; i < n; i++) {
        uint64_t x = hpermute_at(&permute, i);

        assert_true(x < n);
        assert_int_equal(seen[x]++, 0);
    }
    free(seen);
}

static void every_small_space_is_met_once(void **state)
{
    (void)state;
    for (uint64_t n = 1; n <= 300; n++)
        for (uint64_t seed = 0; seed < 5; seed++)
            each_number_comes_once(n, seed);
}

static void odd_spaces_are_met_once(void **state)
{
    static const uint64_t sizes[] = {1000,  1023,  1024,  1025,   4097,   10007,
                                     65535, 65536, 65537, 100003, 524287, 1048577};

    (void)state;
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
        each_number_comes_once(sizes[i], 0xfeedULL + i);
}

/* Of a space that is too large to be counted: no repetition among some, and all within. */
static int compare(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return (x > y) - (x < y);
}

static void large_spaces_hold_and_do_not_repeat(void **state)
{
    static const uint64_t sizes[] = {UINT64_C(1) << 32, (UINT64_C(1) << 32) + 1, UINT64_C(1) << 40,
                                     UINT64_C(1) << 63, (UINT64_C(1) << 63) + 1, UINT64_MAX};
    enum { samples = 20000 };
    uint64_t *met = malloc(samples * sizeof(*met));

    (void)state;
    for (size_t s = 0; s < sizeof(sizes) / sizeof(sizes[0]); s++) {
        hpermute_t permute;

        hpermute_init(&permute, sizes[s], 7);
        for (uint64_t i = 0; i < samples; i++) {
            /* the first ones, and the last ones */
            met[i] = hpermute_at(&permute, i % 2 == 0 ? i : sizes[s] - i);
            assert_true(met[i] < sizes[s]);
        }
        qsort(met, samples, sizeof(*met), compare);
        for (size_t i = 1; i < samples; i++)
            assert_true(met[i] != met[i - 1]);
    }
    free(met);
}

static void a_seed_has_one_order_and_another_seed_another(void **state)
{
    hpermute_t a, b, c;
    unsigned same = 0;

    (void)state;
    hpermute_init(&a, 100000, 1);
    hpermute_init(&b, 100000, 1);
    hpermute_init(&c, 100000, 2);
    for (uint64_t i = 0; i < 1000; i++) {
        assert_true(hpermute_at(&a, i) == hpermute_at(&b, i));
        same += hpermute_at(&a, i) == hpermute_at(&c, i);
    }
    assert_true(same < 5);
}

/* Numbers that follow one another go to places that say nothing of each other: in each of 16 equal
 * parts of the space, and at each of 16 distances to the one before, there are about as many. The
 * limit is far beyond what chance does (chi squared of 15 degrees of freedom: 60 is 1 in 3e6). */
static void neighbours_scatter(void **state)
{
    static const uint64_t sizes[] = {65536, 65537, 1000003, UINT64_C(1) << 24, UINT64_MAX};

    (void)state;
    for (size_t s = 0; s < sizeof(sizes) / sizeof(sizes[0]); s++) {
        unsigned places[16] = {0}, distances[16] = {0};
        const unsigned samples = 16000;
        uint64_t before = 0, part = sizes[s] / 16 + 1;
        double place_error = 0, distance_error = 0;
        hpermute_t permute;

        hpermute_init(&permute, sizes[s], 12345 + s);
        for (unsigned i = 0; i < samples; i++) {
            uint64_t x = hpermute_at(&permute, i);
            uint64_t distance = x >= before ? x - before : sizes[s] - (before - x);

            places[x / part]++;
            distances[distance / part]++;
            before = x;
        }
        for (unsigned i = 0; i < 16; i++) {
            double place = places[i] - samples / 16.0, distance = distances[i] - samples / 16.0;

            place_error += place * place / (samples / 16.0);
            distance_error += distance * distance / (samples / 16.0);
        }
        assert_true(place_error < 60);
        assert_true(distance_error < 60);
    }
}

/* In a small space, too, every number comes first for about as many seeds as any other. */
static void a_small_space_has_no_favourite(void **state)
{
    (void)state;
    for (uint64_t n = 2; n <= 40; n++) {
        unsigned first[40] = {0}, last[40] = {0};
        const unsigned per_number = 400;

        for (uint64_t seed = 0; seed < n * per_number; seed++) {
            hpermute_t permute;

            hpermute_init(&permute, n, seed);
            first[hpermute_at(&permute, 0)]++;
            last[hpermute_at(&permute, n - 1)]++;
        }
        for (uint64_t i = 0; i < n; i++) {
            /* within six standard deviations */
            assert_in_range(first[i], per_number - 120, per_number + 120);
            assert_in_range(last[i], per_number - 120, per_number + 120);
        }
    }
}

static void nothing_has_no_order(void **state)
{
    hpermute_t permute;

    (void)state;
    hpermute_init(&permute, 0, 1);
    assert_true(permute.n == 0);
    hpermute_init(&permute, 1, 1);
    assert_true(hpermute_at(&permute, 0) == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_small_space_is_met_once),
        cmocka_unit_test(odd_spaces_are_met_once),
        cmocka_unit_test(large_spaces_hold_and_do_not_repeat),
        cmocka_unit_test(a_seed_has_one_order_and_another_seed_another),
        cmocka_unit_test(neighbours_scatter),
        cmocka_unit_test(a_small_space_has_no_favourite),
        cmocka_unit_test(nothing_has_no_order),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
