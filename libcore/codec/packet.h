/* packet: what a captured frame holds: Ethernet or nothing, then ARP, IPv4 or IPv6, then TCP, UDP,
 * ICMP or ICMPv6, and the packet that an ICMP error quotes. Pure: no socket, no clock, no memory.
 *
 * The struct holds values in host order and views of the caller's bytes, which live as long as
 * those do. Addresses stay in network order, as everywhere. Nothing past the given length is read:
 * a header that the capture cut off is HERR_TRUNCATED, one that contradicts itself HERR_FRAME.
 * Payload that was cut off is no error: `truncated` tells, and payload_len is what is there.
 *
 * RFC 826 (ARP), 791, 8200 (IP), 9293 (TCP), 768 (UDP), 792, 4443 (ICMP), 4861 (NDP), 4302 (AH). */
#ifndef HNET_CODEC_PACKET_H
#define HNET_CODEC_PACKET_H

#include "../base/herr.h"

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#ifdef __cplusplus
extern "C" {
#endif

#define PACKET_MAC_SIZE 6
#define PACKET_EXTENSIONS_MAX 8 /* IPv6 extension headers in a row */
#define PACKET_VLANS_MAX 2      /* tags in a row (802.1Q, 802.1ad) */
#define PACKET_NO_SCALE 0xff    /* packet_tcp_t.window_scale: the option is not there */

/* ---- addresses ------------------------------------------------------------------------------- */

/* An IP address without port and zone. family: AF_INET, AF_INET6, or 0 for none. */
typedef struct packet_addr_s {
    sa_family_t family;
    union {
        struct in_addr v4;
        struct in6_addr v6;
    };
} packet_addr_t;

/* The IP of a socket address (family 0 if it is neither), and back with a port and, for a
 * link-local IPv6 one, its interface; returns the length, 0 for no address. */
packet_addr_t packet_addr(const struct sockaddr *sa);
socklen_t packet_addr_to(const packet_addr_t *addr, uint16_t port, unsigned ifindex,
                         struct sockaddr_storage *sa);

bool packet_addr_equal(const packet_addr_t *a, const packet_addr_t *b);

/* ---- what a packet holds --------------------------------------------------------------------- */

/* How a frame begins. */
typedef enum packet_link_e {
    PACKET_LINK_ETHERNET, /* destination, source, type; 802.1Q tags are skipped */
    PACKET_LINK_IP /* at once with IP: loopback, tun, ppp as AF_PACKET's SOCK_DGRAM gives them */
} packet_link_e;

/* Which member of the union counts. */
typedef enum packet_kind_e {
    PACKET_OTHER,    /* IP with another protocol; payload is what follows the IP headers */
    PACKET_FRAGMENT, /* a fragment that is not the first: neither ports nor anything of the sort */
    PACKET_ARP,
    PACKET_TCP,
    PACKET_UDP,
    PACKET_ICMP,
    PACKET_ICMPV6
} packet_kind_e;

typedef enum packet_tcp_flag_e {
    PACKET_FIN = 0x01,
    PACKET_SYN = 0x02,
    PACKET_RST = 0x04,
    PACKET_PSH = 0x08,
    PACKET_ACK = 0x10,
    PACKET_URG = 0x20,
    PACKET_ECE = 0x40,
    PACKET_CWR = 0x80
} packet_tcp_flag_e;

typedef struct packet_tcp_s {
    uint16_t source_port, destination_port;
    uint32_t seq, ack; /* ack: 0 in a quoted packet that ends before it, like all that follows */
    uint8_t flags;     /* packet_tcp_flag_e */
    uint16_t window, urgent;
    const uint8_t *options; /* as they came, for fingerprints; options_len is 0 for none */
    size_t options_len;
    bool bad_options; /* they contradict themselves; what came before counts */
    uint16_t mss;     /* 0: not there */
    uint8_t window_scale;
    bool sack_permitted;
    bool has_timestamps;
    uint32_t timestamp, timestamp_echo;
} packet_tcp_t;

typedef struct packet_udp_s {
    uint16_t source_port, destination_port;
} packet_udp_t;

/* ICMP and ICMPv6. */
typedef struct packet_icmp_s {
    uint8_t type, code;
    uint16_t id, seq;  /* of an echo, timestamp or netmask; for others the words of the header */
    bool is_error;     /* payload is a quoted packet: see packet_quoted */
    bool is_neighbour; /* a solicitation or advertisement (NDP) that RFC 4861, 7.1 lets through */
    struct in6_addr target;      /* of that */
    uint8_t neighbour_flags;     /* PACKET_NEIGHBOUR_*: of an advertisement */
    const uint8_t *link_address; /* PACKET_MAC_SIZE bytes: the source's of a solicitation, the
                                    target's of an advertisement; NULL: no such option */
} packet_icmp_t;

#define PACKET_NEIGHBOUR_ROUTER 0x80
#define PACKET_NEIGHBOUR_SOLICITED 0x40
#define PACKET_NEIGHBOUR_OVERRIDE 0x20

/* Ethernet and IPv4 only. The protocol addresses are the packet's source and destination. */
typedef struct packet_arp_s {
    uint16_t operation; /* 1 request, 2 reply */
    const uint8_t *sender_mac, *target_mac;
} packet_arp_t;

typedef struct packet_s {
    packet_kind_e kind;
    const uint8_t *link_source, *link_destination; /* NULL: no link header */
    packet_addr_t source, destination;
    const uint8_t *ip; /* the IP header; NULL: ARP */
    size_t ip_len;     /* from there, as far as it was captured, without the link's padding */
    uint8_t ttl;       /* hop limit */
    uint8_t tos;       /* traffic class */
    uint32_t ip_id;    /* of IPv6: the fragment header's, 0 without one */
    bool dont_fragment;
    bool more_fragments;
    uint32_t fragment_offset; /* bytes */
    bool truncated;           /* the capture, or what quotes it, ends before the packet does */
    bool is_quoted;
    uint8_t protocol;         /* IPPROTO_*, behind the extension headers */
    const uint8_t *transport; /* its header */
    size_t transport_len;     /* of header and payload, as far as they were captured */
    const uint8_t *payload;   /* what TCP, UDP or ICMP (past its 8 bytes) carries */
    size_t payload_len;
    union {
        packet_arp_t arp;
        packet_tcp_t tcp;
        packet_udp_t udp;
        packet_icmp_t icmp;
    };
} packet_t;

/* Reads a frame. 0; HERR_TRUNCATED, HERR_FRAME (see above; also a TCP, UDP or ICMP header that does
 * not fit into its IP packet, and more than PACKET_EXTENSIONS_MAX or PACKET_VLANS_MAX),
 * HERR_UNSUPPORTED (neither ARP nor IP). On an error *packet is all 0. Checksums are not looked at:
 * see packet_check. */
int packet_parse(packet_t *packet, packet_link_e link, const void *data, size_t len);

/* Reads the packet that an ICMP error quotes, which may end 8 bytes behind its IP headers: its kind
 * is still told, with ports and TCP's seq, or ICMP's type, id and seq; one that ends before that is
 * PACKET_OTHER. Its destination is whom the error is about. Routers change TTL, length and
 * checksums of what they quote: none of these is held against it. 0, -EINVAL (packet is no error),
 * or as packet_parse; quoted must not be packet. */
int packet_quoted(packet_t *quoted, const packet_t *packet);

/* ---- checksums ------------------------------------------------------------------------------- */

typedef enum packet_check_e {
    PACKET_CHECK_GOOD,
    PACKET_CHECK_BAD,
    PACKET_CHECK_PARTIAL, /* the sum of the pseudo header alone: a packet of this machine, whose
                             network card was to finish it (offload); it is good */
    PACKET_CHECK_ABSENT,  /* UDP over IPv4 without one; a protocol that has none that is known */
    PACKET_CHECK_UNKNOWN  /* cannot be told: cut off, a fragment, or quoted */
} packet_check_e;

/* Of the IPv4 header (IPv6: absent) and of the TCP, UDP, ICMP packet that was parsed. */
packet_check_e packet_check_header(const packet_t *packet);
packet_check_e packet_check(const packet_t *packet);

#ifdef __cplusplus
}
#endif

#endif
