/* One thread. */
#include "app/hsandbox.h"

#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/herr.h"

static char folder[64];

static const char *at(const char *name)
{
    static char path[128];

    snprintf(path, sizeof(path), "%s/%s", folder, name);
    return path;
}

static bool can_open(const char *name, int flags)
{
    int fd = open(at(name), flags | O_CLOEXEC, 0600);

    if (fd >= 0)
        close(fd);
    return fd >= 0;
}

/* DIR/read/a, DIR/write/b, DIR/other/c, and DIR/d. */
static int begin(void **state)
{
    (void)state;
    snprintf(folder, sizeof(folder), "/tmp/test-hsandbox-XXXXXX");
    if (!mkdtemp(folder))
        return -1;
    mkdir(at("read"), 0700);
    mkdir(at("write"), 0700);
    mkdir(at("other"), 0700);
    return can_open("read/a", O_CREAT | O_WRONLY) && can_open("write/b", O_CREAT | O_WRONLY) &&
                   can_open("other/c", O_CREAT | O_WRONLY) && can_open("d", O_CREAT | O_WRONLY)
               ? 0
               : -1;
}

static int end(void **state)
{
    static const char *const names[] = {"read/a", "write/b",  "other/c", "d",     "write/new",
                                        "read",   "write/in", "write",   "other", ""};

    (void)state;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        remove(at(names[i]));
    return 0;
}

/* In a process of its own: what is given up does not come back. 0: all is as it should be. */
static void run_in_child(int (*body)(void))
{
    int status;
    pid_t pid = fork();

    if (pid == 0)
        _exit(body());
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

static int enter(hbytes_t *note)
{
    char read_path[128], write_path[128], file_path[128];
    const char *read[] = {read_path, file_path, "/nosuch", NULL}, *write[] = {write_path, NULL};
    const hsandbox_options_t options = {.read = read, .write = write};

    snprintf(read_path, sizeof(read_path), "%s", at("read"));
    snprintf(write_path, sizeof(write_path), "%s", at("write"));
    snprintf(file_path, sizeof(file_path), "%s", at("d"));
    return hsandbox_enter(&options, note);
}

static int look_at_files(void)
{
    hbytes_t note = {0};
    int inside = enter(&note);

    hbytes_deinit(&note);
    if (inside < 0)
        return 1;
    if (!can_open("read/a", O_RDONLY) || !can_open("d", O_RDONLY) || !can_open("write/b", O_RDWR))
        return 2;
    if (!can_open("write/new", O_CREAT | O_RDWR) || mkdir(at("write/in"), 0700) < 0)
        return 3;
    if (!(inside & HSANDBOX_LANDLOCK))
        return 0; /* not here */
    if (can_open("read/a", O_WRONLY) || can_open("read/new", O_CREAT | O_WRONLY))
        return 4;
    if (can_open("other/c", O_RDONLY) || can_open("d", O_WRONLY) || can_open("..", O_RDONLY))
        return 5;
    if (unlink(at("read/a")) == 0 || unlink(at("write/new")) < 0)
        return 6;
    return 0;
}

static void files_can_be_reached_as_the_lists_say(void **state)
{
    (void)state;
    run_in_child(look_at_files);
}

static int look_at_calls(void)
{
    char *const argv[] = {(char *)"true", NULL};
    hbytes_t note = {0};
    int inside = enter(&note);

    hbytes_deinit(&note);
    if (inside < 0 || prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1)
        return 1;
    if (!(inside & HSANDBOX_SECCOMP))
        return 0; /* not here */
    if (execv("/bin/true", argv) == 0 || errno != EPERM)
        return 2;
    if (mount("none", "/", "tmpfs", MS_REMOUNT, NULL) == 0 || errno != EPERM)
        return 3;
    if (unshare(0) == 0 || errno != EPERM)
        return 4;
    return getpid() > 0 && write(STDERR_FILENO, "", 0) == 0 ? 0 : 5;
}

static void calls_that_a_server_does_not_make_are_refused(void **state)
{
    (void)state;
    run_in_child(look_at_calls);
}

static int miss_a_path(void)
{
    const char *write[] = {"/nosuch/folder", NULL};
    const hsandbox_options_t options = {.write = write};
    hbytes_t note = {0};
    int err = hsandbox_enter(&options, &note);
    bool named = note.len > 0;

    hbytes_deinit(&note);
    return (err == -ENOENT || err >= 0) && named ? 0 : 1;
}

static void a_folder_to_write_has_to_exist(void **state)
{
    (void)state;
    run_in_child(miss_a_path);
}

static int enter_twice(void)
{
    hbytes_t note = {0};
    int first = enter(&note), second = enter(&note);

    hbytes_deinit(&note);
    return first >= 0 && second == first && can_open("read/a", O_RDONLY) ? 0 : 1;
}

static void it_may_be_entered_again(void **state)
{
    (void)state;
    run_in_child(enter_twice);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(files_can_be_reached_as_the_lists_say, begin, end),
        cmocka_unit_test_setup_teardown(calls_that_a_server_does_not_make_are_refused, begin, end),
        cmocka_unit_test_setup_teardown(a_folder_to_write_has_to_exist, begin, end),
        cmocka_unit_test_setup_teardown(it_may_be_entered_again, begin, end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
