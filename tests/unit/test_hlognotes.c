/* One thread. */
#include "app/hlognotes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static char path[] = "/tmp/hnet-test-notes-XXXXXX";

static const char *content(void)
{
    static char text[1024];
    FILE *file = fopen(path, "re");
    size_t n;

    assert_non_null(file);
    n = fread(text, 1, sizeof(text) - 1, file);
    fclose(file);
    text[n] = '\0';
    return text;
}

static void a_storm_is_one_line_a_second(void **state)
{
    const hlogfile_options_t options = {.prefix = "x", .path = path};
    hlogfile_t file;
    hlognotes_t notes;

    (void)state;
    assert_int_equal(hlogfile_open(&file, &options), 0);
    assert_int_equal(hlognotes_init(&notes, &file), 0);
    hlog_write(notes.log, HLOG_INFO, "not wanted");
    for (int i = 0; i < 4; i++)
        hlog_write(notes.log, HLOG_WARN, "shed %d%%", i);
    assert_string_equal(strchr(content(), ' '), " WARN shed 0%\n");
    notes.told_ns -= UINT64_C(1000000000); /* a second has gone by */
    hlog_write(notes.log, HLOG_ERROR, "shed");
    assert_non_null(strstr(content(), " ERROR shed (3 more since the last time)\n"));
    notes.told_ns -= UINT64_C(1000000000);
    hlog_write(notes.log, HLOG_WARN, "again");
    assert_non_null(strstr(content(), " WARN again\n"));
    hlognotes_deinit(&notes);
    hlognotes_deinit(&notes);
    hlogfile_close(&file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_storm_is_one_line_a_second)};
    int fd = mkstemp(path), failed;

    if (fd < 0)
        return 1;
    close(fd);
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    unlink(path);
    return failed;
}
