/* One thread. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../../cmd/hnmap/diff.h"
#include "base/hmem.h"
#include "oom.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>

#define FIRST_PORT 22

/* A host in a round: "-" is down, "?" could not be asked, "!" ran out of time; otherwise one letter
 * a port from 22 on (o, c, f). version of what is on the first, NULL: nobody looked. */
static int make_host(host_result_t *host, const char *ip, const char *states, const char *version)
{
    port_result_t ports[8];
    size_t count = strlen(states);
    int err;

    *host = (host_result_t){.state = *states == '-' ? HOST_DOWN : HOST_UP};
    haddr_parse(&host->addr, ip, 0);
    host->is_unasked = *states == '?';
    host->timed_out = *states == '!';
    if (strchr("-?!", *states))
        return 0;
    host->has_ports = true;
    for (size_t i = 0; i < count; i++)
        ports[i] = (port_result_t){.number = (uint16_t)(FIRST_PORT + i),
                                   .protocol = IPPROTO_TCP,
                                   .state = states[i] == 'o'   ? PORT_OPEN
                                            : states[i] == 'c' ? PORT_CLOSED
                                                               : PORT_FILTERED};
    err = host_result_divide(host, ports, count, 1, false);
    if (err == 0 && version) {
        service_t *service = host->ports[0].service = hmem_zalloc(sizeof(*service));

        if (service == NULL)
            return -ENOMEM;
        service->confidence = 10;
        service->name = hmem_strdup("ssh");
        service->version = hmem_strdup(version);
        err = service->name && service->version ? 0 : -ENOMEM;
    }
    return err;
}

/* The lines of the changes, each with its newline. */
static void on_change(void *context, const change_t *change)
{
    hbytes_t *lines = context;

    if (change_write(lines, change) == 0)
        hbytes_append_char(lines, '\n');
}

static diff_t *rounds;
static hbytes_t lines;

static int begin_rounds(void **state)
{
    (void)state;
    return diff_open(&rounds, NULL);
}

static int end_rounds(void **state)
{
    (void)state;
    diff_free(rounds);
    hbytes_deinit(&lines);
    return 0;
}

/* What is told of a host in the round that runs. */
static void tells_of(const char *ip, const char *states, const char *version, const char *expected)
{
    host_result_t host;

    hbytes_clear(&lines);
    assert_int_equal(make_host(&host, ip, states, version), 0);
    assert_int_equal(diff_host(rounds, &host), 0);
    assert_int_equal(diff_keep(rounds, &host), 0);
    assert_string_equal(lines.data ? lines.data : "", expected);
    host_result_deinit(&host);
}

static void tells(const char *states, const char *version, const char *expected)
{
    tells_of("192.0.2.1", states, version, expected);
}

static void next_round(bool is_whole)
{
    assert_int_equal(diff_next(rounds, is_whole, on_change, &lines), 0);
    assert_int_equal(diff_count(rounds), 0);
}

/* A round in which the host does this. */
static void round_tells(const char *states, const char *version, const char *expected)
{
    next_round(true);
    tells(states, version, expected);
}

static void the_first_round_tells_nothing(void **state)
{
    (void)state;
    tells("oc", "9.2", "");
    assert_int_equal(diff_count(rounds), 0);
}

static void each_round_is_compared_with_the_one_before(void **state)
{
    (void)state;
    tells("occf", NULL, "");
    round_tells("occf", NULL, "");
    round_tells("ooco", NULL,
                "192.0.2.1: 25/tcp open, was filtered\n"
                "192.0.2.1: 23/tcp open, was closed\n");
    assert_int_equal(diff_count(rounds), 2);
    round_tells("ooco", NULL, "");
    round_tells("coco", NULL, "192.0.2.1: 22/tcp closed, was open\n");
}

static void hosts_come_and_go(void **state)
{
    (void)state;
    tells("-", NULL, "");
    round_tells("oc", NULL,
                "192.0.2.1: host is up, was down\n"
                "192.0.2.1: 22/tcp open, was not told of\n");
    round_tells("-", NULL, "192.0.2.1: host is down, was up\n");
    round_tells("-", NULL, "");
    round_tells("co", NULL,
                "192.0.2.1: host is up, was down\n"
                "192.0.2.1: 23/tcp open, was closed\n"
                "192.0.2.1: 22/tcp closed, was open\n");
}

