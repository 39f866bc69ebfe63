/* One thread. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../../cmd/hnmap/then.h"
#include "base/hfile.h"
#include "folder_fixture.h"
#include "loop_test.h"
#include "oom.h"

#include <errno.h>
#include <sys/resource.h>

#define TEXT_MAX ((size_t)1 << 24)

static folder_t *folder;
static hloop_t *loop;
static then_t *then;
static int output;

static int begin_folder(void **state)
{
    int status = folder_make(state);

    folder = *state;
    output = openat(folder->fd, "out", O_RDWR | O_CREAT | O_CLOEXEC | O_APPEND, 0600);
    return output < 0 ? -1 : status;
}

static int end_folder(void **state)
{
    then_free(then);
    then = NULL;
    hloop_free(&loop);
    close(output);
    return folder_remove(state);
}

static void nothing(void *context)
{
    (void)context;
}

static void open_then(const char *command, unsigned jobs)
{
    const then_options_t options = {
        .command = command,
        .jobs = jobs,
        .output = output,
        .before = nothing,
        .changed = nothing,
    };

    loop = new_loop();
    assert_int_equal(then_new(loop, &options, &then), 0);
}

/* A host with these open ports; those above 1000 are UDP's. */
static int hand(const char *ip, const uint16_t *numbers, size_t count)
{
    port_result_t ports[8] = {0};
    host_result_t host = {.state = HOST_UP, .ports = ports, .port_count = count};

    haddr_parse(&host.addr, ip, 0);
    for (size_t i = 0; i < count; i++)
        ports[i] = (port_result_t){.number = numbers[i] % 1000,
                                   .protocol = numbers[i] > 1000 ? IPPROTO_UDP : IPPROTO_TCP,
                                   .state = PORT_OPEN};
    return then_host(then, &host);
}

static void finish(uint64_t run, uint64_t failed)
{
    then_counts_t counts;

    RUN_UNTIL(loop, then_is_idle(then));
    then_counts(then, &counts);
    assert_int_equal(counts.run, run);
    assert_int_equal(counts.failed, failed);
}

static const char *said(void)
{
    static hbytes_t text;
    char path[128];

    hbytes_clear(&text);
    snprintf(path, sizeof(path), "%s/out", folder->path);
    assert_int_equal(hfile_read(path, TEXT_MAX, &text), 0);
    return text.data ? text.data : "";
}

static void a_command_is_run_for_each_host(void **state)
{
    static const uint16_t ports[] = {22, 80, 1053};

    (void)state;
    open_then("echo {ip} {name} [{mac}] {ports} {udp-ports}", 1);
    assert_int_equal(hand("192.0.2.1", ports, 3), 0);
    assert_int_equal(hand("2001:db8::1", ports, 1), 0);
    assert_int_equal(hand("192.0.2.2", NULL, 0), 0);
    finish(3, 0);
    assert_string_equal(said(), "192.0.2.1 192.0.2.1 [] 22,80 53\n"
                                "2001:db8::1 2001:db8::1 [] 22\n192.0.2.2 192.0.2.2 []\n");
}

static void a_command_is_run_for_each_port(void **state)
{
    static const uint16_t ports[] = {22, 80, 1053};

    (void)state;
    open_then("echo {ip}:{port}/{protocol}", 1);
    assert_int_equal(hand("192.0.2.1", ports, 3), 0);
    assert_int_equal(hand("192.0.2.2", NULL, 0), 0);
    finish(3, 0);
    assert_string_equal(said(), "192.0.2.1:22/tcp\n192.0.2.1:80/tcp\n192.0.2.1:53/udp\n");
}

/* Names are what strangers say. */
static void a_name_is_harmless(void **state)
{
    static char names[][16] = {"a.example", "$(echo x)", "'; echo x; '", "-n", "a b", "`x`", "\""};
    host_result_t host = {.state = HOST_UP, .has_mac = true, .mac = {0, 0x22}};

    (void)state;
    open_then("echo '{name}' \"{name}\" {name} {mac}", 1);
    haddr_parse(&host.addr, "192.0.2.1", 0);
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        host.name = names[i];
        assert_int_equal(then_host(then, &host), 0);
        finish(i + 1, 0);
        if (i > 0)
            assert_string_equal(said(), "192.0.2.1 192.0.2.1 192.0.2.1 00:22:00:00:00:00\n");
        else
            assert_string_equal(said(), "a.example a.example a.example 00:22:00:00:00:00\n");
        assert_int_equal(ftruncate(output, 0), 0);
    }
}

