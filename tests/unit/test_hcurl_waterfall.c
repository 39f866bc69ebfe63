/* One thread. */
#include "../../cmd/hcurl/waterfall.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "oom.h"

#define MS 1000

static const http_hop_times_t two[] = {
    {.started_us = 0,
     .resolved_us = 10 * MS,
     .connected_us = 20 * MS,
     .tls_us = 40 * MS,
     .sent_us = 40 * MS + 100,
     .first_byte_us = 70 * MS,
     .ended_us = 80 * MS,
     .status = 301},
    {.started_us = 80 * MS,
     .sent_us = 80 * MS,
     .first_byte_us = 90 * MS,
     .ended_us = 100 * MS,
     .status = 200,
     .reused = true},
};

static void shows(const http_hop_times_t *hops, size_t count, size_t width, const char *expected)
{
    hbytes_t out = {0};

    assert_int_equal(waterfall_format(hops, count, width, false, &out), 0);
    assert_string_equal(out.data != NULL ? out.data : "", expected);
    hbytes_deinit(&out);
}

static void every_phase_has_a_bar(void **state)
{
    (void)state;
    shows(two, 2, 43,
          "1. 301, 80.0 ms\n"
          "  DNS          10.0 ms ##\n"
          "  connect      10.0 ms   ##\n"
          "  TLS          20.0 ms     ####\n"
          "  request       0.1 ms         #\n"
          "  wait         29.9 ms         ######\n"
          "  receive      10.0 ms               ##\n"
          "2. 200, 20.0 ms, on a connection that was there\n"
          "  request       0.0 ms                 #\n"
          "  wait         10.0 ms                 ##\n"
          "  receive      10.0 ms                   ##\n"
          "total 100.0 ms\n");
}

static void what_was_not_answered_is_told(void **state)
{
    static const http_hop_times_t hop = {.started_us = 0, .ended_us = 5 * MS};

    (void)state;
    shows(&hop, 1, 43,
          "1. no answer, 5.0 ms\n"
          "  no reply      5.0 ms ####################\n");
    shows(NULL, 0, 43, "");
}

static void lines_fit_any_width(void **state)
{
    (void)state;
    for (size_t width = 36; width < 2000; width += 7) {
        hbytes_t out = {0};
        const char *line;

        assert_int_equal(waterfall_format(two, 1, width, false, &out), 0);
        for (line = out.data; *line != '\0'; line = strchr(line, '\n') + 1)
            assert_true(strcspn(line, "\n") <= width);
        hbytes_deinit(&out);
    }
}

static void colour_is_switched_off_again(void **state)
{
    hbytes_t out = {0};

    (void)state;
    assert_int_equal(waterfall_format(two, 1, 80, true, &out), 0);
    assert_non_null(strstr(out.data, "\033[33m####"));
    assert_non_null(strstr(out.data, "#\033[0m\n"));
    hbytes_deinit(&out);
}

static int show_without_memory(void *arg)
{
    hbytes_t out = {0};
    int status = waterfall_format(two, 2, 80, true, &out);

    (void)arg;
    hbytes_deinit(&out);
    return status;
}

static void memory_runs_out(void **state)
{
    (void)state;
    oom_run(show_without_memory, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_phase_has_a_bar), cmocka_unit_test(what_was_not_answered_is_told),
        cmocka_unit_test(lines_fit_any_width),   cmocka_unit_test(colour_is_switched_off_again),
        cmocka_unit_test(memory_runs_out),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
