/* One thread. */
/* Guesses of systems in every format, to the letter; and what is said without one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../../cmd/hnmap/output.h"
#include "../../cmd/hnmap/output_os.h"
#include "base/hmem.h"
#include "oom.h"

static const os_system_t one = {"One 1 - 2", "router",  "Maker",
                                "One",       "1.X|2.X", "cpe:/o:maker:one:1|cpe:/o:maker:one:2"};
static const os_system_t older = {"One 0.9 - 1", "router",  "Maker",
                                  "One",         "0.X|1.X", "cpe:/o:maker:one"};
static const os_system_t two = {"Two", "phone", "Two", "Two", NULL, NULL};

static const os_result_t three = {.guesses = {{&one, 97, 3}, {&older, 90, 4}, {&two, 86, 9}},
                                  .guess_count = 3,
                                  .open_port = 22,
                                  .closed_port = 23,
                                  .has_distance = true,
                                  .distance = 4};

typedef int (*write_fn)(hbytes_t *out, const os_result_t *os);

static void check(write_fn write, const os_result_t *os, const char *expected)
{
    hbytes_t out = {0};

    assert_int_equal(write(&out, os), 0);
    assert_string_equal(out.data ? out.data : "", expected);
    hbytes_deinit(&out);
}

static void for_people(void **state)
{
    (void)state;
    check(output_os_normal, &three,
          "Device type: router|phone\n"
          "Running (JUST GUESSING): Maker One 1.X|2.X|0.X (97%), Two (86%)\n"
          "OS CPE: cpe:/o:maker:one:1 cpe:/o:maker:one:2 cpe:/o:maker:one\n"
          "Aggressive OS guesses: One 1 - 2 (97%), One 0.9 - 1 (90%), Two (86%)\n"
          "No exact OS matches for host (guessed from TTL, window and TCP options).\n"
          "Network Distance: 4 hops\n");
}

static void for_people_without_a_closed_port(void **state)
{
    const os_result_t os = {
        .guesses = {{&two, 86, 9}}, .guess_count = 1, .open_port = 22, .has_distance = false};

    (void)state;
    check(output_os_normal, &os,
          "Warning: OSScan results may be unreliable because we could not find at least 1 open and "
          "1 closed port\n"
          "Device type: phone\nRunning (JUST GUESSING): Two (86%)\n"
          "Aggressive OS guesses: Two (86%)\n"
          "No exact OS matches for host (guessed from TTL, window and TCP options).\n");
}

static void for_people_without_a_guess(void **state)
{
    os_result_t os = {.has_distance = true, .distance = 1};

    (void)state;
    check(output_os_normal, &os,
          "Too many fingerprints match this host to give specific OS details\n"
          "Network Distance: 1 hop\n");
    os.open_port = 22;
    os.distance = 0;
    check(output_os_normal, &os,
          "No OS matches for host (--osscan-guess tells those that are less likely).\n"
          "Network Distance: 0 hops\n");
    check(output_os_normal, NULL, "");
    check(output_os_xml, NULL, "");
    check(output_os_grepable, NULL, "");
}

static void as_xml(void **state)
{
    const os_result_t nothing = {.closed_port = 7};

    (void)state;
    check(output_os_xml, &three,
          "<os><portused state=\"open\" proto=\"tcp\" portid=\"22\"/>\n"
          "<portused state=\"closed\" proto=\"tcp\" portid=\"23\"/>\n"
          "<osmatch name=\"One 1 - 2\" accuracy=\"97\" line=\"3\">\n"
          "<osclass type=\"router\" vendor=\"Maker\" osfamily=\"One\" osgen=\"1.X\" "
          "accuracy=\"97\"><cpe>cpe:/o:maker:one:1</cpe></osclass>\n"
          "<osclass type=\"router\" vendor=\"Maker\" osfamily=\"One\" osgen=\"2.X\" "
          "accuracy=\"97\"><cpe>cpe:/o:maker:one:2</cpe></osclass>\n"
          "</osmatch>\n"
          "<osmatch name=\"One 0.9 - 1\" accuracy=\"90\" line=\"4\">\n"
          "<osclass type=\"router\" vendor=\"Maker\" osfamily=\"One\" osgen=\"0.X\" "
          "accuracy=\"90\"><cpe>cpe:/o:maker:one</cpe></osclass>\n"
          "<osclass type=\"router\" vendor=\"Maker\" osfamily=\"One\" osgen=\"1.X\" "
          "accuracy=\"90\"><cpe>cpe:/o:maker:one</cpe></osclass>\n"
          "</osmatch>\n"
          "<osmatch name=\"Two\" accuracy=\"86\" line=\"9\">\n"
          "<osclass type=\"phone\" vendor=\"Two\" osfamily=\"Two\" accuracy=\"86\"/>\n"
          "</osmatch>\n</os>\n<distance value=\"4\"/>\n");
    check(output_os_xml, &nothing,
          "<os><portused state=\"closed\" proto=\"tcp\" portid=\"7\"/>\n</os>\n");
}

static void as_lines_for_grep(void **state)
{
    const os_result_t nothing = {.open_port = 22};

    (void)state;
    check(output_os_grepable, &three,
          "\tOS: One 1 - 2 (guess, 97%)|One 0.9 - 1 (guess, 90%)|Two (guess, 86%)");
    check(output_os_grepable, &nothing, "");
}

/* ---- within a host --------------------------------------------------------------------------- */

