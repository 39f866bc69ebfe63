/* One thread. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "codec/packet_checksum.h"
#include "packet_fixture.h"

static const sa_family_t families[] = {AF_INET, AF_INET6};
static const packet_link_e links[] = {PACKET_LINK_ETHERNET, PACKET_LINK_IP};

/* Runs check for each family with each kind of link. */
#define FOR_EACH_ENVELOPE(e, link)                                                                 \
    for (int i_ = 0; i_ < 4; i_++)                                                                 \
        for (packet_link_e link = links[i_ / 2], *once_ = &link; once_; once_ = NULL)              \
            for (packet_envelope_t e = envelope(families[i_ % 2], link), *e_once_ = &e; e_once_;   \
                 e_once_ = NULL)

static packet_t written(packet_link_e link, const uint8_t *frame, ssize_t len)
{
    packet_t packet;

    assert_true(len > 0);
    assert_int_equal(packet_parse(&packet, link, frame, (size_t)len), 0);
    assert_false(packet.truncated);
    return packet;
}

static void assert_envelope(const packet_t *packet, const packet_envelope_t *e)
{
    assert_true(packet_addr_equal(&packet->source, &e->source));
    assert_true(packet_addr_equal(&packet->destination, &e->destination));
    assert_int_equal(packet->ttl, e->ttl ? e->ttl : PACKET_TTL);
    assert_int_equal(packet->tos, e->tos);
    if (e->source.family == AF_INET) {
        assert_int_equal(packet->ip_id, e->id);
        assert_int_equal(packet->dont_fragment, e->dont_fragment);
        assert_int_equal(packet_check_header(packet), PACKET_CHECK_GOOD);
    } else {
        assert_int_equal(packet_check_header(packet), PACKET_CHECK_ABSENT);
    }
    if (e->link_source) {
        assert_memory_equal(packet->link_source, e->link_source, PACKET_MAC_SIZE);
        assert_memory_equal(packet->link_destination, e->link_destination, PACKET_MAC_SIZE);
    } else {
        assert_null(packet->link_source);
    }
}

/* ---- checksums ------------------------------------------------------------------------------- */

/* The example of RFC 1071, section 3: 00 01 f2 03 f4 f5 f6 f7 sums up to ddf2. */
static void rfc_1071_example(void **state)
{
    static const uint8_t data[] = {0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7};
    uint16_t sum = packet_fold(packet_sum(0, data, sizeof(data)));

    (void)state;
    assert_int_equal(ntohs(sum), 0xddf2);
    assert_int_equal(ntohs(packet_checksum(packet_sum(0, data, sizeof(data)))), 0x220d);
}

/* RFC 1624, section 4: a header sum of cd7a, a word that goes from 5555 to 3285, and the checksum
 * becomes 0000. */
static void rfc_1624_example(void **state)
{
    uint64_t rest = htons(0xcd7a);
    uint64_t before = rest + htons(0x5555), after = rest + htons(0x3285);

    (void)state;
    assert_int_equal(ntohs(packet_checksum(before)), 0xdd2f);
    assert_int_equal(ntohs(packet_checksum(after)), 0x0000);
}

static void sum_does_not_depend_on_pieces(void **state)
{
    uint8_t data[257];
    uint64_t plain = 0;

    (void)state;
    for (size_t i = 0; i < sizeof(data); i++)
        data[i] = (uint8_t)(i * 37 + 200);
    for (size_t len = 0; len <= sizeof(data); len++) {
        uint16_t whole = packet_fold(packet_sum(0, data, len));

        plain = 0;
        for (size_t i = 0; i < len; i++)
            plain += i % 2 == 0 ? (uint64_t)data[i] << 8 : data[i];
        assert_int_equal(ntohs(whole), packet_fold(plain));
        for (size_t cut = 0; cut <= len; cut += 2)
            assert_int_equal(
                packet_fold(packet_sum(packet_sum(0, data, cut), data + cut, len - cut)), whole);
    }
}

/* ---- each writer ----------------------------------------------------------------------------- */

