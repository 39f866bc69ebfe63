/* Writes every few milliseconds, on a timer that does not ask whether the connection
 * still lives. */
#include "hv/hloop.h"
#include "hv/htime.h"

static void on_timer(htimer_t *timer)
{
    char text[DATETIME_FMT_BUFLEN] = {0};
    datetime_t dt = datetime_now();
    hio_t *io = (hio_t *)hevent_userdata(timer);

    datetime_fmt(&dt, text);
    printf("> %s %d\n", text, hio_write(io, text, strlen(text)) < 0 ? -1 : 0);
}

static void on_close(hio_t *io)
{
    printf("closed fd=%d\n", hio_fd(io) >= 0);
}

static void on_data(hio_t *io, void *buf, int len)
{
    (void)io;
    printf("< %.*s\n", len, (char *)buf);
}

static void on_connect(hio_t *io)
{
    htimer_t *timer;

    hio_setcb_close(io, on_close);
    hio_setcb_read(io, on_data);
    hio_read(io);
    timer = htimer_add(hevent_loop(io), on_timer, 10, INFINITE);
    hevent_set_userdata(timer, io);
}

int main(int argc, char **argv)
{
    hloop_t *loop = hloop_new(0);

    setvbuf(stdout, NULL, _IOLBF, 0);
    if (argc < 2 || !hloop_create_tcp_client(loop, "127.0.0.1", atoi(argv[1]), on_connect))
        return 1;
    hloop_run(loop);
    hloop_free(&loop);
    return 0;
}
