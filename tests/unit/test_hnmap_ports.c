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

#include "../../cmd/hnmap/ports.h"
#include "../../cmd/hnmap/ranking.h"
#include "base/herr.h"
#include "base/hmem.h"
#include "oom.h"

#define BOTH (PORTS_TCP | PORTS_UDP)

static names_t *names;

static int names_make(void **state)
{
    (void)state;
    names = names_new();
    return names == NULL ? -1 : 0;
}

static int names_drop(void **state)
{
    (void)state;
    names_free(names);
    return 0;
}

static void is_text(const port_set_t *set, const char *expected)
{
    hbytes_t text = {0};

    assert_int_equal(port_set_format(set, &text), 0);
    assert_string_equal(text.data != NULL ? text.data : "", expected);
    hbytes_deinit(&text);
}

/* ---- sets ---- */

static void a_set_is_walked_and_indexed(void **state)
{
    static const uint16_t members[] = {0,   1,    2,    63,    64,    65,    127,
                                       128, 1023, 1024, 40000, 65471, 65472, 65535};
    enum { count = sizeof(members) / sizeof(members[0]) };
    port_set_t set = {0};
    unsigned i = 0;

    (void)state;
    for (size_t m = count; m-- > 0;)
        assert_true(port_set_add(&set, members[m], members[m]));
    assert_int_equal(set.count, count);
    for (int port = port_set_next(&set, 0); port >= 0; port = port_set_next(&set, port + 1))
        assert_int_equal(port, members[i++]);
    assert_int_equal(i, count);
    for (i = 0; i < count; i++)
        assert_int_equal(port_set_at(&set, i), members[i]);
    is_text(&set, "0-2,63-65,127-128,1023-1024,40000,65471-65472,65535");
}

static void a_set_of_every_port(void **state)
{
    port_set_t set = {0}, other = {0};

    (void)state;
    assert_int_equal(port_set_next(&set, 0), -1);
    is_text(&set, "");
    assert_true(port_set_add(&set, 0, 65535));
    assert_false(port_set_add(&set, 7, 7));
    assert_int_equal(set.count, 65536);
    for (unsigned i = 0; i < 65536; i++)
        assert_int_equal(port_set_at(&set, i), i);
    is_text(&set, "0-65535");
    assert_true(port_set_add(&other, 1, 65534));
    port_set_remove(&set, &other);
    is_text(&set, "0,65535");
    assert_int_equal(set.count, 2);
    port_set_join(&set, &other);
    assert_int_equal(set.count, 65536);
    assert_int_equal(port_set_next(&set, 65536), -1);
}

/* ---- the grammar ---- */

static void parsed(const char *text, const char *tcp, const char *udp)
{
    char error[PORTS_ERROR_SIZE];
    ports_t ports;
    int err = ports_parse(&ports, text, BOTH, names, error, sizeof(error));

    if (err != 0)
        print_error("%s: %s\n", text, error);
    assert_int_equal(err, 0);
    is_text(&ports.tcp, tcp);
    is_text(&ports.udp, udp);
}

static void lists_and_ranges(void **state)
{
    (void)state;
    parsed("1", "1", "1");
    parsed("1,2,3", "1-3", "1-3");
    parsed("22,80-90,443", "22,80-90,443", "22,80-90,443");
    parsed("-5", "1-5", "1-5");
    parsed("65530-", "65530-65535", "65530-65535");
    parsed("-", "1-65535", "1-65535");
    parsed("1-", "1-65535", "1-65535");
    parsed("0-", "0-65535", "0-65535");
    parsed("0", "0", "0");
    parsed("0-3", "0-3", "0-3");
    parsed("080", "80", "80");
    parsed("5-5", "5", "5");
    parsed("1,", "1", "1");
    parsed(" 1, 2 ,3 ", "1-3", "1-3");
    parsed("65535", "65535", "65535");
}

static void protocols_last_until_the_next_one(void **state)
{
    (void)state;
    parsed("T:1", "1", "");
    parsed("T:1,U:5", "1", "5");
    parsed("U:53,111,T:21-25,80", "21-25,80", "53,111");
    parsed("80,U:53", "80", "53,80");
    parsed("T: 80", "80", "");
    parsed("T:U:80", "", "80");
    parsed("T:80,U:", "80", "");
    parsed("U:53,T:", "", "53");
    parsed("T:http,U:domain", "80", "53");
}

