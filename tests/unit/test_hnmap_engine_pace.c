/* One thread. */
/* What the engine sends when, under the limits that it is given: orders, tries, rates, windows,
 * delays, times. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "engine_sim.h"

#define MS 1000u
#define BEGIN (1000ull * SIM_SECOND)

static const engine_options_t ordinary = {
    .rtt_initial_us = 1000 * MS, .rtt_min_us = 100 * MS, .rtt_max_us = 10000 * MS, .tries = 4};

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
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
