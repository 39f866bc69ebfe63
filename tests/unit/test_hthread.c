/* Two threads, until the second one has told of itself over a pipe. */
#include "base/hthread.h"

#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

static int told[2];

static void *tell_mask(void *arg)
{
    sigset_t mask;

    pthread_sigmask(SIG_SETMASK, NULL, &mask);
    if (write(told[1], &mask, sizeof(mask)) != sizeof(mask))
        abort();
    return arg;
}

static void a_thread_gets_no_signals_and_who_started_it_still_does(void **state)
{
    sigset_t before, after, mask;

    (void)state;
    assert_int_equal(pipe(told), 0);
    pthread_sigmask(SIG_SETMASK, NULL, &before);
    assert_int_equal(hthread_detach(tell_mask, NULL), 0);
    pthread_sigmask(SIG_SETMASK, NULL, &after);
    assert_int_equal(read(told[0], &mask, sizeof(mask)), sizeof(mask));
    assert_int_equal(sigismember(&mask, SIGTERM), 1);
    assert_int_equal(sigismember(&mask, SIGINT), 1);
    assert_int_equal(sigismember(&before, SIGTERM), 0);
    assert_int_equal(sigismember(&after, SIGTERM), 0);
    close(told[0]);
    close(told[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_thread_gets_no_signals_and_who_started_it_still_does),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
