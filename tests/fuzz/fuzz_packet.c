/* Whatever is taken for a packet has its views within the bytes, also the one that it quotes; what
 * is written from the values that were read gives the same values when it is read again. The first
 * byte tells how the frame begins. */
#include "codec/packet_write.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define FRAME_MAX (65536 + PACKET_WRITE_MAX)

static void check(bool condition)
{
    if (!condition)
        abort();
}

static void check_view(const uint8_t *view, size_t len, const uint8_t *data, size_t size)
{
    if (len > 0)
        check(view >= data && view + len <= data + size);
}

static void check_within(const packet_t *packet, const uint8_t *data, size_t size)
{
    check_view(packet->ip, packet->ip_len, data, size);
    check_view(packet->transport, packet->transport_len, data, size);
    check_view(packet->payload, packet->payload_len, data, size);
    if (packet->kind == PACKET_TCP)
        check_view(packet->tcp.options, packet->tcp.options_len, data, size);
    if ((packet->kind == PACKET_ICMP || packet->kind == PACKET_ICMPV6) && packet->icmp.link_address)
        check_view(packet->icmp.link_address, PACKET_MAC_SIZE, data, size);
    packet_check(packet);
    packet_check_header(packet);
}

static ssize_t write_again(uint8_t *frame, const packet_t *packet)
{
    packet_envelope_t envelope = {.link_source = packet->link_source,
                                  .link_destination = packet->link_destination,
                                  .source = packet->source,
                                  .destination = packet->destination,
                                  .ttl = packet->ttl};

    if (packet->kind == PACKET_TCP) {
        const packet_tcp_t *tcp = &packet->tcp;
        packet_tcp_out_t out = {.source_port = tcp->source_port,
                                .destination_port = tcp->destination_port,
                                .seq = tcp->seq,
                                .ack = tcp->ack,
                                .flags = tcp->flags,
                                .window = tcp->window,
                                .mss = tcp->mss,
                                .sack_permitted = tcp->sack_permitted,
                                .timestamps = tcp->has_timestamps,
                                .timestamp = tcp->timestamp,
                                .timestamp_echo = tcp->timestamp_echo,
                                .has_window_scale = tcp->window_scale != PACKET_NO_SCALE,
                                .window_scale = tcp->window_scale,
                                .payload = packet->payload,
                                .payload_len = packet->payload_len};

        return packet_write_tcp(frame, FRAME_MAX, &envelope, &out);
    }
    if (packet->kind == PACKET_UDP) {
        packet_udp_out_t out = {.source_port = packet->udp.source_port,
                                .destination_port = packet->udp.destination_port,
                                .payload = packet->payload,
                                .payload_len = packet->payload_len};

        return packet_write_udp(frame, FRAME_MAX, &envelope, &out);
    }
    return packet_write_ip(frame, FRAME_MAX, &envelope, packet->protocol, packet->transport,
                           packet->transport_len);
}

static void check_round_trip(const packet_t *packet, packet_link_e link)
{
    static uint8_t frame[FRAME_MAX];
    packet_t again;
    ssize_t len = write_again(frame, packet);

    if (len == HERR_RANGE)
        return; /* what stood in a jumbogram's place, or among extension headers */
    check(len > 0);
    check(packet_parse(&again, link, frame, (size_t)len) == 0);
    check(again.kind == packet->kind);
    check(packet_addr_equal(&again.source, &packet->source));
    check(packet_addr_equal(&again.destination, &packet->destination));
    check(again.payload_len == packet->payload_len);
    check(again.payload_len == 0 || memcmp(again.payload, packet->payload, again.payload_len) == 0);
    if (packet->kind == PACKET_TCP) {
        check(again.tcp.seq == packet->tcp.seq && again.tcp.ack == packet->tcp.ack);
        check(again.tcp.mss == packet->tcp.mss);
        check(again.tcp.window_scale == packet->tcp.window_scale);
        check(!again.tcp.bad_options);
    }
    if (packet->kind == PACKET_TCP || packet->kind == PACKET_UDP)
        check(packet_check(&again) == PACKET_CHECK_GOOD);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    packet_link_e link;
    packet_t packet, quoted;
    uint8_t *copy;

    if (size == 0)
        return 0;
    link = data[0] & 1 ? PACKET_LINK_IP : PACKET_LINK_ETHERNET;
    size--;
    copy = malloc(size ? size : 1);
    if (!copy)
        return 0;
    memcpy(copy, data + 1, size);
    if (packet_parse(&packet, link, copy, size) == 0) {
        check_within(&packet, copy, size);
        if (packet_quoted(&quoted, &packet) == 0)
            check_within(&quoted, copy, size);
        if (packet.kind != PACKET_ARP && packet.kind != PACKET_FRAGMENT && !packet.truncated)
            check_round_trip(&packet, link);
    }
    free(copy);
    return 0;
}
