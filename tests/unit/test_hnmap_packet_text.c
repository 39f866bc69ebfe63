/* One thread. The lines are as nmap 7.93 was seen to print them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../cmd/hnmap/packet_text.h"
#include "oom.h"
#include "packet_fixture.h"

#include <stdio.h>

static char *text_of(packet_link_e link, const uint8_t *frame, size_t len)
{
    uint8_t *copy = malloc(len ? len : 1);
    hbytes_t text = {0};

    memcpy(copy, frame, len);
    assert_int_equal(packet_text(&text, link, copy, len), 0);
    free(copy);
    assert_int_equal(strlen(text.data), text.len);
    assert_null(strchr(text.data, '\n'));
    return hbytes_take(&text, NULL);
}

static void is_told(packet_link_e link, const uint8_t *frame, ssize_t len, const char *expected)
{
    char *text;

    assert_true(len > 0);
    text = text_of(link, frame, (size_t)len);
    assert_string_equal(text, expected);
    hmem_free(text);
    for (size_t cut = 0; cut < (size_t)len; cut++) /* whatever is left, something is told */
        hmem_free(text_of(link, frame, cut));
}

static void tcp(void **state)
{
    packet_envelope_t v4 = envelope(AF_INET, PACKET_LINK_ETHERNET);
    packet_envelope_t v6 = envelope(AF_INET6, PACKET_LINK_IP);
    packet_tcp_out_t syn = packet_tcp_syn(AF_INET, 1500);
    packet_tcp_out_t all = {.source_port = 1, .destination_port = 65535, .flags = 255, .window = 1};
    uint8_t frame[FRAME_MAX];

    (void)state;
    syn.source_port = 40000;
    syn.destination_port = 22;
    syn.seq = 4000000000;
    syn.timestamp = 1000;
    is_told(PACKET_LINK_ETHERNET, frame, packet_write_tcp(frame, sizeof(frame), &v4, &syn),
            "TCP 192.0.2.1:40000 > 198.51.100.7:22 S ttl=55 id=4660 iplen=60  seq=4000000000 "
            "win=64240 <mss 1460,sackOK,timestamp 1000 0,nop,wscale 7>");
    is_told(PACKET_LINK_ETHERNET, frame, packet_write_tcp(frame, sizeof(frame), &v4, &all),
            "TCP 192.0.2.1:1 > 198.51.100.7:65535 SFRPAUEC ttl=55 id=4660 iplen=40  seq=0 win=1 ");
    all.flags = 0;
    is_told(PACKET_LINK_ETHERNET, frame, packet_write_tcp(frame, sizeof(frame), &v4, &all),
            "TCP 192.0.2.1:1 > 198.51.100.7:65535  ttl=55 id=4660 iplen=40  seq=0 win=1 ");
    all.mss = 1440;
    all.payload = "x";
    all.payload_len = 1;
    v6.flow = 0xdf22;
    is_told(PACKET_LINK_IP, frame, packet_write_tcp(frame, sizeof(frame), &v6, &all),
            "TCP 2001:db8::1:1 > 2001:db8:1::7:65535  hopl=55 flow=df22 payloadlen=25 seq=0 win=1 "
            "<mss 1440>");
}

/* The options of a segment with a header of 28 bytes. */
static void options_are(const uint8_t options[8], const char *expected)
{
    packet_envelope_t v4 = envelope(AF_INET, PACKET_LINK_IP);
    packet_tcp_out_t out = {.flags = PACKET_SYN, .mss = 1, .has_window_scale = true};
    uint8_t frame[FRAME_MAX];
    ssize_t len = packet_write_tcp(frame, sizeof(frame), &v4, &out);
    char *text;

    assert_int_equal(len, 48);
    memcpy(frame + 40, options, 8);
    text = text_of(PACKET_LINK_IP, frame, (size_t)len);
    assert_non_null(strstr(text, "win=0 "));
    assert_string_equal(strstr(text, "win=0 ") + 6, expected);
    hmem_free(text);
}

static void options_of_all_kinds(void **state)
{
    (void)state;
    options_are((const uint8_t[]){1, 1, 1, 1, 1, 1, 1, 0}, "<nop,nop,nop,nop,nop,nop,nop,eol>");
    options_are((const uint8_t[]){0, 1, 2, 3, 4, 5, 6, 7}, "<eol>");
    options_are((const uint8_t[]){5, 4, 9, 9, 3, 3, 9, 1}, "<opt-5,wscale 9,nop>");
    options_are((const uint8_t[]){2, 3, 9, 4, 2, 1, 254, 2}, "<opt-2,sackOK,nop,opt-254>");
    options_are((const uint8_t[]){1, 2, 40, 0, 0, 0, 0, 0}, "<nop,bad>");
    options_are((const uint8_t[]){1, 2, 0, 0, 0, 0, 0, 0}, "<nop,bad>");
    options_are((const uint8_t[]){1, 1, 1, 1, 1, 1, 1, 2}, "<nop,nop,nop,nop,nop,nop,nop,bad>");
}

