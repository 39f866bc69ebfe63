#include "resume_file.h"

#include "base/herr.h"
#include "base/hfile.h"
#include "base/hmem.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define CHUNK 65536 /* bytes that are read at a time */
#define RIGHTS 0600
#define OTHERS_WRITE 022

struct resume_file_s {
    char *path;
    int fd;
    bool was_there;       /* before it was opened */
    bool is_cut;          /* nothing is behind good_len */
    uint64_t good_len;    /* bytes of whole records, and of the magic; 0: none yet */
    uint64_t begin_len;   /* of them: the magic and the first record */
    hbytes_t text;        /* of the first record */
    resume_record_t head; /* borrows from it */
};

/* A walk over the records of a file. */
typedef struct reader_s {
    int fd;
    uint64_t at; /* where text begins */
    hbytes_t text;
    bool is_end; /* of the file: all that there is, is in text */
} reader_t;

static int fail(const char *path, const char *why)
{
    fprintf(stderr, "hnmap: --resume '%s': %s\n", path, why);
    return 1;
}

static int fail_at(const char *path, uint64_t byte)
{
    fprintf(stderr, "hnmap: --resume '%s': it is damaged at byte %" PRIu64 "\n", path, byte);
    return 1;
}

/* ---- reading --------------------------------------------------------------------------------- */

/* More of it. 0, -errno. */
static int fill(reader_t *reader)
{
    int err = hbytes_reserve(&reader->text, CHUNK);
    ssize_t n;

    if (err < 0)
        return err;
    do
        n = pread(reader->fd, reader->text.data + reader->text.len, CHUNK,
                  (off_t)(reader->at + reader->text.len));
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return -errno;
    reader->text.len += (size_t)n;
    reader->is_end = n == 0;
    return 0;
}

/* Behind what may be a part of a head. */
static bool is_zero(const hbytes_t *text)
{
    for (size_t i = RESUME_HEAD_LEN; i < text->len; i++)
        if (text->data[i] != 0)
            return false;
    return true;
}

/* The last record was not written to its end; or only its length was, which leaves zeroes. */
static bool is_torn(const reader_t *reader)
{
    const hbytes_t *text = &reader->text;
    const char *body;
    size_t len;

    if (!reader->is_end)
        return false;
    if (resume_record_find(text->data, text->len, &body, &len) == 0 || is_zero(text))
        return true;
    return len != SIZE_MAX && text->len == RESUME_HEAD_LEN + len;
}

/* The next record: 1, and it is taken by drop; 0: no more; HERR_SYNTAX, -errno. */
static int next(reader_t *reader, const char **body, size_t *len)
{
    for (;;) {
        int found = resume_record_find(reader->text.data, reader->text.len, body, len);
        int err;

        if (found == 1)
            return 1;
        if (reader->is_end)
            return is_torn(reader) ? 0 : HERR_SYNTAX;
        err = fill(reader);
        if (err < 0)
            return err;
    }
}

static void drop(reader_t *reader, size_t len)
{
    hbytes_consume(&reader->text, len);
    reader->at += len;
}

/* What a file begins with, into its own record. 0; 1: it is empty; HERR_SYNTAX: it is none;
 * HERR_TRUNCATED: not even that was written whole; -errno. */
static int read_begin(reader_t *reader, hbytes_t *own, resume_record_t *record)
{
    const char *body;
    size_t len;
    int err = 0;

    while (reader->text.len < RESUME_MAGIC_LEN && !reader->is_end && err == 0)
        err = fill(reader);
    if (err < 0)
        return err;
    if (reader->text.len == 0)
        return 1;
    if (memcmp(reader->text.data, RESUME_MAGIC,
               reader->text.len < RESUME_MAGIC_LEN ? reader->text.len : RESUME_MAGIC_LEN) != 0)
        return HERR_SYNTAX;
    if (reader->text.len < RESUME_MAGIC_LEN)
        return HERR_TRUNCATED;
    drop(reader, RESUME_MAGIC_LEN);
    err = next(reader, &body, &len);
    if (err <= 0)
        return err == 0 ? HERR_TRUNCATED : err;
    err = hbytes_append(own, body, len);
    if (err == 0)
        err = resume_record_read(record, own->data, len);
    if (err == 0 && record->kind != RESUME_BEGIN)
        err = HERR_SYNTAX;
    drop(reader, RESUME_HEAD_LEN + len);
    return err;
}

static int explain(const char *path, int err)
{
    if (err == HERR_SYNTAX)
        return fail(path, "it is no file that this version of hnmap keeps a scan in");
    if (err == HERR_TRUNCATED)
        return fail(path, "it is a scan that was not even begun: remove it to begin anew");
    return fail(path, herr_str(err));
}

/* ---- opening --------------------------------------------------------------------------------- */

/* Whose it is: the command line in it is done. NULL, or what is wrong. */
static const char *what_is_wrong(int fd)
{
    struct stat st;

    if (fstat(fd, &st) < 0)
        return herr_str(-errno);
    if (!S_ISREG(st.st_mode))
        return "it is no plain file";
    if (st.st_uid != geteuid())
        return "it belongs to another user";
    if (st.st_mode & OTHERS_WRITE)
        return "others may write to it";
    if ((uint64_t)st.st_size > RESUME_FILE_MAX)
        return "it is too large";
    return NULL;
}

static int fail_open(const char *path, int err)
{
    if (err == -EBUSY)
        return fail(path, "another scan has it");
    if (err == -ELOOP)
        return fail(path, "it is a symbolic link");
    if (err == -EINVAL)
        return fail(path, "it is no plain file");
    return fail(path, herr_str(err));
}

