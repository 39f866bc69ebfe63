/* The echo server on libev, which has no buffers of its own: recv and send as in the raw one. */
#include "bench.h"

#include <errno.h>
#include <ev.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

typedef struct client_s {
    ev_io io;
    char *rest;
    size_t rest_len;
} client_t;

static void drop(struct ev_loop *loop, client_t *client)
{
    ev_io_stop(loop, &client->io);
    close(client->io.fd);
    free(client->rest);
    free(client);
}

static void watch(struct ev_loop *loop, client_t *client, int events)
{
    ev_io_stop(loop, &client->io);
    ev_io_set(&client->io, client->io.fd, events);
    ev_io_start(loop, &client->io);
}

static void keep(struct ev_loop *loop, client_t *client, const char *data, size_t len)
{
    client->rest = malloc(len);
    if (!client->rest)
        bench_fail("malloc");
    memcpy(client->rest, data, len);
    client->rest_len = len;
    watch(loop, client, EV_WRITE);
}

static void on_writable(struct ev_loop *loop, client_t *client)
{
    ssize_t n = send(client->io.fd, client->rest, client->rest_len, MSG_NOSIGNAL);

    if (n < 0 && errno != EAGAIN) {
        drop(loop, client);
    } else if (n == (ssize_t)client->rest_len) {
        free(client->rest);
        client->rest = NULL;
        watch(loop, client, EV_READ);
    } else if (n > 0) {
        client->rest_len -= (size_t)n;
        memmove(client->rest, client->rest + n, client->rest_len);
    }
}

static void on_ready(struct ev_loop *loop, ev_io *io, int events)
{
    static char buf[BENCH_READ_SIZE];
    client_t *client = (client_t *)io;
    ssize_t n, sent;

    if (events & EV_WRITE) {
        on_writable(loop, client);
        return;
    }
    n = recv(io->fd, buf, sizeof(buf), 0);
    if (n <= 0) {
        if (n == 0 || errno != EAGAIN)
            drop(loop, client);
        return;
    }
    sent = send(io->fd, buf, (size_t)n, MSG_NOSIGNAL);
    if (sent < 0 && errno != EAGAIN)
        drop(loop, client);
    else if (sent < n)
        keep(loop, client, buf + (sent > 0 ? sent : 0), (size_t)(n - (sent > 0 ? sent : 0)));
}

static void on_acceptable(struct ev_loop *loop, ev_io *io, int events)
{
    int fd;

    (void)events;
    while ((fd = accept4(io->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
        client_t *client = calloc(1, sizeof(*client));

        if (!client)
            bench_fail("calloc");
        ev_io_init(&client->io, on_ready, fd, EV_READ);
        ev_io_start(loop, &client->io);
    }
}

int main(void)
{
    struct ev_loop *loop = ev_default_loop(EVBACKEND_EPOLL);
    ev_io listener;

    ev_io_init(&listener, on_acceptable, bench_listen(), EV_READ);
    ev_io_start(loop, &listener);
    return !ev_run(loop, 0);
}
