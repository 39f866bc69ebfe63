/* What happens to a host: it is looked at after every event, and put where it belongs. */
#include "engine_int.h"

#include <string.h>

void engine__move(engine_host_t *host, hlist_t *list)
{
    hlist_remove(&host->place);
    hlist_push_back(list, &host->place);
    host->list = list;
}

void engine__end(engine_host_t *host)
{
    engine_t *engine = host->engine;

    if (host->ended)
        return;
    host->ended = true;
    engine->flow.in_flight -= host->flow.in_flight;
    host->flow.in_flight = 0;
    hlist_remove(&host->sleep);
    if (engine->suspect == host)
        engine->suspect = NULL;
    engine__move(host, &engine->ended);
}

uint64_t engine__clock(engine_t *engine, uint64_t now)
{
    if (now > engine->now_us)
        engine->now_us = now;
    return engine->now_us;
}

static void look_at_epoch(engine_host_t *host, uint64_t now)
{
    engine__flow_t *flow = &host->flow;
    uint64_t srtt_us = host->rtt.srtt_us;
    engine__epoch_t epoch;

    if (!engine__flow_epoch(flow, srtt_us, now, &epoch))
        return;
    if (engine__flow_lossy(flow, &epoch) && !engine__limit_epoch(host, &epoch, now)) {
        uint64_t timeout_us = engine__timeout(host->engine, host);

        flow->alone = host->engine->stats.hosts == 1;
        engine__flow_shrink(flow, &epoch, srtt_us, now + timeout_us + srtt_us);
        host->timed_out = host->canaried = 0;
    }
    engine__flow_grow(flow, &epoch, !host->limited);
    host->canaries_left = ENGINE_CANARIES_MAX;
}

void engine__epoch(engine_t *engine, uint64_t now)
{
    uint64_t srtt_us = engine->rtt.srtt_us;
    engine__epoch_t epoch;

    if (!engine__flow_epoch(&engine->flow, srtt_us, now, &epoch))
        return;
    if (engine__flow_lossy(&engine->flow, &epoch))
        engine__flow_shrink(&engine->flow, &epoch, srtt_us,
                            now + engine__scan_timeout(engine) + srtt_us);
    engine__flow_grow(&engine->flow, &epoch, false);
    engine->heard.answered /= 2;
    engine->heard.lost /= 2;
}

static uint64_t sooner(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* Where it belongs, and when it is to be looked at again. */
static hlist_t *place_of(engine_host_t *host, uint64_t now, uint64_t *wake_us)
{
    engine_t *engine = host->engine;
    uint64_t wake = sooner(engine__flight_next(host, now), host->end_us);
    hlist_t *list = &engine->resting;

    if (!engine__round_wants(host)) {
        if (host->flow.in_flight == 0)
            wake = sooner(wake, engine__round_pause(host));
        else if (host->flow.in_flight == host->canaries_out)
            wake = sooner(wake, host->canary_us + host->rtt.srtt_us + 4 * host->rtt.var_us);
    } else if (now < host->next_us) {
        wake = sooner(wake, host->next_us);
    } else if (engine__flow_open(&host->flow, now)) {
        list = engine__flight_full(host) ? list : &engine->ready;
    } else {
        wake = sooner(wake, engine__bucket_wait(&host->flow.pace, now));
        list = engine__flight_full(host) ? list : &engine->blocked;
    }
    *wake_us = wake;
    return list;
}

void engine__place(engine_host_t *host, uint64_t now)
{
    hlist_t *list;
    uint64_t wake_us;

    if (host->ended)
        return;
    engine__flight_trim(host);
    look_at_epoch(host, now);
    if (now >= host->end_us)
        host->timed_up = true;
    if (host->timed_up || engine__round_over(host, now)) {
        engine__end(host);
        return;
    }
    list = place_of(host, now, &wake_us);
    if (list != host->list)
        engine__move(host, list);
    engine__sleep(host->engine, host, wake_us);
}
