/* worker: a process that serves. It has one loop in its first thread and one in each further
 * thread, each with a site of its own. */
#include "hhttpd.h"

#include "app/hlognotes.h"
#include "app/hstart.h"
#include "base/hmem.h"
#include "event/hloop_pool.h"
#include "site.h"

typedef struct worker_s worker_t;

/* A loop and what it serves. */
typedef struct lane_s {
    worker_t *worker;
    hloop_t *loop;
    site_t *site;
    int index;
} lane_t;

struct worker_s {
    const hmaster_worker_t *process;
    const generation_t *generation;
    metrics_shared_t *metrics;
    hlognotes_t notes;
    lane_t *lanes;
    unsigned lane_count;
    hloop_pool_t *pool; /* of the lanes behind the first; NULL: there are none */
};

/* ---- a lane ---------------------------------------------------------------------------------- */

static int open_lane(lane_t *lane)
{
    const generation_t *g = lane->worker->generation;
    const hmaster_worker_t *process = lane->worker->process;
    site_env_t env = {.settings = g->settings,
                      .log = &g->logs.messages,
                      .access_fd = g->logs.access_fd,
                      .metrics = lane->worker->metrics,
                      .generation = process->generation->number,
                      .slot = process->slot,
                      .thread = lane->index,
                      .lane = process->index * (int)g->settings->worker_threads + lane->index,
                      .lane_count =
                          (int)(g->settings->worker_processes * g->settings->worker_threads)};
    hbytes_t why = {0};
    int err = site_new(lane->loop, &env, &lane->site, &why);

    if (err)
        hlogfile_say(&g->logs.messages, HLOG_ERROR, "worker %d: %s", process->index,
                     why.len > 0 ? why.data : herr_str(err));
    hbytes_deinit(&why);
    if (!err)
        err = site_listen(lane->site, process->generation->listeners, g->tls);
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

    site_drain(lane->site, hmaster_drain_ms(lane->worker->process), on_drained, lane);
}

static void on_drain(void *arg)
{
    worker_t *worker = arg;

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
                                    .loop = {.log = worker->notes.log},
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

static int serve(worker_t *worker)
{
    int err = start_threads(worker);

    if (!err)
        err = open_lane(&worker->lanes[0]);
    hmaster_release_listeners(worker->process);
    if (!err)
        err = hmaster_watch(worker->process, worker->lanes[0].loop, on_drain, worker);
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
    hloop_t *loop = hstart_loop(&(hloop_options_t){.log = worker->notes.log}, why, sizeof(why));
    int err;

    worker->lane_count = g->settings->worker_threads;
    worker->lanes = hmem_array(worker->lane_count, sizeof(*worker->lanes));
    if (!loop || !worker->lanes) {
        hlogfile_say(&g->logs.messages, HLOG_ERROR, "worker %d: %s", worker->process->index,
                     loop ? herr_str(-ENOMEM) : why);
        return -ENOMEM;
    }
    worker->lanes[0] = (lane_t){.worker = worker, .loop = loop};
    err = serve(worker);
    hloop_free(&loop);
    hmem_free(worker->lanes);
    return err;
}

int worker_main(const hmaster_worker_t *process, void *userdata)
{
    const master_t *master = userdata;
    generation_t *g = process->generation->plan->settings;
    worker_t worker = {.process = process, .generation = g, .metrics = master->metrics};
    hbytes_t why = {0};
    int err = seal_process(g, process->parent, &why);

    if (err)
        hlogfile_say(&g->logs.messages, HLOG_ERROR, "worker %d: %s", process->index,
                     why.len > 0 ? why.data : herr_str(err));
    hbytes_deinit(&why);
    if (!err)
        err = hlognotes_init(&worker.notes, &g->logs.messages);
    if (!err)
        err = run(&worker);
    hlognotes_deinit(&worker.notes);
    return err ? 1 : 0;
}
