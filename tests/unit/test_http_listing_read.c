/* One thread. */
#include <dirent.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "folder_fixture.h"
#include "oom.h"
#include "proto/http_listing.h"

#define SOME_TIME 1700000000
#define BY_NAME ((http_listing_order_t){HTTP_LISTING_NAME, false})

/* The names in order, each behind a space; folders with a slash, links with an @. */
static const char *names_in(int dirfd, const http_listing_options_t *options)
{
    static char text[512];
    http_listing_t listing;
    size_t len = 0;

    assert_int_equal(http_listing_read(&listing, dirfd, options), 0);
    http_listing_sort(&listing, BY_NAME);
    text[0] = '\0';
    for (size_t i = 0; i < listing.count; i++) {
        const http_listing_entry_t *entry = &listing.entries[i];

        len += (size_t)snprintf(text + len, sizeof(text) - len, " %s%s%s", entry->name,
                                entry->is_dir ? "/" : "", entry->is_link ? "@" : "");
    }
    http_listing_deinit(&listing);
    http_listing_deinit(&listing);
    return text;
}

static void folders_and_files_are_listed(void **state)
{
    const folder_t *folder = *state;

    assert_string_equal(names_in(folder->fd, NULL), "");
    folder_write(folder, "b.txt", "text");
    folder_write(folder, "A.txt", "text");
    folder_mkdir(folder, "sub");
    folder_write(folder, "sub/inner", "text");
    assert_int_equal(mkfifoat(folder->fd, "fifo", 0600), 0);
    assert_string_equal(names_in(folder->fd, NULL), " sub/ A.txt b.txt");
}

static void hidden_ones_only_when_asked(void **state)
{
    const http_listing_options_t all = {.hidden = true};
    const folder_t *folder = *state;

    folder_write(folder, ".secret", "text");
    folder_write(folder, "...", "text");
    folder_mkdir(folder, ".git");
    folder_write(folder, "x", "text");
    assert_string_equal(names_in(folder->fd, NULL), " x");
    assert_string_equal(names_in(folder->fd, &all), " .git/ ... .secret x");
}

static int no_link(int dirfd, const char *name, struct stat *st, void *arg)
{
    int *calls = arg;

    (void)dirfd;
    (void)st;
    ++*calls;
    return strcmp(name, "to-file") == 0 ? 0 : -EXDEV;
}

static void links_are_what_they_lead_to(void **state)
{
    int calls = 0;
    const http_listing_options_t asked = {.link = no_link, .arg = &calls};
    const folder_t *folder = *state;

    folder_write(folder, "file", "text");
    folder_mkdir(folder, "sub");
    assert_int_equal(symlinkat("file", folder->fd, "to-file"), 0);
    assert_int_equal(symlinkat("sub", folder->fd, "to-sub"), 0);
    assert_int_equal(symlinkat("nowhere", folder->fd, "to-nothing"), 0);
    assert_int_equal(symlinkat("/dev/null", folder->fd, "to-device"), 0);
    assert_string_equal(names_in(folder->fd, NULL), " sub/ to-sub/@ file to-file@");
    /* The callback left st as that of the link itself, which is neither folder nor file. */
    assert_string_equal(names_in(folder->fd, &asked), " sub/ file");
    assert_int_equal(calls, 4);
}

static int as_folder(int dirfd, const char *name, struct stat *st, void *arg)
{
    (void)name;
    (void)arg;
    return fstat(dirfd, st);
}

static void the_program_says_what_a_link_is(void **state)
{
    const http_listing_options_t options = {.link = as_folder};
    const folder_t *folder = *state;

    assert_int_equal(symlinkat("nowhere", folder->fd, "link"), 0);
    assert_string_equal(names_in(folder->fd, &options), " link/@");
}

