/* One thread. */
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
    assert_int_equal(hslab_used(&slab), MANY);
    for (uint32_t i = 0; i < MANY; i++) {
        const uint32_t *object = hslab_get(&slab, i);

        assert_int_equal(object[0], i);
        assert_int_equal(object[31], ~i);
    }
    hslab_deinit(&slab);
    assert_int_equal(hslab_used(&slab), 0);
}

static void freed_slots_are_taken_again_the_lowest_first(void **state)
{
    const uint32_t holes[] = {5, 63, 64, 4095, 4096, 9 * 4096 + 17, MANY - 1};
    const size_t n = sizeof(holes) / sizeof(holes[0]);
    hslab_word_t word;
    uint32_t index;
    hslab_t slab;

    (void)state;
    hslab_init(&slab, 1);
    for (uint32_t i = 0; i < MANY; i++)
        assert_non_null(hslab_alloc(&slab, &index));
    for (int upwards = 0; upwards < 2; upwards++) {
        while (hslab_take_marked(&slab, &word)) /* the rest of the last word is put back */
            ;
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

enum { MODEL_SLOTS = 3 * HSLAB_CHUNK_SLOTS };

typedef struct model_s {
    hslab_t slab;
    bool alive[MODEL_SLOTS], marked[MODEL_SLOTS], in_run[MODEL_SLOTS];
    uint32_t used;
} model_t;

/* A word's free slots, the lowest word that has any. */
static void begin_run(model_t *model)
{
    uint32_t lowest = 0;

    while (model->alive[lowest])
        lowest++;
    lowest -= lowest % HSLAB_WORD_SLOTS;
    for (uint32_t i = lowest; i < lowest + HSLAB_WORD_SLOTS; i++)
        model->in_run[i] = !model->alive[i];
}

static uint32_t first_of_run(const model_t *model)
{
    uint32_t i = 0;

    while (i < MODEL_SLOTS && !model->in_run[i])
        i++;
    return i;
}

static void alloc_one(model_t *model)
{
    uint32_t index = 0, expected;

    assert_non_null(hslab_alloc(&model->slab, &index));
    if (first_of_run(model) == MODEL_SLOTS)
        begin_run(model);
    expected = first_of_run(model);
    assert_int_equal(index, expected);
    model->in_run[expected] = false;
    model->alive[index] = model->marked[index] = true;
    model->used++;
}

static void free_one(model_t *model, uint32_t index)
{
    hslab_free(&model->slab, index);
    model->alive[index] = model->marked[index] = false;
    model->used--;
}

static void mark_one(model_t *model, uint32_t index)
{
    hslab_chunk_t *chunk = model->slab.chunks[index / HSLAB_CHUNK_SLOTS];

    assert_int_equal(hslab_is_marked(chunk, index % HSLAB_CHUNK_SLOTS), model->marked[index]);
    hslab_mark(chunk, index % HSLAB_CHUNK_SLOTS);
    model->marked[index] = true;
}

static void take_all_marked(model_t *model)
{
    uint32_t n = 0, marked = hslab_marked(&model->slab);
    hslab_word_t word;

    while (hslab_take_marked(&model->slab, &word)) {
        assert_ptr_equal(word.objects, hslab_get(&model->slab, word.first));
        for (uint32_t bit = 0; bit < HSLAB_WORD_SLOTS; bit++) {
            bool is_marked = word.slots >> bit & 1;

            assert_int_equal(is_marked, model->marked[word.first + bit]);
            model->marked[word.first + bit] = false;
            n += is_marked;
        }
    }
    assert_int_equal(n, marked);
    assert_int_equal(hslab_marked(&model->slab), 0);
    for (uint32_t i = 0; i < MODEL_SLOTS; i++)
        assert_false(model->marked[i]);
    memset(model->in_run, 0, sizeof(model->in_run));
}

static void a_random_walk_agrees_with_a_model(void **state)
{
    static model_t model;
    uint32_t random = 12345;

    (void)state;
    hslab_init(&model.slab, 64);
    for (int step = 0; step < 60000; step++) {
        uint32_t index;

        random = random * 1664525 + 1013904223;
        index = (random >> 8) % MODEL_SLOTS;
        if (step % 700 == 0)
            take_all_marked(&model);
        else if (model.alive[index] && step % 3 == 0)
            mark_one(&model, index);
        else if (model.alive[index])
            free_one(&model, index);
        else if (model.used < MODEL_SLOTS - HSLAB_WORD_SLOTS)
            alloc_one(&model);
        assert_int_equal(hslab_used(&model.slab), model.used);
    }
    hslab_deinit(&model.slab);
}

static void new_objects_are_marked_and_found_in_order(void **state)
{
    uint32_t index, n = 0;
    hslab_word_t word;
    hslab_t slab;

    (void)state;
    hslab_init(&slab, 64);
    assert_false(hslab_take_marked(&slab, &word));
    for (uint32_t i = 0; i < MANY; i++)
        assert_non_null(hslab_alloc(&slab, &index));
    for (uint32_t i = 1; i < MANY; i += 3) /* what is freed has no mark */
        hslab_free(&slab, i);
    while (hslab_take_marked(&slab, &word)) {
        assert_true(word.first >= n);
        for (uint32_t bit = 0; bit < HSLAB_WORD_SLOTS; bit++) {
            bool is_alive = word.first + bit < MANY && (word.first + bit) % 3 != 1;

            assert_int_equal(word.slots >> bit & 1, is_alive);
        }
        n = word.first + HSLAB_WORD_SLOTS;
    }
    assert_true(n >= MANY);
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
    assert_int_equal(hslab_used(&slab), 0);
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

/* "hg" among the VmFlags of the mapping with this address. */
static bool asks_for_huge_pages(const void *address)
{
    unsigned long from, to, at = (unsigned long)(uintptr_t)address;
    FILE *f = fopen("/proc/self/smaps", "r");
    bool here = false, huge = false;
    char line[256];

    assert_non_null(f);
    while (fgets(line, sizeof(line), f)) {
        if (sscanf(line, "%lx-%lx ", &from, &to) == 2)
            here = at >= from && at < to;
        else if (here && strncmp(line, "VmFlags:", 8) == 0)
            huge = strstr(line, " hg") != NULL;
    }
    fclose(f);
    return huge;
}

static void only_a_large_slab_asks_for_huge_pages(void **state)
{
    uint32_t last = HSLAB_HUGE_FROM / 64, index = 0;
    size_t before = resident_bytes();
    hslab_t slab;

    (void)state;
    if (access("/sys/kernel/mm/transparent_hugepage", F_OK) != 0)
        skip();
    hslab_init(&slab, 64);
    while (index < last)
        assert_non_null(hslab_alloc(&slab, &index));
    assert_false(asks_for_huge_pages(hslab_get(&slab, 0)));
    assert_false(asks_for_huge_pages(hslab_get(&slab, last - 1)));
    assert_true(asks_for_huge_pages(hslab_get(&slab, last)));
    assert_true(asks_for_huge_pages(hslab_get(&slab, last + HSLAB_BLOCK_SIZE / 64 - 1)));
    *(char *)hslab_get(&slab, last) = 1;
    assert_true(resident_bytes() < before + (8U << 20)); /* no object was written to but one */
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
    hslab_init(&slabs[0], 32);
    hslab_init(&slabs[1], 4000);
    for (uint32_t i = 0; i < 17 * HSLAB_CHUNK_SLOTS + 10; i++) { /* 16 small chunks are a block */
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
    for (uint32_t i = 0; i < 17 * HSLAB_CHUNK_SLOTS + 10; i++) {
        assert_int_equal(*hslab_tag(&slabs[0], i), ~i);
        assert_int_equal(*hslab_tag(&slabs[1], i), ~i);
    }
    hslab_deinit(&slabs[0]);
    hslab_deinit(&slabs[1]);
}

/* In words that are taken whole, in one with holes, and in a chunk made later. */
static void an_object_has_no_note_when_it_is_handed_out(void **state)
{
    enum { LIVE = 100 };
    hslab_chunk_t *chunk;
    uint32_t index = 0;
    hslab_t slab;
    void *object;

    (void)state;
    hslab_init(&slab, 8);
    for (int i = 0; i < LIVE; i++)
        assert_non_null(hslab_alloc(&slab, &index));
    for (int i = 0; i < 2 * (int)HSLAB_CHUNK_SLOTS; i++) {
        object = hslab_alloc(&slab, &index);
        assert_non_null(object);
        assert_int_equal((uintptr_t)object % 32, 0);
        chunk = slab.chunks[index / HSLAB_CHUNK_SLOTS];
        index %= HSLAB_CHUNK_SLOTS;
        assert_int_equal(hslab_note(chunk, index), 0);
        hslab_set_note(chunk, index, 0xffff);
        assert_int_equal(hslab_note(chunk, index), 0xffff);
        if (i % 3)
            hslab_free_slot(chunk, index);
    }
    hslab_deinit(&slab);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(objects_are_aligned_distinct_and_found_by_index),
        cmocka_unit_test(freed_slots_are_taken_again_the_lowest_first),
        cmocka_unit_test(alignment_does_not_depend_on_the_allocator),
        cmocka_unit_test(a_random_walk_agrees_with_a_model),
        cmocka_unit_test(new_objects_are_marked_and_found_in_order),
        cmocka_unit_test(a_freed_object_can_still_be_looked_up),
        cmocka_unit_test(an_object_tells_its_chunk_slot_and_tag),
        cmocka_unit_test(an_object_has_no_note_when_it_is_handed_out),
        cmocka_unit_test(memory_that_is_not_used_is_not_resident),
        cmocka_unit_test(only_a_large_slab_asks_for_huge_pages),
        cmocka_unit_test(an_object_too_large_for_memory_is_refused),
        cmocka_unit_test(out_of_memory_loses_nothing),
        cmocka_unit_test(works_again_once_there_is_memory),
    };

    return cmocka_run_group_tests_name("hslab", tests, NULL, NULL);
}
