#include "result.h"

#include "base/hmem.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

static const char *const port_states[PORT_STATES] = {
    [PORT_UNKNOWN] = "unknown",
    [PORT_OPEN] = "open",
    [PORT_FILTERED] = "filtered",
    [PORT_UNFILTERED] = "unfiltered",
    [PORT_CLOSED] = "closed",
    [PORT_OPEN_FILTERED] = "open|filtered",
    [PORT_CLOSED_FILTERED] = "closed|filtered",
};

static const char *const reasons[REASONS] = {
    [REASON_UNKNOWN] = "unknown-response",
    [REASON_NO_RESPONSE] = "no-response",
    [REASON_USER_SET] = "user-set",
    [REASON_LOCALHOST] = "localhost-response",
    [REASON_SYN_ACK] = "syn-ack",
    [REASON_RESET] = "reset",
    [REASON_REFUSED] = "conn-refused",
    [REASON_UDP_RESPONSE] = "udp-response",
    [REASON_ECHO_REPLY] = "echo-reply",
    [REASON_TIMESTAMP_REPLY] = "timestamp-reply",
    [REASON_NETMASK_REPLY] = "addressmask-reply",
    [REASON_ARP_RESPONSE] = "arp-response",
    [REASON_ND_RESPONSE] = "nd-response",
    [REASON_PROTO_RESPONSE] = "proto-response",
    [REASON_NET_UNREACH] = "net-unreach",
    [REASON_HOST_UNREACH] = "host-unreach",
    [REASON_PROTO_UNREACH] = "proto-unreach",
    [REASON_PORT_UNREACH] = "port-unreach",
    [REASON_ADMIN_PROHIBITED] = "admin-prohibited",
    [REASON_HOST_PROHIBITED] = "host-prohibited",
    [REASON_NET_PROHIBITED] = "net-prohibited",
    [REASON_TIME_EXCEEDED] = "time-exceeded",
    [REASON_PARAMETER_PROBLEM] = "param-prob",
    [REASON_LOCAL_ERROR] = "unknown-response",
};

const char *port_state_name(port_state_e state)
{
    return port_states[state < PORT_STATES ? state : PORT_UNKNOWN];
}

const char *host_state_name(host_state_e state)
{
    static const char *const names[] = {"unknown", "up", "down", "skipped"};

    return names[state <= HOST_SKIPPED ? state : HOST_UNKNOWN];
}

const char *reason_name(reason_e reason)
{
    return reasons[reason < REASONS ? reason : REASON_UNKNOWN];
}

const char *protocol_name(uint8_t protocol)
{
    return protocol == IPPROTO_UDP ? "udp" : "tcp";
}

const char *port_service_name(const port_result_t *port)
{
    return port->service && port->service->name ? port->service->name : port->usual;
}

void service_free(service_t *service)
{
    if (service == NULL)
        return;
    char *const strings[] = {service->name,   service->product, service->version,
                             service->extra,  service->os,      service->hostname,
                             service->device, service->banner,  service->tls};

    for (size_t i = 0; i < sizeof(strings) / sizeof(strings[0]); i++)
        hmem_free(strings[i]);
    for (size_t i = 0; i < sizeof(service->cpe) / sizeof(service->cpe[0]); i++)
        hmem_free(service->cpe[i]);
    hmem_free(service);
}

int port_ranges_write(hbytes_t *out, const uint16_t *ports, size_t count)
{
    int status = 0;

    for (size_t i = 0, last; i < count && status == 0; i = last + 1) {
        const char *comma = i > 0 ? "," : "";

        for (last = i; last + 1 < count && ports[last + 1] == ports[last] + 1; last++)
            ;
        if (last == i)
            status = hbytes_printf(out, "%s%u", comma, ports[i]);
        else
            status = hbytes_printf(out, "%s%u-%u", comma, ports[i], ports[last]);
    }
    return status;
}

/* ---- dividing -------------------------------------------------------------------------------- */

