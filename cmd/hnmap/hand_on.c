/* --then: hosts that are reported are handed to commands. */
#include "scan_int.h"

#include <inttypes.h>
#include <stdio.h>

static void before_output(void *context)
{
    const scan_t *s = context;

    view_clear(s->view);
}

static void on_changed(void *context)
{
    scan_t *s = context;

    if (s->waits_for_commands)
        hloop_stop(s->loop);
    else
        scan__schedule(s); /* a host may have waited for room */
}

int scan__open_commands(scan_t *s)
{
    const options_t *o = s->plan.options;
    const then_options_t how = {
        .command = o->then,
        .jobs = o->then_jobs,
        .output = output_is_interactive(s->output) ? 1 : 2, /* another report stays whole */
        .before = before_output,
        .changed = on_changed,
        .context = s,
    };

    if (o->then == NULL || then_new(s->loop, &how, &s->then) == 0)
        return 0;
    scan__out_of_memory(s);
    return 1;
}

bool scan__can_hand_on(const scan_t *s)
{
    return s->then == NULL || then_has_room(s->then);
}

static bool has_open_port(const host_result_t *host)
{
    for (size_t i = 0; i < host->port_count; i++)
        if (host->ports[i].state == PORT_OPEN)
            return true;
    return false;
}

void scan__hand_on(scan_t *s, const host_result_t *host)
{
    const run_t *run = &s->plan.run;

    if (s->then == NULL || host->state != HOST_UP || (run->round > 1 && !s->has_changed))
        return;
    if (!run->pings_only && (!host->has_ports || host->timed_out || !has_open_port(host)))
        return;
    if (then_host(s->then, host) < 0)
        scan__out_of_memory(s);
}

void scan__stop_commands(scan_t *s)
{
    if (s->then)
        then_stop(s->then);
}

static void tell_commands(scan_t *s, const then_counts_t *counts)
{
    FILE *to = output_is_interactive(s->output) ? stdout : stderr;

    view_clear(s->view);
    fprintf(to, "hnmap: %" PRIu64 " command%s run, %" PRIu64 " failed\n", counts->run,
            counts->run == 1 ? "" : "s", counts->failed);
    fflush(to);
}

void scan__end_commands(scan_t *s)
{
    then_counts_t counts;

    if (s->then == NULL)
        return;
    s->waits_for_commands = true;
    while (!then_is_idle(s->then)) {
        if (s->status > 128)
            then_stop(s->then);
        if (hloop_run(s->loop) < 0)
            break;
    }
    then_counts(s->then, &counts);
    tell_commands(s, &counts);
    if (counts.failed > 0 && s->status == 0)
        s->status = 1;
}
