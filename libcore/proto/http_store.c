#include "http_store_int.h"

#include <arpa/inet.h>
#include <string.h>

void http_store__init(http_store_table_t *table)
{
    for (size_t i = 0; i < HTTP_STORE_BUCKETS; i++)
        hlist_init(&table->buckets[i]);
    hlist_init(&table->order);
    table->count = 0;
    table->changes = 0;
}

/* FNV-1a. The stores are bounded, and so is what names with the same hash can cost. */
hlist_t *http_store__bucket(http_store_table_t *table, const char *name)
{
    uint32_t hash = 2166136261U;

    for (; *name; name++)
        hash = (hash ^ (unsigned char)*name) * 16777619U;
    return &table->buckets[hash % HTTP_STORE_BUCKETS];
}

/* Each node is a head to those around it. */
static void add_at(http_store_table_t *table, hlist_t *node, hlist_t *order,
                   http_store_entry_t *entry)
{
    hlist_push_back(node, &entry->node);
    hlist_push_back(order, &entry->order);
    table->count++;
    table->changes++;
}

void http_store__add(http_store_table_t *table, const char *name, http_store_entry_t *entry)
{
    add_at(table, http_store__bucket(table, name), &table->order, entry);
}

void http_store__add_before(http_store_table_t *table, http_store_entry_t *old,
                            http_store_entry_t *entry)
{
    add_at(table, &old->node, &old->order, entry);
}

void http_store__remove(http_store_table_t *table, http_store_entry_t *entry)
{
    hlist_remove(&entry->node);
    hlist_remove(&entry->order);
    table->count--;
    table->changes++;
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
