/* One thread. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "http_fixture.h"

#include "proto/http_compress.h"

#define SIZE ((size_t)20000)

static web_t web;

/* What the handler answers with. */
static struct {
    int status;
    const char *type, *name, *value; /* a field more, if there is a name */
    size_t len;
    bool pieces;
    int file; /* 0: none; its bytes, len of them */
    http_compress_options_t options;
} answer;

static char text[SIZE];

static void handle(http_stream_t *stream, void *userdata)
{
    (void)userdata;
    http_response_status(stream, answer.status);
    if (answer.type)
        http_response_set(stream, HTTP_SPAN("Content-Type"), http_span(answer.type));
    http_response_set(stream, HTTP_SPAN("ETag"), HTTP_SPAN("\"tag\""));
    if (answer.name)
        http_response_set(stream, http_span(answer.name), http_span(answer.value));
    assert_int_equal(http_compress(stream, &answer.options), 0);
    if (answer.file > 0) {
        http_file_part_t part = {.fd = answer.file, .len = (int64_t)answer.len};

        http_response_start(stream, (int64_t)answer.len);
        http_response_write_file(stream, &part);
        http_response_end(stream);
        return;
    }
    if (!answer.pieces) {
        http_response_send(stream, text, answer.len);
        return;
    }
    http_response_start(stream, -1);
    for (size_t at = 0; at < answer.len; at += 1000)
        http_response_write(stream, text + at, 1000);
    http_response_end(stream);
}

static int setup(void **state)
{
    loop_test_setup(state);
    for (size_t i = 0; i < SIZE; i++)
        text[i] = "abcdefghijklmnop"[i * i % 97 % 16];
    memset(&answer, 0, sizeof(answer));
    answer.status = 200;
    answer.type = "application/json";
    answer.len = SIZE;
    web_open(&web, (http_server_options_t){.handler = handle});
    return 0;
}

static void ask(const char *method, const char *accept)
{
    char request[512];

    snprintf(request, sizeof(request),
             "%s / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n%s%s%s\r\n", method,
             accept ? "Accept-Encoding: " : "", accept ? accept : "", accept ? "\r\n" : "");
    web_ask(&web, request);
}

static bool has(const char *line)
{
    char whole[128];

    snprintf(whole, sizeof(whole), "\r\n%s\r\n", line);
    return strstr(web.heard, whole) != NULL;
}

/* The body without the framing of its chunks. */
static size_t dechunk(char *out)
{
    const char *at = strstr(web.heard, "\r\n\r\n") + 4;
    size_t len = 0, size;

    do {
        char *end;

        size = strtoul(at, &end, 16);
        memcpy(out + len, end + 2, size);
        len += size;
        at = end + 2 + size + 2;
    } while (size > 0);
    return len;
}

static void expect_coded(const char *coding)
{
    static char coded[HEARD_SIZE], plain[SIZE + 1];
    http_coding_t *decoder = NULL;
    char line[64];
    http_span_t in = {coded, 0};
    hbuf_t out = {plain, sizeof(plain)};

    snprintf(line, sizeof(line), "Content-Encoding: %s", coding);
    assert_true(has(line));
    assert_true(has("Vary: Accept-Encoding"));
    assert_true(has("ETag: W/\"tag\""));
    in.len = dechunk(coded);
    assert_true(in.len < answer.len);
    assert_int_equal(http_decoder_new(http_span(coding), &decoder), 0);
    assert_int_equal(http_coding_step(decoder, &in, &out, HTTP_CODING_FINISH), HTTP_CODING_END);
    http_coding_free(decoder);
    assert_int_equal(sizeof(plain) - out.len, answer.len);
    assert_memory_equal(plain, text, answer.len);
}

static void expect_plain(bool varies)
{
    assert_null(strstr(web.heard, "gzip"));
    assert_true(has("ETag: \"tag\""));
    assert_int_equal(has("Vary: Accept-Encoding"), varies);
}

static void what_the_client_takes_is_coded(void **state)
{
    static const char *const codings[] = {"gzip", "br", "zstd"};

    (void)state;
    for (int pieces = 0; pieces < 2; pieces++) {
        answer.pieces = pieces;
        for (size_t i = 0; i < ARRAY_LENGTH(codings); i++) {
            ask("GET", codings[i]);
            expect_coded(codings[i]);
        }
    }
    ask("GET", "gzip;q=0.5, br;q=0.1");
    expect_coded("gzip");
    answer.options = (http_compress_options_t){
        .codings = HTTP_CODING_BIT(HTTP_CODING_GZIP), .level = 9, .length_min = SIZE};
    ask("GET", "br, gzip");
    expect_coded("gzip");
    answer.status = 404;
    ask("GET", "gzip");
    expect_coded("gzip");
    web_close(&web);
}

