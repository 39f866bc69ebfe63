/* Connecting, with one thing that no poller tells: a UNIX listener whose backlog is full refuses
 * with EAGAIN, and when there is room again is found out by trying, at growing intervals. */
#include "hio_int.h"

#include <netinet/in.h>
#include <netinet/tcp.h>

/* What the handshake waited for is not waited for any more: data that the poller tells of before
 * hio__do_connected would find no reader. */
static void open_for_io(hio_t *io)
{
    hio__timeout_stop(io, HIO_TIMEOUT_CONNECT);
    io->state = HIO_STATE_OPEN;
    hio__want(io, 0, HV_RDWR);
    hloop__add_work(io->loop, io, HIO_WORK_CONNECTED);
}

/* The transport's handshake, if it has one, comes before the connect callback and the
 * first byte. */
void hio__handshake(hio_t *io)
{
    int rc = 0;

    if (io->transport && io->transport->handshake) {
        io->state = HIO_STATE_HANDSHAKE;
        rc = io->transport->handshake(io, io->transport_ctx);
    }
    if (rc == 0) {
        open_for_io(io);
    } else if (rc == -EAGAIN) {
        int want = io->transport_want ? io->transport_want : HV_READ;

        io->transport_want = 0;
        hio__want(io, want, HV_RDWR & ~want);
    } else {
        hio__transport_failed(io, rc);
    }
}

/* Open: what was asked for meanwhile starts now, then the program is told. */
void hio__do_connected(hio_t *io)
{
    hloop_t *loop = io->loop;

    hio__want(io, 0, HV_WRITE);
    hio__read_connected(io);
    if (io->queue_head || io->awaits_writable || hio__is(io, HIO_FLAG_SHUT_WANTED))
        hio__flush(io);
    if (io->state != HIO_STATE_OPEN || !io->ext || !io->ext->connect_cb)
        return;
    hloop__enter(loop);
    io->ext->connect_cb(io);
    hloop__leave(loop);
}

void hio__connect_ready(hio_t *io, int events)
{
    socklen_t len = sizeof(int);
    int err = 0;

    if (io->ext->timeouts[HIO_TIMEOUT_CONNECT_RETRY].timer)
        return; /* that was of before */
    if ((!io->loop->poller->tells_broken || (events & HV_READ)) &&
        getsockopt(io->fd, SOL_SOCKET, SO_ERROR, &err, &len) < 0)
        err = errno;
    if (err != 0)
        hio__finish(io, -err);
    else
        hio__handshake(io);
}

static int start_connect(hio_t *io)
{
    hio_ext_t *ext = io->ext;

    if (connect(io->fd, (struct sockaddr *)ext->peer, ext->peer_len) == 0)
        return 0;
    return errno == EINTR ? -EINPROGRESS : -errno;
}

/* On this machine the three packets have gone there and back before connect returns. */
static bool stands_already(const hio_t *io)
{
    const struct sockaddr *peer = (const struct sockaddr *)io->ext->peer;
    struct sockaddr_storage addr;
    socklen_t len = sizeof(addr);
    bool here = false;

    if (peer->sa_family == AF_INET)
        here =
            *(const unsigned char *)&((const struct sockaddr_in *)peer)->sin_addr == IN_LOOPBACKNET;
    else if (peer->sa_family == AF_INET6)
        here = IN6_IS_ADDR_LOOPBACK(&((const struct sockaddr_in6 *)peer)->sin6_addr);
    return here && getpeername(io->fd, (struct sockaddr *)&addr, &len) == 0;
}

static bool is_backlog_full(const hio_t *io, int rc)
{
    return rc == -EAGAIN && io->type == HIO_TYPE_UNIX_STREAM;
}

/* Nothing is waited for meanwhile: a socket that is not connected counts as hung up. */
static int retry_after(hio_t *io, int delay_ms)
{
    io->ext->timeouts[HIO_TIMEOUT_CONNECT_RETRY].timeout_ms = delay_ms;
    return hio__timeout_try(io, HIO_TIMEOUT_CONNECT_RETRY);
}

void hio__connect_retry(hio_t *io)
{
    int delay_ms = io->ext->timeouts[HIO_TIMEOUT_CONNECT_RETRY].timeout_ms * 2;
    int rc = start_connect(io);

    if (is_backlog_full(io, rc))
        rc = retry_after(io,
                         delay_ms < HIO_CONNECT_RETRY_MAX_MS ? delay_ms : HIO_CONNECT_RETRY_MAX_MS);
    else if (rc == 0)
        hio__handshake(io);
    if (rc < 0)
        hio__finish(io, rc);
}

int hio_connect(hio_t *io)
{
    hio_ext_t *ext = hio__ext(io);
    int one = 1;
    int rc;

    if (!ext)
        return -ENOMEM;
    if (io->state != HIO_STATE_OPEN && io->state != HIO_STATE_HANDSHAKE)
        return HERR_CLOSED;
    if (!ext->peer || !(io->type & HIO_TYPE_SOCKET))
        return -EINVAL;
    if (!io->fresh && io->type == HIO_TYPE_TCP)
        setsockopt(io->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    if (!io->fresh)
        hio__set_nonblocking(io->fd);
    rc = hio__is_datagram(io) ? 0 : hio__timeout_try(io, HIO_TIMEOUT_CONNECT);
    if (rc < 0)
        return rc;
    rc = start_connect(io);
    if (is_backlog_full(io, rc)) {
        rc = retry_after(io, HIO_CONNECT_RETRY_MIN_MS);
        if (rc == 0) {
            io->state = HIO_STATE_CONNECTING;
            hio__want(io, 0, HV_RDWR);
            return 0;
        }
    }
    if (rc < 0 && rc != -EINPROGRESS) {
        hio__timeout_stop(io, HIO_TIMEOUT_CONNECT);
        return rc;
    }
    if (hio__is_datagram(io)) {
        io->flags |= HIO_FLAG_CONNECTED;
        hloop__add_work(io->loop, io, HIO_WORK_CONNECTED);
        return 0;
    }
    if (rc == 0) {
        hio__handshake(io);
        return 0;
    }
    io->state = HIO_STATE_CONNECTING;
    if (stands_already(io))
        hloop__add_work(io->loop, io, HIO_WORK_CONNECTED);
    else
        hio__want(io, HV_WRITE, HV_READ);
    return 0;
}
