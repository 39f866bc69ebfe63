#include "hfile.h"

#include "herr.h"

#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#define TRIES_MAX 16     /* names of a temporary file */
#define MODE_NEW 0666    /* less the umask */
#define MODE_RIGHTS 0777 /* of a mode */

typedef struct target_s {
    char path[PATH_MAX];      /* without symbolic links */
    char temporary[PATH_MAX]; /* in the same folder */
    bool exists, plain;
    mode_t rights;
} target_t;

static int close_after(int fd, int err)
{
    return close(fd) < 0 && err == 0 ? -errno : err;
}

static int look_at(const char *path, target_t *target)
{
    struct stat st;

    if (!realpath(path, target->path)) {
        if (errno != ENOENT)
            return -errno;
        if (strlen(path) >= sizeof(target->path))
            return -ENAMETOOLONG;
        memcpy(target->path, path, strlen(path) + 1);
        return 0;
    }
    if (stat(target->path, &st) < 0)
        return -errno;
    target->exists = true;
    target->plain = S_ISREG(st.st_mode);
    target->rights = st.st_uid == geteuid() ? st.st_mode & MODE_RIGHTS : S_IRUSR | S_IWUSR;
    return 0;
}

/* As any program would. */
static int write_in_place(const target_t *target, const char *data, size_t len)
{
    int fd = open(target->path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOCTTY, MODE_NEW);

    return fd < 0 ? -errno : close_after(fd, hfile_write_all(fd, data, len));
}

/* Opens a file that was not there. Its descriptor, or -errno. */
static int open_temporary(target_t *target)
{
    const char *slash = strrchr(target->path, '/');
    int folder = slash ? (int)(slash - target->path) + 1 : 0;

    for (int i = 0; i < TRIES_MAX; i++) {
        unsigned long long name;
        int fd;

        if (getrandom(&name, sizeof(name), 0) != sizeof(name))
            return -EIO;
        if ((size_t)snprintf(target->temporary, sizeof(target->temporary), "%.*s.%016llx.tmp",
                             folder, target->path, name) >= sizeof(target->temporary))
            return -ENAMETOOLONG;
        fd = open(target->temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC,
                  target->exists ? S_IRUSR | S_IWUSR : MODE_NEW);
        if (fd >= 0 || errno != EEXIST)
            return fd < 0 ? -errno : fd;
    }
    return -EEXIST;
}

static int write_temporary(target_t *target, int fd, const char *data, size_t len)
{
    int err = hfile_write_all(fd, data, len);

    if (err == 0 && target->exists && fchmod(fd, target->rights) < 0)
        err = -errno;
    err = close_after(fd, err);
    if (err == 0 && rename(target->temporary, target->path) < 0)
        err = -errno;
    if (err < 0)
        unlink(target->temporary);
    return err;
}

int hfile_replace(const char *path, const void *data, size_t len)
{
    target_t target = {0};
    int err = look_at(path, &target), fd;

    if (err < 0)
        return err;
    if (target.exists && !target.plain)
        return write_in_place(&target, data, len);
    /* What may not be written is not replaced, either. */
    if (target.exists && access(target.path, W_OK) < 0)
        return -errno;
    fd = open_temporary(&target);
    if (fd == -EACCES || fd == -EPERM || fd == -EROFS)
        return write_in_place(&target, data, len);
    return fd < 0 ? fd : write_temporary(&target, fd, data, len);
}
