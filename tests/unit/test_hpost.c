#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "event/hpost_int.h"
#include "loop_test.h"
#include "oom.h"

#define PRODUCERS 4
#define POSTS_EACH 100000

static int run_n;
static int order[64];

static int setup(void **state)
{
    run_n = 0;
    return loop_test_setup(state);
}

static void on_post(hevent_t *ev)
{
    if (run_n < (int)ARRAY_LENGTH(order))
        order[run_n] = (int)(intptr_t)ev->userdata;
    run_n++;
}

static int post(hloop_t *loop, int name)
{
    hevent_t ev = {.cb = on_post, .userdata = (void *)(intptr_t)name};

    return hloop_post_event(loop, &ev);
}

static void posts_of_one_thread_run_in_order(void **state)
{
    hloop_t *loop = new_loop();
    hloop_stats_t stats;

    (void)state;
    for (int i = 0; i < 50; i++)
        assert_int_equal(post(loop, i), 0);
    RUN_UNTIL(loop, run_n == 50);
    for (int i = 0; i < 50; i++)
        assert_int_equal(order[i], i);
    hloop_stats(loop, &stats);
    assert_int_equal(stats.posts, 50);
    hloop_free(&loop);
}

static void on_inspect(hevent_t *ev)
{
    assert_int_equal(ev->event_type, HEVENT_TYPE_CUSTOM);
    assert_ptr_equal(ev->loop, *(hloop_t **)ev->userdata);
    assert_true(ev->event_id > 0);
    run_n++;
}

static void a_post_carries_its_data_and_its_loop(void **state)
{
    hloop_t *loop = new_loop();
    hevent_t ev = {.cb = on_inspect, .userdata = &loop};

    (void)state;
    assert_int_equal(hloop_post_event(loop, &ev), 0);
    memset(&ev, 0xff, sizeof(ev)); /* the loop has its own copy */
    RUN_UNTIL(loop, run_n == 1);
    hloop_free(&loop);
}

static void a_post_without_a_callback_is_counted(void **state)
{
    hloop_t *loop = new_loop();
    hevent_t ev = {.userdata = NULL};
    hloop_stats_t stats = {0};

    (void)state;
    assert_int_equal(hloop_post_event(loop, &ev), 0);
    while (stats.posts == 0) {
        assert_int_equal(hloop_run(loop), 0);
        hloop_stats(loop, &stats);
    }
    hloop_free(&loop);
}

static void higher_priorities_run_first(void **state)
{
    hloop_t *loop = new_loop();
    int priorities[] = {0, -5, 5, 3, -3, 0};
    int expected[] = {5, 3, 0, 0, -3, -5};

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(priorities); i++) {
        hevent_t ev = {.cb = on_post, .userdata = (void *)(intptr_t)priorities[i]};

        hevent_set_priority(&ev, priorities[i]);
        assert_int_equal(hloop_post_event(loop, &ev), 0);
    }
    RUN_UNTIL(loop, run_n == 6);
    for (size_t i = 0; i < ARRAY_LENGTH(priorities); i++)
        assert_int_equal(order[i], expected[i]);
    hloop_free(&loop);
}

static void a_priority_out_of_range_is_clamped(void **state)
{
    hloop_t *loop = new_loop();
    hevent_t low = {.cb = on_post, .priority = -128, .userdata = (void *)1};
    hevent_t high = {.cb = on_post, .priority = 127, .userdata = (void *)2};

    (void)state;
    assert_int_equal(hloop_post_event(loop, &low), 0);
    assert_int_equal(hloop_post_event(loop, &high), 0);
    RUN_UNTIL(loop, run_n == 2);
    assert_int_equal(order[0], 2);
    hloop_free(&loop);
}

static void on_post_again(hevent_t *ev)
{
    run_n++;
    if (run_n < 5000) {
        hevent_t again = *ev;

        assert_int_equal(hloop_post_event(ev->loop, &again), 0);
    }
}

static void a_post_may_post_itself_again(void **state)
{
    hloop_t *loop = new_loop();
    hevent_t ev = {.cb = on_post_again};

    (void)state;
    assert_int_equal(hloop_post_event(loop, &ev), 0);
    RUN_UNTIL(loop, run_n == 5000);
    hloop_free(&loop);
}

static void on_timer(htimer_t *timer)
{
    *(bool *)hevent_userdata(timer) = true;
}

static void on_post_for_ever(hevent_t *ev)
{
    hevent_t again = *ev;

    run_n++;
    hloop_post_event(ev->loop, &again);
}

