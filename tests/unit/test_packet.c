/* One thread. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "packet_fixture.h"

/* ---- links ----------------------------------------------------------------------------------- */

static void vlan_tags_are_skipped(void **state)
{
    (void)state;
    for (unsigned vlans = 0; vlans <= PACKET_VLANS_MAX + 1; vlans++) {
        maker_t m = {.len = 0};

        add_ethernet(&m, vlans > 1 ? 0x88a8 : vlans ? 0x8100 : 0x0800);
        for (unsigned i = 0; i < vlans; i++)
            ADD(&m, 0, 5, i + 1 < vlans ? 0x81 : 0x08, 0);
        add_ipv4(&m, IPPROTO_TCP, 20, 0);
        add_tcp(&m, 5);
        if (vlans > PACKET_VLANS_MAX) {
            assert_int_equal(result(&m, PACKET_LINK_ETHERNET), HERR_FRAME);
        } else {
            packet_t packet = parsed(&m, PACKET_LINK_ETHERNET);

            assert_syn_ack(&packet);
            assert_memory_equal(packet.link_destination, our_mac, sizeof(our_mac));
            assert_memory_equal(packet.link_source, their_mac, sizeof(their_mac));
        }
    }
}

static void arp_reply(void **state)
{
    maker_t m = {.len = 0};
    packet_addr_t sender = address("192.0.2.9"), target = address("192.0.2.1");
    packet_t packet;

    (void)state;
    add_ethernet(&m, 0x0806);
    ADD(&m, 0, 1, 8, 0, 6, 4, 0, 2, 2, 0, 0, 0, 0, 9, 192, 0, 2, 9);
    add(&m, our_mac, sizeof(our_mac));
    ADD(&m, 192, 0, 2, 1);
    packet = parsed(&m, PACKET_LINK_ETHERNET);
    assert_int_equal(packet.kind, PACKET_ARP);
    assert_int_equal(packet.arp.operation, 2);
    assert_true(packet_addr_equal(&packet.source, &sender));
    assert_true(packet_addr_equal(&packet.destination, &target));
    assert_int_equal(packet.arp.sender_mac[5], 9);
    assert_memory_equal(packet.arp.target_mac, our_mac, sizeof(our_mac));
    assert_int_equal(packet_check(&packet), PACKET_CHECK_ABSENT);
    assert_int_equal(packet_check_header(&packet), PACKET_CHECK_ABSENT);
    m.data[14 + 4] = 8; /* link addresses of another size */
    assert_int_equal(result(&m, PACKET_LINK_ETHERNET), HERR_UNSUPPORTED);
}

static void other_types_are_refused(void **state)
{
    maker_t m = {.len = 0};

    (void)state;
    add_ethernet(&m, 0x88cc);
    ADD(&m, 1, 2, 3, 4);
    assert_int_equal(result(&m, PACKET_LINK_ETHERNET), HERR_UNSUPPORTED);
    m.data[0] = 0x20;
    assert_int_equal(result(&m, PACKET_LINK_IP), HERR_UNSUPPORTED);
    m.data[12] = 0x08;
    m.data[13] = 0x00;
    m.data[14] = 0x65; /* IPv6 where the type says IPv4 */
    m.len = 60;
    assert_int_equal(result(&m, PACKET_LINK_ETHERNET), HERR_FRAME);
}

/* What fills a frame up to 60 bytes is nobody's payload. */
static void padding_is_left_out(void **state)
{
    maker_t m = {.len = 0};
    packet_t packet;

    (void)state;
    add_ethernet(&m, 0x0800);
    add_ipv4(&m, IPPROTO_TCP, 20, 0);
    add_tcp(&m, 5);
    ADD(&m, 9, 9, 9, 9, 9, 9);
    packet = parsed(&m, PACKET_LINK_ETHERNET);
    assert_syn_ack(&packet);
    assert_int_equal(packet.payload_len, 0);
    assert_int_equal(packet.ip_len, 40);
    assert_false(packet.truncated);
}

/* ---- IP -------------------------------------------------------------------------------------- */

static void ipv4_options_are_skipped(void **state)
{
    maker_t m = {.len = 0};
    packet_t packet;

    (void)state;
    add_ipv4(&m, IPPROTO_TCP, 28, 0x4000);
    m.data[0] = 0x47;
    ADD(&m, 0x94, 4, 0, 0, 1, 1, 1, 0);
    add_tcp(&m, 5);
    packet = parsed(&m, PACKET_LINK_IP);
    assert_syn_ack(&packet);
    assert_true(packet.dont_fragment);
    assert_null(packet.link_source);
}