static void names_and_wildcards_are_ports(void **state)
{
    (void)state;
    parsed("http", "80", "");
    parsed("HTTP", "80", "");
    parsed("redis,mongodb", "6379,27017", "");
    parsed("kube*", "6443,10250,10255-10257,10259", "");
    parsed("mon?odb", "27017", "");
    parsed("*stgresq*", "5432", "");
    parsed("[U:domain]", "", "53");
    parsed("wireguard", "", "51820");
}

static void brackets_keep_what_is_known(void **state)
{
    (void)state;
    parsed("T:[6379-6380]", "6379-6380", "");
    parsed("T:[27010-27020]", "27014-27020", "");
    parsed("T:[ 80 ]", "80", "");
    parsed("T:[61200-61210,22]", "22,61208", "");
    parsed("U:[51815-51825]", "", "51820-51822");
    parsed("T:[27010-27012],27010", "27010", "");
}

static void a_bracket_of_everything_is_what_is_known(void **state)
{
    char error[PORTS_ERROR_SIZE];
    ports_t ports;
    size_t ranked;

    (void)state;
    assert_int_equal(ports_parse(&ports, "T:[-]", PORTS_TCP, names, error, sizeof(error)), 0);
    ranking_ports(PORTS_TCP, &ranked);
    assert_in_range(ports.tcp.count, ranked, ranked + 400);
    assert_true(port_set_has(&ports.tcp, 6379));
    assert_int_equal(ports.udp.count, 0);
}

static void what_is_not_scanned_is_told(void **state)
{
    char error[PORTS_ERROR_SIZE];
    ports_t ports;

    (void)state;
    assert_int_equal(ports_parse(&ports, "1,U:5,T:7", PORTS_TCP, names, error, sizeof(error)), 0);
    is_text(&ports.tcp, "1,7");
    is_text(&ports.udp, "");
    assert_int_equal(ports.not_scanned, PORTS_UDP);
    assert_false(ports.repeated);
    assert_int_equal(ports_parse(&ports, "U:5", PORTS_TCP, names, error, sizeof(error)), 0);
    assert_int_equal(ports.tcp.count, 0);
    assert_int_equal(ports.not_scanned, PORTS_UDP);
    assert_int_equal(ports_parse(&ports, "1-3,2", PORTS_TCP, names, error, sizeof(error)), 0);
    assert_true(ports.repeated);
    assert_int_equal(ports.not_scanned, 0);
}

static void refused(const char *text, int expected, const char *message)
{
    char error[PORTS_ERROR_SIZE];
    ports_t ports;
    int err = ports_parse(&ports, text, PORTS_TCP, names, error, sizeof(error));

    if (err != expected || strstr(error, message) == NULL)
        print_error("%s: %d, %s\n", text, err, error);
    assert_int_equal(err, expected);
    assert_non_null(strstr(error, message));
}

static void mistakes_are_told_with_their_part(void **state)
{
    (void)state;
    refused("", HERR_SYNTAX, "no port is given; ports are given as in 22,80-90");
    refused("  ", HERR_SYNTAX, "no port is given");
    refused("T:", HERR_SYNTAX, "no port is given");
    refused("[]", HERR_SYNTAX, "no port is given");
    refused(",", HERR_SYNTAX, "nothing stands in front of \",\"");
    refused(",1", HERR_SYNTAX, "nothing stands in front of \",1\"");
    refused("1,,2", HERR_SYNTAX, "nothing stands in front of \",2\"");
    refused("1 2", HERR_SYNTAX, "\"2\" follows without a comma");
    refused("1- 3", HERR_SYNTAX, "\"3\" follows without a comma");
    refused("1-2-3", HERR_SYNTAX, "\"-3\" follows without a comma");
    refused("-1-5", HERR_SYNTAX, "\"-5\" follows without a comma");
    refused("1--5", HERR_SYNTAX, "\"-5\" follows without a comma");
    refused("65536", HERR_RANGE, "\"65536\": the highest port is 65535");
    refused("-65536", HERR_RANGE, "\"-65536\": the highest port is 65535");
    refused("99999999999999999999", HERR_RANGE, "the highest port is 65535");
    refused("22,5-3", HERR_RANGE, "\"5-3\" is upside down: 3-5 is meant?");
    refused("nosuch", HERR_SYNTAX, "\"nosuch\" is the name of no TCP service");
    refused("http-https", HERR_SYNTAX, "\"http-https\" is the name of no TCP service");
    refused("0x50", HERR_SYNTAX, "\"0x50\" is the name of no TCP service");
    refused("S:1,T:2", HERR_UNSUPPORTED, "\"S:\": SCTP is not scanned");
    refused("P:1", HERR_UNSUPPORTED, "\"P:\": IP protocols are not scanned");
    refused("X:1", HERR_SYNTAX, "\"X:\" is no protocol");
    refused("t:80", HERR_SYNTAX, "\"t:\" is no protocol");
    refused("T:80U:53", HERR_SYNTAX, "\"80U\" is the name of no TCP service");
    refused("[1-30", HERR_SYNTAX, "\"[\" without a \"]\"");
    refused("1-30]", HERR_SYNTAX, "\"]\" without a \"[\"");
    refused("[[1]]", HERR_SYNTAX, "\"[1]]\" is no port");
    refused("http[t]p", HERR_SYNTAX, "\"[t]p\" follows without a comma");
    refused("$", HERR_SYNTAX, "\"$\" is no port");
    refused("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", HERR_SYNTAX,
            "is too long for a service's name");
}

