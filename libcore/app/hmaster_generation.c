#include "hmaster_int.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../base/hmem.h"
#include "../event/hsignal.h"

#define GRACE_EXTRA_MS 5000
#define GRACE_MS_MAX (UINT32_MAX / 4)
#define RESTART_MS_MAX 2000 /* connections may wait for the worker that died */

uint32_t hmaster__stop_ms(const hmaster_plan_t *plan)
{
    return plan->stop_ms > 0 ? plan->stop_ms : HMASTER_STOP_MS;
}

/* ---- slots ----------------------------------------------------------------------------------- */

static int slots_max(const hmaster_t *master)
{
    return master->options->slots_max > 0 ? master->options->slots_max : HMASTER_SLOTS_MAX;
}

/* There is one: hmaster__make_room has seen to it. */
static int take_slot(hmaster_t *master)
{
    int slot = 0;

    while (slot < slots_max(master) - 1 && master->slots[slot])
        slot++;
    master->slots[slot] = true;
    master->slots_taken++;
    return slot;
}

static void release_slot(generation_t *g, int index, bool has_lived)
{
    hmaster_t *master = g->master;
    int slot = g->slots[index];

    if (slot == HMASTER__NO_SLOT)
        return;
    g->slots[index] = HMASTER__NO_SLOT;
    master->slots[slot] = false;
    master->slots_taken--;
    if (has_lived && master->options->ended)
        master->options->ended(master->options->userdata, slot);
}

/* ---- a worker process ------------------------------------------------------------------------ */

static sigset_t worker_signals(void)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGHUP);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGQUIT);
    sigaddset(&set, SIGUSR1);
    return set;
}

/* A connection is a descriptor, and the usual limit is meant for programs that use select. */
static void raise_limit(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
        return;
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
}

/* Nobody but the master lays anything down. */
static void close_shelves(const generation_t *own)
{
    for (const generation_t *g = own->master->current; g; g = g->next) {
        close(g->shelf[0]);
        if (g != own)
            close(g->shelf[1]);
    }
    own->master->own = own;
}

static int be_worker(int index, void *userdata)
{
    generation_t *g = userdata;
    hmaster_t *master = g->master;
    const hmaster_options_t *options = master->options;
    const hmaster_worker_t worker = {master, &g->shown, index, g->slots[index], master->pid};

    htitle_set(options->title, "%s: worker process", options->name);
    signal(SIGINT, SIG_IGN);
    signal(SIGQUIT, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
    signal(SIGUSR1, SIG_IGN); /* what it would tell is seen by hmaster_watch */
    close_shelves(g);
    raise_limit();
    hlisteners_keep_only(master->listeners, &g->listeners);
    return options->work(&worker, options->userdata);
}

static void on_term(hsignal_t *signal)
{
    const hmaster_t *master = hevent_userdata(signal);

    master->drain(master->drain_arg);
}

static void on_user(hsignal_t *signal)
{
    hmaster__take_logs(hevent_userdata(signal));
}

int hmaster_watch(const hmaster_worker_t *worker, hloop_t *loop, void (*drain)(void *arg),
                  void *arg)
{
    sigset_t held = worker_signals();
    hsignal_t *term = hsignal_add(loop, on_term, SIGTERM);
    hsignal_t *user = term ? hsignal_add(loop, on_user, SIGUSR1) : NULL;

    if (!user)
        return -errno;
    worker->master->drain = drain;
    worker->master->drain_arg = arg;
    hevent_set_userdata(term, worker->master);
    hevent_set_userdata(user, worker->master);
    hmaster__take_logs(worker->master);
    sigprocmask(SIG_UNBLOCK, &held, NULL);
    return 0;
}

uint32_t hmaster_drain_ms(const hmaster_worker_t *worker)
{
    const hmaster_plan_t *plan = worker->generation->plan;
    uint32_t drain_ms = plan->drain_ms, at_end_ms = hmaster__stop_ms(plan);

    if (!atomic_load(worker->master->stopping))
        return drain_ms;
    return drain_ms > 0 && drain_ms < at_end_ms ? drain_ms : at_end_ms;
}

void hmaster_release_listeners(const hmaster_worker_t *worker)
{
    hlisteners_keep_only(worker->master->listeners, NULL);
}

/* ---- generations ----------------------------------------------------------------------------- */

void hmaster__free(generation_t *g)
{
    const hmaster_options_t *options = g->master->options;

    hworkers_free(g->workers);
    for (int i = 0; g->slots && i < g->plan.workers; i++)
        release_slot(g, i, true);
    if (g->plan.settings)
        options->discard(options->userdata, &g->plan, g->shown.number);
    hlisteners_set_deinit(&g->listeners);
    for (int i = 0; i < 2; i++) {
        if (g->shelf[i] >= 0)
            close(g->shelf[i]);
    }
    hmem_free(g->slots);
    hmem_free(g);
}

static int open_listeners(generation_t *g, hbytes_t *errors)
{
    const hmaster_plan_t *plan = &g->plan;
    const hmaster_options_t *options = g->master->options;
    const hlisteners_request_t request = {.wanted = plan->wanted,
                                          .count = plan->wanted_count,
                                          .lanes = plan->lanes > 0 ? plan->lanes
                                                                   : (uint64_t)plan->workers,
                                          .port_option = options->port_option};
    int err = hlisteners_open(g->master->listeners, &request, &g->listeners, errors);

    if (!err && options->check) {
        err = options->check(options->userdata, &g->shown, errors);
        if (err)
            hlisteners_undo(g->master->listeners);
    }
    return err;
}

static int fill(generation_t *g, hbytes_t *errors)
{
    const hmaster_options_t *options = g->master->options;
    int err = options->load(options->userdata, &g->plan, errors);

    if (err)
        g->plan.settings = NULL;
    else if (socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, g->shelf) < 0)
        err = -errno;
    if (!err && (g->plan.workers < 1 || g->plan.workers > slots_max(g->master) / 2))
        err = -EINVAL;
    if (err)
        return err;
    g->slots = hmem_array((size_t)g->plan.workers, sizeof(*g->slots));
    for (int i = 0; g->slots && i < g->plan.workers; i++)
        g->slots[i] = HMASTER__NO_SLOT;
    return g->slots ? open_listeners(g, errors) : -ENOMEM;
}

