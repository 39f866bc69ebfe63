/* One thread. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "../../cmd/hnmap/plan.h"
#include "oom.h"

#include <sys/socket.h>
#include <unistd.h>

/* ---- pace ------------------------------------------------------------------------------------ */

/* Whatever is given with whatever template: an engine can be made of it. */
static void assert_usable(const engine_options_t *pace)
{
    static const engine_method_t method;
    engine_t *engine = NULL;

    assert_int_equal(engine_new(pace, &method, NULL, &engine), 0);
    engine_free(engine);
}

static engine_options_t pace_of(timing_options_t timing, plan_pace_e what)
{
    const options_t options = {.timing = timing};
    engine_options_t pace = plan_pace(&options, what);

    assert_usable(&pace);
    return pace;
}

static void test_what_is_given_wins_over_any_template(void **state)
{
    (void)state;
    for (unsigned t = 0; t < 6; t++) {
        const timing_options_t plain = {.pace = t, .retries = -1};
        timing_options_t given = plain;

        assert_true(pace_of(plain, PACE_PINGS).tries <= 6);
        assert_true(pace_of(plain, PACE_UDP).wait_for_limited);
        given.rtt_max_ms = 20;
        assert_int_equal(pace_of(given, PACE_TCP).rtt_max_us, 20000);
        given = plain;
        given.rtt_min_ms = 2000;
        assert_int_equal(pace_of(given, PACE_TCP).rtt_min_us, 2000000);
        given = plain;
        given.rtt_initial_ms = 20;
        assert_int_equal(pace_of(given, PACE_TCP).rtt_initial_us, 20000);
        given.rtt_initial_ms = 1000000;
        assert_int_equal(pace_of(given, PACE_TCP).rtt_initial_us, 1000000000);
        given = plain;
        given.delay_ms = 2500;
        assert_int_equal(pace_of(given, PACE_TCP).delay_us, 2500000);
        given = plain;
        given.delay_max_ms = 3;
        assert_int_equal(pace_of(given, PACE_TCP).delay_max_us, 3000);
        given = plain;
        given.window_min = 50;
        assert_int_equal(pace_of(given, PACE_TCP).window_min, 50);
        given = plain;
        given.retries = 0;
        assert_int_equal(pace_of(given, PACE_TCP).tries, 1);
        given.host_timeout_ms = 7;
        assert_int_equal(pace_of(given, PACE_TCP).host_timeout_us, 7000);
    }
}

/* ---- the whole ------------------------------------------------------------------------------- */

typedef struct test_s {
    hloop_t *loop;
    options_t options;
    char *targets[2];
    plan_t plan;
} test_t;

static int set_up(void **state)
{
    static test_t t;

    t = (test_t){.loop = hloop_new(0), .targets = {(char *)"192.0.2.0/30"}};
    assert_non_null(t.loop);
    t.options = (options_t){.target.family = AF_INET,
                            .timing = {.pace = 3, .retries = -1},
                            .names = NAMES_NEVER,
                            .unprivileged = true,
                            .scans = SCAN_CONNECT,
                            .operands = {.items = (void *)t.targets, .count = 1}};
    *state = &t;
    return 0;
}

static int tear_down(void **state)
{
    test_t *t = *state;

    hloop_free(&t->loop);
    return 0;
}

/* A status; the plan is freed. */
static int make(test_t *t)
{
    int status = plan_make(&t->plan, &t->options, t->loop);

    plan_free(&t->plan);
    return status;
}

static bool may_be_raw(test_t *t)
{
    int fd = socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    t->options.unprivileged = fd < 0;
    if (fd >= 0)
        close(fd);
    return fd >= 0;
}

static void test_by_connect(void **state)
{
    test_t *t = *state;

    assert_int_equal(plan_make(&t->plan, &t->options, t->loop), 0);
    assert_false(t->plan.is_raw);
    assert_true(t->plan.by_connect);
    assert_int_equal(t->plan.ping_ports.count, 2);
    assert_int_equal(t->plan.ports.tcp.count, 1000);
    assert_int_equal(t->plan.ports.udp.count, 0);
    assert_int_equal(t->plan.cursor.count, 4);
    assert_string_equal(t->plan.run.infos[0].type, "connect");
    plan_free(&t->plan);
}