static int by_number(const void *a, const void *b)
{
    const port_result_t *p = a, *q = b;

    if (p->protocol != q->protocol)
        return p->protocol < q->protocol ? -1 : 1;
    return p->number - q->number;
}

/* The shown ones first, then by what makes a group; the order of the numbers stays. */
static int by_group(const void *a, const void *b)
{
    const port_result_t *p = a, *q = b;
    const int keys[][2] = {
        {p->protocol, q->protocol}, {p->state, q->state}, {p->reason, q->reason}};

    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
        if (keys[i][0] != keys[i][1])
            return keys[i][0] - keys[i][1];
    return p->number - q->number;
}

/* As nmap orders them: the state that most ports are in comes first, and within it the reason. */
static bool comes_before(const port_group_t *g, const port_group_t *h, const uint32_t *totals)
{
    /* Where numbers are equal. */
    static const uint8_t rank[PORT_STATES] = {
        [PORT_CLOSED] = 1,     [PORT_OPEN] = 2,          [PORT_FILTERED] = 3,
        [PORT_UNFILTERED] = 4, [PORT_OPEN_FILTERED] = 5, [PORT_CLOSED_FILTERED] = 6,
    };

    if (totals[g->state] != totals[h->state])
        return totals[g->state] > totals[h->state];
    if (g->state != h->state)
        return rank[g->state] < rank[h->state];
    if (g->count != h->count)
        return g->count > h->count;
    return g->protocol != h->protocol ? g->protocol > h->protocol : g->reason < h->reason;
}

/* A few. */
static void sort_groups(port_group_t *groups, size_t count)
{
    uint32_t totals[PORT_STATES] = {0};

    for (size_t i = 0; i < count; i++)
        totals[groups[i].state] += groups[i].count;
    for (size_t i = 1; i < count; i++) {
        const port_group_t group = groups[i];
        size_t at = i;

        for (; at > 0 && comes_before(&group, &groups[at - 1], totals); at--)
            groups[at] = groups[at - 1];
        groups[at] = group;
    }
}

static bool is_same_group(const port_result_t *p, const port_result_t *q)
{
    return p->protocol == q->protocol && p->state == q->state && p->reason == q->reason;
}

static bool is_shown(const port_result_t *port, const size_t *counts, size_t shown_max,
                     bool open_only)
{
    if (port->state == PORT_OPEN || port->is_kept)
        return true;
    if (open_only && port->state != PORT_OPEN_FILTERED && port->state != PORT_UNFILTERED)
        return false;
    return counts[port->state] <= shown_max;
}

/* One group of the outcomes from first on, all of whose ports are hidden. */
static int fill_group(port_group_t *group, const port_result_t *first, size_t count)
{
    hbytes_t text = {0};
    uint16_t *numbers = hmem_alloc(count * sizeof(*numbers));
    int status = numbers == NULL ? -ENOMEM : 0;

    for (size_t i = 0; i < count && status == 0; i++)
        numbers[i] = first[i].number;
    if (status == 0)
        status = port_ranges_write(&text, numbers, count);
    hmem_free(numbers);
    if (status < 0) {
        hbytes_deinit(&text);
        return status;
    }
    *group = (port_group_t){.state = first->state,
                            .protocol = first->protocol,
                            .reason = first->reason,
                            .count = (uint32_t)count,
                            .ports = hbytes_take(&text, NULL)};
    return 0;
}

static void free_groups(port_group_t *groups, size_t count)
{
    for (size_t i = 0; i < count; i++)
        hmem_free(groups[i].ports);
    hmem_free(groups);
}

