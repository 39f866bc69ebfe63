#include "hio_int.h"

#include "../base/hmem.h"

#include <limits.h>
#include <unistd.h>

size_t hio__gate_allow_slow(hio_t *io, int direction, size_t want)
{
    const hio_gate_slot_t *slot = &io->ext->gates[direction == HV_WRITE];
    size_t n = slot->gate->allow(io, slot->ctx, want);

    if (n == 0) {
        io->flags |= direction == HV_WRITE ? HIO_FLAG_WRITE_GATED : HIO_FLAG_READ_GATED;
        hio__want(io, 0, direction);
    }
    return n < want ? n : want;
}

void hio__gate_passed_slow(hio_t *io, int direction, size_t n)
{
    const hio_gate_slot_t *slot = &io->ext->gates[direction == HV_WRITE];

    slot->gate->passed(io, slot->ctx, n);
}

void hio_gate_open(hio_t *io, int direction)
{
    if (direction == HV_READ && hio__is(io, HIO_FLAG_READ_GATED)) {
        io->flags &= (uint16_t)~HIO_FLAG_READ_GATED;
        hio__timeout_restart(io, HIO_TIMEOUT_READ);
        if (hio__is(io, HIO_FLAG_READING)) {
            hio__want(io, HV_READ, 0);
            hio__read_pending(io);
        }
    } else if (direction == HV_WRITE && hio__is(io, HIO_FLAG_WRITE_GATED)) {
        io->flags &= (uint16_t)~HIO_FLAG_WRITE_GATED;
        hio__timeout_restart(io, HIO_TIMEOUT_WRITE);
        if (io->queue_head || io->awaits_writable)
            hio__want(io, HV_WRITE, 0);
    }
}

static void make_read_buffer(hloop_t *loop)
{
    char *memory = hmem_alloc(loop->read_size + 1 + HMEM_LINE - 1);

    if (!memory)
        return;
    loop->read_memory = memory;
    loop->read_buf = hmem_at_line(memory);
}

/* The program's own buffer, or the loop's. One byte is kept spare behind the data. */
static inline char *read_buffer(hio_t *io, size_t *size)
{
    hloop_t *loop = io->loop;

    if (io->ext && io->ext->read_buf) {
        *size = io->ext->read_size;
        return io->ext->read_buf;
    }
    if (!loop->read_buf)
        make_read_buffer(loop);
    *size = loop->read_size;
    return loop->read_buf;
}

char *hio_read_buffer(hio_t *io, size_t *size)
{
    return read_buffer(io, size);
}

static inline ssize_t read_plain(hio_t *io, char *buf, size_t size)
{
    ssize_t n;

    if (io->type & HIO_TYPE_SOCKET)
        n = recv(io->fd, buf, size, MSG_DONTWAIT);
    else
        n = read(io->fd, buf, size);
    if (n >= 0)
        return n;
    if (errno == EINTR || errno == EWOULDBLOCK)
        return -EAGAIN;
    if (errno == EIO && io->type == HIO_TYPE_STDIO)
        return 0; /* the terminal hung up */
    return -errno;
}

ssize_t hio_read_some(hio_t *io, void *buf, size_t len)
{
    return io->transport ? io->transport->read(io, io->transport_ctx, buf, len)
                         : read_plain(io, buf, len);
}

bool hio_is_reading(const hio_t *io)
{
    return io->state == HIO_STATE_OPEN && hio__is(io, HIO_FLAG_READING);
}

static inline bool deliver(hio_t *io, char *buf, size_t len)
{
    if (!hio_is_reading(io))
        return false;
    if (hio__is(io, HIO_FLAG_READ_ONCE))
        hio_read_stop(io);
    if (io->read_cb) {
        hloop__enter(io->loop);
        io->read_cb(io, buf, (int)len);
        hloop__leave(io->loop);
    }
    return hio_is_reading(io);
}

bool hio_deliver(hio_t *io, char *buf, size_t len)
{
    return deliver(io, buf, len);
}

