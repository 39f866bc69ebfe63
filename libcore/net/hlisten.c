#include "hlisten.h"

#include "../base/hmem.h"
#include "../event/hio_ops.h"
#include "hfilter_int.h"
#include "hresolve.h"

#include <arpa/inet.h>
#include <string.h>
#include <unistd.h>

/* The path of a UNIX listener lives as long as its hio. */
static int guard_path(hio_t *io, const hsocket_path_t *path)
{
    hfilter_t *filter;
    hsocket_path_t *copy;

    if (path->device == 0)
        return 0;
    copy = hmem_alloc(sizeof(*copy));
    filter = copy ? hfilter__of(io) : NULL;
    if (!filter) {
        hmem_free(copy);
        return -ENOMEM;
    }
    *copy = *path;
    filter->path = copy;
    return 0;
}

/* ---- listening ------------------------------------------------------------------------------- */

static bool is_missing_family(int err)
{
    return err == -EAFNOSUPPORT || err == -EADDRNOTAVAIL;
}

static int listen_on(const haddr_t *addr, const hlisten_options_t *options, bool dual_stack,
                     hsocket_path_t *path)
{
    hsocket_options_t socket_options = options->socket;
    int fd;

    if (dual_stack)
        socket_options.dual_stack = true;
    fd = hsocket_listen(addr, hendpoint_socktype(&options->endpoint), &socket_options);
    if (fd >= 0 && path)
        hsocket_path_remember(path, addr);
    return fd;
}

/* The first address that works. Of several failures the one is told that says more than that the
 * system lacks a protocol; every address (an empty host) goes on to IPv4 for that reason alone. */
static int listen_on_first(const hresolve_t *found, const hlisten_options_t *options,
                           hsocket_path_t *path)
{
    bool every = !hendpoint_is_unix(&options->endpoint) && options->endpoint.host[0] == '\0';
    int err = HERR_RESOLVE;

    for (size_t i = 0; i < found->count; i++) {
        int fd = listen_on(&found->addrs[i], options, every && found->count > 1, path);

        if (fd >= 0)
            return fd;
        if (i == 0 || is_missing_family(err))
            err = fd;
        if (every && !is_missing_family(fd))
            break;
    }
    return err;
}

int hlisten_socket(const hlisten_options_t *options, hsocket_path_t *path)
{
    hresolve_hints_t hints = {.family = options->family, .passive = true};
    hresolve_t found;
    int fd;

    if (path)
        memset(path, 0, sizeof(*path));
    if (options->addr)
        return listen_on(options->addr, options, false, path);
    fd = hresolve_endpoint(&options->endpoint, &hints, &found);
    if (fd == 0)
        fd = listen_on_first(&found, options, path);
    hresolve_free(&found);
    return fd;
}

int hlisten_attach(hloop_t *loop, int fd, haccept_cb accept_cb, hio_t **out)
{
    hio_t *io = hio_get(loop, fd);
    int err = 0;

    if (!io) {
        close(fd);
        return -ENOMEM;
    }
    if (hio_type(io) & HIO_TYPE_SOCK_STREAM) {
        hio_setcb_accept(io, accept_cb);
        err = hio_accept(io);
    }
    if (err) {
        hio_abort(io, err);
        return err;
    }
    *out = io;
    return 0;
}

int hlisten_open(hloop_t *loop, const hlisten_options_t *options, haccept_cb accept_cb, hio_t **out)
{
    hsocket_path_t path;
    hio_t *io = NULL;
    int fd = hlisten_socket(options, &path);
    int err;

    if (fd < 0)
        return fd;
    err = hlisten_attach(loop, fd, accept_cb, &io);
    if (err) {
        hsocket_path_remove(&path);
        return err;
    }
    err = guard_path(io, &path);
    if (!err && options->datagram_batch > 0 && (hio_type(io) & HIO_TYPE_SOCK_DGRAM))
        err = hio_set_datagram_batch(io, options->datagram_batch);
    if (err) {
        hsocket_path_remove(&path);
        hio_abort(io, err);
        return err;
    }
    *out = io;
    return 0;
}

/* ---- clients --------------------------------------------------------------------------------- */

/* Answers to such an address come from others. */
static bool is_group(const haddr_t *addr, const hsocket_options_t *options)
{
    uint32_t v4 = ntohl(addr->u.sin.sin_addr.s_addr);

    if (options && options->broadcast)
        return true;
    if (addr->u.sa.sa_family == AF_INET)
        return IN_MULTICAST(v4) || v4 == INADDR_BROADCAST;
    return addr->u.sa.sa_family == AF_INET6 && IN6_IS_ADDR_MULTICAST(&addr->u.sin6.sin6_addr);
}

