/* One thread. */
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/herr.h"
#include "base/hfile.h"
#include "oom.h"

#define SIZE 100000

static char dir[] = "/tmp/test_hfile.XXXXXX";
static char path[64];

static int setup(void **state)
{
    FILE *file;

    (void)state;
    if (!mkdtemp(dir))
        return -1;
    snprintf(path, sizeof(path), "%s/file", dir);
    file = fopen(path, "w");
    for (int i = 0; file && i < SIZE; i++)
        fputc(i % 251, file);
    return file ? fclose(file) : -1;
}

static int teardown(void **state)
{
    (void)state;
    unlink(path);
    return rmdir(dir);
}

static void test_a_file_is_read_whole(void **state)
{
    hbytes_t out = {0};

    (void)state;
    assert_int_equal(hbytes_append_str(&out, "before:"), 0);
    assert_int_equal(hfile_read(path, SIZE, &out), 0);
    assert_int_equal(out.len, 7 + SIZE);
    for (size_t i = 0; i < SIZE; i++)
        assert_int_equal((uint8_t)out.data[7 + i], i % 251);
    hbytes_clear(&out);
    assert_int_equal(hfile_read("/proc/self/status", SIZE, &out), 0); /* its size is told as 0 */
    assert_true(out.len > 0);
    hbytes_deinit(&out);
}

static void test_what_a_user_names_is_waited_for(void **state)
{
    hbytes_t out = {0};
    int saved = dup(STDIN_FILENO);
    int fds[2];

    (void)state;
    assert_int_equal(hfile_read_named(path, SIZE, &out), 0);
    assert_int_equal(out.len, SIZE);
    assert_int_equal(hfile_read_named(path, SIZE - 1, &out), -EFBIG);
    assert_int_equal(hfile_read_named("/nowhere/file", SIZE, &out), -ENOENT);
    assert_int_equal(hfile_read_named("/tmp", SIZE, &out), -EISDIR);
    hbytes_clear(&out);
    assert_int_equal(pipe2(fds, O_NONBLOCK), 0);
    assert_int_equal(dup2(fds[0], STDIN_FILENO), STDIN_FILENO);
    if (fork() == 0) { /* writes once the reader waits, most probably */
        sched_yield();
        _exit(write(fds[1], "in a pipe", 9) != 9);
    }
    close(fds[1]);
    assert_int_equal(hfile_read_named("-", SIZE, &out), 0);
    assert_string_equal(out.data, "in a pipe");
    dup2(saved, STDIN_FILENO);
    close(fds[0]);
    close(saved);
    assert_int_equal(wait(NULL) > 0, 1);
    hbytes_deinit(&out);
}

static void test_what_cannot_be_read_says_why(void **state)
{
    char fifo[80];
    hbytes_t out = {0};

    (void)state;
    assert_int_equal(hfile_read(path, SIZE - 1, &out), -EFBIG);
    hbytes_deinit(&out);
    assert_int_equal(hfile_read("/nonexistent", SIZE, &out), -ENOENT);
    assert_int_equal(hfile_read(dir, SIZE, &out), -EISDIR);
    assert_int_equal(hfile_read("/dev/null", SIZE, &out), -EINVAL);
    snprintf(fifo, sizeof(fifo), "%s/fifo", dir);
    assert_int_equal(mkfifo(fifo, 0600), 0);
    assert_int_equal(hfile_read(fifo, SIZE, &out), -EINVAL); /* and does not wait for a writer */
    unlink(fifo);
    assert_int_equal(out.len, 0);
    hbytes_init(&out, 10);
    assert_int_equal(hfile_read(path, SIZE, &out), -ENOBUFS);
    hbytes_deinit(&out);
}

static void write_file(const char *data, size_t len)
{
    FILE *file = fopen(path, "w");

    assert_non_null(file);
    assert_int_equal(fwrite(data, 1, len, file), len);
    assert_int_equal(fclose(file), 0);
}

static void test_text_has_no_mark_and_no_nul(void **state)
{
    hbytes_t out = {0};

    (void)state;
    assert_int_equal(hfile_read_text("/dev/zero", SIZE_MAX, &out), HERR_SYNTAX); /* it never ends */
    assert_int_equal(out.len, 0);
    assert_int_equal(hfile_read_text("/dev/null", 0, &out), 0);
    assert_int_equal(hbytes_append_str(&out, "before:"), 0);
    write_file("\xef\xbb\xbftext\n", 8);
    assert_int_equal(hfile_read_text(path, 8, &out), 0);
    assert_string_equal(out.data, "before:text\n");
    assert_int_equal(out.len, 12);
    hbytes_clear(&out);
    write_file("\xef\xbb", 2);
    assert_int_equal(hfile_read_text(path, 8, &out), 0);
    assert_string_equal(out.data, "\xef\xbb");
    write_file("a\0b", 3);
    assert_int_equal(hfile_read_text(path, 8, &out), HERR_SYNTAX);
    hbytes_deinit(&out);
}

