/* engine_sim: a network of its own for the engine, with a clock of its own: delay, jitter, loss, a
 * link of so many packets a second with a short queue, hosts that answer, drop, or limit what they
 * answer. All of it follows from a seed. Include it after cmocka.h. */
#ifndef HNET_TESTS_ENGINE_SIM_H
#define HNET_TESTS_ENGINE_SIM_H

#include "../../cmd/hnmap/engine.h"
#include "base/hheap.h"

#include <stdlib.h>
#include <string.h>

#define SIM_SECOND 1000000u
#define SIM_HOSTS 65536
#define SIM_EVENTS (1u << 18)

typedef enum sim_port_e { SIM_SILENT, SIM_OPEN, SIM_CLOSED } sim_port_e;

typedef struct sim_s sim_t;

typedef struct sim_network_s {
    uint64_t timer_us; /* wake-ups come at multiples of it, as an event loop's do; 0: exactly */
    uint64_t rtt_us, jitter_us; /* the round trip, and what is added to it at most */
    double loss;                /* each way */
    double link_rate;           /* packets a second on the way there; 0: any */
    unsigned link_queue;        /* packets */
    double limit_rate;          /* answers of closed ports a second, for each host; 0: any */
    double limit_burst;         /* at once */
    sim_port_e (*port)(const sim_t *sim, uint32_t host, uint32_t probe);
} sim_network_t;

typedef struct sim_host_s {
    engine_host_t *host; /* NULL: done, or not begun */
    uint64_t done_us;
    uint32_t count;
    uint32_t found_open, found, misses; /* misses: open ones without an answer */
    bool limited, timed_out;
    double tokens;
    uint64_t filled_us;
} sim_host_t;

typedef struct sim_event_s {
    uint32_t host, probe;
    int try;
    bool limited;
} sim_event_t;

struct sim_s {
    sim_network_t network;
    engine_t *engine;
    uint64_t now, seed;
    double link_free; /* when the link has sent all */
    sim_host_t *hosts;
    uint32_t hosts_n, hosts_live;
    bool first_ends; /* the first answer ends a host, as discovery does */
    bool no_tries;   /* answers do not tell which try they are of */
    uint64_t dropped, runs, in_flight_most;
    hheap_t heap;
    sim_event_t *events;
    uint32_t event;
    void (*sent)(sim_t *sim, uint32_t host, uint32_t probe, unsigned try); /* a look on; or NULL */
    void *user;
};

static inline uint64_t sim_random(sim_t *sim)
{
    uint64_t x = sim->seed += 0x9e3779b97f4a7c15u;

    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
    x = (x ^ x >> 27) * 0x94d049bb133111ebu;
    return x ^ x >> 31;
}

static inline bool sim_chance(sim_t *sim, double share)
{
    return share > 0 && (double)(sim_random(sim) >> 11) * 0x1p-53 < share;
}

/* When the packet is through the link; false: the queue was full. */
static inline bool sim_link(sim_t *sim, double *at)
{
    double now = (double)sim->now;
    double each = sim->network.link_rate > 0 ? 1e6 / sim->network.link_rate : 0;

    *at = now;
    if (each == 0)
        return true;
    if (sim->link_free < now)
        sim->link_free = now;
    if (sim->link_free - now > each * sim->network.link_queue)
        return false;
    sim->link_free += each;
    *at = sim->link_free;
    return true;
}

static inline bool sim_limit(sim_t *sim, sim_host_t *host, uint64_t at)
{
    const sim_network_t *network = &sim->network;

    if (network->limit_rate == 0)
        return true;
    if (at > host->filled_us) {
        host->tokens += (double)(at - host->filled_us) * 1e-6 * network->limit_rate;
        host->filled_us = at;
    }
    if (host->tokens > network->limit_burst)
        host->tokens = network->limit_burst;
    if (host->tokens < 1)
        return false;
    host->tokens -= 1;
    return true;
}

static inline engine_sent_e sim_send(void *context, engine_host_t *host, uint32_t probe,
                                     unsigned try)
{
    sim_t *sim = context;
    sim_host_t *at_host = engine_host_user(host);
    uint32_t index = (uint32_t)(at_host - sim->hosts);
    sim_port_e port = sim->network.port(sim, index, probe);
    double at;

    if (sim->sent)
        sim->sent(sim, index, probe, try);
    if (sim_chance(sim, sim->network.loss))
        return ENGINE_SENT;
    if (!sim_link(sim, &at)) {
        sim->dropped++;
        return ENGINE_SENT;
    }
    at += (double)sim->network.rtt_us / 2;
    if (port == SIM_SILENT || (port == SIM_CLOSED && !sim_limit(sim, at_host, (uint64_t)at)) ||
        sim_chance(sim, sim->network.loss))
        return ENGINE_SENT;
    at += (double)sim->network.rtt_us / 2;
    if (sim->network.jitter_us)
        at += (double)(sim_random(sim) % sim->network.jitter_us);
    sim->event = (sim->event + 1) % SIM_EVENTS;
    sim->events[sim->event] =
        (sim_event_t){index, probe, sim->no_tries ? -1 : (int)try, port == SIM_CLOSED};
    assert_int_equal(hheap_reserve(&sim->heap, 1), 0);
    assert_true(sim->heap.n < SIM_EVENTS);
    hheap_push(&sim->heap, (hheap_entry_t){(uint64_t)at, sim->event, sim->event});
    return ENGINE_SENT;
}

