#include "../base/hmem.h"
#include "hio_int.h"

#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#define EVENTS_MAX 256

typedef struct epoll_ctx_s {
    int fd;
    bool has_pwait2;
    struct epoll_event events[EVENTS_MAX];
} epoll_ctx_t;

static int epoll_init(hloop_t *loop)
{
    epoll_ctx_t *ctx = hmem_zalloc(sizeof(*ctx));

    if (!ctx)
        return -ENOMEM;
    ctx->fd = epoll_create1(EPOLL_CLOEXEC);
    if (ctx->fd < 0) {
        int rc = -errno;

        hmem_free(ctx);
        return rc;
    }
    ctx->has_pwait2 = true;
    loop->poller_ctx = ctx;
    return 0;
}

static void epoll_deinit(hloop_t *loop)
{
    epoll_ctx_t *ctx = loop->poller_ctx;

    close(ctx->fd);
    hmem_free(ctx);
}

static int epoll_update(hloop_t *loop, hio_t *io, int old, int events)
{
    epoll_ctx_t *ctx = loop->poller_ctx;
    struct epoll_event event = {.data.ptr = io};
    int op = old == 0 ? EPOLL_CTL_ADD : events == 0 ? EPOLL_CTL_DEL : EPOLL_CTL_MOD;

    event.events = (events & HV_READ ? EPOLLIN : 0u) | (events & HV_WRITE ? EPOLLOUT : 0u);
    if (epoll_ctl(ctx->fd, op, io->fd, &event) == 0)
        return 0;
    return -errno;
}

/* Whole ms are rounded up, so that no timer finds itself early; less than one needs
 * epoll_pwait2. */
static int epoll_wait_ns(epoll_ctx_t *ctx, int64_t timeout_ns)
{
    int64_t ms = timeout_ns < 0 ? -1 : (timeout_ns + (int64_t)HTIME_NS_PER_MS - 1) / 1000000;

    if (timeout_ns > 0 && timeout_ns < (int64_t)HTIME_NS_PER_MS && ctx->has_pwait2) {
        struct timespec ts = {0, (long)timeout_ns};
        int n = epoll_pwait2(ctx->fd, ctx->events, EVENTS_MAX, &ts, NULL);

        if (n >= 0 || errno != ENOSYS)
            return n;
        ctx->has_pwait2 = false;
    }
    return epoll_wait(ctx->fd, ctx->events, EVENTS_MAX, ms > INT32_MAX ? INT32_MAX : (int)ms);
}

static int epoll_wait_ready(hloop_t *loop, int64_t timeout_ns)
{
    epoll_ctx_t *ctx = loop->poller_ctx;
    int n = epoll_wait_ns(ctx, timeout_ns);

    if (n < 0)
        return errno == EINTR ? 0 : -errno;
    for (int i = 0; i < n; i++) {
        uint32_t events = ctx->events[i].events;
        bool broken = events & (EPOLLERR | EPOLLHUP);

        hloop__ready(loop, ctx->events[i].data.ptr,
                     (broken || (events & EPOLLIN) ? HV_READ : 0) |
                         (broken || (events & EPOLLOUT) ? HV_WRITE : 0));
    }
    return 0;
}

const hpoller_t hpoller_epoll = {
    .name = "epoll",
    .init = epoll_init,
    .deinit = epoll_deinit,
    .update = epoll_update,
    .wait = epoll_wait_ready,
    .tells_broken = true,
    .forgets_closed = true,
};
