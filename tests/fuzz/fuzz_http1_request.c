/* A stream of requests means the same however it comes. */
#include "http1_twice.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    http1_twice(HTTP1_REQUESTS, data, size);
    return 0;
}
