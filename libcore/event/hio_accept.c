#include "hio_int.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <unistd.h>

#define ACCEPT_PAUSE_MS 100

static void open_spare(hloop_t *loop)
{
    if (loop->spare_fd < 0)
        loop->spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
}

/* Out of descriptors: the spare one is given up for the connection's moment, so that the peer sees
 * a close and the listener does not stay ready for ever. Without a spare, accepting pauses. */
static bool shed(hio_t *io, int err)
{
    hloop_t *loop = io->loop;
    int fd = -1;

    if (loop->spare_fd >= 0) {
        close(loop->spare_fd);
        loop->spare_fd = -1;
        fd = accept4(io->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (fd >= 0) {
            close(fd);
            loop->stats.accept_shed++;
        }
        open_spare(loop);
    }
    hlog_write(loop->log, HLOG_WARN, "accept: %s: connection shed", herr_str(-err));
    if (fd >= 0)
        return true;
    hio__want(io, 0, HV_READ);
    if (hio__ext(io)) {
        io->ext->timeouts[HIO_TIMEOUT_ACCEPT_PAUSE].timeout_ms = ACCEPT_PAUSE_MS;
        hio__timeout_start(io, HIO_TIMEOUT_ACCEPT_PAUSE);
    }
    return false;
}

/* Whether to try the next connection. */
static bool accept_failed(hio_t *io, int err)
{
    switch (err) {
    case EAGAIN:
        return false;
    case EINTR:
    case ECONNABORTED: /* the peer was faster; network errors of the new socket: man 2 accept */
    case EPROTO:
    case ENETDOWN:
    case EHOSTDOWN:
    case ENETUNREACH:
    case EHOSTUNREACH:
    case ENOPROTOOPT:
    case EPERM: /* a firewall rule */
        return true;
    case EMFILE:
    case ENFILE:
    case ENOBUFS:
    case ENOMEM:
        return shed(io, err);
    default:
        hio__finish(io, -err);
        return false;
    }
}

static void accepted(hio_t *listener, int fd)
{
    hloop_t *loop = listener->loop;
    hio_t *io = hio__new(loop, fd, listener->type);

    if (!io) {
        close(fd);
        loop->stats.accept_shed++;
        return;
    }
    io->flags |= HIO_FLAG_SERVER;
    io->priority = listener->priority;
    io->userdata = listener->userdata;
    io->fresh = true;
    io->first_bytes = listener->ext->awaits_first_bytes;
    loop->stats.accepts++;
    if (!listener->ext->accept_cb) {
        hio_close(io);
        return;
    }
    loop->accepted = io;
    hloop__enter(loop);
    listener->ext->accept_cb(io);
    hloop__leave(loop);
    loop->accepted = NULL;
}

/* One for each event, which spares the call that finds no more; where there are more again and
 * again it is worth while: twice as many each time. */
static int accepts_now(hio_t *io)
{
    hio_ext_t *ext = io->ext;
    uint64_t now = io->loop->stats.iterations;

    if (now > ext->accepted_at + 1 || ext->accepts == 0)
        ext->accepts = 1;
    else if (ext->accepts < HIO_ACCEPTS_PER_EVENT)
        ext->accepts *= 2;
    ext->accepted_at = now;
    return ext->accepts;
}

/* Whether to try the next one. */
static bool accept_one(hio_t *io)
{
    hloop_t *loop = io->loop;
    int fd;

    loop->accepted_from_len = sizeof(loop->accepted_from);
    fd = accept4(io->fd, (struct sockaddr *)&loop->accepted_from, &loop->accepted_from_len,
                 SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd < 0)
        return accept_failed(io, errno);
    accepted(io, fd);
    return true;
}

void hio__accept_ready(hio_t *io)
{
    int n = accepts_now(io);

    for (int i = 0; i < n && hio_is_reading(io); i++) {
        if (!accept_one(io))
            return;
    }
}

void hio_accept_waiting(hio_t *io)
{
    for (int i = 0;
         i < HIO_ACCEPT_WAITING_MAX && (io->flags & HIO_FLAG_LISTEN) && hio_is_reading(io); i++) {
        if (!accept_one(io))
            return;
    }
}

static bool awaits_first_bytes(int fd)
{
    int seconds = 0;
    socklen_t len = sizeof(seconds);

    return getsockopt(fd, IPPROTO_TCP, TCP_DEFER_ACCEPT, &seconds, &len) == 0 && seconds > 0;
}

int hio_accept(hio_t *io)
{
    int one = 1;

    if (io->state != HIO_STATE_OPEN)
        return HERR_CLOSED;
    if (!(io->type & HIO_TYPE_SOCK_STREAM))
        return -EINVAL;
    if (!hio__ext(io))
        return -ENOMEM;
    if (io->type == HIO_TYPE_TCP) {
        /* Accepted sockets inherit it. */
        setsockopt(io->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
        io->ext->awaits_first_bytes = awaits_first_bytes(io->fd);
    }
    hio__set_nonblocking(io->fd);
    open_spare(io->loop);
    io->flags |= HIO_FLAG_LISTEN | HIO_FLAG_READING;
    hio__want(io, HV_READ, 0);
    return 0;
}
