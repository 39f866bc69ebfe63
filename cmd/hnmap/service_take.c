/* What is made of the answers of a port, and what is reported of it. */
#include "service_int.h"

#include "base/hmem.h"
#include "base/hstr.h"
#include "base/htime.h"
#include "service_starttls.h"

#include <string.h>

bool service__is_banner(const talk_t *talk)
{
    return talk->ask.probe == PROBE_BANNER;
}

/* ---- answers --------------------------------------------------------------------------------- */

typedef struct finding_s {
    match_t match;
    bool is_soft, says_tls; /* by a pattern of the file */
} finding_t;

/* Ours. True: it tells no more. */
static bool look(const talk_t *talk, bool is_whole, match_t *match)
{
    bool is_ours = talk->ask.probe < PROBES;
    const reply_t reply = {(const uint8_t *)talk->reply.data, talk->reply.len,
                           is_ours ? (probe_e)talk->ask.probe : PROBE_NONE, is_whole};

    *match = (match_t){0};
    if (!is_ours && talk->job->is_udp) /* ours know what they have asked */
        return is_whole;
    return service_match(&reply, match) || is_whole;
}

/* With the patterns of the user's file: what one of them tells goes before what we know. */
static bool look_with_file(talk_t *talk, bool is_whole, finding_t *found)
{
    const service_file_t *file = talk->job->host->run->options.file;
    size_t number =
        talk->ask.probe < PROBES ? SERVICE_FILE_LISTENER : (size_t)talk->ask.probe - PROBES;
    bool can_match = number != SERVICE_FILE_LISTENER || !talk->job->is_udp;
    match_t ours;

    look(talk, is_whole, &ours);
    if (!can_match || (!is_whole && ++talk->looks > SERVICE_LOOKS_MAX)) {
        found->match = ours;
    } else if (service_file_match(file, number, (const uint8_t *)talk->reply.data, talk->reply.len,
                                  &found->match, &found->says_tls)) {
        found->match.wants_tls = strcmp(found->match.name, "ssl") == 0;
        return true;
    }
    found->is_soft = can_match && found->match.level != MATCH_NONE;
    if (ours.level == MATCH_VERSION && can_match)
        ours.level = MATCH_PRODUCT; /* another probe's pattern may tell it as the file has it */
    if (found->match.level < ours.level || found->match.level == MATCH_NONE)
        found->match = ours;
    return is_whole;
}

/* True: what it says counts as better than what was known. */
static bool keep(job_t *job, const finding_t *found, bool in_tls)
{
    bool is_better = found->match.level > job->best.level || (in_tls && !job->best_in_tls);
    bool is_first = job->best.level == MATCH_NONE;

    if (found->match.level == MATCH_NONE || !is_better)
        return false;
    job->best = found->match;
    job->best_in_tls = in_tls;
    job->best_says_tls = found->says_tls;
    if (is_first)
        service__job_hurry(job);
    return true;
}

/* A protocol that can go over to TLS is asked to. */
static bool ask_starttls(job_t *job, const match_t *match, bool in_tls)
{
    if (in_tls || job->has_tls || job->is_udp || job->starttls || match->level == MATCH_NONE ||
        !service_has_starttls(match->name))
        return job->starttls != NULL;
    job->starttls = match->name;
    return true;
}

static void ask_more(job_t *job, const finding_t *found, bool in_tls)
{
    const match_t *match = &found->match;

    if (match->next != PROBE_NONE && job->best.level < MATCH_VERSION)
        service__job_ask(job, match->next, in_tls);
    if (found->is_soft && job->best.level < MATCH_VERSION)
        service__job_ask_tellers(job, match->name, in_tls);
    if (match->wants_tls && !in_tls)
        service__job_ask(job, PROBE_TLS, false);
}

/* Who answers a datagram is there, whatever it says. */
static void is_open(job_t *job)
{
    job->port->state = PORT_OPEN;
    if (job->port->reason != REASON_UDP_RESPONSE) {
        job->port->reason = REASON_UDP_RESPONSE;
        job->port->ttl = 0; /* not told to us */
    }
}

bool service__take(job_t *job, talk_t *talk, bool is_whole)
{
    bool in_tls = talk->ask.in_tls, is_done, has_starttls;
    finding_t found = {0};

    job->has_data = true;
    if (job->is_udp)
        is_open(job);
    if (!job->host->run->options.versions)
        return memchr(talk->reply.data, '\n', talk->reply.len) != NULL;
    is_done = job->host->run->options.file ? look_with_file(talk, is_whole, &found)
                                           : look(talk, is_whole, &found.match);
    if (!is_done || (job->has_tls && !in_tls))
        return is_done;
    if (keep(job, &found, in_tls))
        service__trace(talk, "is %s %s %s", job->best.name, job->best.product, job->best.version);
    ask_more(job, &found, in_tls);
    has_starttls = ask_starttls(job, &job->best, in_tls);
    if (job->best.level == MATCH_VERSION && !(found.match.wants_tls && !in_tls)) {
        job->is_final = !has_starttls;
        service__job_give_up_rest(job, talk);
    }
    if (has_starttls)
        service__job_ask(job, PROBE_STARTTLS, false);
    return true;
}

/* Who ends a connection before anything was said, and soon enough. */
static bool is_wrapped(const job_t *job, const talk_t *talk)
{
    const service_file_t *file = job->host->run->options.file;
    const file_probe_t *listener = file ? service_file_listener(file) : NULL;
    uint64_t ms = (htime_monotonic_us() - talk->begin_us) / 1000;

    return listener == NULL || listener->wrapped_ms == 0 || ms < listener->wrapped_ms;
}

void service__talk_ended(job_t *job, talk_t *talk, bool by_peer)
{
    bool is_asked = talk->ask.probe != PROBE_STARTTLS && !job->is_udp;

    if (talk->reply.len > 0 && is_asked)
        service__take(job, talk, true);
    else if (by_peer && talk->is_connected && service__is_banner(talk) && !talk->ask.in_tls &&
             is_wrapped(job, talk))
        job->is_closed_at_once = true;
    if (service__is_banner(talk) && job->banner.len == 0) {
        hbytes_deinit(&job->banner);
        job->banner = talk->reply;
        talk->reply = (hbytes_t){0};
    }
    service__talk_free(talk);
}

/* ---- the report ------------------------------------------------------------------------------ */

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

void service__report(job_t *job)
{
    const service_options_t *options = &job->host->run->options;
    service_t *service;

    if (job->port->state != PORT_OPEN) /* nobody has answered: what there is is not known */
        return;
    if (!options->versions && (!options->banners || job->banner.len == 0))
        return;
    service = options->versions ? what_was_found(job) : hmem_zalloc(sizeof(*service));
    if (service == NULL) {
        service__short(job->host->run);
        return;
    }
    service->is_tls = job->has_tls || job->best_says_tls;
    if (job->tls[0] != '\0')
        service->tls = hmem_strdup(job->tls);
    if (options->banners)
        service->banner = banner_of(job);
    service_free(job->port->service);
    job->port->service = service;
}
