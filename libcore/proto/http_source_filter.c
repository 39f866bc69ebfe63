#include "http_source_filter.h"

#include <string.h>

#include "../base/hmem.h"

typedef struct filtered_s {
    http_source_t *inner, *source;
    const http_filter_t *filter;
    http_source_ready_cb ready;
    void *ready_arg;
    bool ended, done;       /* inner has; and nothing is left to be converted */
    size_t in_len;          /* not yet taken */
    size_t out_at, out_len; /* not yet read */
    _Alignas(8) char state[HTTP_FILTER_STATE];
    char in[HTTP_FILTER_IN];
    char out[HTTP_FILTER_OUT];
} filtered_t;

/* 0; -EAGAIN or an error. */
static int take_in(filtered_t *f)
{
    ssize_t n;

    if (f->ended || f->in_len == sizeof(f->in))
        return 0;
    n = http_source_read(f->inner, f->in + f->in_len, sizeof(f->in) - f->in_len);
    if (n < 0)
        return (int)n;
    f->ended = n == 0;
    f->in_len += (size_t)n;
    return 0;
}

static int convert(filtered_t *f)
{
    size_t len = f->in_len;
    ssize_t n = f->filter->convert(f->state, f->in, &len, f->ended, f->out);

    if (n < 0)
        return (int)n;
    f->done = f->ended;
    f->out_at = 0;
    f->out_len = (size_t)n;
    f->in_len -= len;
    memmove(f->in, f->in + len, f->in_len);
    return 0;
}

static ssize_t filtered_read(void *arg, void *buf, size_t size)
{
    filtered_t *f = arg;

    while (f->out_len == 0 && !f->done) {
        int err = take_in(f);

        if (err == 0)
            err = convert(f);
        if (err < 0)
            return err;
    }
    if (size > f->out_len)
        size = f->out_len;
    memcpy(buf, f->out + f->out_at, size);
    f->out_at += size;
    f->out_len -= size;
    return (ssize_t)size;
}

static int filtered_rewind(void *arg)
{
    filtered_t *f = arg;
    int err = http_source_rewind(f->inner);

    if (err < 0)
        return err;
    f->ended = f->done = false;
    f->in_len = f->out_len = 0;
    memset(f->state, 0, sizeof(f->state));
    return 0;
}

static void filtered_free(void *arg)
{
    filtered_t *f = arg;

    http_source_free(f->inner);
    hmem_free(f);
}

static void on_inner(http_source_t *inner, void *arg)
{
    filtered_t *f = arg;

    (void)inner;
    if (f->ready)
        f->ready(f->source, f->ready_arg);
}

static void filtered_set_ready(void *arg, http_source_ready_cb ready, http_source_t *source,
                               void *ready_arg)
{
    filtered_t *f = arg;

    f->ready = ready;
    f->source = source;
    f->ready_arg = ready_arg;
    http_source_set_ready(f->inner, on_inner, f);
}

int http_source_filter(http_source_t *inner, const http_filter_t *filter, int64_t length,
                       http_source_t **source)
{
    static const http_source_calls_t calls = {.read = filtered_read,
                                              .rewind = filtered_rewind,
                                              .free = filtered_free,
                                              .set_ready = filtered_set_ready};
    filtered_t *f = hmem_alloc(sizeof(*f));
    int err;

    if (!f)
        return -ENOMEM;
    memset(f, 0, offsetof(filtered_t, in));
    f->inner = inner;
    f->filter = filter;
    err = http_source_call(&calls, f, length, source);
    if (err < 0)
        hmem_free(f);
    return err;
}

/* ---- line ends ------------------------------------------------------------------------------- */

static ssize_t put_crlf(void *state, const char *in, size_t *len, bool end, char *out)
{
    char *last = state;
    size_t n = 0;

    (void)end;
    for (size_t i = 0; i < *len; i++) {
        if (in[i] == '\n' && *last != '\r')
            out[n++] = '\r';
        out[n++] = *last = in[i];
    }
    return (ssize_t)n;
}

int http_source_crlf(http_source_t *inner, http_source_t **source)
{
    static const http_filter_t filter = {put_crlf};

    return http_source_filter(inner, &filter, HTTP_BODY_UNKNOWN, source);
}
