/* tar: writes archives in the format of POSIX pax (IEEE 1003.1, "pax Interchange Format"), which
 * every tar reads: a ustar header for an entry, and before it one with records for what that cannot
 * say (names that are long or not ASCII, sizes from 8 GiB, parts of a second).
 *
 * An archive is, for each entry, tar_header, its data, tar_padding(size) zeros; then TAR_END_SIZE
 * zeros. The same entries give the same bytes. */
#ifndef HNET_CODEC_TAR_H
#define HNET_CODEC_TAR_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

#define TAR_BLOCK 512
#define TAR_END_SIZE 1024
#define TAR_NAME_MAX 4096                /* of a name or a link's target, in bytes */
#define TAR_SIZE_MAX ((uint64_t)1 << 62) /* of a file */
#define TAR_OWNER_MAX 255                /* of a user's or group's name */
#define TAR_HEADER_MAX (20 * 512)        /* what tar_header writes at most */

typedef enum tar_type_e { TAR_FILE, TAR_FOLDER, TAR_SYMLINK, TAR_HARDLINK } tar_type_e;

typedef struct tar_entry_s {
    tar_type_e type;
    const char *name;   /* UTF-8 by habit; relative, slashes between the parts; a folder gets its
                           slash at the end if it has none */
    const char *target; /* of a link, else NULL */
    const char *user;   /* owner's names; NULL: none */
    const char *group;
    uint32_t mode; /* permissions, 07777 of it */
    uint64_t uid, gid;
    uint64_t size;   /* of a file's data; must be 0 for all others */
    int64_t mtime_s; /* since the epoch, may be negative */
    uint32_t mtime_ns;
} tar_entry_t;

/* Writes the header of an entry. The length, a multiple of TAR_BLOCK; -EINVAL (no name, an absolute
 * one or one with a part "..", a link without target, a size of what has no data, more than
 * 999,999,999 ns), HERR_RANGE (a name or a size above its maximum); -ENOBUFS
 * (TAR_HEADER_MAX bytes are always enough). */
ssize_t tar_header(const tar_entry_t *entry, char *buf, size_t size);

/* So many zeros follow data of this size: 0 to TAR_BLOCK - 1. */
size_t tar_padding(uint64_t size);

/* The length of a whole entry, header, data and padding, so that an archive's length is known
 * before it is made; the errors of tar_header. */
int64_t tar_entry_size(const tar_entry_t *entry);

#ifdef __cplusplus
}
#endif

#endif
