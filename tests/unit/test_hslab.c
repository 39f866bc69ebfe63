#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/hslab.h"
#include "oom.h"

#include <unistd.h>

#define MANY (20 * HSLAB_CHUNK_SLOTS + 100)

static void objects_are_aligned_distinct_and_found_by_index(void **state)
{
    hslab_t slab;

    (void)state;
    hslab_init(&slab, 100);
    assert_int_equal(slab.object_size, 128);
    for (uint32_t i = 0; i < MANY; i++) {
        uint32_t index = 0;
        uint32_t *object = hslab_alloc(&slab, &index);

        assert_non_null(object);
        assert_int_equal(index, i); /* lowest first */
        assert_int_equal((uintptr_t)object % 64, 0);
        assert_ptr_equal(object, hslab_get(&slab, index));
        object[0] = i;
        object[31] = ~i;
    }
    assert_int_equal(slab.used, MANY);
    for (uint32_t i = 0; i < MANY; i++) {
        const uint32_t *object = hslab_get(&slab, i);

        assert_int_equal(object[0], i);
        assert_int_equal(object[31], ~i);
    }
    hslab_deinit(&slab);
    assert_int_equal(slab.used, 0);
}

static void the_lowest_free_slot_is_taken_again(void **state)
{
    const uint32_t holes[] = {5, 63, 64, 4095, 4096, 9 * 4096 + 17, MANY - 1};
    const size_t n = sizeof(holes) / sizeof(holes[0]);
    uint32_t index;
    hslab_t slab;

    (void)state;
    hslab_init(&slab, 1);
    for (uint32_t i = 0; i < MANY; i++)
        assert_non_null(hslab_alloc(&slab, &index));
    for (int upwards = 0; upwards < 2; upwards++) {
        for (size_t i = 0; i < n; i++)
            hslab_free(&slab, holes[upwards ? i : n - 1 - i]);
        for (size_t i = 0; i < n; i++) {
            assert_non_null(hslab_alloc(&slab, &index));
            assert_int_equal(index, holes[i]);
        }
    }
    assert_non_null(hslab_alloc(&slab, &index));
    assert_int_equal(index, MANY);
    hslab_deinit(&slab);
}

static void *skewed_alloc(size_t size, void *ctx)
{
    char *memory = malloc(size + 8);

    (void)ctx;
    return memory ? memory + 8 : NULL;
}

static void skewed_free(void *ptr, void *ctx)
{
    (void)ctx;
    free((char *)ptr - 8);
}

static void alignment_does_not_depend_on_the_allocator(void **state)
{
    const hmem_allocator_t skewed = {.alloc = skewed_alloc, .free = skewed_free};
    uint32_t index;
    hslab_t slab;
    void *object;

    (void)state;
    hmem_set_allocator(&skewed);
    hslab_init(&slab, 64);
    object = hslab_alloc(&slab, &index);
    assert_non_null(object);
    assert_int_equal((uintptr_t)object % 64, 0);
    memset(hslab_get(&slab, HSLAB_CHUNK_SLOTS - 1), 0xff, 64);
    hslab_deinit(&slab);
    hmem_set_allocator(NULL);
}

/* A random walk against a plain array of flags as the model. */
static void behaves_as_a_set_of_the_lowest_numbers(void **state)
{
    static bool alive[3 * HSLAB_CHUNK_SLOTS];
    const uint32_t n = sizeof(alive);
    uint32_t index, random = 12345, used = 0, lowest;
    hslab_t slab;

    (void)state;
    hslab_init(&slab, 64);
    for (int step = 0; step < 60000; step++) {
        random = random * 1664525 + 1013904223;
        index = (random >> 8) % n;
        if (alive[index]) {
            hslab_free(&slab, index);
            alive[index] = false;
            used--;
        } else if (used < n - 1) {
            assert_non_null(hslab_alloc(&slab, &index));
            for (lowest = 0; alive[lowest];)
                lowest++;
            assert_int_equal(index, lowest);
            alive[index] = true;
            used++;
        }
        assert_int_equal(slab.used, used);
    }
    hslab_deinit(&slab);
}

static void a_freed_object_can_still_be_looked_up(void **state)
{
    uint32_t index;
    hslab_t slab;
    int *object;

    (void)state;
    hslab_init(&slab, sizeof(int));
    object = hslab_alloc(&slab, &index);
    *object = 7;
    hslab_free(&slab, index);
    assert_int_equal(slab.used, 0);
    assert_int_equal(*(int *)hslab_get(&slab, index), 7);
    hslab_deinit(&slab);
}

