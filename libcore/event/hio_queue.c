/* The write queue: what the kernel would not take yet, as a chain of pieces. Small
 * writes share one. */
#include "hio_int.h"

#include "../base/hmem.h"

#include <string.h>

#define CHUNK_SIZE (16 * 1024)

static size_t iov_copy(char *to, const struct iovec *iov, int n, size_t skip)
{
    size_t copied = 0;

    for (int i = 0; i < n; i++) {
        size_t len = iov[i].iov_len;

        if (skip >= len) {
            skip -= len;
            continue;
        }
        memcpy(to + copied, (const char *)iov[i].iov_base + skip, len - skip);
        copied += len - skip;
        skip = 0;
    }
    return copied;
}

static size_t iov_size(const struct iovec *iov, int n)
{
    size_t size = 0;

    for (int i = 0; i < n; i++)
        size += iov[i].iov_len;
    return size;
}

void hio__chunk_free(hio_chunk_t *chunk)
{
    if (chunk->free_cb)
        chunk->free_cb(chunk->base, chunk->free_arg);
    if (chunk->file && chunk->file->release)
        chunk->file->release(chunk->file->arg);
    hmem_free(chunk->target);
    hmem_free(chunk);
}

/* A piece that owns a copy of the spans behind skip bytes, with room for cap_min bytes in all. */
hio_chunk_t *hio__chunk_copy(const struct iovec *iov, int n, size_t skip, size_t cap_min)
{
    size_t size = iov_size(iov, n) - skip;
    size_t cap = size < cap_min ? cap_min : size;
    hio_chunk_t *chunk = hmem_alloc(sizeof(*chunk) + cap);

    if (!chunk)
        return NULL;
    memset(chunk, 0, sizeof(*chunk));
    chunk->data = (char *)(chunk + 1);
    chunk->cap = cap;
    chunk->len = iov_copy(chunk->data, iov, n, skip);
    return chunk;
}

static size_t high_mark(const hio_t *io)
{
    return io->ext ? io->ext->write_high : HIO_WRITE_HIGH;
}

static void grown(hio_t *io, size_t n)
{
    if (io->queued == 0)
        hio__touch(io, HIO_TIMEOUT_WRITE);
    io->queued += n;
    if (io->queued > high_mark(io))
        io->flags |= HIO_FLAG_ABOVE_HIGH;
}

void hio__queue_push(hio_t *io, hio_chunk_t *chunk)
{
    if (io->queue_tail)
        io->queue_tail->next = chunk;
    else
        io->queue_head = chunk;
    io->queue_tail = chunk;
    if (chunk->file) {
        io->file_n++;
        io->queued_files += chunk->len;
    }
    grown(io, chunk->len);
}

/* Room behind the data of a copied piece. */
static size_t tail_room(const hio_chunk_t *chunk)
{
    const char *end;

    if (!chunk || chunk->cap == 0)
        return 0;
    end = (const char *)(chunk + 1) + chunk->cap;
    return (size_t)(end - (chunk->data + chunk->len));
}

int hio__queue_copy(hio_t *io, const struct iovec *iov, int n, size_t skip)
{
    size_t size = iov_size(iov, n) - skip;
    hio_chunk_t *tail = io->queue_tail;

    if (tail_room(tail) >= size) {
        iov_copy(tail->data + tail->len, iov, n, skip);
        tail->len += size;
        grown(io, size);
        return 0;
    }
    tail = hio__chunk_copy(iov, n, skip, CHUNK_SIZE);
    if (!tail)
        return -ENOMEM;
    hio__queue_push(io, tail);
    return 0;
}

size_t hio_write_room(const hio_t *io)
{
    return hio__write_room(io);
}

void hio__queue_fallen(hio_t *io)
{
    size_t low = io->ext ? io->ext->write_low : HIO_WRITE_LOW;

    if (!hio__is(io, HIO_FLAG_ABOVE_HIGH) || io->queued > (io->awaits_writable ? 0 : low))
        return;
    io->awaits_writable = false;
    io->flags &= (uint16_t)~HIO_FLAG_ABOVE_HIGH;
    hloop__add_work(io->loop, io, HIO_WORK_DRAINED);
}

static void shrunk(hio_t *io, size_t n)
{
    io->queued -= n;
    hio__queue_fallen(io);
}

static void pop_chunk(hio_t *io)
{
    hio_chunk_t *chunk = io->queue_head;

    io->queue_head = chunk->next;
    if (!io->queue_head)
        io->queue_tail = NULL;
    if (chunk->file) {
        io->file_n--;
        io->queued_files -= chunk->len;
    }
    hio__chunk_free(chunk);
}

void hio__queue_pop(hio_t *io)
{
    shrunk(io, io->queue_head->len);
    pop_chunk(io);
}

static void skip(hio_t *io, hio_chunk_t *chunk, size_t n)
{
    chunk->len -= n;
    if (chunk->file) {
        chunk->file->offset += (off_t)n;
        io->queued_files -= n;
    } else {
        chunk->data += n;
    }
}

void hio__queue_consume(hio_t *io, size_t n)
{
    shrunk(io, n);
    while (n > 0) {
        hio_chunk_t *chunk = io->queue_head;

        if (n < chunk->len) {
            skip(io, chunk, n);
            return;
        }
        n -= chunk->len;
        pop_chunk(io);
    }
}

int hio__queue_iov(const hio_t *io, struct iovec *iov, int max, size_t bytes_max)
{
    int n = 0;

    for (hio_chunk_t *chunk = io->queue_head; chunk && !chunk->file && n < max && bytes_max > 0;
         chunk = chunk->next) {
        size_t len = chunk->len < bytes_max ? chunk->len : bytes_max;

        iov[n].iov_base = chunk->data;
        iov[n++].iov_len = len;
        bytes_max -= len;
    }
    return n;
}

void hio__drop_queue(hio_t *io)
{
    if (io->state == HIO_STATE_OPEN)
        shrunk(io, io->queued);
    while (io->queue_head)
        pop_chunk(io);
    io->queued = 0;
}
