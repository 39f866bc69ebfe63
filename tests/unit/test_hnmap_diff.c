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
#include "../../cmd/hnmap/output.h"
#include "base/herr.h"
#include "base/hmem.h"
#include "folder_fixture.h"
#include "oom.h"

#include <errno.h>
#include <netinet/in.h>

#ifndef HNET_WITH_JANSSON
#define HNET_WITH_JANSSON 0
#endif

#define HEAD "<?xml version=\"1.0\"?>\n<!DOCTYPE nmaprun>\n<!-- a > b -->\n<nmaprun args='x'>"
#define REPORT                                                                                     \
    HEAD                                                                                           \
        "<hosthint><status state=\"up\"/><address addr=\"192.0.2.9\" addrtype=\"ipv4\"/>"          \
        "</hosthint>\n<host><status state=\"up\" reason=\"x\"/>\n"                                 \
        "<address addr=\"192.0.2.1\" addrtype=\"ipv4\"/>"                                          \
        "<address addr=\"00:22:72:01:02:03\" addrtype=\"mac\"/>\n<ports>"                          \
        "<extraports state=\"closed\" count=\"3\"><extrareasons reason=\"reset\" count=\"3\" "     \
        "proto=\"tcp\" ports=\"23-25\"/></extraports>"                                             \
        "<port protocol=\"tcp\" portid=\"22\"><state state=\"open\"/><service name=\"ssh\" "       \
        "product=\"Open&amp;&#x53;SH\" version=\"9.2\" method=\"probed\" conf=\"10\"><cpe>c</cpe>" \
        "</service></port></ports></host>\n"                                                       \
        "<host><status state=\"down\"/><address addr=\"2001:db8::1\" addrtype=\"ipv6\"/></host>"   \
        "\n<runstats/></nmaprun>\n"

static int parse(earlier_t *earlier, const char *text, size_t len)
{
    char *copy = malloc(len + 1); /* nothing behind it is read */
    hbytes_t why = {0};
    int status;

    memcpy(copy, text, len);
    copy = realloc(copy, len ? len : 1);
    status = earlier_parse(earlier, copy, len, &why);
    if (status != 0 && status != -ENOMEM)
        assert_true(why.len > 0);
    hbytes_deinit(&why);
    free(copy);
    return status;
}

/* ---- reading --------------------------------------------------------------------------------- */

static void hosts_and_ports_are_read_from_xml(void **state)
{
    earlier_t earlier;
    const earlier_host_t *host;
    haddr_t addr;

    (void)state;
    assert_int_equal(parse(&earlier, REPORT, strlen(REPORT)), 0);
    assert_int_equal(earlier.count, 2); /* without the hint */
    haddr_parse(&addr, "192.0.2.1", 0);
    host = earlier_find(&earlier, &addr);
    assert_non_null(host);
    assert_int_equal(host->state, HOST_UP);
    assert_int_equal(host->port_count, 1);
    assert_int_equal(host->ports[0].number, 22);
    assert_int_equal(host->ports[0].state, PORT_OPEN);
    assert_string_equal(host->ports[0].service, "ssh Open&SSH 9.2");
    assert_int_equal(host->group_count, 1);
    assert_string_equal(host->groups[0].ports, "23-25");
    assert_int_equal(host->groups[0].state, PORT_CLOSED);
    haddr_parse(&addr, "2001:db8::1", 0);
    assert_int_equal(earlier_find(&earlier, &addr)->state, HOST_DOWN);
    haddr_parse(&addr, "192.0.2.9", 0);
    assert_null(earlier_find(&earlier, &addr));
    earlier_free(&earlier);
}

static void a_report_that_is_cut_off_is_refused(void **state)
{
    size_t whole = strlen(REPORT) - 1; /* the newline may be missing */

    (void)state;
    for (size_t len = 0; len < whole; len++) {
        earlier_t earlier;

        assert_int_equal(parse(&earlier, REPORT, len), HERR_SYNTAX);
        assert_int_equal(earlier.count, 0);
    }
}

static void what_is_no_report_is_refused(void **state)
{
    static const char *const cases[] = {
        "",
        "text",
        "<a/>",
        "<nmaprun",
        "<nmaprun/><nmaprun/>",
        "<nmaprun></host>",
        "<nmaprun a></nmaprun>",
        "<nmaprun a=b></nmaprun>",
        "<nmaprun a=\"<\"/>",
        "<nmaprun a=\"&x;\"/>",
        "<nmaprun a=\"&#xzz;\"/>",
        "<nmaprun a=\"&#;\"/>",
        "<!DOCTYPE nmaprun [<!ENTITY a \"b\">]><nmaprun/>",
        "<nmaprun><host></host></nmaprun>",
        "<nmaprun><host><address addr=\"x\" addrtype=\"ipv4\"/></host></nmaprun>",
        "<nmaprun><host><ports><port portid=\"65536\"/></ports></host></nmaprun>",
        "<nmaprun><a><a><a><a><a><a><a><a><a><a><a><a><a><a><a><a><a></a>",
        "{}",
        "{\"type\":\"host\"}",
        "{\"type\":\"scan\"}\n{\"type\":\"host\"}",
        "{\"type\":\"scan\"}\n{\"type\":\"host\",\"ip\":\"192.0.2.1\",\"ports\":[{\"port\":-1}]}",
        "{\"type\":\"scan\"}\n{\"type\":\"ho",
        "{\"type\":\"scan\",\"type\":\"scan\"}",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        earlier_t earlier;

        if (parse(&earlier, cases[i], strlen(cases[i])) == 0)
            fail_msg("'%s' was read", cases[i]);
    }
}