static size_t resident_bytes(void)
{
    unsigned long pages = 0;
    FILE *f = fopen("/proc/self/statm", "r");

    assert_non_null(f);
    assert_int_equal(fscanf(f, "%*u %lu", &pages), 1);
    fclose(f);
    return pages * (size_t)sysconf(_SC_PAGESIZE);
}

static void memory_that_is_not_used_is_not_resident(void **state)
{
    size_t before;
    uint32_t index;
    hslab_t slab;

    (void)state;
    hslab_init(&slab, 8192); /* 32 MiB a chunk */
    before = resident_bytes();
    assert_non_null(hslab_alloc(&slab, &index));
    assert_true(resident_bytes() < before + (8U << 20));
    hslab_deinit(&slab);
}

static void an_object_too_large_for_memory_is_refused(void **state)
{
    const size_t sizes[] = {SIZE_MAX, SIZE_MAX - 63, SIZE_MAX / 2, SIZE_MAX / HSLAB_CHUNK_SLOTS};
    uint32_t index;
    hslab_t slab;

    (void)state;
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        hslab_init(&slab, sizes[i]);
        assert_null(hslab_alloc(&slab, &index));
        hslab_deinit(&slab);
    }
}

static int fill_and_empty(void *arg)
{
    uint32_t index, n = 0;
    hslab_t slab;
    int err = 0;

    (void)arg;
    hslab_init(&slab, 64);
    while (n < MANY && hslab_alloc(&slab, &index))
        n++;
    if (n < MANY)
        err = -ENOMEM;
    for (uint32_t i = 0; i < n; i += 3) /* what was handed out before is still good */
        hslab_free(&slab, i);
    for (uint32_t i = 0; i < n; i += 3)
        assert_non_null(hslab_alloc(&slab, &index));
    hslab_deinit(&slab);
    return err;
}

static void out_of_memory_loses_nothing(void **state)
{
    (void)state;
    oom_run(fill_and_empty, NULL);
}

static void works_again_once_there_is_memory(void **state)
{
    uint32_t index;
    hslab_t slab;
    oom_t oom;

    (void)state;
    hslab_init(&slab, 64);
    for (int fail_at = 1; fail_at <= 2; fail_at++) {
        oom_begin(&oom, fail_at, true);
        assert_null(hslab_alloc(&slab, &index));
        hslab_deinit(&slab);
        oom_end();
        assert_int_equal(oom.live, 0);
    }
    assert_non_null(hslab_alloc(&slab, &index));
    assert_int_equal(index, 0);
    hslab_deinit(&slab);
}

static void an_object_tells_its_chunk_slot_and_tag(void **state)
{
    hslab_t slabs[2];

    (void)state;
    hslab_init(&slabs[0], 64);
    hslab_init(&slabs[1], 4000);
    for (uint32_t i = 0; i < 2 * HSLAB_CHUNK_SLOTS + 10; i++) {
        for (int s = 0; s < 2; s++) {
            uint32_t index = 0;
            const void *object = hslab_alloc(&slabs[s], &index);
            const hslab_chunk_t *chunk = hslab_chunk_of(object, slabs[s].object_size);

            assert_ptr_equal(chunk->slab, &slabs[s]);
            assert_int_equal(chunk->number, index / HSLAB_CHUNK_SLOTS);
            assert_int_equal(hslab_slot_of(object, slabs[s].object_size),
                             index % HSLAB_CHUNK_SLOTS);
            *hslab_tag(&slabs[s], index) = ~index;
        }
    }
    for (uint32_t i = 0; i < 2 * HSLAB_CHUNK_SLOTS + 10; i++) {
        assert_int_equal(*hslab_tag(&slabs[0], i), ~i);
        assert_int_equal(*hslab_tag(&slabs[1], i), ~i);
    }
    hslab_deinit(&slabs[0]);
    hslab_deinit(&slabs[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(objects_are_aligned_distinct_and_found_by_index),
        cmocka_unit_test(the_lowest_free_slot_is_taken_again),
        cmocka_unit_test(alignment_does_not_depend_on_the_allocator),
        cmocka_unit_test(behaves_as_a_set_of_the_lowest_numbers),
        cmocka_unit_test(a_freed_object_can_still_be_looked_up),
        cmocka_unit_test(an_object_tells_its_chunk_slot_and_tag),
        cmocka_unit_test(memory_that_is_not_used_is_not_resident),
        cmocka_unit_test(an_object_too_large_for_memory_is_refused),
        cmocka_unit_test(out_of_memory_loses_nothing),
        cmocka_unit_test(works_again_once_there_is_memory),
    };

    return cmocka_run_group_tests_name("hslab", tests, NULL, NULL);
}
