/* One thread. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../../cmd/hcurl/headers.h"
#include "base/herr.h"
#include "oom.h"

#define ARRAY_LENGTH(array) (sizeof(array) / sizeof((array)[0]))

#define FIELD(name, value)                                                                         \
    {                                                                                              \
        {(name), sizeof(name) - 1}, {(value), sizeof(value) - 1}, 0                                \
    }

static const http_field_t moved[] = {FIELD("Location", "/b"), FIELD("X-A", "0")};
static const http_field_t early[] = {FIELD("Link", "</a>")};
static const http_field_t last[] = {FIELD("X-A", "1"), FIELD("x-b", "q\"\\"), FIELD("x-a", "2"),
                                    FIELD("X-Empty", "")};
static const http_field_t trailer[] = {FIELD("X-A", "trailer")};

static int collect(headers_t *headers)
{
    int err = headers_add(headers, HTTP_HOP_CONNECT, early, 1);

    err = err ? err : headers_add(headers, HTTP_HOP_REDIRECT, moved, ARRAY_LENGTH(moved));
    err = err ? err : headers_add(headers, HTTP_HOP_INTERIM, early, 1);
    err = err ? err : headers_add(headers, HTTP_HOP_FINAL, last, ARRAY_LENGTH(last));
    return err ? err : headers_add_trailers(headers, trailer, 1);
}

/* All values of a name, with commas between. */
static void has(const headers_t *headers, const char *name, bool all, const char *expected)
{
    hbytes_t found = {0};
    size_t index = 0;
    header_t header;

    hbytes_append_str(&found, "");
    while (headers_find(headers, name, all, &index, &header))
        hbytes_printf(&found, "%s,", header.value);
    assert_string_equal(found.data ? found.data : "", expected);
    hbytes_deinit(&found);
}

static void fields_are_found_by_name(void **state)
{
    headers_t headers = {0};

    (void)state;
    has(&headers, "x-a", false, "");
    assert_int_equal(collect(&headers), 0);
    has(&headers, "x-A", false, "1,2,");
    has(&headers, "X-a", true, "0,1,2,");
    has(&headers, "location", false, "");
    has(&headers, "location", true, "/b,");
    has(&headers, "link", true, "");
    has(&headers, "x-empty", false, ",");
    has(&headers, "", true, "");
    assert_int_equal(headers_last_count(&headers), 1);
    assert_int_equal(headers_followed(&headers), 1);
    headers_clear(&headers);
    has(&headers, "x-a", true, "");
    assert_int_equal(headers_followed(&headers), 0);
    headers_deinit(&headers);
}

static void all_come_in_their_order(void **state)
{
    static const char *const names[] = {"Link", "Location", "X-A",     "Link", "X-A",
                                        "x-b",  "x-a",      "X-Empty", "X-A"};
    headers_t headers = {0};
    header_t header;
    size_t count = 0;

    (void)state;
    assert_int_equal(collect(&headers), 0);
    for (; headers_at(&headers, count, &header); count++)
        assert_string_equal(header.name, names[count]);
    assert_int_equal(count, ARRAY_LENGTH(names));
    assert_true(headers_at(&headers, 0, &header) && header.kind == HEADERS_CONNECT);
    assert_true(headers_at(&headers, 3, &header) && header.kind == HEADERS_INTERIM);
    assert_true(headers_at(&headers, 8, &header) && header.kind == HEADERS_TRAILER);
    assert_true(headers_at(&headers, 7, &header) && header.request == 1);
    headers_deinit(&headers);
}

static void the_last_response_is_json(void **state)
{
    headers_t headers = {0};
    hbytes_t out = {0};

    (void)state;
    assert_int_equal(headers_json(&headers, &out), 0);
    assert_string_equal(out.data, "{\n}");
    hbytes_clear(&out);
    assert_int_equal(collect(&headers), 0);
    assert_int_equal(headers_json(&headers, &out), 0);
    assert_string_equal(out.data, "{\"x-a\":[\"1\",\"2\"],\n\"x-b\":[\"q\\\"\\\\\"],\n"
                                  "\"x-empty\":[\"\"]\n}");
    hbytes_deinit(&out);
    headers_deinit(&headers);
}

static void there_is_a_maximum(void **state)
{
    static char big[HEADERS_SIZE_MAX / 4];
    http_field_t field = {HTTP_SPAN("X"), {big, sizeof(big)}, 0};
    headers_t headers = {0};
    int err = 0;

    (void)state;
    memset(big, 'x', sizeof(big));
    for (int i = 0; err == 0 && i < 5; i++)
        err = headers_add(&headers, HTTP_HOP_FINAL, &field, 1);
    assert_int_equal(err, -ENOBUFS);
    assert_int_equal(headers.count, 3);
    field.value.len = 1;
    assert_int_equal(headers_add(&headers, HTTP_HOP_FINAL, &field, 1), 0);
    headers_clear(&headers);
    for (err = 0; err == 0;)
        err = headers_add(&headers, HTTP_HOP_FINAL, &field, 1);
    assert_int_equal(err, -ENOBUFS);
    assert_int_equal(headers.count, HEADERS_COUNT_MAX);
    headers_deinit(&headers);
}

static int scenario(void *arg)
{
    headers_t headers = {0};
    hbytes_t out = {0};
    int err = collect(&headers);

    (void)arg;
    err = err ? err : headers_json(&headers, &out);
    headers_deinit(&headers);
    hbytes_deinit(&out);
    return err;
}

static void memory_may_end(void **state)
{
    (void)state;
    oom_run(scenario, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fields_are_found_by_name),
        cmocka_unit_test(all_come_in_their_order),
        cmocka_unit_test(the_last_response_is_json),
        cmocka_unit_test(there_is_a_maximum),
        cmocka_unit_test(memory_may_end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
