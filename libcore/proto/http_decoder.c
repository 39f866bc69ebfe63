/* http_decoder: takes codings off that were put one over the other. Each is a layer with its
 * library's coder; the first one reads what came, each other one the buffer of the one before it.
 *
 * A layer looks at the first bytes itself: they say whether another gzip member or zstd frame
 * follows or something else, and whether deflate came with zlib's wrapper or, as some servers send
 * it, without.
 *
 *     HEAD --(enough bytes)--> BODY --(end of a member)--> HEAD
 *       +-----(no other one)---> DONE <--(br, deflate)--+            DONE stays */
#include "http_coding_int.h"

#include "../base/herr.h"
#include "../base/hmem.h"

#include <string.h>

#define HEAD_MAX 4
#define BUFFER_SIZE 16384      /* between two layers */
#define WORK_MAX (1024 * 1024) /* bytes that layers hand on in one call */

typedef enum layer_state_e { LAYER_HEAD, LAYER_BODY, LAYER_DONE } layer_state_e;

typedef struct layer_s {
    http_coding_e coding;
    layer_state_e state;
    http_coder_t *coder; /* NULL until its format is known */
    uint8_t head[HEAD_MAX];
    size_t head_len, head_used; /* collected; of them given to the coder */
    bool again;                 /* a member was read to its end */
    bool trailing;
    char *buffer;        /* that the layer reads from; the first one has none */
    http_span_t pending; /* of the buffer, not read yet */
    int below;           /* what the layer that fills the buffer said last */
} layer_t;

struct http_decoder_s {
    layer_t layers[HTTP_CODING_STACK_MAX]; /* [0] is what was put on last */
    size_t count;
    size_t work; /* left of WORK_MAX */
};

/* ---- the head of a member -------------------------------------------------------------------- */

static size_t head_size(http_coding_e coding)
{
    switch (coding) {
    case HTTP_CODING_GZIP:
    case HTTP_CODING_DEFLATE:
        return 2;
    case HTTP_CODING_ZSTD:
        return 4;
    default:
        return 0;
    }
}

static bool has_members(http_coding_e coding)
{
    return coding == HTTP_CODING_GZIP || coding == HTTP_CODING_ZSTD;
}

/* Whether a gzip member (RFC 1952 section 2.3.1), or a zstd frame that is one or is to be skipped
 * (RFC 8878 section 3.1), may begin so. */
static bool head_fits(const layer_t *layer)
{
    static const uint8_t gzip[] = {0x1f, 0x8b};
    static const uint8_t frame[] = {0x28, 0xb5, 0x2f, 0xfd}, skipped[] = {0x50, 0x2a, 0x4d, 0x18};
    uint8_t head[HEAD_MAX];

    memcpy(head, layer->head, HEAD_MAX);
    if (layer->coding == HTTP_CODING_GZIP)
        return memcmp(head, gzip, layer->head_len) == 0;
    if (layer->coding != HTTP_CODING_ZSTD || memcmp(head, frame, layer->head_len) == 0)
        return true;
    head[0] &= 0xf0;
    return memcmp(head, skipped, layer->head_len) == 0;
}

/* RFC 1950 section 2.2: the method and its window, and the check of both. Deflate without wrapper
 * begins so only with a stored block whose padding is not zero, which nobody writes. */
static bool is_zlib(const uint8_t *head)
{
    return (head[0] & 15) == 8 && head[0] >> 4 <= 7 && (head[0] * 256 + head[1]) % 31 == 0;
}

static http_coder_t *new_coder(const layer_t *layer)
{
    switch (layer->coding) {
    case HTTP_CODING_GZIP:
        return http_coding__inflater(HTTP_INFLATE_GZIP);
    case HTTP_CODING_DEFLATE:
        return http_coding__inflater(is_zlib(layer->head) ? HTTP_INFLATE_ZLIB : HTTP_INFLATE_RAW);
    case HTTP_CODING_BR:
        return http_coding__brotli_decoder();
    case HTTP_CODING_ZSTD:
        return http_coding__zstd_decoder();
    case HTTP_CODING_IDENTITY:
        break;
    }
    return NULL;
}