static void arp_request(void **state)
{
    static const uint8_t expected[] = {
        0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0,   0, 0, 0, 1, 8, 6, 0, 1, 8, 0,   6, 4, 0,
        1,    2,    0,    0,    0,    0,    1, 192, 0, 2, 1, 0, 0, 0, 0, 0, 0, 192, 0, 2, 9};
    uint8_t frame[FRAME_MAX];
    struct in_addr source = address("192.0.2.1").v4, target = address("192.0.2.9").v4;
    ssize_t len;

    (void)state;
    len = packet_write_arp_request(frame, sizeof(frame), our_mac, NULL, source, target);
    assert_int_equal(len, sizeof(expected));
    assert_memory_equal(frame, expected, sizeof(expected));
    for (size_t size = 0; size < sizeof(expected); size++)
        assert_int_equal(packet_write_arp_request(frame, size, our_mac, NULL, source, target),
                         -ENOBUFS);
    len = packet_write_arp_request(frame, sizeof(frame), our_mac, their_mac, source, target);
    assert_memory_equal(written(PACKET_LINK_ETHERNET, frame, len).link_destination, their_mac, 6);
}

static void neighbour_solicitation(void **state)
{
    static const uint8_t group_mac[] = {0x33, 0x33, 0xff, 0x34, 0x56, 0x78};
    uint8_t frame[FRAME_MAX];
    packet_addr_t source = address("2001:db8::1"), target = address("2001:db8::1234:5678");
    packet_addr_t group = address("ff02::1:ff34:5678"), any = address("::");
    ssize_t len =
        packet_write_neighbour_solicitation(frame, sizeof(frame), our_mac, &source.v6, &target.v6);
    packet_t packet = written(PACKET_LINK_ETHERNET, frame, len);

    (void)state;
    assert_memory_equal(packet.link_destination, group_mac, sizeof(group_mac));
    assert_true(packet_addr_equal(&packet.destination, &group));
    assert_int_equal(packet.kind, PACKET_ICMPV6);
    assert_int_equal(packet.icmp.type, 135);
    assert_true(packet.icmp.is_neighbour);
    assert_memory_equal(&packet.icmp.target, &target.v6, sizeof(target.v6));
    assert_non_null(packet.icmp.link_address);
    assert_memory_equal(packet.icmp.link_address, our_mac, PACKET_MAC_SIZE);
    assert_int_equal(packet_check(&packet), PACKET_CHECK_GOOD);
    len = packet_write_neighbour_solicitation(frame, sizeof(frame), our_mac, &any.v6, &target.v6);
    packet = written(PACKET_LINK_ETHERNET, frame, len);
    assert_true(packet.icmp.is_neighbour);
    assert_null(packet.icmp.link_address);
}

static void echo(void **state)
{
    const packet_icmp_out_t icmp = {
        .id = 0xabcd, .seq = 0x0102, .payload = "odd", .payload_len = 3};
    uint8_t frame[FRAME_MAX];

    (void)state;
    FOR_EACH_ENVELOPE(e, link)
    {
        ssize_t len = packet_write_icmp(frame, sizeof(frame), &e, &icmp);
        packet_t packet = written(link, frame, len);

        assert_envelope(&packet, &e);
        assert_int_equal(packet.kind, e.source.family == AF_INET ? PACKET_ICMP : PACKET_ICMPV6);
        assert_int_equal(packet.icmp.type, e.source.family == AF_INET ? 8 : 128);
        assert_int_equal(packet.icmp.id, 0xabcd);
        assert_int_equal(packet.icmp.seq, 0x0102);
        assert_false(packet.icmp.is_error);
        assert_int_equal(packet.payload_len, 3);
        assert_memory_equal(packet.payload, "odd", 3);
        assert_int_equal(packet_check(&packet), PACKET_CHECK_GOOD);
    }
}

