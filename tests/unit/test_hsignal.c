#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "event/hidle.h"
#include "event/hsignal.h"
#include "loop_test.h"
#include "oom.h"

static int order[64];
static int called;
static volatile sig_atomic_t old_handler_ran;

static int setup(void **state)
{
    called = 0;
    old_handler_ran = 0;
    return loop_test_setup(state);
}

static void on_event(void *ev)
{
    if (called < (int)ARRAY_LENGTH(order))
        order[called] = (int)(intptr_t)hevent_userdata(ev);
    called++;
}

static void on_signal(hsignal_t *sig)
{
    on_event(sig);
}

static hsignal_t *watch(hloop_t *loop, int signo, int name)
{
    hsignal_t *sig = hsignal_add(loop, on_signal, signo);

    assert_non_null(sig);
    hevent_set_userdata(sig, (intptr_t)name);
    return sig;
}

/* ---- signals --------------------------------------------------------------------------------- */

static void a_signal_is_an_event(void **state)
{
    hloop_t *loop = new_loop();
    hsignal_t *sig = watch(loop, SIGUSR1, 3);

    (void)state;
    assert_int_equal(hsignal_signo(sig), SIGUSR1);
    for (int i = 1; i <= 3; i++) {
        raise(SIGUSR1);
        assert_int_equal(called, i - 1); /* not inside the handler */
        RUN_UNTIL(loop, called == i);
    }
    settle(loop);
    assert_int_equal(called, 3);
    hloop_free(&loop);
}

/* The thread sanitizer runs handlers only within calls that it knows; liburing's wait is none. */
#ifdef __SANITIZE_THREAD__
static const bool handlers_wait_for_a_call = true;
#else
static const bool handlers_wait_for_a_call = false;
#endif

static void *kill_soon(void *arg)
{
    struct timespec ts = {0, 20000000};

    (void)arg;
    nanosleep(&ts, NULL);
    kill(getpid(), SIGUSR1);
    return NULL;
}

static void a_signal_wakes_a_sleeping_loop(void **state)
{
    hloop_t *loop;
    pthread_t thread;

    (void)state;
    if (handlers_wait_for_a_call && strcmp(test_poller, "io_uring") == 0)
        skip();
    loop = new_loop();
    watch(loop, SIGUSR1, 1);
    assert_int_equal(pthread_create(&thread, NULL, kill_soon, NULL), 0);
    RUN_UNTIL(loop, called == 1);
    pthread_join(thread, NULL);
    hloop_free(&loop);
}

static void each_loop_that_watches_gets_it(void **state)
{
    hloop_t *loops[3] = {new_loop(), new_loop(), new_loop()};

    (void)state;
    for (int i = 0; i < 3; i++)
        watch(loops[i], SIGUSR1, i);
    raise(SIGUSR1);
    for (int i = 0; i < 3; i++)
        RUN_UNTIL(loops[i], called == i + 1);
    for (int i = 0; i < 3; i++)
        assert_int_equal(order[i], i);
    hloop_free(&loops[1]);
    raise(SIGUSR1);
    RUN_UNTIL(loops[0], called == 4);
    RUN_UNTIL(loops[2], called == 5);
    hloop_free(&loops[0]);
    hloop_free(&loops[2]);
}

static void each_watcher_of_a_loop_gets_it(void **state)
{
    hloop_t *loop = new_loop();

    (void)state;
    for (int i = 0; i < 3; i++)
        watch(loop, SIGUSR1, i);
    watch(loop, SIGUSR2, 9);
    raise(SIGUSR1);
    RUN_UNTIL(loop, called >= 3);
    settle(loop);
    assert_int_equal(called, 3);
    for (int i = 0; i < 3; i++)
        assert_int_equal(order[i], i);
    hloop_free(&loop);
}

static void higher_priorities_get_it_first(void **state)
{
    hloop_t *loop = new_loop();

    (void)state;
    for (int i = -5; i <= 5; i++)
        hevent_set_priority(watch(loop, SIGUSR1, i), i);
    raise(SIGUSR1);
    RUN_UNTIL(loop, called == 11);
    for (int i = 0; i < 11; i++)
        assert_int_equal(order[i], 5 - i);
    hloop_free(&loop);
}

static hsignal_t *victim;

static void on_promote(hsignal_t *sig)
{
    on_event(sig);
    hevent_set_priority(victim, 5);
}

static void a_pending_watcher_whose_priority_changes_still_gets_it(void **state)
{
    hloop_t *loop = new_loop();
    hsignal_t *first = hsignal_add(loop, on_promote, SIGUSR1);

    (void)state;
    assert_non_null(first);
    victim = watch(loop, SIGUSR1, 7);
    raise(SIGUSR1);
    RUN_UNTIL(loop, called == 2);
    hloop_free(&loop);
}

static void on_delete_both(hsignal_t *sig)
{
    on_event(sig);
    hsignal_del(victim);
    hsignal_del(sig);
}

