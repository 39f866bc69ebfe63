/* What a way takes: a window of probes in flight, which answers open, and a pace, which lets
 * probes go where nothing answers. Every probe takes a token, so the pace is the rate below which
 * the window holds nobody back, and adds nothing above.
 *
 * Windows start slowly and go on linearly behind a loss (RFC 5681). The pace doubles in each epoch
 * in which it was what let probes go and answers kept their share: as the order is shuffled, a
 * share that falls while the pace rises is the way's limit and no property of the ports. */
#include "engine_int.h"

#define WINDOW_FIRST 10 /* RFC 6928 */
#define WINDOW_LEAST 2
#define PACE_FIRST 1000.0
#define PACE_LEAST 50.0
#define PACE_MAX 4000.0 /* towards silence, which does not tell when it is too much */
#define PACE_CALM 2000.0
#define PACE_NEAR_LEAST 500.0
#define PACE_NEAR_FIRST 5000.0
#define PACE_NEAR_MAX 20000.0
#define WINDOW_NEAR 32
#define PACE_BURST_S 0.005
#define PACE_STEP 1.05
#define LOSS_ANSWERS 20 /* fewer say nothing of a share of 10 % */
#define LOSS_HITS 3
#define LOSS_GROWS 0.8 /* of what is tolerated: paces grow below it */
#define LOSS_SAME 0.7  /* of the loss before: did not get better */
#define SENT_LESS 0.8
#define LOSS_MORE 1.3
#define LOSS_TOLERATED_MAX 0.6
#define SHARE_ANSWERS 10
#define SHARE_KEPT 0.7
#define SHARE_FADES 0.98

void engine__bucket_init(engine__bucket_t *bucket, double rate, double burst, uint64_t now)
{
    *bucket = (engine__bucket_t){.rate = rate, .burst = burst < 1 ? 1 : burst, .filled_us = now};
    bucket->tokens = 1;
}

void engine__bucket_fill(engine__bucket_t *bucket, uint64_t now)
{
    if (now <= bucket->filled_us)
        return;
    bucket->tokens += (double)(now - bucket->filled_us) * 1e-6 * bucket->rate;
    if (bucket->tokens > bucket->burst)
        bucket->tokens = bucket->burst;
    bucket->filled_us = now;
}

bool engine__bucket_take(engine__bucket_t *bucket)
{
    if (bucket->tokens < 1)
        return false;
    bucket->tokens -= 1;
    return true;
}

uint64_t engine__bucket_wait(const engine__bucket_t *bucket, uint64_t now)
{
    double wait_us;

    if (bucket->rate <= 0)
        return UINT64_MAX;
    if (bucket->tokens >= 1)
        return now;
    wait_us = (1 - bucket->tokens) / bucket->rate * 1e6;
    return wait_us < 1e15 ? bucket->filled_us + (uint64_t)wait_us + 1 : UINT64_MAX;
}

void engine__flow_pace(engine__flow_t *flow, double rate)
{
    double least = flow->near ? PACE_NEAR_LEAST : PACE_LEAST;

    flow->pace.rate = rate < least ? least : rate;
    flow->pace.burst = flow->pace.rate * PACE_BURST_S < 1 ? 1 : flow->pace.rate * PACE_BURST_S;
}

void engine__flow_init(engine__flow_t *flow, const engine_options_t *options, uint64_t now)
{
    *flow =
        (engine__flow_t){.epoch_us = now, .pace_max = PACE_MAX, .tolerated = ENGINE_LOSS_TOLERATED};
    engine__bucket_init(&flow->pace, PACE_FIRST, 1, now);
    engine__flow_pace(flow, options->rate_initial > 0 ? options->rate_initial : PACE_FIRST);
    if (flow->pace_max < flow->pace.rate)
        flow->pace_max = flow->pace.rate;
    flow->window_floor = options->window_min > WINDOW_LEAST ? options->window_min : WINDOW_LEAST;
    flow->window = flow->window_floor > WINDOW_FIRST ? flow->window_floor : WINDOW_FIRST;
    flow->window_top = flow->window;
    flow->threshold = ENGINE_FLIGHT_MAX;
}

void engine__flow_near(engine__flow_t *flow)
{
    flow->near = true;
    if (flow->pace_max < PACE_NEAR_MAX)
        flow->pace_max = PACE_NEAR_MAX;
    if (flow->shrunk)
        return;
    if (flow->pace.rate < PACE_NEAR_FIRST)
        engine__flow_pace(flow, PACE_NEAR_FIRST);
    if (flow->window < WINDOW_NEAR && flow->window_top >= WINDOW_NEAR)
        flow->window = WINDOW_NEAR;
}

void engine__flow_calm(engine__flow_t *flow)
{
    if (flow->pace_max <= PACE_CALM)
        return;
    flow->pace_max = flow->pace_max > 2 * PACE_CALM ? flow->pace_max / 2 : PACE_CALM;
    if (flow->pace.rate > flow->pace_max)
        engine__flow_pace(flow, flow->pace_max);
}

bool engine__flow_open(engine__flow_t *flow, uint64_t now)
{
    engine__bucket_fill(&flow->pace, now);
    return flow->in_flight < flow->window || flow->pace.tokens >= 1;
}

void engine__flow_sent(engine__flow_t *flow)
{
    if (flow->in_flight >= flow->window)
        flow->paced = true;
    engine__bucket_take(&flow->pace);
    flow->in_flight++;
    flow->epoch_sent++;
}

