/* Each kind is a set of calls, as the program's own. A file is read by offset: its position is
 * neither used again nor moved, so that the same one may be sent several times at once. A stream is
 * read one piece ahead, and only when that is empty and was asked for. */
#include "http_source.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../base/hmem.h"
#include "../event/hio.h"

struct http_source_s {
    http_source_calls_t calls;
    void *arg;
    int64_t length;
    bool touched; /* something was read, or asked for */
};

static int make(const http_source_calls_t *calls, void *arg, int64_t length, http_source_t **source)
{
    http_source_t *made = hmem_zalloc(sizeof(*made));

    if (!made)
        return -ENOMEM;
    made->calls = *calls;
    made->arg = arg;
    made->length = length;
    *source = made;
    return 0;
}

/* ---- memory ---------------------------------------------------------------------------------- */

typedef struct memory_s {
    const char *data;
    size_t len, at;
} memory_t;

static ssize_t memory_read(void *arg, void *buf, size_t size)
{
    memory_t *memory = arg;

    if (size > memory->len - memory->at)
        size = memory->len - memory->at;
    if (size > 0)
        memcpy(buf, memory->data + memory->at, size);
    memory->at += size;
    return (ssize_t)size;
}

static int memory_rewind(void *arg)
{
    ((memory_t *)arg)->at = 0;
    return 0;
}

int http_source_memory(const void *data, size_t len, http_source_t **source)
{
    static const http_source_calls_t calls = {
        .read = memory_read, .rewind = memory_rewind, .free = hmem_free};
    memory_t *memory = hmem_alloc(sizeof(*memory));
    int err;

    if (!memory)
        return -ENOMEM;
    *memory = (memory_t){data, len, 0};
    err = make(&calls, memory, (int64_t)len, source);
    if (err < 0)
        hmem_free(memory);
    return err;
}

bool http_source_bytes(const http_source_t *source, http_span_t *bytes)
{
    const memory_t *memory = source->arg;

    if (source->calls.read != memory_read)
        return false;
    *bytes = (http_span_t){memory->data, memory->len};
    return true;
}

/* ---- files ----------------------------------------------------------------------------------- */

typedef struct file_s {
    const char *path; /* opened when it is read; NULL: it is open from the beginning on */
    int fd;           /* -1: not open */
    bool keep;        /* it is not closed */
    int64_t start, at;
    int64_t end; /* -1: the file's */
} file_t;

static void file_close(file_t *file)
{
    if (file->fd >= 0 && !file->keep)
        close(file->fd);
    file->fd = -1;
}

static ssize_t file_read(void *arg, void *buf, size_t size)
{
    file_t *file = arg;
    ssize_t n;

    if (file->end >= 0 && (uint64_t)(file->end - file->at) < size)
        size = (size_t)(file->end - file->at);
    if (size == 0)
        n = 0;
    else if (file->fd < 0 && (file->fd = open(file->path, O_RDONLY | O_CLOEXEC)) < 0)
        return -errno;
    else
        n = TEMP_FAILURE_RETRY(pread(file->fd, buf, size, file->at));
    if (n < 0)
        return -errno;
    if (n == 0 && size > 0 && file->end >= 0)
        return HERR_TRUNCATED;
    file->at += n;
    if (file->path && file->at == file->end)
        file_close(file);
    return n;
}

static int file_rewind(void *arg)
{
    file_t *file = arg;

    file->at = file->start;
    return 0;
}

static void file_free(void *arg)
{
    file_close(arg);
    hmem_free(arg);
}

static int make_file(const file_t *from, http_source_t **source)
{
    static const http_source_calls_t calls = {
        .read = file_read, .rewind = file_rewind, .free = file_free};
    file_t *file = hmem_alloc(sizeof(*file));
    int err;

    if (!file)
        return -ENOMEM;
    *file = *from;
    err = make(&calls, file, from->end < 0 ? HTTP_BODY_UNKNOWN : from->end - from->start, source);
    if (err < 0)
        hmem_free(file);
    return err;
}

int http_source_file(int fd, int64_t length, http_source_t **source)
{
    file_t file = {.fd = fd};
    struct stat st;

    if (fstat(fd, &st) < 0)
        return -errno;
    if (S_ISDIR(st.st_mode))
        return -EISDIR;
    file.start = file.at = lseek(fd, 0, SEEK_CUR);
    if (file.start < 0)
        return -errno;
    file.end = length >= 0 ? file.start + length : st.st_size;
    if (file.end < file.start)
        file.end = file.start;
    return make_file(&file, source);
}

int http_source_path(hloop_t *loop, const char *path, http_source_t **source)
{
    file_t file = {.path = path, .fd = -1};
    struct stat st;
    int err, fd;

    if (stat(path, &st) < 0 || access(path, R_OK) < 0)
        return -errno;
    if (S_ISDIR(st.st_mode))
        return -EISDIR;
    file.end = st.st_size;
    if (S_ISREG(st.st_mode))
        return make_file(&file, source);
    fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0)
        return -errno;
    err = http_source_stream(loop, fd, source);
    if (err < 0)
        close(fd);
    return err;
}

