/* A plain file, /dev/null and the like are written to directly, for they do not make anybody wait.
 * A pipe, terminal or socket gets a little directly, if it can take that at once; the rest is the
 * loop's from then on. */
#include "outlet.h"

#include "base/hfile.h"
#include "base/hmem.h"
#include "event/hio.h"

#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

struct outlet_s {
    hloop_t *loop;
    int fd;
    int error;
    bool may_wait; /* for its reader */
    bool terminal;
    hio_t *io;     /* NULL: not needed so far */
    hlist_t waits; /* outlet_wait_t */
};

static void let_go(outlet_t *outlet)
{
    hlist_t *node, *next;

    HLIST_FOREACH (node, next, &outlet->waits) {
        outlet_wait_t *wait = HLIST_ENTRY(node, outlet_wait_t, node);

        hlist_remove(node);
        http_transfer_resume(wait->transfer);
    }
}

static void on_drained(hio_t *io)
{
    let_go(hevent_userdata(io));
}

static void on_close(hio_t *io)
{
    outlet_t *outlet = hevent_userdata(io);

    if (!outlet)
        return;
    outlet->error = hio_error(io) ? hio_error(io) : -EPIPE;
    outlet->io = NULL;
    let_go(outlet);
}

int outlet_new(hloop_t *loop, int fd, outlet_t **outlet)
{
    struct stat st;
    outlet_t *o = hmem_zalloc(sizeof(*o));

    if (!o)
        return -ENOMEM;
    o->loop = loop;
    o->fd = fd;
    o->terminal = isatty(fd) == 1;
    o->may_wait =
        o->terminal || (fstat(fd, &st) == 0 && (S_ISFIFO(st.st_mode) || S_ISSOCK(st.st_mode)));
    hlist_init(&o->waits);
    *outlet = o;
    return 0;
}

void outlet_free(outlet_t *outlet)
{
    if (!outlet)
        return;
    if (outlet->io) {
        hevent_set_userdata(outlet->io, NULL);
        hio_setcb_drained(outlet->io, NULL);
        hio_abort(outlet->io, 0);
    }
    hmem_free(outlet);
}

bool outlet_is_terminal(const outlet_t *outlet)
{
    return outlet->terminal;
}

/* A pipe that is reported writable takes PIPE_BUF bytes without blocking. */
static bool takes_at_once(const outlet_t *outlet, size_t len)
{
    struct pollfd wanted = {.fd = outlet->fd, .events = POLLOUT};

    return len <= PIPE_BUF && poll(&wanted, 1, 0) == 1;
}

static int open_io(outlet_t *outlet)
{
    int fd = fcntl(outlet->fd, F_DUPFD_CLOEXEC, 3);

    if (fd < 0)
        return -errno;
    outlet->io = hio_get(outlet->loop, fd);
    if (!outlet->io) {
        close(fd);
        return -ENOMEM;
    }
    hevent_set_userdata(outlet->io, outlet);
    hio_setcb_close(outlet->io, on_close);
    hio_setcb_drained(outlet->io, on_drained);
    return hio_set_watermarks(outlet->io, OUTLET_QUEUE_HIGH / 4, OUTLET_QUEUE_HIGH,
                              OUTLET_QUEUE_MAX);
}

static int write_some(outlet_t *outlet, const char *data, size_t len)
{
    int err;

    if (!outlet->may_wait || (!outlet->io && takes_at_once(outlet, len)))
        return hfile_write_all(outlet->fd, data, len);
    if (!outlet->io) {
        err = open_io(outlet);
        if (err)
            return err;
    }
    err = hio_write(outlet->io, data, len);
    if (err == HERR_QUEUE_FULL) { /* very many transfers at once */
        err = outlet_flush(outlet);
        err = err ? err : hio_write(outlet->io, data, len);
    }
    return err < 0 ? err : 0;
}

int outlet_write(outlet_t *outlet, const void *data, size_t len)
{
    if (outlet->error == 0 && len > 0)
        outlet->error = write_some(outlet, data, len);
    return outlet->error;
}

void outlet_hold(outlet_t *outlet, outlet_wait_t *wait, http_transfer_t *transfer)
{
    if (!outlet->io || !hio_write_above_high(outlet->io) || hlist_linked(&wait->node))
        return;
    wait->transfer = transfer;
    hlist_push_back(&outlet->waits, &wait->node);
    http_transfer_pause(transfer);
}

void outlet_forget(outlet_wait_t *wait)
{
    hlist_remove(&wait->node);
}

int outlet_flush(outlet_t *outlet)
{
    while (outlet->error == 0 && outlet->io && hio_write_bufsize(outlet->io) > 0) {
        struct pollfd wanted = {.fd = hio_fd(outlet->io), .events = POLLOUT};

        if (hio_is_closed(outlet->io))
            outlet->error = hio_error(outlet->io) ? hio_error(outlet->io) : -EPIPE;
        else if (poll(&wanted, 1, -1) < 0)
            outlet->error = -errno; /* -EINTR: a signal ends the program, which shall not wait */
        hio_cork(outlet->io);
        hio_uncork(outlet->io);
    }
    return outlet->error;
}
