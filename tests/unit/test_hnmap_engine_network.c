/* One thread. */
/* The engine on networks that lose, delay, queue and limit: how long it takes, by a clock of its
 * own, and that nothing is missed. Every run follows from its seed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "engine_sim.h"

#define MS 1000u

static const engine_options_t ordinary = {
    .rtt_initial_us = 1000 * MS, .rtt_min_us = 100 * MS, .rtt_max_us = 10000 * MS, .tries = 11};
static const engine_options_t arp = {.rtt_initial_us = 100 * MS,
                                     .rtt_min_us = 100 * MS,
                                     .rtt_max_us = 100 * MS,
                                     .tries = 11,
                                     .rate_initial = 10000};

static sim_port_e seven_open(const sim_t *sim, uint32_t host, uint32_t probe)
{
    (void)sim;
    (void)host;
    return probe % 1429 == 5 ? SIM_OPEN : SIM_CLOSED;
}

static sim_port_e all_closed(const sim_t *sim, uint32_t host, uint32_t probe)
{
    (void)sim;
    (void)host;
    (void)probe;
    return SIM_CLOSED;
}

static sim_port_e all_silent(const sim_t *sim, uint32_t host, uint32_t probe)
{
    (void)sim;
    (void)host;
    (void)probe;
    return SIM_SILENT;
}

static sim_port_e one_open(const sim_t *sim, uint32_t host, uint32_t probe)
{
    (void)sim;
    (void)host;
    return probe == 500 ? SIM_OPEN : SIM_SILENT;
}

static sim_port_e tenth_silent(const sim_t *sim, uint32_t host, uint32_t probe)
{
    (void)sim;
    (void)host;
    return probe % 10 == 0 ? SIM_SILENT : SIM_CLOSED;
}

static sim_port_e seventh_up(const sim_t *sim, uint32_t host, uint32_t probe)
{
    (void)sim;
    (void)probe;
    return host % 7 == 3 ? SIM_OPEN : SIM_SILENT;
}

static sim_port_e few_up(const sim_t *sim, uint32_t host, uint32_t probe)
{
    (void)sim;
    (void)probe;
    return host % 1771 == 3 ? SIM_OPEN : SIM_SILENT;
}

/* Hosts of four kinds: open, filtered, with limited resets, and half filtered. */
static sim_port_e mixed(const sim_t *sim, uint32_t host, uint32_t probe)
{
    (void)sim;
    switch (host % 4) {
    case 1:
        return probe % 500 == 77 ? SIM_OPEN : SIM_SILENT;
    case 2:
        return probe % 300 == 5 ? SIM_OPEN : SIM_CLOSED;
    case 3:
        return probe % 2 ? SIM_SILENT : SIM_OPEN;
    default:
        return SIM_OPEN;
    }
}

/* What is scanned, and what came of all seeds together. */
typedef struct run_s {
    sim_network_t network;
    const engine_options_t *options;
    uint32_t hosts, count;
    uint64_t rtt_us; /* that is known */
    uint64_t seeds;
    bool first_ends;
    double mean_s, worst_s, repeats; /* repeats: of first tries, the worst share */
    uint64_t misses, limited, found, hosts_found;
} run_t;

static void add_up(run_t *run, const sim_t *sim, double seconds)
{
    engine_stats_t stats;
    double repeats;

    engine_stats(sim->engine, &stats);
    repeats = (double)stats.repeated / (double)(stats.sent - stats.repeated);
    run->repeats = repeats > run->repeats ? repeats : run->repeats;
    run->worst_s = seconds > run->worst_s ? seconds : run->worst_s;
    run->mean_s += seconds / (double)run->seeds;
    for (uint32_t i = 0; i < sim->hosts_n; i++) {
        run->misses += sim->hosts[i].misses;
        run->limited += sim->hosts[i].limited;
        run->found += sim->hosts[i].found;
        run->hosts_found += sim->hosts[i].found > 0;
    }
    assert_int_equal(stats.hosts, 0);
    assert_int_equal(stats.in_flight, 0);
    assert_int_equal(stats.done, stats.probes);
    assert_true(stats.work > (double)stats.probes - 0.5 && stats.work < (double)stats.probes + 0.5);
}

static void run_all(run_t *run)
{
    run->mean_s = run->worst_s = run->repeats = 0;
    run->misses = run->limited = run->found = run->hosts_found = 0;
    for (uint64_t seed = 1; seed <= run->seeds; seed++) {
        engine_options_t options = *run->options;
        sim_t sim;

        options.seed = seed;
        sim_begin(&sim, &run->network, &options);
        sim.first_ends = run->first_ends;
        for (uint32_t i = 0; i < run->hosts; i++)
            sim_add(&sim, run->count, run->rtt_us);
        add_up(run, &sim, sim_run(&sim, UINT64_MAX));
        sim_end(&sim);
    }
    print_message("           %.3f s, at most %.3f s, %.1f %% repeats\n", run->mean_s, run->worst_s,
                  100 * run->repeats);
}

