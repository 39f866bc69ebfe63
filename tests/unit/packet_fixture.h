/* packet_fixture: addresses and frames for the tests of packet; include it after cmocka.h. */
#ifndef HNET_TESTS_PACKET_FIXTURE_H
#define HNET_TESTS_PACKET_FIXTURE_H

#include "codec/packet_write.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#define FRAME_MAX 2048

static const uint8_t our_mac[PACKET_MAC_SIZE] = {2, 0, 0, 0, 0, 1};
static const uint8_t their_mac[PACKET_MAC_SIZE] = {2, 0, 0, 0, 0, 2};

static inline packet_addr_t address(const char *text)
{
    packet_addr_t addr = {.family = strchr(text, ':') ? AF_INET6 : AF_INET};

    assert_int_equal(inet_pton(addr.family, text, &addr.v6), 1);
    return addr;
}

/* From us to them, of either family, with an Ethernet header or without one. */
static inline packet_envelope_t envelope(sa_family_t family, packet_link_e link)
{
    bool is_v4 = family == AF_INET;
    packet_envelope_t e = {.source = address(is_v4 ? "192.0.2.1" : "2001:db8::1"),
                           .destination = address(is_v4 ? "198.51.100.7" : "2001:db8:1::7"),
                           .ttl = 55,
                           .id = 0x1234};

    if (link == PACKET_LINK_ETHERNET) {
        e.link_source = our_mac;
        e.link_destination = their_mac;
    }
    return e;
}

/* ---- packets that are put together byte by byte ------------------------------------------ */

typedef struct maker_s {
    uint8_t data[FRAME_MAX];
    size_t len;
} maker_t;

static inline void add(maker_t *m, const void *data, size_t len)
{
    assert_true(m->len + len <= sizeof(m->data));
    memcpy(m->data + m->len, data, len);
    m->len += len;
}

#define ADD(m, ...) add(m, (const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}))

static inline void add_ethernet(maker_t *m, uint16_t type)
{
    add(m, our_mac, sizeof(our_mac));
    add(m, their_mac, sizeof(their_mac));
    ADD(m, (uint8_t)(type >> 8), (uint8_t)type);
}

/* An IPv4 header for a payload of this length, from 198.51.100.7 to 192.0.2.1. */
static inline void add_ipv4(maker_t *m, uint8_t protocol, size_t payload_len, uint16_t fragment)
{
    size_t len = 20 + payload_len;

    ADD(m, 0x45, 0, (uint8_t)(len >> 8), (uint8_t)len, 0x12, 0x34, (uint8_t)(fragment >> 8),
        (uint8_t)fragment, 61, protocol, 0, 0, 198, 51, 100, 7, 192, 0, 2, 1);
}

static inline void add_ipv6(maker_t *m, uint8_t next, size_t payload_len)
{
    packet_addr_t source = address("2001:db8:1::7"), destination = address("2001:db8::1");

    ADD(m, 0x6a, 0xb0, 0, 0, (uint8_t)(payload_len >> 8), (uint8_t)payload_len, next, 61);
    add(m, &source.v6, sizeof(source.v6));
    add(m, &destination.v6, sizeof(destination.v6));
}

/* Ports 80 and 40000, seq 0x01020304, ack 0x05060708, SYN and ACK. */
static inline void add_tcp(maker_t *m, uint8_t words)
{
    ADD(m, 0, 80, 0x9c, 0x40, 1, 2, 3, 4, 5, 6, 7, 8, (uint8_t)(words << 4), 0x12, 0xfa, 0xf0, 0, 0,
        0, 0);
}

static inline packet_t parsed(const maker_t *m, packet_link_e link)
{
    packet_t packet;

    assert_int_equal(packet_parse(&packet, link, m->data, m->len), 0);
    return packet;
}

static inline int result(const maker_t *m, packet_link_e link)
{
    packet_t packet;
    static const packet_t nothing;
    int err = packet_parse(&packet, link, m->data, m->len);

    if (err)
        assert_memory_equal(&packet, &nothing, sizeof(packet));
    return err;
}

static inline void assert_syn_ack(const packet_t *packet)
{
    assert_int_equal(packet->kind, PACKET_TCP);
    assert_int_equal(packet->tcp.source_port, 80);
    assert_int_equal(packet->tcp.destination_port, 40000);
    assert_int_equal(packet->tcp.seq, 0x01020304);
    assert_int_equal(packet->tcp.ack, 0x05060708);
    assert_int_equal(packet->tcp.flags, PACKET_SYN | PACKET_ACK);
    assert_int_equal(packet->ttl, 61);
}

/* The head of an error about a packet of which so much is quoted. */
static inline void add_unreachable(maker_t *m, bool is_v4, size_t quoted_len, uint8_t code)
{
    if (is_v4)
        add_ipv4(m, IPPROTO_ICMP, 8 + quoted_len, 0);
    else
        add_ipv6(m, IPPROTO_ICMPV6, 8 + quoted_len);
    ADD(m, is_v4 ? 3 : 1, code, 0, 0, 0, 0, 0, 0);
}

#endif
