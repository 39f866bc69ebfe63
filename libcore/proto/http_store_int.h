/* http_store: what the stores of cookies, of hosts that want https and of alternatives share. */
#ifndef HNET_PROTO_HTTP_STORE_INT_H
#define HNET_PROTO_HTTP_STORE_INT_H

#include "../base/hlist.h"
#include "../codec/http_head.h"

#define HTTP_STORE_BUCKETS 512

/* An entry hangs in two lists: in the bucket of its name, among others, and in the order in which
 * they came. */
typedef struct http_store_entry_s {
    hlist_t node, order;
} http_store_entry_t;

typedef struct http_store_table_s {
    hlist_t buckets[HTTP_STORE_BUCKETS];
    hlist_t order;
    size_t count;
    uint64_t changes;
} http_store_table_t;

void http_store__init(http_store_table_t *table);
hlist_t *http_store__bucket(http_store_table_t *table, const char *name);

/* As the newest one; or in front of one with the same name, in both lists. */
void http_store__add(http_store_table_t *table, const char *name, http_store_entry_t *entry);
void http_store__add_before(http_store_table_t *table, http_store_entry_t *old,
                            http_store_entry_t *entry);

void http_store__remove(http_store_table_t *table, http_store_entry_t *entry);

/* The domain above: "b.c" of "a.b.c"; NULL behind the last one. */
const char *http_store__parent(const char *name);

/* Cuts the next line, without its end and of any length, off the front of *rest; the last one may
 * lack its end. False when there is none. */
bool http_store__line(http_span_t *rest, http_span_t *line);

/* One that is numeric, without brackets. */
bool http_store__is_address(const char *host);

#endif
