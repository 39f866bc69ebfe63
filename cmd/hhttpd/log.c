#include "log.h"

#include "base/hstr.h"
#include "base/htime.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define LINE_SIZE_MAX (PATH_MAX + 1024)
#define STAMP_LEN 16 /* ".20261121-164501" */
#define DAY_S 86400

/* ---- writing --------------------------------------------------------------------------------- */

void log_write(int fd, const void *data, size_t len)
{
    const char *at = data;

    while (len > 0) {
        ssize_t n = write(fd, at, len);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return;
        at += n;
        len -= (size_t)n;
    }
}

/* People at a terminal know who speaks to them and what time it is; a file has to say when. */
static void write_line(const log_t *log, hlog_level_e level, const char *text, size_t text_len)
{
    char line[LINE_SIZE_MAX], now[HTIME_ISO_SIZE];
    size_t len;

    if (log->settings && log->settings->logfile)
        snprintf(line, sizeof(line), "%s %s ", htime_iso_local(htime_real_ms(), now, sizeof(now)),
                 hlog_level_name(level));
    else
        snprintf(line, sizeof(line), "hhttpd: ");
    len = strlen(line);
    len += hstr_escape(line + len, sizeof(line) - len - 1, text, text_len);
    line[len++] = '\n';
    log_write(log->fd, line, len);
    if (log->settings && log->settings->log_fsync)
        fdatasync(log->fd);
}

static bool is_wanted(const log_t *log, hlog_level_e level)
{
    return log->fd >= 0 && (!log->settings || (int)level >= log->settings->loglevel);
}

void log_say(const log_t *log, hlog_level_e level, const char *fmt, ...)
{
    char text[LINE_SIZE_MAX];
    va_list ap;

    if (!is_wanted(log, level))
        return;
    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    write_line(log, level, text, strlen(text));
}

void log_lines(const log_t *log, hlog_level_e level, const hbytes_t *lines)
{
    const char *at = lines->data, *end = lines->data + lines->len;

    while (is_wanted(log, level) && at < end) {
        const char *newline = memchr(at, '\n', (size_t)(end - at));
        size_t len = newline ? (size_t)(newline - at) : (size_t)(end - at);

        if (len > 0)
            write_line(log, level, at, len);
        at += len + 1;
    }
}

/* ---- opening --------------------------------------------------------------------------------- */

static int open_file(const settings_t *settings, const char *path, int *fd, hbytes_t *errors)
{
    int err;

    *fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY, 0644);
    if (*fd >= 0)
        return 0;
    err = -errno;
    settings_where(settings, path, errors);
    hbytes_printf(errors, "cannot open %s: %s\n", path, herr_str(err));
    return err;
}

static int day_of(time_t when)
{
    struct tm tm;

    return localtime_r(&when, &tm) ? tm.tm_year * 366 + tm.tm_yday : 0;
}

/* The day of the last line before ours: a file of yesterday is moved though we have just come. */
static int day_of_file(int fd)
{
    struct stat st;

    return fstat(fd, &st) == 0 && st.st_size > 0 ? day_of(st.st_mtime) : day_of(time(NULL));
}

static int open_files(log_t *log, const settings_t *settings, hbytes_t *errors)
{
    const char *access = settings->access_log;
    int err = 0;

    *log = (log_t){.settings = settings, .fd = STDERR_FILENO, .access_fd = -1};
    if (settings->logfile)
        err = open_file(settings, settings->logfile, &log->fd, errors);
    if (!err && access && access[0] == '\0')
        log->access_fd = log->fd;
    else if (!err && access && strcmp(access, "-") == 0)
        log->access_fd = STDOUT_FILENO;
    else if (!err && access)
        err = open_file(settings, access, &log->access_fd, errors);
    if (err)
        log_close(log);
    else
        log->day = day_of_file(settings->logfile ? log->fd : log->access_fd);
    return err;
}

