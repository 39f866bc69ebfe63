/* What has come is written down before it is said to be there: after a crash some of it may come
 * again, but never is a range missing that the text has. */
#include "split_int.h"

#include "base/hfile.h"
#include "base/hmem.h"
#include "base/htime.h"
#include "event/hsignal.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PIECE_SIZE ((size_t)256 * 1024) /* read at once for the checksum */
#define NOT_NOTED "what has been downloaded cannot be written down"

const hopt_t split_rows[] = {
    HOPT_UINT(0, "split", split_options_t, parts, 1, SPLIT_PARTS_MAX,
              "download the file over N connections, and go on where that ended", .arg_name = "N"),
    HOPT_END,
};

void split__fail(split_t *split, int status, const char *text)
{
    if (split->status != 0)
        return;
    split->status = status;
    hbytes_clear(split->error);
    hbytes_append_str(split->error, text);
}

static int fail_file(split_t *split, const char *what, const char *path, int err)
{
    char text[512];

    snprintf(text, sizeof(text), "cannot %s %.400s: %s", what, path, herr_str(err));
    split__fail(split, STATUS_WRITE, text);
    return err;
}

void split__warn(split_t *split, const char *text)
{
    hprogress_clear(&split->progress);
    if (split->job->on_warning)
        split->job->on_warning(text, split->job->arg);
}

/* ---- the file that grows --------------------------------------------------------------------- */

static bool has_content(const split_t *split)
{
    struct stat st;

    return fstat(split->fd, &st) < 0 || st.st_size > 0;
}

static int refuse(split_t *split, const char *path)
{
    char text[512];

    snprintf(text, sizeof(text), "%.400s is there, and no plain file: --split does not replace it",
             path);
    split__fail(split, STATUS_WRITE, text);
    return -EEXIST;
}

/* A name is given to what has come in the end, so that it has to be known before whether that would
 * take the place of a device. */
static int check_places(split_t *split)
{
    struct stat st;

    if (stat(split->path, &st) == 0 && !S_ISREG(st.st_mode))
        return refuse(split, split->path);
    if (lstat(split->state_path, &st) == 0 && !S_ISREG(st.st_mode))
        return refuse(split, split->state_path);
    return 0;
}

/* Ours alone: two that write the same ranges would not notice each other. What an earlier run has
 * left has its notes beside it. */
static int open_part(split_t *split)
{
    unsigned mode = split->job->file_mode ? split->job->file_mode : 0666;
    char text[512];

    split->fd = hfile_open_alone(split->part_path, mode);
    if (split->fd == -EBUSY)
        split__fail(split, STATUS_WRITE, "another process is downloading this file");
    else if (split->fd < 0)
        fail_file(split, "open", split->part_path, split->fd);
    if (split->fd < 0)
        return split->fd;
    if (!has_content(split) || access(split->state_path, F_OK) == 0)
        return 0;
    snprintf(text, sizeof(text),
             "%.400s is there, and no notes beside it that it is of a download: it is not replaced",
             split->part_path);
    split__fail(split, STATUS_WRITE, text);
    return -EEXIST;
}

/* Room for all of it, so that a full disk is told now. */
static int allocate(split_t *split)
{
    int64_t size = split->state.size;
    int err = 0;

    if (ftruncate(split->fd, 0) < 0)
        err = -errno;
    if (err == 0 && size > 0) {
        err = -posix_fallocate(split->fd, 0, size);
        if (err == -EOPNOTSUPP || err == -EINVAL)
            err = ftruncate(split->fd, size) < 0 ? -errno : 0;
    }
    return err < 0 ? fail_file(split, "make", split->part_path, err) : 0;
}

/* Whether another run can tell that it is the same file. */
static bool can_go_on(const split_t *split)
{
    return split->ranged && split->known && split_state_validator(&split->state);
}

static void save(split_t *split)
{
    int err;

    if (!can_go_on(split))
        return;
    err = fdatasync(split->fd) < 0 ? -errno : split_state_write(&split->state, split->state_path);
    if (err < 0)
        split__warn(split, NOT_NOTED);
}

static void on_save(htimer_t *timer)
{
    save(hevent_userdata(timer));
}

int split__learned(split_t *split)
{
    int err;

    /* The notes first: a file without is nobody's. */
    if (split_state_write(&split->state, split->state_path) < 0)
        split__warn(split, NOT_NOTED);
    split->begun = true;
    err = allocate(split);
    if (err < 0) {
        split->known = false; /* there is nothing to go on with */
        return err;
    }
    split->result->size = split->state.size > 0 ? (uint64_t)split->state.size : 0;
    split->result->parts = (uint32_t)split->state.count;
    save(split);
    for (size_t i = 1; i < split->state.count; i++)
        split__segment_begin(&split->segments[i]);
    return 0;
}

/* ---- going on -------------------------------------------------------------------------------- */

