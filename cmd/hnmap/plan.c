#include "plan.h"

#include "base/herr.h"
#include "base/hstr.h"
#include "base/hversion.h"
#include "lookup.h"

#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#define PING_TRIES 3 /* of each probe that asks whether a host is there */

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

engine_options_t plan_pace(const timing_options_t *t, bool pings)
{
    /* nmap's templates, as its manual tells them: times in ms. */
    static const struct {
        uint32_t rtt_initial, rtt_min, rtt_max, delay, delay_max, host_timeout;
        unsigned retries, window_max;
    } templates[] = {
        {300000, 100, 300000, 300000, 0, 0, 10, 1}, {15000, 100, 15000, 15000, 0, 0, 10, 1},
        {1000, 100, 10000, 400, 1000, 0, 10, 1},    {1000, 100, 10000, 0, 1000, 0, 10, 0},
        {500, 100, 1250, 0, 10, 0, 6, 0},           {250, 50, 300, 0, 5, 900000, 2, 0},
    };
    const uint32_t min = t->rtt_min_ms ? t->rtt_min_ms : templates[t->pace].rtt_min;
    uint32_t max = t->rtt_max_ms ? t->rtt_max_ms : templates[t->pace].rtt_max;
    uint32_t initial = t->rtt_initial_ms ? t->rtt_initial_ms : templates[t->pace].rtt_initial;
    const unsigned retries = t->retries >= 0 ? (unsigned)t->retries : templates[t->pace].retries;

    max = max < min ? min : max;
    initial = initial < min ? min : initial > max ? max : initial;
    return (engine_options_t){
        .rtt_initial_us = initial * MS,
        .rtt_min_us = min * MS,
        .rtt_max_us = max * MS,
        .tries = pings && retries + 1 > PING_TRIES ? PING_TRIES : retries + 1,
        .host_timeout_us =
            (t->host_timeout_ms ? t->host_timeout_ms : templates[t->pace].host_timeout) * MS,
        .delay_us = (t->delay_ms ? t->delay_ms : templates[t->pace].delay) * MS,
        .delay_max_us = (t->delay_max_ms ? t->delay_max_ms : templates[t->pace].delay_max) * MS,
        .window_min = t->window_min,
        .window_max = t->window_max ? t->window_max : templates[t->pace].window_max,
        .rate_min = t->rate_min,
        .rate_max = t->rate_max,
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
    return 0;
}

/* ---- ports ----------------------------------------------------------------------------------- */

static int parse_ports(plan_t *plan, ports_t *ports, const char *option, const char *text)
{
    char why[PORTS_ERROR_SIZE];
    int err = ports_parse(ports, text, PORTS_TCP, plan->names, why, sizeof(why));

    if (err == -ENOMEM)
        return out_of_memory();
    return err < 0 ? fail(option, why, 2) : 0;
}

static int choose_ports(plan_t *plan)
{
    const port_options_t *o = &plan->options->port;
    static const ports_t none;
    ports_t excluded = none;
    int status =
        o->excluded ? parse_ports(plan, &excluded, "option --exclude-ports", o->excluded) : 0;

    if (status != 0)
        return status;
    if (o->ports == NULL) {
        ports_top(&plan->ports,
                  o->fast  ? PORTS_FAST
                  : o->top ? o->top
                           : PORTS_DEFAULT,
                  PORTS_TCP, NULL, &excluded);
    } else {
        status = parse_ports(plan, &plan->ports, "option -p", o->ports);
        if (status != 0)
            return status;
        if (plan->ports.repeated)
            fprintf(stderr, "hnmap: option -p: a port is named twice; it is asked once\n");
        ports_remove(&plan->ports, &excluded);
    }
    if (plan->ports.tcp.count == 0)
        return fail(o->ports ? "option -p" : "ports", "no TCP port is left to be scanned", 2);
    return 0;
}

static int choose_ping_ports(plan_t *plan)
{
    const char *text = plan->options->ping_ports ? plan->options->ping_ports : "80,443";
    static const ports_t none;
    ports_t ports = none;
    int status = parse_ports(plan, &ports, "option -PS", text);

    plan->ping_ports = ports.tcp;
    return status;
}

/* ---- the rest -------------------------------------------------------------------------------- */

static int read_source(plan_t *plan)
{
    const options_t *o = plan->options;
    int err = 0;

    if (o->source)
        err = haddr_parse(&plan->source, o->source, o->source_port);
    else if (o->source_port)
        haddr_any(&plan->source, o->target.family, o->source_port);
    if (err < 0)
        return fail("option -S", "it takes an address of this machine in numbers", 2);
    if (plan->source.len > 0 && plan->source.u.sa.sa_family != o->target.family)
        return fail("option -S", "the targets are of the other family", 2);
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
    if (port_set_format(&plan->ports.tcp, &plan->tcp_ports) < 0)
        return out_of_memory();
    run->infos[run->info_count++] = (scan_info_t){
        .type = "connect",
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
    plan->ping_pace = plan_pace(&options->timing, true);
    plan->port_pace = plan_pace(&options->timing, false);
    plan->ping_pace.seed = plan->port_pace.seed = plan->seed;
    plan->port_pace.in_order = options->port.in_order;
    status = choose_ports(plan);
    if (status == 0)
        status = choose_ping_ports(plan);
    if (status == 0)
        status = read_source(plan);
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
}
