/* Every packet is written in one pass: link and IP header by begin, which also tells where the
 * transport header goes, then that and its payload, then the checksum over both. */
#include "packet_write.h"

#include "packet_checksum.h"
#include "packet_int.h"

#define IPV4_LEN_MAX 65535
#define TCP_OPTIONS_MAX 40
#define ICMP_TIMESTAMP_DATA 12
#define ICMP_NETMASK_DATA 4
#define SYN_WINDOW_MAX 65535
#define SYN_SCALE 7

_Static_assert(PACKET_ETHERNET_SIZE + PACKET_IPV6_SIZE + PACKET_TCP_SIZE + TCP_OPTIONS_MAX <=
                   PACKET_WRITE_MAX,
               "the longest headers fit");

/* A packet that is being written. */
typedef struct out_s {
    const packet_envelope_t *envelope;
    uint8_t protocol;
    uint8_t *transport;
    size_t transport_len; /* header and payload */
    size_t len;           /* of all */
} out_t;

static const uint8_t everybody[PACKET_MAC_SIZE] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};

/* ---- link and IP ----------------------------------------------------------------------------- */

static void put_ethernet(uint8_t *at, const uint8_t *destination, const uint8_t *source,
                         uint16_t type)
{
    memcpy(at, destination, PACKET_MAC_SIZE);
    memcpy(at + PACKET_MAC_SIZE, source, PACKET_MAC_SIZE);
    packet__put16(at + 2 * PACKET_MAC_SIZE, type);
}

static void put_ipv4(uint8_t *at, const out_t *out)
{
    const packet_envelope_t *envelope = out->envelope;
    uint16_t sum;

    at[0] = 4 << 4 | PACKET_IPV4_SIZE / 4;
    at[1] = envelope->tos;
    packet__put16(at + 2, (uint16_t)(PACKET_IPV4_SIZE + out->transport_len));
    packet__put16(at + 4, envelope->id);
    packet__put16(at + 6, envelope->dont_fragment ? 0x4000 : 0);
    at[8] = envelope->ttl ? envelope->ttl : PACKET_TTL;
    at[9] = out->protocol;
    packet__put16(at + 10, 0);
    memcpy(at + 12, &envelope->source.v4, sizeof(envelope->source.v4));
    memcpy(at + 16, &envelope->destination.v4, sizeof(envelope->destination.v4));
    sum = packet_checksum(packet_sum(0, at, PACKET_IPV4_SIZE));
    memcpy(at + 10, &sum, sizeof(sum));
}

static void put_ipv6(uint8_t *at, const out_t *out)
{
    const packet_envelope_t *envelope = out->envelope;

    packet__put32(at, 6u << 28 | (uint32_t)envelope->tos << 20 | (envelope->flow & 0xfffff));
    packet__put16(at + 4, (uint16_t)out->transport_len);
    at[6] = out->protocol;
    at[7] = envelope->ttl ? envelope->ttl : PACKET_TTL;
    memcpy(at + 8, &envelope->source.v6, sizeof(envelope->source.v6));
    memcpy(at + 24, &envelope->destination.v6, sizeof(envelope->destination.v6));
}

/* Writes all up to the transport header; out has envelope, protocol and transport_len. 0 or what a
 * writer returns. */
static int begin(out_t *out, uint8_t *buf, size_t size)
{
    const packet_envelope_t *envelope = out->envelope;
    sa_family_t family = envelope->source.family;
    bool is_v4 = family == AF_INET;
    size_t link_len = envelope->link_source ? PACKET_ETHERNET_SIZE : 0;
    size_t ip_len = is_v4 ? PACKET_IPV4_SIZE : PACKET_IPV6_SIZE;

    if ((!is_v4 && family != AF_INET6) || envelope->destination.family != family ||
        !envelope->link_source != !envelope->link_destination)
        return -EINVAL;
    if (out->transport_len > IPV4_LEN_MAX - (is_v4 ? PACKET_IPV4_SIZE : 0))
        return HERR_RANGE;
    out->len = link_len + ip_len + out->transport_len;
    if (size < out->len)
        return -ENOBUFS;
    if (link_len > 0)
        put_ethernet(buf, envelope->link_destination, envelope->link_source,
                     is_v4 ? PACKET_TYPE_IPV4 : PACKET_TYPE_IPV6);
    if (is_v4)
        put_ipv4(buf + link_len, out);
    else
        put_ipv6(buf + link_len, out);
    out->transport = buf + link_len + ip_len;
    return 0;
}

static void put_payload(uint8_t *at, const void *payload, size_t len)
{
    if (len > 0)
        memcpy(at, payload, len);
}

/* Computes the checksum of a packet that is otherwise done; its field, which holds 0, is at this
 * offset of the transport header. The length of the packet. */
static ssize_t finish(const out_t *out, size_t offset)
{
    uint64_t sum = packet_sum(0, out->transport, out->transport_len);
    uint16_t field;

    if (out->protocol != IPPROTO_ICMP)
        sum = packet_sum_pseudo(sum, &out->envelope->source, &out->envelope->destination,
                                out->protocol, out->transport_len);
    field = packet_checksum(sum);
    if (out->protocol == IPPROTO_UDP && field == 0)
        field = 0xffff; /* 0 means that there is none (RFC 768) */
    memcpy(out->transport + offset, &field, sizeof(field));
    return (ssize_t)out->len;
}

