/* Pieces of the write queue that are parts of plain files. What stands before one in the queue
 * leaves with MSG_MORE, so that head and content share packets. */
#include "hio_int.h"

#include "../base/hmem.h"

#include <unistd.h>

/* A piece and what it is of, in one allocation. */
typedef struct file_chunk_s {
    hio_chunk_t chunk; /* first: freed through it */
    hio_file_t file;
} file_chunk_t;

static bool kernel_sends(const hio_t *io, const hio_file_t *file)
{
    return file->in_kernel && !io->transport;
}

static ssize_t send_in_kernel(const hio_t *io, const hio_chunk_t *chunk, size_t max, size_t *tried)
{
    off_t offset = chunk->file->offset;
    ssize_t n;

    if (max > HIO_FILE_SEND_MAX)
        max = HIO_FILE_SEND_MAX;
    *tried = chunk->len < max ? chunk->len : max;
    n = hio__sendfile(io->fd, chunk->file->fd, &offset, *tried);
    return n == 0 ? HERR_TRUNCATED : n;
}

/* The span with the file's next bytes; they lie in the loop's buffer. 0 or why there are none. */
static int read_part(hloop_t *loop, const hio_chunk_t *chunk, size_t max, struct iovec *span)
{
    ssize_t n;

    if (!loop->file_buf)
        loop->file_buf = hmem_alloc(HIO_FILE_BUFFER_SIZE);
    if (!loop->file_buf)
        return -ENOMEM;
    if (max > HIO_FILE_BUFFER_SIZE)
        max = HIO_FILE_BUFFER_SIZE;
    if (max > chunk->len)
        max = chunk->len;
    do {
        n = pread(chunk->file->fd, loop->file_buf, max, chunk->file->offset);
    } while (n < 0 && errno == EINTR);
    *span = (struct iovec){loop->file_buf, n > 0 ? (size_t)n : 0};
    if (n < 0)
        return -errno;
    return n == 0 ? HERR_TRUNCATED : 0;
}

/* The piece behind the first n. */
static const hio_chunk_t *chunk_behind(const hio_t *io, int n)
{
    const hio_chunk_t *chunk = io->queue_head;

    while (chunk && n-- > 0)
        chunk = chunk->next;
    return chunk && chunk->file ? chunk : NULL;
}

/* A fault of the file is told once all before it has been sent. */
static ssize_t send_in_memory(hio_t *io, size_t max, size_t *tried)
{
    struct iovec iov[HIO_IOV_MAX];
    int n = hio__queue_iov(io, iov, HIO_IOV_MAX - 1, max), flags = 0, rc;
    const hio_chunk_t *next = chunk_behind(io, n);

    *tried = 0;
    for (int i = 0; i < n; i++)
        *tried += iov[i].iov_len;
    if (next && *tried < max) {
        if (kernel_sends(io, next->file)) {
            flags = MSG_MORE;
        } else if ((rc = read_part(io->loop, next, max - *tried, &iov[n])) == 0) {
            *tried += iov[n++].iov_len;
        } else if (n == 0) {
            return rc;
        }
    }
    return hio__write_some(io, iov, n, flags);
}

ssize_t hio__send_with_files(hio_t *io, size_t max, size_t *tried)
{
    const hio_chunk_t *head = io->queue_head;
    ssize_t n;

    if (!head->file || !kernel_sends(io, head->file))
        return send_in_memory(io, max, tried);
    n = send_in_kernel(io, head, max, tried);
    if (n != -ENOTSUP)
        return n;
    head->file->in_kernel = false; /* reading tells what is wrong, if it is more than that */
    return send_in_memory(io, max, tried);
}

/* Asks once: nobody changes the flags of a socket that is in use. */
static bool kernel_can(hio_t *io)
{
    if (!io->sendfile_known) {
        io->sendfile_known = true;
        io->sendfile = (io->type & HIO_TYPE_SOCK_STREAM) && hio__is_nonblocking(io->fd);
    }
    return io->sendfile;
}

int hio_write_file(hio_t *io, int fd, int64_t offset, int64_t len, void (*release)(void *arg),
                   void *arg)
{
    file_chunk_t *piece;
    bool at_once;
    int rc;

    if (fd < 0 || offset < 0 || len < 0 || len > INT64_MAX - offset)
        return -EINVAL;
    if (hio__is_datagram(io))
        return -ENOTSUP;
    rc = hio__check_write(io, 0);
    if (rc == 0 && (io->file_n >= HIO_FILES_QUEUED_MAX || (uint64_t)len > SIZE_MAX - io->queued))
        rc = HERR_QUEUE_FULL;
    if (rc < 0)
        return rc;
    if (len == 0) {
        if (release)
            release(arg);
        return 0;
    }
    piece = hmem_zalloc(sizeof(*piece));
    if (!piece)
        return -ENOMEM;
    piece->chunk.len = (size_t)len;
    piece->chunk.file = &piece->file;
    piece->file = (hio_file_t){.fd = fd, .offset = (off_t)offset, .release = release, .arg = arg};
    piece->file.in_kernel = kernel_can(io);
    at_once = hio__may_send(io, 1) > 0;
    hio__queue_push(io, &piece->chunk);
    if (at_once)
        hio__flush(io);
    else
        hio__want_write(io);
    return 0;
}
