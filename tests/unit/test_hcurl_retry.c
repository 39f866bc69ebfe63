/* One thread. */
/* When hcurl tries again: reasons, delays and limits. */
#include "../../cmd/hcurl/retry.h"
#include "../../cmd/hcurl/status.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define SECOND 1000000u /* us */

/* What retry_again says of an end at now_us: the delay in ms, -1: no further try. */
static int64_t again(retry_t *retry, int status, int http_status, uint64_t now_us)
{
    const retry_end_t end = {.status = status, .http_status = http_status, .retry_after_s = -1};
    hbytes_t text = {0};
    uint32_t delay_ms = 0;
    bool yes = retry_again(retry, &end, now_us, &delay_ms, &text);

    assert_true(yes == (text.len > 0));
    hbytes_deinit(&text);
    return yes ? (int64_t)delay_ms : -1;
}

static retry_t begin(const retry_options_t *options)
{
    retry_t retry;

    retry_init(&retry, options, 0);
    return retry;
}

static void nothing_is_tried_again_unasked(void **state)
{
    const retry_options_t options = {0};
    retry_t retry = begin(&options);

    (void)state;
    assert_int_equal(again(&retry, STATUS_TIMEOUT, 0, 0), -1);
    assert_int_equal(again(&retry, STATUS_OK, 503, 0), -1);
}

static void delays_double_up_to_ten_minutes(void **state)
{
    const retry_options_t options = {.count = 14};
    retry_t retry = begin(&options);
    int64_t expected = 1000;

    (void)state;
    for (int i = 0; i < 14; i++) {
        assert_int_equal(again(&retry, STATUS_TIMEOUT, 0, 0), expected);
        expected = expected * 2 > RETRY_DELAY_MAX_MS ? RETRY_DELAY_MAX_MS : expected * 2;
    }
    assert_int_equal(expected, RETRY_DELAY_MAX_MS);
    assert_int_equal(again(&retry, STATUS_TIMEOUT, 0, 0), -1);
    assert_int_equal(retry.done, 14);
}

static void a_delay_that_is_given_stays(void **state)
{
    const retry_options_t options = {.count = 3, .delay_ms = 250};
    retry_t retry = begin(&options);

    (void)state;
    for (int i = 0; i < 3; i++)
        assert_int_equal(again(&retry, STATUS_RESOLVE, 0, 0), 250);
}

static void what_is_a_reason(void **state)
{
    static const int transient[] = {408, 429, 500, 502, 503, 504, 522, 524};
    static const int lasting[] = {200, 400, 404, 501, 505, 599};
    const retry_options_t options = {.count = 100};
    retry_t retry = begin(&options);

    (void)state;
    for (size_t i = 0; i < sizeof(transient) / sizeof(transient[0]); i++) {
        assert_true(again(&retry, STATUS_OK, transient[i], 0) > 0);
        assert_true(again(&retry, STATUS_HTTP, transient[i], 0) > 0);
        assert_int_equal(again(&retry, STATUS_WRITE, transient[i], 0), -1);
    }
    for (size_t i = 0; i < sizeof(lasting) / sizeof(lasting[0]); i++)
        assert_int_equal(again(&retry, STATUS_HTTP, lasting[i], 0), -1);
    assert_int_equal(again(&retry, STATUS_PARTIAL, 200, 0), -1);
    assert_int_equal(again(&retry, STATUS_CONNECT, 0, 0), -1);
}

static void all_errors_but_no_success(void **state)
{
    const retry_options_t options = {.count = 100, .all_errors = true};
    retry_t retry = begin(&options);
    const retry_end_t last = {.status = STATUS_PARTIAL, .final = true};
    hbytes_t text = {0};
    uint32_t delay_ms;

    (void)state;
    assert_true(again(&retry, STATUS_PARTIAL, 200, 0) > 0);
    assert_true(again(&retry, STATUS_HTTP, 404, 0) > 0);
    assert_int_equal(again(&retry, STATUS_OK, 404, 0), -1);
    assert_false(retry_again(&retry, &last, 0, &delay_ms, &text));
    hbytes_deinit(&text);
}

static void a_refused_connection_when_it_is_asked_for(void **state)
{
    const retry_options_t options = {.count = 2, .connrefused = true};
    retry_end_t end = {.status = STATUS_CONNECT, .refused = true, .retry_after_s = -1};
    retry_t retry = begin(&options);
    hbytes_t text = {0};
    uint32_t delay_ms = 0;

    (void)state;
    assert_true(retry_again(&retry, &end, 0, &delay_ms, &text));
    assert_string_equal(text.data, "next try in 1 second, 2 retries left: connection refused");
    end.refused = false;
    assert_false(retry_again(&retry, &end, 0, &delay_ms, &text));
    hbytes_deinit(&text);
}

static void an_error_is_the_reason_that_is_told(void **state)
{
    const retry_options_t options = {.count = 2, .all_errors = true};
    retry_end_t end = {.status = STATUS_HTTP, .error = "error 404", .retry_after_s = -1};
    retry_t retry = begin(&options);
    hbytes_t text = {0};
    uint32_t delay_ms = 0;

    (void)state;
    assert_true(retry_again(&retry, &end, 0, &delay_ms, &text));
    assert_string_equal(text.data, "next try in 1 second, 2 retries left: error 404");
    hbytes_clear(&text);
    end.error = "";
    assert_true(retry_again(&retry, &end, 0, &delay_ms, &text));
    assert_string_equal(text.data, "next try in 2 seconds, 1 retry left: it failed");
    hbytes_deinit(&text);
}

