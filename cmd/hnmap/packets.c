/* --packet-trace: each packet in a line of the report for people. */
#include "scan_int.h"

#include "base/htime.h"
#include "packet_text.h"

#include <string.h>

/* Writes "SENT (0.0410s) " and what follows it. */
static void tell(scan_t *s, const char *what, uint64_t time_us, const hbytes_t *text)
{
    uint64_t us = time_us > s->begin_us ? time_us - s->begin_us : 0;
    hbytes_t line = {0};

    view_clear(s->view);
    if (hbytes_printf(&line, "%s (%.4fs) %s\n", what, (double)us / 1e6, text->data) < 0)
        scan__out_of_memory(s);
    else
        scan__heard(s, output_line(s->output, &s->plan.run, line.data));
    hbytes_deinit(&line);
}

/* What is said to a whole group is no answer to us. */
static bool is_to_group(const raw_packet_t *packet)
{
    packet_t parsed;

    if (packet_parse(&parsed, packet->link, packet->data, packet->len) < 0)
        return false;
    return parsed.destination.family == AF_INET6
               ? IN6_IS_ADDR_MULTICAST(&parsed.destination.v6)
               : IN_MULTICAST(ntohl(parsed.destination.v4.s_addr));
}

void scan__on_packet(void *context, const raw_packet_t *packet)
{
    scan_t *s = context;
    hbytes_t text = {0};

    if (!packet->is_sent && is_to_group(packet))
        return;
    if (packet_text(&text, packet->link, packet->data, packet->len) == 0)
        tell(s, packet->is_sent ? "SENT" : "RCVD", packet->time_us, &text);
    else
        scan__out_of_memory(s);
    hbytes_deinit(&text);
}

void scan__trace_connect(scan_t *s, const struct sockaddr *addr, int err)
{
    char ip[HADDR_FORMAT_SIZE];
    hbytes_t text = {0};

    if (!s->plan.options->output.packets)
        return;
    if (hbytes_printf(&text, "TCP localhost > %s:%d => %s", haddr_ip(addr, ip, sizeof(ip)),
                      haddr_port(addr), err == 0 ? "Connected" : strerror(-err)) == 0)
        tell(s, "CONN", htime_monotonic_us(), &text);
    else
        scan__out_of_memory(s);
    hbytes_deinit(&text);
}

/* The system makes the rest of such a packet, and takes it away from the answer. */
void scan__trace_echo(scan_t *s, const struct sockaddr *addr, bool is_sent, unsigned try)
{
    char ip[HADDR_FORMAT_SIZE];
    hbytes_t text = {0};

    if (!s->plan.options->output.packets)
        return;
    haddr_ip(addr, ip, sizeof(ip));
    if (hbytes_printf(&text, "ICMP%s [%s > %s Echo %s] seq=%u",
                      addr->sa_family == AF_INET6 ? "v6" : "", is_sent ? "localhost" : ip,
                      is_sent ? ip : "localhost", is_sent ? "request" : "reply", try) == 0)
        tell(s, is_sent ? "SENT" : "RCVD", htime_monotonic_us(), &text);
    else
        scan__out_of_memory(s);
    hbytes_deinit(&text);
}
