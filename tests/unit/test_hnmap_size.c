/* One thread. */
/* How large a scan is said to be. */
#include "../../cmd/hnmap/size.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "oom.h"

#include <string.h>

/* A pace that is 1,000 probes a second and nothing else. */
static const engine_options_t plain = {.rtt_initial_us = 1000000,
                                       .rtt_min_us = 100000,
                                       .rtt_max_us = 10000000,
                                       .tries = 4,
                                       .rate_max = 1000};

static size_question_t question(uint64_t addresses, uint64_t pings, uint64_t tcp, uint64_t udp,
                                const engine_options_t *pace)
{
    return (size_question_t){.addresses = addresses,
                             .is_private = true,
                             .what = "packets",
                             .pings = {pings, pace, 4096},
                             .tcp = {tcp, pace, 100},
                             .udp = {udp, pace, 100}};
}

static size_answer_t answer_to(size_question_t q)
{
    size_answer_t answer;

    size_estimate(&q, &answer);
    return answer;
}

static void assert_about(double value, double wanted)
{
    if (value < wanted * 0.999 || value > wanted * 1.001)
        fail_msg("%g, not %g", value, wanted);
}

/* ---- numbers --------------------------------------------------------------------------------- */

static void pings_ports_and_repeats_are_counted(void **state)
{
    size_answer_t both = answer_to(question(100000, 4, 10, 1, &plain));
    size_answer_t pings = answer_to(question(100000, 4, 0, 0, &plain));
    size_answer_t ports = answer_to(question(100000, 0, 10, 0, &plain));

    (void)state;
    assert_about(both.probes, 100000.0 * 15 * 4);
    assert_about(both.fewest_s, 100000 * 4 * 2 / 1000.0 + 2);
    assert_about(both.most_s, 100000 * 15 * 2 / 1000.0 + 6);
    assert_about(pings.probes, 100000.0 * 4 * 4);
    assert_about(pings.most_s, pings.fewest_s);
    assert_about(ports.fewest_s, 100000 * 10 * 2 / 1000.0 + 2); /* -Pn: all are taken for up */
    assert_about(ports.most_s, ports.fewest_s);
}

static void what_is_sent_once_takes_half_the_time(void **state)
{
    engine_options_t once = plain;

    (void)state;
    once.tries = 1;
    assert_about(answer_to(question(100000, 1, 0, 0, &once)).probes, 100000);
    assert_about(answer_to(question(100000, 1, 0, 0, &once)).most_s, 101);
}

static void tries_that_a_limit_may_swallow_are_counted(void **state)
{
    engine_options_t udp = plain;

    (void)state;
    udp.wait_for_limited = true;
    assert_about(answer_to(question(1000, 0, 0, 1, &udp)).probes, 1000.0 * ENGINE_TRIES_MAX);
}

static void rates_delays_and_windows_count(void **state)
{
    engine_options_t pace = plain;

    (void)state;
    pace.rate_max = 0;
    assert_about(answer_to(question(1000000, 1, 0, 0, &pace)).most_s,
                 2e6 / engine_silent_rate(&pace, 4096) + 2);
    assert_true(engine_silent_rate(&pace, 1) < engine_silent_rate(&pace, 4096));
    pace.rate_min = 1e6;
    assert_about(answer_to(question(1000000, 1, 0, 0, &pace)).most_s, 4);
    pace.rate_min = 0;
    pace.window_max = 5; /* of them each waits a second */
    assert_about(answer_to(question(1000000, 1, 0, 0, &pace)).most_s, 400002);
    pace.window_max = 0;
    pace.delay_us = 10000000; /* of each host: 4,096 at once */
    assert_about(answer_to(question(1000000, 1, 0, 0, &pace)).most_s, 2e6 / 409.6 + 2);
    assert_about(answer_to(question(1000000, 0, 1, 0, &pace)).most_s, 2e6 / 10 + 2);
}

static void nothing_takes_no_time(void **state)
{
    size_answer_t none = answer_to(question(0, 4, 10, 1, &plain));

    (void)state;
    assert_true(none.probes == 0 && none.fewest_s == 0 && none.most_s == 0);
}

/* ---- words ----------------------------------------------------------------------------------- */

static void assert_words(size_question_t q, const char *wanted)
{
    hbytes_t text = {0};

    assert_int_equal(size_write(&text, &q), 0);
    assert_string_equal(text.data, wanted);
    hbytes_deinit(&text);
}

static void it_is_told_in_words(void **state)
{
    size_question_t q = question(1, 1, 0, 0, &plain);

    (void)state;
    q.is_private = false;
    assert_words(q, "1 address, not all of private networks: at most 4 packets, about 2 s");
    assert_words(question(131072, 4, 1000, 0, &plain),
                 "131,072 addresses: at most 526.4 million packets, about 18 min if no host is up, "
                 "about 3 days if all are");
    assert_words(question(999999, 0, 1, 0, &plain),
                 "999,999 addresses: at most 4.0 million packets, about 33 min");
    assert_words(question(16777216, 0, 65535, 0, &plain),
                 "16,777,216 addresses: at most 4.4 trillion packets, about 70 years");
}

static void what_is_beyond_64_bits_is_told_too(void **state)
{
    (void)state;
    assert_words(question(UINT64_MAX, 4, 1, 0, &plain),
                 "18,446,744,073,709,551,615 addresses: at most 369.0 quintillion packets, more "
                 "than 1,000 years");
    assert_words(question(UINT64_MAX, 4, 65535, 65535, &plain),
                 "18,446,744,073,709,551,615 addresses: at most 1e+25 packets, more than 1,000 "
                 "years");
}

