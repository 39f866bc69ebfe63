/* One thread. */
/* The engine's contract, call by call: what callbacks may do, odd answers, odd clocks, no memory.
 * What is sent when is test_hnmap_engine_pace.c's, and how it does on bad networks is
 * test_hnmap_engine_network.c's. */
#include "../../cmd/hnmap/engine.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "oom.h"

#define MS 1000u
#define SECOND 1000000u
#define BEGIN (1000ull * SECOND)

static const engine_options_t ordinary = {
    .rtt_initial_us = 1000 * MS, .rtt_min_us = 100 * MS, .rtt_max_us = 10000 * MS, .tries = 4};

typedef struct hand_s {
    engine_t *engine;
    engine_host_t *host; /* the last one; NULL when it is done */
    unsigned sends, dones;
    engine_sent_e result;
    bool end_in_send, answer_in_send, add_in_done;
    uint64_t now;
} hand_t;

static engine_sent_e hand_send(void *context, engine_host_t *host, uint32_t probe, unsigned try)
{
    hand_t *hand = context;

    hand->sends++;
    assert_ptr_equal(engine_host_user(host), hand);
    assert_int_equal(engine_tries(host, probe), try + 1);
    if (hand->answer_in_send) {
        assert_true(engine_answer(hand->engine, host, probe, (int)try, false, hand->now));
        assert_false(engine_answer(hand->engine, host, probe, (int)try, false, hand->now));
    }
    if (hand->end_in_send)
        engine_host_end(hand->engine, host);
    return hand->result;
}

static void hand_done(void *context, engine_host_t *host)
{
    hand_t *hand = context;

    hand->dones++;
    hand->host = NULL;
    engine_host_end(hand->engine, host);
    assert_false(engine_answer(hand->engine, host, 0, 0, false, hand->now));
    if (hand->add_in_done && hand->dones < 10) {
        assert_int_equal(engine_host_add(hand->engine, 3, 0, hand, hand->now, &hand->host), 0);
    }
}

static const engine_method_t hand_method = {hand_send, hand_done};

static void hand_begin(hand_t *hand, const engine_options_t *options, uint32_t count)
{
    *hand = (hand_t){.now = BEGIN};
    assert_int_equal(engine_new(options, &hand_method, hand, &hand->engine), 0);
    assert_int_equal(engine_host_add(hand->engine, count, 0, hand, hand->now, &hand->host), 0);
}

static uint64_t hand_run(hand_t *hand)
{
    return engine_run(hand->engine, hand->now);
}

static void options_that_contradict_are_refused(void **state)
{
    engine_options_t bad[9];
    engine_host_t *host;
    engine_t *engine;

    (void)state;
    for (size_t i = 0; i < 9; i++)
        bad[i] = ordinary;
    bad[0].tries = 0;
    bad[1].tries = ENGINE_TRIES_MAX + 1;
    bad[2].rtt_min_us = bad[2].rtt_max_us + 1;
    bad[3].rtt_initial_us = bad[3].rtt_max_us + 1;
    bad[4].rtt_max_us = (uint64_t)ENGINE_TIMEOUT_MAX_US + 1;
    bad[5].rate_min = 2, bad[5].rate_max = 1;
    bad[6].window_min = 2, bad[6].window_max = 1;
    bad[7].delay_us = 2, bad[7].delay_max_us = 1;
    bad[8].rate_max = -1;
    for (size_t i = 0; i < 9; i++)
        assert_int_equal(engine_new(&bad[i], &hand_method, NULL, &engine), -EINVAL);
    assert_int_equal(engine_new(&ordinary, &hand_method, NULL, &engine), 0);
    assert_int_equal(engine_host_add(engine, 0, 0, NULL, 0, &host), -EINVAL);
    assert_int_equal(engine_host_add(engine, ENGINE_PROBES_MAX + 1, 0, NULL, 0, &host), -EINVAL);
    assert_int_equal(engine_host_add(engine, ENGINE_PROBES_MAX, 0, NULL, 0, &host), 0);
    engine_free(engine);
    engine_free(NULL);
}

static void nothing_to_do_wants_no_call(void **state)
{
    engine_t *engine;

    (void)state;
    assert_int_equal(engine_new(&ordinary, &hand_method, NULL, &engine), 0);
    assert_true(engine_run(engine, BEGIN) == UINT64_MAX);
    engine_free(engine);
}

