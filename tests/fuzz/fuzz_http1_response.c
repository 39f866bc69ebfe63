/* A stream of responses means the same however it comes. */
#include "http1_twice.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    http1_twice(HTTP1_RESPONSES, data, size);
    return 0;
}
