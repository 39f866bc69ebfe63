/* Interfaces are opened as the first host behind them comes. */
#include "raw_int.h"

#include "base/hmem.h"
#include "payload.h"

#include <string.h>
#include <unistd.h>

#define HOP_ASK_US 250000
#define HOLD_TRIES 100       /* to find ports that are free, in a row */
#define PORTS_ABOVE 61000    /* the kernel gives those below by itself, unless told otherwise */
#define RING_SIZE (2u << 20) /* what 10,000 probes in flight may bring at once */

/* ---- numbers --------------------------------------------------------------------------------- */

/* SplitMix64's finish: every bit of the input moves every bit of the result. */
static uint64_t mix(uint64_t x)
{
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
    return x ^ (x >> 31);
}

static uint32_t number_of(const raw_t *raw, const packet_addr_t *host, uint32_t port)
{
    uint64_t words[2] = {0, 0};
    uint64_t hash = raw->secret ^ port;

    memcpy(words, &host->v6, host->family == AF_INET6 ? 16 : 4);
    hash = mix(hash + words[0]);
    return (uint32_t)mix(hash ^ words[1]);
}

/* What answers a TCP probe has counted on over what the probe takes of its numbers (SYN and FIN,
 * one each): the lowest bits are free for that, so that the sum tells the same probe. */
#define ROOM_BITS 2
#define ROOM_MAX 2
#define ROOM_MASK ((1u << ROOM_BITS) - 1)
#define TRY_MASK (RAW_TRIES - 1u)

/* Whether number is wanted with any mark (of the bits in mask) and room; then that mark. */
static bool read_mark(uint32_t number, uint32_t wanted, uint32_t mask, uint32_t *mark)
{
    *mark = (number >> ROOM_BITS) & mask;
    return ((number ^ wanted) & ~(mask << ROOM_BITS | ROOM_MASK)) == 0 &&
           (number & ROOM_MASK) <= ROOM_MAX;
}

static uint32_t with_mark(uint32_t number, uint32_t mask, uint32_t mark)
{
    return (number & ~(mask << ROOM_BITS | ROOM_MASK)) | (mark & mask) << ROOM_BITS;
}

uint32_t raw__cookie(const raw_t *raw, const packet_addr_t *host, uint16_t port, unsigned try)
{
    if (raw->port_count == 1) /* else it were another connection at the same ports */
        try = 0;
    return with_mark(number_of(raw, host, port), TRY_MASK, try);
}

int raw__try_of(const raw_t *raw, const packet_addr_t *host, uint16_t port, uint32_t number)
{
    uint32_t try;

    return read_mark(number, number_of(raw, host, port), TRY_MASK, &try) ? (int)
    try:
        -1;
}

#define TRACE_NUMBERS 0x10000u /* beyond the ports: other numbers for the same port */
#define PROTOCOL_NUMBERS 0x20000u
#define HOPS_BITS 5
#define TRACE_MASK ((RAW_TRACE_TRIES << HOPS_BITS) - 1u)
#define TRACE_SEQ 0x100 /* echoes that end on the way: above all that do not */

static uint32_t trace_mark(const raw_probe_t *probe, unsigned try)
{
    return (try % RAW_TRACE_TRIES) << HOPS_BITS | probe->hops;
}

static void read_trace_mark(uint32_t mark, raw_answer_t *answer)
{
    answer->probe.hops = mark & ((1u << HOPS_BITS) - 1);
    answer->try = (int)(mark >> HOPS_BITS) % RAW_TRACE_TRIES;
}

uint32_t raw__trace_cookie(const raw_t *raw, const packet_addr_t *host, const raw_probe_t *probe,
                           unsigned try)
{
    return with_mark(number_of(raw, host, TRACE_NUMBERS | probe->port), TRACE_MASK,
                     trace_mark(probe, try));
}

bool raw__trace_of(const raw_t *raw, const packet_addr_t *host, uint16_t port, uint32_t number,
                   raw_answer_t *answer)
{
    uint32_t mark;

    if (!read_mark(number, number_of(raw, host, TRACE_NUMBERS | port), TRACE_MASK, &mark))
        return false;
    read_trace_mark(mark, answer);
    return answer->probe.hops > 0;
}

uint16_t raw__echo_seq(const raw_probe_t *probe, unsigned try)
{
    return (uint16_t)(probe->hops > 0 ? TRACE_SEQ | trace_mark(probe, try) : try);
}

void raw__read_echo_seq(uint16_t seq, raw_answer_t *answer)
{
    answer->try = seq < RAW_TRIES ? seq : -1;
    if ((seq & ~TRACE_MASK) == TRACE_SEQ)
        read_trace_mark(seq & TRACE_MASK, answer);
}

uint16_t raw__protocol_id(const raw_t *raw, const packet_addr_t *host, uint8_t protocol)
{
    return (uint16_t)(number_of(raw, host, PROTOCOL_NUMBERS | protocol) | 1); /* 0: the kernel's */
}

