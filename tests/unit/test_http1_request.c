/* One thread. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "http1_trace.h"
#include "oom.h"

static const http1_options_t lenient = {.lenient = true};

/* Whole, cut in two at every place, and byte by byte. */
static void says(const http1_options_t *options, const char *data, size_t len, const char *text)
{
    for (size_t cut = 0; cut <= len + 1; cut++) {
        http1_trace_t trace;

        http1_trace_init(&trace, HTTP1_REQUESTS, options);
        assert_string_equal(
            http1_trace_all(&trace, data, len, cut ? len + 1 - cut : len, cut == len ? 1 : len),
            text);
        http1_trace_deinit(&trace);
    }
}

#define SAYS(data, text) says(NULL, data, sizeof(data) - 1, text)

/* What is refused, with which status and why. */
static void refuses(const http1_options_t *options, const char *data, size_t len, const char *why)
{
    http1_trace_t trace;
    const char *text, *last;
    char *copy;

    http1_trace_init(&trace, HTTP1_REQUESTS, options);
    text = http1_trace_all(&trace, data, len, len, len);
    copy = strdup(text);
    last = strstr(copy, "HERR_");
    assert_non_null(last);
    last = strchr(last, ' ') + 1;
    if (strncmp(last, why, strlen(why)) != 0)
        print_error("%.*s\n-> %s", (int)len, data, text);
    assert_memory_equal(last, why, strlen(why));
    says(options, data, len, copy);
    free(copy);
    http1_trace_deinit(&trace);
}

#define H "Host: h\r\n"
#define GET "GET / HTTP/1.1\r\n" H
#define POST "POST / HTTP/1.1\r\n" H
#define CHUNKED POST "Transfer-Encoding: chunked\r\n\r\n"

static void requests_are_read(void **state)
{
    (void)state;
    SAYS(GET "\r\n", "GET / 1.1 none -1 keep Host=h\nend\n");
    SAYS("GET /a?b=[{|}]%00 HTTP/1.0\nA:\n\n", "GET /a?b=[{|}]%00 1.0 none -1 A=\nend\ndone\n");
    SAYS("OPTIONS * HTTP/1.1\r\nHost:\r\n\r\n", "OPTIONS * 1.1 none -1 keep Host=\nend\n");
    SAYS("GET http://a:1/b HTTP/1.1\r\n" H "\r\n",
         "GET http://a:1/b 1.1 none -1 keep Host=h\nend\n");
    SAYS("CONNECT [::1]:80 HTTP/1.1\r\n" H "\r\n",
         "CONNECT [::1]:80 1.1 none -1 keep Host=h\nend\n");
    SAYS("BREW / HTTP/1.9\r\n" H "x_~: \t a b\t \r\n\r\n",
         "BREW / 1.9 none -1 keep Host=h x_~=a b\nend\n");
    SAYS("", "");
}

static void bodies_end_where_their_length_says(void **state)
{
    (void)state;
    SAYS(POST "Content-Length: 5\r\n\r\nhello", "POST / 1.1 length 5 keep Host=h Content-Length=5\n"
                                                "[hello]\nend\n");
    SAYS(POST "content-length: 3, 3\r\nCONTENT-LENGTH: 03\r\n\r\nabc" GET "\r\n",
         "POST / 1.1 length 3 keep Host=h content-length=3, 3 CONTENT-LENGTH=03\n[abc]\nend\n"
         "GET / 1.1 none -1 keep Host=h\nend\n");
    SAYS(POST "Content-Length: 0\r\n\r\n", "POST / 1.1 none 0 keep Host=h Content-Length=0\nend\n");
    SAYS(POST "Content-Length: 5\r\n\r\nhell",
         "POST / 1.1 length 5 keep Host=h Content-Length=5\nHERR_TRUNCATED 400\n");
    SAYS("GET / HT", "HERR_TRUNCATED 400\n");
}

#define CHUNKED_SAYS "POST / 1.1 chunked -1 keep Host=h Transfer-Encoding=chunked\n"

