#include "strange.h"

#include <netinet/in.h>
#include <string.h>

/* ---- ports ----------------------------------------------------------------------------------- */

/* How many ports of a protocol there are, if all of them are open and for the same reason. */
static size_t all_open(const port_result_t *outcomes, size_t count, uint8_t protocol)
{
    const port_result_t *first = NULL;
    size_t n = 0;

    for (size_t i = 0; i < count; i++) {
        const port_result_t *port = &outcomes[i];

        if (port->protocol != protocol)
            continue;
        first = first ? first : port;
        if (port->state != PORT_OPEN || port->reason != first->reason || port->ttl != first->ttl)
            return 0;
        n++;
    }
    return n;
}

int strange_ports(strange_t *strange, const haddr_t *addr, const port_result_t *outcomes,
                  size_t count, hbytes_t *out)
{
    char ip[HADDR_FORMAT_SIZE];
    size_t tcp = all_open(outcomes, count, IPPROTO_TCP);
    size_t udp = all_open(outcomes, count, IPPROTO_UDP);
    size_t n = tcp > udp ? tcp : udp;
    int err;

    if (n < STRANGE_PORTS)
        return 0;
    if (strange->told_ports) {
        strange->open_hosts++;
        return 0;
    }
    strange->told_ports = true;
    err = hbytes_printf(out,
                        "every port of %s seems open (all of %zu): a firewall or tarpit answers "
                        "for it",
                        haddr_ip(&addr->u.sa, ip, sizeof(ip)), n);
    return err == 0 ? 1 : err;
}

int strange_end(const strange_t *strange, hbytes_t *out)
{
    int err;

    if (strange->open_hosts == 0)
        return 0;
    err =
        hbytes_printf(out, "every port of %llu further host%s seems open, too",
                      (unsigned long long)strange->open_hosts, strange->open_hosts == 1 ? "" : "s");
    return err == 0 ? 1 : err;
}

/* ---- hosts ----------------------------------------------------------------------------------- */

static bool is_same_router(const haddr_t *a, const haddr_t *b)
{
    return b == NULL ? a->len == 0 : a->len > 0 && haddr_equal(&a->u.sa, &b->u.sa);
}

/* The same one answers as for the host before: by its link address, or as far as can be seen. */
static bool goes_on(const strange_t *s, const host_result_t *host, const haddr_t *router)
{
    if (s->row == 0 || s->has_mac != host->has_mac || s->reason != host->reason)
        return false;
    if (host->has_mac)
        return memcmp(s->mac, host->mac, sizeof(s->mac)) == 0;
    return s->ttl == host->ttl && is_same_router(&s->router, router);
}

static void begin_row(strange_t *s, const host_result_t *host, const haddr_t *router)
{
    s->row = 0;
    s->first = host->addr;
    s->has_mac = host->has_mac;
    memcpy(s->mac, host->mac, sizeof(s->mac));
    s->reason = host->reason;
    s->ttl = host->ttl;
    s->router = router ? *router : (haddr_t){0};
}

static int write_who(hbytes_t *out, const strange_t *s)
{
    const uint8_t *m = s->mac;
    char ip[HADDR_FORMAT_SIZE];

    if (s->has_mac)
        return hbytes_printf(
            out, "have one link address, %02X:%02X:%02X:%02X:%02X:%02X: it answers for all of them",
            m[0], m[1], m[2], m[3], m[4], m[5]);
    if (s->router.len > 0)
        return hbytes_printf(out,
                             "answer alike (%s): the router %s, or what is behind it, answers for "
                             "all of them",
                             reason_name((reason_e)s->reason),
                             haddr_ip(&s->router.u.sa, ip, sizeof(ip)));
    return hbytes_printf(out, "answer alike (%s): something on the way answers for all of them",
                         reason_name((reason_e)s->reason));
}

static int tell_row(strange_t *s, const haddr_t *last, hbytes_t *out)
{
    char first_ip[HADDR_FORMAT_SIZE], last_ip[HADDR_FORMAT_SIZE];
    int err = hbytes_printf(out, "%llu addresses in a row (%s to %s) are up and ",
                            (unsigned long long)s->row,
                            haddr_ip(&s->first.u.sa, first_ip, sizeof(first_ip)),
                            haddr_ip(&last->u.sa, last_ip, sizeof(last_ip)));

    s->told_hosts = true;
    if (err == 0)
        err = write_who(out, s);
    return err == 0 ? 1 : err;
}

static bool is_here(const host_result_t *host)
{
    const sockaddr_u *u = &host->addr.u;

    return host->reason == REASON_LOCALHOST ||
           (u->sa.sa_family == AF_INET && ntohl(u->sin.sin_addr.s_addr) >> 24 == 127);
}

int strange_host(strange_t *s, const host_result_t *host, const haddr_t *router, hbytes_t *out)
{
    bool is_full = host->has_mac || host->addr.u.sa.sa_family == AF_INET6;

    if (s->told_hosts || is_here(host))
        return 0; /* this machine may be one of the addresses: it does not end the row */
    if (host->state != HOST_UP || host->reason == REASON_USER_SET) {
        s->row = 0;
        return 0;
    }
    if (!goes_on(s, host, router))
        begin_row(s, host, router);
    s->row++;
    return s->row < (is_full ? STRANGE_NEIGHBOURS : STRANGE_HOSTS) ? 0
                                                                   : tell_row(s, &host->addr, out);
}