/* Those that are no plain files are not even opened: some do something then. */
static int check_kind(const char *path, bool *is_there)
{
    struct stat st;

    *is_there = lstat(path, &st) == 0;
    if (*is_there && !S_ISREG(st.st_mode))
        return fail_open(path, S_ISLNK(st.st_mode) ? -ELOOP : -EINVAL);
    return 0;
}

static int open_file(resume_file_t *f)
{
    const char *wrong;
    int status = check_kind(f->path, &f->was_there);

    if (status != 0)
        return status;
    f->fd = hfile_open_alone(f->path, RIGHTS);
    if (f->fd < 0)
        return fail_open(f->path, f->fd);
    wrong = what_is_wrong(f->fd);
    return wrong ? fail(f->path, wrong) : 0;
}

int resume_file_open(const char *path, resume_file_t **file)
{
    resume_file_t *f = hmem_zalloc(sizeof(*f));
    reader_t reader = {0};
    int status = 0, err;

    if (f == NULL || (f->path = hmem_strdup(path)) == NULL) {
        hmem_free(f);
        return fail(path, herr_str(-ENOMEM));
    }
    f->fd = -1;
    status = open_file(f);
    if (status == 0) {
        reader.fd = f->fd;
        err = read_begin(&reader, &f->text, &f->head);
        if (err < 0)
            status = explain(path, err);
        f->begin_len = err == 0 ? reader.at : 0;
        f->good_len = f->begin_len;
    }
    hbytes_deinit(&reader.text);
    if (status != 0) {
        resume_file_close(f, false);
        return status;
    }
    *file = f;
    return 0;
}

const resume_begin_t *resume_file_begin(const resume_file_t *file)
{
    return file->begin_len > 0 ? &file->head.begin : NULL;
}

int resume_file_command(const char *path, hbytes_t *words)
{
    reader_t reader = {.fd = -1};
    resume_record_t record = {0};
    hbytes_t own = {0};
    const char *wrong;
    bool is_there;
    int status = check_kind(path, &is_there), err;

    if (status != 0)
        return status;
    reader.fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
    if (reader.fd < 0)
        return fail_open(path, -errno);
    wrong = what_is_wrong(reader.fd);
    if (wrong) {
        status = fail(path, wrong);
        goto out;
    }
    err = read_begin(&reader, &own, &record);
    if (err == 0)
        err = hbytes_append(words, record.begin.words, record.begin.words_len);
    if (err == 1)
        status = fail(path, "it is empty: name the targets to begin a scan");
    else if (err < 0)
        status = explain(path, err);
out:
    close(reader.fd);
    hbytes_deinit(&own);
    hbytes_deinit(&reader.text);
    return status;
}

/* ---- its records ----------------------------------------------------------------------------- */

int resume_file_each(resume_file_t *file, resume_record_cb cb, void *context)
{
    reader_t reader = {.fd = file->fd, .at = file->begin_len};
    resume_record_t record;
    const char *body;
    size_t len;
    int err = 0, status = 0;

    while (err == 0 && (err = next(&reader, &body, &len)) == 1) {
        err = resume_record_read(&record, body, len);
        if (err == 0)
            err = cb(context, &record);
        resume_record_deinit(&record);
        if (err == 0)
            drop(&reader, RESUME_HEAD_LEN + len);
    }
    if (err == HERR_SYNTAX)
        status = fail_at(file->path, reader.at);
    else if (err < 0)
        status = fail(file->path, herr_str(err));
    file->good_len = reader.at;
    hbytes_deinit(&reader.text);
    return status;
}

static int write_at(resume_file_t *file, const hbytes_t *text)
{
    size_t done = 0;

    if (file->good_len + text->len > RESUME_FILE_MAX)
        return -EFBIG;
    while (done < text->len) {
        ssize_t n =
            pwrite(file->fd, text->data + done, text->len - done, (off_t)(file->good_len + done));

        if (n < 0 && errno != EINTR)
            return -errno;
        done += n > 0 ? (size_t)n : 0;
    }
    return 0;
}

int resume_file_append(resume_file_t *file, const hbytes_t *records)
{
    int err = 0;

    if (!file->is_cut && ftruncate(file->fd, (off_t)file->good_len) < 0)
        return -errno;
    file->is_cut = true;
    if (file->good_len == 0) {
        hbytes_t all = {0};

        err = hbytes_append(&all, RESUME_MAGIC, RESUME_MAGIC_LEN);
        if (err == 0)
            err = hbytes_append(&all, records->data, records->len);
        if (err == 0)
            err = write_at(file, &all);
        file->good_len += err == 0 ? all.len : 0;
        hbytes_deinit(&all);
    } else {
        err = write_at(file, records);
        file->good_len += err == 0 ? records->len : 0;
    }
    if (err < 0 && ftruncate(file->fd, (off_t)file->good_len) < 0)
        file->is_cut = false; /* its reader passes over what is torn */
    return err;
}

/* ---- the end --------------------------------------------------------------------------------- */

bool resume_file_is(const resume_file_t *file, const char *path)
{
    struct stat ours, st;

    return fstat(file->fd, &ours) == 0 && stat(path, &st) == 0 && st.st_dev == ours.st_dev &&
           st.st_ino == ours.st_ino;
}

void resume_file_close(resume_file_t *file, bool removes)
{
    if (file == NULL)
        return;
    if (file->fd >= 0) {
        bool is_unused = !file->was_there && file->good_len == 0;

        if ((removes || is_unused) && resume_file_is(file, file->path))
            unlink(file->path);
        close(file->fd);
    }
    hbytes_deinit(&file->text);
    hmem_free(file->path);
    hmem_free(file);
}