/* Groups of ports that are sorted by what makes a group. */
static int make_groups(host_result_t *host, const port_result_t *hidden, size_t count)
{
    size_t kinds = 0, done = 0;
    port_group_t *groups;
    int status = 0;

    for (size_t i = 0; i < count; i++)
        if (i == 0 || !is_same_group(&hidden[i - 1], &hidden[i]))
            kinds++;
    if (kinds == 0)
        return 0;
    groups = hmem_zalloc(kinds * sizeof(*groups));
    if (groups == NULL)
        return -ENOMEM;
    for (size_t i = 0, next; i < count && status == 0; i = next) {
        for (next = i + 1; next < count && is_same_group(&hidden[i], &hidden[next]); next++)
            ;
        status = fill_group(&groups[done++], &hidden[i], next - i);
    }
    if (status < 0) {
        free_groups(groups, kinds);
        return status;
    }
    sort_groups(groups, kinds);
    host->groups = groups;
    host->group_count = kinds;
    return 0;
}

int host_result_divide(host_result_t *host, port_result_t *outcomes, size_t count, size_t shown_max,
                       bool open_only)
{
    size_t counts[PORT_STATES] = {0}, shown = 0, hidden = 0;
    port_result_t *all;
    int status;

    if (count == 0)
        return 0;
    all = hmem_alloc(2 * count * sizeof(*all));
    if (all == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < count; i++)
        counts[outcomes[i].state]++;
    for (size_t i = 0; i < count; i++)
        if (is_shown(&outcomes[i], counts, shown_max, open_only))
            all[shown++] = outcomes[i];
        else
            all[count + hidden++] = outcomes[i];
    qsort(all + count, hidden, sizeof(*all), by_group);
    status = make_groups(host, all + count, hidden);
    if (status < 0) {
        hmem_free(all);
        return status;
    }
    qsort(all, shown, sizeof(*all), by_number);
    for (size_t i = count; i < count + hidden; i++)
        service_free(all[i].service);
    host->ports = hmem_realloc(all, (shown ? shown : 1) * sizeof(*all));
    if (host->ports == NULL)
        host->ports = all;
    host->port_count = shown;
    host->has_ports = true;
    return 0;
}

/* Takes the groups of another result over. */
static int add_groups(host_result_t *host, host_result_t *other)
{
    size_t count = host->group_count + other->group_count;
    port_group_t *all = hmem_realloc(host->groups, (count ? count : 1) * sizeof(*all));

    if (all == NULL)
        return -ENOMEM;
    if (other->group_count > 0)
        memcpy(all + host->group_count, other->groups, other->group_count * sizeof(*all));
    sort_groups(all, count);
    host->groups = all;
    host->group_count = count;
    hmem_free(other->groups);
    return 0;
}

int host_result_fold(host_result_t *host, size_t shown_max)
{
    size_t counts[PORT_STATES] = {0}, hidden = 0, shown = 0;
    host_result_t other = {0};
    port_result_t *all;
    int status;

    for (size_t i = 0; i < host->port_count; i++)
        counts[host->ports[i].state]++;
    all = hmem_alloc((host->port_count ? host->port_count : 1) * sizeof(*all));
    if (all == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < host->port_count; i++)
        if (host->ports[i].is_kept &&
            !is_shown(&(port_result_t){.state = host->ports[i].state}, counts, shown_max, false))
            all[hidden++] = host->ports[i];
    qsort(all, hidden, sizeof(*all), by_group);
    status = make_groups(&other, all, hidden);
    if (status == 0 && add_groups(host, &other) < 0) {
        free_groups(other.groups, other.group_count);
        status = -ENOMEM;
    }
    hmem_free(all);
    if (status < 0)
        return status;
    for (size_t i = 0; i < host->port_count; i++) {
        port_result_t *port = &host->ports[i];

        if (port->is_kept && counts[port->state] > shown_max && port->state != PORT_OPEN)
            service_free(port->service);
        else
            host->ports[shown++] = *port;
    }
    host->port_count = shown;
    return 0;
}

void host_result_deinit(host_result_t *host)
{
    for (size_t i = 0; i < host->port_count; i++)
        service_free(host->ports[i].service);
    hmem_free(host->ports);
    free_groups(host->groups, host->group_count);
    for (size_t i = 0; i < host->hop_count; i++)
        hmem_free(host->hops[i].name);
    hmem_free(host->hops);
    hmem_free(host->os);
    hmem_free(host->name);
    *host = (host_result_t){0};
}
