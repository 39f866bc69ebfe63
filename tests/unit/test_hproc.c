#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "compat/hv/hproc.h"
#include "event/hsignal.h"

#include <errno.h>
#include <signal.h>
#include <sys/wait.h>

static void on_signal(hsignal_t *sig)
{
    (void)sig;
}

static void end_by_sigterm(void *userdata)
{
    (void)userdata;
    raise(SIGTERM);
}

static int wait_for(pid_t pid)
{
    int status;

    while (waitpid(pid, &status, 0) < 0)
        assert_int_equal(errno, EINTR);
    return status;
}

static void a_spawned_process_ends_with_0_and_its_parent_knows_it(void **state)
{
    proc_ctx_t ctx = {0};
    int pid = hproc_spawn(&ctx);

    (void)state;
    assert_true(pid > 0);
    assert_int_equal(ctx.pid, pid);
    assert_int_equal(ctx.spawn_cnt, 1);
    assert_int_equal(wait_for(pid), 0);
}

static void a_spawned_process_keeps_no_watches_of_its_parent(void **state)
{
    proc_ctx_t ctx = {.proc = end_by_sigterm};
    hloop_t *loop = hloop_new(0);
    int pid, status;

    (void)state;
    assert_non_null(loop);
    assert_non_null(hsignal_add(loop, on_signal, SIGTERM));
    pid = hproc_spawn(&ctx);
    assert_true(pid > 0);
    status = wait_for(pid);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM);
    hloop_free(&loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_spawned_process_ends_with_0_and_its_parent_knows_it),
        cmocka_unit_test(a_spawned_process_keeps_no_watches_of_its_parent),
    };

    return cmocka_run_group_tests_name("hproc", tests, NULL, NULL);
}
