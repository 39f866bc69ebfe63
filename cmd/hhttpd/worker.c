/* worker: a process that serves. It has one loop in its first thread and one in each further
 * thread, each with a site of its own. */
#include "hhttpd.h"

#include "app/hstart.h"
#include "base/hmem.h"
#include "event/hloop_pool.h"
#include "event/hsignal.h"
#include "site.h"

#include <signal.h>
#include <string.h>
#include <sys/resource.h>

typedef struct worker_s worker_t;

/* A loop and what it serves. */
typedef struct lane_s {
    worker_t *worker;
    hloop_t *loop;
    site_t *site;
    int index;
} lane_t;

struct worker_s {
    generation_t *generation;
    int index;
    lane_t *lanes;
    unsigned lane_count;
    hloop_pool_t *pool; /* of the lanes behind the first; NULL: there are none */
};

/* ---- a lane ---------------------------------------------------------------------------------- */

static int open_lane(lane_t *lane)
{
    const generation_t *g = lane->worker->generation;
    site_env_t env = {.settings = g->settings,
                      .log = &g->log,
                      .shared = g->master->shared,
                      .generation = g->number,
                      .worker = lane->worker->index,
                      .thread = lane->index,
                      .lane = lane->worker->index * (int)g->settings->worker_threads + lane->index,
                      .lane_count =
                          (int)(g->settings->worker_processes * g->settings->worker_threads)};
    hbytes_t why = {0};
    int err = site_new(lane->loop, &env, &lane->site, &why);

    if (err)
        log_say(&g->log, HLOG_ERROR, "worker %d: %s", lane->worker->index,
                why.len > 0 ? why.data : herr_str(err));
    hbytes_deinit(&why);
    if (!err)
        err = site_listen(lane->site, &g->listens, g->tls);
    return err;
}

static void on_drained(void *arg)
{
    lane_t *lane = arg;

    hloop_stop(lane->loop);
}

/* Through the loop's queue: it belongs to another thread. */
static void on_drain_event(hevent_t *event)
{
    lane_t *lane = hevent_userdata(event);
    const generation_t *g = lane->worker->generation;
    uint32_t timeout_ms = g->settings->drain_ms;

    if (atomic_load(&g->master->shared->stopping) && timeout_ms > STOP_MS)
        timeout_ms = STOP_MS;
    site_drain(lane->site, timeout_ms, on_drained, lane);
}

static void on_term(hsignal_t *signal)
{
    worker_t *worker = hevent_userdata(signal);

    for (unsigned i = 0; i < worker->lane_count; i++) {
        hevent_t event = {.cb = on_drain_event, .userdata = &worker->lanes[i]};

        if (hloop_post_event(worker->lanes[i].loop, &event) < 0)
            hloop_stop(worker->lanes[i].loop);
    }
}

/* ---- further threads ------------------------------------------------------------------------- */

static int on_thread_start(hloop_t *loop, unsigned index, void *userdata)
{
    worker_t *worker = userdata;
    lane_t *lane = &worker->lanes[index + 1];

    *lane = (lane_t){.worker = worker, .loop = loop, .index = (int)index + 1};
    return open_lane(lane);
}

static void on_thread_stop(hloop_t *loop, unsigned index, void *userdata)
{
    worker_t *worker = userdata;
    lane_t *lane = &worker->lanes[index + 1];

    (void)loop;
    site_free(lane->site);
    lane->site = NULL;
}

static int start_threads(worker_t *worker)
{
    hloop_pool_options_t options = {.threads = worker->lane_count - 1,
                                    .name = "hhttpd",
                                    .on_start = on_thread_start,
                                    .on_stop = on_thread_stop,
                                    .userdata = worker};

    if (worker->lane_count == 1)
        return 0;
    worker->pool = hloop_pool_new(&options);
    return worker->pool ? hloop_pool_start(worker->pool) : -errno;
}

/* ---- the process ----------------------------------------------------------------------------- */

sigset_t worker_signals(void)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGHUP);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGUSR1);
    return set;
}

static int watch(worker_t *worker)
{
    sigset_t held = worker_signals();
    hsignal_t *term = hsignal_add(worker->lanes[0].loop, on_term, SIGTERM);

    if (!term)
        return -errno;
    hevent_set_userdata(term, worker);
    sigprocmask(SIG_UNBLOCK, &held, NULL);
    return 0;
}

static int serve(worker_t *worker)
{
    int err = start_threads(worker);

    if (!err)
        err = open_lane(&worker->lanes[0]);
    /* Each lane has its own copies; a port is free once the last one of them is closed. */
    listeners_keep_only(&worker->generation->master->listeners, &(listen_set_t){0});
    if (!err)
        err = watch(worker);
    if (!err)
        err = hloop_run(worker->lanes[0].loop);
    else if (worker->pool)
        hloop_pool_stop(worker->pool);
    if (worker->pool) {
        hloop_pool_join(worker->pool);
        hloop_pool_free(&worker->pool);
    }
    site_free(worker->lanes[0].site);
    return err;
}

static int run(worker_t *worker)
{
    const generation_t *g = worker->generation;
    char why[HSTART_WHY_SIZE];
    hloop_t *loop = hstart_loop(NULL, why, sizeof(why));
    int err;

    worker->lane_count = g->settings->worker_threads;
    worker->lanes = hmem_array(worker->lane_count, sizeof(*worker->lanes));
    if (!loop || !worker->lanes) {
        log_say(&g->log, HLOG_ERROR, "worker %d: %s", worker->index,
                loop ? herr_str(-ENOMEM) : why);
        return -ENOMEM;
    }
    worker->lanes[0] = (lane_t){.worker = worker, .loop = loop};
    err = serve(worker);
    hloop_free(&loop);
    hmem_free(worker->lanes);
    return err;
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

/* A terminal sends its signals to the whole group: a worker listens to its master alone. */
int worker_main(int index, void *generation)
{
    generation_t *g = generation;
    worker_t worker = {.generation = g, .index = index};
    hbytes_t why = {0};
    int err;

    htitle_set(g->master->title, "hhttpd: worker process");
    signal(SIGINT, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
    signal(SIGUSR1, SIG_IGN);
    raise_limit();
    listeners_keep_only(&g->master->listeners, &g->listens);
    err = seal_process(g, g->master->pid, &why);
    if (err)
        log_say(&g->log, HLOG_ERROR, "worker %d: %s", index,
                why.len > 0 ? why.data : herr_str(err));
    hbytes_deinit(&why);
    if (!err)
        err = run(&worker);
    return err ? 1 : 0;
}
