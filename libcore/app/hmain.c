#include "hmain.h"

#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../base/hmem.h"
#include "../base/hstr.h"
#include "../event/hsignal.h"
#include "hdaemon.h"
#include "hpidfile.h"
#include "hprivilege.h"
#include "hsuggest.h"

#define EXIT_NOT_RUNNING 3 /* of -s status, as init scripts define it */
#define MESSAGE_SIZE (PATH_MAX + 256)

enum { ON_TERM, ON_INT, ON_QUIT, ON_HUP, ON_USR1, SIGNAL_COUNT };

static const int signal_numbers[SIGNAL_COUNT] = {[ON_TERM] = SIGTERM,
                                                 [ON_INT] = SIGINT,
                                                 [ON_QUIT] = SIGQUIT,
                                                 [ON_HUP] = SIGHUP,
                                                 [ON_USR1] = SIGUSR1};

struct hmain_s {
    const char *name;
    const hmain_options_t *options;
    pid_t owner; /* a forked worker is not it */
    hpidfile_t *pid_file;
    bool is_daemon;
    bool has_dropped;
    bool holds_signals; /* some wait; mask is what it was before */
    sigset_t mask;
    hdaemon_t daemon;
    hloop_t *loop;
    hmain_callbacks_t callbacks;
    pid_t watcher; /* the process that made the watches: they mean nothing in a forked worker */
    hsignal_t *signals[SIGNAL_COUNT];
    bool stopping;
};

static const char *const action_names[] = {"start", "stop", "restart", "status", "reload", NULL};
static const char *const log_action_names[] = {"start",  "stop",   "restart", "status",
                                               "reload", "reopen", NULL};

static int take_action(const hopt_t *option, const char *arg, void *opts, hbytes_t *why)
{
    hmain_options_t *options = opts;
    hsuggest_t near;

    hsuggest_init(&near, arg, strlen(arg));
    for (int i = 0; option->names[i] != NULL; i++) {
        if (strcmp(option->names[i], arg) == 0) {
            options->action = HMAIN_START + i;
            return 0;
        }
        hsuggest_offer(&near, option->names[i]);
    }
    hbytes_append_str(why, "it takes start, stop, restart, status");
    for (const char *const *name = option->names + HMAIN_STATUS; *name != NULL; name++)
        hbytes_printf(why, name[1] != NULL ? ", %s" : " or %s", *name);
    if (near.best != NULL)
        hbytes_printf(why, " (did you mean %s?)", near.best);
    return HERR_SYNTAX;
}

static const hopt_t first_rows[] = {
    HOPT_GROUP("Service"),
    HOPT_FLAG('d', "daemon", hmain_options_t, daemon, "run in the background"),
    HOPT_END,
};

static const hopt_t rest_rows[] = {
    HOPT_STRING(0, "pid-file", hmain_options_t, pid_file,
                "hold the process number in FILE while running", .arg_name = "FILE"),
    HOPT_STRING(0, "user", hmain_options_t, user, "run as this user once the ports are open",
                .arg_name = "USER"),
    HOPT_STRING(0, "group", hmain_options_t, group, "run as this group instead of the user's",
                .arg_name = "GROUP"),
    HOPT_SPAN(0, "stop-timeout", hmain_options_t, stop_timeout_ms,
              "how long stop and restart wait for the end (10s)"),
    HOPT_END,
};

const hopt_t hmain_rows[] = {
    {.type = HOPT_TYPE_INCLUDE, .table = first_rows},
    HOPT_CALL('s', "signal", take_action,
              "start, stop, restart or reload the server, or tell its status", .arg_name = "ACTION",
              .names = action_names),
    {.type = HOPT_TYPE_INCLUDE, .table = rest_rows},
    HOPT_END,
};

