/* The three patterns of a server with several workers, each built with its own -D. */
#include "hloop.h"
#include "hproc.h"
#include "hsocket.h"
#include "hthread.h"

#define WORKERS 3

#ifndef ACCEPTOR
static int listenfd = INVALID_SOCKET;
#endif

static void on_close(hio_t *io)
{
    printf("closed error=%d\n", hio_error(io));
}

static void on_data(hio_t *io, void *buf, int len)
{
    hio_write(io, buf, len);
}

static void serve(hio_t *io)
{
    char local[SOCKADDR_STRLEN] = {0};
    char peer[SOCKADDR_STRLEN] = {0};

    printf("pid=%ld tid=%ld [%s] <= [%s]\n", (long)hv_getpid(), (long)hv_gettid(),
           SOCKADDR_STR(hio_localaddr(io), local), SOCKADDR_STR(hio_peeraddr(io), peer));
    hio_setcb_close(io, on_close);
    hio_setcb_read(io, on_data);
    hio_read(io);
}

#ifdef ACCEPTOR
static hloop_t *loops[WORKERS];

static void on_arrival(hevent_t *ev)
{
    hio_t *io = (hio_t *)hevent_userdata(ev);

    hio_attach(ev->loop, io);
    serve(io);
}

static void on_connection(hio_t *io)
{
    static int turn;
    hevent_t ev;

    hio_detach(io);
    memset(&ev, 0, sizeof(ev));
    ev.loop = loops[turn++ % WORKERS];
    ev.cb = on_arrival;
    ev.userdata = io;
    hloop_post_event(ev.loop, &ev);
}

static HTHREAD_ROUTINE(run_worker)
{
    hloop_run((hloop_t *)userdata);
    return 0;
}

static int run(int port)
{
    hloop_t *loop = hloop_new(HLOOP_FLAG_AUTO_FREE);

    for (int i = 0; i < WORKERS; i++) {
        loops[i] = hloop_new(HLOOP_FLAG_AUTO_FREE);
        hthread_create(run_worker, loops[i]);
    }
    if (hloop_create_tcp_server(loop, "127.0.0.1", port, on_connection) == NULL)
        return 1;
    return hloop_run(loop);
}
#else
static void accept_and_serve(void *userdata)
{
    hloop_t *loop = hloop_new(HLOOP_FLAG_AUTO_FREE);

    (void)userdata;
    haccept(loop, listenfd, serve);
    hloop_run(loop);
}

#ifdef THREADS
static HTHREAD_RETTYPE run_worker(void *userdata)
{
    accept_and_serve(userdata);
    return 0;
}
#endif

static int run(int port)
{
    listenfd = Listen(port, "127.0.0.1");
    if (listenfd < 0)
        return 1;
    for (int i = 0; i < WORKERS; i++) {
#ifdef THREADS
        hthread_create(run_worker, NULL);
#else
        proc_ctx_t ctx;

        memset(&ctx, 0, sizeof(ctx));
        ctx.proc = accept_and_serve;
        printf("worker=%d\n", hproc_spawn(&ctx));
#endif
    }
    while (1)
        hv_sleep(1);
    return 0;
}
#endif

int main(int argc, char **argv)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    return argc < 2 ? 1 : run(atoi(argv[1]));
}
