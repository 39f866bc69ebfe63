/* upload_store: a file on its way to the disk. It gets its name when it is whole: until then nobody
 * sees it, and if it does not become whole, nothing is left of it, not even by a crash where the
 * file system has files without a name (O_TMPFILE). */
#ifndef HNET_HHTTPD_UPLOAD_STORE_H
#define HNET_HHTTPD_UPLOAD_STORE_H

#include "codec/http_disposition.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define STORED_TEMP_SIZE 32

typedef struct stored_s {
    struct stored_s *next;
    int fd;
    bool published; /* it has its name */
    bool replaced;  /* and another file had it before */
    uint64_t size;
    char temp[STORED_TEMP_SIZE]; /* its name meanwhile; "": none */
    char name[HTTP_FILENAME_SIZE];
} stored_t;

/* Begins a file that will have this name in the folder. 0 and *stored, or a negative errno. */
int stored_open(int folder, const char *name, stored_t **stored);

/* 0, or a negative errno: -ENOSPC, -EDQUOT, -EFBIG ... */
int stored_write(stored_t *stored, const void *data, size_t len);

/* Gives it its name. 0; -EEXIST: the name is taken, unless it may replace a file; a negative
 * errno. */
int stored_publish(int folder, stored_t *stored, bool replace);

/* Takes the name away again if nothing was replaced. */
void stored_withdraw(int folder, stored_t *stored);

/* What has no name yet is lost. NULL is legal. */
void stored_free(int folder, stored_t *stored);

#endif
