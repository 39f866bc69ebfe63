#include "hresolve.h"

#include "../base/hmem.h"

#include <netdb.h>
#include <stdio.h>
#include <string.h>

static int family_of(const hresolve_hints_t *hints)
{
    return hints ? hints->family : AF_UNSPEC;
}

static int add(hresolve_t *result, const haddr_t *addr)
{
    if (!result->addrs) {
        result->addrs = hmem_array(HRESOLVE_ADDRS_MAX, sizeof(haddr_t));
        if (!result->addrs)
            return -ENOMEM;
    }
    if (result->count < HRESOLVE_ADDRS_MAX)
        result->addrs[result->count++] = *addr;
    return 0;
}

static int not_found(hresolve_t *result, int gai_error)
{
    result->gai_error = gai_error;
    return HERR_RESOLVE;
}

/* An empty host: every address lists IPv6 first, because one such socket serves both; loopback
 * lists IPv4 first, because more servers listen there. */
static int add_wildcard(uint16_t port, const hresolve_hints_t *hints, hresolve_t *result)
{
    bool passive = hints && hints->passive;
    int families[2] = {passive ? AF_INET6 : AF_INET, passive ? AF_INET : AF_INET6};
    int wanted = family_of(hints);
    int err = 0;

    for (int i = 0; i < 2 && !err; i++) {
        haddr_t addr;

        if (wanted != AF_UNSPEC && wanted != families[i])
            continue;
        if (passive)
            haddr_any(&addr, families[i], port);
        else
            haddr_loopback(&addr, families[i], port);
        err = add(result, &addr);
    }
    return err ? err : result->count ? 0 : not_found(result, EAI_FAMILY);
}

/* Numbers need no resolver and none of the files that it reads. */
static int add_number(const haddr_t *addr, const hresolve_hints_t *hints, hresolve_t *result)
{
    int wanted = family_of(hints);

    if (wanted != AF_UNSPEC && wanted != addr->u.sa.sa_family)
        return not_found(result, EAI_ADDRFAMILY);
    return add(result, addr);
}

static int ask_system(const char *host, uint16_t port, const hresolve_hints_t *hints,
                      hresolve_t *result)
{
    struct addrinfo ask = {.ai_flags = AI_NUMERICSERV};
    struct addrinfo *list = NULL;
    char service[8];
    int err, code;

    ask.ai_family = family_of(hints);
    ask.ai_socktype = hints && hints->socktype ? hints->socktype : SOCK_STREAM;
    if (hints && hints->numeric)
        ask.ai_flags |= AI_NUMERICHOST;
    snprintf(service, sizeof(service), "%u", (unsigned)port);
    code = getaddrinfo(host, service, &ask, &list);
    if (code == EAI_SYSTEM)
        return errno ? -errno : not_found(result, code);
    if (code == EAI_MEMORY)
        return -ENOMEM;
    if (code != 0)
        return not_found(result, code);
    err = 0;
    for (struct addrinfo *ai = list; ai && !err; ai = ai->ai_next) {
        haddr_t addr;

        if (haddr_set(&addr, ai->ai_addr, ai->ai_addrlen) == 0)
            err = add(result, &addr);
    }
    freeaddrinfo(list);
    return err ? err : result->count ? 0 : not_found(result, EAI_NONAME);
}

int hresolve(const char *host, uint16_t port, const hresolve_hints_t *hints, hresolve_t *result)
{
    haddr_t addr;
    int err;

    memset(result, 0, sizeof(*result));
    if (!host || host[0] == '\0')
        err = add_wildcard(port, hints, result);
    else if (haddr_parse(&addr, host, port) == 0)
        err = add_number(&addr, hints, result);
    else
        err = ask_system(host, port, hints, result);
    if (err)
        hresolve_free(result);
    return err;
}

int hresolve_endpoint(const hendpoint_t *ep, const hresolve_hints_t *hints, hresolve_t *result)
{
    hresolve_hints_t own = hints ? *hints : (hresolve_hints_t){0};
    haddr_t addr;
    int err;

    if (!hendpoint_is_unix(ep)) {
        own.socktype = hendpoint_socktype(ep);
        return hresolve(ep->host, ep->port, &own, result);
    }
    memset(result, 0, sizeof(*result));
    err = haddr_unix(&addr, ep->path);
    return err ? err : add(result, &addr);
}

const char *hresolve_error(const hresolve_t *result, int err)
{
    if (err == HERR_RESOLVE && result->gai_error != 0)
        return gai_strerror(result->gai_error);
    return herr_str(err);
}

void hresolve_free(hresolve_t *result)
{
    hmem_free(result->addrs);
    result->addrs = NULL;
    result->count = 0;
}
