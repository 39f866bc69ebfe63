/* One thread. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/herr.h"
#include "net/hbalance.h"

#define ARRAY_LENGTH(a) (sizeof(a) / sizeof((a)[0]))
#define MANY 1000
#define SOURCES 20000

static const heject_options_t eject = {.failures = 3, .out_ms = 1000, .out_max_ms = 2500};

/* Candidates in, of these weights. */
static void set(hbalance_candidate_t *c, size_t count, const uint32_t *weights)
{
    memset(c, 0, count * sizeof(*c));
    for (size_t i = 0; i < count; i++) {
        char name[32];

        snprintf(name, sizeof(name), "10.0.0.%zu:80", i);
        c[i].weight = weights ? weights[i] : 1;
        c[i].hash = hbalance_hash(name, strlen(name));
    }
}

/* The turns taken, as letters. */
static const char *turns(hbalance_candidate_t *c, size_t count, size_t n)
{
    static char text[64];

    assert_true(n < sizeof(text));
    for (size_t i = 0; i < n; i++)
        text[i] = (char)('A' + hbalance_pick(HBALANCE_ROUND_ROBIN, 0, c, count));
    text[n] = '\0';
    return text;
}

/* ---- picking --------------------------------------------------------------------------------- */

static void round_robin_is_smooth(void **state)
{
    hbalance_candidate_t c[3];

    (void)state;
    set(c, 3, NULL);
    assert_string_equal(turns(c, 3, 9), "ABCABCABC");
    set(c, 3, (const uint32_t[]){5, 1, 1});
    assert_string_equal(turns(c, 3, 14), "AABACAAAABACAA");
    set(c, 1, (const uint32_t[]){HBALANCE_WEIGHT_MAX});
    assert_string_equal(turns(c, 1, 3), "AAA");
}

static void nobody_is_no_candidate(void **state)
{
    hbalance_candidate_t c[2];

    (void)state;
    for (int method = HBALANCE_ROUND_ROBIN; method <= HBALANCE_SOURCE_HASH; method++) {
        assert_int_equal(hbalance_pick(method, 7, NULL, 0), -ENOENT);
        set(c, 2, NULL);
        c[0].state = HBALANCE_OUT;
        c[1].tried = true;
        assert_int_equal(hbalance_pick(method, 7, c, 2), -ENOENT);
    }
}

/* Every combination of state, tried and level of three candidates: who takes part is decided by the
 * rules alone, whatever the method. */
static void who_may_be_picked(void **state)
{
    (void)state;
    for (unsigned code = 0; code < 12 * 12 * 12; code++) {
        hbalance_candidate_t c[3];
        int rank[3], best = 1000;

        set(c, 3, NULL);
        for (unsigned i = 0, rest = code; i < 3; i++, rest /= 12) {
            c[i].state = (hbalance_state_e)(rest % 3);
            c[i].tried = rest / 3 % 2;
            c[i].level = rest / 6 % 2;
            rank[i] = c[i].tried || c[i].state == HBALANCE_OUT ? 1000
                                                               : (int)(c[i].state * 2 + c[i].level);
            best = rank[i] < best ? rank[i] : best;
        }
        for (int method = HBALANCE_ROUND_ROBIN; method <= HBALANCE_SOURCE_HASH; method++) {
            int picked = hbalance_pick(method, code + 1, c, 3);

            if (best == 1000)
                assert_int_equal(picked, -ENOENT);
            else
                assert_int_equal(rank[picked], best);
        }
    }
}

static void least_connections_go_by_weight(void **state)
{
    hbalance_candidate_t c[3];
    int picked[3] = {0};

    (void)state;
    set(c, 3, (const uint32_t[]){1, 2, 1});
    c[0].active = 1;
    c[1].active = 3;
    c[2].active = 2;
    assert_int_equal(hbalance_pick(HBALANCE_LEAST_CONNECTIONS, 0, c, 3), 0);
    c[0].active = 4;
    assert_int_equal(hbalance_pick(HBALANCE_LEAST_CONNECTIONS, 0, c, 3), 1);
    c[1].tried = true;
    assert_int_equal(hbalance_pick(HBALANCE_LEAST_CONNECTIONS, 0, c, 3), 2);
    set(c, 3, (const uint32_t[]){1, 2, 1});
    for (int i = 0; i < 400; i++) { /* that stay: each has its share */
        int n = hbalance_pick(HBALANCE_LEAST_CONNECTIONS, 0, c, 3);

        c[n].active++;
        picked[n]++;
    }
    assert_int_equal(picked[0], 100);
    assert_int_equal(picked[1], 200);
    assert_int_equal(picked[2], 100);
    set(c, 3, NULL); /* that end at once: in turn, not always the first */
    for (int i = 0; i < 6; i++)
        assert_int_equal(hbalance_pick(HBALANCE_LEAST_CONNECTIONS, 0, c, 3), i % 3);
}

