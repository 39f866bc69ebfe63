/* From a plain file to a stream without a copy in this process. */
#include "hio_int.h"

#include <fcntl.h>
#include <sys/sendfile.h>

static bool kinds_fit(const hio_t *from, const hio_t *to)
{
    return from->type == HIO_TYPE_FILE && !from->transport && (to->type & HIO_TYPE_SOCK_STREAM) &&
           !to->transport;
}

bool hio_can_sendfile(const hio_t *from, const hio_t *to)
{
    int flags = kinds_fit(from, to) ? fcntl(to->fd, F_GETFL) : 0;

    return flags >= 0 && (flags & O_NONBLOCK); /* sendfile knows no MSG_DONTWAIT */
}

/* Errors of a kind of file that cannot be sent so, or that reading will tell. */
static bool is_of_file(int err)
{
    return err == EINVAL || err == ENOSYS || err == EIO || err == EISDIR || err == EBADF ||
           err == ESPIPE || err == EOVERFLOW;
}

ssize_t hio_sendfile(hio_t *from, hio_t *to, size_t max)
{
    ssize_t n = kinds_fit(from, to) ? hio__check_write(to, 0) : -ENOTSUP;

    if (n < 0)
        return n;
    max = hio__may_send(to, max);
    n = max > 0 ? sendfile(to->fd, from->fd, NULL, max) : -1;
    if (n > 0)
        hio__sent(to, (size_t)n);
    if (n >= 0)
        return n;
    if (max > 0 && errno == EINTR)
        return -EAGAIN;
    if (max == 0 || errno == EWOULDBLOCK) {
        hio_await_writable(to);
        return -EAGAIN;
    }
    if (is_of_file(errno))
        return -ENOTSUP;
    n = -errno;
    hio__write_failed(to, (int)n);
    return n;
}
