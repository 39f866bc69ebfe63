/* What the table of options cannot know: what goes with what. */
#include "options.h"

#include "base/hstr.h"

#include <stdio.h>
#include <string.h>

#define RTT_MAX_MS 3600000 /* ENGINE_TIMEOUT_MAX_US */

static int misused(const char *text)
{
    fprintf(stderr, "hnmap: %s\nhnmap: try 'hnmap --help' for more information\n", text);
    return 2;
}

/* Those that were given; a template yields. */
static int check_times(const options_t *o)
{
    const timing_options_t *t = &o->timing;
    uint32_t max = t->rtt_max_ms > 0 ? t->rtt_max_ms : RTT_MAX_MS;

    if (max > RTT_MAX_MS || t->rtt_min_ms > RTT_MAX_MS || t->rtt_initial_ms > RTT_MAX_MS)
        return misused("an -rtt-timeout is an hour at most");
    if (t->rtt_min_ms > max)
        return misused("--min-rtt-timeout is more than --max-rtt-timeout");
    if (t->rtt_initial_ms > max)
        return misused("--initial-rtt-timeout is more than --max-rtt-timeout");
    if (t->rtt_initial_ms > 0 && t->rtt_initial_ms < t->rtt_min_ms)
        return misused("--initial-rtt-timeout is less than --min-rtt-timeout");
    if (t->delay_max_ms > 0 && t->delay_ms > t->delay_max_ms)
        return misused("--scan-delay is more than --max-scan-delay");
    return 0;
}

bool options_are_kept(const options_t *o)
{
    return o->resume && o->operands.count == 0 && o->target.input_files.count == 0;
}

/* "--resume FILE" and "--resume=FILE" alone. */
static bool has_other_words(const options_t *o)
{
    int max = 3;

    for (int i = 1; i < o->argc; i++)
        if (hstr_starts(o->argv[i], "--resume="))
            max = 2;
    return o->argc > max;
}

static int check_resume(const options_t *o)
{
    bool reads_stdin = o->target.exclude_file && strcmp(o->target.exclude_file, "-") == 0;

    for (size_t i = 0; i < o->target.input_files.count; i++)
        reads_stdin = reads_stdin || strcmp(o->target.input_files.items[i], "-") == 0;
    if (o->resume == NULL)
        return 0;
    if (o->lists_interfaces || o->scans & SCAN_LIST)
        return misused("--resume goes with a scan: --iflist and -sL send nothing");
    if (o->output.watch_ms > 0)
        return misused("--resume ends with its scan: not with --watch");
    if (reads_stdin)
        return misused("--resume reads the targets again when it goes on: not from standard input");
    if (options_are_kept(o) && has_other_words(o))
        return misused("--resume without targets takes all options from its file: it goes with no "
                       "other");
    return 0;
}

static bool is_stdout(const char *path)
{
    return path && strcmp(path, "-") == 0;
}

/* What a scan that is repeated cannot go with. */
static int check_watch(const options_t *o)
{
    const output_options_t *out = &o->output;

    if (out->watch_ms == 0)
        return 0;
    if (out->append)
        return misused("--watch replaces files by the report of each round: not with "
                       "--append-output");
    if (is_stdout(out->xml) || is_stdout(out->grepable) || is_stdout(out->csv) ||
        is_stdout(out->html))
        return misused("with --watch standard output gets changes, as text or with --json - as "
                       "JSON: give -oX, -oG, --csv and --html a file");
    for (size_t i = 0; i < o->target.input_files.count; i++)
        if (is_stdout(o->target.input_files.items[i]))
            return misused("--watch reads the targets again for each round: not with -iL -");
    return 0;
}

static int check_scan(const options_t *o)
{
    const timing_options_t *t = &o->timing;

    if (o->operands.count == 0 && o->target.input_files.count == 0)
        return misused("no target: try hnmap 192.168.1.0/24, or hnmap --help");
    if ((o->scans & SCAN_LIST) && (o->scans & ~(unsigned)SCAN_LIST))
        return misused("-sL sends nothing: it goes with no other scan");
    if ((o->scans & SCAN_LIST) && o->output.diff)
        return misused("-sL finds nothing out that --diff could compare");
    if ((o->scans & SCAN_LIST) && (o->output.watch_ms > 0 || o->then))
        return misused("-sL finds nothing out: it goes with neither --watch nor --then");
    if ((o->scans & SCAN_NO_PORT) && (o->scans & ~(unsigned)SCAN_NO_PORT))
        return misused("-sn scans no ports: it goes with no port scan");
    if (o->os.wanted && o->scans & (SCAN_NO_PORT | SCAN_LIST))
        return misused("-O looks at ports: it goes neither with -sn nor with -sL");
    if (!o->os.wanted && (o->os.limit || o->os.guess))
        fprintf(stderr, "hnmap: --osscan-limit and --osscan-guess say how -O is to guess, which is "
                        "not given\n");
    if ((o->scans & SCAN_TCP & ((o->scans & SCAN_TCP) - 1)) != 0)
        return misused("only one way to scan TCP ports at a time");
    if (o->version.probes && (o->scans & SCAN_VERSIONS) == 0)
        return misused("--probes FILE tells what -sV asks: it goes with -sV");
    if (o->pings & PING_NONE && o->pings & ~(unsigned)PING_NONE)
        return misused("-Pn and another -P: either every host is up or it is asked");
    if (o->flags && (o->scans & (SCAN_CONNECT | SCAN_LIST | SCAN_NO_PORT) ||
                     (o->scans & (SCAN_UDP | SCAN_TCP)) == SCAN_UDP))
        return misused("--scanflags goes with -sS, -sA, -sF, -sN, -sX or -sM");
    if (o->port.fast && (o->port.ports || o->port.top > 0))
        return misused("-F chooses the ports: it goes with neither -p nor --top-ports");
    if (t->window_min > 0 && t->window_max > 0 && t->window_min > t->window_max)
        return misused("--min-parallelism is more than --max-parallelism");
    if (t->rate_min > 0 && t->rate_max > 0 && t->rate_min > t->rate_max)
        return misused("--min-rate is more than --max-rate");
    if (t->group_min > 0 && t->group_max > 0 && t->group_min > t->group_max)
        return misused("--min-hostgroup is more than --max-hostgroup");
    return 0;
}

static int check_packets(const options_t *o)
{
    const packet_options_t *p = &o->packet;
    unsigned tcp = o->scans & SCAN_TCP;

    if ((p->data_hex != NULL) + (p->data_string != NULL) + (p->data_length >= 0) > 1)
        return misused("--data, --data-string and --data-length: only one of them");
    if (p->no_arp_ping && p->by_ip == 0)
        return misused("--send-eth needs ARP, which --disable-arp-ping does without");
    if (o->timing.defeat_rst_limit &&
        ((tcp != 0 && tcp != SCAN_SYN) || (tcp == 0 && o->scans & SCAN_UDP)))
        return misused("--defeat-rst-ratelimit goes with -sS alone");
    if (o->timing.defeat_icmp_limit && (o->scans & SCAN_UDP) == 0)
        return misused("--defeat-icmp-ratelimit goes with -sU alone");
    return 0;
}

int options__check(const options_t *o)
{
    int status = check_resume(o);

    if (status != 0 || o->lists_interfaces || options_are_kept(o))
        return status;
    status = check_scan(o);
    if (status == 0)
        status = check_packets(o);
    if (status == 0)
        status = check_watch(o);
    return status == 0 ? check_times(o) : status;
}
