/* hsocket: see the header. A UNIX path that is in the way is replaced under a lock on its folder
 * (flock, held by no file of its own), from the probe until the new socket listens: two servers
 * that start at once over one stale path cannot delete each other's. */
#include "hsocket.h"

#include "../base/htime.h"

#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define LOCK_TRIES 50
#define LOCK_WAIT_NS 2000000L

static const hsocket_options_t defaults;

static int set_int(int fd, int level, int option, int value)
{
    return setsockopt(fd, level, option, &value, sizeof(value)) == 0 ? 0 : -errno;
}

/* ---- options --------------------------------------------------------------------------------- */

static int apply_ip(int fd, int family, const hsocket_options_t *o)
{
    bool v6 = family == AF_INET6;
    int err = 0;

    if (o->tos)
        err = v6 ? set_int(fd, IPPROTO_IPV6, IPV6_TCLASS, o->tos)
                 : set_int(fd, IPPROTO_IP, IP_TOS, o->tos);
    if (!err && o->ttl)
        err = v6 ? set_int(fd, IPPROTO_IPV6, IPV6_UNICAST_HOPS, o->ttl)
                 : set_int(fd, IPPROTO_IP, IP_TTL, o->ttl);
    if (!err && o->min_ttl)
        err = v6 ? set_int(fd, IPPROTO_IPV6, IPV6_MINHOPCOUNT, o->min_ttl)
                 : set_int(fd, IPPROTO_IP, IP_MINTTL, o->min_ttl);
    if (!err && o->interface)
        err = setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, o->interface,
                         (socklen_t)strlen(o->interface)) == 0
                  ? 0
                  : -errno;
    return err;
}

static int set_keepalive(int fd, const hsocket_options_t *o)
{
    int err = set_int(fd, SOL_SOCKET, SO_KEEPALIVE, 1);

    if (!err)
        err = set_int(fd, IPPROTO_TCP, TCP_KEEPIDLE, o->keepalive_s);
    if (!err && o->keepalive_every_s > 0)
        err = set_int(fd, IPPROTO_TCP, TCP_KEEPINTVL, o->keepalive_every_s);
    if (!err && o->keepalive_count > 0)
        err = set_int(fd, IPPROTO_TCP, TCP_KEEPCNT, o->keepalive_count);
    return err;
}

static int apply(int fd, int family, int type, const hsocket_options_t *o)
{
    bool ip = family == AF_INET || family == AF_INET6;
    int err = 0;

    if (ip && type == SOCK_STREAM && !o->delay)
        err = hsocket_set_nodelay(fd, true);
    if (!err && ip && type == SOCK_STREAM && o->keepalive_s > 0)
        err = set_keepalive(fd, o);
    if (!err && ip && type == SOCK_STREAM && o->fast_open)
        err = set_int(fd, IPPROTO_TCP, TCP_FASTOPEN_CONNECT, 1);
    if (!err && ip && type == SOCK_STREAM && o->speaks_first)
        err = set_int(fd, IPPROTO_TCP, TCP_QUICKACK, 0); /* until the first data, or 200 ms */
    if (!err && ip && o->reuse_port)
        err = set_int(fd, SOL_SOCKET, SO_REUSEPORT, 1);
    if (!err && o->broadcast)
        err = set_int(fd, SOL_SOCKET, SO_BROADCAST, 1);
    if (!err && o->recv_buffer > 0)
        err = set_int(fd, SOL_SOCKET, SO_RCVBUF, o->recv_buffer);
    if (!err && o->send_buffer > 0)
        err = set_int(fd, SOL_SOCKET, SO_SNDBUF, o->send_buffer);
    return !err && ip ? apply_ip(fd, family, o) : err;
}