static void ranges_of_ports_are_read(void **state)
{
    static const char *const wrong[] = {
        "a", "1-", "-1", "1,,2", "2-1", "65536", "1-65536", "1;2", "99999999999999999999", "1-2-3"};
    static uint8_t states[UINT16_MAX + 1];

    (void)state;
    assert_int_equal(earlier_ranges(states, "1,3-4,65535", PORT_OPEN), 0);
    for (size_t i = 0; i < sizeof(states); i++)
        assert_int_equal(states[i],
                         i == 1 || i == 3 || i == 4 || i == 65535 ? PORT_OPEN : PORT_UNKNOWN);
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        assert_int_equal(earlier_ranges(states, wrong[i], PORT_OPEN), HERR_SYNTAX);
}

/* ---- comparing ------------------------------------------------------------------------------- */

/* 22 to 25/tcp in these states, one letter each (o, c, f), of which as many as few are in groups;
 * version of what is on 22. 0 or -ENOMEM. */
static int make_host(host_result_t *host, const char *ip, const char *states, const char *version)
{
    port_result_t ports[4];
    size_t count = strlen(states);
    int err;

    *host = (host_result_t){.state = HOST_UP, .has_ports = true};
    haddr_parse(&host->addr, ip, 0);
    for (size_t i = 0; i < count; i++)
        ports[i] = (port_result_t){.number = (uint16_t)(22 + i),
                                   .protocol = IPPROTO_TCP,
                                   .state = states[i] == 'o'   ? PORT_OPEN
                                            : states[i] == 'c' ? PORT_CLOSED
                                                               : PORT_FILTERED};
    err = host_result_divide(host, ports, count, 2, false);
    if (err == 0 && version) {
        service_t *service = host->ports[0].service = hmem_zalloc(sizeof(*service));

        if (service == NULL)
            return -ENOMEM;
        service->confidence = 10;
        service->name = hmem_strdup("ssh");
        service->product = hmem_strdup("Open&SSH");
        service->version = hmem_strdup(version);
        err = service->name && service->product && service->version ? 0 : -ENOMEM;
    }
    return err;
}

static void open_diff(const folder_t *folder, const char *report, diff_t **diff)
{
    static char path[128];

    folder_write(folder, "old", report);
    snprintf(path, sizeof(path), "%s/old", folder->path);
    assert_int_equal(diff_open(diff, path), 0);
}

/* The lines about a host that has changed so. */
static void check_changes(const folder_t *folder, const char *ip, const char *states,
                          const char *version, const char *expected)
{
    host_result_t host;
    hbytes_t out = {0};
    diff_t *diff;

    open_diff(folder, REPORT, &diff);
    assert_int_equal(make_host(&host, ip, states, version), 0);
    assert_int_equal(diff_host(diff, &host), 0);
    assert_int_equal(diff_write(diff, &out), 0);
    if (strncmp(out.data, expected, strlen(expected)) != 0)
        assert_string_equal(out.data, expected);
    assert_non_null(strstr(out.data, *expected ? "change" : "Nothing has changed since /tmp/"));
    assert_int_equal(diff_count(diff) == 0, *expected == '\0');
    hbytes_deinit(&out);
    host_result_deinit(&host);
    diff_free(diff);
}

static void changes_are_told(void **state)
{
    const folder_t *folder = *state;

    check_changes(folder, "192.0.2.1", "occc", "9.2", "");
    check_changes(folder, "192.0.2.1", "occc", NULL, ""); /* what answers was not asked */
    check_changes(folder, "192.0.2.1", "oc", NULL, "");   /* nor were these ports */
    check_changes(folder, "192.0.2.1", "occc", "9.\x1b",
                  "192.0.2.1: 22/tcp is ssh Open&SSH 9.\\x1b, was ssh Open&SSH 9.2\n1 change ");
    check_changes(folder, "192.0.2.1", "coof", NULL,
                  "192.0.2.1: 23-24/tcp open, was closed\n"
                  "192.0.2.1: 25/tcp filtered, was closed\n"
                  "192.0.2.1: 22/tcp closed, was open\n3 changes ");
    check_changes(folder, "2001:db8::1", "occc", NULL,
                  "2001:db8::1: host is up, was down\n"
                  "2001:db8::1: 22/tcp open, was not told of\n2 changes ");
    check_changes(folder, "192.0.2.7", "c", NULL,
                  "192.0.2.7: host is up, was not told of\n1 change ");
}

