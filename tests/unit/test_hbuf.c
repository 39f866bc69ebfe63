/* One thread. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/hbuf.h"
#include "oom.h"

static void appended_text_is_terminated_and_counted(void **state)
{
    hbytes_t b = {0};

    (void)state;
    assert_int_equal(hbytes_append_str(&b, "GET "), 0);
    assert_int_equal(hbytes_append_char(&b, '/'), 0);
    assert_int_equal(hbytes_append(&b, "\0x", 2), 0);
    assert_int_equal(b.len, 7);
    assert_memory_equal(b.data, "GET /\0x", 8);
    hbytes_deinit(&b);
    assert_null(b.data);
    assert_int_equal(hbytes_append_str(&b, "again"), 0);
    assert_string_equal(b.data, "again");
    hbytes_deinit(&b);
}

static void appending_nothing_allocates_nothing(void **state)
{
    hbytes_t b;

    (void)state;
    hbytes_init(&b, 10);
    assert_int_equal(hbytes_append(&b, NULL, 0), 0);
    assert_int_equal(hbytes_append_str(&b, ""), 0);
    assert_null(b.data);
    hbytes_deinit(&b);
}

static void growth_keeps_every_byte(void **state)
{
    hbytes_t b = {0};

    (void)state;
    for (int i = 0; i < 100000; i++)
        assert_int_equal(hbytes_append_char(&b, (char)(i * 7)), 0);
    assert_int_equal(b.len, 100000);
    for (int i = 0; i < 100000; i++)
        assert_int_equal(b.data[i], (char)(i * 7));
    assert_true(b.cap < 300000);
    hbytes_deinit(&b);
}

static void the_maximum_can_be_reached_but_not_passed(void **state)
{
    hbytes_t b;

    (void)state;
    for (size_t max = 1; max < 200; max++) {
        hbytes_init(&b, max);
        for (size_t i = 0; i < max; i++)
            assert_int_equal(hbytes_append_char(&b, 'x'), 0);
        assert_int_equal(b.len, max);
        assert_true(b.cap <= max + 1);
        assert_int_equal(hbytes_append_char(&b, 'y'), -ENOBUFS);
        assert_int_equal(hbytes_printf(&b, "%d", 1), -ENOBUFS);
        assert_int_equal(hbytes_reserve(&b, SIZE_MAX), -ENOBUFS);
        assert_int_equal(strlen(b.data), max);
        assert_null(strchr(b.data, 'y'));
        hbytes_deinit(&b);
        assert_int_equal(b.size_max, max);
    }
}

static void without_a_maximum_there_is_still_one(void **state)
{
    hbytes_t b = {0};

    (void)state;
    assert_int_equal(hbytes_reserve(&b, HBYTES_MAX + 1), -ENOBUFS);
    assert_int_equal(hbytes_reserve(&b, SIZE_MAX), -ENOBUFS);
    hbytes_init(&b, SIZE_MAX);
    assert_int_equal(hbytes_reserve(&b, SIZE_MAX - 1), -ENOBUFS);
    assert_null(b.data);
}

static void reserved_room_is_used_without_moving(void **state)
{
    hbytes_t b = {0};
    const char *data;

    (void)state;
    assert_int_equal(hbytes_reserve(&b, 1000), 0);
    assert_string_equal(b.data, "");
    data = b.data;
    for (int i = 0; i < 1000; i++)
        assert_int_equal(hbytes_append_char(&b, 'x'), 0);
    assert_ptr_equal(b.data, data);
    hbytes_deinit(&b);
}

static void printf_fits_at_every_length(void **state)
{
    char expected[300];

    (void)state;
    for (int width = 1; width < 200; width++) {
        hbytes_t b = {0};

        assert_int_equal(hbytes_append_str(&b, "len="), 0);
        assert_int_equal(hbytes_printf(&b, "%0*d|%s", width, 7, "end"), 0);
        snprintf(expected, sizeof(expected), "len=%0*d|end", width, 7);
        assert_string_equal(b.data, expected);
        assert_int_equal(b.len, strlen(expected));
        hbytes_deinit(&b);
    }
}

static void consume_drops_from_the_front(void **state)
{
    hbytes_t b = {0};
    size_t cap;

    (void)state;
    hbytes_consume(&b, 3);
    assert_int_equal(hbytes_append_str(&b, "abcdef"), 0);
    cap = b.cap;
    hbytes_consume(&b, 0);
    assert_string_equal(b.data, "abcdef");
    hbytes_consume(&b, 2);
    assert_string_equal(b.data, "cdef");
    assert_int_equal(b.len, 4);
    hbytes_consume(&b, 100);
    assert_string_equal(b.data, "");
    assert_int_equal(b.len, 0);
    assert_int_equal(b.cap, cap);
    hbytes_deinit(&b);
}

static void taken_memory_belongs_to_the_caller(void **state)
{
    hbytes_t b;
    size_t len = 99;
    char *data;

    (void)state;
    hbytes_init(&b, 100);
    assert_null(hbytes_take(&b, &len));
    assert_int_equal(len, 0);
    assert_int_equal(hbytes_append_str(&b, "abc"), 0);
    data = hbytes_take(&b, &len);
    assert_string_equal(data, "abc");
    assert_int_equal(len, 3);
    assert_null(b.data);
    assert_int_equal(b.len, 0);
    assert_int_equal(b.size_max, 100);
    hmem_free(data);
    assert_int_equal(hbytes_append_str(&b, "d"), 0);
    data = hbytes_take(&b, NULL);
    assert_string_equal(data, "d");
    hmem_free(data);
    assert_int_equal(hbytes_reserve(&b, 1), 0);
    assert_null(hbytes_take(&b, NULL));
    hbytes_deinit(&b);
}

/* After a failure the content is what it was. */
static int build_a_text(void *arg)
{
    hbytes_t b = {0};
    size_t before = 0;
    int err = 0;

    (void)arg;
    for (int i = 0; i < 100 && !err; i++) {
        before = b.len;
        err = i % 2 ? hbytes_printf(&b, "%d", 1000000 + i) : hbytes_append_str(&b, "0123456789");
        if (err)
            assert_int_equal(b.len, before);
        if (b.data)
            assert_int_equal(strlen(b.data), b.len);
    }
    hbytes_deinit(&b);
    return err;
}

static void out_of_memory_keeps_the_content(void **state)
{
    (void)state;
    oom_run(build_a_text, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(appended_text_is_terminated_and_counted),
        cmocka_unit_test(appending_nothing_allocates_nothing),
        cmocka_unit_test(growth_keeps_every_byte),
        cmocka_unit_test(the_maximum_can_be_reached_but_not_passed),
        cmocka_unit_test(without_a_maximum_there_is_still_one),
        cmocka_unit_test(reserved_room_is_used_without_moving),
        cmocka_unit_test(printf_fits_at_every_length),
        cmocka_unit_test(consume_drops_from_the_front),
        cmocka_unit_test(taken_memory_belongs_to_the_caller),
        cmocka_unit_test(out_of_memory_keeps_the_content),
    };

    return cmocka_run_group_tests_name("hbuf", tests, NULL, NULL);
}
