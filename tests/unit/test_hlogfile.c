/* One thread. */
#include "app/hlogfile.h"

#include <dirent.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <time.h>

#include <cmocka.h>

#include "folder_fixture.h"

static char path[128];

static int begin(void **state)
{
    if (folder_make(state) < 0)
        return -1;
    snprintf(path, sizeof(path), "%s/x.log", ((const folder_t *)*state)->path);
    return 0;
}

static const char *content(const char *name)
{
    static char text[16384];
    int fd = open(name, O_RDONLY | O_CLOEXEC);
    ssize_t n = read(fd, text, sizeof(text) - 1);

    close(fd);
    assert_true(n >= 0);
    text[n] = '\0';
    return text;
}

/* The name of the moved file that is younger than some days, or NULL. */
static const char *moved(const folder_t *folder)
{
    static char name[512];
    DIR *dir = opendir(folder->path);
    struct dirent *entry;
    const char *found = NULL;

    assert_non_null(dir);
    while ((entry = readdir(dir)) != NULL) {
        if (strncmp(entry->d_name, "x.log.", 6) == 0 && strlen(entry->d_name) == 21 &&
            strncmp(entry->d_name, "x.log.2000", 10) != 0) {
            snprintf(name, sizeof(name), "%s/%s", folder->path, entry->d_name);
            found = name;
        }
    }
    closedir(dir);
    return found;
}

static void a_message_is_one_line_with_time_and_level(void **state)
{
    const hlogfile_options_t options = {.prefix = "x", .path = path, .level = HLOG_INFO};
    hbytes_t lines = {0};
    hlogfile_t log;

    (void)state;
    assert_int_equal(hlogfile_open(&log, &options), 0);
    assert_true(hlogfile_is_file(&log));
    assert_false(hlogfile_rotates(&log));
    hlogfile_say(&log, HLOG_DEBUG, "not wanted");
    hlogfile_say(&log, HLOG_WARN, "%s", "a\nb\033[1m");
    assert_int_equal(strspn(content(path), "0123456789-T:.+"),
                     strlen("2026-11-21T16:45:01.123+0100"));
    assert_string_equal(strchr(content(path), ' '), " WARN a\\nb\\x1b[1m\n");
    hbytes_append_str(&lines, "one\n\ntwo\n");
    hlogfile_say_lines(&log, HLOG_ERROR, &lines);
    assert_non_null(strstr(content(path), " ERROR one\n"));
    assert_non_null(strstr(content(path), " ERROR two\n"));
    hlogfile_close(&log);
    hlogfile_close(&log);
    hlogfile_say(&log, HLOG_ERROR, "nowhere");
    hbytes_deinit(&lines);
}

static void a_long_message_is_cut_and_still_a_line(void **state)
{
    const hlogfile_options_t options = {.prefix = "x", .path = path};
    static char text[20000];
    hlogfile_t log;

    (void)state;
    memset(text, '\t', sizeof(text) - 1); /* each becomes two */
    assert_int_equal(hlogfile_open(&log, &options), 0);
    hlogfile_say(&log, HLOG_INFO, "%s", text);
    hlogfile_close(&log);
    assert_true(strlen(content(path)) > 4000);
    assert_ptr_equal(strchr(content(path), '\n'), content(path) + strlen(content(path)) - 1);
}

static void on_stderr_and_stdout_the_name_is_in_front(void **state)
{
    hlogfile_options_t options = {.prefix = "hx"};
    hlogfile_t log;
    int saved = dup(STDERR_FILENO), fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

    (void)state;
    assert_int_equal(dup2(fd, STDERR_FILENO), STDERR_FILENO);
    assert_int_equal(hlogfile_open(&log, &options), 0);
    hlogfile_say(&log, HLOG_INFO, "hello");
    hlogfile_close(&log);
    assert_int_equal(dup2(saved, STDERR_FILENO), STDERR_FILENO); /* which is still open */
    assert_string_equal(content(path), "hx: hello\n");
    options.path = "-";
    assert_int_equal(hlogfile_open(&log, &options), 0);
    assert_int_equal(log.fd, STDOUT_FILENO);
    assert_false(hlogfile_is_file(&log));
    hlogfile_close(&log);
    close(saved);
    close(fd);
}

