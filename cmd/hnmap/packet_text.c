/* What the parser has found, kind by kind; ICMP's words are in packet_text_icmp.c. */
#include "packet_text_int.h"

#include "base/hstr.h"

#include <arpa/inet.h>
#include <string.h>

#define OPTION_END 0
#define OPTION_NOP 1
#define OPTION_MSS 2
#define OPTION_SCALE 3
#define OPTION_SACK_PERMITTED 4
#define OPTION_TIMESTAMPS 8

uint32_t packet_text__number(const uint8_t *at, size_t size)
{
    uint32_t number = 0;

    for (size_t i = 0; i < size; i++)
        number = number << 8 | at[i];
    return number;
}

const char *packet_text__address(const packet_addr_t *addr, char text[INET6_ADDRSTRLEN])
{
    const void *bytes = addr->family == AF_INET6 ? (const void *)&addr->v6 : &addr->v4;

    return inet_ntop(addr->family, bytes, text, INET6_ADDRSTRLEN) ? text : "?";
}

static int write_mac(hbytes_t *out, const uint8_t *mac, bool is_large)
{
    int err = 0;

    for (size_t i = 0; i < PACKET_MAC_SIZE && err == 0; i++)
        err = hbytes_printf(out, is_large ? "%s%02X" : "%s%02x", i > 0 ? ":" : "", mac[i]);
    return err;
}

/* "192.0.2.1:40000 > 192.0.2.2:22" */
static int write_ends(hbytes_t *out, const packet_t *packet, uint16_t from, uint16_t to)
{
    char source[INET6_ADDRSTRLEN], destination[INET6_ADDRSTRLEN];

    return hbytes_printf(out, "%s:%u > %s:%u", packet_text__address(&packet->source, source), from,
                         packet_text__address(&packet->destination, destination), to);
}

/* ---- the IP header --------------------------------------------------------------------------- */

int packet_text__header(hbytes_t *out, const packet_t *packet)
{
    int err;

    if (packet->source.family == AF_INET6)
        return hbytes_printf(out, "hopl=%u flow=%x payloadlen=%u", packet->ttl,
                             packet_text__number(packet->ip, 4) & 0xfffff,
                             packet_text__number(packet->ip + 4, 2));
    err = hbytes_printf(out, "ttl=%u id=%u iplen=%u ", packet->ttl, packet->ip_id,
                        packet_text__number(packet->ip + 2, 2));
    if (err == 0 && (packet->fragment_offset > 0 || packet->more_fragments))
        err = hbytes_printf(out, "frag offset=%u%s ", packet->fragment_offset,
                            packet->more_fragments ? "+" : "");
    return err;
}

/* ---- TCP ------------------------------------------------------------------------------------- */

static int write_flags(hbytes_t *out, uint8_t flags)
{
    static const struct {
        uint8_t flag;
        char letter;
    } letters[] = {{PACKET_SYN, 'S'}, {PACKET_FIN, 'F'}, {PACKET_RST, 'R'}, {PACKET_PSH, 'P'},
                   {PACKET_ACK, 'A'}, {PACKET_URG, 'U'}, {PACKET_ECE, 'E'}, {PACKET_CWR, 'C'}};
    char text[sizeof(letters) / sizeof(letters[0]) + 1];
    size_t len = 0;

    for (size_t i = 0; i < sizeof(letters) / sizeof(letters[0]); i++)
        if (flags & letters[i].flag)
            text[len++] = letters[i].letter;
    text[len] = '\0';
    return hbytes_printf(out, " %s ", text);
}

/* One option, whose len bytes are there. */
static int write_option(hbytes_t *out, const uint8_t *at, size_t len)
{
    if (at[0] == OPTION_MSS && len == 4)
        return hbytes_printf(out, "mss %u", packet_text__number(at + 2, 2));
    if (at[0] == OPTION_SCALE && len == 3)
        return hbytes_printf(out, "wscale %u", at[2]);
    if (at[0] == OPTION_SACK_PERMITTED && len == 2)
        return hbytes_append_str(out, "sackOK");
    if (at[0] == OPTION_TIMESTAMPS && len == 10)
        return hbytes_printf(out, "timestamp %u %u", packet_text__number(at + 2, 4),
                             packet_text__number(at + 6, 4));
    return hbytes_printf(out, "opt-%u", at[0]);
}

static int write_options(hbytes_t *out, const packet_tcp_t *tcp)
{
    const char *before = "<";
    int err = 0;

    for (size_t at = 0, len; at < tcp->options_len && err == 0; at += len) {
        const uint8_t *option = tcp->options + at;
        size_t left = tcp->options_len - at;
        bool is_single = option[0] == OPTION_END || option[0] == OPTION_NOP;

        len = is_single ? 1 : left > 1 ? option[1] : 0;
        err = hbytes_append_str(out, before);
        before = ",";
        if (err < 0)
            break;
        if (is_single)
            err = hbytes_append_str(out, option[0] == OPTION_END ? "eol" : "nop");
        else if (len >= 2 && len <= left)
            err = write_option(out, option, len);
        else
            err = hbytes_append_str(out, "bad");
        if (option[0] == OPTION_END || len == 0 || len > left)
            break;
    }
    return err == 0 && *before == ',' ? hbytes_append_char(out, '>') : err;
}

