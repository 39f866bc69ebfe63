/* Round trips, after RFC 6298. A host of which nothing is known borrows the scan's estimate, with
 * more patience in each round: it may be farther away than those that have answered. */
#include "engine_int.h"

#define BACKOFF_MAX 6

void engine__rtt_init(engine__rtt_t *rtt, uint64_t rtt_us)
{
    *rtt = (engine__rtt_t){.srtt_us = rtt_us, .var_us = rtt_us / 2, .least_us = rtt_us};
}

void engine__rtt_sample(engine__rtt_t *rtt, uint64_t sample_us, uint64_t now)
{
    if (sample_us == 0)
        sample_us = 1;
    if (rtt->sampled_us == 0) { /* what was told before is no measurement */
        engine__rtt_init(rtt, sample_us);
    } else {
        uint64_t off =
            rtt->srtt_us > sample_us ? rtt->srtt_us - sample_us : sample_us - rtt->srtt_us;

        rtt->var_us = (3 * rtt->var_us + off) / 4;
        rtt->srtt_us = (7 * rtt->srtt_us + sample_us) / 8;
        if (rtt->srtt_us == 0)
            rtt->srtt_us = 1;
    }
    if (sample_us < rtt->least_us)
        rtt->least_us = sample_us;
    rtt->sampled_us = now;
    rtt->backoff = 0;
}

/* An answer came after its timeout: it cannot be measured, but the timeout was too short. Once
 * a timeout: one delay makes many late. */
void engine__rtt_late(engine__rtt_t *rtt, uint64_t timeout_us, uint64_t now)
{
    if (now < rtt->late_us || rtt->backoff >= BACKOFF_MAX)
        return;
    rtt->late_us = now + timeout_us;
    rtt->backoff++;
}

static uint64_t clamp(const engine_options_t *options, uint64_t timeout_us)
{
    if (timeout_us < options->rtt_min_us)
        return options->rtt_min_us;
    return timeout_us > options->rtt_max_us ? options->rtt_max_us : timeout_us;
}

static uint64_t estimate(const engine__rtt_t *rtt)
{
    return rtt->srtt_us + 4 * rtt->var_us;
}

uint64_t engine__scan_timeout(const engine_t *engine)
{
    const engine_options_t *options = &engine->options;

    return clamp(options, engine->rtt.srtt_us ? estimate(&engine->rtt) : options->rtt_initial_us);
}

uint64_t engine__timeout(const engine_t *engine, const engine_host_t *host)
{
    const engine_options_t *options = &engine->options;
    uint64_t timeout_us = engine__scan_timeout(engine);
    unsigned round = host->round < BACKOFF_MAX ? host->round : BACKOFF_MAX;

    if (host->rtt.srtt_us)
        timeout_us = clamp(options, estimate(&host->rtt));
    else if (timeout_us << round < options->rtt_initial_us)
        timeout_us <<= round;
    else if (timeout_us < options->rtt_initial_us)
        timeout_us = options->rtt_initial_us;
    return clamp(options, timeout_us << host->rtt.backoff);
}
