/* A folder as a tar stream, made while it is sent: only what is open on the way down is held.
 * Links are left out, so it never leads out of the folder; what cannot be read, too. */
#include "http_files_int.h"

#include "../base/hmem.h"
#include "../codec/http_disposition.h"
#include "../codec/tar.h"
#include "../event/htimer.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define DEPTH_MAX 64
#define SMALL_MAX (64 * 1024)   /* bytes of a file that is copied; others are sent by the kernel */
#define STEPS_MAX 256           /* entries in one go, then others have their turn */
#define BYTES_MAX (1024 * 1024) /* likewise */
#define PAUSE_MS 1

typedef struct level_s {
    DIR *dir;
    size_t path_len; /* of its path with the slash behind */
} level_t;

typedef struct archive_s {
    http_stream_t *stream;
    htimer_t *timer; /* it goes on then; NULL: it is running, or waits for the client */
    level_t levels[DEPTH_MAX];
    int depth;
    bool hidden;
    bool done;
    char path[TAR_NAME_MAX + 2]; /* of the entry, in the archive */
    char *buf;                   /* SMALL_MAX, and a header in front */
} archive_t;

static void free_archive(archive_t *archive)
{
    while (archive->depth > 0)
        closedir(archive->levels[--archive->depth].dir);
    if (archive->timer)
        htimer_del(archive->timer);
    hmem_free(archive->buf);
    hmem_free(archive);
}

static void close_part(void *arg)
{
    close((int)(intptr_t)arg);
}

static int put_zeros(http_stream_t *stream, size_t len)
{
    static const char zeros[TAR_END_SIZE];

    return len ? http_response_write(stream, zeros, len) : 0;
}

/* The header of the entry at the front of the buffer: its length, or an error. */
static ssize_t put_header(archive_t *archive, const struct stat *st, uint64_t size)
{
    tar_entry_t entry = {
        .type = S_ISDIR(st->st_mode) ? TAR_FOLDER : TAR_FILE,
        .name = archive->path,
        .mode = st->st_mode & 0777, /* no set-user-id out of a download */
        .size = size,
        .mtime_s = st->st_mtim.tv_sec,
        .mtime_ns = (uint32_t)st->st_mtim.tv_nsec,
    };

    return tar_header(&entry, archive->buf, TAR_HEADER_MAX);
}

/* With its content behind the header, in one write. Closes fd. 0 if it was left out, too. */
static int put_small(archive_t *archive, int fd, const struct stat *st)
{
    char *content = archive->buf + TAR_HEADER_MAX;
    size_t want = (size_t)st->st_size, got = 0, padding;
    ssize_t n = 0, header;

    while (got < want && (n = pread(fd, content + got, want - got, (off_t)got)) > 0)
        got += (size_t)n;
    close(fd);
    header = n < 0 ? -1 : put_header(archive, st, got);
    if (header < 0)
        return 0;
    padding = tar_padding(got);
    memmove(archive->buf + header, content, got);
    memset(archive->buf + header + got, 0, padding);
    return http_response_write(archive->stream, archive->buf, (size_t)header + got + padding);
}

static int put_large(archive_t *archive, int fd, const struct stat *st)
{
    http_file_part_t part = {
        .fd = fd, .len = st->st_size, .release = close_part, .arg = (void *)(intptr_t)fd};
    ssize_t header = put_header(archive, st, (uint64_t)st->st_size);
    int err;

    if (header < 0) {
        close(fd);
        return 0;
    }
    err = http_response_write(archive->stream, archive->buf, (size_t)header);
    if (err < 0) {
        close(fd);
        return err;
    }
    err = http_response_write_file(archive->stream, &part);
    return err < 0 ? err : put_zeros(archive->stream, tar_padding((uint64_t)st->st_size));
}

static bool enter(archive_t *archive, int fd, size_t path_len)
{
    DIR *dir = archive->depth < DEPTH_MAX ? fdopendir(fd) : NULL;

    if (!dir) {
        close(fd);
        return false;
    }
    archive->levels[archive->depth++] = (level_t){dir, path_len};
    return true;
}

static int put_folder(archive_t *archive, int fd, const struct stat *st, size_t path_len)
{
    ssize_t header;

    archive->path[path_len] = '/';
    archive->path[path_len + 1] = '\0';
    header = put_header(archive, st, 0);
    if (header < 0) {
        close(fd);
        return 0;
    }
    enter(archive, fd, path_len + 1);
    return http_response_write(archive->stream, archive->buf, (size_t)header);
}

