/* One thread. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>

#include <cmocka.h>

#include "http_coding_fixture.h"
#include "oom.h"

static const char sentence[] = "the quick brown fox jumps over the lazy dog, the quick brown fox";

/* Text, noise or zeros. */
static void fill(hbytes_t *b, size_t len, int kind)
{
    uint32_t x = 12345;

    for (size_t i = 0; i < len; i++) {
        x = x * 1664525 + 1013904223;
        hbytes_append_char(b, kind == 0   ? sentence[(i + (x >> 29)) % (sizeof(sentence) - 1)]
                              : kind == 1 ? (char)(x >> 24)
                                          : '\0');
    }
}

static void expect_same(const hbytes_t *got, http_span_t wanted)
{
    assert_int_equal(got->len, wanted.len);
    if (wanted.len > 0)
        assert_memory_equal(got->data, wanted.data, wanted.len);
}

/* ---- names ----------------------------------------------------------------------------------- */

static void test_names_and_numbers(void **state)
{
    (void)state;
    for (int i = 0; i < HTTP_CODING_COUNT; i++)
        assert_int_equal(http_coding_find(http_span(http_coding_name((http_coding_e)i))), i);
    assert_int_equal(http_coding_find(HTTP_SPAN("x-gzip")), HTTP_CODING_GZIP);
    assert_int_equal(http_coding_find(HTTP_SPAN("GZip")), HTTP_CODING_GZIP);
    assert_int_equal(http_coding_find(HTTP_SPAN("compress")), -ENOENT);
    assert_int_equal(http_coding_find(HTTP_SPAN("")), -ENOENT);
    assert_string_equal(http_coding_suffix(HTTP_CODING_ZSTD), ".zst");
    assert_null(http_coding_suffix(HTTP_CODING_IDENTITY));
    assert_int_equal(http_coding_available(HTTP_CODING_BIT(HTTP_CODING_IDENTITY)), 1);
    assert_int_equal(http_coding_available(0), 0);
}

static int choose(const char *field, unsigned offers)
{
    return http_coding_choose((http_span_t){field, field ? strlen(field) : 0}, offers);
}

static void test_the_coding_that_is_liked_most_is_chosen(void **state)
{
    const unsigned gzip = HTTP_CODING_BIT(HTTP_CODING_GZIP) | HTTP_CODING_BIT(HTTP_CODING_IDENTITY);

    (void)state;
    assert_int_equal(choose("gzip, deflate, br, zstd", HTTP_CODING_ALL), HTTP_CODING_BR);
    assert_int_equal(choose("gzip, deflate, zstd", HTTP_CODING_ALL), HTTP_CODING_ZSTD);
    assert_int_equal(choose("gzip, deflate", HTTP_CODING_ALL), HTTP_CODING_GZIP);
    assert_int_equal(choose("gzip;q=1, br;q=0.5", HTTP_CODING_ALL), HTTP_CODING_GZIP);
    assert_int_equal(choose("br", gzip), HTTP_CODING_IDENTITY);
    assert_int_equal(choose("x-gzip", gzip), HTTP_CODING_GZIP);
    assert_int_equal(choose("*", gzip), HTTP_CODING_GZIP);
    assert_int_equal(choose("", HTTP_CODING_ALL), HTTP_CODING_IDENTITY);
    assert_int_equal(choose(NULL, HTTP_CODING_ALL), HTTP_CODING_IDENTITY);
    assert_int_equal(choose("br, identity;q=0", gzip), -ENOENT);
    assert_int_equal(choose("gzip", 0), -ENOENT);
}

static void test_on_the_fly_the_quickest_is_chosen(void **state)
{
    (void)state;
    assert_int_equal(http_coding_choose_live(HTTP_SPAN("gzip, br, zstd"), HTTP_CODING_ALL),
                     HTTP_CODING_ZSTD);
    assert_int_equal(http_coding_choose_live(HTTP_SPAN("gzip, br"), HTTP_CODING_ALL),
                     HTTP_CODING_BR);
    assert_int_equal(http_coding_choose_live(HTTP_SPAN("gzip, zstd;q=0.9"), HTTP_CODING_ALL),
                     HTTP_CODING_GZIP);
}

/* ---- there and back -------------------------------------------------------------------------- */