const hopt_t hmain_log_rows[] = {
    {.type = HOPT_TYPE_INCLUDE, .table = first_rows},
    HOPT_CALL(
        's', "signal", take_action,
        "start, stop, restart or reload the server, make it open its log files anew (reopen), "
        "or tell its status",
        .arg_name = "ACTION", .names = log_action_names),
    {.type = HOPT_TYPE_INCLUDE, .table = rest_rows},
    HOPT_END,
};

/* Names and paths in it may hold anything: a terminal gets no control characters. */
__attribute__((format(printf, 2, 3))) static int complain(const char *name, const char *fmt, ...)
{
    char text[MESSAGE_SIZE], safe[MESSAGE_SIZE];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    hstr_escape(safe, sizeof(safe), text, strlen(text));
    fprintf(stderr, "%s: %s\n", name, safe);
    return EXIT_FAILURE;
}

/* ---- -s ---- */

/* The path of the pid file; appended to `path`. 0 or an exit status after a message. */
static int pid_path(const char *name, const hmain_options_t *options, hbytes_t *path)
{
    const char *dir = geteuid() == 0 ? "/run" : getenv("XDG_RUNTIME_DIR");
    int status;

    if (options->pid_file != NULL)
        status = hbytes_append_str(path, options->pid_file);
    else if (dir != NULL && dir[0] == '/')
        status = hbytes_printf(path, "%s/%s.pid", dir, name);
    else
        return complain(name, "XDG_RUNTIME_DIR is not set; say where with --pid-file");
    return status < 0 ? complain(name, "%s", herr_str(status)) : 0;
}

static const char *why_text(int error)
{
    if (error == HPIDFILE_ELSEWHERE)
        return "held by a process in another PID namespace";
    return error == -EINVAL ? "there is something else than a pid file" : herr_str(error);
}

static int show_status(const char *name, pid_t pid)
{
    if (pid > 0)
        printf("%s start/running, pid=%ld\n", name, (long)pid);
    else if (pid == HPIDFILE_ELSEWHERE)
        printf("%s start/running, in another PID namespace\n", name);
    else
        printf("%s stop/waiting\n", name);
    return fflush(stdout) == 0 ? 0 : complain(name, "%s", herr_str(-errno));
}

static int do_status(const char *name, const char *path)
{
    pid_t pid = hpidfile_holder(path);

    if (pid < 0 && pid != HPIDFILE_ELSEWHERE)
        return complain(name, "%s: %s", path, why_text(pid));
    if (show_status(name, pid) != 0)
        return EXIT_FAILURE;
    return pid != 0 ? 0 : EXIT_NOT_RUNNING;
}

/* Quietly for restart: it says how it went when the new one runs. */
static int do_stop(const char *name, const hmain_options_t *options, const char *path)
{
    uint32_t timeout_ms = options->stop_timeout_ms;
    pid_t pid;
    int status;

    if (timeout_ms == 0)
        timeout_ms = HMAIN_STOP_TIMEOUT_MS;
    status = hpidfile_signal(path, SIGTERM, timeout_ms, &pid);
    if (status == -ETIMEDOUT)
        return complain(name, "process %ld did not stop within %.1f s", (long)pid,
                        timeout_ms / 1000.0);
    if (status < 0 && pid > 0)
        return complain(name, "process %ld: %s", (long)pid, herr_str(status));
    if (status < 0)
        return complain(name, "%s: %s", path, why_text(status));
    return options->action == HMAIN_STOP ? show_status(name, 0) : 0;
}

static int do_signal(const char *name, const char *path, int signo)
{
    pid_t pid;
    int status = hpidfile_signal(path, signo, 0, &pid);

    if (status < 0 && pid > 0)
        return complain(name, "process %ld: %s", (long)pid, herr_str(status));
    if (status < 0)
        return complain(name, "%s: %s", path, why_text(status));
    if (status == 0)
        return complain(name, "not running");
    return show_status(name, pid);
}

