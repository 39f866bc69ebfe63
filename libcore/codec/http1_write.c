#include "http1_write.h"

#include "http_chars.h"

#include <errno.h>
#include <string.h>

#define DIGITS_MAX 20 /* of an uint64_t */
#define STATUS_MIN 100
#define STATUS_MAX 999
#define MINOR_MAX 9

static void fail(http1_writer_t *writer, int error)
{
    if (writer->error == 0)
        writer->error = error;
}

void http1_write_raw(http1_writer_t *writer, http_span_t bytes)
{
    if (bytes.len > writer->size - writer->len)
        fail(writer, -ENOBUFS);
    if (writer->error != 0)
        return;
    if (bytes.len > 0)
        memcpy(writer->buf + writer->len, bytes.data, bytes.len);
    writer->len += bytes.len;
}

/* Text in which there is no byte of the set. */
static void write_checked(http1_writer_t *writer, http_span_t text, const http_chars_t *set)
{
    if (text.len > 0 &&
        http_find_best()(text.data, text.data + text.len, set) != text.data + text.len)
        fail(writer, -EINVAL);
    http1_write_raw(writer, text);
}

/* Text that is not empty either. */
static void write_word(http1_writer_t *writer, http_span_t text, const http_chars_t *set)
{
    if (text.len == 0)
        fail(writer, -EINVAL);
    write_checked(writer, text, set);
}

static void write_decimal(http1_writer_t *writer, uint64_t value)
{
    char digits[DIGITS_MAX];
    size_t at = sizeof(digits);

    do {
        digits[--at] = (char)('0' + value % 10);
        value /= 10;
    } while (value > 0);
    http1_write_raw(writer, (http_span_t){digits + at, sizeof(digits) - at});
}

static void write_version(http1_writer_t *writer, int minor)
{
    if (minor < 0 || minor > MINOR_MAX)
        fail(writer, -EINVAL);
    http1_write_raw(writer, HTTP_SPAN("HTTP/1."));
    write_decimal(writer, (uint64_t)minor);
}

void http1_write_begin(http1_writer_t *writer, char *buf, size_t size)
{
    *writer = (http1_writer_t){.buf = buf, .size = size};
}

void http1_write_request(http1_writer_t *writer, int minor, http_span_t method, http_span_t target)
{
    write_word(writer, method, &http_not_token);
    http1_write_raw(writer, HTTP_SPAN(" "));
    write_word(writer, target, &http_not_any_target);
    http1_write_raw(writer, HTTP_SPAN(" "));
    write_version(writer, minor);
    http1_write_raw(writer, HTTP_SPAN("\r\n"));
}

void http1_write_status(http1_writer_t *writer, int minor, int status, http_span_t reason)
{
    if (status < STATUS_MIN || status > STATUS_MAX)
        fail(writer, -EINVAL);
    write_version(writer, minor);
    http1_write_raw(writer, HTTP_SPAN(" "));
    write_decimal(writer, (uint64_t)status);
    http1_write_raw(writer, HTTP_SPAN(" "));
    write_checked(writer, reason.len > 0 ? reason : http_span(http_status_text(status)),
                  &http_not_line);
    http1_write_raw(writer, HTTP_SPAN("\r\n"));
}

void http1_write_field(http1_writer_t *writer, http_span_t name, http_span_t value)
{
    write_word(writer, name, &http_not_token);
    http1_write_raw(writer, value.len > 0 ? HTTP_SPAN(": ") : HTTP_SPAN(":"));
    write_checked(writer, value, &http_not_line);
    http1_write_raw(writer, HTTP_SPAN("\r\n"));
}

void http1_write_number(http1_writer_t *writer, http_span_t name, uint64_t value)
{
    write_word(writer, name, &http_not_token);
    http1_write_raw(writer, HTTP_SPAN(": "));
    write_decimal(writer, value);
    http1_write_raw(writer, HTTP_SPAN("\r\n"));
}

ssize_t http1_write_end(http1_writer_t *writer)
{
    http1_write_raw(writer, HTTP_SPAN("\r\n"));
    return writer->error != 0 ? writer->error : (ssize_t)writer->len;
}

size_t http1_chunk_prefix(char *buf, uint64_t len)
{
    static const char hex[] = "0123456789abcdef";
    size_t digits = 1;

    while (digits < HTTP1_CHUNK_PREFIX_SIZE - 2 && len >> (4 * digits) != 0)
        digits++;
    for (size_t i = digits; i > 0; i--, len >>= 4)
        buf[i - 1] = hex[len & 15];
    memcpy(buf + digits, "\r\n", 2);
    return digits + 2;
}

void http1_write_trailers(http1_writer_t *writer)
{
    http1_write_raw(writer, HTTP_SPAN("0\r\n"));
}
