/* Requests as clients send them, and how the parser benches measure and report. */
#ifndef HNET_BENCH_HTTP_HEADS_H
#define HNET_BENCH_HTTP_HEADS_H

#include <stddef.h>

#define BENCH_HEAD_FIELDS_MAX 100

typedef struct bench_head_s {
    const char *client; /* "curl" */
    const char *text;
    size_t len;
    size_t fields;
} bench_head_t;

extern const bench_head_t bench_heads[];
extern const size_t bench_heads_count;

/* Parses a head again and again, n times, on one connection that is kept alive. Returns how many
 * fields it has seen, names and values, which is checked. */
typedef size_t (*bench_parse_cb)(const bench_head_t *head, size_t n);

/* Prints "CLIENT ns" for each head: CPU time of a request, the median of some rounds. */
void bench_parse_all(bench_parse_cb parse);

#endif
