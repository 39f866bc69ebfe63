/* The stages of a host: is it there, which ports, its name, the report. Hosts are made as there is
 * room for them, so that memory is bounded however large the targets are, and reported in the order
 * of the targets. Engines decide what is sent when; after every turn of the loop that brought
 * answers, and when they ask for it, pump lets them go on. */
#include "scan_int.h"

#include "base/htime.h"
#include "lookup.h"

#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#define PROBES_MEMORY ((size_t)8 << 20) /* for the ports of all of them */

void scan__out_of_memory(scan_t *s)
{
    if (s->status == 0)
        fprintf(stderr, "hnmap: %s\n", herr_str(-ENOMEM));
    s->status = 1;
}

void scan__heard(scan_t *s, int err)
{
    if (err == 0)
        return;
    s->is_unheard = true;
    s->status = s->status == 0 ? 1 : s->status;
}

/* ---- the flow -------------------------------------------------------------------------------- */

/* More hosts while there is room. True: something was begun. */
static bool feed(scan_t *s)
{
    bool is_fed = false;
    target_t target;

    while (!s->exhausted && s->host_count < SCAN_HOSTS_MAX && s->status == 0) {
        host_t *host = NULL;

        if (!targets_next(&s->plan.cursor, &target)) {
            s->exhausted = true;
            break;
        }
        host = host_new(&target);
        if (host == NULL) {
            scan__out_of_memory(s);
            break;
        }
        host->scan = s;
        host->position = s->plan.cursor.position - 1;
        hlist_push_back(&s->hosts, &host->node);
        s->host_count++;
        scan__begin_host(s, host);
        is_fed = true;
    }
    return is_fed;
}

size_t scan__scanning_max(const scan_t *s)
{
    size_t count = (size_t)s->plan.ports.tcp.count + s->plan.ports.udp.count;
    size_t max = PROBES_MEMORY / (count * (sizeof(probe_t) + 1));
    const timing_options_t *t = &s->plan.options->timing;

    max = max > t->group_min ? max : t->group_min;
    if (t->group_max > 0 && max > t->group_max)
        max = t->group_max;
    return max > 0 ? max : 1;
}

/* Those that --max-hostgroup counts: with their services. */
static size_t in_group(const scan_t *s)
{
    return s->scanning + (s->plan.options->timing.group_max > 0 ? s->looking : 0);
}

/* Hosts that wait come to the ports in the order in which they were found. */
static bool promote(scan_t *s)
{
    size_t max = scan__scanning_max(s);
    bool is_fed = false;

    while (!hlist_empty(&s->waiting) && in_group(s) < max) {
        scan__begin_ports(s, HLIST_ENTRY(s->waiting.next, host_t, wait));
        is_fed = true;
    }
    return is_fed;
}

static void count_host(scan_t *s, const host_t *done)
{
    const host_result_t *host = &done->result;
    run_t *run = &s->plan.run;

    run->total++;
    run->up += host->state == HOST_UP;
    run->down += host->state != HOST_UP;
    scan__warn_host(s, done);
    s->has_changed = scan__compare(s, host);
}

void scan__tell_host(scan_t *s, const host_t *host)
{
    count_host(s, host);
    view_clear(s->view);
    scan__heard(s, output_host(s->output, &s->plan.run, &host->result));
}

/* Reports what is done, in order. Returns when it wants to be called again for a name that is
 * waited for; UINT64_MAX: never; 0: at once, for there is room now. */
static uint64_t report(scan_t *s, uint64_t now)
{
    size_t reported = 0;

    while (!hlist_empty(&s->hosts)) {
        host_t *host = HLIST_ENTRY(s->hosts.next, host_t, node);

        if (host->stage != STAGE_DONE)
            break;
        if ((!scan__name_hops(s, host) || host->query) && now < name_wait_until(&s->names) &&
            !s->interrupted)
            return reported > 0 ? 0 : name_wait_until(&s->names);
        if (!scan__can_hand_on(s))
            break;
        scan__tell_host(s, host);
        scan__hand_on(s, &host->result);
        scan__keep_told(s, host);
        host_free(host);
        s->host_count--;
        reported++;
    }
    return reported > 0 && !s->exhausted ? 0 : UINT64_MAX;
}