static void a_near_host_is_done_at_more_than_100000_probes_a_second(void **state)
{
    run_t run = {.network = {.rtt_us = 1 * MS, .port = all_closed},
                 .options = &ordinary,
                 .hosts = 1,
                 .count = 65536,
                 .seeds = 2};

    (void)state;
    run_all(&run);
    assert_int_equal(run.found, 2 * 65536);
    assert_true(run.worst_s < 0.5);
    assert_true(run.repeats == 0);
}

static void nothing_is_missed_where_one_in_a_hundred_is_lost_each_way(void **state)
{
    run_t run = {.network = {.rtt_us = 20 * MS, .loss = 0.01, .port = seven_open},
                 .options = &ordinary,
                 .hosts = 1,
                 .count = 10000,
                 .seeds = 200};

    (void)state;
    run_all(&run);
    assert_int_equal(run.misses, 0);
    assert_true(run.worst_s < 1);
}

static void no_closed_port_is_taken_for_a_silent_one(void **state)
{
    static const double losses[] = {0.01, 0.05};
    run_t run = {.network = {.rtt_us = 300, .port = all_closed},
                 .options = &ordinary,
                 .hosts = 26,
                 .count = 500,
                 .seeds = 50};

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        run.network.loss = losses[i];
        run_all(&run);
        assert_int_equal(run.found, 50 * 26 * 500);
    }
}

static void a_jittery_way_is_no_lossy_one(void **state)
{
    run_t run = {.network = {.rtt_us = 20 * MS, .jitter_us = 30 * MS, .port = seven_open},
                 .options = &ordinary,
                 .hosts = 1,
                 .count = 10000,
                 .seeds = 5};

    (void)state;
    run_all(&run);
    assert_int_equal(run.found, 5 * 10000);
    assert_true(run.worst_s < 1.5);
    assert_true(run.repeats < 0.02);
}

static void a_way_that_loses_much_is_not_taken_for_a_full_one(void **state)
{
    run_t run = {.network = {.rtt_us = 20 * MS, .loss = 0.15, .port = seven_open},
                 .options = &ordinary,
                 .hosts = 1,
                 .count = 10000,
                 .seeds = 20};

    (void)state;
    run_all(&run);
    assert_int_equal(run.misses, 0);
    assert_true(run.mean_s < 4);
}

static void silence_costs_a_short_wait_per_round(void **state)
{
    run_t run = {.network = {.rtt_us = 300, .port = one_open},
                 .options = &ordinary,
                 .hosts = 1,
                 .count = 1000,
                 .rtt_us = 300,
                 .seeds = 20};

    (void)state;
    run_all(&run);
    assert_int_equal(run.misses, 0);
    assert_true(run.worst_s <
                0.5); /* a near way takes more, and one answer tells that it is near */
    assert_true(run.repeats < 1.01);
    run.rtt_us = 0;
    run.network.rtt_us = 20 * MS;
    run_all(&run);
    assert_int_equal(run.misses, 0);
    assert_true(run.worst_s < 2);
}

static void a_round_trip_longer_than_the_timeout_is_learnt(void **state)
{
    run_t run = {.network = {.rtt_us = 1500 * MS, .loss = 0.01, .port = seven_open},
                 .options = &ordinary,
                 .hosts = 1,
                 .count = 1000,
                 .seeds = 20};

    (void)state;
    run_all(&run);
    assert_int_equal(run.misses, 0);
    assert_int_equal(run.found, 20 * 1000);
}

/* Each of 20 runs finds the limit out, and ends in time. */
static void assert_limit_is_found(run_t *run, double seconds)
{
    run_all(run);
    assert_int_equal(run->misses, 0);
    assert_int_equal(run->limited, 20);
    assert_true(run->worst_s < seconds);
}

static void limited_resets_are_found_out_and_not_waited_for(void **state)
{
    run_t run = {
        .network = {.rtt_us = 500, .limit_rate = 100, .limit_burst = 100, .port = seven_open},
        .options = &ordinary,
        .hosts = 1,
        .count = 10000,
        .rtt_us = 500,
        .seeds = 20};

    (void)state;
    assert_limit_is_found(&run, 10);
    run.network.timer_us = 1 * MS;
    assert_limit_is_found(&run, 10);
    run.network.rtt_us = 20 * MS;
    run.network.limit_burst = 5;
    run.rtt_us = 0;
    assert_limit_is_found(&run, 12);
}

