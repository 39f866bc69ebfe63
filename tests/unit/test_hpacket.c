/* One thread. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "hpacket_fixture.h"

#include <linux/if_tun.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

static bool refuse_mmap;

void *__real_mmap(void *addr, size_t len, int protection, int flags, int fd, off_t offset);
void *__wrap_mmap(void *addr, size_t len, int protection, int flags, int fd, off_t offset);

void *__wrap_mmap(void *addr, size_t len, int protection, int flags, int fd, off_t offset)
{
    if (!refuse_mmap || fd < 0)
        return __real_mmap(addr, len, protection, flags, fd, offset);
    errno = ENOMEM;
    return MAP_FAILED;
}

/* ---- what comes ------------------------------------------------------------------------------ */

static int listener_in(int ns, sa_family_t family, uint16_t *port)
{
    struct sockaddr_in6 addr = {.sin6_family = family};
    socklen_t len = sizeof(addr);
    int fd = socket_in(ns, family, SOCK_STREAM);

    assert_int_equal(bind(fd, (struct sockaddr *)&addr, len), 0);
    assert_int_equal(listen(fd, 10), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&addr, &len), 0);
    *port = ntohs(addr.sin6_port);
    return fd;
}

/* Open and closed ports, silence broken by errors, echoes: over one link, each family. */
static void check_answers(watched_t *w, int target)
{
    const sa_family_t families[] = {AF_INET, AF_INET6};

    for (size_t i = 0; i < 2; i++) {
        sa_family_t family = families[i];
        packet_t quoted;
        uint16_t port;
        int fd = listener_in(target, family, &port);

        ASK(w, send_syn(w, family, port));
        assert_int_equal(w->last.kind, PACKET_TCP);
        assert_int_equal(w->last.tcp.flags, PACKET_SYN | PACKET_ACK);
        assert_int_equal(w->last.tcp.source_port, port);
        assert_int_equal(w->last.tcp.ack, 1001);
        assert_true(w->last.tcp.mss > 0);
        close(fd);
        ASK(w, send_syn(w, family, port));
        assert_int_equal(w->last.tcp.flags, PACKET_RST | PACKET_ACK);
        ASK(w, send_udp(w, family, port));
        assert_true(w->last.icmp.is_error);
        assert_int_equal(packet_quoted(&quoted, &w->last), 0);
        assert_int_equal(quoted.kind, PACKET_UDP);
        assert_int_equal(quoted.udp.destination_port, port);
        assert_int_equal(quoted.udp.source_port, OUR_PORT);
        ASK(w, send_echo(w, family));
        assert_int_equal(w->last.icmp.type, family == AF_INET ? 0 : 129);
        assert_int_equal(w->last.icmp.id, 77);
    }
}

static void check_neighbours(watched_t *w)
{
    packet_addr_t v4 = address("10.77.0.1"), to_v4 = address("10.77.0.2");
    packet_addr_t v6 = address("fd77::1"), to_v6 = address("fd77::2");
    uint8_t frame[FRAME_MAX];

    ASK(w,
        send_frame(w, frame,
                   packet_write_arp_request(frame, sizeof(frame), our_mac, NULL, v4.v4, to_v4.v4)));
    assert_int_equal(w->last.kind, PACKET_ARP);
    assert_true(packet_addr_equal(&w->last.source, &to_v4));
    assert_memory_equal(w->last.arp.sender_mac, their_mac, PACKET_MAC_SIZE);
    ASK(w, send_frame(w, frame,
                      packet_write_neighbour_solicitation(frame, sizeof(frame), our_mac, &v6.v6,
                                                          &to_v6.v6)));
    assert_true(w->last.icmp.is_neighbour);
    assert_memory_equal(&w->last.icmp.target, &to_v6.v6, sizeof(to_v6.v6));
    assert_memory_equal(w->last.icmp.link_address, their_mac, PACKET_MAC_SIZE);
}

