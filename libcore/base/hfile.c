#include "hfile.h"

#include "herr.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#define READ_SIZE 16384

static int check_plain(int fd)
{
    struct stat st;

    if (fstat(fd, &st) < 0)
        return -errno;
    if (S_ISREG(st.st_mode))
        return 0;
    return S_ISDIR(st.st_mode) ? -EISDIR : -EINVAL;
}

/* Not by its size: that may be 0 (/proc), or grow meanwhile. */
static int read_all(int fd, size_t size_max, hbytes_t *out)
{
    char buf[READ_SIZE];

    for (;;) {
        ssize_t n = read(fd, buf, sizeof(buf));
        int err;

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0 ? -errno : 0;
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
        err = read_all(fd, size_max, out);
    close(fd);
    return err;
}
