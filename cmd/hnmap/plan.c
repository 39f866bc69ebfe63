#include "plan.h"

#include "base/herr.h"
#include "base/hstr.h"
#include "base/hversion.h"
#include "lookup.h"

#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#define NEIGHBOUR_RATE 10000 /* probes a second, to begin with: the local link bears it */
#define UNUSED_PORT 40125    /* where hardly anything listens: a host says so */
#define UNUSED_PORT_TEXT "40125"
/* Of each probe that asks whether a host is there, at most: where much is lost. */
#define PING_TRIES 6

static int fail(const char *what, const char *why, int status)
{
    fprintf(stderr, "hnmap: %s%s%s\n", what, *what ? ": " : "", why);
    return status;
}

static int out_of_memory(void)
{
    return fail("", herr_str(-ENOMEM), 1);
}

/* ---- pace ------------------------------------------------------------------------------------ */

#define MS 1000ULL /* us */

/* nmap's templates, as its manual tells them: times in ms. */
typedef struct template_s {
    uint32_t rtt_initial, rtt_min, rtt_max, delay, delay_max, host_timeout;
    unsigned retries, window_max;
} template_t;

static const template_t templates[] = {
    {300000, 100, 300000, 300000, 0, 0, 10, 1}, {15000, 100, 15000, 15000, 0, 0, 10, 1},
    {1000, 100, 10000, 400, 1000, 0, 10, 1},    {1000, 100, 10000, 0, 1000, 0, 10, 0},
    {500, 100, 1250, 0, 10, 0, 6, 0},           {250, 50, 300, 0, 5, 900000, 2, 0},
};

static uint32_t given_or(uint32_t given, uint32_t usual)
{
    return given > 0 ? given : usual;
}

/* What comes from the template yields to what was given. */
static template_t merge(const timing_options_t *t)
{
    template_t m = templates[t->pace];

    m.rtt_initial = given_or(t->rtt_initial_ms, m.rtt_initial);
    m.rtt_min = given_or(t->rtt_min_ms, m.rtt_min);
    m.rtt_max = given_or(t->rtt_max_ms, m.rtt_max);
    if (m.rtt_min > m.rtt_max)
        *(t->rtt_max_ms > 0 ? &m.rtt_min : &m.rtt_max) = t->rtt_max_ms > 0 ? m.rtt_max : m.rtt_min;
    if (m.rtt_initial > m.rtt_max && t->rtt_initial_ms > 0 && t->rtt_max_ms == 0)
        m.rtt_max = m.rtt_initial;
    if (m.rtt_initial < m.rtt_min && t->rtt_initial_ms > 0 && t->rtt_min_ms == 0)
        m.rtt_min = m.rtt_initial;
    m.rtt_initial = m.rtt_initial > m.rtt_max   ? m.rtt_max
                    : m.rtt_initial < m.rtt_min ? m.rtt_min
                                                : m.rtt_initial;
    m.delay = given_or(t->delay_ms, m.delay);
    m.delay_max = given_or(t->delay_max_ms, m.delay_max);
    if (m.delay > m.delay_max && m.delay_max > 0)
        *(t->delay_max_ms > 0 ? &m.delay : &m.delay_max) =
            t->delay_max_ms > 0 ? m.delay_max : m.delay;
    m.window_max = given_or(t->window_max, m.window_max);
    if (m.window_max > 0 && m.window_max < t->window_min)
        m.window_max = t->window_min;
    m.host_timeout = given_or(t->host_timeout_ms, m.host_timeout);
    m.retries = t->retries >= 0 ? (unsigned)t->retries : m.retries;
    return m;
}

