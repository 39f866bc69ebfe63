/* One table of rows; what belongs together is checked after the parse. */
#include "options.h"

#include "base/hmem.h"
#include "base/hstr.h"
#include "base/htime.h"
#include "refused.h"
#include "service_probes.h"
#include "then.h"
#include "then_text.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#define LEVEL_MAX 10 /* of -v and -d */

/* ---- rows with a syntax of their own --------------------------------------------------------- */

/* "Tn": each letter is a way to scan. */
static int take_scan(const hopt_t *option, const char *arg, void *opts, hbytes_t *why)
{
    static const struct {
        char letter;
        scan_type_e type;
    } types[] = {
        {'L', SCAN_LIST}, {'n', SCAN_NO_PORT}, {'P', SCAN_NO_PORT}, {'T', SCAN_CONNECT},
        {'S', SCAN_SYN},  {'A', SCAN_ACK},     {'F', SCAN_FIN},     {'N', SCAN_NULL},
        {'X', SCAN_XMAS}, {'M', SCAN_MAIMON},  {'U', SCAN_UDP},     {'V', SCAN_VERSIONS},
    };
    options_t *o = opts;

    (void)option;
    for (; *arg; arg++) {
        size_t i = 0;

        while (i < sizeof(types) / sizeof(types[0]) && types[i].letter != *arg)
            i++;
        if (i == sizeof(types) / sizeof(types[0]))
            return refuse_scan(*arg, why);
        o->scans |= types[i].type;
    }
    return 0;
}

/* "n", "S22,80", "E": a way to find out whether a host is there. */
static int take_ping(const hopt_t *option, const char *arg, void *opts, hbytes_t *why)
{
    static const struct {
        char letter;
        ping_type_e type;
        size_t list_at; /* of what may follow; 0: nothing */
    } types[] = {
        {'n', PING_NONE, 0},
        {'N', PING_NONE, 0},
        {'0', PING_NONE, 0},
        {'D', PING_NONE, 0},
        {'S', PING_SYN, offsetof(options_t, syn_ports)},
        {'A', PING_ACK, offsetof(options_t, ack_ports)},
        {'U', PING_UDP, offsetof(options_t, udp_ports)},
        {'O', PING_PROTOCOL, offsetof(options_t, protocols)},
        {'E', PING_ECHO, 0},
        {'I', PING_ECHO, 0},
        {'P', PING_TIMESTAMP, 0},
        {'M', PING_NETMASK, 0},
        {'R', PING_NEIGHBOUR, 0},
    };
    options_t *o = opts;

    (void)option;
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        if (types[i].letter != arg[0] || (arg[1] != '\0' && types[i].list_at == 0))
            continue;
        o->pings |= types[i].type;
        if (arg[1] != '\0')
            *(const char **)((char *)o + types[i].list_at) = arg + 1;
        return 0;
    }
    return refuse_ping(arg, why);
}

/* -T4, -T aggressive. */
static int take_pace(const hopt_t *option, const char *arg, void *opts, hbytes_t *why)
{
    static const char *const names[] = {"paranoid", "sneaky",     "polite",
                                        "normal",   "aggressive", "insane"};
    options_t *o = opts;

    (void)option;
    for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (hstr_ieq(arg, names[i]) || (arg[0] == (char)('0' + i) && arg[1] == '\0')) {
            o->timing.pace = i;
            return 0;
        }
    hbytes_printf(why,
                  "'%s' is neither 0 to 5 nor paranoid, sneaky, polite, normal, aggressive or "
                  "insane",
                  arg);
    return HERR_SYNTAX;
}

/* -v, -vv, -v3: `arg` is NULL for the plain letter. */
static int take_level(int *level, const char *arg, hbytes_t *why)
{
    uint64_t value;
    int status;

    if (arg == NULL || *arg == '\0') {
        *level += *level < LEVEL_MAX;
        return 0;
    }
    status = hstr_parse_u64(arg, 0, LEVEL_MAX, &value);
    if (status < 0) {
        hbytes_printf(why, "'%s' is no level from 0 to %d", arg, LEVEL_MAX);
        return status;
    }
    *level = (int)value;
    return 0;
}

/* The letters of -vvv and -ddd come as the value of the first. */
static int take_letters(int *level, char letter, const char *arg, hbytes_t *why)
{
    int status = take_level(level, NULL, why);

    if (arg == NULL || *arg == '\0')
        return status;
    if (strspn(arg, (char[]){letter, '\0'}) != strlen(arg))
        return take_level(level, arg, why);
    for (; *arg && status == 0; arg++)
        status = take_level(level, NULL, why);
    return status;
}