static void udp_and_others(void **state)
{
    packet_envelope_t v4 = envelope(AF_INET, PACKET_LINK_IP);
    packet_envelope_t v6 = envelope(AF_INET6, PACKET_LINK_IP);
    const packet_udp_out_t udp = {
        .source_port = 9, .destination_port = 53, .payload = "abcde", .payload_len = 5};
    uint8_t frame[FRAME_MAX];

    (void)state;
    is_told(PACKET_LINK_IP, frame, packet_write_udp(frame, sizeof(frame), &v4, &udp),
            "UDP 192.0.2.1:9 > 198.51.100.7:53 ttl=55 id=4660 iplen=33 ");
    is_told(PACKET_LINK_IP, frame, packet_write_udp(frame, sizeof(frame), &v6, &udp),
            "UDP 2001:db8::1:9 > 2001:db8:1::7:53 hopl=55 flow=0 payloadlen=13");
    is_told(PACKET_LINK_IP, frame, packet_write_ip(frame, sizeof(frame), &v4, 4, "", 0),
            "ipv4 (4) 192.0.2.1 > 198.51.100.7: ttl=55 id=4660 iplen=20 ");
    is_told(PACKET_LINK_IP, frame, packet_write_ip(frame, sizeof(frame), &v4, 255, "", 0),
            "unknown (255) 192.0.2.1 > 198.51.100.7: ttl=55 id=4660 iplen=20 ");
    is_told(PACKET_LINK_IP, frame, packet_write_ip(frame, sizeof(frame), &v6, 47, "", 0),
            "gre (47) 2001:db8::1 > 2001:db8:1::7: hopl=55 flow=0 payloadlen=0");
}

static void fragments(void **state)
{
    packet_envelope_t v4 = envelope(AF_INET, PACKET_LINK_IP);
    const packet_udp_out_t udp = {.source_port = 9, .destination_port = 53};
    uint8_t frame[FRAME_MAX];
    ssize_t len = packet_write_udp(frame, sizeof(frame), &v4, &udp);

    (void)state;
    frame[6] = 0x20;
    is_told(PACKET_LINK_IP, frame, len,
            "UDP 192.0.2.1:9 > 198.51.100.7:53 ttl=55 id=4660 iplen=28 frag offset=0+ ");
    frame[6] = 0;
    frame[7] = 2;
    is_told(PACKET_LINK_IP, frame, len,
            "udp (17) 192.0.2.1 > 198.51.100.7: ttl=55 id=4660 iplen=28 frag offset=16 ");
}

static void neighbours(void **state)
{
    packet_addr_t us = address("192.0.2.1"), them = address("192.0.2.7");
    packet_addr_t us6 = address("fe80::1"), them6 = address("fe80::7");
    uint8_t frame[FRAME_MAX];
    ssize_t len;

    (void)state;
    len = packet_write_arp_request(frame, sizeof(frame), our_mac, NULL, us.v4, them.v4);
    is_told(PACKET_LINK_ETHERNET, frame, len, "ARP who-has 192.0.2.7 tell 192.0.2.1");
    frame[21] = 2;
    frame[22] = 0xab;
    is_told(PACKET_LINK_ETHERNET, frame, len, "ARP reply 192.0.2.1 is-at AB:00:00:00:00:01");
    frame[21] = 8;
    is_told(PACKET_LINK_ETHERNET, frame, len, "ARP operation 8 192.0.2.1 > 192.0.2.7");
    len = packet_write_neighbour_solicitation(frame, sizeof(frame), our_mac, &us6.v6, &them6.v6);
    is_told(PACKET_LINK_ETHERNET, frame, len,
            "ICMPv6 (58) fe80::1 > ff02::1:ff00:7 (type=135/code=0) hopl=255 flow=0 payloadlen=32");
    frame[54] = 136; /* an advertisement; its checksum is not looked at */
    frame[78] = 2;
    is_told(PACKET_LINK_ETHERNET, frame, len,
            "neighbor advertisement fe80::1 > ff02::1:ff00:7 fe80::7 is at 02:00:00:00:00:01");
}

