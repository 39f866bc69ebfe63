/* The engine's contract: orders and tries, limits of pace, what callbacks may do, odd answers, odd
 * clocks, no memory. How it does on bad networks is test_hnmap_engine_network.c's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "engine_sim.h"
#include "oom.h"

#define MS 1000u
#define BEGIN (1000ull * SIM_SECOND)

static const engine_options_t ordinary = {
    .rtt_initial_us = 1000 * MS, .rtt_min_us = 100 * MS, .rtt_max_us = 10000 * MS, .tries = 4};

/* ---- on the simulated network ----------------------------------------------------------------- */

static sim_port_e all_open(const sim_t *sim, uint32_t host, uint32_t probe)
{
    (void)sim;
    (void)host;
    (void)probe;
    return SIM_OPEN;
}

static sim_port_e all_silent(const sim_t *sim, uint32_t host, uint32_t probe)
{
    (void)sim;
    (void)host;
    (void)probe;
    return SIM_SILENT;
}

static sim_port_e half_silent(const sim_t *sim, uint32_t host, uint32_t probe)
{
    (void)sim;
    (void)host;
    return probe % 2 ? SIM_SILENT : SIM_OPEN;
}

/* What was sent, in order. */
typedef struct log_s {
    uint64_t at_us[40000];
    uint32_t probes[40000];
    uint8_t tries[40000];
    uint32_t n;
} log_t;

static log_t sent_log;

static void note(sim_t *sim, uint32_t host, uint32_t probe, unsigned try)
{
    log_t *log = &sent_log;

    (void)host;
    assert_true(log->n < 40000);
    log->at_us[log->n] = sim->now;
    log->probes[log->n] = probe;
    log->tries[log->n++] = (uint8_t)try;
}

static double run_noted(const engine_options_t *options, const sim_network_t *network,
                        uint32_t count)
{
    double seconds;
    sim_t sim;

    sent_log.n = 0;
    sim_begin(&sim, network, options);
    sim.sent = note;
    sim_add(&sim, count, 0);
    seconds = sim_run(&sim, UINT64_MAX);
    sim_end(&sim);
    return seconds;
}

/* The most that was sent within 100 ms. */
static uint32_t most_within(uint64_t span_us)
{
    uint32_t most = 0;
    uint32_t first = 0;

    for (uint32_t i = 0; i < sent_log.n; i++) {
        while (sent_log.at_us[i] - sent_log.at_us[first] >= span_us)
            first++;
        if (i - first + 1 > most)
            most = i - first + 1;
    }
    return most;
}

static void each_round_sends_every_probe_once_in_an_order_of_its_own(void **state)
{
    const sim_network_t network = {.rtt_us = 1000, .port = all_silent};
    engine_options_t options = ordinary;
    uint32_t first[200];
    uint32_t same = 0;

    (void)state;
    options.rtt_initial_us = options.rtt_min_us; /* shorter than a round: no canaries between */
    run_noted(&options, &network, 200);
    for (unsigned try = 0; try < 3; try++) {
        bool seen[200] = {false};
        uint32_t n = 0;

        for (uint32_t i = 0; i < sent_log.n; i++) {
            if (sent_log.tries[i] != try)
                continue;
            assert_false(seen[sent_log.probes[i]]);
            seen[sent_log.probes[i]] = true;
            if (try == 0)
                first[n] = sent_log.probes[i];
            else
                same += first[n] == sent_log.probes[i];
            n++;
        }
        assert_int_equal(n, 200);
    }
    assert_true(same < 40);
    assert_true(first[0] != 0 || first[1] != 1 || first[2] != 2);
}

static void in_order_means_in_order(void **state)
{
    const sim_network_t network = {.rtt_us = 1000, .port = all_open};
    engine_options_t options = ordinary;

    (void)state;
    options.in_order = true;
    run_noted(&options, &network, 5000);
    assert_int_equal(sent_log.n, 5000);
    for (uint32_t i = 0; i < 5000; i++)
        assert_int_equal(sent_log.probes[i], i);
}

static void the_same_seed_gives_the_same_run(void **state)
{
    const sim_network_t network = {.rtt_us = 1000, .loss = 0.05, .port = half_silent};
    engine_options_t options = ordinary;
    static log_t before;

    (void)state;
    options.seed = 7;
    run_noted(&options, &network, 1000);
    before = sent_log;
    run_noted(&options, &network, 1000);
    assert_memory_equal(&before, &sent_log, sizeof(before));
    options.seed = 8;
    run_noted(&options, &network, 1000);
    assert_memory_not_equal(before.probes, sent_log.probes, sizeof(before.probes));
}

static void a_silent_probe_is_sent_at_least_twice_and_never_more_than_asked(void **state)
{
    const sim_network_t network = {.rtt_us = 1000, .port = all_silent};
    engine_options_t options = ordinary;

    (void)state;
    for (options.tries = 1; options.tries <= 3; options.tries++) {
        run_noted(&options, &network, 300);
        assert_int_equal(sent_log.n, 300 * options.tries);
    }
}

static void rate_max_is_never_passed(void **state)
{
    static const double rates[] = {10, 33, 100, 1000, 7777, 20000};
    const sim_network_t network = {.rtt_us = 1000, .port = half_silent};

    (void)state;
    for (size_t i = 0; i < sizeof(rates) / sizeof(*rates); i++) {
        engine_options_t options = ordinary;
        uint32_t count = rates[i] < 1000 ? 100 : 10000;
        double seconds;

        options.rate_max = rates[i];
        seconds = run_noted(&options, &network, count);
        assert_true(most_within(100 * MS) <= (uint32_t)(rates[i] / 10 + 0.999));
        assert_true(sent_log.n / seconds > rates[i] * (rates[i] < 1000 ? 0.7 : 0.4));
    }
}

