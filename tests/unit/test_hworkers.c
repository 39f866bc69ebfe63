#include "net/hworkers.h"

#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "event/hsignal.h"
#include "event/htimer.h"
#include "oom.h"

#define WATCHDOG_MS 100000
#define GRACE_MS 90000
#define EVENTS_MAX 64

static hloop_t *loop;
static hworkers_t *workers;
static hworkers_info_t events[EVENTS_MAX];
static int event_count;
static int ready_fds[2];
static bool timed_out;
static uint32_t grace_ms; /* short only where it is to pass */
static oom_t oom;

/* What a test does when an event has come. */
static void (*on_info)(const hworkers_info_t *info);

static void record(hworkers_t *w, const hworkers_info_t *info, void *userdata)
{
    (void)userdata;
    workers = w;
    if (event_count < EVENTS_MAX)
        events[event_count++] = *info;
    if (info->event == HWORKERS_STOPPED)
        hloop_stop(loop);
    else if (on_info != NULL)
        on_info(info);
}

static void on_watchdog(htimer_t *timer)
{
    (void)timer;
    timed_out = true;
    hloop_stop(loop);
}

static int begin(void **state)
{
    (void)state;
    event_count = 0;
    timed_out = false;
    workers = NULL;
    on_info = NULL;
    grace_ms = GRACE_MS;
    loop = hloop_new(0);
    return loop == NULL || pipe(ready_fds) < 0 ? -1 : 0;
}

static int end(void **state)
{
    (void)state;
    oom_end();
    hworkers_free(workers);
    hloop_free(&loop);
    close(ready_fds[0]);
    close(ready_fds[1]);
    return 0;
}

static void start(hworkers_run_cb run, int count)
{
    const hworkers_options_t options = {.count = count,
                                        .run = run,
                                        .on_event = record,
                                        .delay_min_ms = 1,
                                        .delay_max_ms = 4,
                                        .healthy_ms = 3600000,
                                        .grace_ms = grace_ms};
    hworkers_t *made;

    assert_int_equal(hworkers_new(loop, &options, &made), 0);
    assert_ptr_equal(made, workers);
}

static void run_loop(void)
{
    assert_non_null(htimer_add(loop, on_watchdog, WATCHDOG_MS, 1));
    assert_int_equal(hloop_run(loop), 0);
    assert_false(timed_out);
}

static int count_of(hworkers_event_e event)
{
    int count = 0;

    for (int i = 0; i < event_count; i++)
        count += events[i].event == event;
    return count;
}

static const hworkers_info_t *last_of(hworkers_event_e event)
{
    for (int i = event_count - 1; i >= 0; i--) {
        if (events[i].event == event)
            return &events[i];
    }
    fail_msg("there was no event %d", event);
    return NULL;
}

/* ---- worker bodies ---- */

static void say_ready(void)
{
    if (write(ready_fds[1], "r", 1) != 1)
        _exit(9);
}

static void wait_ready(void)
{
    char c;

    assert_int_equal(read(ready_fds[0], &c, 1), 1);
}

static int wait_for_a_signal(int index, void *userdata)
{
    (void)index;
    (void)userdata;
    say_ready();
    while (pause() < 0)
        continue;
    return 0;
}

static int fail_at_once(int index, void *userdata)
{
    (void)userdata;
    return index + 3;
}

static int ignore_sigterm(int index, void *userdata)
{
    signal(SIGTERM, SIG_IGN);
    return wait_for_a_signal(index, userdata);
}

static void exit_42(int signo)
{
    (void)signo;
    _exit(42);
}

static int exit_on_sighup(int index, void *userdata)
{
    signal(SIGHUP, exit_42);
    return wait_for_a_signal(index, userdata);
}

static sigset_t only_sighup(void)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGHUP);
    return set;
}

/* Sees to SIGHUP when it has come, and not before. */
static int handle_sighup_late(int index, void *userdata)
{
    const sigset_t held = only_sighup();
    sigset_t come;

    (void)index;
    (void)userdata;
    do {
        if (sigpending(&come) < 0)
            return 9;
    } while (!sigismember(&come, SIGHUP));
    signal(SIGHUP, exit_42);
    sigprocmask(SIG_UNBLOCK, &held, NULL);
    return 8;
}

static void stop_own_loop(hsignal_t *signal)
{
    hloop_stop(hevent_loop(signal));
}

static int run_own_loop(int index, void *userdata)
{
    hloop_t *own = hloop_new(0);

    (void)index;
    (void)userdata;
    if (own == NULL || hsignal_add(own, stop_own_loop, SIGTERM) == NULL)
        return 8;
    say_ready();
    hloop_run(own);
    hloop_free(&own);
    return 5;
}

