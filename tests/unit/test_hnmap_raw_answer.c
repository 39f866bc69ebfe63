/* One thread. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../../cmd/hnmap/raw_int.h"
#include "net/haddr.h"

#include <arpa/inet.h>

#define FIRST_PORT 40000
#define FRAME_MAX 512

static const raw_t raw = {
    .secret = 0x1234567, .port = FIRST_PORT, .port_count = RAW_PORTS, .id = 0x4711};
static const raw_t raw_one_port = {
    .secret = 0x1234567, .port = FIRST_PORT, .port_count = 1, .id = 0x4711};
static const uint8_t our_mac[] = {2, 0, 0, 0, 0, 1}, host_mac[] = {2, 0, 0, 0, 0, 2};

typedef struct frame_s {
    uint8_t bytes[FRAME_MAX];
    size_t len;
} frame_t;

static packet_addr_t address(const char *text)
{
    packet_addr_t addr = {.family = strchr(text, ':') ? AF_INET6 : AF_INET};

    assert_int_equal(
        inet_pton(addr.family, text, addr.family == AF_INET6 ? (void *)&addr.v6 : (void *)&addr.v4),
        1);
    return addr;
}

static packet_addr_t ours(const packet_addr_t *host)
{
    return address(host->family == AF_INET6 ? "2001:db8::1" : "192.0.2.1");
}

static packet_envelope_t from(const packet_addr_t *host)
{
    return (packet_envelope_t){.source = *host, .destination = ours(host), .ttl = 57};
}

/* Through a copy of exactly its length, so that a sanitizer sees what is read beyond. */
static bool read_frame(const raw_t *of, packet_link_e link, const frame_t *frame, size_t len,
                       raw_answer_t *answer)
{
    uint8_t *copy = malloc(len ? len : 1);
    hpacket_frame_t told = {.data = copy, .len = len, .wire_len = frame->len, .time_us = 99};
    bool is_ours;

    memcpy(copy, frame->bytes, len);
    is_ours = raw__read(of, link, &told, answer);
    free(copy);
    return is_ours;
}

static bool is_read(const raw_t *of, const frame_t *frame, raw_answer_t *answer)
{
    return read_frame(of, PACKET_LINK_IP, frame, frame->len, answer);
}

/* What is cut off anywhere is refused, or says the same. */
static void cut_everywhere(packet_link_e link, const frame_t *frame)
{
    raw_answer_t whole, cut;

    assert_true(read_frame(&raw, link, frame, frame->len, &whole));
    for (size_t len = 0; len < frame->len; len++) {
        if (!read_frame(&raw, link, frame, len, &cut))
            continue;
        assert_int_equal(cut.probe.kind, whole.probe.kind);
        assert_int_equal(cut.probe.port, whole.probe.port);
        assert_int_equal(cut.reason, whole.reason);
        assert_true(packet_addr_equal(&cut.host, &whole.host));
    }
}

static frame_t tcp(const packet_addr_t *host, const packet_tcp_out_t *out)
{
    const packet_envelope_t envelope = from(host);
    frame_t frame;
    ssize_t len = packet_write_tcp(frame.bytes, sizeof(frame.bytes), &envelope, out);

    assert_true(len > 0);
    frame.len = (size_t)len;
    return frame;
}

/* The segment that answers a probe to port 443: room is what the probe took of its numbers. */
static frame_t answer_to(const packet_addr_t *host, unsigned try, uint8_t flags, uint32_t room)
{
    uint32_t cookie = raw__cookie(&raw, host, 443, try);
    const packet_tcp_out_t out = {
        .source_port = 443,
        .destination_port = (uint16_t)(FIRST_PORT + try % RAW_PORTS),
        .seq = flags & PACKET_ACK ? 0x5eed : cookie,
        .ack = flags & PACKET_ACK ? cookie + room : 0,
        .flags = flags,
    };

    return tcp(host, &out);
}

/* ---- TCP ------------------------------------------------------------------------------------- */

