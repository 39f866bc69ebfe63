/* server: what the connections know of the server that they belong to. One server_t serves in one
 * process; worker processes have one each, and share only the counts. */
#ifndef HNET_HECHO_SERVER_H
#define HNET_HECHO_SERVER_H

#include "answer.h"
#include "base/hlist.h"
#include "base/hslab.h"
#include "event/hio.h"
#include "hecho.h"

#include <stdatomic.h>

/* Of one process, in memory that all of them see; only that process adds to it. */
typedef struct counts_s {
    _Atomic uint64_t connections;
    _Atomic uint64_t open;
    _Atomic uint64_t refused;
    _Atomic uint64_t shed;
    _Atomic uint64_t datagrams;
    _Atomic uint64_t dropped;
    _Atomic uint64_t bytes_in;
    _Atomic uint64_t bytes_out;
} __attribute__((aligned(64))) counts_t;

/* One writer: no locked instruction is needed. n may be a negative number, for open. */
static inline void count_add(_Atomic uint64_t *count, uint64_t n)
{
    atomic_store_explicit(count, atomic_load_explicit(count, memory_order_relaxed) + n,
                          memory_order_relaxed);
}

static inline uint64_t count_get(const _Atomic uint64_t *count)
{
    return atomic_load_explicit(count, memory_order_relaxed);
}

typedef struct server_s {
    const hecho_options_t *options;
    hreport_t *report;
    hloop_t *loop;
    counts_t *counts;    /* of this process */
    const counts_t *all; /* of every process */
    size_t all_n;
    size_t prefix_len;
    const char *chargen; /* CHARGEN_BLOCK bytes */
    hlist_t clients;
    hslab_t slab;   /* of client_t */
    unsigned alive; /* listeners, datagram sockets and connections */
    int error;      /* of a listening socket that failed */
    bool stopping;
} server_t;

/* Whole periods of the pattern, so that each block continues the one before. */
#define CHARGEN_BLOCK ((size_t)9 * CHARGEN_PERIOD)

/* Connections that are open, in all processes. */
uint64_t server_open_count(const server_t *server);

/* Something that alive counted is gone. */
void server_release(server_t *server);

#endif