static void size_and_time_are_told(void **state)
{
    const struct timespec times[2] = {{SOME_TIME, 0}, {SOME_TIME, 999999999}};
    const folder_t *folder = *state;
    http_listing_t listing;

    folder_write(folder, "file", "12345");
    folder_mkdir(folder, "sub");
    assert_int_equal(utimensat(folder->fd, "file", times, 0), 0);
    assert_int_equal(http_listing_read(&listing, folder->fd, NULL), 0);
    http_listing_sort(&listing, BY_NAME);
    assert_int_equal(listing.count, 2);
    assert_int_equal(listing.entries[0].size, 0);
    assert_int_equal(listing.entries[1].size, 5);
    assert_int_equal(listing.entries[1].mtime_s, SOME_TIME);
    http_listing_deinit(&listing);
}

static void any_bytes_are_names(void **state)
{
    static const char *const names[] = {"a\nb", "\xff\xfe", "<b>\"'&", ":x", "%41", " "};
    const folder_t *folder = *state;
    http_listing_t listing;

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        folder_write(folder, names[i], "");
    assert_int_equal(http_listing_read(&listing, folder->fd, NULL), 0);
    assert_int_equal(listing.count, 6);
    for (size_t i = 0; i < 6; i++) {
        size_t found = 0;

        for (size_t k = 0; k < 6; k++)
            found += strcmp(names[i], listing.entries[k].name) == 0;
        assert_int_equal(found, 1);
    }
    http_listing_deinit(&listing);
}

static void a_large_folder_is_cut_and_says_so(void **state)
{
    http_listing_options_t options = {.entries_max = 99};
    const folder_t *folder = *state;
    http_listing_t listing;
    char name[32];

    for (int i = 0; i < 100; i++) {
        snprintf(name, sizeof(name), "file-%d", i);
        folder_write(folder, name, "");
    }
    assert_int_equal(http_listing_read(&listing, folder->fd, &options), 0);
    assert_int_equal(listing.count, 99);
    assert_true(listing.truncated);
    http_listing_deinit(&listing);
    options.entries_max = 100;
    assert_int_equal(http_listing_read(&listing, folder->fd, &options), 0);
    assert_int_equal(listing.count, 100);
    assert_false(listing.truncated);
    http_listing_deinit(&listing);
}

static void the_place_of_the_descriptor_does_not_count(void **state)
{
    const folder_t *folder = *state;
    DIR *dir = fdopendir(dup(folder->fd));

    folder_write(folder, "x", "");
    folder_write(folder, "y", "");
    while (readdir(dir))
        ;
    assert_string_equal(names_in(folder->fd, NULL), " x y");
    assert_string_equal(names_in(folder->fd, NULL), " x y");
    closedir(dir);
}

static void what_is_no_folder_is_refused(void **state)
{
    const folder_t *folder = *state;
    http_listing_t listing;
    int fd;

    folder_write(folder, "x", "");
    fd = openat(folder->fd, "x", O_RDONLY | O_CLOEXEC);
    assert_int_equal(http_listing_read(&listing, fd, NULL), -ENOTDIR);
    http_listing_deinit(&listing);
    close(fd);
    assert_int_equal(http_listing_read(&listing, -1, NULL), -EBADF);
    assert_int_equal(listing.count, 0);
}

static int read_once(void *arg)
{
    const folder_t *folder = arg;
    http_listing_t listing;
    int err = http_listing_read(&listing, folder->fd, NULL);

    if (!err)
        http_listing_sort(&listing, BY_NAME);
    http_listing_deinit(&listing);
    return err;
}

static void memory_may_run_out(void **state)
{
    folder_t *folder = *state;
    char name[32];

    for (int i = 0; i < 150; i++) {
        snprintf(name, sizeof(name), "file-%d", i);
        folder_write(folder, name, "");
    }
    oom_run(read_once, folder);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, folder_make, folder_remove)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(folders_and_files_are_listed),
        TEST(hidden_ones_only_when_asked),
        TEST(links_are_what_they_lead_to),
        TEST(the_program_says_what_a_link_is),
        TEST(size_and_time_are_told),
        TEST(any_bytes_are_names),
        TEST(a_large_folder_is_cut_and_says_so),
        TEST(the_place_of_the_descriptor_does_not_count),
        TEST(what_is_no_folder_is_refused),
        TEST(memory_may_run_out),
    };

    return cmocka_run_group_tests_name("http_listing_read", tests, NULL, NULL);
}
