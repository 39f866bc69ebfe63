/* The inside of the flows, for hflow*.c, and what hrelay_udp.c needs besides hflow.h. */
#ifndef HNET_NET_HFLOW_INT_H
#define HNET_NET_HFLOW_INT_H

#include "../base/hlist.h"
#include "../event/htimer.h"
#include "hflow.h"
#include "hrelay_int.h"

typedef struct hflow_waiting_s {
    struct hflow_waiting_s *next;
    size_t len;
    char data[];
} hflow_waiting_t;

/* Who sends to which address of ours. */
typedef struct hflow_route_s {
    haddr_t client;
    hio_source_t source;
} hflow_route_t;

struct hflow_s {
    hrelay_side_t side; /* the upstream's; first: a flow is found from it */
    hflows_t *flows;
    hlist_t bucket, recent; /* linked: it is open */
    hflow_route_t route;
    hflow_waiting_t *waiting, **waiting_end;
    uint32_t waiting_n;
    size_t waiting_bytes;
    uint64_t moved_us;
    hflow_stats_t stats;
    void *userdata;
    bool opening; /* open is running */
    bool closed;
    bool answered;
    bool paused; /* a stream that is not read, for the queue to the clients is full */
};

struct hflows_s {
    hrelay_side_t side; /* the socket's; first */
    hloop_t *loop;
    hflows_options_t options;
    htimer_t *timer; /* NULL: there are no flows */
    hflow_t *prepared;
    hlist_t recent;
    uint32_t held;        /* flows that are not freed, and callbacks that run */
    uint32_t seed;        /* of the hash */
    size_t waiting_bytes; /* unless the options have a place for them */
    bool listening;       /* takes new flows */
    hflows_stats_t stats;
    size_t bucket_n; /* a power of two */
    hlist_t buckets[];
};

/* hflow.c */
void hflow__end(hflow_t *flow, hflow_end_e end, int err);
void hflow__free(hflow_t *flow);

/* Keeps an upstream ready for the next new client: that one is joined to it without open being
 * asked. One at a time. As hflow_join. */
int hflows__prepare(hflows_t *flows, hio_t *upstream);

/* hflow_join.c */
void hflow__touch(hflow_t *flow); /* something moved */
void hflow__drop_waiting(hflow_t *flow);

/* A datagram of the client: kept, sent or dropped. 0, or an error that ends the flow. */
int hflow__write(hflow_t *flow, const void *buf, size_t len);

/* The queue to the clients has room again: a drained callback. */
void hflow__drained(hio_t *io);

#endif
