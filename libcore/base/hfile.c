#include "hfile.h"

#include "herr.h"

#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define READ_SIZE 16384
#define OPEN_TRIES 16 /* of a file that is moved away while it is opened */
#define BOM "\xef\xbb\xbf"
#define BOM_LEN (sizeof(BOM) - 1)

static int check_plain(int fd)
{
    struct stat st;

    if (fstat(fd, &st) < 0)
        return -errno;
    if (S_ISREG(st.st_mode))
        return 0;
    return S_ISDIR(st.st_mode) ? -EISDIR : -EINVAL;
}

/* A standard input or output that somebody else made non-blocking. */
static int wait_for(int fd, short events)
{
    struct pollfd wanted = {.fd = fd, .events = events};

    return poll(&wanted, 1, -1) < 0 && errno != EINTR ? -errno : 0;
}

/* What cannot be taken is not read first. */
static bool is_larger(int fd, size_t size_max)
{
    off_t at = lseek(fd, 0, SEEK_CUR);
    struct stat st;

    return at >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size > at &&
           (uint64_t)(st.st_size - at) > size_max;
}

/* Not by its size: that may be 0 (/proc), or grow meanwhile. */
static int read_all(int fd, size_t size_max, bool is_text, hbytes_t *out)
{
    char buf[READ_SIZE];

    if (is_larger(fd, size_max))
        return -EFBIG;
    for (;;) {
        ssize_t n = read(fd, buf, sizeof(buf));
        int err;

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EAGAIN && wait_for(fd, POLLIN) == 0)
            continue;
        if (n <= 0)
            return n < 0 ? -errno : 0;
        if (is_text && memchr(buf, '\0', (size_t)n) != NULL)
            return HERR_SYNTAX;
        if ((size_t)n > size_max)
            return -EFBIG;
        size_max -= (size_t)n;
        err = hbytes_append(out, buf, (size_t)n);
        if (err < 0)
            return err;
    }
}

int hfile_read(const char *path, size_t size_max, hbytes_t *out)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    int err;

    if (fd < 0)
        return -errno;
    err = check_plain(fd);
    if (err == 0)
        err = read_all(fd, size_max, false, out);
    close(fd);
    return err;
}

static int read_named(const char *name, size_t size_max, bool is_text, hbytes_t *out)
{
    int fd;
    int err;

    if (strcmp(name, "-") == 0)
        return read_all(STDIN_FILENO, size_max, is_text, out);
    fd = open(name, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0)
        return -errno;
    err = read_all(fd, size_max, is_text, out);
    close(fd);
    return err;
}

int hfile_read_named(const char *name, size_t size_max, hbytes_t *out)
{
    return read_named(name, size_max, false, out);
}

int hfile_read_text(const char *name, size_t size_max, hbytes_t *out)
{
    size_t start = out->len;
    int err = read_named(name, size_max, true, out);

    if (err == 0 && out->len - start >= BOM_LEN && memcmp(out->data + start, BOM, BOM_LEN) == 0) {
        out->len -= BOM_LEN;
        memmove(out->data + start, out->data + start + BOM_LEN, out->len - start + 1);
    }
    return err;
}

int hfile_write_all(int fd, const void *data, size_t len)
{
    const char *at = data;

    while (len > 0) {
        ssize_t n = write(fd, at, len);

        if (n < 0 && (errno == EINTR || (errno == EAGAIN && wait_for(fd, POLLOUT) == 0)))
            continue;
        if (n <= 0)
            return n < 0 ? -errno : -EIO;
        at += n;
        len -= (size_t)n;
    }
    return 0;
}

/* Where the file system knows no locks there is none. 1: it is ours; 0: who had it has moved it
 * away, the path is another file's. */
static int lock(int fd, const char *path)
{
    struct stat ours, there;
    int err = check_plain(fd);

    if (err < 0)
        return err;
    if (flock(fd, LOCK_EX | LOCK_NB) < 0 && errno == EWOULDBLOCK)
        return -EBUSY;
    if (fstat(fd, &ours) < 0)
        return -errno;
    return lstat(path, &there) == 0 && ours.st_dev == there.st_dev && ours.st_ino == there.st_ino;
}

int hfile_open_alone(const char *path, unsigned mode)
{
    for (int i = 0; i < OPEN_TRIES; i++) {
        int locked, fd;

        fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY,
                  (mode_t)mode);
        if (fd < 0)
            return -errno;
        locked = lock(fd, path);
        if (locked > 0)
            return fd;
        close(fd);
        if (locked < 0)
            return locked;
    }
    return -EBUSY;
}
