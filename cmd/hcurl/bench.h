/* bench: the load run: one request, again and again over many connections, and what that gave:
 * requests a second, latencies, statuses, errors.
 *
 * One request goes ahead as any other transfer does. Who is asked in the end, with which bytes, is
 * known after it; the load run then sends just these (load.h). It is not counted. */
#ifndef HCURL_BENCH_H
#define HCURL_BENCH_H

#include "app/hopt.h"
#include "proto/http_client.h"

#define BENCH_CONCURRENCY 10
#define BENCH_CONCURRENCY_MAX 65535
#define BENCH_DURATION_MS 10000 /* where neither a number of requests nor a time was given */
#define BENCH_TIMEOUT_MS 10000  /* of each request, where --max-time says nothing */
#define BENCH_THREADS_MAX 256
#define BENCH_BODY_MAX ((size_t)256 * 1024 * 1024) /* of the request: kept in memory */

/* All zero is the default. */
typedef struct bench_options_s {
    bool bench;
    bool json;            /* --bench-json: the report as one JSON object; stands for --bench, too */
    uint64_t count;       /* --count: requests in all. Without --bench: so often is each transfer
                             made (operate.c); 0: once */
    uint32_t concurrency; /* connections; BENCH_CONCURRENCY */
    uint32_t duration_ms;
    uint32_t threads; /* 1 */
} bench_options_t;

extern const hopt_t bench_rows[];

/* Whether a load run is asked for. */
bool bench_wanted(const bench_options_t *options);

typedef struct bench_job_s {
    hloop_t *loop;                           /* runs inside bench_run, and must not run already */
    http_client_t *client;                   /* on that loop */
    const http_client_options_t *connect;    /* what the client was made with */
    const http_transfer_options_t *transfer; /* its body's source must have a length */
    int out;                                 /* where the report goes */
    bool progress;                           /* on stderr, if that is a terminal */
} bench_job_t;

/* Runs until the count or the time is reached, or a signal ends it (SIGINT, SIGTERM: what there is
 * so far is reported). Returns the exit status: that of the request that went ahead, if it failed,
 * and then error (one line) says why; otherwise that of the most frequent error; 0 when every
 * request had its response. */
int bench_run(const bench_options_t *options, const bench_job_t *job, hbytes_t *error);

#endif
