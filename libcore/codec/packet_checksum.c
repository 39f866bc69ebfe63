#include "packet_checksum.h"

#include "packet_int.h"

uint64_t packet_sum(uint64_t sum, const void *data, size_t len)
{
    const uint8_t *at = data;
    uint32_t word;
    uint16_t half = 0;

    for (; len >= sizeof(word); at += sizeof(word), len -= sizeof(word)) {
        memcpy(&word, at, sizeof(word));
        sum += word;
    }
    if (len >= sizeof(half)) {
        memcpy(&half, at, sizeof(half));
        sum += half;
        at += sizeof(half);
        len -= sizeof(half);
    }
    if (len > 0) {
        half = 0;
        memcpy(&half, at, 1);
        sum += half;
    }
    return sum;
}

uint64_t packet_sum_pseudo(uint64_t sum, const packet_addr_t *source,
                           const packet_addr_t *destination, uint8_t protocol, size_t len)
{
    size_t size = source->family == AF_INET ? sizeof(source->v4) : sizeof(source->v6);

    sum = packet_sum(sum, &source->v6, size);
    sum = packet_sum(sum, &destination->v6, size);
    return sum + htonl((uint32_t)len) + htons(protocol);
}

packet_check_e packet_check_header(const packet_t *packet)
{
    if (!packet->ip || packet->source.family != AF_INET)
        return PACKET_CHECK_ABSENT;
    if (packet->is_quoted)
        return PACKET_CHECK_UNKNOWN;
    return packet_checksum(packet_sum(0, packet->ip, (size_t)(packet->ip[0] & 0x0f) * 4)) == 0
               ? PACKET_CHECK_GOOD
               : PACKET_CHECK_BAD;
}

packet_check_e packet_check(const packet_t *packet)
{
    static const uint8_t offsets[] = {
        [PACKET_TCP] = 16, [PACKET_UDP] = 6, [PACKET_ICMP] = 2, [PACKET_ICMPV6] = 2};
    bool is_icmp = packet->kind == PACKET_ICMP;
    uint64_t pseudo = 0;
    uint16_t field;

    if (packet->kind == PACKET_OTHER || packet->kind == PACKET_ARP)
        return PACKET_CHECK_ABSENT;
    if (packet->kind == PACKET_FRAGMENT || packet->more_fragments || packet->truncated ||
        packet->is_quoted)
        return PACKET_CHECK_UNKNOWN;
    memcpy(&field, packet->transport + offsets[packet->kind], sizeof(field));
    if (packet->kind == PACKET_UDP && field == 0)
        return packet->source.family == AF_INET ? PACKET_CHECK_ABSENT : PACKET_CHECK_BAD;
    if (!is_icmp)
        pseudo = packet_sum_pseudo(0, &packet->source, &packet->destination, packet->protocol,
                                   packet->transport_len);
    if (packet_checksum(packet_sum(pseudo, packet->transport, packet->transport_len)) == 0)
        return PACKET_CHECK_GOOD;
    return !is_icmp && field == packet_fold(pseudo) ? PACKET_CHECK_PARTIAL : PACKET_CHECK_BAD;
}
