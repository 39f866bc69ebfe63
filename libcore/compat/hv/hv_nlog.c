/* The readers of the network log. A logger_handler has no argument of its own, so they are known to
 * the whole program; a reader leaves the list in its close callback, before its loop can be
 * freed. */
#include "nlog.h"

#include <pthread.h>
#include <stddef.h>

static struct {
    pthread_mutex_t lock;
    hio_handle_t readers[NLOG_READERS_MAX];
    int n;
} nlog = {.lock = PTHREAD_MUTEX_INITIALIZER};

static bool is_same(hio_handle_t a, hio_handle_t b)
{
    return a.loop == b.loop && a.id == b.id;
}

static void on_close(hio_t *io)
{
    hio_handle_t handle = hio_handle(io);

    pthread_mutex_lock(&nlog.lock);
    for (int i = 0; i < nlog.n; i++) {
        if (is_same(nlog.readers[i], handle)) {
            nlog.readers[i] = nlog.readers[--nlog.n];
            break;
        }
    }
    pthread_mutex_unlock(&nlog.lock);
}

static void on_accept(hio_t *io)
{
    bool has_room;

    pthread_mutex_lock(&nlog.lock);
    has_room = nlog.n < NLOG_READERS_MAX;
    if (has_room)
        nlog.readers[nlog.n++] = hio_handle(io);
    pthread_mutex_unlock(&nlog.lock);
    if (!has_room) {
        hio_close(io);
        return;
    }
    hio_setcb_close(io, on_close);
    hio_read(io); /* what it says is nobody's business, but its end is noticed */
}

hio_t *nlog_listen(hloop_t *loop, int port)
{
    return hloop_create_tcp_server(loop, "127.0.0.1", port, on_accept);
}

void network_logger(int loglevel, const char *buf, int len)
{
    (void)loglevel;
    pthread_mutex_lock(&nlog.lock);
    for (int i = 0; i < nlog.n; i++)
        hio_handle_write(nlog.readers[i], buf, (size_t)len, NULL, NULL);
    pthread_mutex_unlock(&nlog.lock);
}
