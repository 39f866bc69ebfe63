/* bench_relay_hnet PORT: relays every connection to that loopback port, with default settings. */
#include "bench.h"
#include "net/hrelay.h"

#include <stdlib.h>

static int backend;

static void on_accept(hio_t *io)
{
    if (!hio_setup_tcp_upstream(io, "127.0.0.1", backend, 0))
        hio_abort(io, 0);
}

int main(int argc, char **argv)
{
    hloop_t *loop = hloop_new(0);

    if (argc != 2 || !loop)
        bench_fail("start");
    backend = (int)strtol(argv[1], NULL, 10);
    if (!haccept(loop, bench_listen(), on_accept))
        bench_fail("accept");
    return hloop_run(loop) < 0;
}
