/* The hooks of hio_ops.h are put in their places here; they are called on the way of a byte. */
#include "hio_int.h"

/* The old transport is freed unless it is the new one's from now on. */
static int set_transport(hio_t *io, const hio_transport_t *transport, void *ctx, bool keep)
{
    bool begins = transport && transport->handshake && io->state == HIO_STATE_OPEN;

    if (io->state >= HIO_STATE_CLOSING)
        return HERR_CLOSED;
    if (begins && (!hio__ext(io) || hio__timeout_try(io, HIO_TIMEOUT_CONNECT) < 0))
        return -ENOMEM;
    if (io->transport && io->transport->free && !keep)
        io->transport->free(io, io->transport_ctx);
    io->transport = transport;
    io->transport_ctx = ctx;
    if (begins) {
        io->state = HIO_STATE_HANDSHAKE;
        hloop__add_work(io->loop, io, HIO_WORK_READ);
    }
    return 0;
}

int hio_set_transport(hio_t *io, const hio_transport_t *transport, void *ctx)
{
    return set_transport(io, transport, ctx, false);
}

int hio_wrap_transport(hio_t *io, const hio_transport_t *transport, void *ctx)
{
    return set_transport(io, transport, ctx, true);
}

const hio_transport_t *hio_transport(const hio_t *io)
{
    return io->transport;
}

void *hio_transport_ctx(const hio_t *io)
{
    return io->transport_ctx;
}

void hio_transport_want(hio_t *io, int events)
{
    io->transport_want = (uint8_t)events;
    hio__want(io, events, HV_RDWR & ~events);
}

int hio_set_filter(hio_t *io, const hio_filter_t *filter, void *ctx)
{
    hio_ext_t *ext = io->ext;

    if (!filter && (!ext || !ext->filter))
        return 0;
    ext = hio__ext(io);
    if (!ext)
        return -ENOMEM;
    if (ext->filter && ext->filter->free)
        ext->filter->free(io, ext->filter_ctx);
    ext->filter = filter;
    ext->filter_ctx = ctx;
    return 0;
}

const hio_filter_t *hio_filter(const hio_t *io)
{
    return io->ext ? io->ext->filter : NULL;
}

void *hio_filter_ctx(const hio_t *io)
{
    return io->ext ? io->ext->filter_ctx : NULL;
}

int hio_set_gate(hio_t *io, int direction, const hio_gate_t *gate, void *ctx)
{
    hio_ext_t *ext = hio__ext(io);
    hio_gate_slot_t *slot;

    if (!ext)
        return -ENOMEM;
    slot = &ext->gates[direction == HV_WRITE];
    if (slot->gate && slot->gate->free)
        slot->gate->free(io, slot->ctx);
    slot->gate = gate;
    slot->ctx = ctx;
    if (!gate)
        hio_gate_open(io, direction);
    return 0;
}

/* ---- later ----------------------------------------------------------------------------------- */

int hio_defer(hio_t *io, hio_event_cb cb)
{
    hio_ext_t *ext;

    if (!hio__is_alive(io))
        return HERR_CLOSED;
    ext = hio__ext(io);
    if (!ext)
        return -ENOMEM;
    ext->deferred_cb = cb;
    hloop__add_work(io->loop, io, HIO_WORK_DEFERRED);
    return 0;
}

void hio__do_deferred(hio_t *io)
{
    hloop_t *loop = io->loop;

    hloop__enter(loop);
    io->ext->deferred_cb(io);
    hloop__leave(loop);
}
