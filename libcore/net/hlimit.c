/* A bucket of tokens is one time: that at which it will be full again (full_ns). A connection moves
 * it on by the time that a token takes, and may not move it further than `rate` of these from now.
 *
 * Clients are in a hash table, whose seed is chosen by chance lest somebody chooses addresses that
 * all fall into one place. Those without connections are on `idle` as well, in the order in which
 * they became idle; those in front that owe nothing any more are forgotten whenever one comes. */
#include "hlimit.h"

#include "../base/hlist.h"
#include "../base/hmem.h"
#include "../base/htime.h"

#include <string.h>
#include <sys/random.h>

#define BUCKETS_MIN 64
#define FORGET_AT_ONCE 4
#define NS_PER_US 1000u

typedef struct client_s {
    struct client_s *next; /* in its bucket */
    hlist_t idle_link;     /* while it has no connections */
    uint64_t key;
    uint64_t full_ns;
    uint32_t connections;
    bool v6;
} client_t;

struct hlimit_s {
    hlimit_options_t options;
    uint64_t seed;
    uint64_t full_ns;
    uint32_t connections;
    uint32_t count, bucket_count;
    client_t **buckets;
    hlist_t idle;
};

/* ---- token buckets --------------------------------------------------------------------------- */

static uint64_t token_ns(uint32_t rate)
{
    return (HTIME_NS_PER_S + rate - 1) / rate;
}

/* Whether a token is there. */
static bool has_token(uint64_t full_ns, uint32_t rate, uint64_t now_ns)
{
    return rate == 0 || full_ns <= now_ns || full_ns - now_ns <= token_ns(rate) * (rate - 1);
}

static void take_token(uint64_t *full_ns, uint32_t rate, uint64_t now_ns)
{
    if (rate == 0)
        return;
    *full_ns = (*full_ns > now_ns ? *full_ns : now_ns) + token_ns(rate);
}

/* ---- clients --------------------------------------------------------------------------------- */

typedef struct who_s {
    uint64_t key;
    bool v6;
} who_t;

/* False: no client's. */
static bool identify(const struct sockaddr *client, who_t *who)
{
    haddr_t addr;

    if (!client || (client->sa_family != AF_INET && client->sa_family != AF_INET6))
        return false;
    if (haddr_set(&addr, client, haddr_len(client)) != 0)
        return false;
    haddr_unmap(&addr);
    who->v6 = addr.u.sa.sa_family == AF_INET6;
    if (who->v6)
        memcpy(&who->key, &addr.u.sin6.sin6_addr, sizeof(who->key));
    else
        who->key = addr.u.sin.sin_addr.s_addr;
    return true;
}

static client_t **bucket_of(const hlimit_t *limit, const who_t *who)
{
    uint64_t hash = (who->key + who->v6) ^ limit->seed;

    hash = (hash ^ hash >> 30) * 0xbf58476d1ce4e5b9u;
    hash = (hash ^ hash >> 27) * 0x94d049bb133111ebu;
    return &limit->buckets[(hash ^ hash >> 31) & (limit->bucket_count - 1)];
}

static client_t *find(const hlimit_t *limit, const who_t *who)
{
    client_t *client;

    if (limit->bucket_count == 0)
        return NULL;
    client = *bucket_of(limit, who);
    while (client && (client->key != who->key || client->v6 != who->v6))
        client = client->next;
    return client;
}

static void forget(hlimit_t *limit, client_t *client)
{
    who_t who = {client->key, client->v6};
    client_t **at = bucket_of(limit, &who);

    while (*at != client)
        at = &(*at)->next;
    *at = client->next;
    hlist_remove(&client->idle_link);
    limit->count--;
    hmem_free(client);
}

/* Twice as many buckets, before they hold more than one client each; without the memory they do. */
static int grow(hlimit_t *limit)
{
    uint32_t old_count = limit->bucket_count;
    uint32_t count = old_count ? old_count * 2 : BUCKETS_MIN;
    client_t **old = limit->buckets, **buckets;

    if (limit->count < old_count)
        return 0;
    buckets = hmem_array(count, sizeof(client_t *));
    if (!buckets)
        return old_count ? 0 : -ENOMEM;
    limit->buckets = buckets;
    limit->bucket_count = count;
    for (uint32_t i = 0; i < old_count; i++) {
        client_t *client, *next;

        for (client = old[i]; client; client = next) {
            who_t who = {client->key, client->v6};
            client_t **at = bucket_of(limit, &who);

            next = client->next;
            client->next = *at;
            *at = client;
        }
    }
    hmem_free(old);
    return 0;
}

static client_t *oldest_idle(hlimit_t *limit)
{
    return hlist_empty(&limit->idle) ? NULL : HLIST_ENTRY(limit->idle.next, client_t, idle_link);
}

static void forget_paid(hlimit_t *limit, uint64_t now_ns)
{
    client_t *client;

    for (int i = 0; i < FORGET_AT_ONCE && (client = oldest_idle(limit)) != NULL; i++) {
        if (client->full_ns > now_ns)
            return;
        forget(limit, client);
    }
}

