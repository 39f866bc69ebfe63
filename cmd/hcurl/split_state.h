/* split_state: which ranges of a file are there, and of which version of it; kept beside the part
 * of the file that has come, as text:
 *
 *     hcurl-split 1
 *     url http://example.com/file
 *     size 1000000
 *     etag "abc"
 *     modified Sun, 06 Nov 1994 08:49:37 GMT
 *     range 0 250000 500000               first byte, first missing one, behind the last one
 *     range 500000 1000000 1000000 */
#ifndef HCURL_SPLIT_STATE_H
#define HCURL_SPLIT_STATE_H

#include "codec/http_head.h"
#include "split.h"

#define SPLIT_STATE_SIZE_MAX ((size_t)256 * 1024)

typedef struct split_range_s {
    int64_t first, next, end;
    bool taken; /* by a connection; not in the text */
} split_range_t;

/* Zeroed is empty. The texts are owned; NULL: not known. */
typedef struct split_state_s {
    int64_t size; /* -1: not known */
    char *url, *etag, *modified;
    size_t count;
    split_range_t ranges[SPLIT_PARTS_MAX];
} split_state_t;

void split_state_deinit(split_state_t *state);

/* Ranges of about the same size, at most `parts` and none below SPLIT_PART_SIZE_MIN. */
void split_state_divide(split_state_t *state, int64_t size, uint32_t parts);

/* 0; -ENOENT and the like, -ENOMEM, or HERR_SYNTAX for what is no such text: ranges that do not
 * cover the file, one behind the other, too. */
int split_state_read(split_state_t *state, const char *path);

/* 0 or an error of hfile_replace. */
int split_state_write(const split_state_t *state, const char *path);

/* Bytes that are there. */
int64_t split_state_done(const split_state_t *state);

/* What If-Range may say: a strong ETag, else the date; NULL: nothing. */
const char *split_state_validator(const split_state_t *state);

#endif