static int take_verbose(const hopt_t *option, const char *arg, void *opts, hbytes_t *why)
{
    options_t *o = opts;

    (void)option;
    return take_letters(&o->output.verbose, 'v', arg, why);
}

static int take_debug(const hopt_t *option, const char *arg, void *opts, hbytes_t *why)
{
    options_t *o = opts;

    (void)option;
    return take_letters(&o->output.debug, 'd', arg, why);
}

static int take_rate(const hopt_t *option, const char *arg, void *opts, hbytes_t *why)
{
    options_t *o = opts;
    const char *rest = arg;
    uint64_t whole;
    uint32_t billionths;

    if (hstr_read_decimal(&rest, &whole, &billionths) < 0 || *rest != '\0' ||
        (whole == 0 && billionths == 0) || whole > 10000000) {
        hbytes_printf(why, "'%s' is no number of packets a second, such as 100 or 0.5", arg);
        return HERR_SYNTAX;
    }
    *(strcmp(option->long_name, "min-rate") == 0 ? &o->timing.rate_min : &o->timing.rate_max) =
        (double)whole + billionths / 1e9;
    return 0;
}

static int take_seed(const hopt_t *option, const char *arg, void *opts, hbytes_t *why)
{
    options_t *o = opts;

    (void)option;
    (void)why;
    o->has_seed = true;
    return hstr_parse_u64(arg, 0, UINT64_MAX, &o->seed);
}

static int take_watch(const hopt_t *option, const char *arg, void *opts, hbytes_t *why)
{
    uint32_t *ms = &((options_t *)opts)->output.watch_ms;

    (void)option;
    if (htime_parse_span_ms(arg, ms) == 0 && *ms > 0)
        return 0;
    hbytes_printf(why, "'%s' is no time from one round to the next (try 30s, 5m, 1h)", arg);
    return HERR_SYNTAX;
}

static int take_then(const hopt_t *option, const char *arg, void *opts, hbytes_t *why)
{
    (void)option;
    ((options_t *)opts)->then = arg;
    return then_text_check(arg, why);
}

static int take_privileged(const hopt_t *option, const char *arg, void *opts, hbytes_t *why)
{
    (void)option;
    (void)arg;
    (void)why;
    ((options_t *)opts)->unprivileged = false;
    return 0;
}

static int take_all(const hopt_t *option, const char *arg, void *opts, hbytes_t *why)
{
    options_t *o = opts;

    (void)option;
    (void)arg;
    (void)why;
    o->scans |= SCAN_VERSIONS;
    o->os.wanted = o->traceroute = true;
    return 0;
}

static int take_no_stylesheet(const hopt_t *option, const char *arg, void *opts, hbytes_t *why)
{
    (void)option;
    (void)arg;
    (void)why;
    ((options_t *)opts)->output.stylesheet = NULL;
    return 0;
}

/* ---- the table ------------------------------------------------------------------------------- */