static void test_every_try_is_known_by_its_answer(void **state)
{
    static const char *const hosts[] = {"192.0.2.7", "2001:db8::7"};
    raw_answer_t answer;

    (void)state;
    for (size_t h = 0; h < 2; h++)
        for (unsigned try = 0; try < RAW_TRIES; try++)
            for (uint32_t room = 0; room < 3; room++) {
                packet_addr_t host = address(hosts[h]);
                frame_t frame = answer_to(&host, try, PACKET_RST | PACKET_ACK, room);

                assert_true(is_read(&raw, &frame, &answer));
                assert_int_equal(answer.try, (int)try);
                assert_int_equal(answer.probe.kind, RAW_TCP);
                assert_int_equal(answer.probe.port, 443);
                assert_int_equal(answer.probe.flags, 0);
                assert_int_equal(answer.reason, REASON_RESET);
                assert_int_equal(answer.ttl, 57);
                assert_int_equal(answer.time_us, 99);
                assert_true(answer.is_from_host && !answer.is_error);
                assert_true(packet_addr_equal(&answer.host, &host));
            }
}

static void test_a_syn_ack(void **state)
{
    packet_addr_t host = address("192.0.2.7");
    frame_t frame = answer_to(&host, 3, PACKET_SYN | PACKET_ACK, 1);
    raw_answer_t answer;

    (void)state;
    assert_true(is_read(&raw, &frame, &answer));
    assert_int_equal(answer.try, 3);
    assert_int_equal(answer.reason, REASON_SYN_ACK);
    assert_int_equal(answer.tcp_flags, PACKET_SYN | PACKET_ACK);
    cut_everywhere(PACKET_LINK_IP, &frame);
}

/* A reset without ACK has the number that was acknowledged: only a probe with ACK is answered so.
 * */
static void test_a_reset_tells_whether_it_answers_an_ack(void **state)
{
    packet_addr_t host = address("2001:db8::7");
    frame_t frame = answer_to(&host, 1, PACKET_RST, 0);
    raw_answer_t answer;

    (void)state;
    assert_true(is_read(&raw, &frame, &answer));
    assert_int_equal(answer.try, 1);
    assert_int_equal(answer.probe.flags, PACKET_ACK);
    cut_everywhere(PACKET_LINK_IP, &frame);
}

static void test_foreign_segments_are_refused(void **state)
{
    packet_addr_t host = address("192.0.2.7"), other = address("192.0.2.8");
    const uint32_t cookie = raw__cookie(&raw, &host, 443, 0);
    const packet_tcp_out_t right = {.source_port = 443,
                                    .destination_port = FIRST_PORT,
                                    .ack = cookie + 1,
                                    .flags = PACKET_SYN | PACKET_ACK};
    packet_tcp_out_t wrong[7];
    raw_answer_t answer;
    frame_t frame = tcp(&host, &right);

    (void)state;
    assert_true(is_read(&raw, &frame, &answer));
    for (size_t i = 0; i < 7; i++)
        wrong[i] = right;
    wrong[0].ack = cookie + 3;
    wrong[1].ack = cookie ^ 0x80000000;
    wrong[2].source_port = 444;
    wrong[3].destination_port = FIRST_PORT + 4; /* from where another try was sent */
    wrong[4].destination_port = FIRST_PORT - 1;
    wrong[5].destination_port = FIRST_PORT + RAW_PORTS;
    wrong[6].flags = PACKET_ACK;
    for (size_t i = 0; i < 7; i++) {
        frame = tcp(&host, &wrong[i]);
        assert_false(is_read(&raw, &frame, &answer));
    }
    frame = tcp(&other, &right);
    assert_false(is_read(&raw, &frame, &answer));
}

/* With -g all tries have the same number, so that none opens a second connection. */
static void test_of_one_port_no_try_is_known(void **state)
{
    packet_addr_t host = address("192.0.2.7");
    packet_tcp_out_t out = {.source_port = 443,
                            .destination_port = FIRST_PORT,
                            .ack = raw__cookie(&raw_one_port, &host, 443, 5) + 1,
                            .flags = PACKET_SYN | PACKET_ACK};
    frame_t frame = tcp(&host, &out);
    raw_answer_t answer;

    (void)state;
    assert_int_equal(raw__cookie(&raw_one_port, &host, 443, 5),
                     raw__cookie(&raw_one_port, &host, 443, 0));
    assert_true(is_read(&raw_one_port, &frame, &answer));
    assert_int_equal(answer.try, -1);
    out.destination_port++;
    frame = tcp(&host, &out);
    assert_false(is_read(&raw_one_port, &frame, &answer));
}

/* ---- ICMP errors ----------------------------------------------------------------------------- */

