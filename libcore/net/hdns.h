/* hdns: names to addresses and back, on the loop and never blocking (c-ares; its sockets and one
 * timer are the loop's). Asked in this order: numbers, /etc/hosts, the cache, the name servers of
 * /etc/resolv.conf with its search list. Nothing is read and no library is loaded before the first
 * name that needs it.
 *
 * A query runs its callback exactly once, from the loop, never from inside the call that made it,
 * unless it is cancelled. A dead name server delays only the queries that need it. */
#ifndef HNET_NET_HDNS_H
#define HNET_NET_HDNS_H

#include "../event/hloop.h"
#include "haddr.h"

#ifdef __cplusplus
extern "C" {
#endif

#define HDNS_ADDRS_MAX 64     /* addresses of one name */
#define HDNS_RECORDS_MAX 64   /* records of one answer */
#define HDNS_NAME_SIZE 256    /* a name in text with its NUL */
#define HDNS_CACHE_MAX 4096   /* answers, default; a name in both families has two */
#define HDNS_THREADS_MAX 16   /* with by_system; they start when they are needed */
#define HDNS_QUERIES_MAX 4096 /* at once, on the wire; the rest waits in line */
#define HDNS_TTL_LOCAL_S 10   /* of numbers, the hosts file, and what the system's resolver says */

typedef struct hdns_s hdns_t;
typedef struct hdns_query_s hdns_query_t;

/* All zero is the default. Strings are copied. */
typedef struct hdns_options_s {
    const char *servers;     /* "192.0.2.1,[2001:db8::1]:5353"; NULL: as the system is set up */
    const char *hosts_file;  /* NULL: /etc/hosts; "": none */
    const char *resolv_conf; /* NULL: /etc/resolv.conf */
    int timeout_ms;          /* of the first try of one server; 0: 2,000 */
    int tries;               /* of each server; 0: 2 */
    int total_timeout_ms;    /* for the whole query; 0: 10,000 */
    size_t cache_max;        /* answers kept; 0: HDNS_CACHE_MAX */
    uint32_t ttl_max_s;      /* however long they say that they count; 0: a day */
    bool no_cache;
    bool no_search; /* names are looked up as they are */
    bool by_system; /* hdns_resolve and hdns_reverse ask getaddrinfo and getnameinfo, in at most
                       HDNS_THREADS_MAX threads: what nsswitch.conf says counts, of these options
                       only total_timeout_ms does */
} hdns_options_t;

/* What of a list for options.servers is no address of a server: where it begins, and its length.
 * NULL: all are. */
const char *hdns_wrong_server(const char *servers, size_t *len);

/* A resolver of this loop, freed before it. options may be NULL. 0 or -ENOMEM. */
int hdns_new(hloop_t *loop, const hdns_options_t *options, hdns_t **dns);

/* Cancels what is open, without callbacks. NULL is legal. */
void hdns_free(hdns_t *dns);

/* err: 0 and at least one address, or HERR_RESOLVE (no such name, or the servers refused),
 * -ETIMEDOUT (no server answered), HERR_SYNTAX (no legal name), -EINVAL (the list of servers in the
 * options is wrong), HERR_UNSUPPORTED (c-ares is missing), -ENOMEM; hdns_error(query) has it in
 * words. addrs are valid during the callback; in the order of RFC 6724 within each family. The
 * query is gone after it. Freeing the resolver in it is legal. */
typedef void (*hdns_addrs_cb)(hdns_query_t *query, int err, const haddr_t *addrs, size_t count,
                              void *arg);

/* The addresses of host, their ports 0; family AF_INET, AF_INET6 or 0 for both (AAAA and A are
 * asked at the same time, IPv6 comes first). Numbers ("192.0.2.1", "fe80::1%eth0") and "localhost"
 * need no server. 0 and *query (may be NULL), or -ENOMEM. */
int hdns_resolve(hdns_t *dns, const char *host, int family, hdns_addrs_cb cb, void *arg,
                 hdns_query_t **query);

typedef enum { HDNS_SRV = 33, HDNS_TXT = 16, HDNS_PTR = 12, HDNS_MX = 15 } hdns_type_e;

typedef struct hdns_record_s {
    hdns_type_e type;
    uint32_t ttl_s;
    uint16_t priority, weight, port; /* SRV; MX: priority alone */
    size_t len;
    const char *text; /* a name, or the TXT bytes joined (len of them, and a NUL) */
} hdns_record_t;

/* SRV come in the order to try them (RFC 2782). Errors as above. */
typedef void (*hdns_records_cb)(hdns_query_t *query, int err, const hdns_record_t *records,
                                size_t count, void *arg);
int hdns_lookup(hdns_t *dns, const char *name, hdns_type_e type, hdns_records_cb cb, void *arg,
                hdns_query_t **query);

/* The name of an address: /etc/hosts, then PTR. name is valid during the callback. */
typedef void (*hdns_name_cb)(hdns_query_t *query, int err, const char *name, void *arg);
int hdns_reverse(hdns_t *dns, const struct sockaddr *addr, hdns_name_cb cb, void *arg,
                 hdns_query_t **query);

/* Ends the query; its callback does not run. Not in its own callback. */
void hdns_cancel(hdns_query_t *query);

/* For people, in the callback: "no such name", "no name server answered within 10 s". */
const char *hdns_error(const hdns_query_t *query);

/* In the callback: for how many more seconds (rounded up) the answer, or its failure, counts: that
 * of the records which end first, as the name servers say (at most a day); HDNS_TTL_LOCAL_S for
 * what was found without them. 0: it is not to be kept. */
uint32_t hdns_ttl_s(const hdns_query_t *query);

typedef struct hdns_stats_s {
    uint64_t queries, cache_hits, hosts_hits, sent;
    size_t cached, open;
} hdns_stats_t;
void hdns_stats(const hdns_t *dns, hdns_stats_t *stats);

/* Forgets the cache and reads the system's files again at the next need. */
void hdns_reload(hdns_t *dns);

#ifdef __cplusplus
}
#endif

#endif
