#include "timers.h"

#include <stdlib.h>
#include <uv.h>

static bench_timers_t work;
static uv_timer_t *timers;

static void on_timer(uv_timer_t *timer)
{
    if (bench_timers_fired(&work))
        uv_stop(timer->loop);
}

static void on_start(uv_timer_t *starter)
{
    work.start_ns = bench_work_ns();
    for (uint32_t i = 0; i < TIMERS_N; i++)
        uv_timer_start(&timers[i], on_timer, work.delay_ms[i], 0);
    work.added_ns = bench_work_ns();
    for (uint32_t i = 0; i < TIMERS_HALF; i++)
        work.victims[i] = &timers[work.cancel[i]];
    work.chosen_ns = bench_work_ns();
    for (uint32_t i = 0; i < TIMERS_HALF; i++)
        uv_timer_stop(work.victims[i]);
    bench_timers_pass(&work);
    (void)starter;
}

static void reset_in_turn(const char *name, uint32_t n)
{
    uint64_t start_ns = bench_work_ns();

    for (uint32_t i = 0, at = 0; i < TIMERS_RESETS; i++) {
        uv_timer_again(&timers[at]);
        at = at + 1 < n ? at + 1 : 0;
    }
    bench_timers_report_reset(name, bench_work_ns() - start_ns);
}

static void on_reset(uv_timer_t *starter)
{
    for (uint32_t i = 0; i < TIMERS_RESET_N; i++)
        uv_timer_start(&timers[i], on_timer, TIMERS_RESET_MS, TIMERS_RESET_MS);
    reset_in_turn("1", 1);
    reset_in_turn("10k", TIMERS_RESET_N);
    uv_stop(starter->loop);
}

int main(void)
{
    uv_loop_t *loop = uv_default_loop();
    uv_timer_t starter;

    timers = calloc(TIMERS_N, sizeof(*timers));
    if (!timers)
        bench_fail("start");
    uv_timer_init(loop, &starter);
    for (uint32_t i = 0; i < TIMERS_N; i++)
        uv_timer_init(loop, &timers[i]);
    bench_timers_init(&work);
    for (work.round = 0; work.round < TIMERS_ROUNDS; work.round++) {
        bench_timers_choose(&work);
        uv_timer_start(&starter, on_start, 1, 0);
        uv_run(loop, UV_RUN_DEFAULT);
        bench_timers_report(&work);
    }
    uv_timer_start(&starter, on_reset, 1, 0);
    uv_run(loop, UV_RUN_DEFAULT);
    free(timers);
    return 0;
}