int hsocket_open(int family, int type, const hsocket_options_t *options)
{
    int fd = socket(family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int err;

    if (fd < 0)
        return -errno;
    err = apply(fd, family, type, options ? options : &defaults);
    if (err) {
        close(fd);
        return err;
    }
    return fd;
}

int hsocket_set_nonblocking(int fd, bool on)
{
    int flags = fcntl(fd, F_GETFL);
    int wanted = on ? flags | O_NONBLOCK : flags & ~O_NONBLOCK;

    if (flags < 0)
        return -errno;
    return flags == wanted || fcntl(fd, F_SETFL, wanted) == 0 ? 0 : -errno;
}

int hsocket_set_lowat(int fd, int bytes)
{
    return setsockopt(fd, SOL_SOCKET, SO_RCVLOWAT, &bytes, sizeof(bytes)) < 0 ? -errno : 0;
}

int hsocket_set_nodelay(int fd, bool on)
{
    return set_int(fd, IPPROTO_TCP, TCP_NODELAY, on);
}

/* ---- UNIX paths ------------------------------------------------------------------------------ */

/* The path of a name in the file system; NULL for any other address. */
static const char *path_of(const haddr_t *addr)
{
    const char *path = addr->u.sun.sun_path;

    return addr->u.sa.sa_family == AF_UNIX && path[0] != '\0' ? path : NULL;
}

/* The locked folder of a path, -1 if it cannot be locked: one that may not be read, or one that
 * another program keeps locked. */
static int lock_folder(const char *path)
{
    char folder[sizeof(((struct sockaddr_un *)0)->sun_path) + 1];
    const char *slash = strrchr(path, '/');
    struct timespec pause = {.tv_nsec = LOCK_WAIT_NS};
    int fd;

    snprintf(folder, sizeof(folder), "%.*s", slash ? (int)(slash - path) + 1 : 1,
             slash ? path : ".");
    fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    for (int i = 0; fd >= 0 && i < LOCK_TRIES; i++) {
        if (flock(fd, LOCK_EX | LOCK_NB) == 0)
            return fd;
        nanosleep(&pause, NULL);
    }
    if (fd >= 0)
        close(fd);
    return -1;
}

static void unlock_folder(int fd)
{
    if (fd >= 0)
        close(fd);
}

/* Whether the path is a socket that refuses: its process is gone. */
static bool is_stale(const haddr_t *addr, const char *path, int type)
{
    struct stat st;
    bool refused;
    int fd;

    if (lstat(path, &st) != 0 || !S_ISSOCK(st.st_mode))
        return false;
    fd = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return false;
    refused = connect(fd, &addr->u.sa, addr->len) != 0 && errno == ECONNREFUSED;
    close(fd);
    return refused;
}

/* The mode is set twice: before, so that the path is never open wider than it should be; after,
 * because the umask may have taken bits away. */
static int bind_path(int fd, const haddr_t *addr, const char *path, bool locked, mode_t mode)
{
    int type = SOCK_STREAM;
    socklen_t len = sizeof(type);

    if (mode && fchmod(fd, mode) != 0)
        return -errno;
    if (bind(fd, &addr->u.sa, addr->len) != 0) {
        if (errno != EADDRINUSE)
            return -errno;
        getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len);
        if (!locked || !is_stale(addr, path, type))
            return -EADDRINUSE;
        if (unlink(path) != 0 || bind(fd, &addr->u.sa, addr->len) != 0)
            return -errno;
    }
    if (mode && chmod(path, mode) != 0) {
        int err = -errno;

        unlink(path);
        return err;
    }
    return 0;
}

static int bind_plain(int fd, const haddr_t *addr)
{
    return bind(fd, &addr->u.sa, addr->len) == 0 ? 0 : -errno;
}

static int bind_server(int fd, const haddr_t *addr, const hsocket_options_t *o)
{
    int err = 0;

    if (addr->u.sa.sa_family == AF_INET6)
        err = set_int(fd, IPPROTO_IPV6, IPV6_V6ONLY, !o->dual_stack);
    return err ? err : bind_plain(fd, addr);
}

int hsocket_bind(int fd, const haddr_t *addr, const hsocket_options_t *options)
{
    const hsocket_options_t *o = options ? options : &defaults;
    const char *path = path_of(addr);
    int folder, err;

    if (!path)
        return bind_server(fd, addr, o);
    folder = lock_folder(path);
    err = bind_path(fd, addr, path, folder >= 0, o->unix_mode);
    unlock_folder(folder);
    return err;
}

/* ---- congestion control ---------------------------------------------------------------------- */

bool hsocket_is_bbr(int fd)
{
    char name[16];
    socklen_t len = sizeof(name);

    return getsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, name, &len) == 0 &&
           strncmp(name, "bbr", 3) == 0;
}

int hsocket_set_congestion(int fd, const char *name)
{
    return setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, name, (socklen_t)strlen(name)) == 0 ? 0
                                                                                           : -errno;
}

static const char *congestion_for(int fd, const haddr_t *addr, const hsocket_options_t *o)
{
    haddr_t unmapped = *addr;

    if (o->congestion)
        return o->congestion;
    haddr_unmap(&unmapped);
    return o->carries_much && haddr_is_loopback(&unmapped.u.sa) && hsocket_is_bbr(fd) ? "reno"
                                                                                      : NULL;
}

