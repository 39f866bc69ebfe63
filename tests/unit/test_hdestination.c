/* One thread. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "net/hdestination.h"
#include "net/hhost.h"
#include "oom.h"

#define ARRAY_LENGTH(a) (sizeof(a) / sizeof((a)[0]))

static hdestination_t *rules(const char *text)
{
    char copy[512], error[HDESTINATION_ERROR_SIZE] = "";
    hdestination_t *list;

    assert_int_equal(hdestination_new(&list), 0);
    snprintf(copy, sizeof(copy), "%s", text);
    for (char *rule = copy; *rule;) {
        char *end = rule + strcspn(rule, ";");
        bool last = *end == '\0';

        *end = '\0';
        if (hdestination_add(list, rule, error, sizeof(error)) != 0)
            fail_msg("%s", error);
        rule = last ? end : end + 1;
    }
    return list;
}

/* A host, and the address that it has. client NULL: one on this machine. */
static bool may(const hdestination_t *list, const char *host, const char *ip, int port,
                const char *client)
{
    haddr_t addr, from;
    char plain[HHOST_SIZE];

    assert_int_equal(hhost_plain(host, plain), 0);
    assert_int_equal(haddr_parse(&addr, ip, port), 0);
    if (client)
        assert_int_equal(haddr_parse(&from, client, 4711), 0);
    return hdestination_check_host(list, plain, (uint16_t)port) != HDESTINATION_DENIED &&
           hdestination_check_addr(list, plain, &addr.u.sa, client ? &from.u.sa : NULL);
}

typedef struct case_s {
    const char *rules, *host, *ip;
    int port;
    bool allowed;
} case_t;

static void check_all(const case_t *cases, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const case_t *c = &cases[i];
        hdestination_t *list = rules(c->rules);

        if (may(list, c->host, c->ip, c->port, NULL) != c->allowed)
            fail_msg("%s: %s (%s) port %d", c->rules, c->host, c->ip, c->port);
        hdestination_free(list);
    }
}

static void patterns_match_what_they_say(void **state)
{
    static const case_t cases[] = {
        {"allow example.com", "example.com", "192.0.2.1", 80, true},
        {"allow example.com", "EXAMPLE.com.", "192.0.2.1", 80, true},
        {"allow Example.Com.", "example.com", "192.0.2.1", 80, true},
        {"allow example.com", "a.example.com", "192.0.2.1", 80, false},
        {"allow example.com", "badexample.com", "192.0.2.1", 80, false},
        {"allow *.example.com", "a.b.example.com", "192.0.2.1", 80, true},
        {"allow *.example.com", "example.com", "192.0.2.1", 80, false},
        {"allow .example.com", "a.example.com", "192.0.2.1", 80, true},
        {"allow .example.com", "example.com", "192.0.2.1", 80, true},
        {"allow .example.com", "badexample.com", "192.0.2.1", 80, false},
        {"allow 192.0.2.0/24", "x.example", "192.0.2.77", 80, true},
        {"allow 192.0.2.0/24", "x.example", "192.0.3.1", 80, false},
        {"allow 192.0.2.0/25", "192.0.2.127", "192.0.2.127", 80, true},
        {"allow 192.0.2.0/25", "192.0.2.128", "192.0.2.128", 80, false},
        {"allow 192.0.2.1", "::ffff:192.0.2.1", "::ffff:192.0.2.1", 80, true},
        {"allow ::ffff:192.0.2.0/120", "192.0.2.5", "192.0.2.5", 80, true},
        {"allow ::/0", "192.0.2.5", "192.0.2.5", 80, false},
        {"allow 0.0.0.0/0", "2001:db8::1", "2001:db8::1", 80, false},
        {"allow 2001:db8::/32", "2001:db8:1::1", "2001:db8:1::1", 80, true},
        {"allow [2001:db8::]/32:443", "2001:db8:1::1", "2001:db8:1::1", 443, true},
        {"allow [2001:db8::]/32:443", "2001:db8:1::1", "2001:db8:1::1", 80, false},
        {"allow [2001:db8::1]:443", "2001:db8::1", "2001:db8::1", 443, true},
        {"allow *:80,443,8000-8100", "x.example", "192.0.2.1", 8050, true},
        {"allow *:80,443,8000-8100", "x.example", "192.0.2.1", 25, false},
        {"deny *:25", "x.example", "192.0.2.1", 25, false},
        {"deny *:25", "x.example", "192.0.2.1", 26, true},
        {"deny 127.1", "0x7f000001", "127.0.0.1", 80, false},
        {"allow a.example b.example", "b.example", "192.0.2.1", 80, true},
    };

    (void)state;
    check_all(cases, ARRAY_LENGTH(cases));
}

