/* One thread. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "hdial_fixture.h"

/* ---- tests ----------------------------------------------------------------------------------- */

static void numbers_connect_without_a_resolver(void **state)
{
    world_t w;
    result_t r;

    (void)state;
    begin(&w);
    assert_int_equal(listen(w.v4, 16), 0);
    dial_to(&w, "127.0.0.1", &r);
    assert_int_equal(r.err, 0);
    assert_string_equal(r.addr, with_port(&w, "127.0.0.1"));
    assert_true(r.times.connected_us > 0);
    dial_to(&w, "", &r);
    assert_int_equal(r.err, 0);
    w.options.numeric = true;
    dial_to(&w, "127.0.0.1", &r);
    assert_int_equal(r.err, 0);
    dial_to(&w, "v4.test", &r);
    assert_int_equal(r.err, HERR_RESOLVE);
    assert_int_equal(r.step, HDIAL_STEP_RESOLVE);
    assert_string_equal(r.error, "cannot resolve v4.test: not an address in numbers");
    assert_int_equal(w.server.asked, 0);
    end(&w);
}

static void the_connection_works_and_is_the_callers(void **state)
{
    world_t w;
    result_t r;
    seen_t seen;
    int peer;

    (void)state;
    begin(&w);
    assert_int_equal(listen(w.v4, 16), 0);
    start(&w, "v4.test", &r, NULL);
    RUN_UNTIL(w.loop, r.calls > 0);
    assert_int_equal(r.err, 0);
    observe(r.io, &seen);
    hio_read(r.io);
    peer = accept(w.v4, NULL, NULL);
    assert_int_equal(write(peer, "x", 1), 1);
    RUN_UNTIL(w.loop, seen.got == 1);
    close(peer);
    RUN_UNTIL(w.loop, seen.closes == 1);
    assert_int_equal(seen.connects, 0);
    assert_int_equal(seen.error, 0);
    end(&w);
}

static void ipv6_comes_first(void **state)
{
    world_t w;
    result_t r;

    (void)state;
    begin(&w);
    assert_int_equal(listen(w.v4, 16), 0);
    assert_int_equal(listen(w.v6, 16), 0);
    dial_to(&w, "both.test", &r);
    assert_int_equal(r.err, 0);
    assert_string_equal(r.addr, with_port(&w, "[::1]"));
    assert_int_equal(w.server.asked_a, 1);
    assert_int_equal(w.server.asked_aaaa, 1);
    w.options.family = AF_INET;
    dial_to(&w, "both.test", &r);
    assert_string_equal(r.addr, with_port(&w, "127.0.0.1"));
    end(&w);
}

static void a_refused_address_leads_to_the_next_at_once(void **state)
{
    world_t w;
    result_t r;

    (void)state;
    begin(&w);
    w.options.attempt_delay_ms = 20000; /* longer than the test may take */
    assert_int_equal(listen(w.v4, 16), 0);
    dial_to(&w, "both.test", &r);
    assert_int_equal(r.err, 0);
    assert_string_equal(r.addr, with_port(&w, "127.0.0.1"));
    assert_int_equal(r.attempts, 1);
    assert_string_equal(r.error, "");
    end(&w);
}

static void a_silent_address_does_not_keep_the_next_from_being_tried(void **state)
{
    world_t w;
    result_t r;

    (void)state;
    begin(&w);
    w.options.attempt_delay_ms = 20;
    make_silent(&w, w.v6);
    assert_int_equal(listen(w.v4, 16), 0);
    dial_to(&w, "both.test", &r);
    assert_int_equal(r.err, 0);
    assert_string_equal(r.addr, with_port(&w, "127.0.0.1"));
    assert_int_equal(r.tried, 2);
    assert_int_equal(r.attempts, 0);
    end(&w);
}

static void one_after_another_when_asked_for(void **state)
{
    world_t w;
    result_t r;

    (void)state;
    begin(&w);
    w.options.attempt_delay_ms = -1;
    w.options.address_timeout_ms = 500;
    make_silent(&w, w.v6);
    assert_int_equal(listen(w.v4, 16), 0);
    dial_to(&w, "both.test", &r);
    assert_int_equal(r.err, 0);
    assert_int_equal(r.attempts, 1);
    end(&w);
}

static void ipv4_does_not_wait_long_for_the_ipv6_answer(void **state)
{
    world_t w;
    result_t r;

    (void)state;
    begin(&w);
    assert_int_equal(listen(w.v4, 16), 0);
    dial_to(&w, "slow6.test", &r);
    assert_int_equal(r.err, 0);
    assert_string_equal(r.addr, with_port(&w, "127.0.0.1"));
    assert_true(r.times.resolved_us >= HDIAL_RESOLUTION_DELAY_MS * 1000);
    end(&w);
}

static void every_address_is_told_with_its_reason(void **state)
{
    world_t w;
    result_t r;
    char expected[200];

    (void)state;
    begin(&w);
    dial_to(&w, "both.test", &r);
    assert_int_equal(r.err, -ECONNREFUSED);
    assert_int_equal(r.step, HDIAL_STEP_CONNECT);
    assert_int_equal(r.attempts, 2);
    snprintf(expected, sizeof(expected),
             "connect to both.test port %u: Connection refused (::1), "
             "Connection refused (127.0.0.1)",
             w.port);
    assert_string_equal(r.error, expected);
    end(&w);
}

