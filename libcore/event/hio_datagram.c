/* Datagram sockets: batches both ways. The receive buffers belong to the loop and are shared by its
 * sockets; each message is delivered with its sender as the peer address. */
#include "hio_int.h"

#include "../base/hmem.h"

#include <assert.h>
#include <limits.h>
#include <poll.h>
#include <string.h>

#define BATCH_DEFAULT 16

typedef struct hdatagram_batch_s {
    struct mmsghdr msgs[HIO_DATAGRAM_BATCH_MAX];
    struct iovec iov[HIO_DATAGRAM_BATCH_MAX];
    struct sockaddr_storage addrs[HIO_DATAGRAM_BATCH_MAX];
    hio_source_t sources[HIO_DATAGRAM_BATCH_MAX];
    char data[HIO_DATAGRAM_BATCH_MAX][HIO_DATAGRAM_MAX + 64]; /* pages are touched only as used */
} hdatagram_batch_t;

void hio__datagram_loop_deinit(hloop_t *loop)
{
    hmem_free(loop->datagrams);
}

static hdatagram_batch_t *get_batch(hloop_t *loop)
{
    if (!loop->datagrams)
        loop->datagrams = hmem_alloc(sizeof(*loop->datagrams));
    return loop->datagrams;
}

static void prepare(hdatagram_batch_t *batch, unsigned n, bool with_source)
{
    for (unsigned i = 0; i < n; i++) {
        batch->iov[i].iov_base = batch->data[i];
        batch->iov[i].iov_len = HIO_DATAGRAM_MAX;
        memset(&batch->msgs[i], 0, sizeof(batch->msgs[i]));
        batch->msgs[i].msg_hdr.msg_iov = &batch->iov[i];
        batch->msgs[i].msg_hdr.msg_iovlen = 1;
        batch->msgs[i].msg_hdr.msg_name = &batch->addrs[i];
        batch->msgs[i].msg_hdr.msg_namelen = sizeof(batch->addrs[i]);
        if (!with_source)
            continue;
        batch->msgs[i].msg_hdr.msg_control = batch->sources[i].control;
        batch->msgs[i].msg_hdr.msg_controllen = sizeof(batch->sources[i].control);
    }
}

/* A nameless UNIX sender has no address; the peer of a connected socket stays what it is. */
static bool set_sender(hio_t *io, const struct msghdr *msg)
{
    if (hio__is(io, HIO_FLAG_CONNECTED))
        return true;
    return hio_set_peeraddr(io, msg->msg_name, (int)msg->msg_namelen) == 0;
}

/* Also when reading was stopped by an earlier one: the kernel has given up the whole batch. */
static void deliver(hio_t *io, hdatagram_batch_t *batch, unsigned i)
{
    size_t len = batch->msgs[i].msg_len;

    io->loop->stats.read_bytes += len;
    hio__gate_passed(io, HV_READ, len);
    if (!set_sender(io, &batch->msgs[i].msg_hdr))
        return; /* out of memory loses a datagram, as a full socket does */
    if (io->ext && io->ext->source_asked)
        hio__source_take(&batch->msgs[i].msg_hdr, &io->ext->source);
    if (hio__is(io, HIO_FLAG_READ_ONCE))
        hio_read_stop(io);
    hloop__enter(io->loop);
    if (io->ext && io->ext->filter)
        io->ext->filter->input(io, io->ext->filter_ctx, (char *)batch->data[i], len);
    else if (io->read_cb)
        io->read_cb(io, (char *)batch->data[i], (int)len);
    hloop__leave(io->loop);
    if (io->ext)
        io->ext->source.len = 0;
}

/* Errors that speak of an earlier datagram of ours, on a socket that has many peers. */
static bool is_transient(const hio_t *io, int err)
{
    if (err == EINTR || err == EAGAIN)
        return true;
    return !hio__is(io, HIO_FLAG_CONNECTED) &&
           (err == ECONNREFUSED || err == EHOSTUNREACH || err == ENETUNREACH);
}