/* ---- opening --------------------------------------------------------------------------------- */

/* A port that the kernel gives to nobody else meanwhile: bound, and not listening. The socket, and
 * its port in *port (0: one that is free); or what is negative. */
static int hold_port(uint16_t *port)
{
    sockaddr_u addr = {.sin6 = {.sin6_family = AF_INET6, .sin6_port = htons(*port)}};
    socklen_t len = sizeof(addr.sin6);
    int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int err;

    if (fd < 0) { /* without IPv6 */
        addr = (sockaddr_u){.sin = {.sin_family = AF_INET, .sin_port = htons(*port)}};
        len = sizeof(addr.sin);
        fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    }
    if (fd < 0)
        return -errno;
    if (bind(fd, &addr.sa, len) < 0 || getsockname(fd, &addr.sa, &len) < 0) {
        err = -errno;
        close(fd);
        return err;
    }
    *port = (uint16_t)haddr_port(&addr.sa);
    return fd;
}

static void release_ports(raw_t *raw)
{
    while (raw->held_count > 0)
        close(raw->held[--raw->held_count]);
}

/* The port that a row begins with: one of those that the kernel gives by itself, and if it has no
 * rows left, as after many connections, one of those above. 0 or a negative error. */
static int choose_row(const raw_t *raw, unsigned try, uint16_t *port)
{
    int fd;

    if (try >= HOLD_TRIES / 2) {
        *port = (uint16_t)(PORTS_ABOVE + mix(raw->secret + try) % (UINT16_MAX - PORTS_ABOVE));
    } else {
        *port = 0;
        fd = hold_port(port);
        if (fd < 0)
            return fd;
        close(fd);
    }
    *port &= (uint16_t) ~(RAW_PORTS - 1u);
    return 0;
}

/* RAW_PORTS ports in a row. */
static int hold_row(raw_t *raw)
{
    for (raw->port_count = 0; raw->port_count < RAW_PORTS; raw->port_count++) {
        uint16_t port = (uint16_t)(raw->port + raw->port_count);
        int fd = hold_port(&port);

        if (fd < 0) {
            release_ports(raw);
            return fd;
        }
        raw->held[raw->held_count++] = fd;
    }
    return 0;
}

static int hold_ports(raw_t *raw, uint16_t wanted)
{
    int err = -EADDRINUSE;

    if (wanted) {
        raw->port = wanted;
        raw->port_count = 1;
        return 0; /* one that was asked for may be used by others, too */
    }
    for (unsigned i = 0; i < HOLD_TRIES && err == -EADDRINUSE; i++) {
        err = choose_row(raw, i, &raw->port);
        if (!err)
            err = hold_row(raw);
    }
    return err;
}

int raw_new(hloop_t *loop, const raw_options_t *options, raw_answer_cb cb, void *context,
            raw_t **out)
{
    raw_t *raw = hmem_zalloc(sizeof(*raw));
    hroute_link_t link;
    int err;

    if (raw == NULL)
        return -ENOMEM;
    *raw = (raw_t){.loop = loop, .cb = cb, .context = context};
    raw->secret = mix(options->seed + 1);
    raw->id = (uint16_t)mix(raw->secret);
    raw->has_protocols = options->has_protocols;
    raw->has_many = options->has_many;
    raw->by_ip = options->by_ip;
    raw->ttl = options->ttl;
    raw->data = options->data;
    raw->data_len = options->data_len;
    raw->on_packet = options->on_packet;
    if (options->source) {
        raw->has_source = true;
        raw->source = *options->source;
    }
    raw->frame_size = PACKET_WRITE_MAX + PAYLOAD_MAX + raw->data_len;
    raw->frame = hmem_alloc(raw->frame_size);
    err = raw->frame ? hroute_new(&raw->routes) : -ENOMEM;
    if (err == 0 && options->interface) {
        err = hroute_link_named(raw->routes, options->interface, &link);
        raw->ifindex = err == 0 ? link.index : 0;
    }
    if (err == 0)
        err = hold_ports(raw, options->source_port);
    if (err < 0) {
        raw_free(raw);
        return err;
    }
    *out = raw;
    return 0;
}

void raw_free(raw_t *raw)
{
    if (raw == NULL)
        return;
    for (unsigned i = 0; i < raw->link_count; i++) {
        hpacket_close(raw->links[i]->packet);
        hmem_free(raw->links[i]);
    }
    hroute_free(raw->routes);
    release_ports(raw);
    hmem_free(raw->frame);
    hmem_free(raw);
}

/* ---- paths ----------------------------------------------------------------------------------- */

