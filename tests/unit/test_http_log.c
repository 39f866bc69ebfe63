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

#include "base/herr.h"
#include "codec/http_log.h"
#include "oom.h"

#define SPAN(text)                                                                                 \
    {                                                                                              \
        (text), sizeof(text) - 1                                                                   \
    }

static const http_log_t all = {
    .client = SPAN("192.0.2.7"),
    .user = SPAN("frank"),
    .method = SPAN("GET"),
    .target = SPAN("/apache_pb.gif?a=\"b\""),
    .version = SPAN("HTTP/1.0"),
    .host = SPAN("example.com"),
    .referer = SPAN("http://www.example.com/start.html"),
    .user_agent = SPAN("Mozilla/4.08 [en] (Win98; I ;Nav)"),
    .request_id = SPAN("0123abcd"),
    .upstream = SPAN("127.0.0.1:8081"),
    .time_ms = 971186136042,
    .zone_min = -7 * 60,
    .duration_us = 1234567,
    .bytes = 2326,
    .status = 200,
};

static void writes(http_log_e format, const http_log_t *entry, const char *line)
{
    hbytes_t out = {0};

    hbytes_append_str(&out, "x");
    assert_int_equal(http_log_write(format, entry, &out), 0);
    assert_string_equal(out.data + 1, line);
    assert_int_equal(out.len, strlen(line) + 1);
    hbytes_deinit(&out);
}

static void test_names(void **state)
{
    (void)state;
    assert_int_equal(http_log_find("common"), HTTP_LOG_COMMON);
    assert_int_equal(http_log_find("combined"), HTTP_LOG_COMBINED);
    assert_int_equal(http_log_find("json"), HTTP_LOG_JSON);
    assert_int_equal(http_log_find("JSON"), -ENOENT);
}

static void test_the_formats(void **state)
{
    (void)state;
    writes(HTTP_LOG_COMMON, &all,
           "192.0.2.7 - frank [10/Oct/2000:06:55:36 -0700] "
           "\"GET /apache_pb.gif?a=\\x22b\\x22 HTTP/1.0\" 200 2326\n");
    writes(HTTP_LOG_COMBINED, &all,
           "192.0.2.7 - frank [10/Oct/2000:06:55:36 -0700] "
           "\"GET /apache_pb.gif?a=\\x22b\\x22 HTTP/1.0\" 200 2326 "
           "\"http://www.example.com/start.html\" \"Mozilla/4.08 [en] (Win98; I ;Nav)\"\n");
    writes(HTTP_LOG_JSON, &all,
           "{\"time\":\"2000-10-10T13:55:36.042Z\",\"client\":\"192.0.2.7\",\"user\":\"frank\","
           "\"method\":\"GET\",\"host\":\"example.com\",\"target\":\"/apache_pb.gif?a=\\\"b\\\"\","
           "\"version\":\"HTTP/1.0\",\"status\":200,\"bytes\":2326,\"duration\":1.234567,"
           "\"referer\":\"http://www.example.com/start.html\","
           "\"user_agent\":\"Mozilla/4.08 [en] (Win98; I ;Nav)\",\"request_id\":\"0123abcd\","
           "\"upstream\":\"127.0.0.1:8081\"}\n");
}

static void test_what_is_not_there(void **state)
{
    http_log_t entry = {0};

    (void)state;
    writes(HTTP_LOG_COMBINED, &entry,
           "- - - [01/Jan/1970:00:00:00 +0000] \"-\" 000 0 \"-\" \"-\"\n");
    writes(HTTP_LOG_JSON, &entry,
           "{\"time\":\"1970-01-01T00:00:00.000Z\",\"status\":0,\"bytes\":0,"
           "\"duration\":0.000000}\n");
    entry.method = HTTP_SPAN("BREW");
    entry.time_ms = -1;
    writes(HTTP_LOG_COMMON, &entry, "- - - [31/Dec/1969:23:59:59 +0000] \"BREW\" 000 0\n");
}

