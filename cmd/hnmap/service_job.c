/* One port: what is asked, in which order, and what is made of the answers. */
#include "service_int.h"

#include "base/hmem.h"
#include "base/hstr.h"

#include <string.h>

#define GRACE_MS 400 /* for a better answer, once there is one; and 2 RTT */

uint64_t service__rtt_ms(const job_t *job, unsigned times)
{
    uint64_t ms = job->host->result->srtt_us * times / 1000;

    return ms < 5000 ? ms : 5000;
}

/* ---- what is to be asked --------------------------------------------------------------------- */

static void ask(job_t *job, probe_e probe, bool in_tls)
{
    uint64_t *asked = in_tls ? &job->asked_in_tls : &job->asked;

    if ((*asked & UINT64_C(1) << probe) || job->queue_end == SERVICE_QUEUE_MAX)
        return;
    *asked |= UINT64_C(1) << probe;
    job->queue[job->queue_end++] = (ask_t){probe, in_tls};
}

static void ask_probes(job_t *job, bool in_tls, bool likely_only)
{
    unsigned intensity = job->host->run->options.intensity;
    probe_e order[PROBES];
    size_t likely, count;

    count = service_probes_for(job->port->number, intensity, in_tls, order, &likely);
    for (size_t i = 0; i < count && (!likely_only || i < likely); i++)
        ask(job, order[i], in_tls);
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

/* ---- what is made of the answers ------------------------------------------------------------- */

static bool is_banner(const talk_t *talk)
{
    return talk->ask.probe == PROBE_BANNER;
}

/* Ends the talks that are of no more use; a banner that is wanted is waited for. */
static void give_up_rest(job_t *job, const talk_t *but)
{
    bool keeps_banner = job->host->run->options.banners;
    hlist_t *pos, *next;

    job->queue_at = job->queue_end;
    HLIST_FOREACH (pos, next, &job->talks) {
        talk_t *talk = HLIST_ENTRY(pos, talk_t, node);

        if (talk != but && !(keeps_banner && is_banner(talk)))
            service__talk_free(talk);
    }
}

/* There is an answer: a better one has to come soon. */
static void hurry(job_t *job)
{
    hlist_t *pos, *next;

    job->queue_at = job->queue_end;
    HLIST_FOREACH (pos, next, &job->talks) {
        talk_t *talk = HLIST_ENTRY(pos, talk_t, node);

        if (!talk->has_begun && talk->ask.probe != PROBE_TLS)
            service__talk_hurry(talk, GRACE_MS + service__rtt_ms(job, 2));
    }
}

bool service__job_take(job_t *job, const talk_t *talk, bool is_whole)
{
    const reply_t reply = {(const uint8_t *)talk->reply.data, talk->reply.len, talk->ask.probe,
                           is_whole};
    bool in_tls = talk->ask.in_tls, is_done, is_better;
    match_t match;

    job->has_data = true;
    if (!job->host->run->options.versions)
        return memchr(talk->reply.data, '\n', talk->reply.len) != NULL;
    is_done = service_match(&reply, &match) || is_whole;
    if (!is_done || (job->has_tls && !in_tls))
        return is_done;
    is_better = match.level > job->best.level || (in_tls && !job->best_in_tls);
    if (match.level != MATCH_NONE && is_better) {
        bool is_first = job->best.level == MATCH_NONE;

        job->best = match;
        job->best_in_tls = in_tls;
        if (is_first)
            hurry(job);
    }
    if (match.next != PROBE_NONE && job->best.level < MATCH_VERSION)
        ask(job, match.next, in_tls);
    if (match.wants_tls && !in_tls)
        ask(job, PROBE_TLS, false);
    if (job->best.level == MATCH_VERSION && !(match.wants_tls && !in_tls)) {
        job->is_final = true;
        give_up_rest(job, talk);
    }
    return true;
}

void service__job_has_tls(job_t *job, const char *text)
{
    if (job->has_tls)
        return;
    job->has_tls = true;
    hstr_copy(job->tls, sizeof(job->tls), text);
    job->queue_at = job->queue_end; /* what was said outside of it counts no more */
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

void service__job_talk_ended(job_t *job, talk_t *talk, bool by_peer)
{
    if (talk->reply.len > 0)
        service__job_take(job, talk, true);
    else if (by_peer && talk->is_connected && is_banner(talk) && !talk->ask.in_tls)
        job->is_closed_at_once = true;
    if (is_banner(talk) && job->banner.len == 0) {
        hbytes_deinit(&job->banner);
        job->banner = talk->reply;
        talk->reply = (hbytes_t){0};
    }
    service__talk_free(talk);
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
    ask(job, PROBE_BANNER, false);
    if (!host->run->options.versions)
        return job;
    if (service_speaks_first(port->number) && !service_is_tls_port(port->number))
        wait_for_step(job, SERVICE_LISTEN_MS);
    return job;
}

static service_t *what_was_found(const job_t *job)
{
    const char *usual = job->port->usual;
    service_t *service;
    match_t none = {.name = usual};

    if (job->best.level != MATCH_NONE)
        return service_of(&job->best);
    if (job->is_closed_at_once && !job->has_data && !job->has_tls)
        none.name = "tcpwrapped";
    else if (job->has_tls && usual == NULL)
        none.name = "unknown";
    service = service_of(&none);
    if (service)
        service->confidence = none.name == usual ? 3 : 8;
    return service;
}

/* Its first line, or what there is of it. */
static char *banner_of(const job_t *job)
{
    size_t len = job->banner.len < SERVICE_BANNER_MAX ? job->banner.len : SERVICE_BANNER_MAX;
    char text[4 * SERVICE_BANNER_MAX + 1];

    while (len > 0 && strchr("\r\n", job->banner.data[len - 1]) && job->banner.data[len - 1])
        len--;
    if (len == 0)
        return NULL;
    hstr_escape(text, sizeof(text), job->banner.data, len);
    return hmem_strdup(text);
}

static void report(job_t *job)
{
    const service_options_t *options = &job->host->run->options;
    service_t *service;

    if (!options->versions && (!options->banners || job->banner.len == 0))
        return;
    service = options->versions ? what_was_found(job) : hmem_zalloc(sizeof(*service));
    if (service == NULL) {
        service__short(job->host->run);
        return;
    }
    service->is_tls = job->has_tls;
    if (job->tls[0] != '\0')
        service->tls = hmem_strdup(job->tls);
    if (options->banners)
        service->banner = banner_of(job);
    service_free(job->port->service);
    job->port->service = service;
}

void service__job_end(job_t *job)
{
    hlist_t *pos, *next;

    HLIST_FOREACH (pos, next, &job->talks)
        service__talk_free(HLIST_ENTRY(pos, talk_t, node));
    htimer_del(job->timer);
    report(job);
    hbytes_deinit(&job->banner);
    hlist_remove(&job->node);
    job->host->job_count--;
    job->host->run->job_count--;
    hmem_free(job);
}
