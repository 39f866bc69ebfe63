#include "event/htimer.h"
#include "timers.h"

#include <stdlib.h>

static bench_timers_t work;
static htimer_t **timers;

static void on_timer(htimer_t *timer)
{
    if (bench_timers_fired(&work))
        hloop_stop(hevent_loop(timer));
}

static void on_start(htimer_t *starter)
{
    hloop_t *loop = hevent_loop(starter);

    work.start_ns = bench_work_ns();
    for (uint32_t i = 0; i < TIMERS_N; i++)
        timers[i] = htimer_add(loop, on_timer, work.delay_ms[i], 1);
    work.added_ns = bench_work_ns();
    for (uint32_t i = 0; i < TIMERS_HALF; i++)
        work.victims[i] = timers[work.cancel[i]];
    work.chosen_ns = bench_work_ns();
    for (uint32_t i = 0; i < TIMERS_HALF; i++)
        htimer_del(work.victims[i]);
    bench_timers_pass(&work);
}

static void reset_in_turn(const char *name, uint32_t n)
{
    uint64_t start_ns = bench_work_ns();

    for (uint32_t i = 0, at = 0; i < TIMERS_RESETS; i++) {
        htimer_reset(timers[at], 0);
        at = at + 1 < n ? at + 1 : 0;
    }
    bench_timers_report_reset(name, bench_work_ns() - start_ns);
}

static void on_reset(htimer_t *starter)
{
    hloop_t *loop = hevent_loop(starter);

    for (uint32_t i = 0; i < TIMERS_RESET_N; i++)
        timers[i] = htimer_add(loop, on_timer, TIMERS_RESET_MS, 1);
    hloop_update_time(loop);
    reset_in_turn("1", 1);
    reset_in_turn("10k", TIMERS_RESET_N);
    hloop_stop(loop);
}

int main(void)
{
    hloop_t *loop = hloop_new(0);

    timers = calloc(TIMERS_N, sizeof(htimer_t *));
    if (!loop || !timers)
        bench_fail("start");
    bench_timers_init(&work);
    for (work.round = 0; work.round < TIMERS_ROUNDS; work.round++) {
        bench_timers_choose(&work);
        htimer_add(loop, on_start, 1, 1);
        hloop_run(loop);
        bench_timers_report(&work);
    }
    htimer_add(loop, on_reset, 1, 1);
    hloop_run(loop);
    hloop_free(&loop);
    free(timers);
    return 0;
}
