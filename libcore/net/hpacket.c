/* One AF_PACKET socket, which receives nothing before its filter, its ring and at last its
 * interface are set; it sends frames, too, where the link has an Ethernet header. Elsewhere two raw
 * IP sockets do that. */
#include "hpacket_int.h"

#include "../base/hmem.h"

#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <string.h>
#include <unistd.h>

#define SEND_BUFFER (1 << 20)
#define SEND_BATCH 64

#ifndef PACKET_IGNORE_OUTGOING
#define PACKET_IGNORE_OUTGOING 23
#endif

static void close_fd(int fd)
{
    if (fd >= 0)
        close(fd);
}

static void destroy(hpacket_t *packet)
{
    hpacket__receive_deinit(packet);
    if (packet->io) {
        hio_setcb_read(packet->io, NULL);
        hio_setcb_close(packet->io, NULL);
        hio_abort(packet->io, 0);
    } else {
        close_fd(packet->fd);
    }
    close_fd(packet->raw_v4);
    close_fd(packet->raw_v6);
    hmem_free(packet);
}

/* ---- events ---------------------------------------------------------------------------------- */

/* What the kernel says has happened to the socket; asking takes it away. One whose interface has
 * gone is told as if it were down, and bound to none. */
static int take_error(int fd)
{
    struct sockaddr_ll addr = {.sll_ifindex = 0};
    int err = 0;
    socklen_t len = sizeof(err), addr_len = sizeof(addr);

    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &len) < 0)
        return -errno;
    if (err == ENETDOWN && getsockname(fd, (struct sockaddr *)&addr, &addr_len) == 0 &&
        addr.sll_ifindex <= 0)
        return -ENODEV;
    return -err;
}

static void tell_error(hpacket_t *packet, int err)
{
    if (packet->options.on_error)
        packet->options.on_error(packet, err, packet->options.arg);
}

static void on_ready(hio_t *io, void *buf, int len)
{
    hpacket_t *packet = hevent_userdata(io);
    int err;

    (void)buf;
    (void)len;
    packet->is_running = true;
    if (hpacket__receive(packet) == 0 && !packet->is_closed) {
        err = take_error(packet->fd);
        if (err)
            tell_error(packet, err);
    }
    packet->is_running = false;
    if (packet->is_closed)
        destroy(packet);
}

/* The loop cannot wait for it (no memory), or is freed first. */
static void on_close(hio_t *io)
{
    hpacket_t *packet = hevent_userdata(io);

    packet->io = NULL;
    packet->fd = -1;
    packet->is_running = true;
    tell_error(packet, hio_error(io));
    packet->is_running = false;
    if (packet->is_closed)
        destroy(packet);
}

/* ---- opening --------------------------------------------------------------------------------- */

static int system_error(void)
{
    if (errno == EAFNOSUPPORT || errno == EPROTONOSUPPORT)
        return HERR_UNSUPPORTED;
    return errno == ENXIO ? -ENODEV : -errno;
}

static int attach_filter(hpacket_t *packet)
{
    struct sock_filter program[HPACKET_FILTER_MAX];
    int n = hpacket_filter_build(&packet->options.filter, hpacket_link(packet), program,
                                 HPACKET_FILTER_MAX);
    struct sock_fprog fprog = {.len = (unsigned short)n, .filter = program};

    if (n < 0)
        return n;
    if (setsockopt(packet->fd, SOL_SOCKET, SO_ATTACH_FILTER, &fprog, sizeof(fprog)) < 0)
        return -errno;
    return 0;
}

static void set_send_buffer(int fd)
{
    const int size = SEND_BUFFER;

    if (setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size)) < 0)
        setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
}

/* To the interface; a protocol of 0 receives nothing. An interface that is down is told by the
 * socket's error alone. */
