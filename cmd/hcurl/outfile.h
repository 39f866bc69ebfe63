/* outfile: the file that a body goes to. Written in its place from the first byte on, or beside it
 * under a name of its own, so that a good file stays until the new one is whole. */
#ifndef HCURL_OUTFILE_H
#define HCURL_OUTFILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define OUTFILE_TRIES 100 /* name.1 to name.100 */

typedef enum outfile_existing_e {
    OUTFILE_REPLACE,
    OUTFILE_REFUSE, /* -EEXIST */
    OUTFILE_NUMBER  /* name.1 and so on */
} outfile_existing_e;

typedef struct outfile_how_s {
    unsigned mode; /* of a new file, before the umask */
    outfile_existing_e existing;
    bool whole;  /* in its place once it is whole; only where a plain file is or will be */
    bool append; /* it goes on behind what is there */
} outfile_how_t;

/* Zero-initialised is not open. */
typedef struct outfile_s {
    bool is_open;
    bool regular;
    int fd;
    char *path; /* where it is, or will be */
    char *real; /* what a link leads to; NULL: path is none */
    char *temp; /* where it is until it is whole; NULL: in its place */
    uint64_t kept, written;
} outfile_t;

/* Makes the folders that lead to path (mode 0750, as far as the umask lets it). 0 or -errno, and
 * *len is then how much of path is the one that could not be made. */
int outfile_make_folders(const char *path, size_t *len);

/* 0 or -errno, -ENOMEM. */
int outfile_open(outfile_t *file, const char *path, const outfile_how_t *how);
int outfile_write(outfile_t *file, const void *data, size_t len);

/* What came is forgotten (again), for another try. What cannot be cut stays. 0 or -errno. */
int outfile_restart(outfile_t *file);
void outfile_keep(outfile_t *file); /* or it counts as having been there */

/* Closes; 0 or -errno. Place: it gets its name. Remove: it is gone, if it is a plain file. */
int outfile_place(outfile_t *file);
int outfile_remove(outfile_t *file);

/* Closes, and drops what has no name of its own. */
void outfile_deinit(outfile_t *file);

#endif