/* Before the connection is there: BBR that has begun leaves its pacing behind. Only what was asked
 * for by name has to succeed. */
static int control_congestion(int fd, const haddr_t *addr, int type, const hsocket_options_t *o)
{
    int family = addr->u.sa.sa_family;
    const char *name;
    int err;

    if (type != SOCK_STREAM || (family != AF_INET && family != AF_INET6))
        return 0;
    name = congestion_for(fd, addr, o);
    err = name ? hsocket_set_congestion(fd, name) : 0;
    return o->congestion ? err : 0;
}

/* ---- listening and connecting ---------------------------------------------------------------- */

static int start_listening(int fd, int type, const hsocket_options_t *o)
{
    if (type != SOCK_STREAM)
        return 0;
    return listen(fd, o->backlog > 0 ? o->backlog : SOMAXCONN) == 0 ? 0 : -errno;
}

static int listen_path(int fd, const haddr_t *addr, int type, const hsocket_options_t *o)
{
    const char *path = path_of(addr);
    int folder = lock_folder(path);
    int err = bind_path(fd, addr, path, folder >= 0, o->unix_mode);

    if (!err) {
        err = start_listening(fd, type, o);
        if (err)
            unlink(path);
    }
    unlock_folder(folder);
    return err;
}

/* No SO_REUSEADDR for datagrams: there it would let a second server take the first one's port. */
static int listen_plain(int fd, const haddr_t *addr, int type, const hsocket_options_t *o)
{
    bool tcp = type == SOCK_STREAM && addr->u.sa.sa_family != AF_UNIX;
    int err = 0;

    if (tcp && !o->no_reuse_addr)
        err = set_int(fd, SOL_SOCKET, SO_REUSEADDR, 1);
    if (!err && tcp && o->defer_accept_s > 0)
        err = set_int(fd, IPPROTO_TCP, TCP_DEFER_ACCEPT, o->defer_accept_s);
    if (!err)
        err = control_congestion(fd, addr, type, o);
    if (!err)
        err = bind_server(fd, addr, o);
    return err ? err : start_listening(fd, type, o);
}

int hsocket_listen(const haddr_t *addr, int type, const hsocket_options_t *options)
{
    const hsocket_options_t *o = options ? options : &defaults;
    int fd = hsocket_open(addr->u.sa.sa_family, type, o);
    int err;

    if (fd < 0)
        return fd;
    err = path_of(addr) ? listen_path(fd, addr, type, o) : listen_plain(fd, addr, type, o);
    if (err) {
        close(fd);
        return err;
    }
    return fd;
}

static int bind_client(int fd, int type, const hsocket_options_t *o)
{
    int err = 0;

    if (path_of(o->source))
        return hsocket_bind(fd, o->source, o);
    if (type == SOCK_STREAM && !o->no_reuse_addr)
        err = set_int(fd, SOL_SOCKET, SO_REUSEADDR, 1);
    return err ? err : bind_plain(fd, o->source);
}

int hsocket_client(const haddr_t *addr, int type, const hsocket_options_t *options)
{
    static const haddr_t any_name = {.u.sa.sa_family = AF_UNIX, .len = sizeof(sa_family_t)};
    const hsocket_options_t *o = options ? options : &defaults;
    int fd = hsocket_open(addr->u.sa.sa_family, type, o);
    int err = 0;

    if (fd < 0)
        return fd;
    if (o->source)
        err = bind_client(fd, type, o);
    else if (addr->u.sa.sa_family == AF_UNIX && type == SOCK_DGRAM)
        err = bind_plain(fd, &any_name);
    if (!err)
        err = control_congestion(fd, addr, type, o);
    if (err) {
        close(fd);
        return err;
    }
    return fd;
}

int hsocket_connect_start(int fd, const haddr_t *addr)
{
    int result;

    do {
        result = connect(fd, &addr->u.sa, addr->len);
    } while (result != 0 && errno == EINTR);
    return result == 0 || errno == EISCONN ? 0 : errno == EALREADY ? -EINPROGRESS : -errno;
}

/* The pending error, negative; 0 if there is none. */
static int socket_error(int fd)
{
    int error = 0;
    socklen_t len = sizeof(error);

    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) != 0)
        return -errno;
    return -error;
}

