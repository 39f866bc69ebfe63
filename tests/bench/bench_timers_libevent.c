#include "timers.h"

#include <event2/event.h>
#include <event2/event_struct.h>
#include <stdlib.h>

static bench_timers_t work;
static struct event *timers;
static struct event_base *base;

static struct timeval to_timeval(uint32_t ms)
{
    return (struct timeval){ms / 1000, ms % 1000 * 1000};
}

static void on_timer(evutil_socket_t fd, short events, void *arg)
{
    (void)fd;
    (void)events;
    (void)arg;
    if (bench_timers_fired(&work))
        event_base_loopbreak(base);
}

static void on_start(evutil_socket_t fd, short events, void *arg)
{
    (void)fd;
    (void)events;
    (void)arg;
    work.start_ns = bench_work_ns();
    for (uint32_t i = 0; i < TIMERS_N; i++) {
        struct timeval delay = to_timeval(work.delay_ms[i]);

        event_add(&timers[i], &delay);
    }
    work.added_ns = bench_work_ns();
    for (uint32_t i = 0; i < TIMERS_HALF; i++)
        work.victims[i] = &timers[work.cancel[i]];
    work.chosen_ns = bench_work_ns();
    for (uint32_t i = 0; i < TIMERS_HALF; i++)
        event_del(work.victims[i]);
    bench_timers_pass(&work);
}

static void reset_in_turn(const char *name, uint32_t n)
{
    struct timeval delay = to_timeval(TIMERS_RESET_MS);
    uint64_t start_ns = bench_work_ns();

    for (uint32_t i = 0, at = 0; i < TIMERS_RESETS; i++) {
        event_add(&timers[at], &delay);
        at = at + 1 < n ? at + 1 : 0;
    }
    bench_timers_report_reset(name, bench_work_ns() - start_ns);
}

static void on_reset(evutil_socket_t fd, short events, void *arg)
{
    struct timeval delay = to_timeval(TIMERS_RESET_MS);

    (void)fd;
    (void)events;
    (void)arg;
    for (uint32_t i = 0; i < TIMERS_RESET_N; i++)
        event_add(&timers[i], &delay);
    reset_in_turn("1", 1);
    reset_in_turn("10k", TIMERS_RESET_N);
    event_base_loopbreak(base);
}

static void run(event_callback_fn cb)
{
    struct timeval delay = to_timeval(1);

    event_base_once(base, -1, EV_TIMEOUT, cb, NULL, &delay);
    event_base_dispatch(base);
}

int main(void)
{
    base = event_base_new();
    timers = calloc(TIMERS_N, sizeof(*timers));
    if (!base || !timers)
        bench_fail("start");
    for (uint32_t i = 0; i < TIMERS_N; i++)
        evtimer_assign(&timers[i], base, on_timer, NULL);
    bench_timers_init(&work);
    for (work.round = 0; work.round < TIMERS_ROUNDS; work.round++) {
        bench_timers_choose(&work);
        run(on_start);
        bench_timers_report(&work);
    }
    run(on_reset);
    free(timers);
    return 0;
}