static void expect_round_trip(http_coding_e coding, size_t len, int kind, size_t piece, size_t room)
{
    hbytes_t plain = {0}, coded = {0}, back = {0};

    fill(&plain, len, kind);
    coding_encode(coding, HTTP_CODING_LEVEL_DEFAULT, coding_span(&plain), piece, room, &coded);
    assert_int_equal(
        coding_decode(http_coding_name(coding), coding_span(&coded), piece, room, &back),
        HTTP_CODING_END);
    expect_same(&back, coding_span(&plain));
    hbytes_deinit(&plain);
    hbytes_deinit(&coded);
    hbytes_deinit(&back);
}

static void test_what_was_encoded_is_decoded(void **state)
{
    static const size_t lens[] = {0, 1, 100, 5000, 300000};
    (void)state;
    FOR_EACH_CODING(coding)
    {
        for (int kind = 0; kind < 3; kind++) {
            for (size_t i = 0; i < 5; i++) {
                /* The last is all at once, and no larger: one is made for each piece. */
                const size_t pieces[] = {1, 7, 4096, lens[i] < 10000 ? 20000 : 1000000};

                for (size_t j = i == 4 ? 2 : 0; j < 4; j++) {
                    expect_round_trip(coding, lens[i], kind, pieces[j], pieces[3 - j]);
                    expect_round_trip(coding, lens[i], kind, pieces[j], pieces[j]);
                }
            }
        }
    }
}

static void test_every_level_and_size_works(void **state)
{
    hbytes_t plain = {0};

    (void)state;
    fill(&plain, 20000, 0);
    FOR_EACH_CODING(coding)
    {
        for (int level = -2; level <= 25; level++) {
            static const uint64_t sizes[] = {0, 10, 20000, 1ULL << 40, HTTP_CODING_SIZE_UNKNOWN};

            for (size_t i = 0; i < 5; i++) {
                hbytes_t coded = {0}, back = {0};
                http_coding_t *c;

                assert_int_equal(http_encoder_new(coding, level, sizes[i], &c), 0);
                assert_int_equal(coding_run(c, coding_span(&plain), 20000, 4096, &coded),
                                 HTTP_CODING_END);
                http_coding_free(c);
                assert_true(coded.len < plain.len);
                assert_int_equal(
                    coding_decode(http_coding_name(coding), coding_span(&coded), 9999, 4096, &back),
                    HTTP_CODING_END);
                expect_same(&back, coding_span(&plain));
                hbytes_deinit(&coded);
                hbytes_deinit(&back);
            }
        }
    }
    hbytes_deinit(&plain);
}

static void test_the_same_text_gives_the_same_bytes(void **state)
{
    (void)state;
    FOR_EACH_CODING(coding)
    {
        hbytes_t a = {0}, b = {0};

        coding_encode(coding, 4, http_span(sentence), 100, 100, &a);
        coding_encode(coding, 4, http_span(sentence), 100, 100, &b);
        expect_same(&a, coding_span(&b));
        hbytes_deinit(&a);
        hbytes_deinit(&b);
    }
}

/* As an event stream needs: what went in before a flush comes out before the next event. */
static void test_a_flush_lets_the_receiver_read_all(void **state)
{
    (void)state;
    FOR_EACH_CODING(coding)
    {
        for (size_t room = 1; room < 40; room += 13) {
            hbytes_t coded = {0}, back = {0};
            http_coding_t *e, *d;
            size_t left;

            assert_int_equal(http_encoder_new(coding, 5, HTTP_CODING_SIZE_UNKNOWN, &e), 0);
            assert_int_equal(http_decoder_new(http_span(http_coding_name(coding)), &d), 0);
            for (int i = 0; i < 20; i++) {
                char event[32];
                size_t len = (size_t)snprintf(event, sizeof(event), "data: event %d\n\n", i);

                hbytes_clear(&coded);
                hbytes_clear(&back);
                assert_int_equal(coding_feed(e, (http_span_t){event, len},
                                             i % 2 ? HTTP_CODING_FLUSH : HTTP_CODING_RUN, room,
                                             &coded, &left),
                                 HTTP_CODING_MORE);
                /* A second flush says nothing new; a first one behind a run says all. */
                assert_int_equal(
                    coding_feed(e, (http_span_t){NULL, 0}, HTTP_CODING_FLUSH, room, &coded, &left),
                    HTTP_CODING_MORE);
                assert_int_equal(
                    coding_feed(d, coding_span(&coded), HTTP_CODING_RUN, 7, &back, &left),
                    HTTP_CODING_MORE);
                expect_same(&back, (http_span_t){event, len});
            }
            http_coding_free(e);
            http_coding_free(d);
            hbytes_deinit(&coded);
            hbytes_deinit(&back);
        }
    }
}

