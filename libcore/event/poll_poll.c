#include "../base/hmem.h"
#include "hio_int.h"

#include <poll.h>
#include <string.h>

/* Two parallel arrays without holes; index finds a descriptor's place in them. */
typedef struct poll_ctx_s {
    struct pollfd *fds;
    hio_t **ios;
    size_t n;
    size_t cap;
    int *index; /* by descriptor, -1: none */
    size_t index_cap;
} poll_ctx_t;

static int poll_init(hloop_t *loop)
{
    loop->poller_ctx = hmem_zalloc(sizeof(poll_ctx_t));
    return loop->poller_ctx ? 0 : -ENOMEM;
}

static void poll_deinit(hloop_t *loop)
{
    poll_ctx_t *ctx = loop->poller_ctx;

    hmem_free(ctx->fds);
    hmem_free(ctx->ios);
    hmem_free(ctx->index);
    hmem_free(ctx);
}

static int grow(poll_ctx_t *ctx)
{
    size_t cap = ctx->cap ? ctx->cap * 2 : 64;
    struct pollfd *fds = hmem_realloc(ctx->fds, cap * sizeof(*fds));
    hio_t **ios;

    if (!fds)
        return -ENOMEM;
    ctx->fds = fds;
    ios = hmem_realloc(ctx->ios, cap * sizeof(hio_t *));
    if (!ios)
        return -ENOMEM;
    ctx->ios = ios;
    ctx->cap = cap;
    return 0;
}

static int grow_index(poll_ctx_t *ctx, size_t fd)
{
    size_t cap = ctx->index_cap ? ctx->index_cap : 64;
    int *index;

    while (cap <= fd)
        cap *= 2;
    index = hmem_realloc(ctx->index, cap * sizeof(*index));
    if (!index)
        return -ENOMEM;
    memset(index + ctx->index_cap, 0xff, (cap - ctx->index_cap) * sizeof(*index));
    ctx->index = index;
    ctx->index_cap = cap;
    return 0;
}

static int add(poll_ctx_t *ctx, hio_t *io)
{
    if (ctx->n == ctx->cap && grow(ctx) < 0)
        return -ENOMEM;
    if ((size_t)io->fd >= ctx->index_cap && grow_index(ctx, (size_t)io->fd) < 0)
        return -ENOMEM;
    ctx->index[io->fd] = (int)ctx->n;
    ctx->ios[ctx->n] = io;
    ctx->fds[ctx->n++] = (struct pollfd){.fd = io->fd};
    return 0;
}

static void forget(poll_ctx_t *ctx, int fd)
{
    int at = ctx->index[fd];
    size_t last = --ctx->n;

    ctx->fds[at] = ctx->fds[last];
    ctx->ios[at] = ctx->ios[last];
    ctx->index[ctx->fds[at].fd] = at;
    ctx->index[fd] = -1;
}

static int poll_update(hloop_t *loop, hio_t *io, int old, int events)
{
    poll_ctx_t *ctx = loop->poller_ctx;

    if (old == 0 && add(ctx, io) < 0)
        return -ENOMEM;
    if (events == 0) {
        forget(ctx, io->fd);
        return 0;
    }
    ctx->fds[ctx->index[io->fd]].events =
        (short)((events & HV_READ ? POLLIN : 0) | (events & HV_WRITE ? POLLOUT : 0));
    return 0;
}

static int poll_wait(hloop_t *loop, int64_t timeout_ns)
{
    poll_ctx_t *ctx = loop->poller_ctx;
    struct timespec ts = {timeout_ns / 1000000000, timeout_ns % 1000000000};
    int n = ppoll(ctx->fds, ctx->n, timeout_ns < 0 ? NULL : &ts, NULL);

    if (n < 0)
        return errno == EINTR ? 0 : -errno;
    for (size_t i = 0; i < ctx->n && n > 0; i++) {
        short events = ctx->fds[i].revents;
        bool broken = events & (POLLERR | POLLHUP | POLLNVAL);

        if (events == 0)
            continue;
        n--;
        hloop__ready(loop, ctx->ios[i],
                     (broken || (events & POLLIN) ? HV_READ : 0) |
                         (broken || (events & POLLOUT) ? HV_WRITE : 0));
    }
    return 0;
}

const hpoller_t hpoller_poll = {
    .name = "poll",
    .init = poll_init,
    .deinit = poll_deinit,
    .update = poll_update,
    .wait = poll_wait,
};
