/* The probes of a host in flight: a ring of (probe, time), oldest first. All wait for the same
 * timeout, so the oldest is the first to be due, and no probe needs a timer. A probe that is
 * answered leaves its record behind until that is the oldest: a record whose probe is not in
 * flight is none. A probe is sent again only after its record is gone, so none has two. */
#include "base/hmem.h"

#include <errno.h>
#include <string.h>

#include "engine_int.h"

#define FIRST 16        /* records, at most */
#define NONE UINT32_MAX /* the record of a probe that was sent again */
#define SLACK_US 5000

static uint32_t slot(const engine_host_t *host, uint32_t i)
{
    return (host->ring_head + i) & (host->ring_cap - 1);
}

static bool in_flight(const engine_host_t *host, const engine__record_t *record)
{
    return record->probe != NONE && host->state[record->probe] & ENGINE__IN_FLIGHT;
}

/* No longer in flight, and without an answer. */
static void landed(engine_host_t *host, uint32_t probe)
{
    unsigned tries = host->state[probe] & ENGINE__TRIES;

    host->canaries_out -= tries == host->round + 2u && host->canaries_out > 0;
    host->state[probe] &= (uint8_t)~ENGINE__IN_FLIGHT;
    host->flow.in_flight--;
    host->engine->flow.in_flight--;
}

static uint32_t age(const engine__record_t *record, uint64_t now)
{
    return (uint32_t)now - record->sent_us;
}

int engine__flight_init(engine_host_t *host)
{
    host->ring_cap = 1;
    while (host->ring_cap < host->count && host->ring_cap < FIRST)
        host->ring_cap *= 2;
    host->ring = hmem_array(host->ring_cap, sizeof(*host->ring));
    return host->ring ? 0 : -ENOMEM;
}

static int grow(engine_host_t *host)
{
    engine__record_t *ring = hmem_array((size_t)host->ring_cap * 2, sizeof(*ring));
    uint32_t first = host->ring_cap - host->ring_head;

    if (!ring)
        return -ENOMEM;
    memcpy(ring, host->ring + host->ring_head, first * sizeof(*ring));
    memcpy(ring + first, host->ring, host->ring_head * sizeof(*ring));
    hmem_free(host->ring);
    host->ring = ring;
    host->ring_head = 0;
    host->ring_cap *= 2;
    return 0;
}

bool engine__flight_full(const engine_host_t *host)
{
    return host->ring_n >= ENGINE_HOST_FLIGHT_MAX;
}

int engine__flight_push(engine_host_t *host, uint32_t probe, uint64_t now)
{
    if (host->ring_n == host->ring_cap && grow(host) < 0)
        return -ENOMEM;
    host->ring[slot(host, host->ring_n++)] = (engine__record_t){probe, (uint32_t)now};
    return 0;
}

void engine__flight_pop_newest(engine_host_t *host, uint32_t probe)
{
    if (host->ring_n && host->ring[slot(host, host->ring_n - 1)].probe == probe)
        host->ring_n--;
    if (host->ring_seen > host->ring_n)
        host->ring_seen = host->ring_n;
}

/* From the newest on: what is answered is seldom older than a round trip. */
uint64_t engine__flight_age(const engine_host_t *host, uint32_t probe, uint64_t now)
{
    for (uint32_t i = host->ring_n; i-- > 0;) {
        const engine__record_t *record = &host->ring[slot(host, i)];

        if (record->probe == probe)
            return age(record, now);
    }
    return UINT64_MAX;
}

/* A probe that should have been answered by now: one of a few is sent again at once. Its record
 * goes, so that it does not stand for the new one. Not so soon after the flow has shrunk: what was
 * lost before is known. */
static void overdue(engine_host_t *host, engine__record_t *record, uint64_t now)
{
    if ((host->state[record->probe] & ENGINE__TRIES) != host->round + 1u ||
        now < host->flow.hold_us)
        return;
    host->timed_out++;
    if (!engine__round_canary(host, record->probe))
        return;
    host->canaried++;
    landed(host, record->probe);
    record->probe = NONE;
}

/* When a probe is overdue: the timeout without its lower limit, which is there so that nothing is
 * given up too soon. */
static uint64_t overdue_us(const engine_host_t *host, uint64_t timeout_us)
{
    uint64_t due_us = host->rtt.srtt_us + 4 * host->rtt.var_us + SLACK_US;

    return host->rtt.srtt_us && due_us < timeout_us ? due_us : timeout_us;
}

static void drop_oldest(engine_host_t *host)
{
    host->ring_head = slot(host, 1);
    host->ring_n--;
    host->ring_seen -= host->ring_seen > 0;
}

void engine__flight_trim(engine_host_t *host)
{
    while (host->ring_n && !in_flight(host, &host->ring[host->ring_head]))
        drop_oldest(host);
}

void engine__flight_expire(engine_host_t *host, uint64_t now)
{
    uint64_t timeout_us = engine__timeout(host->engine, host);
    uint64_t due_us = overdue_us(host, timeout_us);

    for (; host->ring_seen < host->ring_n; host->ring_seen++) {
        engine__record_t *record = &host->ring[slot(host, host->ring_seen)];

        if (!in_flight(host, record))
            continue;
        if (age(record, now) < due_us)
            break;
        overdue(host, record, now);
    }
    engine__flight_trim(host);
    while (host->ring_n && age(&host->ring[host->ring_head], now) >= timeout_us) {
        landed(host, host->ring[host->ring_head].probe);
        engine__flight_trim(host);
    }
}

static uint64_t later(const engine_host_t *host, uint32_t i, uint64_t wait_us, uint64_t now)
{
    uint32_t waited_us = age(&host->ring[slot(host, i)], now);

    return waited_us < wait_us ? now + (wait_us - waited_us) : now;
}

uint64_t engine__flight_next(const engine_host_t *host, uint64_t now)
{
    uint64_t timeout_us = engine__timeout(host->engine, host);
    uint64_t at_us;
    uint64_t due_us;

    if (!host->ring_n)
        return UINT64_MAX;
    at_us = later(host, 0, timeout_us, now);
    if (host->ring_seen == host->ring_n)
        return at_us;
    due_us = later(host, host->ring_seen, overdue_us(host, timeout_us), now);
    return due_us < at_us ? due_us : at_us;
}