/* Whether what an earlier run has left is of this URL, and as the text says. */
static bool is_usable(const split_t *split)
{
    const split_state_t *state = &split->state;
    struct stat st;

    return strcmp(state->url, split->job->transfer->url->text) == 0 && fstat(split->fd, &st) == 0 &&
           st.st_size == state->size && split_state_validator(state);
}

/* The server is asked for something in any case: whether the file is still the same. */
static void reopen_last(split_state_t *state)
{
    split_range_t *last = &state->ranges[state->count - 1];

    if (split_state_done(state) == state->size)
        last->next--;
}

static void go_on(split_t *split)
{
    if (split_state_read(&split->state, split->state_path) < 0)
        return;
    if (!is_usable(split)) {
        split_state_deinit(&split->state);
        return;
    }
    reopen_last(&split->state);
    split->known = split->ranged = true;
    split->modified_s = -1;
    split->result->found = (uint64_t)split_state_done(&split->state);
    split->result->size = (uint64_t)split->state.size;
}

static void begin(split_t *split)
{
    const char *url = split->job->transfer->url->text;
    uint32_t count = split->known ? split->job->parts : 1;

    if (!split->state.url)
        split->state.url = hmem_strdup(url);
    if (!split->state.url) {
        split__fail(split, STATUS_MEMORY, status_words(STATUS_MEMORY));
        hloop_stop(split->job->loop);
        return;
    }
    split->active++; /* until all have begun */
    for (uint32_t i = 0; i < count && split->status == 0; i++)
        split__segment_begin(&split->segments[i]);
    if (split->known)
        split->result->parts = split->active - 1;
    if (--split->active == 0)
        split__ended(split);
}

/* The file is another one: what has come is worth nothing. */
static void begin_anew(split_t *split)
{
    if (split->known && !split->whole && ++split->restarts > SPLIT_RESTARTS_MAX) {
        split__fail(split, STATUS_RANGE, "the file changes while it is downloaded");
        hloop_stop(split->job->loop);
        return;
    }
    if (split->known && !split->whole)
        split__warn(split, "The file has changed at the server. Downloading it from its start");
    split_state_deinit(&split->state);
    split->known = split->ranged = split->changed = false;
    split->result->found = split->result->downloaded = 0;
    begin(split);
}

void split__ended(split_t *split)
{
    if (split->changed && !split->leave && split->status == 0)
        begin_anew(split);
    else
        hloop_stop(split->job->loop);
}

static void on_signal(hsignal_t *sig)
{
    split_t *split = hevent_userdata(sig);

    split->leave = true;
    split->result->signo = hsignal_signo(sig);
    split__fail(split, STATUS_CANCELLED, "interrupted; the same command line goes on from here");
    split__stop(split);
}

static void run(split_t *split)
{
    hloop_t *loop = split->job->loop;
    htimer_t *saver = htimer_add(loop, on_save, SPLIT_SAVE_MS, INFINITE);
    hsignal_t *signals[] = {hsignal_add(loop, on_signal, SIGINT),
                            hsignal_add(loop, on_signal, SIGTERM)};

    if (saver)
        hevent_set_userdata(saver, split);
    for (int i = 0; i < 2; i++)
        if (signals[i])
            hevent_set_userdata(signals[i], split);
    hprogress_init(&split->progress, split->job->progress ? STDERR_FILENO : -1, split->job->path, 0,
                   htime_monotonic_ns());
    begin(split);
    hloop_run(loop);
    hprogress_clear(&split->progress);
    htimer_del(saver);
    hsignal_del(signals[0]);
    hsignal_del(signals[1]);
}

/* ---- the end --------------------------------------------------------------------------------- */

static int sum_up(split_t *split, checksum_t *sum)
{
    char *piece = hmem_alloc(PIECE_SIZE);
    int64_t at = 0;
    ssize_t n = piece ? 1 : -1;
    int err = piece ? 0 : -ENOMEM;

    while (err == 0 && n > 0) {
        n = pread(split->fd, piece, PIECE_SIZE, at);
        if (n < 0)
            err = -errno;
        else if (n > 0)
            err = checksum_add(sum, piece, (size_t)n);
        at += n;
    }
    hmem_free(piece);
    return err;
}