int log_open(log_t *log, const settings_t *settings, hbytes_t *errors)
{
    int err = open_files(log, settings, errors);

    if (!err && log_rotate(log)) {
        log_close(log);
        err = open_files(log, settings, errors);
    }
    return err;
}

void log_close(log_t *log)
{
    if (log->access_fd > STDERR_FILENO && log->access_fd != log->fd)
        close(log->access_fd);
    if (log->fd > STDERR_FILENO)
        close(log->fd);
    log->fd = -1;
    log->access_fd = -1;
}

/* ---- rotation -------------------------------------------------------------------------------- */

static bool is_access_file(const settings_t *s)
{
    return s->access_log && s->access_log[0] != '\0' && strcmp(s->access_log, "-") != 0;
}

bool log_has_file(const settings_t *s)
{
    return s->logfile || is_access_file(s);
}

bool log_rotates(const log_t *log)
{
    const settings_t *s = log->settings;

    return (s->logfile || is_access_file(s)) && (s->log_filesize > 0 || s->log_remain_days > 0);
}

static bool is_due(const log_t *log, int fd)
{
    const settings_t *s = log->settings;
    struct stat st;

    if (fstat(fd, &st) < 0 || st.st_size == 0)
        return false;
    if (s->log_filesize > 0 && (uint64_t)st.st_size >= s->log_filesize)
        return true;
    return s->log_remain_days > 0 && day_of(time(NULL)) != log->day;
}

/* The name with the time behind it, which is free: two in a second are not expected. */
static bool move_file(const log_t *log, const char *path)
{
    char to[PATH_MAX], stamp[STAMP_LEN + 1];
    time_t now = time(NULL);
    struct tm tm;

    if (!localtime_r(&now, &tm) || strftime(stamp, sizeof(stamp), ".%Y%m%d-%H%M%S", &tm) == 0)
        return false;
    if ((size_t)snprintf(to, sizeof(to), "%s%s", path, stamp) >= sizeof(to) ||
        access(to, F_OK) == 0)
        return false;
    if (rename(path, to) == 0)
        return true;
    log_say(log, HLOG_ERROR, "cannot move %s: %s", path, herr_str(-errno));
    return false;
}

/* Whether the name is the file's, moved away by us. */
static bool is_moved(const char *name, const char *base)
{
    size_t len = strlen(base);
    const char *stamp = name + len;

    return strncmp(name, base, len) == 0 && strlen(stamp) == STAMP_LEN && stamp[0] == '.' &&
           strspn(stamp + 1, "0123456789-") == STAMP_LEN - 1;
}

static void remove_old(const log_t *log, const char *path)
{
    char folder[PATH_MAX];
    const char *slash = strrchr(path, '/'), *base = slash ? slash + 1 : path;
    time_t limit = time(NULL) - (time_t)log->settings->log_remain_days * DAY_S;
    struct dirent *entry;
    DIR *dir;

    if (log->settings->log_remain_days <= 0)
        return;
    snprintf(folder, sizeof(folder), "%.*s", slash ? (int)(slash - path) + 1 : 1,
             slash ? path : ".");
    dir = opendir(folder);
    while (dir && (entry = readdir(dir)) != NULL) {
        struct stat st;

        if (!is_moved(entry->d_name, base))
            continue;
        if (fstatat(dirfd(dir), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
            S_ISREG(st.st_mode) && st.st_mtime < limit)
            unlinkat(dirfd(dir), entry->d_name, 0);
    }
    if (dir)
        closedir(dir);
}

static bool rotate_file(const log_t *log, int fd, const char *path)
{
    if (!is_due(log, fd) || !move_file(log, path))
        return false;
    remove_old(log, path);
    return true;
}

bool log_rotate(const log_t *log)
{
    const settings_t *s = log->settings;
    bool moved = s->logfile && rotate_file(log, log->fd, s->logfile);

    if (is_access_file(s))
        moved = rotate_file(log, log->access_fd, s->access_log) || moved;
    return moved;
}
