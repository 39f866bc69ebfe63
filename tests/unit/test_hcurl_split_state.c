/* One thread. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/hmem.h"
#include "oom.h"

#include "../../cmd/hcurl/split_state.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MIB ((int64_t)1 << 20)
#define TEXT                                                                                       \
    "hcurl-split 1\nurl http://a/b\nsize 100\netag \"x y\"\n"                                      \
    "modified Sun, 06 Nov 1994 08:49:37 GMT\nrange 0 10 40\nrange 40 40 60\nrange 60 100 100\n"

static void make_path(char *path, size_t size)
{
    int fd;

    snprintf(path, size, "/tmp/split-state-XXXXXX");
    fd = mkstemp(path);
    assert_true(fd >= 0);
    close(fd);
}

static void put(const char *path, const char *text, size_t len)
{
    FILE *file = fopen(path, "w");

    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, len, file), len);
    fclose(file);
}

static int read_text(split_state_t *state, const char *text, size_t len)
{
    char path[64];
    int err;

    make_path(path, sizeof(path));
    put(path, text, len);
    memset(state, 0, sizeof(*state));
    err = split_state_read(state, path);
    unlink(path);
    return err;
}

static void a_file_is_divided_evenly(void **state)
{
    split_state_t s = {0};

    (void)state;
    split_state_divide(&s, 10 * MIB + 3, 4);
    assert_int_equal(s.count, 4);
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(s.ranges[i].first, i == 0 ? 0 : s.ranges[i - 1].end);
        assert_int_equal(s.ranges[i].next, s.ranges[i].first);
        assert_in_range(s.ranges[i].end - s.ranges[i].first, 10 * MIB / 4, 10 * MIB / 4 + 1);
    }
    assert_int_equal(s.ranges[3].end, 10 * MIB + 3);
    assert_int_equal(split_state_done(&s), 0);
}

static void small_files_are_not_divided(void **state)
{
    split_state_t s = {0};

    (void)state;
    split_state_divide(&s, 1, 8);
    assert_int_equal(s.count, 1);
    split_state_divide(&s, 2 * SPLIT_PART_SIZE_MIN - 1, 8);
    assert_int_equal(s.count, 1);
    split_state_divide(&s, 2 * SPLIT_PART_SIZE_MIN, 8);
    assert_int_equal(s.count, 2);
    split_state_divide(&s, 1000 * MIB, 1000);
    assert_int_equal(s.count, SPLIT_PARTS_MAX);
}

static void what_is_written_is_read(void **state)
{
    split_state_t s, again = {0};
    char path[64];

    (void)state;
    assert_int_equal(read_text(&s, TEXT, strlen(TEXT)), 0);
    assert_int_equal(s.size, 100);
    assert_string_equal(s.url, "http://a/b");
    assert_string_equal(s.etag, "\"x y\"");
    assert_int_equal(s.count, 3);
    assert_int_equal(s.ranges[0].next, 10);
    assert_int_equal(split_state_done(&s), 50);
    make_path(path, sizeof(path));
    assert_int_equal(split_state_write(&s, path), 0);
    assert_int_equal(split_state_read(&again, path), 0);
    assert_string_equal(again.modified, s.modified);
    assert_memory_equal(again.ranges, s.ranges, sizeof(s.ranges));
    unlink(path);
    split_state_deinit(&s);
    split_state_deinit(&again);
}

static void a_validator_is_a_strong_tag_or_a_date(void **state)
{
    split_state_t s = {.etag = (char *)"\"a\"", .modified = (char *)"date"};

    (void)state;
    assert_string_equal(split_state_validator(&s), "\"a\"");
    s.etag = (char *)"W/\"a\"";
    assert_string_equal(split_state_validator(&s), "date");
    s.modified = NULL;
    assert_null(split_state_validator(&s));
}

static void assert_refused(const char *text, size_t len)
{
    split_state_t s;

    assert_int_equal(read_text(&s, text, len), HERR_SYNTAX);
    assert_null(s.url);
}

#define REFUSED(text) assert_refused((text), strlen(text))
#define HEAD "hcurl-split 1\nurl u\nsize 100\n"

static void every_truncation_is_refused(void **state)
{
    split_state_t s;

    (void)state;
    assert_int_equal(read_text(&s, HEAD "range 0 0 100\n", strlen(HEAD) + 14), 0);
    split_state_deinit(&s);
    for (size_t len = 0; len < strlen(HEAD) + 14; len++)
        assert_refused(HEAD "range 0 0 100\n", len);
}

static void what_cannot_be_is_refused(void **state)
{
    (void)state;
    REFUSED(HEAD);
    REFUSED("hcurl-split 2\nurl u\nsize 100\nrange 0 0 100\n");
    REFUSED("hcurl-split 1\nsize 100\nrange 0 0 100\n");
    REFUSED("hcurl-split 1\nurl u\nrange 0 0 100\n");
    REFUSED("hcurl-split 1\nurl u\nsize 0\nrange 0 0 0\n");
    REFUSED(HEAD "range 0 0 99\n");
    REFUSED(HEAD "range 1 1 100\n");
    REFUSED(HEAD "range 0 101 100\n");
    REFUSED(HEAD "range 0 -1 100\n");
    REFUSED(HEAD "range 0 0 50\nrange 51 51 100\n");
    REFUSED(HEAD "range 0 0 50\nrange 50 40 100\n");
    REFUSED(HEAD "range 0 0 100 5\n");
    REFUSED(HEAD "range 0 0\n");
    REFUSED(HEAD "range  0 0 100\n");
    REFUSED(HEAD "range 0 0 1000000000000000000000000\n");
    REFUSED(HEAD "range 0 0 100\nurl v\n");
    REFUSED(HEAD "range 0 0 100\nmore\n");
}

static void too_many_ranges_are_refused(void **state)
{
    char text[8192];
    size_t len = (size_t)snprintf(text, sizeof(text), "hcurl-split 1\nurl u\nsize 65\n");

    (void)state;
    for (int i = 0; i < 65; i++)
        len += (size_t)snprintf(text + len, sizeof(text) - len, "range %d %d %d\n", i, i, i + 1);
    assert_refused(text, len);
}

static int scenario(void *arg)
{
    split_state_t s = {0};
    int err = split_state_read(&s, arg);

    if (err == 0)
        err = split_state_write(&s, arg);
    split_state_deinit(&s);
    return err;
}

static void memory_runs_out(void **state)
{
    char path[64];

    (void)state;
    make_path(path, sizeof(path));
    put(path, TEXT, strlen(TEXT));
    oom_run(scenario, path);
    unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_file_is_divided_evenly),
        cmocka_unit_test(small_files_are_not_divided),
        cmocka_unit_test(what_is_written_is_read),
        cmocka_unit_test(a_validator_is_a_strong_tag_or_a_date),
        cmocka_unit_test(every_truncation_is_refused),
        cmocka_unit_test(what_cannot_be_is_refused),
        cmocka_unit_test(too_many_ranges_are_refused),
        cmocka_unit_test(memory_runs_out),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