static const run_t run = {.version = "1.0", .args = "hnmap"};

static int make_host(host_result_t *host)
{
    *host = (host_result_t){.state = HOST_UP, .reason = REASON_SYN_ACK, .has_ports = true};
    haddr_any(&host->addr, AF_INET, 0);
    host->os = hmem_zalloc(sizeof(*host->os));
    if (host->os == NULL)
        return -ENOMEM;
    *host->os = three;
    return 0;
}

static void contains(const output_format_t *format, const char *expected)
{
    host_result_t host;
    hbytes_t out = {0};

    assert_int_equal(make_host(&host), 0);
    assert_int_equal(format->host(&out, &run, &host), 0);
    if (strstr(out.data, expected) == NULL)
        fail_msg("%s lacks %s", out.data, expected);
    hbytes_deinit(&out);
    host_result_deinit(&host);
}

static void other_formats(void **state)
{
    (void)state;
    contains(&output_json,
             "\"os_guesses\":[{\"name\":\"One 1 - 2\",\"accuracy\":97,\"type\":\"router\","
             "\"vendor\":\"Maker\",\"family\":\"One\",\"generations\":[\"1.X\",\"2.X\"],"
             "\"cpe\":[\"cpe:/o:maker:one:1\",\"cpe:/o:maker:one:2\"]},");
    contains(&output_json,
             "{\"name\":\"Two\",\"accuracy\":86,\"type\":\"phone\",\"vendor\":\"Two\","
             "\"family\":\"Two\"}],\"distance\":4");
    contains(&output_csv, ",syn-ack,One 1 - 2,97,");
    contains(&output_html, "OS, a guess: One 1 - 2 (97%), One 0.9 - 1 (90%), Two (86%)");
    contains(&output_html, "4 hops away");
}

static int report_all(void *arg)
{
    const output_format_t *const formats[] = {&output_normal, &output_xml, &output_grepable,
                                              &output_json,   &output_csv, &output_html};
    hbytes_t out = {0};
    host_result_t host;
    int err = make_host(&host);

    (void)arg;
    for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]) && err == 0; i++) {
        err = formats[i]->host(&out, &run, &host);
        hbytes_deinit(&out);
    }
    host_result_deinit(&host);
    return err;
}

static void without_memory(void **state)
{
    (void)state;
    oom_run(report_all, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(for_people),
        cmocka_unit_test(for_people_without_a_closed_port),
        cmocka_unit_test(for_people_without_a_guess),
        cmocka_unit_test(as_xml),
        cmocka_unit_test(as_lines_for_grep),
        cmocka_unit_test(other_formats),
        cmocka_unit_test(without_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