/* ---- ranking ---- */

static void a_ranking_is_long_and_names_no_port_twice(void **state)
{
    static const uint16_t today[] = {6379,  27017, 9200, 11211, 2375, 10250, 1883,  5432,
                                     8080,  8443,  3000, 5000,  9090, 9092,  2379,  6443,
                                     25565, 22,    80,   443,   445,  3389,  15672, 5601};
    ports_t top;

    (void)state;
    for (unsigned protocol = PORTS_TCP; protocol <= PORTS_UDP; protocol++) {
        port_set_t set = {0};
        size_t count;
        const uint16_t *ports = ranking_ports(protocol, &count);

        assert_true(count >= (protocol == PORTS_TCP ? 1000 : 200));
        for (size_t i = 0; i < count; i++)
            assert_true(port_set_add(&set, ports[i], ports[i]));
    }
    ports_top(&top, PORTS_FAST, BOTH, NULL, NULL);
    assert_int_equal(top.tcp.count, 100);
    assert_int_equal(top.udp.count, 100);
    for (size_t i = 0; i < sizeof(today) / sizeof(today[0]); i++)
        assert_true(port_set_has(&top.tcp, today[i]));
    assert_true(port_set_has(&top.udp, 53));
    assert_true(port_set_has(&top.udp, 51820));
}

static void top_ports_are_as_many_as_asked_for(void **state)
{
    ports_t top, excluded = {0}, within = {0};

    (void)state;
    ports_top(&top, 1, PORTS_TCP, NULL, NULL);
    is_text(&top.tcp, "80");
    is_text(&top.udp, "");
    ports_top(&top, PORTS_DEFAULT, BOTH, NULL, NULL);
    assert_int_equal(top.tcp.count, 1000);
    assert_int_equal(top.udp.count, 1000);
    ports_top(&top, 65536, PORTS_TCP, NULL, NULL);
    is_text(&top.tcp, "0-65535");
    ports_top(&top, 65535, PORTS_TCP, NULL, NULL);
    is_text(&top.tcp, "1-65535");
    port_set_add(&excluded.tcp, 1, 1000);
    ports_top(&top, 100, PORTS_TCP, NULL, &excluded);
    assert_int_equal(top.tcp.count, 100);
    assert_true(port_set_next(&top.tcp, 0) > 1000);
    port_set_add(&within.tcp, 78, 82);
    ports_top(&top, 1, PORTS_TCP, &within, NULL);
    is_text(&top.tcp, "80");
    ports_top(&top, 100, PORTS_TCP, &within, NULL);
    is_text(&top.tcp, "78-82");
    port_set_add(&excluded.udp, 7, 7);
    ports_remove(&top, &excluded);
    is_text(&top.tcp, "");
}

/* ---- names ---- */

static void is_called(unsigned protocol, uint16_t port, const char *expected)
{
    const char *name = names_of(names, protocol, port);

    if (expected == NULL) {
        assert_null(name);
        return;
    }
    assert_non_null(name);
    assert_string_equal(name, expected);
}

