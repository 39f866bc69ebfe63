/* One thread. */
#include "../../cmd/hcurl/meter.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "oom.h"

#define SECOND 1000000ULL

static void sizes_take_their_columns(void **state)
{
    static const struct {
        int64_t bytes;
        const char *six, *five;
    } cases[] = {
        {0, "     0", "    0"},           {99999, " 99999", "99999"},
        {100000, "97.65k", "97.6k"},      {131072, "128.0k", " 128k"},
        {12645826, "12.05M", "12.0M"},    {1073741824, " 1.00G", "1024M"},
        {12938588979, "12.04G", "12.0G"}, {1099445657078333, "999.9T", " 999T"},
        {INT64_MAX, " 7.99E", "8191P"},
    };
    char buf[METER_TEXT_SIZE];

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_string_equal(meter_size(cases[i].bytes, 6, buf), cases[i].six);
        assert_string_equal(meter_size(cases[i].bytes, 5, buf), cases[i].five);
    }
}

static void spans_take_their_columns(void **state)
{
    static const struct {
        int64_t seconds;
        const char *seven, *eight;
    } cases[] = {
        {-5, "       ", "        "},
        {0, "       ", "        "},
        {1, "  00:01", "00:00:01"},
        {3599, "  59:59", "00:59:59"},
        {3661, "1:01:01", "01:01:01"},
        {36000, "10h 00m", "10:00:00"},
        {359999, "99h 59m", "99:59:59"},
        {524287, " 6d 01h", "  6d 01h"},
        {134217727, "    51m", " 51m 23d"},
        {4294967295, "   136y", "    136y"},
        {4398046511103, ">99999y", " >99999y"},
    };
    char buf[METER_TEXT_SIZE];

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_string_equal(meter_span(cases[i].seconds, 7, buf), cases[i].seven);
        assert_string_equal(meter_span(cases[i].seconds, 8, buf), cases[i].eight);
    }
}

static void no_figure_is_wider_than_its_column(void **state)
{
    char buf[METER_TEXT_SIZE];

    (void)state;
    for (int64_t n = 0; n < INT64_MAX / 2; n = n * 2 + 1) {
        assert_int_equal(strlen(meter_size(n, 6, buf)), 6);
        assert_int_equal(strlen(meter_size(n, 5, buf)), 5);
        assert_int_equal(strlen(meter_span(n, 7, buf)), 7);
        assert_int_equal(strlen(meter_span(n, 8, buf)), 8);
    }
}

static void draws(meter_t *meter, const meter_figures_t *figures, uint64_t at_us,
                  const char *expected)
{
    hbytes_t out = {0};

    assert_int_equal(meter_table(meter, figures, at_us, &out), 0);
    assert_string_equal(out.data, expected);
    hbytes_deinit(&out);
}

static void the_table_fills(void **state)
{
    meter_t meter;

    (void)state;
    meter_init(&meter, 0, 5);
    draws(&meter, &(meter_figures_t){0, -1, 0, -1}, 5,
          "  % Total    % Received % Xferd  Average Speed  Time    Time    Time   Current\n"
          "                                 Dload  Upload  Total   Spent   Left   Speed\n"
          "\r  0      0   0      0   0      0      0      0                              0");
    draws(&meter, &(meter_figures_t){2000, 8000, 0, -1}, 2 * SECOND + 5,
          "\r 25   8000  25   2000   0      0   1000      0   00:08   00:02   00:06   1000");
    draws(&meter, &(meter_figures_t){8000, 8000, 0, -1}, 4 * SECOND + 5,
          "\r100   8000 100   8000   0      0   2000      0   00:04   00:04           2000");
}

static void a_resumed_table_says_from_where(void **state)
{
    hbytes_t out = {0};
    meter_t meter;

    (void)state;
    meter_init(&meter, 100, 0);
    assert_int_equal(meter_table(&meter, &(meter_figures_t){0, -1, 0, -1}, 0, &out), 0);
    assert_ptr_equal(strstr(out.data, "** Resuming transfer from byte position 100\n  % Total"),
                     out.data);
    hbytes_deinit(&out);
}

/* A server that sends more than it said; another try that begins with nothing. */
static void there_is_no_more_than_all_and_no_less_than_nothing(void **state)
{
    meter_t meter;

    (void)state;
    meter_init(&meter, 0, 0);
    meter.begun = true;
    draws(&meter, &(meter_figures_t){3000, 2000, 0, -1}, SECOND,
          "\r100   2000 100   3000   0      0   3000      0           00:01           3000");
    draws(&meter, &(meter_figures_t){10, 2000, 0, -1}, 3 * SECOND,
          "\r  0   2000   0     10   0      0      3      0   11:06   00:03   11:03      0");
}

