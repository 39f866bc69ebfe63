/* One port: what is asked, and in which order. */
#include "service_int.h"

#include "base/hmem.h"
#include "base/hstr.h"

#include <netinet/in.h>
#include <string.h>

#define GRACE_MS 400 /* for a better answer, once there is one; and 2 RTT */

uint64_t service__rtt_ms(const job_t *job, unsigned times)
{
    uint64_t ms = job->host->result->srtt_us * times / 1000;

    return ms < 5000 ? ms : 5000;
}

/* ---- what is to be asked --------------------------------------------------------------------- */

void service__job_ask(job_t *job, unsigned probe, bool in_tls)
{
    uint64_t *asked = &job->asked[in_tls][probe / 64];

    if ((*asked & UINT64_C(1) << probe % 64) || job->queue_end == SERVICE_QUEUE_MAX)
        return;
    *asked |= UINT64_C(1) << probe % 64;
    job->queue[job->queue_end++] = (ask_t){(uint16_t)probe, in_tls};
}

/* Those of the user's file. */
static void ask_file(job_t *job, bool in_tls, bool likely_only)
{
    const service_options_t *options = &job->host->run->options;
    uint16_t order[SERVICE_FILE_PROBES_MAX];
    size_t likely, count;

    if (options->file == NULL)
        return;
    count = service_file_probes_for(options->file, job->port->protocol, job->port->number,
                                    options->intensity, order, &likely);
    for (size_t i = 0; i < (likely_only ? likely : count); i++)
        service__job_ask(job, PROBES + order[i], in_tls);
}

static void ask_probes(job_t *job, bool in_tls, bool likely_only)
{
    unsigned intensity = job->host->run->options.intensity;
    probe_e order[PROBES];
    size_t likely, count;

    if (likely_only)
        ask_file(job, in_tls, true);
    count = service_probes_for(job->port->protocol, job->port->number, intensity, in_tls, order,
                               &likely);
    for (size_t i = 0; i < (likely_only ? likely : count); i++)
        service__job_ask(job, order[i], in_tls);
    if (!likely_only)
        ask_file(job, in_tls, false);
}

void service__job_ask_tellers(job_t *job, const char *name, bool in_tls)
{
    const service_options_t *options = &job->host->run->options;

    for (size_t i = 0; i < service_file_count(options->file); i++) {
        const file_probe_t *probe = service_file_probe(options->file, i);

        if (probe->protocol == job->port->protocol && probe->len > 0 &&
            probe->rarity <= options->intensity && service_file_tells(options->file, i, name))
            service__job_ask(job, PROBES + (unsigned)i, in_tls);
    }
}

static void on_step(htimer_t *timer)
{
    job_t *job = hevent_userdata(timer);

    job->timer = NULL;
    job->is_waiting = false;
    service__advance(job->host->run);
}

static void wait_for_step(job_t *job, uint64_t ms)
{
    htimer_del(job->timer);
    job->timer =
        htimer_add(job->host->run->loop, on_step, (uint32_t)(ms + service__rtt_ms(job, 3)), 1);
    job->is_waiting = job->timer != NULL;
    if (job->timer)
        hevent_set_userdata(job->timer, job);
    else
        service__short(job->host->run);
}

/* What comes next when what was asked so far has brought nothing. */
static void next_step(job_t *job)
{
    if (job->step == JOB_BANNER) {
        job->step = JOB_LIKELY;
        ask_probes(job, false, true);
        wait_for_step(job, SERVICE_NEXT_MS);
    } else if (job->step == JOB_LIKELY) {
        job->step = JOB_ALL;
        ask_probes(job, job->has_tls, false);
    }
}

static bool has_nothing_under_way(const job_t *job)
{
    return job->talk_count == 0 && job->queue_at == job->queue_end;
}

/* Descriptors come back when talks end; those of talks that are over do so only at the end of the
 * loop's turn, and others of this process hold some too. */
static bool may_wait(service_run_t *run)
{
    if (run->talk_count == 0 && run->tries >= SERVICE_TRIES_MAX)
        return false;
    service__short(run);
    return true;
}

