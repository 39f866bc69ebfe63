#include "hlogfile.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "../base/herr.h"
#include "../base/hmem.h"
#include "../base/hstr.h"
#include "../base/htime.h"

#define LINE_SIZE_MAX (PATH_MAX + 1024)
#define STAMP_LEN 16 /* ".20261121-164501" */
#define DAY_S 86400
#define TELL_NS 1000000000U

/* ---- writing --------------------------------------------------------------------------------- */

/* Somebody may read it, and may have stopped. */
static bool is_read_by_others(int fd)
{
    struct stat st;

    return fstat(fd, &st) < 0 || !S_ISREG(st.st_mode);
}

/* stdout and stderr are others', too: they cannot be told not to wait. */
static bool has_room(int fd)
{
    struct pollfd room = {.fd = fd, .events = POLLOUT};

    return poll(&room, 1, 0) == 1;
}

/* Lines that a pipe takes as a whole or not at all. */
static size_t next_piece(const char *at, size_t len)
{
    const char *newline = len > PIPE_BUF ? memrchr(at, '\n', PIPE_BUF) : NULL;

    if (newline)
        return (size_t)(newline - at) + 1;
    return len < PIPE_BUF ? len : PIPE_BUF;
}

static size_t count_lines(const char *at, size_t len)
{
    size_t n = 0;

    for (size_t i = 0; i < len; i++)
        n += at[i] == '\n';
    return n;
}

size_t hlogfile_write(int fd, const void *data, size_t len)
{
    bool others = is_read_by_others(fd);
    const char *at = data;

    while (len > 0 && (!others || has_room(fd))) {
        ssize_t n = write(fd, at, others ? next_piece(at, len) : len);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            break;
        at += n;
        len -= (size_t)n;
    }
    return count_lines(at, len);
}

const hopt_t hlogfile_rows[] = {
    HOPT_SIZE(0, "log-filesize", hlogfile_options_t, size_max, INT64_MAX,
              "move a log file that has grown to SIZE to FILE.DATE-TIME, and begin a new one",
              .arg_name = "SIZE"),
    HOPT_INT(
        0, "log-remain-days", hlogfile_options_t, keep_days, 0, 36500,
        "move log files every day, and remove those that were moved more than NUMBER days ago"),
    HOPT_END,
};

bool hlogfile_is_path(const char *path)
{
    return path && path[0] != '\0' && strcmp(path, "-") != 0;
}

bool hlogfile_is_file(const hlogfile_t *log)
{
    return log->fd > STDERR_FILENO;
}

/* People at a terminal know who speaks to them and what time it is; a file has to say when. */
static size_t write_line(const hlogfile_t *log, hlog_level_e level, const char *text,
                         size_t text_len)
{
    char line[LINE_SIZE_MAX], now[HTIME_ISO_SIZE];
    size_t len;

    if (hlogfile_is_file(log))
        snprintf(line, sizeof(line), "%s %s ", htime_iso_local(htime_real_ms(), now, sizeof(now)),
                 hlog_level_name(level));
    else
        snprintf(line, sizeof(line), "%s: ", log->options.prefix);
    len = strlen(line);
    len += hstr_escape(line + len, sizeof(line) - len - 1, text, text_len);
    line[len++] = '\n';
    return hlogfile_write(log->fd, line, len);
}

static void add_lost(const hlogfile_t *log, size_t n)
{
    if (n > 0 && log->lost)
        __atomic_fetch_add(log->lost, n, __ATOMIC_RELAXED);
}

/* Once there is room again. */
static void tell_lost(const hlogfile_t *log)
{
    size_t n = log->lost ? __atomic_exchange_n(log->lost, 0, __ATOMIC_RELAXED) : 0;
    char text[64];

    if (n == 0)
        return;
    snprintf(text, sizeof(text), "%zu lines before this one were lost", n);
    if (write_line(log, HLOG_WARN, text, strlen(text)) > 0)
        add_lost(log, n);
}

static void put_message(const hlogfile_t *log, hlog_level_e level, const char *text, size_t len)
{
    tell_lost(log);
    add_lost(log, write_line(log, level, text, len));
    if (log->options.sync)
        fdatasync(log->fd);
}

static bool is_wanted(const hlogfile_t *log, hlog_level_e level)
{
    return log->fd >= 0 && (int)level >= log->options.level;
}

void hlogfile_say(const hlogfile_t *log, hlog_level_e level, const char *fmt, ...)
{
    char text[LINE_SIZE_MAX];
    va_list ap;

    if (!is_wanted(log, level))
        return;
    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    put_message(log, level, text, strlen(text));
}

void hlogfile_say_lines(const hlogfile_t *log, hlog_level_e level, const hbytes_t *lines)
{
    const char *at = lines->data, *end = lines->data + lines->len;

    while (is_wanted(log, level) && at < end) {
        const char *newline = memchr(at, '\n', (size_t)(end - at));
        size_t len = newline ? (size_t)(newline - at) : (size_t)(end - at);

        if (len > 0)
            put_message(log, level, at, len);
        at += len + 1;
    }
}

void hlogfile_complain(const char *prefix, const hbytes_t *lines)
{
    const hlogfile_t terminal = {.options.prefix = prefix, .fd = STDERR_FILENO};

    hlogfile_say_lines(&terminal, HLOG_ERROR, lines);
}

