#include "http_coding.h"

#include "../base/herr.h"
#include "../base/hmem.h"
#include "../codec/http_accept.h"
#include "http_coding_int.h"

#define WINDOW_LOG_MAX 19 /* 512 KiB: more saves little, and costs each stream memory */
#define WINDOW_SPARE 512  /* deflate uses a little less than its window */

struct http_coding_s {
    http_coder_t *encoder; /* one of them */
    http_decoder_t *decoder;
    int over; /* 0, HTTP_CODING_END or an error: what every further call gives */
    bool trailing;
};

typedef struct coding_row_s {
    const char *name;
    const char *suffix;
    int (*load)(void);
    int level_min, level_default, level_max;
} coding_row_t;

static const coding_row_t rows[HTTP_CODING_COUNT] = {
    [HTTP_CODING_IDENTITY] = {"identity", NULL, NULL, 0, 0, 0},
    [HTTP_CODING_GZIP] = {"gzip", ".gz", http_coding__load_zlib, 1, 6, 9},
    [HTTP_CODING_DEFLATE] = {"deflate", NULL, http_coding__load_zlib, 1, 6, 9},
    [HTTP_CODING_BR] = {"br", ".br", http_coding__load_brotli, 0, 5, 11},
    [HTTP_CODING_ZSTD] = {"zstd", ".zst", http_coding__load_zstd, 1, 3, 19},
};

/* ---- names ----------------------------------------------------------------------------------- */

const char *http_coding_name(http_coding_e coding)
{
    return rows[coding].name;
}

const char *http_coding_suffix(http_coding_e coding)
{
    return rows[coding].suffix;
}

int http_coding_find(http_span_t name)
{
    for (int i = 0; i < HTTP_CODING_COUNT; i++) {
        if (http_span_ieq(name, rows[i].name))
            return i;
    }
    return http_span_ieq(name, "x-gzip") ? HTTP_CODING_GZIP : -ENOENT;
}

int http_coding__load(http_coding_e coding)
{
    return rows[coding].load ? rows[coding].load() : 0;
}

unsigned http_coding_available(unsigned codings)
{
    unsigned available = 0;

    for (int i = 0; i < HTTP_CODING_COUNT; i++) {
        if ((codings & HTTP_CODING_BIT(i)) && http_coding__load((http_coding_e)i) == 0)
            available |= HTTP_CODING_BIT(i);
    }
    return available;
}

/* order: of equals the first one is taken. */
static int choose(http_span_t accept_encoding, unsigned offers, const http_coding_e *order)
{
    const char *names[HTTP_CODING_COUNT] = {NULL};
    http_coding_e codings[HTTP_CODING_COUNT] = {HTTP_CODING_IDENTITY};
    size_t count = 0;
    int chosen;

    for (size_t i = 0; i < HTTP_CODING_COUNT; i++) {
        if (offers & HTTP_CODING_BIT(order[i])) {
            codings[count] = order[i];
            names[count++] = rows[order[i]].name;
        }
    }
    chosen = http_accept_choose(HTTP_ACCEPT_CODING, accept_encoding, names, count);
    return chosen < 0 ? chosen : (int)codings[chosen];
}

int http_coding_choose(http_span_t accept_encoding, unsigned offers)
{
    static const http_coding_e order[HTTP_CODING_COUNT] = {HTTP_CODING_BR, HTTP_CODING_ZSTD,
                                                           HTTP_CODING_GZIP, HTTP_CODING_DEFLATE,
                                                           HTTP_CODING_IDENTITY};

    return choose(accept_encoding, offers, order);
}

int http_coding_choose_live(http_span_t accept_encoding, unsigned offers)
{
    static const http_coding_e order[HTTP_CODING_COUNT] = {HTTP_CODING_ZSTD, HTTP_CODING_BR,
                                                           HTTP_CODING_GZIP, HTTP_CODING_DEFLATE,
                                                           HTTP_CODING_IDENTITY};

    return choose(accept_encoding, offers, order);
}

/* ---- streams --------------------------------------------------------------------------------- */

static int window_log(uint64_t size)
{
    int log = 0;

    if (size == HTTP_CODING_SIZE_UNKNOWN)
        return WINDOW_LOG_MAX;
    while (log < WINDOW_LOG_MAX && size + WINDOW_SPARE > (uint64_t)1 << log)
        log++;
    return log;
}

static int level_of(const coding_row_t *row, int level)
{
    if (level == HTTP_CODING_LEVEL_DEFAULT)
        return row->level_default;
    level = level < row->level_min ? row->level_min : level;
    return level > row->level_max ? row->level_max : level;
}

static http_coder_t *new_coder(http_coding_e coding, int level, int log)
{
    switch (coding) {
    case HTTP_CODING_GZIP:
    case HTTP_CODING_DEFLATE:
        return http_coding__deflater(coding, level, log);
    case HTTP_CODING_BR:
        return http_coding__brotli_encoder(level, log);
    case HTTP_CODING_ZSTD:
        return http_coding__zstd_encoder(level, log);
    case HTTP_CODING_IDENTITY:
        break;
    }
    return NULL;
}

int http_encoder_new(http_coding_e coding, int level, uint64_t size, http_coding_t **encoder)
{
    http_coding_t *c;

    *encoder = NULL;
    if (coding == HTTP_CODING_IDENTITY || http_coding__load(coding) < 0)
        return HERR_UNSUPPORTED;
    c = hmem_zalloc(sizeof(*c));
    if (!c)
        return -ENOMEM;
    c->encoder = new_coder(coding, level_of(&rows[coding], level), window_log(size));
    if (!c->encoder) {
        hmem_free(c);
        return -ENOMEM;
    }
    *encoder = c;
    return 0;
}

int http_decoder_new(http_span_t content_encoding, http_coding_t **decoder)
{
    http_coding_t *c = hmem_zalloc(sizeof(*c));
    int err;

    *decoder = NULL;
    if (!c)
        return -ENOMEM;
    err = http_decoder__new(content_encoding, &c->decoder);
    if (err < 0) {
        hmem_free(c);
        return err;
    }
    *decoder = c;
    return 0;
}

void http_coding_free(http_coding_t *coding)
{
    if (!coding)
        return;
    if (coding->encoder)
        coding->encoder->free(coding->encoder);
    http_decoder__free(coding->decoder);
    hmem_free(coding);
}

int http_coding_step(http_coding_t *coding, http_span_t *in, hbuf_t *out, http_coding_op_e op)
{
    int state = coding->over;

    coding->trailing |= state == HTTP_CODING_END && in->len > 0;
    if (state != 0)
        return state;
    if (out->len == 0)
        return HTTP_CODING_AGAIN;
    state = coding->encoder ? coding->encoder->step(coding->encoder, in, out, op)
                            : http_decoder__step(coding->decoder, in, out, op);
    if (state < 0 || state == HTTP_CODING_END)
        coding->over = state;
    return state;
}

bool http_coding_trailing(const http_coding_t *coding)
{
    return coding->trailing || (coding->decoder && http_decoder__trailing(coding->decoder));
}
