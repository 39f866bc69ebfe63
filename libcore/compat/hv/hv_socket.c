#include "hsocket.h"

#include "../../net/hresolve.h"

const char *socket_strerror(int err)
{
    return herr_str(err > 0 ? -err : err);
}

/* ---- addresses ------------------------------------------------------------------------------- */

const char *sockaddr_ip(sockaddr_u *addr, char *ip, int len)
{
    return haddr_ip((struct sockaddr *)addr, ip, len > 0 ? (size_t)len : 0);
}

const char *sockaddr_str(sockaddr_u *addr, char *buf, int len)
{
    const struct sockaddr *sa = (const struct sockaddr *)addr;
    size_t size = len > 0 ? (size_t)len : 0;

    if (sa->sa_family != AF_INET && sa->sa_family != AF_INET6)
        return haddr_ip(sa, buf, size);
    return haddr_format(sa, 0, buf, size);
}

uint16_t sockaddr_port(sockaddr_u *addr)
{
    return (uint16_t)haddr_port((struct sockaddr *)addr);
}

socklen_t sockaddr_len(sockaddr_u *addr)
{
    return haddr_len((struct sockaddr *)addr);
}

void sockaddr_set_port(sockaddr_u *addr, int port)
{
    haddr_set_port((struct sockaddr *)addr, (uint16_t)port);
}

/* As libhv does it, IPv4 goes before IPv6 where a name has both. */
static int resolve(const char *host, int port, haddr_t *addr)
{
    hresolve_t found;
    size_t best = 0;
    int err;

    if (port < 0)
        return haddr_unix(addr, host ? host : "");
    if (port > 65535)
        return -EINVAL;
    if (!host || host[0] == '\0') {
        haddr_any(addr, AF_INET, (uint16_t)port);
        return 0;
    }
    err = hresolve(host, (uint16_t)port, NULL, &found);
    if (err)
        return err;
    while (best < found.count && found.addrs[best].u.sa.sa_family != AF_INET)
        best++;
    *addr = found.addrs[best < found.count ? best : 0];
    hresolve_free(&found);
    return 0;
}

int sockaddr_set_ipport(sockaddr_u *addr, const char *host, int port)
{
    haddr_t found;
    int err = resolve(host, port, &found);

    if (!err)
        *addr = found.u;
    return err;
}

int sockaddr_set_ip(sockaddr_u *addr, const char *host)
{
    return sockaddr_set_ipport(addr, host, 0);
}

int ResolveAddr(const char *host, sockaddr_u *addr)
{
    return sockaddr_set_ipport(addr, host, 0);
}

/* ---- sockets --------------------------------------------------------------------------------- */

static int make_blocking(int fd)
{
    int err = hsocket_set_nonblocking(fd, false);

    if (!err)
        return fd;
    close(fd);
    return err;
}

int Bind(int port, const char *host, int type)
{
    hsocket_options_t options = {0};
    haddr_t addr;
    int one = 1, fd = resolve(host, port, &addr), err;

    if (fd < 0)
        return fd;
    fd = hsocket_open(addr.u.sa.sa_family, type, &options);
    if (fd < 0)
        return fd;
    if (type == SOCK_STREAM && port >= 0)
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    err = hsocket_bind(fd, &addr, &options);
    if (err) {
        close(fd);
        return err;
    }
    return make_blocking(fd);
}

int Listen(int port, const char *host)
{
    haddr_t addr;
    int fd = resolve(host, port, &addr);

    if (fd == 0)
        fd = hsocket_listen(&addr, SOCK_STREAM, NULL);
    return fd < 0 ? fd : make_blocking(fd);
}

int ConnectTimeout(const char *host, int port, int ms)
{
    haddr_t addr;
    int fd = resolve(host, port, &addr);

    if (fd == 0)
        fd = hsocket_connect(&addr, SOCK_STREAM, NULL, ms);
    return fd < 0 ? fd : make_blocking(fd);
}

int ConnectNonblock(const char *host, int port)
{
    haddr_t addr;
    int err, fd = resolve(host, port, &addr);

    if (fd == 0)
        fd = hsocket_client(&addr, SOCK_STREAM, NULL);
    if (fd < 0)
        return fd;
    err = hsocket_connect_start(fd, &addr);
    if (!err || err == -EINPROGRESS)
        return fd;
    close(fd);
    return err;
}

int Connect(const char *host, int port, int nonblock)
{
    return nonblock ? ConnectNonblock(host, port) : ConnectTimeout(host, port, -1);
}
