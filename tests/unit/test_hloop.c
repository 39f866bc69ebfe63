#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "event/hchild.h"
#include "event/hidle.h"
#include "event/hsignal.h"
#include "loop_test.h"

#include <sys/resource.h>
#include <sys/wait.h>

static int called;

static int setup(void **state)
{
    called = 0;
    return loop_test_setup(state);
}

static void on_timer(htimer_t *timer)
{
    (void)timer;
    called++;
}

static void on_timer_stop(htimer_t *timer)
{
    called++;
    hloop_stop(hevent_loop(timer));
}

static void on_post(hevent_t *ev)
{
    (void)ev;
    called++;
}

/* ---- making ---------------------------------------------------------------------------------- */

static void a_poller_that_nobody_knows_is_refused(void **state)
{
    hloop_options_t options = {.poller = "telepathy"};

    (void)state;
    errno = 0;
    assert_null(hloop_new_with(&options));
    assert_int_equal(errno, EINVAL);
}

static void the_environment_names_the_poller(void **state)
{
    hloop_stats_t stats;
    hloop_t *loop;

    (void)state;
    setenv("HNET_POLLER", test_poller, 1);
    loop = hloop_new(0);
    assert_non_null(loop);
    hloop_stats(loop, &stats);
    assert_string_equal(stats.poller, test_poller);
    hloop_free(&loop);
    setenv("HNET_POLLER", "telepathy", 1);
    assert_null(hloop_new(0));
    unsetenv("HNET_POLLER");
}

static void without_descriptors_no_loop_is_made(void **state)
{
    hloop_options_t options = {.poller = test_poller};
    struct rlimit old, none;

    (void)state;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
    none = old;
    none.rlim_cur = 3;
    for (int i = 0; i < 3; i++)
        assert_true(fcntl(i, F_GETFD) >= 0);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    errno = 0;
    assert_null(hloop_new_with(&options));
    assert_int_equal(errno, EMFILE);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
}

static void free_of_nothing_is_legal(void **state)
{
    hloop_t *loop = NULL;

    (void)state;
    hloop_free(&loop);
    hloop_free(NULL);
    assert_int_equal(hloop_run(NULL), -EINVAL);
    assert_int_equal(hloop_stop(NULL), -EINVAL);
    assert_int_equal(hloop_wakeup(NULL), -EINVAL);
}

static void descriptors_are_given_back(void **state)
{
    int before = open("/dev/null", O_RDONLY), after;

    (void)state;
    close(before);
    for (int i = 0; i < 20; i++) {
        hloop_t *loop = new_loop();

        settle(loop);
        hloop_free(&loop);
        assert_null(loop);
    }
    after = open("/dev/null", O_RDONLY);
    close(after);
    assert_int_equal(after, before);
}

/* ---- running and stopping -------------------------------------------------------------------- */

static void a_stop_before_the_run_is_not_lost(void **state)
{
    hloop_t *loop = new_loop_with(0);

    (void)state;
    assert_int_equal(hloop_stop(loop), 0);
    assert_int_equal(hloop_run(loop), 0);
    htimer_add(loop, on_timer_stop, 1, 1); /* and it counts once only */
    assert_int_equal(hloop_run(loop), 0);
    assert_int_equal(called, 1);
    hloop_free(&loop);
}

static void *stop_soon(void *arg)
{
    struct timespec ts = {0, 10000000};

    nanosleep(&ts, NULL);
    hloop_stop(arg);
    return NULL;
}

static void another_thread_may_stop_it(void **state)
{
    hloop_t *loop = new_loop_with(0);
    pthread_t thread;

    (void)state;
    for (int i = 0; i < 5; i++) {
        assert_int_equal(pthread_create(&thread, NULL, stop_soon, loop), 0);
        assert_int_equal(hloop_run(loop), 0);
        pthread_join(thread, NULL);
    }
    hloop_free(&loop);
}

static void *stop_now(void *arg)
{
    hloop_stop(arg);
    return NULL;
}

/* The stop comes while the run begins: never lost, never counted twice. */
static void a_stop_that_races_with_the_run_is_not_lost(void **state)
{
    (void)state;
    for (int i = 0; i < 200; i++) {
        hloop_t *loop = new_loop_with(0);
        pthread_t thread;

        assert_int_equal(pthread_create(&thread, NULL, stop_now, loop), 0);
        assert_int_equal(hloop_run(loop), 0);
        pthread_join(thread, NULL);
        hloop_free(&loop);
    }
}

static void on_stop_and_more(htimer_t *timer)
{
    hevent_t ev = {.cb = on_post};

    hloop_stop(hevent_loop(timer));
    hloop_post_event(hevent_loop(timer), &ev);
    called++;
}

