/* log: messages for the administrator, and the files that lines go to. Opened by the master; the
 * workers inherit the descriptors, and write whole lines, so that theirs do not mix.
 *
 * A file that has grown past log_filesize, or that was begun on an earlier day while
 * log_remain_days counts, is moved to NAME.20261121-164501; then new workers get a new file. */
#ifndef HNET_HHTTPD_LOG_H
#define HNET_HHTTPD_LOG_H

#include "base/hlog.h"
#include "settings.h"

#include <stdint.h>

typedef struct log_s {
    const settings_t *settings;
    int fd;        /* messages; -1: not open */
    int access_fd; /* requests; -1: none */
    int day;       /* on which the files were begun: of the year, and the year */
} log_t;

/* Opens the files of the settings, which are borrowed; moves those that are due before. 0, or a
 * negative error and a line in errors. */
int log_open(log_t *log, const settings_t *settings, hbytes_t *errors);
void log_close(log_t *log);

/* One line, if the level counts; to stderr as "hhttpd: ...". Control characters are escaped. */
void log_say(const log_t *log, hlog_level_e level, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* Each line of a text that ends with newlines. */
void log_lines(const log_t *log, hlog_level_e level, const hbytes_t *lines);

/* Writes all of it, or what the disk takes: what cannot be written is lost, serving goes on. */
void log_write(int fd, const void *data, size_t len);

/* Whether there is a file that somebody may move away, and then wants to be opened anew. */
bool log_has_file(const settings_t *settings);

/* Whether the files have to be looked at from time to time. */
bool log_rotates(const log_t *log);

/* Moves the files that are due and removes those that are too old. Whether one was moved: new ones
 * have to be opened. */
bool log_rotate(const log_t *log);

#endif
