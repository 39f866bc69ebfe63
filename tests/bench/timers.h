/* The timer benches' workload: TIMERS_N timers with random time-outs are added in one callback,
 * half of them cancelled there, the clock passes all deadlines, and the loop then fires the rest.
 * Each program does that three times and reports the last two: in the second the cancelled ones are
 * every other in the order of adding, in the third they come in random order. The first round only
 * brings memory in. All times are CPU times. Timers live in arrays that the program owns where the
 * library allows it. */
#ifndef HNET_BENCH_TIMERS_H
#define HNET_BENCH_TIMERS_H

#include "bench.h"

#include <stdbool.h>
#include <stddef.h>

#define TIMERS_N 1000000u
#define TIMERS_HALF (TIMERS_N / 2)
#define TIMERS_DELAY_MS 200 /* the longest */
#define TIMERS_ROUNDS 3
#define TIMERS_RESETS 5000000u
#define TIMERS_RESET_N 10000u /* timers that are re-armed in turn */
#define TIMERS_RESET_MS 60000

typedef struct bench_timers_s {
    uint32_t *delay_ms; /* TIMERS_N */
    uint32_t *cancel;   /* TIMERS_HALF indexes of this round */
    void **victims;     /* the same as timers: finding them is the program's cost, not timed */
    size_t fired;
    uint64_t start_ns, added_ns, chosen_ns, cancelled_ns, slept_ns, fired_ns;
    unsigned round;
} bench_timers_t;

/* Makes the arrays. */
void bench_timers_init(bench_timers_t *timers);

/* Which are cancelled in this round. */
void bench_timers_choose(bench_timers_t *timers);

/* After cancelling: takes the time, sleeps until all deadlines have passed, takes the time. */
void bench_timers_pass(bench_timers_t *timers);

/* Prints a round's figures in ns for one timer: "round add cancel fire". */
void bench_timers_report(const bench_timers_t *timers);

/* Prints "reset NAME ns" for TIMERS_RESETS resets that took this long. */
void bench_timers_report_reset(const char *name, uint64_t ns);

/* Counts a timer that fired; true: it was the last. */
static inline bool bench_timers_fired(bench_timers_t *timers)
{
    if (++timers->fired < TIMERS_HALF)
        return false;
    timers->fired_ns = bench_work_ns();
    return true;
}

#endif