void hio__eof(hio_t *io)
{
    io->flags |= HIO_FLAG_EOF;
    io->flags &= (uint16_t)~HIO_FLAG_READING;
    hio__want(io, 0, HV_READ);
    if (hio__is(io, HIO_FLAG_WRITE_BROKEN)) {
        hio__finish(io, io->error);
        return;
    }
    if (io->ext && io->ext->filter && io->ext->filter->eof)
        io->ext->filter->eof(io, io->ext->filter_ctx);
    if (io->state != HIO_STATE_OPEN)
        return;
    if (io->ext && io->ext->eof_cb) {
        hloop__enter(io->loop);
        io->ext->eof_cb(io);
        hloop__leave(io->loop);
    } else {
        hio_close(io);
    }
}

/* After a write that failed for the peer has gone (EPIPE) the transport may read why it went. */
static void read_failed(hio_t *io, int err)
{
    bool tells_why = io->transport && err <= HERR_CLOSED;

    if (io->error == 0 || tells_why)
        io->error = err;
    if (io->transport)
        hio__transport_failed(io, err);
    else
        hio__finish(io, err);
}

/* Counts what one read or move brought; false: no bytes. */
static bool took(hio_t *io, ssize_t n)
{
    if (n == -EAGAIN)
        return false;
    if (n == HERR_TRUNCATED && io->error == 0)
        io->error = HERR_TRUNCATED;
    if (n == 0 || n == HERR_TRUNCATED) {
        hio__eof(io);
        return false;
    }
    if (n < 0) {
        read_failed(io, (int)n);
        return false;
    }
    io->loop->stats.read_bytes += (uint64_t)n;
    hio__touch(io, HIO_TIMEOUT_READ);
    hio__gate_passed(io, HV_READ, (size_t)n);
    if (io->ext && io->ext->gather)
        hio__gather(io, (size_t)n);
    return true;
}

/* Hands on what one read brought; false: stop for now. */
static bool hand_on(hio_t *io, char *buf, size_t n)
{
    if (!io->ext || !io->ext->filter)
        return deliver(io, buf, n);
    io->ext->filter->input(io, io->ext->filter_ctx, buf, n);
    return hio_is_reading(io);
}

/* Past the read callback, if the filter does that; *more: it may go on at once. False: it
 * does not. */
static bool move_once(hio_t *io, bool *more)
{
    const hio_ext_t *ext = io->ext;
    size_t max;
    ssize_t n;

    if (!ext || !ext->filter || !ext->filter->move || hio__is(io, HIO_FLAG_READ_ONCE))
        return false;
    *more = false;
    max = hio__gate_allow(io, HV_READ, HIO_MOVE_MAX);
    if (max == 0)
        return true;
    hloop__enter(io->loop);
    n = ext->filter->move(io, ext->filter_ctx, max);
    hloop__leave(io->loop);
    if (n == -ENOTSUP)
        return false;
    *more = took(io, n) && (size_t)n == max && hio_is_reading(io);
    return true;
}

/* False: stop for now. */
static bool read_once(hio_t *io)
{
    bool more;
    size_t size;
    ssize_t n;
    char *buf;

    if (move_once(io, &more))
        return more;
    buf = read_buffer(io, &size);
    if (!buf) {
        hio__finish(io, -ENOMEM);
        return false;
    }
    size = hio__gate_allow(io, HV_READ, size);
    if (size == 0)
        return false;
    n = hio_read_some(io, buf, size);
    return took(io, n) && hand_on(io, buf, (size_t)n) && (size_t)n == size;
}

void hio__read_pending(hio_t *io)
{
    if (io->transport && io->transport->pending && io->transport->pending(io, io->transport_ctx))
        hloop__add_work(io->loop, io, HIO_WORK_READ);
}