void engine__flow_unsent(engine__flow_t *flow)
{
    flow->in_flight--;
    flow->epoch_sent--;
    flow->pace.tokens += 1;
}

/* Before it leaves the flight. A window that is not used is not opened (RFC 7661). */
void engine__flow_answered(engine__flow_t *flow)
{
    flow->epoch_answered++;
    if (2.0 * flow->in_flight < flow->window || flow->window >= flow->window_top)
        return;
    flow->window += flow->window < flow->threshold ? 1 : 1 / flow->window;
}

static bool is_lossy(const engine__flow_t *flow)
{
    double heard = flow->answered + flow->lost;

    return heard >= LOSS_ANSWERS && flow->hits >= LOSS_HITS && flow->lost > heard * flow->tolerated;
}

/* The share of tries that were lost since it was last asked; negative while too little is known. */
static double loss(engine__flow_t *flow)
{
    double heard = flow->answered + flow->lost;
    double share = flow->lost / (heard > 0 ? heard : 1);

    if (heard < LOSS_ANSWERS || (flow->hits > 0 && flow->hits < LOSS_HITS))
        return -1;
    flow->answered /= 2;
    flow->lost /= 2;
    flow->hits /= 2;
    return share;
}

bool engine__flow_epoch(engine__flow_t *flow, uint64_t srtt_us, uint64_t now,
                        engine__epoch_t *epoch)
{
    uint64_t length_us = srtt_us > ENGINE_EPOCH_US ? srtt_us : ENGINE_EPOCH_US;

    if (now >= flow->hold_us && !flow->patient && is_lossy(flow)) /* the sooner the better */
        length_us = srtt_us > ENGINE_EPOCH_US / 4 ? srtt_us : ENGINE_EPOCH_US / 4;
    if (now - flow->epoch_us < length_us)
        return false;
    epoch->seconds = (double)(now - flow->epoch_us) * 1e-6;
    epoch->sent = flow->epoch_sent / epoch->seconds;
    epoch->answered = flow->epoch_answered / epoch->seconds;
    epoch->limited = flow->epoch_limited / epoch->seconds;
    epoch->loss = now < flow->hold_us ? -1 : loss(flow);
    flow->epoch_us = now;
    return true;
}

/* Whether answers kept their share of what is sent. */
static bool keeps_share(engine__flow_t *flow)
{
    double share = flow->epoch_sent ? (double)flow->epoch_answered / flow->epoch_sent : 0;
    bool kept = flow->share * flow->epoch_sent < SHARE_ANSWERS || share >= flow->share * SHARE_KEPT;

    flow->share *= SHARE_FADES;
    if (share > flow->share && flow->epoch_answered >= SHARE_ANSWERS)
        flow->share = share;
    return kept;
}

void engine__flow_grow(engine__flow_t *flow, const engine__epoch_t *epoch, bool steady)
{
    bool kept = keeps_share(flow) || !steady;

    if (flow->paced && kept && epoch->loss < flow->tolerated * LOSS_GROWS) {
        double rate = flow->pace.rate * (flow->shrunk ? PACE_STEP : 2);

        if (rate > flow->pace_max)
            rate = flow->pace_max > flow->pace.rate ? flow->pace_max : flow->pace.rate;
        engine__flow_pace(flow, rate);
    }
    flow->paced = false;
    flow->epoch_sent = flow->epoch_answered = flow->epoch_limited = 0;
}

void engine__flow_forget(engine__flow_t *flow, uint64_t hold_us)
{
    flow->answered = flow->lost = flow->hits = 0;
    flow->hold_us = hold_us;
}

/* Loss that stays the same however little is sent, while less gets through, is the way's nature,
 * and nothing to give way to. */
static bool is_natural(engine__flow_t *flow, const engine__epoch_t *epoch)
{
    bool same = epoch->loss > flow->loss_then * LOSS_SAME &&
                epoch->sent < flow->sent_then * SENT_LESS &&
                epoch->answered < flow->answered_then * SENT_LESS;

    flow->loss_then = epoch->loss;
    flow->sent_then = epoch->sent;
    flow->answered_then = epoch->answered;
    if (!same)
        return false;
    flow->tolerated =
        epoch->loss * LOSS_MORE < LOSS_TOLERATED_MAX ? epoch->loss * LOSS_MORE : LOSS_TOLERATED_MAX;
    flow->threshold = ENGINE_FLIGHT_MAX;
    flow->shrunk = false;
    return true;
}

bool engine__flow_lossy(const engine__flow_t *flow, const engine__epoch_t *epoch)
{
    return epoch->loss > flow->tolerated;
}

/* Down to what got through, and not by more than it has to. */
void engine__flow_shrink(engine__flow_t *flow, const engine__epoch_t *epoch, uint64_t srtt_us,
                         uint64_t hold_us)
{
    double through = epoch->sent * (1 - epoch->loss) * 0.9;
    double window = through * (double)srtt_us * 1e-6;

    if (flow->alone && is_natural(flow, epoch))
        return;
    if (through < flow->pace.rate)
        engine__flow_pace(flow, through);
    if (window > flow->window / 2)
        window = flow->window / 2;
    flow->window = window > flow->window_floor ? window : flow->window_floor;
    flow->threshold = flow->window;
    flow->shrunk = true;
    engine__flow_forget(flow, hold_us);
}
