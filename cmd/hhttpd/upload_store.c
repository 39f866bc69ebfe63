#include "upload_store.h"

#include "base/herr.h"
#include "base/hfile.h"
#include "base/hmem.h"
#include "base/hstr.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define TEMP_TRIES 8
#define FILE_MODE 0666 /* less the umask */
#define NO_REPLACE 1U  /* RENAME_NOREPLACE, which not every C library's headers have */

/* ---- names ----------------------------------------------------------------------------------- */

static int make_temp_name(char name[STORED_TEMP_SIZE])
{
    uint64_t number;

    if (getrandom(&number, sizeof(number), 0) != (ssize_t)sizeof(number))
        return -EIO;
    snprintf(name, STORED_TEMP_SIZE, ".upload-%016llx", (unsigned long long)number);
    return 0;
}

/* Gives a file without a name this one. The first way needs a privilege or a new kernel, the second
 * one /proc. */
static int link_unnamed(int fd, int folder, const char *name)
{
    char path[40];

    if (linkat(fd, "", folder, name, AT_EMPTY_PATH) == 0)
        return 0;
    if (errno != ENOENT && errno != EPERM && errno != EINVAL)
        return -errno;
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    return linkat(AT_FDCWD, path, folder, name, AT_SYMLINK_FOLLOW) == 0 ? 0 : -errno;
}

/* Whether it will be possible: of "." the kernel says that it exists once it has found the file. */
static bool can_link(int fd, int folder)
{
    return link_unnamed(fd, folder, ".") == -EEXIST;
}

/* ---- opening --------------------------------------------------------------------------------- */

static int open_unnamed(int folder)
{
    int fd = openat(folder, ".", O_TMPFILE | O_WRONLY | O_CLOEXEC, FILE_MODE);

    if (fd >= 0 && !can_link(fd, folder)) {
        close(fd);
        fd = -1;
    }
    return fd;
}

static int open_named(int folder, char name[STORED_TEMP_SIZE])
{
    for (int i = 0; i < TEMP_TRIES; i++) {
        int fd, err = make_temp_name(name);

        if (err)
            return err;
        fd = openat(folder, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, FILE_MODE);
        if (fd >= 0)
            return fd;
        if (errno != EEXIST)
            return -errno;
    }
    return -EEXIST;
}

int stored_open(int folder, const char *name, stored_t **out)
{
    stored_t *stored = hmem_zalloc(sizeof(*stored));

    if (!stored)
        return -ENOMEM;
    hstr_copy(stored->name, sizeof(stored->name), name);
    stored->fd = open_unnamed(folder);
    if (stored->fd < 0) {
        char temp[STORED_TEMP_SIZE];

        stored->fd = open_named(folder, temp);
        if (stored->fd < 0) {
            int err = stored->fd;

            hmem_free(stored);
            return err;
        }
        hstr_copy(stored->temp, sizeof(stored->temp), temp);
    }
    *out = stored;
    return 0;
}

int stored_write(stored_t *stored, const void *data, size_t len)
{
    stored->size += len;
    return hfile_write_all(stored->fd, data, len);
}

/* ---- the name -------------------------------------------------------------------------------- */

/* From its name for the meantime to this one, which nobody has. */
static int move_beside(int folder, stored_t *stored)
{
    if (syscall(SYS_renameat2, folder, stored->temp, folder, stored->name, NO_REPLACE) == 0)
        return 0;
    if (errno != EINVAL && errno != ENOSYS)
        return -errno;
    if (linkat(folder, stored->temp, folder, stored->name, 0) < 0)
        return -errno;
    unlinkat(folder, stored->temp, 0);
    return 0;
}

/* Into the place of another file: from one moment to the next it is this one. */
static int move_over(int folder, stored_t *stored)
{
    int err = 0;

    if (!stored->temp[0]) {
        char temp[STORED_TEMP_SIZE];

        err = make_temp_name(temp);
        if (!err)
            err = link_unnamed(stored->fd, folder, temp);
        if (err)
            return err;
        hstr_copy(stored->temp, sizeof(stored->temp), temp);
    }
    return renameat(folder, stored->temp, folder, stored->name) == 0 ? 0 : -errno;
}

int stored_publish(int folder, stored_t *stored, bool replace)
{
    int err = stored->temp[0] ? move_beside(folder, stored)
                              : link_unnamed(stored->fd, folder, stored->name);

    if (err == -EEXIST && replace) {
        err = move_over(folder, stored);
        stored->replaced = err == 0;
    }
    if (err)
        return err;
    stored->published = true;
    stored->temp[0] = '\0';
    return 0;
}

void stored_withdraw(int folder, stored_t *stored)
{
    if (stored->published && !stored->replaced)
        unlinkat(folder, stored->name, 0);
}

void stored_free(int folder, stored_t *stored)
{
    if (!stored)
        return;
    if (stored->temp[0])
        unlinkat(folder, stored->temp, 0);
    close(stored->fd);
    hmem_free(stored);
}