static void the_time_for_all_of_it_runs_out(void **state)
{
    const retry_options_t options = {.count = 100, .time_max_ms = 5000};
    retry_t retry = begin(&options);

    (void)state;
    assert_true(again(&retry, STATUS_TIMEOUT, 0, 4 * SECOND) > 0);
    assert_int_equal(again(&retry, STATUS_TIMEOUT, 0, 5 * SECOND), -1);
}

/* The delay when the server wishes one; -1: no further try, and it is told why. */
static int64_t wished(const retry_options_t *options, int64_t retry_after_s)
{
    const retry_end_t end = {
        .status = STATUS_HTTP, .http_status = 503, .retry_after_s = retry_after_s};
    retry_t retry = begin(options);
    hbytes_t text = {0};
    uint32_t delay_ms = 0;
    bool yes = retry_again(&retry, &end, 2 * SECOND, &delay_ms, &text);

    assert_true(text.len > 0);
    hbytes_deinit(&text);
    return yes ? (int64_t)delay_ms : -1;
}

static void the_wish_of_the_server_counts(void **state)
{
    const retry_options_t plain = {.count = 1, .delay_ms = 10};
    const retry_options_t limited = {.count = 1, .delay_ms = 10, .time_max_ms = 10000};

    (void)state;
    assert_int_equal(wished(&plain, 0), 10);
    assert_int_equal(wished(&plain, 7), 7000);
    assert_int_equal(wished(&plain, 24 * 3600), 24 * 3600 * 1000);
    assert_int_equal(wished(&plain, 24 * 3600 + 1), -1);
    assert_int_equal(wished(&plain, INT64_MAX), -1);
    assert_int_equal(wished(&limited, 8), 8000);
    assert_int_equal(wished(&limited, 9), -1);
}

static void retry_after_is_seconds_or_a_date(void **state)
{
    const int64_t now_s = 784111777; /* Sun, 06 Nov 1994 08:49:37 GMT */

    (void)state;
    assert_int_equal(retry_after_parse(HTTP_SPAN("120"), now_s), 120);
    assert_int_equal(retry_after_parse(HTTP_SPAN("0"), now_s), 0);
    assert_int_equal(retry_after_parse(HTTP_SPAN("Sun, 06 Nov 1994 08:50:37 GMT"), now_s), 60);
    assert_int_equal(retry_after_parse(HTTP_SPAN("Sun, 06 Nov 1994 08:49:36 GMT"), now_s), 0);
    assert_true(retry_after_parse(HTTP_SPAN("99999999999999999999999999"), now_s) >= INT32_MAX);
    assert_int_equal(retry_after_parse(HTTP_SPAN("soon"), now_s), -1);
    assert_int_equal(retry_after_parse(HTTP_SPAN("12 s"), now_s), -1);
    assert_int_equal(retry_after_parse(HTTP_SPAN("-1"), now_s), -1);
    assert_int_equal(retry_after_parse(HTTP_SPAN(""), now_s), -1);
}

static void robust_is_a_preset(void **state)
{
    retry_options_t options = {.robust = true}, given = {.robust = true, .count = 3}, none = {0};

    (void)state;
    retry_preset(&options);
    assert_true(options.count == RETRY_ROBUST_COUNT && options.all_errors && options.connrefused);
    retry_preset(&given);
    assert_int_equal(given.count, 3);
    retry_preset(&none);
    assert_true(none.count == 0 && !none.all_errors);
}

static void each_fault_has_a_status_and_words(void **state)
{
    (void)state;
    assert_int_equal(status_of_fault(HTTP_FAULT_NONE), 0);
    for (int fault = HTTP_FAULT_SCHEME; fault <= HTTP_FAULT_USAGE; fault++) {
        int status = status_of_fault((http_fault_e)fault);

        assert_true(status > 0);
        assert_string_not_equal(status_words(status), "unknown error");
    }
    assert_int_equal(status_of_fault(HTTP_FAULT_CERTIFICATE), 60);
    assert_int_equal(status_of_fault((http_fault_e)10000), STATUS_ARGUMENT);
    assert_string_equal(status_words(10000), "unknown error");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_tried_again_unasked),
        cmocka_unit_test(delays_double_up_to_ten_minutes),
        cmocka_unit_test(a_delay_that_is_given_stays),
        cmocka_unit_test(what_is_a_reason),
        cmocka_unit_test(all_errors_but_no_success),
        cmocka_unit_test(a_refused_connection_when_it_is_asked_for),
        cmocka_unit_test(an_error_is_the_reason_that_is_told),
        cmocka_unit_test(the_time_for_all_of_it_runs_out),
        cmocka_unit_test(the_wish_of_the_server_counts),
        cmocka_unit_test(retry_after_is_seconds_or_a_date),
        cmocka_unit_test(robust_is_a_preset),
        cmocka_unit_test(each_fault_has_a_status_and_words),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
