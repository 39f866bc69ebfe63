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

#include "../../cmd/hnmap/output.h"
#include "base/herr.h"
#include "base/hmem.h"
#include "oom.h"

#include <netinet/in.h>

#define PORTS 40

/* Port 22 open; 23 to 32 filtered; 33 to 61 closed, of which 40 by a reset. */
static void fill(port_result_t *ports)
{
    for (int i = 0; i < PORTS; i++) {
        uint16_t number = (uint16_t)(22 + i);

        ports[PORTS - 1 - i] = (port_result_t){
            .number = number,
            .protocol = IPPROTO_TCP,
            .state = number == 22  ? PORT_OPEN
                     : number < 33 ? PORT_FILTERED
                                   : PORT_CLOSED,
            .reason = number == 22   ? REASON_SYN_ACK
                      : number < 33  ? REASON_NO_RESPONSE
                      : number == 40 ? REASON_RESET
                                     : REASON_REFUSED,
        };
    }
}

static void make_host(host_result_t *host, size_t shown_max, bool open_only)
{
    port_result_t ports[PORTS];

    *host = (host_result_t){.state = HOST_UP,
                            .reason = REASON_SYN_ACK,
                            .srtt_us = 72,
                            .rttvar_us = 66,
                            .timeout_us = 100000,
                            .start = 100,
                            .end = 101};
    assert_int_equal(haddr_parse(&host->addr, "192.0.2.1", 0), 0);
    fill(ports);
    assert_int_equal(host_result_divide(host, ports, PORTS, shown_max, open_only), 0);
    for (size_t i = 0; i < host->port_count; i++)
        host->ports[i].usual = host->ports[i].number == 22 ? "ssh" : NULL;
}

static void few_ports_of_a_state_are_shown_and_many_are_grouped(void **state)
{
    host_result_t host;

    (void)state;
    make_host(&host, 25, false);
    assert_int_equal(host.port_count, 11);
    for (size_t i = 0; i < host.port_count; i++)
        assert_int_equal(host.ports[i].number, 22 + i);
    assert_int_equal(host.group_count, 2);
    assert_int_equal(host.groups[0].count, 28);
    assert_string_equal(host.groups[0].ports, "33-39,41-61");
    assert_int_equal(host.groups[1].count, 1);
    assert_string_equal(host.groups[1].ports, "40");
    host_result_deinit(&host);
    make_host(&host, 29, false);
    assert_int_equal(host.port_count, PORTS);
    assert_int_equal(host.group_count, 0);
    host_result_deinit(&host);
    make_host(&host, 100, true);
    assert_int_equal(host.port_count, 1);
    assert_int_equal(host.group_count, 3);
    host_result_deinit(&host);
}

/* Ten ports of each of these, in this order of states and reasons; then how nmap orders them. */
typedef struct order_case_s {
    struct {
        uint8_t protocol, state, reason;
        int tens;
    } given[5];
    int wanted[5]; /* indexes of given */
    size_t count;
} order_case_t;

static void check_order(const order_case_t *c)
{
    port_result_t ports[200];
    host_result_t host = {.state = HOST_UP};
    size_t n = 0;

    for (size_t i = 0; i < c->count; i++)
        for (int j = 0; j < 10 * c->given[i].tens; j++, n++)
            ports[n] = (port_result_t){.number = (uint16_t)n,
                                       .protocol = c->given[i].protocol,
                                       .state = c->given[i].state,
                                       .reason = c->given[i].reason};
    assert_int_equal(host_result_divide(&host, ports, n, 5, false), 0);
    assert_int_equal(host.group_count, c->count);
    for (size_t i = 0; i < c->count; i++) {
        assert_int_equal(host.groups[i].state, c->given[c->wanted[i]].state);
        assert_int_equal(host.groups[i].reason, c->given[c->wanted[i]].reason);
        assert_int_equal(host.groups[i].protocol, c->given[c->wanted[i]].protocol);
    }
    host_result_deinit(&host);
}

