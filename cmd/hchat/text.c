#include "text.h"

#include "base/herr.h"
#include "base/hstr.h"

#include <string.h>

/* Without a tab. */
static int append_part(hbytes_t *out, const char *data, size_t len)
{
    int err = hbytes_reserve(out, len * TEXT_GROWTH + 1);

    if (err)
        return err;
    out->len += hstr_escape(out->data + out->len, len * TEXT_GROWTH + 1, data, len);
    return 0;
}

int text_append(hbytes_t *out, const char *data, size_t len)
{
    int err = 0;

    while (len > 0 && err == 0) {
        const char *tab = memchr(data, '\t', len);
        size_t part = tab ? (size_t)(tab - data) : len;

        if (part > 0)
            err = append_part(out, data, part);
        if (err == 0 && tab)
            err = hbytes_append_char(out, ' ');
        part += tab ? 1 : 0;
        data += part;
        len -= part;
    }
    return err;
}
