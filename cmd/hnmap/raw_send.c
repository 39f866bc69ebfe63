/* From a probe to a frame. */
#include "raw_int.h"

#include "base/htime.h"
#include "payload.h"

#define ACK_WINDOW 1024

int raw__transmit(const raw_link_t *link, const uint8_t *frame, ssize_t len)
{
    const raw_t *raw = link->raw;
    uint64_t now_us = raw->on_packet ? htime_monotonic_us() : 0;
    int err = len < 0 ? (int)len : hpacket_send(link->packet, frame, (size_t)len);

    if (err == 0 && raw->on_packet)
        raw->on_packet(raw->context, &(raw_packet_t){.is_sent = true,
                                                     .link = hpacket_link(link->packet),
                                                     .data = frame,
                                                     .len = (size_t)len,
                                                     .time_us = now_us});
    return err;
}

/* ---- around the probe ------------------------------------------------------------------------ */

static const uint8_t *next_mac(const raw_path_t *path)
{
    return path->hop ? path->hop->mac : path->mac;
}

static packet_envelope_t envelope_of(const raw_t *raw, const raw_path_t *path,
                                     const raw_probe_t *probe)
{
    uint8_t ttl = probe->is_bare ? 0 : raw->ttl;
    bool has_link = path->link->info.kind == HROUTE_ETHERNET;

    return (packet_envelope_t){
        .link_source = has_link ? path->link->info.mac : NULL,
        .link_destination = has_link ? next_mac(path) : NULL,
        .source = path->source,
        .destination = path->destination,
        .ttl = probe->hops > 0 ? probe->hops : ttl,
    };
}

static size_t data_len(const raw_t *raw, const raw_probe_t *probe)
{
    return probe->is_bare ? 0 : raw->data_len;
}

/* ---- probes ---------------------------------------------------------------------------------- */

static int send_icmp(const raw_t *raw, const raw_path_t *path, const raw_probe_t *probe,
                     unsigned try)
{
    static const packet_ask_e asks[] = {
        [RAW_ECHO] = PACKET_ASK_ECHO,
        [RAW_TIMESTAMP] = PACKET_ASK_TIMESTAMP,
        [RAW_NETMASK] = PACKET_ASK_NETMASK,
    };
    const packet_envelope_t envelope = envelope_of(raw, path, probe);
    const packet_icmp_out_t icmp = {
        .ask = asks[probe->kind],
        .id = raw->id,
        .seq = raw__echo_seq(probe, try),
        .payload = raw->data,
        .payload_len = data_len(raw, probe),
    };

    return raw__transmit(path->link, raw->frame,
                         packet_write_icmp(raw->frame, raw->frame_size, &envelope, &icmp));
}

#define SYN_TIMESTAMP 1000 /* ms of a clock that was just set: some take 0 for none */

static packet_tcp_out_t tcp_of(const raw_t *raw, const raw_path_t *path, uint8_t flags)
{
    packet_tcp_out_t tcp = {.window = ACK_WINDOW};

    if (flags == PACKET_SYN)
        tcp = packet_tcp_syn(path->source.family, path->link->info.mtu);
    tcp.timestamp = SYN_TIMESTAMP;
    tcp.flags = flags;
    tcp.source_port = raw->port;
    return tcp;
}

/* The packets of a scan differ in a few fields: the rest is kept. */
static int prepare(const raw_t *raw, const raw_path_t *path, const raw_probe_t *probe)
{
    raw_link_t *link = path->link;
    const packet_envelope_t envelope = envelope_of(raw, path, probe);
    const packet_tcp_out_t tcp = tcp_of(raw, path, probe->flags);
    int err;

    if (link->template_flags == probe->flags &&
        packet_addr_equal(&link->template_source, &path->source))
        return 0;
    err = packet_template_init(&link->template, &envelope, &tcp);
    link->template_flags = err == 0 ? probe->flags : -1;
    link->template_source = path->source;
    return err;
}