static void test_a_large_file_is_not_read_to_find_that(void **state)
{
    hbytes_t out = {0};

    (void)state;
    assert_int_equal(truncate(path, (off_t)1 << 40), 0);
    assert_int_equal(hfile_read(path, SIZE, &out), -EFBIG);
    assert_int_equal(hfile_read_named(path, SIZE, &out), -EFBIG);
    assert_int_equal(out.len, 0);
    hbytes_deinit(&out);
}

static int scenario(void *arg)
{
    hbytes_t out = {0};
    int err = hfile_read(path, SIZE, &out);

    (void)arg;
    hbytes_deinit(&out);
    return err;
}

static void test_out_of_memory(void **state)
{
    (void)state;
    oom_run(scenario, NULL);
}

/* The reader is slow, and the pipe does not wait for it. */
static void test_all_of_it_is_written(void **state)
{
    static char data[SIZE * 5], got[SIZE * 5];
    size_t len = 0;
    ssize_t n;
    int fds[2], status;
    pid_t child;

    (void)state;
    for (size_t i = 0; i < sizeof(data); i++)
        data[i] = (char)(i % 251);
    assert_int_equal(pipe2(fds, O_NONBLOCK), 0);
    child = fork();
    if (child == 0) {
        close(fds[0]);
        _exit(hfile_write_all(fds[1], data, sizeof(data)) == 0 ? 0 : 1);
    }
    close(fds[1]);
    while ((n = read(fds[0], got + len, sizeof(got) - len)) != 0) {
        assert_true(n > 0 || errno == EAGAIN);
        len += n > 0 ? (size_t)n : 0;
        if (len == sizeof(got))
            break;
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_memory_equal(got, data, sizeof(data));
    close(fds[0]);
    assert_int_equal(hfile_write_all(-1, "x", 1), -EBADF);
    assert_int_equal(hfile_write_all(-1, "", 0), 0);
}

/* ---- alone ----------------------------------------------------------------------------------- */

static char moved_to[80]; /* while it is being locked; "": nowhere */

int __real_flock(int fd, int operation);
int __wrap_flock(int fd, int operation);
int __wrap_flock(int fd, int operation)
{
    if (moved_to[0])
        assert_int_equal(rename(path, moved_to), 0);
    moved_to[0] = '\0';
    return __real_flock(fd, operation);
}

static ino_t file_of(int fd)
{
    struct stat st;

    assert_true(fd >= 0);
    assert_int_equal(fstat(fd, &st), 0);
    return st.st_ino;
}

static ino_t file_at(const char *name)
{
    int fd = open(name, O_RDONLY);
    ino_t file = file_of(fd);

    close(fd);
    return file;
}

static void test_one_opens_a_file_alone(void **state)
{
    int fd = hfile_open_alone(path, 0666), again;

    (void)state;
    assert_int_equal(file_of(fd), file_at(path));
    assert_int_equal(hfile_open_alone(path, 0666), -EBUSY);
    close(fd);
    again = hfile_open_alone(path, 0666);
    assert_true(again >= 0);
    close(again);
    assert_int_equal(hfile_open_alone(dir, 0666), -EISDIR);
    assert_int_equal(hfile_open_alone("/dev/null", 0666), -EINVAL);
    assert_int_equal(hfile_open_alone("/proc/self/exe", 0666), -ELOOP);
}

static void test_a_file_that_was_moved_is_not_the_one_of_the_path(void **state)
{
    char other[80];
    ino_t before = file_at(path);
    int fd;

    (void)state;
    snprintf(other, sizeof(other), "%s.other", path);
    memcpy(moved_to, other, sizeof(other));
    fd = hfile_open_alone(path, 0600);
    assert_int_equal(file_of(fd), file_at(path));
    assert_int_equal(file_at(other), before);
    assert_true(file_of(fd) != before);
    close(fd);
    assert_int_equal(rename(other, path), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_file_is_read_whole),
        cmocka_unit_test(test_what_a_user_names_is_waited_for),
        cmocka_unit_test(test_what_cannot_be_read_says_why),
        cmocka_unit_test(test_out_of_memory),
        cmocka_unit_test(test_all_of_it_is_written),
        cmocka_unit_test(test_one_opens_a_file_alone),
        cmocka_unit_test(test_a_file_that_was_moved_is_not_the_one_of_the_path),
        cmocka_unit_test(test_text_has_no_mark_and_no_nul),
        cmocka_unit_test(test_a_large_file_is_not_read_to_find_that),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
