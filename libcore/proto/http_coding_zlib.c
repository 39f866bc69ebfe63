/* gzip and deflate: zlib. */
#include "http_coding_int.h"

#include "../base/herr.h"

#if HNET_WITH_ZLIB
#include "../base/hlib.h"
#include "../base/hmem.h"

#include <string.h>
#include <zlib.h>

#define PIECE_MAX ((size_t)1 << 30) /* zlib counts in unsigned int */
#define GZIP_BITS 16                /* zlib's way to ask for gzip */
#define WINDOW_BITS_MIN 9
#define MEM_LEVEL_DEFAULT 8
#define SPARE_SIZE 64

typedef struct zlib_s {
    HLIB_FUNCTION(deflateInit2_);
    HLIB_FUNCTION(deflate);
    HLIB_FUNCTION(deflateEnd);
    HLIB_FUNCTION(inflateInit2_);
    HLIB_FUNCTION(inflate);
    HLIB_FUNCTION(inflateReset);
    HLIB_FUNCTION(inflateEnd);
} zlib_t;

static zlib_t zlib;

typedef struct zlib_coder_s {
    http_coder_t coder;
    z_stream z;
    char spare[SPARE_SIZE]; /* deflate's output when there is less room than that */
    size_t spare_at, spare_len;
} zlib_coder_t;

int http_coding__load_zlib(void)
{
    static const hlib_symbol_t symbols[] = {
        HLIB_SYMBOL(zlib_t, deflateInit2_), HLIB_SYMBOL(zlib_t, deflate),
        HLIB_SYMBOL(zlib_t, deflateEnd),    HLIB_SYMBOL(zlib_t, inflateInit2_),
        HLIB_SYMBOL(zlib_t, inflate),       HLIB_SYMBOL(zlib_t, inflateReset),
        HLIB_SYMBOL(zlib_t, inflateEnd)};
    static const char *const files[] = {"libz.so.1", NULL};
    static hlib_t lib = {
        .files = files,
        .symbols = symbols,
        .symbol_count = sizeof(symbols) / sizeof(symbols[0]),
        .table = &zlib,
        .lock = PTHREAD_MUTEX_INITIALIZER,
    };

    return hlib_load(&lib);
}

static voidpf zlib_alloc(voidpf ctx, uInt n, uInt size)
{
    (void)ctx;
    return hmem_alloc((size_t)n * size);
}

static void zlib_free(voidpf ctx, voidpf ptr)
{
    (void)ctx;
    hmem_free(ptr);
}

/* Hands the spans, or the front of them, to zlib; zlib_took moves them on. */
static void zlib_give(z_stream *z, const http_span_t *in, const hbuf_t *out)
{
    z->next_in = (z_const Bytef *)in->data;
    z->avail_in = (uInt)(in->len < PIECE_MAX ? in->len : PIECE_MAX);
    z->next_out = (Bytef *)out->base;
    z->avail_out = (uInt)(out->len < PIECE_MAX ? out->len : PIECE_MAX);
}

static void zlib_took(const z_stream *z, http_span_t *in, hbuf_t *out)
{
    http_coding__used(in, (size_t)((const char *)z->next_in - in->data));
    http_coding__made(out, (size_t)((char *)z->next_out - out->base));
}

/* ---- deflate --------------------------------------------------------------------------------- */

static int deflate_run(z_stream *z, http_span_t *in, hbuf_t *out, http_coding_op_e op)
{
    static const int flushes[] = {
        [HTTP_CODING_RUN] = Z_NO_FLUSH,
        [HTTP_CODING_FLUSH] = Z_SYNC_FLUSH,
        [HTTP_CODING_FINISH] = Z_FINISH,
    };
    int rc;

    do {
        zlib_give(z, in, out);
        rc = zlib.deflate(z, z->avail_in < in->len ? Z_NO_FLUSH : flushes[op]);
        zlib_took(z, in, out);
        if (rc == Z_STREAM_END)
            return HTTP_CODING_END;
        if (rc != Z_OK && rc != Z_BUF_ERROR) /* the latter: there was nothing to do */
            return -EINVAL;
    } while (in->len > 0 && out->len > 0);
    return out->len == 0 ? HTTP_CODING_AGAIN : HTTP_CODING_MORE;
}

static bool put_spare(zlib_coder_t *c, hbuf_t *out)
{
    size_t n = c->spare_len < out->len ? c->spare_len : out->len;

    memcpy(out->base, c->spare + c->spare_at, n);
    http_coding__made(out, n);
    c->spare_at += n;
    c->spare_len -= n;
    return c->spare_len == 0 && out->len > 0;
}

