/* One thread. */
#include "base/hkeep.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "oom.h"

static char released[16];

static void release(void *object)
{
    strncat(released, object, 1);
}

static void pieces_are_zeroed_aligned_and_texts_end(void **state)
{
    hkeep_t *keep = hkeep_new();
    char *text;

    (void)state;
    for (size_t size = 0; size < 100; size += 7) {
        const unsigned char *piece = hkeep_alloc(keep, size);

        assert_int_equal((uintptr_t)piece % _Alignof(max_align_t), 0);
        for (size_t i = 0; i < size; i++)
            assert_int_equal(piece[i], 0);
    }
    text = hkeep_text(keep, "word and more", 4);
    assert_string_equal(text, "word");
    assert_string_equal(hkeep_text(keep, NULL, 0), "");
    assert_null(hkeep_alloc(keep, SIZE_MAX));
    assert_null(hkeep_text(keep, text, SIZE_MAX));
    hkeep_free(keep);
    hkeep_free(NULL);
}

static void the_newest_object_is_released_first(void **state)
{
    hkeep_t *keep = hkeep_new();

    (void)state;
    released[0] = '\0';
    for (const char *c = "abc"; *c; c++)
        assert_int_equal(hkeep_object(keep, hkeep_text(keep, c, 1), release), 0);
    assert_string_equal(released, "");
    hkeep_free(keep);
    assert_string_equal(released, "cba");
}

/* Whatever becomes of them, each object is released once. */
static int keep_two(void *arg)
{
    char object[] = "a";
    hkeep_t *keep = hkeep_new();
    int err;

    (void)arg;
    if (!keep)
        return -ENOMEM;
    released[0] = '\0';
    err = hkeep_object(keep, object, release);
    assert_string_equal(released, err ? "a" : "");
    if (!err && !hkeep_alloc(keep, 10))
        err = -ENOMEM;
    hkeep_free(keep);
    assert_string_equal(released, "a");
    return err;
}

static void without_memory_nothing_is_lost(void **state)
{
    (void)state;
    oom_run(keep_two, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pieces_are_zeroed_aligned_and_texts_end),
        cmocka_unit_test(the_newest_object_is_released_first),
        cmocka_unit_test(without_memory_nothing_is_lost),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
