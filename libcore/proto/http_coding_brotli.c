/* br: libbrotlienc and libbrotlidec. Their "large window", which is no part of RFC 7932, is off in
 * both by default, and stays off.
 *
 * An encoder that is out of memory ends the process, as distributions build it. Ours never gets to
 * know: the hook jumps out of it instead, the encoder is used no more, and its memory, which is on
 * a list, is freed without it. */
#include "http_coding_int.h"

#include "../base/herr.h"

#if HNET_WITH_BROTLI
#include "../base/hlib.h"
#include "../base/hlist.h"
#include "../base/hmem.h"

#include <brotli/decode.h>
#include <brotli/encode.h>
#include <setjmp.h>

typedef struct brotli_s {
    HLIB_FUNCTION(BrotliEncoderCreateInstance);
    HLIB_FUNCTION(BrotliEncoderSetParameter);
    HLIB_FUNCTION(BrotliEncoderCompressStream);
    HLIB_FUNCTION(BrotliEncoderHasMoreOutput);
    HLIB_FUNCTION(BrotliEncoderIsFinished);
    HLIB_FUNCTION(BrotliDecoderCreateInstance);
    HLIB_FUNCTION(BrotliDecoderDecompressStream);
    HLIB_FUNCTION(BrotliDecoderGetErrorCode);
    HLIB_FUNCTION(BrotliDecoderDestroyInstance);
} brotli_t;

#define ROW(name) HLIB_SYMBOL(brotli_t, name)

static brotli_t brotli;

typedef struct brotli_encoder_s {
    http_coder_t coder;
    BrotliEncoderState *state;
    bool flushing;     /* it must go on so until all is out */
    hlist_t blocks;    /* of block_t: all that the library has allocated */
    jmp_buf no_memory; /* valid while the library is called */
} brotli_encoder_t;

typedef struct block_s {
    hlist_t node;
    max_align_t data[];
} block_t;

typedef struct brotli_decoder_s {
    http_coder_t coder;
    BrotliDecoderState *state;
} brotli_decoder_t;

/* The spans, as the library moves them on. */
typedef struct brotli_io_s {
    size_t in_left, out_left;
    const uint8_t *in;
    uint8_t *out;
} brotli_io_t;

static brotli_io_t io_of(const http_span_t *in, const hbuf_t *out)
{
    return (brotli_io_t){in->len, out->len, (const uint8_t *)in->data, (uint8_t *)out->base};
}

int http_coding__load_brotli(void)
{
    static const hlib_symbol_t symbols[] = {
        ROW(BrotliEncoderCreateInstance),   ROW(BrotliEncoderSetParameter),
        ROW(BrotliEncoderCompressStream),   ROW(BrotliEncoderHasMoreOutput),
        ROW(BrotliEncoderIsFinished),       ROW(BrotliDecoderCreateInstance),
        ROW(BrotliDecoderDecompressStream), ROW(BrotliDecoderGetErrorCode),
        ROW(BrotliDecoderDestroyInstance)};
    static const char *const files[] = {"libbrotlienc.so.1", "libbrotlidec.so.1", NULL};
    static hlib_t lib = {
        .files = files,
        .symbols = symbols,
        .symbol_count = sizeof(symbols) / sizeof(symbols[0]),
        .table = &brotli,
        .lock = PTHREAD_MUTEX_INITIALIZER,
    };

    return hlib_load(&lib);
}

/* ---- the encoder ----------------------------------------------------------------------------- */

static void *encoder_alloc(void *ctx, size_t size)
{
    brotli_encoder_t *e = ctx;
    block_t *block = size <= SIZE_MAX - sizeof(*block) ? hmem_alloc(sizeof(*block) + size) : NULL;

    if (!block)
        longjmp(e->no_memory, 1);
    block->node = (hlist_t){NULL, NULL};
    hlist_push_back(&e->blocks, &block->node);
    return block->data;
}

static void encoder_drop(void *ctx, void *ptr)
{
    block_t *block = ptr ? HLIST_ENTRY(ptr, block_t, data) : NULL;

    (void)ctx;
    if (block)
        hlist_remove(&block->node);
    hmem_free(block);
}

static void encoder_create(brotli_encoder_t *e)
{
    if (setjmp(e->no_memory) == 0)
        e->state = brotli.BrotliEncoderCreateInstance(encoder_alloc, encoder_drop, e);
}

/* It can fail for nothing but memory. */
static int encoder_call(brotli_encoder_t *e, BrotliEncoderOperation op, brotli_io_t *io)
{
    if (setjmp(e->no_memory) != 0)
        return -ENOMEM;
    return brotli.BrotliEncoderCompressStream(e->state, op, &io->in_left, &io->in, &io->out_left,
                                              &io->out, NULL)
               ? 0
               : -ENOMEM;
}

static int brotli_run(brotli_encoder_t *e, http_span_t *in, hbuf_t *out, BrotliEncoderOperation op)
{
    brotli_io_t io = io_of(in, out);
    int err = encoder_call(e, op, &io);

    http_coding__used(in, in->len - io.in_left);
    http_coding__made(out, out->len - io.out_left);
    return err;
}

/* What a flush has left over goes out before anything else is begun. */
static int brotli_drain(brotli_encoder_t *e, hbuf_t *out)
{
    http_span_t nothing = {NULL, 0};
    int err = brotli_run(e, &nothing, out, BROTLI_OPERATION_FLUSH);

    e->flushing = out->len == 0;
    return err;
}

