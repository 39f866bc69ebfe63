/* One thread. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "codec/packet_checksum.h"
#include "packet_fixture.h"

/* ---- TCP options ----------------------------------------------------------------------------- */

typedef struct options_case_s {
    const char *bytes;
    size_t len; /* a multiple of 4 */
    bool is_bad;
    uint16_t mss;
    uint8_t scale;
} options_case_t;

static void tcp_options(void **state)
{
    static const options_case_t cases[] = {
        {"\2\4\5\xb4", 4, false, 1460, PACKET_NO_SCALE},
        {"\2\4\5\xb4\3\3\x0e\0", 8, false, 1460, 14},
        {"\1\1\1\0", 4, false, 0, PACKET_NO_SCALE},
        {"\0\2\4\5", 4, false, 0, PACKET_NO_SCALE}, /* what follows the end is not read */
        {"\2\3\5\0", 4, true, 0, PACKET_NO_SCALE},  /* a length that MSS cannot have */
        {"\2\4\5\xb4\1\1\1\2", 8, true, 1460, PACKET_NO_SCALE}, /* ends within an option */
        {"\2\4\5\xb4\x63\0\0\0", 8, true, 1460, PACKET_NO_SCALE},
        {"\2\4\5\xb4\x63\1\0\0", 8, true, 1460, PACKET_NO_SCALE},
        {"\x63\5\0\0\0\3\3\7", 8, false, 0, 7}, /* one that nobody knows */
        {"\x63\x0c\0\0\0\0\0\0", 8, true, 0, PACKET_NO_SCALE},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const options_case_t *c = &cases[i];
        maker_t m = {.len = 0};
        packet_t packet;

        add_ipv4(&m, IPPROTO_TCP, 20 + c->len + 2, 0);
        add_tcp(&m, (uint8_t)(5 + c->len / 4));
        add(&m, c->bytes, c->len);
        ADD(&m, 'h', 'i');
        packet = parsed(&m, PACKET_LINK_IP);
        assert_syn_ack(&packet);
        assert_int_equal(packet.tcp.bad_options, c->is_bad);
        assert_int_equal(packet.tcp.mss, c->mss);
        assert_int_equal(packet.tcp.window_scale, c->scale);
        assert_int_equal(packet.tcp.options_len, c->len);
        assert_int_equal(packet.payload_len, 2);
        assert_memory_equal(packet.payload, "hi", 2);
    }
}

/* ---- UDP ------------------------------------------------------------------------------------- */

static void udp_lengths(void **state)
{
    maker_t m = {.len = 0};
    packet_t packet;

    (void)state;
    add_ipv4(&m, IPPROTO_UDP, 12, 0);
    ADD(&m, 0, 53, 0x9c, 0x40, 0, 12, 0, 0, 1, 2, 3, 4);
    packet = parsed(&m, PACKET_LINK_IP);
    assert_int_equal(packet.udp.source_port, 53);
    assert_int_equal(packet.payload_len, 4);
    assert_int_equal(packet_check(&packet), PACKET_CHECK_ABSENT);
    m.data[25] = 10; /* shorter than IP's: the rest does not count */
    packet = parsed(&m, PACKET_LINK_IP);
    assert_int_equal(packet.payload_len, 2);
    m.data[25] = 13;
    assert_int_equal(result(&m, PACKET_LINK_IP), HERR_FRAME);
    m.data[25] = 7;
    assert_int_equal(result(&m, PACKET_LINK_IP), HERR_FRAME);
    m.data[25] = 0;
    assert_int_equal(result(&m, PACKET_LINK_IP), HERR_FRAME);
}

/* ---- ICMP ------------------------------------------------------------------------------------ */