static void lengths_that_contradict(void **state)
{
    maker_t m = {.len = 0};

    (void)state;
    add_ipv4(&m, IPPROTO_TCP, 20, 0);
    add_tcp(&m, 5);
    m.data[0] = 0x44;
    assert_int_equal(result(&m, PACKET_LINK_IP), HERR_FRAME);
    m.data[0] = 0x45;
    m.data[3] = 19; /* less than its header */
    assert_int_equal(result(&m, PACKET_LINK_IP), HERR_FRAME);
    m.data[3] = 39; /* less than TCP's */
    assert_int_equal(result(&m, PACKET_LINK_IP), HERR_FRAME);
    m.data[3] = 40;
    m.data[32] = 4 << 4;
    assert_int_equal(result(&m, PACKET_LINK_IP), HERR_FRAME);
    m.data[32] = 6 << 4; /* options past the packet's end */
    assert_int_equal(result(&m, PACKET_LINK_IP), HERR_FRAME);
}

static void fragments(void **state)
{
    maker_t m = {.len = 0};
    packet_t packet;

    (void)state;
    add_ipv4(&m, IPPROTO_TCP, 20, 0x2000);
    add_tcp(&m, 5);
    packet = parsed(&m, PACKET_LINK_IP);
    assert_syn_ack(&packet);
    assert_true(packet.more_fragments);
    assert_int_equal(packet_check(&packet), PACKET_CHECK_UNKNOWN);
    m.data[7] = 185;
    packet = parsed(&m, PACKET_LINK_IP);
    assert_int_equal(packet.kind, PACKET_FRAGMENT);
    assert_int_equal(packet.protocol, IPPROTO_TCP);
    assert_int_equal(packet.fragment_offset, 1480);
    assert_int_equal(packet.ip_id, 0x1234);
    assert_int_equal(packet.payload_len, 20);
}

static void extension_headers(void **state)
{
    maker_t m = {.len = 0};
    packet_t packet;

    (void)state;
    add_ipv6(&m, IPPROTO_HOPOPTS, 8 + 16 + 8 + 8 + 12 + 20);
    ADD(&m, IPPROTO_DSTOPTS, 0, 1, 4, 0, 0, 0, 0);
    ADD(&m, IPPROTO_ROUTING, 1, 1, 12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0);
    ADD(&m, IPPROTO_FRAGMENT, 0, 4, 0, 0, 0, 0, 0);
    ADD(&m, IPPROTO_AH, 0, 0, 1, 0xaa, 0xbb, 0xcc, 0xdd);
    ADD(&m, IPPROTO_TCP, 1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 2);
    add_tcp(&m, 5);
    packet = parsed(&m, PACKET_LINK_IP);
    assert_syn_ack(&packet);
    assert_int_equal(packet.protocol, IPPROTO_TCP);
    assert_int_equal(packet.tos, 0xab);
    assert_int_equal(packet.ip_id, 0xaabbccdd);
    assert_true(packet.more_fragments);
    assert_int_equal(packet.fragment_offset, 0);
}

static void ipv6_fragment_that_is_not_the_first(void **state)
{
    maker_t m = {.len = 0};
    packet_t packet;

    (void)state;
    add_ipv6(&m, IPPROTO_FRAGMENT, 12);
    ADD(&m, IPPROTO_UDP, 0, 0x05, 0xa8, 0, 0, 0, 9, 1, 2, 3, 4);
    packet = parsed(&m, PACKET_LINK_IP);
    assert_int_equal(packet.kind, PACKET_FRAGMENT);
    assert_int_equal(packet.fragment_offset, 0x05a8);
    assert_int_equal(packet.protocol, IPPROTO_UDP);
    assert_int_equal(packet.payload_len, 4);
    m.data[40] = IPPROTO_DSTOPTS; /* that header is in the first fragment, these are no options */
    packet = parsed(&m, PACKET_LINK_IP);
    assert_int_equal(packet.kind, PACKET_FRAGMENT);
    assert_int_equal(packet.payload_len, 4);
}

