/* libcore's parser: head and end of each request; framing, Host and keep-alive are checked. */
#include "codec/http1.h"
#include "http_heads.h"

static size_t parse(const bench_head_t *head, size_t n)
{
    http_field_t fields[BENCH_HEAD_FIELDS_MAX];
    http1_message_t message;
    http1_parser_t parser;
    size_t seen = 0;

    http1_init(&parser, HTTP1_REQUESTS, NULL);
    http1_message_init(&message, fields, BENCH_HEAD_FIELDS_MAX);
    for (size_t i = 0; i < n; i++) {
        http_span_t rest = {head->text, head->len};
        int event;

        do {
            event = http1_parse(&parser, &rest, &message);
            if (event == HTTP1_HEAD)
                seen += message.field_count;
        } while (event > 0 && event != HTTP1_END);
    }
    http1_deinit(&parser);
    return seen;
}

int main(void)
{
    bench_parse_all(parse);
    return 0;
}