static void timestamp_and_netmask(void **state)
{
    packet_icmp_out_t icmp = {.ask = PACKET_ASK_TIMESTAMP, .id = 7, .seq = 9};
    packet_envelope_t v4 = envelope(AF_INET, PACKET_LINK_IP);
    packet_envelope_t v6 = envelope(AF_INET6, PACKET_LINK_IP);
    uint8_t frame[FRAME_MAX];
    packet_t packet;

    (void)state;
    packet = written(PACKET_LINK_IP, frame, packet_write_icmp(frame, sizeof(frame), &v4, &icmp));
    assert_int_equal(packet.icmp.type, 13);
    assert_int_equal(packet.payload_len, 12);
    assert_int_equal(packet_check(&packet), PACKET_CHECK_GOOD);
    assert_int_equal(packet_write_icmp(frame, sizeof(frame), &v6, &icmp), -EINVAL);
    icmp.ask = PACKET_ASK_NETMASK;
    packet = written(PACKET_LINK_IP, frame, packet_write_icmp(frame, sizeof(frame), &v4, &icmp));
    assert_int_equal(packet.icmp.type, 17);
    assert_int_equal(packet.payload_len, 4);
    icmp.payload = "x";
    icmp.payload_len = 1;
    packet = written(PACKET_LINK_IP, frame, packet_write_icmp(frame, sizeof(frame), &v4, &icmp));
    assert_int_equal(packet.payload_len, 5);
    assert_memory_equal(packet.payload, "\0\0\0\0x", 5);
    assert_int_equal(packet_check(&packet), PACKET_CHECK_GOOD);
}

static void tcp_segment(void **state)
{
    const packet_tcp_out_t tcp = {.source_port = 40001,
                                  .destination_port = 443,
                                  .seq = 0xfedcba98,
                                  .ack = 0x01234567,
                                  .flags = PACKET_FIN | PACKET_PSH | PACKET_URG,
                                  .window = 1024,
                                  .urgent = 5,
                                  .payload = "hello",
                                  .payload_len = 5};
    uint8_t frame[FRAME_MAX];

    (void)state;
    FOR_EACH_ENVELOPE(e, link)
    {
        ssize_t len = packet_write_tcp(frame, sizeof(frame), &e, &tcp);
        packet_t packet = written(link, frame, len);

        assert_envelope(&packet, &e);
        assert_int_equal(packet.kind, PACKET_TCP);
        assert_int_equal(packet.tcp.source_port, 40001);
        assert_int_equal(packet.tcp.destination_port, 443);
        assert_int_equal(packet.tcp.seq, 0xfedcba98);
        assert_int_equal(packet.tcp.ack, 0x01234567);
        assert_int_equal(packet.tcp.flags, PACKET_FIN | PACKET_PSH | PACKET_URG);
        assert_int_equal(packet.tcp.window, 1024);
        assert_int_equal(packet.tcp.urgent, 5);
        assert_int_equal(packet.tcp.options_len, 0);
        assert_int_equal(packet.tcp.window_scale, PACKET_NO_SCALE);
        assert_int_equal(packet.payload_len, 5);
        assert_int_equal(packet_check(&packet), PACKET_CHECK_GOOD);
    }
}

/* Every choice of options comes back, in a header that is a multiple of four bytes. */
static void tcp_options(void **state)
{
    uint8_t frame[FRAME_MAX];

    (void)state;
    for (unsigned choice = 0; choice < 16; choice++) {
        packet_envelope_t e = envelope(AF_INET, PACKET_LINK_IP);
        packet_tcp_out_t tcp = {.flags = PACKET_SYN,
                                .mss = choice & 1 ? 1460 : 0,
                                .sack_permitted = choice & 2,
                                .timestamps = choice & 4,
                                .timestamp = 0x11223344,
                                .timestamp_echo = 0x55667788,
                                .has_window_scale = choice & 8,
                                .window_scale = 7};
        packet_t packet =
            written(PACKET_LINK_IP, frame, packet_write_tcp(frame, sizeof(frame), &e, &tcp));

        assert_false(packet.tcp.bad_options);
        assert_int_equal(packet.tcp.options_len % 4, 0);
        assert_int_equal(packet.tcp.mss, tcp.mss);
        assert_int_equal(packet.tcp.sack_permitted, tcp.sack_permitted);
        assert_int_equal(packet.tcp.has_timestamps, tcp.timestamps);
        assert_int_equal(packet.tcp.timestamp, tcp.timestamps ? 0x11223344 : 0);
        assert_int_equal(packet.tcp.timestamp_echo, tcp.timestamps ? 0x55667788 : 0);
        assert_int_equal(packet.tcp.window_scale, choice & 8 ? 7 : PACKET_NO_SCALE);
        assert_int_equal(packet.payload_len, 0);
        assert_int_equal(packet_check(&packet), PACKET_CHECK_GOOD);
    }
}

