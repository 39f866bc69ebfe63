/* Link and IP headers, and IPv6's chain of extension headers. Two lengths go along: what was
 * captured, which bounds every access, and what the headers say, which tells a packet that was cut
 * off from one that is wrong. */
#include "packet_int.h"

#define TYPE_VLAN 0x8100
#define TYPE_QINQ 0x88a8
#define VLAN_SIZE 4

#define ARP_ETHERNET 1
#define IPV6_EXTENSION_MIN 8

/* ---- addresses ------------------------------------------------------------------------------- */

packet_addr_t packet_addr(const struct sockaddr *sa)
{
    packet_addr_t addr = {.family = sa->sa_family};

    if (sa->sa_family == AF_INET) {
        memcpy(&addr.v4, (const char *)sa + offsetof(struct sockaddr_in, sin_addr),
               sizeof(addr.v4));
    } else if (sa->sa_family == AF_INET6) {
        memcpy(&addr.v6, (const char *)sa + offsetof(struct sockaddr_in6, sin6_addr),
               sizeof(addr.v6));
    } else {
        addr.family = 0;
    }
    return addr;
}

socklen_t packet_addr_to(const packet_addr_t *addr, uint16_t port, unsigned ifindex,
                         struct sockaddr_storage *sa)
{
    struct sockaddr_in sin = {.sin_family = AF_INET, .sin_port = htons(port)};
    struct sockaddr_in6 sin6 = {.sin6_family = AF_INET6, .sin6_port = htons(port)};

    memset(sa, 0, sizeof(*sa));
    if (addr->family == AF_INET) {
        sin.sin_addr = addr->v4;
        memcpy(sa, &sin, sizeof(sin));
        return sizeof(sin);
    }
    if (addr->family != AF_INET6)
        return 0;
    sin6.sin6_addr = addr->v6;
    if (IN6_IS_ADDR_LINKLOCAL(&addr->v6) || IN6_IS_ADDR_MC_LINKLOCAL(&addr->v6))
        sin6.sin6_scope_id = ifindex;
    memcpy(sa, &sin6, sizeof(sin6));
    return sizeof(sin6);
}

bool packet_addr_equal(const packet_addr_t *a, const packet_addr_t *b)
{
    if (a->family != b->family)
        return false;
    if (a->family == AF_INET)
        return a->v4.s_addr == b->v4.s_addr;
    return a->family != AF_INET6 || memcmp(&a->v6, &b->v6, sizeof(a->v6)) == 0;
}

static packet_addr_t addr_v4(const uint8_t *at)
{
    packet_addr_t addr = {.family = AF_INET};

    memcpy(&addr.v4, at, sizeof(addr.v4));
    return addr;
}

static packet_addr_t addr_v6(const uint8_t *at)
{
    packet_addr_t addr = {.family = AF_INET6};

    memcpy(&addr.v6, at, sizeof(addr.v6));
    return addr;
}

/* ---- IP -------------------------------------------------------------------------------------- */

/* What the header says of the whole packet's length. A router that quotes a packet may have written
 * anything there; then it is as long as it is. */
static size_t said_length(const packet_t *packet, size_t said, size_t header_len, size_t len)
{
    return packet->is_quoted && said < header_len + PACKET_ICMP_SIZE ? len : said;
}

static void set_ip(packet_t *packet, const uint8_t *at, size_t len, size_t said)
{
    packet->ip = at;
    packet->ip_len = len < said ? len : said;
    packet->truncated = said > len;
}

static void set_transport(packet_t *packet, size_t header_len)
{
    packet->transport = packet->ip + header_len;
    packet->transport_len = packet->ip_len - header_len;
    packet->payload = packet->transport;
    packet->payload_len = packet->transport_len;
}

static int parse_ipv4(packet_t *packet, const uint8_t *at, size_t len)
{
    size_t header_len, said;
    uint16_t fragment;

    if (len < PACKET_IPV4_SIZE)
        return HERR_TRUNCATED;
    header_len = (size_t)(at[0] & 0x0f) * 4;
    if (at[0] >> 4 != 4 || header_len < PACKET_IPV4_SIZE)
        return HERR_FRAME;
    if (len < header_len)
        return HERR_TRUNCATED;
    said = said_length(packet, packet__get16(at + 2), header_len, len);
    if (said < header_len)
        return HERR_FRAME;
    set_ip(packet, at, len, said);
    fragment = packet__get16(at + 6);
    packet->tos = at[1];
    packet->ip_id = packet__get16(at + 4);
    packet->dont_fragment = fragment & 0x4000;
    packet->more_fragments = fragment & 0x2000;
    packet->fragment_offset = (fragment & 0x1fffu) * 8;
    packet->ttl = at[8];
    packet->protocol = at[9];
    packet->source = addr_v4(at + 12);
    packet->destination = addr_v4(at + 16);
    set_transport(packet, header_len);
    packet->kind = packet->fragment_offset > 0 ? PACKET_FRAGMENT : PACKET_OTHER;
    return packet->fragment_offset > 0 ? 0 : packet__transport(packet, said - header_len);
}

static void take_fragment(packet_t *packet, const uint8_t *at)
{
    packet->fragment_offset = packet__get16(at + 2) & 0xfff8u;
    packet->more_fragments = at[3] & 1;
    packet->ip_id = packet__get32(at + 4);
}

/* The length of an extension header of this type, 0 if it is none. */
static size_t extension_length(uint8_t type, uint8_t len)
{
    switch (type) {
    case IPPROTO_HOPOPTS:
    case IPPROTO_ROUTING:
    case IPPROTO_DSTOPTS:
        return ((size_t)len + 1) * 8;
    case IPPROTO_FRAGMENT:
        return IPV6_EXTENSION_MIN;
    case IPPROTO_AH:
        return ((size_t)len + 2) * 4;
    default:
        return 0;
    }
}

