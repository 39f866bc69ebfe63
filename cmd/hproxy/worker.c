/* worker: a process that serves: one loop, one lane. It makes the lane while it can still read
 * everything, gives up what it does not need, and only then reads the first byte of a client. */
#include "master.h"

#include "app/hlognotes.h"
#include "app/hprivilege.h"
#include "app/hsandbox.h"
#include "app/hstart.h"
#include "base/hmem.h"
#include "lane.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

/* A socket that the lane has. */
typedef struct own_s {
    const hlisteners_item_t *item;
    int fd;
} own_t;

typedef struct worker_s {
    const hmaster_worker_t *process;
    const generation_t *generation;
    env_t env;
    hloop_t *loop;
    lane_t *lane;
    own_t *own;
    size_t own_count;
} worker_t;

/* ---- shut in --------------------------------------------------------------------------------- */

static int change_identity(const worker_t *worker, hbytes_t *why)
{
    const hmain_options_t *o = &worker->generation->settings->base.main;
    int err;

    if (!o->user && !o->group)
        return 0;
    err = hprivilege_drop(o->user, o->group, why);
    if (err)
        return err;
    /* The kernel has forgotten this at the change. */
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    return getppid() == worker->process->parent ? 0 : -ECANCELED;
}

static int seal(const worker_t *worker, hbytes_t *why)
{
    const generation_t *g = worker->generation;
    const hsandbox_options_t options = {.system = true};
    int err = change_identity(worker, why);

    if (err || g->settings->no_sandbox)
        return err;
    tzset();
    err = hsandbox_enter(&options, why);
    if (err < 0)
        return err;
    if (why->len > 0 && g->settings->verbose > 0)
        hlogfile_say(&g->logs.messages, HLOG_INFO, "sandbox: %s", why->data);
    hbytes_clear(why);
    return 0;
}

/* ---- serving --------------------------------------------------------------------------------- */

static int listen_at(worker_t *worker, const hlisteners_item_t *item, int socket)
{
    const way_t *way = master_way(worker->generation, item);
    int fd = fcntl(socket, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);

    if (fd < 0)
        return -errno;
    if (!way->service)
        return lane_listen_status(worker->lane, fd);
    if (!item->datagram)
        worker->own[worker->own_count++] = (own_t){item, fd};
    return lane_listen(worker->lane, way->service, way->listen, fd);
}

static int listen_all(worker_t *worker)
{
    const hlisteners_set_t *set = worker->process->generation->listeners;
    int lane = worker->process->index, lanes = (int)worker->env.worker_count, err = 0;

    worker->own = hmem_array(set->count * HLISTENERS_SOCKETS_MAX, sizeof(*worker->own));
    if (!worker->own)
        return -ENOMEM;
    for (size_t i = 0; i < set->count; i++) {
        const hlisteners_item_t *item = &set->items[i];

        for (int n = 0; !err && n < item->fd_count; n++) {
            if (hlisteners_is_for(item, n, lane, lanes))
                err = listen_at(worker, item, item->fds[n]);
        }
    }
    hmaster_release_listeners(worker->process);
    return err;
}

static void on_drained(void *arg)
{
    const worker_t *worker = arg;

    hloop_stop(worker->loop);
}

static void on_drain(void *arg)
{
    worker_t *worker = arg;

    for (size_t i = 0; i < worker->own_count; i++) {
        if (hlisteners_is_gone(worker->own[i].item))
            hio_accept_waiting(hio_get(worker->loop, worker->own[i].fd));
    }
    worker->own_count = 0; /* from here on the descriptors may be others' */
    lane_drain(worker->lane, hmaster_drain_ms(worker->process), on_drained, worker);
}

static int serve(worker_t *worker, hbytes_t *why)
{
    int err = lane_new(worker->loop, &worker->env, &worker->lane, why);

    if (!err)
        err = seal(worker, why);
    if (!err)
        err = listen_all(worker);
    if (!err)
        err = hmaster_watch(worker->process, worker->loop, on_drain, worker);
    if (!err)
        err = hloop_run(worker->loop);
    lane_free(worker->lane);
    hmem_free(worker->own);
    return err;
}

int worker_main(const hmaster_worker_t *process, void *userdata)
{
    const master_t *master = userdata;
    const generation_t *g = process->generation->plan->settings;
    worker_t worker = {.process = process,
                       .generation = g,
                       .env = {.settings = g->settings,
                               .log = &g->logs.messages,
                               .access_fd = g->logs.access_fd,
                               .stats = master->stats,
                               .targets = master->targets,
                               .slot = (unsigned)process->slot,
                               .index = (unsigned)process->index,
                               .worker_count = g->settings->workers,
                               .generation = process->generation->number}};
    char reason[HSTART_WHY_SIZE] = "";
    hbytes_t why = {0};
    hlognotes_t notes;
    int err = hlognotes_init(&notes, &g->logs.messages);

    if (!err) {
        worker.loop = hstart_loop(&(hloop_options_t){.log = notes.log}, reason, sizeof(reason));
        err = worker.loop ? serve(&worker, &why) : -ENOMEM;
    }
    if (err)
        hlogfile_say(&g->logs.messages, HLOG_ERROR, "worker %d: %s", process->index,
                     reason[0]     ? reason
                     : why.len > 0 ? why.data
                                   : herr_str(err));
    hbytes_deinit(&why);
    if (worker.loop)
        hloop_free(&worker.loop);
    hlognotes_deinit(&notes);
    return err ? 1 : 0;
}

/* ---- a trial --------------------------------------------------------------------------------- */

int worker_try(const generation_t *g, hbytes_t *errors)
{
    const hlogfile_t silent = HLOGFILE_NONE;
    const env_t env = {.settings = g->settings,
                       .log = &silent,
                       .access_fd = -1,
                       .index = 1, /* not the one that checks targets */
                       .worker_count = 2};
    char why[HSTART_WHY_SIZE];
    hloop_t *loop = hstart_loop(NULL, why, sizeof(why));
    size_t len = errors->len;
    lane_t *lane = NULL;
    int err;

    if (!loop) {
        hbytes_printf(errors, "cannot open the event loop: %s\n", why);
        return -ENOMEM;
    }
    err = lane_new(loop, &env, &lane, errors);
    if (errors->len > len && errors->data[errors->len - 1] != '\n')
        hbytes_append_char(errors, '\n');
    lane_free(lane);
    hloop_free(&loop);
    return err;
}