/* ---- lines of requests ----------------------------------------------------------------------- */

void hloglines_finish(hloglines_t *lines)
{
    if (lines->lost > 0)
        hlogfile_say(lines->report, HLOG_WARN, "%zu lines of the access log were lost",
                     lines->lost);
    lines->lost = 0;
}

void hloglines_write(hloglines_t *lines, const void *data, size_t len)
{
    uint64_t now_ns;

    if (lines->fd == lines->report->fd) {
        tell_lost(lines->report);
        add_lost(lines->report, hlogfile_write(lines->fd, data, len));
        return;
    }
    lines->lost += hlogfile_write(lines->fd, data, len);
    if (lines->lost == 0)
        return;
    now_ns = htime_monotonic_ns();
    if (lines->told_ns && now_ns - lines->told_ns < TELL_NS)
        return;
    hloglines_finish(lines);
    lines->told_ns = now_ns;
}

/* ---- opening --------------------------------------------------------------------------------- */

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

int hlogfile_open_path(const char *path)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0644);

    return fd < 0 ? -errno : fd;
}

static int open_file(hlogfile_t *log)
{
    const char *path = log->options.path;

    if (!path)
        log->fd = STDERR_FILENO;
    else if (strcmp(path, "-") == 0)
        log->fd = STDOUT_FILENO;
    else
        log->fd = hlogfile_open_path(path);
    if (log->fd < 0)
        return log->fd;
    log->day = day_of_file(log->fd);
    return 0;
}

int hlogfile_open(hlogfile_t *log, const hlogfile_options_t *options)
{
    int err;

    *log = (hlogfile_t){.options = *options, .fd = -1, .lost = hmem_zalloc(sizeof(*log->lost))};
    err = log->lost ? open_file(log) : -ENOMEM;
    if (!err && hlogfile_rotate(log, log)) {
        close(log->fd);
        err = open_file(log);
    }
    if (err)
        hlogfile_close(log);
    return err;
}

int hlogfile_reopen(hlogfile_t *log)
{
    int fd, err = 0;

    if (!hlogfile_is_file(log))
        return 0;
    fd = hlogfile_open_path(log->options.path);
    if (fd < 0)
        return fd;
    if (dup3(fd, log->fd, O_CLOEXEC) < 0)
        err = -errno;
    else
        log->day = day_of_file(fd);
    close(fd);
    return err;
}

void hlogfile_close(hlogfile_t *log)
{
    if (hlogfile_is_file(log))
        close(log->fd);
    hmem_free(log->lost);
    log->lost = NULL;
    log->fd = -1;
}

/* ---- rotation -------------------------------------------------------------------------------- */

bool hlogfile_rotates(const hlogfile_t *log)
{
    return hlogfile_is_file(log) && (log->options.size_max > 0 || log->options.keep_days > 0);
}

static bool is_due(const hlogfile_t *log)
{
    const hlogfile_options_t *o = &log->options;
    struct stat st;

    if (!hlogfile_rotates(log) || fstat(log->fd, &st) < 0 || st.st_size == 0)
        return false;
    if (o->size_max > 0 && (uint64_t)st.st_size >= o->size_max)
        return true;
    return o->keep_days > 0 && day_of(time(NULL)) != log->day;
}

/* The name with the time behind it, which is free: two in a second are not expected. */
static bool move_file(const hlogfile_t *log, const hlogfile_t *report)
{
    const char *path = log->options.path;
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
    hlogfile_say(report, HLOG_ERROR, "cannot move %s: %s", path, herr_str(-errno));
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

static void remove_old(const hlogfile_t *log)
{
    const char *path = log->options.path, *slash = strrchr(path, '/');
    const char *base = slash ? slash + 1 : path;
    time_t limit = time(NULL) - (time_t)log->options.keep_days * DAY_S;
    char folder[PATH_MAX];
    struct dirent *entry;
    DIR *dir;

    if (log->options.keep_days <= 0)
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

bool hlogfile_rotate(const hlogfile_t *log, const hlogfile_t *report)
{
    if (!is_due(log) || !move_file(log, report))
        return false;
    remove_old(log);
    return true;
}

/* ---- those of a server ----------------------------------------------------------------------- */

const char *hlogs_access(const char *text)
{
    bool on;

    if (hstr_parse_bool(text, &on) < 0)
        return text;
    return on ? "" : NULL;
}

bool hlogs_have_path(const hlogs_options_t *options)
{
    return hlogfile_is_path(options->messages.path) || hlogfile_is_path(options->access);
}

int hlogs_open(hlogs_t *logs, const hlogs_options_t *options, const char **wrong)
{
    hlogfile_options_t others = options->messages;
    int err = hlogfile_open(&logs->messages, &options->messages);

    *wrong = options->messages.path;
    if (err || !options->access)
        return err;
    if (options->access[0] == '\0') {
        logs->access_fd = logs->messages.fd;
        return 0;
    }
    others.path = *wrong = options->access;
    err = hlogfile_open(&logs->access, &others);
    logs->access_fd = logs->access.fd;
    return err;
}

void hlogs_close(hlogs_t *logs)
{
    hlogfile_close(&logs->access);
    hlogfile_close(&logs->messages);
}
