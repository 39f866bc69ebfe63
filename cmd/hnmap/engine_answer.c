/* What is learnt from an answer: the round trip, what was lost before it, whether it is limited. */
#include "engine_int.h"

#define SAMPLES_PER_RTT 16

/* try is the last one, and in flight. A few samples a round trip are enough. */
static void measure(engine_host_t *host, uint32_t probe, uint64_t now)
{
    engine_t *engine = host->engine;
    uint64_t again_us = engine->options.again_us;
    uint64_t age_us;

    if (host->rtt.sampled_us && now - host->rtt.sampled_us < host->rtt.srtt_us / SAMPLES_PER_RTT)
        return;
    age_us = engine__flight_age(host, probe, now);
    if (age_us == UINT64_MAX || (again_us && age_us >= again_us))
        return;
    if (age_us < ENGINE_NEAR_US && !host->rtt.sampled_us)
        engine__flow_near(&host->flow);
    if (age_us < ENGINE_NEAR_US && !engine->rtt.sampled_us)
        engine__flow_near(&engine->flow);
    engine__rtt_sample(&host->rtt, age_us, now);
    engine__rtt_sample(&engine->rtt, age_us, now);
}

/* A try was answered, and those before it were lost. */
static void count_tries(engine_host_t *host, unsigned lost, bool limited)
{
    host->tries.answered++;
    host->tries.lost += lost;
    if (!limited) {
        host->firm.answered++;
        host->firm.lost += lost;
        host->engine->firm.answered++;
        host->engine->firm.lost += lost;
    }
    if (limited && host->limited)
        return;
    host->engine->tries.answered++;
    host->engine->tries.lost += lost;
    host->engine->stats.lost += lost;
}

static void count_answer(engine__flow_t *flow, double weight, bool hit, uint64_t now)
{
    if (now < flow->hold_us)
        return;
    if (hit) {
        flow->lost += weight;
        flow->hits++;
    } else {
        flow->answered++;
    }
}

/* A canary that is answered stands for all that timed out beside it. */
static void weigh(engine_host_t *host, bool canary, bool limited, uint64_t now)
{
    double weight = host->canaried ? (double)host->timed_out / host->canaried : 1;

    if (limited && (host->limited || (canary && host->engine->options.wait_for_limited)))
        return;
    host->engine->heard.answered += !canary;
    host->engine->heard.lost += canary ? weight : 0;
    count_answer(&host->flow, weight, canary, now);
    if (!canary || engine__limit_blames_way(host, limited))
        count_answer(&host->engine->flow, weight, canary, now);
}

void engine__work(engine_host_t *host, double part)
{
    double room = (double)host->count - host->work;

    if (part > room)
        part = room;
    if (part < -host->work)
        part = -host->work;
    host->work += part;
    host->engine->stats.work += part;
}

/* The answer is that of `try`; negative: nobody knows. Then it cannot be measured (Karn), and is
 * taken for the last one's in what is counted as lost, which errs on the side of one try more. */
static void learn(engine_host_t *host, uint32_t probe, int try, bool limited, uint64_t now)
{
    uint8_t state = host->state[probe];
    int last = (state & ENGINE__TRIES) - 1;
    int counted = try < 0 ? last : try;
    bool canary = counted == last && last == host->round + 1;

    if (try == last && state & ENGINE__IN_FLIGHT)
        measure(host, probe, now);
    else if (try >= 0 && !(host->engine->options.again_us && host->rtt.sampled_us))
        engine__rtt_late(&host->rtt, engine__timeout(host->engine, host), now);
    count_tries(host, (unsigned)counted, limited);
    if (limited)
        engine__limit_answer(host, counted, canary, now);
    weigh(host, canary, limited, now);
}

/* The state of a probe that is not done; NULL: there is none. */
static uint8_t *undone(engine_host_t *host, uint32_t probe)
{
    if (host->ended || probe >= host->count || host->state[probe] & ENGINE__ANSWERED)
        return NULL;
    return &host->state[probe];
}

static void settle(engine_host_t *host, uint8_t *state, uint64_t now)
{
    engine_t *engine = host->engine;
    int tries = *state & ENGINE__TRIES;

    if (*state & ENGINE__IN_FLIGHT) {
        host->flow.in_flight--;
        engine->flow.in_flight--;
        host->canaries_out -= tries == host->round + 2 && host->canaries_out > 0;
    }
    *state = (uint8_t)(tries | ENGINE__ANSWERED);
    host->answered++;
    engine__work(host, 1 - (double)tries / engine__round_tries(host));
    engine->stats.answered++;
    engine->stats.done++;
    engine__share(engine);
    engine__place(host, now);
}

bool engine_answer(engine_t *engine, engine_host_t *host, uint32_t probe, int try, bool limited,
                   uint64_t now)
{
    uint8_t *state = undone(host, probe);
    int tries = state ? *state & ENGINE__TRIES : 0;

    if (tries == 0) /* an answer to what was not asked */
        return false;
    if (try < 0 || try >= tries)
        try = tries == 1 ? 0 : -1;
    now = engine__clock(engine, now);
    learn(host, probe, try, limited, now);
    engine__flow_answered(&host->flow);
    engine__flow_answered(&engine->flow);
    settle(host, state, now);
    return true;
}

bool engine_settle(engine_t *engine, engine_host_t *host, uint32_t probe, uint64_t now)
{
    uint8_t *state = undone(host, probe);

    if (state == NULL)
        return false;
    host->has_unasked = host->has_unasked || (*state & ENGINE__TRIES) == 0;
    settle(host, state, engine__clock(engine, now));
    return true;
}
