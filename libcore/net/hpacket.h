/* hpacket: whole packets from and to one interface, on the loop (Linux, AF_PACKET). Needs
 * CAP_NET_RAW.
 *
 * Receiving: a kernel filter is in place before the first packet is, so nothing foreign ever comes;
 * then a ring shared with the kernel (TPACKET_V3), or plain receive calls where the memory limits
 * refuse one, or the program does. The ring is for many packets: it tells of one when a block is
 * full or block_timeout_ms have passed, so its time stamp counts, not the moment of the call. The
 * frame that a callback gets is valid during the callback only. Packets that this machine sends are
 * not told, so that on the loopback each one comes once. But there our own probes come back to us:
 * what is addressed to us there need not be an answer (a SYN without ACK, an echo request), and the
 * receiver has to look.
 *
 * Sending: on HROUTE_ETHERNET whole frames, past routing, filter rules and neighbour tables of this
 * machine. On other links IP packets without link header, over a raw IP socket, since the kernel
 * drops what comes from 127.0.0.1 over the loopback device itself without having been routed
 * ("martians"): there the kernel's own rules apply, and -EPERM from hpacket_send means that one of
 * them refuses; the kernel sets IPv4's header checksum, and an id of 0 to one of its own.
 *
 * The kernel knows nothing of connections that we probe: it answers the SYN/ACK to a SYN of ours
 * with a RST, which is just what a half-open scan wants, and what nmap relies on, too. Only a
 * program that goes on talking over raw packets would have to keep its port from the kernel. Our
 * source ports should not be ones that the kernel gives to others: a socket that is bound, and
 * neither connected nor listening, keeps one of them.
 *
 * All calls belong to the loop's thread. */
#ifndef HNET_NET_HPACKET_H
#define HNET_NET_HPACKET_H

#include "../event/hloop.h"
#include "hroute.h"

#include <linux/filter.h>
#include <sys/uio.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- what is let through --------------------------------------------------------------------- */

#define HPACKET_ADDRESSES_MAX 8

typedef struct hpacket_ports_s {
    uint16_t first, last; /* both 0: none */
} hpacket_ports_t;

/* Of what is said here, everything that fits one of the members passes. */
typedef struct hpacket_filter_s {
    packet_addr_t addresses[HPACKET_ADDRESSES_MAX]; /* ours: where IP packets must be sent to */
    size_t address_count;                           /* 0: to anybody */
    hpacket_ports_t tcp, udp;                       /* destination ports */
    bool icmp;     /* ICMP and ICMPv6 (with NDP), but for echo requests */
    bool arp;      /* replies */
    bool others;   /* IP packets of any other protocol */
    uint16_t snap; /* bytes of a packet that are kept; 0: HPACKET_SNAP */
} hpacket_filter_t;

#define HPACKET_SNAP 2048
#define HPACKET_FILTER_MAX 128 /* instructions */

/* Writes the classic BPF program. VLAN tags the kernel has taken off by then. Of IPv4 fragments the
 * first passes as if it were all, the others not; an IPv6 packet with extension headers passes if
 * its address does, since the chain cannot be followed there. How many instructions, -EINVAL (an
 * address of no family, a range upside down, nothing that could pass), -ENOBUFS. For tests; hpacket
 * does it by itself. */
int hpacket_filter_build(const hpacket_filter_t *filter, packet_link_e link,
                         struct sock_filter *program, size_t size);

/* ---- the socket ------------------------------------------------------------------------------ */

typedef struct hpacket_s hpacket_t;

typedef struct hpacket_frame_s {
    const uint8_t *data;
    size_t len;               /* at most the filter's snap */
    size_t wire_len;          /* what came */
    uint64_t time_us;         /* when the kernel took it, on the clock of htime_monotonic_us */
    bool is_checksum_partial; /* from this machine, not finished: see packet_check */
} hpacket_frame_t;

/* Runs in the loop. It may send, and close the hpacket (no further frame is told then). */
typedef void (*hpacket_cb)(hpacket_t *packet, const hpacket_frame_t *frame, void *arg);

/* The interface went down (-ENETDOWN; frames come again by themselves once it is up) or away
 * (-ENODEV, or that it went down is all that is told). May close the hpacket. */
typedef void (*hpacket_error_cb)(hpacket_t *packet, int err, void *arg);

#define HPACKET_RING_SIZE (4u << 20)
#define HPACKET_RING_MAX (256u << 20)
#define HPACKET_BLOCK_TIMEOUT_MS 1
#define HPACKET_FRAMES_PER_EVENT 4096 /* then the loop has its turn */

typedef struct hpacket_options_s {
    hpacket_filter_t filter;
    size_t
        ring_size; /* bytes, all of them counted as this process's memory; 0: HPACKET_RING_SIZE */
    uint32_t
        block_timeout_ms; /* a packet is told at the latest then; 0: HPACKET_BLOCK_TIMEOUT_MS */
    bool no_ring;      /* plain receive calls: each packet is told at once, for a third more CPU */
    bool bypass_qdisc; /* frames go past the interface's queue: faster, and lost when it is full */
    hpacket_cb on_frame;       /* NULL: nothing is received, only sent */
    hpacket_error_cb on_error; /* may be NULL */
    void *arg;
} hpacket_options_t;

typedef struct hpacket_stats_s {
    uint64_t received; /* passed the filter, without those that were dropped */
    uint64_t dropped;  /* passed, and there was no room: the receiver was too slow */
    uint64_t sent;
    uint64_t refused; /* sends that ended with -EAGAIN or -ENOBUFS */
    bool has_ring;
} hpacket_stats_t;

/* Opens it on a link that hroute told of; its kind says how frames begin (hpacket_link). 0;
 * -EPERM or -EACCES (no CAP_NET_RAW), -ENODEV, -ENETDOWN, -EINVAL (the filter, or no such ring),
 * -ENOMEM, -EMFILE and the like, HERR_UNSUPPORTED (no AF_PACKET). Closed by hpacket_close, which
 * has to come before the loop is freed. */
int hpacket_open(hpacket_t **packet, hloop_t *loop, const hroute_link_t *link,
                 const hpacket_options_t *options);

/* Legal in its callbacks. NULL is legal. */
void hpacket_close(hpacket_t *packet);

/* How frames begin, received ones and those to be sent. */
packet_link_e hpacket_link(const hpacket_t *packet);

/* Sends one frame now. 0; -EAGAIN or -ENOBUFS (the socket's or the interface's queue is full: try
 * again in a ms), -EMSGSIZE (longer than the MTU), -ENETDOWN, -ENODEV, -EINVAL (no IP packet,
 * where it should be one), -EPERM, -ENETUNREACH and what else routing says (raw IP only). */
int hpacket_send(hpacket_t *packet, const void *frame, size_t len);

/* Sends several, in as few system calls as can be: a quarter less CPU than one by one. How many
 * were sent, from the first on; if that is less than n, the next one was refused, and sending it
 * again tells why. What hpacket_send says if it is the first. */
int hpacket_send_many(hpacket_t *packet, const struct iovec *frames, size_t n);

/* The counters since it was opened; those of the kernel are read anew. */
void hpacket_stats(hpacket_t *packet, hpacket_stats_t *stats);

#ifdef __cplusplus
}
#endif

#endif
