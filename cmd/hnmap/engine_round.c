/* The rounds of a host: their order, the canaries that run ahead of them, and how many there are.
 *
 * In round r a probe is due that was sent r times. A canary of round r was sent once more, so it is
 * passed over in round r + 1, and its answer is known by its tries: r + 2. */
#include "engine_int.h"

/* What is assumed before anything is known: 2 % of tries are lost, on the strength of 25. */
#define PRIOR_LOST 0.5
#define PRIOR_TRIES 25.0
#define LOSS_MAX 0.95
#define ROUNDS_LEAST 2
#define ROUNDS_UNHEARD 3 /* of a way of which fewer than so many answers tell: */
#define HEARD_LEAST 20
#define PAUSE_US 1200000
#define CANARIES_SHARE 16 /* one of so many that time out, but for a few in each epoch */

void engine__round_begin(engine_host_t *host, unsigned round)
{
    host->round = (uint8_t)round;
    host->next = 0;
    host->timed_out = host->canaried = 0;
    host->canaries_out = 0;
    host->canaries_left = ENGINE_CANARIES_MAX;
    host->flow.share = 0; /* the silent ones are left: they will not answer as those before */
    if (!host->engine->options.in_order && host->count > 1)
        hpermute_init(&host->order, host->count, host->seed + round);
}

static uint32_t probe_at(const engine_host_t *host, uint32_t i)
{
    if (host->engine->options.in_order || host->count == 1)
        return i;
    return (uint32_t)hpermute_at(&host->order, i);
}

static bool due(const engine_host_t *host, uint32_t probe)
{
    uint8_t state = host->state[probe];

    return !(state & (ENGINE__ANSWERED | ENGINE__IN_FLIGHT)) &&
           (state & ENGINE__TRIES) <= host->round;
}

bool engine__round_wants(engine_host_t *host)
{
    bool may_be_done = host->round > 0 || host->has_unasked;

    while (host->canaries_n && host->state[host->canaries[0]] & ENGINE__ANSWERED)
        (void)engine__round_take(host); /* late, but there */
    if (host->canaries_n)
        return true;
    /* In the first round nothing has been sent: nothing can be answered. */
    while (may_be_done && host->next < host->count && !due(host, probe_at(host, host->next)))
        host->next++;
    return host->next < host->count;
}

uint32_t engine__round_take(engine_host_t *host)
{
    uint32_t probe;

    if (!host->canaries_n)
        return probe_at(host, host->next++);
    probe = host->canaries[0];
    host->canaries_n--;
    for (unsigned i = 0; i < host->canaries_n; i++)
        host->canaries[i] = host->canaries[i + 1];
    return probe;
}

double engine__loss(const engine_t *engine)
{
    const engine__tries_t *tries = &engine->tries;

    return (tries->lost + PRIOR_LOST) / (tries->answered + tries->lost + PRIOR_TRIES);
}

/* Whether more may be sent towards silence than the way takes, and nobody can tell. */
static bool is_unheard(const engine_host_t *host)
{
    bool is_near = host->rtt.srtt_us > 0 && host->rtt.srtt_us < ENGINE_NEAR_US;

    return host->engine->tries.answered < HEARD_LEAST && !is_near;
}

/* How many tries make a miss unlikely enough. Silence is mistaken where all tries of a probe are
 * lost that would be answered: of those that answer, a share of loss^tries. So it is the answers
 * that count, and not the silent ones, however many; one more, as there may be one. */
unsigned engine__round_tries(const engine_host_t *host)
{
    const engine__tries_t *known = host->limited ? &host->firm : &host->tries;
    double loss = (known->lost + PRIOR_TRIES * engine__loss(host->engine)) /
                  (known->answered + known->lost + PRIOR_TRIES);
    double missed = (host->limited ? host->engine->firm : host->engine->tries).answered + 1;
    unsigned least = is_unheard(host) ? ROUNDS_UNHEARD : ROUNDS_LEAST;
    unsigned tries = 0;

    if (loss > LOSS_MAX)
        loss = LOSS_MAX;
    while (tries < ENGINE_TRIES_MAX && missed > ENGINE_MISSED_TOLERATED) {
        missed *= loss;
        tries++;
    }
    if (tries < least)
        tries = least;
    if (tries > host->engine->options.tries)
        tries = host->engine->options.tries;
    tries += host->round_void;
    return tries < ENGINE_TRIES_MAX ? tries : ENGINE_TRIES_MAX;
}

bool engine__round_canary(engine_host_t *host, uint32_t probe)
{
    unsigned tries = host->state[probe] & ENGINE__TRIES;

    bool more = host->canaried < host->timed_out / CANARIES_SHARE;

    if (host->canaries_n == ENGINE_CANARIES_MAX || (host->canaries_left == 0 && !more) ||
        tries >= engine__round_tries(host))
        return false;
    host->canaries_left -= host->canaries_left > 0;
    host->canaries[host->canaries_n++] = probe;
    return true;
}

static void miss(hlist_t *list)
{
    hlist_t *pos, *next;

    HLIST_FOREACH (pos, next, list) {
        engine_host_t *host = HLIST_ENTRY(pos, engine_host_t, place);

        if (host->flow.in_flight > 0) /* canaries are passed over in the next round */
            host->round_void = (uint8_t)(host->round + (host->canaries_out > 0 ? 2 : 1));
    }
}

void engine_missed(engine_t *engine)
{
    miss(&engine->ready);
    miss(&engine->blocked);
    miss(&engine->resting);
}

/* A host that limits answers is given time to fill its bucket: see engine_limit.c. */
uint64_t engine__round_pause(const engine_host_t *host)
{
    return host->hears_limited ? host->sent_us + PAUSE_US : 0;
}

bool engine__round_over(engine_host_t *host, uint64_t now)
{
    uint32_t in_flight = host->flow.in_flight;

    if (engine__round_wants(host))
        return false;
    /* Canaries are given a round trip to say something, and are not waited for. */
    if (in_flight > host->canaries_out ||
        (in_flight && now < host->canary_us + host->rtt.srtt_us + 4 * host->rtt.var_us))
        return false;
    if (host->answered == host->count)
        return true;
    if (host->round + 1u >= engine__round_tries(host))
        return in_flight == 0;
    if (now < engine__round_pause(host))
        return false;
    if (is_unheard(host))
        engine__flow_calm(&host->flow);
    engine__round_begin(host, host->round + 1);
    return false;
}
