/* Opening below the root. With openat2 the kernel itself holds to it; without, the path is walked
 * one name at a time and no link is followed. A link that leads to where it may although it is
 * absolute or climbs (both are refused in these ways) is resolved to a path without links, which is
 * opened in the same way again: whatever changes meanwhile, nothing outside is opened. */
#include "http_files_int.h"

#include "../base/hbuf.h"
#include "../base/hmem.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define RETRIES 3 /* somebody renames beside us: EAGAIN of openat2 */

/* The path relative to the root, with a NUL. */
typedef struct relative_s {
    char text[PATH_MAX];
} relative_t;

static int make_relative(http_span_t path, relative_t *relative)
{
    while (path.len > 0 && path.data[0] == '/') {
        path.data++;
        path.len--;
    }
    if (path.len >= sizeof(relative->text))
        return -ENAMETOOLONG;
    if (path.len == 0)
        path = HTTP_SPAN(".");
    memcpy(relative->text, path.data, path.len);
    relative->text[path.len] = '\0';
    return 0;
}

static int open_with_kernel(int root, const char *path, int flags, uint64_t resolve)
{
    struct open_how how = {.flags = (uint64_t)flags | O_CLOEXEC, .resolve = resolve};
    long fd = -1;

    for (int i = 0; i < RETRIES; i++) {
        fd = syscall(SYS_openat2, root, path, &how, sizeof(how));
        if (fd >= 0 || (errno != EAGAIN && errno != EINTR))
            break;
    }
    return fd < 0 ? -errno : (int)fd;
}

