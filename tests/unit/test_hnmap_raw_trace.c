/* One thread. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "../../cmd/hnmap/raw_int.h"

#include <arpa/inet.h>
#include <netinet/ip_icmp.h>

#define FIRST_PORT 40000
#define PORT 443
#define FRAME_MAX 256

static const raw_t raw = {
    .secret = 99, .port = FIRST_PORT, .port_count = RAW_PORTS, .id = 0x4711, .has_protocols = true};
static const raw_t raw_one_port = {.secret = 99, .port = FIRST_PORT, .port_count = 1, .id = 7};
static const raw_t raw_without = {
    .secret = 99, .port = FIRST_PORT, .port_count = RAW_PORTS, .id = 0x4711};

static packet_addr_t address(const char *text)
{
    packet_addr_t addr = {.family = AF_INET};

    assert_int_equal(inet_pton(AF_INET, text, &addr.v4), 1);
    return addr;
}

static bool is_read(const raw_t *of, const uint8_t *frame, ssize_t len, raw_answer_t *answer)
{
    const hpacket_frame_t told = {.data = frame, .len = (size_t)len, .wire_len = (size_t)len};

    assert_true(len > 0);
    return raw__read(of, PACKET_LINK_IP, &told, answer);
}

/* What a router says of a packet that ended there. */
static bool is_read_by(const raw_t *of, uint8_t type, uint8_t code, const uint8_t *packet,
                       ssize_t len, raw_answer_t *answer)
{
    const packet_envelope_t envelope = {.source = address("198.51.100.7"),
                                        .destination = address("192.0.2.1")};
    uint8_t error[FRAME_MAX] = {type, code}, frame[2 * FRAME_MAX];

    assert_in_range(len, 1, FRAME_MAX - 8);
    memcpy(error + 8, packet, (size_t)len);
    return is_read(
        of, frame,
        packet_write_ip(frame, sizeof(frame), &envelope, IPPROTO_ICMP, error, (size_t)len + 8),
        answer);
}

static packet_envelope_t to(const packet_addr_t *host)
{
    return (packet_envelope_t){.source = address("192.0.2.1"), .destination = *host, .ttl = 1};
}

static void every_hop_and_try_is_told(void **state)
{
    const packet_addr_t host = address("203.0.113.5");
    const packet_envelope_t envelope = to(&host);

    (void)state;
    for (unsigned i = 0; i < RAW_TRACE_HOPS * RAW_TRACE_TRIES; i++) {
        const raw_probe_t probe = {
            .kind = RAW_TCP, .port = PORT, .hops = (uint8_t)(i % RAW_TRACE_HOPS + 1)};
        const unsigned try = i / RAW_TRACE_HOPS;
        const raw_t *of = i % 3 == 0 ? &raw_one_port : &raw;
        const packet_tcp_out_t tcp = {.source_port =
                                          (uint16_t)(FIRST_PORT + probe.hops % of->port_count),
                                      .destination_port = PORT,
                                      .seq = raw__trace_cookie(of, &host, &probe, try),
                                      .flags = PACKET_SYN};
        uint8_t frame[FRAME_MAX];
        raw_answer_t answer;

        assert_true(is_read_by(of, ICMP_TIME_EXCEEDED, 0, frame,
                               packet_write_tcp(frame, sizeof(frame), &envelope, &tcp), &answer));
        assert_int_equal(answer.probe.hops, probe.hops);
        assert_int_equal(answer.try, try);
        assert_int_equal(answer.reason, REASON_TIME_EXCEEDED);
        assert_false(answer.is_from_host);
        assert_true(packet_addr_equal(&answer.host, &host));
        assert_false(packet_addr_equal(&answer.from, &host));
        /* No number of an ordinary probe is one of these, nor the other way round. */
        assert_int_equal(raw__try_of(of, &host, PORT, tcp.seq), -1);
        assert_false(raw__trace_of(of, &host, PORT, raw__cookie(of, &host, PORT, try), &answer));
    }
}

