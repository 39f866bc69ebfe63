/* One thread. */
#include "../../cmd/hcurl/trace.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "oom.h"

typedef struct event_s {
    http_trace_e kind;
    const char *data;
} event_t;

static void traces(trace_t trace, const char *prefix, const event_t *events, const char *expected)
{
    hbytes_t out = {0};

    for (; events->data != NULL; events++) {
        http_span_t data = {events->data, strlen(events->data)};

        assert_int_equal(trace_format(&trace, prefix, events->kind, data, &out), 0);
    }
    assert_string_equal(out.data != NULL ? out.data : "", expected);
    hbytes_deinit(&out);
}

static const event_t exchange[] = {
    {HTTP_TRACE_INFO, "Connected"},
    {HTTP_TRACE_HEAD_OUT, "POST / HTTP/1.1\r\nHost: x\r\n\r\n"},
    {HTTP_TRACE_DATA_OUT, "ab"},
    {HTTP_TRACE_DATA_OUT, "c"},
    {HTTP_TRACE_HEAD_IN, "HTTP/1.1 200 OK\r\n\r\n"},
    {HTTP_TRACE_DATA_IN, "hello\r\nworld\r\n"},
    {HTTP_TRACE_DATA_IN, ""},
    {HTTP_TRACE_INFO, "done"},
    {0, NULL},
};

static void lines_tell_who_says_what(void **state)
{
    (void)state;
    traces((trace_t){.style = REPORT_TRACE_LINES}, "", exchange,
           "* Connected\n"
           "> POST / HTTP/1.1\r\n> Host: x\r\n> \r\n"
           "} [2 bytes data]\n"
           "< HTTP/1.1 200 OK\r\n< \r\n"
           "{ [14 bytes data]\n"
           "* done\n");
}

static void each_line_has_the_prefix(void **state)
{
    (void)state;
    traces((trace_t){.style = REPORT_TRACE_LINES}, "[0-0] ", exchange,
           "[0-0] * Connected\n"
           "[0-0] > POST / HTTP/1.1\r\n[0-0] > Host: x\r\n[0-0] > \r\n"
           "[0-0] } [2 bytes data]\n"
           "[0-0] < HTTP/1.1 200 OK\r\n[0-0] < \r\n"
           "[0-0] { [14 bytes data]\n"
           "[0-0] * done\n");
}

static void data_that_is_seen_is_not_announced(void **state)
{
    static const event_t events[] = {
        {HTTP_TRACE_HEAD_IN, "x\n"}, {HTTP_TRACE_DATA_IN, "a"}, {HTTP_TRACE_INFO, "b"}, {0, NULL}};

    (void)state;
    traces((trace_t){.style = REPORT_TRACE_LINES, .hide_data = true}, "", events, "< x\n* b\n");
}

static void a_line_in_pieces_is_one_line(void **state)
{
    static const event_t events[] = {{HTTP_TRACE_HEAD_IN, "Server"},
                                     {HTTP_TRACE_HEAD_IN, ": x\r\nA: "},
                                     {HTTP_TRACE_HEAD_IN, "b\r\n"},
                                     {0, NULL}};

    (void)state;
    traces((trace_t){.style = REPORT_TRACE_LINES}, "", events, "< Server: x\r\n< A: b\r\n");
}

static void ascii_dumps_follow_the_lines(void **state)
{
    (void)state;
    traces((trace_t){.style = REPORT_TRACE_ASCII}, "", exchange,
           "* Connected\n"
           "=> Send header, 28 bytes (0x1c)\n"
           "0000: POST / HTTP/1.1\n"
           "0011: Host: x\n"
           "001a: \n"
           "=> Send data, 2 bytes (0x2)\n"
           "0000: ab\n"
           "=> Send data, 1 bytes (0x1)\n"
           "0000: c\n"
           "<= Recv header, 17 bytes (0x11)\n"
           "0000: HTTP/1.1 200 OK\n"
           "<= Recv header, 2 bytes (0x2)\n"
           "0000: \n"
           "<= Recv data, 14 bytes (0xe)\n"
           "0000: hello\n"
           "0007: world\n"
           "* done\n");
}

#define LINE_OF_64 "0123456789012345678901234567890123456789012345678901234567890123"

static void long_lines_are_cut(void **state)
{
    static const event_t events[] = {{HTTP_TRACE_DATA_IN, LINE_OF_64 "x\r\n"},
                                     {HTTP_TRACE_DATA_IN, LINE_OF_64 "\r\ny\n\xff"},
                                     {0, NULL}};

    (void)state;
    traces((trace_t){.style = REPORT_TRACE_ASCII}, "", events,
           "<= Recv data, 67 bytes (0x43)\n"
           "0000: " LINE_OF_64 "\n"
           "0040: x\n"
           "<= Recv data, 69 bytes (0x45)\n"
           "0000: " LINE_OF_64 "\n"
           "0042: y..\n");
}

static void hex_dumps_show_every_byte(void **state)
{
    static const event_t events[] = {{HTTP_TRACE_DATA_IN, "0123456789abcdef\r\nz"}, {0, NULL}};

    (void)state;
    traces((trace_t){.style = REPORT_TRACE_HEX}, "12:00:00.000001 ", events,
           "12:00:00.000001 <= Recv data, 19 bytes (0x13)\n"
           "0000: 30 31 32 33 34 35 36 37 38 39 61 62 63 64 65 66 0123456789abcdef\n"
           "0010: 0d 0a 7a                                        ..z\n");
}

static int trace_without_memory(void *arg)
{
    trace_t trace = {.style = *(int *)arg};
    hbytes_t out = {0};
    int status = 0;

    for (const event_t *event = exchange; event->data != NULL && status == 0; event++)
        status = trace_format(&trace, "[0-0] ", event->kind,
                              (http_span_t){event->data, strlen(event->data)}, &out);
    hbytes_deinit(&out);
    return status;
}

static void memory_runs_out(void **state)
{
    (void)state;
    for (int style = REPORT_TRACE_LINES; style <= REPORT_TRACE_HEX; style++)
        oom_run(trace_without_memory, &style);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_tell_who_says_what),
        cmocka_unit_test(each_line_has_the_prefix),
        cmocka_unit_test(data_that_is_seen_is_not_announced),
        cmocka_unit_test(a_line_in_pieces_is_one_line),
        cmocka_unit_test(ascii_dumps_follow_the_lines),
        cmocka_unit_test(long_lines_are_cut),
        cmocka_unit_test(hex_dumps_show_every_byte),
        cmocka_unit_test(memory_runs_out),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
