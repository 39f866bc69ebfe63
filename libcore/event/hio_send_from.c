/* From a plain file (sendfile) or a pipe (splice) to a stream without a copy in this process. */
#include "hio_int.h"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/sendfile.h>

static bool kinds_fit(const hio_t *from, const hio_t *to)
{
    return (from->type == HIO_TYPE_FILE || from->type == HIO_TYPE_PIPE) && !from->transport &&
           (to->type & HIO_TYPE_SOCK_STREAM) && !to->transport;
}

bool hio__is_nonblocking(int fd)
{
    int flags = fcntl(fd, F_GETFL);

    return flags >= 0 && (flags & O_NONBLOCK);
}

bool hio_can_send_from(const hio_t *from, const hio_t *to)
{
    /* neither call knows MSG_DONTWAIT */
    return kinds_fit(from, to) && hio__is_nonblocking(to->fd);
}

/* Errors of a kind of source that cannot be sent so, or that reading will tell. */
static bool is_of_source(int err)
{
    return err == EINVAL || err == ENOSYS || err == EIO || err == EISDIR || err == EBADF ||
           err == ESPIPE || err == EOVERFLOW;
}

static ssize_t told(ssize_t n)
{
    if (n >= 0)
        return n;
    if (errno == EINTR || errno == EWOULDBLOCK)
        return -EAGAIN;
    return is_of_source(errno) ? -ENOTSUP : -errno;
}

ssize_t hio__sendfile(int to, int from, off_t *offset, size_t max)
{
    return told(sendfile(to, from, offset, max));
}

/* A pipe that has nothing now is no reason to wait for the socket. */
static bool is_drained(const hio_t *from)
{
    int n;

    return from->type == HIO_TYPE_PIPE && ioctl(from->fd, FIONREAD, &n) == 0 && n == 0;
}

static ssize_t send_some(const hio_t *from, const hio_t *to, size_t max)
{
    if (from->type == HIO_TYPE_FILE)
        return hio__sendfile(to->fd, from->fd, NULL, max);
    return told(splice(from->fd, NULL, to->fd, NULL, max, SPLICE_F_NONBLOCK));
}

ssize_t hio_send_from(hio_t *from, hio_t *to, size_t max)
{
    ssize_t n = kinds_fit(from, to) ? hio__check_write(to, 0) : -ENOTSUP;

    if (n < 0)
        return n;
    max = hio__may_send(to, max);
    n = max > 0 ? send_some(from, to, max) : -EAGAIN;
    if (n > 0)
        hio__sent(to, (size_t)n);
    else if (n == -EAGAIN && (max == 0 || !is_drained(from)))
        hio_await_writable(to);
    else if (n < 0 && n != -EAGAIN && n != -ENOTSUP)
        hio__write_failed(to, (int)n);
    return n;
}
