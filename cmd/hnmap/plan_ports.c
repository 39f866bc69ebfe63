/* The ports that are scanned, and those that are asked to find out whether a host is there. */
#include "plan_int.h"

#include <stdio.h>
#include <sys/socket.h>

#define UNUSED_PORT 40125 /* where hardly anything listens: a host says so */
#define UNUSED_PORT_TEXT "40125"

static int parse_ports(plan_t *plan, ports_t *ports, const char *option, const char *text,
                       unsigned protocols)
{
    char why[PORTS_ERROR_SIZE];
    int err = ports_parse(ports, text, protocols, plan->names, why, sizeof(why));

    if (err == -ENOMEM)
        return plan__out_of_memory();
    return err < 0 ? plan__fail(option, why, 2) : 0;
}

/* What -p names, without what it does not scan. */
static int read_ports(plan_t *plan, ports_t *named)
{
    int status = parse_ports(plan, named, "option -p", plan->options->port.ports, plan->protocols);

    if (status != 0)
        return status;
    if (named->repeated)
        fprintf(stderr, "hnmap: option -p: a port is named twice; it is asked once\n");
    if (named->not_scanned)
        fprintf(stderr, "hnmap: option -p: ports of %s are named, which is not scanned (see -s)\n",
                named->not_scanned & PORTS_UDP ? "UDP" : "TCP");
    return 0;
}

int plan__choose_ports(plan_t *plan)
{
    const port_options_t *o = &plan->options->port;
    static const ports_t none;
    ports_t excluded = none, named = none;
    unsigned top = o->fast ? PORTS_FAST : o->top;
    int status = 0;

    if (o->excluded)
        status =
            parse_ports(plan, &excluded, "option --exclude-ports", o->excluded, plan->protocols);
    if (status == 0 && o->ports)
        status = read_ports(plan, &named);
    if (status != 0)
        return status;
    if (o->ports && top == 0) {
        plan->ports = named;
        ports_remove(&plan->ports, &excluded);
    } else {
        ports_top(&plan->ports, top ? top : PORTS_DEFAULT, plan->protocols,
                  o->ports ? &named : NULL, &excluded);
    }
    if (plan->ports.tcp.count + plan->ports.udp.count == 0)
        return plan__fail("ports", "none is left to be scanned", 2);
    return 0;
}

/* ---- pings ----------------------------------------------------------------------------------- */

static int add_ping(plan_t *plan, raw_probe_t probe)
{
    if (plan->ping_count == PLAN_PINGS_MAX)
        return plan__fail("options -P", "more than 64 probes for one host", 2);
    plan->pings[plan->ping_count++] = probe;
    return 0;
}

/* A probe like this one to each port. */
static int add_ping_ports(plan_t *plan, const char *option, const char *text, raw_probe_t probe)
{
    static const ports_t none;
    ports_t ports = none;
    bool is_udp = probe.kind == RAW_UDP;
    const port_set_t *set = is_udp ? &ports.udp : &ports.tcp;
    int status = parse_ports(plan, &ports, option, text, is_udp ? PORTS_UDP : PORTS_TCP);

    if (probe.flags == PACKET_SYN)
        plan->ping_ports = ports.tcp;
    for (int port = port_set_next(set, 0); port >= 0 && status == 0 && plan->is_raw;
         port = port_set_next(set, port + 1)) {
        probe.port = (uint16_t)port;
        status = add_ping(plan, probe);
    }
    return status;
}

/* The protocols that other probes are made for are asked by those. */
static raw_probe_t probe_of_protocol(uint8_t protocol)
{
    switch (protocol) {
    case IPPROTO_ICMP:
    case IPPROTO_ICMPV6:
        return (raw_probe_t){.kind = RAW_ECHO};
    case IPPROTO_TCP:
        return (raw_probe_t){.kind = RAW_TCP, .flags = PACKET_ACK, .port = 80};
    case IPPROTO_UDP:
        return (raw_probe_t){.kind = RAW_UDP, .port = UNUSED_PORT};
    default:
        return (raw_probe_t){.kind = RAW_PROTOCOL, .port = protocol};
    }
}

static int add_ping_protocols(plan_t *plan, const char *text)
{
    static const ports_t none;
    ports_t numbers = none;
    int status = parse_ports(plan, &numbers, "option -PO", text, PORTS_TCP);

    for (int number = port_set_next(&numbers.tcp, 0); number >= 0 && status == 0;
         number = port_set_next(&numbers.tcp, number + 1)) {
        if (number > UINT8_MAX)
            return plan__fail("option -PO", "protocols have numbers up to 255", 2);
        status = add_ping(plan, probe_of_protocol((uint8_t)number));
    }
    return status;
}

static int add_pings(plan_t *plan, unsigned pings)
{
    static const struct {
        ping_type_e type;
        raw_kind_e kind;
    } plain[] = {
        {PING_ECHO, RAW_ECHO}, {PING_TIMESTAMP, RAW_TIMESTAMP}, {PING_NETMASK, RAW_NETMASK}};
    const options_t *o = plan->options;
    const char *protocols = o->target.family == AF_INET ? "1,2,4" : "4,58";
    int status = 0;

    for (size_t i = 0; i < sizeof(plain) / sizeof(plain[0]) && status == 0; i++)
        if (pings & plain[i].type)
            status = add_ping(plan, (raw_probe_t){.kind = plain[i].kind});
    if (status == 0 && pings & PING_ACK)
        status = add_ping_ports(plan, "option -PA", o->ack_ports ? o->ack_ports : "80",
                                (raw_probe_t){.kind = RAW_TCP, .flags = PACKET_ACK});
    if (status == 0 && pings & PING_UDP)
        status = add_ping_ports(plan, "option -PU", o->udp_ports ? o->udp_ports : UNUSED_PORT_TEXT,
                                (raw_probe_t){.kind = RAW_UDP});
    if (status == 0 && pings & PING_PROTOCOL)
        status = add_ping_protocols(plan, o->protocols ? o->protocols : protocols);
    return status;
}

/* As nmap without any -P: an echo, SYN to 443, ACK to 80, a timestamp; by connect 80 and 443. */
int plan__choose_pings(plan_t *plan)
{
    const options_t *o = plan->options;
    bool is_v4 = o->target.family == AF_INET;
    unsigned pings = o->pings & ~(unsigned)(PING_NONE | PING_NEIGHBOUR);
    const char *syn = o->syn_ports ? o->syn_ports : plan->is_raw && pings == 0 ? "443" : "80";
    int status = 0;

    if (pings == 0)
        pings = PING_ECHO | PING_SYN | PING_ACK | (is_v4 ? PING_TIMESTAMP : 0);
    if (!plan->is_raw && o->syn_ports == NULL)
        syn = "80,443";
    if (!is_v4 && pings & (PING_TIMESTAMP | PING_NETMASK))
        return plan__fail("options -PP and -PM", "ICMPv6 has neither", 2);
    if (pings & PING_SYN)
        status = add_ping_ports(plan, "option -PS", syn,
                                (raw_probe_t){.kind = RAW_TCP, .flags = PACKET_SYN});
    return status == 0 && plan->is_raw ? add_pings(plan, pings) : status;
}
