/* One thread. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "net/hlimit.h"
#include "oom.h"

#define SECOND_US 1000000u
#define START_US (1000u * (uint64_t)SECOND_US)

static hlimit_t *new_limit(hlimit_options_t options)
{
    hlimit_t *limit;

    assert_int_equal(hlimit_new(&options, &limit), 0);
    return limit;
}

static haddr_t address(const char *ip)
{
    haddr_t addr;

    assert_int_equal(haddr_parse(&addr, ip, 4711), 0);
    return addr;
}

static int enter(hlimit_t *limit, const char *ip, uint64_t now_us)
{
    haddr_t addr = address(ip);

    return hlimit_enter(limit, &addr.u.sa, now_us);
}

static void leave(hlimit_t *limit, const char *ip, uint64_t now_us)
{
    haddr_t addr = address(ip);

    hlimit_leave(limit, &addr.u.sa, now_us);
}

static haddr_t number(uint32_t i)
{
    haddr_t addr;

    haddr_loopback(&addr, AF_INET, 1);
    addr.u.sin.sin_addr.s_addr = htonl(0x0a000000u + i);
    return addr;
}

static void without_limits_everyone_may_come(void **state)
{
    hlimit_t *limit = new_limit((hlimit_options_t){0});

    (void)state;
    for (uint32_t i = 0; i < 1000; i++)
        assert_int_equal(enter(limit, "192.0.2.1", START_US), HLIMIT_NONE);
    assert_int_equal(hlimit_connections(limit), 1000);
    assert_int_equal(hlimit_clients(limit), 0);
    hlimit_free(limit);
    hlimit_free(NULL);
}

static void so_many_at_once(void **state)
{
    hlimit_t *limit = new_limit((hlimit_options_t){.connections = 2});

    (void)state;
    assert_int_equal(enter(limit, "192.0.2.1", START_US), HLIMIT_NONE);
    assert_int_equal(enter(limit, "192.0.2.2", START_US), HLIMIT_NONE);
    assert_int_equal(enter(limit, "192.0.2.3", START_US), HLIMIT_CONNECTIONS);
    assert_int_equal(hlimit_enter(limit, NULL, START_US), HLIMIT_CONNECTIONS);
    leave(limit, "192.0.2.1", START_US);
    assert_int_equal(enter(limit, "192.0.2.3", START_US), HLIMIT_NONE);
    hlimit_free(limit);
}

static void so_many_of_one_client(void **state)
{
    hlimit_t *limit = new_limit((hlimit_options_t){.connections_per_client = 2});

    (void)state;
    assert_int_equal(enter(limit, "192.0.2.1", START_US), HLIMIT_NONE);
    assert_int_equal(enter(limit, "::ffff:192.0.2.1", START_US), HLIMIT_NONE);
    assert_int_equal(enter(limit, "192.0.2.1", START_US), HLIMIT_CONNECTIONS_PER_CLIENT);
    assert_int_equal(enter(limit, "192.0.2.2", START_US), HLIMIT_NONE);
    leave(limit, "192.0.2.1", START_US);
    assert_int_equal(enter(limit, "192.0.2.1", START_US), HLIMIT_NONE);
    assert_int_equal(hlimit_connections(limit), 3);
    hlimit_free(limit);
}

static void an_ipv6_client_is_its_network(void **state)
{
    hlimit_t *limit = new_limit((hlimit_options_t){.connections_per_client = 2});

    (void)state;
    assert_int_equal(enter(limit, "2001:db8:0:1::1", START_US), HLIMIT_NONE);
    assert_int_equal(enter(limit, "2001:db8:0:1:ffff::2", START_US), HLIMIT_NONE);
    assert_int_equal(enter(limit, "2001:db8:0:1::3", START_US), HLIMIT_CONNECTIONS_PER_CLIENT);
    assert_int_equal(enter(limit, "2001:db8:0:2::1", START_US), HLIMIT_NONE);
    hlimit_free(limit);
}

static void unix_sockets_are_no_client(void **state)
{
    hlimit_t *limit = new_limit((hlimit_options_t){.connections = 3, .connections_per_client = 1});
    haddr_t addr;

    (void)state;
    assert_int_equal(haddr_unix(&addr, "/somewhere"), 0);
    for (int i = 0; i < 3; i++)
        assert_int_equal(hlimit_enter(limit, &addr.u.sa, START_US), HLIMIT_NONE);
    assert_int_equal(hlimit_enter(limit, &addr.u.sa, START_US), HLIMIT_CONNECTIONS);
    assert_int_equal(hlimit_clients(limit), 0);
    hlimit_leave(limit, &addr.u.sa, START_US);
    assert_int_equal(hlimit_enter(limit, &addr.u.sa, START_US), HLIMIT_NONE);
    hlimit_free(limit);
}

/* Over any span no more than the rate allows, and a second's worth. */
static uint32_t enter_all(hlimit_t *limit, const char *ip, uint64_t from_us, uint64_t to_us)
{
    uint32_t entered = 0;

    for (uint64_t now_us = from_us; now_us < to_us; now_us += 100) {
        if (enter(limit, ip, now_us) == HLIMIT_NONE)
            entered++;
    }
    return entered;
}

