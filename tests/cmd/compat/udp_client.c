#include "hv/hloop.h"

static void on_timer(htimer_t *timer)
{
    hio_write((hio_t *)hevent_userdata(timer), "ping", 4);
}

static void on_datagram(hio_t *io, void *buf, int len)
{
    printf("< %.*s\n", len, (char *)buf);
    hloop_stop(hevent_loop(io));
}

int main(int argc, char **argv)
{
    hloop_t *loop = hloop_new(0);
    hio_t *io = argc < 2 ? NULL : hloop_create_udp_client(loop, "127.0.0.1", atoi(argv[1]));
    htimer_t *timer;

    if (io == NULL)
        return 1;
    hio_setcb_read(io, on_datagram);
    hio_read(io);
    timer = htimer_add(hevent_loop(io), on_timer, 10, INFINITE);
    hevent_set_userdata(timer, io);
    hloop_run(loop);
    hloop_free(&loop);
    return 0;
}