/* What a probe of ours looks like in the error that it caused, cut after any number of bytes. */
static void quoted_probe(void **state)
{
    const packet_tcp_out_t tcp = {
        .source_port = 40001, .destination_port = 8080, .seq = 0xcafe0102, .flags = PACKET_SYN};
    const sa_family_t families[] = {AF_INET, AF_INET6};

    (void)state;
    for (size_t f = 0; f < 2; f++) {
        packet_envelope_t e = envelope(families[f], PACKET_LINK_IP);
        bool is_v4 = families[f] == AF_INET;
        size_t header_len = is_v4 ? 20 : 40;
        uint8_t probe[FRAME_MAX];
        ssize_t probe_len = packet_write_tcp(probe, sizeof(probe), &e, &tcp);

        for (size_t cut = 0; cut <= (size_t)probe_len; cut++) {
            maker_t m = {.len = 0};
            packet_t packet, quoted;
            int err;

            add_unreachable(&m, is_v4, cut, 3);
            add(&m, probe, cut);
            packet = parsed(&m, PACKET_LINK_IP);
            assert_true(packet.icmp.is_error);
            assert_int_equal(packet.icmp.code, 3);
            err = packet_quoted(&quoted, &packet);
            assert_int_equal(err, cut < header_len ? HERR_TRUNCATED : 0);
            if (err)
                continue;
            assert_true(packet_addr_equal(&quoted.destination, &e.destination));
            assert_true(packet_addr_equal(&quoted.source, &e.source));
            assert_int_equal(quoted.protocol, IPPROTO_TCP);
            assert_int_equal(quoted.truncated, cut < (size_t)probe_len);
            assert_int_equal(packet_check(&quoted),
                             cut < header_len + 8 ? PACKET_CHECK_ABSENT : PACKET_CHECK_UNKNOWN);
            assert_int_equal(quoted.kind, cut < header_len + 8 ? PACKET_OTHER : PACKET_TCP);
            if (quoted.kind != PACKET_TCP)
                continue;
            assert_int_equal(quoted.tcp.source_port, 40001);
            assert_int_equal(quoted.tcp.destination_port, 8080);
            assert_int_equal(quoted.tcp.seq, 0xcafe0102);
            assert_int_equal(quoted.tcp.flags, cut < (size_t)probe_len ? 0 : PACKET_SYN);
        }
    }
}

static void quoted_udp_and_echo(void **state)
{
    packet_envelope_t e = envelope(AF_INET, PACKET_LINK_IP);
    const packet_udp_out_t udp = {
        .source_port = 40001, .destination_port = 161, .payload = "abcdef", .payload_len = 6};
    const packet_icmp_out_t echo = {.id = 77, .seq = 78};
    uint8_t probe[FRAME_MAX];
    packet_t packet, quoted, again;
    maker_t m = {.len = 0};

    (void)state;
    packet_write_udp(probe, sizeof(probe), &e, &udp);
    add_unreachable(&m, true, 28, 3);
    add(&m, probe, 28);
    packet = parsed(&m, PACKET_LINK_IP);
    assert_int_equal(packet_quoted(&quoted, &packet), 0);
    assert_int_equal(quoted.kind, PACKET_UDP);
    assert_int_equal(quoted.udp.destination_port, 161);
    assert_int_equal(quoted.payload_len, 0);
    m.len = 0;
    packet_write_icmp(probe, sizeof(probe), &e, &echo);
    add_unreachable(&m, true, 28, 1);
    add(&m, probe, 28);
    packet = parsed(&m, PACKET_LINK_IP);
    assert_int_equal(packet_quoted(&quoted, &packet), 0);
    assert_int_equal(quoted.kind, PACKET_ICMP);
    assert_int_equal(quoted.icmp.type, 8);
    assert_int_equal(quoted.icmp.id, 77);
    assert_int_equal(quoted.icmp.seq, 78);
    assert_int_equal(packet_quoted(&again, &quoted), -EINVAL);
}

