#include "hv/hloop.h"

static void on_close(hio_t *io)
{
    printf("closed error=%d\n", hio_error(io));
}

static void on_data(hio_t *io, void *buf, int len)
{
    hio_write(io, buf, len);
}

static void on_connection(hio_t *io)
{
    hio_setcb_close(io, on_close);
    hio_setcb_read(io, on_data);
    hio_read(io);
}

int main(int argc, char **argv)
{
    hloop_t *loop = hloop_new(0);

    setvbuf(stdout, NULL, _IOLBF, 0);
    if (argc < 2 || !hloop_create_tcp_server(loop, "0.0.0.0", atoi(argv[1]), on_connection))
        return 1;
    hloop_run(loop);
    hloop_free(&loop);
    return 0;
}
