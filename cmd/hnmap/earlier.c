#include "earlier.h"

#include "output_text.h"

#include "base/hfile.h"
#include "base/hmem.h"
#include "base/hstr.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

/* ---- building -------------------------------------------------------------------------------- */

/* Room for one more of count items: it is doubled where count is a power of two. */
static void *add(void *items, size_t *count, size_t max, size_t size)
{
    char *bytes = items;

    if (*count == max)
        return NULL;
    if ((*count & (*count - 1)) == 0) {
        bytes = hmem_realloc(items, (*count ? *count * 2 : 1) * size);
        if (bytes == NULL)
            return NULL;
    }
    memset(bytes + *count * size, 0, size);
    ++*count;
    return bytes;
}

earlier_host_t *earlier__add_host(earlier_t *earlier)
{
    earlier_host_t *all =
        add(earlier->hosts, &earlier->count, EARLIER_HOSTS_MAX, sizeof(*earlier->hosts));

    if (all == NULL)
        return NULL;
    earlier->hosts = all;
    return &all[earlier->count - 1];
}

earlier_port_t *earlier__add_port(earlier_host_t *host)
{
    earlier_port_t *all =
        add(host->ports, &host->port_count, EARLIER_PORTS_MAX, sizeof(*host->ports));

    if (all == NULL)
        return NULL;
    host->ports = all;
    return &all[host->port_count - 1];
}

earlier_group_t *earlier__add_group(earlier_host_t *host)
{
    earlier_group_t *all =
        add(host->groups, &host->group_count, EARLIER_GROUPS_MAX, sizeof(*host->groups));

    if (all == NULL)
        return NULL;
    host->groups = all;
    return &all[host->group_count - 1];
}

port_state_e earlier__port_state(const char *word)
{
    for (int state = PORT_UNKNOWN + 1; state < PORT_STATES; state++)
        if (strcmp(word, port_state_name((port_state_e)state)) == 0)
            return (port_state_e)state;
    return PORT_UNKNOWN;
}

host_state_e earlier__host_state(const char *word)
{
    return strcmp(word, "up") == 0 ? HOST_UP : strcmp(word, "down") == 0 ? HOST_DOWN : HOST_UNKNOWN;
}

uint8_t earlier__protocol(const char *word)
{
    return strcmp(word, "tcp") == 0 ? IPPROTO_TCP : strcmp(word, "udp") == 0 ? IPPROTO_UDP : 0;
}

int earlier_service(hbytes_t *out, const service_t *service)
{
    int status = hbytes_printf(out, "%s%s", service->is_tls ? "ssl/" : "",
                               service->name ? service->name : "unknown");

    if (status == 0 && (service->product || service->version || service->extra))
        status = hbytes_append_char(out, ' ');
    return status < 0 ? status : output_version(out, service);
}

int earlier_ranges(uint8_t *states, const char *ranges, uint8_t state)
{
    while (*ranges) {
        unsigned long bounds[2];

        for (int i = 0; i < 2; i++) {
            char *end;

            if (i == 1 && *ranges != '-') {
                bounds[1] = bounds[0];
                break;
            }
            ranges += i;
            if (*ranges < '0' || *ranges > '9')
                return HERR_SYNTAX;
            bounds[i] = strtoul(ranges, &end, 10);
            ranges = end;
        }
        if (bounds[0] > bounds[1] || bounds[1] > UINT16_MAX || (*ranges && *ranges != ','))
            return HERR_SYNTAX;
        ranges += *ranges == ',';
        memset(states + bounds[0], state, bounds[1] - bounds[0] + 1);
    }
    return 0;
}

/* ---- finding --------------------------------------------------------------------------------- */

static int compare_addrs(const haddr_t *a, const haddr_t *b)
{
    int by_family = (int)a->u.sa.sa_family - (int)b->u.sa.sa_family;

    if (by_family != 0)
        return by_family;
    if (a->u.sa.sa_family == AF_INET6)
        return memcmp(&a->u.sin6.sin6_addr, &b->u.sin6.sin6_addr, sizeof(a->u.sin6.sin6_addr));
    return memcmp(&a->u.sin.sin_addr, &b->u.sin.sin_addr, sizeof(a->u.sin.sin_addr));
}

static int compare_hosts(const void *a, const void *b)
{
    return compare_addrs(&((const earlier_host_t *)a)->addr, &((const earlier_host_t *)b)->addr);
}

const earlier_host_t *earlier_find(const earlier_t *earlier, const haddr_t *addr)
{
    size_t low = 0, high = earlier->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (compare_addrs(&earlier->hosts[middle].addr, addr) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low < earlier->count && compare_addrs(&earlier->hosts[low].addr, addr) == 0
               ? &earlier->hosts[low]
               : NULL;
}

const earlier_port_t *earlier_port(const earlier_host_t *host, const port_result_t *port)
{
    for (size_t i = 0; i < host->port_count; i++)
        if (host->ports[i].number == port->number && host->ports[i].protocol == port->protocol)
            return &host->ports[i];
    return NULL;
}

void earlier__sort(earlier_t *earlier)
{
    if (earlier->count > 0)
        qsort(earlier->hosts, earlier->count, sizeof(*earlier->hosts), compare_hosts);
}

/* ---- reading --------------------------------------------------------------------------------- */

int earlier_parse(earlier_t *earlier, const char *text, size_t len, hbytes_t *why)
{
    int status;

    *earlier = (earlier_t){0};
    if (len > 0 && text[0] == '<')
        status = earlier__parse_xml(earlier, text, len, why);
    else if (len > 0 && text[0] == '{')
        status = earlier__parse_json(earlier, text, len, why);
    else {
        hbytes_append_str(why, "it is neither XML nor JSON of a scan");
        status = HERR_SYNTAX;
    }
    for (size_t i = 0; i < earlier->count && status == 0; i++)
        if (!earlier->hosts[i].has_addr) {
            hbytes_append_str(why, "a host has no address");
            status = HERR_SYNTAX;
        }
    if (status < 0) {
        earlier_free(earlier);
        return status;
    }
    earlier__sort(earlier);
    return 0;
}

int earlier_read(earlier_t *earlier, const char *path, hbytes_t *why)
{
    hbytes_t text = {0};
    int status = hfile_read(path, EARLIER_FILE_MAX, &text);

    *earlier = (earlier_t){0};
    if (status < 0)
        hbytes_append_str(why, status == -EINVAL ? "it is no plain file" : herr_str(status));
    else
        status = earlier_parse(earlier, text.data ? text.data : "", text.len, why);
    if (status == -ENOMEM && why->len == 0)
        hbytes_append_str(why, herr_str(status));
    hbytes_deinit(&text);
    return status;
}

void earlier__free_host(earlier_host_t *host)
{
    for (size_t i = 0; i < host->port_count; i++)
        hmem_free(host->ports[i].service);
    for (size_t i = 0; i < host->group_count; i++)
        hmem_free(host->groups[i].ports);
    hmem_free(host->ports);
    hmem_free(host->groups);
}

void earlier_free(earlier_t *earlier)
{
    for (size_t i = 0; i < earlier->count; i++)
        earlier__free_host(&earlier->hosts[i]);
    hmem_free(earlier->hosts);
    *earlier = (earlier_t){0};
}
