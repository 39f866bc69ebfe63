#include "timers.h"

#include <ev.h>
#include <stdlib.h>

static bench_timers_t work;
static ev_timer *timers;

static void on_timer(struct ev_loop *loop, ev_timer *timer, int events)
{
    (void)timer;
    (void)events;
    if (bench_timers_fired(&work))
        ev_break(loop, EVBREAK_ALL);
}

static void on_start(struct ev_loop *loop, ev_timer *starter, int events)
{
    (void)starter;
    (void)events;
    work.start_ns = bench_work_ns();
    for (uint32_t i = 0; i < TIMERS_N; i++) {
        ev_timer_init(&timers[i], on_timer, work.delay_ms[i] * 1e-3, 0.);
        ev_timer_start(loop, &timers[i]);
    }
    work.added_ns = bench_work_ns();
    for (uint32_t i = 0; i < TIMERS_HALF; i++)
        work.victims[i] = &timers[work.cancel[i]];
    work.chosen_ns = bench_work_ns();
    for (uint32_t i = 0; i < TIMERS_HALF; i++)
        ev_timer_stop(loop, work.victims[i]);
    bench_timers_pass(&work);
}

static void reset_in_turn(struct ev_loop *loop, const char *name, uint32_t n)
{
    uint64_t start_ns = bench_work_ns();

    for (uint32_t i = 0, at = 0; i < TIMERS_RESETS; i++) {
        ev_timer_again(loop, &timers[at]);
        at = at + 1 < n ? at + 1 : 0;
    }
    bench_timers_report_reset(name, bench_work_ns() - start_ns);
}

static void on_reset(struct ev_loop *loop, ev_timer *starter, int events)
{
    (void)starter;
    (void)events;
    for (uint32_t i = 0; i < TIMERS_RESET_N; i++) {
        ev_timer_init(&timers[i], on_timer, 0., TIMERS_RESET_MS * 1e-3);
        ev_timer_again(loop, &timers[i]);
    }
    reset_in_turn(loop, "1", 1);
    reset_in_turn(loop, "10k", TIMERS_RESET_N);
    ev_break(loop, EVBREAK_ALL);
}

int main(void)
{
    struct ev_loop *loop = ev_default_loop(EVBACKEND_EPOLL);
    ev_timer starter;

    timers = calloc(TIMERS_N, sizeof(*timers));
    if (!loop || !timers)
        bench_fail("start");
    bench_timers_init(&work);
    for (work.round = 0; work.round < TIMERS_ROUNDS; work.round++) {
        bench_timers_choose(&work);
        ev_timer_init(&starter, on_start, .001, 0.);
        ev_timer_start(loop, &starter);
        ev_run(loop, 0);
        bench_timers_report(&work);
    }
    ev_timer_init(&starter, on_reset, .001, 0.);
    ev_timer_start(loop, &starter);
    ev_run(loop, 0);
    free(timers);
    return 0;
}