void service__job_go(job_t *job)
{
    service_run_t *run = job->host->run;
    bool is_known = job->best.level != MATCH_NONE || !run->options.versions;

    if (!job->is_final && !is_known && (!job->is_waiting || has_nothing_under_way(job)))
        next_step(job);
    while (!job->is_final && job->queue_at < job->queue_end &&
           job->talk_count < SERVICE_PORT_OPEN_MAX && run->talk_count < SERVICE_OPEN_MAX) {
        talk_status_e status = service__talk_begin(job, job->queue[job->queue_at]);

        if (status == TALK_LATER && may_wait(run))
            return;
        job->queue_at++;
    }
}

bool service__job_is_over(const job_t *job)
{
    if (!has_nothing_under_way(job))
        return job->is_final && job->talk_count == 0;
    return job->is_final || job->best.level != MATCH_NONE || job->step == JOB_ALL ||
           !job->host->run->options.versions;
}

/* ---- what answers change -------------------------------------------------------------------- */

/* What was not begun may be asked again. */
static void drop_queue(job_t *job)
{
    while (job->queue_end > job->queue_at) {
        ask_t ask = job->queue[--job->queue_end];

        job->asked[ask.in_tls][ask.probe / 64] &= ~(UINT64_C(1) << ask.probe % 64);
    }
}

void service__job_give_up_rest(job_t *job, const talk_t *but)
{
    bool keeps_banner = job->host->run->options.banners;
    hlist_t *pos, *next;

    drop_queue(job);
    HLIST_FOREACH (pos, next, &job->talks) {
        talk_t *talk = HLIST_ENTRY(pos, talk_t, node);

        if (talk != but && !(keeps_banner && service__is_banner(talk)) &&
            talk->ask.probe != PROBE_STARTTLS)
            service__talk_free(talk);
    }
}

void service__job_hurry(job_t *job)
{
    hlist_t *pos, *next;

    drop_queue(job);
    HLIST_FOREACH (pos, next, &job->talks) {
        talk_t *talk = HLIST_ENTRY(pos, talk_t, node);

        if (!talk->has_begun && talk->ask.probe != PROBE_TLS && talk->ask.probe != PROBE_STARTTLS)
            service__talk_hurry(talk, GRACE_MS + service__rtt_ms(job, 2));
    }
}

void service__job_has_tls(job_t *job, const char *text)
{
    if (job->has_tls)
        return;
    job->has_tls = true;
    hstr_copy(job->tls, sizeof(job->tls), text);
    drop_queue(job); /* what was said outside of it counts no more */
    if (!job->best_in_tls)
        job->best = (match_t){0};
    job->step = JOB_ALL;
    if (text[0] == '\0' || !job->host->run->options.versions)
        return;
    /* The talk that TLS was found with goes on with the first of these. */
    job->step = JOB_LIKELY;
    ask_probes(job, true, true);
    wait_for_step(job, SERVICE_NEXT_MS);
}

/* ---- the beginning and the end --------------------------------------------------------------- */

job_t *service__job_new(service_host_t *host, port_result_t *port)
{
    job_t *job = hmem_zalloc(sizeof(*job));

    if (job == NULL)
        return NULL;
    job->host = host;
    job->port = port;
    hlist_init(&job->talks);
    hlist_push_back(&host->jobs, &job->node);
    host->job_count++;
    host->run->job_count++;
    job->is_udp = port->protocol == IPPROTO_UDP;
    if (!job->is_udp)
        service__job_ask(job, PROBE_BANNER, false);
    if (!host->run->options.versions || job->is_udp)
        return job;
    if (service_speaks_first(port->number) && !service_is_tls_port(port->number))
        wait_for_step(job, SERVICE_LISTEN_MS);
    return job;
}

void service__job_end(job_t *job)
{
    hlist_t *pos, *next;

    HLIST_FOREACH (pos, next, &job->talks)
        service__talk_free(HLIST_ENTRY(pos, talk_t, node));
    htimer_del(job->timer);
    service__report(job);
    hbytes_deinit(&job->banner);
    hlist_remove(&job->node);
    job->host->job_count--;
    job->host->run->job_count--;
    hmem_free(job);
}