/* What we sent, as a router quotes it. */
static frame_t our_probe(const packet_addr_t *host, raw_kind_e kind, unsigned try)
{
    const packet_envelope_t envelope = {.source = ours(host), .destination = *host};
    const packet_tcp_out_t segment = {.source_port = (uint16_t)(FIRST_PORT + try % RAW_PORTS),
                                      .destination_port = 443,
                                      .seq = raw__cookie(&raw, host, 443, try),
                                      .flags = PACKET_SYN};
    const packet_udp_out_t datagram = {.source_port = FIRST_PORT, .destination_port = 53};
    const packet_icmp_out_t icmp = {.ask = kind == RAW_ECHO        ? PACKET_ASK_ECHO
                                           : kind == RAW_TIMESTAMP ? PACKET_ASK_TIMESTAMP
                                                                   : PACKET_ASK_NETMASK,
                                    .id = raw.id,
                                    .seq = (uint16_t)try};
    frame_t frame;
    ssize_t len;

    if (kind == RAW_TCP)
        len = packet_write_tcp(frame.bytes, sizeof(frame.bytes), &envelope, &segment);
    else if (kind == RAW_UDP)
        len = packet_write_udp(frame.bytes, sizeof(frame.bytes), &envelope, &datagram);
    else
        len = packet_write_icmp(frame.bytes, sizeof(frame.bytes), &envelope, &icmp);
    assert_true(len > 0);
    frame.len = (size_t)len;
    return frame;
}

/* quoted: of its bytes only 8 behind the IP header, as old routers do. */
static frame_t error_about(const char *sender, const packet_addr_t *host, const frame_t *quoted,
                           uint8_t type, uint8_t code)
{
    const packet_addr_t source = address(sender);
    const packet_envelope_t envelope = {.source = source, .destination = ours(host), .ttl = 60};
    size_t quoted_len = (host->family == AF_INET6 ? 40 : 20) + 8;
    uint8_t payload[FRAME_MAX] = {type, code};
    frame_t frame;
    ssize_t len;

    memcpy(payload + 8, quoted->bytes, quoted_len);
    len = packet_write_ip(frame.bytes, sizeof(frame.bytes), &envelope,
                          host->family == AF_INET6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP, payload,
                          8 + quoted_len);
    assert_true(len > 0);
    frame.len = (size_t)len;
    return frame;
}

static void test_what_errors_mean(void **state)
{
    static const struct {
        bool is_v6;
        uint8_t type, code, reason;
    } errors[] = {
        {false, 3, 0, REASON_NET_UNREACH},
        {false, 3, 1, REASON_HOST_UNREACH},
        {false, 3, 2, REASON_PROTO_UNREACH},
        {false, 3, 3, REASON_PORT_UNREACH},
        {false, 3, 4, REASON_UNKNOWN}, /* too big: not refused */
        {false, 3, 9, REASON_NET_PROHIBITED},
        {false, 3, 10, REASON_HOST_PROHIBITED},
        {false, 3, 13, REASON_ADMIN_PROHIBITED},
        {false, 4, 0, REASON_UNKNOWN}, /* source quench */
        {false, 11, 0, REASON_TIME_EXCEEDED},
        {false, 12, 0, REASON_PARAMETER_PROBLEM},
        {true, 1, 0, REASON_NET_UNREACH},
        {true, 1, 1, REASON_ADMIN_PROHIBITED},
        {true, 1, 3, REASON_HOST_UNREACH},
        {true, 1, 4, REASON_PORT_UNREACH},
        {true, 1, 5, REASON_ADMIN_PROHIBITED},
        {true, 1, 6, REASON_ADMIN_PROHIBITED},
        {true, 2, 0, REASON_UNKNOWN}, /* too big */
        {true, 3, 0, REASON_TIME_EXCEEDED},
        {true, 4, 0, REASON_PARAMETER_PROBLEM},
        {true, 4, 1, REASON_PROTO_UNREACH},
    };
    raw_answer_t answer;

    (void)state;
    for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
        packet_addr_t host = address(errors[i].is_v6 ? "2001:db8::7" : "192.0.2.7");
        frame_t probe = our_probe(&host, RAW_TCP, 2);
        frame_t frame = error_about(errors[i].is_v6 ? "2001:db8::ff" : "198.51.100.1", &host,
                                    &probe, errors[i].type, errors[i].code);

        if (errors[i].reason == REASON_UNKNOWN) {
            assert_false(is_read(&raw, &frame, &answer));
            continue;
        }
        assert_true(is_read(&raw, &frame, &answer));
        assert_int_equal(answer.reason, errors[i].reason);
        assert_int_equal(answer.try, 2);
        assert_int_equal(answer.probe.kind, RAW_TCP);
        assert_int_equal(answer.probe.port, 443);
        assert_true(answer.is_error && !answer.is_from_host);
        assert_true(packet_addr_equal(&answer.host, &host));
        cut_everywhere(PACKET_LINK_IP, &frame);
    }
}

