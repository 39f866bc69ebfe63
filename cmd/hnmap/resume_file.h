/* resume_file: the file that --resume keeps a scan in. Records are appended to it; whatever ends
 * the process, those that were written whole can be read again. */
#ifndef HNMAP_RESUME_FILE_H
#define HNMAP_RESUME_FILE_H

#include "resume_record.h"

#define RESUME_FILE_MAX ((uint64_t)1 << 32) /* bytes */

typedef struct resume_file_s resume_file_t;

/* Opens a file that is there, or makes one, and holds it until resume_file_close: nobody else gets
 * it meanwhile. 0 and *file, or the exit status after a message: it is not a file of ours (a
 * device, a link, another user's, one that others may write), another scan has it, or it is none of
 * --resume of this version; nothing was changed then. */
int resume_file_open(const char *path, resume_file_t **file);

/* What it begins with; NULL: nothing is in it yet. Valid as long as the file. */
const resume_begin_t *resume_file_begin(const resume_file_t *file);

/* Called for each record behind the first. 0, or an error, which ends it; HERR_SYNTAX: the record
 * does not belong there. */
typedef int (*resume_record_cb)(void *context, const resume_record_t *record);

/* Reads it to its end. A last record that is not whole is passed over (and cut off by the first
 * resume_file_append). 0, or the exit status after a message, which names the byte. */
int resume_file_each(resume_file_t *file, resume_record_cb cb, void *context);

/* Appends records; to a new file RESUME_BEGIN is the first. 0; -errno, -EFBIG past RESUME_FILE_MAX:
 * then it is as before. To be called behind resume_file_each. */
int resume_file_append(resume_file_t *file, const hbytes_t *records);

/* Whether a path leads to this very file. */
bool resume_file_is(const resume_file_t *file, const char *path);

/* Closes it, and removes it if that is wanted, or if it was made by resume_file_open and nothing
 * was ever written to it. NULL is legal. */
void resume_file_close(resume_file_t *file, bool removes);

/* Appends the command line of the scan in a file to words, each with a NUL behind it. 0, or the
 * exit status after a message. */
int resume_file_command(const char *path, hbytes_t *words);

#endif
