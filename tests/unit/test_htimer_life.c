/* One thread. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "htimer_fixture.h"
#include "oom.h"

#define MANY 100000

static htimer_t *victim;

/* ---- in callbacks ---------------------------------------------------------------------------- */

static void on_rearm_once(htimer_t *timer)
{
    on_fire(timer);
    if (fired_n == 1)
        htimer_reset(timer, 1);
}

static void a_one_shot_rearmed_in_its_callback_fires_once_more(void **state)
{
    hloop_t *loop = new_loop();

    (void)state;
    assert_non_null(htimer_add(loop, on_rearm_once, 1, 1));
    RUN_UNTIL(loop, hloop_ntimers(loop) == 0);
    assert_int_equal(fired_n, 2);
    hloop_free(&loop);
}

static void on_delete_self(htimer_t *timer)
{
    on_fire(timer);
    htimer_del(timer);
}

static void a_timer_may_delete_itself(void **state)
{
    hloop_t *loop = new_loop();

    (void)state;
    assert_non_null(htimer_add(loop, on_delete_self, 1, INFINITE));
    RUN_UNTIL(loop, fired_n == 1);
    settle(loop);
    assert_int_equal(fired_n, 1);
    assert_int_equal(hloop_ntimers(loop), 0);
    hloop_free(&loop);
}

static void on_replace_self(htimer_t *timer)
{
    on_fire(timer);
    htimer_del(timer);
    add(hevent_loop(timer), 1, 1, 9);
}

/* The new one gets the memory of the old one while its callback runs. */
static void a_timer_may_replace_itself(void **state)
{
    hloop_t *loop = new_loop();

    (void)state;
    assert_non_null(htimer_add(loop, on_replace_self, 1, 1));
    RUN_UNTIL(loop, fired_n == 2);
    assert_int_equal(fired[1], 9);
    assert_int_equal(hloop_ntimers(loop), 0);
    hloop_free(&loop);
}

static void on_delete_victim(htimer_t *timer)
{
    on_fire(timer);
    htimer_del(victim);
    victim = NULL;
}

static void a_due_timer_deleted_by_another_does_not_fire(void **state)
{
    hloop_t *loop = new_loop();

    (void)state;
    assert_non_null(htimer_add(loop, on_delete_victim, 1, 1));
    victim = add(loop, 1, INFINITE, 7);
    pause_ms(5);
    RUN_UNTIL(loop, fired_n == 1);
    settle(loop);
    assert_int_equal(fired_n, 1);
    assert_int_equal(hloop_ntimers(loop), 0);
    hloop_free(&loop);
}

static void on_reset_victim(htimer_t *timer)
{
    on_fire(timer);
    htimer_reset(victim, 20);
}

static void a_due_timer_reset_by_another_fires_later(void **state)
{
    hloop_t *loop = new_loop();
    uint64_t start;

    (void)state;
    assert_non_null(htimer_add(loop, on_reset_victim, 1, 1));
    victim = add(loop, 1, 1, 7);
    pause_ms(5);
    RUN_UNTIL(loop, fired_n == 1);
    start = htime_monotonic_ns();
    settle(loop);
    if (htime_monotonic_ns() - start < 15 * HTIME_NS_PER_MS)
        assert_int_equal(fired_n, 1);
    RUN_UNTIL(loop, fired_n == 2);
    hloop_free(&loop);
}

static void del_of_nothing_is_legal(void **state)
{
    (void)state;
    htimer_del(NULL);
}

/* The loop sleeps through the time at which a deleted timer would have fired; unless the process
 * was held up before it could, so that the time was over: not each time. */
static void a_deleted_timer_wakes_nobody(void **state)
{
    int sleeps = 0;

    (void)state;
    for (int i = 0; i < 100 && sleeps == 0; i++) {
        hloop_t *loop = new_loop();
        int before = fired_n;
        htimer_t *known = add(loop, 20, 1, 1);

        settle(loop);
        if (fired_n == before) {
            htimer_del(known);
            htimer_del(add(loop, 20, 1, 2));
            add(loop, 40, 1, 3);
            assert_int_equal(hloop_run(loop), 0);
            sleeps = fired_n - before;
        }
        hloop_free(&loop);
    }
    assert_int_equal(sleeps, 1);
}

