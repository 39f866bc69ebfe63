/* split: one file over several connections, each with its range.
 *
 * What has come is in PATH.part, and which ranges that are in PATH.part.ranges; when all is there,
 * and as long as was announced, PATH.part gets the name PATH. The same command line goes on where
 * another one ended, if the file has not changed at the server: ETag, else Last-Modified, and the
 * size tell. A server without ranges sends it all over one connection. A PATH.part with bytes in it
 * and no notes beside it is not ours, and stays. */
#ifndef HCURL_SPLIT_H
#define HCURL_SPLIT_H

#include "app/hopt.h"
#include "checksum.h"
#include "proto/http_client.h"
#include "report.h"
#include "retry.h"

#define SPLIT_PARTS_MAX 64
#define SPLIT_PART_SIZE_MIN ((int64_t)256 * 1024) /* smaller ones are not worth a connection */
#define SPLIT_RESTARTS_MAX 3                      /* of a file that changes meanwhile */
#define SPLIT_SAVE_MS 2000                        /* between two notes of what is there */

typedef struct split_options_s {
    uint32_t parts; /* connections; 0: as ever, 1: only resumable */
} split_options_t;

extern const hopt_t split_rows[];

typedef struct split_job_s {
    hloop_t *loop; /* runs inside split_run, and must not run already */
    http_client_t *client;
    const http_transfer_options_t *transfer; /* a GET without body, range or coding */
    report_t *report;                        /* gets the traces; NULL: nobody */
    const char *path;                        /* the file */
    uint32_t parts;
    const retry_options_t *retry;
    checksum_value_t checksum; /* of the file; hash CHECKSUM_NONE: none */
    unsigned file_mode;        /* before the umask; 0: 0666 */
    bool remote_time;
    bool progress;                                   /* on stderr, if that is a terminal */
    void (*on_warning)(const char *text, void *arg); /* one line; NULL: none */
    void *arg;
} split_job_t;

/* What it came to. */
typedef struct split_result_s {
    http_transfer_info_t info; /* of the first request; its strings are "" */
    uint64_t size;             /* of the file */
    uint64_t found;            /* bytes of it that were there before */
    uint64_t downloaded;       /* bytes that came now */
    uint32_t parts;            /* connections that were used at once; 1: no ranges */
    int signo;                 /* the signal that has ended it; 0: none */
} split_result_t;

/* 0, and the file is there; or an exit status, and error (one line) says why: STATUS_USAGE (a
 * request that is not fit for it), STATUS_RANGE (the server mixes files), STATUS_PARTIAL,
 * STATUS_WRITE ... A signal (SIGINT, SIGTERM) ends it with STATUS_CANCELLED; what has come
 * stays. */
int split_run(const split_job_t *job, split_result_t *result, hbytes_t *error);

#endif
