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

/* Each access past the end is seen by the address sanitizer, as the copy has its exact length. */
static inline int parse_exactly(packet_t *packet, packet_link_e link, const uint8_t *data,
                                size_t len)
{
    uint8_t *copy = malloc(len ? len : 1);
    int err;

    assert_non_null(copy);
    if (len > 0)
        memcpy(copy, data, len);
    err = packet_parse(packet, link, len ? copy : copy + 1, len);
    free(copy);
    return err;
}

#endif