static void limited_errors_are_waited_for_where_silence_means_open(void **state)
{
    engine_options_t udp = ordinary;
    run_t run = {.network = {.rtt_us = 500, .limit_rate = 1, .limit_burst = 6, .port = all_closed},
                 .options = &udp,
                 .hosts = 1,
                 .count = 100,
                 .rtt_us = 500,
                 .seeds = 20};

    (void)state;
    udp.wait_for_limited = true;
    run_all(&run);
    assert_int_equal(run.found, 20 * 100);
    assert_int_equal(run.limited, 20);
    assert_true(run.worst_s < 110);

    run.network.port = tenth_silent;
    run_all(&run);
    assert_int_equal(run.found, 20 * 90);
    assert_true(run.worst_s < 180);

    run.network.limit_rate = 0;
    run_all(&run);
    assert_int_equal(run.found, 20 * 90);
    assert_int_equal(run.limited, 0);
    assert_true(run.worst_s < 2);
}

/* Nothing is missed, and the link's loss is not taken for a host's limit. */
static void assert_link_is_full(run_t *run, double seconds, double repeats)
{
    run_all(run);
    assert_int_equal(run->misses, 0);
    assert_int_equal(run->limited, 0);
    assert_true(run->worst_s < seconds);
    assert_true(run->repeats < repeats);
}

static void a_full_link_is_found_and_kept_full(void **state)
{
    run_t run = {
        .network = {.rtt_us = 20 * MS, .link_rate = 2000, .link_queue = 50, .port = seven_open},
        .options = &ordinary,
        .hosts = 1,
        .count = 10000,
        .seeds = 20};

    (void)state;
    assert_link_is_full(&run, 6, 0.2); /* 5 s are needed */
    run.network.rtt_us = 1 * MS;
    assert_link_is_full(&run, 6, 0.2);
}

static void a_very_slow_link_is_not_flooded(void **state)
{
    run_t run = {
        .network = {.rtt_us = 20 * MS, .link_rate = 300, .link_queue = 50, .port = seven_open},
        .options = &ordinary,
        .hosts = 1,
        .count = 10000,
        .seeds = 3};

    (void)state;
    assert_link_is_full(&run, 36, 0.95); /* 33.3 s are needed */
}

static void many_hosts_share_a_full_link(void **state)
{
    run_t run = {
        .network = {.rtt_us = 20 * MS, .link_rate = 2000, .link_queue = 50, .port = seven_open},
        .options = &ordinary,
        .hosts = 37,
        .count = 1000,
        .seeds = 2};

    (void)state;
    run_all(&run);
    assert_int_equal(run.misses, 0);
    assert_int_equal(run.found, 2 * 37000);
    assert_true(run.worst_s < 22); /* 18.5 s are needed */
    assert_true(run.repeats < 0.3);
}

static void a_slow_link_before_silence_costs_no_port(void **state)
{
    run_t run = {.network = {.rtt_us = 10 * MS,
                             .timer_us = 1 * MS,
                             .link_rate = 2000,
                             .link_queue = 50,
                             .port = one_open},
                 .options = &ordinary,
                 .hosts = 1,
                 .count = 10000,
                 .seeds = 50};

    (void)state;
    run_all(&run);
    assert_int_equal(run.misses, 0);
}

static void silence_and_answers_behind_a_full_link_cost_hardly_a_port(void **state)
{
    run_t run = {.network = {.rtt_us = 10 * MS,
                             .timer_us = 1 * MS,
                             .link_rate = 2000,
                             .link_queue = 50,
                             .port = mixed},
                 .options = &ordinary,
                 .hosts = 4,
                 .count = 5000,
                 .seeds = 20};

    (void)state;
    run_all(&run);
    assert_true(run.misses < 20); /* of 150,000 */
}

static void hosts_that_limit_are_told_from_those_beside_them(void **state)
{
    run_t run = {.network = {.rtt_us = 1 * MS,
                             .timer_us = 1 * MS,
                             .limit_rate = 100,
                             .limit_burst = 100,
                             .port = mixed},
                 .options = &ordinary,
                 .hosts = 37,
                 .count = 1000,
                 .seeds = 20};

    (void)state;
    run_all(&run);
    assert_int_equal(run.misses, 0);
    assert_int_equal(run.limited, 20 * 9);
    assert_true(run.worst_s < 3);
}

