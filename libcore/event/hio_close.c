/* Closing: what is queued is sent first (hio_close) or not (hio_abort); the descriptor is given
 * back and the one close callback runs at the end of the iteration. */
#include "hio_int.h"

#include "../base/hmem.h"

#include <assert.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

void hio__finish(hio_t *io, int err)
{
    hloop_t *loop = io->loop;

    if (io->state >= HIO_STATE_CLOSED)
        return;
    assert(loop != NULL); /* only a detached hio has none, and that one ends elsewhere */
    io->state = HIO_STATE_CLOSED;
    if (io->error == 0)
        io->error = err;
    if (io->polled && !(io->unshared && loop->poller->forgets_closed))
        loop->poller->update(loop, io, io->polled, 0);
    io->polled = 0;
    if (hio__is(io, HIO_FLAG_ALWAYS)) {
        loop->always_n -= io->want ? 1 : 0;
        hlist_remove(&io->ext->always_link);
    }
    io->want = 0;
    hio__timeouts_stop(io);
    hloop__add_work(loop, io, HIO_WORK_CLOSE);
}

/* A hole in 0..2 would be filled by the next socket and then written to by any printf. */
static void close_fd(int fd)
{
    int null_fd;

    if (fd > STDERR_FILENO) {
        close(fd);
        return;
    }
    null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (null_fd < 0)
        return;
    dup2(null_fd, fd);
    if (null_fd > STDERR_FILENO)
        close(null_fd);
}

static void free_ext(hio_t *io)
{
    hio_ext_t *ext = io->ext;

    if (!ext)
        return;
    if (ext->filter && ext->filter->free)
        ext->filter->free(io, ext->filter_ctx);
    for (int i = 0; i < 2; i++) {
        if (ext->gates[i].gate && ext->gates[i].gate->free)
            ext->gates[i].gate->free(io, ext->gates[i].ctx);
    }
    hmem_free(ext->gather);
    hmem_free(ext->local);
    hmem_free(ext->peer);
    hmem_free(ext);
    io->ext = NULL;
}

void hio__do_close(hio_t *io)
{
    hloop_t *loop = io->loop;

    hio__drop_queue(io);
    hio__unregister(io);
    if (io->close_cb) {
        hloop__enter(loop);
        io->close_cb(io);
        hloop__leave(loop);
    }
    /* Only now: the callback may still ask for addresses, or the transport for its error. */
    if (io->transport && io->transport->free)
        io->transport->free(io, io->transport_ctx);
    io->transport = NULL;
    close_fd(io->fd);
    free_ext(io);
    hlist_remove(&io->link);
    io->state = HIO_STATE_FREE;
    hlist_push_back(&loop->free_ios, &io->link);
}

/* Ends the sending side when that was asked for. False: the transport needs another turn. */
static bool shut_down(hio_t *io)
{
    int rc = 0;

    if (hio__is(io, HIO_FLAG_SHUT_DONE))
        return true;
    if (io->transport && io->transport->shutdown)
        rc = io->transport->shutdown(io, io->transport_ctx);
    if (rc == -EAGAIN) {
        hio__want(io, HV_WRITE, 0);
        return false;
    }
    io->flags |= HIO_FLAG_SHUT_DONE;
    if (hio__is(io, HIO_FLAG_SHUT_WANTED) && (io->type & HIO_TYPE_SOCK_STREAM))
        shutdown(io->fd, SHUT_WR);
    return true;
}

void hio__sent_all(hio_t *io)
{
    bool closing = io->state == HIO_STATE_CLOSING;

    if (!closing && !hio__is(io, HIO_FLAG_SHUT_WANTED))
        return;
    if (shut_down(io) && closing && !hio__linger(io))
        hio__finish(io, 0);
}

/* The transport gives up. When the fault is not the socket's it has told the peer why: that must
 * arrive, so what the peer has sent meanwhile is no reason for a reset. */
