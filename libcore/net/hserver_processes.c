/* HSERVER_PROCESSES: workers of hworkers, each with one life. Two pipes: each worker reports over
 * the first one how its start went; the parent holds the only writing end of the second, the
 * lifeline, whose end of file tells a worker that its parent is gone where the kernel has forgotten
 * to kill it (PR_SET_PDEATHSIG; a change of the user makes it forget). Told to stop, by SIGTERM or
 * by the lifeline, a worker ends as by hserver_stop. */
#include "hserver_int.h"

#include "../event/hsignal.h"
#include "hworkers.h"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#define STOP_TIMEOUT_MS 5000

_Static_assert(HSERVER_WORKERS_MAX <= HWORKERS_MAX, "every worker can be a process");

/* What the parent and, after the fork, each worker knows of the run. */
typedef struct run_s {
    hserver_t *server;
    int report[2];
    int lifeline[2];
    int fork_error; /* why a process could not be made */
} run_t;

static void close_end(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

static void close_pipes(run_t *run)
{
    for (int i = 0; i < 2; i++) {
        close_end(&run->report[i]);
        close_end(&run->lifeline[i]);
    }
}

static int open_pipes(run_t *run)
{
    int err;

    if (pipe2(run->report, O_CLOEXEC) == 0 && pipe2(run->lifeline, O_CLOEXEC | O_NONBLOCK) == 0)
        return 0;
    err = -errno;
    close_pipes(run);
    return err;
}

/* ---- the worker ------------------------------------------------------------------------------ */

static void on_lifeline_end(hio_t *io)
{
    hloop_stop(hevent_loop(io));
}

static int watch_lifeline(run_t *run, hloop_t *loop)
{
    hio_t *io = hio_get(loop, run->lifeline[0]);

    if (!io)
        return -ENOMEM;
    run->lifeline[0] = -1; /* the hio's now */
    hio_setcb_close(io, on_lifeline_end);
    return hio_read(io);
}

static void on_term(hsignal_t *sig)
{
    hloop_stop(hevent_loop(sig));
}

/* A worker that is told to stop before it can listen to that does so a moment later. */
static sigset_t held_signals(void)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    return set;
}

static int start_worker(run_t *run, hloop_t *loop, int index)
{
    int err = watch_lifeline(run, loop);
    sigset_t held = held_signals();

    if (!err && !hsignal_add(loop, on_term, SIGTERM))
        err = errno ? -errno : -ENOMEM;
    sigprocmask(SIG_UNBLOCK, &held, NULL);
    return err < 0 ? err : hserver__start_worker(&run->server->workers[index], loop);
}

static void report(run_t *run, int err)
{
    ssize_t n;

    do {
        n = write(run->report[1], &err, sizeof(err));
    } while (n < 0 && errno == EINTR);
    close_end(&run->report[1]);
}

/* In the worker's process, whose exit status this is. */
static int worker_main(int index, void *userdata)
{
    run_t *run = userdata;
    hserver_t *server = run->server;
    sigset_t held = held_signals();
    hloop_t *loop;
    int err;

    close_end(&run->report[0]);
    close_end(&run->lifeline[1]);
    err = hserver__make_loop(server, &loop);
    if (!err && !loop)
        err = -ECANCELED;
    if (err) {
        report(run, err);
        return 1;
    }
    err = start_worker(run, loop, index);
    report(run, err < 0 ? err : 0);
    if (err >= 0) {
        hserver__close_sockets(server);
        err = hloop_run(loop);
        hserver__call_stop(server, loop, index);
    }
    sigprocmask(SIG_BLOCK, &held, NULL); /* told once more, now that nobody listens */
    hserver__free_loop(server, loop);
    return err < 0 ? 1 : 0;
}

/* ---- the parent ------------------------------------------------------------------------------ */

static void on_worker_end(run_t *run, const hworkers_t *workers, const hworkers_info_t *info)
{
    server_worker_t *worker = &run->server->workers[info->index];

    hlog_write(run->server->options.loop.log, HLOG_INFO, "worker %d (process %ld) has ended",
               info->index, (long)info->pid);
    worker->status = info->status;
    worker->pid = 0;
    if (hworkers_running(workers) == 0)
        hserver_stop(run->server);
}

static void on_event(hworkers_t *workers, const hworkers_info_t *info, void *userdata)
{
    run_t *run = userdata;

    switch (info->event) {
    case HWORKERS_STARTED:
        run->server->workers[info->index].pid = info->pid;
        break;
    case HWORKERS_ENDED:
        on_worker_end(run, workers, info);
        break;
    case HWORKERS_FAILED:
        run->fork_error = info->status;
        break;
    case HWORKERS_KILLED:
        hlog_write(run->server->options.loop.log, HLOG_WARN,
                   "worker %d (process %ld) did not stop and was killed", info->index,
                   (long)info->pid);
        break;
    case HWORKERS_STOPPED:
        break; /* on_worker_end has seen the last one */
    }
}

/* Waits for one report of each worker; the first error. A worker that died gave none. */
static int collect_reports(const run_t *run)
{
    unsigned n = 0;
    int err = 0, first = 0;

    while (n < run->server->count) {
        ssize_t len = read(run->report[0], &err, sizeof(err));

        if (len < 0 && errno == EINTR)
            continue;
        if (len != (ssize_t)sizeof(err))
            return first ? first : -ECHILD;
        n++;
        if (err < 0 && first == 0)
            first = err;
    }
    return first;
}

/* Runs on until the last one has ended. */
static int stop_workers(hworkers_t *workers, hloop_t *loop)
{
    int err = 0;

    hworkers_stop(workers);
    while (err >= 0 && hworkers_running(workers) > 0)
        err = hloop_run(loop);
    return err;
}

static int supervise(run_t *run, hworkers_t *workers, hloop_t *loop)
{
    bool started = false;
    int err = run->fork_error, stop_err;

    hserver__close_sockets(run->server); /* or connections would wait at that of a dead worker */
    close_end(&run->report[1]);
    close_end(&run->lifeline[0]);
    if (!err)
        err = collect_reports(run);
    if (!err) {
        err = hserver__call_start(run->server, loop, HSERVER_MAIN);
        started = err >= 0;
    }
    if (started)
        err = hloop_run(loop);
    stop_err = stop_workers(workers, loop);
    if (started)
        hserver__call_stop(run->server, loop, HSERVER_MAIN);
    return err < 0 ? err : stop_err;
}

static int run_workers(run_t *run, hloop_t *loop)
{
    int limit_ms = run->server->options.stop_timeout_ms;
    hworkers_options_t options = {.count = (int)run->server->count,
                                  .run = worker_main,
                                  .on_event = on_event,
                                  .userdata = run,
                                  .once = true,
                                  .held = held_signals(),
                                  .grace_ms = limit_ms > 0 ? (uint32_t)limit_ms : STOP_TIMEOUT_MS};
    hworkers_t *workers;
    int err = hworkers_new(loop, &options, &workers);

    if (err)
        return err;
    err = supervise(run, workers, loop);
    hworkers_free(workers);
    return err;
}

int hserver__run_processes(hserver_t *server)
{
    run_t run = {server, {-1, -1}, {-1, -1}, 0};
    hloop_t *loop;
    int err = hserver__make_loop(server, &loop);

    if (err || !loop)
        return err;
    err = open_pipes(&run);
    if (!err)
        err = run_workers(&run, loop);
    close_pipes(&run);
    hserver__free_loop(server, loop);
    return err;
}
