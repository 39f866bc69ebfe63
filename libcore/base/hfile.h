/* hfile: whole small files: tables, settings, secrets. */
#ifndef HNET_BASE_HFILE_H
#define HNET_BASE_HFILE_H

#include "hbuf.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Appends what is in a plain file. Anything else (a FIFO, a terminal) is neither waited for nor
 * changed by it. 0; an errno; -EISDIR, -EINVAL for what is no plain file; -EFBIG for more than
 * size_max bytes; -ENOMEM, or -ENOBUFS when out takes no more. After an error out holds what it
 * held before, and maybe a part of the file. */
int hfile_read(const char *path, size_t size_max, hbytes_t *out);

/* Appends what is in whatever a user has named: it is waited for (a FIFO, a terminal), and "-" is
 * standard input. 0 or the errors above, but for -EINVAL. */
int hfile_read_named(const char *name, size_t size_max, hbytes_t *out);

#ifdef __cplusplus
}
#endif

#endif
