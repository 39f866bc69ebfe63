/* Chains through the hosts themselves, from an array that grows with them. */
#include "host_map.h"

#include "base/hmem.h"

#include <string.h>

#define BUCKETS_FIRST 64

struct host_map_s {
    host_t **buckets;
    size_t bucket_count; /* a power of two */
    size_t count;
};

host_map_t *host_map_new(void)
{
    host_map_t *map = hmem_zalloc(sizeof(*map));

    if (map == NULL)
        return NULL;
    map->bucket_count = BUCKETS_FIRST;
    map->buckets = hmem_zalloc(BUCKETS_FIRST * sizeof(*map->buckets));
    if (map->buckets == NULL) {
        hmem_free(map);
        return NULL;
    }
    return map;
}

void host_map_free(host_map_t *map)
{
    if (map == NULL)
        return;
    hmem_free(map->buckets);
    hmem_free(map);
}

/* Addresses that are scanned are many, close to each other and of the user's choice: a product
 * spreads them well enough. */
static host_t **bucket_of(host_t **buckets, size_t count, const packet_addr_t *addr)
{
    uint64_t words[2] = {0, 0};

    memcpy(words, &addr->v6, addr->family == AF_INET6 ? 16 : 4);
    return &buckets[((words[0] ^ words[1] * 31) * 0x9e3779b97f4a7c15ULL >> 32) & (count - 1)];
}

static int grow(host_map_t *map)
{
    size_t count = map->bucket_count * 2;
    host_t **buckets = hmem_zalloc(count * sizeof(*buckets));

    if (buckets == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < map->bucket_count; i++)
        for (host_t *host = map->buckets[i], *next; host; host = next) {
            host_t **bucket = bucket_of(buckets, count, &host->path.destination);

            next = host->next_in_map;
            host->next_in_map = *bucket;
            *bucket = host;
        }
    hmem_free(map->buckets);
    map->buckets = buckets;
    map->bucket_count = count;
    return 0;
}

int host_map_add(host_map_t *map, host_t *host)
{
    host_t **bucket;

    if (map->count >= map->bucket_count && grow(map) < 0)
        return -ENOMEM;
    bucket = bucket_of(map->buckets, map->bucket_count, &host->path.destination);
    host->next_in_map = *bucket;
    *bucket = host;
    map->count++;
    return 0;
}

void host_map_remove(host_map_t *map, host_t *host)
{
    host_t **link = bucket_of(map->buckets, map->bucket_count, &host->path.destination);

    for (; *link; link = &(*link)->next_in_map)
        if (*link == host) {
            *link = host->next_in_map;
            map->count--;
            return;
        }
}

host_t *host_map_find(const host_map_t *map, const packet_addr_t *addr, const host_t *after)
{
    host_t *host = after ? after->next_in_map : *bucket_of(map->buckets, map->bucket_count, addr);

    while (host && !packet_addr_equal(&host->path.destination, addr))
        host = host->next_in_map;
    return host;
}