/* ---- repeating ------------------------------------------------------------------------------- */

static void a_timer_repeats_as_often_as_asked(void **state)
{
    hloop_t *loop = new_loop();

    (void)state;
    add(loop, 1, 5, 1);
    add(loop, 1, 1, 2);
    RUN_UNTIL(loop, hloop_ntimers(loop) == 0);
    assert_int_equal(fired_n, 6);
    hloop_free(&loop);
}

#define TICK_MS 100
#define TICKS 4

static uint64_t latest_ns;

static void on_tick(htimer_t *timer)
{
    (void)timer;
    latest_ns = htime_monotonic_ns();
    fired_n++;
    pause_ms(TICK_MS / 2); /* would add up if the next interval began only now */
}

static void on_over(htimer_t *timer)
{
    *(bool *)hevent_userdata(timer) = true;
}

/* The n-th call comes no earlier than n intervals after the start, however late each was; and with
 * all that they took added to them the last one would come after the time of this watch. */
static void a_repeating_timer_does_not_drift(void **state)
{
    hloop_t *loop = new_loop();

    (void)state;
    for (fired_n = 0; fired_n < TICKS;) { /* until this machine holds up none for half a tick */
        uint64_t start = htime_monotonic_ns();
        htimer_t *tick = htimer_add(loop, on_tick, TICK_MS, INFINITE);
        htimer_t *watch = htimer_add(loop, on_over, TICK_MS * TICKS + TICK_MS * 3 / 4, 1);
        bool over = false;

        assert_true(tick && watch);
        hevent_set_userdata(watch, &over);
        fired_n = 0;
        RUN_UNTIL(loop, over);
        assert_true(latest_ns - start >= (uint64_t)fired_n * TICK_MS * HTIME_NS_PER_MS);
        htimer_del(tick);
    }
    hloop_free(&loop);
}

static void on_hold_up(htimer_t *timer)
{
    on_fire(timer);
    if (fired_n == 1)
        pause_ms(50);
}

static void a_loop_held_up_does_not_make_up_for_missed_calls(void **state)
{
    hloop_t *loop = new_loop();

    (void)state;
    assert_non_null(htimer_add(loop, on_hold_up, 5, INFINITE));
    RUN_UNTIL(loop, fired_n == 1);
    hloop_wakeup(loop);
    assert_int_equal(hloop_run(loop), 0); /* the one that is late */
    hloop_wakeup(loop);
    assert_int_equal(hloop_run(loop), 0);
    assert_true(fired_n <= 3);
    hloop_free(&loop);
}

static void reset_without_an_interval_keeps_it(void **state)
{
    hloop_t *loop = new_loop();
    htimer_t *timer = add(loop, 3600000, 1, 1);

    (void)state;
    htimer_reset(timer, 0);
    settle(loop);
    assert_int_equal(fired_n, 0);
    htimer_reset(timer, 1);
    RUN_UNTIL(loop, fired_n == 1);
    hloop_free(&loop);
}

static void a_very_far_timer_does_not_fire(void **state)
{
    hloop_t *loop = new_loop();

    (void)state;
    add(loop, UINT32_MAX - 1, 1, 1);
    add(loop, UINT32_MAX, INFINITE, 2);
    add(loop, 2, 1, 3);
    RUN_UNTIL(loop, fired_n > 0);
    settle(loop);
    assert_int_equal(fired_n, 1);
    assert_int_equal(fired[0], 3);
    hloop_free(&loop);
}

/* ---- as events ------------------------------------------------------------------------------- */

