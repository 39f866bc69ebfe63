#include "hv/hloop.h"
#include "hv/hsocket.h"

static void on_datagram(hio_t *io, void *buf, int len)
{
    char local[SOCKADDR_STRLEN] = {0};
    char peer[SOCKADDR_STRLEN] = {0};

    printf("[%s] <=> [%s] %d\n", SOCKADDR_STR(hio_localaddr(io), local),
           SOCKADDR_STR(hio_peeraddr(io), peer), len);
    hio_write(io, buf, len);
}

int main(int argc, char **argv)
{
    hloop_t *loop = hloop_new(0);
    hio_t *io = argc < 2 ? NULL : hloop_create_udp_server(loop, "0.0.0.0", atoi(argv[1]));

    setvbuf(stdout, NULL, _IOLBF, 0);
    if (io == NULL)
        return 1;
    hio_setcb_read(io, on_datagram);
    hio_read(io);
    hloop_run(loop);
    hloop_free(&loop);
    return 0;
}