/* HMAIN_RUN, or the exit status of the process. */
static int act(const char *name, const hmain_options_t *options, const char *path)
{
    int status;

    switch ((hmain_action_e)options->action) {
    case HMAIN_STATUS:
        return do_status(name, path);
    case HMAIN_STOP:
        return do_stop(name, options, path);
    case HMAIN_RELOAD:
        return do_signal(name, path, SIGHUP);
    case HMAIN_REOPEN:
        return do_signal(name, path, SIGUSR1);
    case HMAIN_RESTART:
        status = do_stop(name, options, path);
        return status == 0 ? HMAIN_RUN : status;
    case HMAIN_START:
    case HMAIN_NONE:
        break;
    }
    return HMAIN_RUN;
}

/* ---- start ---- */

/* Those from first to last wait. Whoever finds the server may signal it before it watches: a reload
 * that comes early is a reload, and once the server has told that it runs, a stop is a stop and no
 * sudden death. */
static void hold_signals(hmain_t *app, int first, int last)
{
    sigset_t set, before;

    if (app->loop != NULL)
        return;
    sigemptyset(&set);
    for (int i = first; i <= last; i++)
        sigaddset(&set, signal_numbers[i]);
    if (sigprocmask(SIG_BLOCK, &set, &before) < 0)
        return;
    if (!app->holds_signals)
        app->mask = before;
    app->holds_signals = true;
}

static void release_signals(hmain_t *app)
{
    if (app->holds_signals)
        sigprocmask(SIG_SETMASK, &app->mask, NULL);
    app->holds_signals = false;
}

/* It ends anyway: how, is told by its status. */
static void forget_signals(hmain_t *app)
{
    const struct timespec no_wait = {0, 0};
    sigset_t set;

    if (!app->holds_signals)
        return;
    sigemptyset(&set);
    for (int i = 0; i < SIGNAL_COUNT; i++) {
        if (!sigismember(&app->mask, signal_numbers[i]))
            sigaddset(&set, signal_numbers[i]);
    }
    while (sigtimedwait(&set, NULL, &no_wait) > 0)
        continue;
    release_signals(app);
}

static int hold_pid_file(hmain_t *app, const char *path)
{
    pid_t holder;
    int status = hpidfile_open(path, &app->pid_file, &holder);

    if (status == -EEXIST && holder > 0)
        return complain(app->name, "already running, pid=%ld", (long)holder);
    if (status == -EEXIST)
        return complain(app->name, "%s: %s", path, why_text(holder));
    if (status < 0)
        return complain(app->name, "%s: %s", path, why_text(status));
    return 0;
}

/* In the process that stays. */
static int start(const char *name, const hmain_options_t *options, const char *path, hmain_t **out)
{
    hdaemon_t daemon = {-1};
    hmain_t *app;
    int status;

    if (options->daemon) {
        status = hdaemon_start(&daemon);
        if (status >= 0)
            return status;
        if (status != HDAEMON_CHILD)
            return complain(name, "cannot start a process: %s", herr_str(status));
    }
    app = hmem_zalloc(sizeof(*app));
    if (app == NULL) {
        hdaemon_fail(&daemon, EXIT_FAILURE);
        return complain(name, "%s", herr_str(-ENOMEM));
    }
    app->name = name;
    app->options = options;
    app->owner = getpid();
    app->daemon = daemon;
    app->is_daemon = options->daemon;
    signal(SIGPIPE, SIG_IGN);
    hold_signals(app, ON_HUP, ON_USR1);
    status = path != NULL ? hold_pid_file(app, path) : 0;
    if (status != 0)
        return hmain_end(app, status);
    *out = app;
    return HMAIN_RUN;
}

static int told(const char *name, int status, hbytes_t *why)
{
    if (status < 0)
        complain(name, "%s", why->len > 0 ? why->data : herr_str(status));
    hbytes_deinit(why);
    return status < 0 ? EXIT_FAILURE : 0;
}

/* Before an old server is stopped for one that could not start. */
static int check_names(const char *name, const hmain_options_t *options)
{
    hbytes_t why = {0};

    if (options->action != HMAIN_NONE && options->action != HMAIN_START &&
        options->action != HMAIN_RESTART)
        return 0;
    return told(name, hprivilege_check(options->user, options->group, NULL, &why), &why);
}

