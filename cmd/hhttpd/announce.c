/* announce: what a server says when it begins. */
#include "hhttpd.h"
#include "site.h"

#include <ifaddrs.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>

#define URL_SIZE (HADDR_FORMAT_SIZE + 320)

bool listen_is_tls(const hlisteners_item_t *item)
{
    if (!item->handed_over)
        return item->tag == LISTEN_TLS;
    return strstr(item->name, "tls") || strstr(item->name, "https");
}

/* Whether others can be told to come here; link-local addresses need a zone. */
static bool is_reachable(const struct ifaddrs *entry, int family)
{
    const struct sockaddr *sa = entry->ifa_addr;

    if (!sa || sa->sa_family != family || !(entry->ifa_flags & IFF_UP) ||
        (entry->ifa_flags & IFF_LOOPBACK))
        return false;
    return family == AF_INET ||
           !IN6_IS_ADDR_LINKLOCAL(&((const struct sockaddr_in6 *)(const void *)sa)->sin6_addr);
}

/* An address of this computer in the place of "every address": IPv4 if there is one. */
static void choose_address(haddr_t *addr)
{
    static const int families[] = {AF_INET, AF_INET6};
    uint16_t port = (uint16_t)haddr_port(&addr->u.sa);
    struct ifaddrs *list = NULL;
    bool found = false;

    if (getifaddrs(&list) < 0)
        list = NULL;
    for (int i = 0; i < 2 && !found; i++) {
        for (const struct ifaddrs *entry = list; entry && !found; entry = entry->ifa_next) {
            found = is_reachable(entry, families[i]) &&
                    haddr_set(addr, entry->ifa_addr, haddr_len(entry->ifa_addr)) == 0;
        }
    }
    if (list)
        freeifaddrs(list);
    if (!found)
        haddr_loopback(addr, AF_INET, port);
    haddr_set_port(&addr->u.sa, port);
}

/* What to type into a browser; for every address one that others can reach; for a UNIX socket
 * "unix:/path". */
static const char *url_of(const hlisteners_item_t *item, const settings_t *s, char *buf,
                          size_t size)
{
    const char *base_url = s->site.base_url;
    char text[HADDR_FORMAT_SIZE];
    haddr_t addr = {0};

    hsocket_local(item->fds[0], &addr);
    if (addr.u.sa.sa_family != AF_UNIX && haddr_is_any(&addr.u.sa))
        choose_address(&addr);
    haddr_format(&addr.u.sa, addr.len, text, sizeof(text));
    if (addr.u.sa.sa_family == AF_UNIX)
        snprintf(buf, size, "%s", text);
    else
        snprintf(buf, size, "%s://%s%s/", listen_is_tls(item) ? "https" : "http", text,
                 base_url ? base_url : "");
    return buf;
}

void announce(void *master, const hmaster_generation_t *generation)
{
    const generation_t *g = generation->plan->settings;
    const hlisteners_set_t *set = generation->listeners;
    char url[URL_SIZE], print[128], pin[64];

    (void)master;
    auth_warn(g, set);
    if (g->tls && g->settings->tls_self_signed)
        hlogfile_say(&g->logs.messages, HLOG_INFO, "self-signed certificate, %s, %s",
                     htls_ctx_fingerprint(g->tls, print, sizeof(print)),
                     htls_ctx_pin(g->tls, pin, sizeof(pin)));
    for (size_t i = 0; i < set->count; i++)
        hlogfile_say(&g->logs.messages, HLOG_INFO, "serving %s on %s", g->settings->site.root_shown,
                     url_of(&set->items[i], g->settings, url, sizeof(url)));
    if (g->settings->qr && set->count > 0)
        site_show_qr(url_of(&set->items[0], g->settings, url, sizeof(url)));
}