static void bar(meter_t *meter, const meter_figures_t *figures, size_t width, const char *expected)
{
    hbytes_t out = {0};

    assert_int_equal(meter_bar(meter, figures, width, &out), 0);
    assert_string_equal(out.data != NULL ? out.data : "", expected);
    hbytes_deinit(&out);
}

static void the_bar_fills(void **state)
{
    meter_t meter;

    (void)state;
    meter_init(&meter, 0, 0);
    bar(&meter, &(meter_figures_t){0, -1, 0, -1}, 27, "");
    bar(&meter, &(meter_figures_t){0, 100, 0, -1}, 27, "\r                       0.0%");
    bar(&meter, &(meter_figures_t){50, 100, 0, -1}, 27, "\r##########            50.0%");
    bar(&meter, &(meter_figures_t){50, 100, 0, -1}, 27, ""); /* nothing new */
    bar(&meter, &(meter_figures_t){150, 100, 0, -1}, 27, "\r#################### 100.0%");
    bar(&meter, &(meter_figures_t){100, 100, 0, -1}, 2, "\r############# 100.0%");
}

static void a_resumed_bar_counts_what_was_there(void **state)
{
    meter_t meter;

    (void)state;
    meter_init(&meter, 300, 0);
    bar(&meter, &(meter_figures_t){0, -1, 0, -1}, 27, "");
    bar(&meter, &(meter_figures_t){50, 100, 0, -1}, 27, "\r#################     87.5%");
}

/* Only that it moves, and stays within the width. */
static void of_an_unknown_size_a_ship_flies(void **state)
{
    char last[METER_WIDTH_MAX + 2] = "";
    meter_t meter;

    (void)state;
    for (size_t width = METER_WIDTH_MIN; width <= METER_WIDTH_MAX; width += 19) {
        meter_init(&meter, 0, 0);
        for (int64_t i = 1; i < 900; i++) {
            hbytes_t out = {0};

            assert_int_equal(meter_bar(&meter, &(meter_figures_t){i, -1, 0, -1}, width, &out), 0);
            assert_int_equal(out.len, width + 1);
            assert_non_null(strchr(out.data, '#'));
            assert_string_not_equal(out.data, last);
            memcpy(last, out.data, out.len + 1);
            hbytes_deinit(&out);
        }
    }
}

static void one_line_for_all(void **state)
{
    hbytes_t out = {0};
    meter_t meter;

    (void)state;
    meter_init(&meter, 0, 0);
    assert_int_equal(meter_all(&meter, &(meter_figures_t){0, -1, 0, -1}, 2, 2, 0, &out), 0);
    assert_int_equal(
        meter_all(&meter, &(meter_figures_t){4000, 16000, 0, 0}, 3, 1, 2 * SECOND, &out), 0);
    assert_string_equal(
        out.data, "DL% UL%  Dled  Uled  Xfers  Live Total     Current  Left    Speed\n"
                  "\r--  --      0     0     2     2                                 0      "
                  "\r 25 --   4000     0     3     1  00:00:08 00:00:02 00:00:06  2000      ");
    hbytes_deinit(&out);
}

static int draw_without_memory(void *arg)
{
    const meter_figures_t figures = {1, 2, 3, 4};
    hbytes_t out = {0};
    meter_t meter;
    int status;

    (void)arg;
    meter_init(&meter, 0, 0);
    status = meter_table(&meter, &figures, SECOND, &out);
    hbytes_deinit(&out);
    if (status == 0)
        status = meter_bar(&meter, &figures, 300, &out);
    hbytes_deinit(&out);
    return status;
}

static void memory_runs_out(void **state)
{
    (void)state;
    oom_run(draw_without_memory, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sizes_take_their_columns),
        cmocka_unit_test(spans_take_their_columns),
        cmocka_unit_test(no_figure_is_wider_than_its_column),
        cmocka_unit_test(the_table_fills),
        cmocka_unit_test(a_resumed_table_says_from_where),
        cmocka_unit_test(there_is_no_more_than_all_and_no_less_than_nothing),
        cmocka_unit_test(the_bar_fills),
        cmocka_unit_test(a_resumed_bar_counts_what_was_there),
        cmocka_unit_test(of_an_unknown_size_a_ship_flies),
        cmocka_unit_test(one_line_for_all),
        cmocka_unit_test(memory_runs_out),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
