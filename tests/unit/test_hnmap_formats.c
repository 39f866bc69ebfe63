/* One thread. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../../cmd/hnmap/output.h"
#include "base/herr.h"
#include "base/hmem.h"
#include "oom.h"

#include <netinet/in.h>

static const run_t run = {.version = "1.0",
                          .args = "hnmap <b>",
                          .start = 10,
                          .end = 12,
                          .elapsed_s = 1.5,
                          .infos = {{"syn", IPPROTO_TCP, 4, "22-25"}},
                          .info_count = 1,
                          .up = 1,
                          .down = 2,
                          .total = 3};

static char *text_of(const char *text)
{
    return text ? hmem_strdup(text) : NULL;
}

/* Port 22 open, with a service that says this; 23 to 25 closed. 0 or -ENOMEM. */
static int make_host(host_result_t *host, const char *product, const char *banner)
{
    port_result_t ports[4];
    service_t *service;
    int err;

    *host = (host_result_t){.state = HOST_UP,
                            .reason = REASON_ARP_RESPONSE,
                            .has_mac = true,
                            .mac = {0, 0x22, 0x72, 1, 2, 3},
                            .vendor = "A & B",
                            .has_ports = true,
                            .srtt_us = 1234,
                            .rttvar_us = 66,
                            .start = 100,
                            .end = 101};
    haddr_parse(&host->addr, "192.0.2.1", 0);
    for (uint16_t i = 0; i < 4; i++)
        ports[i] = (port_result_t){.number = 22 + i,
                                   .protocol = IPPROTO_TCP,
                                   .state = i ? PORT_CLOSED : PORT_OPEN,
                                   .reason = i ? REASON_RESET : REASON_SYN_ACK,
                                   .ttl = 64,
                                   .usual = i ? NULL : "ssh"};
    err = host_result_divide(host, ports, 4, 2, false);
    host->name = text_of("<h>.example");
    service = err == 0 ? hmem_zalloc(sizeof(*service)) : NULL;
    if (service == NULL || host->name == NULL)
        err = -ENOMEM;
    if (service) {
        service->product = text_of(product);
        service->banner = text_of(banner);
        service->confidence = 10;
        service->is_tls = true;
        service->cpe[0] = text_of("cpe:/a:b");
        host->ports[0].service = service;
        if (service->product == NULL || service->banner == NULL || service->cpe[0] == NULL)
            err = -ENOMEM;
    }
    return err;
}

static void check_host(const output_format_t *format, const host_result_t *host,
                       const char *expected)
{
    hbytes_t out = {0};

    assert_int_equal(format->host(&out, &run, host), 0);
    assert_string_equal(out.data, expected);
    hbytes_deinit(&out);
}

/* ---- JSON ------------------------------------------------------------------------------------ */

static void a_line_of_json_has_all_of_a_host(void **state)
{
    host_result_t host;

    (void)state;
    assert_int_equal(make_host(&host, "Open\"SSH", "\x1b\xff"), 0);
    check_host(&output_json, &host,
               "{\"type\":\"host\",\"ip\":\"192.0.2.1\",\"name\":\"<h>.example\","
               "\"mac\":\"00:22:72:01:02:03\",\"vendor\":\"A & B\",\"state\":\"up\","
               "\"reason\":\"arp-response\",\"start\":100,\"end\":101,\"rtt_ms\":1.234,"
               "\"rtt_variance_ms\":0.066,\"ports\":[{\"port\":22,\"protocol\":\"tcp\","
               "\"state\":\"open\",\"reason\":\"syn-ack\",\"ttl\":64,\"service\":\"ssh\","
               "\"tls\":true,\"product\":\"Open\\\"SSH\",\"cpe\":[\"cpe:/a:b\"],"
               "\"confidence\":10,\"banner\":\"\\u001b\\ufffd\"}],"
               "\"not_shown\":[{\"state\":\"closed\",\"protocol\":\"tcp\",\"reason\":\"reset\","
               "\"count\":3,\"ports\":\"23-25\"}]}\n");
    host_result_deinit(&host);
}