static uint64_t sooner(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static void on_timer(htimer_t *timer)
{
    scan_t *s = hevent_userdata(timer);

    s->timer = NULL;
    scan__pump(s);
}

static void arm(scan_t *s, uint64_t when)
{
    uint64_t now = htime_monotonic_us();
    uint64_t ms = when > now ? (when - now + 999) / 1000 : 0;

    htimer_del(s->timer);
    s->timer = NULL;
    if (when == UINT64_MAX)
        return;
    ms = ms < 1 ? 1 : ms > INT_MAX ? INT_MAX : ms;
    s->timer = htimer_add(s->loop, on_timer, (uint32_t)ms, 1);
    if (s->timer)
        hevent_set_userdata(s->timer, s);
    else
        scan__out_of_memory(s);
}

static void on_post(hevent_t *ev)
{
    scan_t *s = hevent_userdata(ev);

    s->is_posted = false;
    if (s->is_open) /* else it was for a round that is over */
        scan__pump(s);
}

void scan__schedule(scan_t *s)
{
    hevent_t event = {.cb = on_post, .userdata = s};

    if (s->is_posted)
        return;
    s->is_posted = hloop_post_event(s->loop, &event) == 0;
    if (!s->is_posted)
        scan__out_of_memory(s);
}

static bool is_over(const scan_t *s)
{
    return s->exhausted && hlist_empty(&s->hosts);
}

void scan__pump(scan_t *s)
{
    bool is_fed = feed(s);
    uint64_t now = htime_monotonic_us(), when = UINT64_MAX;

    scan__watch_drops(s, now);
    for (int i = PACE_NEIGHBOURS; i <= PACE_PINGS; i++)
        when = sooner(when, engine_run(s->engines[i], now));
    is_fed = promote(s) || is_fed;
    for (int i = PACE_TCP; i <= PACE_UDP; i++)
        when = sooner(when, engine_run(s->engines[i], htime_monotonic_us()));
    when = sooner(when, engine_run(s->engines[PACE_OS], htime_monotonic_us()));
    is_fed = scan__promote_traces(s) || is_fed;
    when = sooner(when, engine_run(s->engines[PACE_TRACE], htime_monotonic_us()));
    when = sooner(when, report(s, htime_monotonic_us()));
    if (is_fed)
        when = sooner(when, now);
    if (s->status != 0 || is_over(s))
        hloop_stop(s->loop);
    else if (when == 0)
        scan__schedule(s); /* signals and keys have their turn before */
    else
        arm(s, when);
}

/* ---- a round --------------------------------------------------------------------------------- */

/* What was found is reported, and nothing more is asked. */
static void stop_early(scan_t *s)
{
    hlist_t *pos, *next;

    s->interrupted = true;
    HLIST_FOREACH (pos, next, &s->hosts) {
        host_t *host = HLIST_ENTRY(pos, host_t, node);

        if (host->stage == STAGE_PORTS || host->stage == STAGE_UDP)
            scan__end_ports(s, host, false);
        else if (host->stage == STAGE_SERVICE)
            scan__end_services(s, host);
        else if (host->stage == STAGE_OS)
            scan__end_os(s, host);
        else if (host->stage == STAGE_TRACE_WAIT || host->stage == STAGE_TRACE)
            scan__end_trace(s, host);
        else if (host->stage == STAGE_WAIT || host->result.state == HOST_UP)
            scan__finish_host(s, host);
        if (host->stage == STAGE_DONE && s->status == 0) {
            count_host(s, host);
            output_host(s->output, &s->plan.run, &host->result);
        }
    }
    s->plan.run.error = "interrupted";
}

static void on_signal(hsignal_t *sig)
{
    scan_t *s = hevent_userdata(sig);

    s->status = 128 + hsignal_signo(sig);
    hloop_stop(s->loop);
}

/* What the user does not want to be bothered with (nohup, a job in the background of a script) is
 * left ignored. */
static int watch_signals(scan_t *s)
{
    static const int numbers[SCAN_SIGNALS] = {SIGINT, SIGTERM, SIGHUP};

    signal(SIGPIPE, SIG_IGN); /* the other files are made whole */
    for (size_t i = 0; i < SCAN_SIGNALS; i++) {
        struct sigaction before;

        if (sigaction(numbers[i], NULL, &before) == 0 && before.sa_handler == SIG_IGN)
            continue;
        s->signals[i] = hsignal_add(s->loop, on_signal, numbers[i]);
        if (s->signals[i] == NULL)
            return -ENOMEM;
        hevent_set_userdata(s->signals[i], s);
    }
    return 0;
}

static void unwatch_signals(scan_t *s)
{
    for (size_t i = 0; i < SCAN_SIGNALS; i++) {
        hsignal_del(s->signals[i]);
        s->signals[i] = NULL;
    }
}

static bool is_by_connect(const plan_t *plan, plan_pace_e what)
{
    return what == PACE_TCP ? plan->by_connect : !plan->is_raw;
}

/* One for each pace; rates and windows that are asked for are for all of them together. */
static int open_engines(scan_t *s)
{
    static const engine_method_t *const methods[PLAN_PACES] = {
        [PACE_NEIGHBOURS] = &scan__ping_method, [PACE_PINGS] = &scan__ping_method,
        [PACE_TCP] = &scan__port_method,        [PACE_UDP] = &scan__port_method,
        [PACE_OS] = &scan__os_method,           [PACE_TRACE] = &scan__trace_method,
    };
    int err = 0;

    for (int i = 0; i < PLAN_PACES && err == 0; i++) {
        engine_options_t pace = s->plan.paces[i];

        pace.limits_of = i > 0 ? s->engines[0] : NULL;
        pace.again_us = is_by_connect(&s->plan, i) ? CONNECT_AGAIN_US : 0;
        err = engine_new(&pace, methods[i], s, &s->engines[i]);
    }
    return err;
}

/* --probes. 0 or an exit status after a message. */
static int load_probes(scan_t *s)
{
    const char *path = s->plan.options->version.probes;
    char error[SERVICE_FILE_ERROR_SIZE];
    int err = path ? service_file_load(path, &s->probes, error, sizeof(error)) : 0;

    if (err < 0)
        fprintf(stderr, "hnmap: %s\n", error);
    return err == 0 ? 0 : err == HERR_SYNTAX || err == HERR_UNSUPPORTED ? 2 : 1;
}

/* What looks at services, if that is asked for. */
static int open_services(scan_t *s)
{
    const options_t *o = s->plan.options;
    const service_options_t options = {
        .versions = (o->scans & SCAN_VERSIONS) != 0,
        .banners = o->version.banners,
        .all_ports = o->version.all_ports,
        .traces = o->version.traces || o->output.packets,
        .intensity = o->version.intensity,
        .file = s->probes,
        .socket = {.source = s->plan.source.len > 0 ? &s->plan.source : NULL,
                   .interface = o->interface},
    };

    s->plan.run.has_versions = options.versions;
    if (!options.versions && !options.banners)
        return 0;
    return service_run_new(s->loop, &options, scan__on_services, s, &s->services);
}

/* 0 or an exit status after a message. */
static int open_view(scan_t *s)
{
    const view_options_t how = {
        .output = &s->plan.options->output,
        .run = &s->plan.run,
        .has_report = output_is_interactive(s->output),
        .progress = scan__progress,
        .context = s,
    };

    if (view_new(s->loop, &how, &s->view) == 0)
        return 0;
    scan__out_of_memory(s);
    return 1;
}

int scan__open_round(scan_t *s)
{
    const plan_t *plan = &s->plan;
    int err = open_engines(s);

    s->is_open = true;
    if (err == 0 && plan->options->names != NAMES_NEVER)
        err = lookup_new(s->loop, plan->options, &s->dns);
    if (err == 0)
        err = open_services(s);
    s->local = local_new();
    if (err == 0 && s->local == NULL)
        err = -ENOMEM;
    if (err == 0)
        return scan__open_probes(s);
    fprintf(stderr, "hnmap: cannot begin: %s\n", herr_str(err));
    return 1;
}

/* What has changed goes where the report for people does, behind it, or to standard error. */
static void tell_changes(scan_t *s)
{
    hbytes_t text = {0};
    FILE *to = output_is_interactive(s->output) ? stdout : stderr;

    if (diff_write(s->diff, &text) < 0)
        scan__out_of_memory(s);
    else if (fwrite(text.data, 1, text.len, to) < text.len || fflush(to) != 0)
        s->status = s->status == 0 ? 1 : s->status;
    if (s->status == 0 && diff_count(s->diff) > 0 && s->plan.run.round == 0)
        s->status = 1;
    hbytes_deinit(&text);
}

void scan__run_round(scan_t *s)
{
    run_t *run = &s->plan.run;

    s->begin_us = htime_monotonic_us();
    run->start = scan__first_start(s);
    scan__heard(s, output_begin(s->output, run));
    scan__begin_resume(s);
    scan__pump(s);
    while (s->status == 0 && !is_over(s)) /* a stop may be one of before */
        if (hloop_run(s->loop) < 0)
            s->status = 1;
    view_clear(s->view);
    if (s->status > 128) {
        int status = s->status;

        view_free(s->view);
        s->view = NULL;
        scan__stop_commands(s);
        unwatch_signals(s); /* the second one ends it at once */
        s->status = 0;
        scan__stop_resume(s);
        stop_early(s);
        s->status = s->status == 0 ? status : s->status;
    }
    scan__warn_end(s);
    run->end = time(NULL);
    run->elapsed_s = (double)(htime_monotonic_us() - s->begin_us) / 1e6 + scan__elapsed_before(s);
    if (s->status == 1 && run->error == NULL)
        run->error = "failed";
    scan__judge_round(s);
    scan__tell_inside(s);
    scan__heard(s, output_end(s->output, run));
    scan__end_resume(s, s->status == 0 && !output_has_failed(s->output));
    if (s->plan.options->output.diff && run->round <= 1)
        tell_changes(s);
}

void scan__close_round(scan_t *s)
{
    hlist_t *pos, *next;

    s->is_open = false;
    HLIST_FOREACH (pos, next, &s->hosts)
        host_free(HLIST_ENTRY(pos, host_t, node));
    hlist_init(&s->hosts);
    hlist_init(&s->waiting);
    for (int i = PLAN_PACES - 1; i >= 0; i--) { /* the first keeps --max-rate for all */
        engine_free(s->engines[i]);
        s->engines[i] = NULL;
    }
    service_run_free(s->services);
    connect_free(s->connects);
    raw_free(s->raw);
    ping_free(s->ping);
    host_map_free(s->map);
    scan__close_trace(s);
    hdns_free(s->dns);
    local_free(s->local);
    htimer_del(s->timer);
    s->services = NULL;
    s->connects = NULL;
    s->raw = NULL;
    s->ping = NULL;
    s->map = NULL;
    s->trace = NULL;
    s->dns = NULL;
    s->local = NULL;
    s->timer = NULL;
}

/* ---- the run --------------------------------------------------------------------------------- */

static void free_scan(scan_t *s)
{
    scan__close_round(s);
    service_file_free(s->probes);
    then_free(s->then);
    view_free(s->view);
    unwatch_signals(s);
    output_free(s->output);
    vendors_free(&s->vendors);
    diff_free(s->diff);
    plan_free(&s->plan);
    scan__close_resume(s);
    hloop_free(&s->loop);
}

static void run(scan_t *s)
{
    bool is_watching = s->plan.options->output.watch_ms > 0;

    s->plan.run.round = is_watching;
    scan__run_round(s);
    if (is_watching)
        scan__watch(s);
    scan__end_commands(s);
    if (s->status == 0 && output_has_failed(s->output))
        s->status = 1;
}

int scan(const options_t *options)
{
    scan_t s = {.loop = hloop_new(0)};
    options_t own = *options; /* with the seed of a scan that goes on */

    hlist_init(&s.hosts);
    hlist_init(&s.waiting);
    if (s.loop == NULL) {
        fprintf(stderr, "hnmap: cannot open the event loop: %s\n", strerror(errno));
        return 1;
    }
    s.status = scan__open_resume(&s, &own);
    if (s.status == 0)
        s.status = plan_make(&s.plan, &own, s.loop);
    if (s.status == 0 && watch_signals(&s) < 0)
        scan__out_of_memory(&s);
    if (s.status == 0)
        s.status = load_probes(&s);
    if (s.status == 0)
        s.status = scan__open_round(&s);
    if (s.status == 0)
        s.status = scan__check_resume(&s);
    if (s.status == 0 &&
        (options->output.diff ||
         options->output.watch_ms > 0)) /* it may be the file that is written anew */
        s.status = diff_open(&s.diff, options->output.diff);
    if (s.status == 0) /* from here on a report is made, whatever happens */
        s.status = output_open(&options->output, &s.output);
    if (s.status == 0)
        s.status = open_view(&s);
    if (s.status == 0)
        scan__tell_size(&s);
    if (s.status == 0)
        s.status = scan__open_commands(&s);
    if (s.status == 0)
        run(&s);
    free_scan(&s);
    return s.status;
}
