/* The post benches' workload: one thread posts POSTS_N numbers as fast as it can to a loop in
 * another, which adds them up. The clock runs from the first post until the loop has seen all.
 *
 * libcore's posts carry their data. The others offer a wake-up that may stand for many, so a
 * program brings its own queue (here the usual one: a growing array under a mutex, taken whole) and
 * wakes the loop when it was empty. With "counter" as first argument all of them have a shared
 * counter instead, the least that a program can do. */
#ifndef HNET_BENCH_POSTS_H
#define HNET_BENCH_POSTS_H

#include "bench.h"

#include <stdbool.h>
#include <stddef.h>

#define POSTS_N 5000000u

typedef struct posts_s {
    bool counts_only;
    uint64_t seen; /* by the loop's thread */
    uint64_t sum;  /* of the numbers that were posted */
} posts_t;

/* Runs producer(NULL) in a thread on the second processor; the caller stays on the first. */
void posts_start(posts_t *posts, int argc, char **argv, void *(*producer)(void *));

/* The producer's half of the queue or counter: true if it was empty, and the loop must be woken. */
bool posts_put(const posts_t *posts, uint64_t number);

/* The consumer's: takes all there is; true when everything was seen. */
bool posts_take(posts_t *posts);

/* All were seen: joins the thread and prints ns per post. */
void posts_report(const posts_t *posts);

#endif
