/* io_uring as a poller: one-shot POLL_ADD requests, armed again for the next wait, so that
 * readiness is level-triggered as everywhere; arming and waiting are one system call. A request is
 * named by the hio's handle: a completion of one that is gone, or armed for other events, is not
 * taken for readiness.
 *
 * The kernel adds POLLRDHUP to every request. A peer that has shut down its sending side would so
 * complete each one-shot request at once, for as long as this side waits to send; what waits there
 * is a request of many shots, which tells each change once, until what is wanted is among them. */
#if HNET_WITH_URING
#include "../base/hlib.h"
#include "../base/hmem.h"
#include "hio_int.h"

#include <liburing.h>
#include <poll.h>
#include <string.h>

/* liburing maps and unmaps its rings with system calls of its own, unseen by the thread sanitizer:
 * it takes a ring for the one that another thread had at this address before, and has to be told
 * that the one was gone when the other came. */
#ifdef __SANITIZE_THREAD__
#include <sanitizer/tsan_interface.h>
static char rings; /* an address, not a variable */
#define RINGS_COME() __tsan_acquire(&rings)
#define RINGS_GO() __tsan_release(&rings)
#else
#define RINGS_COME() ((void)0)
#define RINGS_GO() ((void)0)
#endif

#define RING_ENTRIES 1024
/* The last stands for Linux 5.13, which has requests of many shots. */
#define FEATURES (IORING_FEAT_EXT_ARG | IORING_FEAT_NODROP | IORING_FEAT_RSRC_TAGS)
#define IGNORED 0 /* user_data of requests whose completion says nothing */

/* By descriptor: what is wanted, and the request that is in flight. */
typedef struct uring_watch_s {
    hio_t *io;
    uint64_t tag; /* of the request in flight, IGNORED: none */
    uint8_t events;
    bool queued;    /* on the list of watches to arm */
    bool by_change; /* the next request, or the one in flight, is of many shots */
} uring_watch_t;

typedef struct uring_ctx_s {
    struct io_uring ring;
    uring_watch_t *watches;
    size_t cap;
    int *arm; /* descriptors to arm before the next wait */
    size_t arm_n;
    uint32_t sequence;
} uring_ctx_t;

/* What is no inline function of the header. */
#define URING_FUNCTIONS(X)                                                                         \
    X(io_uring_queue_exit)                                                                         \
    X(io_uring_queue_init_params)                                                                  \
    X(io_uring_submit)                                                                             \
    X(io_uring_submit_and_get_events)                                                              \
    X(io_uring_submit_and_wait_timeout)

#define MEMBER(name) HLIB_FUNCTION(name);
#define ROW(name) HLIB_SYMBOL(uring_lib_t, name),

typedef struct uring_lib_s {
    URING_FUNCTIONS(MEMBER)
} uring_lib_t;

static uring_lib_t uring; /* written once, by load */

static int load(void)
{
    static const hlib_symbol_t symbols[] = {URING_FUNCTIONS(ROW)};
    static const char *const files[] = {"liburing.so.2", NULL};
    static hlib_t lib = {
        .files = files,
        .symbols = symbols,
        .symbol_count = sizeof(symbols) / sizeof(symbols[0]),
        .table = &uring,
        .lock = PTHREAD_MUTEX_INITIALIZER,
    };

    return hlib_load(&lib);
}

static int uring_init(hloop_t *loop)
{
    uring_ctx_t *ctx;
    struct io_uring_params params = {.flags = IORING_SETUP_CQSIZE | IORING_SETUP_CLAMP,
                                     .cq_entries = RING_ENTRIES * 8};
    int rc = load();

    if (rc < 0)
        return rc;
    ctx = hmem_zalloc(sizeof(*ctx));
    if (!ctx)
        return -ENOMEM;
    rc = uring.io_uring_queue_init_params(RING_ENTRIES, &ctx->ring, &params);
    if (rc == 0 && (params.features & FEATURES) != FEATURES) {
        uring.io_uring_queue_exit(&ctx->ring);
        rc = HERR_UNSUPPORTED;
    }
    if (rc < 0) {
        hmem_free(ctx);
        return rc;
    }
    RINGS_COME();
    loop->poller_ctx = ctx;
    return 0;
}

static void uring_deinit(hloop_t *loop)
{
    uring_ctx_t *ctx = loop->poller_ctx;

    RINGS_GO();
    uring.io_uring_queue_exit(&ctx->ring);
    hmem_free(ctx->watches);
    hmem_free(ctx->arm);
    hmem_free(ctx);
}

static int grow(uring_ctx_t *ctx, size_t fd)
{
    size_t cap = ctx->cap ? ctx->cap : 64;
    uring_watch_t *watches;
    int *arm;

    if (fd < ctx->cap)
        return 0;
    while (cap <= fd)
        cap *= 2;
    arm = hmem_realloc(ctx->arm, cap * sizeof(*arm));
    if (!arm)
        return -ENOMEM;
    ctx->arm = arm;
    watches = hmem_realloc(ctx->watches, cap * sizeof(*watches));
    if (!watches)
        return -ENOMEM;
    memset(watches + ctx->cap, 0, (cap - ctx->cap) * sizeof(*watches));
    ctx->watches = watches;
    ctx->cap = cap;
    return 0;
}

static struct io_uring_sqe *get_sqe(uring_ctx_t *ctx)
{
    struct io_uring_sqe *sqe = io_uring_get_sqe(&ctx->ring);

