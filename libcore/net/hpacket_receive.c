/* Frames from the kernel. The ring is cut into blocks, which the kernel fills one after the other
 * and hands over when they are full or their time is up; a small block makes little wait for
 * another frame and keeps many slow moments apart. Each frame has its moment on the real clock,
 * which is turned into one on the monotonic clock by its age. */
#include "hpacket_int.h"

#include "../base/hmem.h"
#include "../base/htime.h"

#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define BLOCK_SIZE 16384u /* at least: a block with one frame in it is as used up as a full one */
#define BLOCK_FRAME_ROOM 512 /* what the kernel puts before a frame and into a block, and more */
#define BLOCKS_MIN 4
#define PLAIN_FRAMES_PER_EVENT 1024 /* more than is asked meanwhile: what waits looks far away */
#define US_PER_S 1000000ULL
#define NS_PER_US 1000u

/* ---- setting up ------------------------------------------------------------------------------ */

static int set_option(int fd, int name, const void *value, socklen_t len)
{
    return setsockopt(fd, SOL_PACKET, name, value, len) < 0 ? -errno : 0;
}

static size_t snap_of(const hpacket_t *packet)
{
    uint16_t snap = packet->options.filter.snap;

    return snap ? snap : HPACKET_SNAP;
}

static void drop_ring(hpacket_t *packet)
{
    const struct tpacket_req3 none = {.tp_block_size = 0};

    if (packet->ring.map)
        munmap(packet->ring.map, packet->ring.block_size * packet->ring.block_count);
    packet->ring.map = NULL;
    set_option(packet->fd, PACKET_RX_RING, &none, sizeof(none));
}

static int make_ring(hpacket_t *packet)
{
    const int version = TPACKET_V3;
    hpacket_ring_t *ring = &packet->ring;
    struct tpacket_req3 req = {.tp_frame_size = TPACKET_ALIGN(BLOCK_FRAME_ROOM),
                               .tp_retire_blk_tov = packet->options.block_timeout_ms};
    size_t size = packet->options.ring_size;
    void *map;
    int err;

    ring->block_size = BLOCK_SIZE;
    while (ring->block_size < (size_t)sysconf(_SC_PAGESIZE) ||
           ring->block_size < snap_of(packet) + BLOCK_FRAME_ROOM)
        ring->block_size *= 2;
    ring->block_count = (unsigned)(size / ring->block_size);
    if (ring->block_count < BLOCKS_MIN)
        ring->block_count = BLOCKS_MIN;
    req.tp_block_size = (unsigned)ring->block_size;
    req.tp_block_nr = ring->block_count;
    req.tp_frame_nr = req.tp_block_size / req.tp_frame_size * req.tp_block_nr;
    err = set_option(packet->fd, PACKET_VERSION, &version, sizeof(version));
    if (!err)
        err = set_option(packet->fd, PACKET_RX_RING, &req, sizeof(req));
    if (err)
        return err;
    size = ring->block_size * ring->block_count;
    map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, packet->fd, 0);
    if (map == MAP_FAILED) {
        err = -errno;
        drop_ring(packet);
        return err;
    }
    ring->map = map;
    return 0;
}

static int make_buffer(hpacket_t *packet)
{
    const int yes = 1, size = (int)packet->options.ring_size;

    packet->buffer = hmem_alloc(snap_of(packet));
    if (!packet->buffer)
        return -ENOMEM;
    if (setsockopt(packet->fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)) < 0)
        setsockopt(packet->fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
    setsockopt(packet->fd, SOL_SOCKET, SO_TIMESTAMPNS, &yes, sizeof(yes));
    set_option(packet->fd, PACKET_AUXDATA, &yes, sizeof(yes));
    return 0;
}

int hpacket__receive_init(hpacket_t *packet)
{
    if (!packet->options.no_ring && make_ring(packet) == 0)
        return 0;
    return make_buffer(packet);
}

void hpacket__receive_deinit(hpacket_t *packet)
{
    if (packet->ring.map)
        munmap(packet->ring.map, packet->ring.block_size * packet->ring.block_count);
    hmem_free(packet->buffer);
}

/* ---- time ------------------------------------------------------------------------------------ */

typedef struct clocks_s {
    uint64_t real_us, monotonic_us;
} clocks_t;

static clocks_t read_clocks(void)
{
    return (clocks_t){.real_us = htime_real_ns() / NS_PER_US, .monotonic_us = htime_monotonic_us()};
}

