/* By connect, or by packets of our own; and which ones. */
#include "ping.h"
#include "plan_int.h"

#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

static const scan_kind_t scan_kinds[] = {
    {SCAN_CONNECT, "connect", 0, PORT_CLOSED, PORT_FILTERED},
    {SCAN_SYN, "syn", PACKET_SYN, PORT_CLOSED, PORT_FILTERED},
    {SCAN_ACK, "ack", PACKET_ACK, PORT_UNFILTERED, PORT_FILTERED},
    {SCAN_FIN, "fin", PACKET_FIN, PORT_CLOSED, PORT_OPEN_FILTERED},
    {SCAN_NULL, "null", 0, PORT_CLOSED, PORT_OPEN_FILTERED},
    {SCAN_XMAS, "xmas", PACKET_FIN | PACKET_PSH | PACKET_URG, PORT_CLOSED, PORT_OPEN_FILTERED},
    {SCAN_MAIMON, "maimon", PACKET_FIN | PACKET_ACK, PORT_CLOSED, PORT_OPEN_FILTERED},
};

/* "SYNFIN", "18", "0x12". */
static int read_flags(const char *text, uint8_t *flags)
{
    static const struct {
        const char *name;
        uint8_t flag;
    } names[] = {{"FIN", PACKET_FIN}, {"SYN", PACKET_SYN}, {"RST", PACKET_RST},
                 {"PSH", PACKET_PSH}, {"ACK", PACKET_ACK}, {"URG", PACKET_URG},
                 {"ECE", PACKET_ECE}, {"CWR", PACKET_CWR}};
    char *end;
    unsigned long value = strtoul(text, &end, 0);

    *flags = (uint8_t)value;
    if (*text == '\0')
        return -EINVAL;
    if (*end == '\0')
        return value <= 255 ? 0 : -ERANGE;
    for (*flags = 0; *text;) {
        size_t i = 0;

        while (i < sizeof(names) / sizeof(names[0]) && strncasecmp(text, names[i].name, 3) != 0)
            i++;
        if (i == sizeof(names) / sizeof(names[0]))
            return -EINVAL;
        *flags |= names[i].flag;
        text += 3;
        text += *text == ',';
    }
    return 0;
}

/* Whether this process may send packets of its own making. */
static bool may_send_raw(void)
{
    int fd = socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    if (fd >= 0)
        close(fd);
    return fd >= 0;
}

/* Without -P an echo is one of the ways to ask. */
static bool wants_echo(const options_t *o)
{
    unsigned pings = o->pings & ~(unsigned)(PING_NONE | PING_NEIGHBOUR);

    return (o->scans & SCAN_LIST) == 0 && (o->pings & PING_NONE) == 0 &&
           (pings == 0 || pings & PING_ECHO);
}

/* What cannot be done without privileges; has_echo: ping sockets are allowed. */
static const char *needs_raw(const options_t *o, bool has_echo)
{
    if (o->scans & SCAN_UDP)
        return "-sU sends packets of our own, which needs root or CAP_NET_RAW";
    if (o->scans & SCAN_TCP & ~(unsigned)SCAN_CONNECT)
        return "this scan sends packets of our own, which needs root or CAP_NET_RAW; use -sT";
    if (o->flags)
        return "--scanflags needs root or CAP_NET_RAW";
    if (o->os.wanted)
        return "-O, and -A with it, sends packets of our own, which needs root or CAP_NET_RAW; use "
               "-sV, which tells what services say of their system";
    if (o->traceroute)
        return "--traceroute sends packets of our own, which needs root or CAP_NET_RAW";
    if (!has_echo && (o->pings & ~(unsigned)(PING_NONE | PING_SYN)) == PING_ECHO)
        return "-PE needs root, CAP_NET_RAW, or a group that may have ping sockets (sysctl "
               "net.ipv4.ping_group_range; \"0 2147483647\": every one); use -PS, which connects";
    if (o->pings & ~(unsigned)(PING_NONE | PING_SYN | PING_ECHO))
        return "this -P sends packets of our own, which needs root or CAP_NET_RAW; use -PS or -Pn";
    return NULL;
}

static void tell_way(const plan_t *plan)
{
    const options_t *o = plan->options;

    if (o->unprivileged || plan->is_raw || o->scans & SCAN_LIST)
        return;
    if (plan->by_ping)
        fprintf(stderr, "hnmap: without CAP_NET_RAW: looking for hosts by echoes of a ping socket "
                        "and by connect, and scanning by connect, which does not see a host that "
                        "drops echoes and what it does not serve\n");
    else
        fprintf(stderr,
                "hnmap: without CAP_NET_RAW: scanning by connect, which does not see a "
                "host that drops what it does not serve%s\n",
                wants_echo(o) ? " (sysctl net.ipv4.ping_group_range allows no ping sockets, which "
                                "would see those that answer echoes)"
                              : "");
}

int plan__choose_way(plan_t *plan)
{
    const options_t *o = plan->options;
    unsigned type = o->scans & SCAN_TCP;
    bool may_raw = !o->unprivileged && may_send_raw();
    bool may_ping = !may_raw && wants_echo(o) && ping_is_allowed(o->target.family);
    const char *why = needs_raw(o, may_ping);

    plan->is_raw = may_raw;
    plan->by_ping = may_ping;
    plan->by_connect = !may_raw || type == SCAN_CONNECT;
    if (!may_raw && why)
        return plan__fail("", why, 2);
    tell_way(plan);
    plan->protocols = (o->scans & SCAN_UDP ? PORTS_UDP : 0) |
                      (type != 0 || (o->scans & SCAN_UDP) == 0 ? PORTS_TCP : 0);
    if (type == 0)
        type = plan->is_raw ? SCAN_SYN : SCAN_CONNECT;
    for (size_t i = 0; i < sizeof(scan_kinds) / sizeof(scan_kinds[0]); i++)
        if (scan_kinds[i].type == type)
            plan->scan_kind = scan_kinds[i];
    plan->scan = &plan->scan_kind;
    if (o->flags && read_flags(o->flags, &plan->scan_kind.flags) < 0)
        return plan__fail("option --scanflags",
                          "it takes names such as SYNFIN, or a number up to 255", 2);
    return 0;
}
