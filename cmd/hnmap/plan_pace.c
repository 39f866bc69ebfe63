/* Templates of -T, and what was given instead of them. */
#include "plan.h"

#define NEIGHBOUR_RATE 10000 /* probes a second, to begin with: the local link bears it */
/* Of each probe that asks whether a host is there, at most: where much is lost. */
#define PING_TRIES 6

#define MS 1000ULL /* us */

/* nmap's templates, as its manual tells them: times in ms. */
typedef struct template_s {
    uint32_t rtt_initial, rtt_min, rtt_max, delay, delay_max, host_timeout;
    unsigned retries, window_max;
} template_t;

static const template_t templates[] = {
    {300000, 100, 300000, 300000, 0, 0, 10, 1}, {15000, 100, 15000, 15000, 0, 0, 10, 1},
    {1000, 100, 10000, 400, 1000, 0, 10, 1},    {1000, 100, 10000, 0, 1000, 0, 10, 0},
    {500, 100, 1250, 0, 10, 0, 6, 0},           {250, 50, 300, 0, 5, 900000, 2, 0},
};

static uint32_t given_or(uint32_t given, uint32_t usual)
{
    return given > 0 ? given : usual;
}

/* What comes from the template yields to what was given. */
static template_t merge(const timing_options_t *t)
{
    template_t m = templates[t->pace];

    m.rtt_initial = given_or(t->rtt_initial_ms, m.rtt_initial);
    m.rtt_min = given_or(t->rtt_min_ms, m.rtt_min);
    m.rtt_max = given_or(t->rtt_max_ms, m.rtt_max);
    if (m.rtt_min > m.rtt_max)
        *(t->rtt_max_ms > 0 ? &m.rtt_min : &m.rtt_max) = t->rtt_max_ms > 0 ? m.rtt_max : m.rtt_min;
    if (m.rtt_initial > m.rtt_max && t->rtt_initial_ms > 0 && t->rtt_max_ms == 0)
        m.rtt_max = m.rtt_initial;
    if (m.rtt_initial < m.rtt_min && t->rtt_initial_ms > 0 && t->rtt_min_ms == 0)
        m.rtt_min = m.rtt_initial;
    m.rtt_initial = m.rtt_initial > m.rtt_max   ? m.rtt_max
                    : m.rtt_initial < m.rtt_min ? m.rtt_min
                                                : m.rtt_initial;
    m.delay = given_or(t->delay_ms, m.delay);
    m.delay_max = given_or(t->delay_max_ms, m.delay_max);
    if (m.delay > m.delay_max && m.delay_max > 0)
        *(t->delay_max_ms > 0 ? &m.delay : &m.delay_max) =
            t->delay_max_ms > 0 ? m.delay_max : m.delay;
    m.window_max = given_or(t->window_max, m.window_max);
    if (m.window_max > 0 && m.window_max < t->window_min)
        m.window_max = t->window_min;
    m.host_timeout = given_or(t->host_timeout_ms, m.host_timeout);
    m.retries = t->retries >= 0 ? (unsigned)t->retries : m.retries;
    return m;
}

engine_options_t plan_pace(const options_t *options, plan_pace_e what)
{
    const timing_options_t *t = &options->timing;
    const template_t m = merge(t);
    bool pings =
        what == PACE_NEIGHBOURS || what == PACE_PINGS || what == PACE_OS || what == PACE_TRACE;

    return (engine_options_t){
        .rtt_initial_us = m.rtt_initial * MS,
        .rtt_min_us = m.rtt_min * MS,
        .rtt_max_us = m.rtt_max * MS,
        .tries = pings && m.retries + 1 > PING_TRIES ? PING_TRIES : m.retries + 1,
        .host_timeout_us = m.host_timeout * MS,
        .delay_us = m.delay * MS,
        .delay_max_us = m.delay_max * MS,
        .window_min = t->window_min,
        .window_max = m.window_max,
        .rate_min = t->rate_min,
        .rate_max = t->rate_max,
        .rate_initial = what == PACE_NEIGHBOURS ? NEIGHBOUR_RATE : 0,
        .in_order = !pings && options->port.in_order,
        /* Silence would be taken for an open port. */
        .wait_for_limited = what == PACE_UDP && !t->defeat_icmp_limit,
    };
}
