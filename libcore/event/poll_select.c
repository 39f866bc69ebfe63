#include "../base/hmem.h"
#include "hio_int.h"

#include <string.h>
#include <sys/select.h>

typedef struct select_ctx_s {
    fd_set want_read;
    fd_set want_write;
    hio_t *ios[FD_SETSIZE];
    int fd_max; /* highest descriptor with an interest, -1: none */
} select_ctx_t;

static int select_init(hloop_t *loop)
{
    select_ctx_t *ctx = hmem_zalloc(sizeof(*ctx));

    if (!ctx)
        return -ENOMEM;
    ctx->fd_max = -1;
    loop->poller_ctx = ctx;
    return 0;
}

static void select_deinit(hloop_t *loop)
{
    hmem_free(loop->poller_ctx);
}

static void set_bit(fd_set *set, int fd, bool on)
{
    if (on)
        FD_SET(fd, set);
    else
        FD_CLR(fd, set);
}

static int select_update(hloop_t *loop, hio_t *io, int old, int events)
{
    select_ctx_t *ctx = loop->poller_ctx;

    (void)old;
    if (io->fd >= FD_SETSIZE)
        return -EMFILE; /* the most this backend can watch */
    set_bit(&ctx->want_read, io->fd, events & HV_READ);
    set_bit(&ctx->want_write, io->fd, events & HV_WRITE);
    ctx->ios[io->fd] = events ? io : NULL;
    if (events && io->fd > ctx->fd_max)
        ctx->fd_max = io->fd;
    while (ctx->fd_max >= 0 && !ctx->ios[ctx->fd_max])
        ctx->fd_max--;
    return 0;
}

static int select_wait(hloop_t *loop, int64_t timeout_ns)
{
    select_ctx_t *ctx = loop->poller_ctx;
    fd_set readable = ctx->want_read, writable = ctx->want_write;
    struct timespec ts = {timeout_ns / 1000000000, timeout_ns % 1000000000};
    int n = pselect(ctx->fd_max + 1, &readable, &writable, NULL, timeout_ns < 0 ? NULL : &ts, NULL);

    if (n < 0)
        return errno == EINTR ? 0 : -errno;
    for (int fd = 0; fd <= ctx->fd_max && n > 0; fd++) {
        int events =
            (FD_ISSET(fd, &readable) ? HV_READ : 0) | (FD_ISSET(fd, &writable) ? HV_WRITE : 0);

        if (events == 0 || !ctx->ios[fd])
            continue;
        n -= (events & HV_READ ? 1 : 0) + (events & HV_WRITE ? 1 : 0);
        hloop__ready(loop, ctx->ios[fd], events);
    }
    return 0;
}

const hpoller_t hpoller_select = {
    .name = "select",
    .init = select_init,
    .deinit = select_deinit,
    .update = select_update,
    .wait = select_wait,
};