/* Some hosts write what they like into the length of what they quote. */
static void quoted_with_a_wrong_length(void **state)
{
    packet_envelope_t e = envelope(AF_INET, PACKET_LINK_IP);
    const packet_tcp_out_t tcp = {.destination_port = 8080, .flags = PACKET_SYN};
    const uint8_t lengths[][2] = {{0, 0}, {0, 19}, {0, 20}, {0, 27}, {40, 0}, {255, 255}};
    uint8_t probe[FRAME_MAX];

    (void)state;
    for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
        maker_t m = {.len = 0};
        packet_t packet, quoted;

        packet_write_tcp(probe, sizeof(probe), &e, &tcp);
        memcpy(probe + 2, lengths[i], 2);
        add_unreachable(&m, true, 40, 13);
        add(&m, probe, 40);
        packet = parsed(&m, PACKET_LINK_IP);
        assert_int_equal(packet_quoted(&quoted, &packet), 0);
        assert_int_equal(quoted.kind, PACKET_TCP);
        assert_int_equal(quoted.tcp.destination_port, 8080);
        assert_int_equal(quoted.tcp.flags, PACKET_SYN);
    }
}

static void only_errors_quote(void **state)
{
    static const uint8_t v4_errors[] = {3, 4, 11, 12}, v6_errors[] = {1, 2, 3, 4};

    (void)state;
    for (unsigned type = 0; type < 256; type++) {
        for (int is_v4 = 0; is_v4 < 2; is_v4++) {
            maker_t m = {.len = 0};
            packet_t packet, quoted;
            bool is_error = memchr(is_v4 ? v4_errors : v6_errors, (int)type, 4) != NULL;

            add_unreachable(&m, is_v4, 0, 0);
            m.data[m.len - 8] = (uint8_t)type;
            packet = parsed(&m, PACKET_LINK_IP);
            assert_int_equal(packet.icmp.is_error, is_error);
            assert_int_equal(packet_quoted(&quoted, &packet), is_error ? HERR_TRUNCATED : -EINVAL);
        }
    }
}

/* ---- NDP ------------------------------------------------------------------------------------- */

/* An advertisement of fe80::9 with these options. */
static packet_t advertisement(const void *options, size_t len, uint8_t ttl)
{
    static maker_t m;
    packet_addr_t target = address("fe80::9");

    m.len = 0;
    add_ipv6(&m, IPPROTO_ICMPV6, 24 + len);
    m.data[7] = ttl;
    ADD(&m, 136, 0, 0, 0, 0x60, 0, 0, 0);
    add(&m, &target.v6, sizeof(target.v6));
    add(&m, options, len);
    return parsed(&m, PACKET_LINK_IP);
}

static void neighbour_advertisement(void **state)
{
    packet_addr_t target = address("fe80::9");
    packet_t packet = advertisement("\x0e\1......\2\1\2\0\0\0\0\x09", 16, 255);

    (void)state;
    assert_true(packet.icmp.is_neighbour);
    assert_memory_equal(&packet.icmp.target, &target.v6, sizeof(target.v6));
    assert_int_equal(packet.icmp.neighbour_flags,
                     PACKET_NEIGHBOUR_SOLICITED | PACKET_NEIGHBOUR_OVERRIDE);
    assert_non_null(packet.icmp.link_address);
    assert_memory_equal(packet.icmp.link_address, "\2\0\0\0\0\x09", 6);
    packet = advertisement("", 0, 255);
    assert_true(packet.icmp.is_neighbour);
    assert_null(packet.icmp.link_address);
    packet = advertisement("\1\1\2\0\0\0\0\x09", 8, 255); /* the source's, not the target's */
    assert_true(packet.icmp.is_neighbour);
    assert_null(packet.icmp.link_address);
}

/* What a router passed on, or what contradicts itself, says nothing about neighbours. */
static void void_advertisements(void **state)
{
    (void)state;
    assert_false(advertisement("\2\1\2\0\0\0\0\x09", 8, 254).icmp.is_neighbour);
    assert_false(advertisement("\2\1\2\0\0\0\0\x09\2\0\0\0\0\0\0\0", 16, 255).icmp.is_neighbour);
    assert_false(advertisement("\2\1\2\0\0\0\0\x09\2\2\0\0\0\0\0\0", 16, 255).icmp.is_neighbour);
    assert_null(advertisement("\2\1\2\0\0\0\0\x09\2\2\0\0\0\0\0\0", 16, 255).icmp.link_address);
    assert_false(advertisement("\2", 1, 255).icmp.is_neighbour);
}

