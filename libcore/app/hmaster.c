#include "hmaster_int.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../base/hmem.h"
#include "hprivilege.h"
#include "hstart.h"

#define KILL_EXTRA_MS 2000
#define STOP_MS_MAX (UINT32_MAX / 4)

/* ---- reload ---------------------------------------------------------------------------------- */

static void refuse(const hmaster_t *master, const hbytes_t *errors)
{
    hlogfile_say_lines(hmaster__log(master), HLOG_ERROR, errors);
    hlogfile_say(hmaster__log(master), HLOG_ERROR,
                 "the new configuration is not used: the old one stays");
}

static void tell_what_stays(const hmaster_t *master, const char *value, const char *what)
{
    const hmaster_settings_t *now = master->current->plan.base;
    hbytes_t place = {0};

    hconf_where(now->conf, now->conf_path, value, &place);
    hlogfile_say(hmaster__log(master), HLOG_WARN,
                 "%s%s stays as it was at the start: a restart changes it",
                 place.len > 0 ? place.data : "", what);
    hbytes_deinit(&place);
}

static bool is_same(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : a == b;
}

static void compare_with_start(const hmaster_t *master)
{
    const hmain_options_t *now, *then = &master->main;

    if (!master->current->plan.base)
        return;
    now = &master->current->plan.base->main;
    if (!is_same(now->pid_file, then->pid_file))
        tell_what_stays(master, now->pid_file, "the pid file");
    if (now->daemon != then->daemon)
        tell_what_stays(master, NULL, "daemon");
}

/* 0, or a negative error: the old one stays. */
static int replace(hmaster_t *master, generation_t *g)
{
    generation_t *old = master->current;
    int err;

    hmaster__make_room(master, g->plan.workers);
    g->next = old;
    master->current = g;
    err = hmaster__start(g);
    if (err) {
        master->current = old;
        hlisteners_undo(master->listeners);
        hmaster__free(g);
        return err;
    }
    hlisteners_commit(master->listeners);
    hworkers_stop(old->workers);
    hmaster__watch_logs(master);
    return 0;
}

static void on_reload(hmain_t *app, void *userdata)
{
    hmaster_t *master = userdata;
    hbytes_t errors = {0};
    generation_t *g;
    int err = HERR_SYNTAX;

    (void)app;
    if (atomic_load(master->stopping))
        return;
    g = hmaster__make(master, &errors);
    if (g)
        err = replace(master, g);
    if (g && err)
        hbytes_printf(&errors, "cannot start workers: %s\n", herr_str(err));
    if (err) {
        refuse(master, &errors);
    } else {
        compare_with_start(master);
        hlogfile_say(hmaster__log(master), HLOG_INFO, "reloaded: generation %llu serves",
                     (unsigned long long)master->current->shown.number);
    }
    hbytes_deinit(&errors);
}

static void on_user(hmain_t *app, void *userdata)
{
    (void)app;
    hmaster__reopen_logs(userdata);
}

/* ---- the end --------------------------------------------------------------------------------- */

static void on_stop_timer(htimer_t *timer)
{
    const hmaster_t *master = hevent_userdata(timer);

    hlogfile_say(hmaster__log(master), HLOG_WARN, "not all workers have stopped in time: killed");
    hloop_stop(master->loop);
}

static void on_stop(hmain_t *app, void *userdata)
{
    hmaster_t *master = userdata;
    uint32_t left_ms = hmaster__stop_ms(&master->current->plan);
    htimer_t *timer;

    (void)app;
    timer = htimer_add(master->loop, on_stop_timer,
                       left_ms < STOP_MS_MAX ? left_ms + KILL_EXTRA_MS : STOP_MS_MAX, 1);
    if (timer)
        hevent_set_userdata(timer, master);
    atomic_store(master->stopping, true);
    hlisteners_close(master->listeners); /* nobody shall wait in a queue for nothing */
    for (generation_t *g = master->current; g; g = g->next) {
        hworkers_stop(g->workers);
        hworkers_signal(g->workers, SIGTERM); /* those that drain already have less time now */
    }
}

/* ---- for a load ------------------------------------------------------------------------------ */

int hmaster_check_user(const hmaster_settings_t *settings, hbytes_t *errors)
{
    const hmain_options_t *m = &settings->main;
    const char *wrong = NULL;
    hbytes_t why = {0};
    int err = hprivilege_check(m->user, m->group, &wrong, &why);

    if (err) {
        hconf_where(settings->conf, settings->conf_path, wrong, errors);
        hbytes_printf(errors, "%s\n", why.len > 0 ? why.data : herr_str(err));
    }
    hbytes_deinit(&why);
    return err;
}

