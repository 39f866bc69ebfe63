#include "sse.h"

#include "../base/herr.h"

#include <string.h>

/* "field: line" for each line of the text; a text that ends with a line end has an empty one behind
 * it, as it has for the client, who puts an LF between each two. */
static int put_lines(hbytes_t *out, const char *field, http_span_t text)
{
    const char *at = text.data, *end = text.data + text.len;
    int err;

    for (;;) {
        const char *stop = at;

        while (stop < end && *stop != '\n' && *stop != '\r')
            stop++;
        err = hbytes_printf(out, "%s: ", field);
        if (!err && stop > at)
            err = hbytes_append(out, at, (size_t)(stop - at));
        if (!err)
            err = hbytes_append_char(out, '\n');
        if (err || stop == end)
            return err;
        at = *stop == '\r' && end - stop > 1 && stop[1] == '\n' ? stop + 2 : stop + 1;
    }
}

static int put_field(hbytes_t *out, const char *field, const char *value)
{
    return value ? hbytes_printf(out, "%s: %s\n", field, value) : 0;
}

/* All or nothing. */
static int finish(hbytes_t *out, size_t before, int err)
{
    if (!err)
        err = hbytes_append_char(out, '\n');
    if (err && out->data) {
        out->len = before;
        out->data[before] = '\0';
    }
    return err;
}

static bool is_line(const char *text)
{
    return !text || !text[strcspn(text, "\r\n")];
}

int sse_write(hbytes_t *out, const sse_event_t *event)
{
    size_t before = out->len;
    int err = 0;

    if (!is_line(event->name) || !is_line(event->id) || (event->name && !event->data.data))
        return -EINVAL;
    if (event->retry_ms > 0)
        err = hbytes_printf(out, "retry: %u\n", (unsigned)event->retry_ms);
    if (!err)
        err = put_field(out, "id", event->id);
    if (!err)
        err = put_field(out, "event", event->name);
    if (!err && event->data.data)
        err = put_lines(out, "data", event->data);
    return finish(out, before, err);
}

int sse_write_comment(hbytes_t *out, http_span_t text)
{
    size_t before = out->len;

    return finish(out, before, put_lines(out, "", text.data ? text : HTTP_SPAN("")));
}
