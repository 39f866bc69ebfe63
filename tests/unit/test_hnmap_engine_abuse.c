/* One thread. */
/* The engine under calls in any order, from outside and from within callbacks: random, but each
 * run follows from its seed. What must hold: its books agree with each other, no probe is sent too
 * often or after its answer, every host is done exactly once, and it comes to an end. */
#include "../../cmd/hnmap/engine_int.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#define MS 1000u
#define HOSTS 64
#define STEPS 3000

typedef struct abuse_s abuse_t;

typedef struct target_s {
    abuse_t *abuse;
    engine_host_t *host; /* NULL: done */
    uint32_t count;
} target_t;

struct abuse_s {
    engine_options_t options;
    engine_t *engine;
    uint64_t random, now;
    target_t targets[HOSTS];
    unsigned added, dones, hosts_max;
    bool calm; /* no more but answers: it has to end */
    uint64_t sends;
};

static uint64_t random_below(abuse_t *abuse, uint64_t n)
{
    uint64_t x = abuse->random += 0x9e3779b97f4a7c15u;

    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
    x = (x ^ x >> 27) * 0x94d049bb133111ebu;
    return (x ^ x >> 31) % n;
}

static bool one_in(abuse_t *abuse, uint64_t n)
{
    return random_below(abuse, n) == 0;
}

static void add(abuse_t *abuse)
{
    target_t *target = &abuse->targets[abuse->added];

    if (abuse->added == abuse->hosts_max || abuse->calm)
        return;
    target->abuse = abuse;
    target->count = 1 + (uint32_t)random_below(abuse, one_in(abuse, 4) ? 3000 : 20);
    abuse->added++;
    assert_int_equal(engine_host_add(abuse->engine, target->count,
                                     one_in(abuse, 2) ? random_below(abuse, 50 * MS) : 0, target,
                                     abuse->now, &target->host),
                     0);
}

static target_t *any(abuse_t *abuse)
{
    return &abuse->targets[random_below(abuse, HOSTS)];
}

static void answer(abuse_t *abuse)
{
    target_t *target = any(abuse);
    uint32_t probe;
    bool was;

    if (!target->host)
        return;
    probe = (uint32_t)random_below(abuse, target->count + 2);
    was = engine_is_answered(target->host, probe);
    if (one_in(abuse, 8)) {
        assert_true(engine_settle(abuse->engine, target->host, probe, abuse->now) <= !was);
        return;
    }
    if (engine_answer(abuse->engine, target->host, probe, (int)random_below(abuse, 8) - 2,
                      one_in(abuse, 2), abuse->now)) {
        assert_false(was);
        assert_true(engine_is_answered(target->host, probe));
    }
}

static void anything(abuse_t *abuse)
{
    target_t *target = any(abuse);

    switch (random_below(abuse, abuse->calm ? 2 : 40)) {
    case 0:
        engine_ready(abuse->engine);
        break;
    case 2:
    case 3:
        add(abuse);
        break;
    case 4:
        if (target->host && one_in(abuse, 4))
            engine_host_end(abuse->engine, target->host);
        break;
    default:
        answer(abuse);
    }
}

static engine_sent_e send_probe(void *context, engine_host_t *host, uint32_t probe, unsigned try)
{
    abuse_t *abuse = context;
    target_t *target = engine_host_user(host);

    assert_ptr_equal(target->host, host);
    assert_true(probe < target->count);
    assert_false(engine_is_answered(host, probe));
    assert_int_equal(engine_tries(host, probe), try + 1);
    assert_true(try < (abuse->options.wait_for_limited ? ENGINE_TRIES_MAX : abuse->options.tries));
    assert_false(engine_host_timed_out(host));
    abuse->sends++;
    if (one_in(abuse, 8))
        anything(abuse);
    if (one_in(abuse, 16))
        engine_answer(abuse->engine, host, probe, (int)try, one_in(abuse, 2), abuse->now);
    if (one_in(abuse, 10))
        return ENGINE_ANSWERED;
    return one_in(abuse, 50) ? ENGINE_BUSY : ENGINE_SENT;
}

static void done(void *context, engine_host_t *host)
{
    abuse_t *abuse = context;
    target_t *target = engine_host_user(host);

    assert_ptr_equal(target->host, host);
    if (one_in(abuse, 2))
        anything(abuse);
    target->host = NULL;
    abuse->dones++;
}

static const engine_method_t method = {send_probe, done};

/* A probe in flight has one record, whatever was sent before. */
static uint32_t count_records(const engine_host_t *host)
{
    uint32_t n = 0;

    for (uint32_t i = 0; i < host->ring_n; i++) {
        uint32_t probe = host->ring[(host->ring_head + i) & (host->ring_cap - 1)].probe;

        n += probe < host->count && host->state[probe] & ENGINE__IN_FLIGHT;
    }
    return n;
}

