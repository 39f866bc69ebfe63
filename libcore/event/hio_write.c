#include "hio_int.h"

#include "../base/hmem.h"

#include <limits.h>
#include <string.h>
#include <unistd.h>

/* What a pipe that is ready takes without blocking, when its flags could not be changed. */
#define BLOCKING_WRITE_MAX 4096

static inline ssize_t write_plain(hio_t *io, const struct iovec *iov, int n, int flags)
{
    ssize_t rc;

    if (!(io->type & HIO_TYPE_SOCKET)) {
        rc = writev(io->fd, iov, n);
    } else if (n == 1) {
        rc = send(io->fd, iov[0].iov_base, iov[0].iov_len, flags | MSG_DONTWAIT | MSG_NOSIGNAL);
    } else {
        struct msghdr msg = {.msg_iov = (struct iovec *)iov, .msg_iovlen = (size_t)n};

        rc = sendmsg(io->fd, &msg, flags | MSG_DONTWAIT | MSG_NOSIGNAL);
    }
    if (rc >= 0)
        return rc;
    if (errno == EINTR || errno == EWOULDBLOCK)
        return -EAGAIN;
    return -errno;
}

ssize_t hio__write_some(hio_t *io, const struct iovec *iov, int n, int flags)
{
    return io->transport ? io->transport->write(io, io->transport_ctx, iov, n)
                         : write_plain(io, iov, n, flags);
}

void hio__await_reading(hio_t *io)
{
    if (hio__ext(io))
        hio__timeout_start(io, HIO_TIMEOUT_CLOSE);
    else
        hio__finish(io, io->error);
}

/* Sending is over. What the peer sent before is still in the kernel, maybe the reply that says why:
 * it is read first, the close with this cause comes at its end. A program that has paused reading
 * gets the time to go on. */
void hio__write_failed(hio_t *io, int err)
{
    bool peer_is_gone = err == -EPIPE || err == -ECONNRESET;

    if (io->error == 0)
        io->error = err;
    if (io->state == HIO_STATE_OPEN && peer_is_gone && (io->type & HIO_TYPE_SOCK_STREAM) &&
        (hio__is(io, HIO_FLAG_READING) || io->paused)) {
        io->flags |= HIO_FLAG_WRITE_BROKEN;
        hio__want(io, 0, HV_WRITE);
        if (io->paused)
            hio__await_reading(io);
    } else {
        hio__finish(io, err);
    }
    hio__drop_queue(io); /* last: it calls back */
}

size_t hio__may_send(hio_t *io, size_t total)
{
    if (io->state != HIO_STATE_OPEN || io->queued > 0 ||
        hio__is(io, HIO_FLAG_CORKED | HIO_FLAG_WRITE_GATED | HIO_FLAG_BLOCKING))
        return 0;
    return hio__gate_allow(io, HV_WRITE, total);
}

/* Sends without queueing: bytes, 0 if now is not the time, or the error. */
static inline ssize_t send_now(hio_t *io, const struct iovec *iov, int n, size_t total)
{
    ssize_t rc;

    if (n > HIO_IOV_MAX || hio__may_send(io, total) < total)
        return 0;
    rc = hio__write_some(io, iov, n, 0);
    if (rc == -EAGAIN)
        return 0;
    if (rc > 0)
        hio__sent(io, (size_t)rc);
    return rc;
}

void hio__want_write(hio_t *io)
{
    if (hio__is(io, HIO_FLAG_CORKED))
        hloop__add_work(io->loop, io, HIO_WORK_UNCORK);
    else if (io->state == HIO_STATE_OPEN && !hio__is(io, HIO_FLAG_WRITE_GATED) &&
             !io->transport_want)
        hio__want(io, HV_WRITE, 0);
}

int hio__check_write(hio_t *io, size_t total)
{
    if (io->state >= HIO_STATE_CLOSING ||
        hio__is(io, HIO_FLAG_WRITE_BROKEN | HIO_FLAG_SHUT_WANTED | HIO_FLAG_LISTEN))
        return HERR_CLOSED;
    if (total > INT_MAX)
        return -EMSGSIZE;
    return hio__queue_check(io, total);
}

