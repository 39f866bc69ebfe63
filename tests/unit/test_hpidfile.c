#include "app/hpidfile.h"

#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "oom.h"

#define WAIT_MS 100000

static char dir[32], path[64];

static int begin(void **state)
{
    (void)state;
    snprintf(dir, sizeof(dir), "/tmp/hpidfile-XXXXXX");
    if (mkdtemp(dir) == NULL)
        return -1;
    snprintf(path, sizeof(path), "%s/x.pid", dir);
    return 0;
}

static int end(void **state)
{
    (void)state;
    unlink(path);
    return rmdir(dir);
}

/* A process that holds the file until a signal, or the end of the test, ends it; it has the file
 * when this returns. */
static pid_t start_holder(bool ignores_sigterm)
{
    pid_t test = getpid();
    int fds[2];
    char c;
    pid_t pid;

    assert_int_equal(pipe(fds), 0);
    pid = fork();
    if (pid == 0) {
        hpidfile_t *file;
        pid_t holder;

        signal(SIGTERM, ignores_sigterm ? SIG_IGN : SIG_DFL);
        if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != test)
            _exit(1);
        if (hpidfile_open(path, &file, &holder) != 0 || write(fds[1], "x", 1) != 1)
            _exit(1);
        while (pause() < 0)
            continue;
    }
    close(fds[1]);
    assert_int_equal(read(fds[0], &c, 1), 1);
    close(fds[0]);
    return pid;
}

static void reap(pid_t pid)
{
    assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static void the_file_has_the_number_and_mode_0644(void **state)
{
    mode_t old_mask = umask(077);
    char text[32] = "", number[32];
    hpidfile_t *file;
    pid_t holder;
    struct stat st;
    int fd;

    (void)state;
    assert_int_equal(hpidfile_open(path, &file, &holder), 0);
    umask(old_mask);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0644);
    fd = open(path, O_RDONLY);
    assert_true(read(fd, text, sizeof(text) - 1) > 0);
    close(fd);
    snprintf(number, sizeof(number), "%ld\n", (long)getpid());
    assert_string_equal(text, number);
    hpidfile_close(file);
    assert_int_equal(access(path, F_OK), -1);
}

static void a_second_one_is_refused_and_told_who_holds_it(void **state)
{
    pid_t pid = start_holder(false), holder;
    hpidfile_t *file;

    (void)state;
    assert_int_equal(hpidfile_open(path, &file, &holder), -EEXIST);
    assert_null(file);
    assert_int_equal(holder, pid);
    assert_int_equal(hpidfile_holder(path), pid);
    kill(pid, SIGKILL);
    reap(pid);
}

/* Somebody removed the file by hand, and a second server runs. */
static void the_file_of_another_is_not_removed(void **state)
{
    hpidfile_t *file;
    pid_t pid, holder;

    (void)state;
    assert_int_equal(hpidfile_open(path, &file, &holder), 0);
    unlink(path);
    pid = start_holder(false);
    hpidfile_close(file);
    assert_int_equal(hpidfile_holder(path), pid);
    kill(pid, SIGKILL);
    reap(pid);
}

static void a_file_of_a_dead_process_is_stale_and_taken_over(void **state)
{
    pid_t pid = start_holder(false), holder;
    hpidfile_t *file;

    (void)state;
    kill(pid, SIGKILL);
    reap(pid);
    assert_int_equal(access(path, F_OK), 0);
    assert_int_equal(hpidfile_holder(path), 0);
    assert_int_equal(hpidfile_open(path, &file, &holder), 0);
    hpidfile_close(file);
}

static void what_is_no_pid_file_stays_untouched(void **state)
{
    hpidfile_t *file;
    pid_t holder;
    struct stat st;
    FILE *other = fopen(path, "w");

    (void)state;
    fputs("root:x:0:0\n", other);
    fclose(other);
    assert_int_equal(hpidfile_open(path, &file, &holder), -EINVAL);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_size, 11);
    unlink(path);
    assert_int_equal(symlink("/tmp/hpidfile-nowhere", path), 0);
    assert_int_equal(hpidfile_open(path, &file, &holder), -EINVAL);
    assert_int_equal(access("/tmp/hpidfile-nowhere", F_OK), -1);
    assert_int_equal(hpidfile_open(dir, &file, &holder), -EINVAL);
    unlink(path);
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_int_equal(hpidfile_open(path, &file, &holder), -EINVAL);
}

