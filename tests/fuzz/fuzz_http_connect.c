/* A head ends at the same place however it comes, and so do chunks; whatever is read from it lies
 * in it; a request that is forwarded is a request. */
#include "base/herr.h"
#include "codec/http_auth.h"
#include "codec/http_connect.h"
#include "codec/http_rest.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool condition)
{
    if (!condition)
        abort();
}

static ssize_t end_in_pieces(const uint8_t *data, size_t size, size_t piece)
{
    http_scan_t scan = {0};
    ssize_t end = 0;

    for (size_t len = 0; end == 0 && len < size;) {
        len = size - len < piece ? size : len + piece;
        end = http_head_end(&scan, data, len);
        if (end == 0)
            check(http_head_need(&scan, data, len) > 0);
    }
    return end;
}

static bool lies_in(http_span_t span, const char *head, size_t len)
{
    return span.len == 0 || (span.data >= head && span.data + span.len <= head + len);
}

static void check_forward(const http_request_t *request, const char *head, size_t len)
{
    size_t size = HTTP_FORWARD_SIZE(len);
    char *out = malloc(size);
    ssize_t out_len = http_request_forward(request, out, size);
    http_scan_t scan = {0};
    http_span_t rest = {out, out_len > 0 ? (size_t)out_len : 0}, line, value;

    check(lies_in(request->target, head, len));
    check(out_len > 0);
    check(http_line_next(&rest, &line));
    check(http_head_end(&scan, out, (size_t)out_len) == out_len || out_len > HTTP_HEAD_MAX ||
          len > HTTP_LINE_MAX - 512);
    check(http_field_find(rest, "Host", &value));
    check(!http_field_find(rest, "Proxy-Authorization", &value));
    check(request->forwards != 0 || !http_field_find(rest, "Max-Forwards", &value));
    free(out);
}

static void check_chunks(const uint8_t *data, size_t size)
{
    http_rest_t whole = http_rest_chunks(), bytes = whole;
    ssize_t end = http_rest_take(&whole, data, size), n = 1;
    size_t at = 0;

    check(end <= (ssize_t)size && (end == (ssize_t)size || end < 0 || whole == 0));
    while (at < size && n == 1) {
        n = http_rest_take(&bytes, data + at, 1);
        at += n == 1;
    }
    check(end < 0 ? n < 0 : at == (size_t)end && bytes == whole);
}

static void check_head(const char *head, size_t len)
{
    http_request_t request;
    http_answer_t answer;
    http_challenge_t challenge;
    int status = http_request_parse(&request, head, len);

    check(status == 0 || (status >= 400 && status < 600));
    if (status == 0) {
        check(request.host[0] && request.port && lies_in(request.fields, head, len));
        if (!request.connect)
            check_forward(&request, head, len);
    }
    if (http_answer_parse(&answer, head, len) == 0) {
        check(answer.status >= 100 && answer.status <= 999 && lies_in(answer.line, head, len));
        check(!answer.keep_alive || answer.body_length >= 0);
        http_auth_choose(answer.fields, "Proxy-Authenticate", HTTP_AUTH_ANY, &challenge);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ssize_t end;
    char *head;

    if (size < 1)
        return 0;
    check_chunks(data + 1, size - 1);
    end = end_in_pieces(data + 1, size - 1, size);
    check(end == end_in_pieces(data + 1, size - 1, data[0] % 16 + 1));
    if (end <= 0)
        return 0;
    head = malloc((size_t)end);
    memcpy(head, data + 1, (size_t)end);
    check_head(head, (size_t)end);
    free(head);
    return 0;
}
