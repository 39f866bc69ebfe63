/* One thread. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../../cmd/hnmap/view.h"
#include "oom.h"

#define SECOND 1000000u

static const progress_t half = {.elapsed_us = 75 * (uint64_t)SECOND,
                                .stage = "SYN Stealth Scan",
                                .share = 0.5,
                                .rate = 1234.4,
                                .hosts = 256,
                                .hosts_done = 7,
                                .up = 3,
                                .active = 9,
                                .open = 12};

static void assert_line(const progress_t *progress, size_t width, const char *wanted)
{
    char buf[256];

    assert_ptr_equal(view_line_write(buf, sizeof(buf), progress, width), buf);
    assert_string_equal(buf, wanted);
}

static void test_a_line(void **state)
{
    progress_t p = half;

    (void)state;
    assert_line(&p, 200, "SYN Stealth Scan 50%  1234/s  3 up  12 open  1:15 left");
    assert_line(&p, 20, "SYN Stealth Scan 50%");
    assert_line(&p, 0, "");
    p.share = 0.25;
    p.elapsed_us = 3600 * (uint64_t)SECOND;
    assert_line(&p, 200, "SYN Stealth Scan 25%  1234/s  3 up  12 open  3:00:00 left");
    p.share = 1;
    assert_line(&p, 200, "SYN Stealth Scan 100%  1234/s  3 up  12 open  0:00 left");
}

/* Nobody can know yet. */
static void test_no_time_is_guessed_early(void **state)
{
    progress_t p = half;

    (void)state;
    p.elapsed_us = SECOND;
    assert_line(&p, 200, "SYN Stealth Scan 50%  1234/s  3 up  12 open");
    p = half;
    p.share = 0.001;
    assert_line(&p, 200, "SYN Stealth Scan 0%  1234/s  3 up  12 open");
    p = (progress_t){.stage = "Ping Scan"};
    assert_line(&p, 200, "Ping Scan 0%  0/s  0 up  0 open");
}

/* A buffer that is too small for the line, with its end anywhere. */
static void test_a_line_fits_its_buffer(void **state)
{
    char wanted[256];

    (void)state;
    view_line_write(wanted, sizeof(wanted), &half, 200);
    for (size_t size = 1; size <= strlen(wanted) + 1; size++) {
        char *buf = malloc(size);

        view_line_write(buf, size, &half, 200);
        assert_memory_equal(buf, wanted, size - 1);
        assert_int_equal(buf[size - 1], 0);
        free(buf);
    }
}

static void test_status(void **state)
{
    hbytes_t text = {0};
    progress_t p = half;

    (void)state;
    assert_int_equal(view_status_write(&text, &p), 0);
    assert_non_null(strstr(text.data,
                           "Stats: 0:01:15 elapsed; 7 hosts completed (3 up), 9 undergoing SYN "
                           "Stealth Scan\nSYN Stealth Scan Timing: About 50.00% done; ETC: "));
    assert_non_null(strstr(text.data, " (0:01:15 remaining)\n"));
    hbytes_clear(&text);
    p.elapsed_us = 0;
    assert_int_equal(view_status_write(&text, &p), 0);
    assert_string_equal(text.data,
                        "Stats: 0:00:00 elapsed; 7 hosts completed (3 up), 9 undergoing SYN "
                        "Stealth Scan\nSYN Stealth Scan Timing: About 50.00% done\n");
    hbytes_deinit(&text);
}

static int write_status(void *arg)
{
    hbytes_t text = {0};
    int err = view_status_write(&text, arg);

    hbytes_deinit(&text);
    return err;
}

static void test_status_out_of_memory(void **state)
{
    progress_t p = half;

    (void)state;
    oom_run(write_status, &p);
}

/* ---- the view itself ------------------------------------------------------------------------- */

static void tell(void *context, progress_t *progress)
{
    (void)context;
    *progress = half;
}

static int make_view(void *arg)
{
    const output_options_t output = {.noninteractive = true, .stats_every_ms = 1000};
    run_t run = {0};
    const view_options_t options = {.output = &output, .run = &run, .progress = tell};
    hloop_t *loop = hloop_new(0);
    view_t *view = NULL;
    int err = loop == NULL ? -ENOMEM : view_new(loop, &options, &view);

    (void)arg;
    if (err == 0) {
        view_say(view, "not without %s", "-v");
        view_clear(view);
    }
    view_free(view);
    hloop_free(&loop);
    return err;
}

static void test_a_view_out_of_memory(void **state)
{
    (void)state;
    view_clear(NULL);
    view_free(NULL);
    oom_run(make_view, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_line),
        cmocka_unit_test(test_no_time_is_guessed_early),
        cmocka_unit_test(test_a_line_fits_its_buffer),
        cmocka_unit_test(test_status),
        cmocka_unit_test(test_status_out_of_memory),
        cmocka_unit_test(test_a_view_out_of_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