static void chunks_are_put_together(void **state)
{
    (void)state;
    SAYS(CHUNKED "5\r\nhello\r\n0\r\n\r\n", CHUNKED_SAYS "[hello]\nend\n");
    SAYS(CHUNKED "0\r\n\r\n" GET "\r\n", CHUNKED_SAYS "end\nGET / 1.1 none -1 keep Host=h\nend\n");
    SAYS(CHUNKED "00A \t;x=\"y\"\r\n0123456789\r\n1;\r\nx\r\n000;last\r\nA: b\r\nc:\r\n\r\n",
         CHUNKED_SAYS "[0123456789x]\ntrailers A=b c=\nend\n");
    SAYS(CHUNKED "1\r\nx", CHUNKED_SAYS "HERR_TRUNCATED 400\n");
}

static void requests_follow_each_other(void **state)
{
    (void)state;
    SAYS("\r\n\n" GET "\r\n\r\n" POST "Content-Length: 2\r\n\r\nab" CHUNKED
         "1\r\nx\r\n0\r\n\r\n" GET "Connection: Upgrade , close\r\nUpgrade: h2c\r\n\r\nmore",
         "GET / 1.1 none -1 keep Host=h\nend\n"
         "POST / 1.1 length 2 keep Host=h Content-Length=2\n[ab]\nend\n" CHUNKED_SAYS "[x]\nend\n"
         "GET / 1.1 none -1 upgrade Host=h Connection=Upgrade , close Upgrade=h2c\nend\ndone\n");
}

static void connections_are_kept_as_version_and_field_say(void **state)
{
    (void)state;
    SAYS("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n",
         "GET / 1.0 none -1 keep Connection=Keep-Alive\nend\n");
    SAYS("GET / HTTP/1.0\r\nConnection: keep-alive, close\r\n\r\n",
         "GET / 1.0 none -1 Connection=keep-alive, close\nend\ndone\n");
    SAYS(GET "Connection: x\r\nConnection: CLOSE\r\n\r\n",
         "GET / 1.1 none -1 Host=h Connection=x Connection=CLOSE\nend\ndone\n");
    SAYS(GET "Expect: 100-Continue\r\nUpgrade: x\r\n\r\n",
         "GET / 1.1 none -1 keep expect Host=h Expect=100-Continue Upgrade=x\nend\n");
}

#define BAD(data, why)                                                                             \
    {                                                                                              \
        data, sizeof(data) - 1, why                                                                \
    }