static void a_busy_method_is_left_alone_for_a_while(void **state)
{
    engine_options_t once = ordinary;
    hand_t hand;

    (void)state;
    once.tries = 1;
    hand_begin(&hand, &once, 5);
    hand.result = ENGINE_BUSY;
    for (int i = 0; i < 5; i++) {
        uint64_t next = hand_run(&hand);

        assert_int_equal(hand.sends, i + 1);
        assert_true(next > hand.now && next <= hand.now + ENGINE_BUSY_US);
        assert_true(hand_run(&hand) == next);
        assert_int_equal(hand.sends, i + 1);
        for (uint32_t probe = 0; probe < 5; probe++)
            assert_int_equal(engine_tries(hand.host, probe), 0);
        hand.now = next;
    }
    engine_ready(hand.engine);
    hand.result = ENGINE_SENT;
    hand_run(&hand);
    assert_int_equal(hand.sends, 10);
    engine_free(hand.engine);
}

static void a_probe_that_is_answered_as_it_is_sent_is_done(void **state)
{
    static const engine_sent_e results[] = {ENGINE_ANSWERED, ENGINE_SENT, ENGINE_BUSY};

    (void)state;
    for (int how = 0; how < 4; how++) {
        engine_stats_t stats;
        hand_t hand;

        hand_begin(&hand, &ordinary, 5000);
        hand.result = how == 3 ? ENGINE_ANSWERED : results[how];
        hand.answer_in_send = how > 0;
        for (int i = 0; i < 6000 && hand.dones == 0; i++)
            hand.now = hand_run(&hand);
        assert_int_equal(hand.dones, 1);
        engine_stats(hand.engine, &stats);
        assert_int_equal(stats.answered, 5000);
        assert_int_equal(stats.repeated, 0);
        assert_int_equal(stats.in_flight, 0);
        engine_free(hand.engine);
    }
}

/* A scan that goes on knows them from before. */
static void what_is_settled_before_it_is_sent_never_is(void **state)
{
    (void)state;
    for (uint32_t left = 0; left < 3; left++) {
        engine_stats_t stats;
        hand_t hand;

        hand_begin(&hand, &ordinary, 5000);
        hand.result = ENGINE_SENT;
        for (uint32_t i = left; i < 5000; i++) {
            assert_true(engine_settle(hand.engine, hand.host, i, hand.now));
            assert_false(i < 4999 && engine_settle(hand.engine, hand.host, i, hand.now));
        }
        for (int i = 0; i < 6000 && hand.dones == 0; i++)
            hand.now = hand_run(&hand) + 1;
        assert_int_equal(hand.dones, 1);
        engine_stats(hand.engine, &stats);
        assert_int_equal(stats.answered, 5000 - left);
        assert_int_equal(stats.sent - stats.repeated, left);
        assert_int_equal(stats.done, 5000);
        engine_free(hand.engine);
    }
}

static void a_host_may_end_and_begin_in_callbacks(void **state)
{
    static const engine_sent_e results[] = {ENGINE_ANSWERED, ENGINE_SENT, ENGINE_BUSY};

    (void)state;
    for (int how = 0; how < 3; how++) {
        engine_stats_t stats;
        hand_t hand;

        hand_begin(&hand, &ordinary, 3);
        hand.result = results[how];
        hand.end_in_send = true;
        hand.add_in_done = true;
        for (int i = 0; i < 100 && hand.dones < 10; i++) {
            uint64_t next = hand_run(&hand);

            hand.now = next > hand.now && next < UINT64_MAX ? next : hand.now + 1;
        }
        assert_int_equal(hand.dones, 10);
        engine_stats(hand.engine, &stats);
        assert_int_equal(stats.hosts, 0);
        assert_int_equal(stats.in_flight, 0);
        assert_int_equal(stats.done, 30);
        engine_free(hand.engine);
    }
}

static void engines_may_share_a_rate(void **state)
{
    engine_options_t options = ordinary;
    unsigned sends[1000];
    hand_t first;
    hand_t second;

    (void)state;
    options.rate_max = 1000;
    hand_begin(&first, &options, 5000);
    options.limits_of = first.engine;
    hand_begin(&second, &options, 5000);
    for (unsigned ms = 0; ms < 1000; ms++) {
        first.now = second.now = BEGIN + (uint64_t)ms * MS;
        hand_run(ms % 2 ? &first : &second);
        hand_run(ms % 2 ? &second : &first);
        sends[ms] = first.sends + second.sends;
        assert_true(ms < 100 || sends[ms] - sends[ms - 100] <= 100);
    }
    assert_true(sends[999] > 900);
    assert_true(first.sends > 300 && second.sends > 300);
    engine_free(second.engine);
    engine_free(first.engine);
}

