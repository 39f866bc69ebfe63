/* oom: runs a scenario again and again, each time with a later allocation failing, until it gets
 * through without one; and counts the blocks that are alive.
 *
 *     static int scenario(void *arg)   builds up, uses, tears down; 0, or the error it met
 *     ...
 *     oom_run(scenario, NULL);
 *
 * Include it after cmocka.h. Everything that the scenario allocates it must also free. */
#ifndef HNET_TESTS_OOM_H
#define HNET_TESTS_OOM_H

#include "base/hmem.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

#define OOM_ALLOCATIONS_MAX 100000
#define OOM_TRIES_MAX 20

/* 0 when it succeeded; -ENOMEM when an allocation that failed stopped it. It may succeed in spite
 * of one (a cache that does without). */
typedef int (*oom_scenario_cb)(void *arg);

typedef struct oom_s {
    long count;    /* allocations so far; updated atomically, a scenario may have threads */
    long fail_at;  /* the one that fails; 0: none */
    bool for_good; /* and all after it */
    long live;     /* blocks alive */
} oom_t;

static inline bool oom_refuses(oom_t *oom)
{
    long n = __atomic_add_fetch(&oom->count, 1, __ATOMIC_RELAXED);

    return oom->fail_at && (n == oom->fail_at || (oom->for_good && n > oom->fail_at));
}

static inline void *oom_alloc(size_t size, void *ctx)
{
    oom_t *oom = ctx;
    void *ptr = oom_refuses(oom) ? NULL : malloc(size);

    if (ptr)
        __atomic_add_fetch(&oom->live, 1, __ATOMIC_RELAXED);
    return ptr;
}

static inline void *oom_realloc(void *ptr, size_t size, void *ctx)
{
    return oom_refuses(ctx) ? NULL : realloc(ptr, size);
}

static inline void oom_free(void *ptr, void *ctx)
{
    oom_t *oom = ctx;

    __atomic_sub_fetch(&oom->live, 1, __ATOMIC_RELAXED);
    free(ptr);
}

/* From here on allocations go through oom; oom_end goes back to malloc. */
static inline void oom_begin(oom_t *oom, long fail_at, bool for_good)
{
    const hmem_allocator_t allocator = {oom_alloc, oom_realloc, oom_free, oom};

    oom->count = 0;
    oom->fail_at = fail_at;
    oom->for_good = for_good;
    oom->live = 0;
    hmem_set_allocator(&allocator);
}

static inline void oom_end(void)
{
    hmem_set_allocator(NULL);
}

/* How often a run without a failure has not got through so far. */
static int oom_tries;

/* The time limit of a scenario that would wait for ever when an allocation has failed: so long, and
 * twice as long each time that it was too short for this machine, where none has. */
static inline int oom_limit_ms(int ms)
{
    return ms << (oom_tries < 10 ? oom_tries : 10);
}

/* One pass; returns how many allocations a run without a failure makes. Where none has failed a
 * scenario with a time limit may have met that on a slow machine: it is tried again. */
static inline long oom_run_pass(oom_scenario_cb scenario, void *arg, bool for_good)
{
    oom_tries = 0;
    for (long fail_at = 1; fail_at < OOM_ALLOCATIONS_MAX; fail_at++) {
        oom_t oom;
        int result;

        oom_begin(&oom, fail_at, for_good);
        result = scenario(arg);
        oom_end();
        if (oom.live != 0)
            print_error("allocation %ld failed: %ld blocks are left over\n", fail_at, oom.live);
        assert_int_equal(oom.live, 0);
        if (oom.count < fail_at && result != 0 && ++oom_tries < OOM_TRIES_MAX) {
            fail_at--;
            continue;
        }
        if (oom.count < fail_at) {
            assert_int_equal(result, 0);
            return oom.count;
        }
        if (result != 0)
            assert_int_equal(result, -ENOMEM);
    }
    fail_msg("more than %d allocations", OOM_ALLOCATIONS_MAX);
    return -1;
}

/* Each single allocation fails once, then each with all that follow it. Fails the test on a leak,
 * on a double free, on an error other than -ENOMEM, and when nothing was allocated at all. */
static inline void oom_run(oom_scenario_cb scenario, void *arg)
{
    assert_true(oom_run_pass(scenario, arg, false) > 0);
    assert_true(oom_run_pass(scenario, arg, true) > 0);
}

/* For a scenario that forks: each process goes on with a copy of the count, so more allocations may
 * fail than this one makes. Goes on until nothing has failed anywhere. */
static inline void oom_run_forking(oom_scenario_cb scenario, void *arg)
{
    int result = -ENOMEM;
    oom_t oom = {0};

    for (long fail_at = 1; result != 0 || oom.count >= fail_at; fail_at++) {
        assert_true(fail_at < OOM_ALLOCATIONS_MAX);
        oom_begin(&oom, fail_at, false);
        result = scenario(arg);
        oom_end();
        assert_int_equal(oom.live, 0);
        if (result != 0)
            assert_int_equal(result, -ENOMEM);
    }
    assert_true(oom.count > 0);
}

#endif
