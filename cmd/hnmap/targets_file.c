#include "targets_int.h"

#include "base/hmem.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define READ_SIZE 16384

/* A word may lie across what was read at once; nothing else is kept. */
typedef struct feed_s {
    targets_t *targets;
    int (*take)(targets_t *targets, const char *word, size_t len);
    char word[TARGETS_WORD_MAX];
    size_t len;
    bool in_comment;
    char data[READ_SIZE];
} feed_t;

static bool is_blank(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static int end_word(feed_t *feed)
{
    size_t len = feed->len;

    feed->len = 0;
    return len == 0 ? 0 : feed->take(feed->targets, feed->word, len);
}

static int feed_byte(feed_t *feed, char c)
{
    int err = 0;

    if (c == '\0')
        return targets__fail(feed->targets, HERR_SYNTAX, feed->word, feed->len,
                             "a NUL byte follows: this is no text");
    if (c == '\n')
        feed->in_comment = false;
    if (feed->in_comment)
        return 0;
    if (is_blank(c) || c == '#') {
        err = end_word(feed);
        feed->in_comment = c == '#';
    } else if (feed->len == sizeof(feed->word)) {
        return targets__fail(feed->targets, HERR_SYNTAX, feed->word, feed->len,
                             "more than %d bytes without a blank", TARGETS_WORD_MAX);
    } else {
        feed->word[feed->len++] = c;
    }
    feed->targets->line += c == '\n' && err == 0;
    return err;
}

static int feed_all(feed_t *feed, int fd)
{
    targets_t *targets = feed->targets;
    int err = 0;

    while (err == 0) {
        ssize_t n = read(fd, feed->data, sizeof(feed->data));

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            err = -errno;
            snprintf(targets->error, sizeof(targets->error), "%.200s: %s", targets->file,
                     herr_str(err));
        }
        if (n <= 0)
            break;
        for (ssize_t i = 0; i < n && err == 0; i++)
            err = feed_byte(feed, feed->data[i]);
    }
    return err != 0 ? err : end_word(feed);
}

static int read_words(targets_t *targets, const char *path,
                      int (*take)(targets_t *targets, const char *word, size_t len))
{
    bool is_stdin = strcmp(path, "-") == 0;
    int fd = is_stdin ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC), err;
    feed_t *feed;

    targets->error[0] = '\0';
    if (fd < 0) {
        err = -errno;
        snprintf(targets->error, sizeof(targets->error), "%.200s: %s", path, herr_str(err));
        return err;
    }
    feed = hmem_alloc(sizeof(*feed));
    err = feed == NULL ? -ENOMEM : 0;
    if (feed != NULL) {
        feed->targets = targets;
        feed->take = take;
        feed->len = 0;
        feed->in_comment = false;
        targets->file = is_stdin ? "(standard input)" : path;
        targets->line = 1;
        err = feed_all(feed, fd);
        targets->file = NULL;
    }
    hmem_free(feed);
    if (!is_stdin)
        close(fd);
    return err;
}

int targets_add_file(targets_t *targets, const char *path)
{
    return read_words(targets, path, targets__add);
}

int targets_exclude_file(targets_t *targets, const char *path)
{
    return read_words(targets, path, targets__exclude);
}
