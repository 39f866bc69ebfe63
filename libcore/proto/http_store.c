#include "http_store_int.h"

#include <arpa/inet.h>
#include <string.h>

void http_store__init(http_store_table_t *table)
{
    for (size_t i = 0; i < HTTP_STORE_BUCKETS; i++)
        hlist_init(&table->buckets[i]);
}

/* FNV-1a. The stores are bounded, and so is what names with the same hash can cost. */
hlist_t *http_store__bucket(http_store_table_t *table, const char *name)
{
    uint32_t hash = 2166136261U;

    for (; *name; name++)
        hash = (hash ^ (unsigned char)*name) * 16777619U;
    return &table->buckets[hash % HTTP_STORE_BUCKETS];
}

const char *http_store__parent(const char *name)
{
    const char *dot = strchr(name, '.');

    return dot ? dot + 1 : NULL;
}

bool http_store__line(http_span_t *rest, http_span_t *line)
{
    if (http_line_next(rest, line))
        return true;
    *line = *rest;
    rest->len = 0;
    return line->len > 0;
}

bool http_store__is_address(const char *host)
{
    struct in_addr v4;

    return strchr(host, ':') || inet_pton(AF_INET, host, &v4) == 1;
}