/* zlib has to have room for all of a flush's mark, or it begins with another one in each call. */
static int deflate_step(http_coder_t *coder, http_span_t *in, hbuf_t *out, http_coding_op_e op)
{
    zlib_coder_t *c = (zlib_coder_t *)coder;
    hbuf_t spare = {c->spare, sizeof(c->spare)};
    int state = HTTP_CODING_AGAIN;

    while (state == HTTP_CODING_AGAIN && put_spare(c, out)) {
        if (out->len >= sizeof(c->spare))
            return deflate_run(&c->z, in, out, op);
        state = deflate_run(&c->z, in, &spare, op);
        c->spare_at = 0;
        c->spare_len = sizeof(c->spare) - spare.len;
        spare = (hbuf_t){c->spare, sizeof(c->spare)};
    }
    put_spare(c, out);
    return c->spare_len > 0 ? HTTP_CODING_AGAIN : state;
}

static void deflate_free(http_coder_t *coder)
{
    zlib.deflateEnd(&((zlib_coder_t *)coder)->z);
    hmem_free(coder);
}

http_coder_t *http_coding__deflater(http_coding_e coding, int level, int window_log)
{
    zlib_coder_t *c = hmem_zalloc(sizeof(*c));
    int bits = window_log < WINDOW_BITS_MIN ? WINDOW_BITS_MIN : window_log;
    int mem_level;

    if (!c)
        return NULL;
    bits = bits > MAX_WBITS ? MAX_WBITS : bits;
    mem_level = bits - 6 < MEM_LEVEL_DEFAULT ? bits - 6 : MEM_LEVEL_DEFAULT;
    c->coder = (http_coder_t){.step = deflate_step, .free = deflate_free};
    c->z.zalloc = zlib_alloc;
    c->z.zfree = zlib_free;
    bits += coding == HTTP_CODING_GZIP ? GZIP_BITS : 0;
    if (zlib.deflateInit2_(&c->z, level, Z_DEFLATED, bits, mem_level, Z_DEFAULT_STRATEGY,
                           ZLIB_VERSION, (int)sizeof(c->z)) == Z_OK)
        return &c->coder;
    hmem_free(c);
    return NULL;
}

/* ---- inflate --------------------------------------------------------------------------------- */

static int inflate_step(http_coder_t *coder, http_span_t *in, hbuf_t *out, http_coding_op_e op)
{
    z_stream *z = &((zlib_coder_t *)coder)->z;

    (void)op;
    do {
        int rc;

        zlib_give(z, in, out);
        rc = zlib.inflate(z, Z_NO_FLUSH);
        zlib_took(z, in, out);
        switch (rc) {
        case Z_STREAM_END:
            return HTTP_CODING_END;
        case Z_OK:
        case Z_BUF_ERROR:
            break;
        case Z_MEM_ERROR:
            return -ENOMEM;
        case Z_NEED_DICT:
            return HERR_UNSUPPORTED;
        default:
            return HERR_PROTOCOL;
        }
    } while (in->len > 0 && out->len > 0);
    return out->len == 0 ? HTTP_CODING_AGAIN : HTTP_CODING_MORE;
}

static int inflate_reset(http_coder_t *coder)
{
    zlib.inflateReset(&((zlib_coder_t *)coder)->z);
    return 0;
}

static void inflate_free(http_coder_t *coder)
{
    zlib.inflateEnd(&((zlib_coder_t *)coder)->z);
    hmem_free(coder);
}

http_coder_t *http_coding__inflater(http_inflate_e format)
{
    static const int bits[] = {
        [HTTP_INFLATE_GZIP] = MAX_WBITS + GZIP_BITS,
        [HTTP_INFLATE_ZLIB] = MAX_WBITS,
        [HTTP_INFLATE_RAW] = -MAX_WBITS,
    };
    zlib_coder_t *c = hmem_zalloc(sizeof(*c));

    if (!c)
        return NULL;
    c->coder = (http_coder_t){inflate_step, inflate_reset, inflate_free};
    c->z.zalloc = zlib_alloc;
    c->z.zfree = zlib_free;
    if (zlib.inflateInit2_(&c->z, bits[format], ZLIB_VERSION, (int)sizeof(c->z)) == Z_OK)
        return &c->coder;
    hmem_free(c);
    return NULL;
}

#else

int http_coding__load_zlib(void)
{
    return HERR_UNSUPPORTED;
}

http_coder_t *http_coding__deflater(http_coding_e coding, int level, int window_log)
{
    (void)coding;
    (void)level;
    (void)window_log;
    return NULL;
}

http_coder_t *http_coding__inflater(http_inflate_e format)
{
    (void)format;
    return NULL;
}

#endif