void hio__read_ready(hio_t *io)
{
    if (io->type == HIO_TYPE_NOTIFY) {
        if (io->read_cb) {
            hloop__enter(io->loop);
            io->read_cb(io, NULL, 0);
            hloop__leave(io->loop);
        }
        return;
    }
    if (hio__is_datagram(io)) {
        hio__datagram_read(io);
        return;
    }
    for (int i = 0; i < HIO_READS_PER_EVENT && read_once(io); i++) {
        if (!(io->type & HIO_TYPE_SOCKET) && !io->transport)
            break; /* a blocking descriptor must not be read again without being ready */
    }
    if (hio_is_reading(io))
        hio__read_pending(io);
}

void hio__resume(hio_t *io)
{
    if (hio_is_reading(io) && io->ext && io->ext->filter && io->ext->filter->resume)
        io->ext->filter->resume(io, io->ext->filter_ctx);
}

/* Reading counts from now, once or on and on as the flag says. */
static int start_reading(hio_t *io)
{
    if (io->state >= HIO_STATE_CLOSING)
        return HERR_CLOSED;
    if (hio__is(io, HIO_FLAG_READING | HIO_FLAG_EOF))
        return 0;
    io->flags |= HIO_FLAG_READING;
    io->paused = false;
    if (io->state != HIO_STATE_OPEN)
        return 0; /* starts when connected */
    hio__source_ask(io);
    hio__timeout_restart(io, HIO_TIMEOUT_READ);
    hio__want(io, hio__is(io, HIO_FLAG_READ_GATED) ? 0 : HV_READ, HIO_WANT_HANGUP);
    if (io->ext && io->ext->filter && io->ext->filter->resume)
        hloop__add_work(io->loop, io, HIO_WORK_RESUME);
    if (io->first_bytes)
        hloop__add_work(io->loop, io, HIO_WORK_READ);
    io->first_bytes = false;
    hio__read_pending(io);
    return 0;
}

void hio_expect_bytes(hio_t *io)
{
    if (hio__is(io, HIO_FLAG_SERVER) && !hio__is(io, HIO_FLAG_READING))
        io->first_bytes = true;
}

int hio_read(hio_t *io)
{
    io->flags &= (uint16_t)~HIO_FLAG_READ_ONCE;
    return start_reading(io);
}

/* What was asked for while it was connecting. */
void hio__read_connected(hio_t *io)
{
    if (hio__is(io, HIO_FLAG_READING)) {
        io->flags &= (uint16_t)~HIO_FLAG_READING;
        start_reading(io);
    } else {
        hio__want(io, 0, HV_READ);
    }
}

int hio_read_stop(hio_t *io)
{
    if (io->state >= HIO_STATE_CLOSING)
        return HERR_CLOSED;
    if (hio__is(io, HIO_FLAG_READING))
        io->paused = true;
    io->flags &= (uint16_t) ~(HIO_FLAG_READING | HIO_FLAG_READ_ONCE);
    if (io->state == HIO_STATE_OPEN && io->transport_want != HV_READ)
        hio__want(io, 0, HV_READ);
    if (hio__is(io, HIO_FLAG_WRITE_BROKEN))
        hio__await_reading(io);
    return 0;
}

int hio_read_once(hio_t *io)
{
    io->flags |= HIO_FLAG_READ_ONCE;
    return start_reading(io);
}

int hio_set_readbuf(hio_t *io, void *buf, size_t len)
{
    hio_ext_t *ext = hio__ext(io);

    if (!ext)
        return -ENOMEM;
    if (buf && len == 0)
        return -EINVAL;
    ext->read_buf = buf;
    ext->read_size = len < INT_MAX ? len : INT_MAX;
    return 0;
}

int hio_add(hio_t *io, hevent_cb cb, int events)
{
    if (cb)
        io->cb = cb;
    if (events & HV_READ)
        return hio_read(io);
    return 0;
}

int hio_del(hio_t *io, int events)
{
    if (events & HV_READ)
        hio_read_stop(io);
    if ((events & HV_WRITE) && io->state == HIO_STATE_OPEN)
        hio__want(io, 0, HV_WRITE);
    return 0;
}