static void a_flood_of_posts_does_not_starve_timers(void **state)
{
    hloop_t *loop = new_loop();
    hevent_t ev = {.cb = on_post_for_ever};
    bool fired = false;

    (void)state;
    for (int i = 0; i < 10; i++)
        assert_int_equal(hloop_post_event(loop, &ev), 0);
    hevent_set_userdata(htimer_add(loop, on_timer, 5, 1), &fired);
    RUN_UNTIL(loop, fired);
    hloop_free(&loop);
}

/* ---- from other threads ---------------------------------------------------------------------- */

typedef struct producer_s {
    hloop_t *loop;
    pthread_t thread;
    uintptr_t id;
    uintptr_t next; /* expected by the consumer */
} producer_t;

static producer_t producers[PRODUCERS];
static bool out_of_order;

static void on_numbered(hevent_t *ev)
{
    uintptr_t id = (uintptr_t)ev->userdata >> 24, number = (uintptr_t)ev->userdata & 0xffffff;

    out_of_order |= number != producers[id].next;
    producers[id].next = number + 1;
    run_n++;
}

static void *produce(void *arg)
{
    producer_t *producer = arg;

    for (uintptr_t i = 0; i < POSTS_EACH; i++) {
        hevent_t ev = {.cb = on_numbered, .userdata = (void *)(producer->id << 24 | i)};

        if (hloop_post_event(producer->loop, &ev) < 0)
            return (void *)-1;
    }
    return NULL;
}

/* Four threads are faster than one loop: there are many blocks, and threads wait for each other. */
static void posts_of_many_threads_are_all_run_each_thread_in_order(void **state)
{
    hloop_t *loop = new_loop();
    void *failed;

    (void)state;
    out_of_order = false;
    for (uintptr_t i = 0; i < PRODUCERS; i++) {
        producers[i] = (producer_t){.loop = loop, .id = i};
        assert_int_equal(pthread_create(&producers[i].thread, NULL, produce, &producers[i]), 0);
    }
    RUN_UNTIL(loop, run_n == PRODUCERS * POSTS_EACH);
    for (int i = 0; i < PRODUCERS; i++) {
        assert_int_equal(pthread_join(producers[i].thread, &failed), 0);
        assert_null(failed);
    }
    settle(loop);
    assert_int_equal(run_n, PRODUCERS * POSTS_EACH);
    assert_false(out_of_order);
    hloop_free(&loop);
}

static void *post_once(void *arg)
{
    struct timespec ts = {0, 20000000};

    nanosleep(&ts, NULL); /* the loop sleeps by then, most likely; either way the post arrives */
    post(arg, 1);
    return NULL;
}

static void a_post_wakes_a_sleeping_loop(void **state)
{
    hloop_t *loop = new_loop();
    pthread_t thread;

    (void)state;
    assert_int_equal(pthread_create(&thread, NULL, post_once, loop), 0);
    RUN_UNTIL(loop, run_n == 1);
    pthread_join(thread, NULL);
    hloop_free(&loop);
}

typedef struct ping_s {
    hloop_t *loop;
    atomic_int sent, seen;
} ping_t;

static void on_ping(hevent_t *ev)
{
    ping_t *ping = ev->userdata;

    atomic_fetch_add(&ping->seen, 1);
}

static void *ping_pong(void *arg)
{
    ping_t *ping = arg;

    for (int i = 0; i < 20000; i++) {
        hevent_t ev = {.cb = on_ping, .userdata = ping};

        hloop_post_event(ping->loop, &ev);
        while (atomic_load(&ping->seen) <= i)
            sched_yield();
    }
    hloop_stop(ping->loop);
    return NULL;
}

/* One post at a time, each to a loop that is about to sleep: a wake-up that is lost
 * shows as a hang. */
static void no_wake_up_is_lost(void **state)
{
    hloop_t *loop = new_loop_with(0);
    ping_t ping = {.loop = loop};
    pthread_t thread;

    (void)state;
    assert_int_equal(pthread_create(&thread, NULL, ping_pong, &ping), 0);
    assert_int_equal(hloop_run(loop), 0);
    pthread_join(thread, NULL);
    assert_int_equal(ping.seen, 20000);
    hloop_free(&loop);
}

static void on_stop(hevent_t *ev)
{
    run_n++;
    hloop_stop(ev->loop);
    post(ev->loop, 7);
}

