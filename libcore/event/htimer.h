/* htimer: one-shot, repeating and cron-like timers. Of equal time-outs the one that was added or
 * re-armed first fires first.
 *
 * A timer never fires early: its interval begins when the call is made, not when the callback began
 * that makes it. For that the first 8 calls of htimer_add and htimer_reset in a callback read the
 * clock each. A callback that makes more of them reads it once in 256 calls from there on: if it
 * works for long in between, it calls hloop_update_time before the next. */
#ifndef HNET_EVENT_HTIMER_H
#define HNET_EVENT_HTIMER_H

#include "hloop.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct htimer_s htimer_t;
typedef void (*htimer_cb)(htimer_t *timer);

#ifndef INFINITE
#define INFINITE ((uint32_t)-1)
#endif

/* Calls cb in timeout_ms from now and, when repeat > 1, repeat times in all (INFINITE: until
 * deleted), each timeout_ms after the one before; a loop that was held up does not make up for
 * missed ones. Freed by itself after the last call. NULL when out of memory. */
htimer_t *htimer_add(hloop_t *loop, htimer_cb cb, uint32_t timeout_ms, uint32_t repeat);

/* Calls cb at each local time that matches, as cron does: -1 matches anything. minute 0-59, hour
 * 0-23, day of month 1-31, week day 0-6 (Sunday 0), month 1-12. A wall clock that is set back by up
 * to 3 days is waited for; one that is set forward is noticed when the old time has passed, and the
 * call comes late. NULL when out of memory, on a field out of range, or if no such time comes. */
htimer_t *htimer_add_period(hloop_t *loop, htimer_cb cb, int8_t minute, int8_t hour, int8_t day,
                            int8_t week, int8_t month, uint32_t repeat);

/* Stops and frees the timer. Legal in any callback, its own too; not twice. NULL is legal. */
void htimer_del(htimer_t *timer);

/* Starts the interval again from now; timeout_ms 0 keeps the interval. Costs a store unless the new
 * deadline is before the old. For a cron-like timer it has no effect. */
void htimer_reset(htimer_t *timer, uint32_t timeout_ms);

#ifdef __cplusplus
}
#endif

#endif