static void a_missing_folder_is_an_error_and_no_file_is_nobody(void **state)
{
    hpidfile_t *file;
    pid_t holder;

    (void)state;
    assert_int_equal(hpidfile_open("/nonexistent/x.pid", &file, &holder), -ENOENT);
    assert_int_equal(hpidfile_holder(path), 0);
    assert_int_equal(hpidfile_signal(path, SIGTERM, WAIT_MS, &holder), 0);
}

static void a_forked_child_neither_holds_nor_removes_it(void **state)
{
    hpidfile_t *file;
    pid_t holder, pid;
    int status;

    (void)state;
    assert_int_equal(hpidfile_open(path, &file, &holder), 0);
    pid = fork();
    if (pid == 0) {
        pid_t seen = hpidfile_holder(path);

        hpidfile_close(file);
        _exit(seen == getppid() && access(path, F_OK) == 0 ? 0 : 1);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    hpidfile_close(file);
}

static void a_signal_ends_the_holder_within_the_time(void **state)
{
    pid_t pid = start_holder(false), holder;

    (void)state;
    assert_int_equal(hpidfile_signal(path, SIGTERM, WAIT_MS, &holder), pid);
    assert_int_equal(holder, pid);
    reap(pid);
}

static void a_holder_that_lives_on_is_a_timeout(void **state)
{
    pid_t pid = start_holder(true), holder;

    (void)state;
    assert_int_equal(hpidfile_signal(path, SIGTERM, 20, &holder), -ETIMEDOUT);
    assert_int_equal(holder, pid);
    kill(pid, SIGKILL);
    reap(pid);
}

/* What a process of another PID namespace makes of the file: exits with what was wrong, or 0. */
__attribute__((noreturn)) static void look_from_elsewhere(void)
{
    hpidfile_t *file;
    pid_t holder;

    if (hpidfile_holder(path) != HPIDFILE_ELSEWHERE)
        _exit(1);
    if (hpidfile_signal(path, SIGTERM, WAIT_MS, &holder) != HPIDFILE_ELSEWHERE)
        _exit(2);
    if (hpidfile_open(path, &file, &holder) != -EEXIST)
        _exit(3);
    _exit(holder == HPIDFILE_ELSEWHERE ? 0 : 4);
}

static void a_holder_of_another_pid_namespace_is_running(void **state)
{
    hpidfile_t *file;
    pid_t holder, pid;
    int status;

    (void)state;
    assert_int_equal(hpidfile_open(path, &file, &holder), 0);
    pid = fork();
    if (pid == 0) {
        if (unshare(CLONE_NEWUSER | CLONE_NEWPID) < 0)
            _exit(77);
        pid = fork();
        if (pid == 0)
            look_from_elsewhere();
        _exit(pid < 0 || waitpid(pid, &status, 0) != pid ? 77 : WEXITSTATUS(status));
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    hpidfile_close(file);
    assert_true(WIFEXITED(status));
    if (WEXITSTATUS(status) == 77)
        skip(); /* no namespaces here */
    assert_int_equal(WEXITSTATUS(status), 0);
}

static int open_and_close(void *arg)
{
    hpidfile_t *file;
    pid_t holder;
    int status = hpidfile_open(path, &file, &holder);

    (void)arg;
    hpidfile_close(file);
    return status;
}

static void out_of_memory_is_an_error_at_every_allocation(void **state)
{
    (void)state;
    oom_run(open_and_close, NULL);
}

#define WITH_DIR(test) cmocka_unit_test_setup_teardown(test, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_DIR(the_file_has_the_number_and_mode_0644),
        WITH_DIR(a_second_one_is_refused_and_told_who_holds_it),
        WITH_DIR(the_file_of_another_is_not_removed),
        WITH_DIR(a_file_of_a_dead_process_is_stale_and_taken_over),
        WITH_DIR(what_is_no_pid_file_stays_untouched),
        WITH_DIR(a_missing_folder_is_an_error_and_no_file_is_nobody),
        WITH_DIR(a_forked_child_neither_holds_nor_removes_it),
        WITH_DIR(a_signal_ends_the_holder_within_the_time),
        WITH_DIR(a_holder_that_lives_on_is_a_timeout),
        WITH_DIR(a_holder_of_another_pid_namespace_is_running),
        WITH_DIR(out_of_memory_is_an_error_at_every_allocation),
    };

    return cmocka_run_group_tests_name("hpidfile", tests, NULL, NULL);
}