    if (sqe)
        return sqe;
    uring.io_uring_submit(&ctx->ring);
    return io_uring_get_sqe(&ctx->ring);
}

static void queue_arm(uring_ctx_t *ctx, int fd)
{
    uring_watch_t *watch = &ctx->watches[fd];

    if (watch->queued)
        return;
    watch->queued = true;
    ctx->arm[ctx->arm_n++] = fd;
}

/* Takes the request in flight back. Its completion bears a tag that nobody knows any more. It must
 * reach the kernel before the descriptor is closed or the request would pin the file. */
static void cancel(uring_ctx_t *ctx, uring_watch_t *watch, bool at_once)
{
    struct io_uring_sqe *sqe;

    if (watch->tag == IGNORED)
        return;
    sqe = get_sqe(ctx);
    if (sqe) {
        io_uring_prep_poll_remove(sqe, watch->tag);
        sqe->user_data = IGNORED;
    }
    watch->tag = IGNORED;
    if (at_once)
        uring.io_uring_submit(&ctx->ring);
}

static int uring_update(hloop_t *loop, hio_t *io, int old, int events)
{
    uring_ctx_t *ctx = loop->poller_ctx;
    uring_watch_t *watch;

    (void)old;
    if (grow(ctx, (size_t)io->fd) < 0)
        return -ENOMEM;
    watch = &ctx->watches[io->fd];
    cancel(ctx, watch, events == 0);
    watch->io = events ? io : NULL;
    watch->events = (uint8_t)events;
    watch->by_change = false;
    if (events)
        queue_arm(ctx, io->fd);
    return 0;
}

static bool arm_one(uring_ctx_t *ctx, int fd)
{
    uring_watch_t *watch = &ctx->watches[fd];
    struct io_uring_sqe *sqe;

    watch->queued = false;
    if (!watch->io || watch->tag != IGNORED)
        return true;
    sqe = get_sqe(ctx);
    if (!sqe)
        return false;
    if (++ctx->sequence == 0)
        ctx->sequence = 1;
    watch->tag = (uint64_t)ctx->sequence << 32 | (uint32_t)fd;
    io_uring_prep_poll_add(sqe, fd,
                           (watch->events & HV_READ ? POLLIN : 0u) |
                               (watch->events & HV_WRITE ? POLLOUT : 0u));
    if (watch->by_change)
        sqe->len |= IORING_POLL_ADD_MULTI;
    sqe->user_data = watch->tag;
    return true;
}

static void arm_all(uring_ctx_t *ctx)
{
    size_t n = ctx->arm_n;

    ctx->arm_n = 0;
    for (size_t i = 0; i < n; i++) {
        int fd = ctx->arm[i];

        if (!arm_one(ctx, fd))
            queue_arm(ctx, fd); /* no room: next time */
    }
}

static int events_of(const struct io_uring_cqe *cqe)
{
    if (cqe->res < 0 || (cqe->res & (POLLERR | POLLHUP | POLLNVAL)))
        return HV_RDWR;
    return (cqe->res & POLLIN ? HV_READ : 0) | (cqe->res & POLLOUT ? HV_WRITE : 0);
}

static void complete(hloop_t *loop, uring_ctx_t *ctx, const struct io_uring_cqe *cqe)
{
    uint32_t fd = (uint32_t)cqe->user_data;
    bool goes_on = cqe->flags & IORING_CQE_F_MORE;
    int events = events_of(cqe);
    uring_watch_t *watch;

    if (cqe->user_data == IGNORED || fd >= ctx->cap)
        return;
    watch = &ctx->watches[fd];
    if (watch->tag != cqe->user_data)
        return;
    if (!events && goes_on)
        return;
    if (goes_on)
        cancel(ctx, watch, false);
    watch->tag = IGNORED;
    watch->by_change = !events;
    queue_arm(ctx, (int)fd);
    if (events)
        hloop__ready(loop, watch->io, events);
}

static int submit_and_wait(uring_ctx_t *ctx, int64_t timeout_ns)
{
    struct __kernel_timespec ts = {timeout_ns / 1000000000, timeout_ns % 1000000000};
    struct io_uring_cqe *cqe;
    int rc;

    if (timeout_ns == 0)
        rc = uring.io_uring_submit_and_get_events(&ctx->ring);
    else
        rc = uring.io_uring_submit_and_wait_timeout(&ctx->ring, &cqe, 1,
                                                    timeout_ns < 0 ? NULL : &ts, NULL);
    return rc == -EINTR || rc == -ETIME || rc == -EBUSY || rc > 0 ? 0 : rc;
}

static int uring_wait(hloop_t *loop, int64_t timeout_ns)
{
    uring_ctx_t *ctx = loop->poller_ctx;
    struct io_uring_cqe *cqe;
    unsigned head, n = 0;
    int rc;

    arm_all(ctx);
    rc = submit_and_wait(ctx, timeout_ns);
    if (rc < 0)
        return rc;
    io_uring_for_each_cqe(&ctx->ring, head, cqe)
    {
        complete(loop, ctx, cqe);
        n++;
    }
    io_uring_cq_advance(&ctx->ring, n);
    return 0;
}

const hpoller_t hpoller_uring = {
    .name = "io_uring",
    .init = uring_init,
    .deinit = uring_deinit,
    .update = uring_update,
    .wait = uring_wait,
};
#else
typedef int hpoller_uring_is_not_built;
#endif
