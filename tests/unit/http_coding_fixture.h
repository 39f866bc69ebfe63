/* Encodes and decodes in pieces; every piece is a copy that is no byte longer. After cmocka.h. */
#ifndef HNET_TESTS_HTTP_CODING_FIXTURE_H
#define HNET_TESTS_HTTP_CODING_FIXTURE_H

#include "base/hbuf.h"
#include "base/herr.h"
#include "proto/http_coding.h"

#include <stdlib.h>
#include <string.h>

#define STEPS_MAX 100000000

/* One call after the other until the piece is used up, or it ends. What comes out, room bytes at a
 * time, is appended to out; *left is what was not used. */
static inline int coding_feed(http_coding_t *c, http_span_t piece, http_coding_op_e op, size_t room,
                              hbytes_t *out, size_t *left)
{
    char *in = malloc(piece.len ? piece.len : 1), *buf = malloc(room);
    int state = HTTP_CODING_AGAIN;
    http_span_t span = {in, piece.len};

    assert_non_null(in);
    assert_non_null(buf);
    if (piece.len > 0)
        memcpy(in, piece.data, piece.len);
    for (int i = 0; i < STEPS_MAX && state == HTTP_CODING_AGAIN; i++) {
        hbuf_t to = {buf, room};

        state = http_coding_step(c, &span, &to, op);
        assert_ptr_equal(to.base, buf + (room - to.len));
        assert_int_equal(hbytes_append(out, buf, room - to.len), 0);
    }
    assert_true(state != HTTP_CODING_AGAIN);
    if (state == HTTP_CODING_MORE)
        assert_int_equal(span.len, 0);
    *left = span.len;
    free(in);
    free(buf);
    return state;
}

/* All of data in pieces; the state at the end. */
static inline int coding_run(http_coding_t *c, http_span_t data, size_t piece, size_t room,
                             hbytes_t *out)
{
    int state = HTTP_CODING_MORE;
    size_t left = 0;

    for (size_t at = 0, n; at < data.len && state == HTTP_CODING_MORE; at += n) {
        n = data.len - at < piece ? data.len - at : piece;
        state = coding_feed(c, (http_span_t){data.data + at, n}, HTTP_CODING_RUN, room, out, &left);
    }
    if (state == HTTP_CODING_MORE)
        state = coding_feed(c, (http_span_t){NULL, 0}, HTTP_CODING_FINISH, room, out, &left);
    return state;
}

static inline void coding_encode(http_coding_e coding, int level, http_span_t data, size_t piece,
                                 size_t room, hbytes_t *out)
{
    http_coding_t *c;

    assert_int_equal(http_encoder_new(coding, level, HTTP_CODING_SIZE_UNKNOWN, &c), 0);
    assert_int_equal(coding_run(c, data, piece, room, out), HTTP_CODING_END);
    http_coding_free(c);
}

static inline int coding_decode(const char *codings, http_span_t data, size_t piece, size_t room,
                                hbytes_t *out)
{
    http_coding_t *c;
    int state;

    assert_int_equal(http_decoder_new(http_span(codings), &c), 0);
    state = coding_run(c, data, piece, room, out);
    http_coding_free(c);
    return state;
}

static inline http_span_t coding_span(const hbytes_t *bytes)
{
    return (http_span_t){bytes->data, bytes->len};
}

static inline bool coding_has(http_coding_e coding)
{
    return http_coding_available(HTTP_CODING_BIT(coding)) != 0;
}

static const http_coding_e coding_all[] = {HTTP_CODING_GZIP, HTTP_CODING_DEFLATE, HTTP_CODING_BR,
                                           HTTP_CODING_ZSTD};
#define CODING_ALL_COUNT (sizeof(coding_all) / sizeof(coding_all[0]))

/* For each that was built in. */
#define FOR_EACH_CODING(c)                                                                         \
    for (size_t i_##c = 0; i_##c < CODING_ALL_COUNT; i_##c++)                                      \
        for (http_coding_e c = coding_all[i_##c], once_##c = HTTP_CODING_GZIP;                     \
             once_##c == HTTP_CODING_GZIP && coding_has(c); once_##c = HTTP_CODING_IDENTITY)

#endif
