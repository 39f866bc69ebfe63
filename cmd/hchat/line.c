#include "line.h"

#include <string.h>

/* Where the line ends, the byte that ends it not included; NULL: not yet. A NUL ends it behind a CR
 * only. */
static const char *find_end(const line_t *in, const char *data, size_t len)
{
    const char *lf = memchr(data, '\n', len);
    const char *nul = data;

    if (lf)
        len = (size_t)(lf - data);
    while ((nul = memchr(nul, '\0', len - (size_t)(nul - data))) != NULL) {
        bool after_cr = nul > data ? nul[-1] == '\r' : in->after_cr;

        if (after_cr)
            return nul;
        nul++;
    }
    return lf;
}

static void forget(line_t *in)
{
    hbytes_clear(&in->held);
    in->given = false;
}

/* One byte more than a line may have, for the CR. */
static bool is_too_long(const line_t *in, size_t part, size_t line_max)
{
    return in->held.len + part > line_max + 1;
}

/* The end has not come. */
static int keep(line_t *in, size_t line_max, const char *data, size_t len)
{
    int err;

    in->after_cr = data[len - 1] == '\r';
    if (in->skipping)
        return LINE_NONE;
    if (is_too_long(in, len, line_max)) {
        in->skipping = true;
        hbytes_deinit(&in->held);
        return LINE_LONG;
    }
    err = hbytes_append(&in->held, data, len);
    return err ? err : LINE_NONE;
}

static int complete(line_t *in, size_t line_max, hbuf_t part, hbuf_t *line)
{
    int err = 0;

    in->unended = 0;
    in->after_cr = false;
    if (in->skipping) {
        in->skipping = false;
        return LINE_NONE;
    }
    *line = part;
    if (in->held.len > 0 && is_too_long(in, part.len, line_max)) {
        forget(in);
        return LINE_LONG;
    }
    if (in->held.len > 0) {
        err = hbytes_append(&in->held, part.base, part.len);
        in->given = true;
        *line = (hbuf_t){in->held.data, in->held.len};
    }
    if (line->len > 0 && line->base[line->len - 1] == '\r')
        line->len--;
    if (err)
        return err;
    return line->len > line_max ? LINE_LONG : LINE_WHOLE;
}

int line_next(line_t *in, size_t line_max, hbuf_t *input, hbuf_t *line)
{
    int result = LINE_NONE;

    if (in->given)
        forget(in);
    while (input->len > 0 && result == LINE_NONE) {
        const char *end = find_end(in, input->base, input->len);
        hbuf_t part = {input->base, end ? (size_t)(end - input->base) : input->len};
        size_t used = part.len + (end ? 1 : 0);

        input->base += used;
        input->len -= used;
        in->unended += used;
        result = end ? complete(in, line_max, part, line) : keep(in, line_max, part.base, part.len);
    }
    if (in->held.len == 0)
        hbytes_deinit(&in->held); /* who is silent holds no memory */
    if (result == LINE_NONE && in->unended >= LINE_ENDLESS_MAX)
        return LINE_ENDLESS;
    return result;
}

void line_count(line_t *in, size_t bytes)
{
    in->unended += bytes;
}

void line_deinit(line_t *in)
{
    hbytes_deinit(&in->held);
}
