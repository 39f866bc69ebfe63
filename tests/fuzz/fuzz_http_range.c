/* Ranges of any text lie within the representation and far from each other; what is read can be
 * written. The first two bytes are the size. */
#include "base/herr.h"
#include "codec/http_range.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool condition)
{
    if (!condition)
        abort();
}

static void check_ranges(const http_range_t *ranges, int count, int64_t size)
{
    for (int i = 0; i < count; i++) {
        check(ranges[i].first >= 0 && ranges[i].first <= ranges[i].last && ranges[i].last < size);
        for (int j = 0; j < i; j++)
            check(ranges[i].first > ranges[j].last + HTTP_RANGE_GAP ||
                  ranges[j].first > ranges[i].last + HTTP_RANGE_GAP);
    }
}

static void check_request(http_span_t value, int64_t size)
{
    http_range_spec_t specs[HTTP_RANGES_MAX], again[HTTP_RANGES_MAX];
    char text[48 * HTTP_RANGES_MAX];
    int n = http_range_parse(value, specs);
    ssize_t len;

    if (n < 0)
        return;
    len = http_range_write(specs, (size_t)n, text, sizeof(text));
    check(len > 0 && http_range_parse((http_span_t){text, (size_t)len}, again) == n);
    check(memcmp(specs, again, (size_t)n * sizeof(*specs)) == 0);
    n = http_range_resolve(specs, (size_t)n, size, specs);
    check(n >= 0 || n == HERR_RANGE);
    check_ranges(specs, n, size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    http_content_range_t range, again;
    char *copy, text[HTTP_CONTENT_RANGE_SIZE];
    http_span_t value;

    if (size < 2)
        return 0;
    copy = malloc(size - 1);
    memcpy(copy, data + 2, size - 2);
    value = (http_span_t){copy, size - 2};
    check_request(value, data[0] * 256 + data[1]);
    if (http_content_range_parse(value, &range) == 0) {
        check(http_content_range_write(&range, text, sizeof(text)) > 0);
        check(http_content_range_parse(http_span(text), &again) == 0);
        check(memcmp(&range, &again, sizeof(range)) == 0);
    }
    free(copy);
    return 0;
}
