/* What IP carries: TCP with its options, UDP, ICMP, ICMPv6 with NDP. A quoted packet may end 8
 * bytes in: what those hold is told, and the rest is 0. */
#include "packet_int.h"

#define QUOTED_MIN 8 /* RFC 792; RFC 1812, 4.3.2.3 wants more */

#define ICMP_UNREACHABLE 3
#define ICMP_SOURCE_QUENCH 4
#define ICMP_TIME_EXCEEDED 11
#define ICMP_PARAMETER 12
#define ICMPV6_PARAMETER 4 /* the last of the errors that RFC 4443 knows */

/* ---- TCP ------------------------------------------------------------------------------------- */

/* An option that is whole, of len bytes with its first two. False: its length cannot be. */
static bool take_tcp_option(packet_tcp_t *tcp, const uint8_t *at, size_t len)
{
    switch (at[0]) {
    case PACKET_TCP_MSS:
        if (len == 4)
            tcp->mss = packet__get16(at + 2);
        return len == 4;
    case PACKET_TCP_SCALE:
        if (len == 3)
            tcp->window_scale = at[2];
        return len == 3;
    case PACKET_TCP_SACK_PERMITTED:
        tcp->sack_permitted |= len == 2;
        return len == 2;
    case PACKET_TCP_TIMESTAMPS:
        if (len != 10)
            return false;
        tcp->has_timestamps = true;
        tcp->timestamp = packet__get32(at + 2);
        tcp->timestamp_echo = packet__get32(at + 6);
        return true;
    default:
        return true;
    }
}

static void parse_tcp_options(packet_tcp_t *tcp)
{
    const uint8_t *at = tcp->options;
    size_t left = tcp->options_len;

    while (left > 0 && at[0] != PACKET_TCP_END) {
        size_t len = at[0] == PACKET_TCP_NOP ? 1 : left > 1 ? at[1] : 0;

        if (len == 0 || len > left || (len == 1 && at[0] != PACKET_TCP_NOP) ||
            !take_tcp_option(tcp, at, len)) {
            tcp->bad_options = true;
            return;
        }
        at += len;
        left -= len;
    }
}

/* Behind the ports and seq; len is at least PACKET_TCP_SIZE. */
static int parse_tcp_rest(packet_t *packet, size_t said)
{
    packet_tcp_t *tcp = &packet->tcp;
    const uint8_t *at = packet->transport;
    size_t header_len = (size_t)(at[12] >> 4) * 4;
    int err = header_len < PACKET_TCP_SIZE ? HERR_FRAME
                                           : packet__need(header_len, packet->transport_len, said);

    tcp->ack = packet__get32(at + 8);
    tcp->flags = at[13];
    tcp->window = packet__get16(at + 14);
    tcp->urgent = packet__get16(at + 18);
    if (err)
        return packet->is_quoted ? 0 : err;
    tcp->options = at + PACKET_TCP_SIZE;
    tcp->options_len = header_len - PACKET_TCP_SIZE;
    parse_tcp_options(tcp);
    packet->payload = at + header_len;
    packet->payload_len = packet->transport_len - header_len;
    return 0;
}

static int parse_tcp(packet_t *packet, size_t said)
{
    packet_tcp_t *tcp = &packet->tcp;
    const uint8_t *at = packet->transport;
    int err = packet__need(PACKET_TCP_SIZE, packet->transport_len, said);

    if (err && !packet->is_quoted)
        return err;
    packet->kind = PACKET_TCP;
    packet->payload_len = 0;
    tcp->source_port = packet__get16(at);
    tcp->destination_port = packet__get16(at + 2);
    tcp->seq = packet__get32(at + 4);
    tcp->window_scale = PACKET_NO_SCALE;
    return err ? 0 : parse_tcp_rest(packet, said);
}

/* ---- UDP ------------------------------------------------------------------------------------- */