/* ---- checksums ------------------------------------------------------------------------------- */

static void flipped_bits_are_seen(void **state)
{
    const packet_udp_out_t udp = {
        .source_port = 1, .destination_port = 2, .payload = "data", .payload_len = 4};
    const sa_family_t families[] = {AF_INET, AF_INET6};

    (void)state;
    for (size_t f = 0; f < 2; f++) {
        packet_envelope_t e = envelope(families[f], PACKET_LINK_IP);
        uint8_t frame[FRAME_MAX];
        ssize_t len = packet_write_udp(frame, sizeof(frame), &e, &udp);

        for (size_t bit = 0; bit < (size_t)len * 8; bit++) {
            packet_t packet;

            frame[bit / 8] ^= (uint8_t)(1u << bit % 8);
            if (packet_parse(&packet, PACKET_LINK_IP, frame, (size_t)len) == 0 &&
                families[f] == AF_INET)
                assert_true(packet_check_header(&packet) == PACKET_CHECK_BAD ||
                            packet_check(&packet) == PACKET_CHECK_BAD);
            else if (bit >= 8 * 8 && packet.kind != PACKET_OTHER)
                assert_int_equal(packet_check(&packet), PACKET_CHECK_BAD);
            frame[bit / 8] ^= (uint8_t)(1u << bit % 8);
        }
    }
}

/* As this machine's own packets look before a network card has finished them. */
static void partial_checksum(void **state)
{
    packet_envelope_t e = envelope(AF_INET, PACKET_LINK_IP);
    packet_tcp_out_t tcp = packet_tcp_syn(AF_INET, 1500);
    uint8_t frame[FRAME_MAX];
    ssize_t len = packet_write_tcp(frame, sizeof(frame), &e, &tcp);
    uint16_t field =
        packet_fold(packet_sum_pseudo(0, &e.source, &e.destination, IPPROTO_TCP, (size_t)len - 20));
    packet_t packet;

    (void)state;
    memcpy(frame + 20 + 16, &field, sizeof(field));
    assert_int_equal(packet_parse(&packet, PACKET_LINK_IP, frame, (size_t)len), 0);
    assert_int_equal(packet_check(&packet), PACKET_CHECK_PARTIAL);
    frame[20 + 16] ^= 1;
    assert_int_equal(packet_check(&packet), PACKET_CHECK_BAD);
}

static void udp_over_ipv6_needs_a_checksum(void **state)
{
    packet_envelope_t e = envelope(AF_INET6, PACKET_LINK_IP);
    const packet_udp_out_t udp = {.source_port = 1};
    uint8_t frame[FRAME_MAX];
    ssize_t len = packet_write_udp(frame, sizeof(frame), &e, &udp);
    packet_t packet;

    (void)state;
    frame[46] = frame[47] = 0;
    assert_int_equal(packet_parse(&packet, PACKET_LINK_IP, frame, (size_t)len), 0);
    assert_int_equal(packet_check(&packet), PACKET_CHECK_BAD);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tcp_options),
        cmocka_unit_test(udp_lengths),
        cmocka_unit_test(quoted_probe),
        cmocka_unit_test(quoted_udp_and_echo),
        cmocka_unit_test(quoted_with_a_wrong_length),
        cmocka_unit_test(only_errors_quote),
        cmocka_unit_test(neighbour_advertisement),
        cmocka_unit_test(void_advertisements),
        cmocka_unit_test(flipped_bits_are_seen),
        cmocka_unit_test(partial_checksum),
        cmocka_unit_test(udp_over_ipv6_needs_a_checksum),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