/* ---- neighbours ------------------------------------------------------------------------------ */

ssize_t packet_write_arp_request(void *buf, size_t size, const uint8_t *link_source,
                                 const uint8_t *link_destination, struct in_addr source,
                                 struct in_addr target)
{
    static const uint8_t head[] = {0, 1, 8, 0, PACKET_MAC_SIZE, sizeof(struct in_addr), 0, 1};
    uint8_t *at = buf;

    if (size < PACKET_ETHERNET_SIZE + PACKET_ARP_SIZE)
        return -ENOBUFS;
    put_ethernet(at, link_destination ? link_destination : everybody, link_source, PACKET_TYPE_ARP);
    at += PACKET_ETHERNET_SIZE;
    memcpy(at, head, sizeof(head));
    memcpy(at + 8, link_source, PACKET_MAC_SIZE);
    memcpy(at + 14, &source, sizeof(source));
    memset(at + 18, 0, PACKET_MAC_SIZE);
    memcpy(at + 24, &target, sizeof(target));
    return PACKET_ETHERNET_SIZE + PACKET_ARP_SIZE;
}

ssize_t packet_write_neighbour_solicitation(void *buf, size_t size, const uint8_t *link_source,
                                            const struct in6_addr *source,
                                            const struct in6_addr *target)
{
    static const uint8_t group[16] = {0xff, 2, [11] = 1, [12] = 0xff};
    uint8_t link_group[PACKET_MAC_SIZE] = {0x33, 0x33, 0xff};
    packet_envelope_t envelope = {.link_source = link_source,
                                  .link_destination = link_group,
                                  .source = {.family = AF_INET6, .v6 = *source},
                                  .destination = {.family = AF_INET6},
                                  .ttl = PACKET_NEIGHBOUR_TTL};
    /* Who has no address yet must not say its link address: RFC 4861, 4.3. */
    size_t option_len = IN6_IS_ADDR_UNSPECIFIED(source) ? 0 : 2 + PACKET_MAC_SIZE;
    out_t out = {.envelope = &envelope,
                 .protocol = IPPROTO_ICMPV6,
                 .transport_len = PACKET_NEIGHBOUR_SIZE + option_len};
    uint8_t *at;
    int err;

    memcpy(link_group + 3, target->s6_addr + 13, 3);
    memcpy(envelope.destination.v6.s6_addr, group, 13);
    memcpy(envelope.destination.v6.s6_addr + 13, target->s6_addr + 13, 3);
    err = begin(&out, buf, size);
    if (err)
        return err;
    at = out.transport;
    memset(at, 0, PACKET_ICMP_SIZE);
    at[0] = PACKET_NEIGHBOUR_SOLICITATION;
    memcpy(at + PACKET_ICMP_SIZE, target, sizeof(*target));
    if (option_len > 0) {
        at[PACKET_NEIGHBOUR_SIZE] = PACKET_OPTION_SOURCE_LINK;
        at[PACKET_NEIGHBOUR_SIZE + 1] = 1; /* in units of 8 bytes */
        memcpy(at + PACKET_NEIGHBOUR_SIZE + 2, link_source, PACKET_MAC_SIZE);
    }
    return finish(&out, 2);
}

/* ---- ICMP ------------------------------------------------------------------------------------ */

ssize_t packet_write_icmp(void *buf, size_t size, const packet_envelope_t *envelope,
                          const packet_icmp_out_t *icmp)
{
    static const struct {
        uint8_t type, data_len;
    } asks[] = {[PACKET_ASK_ECHO] = {8, 0},
                [PACKET_ASK_TIMESTAMP] = {13, ICMP_TIMESTAMP_DATA},
                [PACKET_ASK_NETMASK] = {17, ICMP_NETMASK_DATA}};
    bool is_v4 = envelope->source.family == AF_INET;
    size_t data_len = asks[icmp->ask].data_len;
    out_t out = {.envelope = envelope,
                 .protocol = is_v4 ? IPPROTO_ICMP : IPPROTO_ICMPV6,
                 .transport_len = PACKET_ICMP_SIZE + data_len + icmp->payload_len};
    int err;

    if (icmp->ask != PACKET_ASK_ECHO && !is_v4)
        return -EINVAL;
    err = icmp->payload_len > IPV4_LEN_MAX ? HERR_RANGE : begin(&out, buf, size);
    if (err)
        return err;
    memset(out.transport, 0, PACKET_ICMP_SIZE + data_len);
    out.transport[0] = is_v4 ? asks[icmp->ask].type : 128;
    packet__put16(out.transport + 4, icmp->id);
    packet__put16(out.transport + 6, icmp->seq);
    put_payload(out.transport + PACKET_ICMP_SIZE + data_len, icmp->payload, icmp->payload_len);
    return finish(&out, 2);
}

/* ---- TCP ------------------------------------------------------------------------------------- */

