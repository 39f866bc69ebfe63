/* hnmap_targets: targets of words, and what they stand for. Include it after cmocka.h. */
#ifndef HNET_TESTS_HNMAP_TARGETS_H
#define HNET_TESTS_HNMAP_TARGETS_H

#include "../../cmd/hnmap/targets.h"
#include "base/hbuf.h"
#include "base/hmem.h"
#include "folder_fixture.h"

#define SHOWN_MAX 40 /* addresses of a list that are compared */

static inline targets_t *targets_of(int family, const char *words)
{
    targets_t *targets = targets_new(family);
    char *copy = strdup(words), *at = copy, *word;

    while ((word = strsep(&at, " ")) != NULL) {
        int err = *word == '\0' ? 0 : targets_add(targets, word);

        if (err != 0)
            print_error("%s\n", targets_error(targets));
        assert_int_equal(err, 0);
    }
    free(copy);
    return targets;
}

/* The addresses of a walk with a blank between, with =name behind one that has a name. */
static inline char *walk_text(targets_cursor_t *cursor)
{
    hbytes_t text = {0};
    target_t target;
    char ip[HADDR_FORMAT_SIZE];

    for (unsigned i = 0; i < SHOWN_MAX && targets_next(cursor, &target); i++) {
        hbytes_printf(&text, "%s%s", i > 0 ? " " : "",
                      haddr_ip(&target.address.u.sa, ip, sizeof(ip)));
        if (target.name != NULL)
            hbytes_printf(&text, "=%s", target.name);
    }
    hbytes_append(&text, "", 0);
    return text.data != NULL ? hbytes_take(&text, NULL) : hmem_strdup("");
}

static inline void are(targets_t *targets, uint64_t count, const char *expected)
{
    targets_cursor_t cursor;
    char *text;

    assert_int_equal(targets_ready(targets), 0);
    assert_true(targets_count(targets) == count);
    targets_walk(&cursor, targets, 0, 1, NULL);
    text = walk_text(&cursor);
    if (strlen(expected) > 2 && strcmp(expected + strlen(expected) - 2, " +") == 0)
        assert_memory_equal(text, expected, strlen(expected) - 2);
    else
        assert_string_equal(text, expected);
    hmem_free(text);
    targets_free(targets);
}

/* The path of a file in the test's folder. */
static inline const char *file_of(const folder_t *folder, const void *data, size_t len)
{
    static char path[80];
    FILE *file;

    snprintf(path, sizeof(path), "%s/list", folder->path);
    file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(fwrite(data, 1, len, file), len);
    fclose(file);
    return path;
}

#endif