const hopt_t option_rows[] = {
    HOPT_GROUP("Targets"),
    HOPT_LIST(0, NULL, options_t, target.input_files,
              "read targets from FILE, - for standard input; may be given again", .pair = "iL",
              .arg_name = "FILE"),
    HOPT_STRING(0, "exclude", options_t, target.exclude, "leave out these targets: A,B,...",
                .arg_name = "LIST"),
    HOPT_STRING(0, "excludefile", options_t, target.exclude_file, "leave out the targets in FILE",
                .arg_name = "FILE"),
    HOPT_FLAG(0, "resolve-all", options_t, target.resolve_all,
              "scan every address of a name, not the first alone"),
    HOPT_FLAG(0, "unique", options_t, target.unique, "scan each address once, however often named"),
    HOPT_FLAG(0, "randomize-hosts", options_t, target.randomize,
              "scan the hosts of all targets in random order", .alias = "randomize_hosts"),
    HOPT_STRING(0, "shard", options_t, target.shard,
                "scan part I of N of the targets; the parts together miss and repeat nothing",
                .arg_name = "I/N"),
    HOPT_SET('6', NULL, options_t, target.family, AF_INET6, "scan IPv6"),

    HOPT_GROUP("Host discovery"),
    HOPT_CALL('P', NULL, take_ping,
              "n: take every host for up; it is up when it answers S[PORTS]: SYN, A[PORTS]: ACK, "
              "U[PORTS]: UDP, O[NUMBERS]: IP protocols, E: an echo, P: a timestamp, M: a netmask, "
              "R: ARP or NDP, as always on the local link",
              .arg_name = "TYPE", .filled = true),
    HOPT_SET('n', NULL, options_t, names, NAMES_NEVER, "ask for no names of addresses"),
    HOPT_SET('R', NULL, options_t, names, NAMES_ALWAYS,
             "ask for the names of hosts that are down, too"),
    HOPT_STRING(0, "dns-servers", options_t, dns_servers, "ask these name servers: A,B,...",
                .arg_name = "LIST", .alias = "dns_servers"),
    HOPT_FLAG(0, "system-dns", options_t, system_dns,
              "ask for names as other programs of this machine do", .alias = "system_dns"),
    HOPT_FLAG(0, "disable-arp-ping", options_t, packet.no_arp_ping,
              "ask hosts of the local link as others are asked; with --send-ip",
              .alias = "disable_arp_ping"),
    HOPT_FLAG(0, "discovery-ignore-rst", options_t, packet.ignore_rst,
              "a reset does not show that a host is up", .alias = "discovery_ignore_rst"),

    HOPT_FLAG(0, "traceroute", options_t, traceroute,
              "follow the way to each host: which routers, and how far they are"),

    HOPT_GROUP("Scans and ports"),
    HOPT_CALL(
        's', NULL, take_scan,
        "S: ports by half-open connections; T: by connect; A, F, N, X, M: by packets with ACK, "
        "FIN, no flag, FIN PSH URG, FIN ACK; U: UDP; V: what answers on open ports; n: no "
        "ports, only hosts; L: "
        "list the targets",
        .arg_name = "LETTERS", .filled = true),
    HOPT_STRING('p', NULL, options_t, port.ports,
                "these ports: 22,80-90,-100,60000-,-,http*,[1-1024]; T: and U: before those of a "
                "protocol",
                .arg_name = "PORTS"),
    HOPT_STRING(0, "exclude-ports", options_t, port.excluded, "not these ports",
                .arg_name = "PORTS"),
    HOPT_FLAG('F', NULL, options_t, port.fast, "the 100 most popular ports instead of 1,000"),
    HOPT_UINT(0, "top-ports", options_t, port.top, 1, 65536, "the NUMBER most popular ports",
              .alias = "top_ports"),
    HOPT_FLAG('r', NULL, options_t, port.in_order, "ports in ascending order, not in a random one"),

    HOPT_STRING(0, "scanflags", options_t, flags,
                "packets with these flags, as SYNFIN or a number; answers as for the -s given",
                .arg_name = "FLAGS"),

    HOPT_GROUP("Services"),
    HOPT_UINT(0, "version-intensity", options_t, version.intensity, 0, SERVICE_INTENSITY_MAX,
              "with -sV, ask what is as rare as NUMBER says, 7 by default; 0 asks what belongs to "
              "the port alone",
              .alias = "version_intensity"),
    HOPT_SET(0, "version-light", options_t, version.intensity, SERVICE_INTENSITY_LIGHT,
             "as --version-intensity 2", .alias = "version_light"),
    HOPT_SET(0, "version-all", options_t, version.intensity, SERVICE_INTENSITY_MAX,
             "as --version-intensity 9", .alias = "version_all"),
    HOPT_STRING(0, "probes", options_t, version.probes,
                "with -sV, ask what FILE says, too; its format is that of nmap-service-probes",
                .arg_name = "FILE"),
    HOPT_FLAG(0, "allports", options_t, version.all_ports,
              "with -sV, speak to printers (TCP ports 9100 to 9107), too, and to what the file of "
              "--probes excludes"),
    HOPT_FLAG(0, "version-trace", options_t, version.traces,
              "tell on standard error what -sV says and hears", .alias = "version_trace"),
    HOPT_FLAG(0, "banner", options_t, version.banners,
              "show what a service says by itself when somebody connects"),

    HOPT_GROUP("Systems"),
    HOPT_FLAG('O', NULL, options_t, os.wanted,
              "guess which system a host runs, from how it answers packets"),
    HOPT_FLAG(0, "osscan-limit", options_t, os.limit,
              "guess only where an open and a closed TCP port were found", .alias = "osscan_limit"),
    HOPT_FLAG(0, "osscan-guess", options_t, os.guess, "tell guesses that are less likely, too",
              .alias = "osscan_guess|fuzzy"),
    HOPT_CALL('A', NULL, take_all, "as -sV -O --traceroute; hnmap has no scripts"),

    HOPT_GROUP("Timing"),
    HOPT_CALL('T', NULL, take_pace, "from 0, or paranoid, to 5, or insane; 3 is normal",
              .arg_name = "TEMPLATE", .filled = true),
    HOPT_SPAN(0, "initial-rtt-timeout", options_t, timing.rtt_initial_ms,
              "wait TIME for the first answers of a host", .alias = "initial_rtt_timeout"),
    HOPT_SPAN(0, "min-rtt-timeout", options_t, timing.rtt_min_ms, "wait TIME at least",
              .alias = "min_rtt_timeout"),
    HOPT_SPAN(0, "max-rtt-timeout", options_t, timing.rtt_max_ms, "wait TIME at most",
              .alias = "max_rtt_timeout"),
    HOPT_INT(0, "max-retries", options_t, timing.retries, 0, 63,
             "ask a silent port at most NUMBER times again", .alias = "max_retries"),
    HOPT_SPAN(0, "host-timeout", options_t, timing.host_timeout_ms, "give a host up after TIME",
              .alias = "host_timeout"),
    HOPT_SPAN(0, "scan-delay", options_t, timing.delay_ms, "wait TIME between probes of a host",
              .alias = "scan_delay"),
    HOPT_SPAN(0, "max-scan-delay", options_t, timing.delay_max_ms,
              "let that wait grow to TIME at most", .alias = "max_scan_delay"),
    HOPT_UINT(0, "min-parallelism", options_t, timing.window_min, 1, 65535,
              "keep NUMBER probes under way", .alias = "min_parallelism"),
    HOPT_UINT(0, "max-parallelism", options_t, timing.window_max, 1, 65535,
              "have at most NUMBER probes under way", .alias = "max_parallelism|M"),
    HOPT_UINT(0, "min-hostgroup", options_t, timing.group_min, 1, 100000,
              "scan the ports of NUMBER hosts at a time at least, whatever memory that takes",
              .alias = "min_hostgroup"),
    HOPT_UINT(0, "max-hostgroup", options_t, timing.group_max, 1, 100000,
              "scan the ports of at most NUMBER hosts at a time", .alias = "max_hostgroup"),
    HOPT_FLAG(0, "defeat-rst-ratelimit", options_t, timing.defeat_rst_limit,
              "do not wait for a host that limits its resets; so it is always",
              .alias = "defeat_rst_ratelimit"),
    HOPT_FLAG(0, "defeat-icmp-ratelimit", options_t, timing.defeat_icmp_limit,
              "nor, with -sU, its unreachables: what is silent is closed|filtered",
              .alias = "defeat_icmp_ratelimit"),
    HOPT_CALL(0, "min-rate", take_rate, "send NUMBER probes a second at least",
              .arg_name = "NUMBER", .alias = "min_rate"),
    HOPT_CALL(0, "max-rate", take_rate, "never send more than NUMBER probes a second",
              .arg_name = "NUMBER", .alias = "max_rate"),
    HOPT_CALL(0, "seed", take_seed, "what the random orders are made of", .arg_name = "NUMBER"),

    HOPT_GROUP("Source"),
    HOPT_STRING('S', NULL, options_t, source, "send from this address of ours",
                .arg_name = "ADDRESS"),
    HOPT_STRING('e', NULL, options_t, interface, "send through this interface", .arg_name = "NAME"),
    HOPT_FLAG(0, "iflist", options_t, lists_interfaces,
              "list interfaces and routes of this machine, and do nothing else"),
    HOPT_UINT('g', "source-port", options_t, source_port, 1, 65535, "send from this port",
              .alias = "source_port"),

    HOPT_UINT(0, "ttl", options_t, packet.ttl, 1, 255,
              "packets of our own may pass NUMBER - 1 routers (time to live, hop limit)"),
    HOPT_STRING(0, "data", options_t, packet.data_hex,
                "they carry these bytes: 0xCAFE, CAFE or \\xCA\\xFE", .arg_name = "HEX"),
    HOPT_STRING(0, "data-string", options_t, packet.data_string, "they carry this text",
                .arg_name = "TEXT", .alias = "data_string"),
    HOPT_INT(0, "data-length", options_t, packet.data_length, 0, 65435,
             "they carry NUMBER random bytes; 0: UDP too goes without a payload",
             .alias = "data_length"),
    HOPT_SET(0, "send-eth", options_t, packet.by_ip, 0,
             "send Ethernet frames, as is done anyway where there is Ethernet",
             .alias = "send_eth"),
    HOPT_SET(0, "send-ip", options_t, packet.by_ip, 1,
             "send IP packets, for which the system finds the way; implies --disable-arp-ping",
             .alias = "send_ip"),
    HOPT_FLAG(0, "unprivileged", options_t, unprivileged,
              "scan by connect, though packets of our own could be sent"),
    HOPT_CALL(0, "privileged", take_privileged,
              "send packets of our own, as is done anyway where the system lets us"),

    HOPT_GROUP("Output"),
    HOPT_STRING(
        0, NULL, options_t, output.normal,
        "write the report to FILE; - is standard output; in the name of any report %D is the "
        "day and %T the time, %Y, %m, %d, %H, %M and %S their parts",
        .pair = "oN", .arg_name = "FILE"),
    HOPT_STRING(0, NULL, options_t, output.xml, "write it as nmap's XML", .pair = "oX",
                .arg_name = "FILE"),
    HOPT_STRING(0, NULL, options_t, output.grepable, "write it in lines for grep", .pair = "oG",
                .arg_name = "FILE"),
    HOPT_STRING(0, NULL, options_t, output.all, "write BASE.nmap, BASE.xml and BASE.gnmap",
                .pair = "oA", .arg_name = "BASE"),
    HOPT_STRING(0, "json", options_t, output.json,
                "write it as JSON: an object a line for the scan, each host as it is done, the end",
                .arg_name = "FILE"),
    HOPT_STRING(0, "csv", options_t, output.csv, "write it as a table, a line for each port shown",
                .arg_name = "FILE"),
    HOPT_STRING(0, "html", options_t, output.html, "write it as a page to read, sort and print",
                .arg_name = "FILE"),
    HOPT_STRING(0, "diff", options_t, output.diff,
                "tell at the end what has changed since the scan of this report, XML or JSON; the "
                "exit status is 1 then",
                .arg_name = "FILE"),
    HOPT_STRING(0, "stylesheet", options_t, output.stylesheet,
                "the XML names this XSL stylesheet; without the option it names none",
                .arg_name = "URL"),
    HOPT_CALL(0, "no-stylesheet", take_no_stylesheet, "it names none", .alias = "no_stylesheet"),
    HOPT_FLAG(0, "packet-trace", options_t, output.packets,
              "tell each packet that is sent or comes, in the report for people",
              .alias = "packet_trace"),
    HOPT_CALL(0, "watch", take_watch,
              "repeat the scan every TIME, and tell what has changed since the round before; files "
              "are replaced by the report of the round",
              .arg_name = "TIME"),
    HOPT_CALL(0, "then", take_then,
              "run COMMAND for each host that is told, with {ip}, {name}, {mac}, {ports} and "
              "{udp-ports}; or with {port} for each open port",
              .arg_name = "COMMAND"),
    HOPT_UINT(0, "then-jobs", options_t, then_jobs, 1, THEN_JOBS_MAX,
              "run NUMBER such commands at a time, instead of one a processor"),
    HOPT_FLAG(0, "append-output", options_t, output.append, "append to files instead",
              .alias = "append_output"),
    HOPT_FLAG(0, "open", options_t, output.open_only, "show only ports that are, or may be, open"),
    HOPT_FLAG(0, "reason", options_t, output.reason, "say why a host or a port is what it is"),
    HOPT_SPAN(0, "stats-every", options_t, output.stats_every_ms, "print the status every TIME",
              .alias = "stats_every"),
    HOPT_FLAG(0, "noninteractive", options_t, output.noninteractive,
              "no progress line, and no keys while it runs"),
    HOPT_STRING(
        0, "resume", options_t, resume,
        "keep the scan in FILE while it runs, or go on with the one that is in it; alone, it "
        "takes the targets and options from there, too",
        .arg_name = "FILE", .filled = true),
    HOPT_CALL('v', "verbose", take_verbose, "say more; -vv or -v2 even more", .arg_name = "LEVEL",
              .bare = ""),
    HOPT_CALL('d', "debug", take_debug,
              "say what the scan has done inside; as -v and --reason, too", .arg_name = "LEVEL",
              .bare = ""),
    HOPT_INCLUDE(refused_rows, options_t, operands, hopt_list_t),
    HOPT_END,
};

/* ---- parsing --------------------------------------------------------------------------------- */

int options_parse(options_t *options, int argc, char **argv)
{
    int status;

    *options = (options_t){.target = {.family = AF_INET},
                           .timing = {.pace = 3, .retries = -1},
                           .version = {.intensity = SERVICE_INTENSITY},
                           .packet = {.data_length = -1, .by_ip = -1},
                           .argc = argc,
                           .argv = argv};
    status = hopt_main_parse(&hnmap_doc, argc, argv, options, &options->operands);
    if (status != OPTIONS_RUN)
        return status;
    status = options__check(options);
    return status == 0 ? OPTIONS_RUN : status;
}

void options_free(options_t *options)
{
    hopt_main_free(&hnmap_doc, options, &options->operands);
    hmem_free(options->kept_words);
    hmem_free(options->kept_argv);
    options->kept_words = NULL;
    options->kept_argv = NULL;
}