/* The callbacks of the iteration that was stopped all run. */
static void stop_lets_the_iteration_end(void **state)
{
    hloop_t *loop = new_loop_with(0);

    (void)state;
    htimer_add(loop, on_stop_and_more, 0, 1);
    htimer_add(loop, on_timer, 0, 1);
    htimer_add(loop, on_timer, 0, 1);
    usleep(1000);
    assert_int_equal(hloop_run(loop), 0);
    assert_int_equal(called, 3);
    hloop_free(&loop);
}

static void on_run_again(htimer_t *timer)
{
    called++;
    assert_int_equal(hloop_status(hevent_loop(timer)), HLOOP_STATUS_RUNNING);
    assert_int_equal(hloop_run(hevent_loop(timer)), -EINVAL);
    assert_int_equal(hloop_tid(hevent_loop(timer)), gettid());
    hloop_stop(hevent_loop(timer));
}

static void a_loop_does_not_run_within_itself(void **state)
{
    hloop_t *loop = new_loop_with(0);

    (void)state;
    assert_int_equal(hloop_status(loop), HLOOP_STATUS_STOP);
    htimer_add(loop, on_run_again, 0, 1);
    assert_int_equal(hloop_run(loop), 0);
    assert_int_equal(called, 1);
    assert_int_equal(hloop_status(loop), HLOOP_STATUS_STOP);
    assert_int_equal(hloop_pid(loop), getpid());
    hloop_free(&loop);
}

static void run_once_makes_one_iteration(void **state)
{
    hloop_t *loop = new_loop();

    (void)state;
    hidle_add(loop, (hidle_cb)on_timer, UINT32_MAX);
    for (uint64_t i = 1; i < 10; i++) {
        assert_int_equal(hloop_run(loop), 0);
        assert_int_equal(hloop_count(loop), i);
        assert_int_equal(called, i);
    }
    hloop_free(&loop);
}

static void auto_free_frees_the_loop_after_the_run(void **state)
{
    hloop_t *loop = new_loop_with(HLOOP_FLAG_AUTO_FREE);
    seen_t seen;
    int peer;

    (void)state;
    hio_read(observed_tcp(loop, &seen, &peer));
    htimer_add(loop, on_timer_stop, 1, 1);
    assert_int_equal(hloop_run(loop), 0); /* a leak would show in the sanitizer's run */
    assert_int_equal(seen.closes, 1);
    assert_int_equal(seen.error, -ECANCELED);
    close(peer);
}

/* ---- nothing left ---------------------------------------------------------------------------- */

static void on_close_reader(hio_t *io, void *buf, int len)
{
    (void)buf;
    (void)len;
    called++;
    hio_close(io);
}

static void a_run_may_end_when_nothing_is_left(void **state)
{
    hloop_t *loop = new_loop_with(HLOOP_FLAG_QUIT_WHEN_NO_ACTIVE_EVENTS);
    hevent_t ev = {.cb = on_post};
    int fds[2];

    (void)state;
    assert_int_equal(hloop_run(loop), 0); /* nothing at all */
    htimer_add(loop, on_timer, 2, 3);
    assert_int_equal(hloop_run(loop), 0);
    assert_int_equal(called, 3);
    hidle_add(loop, (hidle_cb)on_timer, 4);
    assert_int_equal(hloop_run(loop), 0);
    assert_int_equal(called, 7);
    hloop_post_event(loop, &ev);
    assert_int_equal(hloop_run(loop), 0);
    assert_int_equal(called, 8);
    tcp_pair(fds);
    assert_non_null(hread(loop, fds[0], NULL, 0, on_close_reader));
    assert_int_equal(write(fds[1], "x", 1), 1);
    assert_int_equal(hloop_run(loop), 0);
    assert_int_equal(called, 9);
    hloop_free(&loop);
    close(fds[1]);
}

static void on_signal(hsignal_t *sig)
{
    called++;
    hsignal_del(sig);
}

static void a_watched_signal_keeps_the_run_going(void **state)
{
    hloop_t *loop = new_loop_with(HLOOP_FLAG_QUIT_WHEN_NO_ACTIVE_EVENTS);

    (void)state;
    assert_non_null(hsignal_add(loop, on_signal, SIGUSR1));
    raise(SIGUSR1);
    assert_int_equal(hloop_run(loop), 0);
    assert_int_equal(called, 1);
    hloop_free(&loop);
}

/* ---- idle costs nothing ---------------------------------------------------------------------- */

/* Ten times a second in the model. An open connection that is quiet, a keep-alive limit
 * and a far timer: the loop sleeps until something happens. */
