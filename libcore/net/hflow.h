/* hflow: flows of datagrams. One datagram socket has many clients; each of them (the address it
 * sends from, and the address of ours that it sends to) is a flow, with an upstream hio of its own:
 * so an answer finds its way, and clients are never mixed up.
 *
 *     datagram of a new client -> open -> (the program dials) -> hflow_join -> both ways
 *                                      -> closed, once: idle, upstream gone, hflow_close ...
 *
 * What comes before the upstream stands waits, in order. Datagrams that find a queue full are
 * dropped and counted, as a network would. An upstream that is a datagram socket gets and gives
 * whole datagrams; of a stream, each read is a datagram for the client, of HFLOW_DATAGRAM_MAX bytes
 * at most, and what the client sends are bytes. A stream is not read while the queue to the clients
 * is above its high watermark.
 *
 * Answers leave from the address that the client has asked. UNIX clients without a name are one
 * flow together, and get no answer. While a flow is joined, hio_get_upstream of either side tells
 * the other one, as for every relay (hrelay.h). All calls belong to the loop's thread. */
#ifndef HNET_NET_HFLOW_H
#define HNET_NET_HFLOW_H

#include "../event/hio.h"
#include "haddr.h"

#ifdef __cplusplus
extern "C" {
#endif

#define HFLOW_IDLE_MS 60000
#define HFLOW_FLOWS_MAX 4096
#define HFLOW_WAITING_MAX 64
#define HFLOW_QUEUE_MAX ((size_t)256 * 1024)
#define HFLOW_WAITING_BYTES_MAX ((size_t)16 * 1024 * 1024) /* of all flows together */
#define HFLOW_DATAGRAM_MAX 65507                           /* of UDP over IPv4 */

typedef struct hflow_s hflow_t;
typedef struct hflows_s hflows_t;

/* Why a flow ended. */
typedef enum hflow_end_e {
    HFLOW_CLOSED,   /* hflow_close, hflows_free */
    HFLOW_UPSTREAM, /* the upstream ended (err 0) or broke: -ECONNREFUSED when nobody listens */
    HFLOW_IDLE,     /* nothing came from either side */
    HFLOW_EVICTED,  /* there were too many, or no descriptors: it was silent longest */
    HFLOW_SOCKET    /* the socket that the clients send to is closed */
} hflow_end_e;

/* All zero is the default, but for open. */
typedef struct hflows_options_s {
    uint32_t idle_ms;   /* 0: HFLOW_IDLE_MS */
    uint32_t flows_max; /* 0: HFLOW_FLOWS_MAX; past it the flow that was silent longest goes */
    uint32_t waiting;   /* datagrams of a flow before its upstream stands; 0: HFLOW_WAITING_MAX */
    size_t queue_max;   /* their bytes, and those queued for an upstream; 0: HFLOW_QUEUE_MAX */
    size_t waiting_max; /* memory of all that wait; 0: HFLOW_WAITING_BYTES_MAX */
    size_t *waiting_bytes; /* where that is counted, for several sockets of one loop together; it
                              lives until flows_free; NULL: for this one alone */
    /* A new client's first datagram is there. The program makes an upstream and joins it, now or
     * later, or gives a negative error: then there is no flow, the datagram is dropped, and the
     * client's next one asks again. For want of descriptors or memory (-EMFILE, -ENFILE, -ENOMEM)
     * the flow that was silent longest makes room. */
    int (*open)(hflow_t *flow, void *arg);
    /* The upstream's first datagram or bytes are there: it lives. NULL: nobody is told. */
    void (*answered)(hflow_t *flow, void *arg);
    /* The flow is over, once for each that open has agreed to, or has closed by itself. Its
     * upstream is closing; flow is valid during the call, its numbers are final. err: as far as
     * there is one. Runs inside hflow_close, never inside hflow_join. NULL: nobody is told. */
    void (*closed)(hflow_t *flow, hflow_end_e end, int err, void *arg);
    /* The last call: all flows and their upstreams are gone. NULL: nobody is told. */
    void (*freed)(void *arg);
    void *arg;
} hflows_options_t;

/* Serves a bound datagram socket and starts to read it. Its read and drained callbacks belong to
 * the flows; the hio stays the program's: closing it ends all. 0 and *flows (may be NULL), which is
 * freed by itself when the socket and all upstreams are gone; -EINVAL (no datagram socket, no open,
 * or joined already), HERR_CLOSED, -ENOMEM: then nothing has changed. */
int hflows_new(hio_t *io, const hflows_options_t *options, hflows_t **flows);

/* No new flows: what strangers send is dropped; the old ones go on until they are idle. (Where
 * another process goes on to read the same socket, hio_read_stop it here instead: answers still
 * leave.) */
void hflows_stop_listening(hflows_t *flows);

/* Another time for idle flows, from when something moved last; 0: HFLOW_IDLE_MS. */
void hflows_set_idle(hflows_t *flows, uint32_t idle_ms);

/* Ends all flows and leaves the socket alone, not read any more. flows is not valid after the call
 * (but options.freed may be told later). NULL is legal. */
void hflows_free(hflows_t *flows);

/* Joins the flow to an hio of the same loop, that is open; what has waited is sent and both are
 * relayed from now on. The upstream's read callback belongs to the flow from now on, the others and
 * user data stay the program's. 0; -EINVAL (joined already, another loop), HERR_CLOSED, -ENOMEM:
 * then the upstream is still the program's, and the flow as it was. */
int hflow_join(hflow_t *flow, hio_t *upstream);

/* Ends the flow; its upstream is closed after sending what is queued (err 0), or aborted with err.
 * Idempotent while flow is valid. */
void hflow_close(hflow_t *flow, int err);

/* For a program that finds out after open that it has no descriptor for this flow: ends the one
 * that was silent longest of the others that are joined (HFLOW_EVICTED). Its upstream is closed in
 * this iteration of the loop; a stream, once what was sent has arrived. False: there is none. */
bool hflow_make_room(hflow_t *flow);

/* Who sends; len 0: a UNIX client without a name. */
const haddr_t *hflow_client(const hflow_t *flow);
hflows_t *hflow_flows(const hflow_t *flow);
hio_t *hflow_upstream(const hflow_t *flow); /* NULL: not joined */
void hflow_set_userdata(hflow_t *flow, void *userdata);
void *hflow_userdata(const hflow_t *flow);

typedef struct hflow_stats_s {
    uint64_t sent, sent_bytes;         /* datagrams of the client, handed to the upstream */
    uint64_t received, received_bytes; /* ... to the client */
    uint64_t dropped;                  /* they found a queue full, or nobody */
} hflow_stats_t;

void hflow_stats(const hflow_t *flow, hflow_stats_t *stats);

/* Of all flows that there were, and how many there are now. */
typedef struct hflows_stats_s {
    hflow_stats_t all; /* with the drops of those that never became a flow */
    uint64_t opened, evicted;
    uint32_t flows;
} hflows_stats_t;

void hflows_stats(const hflows_t *flows, hflows_stats_t *stats);

#ifdef __cplusplus
}
#endif

#endif
