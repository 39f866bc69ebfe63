#include "hhistory.h"

#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../base/herr.h"
#include "../base/hfile.h"
#include "../base/hmem.h"

void hhistory_init(hhistory_t *h, size_t max)
{
    memset(h, 0, sizeof(*h));
    h->max = max > 0 ? max : HHISTORY_LINES_MAX;
}

void hhistory_deinit(hhistory_t *h)
{
    for (size_t i = 0; i < h->count; i++)
        hmem_free(h->lines[i]);
    hmem_free(h->lines);
    hhistory_init(h, h->max);
}

/* Takes over the line. */
static void append(hhistory_t *h, char *line)
{
    if (h->count == h->max) {
        hmem_free(h->lines[0]);
        memmove(h->lines, h->lines + 1, --h->count * sizeof(*h->lines));
    }
    h->lines[h->count++] = line;
    if (h->fresh < h->count)
        h->fresh++;
}

static bool is_kept(const hhistory_t *h, const char *line)
{
    if (line[0] == '\0' || line[0] == ' ')
        return false;
    return h->count == 0 || strcmp(h->lines[h->count - 1], line) != 0;
}

int hhistory_add(hhistory_t *h, const char *line)
{
    char *copy;

    if (!is_kept(h, line))
        return 0;
    if (!h->lines)
        h->lines = hmem_array(h->max, sizeof(*h->lines));
    copy = h->lines ? hmem_strdup(line) : NULL;
    if (!copy)
        return -ENOMEM;
    append(h, copy);
    return 1;
}

/* ---- the file -------------------------------------------------------------------------------- */

/* In place: what follows a backslash that we did not write stays as it is. */
static void unescape(char *line)
{
    char *to = line;

    for (const char *from = line; *from != '\0'; from++) {
        if (from[0] == '\\' && (from[1] == '\\' || from[1] == 'n'))
            *to++ = *++from == 'n' ? '\n' : '\\';
        else
            *to++ = *from;
    }
    *to = '\0';
}

/* One that is not there yet is empty. */
static int read_file(const char *path, hbytes_t *text)
{
    int err = hfile_read(path, HHISTORY_FILE_MAX, text);

    if (err == 0 && text->len > 0 && memchr(text->data, '\0', text->len))
        err = -EINVAL;
    return err == -ENOENT ? 0 : err;
}

static int add_lines(hhistory_t *h, char *text)
{
    char *line, *rest = text;

    while ((line = strsep(&rest, "\n")) != NULL) {
        int err;

        unescape(line);
        err = hhistory_add(h, line);
        if (err < 0)
            return err;
    }
    return 0;
}

int hhistory_load(hhistory_t *h, const char *path)
{
    hbytes_t text;
    int err;

    hbytes_init(&text, HHISTORY_FILE_MAX);
    err = read_file(path, &text);
    if (err == 0 && text.len > 0)
        err = add_lines(h, text.data);
    hbytes_deinit(&text);
    if (err < 0)
        hhistory_deinit(h);
    h->fresh = 0;
    return err;
}

static size_t size_in_file(const char *line)
{
    size_t size = 1; /* its end */

    for (; *line != '\0'; line++)
        size += *line == '\n' || *line == '\\' ? 2 : 1;
    return size;
}

/* The oldest entry that is written: a file past its bound could never be read again. */
static size_t first_kept(const hhistory_t *h)
{
    size_t first = h->count, left = HHISTORY_FILE_MAX;

    while (first > 0) {
        size_t size = size_in_file(h->lines[first - 1]);

        if (size > left)
            break;
        left -= size;
        first--;
    }
    return first;
}

static void put_line(FILE *file, const char *line)
{
    for (; *line != '\0'; line++) {
        if (*line == '\n' || *line == '\\')
            putc('\\', file);
        putc(*line == '\n' ? 'n' : *line, file);
    }
    putc('\n', file);
}

/* Into a file of its own that then takes the place of the old one. */
static int replace(const hhistory_t *h, const char *path)
{
    char name[PATH_MAX];
    FILE *file;
    int fd, err = 0;

    if (snprintf(name, sizeof(name), "%s.XXXXXX", path) >= (int)sizeof(name))
        return -ENAMETOOLONG;
    fd = mkostemp(name, O_CLOEXEC);
    if (fd < 0)
        return -errno;
    file = fdopen(fd, "w");
    if (!file) {
        err = -errno;
        close(fd);
    } else {
        for (size_t i = first_kept(h); i < h->count; i++)
            put_line(file, h->lines[i]);
        if (ferror(file) || fflush(file) != 0)
            err = -EIO;
        if (fclose(file) != 0 && err == 0)
            err = -errno;
    }
    if (err == 0 && rename(name, path) < 0)
        err = -errno;
    if (err < 0)
        unlink(name);
    return err;
}

/* The folders that are missing on the way to the file. */
static int make_folders(const char *path)
{
    char name[PATH_MAX];

    if (snprintf(name, sizeof(name), "%s", path) >= (int)sizeof(name))
        return -ENAMETOOLONG;
    for (char *slash = strchr(name + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        if (mkdir(name, 0700) < 0 && errno != EEXIST && access(name, F_OK) < 0)
            return -errno;
        *slash = '/';
    }
    return 0;
}

/* Programs that save at the same time do so one after another. Where a folder cannot be locked, the
 * last one wins. The descriptor, or -1. */
static int lock_folder(const char *path)
{
    char name[PATH_MAX];
    const char *slash = strrchr(path, '/');
    int fd;

    if (slash)
        snprintf(name, sizeof(name), "%.*s", slash == path ? 1 : (int)(slash - path), path);
    fd = open(slash ? name : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0)
        (void)flock(fd, LOCK_EX);
    return fd;
}

/* What is in the file by now, then what is new here. */
static int merge(const hhistory_t *h, const char *path)
{
    hhistory_t all;
    int err;

    hhistory_init(&all, h->max);
    err = hhistory_load(&all, path);
    for (size_t i = h->count - h->fresh; err >= 0 && i < h->count; i++)
        err = hhistory_add(&all, h->lines[i]);
    if (err >= 0)
        err = replace(&all, path);
    hhistory_deinit(&all);
    return err;
}

int hhistory_save(hhistory_t *h, const char *path)
{
    char target[PATH_MAX];
    int lock, err;

    if (h->fresh == 0)
        return 0;
    if (realpath(path, target)) /* a link stays a link */
        path = target;
    err = make_folders(path);
    if (err < 0)
        return err;
    lock = lock_folder(path);
    err = merge(h, path);
    if (lock >= 0)
        close(lock);
    if (err == 0)
        h->fresh = 0;
    return err;
}

int hhistory_path(hbytes_t *path, const char *program)
{
    const char *state = getenv("XDG_STATE_HOME");
    const char *home = getenv("HOME");

    if (state && state[0] == '/')
        return hbytes_printf(path, "%s/%s/history", state, program);
    if (!home || home[0] != '/')
        return -ENOENT;
    return hbytes_printf(path, "%s/.local/state/%s/history", home, program);
}