static const struct {
    const char *data;
    size_t len;
    const char *why;
} bad[] = {
    BAD(POST "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", "400 both"),
    BAD(POST "Transfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n", "400 both"),
    BAD(POST "Transfer-Encoding: foo\r\nContent-Length: x\r\n\r\n", "400 both"),
    BAD(POST "Content-Length: 1\r\nContent-Length: 2\r\n\r\n", "400 Content-Length"),
    BAD(POST "Content-Length: 1, 2\r\n\r\n", "400 Content-Length"),
    BAD(POST "Content-Length: 1,\r\n\r\n", "400 Content-Length"),
    BAD(POST "Content-Length:\r\n\r\n", "400 Content-Length"),
    BAD(POST "Content-Length: +1\r\n\r\n", "400 Content-Length"),
    BAD(POST "Content-Length: -1\r\n\r\n", "400 Content-Length"),
    BAD(POST "Content-Length: 0x1\r\n\r\n", "400 Content-Length"),
    BAD(POST "Content-Length: 1 1\r\n\r\n", "400 Content-Length"),
    BAD(POST "Content-Length: 18446744073709551617\r\n\r\n", "400 Content-Length"),
    BAD(POST "Transfer-Encoding: chunked, gzip\r\n\r\n", "400 chunked"),
    BAD(POST "Transfer-Encoding: chunked, chunked\r\n\r\n", "400 chunked"),
    BAD(POST "Transfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n\r\n", "400 chunked"),
    BAD(POST "Transfer-Encoding:\r\n\r\n", "400 chunked"),
    BAD(POST "Transfer-Encoding: gzip, chunked\r\n\r\n", "501 an unknown"),
    BAD(POST "Transfer-Encoding: xchunked\r\n\r\n", "501 an unknown"),
    BAD(POST "Transfer-Encoding: \"chunked\"\r\n\r\n", "501 an unknown"),
    BAD(POST "Transfer-Encoding: identity\r\n\r\n", "501 an unknown"),
    BAD("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", "400 Transfer-Encoding in"),
    BAD(GET " folded\r\n\r\n", "400 a folded"),
    BAD("GET / HTTP/1.1\r\n " H "\r\n", "400 a folded"),
    BAD(GET "A: b\r\n\tc\r\n\r\n", "400 a folded"),
    BAD(GET "A: b\0c\r\n\r\n", "400 a control"),
    BAD(GET "A: b\rc\r\n\r\n", "400 a control"),
    BAD(GET "A: b\r\r\n\r\n", "400 a control"),
    BAD(GET "A: b\x7f\r\n\r\n", "400 a control"),
    BAD(GET "A: b\x1b[2J\r\n\r\n", "400 a control"),
    BAD(GET "A : b\r\n\r\n", "400 a malformed"),
    BAD(GET "A\t: b\r\n\r\n", "400 a malformed"),
    BAD(GET ": b\r\n\r\n", "400 a malformed"),
    BAD(GET "A\r\n\r\n", "400 a malformed"),
    BAD(GET "A(: b\r\n\r\n", "400 a malformed"),
    BAD(GET "\xc3\xa4: b\r\n\r\n", "400 a malformed"),
    BAD("GET / HTTP/1.1\r\n\r\n", "400 no Host"),
    BAD(GET H "\r\n", "400 more than one Host"),
    BAD("GET / HTTP/1.0\r\n" H H "\r\n", "400 more than one Host"),
    BAD("GET / HTTP/1.1\r\nHost: u@h\r\n\r\n", "400 Host is"),
    BAD("GET / HTTP/1.1\r\nHost: a b\r\n\r\n", "400 Host is"),
    BAD("GET / HTTP/1.1\r\nHost: h:8x\r\n\r\n", "400 Host is"),
    BAD("GET / HTTP/1.1\r\nHost: h/\r\n\r\n", "400 Host is"),
    BAD("G T / HTTP/1.1\r\n" H "\r\n", "400 the request line"),
    BAD("G(T / HTTP/1.1\r\n" H "\r\n", "400 the request line"),
    BAD(" GET / HTTP/1.1\r\n" H "\r\n", "400 the request line"),
    BAD("GET  / HTTP/1.1\r\n" H "\r\n", "400 the request line"),
    BAD("GET /  HTTP/1.1\r\n" H "\r\n", "400 the request line"),
    BAD("GET / HTTP/1.1 \r\n" H "\r\n", "400 the request line"),
    BAD("GET\t/\tHTTP/1.1\r\n" H "\r\n", "400 the request line"),
    BAD("GET /a\tb HTTP/1.1\r\n" H "\r\n", "400 the request line"),
    BAD("GET /\r\n" H "\r\n", "400 the request line"),
    BAD("GET / http/1.1\r\n" H "\r\n", "400 the request line"),
    BAD("GET / HTTP/1.\r\n" H "\r\n", "400 the request line"),
    BAD("GET / HTTP/1.10\r\n" H "\r\n", "400 the request line"),
    BAD("GET / HTTP/11\r\n" H "\r\n", "400 the request line"),
    BAD("GET / HTTP/1,1\r\n" H "\r\n", "400 the request line"),
    BAD("GET / HTTP/2.0\r\n" H "\r\n", "505 not"),
    BAD("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "505 not"),
    BAD("GET / HTTP/0.9\r\n\r\n", "505 not"),
    BAD("GET /a\0b HTTP/1.1\r\n" H "\r\n", "400 a control"),
    BAD("GET /\xc3\xa4 HTTP/1.1\r\n" H "\r\n", "400 the request line"),
    BAD("GET /<a> HTTP/1.1\r\n" H "\r\n", "400 the request line"),
    BAD("GET /\" HTTP/1.1\r\n" H "\r\n", "400 the request line"),
    BAD("GET /#a HTTP/1.1\r\n" H "\r\n", "400 the request line"),
    BAD("GET a HTTP/1.1\r\n" H "\r\n", "400 the target is"),
    BAD("GET * HTTP/1.1\r\n" H "\r\n", "400 the target is"),
    BAD("GET http:/a HTTP/1.1\r\n" H "\r\n", "400 the target is"),
    BAD("GET http:///a HTTP/1.1\r\n" H "\r\n", "400 the target is"),
    BAD("GET http://u@h/a HTTP/1.1\r\n" H "\r\n", "400 the target is"),
    BAD("GET 1://h/ HTTP/1.1\r\n" H "\r\n", "400 the target is"),
    BAD("CONNECT / HTTP/1.1\r\n" H "\r\n", "400 the target is"),
    BAD("CONNECT h HTTP/1.1\r\n" H "\r\n", "400 the target is"),
    BAD("CONNECT h:1 HTTP/1.1\r\n" H "Content-Length: 1\r\n\r\n", "400 a body of"),
    BAD("CONNECT h:1 HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\n", "400 a body of"),
    BAD("\r\n\r\n\r\n\r\n\r\n" GET "\r\n", "400 no first"),
    BAD("\x16\x03\x01", "400 a control"),
    BAD(CHUNKED "\r\n", "400 a chunk has no"),
    BAD(CHUNKED ";x\r\n", "400 a chunk has no"),
    BAD(CHUNKED "-1\r\n", "400 a chunk has no"),
    BAD(CHUNKED " 1\r\n", "400 a chunk has no"),
    BAD(CHUNKED "0x1\r\n", "400 the line with"),
    BAD(CHUNKED "1\nx\r\n0\r\n\r\n", "400 the line with"),
    BAD(CHUNKED "1\rx\r\n0\r\n\r\n", "400 the line with"),
    BAD(CHUNKED "1;a\nx\r\n0\r\n\r\n", "400 the line with"),
    BAD(CHUNKED "1;a\0\r\nx\r\n0\r\n\r\n", "400 the line with"),
    BAD(CHUNKED "1 \r\nx\r\n0\r\n\r\n", "400 a space behind"),
    BAD(CHUNKED "1 1\r\nx\r\n0\r\n\r\n", "400 a space behind"),
    BAD(CHUNKED "8000000000000000\r\n", "400 the size"),
    BAD(CHUNKED "10000000000000001\r\nx\r\n0\r\n\r\n", "400 the size"),
    BAD(CHUNKED "00000000000000001\r\nx\r\n0\r\n\r\n", "400 the size"),
    BAD(CHUNKED "1\r\nx\n0\r\n\r\n", "400 a chunk is longer"),
    BAD(CHUNKED "1\r\nx\r\n0\r\n\n", "400 LF without CR"),
    BAD(CHUNKED "1\r\nx\r\n0\r\nA: b\n\r\n", "400 LF without CR"),
    BAD(CHUNKED "1\r\nxy\r\n0\r\n\r\n", "400 a chunk is longer"),
    BAD(CHUNKED "1\r\nx\r\r\n0\r\n\r\n", "400 a chunk is longer"),
    BAD(CHUNKED "0\r\nA : b\r\n\r\n", "400 a malformed"),
    BAD(CHUNKED "0\r\nA: b\r\n c\r\n\r\n", "400 a folded"),
    BAD(CHUNKED "7fffffffffffffff\r\n", "413 the body"),
};

static void what_must_be_refused_is_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        refuses(NULL, bad[i].data, bad[i].len, bad[i].why);
}

