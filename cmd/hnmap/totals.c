#include "totals.h"

static void add_open(totals_t *totals, const port_result_t *port)
{
    size_t i = 0;

    while (i < totals->port_count &&
           (totals->ports[i].number != port->number || totals->ports[i].protocol != port->protocol))
        i++;
    if (i == TOTALS_PORTS_MAX)
        return;
    if (i == totals->port_count)
        totals->ports[totals->port_count++] = (totals_port_t){
            .number = port->number, .protocol = port->protocol, .usual = port->usual};
    totals->ports[i].hosts++;
}

void totals_add(totals_t *totals, const host_result_t *host)
{
    for (size_t i = 0; i < host->port_count; i++) {
        const port_result_t *port = &host->ports[i];

        totals->states[port->state < PORT_STATES ? port->state : PORT_UNKNOWN]++;
        if (port->state == PORT_OPEN)
            add_open(totals, port);
    }
    for (size_t i = 0; i < host->group_count; i++) {
        const port_group_t *group = &host->groups[i];

        totals->states[group->state < PORT_STATES ? group->state : PORT_UNKNOWN] += group->count;
    }
}

static bool is_more(const totals_port_t *a, const totals_port_t *b)
{
    return b == NULL || a->hosts > b->hosts || (a->hosts == b->hosts && a->number < b->number);
}

const totals_port_t *totals_most(const totals_t *totals, const totals_port_t *const *taken,
                                 size_t count)
{
    const totals_port_t *most = NULL;

    for (size_t i = 0; i < totals->port_count; i++) {
        const totals_port_t *port = &totals->ports[i];
        size_t k = 0;

        while (k < count && taken[k] != port)
            k++;
        if (k == count && is_more(port, most))
            most = port;
    }
    return most;
}
