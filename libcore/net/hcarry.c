#include "hcarry.h"

#include "../base/hmem.h"
#include "haddr.h"
#include "hfilter_int.h"
#include "hsocket.h"

#include <signal.h>
#include <string.h>

#define PLENTY_MIN 16384 /* bytes of a read */

typedef struct hcarry_s {
    hio_handle_t to;
    hcarry_cb cb;
    hread_cb read_cb; /* another one wants the bytes itself */
    bool by_kernel;
    bool refused; /* the kernel cannot do it after all */
    bool plenty;  /* the last read brought much: the next one is likely to */
} hcarry_t;

static void release(void *buf, void *memory)
{
    (void)buf;
    hmem_free(memory);
}

/* A piece that fits into the buffer that all connections of the loop share needs none of its own:
 * a talk of small messages. What cannot be sent is copied. */
static ssize_t copy_little(hio_t *from, hio_t *to, hcarry_t *carry, size_t max)
{
    size_t size;
    char *buf = hio_read_buffer(from, &size);
    ssize_t n;
    int rc;

    if (!buf)
        return -ENOTSUP;
    if (max > size)
        max = size;
    n = hio_read_some(from, buf, max);
    if (n <= 0)
        return n;
    carry->plenty = (size_t)n == size || (carry->by_kernel && (size_t)n >= PLENTY_MIN);
    rc = hio_write(to, buf, (size_t)n);
    if (rc >= 0 && hio_write_bufsize(to) > 0)
        hio_await_writable(to);
    carry->cb(from, to, rc);
    return n;
}

/* What cannot be sent at once is borrowed by the queue of `to`. */
static ssize_t copy_much(hio_t *from, hio_t *to, hcarry_t *carry, size_t max)
{
    char *memory = hmem_alloc(max + HMEM_LINE - 1), *buf;
    ssize_t n, rc;

    if (!memory)
        return -ENOTSUP;
    buf = hmem_at_line(memory);
    n = hio_read_some(from, buf, max);
    if (n <= 0) {
        hmem_free(memory);
        return n;
    }
    carry->plenty = (size_t)n >= PLENTY_MIN;
    rc = hio_write_nocopy(to, buf, (size_t)n, release, memory);
    if (rc < 0)
        hmem_free(memory);
    else if (hio_write_bufsize(to) > 0)
        hio_await_writable(to);
    carry->cb(from, to, rc);
    return n;
}

/* The queue of `to` has to be empty before the next is read: so there is one buffer at most. No
 * more is read than the queue takes, if it takes anything at all. */
static ssize_t copy(hio_t *from, hio_t *to, hcarry_t *carry, size_t max)
{
    size_t room = hio_write_room(to);

    if (room == 0 && hio_write_bufsize(to) > 0) {
        hio_await_writable(to);
        carry->cb(from, to, 0);
        return -EAGAIN;
    }
    if (room > 0 && room < max)
        max = room;
    return carry->plenty ? copy_much(from, to, carry, max) : copy_little(from, to, carry, max);
}

static ssize_t in_kernel(hio_t *from, hio_t *to, hcarry_t *carry, size_t max)
{
    ssize_t n = hio_send_from(from, to, max);

    if (n == -ENOTSUP) {
        carry->refused = true;
        return n;
    }
    if (n > 0 && n < PLENTY_MIN)
        carry->plenty = false;
    if (n > 0 || (n < 0 && n != -EAGAIN))
        carry->cb(from, to, n);
    else if (hio_write_above_high(to))
        carry->cb(from, to, 0);
    return n < 0 ? -EAGAIN : n; /* an error is of `to` */
}

ssize_t hcarry__move(hio_t *from, hcarry_t *carry, size_t max)
{
    hio_t *to = hio_from_handle(carry->to);

    if (!to || carry->refused || hio_getcb_read(from) != carry->read_cb)
        return -ENOTSUP;
    if (carry->by_kernel && (carry->plenty || hio_type(from) == HIO_TYPE_FILE))
        return in_kernel(from, to, carry, max);
    return copy(from, to, carry, max);
}

void hcarry__free(hcarry_t *carry)
{
    hmem_free(carry);
}

/* Between two ends of one address, so on one machine. */
static bool is_local(const hio_t *io)
{
    haddr_t own = {.len = sizeof(own.u)}, peer = {.len = sizeof(peer.u)};

    if (getsockname(hio_fd(io), &own.u.sa, &own.len) < 0 ||
        getpeername(hio_fd(io), &peer.u.sa, &peer.len) < 0)
        return false;
    haddr_set_port(&own.u.sa, 0);
    haddr_set_port(&peer.u.sa, 0);
    return haddr_equal(&own.u.sa, &peer.u.sa);
}

static bool is_stream(const hio_t *io)
{
    return (hio_type(io) & HIO_TYPE_SOCK_DGRAM) == 0 && hio_type(io) != HIO_TYPE_NOTIFY;
}

/* The kernel's calls know no MSG_NOSIGNAL. */
static bool is_sigpipe_ignored(void)
{
    struct sigaction action;

    return sigaction(SIGPIPE, NULL, &action) == 0 && action.sa_handler == SIG_IGN;
}

/* Within a machine BBR lets a few packets out at a time, each at its moment, and each with a timer:
 * large copies in a long queue cost half of what pages do that come as the kernel finds them. */
bool hcarry_is_kernel(const hio_t *from, const hio_t *to)
{
    return hio_can_send_from(from, to) && is_sigpipe_ignored() &&
           !(hsocket_is_bbr(hio_fd(to)) && is_local(to));
}

int hcarry_start(hio_t *from, hio_t *to, hcarry_cb cb)
{
    hfilter_t *filter;

    if (!is_stream(from) || !is_stream(to))
        return -ENOTSUP;
    filter = hfilter__of(from);
    if (!filter)
        return -ENOMEM;
    if (!filter->carry)
        filter->carry = hmem_alloc(sizeof(*filter->carry));
    if (!filter->carry) {
        hfilter__trim(from);
        return -ENOMEM;
    }
    *filter->carry = (hcarry_t){.to = hio_handle(to),
                                .cb = cb,
                                .read_cb = hio_getcb_read(from),
                                .by_kernel = hcarry_is_kernel(from, to)};
    return 0;
}

void hcarry_stop(hio_t *from)
{
    hfilter_t *filter = hfilter__find(from);

    if (!filter || !filter->carry)
        return;
    hcarry__free(filter->carry);
    filter->carry = NULL;
    hfilter__trim(from);
}