static void as_many_as_wanted_run_at_a_time(void **state)
{
    then_counts_t counts;

    (void)state;
    /* Each waits for the others of three. */
    open_then("cd $DIR; echo > $$; while [ $(ls | grep -c '^[0-9]') -lt 3 ]; do :; done", 3);
    setenv("DIR", folder->path, 1);
    for (int i = 0; i < 6; i++)
        assert_int_equal(hand("192.0.2.1", NULL, 0), 0);
    then_counts(then, &counts);
    assert_int_equal(counts.running, 3);
    assert_int_equal(counts.waiting, 3);
    finish(6, 0);
}

static void the_queue_has_an_end(void **state)
{
    (void)state;
    open_then("read line; exit 0", 1); /* its standard input is empty */
    for (size_t i = 0; i <= THEN_QUEUE_MAX; i++) {
        assert_true(then_has_room(then));
        assert_int_equal(hand("192.0.2.1", NULL, 0), 0);
    }
    assert_false(then_has_room(then));
    RUN_UNTIL(loop, then_has_room(then));
    then_stop(then);
    RUN_UNTIL(loop, then_is_idle(then));
    assert_int_equal(hand("192.0.2.1", NULL, 0), 0); /* not begun */
    assert_true(then_is_idle(then));
}

static void those_that_fail_are_counted(void **state)
{
    (void)state;
    open_then("exit {port}", 2);
    assert_int_equal(hand("192.0.2.1", (const uint16_t[]){0, 1, 2}, 3), 0);
    finish(3, 2);
    then_free(then);
    hloop_free(&loop);
    open_then("kill -9 $$", 1);
    assert_int_equal(hand("192.0.2.1", NULL, 0), 0);
    finish(1, 1);
}

/* Of three at the same time, each with two lines and a while between them. */
static void output_does_not_mix(void **state)
{
    (void)state;
    setenv("DIR", folder->path, 1);
    open_then("echo {port}a; cd $DIR; echo > {port}; "
              "while [ $(ls | grep -c '^[0-9]') -lt 3 ]; do :; done; echo {port}b",
              3);
    assert_int_equal(hand("192.0.2.1", (const uint16_t[]){1, 2, 3}, 3), 0);
    finish(3, 0);
    for (const char *line = said(); *line; line += 6) {
        assert_int_equal(line[0], line[3]);
        assert_memory_equal(line + 1, "a\n", 2);
        assert_memory_equal(line + 4, "b\n", 2);
    }
}

static void much_output_is_all_there(void **state)
{
    (void)state;
    open_then("head -c 5000000 /dev/zero | tr '\\0' '\\n'; printf x", 1);
    assert_int_equal(hand("192.0.2.1", NULL, 0), 0);
    finish(1, 0);
    assert_int_equal(strlen(said()), 5000001);
}

/* What a command leaves behind has its output, and nobody waits for it. */
static void a_command_that_leaves_something_behind_has_ended(void **state)
{
    (void)state;
    open_then("sleep 300 & echo $!", 1);
    assert_int_equal(hand("192.0.2.1", NULL, 0), 0);
    finish(1, 0);
    assert_int_equal(kill((pid_t)strtol(said(), NULL, 10), SIGKILL), 0);
}

static void wait_for_file(const char *name)
{
    const struct timespec step = {.tv_nsec = 5000000};

    while (faccessat(folder->fd, name, R_OK, 0) < 0)
        nanosleep(&step, NULL);
}

/* One that has ended may be nobody's to reap. */
static bool is_alive(pid_t pid)
{
    char path[64];
    hbytes_t stat = {0};
    bool is_alive;

    snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
    is_alive = hfile_read(path, 4096, &stat) == 0 && strstr(stat.data, ") Z") == NULL;
    hbytes_deinit(&stat);
    return is_alive;
}

