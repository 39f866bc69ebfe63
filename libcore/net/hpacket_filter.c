/* The filter is written from top to bottom, with jumps forward only. Where a jump goes that is not
 * known yet, a mark stands in its place, and place puts in the way from there to here. Load
 * instructions past a packet's end drop it, so nothing is asked about lengths. */
#include "hpacket.h"

#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <string.h>

/* Marks; no way is as long. */
enum {
    MARK_FIRST = 250,
    NEXT_TYPE = MARK_FIRST,
    NEXT_PROTOCOL,
    NEXT_ADDRESS,
    ADDRESSED,
    ACCEPT,
    DROP
};

_Static_assert(HPACKET_FILTER_MAX < MARK_FIRST, "a mark cannot be mistaken for a way");

#define FRAGMENT_OFFSET_MASK 0x1fff
#define ARP_REPLY 2
#define ECHO_REQUEST 8
#define ECHO_REQUEST_V6 128
#define LINK_LEN 14

typedef struct builder_s {
    struct sock_filter *program;
    size_t n, size; /* n goes on counting past size */
    const hpacket_filter_t *filter;
    uint32_t ip_at; /* where the IP header begins */
} builder_t;

static void emit(builder_t *b, uint16_t code, uint32_t k)
{
    if (b->n < b->size)
        b->program[b->n] = (struct sock_filter){.code = code, .k = k};
    b->n++;
}

static void jump(builder_t *b, uint16_t condition, uint32_t k, uint8_t yes, uint8_t no)
{
    emit(b, BPF_JMP | BPF_K | condition, k);
    if (b->n <= b->size) {
        b->program[b->n - 1].jt = yes;
        b->program[b->n - 1].jf = no;
    }
}

/* The next instruction is where all with this mark go. */
static void place(builder_t *b, uint8_t mark)
{
    for (size_t i = 0; i < b->n && i < b->size; i++) {
        struct sock_filter *at = &b->program[i];

        if (BPF_CLASS(at->code) != BPF_JMP)
            continue;
        if (at->jt == mark)
            at->jt = (uint8_t)(b->n - i - 1);
        if (at->jf == mark)
            at->jf = (uint8_t)(b->n - i - 1);
    }
}

static void load(builder_t *b, uint16_t size, uint32_t offset)
{
    emit(b, BPF_LD | BPF_ABS | size, offset);
}

/* ---- parts ----------------------------------------------------------------------------------- */

static void ports(builder_t *b, uint8_t protocol, const hpacket_ports_t *range, uint16_t mode)
{
    if (range->last == 0)
        return;
    jump(b, BPF_JEQ, protocol, 0, NEXT_PROTOCOL);
    emit(b, BPF_LD | BPF_H | mode, b->ip_at + (mode == BPF_ABS ? 40 : 0) + 2);
    jump(b, BPF_JGE, range->first, 0, DROP);
    jump(b, BPF_JGT, range->last, DROP, ACCEPT);
    place(b, NEXT_PROTOCOL);
}

/* By the protocol, which is loaded. IPv4's transport header is behind X, IPv6's at 40. */
static void protocols(builder_t *b, bool is_v4)
{
    uint16_t mode = is_v4 ? BPF_IND : BPF_ABS;
    uint8_t icmp = is_v4 ? IPPROTO_ICMP : IPPROTO_ICMPV6;

    ports(b, IPPROTO_TCP, &b->filter->tcp, mode);
    ports(b, IPPROTO_UDP, &b->filter->udp, mode);
    if (b->filter->icmp) {
        jump(b, BPF_JEQ, icmp, 0, NEXT_PROTOCOL);
        emit(b, BPF_LD | BPF_B | mode, b->ip_at + (is_v4 ? 0 : 40));
        jump(b, BPF_JEQ, is_v4 ? ECHO_REQUEST : ECHO_REQUEST_V6, DROP, ACCEPT);
        place(b, NEXT_PROTOCOL);
    }
    if (!b->filter->others)
        return;
    jump(b, BPF_JEQ, IPPROTO_TCP, DROP, 0);
    jump(b, BPF_JEQ, IPPROTO_UDP, DROP, 0);
    jump(b, BPF_JEQ, icmp, DROP, ACCEPT);
}

