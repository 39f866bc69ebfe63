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

static const http1_options_t lenient = {.lenient = true};
static const http1_options_t old = {.http09 = true};

/* Whole, cut in two at every place, and byte by byte; the answer to a method. */
static void says(const http1_options_t *options, http_method_e method, http_span_t data,
                 const char *text)
{
    for (size_t cut = 0; cut <= data.len + 1; cut++) {
        http1_trace_t trace;

        http1_trace_init(&trace, HTTP1_RESPONSES, options);
        http1_answer_to(&trace.parser, method);
        assert_string_equal(http1_trace_all(&trace, data.data, data.len,
                                            cut ? data.len + 1 - cut : data.len,
                                            cut == data.len ? 1 : data.len),
                            text);
        http1_trace_deinit(&trace);
    }
}

#define SAYS(data, text) says(NULL, HTTP_METHOD_GET, HTTP_SPAN(data), text)
#define STRICT(data, why)                                                                          \
    says(NULL, HTTP_METHOD_GET, HTTP_SPAN(data), "HERR_PROTOCOL 502 " why "\n")
#define LENIENT(data, text) says(&lenient, HTTP_METHOD_GET, HTTP_SPAN(data), text)

#define OK "HTTP/1.1 200 OK\r\n"
#define CHUNKED OK "Transfer-Encoding: chunked\r\n\r\n"
#define CHUNKED_SAYS "200 OK 1.1 chunked -1 keep Transfer-Encoding=chunked\n"

static void responses_are_read(void **state)
{
    (void)state;
    SAYS(OK "Content-Length: 2\r\n\r\nhi" OK "content-length:0\r\n\r\n",
         "200 OK 1.1 length 2 keep Content-Length=2\n[hi]\nend\n"
         "200 OK 1.1 none 0 keep content-length=0\nend\n");
    SAYS("HTTP/1.1 404\r\nContent-Length: 0\r\n\r\n",
         "404  1.1 none 0 keep Content-Length=0\nend\n");
    SAYS("HTTP/1.1 299 \xc3\xa4 b\nContent-Length: 0\n\n",
         "299 \xc3\xa4 b 1.1 none 0 keep Content-Length=0\nend\n");
    SAYS(CHUNKED "3;x\r\nabc\r\n0\r\nETag: e\r\n\r\n",
         CHUNKED_SAYS "[abc]\ntrailers ETag=e\nend\n");
    SAYS(OK "Connection: close\r\nContent-Length: 1\r\n\r\nab",
         "200 OK 1.1 length 1 Connection=close Content-Length=1\n[a]\nend\ndone\n");
    SAYS(OK "Content-Length: 2\r\n\r\nh",
         "200 OK 1.1 length 2 keep Content-Length=2\nHERR_TRUNCATED 502\n");
}

static void a_body_without_a_length_goes_on_to_the_close(void **state)
{
    (void)state;
    SAYS(OK "\r\nabc\r\nHTTP/1.1 200 OK\r\n",
         "200 OK 1.1 close -1\n[abc\r\nHTTP/1.1 200 OK\r\n]\nend\n"
         "done\n");
    SAYS("HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n\r\n",
         "200 OK 1.0 close -1 Connection=keep-alive\nend\ndone\n");
    SAYS(CHUNKED "3\r\nabc\r\n", CHUNKED_SAYS "HERR_TRUNCATED 502\n");
}

static void interim_responses_come_before_the_final_one(void **state)
{
    (void)state;
    SAYS("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early\r\nLink: x\r\n\r\n" OK
         "Content-Length: 1\r\n\r\na",
         "100 Continue 1.1 none -1 keep\nend\n103 Early 1.1 none -1 keep Link=x\nend\n"
         "200 OK 1.1 length 1 keep Content-Length=1\n[a]\nend\n");
    SAYS("HTTP/1.1 101 Switch\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\nHTTP",
         "101 Switch 1.1 none -1 upgrade Connection=upgrade Upgrade=x\nend\ndone\n");
    says(NULL, HTTP_METHOD_HEAD, HTTP_SPAN("HTTP/1.1 100 C\r\n\r\n" OK "Content-Length: 9\r\n\r\n"),
         "100 C 1.1 none -1 keep\nend\n200 OK 1.1 none 9 keep Content-Length=9\nend\n");
}