static void a_timer_answers_as_any_event_does(void **state)
{
    hloop_t *loop = new_loop(), *other = new_loop();
    htimer_t *timer = add(loop, 1000, 2, 7), *second = add(loop, 1000, 2, 8);

    (void)state;
    assert_ptr_equal(hevent_loop(timer), loop);
    assert_ptr_equal(hevent_loop(add(other, 1000, 1, 9)), other);
    assert_int_equal(hevent_type(timer), HEVENT_TYPE_TIMEOUT);
    assert_ptr_equal(hevent_cb(timer), (hevent_cb)on_fire);
    assert_int_equal((intptr_t)hevent_userdata(timer), 7);
    assert_int_equal(hevent_priority(timer), HEVENT_NORMAL_PRIORITY);
    hevent_set_priority(timer, -99);
    assert_int_equal(hevent_priority(timer), HEVENT_LOWEST_PRIORITY);
    hevent_set_priority(timer, 99);
    assert_int_equal(hevent_priority(timer), HEVENT_HIGHEST_PRIORITY);
    assert_int_equal(hevent_priority(second), HEVENT_NORMAL_PRIORITY);
    assert_true(hevent_id(timer) != 0 && hevent_id(second) != 0);
    assert_true(hevent_id(timer) != hevent_id(second));
    assert_int_equal(hevent_id(timer), hevent_id(timer));
    assert_int_equal(hevent_priority(timer), HEVENT_HIGHEST_PRIORITY);
    hloop_free(&loop);
    hloop_free(&other);
}

static htimer_t *answering;

static void on_answer(htimer_t *timer)
{
    assert_ptr_equal(timer, answering);
    assert_int_equal(hevent_type(timer), HEVENT_TYPE_TIMEOUT);
    assert_int_equal(hevent_priority(timer), HEVENT_HIGH_PRIORITY);
    assert_non_null(hevent_loop(timer));
    on_fire(timer);
}

static void a_timer_answers_in_its_callback_too(void **state)
{
    hloop_t *loop = new_loop();

    (void)state;
    answering = htimer_add(loop, on_answer, 1, 2);
    assert_non_null(answering);
    hevent_set_priority(answering, HEVENT_HIGH_PRIORITY);
    RUN_UNTIL(loop, fired_n == 2);
    hloop_free(&loop);
}

/* All slots of the slab's first word are used again: nothing of the timers before is left. */
static void a_timer_inherits_nothing_from_one_before(void **state)
{
    hloop_t *loop = new_loop();
    htimer_t *timers[64];
    uint64_t ids[64];

    (void)state;
    for (int i = 0; i < 64; i++) {
        timers[i] = htimer_add_period(loop, on_fire, -1, -1, -1, -1, 1 + i % 12, INFINITE);
        assert_non_null(timers[i]);
        assert_int_equal(hevent_priority(timers[i]), HEVENT_NORMAL_PRIORITY);
        hevent_set_priority(timers[i], HEVENT_LOW_PRIORITY);
        assert_int_equal(hevent_type(timers[i]), HEVENT_TYPE_PERIOD);
        ids[i] = hevent_id(timers[i]);
    }
    settle(loop);
    for (int i = 0; i < 64; i++)
        htimer_del(timers[i]);
    for (int i = 0; i < 64; i++) {
        timers[i] = add(loop, 1, 1, i);
        assert_int_equal(hevent_type(timers[i]), HEVENT_TYPE_TIMEOUT);
        assert_int_equal(hevent_priority(timers[i]), HEVENT_NORMAL_PRIORITY);
        for (int j = 0; j < 64; j++)
            assert_true(hevent_id(timers[i]) != ids[j]);
    }
    htimer_reset(timers[0], 2); /* no effect on a cron-like one */
    RUN_UNTIL(loop, fired_n == 64);
    hloop_free(&loop);
}

/* ---- many ------------------------------------------------------------------------------------ */

typedef struct model_s {
    htimer_t *timer;
    uint64_t due_ns; /* by a clock read before the call */
    bool alive;
} model_t;

static model_t model[2000];
static bool model_early, model_dead;

static void on_model(htimer_t *timer)
{
    model_t *entry = hevent_userdata(timer);

    model_dead |= !entry->alive || entry->timer != timer;
    model_early |= htime_monotonic_ns() < entry->due_ns;
    entry->alive = false;
    entry->timer = NULL;
    fired_n++;
}