static void who_takes_nothing_gets_it_as_it_is(void **state)
{
    (void)state;
    ask("GET", NULL);
    expect_plain(true);
    ask("GET", "gzip;q=0, identity");
    expect_plain(true);
    ask("GET", "compress");
    expect_plain(true);
    answer.options.codings = HTTP_CODING_BIT(HTTP_CODING_BR);
    ask("GET", "gzip");
    expect_plain(true);
    web_close(&web);
}

/* Not coded for anybody, so it does not vary. */
static void not_coded_with(const char *name, const char *value)
{
    answer.name = name;
    answer.value = value;
    ask("GET", "gzip");
    expect_plain(false);
    answer.name = NULL;
}

static void what_is_not_worth_it_or_not_allowed_stays(void **state)
{
    (void)state;
    not_coded_with("Cache-Control", "private, no-transform");
    not_coded_with("Content-Encoding", "x");
    not_coded_with("Content-Range", "bytes 0-1/2");
    answer.len = 1023;
    not_coded_with(NULL, NULL);
    answer.len = SIZE;
    answer.options.length_min = SIZE + 1;
    not_coded_with(NULL, NULL);
    answer.options.length_min = 0;
    answer.type = "image/png";
    not_coded_with(NULL, NULL);
    answer.type = NULL;
    not_coded_with(NULL, NULL);
    answer.type = "text/plain";
    answer.status = 206;
    not_coded_with(NULL, NULL);
    web_close(&web);
}

static void heads_say_the_same(void **state)
{
    (void)state;
    ask("HEAD", "gzip");
    assert_true(has("Content-Encoding: gzip"));
    assert_true(has("ETag: W/\"tag\""));
    assert_null(strstr(web.heard, "Content-Length"));
    assert_string_equal(strstr(web.heard, "\r\n\r\n"), "\r\n\r\n");
    web_close(&web);
}

static void vary_is_said_once(void **state)
{
    (void)state;
    answer.name = "Vary";
    answer.value = "Origin, accept-encoding";
    ask("GET", "gzip");
    assert_true(has("Content-Encoding: gzip"));
    assert_int_equal(web_count(&web, "Vary"), 1);
    answer.value = "*";
    ask("GET", "gzip");
    assert_int_equal(web_count(&web, "Vary"), 1);
    answer.value = "Origin";
    ask("GET", "gzip");
    assert_int_equal(web_count(&web, "Vary"), 2);
    web_close(&web);
}

/* Its code is so short that the client never makes it wait. */
static void a_file_that_is_coded_lets_others_have_their_turn(void **state)
{
    char name[] = "/tmp/hnet-test-XXXXXX";
    http_server_stats_t stats;
    int fd;

    (void)state;
    answer.file = mkstemp(name);
    assert_true(answer.file > 0);
    unlink(name);
    answer.len = (size_t)4 << 20;
    assert_int_equal(ftruncate(answer.file, (off_t)answer.len), 0);
    fd = web_client(&web);
    web_say_text(fd, "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n"
                     "Accept-Encoding: gzip\r\n\r\n");
    do {
        web_turn(&web, fd);
        http_server_stats(web.server, &stats);
    } while (stats.requests == 0);
    assert_int_equal(web.done, 0); /* a part of it, and not all at once */
    web_until_end(&web, fd);
    assert_true(has("Content-Encoding: gzip"));
    assert_int_equal(web.done, 1);
    assert_int_equal(web.done_error, 0);
    close(fd);
    close(answer.file);
    web_close(&web);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(what_the_client_takes_is_coded, setup),
        cmocka_unit_test_setup(who_takes_nothing_gets_it_as_it_is, setup),
        cmocka_unit_test_setup(what_is_not_worth_it_or_not_allowed_stays, setup),
        cmocka_unit_test_setup(heads_say_the_same, setup),
        cmocka_unit_test_setup(vary_is_said_once, setup),
        cmocka_unit_test_setup(a_file_that_is_coded_lets_others_have_their_turn, setup),
    };

    return run_on_each_poller("http_compress", tests, ARRAY_LENGTH(tests));
}
