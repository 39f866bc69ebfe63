#include "timers.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static uint64_t seed = 88172645463325252u;

void bench_timers_init(bench_timers_t *timers)
{
    *timers = (bench_timers_t){0};
    timers->delay_ms = malloc(TIMERS_N * sizeof(uint32_t));
    timers->cancel = malloc(TIMERS_N * sizeof(uint32_t));
    timers->victims = malloc(TIMERS_HALF * sizeof(void *));
    if (!timers->delay_ms || !timers->cancel || !timers->victims)
        bench_fail("malloc");
    for (uint32_t i = 0; i < TIMERS_N; i++)
        timers->delay_ms[i] = 1 + bench_random(&seed) % TIMERS_DELAY_MS;
}

void bench_timers_choose(bench_timers_t *timers)
{
    bool in_order = timers->round == 1;

    timers->fired = 0;
    for (uint32_t i = 0; i < TIMERS_N; i++)
        timers->cancel[i] = in_order ? i * 2 % TIMERS_N : i;
    for (uint32_t i = 0; !in_order && i < TIMERS_HALF; i++) {
        uint32_t j = i + bench_random(&seed) % (TIMERS_N - i);
        uint32_t swap = timers->cancel[i];

        timers->cancel[i] = timers->cancel[j];
        timers->cancel[j] = swap;
    }
}

void bench_timers_pass(bench_timers_t *timers)
{
    uint64_t end_ns = bench_now_ns() + (TIMERS_DELAY_MS + 2) * 1000000u;

    timers->cancelled_ns = bench_work_ns();
    do
        usleep(10000);
    while (bench_now_ns() < end_ns);
    timers->slept_ns = bench_work_ns();
}

void bench_timers_report(const bench_timers_t *timers)
{
    static const char *const names[TIMERS_ROUNDS] = {"first", "in-order", "random"};

    printf("%s %.2f %.2f %.2f\n", names[timers->round],
           (double)(timers->added_ns - timers->start_ns) / TIMERS_N,
           (double)(timers->cancelled_ns - timers->chosen_ns) / TIMERS_HALF,
           (double)(timers->fired_ns - timers->slept_ns) / TIMERS_HALF);
}

void bench_timers_report_reset(const char *name, uint64_t ns)
{
    printf("reset-%s %.2f\n", name, (double)ns / TIMERS_RESETS);
}
