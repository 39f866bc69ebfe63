/* bench_report: a load run's figures, for people and for programs. */
#ifndef HCURL_BENCH_REPORT_H
#define HCURL_BENCH_REPORT_H

#include "load.h"

typedef struct bench_facts_s {
    const char *method, *url;
    uint32_t concurrency, threads;
    const load_result_t *result;
} bench_facts_t;

/* Several lines: rates, statuses, errors, latencies with their percentiles, and bars that show how
 * they are spread; as much of it as there is memory for. */
void bench_report_text(const bench_facts_t *facts, hbytes_t *out);

/* One line: an object with "method", "url", "connections", "threads", "duration_s", "requests",
 * "requests_per_s", "bytes_received", "bytes_sent", "bytes_received_per_s", "connects",
 * "body_bytes": {"min", "max"}, "statuses": {"200": 12}, "errors": {"connect", "tls", "empty",
 * "partial", "reset", "timeout", "reply", "other"}, and "latency_us" and "connect_us": {"min",
 * "mean", "p50", "p75", "p90", "p99", "p99.9", "max"}. 0 or an error of hjson_finish. */
int bench_report_json(const bench_facts_t *facts, hbytes_t *out);

#endif
