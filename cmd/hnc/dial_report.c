#include "dial_int.h"

#include <netdb.h>
#include <stdio.h>
#include <string.h>

#define LABEL_SIZE 320

/* "localhost (127.0.0.1)", or only what was asked for when that is the address. */
static const char *label(const dial_t *d, const haddr_t *addr, char *buf, size_t size)
{
    char ip[HADDR_FORMAT_SIZE];
    const char *host = d->hnc->options.host;

    haddr_ip(&addr->u.sa, ip, sizeof(ip));
    if (d->proxies.count > 0 || strcmp(host, ip) == 0 || ip[0] == '\0')
        snprintf(buf, size, "%s", host);
    else
        snprintf(buf, size, "%s (%s)", host, ip);
    return buf;
}

unsigned dial__port(const dial_t *d)
{
    return d->ports.items ? d->ports.items[d->port_index] : 0;
}

/* While --wait waits failures are expected, and the last one is told at its end. */
static bool waits(const dial_t *d)
{
    return retry_time_left_ms(&d->retry) != INT32_MAX;
}

/* With -z, closed is an answer: as with --wait only -v tells it. That something could not be tried
 * is another matter. */
bool dial__is_quiet(const dial_t *d, int err)
{
    const options_t *o = &d->hnc->options;

    return ((o->zero_io && !o->unix_path) || waits(d)) && !o->verbose && err != -ENOMEM &&
           err != -EMFILE && err != -ENFILE;
}

void dial__report_failure(const dial_t *d, const haddr_t *addr, int err)
{
    const options_t *o = &d->hnc->options;
    char name[LABEL_SIZE];

    if (dial__is_quiet(d, err))
        return;
    if (o->unix_path) {
        hnc_say("%s: %s", o->host, herr_str(err));
        return;
    }
    label(d, addr, name, sizeof(name));
    if (err == -ETIMEDOUT)
        hnc_say("connect to %s port %u (%s) timed out: %s", name, dial__port(d), hnc_proto(o),
                herr_str(-EINPROGRESS));
    else
        hnc_say("connect to %s port %u (%s) failed: %s", name, dial__port(d), hnc_proto(o),
                herr_str(err));
}

void dial__report_success(const dial_t *d)
{
    const options_t *o = &d->hnc->options;
    struct servent *service = NULL;
    char name[LABEL_SIZE];
    unsigned port;

    if (!o->verbose || o->unix_path)
        return;
    port = dial__port(d);
    if (!o->numeric)
        service = getservbyport(htons((uint16_t)port), hnc_proto(o));
    hnc_note(d->hnc, "Connection to %s %u port [%s/%s] succeeded!",
             label(d, &d->addr, name, sizeof(name)), port, hnc_proto(o),
             service ? service->s_name : "*");
}

void dial__report_bound(const dial_t *d, hio_t *io)
{
    const options_t *o = &d->hnc->options;
    char name[HADDR_FORMAT_SIZE];
    haddr_t local;

    if (o->unix_path && o->udp && o->verbose && hsocket_local(hio_fd(io), &local) == 0)
        hnc_note(d->hnc, "Bound on %s", haddr_ip(&local.u.sa, name, sizeof(name)));
}

void dial__report_unresolved(const dial_t *d, int err, const char *why)
{
    const options_t *o = &d->hnc->options;
    haddr_t addr;

    if (waits(d) && !o->verbose)
        return;
    if (err == HERR_RESOLVE)
        why = gai_strerror(haddr_parse(&addr, o->host, 0) == 0 ? EAI_ADDRFAMILY : EAI_NONAME);
    hnc_say("getaddrinfo for host \"%s\" port %s: %s", o->host, o->ports[0], why);
}

bool dial__is_bind_error(const dial_t *d, int err)
{
    return d->socket.source && (d->hnc->options.source_addr || d->hnc->options.source_port) &&
           (err == -EADDRINUSE || err == -EADDRNOTAVAIL || err == -EACCES);
}

void dial__report_source(const dial_t *d, int err)
{
    const options_t *o = &d->hnc->options;

    hnc_say("bind to %s%s%s failed: %s", o->source_addr ? o->source_addr : "port ",
            o->source_addr && o->source_port ? " port " : "", o->source_port ? o->source_port : "",
            herr_str(err));
}
