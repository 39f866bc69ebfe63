/* The engine as its callers see it: hosts come and go, probes are sent. Answers are
 * engine_answer.c's. */
#include "base/hmem.h"

#include <errno.h>
#include <string.h>

#include "engine_int.h"

#define HOST_WINDOW_MAX 2048
#define SCAN_WINDOW_MAX 16384
#define SCAN_WINDOW_FIRST 64
#define SCAN_PACE_MAX 10000.0 /* towards silence; other hosts tell when it is too much */
#define CAP_SHARE 0.96        /* of rate_max; the rest is for bursts: both together pass it never */
#define CAP_BURST_S 0.004
#define FLOOR_BURST_S 0.05
#define SEED_STEP 0x9e3779b97f4a7c15u

static bool are_valid(const engine_options_t *options)
{
    return options->tries >= 1 && options->tries <= ENGINE_TRIES_MAX && options->rtt_min_us >= 1 &&
           options->rtt_min_us <= options->rtt_max_us && options->rtt_initial_us >= 1 &&
           options->rtt_initial_us <= options->rtt_max_us &&
           options->rtt_max_us <= ENGINE_TIMEOUT_MAX_US && options->rate_initial >= 0 &&
           options->rate_min >= 0 && options->rate_max >= 0 &&
           (options->rate_max == 0 || options->rate_min <= options->rate_max) &&
           (options->window_max == 0 || options->window_min <= options->window_max) &&
           (options->delay_max_us == 0 || options->delay_us <= options->delay_max_us);
}

static void limits_init(engine__limits_t *limits, const engine_options_t *options)
{
    unsigned most = options->window_max;

    engine__bucket_init(&limits->most, options->rate_max * CAP_SHARE,
                        options->rate_max * CAP_BURST_S, 0);
    engine__bucket_init(&limits->least, options->rate_min, options->rate_min * FLOOR_BURST_S, 0);
    limits->in_flight_max = most && most < ENGINE_FLIGHT_MAX ? most : ENGINE_FLIGHT_MAX;
}

void engine__share(engine_t *engine)
{
    engine->limits->in_flight += engine->flow.in_flight - engine->shared;
    engine->shared = engine->flow.in_flight;
}

int engine_new(const engine_options_t *options, const engine_method_t *method, void *context,
               engine_t **engine)
{
    engine_t *e;

    if (!are_valid(options))
        return -EINVAL;
    e = hmem_zalloc(sizeof(*e));
    if (!e)
        return -ENOMEM;
    e->options = *options;
    e->method = method;
    e->context = context;
    hlist_init(&e->ready);
    hlist_init(&e->blocked);
    hlist_init(&e->resting);
    hlist_init(&e->ended);
    engine__wheel_init(e, 0);
    engine__flow_init(&e->flow, options, 0);
    e->flow.alone = true;
    if (e->flow.pace_max < SCAN_PACE_MAX)
        e->flow.pace_max = SCAN_PACE_MAX;
    e->flow.window_top = SCAN_WINDOW_MAX;
    if (e->flow.window < SCAN_WINDOW_FIRST)
        e->flow.window = SCAN_WINDOW_FIRST;
    limits_init(&e->own, options);
    e->limits = options->limits_of ? options->limits_of->limits : &e->own;
    *engine = e;
    return 0;
}

static void host_free(engine_host_t *host)
{
    hlist_remove(&host->place);
    hlist_remove(&host->sleep);
    hmem_free(host->ring);
    hmem_free(host);
}

static void free_all(hlist_t *list)
{
    while (!hlist_empty(list))
        host_free(HLIST_ENTRY(list->next, engine_host_t, place));
}

void engine_free(engine_t *engine)
{
    if (!engine)
        return;
    free_all(&engine->ready);
    free_all(&engine->blocked);
    free_all(&engine->resting);
    free_all(&engine->ended);
    engine->limits->in_flight -= engine->shared;
    hmem_free(engine);
}

int engine_host_add(engine_t *engine, uint32_t count, uint64_t rtt_us, void *user, uint64_t now,
                    engine_host_t **host)
{
    const engine_options_t *options = &engine->options;
    engine_host_t *h;

    if (count == 0 || count > ENGINE_PROBES_MAX)
        return -EINVAL;
    h = hmem_zalloc(sizeof(*h) + count);
    if (!h)
        return -ENOMEM;
    h->engine = engine;
    h->user = user;
    h->count = count;
    if (engine__flight_init(h) < 0) {
        hmem_free(h);
        return -ENOMEM;
    }
    now = engine__clock(engine, now);
    h->end_us = options->host_timeout_us ? now + options->host_timeout_us : UINT64_MAX;
    h->delay_us = options->delay_us;
    h->seed = options->seed + ++engine->serial * SEED_STEP;
    engine__rtt_init(&h->rtt, rtt_us);
    engine__flow_init(&h->flow, options, now);
    h->flow.window_top = HOST_WINDOW_MAX;
    if (rtt_us && rtt_us < ENGINE_NEAR_US) {
        engine__flow_near(&h->flow);
        engine__flow_near(&engine->flow);
    }
    engine__round_begin(h, 0);
    engine->stats.probes += count;
    engine->stats.hosts++;
    engine__move(h, &engine->ready);
    *host = h;
    return 0;
}