static void lenience_to_clients_is_about_the_target_alone(void **state)
{
    static const char odd[] = "GET /\xc3\xa4#\"<> HTTP/1.1\r\n" H "\r\n";
    static const char strict[][128] = {
        POST "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", GET "A : b\r\n\r\n",
        GET " b\r\n\r\n", CHUNKED "1\nx\r\n0\r\n\r\n", "GET /\x7f HTTP/1.1\r\n" H "\r\n"};

    (void)state;
    says(&lenient, odd, sizeof(odd) - 1, "GET /\xc3\xa4#\"<> 1.1 none -1 keep Host=h\nend\n");
    for (size_t i = 0; i < sizeof(strict) / sizeof(strict[0]); i++)
        refuses(&lenient, strict[i], strlen(strict[i]), "400 ");
}

static void version_0_9_is_read_on_request(void **state)
{
    static const http1_options_t old = {.http09 = true};
    static const char request[] = "GET /a?b\r\nmore", other[] = "PUT /a\r\n";

    (void)state;
    says(&old, request, sizeof(request) - 1, "GET /a?b 0.9 none -1\nend\ndone\n");
    refuses(&old, other, sizeof(other) - 1, "400 the request line");
    says(&old, GET "\r\n", sizeof(GET "\r\n") - 1, "GET / 1.1 none -1 keep Host=h\nend\n");
}