static int write_tcp(hbytes_t *out, const packet_t *packet)
{
    const packet_tcp_t *tcp = &packet->tcp;
    int err = hbytes_append_str(out, "TCP ");

    if (err == 0)
        err = write_ends(out, packet, tcp->source_port, tcp->destination_port);
    if (err == 0)
        err = write_flags(out, tcp->flags);
    if (err == 0)
        err = packet_text__header(out, packet);
    if (err == 0)
        err = hbytes_printf(out, " seq=%u win=%u ", tcp->seq, tcp->window);
    return err == 0 ? write_options(out, tcp) : err;
}

/* ---- others ---------------------------------------------------------------------------------- */

static int write_udp(hbytes_t *out, const packet_t *packet)
{
    int err = hbytes_append_str(out, "UDP ");

    if (err == 0)
        err = write_ends(out, packet, packet->udp.source_port, packet->udp.destination_port);
    if (err == 0)
        err = hbytes_append_char(out, ' ');
    return err == 0 ? packet_text__header(out, packet) : err;
}

static int write_arp(hbytes_t *out, const packet_t *packet)
{
    char source[INET6_ADDRSTRLEN], destination[INET6_ADDRSTRLEN];
    int err;

    packet_text__address(&packet->source, source);
    packet_text__address(&packet->destination, destination);
    if (packet->arp.operation == 1)
        return hbytes_printf(out, "ARP who-has %s tell %s", destination, source);
    if (packet->arp.operation != 2)
        return hbytes_printf(out, "ARP operation %u %s > %s", packet->arp.operation, source,
                             destination);
    err = hbytes_printf(out, "ARP reply %s is-at ", source);
    return err == 0 ? write_mac(out, packet->arp.sender_mac, true) : err;
}

static const char *protocol_name(uint8_t protocol)
{
    static const struct {
        uint8_t number;
        const char *name;
    } names[] = {
        {IPPROTO_ICMP, "icmp"},       {IPPROTO_IGMP, "igmp"},        {IPPROTO_IPIP, "ipv4"},
        {IPPROTO_TCP, "tcp"},         {IPPROTO_EGP, "egp"},          {IPPROTO_UDP, "udp"},
        {IPPROTO_DCCP, "dccp"},       {IPPROTO_IPV6, "ipv6"},        {IPPROTO_RSVP, "rsvp"},
        {IPPROTO_GRE, "gre"},         {IPPROTO_ESP, "esp"},          {IPPROTO_AH, "ah"},
        {IPPROTO_PIM, "pim"},         {IPPROTO_ICMPV6, "ipv6-icmp"}, {IPPROTO_SCTP, "sctp"},
        {IPPROTO_UDPLITE, "udplite"},
    };

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (names[i].number == protocol)
            return names[i].name;
    return "unknown";
}

static int write_other(hbytes_t *out, const packet_t *packet)
{
    char source[INET6_ADDRSTRLEN], destination[INET6_ADDRSTRLEN];
    int err = hbytes_printf(out, "%s (%u) %s > %s: ", protocol_name(packet->protocol),
                            packet->protocol, packet_text__address(&packet->source, source),
                            packet_text__address(&packet->destination, destination));

    return err == 0 ? packet_text__header(out, packet) : err;
}

static int write_advertisement(hbytes_t *out, const packet_t *packet)
{
    const packet_addr_t target = {.family = AF_INET6, .v6 = packet->icmp.target};
    char source[INET6_ADDRSTRLEN], destination[INET6_ADDRSTRLEN], text[INET6_ADDRSTRLEN];
    int err = hbytes_printf(out, "neighbor advertisement %s > %s %s is at ",
                            packet_text__address(&packet->source, source),
                            packet_text__address(&packet->destination, destination),
                            packet_text__address(&target, text));

    return err == 0 ? write_mac(out, packet->icmp.link_address, false) : err;
}

static int write_icmpv6(hbytes_t *out, const packet_t *packet)
{
    char source[INET6_ADDRSTRLEN], destination[INET6_ADDRSTRLEN];
    int err;

    if (packet->icmp.is_neighbour && packet->icmp.type == 136 && packet->icmp.link_address)
        return write_advertisement(out, packet);
    err = hbytes_printf(out, "ICMPv6 (58) %s > %s (type=%u/code=%u) ",
                        packet_text__address(&packet->source, source),
                        packet_text__address(&packet->destination, destination), packet->icmp.type,
                        packet->icmp.code);
    return err == 0 ? packet_text__header(out, packet) : err;
}

int packet_text(hbytes_t *out, packet_link_e link, const void *data, size_t len)
{
    packet_t packet;
    int err = packet_parse(&packet, link, data, len);

    if (err < 0)
        return hbytes_printf(out, "packet of %zu bytes that cannot be read: %s", len,
                             herr_str(err));
    switch (packet.kind) {
    case PACKET_ARP:
        return write_arp(out, &packet);
    case PACKET_TCP:
        return write_tcp(out, &packet);
    case PACKET_UDP:
        return write_udp(out, &packet);
    case PACKET_ICMP:
        return packet_text__icmp(out, &packet);
    case PACKET_ICMPV6:
        return write_icmpv6(out, &packet);
    default:
        return write_other(out, &packet);
    }
}
