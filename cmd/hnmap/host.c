#include "host.h"

#include "base/hmem.h"

#include <ifaddrs.h>
#include <netinet/in.h>
#include <string.h>

host_t *host_new(const target_t *target)
{
    host_t *host = hmem_zalloc(sizeof(*host));

    if (host == NULL)
        return NULL;
    if (target->name) {
        host->asked = hmem_strdup(target->name);
        if (host->asked == NULL) {
            hmem_free(host);
            return NULL;
        }
    }
    host->result.addr = target->address;
    host->result.asked = host->asked;
    return host;
}

void host_free(host_t *host)
{
    if (host == NULL)
        return;
    if (host->query)
        hdns_cancel(host->query);
    service_cancel(host->services);
    htimer_del(host->deadline);
    hlist_remove(&host->node);
    hlist_remove(&host->wait);
    host_result_deinit(&host->result);
    hmem_free(host->probes);
    hmem_free(host->outcomes);
    hmem_free(host->walk);
    hmem_free(host->look);
    hmem_free(host->asked);
    hmem_free(host);
}

int host_set_probes(host_t *host, uint32_t count)
{
    probe_t *probes = hmem_zalloc(count * sizeof(*probes));

    if (probes == NULL)
        return -ENOMEM;
    hmem_free(host->probes);
    host->probes = probes;
    host->probe_count = count;
    return 0;
}

void host_take_connect(probe_t *probe, int err)
{
    static const struct {
        int err;
        uint8_t state, reason;
    } meanings[] = {
        {0, PORT_OPEN, REASON_SYN_ACK},
        {ECONNREFUSED, PORT_CLOSED, REASON_REFUSED},
        {EHOSTUNREACH, PORT_FILTERED, REASON_HOST_UNREACH},
        {ENETUNREACH, PORT_FILTERED, REASON_NET_UNREACH},
        {EACCES, PORT_FILTERED, REASON_ADMIN_PROHIBITED},
        {EPERM, PORT_FILTERED, REASON_ADMIN_PROHIBITED},
        {ENOPROTOOPT, PORT_FILTERED, REASON_PROTO_UNREACH},
        {EHOSTDOWN, PORT_FILTERED, REASON_HOST_UNREACH},
        {ETIMEDOUT, PORT_UNKNOWN, REASON_NO_RESPONSE},
    };

    for (size_t i = 0; i < sizeof(meanings) / sizeof(meanings[0]); i++)
        if (meanings[i].err == -err) {
            probe->state = meanings[i].state;
            probe->reason = meanings[i].reason;
            return;
        }
    probe->state = PORT_UNKNOWN;
    probe->reason = REASON_LOCAL_ERROR;
}

/* ---- this machine ---------------------------------------------------------------------------- */

struct local_s {
    struct ifaddrs *list;
};

local_t *local_new(void)
{
    local_t *local = hmem_zalloc(sizeof(*local));

    if (local && getifaddrs(&local->list) < 0)
        local->list = NULL; /* then only loopback is known */
    return local;
}

void local_free(local_t *local)
{
    if (local && local->list)
        freeifaddrs(local->list);
    hmem_free(local);
}

static bool is_same_host(const struct sockaddr *a, const struct sockaddr *b)
{
    const sockaddr_u *u = (const sockaddr_u *)a, *v = (const sockaddr_u *)b;

    if (a->sa_family != b->sa_family)
        return false;
    if (a->sa_family == AF_INET)
        return u->sin.sin_addr.s_addr == v->sin.sin_addr.s_addr;
    return a->sa_family == AF_INET6 &&
           memcmp(&u->sin6.sin6_addr, &v->sin6.sin6_addr, sizeof(u->sin6.sin6_addr)) == 0;
}

bool local_has(const local_t *local, const struct sockaddr *addr)
{
    if (haddr_is_loopback(addr))
        return true;
    for (const struct ifaddrs *i = local->list; i; i = i->ifa_next)
        if (i->ifa_addr && is_same_host(i->ifa_addr, addr))
            return true;
    return false;
}