/* Walks from the IPv6 header to what is behind the extensions; *offset is where that is. */
static int skip_extensions(packet_t *packet, size_t said, size_t *offset)
{
    for (unsigned n = 0; extension_length(packet->protocol, 0) > 0; n++) {
        const uint8_t *at = packet->ip + *offset;
        size_t len = packet->ip_len - *offset;
        int err = packet__need(IPV6_EXTENSION_MIN, len, said - *offset);
        size_t extension;

        if (err || n == PACKET_EXTENSIONS_MAX)
            return err ? err : HERR_FRAME;
        extension = extension_length(packet->protocol, at[1]);
        err = packet__need(extension, len, said - *offset);
        if (err)
            return err;
        if (packet->protocol == IPPROTO_FRAGMENT)
            take_fragment(packet, at);
        packet->protocol = at[0];
        *offset += extension;
        if (packet->fragment_offset > 0)
            break; /* the next header's bytes are in the first fragment */
    }
    return 0;
}

static int parse_ipv6(packet_t *packet, const uint8_t *at, size_t len)
{
    size_t said, offset = PACKET_IPV6_SIZE;
    int err;

    if (len < PACKET_IPV6_SIZE)
        return HERR_TRUNCATED;
    if (at[0] >> 4 != 6)
        return HERR_FRAME;
    said = PACKET_IPV6_SIZE + (size_t)packet__get16(at + 4);
    said = said_length(packet, said, PACKET_IPV6_SIZE, len);
    set_ip(packet, at, len, said);
    packet->tos = (uint8_t)(packet__get16(at) >> 4);
    packet->protocol = at[6];
    packet->ttl = at[7];
    packet->source = addr_v6(at + 8);
    packet->destination = addr_v6(at + 24);
    err = skip_extensions(packet, said, &offset);
    if (err)
        return err;
    set_transport(packet, offset);
    packet->kind = packet->fragment_offset > 0 ? PACKET_FRAGMENT : PACKET_OTHER;
    return packet->fragment_offset > 0 ? 0 : packet__transport(packet, said - offset);
}

static int parse_ip(packet_t *packet, const uint8_t *at, size_t len)
{
    if (len == 0)
        return HERR_TRUNCATED;
    if (at[0] >> 4 == 4)
        return parse_ipv4(packet, at, len);
    return at[0] >> 4 == 6 ? parse_ipv6(packet, at, len) : HERR_UNSUPPORTED;
}

/* ---- link ------------------------------------------------------------------------------------ */

static int parse_arp(packet_t *packet, const uint8_t *at, size_t len)
{
    if (len < 8)
        return HERR_TRUNCATED;
    if (packet__get16(at) != ARP_ETHERNET || packet__get16(at + 2) != PACKET_TYPE_IPV4 ||
        at[4] != PACKET_MAC_SIZE || at[5] != sizeof(struct in_addr))
        return HERR_UNSUPPORTED;
    if (len < PACKET_ARP_SIZE)
        return HERR_TRUNCATED;
    packet->kind = PACKET_ARP;
    packet->arp.operation = packet__get16(at + 6);
    packet->arp.sender_mac = at + 8;
    packet->source = addr_v4(at + 14);
    packet->arp.target_mac = at + 18;
    packet->destination = addr_v4(at + 24);
    return 0;
}

static int parse_ethernet(packet_t *packet, const uint8_t *at, size_t len)
{
    size_t offset = PACKET_ETHERNET_SIZE;
    unsigned vlans = 0;
    uint16_t type;

    if (len < offset)
        return HERR_TRUNCATED;
    packet->link_destination = at;
    packet->link_source = at + PACKET_MAC_SIZE;
    type = packet__get16(at + offset - 2);
    while (type == TYPE_VLAN || type == TYPE_QINQ) {
        if (vlans++ == PACKET_VLANS_MAX)
            return HERR_FRAME;
        if (len - offset < VLAN_SIZE)
            return HERR_TRUNCATED;
        offset += VLAN_SIZE;
        type = packet__get16(at + offset - 2);
    }
    switch (type) {
    case PACKET_TYPE_ARP:
        return parse_arp(packet, at + offset, len - offset);
    case PACKET_TYPE_IPV4:
        return parse_ipv4(packet, at + offset, len - offset);
    case PACKET_TYPE_IPV6:
        return parse_ipv6(packet, at + offset, len - offset);
    default:
        return HERR_UNSUPPORTED;
    }
}

/* ---- public ---------------------------------------------------------------------------------- */

int packet_parse(packet_t *packet, packet_link_e link, const void *data, size_t len)
{
    int err;

    memset(packet, 0, sizeof(*packet));
    err = link == PACKET_LINK_ETHERNET ? parse_ethernet(packet, data, len)
                                       : parse_ip(packet, data, len);
    if (err)
        memset(packet, 0, sizeof(*packet));
    return err;
}

int packet_quoted(packet_t *quoted, const packet_t *packet)
{
    bool is_icmp = packet->kind == PACKET_ICMP || packet->kind == PACKET_ICMPV6;
    int err = is_icmp && packet->icmp.is_error ? 0 : -EINVAL;

    memset(quoted, 0, sizeof(*quoted));
    quoted->is_quoted = true;
    if (!err)
        err = parse_ip(quoted, packet->payload, packet->payload_len);
    if (err)
        memset(quoted, 0, sizeof(*quoted));
    return err;
}