static inline void sim_done(void *context, engine_host_t *host)
{
    sim_t *sim = context;
    sim_host_t *at_host = engine_host_user(host);
    uint32_t index = (uint32_t)(at_host - sim->hosts);

    assert_ptr_equal(at_host->host, host);
    for (uint32_t i = 0; i < at_host->count; i++) {
        sim_port_e port = sim->network.port(sim, index, i);
        bool answered = engine_is_answered(host, i);

        assert_true(!answered || port != SIM_SILENT);
        at_host->found += answered;
        at_host->found_open += answered && port == SIM_OPEN;
        at_host->misses += !answered && port == SIM_OPEN;
    }
    at_host->limited = engine_host_limited(host);
    at_host->timed_out = engine_host_timed_out(host);
    at_host->done_us = sim->now;
    at_host->host = NULL;
    sim->hosts_live--;
}

static const engine_method_t sim_method = {sim_send, sim_done};

static inline void sim_begin(sim_t *sim, const sim_network_t *network,
                             const engine_options_t *options)
{
    memset(sim, 0, sizeof(*sim));
    sim->network = *network;
    sim->seed = options->seed * 0x2545f4914f6cdd1du + 1;
    sim->now = 1000 * (uint64_t)SIM_SECOND;
    sim->hosts = calloc(SIM_HOSTS, sizeof(*sim->hosts));
    sim->events = malloc(SIM_EVENTS * sizeof(*sim->events));
    assert_non_null(sim->hosts);
    assert_non_null(sim->events);
    assert_int_equal(engine_new(options, &sim_method, sim, &sim->engine), 0);
}

static inline void sim_end(sim_t *sim)
{
    engine_free(sim->engine);
    free(sim->hosts);
    free(sim->events);
    hheap_deinit(&sim->heap);
}

static inline sim_host_t *sim_add(sim_t *sim, uint32_t count, uint64_t rtt_us)
{
    sim_host_t *host = &sim->hosts[sim->hosts_n++];

    assert_true(sim->hosts_n <= SIM_HOSTS);
    host->count = count;
    host->tokens = sim->network.limit_burst;
    assert_int_equal(engine_host_add(sim->engine, count, rtt_us, host, sim->now, &host->host), 0);
    sim->hosts_live++;
    return host;
}

/* Answers that have arrived. */
static inline void sim_deliver(sim_t *sim)
{
    while (sim->heap.n && hheap_top(&sim->heap)->key <= sim->now) {
        const sim_event_t *event = &sim->events[hheap_pop(&sim->heap).slot];
        sim_host_t *host = &sim->hosts[event->host];
        bool news;

        if (!host->host)
            continue;
        news = engine_answer(sim->engine, host->host, event->probe, event->try, event->limited,
                             sim->now);
        if (news && sim->first_ends)
            engine_host_end(sim->engine, host->host);
    }
}

/* Runs until all hosts are done, or until a time; returns the seconds that it took. */
static inline double sim_run(sim_t *sim, uint64_t until)
{
    uint64_t begin = sim->now;
    uint64_t stuck = 0;
    engine_stats_t stats;

    while (sim->hosts_live && sim->now < until) {
        uint64_t timer_us = sim->network.timer_us ? sim->network.timer_us : 1;
        uint64_t next = engine_run(sim->engine, sim->now);

        sim->runs++;
        engine_stats(sim->engine, &stats);
        if (stats.in_flight > sim->in_flight_most)
            sim->in_flight_most = stats.in_flight;
        if (!sim->hosts_live)
            break;
        if (next > sim->now && next < UINT64_MAX - timer_us)
            next = (next + timer_us - 1) / timer_us * timer_us;
        if (sim->heap.n && hheap_top(&sim->heap)->key < next)
            next = hheap_top(&sim->heap)->key;
        assert_true(next != UINT64_MAX);
        stuck = next <= sim->now ? stuck + 1 : 0;
        assert_true(stuck < 10000);
        if (next > sim->now)
            sim->now = next;
        sim_deliver(sim);
    }
    return (double)(sim->now - begin) * 1e-6;
}

#endif
