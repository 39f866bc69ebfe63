#include "posts.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct batch_s {
    uint64_t *numbers;
    size_t n, cap;
} batch_t;

static pthread_t thread;
static uint64_t start_ns;
static _Atomic uint64_t counter;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static batch_t filling;
static _Alignas(64) batch_t emptied; /* on no line of the producer's */

static void pin(pthread_t which, int cpu)
{
    cpu_set_t set;

    CPU_ZERO(&set);
    CPU_SET(cpu, &set);
    pthread_setaffinity_np(which, sizeof(set), &set); /* without a second one it stays as it is */
}

void posts_start(posts_t *posts, int argc, char **argv, void *(*producer)(void *))
{
    posts->counts_only = argc > 1 && strcmp(argv[1], "counter") == 0;
    pin(pthread_self(), 0);
    start_ns = bench_now_ns();
    errno = pthread_create(&thread, NULL, producer, NULL);
    if (errno)
        bench_fail("pthread_create");
    pin(thread, 1);
}

static void grow(batch_t *batch)
{
    batch->cap = batch->cap ? batch->cap * 2 : 1024;
    batch->numbers = realloc(batch->numbers, batch->cap * sizeof(uint64_t));
    if (!batch->numbers)
        bench_fail("realloc");
}

bool posts_put(const posts_t *posts, uint64_t number)
{
    bool is_first;

    if (posts->counts_only)
        return atomic_fetch_add(&counter, 1) == 0;
    pthread_mutex_lock(&mutex);
    if (filling.n == filling.cap)
        grow(&filling);
    is_first = filling.n == 0;
    filling.numbers[filling.n++] = number;
    pthread_mutex_unlock(&mutex);
    return is_first;
}

bool posts_take(posts_t *posts)
{
    batch_t batch;
    uint64_t sum = 0;

    if (posts->counts_only) {
        posts->seen += atomic_exchange(&counter, 0);
        return posts->seen == POSTS_N;
    }
    pthread_mutex_lock(&mutex);
    batch = filling;
    filling = emptied;
    pthread_mutex_unlock(&mutex);
    for (size_t i = 0; i < batch.n; i++)
        sum += batch.numbers[i];
    posts->sum += sum;
    posts->seen += batch.n;
    emptied = (batch_t){batch.numbers, 0, batch.cap};
    return posts->seen == POSTS_N;
}

void posts_report(const posts_t *posts)
{
    uint64_t ns = bench_now_ns() - start_ns;

    pthread_join(thread, NULL);
    if (!posts->counts_only && posts->sum != (uint64_t)POSTS_N * (POSTS_N - 1) / 2) {
        fprintf(stderr, "posts were lost\n");
        exit(1);
    }
    printf("%.2f\n", (double)ns / POSTS_N);
}