static int write_it(void *arg)
{
    size_question_t q = question(131072, 4, 1000, 0, &plain);
    hbytes_t text = {0};
    int err = size_write(&text, &q);

    (void)arg;
    hbytes_deinit(&text);
    return err;
}

static void out_of_memory_is_told(void **state)
{
    (void)state;
    oom_run(write_it, NULL);
}

/* ---- addresses ------------------------------------------------------------------------------- */

static bool is_private(const char *text)
{
    haddr_t addr;

    assert_int_equal(haddr_parse(&addr, text, 0), 0);
    return size_is_private(&addr.u.sa);
}

static void private_networks_end_where_they_end(void **state)
{
    static const char *const inside[] = {
        "10.0.0.0",    "10.255.255.255", "127.0.0.1",      "169.254.0.0",     "172.16.0.0",
        "172.31.0.1",  "192.168.255.1",  "100.64.0.0",     "100.127.255.255", "192.0.2.7",
        "198.18.0.0",  "198.19.255.255", "198.51.100.255", "203.0.113.1",     "::1",
        "fe80::1",     "febf::1",        "fc00::",         "fdff::1",         "2001:db8::1",
        "3fff:fff::1", "::ffff:10.1.1.1"};
    static const char *const outside[] = {"9.255.255.255", "11.0.0.0",        "126.255.255.255",
                                          "128.0.0.0",     "169.253.255.255", "169.255.0.0",
                                          "172.15.255.1",  "172.32.0.0",      "192.167.1.1",
                                          "192.169.0.0",   "100.63.255.1",    "100.128.0.0",
                                          "192.0.3.0",     "198.17.1.1",      "198.20.0.0",
                                          "203.0.114.0",   "8.8.8.8",         "::",
                                          "::2",           "fec0::1",         "fb00::1",
                                          "fe00::1",       "2001:db9::",      "2001:db7::",
                                          "3fff:1000::",   "2000::1",         "::ffff:8.8.8.8"};

    (void)state;
    for (size_t i = 0; i < sizeof(inside) / sizeof(inside[0]); i++)
        if (!is_private(inside[i]))
            fail_msg("%s", inside[i]);
    for (size_t i = 0; i < sizeof(outside) / sizeof(outside[0]); i++)
        if (is_private(outside[i]))
            fail_msg("%s", outside[i]);
}

typedef struct walk_case_s {
    const char *words[2], *excluded;
    uint64_t part, parts, skipped, count;
    bool is_private;
    int family;
} walk_case_t;

static void assert_walk(const walk_case_t *c)
{
    targets_t *targets = targets_new(c->family);
    targets_cursor_t cursor;
    bool all_private;

    assert_non_null(targets);
    for (size_t i = 0; i < 2 && c->words[i]; i++)
        assert_int_equal(targets_add(targets, c->words[i]), 0);
    if (c->excluded)
        assert_int_equal(targets_exclude(targets, c->excluded), 0);
    assert_int_equal(targets_ready(targets), 0);
    targets_walk(&cursor, targets, c->part, c->parts, NULL);
    cursor.position = c->skipped;
    if (size_of_walk(&cursor, &all_private) != c->count || all_private != c->is_private)
        fail_msg("%s: %llu, %d", c->words[0],
                 (unsigned long long)size_of_walk(&cursor, &all_private), all_private);
    assert_int_equal(cursor.position, c->skipped); /* it is not used up */
    targets_free(targets);
}

static void a_walk_is_counted(void **state)
{
    static const walk_case_t cases[] = {
        {{"10.0.0.0/16"}, NULL, 0, 1, 0, 65536, true, AF_INET},
        {{"10.0.0.0/15"}, NULL, 0, 1, 0, 131072, true, AF_INET},
        {{"10.0.0.0/15"}, "10.1.0.0/16", 0, 1, 0, 65536, true, AF_INET},
        {{"10.0.0.0/15"}, "10.0.0.0/17", 0, 1, 0, 98304, true, AF_INET},
        {{"10.0.0.0/14"}, NULL, 1, 4, 0, 65536, true, AF_INET},
        {{"10.0.0.0/24", "8.8.8.8"}, NULL, 0, 1, 0, 257, false, AF_INET},
        {{"10.0.0.0/24", "8.8.8.8"}, "8.8.8.0/24", 0, 1, 0, 256, true, AF_INET},
        {{"8.8.8.8", "10.0.0.0/24"}, NULL, 0, 1, 1, 256, true, AF_INET}, /* taken up again */
        {{"10.0.1,3.1-4"}, "10.0.1.2", 0, 1, 0, 7, true, AF_INET},
        {{"fd00::/64"}, NULL, 0, 1, 0, UINT64_MAX, true, AF_INET6},
        {{"fd00::/64"}, NULL, 3, 4, 0, UINT64_MAX / 4, true, AF_INET6},
        {{"2000::/120"}, NULL, 0, 1, 0, 256, false, AF_INET6},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_walk(&cases[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pings_ports_and_repeats_are_counted),
        cmocka_unit_test(what_is_sent_once_takes_half_the_time),
        cmocka_unit_test(tries_that_a_limit_may_swallow_are_counted),
        cmocka_unit_test(rates_delays_and_windows_count),
        cmocka_unit_test(nothing_takes_no_time),
        cmocka_unit_test(it_is_told_in_words),
        cmocka_unit_test(what_is_beyond_64_bits_is_told_too),
        cmocka_unit_test(out_of_memory_is_told),
        cmocka_unit_test(private_networks_end_where_they_end),
        cmocka_unit_test(a_walk_is_counted),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