void hio_await_writable(hio_t *io)
{
    if (!io->awaits_writable && io->queued == 0)
        hio__timeout_restart(io, HIO_TIMEOUT_WRITE);
    io->awaits_writable = true;
    io->flags |= HIO_FLAG_ABOVE_HIGH;
    hio__want_write(io);
}

static inline size_t total_of(const struct iovec *iov, int n)
{
    size_t total = 0;

    for (int i = 0; i < n; i++)
        total += iov[i].iov_len;
    return total;
}

/* Of a single span, which most writes have, the compiler makes a way of its own. */
static inline __attribute__((always_inline)) int write_spans(hio_t *io, const struct iovec *iov,
                                                             int n)
{
    size_t total = total_of(iov, n);
    ssize_t done;
    int rc;

    if (io->loop && hloop__is_foreign(io->loop))
        return hio__post_write(io, iov, n);
    if (hio__is_datagram(io))
        return hio__datagram_write(io, iov, n);
    rc = hio__check_write(io, total);
    if (rc < 0 || total == 0)
        return rc;
    done = send_now(io, iov, n, total);
    if (done >= 0 && (size_t)done < total) {
        rc = hio__queue_copy(io, iov, n, (size_t)done);
        if (rc < 0 && done == 0 && !io->transport)
            return rc;
        if (rc < 0)
            done = rc; /* the stream would miss a piece, maybe one that the transport began */
        else
            hio__want_write(io);
    }
    if (done < 0) {
        hio__write_failed(io, (int)done);
        return (int)done;
    }
    return (int)total;
}

int hio__write_spans(hio_t *io, const struct iovec *iov, int n)
{
    return write_spans(io, iov, n);
}

int hio_write(hio_t *io, const void *buf, size_t len)
{
    struct iovec iov = {(void *)buf, len};

    return write_spans(io, &iov, 1);
}

_Static_assert(sizeof(hbuf_t) == sizeof(struct iovec) &&
                   offsetof(hbuf_t, len) == offsetof(struct iovec, iov_len),
               "a span is the kernel's iovec");

int hio_writev(hio_t *io, const hbuf_t *bufs, int n)
{
    if (n < 0)
        return -EINVAL;
    return hio__write_spans(io, (const struct iovec *)bufs, n);
}

int hio_write_nocopy(hio_t *io, const void *buf, size_t len, hio_free_cb free_cb, void *arg)
{
    struct iovec iov = {(void *)buf, len};
    hio_chunk_t *chunk;
    ssize_t done;
    int rc = hio__is_datagram(io) ? hio__datagram_write(io, &iov, 1) : hio__check_write(io, len);

    if (rc < 0)
        return rc;
    if (hio__is_datagram(io) || len == 0) {
        if (free_cb)
            free_cb((void *)buf, arg);
        return rc;
    }
    chunk = hmem_zalloc(sizeof(*chunk));
    if (!chunk)
        return -ENOMEM;
    done = send_now(io, &iov, 1, len);
    if (done < 0) {
        hmem_free(chunk);
        hio__write_failed(io, (int)done);
        return (int)done;
    }
    chunk->base = (void *)buf;
    chunk->data = (char *)buf + done;
    chunk->len = len - (size_t)done;
    chunk->free_cb = free_cb;
    chunk->free_arg = arg;
    if (chunk->len == 0) {
        hio__chunk_free(chunk);
    } else {
        hio__queue_push(io, chunk);
        hio__want_write(io);
    }
    return (int)len;
}

/* The next bytes of the queue; *tried: of how many. */
static ssize_t send_queued(hio_t *io, size_t allowed, size_t *tried)
{
    struct iovec iov[HIO_IOV_MAX];
    int n;

    if (io->file_n > 0)
        return hio__send_with_files(io, allowed, tried);
    n = hio__queue_iov(io, iov, HIO_IOV_MAX, allowed);
    *tried = total_of(iov, n);
    return hio__write_some(io, iov, n, 0);
}

