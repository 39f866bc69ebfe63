/* The program is two: cmocka's tests, and with a first argument a small server, which they run. */
#include "app/hmain.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "app/hdaemon.h"
#include "app/hopt_doc.h"
#include "base/hmem.h"
#include "base/htime.h"
#include "event/htimer.h"
#include "oom.h"

#define WAIT_MS 100000
#define LIFE_MS 200000 /* of a server that nobody stops */

/* ---- the server ---- */

typedef struct server_opts_s {
    hmain_options_t main;
    const char *mark; /* a file that gets a letter for each thing that happened */
    bool fail;
    bool crash;
    bool stubborn;
    bool early;
    bool hasty;
    bool late;
} server_opts_t;

static const hopt_t server_options[] = {
    HOPT_STRING(0, "mark", server_opts_t, mark, "file for marks"),
    HOPT_FLAG(0, "fail", server_opts_t, fail, "fail at the start"),
    HOPT_FLAG(0, "crash", server_opts_t, crash, "crash at the start"),
    HOPT_FLAG(0, "stubborn", server_opts_t, stubborn, "do not stop at the first signal"),
    HOPT_FLAG(0, "early", server_opts_t, early, "be told to reload during the start"),
    HOPT_FLAG(0, "hasty", server_opts_t, hasty, "be told to stop during the start"),
    HOPT_FLAG(0, "late", server_opts_t, late, "watch after a signal has come"),
    HOPT_INCLUDE(hmain_rows, server_opts_t, main, hmain_options_t),
    HOPT_END,
};
static const char *const server_usage[] = {"[options]", NULL};
static const hopt_doc_t server_doc = {.name = "mini",
                                      .summary = "a server",
                                      .options = server_options,
                                      .usage = server_usage,
                                      .description = server_usage};

static void mark(const server_opts_t *opts, char c)
{
    FILE *file = opts->mark != NULL ? fopen(opts->mark, "a") : NULL;

    if (file == NULL)
        return;
    fputc(c, file);
    fclose(file);
}

static void on_stop(hmain_t *app, void *userdata)
{
    const server_opts_t *opts = userdata;

    mark(opts, 's');
    if (!opts->stubborn)
        hloop_stop(hmain_loop(app));
}

static void on_reload(hmain_t *app, void *userdata)
{
    (void)app;
    mark(userdata, 'r');
}

static void on_user(hmain_t *app, void *userdata)
{
    (void)app;
    mark(userdata, 'u');
}

static void on_life_end(htimer_t *timer)
{
    hloop_stop(hevent_loop(timer));
}

/* Whoever finds its pid file may not know that it only starts. */
static void signal_early(const server_opts_t *opts)
{
    if (opts->early) {
        raise(SIGHUP);
        raise(SIGUSR1);
    }
    if (opts->hasty)
        raise(SIGTERM);
}

/* Whoever was told that it runs may have been quicker. */
static int watch_late(hmain_t *app, hloop_t *loop, const hmain_callbacks_t *callbacks)
{
    sigset_t blocked;

    raise(SIGHUP);
    raise(SIGUSR1);
    raise(SIGTERM);
    if (hmain_watch(app, loop, callbacks) < 0)
        return 1;
    sigprocmask(SIG_SETMASK, NULL, &blocked);
    return sigismember(&blocked, SIGTERM) || sigismember(&blocked, SIGINT) ? 2 : 0;
}

static int serve(server_opts_t *opts)
{
    const hmain_callbacks_t callbacks = {on_stop, on_reload, on_user, opts};
    hloop_t *loop = NULL;
    hmain_t *app;
    int status = hmain_begin("mini", &opts->main, &app);

    if (status != HMAIN_RUN)
        return status;
    signal_early(opts);
    if (opts->fail) {
        fprintf(stderr, "mini: told to fail\n");
        return hmain_end(app, 7);
    }
    if (opts->crash)
        _exit(0);
    status = 1;
    loop = hloop_new(0);
    if (loop == NULL || htimer_add(loop, on_life_end, LIFE_MS, 1) == NULL ||
        (!opts->late && hmain_watch(app, loop, &callbacks) < 0))
        goto cleanup;
    status = hmain_ready(app);
    if (status == 0 && opts->late)
        status = watch_late(app, loop, &callbacks);
    if (status == 0) {
        mark(opts, 'R');
        hloop_run(loop);
    }
cleanup:
    if (loop != NULL)
        hmain_unwatch(app);
    hloop_free(&loop);
    return hmain_end(app, status);
}

