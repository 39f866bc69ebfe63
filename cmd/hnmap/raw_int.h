/* raw_int: what the files of raw share. */
#ifndef HNMAP_RAW_INT_H
#define HNMAP_RAW_INT_H

#include "raw.h"

#include "codec/packet_write.h"

/* Each try of a TCP probe has a port of its own. A host whose answer to the first one was lost
 * would else find the second within a connection that is half open, and reset it: an open port
 * would seem closed. */
#define RAW_PORTS 8

struct raw_hop_s {
    packet_addr_t addr;
    bool has_mac;
    uint8_t mac[PACKET_MAC_SIZE];
    uint64_t first_us, last_us; /* when it was asked for; 0: not yet */
};

struct raw_link_s {
    raw_t *raw;
    hroute_link_t info;
    hpacket_t *packet;
    packet_addr_t source;       /* of the last path, for ARP of hops */
    packet_template_t template; /* of the kind and addresses below */
    packet_addr_t template_source;
    int template_flags; /* -1: none yet */
    raw_hop_t hops[RAW_HOPS_MAX];
    unsigned hop_count;
};

struct raw_s {
    hloop_t *loop;
    hroute_t *routes;
    unsigned ifindex; /* -e; 0: any */
    bool has_source;
    packet_addr_t source;
    raw_answer_cb cb;
    void *context;
    uint64_t secret;
    bool has_protocols, has_many, by_ip;
    uint8_t ttl;         /* 0: the usual one */
    const uint8_t *data; /* of every probe; NULL: none */
    size_t data_len;
    uint8_t *frame; /* where one is made */
    size_t frame_size;
    raw_packet_cb on_packet;
    uint16_t port; /* the first source port; UDP's */
    unsigned port_count;
    uint16_t id;         /* of echoes */
    int held[RAW_PORTS]; /* sockets that keep the ports */
    unsigned held_count;
    raw_link_t *links[RAW_LINKS_MAX];
    unsigned link_count;
};

/* The TCP number of a probe: it tells address, port and try, and nobody can guess it. */
uint32_t raw__cookie(const raw_t *raw, const packet_addr_t *host, uint16_t port, unsigned try);
/* The try that a number belongs to; -1: to none of ours. */
int raw__try_of(const raw_t *raw, const packet_addr_t *host, uint16_t port, uint32_t number);

/* Probes that end on the way have numbers of their own, which tell after how many hops, too. */
uint32_t raw__trace_cookie(const raw_t *raw, const packet_addr_t *host, const raw_probe_t *probe,
                           unsigned try);
/* False: it is none of these. */
bool raw__trace_of(const raw_t *raw, const packet_addr_t *host, uint16_t port, uint32_t number,
                   raw_answer_t *answer);
/* The same of the sequence numbers of echoes. */
uint16_t raw__echo_seq(const raw_probe_t *probe, unsigned try);
void raw__read_echo_seq(uint16_t seq, raw_answer_t *answer);

/* The IPv4 id of a RAW_PROTOCOL. */
uint16_t raw__protocol_id(const raw_t *raw, const packet_addr_t *host, uint8_t protocol);

/* Sends what a packet_write has made, of this length or with this error. */
int raw__transmit(const raw_link_t *link, const uint8_t *frame, ssize_t len);

/* Asks for a router's link address, at most every 250 ms. 0 when it is known, -EAGAIN,
 * -EHOSTUNREACH. */
int raw__hop(raw_t *raw, const raw_path_t *path, uint64_t now_us);
int raw__ask_neighbour(const raw_path_t *path, const packet_addr_t *target);

/* What a frame says about which probe of ours; but for answer->link. False: nothing. */
bool raw__read(const raw_t *raw, packet_link_e link, const hpacket_frame_t *frame,
               raw_answer_t *answer);
/* Tells it. */
void raw__on_frame(hpacket_t *packet, const hpacket_frame_t *frame, void *arg);

#endif
