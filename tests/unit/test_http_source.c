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
#include "loop_test.h"
#include "oom.h"
#include "proto/http_source.h"
#include "proto/http_source_filter.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- helpers --------------------------------------------------------------------------------- */

/* A file with this text that nobody else sees. */
static int file_with(const char *text)
{
    char name[] = "/tmp/test_http_source.XXXXXX";
    int fd = mkostemp(name, O_CLOEXEC);

    assert_true(fd >= 0);
    unlink(name);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
    return fd;
}

/* All that comes without waiting, in pieces of this size. */
static ssize_t read_all(http_source_t *source, size_t piece, char *text, size_t size)
{
    size_t len = 0;
    ssize_t n;

    while ((n = http_source_read(source, text + len, piece)) > 0) {
        len += (size_t)n;
        assert_true(len + piece < size);
    }
    text[len] = '\0';
    return n < 0 ? n : (ssize_t)len;
}

static void gives(http_source_t *source, const char *expected)
{
    for (size_t piece = 1; piece <= 8; piece++) {
        char text[256];

        assert_int_equal(http_source_rewind(source), 0);
        assert_int_equal(read_all(source, piece, text, sizeof(text)), strlen(expected));
        assert_string_equal(text, expected);
        assert_int_equal(http_source_read(source, text, 1), 0);
    }
}

/* ---- memory and files ------------------------------------------------------------------------ */

static void memory_is_read_again_and_again(void **state)
{
    http_source_t *source;

    (void)state;
    assert_int_equal(http_source_memory("hello", 5, &source), 0);
    assert_int_equal(http_source_length(source), 5);
    gives(source, "hello");
    http_source_free(source);
    assert_int_equal(http_source_memory(NULL, 0, &source), 0);
    assert_int_equal(http_source_length(source), 0);
    gives(source, "");
    http_source_free(source);
    http_source_free(NULL);
}

static void a_file_is_read_from_where_it_stands(void **state)
{
    int fd = file_with("0123456789");
    http_source_t *source;

    (void)state;
    lseek(fd, 3, SEEK_SET);
    assert_int_equal(http_source_file(fd, -1, &source), 0);
    assert_int_equal(http_source_length(source), 7);
    gives(source, "3456789");
    http_source_free(source);
    assert_int_equal(fcntl(fd, F_GETFD), -1);

    fd = file_with("0123456789");
    assert_int_equal(http_source_file(fd, 4, &source), 0);
    assert_int_equal(http_source_length(source), 4);
    gives(source, "0123");
    http_source_free(source);
}

static void a_file_that_changes_is_noticed(void **state)
{
    int fd = file_with("0123456789");
    http_source_t *source;
    char text[64];

    (void)state;
    assert_int_equal(http_source_file(fd, -1, &source), 0);
    assert_int_equal(pwrite(fd, "more", 4, 10), 4);
    gives(source, "0123456789");
    assert_int_equal(http_source_rewind(source), 0);
    assert_int_equal(ftruncate(fd, 5), 0);
    assert_int_equal(read_all(source, 4, text, sizeof(text)), HERR_TRUNCATED);
    http_source_free(source);
}

static void a_path_is_opened_when_it_is_read(void **state)
{
    char name[] = "/tmp/test_http_source.XXXXXX", text[64];
    int fd = mkostemp(name, O_CLOEXEC);
    http_source_t *source;

    (void)state;
    assert_int_equal(write(fd, "hello", 5), 5);
    close(fd);
    assert_int_equal(http_source_path(NULL, name, &source), 0);
    assert_int_equal(http_source_length(source), 5);
    gives(source, "hello");
    unlink(name);
    assert_int_equal(http_source_rewind(source), 0);
    assert_int_equal(read_all(source, 4, text, sizeof(text)), -ENOENT);
    http_source_free(source);
    assert_int_equal(http_source_path(NULL, name, &source), -ENOENT);
    assert_int_equal(http_source_path(NULL, "/", &source), -EISDIR);
}

static void what_cannot_be_read_is_refused(void **state)
{
    int fd = open("/", O_RDONLY | O_CLOEXEC);
    http_source_t *source;

    (void)state;
    assert_int_equal(http_source_file(fd, -1, &source), -EISDIR);
    assert_int_equal(http_source_stream(NULL, fd, &source), -EISDIR);
    close(fd);
    assert_int_equal(http_source_file(fd, -1, &source), -EBADF);
    assert_int_equal(http_source_stream(NULL, fd, &source), -EBADF);
}

static void a_plain_file_may_be_a_stream(void **state)
{
    int fd = file_with("0123");
    http_source_t *source;

    (void)state;
    assert_int_equal(http_source_stream(NULL, fd, &source), 0);
    assert_int_equal(http_source_length(source), HTTP_BODY_UNKNOWN);
    gives(source, "0123");
    assert_int_equal(pwrite(fd, "4567", 4, 4), 4);
    gives(source, "01234567");
    http_source_free(source);
}

/* ---- pipes ----------------------------------------------------------------------------------- */

typedef struct reader_s {
    hloop_t *loop;
    char text[64];
    size_t len;
    int err;
    unsigned waits;
    int writer; /* of the pipe; -1: closed */
} reader_t;

