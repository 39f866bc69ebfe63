#include "http1_int.h"

#include "../base/herr.h"
#include "http_chars.h"

#include <assert.h>
#include <string.h>

#define CHUNK_DIGITS_MAX 16
#define CHUNK_SHIFT_MAX (INT64_MAX >> 4)

static_assert(sizeof(http1_parser_t) <= 128, "a connection has one");
static_assert(HTTP_FIELD_COUNT <= 64, "http1_message_t.present has a bit for each");

/* ---- options --------------------------------------------------------------------------------- */

static const http1_options_t defaults;

static uint32_t either(size_t value, uint32_t otherwise)
{
    if (value == 0)
        return otherwise;
    return value < UINT32_MAX ? (uint32_t)value : UINT32_MAX;
}

static uint32_t extensions_max(const http1_parser_t *p)
{
    return either(p->options->chunk_extensions_max, HTTP1_CHUNK_EXTENSIONS_MAX);
}

bool http1__is_lenient_response(const http1_parser_t *p)
{
    return p->options->lenient && p->kind == HTTP1_RESPONSES;
}

/* ---- heads and trailers ---------------------------------------------------------------------- */

int http1__fail(http1_parser_t *p, int error, int status, const char *reason)
{
    p->state = HTTP1_FAILED;
    p->error = error;
    p->status = (uint16_t)(p->kind == HTTP1_RESPONSES ? 502 : status);
    p->reason = reason;
    return error;
}

static void take(http_span_t *rest, size_t n)
{
    rest->data += n;
    rest->len -= n;
}

static void begin_message(http1_parser_t *p)
{
    p->state = HTTP1_IN_HEAD;
    p->lines_max = either(p->options->head_max, HTTP1_HEAD_MAX);
    p->body_max = p->options->body_max;
    if (p->body_max == 0)
        p->body_max = p->kind == HTTP1_REQUESTS ? HTTP1_BODY_MAX : HTTP1_UNLIMITED;
    p->body_len = 0;
    p->empty_lines = 0;
    http1__rewind(p);
}

/* All lines of a head: what comes next? */
static int finish_head(http1_parser_t *p, http1_message_t *m)
{
    static const uint8_t states[] = {[HTTP1_NO_BODY] = HTTP1_AT_END,
                                     [HTTP1_LENGTH] = HTTP1_IN_LENGTH,
                                     [HTTP1_CHUNKED] = HTTP1_IN_SIZE,
                                     [HTTP1_TO_CLOSE] = HTTP1_IN_CLOSE};
    int err = http1__frame(p, m);

    if (err < 0)
        return err;
    p->state = states[m->framing];
    p->body_left = m->framing == HTTP1_LENGTH ? (uint64_t)m->content_length : 0;
    p->extensions_left = extensions_max(p);
    p->digits = 0;
    p->last = !m->keep_alive;
    if (p->kind == HTTP1_RESPONSES && m->status >= 200)
        p->answer_to = HTTP_METHOD_GET;
    return HTTP1_HEAD;
}

static int finish_lines(http1_parser_t *p, http1_message_t *m, const char *text, size_t len)
{
    m->head = (http_span_t){text, len};
    if (p->state == HTTP1_IN_HEAD)
        return finish_head(p, m);
    p->state = HTTP1_AT_END;
    return m->field_count > 0 ? HTTP1_TRAILERS : HTTP1__AGAIN;
}

/* An HTTP/0.9 response has no head; what was collected to find that out is its beginning. */
static int begin_old_response(http1_parser_t *p, http1_message_t *m)
{
    http_field_t *fields = m->fields;
    size_t fields_max = m->fields_max;

    http1_message_init(m, fields, fields_max);
    m->status = 200;
    m->minor = 9;
    m->framing = HTTP1_TO_CLOSE;
    m->content_length = -1;
    p->state = p->head.len > 0 ? HTTP1_IN_OLD : HTTP1_IN_CLOSE;
    p->last = true;
    p->answer_to = HTTP_METHOD_GET;
    return HTTP1_HEAD;
}

/* Adds to what has come, and reads that. Lines that were whole before have been checked, and are
 * read once more when all are there: their spans are gone. */