static void engines_may_share_a_window(void **state)
{
    engine_options_t options = ordinary;
    hand_t first;
    hand_t second;

    (void)state;
    options.window_max = 8;
    hand_begin(&first, &options, 30);
    options.limits_of = first.engine;
    options.window_max = 0;
    hand_begin(&second, &options, 30);
    for (unsigned ms = 0; ms < 60000 && (first.dones == 0 || second.dones == 0); ms += 10) {
        engine_stats_t a;
        engine_stats_t b;

        first.now = second.now = BEGIN + (uint64_t)ms * MS;
        hand_run(ms % 20 ? &first : &second);
        assert_true(hand_run(ms % 20 ? &second : &first) < UINT64_MAX ||
                    second.dones + first.dones > 0);
        engine_stats(first.engine, &a);
        engine_stats(second.engine, &b);
        assert_true(a.in_flight + b.in_flight <= 8);
    }
    assert_int_equal(first.dones + second.dones, 2);
    engine_free(second.engine);
    engine_free(first.engine);
}

static void the_time_of_a_host_may_be_used_up_in_part(void **state)
{
    hand_t hand;

    (void)state;
    hand_begin(&hand, &ordinary, 5);
    engine_host_until(hand.host, BEGIN + 50 * MS);
    assert_true(hand_run(&hand) <= BEGIN + 50 * MS + 500);
    hand.now = BEGIN + 49 * MS;
    hand_run(&hand);
    assert_int_equal(hand.dones, 0);
    hand.now = BEGIN + 51 * MS;
    hand_run(&hand);
    assert_int_equal(hand.dones, 1);
    assert_int_equal(engine_host_add(hand.engine, 3, 0, &hand, hand.now, &hand.host), 0);
    engine_host_until(hand.host, BEGIN); /* all of it */
    hand_run(&hand);
    assert_int_equal(hand.dones, 2);
    assert_int_equal(hand.sends, 5);
    engine_free(hand.engine);
}

/* The process slept: all answers are there, and are read one after the other. */
static void answers_that_are_read_late_are_not_lost(void **state)
{
    engine_stats_t stats;
    hand_t hand;

    (void)state;
    hand_begin(&hand, &ordinary, 10);
    hand_run(&hand);
    assert_int_equal(hand.sends, 10);
    hand.now += 5 * SECOND;
    for (uint32_t i = 0; i < 10; i++)
        assert_true(engine_answer(hand.engine, hand.host, i, 0, false, hand.now));
    hand_run(&hand);
    engine_stats(hand.engine, &stats);
    assert_int_equal(stats.repeated, 0);
    assert_int_equal(hand.dones, 1);
    engine_free(hand.engine);
}

static void what_the_method_sent_again_is_not_measured(void **state)
{
    engine_options_t options = ordinary;
    engine_rtt_t before;
    engine_rtt_t rtt;
    hand_t hand;

    (void)state;
    options.rtt_initial_us = options.rtt_max_us;
    options.again_us = SECOND;
    hand_begin(&hand, &options, 10);
    hand_run(&hand);
    hand.now += SECOND;
    assert_true(engine_answer(hand.engine, hand.host, 0, 0, false, hand.now));
    engine_host_rtt(hand.engine, hand.host, &rtt);
    assert_true(rtt.srtt_us == 0);
    assert_int_equal(engine_host_add(hand.engine, 3, 0, &hand, hand.now, &hand.host), 0);
    hand_run(&hand);
    assert_true(engine_answer(hand.engine, hand.host, 0, 0, false, hand.now + MS));
    engine_host_rtt(hand.engine, hand.host, &before);
    assert_true(before.srtt_us == MS);
    hand.now += SECOND + MS; /* given up by now: it says nothing of the timeout, either */
    hand_run(&hand);
    assert_true(engine_answer(hand.engine, hand.host, 1, 0, false, hand.now));
    engine_host_rtt(hand.engine, hand.host, &rtt);
    assert_memory_equal(&before, &rtt, sizeof(rtt));
    engine_free(hand.engine);
}