static int brotli_encode(http_coder_t *coder, http_span_t *in, hbuf_t *out, http_coding_op_e op)
{
    static const BrotliEncoderOperation ops[] = {
        [HTTP_CODING_RUN] = BROTLI_OPERATION_PROCESS,
        [HTTP_CODING_FLUSH] = BROTLI_OPERATION_FLUSH,
        [HTTP_CODING_FINISH] = BROTLI_OPERATION_FINISH,
    };
    brotli_encoder_t *e = (brotli_encoder_t *)coder;
    int err = e->flushing ? brotli_drain(e, out) : 0;

    if (err == 0 && e->flushing)
        return HTTP_CODING_AGAIN;
    if (err == 0)
        err = brotli_run(e, in, out, ops[op]);
    if (err < 0)
        return err;
    if (op == HTTP_CODING_FINISH && brotli.BrotliEncoderIsFinished(e->state))
        return HTTP_CODING_END;
    if (out->len == 0 &&
        (op != HTTP_CODING_RUN || in->len > 0 || brotli.BrotliEncoderHasMoreOutput(e->state))) {
        e->flushing = op == HTTP_CODING_FLUSH && in->len == 0;
        return HTTP_CODING_AGAIN;
    }
    return HTTP_CODING_MORE;
}

static void brotli_encoder_free(http_coder_t *coder)
{
    brotli_encoder_t *e = (brotli_encoder_t *)coder;
    hlist_t *node;

    while ((node = hlist_pop_front(&e->blocks)) != NULL)
        hmem_free(HLIST_ENTRY(node, block_t, node));
    hmem_free(e);
}

http_coder_t *http_coding__brotli_encoder(int level, int window_log)
{
    brotli_encoder_t *e = hmem_zalloc(sizeof(*e));
    int bits = window_log < BROTLI_MIN_WINDOW_BITS ? BROTLI_MIN_WINDOW_BITS : window_log;

    if (!e)
        return NULL;
    hlist_init(&e->blocks);
    e->coder = (http_coder_t){.step = brotli_encode, .free = brotli_encoder_free};
    encoder_create(e);
    if (!e->state) {
        brotli_encoder_free(&e->coder);
        return NULL;
    }
    brotli.BrotliEncoderSetParameter(e->state, BROTLI_PARAM_QUALITY, (uint32_t)level);
    brotli.BrotliEncoderSetParameter(e->state, BROTLI_PARAM_LGWIN, (uint32_t)bits);
    return &e->coder;
}

/* ---- the decoder ----------------------------------------------------------------------------- */

static void *decoder_alloc(void *ctx, size_t size)
{
    (void)ctx;
    return hmem_alloc(size);
}

static void decoder_drop(void *ctx, void *ptr)
{
    (void)ctx;
    hmem_free(ptr);
}

static int brotli_error(const brotli_decoder_t *d)
{
    BrotliDecoderErrorCode code = brotli.BrotliDecoderGetErrorCode(d->state);

    return code <= BROTLI_DECODER_ERROR_ALLOC_CONTEXT_MODES &&
                   code >= BROTLI_DECODER_ERROR_ALLOC_BLOCK_TYPE_TREES
               ? -ENOMEM
               : HERR_PROTOCOL;
}

static int brotli_decode(http_coder_t *coder, http_span_t *in, hbuf_t *out, http_coding_op_e op)
{
    brotli_decoder_t *d = (brotli_decoder_t *)coder;
    size_t in_left = in->len, out_left = out->len;
    const uint8_t *next_in = (const uint8_t *)in->data;
    uint8_t *next_out = (uint8_t *)out->base;
    BrotliDecoderResult result = brotli.BrotliDecoderDecompressStream(d->state, &in_left, &next_in,
                                                                      &out_left, &next_out, NULL);

    (void)op;
    http_coding__used(in, in->len - in_left);
    http_coding__made(out, out->len - out_left);
    switch (result) {
    case BROTLI_DECODER_RESULT_SUCCESS:
        return HTTP_CODING_END;
    case BROTLI_DECODER_RESULT_NEEDS_MORE_INPUT: /* it says so before all output is out */
        return out->len == 0 ? HTTP_CODING_AGAIN : HTTP_CODING_MORE;
    case BROTLI_DECODER_RESULT_NEEDS_MORE_OUTPUT:
        return HTTP_CODING_AGAIN;
    case BROTLI_DECODER_RESULT_ERROR:
        break;
    }
    return brotli_error(d);
}

static void brotli_decoder_free(http_coder_t *coder)
{
    brotli.BrotliDecoderDestroyInstance(((brotli_decoder_t *)coder)->state);
    hmem_free(coder);
}

http_coder_t *http_coding__brotli_decoder(void)
{
    brotli_decoder_t *d = hmem_zalloc(sizeof(*d));

    if (!d)
        return NULL;
    d->coder = (http_coder_t){.step = brotli_decode, .free = brotli_decoder_free};
    d->state = brotli.BrotliDecoderCreateInstance(decoder_alloc, decoder_drop, NULL);
    if (d->state)
        return &d->coder;
    hmem_free(d);
    return NULL;
}

#else

int http_coding__load_brotli(void)
{
    return HERR_UNSUPPORTED;
}

http_coder_t *http_coding__brotli_encoder(int level, int window_log)
{
    (void)level;
    (void)window_log;
    return NULL;
}

http_coder_t *http_coding__brotli_decoder(void)
{
    return NULL;
}

#endif