/* What can be read now; text in static memory. */
static const char *drain(int fd)
{
    static char text[1 << 18];
    size_t len = 0;
    ssize_t n;

    while ((n = read(fd, text + len, sizeof(text) - 1 - len)) > 0)
        len += (size_t)n;
    text[len] = '\0';
    return text;
}

static void a_pipe_that_nobody_reads_holds_nobody_up(void **state)
{
    const hlogfile_options_t options = {.prefix = "x", .path = path};
    char lost[80];
    unsigned told;
    const char *text;
    hlogfile_t log;
    int fd;

    (void)state;
    assert_int_equal(mkfifo(path, 0600), 0);
    fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    assert_int_equal(hlogfile_open(&log, &options), 0);
    alarm(60);
    for (int i = 0; i < 10000; i++)
        hlogfile_say(&log, HLOG_INFO, "message");
    alarm(0);
    text = drain(fd);
    for (told = 0; (text = strstr(text, " INFO message\n")) != NULL; told++)
        text++;
    assert_in_range(told, 1, 9999);
    hlogfile_say(&log, HLOG_INFO, "the next");
    snprintf(lost, sizeof(lost), " WARN %u lines before this one were lost\n", 10000 - told);
    text = strstr(drain(fd), lost);
    assert_non_null(text);
    assert_non_null(strstr(text, " INFO the next\n"));
    hlogfile_say(&log, HLOG_INFO, "and one more");
    assert_null(strstr(drain(fd), "lost"));
    hlogfile_close(&log);
    close(fd);
}

/* A descriptor that others have, too: it stays as it is. */
static void lines_for_a_pipe_are_written_whole_or_lost(void **state)
{
    char lines[100 * 1000];
    const char *text;
    size_t lost, len;
    int fds[2];

    (void)state;
    for (size_t i = 0; i < sizeof(lines); i++)
        lines[i] = i % 100 == 99 ? '\n' : 'x';
    assert_int_equal(pipe(fds), 0);
    alarm(60);
    lost = hlogfile_write(fds[1], lines, sizeof(lines));
    alarm(0);
    assert_in_range(lost, 1, 999);
    assert_int_equal(fcntl(fds[1], F_GETFL) & O_NONBLOCK, 0);
    fcntl(fds[0], F_SETFL, O_NONBLOCK);
    text = drain(fds[0]);
    len = strlen(text);
    assert_int_equal(len, (1000 - lost) * 100);
    assert_int_equal(text[len - 1], '\n');
    assert_int_equal(hlogfile_write(fds[1], "a\n", 2), 0);
    close(fds[0]);
    close(fds[1]);
}

static void what_cannot_be_opened_is_told(void **state)
{
    const hlogfile_options_t options = {.prefix = "x", .path = "/nosuch/x.log"};
    hlogfile_t log;

    (void)state;
    assert_int_equal(hlogfile_open(&log, &options), -ENOENT);
    assert_int_equal(log.fd, -1);
}

static void a_large_file_is_moved_and_opened_anew(void **state)
{
    const folder_t *folder = *state;
    const hlogfile_options_t options = {.prefix = "x", .path = path, .size_max = 100};
    hlogfile_t log;

    folder_write(folder, "x.log", "not yet large\n");
    assert_int_equal(hlogfile_open(&log, &options), 0);
    assert_true(hlogfile_rotates(&log));
    assert_false(hlogfile_rotate(&log, &log));
    hlogfile_say(&log, HLOG_INFO, "%0100d", 0);
    assert_true(hlogfile_rotate(&log, &log));
    assert_int_equal(access(path, F_OK), -1);
    hlogfile_say(&log, HLOG_INFO, "still here"); /* for those who have it open */
    assert_non_null(strstr(content(moved(folder)), "not yet large"));
    assert_non_null(strstr(content(moved(folder)), "still here"));
    hlogfile_close(&log);
}

