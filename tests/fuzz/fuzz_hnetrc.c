/* An entry that was found is whole, and what a user finds is his. */
#include "base/hnetrc.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static hnetrc_t found;
    int got = hnetrc_find((const char *)data, size, "a", NULL, &found);

    if ((got == 1) != (found.has_login || found.has_password))
        abort();
    got = hnetrc_find((const char *)data, size, "a", "u", &found);
    if (got == 1 && (!found.has_password || strcmp(found.login, "u") != 0))
        abort();
    return 0;
}