engine_options_t plan_pace(const options_t *options, plan_pace_e what)
{
    const timing_options_t *t = &options->timing;
    const template_t m = merge(t);
    bool pings = what == PACE_NEIGHBOURS || what == PACE_PINGS || what == PACE_TRACE;

    return (engine_options_t){
        .rtt_initial_us = m.rtt_initial * MS,
        .rtt_min_us = m.rtt_min * MS,
        .rtt_max_us = m.rtt_max * MS,
        .tries = pings && m.retries + 1 > PING_TRIES ? PING_TRIES : m.retries + 1,
        .host_timeout_us = m.host_timeout * MS,
        .delay_us = m.delay * MS,
        .delay_max_us = m.delay_max * MS,
        .window_min = t->window_min,
        .window_max = m.window_max,
        .rate_min = t->rate_min,
        .rate_max = t->rate_max,
        .rate_initial = what == PACE_NEIGHBOURS ? NEIGHBOUR_RATE : 0,
        .in_order = !pings && options->port.in_order,
        /* Silence would be taken for an open port. */
        .wait_for_limited = what == PACE_UDP,
    };
}

/* ---- targets --------------------------------------------------------------------------------- */

static int target_error(const plan_t *plan, int err)
{
    if (err == -ENOMEM)
        return out_of_memory();
    return fail("targets", targets_error(plan->targets), 2);
}

static int read_targets(plan_t *plan)
{
    const target_options_t *o = &plan->options->target;
    const hopt_list_t *operands = &plan->options->operands;
    int err = 0;

    plan->targets = targets_new(o->family);
    if (plan->targets == NULL)
        return out_of_memory();
    for (size_t i = 0; i < operands->count && err == 0; i++)
        err = targets_add(plan->targets, operands->items[i]);
    for (size_t i = 0; i < o->input_files.count && err == 0; i++)
        err = targets_add_file(plan->targets, o->input_files.items[i]);
    if (err == 0 && o->exclude)
        err = targets_exclude(plan->targets, o->exclude);
    if (err == 0 && o->exclude_file)
        err = targets_exclude_file(plan->targets, o->exclude_file);
    return err < 0 ? target_error(plan, err) : 0;
}

/* "2/5": the second of five parts. */
static int read_shard(const char *text, uint64_t *part, uint64_t *parts)
{
    char first[32];
    const char *slash = text ? strchr(text, '/') : NULL;

    *part = 0;
    *parts = 1;
    if (text == NULL)
        return 0;
    if (slash && (size_t)(slash - text) < sizeof(first)) {
        memcpy(first, text, (size_t)(slash - text));
        first[slash - text] = '\0';
        if (hstr_parse_u64(slash + 1, 1, UINT32_MAX, parts) == 0 &&
            hstr_parse_u64(first, 1, *parts, part) == 0) {
            *part -= 1;
            return 0;
        }
    }
    return fail("option --shard", "it takes I/N with 1 <= I <= N, such as 1/4", 2);
}

static int begin_walk(plan_t *plan)
{
    const options_t *o = plan->options;
    uint64_t part, parts;
    int status = read_shard(o->target.shard, &part, &parts);
    int err;

    if (status != 0)
        return status;
    err = targets_ready(plan->targets);
    if (err < 0)
        return target_error(plan, err);
    targets_walk(&plan->cursor, plan->targets, part, parts,
                 o->target.randomize ? &plan->seed : NULL);
    if (plan->cursor.count == 0)
        fprintf(stderr, "hnmap: no target is left to be scanned\n");
    return 0;
}

/* ---- ports ----------------------------------------------------------------------------------- */

static int parse_ports(plan_t *plan, ports_t *ports, const char *option, const char *text,
                       unsigned protocols)
{
    char why[PORTS_ERROR_SIZE];
    int err = ports_parse(ports, text, protocols, plan->names, why, sizeof(why));

    if (err == -ENOMEM)
        return out_of_memory();
    return err < 0 ? fail(option, why, 2) : 0;
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

static int choose_ports(plan_t *plan)
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
        return fail("ports", "none is left to be scanned", 2);
    return 0;
}

/* ---- ways of asking -------------------------------------------------------------------------- */

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

