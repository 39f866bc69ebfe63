/* hhistory: the lines that were typed, kept in a file from one run to the next.
 *
 * One line of the file is one entry; a line feed in an entry is written as \n, a backslash as \\.
 * Several programs may use one file at a time: what is saved is added to what is there by then. */
#ifndef HNET_APP_HHISTORY_H
#define HNET_APP_HHISTORY_H

#include "../base/hbuf.h"

#ifdef __cplusplus
extern "C" {
#endif

#define HHISTORY_LINES_MAX 1000
#define HHISTORY_FILE_MAX ((size_t)16 * 1024 * 1024)

/* Embedded by value; lines and count may be read. */
typedef struct hhistory_s {
    char **lines; /* the oldest first */
    size_t count;
    size_t max;   /* entries that are kept */
    size_t fresh; /* so many of the last entries are not in the file yet */
} hhistory_t;

/* Empty; at most max entries (0: HHISTORY_LINES_MAX). */
void hhistory_init(hhistory_t *h, size_t max);
void hhistory_deinit(hhistory_t *h);

/* Appends a copy. 1, 0 when it is not kept (empty, begins with a space, or the same as the entry
 * before), or -ENOMEM. */
int hhistory_add(hhistory_t *h, const char *line);

/* Reads the file into an empty history. 0, also when there is none; -errno; -EINVAL when it is not
 * a text file, -EFBIG past HHISTORY_FILE_MAX. On an error nothing is added. */
int hhistory_load(hhistory_t *h, const char *path);

/* Adds the fresh entries to the file, which only its owner may read, and keeps the newest max
 * entries, as many as fit into HHISTORY_FILE_MAX bytes; missing folders are made (0700). The file
 * is replaced in one step: other programs see the old or the new one. 0, or an error as of
 * hhistory_load or of writing, and the file is as it was. Without fresh entries nothing is
 * done. */
int hhistory_save(hhistory_t *h, const char *path);

/* Appends "$XDG_STATE_HOME/PROGRAM/history", or the same in ~/.local/state (XDG Base Directory
 * Specification: a relative path there does not count). 0, -ENOENT (there is no HOME) or
 * -ENOMEM. */
int hhistory_path(hbytes_t *path, const char *program);

#ifdef __cplusplus
}
#endif

#endif
