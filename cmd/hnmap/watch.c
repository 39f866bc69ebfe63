/* --watch: rounds of the same scan, from start to start. The first one is reported as any scan is;
 * those after it tell what has changed since the one before, and replace the files. Names are asked
 * for anew, and so are sockets, so that a round that cannot be done is followed by others. */
#include "scan_int.h"

#include "base/htime.h"
#include "output_text.h"

#include <inttypes.h>
#include <stdio.h>

static void on_change(void *context, const change_t *change)
{
    scan_t *s = context;
    change_t dated = *change;

    dated.time = time(NULL);
    view_clear(s->view);
    scan__heard(s, output_change(s->output, &s->plan.run, &dated));
}

bool scan__compare(scan_t *s, const host_result_t *host)
{
    size_t before;
    int err;

    if (s->diff == NULL)
        return false;
    before = diff_count(s->diff);
    err = diff_host(s->diff, host);
    if (s->plan.run.round > 0) {
        int kept = diff_keep(s->diff, host);

        err = err == 0 ? kept : err;
    }
    if (err < 0)
        scan__out_of_memory(s);
    s->unasked += host->is_unasked;
    return diff_count(s->diff) > before;
}

/* ---- the end of a round ---------------------------------------------------------------------- */

/* A round in which nothing could be asked is none. */
void scan__judge_round(scan_t *s)
{
    run_t *run = &s->plan.run;

    if (run->round == 0 || s->unasked == 0)
        return;
    view_clear(s->view);
    fprintf(stderr,
            "hnmap: round %" PRIu64 ": %" PRIu64 " of %" PRIu64
            " hosts could not be asked; they are taken to be as before\n",
            run->round, s->unasked, run->total);
    if (s->unasked >= run->total && run->error == NULL)
        run->error = "no host could be asked";
}

static void tell_round(scan_t *s)
{
    const run_t *run = &s->plan.run;

    if (run->error || s->status != 0)
        fprintf(stderr, "hnmap: round %" PRIu64 " was not done to its end; the next one is tried\n",
                run->round);
    else if (run->round > 1)
        view_say(s->view, "Round %" PRIu64 ": %" PRIu64 " of %" PRIu64 " hosts up, %zu change%s",
                 run->round, run->up, run->total, diff_count(s->diff),
                 diff_count(s->diff) == 1 ? "" : "s");
}

/* ---- between two ----------------------------------------------------------------------------- */

static void on_due(htimer_t *timer)
{
    scan_t *s = hevent_userdata(timer);

    s->timer = NULL;
    hloop_stop(s->loop);
}

/* False: it is over instead. */
static bool wait_for_next(scan_t *s)
{
    uint64_t now = htime_monotonic_us();
    uint64_t left_us = 0;

    s->next_us = s->round_us + (uint64_t)s->plan.options->output.watch_ms * 1000;
    if (s->next_us > now)
        left_us = s->next_us - now;
    s->timer = htimer_add(s->loop, on_due, (uint32_t)(left_us / 1000) + 1, 1);
    if (s->timer == NULL) {
        scan__out_of_memory(s);
        return false;
    }
    hevent_set_userdata(s->timer, s);
    while (s->timer && s->status <= 128)
        if (hloop_run(s->loop) < 0)
            return false;
    htimer_del(s->timer);
    s->timer = NULL;
    return s->status <= 128;
}

/* ---- the next one ---------------------------------------------------------------------------- */

static void forget_round(scan_t *s)
{
    run_t *run = &s->plan.run;

    scan__close_round(s);
    run->up = run->down = run->total = 0;
    run->error = NULL;
    s->host_count = s->scanning = s->looking = 0;
    s->exhausted = s->interrupted = s->warned_unreachable = false;
    s->open_count = s->unasked = 0;
    s->names = (name_wait_t){0};
    s->status = 0;
}

/* 0 or 1 after a message. A signal that comes meanwhile has its own status. */
static void open_next(scan_t *s)
{
    int status = plan_targets(&s->plan, s->loop);

    s->plan.run.round++;
    if (status == 0 && s->plan.cursor.count == 0)
        status = 1;
    if (status == 0 && s->status == 0)
        status = scan__open_round(s);
    if (status != 0 && s->status == 0)
        s->status = 1;
}

void scan__watch(scan_t *s)
{
    s->round_us = s->begin_us;
    while (s->status <= 128 && !s->is_unheard) {
        bool is_whole = s->status == 0 && s->plan.run.error == NULL;

        tell_round(s);
        scan__close_round(s); /* what it had open is nobody's meanwhile */
        if (!wait_for_next(s))
            break;
        forget_round(s);
        if (diff_next(s->diff, is_whole, on_change, s) < 0)
            scan__out_of_memory(s);
        s->round_us = htime_monotonic_us();
        open_next(s);
        if (s->status == 0)
            scan__run_round(s);
    }
}
