/* From a frame to what it says about which probe. */
#include "raw_int.h"

#include <netinet/icmp6.h>
#include <netinet/ip_icmp.h>
#include <string.h>

/* About TCP: whether the try is one of ours, which it is by its number and our port. With a single
 * port, all tries of a probe are the same. */
static bool is_believed(const raw_t *raw, uint16_t port, raw_answer_t *answer)
{
    if (answer->try < 0 || (uint16_t)(port - raw->port) >= raw->port_count)
        return false;
    if (raw->port_count == 1)
        answer->try = -1;
    return true;
}

/* ---- ICMP errors ----------------------------------------------------------------------------- */

typedef struct meaning_s {
    uint8_t type, code, reason;
} meaning_t;

static const meaning_t meanings_v4[] = {
    {ICMP_DEST_UNREACH, ICMP_NET_UNREACH, REASON_NET_UNREACH},
    {ICMP_DEST_UNREACH, ICMP_HOST_UNREACH, REASON_HOST_UNREACH},
    {ICMP_DEST_UNREACH, ICMP_PROT_UNREACH, REASON_PROTO_UNREACH},
    {ICMP_DEST_UNREACH, ICMP_PORT_UNREACH, REASON_PORT_UNREACH},
    {ICMP_DEST_UNREACH, ICMP_NET_ANO, REASON_NET_PROHIBITED},
    {ICMP_DEST_UNREACH, ICMP_HOST_ANO, REASON_HOST_PROHIBITED},
    {ICMP_DEST_UNREACH, ICMP_PKT_FILTERED, REASON_ADMIN_PROHIBITED},
    {ICMP_TIME_EXCEEDED, ICMP_EXC_TTL, REASON_TIME_EXCEEDED},
    {ICMP_PARAMETERPROB, 0, REASON_PARAMETER_PROBLEM},
};

static const meaning_t meanings_v6[] = {
    {ICMP6_DST_UNREACH, ICMP6_DST_UNREACH_NOROUTE, REASON_NET_UNREACH},
    {ICMP6_DST_UNREACH, ICMP6_DST_UNREACH_ADMIN, REASON_ADMIN_PROHIBITED},
    {ICMP6_DST_UNREACH, ICMP6_DST_UNREACH_ADDR, REASON_HOST_UNREACH},
    {ICMP6_DST_UNREACH, ICMP6_DST_UNREACH_NOPORT, REASON_PORT_UNREACH},
    {ICMP6_TIME_EXCEEDED, ICMP6_TIME_EXCEED_TRANSIT, REASON_TIME_EXCEEDED},
    {ICMP6_PARAM_PROB, 0, REASON_PARAMETER_PROBLEM},
};

static reason_e reason_of(const packet_t *packet)
{
    bool is_v6 = packet->kind == PACKET_ICMPV6;
    const meaning_t *meanings = is_v6 ? meanings_v6 : meanings_v4;
    size_t count = is_v6 ? sizeof(meanings_v6) / sizeof(meanings_v6[0])
                         : sizeof(meanings_v4) / sizeof(meanings_v4[0]);

    for (size_t i = 0; i < count; i++)
        if (meanings[i].type == packet->icmp.type && meanings[i].code == packet->icmp.code)
            return (reason_e)meanings[i].reason;
    return REASON_UNKNOWN;
}

/* The quoted packet tells what of ours it is about: nothing else is believed. */
static bool read_error(const raw_t *raw, const packet_t *packet, raw_answer_t *answer)
{
    packet_t quoted;

    if (packet_quoted(&quoted, packet) < 0)
        return false;
    answer->host = quoted.destination;
    answer->is_error = true;
    answer->is_from_host = packet_addr_equal(&packet->source, &quoted.destination);
    answer->reason = (uint8_t)reason_of(packet);
    if (quoted.kind == PACKET_TCP) {
        answer->probe.kind = RAW_TCP;
        answer->probe.port = quoted.tcp.destination_port;
        answer->try = raw__try_of(raw, &quoted.destination, answer->probe.port, quoted.tcp.seq);
        return is_believed(raw, quoted.tcp.source_port, answer);
    }
    if (quoted.kind == PACKET_UDP) {
        answer->probe.kind = RAW_UDP;
        answer->probe.port = quoted.udp.destination_port;
        answer->try = -1;
        return quoted.udp.source_port == raw->port;
    }
    answer->probe.kind = RAW_ECHO;
    answer->try = quoted.icmp.seq < RAW_TRIES ? quoted.icmp.seq : -1;
    return (quoted.kind == PACKET_ICMP || quoted.kind == PACKET_ICMPV6) &&
           quoted.icmp.id == raw->id;
}

/* ---- answers --------------------------------------------------------------------------------- */