/* ---- streams --------------------------------------------------------------------------------- */

typedef struct stream_s {
    hio_t *io; /* NULL: it has ended */
    int error;
    size_t at, len; /* of what is in buf and was not yet taken */
    http_source_ready_cb ready;
    http_source_t *source;
    void *ready_arg;
    char buf[HTTP_SOURCE_STREAM_MAX];
} stream_t;

static void stream_tell(stream_t *stream)
{
    if (stream->ready)
        stream->ready(stream->source, stream->ready_arg);
}

static void on_data(hio_t *io, void *buf, int len)
{
    stream_t *stream = hevent_userdata(io);

    stream->at = (size_t)((char *)buf - stream->buf);
    stream->len = (size_t)len;
    stream_tell(stream);
}

static void on_close(hio_t *io)
{
    stream_t *stream = hevent_userdata(io);

    stream->io = NULL;
    stream->error = hio_error(io);
    stream_tell(stream);
}

static ssize_t stream_read(void *arg, void *buf, size_t size)
{
    stream_t *stream = arg;

    if (stream->len == 0) {
        if (!stream->io)
            return stream->error;
        hio_read_once(stream->io);
        return -EAGAIN;
    }
    if (size > stream->len)
        size = stream->len;
    memcpy(buf, stream->buf + stream->at, size);
    stream->at += size;
    stream->len -= size;
    return (ssize_t)size;
}

static void stream_set_ready(void *arg, http_source_ready_cb ready, http_source_t *source,
                             void *ready_arg)
{
    stream_t *stream = arg;

    stream->ready = ready;
    stream->source = source;
    stream->ready_arg = ready_arg;
}

static void stream_free(void *arg)
{
    stream_t *stream = arg;

    if (stream->io) {
        hio_setcb_read(stream->io, NULL);
        hio_setcb_close(stream->io, NULL);
        hio_abort(stream->io, 0);
    }
    hmem_free(stream);
}

/* A plain file, though of a length that nobody has asked for. */
static int stream_of_file(int fd, http_source_t **source)
{
    file_t file = {.fd = fd, .keep = fd == STDIN_FILENO, .end = -1};

    file.start = file.at = lseek(fd, 0, SEEK_CUR);
    return file.start < 0 ? -errno : make_file(&file, source);
}

/* The hio's is a descriptor of its own, so that fd is the caller's until nothing
 * can fail any more. */
static int open_stream(stream_t *stream, hloop_t *loop, int fd)
{
    int own = fcntl(fd, F_DUPFD_CLOEXEC, 0);

    if (own < 0)
        return -errno;
    stream->io = hio_get(loop, own);
    if (!stream->io) {
        close(own);
        return -ENOMEM;
    }
    hevent_set_userdata(stream->io, stream);
    hio_setcb_read(stream->io, on_data);
    hio_setcb_close(stream->io, on_close);
    return hio_set_readbuf(stream->io, stream->buf, sizeof(stream->buf));
}

int http_source_stream(hloop_t *loop, int fd, http_source_t **source)
{
    static const http_source_calls_t calls = {
        .read = stream_read, .free = stream_free, .set_ready = stream_set_ready};
    stream_t *stream;
    struct stat st;
    int err;

    if (fstat(fd, &st) < 0)
        return -errno;
    if (S_ISDIR(st.st_mode))
        return -EISDIR;
    if (S_ISREG(st.st_mode))
        return stream_of_file(fd, source);
    stream = hmem_alloc(sizeof(*stream));
    if (!stream)
        return -ENOMEM;
    memset(stream, 0, offsetof(stream_t, buf));
    err = open_stream(stream, loop, fd);
    if (err == 0)
        err = make(&calls, stream, HTTP_BODY_UNKNOWN, source);
    if (err < 0)
        stream_free(stream);
    else if (fd != STDIN_FILENO)
        close(fd);
    return err;
}

/* ---- all of them ----------------------------------------------------------------------------- */

int http_source_call(const http_source_calls_t *calls, void *arg, int64_t length,
                     http_source_t **source)
{
    return make(calls, arg, length, source);
}

void http_source_free(http_source_t *source)
{
    if (!source)
        return;
    if (source->calls.free)
        source->calls.free(source->arg);
    hmem_free(source);
}

int64_t http_source_length(const http_source_t *source)
{
    return source->length;
}

ssize_t http_source_read(http_source_t *source, void *buf, size_t size)
{
    source->touched = true;
    return source->calls.read(source->arg, buf, size);
}

void http_source_set_ready(http_source_t *source, http_source_ready_cb ready, void *arg)
{
    if (source->calls.set_ready)
        source->calls.set_ready(source->arg, ready, source, arg);
}

int http_source_rewind(http_source_t *source)
{
    int err = 0;

    if (!source->touched)
        return 0;
    err = source->calls.rewind ? source->calls.rewind(source->arg) : -ESPIPE;
    source->touched = err < 0;
    return err;
}
