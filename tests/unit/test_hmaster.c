/* One thread. A server of its own in a child process, which tells over a pipe what becomes of it: a
 * line for each call, with the generation and the slot. */
#include "app/hmaster.h"

#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "app/hstart.h"
#include "folder_fixture.h"

#define WAIT_MS 60000

typedef struct server_s {
    int workers;
    uint32_t drain_ms; /* of the first plan */
    bool holds;        /* workers of the first generation never drain by themselves */
    int refuse_at;     /* the load that fails; 0: none */
    int fail_check_at;
    int loads;
    int fd;
    hlogfile_t log;
    hlisteners_want_t wanted;
} server_t;

static server_t server;
static hmaster_options_t options;
static hmaster_settings_t base;
static pid_t child;
static FILE *told;

static void tell(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
static void tell(const char *fmt, ...)
{
    char line[128];
    va_list ap;
    int len;

    va_start(ap, fmt);
    len = vsnprintf(line, sizeof(line), fmt, ap);
    va_end(ap);
    if (write(server.fd, line, (size_t)len) != len)
        _exit(3);
}

/* ---- the server ------------------------------------------------------------------------------ */

static int load(void *userdata, hmaster_plan_t *plan, hbytes_t *errors)
{
    server_t *s = userdata;
    int *number = malloc(sizeof(*number));

    *number = ++s->loads;
    if (*number == s->refuse_at) {
        free(number);
        tell("refused\n");
        hbytes_append_str(errors, "x.conf:1: wrong\n");
        return HERR_SYNTAX;
    }
    *plan = (hmaster_plan_t){.settings = number,
                             .log = &s->log,
                             .wanted = &s->wanted,
                             .wanted_count = 1,
                             .workers = s->workers,
                             .drain_ms = *number == 1 ? s->drain_ms : 1,
                             .stop_ms = 100};
    return 0;
}

static int check(void *userdata, const hmaster_generation_t *generation, hbytes_t *errors)
{
    const server_t *s = userdata;

    if (generation->listeners->count != 1)
        return -EINVAL;
    if (*(int *)generation->plan->settings != s->fail_check_at)
        return 0;
    hbytes_append_str(errors, "no name\n");
    return HERR_SYNTAX;
}

static void announce(void *userdata, const hmaster_generation_t *generation)
{
    (void)userdata;
    (void)generation;
    tell("announce\n");
}

static void discard(void *userdata, hmaster_plan_t *plan, uint64_t number)
{
    (void)userdata;
    tell("discard %d of generation %d\n", *(int *)plan->settings, (int)number);
    free(plan->settings);
}

static void ended(void *userdata, int slot)
{
    (void)userdata;
    tell("ended %d\n", slot);
}

typedef struct body_s {
    const hmaster_worker_t *worker;
    hloop_t *loop;
} body_t;

static void drain(void *arg)
{
    const body_t *body = arg;

    hlogfile_say(&server.log, HLOG_INFO, "drain %d", body->worker->slot);
    tell("drain %d %u\n", body->worker->slot, hmaster_drain_ms(body->worker));
    if (!server.holds || hmaster_drain_ms(body->worker) == 1)
        hloop_stop(body->loop);
}

static int work(const hmaster_worker_t *worker, void *userdata)
{
    char why[HSTART_WHY_SIZE];
    body_t body = {worker, hstart_loop(NULL, why, sizeof(why))};

    (void)userdata;
    if (!body.loop || hmaster_watch(worker, body.loop, drain, &body) < 0 ||
        getppid() != worker->parent)
        return 1;
    hmaster_release_listeners(worker);
    tell("work %d of generation %d, slot %d, pid %ld\n", worker->index,
         (int)worker->generation->number, worker->slot, (long)getpid());
    hloop_run(body.loop);
    hloop_free(&body.loop);
    return 0;
}

/* ---- the test's side ------------------------------------------------------------------------- */

static int begin(void **state)
{
    (void)state;
    server = (server_t){.workers = 2, .drain_ms = 1, .log = {.options.prefix = "x", .fd = -1}};
    base = (hmaster_settings_t){.conf_path = "x.conf"}; /* SIGHUP reloads */
    options = (hmaster_options_t){.name = "x",
                                  .base = &base,
                                  .load = load,
                                  .check = check,
                                  .announce = announce,
                                  .discard = discard,
                                  .work = work,
                                  .ended = ended,
                                  .userdata = &server};
    child = 0;
    return hendpoint_parse(&server.wanted.endpoint, "127.0.0.1:0", NULL, 0);
}

static void start(void)
{
    pid_t test = getpid();
    int fds[2];

    assert_int_equal(pipe(fds), 0);
    child = fork();
    if (child == 0) {
        if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != test)
            _exit(3);
        close(fds[0]);
        server.fd = fds[1];
        if (!freopen("/dev/null", "w", stderr))
            _exit(3);
        _exit(hmaster_run(&options));
    }
    assert_true(child > 0);
    close(fds[1]);
    told = fdopen(fds[0], "r");
    assert_non_null(told);
    setvbuf(told, NULL, _IONBF, 0);
}