static void chain_of_extensions_is_bounded(void **state)
{
    (void)state;
    for (unsigned n = 0; n <= PACKET_EXTENSIONS_MAX + 1; n++) {
        maker_t m = {.len = 0};

        add_ipv6(&m, n ? IPPROTO_DSTOPTS : IPPROTO_TCP, n * 8 + 20);
        for (unsigned i = 1; i <= n; i++)
            ADD(&m, i < n ? IPPROTO_DSTOPTS : IPPROTO_TCP, 0, 1, 4, 0, 0, 0, 0);
        add_tcp(&m, 5);
        assert_int_equal(result(&m, PACKET_LINK_IP), n > PACKET_EXTENSIONS_MAX ? HERR_FRAME : 0);
    }
}

static void extension_past_the_end(void **state)
{
    maker_t m = {.len = 0};

    (void)state;
    add_ipv6(&m, IPPROTO_DSTOPTS, 8);
    ADD(&m, IPPROTO_TCP, 1, 1, 4, 0, 0, 0, 0);
    assert_int_equal(result(&m, PACKET_LINK_IP), HERR_FRAME);
    m.data[5] = 16; /* as long as it says, but captured in part */
    assert_int_equal(result(&m, PACKET_LINK_IP), HERR_TRUNCATED);
    m.data[6] = IPPROTO_NONE;
    assert_int_equal(result(&m, PACKET_LINK_IP), 0);
}

/* ---- addresses ------------------------------------------------------------------------------- */

static void addresses(void **state)
{
    packet_addr_t v4 = address("192.0.2.1"), v6 = address("fe80::1"),
                  global = address("2001:db8::1");
    packet_addr_t none = {.family = 0}, back;
    struct sockaddr_storage sa;
    struct sockaddr_in6 sin6;

    (void)state;
    assert_int_equal(packet_addr_to(&v4, 80, 3, &sa), sizeof(struct sockaddr_in));
    back = packet_addr((struct sockaddr *)&sa);
    assert_true(packet_addr_equal(&back, &v4));
    assert_int_equal(packet_addr_to(&v6, 80, 3, &sa), sizeof(sin6));
    memcpy(&sin6, &sa, sizeof(sin6));
    assert_int_equal(sin6.sin6_scope_id, 3);
    assert_int_equal(ntohs(sin6.sin6_port), 80);
    back = packet_addr((struct sockaddr *)&sa);
    assert_true(packet_addr_equal(&back, &v6));
    assert_false(packet_addr_equal(&v4, &v6));
    assert_false(packet_addr_equal(&v6, &global));
    packet_addr_to(&global, 80, 3, &sa);
    memcpy(&sin6, &sa, sizeof(sin6));
    assert_int_equal(sin6.sin6_scope_id, 0);
    assert_int_equal(packet_addr_to(&none, 80, 3, &sa), 0);
    sa.ss_family = AF_UNIX;
    back = packet_addr((struct sockaddr *)&sa);
    assert_true(packet_addr_equal(&back, &none));
}

/* ---- everything, cut and broken -------------------------------------------------------------- */

/* One of each kind. */
static size_t samples(maker_t *made)
{
    packet_envelope_t v4 = envelope(AF_INET, PACKET_LINK_ETHERNET);
    packet_envelope_t v6 = envelope(AF_INET6, PACKET_LINK_ETHERNET);
    packet_tcp_out_t syn = packet_tcp_syn(AF_INET, 1500);
    const packet_udp_out_t udp = {.payload = "payload", .payload_len = 7};
    const packet_icmp_out_t echo = {.id = 1};
    maker_t *m = made;

#define WRITE(call) (m->len = (size_t)(call), m++)
    WRITE(packet_write_tcp(m->data, sizeof(m->data), &v4, &syn));
    WRITE(packet_write_tcp(m->data, sizeof(m->data), &v6, &syn));
    WRITE(packet_write_udp(m->data, sizeof(m->data), &v4, &udp));
    WRITE(packet_write_udp(m->data, sizeof(m->data), &v6, &udp));
    WRITE(packet_write_icmp(m->data, sizeof(m->data), &v4, &echo));
    WRITE(packet_write_icmp(m->data, sizeof(m->data), &v6, &echo));
    WRITE(packet_write_arp_request(m->data, sizeof(m->data), our_mac, NULL, v4.source.v4,
                                   v4.destination.v4));
    WRITE(packet_write_neighbour_solicitation(m->data, sizeof(m->data), our_mac, &v6.source.v6,
                                              &v6.destination.v6));
#undef WRITE
    add_ethernet(m, 0x0800);
    add_unreachable(m, true, made[0].len - 14, 3);
    add(m, made[0].data + 14, made[0].len - 14);
    m++;
    add_ethernet(m, 0x86dd);
    add_ipv6(m, IPPROTO_HOPOPTS, 8 + 12 + 8 + made[1].len - 14);
    ADD(m, IPPROTO_AH, 0, 1, 4, 0, 0, 0, 0);
    ADD(m, IPPROTO_ICMPV6, 1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 2);
    ADD(m, 1, 4, 0, 0, 0, 0, 0, 0);
    add(m, made[1].data + 14, made[1].len - 14);
    m++;
    add_ethernet(m, 0x88a8);
    ADD(m, 0, 5, 0x81, 0, 0, 6, 8, 0);
    add_ipv4(m, IPPROTO_TCP, 20, 0);
    add_tcp(m, 5);
    m++;
    return (size_t)(m - made);
}

