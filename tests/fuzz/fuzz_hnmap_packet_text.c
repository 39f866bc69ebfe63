/* The first byte says how frames begin, the rest is one. Its text is one line of printable ASCII,
 * and no longer than what can be in it. */
#include "../../cmd/hnmap/packet_text.h"

#include <stdlib.h>
#include <string.h>

#define TEXT_MAX 1024

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    hbytes_t text = {0};
    uint8_t *copy;

    if (size == 0)
        return 0;
    copy = malloc(size);
    memcpy(copy, data + 1, size - 1);
    if (packet_text(&text, data[0] & 1 ? PACKET_LINK_ETHERNET : PACKET_LINK_IP, copy, size - 1) < 0)
        abort();
    if (text.len == 0 || text.len > TEXT_MAX)
        abort();
    for (size_t i = 0; i < text.len; i++)
        if (text.data[i] < ' ' || text.data[i] > '~')
            abort();
    hbytes_deinit(&text);
    free(copy);
    return 0;
}
