/* hroute: what the kernel would do with a packet: which interface, which source address, which next
 * hop; and what interfaces, addresses and neighbours there are. Linux (rtnetlink).
 *
 * Calls are synchronous. Each is a question to this machine's own kernel, answered within the
 * system call that asks it (rtnetlink handles a request inside sendmsg), so there is nothing to
 * wait for, no more than with a stat(). A time limit (HROUTE_TIMEOUT_MS) is kept all the same.
 * Nothing is remembered between calls: whoever asks for many addresses of one prefix keeps the
 * answer, and knows when it may. Not thread-safe; a second thread opens its own.
 *
 * Addresses are codec/packet.h's: no port, and the zone is an argument. */
#ifndef HNET_NET_HROUTE_H
#define HNET_NET_HROUTE_H

#include "../codec/packet.h"

#include <net/if.h>

#ifdef __cplusplus
extern "C" {
#endif

#define HROUTE_TIMEOUT_MS 2000
#define HROUTE_ITEMS_MAX 65536 /* that one dump may tell; past it -E2BIG */

typedef struct hroute_s hroute_t;

/* How a packet gets onto the link. */
typedef enum hroute_kind_e {
    HROUTE_ETHERNET, /* with an Ethernet header (Wi-Fi, bridges, veth, too) */
    HROUTE_LOOPBACK, /* no header of ours: PACKET_LINK_IP */
    HROUTE_TUNNEL    /* tun, ppp, WireGuard, SIT and whatever else: PACKET_LINK_IP */
} hroute_kind_e;

typedef struct hroute_link_s {
    unsigned index;
    char name[IF_NAMESIZE];
    hroute_kind_e kind;
    uint32_t mtu;
    uint8_t mac[PACKET_MAC_SIZE]; /* all 0: none */
    bool is_up;                   /* the administrator's word */
    bool is_running;              /* and there is a carrier */
    bool has_no_arp;              /* nobody answers ARP or NDP on it (dummy, most tunnels) */
    bool is_point_to_point;
} hroute_link_t;

typedef struct hroute_address_s {
    unsigned index; /* of the link */
    packet_addr_t addr;
    uint8_t prefix_len;
    bool is_link_local;
    bool is_usable; /* no IPv6 address that is tentative, deprecated or a duplicate */
} hroute_address_t;

typedef enum hroute_type_e {
    HROUTE_UNICAST,
    HROUTE_LOCAL, /* one of our own: the link is the loopback */
    HROUTE_BROADCAST,
    HROUTE_MULTICAST
} hroute_type_e;

typedef struct hroute_answer_s {
    hroute_type_e type;
    hroute_link_t link;
    packet_addr_t source;
    bool has_gateway;
    packet_addr_t gateway; /* may be IPv6 for an IPv4 destination (RFC 5549) */
    uint32_t mtu;          /* the route's, or the link's */
} hroute_answer_t;

/* An entry of the main routing table. One that has several next hops is told without any. */
typedef struct hroute_route_s {
    packet_addr_t destination; /* with prefix_len 0: the default route */
    uint8_t prefix_len;
    uint32_t metric; /* the lower, the better */
    unsigned index;  /* of the link; 0: none */
    bool has_gateway;
    packet_addr_t gateway; /* may be of the other family */
} hroute_route_t;

/* 0; -ENOMEM, -EMFILE and the like, HERR_UNSUPPORTED (no netlink). Freed by hroute_free. */
int hroute_new(hroute_t **route);
void hroute_free(hroute_t *route); /* NULL is legal */

/* Where a packet for dst goes. ifindex is an interface that it has to leave by, or 0; a link-local
 * IPv6 address needs one. With an interface that no route to dst leads over the kernel takes dst
 * for a neighbour there. source is the address to send from, or NULL for the kernel's choice; one
 * that is not of this machine is taken as it is.
 * 0; -ENETUNREACH (no route, or one that says so), -EHOSTUNREACH, -EACCES (a route that prohibits
 * it), -ENODEV (no such interface), -ENETDOWN (it is down), -EADDRNOTAVAIL (it has no address to
 * send from), -EINVAL (no address, source of another family, link-local without interface),
 * -ETIMEDOUT. On an error *answer is all 0. */
int hroute_lookup(hroute_t *route, const packet_addr_t *dst, unsigned ifindex,
                  const packet_addr_t *source, hroute_answer_t *answer);

/* One interface, by number or by name. 0, -ENODEV, -EINVAL (a name that cannot be one). */
int hroute_link(hroute_t *route, unsigned ifindex, hroute_link_t *link);
int hroute_link_named(hroute_t *route, const char *name, hroute_link_t *link);

/* Called for each one; anything but 0 ends it, and is returned. It must not use the hroute_t. */
typedef int (*hroute_link_cb)(const hroute_link_t *link, void *arg);
typedef int (*hroute_address_cb)(const hroute_address_t *address, void *arg);
typedef int (*hroute_route_cb)(const hroute_route_t *entry, void *arg);

/* All interfaces; all addresses of both families; all unicast routes of both. What changes
 * meanwhile may come twice or not at all. 0, what the callback returned, -E2BIG, -ETIMEDOUT. */
int hroute_each_link(hroute_t *route, hroute_link_cb each, void *arg);
int hroute_each_address(hroute_t *route, hroute_address_cb each, void *arg);
int hroute_each_route(hroute_t *route, hroute_route_cb each, void *arg);

/* The link address that the kernel's neighbour cache has for a host on this interface; asks nobody
 * on the network. 0; -ENOENT (none, or one that has failed), HERR_UNSUPPORTED (Linux before 5.0),
 * -ENODEV, -EINVAL, -ETIMEDOUT. */
int hroute_neighbour(hroute_t *route, unsigned ifindex, const packet_addr_t *addr,
                     uint8_t mac[PACKET_MAC_SIZE]);

#ifdef __cplusplus
}
#endif

#endif