static uint64_t time_of(const clocks_t *now, uint64_t s, uint32_t ns)
{
    uint64_t stamp_us = s * US_PER_S + ns / NS_PER_US;

    if (s == 0 || stamp_us > now->real_us || now->real_us - stamp_us > now->monotonic_us)
        return now->monotonic_us; /* none, or the clock was set */
    return now->monotonic_us - (now->real_us - stamp_us);
}

/* ---- the ring -------------------------------------------------------------------------------- */

static void tell(hpacket_t *packet, const hpacket_frame_t *frame)
{
    packet->options.on_frame(packet, frame, packet->options.arg);
}

/* Every frame of a block, until it is closed. */
static unsigned take_block(hpacket_t *packet, const struct tpacket_block_desc *block)
{
    const uint8_t *start = (const uint8_t *)block;
    uint32_t offset = block->hdr.bh1.offset_to_first_pkt;
    clocks_t now = read_clocks();
    unsigned n = 0;

    for (; n < block->hdr.bh1.num_pkts && !packet->is_closed; n++) {
        const struct tpacket3_hdr *header = (const void *)(start + offset);
        hpacket_frame_t frame = {
            .data = (const uint8_t *)header + header->tp_mac,
            .len = header->tp_snaplen,
            .wire_len = header->tp_len,
            .time_us = time_of(&now, header->tp_sec, header->tp_nsec),
            .is_checksum_partial = header->tp_status & TP_STATUS_CSUMNOTREADY,
        };

        offset += header->tp_next_offset;
        tell(packet, &frame);
    }
    return n;
}

static unsigned receive_ring(hpacket_t *packet)
{
    hpacket_ring_t *ring = &packet->ring;
    unsigned n = 0;

    while (n < HPACKET_FRAMES_PER_EVENT && !packet->is_closed) {
        struct tpacket_block_desc *block =
            (void *)(ring->map + ring->next_block * ring->block_size);
        uint32_t status = __atomic_load_n(&block->hdr.bh1.block_status, __ATOMIC_ACQUIRE);

        if (!(status & TP_STATUS_USER))
            break;
        n += take_block(packet, block);
        __atomic_store_n(&block->hdr.bh1.block_status, TP_STATUS_KERNEL, __ATOMIC_RELEASE);
        ring->next_block = (ring->next_block + 1) % ring->block_count;
    }
    return n;
}

/* ---- plain receive calls --------------------------------------------------------------------- */

typedef union control_u {
    struct cmsghdr header;
    char space[CMSG_SPACE(sizeof(struct timespec)) + CMSG_SPACE(sizeof(struct tpacket_auxdata))];
} control_t;

static void take_control(struct msghdr *msg, hpacket_frame_t *frame)
{
    struct timespec stamp = {0};
    struct tpacket_auxdata aux = {0};
    clocks_t now = read_clocks();

    for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c)) {
        if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_TIMESTAMPNS)
            memcpy(&stamp, CMSG_DATA(c), sizeof(stamp));
        else if (c->cmsg_level == SOL_PACKET && c->cmsg_type == PACKET_AUXDATA)
            memcpy(&aux, CMSG_DATA(c), sizeof(aux));
    }
    frame->time_us = time_of(&now, (uint64_t)stamp.tv_sec, (uint32_t)stamp.tv_nsec);
    frame->is_checksum_partial = aux.tp_status & TP_STATUS_CSUMNOTREADY;
    if (aux.tp_len > frame->wire_len)
        frame->wire_len = aux.tp_len;
}

static bool receive_one(hpacket_t *packet)
{
    control_t control;
    struct iovec iov = {packet->buffer, snap_of(packet)};
    struct msghdr msg = {.msg_iov = &iov,
                         .msg_iovlen = 1,
                         .msg_control = control.space,
                         .msg_controllen = sizeof(control)};
    ssize_t n = recvmsg(packet->fd, &msg, MSG_DONTWAIT | MSG_TRUNC);
    hpacket_frame_t frame = {.data = packet->buffer};

    if (n < 0)
        return false;
    frame.wire_len = (size_t)n;
    frame.len = (size_t)n < iov.iov_len ? (size_t)n : iov.iov_len;
    take_control(&msg, &frame);
    tell(packet, &frame);
    return true;
}

unsigned hpacket__receive(hpacket_t *packet)
{
    unsigned n = 0;

    if (packet->ring.map)
        return receive_ring(packet);
    while (n < PLAIN_FRAMES_PER_EVENT && !packet->is_closed && receive_one(packet))
        n++;
    return n;
}