/* *bytes: of content that was put. */
static int put_entry(archive_t *archive, const char *name, int64_t *bytes)
{
    const level_t *level = &archive->levels[archive->depth - 1];
    size_t len = strlen(name), path_len = level->path_len + len;
    struct stat st;
    int fd;

    *bytes = 0;
    if (path_len > TAR_NAME_MAX || strcmp(name, ".") == 0 || strcmp(name, "..") == 0 ||
        (name[0] == '.' && !archive->hidden))
        return 0;
    fd = openat(dirfd(level->dir), name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (fd < 0)
        return 0;
    memcpy(archive->path + level->path_len, name, len + 1);
    if (fstat(fd, &st) == 0 && S_ISDIR(st.st_mode))
        return put_folder(archive, fd, &st, path_len);
    if (!S_ISREG(st.st_mode)) {
        close(fd);
        return 0;
    }
    *bytes = st.st_size;
    return st.st_size <= SMALL_MAX ? put_small(archive, fd, &st) : put_large(archive, fd, &st);
}

/* The next entry, or the end. */
static int step(archive_t *archive, int64_t *bytes)
{
    struct dirent *entry = readdir(archive->levels[archive->depth - 1].dir);

    *bytes = 0;
    if (entry)
        return put_entry(archive, entry->d_name, bytes);
    closedir(archive->levels[--archive->depth].dir);
    if (archive->depth > 0)
        return 0;
    archive->done = true;
    return put_zeros(archive->stream, TAR_END_SIZE);
}

static void on_timer(htimer_t *timer);

static void go_on(http_stream_t *stream, void *userdata)
{
    archive_t *archive = userdata;
    int64_t total = 0, bytes;
    int err = 0;

    for (int i = 0; i < STEPS_MAX && total < BYTES_MAX && !archive->done && err == 0; i++) {
        if (archive->timer || http_response_is_full(stream))
            return;
        err = step(archive, &bytes);
        total += bytes;
    }
    if (err == 0 && archive->done) {
        http_response_end(stream);
        return;
    }
    if (err == 0) {
        archive->timer = htimer_add(http_stream_loop(stream), on_timer, PAUSE_MS, 1);
        if (archive->timer)
            hevent_set_userdata(archive->timer, archive);
        else
            err = -ENOMEM;
    }
    if (err < 0)
        http_stream_abort(stream, err);
}

static void on_timer(htimer_t *timer)
{
    archive_t *archive = hevent_userdata(timer);

    archive->timer = NULL;
    go_on(archive->stream, archive);
}

static void on_close(http_stream_t *stream, int err, void *userdata)
{
    (void)stream;
    (void)err;
    free_archive(userdata);
}

static const http_stream_callbacks_t callbacks = {.on_drained = go_on, .on_close = on_close};

bool http_files__wants_archive(const http_stream_t *stream)
{
    char value[8];

    return http_request_query(stream, "archive", value, sizeof(value)) == 3 &&
           strcmp(value, "tar") == 0;
}

/* "music.tar" for /live/music/; the root is "files.tar". */
static void name_it(http_stream_t *stream, http_span_t path)
{
    char name[256] = "files.tar", value[1024];
    const char *slash;
    ssize_t len;

    if (path.len > 1) {
        path.len--;
        slash = memrchr(path.data, '/', path.len);
        len = path.data + path.len - (slash + 1);
        if (len + 5 < (ssize_t)sizeof(name)) {
            memcpy(name, slash + 1, (size_t)len);
            memcpy(name + len, ".tar", 5);
        }
    }
    len = http_disposition_write("attachment", NULL, name, value, sizeof(value));
    if (len > 0)
        http_response_set(stream, HTTP_SPAN("Content-Disposition"),
                          (http_span_t){value, (size_t)len});
}

static int begin(archive_t *archive, http_files_t *files, http_span_t path)
{
    int fd = http_files__open(files, path, O_RDONLY | O_DIRECTORY);

    if (fd < 0)
        return fd;
    archive->hidden = files->options.hidden;
    archive->buf = hmem_alloc(TAR_HEADER_MAX + SMALL_MAX + TAR_BLOCK);
    if (!archive->buf) {
        close(fd);
        return -ENOMEM;
    }
    return enter(archive, fd, 0) ? 0 : -ENOMEM;
}

void http_files__send_archive(http_files_t *files, http_stream_t *stream, http_span_t path)
{
    archive_t *archive = hmem_zalloc(sizeof(*archive));
    int err = archive ? begin(archive, files, path) : -ENOMEM;

    if (err < 0) {
        if (archive)
            free_archive(archive);
        http_files__missing(files, stream, path, err);
        return;
    }
    archive->stream = stream;
    http_response_set(stream, HTTP_SPAN("Content-Type"), HTTP_SPAN("application/x-tar"));
    http_response_set(stream, HTTP_SPAN("Cache-Control"), HTTP_SPAN("no-cache"));
    name_it(stream, path);
    http_stream_set_callbacks(stream, &callbacks, archive);
    if (http_response_start(stream, -1) < 0)
        return; /* on_close follows */
    if (stream->request.method == HTTP_METHOD_HEAD)
        http_response_end(stream);
    else
        go_on(stream, archive);
}