static int open_link(raw_t *raw, const hroute_link_t *info, raw_link_t **out)
{
    hpacket_options_t options = {
        .filter = {.tcp = {raw->port, (uint16_t)(raw->port + raw->port_count - 1)},
                   .udp = {raw->port, raw->port},
                   .icmp = true,
                   .arp = info->kind == HROUTE_ETHERNET,
                   .others = raw->has_protocols},
        .ring_size = RING_SIZE,
        .no_ring = !raw->has_many,
        .on_frame = raw__on_frame,
    };
    raw_link_t *link;
    int err;

    for (unsigned i = 0; i < raw->link_count; i++)
        if (raw->links[i]->info.index == info->index) {
            *out = raw->links[i];
            return 0;
        }
    if (raw->link_count == RAW_LINKS_MAX)
        return -ENOBUFS;
    link = hmem_zalloc(sizeof(*link));
    if (link == NULL)
        return -ENOMEM;
    *link = (raw_link_t){.raw = raw, .info = *info, .template_flags = -1};
    options.arg = link;
    err = hpacket_open(&link->packet, raw->loop, info, &options);
    if (err < 0) {
        hmem_free(link);
        return err;
    }
    raw->links[raw->link_count++] = link;
    *out = link;
    return 0;
}

static int find_hop(raw_link_t *link, const packet_addr_t *addr, raw_hop_t **hop)
{
    for (unsigned i = 0; i < link->hop_count; i++)
        if (packet_addr_equal(&link->hops[i].addr, addr)) {
            *hop = &link->hops[i];
            return 0;
        }
    if (link->hop_count == RAW_HOPS_MAX)
        return -ENOBUFS;
    *hop = &link->hops[link->hop_count++];
    **hop = (raw_hop_t){.addr = *addr};
    return 0;
}

int raw_route(raw_t *raw, const struct sockaddr *destination, raw_path_t *path)
{
    const sockaddr_u *u = (const sockaddr_u *)destination;
    unsigned zone = destination->sa_family == AF_INET6 ? u->sin6.sin6_scope_id : 0;
    hroute_answer_t answer;
    int err;

    *path = (raw_path_t){.destination = packet_addr(destination)};
    err = hroute_lookup(raw->routes, &path->destination, zone ? zone : raw->ifindex,
                        raw->has_source ? &raw->source : NULL, &answer);
    if (err < 0)
        return err;
    if (raw->by_ip && answer.link.kind == HROUTE_ETHERNET)
        answer.link.kind = HROUTE_TUNNEL; /* the kernel finds link addresses and routers */
    err = open_link(raw, &answer.link, &path->link);
    if (err < 0)
        return err;
    path->source = answer.source;
    path->is_local = answer.type == HROUTE_LOCAL;
    path->link->source = answer.source;
    if (answer.has_gateway && (answer.link.kind == HROUTE_ETHERNET || raw->by_ip))
        return find_hop(path->link, &answer.gateway, &path->hop);
    path->is_neighbour = answer.link.kind == HROUTE_ETHERNET && !answer.link.has_no_arp;
    return 0;
}

bool raw_router(const raw_path_t *path, haddr_t *router)
{
    if (path->hop == NULL)
        return false;
    *router = (haddr_t){0};
    router->len = packet_addr_to(&path->hop->addr, 0, 0, &router->u.storage);
    return true;
}

/* ---- neighbours ------------------------------------------------------------------------------ */

int raw__ask_neighbour(const raw_path_t *path, const packet_addr_t *target)
{
    const uint8_t *mac = path->link->info.mac;
    uint8_t frame[PACKET_WRITE_MAX];
    ssize_t len;

    if (target->family == AF_INET6)
        len = packet_write_neighbour_solicitation(frame, sizeof(frame), mac, &path->source.v6,
                                                  &target->v6);
    else
        len =
            packet_write_arp_request(frame, sizeof(frame), mac, NULL, path->source.v4, target->v4);
    return raw__transmit(path->link, frame, len);
}

int raw__hop(raw_t *raw, const raw_path_t *path, uint64_t now_us)
{
    raw_hop_t *hop = path->hop;

    if (hop->has_mac)
        return 0;
    if (hroute_neighbour(raw->routes, path->link->info.index, &hop->addr, hop->mac) == 0) {
        hop->has_mac = true;
        return 0;
    }
    if (hop->first_us == 0)
        hop->first_us = now_us;
    if (now_us - hop->first_us > RAW_HOP_WAIT_US)
        return -EHOSTUNREACH;
    if (hop->last_us == 0 || now_us - hop->last_us > HOP_ASK_US) {
        hop->last_us = now_us;
        raw__ask_neighbour(path, &hop->addr); /* asked again if it was not sent */
    }
    return -EAGAIN;
}

/* ---- counters -------------------------------------------------------------------------------- */

uint64_t raw_dropped(raw_t *raw)
{
    uint64_t dropped = 0;

    for (unsigned i = 0; i < raw->link_count; i++) {
        hpacket_stats_t stats;

        hpacket_stats(raw->links[i]->packet, &stats);
        dropped += stats.dropped;
    }
    return dropped;
}