void hio__transport_failed(hio_t *io, int err)
{
    if (io->error == 0)
        io->error = err;
    io->has_sent = true;
    io->flags &= (uint16_t) ~(HIO_FLAG_READING | HIO_FLAG_CORKED);
    if (err > HERR_CLOSED || !hio__linger(io))
        hio__finish(io, err);
    else
        hio__timeout_start(io, HIO_TIMEOUT_CLOSE);
}

int hio_set_last_word(hio_t *io, const char *word)
{
    if (io->state >= HIO_STATE_CLOSED)
        return HERR_CLOSED;
    if (!hio__ext(io))
        return -ENOMEM;
    io->ext->last_word = word;
    return 0;
}

/* The kernel's buffer is full: it is made twice as large, for it tells twice what it is set to. */
static bool give_last_word(hio_t *io)
{
    const char *word = io->ext->last_word;
    int size = 0;
    socklen_t len = sizeof(size);

    if (!word || io->transport || !(io->type & HIO_TYPE_SOCK_STREAM))
        return false;
    if (getsockopt(io->fd, SOL_SOCKET, SO_SNDBUF, &size, &len) == 0)
        setsockopt(io->fd, SOL_SOCKET, SO_SNDBUF, &size, len);
    return send(io->fd, word, strlen(word), MSG_DONTWAIT | MSG_NOSIGNAL) > 0;
}

void hio__close_late(hio_t *io)
{
    bool told = give_last_word(io);

    if (io->error == 0)
        io->error = -ETIMEDOUT;
    io->has_sent |= told;
    if (told && hio__linger(io))
        hio__timeout_start(io, HIO_TIMEOUT_CLOSE);
    else
        hio__finish(io, io->error);
    hio__drop_queue(io); /* last: it calls back */
}

int hio_shutdown(hio_t *io)
{
    if (io->state >= HIO_STATE_CLOSING)
        return HERR_CLOSED;
    io->flags |= HIO_FLAG_SHUT_WANTED;
    if (!io->queue_head && io->state == HIO_STATE_OPEN)
        hio__sent_all(io);
    return 0;
}

/* A detached hio is on no loop: nobody to call back. */
static void free_detached(hio_t *io)
{
    hio__drop_queue(io);
    if (io->transport && io->transport->free)
        io->transport->free(io, io->transport_ctx);
    free_ext(io);
    close_fd(io->fd);
    hmem_free(io);
}

int hio_close(hio_t *io)
{
    if (io->loop && hloop__is_foreign(io->loop))
        return hio__post_close(io); /* before any look at what the loop's thread may change */
    if (io->state == HIO_STATE_DETACHED) {
        free_detached(io);
        return 0;
    }
    if (io->state >= HIO_STATE_CLOSING)
        return 0;
    if (io->state != HIO_STATE_OPEN || hio__is(io, HIO_FLAG_WRITE_BROKEN | HIO_FLAG_LISTEN)) {
        hio__finish(io, 0);
        return 0;
    }
    io->flags &= (uint16_t) ~(HIO_FLAG_READING | HIO_FLAG_CORKED);
    hio__want(io, 0, HV_READ | HIO_WANT_HANGUP);
    io->state = HIO_STATE_CLOSING;
    if (!io->queue_head)
        hio__sent_all(io);
    else if (!hio__is(io, HIO_FLAG_WRITE_GATED))
        hio__want(io, HV_WRITE, 0);
    if (io->state >= HIO_STATE_CLOSED)
        return 0;
    if (hio__ext(io))
        hio__timeout_start(io, HIO_TIMEOUT_CLOSE);
    else
        hio__finish(io, -ENOMEM); /* it might never end */
    return 0;
}

int hio_abort(hio_t *io, int err)
{
    if (io->state == HIO_STATE_DETACHED)
        free_detached(io);
    else
        hio__finish(io, err);
    return 0;
}

int hio_reset(hio_t *io)
{
    struct linger linger = {.l_onoff = 1, .l_linger = 0};

    if (io->type == HIO_TYPE_TCP && io->state < HIO_STATE_CLOSED)
        setsockopt(io->fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
    return hio_abort(io, 0);
}