static void odd_answers_are_no_news(void **state)
{
    engine_stats_t stats;
    hand_t hand;

    (void)state;
    hand_begin(&hand, &ordinary, 5);
    assert_false(engine_answer(hand.engine, hand.host, 0, 0, false, hand.now)); /* not sent */
    hand_run(&hand);
    assert_int_equal(hand.sends, 5);
    assert_false(engine_answer(hand.engine, hand.host, 5, 0, false, hand.now));
    assert_false(engine_answer(hand.engine, hand.host, UINT32_MAX, 0, false, hand.now));
    assert_true(engine_answer(hand.engine, hand.host, 1, 40, false, hand.now + 5 * MS));
    assert_false(engine_answer(hand.engine, hand.host, 1, 0, false, hand.now + 5 * MS));
    assert_true(engine_is_answered(hand.host, 1));
    assert_false(engine_is_answered(hand.host, 2));
    assert_false(engine_is_answered(hand.host, 5));
    assert_int_equal(engine_tries(hand.host, 5), 0);
    engine_host_end(hand.engine, hand.host);
    engine_host_end(hand.engine, hand.host);
    assert_false(engine_answer(hand.engine, hand.host, 2, 0, false, hand.now));
    assert_int_equal(hand.dones, 0);
    assert_true(hand_run(&hand) == UINT64_MAX);
    assert_int_equal(hand.dones, 1);
    engine_stats(hand.engine, &stats);
    assert_int_equal(stats.answered, 1);
    assert_int_equal(stats.done, 5);
    engine_free(hand.engine);
}

static void round_trips_are_measured_against_their_own_try(void **state)
{
    engine_rtt_t rtt;
    hand_t hand;

    (void)state;
    hand_begin(&hand, &ordinary, 2);
    hand_run(&hand);
    engine_host_rtt(hand.engine, hand.host, &rtt);
    assert_int_equal(rtt.srtt_us, 0);
    assert_int_equal(rtt.timeout_us, 1000 * MS);
    engine_answer(hand.engine, hand.host, 0, 0, false, hand.now + 50 * MS);
    engine_host_rtt(hand.engine, hand.host, &rtt);
    assert_int_equal(rtt.srtt_us, 50 * MS);
    assert_int_equal(rtt.rttvar_us, 25 * MS);
    assert_int_equal(rtt.timeout_us, 150 * MS);
    while (engine_tries(hand.host, 1) < 2)
        hand.now = hand_run(&hand);
    /* The first try's answer, late: no sample, but more patience. */
    engine_answer(hand.engine, hand.host, 1, 0, false, hand.now + 10 * MS);
    assert_int_equal(hand.dones, 0);
    engine_host_rtt(hand.engine, hand.host, &rtt);
    assert_int_equal(rtt.srtt_us, 50 * MS);
    assert_int_equal(rtt.timeout_us, 300 * MS);
    engine_free(hand.engine);
}

static void a_canary_has_as_long_to_be_answered_as_any_other(void **state)
{
    engine_options_t twice = ordinary;
    uint64_t canary_us = 0;
    uint64_t last = 0;
    hand_t hand;

    (void)state;
    twice.tries = 2;
    hand_begin(&hand, &twice, 1);
    engine_host_end(hand.engine, hand.host);
    assert_int_equal(engine_host_add(hand.engine, 1, 1 * MS, &hand, hand.now, &hand.host), 0);
    while (hand.dones < 2) {
        uint64_t next;

        last = hand.now;
        next = hand_run(&hand);
        if (hand.sends == 2 && canary_us == 0)
            canary_us = last;
        hand.now = next == UINT64_MAX ? last : next;
    }
    assert_true(canary_us < BEGIN + 50 * MS); /* it did not wait for the timeout */
    assert_true(last >= canary_us + 100 * MS);
    assert_int_equal(hand.sends, 2);
    engine_free(hand.engine);
}

static void a_new_host_begins_with_the_estimate_of_the_scan(void **state)
{
    engine_host_t *known;
    engine_rtt_t rtt;
    hand_t hand;

    (void)state;
    hand_begin(&hand, &ordinary, 2);
    hand_run(&hand);
    engine_answer(hand.engine, hand.host, 0, 0, false, hand.now + 50 * MS);
    assert_int_equal(engine_host_add(hand.engine, 2, 0, &hand, hand.now, &hand.host), 0);
    engine_host_rtt(hand.engine, hand.host, &rtt);
    assert_int_equal(rtt.srtt_us, 0);
    assert_int_equal(rtt.timeout_us, 150 * MS);
    assert_int_equal(engine_host_add(hand.engine, 2, 80 * MS, &hand, hand.now, &known), 0);
    engine_host_rtt(hand.engine, known, &rtt);
    assert_int_equal(rtt.srtt_us, 0);
    assert_int_equal(rtt.timeout_us, 240 * MS);
    hand.now += 60 * MS; /* what it was told gives way to what is measured */
    hand_run(&hand);
    engine_answer(hand.engine, known, 0, 0, false, hand.now + 2 * MS);
    engine_host_rtt(hand.engine, known, &rtt);
    assert_int_equal(rtt.srtt_us, 2 * MS);
    engine_free(hand.engine);
}

