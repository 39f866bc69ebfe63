/* Answers that a host limits: so many RST or ICMP errors a second, whatever is asked.
 *
 * Where silence may be taken as "not open" (RST), a limit is suspected when many probes are lost,
 * most answers are of a limited kind, they are few, and round trips do not grow as they would
 * before a full link. It is proven when hardly anything else is lost in the scan; or when the
 * host's pace is doubled, one host at a time, and its answers do not follow. From then on they say
 * nothing of the way.
 *
 * Where it may not (wait_for_limited), a limited answer to a probe that was lost under the present
 * delay doubles the delay, and what was tried before counts no more. So that a limit is met at
 * all, a host that sends limited answers gets a pause between rounds: its bucket, of perhaps one a
 * second, fills for the first of the next round, which gives the limit away. */
#include "engine_int.h"

#define LIMIT_RATE_MAX 1000.0 /* a second; faster is a link */
#define LIMIT_SHARE 0.5
#define STEADY 1.3
#define CHANCE 3
#define SENT_MORE 1.4
#define LOSS_HIGH 0.5
#define FIRM_ANSWERS 50
#define HEARD_ANSWERS 200
#define RTT_SLACK_US 5000
#define SUSPICIONS_MAX 4
#define CLEARED_US 2000000 /* before it is suspected again */
#define LIMITED_PACE 5000.0
#define DELAY_FIRST_US 50000
#define DELAY_MAX_US 1000000

/* What is known of limited answers says nothing of the way. */
static void disregard(engine_host_t *host)
{
    engine__tries_t *scan = &host->engine->tries;

    scan->answered -= host->tries.answered - host->firm.answered;
    scan->lost -= host->tries.lost - host->firm.lost;
    host->limited = true;
}

static void slow_down(engine_host_t *host, uint64_t now)
{
    const engine_options_t *options = &host->engine->options;
    uint64_t most = options->delay_max_us ? options->delay_max_us : DELAY_MAX_US;
    uint64_t delay_us = host->delay_us < DELAY_FIRST_US / 2 ? DELAY_FIRST_US : 2 * host->delay_us;

    if (now < host->slowed_us + 2 * host->delay_us + engine__timeout(host->engine, host))
        return;
    if (!host->limited)
        disregard(host);
    if (delay_us > most)
        delay_us = most;
    host->slowed_us = now;
    host->round_void = host->round + 1;
    if (delay_us > host->delay_us)
        host->delay_us = delay_us;
}

void engine__limit_answer(engine_host_t *host, int try, bool canary, uint64_t now)
{
    host->flow.epoch_limited++;
    if (!host->engine->options.wait_for_limited)
        return;
    host->hears_limited = true;
    if (try >= 1 && (canary || try > host->round_void))
        slow_down(host, now);
}

/* Whether round trips are as short as ever: before a full link they grow. */
static bool is_flat(const engine__rtt_t *rtt)
{
    return rtt->srtt_us < 2 * rtt->least_us + RTT_SLACK_US;
}

static bool is_little(const engine__tries_t *tries, double least)
{
    return tries->answered >= least &&
           tries->lost < ENGINE_LOSS_TOLERATED / 2 * (tries->answered + tries->lost);
}

/* Other answers are not lost, or hardly any of all hosts: then it is not the way that loses the
 * limited ones of one. */
static bool is_clean(const engine_t *engine)
{
    return is_little(&engine->firm, FIRM_ANSWERS) || is_little(&engine->heard, HEARD_ANSWERS);
}

bool engine__limit_blames_way(const engine_host_t *host, bool limited)
{
    const engine_t *engine = host->engine;

    if (!limited)
        return true;
    if (host->limited || engine->options.wait_for_limited || engine->suspect == host ||
        is_clean(engine))
        return false;
    return engine->stats.hosts > 1 || engine->now_us < host->cleared_us;
}

static bool looks_limited(const engine_host_t *host, const engine__epoch_t *epoch)
{
    return epoch->limited > 0 && epoch->limited < LIMIT_RATE_MAX &&
           epoch->limited >= LIMIT_SHARE * epoch->answered && is_flat(&host->rtt);
}

static bool cleared(engine_host_t *host, uint64_t now)
{
    host->suspicions = 0;
    host->suspect_answered = 0;
    host->cleared_us = now + CLEARED_US;
    host->flow.patient = false;
    host->engine->suspect = NULL;
    return false;
}

/* Answers came with what was sent, more than by chance. */
static bool rises(const engine_host_t *host, const engine__epoch_t *epoch)
{
    return epoch->limited > STEADY * host->suspect_answered + CHANCE / epoch->seconds;
}

/* More was sent for nothing; or, where rounds are too short for that, most was lost again. */
static bool is_proof(const engine_host_t *host, const engine__epoch_t *epoch)
{
    return epoch->sent >= SENT_MORE * host->suspect_sent ||
           (host->suspicions > 1 && epoch->loss > LOSS_HIGH);
}

static void convict(engine_host_t *host)
{
    engine_t *engine = host->engine;

    disregard(host);
    if (engine->suspect == host)
        engine->suspect = NULL;
    engine__flow_pace(&host->flow, LIMITED_PACE);
    host->flow.pace_max = LIMITED_PACE;
}

/* Whether loss in an epoch is, or may be, a limit's: then the flow does not shrink for it. */
bool engine__limit_epoch(engine_host_t *host, const engine__epoch_t *epoch, uint64_t now)
{
    engine_t *engine = host->engine;
    engine__flow_t *flow = &host->flow;

    if (host->limited)
        return true;
    if (now < host->cleared_us)
        return false;
    if (host->suspicions >= SUSPICIONS_MAX || !looks_limited(host, epoch) ||
        (host->suspicions && rises(host, epoch)))
        return engine->suspect == host ? cleared(host, now) : false;
    if (is_clean(engine) || (host->suspicions && is_proof(host, epoch))) {
        convict(host);
        return true;
    }
    if (engine->suspect && engine->suspect != host)
        return true; /* one at a time; the scan's flow sees to it if it is the way after all */
    engine->suspect = host;
    flow->patient = true;
    host->suspicions++;
    host->suspect_sent = epoch->sent;
    if (epoch->limited > host->suspect_answered)
        host->suspect_answered = epoch->limited;
    if (flow->pace.rate < 2 * epoch->sent)
        engine__flow_pace(flow, 2 * epoch->sent);
    engine__flow_forget(flow, now + 2 * host->rtt.srtt_us);
    return true;
}