/* One name after the other, no links. */
static int open_by_walking(int root, char *path, int flags)
{
    int at = root;

    for (;;) {
        char *slash = strchr(path, '/');
        int next;

        if (slash)
            *slash = '\0';
        if (strcmp(path, "..") == 0)
            next = (errno = EXDEV, -1);
        else if (slash && slash[1] != '\0')
            next = openat(at, path, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        else
            next = openat(at, path, flags | O_NOFOLLOW | O_CLOEXEC | (slash ? O_DIRECTORY : 0));
        if (next < 0)
            next = -errno;
        if (at != root)
            close(at);
        if (next < 0 || !slash || slash[1] == '\0')
            return next;
        at = next;
        path = slash + 1;
    }
}

static int open_beneath(http_files_t *files, char *path, int flags, bool links)
{
    uint64_t resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS;
    int fd = -ENOSYS;

    if (!files->walks)
        fd = open_with_kernel(files->root, path, flags,
                              links ? resolve : resolve | RESOLVE_NO_SYMLINKS);
    if (fd != -ENOSYS && fd != -EPERM)
        return fd;
    if (!files->walks && fd == -EPERM) { /* a filter of system calls, or really not permitted? */
        struct open_how how = {.flags = O_PATH | O_CLOEXEC};
        long probe = syscall(SYS_openat2, files->root, ".", &how, sizeof(how));

        if (probe >= 0) {
            close((int)probe);
            return fd;
        }
    }
    files->walks = true;
    return open_by_walking(files->root, path, flags);
}

/* Where the links of a path lead to, if that is inside. */
static int resolve_inside(const http_files_t *files, relative_t *relative)
{
    char joined[2 * PATH_MAX], real[PATH_MAX];
    const char *inside;
    int err;

    if (!files->real_root)
        return -EXDEV;
    snprintf(joined, sizeof(joined), "%s/%s", files->real_root, relative->text);
    if (!realpath(joined, real))
        return -errno;
    inside = real + files->real_root_len;
    if (strncmp(real, files->real_root, files->real_root_len) != 0 ||
        (*inside != '/' && *inside != '\0'))
        return -EXDEV;
    err = make_relative(http_span(inside), relative);
    return err;
}

int http_files__open(http_files_t *files, http_span_t path, int flags)
{
    relative_t relative, copy;
    int fd = make_relative(path, &relative);

    if (fd < 0)
        return fd;
    if (files->options.links == HTTP_LINKS_ALL) {
        fd = openat(files->root, relative.text, flags | O_CLOEXEC);
        return fd < 0 ? -errno : fd;
    }
    memcpy(&copy, &relative, strlen(relative.text) + 1);
    fd = open_beneath(files, copy.text, flags, files->options.links == HTTP_LINKS_INSIDE);
    if (files->options.links == HTTP_LINKS_NONE || (fd != -EXDEV && fd != -ELOOP && fd != -ENOTDIR))
        return fd;
    if (fd == -ENOTDIR && !files->walks)
        return fd;
    if (resolve_inside(files, &relative) < 0)
        return fd;
    return open_beneath(files, relative.text, flags, false);
}

http_file_state_t http_files__state(const struct stat *st)
{
    return (http_file_state_t){
        .dev = st->st_dev,
        .ino = st->st_ino,
        .size = st->st_size,
        .mtime = st->st_mtim,
        .ctime = st->st_ctim,
    };
}

static bool same_time(struct timespec a, struct timespec b)
{
    return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

bool http_files__same_state(const http_file_state_t *a, const http_file_state_t *b)
{
    return a->dev == b->dev && a->ino == b->ino && a->size == b->size &&
           same_time(a->mtime, b->mtime) && same_time(a->ctime, b->ctime);
}

bool http_files__is_same(const http_files_t *files, const http_file_t *file)
{
    http_file_state_t state;
    relative_t relative;
    struct stat st;

    if (make_relative((http_span_t){file->path, file->path_len}, &relative) < 0 ||
        fstatat(files->root, relative.text, &st, 0) != 0)
        return false;
    state = http_files__state(&st);
    return http_files__same_state(&state, &file->state);
}

/* ---- the root -------------------------------------------------------------------------------- */

/* Its name stays good when the process goes to another folder. */
static int keep_name(http_files_t *files, const char *path)
{
    char here[PATH_MAX] = "";
    hbytes_t name = {0};
    int err;

    if (path[0] != '/' && !getcwd(here, sizeof(here)))
        return 0;
    err = hbytes_printf(&name, "%s%s%s", here, here[0] ? "/" : "", path);
    files->options.root = name.data;
    return err < 0 ? err : 0;
}

/* In place of the one that is open, if it can be opened. */
static int open_named(http_files_t *files, const char *path)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    char real[PATH_MAX], *copy = NULL;

    if (fd < 0)
        return -errno;
    if (realpath(path, real)) { /* else links that need it do not work */
        copy = hmem_strdup(real);
        if (!copy) {
            close(fd);
            return -ENOMEM;
        }
    }
    if (files->root >= 0)
        close(files->root);
    hmem_free(files->real_root);
    files->root = fd;
    files->real_root = copy;
    files->real_root_len = !copy || strcmp(copy, "/") == 0 ? 0 : strlen(copy);
    return 0;
}

int http_files__open_root(http_files_t *files, const char *path)
{
    int err = open_named(files, path);

    return err < 0 ? err : keep_name(files, path);
}

/* A folder that is removed has no link any more, and while it is open its inode is no other's. */
static int look_at_root(http_files_t *files)
{
    struct stat held, named;
    int err = 0;

    if (fstat(files->root, &held) != 0)
        return -errno;
    if (stat(files->options.root, &named) != 0) {
        err = -errno;
    } else if (named.st_dev != held.st_dev || named.st_ino != held.st_ino) {
        if (open_named(files, files->options.root) == 0)
            http_files__drop_all(files);
        else
            err = -EAGAIN; /* a sandbox may know the former one only */
    }
    return held.st_nlink == 0 ? err : 0;
}

int http_files__check_root(http_files_t *files, uint64_t now_us)
{
    if (files->options.root &&
        now_us >= files->root_checked_us + (uint64_t)files->options.recheck_ms * 1000) {
        files->root_checked_us = now_us;
        files->root_err = look_at_root(files);
    }
    return files->root_err;
}