static void a_link_of_256_addresses_is_done_in_three_timeouts(void **state)
{
    run_t run = {.network = {.rtt_us = 300, .port = seventh_up},
                 .options = &arp,
                 .hosts = 256,
                 .count = 1,
                 .seeds = 20,
                 .first_ends = true};

    (void)state;
    run_all(&run);
    assert_int_equal(run.hosts_found, 20 * 37);
    assert_true(run.worst_s < 0.4);
}

static void and_where_one_in_a_hundred_is_lost_each_way(void **state)
{
    run_t run = {.network = {.rtt_us = 300, .loss = 0.01, .port = seventh_up},
                 .options = &arp,
                 .hosts = 256,
                 .count = 1,
                 .seeds = 1000,
                 .first_ends = true};

    (void)state;
    run_all(&run);
    assert_true(run.hosts_found >= 1000 * 37 - 1);
    assert_true(run.mean_s < 0.4);
    assert_true(run.worst_s < 0.7);
    run.network.loss = 0.05;
    run_all(&run);
    print_message("           %u missed\n", (unsigned)(1000 * 37 - run.hosts_found));
    assert_true(run.hosts_found >= 1000 * 37 - 10);
}

static void dead_hosts_cost_their_tries_alone(void **state)
{
    run_t run = {.network = {.rtt_us = 20 * MS, .port = few_up},
                 .options = &ordinary,
                 .hosts = 65536,
                 .count = 2,
                 .seeds = 1,
                 .first_ends = true};

    (void)state;
    run_all(&run);
    assert_int_equal(run.hosts_found, 38);
    assert_true(run.repeats <= 2);
    assert_true(run.worst_s < 45); /* three tries of 131,072 probes at 10,000 a second */
}

static void hosts_far_away_are_found_among_near_ones(void **state)
{
    engine_options_t options = ordinary;
    sim_t sim;
    sim_network_t network = {.rtt_us = 300, .port = seventh_up};
    uint64_t missed = 0;

    (void)state;
    sim_begin(&sim, &network, &options);
    sim.first_ends = true;
    for (uint32_t i = 0; i < 256; i++)
        sim_add(&sim, 1, 0);
    sim_run(&sim, sim.now + 100 * MS); /* the near ones have answered */
    sim.network.rtt_us = 500 * MS;     /* more than three timeouts */
    for (uint32_t i = 0; i < 256; i++)
        sim_add(&sim, 1, 0);
    sim_run(&sim, UINT64_MAX);
    for (uint32_t i = 0; i < sim.hosts_n; i++)
        missed += i % 7 == 3 && !sim.hosts[i].found;
    assert_int_equal(missed, 0);
    sim_end(&sim);
}

static void silent_hosts_are_given_up(void **state)
{
    run_t run = {.network = {.rtt_us = 500, .port = all_silent},
                 .options = &ordinary,
                 .hosts = 100,
                 .count = 100,
                 .seeds = 2};

    (void)state;
    run_all(&run);
    assert_int_equal(run.found, 0);
    assert_true(run.worst_s < 7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_near_host_is_done_at_more_than_100000_probes_a_second),
        cmocka_unit_test(nothing_is_missed_where_one_in_a_hundred_is_lost_each_way),
        cmocka_unit_test(no_closed_port_is_taken_for_a_silent_one),
        cmocka_unit_test(a_jittery_way_is_no_lossy_one),
        cmocka_unit_test(a_way_that_loses_much_is_not_taken_for_a_full_one),
        cmocka_unit_test(silence_costs_a_short_wait_per_round),
        cmocka_unit_test(a_round_trip_longer_than_the_timeout_is_learnt),
        cmocka_unit_test(limited_resets_are_found_out_and_not_waited_for),
        cmocka_unit_test(limited_errors_are_waited_for_where_silence_means_open),
        cmocka_unit_test(a_full_link_is_found_and_kept_full),
        cmocka_unit_test(a_very_slow_link_is_not_flooded),
        cmocka_unit_test(many_hosts_share_a_full_link),
        cmocka_unit_test(a_slow_link_before_silence_costs_no_port),
        cmocka_unit_test(silence_and_answers_behind_a_full_link_cost_hardly_a_port),
        cmocka_unit_test(hosts_that_limit_are_told_from_those_beside_them),
        cmocka_unit_test(a_link_of_256_addresses_is_done_in_three_timeouts),
        cmocka_unit_test(and_where_one_in_a_hundred_is_lost_each_way),
        cmocka_unit_test(dead_hosts_cost_their_tries_alone),
        cmocka_unit_test(hosts_far_away_are_found_among_near_ones),
        cmocka_unit_test(silent_hosts_are_given_up),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