/* ---- tests ---- */

static void stop_after_five(const hworkers_info_t *info)
{
    if (info->event == HWORKERS_ENDED && count_of(HWORKERS_ENDED) == 5)
        hworkers_stop(workers);
}

static void a_crashing_worker_comes_back_after_doubling_delays(void **state)
{
    const uint32_t delays[] = {1, 2, 4, 4};
    int n = 0;

    (void)state;
    on_info = stop_after_five;
    start(fail_at_once, 1);
    run_loop();
    for (int i = 0; i < event_count && n < 4; i++) {
        if (events[i].event != HWORKERS_ENDED)
            continue;
        assert_true(WIFEXITED(events[i].status) && WEXITSTATUS(events[i].status) == 3);
        assert_int_equal(events[i].delay_ms, delays[n++]);
    }
    assert_int_equal(n, 4);
    assert_int_equal(count_of(HWORKERS_STARTED), 5);
    assert_int_equal(hworkers_running(workers), 0);
}

static void nothing(hsignal_t *signal)
{
    (void)signal;
}

static void stop_when_ready(const hworkers_info_t *info)
{
    if (info->event != HWORKERS_STARTED)
        return;
    wait_ready();
    if (count_of(HWORKERS_STARTED) == 3)
        hworkers_stop(workers);
}

static void stop_ends_workers_though_the_master_watches_the_signal(void **state)
{
    (void)state;
    on_info = stop_when_ready;
    assert_non_null(hsignal_add(loop, nothing, SIGTERM));
    start(wait_for_a_signal, 3);
    run_loop();
    assert_int_equal(count_of(HWORKERS_ENDED), 3);
    assert_int_equal(count_of(HWORKERS_KILLED), 0);
    assert_true(WIFSIGNALED(last_of(HWORKERS_ENDED)->status));
    assert_int_equal(WTERMSIG(last_of(HWORKERS_ENDED)->status), SIGTERM);
    assert_int_equal(last_of(HWORKERS_ENDED)->delay_ms, HWORKERS_NO_RESTART);
    hworkers_stop(workers); /* again: nothing is told twice */
    assert_non_null(htimer_add(loop, on_watchdog, 20, 1));
    assert_int_equal(hloop_run(loop), 0);
    assert_int_equal(count_of(HWORKERS_STOPPED), 1);
}

static void stop_one_when_ready(const hworkers_info_t *info)
{
    if (info->event != HWORKERS_STARTED)
        return;
    wait_ready();
    hworkers_stop(workers);
}

static void a_worker_that_ignores_the_stop_is_killed(void **state)
{
    (void)state;
    on_info = stop_one_when_ready;
    grace_ms = 30;
    start(ignore_sigterm, 1);
    run_loop();
    assert_int_equal(count_of(HWORKERS_KILLED), 1);
    assert_int_equal(WTERMSIG(last_of(HWORKERS_ENDED)->status), SIGKILL);
}

static void a_worker_has_a_loop_and_signals_of_its_own(void **state)
{
    (void)state;
    on_info = stop_one_when_ready;
    assert_non_null(hsignal_add(loop, nothing, SIGTERM));
    start(run_own_loop, 1);
    run_loop();
    assert_true(WIFEXITED(last_of(HWORKERS_ENDED)->status));
    assert_int_equal(WEXITSTATUS(last_of(HWORKERS_ENDED)->status), 5);
}

static void signal_both_once(const hworkers_info_t *info)
{
    if (info->event == HWORKERS_STARTED) {
        wait_ready();
        if (count_of(HWORKERS_STARTED) == 2)
            assert_int_equal(hworkers_signal(workers, SIGHUP), 2);
    } else if (info->event == HWORKERS_ENDED && count_of(HWORKERS_ENDED) == 2) {
        hworkers_stop(workers);
    }
}

static void a_signal_reaches_every_worker(void **state)
{
    (void)state;
    on_info = signal_both_once;
    start(exit_on_sighup, 2);
    run_loop();
    for (int i = 0, ended = 0; i < event_count && ended < 2; i++) {
        if (events[i].event == HWORKERS_ENDED && ++ended)
            assert_int_equal(WEXITSTATUS(events[i].status), 42);
    }
}

static void signal_at_once(const hworkers_info_t *info)
{
    if (info->event == HWORKERS_STARTED)
        assert_int_equal(hworkers_signal(workers, SIGHUP), 1);
    else if (info->event == HWORKERS_ENDED)
        hworkers_stop(workers);
}