void engine_host_end(engine_t *engine, engine_host_t *host)
{
    (void)engine;
    engine__end(host);
}

void *engine_host_user(const engine_host_t *host)
{
    return host->user;
}

void engine_host_until(engine_host_t *host, uint64_t end_us)
{
    host->end_us = end_us;
    if (!host->ended)
        engine__place(host, host->engine->now_us);
}

void engine_ready(engine_t *engine)
{
    engine->busy_us = 0;
}

/* ---- run ------------------------------------------------------------------------------------- */

static bool is_full(engine_t *engine)
{
    engine__share(engine);
    return engine->limits->in_flight >= engine->limits->in_flight_max;
}

static bool may_send(engine_t *engine, uint64_t now)
{
    engine__limits_t *limits = engine->limits;

    engine__bucket_fill(&limits->most, now);
    engine__bucket_fill(&limits->least, now);
    return now >= engine->busy_us && !is_full(engine) &&
           (limits->most.rate == 0 || limits->most.tokens >= 1);
}

/* The next host that sends; rate_min opens what windows and paces keep shut. */
static engine_host_t *choose(engine_t *engine, uint64_t now)
{
    const engine__bucket_t *least = &engine->limits->least;
    bool pushed;

    if (!may_send(engine, now))
        return NULL;
    pushed = least->rate > 0 && least->tokens >= 1;
    if (!hlist_empty(&engine->ready) && (pushed || engine__flow_open(&engine->flow, now)))
        return HLIST_ENTRY(engine->ready.next, engine_host_t, place);
    if (!hlist_empty(&engine->blocked) && pushed)
        return HLIST_ENTRY(engine->blocked.next, engine_host_t, place);
    return NULL;
}

/* Back to where it was before a probe was sent that was not. */
static void unsend(engine_host_t *host, uint32_t probe, uint32_t next, bool canary)
{
    host->state[probe] = (uint8_t)((host->state[probe] & ENGINE__TRIES) - 1);
    engine__flight_pop_newest(host, probe);
    engine__flow_unsent(&host->flow);
    engine__flow_unsent(&host->engine->flow);
    host->next = next;
    host->canaries_out -= canary;
    if (canary)
        host->canaries[host->canaries_n++] = probe;
}

static void was_sent(engine_t *engine, engine_host_t *host, uint32_t probe, unsigned try,
                     uint64_t now)
{
    engine->stats.sent++;
    engine->stats.repeated += try > 0;
    engine__bucket_take(&engine->limits->most);
    engine__bucket_take(&engine->limits->least);
    if (!(host->state[probe] & ENGINE__ANSWERED))
        engine__work(host, 1.0 / engine__round_tries(host));
    host->sent_us = now;
    host->next_us = now + host->delay_us;
}

/* Sends the next probe of a host. The books are kept before the method is called: it may answer at
 * once, and end the host. */
static void send_one(engine_t *engine, engine_host_t *host, uint64_t now)
{
    uint32_t next = host->next;
    bool canary = host->canaries_n > 0;
    uint32_t probe = engine__round_take(host);
    unsigned try = host->state[probe] & ENGINE__TRIES;
    engine_sent_e sent = ENGINE_BUSY;

    host->state[probe] = (uint8_t)((try + 1) | ENGINE__IN_FLIGHT);
    engine__flow_sent(&host->flow);
    engine__flow_sent(&engine->flow);
    host->canaries_out += canary;
    host->canary_us = canary ? now : host->canary_us;
    if (engine__flight_push(host, probe, now) == 0)
        sent = engine->method->send(engine->context, host, probe, try);
    if (sent == ENGINE_BUSY)
        engine->busy_us = now + ENGINE_BUSY_US;
    if (sent == ENGINE_ANSWERED)
        engine_settle(engine, host, probe, now);
    if (host->ended)
        return;
    if (sent == ENGINE_BUSY && host->state[probe] & ENGINE__IN_FLIGHT) {
        unsend(host, probe, next, canary);
    } else {
        was_sent(engine, host, probe, try, now);
    }
    engine__place(host, now);
    if (!host->ended)
        engine__move(host, host->list);
}