/* One system call's worth; false: stop for now. */
static bool flush_once(hio_t *io)
{
    size_t allowed = hio__gate_allow(io, HV_WRITE, io->queued), tried = 0;
    ssize_t rc;

    if (hio__is(io, HIO_FLAG_BLOCKING) && allowed > BLOCKING_WRITE_MAX)
        allowed = BLOCKING_WRITE_MAX;
    if (allowed == 0)
        return false;
    rc = send_queued(io, allowed, &tried);
    if (rc == -EAGAIN)
        return false;
    if (rc < 0) {
        hio__write_failed(io, (int)rc);
        return false;
    }
    hio__queue_consume(io, (size_t)rc);
    hio__sent(io, (size_t)rc);
    return (size_t)rc == tried && !hio__is(io, HIO_FLAG_BLOCKING);
}

void hio__flush(hio_t *io)
{
    if (hio__is_datagram(io)) {
        hio__datagram_flush(io);
        return;
    }
    for (int i = 0; i < HIO_WRITES_PER_EVENT && io->queued > 0; i++) {
        if (!flush_once(io))
            break;
    }
    if (io->state >= HIO_STATE_CLOSED || hio__is(io, HIO_FLAG_WRITE_BROKEN))
        return;
    if (io->queued > 0) {
        if (!hio__is(io, HIO_FLAG_WRITE_GATED) && !io->transport_want)
            hio__want(io, HV_WRITE, 0);
        return;
    }
    hio__want(io, 0, HV_WRITE);
    hio__queue_fallen(io);
    hio__sent_all(io);
}

void hio_cork(hio_t *io)
{
    if (io->state > HIO_STATE_HANDSHAKE)
        return;
    io->flags |= HIO_FLAG_CORKED;
    hloop__add_work(io->loop, io, HIO_WORK_UNCORK);
}

void hio_uncork(hio_t *io)
{
    if (!hio__is(io, HIO_FLAG_CORKED))
        return;
    io->flags &= (uint16_t)~HIO_FLAG_CORKED;
    if ((io->queue_head || io->awaits_writable) &&
        (io->state == HIO_STATE_OPEN || io->state == HIO_STATE_CLOSING) &&
        !hio__is(io, HIO_FLAG_WRITE_GATED))
        hio__flush(io);
}

void hio__do_written(hio_t *io)
{
    hloop_t *loop = io->loop;
    size_t n = io->written < INT_MAX ? io->written : INT_MAX;

    io->written -= n;
    if (n == 0 || !io->write_cb)
        return;
    hloop__enter(loop);
    io->write_cb(io, NULL, (int)n);
    hloop__leave(loop);
}

void hio__do_drained(hio_t *io)
{
    hloop_t *loop = io->loop;

    if (!io->ext || !io->ext->drained_cb || hio__is(io, HIO_FLAG_ABOVE_HIGH))
        return;
    hloop__enter(loop);
    io->ext->drained_cb(io);
    hloop__leave(loop);
}

size_t hio_write_bufsize(const hio_t *io)
{
    return io->queued;
}

bool hio_write_above_high(const hio_t *io)
{
    return hio__is(io, HIO_FLAG_ABOVE_HIGH);
}

int hio_set_watermarks(hio_t *io, size_t low, size_t high, size_t max)
{
    hio_ext_t *ext = hio__ext(io);

    if (low > high || high > max)
        return -EINVAL;
    if (!ext)
        return -ENOMEM;
    ext->write_low = low;
    ext->write_high = high;
    ext->write_max = max;
    return 0;
}

int hio_set_max_write_bufsize(hio_t *io, uint32_t size)
{
    size_t high = size < HIO_WRITE_HIGH ? size : HIO_WRITE_HIGH;

    return hio_set_watermarks(io, high / 4, high, size);
}
