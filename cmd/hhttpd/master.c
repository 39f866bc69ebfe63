/* master: the process that was started. It opens everything, keeps workers alive and never accepts
 * a connection. With --user it stays who it is, so that a reload can still read keys, open low
 * ports and logs; it handles no byte that comes from the network. */
#include "hhttpd.h"

#include "app/hprivilege.h"
#include "app/hstart.h"
#include "base/hmem.h"
#include "event/htimer.h"
#include "site.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define ROTATE_MS 60000
#define STOP_KILL_MS (STOP_MS + 2000)
#define GRACE_EXTRA_MS 5000
#define RESTART_MS_MAX 2000 /* connections may wait for the worker that died */

/* ---- generations ----------------------------------------------------------------------------- */

static void free_generation(generation_t *g)
{
    if (!g)
        return;
    hworkers_free(g->workers);
    if (g->master && g->master->shared)
        metrics_forget(&g->master->shared->metrics, g->number);
    htls_ctx_free(g->tls);
    log_close(&g->log);
    settings_free(g->settings);
    hmem_free(g);
}

static int check_user(const settings_t *s, hbytes_t *errors)
{
    const char *user = s->main.user, *group = s->main.group, *wrong = group;
    hbytes_t why = {0};
    int err = hprivilege_check(NULL, group, &why);

    if (!err) {
        wrong = user;
        err = hprivilege_check(user, group, &why);
    }
    if (err) {
        settings_where(s, wrong, errors);
        hbytes_printf(errors, "%s\n", why.len > 0 ? why.data : herr_str(err));
    }
    hbytes_deinit(&why);
    return err;
}

/* Everything that can fail without listening; the settings belong to the generation then. */
static int try_out(generation_t *g, hbytes_t *errors)
{
    int err = check_user(g->settings, errors);

    if (!err)
        err = log_open(&g->log, g->settings, errors);
    if (!err)
        err = tls_make(g->settings, g->master ? g->master->current : NULL, &g->tls, errors);
    return err ? err : trial_run(g, errors);
}

/* A generation without workers, or NULL and lines in errors; takes the settings in any case. */
static generation_t *make_generation(master_t *master, settings_t *settings, hbytes_t *errors)
{
    generation_t *g = hmem_zalloc(sizeof(*g));
    int err = -ENOMEM;

    if (!g) {
        settings_free(settings);
        hbytes_printf(errors, "%s\n", herr_str(err));
        return NULL;
    }
    *g = (generation_t){.master = master, .settings = settings, .log = {.fd = -1}};
    err = try_out(g, errors);
    if (!err && master)
        err = listeners_open(&master->listeners, settings, &g->listens, errors);
    if (!err)
        return g;
    if (errors->len == 0)
        hbytes_printf(errors, "%s\n", herr_str(err));
    free_generation(g);
    return NULL;
}

int master_test(settings_t *settings, hbytes_t *errors)
{
    generation_t *g = make_generation(NULL, settings, errors);

    free_generation(g);
    return g ? 0 : HERR_SYNTAX;
}

static void report_end(const generation_t *g, const hworkers_info_t *info)
{
    if (info->delay_ms == HWORKERS_NO_RESTART)
        return;
    if (WIFSIGNALED(info->status))
        log_say(&g->log, HLOG_ERROR,
                "worker %d (pid %ld) was killed by signal %d; a new one starts", info->index,
                (long)info->pid, WTERMSIG(info->status));
    else
        log_say(&g->log, HLOG_ERROR,
                "worker %d (pid %ld) ended with status %d; a new one starts in %u ms", info->index,
                (long)info->pid, WEXITSTATUS(info->status), info->delay_ms);
}

/* hworkers_free may not be called from its own callback. */
static void on_generation_gone(htimer_t *timer)
{
    generation_t *g = hevent_userdata(timer), **at = &g->master->current;
    master_t *master = g->master;

    while (*at && *at != g)
        at = &(*at)->next;
    if (!*at)
        return;
    if (g == master->current && !g->next) {
        hloop_stop(master->loop); /* the log is needed a little longer */
        return;
    }
    *at = g->next;
    log_say(&master->current->log, HLOG_DEBUG, "generation %llu has gone",
            (unsigned long long)g->number);
    free_generation(g);
}

