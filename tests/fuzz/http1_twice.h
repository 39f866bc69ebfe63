/* http1_twice: what http1 says of an input is the same whole and in pieces. The first byte of the
 * input is options, the second how it is cut. */
#ifndef HNET_FUZZ_HTTP1_TWICE_H
#define HNET_FUZZ_HTTP1_TWICE_H

#include "../unit/http1_trace.h"

#include <stdint.h>

#define HTTP1_TWICE_SMALL 16 /* maxima that short inputs reach */

static inline void http1_twice(http1_kind_e kind, const uint8_t *data, size_t size)
{
    http1_trace_t whole, pieces;
    http1_options_t options = {0};
    http_method_e method;
    size_t cut;

    if (size < 2)
        return;
    options.lenient = data[0] & 1;
    options.http09 = data[0] & 2;
    method = data[0] & 4 ? HTTP_METHOD_HEAD : data[0] & 8 ? HTTP_METHOD_CONNECT : HTTP_METHOD_GET;
    if (data[0] & HTTP1_TWICE_SMALL) {
        options.line_max = 32;
        options.head_max = 96;
        options.body_max = 16;
        options.trailers_max = 24;
        options.chunk_extensions_max = 8;
    }
    cut = data[1];
    data += 2;
    size -= 2;
    http1_trace_init(&whole, kind, &options);
    http1_trace_init(&pieces, kind, &options);
    http1_answer_to(&whole.parser, method);
    http1_answer_to(&pieces.parser, method);
    http1_trace_all(&whole, (const char *)data, size, size, size);
    http1_trace_all(&pieces, (const char *)data, size, cut, cut % 16 + 1);
    http1_trace_check(whole.text.len == pieces.text.len);
    http1_trace_check(whole.text.len == 0 ||
                      memcmp(whole.text.data, pieces.text.data, whole.text.len) == 0);
    http1_trace_deinit(&whole);
    http1_trace_deinit(&pieces);
}

#endif
