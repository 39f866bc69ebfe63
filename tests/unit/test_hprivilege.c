/* One thread. */
#include "app/hprivilege.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/herr.h"
#include "oom.h"

/* In a process of its own: what is given up does not come back. */
static void privileges_are_dropped_for_good(void **state)
{
    hbytes_t why = {0};
    int status;
    pid_t pid;

    (void)state;
    assert_int_equal(hprivilege_drop(NULL, NULL, &why), 0);
    if (geteuid() != 0) {
        assert_int_equal(hprivilege_drop("0", NULL, &why), -EPERM);
        hbytes_deinit(&why);
        return;
    }
    pid = fork();
    if (pid == 0) {
        gid_t groups[64];

        /* A number without an entry has no group: root's would stay. */
        if (hprivilege_drop("4000000001", NULL, &why) != HERR_RESOLVE || getuid() != 0)
            _exit(5);
        hbytes_deinit(&why);
        if (hprivilege_drop("65534", "65533", &why) != 0)
            _exit(1);
        if (getuid() != 65534 || geteuid() != 65534 || getegid() != 65533)
            _exit(2);
        if (setuid(0) == 0 || setgid(0) == 0)
            _exit(3);
        for (int i = getgroups(64, groups) - 1; i >= 0; i--) {
            if (groups[i] == 0)
                _exit(4);
        }
        _exit(0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    hbytes_deinit(&why);
}

static void a_name_that_does_not_exist_is_told_in_words(void **state)
{
    hbytes_t why = {0};

    (void)state;
    assert_int_equal(hprivilege_check("no-such-user", NULL, NULL, &why), HERR_RESOLVE);
    assert_string_equal(why.data, "unknown user 'no-such-user'");
    hbytes_deinit(&why);
    assert_int_equal(hprivilege_drop(NULL, "no-such-group", &why), HERR_RESOLVE);
    assert_string_equal(why.data, "unknown group 'no-such-group'");
    hbytes_deinit(&why);
    assert_int_equal(hprivilege_check("4000000001", "0", NULL, &why), 0);
    assert_int_equal(hprivilege_check(NULL, NULL, NULL, &why), 0);
    assert_int_equal(why.len, 0);
}

/* 0: as it should be. In a process of its own. */
static int enter_folder(const char *folder)
{
    hbytes_t why = {0};
    struct stat outside, inside;
    int err;

    if (stat(folder, &outside) < 0)
        return 1;
    err = hprivilege_enter("/nosuch", NULL, NULL, &why);
    if (geteuid() != 0)
        return err < 0 && why.len > 0 ? 0 : 2;
    if (err != -ENOENT || strstr(why.data, "/nosuch") == NULL)
        return 3;
    hbytes_deinit(&why);
    if (hprivilege_enter(folder, "nobody", NULL, &why) != 0) /* whom nobody knows in there */
        return 4;
    if (stat("/", &inside) < 0 || inside.st_ino != outside.st_ino || stat(".", &inside) < 0 ||
        inside.st_ino != outside.st_ino)
        return 5;
    return geteuid() != 0 && chroot("/") < 0 ? 0 : 6;
}

static void a_folder_becomes_the_root(void **state)
{
    char folder[] = "/tmp/test-hprivilege-XXXXXX";
    int status;
    pid_t pid;

    (void)state;
    assert_non_null(mkdtemp(folder));
    assert_int_equal(chmod(folder, 0755), 0);
    pid = fork();
    if (pid == 0)
        _exit(enter_folder(folder));
    assert_int_equal(waitpid(pid, &status, 0), pid);
    rmdir(folder);
    assert_int_equal(status, 0);
}

static int refuse_both(void *arg)
{
    hbytes_t why = {0};

    (void)arg;
    assert_int_equal(hprivilege_check("no-such-user", NULL, NULL, &why), HERR_RESOLVE);
    hbytes_deinit(&why);
    assert_int_equal(hprivilege_drop("0", "no-such-group", &why), HERR_RESOLVE);
    hbytes_deinit(&why);
    return 0;
}

static void out_of_memory_costs_the_words_and_not_the_error(void **state)
{
    (void)state;
    oom_run(refuse_both, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(privileges_are_dropped_for_good),
        cmocka_unit_test(a_name_that_does_not_exist_is_told_in_words),
        cmocka_unit_test(a_folder_becomes_the_root),
        cmocka_unit_test(out_of_memory_costs_the_words_and_not_the_error),
    };

    return cmocka_run_group_tests_name("hprivilege", tests, NULL, NULL);
}
