/* Whatever comes is decoded to the same, in whatever pieces it comes and goes; what we encode is
 * decoded to what it was. The first byte says which codings, the second one in what pieces. */
#include "base/herr.h"
#include "proto/http_coding.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define MADE_MAX (4 << 20) /* no bomb is followed to its end */
#define CALLS_MAX 20000

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

typedef struct digest_s {
    uint64_t hash;
    size_t len;
    int state; /* the last one */
    bool left_out;
} digest_t;

static void check(bool condition)
{
    if (!condition)
        abort();
}

static void add(digest_t *d, const char *data, size_t len)
{
    for (size_t i = 0; i < len && d->len < MADE_MAX; i++, d->len++)
        d->hash = (d->hash ^ (uint8_t)data[i]) * 1099511628211U;
}

/* All in pieces of so many bytes, with so much room. */
static void run(http_coding_t *c, http_span_t data, size_t piece, size_t room, digest_t *d)
{
    static char buf[65536];
    size_t calls = 0;

    *d = (digest_t){.state = HTTP_CODING_MORE};
    for (bool last = false; !last && d->state == HTTP_CODING_MORE;) {
        size_t n = data.len < piece ? data.len : piece;
        http_span_t in = {data.data, n};

        last = n == data.len;
        do {
            hbuf_t out = {buf, room};

            d->state = http_coding_step(c, &in, &out, last ? HTTP_CODING_FINISH : HTTP_CODING_RUN);
            check(out.len <= room && in.len <= n);
            add(d, buf, room - out.len);
            d->left_out = d->len >= MADE_MAX || ++calls > CALLS_MAX;
        } while (d->state == HTTP_CODING_AGAIN && !d->left_out);
        if (d->left_out)
            return;
        check(d->state != HTTP_CODING_MORE || in.len == 0);
        data = (http_span_t){data.data + n, data.len - n};
    }
    check(d->state != HTTP_CODING_MORE && d->state != HTTP_CODING_AGAIN);
}

static void decode(const char *codings, http_span_t data, size_t piece, size_t room, digest_t *d)
{
    http_coding_t *c = NULL;
    int err = http_decoder_new(http_span(codings), &c);

    *d = (digest_t){.state = err};
    if (err == 0)
        run(c, data, piece, room, d);
    http_coding_free(c);
}

static void there_and_back(http_coding_e coding, int level, http_span_t data, size_t piece)
{
    static char coded[1 << 16], back[1 << 15];
    http_span_t in = data, from = {coded, 0};
    hbuf_t out = {coded, sizeof(coded)}, to = {back, sizeof(back)};
    http_coding_t *e, *d;
    int state = HTTP_CODING_MORE;

    if (data.len > sizeof(back) || http_encoder_new(coding, level, data.len, &e) < 0)
        return;
    for (size_t i = 0; state == HTTP_CODING_MORE && out.len > piece; i++) {
        http_span_t part = {in.data, in.len < piece ? in.len : piece};

        in = (http_span_t){in.data + part.len, in.len - part.len};
        state = http_coding_step(e, &part, &out,
                                 in.len == 0  ? HTTP_CODING_FINISH
                                 : i % 3 == 2 ? HTTP_CODING_FLUSH
                                              : HTTP_CODING_RUN);
    }
    http_coding_free(e);
    if (state != HTTP_CODING_END) /* many small flushes: no room */
        return;
    from.len = sizeof(coded) - out.len;
    check(http_decoder_new(http_span(http_coding_name(coding)), &d) == 0);
    state = http_coding_step(d, &from, &to, HTTP_CODING_FINISH);
    check(state == HTTP_CODING_END || to.len == 0);
    check(sizeof(back) - to.len == data.len && memcmp(back, data.data, data.len) == 0);
    http_coding_free(d);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const codings[] = {
        "gzip", "deflate", "br", "zstd", "gzip, br", "zstd, deflate", "br, gzip, zstd", "identity"};
    digest_t whole, pieces;
    http_span_t rest;
    const char *list;

    if (size < 2)
        return 0;
    list = codings[data[0] % 8];
    rest = (http_span_t){(const char *)data + 2, size - 2};
    decode(list, rest, rest.len + 1, 65536, &whole);
    decode(list, rest, data[1] % 16 + 1, (size_t)1 << (data[1] / 16), &pieces);
    if (!whole.left_out && !pieces.left_out) {
        /* How much comes out before an error is the library's choice, so another coding may meet
         * one of its own first. */
        check(whole.state == pieces.state ||
              (data[0] % 8 >= 4 && whole.state < 0 && pieces.state < 0));
        check(whole.state != HTTP_CODING_END ||
              (whole.len == pieces.len && whole.hash == pieces.hash));
    }
    if (data[0] & 0x80)
        there_and_back((http_coding_e)(1 + data[0] % 4), data[1] % 10, rest, data[1] + 1U);
    http_coding_find(rest);
    http_coding_choose(rest, data[1]);
    return 0;
}
