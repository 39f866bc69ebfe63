#include "event/hsignal.h"
#include "net/hworkers.h"
#include "service.h"

#include <signal.h>
#include <sys/wait.h>

/* ---- a worker process ------------------------------------------------------------------------ */

/* What its master, or a terminal, may send before a worker has seen to it. */
static sigset_t own_signals(void)
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

static void on_worker_term(hsignal_t *signal)
{
    service_t *service = hevent_userdata(signal);

    if (!service->server.stopping)
        server_stop(service);
}

static void on_worker_hangup(hsignal_t *signal)
{
    service_reload(hevent_userdata(signal));
}

static int watch_worker(service_t *service)
{
    sigset_t held = own_signals();
    hsignal_t *hangup, *term;

    service->step = "watch signals";
    term = hsignal_add(service->loop, on_worker_term, SIGTERM);
    hangup = hsignal_add(service->loop, on_worker_hangup, SIGHUP);
    if (!term || !hangup)
        return -errno;
    hevent_set_userdata(term, service);
    hevent_set_userdata(hangup, service);
    sigprocmask(SIG_UNBLOCK, &held, NULL);
    return 0;
}

static int run_worker(service_t *service, int index)
{
    int err = watch_worker(service);

    if (!err)
        err = server_start(service, index);
    if (!err)
        err = server_run(service);
    return err;
}

/* A terminal sends its signals to the whole group: a worker listens to its master alone. */
static int worker_main(int index, void *userdata)
{
    service_t *service = userdata;
    int err;

    htitle_set(service->title, "hecho: worker process");
    signal(SIGINT, SIG_IGN);
    signal(SIGQUIT, SIG_IGN);
    signal(SIGUSR1, SIG_IGN);
    service->loop = NULL;
    err = service_with_loop(service, index, run_worker);
    if (err)
        hreport_note(&service->report, "error", "worker %d: cannot %s: %s", index, service->step,
                     service_why(service, err));
    return err ? 1 : 0;
}

/* ---- the master ------------------------------------------------------------------------------ */

static void on_master_stop(hmain_t *app, void *userdata)
{
    service_t *service = userdata;

    (void)app;
    hworkers_stop(service->workers);
}

static void on_master_reload(hmain_t *app, void *userdata)
{
    service_t *service = userdata;

    (void)app;
    service_reload(service);
    hworkers_signal(service->workers, SIGHUP);
}

static void report_worker_end(service_t *service, const hworkers_info_t *info)
{
    if (info->delay_ms == HWORKERS_NO_RESTART)
        return;
    if (WIFSIGNALED(info->status))
        hreport_note(&service->report, "worker", "worker %d (pid %ld) was killed by signal %d",
                     info->index, (long)info->pid, WTERMSIG(info->status));
    else
        hreport_note(&service->report, "worker", "worker %d (pid %ld) ended with status %d",
                     info->index, (long)info->pid, WEXITSTATUS(info->status));
}

static void on_worker_event(hworkers_t *workers, const hworkers_info_t *info, void *userdata)
{
    service_t *service = userdata;

    (void)workers;
    switch (info->event) {
    case HWORKERS_STARTED:
        if (service->options->verbose > 0)
            hreport_note(&service->report, "worker", "worker %d started (pid %ld)", info->index,
                         (long)info->pid);
        break;
    case HWORKERS_ENDED:
        atomic_store(&service->counts[info->index].open, 0); /* the kernel has closed them */
        report_worker_end(service, info);
        break;
    case HWORKERS_FAILED:
        hreport_note(&service->report, "error", "cannot start worker %d: %s", info->index,
                     herr_str(info->status));
        break;
    case HWORKERS_KILLED:
        hreport_note(&service->report, "warning", "worker %d (pid %ld) did not stop and was killed",
                     info->index, (long)info->pid);
        break;
    case HWORKERS_STOPPED:
        hloop_stop(service->loop);
        break;
    }
}

static int start_and_run(service_t *service)
{
    hworkers_options_t options = {.count = (int)service->options->workers,
                                  .run = worker_main,
                                  .on_event = on_worker_event,
                                  .userdata = service,
                                  .held = own_signals()};
    int err;

    service->step = "start the workers";
    err = hworkers_new(service->loop, &options, &service->workers);
    if (err)
        return err;
    service->step = "go on";
    return hloop_run(service->loop);
}

int workers_run(service_t *service, int index)
{
    int err = service_watch(service, on_master_stop, on_master_reload);

    (void)index;
    htitle_set(service->title, "hecho: master process");
    if (!err)
        err = service_ready(service);
    if (!err)
        err = start_and_run(service);
    hmain_unwatch(service->app);
    hworkers_free(service->workers);
    return err;
}