static void watchers_may_be_deleted_in_callbacks(void **state)
{
    hloop_t *loop = new_loop();

    (void)state;
    assert_non_null(hsignal_add(loop, on_delete_both, SIGUSR1));
    victim = watch(loop, SIGUSR1, 7);
    watch(loop, SIGUSR1, 8);
    raise(SIGUSR1);
    RUN_UNTIL(loop, called == 2);
    assert_int_equal(order[1], 8);
    raise(SIGUSR1);
    RUN_UNTIL(loop, called == 3);
    hsignal_del(NULL);
    hloop_free(&loop);
}

static void a_signal_pending_when_its_watcher_goes_is_dropped(void **state)
{
    hloop_t *loop = new_loop();
    hsignal_t *sig = watch(loop, SIGUSR1, 1);

    (void)state;
    watch(loop, SIGUSR2, 2);
    raise(SIGUSR1);
    hsignal_del(sig);
    settle(loop);
    assert_int_equal(called, 0);
    hloop_free(&loop);
}

static void old_handler(int signo)
{
    (void)signo;
    old_handler_ran++;
}

static void the_last_watcher_restores_the_handler(void **state)
{
    hloop_t *loop = new_loop(), *other = new_loop();
    struct sigaction old = {.sa_handler = old_handler}, now;
    hsignal_t *first, *second;

    (void)state;
    assert_int_equal(sigaction(SIGUSR2, &old, NULL), 0);
    first = watch(loop, SIGUSR2, 1);
    second = watch(loop, SIGUSR2, 2);
    watch(other, SIGUSR2, 3);
    raise(SIGUSR2);
    hsignal_del(first);
    hsignal_del(second);
    raise(SIGUSR2);
    assert_int_equal(old_handler_ran, 0);
    hloop_free(&other); /* the last one */
    raise(SIGUSR2);
    assert_int_equal(old_handler_ran, 1);
    assert_int_equal(sigaction(SIGUSR2, NULL, &now), 0);
    assert_true(now.sa_handler == old_handler);
    signal(SIGUSR2, SIG_DFL);
    hloop_free(&loop);
}

/* There is room for so many loops at a time; those that are gone make room. */
static void a_thousand_loops_one_after_the_other_may_watch(void **state)
{
    (void)state;
    for (int i = 0; i < 1000; i++) {
        hloop_t *loop = new_loop();

        watch(loop, SIGUSR1, 1);
        hloop_free(&loop);
    }
}

static void what_is_no_signal_is_refused(void **state)
{
    hloop_t *loop = new_loop();
    const int bad[] = {0, -1, 65, 1000, SIGKILL, SIGSTOP};

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(bad); i++) {
        errno = 0;
        assert_null(hsignal_add(loop, on_signal, bad[i]));
        assert_int_equal(errno, EINVAL);
    }
    hloop_free(&loop);
}

static void errno_survives_a_signal(void **state)
{
    hloop_t *loop = new_loop();

    (void)state;
    watch(loop, SIGUSR1, 1);
    errno = EXDEV;
    raise(SIGUSR1);
    assert_int_equal(errno, EXDEV);
    hloop_free(&loop);
}

/* ---- idle ------------------------------------------------------------------------------------ */

static void on_idle(hidle_t *idle)
{
    on_event(idle);
}

static hidle_t *idle_of(hloop_t *loop, int name, uint32_t repeat)
{
    hidle_t *idle = hidle_add(loop, on_idle, repeat);

    assert_non_null(idle);
    hevent_set_userdata(idle, (intptr_t)name);
    return idle;
}

static void idles_run_as_often_as_asked_highest_priority_first(void **state)
{
    hloop_t *loop = new_loop();

    (void)state;
    hevent_set_priority(idle_of(loop, 1, 2), -5);
    hevent_set_priority(idle_of(loop, 2, 1), 5);
    idle_of(loop, 3, 2);
    RUN_UNTIL(loop, hloop_nidles(loop) == 0);
    assert_int_equal(called, 5);
    for (int i = 0; i < 5; i++)
        assert_int_equal(order[i], ((int[]){2, 3, 1, 3, 1})[i]);
    hloop_free(&loop);
}

static void on_post(hevent_t *ev)
{
    *(int *)ev->userdata = called;
}

static void idles_wait_while_there_is_something_to_do(void **state)
{
    hloop_t *loop = new_loop();
    int before = -1;
    hevent_t ev = {.cb = on_post, .userdata = &before};

    (void)state;
    idle_of(loop, 1, 1);
    hloop_post_event(loop, &ev);
    assert_int_equal(hloop_run(loop), 0);
    assert_int_equal(before, 0);
    assert_int_equal(called, 0);
    RUN_UNTIL(loop, called == 1);
    hloop_free(&loop);
}

static hidle_t *idle_victim;

static void on_idle_add(hidle_t *idle)
{
    on_event(idle);
    idle_victim = idle_of(hevent_loop(idle), 9, UINT32_MAX);
}

static void on_idle_delete(hidle_t *idle)
{
    on_event(idle);
    hidle_del(idle_victim);
    hidle_del(idle);
}