static void a_file_opened_anew_has_the_old_ones_descriptor(void **state)
{
    const hlogfile_options_t options = {.prefix = "x", .path = path};
    char old[sizeof(path) + 4];
    hlogfile_t log;
    int fd;

    (void)state;
    snprintf(old, sizeof(old), "%s.old", path);
    assert_int_equal(hlogfile_open(&log, &options), 0);
    fd = log.fd;
    assert_int_equal(rename(path, old), 0);
    hlogfile_say(&log, HLOG_INFO, "one");
    assert_int_equal(hlogfile_reopen(&log), 0);
    assert_int_equal(log.fd, fd);
    assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
    hlogfile_say(&log, HLOG_INFO, "two");
    assert_non_null(strstr(content(old), "INFO one\n"));
    assert_null(strstr(content(old), "two"));
    assert_non_null(strstr(content(path), "INFO two\n"));

    assert_int_equal(unlink(path), 0);
    assert_int_equal(mkdir(path, 0700), 0);
    assert_int_equal(hlogfile_reopen(&log), -EISDIR);
    assert_int_equal(log.fd, fd);
    assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
    hlogfile_close(&log);
    assert_int_equal(hlogfile_reopen(&log), 0); /* of none */
    assert_int_equal(log.fd, -1);
}

/* At the start, too: the server did not run at midnight. */
static void a_file_of_yesterday_is_moved_and_old_ones_go(void **state)
{
    const folder_t *folder = *state;
    const hlogfile_options_t options = {.prefix = "x", .path = path, .keep_days = 3};
    const struct timespec yesterday[2] = {{.tv_sec = time(NULL) - 86400},
                                          {.tv_sec = time(NULL) - 86400}};
    const struct timespec old[2] = {{.tv_sec = time(NULL) - 4 * 86400},
                                    {.tv_sec = time(NULL) - 4 * 86400}};
    hlogfile_t log;

    folder_write(folder, "x.log", "yesterday\n");
    folder_write(folder, "x.log.20000101-000000", "old\n");
    folder_write(folder, "x.log.20000102-000000", "not so old\n");
    folder_write(folder, "x.log.2000", "somebody else's\n");
    assert_int_equal(utimensat(folder->fd, "x.log", yesterday, 0), 0);
    assert_int_equal(utimensat(folder->fd, "x.log.20000101-000000", old, 0), 0);
    assert_int_equal(utimensat(folder->fd, "x.log.20000102-000000", yesterday, 0), 0);
    assert_int_equal(utimensat(folder->fd, "x.log.2000", old, 0), 0);
    assert_int_equal(hlogfile_open(&log, &options), 0);
    assert_string_equal(content(path), "");
    assert_string_equal(content(moved(folder)), "yesterday\n");
    assert_int_equal(faccessat(folder->fd, "x.log.20000101-000000", F_OK, 0), -1);
    assert_int_equal(faccessat(folder->fd, "x.log.20000102-000000", F_OK, 0), 0);
    assert_int_equal(faccessat(folder->fd, "x.log.2000", F_OK, 0), 0);
    hlogfile_say(&log, HLOG_INFO, "today");
    assert_false(hlogfile_rotate(&log, &log));
    hlogfile_close(&log);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, begin, folder_remove)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_message_is_one_line_with_time_and_level),
        TEST(a_long_message_is_cut_and_still_a_line),
        TEST(on_stderr_and_stdout_the_name_is_in_front),
        TEST(a_pipe_that_nobody_reads_holds_nobody_up),
        TEST(lines_for_a_pipe_are_written_whole_or_lost),
        TEST(what_cannot_be_opened_is_told),
        TEST(a_large_file_is_moved_and_opened_anew),
        TEST(a_file_opened_anew_has_the_old_ones_descriptor),
        TEST(a_file_of_yesterday_is_moved_and_old_ones_go),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
