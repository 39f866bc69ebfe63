/* The echo server on libcore, with its default settings. */
#include "bench.h"
#include "event/hio.h"

static void on_read(hio_t *io, void *buf, int len)
{
    hio_write(io, buf, (size_t)len);
}

static void on_accept(hio_t *io)
{
    hio_setcb_read(io, on_read);
    hio_read(io);
}

int main(void)
{
    hloop_t *loop = hloop_new(0);

    if (!loop || !haccept(loop, bench_listen(), on_accept))
        bench_fail("start");
    return hloop_run(loop) < 0;
}
