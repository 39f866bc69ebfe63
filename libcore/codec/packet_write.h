/* packet_write: probes as bytes: ARP and NDP questions, ICMP, TCP, UDP and other IP packets, with
 * or without an Ethernet header, into the caller's buffer, checksums and all.
 *
 * Every writer returns the length; -ENOBUFS when it does not fit (nothing of use is in buf then;
 * PACKET_WRITE_MAX plus the payload is always enough), -EINVAL for addresses of two families or of
 * none, and for what the struct's members say, HERR_RANGE for a payload that no IP packet holds.
 * Ports and the like are in host order. */
#ifndef HNET_CODEC_PACKET_WRITE_H
#define HNET_CODEC_PACKET_WRITE_H

#include "packet.h"

#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

#define PACKET_WRITE_MAX 128 /* all headers, TCP's options too */
#define PACKET_TTL 64        /* of an envelope with 0 */

/* Around the packet. */
typedef struct packet_envelope_s {
    const uint8_t *link_source, *link_destination; /* PACKET_MAC_SIZE bytes each; both NULL: no
                                                      Ethernet header (PACKET_LINK_IP) */
    packet_addr_t source, destination;
    uint8_t ttl;        /* 0: PACKET_TTL */
    uint8_t tos;        /* traffic class */
    uint16_t id;        /* IPv4's; IPv6 has none */
    bool dont_fragment; /* IPv4's */
    uint32_t flow;      /* IPv6's label, 20 bits of it */
} packet_envelope_t;

/* Who has the IPv4 address target? As an Ethernet frame, to link_destination or (NULL) to all. A
 * source of 0.0.0.0 makes it a probe that fills nobody's table (RFC 5227). */
ssize_t packet_write_arp_request(void *buf, size_t size, const uint8_t *link_source,
                                 const uint8_t *link_destination, struct in_addr source,
                                 struct in_addr target);

/* The same for IPv6, to the target's solicited-node group (RFC 4861, 4.3; RFC 4291, 2.7.1), hop
 * limit 255, with the source's link address. */
ssize_t packet_write_neighbour_solicitation(void *buf, size_t size, const uint8_t *link_source,
                                            const struct in6_addr *source,
                                            const struct in6_addr *target);

typedef enum packet_ask_e {
    PACKET_ASK_ECHO,      /* ICMP or ICMPv6, as the addresses are */
    PACKET_ASK_TIMESTAMP, /* IPv4 only, else -EINVAL; 12 bytes of 0 come before the payload */
    PACKET_ASK_NETMASK    /* IPv4 only, else -EINVAL; 4 bytes of 0 come before the payload */
} packet_ask_e;

typedef struct packet_icmp_out_s {
    packet_ask_e ask;
    uint16_t id, seq;
    const void *payload; /* may be NULL with 0 */
    size_t payload_len;
} packet_icmp_out_t;

ssize_t packet_write_icmp(void *buf, size_t size, const packet_envelope_t *envelope,
                          const packet_icmp_out_t *icmp);

/* Options are written in the order of Linux: MSS, SACK permitted, timestamps, window scale, padded
 * with NOPs as there. */
typedef struct packet_tcp_out_s {
    uint16_t source_port, destination_port;
    uint32_t seq, ack;
    uint8_t flags; /* packet_tcp_flag_e */
    uint16_t window, urgent;
    uint16_t mss;        /* 0: none */
    bool sack_permitted; /* may be said in a SYN only, like MSS and scale: the caller's matter */
    bool timestamps;
    uint32_t timestamp, timestamp_echo;
    bool has_window_scale;
    uint8_t window_scale;
    const void *payload; /* may be NULL with 0 */
    size_t payload_len;
} packet_tcp_out_t;

/* What a Linux of today opens a connection with over a link of this MTU; ports, seq and timestamp
 * are left to be filled in. */
packet_tcp_out_t packet_tcp_syn(sa_family_t family, uint32_t mtu);

ssize_t packet_write_tcp(void *buf, size_t size, const packet_envelope_t *envelope,
                         const packet_tcp_out_t *tcp);

typedef struct packet_udp_out_s {
    uint16_t source_port, destination_port;
    const void *payload; /* may be NULL with 0 */
    size_t payload_len;
} packet_udp_out_t;

ssize_t packet_write_udp(void *buf, size_t size, const packet_envelope_t *envelope,
                         const packet_udp_out_t *udp);

/* Any protocol; the payload is what follows the IP header, as it is. */
ssize_t packet_write_ip(void *buf, size_t size, const packet_envelope_t *envelope, uint8_t protocol,
                        const void *payload, size_t payload_len);

/* ---- one TCP probe, to many ------------------------------------------------------------------ */

/* A TCP packet without payload whose destination, ports, numbers and id change from one sending to
 * the next: its checksums are known but for these (RFC 1071, 2; RFC 1624). Not to be looked into;
 * may be copied, and shared by nobody while it is patched. */
typedef struct packet_template_s {
    uint8_t bytes[PACKET_WRITE_MAX]; /* the frame, after a patch */
    uint8_t len;
    uint8_t ip_at, tcp_at; /* 0 or 14; 20 or 40 behind */
    bool is_v4;
    uint64_t ip_sum, tcp_sum; /* of all that never changes */
} packet_template_t;

typedef struct packet_patch_s {
    const packet_addr_t *destination; /* of the template's family */
    uint16_t source_port, destination_port;
    uint32_t seq, ack;
    uint16_t id; /* IPv4's */
} packet_patch_t;

/* 0, or as packet_write_tcp; -EINVAL with a payload. */
int packet_template_init(packet_template_t *probe, const packet_envelope_t *envelope,
                         const packet_tcp_out_t *tcp);

/* Makes bytes[0 .. len) the packet with these values. */
void packet_template_patch(packet_template_t *probe, const packet_patch_t *patch);

/* Another next hop (PACKET_MAC_SIZE bytes), of a template with an Ethernet header. */
void packet_template_set_link(packet_template_t *probe, const uint8_t *link_destination);

#ifdef __cplusplus
}
#endif

#endif