/* Nothing that a client sends makes a second line or column, or reaches a terminal. */
static void test_every_byte_is_harmless(void **state)
{
    (void)state;
    for (int c = 0; c < 256; c++) {
        char byte = (char)c, column[8], quoted[8], line[128];
        http_log_t entry = all;

        entry.user = entry.target = (http_span_t){&byte, 1};
        snprintf(quoted, sizeof(quoted),
                 c < ' ' || c > '~' || c == '"' || c == '\\' ? "\\x%02X" : "%c", c);
        snprintf(column, sizeof(column), "%s", c == ' ' ? "\\x20" : quoted);
        snprintf(line, sizeof(line),
                 "192.0.2.7 - %s [10/Oct/2000:06:55:36 -0700] \"GET %s HTTP/1.0\" 200 2326\n",
                 column, quoted);
        writes(HTTP_LOG_COMMON, &entry, line);
    }
}

static void test_json_of_any_bytes(void **state)
{
    http_log_t entry = {.target = HTTP_SPAN("a\n\"\\\x01\xff\xc3\xa9")};

    (void)state;
    writes(HTTP_LOG_JSON, &entry,
           "{\"time\":\"1970-01-01T00:00:00.000Z\",\"target\":\"a\\n\\\"\\\\\\u0001\\ufffd"
           "\xc3\xa9\",\"status\":0,\"bytes\":0,\"duration\":0.000000}\n");
}

static void test_a_line_is_bounded(void **state)
{
    static char text[100000];
    http_log_t entry = {0};
    hbytes_t out = {0};

    (void)state;
    memset(text, '\xff', sizeof(text));
    entry.client = entry.user = entry.method = entry.target = entry.version = entry.host =
        entry.referer = entry.user_agent = entry.request_id = entry.upstream =
            (http_span_t){text, sizeof(text)};
    for (int format = HTTP_LOG_COMMON; format <= HTTP_LOG_JSON; format++) {
        hbytes_clear(&out);
        assert_int_equal(http_log_write((http_log_e)format, &entry, &out), 0);
        assert_in_range(out.len, 5 * 4 * HTTP_LOG_FIELD_MAX, 10 * 6 * HTTP_LOG_FIELD_MAX + 1000);
    }
    hbytes_deinit(&out);
}

/* At every length that a buffer may be full at: all of the line, or nothing of it. */
static void test_no_half_line_is_written(void **state)
{
    (void)state;
    for (int format = HTTP_LOG_COMMON; format <= HTTP_LOG_JSON; format++) {
        hbytes_t whole = {0};

        assert_int_equal(http_log_write((http_log_e)format, &all, &whole), 0);
        for (size_t max = 1; max <= whole.len; max++) {
            hbytes_t out;
            int err;

            hbytes_init(&out, max + 1);
            assert_int_equal(hbytes_append_char(&out, 'x'), 0);
            err = http_log_write((http_log_e)format, &all, &out);
            assert_int_equal(err, max < whole.len ? -ENOBUFS : 0);
            assert_int_equal(out.len, max < whole.len ? 1 : 1 + whole.len);
            assert_int_equal(out.data[out.len], '\0');
            hbytes_deinit(&out);
        }
        hbytes_deinit(&whole);
    }
}

static int scenario(void *arg)
{
    hbytes_t out = {0};
    int err = http_log_write(*(http_log_e *)arg, &all, &out);

    hbytes_deinit(&out);
    return err;
}

static void test_out_of_memory(void **state)
{
    (void)state;
    for (http_log_e format = HTTP_LOG_COMMON; format <= HTTP_LOG_JSON; format++)
        oom_run(scenario, &format);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_the_formats),
        cmocka_unit_test(test_what_is_not_there),
        cmocka_unit_test(test_every_byte_is_harmless),
        cmocka_unit_test(test_json_of_any_bytes),
        cmocka_unit_test(test_a_line_is_bounded),
        cmocka_unit_test(test_no_half_line_is_written),
        cmocka_unit_test(test_out_of_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