/* A length of 0 is that of an IPv6 jumbogram: all that is there (RFC 2675, 4). */
static int parse_udp(packet_t *packet, size_t said)
{
    const uint8_t *at = packet->transport;
    int err = packet__need(PACKET_UDP_SIZE, packet->transport_len, said);
    size_t len;

    if (err)
        return err;
    len = packet__get16(at + 4);
    if (len == 0 && packet->source.family == AF_INET6)
        len = said;
    if (!packet->is_quoted && (len < PACKET_UDP_SIZE || len > said))
        return HERR_FRAME;
    if (len >= PACKET_UDP_SIZE && len < packet->transport_len)
        packet->transport_len = len;
    packet->kind = PACKET_UDP;
    packet->udp.source_port = packet__get16(at);
    packet->udp.destination_port = packet__get16(at + 2);
    packet->payload = at + PACKET_UDP_SIZE;
    packet->payload_len = packet->transport_len - PACKET_UDP_SIZE;
    return 0;
}

/* ---- ICMP ------------------------------------------------------------------------------------ */

static bool is_error(const packet_t *packet)
{
    uint8_t type = packet->icmp.type;

    if (packet->kind == PACKET_ICMPV6)
        return type > 0 && type <= ICMPV6_PARAMETER;
    return type == ICMP_UNREACHABLE || type == ICMP_SOURCE_QUENCH || type == ICMP_TIME_EXCEEDED ||
           type == ICMP_PARAMETER;
}

/* Finds the link address among the options. False: one is malformed, and the message is void
 * (RFC 4861, 7.1). */
static bool take_neighbour_options(packet_t *packet, uint8_t wanted)
{
    const uint8_t *at = packet->transport + PACKET_NEIGHBOUR_SIZE;
    size_t left = packet->transport_len - PACKET_NEIGHBOUR_SIZE;

    while (left > 0) {
        size_t len = left < 2 ? 0 : (size_t)at[1] * 8;

        if (len == 0 || len > left)
            return false;
        if (at[0] == wanted && len == 2 + PACKET_MAC_SIZE)
            packet->icmp.link_address = at + 2;
        at += len;
        left -= len;
    }
    return true;
}

static void parse_neighbour(packet_t *packet)
{
    packet_icmp_t *icmp = &packet->icmp;
    bool solicits = icmp->type == PACKET_NEIGHBOUR_SOLICITATION;

    if ((!solicits && icmp->type != PACKET_NEIGHBOUR_ADVERTISEMENT) || icmp->code != 0 ||
        packet->ttl != PACKET_NEIGHBOUR_TTL || packet->truncated || packet->is_quoted ||
        packet->more_fragments || packet->transport_len < PACKET_NEIGHBOUR_SIZE)
        return;
    memcpy(&icmp->target, packet->transport + PACKET_ICMP_SIZE, sizeof(icmp->target));
    if (IN6_IS_ADDR_MULTICAST(&icmp->target) ||
        !take_neighbour_options(packet,
                                solicits ? PACKET_OPTION_SOURCE_LINK : PACKET_OPTION_TARGET_LINK)) {
        icmp->link_address = NULL;
        return;
    }
    icmp->is_neighbour = true;
    icmp->neighbour_flags = solicits ? 0 : packet->transport[4];
}

static int parse_icmp(packet_t *packet, size_t said, packet_kind_e kind)
{
    const uint8_t *at = packet->transport;
    int err = packet__need(PACKET_ICMP_SIZE, packet->transport_len, said);

    if (err)
        return err;
    packet->kind = kind;
    packet->icmp.type = at[0];
    packet->icmp.code = at[1];
    packet->icmp.id = packet__get16(at + 4);
    packet->icmp.seq = packet__get16(at + 6);
    packet->icmp.is_error = is_error(packet);
    packet->payload = at + PACKET_ICMP_SIZE;
    packet->payload_len = packet->transport_len - PACKET_ICMP_SIZE;
    if (kind == PACKET_ICMPV6)
        parse_neighbour(packet);
    return 0;
}

int packet__transport(packet_t *packet, size_t said)
{
    bool is_v4 = packet->source.family == AF_INET;

    if (packet->is_quoted && packet->transport_len < QUOTED_MIN)
        return 0; /* whom it went to is told, and no more */
    if (packet->protocol == IPPROTO_TCP)
        return parse_tcp(packet, said);
    if (packet->protocol == IPPROTO_UDP)
        return parse_udp(packet, said);
    if (packet->protocol == IPPROTO_ICMP && is_v4)
        return parse_icmp(packet, said, PACKET_ICMP);
    if (packet->protocol == IPPROTO_ICMPV6 && !is_v4)
        return parse_icmp(packet, said, PACKET_ICMPV6);
    return 0;
}