static void test_an_error_is_about_the_probe_that_it_quotes(void **state)
{
    static const raw_kind_e kinds[] = {RAW_ECHO, RAW_TIMESTAMP, RAW_NETMASK, RAW_UDP};
    packet_addr_t host = address("192.0.2.7");
    raw_answer_t answer;

    (void)state;
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        frame_t probe = our_probe(&host, kinds[i], 4);
        frame_t frame = error_about("192.0.2.7", &host, &probe, 3, 3);

        assert_true(is_read(&raw, &frame, &answer));
        assert_int_equal(answer.probe.kind, kinds[i]);
        assert_int_equal(answer.try, kinds[i] == RAW_UDP ? -1 : 4);
        assert_int_equal(answer.probe.port, kinds[i] == RAW_UDP ? 53 : 0);
        assert_true(answer.is_error && answer.is_from_host);
        cut_everywhere(PACKET_LINK_IP, &frame);
    }
}

static void test_errors_about_what_we_did_not_send_are_refused(void **state)
{
    packet_addr_t host = address("192.0.2.7");
    raw_answer_t answer;

    (void)state;
    for (size_t at = 20; at < 28; at++) { /* ports and number of the quoted segment */
        frame_t probe = our_probe(&host, RAW_TCP, 0), frame;

        probe.bytes[at] ^= 0x40;
        frame = error_about("192.0.2.7", &host, &probe, 3, 13);
        if (at == 27)
            continue; /* the low bits of the number: the try */
        assert_false(is_read(&raw, &frame, &answer));
    }
    for (size_t at = 24; at < 26; at++) { /* the id of an echo */
        frame_t probe = our_probe(&host, RAW_ECHO, 0), frame;

        probe.bytes[at] ^= 1;
        frame = error_about("192.0.2.7", &host, &probe, 3, 13);
        assert_false(is_read(&raw, &frame, &answer));
    }
}

/* ---- ICMP, UDP, neighbours ------------------------------------------------------------------- */

static frame_t icmp(const packet_addr_t *host, uint8_t type, uint16_t id)
{
    const packet_envelope_t envelope = from(host);
    uint8_t payload[24] = {type, 0, 0, 0, (uint8_t)(id >> 8), (uint8_t)id, 0, 2};
    frame_t frame;
    ssize_t len = packet_write_ip(frame.bytes, sizeof(frame.bytes), &envelope,
                                  host->family == AF_INET6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP, payload,
                                  sizeof(payload));

    assert_true(len > 0);
    frame.len = (size_t)len;
    return frame;
}

static void test_icmp_answers(void **state)
{
    static const struct {
        const char *host;
        uint8_t type, request;
        raw_kind_e kind;
    } answers[] = {
        {"192.0.2.7", 0, 8, RAW_ECHO},
        {"192.0.2.7", 14, 13, RAW_TIMESTAMP},
        {"192.0.2.7", 18, 17, RAW_NETMASK},
        {"2001:db8::7", 129, 128, RAW_ECHO},
    };
    raw_answer_t answer;

    (void)state;
    for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
        packet_addr_t host = address(answers[i].host);
        frame_t frame = icmp(&host, answers[i].type, raw.id);

        assert_true(is_read(&raw, &frame, &answer));
        assert_int_equal(answer.probe.kind, answers[i].kind);
        assert_int_equal(answer.try, 2);
        cut_everywhere(PACKET_LINK_IP, &frame);
        frame = icmp(&host, answers[i].type, raw.id + 1);
        assert_false(is_read(&raw, &frame, &answer));
        frame = icmp(&host, answers[i].request, raw.id); /* our own, or one like it */
        assert_false(is_read(&raw, &frame, &answer));
    }
}

