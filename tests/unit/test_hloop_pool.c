#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "event/hio.h"
#include "event/hloop_pool.h"
#include "oom.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <unistd.h>

#define THREADS 3

typedef struct log_s {
    pthread_t threads[THREADS];
    atomic_int started;
    atomic_int stopped;
    atomic_int posts;
    int fail_index; /* on_start of this one fails; -1: none */
} log_t;

static int on_start(hloop_t *loop, unsigned index, void *userdata)
{
    log_t *log = userdata;

    assert_non_null(loop);
    log->threads[index] = pthread_self();
    atomic_fetch_add(&log->started, 1);
    return (int)index == log->fail_index ? -EPERM : 0;
}

static void on_stop(hloop_t *loop, unsigned index, void *userdata)
{
    log_t *log = userdata;

    assert_non_null(loop);
    assert_true(pthread_equal(log->threads[index], pthread_self()));
    atomic_fetch_add(&log->stopped, 1);
}

static hloop_pool_t *make_pool(log_t *log)
{
    hloop_pool_options_t options = {
        .threads = THREADS, .name = "test", .on_start = on_start, .on_stop = on_stop};
    hloop_pool_t *pool;

    memset(log, 0, sizeof(*log));
    log->fail_index = -1;
    options.userdata = log;
    pool = hloop_pool_new(&options);
    assert_non_null(pool);
    return pool;
}

static void each_loop_runs_in_a_thread_of_its_own(void **state)
{
    hloop_pool_t *pool;
    log_t log;

    (void)state;
    pool = make_pool(&log);
    assert_int_equal(hloop_pool_size(pool), THREADS);
    assert_null(hloop_pool_loop(pool, THREADS));
    assert_int_equal(hloop_pool_start(pool), 0);
    assert_int_equal(log.started, THREADS);
    assert_int_equal(hloop_pool_start(pool), -EALREADY);
    for (int i = 0; i < THREADS; i++) {
        assert_false(pthread_equal(log.threads[i], pthread_self()));
        assert_false(pthread_equal(log.threads[i], log.threads[(i + 1) % THREADS]));
    }
    hloop_pool_free(&pool);
    assert_null(pool);
    assert_int_equal(log.stopped, THREADS);
}

static void count_and_stop(hevent_t *ev)
{
    log_t *log = hevent_userdata(ev);

    atomic_fetch_add(&log->posts, 1);
    hloop_stop(ev->loop);
}

static void loops_are_handed_out_in_turn(void **state)
{
    hloop_pool_t *pool;
    hloop_t *turn[THREADS];
    log_t log;
    hevent_t ev = {.cb = count_and_stop, .userdata = &log};

    (void)state;
    pool = make_pool(&log);
    assert_int_equal(hloop_pool_start(pool), 0);
    for (int i = 0; i < THREADS; i++)
        turn[i] = hloop_pool_next(pool);
    for (int i = 0; i < THREADS; i++) {
        assert_ptr_equal(hloop_pool_next(pool), turn[i]);
        assert_ptr_not_equal(turn[i], turn[(i + 1) % THREADS]);
        assert_int_equal(hloop_post_event(turn[i], &ev), 0);
    }
    hloop_pool_join(pool); /* each was stopped by its own event */
    assert_int_equal(log.posts, THREADS);
    hloop_pool_free(&pool);
}

static void the_least_loaded_loop_is_found(void **state)
{
    hloop_pool_t *pool;
    hio_t *pipe[2];
    log_t log;

    (void)state;
    pool = make_pool(&log);
    assert_int_equal(hio_create_pipe(hloop_pool_loop(pool, 0), pipe), 0);
    assert_int_equal(hio_create_pipe(hloop_pool_loop(pool, 2), pipe), 0);
    for (int i = 0; i < 2 * THREADS; i++)
        assert_ptr_equal(hloop_pool_least(pool), hloop_pool_loop(pool, 1));
    hloop_pool_free(&pool);
}

static void equally_loaded_loops_take_turns(void **state)
{
    hloop_pool_t *pool;
    hloop_t *first;
    log_t log;

    (void)state;
    pool = make_pool(&log);
    first = hloop_pool_least(pool);
    assert_ptr_not_equal(hloop_pool_least(pool), first);
    assert_ptr_not_equal(hloop_pool_least(pool), first);
    assert_ptr_equal(hloop_pool_least(pool), first);
    hloop_pool_free(&pool);
}

static void a_start_that_fails_ends_every_thread(void **state)
{
    hloop_pool_t *pool;
    log_t log;

    (void)state;
    pool = make_pool(&log);
    log.fail_index = 1;
    assert_int_equal(hloop_pool_start(pool), -EPERM);
    assert_int_equal(log.started, THREADS);
    assert_int_equal(log.stopped, THREADS - 1);
    hloop_pool_free(&pool);
}

static void a_stop_before_the_start_is_not_lost(void **state)
{
    hloop_pool_t *pool;
    log_t log;

    (void)state;
    pool = make_pool(&log);
    hloop_pool_stop(pool);
    assert_int_equal(hloop_pool_start(pool), 0);
    hloop_pool_join(pool);
    assert_int_equal(log.stopped, THREADS);
    hloop_pool_free(&pool);
    hloop_pool_free(&pool);
    hloop_pool_free(NULL);
}

static void the_default_is_one_thread_for_each_processor(void **state)
{
    hloop_pool_options_t many = {.threads = HLOOP_POOL_THREADS_MAX + 1};
    hloop_pool_t *pool = hloop_pool_new(NULL);
    cpu_set_t set;

    (void)state;
    assert_int_equal(sched_getaffinity(0, sizeof(set), &set), 0);
    assert_int_equal(hloop_pool_size(pool), CPU_COUNT(&set));
    hloop_pool_free(&pool);
    assert_null(hloop_pool_new(&many));
    assert_int_equal(errno, EINVAL);
}

static int build_and_free(void *arg)
{
    hloop_pool_options_t options = {.threads = 2};
    hloop_pool_t *pool = hloop_pool_new(&options);

    (void)arg;
    if (!pool)
        return -errno;
    hloop_pool_free(&pool);
    return 0;
}

static void out_of_memory_is_an_error(void **state)
{
    (void)state;
    oom_run(build_and_free, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_loop_runs_in_a_thread_of_its_own),
        cmocka_unit_test(loops_are_handed_out_in_turn),
        cmocka_unit_test(the_least_loaded_loop_is_found),
        cmocka_unit_test(equally_loaded_loops_take_turns),
        cmocka_unit_test(a_start_that_fails_ends_every_thread),
        cmocka_unit_test(a_stop_before_the_start_is_not_lost),
        cmocka_unit_test(the_default_is_one_thread_for_each_processor),
        cmocka_unit_test(out_of_memory_is_an_error),
    };

    return cmocka_run_group_tests_name("hloop_pool", tests, NULL, NULL);
}
