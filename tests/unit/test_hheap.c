/* One thread. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/hheap.h"
#include "oom.h"

#include <stdlib.h>

#define MANY 20000

/* Reproducible numbers. */
static uint64_t next_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

static void push(hheap_t *heap, uint64_t key, uint32_t order, uint32_t slot)
{
    assert_int_equal(hheap_reserve(heap, 1), 0);
    hheap_push(heap, (hheap_entry_t){key, order, slot});
}

static void assert_pops_in_order(hheap_t *heap, size_t n)
{
    hheap_entry_t last = {0}, entry;

    for (size_t i = 0; i < n; i++) {
        const hheap_entry_t *top = hheap_top(heap);
        uint32_t slot = top->slot;

        entry = hheap_pop(heap);
        assert_int_equal(entry.slot, slot);
        if (i > 0)
            assert_false(hheap_before(&entry, &last));
        last = entry;
    }
    assert_int_equal(heap->n, 0);
}

static void entries_come_out_by_key(void **state)
{
    hheap_t heap = {0};
    uint64_t seed = 88172645463325252ULL;

    (void)state;
    for (uint32_t i = 0; i < MANY; i++)
        push(&heap, next_random(&seed) % 1000, i, i);
    assert_int_equal(heap.n, MANY);
    assert_pops_in_order(&heap, MANY);
    hheap_deinit(&heap);
}

static void equal_keys_come_out_by_order(void **state)
{
    hheap_t heap = {0};

    (void)state;
    for (uint32_t i = 0; i < 1000; i++)
        push(&heap, 7, i, i);
    for (uint32_t i = 0; i < 1000; i++)
        assert_int_equal(hheap_pop(&heap).slot, i);
    hheap_deinit(&heap);
}

static void order_may_wrap_around(void **state)
{
    hheap_t heap = {0};
    uint32_t order = UINT32_MAX - 50;

    (void)state;
    for (uint32_t i = 0; i < 100; i++)
        push(&heap, 7, order + i, i);
    for (uint32_t i = 0; i < 100; i++)
        assert_int_equal(hheap_pop(&heap).slot, i);
    hheap_deinit(&heap);
}

static void extreme_keys_are_ordered(void **state)
{
    hheap_t heap = {0};

    (void)state;
    push(&heap, UINT64_MAX, 1, 1);
    push(&heap, 0, 2, 2);
    push(&heap, UINT64_MAX - 1, 3, 3);
    assert_int_equal(hheap_pop(&heap).slot, 2);
    assert_int_equal(hheap_pop(&heap).slot, 3);
    assert_int_equal(hheap_pop(&heap).slot, 1);
    hheap_deinit(&heap);
}

/* Push and pop by turns against a sorted array. */
static void pushes_and_pops_agree_with_a_model(void **state)
{
    enum { SIZE = 300 };
    hheap_t heap = {0};
    hheap_entry_t model[SIZE];
    size_t n = 0;
    uint64_t seed = 42;

    (void)state;
    for (uint32_t i = 0; i < 20000; i++) {
        if (n < SIZE && (n == 0 || next_random(&seed) % 100 < 55)) {
            hheap_entry_t entry = {next_random(&seed) % 64, i, i};
            size_t at = n++;

            for (; at > 0 && hheap_before(&entry, &model[at - 1]); at--)
                model[at] = model[at - 1];
            model[at] = entry;
            push(&heap, entry.key, entry.order, entry.slot);
        } else {
            assert_int_equal(hheap_pop(&heap).slot, model[0].slot);
            memmove(model, model + 1, --n * sizeof(model[0]));
        }
        assert_int_equal(heap.n, n);
    }
    hheap_deinit(&heap);
}

static void rebuild_makes_a_heap_of_any_array(void **state)
{
    (void)state;
    for (size_t n = 0; n < 200; n++) {
        hheap_t heap = {0};
        uint64_t seed = n + 1;

        assert_int_equal(hheap_reserve(&heap, n + 1), 0);
        for (size_t i = 0; i < n; i++)
            heap.entries[i] = (hheap_entry_t){next_random(&seed) % 50, (uint32_t)i, (uint32_t)i};
        heap.n = n;
        hheap_rebuild(&heap);
        assert_pops_in_order(&heap, n);
        hheap_deinit(&heap);
    }
}

static int compare(const void *a, const void *b)
{
    return hheap_before(a, b) ? -1 : 1;
}

