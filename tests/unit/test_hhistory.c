/* One thread. */
#include "app/hhistory.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
/* cmocka wants the first of these before it */
#include <cmocka.h>

#include "base/herr.h"
#include "oom.h"

typedef struct place_s {
    char folder[64];
    char path[128]; /* two folders deeper, which do not exist */
} place_t;

static int make_place(void **state)
{
    static place_t place;

    snprintf(place.folder, sizeof(place.folder), "/tmp/hhistory.XXXXXX");
    assert_non_null(mkdtemp(place.folder));
    snprintf(place.path, sizeof(place.path), "%s/state/x/history", place.folder);
    *state = &place;
    return 0;
}

static int remove_place(void **state)
{
    const place_t *place = *state;
    char command[128];

    snprintf(command, sizeof(command), "rm -rf '%s'", place->folder);
    return system(command);
}

static void put(const char *path, const char *text, size_t len)
{
    FILE *file = fopen(path, "w");

    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, len, file), len);
    fclose(file);
}

static const char *content(const char *path)
{
    static char text[65536];
    FILE *file = fopen(path, "r");
    size_t n;

    assert_non_null(file);
    n = fread(text, 1, sizeof(text) - 1, file);
    text[n] = '\0';
    fclose(file);
    return text;
}

/* One program's life: it types these lines. */
static int type(const char *path, size_t max, const char *const *lines)
{
    hhistory_t h;
    int err;

    hhistory_init(&h, max);
    err = hhistory_load(&h, path);
    for (; err >= 0 && *lines; lines++)
        err = hhistory_add(&h, *lines);
    if (err >= 0)
        err = hhistory_save(&h, path);
    hhistory_deinit(&h);
    return err;
}

#define TYPE(path, max, ...) type(path, max, (const char *const[]){__VA_ARGS__, NULL})

