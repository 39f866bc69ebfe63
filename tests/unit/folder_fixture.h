/* folder_fixture: a folder of its own for each test, gone afterwards with all that is in it.
 *
 *     cmocka_unit_test_setup_teardown(test, folder_make, folder_remove)
 *
 * The test's state is a folder_t. Include it after cmocka.h. */
#ifndef HNET_TESTS_FOLDER_FIXTURE_H
#define HNET_TESTS_FOLDER_FIXTURE_H

#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct folder_s {
    char path[64];
    int fd;
} folder_t;

static inline int folder_make(void **state)
{
    static folder_t folder;

    snprintf(folder.path, sizeof(folder.path), "/tmp/hnet-test.XXXXXX");
    if (!mkdtemp(folder.path))
        return -1;
    folder.fd = open(folder.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    *state = &folder;
    return folder.fd < 0 ? -1 : 0;
}

static inline int folder_remove_one(const char *path, const struct stat *st, int type,
                                    struct FTW *where)
{
    (void)st;
    (void)type;
    (void)where;
    return remove(path);
}

/* What is below a path; links are not followed. */
static inline int folder_remove_tree(const char *path)
{
    return nftw(path, folder_remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static inline int folder_remove(void **state)
{
    const folder_t *folder = *state;

    close(folder->fd);
    return folder_remove_tree(folder->path);
}

/* A file in it, written anew. */
static inline void folder_write(const folder_t *folder, const char *name, const char *text)
{
    int fd = openat(folder->fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    close(fd);
}

static inline void folder_mkdir(const folder_t *folder, const char *name)
{
    assert_int_equal(mkdirat(folder->fd, name, 0700), 0);
}

#endif