static void an_idle_loop_does_not_wake_up(void **state)
{
    hloop_t *loop = new_loop_with(0);
    hloop_stats_t before, after;
    seen_t seen;
    hio_t *io;
    int peer;

    (void)state;
    io = observed_tcp(loop, &seen, &peer);
    hio_set_keepalive_timeout(io, 3600000);
    hio_read(io);
    htimer_add(loop, on_timer, 3600000, 1);
    htimer_add(loop, on_timer_stop, 1, 1);
    assert_int_equal(hloop_run(loop), 0);
    hloop_stats(loop, &before);
    htimer_add(loop, on_timer_stop, 500, 1);
    assert_int_equal(hloop_run(loop), 0);
    hloop_stats(loop, &after);
    assert_true(after.iterations - before.iterations <= 2);
    hloop_free(&loop);
    close(peer);
}

static void a_wake_up_is_one_iteration(void **state)
{
    hloop_t *loop = new_loop();

    (void)state;
    hloop_wakeup(loop);
    hloop_wakeup(loop);
    assert_int_equal(hloop_run(loop), 0);
    assert_int_equal(hloop_count(loop), 1);
    hloop_free(&loop);
}

/* ---- freeing --------------------------------------------------------------------------------- */

static hsignal_t *last_signal;
static hchild_t *last_child;
static htimer_t *last_timer;
static hidle_t *last_idle;

static void on_child(hchild_t *child)
{
    (void)child;
    called++;
}

/* The last callbacks: they may stop what is left, ask, and try to make something new. */
static void on_last_close(hio_t *io)
{
    hloop_t *loop = hevent_loop(io);
    int fds[2];

    seen_on_close(io);
    hsignal_del(last_signal);
    hchild_del(last_child);
    htimer_del(last_timer);
    hidle_del(last_idle);
    last_signal = NULL;
    last_child = NULL;
    last_timer = NULL;
    last_idle = NULL;
    assert_int_equal(hio_write(io, "x", 1), HERR_CLOSED);
    assert_int_equal(hio_close(io), 0);
    assert_int_equal(pipe(fds), 0);
    assert_null(hio_get(loop, fds[0]));
    close(fds[0]);
    close(fds[1]);
    assert_null(hsignal_add(loop, on_signal, SIGUSR2));
    htimer_add(loop, on_timer, 1, 1);
}

static void free_closes_everything_that_is_alive(void **state)
{
    hloop_t *loop = new_loop();
    struct sockaddr_in addr;
    seen_t open_io, connecting, queueing, listening;
    int peers[2], listener = bound_socket(SOCK_STREAM | SOCK_NONBLOCK, &addr);
    char *big = new_pattern(4 << 20);
    pid_t pid = fork();
    hio_t *io;

    (void)state;
    if (pid == 0) {
        pause();
        _exit(0);
    }
    io = observed_tcp(loop, &open_io, &peers[0]);
    hio_setcb_close(io, on_last_close);
    hio_read(io);
    io = observed_tcp(loop, &queueing, &peers[1]);
    hio_set_keepalive_timeout(io, 1000);
    assert_int_equal(hio_write(io, big, 4 << 20), 4 << 20);
    assert_true(hio_write_bufsize(io) > 0);
    assert_int_equal(hio_accept(observe(hio_get(loop, listener), &listening)), 0);
    assert_int_equal(hio_connect(observed_client(loop, &connecting, &addr, sizeof(addr))), 0);
    last_signal = hsignal_add(loop, on_signal, SIGUSR1);
    last_child = hchild_add(loop, pid, on_child, NULL);
    last_timer = htimer_add(loop, on_timer, 3600000, 1);
    last_idle = hidle_add(loop, (hidle_cb)on_timer, UINT32_MAX);
    assert_true(last_signal && last_child && last_timer && last_idle);
    hloop_free(&loop);
    assert_int_equal(open_io.closes, 1);
    assert_int_equal(open_io.error, -ECANCELED);
    assert_int_equal(queueing.error, -ECANCELED);
    assert_int_equal(connecting.error, -ECANCELED);
    assert_int_equal(listening.error, -ECANCELED);
    assert_int_equal(queueing.closes + connecting.closes + listening.closes, 3);
    assert_int_equal(called, 0);
    kill(pid, SIGKILL);
    assert_int_equal(waitpid(pid, NULL, 0), pid); /* left alone: still ours to reap */
    close(peers[0]);
    close(peers[1]);
    free(big);
}

/* ---- time, counters, user data --------------------------------------------------------------- */