static void so_many_a_second(void **state)
{
    static const uint32_t rates[] = {1, 3, 7, 10, 999};

    (void)state;
    for (size_t i = 0; i < sizeof(rates) / sizeof(rates[0]); i++) {
        uint32_t rate = rates[i];
        hlimit_t *limit = new_limit((hlimit_options_t){.rate = rate});

        for (uint32_t n = 0; n < rate; n++)
            assert_int_equal(enter(limit, "192.0.2.1", START_US), HLIMIT_NONE);
        assert_int_equal(enter(limit, "192.0.2.2", START_US), HLIMIT_RATE);
        assert_int_equal(
            enter_all(limit, "192.0.2.1", START_US, START_US + 3 * (uint64_t)SECOND_US + 1000),
            3 * rate);
        /* What is not used piles up to a second's worth. */
        assert_int_equal(enter_all(limit, "192.0.2.1", START_US + 100 * (uint64_t)SECOND_US,
                                   START_US + 101 * (uint64_t)SECOND_US),
                         rate + rate - 1);
        hlimit_free(limit);
    }
}

static void so_many_a_second_of_one_client(void **state)
{
    hlimit_t *limit = new_limit((hlimit_options_t){.rate_per_client = 2});

    (void)state;
    for (int i = 0; i < 2; i++) {
        assert_int_equal(enter(limit, "192.0.2.1", START_US), HLIMIT_NONE);
        leave(limit, "192.0.2.1", START_US);
    }
    assert_int_equal(enter(limit, "192.0.2.1", START_US), HLIMIT_RATE_PER_CLIENT);
    assert_int_equal(enter(limit, "192.0.2.2", START_US), HLIMIT_NONE);
    assert_int_equal(enter(limit, "192.0.2.1", START_US + SECOND_US / 2), HLIMIT_NONE);
    assert_int_equal(enter(limit, "192.0.2.1", START_US + SECOND_US / 2), HLIMIT_RATE_PER_CLIENT);
    hlimit_free(limit);
}

static void what_is_refused_takes_no_token(void **state)
{
    hlimit_t *limit = new_limit((hlimit_options_t){.rate = 2, .connections_per_client = 1});

    (void)state;
    assert_int_equal(enter(limit, "192.0.2.1", START_US), HLIMIT_NONE);
    for (int i = 0; i < 10; i++)
        assert_int_equal(enter(limit, "192.0.2.1", START_US), HLIMIT_CONNECTIONS_PER_CLIENT);
    assert_int_equal(enter(limit, "192.0.2.2", START_US), HLIMIT_NONE);
    assert_int_equal(enter(limit, "192.0.2.3", START_US), HLIMIT_RATE);
    hlimit_free(limit);
}

static void a_client_may_be_told_later(void **state)
{
    hlimit_t *limit = new_limit((hlimit_options_t){.connections = 3, .connections_per_client = 1});
    haddr_t addr = address("192.0.2.1");

    (void)state;
    assert_int_equal(hlimit_enter(limit, NULL, START_US), HLIMIT_NONE);
    assert_int_equal(hlimit_enter(limit, NULL, START_US), HLIMIT_NONE);
    assert_int_equal(hlimit_connections(limit), 2);
    assert_int_equal(hlimit_identify(limit, &addr.u.sa, START_US), HLIMIT_NONE);
    assert_int_equal(hlimit_identify(limit, &addr.u.sa, START_US), HLIMIT_CONNECTIONS_PER_CLIENT);
    hlimit_leave(limit, NULL, START_US);
    assert_int_equal(hlimit_connections(limit), 1);
    assert_int_equal(hlimit_identify(limit, &addr.u.sa, START_US), HLIMIT_CONNECTIONS_PER_CLIENT);
    hlimit_leave(limit, &addr.u.sa, START_US);
    assert_int_equal(enter(limit, "192.0.2.1", START_US), HLIMIT_NONE);
    hlimit_free(limit);
}

static void who_owes_nothing_is_forgotten(void **state)
{
    hlimit_t *limit = new_limit((hlimit_options_t){.rate_per_client = 1});

    (void)state;
    for (uint32_t i = 0; i < 1000; i++) {
        haddr_t addr = number(i);

        assert_int_equal(hlimit_enter(limit, &addr.u.sa, START_US + i), HLIMIT_NONE);
        hlimit_leave(limit, &addr.u.sa, START_US + i);
    }
    assert_int_equal(hlimit_clients(limit), 1000);
    for (uint32_t i = 0; i < 300; i++) {
        haddr_t addr = number(5000 + i);

        assert_int_equal(hlimit_enter(limit, &addr.u.sa, START_US + 2 * SECOND_US), HLIMIT_NONE);
    }
    assert_int_equal(hlimit_clients(limit), 300);
    hlimit_free(limit);
}

