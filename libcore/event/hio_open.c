/* Descriptors that somebody else made: what they are, and how to use them without blocking. */
#include "hio_int.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

static hio_type_e socket_type(int fd)
{
    struct sockaddr_storage addr = {0};
    socklen_t len = sizeof(addr);
    int type = 0;
    socklen_t type_len = sizeof(type);

    if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &type_len) < 0 ||
        getsockname(fd, (struct sockaddr *)&addr, &len) < 0)
        return HIO_TYPE_UNKNOWN;
    if (addr.ss_family == AF_PACKET)
        return HIO_TYPE_NOTIFY; /* read past the hio, through a ring */
    if (addr.ss_family == AF_UNIX)
        return type == SOCK_DGRAM ? HIO_TYPE_UNIX_DGRAM : HIO_TYPE_UNIX_STREAM;
    return type == SOCK_DGRAM ? HIO_TYPE_UDP : HIO_TYPE_TCP;
}

hio_type_e hio__detect_type(int fd)
{
    struct stat st;

    if (fd < 0 || fstat(fd, &st) < 0)
        return HIO_TYPE_UNKNOWN;
    if (S_ISSOCK(st.st_mode))
        return socket_type(fd);
    if (S_ISFIFO(st.st_mode))
        return HIO_TYPE_PIPE;
    if (S_ISREG(st.st_mode) || S_ISBLK(st.st_mode) || S_ISDIR(st.st_mode))
        return HIO_TYPE_FILE;
    if (S_ISCHR(st.st_mode))
        return isatty(fd) ? HIO_TYPE_STDIO : HIO_TYPE_PIPE;
    return HIO_TYPE_NOTIFY; /* an anonymous inode: eventfd, timerfd, pidfd ... */
}

/* Opens the same pipe or terminal anew, under the same number: the new open file has flags of its
 * own, so a shell that shares the old one does not find it non-blocking afterwards. */
static bool reopen_nonblocking(int fd, int flags)
{
    char path[40];
    int mine, cloexec = fcntl(fd, F_GETFD);

    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    mine = open(path, (flags & (O_ACCMODE | O_APPEND)) | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (mine < 0)
        return false;
    if (dup3(mine, fd, cloexec & FD_CLOEXEC ? O_CLOEXEC : 0) < 0) {
        close(mine);
        return false;
    }
    close(mine);
    return true;
}

/* Whether opening it anew gives the same thing. Not so: the master of a terminal pair, most
 * devices, and a named pipe, which shows no end of data to a reader that came after the
 * last writer. */
static bool can_reopen(int fd)
{
    enum { PIPEFS = 0x50495045 };
    struct statfs fs;
    unsigned number;

    if (isatty(fd))
        return ioctl(fd, TIOCGPTN, &number) < 0;
    return fstatfs(fd, &fs) == 0 && fs.f_type == PIPEFS;
}

void hio__set_nonblocking(int fd)
{
    int flags = fcntl(fd, F_GETFL);

    if (flags >= 0 && !(flags & O_NONBLOCK))
        fcntl(fd, F_SETFL, flags | O_NONBLOCK);
}

bool hio__make_nonblocking(int fd, hio_type_e type)
{
    int flags;

    if ((type & HIO_TYPE_SOCKET) || type == HIO_TYPE_FILE || type == HIO_TYPE_NOTIFY)
        return true; /* MSG_DONTWAIT, never blocks, never read */
    flags = fcntl(fd, F_GETFL);
    if (flags < 0 || (flags & O_NONBLOCK))
        return true;
    return can_reopen(fd) && reopen_nonblocking(fd, flags);
}

int hio_create_pipe(hloop_t *loop, hio_t *pipeio[2])
{
    int fds[2];

    if (pipe2(fds, O_CLOEXEC | O_NONBLOCK) < 0)
        return -errno;
    pipeio[0] = hio__new(loop, fds[0], HIO_TYPE_PIPE);
    if (!pipeio[0]) {
        close(fds[0]);
        close(fds[1]);
        return -ENOMEM;
    }
    pipeio[1] = hio__new(loop, fds[1], HIO_TYPE_PIPE);
    if (!pipeio[1]) {
        close(fds[1]);
        hio_abort(pipeio[0], -ENOMEM);
        return -ENOMEM;
    }
    return 0;
}
