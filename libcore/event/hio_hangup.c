/* A connection that is not read: the poller is asked for nothing of it, and tells when it broke. */
#include "hio_int.h"

#include <poll.h>

void hio_watch_hangup(hio_t *io)
{
    if (io->state != HIO_STATE_OPEN || !(io->type & HIO_TYPE_SOCK_STREAM) ||
        !io->loop->poller->tells_broken || hio__is(io, HIO_FLAG_READING | HIO_FLAG_LISTEN))
        return;
    hio__want(io, HIO_WANT_HANGUP, 0);
}

static bool has_input(const hio_t *io)
{
    char byte;

    return recv(io->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) > 0;
}

/* Asked anew: from before the watch the poller may tell that there is something to read. */
static bool is_broken(const hio_t *io)
{
    struct pollfd question = {.fd = io->fd};

    return poll(&question, 1, 0) > 0;
}

/* What is not over is told again and again, and nothing more of it: reading meets the rest. */
bool hio__hung_up(hio_t *io, int events)
{
    socklen_t len = sizeof(int);
    int err = 0;

    if (!(events & HV_READ) || (io->want & HV_READ) || !is_broken(io))
        return false;
    hio__want(io, 0, HIO_WANT_HANGUP);
    if (getsockopt(io->fd, SOL_SOCKET, SO_ERROR, &err, &len) == 0 && err == 0 && has_input(io))
        return false;
    hio__finish(io, err ? -err : -EPIPE);
    return true;
}