static void maxima_hold_to_the_byte(void **state)
{
    static const struct {
        http1_options_t just, less;
        const char *data, *why;
    } rows[] = {
        {{.line_max = 16}, {.line_max = 15}, GET "\r\n", "414 the first line"},
        {{.line_max = 20}, {.line_max = 19}, GET "A: 345678901234567\r\n\r\n", "431 a field"},
        {{.head_max = 27}, {.head_max = 26}, GET "\r\n", "431 the head"},
        {{.head_max = 27}, {.head_max = 20}, GET "\r\n", "431 the head"},
        {{.body_max = 3}, {.body_max = 2}, POST "Content-Length: 3\r\n\r\nabc", "413 the body"},
        {{.body_max = 3},
         {.body_max = 2},
         CHUNKED "2\r\nab\r\n1\r\nc\r\n0\r\n\r\n",
         "413 the body"},
        {{.trailers_max = 8}, {.trailers_max = 7}, CHUNKED "0\r\nA: b\r\n\r\n", "431 the trailers"},
        {{.chunk_extensions_max = 3},
         {.chunk_extensions_max = 2},
         CHUNKED "0;abc\r\n\r\n",
         "400 chunk extensions"},
        {{.chunk_extensions_max = 5},
         {.chunk_extensions_max = 4},
         CHUNKED "2;abcd\r\nab\r\n2  ;ab\r\ncd\r\n0;a\r\n\r\n",
         "400 chunk extensions"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        http1_trace_t trace;
        size_t len = strlen(rows[i].data);

        http1_trace_init(&trace, HTTP1_REQUESTS, &rows[i].just);
        assert_null(strstr(http1_trace_all(&trace, rows[i].data, len, len, len), "HERR_"));
        http1_trace_deinit(&trace);
        refuses(&rows[i].less, rows[i].data, len, rows[i].why);
    }
}

/* fields_max of HTTP1_TRACE_FIELDS, Host among them. */
static void fields_are_counted(void **state)
{
    static const char ok[] = GET "a:\r\na:\r\na:\r\na:\r\na:\r\na:\r\na:\r\n\r\n";
    static const char many[] = GET "a:\r\na:\r\na:\r\na:\r\na:\r\na:\r\na:\r\na:\r\n\r\n";

    (void)state;
    SAYS(ok, "GET / 1.1 none -1 keep Host=h a= a= a= a= a= a= a=\nend\n");
    refuses(NULL, many, sizeof(many) - 1, "431 too many");
}

static void the_default_maxima_hold(void **state)
{
    size_t size = HTTP1_HEAD_MAX + 1;
    char *data = malloc(size);
    http1_trace_t trace;
    const char *text;

    (void)state;
    assert_non_null(data);
    memset(data, 'a', size);
    memcpy(data, "GET /", 5);
    http1_trace_init(&trace, HTTP1_REQUESTS, NULL);
    text = http1_trace_all(&trace, data, HTTP1_LINE_MAX, 1000, 1000);
    assert_string_equal(text, "HERR_FRAME_SIZE 414 the first line is too long\n");
    http1_trace_deinit(&trace);

    memcpy(data, GET, sizeof(GET) - 1);
    for (size_t at = sizeof(GET) - 1; at < size; at += 8000) {
        size_t n = size - at < 8000 ? size - at : 8000;

        memcpy(data + at, "b: ", 3);
        data[at + n - 1] = '\n';
    }
    http1_trace_init(&trace, HTTP1_REQUESTS, NULL);
    text = http1_trace_all(&trace, data, size, 1000, 1000);
    assert_string_equal(text, "HERR_FRAME_SIZE 431 the head is too long\n");
    http1_trace_deinit(&trace);
    free(data);
}

static void a_head_in_one_piece_is_not_copied(void **state)
{
    static const char data[] = POST "Content-Length: 4\r\n\r\nabcd";
    http_span_t rest = HTTP_SPAN(data), first = {data, 20};
    http_field_t fields[4];
    http1_message_t m;
    http1_parser_t p;

    (void)state;
    http1_init(&p, HTTP1_REQUESTS, NULL);
    http1_message_init(&m, fields, 4);
    assert_int_equal(http1_parse(&p, &rest, &m), HTTP1_HEAD);
    assert_ptr_equal(m.head.data, data);
    assert_ptr_equal(m.target.data, data + 5);
    assert_null(p.head.data);
    assert_int_equal(m.method, HTTP_METHOD_POST);
    assert_int_equal(m.target_form, HTTP1_TARGET_ORIGIN);
    assert_int_equal(http1_field(&m, HTTP_FIELD_CONTENT_LENGTH)->value.len, 1);
    assert_null(http1_field(&m, HTTP_FIELD_COOKIE));
    assert_null(http1_field(&m, HTTP_FIELD_OTHER));
    assert_ptr_equal(http1_field_find(&m, NULL, "HOST"), &fields[0]);
    assert_null(http1_field_find(&m, &fields[0], "HOST"));
    http1_deinit(&p);

    http1_init(&p, HTTP1_REQUESTS, NULL);
    assert_int_equal(http1_parse(&p, &first, &m), HTTP1_MORE);
    assert_true(http1_in_message(&p));
    rest = (http_span_t){data + 20, sizeof(data) - 1 - 20};
    assert_int_equal(http1_parse(&p, &rest, &m), HTTP1_HEAD);
    assert_ptr_equal(m.head.data, p.head.data);
    assert_int_equal(rest.len, 4);
    assert_int_equal(http1_parse(&p, &rest, &m), HTTP1_BODY);
    assert_null(p.head.data);
    http1_deinit(&p);
}

static void a_message_outlives_its_bytes(void **state)
{
    char data[] = GET "A: b\r\nB:\r\n\r\n", *buf;
    http_field_t fields[4], own[4];
    http_span_t rest = {data, sizeof(data) - 1};
    http1_message_t m;
    http1_parser_t p;

    (void)state;
    http1_init(&p, HTTP1_REQUESTS, NULL);
    http1_message_init(&m, fields, 4);
    assert_int_equal(http1_parse(&p, &rest, &m), HTTP1_HEAD);
    buf = malloc(m.head.len);
    assert_non_null(buf);
    http1_message_move(&m, buf, own);
    memset(data, 'x', sizeof(data));
    memset(fields, 0, sizeof(fields));
    assert_memory_equal(m.target.data, "/", 1);
    assert_memory_equal(m.method_name.data, "GET", 3);
    assert_memory_equal(http1_field(&m, HTTP_FIELD_HOST)->value.data, "h", 1);
    assert_memory_equal(m.fields[1].value.data, "b", 1);
    assert_int_equal(m.fields[2].value.len, 0);
    free(buf);
    http1_deinit(&p);
}

static void a_server_may_allow_a_longer_body(void **state)
{
    static const http1_options_t options = {.body_max = 2};
    static const char data[] = POST "Content-Length: 3\r\n\r\nabc" POST "Content-Length: 3\r\n\r\n";
    http_span_t rest = HTTP_SPAN(data);
    http_field_t fields[4];
    http1_message_t m;
    http1_parser_t p;

    (void)state;
    http1_init(&p, HTTP1_REQUESTS, &options);
    http1_message_init(&m, fields, 4);
    assert_int_equal(http1_parse(&p, &rest, &m), HTTP1_HEAD);
    http1_set_body_max(&p, 3);
    assert_int_equal(http1_parse(&p, &rest, &m), HTTP1_BODY);
    assert_int_equal(http1_parse(&p, &rest, &m), HTTP1_END);
    assert_int_equal(http1_parse(&p, &rest, &m), HTTP1_HEAD);
    assert_int_equal(http1_parse(&p, &rest, &m), HERR_FRAME_SIZE);
    assert_int_equal(http1_status(&p), 413);
    http1_deinit(&p);
}

static int split_head(void *arg)
{
    static const char data[] = GET "A: b\r\n\r\n";
    http_field_t fields[4];
    http1_message_t m;
    http1_parser_t p;
    int event = 0;

    (void)arg;
    http1_init(&p, HTTP1_REQUESTS, NULL);
    http1_message_init(&m, fields, 4);
    for (size_t i = 0; event >= 0 && i < sizeof(data) - 1; i++) {
        http_span_t rest = {data + i, 1};

        event = http1_parse(&p, &rest, &m);
    }
    assert_int_equal(http1_status(&p), event < 0 ? 500 : 0);
    http1_deinit(&p);
    return event < 0 ? event : 0;
}

static void memory_may_run_out(void **state)
{
    (void)state;
    oom_run(split_head, NULL);
}

static void known_names_are_found(void **state)
{
    (void)state;
    for (int i = 1; i < HTTP_FIELD_COUNT; i++) {
        http_span_t name = http_field_name((http_field_e)i);
        char copy[32];

        assert_int_equal(http_field_of(name), i);
        for (size_t k = 0; k <= name.len; k++)
            copy[k] =
                (char)(k < name.len && name.data[k] != '-' ? name.data[k] ^ 0x20 : name.data[k]);
        assert_int_equal(http_field_of(http_span(copy)), i);
        copy[name.len / 2] = '!';
        assert_int_equal(http_field_of(http_span(copy)), HTTP_FIELD_OTHER);
    }
    for (int i = 1; i < HTTP_METHOD_COUNT; i++)
        assert_int_equal(http_method_of(http_method_name((http_method_e)i)), i);
    assert_int_equal(http_method_of(HTTP_SPAN("get")), HTTP_METHOD_OTHER);
    assert_int_equal(http_field_of(HTTP_SPAN("")), HTTP_FIELD_OTHER);
    assert_int_equal(http_field_name(HTTP_FIELD_OTHER).len, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests_are_read),
        cmocka_unit_test(bodies_end_where_their_length_says),
        cmocka_unit_test(chunks_are_put_together),
        cmocka_unit_test(requests_follow_each_other),
        cmocka_unit_test(connections_are_kept_as_version_and_field_say),
        cmocka_unit_test(what_must_be_refused_is_refused),
        cmocka_unit_test(lenience_to_clients_is_about_the_target_alone),
        cmocka_unit_test(version_0_9_is_read_on_request),
        cmocka_unit_test(maxima_hold_to_the_byte),
        cmocka_unit_test(fields_are_counted),
        cmocka_unit_test(the_default_maxima_hold),
        cmocka_unit_test(a_head_in_one_piece_is_not_copied),
        cmocka_unit_test(a_message_outlives_its_bytes),
        cmocka_unit_test(a_server_may_allow_a_longer_body),
        cmocka_unit_test(memory_may_run_out),
        cmocka_unit_test(known_names_are_found),
    };

    return cmocka_run_group_tests_name("http1_request", tests, NULL, NULL);
}