/* The next line, "" at the end of all. */
static const char *next(void)
{
    static char line[256];
    struct pollfd fd = {.fd = fileno(told), .events = POLLIN};

    assert_int_equal(poll(&fd, 1, WAIT_MS), 1);
    if (!fgets(line, sizeof(line), told))
        line[0] = '\0';
    return line;
}

static long number_behind(const char *line, const char *word)
{
    const char *at = strstr(line, word);

    assert_non_null(at);
    return strtol(at + strlen(word), NULL, 10);
}

/* Reads lines until one of this number of workers' has been told; their pids by slot. */
static void workers_begin(int count, int generation, pid_t *pids)
{
    while (count > 0) {
        const char *line = next();

        if (strncmp(line, "work ", 5) == 0) {
            assert_int_equal(number_behind(line, "generation "), generation);
            pids[number_behind(line, "slot ")] = (pid_t)number_behind(line, "pid ");
            count--;
        }
    }
}

static void wait_for(const char *line)
{
    const char *got;

    do {
        got = next();
        if (got[0] == '\0')
            fail_msg("never told: %s", line);
    } while (strcmp(got, line) != 0);
}

static int finish(void)
{
    int status;

    fclose(told);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

/* The first generation stays as long as it wants, with a newer one beside it. */
static void start_two_generations(int workers, pid_t *pids)
{
    server.holds = true;
    server.drain_ms = 0;
    server.workers = workers;
    start();
    workers_begin(workers, 1, pids);
    kill(child, SIGHUP);
    workers_begin(workers, 2, pids);
}

static void stop(void)
{
    kill(child, SIGTERM);
    while (next()[0])
        ;
    assert_int_equal(finish(), 0);
}

static void a_slot_is_the_smallest_that_is_free(void **state)
{
    pid_t pids[8] = {0};

    (void)state;
    start_two_generations(2, pids);
    assert_true(pids[0] && pids[1] && pids[2] && pids[3]);

    kill(pids[2], SIGKILL);
    wait_for("ended 2\n");
    workers_begin(1, 2, pids); /* its successor */

    kill(pids[0], SIGKILL); /* draining: it has none */
    wait_for("ended 0\n");
    pids[0] = 0;
    kill(child, SIGHUP);
    workers_begin(2, 3, pids);
    assert_true(pids[4] && pids[0]);

    kill(child, SIGTERM);
    wait_for("discard 1 of generation 1\n");
    assert_int_equal(finish(), 0);
}

static void an_old_generation_drains_and_its_settings_go(void **state)
{
    pid_t pids[8] = {0};

    (void)state;
    server.workers = 1;
    start();
    wait_for("announce\n");
    workers_begin(1, 1, pids);
    kill(child, SIGHUP);
    wait_for("discard 1 of generation 1\n");
    kill(child, SIGTERM);
    wait_for("discard 2 of generation 2\n");
    assert_string_equal(next(), "");
    assert_int_equal(finish(), 0);
}

static void a_reload_that_fails_changes_nothing(void **state)
{
    pid_t pids[8] = {0};

    (void)state;
    server.workers = 1;
    server.refuse_at = 2;
    server.fail_check_at = 3;
    start();
    workers_begin(1, 1, pids);
    kill(child, SIGHUP);
    wait_for("refused\n");
    kill(child, SIGHUP);
    assert_string_equal(next(), "discard 3 of generation 0\n");
    assert_int_equal(kill(pids[0], 0), 0);
    kill(child, SIGHUP);
    workers_begin(1, 2, pids);
    kill(child, SIGTERM);
    assert_true(strlen(next()) > 0);
    while (next()[0])
        ;
    assert_int_equal(finish(), 0);
}

static void a_stop_shortens_what_is_draining(void **state)
{
    pid_t pids[8] = {0};

    (void)state;
    server.workers = 1;
    server.holds = true;
    server.drain_ms = 0;
    start();
    workers_begin(1, 1, pids);
    kill(child, SIGHUP);
    wait_for("drain 0 0\n");
    kill(child, SIGTERM);
    wait_for("drain 0 100\n"); /* which it does not keep to: it is killed */
    wait_for("ended 0\n");
    wait_for("discard 1 of generation 1\n");
    assert_int_equal(finish(), 0);
}

/* Those of a generation that drains too, and those of one that comes later. */
static void log_files_are_opened_anew_in_all_workers(void **state)
{
    char path[80], old[80], text[1024] = "";
    pid_t pids[8] = {0};
    void *folder;
    int fd;

    (void)state;
    assert_int_equal(folder_make(&folder), 0);
    snprintf(path, sizeof(path), "%s/log", ((folder_t *)folder)->path);
    snprintf(old, sizeof(old), "%s/old", ((folder_t *)folder)->path);
    assert_int_equal(hlogfile_open(&server.log, &(hlogfile_options_t){.prefix = "x", .path = path}),
                     0);
    start_two_generations(1, pids);
    assert_int_equal(rename(path, old), 0);
    kill(child, SIGUSR1);
    for (int i = 0; i < WAIT_MS / 10 && access(path, F_OK) < 0; i++)
        poll(NULL, 0, 10);
    kill(pids[1], SIGKILL);
    workers_begin(1, 2, pids); /* its successor */
    stop();
    fd = open(path, O_RDONLY | O_CLOEXEC);
    assert_true(read(fd, text, sizeof(text) - 1) > 0);
    close(fd);
    assert_non_null(strstr(text, " drain 0\n"));
    assert_non_null(strstr(text, " drain 1\n"));
    hlogfile_close(&server.log);
    assert_int_equal(folder_remove(&folder), 0);
}

static void there_is_room_for_the_newest_generation(void **state)
{
    pid_t pids[8] = {0};

    (void)state;
    options.slots_max = 4;
    start_two_generations(2, pids);
    kill(child, SIGHUP); /* the first ones have to make room, whatever they were promised */
    wait_for("discard 1 of generation 1\n");
    stop();
}

static void a_start_that_fails_ends_with_1(void **state)
{
    (void)state;
    server.refuse_at = 1;
    start();
    assert_string_equal(next(), "refused\n");
    assert_string_equal(next(), "");
    assert_int_equal(finish(), 1);
    server.refuse_at = 0;
    options.slots_max = 3; /* not twice the workers */
    start();
    assert_string_equal(next(), "discard 1 of generation 0\n");
    assert_string_equal(next(), "");
    assert_int_equal(finish(), 1);
}

#define TEST(f) cmocka_unit_test_setup(f, begin)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_slot_is_the_smallest_that_is_free),
        TEST(an_old_generation_drains_and_its_settings_go),
        TEST(a_reload_that_fails_changes_nothing),
        TEST(a_stop_shortens_what_is_draining),
        TEST(log_files_are_opened_anew_in_all_workers),
        TEST(there_is_room_for_the_newest_generation),
        TEST(a_start_that_fails_ends_with_1),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
