/* An event of any bytes is refused, or comes out of the stream as the one event that went in, its
 * line ends all LF, whatever stands around it. */
#include "codec/sse.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool condition)
{
    if (!condition)
        abort();
}

/* What a client has of the event that it is reading. */
typedef struct reader_s {
    hbytes_t data;
    http_span_t name, id;
    int events;
} reader_t;

static bool take_field(http_span_t line, const char *field, http_span_t *value)
{
    size_t len = strlen(field);

    if (line.len < len + 1 || memcmp(line.data, field, len) != 0 || line.data[len] != ':')
        return false;
    *value = (http_span_t){line.data + len + 1, line.len - len - 1};
    if (value->len > 0 && value->data[0] == ' ')
        *value = (http_span_t){value->data + 1, value->len - 1};
    return true;
}

static void take_line(reader_t *r, http_span_t line)
{
    http_span_t value;

    if (line.len == 0) {
        r->events += r->data.len > 0;
        return;
    }
    if (line.data[0] == ':')
        return;
    if (take_field(line, "data", &value)) {
        hbytes_append(&r->data, value.data, value.len);
        hbytes_append_char(&r->data, '\n');
    } else if (!take_field(line, "event", &r->name) && !take_field(line, "id", &r->id)) {
        check(take_field(line, "retry", &value));
    }
}

/* Ours end every line with LF alone. */
static void read_stream(reader_t *r, const hbytes_t *out)
{
    const char *at = out->data, *end = out->data + out->len, *stop;

    for (; at < end; at = stop + 1) {
        stop = memchr(at, '\n', (size_t)(end - at));
        check(stop && !memchr(at, '\r', (size_t)(stop - at)));
        take_line(r, (http_span_t){at, (size_t)(stop - at)});
    }
}

/* The data as the client has it, with one LF behind. */
static void normalise(http_span_t data, hbytes_t *out)
{
    for (size_t i = 0; i < data.len; i++) {
        bool cr = data.data[i] == '\r';

        hbytes_append_char(out, cr ? '\n' : data.data[i]);
        if (cr && i + 1 < data.len && data.data[i + 1] == '\n')
            i++;
    }
    hbytes_append_char(out, '\n');
}

static void check_event(const hbytes_t *out, const sse_event_t *event)
{
    hbytes_t expected = {0};
    reader_t r = {0};

    read_stream(&r, out);
    check(r.events == (event->data.data ? 1 : 0));
    if (event->name)
        check(r.name.len == strlen(event->name) && !memcmp(r.name.data, event->name, r.name.len));
    if (event->id)
        check(r.id.len == strlen(event->id) && !memcmp(r.id.data, event->id, r.id.len));
    if (event->data.data) {
        normalise(event->data, &expected);
        check(r.data.len == expected.len && !memcmp(r.data.data, expected.data, expected.len));
    }
    hbytes_deinit(&expected);
    hbytes_deinit(&r.data);
}

/* Two bytes say what there is; then the name and the id, each with a NUL; the rest is data. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *copy = malloc(size + 3), *id, *rest;
    hbytes_t out = {0};
    sse_event_t event = {0};

    memcpy(copy, data, size);
    memset(copy + size, 0, 3);
    if (size >= 4) {
        id = copy + 2 + strlen(copy + 2) + 1;
        id = id > copy + size ? copy + size : id;
        rest = id + strlen(id) + 1;
        rest = rest > copy + size ? copy + size : rest;
        event.name = copy[0] & 1 ? copy + 2 : NULL;
        event.id = copy[0] & 2 ? id : NULL;
        event.retry_ms = (uint8_t)copy[1];
        if (!(copy[0] & 4))
            event.data = (http_span_t){rest, (size_t)(copy + size - rest)};
        sse_write_comment(&out, (http_span_t){copy, size});
        if (sse_write(&out, &event) == 0)
            check_event(&out, &event);
        sse_write_comment(&out, (http_span_t){copy, size});
    }
    hbytes_deinit(&out);
    free(copy);
    return 0;
}
