/* Lingering close. A close(2) with input unread, or input that comes after it, makes the kernel
 * answer with a reset, and that destroys what was sent and has not arrived. So a TCP connection
 * that the program closes ends its sending side only, and reads and drops what comes, until one of:
 *
 *   the peer has ended too                                        the usual end
 *   all is acknowledged, and for a tick nothing came              a reset would harm nothing now
 *   for HIO_LINGER_MS nothing more was acknowledged               the peer takes nothing
 *   the close timeout
 *
 * After HIO_LINGER_INPUT_MAX bytes no more is read: the peer has to stop sending, and can still
 * take what was sent. None of this happens, at the cost of two flags, where nothing was ever sent
 * or the peer has ended already; and where nothing is unread and all is acknowledged the cost is
 * that of asking. */
#include "hio_int.h"

#include <linux/sockios.h>
#include <sys/ioctl.h>

#define DROP_SIZE 16384

static int ask(const hio_t *io, unsigned long what)
{
    int n = 0;

    return ioctl(io->fd, what, &n) == 0 ? n : 0;
}

static int unacknowledged(const hio_t *io)
{
    return ask(io, SIOCOUTQ);
}

static bool may_lose_data(const hio_t *io)
{
    return io->has_sent && io->type == HIO_TYPE_TCP && !hio__is(io, HIO_FLAG_EOF) &&
           (unacknowledged(io) > 0 || ask(io, FIONREAD) > 0);
}

/* What has been sent is in the kernel. False: it may be closed at once. */
bool hio__linger(hio_t *io)
{
    hio_linger_t *linger;

    if (!may_lose_data(io) || !hio__ext(io) || hio__timeout_try(io, HIO_TIMEOUT_LINGER) < 0)
        return false;
    shutdown(io->fd, SHUT_WR); /* an error of the connection is told by the first recv */
    hio__timeout_stop(io, HIO_TIMEOUT_KEEPALIVE);
    hio__timeout_stop(io, HIO_TIMEOUT_HEARTBEAT);
    linger = &io->ext->linger;
    linger->unacknowledged = unacknowledged(io);
    io->state = HIO_STATE_LINGER;
    hio__want(io, HV_READ, HV_WRITE);
    return true;
}

void hio__linger_ready(hio_t *io)
{
    hio_linger_t *linger = &io->ext->linger;
    char dropped[DROP_SIZE];

    for (int i = 0; i < HIO_READS_PER_EVENT; i++) {
        ssize_t n = recv(io->fd, dropped, sizeof(dropped), MSG_DONTWAIT);

        if (n < 0 && (errno == EINTR || errno == EWOULDBLOCK))
            return;
        if (n <= 0) {
            hio__finish(io, n < 0 ? -errno : 0);
            return;
        }
        linger->came = true;
        linger->input += (size_t)n;
        if (linger->input >= HIO_LINGER_INPUT_MAX) {
            hio__want(io, 0, HV_READ);
            return;
        }
    }
}

void hio__linger_tick(hio_t *io)
{
    hio_linger_t *linger = &io->ext->linger;
    int left = unacknowledged(io);
    /* Where the loop was held up, what came waits to be read. */
    bool came = linger->came || (linger->input < HIO_LINGER_INPUT_MAX && ask(io, FIONREAD) > 0);

    linger->came = false;
    linger->idle_ms = left < linger->unacknowledged ? 0 : linger->idle_ms + HIO_LINGER_TICK_MS;
    linger->unacknowledged = left;
    if ((left == 0 && !came) || linger->idle_ms >= HIO_LINGER_MS)
        hio__finish(io, 0);
}
