/* One thread. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "oom.h"
#include "proto/redis_reply.h"

#define ARRAY_LENGTH(a) (sizeof(a) / sizeof((a)[0]))

#if HNET_WITH_HIREDIS

/* What was read, as text: "S(..)", "+(..)", "-(..)", "7", "nil", "[a b]". */
static int show(const redis_reply_t *reply, hbytes_t *out)
{
    static const char marks[] = {'S', '+', '-'};
    int err = 0;

    switch (reply->type) {
    case REDIS_INTEGER:
        return hbytes_printf(out, "%lld ", (long long)reply->integer);
    case REDIS_NIL:
        return hbytes_append_str(out, "nil ");
    case REDIS_ARRAY:
        err = hbytes_append_str(out, "[");
        for (size_t i = 0; i < reply->count && err == 0; i++)
            err = show(reply->items[i], out);
        return err ? err : hbytes_append_str(out, "] ");
    default:
        assert_int_equal(reply->text[reply->len], '\0');
        return hbytes_printf(out, "%c(%.*s) ", marks[reply->type], (int)reply->len, reply->text);
    }
}

static int on_reply(const redis_reply_t *reply, void *arg)
{
    return show(reply, arg);
}

static const char stream[] = "*3\r\n$7\r\nmessage\r\n$4\r\nchat\r\n$7\r\na\r\nb\r\n!\r\n"
                             "+OK\r\n-ERR no\r\n:-17\r\n$-1\r\n*-1\r\n*0\r\n$0\r\n\r\n"
                             "*2\r\n*2\r\n:1\r\n$1\r\nx\r\n$-1\r\n";
static const char shown[] = "[S(message) S(chat) S(a\r\nb\r\n!) ] +(OK) -(ERR no) -17 nil nil [] "
                            "S() [[1 S(x) ] nil ] ";

static void every_cut_gives_the_same_replies(void **state)
{
    const size_t len = sizeof(stream) - 1;

    (void)state;
    for (size_t cut = 0; cut <= len; cut++) {
        redis_reader_t *reader;
        hbytes_t out = {0};

        assert_int_equal(redis_reader_new(&reader), 0);
        assert_int_equal(redis_reader_feed(reader, stream, cut, on_reply, &out), 0);
        assert_int_equal(redis_reader_feed(reader, stream + cut, len - cut, on_reply, &out), 0);
        assert_string_equal(out.data, shown);
        redis_reader_free(reader);
        hbytes_deinit(&out);
    }
}

static void byte_by_byte(void **state)
{
    redis_reader_t *reader;
    hbytes_t out = {0};

    (void)state;
    assert_int_equal(redis_reader_new(&reader), 0);
    for (size_t i = 0; i < sizeof(stream) - 1; i++)
        assert_int_equal(redis_reader_feed(reader, stream + i, 1, on_reply, &out), 0);
    assert_string_equal(out.data, shown);
    redis_reader_free(reader);
    hbytes_deinit(&out);
}

static int feed(const char *data, size_t len)
{
    redis_reader_t *reader;
    hbytes_t out = {0};
    int err;

    assert_int_equal(redis_reader_new(&reader), 0);
    err = redis_reader_feed(reader, data, len, on_reply, &out);
    if (err < 0) {
        assert_true(redis_reader_error(reader)[0] != '\0');
        assert_int_equal(redis_reader_feed(reader, "+OK\r\n", 5, on_reply, &out), err);
    }
    redis_reader_free(reader);
    hbytes_deinit(&out);
    return err;
}

static void what_is_no_reply_is_an_error_for_good(void **state)
{
    static const struct {
        const char *text;
        int err;
    } bad[] = {
        {"HTTP/1.1 400 Bad Request\r\n\r\n", HERR_PROTOCOL},
        {"\033[2J\r\n", HERR_PROTOCOL},
        {"*x\r\n", HERR_PROTOCOL},
        {"$-7\r\n", HERR_PROTOCOL},
        {":x\r\n", HERR_PROTOCOL},
        {"*257\r\n", HERR_FRAME_SIZE},
        {"*2147483647\r\n", HERR_FRAME_SIZE},
        {"*99999999999999999999\r\n", HERR_PROTOCOL},
        {"*200\r\n*57\r\n", HERR_FRAME_SIZE},
        {"*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n:1\r\n", HERR_PROTOCOL},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(bad); i++) {
        int err = feed(bad[i].text, strlen(bad[i].text));

        if (err != bad[i].err)
            fail_msg("%s: %d", bad[i].text, err);
    }
}

