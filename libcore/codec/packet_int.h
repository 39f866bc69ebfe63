/* Shared by the files of packet alone. */
#ifndef HNET_CODEC_PACKET_INT_H
#define HNET_CODEC_PACKET_INT_H

#include "packet.h"

#include <string.h>

#define PACKET_ETHERNET_SIZE 14
#define PACKET_IPV4_SIZE 20 /* without options */
#define PACKET_IPV6_SIZE 40
#define PACKET_TCP_SIZE 20 /* without options */
#define PACKET_UDP_SIZE 8
#define PACKET_ICMP_SIZE 8
#define PACKET_NEIGHBOUR_SIZE 24 /* with its ICMPv6 header, without options */
#define PACKET_ARP_SIZE 28

#define PACKET_TYPE_IPV4 0x0800
#define PACKET_TYPE_ARP 0x0806
#define PACKET_TYPE_IPV6 0x86dd

#define PACKET_NEIGHBOUR_SOLICITATION 135
#define PACKET_NEIGHBOUR_ADVERTISEMENT 136
#define PACKET_NEIGHBOUR_TTL 255 /* what no router has passed on */

enum { PACKET_OPTION_SOURCE_LINK = 1, PACKET_OPTION_TARGET_LINK = 2 }; /* NDP's */

enum {
    PACKET_TCP_END = 0,
    PACKET_TCP_NOP = 1,
    PACKET_TCP_MSS = 2,
    PACKET_TCP_SCALE = 3,
    PACKET_TCP_SACK_PERMITTED = 4,
    PACKET_TCP_TIMESTAMPS = 8
};

static inline uint16_t packet__get16(const uint8_t *at)
{
    return (uint16_t)(at[0] << 8 | at[1]);
}

static inline uint32_t packet__get32(const uint8_t *at)
{
    return (uint32_t)packet__get16(at) << 16 | packet__get16(at + 2);
}

static inline void packet__put16(uint8_t *at, uint16_t value)
{
    at[0] = (uint8_t)(value >> 8);
    at[1] = (uint8_t)value;
}

static inline void packet__put32(uint8_t *at, uint32_t value)
{
    packet__put16(at, (uint16_t)(value >> 16));
    packet__put16(at + 2, (uint16_t)value);
}

/* Whether n bytes of a header are there, of len that were captured, where its packet has room for
 * `said`. 0, HERR_FRAME, HERR_TRUNCATED. */
static inline int packet__need(size_t n, size_t len, size_t said)
{
    if (n > said)
        return HERR_FRAME;
    return n > len ? HERR_TRUNCATED : 0;
}

/* packet_transport.c: reads what packet->protocol, transport and transport_len tell of; said is the
 * length that the IP header claims for it. */
int packet__transport(packet_t *packet, size_t said);

#endif