/* One who gives up on a flush in the middle loses nothing. */
static void test_a_run_may_follow_half_a_flush(void **state)
{
    (void)state;
    FOR_EACH_CODING(coding)
    {
        hbytes_t coded = {0}, back = {0};
        http_span_t in = http_span(sentence);
        http_coding_t *e;
        char byte;
        hbuf_t out = {&byte, 1};

        assert_int_equal(http_encoder_new(coding, 5, HTTP_CODING_SIZE_UNKNOWN, &e), 0);
        assert_int_equal(http_coding_step(e, &in, &out, HTTP_CODING_FLUSH), HTTP_CODING_AGAIN);
        assert_int_equal(out.len, 0);
        hbytes_append(&coded, &byte, 1);
        hbytes_append(&back, in.data, in.len); /* what it has not taken yet */
        hbytes_append_str(&back, "and more");
        assert_int_equal(coding_run(e, coding_span(&back), 5, 3, &coded), HTTP_CODING_END);
        hbytes_clear(&back);
        assert_int_equal(coding_decode(http_coding_name(coding), coding_span(&coded), 9, 9, &back),
                         HTTP_CODING_END);
        assert_int_equal(back.len, sizeof(sentence) - 1 + 8);
        assert_memory_equal(back.data, sentence, sizeof(sentence) - 1);
        http_coding_free(e);
        hbytes_deinit(&coded);
        hbytes_deinit(&back);
    }
}

/* ---- other programs -------------------------------------------------------------------------- */

static void write_file(const char *path, http_span_t data)
{
    FILE *file = fopen(path, "wb");

    assert_non_null(file);
    assert_int_equal(fwrite(data.data, 1, data.len, file), data.len);
    assert_int_equal(fclose(file), 0);
}

static void read_file(const char *path, hbytes_t *out)
{
    FILE *file = fopen(path, "rb");
    char buf[4096];
    size_t n;

    assert_non_null(file);
    while ((n = fread(buf, 1, sizeof(buf), file)) > 0)
        hbytes_append(out, buf, n);
    fclose(file);
}

typedef struct tool_s {
    http_coding_e coding;
    const char *decode, *encode; /* stdin to stdout */
} tool_t;

static const tool_t tools[] = {
    {HTTP_CODING_GZIP, "gzip -dc", "gzip -c"},
    {HTTP_CODING_DEFLATE,
     "python3 -c 'import sys,zlib; "
     "sys.stdout.buffer.write(zlib.decompress(sys.stdin.buffer.read()))'",
     "python3 -c 'import sys,zlib; "
     "sys.stdout.buffer.write(zlib.compress(sys.stdin.buffer.read()))'"},
    {HTTP_CODING_BR, "brotli -dc", "brotli -c"},
    {HTTP_CODING_ZSTD, "zstd -dcq", "zstd -cq -19"},
};

static void run_tool(const char *dir, const char *command, const char *from, const char *to)
{
    char line[512];

    assert_true(snprintf(line, sizeof(line), "cd %s && %s <%s >%s", dir, command, from, to) <
                (int)sizeof(line));
    assert_int_equal(system(line), 0); /* NOLINT(cert-env33-c) */
}

