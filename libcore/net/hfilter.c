#include "hfilter_int.h"

#include "../base/hmem.h"

static void destroy(hfilter_t *filter)
{
    hframe__free(filter->frame);
    hcarry__free(filter->carry);
    if (filter->path)
        hsocket_path_remove(filter->path);
    hmem_free(filter->path);
    hmem_free(filter);
}

/* While a part is busy the filter must stay, even if a callback closes the hio or replaces it. */
static void leave(hfilter_t *filter)
{
    filter->busy--;
    if (filter->gone && filter->busy == 0)
        destroy(filter);
}

static void on_input(hio_t *io, void *ctx, char *buf, size_t len)
{
    hfilter_t *filter = ctx;

    if (!filter->frame) {
        hio_deliver(io, buf, len);
        return;
    }
    filter->busy++;
    hframe__input(io, filter, buf, len);
    leave(filter);
}

static void on_resume(hio_t *io, void *ctx)
{
    hfilter_t *filter = ctx;

    if (!filter->frame)
        return;
    filter->busy++;
    hframe__resume(io, filter);
    leave(filter);
}

static void on_eof(hio_t *io, void *ctx)
{
    hfilter_t *filter = ctx;

    (void)io;
    if (filter->frame)
        hframe__eof(filter->frame);
}

static ssize_t on_move(hio_t *io, void *ctx, size_t max)
{
    hfilter_t *filter = ctx;
    ssize_t n;

    if (!filter->carry || filter->frame)
        return -ENOTSUP;
    filter->busy++;
    n = hcarry__move(io, filter->carry, max);
    leave(filter);
    return n;
}

static void on_free(hio_t *io, void *ctx)
{
    hfilter_t *filter = ctx;
    struct hrelay_side_s *relay = filter->relay;

    filter->relay = NULL;
    filter->gone = true;
    if (filter->busy == 0)
        destroy(filter);
    if (relay)
        hrelay__gone(io, relay);
}

static const hio_filter_t ops = {on_input, on_resume, on_eof, on_free, on_move};

hfilter_t *hfilter__find(const hio_t *io)
{
    return hio_filter(io) == &ops ? hio_filter_ctx(io) : NULL;
}

hfilter_t *hfilter__of(hio_t *io)
{
    hfilter_t *filter = hfilter__find(io);

    if (filter)
        return filter;
    filter = hmem_zalloc(sizeof(*filter));
    if (!filter)
        return NULL;
    if (hio_set_filter(io, &ops, filter) != 0) {
        hmem_free(filter);
        return NULL;
    }
    return filter;
}

void hfilter__trim(hio_t *io)
{
    hfilter_t *filter = hfilter__find(io);

    if (filter && !filter->frame && !filter->relay && !filter->carry && !filter->path &&
        filter->busy == 0)
        hio_set_filter(io, NULL, NULL);
}