static void on_worker_event(hworkers_t *workers, const hworkers_info_t *info, void *userdata)
{
    generation_t *g = userdata;
    htimer_t *timer;

    (void)workers;
    switch (info->event) {
    case HWORKERS_STARTED:
        if (g->settings->verbose > 0)
            log_say(&g->log, HLOG_INFO, "worker %d started (pid %ld)", info->index,
                    (long)info->pid);
        break;
    case HWORKERS_ENDED:
        report_end(g, info);
        break;
    case HWORKERS_FAILED:
        log_say(&g->log, HLOG_ERROR, "cannot start worker %d: %s", info->index,
                herr_str(info->status));
        break;
    case HWORKERS_KILLED:
        log_say(&g->log, HLOG_WARN, "worker %d (pid %ld) did not stop and was killed", info->index,
                (long)info->pid);
        break;
    case HWORKERS_STOPPED:
        timer = htimer_add(g->master->loop, on_generation_gone, 1, 1);
        if (timer)
            hevent_set_userdata(timer, g);
        break;
    }
}

static int start_generation(generation_t *g)
{
    const settings_t *s = g->settings;
    hworkers_options_t options = {
        .count = (int)s->worker_processes,
        .run = worker_main,
        .on_event = on_worker_event,
        .held = worker_signals(),
        .delay_max_ms = RESTART_MS_MAX,
        .grace_ms = s->drain_ms < UINT32_MAX / 4 ? s->drain_ms + GRACE_EXTRA_MS : UINT32_MAX / 4,
        .userdata = g};

    g->number = atomic_fetch_add(&g->master->shared->generation, 1) + 1;
    return hworkers_new(g->master->loop, &options, &g->workers);
}

/* So that there is a bound: reloads may come faster than connections end. */
static void end_oldest(master_t *master)
{
    generation_t **at = &master->current;
    generation_t *oldest;
    size_t n = 0;

    for (; *at; at = &(*at)->next)
        n++;
    if (n < GENERATIONS_MAX)
        return;
    at = &master->current;
    while ((*at)->next)
        at = &(*at)->next;
    oldest = *at;
    *at = NULL;
    free_generation(oldest);
}

/* ---- reload ---------------------------------------------------------------------------------- */

static void refuse(const master_t *master, const hbytes_t *errors)
{
    const log_t *log = &master->current->log;

    log_lines(log, HLOG_ERROR, errors);
    log_say(log, HLOG_ERROR, "the new configuration is not used: the old one stays");
}

static void replace(master_t *master, generation_t *g)
{
    generation_t *old = master->current;
    int err;

    g->next = old;
    master->current = g;
    err = start_generation(g);
    if (err) {
        log_say(&old->log, HLOG_ERROR, "cannot start workers: %s", herr_str(err));
        master->current = old;
        free_generation(g);
        return;
    }
    listeners_close_unused(&master->listeners);
    hworkers_stop(old->workers);
    end_oldest(master);
}

static void reload(master_t *master, const char *why)
{
    settings_t *settings = NULL;
    generation_t *g = NULL;
    hbytes_t errors = {0};

    if (master->shared->stopping)
        return;
    if (settings_load(master->argc, master->argv, &settings, &errors) == 0)
        g = make_generation(master, settings, &errors);
    else
        settings_free(settings);
    if (g) {
        replace(master, g);
        log_say(&master->current->log, HLOG_INFO, "%s: generation %llu serves", why,
                (unsigned long long)master->current->number);
    } else {
        refuse(master, &errors);
    }
    hbytes_deinit(&errors);
}

static void on_reload(hmain_t *app, void *userdata)
{
    (void)app;
    reload(userdata, "reloaded");
}

static void on_rotate_timer(htimer_t *timer)
{
    master_t *master = hevent_userdata(timer);

    if (log_rotate(&master->current->log))
        reload(master, "log files moved");
}

/* ---- the end --------------------------------------------------------------------------------- */

static void on_stop_timer(htimer_t *timer)
{
    const master_t *master = hevent_userdata(timer);

    log_say(&master->current->log, HLOG_WARN, "not all workers have stopped in time: killed");
    hloop_stop(master->loop);
}

static void on_stop(hmain_t *app, void *userdata)
{
    master_t *master = userdata;
    htimer_t *timer = htimer_add(master->loop, on_stop_timer, STOP_KILL_MS, 1);

    (void)app;
    if (timer)
        hevent_set_userdata(timer, master);
    atomic_store(&master->shared->stopping, true);
    listeners_close(&master->listeners); /* nobody shall wait in a queue for nothing */
    for (generation_t *g = master->current; g; g = g->next) {
        hworkers_stop(g->workers);
        hworkers_signal(g->workers, SIGTERM); /* those that drain already have less time now */
    }
}

/* ---- the beginning --------------------------------------------------------------------------- */

/* When the terminal hangs up, a server that nobody could find any more ends. */
static bool is_reloadable(const settings_t *s)
{
    return s->conf_path || log_has_file(s) || s->main.pid_file || s->main.daemon ||
           s->main.action != HMAIN_NONE;
}

