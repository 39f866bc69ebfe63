/* One thread. */
/* The file of --resume: torn, damaged, of somebody else, none at all. */
#include "../../cmd/hnmap/resume_file.h"

#include "base/herr.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "oom.h"

static const char words[] = "--resume\0f\0-p\0001-9\0"
                            "127.0.0.1";

static char folder[] = "/tmp/hnmap_resume_XXXXXX";
static char path[64], other[64];
static int real_stderr;

/* What it says goes into a file. */
static int set_up(void **state)
{
    int fd;

    (void)state;
    if (mkdtemp(folder) == NULL)
        return -1;
    snprintf(path, sizeof(path), "%s/scan", folder);
    snprintf(other, sizeof(other), "%s/said", folder);
    real_stderr = dup(STDERR_FILENO);
    fd = open(other, O_RDWR | O_CREAT | O_TRUNC | O_APPEND, 0600);
    dup2(fd, STDERR_FILENO);
    close(fd);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    dup2(real_stderr, STDERR_FILENO);
    close(real_stderr);
    unlink(path);
    unlink(other);
    return rmdir(folder);
}

/* Whether it was said since the last time. */
static bool is_said(const char *text)
{
    char said[4096];
    ssize_t n;

    n = pread(STDERR_FILENO, said, sizeof(said) - 1, 0);
    said[n > 0 ? n : 0] = '\0';
    assert_int_equal(ftruncate(STDERR_FILENO, 0), 0);
    return strstr(said, text) != NULL;
}

typedef struct seen_s {
    unsigned count;
    uint64_t last;
} seen_t;

static int see(void *context, const resume_record_t *record)
{
    seen_t *seen = context;

    seen->count++;
    seen->last = record->position;
    return record->position == 666 ? HERR_SYNTAX : 0;
}

/* Records from `first` on: BEGIN when that is 0, then UP with their number. */
static void append(resume_file_t *file, unsigned first, unsigned end)
{
    hbytes_t text = {0};

    for (unsigned i = first; i < end; i++) {
        resume_record_t record;

        record = (resume_record_t){.kind = i == 0 ? RESUME_BEGIN : RESUME_UP, .position = i};
        if (i == 0)
            record.begin =
                (resume_begin_t){.seed = UINT64_MAX, .words = words, .words_len = sizeof(words)};
        else
            record.up = (resume_up_t){.reason = REASON_RESET, .ping_port = 443};
        assert_int_equal(resume_record_write(&text, &record), 0);
    }
    assert_int_equal(resume_file_append(file, &text), 0);
    hbytes_deinit(&text);
}

/* A file of so many records; its length. */
static off_t make(unsigned count)
{
    resume_file_t *file;
    struct stat st;

    unlink(path);
    assert_int_equal(resume_file_open(path, &file), 0);
    assert_null(resume_file_begin(file));
    append(file, 0, count);
    resume_file_close(file, false);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    return st.st_size;
}

static void a_file_comes_back(void **state)
{
    resume_file_t *file, *second;
    hbytes_t line = {0};
    seen_t seen = {0};

    (void)state;
    make(5);
    assert_int_equal(resume_file_open(path, &file), 0);
    assert_true(resume_file_begin(file)->seed == UINT64_MAX);
    assert_int_equal(resume_file_each(file, see, &seen), 0);
    assert_int_equal(seen.count, 4);
    append(file, 5, 9);
    assert_int_equal(resume_file_open(path, &second), 1);
    assert_true(is_said("another scan has it"));
    resume_file_close(file, false);
    assert_int_equal(resume_file_open(path, &file), 0);
    seen = (seen_t){0};
    assert_int_equal(resume_file_each(file, see, &seen), 0);
    assert_int_equal(seen.count, 8);
    assert_int_equal(seen.last, 8);
    assert_true(resume_file_is(file, path));
    assert_false(resume_file_is(file, other));
    assert_int_equal(resume_file_command(path, &line), 0);
    assert_int_equal(line.len, sizeof(words));
    assert_memory_equal(line.data, words, sizeof(words));
    resume_file_close(file, true);
    assert_int_equal(access(path, F_OK), -1);
    hbytes_deinit(&line);
}

/* However far the last one got, those before it are there, and the next goes behind them. */
static void a_torn_end_is_cut_off(void **state)
{
    off_t begin = make(1), whole = make(3), last = make(4);

    (void)state;
    for (off_t len = whole; len < last; len++) {
        resume_file_t *file;
        seen_t seen = {0};
        struct stat st;

        make(4);
        assert_int_equal(truncate(path, len), 0);
        if (len % 2) /* the length was written, what is in it was not */
            assert_int_equal(truncate(path, last), 0);
        assert_int_equal(resume_file_open(path, &file), 0);
        assert_int_equal(resume_file_each(file, see, &seen), 0);
        assert_int_equal(seen.count, 2);
        stat(path, &st);
        assert_int_equal(st.st_size, len % 2 ? last : len);
        append(file, 3, 4);
        resume_file_close(file, false);
        stat(path, &st);
        assert_int_equal(st.st_size, last);
    }
    for (off_t len = 1; len < begin; len++) {
        resume_file_t *file;

        make(4);
        assert_int_equal(truncate(path, len), 0);
        assert_int_equal(resume_file_open(path, &file), 1);
        assert_true(is_said("not even begun"));
    }
}