/* Under a rate limit they come one by one: how long the next ones are is not known. */
static unsigned batch_size(const hio_t *io)
{
    if (hio__is(io, HIO_FLAG_READ_ONCE) || (io->ext && io->ext->gates[0].gate))
        return 1;
    return io->ext && io->ext->datagram_batch ? io->ext->datagram_batch : BATCH_DEFAULT;
}

void hio__datagram_read(hio_t *io)
{
    hdatagram_batch_t *batch = get_batch(io->loop);
    unsigned count = batch_size(io);
    int n;

    if (!batch) {
        hio__finish(io, -ENOMEM);
        return;
    }
    if (hio__gate_allow(io, HV_READ, HIO_DATAGRAM_MAX) == 0)
        return;
    prepare(batch, count, io->ext && io->ext->source_asked);
    n = recvmmsg(io->fd, batch->msgs, count, MSG_DONTWAIT, NULL);
    if (n < 0) {
        if (!is_transient(io, errno))
            hio__finish(io, -errno);
        return;
    }
    hio__touch(io, HIO_TIMEOUT_READ);
    io->flags |= HIO_FLAG_BATCHING;
    for (int i = 0; i < n && io->state == HIO_STATE_OPEN; i++)
        deliver(io, batch, (unsigned)i);
    io->flags &= (uint16_t)~HIO_FLAG_BATCHING;
    if (io->queue_head && hio__is_alive(io)) /* an empty datagram has no bytes */
        hio__datagram_flush(io);
}

int hio_set_datagram_batch(hio_t *io, unsigned count)
{
    hio_ext_t *ext = hio__ext(io);

    if (count < 1 || count > HIO_DATAGRAM_BATCH_MAX)
        return -EINVAL;
    if (!ext)
        return -ENOMEM;
    ext->datagram_batch = count;
    return 0;
}

/* ---- sending --------------------------------------------------------------------------------- */

static void sent(hio_t *io, size_t n)
{
    io->loop->stats.write_bytes += n;
    hio__touch(io, HIO_TIMEOUT_WRITE);
    if (io->write_cb) {
        io->written += n;
        hloop__add_work(io->loop, io, HIO_WORK_WRITTEN);
    }
}

/* Where a queued message goes; NULL: nowhere in particular, or out of memory (*err). */
static hio_target_t *new_target(const struct msghdr *msg, int *err)
{
    hio_target_t *target;

    if (!msg->msg_name)
        return NULL;
    target = hmem_alloc(sizeof(*target));
    if (!target) {
        *err = -ENOMEM;
        return NULL;
    }
    memcpy(&target->addr, msg->msg_name, msg->msg_namelen);
    target->addr_len = msg->msg_namelen;
    target->source.len = msg->msg_controllen;
    memcpy(target->source.control, msg->msg_control ? msg->msg_control : "", msg->msg_controllen);
    return target;
}

static int queue_datagram(hio_t *io, const struct msghdr *msg)
{
    hio_chunk_t *chunk;
    int err = 0;

    if (!hio__ext(io))
        return -ENOMEM;
    if (io->ext->datagrams_queued >= HIO_DATAGRAMS_QUEUED_MAX)
        return HERR_QUEUE_FULL;
    chunk = hio__chunk_copy(msg->msg_iov, (int)msg->msg_iovlen, 0, 0);
    if (!chunk)
        return -ENOMEM;
    chunk->cap = 0; /* a message ends here: nothing may be appended */
    chunk->target = new_target(msg, &err);
    if (err) {
        hio__chunk_free(chunk);
        return err;
    }
    hio__queue_push(io, chunk);
    io->ext->datagrams_queued++;
    return 0;
}

/* The address that was asked may be none that can answer: that of a subnet's broadcast, or one that
 * the machine has lost. The kernel chooses another one then. */