static int send_tcp(const raw_t *raw, const raw_path_t *path, const raw_probe_t *probe,
                    unsigned try)
{
    raw_link_t *link = path->link;
    uint32_t cookie = raw__cookie(raw, &path->destination, probe->port, try);
    const packet_patch_t patch = {
        .destination = &path->destination,
        .source_port = (uint16_t)(raw->port + try % raw->port_count),
        .destination_port = probe->port,
        .seq = cookie,
        .ack = probe->flags & PACKET_ACK ? cookie : 0,
        .id = (uint16_t)(cookie >> 8),
    };
    int err = prepare(raw, path, probe);

    if (err < 0)
        return err;
    packet_template_patch(&link->template, &patch);
    if (link->info.kind == HROUTE_ETHERNET)
        packet_template_set_link(&link->template, next_mac(path));
    return raw__transmit(link, link->template.bytes, link->template.len);
}

/* With data or without what all others have, or on the way to a host: no template is worth it. */
static int send_single_tcp(const raw_t *raw, const raw_path_t *path, const raw_probe_t *probe,
                           unsigned try)
{
    packet_envelope_t envelope = envelope_of(raw, path, probe);
    packet_tcp_out_t tcp = tcp_of(raw, path, probe->flags);

    tcp.source_port =
        (uint16_t)(raw->port + (probe->hops > 0 ? probe->hops : try) % raw->port_count);
    tcp.destination_port = probe->port;
    tcp.seq = probe->hops > 0 ? raw__trace_cookie(raw, &path->destination, probe, try)
                              : raw__cookie(raw, &path->destination, probe->port, try);
    tcp.ack = probe->flags & PACKET_ACK ? tcp.seq : 0;
    tcp.payload = raw->data;
    tcp.payload_len = data_len(raw, probe);
    envelope.id = (uint16_t)(tcp.seq >> 8);
    return raw__transmit(path->link, raw->frame,
                         packet_write_tcp(raw->frame, raw->frame_size, &envelope, &tcp));
}

static int send_protocol(const raw_t *raw, const raw_path_t *path, const raw_probe_t *probe)
{
    /* RFC 2236 section 2: who is in a group? Its checksum is over all of it: nothing follows. Other
     * protocols are asked by an empty packet. */
    static const uint8_t igmp_query[8] = {0x11, 0, 0xee, 0xff};
    bool is_igmp = probe->port == IPPROTO_IGMP;
    packet_envelope_t envelope = envelope_of(raw, path, probe);

    envelope.id = raw__protocol_id(raw, &path->destination, (uint8_t)probe->port);
    return raw__transmit(path->link, raw->frame,
                         packet_write_ip(raw->frame, raw->frame_size, &envelope,
                                         (uint8_t)probe->port, is_igmp ? igmp_query : raw->data,
                                         is_igmp ? sizeof(igmp_query) : data_len(raw, probe)));
}

static int send_udp(const raw_t *raw, const raw_path_t *path, const raw_probe_t *probe)
{
    const packet_envelope_t envelope = envelope_of(raw, path, probe);
    packet_udp_out_t udp = {.source_port = raw->port, .destination_port = probe->port};

    if (raw->data) {
        udp.payload = raw->data;
        udp.payload_len = raw->data_len;
    } else {
        udp.payload = payload_of(probe->port, &udp.payload_len);
    }
    return raw__transmit(path->link, raw->frame,
                         packet_write_udp(raw->frame, raw->frame_size, &envelope, &udp));
}

static int send_probe(const raw_t *raw, const raw_path_t *path, const raw_probe_t *probe,
                      unsigned try)
{
    switch (probe->kind) {
    case RAW_NEIGHBOUR:
        return raw__ask_neighbour(path, &path->destination);
    case RAW_TCP:
        return probe->hops > 0 || probe->is_bare || raw->data_len > 0
                   ? send_single_tcp(raw, path, probe, try)
                   : send_tcp(raw, path, probe, try);
    case RAW_UDP:
        return send_udp(raw, path, probe);
    case RAW_PROTOCOL:
        return send_protocol(raw, path, probe);
    default:
        return send_icmp(raw, path, probe, try);
    }
}

int raw_send(raw_t *raw, const raw_path_t *path, const raw_probe_t *probe, unsigned try,
             uint64_t now_us)
{
    int err = 0;

    if (path->hop && path->link->info.kind == HROUTE_ETHERNET)
        err = raw__hop(raw, path, now_us);
    if (err == 0)
        err = send_probe(raw, path, probe, try);
    return err == -ENOBUFS ? -EAGAIN : err;
}