static void a_reply_is_bounded_and_a_stream_is_not(void **state)
{
    static char piece[64 * 1024];
    const char head[] = "$500000000\r\n";
    redis_reader_t *reader;
    hbytes_t out = {0};
    size_t fed = 0;
    int err;

    (void)state;
    assert_int_equal(redis_reader_new(&reader), 0);
    err = redis_reader_feed(reader, head, sizeof(head) - 1, on_reply, &out);
    for (; err == 0; fed += sizeof(piece))
        err = redis_reader_feed(reader, piece, sizeof(piece), on_reply, &out);
    assert_int_equal(err, HERR_FRAME_SIZE);
    assert_true(fed >= REDIS_REPLY_SIZE_MAX && fed <= REDIS_REPLY_SIZE_MAX + 2 * sizeof(piece));
    redis_reader_free(reader);

    assert_int_equal(redis_reader_new(&reader), 0);
    for (size_t i = 0; i < sizeof(piece); i += 4)
        memcpy(piece + i, ":1\r\n", 4);
    for (fed = 0; fed <= 2 * REDIS_REPLY_SIZE_MAX; fed += sizeof(piece)) {
        assert_int_equal(redis_reader_feed(reader, piece, sizeof(piece), on_reply, &out), 0);
        hbytes_clear(&out);
    }
    redis_reader_free(reader);
    hbytes_deinit(&out);
}

static int on_reply_stop(const redis_reply_t *reply, void *arg)
{
    (void)reply;
    return ++*(int *)arg == 2 ? 7 : 0;
}

static void the_callback_can_stop(void **state)
{
    redis_reader_t *reader;
    int calls = 0;

    (void)state;
    assert_int_equal(redis_reader_new(&reader), 0);
    assert_int_equal(redis_reader_feed(reader, ":1\r\n:2\r\n:3\r\n", 12, on_reply_stop, &calls), 7);
    assert_int_equal(calls, 2);
    redis_reader_free(reader);
}

static void commands_hold_any_bytes(void **state)
{
    const hbuf_t words[] = {{(char *)"SET", 3}, {(char *)"", 0}, {(char *)"a\0\r\n", 4}};
    const char wanted[] = "*3\r\n$3\r\nSET\r\n$0\r\n\r\n$4\r\na\0\r\n\r\n";
    hbytes_t out = {0};

    (void)state;
    assert_int_equal(redis_command(&out, words, 3), 0);
    assert_int_equal(out.len, sizeof(wanted) - 1);
    assert_memory_equal(out.data, wanted, out.len);
    assert_int_equal(redis_command(&out, words, 0), -EINVAL);
    assert_int_equal(redis_command(&out, words, REDIS_COMMAND_WORDS_MAX + 1), -EINVAL);
    hbytes_deinit(&out);
}

static int scenario(void *arg)
{
    const hbuf_t word = {(char *)"PING", 4};
    redis_reader_t *reader;
    hbytes_t out = {0};
    int err = redis_reader_new(&reader);

    (void)arg;
    if (err < 0)
        return err;
    err = redis_reader_feed(reader, stream, sizeof(stream) - 1, on_reply, &out);
    if (err == 0)
        err = redis_command(&out, &word, 1);
    redis_reader_free(reader);
    hbytes_deinit(&out);
    return err;
}

static void out_of_memory_is_told(void **state)
{
    (void)state;
    oom_run(scenario, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_cut_gives_the_same_replies),
        cmocka_unit_test(byte_by_byte),
        cmocka_unit_test(what_is_no_reply_is_an_error_for_good),
        cmocka_unit_test(a_reply_is_bounded_and_a_stream_is_not),
        cmocka_unit_test(the_callback_can_stop),
        cmocka_unit_test(commands_hold_any_bytes),
        cmocka_unit_test(out_of_memory_is_told),
    };

    return cmocka_run_group_tests_name("redis_reply", tests, NULL, NULL);
}

#else

static void without_hiredis_nothing_is_read(void **state)
{
    redis_reader_t *reader;

    (void)state;
    assert_int_equal(redis_reader_new(&reader), HERR_UNSUPPORTED);
    assert_non_null(redis_why_not());
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(without_hiredis_nothing_is_read)};

    return cmocka_run_group_tests_name("redis_reply", tests, NULL, NULL);
}

#endif