/* What is posted while the loop stops waits for the next run. */
static void a_post_during_stop_runs_in_the_next_run(void **state)
{
    hloop_t *loop = new_loop_with(0);
    hevent_t ev = {.cb = on_stop};

    (void)state;
    assert_int_equal(hloop_post_event(loop, &ev), 0);
    assert_int_equal(hloop_run(loop), 0);
    assert_int_equal(run_n, 1);
    ev.cb = on_stop;
    assert_int_equal(hloop_post_event(loop, &ev), 0);
    assert_int_equal(hloop_run(loop), 0);
    assert_int_equal(run_n, 3);
    hloop_free(&loop);
}

static void posts_that_never_ran_are_freed_with_the_loop(void **state)
{
    hloop_t *loop = new_loop();

    (void)state;
    for (int i = 0; i < 3 * (int)HPOST_BLOCK_SIZE; i++)
        assert_int_equal(post(loop, i), 0);
    hloop_free(&loop);
    assert_int_equal(run_n, 0);
}

static void posts_past_a_block_run_in_order(void **state)
{
    hloop_t *loop = new_loop();

    (void)state;
    out_of_order = false;
    producers[0].next = 0;
    for (uintptr_t i = 0; i < 3 * HPOST_BLOCK_SIZE; i++) {
        hevent_t ev = {.cb = on_numbered, .userdata = (void *)i};

        assert_int_equal(hloop_post_event(loop, &ev), 0);
        if (i == HPOST_BLOCK_SIZE + 10) { /* of the first block alone */
            hloop_wakeup(loop);
            assert_int_equal(hloop_run(loop), 0);
        }
    }
    RUN_UNTIL(loop, run_n == 3 * (int)HPOST_BLOCK_SIZE);
    assert_false(out_of_order);
    hloop_free(&loop);
}

/* ---- the queue itself ------------------------------------------------------------------------ */

/* Every third post has another callback, priority or type than the one before. */
static hpost_kind_t kind_of(uintptr_t number)
{
    static const hpost_kind_t kinds[] = {
        {on_post, HEVENT_TYPE_CUSTOM, 0},
        {on_numbered, HEVENT_TYPE_CUSTOM, 0},
        {on_numbered, HEVENT_TYPE_CUSTOM, 3},
        {on_numbered, HEVENT_TYPE_CUSTOM + 1, 3},
    };

    return kinds[number / 3 % ARRAY_LENGTH(kinds)];
}

static void push(hpost_queue_t *queue, uintptr_t from, uintptr_t to)
{
    for (uintptr_t i = from; i < to; i++)
        assert_int_equal(hpost_push(queue, kind_of(i), (void *)i), 0);
}

/* Takes one batch, whose first post must be *next, and moves *next behind it. */
static void take(hpost_queue_t *queue, uintptr_t *next)
{
    hpost_batch_t batch = hpost_take(queue);
    uint32_t at = batch.start;

    for (uint32_t i = 0; i < batch.runs_n; i++) {
        assert_true(hpost_run_end(&batch, i) >= at);
        for (; at < hpost_run_end(&batch, i); at++) {
            hpost_kind_t expected = kind_of(*next), kind = batch.runs[i].kind;

            assert_int_equal((uintptr_t)batch.userdata[at], *next);
            assert_true(kind.cb == expected.cb);
            assert_int_equal(kind.event_type, expected.event_type);
            assert_int_equal(kind.priority, expected.priority);
            ++*next;
        }
    }
    assert_int_equal(at, batch.end);
}

/* A batch begins and ends anywhere within a run: each post keeps what belongs to it. */
static void posts_of_all_kinds_stay_in_order_whatever_the_batches(void **state)
{
    (void)state;
    for (uintptr_t size = 1; size < 40; size++) {
        hpost_queue_t queue;
        uintptr_t next = 0;

        assert_int_equal(hpost_init(&queue), 0);
        for (uintptr_t n = 0; n < 3 * HPOST_BLOCK_SIZE; n += size) {
            push(&queue, n, n + size);
            while (next < n + size) {
                assert_false(hpost_is_empty(&queue));
                take(&queue, &next);
            }
            assert_true(hpost_is_empty(&queue));
        }
        hpost_deinit(&queue);
    }
}