static int bind_to(hpacket_t *packet)
{
    struct sockaddr_ll addr = {.sll_family = AF_PACKET,
                               .sll_protocol = packet->options.on_frame ? htons(ETH_P_ALL) : 0,
                               .sll_ifindex = (int)packet->ifindex};

    if (bind(packet->fd, (struct sockaddr *)&addr, sizeof(addr)) < 0)
        return system_error();
    return take_error(packet->fd);
}

static int open_packet_socket(hpacket_t *packet)
{
    bool has_header = hpacket_link(packet) == PACKET_LINK_ETHERNET;
    const int yes = 1;
    int err = 0;

    packet->fd = socket(AF_PACKET, (has_header ? SOCK_RAW : SOCK_DGRAM) | SOCK_CLOEXEC, 0);
    if (packet->fd < 0)
        return system_error();
    if (packet->options.on_frame) {
        setsockopt(packet->fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &yes, sizeof(yes));
        err = attach_filter(packet);
        if (!err)
            err = hpacket__receive_init(packet);
    }
    if (packet->options.bypass_qdisc)
        setsockopt(packet->fd, SOL_PACKET, PACKET_QDISC_BYPASS, &yes, sizeof(yes));
    set_send_buffer(packet->fd);
    return err ? err : bind_to(packet);
}

/* A machine may be without one of the families: sending says so then. */
static int open_raw(const hroute_link_t *link, int family)
{
    int fd = socket(family, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW);
    const int yes = 1, none = 0;

    if (fd < 0)
        return -1;
    set_send_buffer(fd);
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &none, sizeof(none));
    setsockopt(fd, SOL_SOCKET, SO_BROADCAST, &yes, sizeof(yes));
    if (link->kind != HROUTE_LOOPBACK)
        setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, link->name, sizeof(link->name));
    return fd;
}

static int open_raw_sockets(hpacket_t *packet, const hroute_link_t *link)
{
    if (link->kind == HROUTE_ETHERNET)
        return 0;
    packet->raw_v4 = open_raw(link, AF_INET);
    if (packet->raw_v4 < 0)
        return system_error();
    packet->raw_v6 = open_raw(link, AF_INET6);
    return 0;
}

static int join_loop(hpacket_t *packet)
{
    if (!packet->options.on_frame)
        return 0;
    packet->io = hio_get(packet->loop, packet->fd);
    if (!packet->io)
        return -ENOMEM;
    hevent_set_userdata(packet->io, packet);
    hio_setcb_read(packet->io, on_ready);
    hio_setcb_close(packet->io, on_close);
    return hio_read(packet->io);
}

static void set_options(hpacket_t *packet, const hpacket_options_t *options)
{
    packet->options = *options;
    if (packet->options.ring_size == 0)
        packet->options.ring_size = HPACKET_RING_SIZE;
    if (packet->options.block_timeout_ms == 0)
        packet->options.block_timeout_ms = HPACKET_BLOCK_TIMEOUT_MS;
}

int hpacket_open(hpacket_t **packet, hloop_t *loop, const hroute_link_t *link,
                 const hpacket_options_t *options)
{
    hpacket_t *made;
    int err;

    *packet = NULL;
    if (options->ring_size > HPACKET_RING_MAX || link->index == 0)
        return -EINVAL;
    made = hmem_zalloc(sizeof(*made));
    if (!made)
        return -ENOMEM;
    made->loop = loop;
    made->fd = made->raw_v4 = made->raw_v6 = -1;
    made->ifindex = link->index;
    made->has_header = link->kind == HROUTE_ETHERNET;
    set_options(made, options);
    err = open_packet_socket(made);
    if (!err)
        err = open_raw_sockets(made, link);
    if (!err)
        err = join_loop(made);
    if (err)
        destroy(made);
    else
        *packet = made;
    return err;
}

void hpacket_close(hpacket_t *packet)
{
    if (!packet)
        return;
    packet->is_closed = true;
    if (!packet->is_running)
        destroy(packet);
}

packet_link_e hpacket_link(const hpacket_t *packet)
{
    return packet->has_header ? PACKET_LINK_ETHERNET : PACKET_LINK_IP;
}

