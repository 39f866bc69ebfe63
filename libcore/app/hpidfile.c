#include "hpidfile.h"

#include <ctype.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "../base/herr.h"
#include "../base/hmem.h"
#include "../base/htime.h"

#define CONTENT_MAX 32 /* a number, a newline and some room */
#define OPEN_TRIES 16

struct hpidfile_s {
    int fd;
    pid_t owner;
    char *path;
};

/* Whether it is a plain file whose content may be overwritten: nothing, or a number. */
static bool looks_right(int fd)
{
    char text[CONTENT_MAX];
    struct stat st;
    ssize_t n;

    if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
        return false;
    n = pread(fd, text, sizeof(text), 0);
    if (n < 0 || n == sizeof(text))
        return false;
    for (ssize_t i = 0; i < n; i++) {
        if (!isdigit((unsigned char)text[i]) && text[i] != '\n')
            return false;
    }
    return true;
}

static int write_number(int fd)
{
    char text[CONTENT_MAX];
    int len = snprintf(text, sizeof(text), "%ld\n", (long)getpid());
    ssize_t written;

    if (ftruncate(fd, 0) < 0 || fchmod(fd, 0644) < 0)
        return -errno;
    written = pwrite(fd, text, (size_t)len, 0);
    if (written < 0)
        return -errno;
    if (written != len)
        return -ENOSPC;
    return 0;
}

static pid_t lock_holder(int fd)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};

    if (fcntl(fd, F_GETLK, &lock) < 0)
        return -errno;
    if (lock.l_type == F_UNLCK)
        return 0;
    if (lock.l_pid == 0)
        return HPIDFILE_ELSEWHERE;
    return lock.l_pid < 0 ? -EBUSY : lock.l_pid; /* below 0: a lock of another kind */
}

/* 1 when the path names the file that is open, else 0; or a negative error. */
static int is_named(int fd, const char *path)
{
    struct stat ours, named;

    if (fstat(fd, &ours) < 0)
        return -errno;
    if (lstat(path, &named) < 0)
        return errno == ENOENT ? 0 : -errno;
    return named.st_ino == ours.st_ino && named.st_dev == ours.st_dev;
}

/* 0 when locked, -EEXIST when held, 1 when the path no longer names this file: the process that
 * held it has just removed it. */
static int lock_file(int fd, const char *path, pid_t *holder)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    struct stat st;
    int named;

    if (fstat(fd, &st) < 0)
        return -errno;
    if (!S_ISREG(st.st_mode))
        return -EINVAL;
    if (fcntl(fd, F_SETLK, &lock) < 0) {
        if (errno != EAGAIN && errno != EACCES)
            return -errno;
        *holder = lock_holder(fd);
        return *holder == 0 ? 1 : -EEXIST;
    }
    named = is_named(fd, path);
    return named < 0 ? named : !named;
}

static int open_locked(const char *path, pid_t *holder)
{
    for (int i = 0; i < OPEN_TRIES; i++) {
        int fd = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0644);
        int status;

        if (fd < 0)
            return errno == ELOOP || errno == EISDIR ? -EINVAL : -errno;
        status = lock_file(fd, path, holder);
        if (status == 0 && !looks_right(fd))
            status = -EINVAL;
        if (status == 0)
            status = write_number(fd);
        if (status == 0)
            return fd;
        close(fd);
        if (status < 0)
            return status;
    }
    return -EBUSY;
}

int hpidfile_open(const char *path, hpidfile_t **file, pid_t *holder)
{
    hpidfile_t *f = hmem_zalloc(sizeof(*f));

    *holder = 0;
    *file = NULL;
    if (f == NULL)
        return -ENOMEM;
    f->owner = getpid();
    f->path = hmem_strdup(path);
    f->fd = f->path == NULL ? -ENOMEM : open_locked(path, holder);
    if (f->fd < 0) {
        int status = f->fd;

        hmem_free(f->path);
        hmem_free(f);
        return status;
    }
    *file = f;
    return 0;
}

void hpidfile_close(hpidfile_t *file)
{
    if (file == NULL)
        return;
    if (file->owner == getpid() && is_named(file->fd, file->path) > 0)
        unlink(file->path);
    close(file->fd);
    hmem_free(file->path);
    hmem_free(file);
}

/* Nobody runs when the file alone is missing; a folder that is missing is a mistyped path. */
static int check_folder(const char *path)
{
    const char *slash = strrchr(path, '/');
    struct stat st;
    char *folder;
    int status;

    if (slash == NULL)
        return 0;
    folder = hmem_strdup(path);
    if (folder == NULL)
        return -ENOMEM;
    folder[slash - path + 1] = '\0';
    status = stat(folder, &st) < 0 ? -errno : 0;
    hmem_free(folder);
    return status;
}

pid_t hpidfile_holder(const char *path)
{
    int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    pid_t pid;

    if (fd < 0 && errno == ENOENT)
        return check_folder(path);
    if (fd < 0)
        return errno == ELOOP ? -EINVAL : -errno;
    pid = looks_right(fd) ? lock_holder(fd) : -EINVAL;
    close(fd);
    return pid;
}

static int wait_end(int pidfd, uint32_t timeout_ms)
{
    uint64_t end_ns = htime_monotonic_ns() + timeout_ms * HTIME_NS_PER_MS;

    for (;;) {
        struct pollfd ended = {.fd = pidfd, .events = POLLIN};
        uint64_t now_ns = htime_monotonic_ns();
        uint64_t left_ms = now_ns < end_ns ? (end_ns - now_ns) / HTIME_NS_PER_MS + 1 : 0;
        int n = poll(&ended, 1, left_ms > INT_MAX ? INT_MAX : (int)left_ms);

        if (n > 0)
            return 0;
        if (n < 0 && errno != EINTR)
            return -errno;
        if (n == 0 && left_ms == 0)
            return -ETIMEDOUT;
    }
}

int hpidfile_signal(const char *path, int signo, uint32_t timeout_ms, pid_t *pid)
{
    int pidfd, status = 0;

    *pid = hpidfile_holder(path);
    if (*pid <= 0)
        return *pid;
    pidfd = (int)syscall(SYS_pidfd_open, *pid, 0);
    if (pidfd < 0)
        return errno == ESRCH ? 0 : -errno;
    /* Holding it still, it is the process that we have opened. */
    if (hpidfile_holder(path) != *pid)
        status = -ESRCH;
    else if (syscall(SYS_pidfd_send_signal, pidfd, signo, NULL, 0) < 0)
        status = -errno;
    if (status == 0 && timeout_ms > 0)
        status = wait_end(pidfd, timeout_ms);
    close(pidfd);
    if (status == -ESRCH)
        return 0;
    return status < 0 ? status : (int)*pid;
}