static void a_signal_that_is_held_waits_until_it_is_handled(void **state)
{
    const hworkers_options_t options = {
        .count = 1, .run = handle_sighup_late, .on_event = record, .held = only_sighup()};
    hworkers_t *made;

    (void)state;
    on_info = signal_at_once;
    assert_int_equal(hworkers_new(loop, &options, &made), 0);
    run_loop();
    assert_true(WIFEXITED(last_of(HWORKERS_ENDED)->status));
    assert_int_equal(WEXITSTATUS(last_of(HWORKERS_ENDED)->status), 42);
}

static void resize_when_ready(const hworkers_info_t *info)
{
    if (info->event == HWORKERS_STARTED)
        wait_ready();
    if (info->event == HWORKERS_ENDED && count_of(HWORKERS_ENDED) == 2)
        hworkers_stop(workers);
}

static void the_number_of_workers_can_change(void **state)
{
    (void)state;
    on_info = resize_when_ready;
    start(wait_for_a_signal, 1);
    assert_int_equal(hworkers_resize(workers, 3), 0);
    assert_int_equal(hworkers_running(workers), 3);
    assert_true(hworkers_pid(workers, 2) > 0);
    assert_int_equal(hworkers_resize(workers, 0), -EINVAL);
    assert_int_equal(hworkers_resize(workers, HWORKERS_MAX + 1), -EINVAL);
    assert_int_equal(hworkers_resize(workers, 1), 0);
    assert_int_equal(hworkers_count(workers), 1);
    run_loop();
    assert_int_equal(count_of(HWORKERS_ENDED), 3);
    assert_int_equal(last_of(HWORKERS_ENDED)->index, 0);
    assert_int_equal(hworkers_resize(workers, 2), -ECANCELED);
}

static void stop_at_the_second_end(const hworkers_info_t *info)
{
    if (info->event == HWORKERS_ENDED && count_of(HWORKERS_ENDED) == 2)
        hloop_stop(loop);
}

static void a_worker_with_one_life_is_not_started_again(void **state)
{
    const hworkers_options_t options = {
        .count = 2, .run = fail_at_once, .on_event = record, .once = true, .delay_min_ms = 1};
    hworkers_t *made;

    (void)state;
    on_info = stop_at_the_second_end;
    assert_int_equal(hworkers_new(loop, &options, &made), 0);
    run_loop();
    assert_int_equal(last_of(HWORKERS_ENDED)->delay_ms, HWORKERS_NO_RESTART);
    assert_int_equal(hworkers_running(workers), 0);
    assert_non_null(htimer_add(loop, on_watchdog, 20, 1));
    assert_int_equal(hloop_run(loop), 0);
    assert_int_equal(count_of(HWORKERS_STARTED), 2);
    assert_int_equal(count_of(HWORKERS_STOPPED), 0);
}

static void free_kills_what_still_runs(void **state)
{
    pid_t pid;

    (void)state;
    start(ignore_sigterm, 1);
    wait_ready();
    pid = hworkers_pid(workers, 0);
    hworkers_free(workers);
    workers = NULL;
    assert_int_equal(waitpid(pid, NULL, WNOHANG), -1);
    assert_int_equal(errno, ECHILD);
}

static int report_pid(int index, void *userdata)
{
    pid_t pid = getpid();

    (void)index;
    (void)userdata;
    signal(SIGTERM, SIG_IGN);
    if (write(ready_fds[1], &pid, sizeof(pid)) != sizeof(pid))
        return 9;
    while (pause() < 0)
        continue;
    return 0;
}

static void a_worker_dies_with_its_master(void **state)
{
    struct pollfd ended = {.events = POLLIN};
    pid_t master, worker;

    (void)state;
    master = fork();
    if (master == 0) {
        const hworkers_options_t options = {.count = 1, .run = report_pid};
        hworkers_t *w;
        hloop_t *own = hloop_new(0);

        if (own == NULL || hworkers_new(own, &options, &w) < 0)
            _exit(1);
        hloop_run(own);
        _exit(1);
    }
    assert_int_equal(read(ready_fds[0], &worker, sizeof(worker)), sizeof(worker));
    ended.fd = (int)syscall(SYS_pidfd_open, worker, 0);
    assert_true(ended.fd >= 0);
    kill(master, SIGKILL);
    assert_int_equal(waitpid(master, NULL, 0), master);
    assert_int_equal(poll(&ended, 1, WATCHDOG_MS), 1);
    close(ended.fd);
}