static int server_main(int argc, char **argv)
{
    server_opts_t opts = {0};
    hopt_list_t operands = {0};
    int status = hopt_main_parse(&server_doc, argc, argv, &opts, &operands);

    if (status == HOPT_RUN)
        status = serve(&opts);
    hopt_main_free(&server_doc, &opts, &operands);
    return status;
}

/* ---- what the tests share ---- */

static char dir[32], self[256];

static int begin(void **state)
{
    ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

    (void)state;
    if (n < 0)
        return -1;
    self[n] = '\0';
    snprintf(dir, sizeof(dir), "/tmp/hmain-XXXXXX");
    return mkdtemp(dir) == NULL ? -1 : 0;
}

/* Runs the server with options; returns its exit status, and what it wrote in text. */
static int mini(const char *options, char *text, size_t size)
{
    char command[1024];
    FILE *output;
    int status;

    snprintf(command, sizeof(command),
             "'%s' serve --pid-file '%s/pid' --mark '%s/mark' %s 2>&1 </dev/null", self, dir, dir,
             options);
    output = popen(command, "r");
    assert_non_null(output);
    text[fread(text, 1, size - 1, output)] = '\0';
    status = pclose(output);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static int end(void **state)
{
    static const char *const names[] = {"pid", "mark"};
    char text[256], path[64];

    (void)state;
    mini("-s stop", text, sizeof(text));
    while (waitpid(-1, NULL, WNOHANG) > 0)
        continue;
    for (size_t i = 0; i < 2; i++) {
        snprintf(path, sizeof(path), "%s/%s", dir, names[i]);
        unlink(path);
    }
    return rmdir(dir);
}

/* Waits until the marks are these. */
static void wait_marks(const char *marks)
{
    uint64_t end_ns = htime_monotonic_ns() + WAIT_MS * HTIME_NS_PER_MS;
    const struct timespec pause_time = {0, 1000000};
    char path[64], text[64] = "";

    snprintf(path, sizeof(path), "%s/mark", dir);
    while (htime_monotonic_ns() < end_ns) {
        FILE *file = fopen(path, "r");

        if (file != NULL) {
            text[fread(text, 1, sizeof(text) - 1, file)] = '\0';
            fclose(file);
            if (strcmp(text, marks) == 0)
                return;
        }
        nanosleep(&pause_time, NULL);
    }
    fail_msg("the marks are \"%s\", not \"%s\"", text, marks);
}

static pid_t pid_in(const char *text, const char *before)
{
    assert_int_equal(strncmp(text, before, strlen(before)), 0);
    return (pid_t)strtol(text + strlen(before), NULL, 10);
}

static pid_t start(const char *more)
{
    char options[128], text[256];

    snprintf(options, sizeof(options), "-d -s start %s", more);
    assert_int_equal(mini(options, text, sizeof(text)), 0);
    return pid_in(text, "mini start/running, pid=");
}

/* ---- tests ---- */

static void status_tells_running_from_stopped(void **state)
{
    char text[256];
    pid_t pid;

    (void)state;
    assert_int_equal(mini("-s status", text, sizeof(text)), 3);
    assert_string_equal(text, "mini stop/waiting\n");
    pid = start("");
    assert_int_equal(mini("-s status", text, sizeof(text)), 0);
    assert_int_equal(pid_in(text, "mini start/running, pid="), pid);
    assert_int_equal(mini("-s stop", text, sizeof(text)), 0);
    assert_string_equal(text, "mini stop/waiting\n");
    assert_int_equal(waitpid(pid, NULL, WNOHANG), pid);
    assert_int_equal(mini("-s status", text, sizeof(text)), 3);
    assert_int_equal(mini("-s stop", text, sizeof(text)), 0);
}

static void a_daemon_leaves_the_session_and_the_terminal(void **state)
{
    char link[64], target[64] = "";
    pid_t pid = start("");

    (void)state;
    assert_int_not_equal(getsid(pid), getsid(0));
    assert_int_not_equal(getsid(pid), pid); /* no leader: it can get no terminal */
    for (int fd = 0; fd <= 2; fd++) {
        snprintf(link, sizeof(link), "/proc/%ld/fd/%d", (long)pid, fd);
        memset(target, 0, sizeof(target));
        assert_true(readlink(link, target, sizeof(target) - 1) > 0);
        assert_string_equal(target, "/dev/null");
    }
}

/* No socket and no file of the server may become what messages are written to. */
static void a_daemon_starts_without_standard_descriptors(void **state)
{
    char command[1024], link[64], target[64], text[256];
    pid_t pid;

    (void)state;
    snprintf(command, sizeof(command), "'%s' serve --pid-file '%s/pid' -d <&- >&- 2>&-", self, dir);
    assert_int_equal(system(command), 0);
    assert_int_equal(mini("-s status", text, sizeof(text)), 0);
    pid = pid_in(text, "mini start/running, pid=");
    for (int fd = 0; fd <= 2; fd++) {
        snprintf(link, sizeof(link), "/proc/%ld/fd/%d", (long)pid, fd);
        memset(target, 0, sizeof(target));
        assert_true(readlink(link, target, sizeof(target) - 1) > 0);
        assert_string_equal(target, "/dev/null");
    }
}

static void a_second_start_is_refused(void **state)
{
    char text[256], expected[64];
    pid_t pid = start("");

    (void)state;
    assert_int_equal(mini("-d", text, sizeof(text)), 1);
    snprintf(expected, sizeof(expected), "mini: already running, pid=%ld\n", (long)pid);
    assert_string_equal(text, expected);
    assert_int_equal(mini("", text, sizeof(text)), 1);
    assert_string_equal(text, expected);
}

static void a_failed_start_gives_its_message_and_status(void **state)
{
    char text[256];

    (void)state;
    assert_int_equal(mini("-d --fail", text, sizeof(text)), 7);
    assert_string_equal(text, "mini: told to fail\n");
    assert_int_equal(mini("-d --crash", text, sizeof(text)), 1);
    assert_int_equal(mini("-s status", text, sizeof(text)), 3);
}

static void signals_reach_their_callbacks(void **state)
{
    char text[256];
    pid_t pid = start("");

    (void)state;
    wait_marks("R");
    assert_int_equal(mini("-s reload", text, sizeof(text)), 0);
    wait_marks("Rr");
    assert_int_equal(kill(pid, SIGUSR1), 0);
    wait_marks("Rru");
    assert_int_equal(kill(pid, SIGPIPE), 0);
    assert_int_equal(kill(pid, SIGINT), 0);
    wait_marks("Rrus");
}

static void signals_between_ready_and_watch_are_not_lost_and_kill_nobody(void **state)
{
    char text[256];

    (void)state;
    assert_int_equal(mini("--late", text, sizeof(text)), 0);
    assert_string_equal(text, "");
    wait_marks("Rsru");
    assert_int_equal(mini("-s status", text, sizeof(text)), 3);
}

static void a_reload_during_the_start_is_not_lost_and_kills_nobody(void **state)
{
    char text[256];

    (void)state;
    start("--early");
    wait_marks("Rru");
    assert_int_equal(mini("-s stop", text, sizeof(text)), 0);
    wait_marks("Rrus");
    assert_int_equal(mini("--early --fail", text, sizeof(text)), 7);
}

static void a_stop_during_the_start_ends_it_at_once(void **state)
{
    char text[256];

    (void)state;
    assert_int_equal(mini("-d --hasty", text, sizeof(text)), 1);
    assert_int_equal(mini("-s status", text, sizeof(text)), 3);
}

static void restart_ends_the_old_one_and_starts_a_new_one(void **state)
{
    char text[256];
    pid_t pid = start(""), next;

    (void)state;
    assert_int_equal(mini("-d -s restart", text, sizeof(text)), 0);
    next = pid_in(text, "mini start/running, pid=");
    assert_int_not_equal(next, pid);
    assert_int_equal(waitpid(pid, NULL, WNOHANG), pid);
    assert_int_equal(kill(next, 0), 0);
}

static void stop_gives_up_after_its_time_and_a_second_one_is_final(void **state)
{
    char text[256], expected[96];
    pid_t pid = start("--stubborn");

    (void)state;
    wait_marks("R");
    assert_int_equal(mini("-s stop --stop-timeout 100ms", text, sizeof(text)), 1);
    snprintf(expected, sizeof(expected), "mini: process %ld did not stop within 0.1 s\n",
             (long)pid);
    assert_string_equal(text, expected);
    assert_int_equal(mini("-s stop", text, sizeof(text)), 0);
}

static void wrong_use_is_one_line(void **state)
{
    char text[256], option[64], expected[96];

    (void)state;
    assert_int_equal(mini("-s stpo", text, sizeof(text)), 2);
    assert_string_equal(text, "mini: option -s: it takes start, stop, restart, status or reload "
                              "(did you mean stop?)\n");
    assert_int_equal(mini("-s reload", text, sizeof(text)), 1);
    assert_string_equal(text, "mini: not running\n");
    snprintf(option, sizeof(option), "--pid-file %s/none/x", dir);
    snprintf(expected, sizeof(expected), "mini: %s/none/x: No such file or directory\n", dir);
    assert_int_equal(mini(option, text, sizeof(text)), 1);
    assert_string_equal(text, expected);
    assert_int_equal(mini("--pid-file /etc/passwd", text, sizeof(text)), 1);
    assert_int_equal(mini("--user no-such-user", text, sizeof(text)), 1);
    assert_string_equal(text, "mini: unknown user 'no-such-user'\n");
    assert_int_equal(mini("-d --group no-such-group", text, sizeof(text)), 1);
    assert_string_equal(text, "mini: unknown group 'no-such-group'\n");
}

/* ---- out of memory: an exit status, and nothing left behind ---- */

/* What main would do; the exit status of the server. */
static int begin_and_end(hmain_options_t *options)
{
    const hmain_callbacks_t callbacks = {on_stop, on_reload, on_user, NULL};
    hloop_t *loop = NULL;
    hmain_t *app;
    int status = hmain_begin("mini", options, &app);

    if (status != HMAIN_RUN) {
        assert_null(app);
        return status;
    }
    loop = hloop_new(0);
    status = loop == NULL || hmain_watch(app, loop, &callbacks) < 0 ? 1 : hmain_ready(app);
    if (loop != NULL)
        hmain_unwatch(app);
    hloop_free(&loop);
    return hmain_end(app, status);
}

static int tell_status(hmain_options_t *options)
{
    hmain_t *app;
    int status = hmain_begin("mini", options, &app);

    assert_null(app);
    return status == 3 ? 0 : status;
}

/* Each failure has its message, which nobody wants to read here. */
static int quietly(int (*run)(hmain_options_t *), hmain_options_t *options)
{
    int null_fd = open("/dev/null", O_WRONLY), out = dup(STDOUT_FILENO), err = dup(STDERR_FILENO);
    int status;

    assert_true(null_fd >= 0 && out >= 0 && err >= 0);
    fflush(stdout);
    dup2(null_fd, STDOUT_FILENO);
    dup2(null_fd, STDERR_FILENO);
    status = run(options);
    fflush(stdout);
    dup2(out, STDOUT_FILENO);
    dup2(err, STDERR_FILENO);
    close(null_fd);
    close(out);
    close(err);
    return status == 1 ? -ENOMEM : status;
}

static int in_the_foreground(void *arg)
{
    hmain_options_t *options = arg;
    int status = quietly(begin_and_end, options);

    assert_int_equal(access(options->pid_file, F_OK), -1);
    return status;
}

/* The daemon is a copy of this process: it must not go on with the tests. */
static int in_the_background(void *arg)
{
    pid_t test = getpid();
    int status = quietly(begin_and_end, arg);

    if (getpid() != test)
        _exit(status == -ENOMEM ? 1 : status);
    while (waitpid(-1, NULL, 0) > 0)
        continue;
    return status;
}

static int asked_for_the_status(void *arg)
{
    return quietly(tell_status, arg);
}

static void out_of_memory_is_an_error_at_every_allocation(void **state)
{
    char path[64];
    hmain_options_t options = {.pid_file = path};

    (void)state;
    snprintf(path, sizeof(path), "%s/pid", dir);
    oom_run(in_the_foreground, &options);
    options.action = HMAIN_STATUS;
    oom_run(asked_for_the_status, &options);
    options.action = HMAIN_NONE;
    options.daemon = true;
    oom_run_forking(in_the_background, &options);
}

#define WITH_DIR(test) cmocka_unit_test_setup_teardown(test, begin, end)

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        WITH_DIR(status_tells_running_from_stopped),
        WITH_DIR(a_daemon_leaves_the_session_and_the_terminal),
        WITH_DIR(a_daemon_starts_without_standard_descriptors),
        WITH_DIR(a_second_start_is_refused),
        WITH_DIR(a_failed_start_gives_its_message_and_status),
        WITH_DIR(signals_reach_their_callbacks),
        WITH_DIR(signals_between_ready_and_watch_are_not_lost_and_kill_nobody),
        WITH_DIR(a_reload_during_the_start_is_not_lost_and_kills_nobody),
        WITH_DIR(a_stop_during_the_start_ends_it_at_once),
        WITH_DIR(restart_ends_the_old_one_and_starts_a_new_one),
        WITH_DIR(stop_gives_up_after_its_time_and_a_second_one_is_final),
        WITH_DIR(wrong_use_is_one_line),
        WITH_DIR(out_of_memory_is_an_error_at_every_allocation),
    };

    if (argc > 1 && strcmp(argv[1], "serve") == 0)
        return server_main(argc - 1, argv + 1);
    /* The daemons become children of this process, which can tell that they have ended. */
    if (prctl(PR_SET_CHILD_SUBREAPER, 1) < 0)
        return 1;
    return cmocka_run_group_tests_name("hmain", tests, NULL, NULL);
}