static void on_ready(http_source_t *source, void *arg)
{
    reader_t *r = arg;
    ssize_t n;

    while ((n = http_source_read(source, r->text + r->len, 3)) > 0)
        r->len += (size_t)n;
    if (n == -EAGAIN) {
        r->waits++;
        if (r->waits == 2)
            assert_int_equal(write(r->writer, "world", 5), 5);
        if (r->waits == 3)
            close(r->writer);
        return;
    }
    r->err = (int)n;
    hloop_stop(r->loop);
}

static void a_pipe_is_waited_for(void **state)
{
    reader_t r = {.loop = new_loop_with(0), .err = 1};
    http_source_t *source;
    int fds[2];

    (void)state;
    assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
    r.writer = fds[1];
    assert_int_equal(write(fds[1], "hello ", 6), 6);
    assert_int_equal(http_source_stream(r.loop, fds[0], &source), 0);
    assert_int_equal(http_source_length(source), HTTP_BODY_UNKNOWN);
    assert_int_equal(http_source_rewind(source), 0);
    http_source_set_ready(source, on_ready, &r);
    on_ready(source, &r);
    assert_int_equal(r.waits, 1);
    hloop_run(r.loop);
    assert_int_equal(r.err, 0);
    assert_int_equal(r.len, 11);
    assert_memory_equal(r.text, "hello world", 11);
    assert_int_equal(http_source_rewind(source), -ESPIPE);
    http_source_free(source);
    hloop_free(&r.loop);
}

/* Without a callback behind it. */
static void a_pipe_may_be_given_up(void **state)
{
    hloop_t *loop = new_loop_with(0);
    http_source_t *source;
    char c;
    int fds[2];

    (void)state;
    assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
    assert_int_equal(http_source_stream(loop, fds[0], &source), 0);
    assert_int_equal(http_source_read(source, &c, 1), -EAGAIN);
    http_source_free(source);
    close(fds[1]);
    hloop_free(&loop);
}

/* ---- filters --------------------------------------------------------------------------------- */

static void line_feeds_get_a_carriage_return(void **state)
{
    static const char *const rows[][2] = {
        {"", ""},
        {"a\nb\n", "a\r\nb\r\n"},
        {"a\r\nb", "a\r\nb"},
        {"\n\n", "\r\n\r\n"},
        {"\r\r\n\r", "\r\r\n\r"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        http_source_t *inner, *source;

        assert_int_equal(http_source_memory(rows[i][0], strlen(rows[i][0]), &inner), 0);
        assert_int_equal(http_source_crlf(inner, &source), 0);
        assert_int_equal(http_source_length(source), HTTP_BODY_UNKNOWN);
        gives(source, rows[i][1]);
        http_source_free(source);
    }
}

/* Far more than a filter holds. */
static void a_filter_takes_any_length(void **state)
{
    size_t len = 3 * HTTP_FILTER_IN + 7, total = 0;
    char *lines = malloc(len), buf[777];
    http_source_t *inner, *source;
    ssize_t n;

    (void)state;
    memset(lines, '\n', len);
    assert_int_equal(http_source_memory(lines, len, &inner), 0);
    assert_int_equal(http_source_crlf(inner, &source), 0);
    while ((n = http_source_read(source, buf, sizeof(buf))) > 0) {
        for (ssize_t i = 0; i < n; i++, total++)
            assert_int_equal(buf[i], total % 2 ? '\n' : '\r');
    }
    assert_int_equal(n, 0);
    assert_int_equal(total, 2 * len);
    http_source_free(source);
    free(lines);
}

static int make_all(void *arg)
{
    hloop_t *loop = arg;
    http_source_t *source = NULL, *filtered = NULL;
    int fd = file_with("x"), fds[2], err;

    err = http_source_file(fd, -1, &source);
    if (err < 0) {
        close(fd);
        return err;
    }
    err = http_source_crlf(source, &filtered);
    http_source_free(err < 0 ? source : filtered);
    if (err == 0)
        err = http_source_memory("x", 1, &source);
    if (err < 0)
        return err;
    http_source_free(source);
    assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
    close(fds[1]);
    err = http_source_stream(loop, fds[0], &source);
    if (err < 0)
        close(fds[0]);
    else
        http_source_free(source);
    return err;
}

static int make_all_with_a_loop(void *arg)
{
    hloop_t *loop = hloop_new(0);
    int err;

    (void)arg;
    if (!loop)
        return -ENOMEM;
    err = make_all(loop);
    hloop_free(&loop);
    return err;
}

static void memory_may_run_out(void **state)
{
    (void)state;
    oom_run(make_all_with_a_loop, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(memory_is_read_again_and_again),
        cmocka_unit_test(a_file_is_read_from_where_it_stands),
        cmocka_unit_test(a_file_that_changes_is_noticed),
        cmocka_unit_test(a_path_is_opened_when_it_is_read),
        cmocka_unit_test(what_cannot_be_read_is_refused),
        cmocka_unit_test(a_plain_file_may_be_a_stream),
        cmocka_unit_test(a_pipe_is_waited_for),
        cmocka_unit_test(a_pipe_may_be_given_up),
        cmocka_unit_test(line_feeds_get_a_carriage_return),
        cmocka_unit_test(a_filter_takes_any_length),
        cmocka_unit_test(memory_may_run_out),
    };

    return run_on_each_poller("http_source", tests, ARRAY_LENGTH(tests));
}
