/* From a frame to what it says about which probe. */
#include "raw_int.h"

#include <netinet/icmp6.h>
#include <netinet/ip_icmp.h>
#include <string.h>

/* About TCP: whether number belongs to a probe of ours to this port, sent from our_port, which
 * tells the try, too. With a single port, all tries of a probe are the same. */
static bool is_believed(const raw_t *raw, uint16_t our_port, uint32_t number, raw_answer_t *answer)
{
    unsigned offset = (uint16_t)(our_port - raw->port);
    int try = raw__try_of(raw, &answer->host, answer->probe.port, number);

    if (raw__trace_of(raw, &answer->host, answer->probe.port, number, answer) &&
        answer->probe.hops % raw->port_count == offset)
        return true;
    answer->probe.hops = 0;
    if (try < 0 || offset >= raw->port_count || (unsigned)try % raw->port_count != offset)
        return false;
    answer->try = raw->port_count == 1 ? -1 : try;
    return true;
}

/* ---- ICMP errors ----------------------------------------------------------------------------- */

#define UNREACH_POLICY 5 /* RFC 4443 section 3.1: by the policy for our address */
#define UNREACH_REJECTED 6

typedef struct meaning_s {
    uint8_t type, code, reason;
} meaning_t;

static const meaning_t meanings_v4[] = {
    {ICMP_DEST_UNREACH, ICMP_NET_UNREACH, REASON_NET_UNREACH},
    {ICMP_DEST_UNREACH, ICMP_HOST_UNREACH, REASON_HOST_UNREACH},
    {ICMP_DEST_UNREACH, ICMP_PROT_UNREACH, REASON_PROTO_UNREACH},
    {ICMP_DEST_UNREACH, ICMP_PORT_UNREACH, REASON_PORT_UNREACH},
    {ICMP_DEST_UNREACH, ICMP_NET_UNKNOWN, REASON_NET_UNREACH},
    {ICMP_DEST_UNREACH, ICMP_HOST_UNKNOWN, REASON_HOST_UNREACH},
    {ICMP_DEST_UNREACH, ICMP_NET_ANO, REASON_NET_PROHIBITED},
    {ICMP_DEST_UNREACH, ICMP_HOST_ANO, REASON_HOST_PROHIBITED},
    {ICMP_DEST_UNREACH, ICMP_PKT_FILTERED, REASON_ADMIN_PROHIBITED},
    {ICMP_TIME_EXCEEDED, ICMP_EXC_TTL, REASON_TIME_EXCEEDED},
    {ICMP_PARAMETERPROB, 0, REASON_PARAMETER_PROBLEM},
};

static const meaning_t meanings_v6[] = {
    {ICMP6_DST_UNREACH, ICMP6_DST_UNREACH_NOROUTE, REASON_NET_UNREACH},
    {ICMP6_DST_UNREACH, ICMP6_DST_UNREACH_ADMIN, REASON_ADMIN_PROHIBITED},
    {ICMP6_DST_UNREACH, ICMP6_DST_UNREACH_BEYONDSCOPE, REASON_NET_UNREACH},
    {ICMP6_DST_UNREACH, UNREACH_POLICY, REASON_ADMIN_PROHIBITED},
    {ICMP6_DST_UNREACH, UNREACH_REJECTED, REASON_ADMIN_PROHIBITED},
    {ICMP6_DST_UNREACH, ICMP6_DST_UNREACH_ADDR, REASON_HOST_UNREACH},
    {ICMP6_DST_UNREACH, ICMP6_DST_UNREACH_NOPORT, REASON_PORT_UNREACH},
    {ICMP6_TIME_EXCEEDED, ICMP6_TIME_EXCEED_TRANSIT, REASON_TIME_EXCEEDED},
    {ICMP6_PARAM_PROB, 0, REASON_PARAMETER_PROBLEM},
    {ICMP6_PARAM_PROB, ICMP6_PARAMPROB_NEXTHEADER, REASON_PROTO_UNREACH},
};

reason_e raw_error_reason(bool is_v6, uint8_t type, uint8_t code)
{
    const meaning_t *meanings = is_v6 ? meanings_v6 : meanings_v4;
    size_t count = is_v6 ? sizeof(meanings_v6) / sizeof(meanings_v6[0])
                         : sizeof(meanings_v4) / sizeof(meanings_v4[0]);

    for (size_t i = 0; i < count; i++)
        if (meanings[i].type == type && meanings[i].code == code)
            return (reason_e)meanings[i].reason;
    return REASON_UNKNOWN;
}

/* Which of our ICMP probes a quoted packet is. */
static bool read_request(const packet_t *quoted, raw_kind_e *kind)
{
    static const struct {
        packet_kind_e packet;
        uint8_t type;
        raw_kind_e kind;
    } requests[] = {
        {PACKET_ICMP, ICMP_ECHO, RAW_ECHO},
        {PACKET_ICMP, ICMP_TIMESTAMP, RAW_TIMESTAMP},
        {PACKET_ICMP, ICMP_ADDRESS, RAW_NETMASK},
        {PACKET_ICMPV6, ICMP6_ECHO_REQUEST, RAW_ECHO},
    };

    for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++)
        if (requests[i].packet == quoted->kind && requests[i].type == quoted->icmp.type) {
            *kind = requests[i].kind;
            return true;
        }
    return false;
}

/* IPv6 has no field that says more than the address. */
static bool read_protocol_error(const raw_t *raw, const packet_t *quoted, raw_answer_t *answer)
{
    answer->probe.kind = RAW_PROTOCOL;
    answer->probe.port = quoted->protocol;
    answer->try = -1;
    return raw->has_protocols &&
           (quoted->destination.family == AF_INET6 ||
            quoted->ip_id == raw__protocol_id(raw, &quoted->destination, quoted->protocol));
}

