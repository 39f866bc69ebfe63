/* From a plain file to a stream without a copy in this process. */
#include "hio_int.h"

#include <fcntl.h>
#include <sys/sendfile.h>

static bool kinds_fit(const hio_t *from, const hio_t *to)
{
    return from->type == HIO_TYPE_FILE && !from->transport && (to->type & HIO_TYPE_SOCK_STREAM) &&
           !to->transport;
}

bool hio__is_nonblocking(int fd)
{
    int flags = fcntl(fd, F_GETFL);

    return flags >= 0 && (flags & O_NONBLOCK);
}

bool hio_can_sendfile(const hio_t *from, const hio_t *to)
{
    /* sendfile knows no MSG_DONTWAIT */
    return kinds_fit(from, to) && hio__is_nonblocking(to->fd);
}

/* Errors of a kind of file that cannot be sent so, or that reading will tell. */
static bool is_of_file(int err)
{
    return err == EINVAL || err == ENOSYS || err == EIO || err == EISDIR || err == EBADF ||
           err == ESPIPE || err == EOVERFLOW;
}

ssize_t hio__sendfile(int to, int from, off_t *offset, size_t max)
{
    ssize_t n = sendfile(to, from, offset, max);

    if (n >= 0)
        return n;
    if (errno == EINTR || errno == EWOULDBLOCK)
        return -EAGAIN;
    return is_of_file(errno) ? -ENOTSUP : -errno;
}

ssize_t hio_sendfile(hio_t *from, hio_t *to, size_t max)
{
    ssize_t n = kinds_fit(from, to) ? hio__check_write(to, 0) : -ENOTSUP;

    if (n < 0)
        return n;
    max = hio__may_send(to, max);
    n = max > 0 ? hio__sendfile(to->fd, from->fd, NULL, max) : -EAGAIN;
    if (n > 0)
        hio__sent(to, (size_t)n);
    else if (n == -EAGAIN)
        hio_await_writable(to);
    else if (n < 0 && n != -ENOTSUP)
        hio__write_failed(to, (int)n);
    return n;
}