static void act_on(hloop_t *loop, model_t *entry, unsigned what)
{
    uint32_t timeout_ms = what / 8 % 40;
    uint64_t now_ns = htime_monotonic_ns();

    if (!entry->alive) {
        entry->timer = htimer_add(loop, on_model, timeout_ms, 1);
        assert_non_null(entry->timer);
        hevent_set_userdata(entry->timer, entry);
        entry->alive = true;
        entry->due_ns = now_ns + timeout_ms * HTIME_NS_PER_MS;
    } else if (what % 8 < 3) {
        htimer_del(entry->timer);
        entry->alive = false;
        entry->timer = NULL;
    } else {
        htimer_reset(entry->timer, timeout_ms + 1);
        entry->due_ns = now_ns + (timeout_ms + 1) * HTIME_NS_PER_MS;
    }
}

static void a_hundred_thousand_random_changes_agree_with_a_model(void **state)
{
    hloop_t *loop = new_loop();
    size_t alive = 0;
    unsigned seed = 1;

    (void)state;
    memset(model, 0, sizeof(model));
    model_early = model_dead = false;
    for (int i = 0; i < MANY; i++) {
        act_on(loop, &model[rand_r(&seed) % ARRAY_LENGTH(model)], (unsigned)rand_r(&seed));
        if (i % 500 == 0) {
            hloop_wakeup(loop);
            assert_int_equal(hloop_run(loop), 0);
        }
    }
    for (size_t i = 0; i < ARRAY_LENGTH(model); i++)
        alive += model[i].alive;
    assert_int_equal(hloop_ntimers(loop), alive);
    RUN_UNTIL(loop, hloop_ntimers(loop) == 0);
    for (size_t i = 0; i < ARRAY_LENGTH(model); i++)
        assert_false(model[i].alive);
    assert_false(model_early);
    assert_false(model_dead);
    hloop_free(&loop);
}

/* ---- out of memory --------------------------------------------------------------------------- */

static int timers_with_little_memory(void *arg)
{
    hloop_t *loop = hloop_new_with(&(hloop_options_t){HLOOP_FLAG_RUN_ONCE, test_poller, 0, NULL});
    int rc = loop ? 0 : -errno, added = 0;

    (void)arg;
    fired_n = 0;
    for (; loop && rc == 0 && added < 100; added++) {
        htimer_t *timer = htimer_add(loop, on_fire, 0, 1);

        if (!timer)
            rc = -ENOMEM;
        else
            htimer_reset(timer, added % 2 ? 0 : 1);
        if (!timer)
            break;
    }
    while (loop && fired_n < added) /* what was added fires, out of memory or not */
        assert_int_equal(hloop_run(loop), 0);
    hloop_free(&loop);
    return rc;
}

static void out_of_memory_loses_no_timer(void **state)
{
    (void)state;
    oom_run(timers_with_little_memory, NULL);
}

#define TEST(f) cmocka_unit_test_setup(f, setup)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_one_shot_rearmed_in_its_callback_fires_once_more),
        TEST(a_timer_may_delete_itself),
        TEST(a_timer_may_replace_itself),
        TEST(a_due_timer_deleted_by_another_does_not_fire),
        TEST(a_due_timer_reset_by_another_fires_later),
        TEST(del_of_nothing_is_legal),
        TEST(a_deleted_timer_wakes_nobody),
        TEST(a_timer_repeats_as_often_as_asked),
        TEST(a_repeating_timer_does_not_drift),
        TEST(a_loop_held_up_does_not_make_up_for_missed_calls),
        TEST(reset_without_an_interval_keeps_it),
        TEST(a_very_far_timer_does_not_fire),
        TEST(a_timer_answers_as_any_event_does),
        TEST(a_timer_answers_in_its_callback_too),
        TEST(a_timer_inherits_nothing_from_one_before),
        TEST(a_hundred_thousand_random_changes_agree_with_a_model),
        TEST(out_of_memory_loses_no_timer),
    };

    return run_on_each_poller("htimer: from add to del", tests, ARRAY_LENGTH(tests));
}