/* The quoted packet tells what of ours it is about: nothing else is believed. An error that does
 * not say that the probe is refused (a packet too big, a source quench) is none. */
static bool read_error(const raw_t *raw, const packet_t *packet, raw_answer_t *answer)
{
    packet_t quoted;

    if (packet_quoted(&quoted, packet) < 0)
        return false;
    answer->host = quoted.destination;
    answer->is_error = true;
    answer->is_from_host = packet_addr_equal(&packet->source, &quoted.destination);
    answer->reason = (uint8_t)raw_error_reason(packet->kind == PACKET_ICMPV6, packet->icmp.type,
                                               packet->icmp.code);
    if (answer->reason == REASON_UNKNOWN)
        return false;
    if (quoted.kind == PACKET_TCP) {
        answer->probe.kind = RAW_TCP;
        answer->probe.port = quoted.tcp.destination_port;
        return is_believed(raw, quoted.tcp.source_port, quoted.tcp.seq, answer);
    }
    if (quoted.kind == PACKET_UDP) {
        answer->probe.kind = RAW_UDP;
        answer->probe.port = quoted.udp.destination_port;
        answer->try = -1;
        return quoted.udp.source_port == raw->port;
    }
    if (quoted.kind == PACKET_OTHER)
        return read_protocol_error(raw, &quoted, answer);
    raw__read_echo_seq(quoted.icmp.seq, answer);
    return quoted.icmp.id == raw->id && read_request(&quoted, &answer->probe.kind);
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
    raw__read_echo_seq(packet->icmp.seq, answer);
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
    raw__read_echo_seq(packet->icmp.seq, answer);
    return packet->icmp.type == ICMP6_ECHO_REPLY && packet->icmp.id == raw->id;
}

/* What we sent comes back in the other number: a segment with ACK says our seq, counted on over
 * what takes room in it (SYN and FIN, one each), a reset to an ACK of ours has our ack as its seq
 * (RFC 9293 section 3.10.7.1). */
static bool read_tcp(const raw_t *raw, const packet_t *packet, raw_answer_t *answer)
{
    const packet_tcp_t *tcp = &packet->tcp;
    /* Whoever refuses has counted the probe's data, whoever accepts mostly not (RFC 7413). */
    const uint32_t refused = (uint32_t)raw->data_len, accepted = 0;
    bool is_reset = (tcp->flags & PACKET_RST) != 0, is_ours = false;

    if ((tcp->flags & (PACKET_RST | PACKET_SYN)) == 0)
        return false;
    answer->probe.kind = RAW_TCP;
    answer->probe.port = tcp->source_port;
    answer->tcp_flags = tcp->flags;
    answer->reason = tcp->flags & PACKET_RST ? REASON_RESET : REASON_SYN_ACK;
    if (tcp->flags & PACKET_ACK)
        is_ours = is_believed(raw, tcp->destination_port,
                              tcp->ack - (is_reset ? refused : accepted), answer) ||
                  is_believed(raw, tcp->destination_port,
                              tcp->ack - (is_reset ? accepted : refused), answer);
    if (is_ours || !is_reset)
        return is_ours;
    answer->probe.flags = PACKET_ACK;
    return is_believed(raw, tcp->destination_port, tcp->seq, answer);
}

static bool read_udp(const raw_t *raw, const packet_t *packet, raw_answer_t *answer)
{
    answer->probe.kind = RAW_UDP;
    answer->probe.port = packet->udp.source_port;
    answer->reason = REASON_UDP_RESPONSE;
    answer->try = -1;
    return packet->udp.destination_port == raw->port;
}

static bool read_other(const raw_t *raw, const packet_t *packet, raw_answer_t *answer)
{
    answer->probe.kind = RAW_PROTOCOL;
    answer->probe.port = packet->protocol;
    answer->reason = REASON_PROTO_RESPONSE;
    answer->try = -1;
    return raw->has_protocols;
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

bool raw__read(const raw_t *raw, packet_link_e link, const hpacket_frame_t *frame,
               raw_answer_t *answer)
{
    packet_t packet;

    if (packet_parse(&packet, link, frame->data, frame->len) < 0)
        return false;
    *answer = (raw_answer_t){
        .time_us = frame->time_us,
        .host = packet.source,
        .from = packet.source,
        .ttl = packet.ttl,
        .packet = packet,
        .is_from_host = true,
    };
    switch (packet.kind) {
    case PACKET_TCP:
        return read_tcp(raw, &packet, answer);
    case PACKET_UDP:
        return read_udp(raw, &packet, answer);
    case PACKET_ICMP:
        return read_icmp(raw, &packet, answer);
    case PACKET_ICMPV6:
        return read_icmpv6(raw, &packet, answer);
    case PACKET_ARP:
        return read_arp(&packet, answer);
    case PACKET_OTHER:
        return read_other(raw, &packet, answer);
    default:
        return false;
    }
}

void raw__on_frame(hpacket_t *hpacket, const hpacket_frame_t *frame, void *arg)
{
    raw_link_t *link = arg;
    raw_answer_t answer;

    if (link->raw->on_packet)
        link->raw->on_packet(link->raw->context, &(raw_packet_t){
                                                     .link = hpacket_link(hpacket),
                                                     .data = frame->data,
                                                     .len = frame->len,
                                                     .time_us = frame->time_us,
                                                 });
    if (!raw__read(link->raw, hpacket_link(hpacket), frame, &answer))
        return;
    if (answer.probe.kind == RAW_NEIGHBOUR)
        learn_hop(link, &answer);
    answer.link = link;
    link->raw->cb(link->raw->context, &answer);
}
