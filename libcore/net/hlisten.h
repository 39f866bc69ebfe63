/* hlisten: servers and clients as hio in one call: libhv's names, and the native call with options.
 *
 * host is a name, an address in numbers, or, with port < 0, a UNIX path ("@name": abstract). A
 * name is looked up with hresolve, which blocks: give an address in numbers once the loop runs.
 * The hio belongs to the loop; hio_close ends it and, for a UNIX path that was made here,
 * removes the path. */
#ifndef HNET_NET_HLISTEN_H
#define HNET_NET_HLISTEN_H

#include "../event/hio.h"
#include "hendpoint.h"
#include "hsocket.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct hlisten_options_s {
    hendpoint_t endpoint; /* HENDPOINT_TLS listens as TCP: TLS is for the layer that knows it */
    const haddr_t *addr;  /* listen here and take only the scheme from endpoint; NULL: look up */
    int family;           /* AF_INET, AF_INET6; 0: as the host says */
    hsocket_options_t socket; /* backlog, reuse_port, unix_mode ... */
    unsigned datagram_batch;  /* datagrams a system call; 0: the default */
} hlisten_options_t;

/* Listens, or binds a datagram socket, and accepts: every connection goes to accept_cb. A datagram
 * hio does not read before the program says hio_read; accept_cb is not used for it. Every address
 * (an empty host) is one IPv6 socket that takes IPv4 too, where the system has IPv6; a name listens
 * on the first of its addresses that can be bound. 0 and *out, or a negative error: HERR_RESOLVE,
 * -EADDRINUSE, -EACCES, -EMFILE ... */
int hlisten_open(hloop_t *loop, const hlisten_options_t *options, haccept_cb accept_cb,
                 hio_t **out);

/* Takes over a listening (or bound datagram) descriptor, such as one opened before a fork. The
 * descriptor is closed on an error too. */
int hlisten_attach(hloop_t *loop, int fd, haccept_cb accept_cb, hio_t **out);

/* The descriptor alone, bound and listening: to be shared by loops or processes. *path (may be
 * NULL) remembers a UNIX path for hsocket_path_remove. */
int hlisten_socket(const hlisten_options_t *options, hsocket_path_t *path);

/* An hio that will connect to this address, not yet connecting; for a datagram socket one that
 * sends there and takes datagrams from there only, unless the address is a multicast or broadcast
 * one. A datagram socket is not closed because nobody listens at the other end: hio_connect makes
 * it so. 0 and *out, or a negative error. */
int hlisten_client(hloop_t *loop, const haddr_t *addr, int socktype,
                   const hsocket_options_t *options, hio_t **out);

/* ---- libhv's names: NULL on an error, and errno tells (EADDRNOTAVAIL: no such name) ---------- */

hio_t *hloop_create_tcp_server(hloop_t *loop, const char *host, int port, haccept_cb accept_cb);
hio_t *hloop_create_udp_server(hloop_t *loop, const char *host, int port);

/* Connects. connect_cb follows, or close_cb with the cause in hio_error, also for a connection
 * that fails at once. A name is tried at its first IPv4 address, or else at its first. Both
 * may be NULL. */
hio_t *hloop_create_tcp_client(hloop_t *loop, const char *host, int port, hconnect_cb connect_cb,
                               hclose_cb close_cb);

/* As hlisten_client: reading starts with hio_read. */
hio_t *hloop_create_udp_client(hloop_t *loop, const char *host, int port);

/* HIO_SERVER_SIDE: bound and listening, not yet accepting. HIO_CLIENT_SIDE: the peer address is
 * set, not yet connecting. type is HIO_TYPE_TCP, _UDP, _UNIX_STREAM or _UNIX_DGRAM; with port < 0
 * it only tells stream from datagram. */
hio_t *hio_create_socket(hloop_t *loop, const char *host, int port, hio_type_e type,
                         hio_side_e side);

#ifdef __cplusplus
}
#endif

#endif