static void a_host_that_is_down_now_is_told(void **state)
{
    host_result_t host = {.state = HOST_DOWN};
    hbytes_t out = {0};
    diff_t *diff;

    open_diff(*state, REPORT, &diff);
    haddr_parse(&host.addr, "2001:db8::1", 0);
    assert_int_equal(diff_host(diff, &host), 0);
    haddr_parse(&host.addr, "192.0.2.200", 0);
    assert_int_equal(diff_host(diff, &host), 0);
    assert_int_equal(diff_count(diff), 0);
    haddr_parse(&host.addr, "192.0.2.1", 0);
    assert_int_equal(diff_host(diff, &host), 0);
    host.state = HOST_UNKNOWN;
    assert_int_equal(diff_host(diff, &host), 0);
    assert_int_equal(diff_write(diff, &out), 0);
    assert_int_equal(strncmp(out.data, "192.0.2.1: host is down, was up\n1 change since", 46), 0);
    hbytes_deinit(&out);
    diff_free(diff);
}

static void our_own_reports_have_not_changed(void **state)
{
    static const run_t run = {.version = "1", .args = "hnmap"};
    const output_format_t *const formats[] = {&output_xml, &output_json};
    const size_t count = HNET_WITH_JANSSON ? 2 : 1;
    const totals_t totals = {0};

    for (size_t i = 0; i < count; i++) {
        host_result_t host;
        hbytes_t out = {0};
        diff_t *diff;

        assert_int_equal(make_host(&host, "2001:db8::2", "ofcc", "<\"9\">"), 0);
        assert_int_equal(formats[i]->begin(&out, &run), 0);
        assert_int_equal(formats[i]->host(&out, &run, &host), 0);
        assert_int_equal(formats[i]->end(&out, &run, &totals), 0);
        open_diff(*state, out.data, &diff);
        assert_int_equal(diff_host(diff, &host), 0);
        assert_int_equal(diff_count(diff), 0);
        hmem_free(host.ports[0].service->version);
        host.ports[0].service->version = hmem_strdup("8");
        assert_int_equal(diff_host(diff, &host), 0);
        assert_int_equal(diff_count(diff), 1);
        diff_free(diff);
        host_result_deinit(&host);
        hbytes_deinit(&out);
    }
}

/* ---- without memory -------------------------------------------------------------------------- */

#define LINES                                                                                      \
    "{\"type\":\"scan\"}\n{\"type\":\"host\",\"ip\":\"192.0.2.1\",\"state\":\"up\",\"ports\":["    \
    "{\"port\":22,\"protocol\":\"tcp\",\"state\":\"open\",\"service\":\"ssh\",\"confidence\":10}]" \
    ","                                                                                            \
    "\"not_shown\":[{\"state\":\"closed\",\"protocol\":\"tcp\",\"ports\":\"23-25\"}]}\n"

static int compare_all(void *arg)
{
    const char *const reports[] = {REPORT, LINES};
    int err = 0;

    (void)arg;
    for (size_t i = 0; i < (HNET_WITH_JANSSON ? 2 : 1) && err == 0; i++) {
        earlier_t earlier;
        hbytes_t why = {0};

        err = earlier_parse(&earlier, reports[i], strlen(reports[i]), &why);
        hbytes_deinit(&why);
        earlier_free(&earlier);
    }
    return err;
}

static void reading_tells_that_memory_is_out(void **state)
{
    (void)state;
    oom_run(compare_all, NULL);
}

static int compare_host(void *arg)
{
    diff_t *diff = NULL;
    host_result_t host = {0};
    hbytes_t out = {0};
    int err = diff_open(&diff, arg) == 0 ? 0 : -ENOMEM;

    if (err == 0)
        err = make_host(&host, "192.0.2.1", "coof", NULL);
    if (err == 0)
        err = diff_host(diff, &host);
    if (err == 0)
        err = diff_write(diff, &out);
    hbytes_deinit(&out);
    host_result_deinit(&host);
    diff_free(diff);
    return err;
}

static void comparing_tells_that_memory_is_out(void **state)
{
    const folder_t *folder = *state;
    char path[128];

    folder_write(folder, "old", REPORT);
    snprintf(path, sizeof(path), "%s/old", folder->path);
    oom_run(compare_host, path);
}

#define WITH_FOLDER(test) cmocka_unit_test_setup_teardown(test, folder_make, folder_remove)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hosts_and_ports_are_read_from_xml),
        cmocka_unit_test(a_report_that_is_cut_off_is_refused),
        cmocka_unit_test(what_is_no_report_is_refused),
        cmocka_unit_test(ranges_of_ports_are_read),
        WITH_FOLDER(changes_are_told),
        WITH_FOLDER(a_host_that_is_down_now_is_told),
        WITH_FOLDER(our_own_reports_have_not_changed),
        cmocka_unit_test(reading_tells_that_memory_is_out),
        WITH_FOLDER(comparing_tells_that_memory_is_out),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
