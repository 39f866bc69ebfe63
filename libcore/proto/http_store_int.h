/* http_store: what the stores of cookies, of hosts that want https and of alternatives share. */
#ifndef HNET_PROTO_HTTP_STORE_INT_H
#define HNET_PROTO_HTTP_STORE_INT_H

#include "../base/hlist.h"
#include "../codec/http_head.h"

#define HTTP_STORE_BUCKETS 512

/* Where entries with this name are, among others. */
typedef struct http_store_table_s {
    hlist_t buckets[HTTP_STORE_BUCKETS];
} http_store_table_t;

void http_store__init(http_store_table_t *table);
hlist_t *http_store__bucket(http_store_table_t *table, const char *name);

/* The domain above: "b.c" of "a.b.c"; NULL behind the last one. */
const char *http_store__parent(const char *name);

/* Cuts the next line, without its end and of any length, off the front of *rest; the last one may
 * lack its end. False when there is none. */
bool http_store__line(http_span_t *rest, http_span_t *line);

/* One that is numeric, without brackets. */
bool http_store__is_address(const char *host);

#endif
