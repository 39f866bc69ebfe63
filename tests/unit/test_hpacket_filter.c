/* One thread. */
/* The filter's program is run here as the kernel would run it, so that it can be shown what it lets
 * through without a socket; test_hpacket shows that the kernel takes it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "net/hpacket.h"
#include "packet_fixture.h"

#include <linux/if_ether.h>
#include <linux/if_packet.h>

/* A frame as the kernel knows it. */
typedef struct given_s {
    const uint8_t *data;
    size_t len;
    uint16_t type;
    uint8_t direction;
} given_t;

/* A load of size bytes; false: past the end, and the frame is dropped. */
static bool load(const given_t *given, uint32_t offset, size_t size, uint32_t *value)
{
    if (offset == (uint32_t)(SKF_AD_OFF + SKF_AD_PKTTYPE)) {
        *value = given->direction;
        return true;
    }
    if (offset == (uint32_t)(SKF_AD_OFF + SKF_AD_PROTOCOL)) {
        *value = given->type;
        return true;
    }
    if (offset > given->len || size > given->len - offset)
        return false;
    *value = 0;
    for (size_t i = 0; i < size; i++)
        *value = *value << 8 | given->data[offset + i];
    return true;
}

static uint32_t execute(const struct sock_filter *program, int n, const given_t *given)
{
    uint32_t a = 0, x = 0;

    for (int i = 0; i < n; i++) {
        const struct sock_filter *at = &program[i];
        size_t size = BPF_SIZE(at->code) == BPF_W ? 4 : BPF_SIZE(at->code) == BPF_H ? 2 : 1;
        bool yes;

        switch (BPF_CLASS(at->code)) {
        case BPF_RET:
            return at->k;
        case BPF_LD:
            if (!load(given, at->k + (BPF_MODE(at->code) == BPF_IND ? x : 0), size, &a))
                return 0;
            break;
        case BPF_LDX:
            if (!load(given, at->k, 1, &x))
                return 0;
            x = (x & 15) * 4;
            break;
        default:
            yes = BPF_OP(at->code) == BPF_JEQ   ? a == at->k
                  : BPF_OP(at->code) == BPF_JGT ? a > at->k
                  : BPF_OP(at->code) == BPF_JGE ? a >= at->k
                                                : (a & at->k) != 0;
            i += yes ? at->jt : at->jf;
            assert_true(i + 1 < n);
        }
    }
    fail_msg("the program has no end");
    return 0;
}

static hpacket_filter_t usual(void)
{
    hpacket_filter_t filter = {
        .tcp = {40000, 40009}, .udp = {40020, 40029}, .icmp = true, .arp = true, .snap = 99};

    filter.addresses[0] = address("198.51.100.7");
    filter.addresses[1] = address("2001:db8:1::7");
    filter.address_count = 2;
    return filter;
}

/* How many bytes pass of what somebody sends us. */
static uint32_t pass(const hpacket_filter_t *filter, packet_link_e link, const uint8_t *frame,
                     ssize_t len, uint8_t direction)
{
    struct sock_filter program[HPACKET_FILTER_MAX];
    int n = hpacket_filter_build(filter, link, program, HPACKET_FILTER_MAX);
    given_t given = {.data = frame, .len = (size_t)len, .direction = direction};
    uint32_t kept;

    assert_true(n > 0 && len > 0);
    if (link == PACKET_LINK_ETHERNET)
        given.type = (uint16_t)(frame[12] << 8 | frame[13]);
    else
        given.type = frame[0] >> 4 == 4 ? ETH_P_IP : ETH_P_IPV6;
    kept = execute(program, n, &given);
    for (given.len = 0; given.len < (size_t)len; given.len++)
        assert_true(execute(program, n, &given) <=
                    kept); /* nothing cut passes for something else */
    return kept;
}

#define FOR_EACH_LINK(link)                                                                        \
    for (packet_link_e link = PACKET_LINK_ETHERNET; link <= PACKET_LINK_IP; link++)

static const sa_family_t families[] = {AF_INET, AF_INET6};

