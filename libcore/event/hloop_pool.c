/* The threads report when their on_start has returned; the starter waits for all reports, so that a
 * pool either runs whole or not at all. Loops are made before and freed after the threads: a post
 * to a loop of the pool is legal for as long as the pool lives. */
#include "hloop_pool.h"

#include "../base/hmem.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define THREAD_NAME_SIZE 16 /* the kernel's limit */

typedef struct pool_thread_s {
    hloop_pool_t *pool;
    hloop_t *loop;
    unsigned index;
    pthread_t id;
    bool alive; /* to be joined */
} pool_thread_t;

struct hloop_pool_s {
    hloop_pool_options_t options;
    char name[THREAD_NAME_SIZE];
    pool_thread_t *threads;
    unsigned size;
    bool started;
    atomic_uint turn;
    pthread_mutex_t lock;
    pthread_cond_t reported;
    unsigned reports; /* under lock */
    int error;        /* under lock: the first negative on_start */
};

/* ---- the thread ------------------------------------------------------------------------------ */

static void report(hloop_pool_t *pool, int err)
{
    pthread_mutex_lock(&pool->lock);
    pool->reports++;
    if (err < 0 && pool->error == 0)
        pool->error = err;
    pthread_cond_signal(&pool->reported);
    pthread_mutex_unlock(&pool->lock);
}

static void *run_thread(void *arg)
{
    pool_thread_t *thread = arg;
    hloop_pool_t *pool = thread->pool;
    const hloop_pool_options_t *options = &pool->options;
    char name[THREAD_NAME_SIZE];
    int err = 0;

    snprintf(name, sizeof(name), "%.9s-%u", pool->name, thread->index);
    pthread_setname_np(pthread_self(), name);
    if (options->on_start)
        err = options->on_start(thread->loop, thread->index, options->userdata);
    report(pool, err);
    if (err < 0)
        return NULL;
    err = hloop_run(thread->loop);
    if (err < 0)
        hlog_write(options->loop.log, HLOG_ERROR, "%s: %s", name, herr_str(err));
    if (options->on_stop)
        options->on_stop(thread->loop, thread->index, options->userdata);
    return NULL;
}

/* ---- making and freeing ---------------------------------------------------------------------- */

unsigned hloop_pool_cpu_count(void)
{
    cpu_set_t set;
    long n;

    CPU_ZERO(&set);
    if (sched_getaffinity(0, sizeof(set), &set) == 0)
        return (unsigned)CPU_COUNT(&set);
    n = sysconf(_SC_NPROCESSORS_ONLN); /* more processors than the set has room for */
    return n > 0 ? (unsigned)n : 1;
}

static int make_loops(hloop_pool_t *pool)
{
    hloop_options_t options = pool->options.loop;

    options.flags = 0;
    pool->threads = hmem_array(pool->size, sizeof(*pool->threads));
    if (!pool->threads)
        return -ENOMEM;
    for (unsigned i = 0; i < pool->size; i++) {
        pool->threads[i].pool = pool;
        pool->threads[i].index = i;
        pool->threads[i].loop = hloop_new_with(&options);
        if (!pool->threads[i].loop)
            return errno ? -errno : -ENOMEM;
    }
    return 0;
}

hloop_pool_t *hloop_pool_new(const hloop_pool_options_t *options)
{
    static const hloop_pool_options_t defaults;
    hloop_pool_t *pool;
    int err;

    if (!options)
        options = &defaults;
    if (options->threads > HLOOP_POOL_THREADS_MAX) {
        errno = EINVAL;
        return NULL;
    }
    pool = hmem_zalloc(sizeof(*pool));
    if (!pool) {
        errno = ENOMEM;
        return NULL;
    }
    pool->options = *options;
    pool->size = options->threads ? options->threads : hloop_pool_cpu_count();
    if (pool->size > HLOOP_POOL_THREADS_MAX)
        pool->size = HLOOP_POOL_THREADS_MAX;
    snprintf(pool->name, sizeof(pool->name), "%s", options->name ? options->name : "loop");
    pthread_mutex_init(&pool->lock, NULL);
    pthread_cond_init(&pool->reported, NULL);
    err = make_loops(pool);
    if (err) {
        hloop_pool_free(&pool);
        errno = -err;
        return NULL;
    }
    return pool;
}

void hloop_pool_free(hloop_pool_t **pp)
{
    hloop_pool_t *pool = pp ? *pp : NULL;

    if (!pool)
        return;
    *pp = NULL;
    hloop_pool_stop(pool);
    hloop_pool_join(pool);
    for (unsigned i = 0; pool->threads && i < pool->size; i++)
        hloop_free(&pool->threads[i].loop);
    pthread_mutex_destroy(&pool->lock);
    pthread_cond_destroy(&pool->reported);
    hmem_free(pool->threads);
    hmem_free(pool);
}

/* ---- running --------------------------------------------------------------------------------- */

/* How many threads run; *err: why not all do. */
static unsigned create_threads(hloop_pool_t *pool, int *err)
{
    for (unsigned i = 0; i < pool->size; i++) {
        pool_thread_t *thread = &pool->threads[i];

        *err = -pthread_create(&thread->id, NULL, run_thread, thread);
        if (*err)
            return i;
        thread->alive = true;
    }
    return pool->size;
}

int hloop_pool_start(hloop_pool_t *pool)
{
    unsigned created;
    int err = 0;

    if (pool->started)
        return -EALREADY;
    pool->started = true;
    created = create_threads(pool, &err);
    pthread_mutex_lock(&pool->lock);
    while (pool->reports < created)
        pthread_cond_wait(&pool->reported, &pool->lock);
    if (!err)
        err = pool->error;
    pthread_mutex_unlock(&pool->lock);
    if (err) {
        hloop_pool_stop(pool);
        hloop_pool_join(pool);
    }
    return err;
}

void hloop_pool_stop(hloop_pool_t *pool)
{
    for (unsigned i = 0; pool->threads && i < pool->size; i++) {
        if (pool->threads[i].loop)
            hloop_stop(pool->threads[i].loop);
    }
}

void hloop_pool_join(hloop_pool_t *pool)
{
    for (unsigned i = 0; pool->threads && i < pool->size; i++) {
        if (pool->threads[i].alive)
            pthread_join(pool->threads[i].id, NULL);
        pool->threads[i].alive = false;
    }
}

/* ---- choosing -------------------------------------------------------------------------------- */

unsigned hloop_pool_size(const hloop_pool_t *pool)
{
    return pool->size;
}

hloop_t *hloop_pool_loop(const hloop_pool_t *pool, unsigned index)
{
    return index < pool->size ? pool->threads[index].loop : NULL;
}

static unsigned next_index(hloop_pool_t *pool)
{
    return atomic_fetch_add_explicit(&pool->turn, 1, memory_order_relaxed) % pool->size;
}

hloop_t *hloop_pool_next(hloop_pool_t *pool)
{
    return pool->threads[next_index(pool)].loop;
}

hloop_t *hloop_pool_least(hloop_pool_t *pool)
{
    unsigned first = next_index(pool);
    hloop_t *best = pool->threads[first].loop;
    uint32_t best_load = hloop_nios(best);

    for (unsigned i = 1; i < pool->size; i++) {
        hloop_t *loop = pool->threads[(first + i) % pool->size].loop;
        uint32_t load = hloop_nios(loop);

        if (load < best_load) {
            best = loop;
            best_load = load;
        }
    }
    return best;
}