/* As Linux opens a connection. */
static void syn_of_a_real_stack(void **state)
{
    packet_tcp_out_t syn = packet_tcp_syn(AF_INET, 1500);

    (void)state;
    assert_int_equal(syn.flags, PACKET_SYN);
    assert_int_equal(syn.mss, 1460);
    assert_int_equal(syn.window, 64240);
    assert_true(syn.sack_permitted && syn.timestamps && syn.has_window_scale);
    syn = packet_tcp_syn(AF_INET6, 1500);
    assert_int_equal(syn.mss, 1440);
    assert_int_equal(syn.window, 64800);
    assert_int_equal(packet_tcp_syn(AF_INET, 65536).mss, 65495);
    assert_int_equal(packet_tcp_syn(AF_INET, 65536).window, 65495);
    assert_int_equal(packet_tcp_syn(AF_INET6, 65536).mss, 65476);
    assert_int_equal(packet_tcp_syn(AF_INET6, UINT32_MAX).mss, 65515);
    assert_true(packet_tcp_syn(AF_INET6, 0).mss > 0);
}

static void udp_datagram(void **state)
{
    static const char payload[] = "some odd payload";
    uint8_t frame[FRAME_MAX];

    (void)state;
    for (size_t len = 0; len <= sizeof(payload); len++) {
        FOR_EACH_ENVELOPE(e, link)
        {
            packet_udp_out_t udp = {.source_port = 50000,
                                    .destination_port = 53,
                                    .payload = len ? payload : NULL,
                                    .payload_len = len};
            packet_t packet =
                written(link, frame, packet_write_udp(frame, sizeof(frame), &e, &udp));

            assert_envelope(&packet, &e);
            assert_int_equal(packet.kind, PACKET_UDP);
            assert_int_equal(packet.udp.source_port, 50000);
            assert_int_equal(packet.udp.destination_port, 53);
            assert_int_equal(packet.payload_len, len);
            assert_memory_equal(packet.payload, payload, len);
            assert_int_equal(packet_check(&packet), PACKET_CHECK_GOOD);
        }
    }
}

/* A sum of 0 is sent as ffff, since 0 means "none": found by trying all values of two bytes. */
static void udp_checksum_is_never_zero(void **state)
{
    packet_envelope_t e = envelope(AF_INET6, PACKET_LINK_IP);
    uint8_t frame[FRAME_MAX], payload[2];
    bool seen = false;

    (void)state;
    for (unsigned i = 0; i < 65536; i++) {
        packet_udp_out_t udp = {.payload = payload, .payload_len = sizeof(payload)};
        packet_t packet;

        payload[0] = (uint8_t)(i >> 8);
        payload[1] = (uint8_t)i;
        packet = written(PACKET_LINK_IP, frame, packet_write_udp(frame, sizeof(frame), &e, &udp));
        assert_int_equal(packet_check(&packet), PACKET_CHECK_GOOD);
        assert_false(packet.transport[6] == 0 && packet.transport[7] == 0);
        seen |= packet.transport[6] == 0xff && packet.transport[7] == 0xff;
    }
    assert_true(seen);
}

static void other_protocol(void **state)
{
    uint8_t frame[FRAME_MAX];

    (void)state;
    FOR_EACH_ENVELOPE(e, link)
    {
        packet_t packet =
            written(link, frame, packet_write_ip(frame, sizeof(frame), &e, IPPROTO_SCTP, "abc", 3));

        assert_envelope(&packet, &e);
        assert_int_equal(packet.kind, PACKET_OTHER);
        assert_int_equal(packet.protocol, IPPROTO_SCTP);
        assert_int_equal(packet.payload_len, 3);
        assert_int_equal(packet_check(&packet), PACKET_CHECK_ABSENT);
    }
}