static int read_collected(http1_parser_t *p, http1_message_t *m, http_span_t *rest)
{
    size_t old_len = p->head.len, end = 0;
    size_t n = p->lines_max - old_len;
    bool once_more = p->line > 0;
    int result;

    n = n < rest->len ? n : rest->len;
    p->head.size_max = p->lines_max;
    if (hbytes_append(&p->head, rest->data, n) < 0)
        return http1__fail(p, -ENOMEM, 500, "out of memory");
    result = http1__read_lines(p, m, (http_span_t){p->head.data, p->head.len}, true, &end);
    if (result == HTTP1__OLD) {
        p->head.len = old_len;
        return begin_old_response(p, m);
    }
    if (result <= 0) {
        if (result == 0)
            take(rest, n);
        return result;
    }
    take(rest, end - old_len);
    if (result == HTTP1__EMPTY) {
        hbytes_deinit(&p->head);
        return HTTP1__AGAIN;
    }
    if (once_more) {
        http1__rewind(p);
        http1__read_lines(p, m, (http_span_t){p->head.data, p->head.len}, true, &end);
    }
    return finish_lines(p, m, p->head.data, end);
}

static int read_lines(http1_parser_t *p, http1_message_t *m, http_span_t *rest)
{
    const char *text = rest->data;
    size_t end = 0;
    int result;

    if (rest->len == 0)
        return HTTP1_MORE;
    if (p->head.len > 0)
        return read_collected(p, m, rest);
    result = http1__read_lines(p, m, *rest, false, &end);
    switch (result) {
    case HTTP1__WHOLE:
        take(rest, end);
        return finish_lines(p, m, text, end);
    case HTTP1__EMPTY:
        take(rest, end);
        return HTTP1__AGAIN;
    case HTTP1__OLD:
        return begin_old_response(p, m);
    case HTTP1__FOLDED:
    case 0:
        return read_collected(p, m, rest);
    default:
        return result;
    }
}

/* ---- bodies ---------------------------------------------------------------------------------- */

static int too_much(http1_parser_t *p)
{
    return http1__fail(p, HERR_FRAME_SIZE, 413, "the body is too long");
}

/* What is left of the body or chunk; next: the state behind it. */
static int read_counted(http1_parser_t *p, http1_message_t *m, http_span_t *rest, uint8_t next)
{
    size_t n = rest->len < p->body_left ? rest->len : (size_t)p->body_left;

    if (n == 0)
        return HTTP1_MORE;
    m->body = (http_span_t){rest->data, n};
    take(rest, n);
    p->body_left -= n;
    if (p->body_left == 0)
        p->state = next;
    return HTTP1_BODY;
}

static int read_length(http1_parser_t *p, http1_message_t *m, http_span_t *rest)
{
    if (p->body_left > p->body_max)
        return too_much(p);
    return read_counted(p, m, rest, HTTP1_AT_END);
}

static int read_to_close(http1_parser_t *p, http1_message_t *m, http_span_t *rest)
{
    uint64_t left = p->body_max > p->body_len ? p->body_max - p->body_len : 0;
    size_t n = rest->len < left ? rest->len : (size_t)left;

    if (rest->len == 0)
        return HTTP1_MORE;
    if (n == 0)
        return too_much(p);
    m->body = (http_span_t){rest->data, n};
    take(rest, n);
    p->body_len += n;
    return HTTP1_BODY;
}

static int read_old_start(http1_parser_t *p, http1_message_t *m)
{
    m->body = (http_span_t){p->head.data, p->head.len};
    p->body_len = p->head.len;
    p->state = HTTP1_IN_CLOSE;
    return HTTP1_BODY;
}

static int bad_chunk(http1_parser_t *p, const char *reason)
{
    return http1__fail(p, HERR_PROTOCOL, 400, reason);
}

/* The line with the size is whole. */
static int begin_chunk(http1_parser_t *p)
{
    uint64_t earned = p->body_left;
    uint32_t extensions = extensions_max(p);

    p->digits = 0;
    if (p->body_left == 0) {
        p->state = HTTP1_IN_TRAILERS;
        p->lines_max = either(p->options->trailers_max, HTTP1_TRAILERS_MAX);
        http1__rewind(p);
        return HTTP1__AGAIN;
    }
    if (p->body_len > p->body_max || p->body_left > p->body_max - p->body_len)
        return too_much(p);
    p->body_len += p->body_left;
    p->extensions_left = earned < extensions - p->extensions_left
                             ? p->extensions_left + (uint32_t)earned
                             : extensions;
    p->state = HTTP1_IN_CHUNK;
    return HTTP1__AGAIN;
}

