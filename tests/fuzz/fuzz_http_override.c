/* What --resolve and --connect-to say, one a line: a table that was filled can be asked. */
#include "base/hbuf.h"
#include "proto/http_override.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void add(http_override_t *o, const char *line)
{
    hbytes_t why = {0};
    int err = http_override_resolve(o, line, &why);

    if ((err != 0) != (why.len > 0))
        abort();
    hbytes_clear(&why);
    err = http_override_connect(o, line, &why);
    if ((err != 0) != (why.len > 0))
        abort();
    hbytes_deinit(&why);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char host[HTTP_OVERRIDE_HOST_SIZE];
    const haddr_t *addrs;
    http_override_t *o;
    hbytes_t text = {0};
    uint16_t port;

    if (http_override_new(&o) != 0 || hbytes_append(&text, data, size) != 0)
        abort();
    for (char *line = size ? text.data : NULL, *next; line; line = next) {
        next = strchr(line, '\n');
        if (next)
            *next++ = '\0';
        add(o, line);
    }
    for (size_t i = http_override_addrs(o, "a", 80, &addrs); i > 0; i--) {
        if (addrs[i - 1].len == 0)
            abort();
    }
    if (http_override_target(o, "a", 80, host, &port) && (!host[0] || !port))
        abort();
    hbytes_deinit(&text);
    http_override_free(o);
    return 0;
}