packet_tcp_out_t packet_tcp_syn(sa_family_t family, uint32_t mtu)
{
    uint32_t headers = PACKET_TCP_SIZE + (family == AF_INET ? PACKET_IPV4_SIZE : PACKET_IPV6_SIZE);
    uint32_t mtu_max = IPV4_LEN_MAX + (family == AF_INET ? 0 : PACKET_IPV6_SIZE);
    uint32_t mss;

    if (mtu > mtu_max)
        mtu = mtu_max;
    mss = mtu > headers ? mtu - headers : 1;
    return (packet_tcp_out_t){.flags = PACKET_SYN,
                              .window = (uint16_t)(SYN_WINDOW_MAX / mss * mss),
                              .mss = (uint16_t)mss,
                              .sack_permitted = true,
                              .timestamps = true,
                              .has_window_scale = true,
                              .window_scale = SYN_SCALE};
}

/* Two options of 2 and 10 bytes fill three words together, each alone takes NOPs before it. */
static uint8_t *put_sack_and_timestamps(uint8_t *at, const packet_tcp_out_t *tcp)
{
    if (!tcp->sack_permitted && !tcp->timestamps)
        return at;
    *at++ = tcp->sack_permitted ? PACKET_TCP_SACK_PERMITTED : PACKET_TCP_NOP;
    *at++ = tcp->sack_permitted ? 2 : PACKET_TCP_NOP;
    if (!tcp->timestamps) {
        *at++ = PACKET_TCP_NOP;
        *at++ = PACKET_TCP_NOP;
        return at;
    }
    *at++ = PACKET_TCP_TIMESTAMPS;
    *at++ = 10;
    packet__put32(at, tcp->timestamp);
    packet__put32(at + 4, tcp->timestamp_echo);
    return at + 8;
}

/* How many bytes, a multiple of 4. */
static size_t put_options(uint8_t options[TCP_OPTIONS_MAX], const packet_tcp_out_t *tcp)
{
    uint8_t *at = options;

    if (tcp->mss > 0) {
        at[0] = PACKET_TCP_MSS;
        at[1] = 4;
        packet__put16(at + 2, tcp->mss);
        at += 4;
    }
    at = put_sack_and_timestamps(at, tcp);
    if (tcp->has_window_scale) {
        at[0] = PACKET_TCP_NOP;
        at[1] = PACKET_TCP_SCALE;
        at[2] = 3;
        at[3] = tcp->window_scale;
        at += 4;
    }
    return (size_t)(at - options);
}

ssize_t packet_write_tcp(void *buf, size_t size, const packet_envelope_t *envelope,
                         const packet_tcp_out_t *tcp)
{
    uint8_t options[TCP_OPTIONS_MAX];
    size_t options_len = put_options(options, tcp);
    size_t header_len = PACKET_TCP_SIZE + options_len;
    out_t out = {.envelope = envelope,
                 .protocol = IPPROTO_TCP,
                 .transport_len = header_len + tcp->payload_len};
    int err = tcp->payload_len > IPV4_LEN_MAX ? HERR_RANGE : begin(&out, buf, size);
    uint8_t *at = out.transport;

    if (err)
        return err;
    packet__put16(at, tcp->source_port);
    packet__put16(at + 2, tcp->destination_port);
    packet__put32(at + 4, tcp->seq);
    packet__put32(at + 8, tcp->ack);
    at[12] = (uint8_t)(header_len / 4 << 4);
    at[13] = tcp->flags;
    packet__put16(at + 14, tcp->window);
    packet__put16(at + 16, 0);
    packet__put16(at + 18, tcp->urgent);
    memcpy(at + PACKET_TCP_SIZE, options, options_len);
    put_payload(at + header_len, tcp->payload, tcp->payload_len);
    return finish(&out, 16);
}

/* ---- UDP and others -------------------------------------------------------------------------- */

ssize_t packet_write_udp(void *buf, size_t size, const packet_envelope_t *envelope,
                         const packet_udp_out_t *udp)
{
    out_t out = {.envelope = envelope,
                 .protocol = IPPROTO_UDP,
                 .transport_len = PACKET_UDP_SIZE + udp->payload_len};
    int err = udp->payload_len > IPV4_LEN_MAX ? HERR_RANGE : begin(&out, buf, size);
    uint8_t *at = out.transport;

    if (err)
        return err;
    packet__put16(at, udp->source_port);
    packet__put16(at + 2, udp->destination_port);
    packet__put16(at + 4, (uint16_t)out.transport_len);
    packet__put16(at + 6, 0);
    put_payload(at + PACKET_UDP_SIZE, udp->payload, udp->payload_len);
    return finish(&out, 6);
}

ssize_t packet_write_ip(void *buf, size_t size, const packet_envelope_t *envelope, uint8_t protocol,
                        const void *payload, size_t payload_len)
{
    out_t out = {.envelope = envelope, .protocol = protocol, .transport_len = payload_len};
    int err = begin(&out, buf, size);

    if (err)
        return err;
    put_payload(out.transport, payload, payload_len);
    return (ssize_t)out.len;
}