static void check_ethernet(bool no_ring)
{
    watched_t w;
    hpacket_stats_t stats;

    open_either(&w, no_ring);
    assert_int_equal(hpacket_link(w.packet), PACKET_LINK_ETHERNET);
    check_neighbours(&w);
    check_answers(&w, netns.theirs);
    hpacket_stats(w.packet, &stats);
    assert_int_equal(stats.has_ring, !no_ring);
    assert_int_equal(stats.received, w.frames);
    assert_int_equal(stats.dropped, 0);
    assert_int_equal(stats.sent, 10);
    assert_int_equal(stats.refused, 0);
    end(&w);
}

static void answers_by_ring(void **state)
{
    (void)state;
    check_ethernet(false);
}

static void answers_by_plain_calls(void **state)
{
    (void)state;
    check_ethernet(true);
}

/* Each packet once, although it both leaves and arrives there. */
static void answers_on_loopback(void **state)
{
    watched_t w;
    hpacket_options_t options;

    (void)state;
    begin(&w, "lo");
    options = options_of(&w);
    open_with(&w, &options);
    assert_int_equal(hpacket_link(w.packet), PACKET_LINK_IP);
    check_answers(&w, netns.ours);
    settle(w.loop);
    assert_int_equal(w.frames, 8);
    end(&w);
}

static void ring_refused(void **state)
{
    watched_t w;
    hpacket_options_t options;
    hpacket_stats_t stats;

    (void)state;
    begin(&w, "hnet0");
    options = options_of(&w);
    refuse_mmap = true;
    open_with(&w, &options);
    refuse_mmap = false;
    hpacket_stats(w.packet, &stats);
    assert_false(stats.has_ring);
    check_neighbours(&w);
    check_answers(&w, netns.theirs);
    end(&w);
}

/* A frame that is longer than what is kept of it. */
static void snapped(void **state)
{
    (void)state;
    for (int no_ring = 0; no_ring < 2; no_ring++) {
        watched_t w;
        hpacket_options_t options;

        begin(&w, "hnet0");
        options = options_of(&w);
        options.no_ring = no_ring;
        options.filter.snap = 50;
        open_with(&w, &options);
        ASK(&w, send_udp(&w, AF_INET, 9));
        assert_int_equal(w.frame.len, 50);
        assert_int_equal(w.frame.wire_len, 14 + 20 + 8 + 20 + 8 + 3);
        assert_true(w.last.truncated);
        assert_true(w.last.icmp.is_error);
        end(&w);
    }
}

static void time_stamps(void **state)
{
    (void)state;
    for (int no_ring = 0; no_ring < 2; no_ring++) {
        watched_t w;
        uint64_t before, after;

        open_either(&w, no_ring);
        before = htime_monotonic_us();
        ASK(&w, send_echo(&w, AF_INET));
        after = htime_monotonic_us();
        assert_true(w.frame.time_us + 1 >= before && w.frame.time_us <= after);
        end(&w);
    }
}

/* ---- what does not come ---------------------------------------------------------------------- */

static void from_them(int fd, uint16_t port)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port)};

    to.sin_addr = address("10.77.0.1").v4;
    assert_int_equal(sendto(fd, "foreign", 7, 0, (struct sockaddr *)&to, sizeof(to)), 7);
}

static void foreign_packets_are_not_told(void **state)
{
    watched_t w;
    hpacket_options_t options;
    hpacket_stats_t stats;
    int fd;

    (void)state;
    begin(&w, "hnet0");
    options = options_of(&w);
    fd = socket_in(netns.theirs, AF_INET, SOCK_DGRAM);
    from_them(fd, OUR_PORT); /* before it is open */
    open_with(&w, &options);
    for (int i = 0; i < 100; i++)
        from_them(fd, SILENT_PORT);
    from_them(fd, OUR_PORT + 10);
    from_them(fd, OUR_PORT + 9);
    RUN_UNTIL(w.loop, w.frames > 0);
    settle(w.loop);
    hpacket_stats(w.packet, &stats);
    assert_int_equal(stats.received, 1);
    assert_int_equal(w.frames, 1);
    assert_int_equal(w.last.udp.destination_port, OUR_PORT + 9);
    close(fd);
    end(&w);
}