static ssize_t send_message(hio_t *io, struct msghdr *msg)
{
    ssize_t rc = sendmsg(io->fd, msg, MSG_DONTWAIT | MSG_NOSIGNAL);

    if (rc < 0 && errno != EINTR && errno != EAGAIN && msg->msg_controllen > 0) {
        msg->msg_control = NULL;
        msg->msg_controllen = 0;
        rc = sendmsg(io->fd, msg, MSG_DONTWAIT | MSG_NOSIGNAL);
    }
    return rc;
}

/* Sends one message now: its length, or -EAGAIN if it has to be queued, or the error. */
static ssize_t send_now(hio_t *io, struct msghdr *msg)
{
    ssize_t rc;

    if (io->queue_head || io->state != HIO_STATE_OPEN ||
        hio__is(io, HIO_FLAG_BATCHING | HIO_FLAG_CORKED | HIO_FLAG_WRITE_GATED) ||
        hio__gate_allow(io, HV_WRITE, 1) == 0)
        return -EAGAIN;
    rc = send_message(io, msg);
    if (rc < 0)
        return errno == EINTR ? -EAGAIN : -errno;
    hio__gate_passed(io, HV_WRITE, (size_t)rc);
    sent(io, (size_t)rc);
    return rc;
}

static void want_flush(hio_t *io)
{
    if (hio__is(io, HIO_FLAG_CORKED))
        hloop__add_work(io->loop, io, HIO_WORK_UNCORK);
    else if (!hio__is(io, HIO_FLAG_BATCHING | HIO_FLAG_WRITE_GATED) && io->state == HIO_STATE_OPEN)
        hio__want(io, HV_WRITE, 0);
}

static int write_message(hio_t *io, struct msghdr *msg)
{
    size_t total = 0;
    ssize_t rc;

    for (size_t i = 0; i < msg->msg_iovlen; i++)
        total += msg->msg_iov[i].iov_len;
    if (io->state >= HIO_STATE_CLOSING)
        return HERR_CLOSED;
    if (total > HIO_DATAGRAM_MAX)
        return -EMSGSIZE;
    if (hio__queue_check(io, total) < 0)
        return HERR_QUEUE_FULL;
    if (msg->msg_namelen > sizeof(struct sockaddr_storage))
        return -EINVAL;
    rc = send_now(io, msg);
    if (rc == -EAGAIN) {
        rc = queue_datagram(io, msg);
        if (rc == 0)
            want_flush(io);
    }
    return rc < 0 ? (int)rc : (int)total;
}

static void set_source(struct msghdr *msg, const hio_source_t *source)
{
    msg->msg_control = source->len ? (void *)source->control : NULL;
    msg->msg_controllen = source->len;
}

/* To where a plain hio_write goes. */
int hio__datagram_write(hio_t *io, const struct iovec *iov, int n)
{
    struct msghdr msg = {.msg_iov = (struct iovec *)iov, .msg_iovlen = (size_t)n};

    if (!hio__is(io, HIO_FLAG_CONNECTED) && io->ext && io->ext->peer) {
        msg.msg_name = io->ext->peer;
        msg.msg_namelen = io->ext->peer_len;
        set_source(&msg, &io->ext->source);
    }
    return write_message(io, &msg);
}

int hio_sendto(hio_t *io, const void *buf, size_t len, const struct sockaddr *addr,
               socklen_t addrlen)
{
    return hio_answer(io, buf, len, addr, addrlen, NULL);
}

void hio_source(const hio_t *io, hio_source_t *source)
{
    memset(source, 0, sizeof(*source));
    if (io->ext)
        *source = io->ext->source;
}

int hio_answer(hio_t *io, const void *buf, size_t len, const struct sockaddr *addr,
               socklen_t addrlen, const hio_source_t *source)
{
    struct iovec iov = {(void *)buf, len};
    struct msghdr msg = {.msg_name = (void *)addr, .msg_iov = &iov, .msg_iovlen = 1};

    if (!hio__is_datagram(io))
        return -EINVAL;
    if (!addr)
        return hio__datagram_write(io, &iov, 1);
    msg.msg_namelen = addrlen;
    if (source)
        set_source(&msg, source);
    return write_message(io, &msg);
}

