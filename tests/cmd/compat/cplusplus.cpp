/* The headers in a C++ program: a server and its client in one loop. */
#include "hv/hv.h"

#include "hv/hlog.h"

static hatomic_t accepted = HATOMIC_VAR_INIT(0);

static void on_read(hio_t *io, void *buf, int len)
{
    hio_write(io, buf, (size_t)len);
}

static void on_accept(hio_t *io)
{
    hatomic_inc(&accepted);
    hio_setcb_read(io, on_read);
    hio_read(io);
}

static void on_answer(hio_t *io, void *buf, int len)
{
    printf("%.*s\n", len, static_cast<char *>(buf));
    hio_close(io);
}

static void on_connect(hio_t *io)
{
    hio_setcb_read(io, on_answer);
    hio_read(io);
    hio_write(io, "hello", 5);
}

static void on_close(hio_t *io)
{
    hloop_stop(hevent_loop(io));
}

int main()
{
    hloop_t *loop = hloop_new(0);
    hio_t *listener = hloop_create_tcp_server(loop, "127.0.0.1", 0, on_accept);
    int port = ntohs(reinterpret_cast<sockaddr_in *>(hio_localaddr(listener))->sin_port);
    hio_t *client = hloop_create_tcp_client(loop, "127.0.0.1", port, on_connect);

    hio_setcb_close(client, on_close);
    hloop_run(loop);
    hloop_free(&loop);
    return hatomic_load(&accepted) == 1 ? 0 : 1;
}
