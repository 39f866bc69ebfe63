/* One thread. */
#include <dirent.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../../cmd/hcurl/outfile.h"
#include "base/herr.h"
#include "folder_fixture.h"
#include "oom.h"

#define ARRAY_LENGTH(array) (sizeof(array) / sizeof((array)[0]))

static char path[256];

static const char *in(void **state, const char *name)
{
    const folder_t *folder = *state;

    snprintf(path, sizeof(path), "%s/%s", folder->path, name);
    return path;
}

static void write_file(const char *name, const char *text)
{
    FILE *file = fopen(name, "w");

    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static void holds(const char *name, const char *expected)
{
    char text[64] = "";
    FILE *file = fopen(name, "r");

    if (!expected) {
        assert_null(file);
        return;
    }
    assert_non_null(file);
    text[fread(text, 1, sizeof(text) - 1, file)] = '\0';
    fclose(file);
    assert_string_equal(text, expected);
}

static int entries(void **state)
{
    const folder_t *folder = *state;
    DIR *dir = opendir(folder->path);
    int count = -2;

    while (readdir(dir))
        count++;
    closedir(dir);
    return count;
}

static void a_file_is_replaced_from_the_first_byte_on(void **state)
{
    outfile_how_t how = {.mode = 0600};
    const char *name = in(state, "file");
    outfile_t file;

    write_file(name, "old");
    assert_int_equal(outfile_open(&file, name, &how), 0);
    holds(name, "");
    assert_int_equal(outfile_write(&file, "new", 3), 0);
    holds(name, "new");
    assert_int_equal(outfile_place(&file), 0);
    outfile_deinit(&file);
    holds(name, "new");
}

static void or_when_the_new_one_is_whole(void **state)
{
    outfile_how_t how = {.mode = 0666, .whole = true};
    const char *name = in(state, "file");
    outfile_t file;

    for (int places = 0; places <= 1; places++) {
        write_file(name, "old");
        assert_int_equal(chmod(name, 0604), 0);
        assert_int_equal(outfile_open(&file, name, &how), 0);
        assert_int_equal(outfile_write(&file, "new", 3), 0);
        assert_int_equal(entries(state), 2);
        holds(name, "old");
        if (places)
            assert_int_equal(outfile_place(&file), 0);
        outfile_deinit(&file);
        holds(name, places ? "new" : "old");
        assert_int_equal(entries(state), 1);
    }
}

static void a_link_is_followed(void **state)
{
    outfile_how_t how = {.mode = 0666, .whole = true};
    char link[256];
    struct stat st;
    outfile_t file;

    snprintf(link, sizeof(link), "%s", in(state, "link"));
    write_file(in(state, "real"), "old");
    assert_int_equal(symlink("real", link), 0);
    assert_int_equal(outfile_open(&file, link, &how), 0);
    assert_string_equal(file.path, link);
    assert_int_equal(outfile_write(&file, "new", 3), 0);
    assert_int_equal(outfile_place(&file), 0);
    outfile_deinit(&file);
    assert_true(lstat(link, &st) == 0 && S_ISLNK(st.st_mode));
    holds(in(state, "real"), "new");
    assert_int_equal(entries(state), 2);
}

static void what_exists_may_be_refused_or_counted(void **state)
{
    outfile_how_t refuse = {.mode = 0666, .existing = OUTFILE_REFUSE, .whole = true};
    outfile_how_t number = {.mode = 0666, .existing = OUTFILE_NUMBER, .whole = true};
    outfile_t file;

    write_file(in(state, "file"), "old");
    assert_int_equal(outfile_open(&file, in(state, "file"), &refuse), -EEXIST);
    outfile_deinit(&file);
    for (int i = 1; i <= OUTFILE_TRIES; i++) {
        assert_int_equal(outfile_open(&file, in(state, "file"), &number), 0);
        assert_int_equal(strtol(strrchr(file.path, '.') + 1, NULL, 10), i);
        outfile_deinit(&file);
    }
    assert_int_equal(outfile_open(&file, in(state, "file"), &number), -EEXIST);
    outfile_deinit(&file);
    assert_int_equal(entries(state), OUTFILE_TRIES + 1);
    holds(in(state, "file"), "old");
}

static void another_try_begins_where_this_one_did(void **state)
{
    outfile_how_t how = {.mode = 0666, .append = true};
    const char *name = in(state, "file");
    outfile_t file;

    write_file(name, "old");
    assert_int_equal(outfile_open(&file, name, &how), 0);
    assert_int_equal(file.kept, 3);
    assert_int_equal(outfile_write(&file, "1234", 4), 0);
    assert_int_equal(outfile_restart(&file), 0);
    holds(name, "old");
    assert_int_equal(outfile_write(&file, "56", 2), 0);
    outfile_keep(&file);
    assert_int_equal(file.kept, 5);
    assert_int_equal(outfile_write(&file, "78", 2), 0);
    assert_int_equal(outfile_restart(&file), 0);
    holds(name, "old56");
    assert_int_equal(outfile_remove(&file), 0);
    outfile_deinit(&file);
    holds(name, NULL);
}

static void devices_are_not_touched(void **state)
{
    outfile_how_t how = {.mode = 0666, .whole = true};
    outfile_t file;

    (void)state;
    assert_int_equal(outfile_open(&file, "/dev/null", &how), 0);
    assert_false(file.regular);
    assert_int_equal(outfile_write(&file, "x", 1), 0);
    assert_int_equal(outfile_restart(&file), 0);
    assert_int_equal(outfile_remove(&file), 0);
    outfile_deinit(&file);
    assert_int_equal(access("/dev/null", W_OK), 0);
    assert_int_equal(outfile_open(&file, "/dev/full", &how), 0);
    assert_int_equal(outfile_write(&file, "x", 1), -ENOSPC);
    outfile_deinit(&file);
}

static void folders_are_made(void **state)
{
    struct stat st;
    size_t len = 0;

    assert_int_equal(outfile_make_folders(in(state, "a//b/c/file"), &len), 0);
    assert_true(stat(in(state, "a/b/c"), &st) == 0 && (st.st_mode & 0777) == 0750);
    assert_int_equal(access(in(state, "a/b/c/file"), F_OK), -1);
    write_file(in(state, "file"), "");
    assert_int_equal(outfile_make_folders(in(state, "file/x/y"), &len), -ENOTDIR);
    assert_int_equal(len, strlen(path) - 2);
    assert_int_equal(outfile_make_folders("plain", &len), 0);
    assert_int_equal(outfile_make_folders("/plain", &len), 0);
    assert_int_equal(outfile_make_folders("", &len), 0);
}

static int scenario(void *arg)
{
    static const outfile_how_t hows[] = {
        {.mode = 0600, .whole = true},
        {.mode = 0600, .existing = OUTFILE_NUMBER},
    };
    size_t len;
    int err = outfile_make_folders(arg, &len);

    for (size_t i = 0; err == 0 && i < ARRAY_LENGTH(hows); i++) {
        outfile_t file;

        err = outfile_open(&file, arg, &hows[i]);
        err = err ? err : outfile_place(&file);
        outfile_deinit(&file);
    }
    return err;
}

static void memory_may_end(void **state)
{
    char link[256];

    snprintf(link, sizeof(link), "%s", in(state, "link"));
    write_file(in(state, "real"), "old");
    assert_int_equal(symlink("real", link), 0);
    oom_run(scenario, link);
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, folder_make, folder_remove)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_file_is_replaced_from_the_first_byte_on),
        TEST(or_when_the_new_one_is_whole),
        TEST(a_link_is_followed),
        TEST(what_exists_may_be_refused_or_counted),
        TEST(another_try_begins_where_this_one_did),
        TEST(devices_are_not_touched),
        TEST(folders_are_made),
        TEST(memory_may_end),
    };

    umask(022);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
