/* Every field likes every offer to some degree between nothing and all. */
#include "codec/http_accept.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const offers[] = {"text/html;level=1", "text/plain", "gzip",
                                         "identity",          "de-AT",      "en"};
    char *copy = malloc(size ? size : 1);

    memcpy(copy, data, size);
    for (int what = HTTP_ACCEPT_TYPE; what <= HTTP_ACCEPT_LANGUAGE; what++) {
        for (size_t i = 0; i < sizeof(offers) / sizeof(offers[0]); i++) {
            int quality =
                http_accept_quality((http_accept_e)what, (http_span_t){copy, size}, offers[i]);

            if (quality < 0 || quality > HTTP_QUALITY_MAX)
                abort();
        }
    }
    free(copy);
    return 0;
}
