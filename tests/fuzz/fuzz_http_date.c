/* A date that is understood is written, and read again, as itself. */
#include "codec/http_date.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool condition)
{
    if (!condition)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *copy = malloc(size ? size : 1), text[HTTP_DATE_SIZE];
    http_span_t span = {copy, size};
    int64_t time_s, again;

    memcpy(copy, data, size);
    if (http_date_parse(span, 1795000000, &time_s) == 0) {
        check(time_s >= HTTP_DATE_MIN && time_s <= HTTP_DATE_MAX);
        check(http_date_parse(http_span(http_date_format(time_s, text)), 0, &again) == 0);
        check(again == time_s);
    }
    http_date_parse_loose(span, &time_s);
    if (http_date_parse_cookie(span, &time_s) == 0) {
        check(http_date_parse_cookie(http_span(http_date_format(time_s, text)), &again) == 0);
        check(again == time_s);
    }
    free(copy);
    return 0;
}