static void compare_checksum(split_t *split)
{
    const checksum_value_t *expected = &split->job->checksum;
    char wanted[CHECKSUM_TEXT_SIZE], found[CHECKSUM_TEXT_SIZE], text[512];
    uint8_t bytes[CHECKSUM_MAX];
    checksum_t *sum = NULL;
    int err;

    if (expected->hash == CHECKSUM_NONE)
        return;
    err = checksum_new(expected->hash, &sum);
    if (err == 0)
        err = sum_up(split, sum);
    if (err == 0)
        err = checksum_end(sum, bytes);
    checksum_free(sum);
    if (err < 0) {
        snprintf(text, sizeof(text), "the checksum %s cannot be computed: %s",
                 checksum_name(expected->hash), herr_str(err));
        split__fail(split, err == HERR_UNSUPPORTED ? STATUS_NOT_BUILT_IN : STATUS_WRITE, text);
    } else if (memcmp(bytes, expected->bytes, checksum_size(expected->hash)) != 0) {
        snprintf(text, sizeof(text), "the %s checksum is %s and not %s, as expected",
                 checksum_name(expected->hash), checksum_format(expected->hash, bytes, found),
                 checksum_format(expected->hash, expected->bytes, wanted));
        split__fail(split, STATUS_CHECKSUM, text);
    }
}

static void set_time(const split_t *split)
{
    struct timespec times[2] = {{.tv_nsec = UTIME_NOW}, {.tv_sec = split->modified_s}};

    if (split->job->remote_time && split->modified_s >= 0)
        futimens(split->fd, times);
}

/* The file gets its name. */
static void finish(split_t *split)
{
    struct stat st;

    if (split_state_done(&split->state) != split->state.size || fstat(split->fd, &st) < 0 ||
        st.st_size != split->state.size)
        split__fail(split, STATUS_PARTIAL, "the file is not as long as the server said");
    if (split->status == 0)
        compare_checksum(split);
    if (split->status != 0)
        return;
    set_time(split);
    if (rename(split->part_path, split->path) < 0)
        fail_file(split, "make", split->path, -errno);
    else
        unlink(split->state_path);
}

/* What cannot be gone on with is not left lying about. */
static void tidy(split_t *split)
{
    if (split->status == 0 || split->fd < 0)
        return;
    if (can_go_on(split) && split->status != STATUS_CHECKSUM) {
        save(split);
        return;
    }
    if (!split->begun && has_content(split)) /* of an earlier run */
        return;
    unlink(split->part_path);
    unlink(split->state_path);
}

/* ---- public ---------------------------------------------------------------------------------- */

static bool is_fit(const http_transfer_options_t *t)
{
    return !t->body && !t->no_body && !t->put && !t->range && t->resume_from == 0 && !t->raw &&
           (!t->method || strcmp(t->method, "GET") == 0);
}

/* A link stays a link. */
static char *place_of(const char *path)
{
    char *real = realpath(path, NULL);
    char *place;
    struct stat st;

    if (real == NULL || lstat(path, &st) < 0 || !S_ISLNK(st.st_mode))
        place = hmem_strdup(path);
    else
        place = hmem_strdup(real);
    free(real);
    return place;
}

static int prepare(split_t *split)
{
    const split_job_t *job = split->job;
    hbytes_t part = {0}, state = {0};
    size_t count = job->transfer->field_count;
    int err;

    split->path = place_of(job->path);
    err = split->path == NULL ? -ENOMEM : hbytes_printf(&part, "%s.part", split->path);
    if (err == 0)
        err = hbytes_printf(&state, "%s.part.ranges", split->path);
    split->part_path = hbytes_take(&part, NULL);
    split->state_path = hbytes_take(&state, NULL);
    split->fields = hmem_array(count + 1, sizeof(*split->fields));
    if (err < 0 || !split->fields) {
        split__fail(split, STATUS_MEMORY, status_words(STATUS_MEMORY));
        return -ENOMEM;
    }
    if (count > 0)
        memcpy(split->fields, job->transfer->fields, count * sizeof(*split->fields));
    for (size_t i = 0; i < SPLIT_PARTS_MAX; i++)
        split->segments[i].split = split;
    return check_places(split) == 0 ? open_part(split) : -EEXIST;
}

int split_run(const split_job_t *job, split_result_t *result, hbytes_t *error)
{
    split_t *split;
    int status;

    memset(result, 0, sizeof(*result));
    split = is_fit(job->transfer) ? hmem_zalloc(sizeof(*split)) : NULL;
    if (!split) {
        status = is_fit(job->transfer) ? STATUS_MEMORY : STATUS_USAGE;
        hbytes_append_str(error, status == STATUS_USAGE ? "--split is for a plain GET of a file"
                                                        : status_words(status));
        return status;
    }
    *split = (split_t){.job = job, .result = result, .error = error, .fd = -1, .modified_s = -1};
    if (prepare(split) == 0) {
        go_on(split);
        run(split);
        if (split->status == 0)
            finish(split);
        tidy(split);
    }
    status = split->status;
    if (split->fd >= 0)
        close(split->fd);
    for (size_t i = 0; i < SPLIT_PARTS_MAX; i++)
        hbytes_deinit(&split->segments[i].why);
    split_state_deinit(&split->state);
    hmem_free(split->path);
    hmem_free(split->part_path);
    hmem_free(split->state_path);
    hmem_free(split->fields);
    hmem_free(split);
    return status;
}
