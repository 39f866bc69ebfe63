/* One thread. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../cmd/hproxy/stats.h"
#include "oom.h"

static stats_shared_t *shared;

static int setup(void **state)
{
    (void)state;
    shared =
        mmap(NULL, stats_shared_size(), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    return shared == MAP_FAILED ? -1 : 0;
}

static int teardown(void **state)
{
    (void)state;
    return munmap(shared, stats_shared_size());
}

static stats_t *open_stats(const char *name, unsigned slot)
{
    stats_t *stats = stats_open(shared, name, slot);

    assert_non_null(stats);
    return stats;
}

static void a_session_is_counted_once(void **state)
{
    stats_t *stats = open_stats("web", 3);
    stats_sum_t sum;

    (void)state;
    stats_begin(stats);
    stats_begin(stats);
    stats_end(stats, &(stats_session_t){.end = 2,
                                        .sent_bytes = 10,
                                        .received_bytes = 20,
                                        .connected = true,
                                        .connect_us = 300,
                                        .duration_us = 2000000});
    assert_true(stats_read(shared, 0, &sum));
    assert_string_equal(sum.name, "web");
    assert_int_equal(sum.begun, 2);
    assert_int_equal(sum.open, 1);
    assert_int_equal(sum.ends[2], 1);
    assert_int_equal(sum.sent_bytes, 10);
    assert_int_equal(sum.received_bytes, 20);
    assert_int_equal(sum.connects[prometheus_text_bucket(stats_connect_bounds, 300)], 1);
    assert_int_equal(sum.connect_us, 300);
    assert_int_equal(sum.durations[prometheus_text_bucket(stats_duration_bounds, 2000000)], 1);
    assert_int_equal(sum.duration_us, 2000000);
    assert_true(stats_started_ms(shared) > 0);
    assert_false(stats_read(shared, 1, &sum));
    assert_false(stats_read(shared, STATS_SERVICES_MAX + 1, &sum));
    stats_close(stats);
}

/* A target on this machine may take less than the clock tells. */
static void a_connection_of_no_time_is_one(void **state)
{
    stats_t *stats = open_stats("web", 0);
    uint64_t connects = 0;
    stats_sum_t sum;

    (void)state;
    for (int i = 0; i < 3; i++) {
        stats_begin(stats);
        stats_end(stats, &(stats_session_t){.connected = i < 2});
    }
    stats_sum(stats, &sum);
    for (int i = 0; i < STATS_BUCKETS; i++)
        connects += sum.connects[i];
    assert_int_equal(connects, 2);
    assert_int_equal(sum.connects[0], 2);
    stats_close(stats);
}

static void a_service_is_found_again_by_its_name(void **state)
{
    char name[] = "web";
    stats_t *before = open_stats(name, 0), *other = open_stats("dns", 0), *after;
    stats_sum_t sum;

    (void)state;
    stats_begin(before);
    stats_close(before);
    after = open_stats("web", 1);
    stats_begin(after);
    stats_sum(after, &sum);
    assert_int_equal(sum.begun, 2);
    stats_sum(other, &sum);
    assert_int_equal(sum.begun, 0);
    stats_close(after);
    stats_close(other);
}

static void what_a_dead_worker_had_open_is_forgotten(void **state)
{
    stats_t *dead = open_stats("web", 0), *alive = open_stats("web", 1);
    stats_sum_t sum;

    (void)state;
    stats_begin(dead);
    stats_begin(alive);
    stats_forget(shared, 0);
    stats_forget(shared, STATS_SLOTS_MAX);
    stats_sum(alive, &sum);
    assert_int_equal(sum.open, 1);
    assert_int_equal(sum.begun, 2);
    stats_close(dead);
    stats_close(alive);
}

/* Names that are cut alike are still two. */
static void long_names_are_told_apart(void **state)
{
    char one[400], two[400];
    stats_t *first, *second;
    stats_sum_t sum;

    (void)state;
    memset(one, 'x', sizeof(one));
    memset(two, 'x', sizeof(two));
    one[399] = two[399] = '\0';
    two[398] = 'y';
    first = open_stats(one, 0);
    second = open_stats(two, 0);
    stats_begin(first);
    stats_sum(second, &sum);
    assert_int_equal(sum.begun, 0);
    assert_int_equal(strlen(sum.name), STATS_NAME_SIZE - 1);
    stats_close(first);
    stats_close(second);
}

static void too_many_names_are_counted_together(void **state)
{
    stats_sum_t sum;
    char name[16];

    (void)state;
    for (int i = 0; i < STATS_SERVICES_MAX + 3; i++) {
        stats_t *stats;

        snprintf(name, sizeof(name), "name %d", i);
        stats = open_stats(name, 0);
        stats_begin(stats);
        stats_close(stats);
    }
    assert_true(stats_read(shared, STATS_SERVICES_MAX, &sum));
    assert_string_equal(sum.name, "others");
    assert_int_equal(sum.begun, 3);
}

/* Processes that come at once take the same places, and lose no count. */
static void processes_count_together(void **state)
{
    const int processes = 4, sessions = 1000;
    stats_sum_t sum;
    char name[16];

    (void)state;
    for (int i = 0; i < processes; i++) {
        pid_t pid = fork();

        assert_true(pid >= 0);
        if (pid > 0)
            continue;
        for (int n = 0; n < sessions; n++) {
            stats_t *stats;

            snprintf(name, sizeof(name), "name %d", n % 10);
            stats = stats_open(shared, name, (unsigned)i);
            stats_begin(stats);
            stats_end(stats, &(stats_session_t){.sent_bytes = 1});
            stats_close(stats);
        }
        _exit(0);
    }
    while (wait(NULL) > 0)
        ;
    for (size_t i = 0; i < 10; i++) {
        assert_true(stats_read(shared, i, &sum));
        assert_int_equal(sum.begun, processes * sessions / 10);
        assert_int_equal(sum.sent_bytes, processes * sessions / 10);
        assert_int_equal(sum.open, 0);
    }
    assert_false(stats_read(shared, 10, &sum));
}

static int use_without_shared(void *arg)
{
    stats_t *stats = stats_open(arg, "web", STATS_SLOTS_MAX);
    stats_sum_t sum;

    if (!stats)
        return -ENOMEM;
    stats_begin(stats);
    stats_end(stats, &(stats_session_t){.end = -1});
    stats_sum(stats, &sum);
    assert_int_equal(sum.begun, 1);
    stats_close(stats);
    return 0;
}

static void without_shared_memory_they_count_for_nobody(void **state)
{
    (void)state;
    oom_run(use_without_shared, NULL);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_session_is_counted_once),
        TEST(a_connection_of_no_time_is_one),
        TEST(a_service_is_found_again_by_its_name),
        TEST(what_a_dead_worker_had_open_is_forgotten),
        TEST(long_names_are_told_apart),
        TEST(too_many_names_are_counted_together),
        TEST(processes_count_together),
        cmocka_unit_test(without_shared_memory_they_count_for_nobody),
    };

    return cmocka_run_group_tests_name("hproxy_stats", tests, NULL, NULL);
}
