/* Rounds of scans: what one has found is what the next is compared with. */
#include "earlier.h"

#include "base/herr.h"
#include "base/hmem.h"

#include <errno.h>
#include <string.h>

/* What answers on it, as now or, where nobody found that out this time, as before. */
static int keep_service(earlier_port_t *kept, const port_result_t *port,
                        const earlier_host_t *before)
{
    const earlier_port_t *then = earlier_port(before, port);
    hbytes_t text = {0};
    int status = 0;

    if (port->service && port->service->confidence > EARLIER_CONFIDENCE_GUESS) {
        status = earlier_service(&text, port->service);
        kept->service = hbytes_take(&text, NULL);
    } else if (port->state == PORT_OPEN && then && then->service) {
        kept->service = hmem_strdup(then->service);
        status = kept->service ? 0 : -ENOMEM;
    }
    return status;
}

static int keep_ports(earlier_host_t *kept, const host_result_t *host, const earlier_host_t *before)
{
    int status = 0;

    for (size_t i = 0; i < host->port_count && status == 0; i++) {
        const port_result_t *port = &host->ports[i];
        earlier_port_t *p = earlier__add_port(kept);

        if (p == NULL)
            return -ENOMEM;
        p->number = port->number;
        p->protocol = port->protocol;
        p->state = port->state;
        status = keep_service(p, port, before);
    }
    for (size_t i = 0; i < host->group_count && status == 0; i++) {
        earlier_group_t *group = earlier__add_group(kept);

        if (group == NULL)
            return -ENOMEM;
        group->protocol = host->groups[i].protocol;
        group->state = host->groups[i].state;
        group->ports = hmem_strdup(host->groups[i].ports);
        status = group->ports ? 0 : -ENOMEM;
    }
    return status;
}

static int replace(earlier_host_t *before, const host_result_t *host)
{
    earlier_host_t now = {.addr = host->addr, .has_addr = true, .state = HOST_UP};
    int status = keep_ports(&now, host, before);

    if (status == 0) {
        earlier__free_host(before);
        *before = now;
    } else {
        earlier__free_host(&now);
    }
    return status;
}

int earlier_keep(earlier_t *earlier, earlier_t *added, const host_result_t *host)
{
    /* What is found is only read by others. */
    earlier_host_t *known = (earlier_host_t *)earlier_find(earlier, &host->addr);

    if (known)
        known->missed = 0;
    if (host->is_unasked || (host->state != HOST_UP && host->state != HOST_DOWN))
        return 0;
    if (known == NULL && host->state == HOST_DOWN)
        return 0;
    if (known == NULL) {
        known = earlier__add_host(added);
        if (known == NULL)
            return -ENOMEM;
        known->addr = host->addr;
        known->has_addr = true;
    }
    known->state = host->state;
    return host->state == HOST_UP && host->has_ports && !host->timed_out ? replace(known, host) : 0;
}

static void forget(earlier_t *earlier)
{
    size_t kept = 0;

    for (size_t i = 0; i < earlier->count; i++)
        if (earlier->hosts[i].missed <= EARLIER_ROUNDS_MAX)
            earlier->hosts[kept++] = earlier->hosts[i];
        else
            earlier__free_host(&earlier->hosts[i]);
    earlier->count = kept;
}

int earlier_merge(earlier_t *earlier, earlier_t *added, bool is_whole)
{
    size_t moved = 0;
    int status;

    if (is_whole)
        forget(earlier);
    for (; moved < added->count; moved++) {
        earlier_host_t *host = earlier__add_host(earlier);

        if (host == NULL)
            break;
        *host = added->hosts[moved];
        memset(&added->hosts[moved], 0, sizeof(added->hosts[moved]));
    }
    for (size_t i = 0; i < earlier->count && is_whole; i++)
        earlier->hosts[i].missed++;
    earlier__sort(earlier);
    status = moved == added->count ? 0 : -ENOMEM;
    earlier_free(added);
    return status;
}
