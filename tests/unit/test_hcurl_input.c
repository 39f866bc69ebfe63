/* One thread. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "../../cmd/hcurl/input.h"
#include "base/herr.h"
#include "base/hfile.h"
#include "oom.h"

static char dir[] = "/tmp/test_input.XXXXXX", file[64];

static int setup(void **state)
{
    (void)state;
    if (!mkdtemp(dir))
        return -1;
    snprintf(file, sizeof(file), "%s/file", dir);
    return hfile_replace(file,
                         "\xef\xbb\xbf"
                         "a\r\nb\n",
                         8);
}

static int teardown(void **state)
{
    (void)state;
    unlink(file);
    return rmdir(dir);
}

static void each_kind_leaves_out_what_is_no_content(void **state)
{
    static const char *const wanted[] = {
        [INPUT_BYTES] = "before:\xef\xbb\xbf"
                        "a\r\nb\n",
        [INPUT_JOINED] = "before:\xef\xbb\xbf"
                         "ab",
        [INPUT_TEXT] = "before:a\r\nb\n",
    };
    hbytes_t out = {0}, why = {0};

    (void)state;
    for (int kind = INPUT_BYTES; kind <= INPUT_TEXT; kind++) {
        hbytes_clear(&out);
        assert_int_equal(hbytes_append_str(&out, "before:"), 0);
        assert_int_equal(input_read(file, 8, (input_e)kind, &out, &why), 0);
        assert_string_equal(out.data, wanted[kind]);
        assert_int_equal(out.len, strlen(wanted[kind]));
    }
    assert_int_equal(why.len, 0);
    hbytes_deinit(&out);
}

static void assert_told(const char *name, size_t size_max, input_e kind, int err, const char *text)
{
    hbytes_t out = {0}, why = {0};

    assert_int_equal(input_read(name, size_max, kind, &out, &why), err);
    assert_string_equal(why.data, text);
    hbytes_deinit(&out);
    hbytes_deinit(&why);
}

static void what_cannot_be_read_is_told(void **state)
{
    (void)state;
    assert_told("/dev/zero", SIZE_MAX, INPUT_TEXT, HERR_SYNTAX,
                "cannot read '/dev/zero': it is no text");
    assert_told("/dev/zero", 65536, INPUT_BYTES, -EFBIG,
                "cannot read '/dev/zero': it is larger than 64 KB");
    assert_told("/dev/zero", 2 << 20, INPUT_JOINED, -EFBIG,
                "cannot read '/dev/zero': it is larger than 2 MB");
    assert_told("/tmp", 1, INPUT_BYTES, -EISDIR, "cannot read '/tmp': Is a directory");
    assert_told("/no\n/such", 1, INPUT_TEXT, -ENOENT,
                "cannot read '/no\\n/such': No such file or directory");
}

static void a_buffer_that_is_full_is_a_file_too_large(void **state)
{
    hbytes_t out = {.size_max = 4}, why = {0};

    (void)state;
    assert_int_equal(input_read(file, 1 << 20, INPUT_BYTES, &out, &why), -EFBIG);
    assert_non_null(strstr(why.data, "larger than"));
    hbytes_deinit(&out);
    hbytes_deinit(&why);
}

static int scenario(void *arg)
{
    hbytes_t out = {0}, why = {0};
    int err = input_read(file, 8, INPUT_TEXT, &out, &why);

    (void)arg;
    hbytes_deinit(&out);
    hbytes_deinit(&why);
    return err;
}

static void test_out_of_memory(void **state)
{
    (void)state;
    oom_run(scenario, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_kind_leaves_out_what_is_no_content),
        cmocka_unit_test(what_cannot_be_read_is_told),
        cmocka_unit_test(a_buffer_that_is_full_is_a_file_too_large),
        cmocka_unit_test(test_out_of_memory),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
