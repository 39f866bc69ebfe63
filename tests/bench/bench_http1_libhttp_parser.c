/* Debian's libhttp-parser: spans of the target and of each field are kept, as its users do. */
#include "http_heads.h"

#include <http_parser.h>

typedef struct span_s {
    const char *data;
    size_t len;
} span_t;

typedef struct request_s {
    span_t target, names[BENCH_HEAD_FIELDS_MAX], values[BENCH_HEAD_FIELDS_MAX];
    size_t names_count, values_count, seen;
} request_t;

static int on_begin(http_parser *parser)
{
    request_t *request = parser->data;

    request->names_count = request->values_count = 0;
    return 0;
}

static int on_url(http_parser *parser, const char *at, size_t len)
{
    ((request_t *)parser->data)->target = (span_t){at, len};
    return 0;
}

static int on_name(http_parser *parser, const char *at, size_t len)
{
    request_t *request = parser->data;

    if (request->names_count < BENCH_HEAD_FIELDS_MAX)
        request->names[request->names_count++] = (span_t){at, len};
    return 0;
}

static int on_value(http_parser *parser, const char *at, size_t len)
{
    request_t *request = parser->data;

    if (request->values_count < BENCH_HEAD_FIELDS_MAX)
        request->values[request->values_count++] = (span_t){at, len};
    return 0;
}

static int on_end(http_parser *parser)
{
    request_t *request = parser->data;

    request->seen += request->values_count;
    return 0;
}

static size_t parse(const bench_head_t *head, size_t n)
{
    static const http_parser_settings settings = {.on_message_begin = on_begin,
                                                  .on_url = on_url,
                                                  .on_header_field = on_name,
                                                  .on_header_value = on_value,
                                                  .on_message_complete = on_end};
    request_t request = {.seen = 0};
    http_parser parser;

    http_parser_init(&parser, HTTP_REQUEST);
    parser.data = &request;
    for (size_t i = 0; i < n; i++) {
        if (http_parser_execute(&parser, &settings, head->text, head->len) != head->len)
            return 0;
    }
    return request.seen;
}

int main(void)
{
    bench_parse_all(parse);
    return 0;
}
