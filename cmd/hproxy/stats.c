/* A service takes its place by the hash of its name: one atomic step, so that a worker that is
 * killed in the middle leaves nothing locked, and two that come at once take the same. */
#include "stats.h"

#include <stdatomic.h>
#include <string.h>

#include "base/hmem.h"
#include "base/htime.h"

typedef struct place_s {
    _Atomic uint64_t hash; /* of the whole name; 0: free */
    char name[STATS_NAME_SIZE];
    _Atomic uint64_t begun, ends[STATS_ENDS_MAX];
    _Atomic uint64_t sent_bytes, received_bytes;
    _Atomic uint64_t durations[STATS_BUCKETS], duration_us;
    _Atomic uint64_t connects[STATS_BUCKETS], connect_us;
    _Atomic uint32_t open[STATS_SLOTS_MAX];
} place_t;

/* The last place is of those that found none. */
struct stats_shared_s {
    _Atomic uint64_t started_ms;
    place_t places[STATS_SERVICES_MAX + 1];
};

struct stats_s {
    place_t *place;
    _Atomic uint32_t *open; /* NULL: there are too many workers */
    place_t own[];          /* without shared memory: one */
};

const prometheus_text_bound_t stats_duration_bounds[STATS_BUCKETS] = {
    {1000, "0.001"},    {5000, "0.005"},      {10000, "0.01"},      {50000, "0.05"},
    {100000, "0.1"},    {500000, "0.5"},      {1000000, "1"},       {2500000, "2.5"},
    {5000000, "5"},     {10000000, "10"},     {30000000, "30"},     {60000000, "60"},
    {300000000, "300"}, {1800000000, "1800"}, {7200000000, "7200"}, {UINT64_MAX, "+Inf"},
};

const prometheus_text_bound_t stats_connect_bounds[STATS_BUCKETS] = {
    {100, "0.0001"},  {250, "0.00025"}, {500, "0.0005"},  {1000, "0.001"},
    {2500, "0.0025"}, {5000, "0.005"},  {10000, "0.01"},  {25000, "0.025"},
    {50000, "0.05"},  {100000, "0.1"},  {250000, "0.25"}, {500000, "0.5"},
    {1000000, "1"},   {2500000, "2.5"}, {5000000, "5"},   {UINT64_MAX, "+Inf"},
};

size_t stats_shared_size(void)
{
    return sizeof(stats_shared_t);
}

/* ---- a service's place ----------------------------------------------------------------------- */

static uint64_t hash_of(const char *name)
{
    uint64_t hash = 14695981039346656037u;

    for (; *name; name++)
        hash = (hash ^ (unsigned char)*name) * 1099511628211u;
    return hash ? hash : 1;
}

static void set_name(place_t *place, const char *name)
{
    size_t len = strlen(name);

    if (len >= sizeof(place->name))
        len = sizeof(place->name) - 1;
    memcpy(place->name, name, len); /* the same bytes, whoever writes them; the rest is zero */
}

static place_t *find_place(stats_shared_t *shared, const char *name)
{
    uint64_t hash = hash_of(name);

    for (size_t i = 0; i < STATS_SERVICES_MAX; i++) {
        place_t *place = &shared->places[i];
        uint64_t taken = 0;

        if (atomic_compare_exchange_strong(&place->hash, &taken, hash)) {
            set_name(place, name);
            return place;
        }
        if (taken == hash)
            return place;
    }
    set_name(&shared->places[STATS_SERVICES_MAX], "others");
    atomic_store(&shared->places[STATS_SERVICES_MAX].hash, 1);
    return &shared->places[STATS_SERVICES_MAX];
}

