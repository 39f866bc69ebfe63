#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/herr.h"
#include "base/hlog.h"
#include "oom.h"

#include <pthread.h>

typedef struct heard_s {
    int count;
    hlog_level_e level;
    size_t len;
    char text[HLOG_LINE_MAX + 1];
} heard_t;

static void hear(hlog_level_e level, const char *text, size_t len, void *userdata)
{
    heard_t *heard = userdata;

    heard->count++;
    heard->level = level;
    heard->len = len;
    assert_int_equal(strlen(text), len);
    assert_true(len <= HLOG_LINE_MAX);
    memcpy(heard->text, text, len + 1);
    errno = EBADF;
}

static void a_logger_that_is_not_there_is_silent(void **state)
{
    (void)state;
    assert_false(hlog_wants(NULL, HLOG_FATAL));
    hlog_write(NULL, HLOG_FATAL, "%d", 1);
    hlog_set_level(NULL, HLOG_INFO);
    hlog_free(NULL);
}

static void only_what_reaches_the_level_is_heard(void **state)
{
    heard_t heard = {0};
    hlog_t *log = hlog_new(HLOG_WARN, hear, &heard);

    (void)state;
    assert_false(hlog_wants(log, HLOG_INFO));
    assert_true(hlog_wants(log, HLOG_WARN));
    hlog_write(log, HLOG_INFO, "no");
    assert_int_equal(heard.count, 0);
    hlog_write(log, HLOG_ERROR, "disk %s at %d%%", "full", 100);
    assert_int_equal(heard.count, 1);
    assert_int_equal(heard.level, HLOG_ERROR);
    assert_string_equal(heard.text, "disk full at 100%");
    hlog_set_level(log, HLOG_VERBOSE);
    hlog_write(log, HLOG_VERBOSE, "%s", "");
    assert_int_equal(heard.count, 2);
    hlog_set_level(log, HLOG_SILENT);
    hlog_write(log, HLOG_FATAL, "no");
    hlog_write(log, HLOG_SILENT, "no");
    assert_int_equal(heard.count, 2);
    hlog_free(log);
}

static void one_message_is_one_line(void **state)
{
    heard_t heard = {0};
    hlog_t *log = hlog_new(HLOG_INFO, hear, &heard);

    (void)state;
    hlog_write(log, HLOG_INFO, "a\nb\r\nc\r\n\n");
    assert_string_equal(heard.text, "a b  c");
    hlog_write(log, HLOG_INFO, "\n");
    assert_string_equal(heard.text, "");
    hlog_free(log);
}

static void errno_survives_and_can_be_printed(void **state)
{
    heard_t heard = {0};
    hlog_t *log = hlog_new(HLOG_INFO, hear, &heard);

    (void)state;
    errno = ECONNREFUSED;
    hlog_write(log, HLOG_INFO, "connect: %m");
    assert_int_equal(errno, ECONNREFUSED);
    assert_string_equal(heard.text, "connect: Connection refused");
    hlog_free(log);
}

/* Every length around the maximum, with a character of 1 to 4 bytes across the cut. */
static void a_long_message_is_cut_between_characters(void **state)
{
    static const char *const characters[] = {"x", "\xc3\xbc", "\xe4\xb8\xad", "\xf0\x9f\x98\x80"};
    static char text[HLOG_LINE_MAX + 16];
    heard_t heard = {0};
    hlog_t *log = hlog_new(HLOG_INFO, hear, &heard);

    (void)state;
    for (size_t kind = 0; kind < 4; kind++) {
        size_t n = strlen(characters[kind]);

        for (size_t before = HLOG_LINE_MAX - 6; before <= HLOG_LINE_MAX + 2; before++) {
            size_t expected = before + n <= HLOG_LINE_MAX ? before + n : before;

            memset(text, 'a', before);
            memcpy(text + before, characters[kind], n + 1);
            hlog_write(log, HLOG_INFO, "%s", text);
            assert_int_equal(heard.len, expected < HLOG_LINE_MAX ? expected : HLOG_LINE_MAX);
            assert_memory_equal(heard.text, text, heard.len);
        }
    }
    memset(text, 0x80, HLOG_LINE_MAX + 10); /* no characters at all: cut anywhere */
    text[HLOG_LINE_MAX + 10] = '\0';
    hlog_write(log, HLOG_INFO, "%s", text);
    assert_int_equal(heard.len, HLOG_LINE_MAX);
    hlog_free(log);
}