static void ports_in_range(void **state)
{
    static const struct {
        uint16_t port;
        bool tcp, udp;
    } cases[] = {{39999, false, false}, {40000, true, false},  {40009, true, false},
                 {40010, false, false}, {40019, false, false}, {40020, false, true},
                 {40029, false, true},  {40030, false, false}, {0, false, false}};
    hpacket_filter_t filter = usual();
    uint8_t frame[FRAME_MAX];

    (void)state;
    FOR_EACH_LINK(link)
    {
        for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
            packet_tcp_out_t tcp = {.destination_port = cases[i].port};
            packet_udp_out_t udp = {.destination_port = cases[i].port};

            for (size_t f = 0; f < 2; f++) {
                packet_envelope_t e = envelope(families[f], link);
                ssize_t len = packet_write_tcp(frame, sizeof(frame), &e, &tcp);

                assert_int_equal(pass(&filter, link, frame, len, PACKET_HOST),
                                 cases[i].tcp ? 99 : 0);
                assert_int_equal(pass(&filter, link, frame, len, PACKET_OUTGOING), 0);
                len = packet_write_udp(frame, sizeof(frame), &e, &udp);
                assert_int_equal(pass(&filter, link, frame, len, PACKET_HOST),
                                 cases[i].udp ? 99 : 0);
            }
        }
    }
}

static void only_our_addresses(void **state)
{
    packet_tcp_out_t tcp = {.destination_port = 40000};
    uint8_t frame[FRAME_MAX];

    (void)state;
    FOR_EACH_LINK(link)
    {
        for (size_t f = 0; f < 2; f++) {
            hpacket_filter_t filter = usual();
            packet_envelope_t e = envelope(families[f], link);
            ssize_t len = packet_write_tcp(frame, sizeof(frame), &e, &tcp);

            for (size_t n = 0; n <= HPACKET_ADDRESSES_MAX; n++) {
                filter.address_count = n;
                for (size_t i = 0; i < n; i++)
                    filter.addresses[i] =
                        address(families[f] == AF_INET ? "198.51.100.6" : "2001:db8:1::6");
                assert_int_equal(pass(&filter, link, frame, len, PACKET_HOST), n ? 0 : 99);
                for (size_t i = 0; i < n; i++) { /* ours at each place among others */
                    packet_addr_t other = filter.addresses[i];

                    filter.addresses[i] = e.destination;
                    assert_int_equal(pass(&filter, link, frame, len, PACKET_HOST), 99);
                    filter.addresses[i] = other;
                }
            }
            filter.addresses[0] = address(f ? "198.51.100.7" : "2001:db8:1::7");
            filter.address_count = 1; /* of the other family */
            assert_int_equal(pass(&filter, link, frame, len, PACKET_HOST), 0);
        }
    }
}

static void icmp_but_no_echo_requests(void **state)
{
    packet_icmp_out_t echo = {.id = 1};
    uint8_t frame[FRAME_MAX];

    (void)state;
    FOR_EACH_LINK(link)
    {
        for (size_t f = 0; f < 2; f++) {
            hpacket_filter_t filter = usual();
            packet_envelope_t e = envelope(families[f], link);
            ssize_t len = packet_write_icmp(frame, sizeof(frame), &e, &echo);
            uint8_t *type = frame + len - 8;

            assert_int_equal(pass(&filter, link, frame, len, PACKET_HOST), 0);
            *type = f ? 129 : 0;
            assert_int_equal(pass(&filter, link, frame, len, PACKET_HOST), 99);
            *type = f ? 1 : 3;
            assert_int_equal(pass(&filter, link, frame, len, PACKET_HOST), 99);
            filter.icmp = false;
            assert_int_equal(pass(&filter, link, frame, len, PACKET_HOST), 0);
        }
    }
}

static void other_protocols(void **state)
{
    uint8_t frame[FRAME_MAX];

    (void)state;
    FOR_EACH_LINK(link)
    {
        for (size_t f = 0; f < 2; f++) {
            hpacket_filter_t filter = usual();
            packet_envelope_t e = envelope(families[f], link);
            packet_tcp_out_t tcp = {.destination_port = 40000};
            ssize_t len = packet_write_ip(frame, sizeof(frame), &e, IPPROTO_SCTP, "", 0);

            assert_int_equal(pass(&filter, link, frame, len, PACKET_HOST), 0);
            filter.others = true;
            assert_int_equal(pass(&filter, link, frame, len, PACKET_HOST), 99);
            filter.tcp = (hpacket_ports_t){0, 0};
            len = packet_write_tcp(frame, sizeof(frame), &e, &tcp);
            assert_int_equal(pass(&filter, link, frame, len, PACKET_HOST), 0);
        }
    }
}