/* Every view lies within what was given, and the checks read no further. */
static void assert_within(const packet_t *packet, const uint8_t *data, size_t len)
{
    const uint8_t *end = data + len;

    packet_check(packet);
    packet_check_header(packet);
    if (packet->ip)
        assert_true(packet->ip >= data && packet->ip + packet->ip_len <= end);
    if (packet->transport)
        assert_true(packet->transport >= data && packet->transport + packet->transport_len <= end);
    if (packet->payload)
        assert_true(packet->payload >= data && packet->payload + packet->payload_len <= end);
    if (packet->kind == PACKET_TCP && packet->tcp.options_len > 0)
        assert_true(packet->tcp.options + packet->tcp.options_len <= end);
}

static void parse_all(const uint8_t *data, size_t len)
{
    uint8_t *copy = malloc(len ? len : 1);
    packet_t packet, quoted;

    assert_non_null(copy);
    memcpy(copy, data, len);
    for (int link = 0; link < 2; link++) {
        if (packet_parse(&packet, link ? PACKET_LINK_IP : PACKET_LINK_ETHERNET, copy, len) != 0)
            continue;
        assert_within(&packet, copy, len);
        if (packet_quoted(&quoted, &packet) == 0)
            assert_within(&quoted, copy, len);
    }
    free(copy);
}

/* Each access past the end is seen by the address sanitizer, as the copy has its exact length. */
static int parse_exactly(packet_t *packet, packet_link_e link, const uint8_t *data, size_t len)
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

/* A capture that is cut anywhere is refused, or marked. */
static void every_truncation(void **state)
{
    static maker_t made[16];
    size_t n;

    (void)state;
    memset(made, 0, sizeof(made));
    n = samples(made);
    for (size_t i = 0; i < n; i++) {
        packet_t packet;

        for (size_t len = 0; len < made[i].len; len++) {
            int err = parse_exactly(&packet, PACKET_LINK_ETHERNET, made[i].data, len);

            assert_true(err == HERR_TRUNCATED || (err == 0 && packet.truncated));
            parse_all(made[i].data, len);
        }
        assert_int_equal(parse_exactly(&packet, PACKET_LINK_ETHERNET, made[i].data, made[i].len),
                         0);
        assert_false(packet.truncated);
    }
}

static void random_flips(void **state)
{
    static maker_t made[16];
    uint32_t seed = 12345;
    size_t n;

    (void)state;
    memset(made, 0, sizeof(made));
    n = samples(made);
    for (int round = 0; round < 20000; round++) {
        maker_t m = made[(size_t)round % n];
        size_t len;

        for (int flips = 0; flips < 4; flips++) {
            seed = seed * 1664525 + 1013904223;
            m.data[(seed >> 8) % m.len] ^= (uint8_t)(seed >> 24);
        }
        seed = seed * 1664525 + 1013904223;
        len = round % 3 ? m.len : (seed >> 8) % (m.len + 1);
        parse_all(m.data, len);
        if (len > 14)
            parse_all(m.data + 14, len - 14);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(vlan_tags_are_skipped),
        cmocka_unit_test(arp_reply),
        cmocka_unit_test(other_types_are_refused),
        cmocka_unit_test(padding_is_left_out),
        cmocka_unit_test(ipv4_options_are_skipped),
        cmocka_unit_test(lengths_that_contradict),
        cmocka_unit_test(fragments),
        cmocka_unit_test(extension_headers),
        cmocka_unit_test(ipv6_fragment_that_is_not_the_first),
        cmocka_unit_test(chain_of_extensions_is_bounded),
        cmocka_unit_test(extension_past_the_end),
        cmocka_unit_test(addresses),
        cmocka_unit_test(every_truncation),
        cmocka_unit_test(random_flips),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