static void the_families_take_turns(void **state)
{
    static const int expected[8] = {AF_INET6, AF_INET, AF_INET6, AF_INET,
                                    AF_INET6, AF_INET, AF_INET6, AF_INET};
    world_t w;
    result_t r;

    (void)state;
    begin(&w);
    w.options.attempt_delay_ms = -1;
    dial_to(&w, "many.test", &r); /* from now on both answers come at the same time */
    dial_to(&w, "many.test", &r);
    assert_int_equal(r.attempts, 128);
    assert_memory_equal(r.families, expected, sizeof(expected));
    end(&w);
}

static void very_many_addresses_still_make_one_line(void **state)
{
    world_t w;
    result_t r;

    (void)state;
    begin(&w);
    w.options.family = AF_INET;
    dial_to(&w, "many.test", &r);
    assert_int_equal(r.err, -ECONNREFUSED);
    assert_int_equal(r.attempts, 64);
    assert_non_null(strstr(r.error, ") and "));
    assert_string_equal(r.error + strlen(r.error) - 5, " more");
    end(&w);
}

static void what_does_not_resolve_says_why(void **state)
{
    world_t w;
    result_t r;

    (void)state;
    begin(&w);
    dial_to(&w, "nx.test", &r);
    assert_int_equal(r.err, HERR_RESOLVE);
    assert_int_equal(r.step, HDIAL_STEP_RESOLVE);
    assert_string_equal(r.error, "cannot resolve nx.test: no such name");
    dial_to(&w, "a..b", &r);
    assert_int_equal(r.err, HERR_SYNTAX);
    w.options.dns = NULL; /* one of its own, which goes with it */
    dial_to(&w, "a..b", &r);
    assert_int_equal(r.err, HERR_SYNTAX);
    w.options.dns = w.dns;
    w.options.timeout_ms = 40;
    dial_to(&w, "silent.test", &r);
    assert_int_equal(r.err, -ETIMEDOUT);
    assert_int_equal(r.step, HDIAL_STEP_RESOLVE);
    assert_string_equal(r.error, "cannot resolve silent.test: no answer in time");
    end(&w);
}

static void the_whole_time_limit_names_who_has_not_answered(void **state)
{
    world_t w;
    result_t r;
    char expected[200];

    (void)state;
    begin(&w);
    w.options.timeout_ms = 600;
    w.options.attempt_delay_ms = 10;
    make_silent(&w, w.v6);
    dial_to(&w, "both.test", &r);
    assert_int_equal(r.err, -ETIMEDOUT);
    snprintf(expected, sizeof(expected),
             "connect to both.test port %u: Connection refused (127.0.0.1), "
             "Connection timed out (::1)",
             w.port);
    assert_string_equal(r.error, expected);
    end(&w);
}

static void the_source_address_decides_the_family(void **state)
{
    world_t w;
    result_t r;
    haddr_t source;

    (void)state;
    begin(&w);
    assert_int_equal(listen(w.v4, 16), 0);
    assert_int_equal(listen(w.v6, 16), 0);
    haddr_parse(&source, "127.0.0.7", 0);
    w.options.socket.source = &source;
    dial_to(&w, "both.test", &r);
    assert_int_equal(r.err, 0);
    assert_int_equal(w.server.asked_aaaa, 0);
    dial_to(&w, "::1", &r);
    assert_int_equal(r.err, HERR_RESOLVE);
    end(&w);
}

static void addresses_that_are_given_are_tried_in_their_order(void **state)
{
    world_t w;
    result_t r;
    haddr_t addrs[2];

    (void)state;
    begin(&w);
    assert_int_equal(listen(w.v6, 16), 0);
    haddr_loopback(&addrs[0], AF_INET, w.port);
    haddr_loopback(&addrs[1], AF_INET6, w.port);
    w.options.addrs = addrs;
    w.options.addr_count = 2;
    dial_to(&w, "whatever", &r);
    assert_int_equal(r.err, 0);
    assert_int_equal(r.attempts, 1);
    assert_string_equal(r.addr, with_port(&w, "[::1]"));
    assert_int_equal(w.server.asked, 0);
    end(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_connect_without_a_resolver),
        cmocka_unit_test(the_connection_works_and_is_the_callers),
        cmocka_unit_test(ipv6_comes_first),
        cmocka_unit_test(a_refused_address_leads_to_the_next_at_once),
        cmocka_unit_test(a_silent_address_does_not_keep_the_next_from_being_tried),
        cmocka_unit_test(one_after_another_when_asked_for),
        cmocka_unit_test(ipv4_does_not_wait_long_for_the_ipv6_answer),
        cmocka_unit_test(every_address_is_told_with_its_reason),
        cmocka_unit_test(the_families_take_turns),
        cmocka_unit_test(very_many_addresses_still_make_one_line),
        cmocka_unit_test(what_does_not_resolve_says_why),
        cmocka_unit_test(the_whole_time_limit_names_who_has_not_answered),
        cmocka_unit_test(the_source_address_decides_the_family),
        cmocka_unit_test(addresses_that_are_given_are_tried_in_their_order),
    };

    return run_on_each_poller("hdial", tests, ARRAY_LENGTH(tests));
}
