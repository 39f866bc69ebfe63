/* One thread. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "codec/prometheus_text.h"
#include "oom.h"

static const prometheus_text_bound_t bounds[] = {
    {1000, "0.001"}, {1000000, "1"}, {UINT64_MAX, "+Inf"}};

static void samples_stand_below_their_family(void **state)
{
    hbytes_t out = {0};
    prometheus_text_t p;

    (void)state;
    prometheus_text_init(&p, &out);
    prometheus_text_family(&p, "x_total", "counter", "Things.");
    prometheus_text_label(&p, "a", "one");
    prometheus_text_label(&p, "b", "two");
    prometheus_text_uint(&p, UINT64_MAX);
    prometheus_text_uint(&p, 0);
    prometheus_text_family(&p, "y_seconds", "gauge", "Time.");
    prometheus_text_fixed(&p, 1000007, 6);
    assert_int_equal(prometheus_text_finish(&p), 0);
    assert_string_equal(out.data, "# HELP x_total Things.\n# TYPE x_total counter\n"
                                  "x_total{a=\"one\",b=\"two\"} 18446744073709551615\n"
                                  "x_total 0\n"
                                  "# HELP y_seconds Time.\n# TYPE y_seconds gauge\n"
                                  "y_seconds 1.000007\n");
    hbytes_deinit(&out);
}

static void values_of_labels_are_escaped(void **state)
{
    hbytes_t out = {0};
    prometheus_text_t p;

    (void)state;
    prometheus_text_init(&p, &out);
    prometheus_text_family(&p, "x", "gauge", "X.");
    prometheus_text_label(&p, "l",
                          "a\"b\\c\nd\xff"
                          "e\xc3\xa4");
    prometheus_text_uint(&p, 1);
    assert_int_equal(prometheus_text_finish(&p), 0);
    assert_non_null(strstr(out.data, "x{l=\"a\\\"b\\\\c\\nd\xef\xbf\xbd"
                                     "e\xc3\xa4\"} 1\n"));
    hbytes_deinit(&out);
}

static void a_histogram_adds_up(void **state)
{
    const uint64_t counts[] = {2, 0, 3};
    hbytes_t out = {0};
    prometheus_text_t p;

    (void)state;
    assert_int_equal(prometheus_text_bucket(bounds, 0), 0);
    assert_int_equal(prometheus_text_bucket(bounds, 1000), 0);
    assert_int_equal(prometheus_text_bucket(bounds, 1001), 1);
    assert_int_equal(prometheus_text_bucket(bounds, UINT64_MAX), 2);
    prometheus_text_init(&p, &out);
    prometheus_text_family(&p, "d", "histogram", "D.");
    prometheus_text_label(&p, "l", "v");
    prometheus_text_histogram(&p, bounds, counts, 12500000, 6);
    assert_int_equal(prometheus_text_finish(&p), 0);
    assert_string_equal(strchr(strchr(out.data, '\n') + 1, '\n') + 1,
                        "d_bucket{l=\"v\",le=\"0.001\"} 2\n"
                        "d_bucket{l=\"v\",le=\"1\"} 2\n"
                        "d_bucket{l=\"v\",le=\"+Inf\"} 5\n"
                        "d_sum{l=\"v\"} 12.500000\n"
                        "d_count{l=\"v\"} 5\n");
    hbytes_deinit(&out);
}

static void wrong_calls_are_told_at_the_end(void **state)
{
    hbytes_t out = {0};
    prometheus_text_t p;

    (void)state;
    prometheus_text_init(&p, &out);
    prometheus_text_uint(&p, 1);
    assert_int_equal(prometheus_text_finish(&p), -EINVAL);
    prometheus_text_init(&p, &out);
    prometheus_text_family(&p, "x", "gauge", "X.");
    for (int i = 0; i <= PROMETHEUS_TEXT_LABELS_MAX; i++)
        prometheus_text_label(&p, "l", "v");
    prometheus_text_uint(&p, 1);
    assert_int_equal(prometheus_text_finish(&p), -EINVAL);
    hbytes_deinit(&out);
}

static int write_page(void *arg)
{
    const uint64_t counts[] = {1, 2, 3};
    hbytes_t out = {0};
    prometheus_text_t p;

    (void)arg;
    prometheus_text_init(&p, &out);
    prometheus_text_family(&p, "d", "histogram", "D.");
    for (int i = 0; i < 20; i++) {
        prometheus_text_label(&p, "l", "\"a value\\\n\xff");
        prometheus_text_histogram(&p, bounds, counts, 7, 6);
    }
    hbytes_deinit(&out);
    return prometheus_text_finish(&p);
}

static void out_of_memory_is_told(void **state)
{
    (void)state;
    oom_run(write_page, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(samples_stand_below_their_family),
        cmocka_unit_test(values_of_labels_are_escaped),
        cmocka_unit_test(a_histogram_adds_up),
        cmocka_unit_test(wrong_calls_are_told_at_the_end),
        cmocka_unit_test(out_of_memory_is_told),
    };

    return cmocka_run_group_tests_name("prometheus_text", tests, NULL, NULL);
}