static void the_clock_may_jump(void **state)
{
    hand_t hand;
    unsigned sends;

    (void)state;
    hand_begin(&hand, &ordinary, 1000);
    hand_run(&hand);
    sends = hand.sends;
    hand.now -= 500ull * SECOND;
    assert_true(hand_run(&hand) >= BEGIN);
    assert_int_equal(hand.sends, sends);
    hand.now = BEGIN + 7200ull * SECOND; /* all are due, nothing comes in a burst */
    hand_run(&hand);
    assert_true(hand.sends < sends + 200);
    for (int i = 0; i < 100000 && hand.dones == 0; i++) {
        uint64_t next = hand_run(&hand);

        hand.now = next > hand.now ? next : hand.now + 1;
    }
    assert_int_equal(hand.dones, 1);
    engine_free(hand.engine);
}

/* What is in flight when answers are lost here is asked once more than it would be, and no more. */
static void what_was_missed_does_not_count(void **state)
{
    engine_options_t once = ordinary;
    hand_t hand = {.result = ENGINE_SENT};

    (void)state;
    once.tries = 1;
    hand_begin(&hand, &once, 1);
    hand_run(&hand);
    assert_int_equal(hand.sends, 1);
    engine_missed(hand.engine);
    hand.now += SECOND;
    hand_run(&hand);
    assert_int_equal(hand.sends, 2);
    hand.now += SECOND;
    hand_run(&hand);
    assert_int_equal(hand.sends, 2);
    assert_int_equal(hand.dones, 1);
    engine_missed(hand.engine); /* nothing is left */
    engine_free(hand.engine);
}

/* However often: there is an end to it. */
static void what_is_always_missed_ends(void **state)
{
    hand_t hand = {.result = ENGINE_SENT};

    (void)state;
    hand_begin(&hand, &ordinary, 1);
    for (unsigned i = 0; i < 200 && hand.dones == 0; i++) {
        hand_run(&hand);
        engine_missed(hand.engine);
        hand.now += 60 * SECOND;
    }
    assert_int_equal(hand.dones, 1);
    assert_int_equal(hand.sends, ENGINE_TRIES_MAX);
    engine_free(hand.engine);
}

static int build_up(void *arg)
{
    engine_host_t *host;
    hand_t hand = {.now = BEGIN};
    int err;

    (void)arg;
    err = engine_new(&ordinary, &hand_method, &hand, &hand.engine);
    if (err < 0)
        return err;
    for (int i = 0; i < 3 && err == 0; i++)
        err = engine_host_add(hand.engine, 500, 0, &hand, hand.now, &host);
    for (int i = 0; i < 1000; i++) {
        uint64_t next = hand_run(&hand);

        hand.now = next > hand.now && next < UINT64_MAX ? next : hand.now + 1;
    }
    engine_free(hand.engine);
    return err;
}

static void out_of_memory_only_waits(void **state)
{
    (void)state;
    oom_run(build_up, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(options_that_contradict_are_refused),
        cmocka_unit_test(nothing_to_do_wants_no_call),
        cmocka_unit_test(a_busy_method_is_left_alone_for_a_while),
        cmocka_unit_test(a_probe_that_is_answered_as_it_is_sent_is_done),
        cmocka_unit_test(what_is_settled_before_it_is_sent_never_is),
        cmocka_unit_test(a_host_may_end_and_begin_in_callbacks),
        cmocka_unit_test(engines_may_share_a_rate),
        cmocka_unit_test(engines_may_share_a_window),
        cmocka_unit_test(the_time_of_a_host_may_be_used_up_in_part),
        cmocka_unit_test(answers_that_are_read_late_are_not_lost),
        cmocka_unit_test(what_the_method_sent_again_is_not_measured),
        cmocka_unit_test(odd_answers_are_no_news),
        cmocka_unit_test(round_trips_are_measured_against_their_own_try),
        cmocka_unit_test(a_canary_has_as_long_to_be_answered_as_any_other),
        cmocka_unit_test(a_new_host_begins_with_the_estimate_of_the_scan),
        cmocka_unit_test(the_clock_may_jump),
        cmocka_unit_test(what_was_missed_does_not_count),
        cmocka_unit_test(what_is_always_missed_ends),
        cmocka_unit_test(out_of_memory_only_waits),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
