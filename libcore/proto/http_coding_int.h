/* http_coding_int: what a library of codings gives to http_coding.c and http_decoder.c. */
#ifndef HNET_PROTO_HTTP_CODING_INT_H
#define HNET_PROTO_HTTP_CODING_INT_H

#include "http_coding.h"

typedef struct http_coder_s http_coder_t;

/* One direction of one stream; the library's own struct begins with it.
 *
 * step works as http_coding_step does, but that a decoder's END is that of one member or frame, and
 * it knows of no FINISH: it just wants MORE. The output always has room. reset: a decoder begins
 * with a new member. 0, or -ENOMEM. */
struct http_coder_s {
    int (*step)(http_coder_t *coder, http_span_t *in, hbuf_t *out, http_coding_op_e op);
    int (*reset)(http_coder_t *coder);
    void (*free)(http_coder_t *coder);
};

/* Loads the library: 0, or HERR_UNSUPPORTED. */
int http_coding__load_zlib(void);
int http_coding__load_brotli(void);
int http_coding__load_zstd(void);

/* Once it is loaded. level is one that the library has; a window of 2 to the power of window_log
 * bytes (19 at most) is enough. NULL when out of memory. */
http_coder_t *http_coding__deflater(http_coding_e coding, int level, int window_log);
http_coder_t *http_coding__brotli_encoder(int level, int window_log);
http_coder_t *http_coding__zstd_encoder(int level, int window_log);

typedef enum http_inflate_e {
    HTTP_INFLATE_GZIP,
    HTTP_INFLATE_ZLIB,
    HTTP_INFLATE_RAW
} http_inflate_e;

http_coder_t *http_coding__inflater(http_inflate_e format);
http_coder_t *http_coding__brotli_decoder(void);
http_coder_t *http_coding__zstd_decoder(void);

/* ---- http_decoder.c -------------------------------------------------------------------------- */

typedef struct http_decoder_s http_decoder_t;

int http_coding__load(http_coding_e coding); /* of http_coding.c: 0, or HERR_UNSUPPORTED */

int http_decoder__new(http_span_t content_encoding, http_decoder_t **decoder);
void http_decoder__free(http_decoder_t *decoder);
int http_decoder__step(http_decoder_t *decoder, http_span_t *in, hbuf_t *out, http_coding_op_e op);
bool http_decoder__trailing(const http_decoder_t *decoder);

/* ---- spans ----------------------------------------------------------------------------------- */

static inline void http_coding__used(http_span_t *in, size_t n)
{
    in->data = n > 0 ? in->data + n : in->data; /* NULL when there is nothing */
    in->len -= n;
}

static inline void http_coding__made(hbuf_t *out, size_t n)
{
    out->base += n;
    out->len -= n;
}

#endif