/* Of one round: what its first callback adds, its second deletes, itself too. */
static void idles_may_be_added_and_deleted_within_a_round(void **state)
{
    hloop_t *loop = new_loop();

    (void)state;
    assert_non_null(hidle_add(loop, on_idle_add, 1));
    assert_non_null(hidle_add(loop, on_idle_delete, UINT32_MAX));
    RUN_UNTIL(loop, called >= 2);
    settle(loop);
    assert_int_equal(hloop_nidles(loop), 0);
    assert_int_equal(called, 2);
    hidle_del(NULL);
    hloop_free(&loop);
}

/* ---- out of memory --------------------------------------------------------------------------- */

static int watch_with_little_memory(void *arg)
{
    hloop_t *loop = hloop_new_with(&(hloop_options_t){HLOOP_FLAG_RUN_ONCE, test_poller, 0, NULL});
    bool all = loop && hsignal_add(loop, on_signal, SIGUSR1) && hidle_add(loop, on_idle, 1);

    (void)arg;
    for (int i = 0; loop && i < 3; i++) {
        hloop_wakeup(loop);
        hloop_run(loop);
    }
    hloop_free(&loop);
    return all ? 0 : -ENOMEM;
}

static void out_of_memory_is_an_error(void **state)
{
    (void)state;
    oom_run(watch_with_little_memory, NULL);
}

#define TEST(f) cmocka_unit_test_setup(f, setup)

static void raise_another(hsignal_t *sig)
{
    on_event(sig);
    raise(SIGUSR2); /* its wake-up is read with that of the first */
}

static void give_up(htimer_t *timer)
{
    *(bool *)hevent_userdata(timer) = called < 2;
}

static void a_signal_that_comes_while_signals_run_is_not_left_lying(void **state)
{
    hloop_t *loop = new_loop();
    hsignal_t *first = hsignal_add(loop, raise_another, SIGUSR1);
    htimer_t *limit;
    bool lost = false;

    (void)state;
    assert_non_null(first);
    watch(loop, SIGUSR2, 2);
    limit = htimer_add(loop, give_up, 5000, 1);
    hevent_set_userdata(limit, &lost);
    raise(SIGUSR1);
    RUN_UNTIL(loop, called == 2 || lost);
    assert_false(lost);
    assert_int_equal(order[1], 2);
    hloop_free(&loop);
}

typedef struct sleeper_s {
    hloop_t *loop;
    pthread_barrier_t watches;
    bool lost;
} sleeper_t;

static void *watch_and_sleep(void *arg)
{
    sleeper_t *sleeper = arg;
    htimer_t *limit = htimer_add(sleeper->loop, give_up, 5000, 1);

    hevent_set_userdata(limit, &sleeper->lost);
    hsignal_add(sleeper->loop, on_signal, SIGUSR1);
    pthread_barrier_wait(&sleeper->watches);
    while (called == 0 && !sleeper->lost)
        hloop_run(sleeper->loop);
    return NULL;
}

/* A thread that has not waited before, and a handler that is there already. The thread sanitizer
 * does not know select either, which a signal only ends when it is waiting already. */
static void a_signal_at_a_threads_first_wait_is_not_lost(void **state)
{
    hloop_t *other;

    (void)state;
    if (handlers_wait_for_a_call && strstr("io_uring select", test_poller))
        skip();
    other = new_loop();
    watch(other, SIGUSR1, 1);
    for (int round = 0; round < 100; round++) {
        sleeper_t sleeper = {.loop = new_loop()};
        pthread_t thread;

        called = 0;
        pthread_barrier_init(&sleeper.watches, NULL, 2);
        assert_int_equal(pthread_create(&thread, NULL, watch_and_sleep, &sleeper), 0);
        pthread_barrier_wait(&sleeper.watches);
        for (volatile int i = round * 40; i > 0; i--)
            continue;
        pthread_kill(thread, SIGUSR1);
        pthread_join(thread, NULL);
        assert_false(sleeper.lost);
        pthread_barrier_destroy(&sleeper.watches);
        hloop_free(&sleeper.loop);
    }
    hloop_free(&other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_signal_that_comes_while_signals_run_is_not_left_lying),
        TEST(a_signal_is_an_event),
        TEST(a_signal_wakes_a_sleeping_loop),
        TEST(a_signal_at_a_threads_first_wait_is_not_lost),
        TEST(each_loop_that_watches_gets_it),
        TEST(each_watcher_of_a_loop_gets_it),
        TEST(higher_priorities_get_it_first),
        TEST(a_pending_watcher_whose_priority_changes_still_gets_it),
        TEST(watchers_may_be_deleted_in_callbacks),
        TEST(a_signal_pending_when_its_watcher_goes_is_dropped),
        TEST(the_last_watcher_restores_the_handler),
        TEST(a_thousand_loops_one_after_the_other_may_watch),
        TEST(what_is_no_signal_is_refused),
        TEST(errno_survives_a_signal),
        TEST(idles_run_as_often_as_asked_highest_priority_first),
        TEST(idles_wait_while_there_is_something_to_do),
        TEST(idles_may_be_added_and_deleted_within_a_round),
        TEST(out_of_memory_is_an_error),
    };

    return run_on_each_poller("hsignal, hidle", tests, ARRAY_LENGTH(tests));
}
