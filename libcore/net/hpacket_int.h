/* Shared by the files of hpacket alone. */
#ifndef HNET_NET_HPACKET_INT_H
#define HNET_NET_HPACKET_INT_H

#include "hpacket.h"

#include "../event/hio.h"

/* Blocks of the ring belong to the kernel or to us; next_block is the one that comes to us next. */
typedef struct hpacket_ring_s {
    uint8_t *map; /* NULL: there is no ring */
    size_t block_size;
    unsigned block_count, next_block;
} hpacket_ring_t;

struct hpacket_s {
    hloop_t *loop;
    int fd;             /* AF_PACKET; the hio's, if there is one */
    hio_t *io;          /* NULL: nothing is received */
    int raw_v4, raw_v6; /* raw IP, on links without Ethernet header; -1: none */
    unsigned ifindex;
    bool has_header; /* of Ethernet */
    hpacket_options_t options;
    hpacket_ring_t ring;
    uint8_t *buffer; /* of plain receive calls; options.filter.snap bytes */
    bool is_running; /* a callback: it must not be freed now */
    bool is_closed;  /* freed once that has returned */
    hpacket_stats_t stats;
};

/* hpacket_receive.c. Makes the ring, or the buffer where there can be none, before the socket is
 * bound. 0, -ENOMEM. */
int hpacket__receive_init(hpacket_t *packet);
void hpacket__receive_deinit(hpacket_t *packet);

/* Hands on what is there, up to a limit; how many frames. */
unsigned hpacket__receive(hpacket_t *packet);

#endif