static void finish(engine_t *engine)
{
    hlist_t ended;

    hlist_init(&ended);
    hlist_splice(&ended, &engine->ended);
    while (!hlist_empty(&ended)) {
        engine_host_t *host = HLIST_ENTRY(ended.next, engine_host_t, place);

        hlist_remove(&host->place);
        engine->stats.done += host->count - host->answered;
        engine->stats.work += host->count - host->work;
        engine->stats.hosts--;
        engine->method->done(engine->context, host);
        host_free(host);
    }
}

/* When the scan's flow, or rate_min, lets the next probe go. */
static uint64_t next_send(engine_t *engine, uint64_t now)
{
    const engine__limits_t *limits = engine->limits;
    bool is_wanted = !hlist_empty(&engine->ready) || !hlist_empty(&engine->blocked);
    uint64_t at = UINT64_MAX;

    if (!hlist_empty(&engine->ready))
        at = engine__flow_open(&engine->flow, now) ? now
                                                   : engine__bucket_wait(&engine->flow.pace, now);
    if (is_wanted && engine__bucket_wait(&limits->least, now) < at)
        at = engine__bucket_wait(&limits->least, now);
    if (at == UINT64_MAX)
        return UINT64_MAX;
    if (is_full(engine)) /* others do not tell when they have done with theirs */
        return limits->in_flight > engine->shared ? now + ENGINE_BUSY_US : UINT64_MAX;
    if (limits->most.rate > 0 && engine__bucket_wait(&limits->most, now) > at)
        at = engine__bucket_wait(&limits->most, now);
    if (engine->busy_us > at)
        at = engine->busy_us;
    return at <= now || at > now + ENGINE_WHEEL_TICK_US ? at : now + ENGINE_WHEEL_TICK_US;
}

uint64_t engine_run(engine_t *engine, uint64_t now)
{
    engine_host_t *host;
    uint64_t next_us;
    uint64_t wake_us;
    hlist_t due;

    hlist_init(&due);
    now = engine__clock(engine, now);
    engine__wake(engine, &due);
    while (!hlist_empty(&due)) {
        host = HLIST_ENTRY(due.next, engine_host_t, sleep);
        hlist_remove(&host->sleep);
        engine__flight_expire(host, now);
        engine__place(host, now);
    }
    for (unsigned n = 0; n < ENGINE_RUN_MAX && (host = choose(engine, now)) != NULL; n++) {
        send_one(engine, host, now);
        now = engine->now_us; /* later, if it was answered at once */
    }
    engine__epoch(engine, now);
    engine__share(engine);
    finish(engine);
    next_us = next_send(engine, now);
    wake_us = engine__wheel_next(engine);
    if (!hlist_empty(&engine->ended))
        return now;
    return next_us < wake_us ? next_us : wake_us;
}

double engine_silent_rate(const engine_options_t *options, double hosts)
{
    engine__flow_t flow;

    engine__flow_init(&flow, options, 0);
    if (hosts * flow.pace_max < SCAN_PACE_MAX)
        return hosts * flow.pace_max;
    return flow.pace_max < SCAN_PACE_MAX ? SCAN_PACE_MAX : flow.pace_max;
}

/* ---- what is known --------------------------------------------------------------------------- */

uint64_t engine_now(const engine_t *engine)
{
    return engine->now_us;
}

bool engine_is_answered(const engine_host_t *host, uint32_t probe)
{
    return probe < host->count && host->state[probe] & ENGINE__ANSWERED;
}

unsigned engine_tries(const engine_host_t *host, uint32_t probe)
{
    return probe < host->count ? host->state[probe] & ENGINE__TRIES : 0;
}

void engine_host_rtt(const engine_t *engine, const engine_host_t *host, engine_rtt_t *rtt)
{
    *rtt = (engine_rtt_t){.timeout_us = engine__timeout(engine, host)};
    if (host->rtt.sampled_us == 0)
        return;
    rtt->srtt_us = host->rtt.srtt_us;
    rtt->rttvar_us = host->rtt.var_us;
}

bool engine_host_timed_out(const engine_host_t *host)
{
    return host->timed_up;
}

bool engine_host_limited(const engine_host_t *host)
{
    return host->limited;
}

void engine_stats(const engine_t *engine, engine_stats_t *stats)
{
    *stats = engine->stats;
    stats->in_flight = engine->flow.in_flight;
    stats->window = engine->flow.window;
    stats->rate = engine->flow.pace.rate;
    stats->loss = engine__loss(engine);
}