/* The byte that ends the line with the size: CR, or, where that is allowed, LF. */
static int end_size_line(http1_parser_t *p, char c)
{
    if (c == '\n' && http1__is_lenient_response(p))
        return begin_chunk(p);
    if (c != '\r')
        return bad_chunk(p, "the line with the size of a chunk is malformed");
    p->state = HTTP1_IN_SIZE_LF;
    return HTTP1__AGAIN;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static int read_size(http1_parser_t *p, http_span_t *rest)
{
    char c = *rest->data;
    int digit = hex_digit(c);

    take(rest, 1);
    if (digit >= 0) {
        if (p->digits++ >= CHUNK_DIGITS_MAX || p->body_left > CHUNK_SHIFT_MAX)
            return bad_chunk(p, "the size of a chunk is too large");
        p->body_left = p->body_left << 4 | (unsigned)digit;
        return HTTP1__AGAIN;
    }
    if (p->digits == 0)
        return bad_chunk(p, "a chunk has no size");
    if (c != ' ' && c != '\t' && c != ';')
        return end_size_line(p, c);
    p->state = c == ';' ? HTTP1_IN_EXTENSION : HTTP1_IN_SPACE;
    return HTTP1__AGAIN;
}

/* RFC 9112 section 7.1.1 has space before the semicolon, and nowhere else. */
static int read_space(http1_parser_t *p, http_span_t *rest)
{
    char c = *rest->data;

    take(rest, 1);
    if (c == ';') {
        p->state = HTTP1_IN_EXTENSION;
    } else if (c == ' ' || c == '\t') {
        if (p->extensions_left-- == 0)
            return bad_chunk(p, "chunk extensions are too long");
    } else if (!http1__is_lenient_response(p)) {
        return bad_chunk(p, "a space behind the size of a chunk");
    } else {
        return end_size_line(p, c);
    }
    return HTTP1__AGAIN;
}

static int read_extension(http1_parser_t *p, http_span_t *rest)
{
    const char *end = p->find(rest->data, rest->data + rest->len, &http_not_line);
    size_t n = (size_t)(end - rest->data);
    char c;

    if (n > p->extensions_left)
        return bad_chunk(p, "chunk extensions are too long");
    p->extensions_left -= (uint32_t)n;
    take(rest, n);
    if (rest->len == 0)
        return HTTP1_MORE;
    c = *rest->data;
    take(rest, 1);
    return end_size_line(p, c);
}

static int read_size_lf(http1_parser_t *p, http_span_t *rest)
{
    if (*rest->data != '\n')
        return bad_chunk(p, "the line with the size of a chunk is malformed");
    take(rest, 1);
    return begin_chunk(p);
}

/* CR LF behind the data; the size of the next chunk follows. */
static int read_chunk_end(http1_parser_t *p, http_span_t *rest)
{
    char c = *rest->data;

    take(rest, 1);
    if (p->state == HTTP1_IN_CHUNK_CR && c == '\r') {
        p->state = HTTP1_IN_CHUNK_LF;
        return HTTP1__AGAIN;
    }
    if (c != '\n' || (p->state == HTTP1_IN_CHUNK_CR && !http1__is_lenient_response(p)))
        return bad_chunk(p, "a chunk is longer than its size");
    p->state = HTTP1_IN_SIZE;
    return HTTP1__AGAIN;
}

static int finish_message(http1_parser_t *p)
{
    if (p->head.data)
        hbytes_deinit(&p->head);
    begin_message(p);
    if (p->last)
        p->state = HTTP1_AT_DONE;
    return HTTP1_END;
}

/* ---- states ---------------------------------------------------------------------------------- */

/* Framing between the chunks; there is a byte at least. */
static int step_in_framing(http1_parser_t *p, http_span_t *rest)
{
    switch (p->state) {
    case HTTP1_IN_SIZE:
        return read_size(p, rest);
    case HTTP1_IN_SPACE:
        return read_space(p, rest);
    case HTTP1_IN_EXTENSION:
        return read_extension(p, rest);
    case HTTP1_IN_SIZE_LF:
        return read_size_lf(p, rest);
    default:
        return read_chunk_end(p, rest);
    }
}

static int step(http1_parser_t *p, http1_message_t *m, http_span_t *rest)
{
    switch (p->state) {
    case HTTP1_IN_HEAD:
    case HTTP1_IN_TRAILERS:
        return read_lines(p, m, rest);
    case HTTP1_IN_LENGTH:
        return read_length(p, m, rest);
    case HTTP1_IN_OLD:
        return read_old_start(p, m);
    case HTTP1_IN_CLOSE:
        return read_to_close(p, m, rest);
    case HTTP1_IN_CHUNK:
        return read_counted(p, m, rest, HTTP1_IN_CHUNK_CR);
    case HTTP1_AT_END:
        return finish_message(p);
    case HTTP1_AT_DONE:
        return HTTP1_DONE;
    case HTTP1_FAILED:
        return p->error;
    default:
        return rest->len == 0 ? HTTP1_MORE : step_in_framing(p, rest);
    }
}

int http1_parse(http1_parser_t *parser, http_span_t *rest, http1_message_t *message)
{
    int result;

    if (parser->head.data && parser->state != HTTP1_IN_HEAD && parser->state != HTTP1_IN_TRAILERS &&
        parser->state != HTTP1_IN_OLD)
        hbytes_deinit(&parser->head);
    do {
        result = step(parser, message, rest);
    } while (result == HTTP1__AGAIN);
    return result;
}

/* ---- the rest -------------------------------------------------------------------------------- */

void http1_message_init(http1_message_t *message, http_field_t *fields, size_t fields_max)
{
    *message = (http1_message_t){
        .fields = fields,
        .fields_max = fields_max < UINT16_MAX ? fields_max : UINT16_MAX,
    };
}

void http1_init(http1_parser_t *parser, http1_kind_e kind, const http1_options_t *options)
{
    *parser = (http1_parser_t){
        .options = options ? options : &defaults,
        .reason = "",
        .find = http_find_best(),
        .kind = (uint8_t)kind,
        .answer_to = HTTP_METHOD_GET,
    };
    parser->line_max = either(parser->options->line_max, HTTP1_LINE_MAX);
    begin_message(parser);
}

void http1_deinit(http1_parser_t *parser)
{
    hbytes_deinit(&parser->head);
}

bool http1_in_message(const http1_parser_t *parser)
{
    if (parser->state == HTTP1_IN_HEAD)
        return parser->head.len > 0;
    return parser->state != HTTP1_AT_DONE && parser->state != HTTP1_FAILED;
}

int http1_eof(http1_parser_t *parser)
{
    switch (parser->state) {
    case HTTP1_FAILED:
        return parser->error;
    case HTTP1_IN_CLOSE:
        parser->state = HTTP1_AT_END;
        return 0;
    case HTTP1_AT_END:
        return 0;
    default:
        return http1_in_message(parser)
                   ? http1__fail(parser, HERR_TRUNCATED, 400, "the connection ended too early")
                   : 0;
    }
}

void http1_answer_to(http1_parser_t *parser, http_method_e method)
{
    parser->answer_to = (uint8_t)method;
}

void http1_set_body_max(http1_parser_t *parser, uint64_t body_max)
{
    parser->body_max = body_max;
}

bool http1_head_is_full(const http1_parser_t *parser)
{
    return parser->full;
}

http_span_t http1_collected(const http1_parser_t *parser)
{
    return (http_span_t){parser->head.data, parser->head.len};
}

int http1_status(const http1_parser_t *parser)
{
    return parser->status;
}

const char *http1_reason(const http1_parser_t *parser)
{
    return parser->reason;
}

const http_field_t *http1_field(const http1_message_t *message, http_field_e field)
{
    if (field == HTTP_FIELD_OTHER || !(message->present & UINT64_C(1) << field))
        return NULL;
    return &message->fields[message->known[field]];
}

const http_field_t *http1_field_find(const http1_message_t *message, const http_field_t *behind,
                                     const char *name)
{
    const http_field_t *end = message->fields + message->field_count;

    for (const http_field_t *f = behind ? behind + 1 : message->fields; f < end; f++) {
        if (http_span_ieq(f->name, name))
            return f;
    }
    return NULL;
}

/* Spans that lie in the head: an empty one may point anywhere. */
static http_span_t moved(http_span_t span, http_span_t from, char *to)
{
    if (span.len == 0)
        return (http_span_t){to, 0};
    return (http_span_t){to + (span.data - from.data), span.len};
}

void http1_message_move(http1_message_t *message, char *buf, http_field_t *fields)
{
    http_span_t from = message->head;

    if (from.len > 0)
        memcpy(buf, from.data, from.len);
    fields = fields ? fields : message->fields;
    for (size_t i = 0; i < message->field_count; i++) {
        fields[i] =
            (http_field_t){moved(message->fields[i].name, from, buf),
                           moved(message->fields[i].value, from, buf), message->fields[i].id};
    }
    message->fields = fields;
    message->method_name = moved(message->method_name, from, buf);
    message->target = moved(message->target, from, buf);
    message->reason = moved(message->reason, from, buf);
    message->head.data = buf;
}