static void what_could_not_be_found_out_is_no_change(void **state)
{
    (void)state;
    tells("oc", "9.2", "");
    round_tells("?", NULL, "");
    round_tells("oc", "9.2", "");
    round_tells("!", NULL, "");
    round_tells("oc", NULL, "");
    round_tells("oc", "9.3", "192.0.2.1: 22/tcp is ssh 9.3, was ssh 9.2\n");
}

/* The round was cut off: what it had told is not told again, what it had nothing of stays. */
static void a_round_that_was_cut_off_counts_for_what_it_told(void **state)
{
    (void)state;
    tells("o", NULL, "");
    tells_of("192.0.2.2", "o", NULL, "");
    next_round(true);
    tells("c", NULL, "192.0.2.1: 22/tcp closed, was open\n");
    for (int i = 0; i < 2 * EARLIER_ROUNDS_MAX; i++)
        next_round(false);
    tells("c", NULL, "");
    tells_of("192.0.2.2", "c", NULL, "192.0.2.2: 22/tcp closed, was open\n");
}

/* A name server that says nothing for a while does not make a host new. */
static void a_host_that_is_asked_no_more_is_forgotten_in_time(void **state)
{
    (void)state;
    tells("o", NULL, "");
    for (int i = 0; i < EARLIER_ROUNDS_MAX; i++)
        next_round(true);
    tells("o", NULL, "");
    for (int i = 0; i <= EARLIER_ROUNDS_MAX + 1; i++)
        next_round(true);
    tells("o", NULL, "192.0.2.1: host is up, was down\n192.0.2.1: 22/tcp open, was not told of\n");
}

static void many_hosts_are_found_again(void **state)
{
    char ip[32];

    (void)state;
    for (int i = 200; i > 0; i--) {
        snprintf(ip, sizeof(ip), i % 2 ? "192.0.2.%d" : "2001:db8::%d", i);
        tells_of(ip, "o", NULL, "");
    }
    for (int count = 0; count < 3; count++) {
        next_round(true);
        for (int i = 1; i <= 200; i++) {
            snprintf(ip, sizeof(ip), i % 2 ? "192.0.2.%d" : "2001:db8::%d", i);
            tells_of(ip, "o", NULL, "");
        }
        assert_int_equal(diff_count(rounds), 0);
    }
}

static int run_rounds(void *arg)
{
    static const char *const of_rounds[] = {"occ", "-", "oco", "ooo", "ooo"};
    diff_t *diff;
    hbytes_t text = {0};
    int err = 0;

    (void)arg;
    if (diff_open(&diff, NULL) != 0)
        return -ENOMEM;
    for (size_t i = 0; i < sizeof(of_rounds) / sizeof(of_rounds[0]) && err == 0; i++) {
        host_result_t host, other;

        err = make_host(&host, "192.0.2.1", of_rounds[i], "9");
        if (err == 0)
            err = diff_host(diff, &host);
        if (err == 0)
            err = diff_keep(diff, &host);
        host_result_deinit(&host);
        make_host(&other, i % 2 ? "192.0.2.3" : "192.0.2.2", "!", NULL);
        if (err == 0)
            err = diff_keep(diff, &other);
        if (err == 0)
            err = diff_next(diff, true, on_change, &text);
    }
    diff_free(diff);
    hbytes_deinit(&text);
    return err;
}

static void rounds_without_memory(void **state)
{
    (void)state;
    oom_run(run_rounds, NULL);
}

#define ROUNDS(test) cmocka_unit_test_setup_teardown(test, begin_rounds, end_rounds)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ROUNDS(the_first_round_tells_nothing),
        ROUNDS(each_round_is_compared_with_the_one_before),
        ROUNDS(hosts_come_and_go),
        ROUNDS(what_could_not_be_found_out_is_no_change),
        ROUNDS(a_round_that_was_cut_off_counts_for_what_it_told),
        ROUNDS(a_host_that_is_asked_no_more_is_forgotten_in_time),
        ROUNDS(many_hosts_are_found_again),
        cmocka_unit_test(rounds_without_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
