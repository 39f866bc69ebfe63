/* A body is read as the same parts however it comes. The first byte says in what pieces. */
#include "codec/multipart.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

typedef struct digest_s {
    uint64_t hash;
    bool in_part;
} digest_t;

static void check(bool condition)
{
    if (!condition)
        abort();
}

static void add(digest_t *d, const char *data, size_t len)
{
    for (size_t i = 0; i < len; i++)
        d->hash = (d->hash ^ (uint8_t)data[i]) * 1099511628211U;
}

static int on_part(http_span_t fields, void *arg)
{
    digest_t *d = arg;

    check(!d->in_part);
    d->in_part = true;
    add(d, fields.data, fields.len);
    add(d, "|", 1);
    return 0;
}

static int on_data(const char *data, size_t len, void *arg)
{
    digest_t *d = arg;

    check(d->in_part && len > 0);
    add(d, data, len);
    return 0;
}

static int on_end(void *arg)
{
    digest_t *d = arg;

    check(d->in_part);
    d->in_part = false;
    add(d, "}", 1);
    return 0;
}

static int parse(const uint8_t *data, size_t size, size_t piece, digest_t *digest)
{
    const multipart_callbacks_t callbacks = {on_part, on_data, on_end};
    multipart_t m;
    int err;

    memset(digest, 0, sizeof(*digest));
    check(multipart_init(&m, HTTP_SPAN("b"), &callbacks, digest) == 0);
    for (size_t at = 0, n; at < size; at += n) {
        n = size - at < piece ? size - at : piece;
        if (multipart_feed(&m, data + at, n) < 0)
            break;
    }
    err = multipart_finish(&m);
    multipart_deinit(&m);
    return err;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    digest_t whole, pieces;
    http_span_t boundary;
    int err;

    if (size < 1)
        return 0;
    err = parse(data + 1, size - 1, size, &whole);
    check(parse(data + 1, size - 1, data[0] % 16 + 1, &pieces) == err);
    check(whole.hash == pieces.hash && whole.in_part == pieces.in_part);
    multipart_boundary((http_span_t){(const char *)data, size}, &boundary);
    return 0;
}
