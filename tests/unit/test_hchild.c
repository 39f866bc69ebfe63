#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "event/hchild.h"
#include "event/hsignal.h"
#include "loop_test.h"
#include "oom.h"

#include <sys/wait.h>

static int called;
static int status_seen;
static void *userdata_seen;
static hchild_t *other_child;

static void on_child(hchild_t *child)
{
    called++;
    status_seen = hchild_status(child);
    userdata_seen = hevent_userdata(child);
    hchild_del(child); /* legal: nothing is left to stop */
    assert_int_equal(hchild_kill(child, 0), -ESRCH);
}

static pid_t spawn(int exit_status)
{
    pid_t pid = fork();

    if (pid == 0) {
        if (exit_status >= 0)
            _exit(exit_status);
        hsignal_after_fork();
        for (;;)
            pause();
    }
    assert_true(pid > 0);
    return pid;
}

static void the_exit_status_of_a_child_arrives(void **state)
{
    hloop_t *loop = new_loop();
    pid_t pid = spawn(7);
    hchild_t *child = hchild_add(loop, pid, on_child, &called);

    (void)state;
    assert_non_null(child);
    assert_int_equal(hchild_pid(child), pid);
    RUN_UNTIL(loop, called == 1);
    assert_ptr_equal(userdata_seen, &called);
    assert_true(WIFEXITED(status_seen));
    assert_int_equal(WEXITSTATUS(status_seen), 7);
    assert_int_equal(waitpid(pid, NULL, 0), -1); /* reaped */
    assert_int_equal(hloop_nios(loop), 0);
    hloop_free(&loop);
}

static void a_child_killed_by_a_signal_says_so(void **state)
{
    hloop_t *loop = new_loop();
    hchild_t *child = hchild_add(loop, spawn(-1), on_child, NULL);

    (void)state;
    assert_non_null(child);
    assert_int_equal(hchild_kill(child, 0), 0);
    assert_int_equal(hchild_kill(child, SIGTERM), 0);
    RUN_UNTIL(loop, called == 1);
    assert_true(WIFSIGNALED(status_seen));
    assert_int_equal(WTERMSIG(status_seen), SIGTERM);
    hloop_free(&loop);
}

static void a_child_no_longer_watched_is_left_alone(void **state)
{
    hloop_t *loop = new_loop();
    pid_t pid = spawn(-1);
    hchild_t *child = hchild_add(loop, pid, on_child, NULL);

    (void)state;
    hchild_del(child);
    hchild_del(NULL);
    settle(loop);
    assert_int_equal(kill(pid, SIGKILL), 0);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    settle(loop);
    assert_int_equal(called, 0);
    assert_int_equal(hloop_nios(loop), 0);
    hloop_free(&loop);
}

static void what_is_no_child_is_refused(void **state)
{
    hloop_t *loop = new_loop();

    (void)state;
    errno = 0;
    assert_null(hchild_add(loop, getppid(), on_child, NULL));
    assert_int_equal(errno, ECHILD);
    errno = 0;
    assert_null(hchild_add(loop, 0x3fffffff, on_child, NULL));
    assert_int_equal(errno, ESRCH);
    assert_int_equal(hloop_nios(loop), 0);
    hloop_free(&loop);
}

static void a_child_that_somebody_else_reaped_has_no_status(void **state)
{
    hloop_t *loop = new_loop();
    pid_t pid = spawn(-1);

    (void)state;
    assert_non_null(hchild_add(loop, pid, on_child, NULL));
    kill(pid, SIGKILL);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    RUN_UNTIL(loop, called == 1);
    assert_int_equal(status_seen, -1);
    hloop_free(&loop);
}

static void on_child_stops_other(hchild_t *child)
{
    on_child(child);
    hchild_del(other_child);
}

static void a_child_may_be_dropped_in_anothers_callback(void **state)
{
    hloop_t *loop = new_loop();
    pid_t first = spawn(-1), second = spawn(-1);
    hchild_t *child = hchild_add(loop, first, on_child_stops_other, NULL);

    (void)state;
    other_child = hchild_add(loop, second, on_child, NULL);
    assert_true(child && other_child);
    kill(second, SIGKILL);
    kill(first, SIGKILL);
    waitid(P_PID, (id_t)second, NULL, WEXITED | WNOWAIT);
    waitid(P_PID, (id_t)first, NULL, WEXITED | WNOWAIT);
    RUN_UNTIL(loop, called >= 1);
    settle(loop);
    waitpid(second, NULL, WNOHANG);
    hloop_free(&loop);
}

static void many_children_at_once(void **state)
{
    hloop_t *loop = new_loop();

    (void)state;
    for (int i = 0; i < 20; i++)
        assert_non_null(hchild_add(loop, spawn(i), on_child, NULL));
    RUN_UNTIL(loop, called == 20);
    hloop_free(&loop);
}

/* ---- out of memory --------------------------------------------------------------------------- */

static int watch_with_little_memory(void *arg)
{
    hloop_t *loop = hloop_new_with(&(hloop_options_t){HLOOP_FLAG_RUN_ONCE, test_poller, 0, NULL});
    pid_t pid = spawn(-1);
    bool watched = loop && hchild_add(loop, pid, on_child, NULL);

    (void)arg;
    kill(pid, SIGKILL);
    waitid(P_PID, (id_t)pid, NULL, WEXITED | WNOWAIT);
    for (int i = 0; loop && i < 3; i++) {
        hloop_wakeup(loop);
        hloop_run(loop);
    }
    hloop_free(&loop);
    waitpid(pid, NULL, WNOHANG);
    return watched ? 0 : -ENOMEM;
}

static void out_of_memory_is_an_error(void **state)
{
    (void)state;
    oom_run(watch_with_little_memory, NULL);
}

static int setup(void **state)
{
    called = 0;
    return loop_test_setup(state);
}

#define TEST(f) cmocka_unit_test_setup(f, setup)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_exit_status_of_a_child_arrives),
        TEST(a_child_killed_by_a_signal_says_so),
        TEST(a_child_no_longer_watched_is_left_alone),
        TEST(what_is_no_child_is_refused),
        TEST(a_child_that_somebody_else_reaped_has_no_status),
        TEST(a_child_may_be_dropped_in_anothers_callback),
        TEST(many_children_at_once),
        TEST(out_of_memory_is_an_error),
    };

    return run_on_each_poller("hchild", tests, ARRAY_LENGTH(tests));
}