int hmain_begin(const char *name, const hmain_options_t *options, hmain_t **app)
{
    bool has_file = options->daemon || options->action != HMAIN_NONE || options->pid_file != NULL;
    hbytes_t path = {0};
    int status = check_names(name, options);

    *app = NULL;
    if (status == 0 && has_file)
        status = pid_path(name, options, &path);
    if (status == 0)
        status = act(name, options, path.data);
    if (status == HMAIN_RUN)
        status = start(name, options, path.data, app);
    hbytes_deinit(&path);
    return status;
}

int hmain_drop(hmain_t *app)
{
    const hmain_options_t *options = app->options;
    hbytes_t why = {0};

    if (app->has_dropped)
        return 0;
    app->has_dropped = true;
    return told(app->name, hprivilege_drop(options->user, options->group, &why), &why);
}

int hmain_ready(hmain_t *app)
{
    const hmain_options_t *options = app->options;
    int status = hmain_drop(app);

    if (status != 0)
        return status;
    hold_signals(app, ON_TERM, ON_USR1);
    if (!app->is_daemon)
        return 0;
    if (options->action != HMAIN_NONE && show_status(app->name, getpid()) != 0)
        return EXIT_FAILURE;
    status = hdaemon_ready(&app->daemon);
    return status < 0 ? complain(app->name, "/dev/null: %s", herr_str(status)) : 0;
}

/* ---- signals ---- */

static void on_stop(hsignal_t *signal)
{
    hmain_t *app = hevent_userdata(signal);

    if (app->stopping || app->callbacks.on_stop == NULL) {
        hloop_stop(app->loop);
        return;
    }
    app->stopping = true;
    app->callbacks.on_stop(app, app->callbacks.userdata);
}

static void on_reload(hsignal_t *signal)
{
    hmain_t *app = hevent_userdata(signal);

    if (app->callbacks.on_reload != NULL)
        app->callbacks.on_reload(app, app->callbacks.userdata);
    else if (!app->is_daemon)
        on_stop(signal);
}

static void on_user(hsignal_t *signal)
{
    hmain_t *app = hevent_userdata(signal);

    app->callbacks.on_user(app, app->callbacks.userdata);
}

int hmain_watch(hmain_t *app, hloop_t *loop, const hmain_callbacks_t *callbacks)
{
    static const hsignal_cb watches[SIGNAL_COUNT] = {[ON_TERM] = on_stop,
                                                     [ON_INT] = on_stop,
                                                     [ON_QUIT] = on_stop,
                                                     [ON_HUP] = on_reload,
                                                     [ON_USR1] = on_user};

    app->loop = loop;
    app->watcher = getpid();
    app->callbacks = *callbacks;
    app->stopping = false;
    for (int i = 0; i < SIGNAL_COUNT; i++) {
        app->signals[i] = NULL;
        if (watches[i] == on_user && callbacks->on_user == NULL)
            continue;
        app->signals[i] = hsignal_add(loop, watches[i], signal_numbers[i]);
        if (app->signals[i] == NULL) {
            int status = -errno;

            hmain_unwatch(app);
            return status;
        }
        hevent_set_userdata(app->signals[i], app);
    }
    release_signals(app);
    return 0;
}

void hmain_unwatch(hmain_t *app)
{
    for (int i = 0; i < SIGNAL_COUNT; i++) {
        if (app->watcher == getpid())
            hsignal_del(app->signals[i]);
        app->signals[i] = NULL;
    }
    app->loop = NULL;
}

hloop_t *hmain_loop(const hmain_t *app)
{
    return app->loop;
}

int hmain_end(hmain_t *app, int status)
{
    if (app == NULL)
        return status;
    hpidfile_close(app->pid_file);
    if (app->owner == getpid())
        hdaemon_fail(&app->daemon, status);
    forget_signals(app);
    hmem_free(app);
    return status;
}
