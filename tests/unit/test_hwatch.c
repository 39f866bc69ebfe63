#include "event/hwatch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "folder_fixture.h"
#include "loop_test.h"
#include "oom.h"

#define QUICK                                                                                      \
    {                                                                                              \
        .quiet_ms = 1                                                                              \
    }

static int calls;

static void count_call(hwatch_t *watch)
{
    int *counter = hevent_userdata(watch);

    ++*counter;
}

typedef struct watched_s {
    const folder_t *folder;
    hloop_t *loop;
    hwatch_t *watch;
} watched_t;

static watched_t begin(void **state, const hwatch_options_t *options)
{
    watched_t w = {.folder = *state, .loop = new_loop()};

    calls = 0;
    w.watch = hwatch_add(w.loop, w.folder->path, options, count_call, &calls);
    assert_non_null(w.watch);
    return w;
}

static void end(watched_t *w)
{
    hwatch_del(w->watch);
    hloop_free(&w->loop);
}

static hwatch_stats_t stats_of(const watched_t *w)
{
    hwatch_stats_t stats;

    hwatch_stats(w->watch, &stats);
    return stats;
}

/* Goes on until this was told; what else may come of it comes, too. */
static void expect_call(watched_t *w)
{
    RUN_UNTIL(w->loop, calls > 0);
    while (hloop_ntimers(w->loop) > 0)
        assert_int_equal(hloop_run(w->loop), 0);
    calls = 0;
}

/* The kernel has queued an event before the call that caused it returns. */
static void expect_none(watched_t *w)
{
    settle(w->loop);
    assert_int_equal(hloop_ntimers(w->loop), 0);
    assert_int_equal(calls, 0);
}

static void each_kind_of_change_is_told(void **state)
{
    const hwatch_options_t options = QUICK;
    watched_t w = begin(state, &options);

    expect_none(&w);
    folder_write(w.folder, "file", "1");
    expect_call(&w);
    folder_write(w.folder, "file", "2");
    expect_call(&w);
    assert_int_equal(renameat(w.folder->fd, "file", w.folder->fd, "other"), 0);
    expect_call(&w);
    assert_int_equal(unlinkat(w.folder->fd, "other", 0), 0);
    expect_call(&w);
    folder_mkdir(w.folder, "sub");
    expect_call(&w);
    assert_int_equal(unlinkat(w.folder->fd, "sub", AT_REMOVEDIR), 0);
    expect_call(&w);
    assert_int_equal(stats_of(&w).folders, 1);
    end(&w);
}

static void what_is_below_counts(void **state)
{
    const hwatch_options_t options = QUICK;
    const folder_t *folder = *state;
    watched_t w;

    folder_mkdir(folder, "a");
    folder_mkdir(folder, "a/b");
    folder_mkdir(folder, "c");
    w = begin(state, &options);
    assert_int_equal(stats_of(&w).folders, 4);
    folder_write(folder, "a/b/file", "1");
    expect_call(&w);
    assert_false(stats_of(&w).partial);
    end(&w);
}

static void new_folders_are_watched(void **state)
{
    const hwatch_options_t options = QUICK;
    watched_t w = begin(state, &options);

    folder_mkdir(w.folder, "new");
    folder_mkdir(w.folder, "new/deep");
    expect_call(&w);
    assert_int_equal(stats_of(&w).folders, 3);
    folder_write(w.folder, "new/deep/file", "1");
    expect_call(&w);
    assert_int_equal(unlinkat(w.folder->fd, "new/deep/file", 0), 0);
    assert_int_equal(unlinkat(w.folder->fd, "new/deep", AT_REMOVEDIR), 0);
    assert_int_equal(unlinkat(w.folder->fd, "new", AT_REMOVEDIR), 0);
    expect_call(&w);
    assert_int_equal(stats_of(&w).folders, 1);
    end(&w);
}

static void folders_may_be_moved(void **state)
{
    const hwatch_options_t options = QUICK;
    const folder_t *folder = *state;
    char outside[] = "/tmp/hnet-test.XXXXXX", target[64];
    watched_t w;

    assert_non_null(mkdtemp(outside));
    folder_mkdir(folder, "a");
    folder_mkdir(folder, "a/b");
    folder_mkdir(folder, "ab");
    w = begin(state, &options);
    assert_int_equal(renameat(folder->fd, "a", folder->fd, "moved"), 0);
    expect_call(&w);
    assert_int_equal(stats_of(&w).folders, 4);
    folder_write(folder, "moved/b/file", "1");
    expect_call(&w);
    snprintf(target, sizeof(target), "%s/x", outside);
    assert_int_equal(renameat(folder->fd, "moved", AT_FDCWD, target), 0);
    expect_call(&w);
    assert_int_equal(stats_of(&w).folders, 2);
    snprintf(target, sizeof(target), "%s/x/b/file", outside);
    assert_int_equal(unlink(target), 0);
    expect_none(&w);
    end(&w);
    assert_int_equal(folder_remove_tree(outside), 0);
}