static void one_address(builder_t *b, const packet_addr_t *addr)
{
    uint32_t words[4];

    memcpy(words, &addr->v6, sizeof(words));
    if (addr->family == AF_INET) {
        jump(b, BPF_JEQ, ntohl(words[0]), ADDRESSED, 0);
        return;
    }
    for (uint32_t i = 0; i < 4; i++) {
        load(b, BPF_W, b->ip_at + 24 + i * 4);
        jump(b, BPF_JEQ, ntohl(words[i]), i == 3 ? ADDRESSED : 0, NEXT_ADDRESS);
    }
    place(b, NEXT_ADDRESS);
}

/* Goes on with what is addressed to us. */
static void addresses(builder_t *b, sa_family_t family)
{
    if (b->filter->address_count == 0)
        return;
    if (family == AF_INET)
        load(b, BPF_W, b->ip_at + 16);
    for (size_t i = 0; i < b->filter->address_count; i++) {
        if (b->filter->addresses[i].family == family)
            one_address(b, &b->filter->addresses[i]);
    }
    emit(b, BPF_RET | BPF_K, 0);
    place(b, ADDRESSED);
}

static void ipv4(builder_t *b)
{
    jump(b, BPF_JEQ, ETH_P_IP, 0, NEXT_TYPE);
    addresses(b, AF_INET);
    load(b, BPF_H, b->ip_at + 6);
    jump(b, BPF_JSET, FRAGMENT_OFFSET_MASK, DROP, 0);
    emit(b, BPF_LDX | BPF_B | BPF_MSH, b->ip_at);
    load(b, BPF_B, b->ip_at + 9);
    protocols(b, true);
    emit(b, BPF_RET | BPF_K, 0);
    place(b, NEXT_TYPE);
}

static void ipv6(builder_t *b)
{
    static const uint8_t extensions[] = {IPPROTO_HOPOPTS, IPPROTO_ROUTING, IPPROTO_FRAGMENT,
                                         IPPROTO_AH, IPPROTO_DSTOPTS};

    jump(b, BPF_JEQ, ETH_P_IPV6, 0, NEXT_TYPE);
    addresses(b, AF_INET6);
    load(b, BPF_B, b->ip_at + 6);
    for (size_t i = 0; i < sizeof(extensions); i++)
        jump(b, BPF_JEQ, extensions[i], ACCEPT, 0);
    protocols(b, false);
    place(b, NEXT_TYPE);
}

static void arp(builder_t *b)
{
    jump(b, BPF_JEQ, ETH_P_ARP, 0, NEXT_TYPE);
    load(b, BPF_H, b->ip_at + 6);
    jump(b, BPF_JEQ, ARP_REPLY, ACCEPT, DROP);
    place(b, NEXT_TYPE);
}

/* ---- all ------------------------------------------------------------------------------------- */

static bool are_ports_valid(const hpacket_ports_t *range)
{
    return range->first <= range->last;
}

static bool is_valid(const hpacket_filter_t *filter, bool wants_ip, bool wants_arp)
{
    if (filter->address_count > HPACKET_ADDRESSES_MAX || !are_ports_valid(&filter->tcp) ||
        !are_ports_valid(&filter->udp))
        return false;
    for (size_t i = 0; i < filter->address_count; i++) {
        if (filter->addresses[i].family != AF_INET && filter->addresses[i].family != AF_INET6)
            return false;
    }
    return wants_ip || wants_arp;
}

int hpacket_filter_build(const hpacket_filter_t *filter, packet_link_e link,
                         struct sock_filter *program, size_t size)
{
    builder_t b = {.program = program,
                   .size = size,
                   .filter = filter,
                   .ip_at = link == PACKET_LINK_ETHERNET ? LINK_LEN : 0};
    bool wants_ip = filter->tcp.last > 0 || filter->udp.last > 0 || filter->icmp || filter->others;
    bool wants_arp = filter->arp && link == PACKET_LINK_ETHERNET;

    if (!is_valid(filter, wants_ip, wants_arp))
        return -EINVAL;
    load(&b, BPF_B, (uint32_t)(SKF_AD_OFF + SKF_AD_PKTTYPE));
    jump(&b, BPF_JEQ, PACKET_OUTGOING, DROP, 0);
    load(&b, BPF_H, (uint32_t)(SKF_AD_OFF + SKF_AD_PROTOCOL));
    if (wants_arp)
        arp(&b);
    if (wants_ip) {
        ipv4(&b);
        ipv6(&b);
    }
    place(&b, DROP);
    emit(&b, BPF_RET | BPF_K, 0);
    place(&b, ACCEPT);
    emit(&b, BPF_RET | BPF_K, filter->snap ? filter->snap : HPACKET_SNAP);
    return b.n > size ? -ENOBUFS : (int)b.n;
}