/* Each as nmap 7.93 was seen to order it. */
static void groups_come_in_nmaps_order(void **state)
{
    static const order_case_t cases[] = {
        {{{IPPROTO_TCP, PORT_FILTERED, REASON_NO_RESPONSE, 5},
          {IPPROTO_TCP, PORT_CLOSED, REASON_RESET, 5}},
         {1, 0},
         2},
        {{{IPPROTO_TCP, PORT_OPEN_FILTERED, REASON_NO_RESPONSE, 5},
          {IPPROTO_TCP, PORT_CLOSED, REASON_RESET, 5}},
         {1, 0},
         2},
        {{{IPPROTO_TCP, PORT_UNFILTERED, REASON_RESET, 5},
          {IPPROTO_TCP, PORT_FILTERED, REASON_NO_RESPONSE, 5}},
         {1, 0},
         2},
        {{{IPPROTO_TCP, PORT_CLOSED, REASON_RESET, 6},
          {IPPROTO_TCP, PORT_FILTERED, REASON_NO_RESPONSE, 4},
          {IPPROTO_TCP, PORT_FILTERED, REASON_ADMIN_PROHIBITED, 5}},
         {2, 1, 0}, /* nine are filtered */
         3},
        {{{IPPROTO_TCP, PORT_FILTERED, REASON_NO_RESPONSE, 3},
          {IPPROTO_UDP, PORT_OPEN_FILTERED, REASON_NO_RESPONSE, 3},
          {IPPROTO_TCP, PORT_CLOSED, REASON_RESET, 3},
          {IPPROTO_UDP, PORT_CLOSED, REASON_PORT_UNREACH, 3}},
         {3, 2, 0, 1},
         4},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        check_order(&cases[i]);
}

static const run_t run = {.version = "1.0",
                          .args = "hnmap -oX - a--b \"<>",
                          .start = 0,
                          .elapsed_s = 1.5,
                          .up = 1,
                          .total = 1};

static void check_host(const output_format_t *format, const run_t *r, const host_result_t *host,
                       const char *expected)
{
    hbytes_t out = {0};

    assert_int_equal(format->host(&out, r, host), 0);
    assert_string_equal(out.data ? out.data : "", expected);
    hbytes_deinit(&out);
}

static void the_normal_report_is_a_table(void **state)
{
    run_t r = run;
    host_result_t host;

    (void)state;
    make_host(&host, 5, false);
    check_host(&output_normal, &r, &host,
               "hnmap scan report for 192.0.2.1\nHost is up (0.000072s latency).\n"
               "Not shown: 28 closed tcp ports (conn-refused), 1 closed tcp port (reset), "
               "10 filtered tcp ports (no-response)\n"
               "PORT   STATE SERVICE\n22/tcp open  ssh\n\n");
    r.show_reason = true;
    host.ports[0].ttl = 64;
    host.asked = "a.example";
    check_host(&output_normal, &r, &host,
               "hnmap scan report for a.example (192.0.2.1)\n"
               "Host is up, received syn-ack (0.000072s latency).\n"
               "Not shown: 28 closed tcp ports (conn-refused), 1 closed tcp port (reset), "
               "10 filtered tcp ports (no-response)\n"
               "PORT   STATE SERVICE REASON\n22/tcp open  ssh     syn-ack ttl 64\n\n");
    host_result_deinit(&host);
}

static void a_latency_has_two_digits_and_no_exponent(void **state)
{
    static const struct {
        uint64_t us;
        const char *text;
    } cases[] = {{5, "0.000005"},  {72, "0.000072"}, {130, "0.00013"}, {2149, "0.0021"},
                 {20400, "0.020"}, {830000, "0.83"}, {1250000, "1.2"}, {31000000, "31"}};
    run_t r = run;

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        host_result_t host = {.state = HOST_UP, .srtt_us = cases[i].us};
        char expected[128];

        assert_int_equal(haddr_parse(&host.addr, "192.0.2.1", 0), 0);
        snprintf(expected, sizeof(expected),
                 "hnmap scan report for 192.0.2.1\nHost is up (%ss latency).\n", cases[i].text);
        check_host(&output_normal, &r, &host, expected);
    }
}

static void hosts_that_are_down_are_told_when_asked_for(void **state)
{
    run_t r = run;
    host_result_t host = {.state = HOST_DOWN, .reason = REASON_NO_RESPONSE};

    (void)state;
    assert_int_equal(haddr_parse(&host.addr, "192.0.2.1", 0), 0);
    assert_false(output_is_told(&r, &host));
    r.verbose = 1;
    assert_true(output_is_told(&r, &host));
    check_host(&output_normal, &r, &host, "hnmap scan report for 192.0.2.1 [host down]\n");
    check_host(&output_grepable, &r, &host, "Host: 192.0.2.1 ()\tStatus: Down\n");
    check_host(&output_xml, &r, &host,
               "<host><status state=\"down\" reason=\"no-response\" reason_ttl=\"0\"/>\n"
               "<address addr=\"192.0.2.1\" addrtype=\"ipv4\"/>\n</host>\n");
}

