/* The sums are kept of the packet with its variable fields 0, and each patch adds the new values to
 * them. That is RFC 1624's arithmetic without a history: no error adds up from patch to patch. */
#include "packet_checksum.h"
#include "packet_int.h"
#include "packet_write.h"

int packet_template_init(packet_template_t *probe, const packet_envelope_t *envelope,
                         const packet_tcp_out_t *tcp)
{
    packet_envelope_t blank_envelope = *envelope;
    packet_tcp_out_t blank = *tcp;
    packet_patch_t patch = {.destination = &envelope->destination,
                            .source_port = tcp->source_port,
                            .destination_port = tcp->destination_port,
                            .seq = tcp->seq,
                            .ack = tcp->ack,
                            .id = envelope->id};
    ssize_t len;

    memset(probe, 0, sizeof(*probe));
    memset(&blank_envelope.destination.v6, 0, sizeof(blank_envelope.destination.v6));
    blank_envelope.id = 0;
    blank.source_port = blank.destination_port = 0;
    blank.seq = blank.ack = 0;
    if (tcp->payload_len > 0)
        return -EINVAL;
    len = packet_write_tcp(probe->bytes, sizeof(probe->bytes), &blank_envelope, &blank);
    if (len < 0)
        return (int)len;
    probe->len = (uint8_t)len;
    probe->is_v4 = envelope->source.family == AF_INET;
    probe->ip_at = envelope->link_source ? PACKET_ETHERNET_SIZE : 0;
    probe->tcp_at = probe->ip_at + (probe->is_v4 ? PACKET_IPV4_SIZE : PACKET_IPV6_SIZE);
    packet__put16(probe->bytes + probe->tcp_at + 16, 0);
    probe->tcp_sum =
        packet_sum(0, probe->bytes + probe->tcp_at, (size_t)probe->len - probe->tcp_at);
    probe->tcp_sum =
        packet_sum_pseudo(probe->tcp_sum, &envelope->source, &blank_envelope.destination,
                          IPPROTO_TCP, (size_t)probe->len - probe->tcp_at);
    if (probe->is_v4) {
        packet__put16(probe->bytes + probe->ip_at + 10, 0);
        probe->ip_sum = packet_sum(0, probe->bytes + probe->ip_at, PACKET_IPV4_SIZE);
    }
    packet_template_patch(probe, &patch);
    return 0;
}

void packet_template_patch(packet_template_t *probe, const packet_patch_t *patch)
{
    uint8_t *ip = probe->bytes + probe->ip_at, *tcp = probe->bytes + probe->tcp_at;
    const void *destination = &patch->destination->v6;
    size_t size = probe->is_v4 ? sizeof(struct in_addr) : sizeof(struct in6_addr);
    uint64_t sum;
    uint16_t field;

    packet__put16(tcp, patch->source_port);
    packet__put16(tcp + 2, patch->destination_port);
    packet__put32(tcp + 4, patch->seq);
    packet__put32(tcp + 8, patch->ack);
    sum = packet_sum(probe->tcp_sum, destination, size);
    field = packet_checksum(packet_sum(sum, tcp, 12));
    memcpy(tcp + 16, &field, sizeof(field));
    memcpy(ip + (probe->is_v4 ? 16 : 24), destination, size);
    if (!probe->is_v4)
        return;
    packet__put16(ip + 4, patch->id);
    sum = packet_sum(probe->ip_sum, destination, size);
    field = packet_checksum(sum + htons(patch->id));
    memcpy(ip + 10, &field, sizeof(field));
}

void packet_template_set_link(packet_template_t *probe, const uint8_t *link_destination)
{
    if (probe->ip_at > 0)
        memcpy(probe->bytes, link_destination, PACKET_MAC_SIZE);
}
