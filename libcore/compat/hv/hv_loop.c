#include "hloop.h"

#include "hproc.h"
#include "hthread.h"

#include "../../event/hsignal.h"

/* The functions themselves, not libhv's view of them. */
#undef hio_error
#undef hio_connect
#undef hloop_create_tcp_client

int hv_io_error(const hio_t *io)
{
    int err = hio_error(io);

    switch (err) {
    case HERR_RESOLVE:
        return EADDRNOTAVAIL;
    case HERR_HEARTBEAT:
        return ETIMEDOUT;
    case HERR_FRAME_SIZE:
        return EMSGSIZE;
    case HERR_FRAME:
        return EPROTO;
    default:
        return err > HERR_CLOSED ? -err : EIO;
    }
}

int hv_io_connect(hio_t *io)
{
    int err = hio_connect(io);

    if (err)
        hio_abort(io, err);
    return err;
}

hio_t *hv_create_tcp_client(hloop_t *loop, const char *host, int port, const hclose_cb cbs[2])
{
    return hloop_create_tcp_client(loop, host, port, cbs[0], cbs[1]);
}

long hv_process_id(void)
{
    return getpid();
}

long hv_thread_id(void)
{
    return syscall(SYS_gettid);
}

static void run_child(const proc_ctx_t *ctx)
{
    if (ctx->init)
        ctx->init(ctx->init_userdata);
    if (ctx->proc)
        ctx->proc(ctx->proc_userdata);
    if (ctx->exit)
        ctx->exit(ctx->exit_userdata);
    exit(0);
}

/* The child keeps no signal watches of its parent's loops. Signals wait meanwhile: one that came
 * between would be handled as the parent's. */
int hproc_spawn(proc_ctx_t *ctx)
{
    sigset_t all, mask;
    pid_t pid;

    fflush(NULL); /* what is in the buffers would be written by the child too */
    ctx->spawn_cnt++;
    ctx->start_time = time(NULL);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &mask);
    pid = fork();
    if (pid == 0)
        hsignal_after_fork();
    else if (pid < 0)
        pid = -errno;
    pthread_sigmask(SIG_SETMASK, &mask, NULL);
    if (pid < 0)
        return (int)pid;
    if (pid == 0) {
        ctx->pid = getpid();
        run_child(ctx);
    }
    ctx->pid = pid;
    return (int)pid;
}