static void the_first_rule_that_matches_decides(void **state)
{
    static const case_t cases[] = {
        {"", "x.example", "192.0.2.1", 80, true},
        {"deny a.example;allow *.example", "a.example", "192.0.2.1", 80, false},
        {"allow a.example;deny .example", "a.example", "192.0.2.1", 80, true},
        {"allow a.example;deny .example", "b.example", "192.0.2.1", 80, false},
        {"allow a.example;deny .example", "c.test", "192.0.2.1", 80, false},
        {"deny a.example", "c.test", "192.0.2.1", 80, true},
        {"allow 192.0.2.0/24;deny *", "x.example", "192.0.2.9", 80, true},
        {"deny *;allow 192.0.2.0/24", "x.example", "192.0.2.9", 80, false},
    };

    (void)state;
    check_all(cases, ARRAY_LENGTH(cases));
}

static void no_name_leads_to_a_denied_address(void **state)
{
    static const case_t cases[] = {
        {"allow *.example;deny 10.0.0.0/8", "x.example", "10.1.2.3", 80, false},
        {"allow *;deny 10.0.0.0/8", "x.example", "10.1.2.3", 80, false},
        {"allow *;deny 10.0.0.0/8", "x.example", "::ffff:10.1.2.3", 80, false},
        {"allow 10.1.2.3;deny 10.0.0.0/8;allow *", "x.example", "10.1.2.3", 80, true},
        {"allow 10.1.2.3;deny 10.0.0.0/8;allow *", "x.example", "10.1.2.4", 80, false},
        {"allow *;deny 10.0.0.0/8:22", "x.example", "10.1.2.4", 80, true},
        {"deny 10.0.0.0/8", "10.1", "10.0.0.1", 80, false},
    };

    (void)state;
    check_all(cases, ARRAY_LENGTH(cases));
}

static void no_ipv6_address_leads_to_denied_ipv4(void **state)
{
    static const case_t cases[] = {
        {"deny 10.0.0.0/8", "64:ff9b::a01:203", "64:ff9b::a01:203", 80, false},
        {"deny 10.0.0.0/8", "64:ff9b::10.1.2.3", "64:ff9b::10.1.2.3", 80, false},
        {"deny 10.0.0.0/8", "64:ff9b::11.1.2.3", "64:ff9b::11.1.2.3", 80, true},
        {"deny 10.0.0.0/8", "2002:a01:203::1", "2002:a01:203::1", 80, false},
        {"deny 10.0.0.0/8", "2002:b01:203::a01:203", "2002:b01:203::a01:203", 80, true},
        {"deny 10.0.0.0/8", "::10.1.2.3", "::10.1.2.3", 80, false},
        {"deny 10.0.0.0/8", "::11.1.2.3", "::11.1.2.3", 80, true},
        {"deny 10.0.0.0/8", "::ffff:10.1.2.3", "::ffff:10.1.2.3", 80, false},
        {"deny 10.0.0.0/8", "2001:db8::10.1.2.3", "2001:db8::10.1.2.3", 80, true},
        {"allow *;deny 10.0.0.0/8", "x.example", "64:ff9b::10.1.2.3", 80, false},
        {"deny 127.0.0.0/8", "x.example", "64:ff9b::127.0.0.1", 80, false},
        {"deny 127.0.0.0/8", "x.example", "2002:7f00:1::1", 80, false},
        {"deny 127.0.0.0/8", "x.example", "::127.0.0.1", 80, false},
        {"deny 10.0.0.0/8:22", "x.example", "64:ff9b::10.1.2.3", 80, true},
        /* Neither of these has one in it. */
        {"deny 0.0.0.0/8", "::1", "::1", 80, true},
        /* What allows IPv4 says nothing of the way through a gateway. */
        {"allow 10.0.0.0/8", "x.example", "64:ff9b::10.1.2.3", 80, false},
        {"allow 64:ff9b::/96;deny 10.0.0.0/8", "x.example", "64:ff9b::10.1.2.3", 80, true},
        {"deny 10.0.0.0/8;allow 64:ff9b::/96", "x.example", "64:ff9b::10.1.2.3", 80, false},
    };

    (void)state;
    check_all(cases, ARRAY_LENGTH(cases));
}