static const char *needs_raw(const options_t *o)
{
    if (o->scans & SCAN_UDP)
        return "-sU sends packets of our own, which needs root or CAP_NET_RAW";
    if (o->scans & SCAN_TCP & ~(unsigned)SCAN_CONNECT)
        return "this scan sends packets of our own, which needs root or CAP_NET_RAW; use -sT";
    if (o->flags)
        return "--scanflags needs root or CAP_NET_RAW";
    if (o->traceroute)
        return "--traceroute sends packets of our own, which needs root or CAP_NET_RAW";
    if (o->pings & ~(unsigned)(PING_NONE | PING_SYN))
        return "this -P sends packets of our own, which needs root or CAP_NET_RAW; use -PS or -Pn";
    return NULL;
}

static int choose_way(plan_t *plan)
{
    const options_t *o = plan->options;
    unsigned type = o->scans & SCAN_TCP;
    bool may_raw = !o->unprivileged && may_send_raw();
    const char *why = needs_raw(o);

    plan->is_raw = may_raw;
    plan->by_connect = !may_raw || type == SCAN_CONNECT;
    if (!may_raw && why)
        return fail("", why, 2);
    if (o->unprivileged == false && !may_raw && (o->scans & SCAN_LIST) == 0)
        fprintf(stderr,
                "hnmap: without CAP_NET_RAW: scanning by connect, which does not see a host "
                "that drops what it does not serve\n");
    plan->protocols = (o->scans & SCAN_UDP ? PORTS_UDP : 0) |
                      (type != 0 || (o->scans & SCAN_UDP) == 0 ? PORTS_TCP : 0);
    if (type == 0)
        type = plan->is_raw ? SCAN_SYN : SCAN_CONNECT;
    for (size_t i = 0; i < sizeof(scan_kinds) / sizeof(scan_kinds[0]); i++)
        if (scan_kinds[i].type == type)
            plan->scan_kind = scan_kinds[i];
    plan->scan = &plan->scan_kind;
    if (o->flags && read_flags(o->flags, &plan->scan_kind.flags) < 0)
        return fail("option --scanflags", "it takes names such as SYNFIN, or a number up to 255",
                    2);
    return 0;
}

/* ---- pings ----------------------------------------------------------------------------------- */

static int add_ping(plan_t *plan, raw_probe_t probe)
{
    if (plan->ping_count == PLAN_PINGS_MAX)
        return fail("options -P", "more than 64 probes for one host", 2);
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
            return fail("option -PO", "protocols have numbers up to 255", 2);
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
static int choose_pings(plan_t *plan)
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
        return fail("options -PP and -PM", "ICMPv6 has neither", 2);
    if (pings & PING_SYN)
        status = add_ping_ports(plan, "option -PS", syn,
                                (raw_probe_t){.kind = RAW_TCP, .flags = PACKET_SYN});
    return status == 0 && plan->is_raw ? add_pings(plan, pings) : status;
}

/* ---- the rest -------------------------------------------------------------------------------- */

static int fail_value(const char *option, const char *value, const char *why, int status)
{
    fprintf(stderr, "hnmap: option %s: '%s' %s\n", option, value, why);
    return status;
}