static void hidden_names_do_not_count(void **state)
{
    const hwatch_options_t options = QUICK;
    const hwatch_options_t all = {.quiet_ms = 1, .hidden = true};
    const folder_t *folder = *state;
    watched_t w;

    folder_mkdir(folder, ".git");
    w = begin(state, &options);
    folder_write(folder, ".git/index", "1");
    folder_write(folder, ".file.swp", "1");
    folder_mkdir(folder, ".cache");
    expect_none(&w);
    assert_int_equal(stats_of(&w).folders, 1);
    end(&w);
    w = begin(state, &all);
    assert_int_equal(stats_of(&w).folders, 3);
    folder_write(folder, ".git/index", "2");
    expect_call(&w);
    end(&w);
}

static void links_are_not_followed(void **state)
{
    const hwatch_options_t options = QUICK;
    const folder_t *folder = *state;
    watched_t w;

    folder_mkdir(folder, "real");
    assert_int_equal(symlinkat("..", folder->fd, "real/up"), 0);
    assert_int_equal(symlinkat("/", folder->fd, "root"), 0);
    w = begin(state, &options);
    assert_int_equal(stats_of(&w).folders, 2);
    assert_int_equal(symlinkat("real", folder->fd, "later"), 0);
    expect_call(&w);
    assert_int_equal(stats_of(&w).folders, 2);
    assert_false(stats_of(&w).partial);
    end(&w);
}

static void many_changes_are_one_call(void **state)
{
    const hwatch_options_t options = {.quiet_ms = 200}; /* they are read within it */
    watched_t w = begin(state, &options);
    char name[32];

    for (int i = 0; i < 200; i++) {
        snprintf(name, sizeof(name), "file-%d", i);
        folder_write(w.folder, name, "1");
    }
    RUN_UNTIL(w.loop, calls > 0);
    assert_int_equal(calls, 1);
    calls = 0;
    expect_none(&w);
    end(&w);
}

static void one_who_is_never_quiet_is_told_even_so(void **state)
{
    const hwatch_options_t options = {.quiet_ms = 20, .delay_max_ms = 60};
    watched_t w = begin(state, &options);

    while (calls < 2) {
        folder_write(w.folder, "file", "1");
        assert_int_equal(hloop_run(w.loop), 0);
    }
    end(&w);
}

static void too_many_folders_are_said(void **state)
{
    const hwatch_options_t options = {.quiet_ms = 1, .folders_max = 3};
    const folder_t *folder = *state;
    watched_t w;

    folder_mkdir(folder, "a");
    folder_mkdir(folder, "b");
    w = begin(state, &options);
    assert_int_equal(stats_of(&w).folders, 3);
    assert_false(stats_of(&w).partial);
    folder_mkdir(folder, "c");
    expect_call(&w);
    assert_int_equal(stats_of(&w).folders, 3);
    assert_true(stats_of(&w).partial);
    end(&w);
}

/* Somebody holds the folder open, as a server does. */
static void the_folder_may_vanish_and_come_back(void **state)
{
    const hwatch_options_t options = QUICK;
    const folder_t *folder = *state;
    watched_t w;

    folder_write(folder, "file", "1");
    w = begin(state, &options);
    assert_int_equal(unlinkat(folder->fd, "file", 0), 0);
    assert_int_equal(rmdir(folder->path), 0);
    RUN_UNTIL(w.loop, stats_of(&w).error == -ENOENT);
    assert_int_equal(stats_of(&w).folders, 0);
    assert_int_equal(mkdir(folder->path, 0700), 0);
    RUN_UNTIL(w.loop, stats_of(&w).error == 0);
    expect_call(&w);
    assert_int_equal(stats_of(&w).folders, 1);
    end(&w);
}

static void another_folder_may_take_its_place(void **state)
{
    const hwatch_options_t options = QUICK;
    const folder_t *folder = *state;
    char path[80], old[80];
    watched_t w = {.folder = folder, .loop = new_loop()};

    folder_mkdir(folder, "site");
    folder_mkdir(folder, "new");
    folder_mkdir(folder, "new/sub");
    snprintf(path, sizeof(path), "%s/site", folder->path);
    snprintf(old, sizeof(old), "%s/old", folder->path);
    calls = 0;
    w.watch = hwatch_add(w.loop, path, &options, count_call, &calls);
    assert_non_null(w.watch);
    assert_int_equal(rename(path, old), 0);
    assert_int_equal(renameat(folder->fd, "new", folder->fd, "site"), 0);
    expect_call(&w);
    assert_int_equal(stats_of(&w).folders, 2);
    folder_write(folder, "site/sub/file", "1");
    expect_call(&w);
    folder_write(folder, "old/file", "1");
    expect_none(&w);
    end(&w);
}