/* Until writable; the time left is reckoned anew after a signal. */
static int wait_connected(int fd, int timeout_ms)
{
    uint64_t deadline =
        htime_monotonic_ns() + (uint64_t)(timeout_ms > 0 ? timeout_ms : 0) * HTIME_NS_PER_MS;
    struct pollfd pfd = {.fd = fd, .events = POLLOUT};

    for (;;) {
        uint64_t now = htime_monotonic_ns();
        uint64_t left =
            now < deadline ? (deadline - now + HTIME_NS_PER_MS - 1) / HTIME_NS_PER_MS : 0;
        int n = poll(&pfd, 1, timeout_ms < 0 ? -1 : (int)left);

        if (n > 0)
            return socket_error(fd);
        if (n == 0)
            return -ETIMEDOUT;
        if (errno != EINTR)
            return -errno;
    }
}

/* A UNIX connect never says EINPROGRESS: with a full backlog it waits, for the time to send. */
static int connect_unix(int fd, const haddr_t *addr, int timeout_ms)
{
    struct timeval limit = {0};
    int err = hsocket_set_nonblocking(fd, false);

    if (timeout_ms >= 0) {
        limit.tv_sec = timeout_ms / 1000;
        limit.tv_usec = timeout_ms % 1000 * 1000 + (timeout_ms == 0);
    }
    if (!err && setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit)) != 0)
        err = -errno;
    if (!err)
        err = hsocket_connect_start(fd, addr);
    if (err == -EAGAIN)
        err = -ETIMEDOUT;
    memset(&limit, 0, sizeof(limit));
    if (!err && setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit)) != 0)
        err = -errno;
    return err ? err : hsocket_set_nonblocking(fd, true);
}

int hsocket_connect(const haddr_t *addr, int type, const hsocket_options_t *options, int timeout_ms)
{
    int fd = hsocket_client(addr, type, options);
    int err;

    if (fd < 0)
        return fd;
    if (addr->u.sa.sa_family == AF_UNIX) {
        err = connect_unix(fd, addr, timeout_ms);
    } else {
        err = hsocket_connect_start(fd, addr);
        if (err == -EINPROGRESS)
            err = wait_connected(fd, timeout_ms);
    }
    if (err) {
        close(fd);
        return err;
    }
    return fd;
}

/* ---- asking ---------------------------------------------------------------------------------- */

int hsocket_local(int fd, haddr_t *addr)
{
    memset(addr, 0, sizeof(*addr));
    addr->len = sizeof(addr->u);
    if (getsockname(fd, &addr->u.sa, &addr->len) == 0)
        return 0;
    addr->len = 0;
    return -errno;
}

int hsocket_peer(int fd, haddr_t *addr)
{
    memset(addr, 0, sizeof(*addr));
    addr->len = sizeof(addr->u);
    if (getpeername(fd, &addr->u.sa, &addr->len) == 0)
        return 0;
    addr->len = 0;
    return -errno;
}

bool hsocket_has_input(int fd)
{
    int n = 0;

    return ioctl(fd, FIONREAD, &n) == 0 && n > 0;
}

/* ---- removing what was bound ----------------------------------------------------------------- */

/* The path is made absolute: the program may change its folder before it removes the socket. */
void hsocket_path_remember(hsocket_path_t *saved, const haddr_t *addr)
{
    const char *path = path_of(addr);
    char folder[sizeof(saved->path)];
    struct stat st;
    int len;

    memset(saved, 0, sizeof(*saved));
    if (!path || lstat(path, &st) != 0 || !S_ISSOCK(st.st_mode))
        return;
    if (path[0] == '/')
        len = snprintf(saved->path, sizeof(saved->path), "%s", path);
    else if (getcwd(folder, sizeof(folder)))
        len = snprintf(saved->path, sizeof(saved->path), "%s/%s", folder, path);
    else
        return;
    if (len < 0 || (size_t)len >= sizeof(saved->path))
        return;
    saved->owner = getpid();
    saved->device = st.st_dev;
    saved->inode = st.st_ino;
}

static bool is_there(const hsocket_path_t *saved)
{
    struct stat st;

    return saved->device != 0 && lstat(saved->path, &st) == 0 && st.st_dev == saved->device &&
           st.st_ino == saved->inode;
}

int hsocket_path_chmod(const hsocket_path_t *saved, mode_t mode)
{
    if (!is_there(saved))
        return -ENOENT;
    return fchmodat(AT_FDCWD, saved->path, mode, AT_SYMLINK_NOFOLLOW) == 0 ? 0 : -errno;
}

void hsocket_path_remove(hsocket_path_t *saved)
{
    if (saved->owner == getpid() && is_there(saved))
        unlink(saved->path);
    memset(saved, 0, sizeof(*saved));
}