static void levels_have_names_in_any_case(void **state)
{
    hlog_level_e level;

    (void)state;
    for (int i = HLOG_VERBOSE; i <= HLOG_SILENT; i++) {
        assert_int_equal(hlog_level_parse(hlog_level_name((hlog_level_e)i), &level), 0);
        assert_int_equal(level, i);
    }
    assert_int_equal(hlog_level_parse("debug", &level), 0);
    assert_int_equal(level, HLOG_DEBUG);
    assert_string_equal(hlog_level_name(HLOG_ERROR), "ERROR");
    assert_string_equal(hlog_level_name((hlog_level_e)7), "UNKNOWN");
    assert_int_equal(hlog_level_parse("", &level), HERR_SYNTAX);
    assert_int_equal(hlog_level_parse("debugger", &level), HERR_SYNTAX);
}

/* What the sink writes for a text, in the zone UTC. */
static char *written(hlog_level_e level, const char *text, size_t len)
{
    char *out = NULL;
    size_t size;
    FILE *stream = open_memstream(&out, &size);

    assert_non_null(stream);
    assert_int_equal(setenv("TZ", "UTC0", 1), 0);
    hlog_sink_stream(level, text, len, stream);
    fclose(stream);
    assert_int_equal(strlen(out), size);
    return out;
}

static void a_line_has_time_level_and_text(void **state)
{
    char *line = written(HLOG_INFO, "hello world", 11);
    int year, n = 0;

    (void)state;
    assert_int_equal(sscanf(line, "%4d-%*2d-%*2dT%*2d:%*2d:%*2d.%*3d+0000 INFO %n", &year, &n), 1);
    assert_true(year >= 2024);
    assert_int_equal(n, 34);
    assert_string_equal(line + n, "hello world\n");
    free(line);
}

static void the_sink_holds_the_longest_line(void **state)
{
    static char text[HLOG_LINE_MAX + 100];
    char *line;

    (void)state;
    memset(text, 1, sizeof(text));
    line = written(HLOG_VERBOSE, text, sizeof(text));
    assert_int_equal(strlen(line),
                     strlen("2026-11-20T17:45:01.123+0000 VERBOSE ") + HLOG_LINE_MAX + 1);
    free(line);
}

/* The sink of the threads: it would lose counts if two were in it at once. */
static void count_carefully(hlog_level_e level, const char *text, size_t len, void *userdata)
{
    long *counts = userdata;

    (void)level;
    (void)len;
    counts[text[0] - '0']++;
    counts[4]++;
}

static void *log_a_lot(void *arg)
{
    hlog_t *log = ((void **)arg)[0];

    for (int i = 0; i < 2000; i++)
        hlog_write(log, HLOG_INFO, "%s", (const char *)((void **)arg)[1]);
    return NULL;
}

static void the_sink_is_called_by_one_thread_at_a_time(void **state)
{
    long counts[5] = {0};
    hlog_t *log = hlog_new(HLOG_INFO, count_carefully, counts);
    char names[4][2] = {"0", "1", "2", "3"};
    void *args[4][2];
    pthread_t threads[4];

    (void)state;
    for (int i = 0; i < 4; i++) {
        args[i][0] = log;
        args[i][1] = names[i];
        assert_int_equal(pthread_create(&threads[i], NULL, log_a_lot, args[i]), 0);
    }
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    for (int i = 0; i < 4; i++)
        assert_int_equal(counts[i], 2000);
    assert_int_equal(counts[4], 8000);
    hlog_free(log);
}

static int log_something(void *arg)
{
    heard_t *heard = arg;
    hlog_t *log = hlog_new(HLOG_INFO, hear, heard);

    if (!log)
        return -ENOMEM;
    hlog_write(log, HLOG_INFO, "hello");
    hlog_free(log);
    return 0;
}

static void out_of_memory_gives_no_logger(void **state)
{
    heard_t heard = {0};

    (void)state;
    oom_run(log_something, &heard);
    assert_int_equal(heard.count, 2);
    assert_int_equal(oom_run_pass(log_something, &heard, false), 1); /* writing allocates nothing */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_logger_that_is_not_there_is_silent),
        cmocka_unit_test(only_what_reaches_the_level_is_heard),
        cmocka_unit_test(one_message_is_one_line),
        cmocka_unit_test(errno_survives_and_can_be_printed),
        cmocka_unit_test(a_long_message_is_cut_between_characters),
        cmocka_unit_test(levels_have_names_in_any_case),
        cmocka_unit_test(a_line_has_time_level_and_text),
        cmocka_unit_test(the_sink_holds_the_longest_line),
        cmocka_unit_test(the_sink_is_called_by_one_thread_at_a_time),
        cmocka_unit_test(out_of_memory_gives_no_logger),
    };

    return cmocka_run_group_tests_name("hlog", tests, NULL, NULL);
}
