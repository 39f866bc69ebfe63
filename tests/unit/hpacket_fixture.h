/* hpacket_fixture: an hpacket between the namespaces of netns_fixture.h, what it was told, and
 * probes that it sends; include it after cmocka.h. */
#ifndef HNET_TESTS_HPACKET_FIXTURE_H
#define HNET_TESTS_HPACKET_FIXTURE_H

#include "loop_test.h"
#include "net/hpacket.h"
#include "netns_fixture.h"
#include "packet_fixture.h"

#define OUR_PORT 40000
#define SILENT_PORT 41000 /* not in the filter */

/* ---- an hpacket under observation ------------------------------------------------------------ */

typedef struct watched_s {
    hloop_t *loop;
    hpacket_t *packet;
    hroute_link_t link;
    int frames, by_kind[PACKET_ICMPV6 + 1];
    int error;
    uint8_t data[FRAME_MAX]; /* the last frame */
    packet_t last;
    hpacket_frame_t frame;
    bool closes;          /* in the callback for a frame */
    bool closes_at_error; /* in the other one */
} watched_t;

static inline void on_frame(hpacket_t *packet, const hpacket_frame_t *frame, void *arg)
{
    watched_t *w = arg;

    assert_true(frame->len <= sizeof(w->data) && frame->len <= frame->wire_len);
    memcpy(w->data, frame->data, frame->len);
    w->frame = *frame;
    assert_int_equal(packet_parse(&w->last, hpacket_link(packet), w->data, frame->len), 0);
    w->frames++;
    w->by_kind[w->last.kind]++;
    if (w->closes)
        hpacket_close(packet);
}

static inline void on_error(hpacket_t *packet, int err, void *arg)
{
    watched_t *w = arg;

    w->error = err;
    if (w->closes_at_error)
        hpacket_close(packet);
}

static inline hpacket_options_t options_of(watched_t *w)
{
    hpacket_options_t options = {.filter = {.tcp = {OUR_PORT, OUR_PORT + 9},
                                            .udp = {OUR_PORT, OUR_PORT + 9},
                                            .icmp = true,
                                            .arp = true},
                                 .ring_size = 1u << 20,
                                 .on_frame = on_frame,
                                 .on_error = on_error,
                                 .arg = w};

    options.filter.addresses[0] = address("10.77.0.1");
    options.filter.addresses[1] = address("fd77::1");
    options.filter.addresses[2] = address("127.0.0.1");
    options.filter.addresses[3] = address("::1");
    options.filter.address_count = 4;
    return options;
}

static inline hroute_link_t link_named(const char *name)
{
    hroute_t *route;
    hroute_link_t link;

    assert_int_equal(hroute_new(&route), 0);
    assert_int_equal(hroute_link_named(route, name, &link), 0);
    hroute_free(route);
    return link;
}

/* In namespaces of its own. */
static inline void begin(watched_t *w, const char *name)
{
    if (!netns_enter())
        skip();
    memset(w, 0, sizeof(*w));
    w->loop = new_loop();
    w->link = link_named(name);
}

static inline void open_with(watched_t *w, const hpacket_options_t *options)
{
    assert_int_equal(hpacket_open(&w->packet, w->loop, &w->link, options), 0);
    assert_non_null(w->packet);
}

/* On hnet0, with a ring or without one. */
static inline void open_either(watched_t *w, bool no_ring)
{
    hpacket_options_t options;

    begin(w, "hnet0");
    options = options_of(w);
    options.no_ring = no_ring;
    open_with(w, &options);
}

static inline void end(watched_t *w)
{
    hpacket_close(w->packet);
    settle(w->loop);
    assert_int_equal(hloop_nios(w->loop), 0);
    hloop_free(&w->loop);
    netns_leave();
}

static inline packet_envelope_t to_them(const watched_t *w, sa_family_t family)
{
    bool is_v4 = family == AF_INET;
    packet_envelope_t e = {.source = address(is_v4 ? "10.77.0.1" : "fd77::1"),
                           .destination = address(is_v4 ? "10.77.0.2" : "fd77::2")};

    if (w->link.kind == HROUTE_LOOPBACK) {
        e.source = e.destination = address(is_v4 ? "127.0.0.1" : "::1");
    } else {
        e.link_source = our_mac;
        e.link_destination = their_mac;
    }
    return e;
}

static inline void send_frame(watched_t *w, const uint8_t *frame, ssize_t len)
{
    assert_true(len > 0);
    assert_int_equal(hpacket_send(w->packet, frame, (size_t)len), 0);
}

static inline void send_syn(watched_t *w, sa_family_t family, uint16_t port)
{
    packet_envelope_t e = to_them(w, family);
    packet_tcp_out_t syn = packet_tcp_syn(family, 1500);
    uint8_t frame[FRAME_MAX];

    syn.source_port = OUR_PORT;
    syn.destination_port = port;
    syn.seq = 1000;
    send_frame(w, frame, packet_write_tcp(frame, sizeof(frame), &e, &syn));
}

static inline void send_udp(watched_t *w, sa_family_t family, uint16_t port)
{
    packet_envelope_t e = to_them(w, family);
    packet_udp_out_t udp = {
        .source_port = OUR_PORT, .destination_port = port, .payload = "ask", .payload_len = 3};
    uint8_t frame[FRAME_MAX];

    send_frame(w, frame, packet_write_udp(frame, sizeof(frame), &e, &udp));
}

static inline void send_echo(watched_t *w, sa_family_t family)
{
    packet_envelope_t e = to_them(w, family);
    packet_icmp_out_t echo = {.id = 77, .seq = 1};
    uint8_t frame[FRAME_MAX];

    send_frame(w, frame, packet_write_icmp(frame, sizeof(frame), &e, &echo));
}

/* Sends what asks for one answer, and waits for that. */
#define ASK(w, what)                                                                               \
    do {                                                                                           \
        int before_ = (w)->frames;                                                                 \
        what;                                                                                      \
        RUN_UNTIL((w)->loop, (w)->frames > before_);                                               \
        assert_int_equal((w)->frames, before_ + 1);                                                \
        assert_true(packet_check(&(w)->last) != PACKET_CHECK_BAD);                                 \
    } while (0)

#endif