/* Each probe that is in flight is counted, at its host and in the scan, and no other. */
static void check_books(abuse_t *abuse)
{
    engine_stats_t stats;
    size_t all = 0;
    size_t hosts = 0;

    for (unsigned i = 0; i < abuse->added; i++) {
        const engine_host_t *host = abuse->targets[i].host;
        uint32_t in_flight = 0;
        uint32_t answered = 0;
        uint32_t canaries = 0;

        if (!host)
            continue;
        hosts++;
        for (uint32_t p = 0; p < host->count; p++) {
            in_flight += (host->state[p] & ENGINE__IN_FLIGHT) != 0;
            canaries += host->state[p] >> 7 && engine_tries(host, p) == host->round + 2u;
            answered += (host->state[p] & ENGINE__ANSWERED) != 0;
        }
        assert_int_equal(host->answered, answered);
        if (!host->ended)
            assert_int_equal(host->flow.in_flight, in_flight);
        assert_true(host->ring_n <= ENGINE_HOST_FLIGHT_MAX && host->ring_seen <= host->ring_n);
        assert_true(host->ended || host->flow.in_flight == count_records(host));
        assert_true(host->ended || host->canaries_out == canaries);
        all += host->flow.in_flight;
    }
    engine_stats(abuse->engine, &stats);
    assert_int_equal(stats.in_flight, all);
    assert_int_equal(stats.hosts, hosts);
    assert_true(stats.done <= stats.probes && stats.work <= (double)stats.probes + 0.001);
    if (abuse->options.window_max)
        assert_true(stats.in_flight <= abuse->options.window_max);
}

static void choose_options(abuse_t *abuse)
{
    engine_options_t *options = &abuse->options;

    options->rtt_min_us = 1 + random_below(abuse, 200 * MS);
    options->rtt_max_us = options->rtt_min_us + random_below(abuse, 2000 * MS);
    options->rtt_initial_us = 1 + random_below(abuse, options->rtt_max_us);
    options->tries = 1 + (unsigned)random_below(abuse, 12);
    options->host_timeout_us = one_in(abuse, 4) ? 1 + random_below(abuse, 20000 * MS) : 0;
    options->delay_us = one_in(abuse, 6) ? random_below(abuse, 20 * MS) : 0;
    options->window_max = one_in(abuse, 4) ? 1 + (unsigned)random_below(abuse, 40) : 0;
    options->rate_max = one_in(abuse, 4) ? 500.0 + (double)random_below(abuse, 5000) : 0;
    options->rate_min = one_in(abuse, 4) ? 1.0 + (double)random_below(abuse, 500) : 0;
    options->wait_for_limited = one_in(abuse, 4);
    options->in_order = one_in(abuse, 3);
    options->seed = abuse->random;
}

static void pass_time(abuse_t *abuse, uint64_t next)
{
    uint64_t kind = random_below(abuse, 100);

    if (kind == 0 && !abuse->calm)
        abuse->now += random_below(abuse, 10000ull * 1000 * MS);
    else if (kind == 1 && !abuse->calm)
        abuse->now -= random_below(abuse, abuse->now);
    else if (kind < 60 && next != UINT64_MAX)
        abuse->now = next > abuse->now ? next : abuse->now;
    else
        abuse->now += random_below(abuse, 5 * MS);
}

static void abuse_engine(uint64_t seed)
{
    abuse_t abuse = {.random = seed, .now = 5000000};

    choose_options(&abuse);
    abuse.hosts_max = 1 + (unsigned)random_below(&abuse, HOSTS);
    assert_int_equal(engine_new(&abuse.options, &method, &abuse, &abuse.engine), 0);
    add(&abuse);
    for (unsigned step = 0; abuse.dones < abuse.added || step < STEPS; step++) {
        uint64_t next = engine_run(abuse.engine, abuse.now);

        abuse.calm = step > STEPS;
        assert_true(step < 3000000);
        assert_true(abuse.dones == abuse.added || next != UINT64_MAX);
        pass_time(&abuse, next);
        anything(&abuse);
        if (step % 64 == 0)
            check_books(&abuse);
        if (one_in(&abuse, 20000)) /* and hosts are left behind */
            break;
    }
    check_books(&abuse);
    engine_free(abuse.engine);
}

static void whatever_is_called_its_books_agree_and_it_ends(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 200; seed++)
        abuse_engine(seed * 7919);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whatever_is_called_its_books_agree_and_it_ends),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