static void counters_count(void **state)
{
    hloop_t *loop = new_loop();
    hloop_stats_t stats;
    seen_t seen;
    hio_t *io;
    int peer;

    (void)state;
    io = observed_tcp(loop, &seen, &peer);
    hio_read(io);
    htimer_add(loop, on_timer, 3600000, 1);
    hidle_add(loop, (hidle_cb)on_timer, UINT32_MAX);
    assert_int_equal(write(peer, "hello", 5), 5);
    assert_int_equal(hio_write(io, "hi", 2), 2);
    RUN_UNTIL(loop, seen.got == 5);
    hloop_stats(loop, &stats);
    assert_int_equal(stats.read_bytes, 5);
    assert_int_equal(stats.write_bytes, 2);
    assert_int_equal(stats.ios, 1);
    assert_int_equal(stats.timers, 1);
    assert_int_equal(stats.idles, 1);
    assert_int_equal(hloop_nios(loop), 1);
    assert_int_equal(hloop_ntimers(loop), 1);
    assert_int_equal(hloop_nidles(loop), 1);
    hloop_free(&loop);
    close(peer);
}

static void user_data_is_kept(void **state)
{
    hloop_t *loop = new_loop();

    (void)state;
    hloop_set_userdata(loop, &called);
    assert_ptr_equal(hloop_userdata(loop), &called);
    assert_null(hloop_log(loop));
    assert_true(hloop_now(loop) > 1700000000);
    assert_true(hloop_now_ms(loop) / 1000 >= hloop_now(loop) - 1);
    assert_true(hloop_now_us(loop) / 1000 <= now_ms());
    assert_true(hloop_now_hrtime(loop) / 1000 <= now_ms());
    hloop_free(&loop);
}

/* ---- processes and threads ------------------------------------------------------------------- */

/* In the child: a loop of its own beside the parent's, which it does not touch. */
static int child_with_a_loop(void)
{
    hloop_t *loop = hloop_new_with(&(hloop_options_t){HLOOP_FLAG_RUN_ONCE, test_poller, 0, NULL});
    int fds[2];

    hsignal_after_fork();
    if (!loop || pipe(fds) < 0 || !hread(loop, fds[0], NULL, 0, on_close_reader))
        return 1;
    if (write(fds[1], "x", 1) != 1)
        return 2;
    while (called == 0) {
        if (hloop_run(loop) < 0)
            return 3;
    }
    hloop_free(&loop);
    return 0;
}

static void a_forked_child_may_have_a_loop_of_its_own(void **state)
{
    hloop_t *loop = new_loop();
    seen_t seen;
    int peer, status;
    pid_t pid;

    (void)state;
    hio_read(observed_tcp(loop, &seen, &peer));
    assert_non_null(hsignal_add(loop, on_signal, SIGUSR1));
    settle(loop);
    pid = fork();
    if (pid == 0)
        _exit(child_with_a_loop());
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    assert_int_equal(write(peer, "still here", 10), 10);
    RUN_UNTIL(loop, seen.got == 10);
    hloop_free(&loop);
    close(peer);
}

static void *run_a_loop(void *arg)
{
    hloop_t *loop = arg;

    htimer_add(loop, on_timer_stop, 1, 1);
    return (void *)(intptr_t)hloop_run(loop);
}

static void a_loop_made_here_may_run_there(void **state)
{
    hloop_t *loop = new_loop_with(0);
    pthread_t thread;
    void *rc;

    (void)state;
    assert_int_equal(pthread_create(&thread, NULL, run_a_loop, loop), 0);
    assert_int_equal(pthread_join(thread, &rc), 0);
    assert_null(rc);
    assert_int_equal(called, 1);
    hloop_free(&loop);
}

#define TEST(f) cmocka_unit_test_setup(f, setup)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_poller_that_nobody_knows_is_refused),
        TEST(the_environment_names_the_poller),
        TEST(without_descriptors_no_loop_is_made),
        TEST(free_of_nothing_is_legal),
        TEST(descriptors_are_given_back),
        TEST(a_stop_before_the_run_is_not_lost),
        TEST(another_thread_may_stop_it),
        TEST(a_stop_that_races_with_the_run_is_not_lost),
        TEST(stop_lets_the_iteration_end),
        TEST(a_loop_does_not_run_within_itself),
        TEST(run_once_makes_one_iteration),
        TEST(auto_free_frees_the_loop_after_the_run),
        TEST(a_run_may_end_when_nothing_is_left),
        TEST(a_watched_signal_keeps_the_run_going),
        TEST(an_idle_loop_does_not_wake_up),
        TEST(a_wake_up_is_one_iteration),
        TEST(free_closes_everything_that_is_alive),
        TEST(counters_count),
        TEST(user_data_is_kept),
        TEST(a_forked_child_may_have_a_loop_of_its_own),
        TEST(a_loop_made_here_may_run_there),
    };

    return run_on_each_poller("hloop", tests, ARRAY_LENGTH(tests));
}