/* ---- what is refused ------------------------------------------------------------------------- */

static void no_buffer_is_overrun(void **state)
{
    packet_tcp_out_t syn = packet_tcp_syn(AF_INET, 1500);
    const packet_udp_out_t udp = {.payload = "abc", .payload_len = 3};
    const packet_icmp_out_t icmp = {.payload = "abc", .payload_len = 3};
    packet_addr_t v6 = address("2001:db8::1");

    (void)state;
    FOR_EACH_ENVELOPE(e, link)
    {
        uint8_t frame[FRAME_MAX];
        ssize_t lengths[] = {
            packet_write_tcp(frame, sizeof(frame), &e, &syn),
            packet_write_udp(frame, sizeof(frame), &e, &udp),
            packet_write_icmp(frame, sizeof(frame), &e, &icmp),
            packet_write_ip(frame, sizeof(frame), &e, 47, "abc", 3),
            packet_write_neighbour_solicitation(frame, sizeof(frame), our_mac, &v6.v6, &v6.v6)};

        for (size_t size = 0; size <= PACKET_WRITE_MAX; size++) {
            uint8_t *exact = malloc(size ? size : 1);
            ssize_t got[] = {
                packet_write_tcp(exact, size, &e, &syn), packet_write_udp(exact, size, &e, &udp),
                packet_write_icmp(exact, size, &e, &icmp),
                packet_write_ip(exact, size, &e, 47, "abc", 3),
                packet_write_neighbour_solicitation(exact, size, our_mac, &v6.v6, &v6.v6)};

            for (size_t i = 0; i < sizeof(got) / sizeof(got[0]); i++)
                assert_int_equal(got[i], (ssize_t)size < lengths[i] ? -ENOBUFS : lengths[i]);
            free(exact);
        }
        (void)link;
    }
}

static void bad_envelopes(void **state)
{
    packet_tcp_out_t syn = packet_tcp_syn(AF_INET, 1500);
    packet_envelope_t e = envelope(AF_INET, PACKET_LINK_ETHERNET);
    uint8_t frame[FRAME_MAX];
    static const uint8_t big[65536];

    (void)state;
    e.destination = address("2001:db8::1");
    assert_int_equal(packet_write_tcp(frame, sizeof(frame), &e, &syn), -EINVAL);
    e = envelope(AF_INET, PACKET_LINK_ETHERNET);
    e.link_destination = NULL;
    assert_int_equal(packet_write_tcp(frame, sizeof(frame), &e, &syn), -EINVAL);
    e = envelope(AF_INET, PACKET_LINK_IP);
    e.source.family = e.destination.family = 0;
    assert_int_equal(packet_write_tcp(frame, sizeof(frame), &e, &syn), -EINVAL);
    e = envelope(AF_INET, PACKET_LINK_IP);
    assert_int_equal(packet_write_ip(frame, sizeof(frame), &e, 47, big, 65516), HERR_RANGE);
    assert_int_equal(packet_write_ip(frame, sizeof(frame), &e, 47, big, SIZE_MAX), HERR_RANGE);
    assert_int_equal(packet_write_ip(frame, sizeof(frame), &e, 47, big, 65515), -ENOBUFS);
    syn.payload_len = SIZE_MAX - 10;
    assert_int_equal(packet_write_tcp(frame, sizeof(frame), &e, &syn), HERR_RANGE);
}

/* The longest packets that there are. */
static void longest_payloads(void **state)
{
    static const uint8_t big[65536];
    static uint8_t frame[PACKET_WRITE_MAX + sizeof(big)];

    (void)state;
    FOR_EACH_ENVELOPE(e, link)
    {
        size_t most = 65535 - 8 - (e.source.family == AF_INET ? 20 : 0);
        packet_udp_out_t udp = {.payload = big, .payload_len = most};
        packet_t packet = written(link, frame, packet_write_udp(frame, sizeof(frame), &e, &udp));

        assert_int_equal(packet.payload_len, most);
        assert_int_equal(packet_check(&packet), PACKET_CHECK_GOOD);
        udp.payload_len++;
        assert_int_equal(packet_write_udp(frame, sizeof(frame), &e, &udp), HERR_RANGE);
    }
}