/* ---- sending --------------------------------------------------------------------------------- */

/* Whom an IP packet goes to. The address length, 0: it is none. */
static socklen_t destination_of(const hpacket_t *packet, const uint8_t *data, size_t len,
                                struct sockaddr_storage *sa)
{
    packet_addr_t addr = {.family = AF_UNSPEC};

    if (len >= 20 && data[0] >> 4 == 4) {
        addr.family = AF_INET;
        memcpy(&addr.v4, data + 16, sizeof(addr.v4));
    } else if (len >= 40 && data[0] >> 4 == 6) {
        addr.family = AF_INET6;
        memcpy(&addr.v6, data + 24, sizeof(addr.v6));
    }
    return packet_addr_to(&addr, 0, packet->ifindex, sa);
}

static ssize_t send_ip(hpacket_t *packet, const void *data, size_t len)
{
    struct sockaddr_storage sa;
    socklen_t sa_len = destination_of(packet, data, len, &sa);
    int fd = sa.ss_family == AF_INET ? packet->raw_v4 : packet->raw_v6;

    if (sa_len == 0 || fd < 0) {
        errno = sa_len == 0 ? EINVAL : EAFNOSUPPORT;
        return -1;
    }
    return sendto(fd, data, len, MSG_DONTWAIT, (const struct sockaddr *)&sa, sa_len);
}

static int refused(hpacket_t *packet)
{
    if (errno == EAGAIN || errno == ENOBUFS)
        packet->stats.refused++;
    return system_error();
}

int hpacket_send(hpacket_t *packet, const void *frame, size_t len)
{
    ssize_t n = packet->has_header ? send(packet->fd, frame, len, MSG_DONTWAIT)
                                   : send_ip(packet, frame, len);

    if (n >= 0) {
        packet->stats.sent++;
        return 0;
    }
    return refused(packet);
}

/* One system call. How many of them, at most SEND_BATCH. */
static int send_batch(hpacket_t *packet, const struct iovec *frames, size_t n)
{
    struct mmsghdr messages[SEND_BATCH];
    int sent;

    memset(messages, 0, n * sizeof(*messages));
    for (size_t i = 0; i < n; i++) {
        messages[i].msg_hdr.msg_iov = (struct iovec *)&frames[i];
        messages[i].msg_hdr.msg_iovlen = 1;
    }
    sent = sendmmsg(packet->fd, messages, (unsigned)n, MSG_DONTWAIT);
    if (sent < 0)
        return refused(packet);
    packet->stats.sent += (uint64_t)sent;
    return sent;
}

int hpacket_send_many(hpacket_t *packet, const struct iovec *frames, size_t n)
{
    size_t done = 0;

    if (n > INT32_MAX)
        return -EINVAL;
    while (done < n) {
        size_t batch = n - done < SEND_BATCH ? n - done : SEND_BATCH;
        int sent = 1;

        if (packet->has_header) {
            sent = send_batch(packet, frames + done, batch);
        } else {
            int err = hpacket_send(packet, frames[done].iov_base, frames[done].iov_len);

            batch = 1;
            if (err)
                sent = err;
        }
        if (sent < 0)
            return done > 0 ? (int)done : sent;
        done += (size_t)sent;
        if ((size_t)sent < batch)
            break;
    }
    return (int)done;
}

void hpacket_stats(hpacket_t *packet, hpacket_stats_t *stats)
{
    struct tpacket_stats_v3 now = {0};
    socklen_t len = sizeof(now);

    /* Without a ring the kernel fills in the first two alone; it counts anew after each call. */
    if (packet->fd >= 0 && getsockopt(packet->fd, SOL_PACKET, PACKET_STATISTICS, &now, &len) == 0) {
        packet->stats.received += now.tp_packets - now.tp_drops;
        packet->stats.dropped += now.tp_drops;
    }
    packet->stats.has_ring = packet->ring.map != NULL;
    *stats = packet->stats;
}
