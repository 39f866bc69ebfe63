/* One thread. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "../../cmd/hchat/line.h"
#include "base/herr.h"
#include "oom.h"

#include <stdio.h>

#define LINE_MAX 10

/* What a stream gives, one after the other: "[line]", "!" for one that is too long, "X" for one
 * without an end. */
static void feed(line_t *in, const char *data, size_t len, char *out)
{
    hbuf_t input = {(char *)data, len}, line;
    int what;

    while ((what = line_next(in, LINE_MAX, &input, &line)) != LINE_NONE) {
        if (what == LINE_WHOLE)
            snprintf(out + strlen(out), 40, "[%.*s]", (int)line.len, line.base);
        else
            snprintf(out + strlen(out), 2, "%s", what == LINE_LONG ? "!" : "X");
        if (what == LINE_ENDLESS)
            return;
    }
}

static const struct {
    const char *data;
    size_t len;
    const char *lines;
} streams[] = {
    {"a\nbc\r\n\n", 7, "[a][bc][]"},
    {"a\rb\r\r\n", 6, "[a\rb\r]"},
    {"ab\r\0cd\r\0", 8, "[ab][cd]"},
    {"0123456789\n", 11, "[0123456789]"},
    {"0123456789\r\n", 12, "[0123456789]"},
    {"0123456789a\nb\n", 14, "![b]"},
    {"0123456789ab\r\nc\r\n", 17, "![c]"},
    {"0123456789abcdefghijklm\nc\n", 26, "![c]"},
    {"a\n0123456789abcdefghijklmnopqrstuvw", 35, "[a]!"},
    {"\r\0\r\n\n", 5, "[][][]"},
    {"0123456789abcdefgh\r\0c\n", 22, "![c]"},
    {"open", 4, ""},
};

#define STREAMS (sizeof(streams) / sizeof(streams[0]))

static void lines_are_the_same_however_the_stream_is_cut(void **state)
{
    (void)state;
    for (size_t i = 0; i < STREAMS; i++) {
        for (size_t cut = 0; cut <= streams[i].len; cut++) {
            char out[200] = "";
            line_t in = {0};

            feed(&in, streams[i].data, cut, out);
            feed(&in, streams[i].data + cut, streams[i].len - cut, out);
            assert_string_equal(out, streams[i].lines);
            line_deinit(&in);
        }
    }
}

static void lines_come_byte_by_byte(void **state)
{
    (void)state;
    for (size_t i = 0; i < STREAMS; i++) {
        char out[200] = "";
        line_t in = {0};

        for (size_t k = 0; k < streams[i].len; k++)
            feed(&in, streams[i].data + k, 1, out);
        assert_string_equal(out, streams[i].lines);
        line_deinit(&in);
    }
}

static void a_nul_alone_ends_nothing(void **state)
{
    hbuf_t input = {(char[]){"a\0b\n"}, 4}, line;
    line_t in = {0};

    (void)state;
    assert_int_equal(line_next(&in, LINE_MAX, &input, &line), LINE_WHOLE);
    assert_int_equal(line.len, 3);
    line_deinit(&in);
}

static void a_line_without_an_end_is_given_up(void **state)
{
    static char data[LINE_ENDLESS_MAX - 1];
    char out[200] = "";
    line_t in = {0};

    (void)state;
    memset(data, 'x', sizeof(data));
    feed(&in, data, sizeof(data), out);
    assert_string_equal(out, "!");
    feed(&in, data, 1, out);
    assert_string_equal(out, "!X");
    line_deinit(&in);
}

static void bytes_of_telnet_count_for_that(void **state)
{
    char out[200] = "";
    line_t in = {0};

    (void)state;
    line_count(&in, LINE_ENDLESS_MAX);
    feed(&in, "", 0, out);
    assert_string_equal(out, "X");
    line_deinit(&in);
    in = (line_t){0};
    line_count(&in, LINE_ENDLESS_MAX);
    feed(&in, "a\n", 2, memset(out, 0, sizeof(out)));
    feed(&in, "b", 1, out);
    assert_string_equal(out, "[a]");
    line_deinit(&in);
}

static void who_is_silent_holds_no_memory(void **state)
{
    char out[200] = "";
    line_t in = {0};

    (void)state;
    feed(&in, "ab", 2, out);
    assert_non_null(in.held.data);
    feed(&in, "c\n", 2, out);
    assert_null(in.held.data);
    assert_string_equal(out, "[abc]");
}

static int receive(void *arg)
{
    hbuf_t input = {(char[]){"ab"}, 2}, line;
    line_t in = {0};
    int what = line_next(&in, LINE_MAX, &input, &line);

    (void)arg;
    if (what == LINE_NONE) {
        input = (hbuf_t){(char[]){"c\n"}, 2};
        what = line_next(&in, LINE_MAX, &input, &line);
    }
    line_deinit(&in);
    return what < 0 ? what : 0;
}

static void lack_of_memory_is_an_error(void **state)
{
    (void)state;
    oom_run(receive, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_are_the_same_however_the_stream_is_cut),
        cmocka_unit_test(lines_come_byte_by_byte),
        cmocka_unit_test(a_nul_alone_ends_nothing),
        cmocka_unit_test(a_line_without_an_end_is_given_up),
        cmocka_unit_test(bytes_of_telnet_count_for_that),
        cmocka_unit_test(who_is_silent_holds_no_memory),
        cmocka_unit_test(lack_of_memory_is_an_error),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
