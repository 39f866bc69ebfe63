/* hrelay: two connections joined into one. What the program or the relay writes upstream is paced:
 * one side is not read while the other's queue is above its high watermark. The end of data travels
 * each way by itself: after EOF on one side the other's sending side is shut down once all is sent,
 * and both close when both ways have ended. An error or a reset on one side aborts the other with
 * the same cause (a TCP peer sees a reset, for what it got may not be all), but for EPIPE: a side
 * that takes no more, or is closed, closes the other after sending what is queued there. So does
 * the end of a TLS side without close_notify, which many peers never send: that is an end of data.
 *
 * hio_relay and hio_setup_tcp_upstream move up to 1 MiB at once, past the read callbacks as long as
 * these are hio_write_upstream; one buffer a direction, and only while bytes are in it (hcarry.h).
 * Either side may be TLS.
 *
 * "Upstream" of either side is the other one. While two hio are joined, their EOF and drained
 * callbacks belong to the relay; read, write, connect and close callbacks and user data stay the
 * program's. Both live on one loop and are not detached. A joined hio knows its upstream until its
 * own close callback has returned or the other side is gone. */
#ifndef HNET_NET_HRELAY_H
#define HNET_NET_HRELAY_H

#include "../event/hio.h"

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Joins two hio; reading and the read callbacks stay as they are (hio_write_upstream is one). 0,
 * -EINVAL (the same hio, two loops, one is joined already), -ENOMEM, HERR_CLOSED. */
int hio_setup_upstream(hio_t *io1, hio_t *io2);

/* Joins two open hio and relays everything between them from now on, also what framing holds. The
 * errors of hio_setup_upstream. */
int hio_relay(hio_t *io1, hio_t *io2);

/* The other side, NULL when there is none. */
hio_t *hio_get_upstream(hio_t *io);

/* Starts reading both sides. Has the form of a connect callback. */
void hio_read_upstream(hio_t *io);

/* Sends what was read from io to the other side and stops reading io while that is full. Has
 * the form of a read callback. Bytes that a stream's queue refuses abort both sides; datagrams
 * are dropped. */
void hio_write_upstream(hio_t *io, void *buf, int bytes);

/* Closes the other side (hio_close). Has the form of a close callback. */
void hio_close_upstream(hio_t *io);

/* Connects to host and port and relays between io and that connection; io is read from when it
 * stands. A name is resolved at once and blocks. The new hio, on which the program may set time
 * limits and callbacks; NULL when out of memory or descriptors, or when the host has no address or
 * ssl is not 0 (htls_client and hio_relay do that): errno tells. A refused connection aborts io. */
hio_t *hio_setup_tcp_upstream(hio_t *io, const char *host, int port, int ssl);

/* Relays a datagram socket: each client (source address) of io has a socket of its own to host and
 * port, so that replies find their way, until it was idle for HRELAY_UDP_IDLE_MS; past
 * HRELAY_UDP_CLIENTS_MAX, or when descriptors run out, the one that was silent longest goes. Starts
 * reading io, with hio_write_upstream as its read callback. Returns the first client's socket (made
 * at once, so that errors are seen here), NULL as hio_setup_tcp_upstream. hio_get_upstream(io) is
 * the socket of the sender of the datagram that is being read. */
#define HRELAY_UDP_IDLE_MS 60000
#define HRELAY_UDP_CLIENTS_MAX 4096
hio_t *hio_setup_udp_upstream(hio_t *io, const char *host, int port);

typedef struct hrelay_stats_s {
    uint64_t sent_bytes;     /* read from io and written to its upstream */
    uint64_t received_bytes; /* the other way */
    uint64_t dropped;        /* datagrams that found the queue full or the upstream gone */
    uint32_t clients;        /* of a datagram relay, now */
} hrelay_stats_t;

/* Counters of the relay that io is a side of. Valid in the close callback too. 0 or -ENOENT (never
 * joined, and then all are 0). */
int hrelay_stats(const hio_t *io, hrelay_stats_t *stats);

#ifdef __cplusplus
}
#endif

#endif