static void damage_is_told_with_its_place(void **state)
{
    off_t first = make(1), second = make(2), third = make(3);
    int fd = open(path, O_RDWR);

    (void)state;
    for (off_t at = 0; at < third; at++) {
        resume_file_t *file;
        seen_t seen = {0};
        char byte, said[64];

        assert_int_equal(pread(fd, &byte, 1, at), 1);
        byte ^= 0x40;
        assert_int_equal(pwrite(fd, &byte, 1, at), 1);
        snprintf(said, sizeof(said), "damaged at byte %jd", (intmax_t)first);
        if (at < first) {
            assert_int_equal(resume_file_open(path, &file), 1);
            if (!is_said("no file that this version of hnmap keeps a scan in"))
                fail_msg("not said of byte %jd", (intmax_t)at);
        } else {
            assert_int_equal(resume_file_open(path, &file), 0);
            /* The last one may not have been written to its end. */
            assert_int_equal(resume_file_each(file, see, &seen), at < second + RESUME_HEAD_LEN);
            if (at < second)
                assert_true(is_said(said));
            resume_file_close(file, false);
            (void)is_said("");
        }
        byte ^= 0x40;
        assert_int_equal(pwrite(fd, &byte, 1, at), 1);
    }
    close(fd);
}

static void a_record_that_is_out_of_place_is_damage(void **state)
{
    resume_file_t *file;
    seen_t seen = {0};

    (void)state;
    make(1);
    assert_int_equal(resume_file_open(path, &file), 0);
    assert_int_equal(resume_file_each(file, see, &seen), 0);
    append(file, 666, 668);
    assert_int_equal(resume_file_each(file, see, &seen), 1);
    assert_true(is_said("damaged at byte"));
    assert_int_equal(seen.count, 1);
    resume_file_close(file, false);
}

static void assert_refused(const char *why)
{
    resume_file_t *file = NULL;
    hbytes_t line = {0};

    assert_int_equal(resume_file_open(path, &file), 1);
    assert_null(file);
    if (!is_said(why))
        fail_msg("it does not say '%s'", why);
    assert_int_equal(resume_file_command(path, &line), 1);
    assert_int_equal(line.len, 0);
    assert_true(is_said("hnmap: --resume '"));
}

static void write_text(const char *text)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    close(fd);
}

static void what_is_no_file_of_a_scan_is_left_alone(void **state)
{
    struct stat st;
    char text[64] = {0};
    int fd;

    (void)state;
    unlink(path);
    write_text("# hosts\n10.0.0.1\n10.0.0.2\n");
    assert_refused("no file that this version");
    fd = open(path, O_RDONLY);
    assert_true(read(fd, text, sizeof(text) - 1) > 0);
    close(fd);
    assert_string_equal(text, "# hosts\n10.0.0.1\n10.0.0.2\n");
    write_text("hnmap scan 2\n the next version's");
    assert_refused("no file that this version");

    make(2);
    assert_int_equal(chmod(path, 0620), 0);
    assert_refused("others may write to it");
    unlink(path);
    assert_int_equal(symlink(other, path), 0);
    assert_refused("symbolic link");
    unlink(path);
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_refused("no plain file");
    unlink(path);
    assert_int_equal(mkdir(path, 0700), 0);
    assert_refused("no plain file");
    assert_int_equal(stat(path, &st), 0);
    rmdir(path);
}

/* One that came to nothing leaves nothing; one that was empty before stays. */
static void a_file_without_a_scan_is_not_left_behind(void **state)
{
    resume_file_t *file;

    (void)state;
    unlink(path);
    assert_int_equal(resume_file_open(path, &file), 0);
    assert_int_equal(access(path, F_OK), 0);
    resume_file_close(file, false);
    assert_int_equal(access(path, F_OK), -1);
    write_text("");
    assert_int_equal(resume_file_open(path, &file), 0);
    assert_null(resume_file_begin(file));
    resume_file_close(file, false);
    assert_int_equal(access(path, F_OK), 0);
}

static int open_and_read(void *arg)
{
    resume_file_t *file = NULL;
    seen_t seen = {0};
    int status = resume_file_open(path, &file);

    (void)arg;
    if (status == 0)
        status = resume_file_each(file, see, &seen);
    resume_file_close(file, false);
    return status == 0 ? 0 : -ENOMEM;
}

static void a_file_without_memory(void **state)
{
    (void)state;
    make(5);
    oom_run(open_and_read, NULL);
    assert_false(is_said("damaged"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_file_comes_back),
        cmocka_unit_test(a_torn_end_is_cut_off),
        cmocka_unit_test(damage_is_told_with_its_place),
        cmocka_unit_test(a_record_that_is_out_of_place_is_damage),
        cmocka_unit_test(what_is_no_file_of_a_scan_is_left_alone),
        cmocka_unit_test(a_file_without_a_scan_is_not_left_behind),
        cmocka_unit_test(a_file_without_memory),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