static void json_begins_and_ends_with_lines_of_the_scan(void **state)
{
    hbytes_t out = {0};
    totals_t totals = {0};
    run_t r = run;

    (void)state;
    r.error = "interrupted";
    assert_int_equal(output_json.begin(&out, &r), 0);
    assert_int_equal(output_json.end(&out, &r, &totals), 0);
    assert_string_equal(out.data,
                        "{\"type\":\"scan\",\"scanner\":\"hnmap\",\"version\":\"1.0\","
                        "\"args\":\"hnmap <b>\",\"start\":10,\"scans\":[{\"type\":\"syn\","
                        "\"protocol\":\"tcp\",\"count\":4,\"ports\":\"22-25\"}]}\n"
                        "{\"type\":\"done\",\"end\":12,\"elapsed_s\":1.500,\"up\":1,\"down\":2,"
                        "\"total\":3,\"exit\":\"error\",\"error\":\"interrupted\"}\n");
    hbytes_deinit(&out);
}

/* ---- CSV ------------------------------------------------------------------------------------- */

static void a_line_of_csv_is_a_port(void **state)
{
    host_result_t host;

    (void)state;
    assert_int_equal(make_host(&host, "a, \"b\"", "line\r\n2"), 0);
    check_host(
        &output_csv, &host,
        "192.0.2.1,<h>.example,00:22:72:01:02:03,A & B,up,arp-response,,,tcp,22,open,syn-ack,"
        "ssh,yes,\"a, \"\"b\"\"\",,,cpe:/a:b,\"line\r\n2\",\r\n");
    host.port_count = 0;
    check_host(&output_csv, &host,
               "192.0.2.1,<h>.example,00:22:72:01:02:03,A & B,up,arp-response,,,,,,,,,,,,,,\r\n");
    host.port_count = 1;
    host_result_deinit(&host);
}

static void a_spreadsheet_finds_no_formula(void **state)
{
    static const struct {
        const char *said, *field;
    } cases[] = {
        {"=1+1", "\"'=1+1\""},
        {"+1", "\"'+1\""},
        {"-1", "\"'-1\""},
        {"@SUM(A1)", "\"'@SUM(A1)\""},
        {"\t=1", "\"'\t=1\""},
        {"\r=1", "\"'\r=1\""},
        {"  =1", "\"'  =1\""},
        {"\"=1", "\"'\"\"=1\""},
        {"\xef\xbc\x9d"
         "1",
         "\"'\xef\xbc\x9d"
         "1\""},
        {"|cmd", "\"'|cmd\""},
        {"a=1", "a=1"},
        {"\x01\xff", "\"??\""},
        {"", ""},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        host_result_t host;
        hbytes_t out = {0};
        char expected[64] = "cpe:/a:b,";

        assert_int_equal(make_host(&host, "p", cases[i].said), 0);
        assert_int_equal(output_csv.host(&out, &run, &host), 0);
        strncat(expected, cases[i].field, 40);
        strncat(expected, ",\r\n", 4);
        assert_string_equal(strstr(out.data, "cpe:"), expected);
        hbytes_deinit(&out);
        host_result_deinit(&host);
    }
}

/* ---- HTML ------------------------------------------------------------------------------------ */

static void what_a_service_says_is_no_html(void **state)
{
    host_result_t host;
    hbytes_t out = {0};

    (void)state;
    assert_int_equal(make_host(&host, "<script>alert(1)</script>", "\"'><img src=x>"), 0);
    assert_int_equal(output_html.begin(&out, &run), 0);
    assert_non_null(strstr(out.data, "<code>hnmap &lt;b&gt;</code>"));
    hbytes_clear(&out);
    assert_int_equal(output_html.host(&out, &run, &host), 0);
    assert_null(strstr(out.data, "<script"));
    assert_null(strstr(out.data, "<img"));
    assert_null(strstr(out.data, "<h>"));
    assert_non_null(strstr(out.data, "&lt;script&gt;alert(1)&lt;/script&gt;"));
    assert_non_null(strstr(out.data, "data-ip=\"4c0000201\" data-name=\"&lt;h&gt;.example\" "
                                     "data-vendor=\"A &amp; B\" data-open=\"00001\" "
                                     "data-rtt=\"000000001234\""));
    assert_non_null(strstr(out.data, "Not shown: 3 closed tcp ports (reset): 23-25<wbr></p>"));
    hbytes_deinit(&out);
    host_result_deinit(&host);
}