static void a_host_is_judged_before_it_is_resolved(void **state)
{
    static const struct {
        const char *rules, *host;
        hdestination_e verdict;
    } cases[] = {
        {"", "a.example", HDESTINATION_ALLOWED},
        {"deny a.example", "a.example", HDESTINATION_DENIED},
        {"deny 10.0.0.0/8", "a.example", HDESTINATION_ALLOWED},
        {"allow b.example", "a.example", HDESTINATION_DENIED},
        {"allow 192.0.2.0/24", "a.example", HDESTINATION_DEPENDS},
        {"allow 192.0.2.0/24;deny *", "a.example", HDESTINATION_DEPENDS},
        {"deny *;allow 192.0.2.0/24", "a.example", HDESTINATION_DENIED},
        {"allow 192.0.2.0/24:443", "a.example", HDESTINATION_DENIED},
        {"allow 192.0.2.0/24", "192.0.2.1", HDESTINATION_ALLOWED},
        {"allow 192.0.2.0/24", "192.0.3.1", HDESTINATION_DENIED},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        hdestination_t *list = rules(cases[i].rules);

        assert_int_equal(hdestination_check_host(list, cases[i].host, 80), cases[i].verdict);
        hdestination_free(list);
    }
    assert_int_equal(hdestination_check_host(NULL, "a.example", 80), HDESTINATION_ALLOWED);
}

static void this_machine_is_for_those_on_it(void **state)
{
    hdestination_t *named = rules("allow *"), *opened = rules("allow 127.0.0.0/8 169.254.1.1 *");

    (void)state;
    assert_true(may(NULL, "localhost", "127.0.0.1", 80, NULL));
    assert_true(may(NULL, "localhost", "127.0.0.1", 80, "127.0.0.1"));
    assert_true(may(NULL, "localhost", "127.0.0.1", 80, "::1"));
    assert_true(may(NULL, "localhost", "::1", 80, "::ffff:127.0.0.1"));
    assert_false(may(NULL, "localhost", "127.0.0.1", 80, "192.0.2.1"));
    assert_false(may(NULL, "localhost", "::1", 80, "2001:db8::1"));
    assert_false(may(NULL, "0.0.0.0", "0.0.0.0", 80, "192.0.2.1"));
    assert_false(may(named, "x.example", "127.0.0.1", 80, "192.0.2.1"));
    assert_true(may(opened, "x.example", "127.0.0.1", 80, "192.0.2.1"));
    assert_false(may(NULL, "169.254.169.254", "169.254.169.254", 80, NULL));
    assert_false(may(named, "x.example", "fe80::1", 80, NULL));
    assert_false(may(NULL, "x.example", "64:ff9b::169.254.169.254", 80, NULL));
    assert_false(may(named, "x.example", "2002:a9fe:a9fe::", 80, NULL));
    assert_false(may(NULL, "x.example", "::127.0.0.1", 80, "192.0.2.1"));
    assert_false(may(NULL, "x.example", "64:ff9b::127.0.0.1", 80, "192.0.2.1"));
    assert_true(may(opened, "169.254.1.1", "169.254.1.1", 80, NULL));
    hdestination_free(named);
    hdestination_free(opened);
}

static void a_unix_path_is_no_destination(void **state)
{
    haddr_t addr;

    (void)state;
    assert_int_equal(haddr_unix(&addr, "/tmp/x"), 0);
    assert_false(hdestination_check_addr(NULL, NULL, &addr.u.sa, NULL));
}

static void mistakes_are_told(void **state)
{
    static const struct {
        const char *text, *error;
    } cases[] = {
        {"permit x", "neither allow nor deny: \"permit x\""},
        {"", "neither allow nor deny: \"\""},
        {"allow ", "a destination is missing: \"allow \""},
        {"allow a b:99999", "no such port: \"b:99999\""},
        {"allow x:80-70", "no such port: \"x:80-70\""},
        {"allow x:", "no such port: \"x:\""},
        {"allow :80", "no destination: \":80\""},
        {"allow [::1", "no destination: \"[::1\""},
        {"allow [::1]x", "no destination: \"[::1]x\""},
        {"allow 10.0.0.0/33", "bits of the block out of range: \"10.0.0.0/33\""},
        {"allow .127.1", "nothing is below an address: \".127.1\""},
        {"allow x/8", "no address: \"x/8\""},
        {"allow a*b", "a star stands alone, or in front as \"*.\": \"a*b\""},
        {"allow a\001", "no host: \"a\\x01\""},
        {"allow *:1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17", "too many ports: "},
    };
    hdestination_t *list;

    (void)state;
    assert_int_equal(hdestination_new(&list), 0);
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        char error[HDESTINATION_ERROR_SIZE] = "";

        if (hdestination_add(list, cases[i].text, error, sizeof(error)) >= 0)
            fail_msg("%s is taken", cases[i].text);
        if (strncmp(error, cases[i].error, strlen(cases[i].error)) != 0)
            fail_msg("%s: %s", cases[i].text, error);
    }
    assert_true(hdestination_add(list, "allow a..b:x", NULL, 0) < 0);
    hdestination_free(list);
    hdestination_free(NULL);
    assert_int_equal(hdestination_count(NULL), 0);
}