/* Shuffled, and in the order of adding: then equal keys need no comparison of orders. */
static void assert_sorts(size_t n, uint64_t key_base, uint64_t key_range, uint32_t order_base,
                         bool shuffled)
{
    hheap_entry_t *entries = calloc(n + 1, sizeof(*entries));
    hheap_entry_t *expected = calloc(n + 1, sizeof(*entries));
    hheap_entry_t *scratch = calloc(n + 1, sizeof(*entries));
    uint64_t seed = n * 7919 + 1;

    for (size_t i = 0; i < n; i++)
        entries[i] = (hheap_entry_t){key_base + next_random(&seed) % key_range,
                                     order_base + (uint32_t)i, (uint32_t)i};
    for (size_t i = n; shuffled && i > 1; i--) {
        size_t other = next_random(&seed) % i;
        hheap_entry_t entry = entries[i - 1];

        entries[i - 1] = entries[other];
        entries[other] = entry;
    }
    memcpy(expected, entries, n * sizeof(*entries));
    qsort(expected, n, sizeof(*expected), compare);
    hheap_sort(entries, scratch, n);
    for (size_t i = 0; i < n; i++)
        assert_int_equal(entries[i].slot, expected[i].slot);
    free(entries);
    free(expected);
    free(scratch);
}

/* Nothing is moved then: neither array is written to. */
static void sorting_what_is_sorted_is_only_a_look(void **state)
{
    enum { N = 200 };
    hheap_entry_t entries[N], before[N];

    (void)state;
    for (uint32_t i = 0; i < N; i++)
        entries[i] = (hheap_entry_t){i / 3, UINT32_MAX - 100 + i, i};
    memcpy(before, entries, sizeof(before));
    hheap_sort(entries, NULL, N);
    assert_memory_equal(entries, before, sizeof(before));
}

static void sort_gives_the_order_of_the_heap(void **state)
{
    static const size_t sizes[] = {0, 1, 2, 63, 64, 65, 1000, MANY};
    static const uint64_t ranges[] = {1, 2, 1000, 1ULL << 22, 1ULL << 33, UINT64_MAX / 2};

    (void)state;
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        for (size_t j = 0; j < sizeof(ranges) / sizeof(ranges[0]); j++) {
            for (int shuffled = 0; shuffled < 2; shuffled++) {
                assert_sorts(sizes[i], 0, ranges[j], 0, shuffled);
                assert_sorts(sizes[i], 1000000007, ranges[j], UINT32_MAX - 500, shuffled);
                assert_sorts(sizes[i], UINT64_MAX / 2, ranges[j], 1u << 31, shuffled);
            }
        }
    }
}

static int grow_a_heap(void *arg)
{
    hheap_t heap = {0};
    int rc = 0;

    (void)arg;
    for (uint32_t i = 0; i < 1000 && rc == 0; i++) {
        rc = hheap_reserve(&heap, 1);
        if (rc == 0)
            hheap_push(&heap, (hheap_entry_t){1000 - i, i, i});
    }
    for (uint64_t last = 0; heap.n > 0;) {
        hheap_entry_t entry = hheap_pop(&heap);

        assert_true(entry.key > last);
        last = entry.key;
    }
    hheap_deinit(&heap);
    return rc;
}

static void a_refused_reservation_leaves_the_heap_as_it_was(void **state)
{
    (void)state;
    oom_run(grow_a_heap, NULL);
}

static void reserve_makes_room_for_all_at_once(void **state)
{
    hheap_t heap = {0};

    (void)state;
    assert_int_equal(hheap_reserve(&heap, 100), 0);
    assert_true(heap.cap >= 100);
    for (uint32_t i = 0; i < 50; i++)
        hheap_push(&heap, (hheap_entry_t){i, i, i});
    assert_int_equal(hheap_reserve(&heap, 100), 0);
    assert_true(heap.cap >= 150);
    hheap_deinit(&heap);
    assert_null(heap.entries);
    hheap_deinit(&heap);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(entries_come_out_by_key),
        cmocka_unit_test(equal_keys_come_out_by_order),
        cmocka_unit_test(order_may_wrap_around),
        cmocka_unit_test(extreme_keys_are_ordered),
        cmocka_unit_test(pushes_and_pops_agree_with_a_model),
        cmocka_unit_test(rebuild_makes_a_heap_of_any_array),
        cmocka_unit_test(sort_gives_the_order_of_the_heap),
        cmocka_unit_test(sorting_what_is_sorted_is_only_a_look),
        cmocka_unit_test(a_refused_reservation_leaves_the_heap_as_it_was),
        cmocka_unit_test(reserve_makes_room_for_all_at_once),
    };

    return cmocka_run_group_tests_name("hheap", tests, NULL, NULL);
}
