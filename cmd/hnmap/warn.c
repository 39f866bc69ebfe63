/* What a user should know about a scan beside its results, each once and to standard error: how
 * large it is, what seems too good to be true, what was lost on this machine. */
#include "scan_int.h"

#include "base/htime.h"
#include "size.h"

#include <stdio.h>

#define DROPS_US 1000 /* they are asked for once in this time: a system call for each interface */

static void tell(scan_t *s, hbytes_t *text, int err)
{
    if (err < 0)
        scan__out_of_memory(s);
    if (err > 0 && s->plan.run.round <= 1) { /* once, not in every round */
        view_clear(s->view);
        fprintf(stderr, "hnmap: %s\n", text->data);
    }
    hbytes_deinit(text);
}

/* ---- how large ------------------------------------------------------------------------------- */

static const char *unit_of(const plan_t *plan)
{
    if (!plan->is_raw)
        return plan->by_ping ? "packets and connections" : "connections";
    return plan->by_connect && !plan->run.pings_only ? "packets and connections" : "packets";
}

void scan__tell_size(scan_t *s)
{
    const plan_t *plan = &s->plan;
    bool has_ports = !plan->run.pings_only;
    bool has_pings = (plan->options->pings & PING_NONE) == 0;
    uint64_t hosts = scan__scanning_max(s);
    size_question_t q = {
        .what = unit_of(plan),
        .pings = {.pace = &plan->paces[PACE_PINGS], .hosts_max = SCAN_HOSTS_MAX},
        .tcp = {.pace = &plan->paces[PACE_TCP], .hosts_max = hosts},
        .udp = {.pace = &plan->paces[PACE_UDP], .hosts_max = hosts},
    };
    hbytes_t text = {0};
    int err;

    if (plan->run.lists_only)
        return;
    q.addresses = size_of_walk(&plan->cursor, &q.is_private);
    if (q.addresses <= SIZE_QUIET_MAX && q.is_private)
        return;
    if (has_pings)
        q.pings.count = plan->is_raw ? plan->ping_count : plan->ping_ports.count + plan->by_ping;
    if (has_ports) {
        q.tcp.count = plan->ports.tcp.count;
        q.udp.count = plan->ports.udp.count;
    }
    err = size_write(&text, &q);
    tell(s, &text, err < 0 ? err : 1);
}

/* ---- too good to be true --------------------------------------------------------------------- */

void scan__warn_ports(scan_t *s, const host_t *host)
{
    hbytes_t text = {0};
    int err = strange_ports(&s->warn.strange, &host->result.addr, host->outcomes,
                            host->outcome_count, &text);

    tell(s, &text, err);
}

void scan__warn_host(scan_t *s, const host_t *host)
{
    hbytes_t text = {0};
    haddr_t router;
    bool has_router = s->raw && raw_router(&host->path, &router);
    int err = strange_host(&s->warn.strange, &host->result, has_router ? &router : NULL, &text);

    s->warn.unasked += host->result.is_unasked;
    tell(s, &text, err);
}

/* ---- lost here ------------------------------------------------------------------------------- */

void scan__watch_drops(scan_t *s, uint64_t now)
{
    warn_t *w = &s->warn;
    uint64_t dropped;

    if (s->raw == NULL || now < w->drops_us + DROPS_US)
        return;
    w->drops_us = now;
    dropped = raw_dropped(s->raw);
    for (int i = 0; i < PLAN_PACES && dropped > w->dropped_now; i++)
        engine_missed(s->engines[i]);
    w->dropped += dropped > w->dropped_now ? dropped - w->dropped_now : 0;
    w->dropped_now = dropped; /* less than before: it was opened anew */
}

void scan__warn_sockets(scan_t *s, unsigned wanted)
{
    const plan_t *plan = &s->plan;
    unsigned room = connect_room(s->connects);
    uint64_t count = plan->run.pings_only ? plan->ping_ports.count : plan->ports.tcp.count;
    uint64_t addresses = plan->cursor.count;

    if (s->warn.told_sockets || room >= wanted || count == 0 || addresses <= room / count)
        return; /* a few are never missed */
    s->warn.told_sockets = true;
    fprintf(stderr,
            "hnmap: only %u sockets may be open at once (limit of open files; see ulimit -n): it "
            "takes longer, and misses nothing\n",
            room);
}

/* ---- the end --------------------------------------------------------------------------------- */

void scan__warn_end(scan_t *s)
{
    hbytes_t text = {0};
    int err = strange_end(&s->warn.strange, &text);

    tell(s, &text, err);
    if (s->warn.unasked > 1 &&
        s->plan.run.round == 0) /* else scan__judge_round tells of each round */
        fprintf(stderr, "hnmap: %llu hosts could not be asked, or not all that was to be\n",
                (unsigned long long)s->warn.unasked);
    if (s->warn.dropped > 0)
        fprintf(stderr,
                "hnmap: %llu packets came faster than they could be looked at and were lost on "
                "this machine; what they may have answered was asked again. --max-rate, or fewer "
                "other programs, makes it rarer\n",
                (unsigned long long)s->warn.dropped);
    s->warn.dropped = 0; /* the next round tells of its own */
}