/* Who waits for the line "serving" has read by then what else there was to say. */
static void announce(const master_t *master)
{
    const generation_t *g = master->current;
    char url[LISTENER_URL_SIZE], print[128], pin[64];

    auth_warn(g);
    if (g->tls && g->settings->tls_self_signed)
        log_say(&g->log, HLOG_INFO, "self-signed certificate, %s, %s",
                htls_ctx_fingerprint(g->tls, print, sizeof(print)),
                htls_ctx_pin(g->tls, pin, sizeof(pin)));
    for (size_t i = 0; i < g->listens.count; i++)
        log_say(&g->log, HLOG_INFO, "serving %s on %s", g->settings->site.root_shown,
                listener_url(g->listens.items[i].fds[0], g->listens.items[i].tls,
                             g->settings->site.base_url, url, sizeof(url)));
    if (g->settings->qr && g->listens.count > 0)
        site_show_qr(listener_url(g->listens.items[0].fds[0], g->listens.items[0].tls,
                                  g->settings->site.base_url, url, sizeof(url)));
}

static int run(master_t *master)
{
    hmain_callbacks_t callbacks = {.on_stop = on_stop, .userdata = master};
    int err;

    if (is_reloadable(master->current->settings))
        callbacks.on_reload = on_reload;
    htitle_set(master->title, "hhttpd: master process");
    err = hmain_watch(master->app, master->loop, &callbacks);
    if (!err) {
        announce(master);
        /* Before there are workers: they inherit what a daemon's stderr is from here on. */
        if (hmain_ready(master->app) != 0)
            return 1;
        err = start_generation(master->current);
    }
    if (err) {
        log_say(&master->current->log, HLOG_ERROR, "cannot start workers: %s", herr_str(err));
        return 1;
    }
    if (log_rotates(&master->current->log)) {
        htimer_t *timer = htimer_add(master->loop, on_rotate_timer, ROTATE_MS, INFINITE);

        if (timer)
            hevent_set_userdata(timer, master);
    }
    return hloop_run(master->loop) == 0 ? 0 : 1;
}

static int make_shared(master_t *master)
{
    void *memory =
        mmap(NULL, sizeof(shared_t), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    if (memory == MAP_FAILED)
        return -errno;
    master->shared = memory;
    return 0;
}

static int start(master_t *master, settings_t *settings)
{
    const log_t terminal = {.fd = STDERR_FILENO};
    char why[HSTART_WHY_SIZE];
    hbytes_t errors = {0};
    int status = 1;

    if (make_shared(master) == 0 && listeners_take_over(&master->listeners, &errors) == 0)
        master->current = make_generation(master, settings, &errors);
    else
        settings_free(settings);
    if (master->current) {
        master->loop = hstart_loop(NULL, why, sizeof(why));
        if (!master->loop)
            hbytes_printf(&errors, "cannot open the event loop: %s\n", why);
        else
            status = run(master);
    }
    log_lines(&terminal, HLOG_ERROR, &errors);
    hbytes_deinit(&errors);
    return status;
}

static void clean_up(master_t *master)
{
    hmain_unwatch(master->app);
    while (master->current) {
        generation_t *g = master->current;

        master->current = g->next;
        free_generation(g);
    }
    if (master->loop)
        hloop_free(&master->loop);
    listeners_close(&master->listeners);
    if (master->shared)
        munmap(master->shared, sizeof(shared_t));
}

int master_serve(int argc, char *const argv[], settings_t *settings, htitle_t *title)
{
    const log_t terminal = {.fd = STDERR_FILENO};
    master_t *master = hmem_zalloc(sizeof(*master));
    hbytes_t errors = {0};
    int err = check_user(settings, &errors), status = 1;

    log_lines(&terminal, HLOG_ERROR, &errors);
    hbytes_deinit(&errors);
    if (!master || err < 0) {
        settings_free(settings);
        hmem_free(master);
        return 1;
    }
    *master = (master_t){
        .argc = argc, .argv = argv, .title = title, .options = settings->main, .pid = getpid()};
    master->options.user = NULL;
    master->options.group = NULL;
    if (settings->main.pid_file) /* which lives longer than the first settings */
        master->options.pid_file = master->pid_file = hmem_strdup(settings->main.pid_file);
    status = hmain_begin("hhttpd", &master->options, &master->app);
    if (status == HMAIN_RUN) {
        status = start(master, settings);
        clean_up(master);
        status = hmain_end(master->app, status);
    } else {
        settings_free(settings);
    }
    hmem_free(master->pid_file);
    hmem_free(master);
    return status;
}
