/* raw: probes as packets of our own making, which needs CAP_NET_RAW: ARP and NDP on the link, ICMP,
 * TCP with any flags. What comes back is told by the address it is about; an answer is believed
 * only if it repeats what was made for that address, port and try (the TCP numbers, or the id of an
 * echo), so that neither strays nor forgeries from the side count. */
#ifndef HNMAP_RAW_H
#define HNMAP_RAW_H

#include "net/hpacket.h"
#include "result.h"

#include <stdbool.h>
#include <stdint.h>

#define RAW_LINKS_MAX 32
#define RAW_HOPS_MAX 64         /* routers on one link */
#define RAW_TRIES 64            /* that can be told apart */
#define RAW_TRACE_HOPS 30       /* how far a way is followed */
#define RAW_TRACE_TRIES 8       /* of a probe that ends on the way */
#define RAW_HOP_WAIT_US 3000000 /* for a router that does not answer ARP */

typedef enum raw_kind_e {
    RAW_NEIGHBOUR, /* ARP, or NDP for IPv6 */
    RAW_ECHO,
    RAW_TIMESTAMP,
    RAW_NETMASK,
    RAW_TCP,     /* with the flags of the probe */
    RAW_UDP,     /* with what the service of the port may answer to */
    RAW_PROTOCOL /* an IP packet of the protocol `port` */
} raw_kind_e;

typedef struct raw_probe_s {
    raw_kind_e kind;
    uint8_t flags; /* packet_tcp_flag_e */
    uint16_t port;
    uint8_t hops; /* RAW_TCP, RAW_ECHO: how far it may go, up to RAW_TRACE_HOPS; 0: all the way */
    bool is_bare; /* without the options' TTL and data */
} raw_probe_t;

typedef struct raw_s raw_t;
typedef struct raw_link_s raw_link_t;
typedef struct raw_hop_s raw_hop_t;

/* How packets get to a host. A value; owns nothing. */
typedef struct raw_path_s {
    raw_link_t *link;
    raw_hop_t *hop; /* the router; NULL: there is none, or it need not be known */
    packet_addr_t source, destination;
    bool is_neighbour; /* on an Ethernet of ours: it is there if it answers RAW_NEIGHBOUR */
    bool is_local;     /* this machine */
    bool has_mac;
    uint8_t mac[PACKET_MAC_SIZE]; /* of a neighbour; the caller sets it from the answer */
} raw_path_t;

/* What came back. */
typedef struct raw_answer_s {
    packet_addr_t host; /* whom it is about; for an error not who sent it */
    packet_addr_t from; /* who sent it */
    raw_probe_t probe;  /* flags: PACKET_ACK if only a probe with it is answered so; else 0 */
    int try;            /* -1: not known */
    uint8_t tcp_flags;  /* RAW_TCP answered by TCP: those that came; else 0 */
    uint8_t reason;     /* reason_e */
    uint8_t ttl;
    bool is_error;          /* an ICMP error: the probe did not get there, or is refused */
    bool is_from_host;      /* the host itself sent it */
    const raw_link_t *link; /* it came from */
    packet_t packet;        /* all of it; views of the frame, valid during the callback */
    const uint8_t *mac;     /* of a neighbour; valid during the callback, NULL otherwise */
    uint64_t time_us;
} raw_answer_t;

typedef void (*raw_answer_cb)(void *context, const raw_answer_t *answer);

/* A frame that was sent, or that came: each one that passes the filter. */
typedef struct raw_packet_s {
    bool is_sent;
    packet_link_e link;
    const uint8_t *data;
    size_t len;
    uint64_t time_us;
} raw_packet_t;
typedef void (*raw_packet_cb)(void *context, const raw_packet_t *packet);

typedef struct raw_options_s {
    const char *interface;       /* -e; NULL: as the routes say */
    const packet_addr_t *source; /* -S; NULL: as the routes say */
    uint16_t source_port;        /* -g; 0: one that is free, and held */
    bool has_protocols;          /* RAW_PROTOCOL will be asked */
    bool has_many;               /* so many probes that a ring is worth its memory and delay */
    bool by_ip;                  /* the kernel finds link addresses: no RAW_NEIGHBOUR */
    uint8_t ttl;                 /* of probes without hops; 0: the usual one */
    const uint8_t *data; /* what probes carry, behind their own; UDP instead of its payload; NULL:
                            nothing. It is not copied */
    size_t data_len;
    raw_packet_cb on_packet; /* NULL: nobody wants to see them */
    uint64_t seed;
} raw_options_t;

/* 0; -EPERM or -EACCES (no CAP_NET_RAW: nothing can be sent), -ENODEV (no such interface), -ENOMEM
 * and the like. */
int raw_new(hloop_t *loop, const raw_options_t *options, raw_answer_cb cb, void *context,
            raw_t **raw);
void raw_free(raw_t *raw); /* no callbacks; NULL is legal */

/* The way to an address, and its interface opened. 0; what hroute_lookup and hpacket_open say. */
int raw_route(raw_t *raw, const struct sockaddr *destination, raw_path_t *path);

/* The router that leads there; false: none is needed, or nothing is known of it. */
bool raw_router(const raw_path_t *path, haddr_t *router);

/* Sends a probe. 0; -EAGAIN: no room, or the router's link address is not known yet; -EHOSTUNREACH:
 * the router does not answer; what hpacket_send says. */
int raw_send(raw_t *raw, const raw_path_t *path, const raw_probe_t *probe, unsigned try,
             uint64_t now_us);

/* What an ICMP or ICMPv6 error says; REASON_UNKNOWN: not that a probe is refused. */
reason_e raw_error_reason(bool is_v6, uint8_t type, uint8_t code);

/* Packets that the kernel had to drop before they were looked at. */
uint64_t raw_dropped(raw_t *raw);

#endif