/* ---- templates ------------------------------------------------------------------------------- */

static uint32_t random_state = 1;

static uint32_t random32(void)
{
    random_state = random_state * 1664525 + 1013904223;
    return random_state ^ random_state >> 15;
}

static void random_address(packet_addr_t *addr)
{
    for (size_t i = 0; i < sizeof(addr->v6); i += sizeof(uint32_t)) {
        uint32_t word = random32();

        memcpy(addr->v6.s6_addr + i, &word, sizeof(word));
    }
}

/* A patched template is, byte for byte, the packet that is written anew. */
static void template_is_as_written(void **state)
{
    (void)state;
    FOR_EACH_ENVELOPE(e, link)
    {
        packet_tcp_out_t tcp = packet_tcp_syn(e.source.family, 1500);
        packet_template_t probe;

        assert_int_equal(packet_template_init(&probe, &e, &tcp), 0);
        for (int i = 0; i < 2000; i++) {
            uint8_t frame[FRAME_MAX];
            ssize_t len;
            packet_patch_t patch;

            len = packet_write_tcp(frame, sizeof(frame), &e, &tcp);
            assert_int_equal(probe.len, len);
            assert_memory_equal(probe.bytes, frame, len);
            random_address(&e.destination);
            e.id = (uint16_t)random32();
            tcp.source_port = (uint16_t)random32();
            tcp.destination_port = (uint16_t)random32();
            tcp.seq = random32();
            tcp.ack = random32();
            patch = (packet_patch_t){&e.destination, tcp.source_port, tcp.destination_port,
                                     tcp.seq,        tcp.ack,         e.id};
            packet_template_patch(&probe, &patch);
        }
        (void)link;
    }
}

static void template_for_another_link(void **state)
{
    static const uint8_t gateway[PACKET_MAC_SIZE] = {2, 9, 9, 9, 9, 9};
    packet_envelope_t e = envelope(AF_INET, PACKET_LINK_ETHERNET);
    packet_tcp_out_t tcp = packet_tcp_syn(AF_INET, 1500);
    packet_template_t probe, before;

    (void)state;
    assert_int_equal(packet_template_init(&probe, &e, &tcp), 0);
    packet_template_set_link(&probe, gateway);
    assert_memory_equal(probe.bytes, gateway, sizeof(gateway));
    e = envelope(AF_INET, PACKET_LINK_IP);
    assert_int_equal(packet_template_init(&probe, &e, &tcp), 0);
    before = probe;
    packet_template_set_link(&probe, gateway); /* there is no place for it */
    assert_memory_equal(probe.bytes, before.bytes, sizeof(before.bytes));
    tcp.payload = "x";
    tcp.payload_len = 1;
    assert_int_equal(packet_template_init(&probe, &e, &tcp), -EINVAL);
    tcp.payload_len = 0;
    e.destination = address("::1");
    assert_int_equal(packet_template_init(&probe, &e, &tcp), -EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rfc_1071_example),
        cmocka_unit_test(rfc_1624_example),
        cmocka_unit_test(sum_does_not_depend_on_pieces),
        cmocka_unit_test(arp_request),
        cmocka_unit_test(neighbour_solicitation),
        cmocka_unit_test(echo),
        cmocka_unit_test(timestamp_and_netmask),
        cmocka_unit_test(tcp_segment),
        cmocka_unit_test(tcp_options),
        cmocka_unit_test(syn_of_a_real_stack),
        cmocka_unit_test(udp_datagram),
        cmocka_unit_test(udp_checksum_is_never_zero),
        cmocka_unit_test(other_protocol),
        cmocka_unit_test(no_buffer_is_overrun),
        cmocka_unit_test(bad_envelopes),
        cmocka_unit_test(longest_payloads),
        cmocka_unit_test(template_is_as_written),
        cmocka_unit_test(template_for_another_link),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
