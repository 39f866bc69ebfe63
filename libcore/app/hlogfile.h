/* hlogfile: a file that lines are appended to by all processes of a server: messages, or a line for
 * each request. The master opens it; the workers inherit the descriptor and write whole lines, so
 * that theirs do not mix. Messages may go to stderr instead.
 *
 * A file that has grown past size_max, or that was begun on an earlier day while keep_days counts,
 * is moved to NAME.20261121-164501. Who has it open goes on writing there, until it is opened
 * anew. */
#ifndef HNET_APP_HLOGFILE_H
#define HNET_APP_HLOGFILE_H

#include <stdint.h>

#include "../base/hbuf.h"
#include "../base/hlog.h"
#include "hopt.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Zeroed but for the prefix is: messages of every level to stderr. The strings are borrowed. */
typedef struct hlogfile_options_s {
    const char *prefix; /* of messages on stderr: "hhttpd" */
    const char *path;   /* NULL: stderr; "-": stdout */
    int level;          /* hlog_level_e: the least that is written by hlogfile_say */
    bool sync;          /* each message is on the disk before the next step */
    uint64_t size_max;  /* bytes; 0: any */
    int keep_days;      /* so long moved files are kept, and one is moved each day; 0 or less: no */
} hlogfile_options_t;

/* Rows for HOPT_INCLUDE(hlogfile_rows, opts_t, log, hlogfile_options_t): --log-filesize and
 * --log-remain-days. */
extern const hopt_t hlogfile_rows[];

typedef struct hlogfile_s {
    hlogfile_options_t options;
    int fd;       /* -1: not open, or wanted by nobody: what is written is dropped */
    int day;      /* on which it was begun: of the year, and the year */
    size_t *lost; /* messages that nobody has been told of; NULL: they are not counted */
} hlogfile_t;

/* What a hlogfile_t is without a file. */
#define HLOGFILE_NONE ((hlogfile_t){.fd = -1})

/* Opens, and moves the file before if that is due. 0, or -errno of the file and *log is
 * HLOGFILE_NONE. */
int hlogfile_open(hlogfile_t *log, const hlogfile_options_t *options);

/* Opens the file of this name, whatever became of the old one, and gives it the old one's
 * descriptor: whoever has that in this process writes there from now on. 0, also where there is no
 * file to open; or -errno and the old one stays. */
int hlogfile_reopen(hlogfile_t *log);
void hlogfile_close(hlogfile_t *log); /* not stdout and stderr; may be called again */

/* One message, if the level counts: "hhttpd: text" on stderr and stdout, "2026-11-21T16:45:01.123
 * +0100 INFO text" in a file. Control characters are escaped, and it is cut at some 5 KB. */
void hlogfile_say(const hlogfile_t *log, hlog_level_e level, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* Each line of a text that ends with newlines, as a message. */
void hlogfile_say_lines(const hlogfile_t *log, hlog_level_e level, const hbytes_t *lines);

/* The same on stderr alone: before there is a log. */
void hlogfile_complain(const char *prefix, const hbytes_t *lines);

/* Lines as they are. It never waits for who reads them (a pipe, a terminal), and so what has no
 * room is lost, as what the disk does not take: how many lines. Messages that were lost are told
 * with the next one that is not; lines of others have to be told by their writer. */
size_t hlogfile_write(int fd, const void *data, size_t len);

/* Lines of a writer that are no messages: of requests. Zeroed but for fd and report. */
typedef struct hloglines_s {
    int fd;                   /* -1: nowhere */
    const hlogfile_t *report; /* borrowed: how many were lost, once a second at most;
                                 it may be for the same file */
    size_t lost;              /* not told yet */
    uint64_t told_ns;
} hloglines_t;

void hloglines_write(hloglines_t *lines, const void *data, size_t len);
void hloglines_finish(hloglines_t *lines); /* tells what is left to tell */

/* A file to be written to like this, made if need be; of a pipe that nobody reads from it is an
 * error. The descriptor or -errno. */
int hlogfile_open_path(const char *path);

/* Whether a path of the options is one: not NULL, "-" or "". */
bool hlogfile_is_path(const char *path);

/* Whether it is a file, which somebody may move away and want to be opened anew. */
bool hlogfile_is_file(const hlogfile_t *log);

/* Whether it has to be looked at from time to time. */
bool hlogfile_rotates(const hlogfile_t *log);

/* Moves it if that is due, and removes moved ones that are too old. Whether it was moved: a new one
 * has to be opened. report (may be log itself) gets what went wrong. */
bool hlogfile_rotate(const hlogfile_t *log, const hlogfile_t *report);

/* Those of a server. The prefix of the messages and their level are set before options are read. */
typedef struct hlogs_options_s {
    hlogfile_options_t messages;
    const char *access; /* NULL: none; "": where messages go; else as the path of messages */
} hlogs_options_t;

/* What an option for `access` says by these words: a file, yes (where messages go) or no. */
const char *hlogs_access(const char *text);

/* Whether one of them is a path: see hlogfile_is_path. */
bool hlogs_have_path(const hlogs_options_t *options);

/* All of a server. */
typedef struct hlogs_s {
    hlogfile_t messages;
    hlogfile_t access; /* a line for each request, if that is a file of its own */
    int access_fd;     /* where these lines go, whichever it is; -1: nowhere */
} hlogs_t;

#define HLOGS_NONE ((hlogs_t){.messages.fd = -1, .access.fd = -1, .access_fd = -1})

/* Opens the messages, and with all else the same the access log. 0, or -errno, and *wrong is the
 * path; to be closed in either case. */
int hlogs_open(hlogs_t *logs, const hlogs_options_t *options, const char **wrong);
void hlogs_close(hlogs_t *logs);

#ifdef __cplusplus
}
#endif

#endif