/* Nothing would come back to an address that is not ours. 0 or -errno. */
static int check_source(const haddr_t *source)
{
    haddr_t addr = *source;
    int fd = socket(addr.u.sa.sa_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    int err = 0;

    haddr_set_port(&addr.u.sa, 0);
    if (fd < 0 || bind(fd, &addr.u.sa, addr.len) < 0)
        err = -errno;
    if (fd >= 0)
        close(fd);
    return err;
}

static int read_source(plan_t *plan)
{
    const options_t *o = plan->options;
    int err = 0;

    if (o->source)
        err = haddr_parse(&plan->source, o->source, o->source_port);
    else if (o->source_port)
        haddr_any(&plan->source, o->target.family, o->source_port);
    if (err < 0)
        return fail_value("-S", o->source, "is no address in numbers", 2);
    if (plan->source.len > 0 && plan->source.u.sa.sa_family != o->target.family)
        return fail_value("-S", o->source, "is of the other family than the targets (see -6)", 2);
    if (o->interface && if_nametoindex(o->interface) == 0)
        return fail_value("-e", o->interface, "is no interface of this machine", 1);
    if (o->source && check_source(&plan->source) < 0)
        return fail_value("-S", o->source, "is no address of this machine", 1);
    return 0;
}

/* The command line as it was typed, for the first line of a report. */
static int write_args(plan_t *plan)
{
    const options_t *o = plan->options;
    int err = hbytes_append_str(&plan->args, "hnmap");

    for (int i = 1; i < o->argc && err == 0; i++)
        err = hbytes_printf(&plan->args, " %s", o->argv[i]);
    for (size_t i = 0; i < plan->args.len; i++)
        if ((unsigned char)plan->args.data[i] < 32)
            plan->args.data[i] = ' ';
    return err < 0 ? out_of_memory() : 0;
}

static int describe(plan_t *plan)
{
    const options_t *o = plan->options;
    run_t *run = &plan->run;
    int status = write_args(plan);

    if (status != 0)
        return status;
    *run = (run_t){
        .version = HNET_VERSION,
        .args = plan->args.data,
        .verbose = o->output.verbose,
        .debug = o->output.debug,
        .open_only = o->output.open_only,
        .show_reason = o->output.reason,
        .lists_only = (o->scans & SCAN_LIST) != 0,
        .pings_only = (o->scans & SCAN_NO_PORT) != 0,
    };
    if (run->lists_only || run->pings_only)
        return 0;
    if (port_set_format(&plan->ports.tcp, &plan->tcp_ports) < 0 ||
        port_set_format(&plan->ports.udp, &plan->udp_ports) < 0)
        return out_of_memory();
    if (plan->ports.udp.count > 0)
        run->infos[run->info_count++] = (scan_info_t){
            .type = "udp",
            .protocol = IPPROTO_UDP,
            .count = plan->ports.udp.count,
            .ports = plan->udp_ports.data,
        };
    if (plan->ports.tcp.count == 0)
        return 0;
    run->infos[run->info_count++] = (scan_info_t){
        .type = plan->scan->name,
        .protocol = IPPROTO_TCP,
        .count = plan->ports.tcp.count,
        .ports = plan->tcp_ports.data,
    };
    return 0;
}

static void choose_seed(plan_t *plan)
{
    if (plan->options->has_seed)
        plan->seed = plan->options->seed;
    else if (getrandom(&plan->seed, sizeof(plan->seed), GRND_NONBLOCK) < 0)
        plan->seed = (uint64_t)time(NULL);
}

int plan_make(plan_t *plan, const options_t *options, hloop_t *loop)
{
    int status;

    *plan = (plan_t){.options = options, .names = names_new()};
    if (plan->names == NULL)
        return out_of_memory();
    choose_seed(plan);
    for (int i = 0; i < PLAN_PACES; i++) {
        plan->paces[i] = plan_pace(options, (plan_pace_e)i);
        plan->paces[i].seed = plan->seed;
    }
    status = choose_way(plan);
    if (status == 0)
        status = choose_ports(plan);
    if (status == 0)
        status = choose_pings(plan);
    if (status == 0)
        status = read_source(plan);
    if (status == 0)
        status = lookup_check(options);
    if (status == 0)
        status = describe(plan);
    if (status == 0)
        status = read_targets(plan);
    if (status == 0)
        status = lookup_targets(loop, plan->targets, options);
    if (status == 0)
        status = begin_walk(plan);
    return status;
}

void plan_free(plan_t *plan)
{
    targets_free(plan->targets);
    names_free(plan->names);
    hbytes_deinit(&plan->args);
    hbytes_deinit(&plan->tcp_ports);
    hbytes_deinit(&plan->udp_ports);
}