static void lines_come_back_in_a_file_of_the_owner_alone(void **state)
{
    const place_t *place = *state;
    struct stat st;
    char dir[128];

    assert_int_equal(TYPE(place->path, 0, "one", "two"), 0);
    assert_int_equal(TYPE(place->path, 0, "three"), 0);
    assert_string_equal(content(place->path), "one\ntwo\nthree\n");
    assert_int_equal(stat(place->path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    snprintf(dir, sizeof(dir), "%s/state/x", place->folder);
    assert_int_equal(stat(dir, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0700);
}

static void what_is_empty_secret_or_the_same_is_not_kept(void **state)
{
    const place_t *place = *state;

    assert_int_equal(TYPE(place->path, 0, "a", "a", "", " password", "b", "a"), 0);
    assert_int_equal(TYPE(place->path, 0, "a", "c"), 0);
    assert_string_equal(content(place->path), "a\nb\na\nc\n");
}

static void the_newest_are_kept_up_to_the_bound(void **state)
{
    const place_t *place = *state;
    hhistory_t h;

    assert_int_equal(TYPE(place->path, 3, "1", "2", "3", "4", "5"), 0);
    assert_string_equal(content(place->path), "3\n4\n5\n");
    hhistory_init(&h, 2);
    assert_int_equal(hhistory_load(&h, place->path), 0);
    assert_int_equal(h.count, 2);
    assert_string_equal(h.lines[0], "4");
    assert_int_equal(h.fresh, 0);
    hhistory_deinit(&h);
}

static void an_entry_may_hold_line_feeds_and_backslashes(void **state)
{
    const place_t *place = *state;
    hhistory_t h;

    assert_int_equal(TYPE(place->path, 0, "a\nb", "c\\nd", "e\\"), 0);
    assert_string_equal(content(place->path), "a\\nb\nc\\\\nd\ne\\\\\n");
    hhistory_init(&h, 0);
    assert_int_equal(hhistory_load(&h, place->path), 0);
    assert_int_equal(h.count, 3);
    assert_string_equal(h.lines[0], "a\nb");
    assert_string_equal(h.lines[1], "c\\nd");
    assert_string_equal(h.lines[2], "e\\");
    hhistory_deinit(&h);
}

static void several_programs_lose_nothing(void **state)
{
    const place_t *place = *state;
    hhistory_t a, b;

    hhistory_init(&a, 0);
    hhistory_init(&b, 0);
    assert_int_equal(hhistory_load(&a, place->path), 0);
    assert_int_equal(hhistory_load(&b, place->path), 0);
    assert_int_equal(hhistory_add(&a, "from a"), 1);
    assert_int_equal(hhistory_add(&b, "from b"), 1);
    assert_int_equal(hhistory_save(&a, place->path), 0);
    assert_int_equal(hhistory_save(&b, place->path), 0);
    assert_int_equal(hhistory_save(&b, place->path), 0);
    assert_string_equal(content(place->path), "from a\nfrom b\n");
    hhistory_deinit(&a);
    hhistory_deinit(&b);
}

static void many_at_the_same_time_lose_nothing(void **state)
{
    enum { PROGRAMS = 16 };
    const place_t *place = *state;
    size_t lines = 0;

    for (int i = 0; i < PROGRAMS; i++) {
        char text[32];

        snprintf(text, sizeof(text), "program %d", i);
        if (fork() == 0)
            _exit(TYPE(place->path, 0, text) == 0 ? 0 : 1);
    }
    for (int i = 0; i < PROGRAMS; i++) {
        int status;

        assert_true(wait(&status) > 0);
        assert_int_equal(status, 0);
    }
    for (const char *c = content(place->path); *c; c++)
        lines += *c == '\n';
    assert_int_equal(lines, PROGRAMS);
}

static void what_is_no_history_is_told_and_left_as_it_is(void **state)
{
    const place_t *place = *state;
    char path[128];

    snprintf(path, sizeof(path), "%s/file", place->folder);
    put(path, "a\0b\n", 4);
    assert_int_equal(TYPE(path, 0, "x"), -EINVAL);
    assert_int_equal(content(path)[0], 'a');
    assert_int_equal(TYPE(place->folder, 0, "x"), -EISDIR);
    assert_int_equal(TYPE("/dev/null", 0, "x"), -EINVAL);
    snprintf(path, sizeof(path), "%s/file/below", place->folder);
    assert_int_equal(TYPE(path, 0, "x"), -ENOTDIR);
    snprintf(path, sizeof(path), "%s/loop", place->folder);
    assert_int_equal(symlink(path, path), 0);
    assert_int_equal(TYPE(path, 0, "x"), -ELOOP);
}

static void a_file_beyond_the_bound_is_refused(void **state)
{
    const place_t *place = *state;
    char path[128];

    snprintf(path, sizeof(path), "%s/file", place->folder);
    put(path, "x\n", 2);
    assert_int_equal(truncate(path, (off_t)HHISTORY_FILE_MAX + 1), 0);
    assert_int_equal(TYPE(path, 0, "x"), -EFBIG);
}

/* Pastes of a megabyte are entries like any other; each backslash takes two bytes in the file. */
static void what_is_saved_can_be_read_again_however_long_its_entries_are(void **state)
{
    const place_t *place = *state;
    size_t size = HHISTORY_FILE_MAX / 4;
    char *text = malloc(size + 1);
    hhistory_t h;

    assert_non_null(text);
    memset(text, '\\', size);
    text[size] = '\0';
    hhistory_init(&h, 0);
    for (char c = 'a'; c <= 'd'; c++) {
        text[0] = c;
        assert_int_equal(hhistory_add(&h, text), 1);
    }
    assert_int_equal(hhistory_add(&h, "last"), 1);
    assert_int_equal(hhistory_save(&h, place->path), 0);
    hhistory_deinit(&h);
    assert_int_equal(hhistory_load(&h, place->path), 0);
    assert_int_equal(h.count, 2);
    assert_int_equal(h.lines[0][0], 'd');
    assert_int_equal(strlen(h.lines[0]), size);
    assert_string_equal(h.lines[1], "last");
    hhistory_deinit(&h);
    free(text);
}

static void a_link_stays_a_link(void **state)
{
    const place_t *place = *state;
    char path[128], link[128];
    struct stat st;

    snprintf(path, sizeof(path), "%s/file", place->folder);
    snprintf(link, sizeof(link), "%s/link", place->folder);
    put(path, "old\n", 4);
    assert_int_equal(symlink(path, link), 0);
    assert_int_equal(TYPE(link, 0, "new"), 0);
    assert_int_equal(lstat(link, &st), 0);
    assert_true(S_ISLNK(st.st_mode));
    assert_string_equal(content(path), "old\nnew\n");
}

static void the_place_is_that_of_the_xdg_specification(void **state)
{
    hbytes_t path = {0};

    (void)state;
    setenv("XDG_STATE_HOME", "/s", 1);
    setenv("HOME", "/h", 1);
    assert_int_equal(hhistory_path(&path, "hnc"), 0);
    assert_string_equal(path.data, "/s/hnc/history");
    setenv("XDG_STATE_HOME", "relative", 1);
    hbytes_clear(&path);
    assert_int_equal(hhistory_path(&path, "hnc"), 0);
    assert_string_equal(path.data, "/h/.local/state/hnc/history");
    unsetenv("XDG_STATE_HOME");
    unsetenv("HOME");
    assert_int_equal(hhistory_path(&path, "hnc"), -ENOENT);
    hbytes_deinit(&path);
}

static int life(void *arg)
{
    const place_t *place = arg;

    return TYPE(place->path, 2, "a", "b", "c");
}

static void running_out_of_memory_is_an_error(void **state)
{
    const place_t *place = *state;

    assert_int_equal(TYPE(place->path, 0, "0"), 0);
    oom_run(life, *state);
}

#define IN_PLACE(test) cmocka_unit_test_setup_teardown(test, make_place, remove_place)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_PLACE(lines_come_back_in_a_file_of_the_owner_alone),
        IN_PLACE(what_is_empty_secret_or_the_same_is_not_kept),
        IN_PLACE(the_newest_are_kept_up_to_the_bound),
        IN_PLACE(an_entry_may_hold_line_feeds_and_backslashes),
        IN_PLACE(several_programs_lose_nothing),
        IN_PLACE(many_at_the_same_time_lose_nothing),
        IN_PLACE(what_is_no_history_is_told_and_left_as_it_is),
        IN_PLACE(a_file_beyond_the_bound_is_refused),
        IN_PLACE(what_is_saved_can_be_read_again_however_long_its_entries_are),
        IN_PLACE(a_link_stays_a_link),
        cmocka_unit_test(the_place_is_that_of_the_xdg_specification),
        IN_PLACE(running_out_of_memory_is_an_error),
    };

    return cmocka_run_group_tests_name("hhistory", tests, NULL, NULL);
}