static bool read_icmp(const raw_t *raw, const packet_t *packet, raw_answer_t *answer)
{
    static const struct {
        uint8_t type;
        raw_kind_e kind;
        uint8_t reason;
    } replies[] = {
        {ICMP_ECHOREPLY, RAW_ECHO, REASON_ECHO_REPLY},
        {ICMP_TIMESTAMPREPLY, RAW_TIMESTAMP, REASON_TIMESTAMP_REPLY},
        {ICMP_ADDRESSREPLY, RAW_NETMASK, REASON_NETMASK_REPLY},
    };

    if (packet->icmp.is_error)
        return read_error(raw, packet, answer);
    answer->try = packet->icmp.seq < RAW_TRIES ? packet->icmp.seq : -1;
    if (packet->icmp.id != raw->id)
        return false;
    for (size_t i = 0; i < sizeof(replies) / sizeof(replies[0]); i++)
        if (packet->icmp.type == replies[i].type) {
            answer->probe.kind = replies[i].kind;
            answer->reason = replies[i].reason;
            return true;
        }
    return false;
}

static bool read_icmpv6(const raw_t *raw, const packet_t *packet, raw_answer_t *answer)
{
    if (packet->icmp.is_error)
        return read_error(raw, packet, answer);
    if (packet->icmp.type == ND_NEIGHBOR_ADVERT && packet->icmp.is_neighbour) {
        answer->probe.kind = RAW_NEIGHBOUR;
        answer->host = (packet_addr_t){.family = AF_INET6, .v6 = packet->icmp.target};
        answer->reason = REASON_ND_RESPONSE;
        answer->try = -1;
        answer->mac = packet->icmp.link_address ? packet->icmp.link_address : packet->link_source;
        return answer->mac != NULL;
    }
    answer->probe.kind = RAW_ECHO;
    answer->reason = REASON_ECHO_REPLY;
    answer->try = packet->icmp.seq < RAW_TRIES ? packet->icmp.seq : -1;
    return packet->icmp.type == ICMP6_ECHO_REPLY && packet->icmp.id == raw->id;
}

/* What we sent comes back in the other number: a segment with ACK says our seq, counted on over
 * what takes room in it (SYN and FIN, one each), a reset to an ACK of ours has our ack as its seq
 * (RFC 9293 section 3.10.7.1). */
static bool read_tcp(const raw_t *raw, const packet_t *packet, raw_answer_t *answer)
{
    const packet_tcp_t *tcp = &packet->tcp;

    if ((tcp->flags & (PACKET_RST | PACKET_SYN)) == 0)
        return false;
    answer->probe.kind = RAW_TCP;
    answer->probe.port = tcp->source_port;
    answer->tcp_flags = tcp->flags;
    answer->reason = tcp->flags & PACKET_RST ? REASON_RESET : REASON_SYN_ACK;
    answer->try = -1;
    if (tcp->flags & PACKET_ACK)
        for (uint32_t room = 0; room < 2 && answer->try < 0; room++)
            answer->try = raw__try_of(raw, &packet->source, tcp->source_port, tcp->ack - room);
    if (answer->try < 0 && tcp->flags & PACKET_RST)
        answer->try = raw__try_of(raw, &packet->source, tcp->source_port, tcp->seq);
    return is_believed(raw, tcp->destination_port, answer);
}

static bool read_udp(const raw_t *raw, const packet_t *packet, raw_answer_t *answer)
{
    answer->probe.kind = RAW_UDP;
    answer->probe.port = packet->udp.source_port;
    answer->reason = REASON_UDP_RESPONSE;
    answer->try = -1;
    return packet->udp.destination_port == raw->port;
}

static bool read_arp(const packet_t *packet, raw_answer_t *answer)
{
    answer->probe.kind = RAW_NEIGHBOUR;
    answer->reason = REASON_ARP_RESPONSE;
    answer->try = -1;
    answer->mac = packet->arp.sender_mac;
    return packet->arp.operation == 2;
}

static void learn_hop(raw_link_t *link, const raw_answer_t *answer)
{
    for (unsigned i = 0; i < link->hop_count; i++) {
        raw_hop_t *hop = &link->hops[i];

        if (hop->has_mac || !packet_addr_equal(&hop->addr, &answer->host))
            continue;
        hop->has_mac = true;
        memcpy(hop->mac, answer->mac, PACKET_MAC_SIZE);
    }
}

void raw__on_frame(hpacket_t *hpacket, const hpacket_frame_t *frame, void *arg)
{
    raw_link_t *link = arg;
    raw_t *raw = link->raw;
    raw_answer_t answer = {.time_us = frame->time_us};
    packet_t packet;
    bool is_ours = false;

    if (packet_parse(&packet, hpacket_link(hpacket), frame->data, frame->len) < 0)
        return;
    answer.host = packet.source;
    answer.ttl = packet.ttl;
    answer.is_from_host = true;
    if (packet.kind == PACKET_TCP)
        is_ours = read_tcp(raw, &packet, &answer);
    else if (packet.kind == PACKET_UDP)
        is_ours = read_udp(raw, &packet, &answer);
    else if (packet.kind == PACKET_ICMP)
        is_ours = read_icmp(raw, &packet, &answer);
    else if (packet.kind == PACKET_ICMPV6)
        is_ours = read_icmpv6(raw, &packet, &answer);
    else if (packet.kind == PACKET_ARP)
        is_ours = read_arp(&packet, &answer);
    if (!is_ours)
        return;
    if (answer.probe.kind == RAW_NEIGHBOUR)
        learn_hop(link, &answer);
    raw->cb(raw->context, &answer);
}