static int begin_body(layer_t *layer)
{
    int err = 0;

    if (layer->coder)
        err = layer->coder->reset(layer->coder);
    else if (!(layer->coder = new_coder(layer)))
        err = -ENOMEM;
    layer->state = LAYER_BODY;
    layer->head_used = 0;
    return err;
}

/* What is no head goes back, as far as it came in this call. */
static int no_head(layer_t *layer, http_span_t *in, size_t taken)
{
    if (!layer->again)
        return HERR_PROTOCOL;
    in->data -= taken;
    in->len += taken;
    layer->trailing = true;
    layer->state = LAYER_DONE;
    return HTTP_CODING_END;
}

/* HTTP_CODING_AGAIN: the body follows. */
static int step_head(layer_t *layer, http_span_t *in, http_coding_op_e op)
{
    size_t size = head_size(layer->coding), taken = 0;
    int err;

    while (layer->head_len < size && in->len > 0) {
        layer->head[layer->head_len++] = (uint8_t)in->data[0];
        http_coding__used(in, 1);
        taken++;
        if (!head_fits(layer))
            return no_head(layer, in, taken);
    }
    if (op == HTTP_CODING_FINISH && layer->head_len == 0 && in->len == 0)
        return HTTP_CODING_END; /* all members are over, or there is nothing at all */
    if (layer->head_len < size || (size == 0 && in->len == 0))
        return op == HTTP_CODING_FINISH ? HERR_TRUNCATED : HTTP_CODING_MORE;
    err = begin_body(layer);
    return err < 0 ? err : HTTP_CODING_AGAIN;
}

/* ---- one layer ------------------------------------------------------------------------------- */

/* What the head has collected comes first. */
static int run_coder(layer_t *layer, http_span_t *in, hbuf_t *out)
{
    if (layer->head_used < layer->head_len) {
        http_span_t head = {(const char *)layer->head + layer->head_used,
                            layer->head_len - layer->head_used};
        int state = layer->coder->step(layer->coder, &head, out, HTTP_CODING_RUN);

        layer->head_used = layer->head_len - head.len;
        if (state != HTTP_CODING_MORE)
            return state;
    }
    return layer->coder->step(layer->coder, in, out, HTTP_CODING_RUN);
}

static int step_body(layer_t *layer, http_span_t *in, hbuf_t *out, http_coding_op_e op)
{
    int state = run_coder(layer, in, out);

    if (state == HTTP_CODING_MORE && op == HTTP_CODING_FINISH)
        return HERR_TRUNCATED;
    if (state != HTTP_CODING_END)
        return state;
    layer->again = true;
    layer->head_len = 0;
    layer->state = has_members(layer->coding) ? LAYER_HEAD : LAYER_DONE;
    return state;
}

static int step_layer(layer_t *layer, http_span_t *in, hbuf_t *out, http_coding_op_e op)
{
    int state;

    for (;;) {
        switch (layer->state) {
        case LAYER_HEAD:
            state = step_head(layer, in, op);
            if (state != HTTP_CODING_AGAIN)
                return state;
            break;
        case LAYER_BODY:
            if (out->len == 0)
                return HTTP_CODING_AGAIN;
            state = step_body(layer, in, out, op);
            if (state != HTTP_CODING_END)
                return state;
            break;
        case LAYER_DONE:
            layer->trailing |= in->len > 0;
            return HTTP_CODING_END;
        }
    }
}

/* ---- the stack ------------------------------------------------------------------------------- */

static int pull(http_decoder_t *d, size_t i, http_span_t *in, hbuf_t *out, http_coding_op_e op);

/* Fills the empty buffer of a layer from the one before it; it may hold something even if that one
 * met an error. */