static void the_grepable_report_has_a_line_of_ports(void **state)
{
    service_t *service = hmem_zalloc(sizeof(*service));
    host_result_t host;

    (void)state;
    make_host(&host, 5, false);
    service->name = hmem_strdup("http");
    service->product = hmem_strdup("a/b, c");
    service->is_tls = true;
    service->confidence = 10;
    host.ports[0].service = service;
    host.name = hmem_strdup("h.example");
    check_host(&output_grepable, &run, &host,
               "Host: 192.0.2.1 (h.example)\tStatus: Up\n"
               "Host: 192.0.2.1 (h.example)\tPorts: 22/open/tcp//ssl|http//a|b| c/\n");
    host.groups[2].state = PORT_CLOSED; /* of two states neither is told, of one it is */
    check_host(&output_grepable, &run, &host,
               "Host: 192.0.2.1 (h.example)\tStatus: Up\n"
               "Host: 192.0.2.1 (h.example)\tPorts: 22/open/tcp//ssl|http//a|b| c/"
               "\tIgnored State: closed (39)\n");
    host_result_deinit(&host);
}

static void the_xml_report_has_nmaps_form(void **state)
{
    host_result_t host;

    (void)state;
    make_host(&host, 5, false);
    check_host(&output_xml, &run, &host,
               "<host starttime=\"100\" endtime=\"101\">"
               "<status state=\"up\" reason=\"syn-ack\" reason_ttl=\"0\"/>\n"
               "<address addr=\"192.0.2.1\" addrtype=\"ipv4\"/>\n<hostnames>\n</hostnames>\n"
               "<ports><extraports state=\"closed\" count=\"29\">\n"
               "<extrareasons reason=\"conn-refused\" count=\"28\" proto=\"tcp\" "
               "ports=\"33-39,41-61\"/>\n"
               "<extrareasons reason=\"reset\" count=\"1\" proto=\"tcp\" ports=\"40\"/>\n"
               "</extraports>\n"
               "<extraports state=\"filtered\" count=\"10\">\n"
               "<extrareasons reason=\"no-response\" count=\"10\" proto=\"tcp\" ports=\"23-32\"/>\n"
               "</extraports>\n"
               "<port protocol=\"tcp\" portid=\"22\"><state state=\"open\" reason=\"syn-ack\" "
               "reason_ttl=\"0\"/><service name=\"ssh\" method=\"table\" conf=\"3\"/></port>\n"
               "</ports>\n<times srtt=\"72\" rttvar=\"66\" to=\"100000\"/>\n</host>\n");
    host_result_deinit(&host);
}

static void the_arguments_cannot_break_the_xml(void **state)
{
    hbytes_t out = {0};

    (void)state;
    assert_int_equal(output_xml.begin(&out, &run), 0);
    assert_non_null(strstr(out.data, "args=\"hnmap -oX - a-&#45;b &quot;&lt;&gt;\""));
    assert_null(strstr(out.data, "a--b"));
    hbytes_deinit(&out);
}

/* ---- without memory -------------------------------------------------------------------------- */

static int report_all(void *arg)
{
    const output_format_t *const formats[] = {&output_terminal, &output_normal, &output_grepable,
                                              &output_xml,      &output_json,   &output_csv,
                                              &output_html};
    port_result_t ports[PORTS];
    host_result_t host = {.state = HOST_UP};
    totals_t totals = {0};
    hbytes_t out = {0};
    int err;

    (void)arg;
    haddr_parse(&host.addr, "192.0.2.1", 0);
    fill(ports);
    err = host_result_divide(&host, ports, PORTS, 5, false);
    for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]) && err == 0; i++) {
        err = formats[i]->begin(&out, &run);
        if (err == 0)
            err = formats[i]->host(&out, &run, &host);
        if (err == 0 && formats[i]->end)
            err = formats[i]->end(&out, &run, &totals);
    }
    host_result_deinit(&host);
    hbytes_deinit(&out);
    return err;
}

static void every_report_tells_that_memory_is_out(void **state)
{
    (void)state;
    oom_run(report_all, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(few_ports_of_a_state_are_shown_and_many_are_grouped),
        cmocka_unit_test(groups_come_in_nmaps_order),
        cmocka_unit_test(the_normal_report_is_a_table),
        cmocka_unit_test(a_latency_has_two_digits_and_no_exponent),
        cmocka_unit_test(hosts_that_are_down_are_told_when_asked_for),
        cmocka_unit_test(the_grepable_report_has_a_line_of_ports),
        cmocka_unit_test(the_xml_report_has_nmaps_form),
        cmocka_unit_test(the_arguments_cannot_break_the_xml),
        cmocka_unit_test(every_report_tells_that_memory_is_out),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
