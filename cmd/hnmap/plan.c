#include "plan_int.h"

#include "base/herr.h"
#include "base/hstr.h"
#include "base/hversion.h"
#include "lookup.h"

#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

int plan__fail(const char *what, const char *why, int status)
{
    fprintf(stderr, "hnmap: %s%s%s\n", what, *what ? ": " : "", why);
    return status;
}

int plan__out_of_memory(void)
{
    return plan__fail("", herr_str(-ENOMEM), 1);
}

/* ---- targets --------------------------------------------------------------------------------- */

static int target_error(const plan_t *plan, int err)
{
    if (err == -ENOMEM)
        return plan__out_of_memory();
    return plan__fail("targets", targets_error(plan->targets), 2);
}

static int read_targets(plan_t *plan)
{
    const target_options_t *o = &plan->options->target;
    const hopt_list_t *operands = &plan->options->operands;
    int err = 0;

    plan->targets = targets_new(o->family);
    if (plan->targets == NULL)
        return plan__out_of_memory();
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
    return plan__fail("option --shard", "it takes I/N with 1 <= I <= N, such as 1/4", 2);
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
    if (err == 0 && o->target.unique)
        err = targets_unique(plan->targets);
    if (err < 0)
        return target_error(plan, err);
    targets_walk(&plan->cursor, plan->targets, part, parts,
                 o->target.randomize ? &plan->seed : NULL);
    if (plan->cursor.count == 0)
        fprintf(stderr, "hnmap: no target is left to be scanned\n");
    return 0;
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
    return err < 0 ? plan__out_of_memory() : 0;
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
        .stylesheet = o->output.stylesheet,
        /* As the original: who looks inside wants to hear all that is said. */
        .verbose = o->output.verbose > o->output.debug ? o->output.verbose : o->output.debug,
        .debug = o->output.debug,
        .open_only = o->output.open_only,
        .show_reason = o->output.reason || o->output.debug > 0,
        .lists_only = (o->scans & SCAN_LIST) != 0,
        .pings_only = (o->scans & SCAN_NO_PORT) != 0,
    };
    if (run->lists_only || run->pings_only)
        return 0;
    if (port_set_format(&plan->ports.tcp, &plan->tcp_ports) < 0 ||
        port_set_format(&plan->ports.udp, &plan->udp_ports) < 0)
        return plan__out_of_memory();
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

int plan_targets(plan_t *plan, hloop_t *loop)
{
    int status;

    targets_free(plan->targets);
    plan->targets = NULL;
    status = read_targets(plan);
    if (status == 0)
        status = lookup_targets(loop, plan->targets, plan->options);
    return status == 0 ? begin_walk(plan) : status;
}

int plan_make(plan_t *plan, const options_t *options, hloop_t *loop)
{
    int status;

    *plan = (plan_t){.options = options, .names = names_new()};
    if (plan->names == NULL)
        return plan__out_of_memory();
    choose_seed(plan);
    for (int i = 0; i < PLAN_PACES; i++) {
        plan->paces[i] = plan_pace(options, (plan_pace_e)i);
        plan->paces[i].seed = plan->seed;
    }
    status = plan__choose_way(plan);
    if (status == 0)
        status = plan__choose_ports(plan);
    if (status == 0)
        status = plan__choose_pings(plan);
    if (status == 0)
        status = plan__choose_packets(plan);
    if (status == 0)
        status = read_source(plan);
    if (status == 0)
        status = lookup_check(options);
    if (status == 0)
        status = describe(plan);
    return status == 0 ? plan_targets(plan, loop) : status;
}

void plan_free(plan_t *plan)
{
    targets_free(plan->targets);
    names_free(plan->names);
    hbytes_deinit(&plan->data);
    hbytes_deinit(&plan->args);
    hbytes_deinit(&plan->tcp_ports);
    hbytes_deinit(&plan->udp_ports);
}