static void rate_min_is_kept_whatever_is_lost(void **state)
{
    const sim_network_t network = {
        .rtt_us = 20 * MS, .link_rate = 1000, .link_queue = 20, .port = all_open};
    engine_options_t options = ordinary;

    (void)state;
    options.rate_min = 5000;
    options.tries = 1;
    assert_true(run_noted(&options, &network, 10000) < 3.2); /* 2 s, and a timeout */
    assert_int_equal(sent_log.n, 10000);
}

static void the_window_of_the_scan_is_kept(void **state)
{
    const sim_network_t network = {.rtt_us = 20 * MS, .port = half_silent};
    engine_options_t options = ordinary;
    sim_t sim;

    (void)state;
    for (options.window_max = 1; options.window_max <= 30; options.window_max += 29) {
        sim_begin(&sim, &network, &options);
        for (uint32_t i = 0; i < 5; i++)
            sim_add(&sim, 20, 0);
        sim_run(&sim, UINT64_MAX);
        assert_int_equal(sim.in_flight_most, options.window_max);
        sim_end(&sim);
    }
    options.window_max = 0;
    options.window_min = 500;
    sim_begin(&sim, &network, &options);
    sim_add(&sim, 2000, 0);
    engine_run(sim.engine, sim.now);
    assert_true(engine_run(sim.engine, sim.now) > sim.now);
    sim_run(&sim, sim.now + 1);
    assert_true(sim.in_flight_most >= 500);
    sim_end(&sim);
}

static void a_delay_between_the_probes_of_a_host_is_kept(void **state)
{
    const sim_network_t network = {.rtt_us = 20 * MS, .port = half_silent};
    engine_options_t options = ordinary;

    (void)state;
    options.delay_us = 400 * MS;
    run_noted(&options, &network, 10);
    for (uint32_t i = 1; i < sent_log.n; i++)
        assert_true(sent_log.at_us[i] - sent_log.at_us[i - 1] >= 400 * MS);
}

static void a_host_is_given_up_when_its_time_is_over(void **state)
{
    const sim_network_t network = {.rtt_us = 20 * MS, .port = half_silent};
    engine_options_t options = ordinary;
    sim_host_t *host;
    sim_t sim;

    (void)state;
    options.host_timeout_us = 300 * MS;
    sim_begin(&sim, &network, &options);
    host = sim_add(&sim, 10000, 0);
    assert_true(sim_run(&sim, UINT64_MAX) < 0.31);
    assert_true(host->timed_out);
    assert_true(host->done_us >= BEGIN + 300 * MS);
    assert_true(host->found > 0);
    sim_end(&sim);
}

static void answers_that_do_not_tell_their_try_do(void **state)
{
    const sim_network_t network = {.rtt_us = 20 * MS, .loss = 0.05, .port = all_open};
    sim_host_t *host;
    sim_t sim;

    (void)state;
    sim_begin(&sim, &network, &ordinary);
    sim.no_tries = true;
    host = sim_add(&sim, 3000, 0);
    sim_run(&sim, UINT64_MAX);
    assert_true(host->misses < 3);
    sim_end(&sim);
}

/* ---- by hand ---------------------------------------------------------------------------------- */

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
    assert_int_equal(rtt.srtt_us, 80 * MS);
    assert_int_equal(rtt.timeout_us, 240 * MS);
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
    hand.now -= 500ull * SIM_SECOND;
    assert_true(hand_run(&hand) >= BEGIN);
    assert_int_equal(hand.sends, sends);
    hand.now = BEGIN + 7200ull * SIM_SECOND; /* all are due, nothing comes in a burst */
    hand_run(&hand);
    assert_true(hand.sends < sends + 200);
    for (int i = 0; i < 100000 && hand.dones == 0; i++) {
        uint64_t next = hand_run(&hand);

        hand.now = next > hand.now ? next : hand.now + 1;
    }
    assert_int_equal(hand.dones, 1);
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
        cmocka_unit_test(each_round_sends_every_probe_once_in_an_order_of_its_own),
        cmocka_unit_test(in_order_means_in_order),
        cmocka_unit_test(the_same_seed_gives_the_same_run),
        cmocka_unit_test(a_silent_probe_is_sent_at_least_twice_and_never_more_than_asked),
        cmocka_unit_test(rate_max_is_never_passed),
        cmocka_unit_test(rate_min_is_kept_whatever_is_lost),
        cmocka_unit_test(the_window_of_the_scan_is_kept),
        cmocka_unit_test(a_delay_between_the_probes_of_a_host_is_kept),
        cmocka_unit_test(a_host_is_given_up_when_its_time_is_over),
        cmocka_unit_test(answers_that_do_not_tell_their_try_do),
        cmocka_unit_test(options_that_contradict_are_refused),
        cmocka_unit_test(nothing_to_do_wants_no_call),
        cmocka_unit_test(a_busy_method_is_left_alone_for_a_while),
        cmocka_unit_test(a_probe_that_is_answered_as_it_is_sent_is_done),
        cmocka_unit_test(a_host_may_end_and_begin_in_callbacks),
        cmocka_unit_test(odd_answers_are_no_news),
        cmocka_unit_test(round_trips_are_measured_against_their_own_try),
        cmocka_unit_test(a_canary_has_as_long_to_be_answered_as_any_other),
        cmocka_unit_test(a_new_host_begins_with_the_estimate_of_the_scan),
        cmocka_unit_test(the_clock_may_jump),
        cmocka_unit_test(out_of_memory_only_waits),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