/* It is on the idle list. */
static int add(hlimit_t *limit, const who_t *who, client_t **out)
{
    client_t *client, **at;
    int err;

    if (limit->count >= limit->options.clients_max) {
        client = oldest_idle(limit);
        if (!client)
            return HLIMIT_CLIENTS;
        forget(limit, client);
    }
    err = grow(limit);
    client = err ? NULL : hmem_zalloc(sizeof(*client));
    if (!client)
        return -ENOMEM;
    client->key = who->key;
    client->v6 = who->v6;
    at = bucket_of(limit, who);
    client->next = *at;
    *at = client;
    hlist_push_back(&limit->idle, &client->idle_link);
    limit->count++;
    *out = client;
    return HLIMIT_NONE;
}

static bool limits_clients(const hlimit_t *limit)
{
    return limit->options.connections_per_client || limit->options.rate_per_client;
}

static int check_client(const hlimit_t *limit, const client_t *client, uint64_t now_ns)
{
    const hlimit_options_t *o = &limit->options;

    if (o->connections_per_client && client->connections >= o->connections_per_client)
        return HLIMIT_CONNECTIONS_PER_CLIENT;
    return has_token(client->full_ns, o->rate_per_client, now_ns) ? HLIMIT_NONE
                                                                  : HLIMIT_RATE_PER_CLIENT;
}

/* ---- the way in and out ---------------------------------------------------------------------- */

static int check_all(const hlimit_t *limit, uint64_t now_ns)
{
    const hlimit_options_t *o = &limit->options;

    if (o->connections && limit->connections >= o->connections)
        return HLIMIT_CONNECTIONS;
    return has_token(limit->full_ns, o->rate, now_ns) ? HLIMIT_NONE : HLIMIT_RATE;
}

int hlimit_identify(hlimit_t *limit, const struct sockaddr *addr, uint64_t now_us)
{
    uint64_t now_ns = now_us * NS_PER_US;
    client_t *client;
    who_t who;
    int rc = HLIMIT_NONE;

    if (!limits_clients(limit) || !identify(addr, &who))
        return HLIMIT_NONE;
    forget_paid(limit, now_ns);
    client = find(limit, &who);
    if (!client)
        rc = add(limit, &who, &client);
    if (rc == HLIMIT_NONE)
        rc = check_client(limit, client, now_ns);
    if (rc != HLIMIT_NONE)
        return rc;
    take_token(&client->full_ns, limit->options.rate_per_client, now_ns);
    client->connections++;
    hlist_remove(&client->idle_link);
    return HLIMIT_NONE;
}

int hlimit_enter(hlimit_t *limit, const struct sockaddr *client, uint64_t now_us)
{
    uint64_t now_ns = now_us * NS_PER_US;
    int rc = check_all(limit, now_ns);

    if (rc == HLIMIT_NONE)
        rc = hlimit_identify(limit, client, now_us);
    if (rc != HLIMIT_NONE)
        return rc;
    take_token(&limit->full_ns, limit->options.rate, now_ns);
    limit->connections++;
    return HLIMIT_NONE;
}

void hlimit_leave(hlimit_t *limit, const struct sockaddr *addr, uint64_t now_us)
{
    client_t *client;
    who_t who;

    limit->connections--;
    if (!identify(addr, &who))
        return;
    client = find(limit, &who);
    if (!client || client->connections == 0)
        return;
    if (--client->connections == 0)
        hlist_push_back(&limit->idle, &client->idle_link);
    forget_paid(limit, now_us * NS_PER_US);
}

const char *hlimit_text(int refused)
{
    switch (refused) {
    case HLIMIT_NONE:
        return "";
    case HLIMIT_CONNECTIONS:
        return "too many connections";
    case HLIMIT_CONNECTIONS_PER_CLIENT:
        return "too many connections of this client";
    case HLIMIT_RATE:
        return "too many new connections a second";
    case HLIMIT_RATE_PER_CLIENT:
        return "too many new connections a second of this client";
    case HLIMIT_CLIENTS:
        return "too many clients";
    default:
        return herr_str(refused);
    }
}

uint32_t hlimit_connections(const hlimit_t *limit)
{
    return limit->connections;
}

uint32_t hlimit_clients(const hlimit_t *limit)
{
    return limit->count;
}

/* ---- life ------------------------------------------------------------------------------------ */

int hlimit_new(const hlimit_options_t *options, hlimit_t **out)
{
    hlimit_t *limit;

    if (options->clients_max > HLIMIT_CLIENTS_MAX)
        return -EINVAL;
    limit = hmem_zalloc(sizeof(*limit));
    if (!limit)
        return -ENOMEM;
    limit->options = *options;
    if (options->clients_max == 0)
        limit->options.clients_max = HLIMIT_CLIENTS_MAX;
    hlist_init(&limit->idle);
    if (getrandom(&limit->seed, sizeof(limit->seed), GRND_NONBLOCK) != sizeof(limit->seed))
        limit->seed = htime_monotonic_ns();
    *out = limit;
    return 0;
}

void hlimit_free(hlimit_t *limit)
{
    if (!limit)
        return;
    for (uint32_t i = 0; i < limit->bucket_count; i++) {
        client_t *client, *next;

        for (client = limit->buckets[i]; client; client = next) {
            next = client->next;
            hmem_free(client);
        }
    }
    hmem_free(limit->buckets);
    hmem_free(limit);
}