int hmaster_open_logs(const hmaster_settings_t *settings, hlogs_t *logs, hbytes_t *errors)
{
    const char *wrong;
    int err = hlogs_open(logs, &settings->logs, &wrong);

    if (err) {
        hconf_where(settings->conf, settings->conf_path, wrong, errors);
        hbytes_printf(errors, "cannot open %s: %s\n", wrong, herr_str(err));
    }
    return err;
}

/* ---- the beginning --------------------------------------------------------------------------- */

static int serve(hmaster_t *master)
{
    const hmaster_options_t *options = master->options;
    hmain_callbacks_t callbacks = {.on_stop = on_stop, .on_user = on_user, .userdata = master};
    const hmaster_settings_t *base = options->base;
    const hmain_options_t *m = &base->main;
    int err;

    if (base->conf_path || hlogs_have_path(&base->logs) || m->pid_file || m->daemon ||
        m->action != HMAIN_NONE)
        callbacks.on_reload = on_reload;
    htitle_set(options->title, "%s: master process", options->name);
    err = hmain_watch(master->app, master->loop, &callbacks);
    if (!err) {
        /* Who waits for these words has read by then what else there was to say. */
        if (options->announce)
            options->announce(options->userdata, &master->current->shown);
        /* Before there are workers: they inherit what a daemon's stderr is from here on. */
        if (hmain_ready(master->app) != 0)
            return 1;
        err = hmaster__start(master->current);
    }
    if (err) {
        hlogfile_say(hmaster__log(master), HLOG_ERROR, "cannot start workers: %s", herr_str(err));
        return 1;
    }
    hlisteners_commit(master->listeners);
    hmaster__watch_logs(master);
    return hloop_run(master->loop) == 0 ? 0 : 1;
}

static int make_shared(hmaster_t *master)
{
    void *memory = mmap(NULL, sizeof(*master->stopping), PROT_READ | PROT_WRITE,
                        MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    if (memory == MAP_FAILED)
        return -errno;
    master->stopping = memory;
    return 0;
}

static int start(hmaster_t *master)
{
    char why[HSTART_WHY_SIZE];
    hbytes_t errors = {0};
    int status = 1;

    master->pid = getpid();
    if (hlisteners_take_over(master->listeners, &errors) == 0)
        master->current = hmaster__make(master, &errors);
    if (master->current) {
        master->loop = hstart_loop(NULL, why, sizeof(why));
        if (!master->loop)
            hbytes_printf(&errors, "cannot open the event loop: %s\n", why);
        else
            status = serve(master);
    }
    hlogfile_complain(master->options->name, &errors);
    hbytes_deinit(&errors);
    return status;
}

static void clean_up(hmaster_t *master)
{
    if (master->loop)
        hmain_unwatch(master->app);
    while (master->current) {
        generation_t *g = master->current;

        master->current = g->next;
        hmaster__free(g);
    }
    if (master->loop)
        hloop_free(&master->loop);
    hlisteners_free(master->listeners);
    if (master->stopping)
        munmap(master->stopping, sizeof(*master->stopping));
    hmem_free(master->pid_file);
    hmem_free(master);
}

static int prepare(hmaster_t *master)
{
    const hmain_options_t *given = &master->options->base->main;

    master->main = *given;
    master->main.user = NULL;
    master->main.group = NULL;
    if (given->pid_file) /* which lives longer than the first settings */
        master->main.pid_file = master->pid_file = hmem_strdup(given->pid_file);
    master->listeners = hlisteners_new();
    if (!master->listeners || (given->pid_file && !master->pid_file))
        return -ENOMEM;
    return make_shared(master);
}

int hmaster_run(const hmaster_options_t *options)
{
    hmaster_t *master = hmem_zalloc(sizeof(*master));
    hmain_t *app = NULL;
    int err = -ENOMEM, status = 1;

    if (master) {
        master->options = options;
        err = prepare(master);
    }
    if (err) {
        hbytes_t errors = {0};

        hbytes_printf(&errors, "%s\n", herr_str(err));
        hlogfile_complain(options->name, &errors);
        hbytes_deinit(&errors);
    } else {
        status = hmain_begin(options->name, &master->main, &app);
    }
    if (status == HMAIN_RUN) {
        master->app = app;
        status = start(master);
    }
    if (master)
        clean_up(master);
    return hmain_end(app, status);
}