generation_t *hmaster__make(hmaster_t *master, hbytes_t *errors)
{
    generation_t *g = hmem_zalloc(sizeof(*g));
    int err = -ENOMEM;

    if (g) {
        g->master = master;
        g->shelf[0] = g->shelf[1] = -1;
        g->shown = (hmaster_generation_t){.plan = &g->plan, .listeners = &g->listeners};
        err = fill(g, errors);
    }
    if (!err)
        return g;
    if (errors->len == 0)
        hbytes_printf(errors, "%s\n", herr_str(err));
    if (g)
        hmaster__free(g);
    return NULL;
}

static void report_end(const generation_t *g, const hworkers_info_t *info)
{
    if (info->delay_ms == HWORKERS_NO_RESTART)
        return;
    if (WIFSIGNALED(info->status))
        hlogfile_say(g->plan.log, HLOG_ERROR,
                     "worker %d (pid %ld) was killed by signal %d; a new one starts", info->index,
                     (long)info->pid, WTERMSIG(info->status));
    else
        hlogfile_say(g->plan.log, HLOG_ERROR,
                     "worker %d (pid %ld) ended with status %d; a new one starts in %u ms",
                     info->index, (long)info->pid, WEXITSTATUS(info->status), info->delay_ms);
}

/* hworkers_free may not be called from its own callback. */
static void on_generation_gone(htimer_t *timer)
{
    generation_t *g = hevent_userdata(timer), **at = &g->master->current;
    hmaster_t *master = g->master;

    while (*at && *at != g)
        at = &(*at)->next;
    if (!*at || !g->gone)
        return; /* freed, and perhaps another one is in its place */
    if (g == master->current && !g->next) {
        hloop_stop(master->loop); /* the log is needed a little longer */
        return;
    }
    *at = g->next;
    hlogfile_say(hmaster__log(master), HLOG_DEBUG, "generation %llu has gone",
                 (unsigned long long)g->shown.number);
    hmaster__free(g);
}

static void on_worker_event(hworkers_t *workers, const hworkers_info_t *info, void *userdata)
{
    generation_t *g = userdata;
    htimer_t *timer;

    (void)workers;
    switch (info->event) {
    case HWORKERS_STARTED:
        if (g->plan.tells)
            hlogfile_say(g->plan.log, HLOG_INFO, "worker %d started (pid %ld)", info->index,
                         (long)info->pid);
        break;
    case HWORKERS_ENDED:
        release_slot(g, info->index, true);
        report_end(g, info);
        break;
    case HWORKERS_FAILED:
        release_slot(g, info->index, false);
        hlogfile_say(g->plan.log, HLOG_ERROR, "cannot start worker %d: %s", info->index,
                     herr_str(info->status));
        break;
    case HWORKERS_KILLED:
        hlogfile_say(g->plan.log, HLOG_WARN, "worker %d (pid %ld) did not stop and was killed",
                     info->index, (long)info->pid);
        break;
    case HWORKERS_STOPPED:
        g->gone = true;
        timer = htimer_add(g->master->loop, on_generation_gone, 1, 1);
        if (timer)
            hevent_set_userdata(timer, g);
        break;
    }
}

static void on_worker_start(int index, void *userdata)
{
    generation_t *g = userdata;

    g->slots[index] = take_slot(g->master);
}

int hmaster__start(generation_t *g)
{
    uint32_t drain_ms = g->plan.drain_ms;
    hworkers_options_t options = {.count = g->plan.workers,
                                  .run = be_worker,
                                  .on_event = on_worker_event,
                                  .on_start = on_worker_start,
                                  .held = worker_signals(),
                                  .delay_max_ms = RESTART_MS_MAX,
                                  .grace_ms = drain_ms == 0             ? HWORKERS_NO_LIMIT
                                              : drain_ms < GRACE_MS_MAX ? drain_ms + GRACE_EXTRA_MS
                                                                        : GRACE_MS_MAX,
                                  .userdata = g};

    g->shown.number = ++g->master->numbers;
    return hworkers_new(g->master->loop, &options, &g->workers);
}

void hmaster__make_room(hmaster_t *master, int workers)
{
    for (;;) {
        generation_t **at = &master->current, *oldest;
        size_t n = 1;

        for (; (*at)->next; at = &(*at)->next)
            n++;
        if (n == 1 || (n < HMASTER_GENERATIONS_MAX &&
                       master->slots_taken + (size_t)workers <= (size_t)slots_max(master)))
            return;
        oldest = *at;
        *at = NULL;
        hmaster__free(oldest);
    }
}