/* As many as begin within the allowed bytes. */
static unsigned fill_batch(hio_t *io, struct mmsghdr *msgs, struct iovec *iov, size_t allowed)
{
    size_t bytes = 0;
    unsigned n = 0;

    for (hio_chunk_t *chunk = io->queue_head;
         chunk && n < HIO_DATAGRAM_BATCH_MAX && bytes < allowed;
         bytes += chunk->len, chunk = chunk->next, n++) {
        iov[n].iov_base = chunk->data;
        iov[n].iov_len = chunk->len;
        memset(&msgs[n], 0, sizeof(msgs[n]));
        msgs[n].msg_hdr.msg_iov = &iov[n];
        msgs[n].msg_hdr.msg_iovlen = 1;
        if (!chunk->target)
            continue;
        msgs[n].msg_hdr.msg_name = &chunk->target->addr;
        msgs[n].msg_hdr.msg_namelen = chunk->target->addr_len;
        if (chunk->target->source.len == 0)
            continue;
        msgs[n].msg_hdr.msg_control = chunk->target->source.control;
        msgs[n].msg_hdr.msg_controllen = chunk->target->source.len;
    }
    return n;
}

/* A UNIX datagram socket that has many peers is writable though one of them is full: waiting would
 * spin, and hold up all others. */
static bool is_peer_full(const hio_t *io)
{
    struct pollfd writable = {.fd = io->fd, .events = POLLOUT};

    return io->type == HIO_TYPE_UNIX_DGRAM && !hio__is(io, HIO_FLAG_CONNECTED) &&
           poll(&writable, 1, 0) == 1;
}

static bool is_retryable(const hio_t *io, int err)
{
    if (err == -EAGAIN)
        return !is_peer_full(io);
    return err == -EINTR || err == -ENOBUFS;
}

/* As send_message does. */
static bool drop_source(hio_chunk_t *chunk)
{
    if (!chunk->target || chunk->target->source.len == 0)
        return false;
    chunk->target->source.len = 0;
    return true;
}

/* One sendmmsg; false: stop for now. A message that the kernel refuses is dropped alone. */
static bool flush_once(hio_t *io)
{
    struct mmsghdr msgs[HIO_DATAGRAM_BATCH_MAX];
    struct iovec iov[HIO_DATAGRAM_BATCH_MAX];
    size_t allowed = hio__gate_allow(io, HV_WRITE, io->queued + 1);
    unsigned n;
    int rc;

    if (allowed == 0)
        return false;
    n = fill_batch(io, msgs, iov, allowed);
    assert(n > 0);
    rc = sendmmsg(io->fd, msgs, n, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (rc < 0) {
        int err = -errno;

        if (is_retryable(io, err))
            return false;
        if (drop_source(io->queue_head))
            return true;
        hlog_write(io->loop->log, HLOG_DEBUG, "fd %d: datagram dropped: %s", io->fd, herr_str(err));
        rc = 1;
    }
    assert((unsigned)rc <= n);
    for (int i = 0; i < rc; i++) {
        size_t len = iov[i].iov_len;

        hio__gate_passed(io, HV_WRITE, len);
        hio__queue_pop(io);
        io->ext->datagrams_queued--;
        sent(io, len);
    }
    return true;
}

void hio__datagram_flush(hio_t *io)
{
    for (int i = 0; i < HIO_WRITES_PER_EVENT && io->queue_head; i++) {
        if (!flush_once(io))
            break;
    }
    if (io->queue_head) {
        if (!hio__is(io, HIO_FLAG_WRITE_GATED))
            hio__want(io, HV_WRITE, 0);
        return;
    }
    hio__want(io, 0, HV_WRITE);
    hio__sent_all(io);
}
