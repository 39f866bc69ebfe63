/* http_source: the body of a request, from wherever it comes: read in pieces, and again from its
 * start when a redirect, a challenge or another try asks for it once more.
 *
 * An object belongs to one transfer at a time and to the loop's thread. */
#ifndef HNET_PROTO_HTTP_SOURCE_H
#define HNET_PROTO_HTTP_SOURCE_H

#include "../event/hloop.h"
#include "http_exchange.h"

#ifdef __cplusplus
extern "C" {
#endif

#define HTTP_SOURCE_STREAM_MAX 65536 /* bytes read ahead from a pipe */

typedef struct http_source_s http_source_t;

/* After a read gave -EAGAIN: there is more, the end, or an error. From the loop. */
typedef void (*http_source_ready_cb)(http_source_t *source, void *arg);

/* Bytes that are borrowed until http_source_free. 0 or -ENOMEM. */
int http_source_memory(const void *data, size_t len, http_source_t **source);

/* A plain file from its present position to its end, or length bytes if that is not -1; fd is
 * owned from here on if it returns 0. 0, -errno, -ENOMEM. */
int http_source_file(int fd, int64_t length, http_source_t **source);

/* A file by its path, which is borrowed: one that is plain is opened at the first read and closed
 * at its end, so that many may wait; what is none is opened here, as http_source_stream. 0, -errno
 * (of stat, too), -EISDIR, -ENOMEM. */
int http_source_path(hloop_t *loop, const char *path, http_source_t **source);

/* A pipe, a terminal, a socket: its length is not known, and once something was read it cannot be
 * rewound. fd is owned likewise, unless it is standard input, which is left open. */
int http_source_stream(hloop_t *loop, int fd, http_source_t **source);

/* The program's own. read as http_source_read; rewind NULL: it cannot be; free may be NULL. */
typedef struct http_source_calls_s {
    ssize_t (*read)(void *arg, void *buf, size_t size);
    int (*rewind)(void *arg);
    void (*free)(void *arg);
    /* Behind http_source_set_ready: what is to be told when read has given -EAGAIN. NULL: read
     * never does. */
    void (*set_ready)(void *arg, http_source_ready_cb ready, http_source_t *source,
                      void *ready_arg);
} http_source_calls_t;
int http_source_call(const http_source_calls_t *calls, void *arg, int64_t length,
                     http_source_t **source);

/* Whether it is memory, and then which. */
bool http_source_bytes(const http_source_t *source, http_span_t *bytes);

void http_source_free(http_source_t *source);

/* Bytes that are to come from the start, or HTTP_BODY_UNKNOWN. */
int64_t http_source_length(const http_source_t *source);

/* The next bytes: how many; 0 at the end; -EAGAIN: none now, and ready is called; a negative error
 * (HERR_TRUNCATED: a file that became shorter than it was). */
ssize_t http_source_read(http_source_t *source, void *buf, size_t size);
void http_source_set_ready(http_source_t *source, http_source_ready_cb ready, void *arg);

/* To its start. 0; -ESPIPE: that is gone. Legal, and nothing, before the first read. */
int http_source_rewind(http_source_t *source);

#ifdef __cplusplus
}
#endif

#endif