static hio_t *client_hio(hloop_t *loop, int fd, const haddr_t *addr, int socktype)
{
    int family = addr->u.sa.sa_family;
    bool stream = socktype == SOCK_STREAM;

    if (family == AF_INET || family == AF_INET6)
        return hio_of_socket(loop, fd, stream ? HIO_TYPE_TCP : HIO_TYPE_UDP);
    if (family == AF_UNIX)
        return hio_of_socket(loop, fd, stream ? HIO_TYPE_UNIX_STREAM : HIO_TYPE_UNIX_DGRAM);
    return hio_get(loop, fd);
}

int hlisten_client(hloop_t *loop, const haddr_t *addr, int socktype,
                   const hsocket_options_t *options, hio_t **out)
{
    int fd = hsocket_client(addr, socktype, options);
    hio_t *io;
    int err = 0;

    if (fd < 0)
        return fd;
    if (socktype == SOCK_DGRAM && !is_group(addr, options))
        err = hsocket_connect_start(fd, addr);
    io = err ? NULL : client_hio(loop, fd, addr, socktype);
    if (!io) {
        close(fd);
        return err ? err : -ENOMEM;
    }
    err = hio_set_peeraddr(io, &addr->u.sa, (int)addr->len);
    if (err) {
        hio_abort(io, err);
        return err;
    }
    *out = io;
    return 0;
}

/* ---- libhv's names --------------------------------------------------------------------------- */

/* errno has no words for our own errors. */
static void *fail(int err)
{
    errno = err == HERR_RESOLVE ? EADDRNOTAVAIL : err > HERR_CLOSED ? -err : EINVAL;
    return NULL;
}

static hendpoint_scheme_e scheme_of(hio_type_e type, int port)
{
    bool datagram = (type & HIO_TYPE_SOCK_DGRAM) != 0;

    if (port < 0 || (type & (HIO_TYPE_UNIX_STREAM | HIO_TYPE_UNIX_DGRAM)))
        return datagram ? HENDPOINT_UNIXGRAM : HENDPOINT_UNIX;
    return datagram ? HENDPOINT_UDP : HENDPOINT_TCP;
}

static hio_t *create_server(hloop_t *loop, const hendpoint_t *ep, haccept_cb accept_cb)
{
    hlisten_options_t options = {.endpoint = *ep};
    hio_t *io = NULL;
    int err = hlisten_open(loop, &options, accept_cb, &io);

    return err ? fail(err) : io;
}

static hio_t *create_client(hloop_t *loop, const hendpoint_t *ep)
{
    hresolve_t found;
    hio_t *io = NULL;
    size_t best = 0;
    int err = hresolve_endpoint(ep, NULL, &found);

    if (err)
        return fail(err);
    while (best < found.count && found.addrs[best].u.sa.sa_family != AF_INET)
        best++;
    if (best == found.count)
        best = 0;
    err = hlisten_client(loop, &found.addrs[best], hendpoint_socktype(ep), NULL, &io);
    hresolve_free(&found);
    return err ? fail(err) : io;
}

hio_t *hio_create_socket(hloop_t *loop, const char *host, int port, hio_type_e type,
                         hio_side_e side)
{
    hendpoint_t ep;
    hio_t *io;
    int err = hendpoint_set(&ep, scheme_of(type, port), host, port);

    if (err)
        return fail(err);
    if (side == HIO_CLIENT_SIDE)
        return create_client(loop, &ep);
    io = create_server(loop, &ep, NULL);
    if (io)
        hio_read_stop(io); /* hio_accept starts it again */
    return io;
}

hio_t *hloop_create_tcp_server(hloop_t *loop, const char *host, int port, haccept_cb accept_cb)
{
    hendpoint_t ep;
    int err = hendpoint_set(&ep, scheme_of(HIO_TYPE_TCP, port), host, port);

    return err ? fail(err) : create_server(loop, &ep, accept_cb);
}

hio_t *hloop_create_udp_server(hloop_t *loop, const char *host, int port)
{
    return hio_create_socket(loop, host, port, HIO_TYPE_UDP, HIO_SERVER_SIDE);
}

hio_t *hloop_create_tcp_client(hloop_t *loop, const char *host, int port, hconnect_cb connect_cb,
                               hclose_cb close_cb)
{
    hio_t *io = hio_create_socket(loop, host, port, HIO_TYPE_TCP, HIO_CLIENT_SIDE);
    int err;

    if (!io)
        return NULL;
    hio_setcb_connect(io, connect_cb);
    hio_setcb_close(io, close_cb);
    err = hio_connect(io);
    if (err)
        hio_abort(io, err);
    return io;
}

hio_t *hloop_create_udp_client(hloop_t *loop, const char *host, int port)
{
    return hio_create_socket(loop, host, port, HIO_TYPE_UDP, HIO_CLIENT_SIDE);
}
