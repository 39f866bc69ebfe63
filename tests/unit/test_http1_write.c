/* One thread. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "codec/http1_write.h"
#include "http1_trace.h"

#include <errno.h>

#define BUF_SIZE 256

static void write_response(http1_writer_t *w)
{
    http1_write_status(w, 1, 404, HTTP_SPAN(""));
    http1_write_field(w, HTTP_SPAN("A"), HTTP_SPAN("b\tc \xc3\xa4"));
    http1_write_number(w, HTTP_SPAN("Content-Length"), UINT64_MAX);
    http1_write_raw(w, HTTP_SPAN("B: raw\r\n"));
}

static void write_request(http1_writer_t *w)
{
    http1_write_request(w, 0, HTTP_SPAN("GET"), HTTP_SPAN("/a?b"));
    http1_write_field(w, HTTP_SPAN("Empty"), HTTP_SPAN(""));
    http1_write_number(w, HTTP_SPAN("Zero"), 0);
}

static void write_trailers(http1_writer_t *w)
{
    http1_write_trailers(w);
    http1_write_field(w, HTTP_SPAN("ETag"), HTTP_SPAN("\"x\""));
}

/* Exactly this, in a buffer of this size; -ENOBUFS in each smaller one. */
static void writes(void (*write)(http1_writer_t *w), const char *text)
{
    size_t len = strlen(text);

    for (size_t size = 0; size <= len; size++) {
        char *buf = malloc(size ? size : 1);
        http1_writer_t w;

        assert_non_null(buf);
        http1_write_begin(&w, buf, size);
        write(&w);
        assert_int_equal(http1_write_end(&w), size < len ? -ENOBUFS : (ssize_t)len);
        if (size == len)
            assert_memory_equal(buf, text, len);
        free(buf);
    }
}

static void heads_are_written(void **state)
{
    (void)state;
    writes(write_response, "HTTP/1.1 404 Not Found\r\nA: b\tc \xc3\xa4\r\n"
                           "Content-Length: 18446744073709551615\r\nB: raw\r\n\r\n");
    writes(write_request, "GET /a?b HTTP/1.0\r\nEmpty:\r\nZero: 0\r\n\r\n");
    writes(write_trailers, "0\r\nETag: \"x\"\r\n\r\n");
}

static void refuses(int minor, http_span_t method, http_span_t target, http_span_t name,
                    http_span_t value)
{
    char buf[BUF_SIZE];
    http1_writer_t w;

    http1_write_begin(&w, buf, sizeof(buf));
    http1_write_request(&w, minor, method, target);
    http1_write_field(&w, name, value);
    assert_int_equal(http1_write_end(&w), -EINVAL);
}

static void what_would_break_a_head_is_refused(void **state)
{
    const http_span_t get = HTTP_SPAN("GET"), path = HTTP_SPAN("/"), a = HTTP_SPAN("A");
    static const char *const values[] = {"a\rb", "a\nb", "\r\n", "\x7f", "\x01"};
    static const char *const names[] = {"", "a b", "a:", "a\r\n", "\xc3\xa4"};
    static const char *const targets[] = {"", "/a b", "/\r\n", "/\t", "/\x7f"};

    (void)state;
    for (size_t i = 0; i < 5; i++) {
        refuses(1, get, path, a, http_span(values[i]));
        refuses(1, get, path, http_span(names[i]), a);
        refuses(1, get, http_span(targets[i]), a, a);
        refuses(1, http_span(names[i]), path, a, a);
    }
    refuses(1, get, path, a, (http_span_t){"a\0b", 3});
    refuses(-1, get, path, a, a);
    refuses(10, get, path, a, a);
}

static void statuses_and_reasons_are_checked(void **state)
{
    static const int bad[] = {-1, 0, 99, 1000};
    char buf[BUF_SIZE];
    http1_writer_t w;

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        http1_write_begin(&w, buf, sizeof(buf));
        http1_write_status(&w, 1, bad[i], HTTP_SPAN(""));
        assert_int_equal(http1_write_end(&w), -EINVAL);
    }
    http1_write_begin(&w, buf, sizeof(buf));
    http1_write_status(&w, 1, 200, HTTP_SPAN("O\nK"));
    assert_int_equal(http1_write_end(&w), -EINVAL);
    http1_write_begin(&w, buf, sizeof(buf));
    http1_write_status(&w, 1, 200, HTTP_SPAN("Fine"));
    assert_int_equal(http1_write_end(&w), 21);
    assert_memory_equal(buf, "HTTP/1.1 200 Fine\r\n\r\n", 21);
}

static void chunk_is(uint64_t len, const char *text)
{
    char buf[HTTP1_CHUNK_PREFIX_SIZE];

    assert_int_equal(http1_chunk_prefix(buf, len), strlen(text));
    assert_memory_equal(buf, text, strlen(text));
}

static void chunks_have_their_size_in_front(void **state)
{
    (void)state;
    chunk_is(1, "1\r\n");
    chunk_is(15, "f\r\n");
    chunk_is(16, "10\r\n");
    chunk_is(0xabcdef, "abcdef\r\n");
    chunk_is(UINT64_MAX, "ffffffffffffffff\r\n");
}

static void what_is_written_is_read_again(void **state)
{
    char buf[BUF_SIZE];
    http1_writer_t w;
    http1_trace_t trace;
    size_t len;

    (void)state;
    http1_write_begin(&w, buf, sizeof(buf));
    http1_write_status(&w, 1, 200, HTTP_SPAN(""));
    http1_write_field(&w, HTTP_SPAN("Transfer-Encoding"), HTTP_SPAN("chunked"));
    len = (size_t)http1_write_end(&w);
    len += http1_chunk_prefix(buf + len, 17);
    http1_write_begin(&w, buf + len, sizeof(buf) - len);
    http1_write_raw(&w, HTTP_SPAN("seventeen letters"));
    http1_write_raw(&w, HTTP1_CHUNK_SUFFIX);
    write_trailers(&w);
    len += (size_t)http1_write_end(&w);
    http1_trace_init(&trace, HTTP1_RESPONSES, NULL);
    assert_string_equal(http1_trace_all(&trace, buf, len, len, len),
                        "200 OK 1.1 chunked -1 keep Transfer-Encoding=chunked\n"
                        "[seventeen letters]\ntrailers ETag=\"x\"\nend\n");
    http1_trace_deinit(&trace);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(heads_are_written),
        cmocka_unit_test(what_would_break_a_head_is_refused),
        cmocka_unit_test(statuses_and_reasons_are_checked),
        cmocka_unit_test(chunks_have_their_size_in_front),
        cmocka_unit_test(what_is_written_is_read_again),
    };

    return cmocka_run_group_tests_name("http1_write", tests, NULL, NULL);
}