static void test_udp_answers(void **state)
{
    packet_addr_t host = address("2001:db8::7");
    const packet_envelope_t envelope = from(&host);
    packet_udp_out_t udp = {.source_port = 53, .destination_port = FIRST_PORT};
    frame_t frame = {.len = 0};
    raw_answer_t answer;

    (void)state;
    frame.len = (size_t)packet_write_udp(frame.bytes, sizeof(frame.bytes), &envelope, &udp);
    assert_true(is_read(&raw, &frame, &answer));
    assert_int_equal(answer.probe.kind, RAW_UDP);
    assert_int_equal(answer.probe.port, 53);
    assert_int_equal(answer.try, -1);
    cut_everywhere(PACKET_LINK_IP, &frame);
    udp.destination_port++;
    frame.len = (size_t)packet_write_udp(frame.bytes, sizeof(frame.bytes), &envelope, &udp);
    assert_false(is_read(&raw, &frame, &answer));
}

static void test_arp_answers(void **state)
{
    packet_addr_t host = address("192.0.2.7"), us = address("192.0.2.1");
    frame_t frame;
    raw_answer_t answer;

    (void)state;
    frame.len = (size_t)packet_write_arp_request(frame.bytes, sizeof(frame.bytes), host_mac,
                                                 our_mac, host.v4, us.v4);
    assert_false(read_frame(&raw, PACKET_LINK_ETHERNET, &frame, frame.len, &answer));
    frame.bytes[21] = 2; /* a reply */
    assert_true(read_frame(&raw, PACKET_LINK_ETHERNET, &frame, frame.len, &answer));
    assert_int_equal(answer.probe.kind, RAW_NEIGHBOUR);
    assert_int_equal(answer.reason, REASON_ARP_RESPONSE);
    assert_true(packet_addr_equal(&answer.host, &host));
    assert_non_null(answer.mac);
    cut_everywhere(PACKET_LINK_ETHERNET, &frame);
}

static frame_t advertisement(const packet_addr_t *sender, const packet_addr_t *target, uint8_t ttl)
{
    const packet_envelope_t envelope = {.link_source = host_mac,
                                        .link_destination = our_mac,
                                        .source = *sender,
                                        .destination = ours(sender),
                                        .ttl = ttl};
    uint8_t payload[32] = {136, 0, 0, 0, 0x60};
    frame_t frame;
    ssize_t len;

    memcpy(payload + 8, &target->v6, 16);
    payload[24] = 2;
    payload[25] = 1;
    memcpy(payload + 26, host_mac, sizeof(host_mac));
    len = packet_write_ip(frame.bytes, sizeof(frame.bytes), &envelope, IPPROTO_ICMPV6, payload,
                          sizeof(payload));
    assert_true(len > 0);
    frame.len = (size_t)len;
    return frame;
}

static void test_neighbour_advertisements(void **state)
{
    packet_addr_t host = address("2001:db8::7"), sender = address("fe80::7");
    frame_t frame = advertisement(&sender, &host, 255);
    raw_answer_t answer;

    (void)state;
    assert_true(read_frame(&raw, PACKET_LINK_ETHERNET, &frame, frame.len, &answer));
    assert_int_equal(answer.probe.kind, RAW_NEIGHBOUR);
    assert_int_equal(answer.reason, REASON_ND_RESPONSE);
    assert_true(packet_addr_equal(&answer.host, &host));
    cut_everywhere(PACKET_LINK_ETHERNET, &frame);
    frame = advertisement(&sender, &host, 254); /* from beyond a router */
    assert_false(read_frame(&raw, PACKET_LINK_ETHERNET, &frame, frame.len, &answer));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_try_is_known_by_its_answer),
        cmocka_unit_test(test_a_syn_ack),
        cmocka_unit_test(test_a_reset_tells_whether_it_answers_an_ack),
        cmocka_unit_test(test_foreign_segments_are_refused),
        cmocka_unit_test(test_of_one_port_no_try_is_known),
        cmocka_unit_test(test_what_errors_mean),
        cmocka_unit_test(test_an_error_is_about_the_probe_that_it_quotes),
        cmocka_unit_test(test_errors_about_what_we_did_not_send_are_refused),
        cmocka_unit_test(test_icmp_answers),
        cmocka_unit_test(test_udp_answers),
        cmocka_unit_test(test_arp_answers),
        cmocka_unit_test(test_neighbour_advertisements),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