static void ports_have_names(void **state)
{
    (void)state;
    is_called(PORTS_TCP, 22, "ssh");
    is_called(PORTS_TCP, 80, "http");
    is_called(PORTS_TCP, 6379, "redis");
    is_called(PORTS_TCP, 27017, "mongodb");
    is_called(PORTS_TCP, 9200, "elasticsearch");
    is_called(PORTS_TCP, 10250, "kubelet");
    is_called(PORTS_TCP, 2375, "docker");
    is_called(PORTS_TCP, 1883, "mqtt");
    is_called(PORTS_UDP, 11211, "memcache");
    is_called(PORTS_TCP, 5432, "postgresql");
    is_called(PORTS_TCP, 64738, "mumble");
    is_called(PORTS_UDP, 53, "domain");
    is_called(PORTS_TCP, 21, "ftp");
    is_called(PORTS_TCP, 51820, NULL);
    is_called(PORTS_UDP, 51820, "wireguard");
    is_called(PORTS_TCP, 0, NULL);
    is_called(PORTS_TCP, 65534, NULL);
}

/* The table of our own is looked through up to the port: each of its names is found by it. */
static void each_name_leads_to_a_port_of_that_name(void **state)
{
    (void)state;
    for (unsigned protocol = PORTS_TCP; protocol <= PORTS_UDP; protocol++) {
        port_set_t all = {0};

        names_match(names, protocol, "*", &all);
        assert_in_range(all.count, protocol == PORTS_TCP ? 140 : 30, 65536);
        for (int port = port_set_next(&all, 0); port >= 0; port = port_set_next(&all, port + 1)) {
            const char *name = names_of(names, protocol, (uint16_t)port);
            port_set_t found = {0};

            assert_non_null(name);
            assert_true(names_match(names, protocol, name, &found) > 0);
            assert_true(port_set_has(&found, (uint16_t)port));
        }
    }
}

static void wildcards_match(void **state)
{
    static const char *const yes[] = {"ssh", "S*", "*h", "s?h", "*s*h*", "???", "ss*h", "***"};
    static const char *const no[] = {"", "ss", "sshx", "?ssh", "s??h", "*x*", "hs*"};

    (void)state;
    for (size_t i = 0; i < sizeof(yes) / sizeof(yes[0]); i++) {
        port_set_t set = {0};

        names_match(names, PORTS_TCP, yes[i], &set);
        assert_true(port_set_has(&set, 22));
    }
    for (size_t i = 0; i < sizeof(no) / sizeof(no[0]); i++) {
        port_set_t set = {0};

        names_match(names, PORTS_TCP, no[i], &set);
        assert_false(port_set_has(&set, 22));
    }
}

/* ---- memory ---- */

static int all_of_it(void *arg)
{
    names_t *own = names_new();
    hbytes_t text = {0};
    char error[PORTS_ERROR_SIZE];
    ports_t ports;
    int err = own == NULL ? -ENOMEM : 0;

    (void)arg;
    if (err == 0)
        err = ports_parse(&ports, "T:redis,[1-100],U:domain*,[500-600]", BOTH, own, error,
                          sizeof(error));
    /* without the system's table a name may be unknown */
    if (err == HERR_SYNTAX)
        err = -ENOMEM;
    if (err == 0)
        err = port_set_format(&ports.tcp, &text);
    hbytes_deinit(&text);
    names_free(own);
    return err;
}

static void memory_that_lacks_is_told(void **state)
{
    (void)state;
    oom_run(all_of_it, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_set_is_walked_and_indexed),
        cmocka_unit_test(a_set_of_every_port),
        cmocka_unit_test(lists_and_ranges),
        cmocka_unit_test(protocols_last_until_the_next_one),
        cmocka_unit_test(names_and_wildcards_are_ports),
        cmocka_unit_test(brackets_keep_what_is_known),
        cmocka_unit_test(a_bracket_of_everything_is_what_is_known),
        cmocka_unit_test(what_is_not_scanned_is_told),
        cmocka_unit_test(mistakes_are_told_with_their_part),
        cmocka_unit_test(a_ranking_is_long_and_names_no_port_twice),
        cmocka_unit_test(top_ports_are_as_many_as_asked_for),
        cmocka_unit_test(ports_have_names),
        cmocka_unit_test(each_name_leads_to_a_port_of_that_name),
        cmocka_unit_test(wildcards_match),
        cmocka_unit_test(memory_that_lacks_is_told),
    };

    return cmocka_run_group_tests(tests, names_make, names_drop);
}
