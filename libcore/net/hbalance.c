#include "hbalance.h"

#include "../base/hrandom.h"

#include <errno.h>

#define UNTIL_MAX ((1ULL << 40) - 1)
#define TIMES_MAX 255
#define LOG_BITS 24 /* behind the point */

/* ---- hashes ---------------------------------------------------------------------------------- */

/* FNV-1a, mixed. */
uint64_t hbalance_hash(const void *data, size_t len)
{
    const unsigned char *bytes = data;
    uint64_t hash = 14695981039346656037ULL;

    for (size_t i = 0; i < len; i++)
        hash = (hash ^ bytes[i]) * 1099511628211ULL;
    hash = hrandom_mix(hash);
    return hash ? hash : 1;
}

/* -log2 of hash as a fraction of 2^64, in 1/2^LOG_BITS: without floating point it is the same on
 * every machine. Squaring doubles a logarithm: each step makes one more bit of it. At least 1. */
static uint64_t minus_log2(uint64_t hash)
{
    unsigned whole = 63 - (unsigned)__builtin_clzll(hash | 1);
    uint64_t mantissa = ((hash | 1) << (63 - whole)) >> 32; /* 1.0 is 2^31 */
    uint64_t log = whole, minus;

    for (int i = 0; i < LOG_BITS; i++) {
        mantissa *= mantissa;
        log = log << 1 | mantissa >> 63;
        mantissa >>= mantissa >> 63 ? 32 : 31;
    }
    minus = (64ULL << LOG_BITS) - log;
    return minus ? minus : 1;
}

/* ---- picking --------------------------------------------------------------------------------- */

/* Who takes part. */
typedef struct round_s {
    hbalance_candidate_t *candidates;
    size_t count;
    hbalance_state_e state;
    uint32_t level;
    const hbalance_candidate_t *least; /* only those whose load is that of this one; NULL: all */
} round_t;

static bool has_more(const hbalance_candidate_t *a, const hbalance_candidate_t *b)
{
    return (uint64_t)a->active * b->weight > (uint64_t)b->active * a->weight;
}

static bool takes_part(const round_t *round, const hbalance_candidate_t *c)
{
    return !c->tried && c->state == round->state && c->level == round->level &&
           (!round->least || !has_more(c, round->least));
}

static bool find_level(round_t *round, hbalance_state_e state)
{
    bool found = false;

    round->state = state;
    for (size_t i = 0; i < round->count; i++) {
        const hbalance_candidate_t *c = &round->candidates[i];

        if (c->tried || c->state != state || (found && c->level >= round->level))
            continue;
        round->level = c->level;
        found = true;
    }
    return found;
}

static void find_least(round_t *round)
{
    for (size_t i = 0; i < round->count; i++) {
        const hbalance_candidate_t *c = &round->candidates[i];

        if (takes_part(round, c))
            round->least = c;
    }
}

/* nginx's way: everybody gains its weight, the richest is taken and pays for all. */
static int pick_in_turn(const round_t *round)
{
    int64_t total = 0;
    size_t best = round->count;

    for (size_t i = 0; i < round->count; i++) {
        hbalance_candidate_t *c = &round->candidates[i];

        if (!takes_part(round, c))
            continue;
        c->current += c->weight;
        total += c->weight;
        if (best == round->count || c->current > round->candidates[best].current)
            best = i;
    }
    round->candidates[best].current -= total;
    return (int)best;
}

/* Whether weight / -log(hash) is higher, with the hash between 0 and 1. */
static bool wins(const hbalance_candidate_t *a, uint64_t hash_a, const hbalance_candidate_t *b,
                 uint64_t hash_b)
{
    if (a->weight == b->weight)
        return hash_a > hash_b;
    return a->weight * minus_log2(hash_b) > b->weight * minus_log2(hash_a);
}

/* With hashes of source and candidate: each wins as often as its weight says, and who wins depends
 * on the pair alone. */
static int pick_by_source(const round_t *round, uint64_t source)
{
    const hbalance_candidate_t *best = NULL;
    uint64_t best_hash = 0;

    for (size_t i = 0; i < round->count; i++) {
        const hbalance_candidate_t *c = &round->candidates[i];
        uint64_t hash = hrandom_mix(source ^ c->hash);

        if (takes_part(round, c) && (!best || wins(c, hash, best, best_hash))) {
            best = c;
            best_hash = hash;
        }
    }
    return (int)(best - round->candidates);
}

int hbalance_pick(hbalance_e method, uint64_t source, hbalance_candidate_t *candidates,
                  size_t count)
{
    round_t round = {.candidates = candidates, .count = count};

    if (!find_level(&round, HBALANCE_IN) && !find_level(&round, HBALANCE_EJECTED))
        return -ENOENT;
    if (method == HBALANCE_SOURCE_HASH && source != 0)
        return pick_by_source(&round, source);
    if (method == HBALANCE_LEAST_CONNECTIONS)
        find_least(&round);
    return pick_in_turn(&round);
}

/* ---- failures of connections ----------------------------------------------------------------- */

static uint64_t later(uint64_t now_ms, uint64_t ms)
{
    return now_ms + ms < UNTIL_MAX ? now_ms + ms : UNTIL_MAX;
}

static void eject(heject_t *state, const heject_options_t *options, uint64_t now_ms)
{
    uint64_t out_ms;

    if (state->times < TIMES_MAX)
        state->times++;
    out_ms = (uint64_t)options->out_ms * state->times;
    if (out_ms > options->out_max_ms && options->out_max_ms >= options->out_ms)
        out_ms = options->out_max_ms;
    state->until_ms = later(now_ms, out_ms);
    state->trial = 0;
    state->failures = 0;
}

bool heject_failed(heject_t *state, const heject_options_t *options, uint64_t now_ms)
{
    if (options->failures == 0)
        return false;
    if (state->times > 0) {
        if (!state->trial)
            return false;
        eject(state, options, now_ms);
        return true;
    }
    if (state->failures < HEJECT_FAILURES_MAX)
        state->failures++;
    if (state->failures < options->failures)
        return false;
    eject(state, options, now_ms);
    return true;
}

bool heject_succeeded(heject_t *state)
{
    bool was_out = state->times > 0;

    *state = (heject_t){0};
    return was_out;
}

bool heject_is_open(const heject_t *state, uint64_t now_ms)
{
    return state->times == 0 || state->until_ms <= now_ms;
}

bool heject_try(heject_t *state, const heject_options_t *options, uint64_t now_ms)
{
    if (state->times == 0 || state->until_ms > now_ms)
        return false;
    state->trial = 1;
    state->until_ms = later(now_ms, options->out_ms);
    return true;
}

/* ---- active checks --------------------------------------------------------------------------- */

bool hhealth_result(hhealth_t *health, bool ok, unsigned rise, unsigned fall)
{
    hhealth_state_e said = ok ? HHEALTH_UP : HHEALTH_DOWN;
    unsigned needed = ok ? rise : fall;

    if (health->state == (uint16_t)said) {
        health->run = 0;
        return false;
    }
    if (health->run < HHEALTH_RUN_MAX)
        health->run++;
    if (health->state != HHEALTH_UNKNOWN && health->run < needed)
        return false;
    *health = (hhealth_t){.state = (uint16_t)said};
    return true;
}