static void fragments_and_extension_headers(void **state)
{
    hpacket_filter_t filter = usual();
    packet_envelope_t e = envelope(AF_INET, PACKET_LINK_IP);
    packet_tcp_out_t tcp = {.destination_port = 40000};
    uint8_t frame[FRAME_MAX];
    ssize_t len = packet_write_tcp(frame, sizeof(frame), &e, &tcp);

    (void)state;
    frame[6] = 0x20; /* the first of several */
    assert_int_equal(pass(&filter, PACKET_LINK_IP, frame, len, PACKET_HOST), 99);
    frame[7] = 1;
    assert_int_equal(pass(&filter, PACKET_LINK_IP, frame, len, PACKET_HOST), 0);
    frame[6] = frame[7] = 0;
    frame[0] = 0x46; /* with 4 bytes of options, ports are further on */
    assert_int_equal(pass(&filter, PACKET_LINK_IP, frame, len, PACKET_HOST), 0);
    memmove(frame + 24, frame + 20, 20);
    assert_int_equal(pass(&filter, PACKET_LINK_IP, frame, len + 4, PACKET_HOST), 99);
    e = envelope(AF_INET6, PACKET_LINK_IP);
    for (unsigned protocol = 0; protocol < 256; protocol++) {
        bool extends = protocol == IPPROTO_HOPOPTS || protocol == IPPROTO_ROUTING ||
                       protocol == IPPROTO_FRAGMENT || protocol == IPPROTO_AH ||
                       protocol == IPPROTO_DSTOPTS;

        len = packet_write_ip(frame, sizeof(frame), &e, (uint8_t)protocol, "\0\0\0\0\0\0\0", 8);
        if (protocol != IPPROTO_ICMPV6)
            assert_int_equal(pass(&filter, PACKET_LINK_IP, frame, len, PACKET_HOST),
                             extends ? 99 : 0);
    }
}

static void arp_replies(void **state)
{
    hpacket_filter_t filter = usual();
    packet_addr_t us = address("192.0.2.1"), them = address("192.0.2.2");
    uint8_t frame[FRAME_MAX];
    ssize_t len = packet_write_arp_request(frame, sizeof(frame), our_mac, NULL, us.v4, them.v4);

    (void)state;
    assert_int_equal(pass(&filter, PACKET_LINK_ETHERNET, frame, len, PACKET_HOST), 0);
    frame[14 + 7] = 2;
    assert_int_equal(pass(&filter, PACKET_LINK_ETHERNET, frame, len, PACKET_HOST), 99);
    filter.arp = false;
    assert_int_equal(pass(&filter, PACKET_LINK_ETHERNET, frame, len, PACKET_HOST), 0);
    filter = (hpacket_filter_t){.arp = true};
    assert_int_equal(pass(&filter, PACKET_LINK_ETHERNET, frame, len, PACKET_HOST), HPACKET_SNAP);
}

static void bad_filters(void **state)
{
    struct sock_filter program[HPACKET_FILTER_MAX];
    hpacket_filter_t filter = usual();
    int n = hpacket_filter_build(&filter, PACKET_LINK_IP, program, HPACKET_FILTER_MAX);

    (void)state;
    for (int size = 0; size < n; size++)
        assert_int_equal(hpacket_filter_build(&filter, PACKET_LINK_IP, program, (size_t)size),
                         -ENOBUFS);
    filter.tcp = (hpacket_ports_t){2, 1};
    assert_int_equal(hpacket_filter_build(&filter, PACKET_LINK_IP, program, 128), -EINVAL);
    filter = usual();
    filter.addresses[1].family = 0;
    assert_int_equal(hpacket_filter_build(&filter, PACKET_LINK_IP, program, 128), -EINVAL);
    filter = usual();
    filter.address_count = HPACKET_ADDRESSES_MAX + 1;
    assert_int_equal(hpacket_filter_build(&filter, PACKET_LINK_IP, program, 128), -EINVAL);
    filter = (hpacket_filter_t){.arp = true};
    assert_int_equal(hpacket_filter_build(&filter, PACKET_LINK_IP, program, 128), -EINVAL);
}

/* The longest program that there can be fits. */
static void longest_filter(void **state)
{
    struct sock_filter program[HPACKET_FILTER_MAX];
    hpacket_filter_t filter = usual();

    (void)state;
    filter.others = true;
    filter.address_count = HPACKET_ADDRESSES_MAX;
    for (size_t i = 0; i < HPACKET_ADDRESSES_MAX; i++)
        filter.addresses[i] = address("2001:db8::1");
    assert_true(hpacket_filter_build(&filter, PACKET_LINK_ETHERNET, program, HPACKET_FILTER_MAX) >
                0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ports_in_range),
        cmocka_unit_test(only_our_addresses),
        cmocka_unit_test(icmp_but_no_echo_requests),
        cmocka_unit_test(other_protocols),
        cmocka_unit_test(fragments_and_extension_headers),
        cmocka_unit_test(arp_replies),
        cmocka_unit_test(bad_filters),
        cmocka_unit_test(longest_filter),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