/* What the host itself says counts on over what the probe took of its numbers. */
static void the_host_tells_the_same_hop(void **state)
{
    static const raw_t with_data = {
        .secret = 99, .port = FIRST_PORT, .port_count = 1, .data_len = 64};
    const raw_t *const rooms[] = {&raw, &raw_one_port, &with_data};
    const packet_addr_t host = address("203.0.113.5");
    const packet_envelope_t envelope = {
        .source = host, .destination = address("192.0.2.1"), .ttl = 60};

    (void)state;
    for (unsigned i = 0; i < 3 * 3 * 2 * RAW_TRACE_HOPS; i++) {
        const raw_t *of = rooms[i % 3];
        bool is_reset = i / 3 % 2 == 0;
        const raw_probe_t probe = {.kind = RAW_TCP, .port = PORT, .hops = (uint8_t)(i / 18 + 1)};
        const packet_tcp_out_t tcp = {.source_port = PORT,
                                      .destination_port =
                                          (uint16_t)(FIRST_PORT + probe.hops % of->port_count),
                                      .ack = raw__trace_cookie(of, &host, &probe, 1) + i / 6 % 3 +
                                             (uint32_t)(is_reset ? of->data_len : 0),
                                      .flags = PACKET_ACK | (is_reset ? PACKET_RST : PACKET_SYN)};
        uint8_t frame[FRAME_MAX];
        raw_answer_t answer;

        assert_true(
            is_read(of, frame, packet_write_tcp(frame, sizeof(frame), &envelope, &tcp), &answer));
        assert_int_equal(answer.probe.hops, probe.hops);
        assert_int_equal(answer.try, 1);
        assert_true(answer.is_from_host);
    }
}

static void the_port_has_to_fit(void **state)
{
    const packet_addr_t host = address("203.0.113.5");
    const packet_envelope_t envelope = to(&host);
    const raw_probe_t probe = {.kind = RAW_TCP, .port = PORT, .hops = 3};
    const packet_tcp_out_t tcp = {.source_port = FIRST_PORT + 4,
                                  .destination_port = PORT,
                                  .seq = raw__trace_cookie(&raw, &host, &probe, 0)};
    uint8_t frame[FRAME_MAX];
    raw_answer_t answer;

    (void)state;
    assert_false(is_read_by(&raw, ICMP_TIME_EXCEEDED, 0, frame,
                            packet_write_tcp(frame, sizeof(frame), &envelope, &tcp), &answer));
}

static void echoes_tell_their_hop(void **state)
{
    const packet_addr_t host = address("203.0.113.5");
    const packet_envelope_t envelope = to(&host);

    (void)state;
    for (unsigned i = 0; i <= RAW_TRACE_HOPS; i++) {
        const raw_probe_t probe = {.kind = RAW_ECHO, .hops = (uint8_t)i};
        const packet_icmp_out_t echo = {.id = raw.id, .seq = raw__echo_seq(&probe, 2)};
        uint8_t frame[FRAME_MAX];
        raw_answer_t answer;

        assert_true(is_read_by(&raw, ICMP_TIME_EXCEEDED, 0, frame,
                               packet_write_icmp(frame, sizeof(frame), &envelope, &echo), &answer));
        assert_int_equal(answer.probe.hops, i);
        assert_int_equal(answer.try, 2);
    }
}

static void protocols_are_told_by_their_id(void **state)
{
    const packet_addr_t host = address("203.0.113.5");
    packet_envelope_t envelope = to(&host);
    uint8_t frame[FRAME_MAX];
    raw_answer_t answer;
    ssize_t len;

    (void)state;
    envelope.id = raw__protocol_id(&raw, &host, 132);
    assert_int_not_equal(envelope.id, 0);
    len = packet_write_ip(frame, sizeof(frame), &envelope, 132, "", 0);
    assert_true(is_read_by(&raw, ICMP_DEST_UNREACH, ICMP_PROT_UNREACH, frame, len, &answer));
    assert_int_equal(answer.probe.kind, RAW_PROTOCOL);
    assert_int_equal(answer.probe.port, 132);
    assert_int_equal(answer.reason, REASON_PROTO_UNREACH);
    assert_false(
        is_read_by(&raw_without, ICMP_DEST_UNREACH, ICMP_PROT_UNREACH, frame, len, &answer));
    envelope.id ^= 2;
    len = packet_write_ip(frame, sizeof(frame), &envelope, 132, "", 0);
    assert_false(is_read_by(&raw, ICMP_DEST_UNREACH, ICMP_PROT_UNREACH, frame, len, &answer));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_hop_and_try_is_told),
        cmocka_unit_test(the_host_tells_the_same_hop),
        cmocka_unit_test(the_port_has_to_fit),
        cmocka_unit_test(echoes_tell_their_hop),
        cmocka_unit_test(protocols_are_told_by_their_id),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
