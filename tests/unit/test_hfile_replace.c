/* One thread. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/herr.h"
#include "base/hfile.h"

static char dir[] = "/tmp/test_replace.XXXXXX";
static char file[64], other[64];

static int setup(void **state)
{
    (void)state;
    if (!mkdtemp(dir))
        return -1;
    snprintf(file, sizeof(file), "%s/file", dir);
    snprintf(other, sizeof(other), "%s/other", dir);
    return 0;
}

static int clean(void **state)
{
    (void)state;
    unlink(file);
    unlink(other);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    return rmdir(dir); /* and no temporary file is left in it */
}

static int replace(const char *path, const char *text)
{
    return hfile_replace(path, text, strlen(text));
}

static void has(const char *path, const char *text)
{
    hbytes_t out = {0};

    assert_int_equal(hfile_read(path, 1024, &out), 0);
    assert_string_equal(out.data ? out.data : "", text);
    hbytes_deinit(&out);
}

static mode_t rights(const char *path)
{
    struct stat st;

    assert_int_equal(lstat(path, &st), 0);
    return st.st_mode;
}

static void a_file_is_new(void **state)
{
    mode_t mask = umask(027);

    (void)state;
    assert_int_equal(replace(file, "new"), 0);
    umask(mask);
    has(file, "new");
    assert_int_equal(rights(file), S_IFREG | 0640);
    assert_int_equal(replace(file, ""), 0);
    has(file, "");
}

static void a_file_takes_the_place_of_another(void **state)
{
    struct stat before, after;

    (void)state;
    assert_int_equal(replace(file, "old"), 0);
    assert_int_equal(chmod(file, 0604), 0);
    assert_int_equal(stat(file, &before), 0);
    assert_int_equal(replace(file, "new"), 0);
    has(file, "new");
    assert_int_equal(stat(file, &after), 0);
    assert_int_not_equal(before.st_ino, after.st_ino);
    assert_int_equal(after.st_mode, S_IFREG | 0604);
}

static void a_link_stays_one(void **state)
{
    (void)state;
    assert_int_equal(replace(file, "old"), 0);
    assert_int_equal(symlink(file, other), 0);
    assert_int_equal(replace(other, "new"), 0);
    assert_true(S_ISLNK(rights(other)));
    has(file, "new");
}

static void other_things_are_written_to(void **state)
{
    int fd;
    char buf[8] = "";

    (void)state;
    assert_int_equal(replace("/dev/null", "text"), 0);
    assert_int_equal(replace("/dev/full", "text"), -ENOSPC);
    assert_int_equal(mkfifo(file, 0600), 0);
    fd = open(file, O_RDWR | O_NONBLOCK);
    assert_true(fd >= 0);
    assert_int_equal(replace(file, "text"), 0);
    assert_int_equal(read(fd, buf, sizeof(buf)), 4);
    assert_string_equal(buf, "text");
    assert_true(S_ISFIFO(rights(file)));
    close(fd);
}

static void what_cannot_be_written_says_why(void **state)
{
    char path[5000];

    (void)state;
    assert_int_equal(replace("/nowhere/file", "text"), -ENOENT);
    assert_int_equal(replace(dir, "text"), -EISDIR);
    assert_int_equal(replace("", "text"), -ENOENT);
    memset(path, 'a', sizeof(path));
    path[sizeof(path) - 1] = '\0';
    assert_int_equal(replace(path, "text"), -ENAMETOOLONG);
}

/* In the folder where the program stands. */
static void a_name_needs_no_folder(void **state)
{
    int here = open(".", O_RDONLY | O_DIRECTORY);

    (void)state;
    assert_true(here >= 0);
    assert_int_equal(chdir(dir), 0);
    assert_int_equal(replace("file", "old"), 0);
    assert_int_equal(replace("file", "new"), 0);
    has(file, "new");
    assert_int_equal(fchdir(here), 0);
    close(here);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(a_file_is_new, clean),
        cmocka_unit_test_teardown(a_file_takes_the_place_of_another, clean),
        cmocka_unit_test_teardown(a_link_stays_one, clean),
        cmocka_unit_test_teardown(other_things_are_written_to, clean),
        cmocka_unit_test_teardown(what_cannot_be_written_says_why, clean),
        cmocka_unit_test_teardown(a_name_needs_no_folder, clean),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