/* The queue of the kernel is so long, and events that equal the last one are not queued. */
static long queue_length(void)
{
    FILE *file = fopen("/proc/sys/fs/inotify/max_queued_events", "r");
    long length = 0;

    if (file) {
        if (fscanf(file, "%ld", &length) != 1) /* NOLINT(cert-err34-c): the kernel writes it */
            length = 0;
        fclose(file);
    }
    return length;
}

static void an_overflow_is_made_good(void **state)
{
    const hwatch_options_t options = QUICK;
    const folder_t *folder = *state;
    long length = queue_length();
    watched_t w;

    if (length <= 0 || length > 100000)
        skip();
    folder_write(folder, "a", "1");
    w = begin(state, &options);
    for (long i = 0; i <= length; i++)
        assert_int_equal(renameat(folder->fd, i % 2 ? "b" : "a", folder->fd, i % 2 ? "a" : "b"), 0);
    folder_mkdir(folder, "unseen");
    expect_call(&w);
    assert_true(stats_of(&w).overflows > 0);
    assert_int_equal(stats_of(&w).folders, 2);
    folder_write(folder, "unseen/file", "1");
    expect_call(&w);
    end(&w);
}

static void what_cannot_be_watched_is_refused(void **state)
{
    const folder_t *folder = *state;
    hloop_t *loop = new_loop();
    char path[80];

    snprintf(path, sizeof(path), "%s/none", folder->path);
    assert_null(hwatch_add(loop, path, NULL, count_call, &calls));
    assert_int_equal(errno, ENOENT);
    folder_write(folder, "none", "");
    assert_null(hwatch_add(loop, path, NULL, count_call, &calls));
    assert_int_equal(errno, ENOTDIR);
    hwatch_del(NULL);
    hloop_free(&loop);
}

static void delete_itself(hwatch_t *watch)
{
    watched_t *w = hevent_userdata(watch);

    calls++;
    w->watch = NULL;
    hwatch_del(watch);
}

static void it_may_be_deleted_in_its_callback(void **state)
{
    const hwatch_options_t options = QUICK;
    watched_t w = {.folder = *state, .loop = new_loop()};

    calls = 0;
    w.watch = hwatch_add(w.loop, w.folder->path, &options, delete_itself, &w);
    assert_non_null(w.watch);
    folder_write(w.folder, "file", "1");
    expect_call(&w);
    assert_null(w.watch);
    folder_write(w.folder, "file", "2");
    expect_none(&w);
    hloop_free(&w.loop);
}

static void the_loop_frees_it(void **state)
{
    const hwatch_options_t options = {.quiet_ms = 100000, .delay_max_ms = 100000};
    watched_t w = begin(state, &options);

    folder_write(w.folder, "file", "1");
    settle(w.loop); /* its timer runs */
    assert_int_equal(hloop_ntimers(w.loop), 1);
    hloop_free(&w.loop);
}

static int watch_some(void *arg)
{
    const hwatch_options_t options = QUICK;
    const folder_t *folder = arg;
    hloop_options_t loop_options = {.flags = HLOOP_FLAG_RUN_ONCE, .poller = test_poller};
    hloop_t *loop = hloop_new_with(&loop_options);
    hwatch_t *watch;
    int result = 0;

    if (!loop)
        return -ENOMEM;
    watch = hwatch_add(loop, folder->path, &options, count_call, &calls);
    if (watch) {
        folder_mkdir(folder, "b/new");
        settle(loop);
        assert_int_equal(unlinkat(folder->fd, "b/new", AT_REMOVEDIR), 0);
    } else {
        result = -errno;
    }
    hwatch_del(watch);
    hloop_free(&loop);
    return result;
}

static void memory_may_run_out(void **state)
{
    folder_t *folder = *state;

    folder_mkdir(folder, "a");
    folder_mkdir(folder, "b");
    folder_mkdir(folder, "b/c");
    oom_run(watch_some, folder);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, folder_make, folder_remove)

int main(void)
{
    static const struct CMUnitTest tests[] = {
        TEST(each_kind_of_change_is_told),
        TEST(what_is_below_counts),
        TEST(new_folders_are_watched),
        TEST(folders_may_be_moved),
        TEST(hidden_names_do_not_count),
        TEST(links_are_not_followed),
        TEST(many_changes_are_one_call),
        TEST(one_who_is_never_quiet_is_told_even_so),
        TEST(too_many_folders_are_said),
        TEST(the_folder_may_vanish_and_come_back),
        TEST(another_folder_may_take_its_place),
        TEST(an_overflow_is_made_good),
        TEST(what_cannot_be_watched_is_refused),
        TEST(it_may_be_deleted_in_its_callback),
        TEST(the_loop_frees_it),
        TEST(memory_may_run_out),
    };

    return run_on_each_poller("hwatch", tests, ARRAY_LENGTH(tests));
}
