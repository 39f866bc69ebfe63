#include "outfile.h"

#include "base/herr.h"
#include "base/hmem.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#define FOLDER_MODE 0750
#define NUMBER_SIZE 8     /* ".100" */
#define TEMP_NAME_SIZE 32 /* ".hcurl-0123456789abcdef" */
#define TEMP_TRIES 16

int outfile_make_folders(const char *path, size_t *len)
{
    char *copy = hmem_strdup(path);
    int err = 0;

    if (!copy)
        return -ENOMEM;
    for (char *at = copy + strspn(copy, "/"); err == 0 && (at = strchr(at, '/')) != NULL;
         at += strspn(at, "/")) {
        *at = '\0';
        *len = (size_t)(at - copy);
        /* One that may be gone through but not written to is left for what comes behind it. */
        if (mkdir(copy, FOLDER_MODE) < 0 && errno != EEXIST && errno != EACCES)
            err = -errno;
        *at = '/';
    }
    hmem_free(copy);
    return err;
}

/* ---- opening --------------------------------------------------------------------------------- */

static int open_path(const char *path, int flags, unsigned mode)
{
    int fd;

    do
        fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | flags, (mode_t)mode);
    while (fd < 0 && errno == EINTR);
    return fd < 0 ? -errno : fd;
}

static int open_numbered(outfile_t *file, unsigned mode)
{
    size_t size = strlen(file->path) + NUMBER_SIZE;
    char *name;
    int fd = open_path(file->path, O_EXCL, mode);

    if (fd != -EEXIST && fd != -EISDIR)
        return fd;
    name = hmem_alloc(size);
    if (!name)
        return -ENOMEM;
    for (int i = 1; i <= OUTFILE_TRIES && (fd == -EEXIST || fd == -EISDIR); i++) {
        snprintf(name, size, "%s.%d", file->path, i);
        fd = open_path(name, O_EXCL, mode);
    }
    hmem_free(file->path);
    file->path = name;
    return fd;
}

/* A name beside the path, that nobody else has. */
static char *temp_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    size_t folder = slash ? (size_t)(slash - path) + 1 : 0;
    char *name = hmem_alloc(folder + TEMP_NAME_SIZE);
    uint64_t random;

    if (!name || getrandom(&random, sizeof(random), 0) != (ssize_t)sizeof(random)) {
        hmem_free(name);
        return NULL;
    }
    memcpy(name, path, folder);
    snprintf(name + folder, TEMP_NAME_SIZE, ".hcurl-%016llx", (unsigned long long)random);
    return name;
}

static int open_temp(outfile_t *file, unsigned mode, const struct stat *existing)
{
    int fd = -EEXIST;

    for (int i = 0; i < TEMP_TRIES && fd == -EEXIST; i++) {
        hmem_free(file->temp);
        file->temp = temp_name(file->real ? file->real : file->path);
        if (!file->temp)
            return -ENOMEM;
        fd = open_path(file->temp, O_EXCL, existing ? existing->st_mode & 0777 : mode);
    }
    if (fd < 0) {
        hmem_free(file->temp);
        file->temp = NULL;
    } else if (existing) {
        (void)fchmod(fd, existing->st_mode & 0777); /* the rest was for other bytes */
    }
    return fd;
}

/* A link stays a link: what it leads to is replaced. */
static int follow_link(outfile_t *file)
{
    char *real = realpath(file->path, NULL);

    if (!real)
        return -errno;
    file->real = hmem_strdup(real);
    free(real);
    return file->real ? 0 : -ENOMEM;
}

static int open_whole(outfile_t *file, unsigned mode)
{
    struct stat st, link;
    bool exists = stat(file->path, &st) == 0;
    int fd, err;

    if (exists && !S_ISREG(st.st_mode))
        return open_path(file->path, O_TRUNC, mode);
    if (exists && access(file->path, W_OK) < 0)
        return -errno;
    if (exists && lstat(file->path, &link) == 0 && S_ISLNK(link.st_mode)) {
        err = follow_link(file);
        if (err)
            return err;
    }
    fd = open_temp(file, mode, exists ? &st : NULL);
    /* Where no file may be made, one that is there can still be written. */
    if (fd == -EACCES || fd == -EPERM || fd == -EROFS)
        return open_path(file->path, O_TRUNC, mode);
    return fd;
}

static int open_as(outfile_t *file, const outfile_how_t *how)
{
    if (how->append)
        return open_path(file->path, O_APPEND, how->mode);
    switch (how->existing) {
    case OUTFILE_REFUSE:
        return open_path(file->path, O_EXCL, how->mode);
    case OUTFILE_NUMBER:
        return open_numbered(file, how->mode);
    case OUTFILE_REPLACE:
        break;
    }
    return how->whole ? open_whole(file, how->mode) : open_path(file->path, O_TRUNC, how->mode);
}

int outfile_open(outfile_t *file, const char *path, const outfile_how_t *how)
{
    struct stat st;

    *file = (outfile_t){.path = hmem_strdup(path), .fd = -1};
    if (!file->path)
        return -ENOMEM;
    file->fd = open_as(file, how);
    if (file->fd < 0)
        return file->fd;
    file->is_open = true;
    file->regular = fstat(file->fd, &st) == 0 && S_ISREG(st.st_mode);
    file->kept = how->append && file->regular ? (uint64_t)st.st_size : 0;
    return 0;
}

/* ---- writing --------------------------------------------------------------------------------- */

int outfile_write(outfile_t *file, const void *data, size_t len)
{
    const char *at = data;

    while (len > 0) {
        ssize_t n = write(file->fd, at, len);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        at += n;
        len -= (size_t)n;
        file->written += (uint64_t)n;
    }
    return 0;
}

int outfile_restart(outfile_t *file)
{
    if (!file->is_open || !file->regular || file->written == 0)
        return 0;
    if (ftruncate(file->fd, (off_t)file->kept) < 0 ||
        lseek(file->fd, (off_t)file->kept, SEEK_SET) < 0)
        return -errno;
    file->written = 0;
    return 0;
}

void outfile_keep(outfile_t *file)
{
    file->kept += file->written;
    file->written = 0;
}

/* ---- the end --------------------------------------------------------------------------------- */

static int close_file(outfile_t *file)
{
    int fd = file->fd;

    if (!file->is_open)
        return 0;
    file->is_open = false;
    file->fd = -1;
    return close(fd) < 0 && errno != EINTR ? -errno : 0;
}

int outfile_place(outfile_t *file)
{
    int err = close_file(file);

    if (err || !file->temp)
        return err;
    if (rename(file->temp, file->real ? file->real : file->path) < 0)
        return -errno;
    hmem_free(file->temp);
    file->temp = NULL;
    return 0;
}

int outfile_remove(outfile_t *file)
{
    const char *name = file->temp ? file->temp : file->path;
    int err = close_file(file);

    if (name && file->regular && unlink(name) < 0)
        err = -errno;
    hmem_free(file->temp);
    file->temp = NULL;
    return err;
}

void outfile_deinit(outfile_t *file)
{
    if (file->temp)
        (void)outfile_remove(file);
    (void)close_file(file);
    hmem_free(file->path);
    hmem_free(file->real);
    *file = (outfile_t){0};
}
