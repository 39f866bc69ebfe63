/* A writer that is fast but writes small pieces wakes its reader for each of them, and waking costs
 * more than moving the bytes. While such pieces follow each other closely, reading waits a little
 * after each, so that one read brings many. */
#include "hio_int.h"

#include "../base/hmem.h"

#define PIECE_MIN 4096 /* less is a message that somebody may wait for */
#define PIECES_MIN 8   /* in a row, before the first wait */

int hio_set_read_gather(hio_t *io, size_t enough, uint32_t wait_us)
{
    hio_ext_t *ext = hio__ext(io);

    if (!ext)
        return -ENOMEM;
    if (!ext->gather)
        ext->gather = hmem_alloc(sizeof(*ext->gather));
    if (!ext->gather)
        return -ENOMEM;
    *ext->gather = (hio_gather_t){.enough = enough, .wait_ns = wait_us * (HTIME_NS_PER_MS / 1000)};
    ext->timeouts[HIO_TIMEOUT_GATHER].timeout_ms = 1; /* re-armed for less */
    return 0;
}

void hio__gather(hio_t *io, size_t n)
{
    hio_gather_t *gather = io->ext->gather;
    uint64_t now_ns = htime_monotonic_ns();
    bool follows = n >= PIECE_MIN && now_ns - gather->read_ns < gather->wait_ns;

    gather->read_ns = now_ns;
    gather->pieces = follows ? gather->pieces + 1 : 0;
    if (gather->pieces < PIECES_MIN || n >= gather->enough || !hio_is_reading(io) ||
        hio__timeout_try(io, HIO_TIMEOUT_GATHER) < 0)
        return;
    htimer__rearm_at(io->ext->timeouts[HIO_TIMEOUT_GATHER].timer, now_ns + gather->wait_ns);
    io->flags |= HIO_FLAG_READ_GATED;
    hio__want(io, 0, HV_READ);
}

void hio__gather_over(hio_t *io)
{
    io->ext->gather->read_ns = htime_monotonic_ns();
    hio_gate_open(io, HV_READ);
}

void hio__gather_detach(hio_t *io)
{
    if (io->ext && io->ext->timeouts[HIO_TIMEOUT_GATHER].timer)
        io->flags &= (uint16_t)~HIO_FLAG_READ_GATED;
}
