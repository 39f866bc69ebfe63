/* Tags that are read are written as they were; conditions of any text have one of three results.
 * The input is fields, one a line. */
#include "codec/http_validate.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool condition)
{
    if (!condition)
        abort();
}

static void check_tags(http_span_t list)
{
    char text[HTTP_ETAG_MAX + 5];
    http_etag_t etag, again;

    while (http_etag_next(&list, &etag) > 0) {
        ssize_t len = http_etag_write(&etag, text, sizeof(text));

        check(len > 0 && http_etag_parse((http_span_t){text, (size_t)len}, &again) == 0);
        check(http_etag_weak_eq(&etag, &again) && etag.weak == again.weak);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const http_validators_t v = {true, {HTTP_SPAN("a"), false}, true, 784111777};
    char *copy = malloc(size ? size : 1);
    http_conditions_t c = {0};
    http_span_t rest = {copy, size}, name, value;
    int verdict;

    memcpy(copy, data, size);
    while (http_field_next(&rest, &name, &value) > 0) {
        if (http_conditions_add(&c, name, value))
            check_tags(value);
    }
    verdict = http_conditions_check(&c, &v, true, 1795000000);
    check(verdict == 0 || verdict == 304 || verdict == 412);
    verdict = http_conditions_check(&c, &v, false, 1795000000);
    check(verdict == 0 || verdict == 412);
    http_if_range(&c, &v, 1795000000);
    free(copy);
    return 0;
}