static void a_batch_ends_with_its_block(void **state)
{
    hpost_queue_t queue;
    uintptr_t next = 0;

    (void)state;
    assert_int_equal(hpost_init(&queue), 0);
    push(&queue, 0, 10);
    take(&queue, &next);
    assert_int_equal(next, 10);
    push(&queue, 10, 3 * HPOST_BLOCK_SIZE + 5);
    for (uintptr_t end = HPOST_BLOCK_SIZE; end <= 3 * HPOST_BLOCK_SIZE; end += HPOST_BLOCK_SIZE) {
        take(&queue, &next);
        assert_int_equal(next, end);
    }
    take(&queue, &next);
    assert_int_equal(next, 3 * HPOST_BLOCK_SIZE + 5);
    take(&queue, &next); /* nothing, and nothing happens */
    assert_true(hpost_is_empty(&queue));
    hpost_deinit(&queue);
}

static void only_the_first_post_to_a_sleeper_wakes_it(void **state)
{
    const hpost_kind_t kind = {on_post, HEVENT_TYPE_CUSTOM, 0};
    hpost_queue_t queue;

    (void)state;
    assert_int_equal(hpost_init(&queue), 0);
    assert_int_equal(hpost_push(&queue, kind, NULL), 0); /* awake */
    assert_false(hpost_sleep(&queue));                   /* there is something: no sleep */
    assert_int_equal(hpost_take(&queue).runs_n, 1);
    assert_true(hpost_sleep(&queue));
    assert_int_equal(hpost_push(&queue, kind, NULL), 1);
    assert_int_equal(hpost_push(&queue, kind, NULL), 0);
    hpost_awake(&queue);
    assert_int_equal(hpost_take(&queue).runs_n, 1);
    assert_true(hpost_sleep(&queue));
    hpost_awake(&queue);
    assert_int_equal(hpost_push(&queue, kind, NULL), 0); /* something else woke it */
    hpost_deinit(&queue);
}

static void on_busy(htimer_t *timer)
{
    (void)timer;
}

static void *post_by_timer(void *timer)
{
    for (int i = 0; i < 50; i++) {
        assert_int_equal(post(hevent_loop(timer), i), 0);
        usleep(200);
    }
    return NULL;
}

/* What a timer begins with changes whenever it fires; another thread may ask for its loop. */
static void a_thread_that_has_a_timer_finds_its_loop(void **state)
{
    hloop_t *loop = new_loop();
    htimer_t *timer = htimer_add(loop, on_busy, 1, INFINITE);
    pthread_t thread;

    (void)state;
    assert_non_null(timer);
    assert_int_equal(pthread_create(&thread, NULL, post_by_timer, timer), 0);
    RUN_UNTIL(loop, run_n == 50);
    pthread_join(thread, NULL);
    hloop_free(&loop);
}

static int post_with_little_memory(void *arg)
{
    hloop_t *loop = hloop_new_with(&(hloop_options_t){HLOOP_FLAG_RUN_ONCE, test_poller, 0, NULL});
    int rc = loop ? 0 : -errno, posted = 0;

    (void)arg;
    run_n = 0;
    for (int i = 0; loop && rc == 0 && i < (int)HPOST_BLOCK_SIZE + 20; i++) {
        rc = post(loop, i);
        posted += rc == 0;
    }
    while (loop && run_n < posted)
        assert_int_equal(hloop_run(loop), 0);
    hloop_free(&loop);
    return rc;
}

static void out_of_memory_loses_no_post_that_was_taken(void **state)
{
    (void)state;
    oom_run(post_with_little_memory, NULL);
}

#define TEST(f) cmocka_unit_test_setup(f, setup)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(posts_of_one_thread_run_in_order),
        TEST(a_post_carries_its_data_and_its_loop),
        TEST(a_post_without_a_callback_is_counted),
        TEST(higher_priorities_run_first),
        TEST(a_priority_out_of_range_is_clamped),
        TEST(a_post_may_post_itself_again),
        TEST(a_flood_of_posts_does_not_starve_timers),
        TEST(posts_of_many_threads_are_all_run_each_thread_in_order),
        TEST(a_post_wakes_a_sleeping_loop),
        TEST(no_wake_up_is_lost),
        TEST(a_post_during_stop_runs_in_the_next_run),
        TEST(posts_that_never_ran_are_freed_with_the_loop),
        TEST(posts_past_a_block_run_in_order),
        TEST(posts_of_all_kinds_stay_in_order_whatever_the_batches),
        TEST(a_batch_ends_with_its_block),
        TEST(only_the_first_post_to_a_sleeper_wakes_it),
        TEST(a_thread_that_has_a_timer_finds_its_loop),
        TEST(out_of_memory_loses_no_post_that_was_taken),
    };

    return run_on_each_poller("hpost", tests, ARRAY_LENGTH(tests));
}