static int refill(http_decoder_t *d, size_t i, http_span_t *in, http_coding_op_e op)
{
    layer_t *layer = &d->layers[i];
    hbuf_t room = {layer->buffer, BUFFER_SIZE};
    int state;

    if (d->work == 0)
        return HTTP_CODING_AGAIN;
    state = pull(d, i - 1, in, &room, op);
    layer->pending = (http_span_t){layer->buffer, BUFFER_SIZE - room.len};
    d->work -= layer->pending.len < d->work ? layer->pending.len : d->work;
    return state;
}

/* One layer, and as much of those before it as it needs. What a layer gets behind its own end is
 * read all the same, since only then is it known how the layers before it end. */
static int pull(http_decoder_t *d, size_t i, http_span_t *in, hbuf_t *out, http_coding_op_e op)
{
    layer_t *layer = &d->layers[i];

    if (i == 0)
        return step_layer(layer, in, out, op);
    for (;;) {
        bool last = layer->below == HTTP_CODING_END;
        int state =
            step_layer(layer, &layer->pending, out, last ? HTTP_CODING_FINISH : HTTP_CODING_RUN);

        if (state < 0 || state == HTTP_CODING_AGAIN || (state == HTTP_CODING_END && last))
            return state;
        layer->pending.len = 0;
        if (layer->below >= 0)
            layer->below = refill(d, i, in, op);
        if (layer->pending.len == 0 && layer->below != HTTP_CODING_END)
            return layer->below;
    }
}

static int copy(http_span_t *in, hbuf_t *out, http_coding_op_e op)
{
    size_t n = in->len < out->len ? in->len : out->len;

    if (n > 0)
        memcpy(out->base, in->data, n);
    http_coding__used(in, n);
    http_coding__made(out, n);
    if (in->len > 0)
        return HTTP_CODING_AGAIN;
    return op == HTTP_CODING_FINISH ? HTTP_CODING_END : HTTP_CODING_MORE;
}

int http_decoder__step(http_decoder_t *d, http_span_t *in, hbuf_t *out, http_coding_op_e op)
{
    d->work = WORK_MAX;
    return d->count == 0 ? copy(in, out, op) : pull(d, d->count - 1, in, out, op);
}

bool http_decoder__trailing(const http_decoder_t *d)
{
    for (size_t i = 0; i < d->count; i++) {
        if (d->layers[i].trailing)
            return true;
    }
    return false;
}

/* ---- the life -------------------------------------------------------------------------------- */

static int read_codings(http_decoder_t *d, http_span_t list)
{
    http_span_t name;

    while (http_list_next(&list, &name)) {
        int coding = http_coding_find(name);

        if (!http_is_token(name))
            return HERR_SYNTAX;
        if (coding < 0 || http_coding__load((http_coding_e)coding) < 0)
            return HERR_UNSUPPORTED;
        if (coding == HTTP_CODING_IDENTITY)
            continue;
        if (d->count == HTTP_CODING_STACK_MAX)
            return HERR_RANGE;
        memmove(d->layers + 1, d->layers, d->count * sizeof(d->layers[0]));
        d->layers[0] = (layer_t){.coding = (http_coding_e)coding};
        d->count++;
    }
    return 0;
}

int http_decoder__new(http_span_t content_encoding, http_decoder_t **decoder)
{
    http_decoder_t *d = hmem_zalloc(sizeof(*d));
    int err;

    if (!d)
        return -ENOMEM;
    err = read_codings(d, content_encoding);
    for (size_t i = 1; err == 0 && i < d->count; i++) {
        d->layers[i].buffer = hmem_alloc(BUFFER_SIZE);
        err = d->layers[i].buffer ? 0 : -ENOMEM;
    }
    if (err < 0) {
        http_decoder__free(d);
        return err;
    }
    *decoder = d;
    return 0;
}

void http_decoder__free(http_decoder_t *d)
{
    if (!d)
        return;
    for (size_t i = 0; i < d->count; i++) {
        if (d->layers[i].coder)
            d->layers[i].coder->free(d->layers[i].coder);
        hmem_free(d->layers[i].buffer);
    }
    hmem_free(d);
}
