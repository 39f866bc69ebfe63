/* zstd: libzstd, through the part of its interface that stays the same. That one has no hook for
 * memory: what libzstd allocates comes from malloc. */
#include "http_coding_int.h"

#include "../base/herr.h"

#if HNET_WITH_ZSTD
#include "../base/hlib.h"
#include "../base/hmem.h"

#include <zstd.h>
#include <zstd_errors.h>

#define WINDOW_LOG_MIN 10 /* ZSTD_WINDOWLOG_MIN, which the library keeps to itself */

typedef struct zstd_s {
    HLIB_FUNCTION(ZSTD_createCCtx);
    HLIB_FUNCTION(ZSTD_freeCCtx);
    HLIB_FUNCTION(ZSTD_CCtx_setParameter);
    HLIB_FUNCTION(ZSTD_compressStream2);
    HLIB_FUNCTION(ZSTD_createDCtx);
    HLIB_FUNCTION(ZSTD_freeDCtx);
    HLIB_FUNCTION(ZSTD_DCtx_setParameter);
    HLIB_FUNCTION(ZSTD_decompressStream);
    HLIB_FUNCTION(ZSTD_isError);
    HLIB_FUNCTION(ZSTD_getErrorCode);
} zstd_t;

#define ROW(name) HLIB_SYMBOL(zstd_t, name)

static zstd_t zstd;

typedef struct zstd_encoder_s {
    http_coder_t coder;
    ZSTD_CCtx *state;
} zstd_encoder_t;

typedef struct zstd_decoder_s {
    http_coder_t coder;
    ZSTD_DCtx *state;
} zstd_decoder_t;

int http_coding__load_zstd(void)
{
    static const hlib_symbol_t symbols[] = {ROW(ZSTD_createCCtx),        ROW(ZSTD_freeCCtx),
                                            ROW(ZSTD_CCtx_setParameter), ROW(ZSTD_compressStream2),
                                            ROW(ZSTD_createDCtx),        ROW(ZSTD_freeDCtx),
                                            ROW(ZSTD_DCtx_setParameter), ROW(ZSTD_decompressStream),
                                            ROW(ZSTD_isError),           ROW(ZSTD_getErrorCode)};
    static const char *const files[] = {"libzstd.so.1", NULL};
    static hlib_t lib = {
        .files = files,
        .symbols = symbols,
        .symbol_count = sizeof(symbols) / sizeof(symbols[0]),
        .table = &zstd,
        .lock = PTHREAD_MUTEX_INITIALIZER,
    };

    return hlib_load(&lib);
}

static int zstd_error(size_t result)
{
    switch (zstd.ZSTD_getErrorCode(result)) {
    case ZSTD_error_memory_allocation:
        return -ENOMEM;
    case ZSTD_error_frameParameter_windowTooLarge:
    case ZSTD_error_frameParameter_unsupported:
    case ZSTD_error_dictionary_wrong:
        return HERR_UNSUPPORTED;
    default:
        return HERR_PROTOCOL;
    }
}

/* ---- the encoder ----------------------------------------------------------------------------- */

static int zstd_encode(http_coder_t *coder, http_span_t *in, hbuf_t *out, http_coding_op_e op)
{
    static const ZSTD_EndDirective ops[] = {
        [HTTP_CODING_RUN] = ZSTD_e_continue,
        [HTTP_CODING_FLUSH] = ZSTD_e_flush,
        [HTTP_CODING_FINISH] = ZSTD_e_end,
    };
    ZSTD_inBuffer from = {in->data, in->len, 0};
    ZSTD_outBuffer to = {out->base, out->len, 0};
    size_t left;

    do {
        left = zstd.ZSTD_compressStream2(((zstd_encoder_t *)coder)->state, &to, &from, ops[op]);
    } while (!zstd.ZSTD_isError(left) && from.pos < from.size && to.pos < to.size);
    http_coding__used(in, from.pos);
    http_coding__made(out, to.pos);
    if (zstd.ZSTD_isError(left))
        return zstd_error(left);
    if (op == HTTP_CODING_RUN)
        return in->len > 0 ? HTTP_CODING_AGAIN : HTTP_CODING_MORE;
    if (left > 0)
        return HTTP_CODING_AGAIN;
    return op == HTTP_CODING_FINISH ? HTTP_CODING_END : HTTP_CODING_MORE;
}

static void zstd_encoder_free(http_coder_t *coder)
{
    zstd.ZSTD_freeCCtx(((zstd_encoder_t *)coder)->state);
    hmem_free(coder);
}

http_coder_t *http_coding__zstd_encoder(int level, int window_log)
{
    zstd_encoder_t *e = hmem_zalloc(sizeof(*e));
    int log = window_log < WINDOW_LOG_MIN ? WINDOW_LOG_MIN : window_log;

    if (!e)
        return NULL;
    e->coder = (http_coder_t){.step = zstd_encode, .free = zstd_encoder_free};
    e->state = zstd.ZSTD_createCCtx();
    if (!e->state) {
        hmem_free(e);
        return NULL;
    }
    zstd.ZSTD_CCtx_setParameter(e->state, ZSTD_c_compressionLevel, level);
    zstd.ZSTD_CCtx_setParameter(e->state, ZSTD_c_windowLog, log);
    return &e->coder;
}

/* ---- the decoder ----------------------------------------------------------------------------- */

static int zstd_decode(http_coder_t *coder, http_span_t *in, hbuf_t *out, http_coding_op_e op)
{
    ZSTD_inBuffer from = {in->data, in->len, 0};
    ZSTD_outBuffer to = {out->base, out->len, 0};
    size_t left;

    (void)op;
    do {
        left = zstd.ZSTD_decompressStream(((zstd_decoder_t *)coder)->state, &to, &from);
    } while (!zstd.ZSTD_isError(left) && left > 0 && from.pos < from.size && to.pos < to.size);
    http_coding__used(in, from.pos);
    http_coding__made(out, to.pos);
    if (zstd.ZSTD_isError(left))
        return zstd_error(left);
    if (left == 0)
        return HTTP_CODING_END;
    return out->len == 0 ? HTTP_CODING_AGAIN : HTTP_CODING_MORE;
}

/* After the end of a frame it waits for another one by itself. */
static int zstd_reset(http_coder_t *coder)
{
    (void)coder;
    return 0;
}

static void zstd_decoder_free(http_coder_t *coder)
{
    zstd.ZSTD_freeDCtx(((zstd_decoder_t *)coder)->state);
    hmem_free(coder);
}

http_coder_t *http_coding__zstd_decoder(void)
{
    zstd_decoder_t *d = hmem_zalloc(sizeof(*d));

    if (!d)
        return NULL;
    d->coder = (http_coder_t){zstd_decode, zstd_reset, zstd_decoder_free};
    d->state = zstd.ZSTD_createDCtx();
    if (!d->state) {
        hmem_free(d);
        return NULL;
    }
    zstd.ZSTD_DCtx_setParameter(d->state, ZSTD_d_windowLogMax, HTTP_CODING_ZSTD_WINDOW_LOG_MAX);
    return &d->coder;
}

#else

int http_coding__load_zstd(void)
{
    return HERR_UNSUPPORTED;
}

http_coder_t *http_coding__zstd_encoder(int level, int window_log)
{
    (void)level;
    (void)window_log;
    return NULL;
}

http_coder_t *http_coding__zstd_decoder(void)
{
    return NULL;
}

#endif