static void test_the_tools_of_the_formats_agree(void **state)
{
    char dir[] = "/tmp/test_http_coding.XXXXXX", path[64];
    hbytes_t plain = {0};

    (void)state;
    assert_non_null(mkdtemp(dir));
    fill(&plain, 200000, 0);
    fill(&plain, 100000, 1);
    snprintf(path, sizeof(path), "%s/file", dir);
    write_file(path, coding_span(&plain));
    for (size_t i = 0; i < sizeof(tools) / sizeof(tools[0]); i++) {
        hbytes_t coded = {0}, back = {0};

        if (!coding_has(tools[i].coding))
            continue;
        coding_encode(tools[i].coding, HTTP_CODING_LEVEL_DEFAULT, coding_span(&plain), 1000, 1000,
                      &coded);
        write_file(path, coding_span(&coded));
        run_tool(dir, tools[i].decode, "file", "back");
        run_tool(dir, tools[i].encode, "back", "coded");
        snprintf(path, sizeof(path), "%s/back", dir);
        read_file(path, &back);
        expect_same(&back, coding_span(&plain));
        hbytes_clear(&coded);
        hbytes_clear(&back);
        snprintf(path, sizeof(path), "%s/coded", dir);
        read_file(path, &coded);
        assert_int_equal(coding_decode(http_coding_name(tools[i].coding), coding_span(&coded), 1000,
                                       1000, &back),
                         HTTP_CODING_END);
        expect_same(&back, coding_span(&plain));
        hbytes_deinit(&coded);
        hbytes_deinit(&back);
        snprintf(path, sizeof(path), "%s/file", dir);
    }
    run_tool(dir, "rm -f file back coded; :", "/dev/null", "/dev/null");
    assert_int_equal(rmdir(dir), 0);
    hbytes_deinit(&plain);
}

/* ---- memory ---------------------------------------------------------------------------------- */

static int once(http_coding_e coding)
{
    http_coding_t *e = NULL, *d = NULL;
    char coded[512], back[512];
    http_span_t in = http_span(sentence), from = {coded, 0};
    hbuf_t out = {coded, sizeof(coded)}, to = {back, sizeof(back)};
    int state = http_encoder_new(coding, 5, in.len, &e);

    if (state == 0)
        state = http_coding_step(e, &in, &out, HTTP_CODING_FINISH);
    from.len = sizeof(coded) - out.len;
    if (state == HTTP_CODING_END)
        state = http_decoder_new(http_span(http_coding_name(coding)), &d);
    if (state == 0)
        state = http_coding_step(d, &from, &to, HTTP_CODING_FINISH);
    http_coding_free(e);
    http_coding_free(d);
    return state == HTTP_CODING_END ? 0 : state;
}

static int scenario(void *arg)
{
    return once(*(http_coding_e *)arg);
}

static int scenario_of_a_stack(void *arg)
{
    http_coding_t *d;
    int err = http_decoder_new(HTTP_SPAN("gzip, br, zstd"), &d);

    (void)arg;
    if (err == 0)
        http_coding_free(d);
    return err;
}

static void test_out_of_memory(void **state)
{
    (void)state;
    FOR_EACH_CODING(coding)
    {
        oom_run(scenario, &coding);
    }
    if (http_coding_available(HTTP_CODING_ALL) == HTTP_CODING_ALL)
        oom_run(scenario_of_a_stack, NULL);
}

static void test_what_is_not_there_is_not_offered(void **state)
{
    http_coding_t *c;

    (void)state;
    assert_int_equal(http_encoder_new(HTTP_CODING_IDENTITY, 1, 0, &c), HERR_UNSUPPORTED);
    assert_null(c);
    for (size_t i = 0; i < CODING_ALL_COUNT; i++) {
        int err = http_encoder_new(coding_all[i], 1, 0, &c);

        assert_int_equal(err, coding_has(coding_all[i]) ? 0 : HERR_UNSUPPORTED);
        http_coding_free(c);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names_and_numbers),
        cmocka_unit_test(test_the_coding_that_is_liked_most_is_chosen),
        cmocka_unit_test(test_on_the_fly_the_quickest_is_chosen),
        cmocka_unit_test(test_what_was_encoded_is_decoded),
        cmocka_unit_test(test_every_level_and_size_works),
        cmocka_unit_test(test_the_same_text_gives_the_same_bytes),
        cmocka_unit_test(test_a_flush_lets_the_receiver_read_all),
        cmocka_unit_test(test_a_run_may_follow_half_a_flush),
        cmocka_unit_test(test_the_tools_of_the_formats_agree),
        cmocka_unit_test(test_out_of_memory),
        cmocka_unit_test(test_what_is_not_there_is_not_offered),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