static void a_source_has_its_candidate(void **state)
{
    hbalance_candidate_t c[10];
    uint32_t weights[10] = {1, 1, 1, 1, 1, 1, 1, 1, 1, 3};
    int before[SOURCES], shares[10] = {0}, moved = 0;

    (void)state;
    set(c, 10, weights);
    for (uint64_t i = 0; i < SOURCES; i++) {
        uint64_t source = hbalance_hash(&i, sizeof(i));

        before[i] = hbalance_pick(HBALANCE_SOURCE_HASH, source, c, 10);
        assert_int_equal(hbalance_pick(HBALANCE_SOURCE_HASH, source, c, 10), before[i]);
        shares[before[i]]++;
    }
    for (int i = 0; i < 10; i++) /* 12 weights in all; five standard deviations */
        assert_in_range(shares[i], SOURCES * weights[i] / 12 - 350,
                        SOURCES * weights[i] / 12 + 350);
    c[4].state = HBALANCE_OUT;
    for (uint64_t i = 0; i < SOURCES; i++) {
        uint64_t source = hbalance_hash(&i, sizeof(i));
        int now = hbalance_pick(HBALANCE_SOURCE_HASH, source, c, 10);

        if (before[i] != 4)
            assert_int_equal(now, before[i]);
        else
            assert_int_not_equal(now, 4);
        moved += now != before[i];
    }
    assert_int_equal(moved, shares[4]);
    c[4].state = HBALANCE_IN;
    for (uint64_t i = 0; i < SOURCES; i++) /* in another order of the candidates, too */
        assert_int_equal(hbalance_pick(HBALANCE_SOURCE_HASH, hbalance_hash(&i, sizeof(i)), c, 10),
                         before[i]);
}

static void one_more_candidate_takes_only_its_share(void **state)
{
    hbalance_candidate_t c[10];
    int taken = 0;

    (void)state;
    set(c, 10, NULL);
    for (uint64_t i = 0; i < SOURCES; i++) {
        uint64_t source = hbalance_hash(&i, sizeof(i));
        int before = hbalance_pick(HBALANCE_SOURCE_HASH, source, c, 9);
        int now = hbalance_pick(HBALANCE_SOURCE_HASH, source, c, 10);

        assert_true(now == before || now == 9);
        taken += now == 9;
    }
    assert_in_range(taken, SOURCES / 10 - 350, SOURCES / 10 + 350);
}

static void a_client_without_a_source_gets_its_turn(void **state)
{
    hbalance_candidate_t c[3];

    (void)state;
    set(c, 3, NULL);
    for (int i = 0; i < 6; i++)
        assert_int_equal(hbalance_pick(HBALANCE_SOURCE_HASH, 0, c, 3), i % 3);
}

static void a_hash_is_never_0_and_known(void **state)
{
    (void)state;
    assert_true(hbalance_hash("", 0) != 0);
    assert_true(hbalance_hash("a", 1) != hbalance_hash("b", 1));
    assert_true(hbalance_hash("a", 1) == hbalance_hash("a", 1));
}

/* ---- failures -------------------------------------------------------------------------------- */

static void failures_in_a_row_eject(void **state)
{
    heject_t s = {0};

    (void)state;
    assert_int_equal(sizeof(s), sizeof(uint64_t));
    for (int i = 0; i < 10; i++) { /* two of three, then a success */
        assert_false(heject_failed(&s, &eject, 100));
        assert_false(heject_failed(&s, &eject, 100));
        assert_true(heject_is_open(&s, 100));
        assert_false(heject_succeeded(&s));
    }
    assert_false(heject_failed(&s, &eject, 100));
    assert_false(heject_failed(&s, &eject, 100));
    assert_true(heject_failed(&s, &eject, 100));
    assert_false(heject_is_open(&s, 100));
    assert_false(heject_is_open(&s, 1099));
    assert_true(heject_is_open(&s, 1100));
    assert_false(heject_failed(&s, &eject, 500)); /* one that had begun before */
    assert_true(heject_is_open(&s, 1100));
    assert_int_equal(s.times, 1);
}

