/* Which scan a file is of: what decides what is asked, of whom and how. Not what becomes of it, nor
 * how fast it goes. */
#include "resume_int.h"

#include "base/hcrc.h"
#include "base/hversion.h"

#include <string.h>

static uint32_t add_string(uint32_t sum, const char *text)
{
    return hcrc32c(sum, text ? text : "", text ? strlen(text) + 1 : 0);
}

static uint32_t add_number(uint32_t sum, uint64_t number)
{
    return hcrc32c(sum, &number, sizeof(number));
}

static uint32_t sum_order(const plan_t *plan)
{
    uint32_t sum = add_number(0, plan->cursor.part);

    sum = add_number(sum, plan->cursor.parts);
    return add_number(sum, plan->cursor.shuffled);
}

static uint32_t add_ports(uint32_t sum, const port_set_t *set)
{
    return hcrc32c(sum, set->words, sizeof(set->words));
}

static uint32_t sum_scans(const plan_t *plan)
{
    uint32_t sum = add_number(0, plan->options->scans);

    sum = add_number(sum, plan->is_raw);
    sum = add_number(sum, plan->by_connect);
    sum = add_number(sum, plan->scan->type);
    sum = add_number(sum, plan->scan->flags);
    sum = add_number(sum, plan->options->timing.defeat_icmp_limit);
    sum = add_number(sum, plan->options->os.wanted);
    sum = add_number(sum, plan->options->os.limit);
    sum = add_number(sum, plan->options->os.guess);
    return add_number(sum, plan->options->traceroute);
}

static uint32_t sum_pings(const plan_t *plan)
{
    uint32_t sum = add_number(0, plan->options->pings);

    for (size_t i = 0; i < plan->ping_count; i++) {
        const raw_probe_t *ping = &plan->pings[i];

        sum = add_number(sum, ping->kind);
        sum = add_number(sum, (uint64_t)ping->port << 8 | ping->flags);
    }
    if (plan->by_ping)
        sum = add_number(sum, plan->by_ping);
    return add_ports(sum, &plan->ping_ports);
}

static uint32_t sum_source(const plan_t *plan)
{
    uint32_t sum = hcrc32c(0, &plan->source.u, plan->source.len);

    sum = add_string(sum, plan->options->interface);
    return add_number(sum, plan->options->source_port);
}

static uint32_t sum_packets(const plan_t *plan)
{
    const packet_options_t *o = &plan->options->packet;
    uint32_t sum = add_string(0, o->data_hex);

    sum = add_string(sum, o->data_string);
    sum = add_number(sum, (uint64_t)o->data_length);
    sum = add_number(sum, o->ttl);
    sum = add_number(sum, (uint64_t)o->by_ip);
    sum = add_number(sum, o->no_arp_ping);
    return add_number(sum, o->ignore_rst);
}

static uint32_t sum_services(const plan_t *plan)
{
    uint32_t sum = add_number(0, plan->options->version.intensity);

    sum = add_number(sum, plan->options->version.banners);
    sum = add_number(sum, plan->options->version.all_ports);
    return add_string(sum, plan->options->version.probes);
}

static uint32_t sum_names(const plan_t *plan)
{
    uint32_t sum = add_number(0, (uint64_t)plan->options->names);

    sum = add_number(sum, plan->options->system_dns);
    return add_string(sum, plan->options->dns_servers);
}

void resume__facts(const plan_t *plan, uint32_t facts[RESUME_FACTS])
{
    const options_t *o = plan->options;

    facts[RESUME_VERSION] = add_string(0, HNET_VERSION);
    facts[RESUME_TARGETS] = add_number(targets_sum(plan->targets), o->target.unique);
    facts[RESUME_ORDER] = sum_order(plan);
    facts[RESUME_PORTS] = add_ports(add_ports(0, &plan->ports.tcp), &plan->ports.udp);
    facts[RESUME_SCANS] = sum_scans(plan);
    facts[RESUME_PINGS] = sum_pings(plan);
    facts[RESUME_SOURCE] = sum_source(plan);
    facts[RESUME_PACKETS] = sum_packets(plan);
    facts[RESUME_SERVICES] = sum_services(plan);
    facts[RESUME_NAMES] = sum_names(plan);
    facts[RESUME_SHOWN] = add_number(0, o->output.open_only);
}

const char *resume__fact_name(resume_fact_e fact)
{
    static const char *const names[RESUME_FACTS] = {
        [RESUME_VERSION] = "version of hnmap",
        [RESUME_TARGETS] = "targets",
        [RESUME_ORDER] = "part or order of the targets (--shard, --randomize-hosts)",
        [RESUME_PORTS] = "ports",
        [RESUME_SCANS] = "way to scan",
        [RESUME_PINGS] = "way to find hosts (-P)",
        [RESUME_SOURCE] = "source (-S, -e, -g)",
        [RESUME_PACKETS] = "packets (--ttl, --data, --send-ip, ...)",
        [RESUME_SERVICES] = "way to look at services",
        [RESUME_NAMES] = "way to ask for names (-n, -R, --dns-servers)",
        [RESUME_SHOWN] = "choice of ports (--open)",
    };

    return names[fact];
}