static void questions_of_icmp(void **state)
{
    packet_envelope_t v4 = envelope(AF_INET, PACKET_LINK_IP);
    packet_envelope_t v6 = envelope(AF_INET6, PACKET_LINK_IP);
    packet_icmp_out_t icmp = {.ask = PACKET_ASK_ECHO, .id = 7, .seq = 9};
    uint8_t frame[FRAME_MAX];

    (void)state;
    is_told(PACKET_LINK_IP, frame, packet_write_icmp(frame, sizeof(frame), &v4, &icmp),
            "ICMP [192.0.2.1 > 198.51.100.7 Echo request (type=8/code=0) id=7 seq=9] IP [ttl=55 "
            "id=4660 iplen=28 ]");
    is_told(PACKET_LINK_IP, frame, packet_write_icmp(frame, sizeof(frame), &v6, &icmp),
            "ICMPv6 (58) 2001:db8::1 > 2001:db8:1::7 (type=128/code=0) hopl=55 flow=0 "
            "payloadlen=8");
    icmp.ask = PACKET_ASK_TIMESTAMP;
    is_told(PACKET_LINK_IP, frame, packet_write_icmp(frame, sizeof(frame), &v4, &icmp),
            "ICMP [192.0.2.1 > 198.51.100.7 Timestamp request (type=13/code=0) id=7 seq=9 orig=0 "
            "recv=0 trans=0] IP [ttl=55 id=4660 iplen=40 ]");
    icmp.ask = PACKET_ASK_NETMASK;
    is_told(PACKET_LINK_IP, frame, packet_write_icmp(frame, sizeof(frame), &v4, &icmp),
            "ICMP [192.0.2.1 > 198.51.100.7 Address mask request (type=17/code=0) id=7 seq=9 "
            "mask=0.0.0.0] IP [ttl=55 id=4660 iplen=32 ]");
}

/* An error about a datagram from 198.51.100.9 to port 53 of 203.0.113.5. */
static void error_is(uint8_t type, uint8_t code, const char *words)
{
    packet_envelope_t v4 = envelope(AF_INET, PACKET_LINK_IP);
    packet_envelope_t sent = {.source = address("198.51.100.9"),
                              .destination = address("203.0.113.5")};
    const packet_udp_out_t udp = {.source_port = 9, .destination_port = 53};
    uint8_t frame[FRAME_MAX], error[64] = {type, code};
    ssize_t quoted = packet_write_udp(error + 8, sizeof(error) - 8, &sent, &udp);
    char expected[300];

    assert_int_equal(quoted, 28);
    snprintf(expected, sizeof(expected),
             "ICMP [192.0.2.1 > 198.51.100.7 %s (type=%u/code=%u) ] IP [ttl=55 id=4660 iplen=56 ]",
             words, type, code);
    is_told(PACKET_LINK_IP, frame,
            packet_write_ip(frame, sizeof(frame), &v4, IPPROTO_ICMP, error, 36), expected);
}

static void errors(void **state)
{
    (void)state;
    error_is(3, 0, "Network 203.0.113.5 unreachable");
    error_is(3, 1, "Host 203.0.113.5 unreachable");
    error_is(3, 2, "Protocol 17 unreachable");
    error_is(3, 3, "Port 53 unreachable");
    error_is(3, 9, "Destination network 203.0.113.5 administratively prohibited");
    error_is(3, 13, "Communication administratively prohibited by filtering");
    error_is(3, 99, "Destination 203.0.113.5 unreachable");
    error_is(11, 0, "TTL=0 during transit");
    error_is(99, 0, "Unknown type");
}

static void what_is_no_packet(void **state)
{
    (void)state;
    is_told(PACKET_LINK_IP, (const uint8_t *)"\x10", 1,
            "packet of 1 bytes that cannot be read: Not supported");
}

static int scenario(void *arg)
{
    packet_envelope_t v4 = envelope(AF_INET, PACKET_LINK_IP);
    packet_tcp_out_t syn = packet_tcp_syn(AF_INET, 1500);
    uint8_t frame[FRAME_MAX];
    ssize_t len = packet_write_tcp(frame, sizeof(frame), &v4, &syn);
    hbytes_t text = {0};
    int err = packet_text(&text, PACKET_LINK_IP, frame, (size_t)len);

    (void)arg;
    hbytes_deinit(&text);
    return err;
}

static void without_memory(void **state)
{
    (void)state;
    oom_run(scenario, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tcp),
        cmocka_unit_test(options_of_all_kinds),
        cmocka_unit_test(udp_and_others),
        cmocka_unit_test(fragments),
        cmocka_unit_test(neighbours),
        cmocka_unit_test(questions_of_icmp),
        cmocka_unit_test(errors),
        cmocka_unit_test(what_is_no_packet),
        cmocka_unit_test(without_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