static void the_page_ends_with_the_summary(void **state)
{
    host_result_t host;
    hbytes_t out = {0};
    totals_t totals = {0};
    run_t r = run;

    (void)state;
    assert_int_equal(make_host(&host, "p", "b"), 0);
    totals_add(&totals, &host);
    r.error = "interrupted";
    assert_int_equal(output_html.end(&out, &r, &totals), 0);
    assert_non_null(strstr(out.data, "<b>1</b><span>host up</span>"));
    assert_non_null(strstr(out.data, "<b>1.50 s</b><span>for 3 addresses</span>"));
    assert_non_null(strstr(out.data, "<rect class=\"open\" x=\"0.00%\" width=\"25.00%\""));
    assert_non_null(strstr(out.data, "<rect class=\"closed\" x=\"25.00%\" width=\"75.00%\""));
    assert_non_null(strstr(out.data, "22/tcp <span>ssh</span><b>1</b>"));
    assert_non_null(strstr(out.data, "not complete: interrupted"));
    assert_string_equal(out.data + out.len - 8, "</html>\n");
    hbytes_deinit(&out);
    host_result_deinit(&host);
}

/* ---- totals ---------------------------------------------------------------------------------- */

static void totals_count_ports_by_hosts(void **state)
{
    static port_result_t ports[TOTALS_PORTS_MAX + 2];
    host_result_t host = {.ports = ports, .port_count = TOTALS_PORTS_MAX + 2};
    const totals_port_t *taken[2];
    totals_t totals = {0};

    (void)state;
    for (uint16_t i = 0; i < TOTALS_PORTS_MAX + 2; i++)
        ports[i] = (port_result_t){.number = 1 + i, .protocol = IPPROTO_TCP, .state = PORT_OPEN};
    totals_add(&totals, &host);
    assert_int_equal(totals.states[PORT_OPEN], TOTALS_PORTS_MAX + 2);
    assert_int_equal(totals.port_count, TOTALS_PORTS_MAX);
    host.ports += 6;
    host.port_count = 1;
    totals_add(&totals, &host);
    taken[0] = totals_most(&totals, taken, 0);
    assert_int_equal(taken[0]->number, 7);
    assert_int_equal(taken[0]->hosts, 2);
    taken[1] = totals_most(&totals, taken, 1);
    assert_int_equal(taken[1]->number, 1);
    assert_int_equal(totals_most(&totals, taken, 2)->number, 2);
}

/* ---- without memory -------------------------------------------------------------------------- */

static int report_all(void *arg)
{
    const output_format_t *const formats[] = {&output_json, &output_csv, &output_html};
    totals_t totals = {0};
    hbytes_t out = {0};
    host_result_t host;
    int err = make_host(&host, "a, b", "b\"");

    (void)arg;
    totals_add(&totals, &host);
    for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]) && err == 0; i++) {
        hbytes_deinit(&out);
        err = formats[i]->begin(&out, &run);
        hbytes_deinit(&out);
        if (err == 0)
            err = formats[i]->host(&out, &run, &host);
        hbytes_deinit(&out);
        if (err == 0 && formats[i]->end)
            err = formats[i]->end(&out, &run, &totals);
    }
    host_result_deinit(&host);
    hbytes_deinit(&out);
    return err;
}

static void every_format_tells_that_memory_is_out(void **state)
{
    (void)state;
    oom_run(report_all, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_of_json_has_all_of_a_host),
        cmocka_unit_test(json_begins_and_ends_with_lines_of_the_scan),
        cmocka_unit_test(a_line_of_csv_is_a_port),
        cmocka_unit_test(a_spreadsheet_finds_no_formula),
        cmocka_unit_test(what_a_service_says_is_no_html),
        cmocka_unit_test(the_page_ends_with_the_summary),
        cmocka_unit_test(totals_count_ports_by_hosts),
        cmocka_unit_test(every_format_tells_that_memory_is_out),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