static void some_responses_have_no_body(void **state)
{
    (void)state;
    SAYS("HTTP/1.1 204 No\r\nContent-Length: 5\r\n\r\nHTTP/1.1 304 Not\r\n\r\n",
         "204 No 1.1 none 5 keep Content-Length=5\nend\n304 Not 1.1 none -1 keep\nend\n");
    says(NULL, HTTP_METHOD_HEAD,
         HTTP_SPAN(OK "Transfer-Encoding: chunked\r\n\r\n" OK "Content-Length: 1\r\n\r\na"),
         "200 OK 1.1 none -1 keep Transfer-Encoding=chunked\nend\n"
         "200 OK 1.1 length 1 keep Content-Length=1\n[a]\nend\n");
    says(NULL, HTTP_METHOD_CONNECT, HTTP_SPAN(OK "Content-Length: 9\r\n\r\nabc"),
         "200 OK 1.1 none 9 Content-Length=9\nend\ndone\n");
    says(NULL, HTTP_METHOD_CONNECT, HTTP_SPAN("HTTP/1.1 407 No\r\nContent-Length: 1\r\n\r\na"),
         "407 No 1.1 length 1 keep Content-Length=1\n[a]\nend\n");
}

static void what_is_doubtful_is_refused_unless_lenient(void **state)
{
    (void)state;
    STRICT(OK "A: b\r\n c\r\n\r\n", "a folded line");
    LENIENT(OK "Content-Length: 0\r\nA: b\r\n \tc\n\td \r\nB:\r\n x\r\n\r\n",
            "200 OK 1.1 none 0 keep Content-Length=0 A=b   \tc \td B=x\nend\n");
    STRICT(OK "A : b\r\n\r\n", "a malformed field");
    LENIENT(OK "A \t: b\r\nContent-Length: 0\r\n\r\n",
            "200 OK 1.1 none 0 keep A=b Content-Length=0\nend\n");
    STRICT(OK "a (b): b\r\n\r\n", "a malformed field");
    LENIENT(OK "a (b) : b\r\n: c\r\nContent-Length: 0\r\n\r\n",
            "200 OK 1.1 none 0 keep a (b)=b =c Content-Length=0\nend\n");
    STRICT("\r\n" OK "\r\n", "no first line");
    LENIENT("\r\n" OK "\r\n", "200 OK 1.1 close -1\nend\ndone\n");
    STRICT(OK "Content-Length: 9\r\nTransfer-Encoding: chunked\r\n\r\n",
           "both Content-Length and Transfer-Encoding");
    LENIENT(OK "Content-Length: 9\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n" OK,
            "200 OK 1.1 chunked -1 Content-Length=9 Transfer-Encoding=chunked\n[a]\nend\ndone\n");
    STRICT("HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
           "Transfer-Encoding in HTTP/1.0");
    LENIENT("HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            "200 OK 1.0 chunked -1 Transfer-Encoding=chunked\nend\ndone\n");
    LENIENT(CHUNKED "1 \na\n2\t;x\r\nbc\r\n0 \r\n\n", CHUNKED_SAYS "[abc]\nend\n");
}

static void what_is_wrong_is_refused_even_if_lenient(void **state)
{
    (void)state;
    LENIENT(OK " A: b\r\n\r\n", "HERR_PROTOCOL 502 a folded line\n");
    LENIENT(OK "A b\r\n\r\n", "HERR_PROTOCOL 502 a malformed field\n");
    LENIENT(OK " : b\r\n\r\n", "HERR_PROTOCOL 502 a folded line\n");
    LENIENT(OK "A: b\0\r\n\r\n", "HERR_PROTOCOL 502 a control character\n");
    LENIENT(OK "Content-Length: 1\r\nContent-Length: 2\r\n\r\n",
            "HERR_PROTOCOL 502 Content-Length is not one number\n");
    LENIENT(OK "Transfer-Encoding: gzip\r\n\r\n",
            "HERR_UNSUPPORTED 502 an unknown transfer coding\n");
    LENIENT("HTTP/2.0 200 OK\r\n\r\n", "HERR_PROTOCOL 502 the status line is malformed\n");
    LENIENT("HTTP/1.1 99 OK\r\n\r\n", "HERR_PROTOCOL 502 the status line is malformed\n");
    LENIENT("HTTP/1.1 2000\r\n\r\n", "HERR_PROTOCOL 502 the status line is malformed\n");
    LENIENT("<html>\r\n", "HERR_PROTOCOL 502 the status line is malformed\n");
}

static void folded_lines_have_maxima(void **state)
{
    static const http1_options_t small_line = {.lenient = true, .line_max = 24};
    static const http1_options_t small_head = {.lenient = true, .head_max = 40};
    static const char line[] = OK "A: 45678\r\n 234567\r\n bcdef\r\n\r\n";
    static const char head[] = OK "A: 4567\r\n 234567\r\nB: 45\r\n bcdef\r\n\r\n";

    (void)state;
    says(&small_line, HTTP_METHOD_GET, HTTP_SPAN(line),
         "HERR_FRAME_SIZE 502 a field is too long\n");
    says(&small_head, HTTP_METHOD_GET, HTTP_SPAN(head),
         "HERR_FRAME_SIZE 502 the head is too long\n");
}

static void a_response_of_version_0_9_is_a_body(void **state)
{
    (void)state;
    says(&old, HTTP_METHOD_GET, HTTP_SPAN("HTTX: \0\r\n"), "200  0.9 close -1\n[HTTX: ");
    says(&old, HTTP_METHOD_GET, HTTP_SPAN("<p>\r\nhi"),
         "200  0.9 close -1\n[<p>\r\nhi]\nend\ndone\n");
    says(&old, HTTP_METHOD_GET, HTTP_SPAN(OK "Content-Length: 0\r\n\r\n"),
         "200 OK 1.1 none 0 keep Content-Length=0\nend\n");
}

static void bodies_have_a_maximum_if_it_is_set(void **state)
{
    static const http1_options_t small = {.body_max = 3};

    (void)state;
    says(&small, HTTP_METHOD_GET, HTTP_SPAN(OK "\r\nabcd"),
         "200 OK 1.1 close -1\n[abc]\nHERR_FRAME_SIZE 502 the body is too long\n");
    says(&small, HTTP_METHOD_GET, HTTP_SPAN(OK "\r\nabc"),
         "200 OK 1.1 close -1\n[abc]\nend\ndone\n");
    says(&small, HTTP_METHOD_GET, HTTP_SPAN(OK "Content-Length: 999999999999\r\n\r\n"),
         "200 OK 1.1 length 999999999999 keep Content-Length=999999999999\n"
         "HERR_FRAME_SIZE 502 the body is too long\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(responses_are_read),
        cmocka_unit_test(a_body_without_a_length_goes_on_to_the_close),
        cmocka_unit_test(interim_responses_come_before_the_final_one),
        cmocka_unit_test(some_responses_have_no_body),
        cmocka_unit_test(what_is_doubtful_is_refused_unless_lenient),
        cmocka_unit_test(what_is_wrong_is_refused_even_if_lenient),
        cmocka_unit_test(folded_lines_have_maxima),
        cmocka_unit_test(a_response_of_version_0_9_is_a_body),
        cmocka_unit_test(bodies_have_a_maximum_if_it_is_set),
    };

    return cmocka_run_group_tests_name("http1_response", tests, NULL, NULL);
}