static void what_commands_have_started_ends_with_them(void **state)
{
    const struct timespec step = {.tv_nsec = 5000000};
    char text[32] = "";
    int fd;

    (void)state;
    setenv("DIR", folder->path, 1);
    open_then("sleep 300 & echo $! > $DIR/pid.new; mv $DIR/pid.new $DIR/pid; wait", 1);
    assert_int_equal(hand("192.0.2.1", NULL, 0), 0);
    assert_int_equal(hand("192.0.2.2", NULL, 0), 0);
    wait_for_file("pid");
    fd = openat(folder->fd, "pid", O_RDONLY | O_CLOEXEC);
    assert_true(read(fd, text, sizeof(text) - 1) > 0);
    close(fd);
    then_stop(then);
    then_stop(then);
    finish(1, 0);
    while (is_alive((pid_t)strtol(text, NULL, 10)))
        nanosleep(&step, NULL);
}

static void one_that_does_not_listen_is_killed(void **state)
{
    (void)state;
    setenv("DIR", folder->path, 1);
    open_then("trap '' TERM; echo > $DIR/ready; while :; do sleep 1; done", 1);
    assert_int_equal(hand("192.0.2.1", NULL, 0), 0);
    wait_for_file("ready");
    then_stop(then);
    finish(1, 0);
}

/* Descriptors are all taken for a while, by a scan. */
static void a_command_waits_for_descriptors(void **state)
{
    struct rlimit before, few;
    then_counts_t counts;

    (void)state;
    open_then("exit 0", 2);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    few = before;
    few.rlim_cur = 3;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
    assert_int_equal(hand("192.0.2.1", NULL, 0), 0);
    then_counts(then, &counts);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    assert_int_equal(counts.running, 0);
    assert_int_equal(counts.waiting, 1);
    finish(1, 0);
}

static void a_command_that_is_too_long_has_failed(void **state)
{
    char *command = malloc(140000);

    (void)state;
    memset(command, ' ', 139999);
    memcpy(command, "exit 0", 6);
    command[139999] = '\0';
    open_then(command, 1);
    assert_int_equal(hand("192.0.2.1", NULL, 0), 0);
    finish(1, 1);
    free(command);
}

static int run_one(void *arg)
{
    const then_options_t options = {
        .command = "exit 0 {ports}",
        .jobs = 1,
        .output = output,
        .before = nothing,
        .changed = nothing,
    };
    then_counts_t counts = {0};
    hloop_t *own = hloop_new(HLOOP_FLAG_RUN_ONCE);
    then_t *before = then;
    int err = own ? then_new(own, &options, &then) : -ENOMEM;

    (void)arg;
    if (err == 0) {
        err = hand("192.0.2.1", (const uint16_t[]){22, 80}, 2);
        while (err == 0 && !then_is_idle(then))
            if (hloop_run(own) < 0)
                err = -ENOMEM;
        then_counts(then, &counts);
        if (err == 0 && counts.failed > 0)
            err = -ENOMEM;
        then_free(then);
    }
    then = before;
    hloop_free(&own);
    return err;
}

static void commands_without_memory(void **state)
{
    (void)state;
    oom_run(run_one, NULL);
}

#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, begin_folder, end_folder)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_FOLDER(a_command_is_run_for_each_host),
        IN_FOLDER(a_command_is_run_for_each_port),
        IN_FOLDER(a_name_is_harmless),
        IN_FOLDER(as_many_as_wanted_run_at_a_time),
        IN_FOLDER(the_queue_has_an_end),
        IN_FOLDER(those_that_fail_are_counted),
        IN_FOLDER(output_does_not_mix),
        IN_FOLDER(much_output_is_all_there),
        IN_FOLDER(a_command_that_leaves_something_behind_has_ended),
        IN_FOLDER(what_commands_have_started_ends_with_them),
        IN_FOLDER(one_that_does_not_listen_is_killed),
        IN_FOLDER(a_command_waits_for_descriptors),
        IN_FOLDER(a_command_that_is_too_long_has_failed),
        IN_FOLDER(commands_without_memory),
    };

    return run_on_each_poller("hnmap_then", tests, ARRAY_LENGTH(tests));
}