/* What comes too fast is counted, and what is left comes whole. */
static void drops_are_counted(void **state)
{
    enum { SENT = 3000 };

    (void)state;
    for (int no_ring = 0; no_ring < 2; no_ring++) {
        watched_t w;
        hpacket_options_t options;
        hpacket_stats_t stats;
        int fd;

        begin(&w, "hnet0");
        options = options_of(&w);
        options.no_ring = no_ring;
        options.ring_size = 65536;
        open_with(&w, &options);
        fd = socket_in(netns.theirs, AF_INET, SOCK_DGRAM);
        for (int i = 0; i < SENT; i++)
            from_them(fd, OUR_PORT);
        hpacket_stats(w.packet, &stats);
        assert_true(stats.dropped > 0 && stats.received > 0);
        assert_int_equal(stats.received + stats.dropped, SENT);
        RUN_UNTIL(w.loop, (uint64_t)w.frames == stats.received);
        from_them(fd, OUR_PORT); /* there is room again */
        RUN_UNTIL(w.loop, (uint64_t)w.frames == stats.received + 1);
        hpacket_stats(w.packet, &stats);
        assert_int_equal(stats.received, w.frames);
        close(fd);
        end(&w);
    }
}

/* ---- a link without Ethernet header ---------------------------------------------------------- */

static int open_tun(void)
{
    struct ifreq request = {.ifr_name = "hnet3", .ifr_flags = IFF_TUN | IFF_NO_PI};
    int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);

    if (fd < 0 || ioctl(fd, TUNSETIFF, &request) < 0) {
        print_message("there are no tun devices\n");
        close(fd);
        netns_leave();
        skip();
    }
    run("ip link set hnet3 up && ip addr add 10.79.0.1 peer 10.79.0.2 dev hnet3");
    return fd;
}

static void a_tunnel(void **state)
{
    watched_t w;
    hpacket_options_t options;
    packet_envelope_t e = {.source = address("10.79.0.1"), .destination = address("10.79.0.2")};
    packet_tcp_out_t tcp = {.source_port = OUR_PORT, .destination_port = 80, .flags = PACKET_SYN};
    uint8_t frame[FRAME_MAX], got[FRAME_MAX];
    packet_t packet;
    ssize_t len, n;
    int tun;

    (void)state;
    if (!netns_enter())
        skip();
    tun = open_tun();
    memset(&w, 0, sizeof(w));
    w.loop = new_loop();
    w.link = link_named("hnet3");
    options = options_of(&w);
    options.filter.addresses[0] = address("10.79.0.1");
    open_with(&w, &options);
    assert_int_equal(hpacket_link(w.packet), PACKET_LINK_IP);
    len = packet_write_tcp(frame, sizeof(frame), &e, &tcp);
    send_frame(&w, frame, len);
    do {
        n = read(tun, got, sizeof(got)); /* the kernel's own packets are there, too */
        assert_true(n > 0);
    } while (packet_parse(&packet, PACKET_LINK_IP, got, (size_t)n) != 0 ||
             packet.kind != PACKET_TCP);
    assert_int_equal(n, len);
    assert_int_equal(packet.tcp.destination_port, 80);
    assert_int_equal(packet_check(&packet), PACKET_CHECK_GOOD);
    e = (packet_envelope_t){.source = e.destination, .destination = e.source};
    tcp = (packet_tcp_out_t){.source_port = 80, .destination_port = OUR_PORT, .flags = PACKET_RST};
    len = packet_write_tcp(frame, sizeof(frame), &e, &tcp);
    ASK(&w, assert_int_equal(write(tun, frame, (size_t)len), len));
    assert_int_equal(w.last.tcp.flags, PACKET_RST);
    assert_int_equal(hpacket_send(w.packet, "short", 5), -EINVAL);
    close(tun);
    end(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_by_ring),
        cmocka_unit_test(answers_by_plain_calls),
        cmocka_unit_test(answers_on_loopback),
        cmocka_unit_test(ring_refused),
        cmocka_unit_test(snapped),
        cmocka_unit_test(time_stamps),
        cmocka_unit_test(foreign_packets_are_not_told),
        cmocka_unit_test(drops_are_counted),
        cmocka_unit_test(a_tunnel),
    };

    return run_on_each_poller("hpacket", tests, ARRAY_LENGTH(tests));
}