/* -sT with the right to send packets: hosts are found by them, and ports are asked by connect. */
static void test_connect_beside_packets(void **state)
{
    test_t *t = *state;

    if (!may_be_raw(t))
        skip();
    t->options.scans = SCAN_CONNECT | SCAN_UDP;
    t->options.pings = PING_ECHO;
    assert_int_equal(plan_make(&t->plan, &t->options, t->loop), 0);
    assert_true(t->plan.is_raw && t->plan.by_connect);
    assert_int_equal(t->plan.ping_count, 1);
    assert_int_equal(t->plan.pings[0].kind, RAW_ECHO);
    assert_true(t->plan.ports.udp.count > 0 && t->plan.ports.tcp.count > 0);
    plan_free(&t->plan);
}

static void test_packets(void **state)
{
    test_t *t = *state;

    if (!may_be_raw(t))
        skip();
    t->options.scans = 0;
    assert_int_equal(plan_make(&t->plan, &t->options, t->loop), 0);
    assert_true(t->plan.is_raw && !t->plan.by_connect);
    assert_int_equal(t->plan.scan->flags, PACKET_SYN);
    assert_int_equal(t->plan.ping_count, 4);
    plan_free(&t->plan);
    t->options.flags = "synfin,0x1";
    assert_int_equal(make(t), 2);
    t->options.flags = "SYN,finURG";
    assert_int_equal(plan_make(&t->plan, &t->options, t->loop), 0);
    assert_int_equal(t->plan.scan->flags, PACKET_SYN | PACKET_FIN | PACKET_URG);
    plan_free(&t->plan);
    t->options.flags = "0x29";
    assert_int_equal(plan_make(&t->plan, &t->options, t->loop), 0);
    assert_int_equal(t->plan.scan->flags, 0x29);
    plan_free(&t->plan);
}

static void test_shards_hold_each_address_once(void **state)
{
    static const char *const shards[] = {"1/3", "2/3", "3/3"};
    test_t *t = *state;
    unsigned seen[4] = {0}, total = 0;

    for (int i = 0; i < 3; i++) {
        target_t target;

        t->options.target.shard = shards[i];
        assert_int_equal(plan_make(&t->plan, &t->options, t->loop), 0);
        while (targets_next(&t->plan.cursor, &target)) {
            seen[ntohl(target.address.u.sin.sin_addr.s_addr) & 3]++;
            total++;
        }
        plan_free(&t->plan);
    }
    assert_int_equal(total, 4);
    for (int i = 0; i < 4; i++)
        assert_int_equal(seen[i], 1);
}

static void test_bad_shards(void **state)
{
    static const char *const shards[] = {"",    "/",    "1",     "0/3", "4/3", "1/0",
                                         "1/x", "-1/3", "1/3/5", "1/",  "/3",  "1/99999999999"};
    test_t *t = *state;

    for (size_t i = 0; i < sizeof(shards) / sizeof(shards[0]); i++) {
        t->options.target.shard = shards[i];
        assert_int_equal(make(t), 2);
    }
}

static void test_a_source_that_is_not_ours(void **state)
{
    test_t *t = *state;

    t->options.source = "192.0.2.77";
    assert_int_equal(make(t), 1);
    t->options.source = "::1";
    assert_int_equal(make(t), 2);
    t->options.source = "x";
    assert_int_equal(make(t), 2);
    t->options.source = "127.0.0.1";
    assert_int_equal(make(t), 0);
    t->options.interface = "nosuch0";
    assert_int_equal(make(t), 1);
    t->options.interface = "lo";
    assert_int_equal(make(t), 0);
}

static int plan_once(void *arg)
{
    return make(arg) == 0 ? 0 : -ENOMEM;
}

static void test_out_of_memory(void **state)
{
    oom_run(plan_once, *state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_given_wins_over_any_template),
        cmocka_unit_test_setup_teardown(test_by_connect, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_connect_beside_packets, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_packets, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_shards_hold_each_address_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_bad_shards, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_source_that_is_not_ours, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_out_of_memory, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