stats_t *stats_open(stats_shared_t *shared, const char *name, unsigned slot)
{
    stats_t *stats = hmem_zalloc(sizeof(*stats) + (shared ? 0 : sizeof(stats->own[0])));
    uint64_t never = 0;

    if (!stats)
        return NULL;
    if (shared)
        atomic_compare_exchange_strong(&shared->started_ms, &never, htime_real_ms());
    stats->place = shared ? find_place(shared, name) : stats->own;
    stats->open = slot < STATS_SLOTS_MAX ? &stats->place->open[slot] : NULL;
    return stats;
}

void stats_close(stats_t *stats)
{
    hmem_free(stats);
}

void stats_forget(stats_shared_t *shared, unsigned slot)
{
    for (size_t i = 0; slot < STATS_SLOTS_MAX && i <= STATS_SERVICES_MAX; i++) {
        if (atomic_load(&shared->places[i].hash) != 0)
            atomic_store(&shared->places[i].open[slot], 0);
    }
}

/* ---- counting -------------------------------------------------------------------------------- */

static void add(_Atomic uint64_t *counter, uint64_t n)
{
    if (n > 0)
        atomic_fetch_add_explicit(counter, n, memory_order_relaxed);
}

void stats_begin(stats_t *stats)
{
    add(&stats->place->begun, 1);
    if (stats->open)
        atomic_fetch_add_explicit(stats->open, 1, memory_order_relaxed);
}

void stats_count(stats_t *stats, uint64_t sent_bytes, uint64_t received_bytes)
{
    add(&stats->place->sent_bytes, sent_bytes);
    add(&stats->place->received_bytes, received_bytes);
}

void stats_end(stats_t *stats, const stats_session_t *session)
{
    place_t *place = stats->place;

    if (session->end >= 0 && session->end < STATS_ENDS_MAX)
        add(&place->ends[session->end], 1);
    stats_count(stats, session->sent_bytes, session->received_bytes);
    add(&place->durations[prometheus_text_bucket(stats_duration_bounds, session->duration_us)], 1);
    add(&place->duration_us, session->duration_us);
    if (session->connected) {
        add(&place->connects[prometheus_text_bucket(stats_connect_bounds, session->connect_us)], 1);
        add(&place->connect_us, session->connect_us);
    }
    if (stats->open)
        atomic_fetch_sub_explicit(stats->open, 1, memory_order_relaxed);
}

/* ---- reading --------------------------------------------------------------------------------- */

static void load_all(uint64_t *to, const _Atomic uint64_t *from, size_t n)
{
    for (size_t i = 0; i < n; i++)
        to[i] = atomic_load_explicit(&from[i], memory_order_relaxed);
}

static void sum_place(const place_t *place, stats_sum_t *sum)
{
    memset(sum, 0, sizeof(*sum));
    memcpy(sum->name, place->name, sizeof(sum->name) - 1);
    load_all(&sum->begun, &place->begun, 1);
    load_all(sum->ends, place->ends, STATS_ENDS_MAX);
    load_all(&sum->sent_bytes, &place->sent_bytes, 1);
    load_all(&sum->received_bytes, &place->received_bytes, 1);
    load_all(sum->durations, place->durations, STATS_BUCKETS);
    load_all(&sum->duration_us, &place->duration_us, 1);
    load_all(sum->connects, place->connects, STATS_BUCKETS);
    load_all(&sum->connect_us, &place->connect_us, 1);
    for (size_t slot = 0; slot < STATS_SLOTS_MAX; slot++)
        sum->open += atomic_load_explicit(&place->open[slot], memory_order_relaxed);
}

void stats_sum(const stats_t *stats, stats_sum_t *sum)
{
    sum_place(stats->place, sum);
}

bool stats_read(const stats_shared_t *shared, size_t i, stats_sum_t *sum)
{
    if (i > STATS_SERVICES_MAX || atomic_load(&shared->places[i].hash) == 0)
        return false;
    sum_place(&shared->places[i], sum);
    return true;
}

uint64_t stats_started_ms(const stats_shared_t *shared)
{
    return atomic_load(&shared->started_ms);
}
