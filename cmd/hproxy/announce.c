/* announce: what a proxy says when it begins. */
#include "master.h"

#include <stdio.h>
#include <string.h>

#define TARGETS_SHOWN 3
#define URL_SIZE (HADDR_FORMAT_SIZE + 16)

/* The end point with the port that the kernel chose. */
static const char *url_of(const hlisteners_item_t *item, hendpoint_scheme_e scheme, char *buf,
                          size_t size)
{
    char text[HADDR_FORMAT_SIZE];
    haddr_t addr = {0};

    hsocket_local(item->fds[0], &addr);
    haddr_format(&addr.u.sa, addr.len, text, sizeof(text));
    if (addr.u.sa.sa_family == AF_UNIX)
        snprintf(buf, size, "%s%s", item->datagram ? "unixgram:" : "unix:",
                 strncmp(text, "unix:", 5) == 0 ? text + 5 : text);
    else
        snprintf(buf, size, "%s%s",
                 scheme == HENDPOINT_TLS ? "tls://"
                 : item->datagram        ? "udp://"
                                         : "",
                 text);
    return buf;
}

static void append_targets(const service_settings_t *service, hbytes_t *text)
{
    size_t n = 0;

    for (const target_settings_t *t = service->targets; t; t = t->next, n++) {
        if (n < TARGETS_SHOWN)
            hbytes_printf(text, "%s%s", n > 0 ? ", " : " to ", t->text);
    }
    if (n > TARGETS_SHOWN)
        hbytes_printf(text, " and %zu more", n - TARGETS_SHOWN);
    if (service->forward.socks || service->forward.http)
        hbytes_printf(text, " for %s%s%s", service->forward.socks ? "SOCKS" : "",
                      service->forward.socks && service->forward.http ? " and " : "",
                      service->forward.http ? "HTTP" : "");
}

static void say_certificate(const generation_t *g)
{
    char print[128], pin[64];

    for (const service_settings_t *s = g->settings->services; s; s = s->next) {
        if (!s->tls.self_signed || !s->tls_ctx)
            continue;
        hlogfile_say(&g->logs.messages, HLOG_INFO, "self-signed certificate, %s, %s",
                     htls_ctx_fingerprint(s->tls_ctx, print, sizeof(print)),
                     htls_ctx_pin(s->tls_ctx, pin, sizeof(pin)));
        return;
    }
}

void announce(void *master, const hmaster_generation_t *generation)
{
    const generation_t *g = generation->plan->settings;
    char url[URL_SIZE];

    (void)master;
    say_certificate(g);
    for (size_t i = 0; i < generation->listeners->count; i++) {
        const hlisteners_item_t *item = &generation->listeners->items[i];
        const way_t *way = master_way(g, item);
        const service_settings_t *service = way->service;
        hbytes_t text = {0};

        if (!service) {
            url_of(item, HENDPOINT_TCP, url, sizeof(url));
            hlogfile_say(&g->logs.messages, HLOG_INFO, "status on %s%s",
                         strchr(url, '/') ? "" : "http://", url);
            continue;
        }
        url_of(item, way->listen->endpoint.scheme, url, sizeof(url));
        if (service != &g->settings->command)
            hbytes_printf(&text, " as %s", service->name);
        append_targets(service, &text);
        hlogfile_say(&g->logs.messages, HLOG_INFO, "serving %s%s", url, text.data ? text.data : "");
        hbytes_deinit(&text);
    }
}
