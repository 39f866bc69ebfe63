/* Hosts and their ports, as many at the same time as there is room for. */
#include "service_int.h"

#include "base/hmem.h"
#include "base/hstr.h"

#include <netinet/in.h>
#include <string.h>

static bool is_wanted(const service_options_t *options, const port_result_t *port)
{
    bool is_udp = port->protocol == IPPROTO_UDP;

    if (port->state != PORT_OPEN && !(is_udp && port->state == PORT_OPEN_FILTERED))
        return false;
    if (is_udp && !options->versions) /* there is no banner */
        return false;
    if (options->all_ports)
        return true;
    return (is_udp || !service_is_printer(port->number)) &&
           (options->file == NULL ||
            !service_file_excludes(options->file, port->protocol, port->number));
}

bool service_is_wanted(const service_run_t *run, const host_result_t *result)
{
    for (size_t i = 0; i < result->port_count; i++)
        if (is_wanted(&run->options, &result->ports[i]))
            return true;
    return false;
}

/* ---- the flow -------------------------------------------------------------------------------- */

static void begin_jobs(service_host_t *host)
{
    service_run_t *run = host->run;

    while (run->job_count < SERVICE_JOBS_MAX && host->next < host->result->port_count) {
        port_result_t *port = &host->result->ports[host->next];

        if (is_wanted(&run->options, port) && service__job_new(host, port) == NULL) {
            service__short(run);
            if (run->job_count > 0)
                return; /* when there is memory again */
        }
        host->next++;
    }
}

static void go_on(service_host_t *host)
{
    hlist_t *pos, *next;

    HLIST_FOREACH (pos, next, &host->jobs) {
        job_t *job = HLIST_ENTRY(pos, job_t, node);

        service__job_go(job);
        if (service__job_is_over(job))
            service__job_end(job);
    }
}

static void free_host(service_host_t *host)
{
    hlist_t *pos, *next;

    HLIST_FOREACH (pos, next, &host->jobs)
        service__job_end(HLIST_ENTRY(pos, job_t, node));
    hlist_remove(&host->node);
    hmem_free(host);
}

static void on_timer(htimer_t *timer)
{
    service_run_t *run = hevent_userdata(timer);

    run->timer = NULL;
    run->tries = run->talk_count == 0 ? run->tries + 1 : 0;
    service__advance(run);
}

/* What was asked for when there was no room is asked for again. */
static void come_back(service_run_t *run, uint32_t ms)
{
    if (run->timer)
        return;
    run->timer = htimer_add(run->loop, on_timer, ms, 1);
    if (run->timer)
        hevent_set_userdata(run->timer, run);
}

void service__short(service_run_t *run)
{
    run->is_short = true;
}

void service__advance(service_run_t *run)
{
    hlist_t *pos, *next;

    HLIST_FOREACH (pos, next, &run->hosts) {
        service_host_t *host = HLIST_ENTRY(pos, service_host_t, node);
        size_t before;

        do { /* a job that is over makes room for another one */
            before = host->next;
            begin_jobs(host);
            go_on(host);
        } while (host->next > before && host->next < host->result->port_count);
        if (host->job_count == 0 && host->next == host->result->port_count) {
            void *user = host->user;

            free_host(host);
            run->done(run->context, user);
        }
    }
    if (run->is_short || (!hlist_empty(&run->hosts) && run->talk_count == 0))
        come_back(run, SERVICE_RETRY_MS);
    run->is_short = false;
}

/* ---- the run --------------------------------------------------------------------------------- */

int service_run_new(hloop_t *loop, const service_options_t *options, service_done_cb done,
                    void *context, service_run_t **run)
{
    service_run_t *r = hmem_zalloc(sizeof(*r));

    if (r == NULL)
        return -ENOMEM;
    r->loop = loop;
    r->options = *options;
    r->done = done;
    r->context = context;
    hlist_init(&r->hosts);
    if (options->versions)
        service__tls(r, false); /* its library is loaded while there are descriptors */
    *run = r;
    return 0;
}

void service_run_free(service_run_t *run)
{
    hlist_t *pos, *next;

    if (run == NULL)
        return;
    HLIST_FOREACH (pos, next, &run->hosts)
        free_host(HLIST_ENTRY(pos, service_host_t, node));
    htimer_del(run->timer);
    htls_ctx_free(run->tls);
    htls_ctx_free(run->tls_http);
    hmem_free(run);
}

int service_run_add(service_run_t *run, host_result_t *result, void *user, service_host_t **host)
{
    service_host_t *h = hmem_zalloc(sizeof(*h));

    if (h == NULL)
        return -ENOMEM;
    h->run = run;
    h->result = result;
    h->user = user;
    hlist_init(&h->jobs);
    if (result->asked)
        hstr_copy(h->name, sizeof(h->name), result->asked);
    else
        haddr_ip(&result->addr.u.sa, h->name, sizeof(h->name));
    hlist_push_back(&run->hosts, &h->node);
    htimer_del(run->timer);
    run->timer = NULL;
    come_back(run, 1);
    if (run->timer == NULL) {
        free_host(h);
        return -ENOMEM;
    }
    *host = h;
    return 0;
}

void service_cancel(service_host_t *host)
{
    if (host)
        free_host(host);
}