static void a_full_table_forgets_the_oldest_idle_one(void **state)
{
    hlimit_t *limit = new_limit((hlimit_options_t){.rate_per_client = 1, .clients_max = 3});

    (void)state;
    assert_int_equal(enter(limit, "192.0.2.1", START_US), HLIMIT_NONE);
    assert_int_equal(enter(limit, "192.0.2.2", START_US), HLIMIT_NONE);
    assert_int_equal(enter(limit, "192.0.2.3", START_US), HLIMIT_NONE);
    assert_int_equal(enter(limit, "192.0.2.4", START_US), HLIMIT_CLIENTS);
    leave(limit, "192.0.2.2", START_US);
    leave(limit, "192.0.2.1", START_US);
    assert_int_equal(enter(limit, "192.0.2.4", START_US), HLIMIT_NONE); /* 2 is forgotten */
    assert_int_equal(hlimit_clients(limit), 3);
    assert_int_equal(enter(limit, "192.0.2.1", START_US), HLIMIT_RATE_PER_CLIENT);
    assert_int_equal(enter(limit, "192.0.2.2", START_US), HLIMIT_NONE); /* 1 is */
    assert_int_equal(enter(limit, "192.0.2.1", START_US), HLIMIT_CLIENTS);
    assert_int_equal(hlimit_clients(limit), 3);
    hlimit_free(limit);
}

static void many_clients_are_found_again(void **state)
{
    hlimit_t *limit = new_limit((hlimit_options_t){.connections_per_client = 1});

    (void)state;
    for (uint32_t i = 0; i < 20000; i++) {
        haddr_t addr = number(i);

        assert_int_equal(hlimit_enter(limit, &addr.u.sa, START_US), HLIMIT_NONE);
    }
    for (uint32_t i = 0; i < 20000; i++) {
        haddr_t addr = number(i);

        assert_int_equal(hlimit_enter(limit, &addr.u.sa, START_US), HLIMIT_CONNECTIONS_PER_CLIENT);
        hlimit_leave(limit, &addr.u.sa, START_US);
        assert_int_equal(hlimit_enter(limit, &addr.u.sa, START_US), HLIMIT_NONE);
    }
    assert_int_equal(hlimit_connections(limit), 20000);
    hlimit_free(limit);
}

static void each_refusal_has_words(void **state)
{
    hlimit_options_t too_many = {.clients_max = HLIMIT_CLIENTS_MAX + 1};
    hlimit_t *limit;

    (void)state;
    assert_string_equal(hlimit_text(HLIMIT_NONE), "");
    for (int i = HLIMIT_CONNECTIONS; i <= HLIMIT_CLIENTS; i++)
        assert_non_null(strstr(hlimit_text(i), "too many"));
    assert_string_equal(hlimit_text(-ENOMEM), herr_str(-ENOMEM));
    assert_int_equal(hlimit_new(&too_many, &limit), -EINVAL);
}

static int come_and_go(void *arg)
{
    hlimit_options_t options = {.connections_per_client = 1};
    hlimit_t *limit;
    int rc = hlimit_new(&options, &limit);

    (void)arg;
    if (rc)
        return rc;
    for (uint32_t i = 0; i < 200 && rc == HLIMIT_NONE; i++) {
        haddr_t addr = number(i);

        rc = hlimit_enter(limit, &addr.u.sa, START_US);
    }
    hlimit_free(limit);
    return rc;
}

static void memory_may_end_at_any_time(void **state)
{
    (void)state;
    oom_run(come_and_go, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_limits_everyone_may_come),
        cmocka_unit_test(so_many_at_once),
        cmocka_unit_test(so_many_of_one_client),
        cmocka_unit_test(an_ipv6_client_is_its_network),
        cmocka_unit_test(unix_sockets_are_no_client),
        cmocka_unit_test(so_many_a_second),
        cmocka_unit_test(so_many_a_second_of_one_client),
        cmocka_unit_test(what_is_refused_takes_no_token),
        cmocka_unit_test(a_client_may_be_told_later),
        cmocka_unit_test(who_owes_nothing_is_forgotten),
        cmocka_unit_test(a_full_table_forgets_the_oldest_idle_one),
        cmocka_unit_test(many_clients_are_found_again),
        cmocka_unit_test(each_refusal_has_words),
        cmocka_unit_test(memory_may_end_at_any_time),
    };

    return cmocka_run_group_tests_name("hlimit", tests, NULL, NULL);
}
