/* hfile: whole small files: tables, settings, secrets, what a program remembers. */
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

/* As hfile_read_named, for text: a byte order mark in front of it is left out, and HERR_SYNTAX says
 * that there is a NUL in it, as soon as one has come. */
int hfile_read_text(const char *name, size_t size_max, hbytes_t *out);

/* Writes a file that is then as a whole the new one, or after an error the old one: a temporary
 * file in the same folder takes its place, with its rights (those of a new file if there is none;
 * only the owner's if it is not ours). A symbolic link stays one. What is no plain file is written
 * to, and so is one in a folder that takes no new files. 0, -errno. */
int hfile_replace(const char *path, const void *data, size_t len);

/* Writes all of it, and waits for a reader where nothing else does. 0, -errno. */
int hfile_write_all(int fd, const void *data, size_t len);

/* Opens a plain file for reading and writing, and makes it, with these rights before the umask, if
 * there is none; nobody else who asks in this way gets it before it is closed, if the file system
 * knows locks. A symbolic link is not followed. The descriptor, of the file that has the path then;
 * -EBUSY: somebody has it; -EISDIR, -EINVAL for what is no plain file; -ELOOP; other -errno. */
int hfile_open_alone(const char *path, unsigned mode);

#ifdef __cplusplus
}
#endif

#endif