static void one_trial_at_a_time(void **state)
{
    heject_t s = {0};

    (void)state;
    for (int i = 0; i < 3; i++)
        heject_failed(&s, &eject, 0);
    assert_false(heject_try(&s, &eject, 999));
    assert_true(heject_try(&s, &eject, 1000));
    assert_false(heject_is_open(&s, 1500)); /* for all others */
    assert_false(heject_try(&s, &eject, 1500));
    assert_true(heject_is_open(&s, 2000)); /* its end was never told */
    assert_true(heject_try(&s, &eject, 2000));
    assert_true(heject_succeeded(&s));
    assert_int_equal(memcmp(&s, &(heject_t){0}, sizeof(s)), 0);
    assert_false(heject_try(&s, &eject, 5000)); /* no trial is needed */
}

static void each_trial_that_fails_costs_more(void **state)
{
    static const uint64_t out[] = {1000, 2000, 2500, 2500, 2500};
    uint64_t now = 0;
    heject_t s = {0};

    (void)state;
    for (int i = 0; i < 2; i++)
        heject_failed(&s, &eject, now);
    for (size_t i = 0; i < ARRAY_LENGTH(out); i++) {
        assert_true(heject_failed(&s, &eject, now));
        assert_false(heject_is_open(&s, now + out[i] - 1));
        now += out[i];
        assert_true(heject_is_open(&s, now));
        assert_true(heject_try(&s, &eject, now));
    }
    for (int i = 0; i < MANY; i++) { /* the count of times saturates */
        assert_true(heject_failed(&s, &eject, now));
        now += 2500;
        assert_true(heject_try(&s, &eject, now));
    }
    assert_true(heject_succeeded(&s));
}

static void ejection_may_be_off(void **state)
{
    static const heject_options_t off = {0};
    static const heject_options_t most = {.failures = HEJECT_FAILURES_MAX, .out_ms = UINT32_MAX};
    heject_t s = {0};

    (void)state;
    for (int i = 0; i < MANY; i++)
        assert_false(heject_failed(&s, &off, 1));
    assert_true(heject_is_open(&s, 1));
    for (int i = 1; i < HEJECT_FAILURES_MAX; i++)
        assert_false(heject_failed(&s, &most, 1));
    assert_true(heject_failed(&s, &most, (1ULL << 40) - 2)); /* the end of time */
    assert_false(heject_is_open(&s, (1ULL << 40) - 2));
}

/* ---- checks ---------------------------------------------------------------------------------- */

/* The states after each result of "+-+...", as letters. */
static const char *course(const char *results, unsigned rise, unsigned fall)
{
    static char text[64];
    hhealth_t health = {0};
    size_t i;

    for (i = 0; results[i]; i++) {
        uint16_t before = health.state;
        bool changed = hhealth_result(&health, results[i] == '+', rise, fall);

        assert_int_equal(changed, health.state != before);
        text[i] = "?ud"[health.state];
    }
    text[i] = '\0';
    return text;
}

static void checks_rise_and_fall(void **state)
{
    (void)state;
    assert_int_equal(sizeof(hhealth_t), sizeof(uint32_t));
    assert_string_equal(course("+", 2, 3), "u");
    assert_string_equal(course("-", 2, 3), "d"); /* the first one says it */
    assert_string_equal(course("+--+---", 2, 3), "uuuuuud");
    assert_string_equal(course("-+-++-++", 2, 3), "dddduuuu");
    assert_string_equal(course("+-+-", 1, 1), "udud");
    assert_string_equal(course("+-+-", 0, 0), "udud");
}

static void a_long_run_does_not_overflow(void **state)
{
    hhealth_t health = {.state = HHEALTH_UP};

    (void)state;
    for (unsigned i = 0; i < HHEALTH_RUN_MAX - 1; i++)
        assert_false(hhealth_result(&health, false, 1, HHEALTH_RUN_MAX));
    assert_true(hhealth_result(&health, false, 1, HHEALTH_RUN_MAX));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(round_robin_is_smooth),
        cmocka_unit_test(nobody_is_no_candidate),
        cmocka_unit_test(who_may_be_picked),
        cmocka_unit_test(least_connections_go_by_weight),
        cmocka_unit_test(a_source_has_its_candidate),
        cmocka_unit_test(one_more_candidate_takes_only_its_share),
        cmocka_unit_test(a_client_without_a_source_gets_its_turn),
        cmocka_unit_test(a_hash_is_never_0_and_known),
        cmocka_unit_test(failures_in_a_row_eject),
        cmocka_unit_test(one_trial_at_a_time),
        cmocka_unit_test(each_trial_that_fails_costs_more),
        cmocka_unit_test(ejection_may_be_off),
        cmocka_unit_test(checks_rise_and_fall),
        cmocka_unit_test(a_long_run_does_not_overflow),
    };

    return cmocka_run_group_tests_name("hbalance", tests, NULL, NULL);
}