/* From here on nothing more can be had, not even a timer that was already paid for. */
static void use_up_memory(void)
{
    oom_begin(&oom, 1, true);
    for (int i = 0; htimer_add(loop, on_watchdog, WATCHDOG_MS, 1) != NULL; i++)
        assert_true(i < OOM_ALLOCATIONS_MAX);
}

static void die_without_memory(const hworkers_info_t *info)
{
    if (info->event == HWORKERS_STARTED && count_of(HWORKERS_STARTED) == 1) {
        use_up_memory();
    } else if (info->event == HWORKERS_ENDED && count_of(HWORKERS_ENDED) == 1) {
        assert_int_equal(info->delay_ms, 1);
        oom_end();
    } else if (info->event == HWORKERS_ENDED && count_of(HWORKERS_STARTED) == 2) {
        hworkers_stop(workers);
    }
}

static void a_worker_comes_back_though_there_was_no_memory_when_it_died(void **state)
{
    (void)state;
    on_info = die_without_memory;
    assert_non_null(htimer_add(loop, on_watchdog, WATCHDOG_MS, 1));
    start(fail_at_once, 1);
    assert_int_equal(hloop_run(loop), 0);
    assert_false(timed_out);
    assert_int_equal(count_of(HWORKERS_STARTED), 2);
}

static void stop_without_memory(const hworkers_info_t *info)
{
    if (info->event != HWORKERS_ENDED)
        return;
    use_up_memory();
    hworkers_stop(workers);
    oom_end();
    assert_int_equal(count_of(HWORKERS_STOPPED), 0);
}

static void the_end_is_never_told_from_inside_the_stop(void **state)
{
    (void)state;
    on_info = stop_without_memory;
    start(fail_at_once, 1);
    run_loop();
    assert_int_equal(count_of(HWORKERS_STOPPED), 1);
}

static void nothing_is_left_to_wait_for_when_all_have_stopped(void **state)
{
    (void)state;
    hloop_free(&loop);
    loop = hloop_new(HLOOP_FLAG_QUIT_WHEN_NO_ACTIVE_EVENTS);
    assert_non_null(loop);
    on_info = stop_after_five;
    start(fail_at_once, 2);
    alarm(WATCHDOG_MS / 1000);
    assert_int_equal(hloop_run(loop), 0);
    assert_int_equal(count_of(HWORKERS_STOPPED), 1);
    assert_int_equal(hloop_run(loop), 0);
    alarm(0);
}

static int new_and_free(void *arg)
{
    const hworkers_options_t options = {.count = 2, .run = fail_at_once, .delay_min_ms = 1000};
    hloop_t *own = hloop_new(0);
    hworkers_t *w = NULL;
    int status = own == NULL ? -ENOMEM : hworkers_new(own, &options, &w);

    (void)arg;
    hworkers_free(w);
    hloop_free(&own);
    return status;
}

static void out_of_memory_is_an_error_at_every_allocation(void **state)
{
    (void)state;
    oom_run(new_and_free, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_crashing_worker_comes_back_after_doubling_delays, begin,
                                        end),
        cmocka_unit_test_setup_teardown(stop_ends_workers_though_the_master_watches_the_signal,
                                        begin, end),
        cmocka_unit_test_setup_teardown(a_worker_that_ignores_the_stop_is_killed, begin, end),
        cmocka_unit_test_setup_teardown(a_worker_has_a_loop_and_signals_of_its_own, begin, end),
        cmocka_unit_test_setup_teardown(a_signal_reaches_every_worker, begin, end),
        cmocka_unit_test_setup_teardown(a_signal_that_is_held_waits_until_it_is_handled, begin,
                                        end),
        cmocka_unit_test_setup_teardown(the_number_of_workers_can_change, begin, end),
        cmocka_unit_test_setup_teardown(a_worker_with_one_life_is_not_started_again, begin, end),
        cmocka_unit_test_setup_teardown(free_kills_what_still_runs, begin, end),
        cmocka_unit_test_setup_teardown(a_worker_dies_with_its_master, begin, end),
        cmocka_unit_test_setup_teardown(a_worker_comes_back_though_there_was_no_memory_when_it_died,
                                        begin, end),
        cmocka_unit_test_setup_teardown(the_end_is_never_told_from_inside_the_stop, begin, end),
        cmocka_unit_test_setup_teardown(nothing_is_left_to_wait_for_when_all_have_stopped, begin,
                                        end),
        cmocka_unit_test(out_of_memory_is_an_error_at_every_allocation),
    };

    return cmocka_run_group_tests_name("hworkers", tests, NULL, NULL);
}