static void there_is_a_bound(void **state)
{
    hdestination_t *list;

    (void)state;
    assert_int_equal(hdestination_new(&list), 0);
    for (int i = 0; i < HDESTINATION_RULES_MAX; i++)
        assert_int_equal(hdestination_add(list, "deny *:25", NULL, 0), 0);
    assert_int_equal(hdestination_add(list, "deny *:25", NULL, 0), -ENOBUFS);
    assert_int_equal(hdestination_count(list), HDESTINATION_RULES_MAX);
    hdestination_free(list);
}

static int scenario(void *arg)
{
    hdestination_t *list;
    int err = hdestination_new(&list);

    (void)arg;
    if (err < 0)
        return err;
    for (int i = 0; err == 0 && i < 20; i++)
        err = hdestination_add(list, "allow a.example *.b.example:443 10.0.0.0/8", NULL, 0);
    hdestination_free(list);
    return err;
}

static void memory_may_end_at_any_time(void **state)
{
    (void)state;
    oom_run(scenario, NULL);
}

static void hosts_have_one_spelling(void **state)
{
    static const char *const cases[][2] = {
        {"Example.COM", "example.com"},
        {"example.com.", "example.com."},
        {"127.1", "127.0.0.1"},
        {"0x7f000001", "127.0.0.1"},
        {"2130706433", "127.0.0.1"},
        {"017700000001", "127.0.0.1"},
        {"0.0.0.0", "127.0.0.1"},
        {"0", "127.0.0.1"},
        {"::", "::1"},
        {"::ffff:127.0.0.1", "127.0.0.1"},
        {"::FFFF:7F00:1", "127.0.0.1"},
        {"2001:DB8:0::1", "2001:db8::1"},
        {"127.0.0.1.", "127.0.0.1"},
        {"a_b", "a_b"},
    };
    static const char *const wrong[] = {"",      "a b",  "a/b", "a@b",       "a:80",
                                        "[::1]", "a%41", "a\n", "1.2.3.4.5", "256.0.0.1",
                                        "a?b",   "a#b",  "a\\b"};
    char plain[HHOST_SIZE], many[400];

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        assert_int_equal(hhost_plain(cases[i][0], plain), 0);
        assert_string_equal(plain, cases[i][1]);
        assert_int_equal(hhost_plain(plain, plain), 0); /* stays as it is */
        assert_string_equal(plain, cases[i][1]);
    }
    for (size_t i = 0; i < ARRAY_LENGTH(wrong); i++) {
        if (hhost_plain(wrong[i], plain) >= 0)
            fail_msg("\"%s\" is taken for %s", wrong[i], plain);
    }
    memset(many, 'a', sizeof(many));
    many[399] = '\0';
    assert_int_equal(hhost_plain(many, plain), HERR_RANGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(patterns_match_what_they_say),
        cmocka_unit_test(the_first_rule_that_matches_decides),
        cmocka_unit_test(no_name_leads_to_a_denied_address),
        cmocka_unit_test(no_ipv6_address_leads_to_denied_ipv4),
        cmocka_unit_test(a_host_is_judged_before_it_is_resolved),
        cmocka_unit_test(this_machine_is_for_those_on_it),
        cmocka_unit_test(a_unix_path_is_no_destination),
        cmocka_unit_test(mistakes_are_told),
        cmocka_unit_test(there_is_a_bound),
        cmocka_unit_test(memory_may_end_at_any_time),
        cmocka_unit_test(hosts_have_one_spelling),
    };

    return cmocka_run_group_tests_name("hdestination", tests, NULL, NULL);
}
